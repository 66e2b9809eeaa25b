//! The signs of an interface's side, one rule a row: default route, PPPoE, translation, clients, addresses, DHCP scopes, bridges.
//!
//! A sign names the line it was read from. Signs of both sides may stand beside each other; the analysis weighs them.

use super::Export;
use super::commands::{Command, Scope};
use super::interface::sign;
use super::routes::Gateway;
use super::vpn;
use crate::ir::fact::Origin;
use crate::ir::interface::{AddressHow, Interface, InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign, is_public};
use crate::source::Span;
use SidePointer::{RemoteAccess, Trusted, Tunnel, Untrusted};
use SignStrength::{Medium, Strong, Weak};

/// Writes the signs of all interfaces.
pub fn signs(export: &Export<'_>, interfaces: &mut [Interface]) {
    let mut add = |ix: InterfaceIx, code, strength, side, span: Span| {
        if let Some(interface) = interfaces.get_mut(ix.0 as usize) {
            let new: TrustSign = sign(code, strength, side, Origin::Written(span));
            if !interface.signs.iter().any(|s| s.code == code && s.origin == new.origin) {
                interface.signs.push(new);
            }
        }
    };
    default_routes(export, &mut add);
    carriers(export, &mut add);
    inside(export, &mut add);
    by_kind_and_address(export, interfaces);
    bridges(interfaces);
}

fn default_routes(export: &Export<'_>, add: &mut dyn FnMut(InterfaceIx, &'static str, SignStrength, SidePointer, Span)) {
    let index = &export.interfaces;
    for route in index.routes.iter().filter(|r| r.to.is_none()) {
        for gateway in &route.gateways {
            let Some(ix) = index.egress(gateway) else { continue };
            match gateway {
                // A tunnel between sites that carries the default route leads to the other site.
                Gateway::Tunnel(number) if !vpn::is_carrier(export, *number) => {}
                _ => add(ix, "sign.default_route", Strong, Untrusted, route.span),
            }
        }
    }
}

fn carriers(export: &Export<'_>, add: &mut dyn FnMut(InterfaceIx, &'static str, SignStrength, SidePointer, Span)) {
    let (commands, index) = (&export.commands, &export.interfaces);
    let lan = |c: &Command<'_>, ix: usize| c.arg(ix).and_then(|w| index.named(&w.to_ascii_lowercase()));
    for command in commands.everywhere("pppoe use") {
        if let (Scope::Pp(peer), Some(below)) = (command.scope, lan(&command, 0)) {
            index.peer(peer).into_iter().for_each(|ix| add(ix, "sign.pppoe", Strong, Untrusted, command.span()));
            add(below, "sign.pppoe_carrier", Strong, Untrusted, command.span());
        }
    }
    for command in commands.everywhere("pp bind") {
        let outside =
            command.arg(0).is_some_and(|w| ["wan", "usb", "bri", "pri", "onu"].iter().any(|p| w.to_ascii_lowercase().starts_with(p)));
        if let Scope::Pp(peer) = command.scope
            && outside
        {
            index.peer(peer).into_iter().for_each(|ix| add(ix, "sign.dialled_line", Medium, Untrusted, command.span()));
            lan(&command, 0).into_iter().for_each(|ix| add(ix, "sign.pppoe_carrier", Strong, Untrusted, command.span()));
        }
    }
    for command in commands.everywhere("ip @ nat descriptor") {
        index.of(&command).into_iter().for_each(|ix| add(ix, "sign.nat_outer", Medium, Untrusted, command.span()));
    }
    for command in commands.everywhere("ip @ address").filter(|c| c.is("dhcp") || c.is("pdp")) {
        index.of(&command).into_iter().for_each(|ix| add(ix, "sign.dhcp_client", Medium, Untrusted, command.span()));
    }
    for command in commands.everywhere("ngn type @").filter(|c| !c.is("off")) {
        index.of(&command).into_iter().for_each(|ix| add(ix, "sign.carrier_network", Medium, Untrusted, command.span()));
    }
    for command in commands.everywhere("ipv6 @ dhcp service").filter(|c| c.is("client")) {
        index.of(&command).into_iter().for_each(|ix| add(ix, "sign.ipv6_client", Medium, Untrusted, command.span()));
    }
}

