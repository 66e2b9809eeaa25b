//! Tunnel interfaces: IPsec interfaces, GRE with and without protection, multipoint GRE (DMVPN), FlexVPN clients, and the overlay of
//! boxes that a controller runs.
//!
//! A tunnel interface is there as long as it is up: its protection is negotiated at once and again after each loss. A hub only
//! answers.

use super::interface::Port;
use super::keys::{self, Keys};
use super::tunnel::{enders, peer, watchers};
use super::vpn::{self, Plan};
use super::{Block, Export, address, algorithm, routing};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, GRE, SvcExpr};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::live::Live;
use crate::ir::tunnel::{Ender, Keeper, KeeperForce, Peer, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::syntax::Node;

/// Writes the tunnel interfaces out.
pub fn tunnels(export: &Export<'_>, plan: &Plan<'_>, keys: &Keys) -> Vec<Tunnel> {
    let interior = routing::interior(export);
    let carried: Vec<InterfaceIx> = routing::default_routes(export).into_iter().map(|(ix, _)| ix).collect();
    let all = export.ports.iter().filter(|(_, p)| p.kind == InterfaceKind::Tunnel);
    let cx = Context { export, plan, keys, interior, carried };
    all.filter_map(|(ix, port)| cx.tunnel(ix, port)).collect()
}

struct Context<'e, 'a> {
    export: &'e Export<'a>,
    plan: &'e Plan<'a>,
    keys: &'e Keys,
    interior: Vec<routing::Place>,
    carried: Vec<InterfaceIx>,
}

impl<'a> Context<'_, 'a> {
    fn tunnel(&self, ix: InterfaceIx, port: &Port<'a>) -> Option<Tunnel> {
        let export = self.export;
        let (mode_line, mode) = vpn::tunnel_mode(port);
        // Paths of label switching, discovery and the like join no sites.
        if mode.starts_with("mpls") || mode.starts_with("dvmrp") || mode.starts_with("eon") {
            return None;
        }
        let block = port.block();
        let at = port.node.span();
        let protection = vpn::protection(port);
        let profile = protection.and_then(|n| export.line(&["crypto", "ipsec", "profile", n.word_or_empty(4)]));
        let destination = block.line(&["tunnel", "destination"]);
        let source = block.line(&["tunnel", "source"]);
        let multipoint = mode.contains("multipoint");
        let overlay = mode == "sdwan";
        if destination.is_none() && !multipoint && !overlay && !mode.starts_with("ipv6ip") {
            return None;
        }
        let hub = multipoint && block.line(&["ip", "nhrp", "nhs"]).or_else(|| block.line(&["ipv6", "nhrp", "nhs"])).is_none();
        let client = destination.filter(|n| n.word(2) == Some("dynamic")).and_then(|_| self.client(&port.name));
        let (peer, address) = self.peer(destination, client, hub, block);
        let proof = protection.map(|line| keys::proof(export, self.keys, profile, address, line.span()));
        let nothing = export.product("gre authentication", |v| (v == "none").then_some(vec![TunnelAuth::None]));
        let carrier = vpn::is_carrier(export, port) && (mode.starts_with("ipv6ip") || self.carried.contains(&ix));
        let role = if carrier {
            Fact::written(TunnelRole::Carrier, mode_line.map_or(at, |n| n.span()))
        } else if hub {
            Fact::written(TunnelRole::HubForDialin, mode_line.map_or(at, |n| n.span()))
        } else {
            Fact::written(TunnelRole::SiteToSite, destination.or(mode_line).map_or(at, |n| n.span()))
        };
        let ended = if protection.is_some() || overlay {
            enders(export, profile, Some(&port.name))
        } else {
            List::complete(Vec::<Ender>::new(), Origin::inferred("tunnel_without_session", [Origin::Written(at)]))
        };
        let version_2 = keys::profile_2(export, profile).is_some();
        Some(Tunnel {
            name: port.name.clone(),
            span: at,
            kind: if protection.is_some() || overlay {
                "ipsec"
            } else if mode.starts_with("gre") {
                "gre"
            } else {
                "ipip"
            },
            layer2: false,
            encrypted: self.encrypted(port, protection, overlay),
            role,
            live: Live::own(vpn::is_up(export, port)),
            interface: Some(ix),
            outer: if carrier { Vec::new() } else { vpn::outer(export, source, address) },
            starts: self.starts(port, hub, client, protection.or(mode_line)),
            keepers: self.keepers(ix, port, profile, hub),
            enders: ended,
            auth: match &proof {
                Some(proof) => proof.auth.clone(),
                None if overlay => Fact::written(vec![TunnelAuth::ClientCert], mode_line.map_or(at, |n| n.span())),
                None => Fact { value: nothing.value, origin: Origin::all([Origin::Written(at), nothing.origin]) },
            },
            aggressive_psk: proof.as_ref().map_or_else(|| Fact::written(false, at), |p| p.aggressive.clone()),
            remote_nets: self.remote_nets(port, at),
            crypto: protection.map(|line| algorithm::crypto(export, profile, version_2, line.span())),
            psk: proof.and_then(|p| p.secret),
            peer,
        })
    }

    /// The FlexVPN client that brings an interface up.
    fn client(&self, name: &str) -> Option<Node<'a>> {
        let drives = |n: &Node<'a>| {
            let line = Block(*n).line(&["client", "connect"]);
            line.and_then(|l| address::interface_name(l, 2)).is_some_and(|(i, _)| i.eq_ignore_ascii_case(name))
        };
        self.export.lines(&["crypto", "ikev2", "client", "flexvpn"]).find(drives)
    }

    fn peer(
        &self,
        destination: Option<Node<'a>>,
        client: Option<Node<'a>>,
        hub: bool,
        block: Block<'a>,
    ) -> (Peer, Option<std::net::IpAddr>) {
        if let Some(node) = client {
            return peer(Block(node).line(&["peer"]), 2);
        }
        if hub {
            let at = block.0.span();
            return (Peer { addresses: Fact::written(AddrExpr::Any, at), text: String::new() }, None);
        }
        // A spoke's hub: `ip nhrp nhs A nbma B`, or `ip nhrp map A B`.
        let server = block.lines(&["ip", "nhrp", "nhs"]).find(|n| n.word(4) == Some("nbma"));
        let mapped = block.lines(&["ip", "nhrp", "map"]).find(|n| n.word(3).is_some_and(|w| w.starts_with(|c: char| c.is_ascii_digit())));
        match (destination, server, mapped) {
            (Some(line), _, _) => peer(Some(line), 2),
            (None, Some(line), _) => peer(Some(line), 5),
            (None, None, line) => peer(line, 4),
        }
    }

    fn encrypted(&self, port: &Port<'_>, protection: Option<Node<'_>>, overlay: bool) -> Fact<bool> {
        if let Some(line) = protection {
            return Fact::written(true, line.span());
        }
        if overlay {
            return Fact::written(true, port.node.span());
        }
        // GRE that a crypto map on the way out encrypts.
        let wraps = |m: &&vpn::MapEntry<'_>| {
            let line = Block(m.node).line(&["match", "address"]);
            let list = line.and_then(|n| self.export.lists.get(false, n.word_or_empty(2)));
            let gre = |svc: &SvcExpr| matches!(svc, SvcExpr::Term(t) if t.protocol == Some(GRE));
            list.is_some_and(|l| l.rows.iter().any(|r| r.permit.get() == Some(&true) && gre(&r.svc)))
        };
        match self.plan.maps.iter().find(wraps) {
            Some(entry) => Fact::known(
                true,
                Origin::inferred("gre_in_crypto_map", [Origin::Written(port.node.span()), Origin::Written(entry.node.span())]),
            ),
            None => Fact::written(false, port.node.span()),
        }
    }

    fn starts(&self, port: &Port<'_>, hub: bool, client: Option<Node<'_>>, anchor: Option<Node<'_>>) -> Fact<Starts> {
        let at = anchor.map_or(port.node.span(), |n| n.span());
        if hub {
            return Fact::written(Starts::Never, at);
        }
        if let Some(node) = client {
            let read = |v: &str| match v {
                "auto" => Some(Starts::AtBoot),
                "manual" => Some(Starts::Manual),
                "track" => Some(Starts::OnTraffic),
                _ => None,
            };
            return match Block(node).line(&["connect"]).and_then(|n| n.word(1).and_then(read).map(|s| (s, n.span()))) {
                Some((starts, span)) => Fact::written(starts, span),
                None => self.export.default_at("flexvpn connect", Some(node.span()), read),
            };
        }
        Fact::known(Starts::AtBoot, Origin::inferred("tunnel_interface_is_up", [Origin::Written(at)]))
    }

    fn keepers(&self, ix: InterfaceIx, port: &Port<'a>, profile: Option<Node<'a>>, hub: bool) -> Vec<Keeper> {
        let block = port.block();
        let mut out = watchers(self.export, profile);
        let keeper = |code, force, span| Keeper { code, force, live: Fact::written(true, span) };
        let strong = |force| if hub { KeeperForce::Probes } else { force };
        if let Some(line) = block.line(&["keepalive"]) {
            out.push(keeper("keeper.gre_keepalive", strong(KeeperForce::Sustains), line.span()));
        }
        if let Some(line) = block.line(&["ip", "nhrp", "nhs"]) {
            out.push(keeper("keeper.nhrp_registration", KeeperForce::Forces, line.span()));
        }
        if let Some((_, span)) = self.interior.iter().find(|(i, _)| *i == ix) {
            out.push(keeper("keeper.routing_neighbour", strong(KeeperForce::Sustains), *span));
        }
        out
    }

    /// Networks that routes lead into the tunnel; unknown where a protocol fills them in.
    fn remote_nets(&self, port: &Port<'_>, at: crate::source::Span) -> Fact<AddrExpr> {
        let mut nets = Vec::new();
        let mut spans = Vec::new();
        for line in self.export.lines(&["ip", "route"]) {
            let start = if line.word(2) == Some("vrf") { 4 } else { 2 };
            let named = address::interface_name(line, start + 2).is_some_and(|(n, _)| n.eq_ignore_ascii_case(&port.name));
            let net = address::v4_net(line.word_or_empty(start), line.word_or_empty(start + 1));
            if let (true, Some(net)) = (named, net) {
                nets.push(address::network(net));
                spans.push(Origin::Written(line.span()));
            }
        }
        if nets.is_empty() {
            return Fact::unknown(Why::at(WhyCode::RuntimeContent, port.name.clone(), vec![at]));
        }
        Fact::known(AddrExpr::Union(nets), Origin::all(spans))
    }
}
