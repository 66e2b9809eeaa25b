//! Rules over fact sheets: outcomes and findings, finished in one language.
//!
//! Every rule gives one outcome per device. A pass needs evidence as a failure does: it rests on the facts read, a pass that
//! rests on a default nobody confirmed is *undetermined*, and so is one over a list that may hold more than the export shows.
//! Confidence falls out of the weakest fact a finding rests on.

use super::file::{Group, GroupBy, Rule, Subject};
use super::predicate::Read;
use super::remedy;
use super::vulnerability::SUMMARY;
use crate::finding::{Confidence, DeviceReport, Finding, Label, Lang, Outcome, OutcomeKind, Remedy, Severity};
use crate::ir::device::Device;
use crate::ir::fact::{DefaultOrigin, Origin, Rest, Strength, Val, Why, WhyCode};
use crate::ir::record::{FactSheet, NEVER, Record, Step, Value};
use crate::rule::file::template::Wording;
use crate::source::Span;
use crate::texts::{Texts, texts};
use sha2::{Digest, Sha256};

/// How a dialect carries out an action, for the remedies of its findings.
#[derive(Clone, Debug)]
pub struct ActionText {
    /// Commands in the box's own language, placeholders not filled in.
    pub commands: String,
    /// What to mind, in the language of the report.
    pub note: Option<String>,
}

/// What an evaluation shares.
pub struct Engine<'a> {
    /// The rules, in the order of their ids.
    pub rules: &'a [Rule],
    /// The language.
    pub lang: Lang,
    /// How the dialect of the export carries out an action.
    pub action: &'a dyn Fn(&str) -> Option<ActionText>,
    /// Wordings that come with data: of a word of a field, in the language of the report.
    pub said: &'a dyn Fn(&str, &str) -> Option<String>,
}

/// Related labels of one finding; a longer proof is cut.
const LABELS: usize = 16;
/// Evidence shown for one outcome.
const EVIDENCE: usize = 12;
/// Reasons named for one outcome.
const REASONS: usize = 3;

struct Failed<'r> {
    subject: &'r Subject,
    record: &'r Record,
    severity: Severity,
    read: Vec<Read>,
}

