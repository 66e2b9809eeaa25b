//! Inbound and policy filters of the firewall models (FWX, SRT): one set is in force; bracketed filters are exceptions of the one before.
//!
//! Exceptions are written out before their parent, narrowed to it, so that first match decides. `local` is the router itself. What
//! happens to packets that no policy filter names was not seen in print: the default row says so.

use super::commands::{Command, Peer};
use super::filter::{Common, rule, service, verdict};
use super::{Export, address};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterRole, Hook, IfMatch, Opaque, OpaqueKind, Rule, Stage, SvcExpr, SvcTerm, TCP, UDP, Verdict,
};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::Live;
use crate::ir::system::{IfUndefined, Undefined};
use crate::source::Span;
use std::collections::HashMap;

/// Brackets nested deeper than this are read as if they stood at this depth.
const DEPTH: usize = 16;

/// Fills inbound and policy filters and the stages that ask them.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let common = Common::new(export);
    for v6 in [false, true] {
        inbound(export, &common, v6, device);
        policy(export, &common, v6, device);
    }
}

fn family(v6: bool) -> Family {
    if v6 { Family::V6 } else { Family::V4 }
}

fn inbound(export: &Export<'_>, common: &Common, v6: bool, device: &mut Device) {
    let (rows, lists) =
        if v6 { ("ipv6 inbound filter <n>", "ipv6 @ inbound filter list") } else { ("ip inbound filter <n>", "ip @ inbound filter list") };
    let table: HashMap<&str, Command<'_>> = export.commands.everywhere(rows).map(|c| (c.keys[0], c)).collect();
    for list in export.commands.everywhere(lists) {
        let Some(ix) = export.interfaces.of(&list) else { continue };
        let mut rules = Vec::new();
        for (number, span) in list.args() {
            match table.get(number) {
                Some(row) => rules.push(rule(export, common, row, span, v6)),
                None if export.gaps.contains_key("local_filter") => {}
                None => {
                    let effect = export.product("secure filter undefined number", |v| (v == "ignored").then_some(IfUndefined::RuleIgnored));
                    device.undefined.items.push(Undefined { kind: "filter", name: number.to_owned(), span, effect });
                }
            }
        }
        device.filters.push(Filter {
            name: format!("{} inbound filter list", list.keys[0]),
            span: Some(list.span()),
            role: FilterRole::Packet,
            family: family(v6),
            rules,
            incomplete: None,
            default: export.product("inbound filter end", |v| (v == "reject").then_some(Verdict::Drop)),
            attach: vec![Attach { hook: Hook::Inbound, on: IfMatch::These(vec![ix]), origin: Origin::Written(list.span()) }],
        });
    }
}

/// A filter of a set with its exceptions.
struct Branch<'a> {
    number: &'a str,
    span: Span,
    below: Vec<Branch<'a>>,
}

/// Reads `1100 [1110 1123 [1124] 1122] 1500`; brackets may touch the numbers.
fn branches<'a>(words: impl Iterator<Item = (&'a str, Span)>) -> Vec<Branch<'a>> {
    let mut stack: Vec<Vec<Branch<'a>>> = vec![Vec::new()];
    for (word, span) in words.filter(|(w, _)| !w.contains('=')) {
        for piece in word.split_inclusive(['[', ']']) {
            let number = piece.trim_matches(['[', ']']);
            if !number.is_empty()
                && let Some(top) = stack.last_mut()
            {
                top.push(Branch { number, span, below: Vec::new() });
            }
            if piece.ends_with('[') && stack.len() < DEPTH {
                stack.push(Vec::new());
            } else if piece.ends_with(']') {
                fold(&mut stack);
            }
        }
    }
    while stack.len() > 1 {
        fold(&mut stack);
    }
    stack.pop().unwrap_or_default()
}

/// Hangs the topmost list below the last filter of the one before.
fn fold(stack: &mut Vec<Vec<Branch<'_>>>) {
    if stack.len() < 2 {
        return;
    }
    let Some(mut list) = stack.pop() else { return };
    let Some(before) = stack.last_mut() else { return };
    match before.last_mut() {
        Some(parent) => parent.below.append(&mut list),
        // A bracket with nothing before it is an exception of nothing.
        None => before.append(&mut list),
    }
}

/// What a filter asks for: where from, where to, who, what.
#[derive(Clone)]
struct Condition {
    from: IfMatch,
    to: IfMatch,
    to_local: bool,
    src: AddrExpr,
    dst: AddrExpr,
    svc: SvcExpr,
}

impl Condition {
    /// Both conditions together.
    fn within(self, parent: &Condition) -> Condition {
        Condition {
            from: meet_interfaces(self.from, &parent.from),
            to: meet_interfaces(self.to, &parent.to),
            to_local: self.to_local && parent.to_local,
            src: meet_addresses(self.src, &parent.src),
            dst: meet_addresses(self.dst, &parent.dst),
            svc: meet_services(self.svc, &parent.svc),
        }
    }
}

