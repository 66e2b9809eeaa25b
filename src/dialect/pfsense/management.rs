//! What administers the box: its web page with the redirection to it, SSH, SNMP. All answer on every address; only rules stand before them.

use super::Lowering;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{Family, SvcTerm, TCP, UDP};
use crate::ir::listener::{Binding, Limit, Listener, Plane, Reach, Ssh, Tls};
use crate::ir::live::Live;

/// A listener with what most have in common.
pub(super) fn listener(
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
pub(super) fn everywhere(bound: Fact<bool>) -> Vec<Binding> {
    vec![Binding { on: None, family: Family::Both, bound, reach: Reach::Direct }]
}

/// Ports of one protocol, from one port.
pub(super) fn port(protocol: u8, port: Fact<u16>) -> Fact<Vec<SvcTerm>> {
    port.map(|p| vec![SvcTerm::ports(protocol, vec![(*p, *p)])])
}

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    web(l);
    ssh(l);
    snmp(l);
}

fn lockout(l: &Lowering<'_>) -> Fact<bool> {
    l.cx.behaviour("login.lockout", l.cx.section("system").map(|s| s.span()))
}

fn web(l: &mut Lowering<'_>) {
    let protocol = l.cx.value("system/webgui/protocol", |v| ["https", "http"].into_iter().find(|p| *p == v));
    let own = Fact::known(true, protocol.origin.clone());
    let secure = protocol.map(|p| *p == "https");
    let number = |port: &'static str| move |v: &str| if v == "default" { port.parse().ok() } else { v.parse().ok() };
    let page: Fact<u16> = match protocol.get() {
        Some(&"http") => l.cx.value("system/webgui/port", number("80")),
        Some(_) => l.cx.value("system/webgui/port", number("443")),
        None => Fact::unknown(protocol.value.why().cloned().unwrap_or_else(|| Why::new(WhyCode::NotExported, "webgui"))),
    };
    let old = l.cx.behaviour("webgui.tls_old", protocol.origin.spans().first().copied());
    let service = if protocol.get() == Some(&"http") { "http" } else { "https" };
    let mut gui = listener(Plane::Management, service, port(TCP, page), own.clone(), everywhere(own.clone()));
    gui.cleartext = secure.negate();
    gui.tls = (service == "https").then_some(Tls { old });
    gui.rate_limit = lockout(l);
    l.device.listeners.items.push(gui);
    if service == "https" {
        let redirects = match l.cx.at("system/webgui/disablehttpredirect") {
            Some(off) => Fact::written(false, off.span()),
            None => l.cx.absent("system/webgui/redirect", super::context::switch),
        };
        let ports = l.cx.default("system.webgui.redirect_port", None, |v| v.parse().ok());
        let mut redirect = listener(Plane::Management, "http", port(TCP, ports), redirects.and(&own), everywhere(own));
        redirect.cleartext = Fact::known(true, redirect.live.own.origin.clone());
        redirect.redirect_only = Fact::known(true, redirect.live.own.origin.clone());
        redirect.rate_limit = lockout(l);
        l.device.listeners.items.push(redirect);
    }
}

/// Whether SSH runs: a switch of its own section, or in older releases one beside it.
pub(super) fn ssh_switch(l: &Lowering<'_>) -> Fact<bool> {
    match ["system/ssh/enable", "system/ssh/enabled", "system/enablesshd"].into_iter().find_map(|p| l.cx.at(p)) {
        Some(e) => Fact::written(true, e.span()),
        None => l.cx.absent("system/ssh/enable", super::context::switch),
    }
}

fn ssh(l: &mut Lowering<'_>) {
    let own = ssh_switch(l);
    let number = l.cx.value("system/ssh/port", |v| v.parse().ok());
    let at = own.origin.spans().first().copied();
    let behaviour = |key: &str| l.cx.behaviour(key, at);
    let algorithms = Ssh { v1: behaviour("ssh.v1"), weak_only: behaviour("ssh.weak_only"), weak_offered: behaviour("ssh.weak_offered") };
    let bound = Fact::known(true, own.origin.clone());
    let mut ssh = listener(Plane::Management, "ssh", port(TCP, number), own, everywhere(bound));
    ssh.ssh = Some(algorithms);
    ssh.rate_limit = lockout(l);
    l.device.listeners.items.push(ssh);
}

fn snmp(l: &mut Lowering<'_>) {
    let own = l.cx.presence("snmpd/enable");
    let number = l.cx.value("snmpd/pollport", |v| v.parse().ok());
    let anchor = l.cx.section("snmpd").map_or(l.cx.evidence, |s| s.span());
    let bindings = l.bindings(l.cx.at("snmpd/bindip"), Family::Both, anchor);
    let mut agent = listener(Plane::Management, "snmp", port(UDP, number), own.clone(), bindings);
    agent.cleartext = Fact::known(true, own.origin);
    agent.span = Some(anchor);
    l.device.listeners.items.push(agent);
}
