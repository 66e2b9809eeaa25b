//! Tunnels between sites: IPsec by route or by policy, and tunnels without encryption; and the listeners they need.
//!
//! A VPN on which users log in is remote access and lowered in [`super::access`].

use super::Lowering;
use super::ike::{Ike, Setup};
use super::interface::named;
use super::listener::plain;
use super::value::{addresses, terms, union};
use crate::ir::fact::{Fact, List, Origin, Rest, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::listener::{Binding, Limit, LimitStage, ListenerIx, Plane, Reach};
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Ender, EnderKind, Keeper, KeeperForce, Peer, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::syntax::brace::{at, below, child, inactive, rows, value};
use crate::syntax::{Mark, Node};

/// Lowers tunnels; gives nothing: remote access asks for its VPNs itself.
pub(super) fn lower<'a>(l: &mut Lowering<'a>) {
    let mut ike = Ike::new(l);
    let mut items = Vec::new();
    let users = super::access::vpns_of_users(l);
    let mut endpoints: Vec<(Setup<'a>, Fact<bool>)> = Vec::new();
    for vpn in rows(l.own, &["security", "ipsec", "vpn"]) {
        let setup = ike.setup(l, vpn);
        let live = live(l, &setup);
        endpoints.push((ike.setup(l, vpn), live.value()));
        if users.contains(&vpn.word_or_empty(0)) || setup.users().is_some() {
            super::access::add(l, &mut ike, setup, live);
            continue;
        }
        items.push(ipsec(l, &mut ike, setup, live));
    }
    for (vpn, mark) in inactive(at(l.own, &["security", "ipsec"]).unwrap_or(l.own), "vpn") {
        let setup = ike.setup(l, vpn);
        let off = Live::own(Fact::written(false, mark.span()));
        items.push(ipsec(l, &mut ike, setup, off));
    }
    ike.unused(l);
    unencrypted(l, &mut items);
    listeners(l, &endpoints);
    super::access::tie(l);
    l.device.tunnels = l.list("tunnels", items);
}

/// Its interface and the way out must be up; by policy, a policy must name it.
fn live<'a>(l: &Lowering<'a>, s: &Setup<'a>) -> Live {
    let span = s.vpn.span();
    let mut live = Live::own(Fact::written(true, span));
    match value(s.vpn, &["bind-interface"]) {
        Some(bound) => match named(l, bound.word_or_empty(0)) {
            Some(ix) => live = live.with(LinkKind::ParentUp, l.device.interfaces[ix.0 as usize].up.clone()),
            None => {
                live =
                    live.with(LinkKind::Bound, l.nowhere("interfaces", "infer.no_tunnel_interface", bound.word_or_empty(0), bound.span()))
            }
        },
        None if child(s.vpn, "manual").is_none() => {
            let name = s.vpn.word_or_empty(0);
            let named = match l.names.tunnels_in_policies.get(name) {
                Some(at) => Fact::written(true, *at),
                None => l.nowhere("forward_filter", "infer.no_policy_uses_vpn", name, span),
            };
            live = live.with(LinkKind::Referenced, named);
        }
        None => {}
    }
    if let Some(outer) = s.outer {
        live = live.with(LinkKind::ParentUp, l.device.interfaces[outer.0 as usize].up.clone());
    }
    if s.gateway.is_none() && child(s.vpn, "manual").is_none() {
        let why = Why::at(WhyCode::Unresolved, "gateway", vec![span]);
        live = live.with(LinkKind::Referenced, Fact::unknown(why));
    }
    live
}

fn ipsec<'a>(l: &mut Lowering<'a>, ike: &mut Ike<'a>, s: Setup<'a>, live: Live) -> Tunnel {
    let span = s.vpn.span();
    let value_of_live = live.value();
    let psk = ike.secret(l, s.policy, &value_of_live);
    let role = match (s.client(), s.dynamic()) {
        (Some(client), _) => Fact::written(TunnelRole::ClientOut, client.span()),
        (_, Some(dynamic)) => Fact::written(TunnelRole::HubForDialin, dynamic.span()),
        _ => Fact::written(TunnelRole::SiteToSite, span),
    };
    let interface = value(s.vpn, &["bind-interface"]).and_then(|n| named(l, n.word_or_empty(0)));
    for quiet in ["df-bit", "copy-outer-dscp", "match-direction", "passive-mode-tunneling", "multi-sa", "tunnel-mtu"] {
        if let Some(node) = child(s.vpn, quiet) {
            node.mark_below(Mark::Read);
        }
    }
    Tunnel {
        name: s.vpn.word_or_empty(0).to_owned(),
        span,
        kind: "ipsec",
        layer2: false,
        encrypted: Fact::written(true, span),
        role,
        live,
        interface,
        outer: s.outer.into_iter().collect(),
        peer: s.peer(),
        starts: starts(l, &s),
        keepers: keepers(l, &s, interface),
        enders: enders(l, &s, interface),
        auth: s.auth(),
        aggressive_psk: s.aggressive(l),
        remote_nets: remote_nets(l, s.vpn),
        crypto: Some(ike.crypto(l, &s)),
        psk,
    }
}

