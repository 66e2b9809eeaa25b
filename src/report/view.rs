//! What every form asks of a report: which path a place is in, which findings count, what comes first.
//!
//! Not a form, and no words of its own. Invariant: orders here depend on nothing but the report.

use crate::finding::{DeviceReport, FileReport, Finding, Label, Outcome, Place, Report, Severity};
use crate::source::{FileId, Masked, Span};
use crate::texts::texts;
use std::collections::BTreeMap;

/// A report with its paths looked up.
pub(super) struct View<'a> {
    pub report: &'a Report,
    paths: BTreeMap<u32, &'a str>,
}

/// A finding with the device and the file it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub file: &'a FileReport,
    pub device: &'a DeviceReport,
    pub finding: &'a Finding,
}

impl<'a> View<'a> {
    pub fn new(report: &'a Report) -> View<'a> {
        View { report, paths: report.files.iter().map(|file| (file.file.0, file.path.as_str())).collect() }
    }

    /// The path of a file.
    pub fn path(&self, file: FileId) -> Option<&'a str> {
        self.paths.get(&file.0).copied()
    }

    /// The masked text of a file, if it was kept.
    pub fn masked(&self, file: FileId) -> Option<&'a Masked> {
        self.report.excerpts.get(file.0 as usize)?.as_deref()
    }

    /// The place of a label that has one, and the path it is in.
    pub fn placed(&self, file: &'a FileReport, label: &Label) -> Option<(&'a str, Place)> {
        let path = label.span.map_or(Some(file.path.as_str()), |span| self.path(span.file));
        Some((path.unwrap_or(&file.path), label.place?))
    }

    /// A sentence of `texts/report.toml`.
    pub fn word(&self, key: &'static str) -> &'static str {
        texts().get(self.report.lang, key)
    }

    /// A sentence of `texts/report.toml` with its places filled.
    pub fn fill(&self, key: &str, args: &[&str]) -> String {
        texts().fill(self.report.lang, key, args)
    }

    /// The word of a severity in the report's language.
    pub fn severity(&self, severity: Severity) -> &'static str {
        self.word(match severity {
            Severity::Error => "report.severity.error",
            Severity::Warning => "report.severity.warning",
            Severity::Note => "report.severity.note",
        })
    }

    /// Findings that are not accepted, worst first over all devices; else as the report has them.
    pub fn findings<'f>(&self, files: &[&'f FileReport]) -> Vec<Found<'f>> {
        let mut found: Vec<Found<'f>> = files
            .iter()
            .flat_map(|file| file.devices.iter().map(move |device| (*file, device)))
            .flat_map(|(file, device)| device.findings.iter().map(move |finding| Found { file, device, finding }))
            .filter(|found| found.finding.suppressed.is_none())
            .collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.finding.severity));
        found
    }

    /// Where to point when a finding has no place: its nearest related line, or a line its outcome rests on.
    pub fn nearest(&self, found: Found<'a>) -> Option<Place> {
        let here = |label: &&Label| self.placed(found.file, label).is_some_and(|(path, _)| path == found.file.path);
        let evidence = found.device.outcomes.iter().filter(|outcome| outcome.rule == found.finding.rule).flat_map(|o| &o.evidence);
        found.finding.related.iter().chain(evidence).find(here).and_then(|label| label.place)
    }

    /// Outcomes that cannot be told, with their devices, in the order of the report.
    pub fn undetermined(&self) -> Vec<(&'a FileReport, &'a DeviceReport, &'a Outcome)> {
        let devices = self.report.files.iter().flat_map(|file| file.devices.iter().map(move |device| (file, device)));
        devices
            .flat_map(|(file, device)| device.outcomes.iter().map(move |outcome| (file, device, outcome)))
            .filter(|(_, _, outcome)| outcome.kind == crate::finding::OutcomeKind::Undetermined)
            .collect()
    }
}

/// Name and context of a device, as people say it.
pub(super) fn device_name(device: &DeviceReport) -> String {
    match (device.name.as_str(), device.context.as_str()) {
        (name, "") => name.to_owned(),
        ("", context) => context.to_owned(),
        (name, context) => format!("{name} / {context}"),
    }
}

/// Whether two places share a line or touch.
pub(super) fn same_span(one: Option<Span>, other: Option<Span>) -> bool {
    one.is_some() && one == other
}
