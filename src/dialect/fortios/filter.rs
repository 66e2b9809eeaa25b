//! Policy tables as filters, and the order in which the box decides.
//!
//! Rows count from the top of the file; their ids say nothing about order. Local-in rows stand before an implicit permit of what is
//! bound, so a row that accepts restricts nothing by itself, and a table without rows lets everything on to the services.

use super::Lowering;
use super::policy::{Table, rule};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{Attach, Family, Filter, FilterRole, Hook, IfMatch, Pipeline, Stage, Verdict};

/// Lowers the policy tables.
pub(super) fn lower(l: &mut Lowering<'_>) {
    for (path, table) in [("firewall local-in-policy", Table::LocalIn), ("firewall local-in-policy6", Table::LocalIn6)] {
        let family = if table == Table::LocalIn { Family::V4 } else { Family::V6 };
        filter(l, &[path], table, family);
    }
    let consolidated = l.cx.own.has("firewall consolidated policy");
    let split = l.cx.own.has("firewall policy6") && !consolidated;
    let paths: &[&str] = if consolidated { &["firewall consolidated policy", "firewall policy"] } else { &["firewall policy"] };
    filter(l, paths, Table::Policy, if split { Family::V4 } else { Family::Both });
    if l.cx.own.has("firewall policy6") {
        filter(l, &["firewall policy6"], Table::Policy6, Family::V6);
    }
    source_translation(l);
    pipeline(l);
}

fn filter(l: &mut Lowering<'_>, paths: &[&str], table: Table, family: Family) {
    let mut rules = Vec::new();
    let mut span = None;
    for path in paths {
        let found = l.cx.own.find(path);
        span = span.or(found.span());
        for row in found.rows() {
            rules.push(rule(l, &row, table));
        }
    }
    let topic = if table.is_local() { "local_filter" } else { "forward_filter" };
    let mut incomplete = l.cx.gap(topic).cloned();
    if !table.is_local() && incomplete.is_none() {
        incomplete = other_mode(l);
    }
    let (role, hook, key) = if table.is_local() {
        (FilterRole::ToBox, Hook::Local, "firewall local-in-policy.end")
    } else {
        (FilterRole::Packet, Hook::Forward, "firewall policy.end")
    };
    let default = verdict_of(l, key, span);
    let origin = default.origin.clone();
    l.device.filters.push(Filter {
        name: paths[0].to_owned(),
        span,
        role,
        family,
        rules,
        incomplete,
        default,
        attach: vec![Attach { hook, on: IfMatch::Any, origin }],
    });
}

/// In policy-based mode other tables decide, by applications and addresses of web services.
fn other_mode(l: &Lowering<'_>) -> Option<Why> {
    let settings = l.cx.own.find("system settings");
    let line = settings.fields?.get("ngfw-mode")?;
    (line.value() == "policy-based").then(|| Why::at(WhyCode::Unmodelled, "ngfw-mode", vec![line.span()]))
}

fn verdict_of(l: &Lowering<'_>, key: &str, anchor: Option<crate::source::Span>) -> Fact<Verdict> {
    l.cx.default(key, anchor, |v| match v {
        "deny" => Some(Verdict::Drop),
        "next" => Some(Verdict::Next),
        _ => None,
    })
}

/// The interfaces on whose outer side sources are translated.
fn source_translation(l: &mut Lowering<'_>) {
    let mut seen = std::collections::BTreeSet::new();
    for policy in &l.names.policies {
        if let (Some(span), Some(egress)) = (policy.nat, &policy.egress) {
            for ix in egress.iter().filter(|ix| seen.insert(**ix)) {
                l.device.nat.source_nat_on.push((*ix, crate::ir::fact::Origin::Written(span)));
            }
        }
    }
}

fn pipeline(l: &mut Lowering<'_>) {
    let local = verdict_of(l, "firewall local-in-policy.end", None);
    let forward = verdict_of(l, "firewall policy.end", None);
    l.device.pipeline = Pipeline {
        to_box: vec![Stage::DestNat, Stage::Filter { hook: Hook::Local, undecided: local }, Stage::Gate, Stage::Limits],
        through: vec![Stage::DestNat, Stage::Filter { hook: Hook::Forward, undecided: forward }],
    };
}
