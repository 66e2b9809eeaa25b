//! Translations: port forwards, whole addresses one to one, and on which interfaces sources are translated.
//!
//! A port forward is followed by the rule list, which sees the inside address; with `pass` as its association no rule is asked.

use super::address::{self, Families};
use super::context::{enabled, names};
use super::{Lowering, rule};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, SvcExpr, SvcTerm};
use crate::ir::interface::AddressHow;
use crate::ir::live::{LinkKind, Live};
use crate::ir::nat::{NatIx, NatKind, NatRule};
use crate::source::Span;
use crate::syntax::xml::Element;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    if l.cx.at("system/disablefilter").is_some() {
        return;
    }
    for (number, row) in forwards(l).into_iter().enumerate() {
        let translation = forward(l, row, number);
        l.device.nat.rules.push(translation);
    }
    for row in l.cx.rows("nat", "onetoone") {
        let translation = one_to_one(l, row);
        l.device.nat.rules.extend(translation);
    }
    sources(l);
}

/// Port forwards; those by which something is exempted translate nothing.
fn forwards<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    let rows = l.cx.rows("nat", "rule").into_iter();
    rows.filter(|r| r.has("target") && !r.has("nordr") && !r.has("separator")).collect()
}

impl Lowering<'_> {
    /// Port forwards that pass without a rule.
    pub(super) fn translation_passes(&self) -> Vec<(NatIx, Span)> {
        let rows = forwards(self).into_iter().enumerate();
        rows.filter_map(|(n, row)| {
            let pass = row.filled("associated-rule-id").filter(|e| e.text() == "pass")?;
            (n < self.device.nat.rules.len()).then(|| (NatIx(n as u32), pass.span()))
        })
        .collect()
    }
}

fn family(families: Families) -> Family {
    match families {
        Families::V4 => Family::V4,
        Families::V6 => Family::V6,
        Families::Both => Family::Both,
    }
}

fn name(row: Element<'_>, number: usize) -> String {
    row.value("descr").map_or_else(|| (number + 1).to_string(), str::to_owned)
}

fn forward<'a>(l: &mut Lowering<'a>, row: Element<'a>, number: usize) -> NatRule {
    for known in ["natreflection", "poolopts", "source_hash_key"] {
        row.child(known);
    }
    let span = row.span();
    let families = rule::families(row);
    let mut live = Live::own(enabled(row, "disabled"));
    let src = match row.child("source") {
        Some(source) => address::endpoint(l, Some(source)),
        None => Some(Fact::written(AddrExpr::Any, span)),
    };
    let dst = match row.child("destination") {
        Some(destination) => address::endpoint(l, Some(destination)),
        None => Some(old_destination(l, row)),
    };
    let svc = address::service(l, row, families).map(|svc| svc.map(terms));
    let target = row.filled("target");
    let to = target.and_then(|t| address::named_place(l, t.text(), t.text_span()).map(|e| Fact::written(e, t.span())));
    if src.is_none() || dst.is_none() || svc.is_none() || to.is_none() {
        live = live.with(LinkKind::Referenced, Fact::known(false, Origin::inferred("rule_not_loaded", [Origin::Written(span)])));
    }
    let unknown = || Fact::unknown(Why::at(WhyCode::Unresolved, "alias", vec![span]));
    let (orig_svc, sure) = match svc.as_ref().and_then(Fact::get) {
        Some(terms) => (terms.clone(), true),
        None => (Vec::new(), false),
    };
    let orig_svc = match row.filled("external-port").and_then(|p| address::port_range(p.text())) {
        Some(ports) => orig_svc.into_iter().map(|t| SvcTerm { dst_ports: vec![ports], ..t }).collect(),
        None => orig_svc,
    };
    if !sure {
        live = live.with(LinkKind::Referenced, Fact::unknown(Why::at(WhyCode::RuntimeContent, "port", vec![span])));
    }
    NatRule {
        name: name(row, number),
        span,
        kind: NatKind::PortForward,
        live,
        ingress: l.interface_match(row.filled("interface")),
        family: family(families),
        src: src.unwrap_or_else(unknown),
        orig_dst: dst.unwrap_or_else(unknown),
        orig_svc,
        to: to.unwrap_or_else(unknown),
        to_port: first_port(l, row),
        needs_reference: false,
        layer7: false,
    }
}

/// The form of releases before 2.0: the address outside by itself, or that of the interface.
fn old_destination(l: &Lowering<'_>, row: Element<'_>) -> Fact<AddrExpr> {
    if let Some(e) = row.filled("external-address") {
        return match address::literal(e.text()) {
            Some(expr) => Fact::written(expr, e.span()),
            None => Fact::written(AddrExpr::Any, e.span()),
        };
    }
    let on = row.value("interface").unwrap_or("wan");
    match l.names.keys.get(on) {
        Some(ix) => Fact::written(AddrExpr::InterfaceAddr(*ix), row.span()),
        None => Fact::written(AddrExpr::SelfAddrs, row.span()),
    }
}

