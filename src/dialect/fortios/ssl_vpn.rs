//! SSL-VPN: its listener, and the ways in for users.
//!
//! It listens where `source-interface` says, and the factory says nowhere. Whether it answers without a policy for its users is not
//! documented, so that stays open. Since 7.6.3 there is no tunnel mode; only the web portal is left, where it is switched on.

use super::Lowering;
use super::access::{Directory, Extra, path};
use super::address::network;
use super::context::{Fields, any_of};
use super::exposure::{binding, plain, push, tie};
use super::object::{Space, address, named_at};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, IfMatch, SvcTerm, TCP, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Binding, Limit, LimitStage, ListenerIx, Plane, Reach, Tls};
use crate::ir::live::LinkKind;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, RemoteAccess};
use crate::source::Span;

/// The SSL-VPN of a context.
pub(super) struct SslVpn<'a> {
    /// Its listener.
    pub ix: ListenerIx,
    /// Whether it answers.
    pub live: Fact<bool>,
    /// Its port.
    pub port: Fact<i64>,
    /// Whether it takes the port where the administration page has the same.
    pub precedence: Fact<bool>,
    /// Whether tunnels are still a part of the release.
    tunnel_mode: Fact<bool>,
    /// Where it listens; `None`: everywhere.
    interfaces: Option<Vec<InterfaceIx>>,
    settings: Fields<'a>,
}

impl SslVpn<'_> {
    /// Whether it listens on an interface.
    pub(super) fn is_on(&self, ix: InterfaceIx) -> bool {
        self.interfaces.as_ref().is_none_or(|list| list.contains(&ix))
    }
}

/// The interface on which its users arrive.
fn pseudo_interface(l: &Lowering<'_>) -> String {
    format!("ssl.{}", l.cx.domain)
}

/// Lowers the listener; `None` without settings, as in releases that have no SSL-VPN.
pub(super) fn listener<'a>(l: &mut Lowering<'a>) -> Option<SslVpn<'a>> {
    let settings = l.cx.own.find("vpn ssl settings").fields?;
    for unused in ["servercert", "algorithm", "tunnel-ip-pools", "tunnel-ipv6-pools", "dns-server1", "dns-server2", "wins-server1"] {
        settings.get(unused);
    }
    let names = settings.values("source-interface");
    let (mut at, unknown) = super::interface::resolve(l, &names);
    for (name, span) in unknown {
        super::object::undefined(l, "interface", name, span);
    }
    // Up to 5.0 policies with an action of their own said where it listens.
    let entries: Vec<(Span, Vec<InterfaceIx>)> = l
        .names
        .policies
        .iter()
        .filter(|p| p.ssl_vpn && p.permits.value.tri() != Some(false))
        .map(|p| (p.span, p.ingress.clone().unwrap_or_default()))
        .collect();
    let mut places: Vec<(InterfaceIx, Span)> = Vec::new();
    if names.is_empty() && !entries.is_empty() {
        places = entries.iter().flat_map(|(span, list)| list.iter().map(|ix| (*ix, *span))).collect();
        at = IfMatch::These(places.iter().map(|(ix, _)| *ix).collect());
    } else if let IfMatch::These(list) = &at {
        let span = settings.get("source-interface").map_or(settings.span(), |a| a.span());
        let word = |ix: &InterfaceIx| names.iter().find(|(n, _)| l.names.interfaces.get(n) == Some(ix)).map_or(span, |(_, s)| *s);
        places = list.iter().map(|ix| (*ix, word(ix))).collect();
    }
    let span = places.first().map(|(_, s)| *s).or(names.first().map(|(_, s)| *s)).unwrap_or(settings.span());
    let port = l.cx.number(&settings, "port", "vpn ssl settings.port");
    let ports = port.map(|p| {
        let p = u16::try_from(*p).unwrap_or(0);
        vec![SvcTerm::ports(TCP, [(p, p)]), SvcTerm::ports(UDP, [(p, p)])]
    });
    let mut listener = plain(l, Plane::Vpn, "ssl_vpn", ports, span);
    listener.live.own = match settings.get("status").or_else(|| settings.get("sslvpn-enable")) {
        Some(line) => Fact::written(line.value() == "enable", line.span()),
        None => l.cx.behaviour("vpn ssl settings.status", Some(settings.span())),
    };
    listener.bindings = match &at {
        IfMatch::Any => vec![Binding { on: None, family: Family::Both, bound: Fact::written(true, span), reach: Reach::Direct }],
        _ => places.iter().map(|(ix, s)| binding(l, *ix, Family::Both, *s)).collect(),
    };
    let bound = if listener.bindings.is_empty() {
        l.cx.default("vpn ssl settings.source-interface", Some(settings.span()), |v| Some(!v.is_empty()))
    } else {
        Fact::written(true, span)
    };
    listener.live = listener.live.clone().with(LinkKind::Bound, bound).with(LinkKind::Referenced, policy(l, settings.span()));
    let tunnel_mode = l.cx.behaviour("vpn ssl settings.tunnel-mode", Some(settings.span()));
    if tunnel_mode.value.tri() != Some(true) {
        let web = l.cx.switch(&l.cx.global.find("system global"), "sslvpn-web-mode", "system global.sslvpn-web-mode");
        listener.live = listener.live.clone().with(LinkKind::InVersion, tunnel_mode.or(&web));
    }
    listener.limits = limits(l, &settings);
    listener.tls = Some(Tls { old: old_tls(l, &settings) });
    tie(l, &mut listener);
    let live = listener.live.value();
    let interfaces = match at {
        IfMatch::These(list) => Some(list),
        _ if listener.bindings.is_empty() => Some(Vec::new()),
        _ => None,
    };
    let precedence = l.cx.switch(&settings, "port-precedence", "vpn ssl settings.port-precedence");
    let ix = push(l, listener);
    Some(SslVpn { ix, live, port, precedence, tunnel_mode, interfaces, settings })
}

