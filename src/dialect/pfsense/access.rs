//! Ways in for administrators, rules for logging in, and servers that check logins.
//!
//! The web page asks one server or the box's own users; the box's own users count where that server does not answer. The product has no
//! second factor of its own: a RADIUS server may ask for one, and the export cannot say.

use super::Lowering;
use super::account::{User, users};
use crate::ir::account::{AccountIx, AdminPath, AuthServer, LoginPolicy, Scope, SecretUse};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, OpaqueKind};
use crate::ir::listener::{ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use crate::syntax::xml::Element;

/// Servers that check logins.
pub(super) fn servers(l: &mut Lowering<'_>) {
    for row in l.cx.rows("system", "authserver") {
        let name = row.value("name").unwrap_or("").to_owned();
        let kind = match row.value("type") {
            Some("radius") => "radius",
            Some("ldap") => "ldap",
            _ => "other",
        };
        let address = match row.filled("host") {
            Some(e) => Fact::written(
                super::address::literal(e.text()).unwrap_or_else(|| super::address::opaque(OpaqueKind::Fqdn, e.text(), e.text_span())),
                e.span(),
            ),
            None => Fact::written(AddrExpr::Nothing, row.span()),
        };
        let tls = match row.filled("ldap_urltype") {
            Some(e) => Fact::written(e.text().contains("SSL") || e.text().contains("STARTTLS"), e.span()),
            None if kind == "ldap" => l.cx.behaviour("authserver.ldap_tls", Some(row.span())),
            None => l.cx.behaviour("authserver.radius_tls", Some(row.span())),
        };
        let used = used_by(l, &name);
        let live = Live::own(Fact::written(true, row.span())).with(
            LinkKind::Referenced,
            match used {
                Some(at) => Fact::written(true, at),
                None => Fact::known(false, Origin::inferred("unused_auth_server", [Origin::Written(row.span())])),
            },
        );
        for (element, used_for) in [("radius_secret", SecretUse::Radius), ("ldap_bindpw", SecretUse::LdapBind)] {
            if let Some(e) = row.filled(element) {
                let owner = super::secret::Owner::thing(name.clone(), live.value());
                super::secret::push(l, e, super::secret::Purpose::presents(used_for), owner);
            }
        }
        l.device.auth_servers.items.push(AuthServer { name, span: row.span(), kind, address, tls, live });
    }
}

/// The line that names a server: the web page's, an OpenVPN server's, that of mobile IPsec.
fn used_by(l: &Lowering<'_>, name: &str) -> Option<Span> {
    let holds = |e: &Element<'_>| e.text().split(',').any(|m| m.trim() == name);
    let web = l.cx.at("system/webgui/authmode").filter(holds);
    let vpn = || l.cx.rows("openvpn", "openvpn-server").into_iter().filter_map(|s| s.filled("authmode")).find(holds);
    let mobile = || l.cx.at("ipsec/client/user_source").filter(holds);
    let portal = || l.cx.section("captiveportal")?.children().filter_map(|z| z.filled("auth_server")).find(|e| e.text().contains(name));
    web.or_else(vpn).or_else(mobile).or_else(portal).map(|e| e.span())
}

/// What servers of a list ask of a user besides a password: nothing if it is the box itself, perhaps something if it is RADIUS.
pub(super) fn asked(l: &Lowering<'_>, servers: Element<'_>) -> Vec<Factor> {
    let mut factors = vec![Factor { kind: FactorKind::Password, required: Fact::written(true, servers.span()) }];
    let names: Vec<&str> = servers.text().split(',').map(str::trim).collect();
    let radius = |name: &str| l.device.auth_servers.iter().any(|s| s.name == name && s.kind == "radius");
    if names.iter().all(|n| radius(n)) {
        let why = Why::at(WhyCode::ExternalDecision, servers.text(), vec![servers.text_span()]);
        factors.push(Factor { kind: FactorKind::OneTime, required: Fact::unknown(why) });
    }
    factors
}

/// Ways in for administrators, and rules for logging in.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let listeners = |service: &[&str]| -> Vec<ListenerIx> {
        let all = l.device.listeners.items.iter().enumerate();
        all.filter(|(_, x)| x.plane == Plane::Management && service.contains(&x.service)).map(|(ix, _)| ListenerIx(ix as u32)).collect()
    };
    let (web, ssh) = (listeners(&["https", "http"]), listeners(&["ssh"]));
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

fn path(name: &str, span: Span, account: AccountIx, listeners: Vec<ListenerIx>, factors: Vec<Factor>, live: Fact<bool>) -> AdminPath {
    AdminPath { principal: name.to_owned(), span, account: Some(account), listeners, factors, fallback: false, live }
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
