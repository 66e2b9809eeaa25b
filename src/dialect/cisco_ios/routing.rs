//! Routes and routing neighbours, as far as they tell which side an interface is on: where the default route leaves, on which
//! interfaces the facility's own routing protocol speaks, and on which another organisation's router answers.
//!
//! Routes themselves are not judged.

use super::interface::Ports;
use super::{Block, Export, address};
use crate::ir::interface::InterfaceIx;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

/// An interface and the line that speaks of it.
pub type Place = (InterfaceIx, Span);

/// Where default routes leave, for the global table and for front tables.
pub fn default_routes(export: &Export<'_>) -> Vec<Place> {
    let mut out = Vec::new();
    for line in export.lines(&["ip", "route"]) {
        let (vrf, at) = if line.word(2) == Some("vrf") { (line.word_or_empty(3), 4) } else { ("", 2) };
        if line.word(at) == Some("0.0.0.0") && line.word(at + 1) == Some("0.0.0.0") {
            out.extend(egress(export, line, at + 2, vrf).map(|ix| (ix, line.span())));
        }
    }
    for line in export.lines(&["ipv6", "route"]) {
        let (vrf, at) = if line.word(2) == Some("vrf") { (line.word_or_empty(3), 4) } else { ("", 2) };
        if line.word(at) == Some("::/0") {
            out.extend(egress(export, line, at + 1, vrf).map(|ix| (ix, line.span())));
        }
    }
    out
}

fn egress(export: &Export<'_>, line: Node<'_>, at: usize, vrf: &str) -> Option<InterfaceIx> {
    if let Some(gateway) = line.word(at).and_then(|w| w.parse::<IpAddr>().ok()) {
        return export.ports.towards(gateway, vrf);
    }
    let (name, _) = address::interface_name(line, at)?;
    export.ports.named(&name)
}

/// Interfaces on which an interior routing protocol of the facility speaks and listens.
pub fn interior(export: &Export<'_>) -> Vec<Place> {
    let mut out = Vec::new();
    let mut processes: Vec<(Vec<Network>, Passive)> = Vec::new();
    for protocol in ["ospf", "eigrp", "rip"] {
        for node in export.lines(&["router", protocol]) {
            read_process(node, &mut processes, 0);
        }
    }
    for (ix, port) in export.ports.iter() {
        let block = port.block();
        let own =
            ["ospf", "ospfv3", "router", "rip", "eigrp"].iter().find_map(|w| block.line(&["ip", w]).or_else(|| block.line(&["ipv6", w])));
        let speaks = |line: &Node<'_>| match line.word(1) {
            Some("router") => true,
            // Timers and costs alone start nothing.
            _ => line.words_from(2).any(|w| w == "area") || line.word(2).is_some_and(|w| w == "enable") || line.word(3) == Some("enable"),
        };
        if let Some(line) = own.filter(|l| speaks(l)) {
            out.push((ix, line.span()));
            continue;
        }
        let covered = port.nets.iter().find_map(|net| {
            let IpAddr::V4(a) = net.addr else { return None };
            processes.iter().find_map(|(networks, passive)| {
                let found = networks.iter().find(|n| n.covers(a))?;
                (!passive.holds(&port.name)).then_some(found.span)
            })
        });
        out.extend(covered.map(|span| (ix, span)));
    }
    out
}

struct Network {
    address: u32,
    free: u32,
    span: Span,
}

impl Network {
    fn covers(&self, address: Ipv4Addr) -> bool {
        (u32::from(address) ^ self.address) & !self.free == 0
    }
}

#[derive(Default)]
struct Passive {
    all: bool,
    named: HashSet<String>,
    active: HashSet<String>,
}

impl Passive {
    fn holds(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        self.named.contains(&lower) || self.all && !self.active.contains(&lower)
    }
}

/// Reads a routing process and the address families below it.
fn read_process(node: Node<'_>, out: &mut Vec<(Vec<Network>, Passive)>, depth: usize) {
    let mut networks = Vec::new();
    let mut passive = Passive::default();
    for child in node.children() {
        let (negated, at) = if child.word(0) == Some("no") { (true, 1) } else { (false, 0) };
        match child.word(at) {
            Some("network") => {
                child.read();
                let Some(address) = child.word(1).and_then(address::v4) else { continue };
                let free = match child.word(2).and_then(address::v4) {
                    Some(mask) if mask.octets()[0] == 255 && u32::from(mask).trailing_zeros() > 0 => !u32::from(mask),
                    Some(mask) => u32::from(mask),
                    None => classful(address),
                };
                networks.push(Network { address: u32::from(address) & !free, free, span: child.span() });
            }
            Some("passive-interface") => {
                child.read();
                match address::interface_name(child, at + 1) {
                    Some((word, _)) if word == "default" => passive.all = !negated,
                    Some((name, _)) if negated => passive.active.extend([name.to_ascii_lowercase()]),
                    Some((name, _)) => passive.named.extend([name.to_ascii_lowercase()]),
                    None => {}
                }
            }
            Some("address-family") if depth < 4 => read_process(child.read(), out, depth + 1),
            _ => {}
        }
    }
    if !networks.is_empty() {
        out.push((networks, passive));
    }
}

