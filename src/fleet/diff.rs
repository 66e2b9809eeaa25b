//! `diff` of two inputs: devices paired, what strangers reach compared as packet sets, and beside it tunnels, accounts and findings by
//! the facts that matter, not by their names.
//!
//! Computes no fact. Invariants: comparing a version with itself gives nothing; swapping the versions mirrors the result; a value
//! that one version does not say is shown as unknown, never taken for equal.

use super::config::Config;
use super::reach::product;
use super::run::{self, Input, Options, Whole};
use super::suppress;
use super::things::{self, Thing};
use super::wording::{Words, head};
use crate::analysis::difference::{self, Change, Turn, Version};
use crate::analysis::reach::{self, Answer, Question};
use crate::answer::{DeviceDiff, DiffReport, Doorway, FactChange, FindingChange, Sight, ThingChange};
use crate::finding::{DeviceReport, Finding, Outcome, OutcomeKind, Report, Totals};
use crate::ir::device::{ContextKind, Device};
use crate::ir::record::FactSheet;
use crate::packet::{Budget, PacketSet};
use crate::rule::file::Rule;
use std::collections::BTreeSet;

/// One device of one version.
struct Side<'a> {
    whole: &'a Whole,
    /// Its index in its export.
    ix: usize,
    device: &'a Device,
    sheet: &'a FactSheet,
    report: &'a DeviceReport,
    answer: Answer,
}

/// Compares two inputs; one of them may be missing, for a configuration that is new or gone.
pub fn compare(
    names: (String, String),
    old: Option<&Input<'_>>,
    new: Option<&Input<'_>>,
    configs: &[Config],
    options: &Options<'_>,
) -> DiffReport {
    let words = Words { lang: options.lang };
    let read = |input: Option<&Input<'_>>| input.map_or_else(Vec::new, |i| accepted(run::whole(i, options), configs, options));
    let (old, new) = (read(old), read(new));
    let (left, right) = (sides(&old), sides(&new));
    let devices = paired(left, right).into_iter().map(|(a, b)| Pair { words, old: a, new: b, rules: options.rules }.compare()).collect();
    let heads = |wholes: &[Whole]| wholes.iter().map(head).collect();
    DiffReport { lang: options.lang, names, files: (heads(&old), heads(&new)), devices }
}

/// Marks accepted risks.
fn accepted(wholes: Vec<Whole>, configs: &[Config], options: &Options<'_>) -> Vec<Whole> {
    let (mut files, rest): (Vec<_>, Vec<_>) = wholes.into_iter().map(|w| (w.report.clone(), w)).unzip();
    let mut report = Report {
        version: "",
        as_of: options.as_of.clone(),
        data_as_of: String::new(),
        lang: options.lang,
        files: std::mem::take(&mut files),
        excerpts: Vec::new(),
        notices: Vec::new(),
        totals: Totals::default(),
    };
    suppress::apply(&mut report, configs);
    report.files.into_iter().zip(rest).map(|(file, whole)| Whole { report: file, ..whole }).collect()
}

fn sides(wholes: &[Whole]) -> Vec<Side<'_>> {
    let mut sides = Vec::new();
    for whole in wholes {
        let Some(analysed) = &whole.analysed else { continue };
        let answers = reach::ask(&analysed.devices, &whole.settings, &Question::default());
        let each = analysed.devices.iter().zip(&analysed.sheets).zip(&whole.report.devices).zip(answers).enumerate();
        sides.extend(each.map(|(ix, (((device, sheet), report), answer))| Side { whole, ix, device, sheet, report, answer }));
    }
    sides
}

type Paired<'a> = (Option<Side<'a>>, Option<Side<'a>>);

