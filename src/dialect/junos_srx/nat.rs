//! Address translation: static and destination rules lead to inside hosts, source rules show which side is the outer one.
//!
//! A rule acts on packets that enter from its zone, interface or instance. Static rules are asked before destination rules.

use super::Lowering;
use super::interface::named;
use super::object::{books_of, by_name, masked, undefined};
use super::service::of_match;
use super::value::{addresses, between, is_placeholder, union};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, IfMatch, SvcTerm};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::Live;
use crate::ir::nat::{NatKind, NatRule};
use crate::syntax::Node;
use crate::syntax::brace::{at, below, child, inactive, rows, value};
use std::collections::HashMap;

/// Lowers translation.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let pools: Pools<'_> = rows(l.own, &["security", "nat", "destination", "pool"]).into_iter().map(|p| (p.word_or_empty(0), p)).collect();
    for (table, kind) in [("static", Table::Static), ("destination", Table::Destination)] {
        for set in rows(l.own, &["security", "nat", table, "rule-set"]) {
            let ingress = context(l, child(set, "from"));
            for rule in rows(set, &["rule"]) {
                add(l, &pools, kind, rule, ingress.clone(), None);
            }
            for (rule, mark) in inactive(set, "rule") {
                add(l, &pools, kind, rule, ingress.clone(), Some(mark));
            }
        }
    }
    for set in rows(l.own, &["security", "nat", "source", "rule-set"]) {
        let translates = rows(set, &["rule"]).into_iter().find(|r| at(*r, &["then", "source-nat", "off"]).is_none());
        let outer = context(l, child(set, "to"));
        if let (Some(rule), IfMatch::These(list)) = (translates, outer) {
            let span = at(rule, &["then", "source-nat"]).map_or(rule.span(), Node::span);
            l.device.nat.source_nat_on.extend(list.into_iter().map(|ix| (ix, Origin::Written(span))));
        }
    }
}

/// Pools by name.
type Pools<'a> = HashMap<&'a str, Node<'a>>;

#[derive(Clone, Copy, PartialEq)]
enum Table {
    Static,
    Destination,
}

/// The interfaces of `zone A`, `interface ge-0/0/0.0` or `routing-instance R`.
fn context(l: &Lowering<'_>, node: Option<Node<'_>>) -> IfMatch {
    let Some(node) = node else { return IfMatch::Any };
    let mut list: Vec<InterfaceIx> = Vec::new();
    for zone in rows(node, &["zone"]) {
        match l.names.zones.get(zone.word_or_empty(0)) {
            Some(ix) => list.extend_from_slice(&l.device.zones[ix.0 as usize].members),
            None => return IfMatch::Unknown(Why::at(WhyCode::Unresolved, zone.word_or_empty(0), vec![zone.span()])),
        }
    }
    list.extend(rows(node, &["interface"]).iter().filter_map(|n| named(l, n.word_or_empty(0))));
    for instance in rows(node, &["routing-instance"]) {
        let name = instance.word_or_empty(0);
        if name == "default" {
            return IfMatch::Any;
        }
        let members = rows(l.own, &["routing-instances"]).into_iter().filter(|i| i.word(0) == Some(name));
        list.extend(members.flat_map(|i| rows(i, &["interface"])).filter_map(|n| named(l, n.word_or_empty(0))));
    }
    IfMatch::These(list)
}

/// Addresses of a `match`, written out or by name.
fn matched<'a>(l: &mut Lowering<'a>, node: Option<Node<'a>>, side: &str) -> Option<Fact<AddrExpr>> {
    let node = node?;
    let mut parts = Vec::new();
    let mut origins = Vec::new();
    for entry in rows(node, &[side]) {
        let text = entry.word_or_empty(0);
        parts.push(addresses(text).unwrap_or_else(|| masked(text, entry.span())));
        origins.push(Origin::Written(entry.span()));
    }
    for entry in rows(node, &[&format!("{side}-name")]) {
        let books = books_of(l, None);
        parts.push(by_name(l, &books, entry));
        origins.push(Origin::Written(entry.span()));
    }
    (!parts.is_empty()).then(|| Fact::known(union(parts), Origin::all(origins)))
}

