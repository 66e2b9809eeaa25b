//! Interfaces: kinds, addresses, what is attached to them.
//!
//! [`collect`] reads each block once into a [`Port`], which the other topics share; [`fill`] writes the intermediate form. Which
//! side an interface is on is not said here (`sides`).

use super::{Block, Export, address, on_off};
use crate::ir::Device;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, IpNet};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;
use std::net::IpAddr;

/// An interface's block, read once.
pub struct Port<'a> {
    /// The block.
    pub node: Node<'a>,
    /// Name as written.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// `vrf forwarding`.
    pub vrf: Option<Node<'a>>,
    /// Whether it is a switched port.
    pub switchport: bool,
    /// Whether it is a session with a provider (dialer, mobile).
    pub ppp: bool,
    /// `ip nat outside`.
    pub nat_outside: Option<Node<'a>>,
    /// `ip nat inside`.
    pub nat_inside: Option<Node<'a>>,
    /// `crypto map NAME`.
    pub crypto_map: Option<Node<'a>>,
    /// `zone-member security NAME`.
    pub zone: Option<Node<'a>>,
    /// Static IPv4 networks, in the order written.
    pub nets: Vec<IpNet>,
    /// The line of the first IPv4 address.
    pub address_line: Option<Node<'a>>,
    addresses: Vec<Address>,
}

impl<'a> Port<'a> {
    /// The block's statements.
    pub fn block(&self) -> Block<'a> {
        Block(self.node)
    }

    /// Name of the routing instance; empty for the global one.
    pub fn vrf_name(&self) -> &str {
        self.vrf.map_or("", |n| n.word_or_empty(n.len().saturating_sub(1)))
    }
}

/// All interfaces, by index and by name.
#[derive(Default)]
pub struct Ports<'a> {
    /// In the order of the export; the same order as in the device.
    pub ports: Vec<Port<'a>>,
    by_name: HashMap<String, usize>,
}

impl<'a> Ports<'a> {
    /// The interface of a name, whatever its case.
    pub fn named(&self, name: &str) -> Option<InterfaceIx> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|ix| InterfaceIx(*ix as u32))
    }

    /// The block of an interface.
    pub fn get(&self, ix: InterfaceIx) -> Option<&Port<'a>> {
        self.ports.get(ix.0 as usize)
    }

    /// Indexes with blocks.
    pub fn iter(&self) -> impl Iterator<Item = (InterfaceIx, &Port<'a>)> {
        (0..).map(InterfaceIx).zip(&self.ports)
    }

    /// The interface whose network holds an address, the longest prefix first.
    pub fn towards(&self, address: IpAddr, vrf: &str) -> Option<InterfaceIx> {
        let fitting = self.iter().filter(|(_, p)| p.vrf_name() == vrf);
        let best = |p: &Port<'_>| p.nets.iter().filter(|n| n.contains(address)).map(|n| n.prefix).max();
        fitting.filter_map(|(ix, p)| best(p).map(|b| (b, ix))).max_by_key(|(b, ix)| (*b, std::cmp::Reverse(*ix))).map(|(_, ix)| ix)
    }
}

fn kind(name: &str, vrf: Option<Node<'_>>) -> Option<InterfaceKind> {
    let lower = name.to_ascii_lowercase();
    let starts = |words: &[&str]| words.iter().any(|w| lower.starts_with(w));
    let management = vrf.is_some_and(|n| {
        let vrf = n.word_or_empty(n.len().saturating_sub(1)).to_ascii_lowercase();
        vrf == "mgmt-intf" || vrf == "mgmtvrf"
    });
    Some(if starts(&["null"]) {
        return None;
    } else if management {
        InterfaceKind::OutOfBand
    } else if starts(&["loopback"]) {
        InterfaceKind::Loopback
    } else if starts(&["tunnel"]) {
        InterfaceKind::Tunnel
    } else if starts(&["virtual-template"]) {
        InterfaceKind::RemoteAccess
    } else if starts(&["dialer", "cellular", "virtual-ppp", "async", "group-async"]) {
        InterfaceKind::Ppp
    } else if starts(&["bvi", "bdi", "bridge"]) {
        InterfaceKind::Bridge
    } else if starts(&["vlan"]) || lower.contains('.') {
        InterfaceKind::Vlan
    } else if starts(&["port-channel", "multilink"]) {
        InterfaceKind::Aggregate
    } else {
        InterfaceKind::Physical
    })
}