/// A policy that lets its users on. Without one it may or may not answer.
fn policy(l: &Lowering<'_>, span: Span) -> Fact<bool> {
    let own = l.names.interfaces.get(pseudo_interface(l).as_str());
    for policy in &l.names.policies {
        let names = policy.ssl_vpn || own.is_some_and(|ix| policy.ingress.as_ref().is_some_and(|list| list.contains(ix)));
        if names && policy.permits.value.tri() != Some(false) {
            return Fact { value: policy.permits.value.clone(), origin: Origin::Written(policy.span) };
        }
    }
    let code = l.cx.gap("forward_filter").map_or(WhyCode::Ambiguous, Why::code);
    Fact::unknown(Why::at(code, pseudo_interface(l), vec![span]))
}

fn old_tls<'a>(l: &Lowering<'a>, settings: &Fields<'a>) -> Fact<bool> {
    for old in ["sslv3", "tlsv1-0", "tlsv1-1"] {
        if let Some(line) = settings.get(old).filter(|a| a.value() == "enable") {
            return Fact::written(true, line.span());
        }
    }
    if let Some(line) = settings.get("tlsv1-1").filter(|_| settings.get("ssl-min-proto-ver").is_none()) {
        return Fact::written(line.value() != "disable", line.span());
    }
    l.cx.fact(settings, "ssl-min-proto-ver", "vpn ssl settings.ssl-min-proto-ver", |v| Some(matches!(v, "tls1-0" | "tls1-1")))
}

/// Source lists: of the whole service, and, for the login, of every single rule.
fn limits<'a>(l: &mut Lowering<'a>, settings: &Fields<'a>) -> Limit {
    let whole = sources(l, settings).map(|admits| Limit::Sources { stage: LimitStage::Connect, admits });
    let none = || Limit::None(l.cx.default("vpn ssl settings.source-address", Some(settings.span()), |v| Some(v.to_owned())).origin);
    let whole = whole.unwrap_or_else(none);
    let rules = settings.rows("authentication-rule");
    let mut parts = Vec::new();
    let mut origins = Vec::new();
    for rule in &rules {
        match sources(l, rule) {
            Some(Fact { value: crate::ir::fact::Val::Known(expr), origin }) => {
                parts.push(expr);
                origins.push(origin);
            }
            _ => return whole,
        }
    }
    if parts.is_empty() {
        return whole;
    }
    let login = Limit::Sources { stage: LimitStage::Login, admits: Fact::known(AddrExpr::union(parts), Origin::all(origins)) };
    Limit::AllOf(vec![whole, login])
}

/// The sources a row admits; `None` when it names none, which admits all.
fn sources<'a>(l: &mut Lowering<'a>, row: &Fields<'a>) -> Option<Fact<AddrExpr>> {
    let mut parts = Vec::new();
    let mut spans = Vec::new();
    for (attribute, space, any) in [("source-address", Space::V4, AddrExpr::AnyV4), ("source-address6", Space::V6, AddrExpr::AnyV6)] {
        let names = row.values(attribute);
        if names.is_empty() {
            parts.push(any);
            continue;
        }
        let mut expr = AddrExpr::union(names.iter().map(|(n, s)| address(l, space, n, *s)).collect());
        if row.enabled(&format!("{attribute}-negate")) {
            expr = AddrExpr::Except(Box::new(any), Box::new(expr));
        }
        parts.push(expr);
        spans.extend(names);
    }
    (!spans.is_empty()).then(|| Fact::known(AddrExpr::Union(parts), named_at(&spans, row.span())))
}

