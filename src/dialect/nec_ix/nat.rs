//! NAPT and NAT of interfaces: static entries as translations, and what happens to packets that match none.
//!
//! An entry whose inside is the interface itself, or one of the router's own addresses, leads to the router: that is how IPsec and
//! management get through NAPT. Without `ip napt enable` entries do nothing, and packets to the router are not held back either.

use super::interface::Port;
use super::lines::is;
use super::{Export, address, ambiguous};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{AddrExpr, Family, ICMP, IfMatch, SvcTerm, TCP, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::nat::{NatKind, NatRule, Unmatched, UnmatchedEffect};
use crate::syntax::Node;

/// Fills translations.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    for (ix, port) in export.ports.iter() {
        let own = own(device, ix);
        let napt = port.lines.flag(&["ip", "napt", "enable"]);
        for node in port.lines.all(&["ip", "napt", "static"]) {
            device.nat.rules.extend(napt_static(export, port, ix, node, &own, napt.as_ref()));
        }
        for node in port.lines.all(&["ip", "napt", "service"]) {
            device.nat.rules.extend(napt_service(export, port, ix, node, &own, napt.as_ref()));
        }
        let nat = port.lines.flag(&["ip", "nat", "enable"]);
        for node in port.lines.all(&["ip", "nat", "static"]) {
            device.nat.rules.extend(nat_static(port, ix, node, nat.as_ref()));
        }
        let ingress = IfMatch::These(vec![ix]);
        if let Some(on) = napt.filter(|f| f.value.is_true()) {
            device.nat.source_nat_on.push((ix, on.origin.clone()));
            let drop = export.absent_at("ip napt unmatched", port.node.span(), |v| (v == "discard").then_some(UnmatchedEffect::Drop));
            let effect = Fact { value: drop.value, origin: Origin::all([on.origin, drop.origin]) };
            device.nat.unmatched.push(Unmatched { ingress, effect });
        } else if let Some(on) = nat.filter(|f| f.value.is_true()) {
            device.nat.source_nat_on.push((ix, on.origin));
            let effect = export.absent_at("ip nat unmatched", port.node.span(), |v| (v == "forward").then_some(UnmatchedEffect::Pass));
            device.nat.unmatched.push(Unmatched { ingress, effect });
        }
    }
}

/// The interface's own address, where the export shows one.
fn own(device: &Device, ix: InterfaceIx) -> AddrExpr {
    let addresses = device.interfaces.get(ix.0 as usize).into_iter().flat_map(|i| &i.addresses);
    let mut known = addresses.filter(|a| !a.v6).filter_map(|a| a.net.get().map(|n| address::single(n.addr)));
    known.next().unwrap_or(AddrExpr::SelfAddrs)
}

fn live(port: &Port<'_>, node: Node<'_>, enabled: Option<&Fact<bool>>) -> Live {
    let on = enabled.cloned().unwrap_or_else(|| {
        Fact::known(false, Origin::inferred("nat_not_enabled", [Origin::Written(node.span()), Origin::Written(port.node.span())]))
    });
    Live::own(Fact::written(true, node.span())).with(LinkKind::FeatureOn, on)
}

/// Where an entry leads: the first argument is an interface or an inside address.
fn inside(export: &Export<'_>, node: Node<'_>, at: usize, ix: InterfaceIx, own: &AddrExpr) -> Fact<AddrExpr> {
    let word = node.word_or_empty(at);
    let span = node.word_span(at);
    match (export.ports.named(word), address::net(word)) {
        (Some(named), _) if named == ix => Fact::written(own.clone(), span),
        (Some(_), _) => Fact::written(AddrExpr::SelfAddrs, span),
        (None, Some(net)) => Fact::written(address::whole(net), span),
        (None, None) => ambiguous("ip napt", node.span()),
    }
}

/// `tcp 80`, `udp 500`, `50`, `icmp any`: protocol and ports from a word on.
fn term(export: &Export<'_>, node: Node<'_>, at: usize) -> Option<SvcTerm> {
    let protocol = export.names.protocol(node.word(at)?)?;
    match protocol {
        TCP | UDP => Some(SvcTerm::ports(protocol, address::ports(&export.names, node.word(at + 1)?)?)),
        ICMP => Some(SvcTerm { protocol: Some(ICMP), src_ports: Vec::new(), dst_ports: Vec::new(), icmp: None }),
        other => Some(SvcTerm::protocol(other)),
    }
}

