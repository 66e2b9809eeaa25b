//! Rows of traffic filters: how wide they are, from where to where, whether they log, and whether anything reaches them.

use super::engine::Engine;
use super::forward::takes_all;
use super::resolve::CompiledRow;
use super::{Context, Sheet, known_word};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{Filter, FilterRole, Guard, Hook, IfMatch, Rule, RuleLog, Verdict};
use crate::ir::interface::InterfaceIx;
use crate::ir::record::{Record, Step, Word};
use crate::ir::schema;
use crate::packet::{self, Class, Effort, Intervals, Reach, Row, class};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Records of kind `filter_rule`, for filters that decide about traffic.
pub fn records(cx: &Context<'_>, engine: &Engine<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    for (ix, filter) in device.filters.iter().enumerate() {
        if filter.role == FilterRole::Other {
            continue;
        }
        let shadows = shadows(cx, engine, ix, filter);
        let last = filter.rules.iter().rposition(|r| r.live.value().value.is_true());
        for (n, rule) in filter.rules.iter().enumerate() {
            let row = engine.resolver.row(filter, n, rule, Some(true));
            if let Some(row) = row {
                let through = lets_through(cx, engine, ix, n, &row);
                sheet.add(record(cx, filter, n, rule, &row, shadows.get(n).and_then(Option::as_ref), last == Some(n), through));
            }
        }
    }
}

struct Shadow {
    covered: Val<bool>,
    differs: bool,
    by: Vec<usize>,
}

/// Which rows of a filter no packet reaches. Interfaces enter as one dimension of pairs (inbound, outbound).
fn shadows(cx: &Context<'_>, engine: &Engine<'_>, ix: usize, filter: &Filter) -> Vec<Option<Shadow>> {
    let count = cx.device().interfaces.len() as u32;
    let compiled = engine.compiled(ix);
    let mut rows = Vec::with_capacity(compiled.len());
    for row in compiled.iter() {
        let pairs = pairs(&row.ingress, &row.egress, count);
        let mut matches = row.plain.clone();
        // A row that names translations matches only what they translated; nothing else covers it, and it covers nothing else.
        let plain = row.via.is_empty();
        for term in &mut matches.terms {
            term.product.iface = pairs.clone().unwrap_or_else(Intervals::full);
        }
        let verdict = match row.verdict {
            Some(Verdict::Accept | Verdict::Next) => packet::Verdict::Accept,
            Some(Verdict::Drop) => packet::Verdict::Drop,
            // What a called filter takes is not known here: a call takes nothing for sure.
            Some(Verdict::Continue | Verdict::Jump(_)) => packet::Verdict::Continue,
            Some(Verdict::Goto(to)) => packet::Verdict::Goto(packet::ChainId(to.0)),
            Some(Verdict::Return) => packet::Verdict::Return,
            None => packet::Verdict::Unknown,
        };
        let usable = plain && pairs.is_some() && !row.scheduled && !row.decrypted_only;
        // A row behind a login, a schedule or an unmodelled condition takes nothing for sure, but may itself be covered.
        let guard = if usable && row.guard == Some(true) && filter.rules[row.index].guards.is_empty() { Some(true) } else { None };
        rows.push(Row { matches, verdict, guard });
    }
    let reaches = packet::shadowed(&rows, Effort::default());
    let mut shadows: Vec<Option<Shadow>> = filter.rules.iter().map(|_| None).collect();
    for ((reach, row), packed) in reaches.into_iter().zip(compiled.iter()).zip(&rows) {
        let by_index = |by: Vec<usize>| by.into_iter().filter_map(|b| compiled.get(b)).map(|r| r.index).collect();
        let known = |covered| Val::Known(covered);
        let judged = row.via.is_empty() && packed.guard == Some(true) || row.guard == Some(true) && row.via.is_empty();
        shadows[row.index] = Some(match reach {
            Reach::Covered { by, verdicts_differ } if judged => Shadow { covered: known(true), differs: verdicts_differ, by: by_index(by) },
            Reach::Unknown => Shadow {
                covered: Val::Unknown(Why::at(
                    WhyCode::Unmodelled,
                    filter.rules[row.index].label.clone(),
                    vec![filter.rules[row.index].span],
                )),
                differs: false,
                by: Vec::new(),
            },
            _ => Shadow { covered: known(false), differs: false, by: Vec::new() },
        });
    }
    shadows
}

