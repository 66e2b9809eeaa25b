//! What the box serves to networks: name service, time, addresses, proxy, login portals, and link-layer discovery.

use super::Lowering;
use super::address::terms;
use super::context::Fields;
use super::exposure::{binding, plain, push, tie};
use crate::ir::fact::Fact;
use crate::ir::filter::{Family, SvcTerm, TCP};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Listener, Plane};
use crate::ir::live::LinkKind;
use crate::source::Span;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    name_service(l);
    time_service(l);
    dhcp(l);
    proxy(l);
    portals(l);
    discovery(l);
    port_control(l);
}

fn bound(l: &Lowering<'_>, mut listener: Listener, places: &[(InterfaceIx, Family, Span)]) -> Listener {
    listener.bindings = places.iter().map(|(ix, family, span)| binding(l, *ix, *family, *span)).collect();
    tie(l, &mut listener);
    listener
}

fn named(l: &Lowering<'_>, name: &str) -> Option<InterfaceIx> {
    l.names.interfaces.get(name).copied()
}

/// Each row is a listener: whether it answers for foreign names is the row's mode.
fn name_service(l: &mut Lowering<'_>) {
    for row in l.cx.own.find("system dns-server").rows() {
        row.get("dnsfilter-profile");
        let Some(ix) = named(l, row.key()) else { continue };
        let resolves = l.cx.fact(&row, "mode", "system dns-server.mode", |v| Some(v != "non-recursive"));
        let mut listener = plain(l, Plane::Infrastructure, "dns", l.cx.default("port.dns", None, terms), row.span());
        listener.live = listener.live.with(LinkKind::FeatureOn, resolves);
        let listener = bound(l, listener, &[(ix, Family::Both, row.span())]);
        push(l, listener);
    }
}

fn time_service(l: &mut Lowering<'_>) {
    let found = l.cx.global.find("system ntp");
    let Some(section) = found.fields.clone() else { return };
    let on = l.cx.switch(&section, "server-mode", "system ntp.server-mode");
    let places: Vec<_> = section.values("interface").iter().filter_map(|(n, span)| Some((named(l, n)?, Family::Both, *span))).collect();
    if places.is_empty() {
        return;
    }
    let span = section.get("server-mode").map_or(section.span(), |a| a.span());
    let mut listener = plain(l, Plane::Infrastructure, "ntp", l.cx.default("port.ntp", None, terms), span);
    listener.live.own = on;
    let listener = bound(l, listener, &places);
    push(l, listener);
}

fn dhcp(l: &mut Lowering<'_>) {
    for row in l.cx.own.find("system dhcp server").rows() {
        let Some((ix, at)) = row.name("interface").and_then(|(n, span)| Some((named(l, n)?, span))) else { continue };
        let mut listener = plain(l, Plane::Infrastructure, "dhcp", l.cx.default("port.dhcp", None, terms), at);
        listener.live.own = l.cx.switch(&row, "status", "system dhcp server.status");
        let listener = bound(l, listener, &[(ix, Family::V4, at)]);
        push(l, listener);
    }
}

/// Interfaces on which an attribute is switched on, with the line.
fn enabled_on(l: &Lowering<'_>, attribute: &str, word: &str) -> Vec<(InterfaceIx, Family, Span)> {
    let mut out = Vec::new();
    for (n, row) in l.names.rows.iter().enumerate() {
        if let Some(line) = row.as_ref().and_then(|r: &Fields<'_>| r.get(attribute)).filter(|a| a.value() == word) {
            out.push((InterfaceIx(n as u32), Family::Both, line.span()));
        }
    }
    out
}

