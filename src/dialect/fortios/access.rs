//! Ways in for users: what each of them must prove, over IPsec, L2TP and PPTP.
//!
//! A group stands for its members; a member that is a server stands for everybody the server admits, and whether the server asks for a
//! second factor only the server knows.

use super::Lowering;
use super::context::Fields;
use super::exposure::{KeyExchange, plain, push};
use super::phase1::Phase1;
use super::secret;
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Binding, ListenerIx, Plane, Reach};
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess, TunnelAuth};
use crate::source::Span;
use std::collections::HashMap;

/// What every way into a service asks for besides what the user proves.
#[derive(Clone, Default)]
pub(super) struct Extra {
    /// A second factor, forced by the service.
    pub second: Option<Fact<bool>>,
    /// A certificate.
    pub certificate: Option<Fact<bool>>,
    /// A secret of the group.
    pub group_secret: Option<Fact<bool>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Server {
    Radius,
    Ldap,
    Tacacs,
    Saml,
    Fsso,
}

/// Users, groups and servers by name.
pub(super) struct Directory<'a> {
    users: HashMap<&'a str, Fields<'a>>,
    peers: HashMap<&'a str, Fields<'a>>,
    groups: HashMap<&'a str, Fields<'a>>,
    servers: HashMap<&'a str, (Server, Span)>,
}

impl<'a> Directory<'a> {
    /// Reads the tables.
    pub(super) fn read(l: &Lowering<'a>) -> Directory<'a> {
        let table = |path: &str| l.cx.own.find(path).rows().into_iter().map(|r| (r.key(), r)).collect::<HashMap<_, _>>();
        let mut servers = HashMap::new();
        for (path, kind) in [
            ("user radius", Server::Radius),
            ("user ldap", Server::Ldap),
            ("user tacacs+", Server::Tacacs),
            ("user saml", Server::Saml),
            ("user fsso", Server::Fsso),
        ] {
            for part in [&l.cx.own, &l.cx.global] {
                for row in part.find(path).rows() {
                    servers.insert(row.key(), (kind, row.span()));
                }
            }
        }
        let mut groups = table("user group");
        groups.extend(table("user peergrp"));
        Directory { users: table("user local"), peers: table("user peer"), groups, servers }
    }
}

fn factor(kind: FactorKind, required: Fact<bool>) -> Factor {
    Factor { kind, required }
}

fn outside(name: &str, span: Span) -> Fact<bool> {
    Fact::unknown(Why::at(WhyCode::ExternalDecision, name, vec![span]))
}

/// What a server asks for.
fn of_server(kind: Server, name: &str, span: Span) -> Vec<Factor> {
    let password = factor(FactorKind::Password, Fact::written(true, span));
    match kind {
        Server::Radius | Server::Tacacs => vec![password, factor(FactorKind::OneTime, outside(name, span))],
        // A directory compares a password and nothing else.
        Server::Ldap => vec![password],
        Server::Saml | Server::Fsso => vec![factor(FactorKind::Delegated, Fact::written(true, span))],
    }
}

/// What a local user must prove.
fn of_user<'a>(l: &Lowering<'a>, d: &Directory<'a>, row: &Fields<'a>) -> Vec<Factor> {
    let second = l.cx.fact(row, "two-factor", "user local.two-factor", |v| Some(v != "disable"));
    let server = ["radius-server", "ldap-server", "tacacs+-server", "saml-server"].iter().find_map(|a| row.name(a));
    let kind = row.get("type").map(|a| (a.value(), a.span()));
    let mut out = match (kind, server) {
        (Some(("password", span)), _) => vec![factor(FactorKind::Password, Fact::written(true, span))],
        (Some((_, span)), Some((name, _))) => match d.servers.get(name) {
            Some((kind, at)) => of_server(*kind, name, *at),
            None => vec![factor(FactorKind::Password, Fact::written(true, span)), factor(FactorKind::OneTime, outside(name, span))],
        },
        _ => vec![factor(FactorKind::Password, l.cx.behaviour("user local.password-required", Some(row.span())))],
    };
    match out.iter_mut().find(|f| f.kind == FactorKind::OneTime) {
        Some(f) if second.value.is_true() => f.required = second,
        Some(_) => {}
        None => out.push(factor(FactorKind::OneTime, second)),
    }
    out
}

fn finish(mut factors: Vec<Factor>, extra: &Extra) -> Vec<Factor> {
    if let Some(forced) = extra.second.clone() {
        match factors.iter_mut().find(|f| f.kind == FactorKind::OneTime) {
            Some(f) => f.required = f.required.or(&forced),
            None => factors.push(factor(FactorKind::OneTime, forced)),
        }
    }
    if let Some(fact) = extra.certificate.clone() {
        match factors.iter_mut().find(|f| f.kind == FactorKind::ClientCert) {
            Some(f) => f.required = f.required.or(&fact),
            None => factors.push(factor(FactorKind::ClientCert, fact)),
        }
    }
    if let Some(fact) = extra.group_secret.clone().filter(|f| !f.value.is_false()) {
        factors.push(factor(FactorKind::GroupSecret, fact));
    }
    factors
}

