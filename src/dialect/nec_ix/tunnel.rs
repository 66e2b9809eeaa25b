//! Tunnels between sites: who brings them up, what keeps them, how the ends prove themselves.
//!
//! No idle timeout of a tunnel was seen in print. An IKEv1 tunnel comes up with traffic, an IKEv2 tunnel by itself with
//! `ikev2 connect-type auto`; a router that takes any peer only answers.

use super::Export;
use super::crypto::{Proposals, crypto};
use super::interface::Port;
use super::ipsec::{self, Keying, Plan, Settings, TunnelPlan};
use super::lines::{Lines, is};
use super::secret::secret;
use super::{address, ambiguous, undocumented};
use crate::ir::Device;
use crate::ir::account::{SecretIx, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Val, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::InterfaceIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Keeper, KeeperForce, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::source::Span;
use std::collections::HashMap;
use std::net::IpAddr;

const TOPIC: &str = "tunnels";

/// Fills tunnels between sites, and the shared secrets of all tunnels.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let (by_policy, by_key) = shared_secrets(export, plan, device);
    let proposals = Proposals::read(export);
    let kept = kept_by_traffic(export);
    let mut tunnels = Vec::new();
    for tunnel in plan.tunnels.iter().filter(|t| !t.users) {
        let Some(port) = export.ports.port(tunnel.ix) else { continue };
        let settings = Settings::of(plan, port);
        let maker = Maker { export, plan, tunnel, port, settings, kept: &kept };
        let psk = match tunnel.keying {
            Keying::V1 { policy, .. } => policy.and_then(|ix| by_policy.get(&ix).copied()),
            Keying::V2 { key, .. } => key.and_then(|ix| by_key.get(&ix).copied()),
            Keying::None => None,
        };
        tunnels.push(maker.tunnel(psk, &proposals, device));
    }
    device.tunnels = export.list(TOPIC, tunnels);
}

type ByPosition = HashMap<usize, SecretIx>;

/// The key of every policy and identity, in use where a tunnel that is up uses it.
fn shared_secrets(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) -> (ByPosition, ByPosition) {
    let mut users: HashMap<(bool, usize), Fact<bool>> = HashMap::new();
    for tunnel in &plan.tunnels {
        let Some(up) = device.interfaces.get(tunnel.ix.0 as usize).map(|i| i.up.clone()) else { continue };
        let used = match tunnel.keying {
            Keying::V1 { policy: Some(ix), .. } => (true, ix),
            Keying::V2 { key: Some(ix), .. } => (false, ix),
            _ => continue,
        };
        let both = users.get(&used).map_or_else(|| up.clone(), |f| f.or(&up));
        users.insert(used, both);
    }
    let (mut by_policy, mut by_key) = (HashMap::new(), HashMap::new());
    let unused = |span: Span| match export.gaps.get(TOPIC) {
        Some(why) => Fact::unknown(why.clone()),
        None => Fact::known(false, Origin::inferred("no_tunnel_uses_it", [Origin::Written(span)])),
    };
    for (ix, policy) in plan.policies.iter().enumerate() {
        let Some(stored) = policy.stored() else { continue };
        let span = policy.node.span();
        let live = users.get(&(true, ix)).cloned().unwrap_or_else(|| unused(span));
        let mut own = secret(export, SecretUse::IkePsk, policy.name, span, stored, live);
        own.protocol_needs_clear = true;
        by_policy.insert(ix, device.add_secret(own));
    }
    for (ix, key) in plan.keys.iter().enumerate() {
        let span = key.node.span();
        // A key of the router's own identity is shown to the other end by the same exchange.
        let live = users.get(&(false, ix)).cloned().unwrap_or_else(|| undocumented("ikev2 local-authentication", span));
        let mut own = secret(export, SecretUse::IkePsk, &format!("{} {}", key.id.0, key.id.1), span, key.stored(), live);
        own.protocol_needs_clear = true;
        by_key.insert(ix, device.add_secret(own));
    }
    (by_policy, by_key)
}

