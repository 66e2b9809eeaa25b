//! Remote access by L2TP over IPsec: users of the PPP profile that a `l2tp-lns` tunnel is bound to; and logins the router shows to a
//! provider.
//!
//! The pre-shared key is a secret of the whole group and no factor of a user. Idle and session limits of these sessions were not
//! seen in print, so their absence says nothing.

use super::Export;
use super::crypto::{Proposals, crypto};
use super::interface::Port;
use super::ipsec::{Keying, Plan, Settings, TunnelPlan};
use super::lines::{Lines, is};
use super::secret::{secret, value_at};
use super::tunnel::{aggressive, outer};
use super::{access, ambiguous, on_off, undocumented};
use crate::ir::Device;
use crate::ir::account::{AccountIx, AccountKind, Direction, LoginPolicy, Scope, SecretUse};
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::ListenerIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

const TOPIC: &str = "remote_access";

/// Fills remote access, its users, and the logins shown to providers.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let profiles: HashMap<&str, Node<'_>> =
        export.lines.all(&["ppp", "profile"]).into_iter().filter_map(|n| Some((n.word(2)?, n))).collect();
    let proposals = Proposals::read(export);
    let mut out = Vec::new();
    let mut serving: Vec<&str> = Vec::new();
    for tunnel in plan.tunnels.iter().filter(|t| t.users) {
        let Some(port) = export.ports.port(tunnel.ix) else { continue };
        let bound = port.lines.one(&["ppp", "binding"]);
        let name = bound.and_then(|n| n.word(2));
        serving.extend(name);
        let profile = name.and_then(|n| profiles.get(n)).copied();
        let made = service(export, plan, tunnel, port, profile, &proposals, device);
        device.login_policies.items.push(policy(export, &made));
        out.push(made);
    }
    let mut clients: HashMap<&str, InterfaceIx> = HashMap::new();
    for (ix, port) in export.ports.iter() {
        if let Some(name) = port.lines.one(&["ppp", "binding"]).and_then(|n| n.word(2)).filter(|n| !serving.contains(n)) {
            clients.entry(name).or_insert(ix);
        }
    }
    for node in export.lines.all(&["ppp", "profile"]) {
        let Some(name) = node.word(2).filter(|n| !serving.contains(n)) else { continue };
        let up = clients.get(name).and_then(|ix| device.interfaces.get(ix.0 as usize)).map(|i| i.up.clone());
        provider_login(export, node, up, device);
    }
    device.remote_access = export.list(TOPIC, out);
}

fn policy(export: &Export<'_>, made: &RemoteAccess) -> LoginPolicy {
    LoginPolicy {
        name: made.name.clone(),
        span: Some(made.span),
        in_use: made.live.value(),
        idle_s: made.idle_s.clone(),
        ..access::no_policy(export, Scope::Vpn)
    }
}

fn listeners(device: &Device, services: &[&str]) -> Vec<ListenerIx> {
    (0..).map(ListenerIx).zip(&device.listeners.items).filter(|(_, l)| services.contains(&l.service)).map(|(ix, _)| ix).collect()
}

fn service<'a>(
    export: &Export<'a>,
    plan: &Plan<'a>,
    tunnel: &TunnelPlan<'a>,
    port: &Port<'a>,
    profile: Option<Node<'a>>,
    proposals: &Proposals<'a>,
    device: &mut Device,
) -> RemoteAccess {
    let at = port.node.span();
    let encrypted = !matches!(tunnel.keying, Keying::None);
    let up = device.interfaces.get(tunnel.ix.0 as usize).map(|i| i.up.clone());
    let mut live = Live::own(up.unwrap_or_else(|| undocumented("shutdown", at)));
    if let Keying::V1 { line, map, .. } = &tunnel.keying {
        let found = |span: Option<Span>| match span {
            Some(span) => Fact::written(true, span),
            None if export.gaps.contains_key("crypto") => ambiguous("ipsec policy", line.span()),
            None => Fact::written(false, line.span()),
        };
        live = live.with(LinkKind::Referenced, found(map.map(|m| m.node.span())));
        live = live.with(LinkKind::KeyPresent, found(plan.policy(tunnel).map(|p| p.node.span())));
    }
    let value = live.value();
    let key_line = plan.policy(tunnel).map(|p| p.node.span());
    let lines = profile.map(Lines::below);
    let (paths, pool) = match &lines {
        Some(lines) => (users(export, lines, at, key_line, &value, device), pool(lines, at)),
        None => (Vec::new(), undocumented("ppp binding", at)),
    };
    let mut list = export.list(TOPIC, paths);
    if profile.is_none() {
        list.rest =
            crate::ir::fact::Rest::MayHoldMore(crate::ir::fact::Why::at(crate::ir::fact::WhyCode::Unresolved, "ppp binding", vec![at]));
    }
    let settings = Settings::of(plan, port);
    RemoteAccess {
        name: port.name.to_owned(),
        kind: if encrypted { "l2tp_ipsec" } else { "l2tp_plain" },
        span: at,
        live,
        listeners: listeners(device, if encrypted { &["ike", "esp"] } else { &["l2tp"] }),
        interface: Some(tunnel.ix),
        outer: outer(export, &settings, port, None),
        paths: list,
        idle_s: undocumented("l2tp idle", at),
        session_s: undocumented("l2tp session", at),
        concurrent: undocumented("l2tp sessions", at),
        aggressive_psk: aggressive(export, plan, tunnel),
        pool,
        crypto: crypto(export, plan, proposals, tunnel),
        note: None,
    }
}

