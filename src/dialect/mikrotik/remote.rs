//! Dial-in servers: L2TP, PPTP, SSTP and OpenVPN, their users in `/ppp secret`, and what profiles say about sessions.
//!
//! A user's `service` says where the name counts; the factory's value is everywhere. `use-ipsec=yes` only offers IPsec: plain L2TP is
//! still accepted, and only `required` refuses it.

use super::menus::{Item, Value};
use super::{Export, address, interface, proposal, seconds, secret, yes_no};
use crate::ir::Device;
use crate::ir::account::{Account, AccountIx, AccountKind, Direction, Factory, LoginPolicy, Scope, SecretUse, Storage};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::listener::{Limit, LimitStage, ListenerIx};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess};
use crate::source::Span;

const TOPIC: &str = "remote_access";

/// A server that dial-in users reach.
pub struct Server<'a> {
    /// The word of `/ppp secret service=`.
    pub kind: &'static str,
    pub on: Fact<bool>,
    pub span: Span,
    pub name: String,
    menu: &'static str,
    items: Vec<Item<'a>>,
}

impl<'a> Server<'a> {
    /// A setting of the server; the last line that gives it counts.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.items.iter().fold(None, |last, i| i.get(key).or(last)).filter(|v| !v.text.is_empty())
    }

    /// The port it listens on.
    pub fn port(&self, export: &Export<'_>) -> Fact<u16> {
        self.value(export, "port", |w| w.parse().ok())
    }

    fn value<T>(&self, export: &Export<'_>, key: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        match self.get(key) {
            Some(value) => match parse(value.text) {
                Some(known) => Fact::written(known, value.span),
                None => Fact::unknown(Why::at(WhyCode::Ambiguous, value.key, vec![value.span])),
            },
            None => export.default_at(&format!("{}.{key}", self.menu), self.span, parse),
        }
    }

    fn interface(&self) -> String {
        format!("<{}>", self.name)
    }
}

/// The servers the export speaks of.
pub fn servers<'a>(export: &Export<'a>) -> Vec<Server<'a>> {
    let mut out = Vec::new();
    for (kind, menu) in [
        ("l2tp", "interface l2tp-server server"),
        ("pptp", "interface pptp-server server"),
        ("sstp", "interface sstp-server server"),
        ("ovpn", "interface ovpn-server server"),
    ] {
        let items = export.menus.items(&format!("/{menu}"));
        let settings: Vec<Item<'a>> = items.iter().filter(|i| i.verb() == "set").copied().collect();
        if let Some(first) = settings.first() {
            let span = first.span();
            let mut server = Server { kind, on: Fact::written(false, span), span, name: kind.to_owned(), menu, items: settings };
            server.on = server.value(export, "enabled", yes_no);
            if let Some(value) = server.get("enabled") {
                server.span = value.span;
            }
            out.push(server);
        }
        // Later releases have a list of OpenVPN servers. The row every box has stays off unless it says otherwise.
        for row in items.iter().filter(|i| i.verb() == "add") {
            let name = row.text("name").map_or(kind, |v| v.text).to_owned();
            let on = match row.text("disabled") {
                Some(value) => super::yes(&value).negate(),
                None => export.default_at("interface ovpn-server server.disabled", row.span(), yes_no).negate(),
            };
            out.push(Server { kind, on, span: row.span(), name, menu, items: vec![*row] });
        }
    }
    out
}

/// Virtual interfaces of the servers, and the list their profile puts sessions into.
pub fn server_interfaces(export: &Export<'_>) -> Vec<(String, Span, Option<String>)> {
    let servers = servers(export);
    let live = servers.iter().filter(|s| !s.on.value.is_false());
    live.map(|s| {
        let list = profile(export, profile_of(s)).and_then(|p| p.text("interface-list")).map(|v| v.text.to_owned());
        (s.interface(), s.span, list)
    })
    .collect()
}

fn profile_of<'a>(server: &Server<'a>) -> &'a str {
    server.get("default-profile").map_or("default-encryption", |v| v.text)
}

