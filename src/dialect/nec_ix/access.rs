//! Who may administer the router: `username` lines, the accounts of the Web page, and the way in where there is no account at all.
//!
//! Lockout, password rules and a second factor were not seen in print; the unit of `terminal timeout` neither, so that no number is
//! judged. Secrets never reach names or reasons.

use super::lines::is;
use super::secret::{secret, stored, value_at};
use super::{Export, ambiguous, on_off, undocumented};
use crate::ir::Device;
use crate::ir::account::{Account, AccountIx, AccountKind, AdminPath, Factory, LoginPolicy, Scope, SecretUse, Storage};
use crate::ir::fact::{Fact, Origin};
use crate::ir::listener::{Limit, ListenerIx};
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashSet;

const TOPIC: &str = "accounts";

/// Fills administrators and their secrets.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    device.accounts = export.list(TOPIC, Vec::new());
    device.admin_paths = export.list(TOPIC, Vec::new());
    device.secrets = export.list("secrets", Vec::new());
    device.login_policies = export.list("login_policy", Vec::new());
    let users = export.lines.all(&["username"]);
    let web = ["username", "guest-username", "monitor-username"].iter().flat_map(|w| export.lines.all(&["http-server", w]));
    let web: Vec<Node<'_>> = web.collect();
    // `http-server username U` without a password of its own lets a user of the router in.
    let with_own = |n: &&Node<'_>| (3..n.len()).any(|ix| is(**n, ix, "password") || is(**n, ix, "secret-password"));
    let lent: HashSet<&str> = web.iter().filter(|n| !with_own(n)).filter_map(|n| n.word(2)).collect();
    for node in &users {
        let may_use_web = web.is_empty() || node.word(1).is_some_and(|name| lent.contains(name));
        login(export, *node, may_use_web, device);
    }
    for node in web.iter().filter(with_own) {
        web_login(export, *node, device);
    }
    if users.is_empty() && !export.gaps.contains_key(TOPIC) {
        nobody(export, device);
    }
    policy(export, device);
}

fn listeners(device: &Device, services: &[&str]) -> Vec<ListenerIx> {
    (0..).map(ListenerIx).zip(&device.listeners.items).filter(|(_, l)| services.contains(&l.service)).map(|(ix, _)| ix).collect()
}

/// An account of this dialect: names are free, nothing expires, anybody may come from anywhere.
pub fn account(export: &Export<'_>, name: &str, span: Span, live: Live) -> Account {
    Account {
        name: name.to_owned(),
        span,
        kind: AccountKind::Admin,
        live,
        factory: Fact::written(Factory::None, span),
        renamable: Fact::written(true, span),
        sources: Limit::None(Origin::Written(span)),
        expires: export.product("account expiry", on_off),
        expiry: None,
        used: Fact::written(true, span),
        concurrent: Fact::written(NEVER, span),
        shared_signs: Fact::written(false, span),
        secret: None,
        second: export.product("capability.admin_second_factor", on_off),
    }
}

fn path(name: &str, span: Span, ix: AccountIx, listeners: Vec<ListenerIx>, empty: bool, live: Fact<bool>) -> AdminPath {
    let password = Factor { kind: FactorKind::Password, required: Fact::written(true, span) };
    AdminPath {
        principal: name.to_owned(),
        span,
        account: Some(ix),
        listeners,
        factors: if empty { Vec::new() } else { vec![password] },
        fallback: false,
        live,
    }
}

/// `username U password plain|hash|secret ...`.
fn login(export: &Export<'_>, node: Node<'_>, may_use_web: bool, device: &mut Device) {
    let Some(name) = node.word(1) else { return };
    let span = node.span();
    let on = Fact::written(true, span);
    let mut account = account(export, name, span, Live::own(on.clone()));
    let ix = AccountIx(device.accounts.items.len() as u32);
    let kept = match (2..node.len()).find(|at| is(node, *at, "password")) {
        Some(at) => stored(node, at + 1),
        None => (Storage::Empty, crate::ir::account::SecretValue::new("")),
    };
    let empty = matches!(kept.0, Storage::Empty);
    let mut own = secret(export, SecretUse::AdminLogin, name, span, kept, on.clone());
    own.account = Some(ix);
    account.secret = Some(device.add_secret(own));
    device.accounts.items.push(account);
    let services: &[&str] = if may_use_web { &["telnet", "ssh", "http"] } else { &["telnet", "ssh"] };
    let path = path(name, span, ix, listeners(device, services), empty, on);
    device.admin_paths.items.push(path);
}

