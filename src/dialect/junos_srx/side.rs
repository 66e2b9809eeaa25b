//! Signs of the side an interface is on: zones, default routes, PPPoE, DHCP, addresses, translation, VPN endpoints, names.

use super::Lowering;
use super::interface::named;
use super::tunnel::is_tunnel;
use super::value::is_public;
use crate::ir::fact::Origin;
use crate::ir::interface::{AddressHow, InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign};
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{at, below, child, rows, value};
use std::net::IpAddr;

use SidePointer::{Trusted, Tunnel, Untrusted};
use SignStrength::{Medium, Strong, Weak};

/// Collects the signs of every interface.
pub(super) fn lower(l: &mut Lowering<'_>) {
    kinds(l);
    zones(l);
    routes(l);
    translation(l);
    endpoints(l);
    dhcp(l);
}

fn add(l: &mut Lowering<'_>, ix: InterfaceIx, code: &'static str, strength: SignStrength, points_to: SidePointer, at: Span) {
    let signs = &mut l.device.interfaces[ix.0 as usize].signs;
    if !signs.iter().any(|s| s.code == code && s.points_to == points_to) {
        signs.push(TrustSign { code, strength, points_to, origin: Origin::Written(at) });
    }
}

fn kind(l: &Lowering<'_>, ix: InterfaceIx) -> InterfaceKind {
    l.device.interfaces[ix.0 as usize].kind
}

fn kinds(l: &mut Lowering<'_>) {
    // From the factory every port may ask for an address: then asking says nothing about a side.
    let clients = l.device.interfaces.iter().filter(|i| i.addresses.iter().any(|a| a.how == AddressHow::Dhcp)).count();
    for n in 0..l.device.interfaces.len() {
        let ix = InterfaceIx(n as u32);
        let unit = l.names.units[n];
        let span = l.device.interfaces[n].span;
        match kind(l, ix) {
            InterfaceKind::Tunnel => {
                add(l, ix, "sign.tunnel_interface", Strong, Tunnel, span);
                continue;
            }
            InterfaceKind::OutOfBand => add(l, ix, "sign.dedicated_management", Medium, Trusted, span),
            InterfaceKind::Loopback => continue,
            _ => {}
        }
        if let Some(pppoe) = child(unit, "pppoe-options") {
            pppoe.mark_below(crate::syntax::Mark::Read);
            add(l, ix, "sign.pppoe", Strong, Untrusted, pppoe.span());
            if let Some(port) = l.device.interfaces[n].carrier {
                add(l, port, "sign.pppoe_carrier", Strong, Untrusted, pppoe.span());
            }
        } else if kind(l, ix) == InterfaceKind::Ppp {
            add(l, ix, "sign.dialled_line", Strong, Untrusted, span);
        }
        let dhcp =
            l.device.interfaces[n].addresses.iter().find(|a| a.how == AddressHow::Dhcp).and_then(|a| a.net.origin.spans().first().copied());
        if let Some(at) = dhcp.filter(|_| kind(l, ix) != InterfaceKind::OutOfBand && clients <= 2) {
            add(l, ix, "sign.dhcp_client", Medium, Untrusted, at);
        }
        let public = l.device.interfaces[n].addresses.iter().find(|a| !a.v6 && a.net.get().is_some_and(|net| is_public(net.addr)));
        if let Some(at) = public.and_then(|a| a.net.origin.spans().first().copied()) {
            add(l, ix, "sign.public_address", Medium, Untrusted, at);
        }
        let physical = unit.parent().and_then(Node::parent).and_then(|p| value(p, &["description"]));
        for text in value(unit, &["description"]).into_iter().chain(physical) {
            words(l, ix, text.word_or_empty(0), "sign.alias", Weak, Weak, text.span());
        }
    }
}

/// Words in names, by the lists of the grammar.
fn words(l: &mut Lowering<'_>, ix: InterfaceIx, text: &str, code: &'static str, outside: SignStrength, inside: SignStrength, at: Span) {
    for (list, points_to, strength) in [("untrusted_words", Untrusted, outside), ("trusted_words", Trusted, inside)] {
        if l.grammar.names(list).iter().any(|w| holds_word(text, w)) {
            add(l, ix, code, strength, points_to, at);
            return;
        }
    }
}

