//! Addresses, ports and protocols as the product writes them: in rules, aliases, translations and tunnels.

use super::Lowering;
use super::alias::Ports;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, ICMP, ICMPV6, Opaque, OpaqueKind, SvcExpr, SvcTerm, TCP, UDP};
use crate::ir::interface::IpNet;
use crate::ir::system::{IfUndefined, Undefined};
use crate::source::Span;
use crate::syntax::xml::Element;
use std::net::IpAddr;

/// Address family of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Families {
    V4,
    V6,
    Both,
}

/// `192.0.2.0/24`, or an address alone.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let (addr, prefix) = match text.split_once('/') {
        Some((addr, prefix)) => (addr.trim().parse::<IpAddr>().ok()?, prefix.trim().parse().ok()?),
        None => {
            let addr: IpAddr = text.trim().parse().ok()?;
            (addr, if addr.is_ipv4() { 32 } else { 128 })
        }
    };
    Some(IpNet::new(addr, prefix))
}

/// The range of a network.
pub(super) fn range(net: IpNet) -> AddrExpr {
    let (first, last) = net.range();
    AddrExpr::Range(first, last)
}

/// An address, a network, or a range `a-b`; `None` for anything else.
pub(super) fn literal(text: &str) -> Option<AddrExpr> {
    if let Some(net) = network(text) {
        return Some(range(net));
    }
    let (first, last) = text.split_once('-')?;
    let (first, last): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(AddrExpr::Range(first, last))
}

/// Whether a word can only be a host name: it has a dot and a letter.
pub(super) fn is_host_name(text: &str) -> bool {
    text.contains('.') && text.chars().any(|c| c.is_ascii_alphabetic()) && !text.contains([' ', '/'])
}

/// A set of unknown content.
pub(super) fn opaque(kind: OpaqueKind, text: &str, span: Span) -> AddrExpr {
    AddrExpr::Opaque(Opaque { kind, text: text.to_owned(), span })
}

/// What a rule is compared with at one end. `None`: the product does not load the rule.
pub(super) fn endpoint(l: &mut Lowering<'_>, element: Option<Element<'_>>) -> Option<Fact<AddrExpr>> {
    let element = element?;
    let fact = if let Some(any) = element.child("any") {
        Fact::written(AddrExpr::Any, any.span())
    } else {
        let named = element.filled("network").or_else(|| element.filled("address"))?;
        Fact::written(named_place(l, named.text(), named.text_span())?, named.span())
    };
    Some(match element.child("not") {
        Some(_) => fact.map(|e| AddrExpr::Not(Box::new(e.clone()))),
        None => fact,
    })
}

/// A network of an interface, an address of the box, an alias, or an address as written.
pub(super) fn named_place(l: &mut Lowering<'_>, text: &str, span: Span) -> Option<AddrExpr> {
    if text == "any" {
        return Some(AddrExpr::Any);
    }
    if text == "(self)" {
        return Some(AddrExpr::SelfAddrs);
    }
    if let Some(known) = literal(text) {
        return Some(known);
    }
    if let Some(ix) = l.names.keys.get(text) {
        return Some(AddrExpr::InterfaceNet(*ix));
    }
    if let Some(ix) = text.strip_suffix("ip").and_then(|key| l.names.keys.get(key)) {
        return Some(AddrExpr::InterfaceAddr(*ix));
    }
    if let Some(members) = l.names.groups.get(text) {
        return Some(AddrExpr::Union(members.iter().map(|m| AddrExpr::InterfaceNet(*m)).collect()));
    }
    if let Some(object) = l.aliases.addresses(text) {
        return Some(AddrExpr::Object(object));
    }
    if is_host_name(text) {
        return Some(opaque(OpaqueKind::Fqdn, text, span));
    }
    if l.cx.gap("objects").is_some() || l.cx.listed("system_aliases", text) {
        return Some(opaque(OpaqueKind::Undefined, text, span));
    }
    undefined(l, "address", text, span);
    None
}

/// Notes a name that is defined nowhere; the product leaves out the row that uses it.
pub(super) fn undefined(l: &mut Lowering<'_>, kind: &'static str, name: &str, span: Span) {
    let effect = l.cx.default("rule.undefined_name", Some(span), |v| (v == "ignored").then_some(IfUndefined::RuleIgnored));
    l.device.undefined.items.push(Undefined { kind, name: name.to_owned(), span, effect });
}

/// Only the addresses of a family.
pub(super) fn within(expr: AddrExpr, families: Families) -> AddrExpr {
    let (all, other) = match families {
        Families::Both => return expr,
        Families::V4 => (AddrExpr::AnyV4, AddrExpr::AnyV6),
        Families::V6 => (AddrExpr::AnyV6, AddrExpr::AnyV4),
    };
    match expr {
        AddrExpr::Any => all,
        AddrExpr::Range(first, _) if first.is_ipv4() == (families == Families::V4) => expr,
        other_expr => AddrExpr::Except(Box::new(other_expr), Box::new(other)),
    }
}

