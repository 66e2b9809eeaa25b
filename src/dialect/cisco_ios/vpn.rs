//! What VPNs the box has, before any of them is written out: which crypto maps are applied, which tunnel interfaces are protected,
//! which services take users, and whether they are alive. Listeners, tunnels and remote access all read this plan.
//!
//! It collects and links; what a VPN amounts to is said where it is written out.

use super::interface::Port;
use super::{Block, Export, address};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::live::{LinkKind, Live};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// An entry of a crypto map.
pub struct MapEntry<'a> {
    /// The entry: `crypto map NAME SEQ ipsec-isakmp`.
    pub node: Node<'a>,
    /// Name of the map.
    pub name: &'a str,
    /// Entries of the dynamic map it names.
    pub dynamic: Vec<Node<'a>>,
    /// Whether it names a dynamic map.
    pub is_dynamic: bool,
    /// Interfaces it is applied to.
    pub on: Vec<InterfaceIx>,
    /// Whether it is applied.
    pub live: Live,
}

/// A service that takes calls over L2TP or PPTP.
pub struct DialIn<'a> {
    /// `l2tp` or `pptp`.
    pub kind: &'static str,
    /// The line that opens it.
    pub span: Span,
    /// The group.
    pub node: Node<'a>,
    /// The virtual template callers land on.
    pub template: Option<&'a str>,
    /// Whether it is on.
    pub live: Live,
}

/// A gateway of the SSL VPN.
pub struct SslGateway<'a> {
    /// The gateway, or the profile of the newer form.
    pub node: Node<'a>,
    /// The block that says who gets in: the context, or the profile itself.
    pub context: Option<Node<'a>>,
    /// The port.
    pub port: u16,
    /// The line that opens it.
    pub span: Span,
    /// Whether it is on.
    pub live: Live,
}

/// All of them.
pub struct Plan<'a> {
    /// Entries of crypto maps.
    pub maps: Vec<MapEntry<'a>>,
    /// What uses IPsec, and whether it lives.
    pub ipsec: Vec<(Span, Fact<bool>)>,
    /// Whether anything uses IKEv2.
    pub ikev2: bool,
    /// Whether every peer has a fixed address.
    pub peers_fixed: Option<Fact<bool>>,
    /// L2TP and PPTP.
    pub dial_in: Vec<DialIn<'a>>,
    /// SSL VPN.
    pub ssl: Vec<SslGateway<'a>>,
}

/// Whether an interface is up, as far as its block says.
pub fn is_up(export: &Export<'_>, port: &Port<'_>) -> Fact<bool> {
    let down = port.block().switch(&["shutdown"]).map(|f| f.negate());
    down.unwrap_or_else(|| export.default_at("interface shutdown", Some(port.node.span()), |v| super::on_off(v).map(|b| !b)))
}

/// How a tunnel interface carries packets: the words after `tunnel mode`.
pub fn tunnel_mode<'a>(port: &Port<'a>) -> (Option<Node<'a>>, String) {
    let line = port.block().line(&["tunnel", "mode"]);
    (line, line.map_or_else(|| "gre ip".to_owned(), |n| n.words_from(2).collect::<Vec<_>>().join(" ")))
}

/// The line that protects a tunnel interface.
pub fn protection<'a>(port: &Port<'a>) -> Option<Node<'a>> {
    port.block().line(&["tunnel", "protection", "ipsec", "profile"])
}

/// Whether a tunnel interface is of the kind that carries the Internet line itself: one family over the other, unprotected.
pub fn is_carrier(_export: &Export<'_>, port: &Port<'_>) -> bool {
    let (_, mode) = tunnel_mode(port);
    protection(port).is_none() && (mode.starts_with("ipv6ip") || mode == "ipv6" || mode.starts_with("map-e"))
}

