//! From bytes to a report: each file decoded, cut into exports, its dialect found, read, analysed and judged.

use super::companion::{self, Beside, Companions};
use super::read::{self, Content, Read, Text, Unread};
use super::{census, story};
use crate::analysis::reuse::{self, Census};
use crate::analysis::{self, Settings, Stated};
use crate::dialect::{self, detect};
use crate::finding::{CoverageCount, Detection, FileError, FileReport, Finding, Label, Lang, OutcomeKind, Place, Report, Severity, Totals};
use crate::ir::device::Device;
use crate::ir::record::FactSheet;
use crate::rule::engine::{ActionText, Engine};
use crate::rule::file::Rule;
use crate::rule::vulnerability::Knowledge;
use crate::source::{self, FileId, Masked, Source, Span};
use crate::texts::texts;
use rayon::prelude::*;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a run is told.
pub struct Options<'a> {
    /// Language of the report.
    pub lang: Lang,
    /// Audit date, `YYYY-MM-DD`.
    pub as_of: String,
    /// The dialect of every file, where the user says it.
    pub dialect: Option<String>,
    /// The rules.
    pub rules: &'a [Rule],
    /// Support dates and exploited vulnerabilities.
    pub data: Arc<Knowledge>,
    /// Key of this run for fingerprints of secrets.
    pub run_key: Arc<[u8; 32]>,
    /// Units of work for testing the hashes of one device; 0: none is tested.
    pub hash_budget: u64,
    /// Whether an output needs excerpts of the configuration.
    pub excerpts: bool,
    /// What a person states about a file, and the dialect they state for it.
    pub stated: &'a (dyn Fn(&str) -> (Stated, Option<String>) + Sync),
}

/// A file to judge. Read when its turn comes, so that a run over thousands holds only a few.
pub struct Input<'a> {
    /// Name to show.
    pub name: String,
    /// Whether the user named it; what was only found in a folder may be something else and is then passed over.
    pub named: bool,
    /// Reads it.
    pub read: Box<dyn Fn() -> std::io::Result<Vec<u8>> + Send + Sync + 'a>,
}

/// What the files of a run tell about each other, taken before any of them is judged.
#[derive(Default)]
pub(super) struct Known {
    pub census: Arc<Census>,
    pub companions: Companions,
}

/// Largest file that is opened: 256 MiB.
pub const LARGEST: u64 = 256 << 20;

/// Recovered places reported for one file; more are counted.
const PROBLEMS: usize = 20;

/// Judges every input; results in their order.
pub fn check(inputs: &[Input<'_>], options: &Options<'_>) -> Report {
    let (known, read) = census::take(inputs, options);
    let judged: Vec<Vec<(FileReport, Option<Arc<Masked>>)>> =
        inputs.par_iter().zip(read).map(|(input, read)| guarded(input, read, options, &known)).collect();
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        as_of: options.as_of.clone(),
        data_as_of: options.data.data.oldest().to_owned(),
        lang: options.lang,
        files: Vec::new(),
        passed_over: Vec::new(),
        excerpts: Vec::new(),
        notices: Vec::new(),
        totals: Totals::default(),
    };
    for (mut file, masked) in judged.into_iter().flatten() {
        if file.passed_over {
            report.passed_over.push(file.path);
            continue;
        }
        renumber(&mut file, FileId(report.excerpts.len() as u32));
        report.files.push(file);
        report.excerpts.push(masked);
    }
    report
}

/// Counts what a finished report holds; to be called when nothing changes any more.
pub fn count(report: &mut Report) {
    let mut totals = Totals { files: report.files.len(), ..Totals::default() };
    for file in &report.files {
        totals.unreadable += usize::from(!file.readable);
        totals.devices += file.devices.len();
        for device in &file.devices {
            totals.undetermined += device.outcomes.iter().filter(|o| o.kind == OutcomeKind::Undetermined).count();
            for finding in &device.findings {
                match (&finding.suppressed, finding.severity) {
                    (Some(_), _) => totals.suppressed += 1,
                    (None, Severity::Error) => totals.error += 1,
                    (None, Severity::Warning) => totals.warning += 1,
                    (None, Severity::Note) => totals.note += 1,
                }
            }
        }
    }
    report.totals = totals;
}

