//! Interface blocks and static routes: names, kinds, addresses, carriers, members.
//!
//! `GigaEthernet0.0` is the base of a port, `GigaEthernet0.1` a PPPoE session or VLAN on it, `GigaEthernet2:1.0` a group of switch
//! ports. `Null0.0` is no interface packets enter. What side an interface is on is not decided here.

use super::lines::{Lines, is};
use super::{Export, address, ambiguous, on_off, sides, undocumented};
use crate::ir::Device;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, IpNet};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// An interface block; one that is entered twice counts once.
pub struct Port<'a> {
    /// Name as written.
    pub name: &'a str,
    /// The line that opens the block.
    pub node: Node<'a>,
    /// What stands in it.
    pub lines: Lines<'a>,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gateway {
    /// Out of an interface.
    Port(InterfaceIx),
    /// To a next hop.
    Address(IpAddr),
}

/// A static route.
pub struct Route {
    /// The line.
    pub span: Span,
    /// Its destination; `None` for the default route.
    pub to: Option<IpNet>,
    /// Whether it is one of IPv6.
    pub v6: bool,
    /// Where it leads.
    pub gateway: Gateway,
}

/// The interfaces by name, and the routes.
#[derive(Default)]
pub struct Ports<'a> {
    /// The blocks, in the order of the text; positions are those of the device's interfaces.
    pub list: Vec<Port<'a>>,
    by_name: HashMap<String, InterfaceIx>,
    /// Static routes.
    pub routes: Vec<Route>,
    routes_by: HashMap<InterfaceIx, Vec<usize>>,
    routed: HashMap<IpNet, InterfaceIx>,
    routed_lengths: BTreeSet<u8>,
    defaults: BTreeSet<InterfaceIx>,
    nets: HashMap<IpNet, InterfaceIx>,
    lengths: BTreeSet<u8>,
    shut_devices: HashMap<String, Span>,
    /// Whether the block of `Null0.0` is there, which a printed configuration has near its end.
    pub has_null: bool,
}

impl<'a> Ports<'a> {
    /// Reads the interface blocks and routes.
    pub fn read(lines: &Lines<'a>) -> Ports<'a> {
        let mut ports = Ports::default();
        for node in lines.all(&["interface"]) {
            // Handwritten lines separate the name: `interface GigaEthernet 0.1`.
            let Some(name) = node.word(1) else { continue };
            if name.to_ascii_lowercase().starts_with("null") {
                ports.has_null = true;
                node.mark_below(crate::syntax::Mark::Irrelevant);
                continue;
            }
            match ports.by_name.get(&name.to_ascii_lowercase()) {
                Some(ix) => ports.list[ix.0 as usize].lines.add(node),
                None => {
                    ports.by_name.insert(name.to_ascii_lowercase(), InterfaceIx(ports.list.len() as u32));
                    ports.list.push(Port { name, node, lines: Lines::below(node) });
                }
            }
        }
        for (ix, port) in (0..).map(InterfaceIx).zip(&ports.list) {
            for node in port.lines.all(&["ip", "address"]).into_iter().chain(port.lines.all(&["ipv6", "address"])) {
                if let Some(net) = written_net(node) {
                    ports.nets.entry(network(net.addr, net.prefix)).or_insert(ix);
                    ports.lengths.insert(net.prefix);
                }
            }
        }
        for device in lines.all(&["device"]) {
            if let (Some(name), Some(shut)) = (device.word(1), Lines::below(device).one(&["shutdown"])) {
                ports.shut_devices.insert(name.to_ascii_lowercase(), shut.span());
            }
        }
        for (family, v6) in [("ip", false), ("ipv6", true)] {
            for node in lines.all(&[family, "route"]) {
                let Some(route) = ports.route(node, v6) else { continue };
                if let Some(ix) = ports.egress(&route) {
                    ports.routes_by.entry(ix).or_default().push(ports.routes.len());
                    match route.to {
                        Some(net) => {
                            ports.routed.entry(network(net.addr, net.prefix)).or_insert(ix);
                            ports.routed_lengths.insert(net.prefix);
                        }
                        None => {
                            ports.defaults.insert(ix);
                        }
                    }
                }
                ports.routes.push(route);
            }
        }
        ports
    }

    fn route(&self, node: Node<'_>, v6: bool) -> Option<Route> {
        let to = match node.word(2)? {
            w if w.eq_ignore_ascii_case("default") || w == "0.0.0.0/0" || w == "::/0" => None,
            w => Some(address::net(w)?),
        };
        let word = node.word(3)?;
        // `fe80::1%GigaEthernet0.0` names the interface of a link-local next hop.
        let (address, zone) = word.split_once('%').map_or((word, None), |(a, z)| (a, Some(z)));
        let port = zone.and_then(|z| self.named(z)).or_else(|| self.named(word));
        let gateway = match port {
            Some(ix) => Gateway::Port(ix),
            None => Gateway::Address(address.parse().ok()?),
        };
        Some(Route { span: node.span(), to, v6, gateway })
    }

    /// The interface of that name.
    pub fn named(&self, name: &str) -> Option<InterfaceIx> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The block of an interface.
    pub fn port(&self, ix: InterfaceIx) -> Option<&Port<'a>> {
        self.list.get(ix.0 as usize)
    }

