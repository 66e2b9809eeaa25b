//! WireGuard: instances with the peers they name. A peer with an address is another site, one without is a device that dials in.

use super::Lowering;
use crate::dialect::config_xml::context::{field, model_enabled, names};
use crate::dialect::config_xml::secret::{self, Owner, Purpose};
use crate::dialect::config_xml::wireguard::{Instance, Station, remote_access, site};
use crate::dialect::config_xml::{address, management};
use crate::ir::account::SecretUse;
use crate::ir::fact::Fact;
use crate::ir::filter::{AddrExpr, Family, UDP};
use crate::ir::listener::{ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
use crate::syntax::xml::Element;
use std::collections::HashMap;

/// The instances.
pub(super) fn instances<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    l.cx.models("wireguard/server/servers/server")
}

/// The device of an instance.
pub(super) fn device(row: Element<'_>) -> String {
    format!("wg{}", row.value("instance").unwrap_or(""))
}

/// Lowers it.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let switch = l.cx.model("wireguard/general").map(model_enabled);
    let all = l.cx.models("wireguard/client/clients/client");
    let by_id: HashMap<&str, Element<'_>> = all.into_iter().filter_map(|p| Some((p.attribute("uuid")?, p))).collect();
    for row in instances(l) {
        let mut live = Live::own(model_enabled(row));
        if let Some(switch) = &switch {
            live = live.with(LinkKind::FeatureOn, switch.clone());
        }
        let span = row.span();
        let name = row.value("name").unwrap_or("").to_owned();
        if let Some(e) = row.filled("privkey") {
            secret::push(l, e, Purpose::presents(SecretUse::PrivateKey), Owner::thing(name.clone(), live.value()));
        }
        let port = field(&l.cx, row, "port", "wireguard.port", |v| v.parse().ok());
        let bindings = l.bindings(None, Family::Both, span);
        let mut listener = management::listener(Plane::Vpn, "wireguard", management::port(UDP, port), live.own.clone(), bindings);
        listener.live = live.clone();
        listener.span = Some(span);
        let peers: Vec<Element<'_>> = names(row.value("peers").unwrap_or("")).filter_map(|id| by_id.get(id).copied()).collect();
        let fixed = peers.iter().all(|p| p.value("serveraddress").is_some_and(|a| address::literal(a).is_some()));
        listener.peers_fixed = Some(Fact::written(fixed && !peers.is_empty(), span));
        l.device.listeners.items.push(listener);
        let listener = ListenerIx(l.device.listeners.items.len() as u32 - 1);
        let instance = Instance { name, span, interface: l.names.devices.get(&device(row)).copied(), live };
        let mut devices = Vec::new();
        for peer in peers {
            if let Some(e) = peer.filled("psk") {
                secret::push(l, e, Purpose::shared(SecretUse::WgPsk), Owner::thing(peer_name(peer), instance.live.value()));
            }
            if peer.filled("serveraddress").is_some() {
                let live = instance.live.clone().with(LinkKind::KeyPresent, model_enabled(peer));
                let tunnel = site(l, &instance, station(peer), live);
                l.device.tunnels.items.push(tunnel);
            } else {
                devices.push(station(peer));
            }
        }
        if !devices.is_empty() {
            let access = remote_access(l, &instance, devices, listener, span);
            l.device.remote_access.items.push(access);
        }
    }
}

fn station(peer: Element<'_>) -> Station<'_> {
    Station {
        name: peer_name(peer),
        span: peer.span(),
        endpoint: peer.filled("serveraddress"),
        keepalive: peer.filled("keepalive"),
        networks: allowed(peer),
        live: model_enabled(peer),
    }
}

fn peer_name(peer: Element<'_>) -> String {
    peer.value("name").or_else(|| peer.value("serveraddress")).unwrap_or("peer").to_owned()
}

/// Networks from which a peer may send.
fn allowed(peer: Element<'_>) -> AddrExpr {
    let Some(list) = peer.filled("tunneladdress") else { return AddrExpr::Any };
    AddrExpr::Union(names(list.text()).filter_map(address::literal).collect())
}
