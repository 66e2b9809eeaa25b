//! Interfaces (each unit is one), their addresses, and the zones they belong to.
//!
//! Ranges of interfaces are written out: what `interface-range` says holds for each of its members.

use super::value::net;
use super::{Lowering, Membership};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, IpNet, Zone, ZoneIx};
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{at, below, child, rows, value};
use std::collections::HashMap;

/// Statements beside interfaces that are none.
const NO_INTERFACE: &[&str] = &["interface-range", "traceoptions", "apply-groups", "apply-groups-except", "interface-set", "apply-macro"];

/// Lowers interfaces and zones.
pub(super) fn lower(l: &mut Lowering<'_>) {
    units(l);
    zones(l);
}

fn units<'a>(l: &mut Lowering<'a>) {
    let mut parts: Vec<(String, Node<'a>, Node<'a>)> = Vec::new();
    let mut chapters: Vec<Node<'a>> = rows(l.own, &["interfaces"]);
    if l.own != l.root {
        // A tenant's interfaces stand in the common chapter; those its zones name are its own.
        let named: Vec<&str> = rows(l.own, &["security", "zones", "security-zone"])
            .into_iter()
            .flat_map(|z| rows(z, &["interfaces"]))
            .chain(rows(l.own, &["routing-instances"]).into_iter().flat_map(|r| rows(r, &["interface"])))
            .map(|n| n.word_or_empty(0))
            .collect();
        let physical = |n: &Node<'a>| named.iter().any(|i| i.split('.').next() == n.word(0));
        chapters.extend(rows(l.root, &["interfaces"]).into_iter().filter(physical));
        collect(&mut parts, &chapters, Some(&named));
    } else {
        collect(&mut parts, &chapters, None);
        ranges(l, &mut parts);
    }
    let enabled = l.absent("interfaces.disable", "interfaces", None, |v| Some(v == "no"));
    for (name, physical, unit) in parts {
        let ix = InterfaceIx(l.device.interfaces.len() as u32);
        if let std::collections::hash_map::Entry::Vacant(entry) = l.names.interfaces.entry(name.clone()) {
            entry.insert(ix);
        } else {
            continue;
        }
        let up = match child(unit, "disable").or_else(|| child(physical, "disable")) {
            Some(off) => Fact::written(false, off.span()),
            None => enabled.clone(),
        };
        let addresses = addresses(unit);
        let v6 = at(unit, &["family", "inet6"]);
        let ipv6 = match v6 {
            Some(node) => Fact::written(true, node.span()),
            None => l.absent("interfaces.family.inet6", "interfaces", Some(unit.span()), |v| Some(v == "yes")),
        };
        let alias = value(unit, &["description"]).or_else(|| value(physical, &["description"]));
        l.device.interfaces.push(Interface {
            kind: kind(&name, unit),
            alias: alias.map(|n| n.word_or_empty(0).to_owned()),
            // The interface is where its name stands, but where several units share the name.
            span: if physical.word(0) == name.split('.').next()
                && below(physical).filter(|n| n.word(0) == Some("unit")).flat_map(below).take(2).count() == 1
            {
                physical.span()
            } else {
                unit.span()
            },
            name,
            up,
            carrier: None,
            addresses,
            ipv6,
            zone: None,
            members: Vec::new(),
            signs: Vec::new(),
        });
        l.names.units.push(unit);
    }
    carriers(l);
}

fn collect<'a>(parts: &mut Vec<(String, Node<'a>, Node<'a>)>, chapters: &[Node<'a>], only: Option<&[&str]>) {
    for physical in chapters.iter().filter(|n| !NO_INTERFACE.contains(&n.word_or_empty(0))) {
        for unit in rows(*physical, &["unit"]) {
            let name = format!("{}.{}", physical.word_or_empty(0), unit.word_or_empty(0));
            if only.is_none_or(|list| list.contains(&name.as_str())) {
                parts.push((name, *physical, unit));
            }
        }
    }
}

/// What a range says holds for each of its members.
fn ranges<'a>(l: &Lowering<'a>, parts: &mut Vec<(String, Node<'a>, Node<'a>)>) {
    for range in rows(l.own, &["interfaces", "interface-range"]) {
        let mut members: Vec<String> = rows(range, &["member"]).iter().map(|n| n.word_or_empty(0).to_owned()).collect();
        for first in rows(range, &["member-range"]) {
            let last = value(first, &["to"]).map_or("", |n| n.word_or_empty(0));
            members.extend(between(first.word_or_empty(0), last));
        }
        for unit in rows(range, &["unit"]) {
            for member in members.iter().filter(|m| !m.contains(['*', '['])) {
                parts.push((format!("{member}.{}", unit.word_or_empty(0)), range, unit));
            }
        }
    }
}

/// `ge-0/0/0` to `ge-0/0/7`.
fn between(first: &str, last: &str) -> Vec<String> {
    let (Some((head, a)), Some((other, b))) = (first.rsplit_once('/'), last.rsplit_once('/')) else { return Vec::new() };
    match (a.parse::<u16>(), b.parse::<u16>()) {
        (Ok(a), Ok(b)) if head == other && a <= b && b - a < 512 => (a..=b).map(|n| format!("{head}/{n}")).collect(),
        _ => Vec::new(),
    }
}

