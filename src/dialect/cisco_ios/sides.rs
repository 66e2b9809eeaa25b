//! The signs of an interface's side, one rule a row: default route, PPPoE, translation, front routing tables, zones, crypto maps,
//! neighbours of another organisation, public addresses; and for the inside: translation, DHCP, own routing protocols.
//!
//! A sign names the line it was read from. A switch has no Internet side of its own, so its default gateway proves nothing.

use super::interface::{Port, dial_pool, is_public};
use super::{Export, identity, routing, vpn};
use crate::ir::Device;
use crate::ir::fact::Origin;
use crate::ir::interface::{InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign};
use crate::source::Span;
use SidePointer::{RemoteAccess, Trusted, Tunnel, Untrusted};
use SignStrength::{Medium, Strong, Weak};

/// Words of zone and table names, lower case, that say outside or inside.
fn word_side(export: &Export<'_>, name: &str) -> Option<SidePointer> {
    let lower = name.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let one_of =
        |list: &str| export.grammar.names(list).iter().any(|w| parts.iter().any(|p| p == w || w.len() > 4 && p.contains(w.as_str())));
    if one_of("outside_words") {
        Some(Untrusted)
    } else if one_of("inside_words") {
        Some(Trusted)
    } else {
        None
    }
}

/// Writes the signs of all interfaces.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let is_switch = identity::is_switch(export);
    let mut signs: Vec<Vec<TrustSign>> = device.interfaces.iter().map(|_| Vec::new()).collect();
    let mut add = |ix: InterfaceIx, code, strength, points_to, span: Span| {
        if let Some(list) = signs.get_mut(ix.0 as usize) {
            let origin = Origin::Written(span);
            if !list.iter().any(|s: &TrustSign| s.code == code) {
                list.push(TrustSign { code, strength, points_to, origin });
            }
        }
    };
    for (ix, port) in export.ports.iter() {
        block_signs(export, port, is_switch, &mut |code, strength, side, span| add(ix, code, strength, side, span));
    }
    let interior = routing::interior(export);
    let speaks = |ix: InterfaceIx| interior.iter().any(|(i, _)| *i == ix);
    for (ix, span) in routing::default_routes(export) {
        let Some(port) = export.ports.get(ix) else { continue };
        let kept = match port.kind {
            InterfaceKind::Tunnel => vpn::is_carrier(export, port).then_some(Strong),
            InterfaceKind::OutOfBand | InterfaceKind::Loopback => None,
            _ if is_switch => None,
            // Towards a router of one's own it is one more link inside.
            _ if speaks(ix) => None,
            _ => Some(Strong),
        };
        kept.into_iter().for_each(|strength| add(ix, "sign.default_route", strength, Untrusted, span));
    }
    for (ix, span) in routing::exterior(export) {
        add(ix, "sign.exterior_neighbour", Strong, Untrusted, span);
    }
    for (ix, span) in &interior {
        add(*ix, "sign.interior_neighbour", Strong, Trusted, *span);
    }
    for (ix, span) in routing::dhcp_scopes(export) {
        add(ix, "sign.dhcp_scope", Strong, Trusted, span);
    }
    for (interface, list) in device.interfaces.iter_mut().zip(signs) {
        interface.signs = list;
    }
}

fn block_signs(export: &Export<'_>, port: &Port<'_>, is_switch: bool, add: &mut dyn FnMut(&'static str, SignStrength, SidePointer, Span)) {
    let block = port.block();
    if let Some(line) = port.nat_outside {
        add("sign.nat_outside", Strong, Untrusted, line.span());
    }
    if let Some(line) = port.nat_inside {
        add("sign.nat_inside", Strong, Trusted, line.span());
    }
    if let Some(line) = port.crypto_map {
        add("sign.vpn_endpoint", Strong, Untrusted, line.span());
    }
    if port.ppp {
        let caller = block.line(&["ppp", "chap", "hostname"]).or_else(|| block.line(&["ppp", "pap", "sent-username"]));
        let given = block.line(&["ip", "address", "negotiated"]);
        if let Some(line) = caller.or(given) {
            add("sign.pppoe", Strong, Untrusted, line.span());
        } else if port.name.to_ascii_lowercase().starts_with("cellular") {
            add("sign.dialled_line", Strong, Untrusted, port.node.span());
        }
    }
    if let Some(line) = dial_pool(port.node) {
        add("sign.pppoe_carrier", Strong, Untrusted, line.span());
    }
    if let Some(line) = block.line(&["ip", "address", "dhcp"]).filter(|_| !is_switch && port.nat_inside.is_none()) {
        add("sign.dhcp_client", Medium, Untrusted, line.span());
    }
    let zone = port.zone.and_then(|n| n.word(2).map(|w| (n, w)));
    if let Some((line, side)) = zone.and_then(|(n, w)| word_side(export, w).map(|s| (n, s))) {
        add("sign.zone_name", Strong, side, line.span());
    }
    if let Some(line) = port.vrf.filter(|_| word_side(export, port.vrf_name()) == Some(Untrusted)) {
        add("sign.front_vrf", Strong, Untrusted, line.span());
    }
    if let Some(line) = block.lines(&["ip", "inspect"]).find(|n| n.word(3) == Some("out")) {
        add("sign.inspect_out", Strong, Untrusted, line.span());
    }
    if let Some(line) = block.line(&["ipv6", "address", "autoconfig"]).filter(|n| n.words_from(3).any(|w| w == "default")) {
        add("sign.ipv6_client", Medium, Untrusted, line.span());
    }
    if let Some(line) = block.line(&["ipv6", "dhcp", "client", "pd"]) {
        add("sign.ipv6_client", Medium, Untrusted, line.span());
    }
    match port.kind {
        InterfaceKind::Loopback => add("sign.loopback", Strong, Trusted, port.node.span()),
        InterfaceKind::OutOfBand => add("sign.dedicated_management", Strong, Trusted, port.node.span()),
        InterfaceKind::RemoteAccess => add("sign.remote_access_interface", Strong, RemoteAccess, port.node.span()),
        InterfaceKind::Tunnel => add("sign.tunnel_interface", Medium, Tunnel, port.node.span()),
        _ => {}
    }
    let routed = !matches!(port.kind, InterfaceKind::Loopback | InterfaceKind::Tunnel | InterfaceKind::RemoteAccess);
    let served = block.line(&["ip", "helper-address"]);
    if let Some(line) = served {
        add("sign.dhcp_relay", Medium, Trusted, line.span());
    }
    // Virtual interfaces of switches carry public addresses for the hosts behind them.
    let plain = routed && !is_switch && served.is_none() && port.kind != InterfaceKind::Vlan;
    if let Some(line) = port.address_line.filter(|_| plain && port.nets.iter().any(is_public)) {
        add("sign.public_address", Medium, Untrusted, line.span());
    }
    let described = block.line(&["description"]).and_then(|n| n.word(1).map(|w| (n, w)));
    if let Some((line, text)) = described.filter(|_| routed && !is_switch && port.address_line.is_some()) {
        let lower = text.to_ascii_lowercase();
        if export.grammar.names("description_words").iter().any(|w| lower.contains(w.as_str())) {
            add("sign.description", Weak, Untrusted, line.span());
        }
    }
}