impl Engine<'_> {
    /// Judges one device.
    pub fn device(&self, device: &Device, sheet: &FactSheet) -> DeviceReport {
        let mut report = DeviceReport {
            name: device.name.clone(),
            context: device.context.clone(),
            vendor: device.identity.vendor.clone(),
            product: device.identity.product.clone(),
            model: device.identity.model.clone(),
            os_version: device.identity.version.as_ref().map(|v| v.text.clone()),
            outcomes: Vec::with_capacity(self.rules.len()),
            findings: Vec::new(),
            stories: Vec::new(),
        };
        for rule in self.rules {
            let (outcome, findings) = self.rule(rule, device, sheet);
            report.outcomes.push(outcome);
            report.findings.extend(findings);
        }
        let place = |f: &Finding| f.primary.span.map_or((u32::MAX, u32::MAX), |s| (s.file.0, s.start));
        report.findings.sort_by(|a, b| {
            (std::cmp::Reverse(a.severity), first_screen(&a.rule), &a.rule, place(a), &a.subject).cmp(&(
                std::cmp::Reverse(b.severity),
                first_screen(&b.rule),
                &b.rule,
                place(b),
                &b.subject,
            ))
        });
        report
    }

    fn rule(&self, rule: &Rule, device: &Device, sheet: &FactSheet) -> (Outcome, Vec<Finding>) {
        let mut failed: Vec<Failed<'_>> = Vec::new();
        let mut unknowns: Vec<Why> = Vec::new();
        let mut weak: Vec<&DefaultOrigin> = Vec::new();
        let mut passed: Vec<(&Record, Vec<Read>)> = Vec::new();
        let mut open: Option<&Why> = None;
        let mut empty: Vec<&Origin> = Vec::new();
        for subject in &rule.subjects {
            let Some(records) = sheet.of(subject.kind) else { continue };
            match &records.rest {
                Rest::MayHoldMore(why) => open = open.or(Some(why)),
                Rest::Complete(origin) => empty.push(origin),
            }
            for record in &records.items {
                let applies = subject.applies.as_ref().map(|p| p.eval(record, &sheet.device));
                if applies.as_ref().is_some_and(|v| v.value.is_false()) {
                    continue;
                }
                let verdict = subject.fails.eval(record, &sheet.device);
                let sure = applies.as_ref().is_none_or(|v| v.value.is_true());
                match verdict.value.tri() {
                    Some(true) if sure => {
                        let (severity, more) = subject.severity(rule.severity, record, &sheet.device);
                        let mut read = verdict.read;
                        read.extend(more);
                        failed.push(Failed { subject, record, severity, read });
                    }
                    Some(false) => {
                        let rests_on = |r: &Read| r.of(record, &sheet.device).map(|f| &f.origin);
                        match verdict.read.iter().filter_map(rests_on).find_map(unverified) {
                            Some(row) => weak.push(row),
                            None => passed.push((record, verdict.read)),
                        }
                    }
                    _ => {
                        let more = applies.into_iter().filter(|v| v.value.tri().is_none()).flat_map(|v| v.unknowns);
                        unknowns.extend(verdict.unknowns.into_iter().chain(more));
                    }
                }
            }
        }
        let findings = self.findings(rule, device, sheet, &failed);
        let kind = if !findings.is_empty() {
            OutcomeKind::Fail
        } else if !unknowns.is_empty() || !weak.is_empty() || open.is_some() {
            OutcomeKind::Undetermined
        } else if !passed.is_empty() {
            OutcomeKind::Pass
        } else {
            OutcomeKind::NotApplicable
        };
        let mut outcome =
            Outcome { rule: rule.id.clone(), name: rule.name.clone(), title: self.title(rule), kind, reason: None, evidence: Vec::new() };
        match kind {
            OutcomeKind::Fail => outcome.evidence = findings.iter().map(|f| f.primary.clone()).take(EVIDENCE).collect(),
            OutcomeKind::Pass => {
                for (record, read) in &passed {
                    if outcome.evidence.len() >= EVIDENCE {
                        break;
                    }
                    self.evidence(record, &sheet.device, read, &mut outcome.evidence);
                }
                outcome.evidence.truncate(EVIDENCE);
            }
            OutcomeKind::Undetermined => {
                let mut reasons: Vec<String> = Vec::new();
                for why in unknowns.iter().chain(open) {
                    if reasons.len() >= REASONS && outcome.evidence.len() >= EVIDENCE {
                        break;
                    }
                    push_new(&mut reasons, self.reason(why));
                    for span in why.spans() {
                        if outcome.evidence.len() >= EVIDENCE {
                            break;
                        }
                        push_new(&mut outcome.evidence, Label::new(Some(*span), why.about().to_owned()));
                    }
                }
                for row in weak {
                    if reasons.len() >= REASONS {
                        break;
                    }
                    push_new(&mut reasons, self.texts().fill(self.lang, "run.outcome.unverified_default", &[&row.key, &row.value]));
                }
                reasons.truncate(REASONS);
                outcome.evidence.truncate(EVIDENCE);
                outcome.reason = Some(reasons.join(" "));
            }
            OutcomeKind::NotApplicable => {
                outcome.reason = Some(self.texts().get(self.lang, "run.outcome.no_subject").to_owned());
                outcome.evidence.extend(empty.iter().flat_map(|o| o.spans()).take(1).map(|s| Label::new(Some(s), String::new())));
            }
        }
        (outcome, findings)
    }

    fn texts(&self) -> &'static Texts {
        texts()
    }

    fn title(&self, rule: &Rule) -> String {
        if self.lang == Lang::Ja { rule.texts.ja.title.clone() } else { rule.texts.en.title.clone() }
    }

    /// The sentence of a reason for not knowing.
    pub fn reason(&self, why: &Why) -> String {
        let key = format!("reasons.{}", why.code().key());
        let about = match self.texts().find(self.lang, &format!("words.complete.{}", why.about())) {
            Some(topic) => topic.to_owned(),
            None if why.about().is_empty() => return self.texts().get(self.lang, &format!("{key}.bare")).to_owned(),
            None => why.about().to_owned(),
        };
        self.texts().get(self.lang, &key).replace("{about}", &about)
    }

    fn evidence(&self, record: &Record, device: &Record, read: &[Read], out: &mut Vec<Label>) {
        for r in read {
            let Some(field) = r.of(record, device) else { continue };
            if out.len() > EVIDENCE {
                return;
            }
            let caption = self.caption(record, device, *r);
            for label in self.origin_labels(&field.origin, &format!("{}: {caption}", record.subject)) {
                push_new(out, label);
            }
        }
    }

    fn caption(&self, record: &Record, device: &Record, read: Read) -> String {
        let kind = if read.root == super::predicate::Root::It { record.kind } else { device.kind };
        let name = kind.fields.get(read.field).map_or("", |f| f.name);
        let key = format!("schema.{}.fields.{name}", kind.name);
        let value = read.of(record, device).map(|f| self.value(name, &f.value)).unwrap_or_default();
        format!("{} = {value}", self.texts().find(self.lang, &key).unwrap_or(name))
    }

    /// A field's value in words.
    pub fn value(&self, name: &str, value: &Value) -> String {
        match value {
            Value::Bool(b) => b.tri().map_or_else(|| self.unknown(), |b| self.yes_no(b)),
            Value::Int(Val::Known(n)) if name.ends_with("_s") || *n == NEVER => self.duration(*n),
            Value::Int(Val::Known(n)) => n.to_string(),
            Value::Word(Val::Known(w)) => self.word(name, w),
            Value::Text(Val::Known(t)) => t.clone(),
            Value::Set { lo, .. } => self.list(&lo.iter().map(|w| self.word(name, w)).collect::<Vec<_>>()),
            _ => self.unknown(),
        }
    }

    /// Labels for the lines and defaults an origin rests on.
    fn origin_labels(&self, origin: &Origin, text: &str) -> Vec<Label> {
        match origin {
            Origin::Written(span) => vec![Label::new(Some(*span), text.to_owned())],
            Origin::Default(d) => vec![Label::new(d.anchor, self.default_text(d))],
            Origin::Stated(by) => vec![Label::new(None, self.texts().fill(self.lang, "steps.stated", &[text, by]))],
            Origin::All(from) => from.iter().flat_map(|o| self.origin_labels(o, text)).collect(),
            Origin::Inferred { code, from } => {
                let mut labels: Vec<Label> = from.iter().flat_map(|o| self.origin_labels(o, text)).collect();
                // The inference itself is named: a finding that rests on it says so.
                let key = if code.starts_with("infer.") { format!("steps.{code}") } else { format!("steps.infer.{code}") };
                if let Some(sentence) = self.texts().find(self.lang, &key) {
                    labels.push(Label::new(origin.spans().first().copied(), sentence));
                }
                labels
            }
        }
    }

    /// `No line: factory default admin-sport = 443 (versions; source)`.
    fn default_text(&self, row: &DefaultOrigin) -> String {
        let key = if row.verified { "steps.default" } else { "steps.default_unverified" };
        self.texts().fill(self.lang, key, &[&row.key, &row.value, &row.source])
    }

    /// The sentence of a step of a proof.
    pub fn step(&self, step: &Step) -> Label {
        let worded = |a: &String| match a.strip_prefix(SUMMARY).and_then(|id| (self.said)("summary", id)) {
            Some(summary) => summary,
            None => self.texts().find(self.lang, &format!("words.service.{a}")).unwrap_or(a).to_owned(),
        };
        let args: Vec<String> = step.args.iter().map(worded).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let key = format!("steps.{}", step.code);
        Label::new(step.span, self.texts().fill(self.lang, &key, &args))
    }

    fn findings(&self, rule: &Rule, device: &Device, sheet: &FactSheet, failed: &[Failed<'_>]) -> Vec<Finding> {
        // Subjects that belong together become one finding, in the order of the first of them.
        let mut bundles: Vec<(Option<String>, Option<&Group>, Vec<&Failed<'_>>)> = Vec::new();
        for f in failed {
            let group = f.subject.groups.iter().find(|g| g.when.eval(f.record, &sheet.device).value.is_true());
            let key = match (group, f.subject.group_by) {
                (Some(_), _) => Some("group".to_owned()),
                (None, Some(GroupBy::Device)) => Some("device".to_owned()),
                (None, Some(GroupBy::Field(ix))) => f.record.at(ix).map(|field| format!("={:?}", field.value)),
                (None, None) => None,
            };
            match bundles.iter_mut().find(|(k, ..)| key.is_some() && *k == key) {
                Some((_, _, list)) => list.push(f),
                None => bundles.push((key, group, vec![f])),
            }
        }
        bundles.into_iter().map(|(_, group, list)| self.finding(rule, device, sheet, group, &list)).collect()
    }

    fn finding(&self, rule: &Rule, device: &Device, sheet: &FactSheet, group: Option<&Group>, list: &[&Failed<'_>]) -> Finding {
        // The worst subject speaks for a bundle.
        let lead = list.iter().copied().max_by(|a, b| a.severity.cmp(&b.severity).then(std::cmp::Ordering::Greater)).unwrap_or(list[0]);
        let record = lead.record;
        let severity = group.map_or(lead.severity, |g| g.severity);
        let message = group.map_or_else(|| lead.subject.message(record, &sheet.device), |g| &g.message);
        let message = if self.lang == Lang::Ja { &message.ja } else { &message.en };
        let fields: Vec<_> = list.iter().flat_map(|f| f.read.iter().filter_map(|r| r.of(f.record, &sheet.device))).collect();
        let strength = fields.iter().map(|f| f.origin.strength()).min().unwrap_or(Strength::Certain);
        let confidence = match strength {
            Strength::Certain => Confidence::Certain,
            Strength::Default => Confidence::Default,
            Strength::Inferred => Confidence::Inferred,
        };
        let primary = self.primary(lead, sheet);
        let mut related: Vec<Label> = Vec::new();
        // What a step of the proof names needs no label of its own.
        let named = |f: &Failed<'_>| f.record.chain.iter().any(|s| s.args.first() == Some(&f.record.subject));
        for f in list.iter().filter(|f| !std::ptr::eq(**f, lead) && !named(f)) {
            related.push(Label::new(f.record.span, f.record.subject.clone()));
        }
        for step in list.iter().flat_map(|f| &f.record.chain) {
            push_new(&mut related, self.step(step));
        }
        for f in list {
            for r in &f.read {
                if let Some(field) = r.of(f.record, &sheet.device) {
                    let caption = self.caption(f.record, &sheet.device, *r);
                    for label in self.origin_labels(&field.origin, &caption) {
                        let known = label.span.is_some_and(|s| Some(s) == primary || related.iter().any(|l| l.span == Some(s)));
                        if !known {
                            push_new(&mut related, label);
                        }
                    }
                }
            }
        }
        let limit = LABELS.max(list.len() + 2);
        related.truncate(limit);
        let subject = if list.len() > 1 {
            list.iter().map(|f| f.record.subject.as_str()).collect::<Vec<_>>().join(", ")
        } else {
            record.subject.clone()
        };
        let texts = if self.lang == Lang::Ja { &rule.texts.ja } else { &rule.texts.en };
        Finding {
            rule: rule.id.clone(),
            name: rule.name.clone(),
            severity,
            confidence,
            subject: subject.clone(),
            title: texts.title.clone(),
            message: message.render(record, &sheet.device, self),
            why: texts.why.clone(),
            primary: Label::new(primary, texts.title.clone()),
            related,
            witness: record.witness.clone(),
            controls: rule.controls.clone(),
            remedies: rule.remedy.iter().map(|a| self.remedy(a, record)).collect(),
            fingerprint: fingerprint(&rule.id, &device.name, &device.context, if group.is_some() { "group" } else { &subject }),
            suppressed: None,
        }
    }

    /// The line a finding points at: a named field's, else the subject's own, else the first line anything rests on.
    fn primary(&self, lead: &Failed<'_>, sheet: &FactSheet) -> Option<Span> {
        let named = lead.subject.primary.iter().filter_map(|ix| lead.record.at(*ix)).find_map(|f| f.origin.spans().first().copied());
        let read = || lead.read.iter().filter_map(|r| r.of(lead.record, &sheet.device)).find_map(|f| f.origin.spans().first().copied());
        named.or(lead.record.span).or_else(read)
    }

    fn remedy(&self, action: &str, record: &Record) -> Remedy {
        let own = (self.action)(action);
        let text = self.texts().get(self.lang, &format!("actions.{action}")).to_owned();
        let commands = own.as_ref().map(|a| remedy::fill(&a.commands, record));
        let note = own.and_then(|a| a.note).map(|n| remedy::fill(&n, record));
        Remedy { action: action.to_owned(), text, commands, note }
    }
}

impl Wording for Engine<'_> {
    fn word(&self, field: &str, word: &str) -> String {
        if let Some(said) = (self.said)(field, word) {
            return said;
        }
        // Fields that share their words with another name it in the table.
        let field = self.texts().alias("words.same_as", field).unwrap_or(field);
        self.texts().find(self.lang, &format!("words.{field}.{word}")).unwrap_or(word).to_owned()
    }

    fn duration(&self, seconds: i64) -> String {
        let (n, unit) = match seconds {
            NEVER => return self.texts().get(self.lang, "ui.duration.never").to_owned(),
            s if s >= 86_400 && s % 3600 == 0 => (s / 3600, "hours"),
            s if s >= 3600 && s % 3600 == 0 => (s / 3600, "hours"),
            s if s >= 60 && s % 60 == 0 => (s / 60, "minutes"),
            s => (s, "seconds"),
        };
        self.texts().fill(self.lang, &format!("ui.duration.{unit}"), &[&n.to_string()])
    }

    fn unknown(&self) -> String {
        self.texts().get(self.lang, "ui.value.unknown").to_owned()
    }

    fn list(&self, items: &[String]) -> String {
        if items.is_empty() {
            return self.texts().get(self.lang, "ui.value.nothing").to_owned();
        }
        items.join(self.texts().get(self.lang, "ui.value.separator"))
    }

    fn yes_no(&self, value: bool) -> String {
        self.texts().get(self.lang, if value { "ui.value.yes" } else { "ui.value.no" }).to_owned()
    }
}

/// Rules that say what a stranger can use come first among findings of one severity.
fn first_screen(rule: &str) -> u8 {
    match rule.get(..3) {
        Some("EXP") => 0,
        Some("AUT" | "PWD") => 1,
        Some("TUN" | "SVC" | "FW0") => 2,
        _ => 3,
    }
}

fn unverified(origin: &Origin) -> Option<&DefaultOrigin> {
    match origin {
        Origin::Default(d) if !d.verified => Some(d),
        Origin::Inferred { from, .. } | Origin::All(from) => from.iter().find_map(unverified),
        _ => None,
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// The same finding has the same fingerprint whatever the line it stands on, the language and the order of the file.
fn fingerprint(rule: &str, device: &str, context: &str, subject: &str) -> String {
    let mut hash = Sha256::new();
    for part in [rule, device, context, subject] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(10).map(|b| format!("{b:02x}")).collect()
}

/// A reason as its code alone, for outputs that machines read.
pub fn reason_code(why: &Why) -> WhyCode {
    why.code()
}
