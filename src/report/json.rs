//! The JSON contract, version 1: keys may be added, never renamed or removed.
//!
//! Own structs, so that a change of `finding` is not a change of the contract. Holds no configuration text beyond what
//! messages name. Lines and columns count from 1, columns in characters of the decoded text.

use super::plain;
use super::view::{Found, View};
use crate::finding::{
    CoverageCount, Detection, DeviceReport, FileReport, Finding, Label, Outcome, Place, Remedy, Report, Suppression, Totals,
};
use crate::finding::{Story, StoryHop};
use crate::ir::record::Witness;
use serde::Serialize;

/// The report as pretty JSON with a line break at the end.
pub(super) fn render(report: &Report) -> String {
    let view = View::new(report);
    plain::json(&Document {
        version: 1,
        tool: Tool { name: "sekisho", version: report.version },
        lang: report.lang.key(),
        as_of: &report.as_of,
        data_as_of: &report.data_as_of,
        files: report.files.iter().map(|file| JsonFile::of(&view, file)).collect(),
        notices: &report.notices,
        summary: Summary::of(&report.totals),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    tool: Tool<'a>,
    lang: &'a str,
    as_of: &'a str,
    data_as_of: &'a str,
    files: Vec<JsonFile<'a>>,
    notices: &'a [String],
    summary: Summary,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct JsonFile<'a> {
    path: &'a str,
    readable: bool,
    dialect: Option<&'a str>,
    detection: Option<JsonDetection<'a>>,
    encoding: &'a str,
    coverage: Coverage,
    devices: Vec<JsonDevice<'a>>,
    errors: Vec<JsonError<'a>>,
}

impl<'a> JsonFile<'a> {
    fn of(view: &View<'a>, file: &'a FileReport) -> JsonFile<'a> {
        JsonFile {
            path: &file.path,
            readable: file.readable,
            dialect: file.dialect.as_deref(),
            detection: file.detection.as_ref().map(JsonDetection::of),
            encoding: &file.encoding,
            coverage: Coverage::of(file.coverage),
            devices: file.devices.iter().map(|device| JsonDevice::of(view, file, device)).collect(),
            errors: file.errors.iter().map(|e| JsonError { line: e.line, message: &e.message, help: e.help.as_deref() }).collect(),
        }
    }
}

/// Why the file was taken for its dialect.
#[derive(Serialize)]
struct JsonDetection<'a> {
    points: i32,
    enough: i32,
    signs: Vec<JsonSign>,
    runner_up: Option<JsonRunnerUp<'a>>,
}

#[derive(Serialize)]
struct JsonSign {
    line: usize,
    points: i32,
}

#[derive(Serialize)]
struct JsonRunnerUp<'a> {
    dialect: &'a str,
    points: i32,
    enough: i32,
}

impl<'a> JsonDetection<'a> {
    fn of(detection: &'a Detection) -> JsonDetection<'a> {
        JsonDetection {
            points: detection.points,
            enough: detection.enough,
            signs: detection.signs.iter().map(|&(line, points)| JsonSign { line, points }).collect(),
            runner_up: detection.runner_up.as_ref().map(|(dialect, points, enough)| JsonRunnerUp {
                dialect,
                points: *points,
                enough: *enough,
            }),
        }
    }
}

#[derive(Serialize)]
struct Coverage {
    statements: u32,
    read: u32,
    irrelevant: u32,
    unrecognised: u32,
}

impl Coverage {
    fn of(count: CoverageCount) -> Coverage {
        let CoverageCount { statements, read, irrelevant, unrecognised } = count;
        Coverage { statements, read, irrelevant, unrecognised }
    }
}

#[derive(Serialize)]
struct JsonError<'a> {
    line: Option<usize>,
    message: &'a str,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonDevice<'a> {
    name: &'a str,
    context: &'a str,
    vendor: &'a str,
    product: &'a str,
    model: Option<&'a str>,
    os_version: Option<&'a str>,
    outcomes: Vec<JsonOutcome<'a>>,
    findings: Vec<JsonFinding<'a>>,
    stories: Vec<JsonStory<'a>>,
}

/// How a stranger gets inside.
#[derive(Serialize)]
struct JsonStory<'a> {
    title: &'a str,
    hops: Vec<JsonHop<'a>>,
}

#[derive(Serialize)]
struct JsonHop<'a> {
    text: &'a str,
    lines: Vec<Line<'a>>,
    /// What it rests on that no line says, such as factory defaults.
    grounds: Vec<&'a str>,
    witness: Option<JsonWitness>,
}

impl<'a> JsonDevice<'a> {
    fn of(view: &View<'a>, file: &'a FileReport, device: &'a DeviceReport) -> JsonDevice<'a> {
        JsonDevice {
            name: &device.name,
            context: &device.context,
            vendor: &device.vendor,
            product: &device.product,
            model: device.model.as_deref(),
            os_version: device.os_version.as_deref(),
            outcomes: device.outcomes.iter().map(|outcome| JsonOutcome::of(view, file, outcome)).collect(),
            findings: device.findings.iter().map(|finding| JsonFinding::of(view, Found { file, device, finding })).collect(),
            stories: device.stories.iter().map(|story| JsonStory::of(view, file, story)).collect(),
        }
    }
}

impl<'a> JsonStory<'a> {
    fn of(view: &View<'a>, file: &'a FileReport, story: &'a Story) -> JsonStory<'a> {
        let hop = |hop: &'a StoryHop| {
            let (lines, grounds) = lines(view, file, &hop.labels);
            JsonHop { text: &hop.text, lines, grounds, witness: hop.witness.as_ref().map(JsonWitness::of) }
        };
        JsonStory { title: &story.title, hops: story.hops.iter().map(hop).collect() }
    }
}

#[derive(Serialize)]
struct JsonOutcome<'a> {
    rule: &'a str,
    name: &'a str,
    title: &'a str,
    outcome: &'a str,
    reason: Option<&'a str>,
    evidence: Vec<Line<'a>>,
    /// What it rests on that no line says, such as factory defaults.
    grounds: Vec<&'a str>,
}

