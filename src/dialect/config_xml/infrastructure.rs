//! What the box serves to its networks in the same way: names, answers to pings, the networks a resolver's own list admits.

use super::Lowering;
use super::management::{everywhere, listener};
use crate::ir::fact::Fact;
use crate::ir::filter::{AddrExpr, Family, ICMP, ICMPV6, SvcTerm, TCP, UDP};
use crate::ir::listener::Plane;

/// Questions about names, over both protocols.
pub(in crate::dialect) fn dns(ports: Fact<u16>) -> Fact<Vec<SvcTerm>> {
    ports.map(|p| vec![SvcTerm::ports(UDP, vec![(*p, *p)]), SvcTerm::ports(TCP, vec![(*p, *p)])])
}

/// The box's own networks that are not outside.
pub(in crate::dialect) fn inside_networks(l: &Lowering<'_>) -> Vec<AddrExpr> {
    let outside = |ix| l.device.nat.source_nat_on.iter().any(|(on, _)| *on == ix);
    let mut inside: Vec<_> = l.names.rows.iter().filter(|(ix, row)| !outside(**ix) && row.name() != "wan").map(|(ix, _)| *ix).collect();
    inside.sort();
    inside.into_iter().map(AddrExpr::InterfaceNet).collect()
}

/// The forwarder has no list: whoever the rules let through is answered. Port 0 means that it answers no questions about names.
pub(in crate::dialect) fn forwarder(l: &mut Lowering<'_>) {
    let own = l.cx.presence("dnsmasq/enable");
    let Some(section) = l.cx.section("dnsmasq").filter(|s| l.cx.on(*s, "enable")) else { return };
    let own = match section.filled("port").filter(|e| e.text() == "0") {
        Some(e) => Fact::written(false, e.span()),
        None => own,
    };
    let ports = dns(l.cx.value("dnsmasq/port", |v| v.parse().ok()));
    let bindings = l.bindings(section.filled("interface"), Family::Both, section.span());
    l.device.listeners.items.push(listener(Plane::Infrastructure, "dns", ports, own, bindings));
}

/// The system answers pings; rules decide who reaches it.
pub(in crate::dialect) fn ping(l: &mut Lowering<'_>) {
    let own = l.cx.behaviour("ping", None);
    let echo = |protocol, kind| SvcTerm { icmp: Some((kind, None)), ..SvcTerm::protocol(protocol) };
    let ports = Fact::known(vec![echo(ICMP, 8), echo(ICMPV6, 128)], own.origin.clone());
    l.device.listeners.items.push(listener(Plane::Infrastructure, "ping", ports, own.clone(), everywhere(own)));
}
