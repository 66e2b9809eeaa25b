//! Errors by the user's situation: what happened, where, and what to do next.

use crate::finding::Lang;
use crate::lifecycle::DataError;
use crate::rule::error::RuleError;
use crate::source::LineIndex;
use crate::texts::texts;
use std::ops::Range;

/// What keeps a command from doing its work.
#[derive(Debug)]
pub enum Error {
    /// A name that is none of a known set.
    Unknown {
        /// Key of the sentence.
        key: &'static str,
        /// The name.
        name: String,
        /// The nearest valid one.
        meant: Option<String>,
        /// The valid ones.
        valid: String,
    },
    /// Not a date.
    BadDate(String),
    /// Neither two files nor what git passes.
    Arguments,
    /// `--output` without `=`, or with an unknown form.
    BadOutput(String),
    /// A file that cannot be read.
    Read {
        /// Its path.
        path: String,
        /// What the system says.
        why: String,
    },
    /// A file that cannot be written.
    Write {
        /// Its path.
        path: String,
        /// What the system says.
        why: String,
    },
    /// A `sekisho.toml` with a mistake.
    Config {
        /// Its path and line.
        place: String,
        /// What the reader says.
        why: String,
    },
    /// A file that is there already.
    Exists(String),
    /// An output that is the input.
    SameFile(String),
    /// A rule file with mistakes; the whole diagnostic.
    RuleFile(String),
    /// Not a configuration of a known product.
    NotAConfiguration(String),
    /// The system gives no random numbers.
    Random(String),
}

impl Error {
    /// A name that is none of `valid`.
    pub fn unknown(key: &'static str, name: &str, valid: &[&str]) -> Error {
        let meant = valid.iter().map(|v| (distance(name, v), *v)).min().filter(|(d, _)| *d <= 3).map(|(_, v)| v.to_owned());
        Error::Unknown { key, name: name.to_owned(), meant, valid: valid.join(", ") }
    }

    /// The exit status.
    pub fn status(&self) -> u8 {
        match self {
            Error::NotAConfiguration(_) => 3,
            Error::Random(_) => 70,
            _ => 2,
        }
    }

    /// The sentence, in a language.
    pub fn message(&self, lang: Lang) -> String {
        let fill = |key: &str, args: &[&str]| texts().fill(lang, key, args);
        match self {
            Error::Unknown { key, name, meant, valid } => {
                let mut out = fill(key, &[name]);
                if let Some(meant) = meant {
                    out.push_str(&format!(" {}", fill("cli.error.did_you_mean", &[meant])));
                }
                out.push_str(&format!("\n{}", fill("cli.error.available", &[valid])));
                out
            }
            Error::BadDate(text) => fill("cli.error.bad_date", &[text]),
            Error::Arguments => texts().get(lang, "cli.error.arguments").to_owned(),
            Error::BadOutput(text) => fill("cli.error.bad_output", &[text]),
            Error::Read { path, why } => fill("cli.error.cannot_read", &[path, why]),
            Error::Write { path, why } => fill("cli.error.cannot_write", &[path, why]),
            Error::Config { place, why } => fill("cli.error.config", &[place, why]),
            Error::Exists(path) => fill("cli.error.exists", &[path]),
            Error::SameFile(path) => fill("cli.redact.same_file", &[path]),
            Error::RuleFile(diagnostic) => diagnostic.clone(),
            Error::NotAConfiguration(why) => why.clone(),
            Error::Random(why) => fill("cli.error.random", &[why]),
        }
    }
}

/// Edit distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

/// The mistakes of a rule file, each with its line and the place under it.
pub fn rule_file(path: &str, text: &str, errors: &[RuleError], lang: Lang) -> String {
    in_rules("cli.error.rule_file", path, text, errors, lang)
}

/// The mistakes in the questions of lifecycle data.
pub fn questions(path: &str, text: &str, errors: &[RuleError], lang: Lang) -> String {
    in_rules("cli.error.data_file", path, text, errors, lang)
}

/// The mistakes of lifecycle data.
pub fn data_file(path: &str, text: &str, errors: &[DataError], lang: Lang) -> String {
    let lines = LineIndex::new(text);
    let mut out = texts().fill(lang, "cli.error.data_file", &[path]);
    for error in errors {
        out.push_str(&placed(path, text, &lines, &error.span, &fill(lang, &format!("data_errors.{}", error.key), &error.args)));
    }
    out
}

fn in_rules(heading: &str, path: &str, text: &str, errors: &[RuleError], lang: Lang) -> String {
    let lines = LineIndex::new(text);
    let mut out = texts().fill(lang, heading, &[path]);
    for error in errors {
        out.push_str(&placed(path, text, &lines, &error.span, &fill(lang, &format!("rule_errors.{}", error.key), &error.args)));
        if let Some(meant) = &error.meant {
            out.push_str(&format!("\n    {}", texts().fill(lang, "rule_errors.did_you_mean", &[meant])));
        }
        if !error.help.is_empty() {
            out.push_str(&format!("\n    {}", texts().fill(lang, "rule_errors.valid_names", &[&error.help.join(", ")])));
        }
    }
    out
}

fn fill(lang: Lang, key: &str, args: &[String]) -> String {
    texts().fill(lang, key, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A message at its place, with the line and a mark under what is meant.
fn placed(path: &str, text: &str, lines: &LineIndex, span: &Range<usize>, message: &str) -> String {
    let at = lines.position(text, span.start as u32);
    let line = lines.line_text(text, at.line);
    let length = text.get(span.clone()).map_or(1, |s| s.lines().next().unwrap_or("").chars().count()).max(1);
    let room = line.chars().count().saturating_sub(at.column - 1).max(1);
    let mark = "^".repeat(length.min(room));
    format!("\n{path}:{}:{}: {message}\n    {line}\n    {}{mark}", at.line, at.column, " ".repeat(at.column - 1))
}