fn base(port: &Port<'_>, ix: InterfaceIx, node: Node<'_>, live: Live, to: Fact<AddrExpr>, svc: Vec<SvcTerm>, own: &AddrExpr) -> NatRule {
    NatRule {
        // Commands name an entry by its words.
        name: node.words_from(0).collect::<Vec<_>>().join(" "),
        span: node.span(),
        kind: NatKind::PortForward,
        live,
        ingress: IfMatch::These(vec![ix]),
        family: Family::V4,
        src: Fact::written(AddrExpr::AnyV4, node.span()),
        orig_dst: Fact::written(own.clone(), port.node.span()),
        orig_svc: svc,
        to,
        to_port: None,
        needs_reference: false,
        layer7: false,
    }
}

/// `ip napt static INSIDE PROTOCOL [PORT]`.
fn napt_static(
    export: &Export<'_>,
    port: &Port<'_>,
    ix: InterfaceIx,
    node: Node<'_>,
    own: &AddrExpr,
    enabled: Option<&Fact<bool>>,
) -> Option<NatRule> {
    node.word(4)?;
    let to = inside(export, node, 3, ix, own);
    let mut live = live(port, node, enabled);
    let svc = term(export, node, 4);
    if svc.is_none() {
        live = live.with(LinkKind::FeatureOn, ambiguous("ip napt static", node.span()));
    }
    Some(base(port, ix, node, live, to, svc.into_iter().collect(), own))
}

/// `ip napt service NAME INSIDE [OUTSIDE|none] [PROTOCOL PORT]`; a name the product knows needs no protocol.
fn napt_service(
    export: &Export<'_>,
    port: &Port<'_>,
    ix: InterfaceIx,
    node: Node<'_>,
    own: &AddrExpr,
    enabled: Option<&Fact<bool>>,
) -> Option<NatRule> {
    let name = node.word(3)?;
    node.word(4)?;
    let to = inside(export, node, 4, ix, own);
    let mut live = live(port, node, enabled);
    let outside = node.word(5).filter(|w| !w.eq_ignore_ascii_case("none"));
    let written = if node.len() > 6 { term(export, node, 6) } else { None };
    let known = || export.grammar.file.services.get(&name.to_ascii_lowercase()).and_then(|s| known_service(s));
    let svc = written.or_else(|| if node.len() <= 6 { known() } else { None });
    if svc.is_none() || outside.is_some_and(|w| address::net(w).is_none()) {
        live = live.with(LinkKind::FeatureOn, ambiguous("ip napt service", node.span()));
    }
    let orig = outside.and_then(address::net).map_or_else(|| own.clone(), address::whole);
    Some(base(port, ix, node, live, to, svc.into_iter().collect(), &orig))
}

/// `tcp/80` of the grammar's table.
fn known_service(text: &str) -> Option<SvcTerm> {
    let (protocol, ports) = text.split_once('/')?;
    let protocol = match protocol {
        "tcp" => TCP,
        "udp" => UDP,
        _ => return None,
    };
    let port: u16 = ports.parse().ok()?;
    Some(SvcTerm::ports(protocol, vec![(port, port)]))
}

/// `ip nat static INSIDE OUTSIDE`: whole addresses.
fn nat_static(port: &Port<'_>, ix: InterfaceIx, node: Node<'_>, enabled: Option<&Fact<bool>>) -> Option<NatRule> {
    let set = |at: usize| match node.word(at).and_then(address::net) {
        Some(net) => Fact::written(address::whole(net), node.word_span(at)),
        None => ambiguous("ip nat static", node.span()),
    };
    if node.len() < 5 || is(node, 3, "list") {
        return None;
    }
    let mut rule = base(port, ix, node, live(port, node, enabled), set(3), Vec::new(), &AddrExpr::SelfAddrs);
    rule.kind = NatKind::OneToOne;
    rule.orig_dst = set(4);
    Some(rule)
}
