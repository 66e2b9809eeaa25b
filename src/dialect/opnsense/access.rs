//! Ways in for administrators and rules for logging in.
//!
//! The web page and SSH ask the same list of servers, each of which suffices; without a list they ask the box's own users. A server of
//! one-time passwords asks local users for a code beside the password. A key opens SSH without any of them.

use super::Lowering;
use crate::dialect::config_xml::access::{asked_by, listeners, path};
use crate::dialect::config_xml::account::{User, is_locked, users};
use crate::ir::account::{AdminPath, LoginPolicy, Scope};
use crate::ir::fact::{Fact, Origin};
use crate::ir::listener::ListenerIx;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use crate::syntax::xml::Element;

/// The box's own users as a server.
const LOCAL: &str = "Local Database";

fn servers<'a>(l: &Lowering<'a>) -> Option<Element<'a>> {
    l.cx.at("system/webgui/authmode").filter(|e| e.has_text())
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|n| !n.is_empty())
}

/// What a server is, by its name.
fn kind<'a>(l: &Lowering<'a>, name: &str) -> Option<&'a str> {
    l.cx.rows("system", "authserver").into_iter().find(|r| r.value("name") == Some(name))?.value("type")
}

/// Whether a server knows the box's own users.
fn is_local(l: &Lowering<'_>, name: &str) -> bool {
    name == LOCAL || kind(l, name) == Some("totp")
}

/// Administrators must show a one-time password where every server of the list asks for one.
pub(super) fn second_factor(l: &Lowering<'_>, _: &Fact<bool>) -> Option<Fact<bool>> {
    let servers = servers(l)?;
    let all = list(servers.text()).all(|n| kind(l, n).is_some_and(|k| k.contains("totp")));
    Some(Fact::written(all, servers.span()))
}

/// Elements that name servers, beside those of the ancestor's sections.
pub(super) fn names_servers<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    let zones = l.cx.models("captiveportal/zones/zone").into_iter().filter_map(|z| z.filled("authservers"));
    let instances = super::instance::servers(l).into_iter().filter_map(|s| s.filled("authmode"));
    let others = ["IPsec/general/user_source", "proxy/forward/authentication/method", "Firewall/Filter/authservers"];
    zones.chain(instances).chain(others.into_iter().filter_map(|p| l.cx.model(p)).filter(|e| e.has_text())).collect()
}

/// Where local users without privileges log in.
pub(super) fn asks_local_users(l: &Lowering<'_>) -> Option<Span> {
    names_servers(l).into_iter().find(|e| list(e.text()).any(|n| is_local(l, n))).map(|e| e.span())
}

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let (web, ssh) = (listeners(l, &["https", "http"]), listeners(l, &["ssh"]));
    let mut paths = Vec::new();
    if let Some(servers) = servers(l) {
        // Servers elsewhere know users that the export does not.
        for name in list(servers.text()).filter(|n| !is_local(l, n)) {
            paths.push(AdminPath {
                principal: name.to_owned(),
                span: servers.span(),
                account: None,
                listeners: web.clone(),
                factors: asked_by(l, servers, &[name]),
                fallback: false,
                live: Fact::written(true, servers.span()),
            });
        }
    }
    for user in users(l).iter().filter(|u| u.web.or(u.shell).is_some()) {
        paths.extend(of_user(l, user, &web, &ssh));
    }
    l.device.admin_paths.items = paths;
    policy(l);
}

fn of_user(l: &Lowering<'_>, user: &User<'_>, web: &[ListenerIx], ssh: &[ListenerIx]) -> Vec<AdminPath> {
    let Some(account) = l.device.accounts.items.get(user.ix.0 as usize) else { return Vec::new() };
    let live = account.live.own.clone();
    let make = |listeners: Vec<ListenerIx>, factors| path(&account.name, account.span, user.ix, listeners, factors, live.clone());
    let mut paths = Vec::new();
    let shell = user.shell.is_some() && may_open_shell(l, user.row.value("uid"));
    let held = user.row.filled("password").filter(|e| !is_locked(e.text()));
    if let Some(held) = held {
        let mut opened: Vec<ListenerIx> = if user.web.is_some() { web.to_vec() } else { Vec::new() };
        if shell && l.cx.set_at("system/ssh/passwordauth").is_some() {
            opened.extend(ssh);
        }
        let local: Option<Vec<&str>> = servers(l).map(|s| list(s.text()).filter(|n| is_local(l, n)).collect());
        let password = || vec![Factor { kind: FactorKind::Password, required: Fact::written(true, held.span()) }];
        match (servers(l), local) {
            _ if opened.is_empty() => {}
            (Some(list), Some(names)) if !names.is_empty() => paths.push(make(opened, asked_by(l, list, &names))),
            // Older releases had a second list for when the servers of the first do not answer.
            (Some(_), _) => {
                if l.cx.at("system/webgui/authmode_fallback").is_some_and(|e| e.text() == LOCAL) {
                    paths.push(AdminPath { fallback: true, ..make(opened, password()) });
                }
            }
            (None, _) => paths.push(make(opened, password())),
        }
    }
    if let Some(keys) = user.row.filled("authorizedkeys").filter(|_| shell) {
        paths.push(make(ssh.to_vec(), vec![Factor { kind: FactorKind::DeviceKey, required: Fact::written(true, keys.span()) }]));
    }
    paths
}

/// The first account opens the shell only where that is allowed.
fn may_open_shell(l: &Lowering<'_>, uid: Option<&str>) -> bool {
    uid != Some("0") || l.cx.set_at("system/ssh/permitrootlogin").is_some()
}

fn policy(l: &mut Lowering<'_>) {
    let minutes = |v: &str| v.parse::<i64>().ok().map(|m| if m == 0 { NEVER } else { m.saturating_mul(60) });
    let at = l.cx.at("system/webgui").or(l.cx.section("system")).map(|e| e.span());
    let enforced = l.cx.presence("system/webgui/enable_password_policy_constraints");
    let days = |v: &str| match v.parse::<i64>() {
        Ok(0) => Some(NEVER),
        Ok(days) => Some(days.saturating_mul(86_400)),
        Err(_) if v == "never" => Some(NEVER),
        Err(_) => None,
    };
    let classes = match l.cx.at("system/webgui/password_policy_complexity") {
        // Three of the four classes.
        Some(e) if l.cx.is_set(e).value.is_true() => Fact::written(3, e.span()),
        _ => l.cx.absent("system/webgui/password_policy_classes", |v| v.parse().ok()),
    };
    let policy = LoginPolicy {
        scope: Scope::Admin,
        name: "web".to_owned(),
        span: at,
        in_use: match l.cx.missing("system") {
            Some(why) => Fact::unknown(why),
            None => Fact::known(true, at.map_or_else(|| Origin::Written(l.cx.evidence), Origin::Written)),
        },
        lockout_on: super::management::lockout(l),
        lockout_attempts: l.cx.default("login.lockout_attempts", at, |v| v.parse().ok()),
        idle_s: l.cx.value("system/webgui/session_timeout", minutes),
        pw_enforced: enforced,
        pw_min: l.cx.value("system/webgui/password_policy_length", |v| v.parse().ok()),
        pw_classes: classes,
        pw_max_age: l.cx.value("system/webgui/password_policy_duration", days),
    };
    l.device.login_policies.items.push(policy);
}
