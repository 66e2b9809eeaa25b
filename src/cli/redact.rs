//! `sekisho redact`: a configuration as somebody else may see it, to standard output or a new file. What was replaced is counted
//! on standard error. The input is never written to.
//!
//! Exit status: 0 written, 2 wrong usage, 3 not understood and therefore not written.

use super::error::Error;
use super::{dialect, one, print_bytes, stated_for};
use crate::finding::Lang;
use crate::fleet::redact::{self, KINDS, Redacted};
use crate::fleet::run::Options;
use crate::texts::texts;
use clap::ArgMatches;
use std::path::{Path, PathBuf};

/// Lines that are not understood, as many as are told.
const LINES: usize = 10;

/// Runs the command; gives the exit status.
pub fn run(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let path = matches.get_one::<PathBuf>("path").cloned().unwrap_or_default();
    let output = matches.get_one::<PathBuf>("output");
    if let Some(output) = output {
        may_write(&path, output, matches.get_flag("force"))?;
    }
    let (found, input) = one(&path, None)?;
    let configs = stated_for(matches, &[found])?;
    let stated = super::check::stated(&configs);
    let options = Options {
        lang,
        as_of: String::new(),
        dialect: dialect(matches)?,
        rules: &[],
        data: crate::rule::vulnerability::Knowledge::builtin(),
        run_key: super::run_key()?,
        hash_budget: 0,
        excerpts: false,
        stated: &stated,
    };
    let redacted = redact::redact(&input, &options).map_err(Error::NotAConfiguration)?;
    match output {
        Some(output) => {
            std::fs::write(output, &redacted.text).map_err(|e| Error::Write { path: output.display().to_string(), why: e.to_string() })?
        }
        None => {
            print_bytes(redacted.text.as_bytes())?;
        }
    }
    eprintln!("{}", summary(&path, &redacted, lang));
    if redacted.left > 0 {
        eprintln!("{}", texts().fill(lang, "cli.redact.left", &[&redacted.left.to_string()]));
    }
    if !redacted.unread.is_empty() {
        let some: Vec<String> = redacted.unread.iter().take(LINES).map(usize::to_string).collect();
        let more = if redacted.unread.len() > LINES { ", …" } else { "" };
        eprintln!("{}", texts().fill(lang, "cli.redact.unread", &[&format!("{}{more}", some.join(", "))]));
    }
    eprintln!("{}", texts().get(lang, "cli.redact.caution"));
    Ok(0)
}

/// Whether a file may be written: never the input, and one that is there only where the user says so.
fn may_write(input: &Path, output: &Path, force: bool) -> Result<(), Error> {
    let place = |p: &Path| std::fs::canonicalize(p).ok();
    let same = input == output || place(input).is_some_and(|p| place(output) == Some(p));
    if same {
        return Err(Error::SameFile(output.display().to_string()));
    }
    if output.exists() && !force {
        return Err(Error::Exists(output.display().to_string()));
    }
    Ok(())
}

fn summary(path: &Path, redacted: &Redacted, lang: Lang) -> String {
    let counted = KINDS.iter().zip(redacted.counts).filter(|(_, n)| *n > 0);
    let parts: Vec<String> = counted.map(|(kind, n)| texts().fill(lang, &format!("cli.redact.{kind}"), &[&n.to_string()])).collect();
    let all = if parts.is_empty() { texts().get(lang, "cli.redact.none").to_owned() } else { parts.join(", ") };
    texts().fill(lang, "cli.redact.summary", &[&path.display().to_string(), &all])
}
