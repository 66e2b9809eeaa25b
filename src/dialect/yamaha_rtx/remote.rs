//! Remote access: users of L2TP/IPsec and PPTP, who arrive on a peer, and IPsec clients that log in over the IKE exchange.
//!
//! The pre-shared key is a secret of the whole group and no factor of a user. The product asks for no second factor; a RADIUS
//! server may, and the vendor's script that changes passwords every half minute does.

use super::access::{no_policy, secret, storage};
use super::commands::{Command, Peer, Scope};
use super::schedule::schedules;
use super::tunnel::{idle, shared_secret};
use super::vpn::{self, Encapsulation, Group, Plan, TunnelPlan};
use super::{Export, nat, on_off, seconds};
use crate::ir::Device;
use crate::ir::account::{Account, AccountIx, AccountKind, Direction, Factory, LoginPolicy, Scope as For, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Rest, Val, Why, WhyCode};
use crate::ir::listener::{Limit, ListenerIx};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess};
use crate::source::Span;

const TOPIC: &str = "remote_access";

/// Fills remote access, its users, and the logins this router gives to others.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let mut out = Vec::new();
    for group in &plan.groups {
        out.push(users_of_peer(export, plan, group, device));
    }
    for tunnel in plan.tunnels.iter().filter(|t| t.asks_users()) {
        out.push(users_of_gateway(export, tunnel, device));
    }
    dial_in(export, plan, device);
    outbound(export, device);
    let policies = out.iter().map(|ra| policy(export, ra)).collect::<Vec<_>>();
    device.login_policies.items.extend(policies);
    device.remote_access = export.list(TOPIC, out);
}

fn policy(export: &Export<'_>, ra: &RemoteAccess) -> LoginPolicy {
    LoginPolicy {
        name: ra.name.clone(),
        span: Some(ra.span),
        in_use: ra.live.value(),
        idle_s: ra.idle_s.clone(),
        ..no_policy(export, For::Vpn)
    }
}

fn listeners(device: &Device, services: &[&str]) -> Vec<ListenerIx> {
    (0..).map(ListenerIx).zip(&device.listeners.items).filter(|(_, l)| services.contains(&l.service)).map(|(ix, _)| ix).collect()
}

fn users_of_peer(export: &Export<'_>, plan: &Plan<'_>, group: &Group<'_>, device: &mut Device) -> RemoteAccess {
    let scope = Scope::Pp(group.peer);
    let tunnels: Vec<&TunnelPlan<'_>> = group.tunnels.iter().map(|ix| &plan.tunnels[*ix]).collect();
    let with_ipsec = tunnels.iter().find(|t| t.sa.is_some()).copied();
    let (kind, pattern, services): (&str, &str, &[&str]) = match (group.encapsulation, with_ipsec) {
        (Encapsulation::Pptp, _) => ("pptp", "pptp tunnel disconnect time", &["pptp"]),
        (_, Some(_)) => ("l2tp_ipsec", "l2tp tunnel disconnect time", &["ike", "esp", "l2tp"]),
        _ => ("l2tp_plain", "l2tp tunnel disconnect time", &["l2tp"]),
    };
    let mut live = Live::own(export.pp_is_enabled(group.peer));
    let up = tunnels.iter().map(|t| t.enabled.clone()).reduce(|a, b| if a.value.is_true() { a } else { a.or(&b) });
    live = live.with(LinkKind::ParentUp, up.unwrap_or_else(|| Fact::written(false, group.node.span())));
    let service = match group.encapsulation {
        Encapsulation::Pptp => export.switch("pptp service", "listeners"),
        _ => vpn::l2tp_on(export, "l2tp"),
    };
    live = live.with(LinkKind::FeatureOn, service);
    if with_ipsec.is_some() {
        live = live.with(LinkKind::FeatureOn, vpn::ipsec_on(export));
    }
    let value = live.value();
    let mut secrets = Vec::new();
    for tunnel in &tunnels {
        secrets.extend(shared_secret(export, tunnel, &value, device));
    }
    let group_secret = with_ipsec.and_then(|t| t.ike.as_ref()).and_then(|ike| ike.secret());
    let paths = paths(export, scope, group.node.span(), group_secret, &value, device);
    let anchor = with_ipsec.and_then(|t| t.sa).map_or_else(|| group.node.span(), |c| c.span());
    let ike = with_ipsec.and_then(|t| t.ike.as_ref());
    RemoteAccess {
        name: super::interface::peer_name(group.peer).to_string(),
        kind,
        span: group.node.span(),
        live,
        listeners: listeners(device, services),
        interface: export.interfaces.peer(group.peer),
        outer: vpn::outer(export, ike.and_then(|i| i.peer_address())),
        paths: List {
            items: paths,
            rest: export.gaps.get(TOPIC).map_or_else(|| Rest::Complete(export.evidence()), |w| Rest::MayHoldMore(w.clone())),
        },
        idle_s: worst_idle(export, &tunnels, pattern),
        session_s: export.product("vpn session limit", seconds),
        concurrent: concurrent(export, scope, group.node.span()),
        aggressive_psk: ike.map_or_else(|| Fact::written(false, group.node.span()), |i| i.aggressive(export, anchor)),
        pool: nat::pool(export, scope),
        crypto: with_ipsec.and_then(|t| Some(t.ike.as_ref()?.crypto(export, t.sa.as_ref()?))),
        note: None,
    }
}