    /// The interfaces with their positions.
    pub fn iter(&self) -> impl Iterator<Item = (InterfaceIx, &Port<'a>)> {
        (0..).map(InterfaceIx).zip(&self.list)
    }

    /// The interface on whose network an address lies.
    pub fn holding(&self, addr: IpAddr) -> Option<InterfaceIx> {
        self.lengths.iter().rev().find_map(|length| self.nets.get(&network(addr, *length))).copied()
    }

    /// The interface a route leaves by.
    pub fn egress(&self, route: &Route) -> Option<InterfaceIx> {
        match route.gateway {
            Gateway::Port(ix) => Some(ix),
            Gateway::Address(addr) => self.holding(addr),
        }
    }

    /// The routes that leave by an interface.
    pub fn routes_by(&self, ix: InterfaceIx) -> impl Iterator<Item = &Route> {
        self.routes_by.get(&ix).into_iter().flatten().filter_map(|at| self.routes.get(*at))
    }

    /// The interfaces by which packets to an address leave; any address: those of the default routes.
    pub fn towards(&self, addr: Option<IpAddr>) -> Vec<InterfaceIx> {
        let routed = |a: IpAddr| self.routed_lengths.iter().rev().find_map(|length| self.routed.get(&network(a, *length))).copied();
        match addr.and_then(|a| self.holding(a).or_else(|| routed(a))) {
            Some(ix) => vec![ix],
            None => self.defaults.iter().copied().collect(),
        }
    }
}

/// A network without host bits, as the key it is found by.
fn network(addr: IpAddr, length: u8) -> IpNet {
    let net = IpNet::new(addr, length);
    IpNet::new(net.range().0, net.prefix)
}

/// The network of an `ip address` line that states one.
fn written_net(node: Node<'_>) -> Option<IpNet> {
    let net = address::net(node.word(2)?)?;
    match node.word(3).and_then(address::mask).filter(|_| net.addr.is_ipv4()) {
        Some(length) => Some(IpNet::new(net.addr, length)),
        None => Some(net),
    }
}

impl<'a> Port<'a> {
    /// The words after `tunnel mode`.
    pub fn tunnel_mode(&self) -> Option<(Node<'a>, Vec<String>)> {
        let node = self.lines.one(&["tunnel", "mode"])?;
        Some((node, node.words_from(2).map(str::to_ascii_lowercase).collect()))
    }

    /// The first word after `encapsulation`.
    pub fn encapsulation(&self) -> Option<Node<'a>> {
        self.lines.one(&["encapsulation"])
    }

    /// Whether the interface is a tunnel by its name.
    pub fn is_tunnel(&self) -> bool {
        self.name.to_ascii_lowercase().starts_with("tunnel")
    }

    /// What it is.
    pub fn kind(&self, export: &Export<'_>) -> InterfaceKind {
        let lower = self.name.to_ascii_lowercase();
        if self.is_tunnel() {
            return match self.tunnel_mode() {
                Some((_, mode)) if mode.first().is_some_and(|m| m == "l2tp-lns") => InterfaceKind::RemoteAccess,
                _ if self.is_carrier(export) => InterfaceKind::Ppp,
                _ => InterfaceKind::Tunnel,
            };
        }
        if lower.starts_with("loopback") {
            return InterfaceKind::Loopback;
        }
        if lower.starts_with("bvi") {
            return InterfaceKind::Bridge;
        }
        match self.encapsulation() {
            Some(node) if is(node, 1, "pppoe") || is(node, 1, "ppp") => InterfaceKind::Ppp,
            Some(node) if is(node, 1, "dot1q") => InterfaceKind::Vlan,
            _ if lower.contains(':') => InterfaceKind::Vlan,
            _ => InterfaceKind::Physical,
        }
    }

    /// Whether a tunnel is the Internet line itself: a mode of providers, or an unencrypted one that carries the default route.
    pub fn is_carrier(&self, export: &Export<'_>) -> bool {
        let Some((_, mode)) = self.tunnel_mode() else { return false };
        let provider = export.grammar.names("carrier_modes").iter().any(|m| mode.first() == Some(m));
        let plain = !mode.iter().any(|w| w.starts_with("ipsec") || w == "ether-ip" || w == "l2tp-lns");
        let ix = export.ports.named(self.name);
        let carries = || ix.is_some_and(|ix| export.ports.routes_by(ix).any(|r| r.to.is_none() && r.gateway == Gateway::Port(ix)));
        provider || plain && carries()
    }
}

/// Fills the interfaces of the device.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    for (_, port) in export.ports.iter() {
        device.interfaces.push(base(export, port));
    }
    carriers(export, device);
    members(export, device);
    sides::signs(export, &mut device.interfaces);
}

