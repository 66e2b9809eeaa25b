//! Tunnels of crypto maps and of the EzVPN client; what all tunnels share: what ends them, what watches them.
//!
//! A crypto map negotiates when traffic needs it, and then nothing ends it but an idle timer, which nobody sets by default.

use super::algorithm;
use super::keys::{self, Keys};
use super::secret::shared;
use super::vpn::{self, MapEntry, Plan};
use super::{Block, Export, overlay};
use crate::ir::Device;
use crate::ir::account::{Direction, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Ender, EnderKind, Keeper, KeeperForce, Peer, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::source::Span;
use crate::syntax::Node;
use std::net::IpAddr;

const TOPIC: &str = "tunnels";

/// Fills tunnels between sites. Maps that take users are remote access.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let keys = Keys::collect(export, device);
    let mut tunnels = Vec::new();
    for entry in &plan.maps {
        if entry.is_dynamic {
            if !takes_users(export, entry) {
                tunnels.push(hub(export, &keys, entry));
            }
        } else {
            tunnels.push(of_map(export, &keys, entry));
        }
    }
    tunnels.extend(overlay::tunnels(export, plan, &keys));
    tunnels.extend(clients(export, device));
    device.tunnels = export.list(TOPIC, tunnels);
    super::remote::fill_isakmp(export, plan, device);
}

/// Whether a dynamic entry is for users: its map asks them for a login, hands out their addresses, or serves L2TP clients.
pub fn takes_users(export: &Export<'_>, entry: &MapEntry<'_>) -> bool {
    let client = export.lines(&["crypto", "map", entry.name]).any(|n| matches!(n.word(3), Some("client" | "isakmp")));
    let profile = entry.dynamic.iter().any(|d| Block(*d).line(&["set", "isakmp-profile"]).is_some());
    client
        || profile && export.lines(&["crypto", "isakmp", "client", "configuration", "group"]).next().is_some()
        || export.lines(&["vpdn-group"]).any(|g| Block(g).line(&["accept-dialin"]).is_some())
}

/// Addresses as written, for messages and for looking keys up.
pub fn peer(line: Option<Node<'_>>, at: usize) -> (Peer, Option<IpAddr>) {
    match line.and_then(|n| n.word(at).map(|w| (n, w))) {
        Some((node, word)) => match word.parse::<IpAddr>() {
            Ok(a) => (Peer { addresses: Fact::written(super::address::single(a), node.span()), text: word.to_owned() }, Some(a)),
            Err(_) => {
                let name = super::address::name(word, node.word_span(at));
                (Peer { addresses: Fact::written(name, node.span()), text: word.to_owned() }, None)
            }
        },
        None => (Peer { addresses: Fact::unknown(Why::new(WhyCode::Ambiguous, "peer")), text: String::new() }, None),
    }
}

/// What ends an IPsec tunnel: the idle timer of its own block or of the whole box, or an applet that shuts its interface.
pub fn enders(export: &Export<'_>, block: Option<Node<'_>>, interface: Option<&str>) -> List<Ender> {
    let own = block.and_then(|b| Block(b).line(&["set", "security-association", "idle-time"]));
    let line = own.or_else(|| export.line(&["crypto", "ipsec", "security-association", "idle-time"]));
    let mut items: Vec<Ender> = line.map(|n| Ender { kind: EnderKind::Idle, live: Fact::written(true, n.span()) }).into_iter().collect();
    items.extend(interface.and_then(|name| applet(export, name)));
    match export.may_lack(TOPIC) {
        Some(why) => List::partial(items, why.clone()),
        None => {
            let none = export.product("crypto ipsec security-association idle-time", |v| (v == "none").then_some(()));
            List::complete(items, none.origin)
        }
    }
}

/// An applet on a timer that shuts a tunnel's interface.
fn applet(export: &Export<'_>, name: &str) -> Option<Ender> {
    let lower = name.to_ascii_lowercase();
    for node in export.lines(&["event", "manager", "applet"]) {
        let block = Block(node);
        let timed = block.lines(&["event", "timer"]).next().is_some();
        let says = |what: &str| {
            let joined = |n: Node<'_>| n.words_from(0).collect::<Vec<_>>().join(" ").to_ascii_lowercase();
            block.lines(&["action"]).any(|n| joined(n).contains(what))
        };
        if timed && says(&format!("interface {lower}")) && says("shutdown") {
            let origin = Origin::inferred("applet_shuts_interface", [Origin::Written(node.span())]);
            return Some(Ender { kind: EnderKind::Script, live: Fact::known(true, origin) });
        }
    }
    None
}