fn inside(export: &Export<'_>, add: &mut dyn FnMut(InterfaceIx, &'static str, SignStrength, SidePointer, Span)) {
    let (commands, index) = (&export.commands, &export.interfaces);
    for command in commands.everywhere("dhcp scope <n>") {
        let first = command.arg(0).and_then(|w| w.split(['-', '/']).next()).and_then(|w| w.parse().ok());
        first.and_then(|addr| index.holding(addr)).into_iter().for_each(|ix| add(ix, "sign.dhcp_scope", Medium, Trusted, command.span()));
    }
    for command in commands.everywhere("ip @ proxyarp").filter(|c| !c.is("off")) {
        index.of(&command).into_iter().for_each(|ix| add(ix, "sign.proxy_arp", Weak, Trusted, command.span()));
    }
    for command in commands.everywhere("ipv6 @ rtadv send") {
        index.of(&command).into_iter().for_each(|ix| add(ix, "sign.router_advertisement", Medium, Trusted, command.span()));
    }
    for command in commands.everywhere("ipv6 @ dhcp service").filter(|c| c.is("server")) {
        index.of(&command).into_iter().for_each(|ix| add(ix, "sign.dhcp_scope", Medium, Trusted, command.span()));
    }
}

fn by_kind_and_address(export: &Export<'_>, interfaces: &mut [Interface]) {
    for interface in interfaces {
        let translated = interface.signs.iter().any(|s| s.code == "sign.nat_outer");
        let outside = interface.signs.iter().any(|s| s.points_to == Untrusted && s.strength == Strong);
        let kind = match interface.kind {
            InterfaceKind::RemoteAccess => Some(("sign.remote_access", Strong, RemoteAccess)),
            InterfaceKind::Tunnel => Some(("sign.site_tunnel", Strong, Tunnel)),
            InterfaceKind::Loopback => Some(("sign.loopback", Medium, Trusted)),
            _ => None,
        };
        if let Some((code, strength, side)) = kind {
            interface.signs.push(sign(code, strength, side, Origin::Written(interface.span)));
        }
        let carrier_tunnel =
            interface.name.strip_prefix("tunnel ").and_then(|n| n.parse().ok()).is_some_and(|n| vpn::is_carrier(export, n));
        if carrier_tunnel && !outside {
            interface.signs.push(sign("sign.carrier_tunnel", Strong, Untrusted, Origin::Written(interface.span)));
        }
        let plain = matches!(interface.kind, InterfaceKind::Physical | InterfaceKind::Vlan | InterfaceKind::Bridge);
        let fixed: Vec<_> = interface
            .addresses
            .iter()
            .filter(|a| a.how == AddressHow::Static && !a.v6)
            .filter_map(|a| a.net.get().map(|n| (n.addr, a)))
            .collect();
        let new: Vec<TrustSign> = fixed
            .iter()
            .filter(|_| plain)
            .filter_map(|(addr, a)| {
                if is_public(*addr) {
                    Some(sign("sign.public_address", Medium, Untrusted, a.net.origin.clone()))
                } else if !translated {
                    Some(sign("sign.private_address", Medium, Trusted, a.net.origin.clone()))
                } else {
                    None
                }
            })
            .collect();
        interface.signs.extend(new);
        if interface.name == "lan1" {
            interface.signs.push(sign("sign.lan1", Weak, Trusted, Origin::Written(interface.span)));
        }
    }
}

/// A port in a bridge is on the side of the bridge, whose address and DHCP scope say which.
fn bridges(interfaces: &mut [Interface]) {
    for at in 0..interfaces.len() {
        let Some(found) = interfaces[at].signs.iter().find(|s| s.points_to == Trusted && s.strength >= Medium).cloned() else { continue };
        for member in interfaces[at].members.clone() {
            let Some(port) = interfaces.get_mut(member.0 as usize) else { continue };
            if matches!(port.kind, InterfaceKind::Physical | InterfaceKind::Vlan) {
                port.signs.push(sign("sign.bridge_member", Medium, Trusted, found.origin.clone()));
            }
        }
    }
}