/// The ways in that a name stands for: a user, a server, or the members of a group.
pub(super) fn path<'a>(l: &mut Lowering<'a>, d: &Directory<'a>, name: &'a str, at: Span, extra: &Extra) -> Vec<AuthPath> {
    let mut out = Vec::new();
    if let Some(group) = d.groups.get(name) {
        let members = group.values("member");
        for (member, span) in &members {
            out.extend(single(l, d, member, *span, extra));
        }
        for guest in group.rows("guest") {
            let factors = vec![factor(FactorKind::Password, Fact::written(true, guest.span()))];
            out.push(AuthPath {
                principal: guest.value("user-id").unwrap_or(guest.key()).to_owned(),
                span: guest.span(),
                account: None,
                factors: finish(factors, extra),
                fallback: false,
                live: Fact::written(true, guest.span()),
            });
        }
        return out;
    }
    out.extend(single(l, d, name, at, extra));
    out
}

fn single<'a>(l: &mut Lowering<'a>, d: &Directory<'a>, name: &'a str, at: Span, extra: &Extra) -> Option<AuthPath> {
    let account = l.names.users.get(name).copied();
    let live = |fact: Fact<bool>| fact;
    let path = |span, factors, live| AuthPath { principal: name.to_owned(), span, account, factors, fallback: false, live };
    if let Some(row) = d.users.get(name) {
        let factors = finish(of_user(l, d, row), extra);
        let on = l.cx.switch(row, "status", "user local.status");
        return Some(path(row.span(), factors, live(on)));
    }
    if let Some(row) = d.peers.get(name) {
        let mut factors = vec![factor(FactorKind::ClientCert, Fact::written(true, row.span()))];
        if let Some(line) = row.get("two-factor").filter(|a| a.value() == "enable") {
            factors.push(factor(FactorKind::Password, Fact::written(true, line.span())));
        }
        return Some(path(row.span(), finish(factors, extra), Fact::written(true, row.span())));
    }
    if let Some((kind, _)) = d.servers.get(name) {
        return Some(path(at, finish(of_server(*kind, name, at), extra), Fact::written(true, at)));
    }
    super::object::undefined(l, "user", name, at);
    let unknown = Fact::unknown(Why::at(WhyCode::Unresolved, name, vec![at]));
    Some(path(at, finish(vec![factor(FactorKind::Password, unknown.clone())], extra), unknown))
}

fn listeners_on(ike: &KeyExchange, outer: Option<InterfaceIx>) -> Vec<ListenerIx> {
    ike.iter().filter(|(ix, _)| Some(*ix) == outer).flat_map(|(_, list)| list.iter().copied()).collect()
}

/// IPsec on which users log in.
pub(super) fn dial_in<'a>(l: &mut Lowering<'a>, phases: &[Phase1<'a>], ike: &KeyExchange) -> Vec<RemoteAccess> {
    let directory = Directory::read(l);
    let mut out = Vec::new();
    for p in phases.iter().filter(|p| p.users) {
        let row = &p.row;
        let span = row.span();
        for unused in ["xauthtype", "mode-cfg", "save-password", "client-auto-negotiate", "client-keep-alive", "peertype", "eap-identity"] {
            row.get(unused);
        }
        let live = p.live(l);
        let in_use = live.value();
        secret::pre_shared_key(l, row, &in_use);
        let auth = p.auth(l);
        let has = |kind: TunnelAuth| auth.map(|a| a.contains(&kind));
        let v2 = row.value("ike-version") == Some("2");
        // IKEv2 can ask for the certificate beside the user's password; IKEv1 with signatures always does.
        let certificate = match row.get("eap-cert-auth").filter(|a| a.value() == "enable") {
            Some(line) => Fact::written(true, line.span()),
            None if v2 && row.enabled("eap") => l.cx.behaviour("vpn ipsec phase1.eap-cert-auth", Some(span)),
            None => has(TunnelAuth::ClientCert),
        };
        let extra = Extra { second: None, certificate: Some(certificate), group_secret: Some(has(TunnelAuth::GroupPsk)) };
        let mut names = row.values("authusrgrp");
        names.extend(row.values("usrgrp"));
        if names.is_empty() {
            // The group then stands in the policies for what comes out.
            names.extend(p.policies.iter().flat_map(|ix| l.names.policies[*ix].principals.clone()));
        }
        let mut paths = Vec::new();
        for (name, at) in names {
            paths.extend(path(l, &directory, name, at, &extra));
        }
        let idle = l.cx.switch(row, "idle-timeout", "vpn ipsec phase1.idle-timeout");
        let idle_s = match idle.value.tri() {
            Some(true) => l.cx.number(row, "idle-timeoutinterval", "vpn ipsec phase1.idle-timeoutinterval").map(|m| m.saturating_mul(60)),
            Some(false) => idle.map(|_| NEVER),
            None => match idle.value.why() {
                Some(why) => Fact::unknown(why.clone()),
                None => idle.map(|_| NEVER),
            },
        };
        let reauth = l.cx.switch(row, "reauth", "vpn ipsec phase1.reauth");
        let session_s = match reauth.value.tri() {
            Some(true) => l.cx.number(row, "keylife", "vpn ipsec phase1.keylife"),
            _ => reauth.map(|_| NEVER),
        };
        out.push(RemoteAccess {
            name: row.key().to_owned(),
            kind: if v2 { "ikev2" } else { "ikev1_xauth" },
            span,
            live,
            listeners: listeners_on(ike, p.outer),
            interface: p.interface,
            outer: p.outer.into_iter().collect(),
            paths: List { items: paths, rest: l.cx.rest("remote_access") },
            idle_s,
            session_s,
            concurrent: Fact::unknown(Why::at(WhyCode::DefaultUndocumented, row.key(), vec![span])),
            aggressive_psk: p.aggressive_psk(l),
            pool: pool(row),
            crypto: Some(super::crypto::crypto(&l.cx, row, &p.phase2)),
            note: None,
        });
    }
    out
}