/// Dead peer detection: it asks, and keeps nothing.
pub fn watchers(export: &Export<'_>, block: Option<Node<'_>>) -> Vec<Keeper> {
    let profile = keys::profile_2(export, block).and_then(|p| Block(p).line(&["dpd"]));
    let line = profile.or_else(|| export.line(&["crypto", "isakmp", "keepalive"])).or_else(|| export.line(&["crypto", "ikev2", "dpd"]));
    line.map(|n| Keeper { code: "keeper.dpd", force: KeeperForce::Probes, live: Fact::written(true, n.span()) }).into_iter().collect()
}

/// Probes that the box sends for ever into the far side.
fn probes(export: &Export<'_>, nets: &AddrExpr) -> Vec<Keeper> {
    let holds = |a: IpAddr| -> bool {
        let parts = if let AddrExpr::Union(parts) = nets { parts.as_slice() } else { std::slice::from_ref(nets) };
        parts.iter().any(|p| match (p, a) {
            (AddrExpr::Range(first, last), a) => *first <= a && a <= *last,
            (AddrExpr::Masked(IpAddr::V4(base), IpAddr::V4(mask)), IpAddr::V4(a)) => u32::from(a) & u32::from(*mask) == u32::from(*base),
            _ => false,
        })
    };
    let probe = |n: &Node<'_>| {
        let echo = Block(*n).line(&["icmp-echo"]).or_else(|| Block(*n).line(&["tcp-connect"])).and_then(|l| l.word(1)?.parse().ok());
        echo.is_some_and(holds) && export.lines(&["ip", "sla", "schedule", n.word_or_empty(2)]).next().is_some()
    };
    let found = export.lines(&["ip", "sla"]).find(probe);
    found.map(|n| Keeper { code: "keeper.ip_sla", force: KeeperForce::Sustains, live: Fact::written(true, n.span()) }).into_iter().collect()
}

/// What a crypto map encrypts: the destinations of its list.
fn remote_nets(export: &Export<'_>, node: Node<'_>) -> Fact<AddrExpr> {
    let Some(line) = Block(node).line(&["match", "address"]) else {
        return Fact::unknown(Why::at(WhyCode::Ambiguous, "match address", vec![node.span()]));
    };
    match export.lists.get(false, line.word_or_empty(2)) {
        Some(list) => {
            let permits = list.rows.iter().filter(|r| r.permit.get() == Some(&true)).map(|r| r.dst.clone()).collect();
            Fact::written(AddrExpr::Union(permits), line.span())
        }
        None => Fact::unknown(Why::at(WhyCode::Unresolved, line.word_or_empty(2), vec![line.span()])),
    }
}

fn of_map(export: &Export<'_>, keys: &Keys, entry: &MapEntry<'_>) -> Tunnel {
    let node = entry.node;
    let line = Block(node).line(&["set", "peer"]);
    let (peer, address) = peer(line, 2);
    let proof = keys::proof(export, keys, Some(node), address, node.span());
    let nets = remote_nets(export, node);
    let mut keepers = watchers(export, Some(node));
    keepers.extend(nets.get().map(|n| probes(export, n)).unwrap_or_default());
    let mut live = entry.live.clone();
    live = live.with(LinkKind::Referenced, line.map_or_else(|| Fact::written(false, node.span()), |n| Fact::written(true, n.span())));
    Tunnel {
        name: format!("crypto map {} {}", entry.name, node.word_or_empty(3)),
        span: node.span(),
        kind: "ipsec",
        layer2: false,
        encrypted: Fact::written(true, node.span()),
        role: Fact::written(TunnelRole::SiteToSite, node.span()),
        live,
        interface: None,
        outer: if entry.on.is_empty() { vpn::outer(export, None, address) } else { entry.on.clone() },
        peer,
        starts: export.product("crypto map starts", |v| (v == "traffic").then_some(Starts::OnTraffic)),
        keepers,
        enders: enders(export, Some(node), None),
        auth: proof.auth,
        aggressive_psk: proof.aggressive,
        remote_nets: nets,
        crypto: Some(algorithm::crypto(export, Some(node), keys::profile_2(export, Some(node)).is_some(), node.span())),
        psk: proof.secret,
    }
}

