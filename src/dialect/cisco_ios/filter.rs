//! Packet filters: access lists on interfaces, and the order of decisions.
//!
//! An inbound list is asked before translation and guards the box itself as well as what lies behind it. Without a list, without
//! rows in it, or with the name of a list that is defined nowhere, everything passes. Inspection (`ip inspect`) opens the way back
//! for what was asked for from inside, never a way in, so it makes no row.

use super::acl::{List, Row};
use super::{Export, Input, on_off};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterRole, Hook, ICMPV6, IfMatch, NatMatch, Pipeline, Rule, RuleLog, Stage, SvcExpr, SvcTerm,
    Verdict,
};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::live::Live;
use crate::ir::system::{Definition, IfUndefined, Undefined};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A list in use: by which line, on which interface, in which direction.
struct Use<'a> {
    line: Node<'a>,
    name: &'a str,
    on: InterfaceIx,
    hook: Hook,
    v6: bool,
}

/// Fills filters and the order of decisions.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let mut by_list: BTreeMap<(bool, &str), Vec<Use<'_>>> = BTreeMap::new();
    let mut order: Vec<(bool, &str)> = Vec::new();
    for (ix, port) in export.ports.iter() {
        let block = port.block();
        for (words, v6) in [(["ip", "access-group"], false), (["ipv6", "traffic-filter"], true)] {
            for line in block.lines(&words) {
                let (Some(name), Some(direction)) = (line.word(2), line.word(3)) else { continue };
                let hook = if direction == "out" { Hook::Outbound } else { Hook::Inbound };
                let key = (v6, name);
                if !by_list.contains_key(&key) {
                    order.push(key);
                }
                by_list.entry(key).or_default().push(Use { line, name, on: ix, hook, v6 });
            }
        }
    }
    for key in order {
        let Some(uses) = by_list.get(&key) else { continue };
        attach(export, uses, device);
    }
    device.pipeline = pipeline(export, device);
}

fn attach(export: &Export<'_>, uses: &[Use<'_>], device: &mut Device) {
    let Some(first) = uses.first() else { return };
    let from_vpn = |u: &Use<'_>| {
        let kind = device.interfaces.get(u.on.0 as usize).map(|i| i.kind);
        matches!(kind, Some(InterfaceKind::Tunnel | InterfaceKind::RemoteAccess))
    };
    let attached: Vec<Attach> =
        uses.iter().map(|u| Attach { hook: u.hook, on: IfMatch::These(vec![u.on]), origin: Origin::Written(u.line.span()) }).collect();
    let role = if uses.iter().all(from_vpn) { FilterRole::VpnExit } else { FilterRole::Packet };
    let end = |list: Option<&List>| match list {
        Some(list) if !list.rows.is_empty() => export.product("access-list end", |v| (v == "deny").then_some(Verdict::Drop)),
        _ => export.product("access-list empty", |v| (v == "permit").then_some(Verdict::Accept)),
    };
    let list = export.lists.get(first.v6, first.name);
    let family = if first.v6 { Family::V6 } else { Family::V4 };
    let incomplete = list.is_none().then(|| export.may_lack("local_filter").cloned()).flatten();
    if list.is_none() && incomplete.is_none() {
        for used in uses {
            let effect = export.product("access-list undefined", |v| (v == "permit").then_some(IfUndefined::FilterAbsent));
            device.undefined.items.push(Undefined { kind: "filter", name: used.name.to_owned(), span: used.line.word_span(2), effect });
        }
    }
    let mut rules: Vec<Rule> = list.into_iter().flat_map(|l| &l.rows).map(|row| rule(export, row)).collect();
    if first.v6 && !rules.is_empty() {
        rules.extend(neighbour_discovery(export, first.line.span()));
    }
    let default = match &incomplete {
        Some(_) => export.product("access-list end", |v| (v == "deny").then_some(Verdict::Drop)),
        None => end(list),
    };
    device.filters.push(Filter {
        name: first.name.to_owned(),
        span: Some(list.map_or_else(|| first.line.span(), |l| l.span)),
        role,
        family,
        rules,
        incomplete,
        default,
        attach: attached,
    });
}

/// How rows meet translated packets: what stands after translation in the order of decisions sees them as they are then.
pub fn nat_match(export: &Export<'_>) -> NatMatch {
    NatMatch { via: Vec::new(), plain_sees_translated: export.product("filter after translation", on_off) }
}

