//! The signs of an interface's side: default route, PPPoE, NAPT, clients, addresses, DHCP, bridges.
//!
//! A sign names the line it was read from. Signs of both sides may stand beside each other; the analysis weighs them.

use super::Export;
use super::address;
use super::interface::Port;
use super::lines::is;
use crate::ir::fact::Origin;
use crate::ir::interface::{AddressHow, Interface, InterfaceKind, SidePointer, SignStrength, TrustSign};
use crate::source::Span;
use SidePointer::{RemoteAccess, Trusted, Tunnel, Untrusted};
use SignStrength::{Medium, Strong, Weak};

fn sign(code: &'static str, strength: SignStrength, points_to: SidePointer, span: Span) -> TrustSign {
    TrustSign { code, strength, points_to, origin: Origin::Written(span) }
}

/// Writes the signs of all interfaces, which are in the order of the ports.
pub fn signs(export: &Export<'_>, interfaces: &mut [Interface]) {
    for (ix, port) in export.ports.iter() {
        let Some(interface) = interfaces.get(ix.0 as usize) else { continue };
        let mut found = of_lines(port);
        // A tunnel between sites that carries the default route leads to the other site.
        if !matches!(interface.kind, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess) {
            let default = export.ports.routes_by(ix).find(|r| r.to.is_none());
            found.extend(default.map(|r| sign("sign.default_route", Strong, Untrusted, r.span)));
        }
        found.extend(of_kind(export, port, interface));
        interfaces[ix.0 as usize].signs = found;
    }
    of_carriers(export, interfaces);
    of_bridges(interfaces);
}

fn of_lines(port: &Port<'_>) -> Vec<TrustSign> {
    let mut out = Vec::new();
    let rows: [(&[&str], &'static str, SignStrength, SidePointer); 9] = [
        (&["encapsulation", "pppoe"], "sign.pppoe", Strong, Untrusted),
        (&["ip", "napt", "enable"], "sign.nat_outer", Medium, Untrusted),
        (&["ip", "nat", "enable"], "sign.nat_outer", Medium, Untrusted),
        (&["ipv6", "dhcp", "client"], "sign.ipv6_client", Medium, Untrusted),
        (&["ip", "dhcp", "binding"], "sign.dhcp_scope", Medium, Trusted),
        (&["ipv6", "dhcp", "server"], "sign.dhcp_scope", Medium, Trusted),
        (&["ipv6", "nd", "ra", "enable"], "sign.router_advertisement", Medium, Trusted),
        (&["ip", "dhcp-relay", "server"], "sign.dhcp_scope", Medium, Trusted),
        (&["ip", "proxy-arp"], "sign.proxy_arp", Weak, Trusted),
    ];
    for (words, code, strength, side) in rows {
        out.extend(port.lines.one(words).map(|n| sign(code, strength, side, n.span())));
    }
    for node in port.lines.all(&["ip", "address"]).into_iter().filter(|n| is(*n, 2, "dhcp")) {
        let (code, strength) =
            if is(node, 3, "receive-default") { ("sign.dhcp_default_route", Strong) } else { ("sign.dhcp_client", Medium) };
        out.push(sign(code, strength, Untrusted, node.span()));
    }
    for node in port.lines.all(&["ipv6", "address"]).into_iter().filter(|n| is(*n, 2, "autoconfig")) {
        let (code, strength) =
            if is(node, 3, "receive-default") { ("sign.autoconf_default_route", Strong) } else { ("sign.ipv6_client", Medium) };
        out.push(sign(code, strength, Untrusted, node.span()));
    }
    out
}

fn of_kind(export: &Export<'_>, port: &Port<'_>, interface: &Interface) -> Vec<TrustSign> {
    let at = interface.span;
    let mut out = match interface.kind {
        InterfaceKind::RemoteAccess => vec![sign("sign.remote_access", Strong, RemoteAccess, at)],
        InterfaceKind::Tunnel => vec![sign("sign.site_tunnel", Strong, Tunnel, at)],
        InterfaceKind::Loopback => vec![sign("sign.loopback", Medium, Trusted, at)],
        _ if port.is_carrier(export) => vec![sign("sign.carrier_tunnel", Strong, Untrusted, at)],
        _ => Vec::new(),
    };
    let translated = ["napt", "nat"].iter().any(|w| port.lines.one(&["ip", w, "enable"]).is_some());
    let plain = matches!(interface.kind, InterfaceKind::Physical | InterfaceKind::Vlan | InterfaceKind::Bridge);
    for address in interface.addresses.iter().filter(|a| plain && !a.v6 && a.how == AddressHow::Static) {
        let Some(net) = address.net.get() else { continue };
        let (code, side) = if address::is_public(net.addr) {
            ("sign.public_address", Untrusted)
        } else if !translated {
            ("sign.private_address", Trusted)
        } else {
            continue;
        };
        out.push(TrustSign { code, strength: Medium, points_to: side, origin: address.net.origin.clone() });
    }
    out
}

/// A port that carries PPPoE sessions faces the provider, but for what stands on it in VLANs.
fn of_carriers(export: &Export<'_>, interfaces: &mut [Interface]) {
    for (ix, port) in export.ports.iter() {
        let Some(line) = port.lines.one(&["encapsulation", "pppoe"]) else { continue };
        // Sessions that are not used prove nothing: a LAN port may have one prepared.
        let used = interfaces.get(ix.0 as usize).is_some_and(|i| !i.addresses.is_empty());
        let below = interfaces.get(ix.0 as usize).and_then(|i| i.carrier).filter(|_| used);
        if let Some(carrier) = below.and_then(|b| interfaces.get_mut(b.0 as usize)) {
            let private = carrier.signs.iter().any(|s| s.points_to == Trusted && s.strength >= Medium);
            if !private {
                carrier.signs.push(sign("sign.pppoe_carrier", Strong, Untrusted, line.span()));
            }
        }
    }
}

/// A port in a bridge is on the side of the bridge, whose address and DHCP say which.
fn of_bridges(interfaces: &mut [Interface]) {
    for at in 0..interfaces.len() {
        let Some(found) = interfaces[at].signs.iter().find(|s| s.points_to == Trusted && s.strength >= Medium).cloned() else { continue };
        for member in interfaces[at].members.clone() {
            let Some(port) = interfaces.get_mut(member.0 as usize) else { continue };
            if matches!(port.kind, InterfaceKind::Physical | InterfaceKind::Vlan) {
                port.signs.push(TrustSign { code: "sign.bridge_member", ..found.clone() });
            }
        }
    }
}
