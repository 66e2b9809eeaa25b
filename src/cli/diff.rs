//! `sekisho diff`: what a change opens and closes, for people, for CI, and for git.
//!
//! Exit status: 1 when something became reachable from outside or an error appeared; 3 when that cannot be told; else 0. Called by git
//! (seven or nine arguments, see gitattributes(5) and git(1), `GIT_EXTERNAL_DIFF`) it exits with 0, for git takes any
//! other status for a failure.

use super::error::Error;
use super::{dialect, one, print_bytes, rules, stated_for, width};
use crate::finding::Lang;
use crate::fleet::diff;
use crate::fleet::discover::Found;
use crate::fleet::run::{Input, Options};
use crate::report;
use clap::ArgMatches;
use std::path::{Path, PathBuf};

/// What git names in place of a version that does not exist.
const NO_FILE: &str = "/dev/null";

/// Runs the command; gives the exit status.
pub fn run(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let files: Vec<PathBuf> = matches.get_many("files").into_iter().flatten().cloned().collect();
    // path old-file old-hex old-mode new-file new-hex new-mode [new-path what-changed]
    let (by_git, old, new, names) = match files.as_slice() {
        [old, new] => (false, old, new, (old.as_path(), new.as_path())),
        [path, old, _, _, new, _, _] => (true, old, new, (path.as_path(), path.as_path())),
        [path, old, _, _, new, _, _, to, _] => (true, old, new, (path.as_path(), to.as_path())),
        // git has nothing to show for a file with conflicts.
        [path] if std::env::var_os("GIT_DIFF_PATH_TOTAL").is_some() => {
            return print_bytes(format!("{}\n", path.display()).as_bytes());
        }
        _ => return Err(Error::Arguments),
    };
    let open = |file: &Path, name: &Path| -> Result<Option<(Found, Input<'static>)>, Error> {
        if file == Path::new(NO_FILE) { Ok(None) } else { one(file, Some(name)).map(Some) }
    };
    let (before, after) = (open(old, names.0)?, open(new, names.1)?);
    let named =
        |file: &Path, name: &Path| if by_git && file == Path::new(NO_FILE) { NO_FILE.to_owned() } else { name.display().to_string() };
    let shown = (named(old, names.0), named(new, names.1));
    let found: Vec<Found> = [names.0, names.1].iter().map(|p| Found::File { path: p.to_path_buf(), named: true }).collect();
    let configs = stated_for(matches, &found)?;
    let stated = super::check::stated(&configs);
    let rules = rules(matches, lang)?;
    let options = Options {
        lang,
        as_of: super::as_of(matches)?,
        dialect: dialect(matches)?,
        rules: &rules,
        run_key: super::run_key()?,
        excerpts: true,
        stated: &stated,
    };
    let list: Vec<_> = configs.values().cloned().collect();
    let (before, after) = (before.map(|(_, i)| i), after.map(|(_, i)| i));
    let answer = diff::compare(shown, before.as_ref(), after.as_ref(), &list, &options);
    let json = matches.get_one::<String>("format").is_some_and(|f| f == "json");
    let text = if json { report::diff::json(&answer) } else { report::diff::text(&answer, width()) };
    print_bytes(text.as_bytes())?;
    if by_git || matches.get_flag("exit-zero") {
        return Ok(0);
    }
    let unsure = answer.is_unreadable() || answer.devices.is_empty() || answer.devices.iter().any(|d| d.may_be_worse());
    Ok(match (answer.devices.iter().any(|d| d.is_worse()), unsure) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 0,
    })
}