/// Who brings it up. A box whose peer has no fixed address can only answer.
fn starts<'a>(l: &Lowering<'a>, s: &Setup<'a>) -> Fact<Starts> {
    if let Some(manual) = child(s.vpn, "manual") {
        manual.mark_below(Mark::Read);
        return Fact::written(Starts::AtBoot, manual.span());
    }
    if let Some(dynamic) = s.dynamic() {
        return Fact::written(Starts::Never, dynamic.span());
    }
    let read = |v: &str| match v {
        "immediately" => Some(Starts::AtBoot),
        "on-traffic" => Some(Starts::OnTraffic),
        "responder-only" | "responder-only-no-rekey" => Some(Starts::Never),
        _ => None,
    };
    match value(s.vpn, &["establish-tunnels"]) {
        Some(node) => match read(node.word_or_empty(0)) {
            Some(starts) => Fact::written(starts, node.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, "establish-tunnels", vec![node.span()])),
        },
        None => l.absent("security ipsec vpn establish-tunnels", "tunnels", Some(s.vpn.span()), read),
    }
}

fn keepers<'a>(l: &Lowering<'a>, s: &Setup<'a>, interface: Option<InterfaceIx>) -> Vec<Keeper> {
    let mut out = Vec::new();
    if let Some(monitor) = child(s.vpn, "vpn-monitor") {
        monitor.mark_below(Mark::Read);
        out.push(Keeper { code: "keeper.vpn_monitor", force: KeeperForce::Sustains, live: Fact::written(true, monitor.span()) });
    }
    if let Some(dpd) = s.gateway.and_then(|g| child(g, "dead-peer-detection")) {
        dpd.mark_below(Mark::Read);
        out.push(Keeper { code: "keeper.dpd", force: KeeperForce::Probes, live: Fact::written(true, dpd.span()) });
    }
    let Some(name) = interface.map(|ix| l.device.interfaces[ix.0 as usize].name.clone()) else { return out };
    for (path, code) in ROUTING {
        let mut stack = at(l.own, path).into_iter().collect::<Vec<_>>();
        while let Some(node) = stack.pop() {
            for inner in below(node) {
                if inner.word(0) == Some("interface")
                    && let Some(row) = below(inner).find(|n| n.word(0) == Some(name.as_str()))
                    && child(row, "disable").is_none()
                    && child(row, "passive").is_none()
                {
                    let live = Fact::written(true, row.span());
                    out.push(Keeper { code, force: KeeperForce::Sustains, live });
                } else if matches!(node.word(0), Some("ospf" | "ospf3" | "rip" | "bfd" | "area" | "group") | None)
                    || inner.word(0) == Some("area")
                {
                    stack.push(inner);
                }
            }
        }
    }
    let nets: Vec<_> = interface
        .map(|ix| l.device.interfaces[ix.0 as usize].addresses.iter().filter_map(|a| a.net.get().copied()).collect())
        .unwrap_or_default();
    for group in rows(l.own, &["protocols", "bgp", "group"]) {
        let inside = |n: &Node<'a>| n.word_or_empty(0).parse().is_ok_and(|a| nets.iter().any(|net| net.contains(a)));
        if let Some(neighbour) = rows(group, &["neighbor"]).into_iter().find(inside) {
            let live = Fact::written(true, neighbour.span());
            out.push(Keeper { code: "keeper.routing_neighbour", force: KeeperForce::Sustains, live });
        }
    }
    for probe in rows(l.own, &["services", "rpm", "probe"]) {
        for test in rows(probe, &["test"]) {
            let through = value(test, &["destination-interface"]).filter(|n| n.word(0) == Some(name.as_str()));
            if let Some(node) = through {
                out.push(Keeper { code: "keeper.rpm", force: KeeperForce::Sustains, live: Fact::written(true, node.span()) });
            }
        }
    }
    out
}

/// Routing protocols whose neighbours keep sending.
const ROUTING: &[(&[&str], &str)] = &[
    (&["protocols", "ospf"], "keeper.routing_neighbour"),
    (&["protocols", "ospf3"], "keeper.routing_neighbour"),
    (&["protocols", "rip"], "keeper.routing_neighbour"),
];