/// `http-server username U secret-password S`: an account of the Web page alone.
fn web_login(export: &Export<'_>, node: Node<'_>, device: &mut Device) {
    let Some(name) = node.word(2) else { return };
    let span = node.span();
    let at = (3..node.len()).find(|ix| is(node, *ix, "password") || is(node, *ix, "secret-password")).unwrap_or(3);
    let on = match export.lines.flag(&["http-server", "ip", "enable"]) {
        Some(flag) => flag,
        None => export.absent("http-server ip enable", "listeners", on_off),
    };
    let mut account = account(export, name, span, Live::own(Fact::written(true, span)));
    account.used = on.clone();
    let ix = AccountIx(device.accounts.items.len() as u32);
    let kept = value_at(node, at + 1, is(node, at, "secret-password"));
    let empty = matches!(kept.0, Storage::Empty);
    let mut own = secret(export, SecretUse::AdminLogin, name, span, kept, on.clone());
    own.account = Some(ix);
    account.secret = Some(device.add_secret(own));
    device.accounts.items.push(account);
    device.admin_paths.items.push(path(name, span, ix, listeners(device, &["http"]), empty, on));
}

/// No account: whoever reaches the console is in. Whether the network logins are open as well was not seen in print.
fn nobody(export: &Export<'_>, device: &mut Device) {
    let span = export.head;
    let live: Fact<bool> = export.absent("username", TOPIC, |v| (v == "none").then_some(true));
    let mut account = account(export, "", span, Live::own(live.clone()));
    account.factory = export.absent("username", TOPIC, |v| (v == "none").then_some(Factory::NameAndSecret));
    // There is no name that could be changed.
    account.renamable = Fact::written(false, span);
    let ix = AccountIx(device.accounts.items.len() as u32);
    let mut own = secret(export, SecretUse::AdminLogin, "", span, (Storage::Empty, crate::ir::account::SecretValue::new("")), live.clone());
    own.account = Some(ix);
    account.secret = Some(device.add_secret(own));
    device.accounts.items.push(account);
    device.admin_paths.items.push(path("", span, ix, Vec::new(), true, live.clone()));
    let remote = listeners(device, &["telnet", "http"]);
    let open: Fact<bool> = undocumented("username", span);
    device.admin_paths.items.push(path("", span, ix, remote, true, live.and(&open)));
}

fn policy(export: &Export<'_>, device: &mut Device) {
    let line = export.lines.one(&["terminal", "timeout"]);
    let idle_s = match line {
        Some(node) => ambiguous("terminal timeout", node.span()),
        None => undocumented("terminal timeout", export.head),
    };
    let used = device.admin_paths.items.iter().map(|p| p.live.clone()).reduce(|a, b| if a.value.is_true() { a } else { a.or(&b) });
    let in_use = used.unwrap_or_else(|| undocumented("username", export.head));
    let own = LoginPolicy { span: line.map(|n| n.span()).or(Some(export.head)), in_use, idle_s, ..no_policy(export, Scope::Admin) };
    device.login_policies.items.push(own);
}

/// Rules for logging in about which nothing was found.
pub fn no_policy(export: &Export<'_>, scope: Scope) -> LoginPolicy {
    let enforced = export.product("capability.password_policy", on_off);
    LoginPolicy {
        scope,
        name: String::new(),
        span: None,
        in_use: undocumented("username", export.head),
        lockout_on: export.product("capability.login_lockout", on_off),
        lockout_attempts: undocumented("login lockout", export.head),
        idle_s: undocumented("idle", export.head),
        pw_enforced: enforced,
        pw_min: undocumented("password length", export.head),
        pw_classes: undocumented("password classes", export.head),
        pw_max_age: undocumented("password age", export.head),
    }
}