/// Pairs of inbound and outbound interface as one number each.
fn pairs(ingress: &IfMatch, egress: &IfMatch, count: u32) -> Option<Intervals<u32>> {
    let list = |m: &IfMatch| match m {
        IfMatch::Any => Some(None),
        IfMatch::These(list) => Some(Some(list.iter().map(|i| i.0).collect::<Vec<u32>>())),
        IfMatch::Unknown(_) => None,
    };
    Some(match (list(ingress)?, list(egress)?) {
        (None, None) => Intervals::full(),
        (Some(from), None) => Intervals::from_ranges(from.into_iter().map(|f| (f * count, f * count + count - 1))),
        (None, Some(to)) => Intervals::from_ranges((0..count).flat_map(|f| to.iter().map(move |t| (f * count + t, f * count + t)))),
        (Some(from), Some(to)) => {
            Intervals::from_ranges(from.into_iter().flat_map(|f| to.iter().map(move |t| (f * count + t, f * count + t))))
        }
    })
}

/// Whether a row speaks of an interface on some side.
fn speaks_of(cx: &Context<'_>, what: &IfMatch, at: &Origin, side: fn(&super::trust::Side) -> Fact<bool>) -> Fact<bool> {
    let sides = cx.sides.iter().enumerate().filter(|(ix, _)| what.covers(InterfaceIx(*ix as u32)) != Some(false));
    let any = sides.map(|(ix, s)| {
        if what.covers(InterfaceIx(ix as u32)) == Some(true) { side(s) } else { Fact::unknown(Why::new(WhyCode::Unresolved, "interface")) }
    });
    any.reduce(|a, b| a.or(&b)).unwrap_or_else(|| Fact::known(false, at.clone()))
}

/// For a row among filters that call each other, which accepts everything it is shown: whether it is shown everything, and from which
/// side. `None` where the row itself tells.
fn lets_through(cx: &Context<'_>, engine: &Engine<'_>, filter: usize, n: usize, row: &CompiledRow) -> Option<(Fact<bool>, Fact<bool>)> {
    let device = cx.device();
    let rule = &device.filters.get(filter)?.rules[n];
    if row.verdict != Some(Verdict::Accept) || !engine.is_chained(filter) {
        return None;
    }
    let at = Origin::Written(rule.span);
    if !row.plain.terms.iter().any(|t| Class::of(&t.product.src, &class::public()) == Class::Any && is_every_port(&t.product.svc)) {
        return Some((Fact::known(false, at.clone()), Fact::known(false, at)));
    }
    let mut answer: Option<(Fact<bool>, Fact<bool>)> = None;
    for (root, attached) in device.filters.iter().enumerate().filter(|(_, f)| !f.attach.is_empty() && f.role != FilterRole::Other) {
        let family = attached.family;
        for (ix, side) in cx.sides.iter().enumerate().filter(|(_, s)| s.maybe_untrusted()) {
            let ix = InterfaceIx(ix as u32);
            if attached.attach.iter().all(|a| a.on.covers(ix) == Some(false)) {
                continue;
            }
            for v6 in [false, true].into_iter().filter(|v6| family.includes(*v6)) {
                let sources = engine.outside(ix, v6);
                let universe = packet::Product { src: sources.clone(), ..packet::Product::any() };
                let is_wide = |set: &packet::PacketSet| {
                    let all = if v6 { packet::AddrSet::any_v6() } else { packet::AddrSet::any_v4() };
                    Class::of(&set.sources(), &sources) == Class::Any
                        && Class::of(&set.destinations(), &all) == Class::Any
                        && is_every_port(&set.services())
                };
                let universe = packet::PacketSet::from(universe);
                let exits = engine.exits(root, ix).into_iter().filter(|out| out.is_none_or(|out| row.egress.covers(out) != Some(false)));
                let (mut lo, mut hi) = (false, false);
                for bounds in exits.filter_map(|out| engine.probe(root, (ix, out), Some((filter, n)), &universe)) {
                    lo |= is_wide(&bounds.lo);
                    hi |= is_wide(&bounds.hi);
                }
                let wide = super::between(lo, hi, || Why::at(WhyCode::Unmodelled, rule.label.clone(), vec![rule.span]));
                let wide = Fact { value: wide, origin: at.clone() };
                let both = wide.and(&side.untrusted());
                if answer.as_ref().is_none_or(|(w, from)| !w.and(from).value.is_true() && !both.value.is_false()) {
                    answer = Some((wide, side.untrusted()));
                }
            }
        }
    }
    Some(answer.unwrap_or_else(|| (Fact::known(false, at.clone()), Fact::known(false, at))))
}

