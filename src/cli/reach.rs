//! `sekisho reach`: which packets get from one place to another, with an example and the lines that decide about it.
//!
//! Exit status: 0 nothing gets there, 1 something does, 3 nothing surely does and something cannot be told.

use super::error::Error;
use super::{dialect, one, print_bytes, stated_for, width};
use crate::analysis::reach::Question;
use crate::finding::Lang;
use crate::fleet::reach;
use crate::fleet::run::Options;
use crate::report;
use clap::ArgMatches;
use std::path::PathBuf;

/// Runs the command; gives the exit status.
pub fn run(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let path = matches.get_one::<PathBuf>("path").cloned().unwrap_or_default();
    let (found, input) = one(&path, None)?;
    let configs = stated_for(matches, &[found])?;
    let stated = super::check::stated(&configs);
    let options = Options {
        lang,
        as_of: super::as_of(matches)?,
        dialect: dialect(matches)?,
        rules: &[],
        run_key: super::run_key()?,
        excerpts: true,
        stated: &stated,
    };
    let question = Question { from: matches.get_one::<String>("from").cloned(), to: matches.get_one::<String>("to").cloned() };
    let answer = reach::answer(&input, &question, &options).map_err(|e| {
        let names: Vec<&str> = e.names.iter().map(String::as_str).collect();
        Error::unknown("cli.error.unknown_place", &e.name, &names)
    })?;
    let json = matches.get_one::<String>("format").is_some_and(|f| f == "json");
    let text = if json { report::reach::json(&answer) } else { report::reach::text(&answer, width()) };
    print_bytes(text.as_bytes())?;
    Ok(match (answer.count("yes"), answer.is_open() || answer.devices.is_empty()) {
        (0, false) => 0,
        (0, true) => 3,
        _ => 1,
    })
}
