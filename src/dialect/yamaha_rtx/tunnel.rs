//! Tunnels between sites: who brings them up, what keeps them, what ends them, how the ends prove themselves.
//!
//! IPsec here has no idle timeout: a tunnel that is negotiated at boot stays until a schedule ends it. A tunnel whose peer may be
//! anybody, or without `ipsec auto refresh on`, only answers. L2TPv3 joins Ethernets; IP in IP proves and encrypts nothing.

use super::access::{secret, storage};
use super::commands::{Command, Scope};
use super::schedule::{self, Schedule, schedules};
use super::vpn::{self, Encapsulation, Plan, TunnelPlan};
use super::{Export, on_off};
use crate::ir::Device;
use crate::ir::account::{SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, List, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Ender, EnderKind, Keeper, KeeperForce, Peer, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::source::Span;
use std::net::IpAddr;

const TOPIC: &str = "tunnels";

/// Fills tunnels between sites.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let schedules = schedules(export);
    let refresh = match export.commands.one(Scope::Global, "ipsec auto refresh") {
        Some(command) => super::switch_word(&command),
        // The box prints this line among the services, after the tunnels.
        None => export.absent("ipsec auto refresh", "listeners", on_off),
    };
    let mut tunnels = Vec::new();
    for tunnel in plan.tunnels.iter().filter(|t| !t.encapsulation.is_remote_access() && !t.asks_users()) {
        let maker = Maker { export, tunnel, schedules: &schedules, refresh: &refresh };
        tunnels.push(maker.tunnel(device));
    }
    device.tunnels = export.list(TOPIC, tunnels);
}

/// Adds the shared secret of a gateway, once.
pub fn shared_secret(export: &Export<'_>, tunnel: &TunnelPlan<'_>, live: &Fact<bool>, device: &mut Device) -> Option<SecretIx> {
    let ike = tunnel.ike.as_ref()?;
    let command = ike.secret()?;
    if let Some(ix) = device.secrets.items.iter().position(|s| s.used_for == SecretUse::IkePsk && s.span == command.span()) {
        return Some(SecretIx(ix as u32));
    }
    let at = usize::from(command.is("text"));
    let mut own = secret(export, SecretUse::IkePsk, format!("gateway {}", ike.id), command.span(), storage(&command, at), live.clone());
    own.protocol_needs_clear = true;
    Some(device.add_secret(own))
}

struct Maker<'e, 'a> {
    export: &'e Export<'a>,
    tunnel: &'e TunnelPlan<'a>,
    schedules: &'e [Schedule<'a>],
    refresh: &'e Fact<bool>,
}

