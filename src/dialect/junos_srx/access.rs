//! Remote access of users: Dynamic VPN, Secure Connect, and plain IPsec clients that log in over key exchange.
//!
//! The pre-shared key is a secret of the whole group and no factor of a user. Local accounts have a password only; a RADIUS or
//! LDAP server may ask for more, which the export cannot say.

use super::Lowering;
use super::ike::{Ike, Setup};
use super::listener::plain;
use super::secret::{self, Owner, Purpose};
use super::value::{addresses, terms};
use crate::ir::account::{Account, AccountIx, AccountKind, Factory, LoginPolicy, Scope, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family};
use crate::ir::listener::{Binding, Limit, ListenerIx, Plane, Reach};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess, TunnelAuth};
use crate::source::Span;
use crate::syntax::brace::{at, child, inactive, rows, value};
use crate::syntax::{Mark, Node};
use std::collections::HashMap;

/// VPNs that the configuration gives to users.
pub(super) fn vpns_of_users<'a>(l: &Lowering<'a>) -> Vec<&'a str> {
    let clients = rows(l.own, &["security", "dynamic-vpn", "clients"]);
    let profiles = rows(l.own, &["security", "remote-access", "profile"]);
    clients.into_iter().chain(profiles).filter_map(|n| value(n, &["ipsec-vpn"])).map(|n| n.word_or_empty(0)).collect()
}

/// The statement that gives a VPN to users, and whether it is Secure Connect.
fn offer<'a>(l: &Lowering<'a>, vpn: &str) -> Option<(Node<'a>, bool)> {
    let names = |n: &Node<'a>| value(*n, &["ipsec-vpn"]).is_some_and(|v| v.word(0) == Some(vpn));
    let old = rows(l.own, &["security", "dynamic-vpn", "clients"]).into_iter().find(names).map(|n| (n, false));
    old.or_else(|| rows(l.own, &["security", "remote-access", "profile"]).into_iter().find(names).map(|n| (n, true)))
}

/// Adds the remote access of one VPN.
pub(super) fn add<'a>(l: &mut Lowering<'a>, ike: &mut Ike<'a>, s: Setup<'a>, live: Live) {
    let vpn = s.vpn.word_or_empty(0);
    let offer = offer(l, vpn);
    let head = offer.map_or(s.vpn, |(n, _)| n);
    let secure_connect = offer.is_some_and(|(_, new)| new);
    if let Some((node, _)) = offer {
        node.mark_below(Mark::Read);
    }
    for quiet in ["traffic-selector", "df-bit", "copy-outer-dscp", "establish-tunnels"] {
        if let Some(node) = child(s.vpn, quiet) {
            node.mark_below(Mark::Read);
        }
    }
    let live_value = live.value();
    ike.secret(l, s.policy, &live_value);
    let profile = offer
        .and_then(|(n, _)| value(n, &["access-profile"]))
        .or_else(|| s.users())
        .or_else(|| value(l.own, &["security", "dynamic-vpn", "access-profile"]));
    let certificate = certificate(l, &s, offer.map(|(n, _)| n));
    let paths = paths(l, &s, profile, &certificate, &live_value);
    let version_one = s.version_one(l);
    let (idle, session) = (idle(l, &s, profile), session(l, profile, s.vpn));
    let name = if secure_connect || offer.is_some() { head.word_or_empty(0) } else { vpn };
    l.device.login_policies.items.push(LoginPolicy {
        name: name.to_owned(),
        span: Some(head.span()),
        in_use: live_value.clone(),
        idle_s: idle.clone(),
        ..super::login::no_policy(l, Scope::Vpn)
    });
    let interface = value(s.vpn, &["bind-interface"]).and_then(|n| super::interface::named(l, n.word_or_empty(0)));
    let access = RemoteAccess {
        name: name.to_owned(),
        kind: if version_one.value.is_false() { "ikev2" } else { "ikev1_xauth" },
        span: head.span(),
        live,
        listeners: Vec::new(),
        interface,
        outer: s.outer.into_iter().collect(),
        paths: List { items: paths, rest: l.rest("remote_access") },
        idle_s: idle,
        session_s: session,
        concurrent: concurrent(l, head),
        aggressive_psk: s.aggressive(l),
        pool: pool(l, profile, s.vpn.span()),
        crypto: Some(ike.crypto(l, &s)),
        note: None,
    };
    l.device.remote_access.items.push(access);
    if offer.is_some() {
        portal(l, head.span(), &s);
    }
}

