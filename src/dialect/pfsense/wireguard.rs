//! WireGuard, a package: tunnels with their peers. A peer with an address is another site, one without is a device that dials in.

use super::{Lowering, address};
use crate::ir::account::SecretUse;
use crate::ir::fact::{Fact, List, Origin};
use crate::ir::filter::{AddrExpr, Family, OpaqueKind, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, Keeper, KeeperForce, Peer, RemoteAccess, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::syntax::xml::Element;

fn settings<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    let package = l.cx.section("installedpackages").and_then(|s| s.child("wireguard"));
    package.into_iter().chain(l.cx.section("wireguard")).collect()
}

/// Tunnels, of the package or of the one release that had them built in.
pub(super) fn tunnels<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    let of = |s: Element<'a>| match s.child("tunnels") {
        Some(list) => list.all("item").collect::<Vec<_>>(),
        None => s.all("tunnel").collect(),
    };
    settings(l).into_iter().flat_map(of).collect()
}

/// Whether a tunnel or peer is on.
pub(super) fn is_on(row: Element<'_>) -> Fact<bool> {
    match row.filled("enabled") {
        Some(e) => Fact::written(matches!(e.text(), "yes" | "on" | "1"), e.span()),
        None => Fact::written(row.has("enabled"), row.span()),
    }
}

fn peers<'a>(l: &Lowering<'a>, tunnel: Element<'a>) -> Vec<Element<'a>> {
    let name = tunnel.value("name");
    let own = tunnel.child("peers").into_iter().flat_map(|p| p.all("item").chain(p.all("wgpeer")).collect::<Vec<_>>());
    let list = settings(l).into_iter().filter_map(|s| s.child("peers")).flat_map(|p| p.all("item").collect::<Vec<_>>());
    own.chain(list.filter(|p| p.value("tun") == name)).collect()
}

/// Lowers it.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let package = settings(l).into_iter().find_map(|s| s.at("config/enable"));
    for row in tunnels(l) {
        let mut live = Live::own(is_on(row));
        if let Some(e) = package {
            live = live.with(LinkKind::FeatureOn, Fact::written(matches!(e.text(), "on" | "yes" | "1"), e.span()));
        }
        let name = row.value("name").unwrap_or("").to_owned();
        let ports = match row.filled("listenport").map(|e| (e.text().parse::<u16>().ok(), e.span())) {
            Some((Some(port), span)) => Fact::written(port, span),
            _ => l.cx.default("wireguard.listenport", Some(row.span()), |v| v.parse().ok()),
        };
        let bindings = l.bindings(None, Family::Both, row.span());
        let mut listener =
            super::management::listener(Plane::Vpn, "wireguard", super::management::port(UDP, ports), live.own.clone(), bindings);
        listener.live = live.clone();
        listener.span = Some(row.span());
        l.device.listeners.items.push(listener);
        let listener = ListenerIx(l.device.listeners.items.len() as u32 - 1);
        let on = l.names.devices.get(&name).copied();
        let mut devices = Vec::new();
        for peer in peers(l, row) {
            peer_secret(l, peer, &live);
            if peer.filled("endpoint").is_some_and(|e| e.text() != "dynamic") {
                let tunnel = site(l, row, peer, on, &live);
                l.device.tunnels.items.push(tunnel);
            } else {
                devices.push(peer);
            }
        }
        if let Some(first) = devices.first() {
            let access = remote_access(l, row, &devices, on, listener, &live, first.span());
            l.device.remote_access.items.push(access);
        }
    }
}

fn peer_name(peer: Element<'_>) -> String {
    peer.value("descr").or_else(|| peer.value("endpoint")).unwrap_or("peer").to_owned()
}

fn peer_secret(l: &mut Lowering<'_>, peer: Element<'_>, live: &Live) {
    if let Some(e) = peer.filled("presharedkey") {
        let owner = super::secret::Owner::thing(peer_name(peer), live.value());
        super::secret::push(l, e, super::secret::Purpose::shared(SecretUse::WgPsk), owner);
    }
    peer.child("publickey");
}