impl<'a> Maker<'_, 'a> {
    fn scope(&self) -> Scope {
        Scope::Tunnel(self.tunnel.number)
    }

    fn anchor(&self) -> Span {
        self.tunnel.sa.map_or_else(|| self.tunnel.node.span(), |c| c.span())
    }

    fn line(&self, pattern: &str) -> Option<Command<'a>> {
        self.export.commands.one(self.scope(), pattern)
    }

    fn tunnel(&self, device: &mut Device) -> Tunnel {
        let tunnel = self.tunnel;
        let encapsulation = tunnel.encapsulation;
        let live = self.live();
        let value = live.value();
        let psk = shared_secret(self.export, tunnel, &value, device);
        self.l2tp_secret(&value, device);
        let (starts, always_on) = self.starts();
        let peer = self.peer();
        let anchor = self.anchor();
        let aggressive = match &tunnel.ike {
            Some(ike) => ike.aggressive(self.export, anchor),
            None => Fact::known(false, Origin::Written(tunnel.node.span())),
        };
        let address = peer.text.parse().ok();
        Tunnel {
            name: tunnel.name(),
            span: tunnel.node.span(),
            kind: match encapsulation {
                Encapsulation::L2tpV3 => "l2tpv3",
                Encapsulation::Ipip | Encapsulation::Provider => "ipip",
                _ => "ipsec",
            },
            layer2: encapsulation == Encapsulation::L2tpV3,
            encrypted: self.encrypted(),
            role: self.role(),
            live,
            interface: self.export.interfaces.tunnel(tunnel.number),
            outer: if tunnel.carrier { Vec::new() } else { vpn::outer(self.export, address) },
            keepers: self.keepers(&starts, always_on),
            starts,
            enders: self.enders(),
            auth: self.auth(),
            aggressive_psk: aggressive,
            remote_nets: self.remote_nets(),
            crypto: tunnel.ike.as_ref().zip(tunnel.sa.as_ref()).map(|(ike, sa)| ike.crypto(self.export, sa)),
            psk,
            peer,
        }
    }

    fn live(&self) -> Live {
        let export = self.export;
        let tunnel = self.tunnel;
        let mut live = Live::own(tunnel.enabled.clone());
        if let Some(policy) = tunnel.policy {
            live = live.with(LinkKind::FeatureOn, vpn::ipsec_on(export));
            let found = match tunnel.sa {
                Some(sa) => Fact::written(true, sa.span()),
                None if export.gaps.contains_key(TOPIC) => {
                    Fact::unknown(Why::at(WhyCode::NotExported, "ipsec sa policy", vec![policy.span()]))
                }
                None => Fact::written(false, policy.span()),
            };
            live = live.with(LinkKind::Referenced, found);
            if let (Some(ike), Some(sa)) = (&tunnel.ike, tunnel.sa) {
                let certificate = ike.uses_certificate(export, sa.span());
                let key = match ike.secret() {
                    Some(secret) => Fact::written(true, secret.span()),
                    None => certificate,
                };
                live = live.with(LinkKind::KeyPresent, key);
            }
        } else if tunnel.encapsulation == Encapsulation::Ipsec {
            live = live
                .with(LinkKind::Referenced, Fact::known(false, Origin::inferred("no_ipsec_policy", [Origin::Written(tunnel.node.span())])));
        }
        if tunnel.encapsulation == Encapsulation::L2tpV3 {
            live = live.with(LinkKind::FeatureOn, vpn::l2tp_on(export, "l2tpv3"));
        }
        live
    }

    fn encrypted(&self) -> Fact<bool> {
        match self.tunnel.sa {
            Some(sa) => Fact::written(true, sa.span()),
            None => Fact::written(false, self.line("tunnel encapsulation").map_or_else(|| self.tunnel.node.span(), |c| c.span())),
        }
    }

    fn role(&self) -> Fact<TunnelRole> {
        if self.tunnel.carrier {
            let span = self.line("tunnel encapsulation").map_or_else(|| self.tunnel.node.span(), |c| c.span());
            return Fact::written(TunnelRole::Carrier, span);
        }
        match self.line("tunnel type") {
            Some(command) if command.is("multipoint") && command.arg(1) == Some("server") => {
                Fact::written(TunnelRole::HubForDialin, command.span())
            }
            Some(command) => Fact::written(TunnelRole::SiteToSite, command.span()),
            None => Fact::known(TunnelRole::SiteToSite, Origin::Written(self.tunnel.node.span())),
        }
    }

    fn peer(&self) -> Peer {
        let named = vpn::endpoint(&self.export.commands, self.tunnel.number);
        match (&self.tunnel.ike, named) {
            (Some(ike), _) => ike.peer(self.anchor()),
            (None, Some((word, command))) => {
                let addresses = match word.parse::<IpAddr>() {
                    Ok(addr) => AddrExpr::Range(addr, addr),
                    Err(_) => AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: word.to_owned(), span: command.span() }),
                };
                Peer { addresses: Fact::written(addresses, command.span()), text: word.to_owned() }
            }
            (None, None) => Peer {
                addresses: Fact::unknown(Why::at(WhyCode::Ambiguous, self.tunnel.name(), vec![self.tunnel.node.span()])),
                text: String::new(),
            },
        }
    }

    /// Who brings it up, and whether L2TPv3 itself is always on.
    fn starts(&self) -> (Fact<Starts>, Option<Fact<bool>>) {
        let export = self.export;
        let ipsec = self.negotiates();
        match self.tunnel.encapsulation {
            Encapsulation::Provider | Encapsulation::Ipip => {
                let span = self.line("tunnel encapsulation").map_or_else(|| self.tunnel.node.span(), |c| c.span());
                // Without a session there is nothing to bring up: it is there while it is switched on.
                (Fact::known(Starts::AtBoot, Origin::inferred("tunnel_without_session", [Origin::Written(span)])), None)
            }
            Encapsulation::L2tpV3 => {
                let always = export.scoped_switch(self.scope(), "l2tp always-on", "l2tp always-on", TOPIC, Some(self.tunnel.node.span()));
                let base = match (&always.value.tri(), self.tunnel.sa) {
                    (Some(true), None) => always.map(|_| Starts::AtBoot),
                    (Some(true), Some(_)) => Fact {
                        value: ipsec.value.map(|on| if *on { Starts::AtBoot } else { Starts::Never }),
                        origin: if ipsec.value.is_true() {
                            Origin::all([always.origin.clone(), ipsec.origin.clone()])
                        } else {
                            ipsec.origin.clone()
                        },
                    },
                    _ => always.map(|on| if *on { Starts::AtBoot } else { Starts::OnTraffic }),
                };
                (base, Some(always))
            }
            _ => (ipsec.map(|on| if *on { Starts::AtBoot } else { Starts::Never }), None),
        }
    }

    /// Whether this router negotiates by itself: globally on, not off for the gateway, and a peer to call.
    fn negotiates(&self) -> Fact<bool> {
        let Some(ike) = &self.tunnel.ike else { return Fact::known(false, Origin::Written(self.tunnel.node.span())) };
        let anchor = self.anchor();
        let gateway = match ike.auto_refresh() {
            Some(command) => super::switch_word(&command),
            None => self.export.absent_at("ipsec auto refresh gateway", TOPIC, Some(anchor), on_off),
        };
        let callable = match ike.can_start(self.export, anchor) {
            Some(command) => Fact::written(true, command.span()),
            None => Fact { value: Val::Known(false), origin: ike.peer(anchor).addresses.origin },
        };
        callable.and(self.refresh).and(&gateway)
    }

    fn keepers(&self, starts: &Fact<Starts>, always_on: Option<Fact<bool>>) -> Vec<Keeper> {
        let mut out = Vec::new();
        // What keeps a tunnel up does so only where this router negotiates; where it answers, it merely watches.
        let begins = !matches!(starts.value, Val::Known(Starts::Never));
        let force = |strong| if begins { strong } else { KeeperForce::Probes };
        if let Some(ike) = &self.tunnel.ike {
            if begins {
                out.push(Keeper { code: "keeper.auto_refresh", force: KeeperForce::Forces, live: self.refresh.clone() });
            }
            if let Some(command) = ike.always_on() {
                out.push(Keeper { code: "keeper.ike_always_on", force: force(KeeperForce::Forces), live: super::switch_word(&command) });
            }
            if let Some(command) = ike.keepalive() {
                let echo = command.arg(1).is_some_and(|m| m.eq_ignore_ascii_case("icmp-echo"));
                let (code, strong) =
                    if echo { ("keeper.ike_echo_keepalive", KeeperForce::Sustains) } else { ("keeper.ike_keepalive", KeeperForce::Forces) };
                // `auto` only answers a peer that watches, except for echo and DPD, which it sends by itself.
                let sends = command.is("on") || command.is("auto") && command.arg(1).is_some_and(|m| m != "heartbeat" && m != "rfc4306");
                out.push(Keeper { code, force: force(strong), live: Fact::written(sends, command.span()) });
            }
        }
        if let Some(always) = always_on {
            out.push(Keeper { code: "keeper.l2tp_always_on", force: force(KeeperForce::Forces), live: always });
        }
        if let Some(command) = self.line("l2tp keepalive use").filter(|_| self.tunnel.encapsulation == Encapsulation::L2tpV3) {
            out.push(Keeper { code: "keeper.l2tp_keepalive", force: KeeperForce::Probes, live: super::switch_word(&command) });
        }
        if let Some(command) = self.line("ipip keepalive use") {
            out.push(Keeper { code: "keeper.ipip_keepalive", force: KeeperForce::Sustains, live: super::switch_word(&command) });
        }
        out
    }

    fn enders(&self) -> List<Ender> {
        let export = self.export;
        let mut out = Vec::new();
        if self.tunnel.encapsulation == Encapsulation::L2tpV3 {
            out.push(Ender { kind: EnderKind::Idle, live: l2tp_idle(export, self.tunnel).map(|s| *s != crate::ir::record::NEVER) });
        }
        let gateway = self.tunnel.ike.as_ref().map(|i| i.id);
        for schedule in schedule::ends(self.schedules, self.tunnel.number, gateway) {
            out.push(Ender { kind: EnderKind::Schedule, live: Fact::written(true, schedule.span) });
        }
        match export.gaps.get("time").or_else(|| export.gaps.get(TOPIC)) {
            Some(why) => List::partial(out, why.clone()),
            None => List::complete(out, export.product("ipsec idle", |v| (v == "none").then_some(())).origin),
        }
    }

    fn auth(&self) -> Fact<Vec<TunnelAuth>> {
        let export = self.export;
        let anchor = self.anchor();
        if let Some(ike) = &self.tunnel.ike {
            let certificate = ike.uses_certificate(export, anchor);
            return match (certificate.value.tri(), ike.secret()) {
                (Some(true), _) => Fact { value: Val::Known(vec![TunnelAuth::ClientCert]), origin: certificate.origin },
                (_, Some(secret)) => Fact::written(vec![TunnelAuth::GroupPsk], secret.span()),
                _ => Fact::unknown(Why::at(WhyCode::NotExported, "ipsec ike pre-shared-key", vec![anchor])),
            };
        }
        match self.line("l2tp tunnel auth").filter(|c| c.is("on")) {
            Some(command) => Fact::written(vec![TunnelAuth::Password], command.span()),
            None => {
                let none = export.product("ipip authentication", |v| (v == "none").then_some(vec![TunnelAuth::None]));
                Fact { value: none.value, origin: Origin::all([Origin::Written(self.tunnel.node.span()), none.origin]) }
            }
        }
    }

    /// The L2TP secret; where the line names none, the model's name is the secret.
    fn l2tp_secret(&self, live: &Fact<bool>, device: &mut Device) {
        let Some(command) = self.line("l2tp tunnel auth").filter(|c| c.is("on")) else { return };
        let stored = match (command.arg(1), &self.export.model) {
            (Some(_), _) => storage(&command, 1),
            (None, Some(model)) => (Storage::Clear, SecretValue::new(model.as_str())),
            (None, None) => (Storage::Masked, SecretValue::new("")),
        };
        let mut own = secret(self.export, SecretUse::L2tpPsk, self.tunnel.name(), command.span(), stored, live.clone());
        own.protocol_needs_clear = true;
        device.add_secret(own);
    }

    /// The networks routed into it. An Ethernet brings whatever the far side holds.
    fn remote_nets(&self) -> Fact<AddrExpr> {
        let span = self.tunnel.node.span();
        if self.tunnel.encapsulation == Encapsulation::L2tpV3 {
            return Fact::known(AddrExpr::Any, Origin::inferred("layer2_brings_any_source", [Origin::Written(span)]));
        }
        let made = self.tunnel.made.iter().filter(|n| **n != self.tunnel.number);
        let numbers = std::iter::once(&self.tunnel.number).chain(made);
        let routes: Vec<_> = numbers.flat_map(|n| self.export.interfaces.routes_into(*n)).collect();
        let parts: Vec<AddrExpr> = routes
            .iter()
            .map(|r| match r.to {
                Some(net) => {
                    let (first, last) = net.range();
                    AddrExpr::Range(first, last)
                }
                None if r.v6 => AddrExpr::AnyV6,
                None => AddrExpr::AnyV4,
            })
            .collect();
        if parts.is_empty() {
            return Fact::unknown(Why::at(WhyCode::RuntimeContent, self.tunnel.name(), vec![span]));
        }
        Fact::known(AddrExpr::Union(parts), Origin::all(routes.iter().map(|r| Origin::Written(r.span))))
    }
}

/// The L2TP idle timeout of a tunnel in seconds.
pub fn l2tp_idle(export: &Export<'_>, tunnel: &TunnelPlan<'_>) -> Fact<i64> {
    idle(export, tunnel, "l2tp tunnel disconnect time")
}

/// An idle timeout of a tunnel in seconds, from the line of that pattern or its default.
pub fn idle(export: &Export<'_>, tunnel: &TunnelPlan<'_>, pattern: &str) -> Fact<i64> {
    match export.commands.one(Scope::Tunnel(tunnel.number), pattern) {
        Some(command) => match command.arg(0).and_then(super::seconds) {
            Some(s) => Fact::written(s, command.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, pattern, vec![command.span()])),
        },
        None => export.absent_at(pattern, TOPIC, Some(tunnel.node.span()), super::seconds),
    }
}