/// An explicit proxy answers where an interface has it on, once the proxy is on as a whole.
fn proxy(l: &mut Lowering<'_>) {
    for (attribute, section, port_attribute) in
        [("explicit-web-proxy", "web-proxy explicit", "http-incoming-port"), ("explicit-ftp-proxy", "ftp-proxy explicit", "incoming-port")]
    {
        let places = enabled_on(l, attribute, "enable");
        let Some((_, _, span)) = places.first().copied() else { continue };
        let found = l.cx.own.find(section);
        let ports = match found.fields.as_ref().and_then(|f| f.get(port_attribute)).map(|a| (a.value().parse::<u16>(), a.span())) {
            Some((Ok(port), at)) => Fact::written(vec![SvcTerm::ports(TCP, [(port, port)])], at),
            _ => l.cx.default(&format!("{section}.{port_attribute}"), found.span(), terms),
        };
        let mut listener = plain(l, Plane::Infrastructure, "proxy", ports, span);
        let on = l.cx.switch(&found, "status", &format!("{section}.status"));
        listener.live = listener.live.with(LinkKind::FeatureOn, on);
        let listener = bound(l, listener, &places);
        push(l, listener);
    }
}

fn portals(l: &mut Lowering<'_>) {
    let places = enabled_on(l, "security-mode", "captive-portal");
    let Some((_, _, span)) = places.first().copied() else { return };
    let global = l.cx.global.find("system global");
    let mut both = Vec::new();
    let mut origins = Vec::new();
    for attribute in ["auth-http-port", "auth-https-port"] {
        let port = l.cx.fact(&global, attribute, &format!("system global.{attribute}"), |v| v.parse::<u16>().ok());
        both.extend(port.get().map(|p| (*p, *p)));
        origins.push(port.origin);
    }
    let ports = Fact::known(vec![SvcTerm::ports(TCP, both)], crate::ir::fact::Origin::all(origins));
    let listener = plain(l, Plane::Portal, "captive_portal", ports, span);
    let listener = bound(l, listener, &places);
    push(l, listener);
}

/// LLDP, where an interface has it on, or leaves it to a setting that has.
fn discovery(l: &mut Lowering<'_>) {
    let settings = l.cx.own.find("system settings").fields;
    let global = l.cx.global.find("system global").fields;
    let mut places: Vec<(InterfaceIx, Family, Span)> = Vec::new();
    for attribute in ["lldp-reception", "lldp-transmission"] {
        places.extend(enabled_on(l, attribute, "enable"));
        let own = settings.as_ref().and_then(|f| f.get(attribute)).filter(|a| a.value() != "global");
        let inherited = own.or_else(|| global.as_ref().and_then(|f| f.get(attribute)));
        let Some(line) = inherited.filter(|a| a.value() == "enable") else { continue };
        for (n, row) in l.names.rows.iter().enumerate() {
            let left = row.as_ref().is_some_and(|r| r.value(attribute).is_none_or(|v| v == "vdom"));
            let physical = matches!(
                l.device.interfaces[n].kind,
                crate::ir::interface::InterfaceKind::Physical | crate::ir::interface::InterfaceKind::Aggregate
            );
            if left && physical {
                places.push((InterfaceIx(n as u32), Family::Both, line.span()));
            }
        }
    }
    places.sort_by_key(|(ix, _, span)| (*ix, *span));
    places.dedup_by_key(|(ix, _, _)| *ix);
    let Some((_, _, span)) = places.first().copied() else { return };
    let ports = Fact::written(Vec::new(), span);
    let listener = plain(l, Plane::Layer2, "discovery", ports, span);
    let listener = bound(l, listener, &places);
    push(l, listener);
}

/// PCP lets inside hosts open ports, as UPnP does.
fn port_control(l: &mut Lowering<'_>) {
    let Some(section) = l.cx.own.find("system pcp-server").fields else { return };
    let on = l.cx.switch(&section, "status", "system pcp-server.status");
    let mut places = Vec::new();
    for pool in section.rows("pools") {
        for unused in ["description", "client-subnet", "ext-intf", "extip", "extport", "id"] {
            pool.get(unused);
        }
        places.extend(pool.values("intl-intf").iter().filter_map(|(n, span)| Some((named(l, n)?, Family::Both, *span))));
    }
    let span = section.get("status").map_or(section.span(), |a| a.span());
    let mut listener = plain(l, Plane::Infrastructure, "upnp", l.cx.default("port.upnp", None, terms), span);
    listener.live.own = on;
    let listener = bound(l, listener, &places);
    push(l, listener);
}
