//! Interfaces, zones and SD-WAN zones, and how names in policies are resolved to interfaces.
//!
//! Which side an interface is on is not decided here; [`super::trust`] collects the signs. Interfaces the box makes itself (`ssl.root`,
//! the interface of a phase 1) exist even where the export does not print them.

use super::Lowering;
use super::address::{self, cidr};
use super::context::{Fields, switch};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::IfMatch;
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, IpNet, Zone, ZoneIx};
use crate::source::Span;
use std::collections::HashMap;
use std::net::IpAddr;

/// Lowers interfaces, then zones.
pub(super) fn lower(l: &mut Lowering<'_>) {
    for row in std::mem::take(&mut l.cx.interfaces) {
        let interface = interface(l, &row);
        let ix = InterfaceIx(l.device.interfaces.len() as u32);
        l.names.interfaces.insert(row.key(), ix);
        l.names.rows.push(Some(row));
        l.device.interfaces.push(interface);
    }
    tunnels_without_rows(l);
    carriers_and_members(l);
    zones(l);
    sdwan_zones(l);
}

fn kind(l: &Lowering<'_>, row: &Fields<'_>) -> InterfaceKind {
    let name = row.key();
    if row.value("dedicated-to") == Some("management") || l.names.ha_management.contains(&name) {
        return InterfaceKind::OutOfBand;
    }
    match row.value("type") {
        Some("tunnel") if remote_access_name(name) => InterfaceKind::RemoteAccess,
        Some("tunnel") | None if l.names.phase1.get(name).is_some_and(|p| p.users) => InterfaceKind::RemoteAccess,
        Some("tunnel") if l.names.carriers.contains(&name) => InterfaceKind::Ppp,
        Some("tunnel" | "vxlan" | "geneve") => InterfaceKind::Tunnel,
        Some("loopback") => InterfaceKind::Loopback,
        Some("aggregate" | "redundant") => InterfaceKind::Aggregate,
        Some("switch" | "hard-switch" | "vap-switch" | "switch-vlan" | "hard-switch-vlan") => InterfaceKind::Bridge,
        Some("vlan" | "emac-vlan") => InterfaceKind::Vlan,
        Some("pppoe" | "ppp" | "modem") => InterfaceKind::Ppp,
        Some(_) => InterfaceKind::Physical,
        // `vlan` is the type that is not printed.
        None if row.get("vlanid").is_some() => InterfaceKind::Vlan,
        None if remote_access_name(name) => InterfaceKind::RemoteAccess,
        None if l.names.phase1.contains_key(name) => InterfaceKind::Tunnel,
        None => InterfaceKind::Physical,
    }
}

/// The pseudo interface on which users of a VPN arrive.
fn remote_access_name(name: &str) -> bool {
    name.starts_with("ssl.") || name.starts_with("l2t.")
}

fn interface(l: &Lowering<'_>, row: &Fields<'_>) -> Interface {
    // `ip` is printed beside `mode pppoe` too; then it is what the session was given last.
    for unused in ["vdom", "type", "interface", "ip"] {
        row.get(unused);
    }
    Interface {
        name: row.key().to_owned(),
        alias: row.name("alias").map(|(a, _)| a.to_owned()),
        kind: kind(l, row),
        span: row.span(),
        up: l.cx.switch(row, "status", "system interface.status"),
        carrier: None,
        addresses: addresses(row),
        ipv6: ipv6(l, row),
        zone: None,
        members: Vec::new(),
        signs: Vec::new(),
    }
}

/// `A.B.C.D M.M.M.M`, with the place of the address.
fn net4(row: &Fields<'_>, attribute: &str) -> Option<(IpNet, Span)> {
    let line = row.get(attribute)?;
    let net = cidr(&line.values().collect::<Vec<_>>())?;
    (!net.addr.is_unspecified()).then_some((net, line.span()))
}