/// Nearly every port of TCP and UDP.
fn is_every_port(svc: &Intervals<u32>) -> bool {
    use packet::service;
    [service::TCP, service::UDP].iter().all(|p| svc.intersection(&service::protocol(*p)).count() > 60_000)
}

#[expect(clippy::too_many_arguments, reason = "one record from all that is known of one row")]
fn record(
    cx: &Context<'_>,
    filter: &Filter,
    n: usize,
    rule: &Rule,
    row: &CompiledRow,
    shadow: Option<&Shadow>,
    last: bool,
    through: Option<(Fact<bool>, Fact<bool>)>,
) -> Record {
    let device = cx.device();
    let at = Origin::Written(rule.span);
    let mut record = Record::new(&schema::FILTER_RULE, format!("{} ({})", rule.label, filter.name), Some(rule.span));
    let live = rule.live.value();
    let (wide, from) = through.unwrap_or_else(|| {
        let attach = attached_ingress(filter, rule);
        (wide(filter, rule, row), speaks_of(cx, &attach, &at, super::trust::Side::untrusted))
    });
    let to = match &rule.egress {
        // Attached to an interface only: it may lead anywhere inside.
        IfMatch::Any => Fact::known(true, at.clone()),
        these => speaks_of(cx, these, &at, super::trust::Side::trusted),
    };
    record.word("role", known_word(filter.role.word(), at.clone()));
    let verdict = rule.verdict.map(|v| match v {
        Verdict::Accept => Cow::Borrowed("accept"),
        Verdict::Drop => Cow::Borrowed("drop"),
        Verdict::Next | Verdict::Continue | Verdict::Jump(_) | Verdict::Goto(_) | Verdict::Return => Cow::Borrowed("other"),
    });
    record.word("verdict", verdict);
    record.bool("wide", wide.clone());
    record.bool("from_untrusted", from.clone());
    record.bool("to_trusted", to.clone());
    let takes_all = takes_all(row, false) || takes_all(row, true);
    record.bool("is_final_deny", Fact::known(last && takes_all && rule.verdict.get() == Some(&Verdict::Drop), at.clone()));
    record.word(
        "log",
        rule.log.map(|l| {
            Cow::Borrowed(match l {
                RuleLog::None => "none",
                RuleLog::Session => "session",
                RuleLog::SecurityOnly => "security_only",
            })
        }),
    );
    let possible = cx.shared().logging.as_ref().map(|l| l.per_rule.clone());
    // Nobody can switch logging on for a row that the product made itself.
    let possible = if rule.generated { Some(Fact::known(false, at.clone())) } else { possible };
    record.bool("log_possible", possible.unwrap_or_else(|| Fact::known(true, at.clone())));
    record.bool("enabled", rule.live.own.clone());
    record.bool("live", live.clone());
    let covered = match shadow {
        Some(s) => Fact { value: s.covered.clone(), origin: at.clone() },
        None => Fact::known(false, at.clone()),
    };
    record.bool("shadowed", covered);
    record.bool("shadow_differs", Fact::known(shadow.is_some_and(|s| s.differs), at.clone()));
    record.bool("generated", Fact::known(rule.generated, at.clone()));
    record.exact_set("dormant", dormant(rule, row, &wide, &from, &to), at);
    for by in shadow.map(|s| s.by.as_slice()).unwrap_or_default() {
        if let Some(earlier) = device.filters.iter().find(|f| std::ptr::eq(*f, filter)).and_then(|f| f.rules.get(*by)) {
            record.chain.push(Step { span: Some(earlier.span), code: "step.covered_by", args: vec![earlier.label.clone()] });
        }
    }
    for attach in &filter.attach {
        record.chain.extend(attach.origin.spans().first().map(|s| Step {
            span: Some(*s),
            code: "step.attached",
            args: vec![filter.name.clone()],
        }));
    }
    for (origin, code) in
        [(&rule.src.origin, "step.rule_source"), (&rule.dst.origin, "step.rule_destination"), (&rule.svc.origin, "step.rule_service")]
    {
        if rule.egress != IfMatch::Any || rule.ingress != IfMatch::Any {
            record.chain.extend(origin.spans().first().filter(|s| **s != rule.span).map(|s| Step {
                span: Some(*s),
                code,
                args: Vec::new(),
            }));
        }
    }
    let _ = n;
    record
}