/// Keeps only findings and outcomes of these rules (ids or names).
pub fn only(report: &mut Report, rules: &[String]) {
    if rules.is_empty() {
        return;
    }
    let wanted = |id: &str, name: &str| rules.iter().any(|r| r == id || r == name);
    for device in report.files.iter_mut().flat_map(|f| &mut f.devices) {
        device.findings.retain(|f| wanted(&f.rule, &f.name));
        device.outcomes.retain(|o| wanted(&o.rule, &o.name));
        // A story is of no rule.
        device.stories.clear();
    }
}

fn renumber(file: &mut FileReport, id: FileId) {
    file.file = id;
    let fix = |label: &mut Label| label.span = label.span.map(|s| Span { file: id, ..s });
    for device in &mut file.devices {
        for finding in &mut device.findings {
            fix(&mut finding.primary);
            finding.related.iter_mut().for_each(fix);
        }
        device.outcomes.iter_mut().flat_map(|o| &mut o.evidence).for_each(fix);
        device.stories.iter_mut().flat_map(|s| &mut s.hops).flat_map(|h| &mut h.labels).for_each(fix);
    }
}

fn refused(path: &str, lang: Lang, key: &str, args: &[&str]) -> FileReport {
    let help = texts().find(lang, &format!("{key}_help")).map(|_| texts().fill(lang, &format!("{key}_help"), args));
    FileReport {
        path: path.to_owned(),
        file: FileId(0),
        dialect: None,
        detection: None,
        encoding: String::new(),
        coverage: CoverageCount::default(),
        devices: Vec::new(),
        errors: vec![FileError { line: None, message: texts().fill(lang, key, args), help }],
        readable: false,
        passed_over: false,
    }
}

/// Judges one input. A fault of our own is reported for this file and stops no other.
fn guarded(input: &Input<'_>, read: Option<Read>, options: &Options<'_>, known: &Known) -> Vec<(FileReport, Option<Arc<Masked>>)> {
    catch_unwind(AssertUnwindSafe(|| judge_input(input, read, options, known))).unwrap_or_else(|_| {
        let mut report = refused(&input.name, options.lang, "run.refused.internal", &[&input.name]);
        report.encoding = INTERNAL.to_owned();
        vec![(report, None)]
    })
}

/// Marks a file on which the program itself failed.
pub const INTERNAL: &str = "internal-fault";

/// One export with everything learnt about it, for commands that ask more than the rules do.
pub struct Whole {
    /// What the rules say.
    pub report: FileReport,
    /// What was read; `None` where the file was refused.
    pub analysed: Option<Analysed>,
    /// The text, for counting lines; `None` where there is none.
    pub source: Option<Arc<Source>>,
    /// The text that may be shown, where excerpts are wanted.
    pub masked: Option<Arc<Masked>>,
    /// What the run knew beforehand.
    pub settings: Settings,
}

/// Everything about each export in one input. A fault of our own refuses the input.
pub fn whole(input: &Input<'_>, options: &Options<'_>) -> Vec<Whole> {
    catch_unwind(AssertUnwindSafe(|| read_input(input, None, options, &Known::default(), |w| w))).unwrap_or_else(|_| {
        let mut report = refused(&input.name, options.lang, "run.refused.internal", &[&input.name]);
        report.encoding = INTERNAL.to_owned();
        vec![refusal(report, options)]
    })
}

fn refusal(report: FileReport, options: &Options<'_>) -> Whole {
    let (stated, _) = (options.stated)(&report.path);
    let settings = Settings {
        stated,
        as_of: options.as_of.clone(),
        run_key: options.run_key.clone(),
        data: options.data.data.clone(),
        ..Settings::default()
    };
    Whole { report, analysed: None, source: None, masked: None, settings }
}

fn judge_input(input: &Input<'_>, read: Option<Read>, options: &Options<'_>, known: &Known) -> Vec<(FileReport, Option<Arc<Masked>>)> {
    read_input(input, read, options, known, |w| (w.report, w.masked))
}

/// Judges what an input holds; of each export only what `kept` takes stays in memory.
fn read_input<T>(input: &Input<'_>, read: Option<Read>, options: &Options<'_>, known: &Known, kept: impl Fn(Whole) -> T) -> Vec<T> {
    let lang = options.lang;
    let refusal = |report| kept(refusal(report, options));
    let read = match read.map_or_else(|| read::read(input, options), Ok) {
        Ok(read) => read,
        Err(Unread::TooLarge) => return vec![refusal(refused(&input.name, lang, "run.refused.too_large", &["256 MiB"]))],
        Err(Unread::Failed(error)) => {
            return vec![refusal(refused(&input.name, lang, "run.refused.unreadable", &[&error.to_string()]))];
        }
    };
    let mut reports = Vec::new();
    for Text { named, content } in read.texts {
        match content {
            Ok(content) => reports.extend(judge_text(content, named, options, known).into_iter().map(&kept)),
            Err(_) if !named => {}
            Err(r) => {
                let key = format!("run.refused.{}", r.refusal.key().replace(['.', '-'], "_"));
                reports.push(refusal(refused(&r.name, lang, &key, &[&r.name])));
            }
        }
    }
    for problem in read.problems {
        let key = format!("run.refused.{}", problem.error.key().replace(['.', '-'], "_"));
        reports.push(refusal(refused(&problem.name, lang, &key, &[&problem.name])));
    }
    reports
}

