//! WireGuard: peers with an endpoint are tunnels this router starts, peers without one dial in.
//!
//! A peer without endpoint that may use a single address is a user's device; one with a network behind it is another site.

use super::menus::Item;
use super::{Export, address, interface, secret};
use crate::ir::Device;
use crate::ir::account::{Direction, SecretUse, Storage};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::listener::ListenerIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, Keeper, KeeperForce, Peer, RemoteAccess, Starts, Tunnel, TunnelAuth, TunnelRole};

/// The WireGuard interfaces and whether they are on.
pub fn interfaces<'a>(export: &Export<'a>) -> Vec<(Item<'a>, Fact<bool>)> {
    export.menus.rows("/interface wireguard").map(|i| (*i, export.enabled(i, "interface wireguard"))).collect()
}

/// Fills tunnels, users' devices, and keys.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    for (item, on) in interfaces(export) {
        let Some(name) = item.text("name") else { continue };
        for key in ["comment", "mtu", "public-key"] {
            let _ = item.get(key);
        }
        if item.text("private-key").is_some() {
            let found = secret::of(export, &item, "private-key");
            secret::add(device, found, SecretUse::PrivateKey, name.text, Direction::Presents, on.clone());
        }
        let mut paths = Vec::new();
        let mut pool = Vec::new();
        let peers = export.menus.rows("/interface wireguard peers").filter(|p| p.text("interface").is_some_and(|v| v.text == name.text));
        for peer in peers {
            for key in [
                "comment",
                "public-key",
                "client-address",
                "client-dns",
                "client-endpoint",
                "client-keepalive",
                "is-responder",
                "responder",
            ] {
                let _ = peer.get(key);
            }
            let live = Live::own(export.enabled(peer, "interface wireguard peers")).with(LinkKind::ParentUp, on.clone());
            let label = peer.text("name").or(peer.text("comment")).map_or(name.text, |v| v.text).to_owned();
            let psk = peer.text("preshared-key").map(|_| {
                let found = secret::of(export, peer, "preshared-key");
                secret::add(device, found, SecretUse::WgPsk, &label, Direction::Verifies, live.value())
            });
            if peer.text("private-key").is_some() {
                let found = secret::of(export, peer, "private-key");
                if matches!(found.storage, Storage::Clear) {
                    secret::add(device, found, SecretUse::PrivateKey, &label, Direction::Presents, live.value());
                }
            }
            let allowed = peer.text("allowed-address");
            let nets: Vec<_> = allowed.iter().flat_map(|v| v.parts()).filter_map(address::net).collect();
            let single = !nets.is_empty() && nets.iter().all(|n| n.prefix == if n.addr.is_ipv4() { 32 } else { 128 });
            let endpoint = peer.text("endpoint-address");
            let span = peer.span();
            let remote = allowed.map_or_else(
                || Fact::unknown(Why::at(WhyCode::NotExported, "allowed-address", vec![span])),
                |v| Fact::written(AddrExpr::union(v.parts().filter_map(address::set).collect()), v.span),
            );
            if endpoint.is_none() && single {
                pool.extend(remote.get().cloned());
                paths.push(AuthPath {
                    principal: label,
                    span,
                    account: None,
                    factors: vec![Factor { kind: FactorKind::DeviceKey, required: Fact::written(true, span) }],
                    fallback: false,
                    live: live.value(),
                });
                continue;
            }
            let keepalive = peer.text("persistent-keepalive").filter(|v| super::seconds(v.text).is_some_and(|s| s != NEVER));
            let addresses = match endpoint {
                Some(value) => {
                    let named = || AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: value.text.to_owned(), span: value.span });
                    Fact::written(address::set(value.text).unwrap_or_else(named), value.span)
                }
                None => Fact::written(AddrExpr::Any, span),
            };
            device.tunnels.items.push(Tunnel {
                name: label,
                span,
                kind: "wireguard",
                layer2: false,
                encrypted: Fact::written(true, span),
                role: Fact::written(TunnelRole::SiteToSite, span),
                live,
                interface: export.interfaces.named(name.text),
                outer: interface::outer(export),
                peer: Peer { addresses, text: endpoint.map_or_else(String::new, |v| v.text.to_owned()) },
                starts: Fact::written(
                    if endpoint.is_some() { Starts::OnTraffic } else { Starts::Never },
                    endpoint.map_or(span, |v| v.span),
                ),
                keepers: keepalive
                    .map(|v| Keeper {
                        code: "keeper.persistent_keepalive",
                        force: KeeperForce::Sustains,
                        live: Fact::written(true, v.span),
                    })
                    .into_iter()
                    .collect(),
                enders: List::complete(Vec::new(), Origin::Written(span)),
                auth: Fact::written(vec![TunnelAuth::ClientCert], span),
                aggressive_psk: Fact::written(false, span),
                remote_nets: remote,
                crypto: None,
                psk,
            });
        }
        if paths.is_empty() {
            continue;
        }
        let at = item.span();
        let listener = (0..)
            .map(ListenerIx)
            .zip(&device.listeners.items)
            .filter(|(_, l)| l.service == "wireguard" && l.span == Some(at))
            .map(|(ix, _)| ix);
        let listeners = listener.collect();
        device.remote_access.items.push(RemoteAccess {
            name: name.text.to_owned(),
            kind: "wireguard",
            span: at,
            live: Live::own(on),
            listeners,
            interface: export.interfaces.named(name.text),
            outer: interface::outer(export),
            paths: super::remote::ways(export, paths),
            // A peer that sends nothing has no session: its keys expire by themselves after minutes.
            idle_s: export.default_at("wireguard.session", at, super::seconds),
            session_s: export.default_at("wireguard.session", at, super::seconds),
            concurrent: Fact::written(1, at),
            aggressive_psk: Fact::written(false, at),
            pool: Fact::written(AddrExpr::union(pool), at),
            crypto: None,
            note: None,
        });
    }
}