fn kind(name: &str, unit: Node<'_>) -> InterfaceKind {
    let letters: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
    match letters.as_str() {
        "st" | "gr" | "ip" | "lt" => InterfaceKind::Tunnel,
        "pp" | "dl" | "cl" | "umd" => InterfaceKind::Ppp,
        "lo" => InterfaceKind::Loopback,
        "fxp" | "em" | "me" | "vme" | "mgmt" | "re" => InterfaceKind::OutOfBand,
        "irb" | "vlan" | "bme" => InterfaceKind::Vlan,
        "ae" | "reth" => InterfaceKind::Aggregate,
        _ if child(unit, "vlan-id").is_some() => InterfaceKind::Vlan,
        _ => InterfaceKind::Physical,
    }
}

fn addresses(unit: Node<'_>) -> Vec<Address> {
    let mut out = Vec::new();
    let unknown = |how, v6, at: Span| Address { net: Fact::unknown(Why::at(WhyCode::RuntimeContent, "address", vec![at])), how, v6 };
    for (family, v6) in [("inet", false), ("inet6", true)] {
        let Some(family) = at(unit, &["family", family]) else { continue };
        for row in rows(family, &["address"]) {
            let net = match net(row.word_or_empty(0)).filter(|n: &IpNet| n.addr.is_ipv6() == v6) {
                Some(net) => Fact::written(net, row.span()),
                None => Fact::unknown(Why::at(WhyCode::Masked, "address", vec![row.span()])),
            };
            out.push(Address { net, how: AddressHow::Static, v6 });
        }
        for (word, how) in [
            ("dhcp", AddressHow::Dhcp),
            ("dhcp-client", AddressHow::Dhcp),
            ("dhcpv6-client", AddressHow::Autoconf),
            ("negotiate-address", AddressHow::Ppp),
            ("unnumbered-address", AddressHow::Static),
        ] {
            if let Some(node) = child(family, word) {
                out.push(unknown(how, v6, node.span()));
            }
        }
    }
    out
}

/// PPPoE runs over a port that is a link only.
fn carriers(l: &mut Lowering<'_>) {
    for n in 0..l.names.units.len() {
        let Some(port) = at(l.names.units[n], &["pppoe-options", "underlying-interface"]).and_then(|u| below(u).next()) else { continue };
        let carrier = l.names.interfaces.get(unit_name(port.read().word_or_empty(0)).as_str()).copied();
        l.device.interfaces[n].carrier = carrier;
    }
}

/// `ge-0/0/0` means its unit 0.
pub(super) fn unit_name(text: &str) -> String {
    if text.contains('.') { text.to_owned() } else { format!("{text}.0") }
}

/// The interface of a name in another chapter.
pub(super) fn named(l: &Lowering<'_>, text: &str) -> Option<InterfaceIx> {
    l.names.interfaces.get(text).or_else(|| l.names.interfaces.get(&unit_name(text))).copied()
}

fn zones<'a>(l: &mut Lowering<'a>) {
    l.names.memberships = vec![None; l.device.interfaces.len()];
    let mut nodes: Vec<Node<'a>> = rows(l.own, &["security", "zones", "security-zone"]);
    nodes.extend(rows(l.own, &["security", "zones", "functional-zone"]));
    let mut order: HashMap<&'a str, ZoneIx> = HashMap::new();
    for zone in nodes {
        let ix = ZoneIx(l.device.zones.len() as u32);
        order.insert(zone.word_or_empty(0), ix);
        let mut members = Vec::new();
        for row in rows(zone, &["interfaces"]) {
            let name = row.word_or_empty(0);
            let all = name == "all";
            let found: Vec<InterfaceIx> = if all {
                (0..l.device.interfaces.len() as u32).map(InterfaceIx).filter(|i| l.names.memberships[i.0 as usize].is_none()).collect()
            } else {
                match named(l, name) {
                    Some(found) => vec![found],
                    None => vec![add_bare(l, row)],
                }
            };
            for found in found {
                members.push(found);
                l.names.memberships[found.0 as usize] = Some(Membership { zone, interface: row });
                l.device.interfaces[found.0 as usize].zone = Some(ix);
            }
        }
        child(zone, "host-inbound-traffic");
        l.device.zones.push(Zone { name: zone.word_or_empty(0).to_owned(), span: zone.span(), members });
    }
    l.names.zones = order;
}

/// A zone names an interface that the chapter of interfaces does not show (an excerpt, or a port that is not configured yet).
fn add_bare<'a>(l: &mut Lowering<'a>, row: Node<'a>) -> InterfaceIx {
    let name = unit_name(row.word_or_empty(0));
    let ix = InterfaceIx(l.device.interfaces.len() as u32);
    let missing = || Why::at(WhyCode::NotExported, name.clone(), vec![row.span()]);
    let shown = l.completeness.gaps.contains_key("interfaces");
    let addresses = if shown { vec![Address { net: Fact::unknown(missing()), how: AddressHow::Static, v6: false }] } else { Vec::new() };
    l.device.interfaces.push(Interface {
        kind: kind(&name, row),
        alias: None,
        span: row.span(),
        up: Fact::unknown(missing()),
        carrier: None,
        addresses,
        ipv6: Fact::unknown(missing()),
        zone: None,
        members: Vec::new(),
        signs: Vec::new(),
        name: name.clone(),
    });
    l.names.units.push(row);
    l.names.memberships.push(None);
    l.names.interfaces.insert(name, ix);
    ix
}
