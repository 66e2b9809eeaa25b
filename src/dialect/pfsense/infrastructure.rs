//! What the box serves to its networks: names, time, portals, proxies, port mapping on request, answers to pings.

use super::Lowering;
use super::management::{everywhere, listener, port};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, ICMP, ICMPV6, SvcTerm, TCP, UDP};
use crate::ir::listener::{Limit, LimitStage, Plane, Tls};
use crate::syntax::xml::Element;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    resolver(l);
    forwarder(l);
    time(l);
    portals(l);
    mapping(l);
    proxy(l);
    ping(l);
}

/// A resolver answers networks of its own list only, unless somebody switched that list off.
fn resolver(l: &mut Lowering<'_>) {
    let own = l.cx.presence("unbound/enable");
    let Some(section) = l.cx.section("unbound") else { return };
    let number = l.cx.value("unbound/port", |v| v.parse().ok());
    let ports = number.map(|p| vec![SvcTerm::ports(UDP, vec![(*p, *p)]), SvcTerm::ports(TCP, vec![(*p, *p)])]);
    let bindings = l.bindings(section.filled("active_interface"), Family::Both, section.span());
    let mut dns = listener(Plane::Infrastructure, "dns", ports, own, bindings);
    dns.limits = match section.child("disable_auto_added_access_control") {
        Some(off) => Limit::None(Origin::Written(off.span())),
        None => {
            let automatic = l.cx.behaviour("unbound.access_control", Some(section.span()));
            Limit::Sources { stage: LimitStage::Connect, admits: automatic.map(|_| admitted(l, section)) }
        }
    };
    l.device.listeners.items.push(dns);
}

/// The box's own networks, and those that access lists add.
fn admitted(l: &Lowering<'_>, section: Element<'_>) -> AddrExpr {
    let outside = |ix| l.device.nat.source_nat_on.iter().any(|(on, _)| *on == ix);
    let mut inside: Vec<_> = l.names.rows.iter().filter(|(ix, row)| !outside(**ix) && row.name() != "wan").map(|(ix, _)| *ix).collect();
    inside.sort();
    let mut parts: Vec<AddrExpr> = inside.into_iter().map(AddrExpr::InterfaceNet).collect();
    for list in section.all("acls").filter(|a| a.value("aclaction").is_some_and(|v| v.starts_with("allow"))) {
        for row in list.all("row") {
            let net = format!("{}/{}", row.value("acl_network").unwrap_or(""), row.value("mask").unwrap_or(""));
            parts.extend(super::address::literal(&net));
        }
    }
    AddrExpr::Union(parts)
}

/// The forwarder has no list: whoever the rules let through is answered.
fn forwarder(l: &mut Lowering<'_>) {
    let own = l.cx.presence("dnsmasq/enable");
    let Some(section) = l.cx.section("dnsmasq").filter(|s| s.has("enable")) else { return };
    let number = l.cx.value("dnsmasq/port", |v| v.parse().ok());
    let ports = number.map(|p| vec![SvcTerm::ports(UDP, vec![(*p, *p)]), SvcTerm::ports(TCP, vec![(*p, *p)])]);
    let bindings = l.bindings(section.filled("interface"), Family::Both, section.span());
    l.device.listeners.items.push(listener(Plane::Infrastructure, "dns", ports, own, bindings));
}

fn time(l: &mut Lowering<'_>) {
    let Some(section) = l.cx.section("ntpd").filter(|s| s.value("enable") != Some("disabled")) else { return };
    let own = Fact::written(true, section.span());
    let ports = port(UDP, l.cx.default("ntpd.port", Some(section.span()), |v| v.parse().ok()));
    let bindings = l.bindings(section.filled("interface"), Family::Both, section.span());
    l.device.listeners.items.push(listener(Plane::Infrastructure, "ntp", ports, own, bindings));
}