/// What is stated about a text, and the dialect somebody names for it.
pub(super) fn wanted(source: &Source, options: &Options<'_>) -> (Stated, Option<String>) {
    let (stated, stated_dialect) = (options.stated)(source.name());
    (stated, options.dialect.clone().or_else(|| in_file_dialect(source.clean())).or(stated_dialect))
}

/// `# sekisho: dialect=fortios` in one of the first lines.
fn in_file_dialect(text: &str) -> Option<String> {
    let line = text.lines().take(20).find(|l| l.contains("sekisho: dialect="))?;
    let name: String = line.split("sekisho: dialect=").nth(1)?.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    (!name.is_empty()).then_some(name)
}

/// Everything learnt about one export before rules see it; `dump` prints it.
pub struct Analysed {
    /// Position of the dialect in the registry.
    pub dialect: usize,
    /// The devices.
    pub devices: Vec<Device>,
    /// Their fact sheets.
    pub sheets: Vec<FactSheet>,
    /// Places where the parser had to recover.
    pub problems: Vec<crate::syntax::tree::Problem>,
    /// Places of secrets.
    pub secrets: Vec<Span>,
}

/// What a dialect reads of one export.
pub(super) struct Lowered {
    dialect: usize,
    /// The devices.
    pub devices: Vec<Device>,
    problems: Vec<crate::syntax::tree::Problem>,
    secrets: Vec<Span>,
}

/// Reads one export of a known dialect. Places of secrets are only looked for where excerpts are wanted.
pub(super) fn lower(source: &Source, range: Range<usize>, dialect: usize, excerpts: bool) -> Option<Lowered> {
    let grammar = dialect::grammar(dialect)?;
    let implementation = *dialect::all().get(dialect)?;
    let tree = dialect::parse(grammar, source.id(), source.clean(), range.clone());
    let devices = dialect::read(implementation, &dialect::Input { tree: &tree, grammar, range });
    let secrets = if excerpts { dialect::secret_spans(grammar, &tree) } else { Vec::new() };
    Some(Lowered { dialect, devices, problems: tree.problems, secrets })
}

/// `beside` is what is told beside the export.
fn analysed(lowered: Lowered, settings: &Settings, data: &Knowledge, beside: &Beside<'_>) -> Analysed {
    let Lowered { dialect, mut devices, problems, secrets } = lowered;
    companion::complete(&mut devices, dialect, settings, beside);
    let mut sheets = analysis::analyse(&devices, settings);
    data.add(&devices, &mut sheets);
    Analysed { dialect, devices, sheets, problems, secrets }
}

/// Reads and analyses one export; `None` where its dialect is not known. Places of secrets are only looked for where excerpts are wanted.
pub fn analyse(
    source: &Source,
    range: Range<usize>,
    detected: &Detected,
    settings: &Settings,
    data: &Knowledge,
    excerpts: bool,
) -> Option<Analysed> {
    let lowered = lower(source, range, detected.dialect?, excerpts)?;
    let companions = Companions::default();
    Some(analysed(lowered, settings, data, &beside(source, detected.alone, &companions)))
}

fn beside<'a>(source: &'a Source, alone: bool, companions: &'a Companions) -> Beside<'a> {
    let whole = Span { file: source.id(), start: 0, end: 0 };
    Beside { file: source.name(), text: alone.then_some((source.clean(), whole)), companions }
}

/// What a text was taken for.
pub struct Detected {
    /// Position of the dialect in the registry; `None` where no dialect has enough points.
    pub dialect: Option<usize>,
    /// The scores; empty where a person named the dialect.
    pub verdict: detect::Verdict,
    /// Whether the text holds no other export.
    pub alone: bool,
}