/// One port, `a-b` or `a:b`; `any` as a bound is the end of all ports.
pub(super) fn port_range(text: &str) -> Option<(u16, u16)> {
    let bound = |t: &str, any: u16| if t.trim() == "any" { Some(any) } else { t.trim().parse::<u16>().ok() };
    match text.split_once(['-', ':']) {
        Some((first, last)) => Some((bound(first, 0)?, bound(last, u16::MAX)?)).filter(|(a, b)| a <= b),
        None => bound(text, 0).map(|p| (p, if text.trim() == "any" { u16::MAX } else { p })),
    }
}

/// The ports an element names: a number, a range, a name of a service, an alias. `None`: the product does not load the rule.
fn ports(l: &mut Lowering<'_>, element: Option<Element<'_>>) -> Option<Ports> {
    let Some(element) = element.filter(|e| e.has_text()) else { return Some(Ports::Known(Vec::new())) };
    let text = element.text();
    if let Some(range) = port_range(text) {
        return Some(Ports::Known(vec![range]));
    }
    if let Some(ports) = l.aliases.ports(text) {
        return Some(ports);
    }
    if let Some(port) = l.cx.lookup("port_names", text).and_then(port_range) {
        return Some(Ports::Known(vec![port]));
    }
    if l.cx.gap("objects").is_some() {
        return Some(Ports::Unknown);
    }
    undefined(l, "service", text, element.text_span());
    None
}

/// The protocols a word stands for.
pub(super) fn protocols(l: &Lowering<'_>, word: &str, families: Families) -> Option<Vec<u8>> {
    Some(match word {
        "tcp" => vec![TCP],
        "udp" => vec![UDP],
        "tcp/udp" | "tcp udp" => vec![TCP, UDP],
        "icmp" => match families {
            Families::V4 => vec![ICMP],
            Families::V6 => vec![ICMPV6],
            Families::Both => vec![ICMP, ICMPV6],
        },
        word => vec![word.parse().ok().or_else(|| l.cx.lookup("protocols", word)?.parse().ok())?],
    })
}

/// What a rule's protocol and ports stand for. `None`: the product does not load the rule.
pub(super) fn service(l: &mut Lowering<'_>, rule: Element<'_>, families: Families) -> Option<Fact<SvcExpr>> {
    let src = ports(l, rule.at("source/port"))?;
    let dst = ports(l, rule.at("destination/port"))?;
    let has_ports = !matches!((&src, &dst), (Ports::Known(a), Ports::Known(b)) if a.is_empty() && b.is_empty());
    let (list, span) = match rule.filled("protocol").filter(|p| p.text() != "any") {
        Some(protocol) => match protocols(l, protocol.text(), families) {
            Some(list) => (list, protocol.span()),
            None => return Some(Fact::unknown(Why::at(WhyCode::Unmodelled, protocol.text(), vec![protocol.span()]))),
        },
        // Ports without a protocol are those of TCP.
        None if has_ports => (vec![TCP], rule.span()),
        None => return Some(Fact::written(SvcExpr::Any, rule.span())),
    };
    let at = rule.at("destination/port").filter(|p| p.has_text()).map_or(span, |p| p.span());
    let (Ports::Known(src), Ports::Known(dst)) = (src, dst) else {
        return Some(Fact::unknown(Why::at(WhyCode::RuntimeContent, "port", vec![at])));
    };
    let mut terms = Vec::new();
    for protocol in list {
        if protocol == TCP || protocol == UDP {
            let term = SvcTerm { protocol: Some(protocol), src_ports: src.clone(), dst_ports: dst.clone(), icmp: None };
            terms.push(SvcExpr::Term(term));
        } else if protocol == ICMP || protocol == ICMPV6 {
            terms.extend(icmp(l, rule, protocol));
        } else {
            terms.push(SvcExpr::Term(SvcTerm::protocol(protocol)));
        }
    }
    Some(Fact::written(SvcExpr::Union(terms), at))
}

/// The types of ICMP a rule names; all when it names none.
fn icmp(l: &Lowering<'_>, rule: Element<'_>, protocol: u8) -> Vec<SvcExpr> {
    let Some(element) = rule.filled("icmptype").filter(|e| e.text() != "any") else {
        return vec![SvcExpr::Term(SvcTerm::protocol(protocol))];
    };
    let list = if protocol == ICMP { "icmp_types" } else { "icmp6_types" };
    let term = |word: &str| match word.parse().ok().or_else(|| l.cx.lookup(list, word)?.parse().ok()) {
        Some(kind) => Some(SvcExpr::Term(SvcTerm { icmp: Some((kind, None)), ..SvcTerm::protocol(protocol) })),
        // A type of the other family's list.
        None if l.cx.lookup("icmp_types", word).or(l.cx.lookup("icmp6_types", word)).is_some() => None,
        None => Some(SvcExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: word.to_owned(), span: element.text_span() })),
    };
    super::context::names(element.text()).filter_map(term).collect()
}
