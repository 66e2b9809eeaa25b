//! Signs of the side an interface is on. They are collected, not weighed: a role that contradicts the default route stands beside it.

use super::Lowering;
use super::address::cidr;
use super::context::Context;
use crate::ir::fact::Origin;
use crate::ir::interface::{InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign, is_public};
use crate::ir::listener::ListenerIx;
use crate::source::Span;
use std::collections::HashSet;

/// A default route.
pub(super) struct DefaultRoute<'a> {
    /// The interface it leaves by.
    pub device: Option<&'a str>,
    /// The SD-WAN zones it leaves by.
    pub zones: Vec<&'a str>,
    /// Its line.
    pub span: Span,
}

/// Default routes of both families that are in force.
pub(super) fn default_routes<'a>(cx: &Context<'a>) -> Vec<DefaultRoute<'a>> {
    let mut out = Vec::new();
    for path in ["router static", "router static6"] {
        for row in cx.own.find(path).rows() {
            for unused in ["gateway", "distance", "priority", "comment", "weight"] {
                row.get(unused);
            }
            let off = row.value("status") == Some("disable") || row.enabled("blackhole");
            let dst: Vec<&str> = row.values("dst").into_iter().map(|(w, _)| w).collect();
            let default = row.get("dstaddr").is_none() && (dst.is_empty() || cidr(&dst).is_some_and(|n| n.prefix == 0));
            let device = row.name("device").map(|(n, _)| n);
            let mut zones: Vec<&str> = row.values("sdwan-zone").into_iter().map(|(z, _)| z).collect();
            if row.enabled("virtual-wan-link") || row.enabled("sdwan") {
                zones.push("virtual-wan-link");
            }
            if default && !off && row.get("internet-service").is_none() {
                out.push(DefaultRoute { device, zones, span: row.span() });
            }
        }
    }
    out
}

struct Signs<'l, 'a> {
    l: &'l mut Lowering<'a>,
}

impl Signs<'_, '_> {
    fn add(&mut self, ix: InterfaceIx, code: &'static str, strength: SignStrength, points_to: SidePointer, span: Span) {
        let signs = &mut self.l.device.interfaces[ix.0 as usize].signs;
        if !signs.iter().any(|s| s.code == code && s.points_to == points_to) {
            signs.push(TrustSign { code, strength, points_to, origin: Origin::Written(span) });
        }
    }

    fn kind(&self, ix: InterfaceIx) -> InterfaceKind {
        self.l.device.interfaces[ix.0 as usize].kind
    }

    fn of(&self, name: &str) -> Option<InterfaceIx> {
        self.l.names.interfaces.get(name).copied()
    }
}

/// Collects the signs of every interface.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let mut signs = Signs { l };
    interfaces(&mut signs);
    routes(&mut signs);
    sdwan(&mut signs);
    vpn_endpoints(&mut signs);
    translation(&mut signs);
    dhcp_servers(&mut signs);
    zone_names(&mut signs);
}