/// Interfaces that something sends traffic through for ever: a watch that pings, a BGP neighbour.
fn kept_by_traffic(export: &Export<'_>) -> HashMap<InterfaceIx, Vec<(&'static str, Span)>> {
    let mut out: HashMap<InterfaceIx, Vec<(&'static str, Span)>> = HashMap::new();
    let monitored: Vec<&str> =
        export.lines.all(&["network-monitor"]).iter().filter(|n| is(**n, 2, "enable")).filter_map(|n| n.word(1)).collect();
    for group in export.lines.all(&["watch-group"]) {
        if !group.word(1).is_some_and(|name| monitored.contains(&name)) {
            continue;
        }
        for event in Lines::below(group).all(&["event"]) {
            let pings = event.words_from(2).any(|w| w.eq_ignore_ascii_case("unreach-host"));
            let through = event.words_from(3).filter_map(|w| export.ports.named(w));
            for ix in through.filter(|_| pings) {
                out.entry(ix).or_default().push(("keeper.watch_group", event.span()));
            }
        }
    }
    for router in export.lines.all(&["router", "bgp"]) {
        for neighbour in Lines::below(router).all(&["neighbor"]).into_iter().filter(|n| is(*n, 2, "remote-as")) {
            let on = neighbour.word(1).and_then(|w| w.parse().ok()).and_then(|addr| export.ports.holding(addr));
            if let Some(ix) = on {
                out.entry(ix).or_default().push(("keeper.routing_neighbour", neighbour.span()));
            }
        }
    }
    out
}

struct Maker<'e, 'a> {
    export: &'e Export<'a>,
    plan: &'e Plan<'a>,
    tunnel: &'e TunnelPlan<'a>,
    port: &'e Port<'a>,
    settings: Settings<'e, 'a>,
    kept: &'e HashMap<InterfaceIx, Vec<(&'static str, Span)>>,
}

