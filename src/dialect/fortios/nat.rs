//! Virtual addresses (`firewall vip`): destination translation that acts where a policy names it, or everywhere under central NAT.
//!
//! Without `portforward` a virtual address translates every port. Nothing here says who may use it: that is the policy's.

use super::Lowering;
use super::address::{between, ports, range, terms};
use super::context::{Fields, any_of};
use super::object::{Space, address, named_at, undefined};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, IfMatch, SvcTerm, TCP, Verdict};
use crate::ir::live::{LinkKind, Live, LiveLink};
use crate::ir::nat::{NatIx, NatKind, NatRule};
use crate::source::Span;

/// Lowers virtual addresses and their groups.
pub(super) fn lower(l: &mut Lowering<'_>) {
    l.names.central_nat = central_nat(l).value.tri() == Some(true);
    for (table, space) in [("firewall vip", Space::V4), ("firewall vip6", Space::V6)] {
        for row in l.cx.own.find(table).rows() {
            let ix = NatIx(l.device.nat.rules.len() as u32);
            let rule = rule(l, &row, space);
            l.names.translations.entry(row.key()).or_default().push(ix);
            l.device.nat.rules.push(rule);
        }
    }
    for table in ["firewall vipgrp", "firewall vipgrp6"] {
        for row in l.cx.own.find(table).rows() {
            for unused in ["uuid", "color", "comments", "interface"] {
                row.get(unused);
            }
            let mut all = Vec::new();
            for (name, span) in row.values("member") {
                match l.names.translations.get(name) {
                    Some(list) => all.extend_from_slice(list),
                    None => undefined(l, "vip", name, span),
                }
            }
            l.names.translations.insert(row.key(), all);
        }
    }
}

fn rule<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, space: Space) -> NatRule {
    for unused in ["uuid", "id", "comment", "color", "arp-reply", "nat-source-vip", "portmapping-type", "ldb-method", "persistence"] {
        row.get(unused);
    }
    let any = if space == Space::V4 { AddrExpr::AnyV4 } else { AddrExpr::AnyV6 };
    let kind = match row.value("type") {
        Some("server-load-balance" | "load-balance") => NatKind::LoadBalancer,
        Some("access-proxy") => NatKind::LoadBalancer,
        _ if row.enabled("portforward") => NatKind::PortForward,
        _ => NatKind::OneToOne,
    };
    let mut live = Live::own(l.cx.switch(row, "status", "firewall vip.status"));
    if let Some(line) = row.get("type").filter(|a| a.value() == "dns-translation") {
        // Rewrites answers of name servers; no packet is translated.
        live = live.with(LinkKind::FeatureOn, Fact::written(false, line.span()));
    }
    let interfaces = row.values("extintf");
    let (ingress, unknown) = match interfaces.as_slice() {
        [] => (IfMatch::Any, Vec::new()),
        names => super::interface::resolve(l, names),
    };
    for (name, span) in unknown {
        undefined(l, "interface", name, span);
    }
    NatRule {
        name: row.key().to_owned(),
        span: row.span(),
        kind,
        live,
        ingress,
        family: if space == Space::V4 { Family::V4 } else { Family::V6 },
        src: sources(l, row, any),
        orig_dst: outside(l, row),
        orig_svc: services(row, kind),
        to: inside(l, row, space),
        to_port: row.name("mappedport").and_then(|(p, _)| ports(p)).map(|(first, _)| first).filter(|_| kind != NatKind::OneToOne),
        needs_reference: !l.names.central_nat,
        layer7: matches!(row.value("type"), Some("access-proxy")),
    }
}

/// Whether virtual addresses act without being named.
fn central_nat(l: &Lowering<'_>) -> Fact<bool> {
    l.cx.switch(&l.cx.own.find("system settings"), "central-nat", "system settings.central-nat")
}

fn sources<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, any: AddrExpr) -> Fact<AddrExpr> {
    let list = row.values("src-filter");
    if list.is_empty() {
        return l.cx.default("firewall vip.src-filter", Some(row.span()), |_| Some(any.clone()));
    }
    match list.iter().map(|(word, _)| range(word)).collect::<Option<Vec<_>>>() {
        Some(parts) => Fact::known(AddrExpr::union(parts), named_at(&list, row.span())),
        None => Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), list.iter().map(|(_, s)| *s).collect())),
    }
}