fn interfaces(s: &mut Signs<'_, '_>) {
    use SidePointer::{RemoteAccess, Trusted, Tunnel, Untrusted};
    use SignStrength::{Medium, Strong};
    for n in 0..s.l.device.interfaces.len() {
        let ix = InterfaceIx(n as u32);
        let span = s.l.device.interfaces[n].span;
        match s.kind(ix) {
            InterfaceKind::RemoteAccess => s.add(ix, "sign.remote_access_interface", Strong, RemoteAccess, span),
            InterfaceKind::Tunnel => s.add(ix, "sign.tunnel_interface", Strong, Tunnel, span),
            InterfaceKind::OutOfBand => s.add(ix, "sign.dedicated_management", Medium, Trusted, span),
            InterfaceKind::Ppp => s.add(ix, "sign.carrier_tunnel", Strong, Untrusted, span),
            _ => {}
        }
        let Some(row) = s.l.names.rows[n].clone() else { continue };
        match row.get("role").map(|a| (a.value(), a.span())) {
            Some(("wan", at)) => s.add(ix, "sign.role", Strong, Untrusted, at),
            Some(("lan" | "dmz", at)) => s.add(ix, "sign.role", Strong, Trusted, at),
            _ => {}
        }
        if let Some(line) = row.get("fortilink").filter(|a| a.value() == "enable") {
            s.add(ix, "sign.fortilink", Strong, Trusted, line.span());
            continue;
        }
        match row.get("mode").map(|a| (a.value(), a.span())) {
            Some(("pppoe" | "pppoa", at)) => s.add(ix, "sign.pppoe", Strong, Untrusted, at),
            Some(("dhcp", at)) if row.value("defaultgw") != Some("disable") && s.kind(ix) != InterfaceKind::OutOfBand => {
                s.add(ix, "sign.dhcp_client", Strong, Untrusted, at);
            }
            _ => {}
        }
        let kind = s.kind(ix);
        let public = s.l.device.interfaces[n].addresses.iter().find(|a| !a.v6 && a.net.get().is_some_and(|net| is_public(net.addr)));
        if let Some(span) = public.and_then(|a| a.net.origin.spans().first().copied())
            && !matches!(kind, InterfaceKind::Loopback | InterfaceKind::Tunnel | InterfaceKind::RemoteAccess)
        {
            s.add(ix, "sign.public_address", Medium, Untrusted, span);
        }
        if matches!(kind, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess | InterfaceKind::Loopback) {
            continue;
        }
        let name = s.l.device.interfaces[n].name.clone();
        words(s, ix, &name, "sign.name", row.span());
        if let Some((alias, at)) = row.name("alias") {
            words(s, ix, alias, "sign.alias", at);
        }
    }
}

/// Words in names are the weakest of signs.
fn words(s: &mut Signs<'_, '_>, ix: InterfaceIx, text: &str, code: &'static str, span: Span) {
    let grammar = s.l.cx.grammar;
    for (list, points_to) in [("untrusted_words", SidePointer::Untrusted), ("trusted_words", SidePointer::Trusted)] {
        if grammar.names(list).iter().any(|w| holds_word(text, w)) {
            s.add(ix, code, SignStrength::Weak, points_to, span);
            return;
        }
    }
}

/// Whether a name holds a word: Latin words between other signs (`wan1`, `to-ISP`), Japanese ones anywhere.
fn holds_word(text: &str, word: &str) -> bool {
    if word.is_ascii() {
        text.split(|c: char| !c.is_ascii_alphabetic()).any(|part| part.eq_ignore_ascii_case(word))
    } else {
        text.contains(word)
    }
}

fn is_carried(kind: InterfaceKind) -> bool {
    matches!(kind, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess | InterfaceKind::Loopback)
}

fn routes(s: &mut Signs<'_, '_>) {
    for route in default_routes(&s.l.cx) {
        let mut out: Vec<InterfaceIx> = route.device.and_then(|d| s.of(d)).into_iter().collect();
        for zone in route.zones {
            if let Some(zone) = s.l.names.zones.get(zone) {
                out.extend_from_slice(&s.l.device.zones[zone.0 as usize].members);
            }
        }
        for ix in out {
            if !is_carried(s.kind(ix)) {
                s.add(ix, "sign.default_route", SignStrength::Strong, SidePointer::Untrusted, route.span);
            }
        }
    }
}

fn sdwan(s: &mut Signs<'_, '_>) {
    let on = ["system sdwan", "system virtual-wan-link"].iter().any(|p| s.l.cx.own.find(p).fields.is_some_and(|f| f.enabled("status")));
    if !on {
        return;
    }
    for (_, interface, span) in s.l.names.sdwan_members.clone() {
        if let Some(ix) = s.of(interface).filter(|ix| !is_carried(s.kind(*ix))) {
            s.add(ix, "sign.sdwan_member", SignStrength::Strong, SidePointer::Untrusted, span);
        }
    }
}