fn meet_interfaces(own: IfMatch, parent: &IfMatch) -> IfMatch {
    match (own, parent) {
        (IfMatch::Any, parent) => parent.clone(),
        (own, IfMatch::Any) => own,
        (IfMatch::These(a), IfMatch::These(b)) => IfMatch::These(a.into_iter().filter(|ix| b.contains(ix)).collect()),
        (own, _) => own,
    }
}

fn meet_addresses(own: AddrExpr, parent: &AddrExpr) -> AddrExpr {
    match (own, parent) {
        (AddrExpr::Any, parent) => parent.clone(),
        (own, AddrExpr::Any) => own,
        (own, parent) => AddrExpr::Except(Box::new(own), Box::new(AddrExpr::Not(Box::new(parent.clone())))),
    }
}

fn meet_services(own: SvcExpr, parent: &SvcExpr) -> SvcExpr {
    match (own, parent) {
        (SvcExpr::Any, parent) => parent.clone(),
        (own, SvcExpr::Any) => own,
        (own, parent) => {
            let not = |e| SvcExpr::Not(Box::new(e));
            not(SvcExpr::Union(vec![not(own), not(parent.clone())]))
        }
    }
}

struct Lists {
    local: Vec<Rule>,
    forward: Vec<Rule>,
}

fn policy(export: &Export<'_>, common: &Common, v6: bool, device: &mut Device) {
    let word = |rest: &str| format!("{} policy {rest}", if v6 { "ipv6" } else { "ip" });
    let enabled = export.commands.everywhere(&word("filter set enable")).next();
    let Some(enabled) = enabled else { return };
    let set = export.commands.everywhere(&word("filter set <n>")).find(|c| Some(c.keys[0]) == enabled.arg(0));
    let Some(set) = set else {
        let effect = export.product("policy filter none", |v| (v == "pass").then_some(IfUndefined::FilterAbsent));
        device.undefined.items.push(Undefined {
            kind: "filter_set",
            name: enabled.arg_or_empty(0).to_owned(),
            span: enabled.arg_span(0),
            effect,
        });
        return;
    };
    let pattern = word("filter <n>");
    let table: HashMap<&str, Command<'_>> = export.commands.everywhere(&pattern).map(|c| (c.keys[0], c)).collect();
    let everything =
        Condition { from: IfMatch::Any, to: IfMatch::Any, to_local: true, src: AddrExpr::Any, dst: AddrExpr::Any, svc: SvcExpr::Any };
    let mut lists = Lists { local: Vec::new(), forward: Vec::new() };
    let maker = Maker { export, common, table, v6 };
    maker.walk(&branches(set.args()), &everything, &mut lists);
    let default = || export.product("policy filter end", |v| (v == "reject").then_some(Verdict::Drop));
    for (hook, role, rules) in [(Hook::Local, FilterRole::ToBox, lists.local), (Hook::Forward, FilterRole::Packet, lists.forward)] {
        device.filters.push(Filter {
            name: format!("policy filter set {}", set.keys[0]),
            span: Some(set.span()),
            role,
            family: family(v6),
            rules,
            incomplete: None,
            default: default(),
            attach: vec![Attach { hook, on: IfMatch::Any, origin: Origin::Written(enabled.span()) }],
        });
    }
    let undecided = || export.product("policy filter none", |v| (v == "pass").then_some(Verdict::Accept));
    let asks = |stages: &[Stage], hook| stages.iter().any(|s| matches!(s, Stage::Filter { hook: h, .. } if *h == hook));
    if !asks(&device.pipeline.to_box, Hook::Local) {
        device.pipeline.to_box.insert(2, Stage::Filter { hook: Hook::Local, undecided: undecided() });
        device.pipeline.through.insert(2, Stage::Filter { hook: Hook::Forward, undecided: undecided() });
    }
}

struct Maker<'e, 'a> {
    export: &'e Export<'a>,
    common: &'e Common,
    table: HashMap<&'a str, Command<'a>>,
    v6: bool,
}

