//! Rules: what is bad, how bad, in which words. A rule is data (one TOML file); it decides over records and computes nothing itself.
//!
//! [`file`](mod@file) reads and checks a rule file, [`predicate`] is the language in which it decides, [`error`] is what a mistake in it looks like.
//! Built-in rules and a user's own go the same way.

pub mod error;
pub mod file;
pub mod predicate;
