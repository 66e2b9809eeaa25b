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
pub(in crate::dialect) enum Families {
    V4,
    V6,
    Both,
}

/// `192.0.2.0/24`, or an address alone.
pub(in crate::dialect) fn network(text: &str) -> Option<IpNet> {
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
pub(in crate::dialect) fn range(net: IpNet) -> AddrExpr {
    let (first, last) = net.range();
    AddrExpr::Range(first, last)
}

/// An address, a network, or a range `a-b`; `None` for anything else.
pub(in crate::dialect) fn literal(text: &str) -> Option<AddrExpr> {
    if let Some(net) = network(text) {
        return Some(range(net));
    }
    let (first, last) = text.split_once('-')?;
    let (first, last): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(AddrExpr::Range(first, last))
}

/// Whether a word can only be a host name: it has a dot and a letter.
pub(in crate::dialect) fn is_host_name(text: &str) -> bool {
    text.contains('.') && text.chars().any(|c| c.is_ascii_alphabetic()) && !text.contains([' ', '/'])
}

/// A set of unknown content.
pub(in crate::dialect) fn opaque(kind: OpaqueKind, text: &str, span: Span) -> AddrExpr {
    AddrExpr::Opaque(Opaque { kind, text: text.to_owned(), span })
}

/// What a row of a section is compared with at one end. `None`: the product does not load the rule.
pub(in crate::dialect) fn endpoint(l: &mut Lowering<'_>, row: Element<'_>, name: &str) -> Option<Fact<AddrExpr>> {
    let silent = l.cx.product.silent_ends;
    let Some(element) = row.child(name) else { return silent.then(|| Fact::written(AddrExpr::Any, row.span())) };
    if silent && element.nodes().next().is_none() && !element.has_text() {
        return Some(Fact::written(AddrExpr::Any, element.span()));
    }
    let fact = if let Some(any) = element.child("any") {
        Fact::written(AddrExpr::Any, any.span())
    } else {
        let named = element.filled("network").or_else(|| element.filled("address"))?;
        Fact::written(named_place(l, named.text(), named.text_span())?, named.span())
    };
    let turned = l.cx.on(element, "not") && !matches!(fact.get(), Some(AddrExpr::Any));
    Some(if turned { fact.map(|e| AddrExpr::Not(Box::new(e.clone()))) } else { fact })
}

/// The same of a row of a model: names separated by commas, and a switch that turns them round.
pub(in crate::dialect) fn model_endpoint(l: &mut Lowering<'_>, row: Element<'_>, list: &str, not: &str) -> Option<Fact<AddrExpr>> {
    let Some(element) = row.filled(list) else { return Some(Fact::written(AddrExpr::Any, row.span())) };
    let mut parts = Vec::new();
    for name in super::context::names(element.text()) {
        parts.push(named_place(l, name, element.text_span())?);
    }
    let expr = match <[AddrExpr; 1]>::try_from(parts) {
        Ok([one]) => one,
        Err(parts) => AddrExpr::Union(parts),
    };
    let turned = l.cx.on(row, not) && !matches!(expr, AddrExpr::Any);
    Some(Fact::written(if turned { AddrExpr::Not(Box::new(expr)) } else { expr }, element.span()))
}

/// A network of an interface, an address of the box, an alias, or an address as written.
pub(in crate::dialect) fn named_place(l: &mut Lowering<'_>, text: &str, span: Span) -> Option<AddrExpr> {
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
    if l.names.empty_groups.contains(text) && !l.names.groups.contains_key(text) {
        return Some(AddrExpr::Nothing);
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
pub(in crate::dialect) fn undefined(l: &mut Lowering<'_>, kind: &'static str, name: &str, span: Span) {
    let effect = l.cx.default("rule.undefined_name", Some(span), |v| (v == "ignored").then_some(IfUndefined::RuleIgnored));
    l.device.undefined.items.push(Undefined { kind, name: name.to_owned(), span, effect });
}

/// Only the addresses of a family.
pub(in crate::dialect) fn within(expr: AddrExpr, families: Families) -> AddrExpr {
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
pub(in crate::dialect) fn port_range(text: &str) -> Option<(u16, u16)> {
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
    if text.eq_ignore_ascii_case("any") {
        return Some(Ports::Known(Vec::new()));
    }
    let mut all = Vec::new();
    for word in super::context::names(text) {
        let named = port_range(word).map(|range| Ports::Known(vec![range])).or_else(|| l.aliases.ports(word));
        match (named, l.cx.lookup("port_names", word).and_then(port_range)) {
            (Some(Ports::Known(more)), _) => all.extend(more),
            (Some(Ports::Unknown), _) => return Some(Ports::Unknown),
            (None, Some(range)) => all.push(range),
            (None, None) if l.cx.gap("objects").is_some() => return Some(Ports::Unknown),
            (None, None) => {
                undefined(l, "service", word, element.text_span());
                return None;
            }
        }
    }
    Some(Ports::Known(all))
}

/// The protocols a word stands for.
pub(in crate::dialect) fn protocols(l: &Lowering<'_>, word: &str, families: Families) -> Option<Vec<u8>> {
    Some(match word {
        "tcp" => vec![TCP],
        "udp" => vec![UDP],
        "tcp/udp" | "tcp udp" => vec![TCP, UDP],
        "icmp" if families == Families::V6 => vec![ICMPV6],
        "icmp" if families == Families::Both => vec![ICMP, ICMPV6],
        "icmp" => vec![ICMP],
        word => vec![word.parse().ok().or_else(|| l.cx.lookup("protocols", word)?.parse().ok())?],
    })
}

/// Where a row keeps what its service is made of: sections, older ones and models name it differently.
#[derive(Clone, Copy)]
pub(in crate::dialect) struct ServiceAt {
    src_port: &'static str,
    dst_port: &'static str,
    icmp: [&'static str; 2],
}

/// Rows of sections.
pub(in crate::dialect) const SECTION: ServiceAt =
    ServiceAt { src_port: "source/port", dst_port: "destination/port", icmp: ["icmptype", "icmptype"] };
/// Rows of sections that name types of both versions apart.
pub(in crate::dialect) const SECTION_APART: ServiceAt = ServiceAt { icmp: ["icmptype", "icmp6-type"], ..SECTION };
/// Rows of the models.
pub(in crate::dialect) const MODEL: ServiceAt =
    ServiceAt { src_port: "source_port", dst_port: "destination_port", icmp: ["icmptype", "icmp6type"] };

/// What a rule's protocol and ports stand for. `None`: the product does not load the rule.
pub(in crate::dialect) fn service(l: &mut Lowering<'_>, rule: Element<'_>, families: Families, at: ServiceAt) -> Option<Fact<SvcExpr>> {
    let named = match rule.filled("protocol").filter(|p| !p.text().eq_ignore_ascii_case("any")) {
        Some(protocol) => match protocols(l, &protocol.text().to_ascii_lowercase(), families) {
            Some(list) => Some((list, protocol.span())),
            None => return Some(Fact::unknown(Why::at(WhyCode::Unmodelled, protocol.text(), vec![protocol.span()]))),
        },
        None => None,
    };
    let of_protocol = named.as_ref().is_some_and(|(list, _)| list.iter().any(|p| *p == TCP || *p == UDP));
    let count = of_protocol || l.cx.product.ports_mean_tcp;
    let (src, dst) = match count {
        true => (ports(l, rule.at(at.src_port))?, ports(l, rule.at(at.dst_port))?),
        false => (Ports::Known(Vec::new()), Ports::Known(Vec::new())),
    };
    let has_ports = !matches!((&src, &dst), (Ports::Known(a), Ports::Known(b)) if a.is_empty() && b.is_empty());
    let (list, span) = match named {
        Some(named) => named,
        None if has_ports => (vec![TCP], rule.span()),
        None => return Some(Fact::written(SvcExpr::Any, rule.span())),
    };
    let span = rule.at(at.dst_port).filter(|p| p.has_text() && count).map_or(span, |p| p.span());
    let (Ports::Known(src), Ports::Known(dst)) = (src, dst) else {
        return Some(Fact::unknown(Why::at(WhyCode::RuntimeContent, "port", vec![span])));
    };
    let mut terms = Vec::new();
    for protocol in list {
        if protocol == TCP || protocol == UDP {
            let term = SvcTerm { protocol: Some(protocol), src_ports: src.clone(), dst_ports: dst.clone(), icmp: None };
            terms.push(SvcExpr::Term(term));
        } else if protocol == ICMP || protocol == ICMPV6 {
            terms.extend(icmp(l, rule, protocol, at.icmp[usize::from(protocol == ICMPV6)]));
        } else {
            terms.push(SvcExpr::Term(SvcTerm::protocol(protocol)));
        }
    }
    Some(Fact::written(SvcExpr::Union(terms), span))
}

/// The types of ICMP a rule names; all when it names none.
fn icmp(l: &Lowering<'_>, rule: Element<'_>, protocol: u8, at: &str) -> Vec<SvcExpr> {
    let Some(element) = rule.filled(at).filter(|e| e.text() != "any") else {
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