fn factor(kind: FactorKind, span: Span) -> Factor {
    Factor { kind, required: Fact::written(true, span) }
}

/// `authentication password USER PASS`, one line a user.
fn users(export: &Export<'_>, lines: &Lines<'_>, head: Span, key: Option<Span>, live: &Fact<bool>, device: &mut Device) -> Vec<AuthPath> {
    let request = lines.one(&["authentication", "request"]);
    let mut out = Vec::new();
    for (words, opaque) in [(["authentication", "password"], false), (["authentication", "secret-password"], true)] {
        for node in lines.all(&words) {
            let Some(name) = node.word(2) else { continue };
            let mut account = access::account(
                export,
                name,
                node.span(),
                Live::own(Fact::written(true, node.span())).with(LinkKind::ParentUp, live.clone()),
            );
            account.kind = AccountKind::VpnUser;
            account.concurrent = undocumented("l2tp sessions", node.span());
            account.shared_signs = undocumented("l2tp sessions", node.span());
            account.used = live.clone();
            let ix = AccountIx(device.accounts.items.len() as u32);
            let mut own = secret(
                export,
                SecretUse::VpnUser,
                name,
                node.span(),
                value_at(node, node.len().saturating_sub(1).max(3), opaque),
                live.clone(),
            );
            own.account = Some(ix);
            own.protocol_needs_clear = request.is_none_or(|r| !is(r, 2, "pap"));
            account.secret = Some(device.add_secret(own));
            device.accounts.items.push(account);
            let mut factors = vec![factor(FactorKind::Password, request.map_or_else(|| node.span(), |r| r.span()))];
            factors.extend(key.map(|k| factor(FactorKind::GroupSecret, k)));
            out.push(AuthPath {
                principal: name.to_owned(),
                span: node.span(),
                account: Some(ix),
                factors,
                fallback: false,
                live: live.clone(),
            });
        }
    }
    if request.is_none() {
        // Whether nobody is asked for a name then was not seen in print.
        let asked: Fact<bool> = undocumented("authentication request", head);
        let factors = key.map(|k| factor(FactorKind::GroupSecret, k)).into_iter().collect();
        out.push(AuthPath { principal: "*".to_owned(), span: head, account: None, factors, fallback: false, live: live.and(&asked) });
    }
    out
}

/// `ipcp provide-ip-address range A B`.
fn pool(lines: &Lines<'_>, at: Span) -> Fact<AddrExpr> {
    let Some(node) = lines.one(&["ipcp", "provide-ip-address"]) else { return undocumented("ipcp provide-ip-address", at) };
    let address = |ix: usize| node.word(ix).and_then(|w| w.parse::<std::net::IpAddr>().ok());
    match (address(3), address(4)) {
        (Some(a), Some(b)) if is(node, 2, "range") && a.is_ipv4() == b.is_ipv4() && a <= b => {
            Fact::written(AddrExpr::Range(a, b), node.span())
        }
        _ => ambiguous("ipcp provide-ip-address", node.span()),
    }
}

/// The router's own login at a provider or another router.
fn provider_login(export: &Export<'_>, profile: Node<'_>, up: Option<Fact<bool>>, device: &mut Device) {
    let lines = Lines::below(profile);
    let unused = || Fact::known(false, Origin::inferred("no_interface_binds_it", [Origin::Written(profile.span())]));
    let live = match (up, export.gaps.get("interfaces")) {
        (Some(up), _) => up,
        (None, Some(why)) => Fact::unknown(why.clone()),
        (None, None) => unused(),
    };
    for (words, opaque) in [(["authentication", "password"], false), (["authentication", "secret-password"], true)] {
        for node in lines.all(&words) {
            let Some(name) = node.word(2) else { continue };
            let ix = AccountIx(device.accounts.items.len() as u32);
            let mut account = access::account(
                export,
                name,
                node.span(),
                Live::own(Fact::written(true, node.span())).with(LinkKind::ParentUp, live.clone()),
            );
            account.kind = AccountKind::OutboundClient;
            account.concurrent = Fact::written(1, node.span());
            let stored = value_at(node, node.len().saturating_sub(1).max(3), opaque);
            let mut own = secret(export, SecretUse::IspLogin, name, node.span(), stored, live.clone());
            own.direction = Direction::Presents;
            own.protocol_needs_clear = true;
            own.owner_second = export.product("capability.admin_second_factor", on_off);
            own.account = Some(ix);
            account.secret = Some(device.add_secret(own));
            device.accounts.items.push(account);
        }
    }
    lines.all(&["authentication", "myname"]);
}
