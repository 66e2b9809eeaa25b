//! The rule list. A row that is `quick` ends the search, every other is overruled by a later match; as the last match decides, the list
//! is the same as its quick rows in order, then the others from the end, then the refusal that stands first of all.
//!
//! Order of the product's generator: translations that pass, its own blocks and passes, floating rows, rows of groups and VPNs, rows of
//! interfaces, its passes for IPsec. Rows for packets on their way out are a list of their own, which passes what no row names.

use super::rule::{Direction, Written};
use super::{Lowering, generated, rule};
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{Attach, Family, Filter, FilterRole, Hook, IfMatch, Pipeline, Rule, Stage, Verdict};
use crate::syntax::xml::Element;

/// Lowers it.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let off = l.cx.at("system/disablefilter").map(|e| e.span());
    let rows: Vec<Element<'_>> = l.cx.rows("filter", "rule").into_iter().filter(|r| !r.has("separator")).collect();
    let mut written: Vec<(u8, Written)> = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let class = class(l, *row);
        written.push((class, rule::lower(l, *row, number, &rows)));
    }
    written.sort_by_key(|(class, _)| *class);
    let (mut inbound, mut outbound) = (List::default(), List::default());
    for pass in generated::translation_passes(&l.translation_passes()) {
        inbound.quick.push(pass);
    }
    inbound.quick.extend(generated::before(l));
    for (_, row) in written {
        let Written { rule, quick, direction, tagged } = row;
        if direction != Direction::In {
            let out = Rule { ingress: IfMatch::Any, egress: rule.ingress.clone(), ..rule.clone() };
            outbound.push(out, quick);
        }
        // A tag that nothing sets before is on no packet that comes in.
        if direction != Direction::Out && !tagged {
            inbound.push(rule, quick);
        }
    }
    for row in generated::after(l) {
        inbound.push(row, false);
    }
    let span = l.cx.section("filter").map(|f| f.span());
    let attached = |hook| match off {
        Some(_) => Vec::new(),
        None => vec![Attach { hook, on: IfMatch::Any, origin: Origin::Written(span.unwrap_or(l.cx.evidence)) }],
    };
    let filter = |name: &str, rules, default, hook| Filter {
        name: name.to_owned(),
        span,
        role: FilterRole::Packet,
        family: Family::Both,
        rules,
        incomplete: l.cx.gap("forward_filter").cloned(),
        default,
        attach: attached(hook),
    };
    let end = |key: &str| l.cx.default(key, span, verdict);
    let mut filters = vec![filter("filter", inbound.into_rules(), end("filter.end"), Hook::Inbound)];
    let out = outbound.into_rules();
    if !out.is_empty() {
        filters.push(filter("filter (out)", out, end("filter.end_out"), Hook::Outbound));
    }
    let undecided = |key: &str| match off {
        Some(off) => Fact::written(Verdict::Accept, off),
        None => end(key),
    };
    let inbound = || Stage::Filter { hook: Hook::Inbound, undecided: undecided("filter.end") };
    let outbound = Stage::Filter { hook: Hook::Outbound, undecided: undecided("filter.end_out") };
    l.device.pipeline = Pipeline {
        to_box: vec![Stage::DestNat, inbound(), Stage::Gate, Stage::Limits],
        through: vec![Stage::DestNat, inbound(), outbound],
    };
    l.device.filters = filters;
}

fn verdict(word: &str) -> Option<Verdict> {
    match word {
        "pass" => Some(Verdict::Accept),
        "block" => Some(Verdict::Drop),
        _ => None,
    }
}

/// The part of the list a row stands in.
fn class(l: &Lowering<'_>, row: Element<'_>) -> u8 {
    let on = row.value("interface").unwrap_or("");
    if row.has("floating") {
        0
    } else if l.names.groups.contains_key(on) || l.cx.listed("vpn_tabs", on) {
        1
    } else {
        2
    }
}

/// Rows of one direction on their way to first-match order.
#[derive(Default)]
struct List {
    quick: Vec<Rule>,
    others: Vec<Rule>,
}

impl List {
    fn push(&mut self, rule: Rule, quick: bool) {
        if quick { self.quick.push(rule) } else { self.others.push(rule) }
    }

    fn into_rules(mut self) -> Vec<Rule> {
        self.quick.extend(self.others.into_iter().rev());
        self.quick
    }
}
