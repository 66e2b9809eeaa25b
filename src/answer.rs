//! What `reach` and `diff` say, finished in one language. A leaf: `fleet` builds it, `report` prints it, and neither knows the other.
//!
//! Texts of a configuration are in it as masked excerpts only.

use crate::finding::{Lang, Place, Severity};
use crate::ir::record::Witness;

/// A line of an export, and what it means here.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Where; `None` for what rests on no line.
    pub place: Option<Place>,
    /// The masked text of the line.
    pub excerpt: String,
    /// The sentence.
    pub label: String,
}

/// A block of packets: every source to every destination on every service.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Conditions that the export leaves open, as sentences.
    pub when: Vec<String>,
    /// Whether it is sure that the packets get through.
    pub sure: bool,
    /// Sources as prefixes and ranges.
    pub sources: Vec<String>,
    /// Sources in words.
    pub sources_text: String,
    /// Destinations as prefixes and ranges; empty: the box's own address, which the export does not show.
    pub destinations: Vec<String>,
    /// Destinations in words.
    pub destinations_text: String,
    /// Services, such as `tcp 443`.
    pub services: Vec<String>,
    /// Source ports; empty: all.
    pub source_ports: Vec<String>,
    /// Services and source ports in words.
    pub services_text: String,
}

/// A file as both commands name it.
#[derive(Clone, Debug, PartialEq)]
pub struct FileHead {
    /// Path as the user gave it.
    pub path: String,
    /// Dialect; `None` when it was refused.
    pub dialect: Option<String>,
    /// Whether enough of it was understood to be judged.
    pub readable: bool,
    /// Why it was refused, or where it had to be mended.
    pub errors: Vec<String>,
}

/// One way and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `yes`, `unknown` or `no`.
    pub answer: &'static str,
    /// `listener`, `translation` or `network`.
    pub kind: &'static str,
    /// What it leads to, in words.
    pub target: String,
    /// Service of the box, where it is one.
    pub service: Option<&'static str>,
    /// The interface packets enter.
    pub interface: String,
    /// `internet`, `closed_network` or `none`.
    pub outside: &'static str,
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// What gets through.
    pub blocks: Vec<Block>,
    /// A packet that gets through, or one that is stopped.
    pub witness: Option<Witness>,
    /// The decisions about that packet.
    pub lines: Vec<Line>,
    /// Why it cannot be told.
    pub reason: Option<String>,
}

/// The answer of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct ReachDevice {
    /// The file it is in.
    pub file: FileHead,
    /// Name and context.
    pub name: String,
    /// Name of the context; empty for a whole box.
    pub context: String,
    /// Vendor, product and version in words.
    pub product: String,
    /// Whether the question was about every destination.
    pub everything: bool,
    /// Ways, those that lead somewhere first.
    pub rows: Vec<Row>,
    /// Why there may be more.
    pub open: Vec<String>,
}

/// What `reach` says.
#[derive(Clone, Debug)]
pub struct ReachReport {
    /// Language of all texts in it.
    pub lang: Lang,
    /// The question: from, to.
    pub question: (String, String),
    /// Files without a device.
    pub refused: Vec<FileHead>,
    /// Devices in the order of the file.
    pub devices: Vec<ReachDevice>,
}

impl ReachReport {
    /// How many ways have an answer.
    pub fn count(&self, answer: &str) -> usize {
        self.devices.iter().flat_map(|d| &d.rows).filter(|r| r.answer == answer).count()
    }

    /// Whether something could not be told: a way, what an export does not show, or a file.
    pub fn is_open(&self) -> bool {
        let files = || self.devices.iter().map(|d| &d.file).chain(&self.refused);
        self.count("unknown") > 0 || self.devices.iter().any(|d| !d.open.is_empty()) || files().any(|f| !f.readable)
    }
}

/// Packets that became reachable or ceased to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Doorway {
    /// What they lead to, in words.
    pub target: String,
    /// Service of the box, where it is one.
    pub service: Option<&'static str>,
    /// `internet` or `closed_network`.
    pub outside: &'static str,
    /// The packets.
    pub blocks: Vec<Block>,
    /// An example, in the version in which it gets through.
    pub witness: Option<Witness>,
    /// The decisions about it there.
    pub lines: Vec<Line>,
    /// Whether the lines are of the new version.
    pub in_new: bool,
    /// For what cannot be told: the reason.
    pub reason: Option<String>,
    /// For what cannot be told: whether packets get through in the old version, and in the new (`yes`, `no`, `unknown`).
    pub versions: Option<(&'static str, &'static str)>,
    /// For what cannot be told: whether something may have been opened.
    pub may_open: bool,
}