fn map_entries<'a>(export: &Export<'a>) -> Vec<MapEntry<'a>> {
    let mut dynamic: HashMap<&str, Vec<Node<'a>>> = HashMap::new();
    for node in export.lines(&["crypto", "dynamic-map"]) {
        dynamic.entry(node.word_or_empty(2)).or_default().push(node);
    }
    let numbered = |n: &Node<'_>| n.word(3).is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit())) && n.word(4) == Some("ipsec-isakmp");
    let entry = |node: Node<'a>| {
        let name = node.word_or_empty(2);
        let is_dynamic = node.word(5) == Some("dynamic");
        let ports: Vec<(InterfaceIx, &Port<'a>)> =
            export.ports.iter().filter(|(_, p)| p.crypto_map.is_some_and(|c| c.word(2) == Some(name))).collect();
        let bound = match ports.first() {
            Some((_, port)) => Fact::written(true, port.crypto_map.map_or(node.span(), |n| n.span())),
            None => match export.may_lack("interfaces") {
                Some(_) => Fact::unknown(Why::at(WhyCode::NotExported, name, vec![node.span()])),
                None => Fact::known(false, Origin::inferred("crypto_map_not_applied", [Origin::Written(node.span())])),
            },
        };
        let mut live = Live::own(Fact::written(true, node.span())).with(LinkKind::Bound, bound);
        if let Some(up) = ports.iter().map(|(_, p)| is_up(export, p)).reduce(|a, b| a.or(&b)) {
            live = live.with(LinkKind::ParentUp, up);
        }
        MapEntry {
            node,
            name,
            dynamic: if is_dynamic { dynamic.get(node.word_or_empty(6)).cloned().unwrap_or_default() } else { Vec::new() },
            is_dynamic,
            on: ports.iter().map(|(ix, _)| *ix).collect(),
            live,
        }
    };
    export.lines(&["crypto", "map"]).filter(numbered).map(entry).collect()
}

fn dial_in<'a>(export: &Export<'a>) -> Vec<DialIn<'a>> {
    let on = export.switch(&["vpdn", "enable"], "remote_access");
    let mut out = Vec::new();
    for node in export.lines(&["vpdn-group"]) {
        let Some(accept) = Block(node).line(&["accept-dialin"]) else { continue };
        let inner = Block(accept);
        let template = inner.line(&["virtual-template"]).and_then(|n| n.word(1));
        for line in inner.lines(&["protocol"]) {
            let kinds: &[&'static str] = match line.word_or_empty(1) {
                "l2tp" => &["l2tp"],
                "pptp" => &["pptp"],
                "any" => &["l2tp", "pptp"],
                _ => &[],
            };
            out.extend(kinds.iter().map(|kind| DialIn {
                kind,
                span: line.span(),
                node,
                template,
                live: Live::own(Fact::written(true, line.span())).with(LinkKind::FeatureOn, on.clone()),
            }));
        }
    }
    out
}

fn ssl_gateways<'a>(export: &Export<'a>) -> Vec<SslGateway<'a>> {
    let mut out = Vec::new();
    let contexts: Vec<Node<'a>> = export.lines(&["webvpn", "context"]).collect();
    let in_service = |node: Node<'a>| {
        let written = Block(node).switch(&["inservice"]);
        written.unwrap_or_else(|| export.default_at("webvpn inservice", Some(node.span()), super::on_off))
    };
    for node in export.lines(&["webvpn", "gateway"]) {
        let name = node.word_or_empty(2);
        let block = Block(node);
        let port = block.line(&["ip", "interface"]).or_else(|| block.line(&["ip", "address"]));
        let number = port.and_then(|n| {
            let at = (2..n.len()).find(|ix| n.word(*ix) == Some("port"))?;
            n.word(at + 1)?.parse().ok()
        });
        let uses = |c: &&Node<'a>| Block(**c).lines(&["gateway"]).any(|n| n.word(1) == Some(name));
        let context = contexts.iter().find(uses).copied();
        let held = match context {
            Some(context) => in_service(context),
            None => Fact::known(false, Origin::inferred("gateway_without_context", [Origin::Written(node.span())])),
        };
        let live = Live::own(in_service(node)).with(LinkKind::Referenced, held);
        let span = block.line(&["inservice"]).map_or(node.span(), |n| n.span());
        out.push(SslGateway { node, context, port: number.unwrap_or(443), span, live });
    }
    for node in export.lines(&["crypto", "ssl", "profile"]) {
        let block = Block(node);
        let policy = block.line(&["match", "policy"]).and_then(|n| export.line(&["crypto", "ssl", "policy", n.word_or_empty(2)]));
        let address =
            policy.and_then(|p| Block(p).line(&["ip", "address", "local"]).or_else(|| Block(p).line(&["ip", "interface", "local"])));
        let number = address.and_then(|n| {
            let at = (2..n.len()).find(|ix| n.word(*ix) == Some("port"))?;
            n.word(at + 1)?.parse().ok()
        });
        let down = block.switch(&["shutdown"]).map(|f| f.negate());
        let own = down.unwrap_or_else(|| export.default_at("crypto ssl profile", Some(node.span()), super::on_off));
        out.push(SslGateway { node, context: Some(node), port: number.unwrap_or(443), span: node.span(), live: Live::own(own) });
    }
    out
}

