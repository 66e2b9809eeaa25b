//! What administers the box: its web page with the redirection to it, and what listeners have in common.

use super::Lowering;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{Family, SvcTerm, TCP};
use crate::ir::listener::{Binding, Limit, Listener, Plane, Reach, Tls};
use crate::ir::live::Live;

/// A listener with what most have in common.
pub(in crate::dialect) fn listener(
    plane: Plane,
    service: &'static str,
    ports: Fact<Vec<SvcTerm>>,
    own: Fact<bool>,
    bindings: Vec<Binding>,
) -> Listener {
    let origin = own.origin.clone();
    Listener {
        plane,
        service,
        span: own.origin.spans().first().copied(),
        ports,
        bindings,
        live: Live::own(own),
        cleartext: Fact::known(false, origin.clone()),
        redirect_only: Fact::known(false, origin.clone()),
        limits: Limit::None(origin.clone()),
        tls: None,
        ssh: None,
        rate_limit: Fact::known(false, origin),
        peers_fixed: None,
    }
}

/// On every interface.
pub(in crate::dialect) fn everywhere(bound: Fact<bool>) -> Vec<Binding> {
    vec![Binding { on: None, family: Family::Both, bound, reach: Reach::Direct }]
}

/// Ports of one protocol, from one port.
pub(in crate::dialect) fn port(protocol: u8, port: Fact<u16>) -> Fact<Vec<SvcTerm>> {
    port.map(|p| vec![SvcTerm::ports(protocol, vec![(*p, *p)])])
}

/// Ports of administration that are, or may be, open.
pub(in crate::dialect) fn ports_in_use(l: &Lowering<'_>, services: &[&str]) -> Vec<(u16, u16)> {
    let listeners = l.device.listeners.iter().filter(|x| services.contains(&x.service) && !x.live.value().value.is_false());
    listeners.flat_map(|x| x.ports.get().into_iter().flatten()).flat_map(|t| t.dst_ports.iter().copied()).collect()
}

/// The web page and the redirection to it. `at` gives where a page listens, by the fact that says it runs.
pub(in crate::dialect) fn web(
    l: &mut Lowering<'_>,
    at: impl Fn(&Lowering<'_>, &Fact<bool>) -> Vec<Binding>,
    old_tls: impl Fn(&Lowering<'_>, Option<crate::source::Span>) -> Fact<bool>,
    lockout: Fact<bool>,
) {
    let protocol = l.cx.value("system/webgui/protocol", |v| ["https", "http"].into_iter().find(|p| *p == v));
    let own = Fact::known(true, protocol.origin.clone());
    let bindings = at(l, &own);
    let secure = protocol.map(|p| *p == "https");
    let number = |port: &'static str| move |v: &str| if v == "default" { port.parse().ok() } else { v.parse().ok() };
    let page: Fact<u16> = match protocol.get() {
        Some(&"http") => l.cx.value("system/webgui/port", number("80")),
        Some(_) => l.cx.value("system/webgui/port", number("443")),
        None => Fact::unknown(protocol.value.why().cloned().unwrap_or_else(|| Why::new(WhyCode::NotExported, "webgui"))),
    };
    let old = old_tls(l, protocol.origin.spans().first().copied());
    let service = if protocol.get() == Some(&"http") { "http" } else { "https" };
    let mut gui = listener(Plane::Management, service, port(TCP, page), own.clone(), bindings.clone());
    gui.cleartext = secure.negate();
    gui.tls = (service == "https").then_some(Tls { old });
    gui.rate_limit = lockout.clone();
    l.device.listeners.items.push(gui);
    if service == "https" {
        let redirects = match l.cx.at("system/webgui/disablehttpredirect") {
            Some(off) => l.cx.is_set(off).negate(),
            None => l.cx.absent("system/webgui/redirect", super::context::switch),
        };
        let ports = l.cx.default("system.webgui.redirect_port", None, |v| v.parse().ok());
        let mut redirect = listener(Plane::Management, "http", port(TCP, ports), redirects.and(&own), bindings);
        redirect.cleartext = Fact::known(true, redirect.live.own.origin.clone());
        redirect.redirect_only = Fact::known(true, redirect.live.own.origin.clone());
        redirect.rate_limit = lockout;
        l.device.listeners.items.push(redirect);
    }
}

/// The agent of SNMP, of the section both products had.
pub(in crate::dialect) fn snmp(l: &mut Lowering<'_>) {
    let own = l.cx.presence("snmpd/enable");
    let number = l.cx.value("snmpd/pollport", |v| v.parse().ok());
    let anchor = l.cx.section("snmpd").map_or(l.cx.evidence, |s| s.span());
    let bindings = l.bindings(l.cx.at("snmpd/bindip"), Family::Both, anchor);
    let mut agent = listener(Plane::Management, "snmp", port(crate::ir::filter::UDP, number), own.clone(), bindings);
    agent.cleartext = Fact::known(true, own.origin);
    agent.span = Some(anchor);
    l.device.listeners.items.push(agent);
}