/// A dynamic entry without users: other routers call, from anywhere.
fn hub(export: &Export<'_>, keys: &Keys, entry: &MapEntry<'_>) -> Tunnel {
    let block = entry.dynamic.first().copied();
    let at = entry.node.span();
    let proof = keys::proof(export, keys, block, None, at);
    Tunnel {
        name: format!("crypto map {} {}", entry.name, entry.node.word_or_empty(3)),
        span: at,
        kind: "ipsec",
        layer2: false,
        encrypted: Fact::written(true, at),
        role: Fact::written(TunnelRole::HubForDialin, at),
        live: entry.live.clone(),
        interface: None,
        outer: if entry.on.is_empty() { vpn::outer(export, None, None) } else { entry.on.clone() },
        peer: Peer { addresses: Fact::written(AddrExpr::Any, at), text: String::new() },
        starts: Fact::written(Starts::Never, at),
        keepers: watchers(export, block),
        enders: enders(export, block, None),
        auth: proof.auth,
        aggressive_psk: proof.aggressive,
        remote_nets: Fact::unknown(Why::at(WhyCode::PeerDecides, entry.name, vec![at])),
        crypto: Some(algorithm::crypto(export, block, keys::profile_2(export, block).is_some(), at)),
        psk: proof.secret,
    }
}

/// `crypto ipsec client ezvpn`: this box as the client of another.
fn clients(export: &Export<'_>, device: &mut Device) -> Vec<Tunnel> {
    let mut out = Vec::new();
    let blocks: Vec<Node<'_>> = export.lines(&["crypto", "ipsec", "client", "ezvpn"]).collect();
    for node in blocks {
        let name = node.word_or_empty(4);
        let block = Block(node);
        let used = |p: &super::interface::Port<'_>| {
            p.block().lines(&["crypto", "ipsec", "client", "ezvpn", name]).find(|n| n.word(5) != Some("inside")).map(|n| n.span())
        };
        let applied = export.ports.iter().find_map(|(ix, p)| used(p).map(|s| (ix, s)));
        let bound = applied.map_or_else(
            || Fact::known(false, Origin::inferred("ezvpn_not_applied", [Origin::Written(node.span())])),
            |(_, span)| Fact::written(true, span),
        );
        let connect = block.line(&["connect"]);
        let begins = |v: &str| match v {
            "auto" => Some(Starts::AtBoot),
            "manual" => Some(Starts::Manual),
            "acl" => Some(Starts::OnTraffic),
            _ => None,
        };
        let starts = match connect.and_then(|n| n.word(1).and_then(begins).map(|s| (s, n.span()))) {
            Some((starts, span)) => Fact::written(starts, span),
            None => export.default_at("ezvpn connect", Some(node.span()), begins),
        };
        let mode = block.line(&["mode"]);
        let role = match mode.filter(|n| n.word(1).is_some_and(|w| w.starts_with("network"))) {
            Some(line) => Fact::written(TunnelRole::SiteToSite, line.span()),
            None => Fact::written(TunnelRole::ClientOut, mode.map_or(node.span(), |n| n.span())),
        };
        let group = block.line(&["group"]).filter(|n| n.word(3) == Some("key"));
        let psk =
            group.map(|n| shared(export, SecretUse::IkePsk, &format!("group {}", n.word_or_empty(1)), n, 4, Direction::Presents, device));
        if let Some(line) = block.line(&["username"]).filter(|n| n.word(2) == Some("password")) {
            shared(export, SecretUse::Other, line.word_or_empty(1), line, 3, Direction::Presents, device);
        }
        let (peer, address) = peer(block.line(&["peer"]), 1);
        let key: Span = group.map_or(node.span(), |n| n.span());
        out.push(Tunnel {
            name: format!("ezvpn {name}"),
            span: node.span(),
            kind: "ipsec",
            layer2: false,
            encrypted: Fact::written(true, node.span()),
            role,
            live: Live::own(Fact::written(true, node.span())).with(LinkKind::Bound, bound),
            interface: None,
            outer: applied.map_or_else(|| vpn::outer(export, None, address), |(ix, _)| vec![ix]),
            peer,
            starts,
            keepers: watchers(export, None),
            enders: enders(export, None, None),
            auth: Fact::written(vec![if group.is_some() { TunnelAuth::GroupPsk } else { TunnelAuth::ClientCert }], key),
            // With the key of a group a client begins in aggressive mode.
            aggressive_psk: Fact::written(group.is_some(), key),
            remote_nets: Fact::unknown(Why::at(WhyCode::PeerDecides, name, vec![node.span()])),
            crypto: None,
            psk,
        });
    }
    out
}