/// Reads the plan.
pub fn plan<'a>(export: &Export<'a>) -> Plan<'a> {
    let maps = map_entries(export);
    let mut ipsec: Vec<(Span, Fact<bool>)> = maps.iter().map(|m| (m.node.span(), m.live.value())).collect();
    let mut fixed: Vec<Fact<bool>> =
        maps.iter().filter(|m| !m.live.value().value.is_false()).map(|m| Fact::written(!m.is_dynamic, m.node.span())).collect();
    for (_, port) in export.ports.iter() {
        let templates = port.kind == InterfaceKind::RemoteAccess;
        let Some(line) = protection(port).filter(|_| port.kind == InterfaceKind::Tunnel || templates) else { continue };
        ipsec.push((line.span(), is_up(export, port)));
        let destination = port.block().line(&["tunnel", "destination"]);
        let address = destination.and_then(|n| n.word(2)).is_some_and(|w| w.parse::<std::net::IpAddr>().is_ok());
        fixed.push(Fact::written(address, destination.map_or(line.span(), |n| n.span())));
    }
    let profiles: Vec<Node<'a>> = export.lines(&["crypto", "ikev2", "profile"]).collect();
    for node in &profiles {
        if let Some(line) = Block(*node).line(&["virtual-template"]) {
            ipsec.push((node.span(), Fact::written(true, line.span())));
            fixed.push(Fact::written(false, line.span()));
        }
    }
    for node in export.lines(&["crypto", "ipsec", "client", "ezvpn"]) {
        ipsec.push((node.span(), Fact::written(true, node.span())));
    }
    Plan {
        maps,
        ipsec,
        ikev2: !profiles.is_empty(),
        peers_fixed: fixed.into_iter().reduce(|a, b| a.and(&b)),
        dial_in: dial_in(export),
        ssl: ssl_gateways(export),
    }
}

/// The interfaces on which the outer packets of a VPN arrive: the one it names, or where packets to the peer leave.
pub fn outer(export: &Export<'_>, source: Option<Node<'_>>, peer: Option<std::net::IpAddr>) -> Vec<InterfaceIx> {
    let named = source.and_then(|n| match n.word(2)?.parse::<std::net::IpAddr>() {
        Ok(own) => export.ports.iter().find(|(_, p)| p.nets.iter().any(|x| x.addr == own)).map(|(ix, _)| ix),
        Err(_) => address::interface_name(n, 2).and_then(|(name, _)| export.ports.named(&name)),
    });
    let routed = |ix: &InterfaceIx| export.ports.get(*ix).is_some_and(|p| p.kind != InterfaceKind::Loopback);
    if let Some(ix) = named.filter(routed) {
        return vec![ix];
    }
    if let Some(ix) = peer.and_then(|p| export.ports.towards(p, "")).filter(routed) {
        return vec![ix];
    }
    let mut out: Vec<InterfaceIx> = super::routing::default_routes(export).into_iter().map(|(ix, _)| ix).collect();
    out.sort();
    out.dedup();
    out
}
