//! `sekisho init`: a `sekisho.toml` to start from, and what to add for pre-commit and CI.

use super::error::Error;
use super::print_bytes;
use crate::finding::Lang;
use crate::texts::texts;
use clap::ArgMatches;
use std::path::Path;

/// Runs the command; gives the exit status.
pub fn run(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let path = Path::new("sekisho.toml");
    if path.exists() && !matches.get_flag("force") {
        return Err(Error::Exists(path.display().to_string()));
    }
    let t = |key: &str| texts().get(lang, key).to_owned();
    std::fs::write(path, t("cli.init.config")).map_err(|e| Error::Write { path: path.display().to_string(), why: e.to_string() })?;
    let out = format!(
        "{}\n\n{}\n\n{}\n{}\n\n{}\n",
        texts().fill(lang, "cli.init.written", &["sekisho.toml"]),
        t("cli.init.pre_commit"),
        t("cli.init.pre_commit_snippet"),
        t("cli.init.ci"),
        t("cli.init.ci_snippet"),
    );
    print_bytes(out.as_bytes())
}