impl<'a> JsonOutcome<'a> {
    fn of(view: &View<'a>, file: &'a FileReport, outcome: &'a Outcome) -> JsonOutcome<'a> {
        let (evidence, grounds) = lines(view, file, &outcome.evidence);
        JsonOutcome {
            rule: &outcome.rule,
            name: &outcome.name,
            title: &outcome.title,
            outcome: outcome.kind.word(),
            reason: outcome.reason.as_deref(),
            evidence,
            grounds,
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    label: &'a str,
    /// Only where the line is in another file.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

/// Labels with lines, and the sentences of those without.
fn lines<'a>(view: &View<'a>, file: &'a FileReport, labels: &'a [Label]) -> (Vec<Line<'a>>, Vec<&'a str>) {
    let mut lines = Vec::new();
    let mut grounds = Vec::new();
    for label in labels {
        match view.placed(file, label) {
            Some((path, Place { line, column, end_line, end_column })) => {
                let path = (path != file.path).then_some(path);
                lines.push(Line { line, column, end_line, end_column, label: &label.text, path });
            }
            None if label.text.is_empty() => {}
            None => grounds.push(label.text.as_str()),
        }
    }
    (lines, grounds)
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    rule: &'a str,
    name: &'a str,
    severity: &'a str,
    confidence: &'a str,
    subject: &'a str,
    title: &'a str,
    message: &'a str,
    why: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    /// Whether the finding has these lines; else they are the nearest there is, or the first of the file.
    placed: bool,
    label: &'a str,
    related: Vec<Line<'a>>,
    /// What it rests on that no line says, such as factory defaults.
    grounds: Vec<&'a str>,
    witness: Option<JsonWitness>,
    controls: &'a [String],
    remedies: Vec<JsonRemedy<'a>>,
    fingerprint: &'a str,
    suppressed: Option<JsonSuppression<'a>>,
}

impl<'a> JsonFinding<'a> {
    fn of(view: &View<'a>, found: Found<'a>) -> JsonFinding<'a> {
        let finding: &'a Finding = found.finding;
        let own = finding.primary.place;
        let start = Place { line: 1, column: 1, end_line: 1, end_column: 1 };
        let place = own.or_else(|| view.nearest(found)).unwrap_or(start);
        let (related, grounds) = lines(view, found.file, &finding.related);
        JsonFinding {
            rule: &finding.rule,
            name: &finding.name,
            severity: finding.severity.word(),
            confidence: finding.confidence.word(),
            subject: &finding.subject,
            title: &finding.title,
            message: &finding.message,
            why: &finding.why,
            line: place.line,
            column: place.column,
            end_line: place.end_line,
            end_column: place.end_column,
            placed: own.is_some(),
            label: &finding.primary.text,
            related,
            grounds,
            witness: finding.witness.as_ref().map(JsonWitness::of),
            controls: &finding.controls,
            remedies: finding.remedies.iter().map(JsonRemedy::of).collect(),
            fingerprint: &finding.fingerprint,
            suppressed: finding.suppressed.as_ref().map(JsonSuppression::of),
        }
    }
}

#[derive(Serialize)]
struct JsonWitness {
    source: String,
    destination: Option<String>,
    protocol: String,
    port: Option<u16>,
}

impl JsonWitness {
    fn of(witness: &Witness) -> JsonWitness {
        JsonWitness {
            source: witness.source.to_string(),
            destination: witness.destination.map(|address| address.to_string()),
            protocol: witness.protocol.to_string(),
            port: witness.port,
        }
    }
}

#[derive(Serialize)]
struct JsonRemedy<'a> {
    action: &'a str,
    text: &'a str,
    commands: Option<&'a str>,
    note: Option<&'a str>,
}

impl<'a> JsonRemedy<'a> {
    fn of(remedy: &'a Remedy) -> JsonRemedy<'a> {
        JsonRemedy { action: &remedy.action, text: &remedy.text, commands: remedy.commands.as_deref(), note: remedy.note.as_deref() }
    }
}

#[derive(Serialize)]
struct JsonSuppression<'a> {
    reason: &'a str,
    who: &'a str,
    until: &'a str,
    /// Line of the entry in `sekisho.toml`.
    line: usize,
}

impl<'a> JsonSuppression<'a> {
    fn of(suppression: &'a Suppression) -> JsonSuppression<'a> {
        JsonSuppression { reason: &suppression.reason, who: &suppression.who, until: &suppression.until, line: suppression.line }
    }
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    devices: usize,
    error: usize,
    warning: usize,
    note: usize,
    suppressed: usize,
    undetermined: usize,
    unreadable: usize,
}

impl Summary {
    fn of(totals: &Totals) -> Summary {
        let Totals { files, devices, error, warning, note, suppressed, undetermined, unreadable } = *totals;
        Summary { files, devices, error, warning, note, suppressed, undetermined, unreadable }
    }
}