fn enders<'a>(l: &Lowering<'a>, s: &Setup<'a>, interface: Option<InterfaceIx>) -> List<Ender> {
    let mut items = Vec::new();
    if let Some(idle) = value(s.vpn, &["ike", "idle-time"]) {
        items.push(Ender { kind: EnderKind::Idle, live: Fact::written(true, idle.span()) });
    }
    let zone = interface.and_then(|ix| l.device.interfaces[ix.0 as usize].zone);
    if let Some((true, at)) = zone.and_then(|z| l.names.scheduled_zones.get(&z)).copied() {
        items.push(Ender { kind: EnderKind::PolicySchedule, live: Fact::written(true, at) });
    }
    let none = l.absent("security ipsec vpn ike idle-time", "tunnels", Some(s.vpn.span()), |v| (v == "never").then_some(()));
    let rest = match (l.rest("tunnels"), none.get()) {
        (Rest::Complete(_), Some(())) => Rest::Complete(none.origin),
        (rest, _) => rest,
    };
    List { items, rest }
}

/// Networks of the far side, by the selectors of the tunnel; without them a route-based tunnel takes anything.
fn remote_nets(l: &Lowering<'_>, vpn: Node<'_>) -> Fact<AddrExpr> {
    let mut nodes = Vec::new();
    for selector in rows(vpn, &["traffic-selector"]) {
        nodes.extend(rows(selector, &["remote-ip"]));
        rows(selector, &["local-ip"]);
        for term in rows(selector, &["term"]) {
            nodes.extend(rows(term, &["remote-ip"]));
        }
    }
    if let Some(identity) = at(vpn, &["ike", "proxy-identity"]) {
        nodes.extend(value(identity, &["remote"]));
        identity.mark_below(Mark::Read);
    }
    let parts: Option<Vec<AddrExpr>> = nodes.iter().map(|n| addresses(n.word_or_empty(0))).collect();
    match parts {
        Some(parts) if parts.is_empty() => {
            l.absent("security ipsec vpn selectors", "tunnels", Some(vpn.span()), |v| (v == "any").then_some(AddrExpr::Any))
        }
        Some(parts) => Fact::known(union(parts), Origin::all(nodes.iter().map(|n| Origin::Written(n.span())))),
        None => Fact::unknown(Why::at(WhyCode::Masked, "traffic-selector", nodes.iter().map(|n| n.span()).collect())),
    }
}

/// GRE and IP-in-IP: nothing is encrypted, and they are there as long as the interface is.
fn unencrypted(l: &mut Lowering<'_>, items: &mut Vec<Tunnel>) {
    for n in 0..l.device.interfaces.len() {
        let interface = &l.device.interfaces[n];
        let kind = match interface.name.get(..3) {
            Some("gr-") => "gre",
            Some("ip-") => "ipip",
            _ => continue,
        };
        let Some(tunnel) = child(l.names.units[n], "tunnel") else { continue };
        let Some(peer) = value(tunnel, &["destination"]) else { continue };
        value(tunnel, &["source"]);
        let span = interface.span;
        let at = Origin::inferred("infer.plain_tunnel", [Origin::Written(tunnel.span())]);
        let text = peer.word_or_empty(0);
        let expr = addresses(text).map_or_else(
            || Fact::unknown(Why::at(WhyCode::Masked, "tunnel destination", vec![peer.span()])),
            |e| Fact::written(e, peer.span()),
        );
        let source = value(tunnel, &["source"]).and_then(|s| s.word_or_empty(0).parse::<std::net::IpAddr>().ok());
        let outer = source.and_then(|a| {
            let holds = |i: &crate::ir::interface::Interface| i.addresses.iter().filter_map(|x| x.net.get()).any(|net| net.addr == a);
            l.device.interfaces.iter().position(holds).map(|ix| InterfaceIx(ix as u32))
        });
        items.push(Tunnel {
            name: interface.name.clone(),
            span,
            kind,
            layer2: false,
            encrypted: Fact::written(false, tunnel.span()),
            role: Fact::known(TunnelRole::SiteToSite, at.clone()),
            live: Live::own(interface.up.clone()),
            interface: Some(InterfaceIx(n as u32)),
            outer: outer.into_iter().collect(),
            peer: Peer { addresses: expr, text: text.to_owned() },
            starts: Fact::known(Starts::AtBoot, at.clone()),
            keepers: Vec::new(),
            enders: List { items: Vec::new(), rest: l.completeness.rest("tunnels", at) },
            auth: Fact::written(vec![TunnelAuth::None], tunnel.span()),
            aggressive_psk: Fact::written(false, tunnel.span()),
            remote_nets: Fact::written(AddrExpr::Any, tunnel.span()),
            crypto: None,
            psk: None,
        });
    }
}