fn rule(export: &Export<'_>, row: &Row) -> Rule {
    let verdict = |permits: &bool| if *permits { Verdict::Accept } else { Verdict::Drop };
    Rule {
        label: row.label.clone(),
        span: row.span,
        live: Live::own(Fact::written(true, row.span)),
        ingress: IfMatch::Any,
        egress: IfMatch::Any,
        src: Fact::written(row.src.clone(), row.span),
        dst: Fact::written(row.dst.clone(), row.span),
        svc: Fact::written(row.svc.clone(), row.span),
        guards: row.guards.clone(),
        nat: nat_match(export),
        verdict: row.permit.map(verdict),
        log: Fact::written(row.log, row.span),
        generated: false,
    }
}

/// A row that the product makes itself.
pub fn generated(export: &Export<'_>, label: &str, span: Span, svc: SvcExpr, verdict: Fact<Verdict>) -> Rule {
    let at = verdict.origin.clone();
    Rule {
        label: label.to_owned(),
        span,
        live: Live::own(Fact::known(true, at.clone())),
        ingress: IfMatch::Any,
        egress: IfMatch::Any,
        src: Fact::known(AddrExpr::Any, at.clone()),
        dst: Fact::known(AddrExpr::Any, at.clone()),
        svc: Fact::known(svc, at.clone()),
        guards: Vec::new(),
        nat: nat_match(export),
        verdict,
        log: Fact::known(RuleLog::None, at),
        generated: true,
    }
}

/// Every IPv6 list lets neighbour discovery through before its end.
fn neighbour_discovery(export: &Export<'_>, span: Span) -> Vec<Rule> {
    [135u8, 136]
        .into_iter()
        .map(|kind| {
            let term = SvcTerm { protocol: Some(ICMPV6), src_ports: Vec::new(), dst_ports: Vec::new(), icmp: Some((kind, None)) };
            let verdict = export.product("ipv6 access-list discovery", |v| (v == "permit").then_some(Verdict::Accept));
            generated(export, "neighbour discovery", span, SvcExpr::Term(term), verdict)
        })
        .collect()
}

fn pipeline(export: &Export<'_>, device: &Device) -> Pipeline {
    let accept = |key: &str| export.product(key, |v| (v == "permit").then_some(Verdict::Accept));
    let inbound = || Stage::Filter { hook: Hook::Inbound, undecided: accept("interface without access-group") };
    let zones = if device.zones.is_empty() { accept("interface without access-group") } else { accept("interface without zone") };
    Pipeline {
        to_box: vec![
            inbound(),
            Stage::DestNat,
            Stage::Filter { hook: Hook::Local, undecided: accept("self zone") },
            Stage::Gate,
            Stage::Limits,
        ],
        through: vec![
            inbound(),
            Stage::DestNat,
            Stage::Filter { hook: Hook::Forward, undecided: zones },
            Stage::Filter { hook: Hook::Outbound, undecided: accept("interface without access-group") },
        ],
    }
}

/// Notes which lists and groups are defined, and how often something names them.
pub fn names(export: &Export<'_>, input: &Input<'_>, device: &mut Device) {
    let mut defined: Vec<(&'static str, &str, Span)> = export.lists.all.iter().map(|l| ("filter", l.name.as_str(), l.span)).collect();
    defined.extend(device.addr_objects.iter().filter_map(|o| o.span.map(|s| ("address_group", o.name.as_str(), s))));
    defined.extend(device.svc_objects.iter().filter_map(|o| o.span.map(|s| ("service_group", o.name.as_str(), s))));
    let wanted: HashSet<&str> = defined.iter().map(|(_, n, _)| *n).collect();
    let mut uses: HashMap<&str, u32> = HashMap::new();
    for node in input.tree.statements() {
        // The statement that defines a list names it, too.
        let skip = match (node.word_or_empty(0), node.word_or_empty(1)) {
            ("access-list", _) | ("ipv6", "access-list") => 2,
            ("ip", "access-list") => 4,
            ("object-group", _) => 3,
            ("interface" | "description" | "remark" | "hostname" | "banner", _) => continue,
            _ => 1,
        };
        for word in node.words_from(skip) {
            if let Some(name) = wanted.get(word) {
                *uses.entry(name).or_default() += 1;
            }
        }
    }
    let definitions = defined
        .iter()
        .map(|(kind, name, span)| Definition {
            kind,
            name: (*name).to_owned(),
            span: *span,
            builtin: false,
            uses: uses.get(name).copied().unwrap_or(0),
        })
        .collect();
    device.definitions = export.list("objects", definitions);
    let undefined = std::mem::take(&mut device.undefined.items);
    device.undefined = export.list("objects", undefined);
}