/// Blocks of protocol and ports of a service.
fn terms(svc: &SvcExpr) -> Vec<SvcTerm> {
    match svc {
        SvcExpr::Term(term) => vec![term.clone()],
        SvcExpr::Union(parts) => parts.iter().flat_map(terms).collect(),
        _ => Vec::new(),
    }
}

/// The first port inside, where it differs from the one outside.
fn first_port(l: &Lowering<'_>, row: Element<'_>) -> Option<u16> {
    let text = row.value("local-port")?;
    match address::port_range(text) {
        Some((first, _)) => Some(first),
        None => match l.aliases.ports(text) {
            Some(super::alias::Ports::Known(list)) if list.len() == 1 => list.first().map(|(first, _)| *first),
            // An alias of several ports leaves ports as they are.
            _ => None,
        },
    }
}

fn one_to_one<'a>(l: &mut Lowering<'a>, row: Element<'a>) -> Option<NatRule> {
    for known in ["natreflection", "subnet", "nobinat"] {
        row.child(known);
    }
    let span = row.span();
    let external = row.filled("external")?;
    let inside = match row.filled("internal") {
        Some(e) => Fact::written(address::literal(e.text())?, e.span()),
        None => address::endpoint(l, row.child("source"))?,
    };
    // The network outside has the size of the one inside.
    let outside = match (address::network(external.text()), inside.get()) {
        (Some(net), Some(AddrExpr::Range(first, last))) => sized(net.addr, *first, *last),
        _ => address::named_place(l, external.text(), external.text_span())?,
    };
    let src = match row.child("destination") {
        Some(peer) => address::endpoint(l, Some(peer))?,
        None => Fact::written(AddrExpr::Any, span),
    };
    let v6 = matches!(inside.get(), Some(AddrExpr::Range(first, _)) if first.is_ipv6());
    Some(NatRule {
        name: name(row, l.device.nat.rules.len()),
        span,
        kind: NatKind::OneToOne,
        live: Live::own(enabled(row, "disabled")),
        ingress: l.interface_match(row.filled("interface")),
        family: if v6 { Family::V6 } else { Family::V4 },
        src,
        orig_dst: Fact::written(outside, external.span()),
        orig_svc: Vec::new(),
        to: inside,
        to_port: None,
        needs_reference: false,
        layer7: false,
    })
}

/// As many addresses from `start` on as there are from `first` to `last`.
fn sized(start: std::net::IpAddr, first: std::net::IpAddr, last: std::net::IpAddr) -> AddrExpr {
    use std::net::IpAddr::{V4, V6};
    let end = match (start, first, last) {
        (V4(s), V4(a), V4(b)) => V4(u32::from(s).saturating_add(u32::from(b).saturating_sub(u32::from(a))).into()),
        (V6(s), V6(a), V6(b)) => V6(u128::from(s).saturating_add(u128::from(b).saturating_sub(u128::from(a))).into()),
        _ => start,
    };
    AddrExpr::Range(start, end)
}

/// Interfaces on which sources are translated on the way out: outside ones by themselves, others where a row says so.
fn sources(l: &mut Lowering<'_>) {
    let outbound = l.cx.at("nat/outbound");
    let mode = outbound.and_then(|o| o.value("mode")).unwrap_or("");
    let automatic = !matches!(mode, "advanced" | "disabled");
    let mut list = Vec::new();
    if automatic {
        let origin = l.cx.behaviour("nat.outbound.automatic", outbound.map(|o| o.span())).origin;
        for (ix, row) in &l.names.rows {
            let interface = &l.device.interfaces[ix.0 as usize];
            let taken = interface.addresses.iter().any(|a| !a.v6 && matches!(a.how, AddressHow::Dhcp | AddressHow::Ppp));
            if taken || row.value("gateway").is_some_and(|g| g != "none") {
                list.push((*ix, origin.clone()));
            }
        }
    }
    let rows: Vec<Element<'_>> = outbound.into_iter().flat_map(|o| o.all("rule")).collect();
    for row in rows.into_iter().filter(|r| matches!(mode, "advanced" | "hybrid") && !r.has("disabled") && !r.has("nonat")) {
        row.read_below();
        let Some(on) = row.filled("interface") else { continue };
        let (found, _) = l.interfaces(on.text());
        let local = |t: &str| t.starts_with("127.") || t.starts_with("::1");
        // Rows for the box's own packets say nothing about networks.
        if row.value("source/network").is_some_and(local) && names(on.text()).count() == 1 {
            continue;
        }
        list.extend(found.into_iter().map(|ix| (ix, Origin::Written(on.span()))));
    }
    list.sort_by_key(|(ix, origin)| (*ix, !matches!(origin, Origin::Written(_))));
    l.device.nat.source_nat_on = list;
}