/// Bits of a classful network that do not matter.
fn classful(address: Ipv4Addr) -> u32 {
    match address.octets()[0] {
        0 => u32::MAX,
        1..=127 => 0x00ff_ffff,
        128..=191 => 0xffff,
        _ => 0xff,
    }
}

/// Interfaces behind which a router of another autonomous system answers. Two private numbers over private addresses are
/// likelier two parts of one facility, and prove nothing.
pub fn exterior(export: &Export<'_>) -> Vec<Place> {
    let mut out = Vec::new();
    for node in export.lines(&["router", "bgp"]) {
        let Some(own) = number(node.word_or_empty(2)) else { continue };
        let mut groups: HashMap<&str, (u64, Span)> = HashMap::new();
        let mut neighbours = Vec::new();
        read_neighbours(node, "", &mut groups, &mut neighbours, 0);
        for (address, vrf, group, direct) in neighbours {
            let found = direct.or_else(|| group.and_then(|g| groups.get(g).copied()));
            let Some((remote, span)) = found.filter(|(n, _)| *n != own) else { continue };
            let inner = |n: u64| (64_512..=65_534).contains(&n) || n >= 4_200_000_000;
            let private = matches!(address, IpAddr::V4(a) if address::is_private(a));
            if inner(own) && inner(remote) && private {
                continue;
            }
            out.extend(export.ports.towards(address, vrf).map(|ix| (ix, span)));
        }
    }
    out
}

/// An autonomous system's number, also as `1.10`.
fn number(word: &str) -> Option<u64> {
    match word.split_once('.') {
        Some((high, low)) => Some(high.parse::<u64>().ok()?.checked_mul(65_536)?.saturating_add(low.parse().ok()?)),
        None => word.parse().ok(),
    }
}

type Neighbour<'a> = (IpAddr, &'a str, Option<&'a str>, Option<(u64, Span)>);

fn read_neighbours<'a>(
    node: Node<'a>,
    vrf: &'a str,
    groups: &mut HashMap<&'a str, (u64, Span)>,
    out: &mut Vec<Neighbour<'a>>,
    depth: usize,
) {
    for child in node.children() {
        match (child.word(0), child.word(2)) {
            (Some("neighbor"), Some("remote-as")) => {
                child.read();
                let Some(remote) = child.word(3).and_then(number) else { continue };
                match child.word_or_empty(1).parse() {
                    Ok(address) => out.push((address, vrf, None, Some((remote, child.span())))),
                    Err(_) => {
                        groups.insert(child.word_or_empty(1), (remote, child.span()));
                    }
                }
            }
            (Some("neighbor"), Some("peer-group")) => {
                child.read();
                if let (Ok(address), Some(group)) = (child.word_or_empty(1).parse(), child.word(3)) {
                    out.push((address, vrf, Some(group), None));
                }
            }
            (Some("address-family"), _) if depth < 4 => {
                let inner = (0..child.len()).find(|ix| child.word(*ix) == Some("vrf")).and_then(|ix| child.word(ix + 1)).unwrap_or("");
                read_neighbours(child.read(), inner, groups, out, depth + 1);
            }
            _ => {}
        }
    }
}

/// Interfaces whose networks the box hands addresses out in.
pub fn dhcp_scopes(export: &Export<'_>) -> Vec<Place> {
    let mut out = Vec::new();
    for pool in export.lines(&["ip", "dhcp", "pool"]) {
        let Some(line) = Block(pool).line(&["network"]) else { continue };
        let Some(net) = address::v4_net(line.word_or_empty(1), line.word_or_empty(2)) else { continue };
        let serves = |ports: &Ports<'_>| {
            ports.iter().filter(|(_, p)| p.nets.iter().any(|n| net.contains(n.addr))).map(|(ix, _)| ix).collect::<Vec<_>>()
        };
        out.extend(serves(&export.ports).into_iter().map(|ix| (ix, line.span())));
    }
    out
}