fn addresses(row: &Fields<'_>) -> Vec<Address> {
    let dynamic = |how, about: &str, span, v6| Address { net: Fact::unknown(Why::at(WhyCode::RuntimeContent, about, vec![span])), how, v6 };
    let fixed = |(net, span): (IpNet, Span)| Address { net: Fact::written(net, span), how: AddressHow::Static, v6: net.addr.is_ipv6() };
    let mut out = Vec::new();
    match row.get("mode").map(|a| (a.value(), a.span())) {
        Some(("dhcp", span)) => out.push(dynamic(AddressHow::Dhcp, "dhcp", span, false)),
        Some(("pppoe" | "pppoa", span)) => out.push(dynamic(AddressHow::Ppp, "pppoe", span, false)),
        _ => out.extend(net4(row, "ip").map(fixed).or_else(|| blacked_out(row, "ip", false))),
    }
    out.extend(net4(row, "management-ip").map(fixed));
    out.extend(row.rows("secondaryip").iter().filter_map(|r| net4(r, "ip")).map(fixed));
    if let Some(v6) = row.nested("ipv6") {
        match v6.get("ip6-mode").map(|a| (a.value(), a.span())) {
            Some(("dhcp", span)) => out.push(dynamic(AddressHow::Dhcp, "dhcp6", span, true)),
            Some(("pppoe", span)) => out.push(dynamic(AddressHow::Ppp, "pppoe6", span, true)),
            Some(("delegated", span)) => out.push(dynamic(AddressHow::Autoconf, "delegated", span, true)),
            _ => out.extend(net4(&v6, "ip6-address").map(fixed).or_else(|| blacked_out(&v6, "ip6-address", true))),
        }
        if let Some(line) = v6.get("autoconf").filter(|a| a.value() == "enable") {
            out.push(dynamic(AddressHow::Autoconf, "autoconf", line.span(), true));
        }
        for extra in v6.rows("ip6-extra-addr") {
            out.extend(cidr(&[extra.key()]).map(|net| fixed((net, extra.span()))));
        }
    }
    out
}

/// An address that the export does not show although there is one: not an address, but not nothing either.
fn blacked_out(row: &Fields<'_>, attribute: &str, v6: bool) -> Option<Address> {
    let line = row.get(attribute)?;
    let word = line.value();
    let shown = word.is_empty() || cidr(&[word]).is_some() || word.parse::<std::net::IpAddr>().is_ok();
    let net = Fact::unknown(Why::at(WhyCode::Masked, attribute, vec![line.span()]));
    (!shown).then_some(Address { net, how: AddressHow::Static, v6 })
}

/// IPv6 is on where an interface has an IPv6 address by any way; without a line it has none.
fn ipv6(l: &Lowering<'_>, row: &Fields<'_>) -> Fact<bool> {
    let Some(v6) = row.nested("ipv6") else {
        return l.cx.behaviour("system interface.ipv6", Some(row.span()));
    };
    for (attribute, off) in [("ip6-mode", "static"), ("ip6-address", "::/0"), ("autoconf", "disable")] {
        if let Some(line) = v6.get(attribute).filter(|a| a.value() != off) {
            return Fact::written(true, line.span());
        }
    }
    match v6.rows("ip6-extra-addr").first() {
        Some(extra) => Fact::written(true, extra.span()),
        None => l.cx.behaviour("system interface.ipv6", Some(v6.span())),
    }
}

/// Interfaces of a phase 1 that no row of the export shows.
fn tunnels_without_rows(l: &mut Lowering<'_>) {
    let phases = l.names.phase1.iter().filter(|(name, p)| p.route_based && !l.names.interfaces.contains_key(*name));
    let mut missing: Vec<(&str, Span, bool)> = phases.map(|(name, p)| (*name, p.span, p.users)).collect();
    missing.sort_by_key(|(_, span, _)| *span);
    for (name, span, users) in missing {
        add(l, name, span, if users { InterfaceKind::RemoteAccess } else { InterfaceKind::Tunnel });
    }
}

/// Adds an interface that has no row.
fn add<'a>(l: &mut Lowering<'a>, name: &'a str, span: Span, kind: InterfaceKind) -> InterfaceIx {
    let ix = InterfaceIx(l.device.interfaces.len() as u32);
    let why = Why::at(WhyCode::NotExported, name, vec![span]);
    // What the box makes itself is up and has no address; of what a fragment merely names nothing else is known.
    let made = matches!(kind, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess);
    let (up, ipv6) = if made {
        (l.cx.default("system interface.status", Some(span), switch), l.cx.behaviour("system interface.ipv6", Some(span)))
    } else {
        (Fact::unknown(why.clone()), Fact::unknown(why))
    };
    l.names.interfaces.insert(name, ix);
    l.names.rows.push(None);
    l.device.interfaces.push(Interface {
        name: name.to_owned(),
        alias: None,
        kind,
        span,
        up,
        carrier: None,
        addresses: Vec::new(),
        ipv6,
        zone: None,
        members: Vec::new(),
        signs: Vec::new(),
    });
    ix
}

fn carriers_and_members(l: &mut Lowering<'_>) {
    for ix in 0..l.device.interfaces.len() {
        let Some(row) = &l.names.rows[ix] else { continue };
        let of = |name: &str| l.names.interfaces.get(name).copied().filter(|i| i.0 as usize != ix);
        let carrier = row.name("interface").or_else(|| row.name("device")).and_then(|(n, _)| of(n));
        let members = row.values("member").iter().filter_map(|(n, _)| of(n)).collect();
        let interface = &mut l.device.interfaces[ix];
        interface.carrier = carrier;
        interface.members = members;
    }
    for row in l.cx.own.find("system switch-interface").rows() {
        let members: Vec<InterfaceIx> = row.values("member").iter().filter_map(|(n, _)| l.names.interfaces.get(n).copied()).collect();
        if let Some(ix) = l.names.interfaces.get(row.key()) {
            l.device.interfaces[ix.0 as usize].members = members;
        }
    }
}