impl<'a> Maker<'_, 'a> {
    fn tunnel(&self, psk: Option<SecretIx>, proposals: &Proposals<'a>, device: &Device) -> Tunnel {
        let peer = match self.tunnel.keying {
            Keying::None => ipsec::destination(self.port).unwrap_or_else(|| self.plan.peer(self.tunnel)),
            _ => self.plan.peer(self.tunnel),
        };
        let address: Option<IpAddr> = peer.text.parse().ok();
        let starts = self.starts(&peer.addresses);
        // A router that only answers does so whatever ends the session.
        let endless = match starts.get() {
            Some(Starts::Never) => starts.origin.clone(),
            _ => self.export.product("ipsec idle", |v| (v == "none").then_some(())).origin,
        };
        let layer2 = self.tunnel.mode.iter().any(|w| w == "ether-ip");
        Tunnel {
            name: self.port.name.to_owned(),
            span: self.port.node.span(),
            kind: self.kind(),
            layer2,
            encrypted: self.encrypted(),
            role: Fact::written(if self.tunnel.carrier { TunnelRole::Carrier } else { TunnelRole::SiteToSite }, self.tunnel.at),
            live: self.live(device),
            interface: self.port.is_tunnel().then_some(self.tunnel.ix),
            outer: if self.tunnel.carrier { Vec::new() } else { outer(self.export, &self.settings, self.port, address) },
            starts,
            keepers: self.keepers(),
            enders: List::complete(Vec::new(), endless),
            auth: self.auth(),
            aggressive_psk: aggressive(self.export, self.plan, self.tunnel),
            remote_nets: self.remote_nets(layer2),
            crypto: crypto(self.export, self.plan, proposals, self.tunnel),
            psk,
            peer,
        }
    }

    fn kind(&self) -> &'static str {
        match self.tunnel.mode.first().map(String::as_str) {
            Some("ether-ip") => "etherip",
            Some("gre") => "gre",
            _ if !matches!(self.tunnel.keying, Keying::None) => "ipsec",
            _ => "ipip",
        }
    }

    fn encrypted(&self) -> Fact<bool> {
        let known = self.export.grammar.names("plain_modes");
        match (&self.tunnel.keying, self.tunnel.mode.first()) {
            (Keying::V1 { line, .. }, _) => Fact::written(true, line.span()),
            (Keying::V2 { .. }, _) => Fact::written(true, self.tunnel.at),
            (Keying::None, Some(mode)) if mode.starts_with("ipsec") => Fact::written(true, self.tunnel.at),
            (Keying::None, Some(mode)) if known.contains(mode) => Fact::written(false, self.tunnel.at),
            _ => ambiguous("tunnel mode", self.tunnel.at),
        }
    }

    fn live(&self, device: &Device) -> Live {
        let up = device.interfaces.get(self.tunnel.ix.0 as usize).map(|i| i.up.clone());
        let live = Live::own(up.unwrap_or_else(|| undocumented("shutdown", self.port.node.span())));
        let found = |there: Option<Span>, at: Span| match there {
            Some(span) => Fact::written(true, span),
            None if self.export.gaps.contains_key("crypto") => Fact::unknown(Why::at(WhyCode::NotExported, "ipsec", vec![at])),
            None => Fact::written(false, at),
        };
        match &self.tunnel.keying {
            Keying::V1 { line, map, .. } => {
                let live = live.with(LinkKind::Referenced, found(map.map(|m| m.node.span()), line.span()));
                let policy = self.plan.policy(self.tunnel).map(|p| p.node.span());
                live.with(LinkKind::KeyPresent, found(policy, map.map_or_else(|| line.span(), |m| m.node.span())))
            }
            Keying::V2 { line: Some(line), key } => {
                let asks_psk = (2..line.len()).any(|ix| is(*line, ix, "psk"));
                let there = key.and_then(|ix| self.plan.keys.get(ix)).map(|k| k.node.span());
                if asks_psk { live.with(LinkKind::KeyPresent, found(there, line.span())) } else { live }
            }
            Keying::V2 { line: None, .. } => live.with(LinkKind::Referenced, found(None, self.tunnel.at)),
            Keying::None if self.tunnel.mode.first().is_some_and(|m| m == "ipsec") => {
                live.with(LinkKind::Referenced, found(None, self.tunnel.at))
            }
            Keying::None => live,
        }
    }

    fn starts(&self, peer: &Fact<AddrExpr>) -> Fact<Starts> {
        let answers_only = matches!(peer.get(), Some(AddrExpr::Any));
        match &self.tunnel.keying {
            Keying::V1 { map: Some(map), .. } if map.dynamic => Fact::written(Starts::Never, map.node.span()),
            Keying::V1 { .. } | Keying::V2 { .. } if answers_only => Fact { value: Val::Known(Starts::Never), origin: peer.origin.clone() },
            Keying::V1 { line, map, .. } => {
                let at = map.map_or_else(|| line.span(), |m| m.node.span());
                Fact::known(Starts::OnTraffic, Origin::inferred("ike_on_traffic", [Origin::Written(at)]))
            }
            Keying::V2 { .. } => self.starts_v2(),
            Keying::None => Fact::known(Starts::AtBoot, Origin::inferred("tunnel_without_session", [Origin::Written(self.tunnel.at)])),
        }
    }

    fn starts_v2(&self) -> Fact<Starts> {
        let first = |words: &[&str]| {
            let (values, spans) = self.settings.values(words)?;
            Some((values.into_iter().next()?, *spans.first()?))
        };
        if let Some((_, span)) = first(&["negotiation-direction"]).filter(|(w, _)| w == "responder") {
            return Fact::written(Starts::Never, span);
        }
        let read = |word: &str| match word {
            "auto" => Some(Starts::AtBoot),
            "trigger" => Some(Starts::OnTraffic),
            _ => None,
        };
        match first(&["connect-type"]) {
            Some((word, span)) => read(&word).map_or_else(|| ambiguous("ikev2 connect-type", span), |s| Fact::written(s, span)),
            None => self.export.absent_at("ikev2 connect-type", self.port.node.span(), read),
        }
    }

    fn keepers(&self) -> Vec<Keeper> {
        let mut out = Vec::new();
        if let Some(node) = self.plan.policy(self.tunnel).and_then(|p| self.plan.keepalives.get(p.name)) {
            // That the watch keeps the tunnel up, and does not only watch it, is an inference.
            let live = Fact::known(true, Origin::inferred("keepalive_keeps_up", [Origin::Written(node.span())]));
            out.push(Keeper { code: "keeper.ike_keepalive", force: KeeperForce::Sustains, live });
        }
        if matches!(self.tunnel.keying, Keying::V2 { .. })
            && let Some((_, spans)) = self.settings.values(&["dpd", "interval"])
        {
            out.extend(spans.first().map(|s| Keeper { code: "keeper.dpd", force: KeeperForce::Probes, live: Fact::written(true, *s) }));
        }
        for (code, span) in self.kept.get(&self.tunnel.ix).into_iter().flatten() {
            out.push(Keeper { code, force: KeeperForce::Sustains, live: Fact::written(true, *span) });
        }
        out
    }

    fn auth(&self) -> Fact<Vec<TunnelAuth>> {
        match &self.tunnel.keying {
            Keying::V1 { line, .. } => match self.plan.policy(self.tunnel).filter(|p| p.stored().is_some()) {
                Some(policy) => Fact::written(vec![TunnelAuth::GroupPsk], policy.node.span()),
                None => ambiguous("ike policy", line.span()),
            },
            Keying::V2 { line: Some(line), .. } => {
                let at = |word: &str| (2..line.len()).find(|ix| is(*line, *ix, word)).map(|ix| line.word_span(ix));
                let certificate = ["rsa", "ecdsa", "certificate", "pki"].iter().find_map(|w| at(w));
                match (at("psk"), certificate) {
                    (Some(span), _) => Fact::written(vec![TunnelAuth::GroupPsk], span),
                    (_, Some(span)) => Fact::written(vec![TunnelAuth::ClientCert], span),
                    _ => ambiguous("ikev2 peer", line.span()),
                }
            }
            Keying::V2 { line: None, .. } => ambiguous("ikev2 peer", self.tunnel.at),
            Keying::None => Fact::written(vec![TunnelAuth::None], self.tunnel.at),
        }
    }

    /// The networks routed into it; without routes, what the map agrees on. An Ethernet brings whatever the far side holds.
    fn remote_nets(&self, layer2: bool) -> Fact<AddrExpr> {
        if layer2 {
            return Fact::known(AddrExpr::Any, Origin::inferred("layer2_brings_any_source", [Origin::Written(self.tunnel.at)]));
        }
        let routes: Vec<_> = self.export.ports.routes_by(self.tunnel.ix).collect();
        let nets = routes.iter().map(|r| match r.to {
            Some(net) => address::whole(net),
            None if r.v6 => AddrExpr::AnyV6,
            None => AddrExpr::AnyV4,
        });
        if !routes.is_empty() {
            let origin = Origin::all(routes.iter().map(|r| Origin::Written(r.span)));
            return Fact::known(AddrExpr::Union(nets.collect()), origin);
        }
        if let Keying::V1 { map: Some(map), .. } = self.tunnel.keying
            && let Some(name) = map.node.word(2)
        {
            let id = self.plan.remote_ids.get(name);
            if let Some((node, net)) = id.and_then(|n| Some((n, address::net(n.word(3)?)?))) {
                return Fact::written(address::whole(net), node.word_span(3));
            }
        }
        Fact::unknown(Why::at(WhyCode::RuntimeContent, self.port.name, vec![self.tunnel.at]))
    }
}

