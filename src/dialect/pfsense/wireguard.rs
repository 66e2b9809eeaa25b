//! WireGuard, a package: tunnels with their peers. A peer with an address is another site, one without is a device that dials in.

use super::Lowering;
use crate::dialect::config_xml::context::names;
use crate::dialect::config_xml::secret::{self, Owner, Purpose};
use crate::dialect::config_xml::wireguard::{Instance, Station, remote_access, site};
use crate::dialect::config_xml::{address, management};
use crate::ir::account::SecretUse;
use crate::ir::fact::Fact;
use crate::ir::filter::{AddrExpr, Family, UDP};
use crate::ir::listener::{ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
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

fn station<'a>(peer: Element<'a>) -> Station<'a> {
    Station {
        name: peer_name(peer),
        span: peer.span(),
        endpoint: peer.filled("endpoint"),
        keepalive: peer.filled("persistentkeepalive"),
        networks: allowed(peer),
        live: is_on(peer),
    }
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
        let mut listener = management::listener(Plane::Vpn, "wireguard", management::port(UDP, ports), live.own.clone(), bindings);
        listener.live = live.clone();
        listener.span = Some(row.span());
        l.device.listeners.items.push(listener);
        let listener = ListenerIx(l.device.listeners.items.len() as u32 - 1);
        let interface = l.names.devices.get(&name).copied();
        let instance = Instance { name, span: row.span(), interface, live };
        let mut devices = Vec::new();
        for peer in peers(l, row) {
            peer_secret(l, peer, &instance.live);
            if peer.filled("endpoint").is_some_and(|e| e.text() != "dynamic") {
                let live = instance.live.clone().with(LinkKind::KeyPresent, is_on(peer));
                let tunnel = site(l, &instance, station(peer), live);
                l.device.tunnels.items.push(tunnel);
            } else {
                devices.push(station(peer));
            }
        }
        if let Some(at) = devices.first().map(|p| p.span) {
            let access = remote_access(l, &instance, devices, listener, at);
            l.device.remote_access.items.push(access);
        }
    }
}

fn peer_name(peer: Element<'_>) -> String {
    peer.value("descr").or_else(|| peer.value("endpoint")).unwrap_or("peer").to_owned()
}

fn peer_secret(l: &mut Lowering<'_>, peer: Element<'_>, live: &Live) {
    if let Some(e) = peer.filled("presharedkey") {
        let owner = Owner::thing(peer_name(peer), live.value());
        secret::push(l, e, Purpose::shared(SecretUse::WgPsk), owner);
    }
    peer.child("publickey");
}

/// Networks from which a peer may send.
fn allowed(peer: Element<'_>) -> AddrExpr {
    let Some(list) = peer.child("allowedips") else { return AddrExpr::Any };
    let row = |r: Element<'_>| address::literal(&format!("{}/{}", r.value("address")?, r.value("mask")?));
    let rows: Vec<AddrExpr> = list.all("row").filter_map(row).collect();
    let words = names(list.text()).filter_map(address::literal);
    let parts: Vec<AddrExpr> = rows.into_iter().chain(words).collect();
    if parts.is_empty() { AddrExpr::Any } else { AddrExpr::Union(parts) }
}