/// The address before translation; an unspecified one stands for the address of the interface.
fn outside<'a>(l: &mut Lowering<'a>, row: &Fields<'a>) -> Fact<AddrExpr> {
    let objects = row.values("extaddr");
    if !objects.is_empty() {
        let parts = objects.iter().map(|(n, at)| address(l, Space::V4, n, *at)).collect();
        return Fact::known(AddrExpr::union(parts), named_at(&objects, row.span()));
    }
    let Some(line) = row.get("extip") else {
        return l.cx.default("firewall vip.extip", Some(row.span()), |_| Some(AddrExpr::SelfAddrs));
    };
    match line.value() {
        "0.0.0.0" | "::" => Fact::written(AddrExpr::SelfAddrs, line.span()),
        text => match range(text) {
            Some(expr) => Fact::written(expr, line.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![line.span()])),
        },
    }
}

/// The addresses after translation.
fn inside<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, space: Space) -> Fact<AddrExpr> {
    if let Some((name, span)) = row.name("mapped-addr") {
        let expr = address(l, space, name, span);
        return Fact::written(expr, span);
    }
    let servers = row.rows("realservers");
    if !servers.is_empty() {
        let mut parts = Vec::new();
        let mut spans = Vec::new();
        for server in &servers {
            server.get("port");
            if let Some((word, span)) = server.name("ip").filter(|_| server.value("status") != Some("disable")) {
                parts.extend(range(word));
                spans.push((word, span));
            }
        }
        return Fact::known(AddrExpr::union(parts), named_at(&spans, row.span()));
    }
    let list = row.values("mappedip");
    match list.iter().map(|(word, _)| range(word).or_else(|| between(word, word))).collect::<Option<Vec<_>>>() {
        Some(parts) if !parts.is_empty() => Fact::known(AddrExpr::union(parts), named_at(&list, row.span())),
        _ => Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![row.span()])),
    }
}

/// The ports before translation; none: every port.
fn services(row: &Fields<'_>, kind: NatKind) -> Vec<SvcTerm> {
    if kind == NatKind::OneToOne {
        return Vec::new();
    }
    let protocol = row.value("protocol").or_else(|| match row.value("server-type") {
        Some("udp") => Some("udp"),
        _ => None,
    });
    let number = match protocol {
        None => return ports_of(row, TCP),
        Some("icmp") => return terms("icmp").unwrap_or_default(),
        Some(word) => terms(word).and_then(|t| t.first().and_then(|t| t.protocol)),
    };
    number.map_or_else(Vec::new, |n| ports_of(row, n))
}

fn ports_of(row: &Fields<'_>, protocol: u8) -> Vec<SvcTerm> {
    let list: Vec<(u16, u16)> = row.values("extport").iter().flat_map(|(word, _)| word.split(',').filter_map(ports)).collect();
    vec![SvcTerm::ports(protocol, list)]
}

/// Ties virtual addresses to the policies that name them: without one they translate nothing.
pub(super) fn after_policies(l: &mut Lowering<'_>) {
    let mut uses: Vec<Vec<Fact<bool>>> = vec![Vec::new(); l.device.nat.rules.len()];
    for rule in l.device.filters.iter().flat_map(|f| &f.rules) {
        for ix in &rule.nat.via {
            let accepts = rule.verdict.map(|v| *v == Verdict::Accept);
            let named = Fact { value: rule.live.value().and(&accepts).value, origin: Origin::Written(rule.span) };
            uses[ix.0 as usize].push(named);
        }
    }
    for (ix, facts) in uses.into_iter().enumerate() {
        if !l.device.nat.rules[ix].needs_reference {
            continue;
        }
        let span: Span = l.device.nat.rules[ix].span;
        let name = l.device.nat.rules[ix].name.clone();
        let holds = if facts.is_empty() {
            l.cx.nowhere("forward_filter", "infer.unused_vip", &name, span)
        } else {
            any_of(facts, Origin::Written(span))
        };
        l.device.nat.rules[ix].live.links.push(LiveLink { what: LinkKind::Referenced, holds });
    }
}