/// The longest idle timeout among the tunnels a user may land on.
fn worst_idle(export: &Export<'_>, tunnels: &[&TunnelPlan<'_>], pattern: &str) -> Fact<i64> {
    let mut worst: Option<Fact<i64>> = None;
    for tunnel in tunnels.iter().filter(|t| !t.enabled.value.is_false()) {
        let own = idle(export, tunnel, pattern);
        worst = match worst {
            Some(w) if w.get().copied().unwrap_or(NEVER) >= own.get().copied().unwrap_or(NEVER) => Some(w),
            _ => Some(own),
        };
    }
    worst.unwrap_or_else(|| export.absent(pattern, TOPIC, seconds))
}

fn concurrent(export: &Export<'_>, scope: Scope, anchor: Span) -> Fact<i64> {
    let prohibited = export.scoped_switch(scope, "pp auth multi connect prohibit", "pp auth multi connect prohibit", TOPIC, Some(anchor));
    prohibited.map(|p| if *p { 1 } else { NEVER })
}

fn factor(kind: FactorKind, required: Fact<bool>) -> Factor {
    Factor { kind, required }
}

fn paths(
    export: &Export<'_>,
    scope: Scope,
    head: Span,
    group: Option<Command<'_>>,
    live: &Fact<bool>,
    device: &mut Device,
) -> Vec<AuthPath> {
    let script = one_time_script(export);
    let shared = |factors: &mut Vec<Factor>| factors.extend(group.map(|c| factor(FactorKind::GroupSecret, Fact::written(true, c.span()))));
    let asked = export.commands.one(scope, "pp auth request");
    let mut out = Vec::new();
    for command in export.commands.list(scope, "pp auth username $") {
        let user = command.keys[0];
        let second = script.second(user, command.span());
        let account = vpn_account(export, scope, &command, &second, live, device);
        let mut factors = vec![factor(FactorKind::Password, Fact::written(true, asked.map_or(command.span(), |c| c.span())))];
        shared(&mut factors);
        if !second.value.is_false() {
            factors.push(factor(FactorKind::OneTime, second));
        }
        out.push(AuthPath {
            principal: user.to_owned(),
            span: command.span(),
            account: Some(account),
            factors,
            fallback: false,
            live: live.clone(),
        });
    }
    if asked.is_none() {
        // Nobody is asked for a name: whoever knows the group's secret is in.
        let missing = export.absent_at("pp auth request", TOPIC, Some(head), |v| Some(v == "none"));
        let mut factors = Vec::new();
        shared(&mut factors);
        let open = live.and(&missing);
        out.push(AuthPath { principal: "*".to_owned(), span: head, account: None, factors, fallback: false, live: open });
    }
    if let Some(radius) = export.commands.one(Scope::Global, "radius auth").filter(|c| c.is("on")) {
        let mut factors = vec![factor(FactorKind::Password, Fact::written(true, radius.span()))];
        shared(&mut factors);
        factors.push(factor(FactorKind::OneTime, Fact::unknown(Why::at(WhyCode::ExternalDecision, "radius", vec![radius.span()]))));
        out.push(AuthPath {
            principal: "radius".to_owned(),
            span: radius.span(),
            account: None,
            factors,
            fallback: false,
            live: live.clone(),
        });
    }
    out
}

fn new_account(export: &Export<'_>, name: &str, span: Span, kind: AccountKind, live: Live, second: Fact<bool>) -> Account {
    Account {
        name: name.to_owned(),
        span,
        kind,
        live,
        factory: Fact::written(Factory::None, span),
        renamable: export.product("user name change", on_off),
        sources: Limit::None(Origin::Written(span)),
        expires: export.product("account expiry", on_off),
        expiry: None,
        used: Fact::written(true, span),
        concurrent: Fact::written(NEVER, span),
        shared_signs: Fact::written(false, span),
        secret: None,
        second,
    }
}

