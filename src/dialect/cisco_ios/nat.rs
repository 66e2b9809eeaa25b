//! Translation: port forwards and whole addresses published on the outer side, and where sources are translated.
//!
//! Source translation here does not stop what nobody asked for: packets to the box itself pass it unchanged. Only what a static
//! entry names is led elsewhere, also when a service of the box listens on the same port.

use super::{Export, acl, address};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, IfMatch, SvcTerm};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::nat::{NatKind, NatRule};
use crate::syntax::Node;
use std::net::IpAddr;

/// Fills translations.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let outside: Vec<InterfaceIx> = export.ports.iter().filter(|(_, p)| p.nat_outside.is_some()).map(|(ix, _)| ix).collect();
    let sources = export.lines(&["ip", "nat", "inside", "source"]).chain(export.lines(&["ip", "nat", "source"]));
    for node in sources {
        let at = if node.word(2) == Some("inside") { 4 } else { 3 };
        match node.word(at) {
            Some("static") => {
                let rule = fixed(export, node, at + 1, &outside);
                device.nat.rules.extend(rule);
            }
            Some("list" | "route-map") => {
                let named =
                    (at..node.len()).find(|ix| node.word(*ix) == Some("interface")).and_then(|ix| address::interface_name(node, ix + 1));
                let on: Vec<InterfaceIx> = match named.and_then(|(name, _)| export.ports.named(&name)) {
                    Some(ix) => vec![ix],
                    None => outside.clone(),
                };
                device.nat.source_nat_on.extend(on.into_iter().map(|ix| (ix, Origin::Written(node.span()))));
            }
            _ => {}
        }
    }
    for node in export.lines(&["ip", "nat", "inside", "destination", "list"]) {
        device.nat.rules.push(rotary(export, node, &outside));
    }
}

/// Whether a translation acts at all: it needs an outer side.
fn bound(export: &Export<'_>, outside: &[InterfaceIx], node: Node<'_>) -> Fact<bool> {
    match outside.first().and_then(|ix| export.ports.get(*ix)).and_then(|p| p.nat_outside) {
        Some(line) => Fact::written(true, line.span()),
        None if export.may_lack("interfaces").is_some() => {
            Fact::unknown(Why::at(WhyCode::NotExported, "ip nat outside", vec![node.span()]))
        }
        None => Fact::known(false, Origin::inferred("no_outer_side", [Origin::Written(node.span())])),
    }
}

/// The address of an interface, as far as it is written.
fn own_address(export: &Export<'_>, ix: InterfaceIx) -> AddrExpr {
    let net = export.ports.get(ix).and_then(|p| p.nets.iter().find(|n| n.addr.is_ipv4()));
    net.map_or(AddrExpr::SelfAddrs, |n| address::single(n.addr))
}

/// `static tcp L p G q`, `static tcp L p interface X q`, `static L G`, `static network L G /n`.
fn fixed(export: &Export<'_>, node: Node<'_>, at: usize, outside: &[InterfaceIx]) -> Option<NatRule> {
    let live = Live::own(Fact::written(true, node.span())).with(LinkKind::Bound, bound(export, outside, node));
    let mut rule = NatRule {
        name: node.words_from(at).collect::<Vec<_>>().join(" "),
        span: node.span(),
        kind: NatKind::OneToOne,
        live,
        ingress: IfMatch::These(outside.to_vec()),
        family: Family::V4,
        src: Fact::written(AddrExpr::Any, node.span()),
        orig_dst: Fact::written(AddrExpr::Nothing, node.span()),
        orig_svc: Vec::new(),
        to: Fact::written(AddrExpr::Nothing, node.span()),
        to_port: None,
        needs_reference: false,
        layer7: false,
    };
    let global = |at: usize, rule: &mut NatRule| -> Option<usize> {
        if node.word(at) == Some("interface") {
            let (name, next) = address::interface_name(node, at + 1)?;
            match export.ports.named(&name) {
                Some(ix) => {
                    rule.orig_dst = Fact::written(own_address(export, ix), node.span());
                    rule.ingress = IfMatch::These(vec![ix]);
                }
                None => rule.live = rule.live.clone().with(LinkKind::ParentUp, Fact::written(false, node.word_span(at + 1))),
            }
            return Some(next);
        }
        let addr: IpAddr = node.word(at)?.parse().ok()?;
        rule.orig_dst = Fact::written(address::single(addr), node.word_span(at));
        Some(at + 1)
    };
    match node.word(at)? {
        word @ ("tcp" | "udp" | "esp") => {
            let protocol = acl::protocol(export, word, false)?;
            let local: IpAddr = node.word(at + 1)?.parse().ok()?;
            rule.kind = NatKind::PortForward;
            rule.to = Fact::written(address::single(local), node.word_span(at + 1));
            if word == "esp" {
                global(at + 2, &mut rule)?;
                rule.orig_svc = vec![SvcTerm::protocol(protocol)];
            } else {
                let inner = acl::port(export, node.word(at + 2)?)?;
                let next = global(at + 3, &mut rule)?;
                let outer = acl::port(export, node.word(next)?)?;
                rule.orig_svc = vec![SvcTerm::ports(protocol, vec![(outer, outer)])];
                rule.to_port = (inner != outer).then_some(inner);
            }
        }
        "network" => {
            let mask = node.word(at + 3)?;
            let net = |ix: usize| {
                let joined = format!("{}{mask}", node.word_or_empty(ix));
                address::v4_net(if mask.starts_with('/') { &joined } else { node.word_or_empty(ix) }, mask)
            };
            rule.to = Fact::written(address::network(net(at + 1)?), node.word_span(at + 1));
            rule.orig_dst = Fact::written(address::network(net(at + 2)?), node.word_span(at + 2));
        }
        local => {
            rule.to = Fact::written(address::single(local.parse().ok()?), node.word_span(at));
            global(at + 1, &mut rule)?;
        }
    }
    Some(rule)
}

/// `ip nat inside destination list L pool P`: TCP to the addresses of a list is spread over a pool.
fn rotary(export: &Export<'_>, node: Node<'_>, outside: &[InterfaceIx]) -> NatRule {
    let list = export.lists.get(false, node.word_or_empty(5));
    let pool = export.line(&["ip", "nat", "pool", node.word_or_empty(7)]);
    let range = pool.and_then(|n| Some(AddrExpr::Range(n.word(4)?.parse().ok()?, n.word(5)?.parse().ok()?)));
    let unknown = || Fact::unknown(Why::at(WhyCode::Unresolved, node.word_or_empty(7), vec![node.span()]));
    // The list names the published address as its source or, extended, as its destination.
    let published = list.and_then(|l| l.rows.iter().find(|r| r.permit.get() == Some(&true)));
    let orig = published.map(|r| if matches!(r.dst, AddrExpr::AnyV4) { r.src.clone() } else { r.dst.clone() });
    NatRule {
        name: node.words_from(5).collect::<Vec<_>>().join(" "),
        span: node.span(),
        kind: NatKind::LoadBalancer,
        live: Live::own(Fact::written(true, node.span())).with(LinkKind::Bound, bound(export, outside, node)),
        ingress: IfMatch::These(outside.to_vec()),
        family: Family::V4,
        src: Fact::written(AddrExpr::Any, node.span()),
        orig_dst: orig.map_or_else(unknown, |e| Fact::written(e, node.span())),
        orig_svc: vec![SvcTerm::protocol(crate::ir::filter::TCP)],
        to: range.map_or_else(unknown, |e| Fact::written(e, node.span())),
        to_port: None,
        needs_reference: false,
        layer7: false,
    }
}
