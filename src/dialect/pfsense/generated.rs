//! Rows that the product makes by itself, in the words and the order of its rule generator.

use super::Lowering;
use super::context::names;
use super::rule::sees_translated;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{AH, AddrExpr, ESP, IfMatch, NatMatch, Rule, RuleLog, SvcExpr, SvcTerm, TCP, UDP, Verdict};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::Live;
use crate::ir::nat::NatIx;
use crate::source::Span;
use crate::syntax::xml::Element;

struct Row {
    label: String,
    span: Span,
    on: IfMatch,
    src: AddrExpr,
    dst: AddrExpr,
    svc: SvcExpr,
    verdict: Verdict,
}

fn rule(row: Row) -> Rule {
    let Row { label, span, on, src, dst, svc, verdict } = row;
    Rule {
        label,
        span,
        live: Live::own(Fact::written(true, span)),
        ingress: on,
        egress: IfMatch::Any,
        src: Fact::written(src, span),
        dst: Fact::written(dst, span),
        svc: Fact::written(svc, span),
        guards: Vec::new(),
        nat: sees_translated(span),
        verdict: Fact::known(verdict, Origin::inferred("product_adds_rule", [Origin::Written(span)])),
        log: Fact::written(RuleLog::None, span),
        generated: true,
    }
}

/// Translations that pass without any rule being asked.
pub(super) fn translation_passes(passes: &[(NatIx, Span)]) -> Vec<Rule> {
    let pass = |(ix, span): &(NatIx, Span)| Rule {
        nat: NatMatch { via: vec![*ix], plain_sees_translated: Fact::written(true, *span) },
        ..rule(Row {
            label: "rdr pass".to_owned(),
            span: *span,
            on: IfMatch::Any,
            src: AddrExpr::Any,
            dst: AddrExpr::Nothing,
            svc: SvcExpr::Any,
            verdict: Verdict::Accept,
        })
    };
    passes.iter().map(pass).collect()
}

/// Rows before those that people write.
pub(super) fn before(l: &Lowering<'_>) -> Vec<Rule> {
    let mut rows = Vec::new();
    let all = |list: &[String]| AddrExpr::Union(list.iter().filter_map(|n| super::address::literal(n)).collect());
    if let Some(system) = l.cx.section("system").filter(|s| !s.has("ipv6allow")) {
        rows.push(rule(Row {
            label: "Block all IPv6".to_owned(),
            span: system.span(),
            on: IfMatch::Any,
            src: AddrExpr::AnyV6,
            dst: AddrExpr::Any,
            svc: SvcExpr::Any,
            verdict: Verdict::Drop,
        }));
    }
    rows.extend(captive_portals(l));
    let mut assigned: Vec<(&InterfaceIx, &Element<'_>)> = l.names.rows.iter().collect();
    assigned.sort_by_key(|(ix, _)| **ix);
    for (ix, row) in assigned {
        // What the list of bogons takes are addresses nobody has: it narrows no set of public sources.
        row.child("blockbogons");
        if let Some(on) = row.child("blockpriv") {
            rows.push(rule(Row {
                label: "Block private networks".to_owned(),
                span: on.span(),
                on: IfMatch::These(vec![*ix]),
                src: all(l.cx.grammar.names("private_networks")),
                dst: AddrExpr::Any,
                svc: SvcExpr::Any,
                verdict: Verdict::Drop,
            }));
        }
    }
    rows.extend(anti_lockout(l));
    rows
}

/// The row that keeps the administration reachable: on `lan`, or on the only interface there is.
fn anti_lockout(l: &Lowering<'_>) -> Option<Rule> {
    let webgui = l.cx.at("system/webgui")?;
    if webgui.has("noantilockout") {
        return None;
    }
    let (ix, row) = match l.names.rows.len() {
        1 => l.names.rows.iter().next()?,
        _ => l.names.rows.iter().find(|(_, row)| row.name() == "lan")?,
    };
    let ports: Vec<(u16, u16)> = l
        .device
        .listeners
        .iter()
        .filter(|x| matches!(x.service, "https" | "http" | "ssh") && !x.live.value().value.is_false())
        .flat_map(|x| x.ports.get().into_iter().flatten())
        .flat_map(|t| t.dst_ports.iter().copied())
        .collect();
    Some(rule(Row {
        label: "Anti-Lockout Rule".to_owned(),
        span: row.span(),
        on: IfMatch::These(vec![*ix]),
        src: AddrExpr::Any,
        dst: AddrExpr::InterfaceAddr(*ix),
        svc: SvcExpr::Term(SvcTerm::ports(TCP, ports)),
        verdict: Verdict::Accept,
    }))
}

/// Portals are reachable on their interfaces whatever the rules say.
fn captive_portals(l: &Lowering<'_>) -> Vec<Rule> {
    let mut rows = Vec::new();
    for zone in super::infrastructure::captive_portals(l) {
        let found = names(zone.value("interface").unwrap_or("")).filter_map(|n| l.names.keys.get(n).copied());
        for ix in found {
            rows.push(rule(Row {
                label: "Captive Portal".to_owned(),
                span: zone.span(),
                on: IfMatch::These(vec![ix]),
                src: AddrExpr::Any,
                dst: AddrExpr::InterfaceAddr(ix),
                svc: SvcExpr::Union(super::infrastructure::portal_ports(zone).into_iter().map(SvcExpr::Term).collect()),
                verdict: Verdict::Accept,
            }));
        }
    }
    rows
}

/// Rows after those that people write, none of them final: the passes for IPsec peers.
pub(super) fn after(l: &Lowering<'_>) -> Vec<Rule> {
    if l.cx.at("system/disablevpnrules").is_some() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for phase1 in l.cx.rows("ipsec", "phase1").into_iter().filter(|p| !p.has("disabled")) {
        let on = match phase1.filled("interface") {
            Some(e) => l.interface_match(Some(e)),
            None => IfMatch::These(l.names.keys.get("wan").copied().into_iter().collect()),
        };
        let Some(src) = super::ipsec::peer(phase1) else { continue };
        let ports = if phase1.value("nat_traversal") == Some("off") { vec![(500, 500)] } else { vec![(500, 500), (4500, 4500)] };
        let mut svc = vec![SvcExpr::Term(SvcTerm::ports(UDP, ports))];
        svc.extend([ESP, AH].map(|p| SvcExpr::Term(SvcTerm::protocol(p))));
        rows.push(rule(Row {
            label: format!("IPsec: {}", super::ipsec::name(phase1)),
            span: phase1.span(),
            on,
            src,
            dst: AddrExpr::SelfAddrs,
            svc: SvcExpr::Union(svc),
            verdict: Verdict::Accept,
        }));
    }
    rows
}