/// The exports of a text and what each was taken for.
pub fn exports(source: &mut Source, wanted: Option<&str>) -> Vec<(Range<usize>, Detected)> {
    let detector = dialect::detector();
    let by_name = wanted.and_then(|w| dialect::all().iter().position(|d| d.name() == w));
    let whole = detector.detect(source.id(), source.clean(), 0..source.clean().len());
    let likely = by_name.or_else(|| whole.winner().map(|w| w.dialect));
    let columns = likely.and_then(dialect::grammar).and_then(|g| g.file.detect.wrap_columns);
    if let (Some(columns), Some(d)) = (columns, likely.and_then(|ix| dialect::all().get(ix))) {
        source.soften(columns, |line| d.starts_statement(line));
    }
    let parts = source::split_exports(source.clean(), detector.beginnings(source.clean()));
    let single = parts.len() == 1;
    let mut found: Vec<(Range<usize>, Detected)> = parts
        .into_iter()
        .map(|range| {
            if by_name.is_some() {
                return (range, Detected { dialect: by_name, verdict: detect::Verdict { scores: Vec::new() }, alone: false });
            }
            let verdict = if single { whole.clone() } else { detector.detect(source.id(), source.clean(), range.clone()) };
            (range, Detected { dialect: verdict.winner().map(|w| w.dialect), verdict, alone: false })
        })
        .collect();
    let alone = found.iter().filter(|(_, d)| d.dialect.is_some()).count() == 1;
    found.iter_mut().for_each(|(_, d)| d.alone = alone);
    found
}

/// The reasons of a verdict, as lines and points.
fn detection(source: &Source, verdict: &detect::Verdict, dialect: usize) -> Option<Detection> {
    let best = verdict.scores.iter().find(|s| s.dialect == dialect)?;
    let next = verdict.scores.iter().find(|s| s.dialect != dialect);
    Some(Detection {
        points: best.points,
        enough: best.enough,
        signs: best.reasons.iter().map(|(span, points)| (source.position(span.start).line, *points)).collect(),
        runner_up: next.map(|s| (dialect::all().get(s.dialect).map_or("", |d| d.name()).to_owned(), s.points, s.enough)),
    })
}

fn judge_text(content: Content, named: bool, options: &Options<'_>, known: &Known) -> Vec<Whole> {
    let Content { source, stated, exports } = content;
    let lang = options.lang;
    let path = source.name().to_owned();
    let settings = Settings {
        stated,
        as_of: options.as_of.clone(),
        run_key: options.run_key.clone(),
        data: options.data.data.clone(),
        census: known.census.clone(),
        export: reuse::Export::default(),
        hash_budget: options.hash_budget,
    };
    let mut reports = Vec::new();
    let mut secrets: Vec<Span> = Vec::new();
    for (range, Detected { dialect, verdict, alone }, lowered) in exports {
        let settings = Settings { export: reuse::Export { file: path.clone(), start: range.start }, ..settings.clone() };
        if dialect.is_none() {
            reports.push((unknown(&path, &source, range, &verdict, named, lang), None));
        } else if let Some(lowered) = lowered {
            let analysed = analysed(lowered, &settings, &options.data, &beside(&source, alone, &known.companions));
            secrets.extend(&analysed.secrets);
            let mut report = judge_export(&path, &source, &analysed, &settings, options);
            report.detection = detection(&source, &verdict, analysed.dialect);
            reports.push((report, Some(analysed)));
        }
    }
    // An export among other text (a session's transcript) makes the rest of the text no error of its own.
    if reports.iter().any(|(r, _)| r.readable) {
        reports.retain(|(r, _)| r.readable);
    }
    let masked = (options.excerpts && reports.iter().any(|(r, _)| !r.devices.is_empty())).then(|| Arc::new(source.masked(&secrets)));
    let source = Arc::new(source);
    let whole =
        |(report, analysed)| Whole { report, analysed, source: Some(source.clone()), masked: masked.clone(), settings: settings.clone() };
    reports.into_iter().map(whole).collect()
}