/// Reads all interface blocks. A block that stands twice is read where it stands first, with the lines of both.
pub fn collect<'a>(export: &Export<'a>) -> Ports<'a> {
    let mut ports = Ports::default();
    for node in export.lines(&["interface"]) {
        let Some((name, _)) = address::interface_name(node, 1) else { continue };
        let block = Block(node);
        let vrf = block.line(&["vrf", "forwarding"]).or_else(|| block.line(&["ip", "vrf", "forwarding"]));
        let Some(kind) = kind(&name, vrf) else {
            node.mark_below(crate::syntax::Mark::Irrelevant);
            continue;
        };
        let lower = name.to_ascii_lowercase();
        if ports.by_name.contains_key(&lower) {
            continue;
        }
        let (addresses, nets, address_line) = addresses(block);
        let switchport = block.lines(&["switchport"]).next().is_some();
        ports.by_name.insert(lower.clone(), ports.ports.len());
        ports.ports.push(Port {
            node,
            name,
            kind,
            vrf,
            switchport: switchport && block.no(&["switchport"]).is_none_or(|n| n.len() > 2),
            ppp: kind == InterfaceKind::Ppp,
            nat_outside: block.line(&["ip", "nat", "outside"]),
            nat_inside: block.line(&["ip", "nat", "inside"]),
            crypto_map: block.line(&["crypto", "map"]),
            zone: block.line(&["zone-member", "security"]),
            nets,
            address_line,
            addresses,
        });
    }
    unnumbered(&mut ports);
    ports
}

fn unknown_net(what: &str, span: Span, code: WhyCode) -> Fact<IpNet> {
    Fact::unknown(Why::at(code, what, vec![span]))
}

type Addresses<'a> = (Vec<Address>, Vec<IpNet>, Option<Node<'a>>);