/// Addresses given to those who dial in.
fn pool(row: &Fields<'_>) -> Fact<AddrExpr> {
    let range = row.name("ipv4-start-ip").zip(row.name("ipv4-end-ip"));
    match range.and_then(|((a, span), (b, _))| Some((super::address::between(a, b)?, span))) {
        Some((expr, span)) => Fact::written(expr, span),
        None => Fact::unknown(Why::at(WhyCode::NotExported, row.key(), vec![row.span()])),
    }
}

/// L2TP and PPTP.
pub(super) fn point_to_point<'a>(l: &mut Lowering<'a>, phases: &[Phase1<'a>], ike: &KeyExchange) -> Vec<RemoteAccess> {
    let directory = Directory::read(l);
    let mut out = Vec::new();
    for (path_of, service) in [("vpn l2tp", "l2tp"), ("vpn pptp", "pptp")] {
        let Some(section) = l.cx.own.find(path_of).fields else { continue };
        let on = l.cx.switch(&section, "status", &format!("{path_of}.status"));
        if on.value.tri() == Some(false) && section.get("status").is_none() {
            continue;
        }
        let span = section.get("status").map_or(section.span(), |a| a.span());
        let mut listener = plain(l, Plane::Vpn, service, l.cx.default(&format!("port.{service}"), None, super::address::terms), span);
        listener.bindings = vec![Binding { on: None, family: Family::V4, bound: Fact::written(true, span), reach: Reach::Direct }];
        listener.live = Live::own(on.clone());
        let mut listeners = vec![push(l, listener)];
        // Inside IPsec when a phase 2 carries it.
        let carrier = phases.iter().find(|p| {
            service == "l2tp" && p.phase2.iter().any(|r| r.enabled("l2tp") || r.value("encapsulation") == Some("transport-mode"))
        });
        if let Some(p) = carrier {
            listeners.extend(listeners_on(ike, p.outer));
        }
        let kind = match (service, carrier) {
            ("pptp", _) => "pptp",
            (_, Some(_)) => "l2tp_ipsec",
            _ => "l2tp_plain",
        };
        let extra = Extra { group_secret: carrier.map(|p| Fact::written(true, p.row.span())), ..Extra::default() };
        let mut paths = Vec::new();
        for (name, at) in section.values("usrgrp") {
            paths.extend(path(l, &directory, name, at, &extra));
        }
        let undocumented = || Fact::unknown(Why::at(WhyCode::DefaultUndocumented, path_of, vec![span]));
        let pool = section.name("sip").zip(section.name("eip"));
        out.push(RemoteAccess {
            name: service.to_uppercase(),
            kind,
            span,
            live: Live::own(on),
            listeners,
            interface: l.names.interfaces.get(format!("l2t.{}", l.cx.domain).as_str()).copied(),
            outer: (0..l.device.interfaces.len() as u32).map(InterfaceIx).collect(),
            paths: List { items: paths, rest: l.cx.rest("remote_access") },
            idle_s: undocumented(),
            session_s: undocumented(),
            concurrent: undocumented(),
            aggressive_psk: carrier.map_or_else(|| Fact::written(false, span), |p| p.aggressive_psk(l)),
            pool: match pool.and_then(|((a, s), (b, _))| Some((super::address::between(a, b)?, s))) {
                Some((expr, s)) => Fact::written(expr, s),
                None => undocumented_pool(path_of, span),
            },
            crypto: carrier.map(|p| super::crypto::crypto(&l.cx, &p.row, &p.phase2)),
            note: carrier.map(|p| Origin::Written(p.row.span())),
        });
    }
    out
}

fn undocumented_pool(about: &str, span: Span) -> Fact<AddrExpr> {
    Fact::unknown(Why::at(WhyCode::NotExported, about, vec![span]))
}