/// Devices that are versions of each other: by name and context, then by what is left.
fn paired<'a>(old: Vec<Side<'a>>, mut new: Vec<Side<'a>>) -> Vec<Paired<'a>> {
    let passes: [fn(&Device, &Device) -> bool; 4] = [
        |a, b| a.name == b.name && a.context == b.context,
        |a, b| a.context == b.context && a.context_kind == b.context_kind,
        |a, b| a.context_kind == b.context_kind,
        |a, b| a.context_kind != ContextKind::Global && b.context_kind != ContextKind::Global,
    ];
    let mut open: Vec<(usize, Side<'a>)> = old.into_iter().enumerate().collect();
    let mut done: Vec<(usize, Paired<'a>)> = Vec::new();
    for same in passes {
        let mut left = Vec::new();
        for (order, a) in open {
            match new.iter().position(|b| same(a.device, b.device)) {
                Some(at) => done.push((order, (Some(a), Some(new.remove(at))))),
                None => left.push((order, a)),
            }
        }
        open = left;
    }
    done.extend(open.into_iter().map(|(order, a)| (order, (Some(a), None))));
    done.sort_by_key(|(order, _)| *order);
    done.into_iter().map(|(_, pair)| pair).chain(new.into_iter().map(|b| (None, Some(b)))).collect()
}

struct Pair<'a> {
    words: Words,
    old: Option<Side<'a>>,
    new: Option<Side<'a>>,
    rules: &'a [Rule],
}

impl<'a> Pair<'a> {
    fn compare(&self) -> DeviceDiff {
        let name = |side: &Option<Side<'_>>| side.as_ref().map(|s| label(s.device));
        let products = |side: &Option<Side<'_>>| side.as_ref().map(|s| product(s.device));
        let found = difference::compare(version(&self.old), version(&self.new));
        let mut diff = DeviceDiff {
            names: (name(&self.old), name(&self.new)),
            products: (products(&self.old), products(&self.new)),
            alike_unknown: found.alike_unknown,
            ..DeviceDiff::default()
        };
        for change in &found.changes {
            let doorway = self.doorway(change);
            match change.turn {
                Turn::Opened => diff.opened.push(doorway),
                Turn::Closed => diff.closed.push(doorway),
                Turn::Unknown => diff.unknown.push(doorway),
            }
        }
        diff.things = self.things();
        diff.findings = self.findings();
        diff.sights = self.sights(&diff.findings);
        diff.alike_unknown += unknown_rules(&self.old).intersection(&unknown_rules(&self.new)).count();
        diff
    }

    fn side(&self, in_new: bool) -> Option<&Side<'a>> {
        if in_new { self.new.as_ref() } else { self.old.as_ref() }
    }

    fn doorway(&self, change: &Change) -> Doorway {
        let words = self.words;
        let side = self.side(change.in_new);
        let way = side.zip(change.way).and_then(|(s, ix)| s.answer.ways.get(ix));
        let own = change.service.map(|_| "reach.set.box");
        let blocks = change.regions.iter().flat_map(|r| words.blocks(&r.when, change.turn != Turn::Unknown, &r.set, own)).collect();
        let (mut witness, mut lines) = (None, Vec::new());
        if let (Some(side), Some(way)) = (side, way) {
            let mut budget = Budget::default();
            let mut meet = |set: &PacketSet| {
                change.regions.iter().find_map(|r| set.intersection(&r.set, &mut budget).ok().and_then(|both| both.witness()))
            };
            let packet = way.parts.iter().find_map(|p| meet(&p.lo)).or_else(|| way.parts.iter().find_map(|p| meet(&p.hi)));
            let devices = side.whole.analysed.as_ref().map_or(&[][..], |a| &a.devices[..]);
            let said = packet.and_then(|p| reach::explain(devices, &side.whole.settings, side.ix, way, &p));
            if let Some((steps, packet)) = said {
                (witness, lines) = (Some(packet), words.lines(&steps, side.whole));
            }
        }
        let target = match change.service {
            Some(service) => words.fill("reach.target.listener", &[&words.word("service", service)]),
            None => words.get("diff.target.inside").to_owned(),
        };
        let tri = |sure: Option<bool>| match sure {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let unknown = change.turn == Turn::Unknown;
        Doorway {
            target,
            service: change.service,
            outside: change.outside,
            blocks,
            witness,
            lines,
            in_new: change.in_new,
            reason: change.why.as_ref().map(|why| words.reason(why)),
            versions: unknown.then(|| (tri(change.sure.0), tri(change.sure.1))),
            may_open: unknown && change.may.0,
        }
    }

    fn things(&self) -> Vec<ThingChange> {
        let of = |side: &Option<Side<'a>>| side.as_ref().map(|s| things::things(s.sheet)).unwrap_or_default();
        let mut changes: Vec<ThingChange> = things::matched(of(&self.old), of(&self.new))
            .into_iter()
            .filter_map(|(old, new)| self.thing(old.as_ref(), new.as_ref()))
            .collect();
        changes.sort_by(|a, b| (a.kind, &a.name, a.turn).cmp(&(b.kind, &b.name, b.turn)));
        changes
    }

    fn thing(&self, old: Option<&Thing>, new: Option<&Thing>) -> Option<ThingChange> {
        let words = self.words;
        let line = |side: Option<&Side<'a>>, thing: Option<&Thing>| {
            side.zip(thing).map(|(s, t)| words.line(t.span, String::new(), s.whole)).filter(|l| l.place.is_some())
        };
        let shown = new.or(old)?;
        let mut facts = Vec::new();
        for (kind, field) in things::fields(old, new) {
            let (before, after) = (old.and_then(|t| t.fact(kind, field)), new.and_then(|t| t.fact(kind, field)));
            let plain = |v: Option<&things::Fact>| v.map(|f| f.plain.clone());
            if plain(before) == plain(after) {
                continue;
            }
            let said = |v: Option<&things::Fact>| {
                let texts: BTreeSet<String> = v.into_iter().flat_map(|f| &f.values).map(|v| words.value(field, v)).collect();
                texts.into_iter().collect::<Vec<_>>().join(words.get("ui.value.separator"))
            };
            let caption = crate::texts::texts().find(words.lang, &format!("schema.{kind}.fields.{field}")).unwrap_or(field);
            facts.push(FactChange { field, caption: caption.to_owned(), old: said(before), new: said(after) });
        }
        let turn = match (old, new) {
            (None, Some(t)) if !t.dead => "added",
            (Some(t), None) if !t.dead => "removed",
            (Some(_), Some(_)) if !facts.is_empty() => "changed",
            _ => return None,
        };
        Some(ThingChange {
            kind: shown.kind,
            turn,
            name: self.named(&shown.name),
            facts,
            old: line(self.old.as_ref(), old),
            new: line(self.new.as_ref(), new),
        })
    }

    fn named(&self, name: &str) -> String {
        if name.is_empty() { self.words.get("words.value.no_name").to_owned() } else { name.to_owned() }
    }

    fn findings(&self) -> Vec<FindingChange> {
        let (mut old, mut new) = (found_on(&self.old), found_on(&self.new));
        let mut changes = Vec::new();
        let signature = |(f, s): &(&Finding, &Side<'a>)| things::signature(self.rules, s.sheet, f);
        // The same by name; else the same by every fact it rests on, so that a new name is no change.
        for by_facts in [false, true] {
            old.retain(|a| {
                let found = new
                    .iter()
                    .position(|b| a.0.rule == b.0.rule && if by_facts { signature(a) == signature(b) } else { a.0.subject == b.0.subject });
                let Some(at) = found else { return true };
                let b = new.remove(at);
                if a.0.severity != b.0.severity {
                    changes.push(FindingChange { before: Some(a.0.severity), ..self.finding("changed", b, b.0.subject.clone()) });
                }
                false
            });
        }
        // Of findings about several subjects, those that came and went.
        let parts = |f: &Finding| -> BTreeSet<String> { f.subject.split(", ").map(str::to_owned).collect() };
        old.retain(|a| {
            let found = new.iter().position(|b| a.0.rule == b.0.rule && !parts(a.0).is_disjoint(&parts(b.0)));
            let Some(at) = found else { return true };
            let b = new.remove(at);
            let (before, after) = (parts(a.0), parts(b.0));
            let join = |set: Vec<&String>| set.into_iter().cloned().collect::<Vec<_>>().join(", ");
            let (gone, come) = (join(before.difference(&after).collect()), join(after.difference(&before).collect()));
            if !come.is_empty() {
                changes.push(self.finding("opened", b, come));
            }
            if !gone.is_empty() {
                changes.push(self.finding("closed", *a, gone));
            }
            if a.0.severity != b.0.severity {
                changes.push(FindingChange { before: Some(a.0.severity), ..self.finding("changed", b, b.0.subject.clone()) });
            }
            false
        });
        changes.extend(new.into_iter().map(|b| self.finding("opened", b, b.0.subject.clone())));
        changes.extend(old.into_iter().map(|a| self.finding("closed", a, a.0.subject.clone())));
        let order = |turn: &str| ["opened", "changed", "closed"].iter().position(|t| *t == turn);
        changes.sort_by(|a, b| {
            (order(a.turn), std::cmp::Reverse(a.severity), &a.rule, &a.subject).cmp(&(
                order(b.turn),
                std::cmp::Reverse(b.severity),
                &b.rule,
                &b.subject,
            ))
        });
        changes
    }

    fn finding(&self, turn: &'static str, (finding, side): (&Finding, &Side<'a>), subject: String) -> FindingChange {
        let line = self.words.line(finding.primary.span, String::new(), side.whole);
        let other = self.side(turn == "closed").and_then(|s| outcome(s.report, &finding.rule)).map_or("absent", |o| o.kind.word());
        FindingChange {
            turn,
            rule: finding.rule.clone(),
            name: finding.name.clone(),
            severity: finding.severity,
            before: None,
            subject: self.named(&subject),
            message: finding.message.clone(),
            line: Some(line).filter(|l| l.place.is_some()),
            other,
            suppressed: finding.suppressed.is_some(),
        }
    }

    fn sights(&self, findings: &[FindingChange]) -> Vec<Sight> {
        let mut sights = Vec::new();
        let (Some(old), Some(new)) = (&self.old, &self.new) else { return sights };
        for before in &old.report.outcomes {
            let Some(after) = outcome(new.report, &before.rule) else { continue };
            let unknown = |o: &Outcome| o.kind == OutcomeKind::Undetermined;
            if unknown(before) == unknown(after) || findings.iter().any(|f| f.rule == before.rule && f.other == "undetermined") {
                continue;
            }
            let shown = if unknown(after) { after } else { before };
            sights.push(Sight {
                rule: Some(shown.rule.clone()),
                title: shown.title.clone(),
                in_new: unknown(after),
                reason: shown.reason.clone().unwrap_or_default(),
            });
        }
        let open = [
            ("diff.target.box", &old.answer.open_box, &new.answer.open_box),
            ("diff.target.inside", &old.answer.open_inside, &new.answer.open_inside),
        ];
        for (title, before, after) in open {
            if before.is_some() == after.is_some() {
                continue;
            }
            for (why, in_new) in [(before, false), (after, true)] {
                sights.extend(why.iter().map(|why| Sight {
                    rule: None,
                    title: self.words.get(title).to_owned(),
                    in_new,
                    reason: self.words.reason(why),
                }));
            }
        }
        sights
    }
}

fn version<'s>(side: &'s Option<Side<'_>>) -> Option<Version<'s>> {
    side.as_ref().map(|s| Version { device: s.device, answer: &s.answer })
}

fn found_on<'s, 'a>(side: &'s Option<Side<'a>>) -> Vec<(&'s Finding, &'s Side<'a>)> {
    side.iter().flat_map(|s| s.report.findings.iter().map(move |f| (f, s))).collect()
}

fn outcome<'r>(report: &'r DeviceReport, rule: &str) -> Option<&'r Outcome> {
    report.outcomes.iter().find(|o| o.rule == rule)
}

fn unknown_rules(side: &Option<Side<'_>>) -> BTreeSet<String> {
    let outcomes = side.iter().flat_map(|s| &s.report.outcomes);
    outcomes.filter(|o| o.kind == OutcomeKind::Undetermined).map(|o| o.rule.clone()).collect()
}

fn label(device: &Device) -> String {
    match (device.name.as_str(), device.context.as_str()) {
        (name, "") => name.to_owned(),
        (name, context) => format!("{name} / {context}"),
    }
}
