//! Ways in for administrators and rules for logging in.
//!
//! The web page asks one server or the box's own users; the box's own users count where that server does not answer. The product has no
//! second factor of its own.

use super::Lowering;
use crate::dialect::config_xml::access::{asked, listeners, path};
use crate::dialect::config_xml::account::{User, users};
use crate::ir::account::{AccountIx, AdminPath, LoginPolicy, Scope};
use crate::ir::fact::{Fact, Origin};
use crate::ir::listener::ListenerIx;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Factor, FactorKind};

/// Ways in for administrators, and rules for logging in.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let (web, ssh) = (listeners(l, &["https", "http"]), listeners(l, &["ssh"]));
    let server = l.cx.at("system/webgui/authmode").filter(|e| e.has_text() && e.text() != "Local Database");
    let mut paths = Vec::new();
    if let Some(server) = server {
        paths.push(AdminPath {
            principal: server.text().to_owned(),
            span: server.span(),
            account: None,
            listeners: web.clone(),
            factors: asked(l, server),
            fallback: false,
            live: Fact::written(true, server.span()),
        });
    }
    for user in users(l).iter().filter(|u| u.web.or(u.shell).is_some()) {
        paths.extend(of_user(l, user, &web, &ssh, server.is_some()));
    }
    if paths.is_empty()
        && let Some(account) = l.device.accounts.items.first().filter(|a| a.kind == crate::ir::account::AccountKind::Admin)
    {
        let all: Vec<ListenerIx> = web.iter().chain(&ssh).copied().collect();
        let password = Factor { kind: FactorKind::Password, required: Fact::written(true, account.span) };
        paths.push(path(&account.name, account.span, AccountIx(0), all, vec![password], account.live.own.clone()));
    }
    l.device.admin_paths.items = paths;
    policy(l);
}

/// A user's password opens the web page and, unless keys are required, the shell; a key opens the shell.
fn of_user(l: &Lowering<'_>, user: &User<'_>, web: &[ListenerIx], ssh: &[ListenerIx], server: bool) -> Vec<AdminPath> {
    let Some(account) = l.device.accounts.items.get(user.ix.0 as usize) else { return Vec::new() };
    let live = account.live.own.clone();
    let make = |listeners: Vec<ListenerIx>, factors| path(&account.name, account.span, user.ix, listeners, factors, live.clone());
    // Whoever holds a password must give it; without one nobody logs in with a password at all.
    let Some(held) = ["sha512-hash", "bcrypt-hash", "md5-hash", "password"].into_iter().find_map(|n| user.row.filled(n)) else {
        return Vec::new();
    };
    let password = || Factor { kind: FactorKind::Password, required: Fact::written(true, held.span()) };
    let key = |span| Factor { kind: FactorKind::DeviceKey, required: Fact::written(true, span) };
    let only_keys = l.cx.at("system/ssh/sshdkeyonly").or(l.cx.at("system/sshdkeyonly"));
    let has_shell = user.shell.is_some();
    let own_keys = user.row.filled("authorizedkeys");
    let mut with_password = if user.web.is_some() && !server { web.to_vec() } else { Vec::new() };
    let mut paths = Vec::new();
    match only_keys {
        Some(e) if e.text() == "both" && has_shell => paths.push(make(ssh.to_vec(), vec![password(), key(e.span())])),
        Some(e) if has_shell => paths.push(make(ssh.to_vec(), vec![key(e.span())])),
        _ if has_shell => {
            with_password.extend(ssh);
            paths.extend(own_keys.map(|keys| make(ssh.to_vec(), vec![key(keys.span())])));
        }
        _ => {}
    }
    if !with_password.is_empty() {
        paths.insert(0, make(with_password, vec![password()]));
    }
    if server && user.web.is_some() {
        let mut fallback = make(web.to_vec(), vec![password()]);
        fallback.fallback = true;
        paths.push(fallback);
    }
    paths
}

fn policy(l: &mut Lowering<'_>) {
    let minutes = |v: &str| v.parse::<i64>().ok().map(|m| if m == 0 { NEVER } else { m.saturating_mul(60) });
    let at = l.cx.at("system/webgui").or(l.cx.section("system")).map(|e| e.span());
    let number = |v: &str| v.parse().ok();
    let behaviour = |key: &str| l.cx.behaviour(key, at);
    let policy = LoginPolicy {
        scope: Scope::Admin,
        name: "web".to_owned(),
        span: at,
        in_use: match l.cx.missing("system") {
            Some(why) => Fact::unknown(why),
            None => Fact::known(true, at.map_or_else(|| Origin::Written(l.cx.evidence), Origin::Written)),
        },
        lockout_on: behaviour("login.lockout"),
        lockout_attempts: l.cx.default("login.lockout_attempts", at, number),
        idle_s: l.cx.value("system/webgui/session_timeout", minutes),
        pw_enforced: behaviour("password_policy.enforced"),
        pw_min: l.cx.default("password_policy.length", at, number),
        pw_classes: l.cx.default("password_policy.classes", at, number),
        pw_max_age: l.cx.default("password_policy.age", at, |v| if v == "never" { Some(NEVER) } else { v.parse().ok() }),
    };
    l.device.login_policies.items.push(policy);
}