/// A user of a peer. `*` stands for every other name.
fn vpn_account(
    export: &Export<'_>,
    scope: Scope,
    command: &Command<'_>,
    second: &Fact<bool>,
    live: &Fact<bool>,
    device: &mut Device,
) -> AccountIx {
    let name = command.keys[0];
    let wildcard = name == "*";
    let kind = if wildcard { AccountKind::Wildcard } else { AccountKind::VpnUser };
    let mut account = new_account(
        export,
        name,
        command.span(),
        kind,
        Live::own(Fact::written(true, command.span())).with(LinkKind::ParentUp, live.clone()),
        second.clone(),
    );
    account.concurrent = concurrent(export, scope, command.span());
    // Several sessions of one name are what sharing looks like from here.
    account.shared_signs = if wildcard { Fact::written(true, command.span()) } else { account.concurrent.map(|most| *most != 1) };
    account.used = live.clone();
    let ix = AccountIx(device.accounts.items.len() as u32);
    let mut own = secret(export, SecretUse::VpnUser, name, command.span(), storage(command, 0), live.clone());
    own.account = Some(ix);
    own.owner_second = second.clone();
    let request = export.commands.one(scope, "pp auth request");
    own.protocol_needs_clear = request.is_none_or(|c| c.args().any(|(w, _)| !w.eq_ignore_ascii_case("pap")));
    account.secret = Some(device.add_secret(own));
    device.accounts.items.push(account);
    ix
}

/// The vendor's script for one-time passwords: started by a schedule, with `set PPn=user:seed` for each user.
struct Script {
    line: Option<Span>,
    seeds: Vec<(String, Span)>,
}

fn one_time_script(export: &Export<'_>) -> Script {
    let names = export.grammar.names("one_time_password_scripts");
    let is_script = |w: &&str| names.iter().any(|n| w.to_ascii_lowercase().contains(n.as_str()));
    let line = schedules(export).iter().find(|s| s.runs(&["lua"]) && s.words.iter().any(is_script)).map(|s| s.span);
    let seed = |c: Command<'_>| {
        let (variable, value) = c.keys[0].split_once('=')?;
        let (user, _) = value.trim_matches('"').split_once(':')?;
        variable.to_ascii_uppercase().starts_with("PP").then(|| (user.to_owned(), c.span()))
    };
    Script { line, seeds: export.commands.everywhere("set $").filter_map(seed).collect() }
}

impl Script {
    /// Whether a user needs a one-time password.
    fn second(&self, user: &str, span: Span) -> Fact<bool> {
        let Some(line) = self.line else { return Fact::written(false, span) };
        match self.seeds.iter().find(|(u, _)| u == user) {
            Some((_, seed)) => {
                Fact::known(true, Origin::inferred("one_time_password_script", [Origin::Written(line), Origin::Written(*seed)]))
            }
            None if self.seeds.is_empty() => Fact::unknown(Why::at(WhyCode::ExternalDecision, "lua", vec![line])),
            None => Fact::written(false, span),
        }
    }
}

