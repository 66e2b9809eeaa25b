//! What WireGuard is to both products: a tunnel to a peer with an address, and a service for peers without one. Where instances and peers
//! stand is the product's own.

use super::{Lowering, address};
use crate::ir::fact::{Fact, List, Origin};
use crate::ir::filter::{AddrExpr, OpaqueKind};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::ListenerIx;
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, Keeper, KeeperForce, Peer, RemoteAccess, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::source::Span;
use crate::syntax::xml::Element;

/// An instance.
pub(in crate::dialect) struct Instance {
    pub name: String,
    pub span: Span,
    pub interface: Option<InterfaceIx>,
    pub live: Live,
}

/// A peer.
pub(in crate::dialect) struct Station<'a> {
    pub name: String,
    pub span: Span,
    /// Its address, if it has a fixed one.
    pub endpoint: Option<Element<'a>>,
    /// Seconds between packets that keep it up; `0` is none.
    pub keepalive: Option<Element<'a>>,
    /// Networks from which it may send.
    pub networks: AddrExpr,
    pub live: Fact<bool>,
}

/// A tunnel to another site.
pub(in crate::dialect) fn site(l: &Lowering<'_>, instance: &Instance, peer: Station<'_>, live: Live) -> Tunnel {
    let span = peer.span;
    let keepalive = peer.keepalive.filter(|e| e.text() != "0");
    let starts = match keepalive {
        Some(e) => Fact::written(Starts::AtBoot, e.span()),
        None => l.cx.default("wireguard.starts", Some(span), |v| (v == "on_traffic").then_some(Starts::OnTraffic)),
    };
    let keeper =
        |e: Element<'_>| Keeper { code: "keeper.wireguard_keepalive", force: KeeperForce::Sustains, live: Fact::written(true, e.span()) };
    let no_end = l.cx.behaviour("wireguard.idle_end", Some(span)).origin;
    let addresses = match peer.endpoint {
        Some(e) => Fact::written(
            address::literal(e.text()).unwrap_or_else(|| address::opaque(OpaqueKind::Fqdn, e.text(), e.text_span())),
            e.span(),
        ),
        None => Fact::written(AddrExpr::Any, span),
    };
    Tunnel {
        name: peer.name,
        span,
        kind: "wireguard",
        layer2: false,
        encrypted: Fact::written(true, instance.span),
        role: Fact::written(TunnelRole::SiteToSite, span),
        live,
        interface: instance.interface,
        outer: l.names.keys.get("wan").copied().into_iter().collect(),
        peer: Peer { addresses, text: peer.endpoint.map_or_else(String::new, |e| e.text().to_owned()) },
        starts,
        keepers: keepalive.map(keeper).into_iter().collect(),
        enders: List::complete(Vec::new(), no_end),
        auth: Fact::written(vec![TunnelAuth::ClientCert], span),
        aggressive_psk: Fact::written(false, span),
        remote_nets: Fact::written(peer.networks, span),
        crypto: None,
        psk: None,
    }
}

/// A service for devices that dial in. `at` is the line that shows there are some.
pub(in crate::dialect) fn remote_access(
    l: &Lowering<'_>,
    instance: &Instance,
    devices: Vec<Station<'_>>,
    listener: ListenerIx,
    at: Span,
) -> RemoteAccess {
    let never = |key: &str| l.cx.default(key, Some(at), |v| if v == "never" { Some(NEVER) } else { v.parse().ok() });
    let pool = devices.iter().map(|p| p.networks.clone()).collect();
    let paths = devices.into_iter().map(|peer| AuthPath {
        principal: peer.name,
        span: peer.span,
        account: None,
        factors: vec![Factor { kind: FactorKind::DeviceKey, required: Fact::written(true, peer.span) }],
        fallback: false,
        live: peer.live,
    });
    RemoteAccess {
        name: if instance.name.is_empty() { "WireGuard".to_owned() } else { instance.name.clone() },
        kind: "wireguard",
        span: instance.span,
        live: instance.live.clone(),
        listeners: vec![listener],
        interface: instance.interface,
        outer: l.names.keys.get("wan").copied().into_iter().collect(),
        paths: List::complete(paths.collect(), Origin::Written(instance.span)),
        idle_s: never("wireguard.idle"),
        session_s: never("wireguard.session"),
        concurrent: never("wireguard.concurrent"),
        aggressive_psk: Fact::written(false, instance.span),
        pool: Fact::written(AddrExpr::Union(pool), at),
        crypto: None,
        note: None,
    }
}
