//! Interfaces as the rest of the configuration names them (`nameif`), their addresses, and the signs of their sides.
//!
//! A port without a name carries no traffic of its own and is left out. Security levels are signs only where they differ:
//! a managed box prints 0 on every interface.

use super::Export;
use super::lines::{after, child, has_word};
use super::names::interface_net;
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, IpNet, SidePointer, SignStrength, TrustSign};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;
use std::net::IpAddr;

/// A named interface.
pub struct Nic<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its place in the device.
    pub ix: InterfaceIx,
    /// Its block.
    pub node: Node<'a>,
    /// Its security level.
    pub level: Fact<i64>,
    /// Its first IPv4 address.
    pub address: Option<IpAddr>,
    /// Whether only management traffic enters it.
    pub management_only: bool,
}

/// All named interfaces.
#[derive(Default)]
pub struct Interfaces<'a> {
    /// In the order of the export.
    pub list: Vec<Nic<'a>>,
    /// By name.
    pub by_name: HashMap<&'a str, InterfaceIx>,
}

impl Interfaces<'_> {
    /// The address of an interface, for rows that say `interface <name>`: the same set wherever it is named.
    pub fn address(&self, name: &str, span: Span) -> AddrExpr {
        match self.list.iter().find(|n| n.name == name).and_then(|n| n.address) {
            Some(ip) => AddrExpr::Range(ip, ip),
            None => AddrExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: format!("address of {name}"), span }),
        }
    }

    /// Whether some interface has a higher security level.
    pub fn is_lowest(&self, nic: &Nic<'_>) -> Option<bool> {
        let level = nic.level.get()?;
        let others: Vec<i64> = self.list.iter().filter(|n| n.ix != nic.ix).filter_map(|n| n.level.get().copied()).collect();
        Some(others.iter().all(|l| l >= level) && others.iter().any(|l| l > level))
    }
}

/// Fills interfaces and gives them by name.
pub fn fill<'a>(export: &Export<'a>, device: &mut Device) -> Interfaces<'a> {
    let mut found = Interfaces::default();
    for node in export.lines.all(&["interface"]) {
        let Some((name, line)) = child(node, &["nameif"]).and_then(|n| Some((n.word(1)?, n))) else { continue };
        let ix = InterfaceIx(device.interfaces.len() as u32);
        let management_only = child(node, &["management-only"]);
        let (interface, address) = interface(export, node, name, line, management_only.is_some());
        device.interfaces.push(interface);
        found.by_name.insert(name, ix);
        let level = level(export, node, name, line.span());
        found.list.push(Nic { name, ix, node, level, address, management_only: management_only.is_some() });
    }
    found
}

fn level(export: &Export<'_>, node: Node<'_>, name: &str, at: Span) -> Fact<i64> {
    match child(node, &["security-level"]) {
        Some(line) => line
            .word(1)
            .and_then(|w| w.parse().ok())
            .map_or_else(|| super::unclear("security-level", at), |l| Fact::written(l, line.span())),
        None => {
            let key = if name.eq_ignore_ascii_case("inside") { "security-level inside" } else { "security-level" };
            export.default_at(key, at, |v| v.parse().ok())
        }
    }
}

fn kind(hardware: &str, management_only: bool) -> InterfaceKind {
    let lower = hardware.to_ascii_lowercase();
    let is = |prefix: &str| lower.starts_with(prefix);
    if is("tunnel") {
        InterfaceKind::Tunnel
    } else if is("loopback") {
        InterfaceKind::Loopback
    } else if management_only || is("management") {
        InterfaceKind::OutOfBand
    } else if is("vlan") || lower.contains('.') {
        InterfaceKind::Vlan
    } else if is("port-channel") || is("redundant") {
        InterfaceKind::Aggregate
    } else if is("bvi") {
        InterfaceKind::Bridge
    } else {
        InterfaceKind::Physical
    }
}

fn interface(export: &Export<'_>, node: Node<'_>, name: &str, line: Node<'_>, management_only: bool) -> (Interface, Option<IpAddr>) {
    let up = match child(node, &["shutdown"]) {
        Some(off) => Fact::written(false, off.span()),
        None => export.default_at("interface shutdown", node.span(), |v| super::on_off(v).map(|off| !off)),
    };
    let mut addresses = Vec::new();
    let mut own = None;
    let unknown = |about: &str, line: Node<'_>| Fact::unknown(Why::at(WhyCode::RuntimeContent, about, vec![line.span()]));
    if let Some(line) = child(node, &["ip", "address"]) {
        let (net, how) = match line.word_or_empty(2) {
            "dhcp" => (unknown("DHCP", line), AddressHow::Dhcp),
            "pppoe" => (unknown("PPPoE", line), AddressHow::Ppp),
            word => {
                own = export.names.address(word);
                let net = interface_net(own, line.word_or_empty(3));
                let masked = || Fact::unknown(Why::at(WhyCode::Masked, name, vec![line.span()]));
                (net.map_or_else(masked, |n| Fact::written(n, line.span())), AddressHow::Static)
            }
        };
        addresses.push(Address { net, how, v6: false });
    }
    let mut ipv6 = None;
    for line in node.children().filter(|n| n.word(0) == Some("ipv6")) {
        let word = line.word_or_empty(2);
        if line.word(1) == Some("enable") {
            ipv6 = Some(line.read().span());
        } else if line.word(1) == Some("address") {
            ipv6 = Some(line.read().span());
            let net = word.split_once('/').and_then(|(a, l)| Some(IpNet::new(a.parse().ok()?, l.parse().ok()?)));
            let how = if word == "autoconfig" || word == "dhcp" { AddressHow::Autoconf } else { AddressHow::Static };
            let net = net.map_or_else(|| unknown(name, line), |n| Fact::written(n, line.span()));
            addresses.push(Address { net, how, v6: true });
        }
    }
    let ipv6 = match ipv6 {
        Some(span) => Fact::written(true, span),
        None => export.default_at("ipv6 enable", node.span(), super::on_off),
    };
    let alias = child(node, &["description"]).and_then(|n| n.word(1)).map(str::to_owned);
    let interface = Interface {
        name: name.to_owned(),
        alias,
        kind: kind(node.word_or_empty(1), management_only),
        span: line.span(),
        up,
        carrier: None,
        addresses,
        ipv6,
        zone: None,
        members: Vec::new(),
        signs: Vec::new(),
    };
    (interface, own)
}

