//! Findings and outcomes: what rules say about devices, finished in one language. A leaf: rules build it, reports print it,
//! and neither knows the other.

use crate::ir::record::Witness;
use crate::source::{FileId, Masked, Span};
use std::sync::Arc;

/// The language of everything a user reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Japanese.
    Ja,
    /// English.
    En,
}

impl Lang {
    /// `ja` or `en`.
    pub fn key(self) -> &'static str {
        match self {
            Lang::Ja => "ja",
            Lang::En => "en",
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Hardening, or context.
    Note,
    /// An item of the notices or the checklist is not met.
    Warning,
    /// An attacker on the Internet can use it now, or a notice calls it extremely dangerous.
    Error,
}

impl Severity {
    /// All, worst first.
    pub const ALL: [Severity; 3] = [Severity::Error, Severity::Warning, Severity::Note];

    /// The word of the JSON contract and the command line.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }

    /// The severity of that word.
    pub fn parse(word: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|s| s.word() == word)
    }
}

/// How sure a finding is; falls out of the weakest fact it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// It rests on an inference, or on a default nobody confirmed.
    Inferred,
    /// It rests on a documented factory default.
    Default,
    /// The export says so.
    Certain,
}

impl Confidence {
    /// The word of the JSON contract.
    pub fn word(self) -> &'static str {
        match self {
            Confidence::Inferred => "inferred",
            Confidence::Default => "default",
            Confidence::Certain => "certain",
        }
    }
}

/// A place as people count: lines and columns from 1, columns in characters of the decoded text, the end one past the last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// Column after the last character.
    pub end_column: usize,
}

/// A place and what to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The place; `None` when the statement rests on a line that is not there.
    pub span: Option<Span>,
    /// The same place as people count. Filled in once the file's lines are known.
    pub place: Option<Place>,
    /// The sentence.
    pub text: String,
}

impl Label {
    /// A label whose place is not counted yet.
    pub fn new(span: Option<Span>, text: impl Into<String>) -> Label {
        Label { span, place: None, text: text.into() }
    }
}

/// What to do about a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Remedy {
    /// Id of the action.
    pub action: String,
    /// The instruction, vendor-neutral.
    pub text: String,
    /// Commands in the box's own language, where the dialect has them.
    pub commands: Option<String>,
    /// What to mind.
    pub note: Option<String>,
}

/// An accepted risk.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppression {
    /// Why it is accepted.
    pub reason: String,
    /// Who accepted it.
    pub who: String,
    /// Last day on which it holds, as `YYYY-MM-DD`.
    pub until: String,
    /// Line of the entry in `sekisho.toml`.
    pub line: usize,
}

/// Something that is wrong with a device.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Id of the rule.
    pub rule: String,
    /// Name of the rule.
    pub name: String,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What it is about, e.g. `https on wan1`; the same in every language.
    pub subject: String,
    /// Title of the rule.
    pub title: String,
    /// The finding's own sentence.
    pub message: String,
    /// Why it matters.
    pub why: String,
    /// The line at fault.
    pub primary: Label,
    /// The chain of lines that proves it.
    pub related: Vec<Label>,
    /// A packet that gets through.
    pub witness: Option<Witness>,
    /// Items of notices and checklists it bears on.
    pub controls: Vec<String>,
    /// What to do.
    pub remedies: Vec<Remedy>,
    /// Stable between runs and versions of the export, for baselines and suppressions.
    pub fingerprint: String,
    /// Accepted, and by whom.
    pub suppressed: Option<Suppression>,
}

/// What a rule says about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeKind {
    /// Something is wrong.
    Fail,
    /// It cannot be told.
    Undetermined,
    /// It is as it should be, and this is the proof.
    Pass,
    /// The question does not arise.
    NotApplicable,
}

impl OutcomeKind {
    /// The word of the JSON contract.
    pub fn word(self) -> &'static str {
        match self {
            OutcomeKind::Fail => "fail",
            OutcomeKind::Undetermined => "undetermined",
            OutcomeKind::Pass => "pass",
            OutcomeKind::NotApplicable => "not_applicable",
        }
    }
}