/// Zones of the captive portal that are on.
pub(super) fn captive_portals<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    let Some(section) = l.cx.section("captiveportal") else { return Vec::new() };
    // Before zones there was one portal, written in the section itself.
    let zones: Vec<Element<'a>> = if section.has("interface") { vec![section] } else { section.children().collect() };
    zones.into_iter().filter(|z| z.has("enable")).collect()
}

/// The two ports of a zone follow from its number.
pub(super) fn portal_ports(zone: Element<'_>) -> Vec<SvcTerm> {
    let id: u16 = zone.value("zoneid").and_then(|v| v.parse().ok()).unwrap_or(0);
    let given = |name| zone.value(name).and_then(|v| v.parse().ok());
    let http = given("listenporthttp").unwrap_or(8000u16.saturating_add(id));
    let https = given("listenporthttps").unwrap_or(8001u16.saturating_add(id));
    vec![SvcTerm::ports(TCP, vec![(http, http), (https, https)])]
}

fn portals(l: &mut Lowering<'_>) {
    for zone in captive_portals(l) {
        let on = zone.child("enable").map_or(zone.span(), |e| e.span());
        let own = Fact::written(true, on);
        let bindings = l.bindings(zone.filled("interface"), Family::Both, zone.span());
        let ports = Fact::written(portal_ports(zone), zone.span());
        let mut portal = listener(Plane::Portal, "captive_portal", ports, own, bindings);
        portal.cleartext = match zone.child("httpslogin") {
            Some(e) => Fact::written(false, e.span()),
            None => l.cx.behaviour("captiveportal.cleartext", Some(zone.span())),
        };
        portal.tls = portal.cleartext.value.is_false().then(|| Tls { old: l.cx.behaviour("captiveportal.tls_old", Some(zone.span())) });
        l.device.listeners.items.push(portal);
    }
}

/// Port mapping on request of inside hosts. Whether each host may ask is a list of its own; none means all.
fn mapping(l: &mut Lowering<'_>) {
    for config in l.cx.packages("miniupnpd") {
        let Some(on) = config.filled("enable") else { continue };
        let protocols = ["enable_upnp", "enable_natpmp"].into_iter().find_map(|n| config.filled(n));
        for known in ["ext_iface", "permdefault", "row", "sysuptime", "logpackets"] {
            if let Some(e) = config.child(known) {
                e.read_below();
            }
        }
        let own = match protocols {
            Some(e) => Fact::written(true, e.span()),
            None => Fact::written(false, on.span()),
        };
        let bindings = l.bindings(config.filled("iface_array"), Family::V4, on.span());
        let ports = l.cx.default("miniupnpd.port", Some(on.span()), |v| v.parse().ok());
        l.device.listeners.items.push(listener(Plane::Infrastructure, "upnp", port(TCP, ports), own, bindings));
    }
}

fn proxy(l: &mut Lowering<'_>) {
    for config in l.cx.packages("squid") {
        let Some(on) = config.filled("enable_squid") else { continue };
        let own = Fact::written(true, on.span());
        let number = match config.filled("proxy_port") {
            Some(e) => e.text().parse().map_or_else(
                |_| Fact::unknown(Why::at(WhyCode::Ambiguous, "proxy_port", vec![e.span()])),
                |p: u16| Fact::written(p, e.span()),
            ),
            None => l.cx.default("squid.proxy_port", Some(on.span()), |v| v.parse().ok()),
        };
        let bindings = l.bindings(config.filled("active_interface"), Family::Both, on.span());
        l.device.listeners.items.push(listener(Plane::Infrastructure, "proxy", port(TCP, number), own, bindings));
    }
}

/// The system answers pings; rules decide who reaches it.
fn ping(l: &mut Lowering<'_>) {
    let own = l.cx.behaviour("ping", None);
    let echo = |protocol, kind| SvcTerm { icmp: Some((kind, None)), ..SvcTerm::protocol(protocol) };
    let ports = Fact::known(vec![echo(ICMP, 8), echo(ICMPV6, 128)], own.origin.clone());
    l.device.listeners.items.push(listener(Plane::Infrastructure, "ping", ports, own.clone(), everywhere(own)));
}