/// The page from which clients take their settings; it stands on the port of the administration page.
fn portal<'a>(l: &mut Lowering<'a>, span: Span, s: &Setup<'a>) {
    let Some(outer) = s.outer else { return };
    let gate = super::gate::admits(l, outer, &["https"]);
    let bound = Binding { on: Some(outer), family: Family::Both, bound: gate, reach: Reach::Direct };
    if let Some(page) = l.device.listeners.items.iter_mut().find(|x| x.service == "vpn_portal") {
        if !page.bindings.iter().any(|b| b.on == Some(outer)) {
            page.bindings.push(bound);
        }
        return;
    }
    let daemon = at(l.root, &["system", "services", "web-management", "https"]);
    let ports = l.grammar.default_as("port.https", l.version.as_ref(), Some(span), terms);
    let mut page = plain(l, Plane::Portal, "vpn_portal", ports, span);
    let on = match daemon {
        Some(node) => Fact::written(true, node.span()),
        None => l.nowhere("listeners", "infer.no_web_server", "web-management https", span),
    };
    page.live = Live::own(Fact::written(true, span)).with(LinkKind::FeatureOn, on);
    page.bindings.push(bound);
    l.device.listeners.items.push(page);
}

/// Ties remote access to the listeners, which are complete by now.
pub(super) fn tie(l: &mut Lowering<'_>) {
    let mut listeners: Vec<ListenerIx> = super::tunnel::key_exchange(l);
    let portal = l.device.listeners.items.iter().position(|x| x.service == "vpn_portal");
    listeners.extend(portal.map(|ix| ListenerIx(ix as u32)));
    for access in &mut l.device.remote_access.items {
        access.listeners.clone_from(&listeners);
    }
}

/// Settles what is left when every VPN is known.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let items = std::mem::take(&mut l.device.remote_access.items);
    l.device.remote_access = l.list("remote_access", items);
    l.device.accounts.rest = l.rest("accounts");
    l.device.login_policies.rest = l.rest("login_policy");
    l.device.secrets.rest = l.rest("secrets");
}

/// Whether clients must show a certificate.
fn certificate<'a>(l: &Lowering<'a>, s: &Setup<'a>, offer: Option<Node<'a>>) -> Option<Fact<bool>> {
    let method = s.auth();
    if method.get().is_none_or(|k| !k.contains(&TunnelAuth::ClientCert)) {
        return None;
    }
    // With certificates the client proves itself by one too, unless the client's settings say passwords only.
    let wanted = offer.and_then(|n| value(n, &["client-config"]));
    let config =
        wanted.and_then(|w| rows(l.own, &["security", "remote-access", "client-config"]).into_iter().find(|c| c.word(0) == w.word(0)));
    match config.and_then(|c| child(c, "no-eap-tls")) {
        Some(node) => Some(Fact::written(false, node.span())),
        None => Some(Fact { value: crate::ir::fact::Val::Known(true), origin: method.origin }),
    }
}

/// The access profile of a name.
fn profile_node<'a>(l: &Lowering<'a>, name: Option<Node<'a>>) -> Option<Node<'a>> {
    let wanted = name?.word_or_empty(0);
    let find = |node| rows(node, &["access", "profile"]).into_iter().find(|p| p.word(0) == Some(wanted));
    find(l.own).or_else(|| find(l.root))
}

fn paths<'a>(
    l: &mut Lowering<'a>,
    s: &Setup<'a>,
    profile: Option<Node<'a>>,
    certificate: &Option<Fact<bool>>,
    live: &Fact<bool>,
) -> Vec<AuthPath> {
    let span = s.vpn.span();
    let group = s.auth();
    let psk = group.get().is_some_and(|k| k.contains(&TunnelAuth::GroupPsk));
    let factors = |first: Option<Factor>| {
        let mut list: Vec<Factor> = first.into_iter().collect();
        if psk {
            list.push(Factor {
                kind: FactorKind::GroupSecret,
                required: Fact { value: crate::ir::fact::Val::Known(true), origin: group.origin.clone() },
            });
        }
        list.extend(certificate.clone().map(|required| Factor { kind: FactorKind::ClientCert, required }));
        list
    };
    let Some(node) = profile_node(l, profile) else {
        // The profile is not in the export: whoever is in it, with whatever it asks.
        let at = profile.map_or(span, |p| p.span());
        let mut list = factors(None);
        list.push(Factor { kind: FactorKind::Password, required: Fact::unknown(Why::at(WhyCode::Unresolved, "access-profile", vec![at])) });
        return vec![AuthPath { principal: "*".to_owned(), span: at, account: None, factors: list, fallback: false, live: live.clone() }];
    };
    let mut out = Vec::new();
    for client in rows(node, &["client"]) {
        let password = value(client, &["firewall-user", "password"])
            .or_else(|| value(client, &["pap-password"]))
            .or_else(|| value(client, &["chap-secret"]));
        client.mark_below(Mark::Read);
        let second = certificate.clone().unwrap_or_else(|| Fact::written(false, client.span()));
        let account = user(l, client, password, &second, live);
        let first = password.map(|p| Factor { kind: FactorKind::Password, required: Fact::written(true, p.span()) });
        out.push(AuthPath {
            principal: client.word_or_empty(0).to_owned(),
            span: client.span(),
            account: Some(account),
            factors: factors(first),
            fallback: false,
            live: live.clone(),
        });
    }
    for (client, mark) in inactive(node, "client") {
        let off = Fact::written(false, mark.span());
        user(l, client, None, &Fact::written(false, client.span()), &off);
    }
    for method in rows(node, &["authentication-order"]) {
        let word = method.word_or_empty(0);
        if !matches!(word, "radius" | "ldap" | "securid") {
            continue;
        }
        let mut list = factors(Some(Factor { kind: FactorKind::Password, required: Fact::written(true, method.span()) }));
        let required = if word == "securid" {
            Fact::written(true, method.span())
        } else {
            Fact::unknown(Why::at(WhyCode::ExternalDecision, word, vec![method.span()]))
        };
        list.push(Factor { kind: FactorKind::OneTime, required });
        out.push(AuthPath {
            principal: word.to_owned(),
            span: method.span(),
            account: None,
            factors: list,
            fallback: false,
            live: live.clone(),
        });
    }
    out
}