fn base(export: &Export<'_>, port: &Port<'_>) -> Interface {
    let kind = port.kind(export);
    let described = port.lines.one(&["description"]);
    Interface {
        name: port.name.to_owned(),
        alias: described.map(|n| n.words_from(1).collect::<Vec<_>>().join(" ")),
        kind,
        span: port.node.span(),
        up: up(export, port, kind),
        carrier: None,
        addresses: addresses(port, kind),
        ipv6: ipv6(export, port),
        zone: None,
        members: Vec::new(),
        signs: Vec::new(),
    }
}

/// Whether it is switched on. A printed configuration shows either word; a device that is shut down takes its interfaces along.
fn up(export: &Export<'_>, port: &Port<'_>, kind: InterfaceKind) -> Fact<bool> {
    let physical = port.name.split(['.', ':']).next().unwrap_or("").to_ascii_lowercase();
    if let Some(shut) = export.ports.shut_devices.get(&physical) {
        return Fact::written(false, *shut);
    }
    match port.lines.flag(&["shutdown"]) {
        Some(shut) => shut.negate(),
        None if kind == InterfaceKind::Loopback => Fact::written(true, port.node.span()),
        None => undocumented("shutdown", port.node.span()),
    }
}

fn addresses(port: &Port<'_>, kind: InterfaceKind) -> Vec<Address> {
    let later = |node: Node<'_>| Fact::unknown(Why::at(WhyCode::RuntimeContent, node.word_or_empty(2), vec![node.span()]));
    let mut out = Vec::new();
    for node in port.lines.all(&["ip", "address"]) {
        let (net, how) = match (written_net(node), node.word(2).map(str::to_ascii_lowercase).as_deref()) {
            (Some(net), _) => (Fact::written(net, node.word_span(2)), AddressHow::Static),
            (_, Some("dhcp")) => (later(node), AddressHow::Dhcp),
            (_, Some("ipcp" | "map-e")) => (later(node), AddressHow::Ppp),
            _ => (ambiguous("ip address", node.span()), AddressHow::Dhcp),
        };
        out.push(Address { net, how, v6: false });
    }
    for node in port.lines.all(&["ipv6", "address"]) {
        let (net, how) = match written_net(node) {
            Some(net) => (Fact::written(net, node.word_span(2)), AddressHow::Static),
            None => (later(node), AddressHow::Autoconf),
        };
        out.push(Address { net, how, v6: true });
    }
    if out.iter().all(|a| !a.v6)
        && let Some(node) = port.lines.one(&["ipv6", "dhcp", "client"])
    {
        out.push(Address { net: later(node), how: AddressHow::Autoconf, v6: true });
    }
    // A borrowed address answers on this interface as well. On a tunnel that is the Internet line (DS-Lite) it is an inside one,
    // to which no stranger can send.
    let borrowed = port.lines.one(&["ip", "unnumbered"]).filter(|_| out.iter().all(|a| a.v6));
    if let Some(node) = borrowed.filter(|_| kind != InterfaceKind::Ppp || !port.is_tunnel()) {
        out.push(Address { net: later(node), how: AddressHow::Ppp, v6: false });
    }
    out
}

fn ipv6(export: &Export<'_>, port: &Port<'_>) -> Fact<bool> {
    const LINES: &[&[&str]] = &[&["ipv6", "enable"], &["ipv6", "address"], &["ipv6", "dhcp", "client"], &["ipv6", "nd", "ra"]];
    match LINES.iter().find_map(|words| port.lines.one(words)) {
        Some(node) => Fact::written(true, node.span()),
        None => export.absent_at("ipv6 enable", port.node.span(), on_off),
    }
}

/// A session or VLAN stands on the base of its port.
fn carriers(export: &Export<'_>, device: &mut Device) {
    for (ix, port) in export.ports.iter() {
        let Some((device_name, unit)) = port.name.rsplit_once('.').filter(|_| !port.is_tunnel()) else { continue };
        let below = export.ports.named(&format!("{device_name}.0")).filter(|_| unit != "0");
        if let (Some(below), Some(interface)) = (below, device.interfaces.get_mut(ix.0 as usize)) {
            interface.carrier = Some(below);
        }
    }
}

/// `bridge-group N` joins ports; `BVIN` is the router's own interface in the group.
fn members(export: &Export<'_>, device: &mut Device) {
    let group = |port: &Port<'_>| port.lines.one(&["bridge-group"]).and_then(|n| n.word(1)).map(str::to_owned);
    let mut by_group: HashMap<String, Vec<InterfaceIx>> = HashMap::new();
    for (ix, port) in export.ports.iter().filter(|(_, p)| !p.name.to_ascii_lowercase().starts_with("bvi")) {
        if let Some(g) = group(port) {
            by_group.entry(g).or_default().push(ix);
        }
    }
    for (ix, port) in export.ports.iter().filter(|(_, p)| p.name.to_ascii_lowercase().starts_with("bvi")) {
        let own = group(port).unwrap_or_else(|| port.name.chars().skip(3).collect());
        if let Some(interface) = device.interfaces.get_mut(ix.0 as usize) {
            interface.members = by_group.get(&own).cloned().unwrap_or_default();
        }
    }
}
