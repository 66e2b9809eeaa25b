//! Which tunnels there are and what keys them: what listeners, tunnels and remote access share.
//!
//! IKEv1: `ike policy` names peer, key and mode; an `ipsec autokey-map` or `dynamic-map` joins it to a selector; an interface applies
//! the map. IKEv2: the tunnel's own `ikev2` lines, then the profile it is bound to, then the default profile.

use super::Export;
use super::address;
use super::interface::Port;
use super::lines::{Lines, is};
use super::{ambiguous, secret};
use crate::ir::account::{SecretValue, Storage};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::tunnel::Peer;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// An `ike policy`.
pub struct Policy<'a> {
    /// Its name.
    pub name: &'a str,
    /// The line.
    pub node: Node<'a>,
    /// Position of the peer's word.
    peer: Option<usize>,
    /// Position of the key, form word included, and whether there is one.
    key: Option<(usize, bool)>,
    /// Where aggressive mode is written.
    pub aggressive: Option<Span>,
    /// Proposals it names.
    pub proposals: Vec<&'a str>,
}

/// An `ikev2 authentication psk` line.
pub struct Key<'a> {
    /// The line.
    pub node: Node<'a>,
    /// Kind and value of the identity: `ipv4 192.0.2.1`.
    pub id: (&'a str, &'a str),
    at: usize,
}

/// A map that joins selector, peer and proposals.
#[derive(Clone, Copy)]
pub struct Map<'a> {
    /// The line.
    pub node: Node<'a>,
    /// Whether it only takes peers that call.
    pub dynamic: bool,
}

/// What keys a tunnel.
pub enum Keying<'a> {
    /// IKEv1 by a map; the map and the policy may not be found.
    V1 {
        /// The `ipsec policy` line.
        line: Node<'a>,
        /// The map.
        map: Option<Map<'a>>,
        /// Position of the policy.
        policy: Option<usize>,
    },
    /// IKEv2 by the interface's lines.
    V2 {
        /// The `ikev2 peer` line.
        line: Option<Node<'a>>,
        /// Position of the key, where the line asks for a shared one.
        key: Option<usize>,
    },
    /// Nothing: the tunnel is not encrypted.
    None,
}

/// A tunnel of an interface.
pub struct TunnelPlan<'a> {
    /// The interface.
    pub ix: InterfaceIx,
    /// Words of `tunnel mode`, in small letters.
    pub mode: Vec<String>,
    /// The line, or the block where there is none.
    pub at: Span,
    /// What keys it.
    pub keying: Keying<'a>,
    /// Whether users dial in.
    pub users: bool,
    /// Whether it is the Internet line itself.
    pub carrier: bool,
}

/// All of it.
#[derive(Default)]
pub struct Plan<'a> {
    /// IKEv1 policies.
    pub policies: Vec<Policy<'a>>,
    /// IKEv2 keys.
    pub keys: Vec<Key<'a>>,
    /// Tunnels.
    pub tunnels: Vec<TunnelPlan<'a>>,
    maps: HashMap<&'a str, Map<'a>>,
    /// `ike keepalive` lines by policy.
    pub keepalives: HashMap<&'a str, Node<'a>>,
    /// `ipsec remote-id` lines by map.
    pub remote_ids: HashMap<&'a str, Node<'a>>,
    profiles: HashMap<&'a str, Lines<'a>>,
    default_profile: Option<Lines<'a>>,
}

