//! A rule: one TOML file, read and checked.
//!
//! Loading has two steps that know nothing of each other: [`raw`] reads the file's shape (or takes it from a faster pre-parsed form),
//! [`Rule::from_raw`] checks the meaning against the schema and compiles predicates and messages. Built-in rules and a user's own take the same way.
//! A loaded rule holds no name that is still to be looked up, and all mistakes of a file are reported, each at its place.

mod check;
mod place;
pub mod raw;
pub mod template;

#[cfg(test)]
mod tests;

use crate::finding::Severity;
use crate::ir::record::Record;
use crate::ir::schema::Kind;
use crate::rule::error::RuleError;
use crate::rule::predicate::{Predicate, Read};
use raw::RawRule;
use template::Template;

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Identifier for machines, e.g. `EXP001`.
    pub id: String,
    /// Name for people, e.g. `management-exposed-to-internet`.
    pub name: String,
    /// Version of the program that first had it, `x.y.z`.
    pub since: String,
    /// Its place in life.
    pub status: Status,
    /// Severity where no level says otherwise.
    pub severity: Severity,
    /// The kinds of subjects it judges, each with everything compiled for it.
    pub subjects: Vec<Subject>,
    /// Vendor-neutral actions that remedy it, best first.
    pub remedy: Vec<String>,
    /// Items of notices, checklists and frameworks it answers, e.g. `MHLW-2026-03`.
    pub controls: Vec<String>,
    /// References to catalogues of weaknesses and the like.
    pub refs: Vec<Reference>,
    /// What it says, apart from the message.
    pub texts: Both<Texts>,
    /// Shortest configurations that fire, and near misses that do not.
    pub examples: Vec<Example>,
}

/// A rule's place in life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Off unless asked for.
    Preview,
    /// On.
    Stable,
    /// Still known by its id, off.
    Deprecated,
}

/// The rule as it judges subjects of one kind.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The kind.
    pub kind: &'static Kind,
    /// Which subjects it is about; all, if absent.
    pub applies: Option<Predicate>,
    /// What is bad.
    pub fails: Predicate,
    /// Steps that change the severity, see [`Subject::severity`].
    pub levels: Vec<Level>,
    /// Fields whose written origin is the line a finding points at, tried in order before the record's own.
    pub primary: Vec<usize>,
    /// Which subjects share a finding; each has its own, if absent.
    pub group_by: Option<GroupBy>,
    /// The sentence of a finding where no variant applies.
    pub message: Both<Template>,
    /// Other sentences, see [`Subject::message`].
    pub variants: Vec<Variant>,
    /// Subjects that are collected into one finding of the device, by the first condition that holds.
    pub groups: Vec<Group>,
}

/// A severity for some subjects.
#[derive(Clone, Debug)]
pub struct Level {
    /// Which subjects.
    pub when: Predicate,
    /// Their severity.
    pub severity: Severity,
}

/// A message for some subjects.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Which subjects.
    pub when: Predicate,
    /// Their message.
    pub message: Both<Template>,
}

/// Which subjects share a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// All of a device.
    Device,
    /// Those that agree in this field.
    Field(usize),
}

/// The same in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Both<T> {
    /// Japanese.
    pub ja: T,
    /// English.
    pub en: T,
}

/// Plain texts of a rule in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// One line: what is wrong.
    pub title: String,
    /// Why it matters.
    pub why: String,
    /// What to do, beyond the actions.
    pub what_to_do: Option<String>,
    /// Where the rule is known to be wrong.
    pub falsepositives: Option<String>,
}

/// A reference to a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Which catalogue, e.g. `cwe`.
    pub kind: String,
    /// The entry, e.g. `CWE-284`.
    pub id: String,
}

/// An example configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The dialect it is written in.
    pub dialect: String,
    /// The audit date (`YYYY-MM-DD`) it is to be judged on, where the rule depends on one.
    pub as_of: Option<String>,
    /// A configuration that must be reported.
    pub fires: Option<String>,
    /// A near miss that must not.
    pub quiet: Option<String>,
}

/// Findings of a kind that are collected into one for the device.
#[derive(Clone, Debug)]
pub struct Group {
    /// When a subject belongs to it.
    pub when: Predicate,
    /// Severity of the one finding.
    pub severity: Severity,
    /// Its message; placeholders are those of its first subject.
    pub message: Both<Template>,
}

impl Rule {
    /// Reads and checks a rule file. Errors: every mistake found, in the order of the file.
    pub fn load(text: &str) -> Result<Rule, Vec<RuleError>> {
        let (raw, errors) = raw::read(text);
        check::check(&raw, text, errors)
    }

    /// Checks a rule whose shape was read before, e.g. a built-in one. Without the file's text, the places of mistakes are those of whole values.
    pub fn from_raw(raw: &RawRule) -> Result<Rule, Vec<RuleError>> {
        check::check(raw, "", Vec::new())
    }

    /// How the rule judges subjects of a kind, if it does.
    pub fn subject(&self, kind: &Kind) -> Option<&Subject> {
        self.subjects.iter().find(|s| s.kind.name == kind.name)
    }
}

impl Subject {
    /// The severity of a finding about `it`, and the fields that decided it: that of the first level that is true. A level whose
    /// `when` is unknown keeps the default, whatever levels follow: they might not be the first.
    pub fn severity(&self, default: Severity, it: &Record, device: &Record) -> (Severity, Vec<Read>) {
        for level in &self.levels {
            let verdict = level.when.eval(it, device);
            match verdict.value.tri() {
                Some(true) => return (level.severity, verdict.read),
                Some(false) => {}
                None => break,
            }
        }
        (default, Vec::new())
    }

    /// The message about `it`: that of the first variant that is surely true, else the rule's own.
    pub fn message(&self, it: &Record, device: &Record) -> &Both<Template> {
        let variant = self.variants.iter().find(|v| v.when.eval(it, device).value.is_true());
        variant.map_or(&self.message, |v| &v.message)
    }
}

impl Status {
    /// The words rule files use.
    pub const WORDS: [(&'static str, Status); 3] =
        [("stable", Status::Stable), ("preview", Status::Preview), ("deprecated", Status::Deprecated)];
}