/// Words in names that point to a side.
const OUTSIDE: &[&str] = &["outside", "wan", "internet", "isp", "pppoe", "untrust", "public"];
const INSIDE: &[&str] = &["inside", "lan", "internal", "intranet", "trust", "management", "mgmt"];

/// Collects the signs of every interface.
pub fn signs(export: &Export<'_>, device: &mut Device) {
    use SidePointer::{Trusted, Untrusted};
    use SignStrength::{Medium, Strong, Weak};
    let list = &export.interfaces.list;
    let levels: Vec<i64> = list.iter().filter_map(|n| n.level.get().copied()).collect();
    let levels_differ = levels.iter().any(|l| *l != levels[0]);
    let translated: Vec<(InterfaceIx, Origin)> = device.nat.source_nat_on.clone();
    let routes = default_routes(export);
    for nic in list {
        let interface = &mut device.interfaces[nic.ix.0 as usize];
        let is_tunnel = interface.kind == InterfaceKind::Tunnel;
        let mut add = |code: &'static str, strength: SignStrength, points_to: SidePointer, origin: Origin| {
            interface.signs.push(TrustSign { code, strength, points_to, origin });
        };
        for route in routes.iter().filter(|r| r.word(1) == Some(nic.name) || r.word(2) == Some(nic.name)) {
            // Management ports have a routing table of their own.
            let elsewhere = routes.iter().any(|r| !list.iter().any(|n| n.management_only && r.words_from(1).take(2).any(|w| w == n.name)));
            let strength = if nic.management_only && elsewhere { Weak } else { Strong };
            add("sign.default_route", strength, Untrusted, Origin::Written(route.span()));
        }
        if let Some(line) = child(nic.node, &["ip", "address"]) {
            match (line.word_or_empty(2), has_word(line, "setroute", 3)) {
                ("pppoe", _) => add("sign.pppoe", Strong, Untrusted, Origin::Written(line.span())),
                ("dhcp", true) => add("sign.dhcp_route", Strong, Untrusted, Origin::Written(line.span())),
                ("dhcp", false) if !nic.management_only => add("sign.dhcp_client", Medium, Untrusted, Origin::Written(line.span())),
                _ => {}
            }
        }
        if is_tunnel {
            // A tunnel's level says how it is filtered, not where it leads.
            continue;
        }
        if let Some(level) = nic.level.get().filter(|_| levels_differ && !export.managed && !nic.management_only) {
            let origin = nic.level.origin.clone();
            match level {
                0 => add("sign.security_level", Strong, Untrusted, origin),
                100 => add("sign.security_level", Strong, Trusted, origin),
                _ => {}
            }
        }
        if nic.management_only {
            add("sign.dedicated_management", Medium, Trusted, Origin::Written(nic.node.span()));
        }
        if let Some((_, origin)) = translated.iter().find(|(ix, _)| *ix == nic.ix) {
            add("sign.nat_outer", Weak, Untrusted, origin.clone());
        }
        if let Some(ip) = nic.address {
            let line = child(nic.node, &["ip", "address"]).map_or(nic.node.span(), |l| l.span());
            let IpAddr::V4(v4) = ip else { continue };
            let private = v4.is_private() || v4.is_loopback() || v4.is_link_local();
            if private {
                add("sign.private_address", if levels_differ { Medium } else { Weak }, Trusted, Origin::Written(line));
            } else {
                add("sign.public_address", Medium, Untrusted, Origin::Written(line));
            }
        }
        let lower = nic.name.to_ascii_lowercase();
        let name = |words: &[&str]| words.iter().any(|w| lower.contains(w));
        let at = Origin::Written(nic.node.span());
        if name(OUTSIDE) && !lower.contains("wlan") {
            add("sign.name", Weak, Untrusted, at);
        } else if name(INSIDE) {
            add("sign.name", Weak, Trusted, at);
        }
    }
}

/// Networks that static routes lead to.
pub fn routed(export: &Export<'_>, device: &mut Device) {
    for line in export.lines.all(&["route"]) {
        let net = interface_net(export.names.address(line.word_or_empty(2)), line.word_or_empty(3));
        if let (Some(ix), Some(net)) = (export.interface(line.word_or_empty(1)), net.filter(|n| n.prefix > 0)) {
            device.routed.push((ix, net));
        }
    }
}

/// Static default routes of both families; a route for decrypted packets only leads inside.
fn default_routes<'a>(export: &Export<'a>) -> Vec<Node<'a>> {
    let mut routes: Vec<Node<'a>> = Vec::new();
    for line in export.lines.all(&["route"]) {
        let zero = |ix: usize| matches!(line.word_or_empty(ix), "0.0.0.0" | "0");
        if zero(2) && zero(3) && !has_word(line, "tunneled", 4) {
            routes.push(line);
        }
    }
    for line in export.lines.all(&["ipv6", "route"]) {
        if line.word(3) == Some("::/0") && after(line, "tunneled", 4).is_none() && !has_word(line, "tunneled", 4) {
            routes.push(line);
        }
    }
    routes
}
