//! One row of the rule list as a person wrote it. What the product would not load (an unknown alias, interface or end) is kept as a
//! row that is not in force, so that it is neither judged as open nor lost.

use super::Lowering;
use super::address::{self, Families};
use super::context::enabled;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Guard, IfMatch, NatMatch, Rule, RuleLog, SvcExpr, Verdict};
use crate::ir::live::{LinkKind, Live};
use crate::source::Span;
use crate::syntax::xml::Element;

/// In which direction a row is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
    Both,
}

/// A row and what decides its place.
pub(super) struct Written {
    pub rule: Rule,
    pub quick: bool,
    pub direction: Direction,
    /// The packet's tag that the row asks for.
    pub tagged: bool,
}

/// What the row is compared with, once everything it names is known.
struct Ends {
    src: Fact<AddrExpr>,
    dst: Fact<AddrExpr>,
    svc: Fact<SvcExpr>,
}

/// The families of a row; none written means IPv4.
pub(super) fn families(rule: Element<'_>) -> Families {
    match rule.value("ipprotocol") {
        Some("inet6") => Families::V6,
        Some("inet46") => Families::Both,
        _ => Families::V4,
    }
}

fn ends(l: &mut Lowering<'_>, rule: Element<'_>) -> Option<Ends> {
    let families = families(rule);
    let src = address::endpoint(l, rule.child("source"))?;
    let dst = address::endpoint(l, rule.child("destination"))?;
    let svc = address::service(l, rule, families)?;
    // Source and destination are of one family: to limit one of them is enough.
    let src = src.map(|e| address::within(e.clone(), families));
    Some(Ends { src, dst, svc })
}

/// Whether some row of the list sets a tag before rows of interfaces are asked.
pub(super) fn sets_tag(rules: &[Element<'_>], tag: &str) -> bool {
    rules.iter().any(|r| r.has("floating") && !r.has("disabled") && r.value("tag") == Some(tag))
}

/// Lowers a row.
pub(super) fn lower<'a>(l: &mut Lowering<'a>, rule: Element<'a>, number: usize, all: &[Element<'a>]) -> Written {
    for known in ["id", "statetype", "tag", "max", "max-src-nodes", "max-src-conn", "max-src-states", "statetimeout", "associated-rule-id"]
    {
        rule.child(known);
    }
    let span = rule.span();
    let floating = rule.has("floating");
    let loaded = ends(l, rule);
    let named = rule.filled("interface");
    let on = l.interface_match(named);
    // A floating row without an interface speaks of all; any other without a known one is left out.
    let on = match on {
        IfMatch::These(list) if list.is_empty() && floating => IfMatch::Any,
        on => on,
    };
    let placed = floating || named.is_some() && on != IfMatch::These(Vec::new());
    if !placed && let Some(e) = named.filter(|e| l.cx.is_whole() && !l.cx.listed("vpn_tabs", e.text())) {
        address::undefined(l, "interface", e.text(), e.text_span());
    }
    let direction = match rule.value("direction") {
        _ if !floating => Direction::In,
        Some("in") => Direction::In,
        Some("out") => Direction::Out,
        _ => Direction::Both,
    };
    let mut live = Live::own(enabled(rule, "disabled"));
    if loaded.is_none() || !placed {
        live = live.with(LinkKind::Referenced, Fact::known(false, Origin::inferred("rule_not_loaded", [Origin::Written(span)])));
    }
    let nothing = || Fact::written(AddrExpr::Nothing, span);
    let ends = loaded.unwrap_or_else(|| Ends { src: nothing(), dst: nothing(), svc: Fact::written(SvcExpr::Nothing, span) });
    let (guards, tagged) = guards(l, rule, all);
    let label = rule.value("descr").or_else(|| rule.value("tracker")).map_or_else(|| (number + 1).to_string(), str::to_owned);
    Written {
        quick: !floating || rule.has("quick"),
        direction,
        tagged,
        rule: Rule {
            label,
            span,
            live,
            ingress: on,
            egress: IfMatch::Any,
            src: ends.src,
            dst: ends.dst,
            svc: ends.svc,
            guards,
            nat: sees_translated(span),
            verdict: verdict(l, rule),
            log: match rule.child("log") {
                Some(log) => Fact::written(RuleLog::Session, log.span()),
                None => l.cx.default("filter.rule.log", Some(span), |v| (v == "none").then_some(RuleLog::None)),
            },
            generated: false,
        },
    }
}

/// Rows see packets as translation left them.
pub(super) fn sees_translated(span: Span) -> NatMatch {
    NatMatch { via: Vec::new(), plain_sees_translated: Fact::written(true, span) }
}

fn verdict(l: &Lowering<'_>, rule: Element<'_>) -> Fact<Verdict> {
    let word = |word: &str| match word {
        "pass" => Some(Verdict::Accept),
        "block" | "reject" => Some(Verdict::Drop),
        "match" => Some(Verdict::Continue),
        _ => None,
    };
    match rule.filled("type") {
        Some(e) => match word(e.text()) {
            Some(verdict) => Fact::written(verdict, e.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, "type", vec![e.span()])),
        },
        None => l.cx.default("filter.rule.type", Some(rule.span()), word),
    }
}

/// Further conditions, and whether one of them is a tag nothing sets on the way in.
fn guards(l: &Lowering<'_>, rule: Element<'_>, all: &[Element<'_>]) -> (Vec<Guard>, bool) {
    let mut guards = Vec::new();
    let mut unreachable = false;
    if let Some(schedule) = rule.filled("sched")
        && (l.names.schedules.contains(schedule.text()) || l.cx.gap("objects").is_some())
    {
        guards.push(Guard::Schedule(schedule.span()));
    }
    if let Some(tag) = rule.filled("tagged") {
        unreachable = !sets_tag(all, tag.text());
        guards.push(Guard::Unmodelled(tag.span(), "tagged".to_owned()));
    }
    for condition in ["os", "dscp", "vlanprio", "tcpflags1", "tcpflags2"] {
        if let Some(e) = rule.filled(condition).filter(|e| e.text() != "none") {
            guards.push(Guard::Unmodelled(e.span(), condition.to_owned()));
        }
    }
    (guards, unreachable)
}
