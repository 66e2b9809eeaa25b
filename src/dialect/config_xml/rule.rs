//! One row of the rule list: its ends, its verdict, its further conditions, of a section or of a model.
//!
//! Where a row stands, on which interfaces and in which direction it is asked differs between products and is decided in their folders;
//! [`row`] puts both together. What the product would not load is kept as a row that is not in force, so that it is neither judged as
//! open nor lost.

use super::Lowering;
use super::address::{self, Families, ServiceAt};
use super::context::model_enabled;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Guard, IfMatch, NatMatch, Rule, RuleLog, SvcExpr, Verdict};
use crate::ir::live::{LinkKind, Live};
use crate::source::Span;
use crate::syntax::xml::Element;

/// Which packets a row is asked about, by the way they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Direction {
    In,
    Out,
    Both,
}

/// The generation a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Form {
    Section,
    Model,
}

/// A row and what decides its place.
pub(in crate::dialect) struct Written {
    pub rule: Rule,
    /// Whether it ends the search.
    pub quick: bool,
    pub direction: Direction,
    /// Whether it needs a tag that nothing sets on the way in.
    pub tagged: bool,
}

/// What decides about a row besides what it says of packets.
pub(in crate::dialect) struct Place {
    pub ingress: IfMatch,
    /// Whether an interface it names, or must name, exists.
    pub placed: bool,
    pub direction: Direction,
    pub quick: bool,
    /// Whether a tag of this name can be on a packet that comes in.
    pub tag_is_set: bool,
    /// What it is called.
    pub label: String,
    /// Where its service stands.
    pub service: ServiceAt,
    /// Elements of conditions that packets do not show here.
    pub conditions: &'static [&'static str],
}

struct Ends {
    src: Fact<AddrExpr>,
    dst: Fact<AddrExpr>,
    svc: Fact<SvcExpr>,
}

/// The families of a row.
pub(in crate::dialect) fn families(l: &Lowering<'_>, rule: Element<'_>, form: Form) -> Families {
    match rule.value("ipprotocol") {
        Some("inet6") => Families::V6,
        Some("inet46") => Families::Both,
        Some("inet") => Families::V4,
        _ if form == Form::Model => Families::V4,
        _ => l.cx.product.silent_family,
    }
}

fn ends(l: &mut Lowering<'_>, rule: Element<'_>, form: Form, at: ServiceAt) -> Option<Ends> {
    let families = families(l, rule, form);
    let (src, dst) = match form {
        Form::Section => (address::endpoint(l, rule, "source")?, address::endpoint(l, rule, "destination")?),
        Form::Model => (
            address::model_endpoint(l, rule, "source_net", "source_not")?,
            address::model_endpoint(l, rule, "destination_net", "destination_not")?,
        ),
    };
    let svc = address::service(l, rule, families, at)?;
    // Source and destination are of one family: to limit one of them is enough.
    let src = src.map(|e| address::within(e.clone(), families));
    Some(Ends { src, dst, svc })
}

/// Lowers a row at its place.
pub(in crate::dialect) fn row(l: &mut Lowering<'_>, form: Form, rule: Element<'_>, place: Place) -> Written {
    let span = rule.span();
    let Place { ingress, placed, direction, quick, tag_is_set, label, service, conditions } = place;
    let loaded = ends(l, rule, form, service);
    let mut live = Live::own(if form == Form::Model { model_enabled(rule) } else { l.cx.enabled(rule, "disabled") });
    if loaded.is_none() || !placed {
        live = live.with(LinkKind::Referenced, Fact::known(false, Origin::inferred("rule_not_loaded", [Origin::Written(span)])));
    }
    let nothing = || Fact::written(AddrExpr::Nothing, span);
    let ends = loaded.unwrap_or_else(|| Ends { src: nothing(), dst: nothing(), svc: Fact::written(SvcExpr::Nothing, span) });
    let guards = guards(l, rule, conditions);
    let tagged = rule.filled("tagged").is_some() && !tag_is_set;
    Written {
        quick,
        direction,
        tagged,
        rule: Rule {
            label,
            span,
            live,
            ingress,
            egress: IfMatch::Any,
            src: ends.src,
            dst: ends.dst,
            svc: ends.svc,
            guards,
            nat: sees_translated(span),
            verdict: verdict(l, rule, form),
            log: match rule.child("log") {
                Some(log) => l.cx.is_set(log).map(|on| if *on { RuleLog::Session } else { RuleLog::None }),
                None => l.cx.default("filter.rule.log", Some(span), |v| (v == "none").then_some(RuleLog::None)),
            },
            generated: false,
        },
    }
}

/// Rows see packets as translation left them.
pub(in crate::dialect) fn sees_translated(span: Span) -> NatMatch {
    NatMatch { via: Vec::new(), plain_sees_translated: Fact::written(true, span) }
}

fn verdict(l: &Lowering<'_>, rule: Element<'_>, form: Form) -> Fact<Verdict> {
    let name = if form == Form::Model { "action" } else { "type" };
    let word = |word: &str| match word {
        "pass" => Some(Verdict::Accept),
        "block" | "reject" => Some(Verdict::Drop),
        "match" => Some(Verdict::Continue),
        _ => None,
    };
    match rule.filled(name) {
        Some(e) => match word(e.text()) {
            Some(verdict) => Fact::written(verdict, e.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, name, vec![e.span()])),
        },
        None => l.cx.default("filter.rule.type", Some(rule.span()), word),
    }
}

/// Further conditions.
fn guards(l: &Lowering<'_>, rule: Element<'_>, conditions: &[&str]) -> Vec<Guard> {
    let mut guards = Vec::new();
    if let Some(schedule) = rule.filled("sched")
        && (l.names.schedules.contains(schedule.text()) || l.cx.gap("objects").is_some())
    {
        guards.push(Guard::Schedule(schedule.span()));
    }
    if let Some(tag) = rule.filled("tagged") {
        guards.push(Guard::Unmodelled(tag.span(), "tagged".to_owned()));
    }
    for condition in conditions {
        if let Some(e) = rule.filled(condition).filter(|e| e.text() != "none") {
            guards.push(Guard::Unmodelled(e.span(), (*condition).to_owned()));
        }
    }
    guards
}
