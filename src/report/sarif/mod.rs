//! SARIF 2.1.0, the exchange format of analysis tools: one run, its rules, its results.
//!
//! Results are findings only: many readers show every result as an alert, whatever its kind, so what cannot be told is
//! a notification. Holds no snippet of configuration text. Section numbers are those of the OASIS standard. Invariants:
//! every index points at the entry whose id or URI stands beside it; relative paths stay relative.

mod model;
mod uri;

use super::plain;
use super::view::{Found, View, device_name, same_span};
use crate::finding::{DeviceReport, FileReport, Finding, Label, Place, Report, Severity};
use model::*;
use std::collections::BTreeMap;

/// Where the schema of the format is published.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The report as one SARIF log.
pub(super) fn render(report: &Report) -> String {
    let view = View::new(report);
    let artifacts = Artifacts::of(report);
    let rules = Rules::of(report);
    let files: Vec<&FileReport> = report.files.iter().collect();
    let shown = files.iter().flat_map(|file| file.devices.iter().map(move |device| (*file, device)));
    let results = shown.flat_map(|(file, device)| device.findings.iter().map(move |finding| Found { file, device, finding }));
    let results = results.map(|found| result(&view, &artifacts, &rules, found)).collect();
    plain::json(&Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "sekisho",
                    version: report.version,
                    semantic_version: report.version,
                    language: report.lang.key(),
                    rules: rules.list,
                },
            },
            invocations: [invocation(&view, &artifacts, &rules.index)],
            language: report.lang.key(),
            column_kind: "unicodeCodePoints",
            artifacts: artifacts.list,
            results,
            properties: RunProperties { as_of: &report.as_of, data_as_of: &report.data_as_of },
        }],
    })
}

/// The rules that say something in this run, in the order of their ids.
struct Rules<'a> {
    list: Vec<Rule<'a>>,
    index: BTreeMap<&'a str, usize>,
}

impl<'a> Rules<'a> {
    fn of(report: &'a Report) -> Rules<'a> {
        let devices = || report.files.iter().flat_map(|file| &file.devices);
        let mut rules: BTreeMap<&'a str, Rule<'a>> = BTreeMap::new();
        for outcome in devices().flat_map(|device| &device.outcomes) {
            rules.entry(&outcome.rule).or_insert_with(|| Rule::new(&outcome.rule, &outcome.name, &outcome.title));
        }
        for finding in devices().flat_map(|device| &device.findings) {
            rules.entry(&finding.rule).or_insert_with(|| Rule::new(&finding.rule, &finding.name, &finding.title)).learn(finding);
        }
        let index = rules.keys().enumerate().map(|(index, id)| (*id, index)).collect();
        Rules { list: rules.into_values().collect(), index }
    }
}

impl<'a> Rule<'a> {
    fn new(id: &'a str, name: &'a str, title: &'a str) -> Rule<'a> {
        Rule {
            id,
            name,
            short_description: Text { text: title },
            full_description: None,
            help: None,
            default_configuration: None,
            properties: RuleProperties { tags: vec!["security"], controls: &[] },
        }
    }

    /// What a finding tells of its rule; the worst one sets the level.
    fn learn(&mut self, finding: &'a Finding) {
        let level = level(finding.severity);
        match &mut self.default_configuration {
            Some(configuration) if configuration.level == "error" || level == "note" => {}
            Some(configuration) => configuration.level = level,
            None => self.default_configuration = Some(Configuration { level }),
        }
        if self.help.is_some() || finding.why.is_empty() {
            return;
        }
        self.full_description = Some(Text { text: &finding.why });
        let remedies = |sign: &str| finding.remedies.iter().map(|remedy| format!("\n{sign} {}", remedy.text)).collect::<String>();
        self.help = Some(Help {
            text: format!("{}{}", finding.why, remedies("-")),
            markdown: format!("**{}**\n\n{}\n{}", finding.title, finding.why, remedies("-")),
        });
        self.properties.tags.extend(finding.controls.iter().map(String::as_str));
        self.properties.controls = &finding.controls;
    }
}

fn level(severity: Severity) -> &'static str {
    severity.word()
}

/// Files of the run, each once, with the archives that hold them.
struct Artifacts<'a> {
    list: Vec<Artifact<'a>>,
    index: BTreeMap<&'a str, usize>,
}