/// A text that is no known export: said where the user named it or where it looks like one, else passed over.
fn unknown(path: &str, source: &Source, range: Range<usize>, verdict: &detect::Verdict, named: bool, lang: Lang) -> FileReport {
    let text = source.clean().get(range).unwrap_or("");
    let names = dialect::all().iter().map(|d| d.name()).collect::<Vec<_>>().join(", ");
    let mut report = if text.trim().is_empty() {
        FileReport { passed_over: !named, ..refused(path, lang, "run.refused.empty", &[path]) }
    } else if let Some(foreign) = verdict.foreign() {
        refused(path, lang, "run.refused.foreign", &[if lang == Lang::Ja { &foreign.ja } else { &foreign.en }, &names])
    } else if let Some(best) = verdict.scores.first().filter(|s| s.points * 2 >= s.enough) {
        let product = dialect::grammar(best.dialect).map_or("", |g| g.file.identity.product.as_str());
        let export = dialect::grammar(best.dialect)
            .map_or("", |g| if lang == Lang::Ja { &g.file.identity.export.ja } else { &g.file.identity.export.en });
        refused(path, lang, "run.refused.partial", &[product, export])
    } else {
        FileReport { passed_over: !named, ..refused(path, lang, "run.refused.unknown", &[&names]) }
    };
    report.encoding = source.encoding().label().to_owned();
    report
}

fn judge_export(path: &str, source: &Source, analysed: &Analysed, settings: &Settings, options: &Options<'_>) -> FileReport {
    let lang = options.lang;
    let grammar = dialect::grammar(analysed.dialect);
    let action = |id: &str| {
        let row = grammar?.file.actions.iter().find(|a| a.id == id)?;
        let note = row.note.as_ref().map(|n| if lang == Lang::Ja { n.ja.clone() } else { n.en.clone() });
        Some(ActionText { commands: row.commands.clone(), note })
    };
    let data = &options.data.data;
    let said = |field: &str, word: &str| match field {
        "features" => data.conditions.get(word).map(|c| if lang == Lang::Ja { c.ja.clone() } else { c.en.clone() }),
        "summary" => {
            let found = data.vulnerabilities.iter().find(|v| v.id.as_ref() == word)?;
            if lang == Lang::Ja { found.ja.clone() } else { found.en.clone() }
        }
        _ => None,
    };
    let engine = Engine { rules: options.rules, lang, action: &action, said: &said };
    let mut devices: Vec<_> = analysed.devices.iter().zip(&analysed.sheets).map(|(d, s)| engine.device(d, s)).collect();
    // Who brings no rules asks no question that a story answers.
    let told = if options.rules.is_empty() { Vec::new() } else { story::stories(analysed, settings, lang) };
    for (device, story) in devices.iter_mut().zip(told) {
        device.stories.extend(story);
    }
    for device in &mut devices {
        device.findings.iter_mut().for_each(|f| count_places(f, source));
        device.stories.iter_mut().flat_map(|s| &mut s.hops).flat_map(|h| &mut h.labels).for_each(|l| count_place(l, source));
        device.outcomes.iter_mut().flat_map(|o| &mut o.evidence).for_each(|l| count_place(l, source));
    }
    let coverage = analysed.devices.first().map(|d| &d.coverage);
    let coverage = coverage.map_or_else(CoverageCount::default, |c| CoverageCount {
        statements: c.statements,
        read: c.read,
        irrelevant: c.irrelevant,
        unrecognised: c.unrecognised_statements,
    });
    let problems = analysed.problems.iter().take(PROBLEMS).map(|p| FileError {
        line: Some(source.position(p.span.start).line),
        message: texts().get(lang, &format!("problems.{}", p.code)).to_owned(),
        help: None,
    });
    let mut errors: Vec<FileError> = problems.collect();
    // Too little was understood for the silence of a rule to mean anything.
    let understood = coverage.read + coverage.irrelevant;
    let readable = coverage.statements < 10 || understood * 2 >= coverage.statements;
    if !readable {
        let share = format!("{}", u64::from(understood) * 100 / u64::from(coverage.statements.max(1)));
        errors.insert(0, FileError { line: None, message: texts().fill(lang, "run.refused.little_understood", &[&share]), help: None });
    }
    if source.replaced() > 0 {
        errors.push(FileError {
            line: None,
            message: texts().fill(lang, "run.refused.replaced", &[&source.replaced().to_string()]),
            help: None,
        });
    }
    FileReport {
        path: path.to_owned(),
        file: FileId(0),
        dialect: grammar.map(|g| g.name().to_owned()),
        detection: None,
        encoding: source.encoding().label().to_owned(),
        coverage,
        devices,
        errors,
        readable,
        passed_over: false,
    }
}

fn count_places(finding: &mut Finding, source: &Source) {
    count_place(&mut finding.primary, source);
    finding.related.iter_mut().for_each(|l| count_place(l, source));
}

fn count_place(label: &mut Label, source: &Source) {
    label.place = label.span.map(|span| {
        let (start, end) = (source.position(span.start), source.position(span.end));
        Place { line: start.line, column: start.column, end_line: end.line, end_column: end.column }
    });
}