/// Finds tunnels and keys.
pub fn plan<'a>(export: &Export<'a>) -> Plan<'a> {
    let mut plan = Plan::default();
    let proposals: Vec<&str> = export.lines.all(&["ike", "proposal"]).iter().filter_map(|n| n.word(2)).collect();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    let mut by_peer: HashMap<&str, usize> = HashMap::new();
    for node in export.lines.all(&["ike", "policy"]) {
        let Some(policy) = Policy::read(node, &proposals) else { continue };
        by_name.insert(policy.name, plan.policies.len());
        if let Some(peer) = policy.peer.and_then(|at| node.word(at)) {
            by_peer.entry(peer).or_insert(plan.policies.len());
        }
        plan.policies.push(policy);
    }
    for (word, dynamic) in [("autokey-map", false), ("dynamic-map", true)] {
        for node in export.lines.all(&["ipsec", word]) {
            node.word(2).and_then(|name| plan.maps.insert(name, Map { node, dynamic }));
        }
    }
    let named = |words: &[&str]| export.lines.all(words).into_iter().filter_map(|n| Some((n.word(2)?, n))).collect();
    plan.keepalives = named(&["ike", "keepalive"]);
    plan.remote_ids = named(&["ipsec", "remote-id"]);
    for node in export.lines.all(&["ikev2", "profile"]) {
        node.word(2).into_iter().for_each(|name| plan.profiles.entry(name).or_default().add(node));
    }
    for node in export.lines.all(&["ikev2", "default-profile"]) {
        plan.default_profile.get_or_insert_default().add(node);
    }
    let mut by_id: HashMap<(String, &str), usize> = HashMap::new();
    for node in export.lines.all(&["ikev2", "authentication", "psk", "id"]) {
        let (Some(kind), Some(value)) = (node.word(4), node.word(5)) else { continue };
        let Some(at) = (5..node.len()).find(|ix| is(node, *ix, "key")) else { continue };
        by_id.insert((kind.to_ascii_lowercase(), value), plan.keys.len());
        plan.keys.push(Key { node, id: (kind, value), at: at + 1 });
    }
    for (ix, port) in export.ports.iter() {
        let keying = if let Some(line) = port.lines.one(&["ipsec", "policy"]) {
            let map = line.word(3).and_then(|name| plan.maps.get(name)).copied();
            let policy = map.and_then(|m| m.policy(&plan.policies, &by_name, &by_peer));
            Keying::V1 { line, map, policy }
        } else if let Some(line) = ikev2_peer(port) {
            Keying::V2 { line: Some(line), key: ikev2_key(line, &by_id) }
        } else {
            Keying::None
        };
        let mode = port.tunnel_mode();
        if mode.is_none() && matches!(keying, Keying::None) {
            continue;
        }
        let keying = match (&mode, keying) {
            (Some((_, words)), Keying::None) if words.iter().any(|w| w == "ipsec-ikev2") => Keying::V2 { line: None, key: None },
            (_, keying) => keying,
        };
        let at = mode.as_ref().map_or_else(|| port.node.span(), |(node, _)| node.span());
        plan.tunnels.push(TunnelPlan {
            ix,
            mode: mode.map(|(_, words)| words).unwrap_or_default(),
            at,
            keying,
            users: port.kind(export) == InterfaceKind::RemoteAccess,
            carrier: port.is_carrier(export),
        });
    }
    plan
}

/// `ikev2 peer ADDRESS authentication ...`, `ikev2 peer-fqdn-ipv4 NAME authentication ...`.
fn ikev2_peer<'a>(port: &Port<'a>) -> Option<Node<'a>> {
    ["peer", "peer-fqdn-ipv4", "peer-fqdn-ipv6"].iter().find_map(|w| port.lines.one(&["ikev2", w]))
}

fn ikev2_key(line: Node<'_>, by_id: &HashMap<(String, &str), usize>) -> Option<usize> {
    let at = (2..line.len()).find(|ix| is(line, *ix, "id"))?;
    by_id.get(&(line.word(at + 1)?.to_ascii_lowercase(), line.word(at + 2)?)).copied()
}

impl<'a> Policy<'a> {
    fn read(node: Node<'a>, proposals: &[&str]) -> Option<Policy<'a>> {
        let mut policy = Policy { name: node.word(2)?, node, peer: None, key: None, aggressive: None, proposals: Vec::new() };
        let mut at = 3;
        while let Some(word) = node.word(at) {
            at += 1;
            match word.to_ascii_lowercase().as_str() {
                "peer" => {
                    policy.peer = Some(at);
                    at += 1;
                }
                "key-type" => at += 1,
                "key" if policy.key.is_none() => {
                    // `key secret BLOB`: a form word, unless what follows it are the proposals already.
                    let form = ["char", "hex", "secret", "plain"].iter().any(|w| is(node, at, w));
                    let next = node.word_or_empty(at + 1);
                    let ends = next.is_empty() || next == "mode" || next.split(',').all(|p| proposals.contains(&p));
                    policy.key = Some((at, form && !ends));
                    at += if form && !ends { 2 } else { 1 };
                }
                "mode" => {
                    policy.aggressive = is(node, at, "aggressive").then(|| node.word_span(at));
                    at += 1;
                }
                _ => policy.proposals.extend(word.split(',').filter(|p| !p.is_empty())),
            }
        }
        Some(policy)
    }

    /// The peer's word.
    pub fn peer_word(&self) -> Option<&'a str> {
        self.peer.and_then(|at| self.node.word(at))
    }

    /// Where the peer stands.
    pub fn peer_span(&self) -> Span {
        self.peer.map_or_else(|| self.node.span(), |at| self.node.word_span(at))
    }

    /// The key as stored.
    pub fn stored(&self) -> Option<(Storage, SecretValue)> {
        self.key.map(|(at, form)| if form { secret::stored(self.node, at) } else { secret::value_at(self.node, at, false) })
    }
}

impl Key<'_> {
    /// The key as stored.
    pub fn stored(&self) -> (Storage, SecretValue) {
        secret::stored(self.node, self.at)
    }
}

impl<'a> Map<'a> {
    /// The words after the selector: `peer A`, `ike P`, `pfs G`, and the proposals.
    fn word_after(&self, word: &str) -> Option<(&'a str, Span)> {
        let at = (4..self.node.len()).find(|ix| is(self.node, *ix, word))? + 1;
        Some((self.node.word(at)?, self.node.word_span(at)))
    }

    /// The group of perfect forward secrecy, where one is written.
    pub fn pfs(&self) -> Option<(&'a str, Span)> {
        self.word_after("pfs")
    }