/// The row of a profile.
fn profile<'e, 'a>(export: &'e Export<'a>, name: &'a str) -> Option<&'e Item<'a>> {
    export.row("/ppp profile", name)
}

/// Fills users, remote access, and what holds for their logins.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let servers = servers(export);
    let users = users(export, &servers, device);
    let any = servers.iter().map(|s| s.on.clone()).reduce(|a, b| a.or(&b));
    for server in servers.iter().filter(|s| !s.on.value.is_false()) {
        let access = remote_access(export, server, &users, device);
        device.remote_access.items.push(access);
    }
    if let Some(in_use) = any.filter(|a| !a.value.is_false()) {
        let policy = login_policy(export, in_use, &users);
        device.login_policies.items.push(policy);
    }
}

struct User<'a> {
    item: Item<'a>,
    name: &'a str,
    account: AccountIx,
    empty: bool,
    enabled: Fact<bool>,
}

impl User<'_> {
    fn may_use(&self, kind: &str) -> bool {
        self.item.text("service").is_none_or(|v| v.text == "any" || v.text == kind)
    }
}

fn users<'a>(export: &Export<'a>, servers: &[Server<'a>], device: &mut Device) -> Vec<User<'a>> {
    let mut out = Vec::new();
    // Servers for lines inside: nobody reaches them from beyond the link, but they give users a use.
    let pppoe = export.menus.rows("/interface pppoe-server server");
    let pppoe = pppoe.map(|s| export.enabled(s, "interface pppoe-server server")).reduce(|a, b| a.or(&b));
    for item in export.menus.rows("/ppp secret") {
        let Some(name) = item.text("name") else { continue };
        for key in [
            "comment",
            "local-address",
            "remote-address",
            "routes",
            "profile",
            "last-logged-out",
            "ipv6-routes",
            "limit-bytes-in",
            "limit-bytes-out",
        ] {
            let _ = item.get(key);
        }
        let enabled = export.enabled(item, "ppp secret");
        let account = AccountIx(device.accounts.items.len() as u32);
        let user = User { item: *item, name: name.text, account, empty: false, enabled: enabled.clone() };
        let here = pppoe.iter().filter(|_| user.may_use("pppoe")).cloned();
        let on = servers.iter().filter(|s| user.may_use(s.kind)).map(|s| s.on.clone()).chain(here).reduce(|a, b| a.or(&b));
        let used = on.unwrap_or_else(|| Fact::known(false, Origin::inferred("infer.no_server_for_user", [Origin::Written(item.span())])));
        let live = Live::own(enabled).with(LinkKind::FeatureOn, used.clone());
        let found = secret::of(export, item, "password");
        let empty = matches!(found.storage, Storage::Empty);
        let own = secret::add(device, found, SecretUse::VpnUser, name.text, Direction::Verifies, live.value());
        if let Some(secret) = device.secrets.items.get_mut(own.0 as usize) {
            secret.account = Some(account);
        }
        let sources = match item.text("caller-id") {
            Some(value) => match address::set(value.text) {
                Some(set) => Limit::Sources { stage: LimitStage::Login, admits: Fact::written(set, value.span) },
                None => Limit::Unknown(Why::at(WhyCode::RuntimeContent, "caller-id", vec![value.span])),
            },
            None => Limit::None(Origin::Written(item.span())),
        };
        device.accounts.items.push(Account {
            name: name.text.to_owned(),
            span: item.span(),
            kind: AccountKind::VpnUser,
            live,
            factory: Fact::written(Factory::None, item.span()),
            renamable: Fact::written(true, item.span()),
            sources,
            expires: Fact::written(false, item.span()),
            expiry: None,
            used,
            concurrent: concurrent(export, item),
            shared_signs: Fact::written(false, item.span()),
            secret: Some(own),
            second: Fact::written(false, item.span()),
        });
        out.push(User { empty, ..user });
    }
    out
}

/// `only-one` of a user's profile.
fn concurrent(export: &Export<'_>, item: &Item<'_>) -> Fact<i64> {
    let name = item.text("profile").map_or("default", |v| v.text);
    let most = |w: &str| match w {
        "yes" => Some(1),
        "no" | "default" => Some(NEVER),
        _ => None,
    };
    match profile(export, name).and_then(|p| p.text("only-one")) {
        Some(value) => most(value.text)
            .map_or_else(|| Fact::unknown(Why::at(WhyCode::Ambiguous, "only-one", vec![value.span])), |n| Fact::written(n, value.span)),
        None => export.default_at("ppp profile.only-one", item.span(), most),
    }
}

/// The longest time that the profiles of a server's users allow.
fn longest(export: &Export<'_>, server: &Server<'_>, users: &[User<'_>], key: &str) -> Fact<i64> {
    let mut names: Vec<&str> =
        users.iter().filter(|u| u.may_use(server.kind)).map(|u| u.item.text("profile").map_or("default", |v| v.text)).collect();
    names.push(profile_of(server));
    names.sort_unstable();
    names.dedup();
    let mut worst: Option<Fact<i64>> = None;
    for name in names {
        let one = match profile(export, name).and_then(|p| p.text(key)) {
            Some(value) => seconds(value.text)
                .map_or_else(|| Fact::unknown(Why::at(WhyCode::Ambiguous, key, vec![value.span])), |s| Fact::written(s, value.span)),
            None => export.default_at(&format!("ppp profile.{key}"), server.span, seconds),
        };
        worst = match worst {
            Some(w) if w.get().copied().unwrap_or(NEVER) >= one.get().copied().unwrap_or(NEVER) => Some(w),
            _ => Some(one),
        };
    }
    worst.unwrap_or_else(|| export.default_at(&format!("ppp profile.{key}"), server.span, seconds))
}

fn factor(kind: FactorKind, required: Fact<bool>) -> Factor {
    Factor { kind, required }
}

fn remote_access(export: &Export<'_>, server: &Server<'_>, users: &[User<'_>], device: &mut Device) -> RemoteAccess {
    let l2tp_ipsec = (server.kind == "l2tp").then(|| server.value(export, "use-ipsec", |w| Some(w.to_owned())));
    let required = l2tp_ipsec.as_ref().is_some_and(|u| u.get().is_some_and(|w| w == "required"));
    let offered = required || l2tp_ipsec.as_ref().is_some_and(|u| u.get().is_some_and(|w| w == "yes"));
    let (kind, services): (&'static str, &[&str]) = match server.kind {
        "l2tp" if required => ("l2tp_ipsec", &["ike", "esp", "l2tp"]),
        "l2tp" => ("l2tp_plain", &["l2tp"]),
        "pptp" => ("pptp", &["pptp"]),
        "sstp" => ("sstp", &["sstp"]),
        _ => ("openvpn", &["openvpn"]),
    };
    let mut shared = Vec::new();
    if let Some(item) = server.items.iter().rfind(|i| i.text("ipsec-secret").is_some()).filter(|_| offered) {
        let found = secret::of(export, item, "ipsec-secret");
        let at = found.span;
        secret::add(device, found, SecretUse::IkePsk, &server.name, Direction::Verifies, server.on.clone());
        if required {
            shared.push(factor(FactorKind::GroupSecret, Fact::written(true, at)));
        }
    }
    match server.kind {
        "sstp" => {
            shared.push(factor(FactorKind::ClientCert, server.value(export, "verify-client-certificate", |w| Some(w.starts_with("yes")))))
        }
        "ovpn" => shared.push(factor(FactorKind::ClientCert, server.value(export, "require-client-certificate", yes_no))),
        _ => {}
    }
    let mut paths = Vec::new();
    let mut pools = Vec::new();
    for user in users.iter().filter(|u| u.may_use(server.kind) && !u.enabled.value.is_false()) {
        let mut factors = Vec::new();
        if !user.empty {
            factors.push(factor(FactorKind::Password, Fact::written(true, user.item.span())));
        }
        factors.extend(shared.iter().cloned());
        paths.push(AuthPath {
            principal: user.name.to_owned(),
            span: user.item.span(),
            account: Some(user.account),
            factors,
            fallback: false,
            live: server.on.and(&user.enabled),
        });
        pools.extend(user.item.text("remote-address"));
        pools.extend(profile(export, user.item.text("profile").map_or("default", |v| v.text)).and_then(|p| p.text("remote-address")));
    }
    let radius = export.switch("/ppp aaa", "use-radius", TOPIC);
    if radius.value.is_true() {
        let at = radius.origin.spans();
        let asks = Fact::unknown(Why::at(WhyCode::ExternalDecision, "RADIUS", at.clone()));
        let mut factors = vec![factor(FactorKind::Password, radius.clone()), factor(FactorKind::OneTime, asks)];
        factors.extend(shared.iter().cloned());
        let span = at.first().copied().unwrap_or(server.span);
        paths.push(AuthPath {
            principal: "RADIUS".to_owned(),
            span,
            account: None,
            factors,
            fallback: false,
            live: server.on.and(&radius),
        });
    }
    let crypto = offered.then(|| proposal::default_crypto(export, server.span));
    let listeners =
        (0..).map(ListenerIx).zip(&device.listeners.items).filter(|(_, l)| services.contains(&l.service)).map(|(ix, _)| ix).collect();
    pools.extend(profile(export, profile_of(server)).and_then(|p| p.text("remote-address")));
    RemoteAccess {
        name: server.name.clone(),
        kind,
        span: server.span,
        live: Live::own(server.on.clone()),
        listeners,
        interface: export.interfaces.named(&server.interface()),
        outer: interface::outer(export),
        paths: export.list(TOPIC, paths),
        idle_s: longest(export, server, users, "idle-timeout"),
        session_s: longest(export, server, users, "session-timeout"),
        concurrent: Fact::written(NEVER, server.span),
        aggressive_psk: Fact::written(false, server.span),
        pool: pool(export, &pools, server.span),
        crypto,
        note: None,
    }
}

/// Addresses of pools by name, or given as they are.
fn pool(export: &Export<'_>, values: &[Value<'_>], at: Span) -> Fact<AddrExpr> {
    let mut parts = Vec::new();
    let mut origins = Vec::new();
    for value in values {
        if let Some(set) = address::set(value.text) {
            parts.push(set);
        } else {
            let Some(ranges) = export.row("/ip pool", value.text).and_then(|r| r.text("ranges")) else { continue };
            parts.extend(ranges.parts().filter_map(address::set));
            origins.push(Origin::Written(ranges.span));
        }
        origins.push(Origin::Written(value.span));
        if parts.len() > 256 {
            break;
        }
    }
    if parts.is_empty() {
        return Fact::unknown(Why::at(WhyCode::RuntimeContent, "remote-address", vec![at]));
    }
    Fact::known(AddrExpr::union(parts), Origin::all(origins))
}

fn login_policy(export: &Export<'_>, in_use: Fact<bool>, users: &[User<'_>]) -> LoginPolicy {
    let servers = servers(export);
    let idle = servers.iter().filter(|s| !s.on.value.is_false()).map(|s| longest(export, s, users, "idle-timeout"));
    let idle = idle.max_by_key(|f| f.get().copied().unwrap_or(NEVER));
    let no = export.product("capability.login_lockout", yes_no);
    LoginPolicy {
        scope: Scope::Vpn,
        name: "PPP".to_owned(),
        span: servers.iter().find(|s| !s.on.value.is_false()).map(|s| s.span),
        in_use,
        lockout_attempts: no.map(|_| NEVER),
        lockout_on: no.clone(),
        idle_s: idle.unwrap_or_else(|| export.product("ppp profile.idle-timeout", seconds)),
        pw_enforced: export.product("ppp secret.password-policy", yes_no),
        pw_min: export.product("ppp secret.minimum-password-length", |w| w.parse().ok()),
        pw_classes: export.product("ppp secret.minimum-password-length", |w| w.parse().ok()),
        pw_max_age: export.product("ppp secret.password-age", seconds),
    }
}

/// A list of ways in that is as complete as the export.
pub fn ways(export: &Export<'_>, paths: Vec<AuthPath>) -> List<AuthPath> {
    export.list(TOPIC, paths)
}
