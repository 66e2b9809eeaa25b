//! Puts together what the box answers: VPN endpoints first, because the web page of an SSL-VPN can take the port of the administration.

use super::context::any_of;
use super::phase1::{self, Phase1};
use super::{Lowering, access, infrastructure, listener, ssl_vpn, tunnel};
use crate::ir::fact::{Fact, List, Origin};
use crate::ir::filter::{AddrExpr, Family, SvcTerm, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Binding, Limit, Listener, ListenerIx, Plane, Reach};
use crate::ir::live::{LinkKind, Live};
use crate::source::Span;

/// Lowers tunnels, remote access and listeners.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let phases = phase1::collect(l);
    tunnel::lower(l, &phases);
    let ssl = ssl_vpn::listener(l);
    let ike = key_exchange(l, &phases);
    let mut services = Vec::new();
    if let Some(ssl) = &ssl {
        services.push(ssl_vpn::remote_access(l, ssl));
    }
    services.extend(access::dial_in(l, &phases, &ike));
    services.extend(access::point_to_point(l, &phases, &ike));
    l.device.remote_access = List { items: services, rest: l.cx.rest("remote_access") };
    listener::management(l, ssl.as_ref());
    infrastructure::lower(l);
}

/// A listener without anything special about it.
pub(super) fn plain(l: &Lowering<'_>, plane: Plane, service: &'static str, ports: Fact<Vec<SvcTerm>>, span: Span) -> Listener {
    let written = |b| Fact::written(b, span);
    Listener {
        plane,
        service,
        ports,
        span: Some(span),
        bindings: Vec::new(),
        live: Live::own(written(true)),
        cleartext: written(false),
        redirect_only: written(false),
        limits: Limit::None(l.cx.behaviour("listener.source-limit", None).origin),
        tls: None,
        ssh: None,
        rate_limit: l.cx.behaviour("listener.rate-limit", None),
        peers_fixed: None,
    }
}

/// A place where something is bound, as long as the interface is up.
pub(super) fn binding(l: &Lowering<'_>, ix: InterfaceIx, family: Family, span: Span) -> Binding {
    let interface = &l.device.interfaces[ix.0 as usize];
    let bound = Fact::written(true, span).and(&interface.up);
    // A binding that holds rests on the line that makes it; that the interface is up is no news.
    let bound = if bound.value.is_true() { Fact::written(true, span) } else { bound };
    let reach = if interface.kind == crate::ir::interface::InterfaceKind::Loopback { Reach::Forwarded } else { Reach::Direct };
    Binding { on: Some(ix), family, bound, reach }
}

/// Ties a listener to its interfaces: without one that is up it answers nowhere.
pub(super) fn tie(l: &Lowering<'_>, listener: &mut Listener) {
    let span = listener.span;
    let ups = listener.bindings.iter().filter_map(|b| b.on).map(|ix| l.device.interfaces[ix.0 as usize].up.clone());
    let fallback = span.map_or_else(|| l.cx.complete(), Origin::Written);
    if listener.bindings.iter().any(|b| b.on.is_some()) {
        let up = any_of(ups, fallback);
        listener.live = listener.live.clone().with(LinkKind::ParentUp, up);
    }
}

/// Records a listener.
pub(super) fn push(l: &mut Lowering<'_>, listener: Listener) -> ListenerIx {
    let ix = ListenerIx(l.device.listeners.items.len() as u32);
    l.device.listeners.items.push(listener);
    ix
}

/// The listeners of the key exchange, by interface.
pub(super) type KeyExchange = Vec<(InterfaceIx, Vec<ListenerIx>)>;

/// Key exchange and encrypted packets on every interface that has a phase 1. No policy opens them and none closes them but local-in rows.
fn key_exchange<'a>(l: &mut Lowering<'a>, phases: &[Phase1<'a>]) -> KeyExchange {
    let mut by_interface: Vec<(InterfaceIx, Vec<&Phase1<'a>>)> = Vec::new();
    for p in phases {
        let Some(outer) = p.outer else { continue };
        match by_interface.iter_mut().find(|(ix, _)| *ix == outer) {
            Some((_, list)) => list.push(p),
            None => by_interface.push((outer, vec![p])),
        }
    }
    let mut out = Vec::new();
    for (outer, list) in by_interface {
        let Some(first) = list.first() else { continue };
        let span = first.row.get("interface").map_or(first.row.span(), |a| a.span());
        let used = any_of(list.iter().map(|p| p.live(l).value()), Origin::Written(span));
        let fixed = list.iter().map(|p| {
            let peer = p.peer(l);
            let one = peer.addresses.map(|e| matches!(e, AddrExpr::Range(..)));
            Fact { value: one.value, origin: peer.addresses.origin }
        });
        let fixed = fixed.reduce(|a, b| a.and(&b));
        let mut listeners = Vec::new();
        for (service, ports) in [("ike", ike_ports(l)), ("esp", l.cx.default("port.esp", None, super::address::terms))] {
            let mut listener = plain(l, Plane::Vpn, service, ports, span);
            listener.bindings.push(binding(l, outer, Family::Both, span));
            listener.live = listener.live.with(LinkKind::Referenced, used.clone());
            listener.limits = Limit::None(l.cx.behaviour("vpn ipsec.source-limit", Some(span)).origin);
            listener.peers_fixed = fixed.clone();
            tie(l, &mut listener);
            listeners.push(push(l, listener));
        }
        out.push((outer, listeners));
    }
    out
}

fn ike_ports(l: &Lowering<'_>) -> Fact<Vec<SvcTerm>> {
    let settings = l.cx.own.find("system settings");
    let moved = settings.fields.as_ref().and_then(|f| f.get("ike-port"));
    match moved.and_then(|a| Some((a.value().parse::<u16>().ok()?, a.span()))) {
        Some((port, span)) => Fact::written(vec![SvcTerm::ports(UDP, [(port, port), (4500, 4500)])], span),
        None => l.cx.default("port.ike", None, super::address::terms),
    }
}