fn addresses(block: Block<'_>) -> Addresses<'_> {
    let (mut out, mut nets, mut first) = (Vec::new(), Vec::new(), None);
    for line in block.lines(&["ip", "address"]) {
        first.get_or_insert(line);
        let word = line.word_or_empty(2);
        let (net, how) = match word {
            "dhcp" => (unknown_net("ip address", line.span(), WhyCode::RuntimeContent), AddressHow::Dhcp),
            "negotiated" | "pool" => (unknown_net("ip address", line.span(), WhyCode::RuntimeContent), AddressHow::Ppp),
            _ => match address::v4_net(word, line.word_or_empty(3)) {
                Some(net) => {
                    nets.push(net);
                    (Fact::written(net, line.span()), AddressHow::Static)
                }
                None => (unknown_net("ip address", line.span(), WhyCode::Masked), AddressHow::Static),
            },
        };
        out.push(Address { net, how, v6: false });
    }
    let shared = block.lines(&["standby"]).chain(block.lines(&["vrrp"])).chain(block.lines(&["glbp"]));
    for line in shared.filter(|n| n.word(2) == Some("ip")) {
        let address = line.word(3).and_then(address::v4);
        let within = address.and_then(|a| nets.iter().find(|n| n.contains(IpAddr::V4(a))).map(|n| IpNet::new(IpAddr::V4(a), n.prefix)));
        out.extend(within.map(|net| Address { net: Fact::written(net, line.span()), how: AddressHow::Static, v6: false }));
    }
    for line in block.lines(&["ipv6", "address"]) {
        let word = line.word_or_empty(2);
        let has = |what: &str| line.words_from(2).any(|w| w == what);
        if has("link-local") {
            continue;
        }
        let (net, how) = match address::v6_net(word) {
            Some(_) if has("eui-64") => (unknown_net("ipv6 address", line.span(), WhyCode::RuntimeContent), AddressHow::Autoconf),
            Some(net) => {
                nets.push(net);
                (Fact::written(net, line.span()), AddressHow::Static)
            }
            None => (unknown_net("ipv6 address", line.span(), WhyCode::RuntimeContent), AddressHow::Autoconf),
        };
        out.push(Address { net, how, v6: true });
    }
    (out, nets, first)
}

/// `ip unnumbered X`: the addresses of another interface.
fn unnumbered(ports: &mut Ports<'_>) {
    let borrowed: Vec<(usize, usize)> = ports
        .ports
        .iter()
        .enumerate()
        .filter_map(|(ix, p)| {
            let line = p.block().line(&["ip", "unnumbered"])?;
            let (name, _) = address::interface_name(line, 2)?;
            ports.named(&name).map(|from| (ix, from.0 as usize))
        })
        .filter(|(to, from)| to != from)
        .collect();
    for (to, from) in borrowed {
        let lent: Vec<Address> = ports.ports[from].addresses.iter().filter(|a| !a.v6).cloned().collect();
        ports.ports[to].addresses.extend(lent);
    }
}

/// Writes the interfaces. Addresses of the tunnel itself, of loopbacks and of switched ports are all there is to them.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    for port in &export.ports.ports {
        let block = port.block();
        let down = block.switch(&["shutdown"]).map(|f| f.negate());
        let up = down.unwrap_or_else(|| export.default_at("interface shutdown", Some(port.node.span()), |v| on_off(v).map(|b| !b)));
        let six = ["enable", "address", "unnumbered"].iter().find_map(|w| block.line(&["ipv6", w]));
        let ipv6 = match six {
            Some(line) => Fact::written(true, line.span()),
            None => export.default_at("interface ipv6", Some(port.node.span()), on_off),
        };
        let alias = block.line(&["description"]).and_then(|n| n.word(1)).map(str::to_owned);
        device.interfaces.push(Interface {
            name: port.name.clone(),
            alias,
            kind: port.kind,
            span: port.node.span(),
            up,
            carrier: None,
            addresses: port.addresses.clone(),
            ipv6,
            zone: None,
            members: Vec::new(),
            signs: Vec::new(),
        });
    }
    carriers(export, device);
}

/// A dialer and the port that carries it: they name the same pool.
fn carriers(export: &Export<'_>, device: &mut Device) {
    let mut pools: HashMap<&str, InterfaceIx> = HashMap::new();
    for (ix, port) in export.ports.iter() {
        if let Some(line) = dial_pool(port.node) {
            pools.entry(line.word_or_empty(2)).or_insert(ix);
        }
    }
    for (ix, port) in export.ports.iter() {
        let pool = port.block().line(&["dialer", "pool"]).and_then(|n| n.word(2));
        if let Some(interface) = device.interfaces.get_mut(ix.0 as usize) {
            interface.carrier = pool.and_then(|p| pools.get(p).copied());
        }
    }
}

/// The line that puts a port into a dialer's pool: `pppoe-client dial-pool-number N`, `dialer pool-member N`.
pub fn dial_pool(node: Node<'_>) -> Option<Node<'_>> {
    let block = Block(node);
    let direct = block.line(&["pppoe-client", "dial-pool-number"]).or_else(|| block.line(&["dialer", "pool-member"]));
    let inner = || {
        let below = block.lines(&["pvc"]).find_map(|n| {
            let inside = Block(n);
            inside.line(&["pppoe-client", "dial-pool-number"]).or_else(|| inside.line(&["dialer", "pool-member"]))
        });
        below.or_else(|| block.line(&["pppoe", "enable"]))
    };
    direct.or_else(inner)
}