/// IPsec clients that log in with XAUTH (IKEv1) or EAP (IKEv2).
fn users_of_gateway(export: &Export<'_>, tunnel: &TunnelPlan<'_>, device: &mut Device) -> RemoteAccess {
    let ike = tunnel.ike.as_ref();
    let (kind, line) = match (ike.and_then(|i| i.xauth()), ike.and_then(|i| i.eap())) {
        (Some(line), _) => ("ikev1_xauth", Some(line)),
        (None, line) => ("ikev2", line),
    };
    let live = Live::own(tunnel.enabled.clone()).with(LinkKind::FeatureOn, vpn::ipsec_on(export));
    let value = live.value();
    shared_secret(export, tunnel, &value, device);
    let group = line.and_then(|c| c.arg(1));
    let members = group.and_then(|g| export.commands.keyed(Scope::Global, "auth user group <n>", [g, ""]));
    let allowed = members.map(|c| super::routes::numbers(c.args().map(|(w, _)| w)));
    let secret_line = ike.and_then(|i| i.secret());
    let mut paths = Vec::new();
    for command in export.commands.everywhere("auth user <n>") {
        let number: Option<u32> = command.keys[0].parse().ok();
        if allowed.as_ref().is_some_and(|list| !number.is_some_and(|n| list.contains(&n))) {
            continue;
        }
        let second = Fact::written(false, command.span());
        let name = command.arg_or_empty(0);
        let mut account =
            new_account(export, name, command.span(), AccountKind::VpnUser, Live::own(Fact::written(true, command.span())), second.clone());
        account.used = value.clone();
        let ix = AccountIx(device.accounts.items.len() as u32);
        let mut own = secret(export, SecretUse::VpnUser, name, command.span(), storage(&command, 1), value.clone());
        own.account = Some(ix);
        account.secret = Some(device.add_secret(own));
        device.accounts.items.push(account);
        let mut factors = vec![factor(FactorKind::Password, Fact::written(true, command.span()))];
        factors.extend(secret_line.map(|c| factor(FactorKind::GroupSecret, Fact::written(true, c.span()))));
        paths.push(AuthPath {
            principal: name.to_owned(),
            span: command.span(),
            account: Some(ix),
            factors,
            fallback: false,
            live: value.clone(),
        });
    }
    let anchor = tunnel.sa.map_or_else(|| tunnel.node.span(), |c| c.span());
    RemoteAccess {
        name: format!("{} ({})", tunnel.name(), if kind == "ikev2" { "IKEv2 EAP" } else { "IKEv1 XAUTH" }),
        kind,
        span: line.map_or_else(|| tunnel.node.span(), |c| c.span()),
        live,
        listeners: listeners(device, &["ike", "esp"]),
        interface: export.interfaces.tunnel(tunnel.number),
        outer: vpn::outer(export, ike.and_then(|i| i.peer_address())),
        paths: export.list(TOPIC, paths),
        idle_s: export.product("ipsec idle", seconds),
        session_s: export.product("vpn session limit", seconds),
        concurrent: Fact::known(NEVER, Origin::Written(tunnel.node.span())),
        aggressive_psk: ike.map_or_else(|| Fact::written(false, anchor), |i| i.aggressive(export, anchor)),
        pool: Fact::unknown(Why::at(WhyCode::RuntimeContent, "ipsec ike mode-cfg address pool", vec![tunnel.node.span()])),
        crypto: ike.zip(tunnel.sa.as_ref()).map(|(i, sa)| i.crypto(export, sa)),
        note: None,
    }
}

/// Names and passwords of peers that are not remote access: dial-in lines and peer routers.
fn dial_in(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    for command in export.commands.everywhere("pp auth username $") {
        let Scope::Pp(peer) = command.scope else { continue };
        if plan.groups.iter().any(|g| g.peer == peer) {
            continue;
        }
        let live = export.pp_is_enabled(peer);
        let kind = if peer == Peer::Anonymous { AccountKind::VpnUser } else { AccountKind::DevicePeer };
        let live_account = Live::own(Fact::written(true, command.span())).with(LinkKind::ParentUp, live.clone());
        let mut account = new_account(export, command.keys[0], command.span(), kind, live_account, Fact::written(false, command.span()));
        let bound = export.commands.one(command.scope, "pp bind");
        account.used = match bound {
            Some(_) => live.clone(),
            None => live.and(&Fact::known(false, Origin::inferred("peer_without_line", [Origin::Written(command.span())]))),
        };
        let ix = AccountIx(device.accounts.items.len() as u32);
        let mut own = secret(export, SecretUse::VpnUser, command.keys[0], command.span(), storage(&command, 0), account.used.clone());
        own.account = Some(ix);
        own.protocol_needs_clear = true;
        account.secret = Some(device.add_secret(own));
        device.accounts.items.push(account);
    }
}

/// `pp auth myname`: this router's login at a provider or another router.
fn outbound(export: &Export<'_>, device: &mut Device) {
    for command in export.commands.everywhere("pp auth myname") {
        let Scope::Pp(peer) = command.scope else { continue };
        let live = export.pp_is_enabled(peer);
        let name = command.arg_or_empty(0);
        let live_account = Live::own(Fact::written(true, command.span())).with(LinkKind::ParentUp, live.clone());
        let mut account =
            new_account(export, name, command.span(), AccountKind::OutboundClient, live_account, Fact::written(false, command.span()));
        let ix = AccountIx(device.accounts.items.len() as u32);
        let mut own = secret(export, SecretUse::IspLogin, name, command.span(), storage(&command, 1), live);
        own.direction = Direction::Presents;
        own.protocol_needs_clear = true;
        own.account = Some(ix);
        account.secret = Some(device.add_secret(own));
        account.concurrent = Fact { value: Val::Known(1), origin: Origin::Written(command.span()) };
        device.accounts.items.push(account);
    }
}
