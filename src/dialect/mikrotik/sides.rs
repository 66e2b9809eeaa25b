//! Signs of the side an interface is on: its list, the default route, DHCP and PPPoE lines, source translation, its addresses.

use super::Export;
use super::interface::{Interfaces, holding};
use crate::ir::device::ExportForm;
use crate::ir::fact::Origin;
use crate::ir::interface::{AddressHow, InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign, is_public};
use crate::source::Span;
use std::net::IpAddr;

fn put(all: &mut Interfaces, ix: InterfaceIx, code: &'static str, strength: SignStrength, points_to: SidePointer, span: Span) {
    if let Some(interface) = all.list.get_mut(ix.0 as usize) {
        if strength == SignStrength::Strong && points_to == SidePointer::Untrusted {
            all.outer.insert(ix.0);
        }
        if !interface.signs.iter().any(|s| s.code == code) {
            interface.signs.push(TrustSign { code, strength, points_to, origin: Origin::Written(span) });
        }
    }
}

/// Puts the signs on all interfaces.
pub fn sign(export: &Export<'_>, all: &mut Interfaces) {
    use SidePointer::{Trusted, Untrusted};
    use SignStrength::{Medium, Strong};
    for row in export.menus.rows("/interface list member") {
        let (Some(list), Some(interface)) = (row.text("list"), row.text("interface")) else { continue };
        let Some(ix) = all.named(interface.text).filter(|_| row.get("disabled").is_none_or(|v| v.text != "yes")) else { continue };
        if export.in_names("outside_lists", list.text) {
            put(all, ix, "sign.list_outside", Strong, Untrusted, row.span());
        } else if export.in_names("inside_lists", list.text) {
            put(all, ix, "sign.list_inside", Strong, Trusted, row.span());
        }
    }
    for row in export.menus.rows("/ip dhcp-client") {
        let Some(ix) = row.text("interface").and_then(|v| all.named(v.text)) else { continue };
        let has = all.list[ix.0 as usize].addresses.iter().any(|a| a.how == AddressHow::Dhcp);
        match row.text("add-default-route") {
            _ if !has => {}
            Some(value) if value.text == "no" => put(all, ix, "sign.dhcp_client", Medium, Untrusted, row.span()),
            _ => put(all, ix, "sign.dhcp_client", Strong, Untrusted, row.span()),
        }
    }
    for path in ["/interface pppoe-client", "/interface lte", "/interface ppp-client"] {
        for item in export.menus.items(path) {
            let Some(name) = item.text("name").map(|v| v.text).or_else(|| item.condition("default-name")) else { continue };
            let Some(ix) = all.named(name) else { continue };
            put(all, ix, "sign.pppoe", Strong, Untrusted, item.span());
            if let Some(carrier) = all.list[ix.0 as usize].carrier {
                put(all, carrier, "sign.pppoe_carrier", Medium, Untrusted, item.span());
            }
        }
    }
    default_routes(export, all);
    // Of an interface whose own lines were cut out nothing more is known: it may as well lie inside, before servers.
    let cut = export.form == ExportForm::Full && export.gaps.contains_key("interfaces");
    for (ix, origin) in translated_out_of(export, all) {
        if cut && all.mentioned.contains(&ix.0) {
            continue;
        }
        if let Some(span) = origin.spans().first() {
            put(all, ix, "sign.nat_outer", Medium, Untrusted, *span);
        }
    }
    for row in export.menus.rows("/ip dhcp-server") {
        if let Some(ix) = row.text("interface").and_then(|v| all.named(v.text)) {
            put(all, ix, "sign.dhcp_server", Medium, Trusted, row.span());
        }
    }
    for n in 0..all.list.len() {
        let i = &all.list[n];
        // A single address is a loopback's rather than a line's.
        let public = i.addresses.iter().filter_map(|a| Some((a.net.get()?, a.net.origin.spans().first().copied()?)));
        let public = public.filter(|(net, _)| is_public(net.addr) && net.addr.is_ipv4() && net.prefix < 32).map(|(_, span)| span).next();
        if let (Some(span), false) = (public, matches!(i.kind, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess)) {
            put(all, InterfaceIx(n as u32), "sign.public_address", Medium, Untrusted, span);
        }
    }
}

fn default_routes(export: &Export<'_>, all: &mut Interfaces) {
    for path in ["/ip route", "/ipv6 route"] {
        for row in export.menus.rows(path) {
            let default = row.text("dst-address").is_none_or(|v| matches!(v.text, "0.0.0.0/0" | "::/0" | "2000::/3"));
            // Routes of other tables may be anything.
            let other_table = row.text("routing-mark").is_some() || row.text("routing-table").is_some_and(|v| v.text != "main");
            let Some(gateway) =
                row.text("gateway").filter(|_| default && !other_table && row.get("disabled").is_none_or(|v| v.text != "yes"))
            else {
                continue;
            };
            for part in gateway.parts() {
                let (address, interface) = part.split_once('%').map_or((part, None), |(a, i)| (a, Some(i)));
                let named = interface.and_then(|i| all.named(i)).or_else(|| all.named(address));
                let ix = named.or_else(|| address.parse::<IpAddr>().ok().and_then(|a| holding(all, a)));
                if let Some(ix) = ix {
                    put(all, ix, "sign.default_route", SignStrength::Strong, SidePointer::Untrusted, row.span());
                }
            }
        }
    }
}

fn translated_out_of(export: &Export<'_>, all: &Interfaces) -> Vec<(InterfaceIx, Origin)> {
    let mut out = Vec::new();
    for row in export.menus.rows("/ip firewall nat") {
        let translates = row.text("action").is_some_and(|v| matches!(v.text, "masquerade" | "src-nat" | "netmap"));
        let off = row.get("disabled").is_some_and(|v| v.text == "yes");
        // With a destination it turns traffic back inside, unless it is for all but one.
        let inward = row.text("dst-address").is_some_and(|v| !v.text.starts_with('!'));
        let source = row.text("chain").is_some_and(|v| v.text == "srcnat") && !inward;
        if !translates || off || !source {
            continue;
        }
        if let Some(value) = row.text("out-interface").filter(|v| !v.text.starts_with('!')) {
            out.extend(all.named(value.text).map(|ix| (ix, Origin::Written(row.span()))));
        }
        if let Some(value) = row.text("out-interface-list").filter(|v| !v.text.starts_with('!')) {
            let set = all.of_list(value.text).unwrap_or_default();
            out.extend(set.into_iter().map(|ix| (InterfaceIx(ix), Origin::Written(row.span()))));
        }
    }
    out
}

/// Interfaces on which sources are translated on the way out.
pub fn translated_out(export: &Export<'_>) -> Vec<(InterfaceIx, Origin)> {
    translated_out_of(export, &export.interfaces)
}