fn user<'a>(l: &mut Lowering<'a>, client: Node<'a>, password: Option<Node<'a>>, second: &Fact<bool>, live: &Fact<bool>) -> AccountIx {
    let name = client.word_or_empty(0);
    if let Some(ix) = l.device.accounts.items.iter().position(|a| a.span == client.span()) {
        return AccountIx(ix as u32);
    }
    let ix = AccountIx(l.device.accounts.items.len() as u32);
    let secret = password.map(|p| {
        let owner = Owner { name: name.to_owned(), account: Some(ix), second: second.clone(), live: live.clone() };
        secret::push(l, p, Purpose::verifies(SecretUse::VpnUser), owner)
    });
    l.device.accounts.items.push(Account {
        name: name.to_owned(),
        span: client.span(),
        kind: AccountKind::VpnUser,
        live: Live::own(live.clone()),
        factory: Fact::written(Factory::None, client.span()),
        renamable: l.product("account.renamable"),
        sources: Limit::None(Origin::Written(client.span())),
        expires: l.product("account.expires"),
        expiry: None,
        used: live.clone(),
        concurrent: Fact::unknown(Why::at(WhyCode::DefaultUndocumented, name, vec![client.span()])),
        shared_signs: Fact::written(false, client.span()),
        secret,
        second: second.clone(),
    });
    ix
}

fn minutes(node: Node<'_>) -> Option<i64> {
    node.word_or_empty(0).parse::<i64>().ok().map(|m| m.saturating_mul(60))
}

/// The shorter of the VPN's and the profile's idle limit.
fn idle<'a>(l: &Lowering<'a>, s: &Setup<'a>, profile: Option<Node<'a>>) -> Fact<i64> {
    let of_vpn = value(s.vpn, &["ike", "idle-time"]).and_then(|n| Some((n.word_or_empty(0).parse::<i64>().ok()?, n.span())));
    let of_profile = profile_node(l, profile)
        .and_then(|p| value(p, &["session-options", "client-idle-timeout"]))
        .and_then(|n| Some((minutes(n)?, n.span())));
    match of_vpn.into_iter().chain(of_profile).min_by_key(|(n, _)| *n) {
        Some((seconds, at)) => Fact::written(seconds, at),
        None => l.absent("security ipsec vpn ike idle-time", "remote_access", Some(s.vpn.span()), |v| (v == "never").then_some(NEVER)),
    }
}

fn session<'a>(l: &Lowering<'a>, profile: Option<Node<'a>>, vpn: Node<'a>) -> Fact<i64> {
    let node = profile_node(l, profile).and_then(|p| value(p, &["session-options", "client-session-timeout"]));
    match node.and_then(|n| Some((minutes(n)?, n.span()))) {
        Some((seconds, at)) => Fact::written(seconds, at),
        None => l.absent("access session-options client-session-timeout", "remote_access", Some(vpn.span()), |v| {
            (v == "never").then_some(NEVER)
        }),
    }
}

fn concurrent(l: &Lowering<'_>, head: Node<'_>) -> Fact<i64> {
    match at(head, &["options", "multi-access"]) {
        Some(node) => Fact::written(NEVER, node.span()),
        None => l.absent("remote-access multi-access", "remote_access", Some(head.span()), |v| v.parse().ok()),
    }
}

/// Addresses given to users.
fn pool<'a>(l: &Lowering<'a>, profile: Option<Node<'a>>, anchor: Span) -> Fact<AddrExpr> {
    let name = profile_node(l, profile).and_then(|p| value(p, &["address-assignment", "pool"]));
    let mut pools: HashMap<&str, Node<'a>> = HashMap::new();
    for node in
        rows(l.own, &["access", "address-assignment", "pool"]).into_iter().chain(rows(l.root, &["access", "address-assignment", "pool"]))
    {
        pools.entry(node.word_or_empty(0)).or_insert(node);
    }
    let network = name.and_then(|n| pools.get(n.word_or_empty(0)).copied()).and_then(|p| value(p, &["family", "inet", "network"]));
    match network.and_then(|n| Some((addresses(n.word_or_empty(0))?, n.span()))) {
        Some((expr, at)) => Fact::written(expr, at),
        None => Fact::unknown(Why::at(WhyCode::NotExported, "address-assignment", vec![name.map_or(anchor, |n| n.span())])),
    }
}