    /// The proposals it names.
    pub fn proposals(&self) -> Vec<&'a str> {
        let mut out = Vec::new();
        let mut at = 4;
        while let Some(word) = self.node.word(at) {
            at += 1;
            if ["peer", "ike", "pfs"].iter().any(|w| word.eq_ignore_ascii_case(w)) {
                at += 1;
            } else {
                out.extend(word.split(',').filter(|p| !p.is_empty()));
            }
        }
        out
    }

    fn policy(&self, policies: &[Policy<'_>], by_name: &HashMap<&str, usize>, by_peer: &HashMap<&str, usize>) -> Option<usize> {
        if let Some((name, _)) = self.word_after("ike") {
            return by_name.get(name).copied();
        }
        if let Some((peer, _)) = self.word_after("peer") {
            return by_peer.get(peer).copied();
        }
        // A map without a name takes whoever calls: by the policy for any peer, if there is but one.
        let mut any = (0..).zip(policies).filter(|(_, p)| p.peer_word().is_some_and(|w| w.eq_ignore_ascii_case("any")));
        any.next().filter(|_| any.next().is_none()).map(|(ix, _)| ix)
    }
}

impl<'a> Plan<'a> {
    /// The policy of a tunnel.
    pub fn policy(&self, tunnel: &TunnelPlan<'_>) -> Option<&Policy<'a>> {
        match tunnel.keying {
            Keying::V1 { policy, .. } => policy.and_then(|ix| self.policies.get(ix)),
            _ => None,
        }
    }

    /// Access lists that maps use as selectors.
    pub fn selectors(&self) -> Vec<(&'a str, Span)> {
        let mut all: Vec<(&'a str, Span)> = self.maps.values().filter_map(|m| Some((m.node.word(3)?, m.node.word_span(3)))).collect();
        all.sort_by_key(|(_, span)| span.start);
        all
    }

    /// The other end of a tunnel.
    pub fn peer(&self, tunnel: &TunnelPlan<'_>) -> Peer {
        let of = |word: &str, span: Span| {
            let addresses = match word.parse() {
                Ok(addr) => AddrExpr::Range(addr, addr),
                Err(_) if word.eq_ignore_ascii_case("any") => AddrExpr::Any,
                Err(_) => AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: word.to_owned(), span }),
            };
            Peer { addresses: Fact::written(addresses, span), text: word.to_owned() }
        };
        let unknown = |span: Span| Peer { addresses: ambiguous("peer", span), text: String::new() };
        match &tunnel.keying {
            Keying::V1 { line, .. } => match self.policy(tunnel) {
                Some(policy) => policy.peer_word().map_or_else(|| unknown(policy.node.span()), |w| of(w, policy.peer_span())),
                None => unknown(line.span()),
            },
            Keying::V2 { line: Some(line), .. } => line.word(2).map_or_else(|| unknown(line.span()), |w| of(w, line.word_span(2))),
            Keying::V2 { line: None, .. } => unknown(tunnel.at),
            Keying::None => Peer {
                addresses: Fact::unknown(Why::at(WhyCode::RuntimeContent, "tunnel destination", vec![tunnel.at])),
                text: String::new(),
            },
        }
    }
}

/// Where a tunnel without keys leads: `tunnel destination A`.
pub fn destination(port: &Port<'_>) -> Option<Peer> {
    let node = port.lines.one(&["tunnel", "destination"])?;
    let addr = node.word(2)?;
    let expr = address::net(addr).map(address::whole)?;
    Some(Peer { addresses: Fact::written(expr, node.word_span(2)), text: addr.to_owned() })
}

/// The blocks an `ikev2` setting may stand in: the interface, its profile, the default profile. The first that has it counts.
pub struct Settings<'p, 'a> {
    own: &'p Lines<'a>,
    profiles: Vec<&'p Lines<'a>>,
}

impl<'p, 'a> Settings<'p, 'a> {
    /// The blocks of an interface.
    pub fn of(plan: &'p Plan<'a>, port: &'p Port<'a>) -> Settings<'p, 'a> {
        let bound = ["binding", "profile"].iter().find_map(|w| port.lines.one(&["ikev2", w])).and_then(|n| n.word(2));
        let named = bound.and_then(|name| plan.profiles.get(name));
        Settings { own: &port.lines, profiles: named.into_iter().chain(&plan.default_profile).collect() }
    }

    /// The values of a setting, which begins with `ikev2` only on the interface, and the lines they stand on.
    pub fn values(&self, words: &[&str]) -> Option<(Vec<String>, Vec<Span>)> {
        let with_prefix: Vec<&str> = std::iter::once("ikev2").chain(words.iter().copied()).collect();
        let own = (self.own.all(&with_prefix), with_prefix.len());
        let all = std::iter::once(own).chain(self.profiles.iter().map(|p| (p.all(words), words.len())));
        let (lines, skip) = all.into_iter().find(|(lines, _)| !lines.is_empty())?;
        let values = lines.iter().flat_map(|n| n.words_from(skip)).map(str::to_ascii_lowercase).collect();
        Some((values, lines.iter().map(|n| n.span()).collect()))
    }
}