/// The outcome of a rule on a device, with its evidence.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Id of the rule.
    pub rule: String,
    /// Name of the rule.
    pub name: String,
    /// Title of the rule.
    pub title: String,
    /// The outcome.
    pub kind: OutcomeKind,
    /// Why it cannot be told, or does not apply.
    pub reason: Option<String>,
    /// The lines and defaults it rests on.
    pub evidence: Vec<Label>,
}

/// Everything said about one device.
#[derive(Clone, Debug)]
pub struct DeviceReport {
    /// Name of the device.
    pub name: String,
    /// Name of the context; empty for a whole box.
    pub context: String,
    /// Vendor.
    pub vendor: String,
    /// Product.
    pub product: String,
    /// Model, if the export shows it.
    pub model: Option<String>,
    /// Version, if the export shows it.
    pub os_version: Option<String>,
    /// One for each rule, in the order of rule ids.
    pub outcomes: Vec<Outcome>,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// How a stranger gets inside, where every hop is known.
    pub stories: Vec<Story>,
}

/// A way of a stranger to the inside.
#[derive(Clone, Debug)]
pub struct Story {
    /// What it is about.
    pub title: String,
    /// From outside to inside.
    pub hops: Vec<StoryHop>,
}

/// One hop of a story.
#[derive(Clone, Debug)]
pub struct StoryHop {
    /// The sentence.
    pub text: String,
    /// The lines that prove it.
    pub labels: Vec<Label>,
    /// A packet that takes it.
    pub witness: Option<Witness>,
}

/// How much of an export was understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoverageCount {
    /// All statements.
    pub statements: u32,
    /// Read.
    pub read: u32,
    /// Known to be irrelevant.
    pub irrelevant: u32,
    /// Neither.
    pub unrecognised: u32,
}

/// A problem with a file, with its line where it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct FileError {
    /// Line, from 1.
    pub line: Option<usize>,
    /// The sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Everything said about one export. A file that holds several exports gives several of these with the same path.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// Path as the user gave it; members of archives as `archive.zip!/member`.
    pub path: String,
    /// Index of the masked text in [`Report::excerpts`].
    pub file: FileId,
    /// Dialect; `None` when the file was refused.
    pub dialect: Option<String>,
    /// Why it was taken for this dialect; `None` where a person named the dialect, or it was refused.
    pub detection: Option<Detection>,
    /// Encoding it was read in.
    pub encoding: String,
    /// How much was understood.
    pub coverage: CoverageCount,
    /// Devices.
    pub devices: Vec<DeviceReport>,
    /// Why the file was refused, or where it had to be mended.
    pub errors: Vec<FileError>,
    /// Whether the file could be judged at all.
    pub readable: bool,
}

/// Why a text was taken for an export of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Points of all signs that were seen.
    pub points: i32,
    /// Points the dialect asks for.
    pub enough: i32,
    /// The line at which each sign was first seen, and its points.
    pub signs: Vec<(usize, i32)>,
    /// The next best dialect, its points, and the points it asks for.
    pub runner_up: Option<(String, i32, i32)>,
}

/// Counts over a whole run. Suppressed findings are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Exports looked at.
    pub files: usize,
    /// Devices in them.
    pub devices: usize,
    /// Findings that are errors.
    pub error: usize,
    /// Findings that are warnings.
    pub warning: usize,
    /// Findings that are notes.
    pub note: usize,
    /// Accepted findings.
    pub suppressed: usize,
    /// Outcomes that cannot be told.
    pub undetermined: usize,
    /// Files that could not be judged.
    pub unreadable: usize,
}

/// Everything a run says.
#[derive(Clone, Debug)]
pub struct Report {
    /// Version of the program.
    pub version: &'static str,
    /// Audit date, `YYYY-MM-DD`.
    pub as_of: String,
    /// Date of the newest source of the lifecycle data, `YYYY-MM-DD`.
    pub data_as_of: String,
    /// Language of all texts in it.
    pub lang: Lang,
    /// In the order of their paths.
    pub files: Vec<FileReport>,
    /// Masked texts by file; the only way configuration text reaches an output. `None` where no output needs it.
    pub excerpts: Vec<Option<Arc<Masked>>>,
    /// What is to be said about the run as a whole: stale or expired suppressions, old data.
    pub notices: Vec<String>,
    /// Counts.
    pub totals: Totals,
}