fn add<'a>(l: &mut Lowering<'a>, pools: &Pools<'a>, table: Table, rule: Node<'a>, ingress: IfMatch, off: Option<Node<'a>>) {
    let span = rule.span();
    let matches = child(rule, "match");
    let any = || Fact::written(AddrExpr::Any, span);
    let src = matched(l, matches, "source-address").unwrap_or_else(any);
    let orig_dst = matched(l, matches, "destination-address").unwrap_or_else(any);
    let protocols = matches.map(|m| rows(m, &["protocol"])).unwrap_or_default();
    let ports = matches.map(|m| rows(m, &["destination-port"])).unwrap_or_default();
    let (mut orig_svc, unread) = of_match(&protocols, &ports);
    if unread.is_some() {
        // The port itself is hidden; that one port is led inside is not.
        orig_svc = orig_svc.into_iter().map(|t| SvcTerm { dst_ports: vec![(0, 0)], ..t }).collect();
    }
    if let Some(applications) = matches.map(|m| rows(m, &["application"])).filter(|a| !a.is_empty()) {
        orig_svc = terms_of(l, &applications);
    }
    let target = match table {
        Table::Static => fixed(rule),
        Table::Destination => pool(l, pools, rule),
    };
    let Some(Target { to, to_port, whole }) = target else { return };
    let live = Live::own(match off {
        Some(mark) => Fact::written(false, mark.span()),
        None => Fact::written(true, span),
    });
    let hidden: Vec<&str> = ports.iter().map(|n| n.word_or_empty(0)).filter(|t| is_placeholder(t)).collect();
    if !hidden.is_empty() {
        l.names.hidden_nat_ports.insert(l.device.nat.rules.len() as u32, hidden);
    }
    let v6 = to.get().is_some_and(is_v6) || orig_dst.get().is_some_and(is_v6);
    l.device.nat.rules.push(NatRule {
        name: rule.word_or_empty(0).to_owned(),
        span,
        kind: if whole && ports.is_empty() { NatKind::OneToOne } else { NatKind::PortForward },
        live,
        ingress,
        family: if v6 { Family::V6 } else { Family::V4 },
        src,
        orig_dst,
        orig_svc,
        to,
        to_port,
        needs_reference: false,
        layer7: false,
    });
}

fn is_v6(expr: &AddrExpr) -> bool {
    match expr {
        AddrExpr::Range(a, _) | AddrExpr::Masked(a, _) => a.is_ipv6(),
        AddrExpr::AnyV6 => true,
        AddrExpr::Union(parts) => parts.iter().any(is_v6),
        _ => false,
    }
}

fn terms_of<'a>(l: &mut Lowering<'a>, names: &[Node<'a>]) -> Vec<SvcTerm> {
    let mut out = Vec::new();
    for name in names {
        super::service::by_name(l, *name);
        let text = name.word_or_empty(0);
        match l.grammar.file.services.get(text).and_then(|s| super::value::terms(s)) {
            Some(terms) => out.extend(terms),
            None => match l.names.applications.get(text).and_then(|ix| l.device.svc_objects[ix.0 as usize].value.get()) {
                Some(crate::ir::filter::SvcExpr::Term(term)) => out.push(term.clone()),
                _ => return vec![super::value::EVERY],
            },
        }
    }
    out
}

struct Target {
    to: Fact<AddrExpr>,
    to_port: Option<u16>,
    whole: bool,
}

/// `static-nat prefix X`, with `mapped-port` for one port.
fn fixed(rule: Node<'_>) -> Option<Target> {
    let then = at(rule, &["then", "static-nat"])?;
    let prefix = value(then, &["prefix"]).or_else(|| value(then, &["prefix-name"]))?;
    let text = prefix.word_or_empty(0);
    let port =
        value(prefix, &["mapped-port"]).or_else(|| value(then, &["prefix", "mapped-port"])).or_else(|| value(then, &["mapped-port"]));
    let to = addresses(text).unwrap_or_else(|| masked(text, prefix.span()));
    Some(Target {
        to: Fact::written(to, prefix.span()),
        to_port: port.and_then(|p| p.word_or_empty(0).parse().ok()),
        whole: port.is_none(),
    })
}

/// The pool a destination rule leads to; `None` for an exemption (`off`).
fn pool<'a>(l: &mut Lowering<'a>, pools: &Pools<'a>, rule: Node<'a>) -> Option<Target> {
    let then = at(rule, &["then", "destination-nat"])?;
    if child(then, "off").is_some() {
        return None;
    }
    let name = value(then, &["pool"])?;
    let wanted = name.word_or_empty(0);
    let Some(pool) = pools.get(wanted).copied() else {
        undefined(l, "pool", "nat", wanted, name.span(), "undefined.pool");
        let why = Why::at(WhyCode::Unresolved, wanted, vec![name.span()]);
        return Some(Target { to: Fact::unknown(why), to_port: None, whole: false });
    };
    let mut parts = Vec::new();
    let mut origins = Vec::new();
    let mut port = value(pool, &["port"]);
    for entry in rows(pool, &["address"]) {
        let text = entry.word_or_empty(0);
        if text == "port" {
            port = port.or_else(|| below(entry).next());
            continue;
        }
        port = port.or_else(|| value(entry, &["port"]));
        let last = value(entry, &["to"]).map(|n| n.word_or_empty(0).split('/').next().unwrap_or(""));
        let expr = match last {
            Some(last) => between(text.split('/').next().unwrap_or(""), last),
            None => addresses(text),
        };
        parts.push(expr.unwrap_or_else(|| masked(text, entry.span())));
        origins.push(Origin::Written(entry.span()));
    }
    if let Some(port) = port {
        port.read();
    }
    let whole = port.is_none();
    let to_port = port.filter(|p| !is_placeholder(p.word_or_empty(0))).and_then(|p| p.word_or_empty(0).parse().ok());
    Some(Target { to: Fact::known(union(parts), Origin::all(origins)), to_port, whole })
}