/// Whether a name holds a word: Latin words between other signs (`untrust-1`, `to_ISP`), others anywhere.
fn holds_word(text: &str, word: &str) -> bool {
    if word.is_ascii() {
        text.split(|c: char| !c.is_ascii_alphabetic()).any(|part| part.eq_ignore_ascii_case(word))
    } else {
        text.contains(word)
    }
}

/// The name of a zone is what its owner declares it to be.
fn zones(l: &mut Lowering<'_>) {
    for zone in l.device.zones.clone() {
        for ix in zone.members {
            if is_tunnel(kind(l, ix)) {
                continue;
            }
            let at = l.names.memberships[ix.0 as usize].map_or(zone.span, |m| m.interface.span());
            if zone.name == "management" && kind(l, ix) == InterfaceKind::OutOfBand {
                continue;
            }
            words(l, ix, &zone.name, "sign.zone_name", Strong, Strong, at);
        }
    }
    // A switch's network is named as a zone would be.
    for vlan in rows(l.own, &["vlans"]) {
        if let Some(port) = value(vlan, &["l3-interface"])
            && let Some(ix) = named(l, port.word_or_empty(0))
        {
            words(l, ix, vlan.word_or_empty(0), "sign.vlan_name", Weak, Weak, vlan.span());
        }
    }
}

/// Routes to everywhere, of the box and of its instances; the instance of the management ports leads to nobody's Internet line.
fn default_routes<'a>(l: &Lowering<'a>) -> Vec<Node<'a>> {
    let mut tables = Vec::new();
    let mut of = |node: Node<'a>| {
        let Some(options) = child(node, "routing-options") else { return };
        tables.extend(at(options, &["static"]));
        for rib in rows(options, &["rib"]) {
            tables.extend(child(rib, "static"));
        }
    };
    of(l.own);
    for instance in rows(l.own, &["routing-instances"]).into_iter().filter(|i| i.word(0) != Some("mgmt_junos")) {
        of(instance);
    }
    let everywhere = |n: &Node<'a>| matches!(n.word(0), Some("0.0.0.0/0" | "::/0" | "0/0" | "default"));
    tables.into_iter().flat_map(|t| rows(t, &["route"])).filter(everywhere).collect()
}

fn routes(l: &mut Lowering<'_>) {
    for route in default_routes(l) {
        for word in ["next-hop", "qualified-next-hop"] {
            for hop in rows(route, &[word]) {
                let text = hop.word_or_empty(0);
                let out = match text.parse::<IpAddr>() {
                    Ok(addr) => l
                        .device
                        .interfaces
                        .iter()
                        .position(|i| i.addresses.iter().filter_map(|a| a.net.get()).any(|n| n.contains(addr)))
                        .map(|ix| InterfaceIx(ix as u32)),
                    Err(_) => named(l, text),
                };
                if let Some(ix) = out.filter(|ix| !is_tunnel(kind(l, *ix)) && kind(l, *ix) != InterfaceKind::OutOfBand) {
                    add(l, ix, "sign.default_route", Strong, Untrusted, hop.span());
                }
            }
        }
    }
}

fn translation(l: &mut Lowering<'_>) {
    for (ix, origin) in l.device.nat.source_nat_on.clone() {
        if let Some(at) = origin.spans().first().copied().filter(|_| !is_tunnel(kind(l, ix))) {
            add(l, ix, "sign.nat_outer", Medium, Untrusted, at);
        }
    }
}

fn endpoints(l: &mut Lowering<'_>) {
    for gateway in rows(l.own, &["security", "ike", "gateway"]) {
        if let Some(outer) = child(gateway, "external-interface").and_then(|n| below(n).next())
            && let Some(ix) = named(l, outer.read().word_or_empty(0)).filter(|ix| !is_tunnel(kind(l, *ix)))
        {
            add(l, ix, "sign.vpn_endpoint", Medium, Untrusted, outer.span());
        }
    }
}

/// Where the box hands out addresses it faces inside.
fn dhcp(l: &mut Lowering<'_>) {
    let listener = l.device.listeners.items.iter().find(|x| x.service == "dhcp");
    let places: Vec<(InterfaceIx, Span)> =
        listener.map(|x| x.bindings.iter().filter_map(|b| Some((b.on?, x.span?))).collect()).unwrap_or_default();
    for (ix, at) in places {
        add(l, ix, "sign.dhcp_scope", Medium, Trusted, at);
    }
}