/// Key exchange and ESP answer on the outer interface of every gateway that a VPN uses.
fn listeners<'a>(l: &mut Lowering<'a>, endpoints: &[(Setup<'a>, Fact<bool>)]) {
    let Some((first, _)) = endpoints.first() else { return };
    let span = first.gateway.map_or(first.vpn.span(), |g| g.span());
    let live = endpoints.iter().map(|(_, live)| live.clone()).reduce(|a, b| a.or(&b));
    let mut bound: Vec<(InterfaceIx, crate::source::Span)> = Vec::new();
    for (setup, _) in endpoints {
        let at = setup.gateway.and_then(|g| value(g, &["external-interface"])).map_or(setup.vpn.span(), |n| n.span());
        if let Some(ix) = setup.outer.filter(|ix| !bound.iter().any(|(b, _)| b == ix)) {
            bound.push((ix, at));
        }
    }
    let peers: Vec<Peer> = endpoints.iter().map(|(s, _)| s.peer()).collect();
    let open = |p: &Peer| matches!(p.addresses.get(), Some(AddrExpr::Any));
    let fixed = peers.iter().map(|p| p.addresses.map(|a| !matches!(a, AddrExpr::Any))).reduce(|a, b| a.and(&b));
    for (service, key) in [("ike", "port.ike"), ("esp", "port.esp")] {
        let ports = l.grammar.default_as(key, l.version.as_ref(), Some(span), terms);
        let mut listener = plain(l, Plane::Vpn, service, ports, span);
        if let Some(live) = &live {
            listener.live = Live::own(Fact::written(true, span)).with(LinkKind::Referenced, live.clone());
        }
        for (ix, at) in &bound {
            let gate = super::gate::admits(l, *ix, &["ike"]);
            if !gate.value.is_false() {
                let on = gate.and(&Fact::written(true, *at));
                listener.bindings.push(Binding { on: Some(*ix), family: Family::Both, bound: on, reach: Reach::Direct });
            }
        }
        if !peers.iter().any(open) && peers.iter().all(|p| p.addresses.get().is_some()) {
            let parts = peers.iter().filter_map(|p| p.addresses.get().cloned()).collect();
            let origin = Origin::all(peers.iter().map(|p| p.addresses.origin.clone()));
            // A stranger is answered until the exchange fails: the peers' addresses refuse the login, not the connection.
            listener.limits = Limit::Sources { stage: LimitStage::Login, admits: Fact::known(union(parts), origin) };
        }
        listener.peers_fixed = fixed.clone();
        l.device.listeners.items.push(listener);
    }
    over_tcp(l, endpoints);
}

/// Key exchange and ESP inside TLS, for clients whose networks let nothing else through.
fn over_tcp<'a>(l: &mut Lowering<'a>, endpoints: &[(Setup<'a>, Fact<bool>)]) {
    let mut listener = None;
    for (setup, live) in endpoints {
        let Some(profile) = setup.gateway.and_then(|g| child(g, "tcp-encap-profile")) else { continue };
        let Some(ix) = setup.outer else { continue };
        let gate = super::gate::admits(l, ix, &["tcp-encap"]);
        let page = listener.get_or_insert_with(|| {
            let ports = l.grammar.default_as("port.https", l.version.as_ref(), Some(profile.span()), terms);
            let mut page = plain(l, Plane::Vpn, "ssl_vpn", ports, profile.span());
            page.live = Live::own(Fact::written(true, profile.span())).with(LinkKind::Referenced, live.clone());
            page
        });
        if !gate.value.is_false() {
            page.bindings.push(Binding { on: Some(ix), family: Family::Both, bound: gate, reach: Reach::Direct });
        }
    }
    l.device.listeners.items.extend(listener);
}

/// Listeners of key exchange, for those that need them.
pub(super) fn key_exchange(l: &Lowering<'_>) -> Vec<ListenerIx> {
    let services = ["ike", "esp", "ssl_vpn"];
    (0..).map(ListenerIx).zip(&l.device.listeners.items).filter(|(_, x)| services.contains(&x.service)).map(|(ix, _)| ix).collect()
}

/// Whether an interface is a tunnel's.
pub(super) fn is_tunnel(kind: InterfaceKind) -> bool {
    matches!(kind, InterfaceKind::Tunnel | InterfaceKind::Loopback | InterfaceKind::RemoteAccess)
}