/// Networks from which a peer may send.
fn allowed(peer: Element<'_>) -> AddrExpr {
    let Some(list) = peer.child("allowedips") else { return AddrExpr::Any };
    let row = |r: Element<'_>| address::literal(&format!("{}/{}", r.value("address")?, r.value("mask")?));
    let rows: Vec<AddrExpr> = list.all("row").filter_map(row).collect();
    let words = super::context::names(list.text()).filter_map(address::literal);
    let parts: Vec<AddrExpr> = rows.into_iter().chain(words).collect();
    if parts.is_empty() { AddrExpr::Any } else { AddrExpr::Union(parts) }
}

fn site<'a>(l: &Lowering<'a>, row: Element<'a>, peer: Element<'a>, on: Option<InterfaceIx>, live: &Live) -> Tunnel {
    let span = peer.span();
    let keepalive = peer.filled("persistentkeepalive").filter(|e| e.text() != "0");
    let endpoint = peer.filled("endpoint");
    let starts = match keepalive {
        Some(e) => Fact::written(Starts::AtBoot, e.span()),
        None => l.cx.default("wireguard.starts", Some(span), |v| (v == "on_traffic").then_some(Starts::OnTraffic)),
    };
    let keeper =
        keepalive.map(|e| Keeper { code: "keeper.wireguard_keepalive", force: KeeperForce::Sustains, live: Fact::written(true, e.span()) });
    let no_end = l.cx.behaviour("wireguard.idle_end", Some(span)).origin;
    Tunnel {
        name: peer_name(peer),
        span,
        kind: "wireguard",
        layer2: false,
        encrypted: Fact::written(true, row.span()),
        role: Fact::written(TunnelRole::SiteToSite, span),
        live: live.clone().with(LinkKind::KeyPresent, is_on(peer)),
        interface: on,
        outer: l.names.keys.get("wan").copied().into_iter().collect(),
        peer: Peer {
            addresses: match endpoint {
                Some(e) => Fact::written(
                    address::literal(e.text()).unwrap_or_else(|| address::opaque(OpaqueKind::Fqdn, e.text(), e.text_span())),
                    e.span(),
                ),
                None => Fact::written(AddrExpr::Any, span),
            },
            text: endpoint.map_or_else(String::new, |e| e.text().to_owned()),
        },
        starts,
        keepers: keeper.into_iter().collect(),
        enders: List::complete(Vec::new(), no_end),
        auth: Fact::written(vec![TunnelAuth::ClientCert], span),
        aggressive_psk: Fact::written(false, span),
        remote_nets: Fact::written(allowed(peer), span),
        crypto: None,
        psk: None,
    }
}

fn remote_access<'a>(
    l: &Lowering<'a>,
    row: Element<'a>,
    devices: &[Element<'a>],
    on: Option<InterfaceIx>,
    listener: ListenerIx,
    live: &Live,
    at: crate::source::Span,
) -> RemoteAccess {
    let never = |key: &str| l.cx.default(key, Some(at), |v| if v == "never" { Some(NEVER) } else { v.parse().ok() });
    let paths = devices.iter().map(|peer| AuthPath {
        principal: peer_name(*peer),
        span: peer.span(),
        account: None,
        factors: vec![Factor { kind: FactorKind::DeviceKey, required: Fact::written(true, peer.span()) }],
        fallback: false,
        live: is_on(*peer),
    });
    RemoteAccess {
        name: row.value("name").unwrap_or("WireGuard").to_owned(),
        kind: "wireguard",
        span: row.span(),
        live: live.clone(),
        listeners: vec![listener],
        interface: on,
        outer: l.names.keys.get("wan").copied().into_iter().collect(),
        paths: List::complete(paths.collect(), Origin::Written(row.span())),
        idle_s: never("wireguard.idle"),
        session_s: never("wireguard.session"),
        concurrent: never("wireguard.concurrent"),
        aggressive_psk: Fact::written(false, row.span()),
        pool: Fact::written(AddrExpr::Union(devices.iter().map(|p| allowed(*p)).collect()), at),
        crypto: None,
        note: None,
    }
}