/// Where the box takes VPN connections it most likely faces outside.
fn vpn_endpoints(s: &mut Signs<'_, '_>) {
    let tunnels: Vec<(Vec<InterfaceIx>, Span)> =
        s.l.device.tunnels.items.iter().filter(|t| t.kind == "ipsec").map(|t| (t.outer.clone(), t.span)).collect();
    // Bound everywhere says nothing about any one interface.
    let everywhere =
        |ix: &ListenerIx| s.l.device.listeners.items.get(ix.0 as usize).is_some_and(|x| x.bindings.iter().any(|b| b.on.is_none()));
    let services: Vec<(Vec<InterfaceIx>, Span, &'static str)> =
        s.l.device
            .remote_access
            .items
            .iter()
            .filter(|r| !r.listeners.iter().any(everywhere))
            .map(|r| (r.outer.clone(), r.span, r.kind))
            .collect();
    let endpoints = tunnels.into_iter().map(|(o, span)| (o, span, "sign.vpn_endpoint")).chain(
        services
            .into_iter()
            .map(|(o, span, kind)| (o, span, if kind == "ssl_vpn" { "sign.ssl_vpn_endpoint" } else { "sign.vpn_endpoint" })),
    );
    for (outer, span, code) in endpoints {
        for ix in outer {
            if !is_carried(s.kind(ix)) {
                s.add(ix, code, SignStrength::Medium, SidePointer::Untrusted, span);
            }
        }
    }
}

/// The outer side of source translation. What is translated on its way in (published hosts, VPN users) says nothing about the inside.
fn translation(s: &mut Signs<'_, '_>) {
    let strong: HashSet<u32> = (0..s.l.device.interfaces.len())
        .filter(|n| {
            s.l.device.interfaces[*n].signs.iter().any(|g| g.strength == SignStrength::Strong && g.points_to != SidePointer::Trusted)
        })
        .map(|n| n as u32)
        .collect();
    for policy in std::mem::take(&mut s.l.names.policies) {
        if let (Some(nat), Some(from), Some(to)) = (policy.nat, &policy.ingress, &policy.egress) {
            let outward = !from.is_empty() && from.iter().all(|ix| !strong.contains(&ix.0));
            if outward && !policy.publishes && !policy.private_only {
                for ix in to {
                    if !is_carried(s.kind(*ix)) {
                        s.add(*ix, "sign.nat_outside", SignStrength::Medium, SidePointer::Untrusted, nat);
                    }
                }
            }
        }
        s.l.names.policies.push(policy);
    }
    for row in s.l.cx.own.find("firewall central-snat-map").rows() {
        if row.value("status") != Some("disable") && row.value("nat") != Some("disable") {
            for (name, span) in row.values("dstintf") {
                if let Some(ix) = s.of(name).filter(|ix| !is_carried(s.kind(*ix))) {
                    s.add(ix, "sign.nat_outside", SignStrength::Medium, SidePointer::Untrusted, span);
                }
            }
        }
    }
}

/// Where the box hands out addresses it faces inside.
fn dhcp_servers(s: &mut Signs<'_, '_>) {
    for row in s.l.cx.own.find("system dhcp server").rows() {
        if let Some((name, span)) = row.name("interface").filter(|_| row.value("status") != Some("disable"))
            && let Some(ix) = s.of(name)
        {
            s.add(ix, "sign.dhcp_server", SignStrength::Medium, SidePointer::Trusted, span);
        }
    }
}

fn zone_names(s: &mut Signs<'_, '_>) {
    for zone in s.l.device.zones.clone() {
        for ix in zone.members {
            if !is_carried(s.kind(ix)) {
                words(s, ix, &zone.name, "sign.zone_name", zone.span);
            }
        }
    }
}