impl<'a> Artifacts<'a> {
    fn of(report: &'a Report) -> Artifacts<'a> {
        let mut artifacts = Artifacts { list: Vec::new(), index: BTreeMap::new() };
        for file in &report.files {
            if artifacts.index.contains_key(file.path.as_str()) {
                continue;
            }
            let (outer, member) = file.path.split_once("!/").map_or((file.path.as_str(), None), |(outer, member)| (outer, Some(member)));
            let parent = member.map(|_| artifacts.archive(outer));
            let uri = member.map_or_else(|| uri::of(outer), uri::of_member);
            artifacts.index.insert(&file.path, artifacts.list.len());
            artifacts.list.push(Artifact {
                location: ArtifactLocation { uri, index: artifacts.list.len() },
                parent_index: parent,
                encoding: (!file.encoding.is_empty()).then_some(file.encoding.as_str()),
                roles: ["analysisTarget"],
                properties: Some(ArtifactProperties { dialect: file.dialect.as_deref() }),
            });
        }
        artifacts
    }

    /// The index of an archive, which is in the list once.
    fn archive(&mut self, path: &'a str) -> usize {
        if let Some(index) = self.index.get(path) {
            return *index;
        }
        let index = self.list.len();
        self.index.insert(path, index);
        let location = ArtifactLocation { uri: uri::of(path), index };
        self.list.push(Artifact { location, parent_index: None, encoding: None, roles: ["analysisTarget"], properties: None });
        index
    }

    fn location(&self, path: &str, place: Option<Place>) -> PhysicalLocation {
        let known = self.index.get(path).and_then(|index| self.list.get(*index));
        PhysicalLocation { artifact_location: known.map(|artifact| artifact.location.clone()), region: place.map(Region::of) }
    }
}

impl Region {
    fn of(place: Place) -> Region {
        let Place { line, column, end_line, end_column } = place;
        Region { start_line: line, start_column: Some(column), end_line: Some(end_line), end_column: Some(end_column) }
    }
}

fn result<'a>(view: &View<'a>, artifacts: &Artifacts<'a>, rules: &Rules<'a>, found: Found<'a>) -> Outcome<'a> {
    let Found { file, device, finding } = found;
    let place = |label: &Label| view.placed(file, label).map_or((file.path.as_str(), None), |(path, place)| (path, Some(place)));
    let (path, own) = place(&finding.primary);
    let related = finding.related.iter().filter(|label| !same_span(label.span, finding.primary.span) || label.text != finding.primary.text);
    let related = related.filter(|label| label.place.is_some()).zip(1..).map(|(label, id)| {
        let (path, place) = place(label);
        let message = (!label.text.is_empty()).then_some(Text { text: label.text.as_str() });
        Location { id: Some(id), physical_location: artifacts.location(path, place), message, logical_locations: Vec::new() }
    });
    Outcome {
        rule_id: &finding.rule,
        rule_index: rules.index.get(finding.rule.as_str()).copied(),
        level: level(finding.severity),
        message: Text { text: &finding.message },
        locations: [Location {
            id: None,
            physical_location: artifacts.location(path, own),
            message: None,
            logical_locations: logical(device),
        }],
        related_locations: related.collect(),
        partial_fingerprints: Fingerprints { sekisho: &finding.fingerprint },
        suppressions: finding.suppressed.as_ref().map(|accepted| {
            [Suppression {
                kind: "external",
                status: "accepted",
                justification: view.fill("report.sarif.accepted", &[&accepted.reason, &accepted.who, &accepted.until]),
            }]
        }),
        properties: ResultProperties { confidence: finding.confidence.word(), subject: &finding.subject },
    }
}

fn logical(device: &DeviceReport) -> Vec<LogicalLocation> {
    vec![LogicalLocation { name: device_name(device), kind: "device" }]
}

/// The run of the tool: what could not be judged, what cannot be told, and what is to be said about the run.
fn invocation<'a>(view: &View<'a>, artifacts: &Artifacts<'a>, rules: &BTreeMap<&'a str, usize>) -> Invocation<'a> {
    let mut execution = Vec::new();
    for file in &view.report.files {
        let level = if file.readable { "warning" } else { "error" };
        let whole = [(view.word("report.refused"), None)];
        let errors = file.errors.iter().map(|error| (error.message.as_str(), error.line));
        let errors: Vec<_> = if file.readable || !file.errors.is_empty() { errors.collect() } else { whole.to_vec() };
        for (message, line) in errors {
            let mut location = artifacts.location(&file.path, None);
            location.region = line.map(|line| Region { start_line: line, start_column: None, end_line: None, end_column: None });
            execution.push(Notification::new(level, message.to_owned(), Some(location)));
        }
    }
    for (file, device, outcome) in view.undetermined() {
        let reason = outcome.reason.as_deref().unwrap_or("");
        let text = view.fill("report.sarif.undetermined", &[&outcome.title, &device_name(device), reason]);
        let mut notification = Notification::new("note", text.trim_end().to_owned(), Some(artifacts.location(&file.path, None)));
        notification.associated_rule = Some(RuleReference { id: &outcome.rule, index: rules.get(outcome.rule.as_str()).copied() });
        execution.push(notification);
    }
    let configuration = view.report.notices.iter().map(|notice| Notification::new("warning", notice.clone(), None)).collect();
    Invocation {
        execution_successful: view.report.files.iter().all(|file| file.readable),
        tool_execution_notifications: execution,
        tool_configuration_notifications: configuration,
    }
}

impl Notification<'_> {
    fn new(level: &'static str, text: String, location: Option<PhysicalLocation>) -> Self {
        let location =
            location.map(|physical_location| Location { id: None, physical_location, message: None, logical_locations: Vec::new() });
        Notification { level, message: OwnText { text }, locations: location.into_iter().collect(), associated_rule: None }
    }
}
