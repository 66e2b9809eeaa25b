//! Tunnels between sites: IPsec with a fixed peer or as a hub for sites that dial in, and tunnels without encryption.
//!
//! A phase 1 on which users log in is remote access and lowered in [`super::access`].

use super::Lowering;
use super::address::range;
use super::context::all_of;
use super::crypto::crypto;
use super::keeper::{self, Monitors};

use super::phase1::Phase1;
use super::secret;
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Peer, Starts, Tunnel, TunnelAuth, TunnelRole};

/// Lowers every tunnel that is not users' remote access.
pub(super) fn lower<'a>(l: &mut Lowering<'a>, phases: &[Phase1<'a>]) {
    let monitors = keeper::monitors(l);
    let mut items = Vec::new();
    for p in phases.iter().filter(|p| !p.users) {
        items.push(ipsec(l, p, &monitors));
    }
    plain(l, &mut items);
    l.device.tunnels = List { items, rest: l.cx.rest("tunnels") };
}

fn ipsec<'a>(l: &mut Lowering<'a>, p: &Phase1<'a>, monitors: &Monitors) -> Tunnel {
    let role = match p.row.get("type") {
        Some(line) if p.dynamic => Fact::written(TunnelRole::HubForDialin, line.span()),
        Some(line) => Fact::written(role_of_static(p), line.span()),
        None => l.cx.default("vpn ipsec phase1.type", Some(p.row.span()), |v| (v == "static").then(|| role_of_static(p))),
    };
    let live = p.live(l);
    let in_use = live.value();
    let psk = secret::pre_shared_key(l, &p.row, &in_use);
    Tunnel {
        name: p.row.key().to_owned(),
        span: p.row.span(),
        kind: "ipsec",
        layer2: false,
        encrypted: Fact::written(true, p.row.span()),
        role,
        live,
        interface: p.interface,
        outer: p.outer.into_iter().collect(),
        peer: p.peer(l),
        starts: keeper::starts(l, p),
        keepers: keeper::keepers(l, p, monitors),
        enders: keeper::enders(l, p),
        auth: p.auth(l),
        aggressive_psk: p.aggressive_psk(l),
        remote_nets: p.remote_nets(l),
        crypto: Some(crypto(&l.cx, &p.row, &p.phase2)),
        psk,
    }
}

/// A box that logs in at the other end as a user is that end's client.
fn role_of_static(p: &Phase1<'_>) -> TunnelRole {
    if p.row.value("xauthtype") == Some("client") { TunnelRole::ClientOut } else { TunnelRole::SiteToSite }
}

/// GRE and IP in IP: nothing is encrypted, nothing proves who the peer is, and they are there as long as the interface is.
fn plain<'a>(l: &mut Lowering<'a>, items: &mut Vec<Tunnel>) {
    for (path, kind, gateways) in [
        ("system gre-tunnel", "gre", ["remote-gw", "remote-gw6"]),
        ("system ipip-tunnel", "ipip", ["remote-gw", "remote-gw6"]),
        ("system ipv6-tunnel", "ipip", ["destination", "remote-gw"]),
        ("system sit-tunnel", "ipip", ["destination", "remote-gw"]),
    ] {
        for row in l.cx.own.find(path).rows() {
            let span = row.span();
            let interface = l.names.interfaces.get(row.key()).copied();
            let outer = row.name("interface").and_then(|(n, _)| l.names.interfaces.get(n).copied());
            let carrier = l.names.carriers.contains(row.key());
            let up = |ix: Option<crate::ir::interface::InterfaceIx>| ix.map(|i| l.device.interfaces[i.0 as usize].up.clone());
            let parents = all_of([up(interface), up(outer)].into_iter().flatten(), Origin::Written(span));
            let gateway = gateways.iter().find_map(|g| row.name(g).filter(|(a, _)| !matches!(*a, "0.0.0.0" | "::")));
            let (addresses, text) = match gateway.and_then(|(a, at)| Some((range(a)?, a, at))) {
                Some((expr, text, at)) => (Fact::written(expr, at), text.to_owned()),
                None => (Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![span])), String::new()),
            };
            let role = if carrier { TunnelRole::Carrier } else { TunnelRole::SiteToSite };
            items.push(Tunnel {
                name: row.key().to_owned(),
                span,
                kind,
                layer2: false,
                encrypted: Fact::written(false, span),
                role: Fact::known(role, Origin::inferred("infer.plain_tunnel", [Origin::Written(span)])),
                live: Live::own(Fact::written(true, span)).with(LinkKind::ParentUp, parents),
                interface,
                outer: outer.into_iter().collect(),
                peer: Peer { addresses, text },
                starts: Fact::known(Starts::AtBoot, Origin::inferred("infer.plain_tunnel", [Origin::Written(span)])),
                keepers: Vec::new(),
                enders: List { items: Vec::new(), rest: l.cx.rest("tunnels") },
                auth: Fact::written(vec![TunnelAuth::None], span),
                aggressive_psk: Fact::written(false, span),
                remote_nets: Fact::written(AddrExpr::union(vec![AddrExpr::Any]), span),
                crypto: None,
                psk: None,
            });
        }
    }
}