/// A thing that is there in one version only, or differs.
#[derive(Clone, Debug, PartialEq)]
pub struct ThingChange {
    /// `tunnel`, `remote_access`, `account`, `admin_path`, `remote_access_path`.
    pub kind: &'static str,
    /// `added`, `removed` or `changed`.
    pub turn: &'static str,
    /// What it is called, in the new version where it is there.
    pub name: String,
    /// What differs; for something added or removed everything, with one side empty.
    pub facts: Vec<FactChange>,
    /// Its line in the old version.
    pub old: Option<Line>,
    /// Its line in the new version.
    pub new: Option<Line>,
}

/// A value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FactChange {
    /// Field of the schema.
    pub field: &'static str,
    /// What it is called.
    pub caption: String,
    /// Value before.
    pub old: String,
    /// Value after.
    pub new: String,
}

/// A finding that is in one version only, or whose severity differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingChange {
    /// `opened`, `closed` or `changed`.
    pub turn: &'static str,
    /// Id of the rule.
    pub rule: String,
    /// Name of the rule.
    pub name: String,
    /// Severity in the version in which it stands; the new one where it changed.
    pub severity: Severity,
    /// Severity before, where it changed.
    pub before: Option<Severity>,
    /// What it is about.
    pub subject: String,
    /// The finding's own sentence.
    pub message: String,
    /// The line at fault.
    pub line: Option<Line>,
    /// Outcome of the rule in the other version.
    pub other: &'static str,
    /// Whether it is an accepted risk.
    pub suppressed: bool,
}

/// A rule or a question that can be told in one version only.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// Id of the rule; `None` for what an export does not show.
    pub rule: Option<String>,
    /// Title of the rule, or what it is about.
    pub title: String,
    /// Whether it cannot be told in the new version; else in the old.
    pub in_new: bool,
    /// Why.
    pub reason: String,
}

/// What changed on a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceDiff {
    /// Name in the old and in the new version; `None` where it is missing.
    pub names: (Option<String>, Option<String>),
    /// Product and version in words, likewise.
    pub products: (Option<String>, Option<String>),
    /// What became reachable from outside.
    pub opened: Vec<Doorway>,
    /// What ceased to be.
    pub closed: Vec<Doorway>,
    /// What cannot be told.
    pub unknown: Vec<Doorway>,
    /// Tunnels, remote access, accounts, ways to log in.
    pub things: Vec<ThingChange>,
    /// Findings.
    pub findings: Vec<FindingChange>,
    /// What can be told in one version only.
    pub sights: Vec<Sight>,
    /// Points that cannot be told in either version alike.
    pub alike_unknown: usize,
}

impl DeviceDiff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.names.0.is_some() == self.names.1.is_some()
            && self.opened.is_empty()
            && self.closed.is_empty()
            && self.unknown.is_empty()
            && self.things.is_empty()
            && self.findings.is_empty()
            && self.sights.is_empty()
    }

    /// Whether something became reachable, or an error appeared that nobody accepted.
    pub fn is_worse(&self) -> bool {
        let worse = |f: &FindingChange| f.turn == "opened" || f.before.is_some_and(|b| b < f.severity);
        let error = |f: &FindingChange| worse(f) && f.severity == Severity::Error && !f.suppressed;
        !self.opened.is_empty() || self.findings.iter().any(error)
    }

    /// Whether more may be reachable now, without being sure.
    pub fn may_be_worse(&self) -> bool {
        self.unknown.iter().any(|d| d.may_open) || self.sights.iter().any(|s| s.in_new && s.rule.is_none())
    }
}

/// What `diff` says.
#[derive(Clone, Debug)]
pub struct DiffReport {
    /// Language of all texts in it.
    pub lang: Lang,
    /// Names of the old and the new version.
    pub names: (String, String),
    /// The files of the old version, and of the new.
    pub files: (Vec<FileHead>, Vec<FileHead>),
    /// Devices.
    pub devices: Vec<DeviceDiff>,
}

impl DiffReport {
    /// Whether no device changed.
    pub fn is_empty(&self) -> bool {
        self.devices.iter().all(DeviceDiff::is_empty)
    }

    /// Whether a version could not be judged.
    pub fn is_unreadable(&self) -> bool {
        self.files.0.iter().chain(&self.files.1).any(|f| !f.readable)
    }
}
