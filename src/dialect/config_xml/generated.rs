//! Rows that the product makes by itself, in the words and the order of its rule generator.

use super::Lowering;
use super::context::names;
use super::rule::sees_translated;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{AH, AddrExpr, ESP, IfMatch, NatMatch, Rule, RuleLog, SvcExpr, SvcTerm, UDP, Verdict};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::Live;
use crate::ir::nat::NatIx;
use crate::source::Span;
use crate::syntax::xml::Element;

/// A row in the making.
pub(in crate::dialect) struct Row {
    pub label: String,
    pub span: Span,
    pub on: IfMatch,
    pub src: AddrExpr,
    pub dst: AddrExpr,
    pub svc: SvcExpr,
    pub verdict: Verdict,
}

/// A row that the product makes.
pub(in crate::dialect) fn rule(row: Row) -> Rule {
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
pub(in crate::dialect) fn translation_passes(passes: &[(NatIx, Span)]) -> Vec<Rule> {
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

/// Nothing of IPv6 passes unless somebody allowed it.
pub(in crate::dialect) fn no_ipv6(l: &Lowering<'_>) -> Option<Rule> {
    let system = l.cx.section("system").filter(|s| !l.cx.on(*s, "ipv6allow"))?;
    Some(rule(Row {
        label: "Block all IPv6".to_owned(),
        span: system.span(),
        on: IfMatch::Any,
        src: AddrExpr::AnyV6,
        dst: AddrExpr::Any,
        svc: SvcExpr::Any,
        verdict: Verdict::Drop,
    }))
}

/// Interfaces on which private addresses are refused.
pub(in crate::dialect) fn no_private_networks(l: &Lowering<'_>) -> Vec<Rule> {
    let networks = l.cx.grammar.names("private_networks").iter().filter_map(|n| super::address::literal(n));
    let networks: Vec<AddrExpr> = networks.collect();
    let mut assigned: Vec<(&InterfaceIx, &Element<'_>)> = l.names.rows.iter().collect();
    assigned.sort_by_key(|(ix, _)| **ix);
    let mut rows = Vec::new();
    for (ix, row) in assigned {
        // What the list of bogons takes are addresses nobody has: it narrows no set of public sources.
        row.child("blockbogons");
        if l.cx.on(*row, "blockpriv")
            && let Some(on) = row.child("blockpriv")
        {
            rows.push(rule(Row {
                label: "Block private networks".to_owned(),
                span: on.span(),
                on: IfMatch::These(vec![*ix]),
                src: AddrExpr::Union(networks.clone()),
                dst: AddrExpr::Any,
                svc: SvcExpr::Any,
                verdict: Verdict::Drop,
            }));
        }
    }
    rows
}

/// A portal is reachable on its interfaces whatever the rules say.
pub(in crate::dialect) fn portal(
    l: &Lowering<'_>,
    zone: Element<'_>,
    interfaces: &str,
    ports: Vec<SvcTerm>,
    to: impl Fn(InterfaceIx) -> AddrExpr,
) -> Vec<Rule> {
    let found = names(interfaces).filter_map(|n| l.names.keys.get(n).copied());
    let row = |ix| {
        rule(Row {
            label: "Captive Portal".to_owned(),
            span: zone.span(),
            on: IfMatch::These(vec![ix]),
            src: AddrExpr::Any,
            dst: to(ix),
            svc: SvcExpr::Union(ports.iter().cloned().map(SvcExpr::Term).collect()),
            verdict: Verdict::Accept,
        })
    };
    found.map(row).collect()
}

/// Passes for the peers of IPsec, none of them final, unless somebody switched them off.
pub(in crate::dialect) fn ipsec_peers(l: &Lowering<'_>, off: bool) -> Vec<Rule> {
    if off || (l.cx.product.ipsec_switch)(l).is_some_and(|on| on.value.is_false()) {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for phase1 in l.cx.rows("ipsec", "phase1").into_iter().filter(|p| l.cx.may_be_on(*p, "disabled")) {
        let on = match phase1.filled("interface") {
            Some(e) => l.interface_match(Some(e)),
            None => IfMatch::These(l.names.keys.get("wan").copied().into_iter().collect()),
        };
        let Some(src) = super::ipsec::peer(l, phase1) else { continue };
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

/// Passes that port forwards asked for.
pub(in crate::dialect) fn registered(l: &Lowering<'_>) -> Vec<Rule> {
    let pass = |(association, ix): (Element<'_>, NatIx)| {
        let translation = &l.device.nat.rules[ix.0 as usize];
        let span = association.span();
        Rule {
            live: translation.live.clone(),
            src: translation.src.clone(),
            nat: NatMatch { via: vec![ix], plain_sees_translated: Fact::written(true, span) },
            ..rule(Row {
                label: translation.name.clone(),
                span,
                on: translation.ingress.clone(),
                src: AddrExpr::Any,
                dst: AddrExpr::Nothing,
                svc: SvcExpr::Any,
                verdict: Verdict::Accept,
            })
        }
    };
    super::nat::registered(l).into_iter().map(pass).collect()
}
