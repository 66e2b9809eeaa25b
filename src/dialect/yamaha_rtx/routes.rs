//! Static routes, and the interfaces they lead to.
//!
//! Only what the configuration states: routes learnt by a routing protocol are not known here.

use super::address;
use super::commands::{Command, Peer};
use super::interface::Interfaces;
use crate::ir::interface::{InterfaceIx, IpNet};
use crate::source::Span;
use std::net::IpAddr;

/// Where a route leads.
#[derive(Clone, Debug, PartialEq)]
pub enum Gateway {
    /// A peer.
    Pp(Peer),
    /// The gateway an interface's DHCP server names.
    Dhcp(String),
    /// A tunnel.
    Tunnel(u32),
    /// A neighbour.
    Address(IpAddr),
    /// `null`, a loopback, or something unknown.
    Other,
}

/// A static route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Destination; `None`: the default route.
    pub to: Option<IpNet>,
    /// Whether it is an IPv6 route.
    pub v6: bool,
    /// Where it leads, in the order of the line.
    pub gateways: Vec<Gateway>,
    /// The line.
    pub span: Span,
}

impl Route {
    /// Reads `ip route DEST gateway ...`; several gateways may follow, each with options.
    pub fn read(command: &Command<'_>, v6: bool) -> Option<Route> {
        let to = match command.keys[0] {
            w if w.eq_ignore_ascii_case("default") => None,
            w => Some(address::net(w)?),
        };
        let words: Vec<&str> = command.args().map(|(w, _)| w).collect();
        let mut gateways = Vec::new();
        let mut at = 0;
        let mut expect = true;
        while at < words.len() {
            let word = words[at].to_ascii_lowercase();
            let next = words.get(at + 1).copied().unwrap_or("");
            if word == "gateway" {
                expect = true;
            } else if expect {
                expect = false;
                gateways.push(match word.as_str() {
                    "pp" => Peer::parse(next).map_or(Gateway::Other, Gateway::Pp),
                    "dhcp" => Gateway::Dhcp(next.to_ascii_lowercase()),
                    "tunnel" => next.parse().map_or(Gateway::Other, Gateway::Tunnel),
                    w => w.parse().map_or(Gateway::Other, Gateway::Address),
                });
            }
            at += 1;
        }
        Some(Route { to, v6, gateways, span: command.span() })
    }
}

impl Interfaces {
    /// Where a gateway leads.
    pub fn egress(&self, gateway: &Gateway) -> Option<InterfaceIx> {
        match gateway {
            Gateway::Pp(peer) => self.peer(*peer),
            Gateway::Dhcp(name) => self.named(name),
            Gateway::Tunnel(number) => self.tunnel(*number),
            Gateway::Address(addr) => self.holding(*addr),
            Gateway::Other => None,
        }
    }

    /// The interfaces default routes lead to, without repetition.
    pub fn default_egress(&self) -> Vec<InterfaceIx> {
        let mut out = Vec::new();
        for gateway in self.routes.iter().filter(|r| r.to.is_none()).flat_map(|r| &r.gateways) {
            if let Some(ix) = self.egress(gateway).filter(|ix| !out.contains(ix)) {
                out.push(ix);
            }
        }
        out
    }

    /// The interfaces packets to an address leave by: the longest route, else the default ones.
    pub fn egress_to(&self, addr: IpAddr) -> Vec<InterfaceIx> {
        if let Some(ix) = self.holding(addr) {
            return vec![ix];
        }
        let best = self.routes.iter().filter(|r| r.to.is_some_and(|net| net.contains(addr))).max_by_key(|r| r.to.map(|n| n.prefix));
        let out: Vec<InterfaceIx> = best.map(|r| r.gateways.iter().filter_map(|g| self.egress(g)).collect()).unwrap_or_default();
        if out.is_empty() { self.default_egress() } else { out }
    }
}

/// `1-3 7`: the numbers of a list with ranges, bounded so that no line makes thousands.
pub fn numbers<'w>(words: impl Iterator<Item = &'w str>) -> Vec<u32> {
    const MOST: usize = 6000;
    let mut out = Vec::new();
    for word in words {
        let (a, b) = word.split_once('-').unwrap_or((word, word));
        let parse = |w: &str| w.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok();
        if let (Some(a), Some(b)) = (parse(a), parse(b)) {
            out.extend((a..=b).take(MOST.saturating_sub(out.len())));
        }
    }
    out
}
