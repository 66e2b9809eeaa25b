//! Builds the hand-made report from `sample.toml` and the exports beside it.

use sekisho::finding::{
    Confidence, CoverageCount, Detection, DeviceReport, FileError, FileReport, Finding, Label, Lang, Outcome, OutcomeKind, Place, Remedy,
    Report, Severity, Suppression, Totals,
};
use sekisho::ir::record::Witness;
use sekisho::source::{FileId, LineIndex, Masked, Span};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct Words {
    ja: String,
    en: String,
}

impl Words {
    fn pick(&self, lang: Lang) -> String {
        if lang == Lang::Ja { self.ja.clone() } else { self.en.clone() }
    }
}

#[derive(Deserialize)]
struct Sample {
    as_of: String,
    data_as_of: String,
    notices: Vec<Words>,
    file: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    text: Option<String>,
    dialect: Option<String>,
    #[serde(default = "utf8")]
    encoding: String,
    #[serde(default)]
    coverage: [u32; 4],
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default = "yes")]
    readable: bool,
    #[serde(default = "yes")]
    kept: bool,
    #[serde(default)]
    errors: Vec<Problem>,
    #[serde(default)]
    device: Vec<Device>,
}

fn utf8() -> String {
    "utf-8".to_owned()
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Problem {
    line: Option<usize>,
    #[serde(flatten)]
    words: Words,
    help: Option<Words>,
}

#[derive(Deserialize)]
struct Device {
    name: String,
    context: String,
    vendor: String,
    product: String,
    model: Option<String>,
    os_version: Option<String>,
    #[serde(default)]
    finding: Vec<FindingEntry>,
    #[serde(default)]
    outcome: Vec<OutcomeEntry>,
}

#[derive(Deserialize)]
struct At {
    file: Option<usize>,
    after: Option<String>,
    at: Option<String>,
    to: Option<String>,
}

#[derive(Deserialize)]
struct LabelEntry {
    #[serde(flatten)]
    at: At,
    #[serde(flatten)]
    words: Words,
}

#[derive(Deserialize)]
struct WitnessEntry {
    source: String,
    destination: Option<String>,
    protocol: String,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct RemedyEntry {
    action: String,
    #[serde(flatten)]
    words: Words,
    commands: Option<String>,
    note: Option<Words>,
}

#[derive(Deserialize)]
struct SuppressionEntry {
    reason: String,
    who: String,
    until: String,
    line: usize,
}

#[derive(Deserialize)]
struct FindingEntry {
    rule: String,
    name: String,
    severity: String,
    confidence: Option<String>,
    subject: String,
    title: Words,
    message: Words,
    why: Option<Words>,
    #[serde(flatten)]
    at: At,
    #[serde(default)]
    related: Vec<LabelEntry>,
    witness: Option<WitnessEntry>,
    #[serde(default)]
    controls: Vec<String>,
    #[serde(default)]
    remedies: Vec<RemedyEntry>,
    suppressed: Option<SuppressionEntry>,
}

#[derive(Deserialize)]
struct OutcomeEntry {
    rule: String,
    name: String,
    kind: String,
    title: Words,
    reason: Option<Words>,
    #[serde(default)]
    evidence: Vec<LabelEntry>,
}

struct Builder {
    lang: Lang,
    texts: Vec<String>,
}

impl Builder {
    fn label(&self, file: usize, at: &At, text: String) -> Label {
        let Some(part) = &at.at else { return Label::new(None, text) };
        let file = at.file.unwrap_or(file);
        let whole = &self.texts[file];
        let from = at.after.as_ref().map_or(0, |after| whole.find(after.as_str()).unwrap_or_else(|| panic!("no {after}")));
        let start = from + whole[from..].find(part.as_str()).unwrap_or_else(|| panic!("no {part}"));
        let end = at.to.as_ref().map_or(start + part.len(), |to| start + whole[start..].find(to.as_str()).unwrap() + to.len());
        let span = Span { file: FileId(file as u32), start: start as u32, end: end as u32 };
        let index = LineIndex::new(whole);
        let (first, last) = (index.position(whole, span.start), index.position(whole, span.end));
        let place = Place { line: first.line, column: first.column, end_line: last.line, end_column: last.column };
        Label { span: Some(span), place: Some(place), text }
    }

    fn labels(&self, file: usize, entries: &[LabelEntry]) -> Vec<Label> {
        entries.iter().map(|entry| self.label(file, &entry.at, entry.words.pick(self.lang))).collect()
    }

    fn finding(&self, file: usize, entry: FindingEntry) -> Finding {
        let lang = self.lang;
        let title = entry.title.pick(lang);
        Finding {
            severity: Severity::parse(&entry.severity).unwrap(),
            confidence: match entry.confidence.as_deref() {
                None => Confidence::Certain,
                Some("default") => Confidence::Default,
                Some(_) => Confidence::Inferred,
            },
            primary: self.label(file, &entry.at, title.clone()),
            title,
            message: entry.message.pick(lang),
            why: entry.why.map(|why| why.pick(lang)).unwrap_or_default(),
            related: self.labels(file, &entry.related),
            witness: entry.witness.map(|witness| Witness {
                source: witness.source.parse().unwrap(),
                destination: witness.destination.map(|address| address.parse().unwrap()),
                protocol: witness.protocol.into(),
                port: witness.port,
            }),
            controls: entry.controls,
            remedies: entry
                .remedies
                .into_iter()
                .map(|remedy| Remedy {
                    action: remedy.action,
                    text: remedy.words.pick(lang),
                    commands: remedy.commands,
                    note: remedy.note.map(|note| note.pick(lang)),
                })
                .collect(),
            fingerprint: format!("{}-{file}-0123456789abcdef", entry.rule.to_lowercase()),
            suppressed: entry.suppressed.map(|s| Suppression { reason: s.reason, who: s.who, until: s.until, line: s.line }),
            rule: entry.rule,
            name: entry.name,
            subject: entry.subject,
        }
    }

    fn outcome(&self, file: usize, entry: OutcomeEntry) -> Outcome {
        let kinds = [OutcomeKind::Fail, OutcomeKind::Undetermined, OutcomeKind::Pass, OutcomeKind::NotApplicable];
        Outcome {
            kind: kinds.into_iter().find(|kind| kind.word() == entry.kind).unwrap(),
            title: entry.title.pick(self.lang),
            reason: entry.reason.map(|reason| reason.pick(self.lang)),
            evidence: self.labels(file, &entry.evidence),
            rule: entry.rule,
            name: entry.name,
        }
    }

    fn device(&self, file: usize, entry: Device) -> DeviceReport {
        DeviceReport {
            outcomes: entry.outcome.into_iter().map(|outcome| self.outcome(file, outcome)).collect(),
            findings: entry.finding.into_iter().map(|finding| self.finding(file, finding)).collect(),
            name: entry.name,
            context: entry.context,
            vendor: entry.vendor,
            product: entry.product,
            model: entry.model,
            os_version: entry.os_version,
            stories: Vec::new(),
        }
    }
}

/// The sample in a language.
pub fn sample(lang: Lang) -> Report {
    let sample: Sample = toml::from_str(include_str!("sample.toml")).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reports/");
    let read = |file: &File| file.text.as_ref().map_or(String::new(), |name| std::fs::read_to_string(format!("{folder}{name}")).unwrap());
    let builder = Builder { lang, texts: sample.file.iter().map(read).collect() };
    let mut report = Report {
        version: "0.1.0",
        as_of: sample.as_of,
        data_as_of: sample.data_as_of,
        lang,
        files: Vec::new(),
        excerpts: Vec::new(),
        notices: sample.notices.iter().map(|notice| notice.pick(lang)).collect(),
        totals: Totals::default(),
    };
    for (number, file) in sample.file.into_iter().enumerate() {
        let text = &builder.texts[number];
        let span =
            |(start, part): (usize, &str)| Span { file: FileId(number as u32), start: start as u32, end: (start + part.len()) as u32 };
        let secrets: Vec<Span> = file.secrets.iter().flat_map(|secret| text.match_indices(secret.as_str())).map(span).collect();
        report.excerpts.push((file.readable && file.kept).then(|| Arc::new(Masked::new(text, &secrets))));
        let [statements, read, irrelevant, unrecognised] = file.coverage;
        report.files.push(FileReport {
            path: file.path,
            file: FileId(number as u32),
            detection: file.dialect.as_ref().map(|_| Detection {
                points: 250,
                enough: 100,
                signs: vec![(1, 200), (7, 50)],
                runner_up: Some(("another-os".to_owned(), 20, 80)),
            }),
            dialect: file.dialect,
            encoding: file.encoding,
            coverage: CoverageCount { statements, read, irrelevant, unrecognised },
            devices: file.device.into_iter().map(|device| builder.device(number, device)).collect(),
            errors: file
                .errors
                .into_iter()
                .map(|error| FileError { line: error.line, message: error.words.pick(lang), help: error.help.map(|help| help.pick(lang)) })
                .collect(),
            readable: file.readable,
        });
    }
    report.totals = totals(&report.files);
    report
}

/// The counts over files.
pub fn totals(files: &[FileReport]) -> Totals {
    let mut totals = Totals { files: files.len(), unreadable: files.iter().filter(|file| !file.readable).count(), ..Totals::default() };
    for device in files.iter().flat_map(|file| &file.devices) {
        totals.devices += 1;
        totals.undetermined += device.outcomes.iter().filter(|outcome| outcome.kind == OutcomeKind::Undetermined).count();
        for finding in &device.findings {
            *match (finding.suppressed.is_some(), finding.severity) {
                (true, _) => &mut totals.suppressed,
                (_, Severity::Error) => &mut totals.error,
                (_, Severity::Warning) => &mut totals.warning,
                (_, Severity::Note) => &mut totals.note,
            } += 1;
        }
    }
    totals
}