/// The service with every way in.
pub(super) fn remote_access<'a>(l: &mut Lowering<'a>, ssl: &SslVpn<'a>) -> RemoteAccess {
    let settings = &ssl.settings;
    let span = settings.span();
    let listener = &l.device.listeners.items[ssl.ix.0 as usize];
    let live = listener.live.clone();
    let paths = paths(l, settings);
    let seconds = |fact: Fact<i64>| fact.map(|s| if *s == 0 { NEVER } else { *s });
    let outer = ssl.interfaces.clone().unwrap_or_else(|| (0..l.device.interfaces.len() as u32).map(InterfaceIx).collect());
    let tunnels = ssl.tunnel_mode.value.tri() != Some(false);
    RemoteAccess {
        name: "SSL-VPN".to_owned(),
        kind: if tunnels { "ssl_vpn" } else { "web_portal" },
        span,
        live,
        listeners: vec![ssl.ix],
        interface: l.names.interfaces.get(pseudo_interface(l).as_str()).copied(),
        outer,
        paths: List { items: paths, rest: l.cx.rest("remote_access") },
        idle_s: seconds(l.cx.number(settings, "idle-timeout", "vpn ssl settings.idle-timeout")),
        session_s: seconds(l.cx.number(settings, "auth-timeout", "vpn ssl settings.auth-timeout")),
        concurrent: several_sessions(l).map_or_else(
            || Fact::unknown(Why::at(WhyCode::NotExported, "vpn ssl web portal", vec![span])),
            |several| several.map(|s| if *s { NEVER } else { 1 }),
        ),
        aggressive_psk: Fact::written(false, span),
        pool: pool(l, settings),
        crypto: None,
        note: None,
    }
}

fn paths<'a>(l: &mut Lowering<'a>, settings: &Fields<'a>) -> Vec<AuthPath> {
    let directory = Directory::read(l);
    let forced = l.cx.switch(settings, "force-two-factor-auth", "vpn ssl settings.force-two-factor-auth");
    let everyone = l.cx.switch(settings, "reqclientcert", "vpn ssl settings.reqclientcert");
    let mut out = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for rule in settings.rows("authentication-rule") {
        for unused in ["portal", "realm", "auth", "source-interface", "cipher"] {
            rule.get(unused);
        }
        let own = l.cx.switch(&rule, "client-cert", "vpn ssl settings authentication-rule.client-cert");
        let peer = rule.name("user-peer").map(|(_, s)| Fact::written(true, s));
        let certificate = [Some(own), peer].into_iter().flatten().fold(everyone.clone(), |acc, f| acc.or(&f));
        let extra = Extra { second: Some(forced.clone()), certificate: Some(certificate), group_secret: None };
        for attribute in ["users", "groups"] {
            for (name, at) in rule.values(attribute) {
                seen.push(name);
                out.extend(path(l, &directory, name, at, &extra));
            }
        }
    }
    // Whoever a policy admits and no rule names comes in by the default portal.
    let own = l.names.interfaces.get(pseudo_interface(l).as_str()).copied();
    let admitted: Vec<(&str, Span)> = l
        .names
        .policies
        .iter()
        .filter(|p| p.ssl_vpn || own.is_some_and(|ix| p.ingress.as_ref().is_some_and(|list| list.contains(&ix))))
        .flat_map(|p| p.principals.iter().copied())
        .collect();
    settings.get("default-portal");
    let extra = Extra { second: Some(forced), certificate: Some(everyone), group_secret: None };
    for (name, at) in admitted {
        if !seen.contains(&name) {
            seen.push(name);
            out.extend(path(l, &directory, name, at, &extra));
        }
    }
    out
}

/// Whether a user may have several sessions at once, by the portals in use; `None` without SSL-VPN.
pub(super) fn several_sessions(l: &Lowering<'_>) -> Option<Fact<bool>> {
    let settings = l.cx.own.find("vpn ssl settings").fields?;
    settings.get("source-interface")?;
    let mut names: Vec<&str> = settings.rows("authentication-rule").iter().filter_map(|r| r.value("portal")).collect();
    names.extend(settings.value("default-portal"));
    let portals = l.cx.own.find("vpn ssl web portal").rows();
    let facts = portals
        .iter()
        .filter(|p| names.contains(&p.key()))
        .map(|p| l.cx.switch(p, "limit-user-logins", "vpn ssl web portal.limit-user-logins").negate())
        .collect::<Vec<_>>();
    (!facts.is_empty()).then(|| any_of(facts, Origin::Written(settings.span())))
}

/// Addresses given to users.
fn pool<'a>(l: &mut Lowering<'a>, settings: &Fields<'a>) -> Fact<AddrExpr> {
    let mut names = settings.values("tunnel-ip-pools");
    for portal in l.cx.own.find("vpn ssl web portal").rows() {
        for unused in ["tunnel-mode", "web-mode", "ipv6-tunnel-mode", "split-tunneling", "split-tunneling-routing-address", "save-password"]
        {
            portal.get(unused);
        }
        names.extend(portal.values("ip-pools"));
    }
    if names.is_empty() {
        return Fact::unknown(Why::at(WhyCode::NotExported, "ip-pools", vec![settings.span()]));
    }
    names.sort_unstable();
    names.dedup_by_key(|(n, _)| *n);
    let parts = names
        .iter()
        // Pools of a fragment may be defined elsewhere; a pool is never a network written out.
        .map(|(n, s)| network(&[n]).unwrap_or_else(|| address(l, Space::V4, n, *s)))
        .collect();
    Fact::known(AddrExpr::union(parts), named_at(&names, settings.span()))
}
