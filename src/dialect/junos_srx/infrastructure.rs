//! What the box answers for the network: name resolution, time, address assignment, ping, neighbours; and pages for users.

use super::Lowering;
use super::gate::admits;
use super::interface::named;
use super::listener::{bind, plain, reach};
use super::value::terms;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{Family, SvcTerm};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::listener::{Binding, Plane, Reach};
use crate::ir::live::Live;
use crate::source::Span;
use crate::syntax::Mark;
use crate::syntax::Node;
use crate::syntax::brace::{at, below, child, rows};

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    resolver(l);
    clock(l);
    addresses(l);
    ping(l);
    neighbours(l);
    portals(l);
}

fn ports(l: &Lowering<'_>, key: &str, at: Span) -> Fact<Vec<SvcTerm>> {
    l.grammar.default_as(key, l.version.as_ref(), Some(at), terms)
}

fn interfaces(l: &Lowering<'_>, nodes: &[Node<'_>]) -> Vec<InterfaceIx> {
    nodes.iter().filter_map(|n| named(l, n.word_or_empty(0))).collect()
}

/// `dns-proxy` answers where it is told to.
fn resolver(l: &mut Lowering<'_>) {
    let Some(proxy) = at(l.root, &["system", "services", "dns", "dns-proxy"]) else { return };
    let rows = rows(proxy, &["interface"]);
    let only = interfaces(l, &rows);
    let span = rows.first().map_or(proxy.span(), |n| n.span());
    let mut listener = plain(l, Plane::Infrastructure, "dns", ports(l, "port.dns", span), proxy.span());
    // Without a list it answers nowhere that the export shows.
    listener.bindings = if rows.is_empty() { Vec::new() } else { bind(l, &["dns"], &only, &[span]) };
    l.device.listeners.items.push(listener);
}

fn clock(l: &mut Lowering<'_>) {
    let Some(ntp) = at(l.root, &["system", "ntp"]) else { return };
    let Some(server) = ["server", "peer"].iter().find_map(|w| child(ntp, w)) else { return };
    let mut listener = plain(l, Plane::Infrastructure, "ntp", ports(l, "port.ntp", server.span()), server.span());
    listener.live = Live::own(l.grammar.default_as("system ntp answers", l.version.as_ref(), Some(server.span()), super::switch));
    listener.bindings = bind(l, &["ntp"], &[], &[server.span()]);
    l.device.listeners.items.push(listener);
}

fn addresses(l: &mut Lowering<'_>) {
    let mut named: Vec<Node<'_>> = Vec::new();
    let mut span = None;
    if let Some(server) = at(l.root, &["system", "services", "dhcp-local-server"]) {
        for group in rows(server, &["group"]) {
            named.extend(rows(group, &["interface"]));
        }
        span = Some(server.span());
    }
    let mut only = interfaces(l, &named);
    if let Some(old) = at(l.root, &["system", "services", "dhcp"]) {
        // The older server answers on the interfaces whose network a pool is of.
        let pools: Vec<_> = rows(old, &["pool"]).iter().filter_map(|p| super::value::net(p.word_or_empty(0))).collect();
        for (n, interface) in l.device.interfaces.iter().enumerate() {
            if interface.addresses.iter().filter_map(|a| a.net.get()).any(|a| pools.iter().any(|p| p.contains(a.addr))) {
                only.push(InterfaceIx(n as u32));
            }
        }
        span = span.or(Some(old.span()));
    }
    let Some(span) = span.filter(|_| !only.is_empty()) else { return };
    let mut listener = plain(l, Plane::Infrastructure, "dhcp", ports(l, "port.dhcp", span), span);
    listener.bindings = bind(l, &["dhcp", "bootp"], &only, &[span]);
    l.device.listeners.items.push(listener);
}

fn ping(l: &mut Lowering<'_>) {
    let answers = l.grammar.default_as("icmp echo", l.version.as_ref(), Some(l.head), super::switch);
    let mut listener = plain(l, Plane::Infrastructure, "ping", ports(l, "port.ping", l.head), l.head);
    listener.live = Live::own(answers);
    listener.span = None;
    for n in 0..l.device.interfaces.len() as u32 {
        let bound = admits(l, InterfaceIx(n), &["ping"]);
        if let Some(reach) = reach(l, InterfaceIx(n)).filter(|_| !bound.value.is_false()) {
            listener.bindings.push(Binding { on: Some(InterfaceIx(n)), family: Family::Both, bound, reach });
        }
    }
    l.device.listeners.items.push(listener);
}

/// LLDP tells neighbours what the box is; no gate is asked.
fn neighbours(l: &mut Lowering<'_>) {
    let Some(lldp) = at(l.own, &["protocols", "lldp"]).filter(|n| child(*n, "disable").is_none()) else { return };
    let mut bindings = Vec::new();
    for row in rows(lldp, &["interface"]).into_iter().filter(|r| child(*r, "disable").is_none()) {
        let name = row.word_or_empty(0);
        for (n, interface) in l.device.interfaces.iter().enumerate() {
            let port = interface.name.split('.').next().unwrap_or("");
            let on_wire = matches!(interface.kind, InterfaceKind::Physical | InterfaceKind::Aggregate | InterfaceKind::Vlan);
            if name == port || name == interface.name || name == "all" && on_wire {
                let bound = Fact::written(true, row.span());
                bindings.push(Binding { on: Some(InterfaceIx(n as u32)), family: Family::Both, bound, reach: Reach::Direct });
            }
        }
    }
    if bindings.is_empty() {
        return;
    }
    let mut listener = plain(l, Plane::Layer2, "discovery", Fact::written(Vec::new(), lldp.span()), lldp.span());
    listener.bindings = bindings;
    l.device.listeners.items.push(listener);
}

/// Pages on which users of the network log in before a policy lets them through.
fn portals(l: &mut Lowering<'_>) {
    let mut bindings = Vec::new();
    let mut span: Option<Span> = None;
    for n in 0..l.names.units.len() {
        let ix = InterfaceIx(n as u32);
        for address in rows(l.names.units[n], &["family", "inet", "address"]) {
            let Some(page) = child(address, "web-authentication") else { continue };
            page.mark_below(Mark::Read);
            let secure =
                below(page).find(|p| matches!(p.word(0), Some("http" | "https" | "redirect-to-https"))).map_or(page.span(), |p| p.span());
            let bound = Fact::known(true, Origin::Written(secure));
            bindings.push(Binding { on: Some(ix), family: Family::V4, bound, reach: Reach::Direct });
            span = span.or(Some(page.span()));
        }
    }
    let Some(span) = span else { return };
    let mut listener = plain(l, Plane::Portal, "captive_portal", ports(l, "port.web-authentication", span), span);
    listener.bindings = bindings;
    l.device.listeners.items.push(listener);
}