/// Interfaces from which packets come to a row: those of the row, within those the filter is attached to.
fn attached_ingress(filter: &Filter, rule: &Rule) -> IfMatch {
    if rule.ingress != IfMatch::Any {
        return rule.ingress.clone();
    }
    let inbound: Vec<&IfMatch> = filter.attach.iter().filter(|a| a.hook != Hook::Outbound).map(|a| &a.on).collect();
    let mut all = Vec::new();
    for on in inbound {
        match on {
            IfMatch::These(list) => all.extend(list.iter().copied()),
            other => return other.clone(),
        }
    }
    IfMatch::These(all)
}

/// Any source, any destination, any service, nothing that narrows it. Sources that are nearly all count as all.
fn wide(filter: &Filter, rule: &Rule, row: &CompiledRow) -> Fact<bool> {
    let at = Origin::all([Origin::Written(rule.span), rule.src.origin.clone(), rule.dst.origin.clone(), rule.svc.origin.clone()]);
    let narrowed = rule.guards.iter().any(|g| !matches!(g, Guard::First(_))) || rule.verdict.get() != Some(&Verdict::Accept);
    if narrowed && row.guard.is_some() {
        return Fact::known(false, at);
    }
    let family_v4 = filter.family.includes(false);
    let wide_for = |v6: bool| {
        let public = if v6 { class::public_v6() } else { class::public_v4() };
        let inside = if v6 { packet::AddrSet::any_v6() } else { packet::AddrSet::any_v4() };
        row.plain.terms.iter().any(|t| {
            t.literals.is_empty()
                && Class::of(&t.product.src, &public) == Class::Any
                && inside.is_subset(&t.product.dst)
                && is_every_service(&t.product.svc)
                && t.product.sport.is_full()
        })
    };
    let surely = family_v4 && wide_for(false) || filter.family.includes(true) && wide_for(true);
    if surely && row.guard == Some(true) && !narrowed {
        return Fact::known(true, at);
    }
    let possible = row.guard.is_none() && rule.verdict.get() == Some(&Verdict::Accept) && surely;
    let unknown = [rule.src.value.why(), rule.dst.value.why(), rule.svc.value.why()].into_iter().flatten().next();
    match (possible, unknown) {
        (true, why) => Fact {
            value: Val::Unknown(why.cloned().unwrap_or_else(|| Why::at(WhyCode::Unmodelled, rule.label.clone(), vec![rule.span]))),
            origin: at,
        },
        (false, Some(why)) if row.guard != Some(false) => Fact { value: Val::Unknown(why.clone()), origin: at },
        _ => Fact::known(false, at),
    }
}

/// All of TCP and UDP at least.
fn is_every_service(svc: &Intervals<u32>) -> bool {
    use packet::service;
    service::protocol(service::TCP).is_subset(svc) && service::protocol(service::UDP).is_subset(svc)
}

/// Rules a switched-off row would fail if somebody switched it on.
fn dormant(rule: &Rule, row: &CompiledRow, wide: &Fact<bool>, from: &Fact<bool>, to: &Fact<bool>) -> BTreeSet<Word> {
    let mut rules = BTreeSet::new();
    let accepts = rule.verdict.get() == Some(&Verdict::Accept) && !from.value.is_false();
    if accepts && wide.value.is_true() && to.value.is_true() {
        rules.insert(Cow::Borrowed("EXP006"));
    }
    let sources = row.by_service.terms.iter().filter(|t| t.literals.is_empty()).map(|t| &t.product.src);
    if accepts && !row.via.is_empty() && Class::of(&packet::AddrSet::union_of(sources), &class::public()) >= Class::Broad {
        rules.insert(Cow::Borrowed("EXP005"));
    }
    rules
}
