//! Rules: what is bad, how bad, in which words. A rule is data (one TOML file); it decides over records and computes nothing itself.
//!
//! [`file`](mod@file) reads and checks a rule file, [`predicate`] is the language in which it decides, [`engine`] runs rules and builds findings,
//! [`remedy`] fills in the commands of a remedy, [`error`] is what a mistake in a rule file looks like. Built-in rules and a user's own go the same way.

mod builtin;
pub mod controls;
pub mod engine;
pub mod error;
pub mod file;
pub mod predicate;
pub mod remedy;
pub mod vulnerability;

use file::Rule;
use std::sync::OnceLock;

/// The rules that come with the program, in the order of their ids. A test checks that every one of them loads.
pub fn builtin() -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| builtin::FILES.iter().filter_map(|(_, text)| Rule::load(text).ok()).collect())
}

/// The texts of the built-in rule files by file name, for tests and documentation.
pub fn builtin_files() -> &'static [(&'static str, &'static str)] {
    builtin::FILES
}