/// Whether IKEv1 aggressive mode with a shared key is used.
pub fn aggressive(export: &Export<'_>, plan: &Plan<'_>, tunnel: &TunnelPlan<'_>) -> Fact<bool> {
    match &tunnel.keying {
        Keying::V1 { line, .. } => match plan.policy(tunnel) {
            Some(policy) => match (policy.aggressive, policy.stored()) {
                (Some(span), Some(_)) => Fact::written(true, span),
                (Some(span), None) => ambiguous("ike policy", span),
                (None, _) => export.absent_at("ike policy mode", policy.node.span(), |v| Some(v == "aggressive")),
            },
            None => ambiguous("ike policy", line.span()),
        },
        _ => Fact::written(false, tunnel.at),
    }
}

/// The interfaces on which outer packets arrive: those that are named, else those that lead to the peer.
pub fn outer(export: &Export<'_>, settings: &Settings<'_, '_>, port: &Port<'_>, peer: Option<IpAddr>) -> Vec<InterfaceIx> {
    if !port.is_tunnel() {
        return export.ports.named(port.name).into_iter().collect();
    }
    let named = [&["outgoing-interface"][..], &["source-address"]].iter().find_map(|words| {
        let (values, _) = settings.values(words)?;
        values.iter().find_map(|v| export.ports.named(v))
    });
    match named {
        Some(ix) => vec![ix],
        None => export.ports.towards(peer),
    }
}