impl<'a> Maker<'_, 'a> {
    fn walk(&self, branches: &[Branch<'_>], parent: &Condition, out: &mut Lists) {
        for branch in branches {
            let Some(row) = self.table.get(branch.number) else { continue };
            let condition = self.condition(row).within(parent);
            self.walk(&branch.below, &condition, out);
            let reaches_others = !matches!(&condition.to, IfMatch::These(list) if list.is_empty());
            if condition.to_local {
                out.local.push(self.rule(row, &condition, branch.span, IfMatch::Any));
            }
            if reaches_others {
                out.forward.push(self.rule(row, &condition, branch.span, condition.to.clone()));
            }
        }
    }

    fn rule(&self, row: &Command<'_>, condition: &Condition, listed: Span, egress: IfMatch) -> Rule {
        let action = row.arg_or_empty(0).to_ascii_lowercase();
        let span = row.arg_span(0);
        Rule {
            label: row.keys[0].to_owned(),
            span: row.span(),
            live: Live::own(Fact::written(true, listed)),
            ingress: condition.from.clone(),
            egress,
            src: Fact::written(condition.src.clone(), row.arg_span(3)),
            dst: Fact::written(condition.dst.clone(), row.arg_span(4)),
            svc: Fact::written(condition.svc.clone(), row.arg_span(5)),
            guards: Vec::new(),
            nat: self.common.nat(),
            verdict: verdict(&action, span),
            log: self.common.log(&action, span),
            generated: false,
        }
    }

    fn condition(&self, row: &Command<'a>) -> Condition {
        let (from, _) = self.interfaces(row.arg(1).unwrap_or("*"), 0);
        let (to, to_local) = self.interfaces(row.arg(2).unwrap_or("*"), 0);
        Condition {
            from,
            to,
            to_local,
            src: self.addresses(row.arg(3).unwrap_or("*"), row.arg_span(3), 0),
            dst: self.addresses(row.arg(4).unwrap_or("*"), row.arg_span(4), 0),
            svc: self.services(row.arg(5).unwrap_or("*"), row.arg_span(5), 0),
        }
    }

    fn group(&self, kind: &str, number: &str) -> Option<Command<'a>> {
        let pattern = format!("{} policy {kind} group <n>", if self.v6 { "ipv6" } else { "ip" });
        self.export.commands.everywhere(&pattern).find(|c| c.keys[0] == number)
    }

    /// Members of a group: its words without `name=...`; after `group` stand numbers of other groups.
    fn members(group: &Command<'a>) -> Vec<(&'a str, Span)> {
        group.args().filter(|(w, _)| !w.starts_with("name=") && !w.eq_ignore_ascii_case("group")).collect()
    }

    fn interfaces(&self, word: &str, depth: usize) -> (IfMatch, bool) {
        let lower = word.to_ascii_lowercase();
        let index = &self.export.interfaces;
        let starting = |prefix: &str| index.starting(prefix);
        let list: Vec<InterfaceIx> = match lower.as_str() {
            "*" => return (IfMatch::Any, true),
            "local" => return (IfMatch::These(Vec::new()), true),
            w if w.bytes().all(|b| b.is_ascii_digit()) && depth < DEPTH => {
                let mut local = false;
                let mut list = Vec::new();
                for (member, _) in self.group("interface", w).iter().flat_map(Self::members) {
                    let (found, is_local) = self.interfaces(member, depth + 1);
                    local |= is_local;
                    match found {
                        IfMatch::These(more) => list.extend(more),
                        _ => return (IfMatch::Any, true),
                    }
                }
                return (IfMatch::These(list), local);
            }
            w => match w.strip_suffix('*') {
                Some(prefix) => starting(prefix),
                None => match w.strip_prefix("pp").and_then(Peer::parse) {
                    Some(peer) => index.peer(peer).into_iter().collect(),
                    None => index.word(w, super::Scope::Global).into_iter().collect(),
                },
            },
        };
        (IfMatch::These(list), false)
    }

    fn addresses(&self, word: &str, span: Span, depth: usize) -> AddrExpr {
        let is_group = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        match self.group("address", word).filter(|_| is_group && depth < DEPTH) {
            Some(group) => AddrExpr::Union(Self::members(&group).into_iter().map(|(w, s)| self.addresses(w, s, depth + 1)).collect()),
            None => address::filter_address(word, span),
        }
    }

    fn services(&self, word: &str, span: Span, depth: usize) -> SvcExpr {
        if word == "*" {
            return SvcExpr::Any;
        }
        let is_group = word.bytes().all(|b| b.is_ascii_digit());
        if let Some(group) = self.group("service", word).filter(|_| is_group && depth < DEPTH) {
            return SvcExpr::Union(Self::members(&group).into_iter().map(|(w, s)| self.services(w, s, depth + 1)).collect());
        }
        // `ip policy service ID name protocol [source-port destination-port]`.
        let pattern = if self.v6 { "ipv6 policy service <n>" } else { "ip policy service <n>" };
        if let Some(own) = self.export.commands.everywhere(pattern).find(|c| c.arg(0) == Some(word)) {
            return match service(self.export, &own, 1, self.v6).0.value {
                crate::ir::fact::Val::Known(expr) => expr,
                _ => SvcExpr::Nothing,
            };
        }
        let names = &self.export.names;
        match (names.port(word), names.protocol(word)) {
            (_, Some(protocol)) => SvcExpr::Term(SvcTerm::protocol(protocol)),
            (Some(port), None) => {
                SvcExpr::Union([TCP, UDP].into_iter().map(|p| SvcExpr::Term(SvcTerm::ports(p, vec![(port, port)]))).collect())
            }
            (None, None) => SvcExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: word.to_owned(), span }),
        }
    }
}
