//! What the box serves to its networks: names, time, portals, a proxy, the monitor's page, SNMP, port mapping, answers to pings.

use super::Lowering;
use crate::dialect::config_xml::address;
use crate::dialect::config_xml::context::{field, model_enabled, names, one_is_on};
use crate::dialect::config_xml::infrastructure::{dns, forwarder, inside_networks, ping};
use crate::dialect::config_xml::management::{everywhere, listener, port};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, SvcTerm, TCP, UDP};
use crate::ir::listener::{Limit, LimitStage, Plane, Tls};
use crate::syntax::xml::Element;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    resolver(l);
    forwarder(l);
    time(l);
    portals(l);
    monitor(l);
    super::snmp::agent(l);
    mapping(l);
    proxy(l);
    ping(l);
}

/// The resolver. The model replaces the old section; its access lists admit everybody unless their last word is another.
fn resolver(l: &mut Lowering<'_>) {
    let model = l.cx.model("unboundplus");
    let number = |v: &str| v.parse().ok();
    let section = l.cx.section("unbound");
    if let Some(general) = model.and_then(|m| m.child("general")) {
        let own = field(&l.cx, general, "enabled", "unbound.enable", one_is_on);
        let ports = dns(field(&l.cx, general, "port", "unbound.port", number));
        let bindings = l.bindings(general.filled("active_interface"), Family::Both, general.span());
        let mut dns = listener(Plane::Infrastructure, "dns", ports, own, bindings);
        if let Some(refuses) = model.and_then(|m| m.filled("acls/default_action")).filter(|e| matches!(e.text(), "deny" | "refuse")) {
            let admits = Fact::written(admitted(l), refuses.span());
            dns.limits = Limit::Sources { stage: LimitStage::Connect, admits };
        }
        l.device.listeners.items.push(dns);
    } else if let Some(section) = section {
        let own = l.cx.presence("unbound/enable");
        let ports = dns(l.cx.value("unbound/port", number));
        let bindings = l.bindings(section.filled("active_interface"), Family::Both, section.span());
        l.device.listeners.items.push(listener(Plane::Infrastructure, "dns", ports, own, bindings));
    }
}

/// The box's own networks, and those that access lists add.
fn admitted(l: &Lowering<'_>) -> AddrExpr {
    let mut parts = inside_networks(l);
    for list in l.cx.models("unboundplus/acls/acl").into_iter().filter(|a| a.value("enabled") != Some("0")) {
        if list.value("action").is_none_or(|v| v.starts_with("allow")) {
            parts.extend(names(list.value("networks").unwrap_or("")).filter_map(address::literal));
        }
    }
    AddrExpr::Union(parts)
}

fn time(l: &mut Lowering<'_>) {
    let Some(section) = l.cx.section("ntpd") else { return };
    let own = match section.filled("clientmode").filter(|e| e.text() == "1") {
        Some(e) => Fact::written(false, e.span()),
        None => Fact::written(true, section.span()),
    };
    let ports = port(UDP, l.cx.default("ntpd.port", Some(section.span()), |v| v.parse().ok()));
    let bindings = l.bindings(section.filled("interface"), Family::Both, section.span());
    l.device.listeners.items.push(listener(Plane::Infrastructure, "ntp", ports, own, bindings));
}

/// Zones of the captive portal that are on.
pub(super) fn captive_portals<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    l.cx.models("captiveportal/zones/zone").into_iter().filter(|z| !model_enabled(*z).value.is_false()).collect()
}

/// The two ports of a zone follow from its number.
pub(super) fn portal_ports(zone: Element<'_>) -> Vec<SvcTerm> {
    let id: u16 = zone.value("zoneid").and_then(|v| v.parse().ok()).unwrap_or(0);
    let (page, redirect) = (8000u16.saturating_add(id), 9000u16.saturating_add(id));
    vec![SvcTerm::ports(TCP, vec![(page, page), (redirect, redirect)])]
}

fn portals(l: &mut Lowering<'_>) {
    for zone in captive_portals(l) {
        let bindings = l.bindings(zone.filled("interfaces"), Family::Both, zone.span());
        let ports = Fact::written(portal_ports(zone), zone.span());
        let mut portal = listener(Plane::Portal, "captive_portal", ports, model_enabled(zone), bindings);
        portal.cleartext = match zone.filled("certificate") {
            Some(e) => Fact::written(false, e.span()),
            None => l.cx.behaviour("captiveportal.cleartext", Some(zone.span())),
        };
        portal.tls = portal.cleartext.value.is_false().then(|| Tls { old: l.cx.behaviour("captiveportal.tls_old", Some(zone.span())) });
        l.device.listeners.items.push(portal);
    }
}

/// The page of the monitor, which starts and stops services: plain HTTP, for the addresses of its list.
fn monitor(l: &mut Lowering<'_>) {
    let Some(general) = l.cx.model("monit/general") else { return };
    let Some(page) = general.filled("httpdEnabled") else { return };
    let own = Fact::written(page.text() == "1", page.span()).and(&model_enabled(general));
    let ports = port(TCP, field(&l.cx, general, "httpdPort", "monit.port", |v| v.parse().ok()));
    let mut monit = listener(Plane::Management, "http", ports, own.clone(), everywhere(Fact::known(true, own.origin.clone())));
    monit.span = Some(page.span());
    monit.cleartext = Fact::known(true, own.origin.clone());
    if let Some(list) = general.filled("httpdAllow") {
        let words = || names(list.text()).filter(|w| !w.contains(':') && *w != "localhost");
        let parts: Vec<AddrExpr> = words().filter_map(address::literal).collect();
        let admits = match parts.len() == words().count() {
            true => Fact::written(AddrExpr::Union(parts), list.span()),
            false => Fact::unknown(Why::at(WhyCode::RuntimeContent, "httpdAllow", vec![list.span()])),
        };
        monit.limits = Limit::Sources { stage: LimitStage::Connect, admits };
    }
    l.device.listeners.items.push(monit);
}

/// Port mapping on request of inside hosts, a plugin.
fn mapping(l: &mut Lowering<'_>) {
    for config in l.cx.packages("miniupnpd") {
        let Some(switch) = config.filled("enable") else { continue };
        let own = match ["enable_upnp", "enable_natpmp"].into_iter().find_map(|n| config.filled(n).filter(|e| e.text() != "0")) {
            Some(e) if switch.text() != "0" => Fact::written(true, e.span()),
            _ => Fact::written(false, switch.span()),
        };
        let bindings = l.bindings(config.filled("iface_array"), Family::V4, switch.span());
        let ports = l.cx.default("miniupnpd.port", Some(switch.span()), |v| v.parse().ok());
        config.read_below();
        l.device.listeners.items.push(listener(Plane::Infrastructure, "upnp", port(TCP, ports), own, bindings));
    }
}

fn proxy(l: &mut Lowering<'_>) {
    let (Some(general), Some(forward)) = (l.cx.model("proxy/general"), l.cx.model("proxy/forward")) else { return };
    let own = field(&l.cx, general, "enabled", "squid.enable", one_is_on);
    let ports = port(TCP, field(&l.cx, forward, "port", "squid.proxy_port", |v| v.parse().ok()));
    let bindings = l.bindings(forward.filled("interfaces"), Family::Both, forward.span());
    l.device.listeners.items.push(listener(Plane::Infrastructure, "proxy", ports, own, bindings));
}