fn zones(l: &mut Lowering<'_>) {
    for row in l.cx.own.find("system zone").rows() {
        row.get("intrazone");
        let members = row.values("interface");
        zone(l, row.key(), row.span(), &members);
    }
    // A bundle of tunnels is named in policies instead of its members.
    for row in l.cx.own.find("system ipsec-aggregate").rows() {
        row.get("algorithm");
        let members = row.values("member");
        zone(l, row.key(), row.span(), &members);
    }
}

fn zone<'a>(l: &mut Lowering<'a>, name: &'a str, span: Span, members: &[(&'a str, Span)]) {
    let zone = ZoneIx(l.device.zones.len() as u32);
    let mut interfaces = Vec::new();
    for (member, at) in members {
        let Some(ix) = named(l, member, *at) else { continue };
        l.device.interfaces[ix.0 as usize].zone = Some(zone);
        interfaces.push(ix);
    }
    l.names.zones.insert(name, zone);
    l.device.zones.push(Zone { name: name.to_owned(), span, members: interfaces });
}

/// SD-WAN zones, and the single group of older releases, are named in policies like interfaces.
fn sdwan_zones(l: &mut Lowering<'_>) {
    for path in ["system sdwan", "system virtual-wan-link"] {
        let Some(section) = l.cx.own.find(path).fields else { continue };
        let fallback = "virtual-wan-link";
        let mut order: Vec<(&str, Span)> = Vec::new();
        for row in section.rows("zone") {
            order.push((row.key(), row.span()));
        }
        let mut members: HashMap<&str, Vec<(&str, Span)>> = HashMap::new();
        for row in section.rows("members") {
            let Some(interface) = row.name("interface") else { continue };
            let zone = row.name("zone").map_or(fallback, |(z, _)| z);
            if !order.iter().any(|(z, _)| *z == zone) {
                order.push((zone, row.span()));
            }
            members.entry(zone).or_default().push(interface);
            l.names.sdwan_members.push((row.key(), interface.0, row.span()));
        }
        for (name, span) in order {
            zone(l, name, span, members.get(name).map_or(&[], Vec::as_slice));
        }
    }
}

/// The interface of a name, made where the box or the fragment implies it.
pub(super) fn named<'a>(l: &mut Lowering<'a>, name: &'a str, span: Span) -> Option<InterfaceIx> {
    if let Some(ix) = l.names.interfaces.get(name) {
        return Some(*ix);
    }
    if remote_access_name(name) {
        return Some(add(l, name, span, InterfaceKind::RemoteAccess));
    }
    if name.starts_with("naf.") {
        return Some(add(l, name, span, InterfaceKind::Tunnel));
    }
    (l.names.bare && !name.is_empty()).then(|| add(l, name, span, InterfaceKind::Physical))
}

/// Which interfaces the names of a policy mean; names that mean nothing are handed back.
pub(super) fn resolve<'a>(l: &mut Lowering<'a>, names: &[(&'a str, Span)]) -> (IfMatch, Vec<(&'a str, Span)>) {
    let mut out: Vec<InterfaceIx> = Vec::new();
    let mut unknown = Vec::new();
    for (name, span) in names {
        if *name == "any" {
            return (IfMatch::Any, Vec::new());
        }
        if let Some(zone) = l.names.zones.get(name) {
            out.extend_from_slice(&l.device.zones[zone.0 as usize].members);
        } else if let Some(ix) = named(l, name, *span) {
            out.push(ix);
        } else {
            unknown.push((*name, *span));
        }
    }
    match unknown.first() {
        Some((name, span)) => (IfMatch::Unknown(Why::at(WhyCode::Unresolved, *name, vec![*span])), unknown),
        None => {
            out.sort();
            out.dedup();
            (IfMatch::These(out), unknown)
        }
    }
}

/// Whether an address is one of the interface's own network's, for neighbours over a tunnel.
pub(super) fn in_network(l: &Lowering<'_>, ix: InterfaceIx, addr: IpAddr) -> bool {
    let interface = &l.device.interfaces[ix.0 as usize];
    let remote = l.names.rows[ix.0 as usize].as_ref().and_then(|r| r.get("remote-ip")).map(|a| a.values().collect::<Vec<_>>());
    interface.addresses.iter().filter_map(|a| a.net.get()).any(|n| n.contains(addr) && n.prefix < 32)
        || remote.and_then(|r| address::cidr(&r)).is_some_and(|n| n.contains(addr) && n.prefix > 0)
}
