//! Administrators: local users, the enable and login passwords, servers, and the rules they log in under.
//!
//! What no `aaa authentication <service> console` line covers has a login of its own: ASDM takes the enable password without a
//! user name (and any local user), Telnet the login password, SSH before 8.4 a fixed user with the login password.

use super::Export;
use super::access::{LOCAL, Servers};
use super::lines::{below, child, has_word};
use super::secret;
use crate::ir::Device;
use crate::ir::account::{Account, AccountIx, AccountKind, AdminPath, Factory, LoginPolicy, Scope, SecretIx, SecretUse, Storage};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::listener::{Limit, ListenerIx, Plane};
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

const TOPIC: &str = "accounts";

struct Reader<'e, 'a> {
    export: &'e Export<'a>,
    servers: Servers<'a>,
}

/// A password of the box itself.
struct OwnPassword {
    line: Option<Span>,
    secret: Option<SecretIx>,
    /// What a login with it asks for; nothing where it is empty.
    factors: Vec<Factor>,
    /// Whether it is the factory's.
    factory: Fact<Factory>,
    empty: bool,
}

/// Fills accounts, ways in, and login rules.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let reader = Reader { export, servers: Servers::new(export) };
    let enable = reader.own_password(&["enable", "password"], SecretUse::PrivilegedMode, "enable", device);
    let login = reader.own_password(&["passwd"], SecretUse::AdminLogin, "passwd", device);
    reader.without_aaa(enable, login, device);
    reader.users(device);
    reader.by_server(device);
    policies(export, device);
    device.accounts.rest = export.rest(TOPIC);
    device.admin_paths.rest = export.rest(TOPIC);
}

fn of_service(device: &Device, service: &str) -> Vec<ListenerIx> {
    let all = (0..).map(ListenerIx).zip(&device.listeners.items);
    all.filter(|(_, l)| l.plane == Plane::Management && l.service == service && !l.redirect_only.value.is_true())
        .map(|(ix, _)| ix)
        .collect()
}

fn account(export: &Export<'_>, name: &str, span: Span, kind: AccountKind, live: Fact<bool>) -> Account {
    let at = Origin::Written(span);
    Account {
        name: name.to_owned(),
        span,
        kind,
        live: Live::own(live),
        factory: Fact::known(Factory::None, at.clone()),
        renamable: export.product("account renamable", super::on_off),
        sources: Limit::None(at.clone()),
        expires: export.product("account expiry", super::on_off),
        expiry: None,
        used: Fact::known(true, at.clone()),
        concurrent: Fact::known(NEVER, at.clone()),
        shared_signs: Fact::known(false, at.clone()),
        secret: None,
        second: Fact::known(false, at),
    }
}

impl<'a> Reader<'_, 'a> {
    /// The line that says who checks logins of a service.
    fn method(&self, service: &str) -> Option<Node<'a>> {
        self.export.lines.last(&["aaa", "authentication", service, "console"])
    }

    fn own_password(&self, words: &[&str], used_for: SecretUse, owner: &str, device: &mut Device) -> OwnPassword {
        let export = self.export;
        let lines = export.lines.all(words);
        let line = lines.into_iter().rfind(|n| n.word(words.len()) != Some("level"));
        let Some(line) = line else {
            // The box always prints it: whoever cut the line out knows what it says.
            let why = || Why::at(WhyCode::NotExported, words.join(" "), vec![export.head]);
            let factors = vec![Factor { kind: FactorKind::Password, required: Fact::unknown(why()) }];
            return OwnPassword { line: None, secret: None, factors, factory: Fact::unknown(why()), empty: false };
        };
        let stored = secret::stored(export, line, words.len(), false);
        let listed = |list: &str| export.grammar.names(list).iter().any(|h| h == stored.1.expose());
        let empty = listed("empty_hashes");
        let factory = if empty || listed("factory_hashes") { Factory::NameAndSecret } else { Factory::Name };
        let factory = match stored.0 {
            Storage::Masked => Fact::unknown(Why::at(WhyCode::Masked, owner, vec![line.span()])),
            _ => Fact::written(factory, line.span()),
        };
        let written = Fact::written(true, line.span());
        let factors = if empty { Vec::new() } else { vec![Factor { kind: FactorKind::Password, required: written.clone() }] };
        let stored = if empty { (Storage::Empty, stored.1) } else { stored };
        let live = self.own_password_live(owner, line, device);
        let ix = device.add_secret(secret::secret(export, used_for, owner, line.span(), stored, live));
        OwnPassword { line: Some(line.span()), secret: Some(ix), factors, factory, empty }
    }

    /// Whether something asks for a password of the box itself.
    fn own_password_live(&self, owner: &str, line: Node<'a>, device: &Device) -> Fact<bool> {
        let asked = if owner == "enable" {
            self.method("enable").is_none() || self.method("http").is_none() && !of_service(device, "https").is_empty()
        } else {
            self.method("telnet").is_none() && !of_service(device, "telnet").is_empty() || self.old_ssh(device) == Some(true)
        };
        match asked {
            true => Fact::written(true, line.span()),
            false => Fact::known(false, Origin::inferred("password_not_asked", [Origin::Written(line.span())])),
        }
    }

    /// Whether SSH answers without an authentication line, in a release that has a fixed user for it.
    fn old_ssh(&self, device: &Device) -> Option<bool> {
        if self.method("ssh").is_some() || of_service(device, "ssh").is_empty() {
            return Some(false);
        }
        self.export.at_least(&[8, 4]).map(|new| !new)
    }

    /// Logins that exist because no line says who checks them.
    fn without_aaa(&self, enable: OwnPassword, login: OwnPassword, device: &mut Device) {
        let export = self.export;
        // A managed box asks its manager's users.
        if export.managed {
            return;
        }
        let asdm = if self.method("http").is_none() { of_service(device, "https") } else { Vec::new() };
        let telnet = if self.method("telnet").is_none() { of_service(device, "telnet") } else { Vec::new() };
        let ssh = match self.old_ssh(device) {
            Some(false) => Vec::new(),
            _ => of_service(device, "ssh"),
        };
        let ssh_live = match (self.old_ssh(device), device.listeners.items.iter().find(|l| l.service == "ssh").and_then(|l| l.span)) {
            (Some(true), Some(span)) => Fact::written(true, span),
            (_, span) => Fact::unknown(Why::at(WhyCode::NotExported, "version", span.into_iter().collect())),
        };
        let span_of = |device: &Device, list: &[ListenerIx]| {
            list.first().and_then(|ix| device.listeners.items[ix.0 as usize].live.own.origin.spans().first().copied())
        };
        let ways = [("enable_15", asdm, &enable, None), ("passwd", telnet, &login, None), ("pix", ssh, &login, Some(ssh_live))];
        let mut by_login: Option<AccountIx> = None;
        for (name, listeners, password, live) in ways {
            if listeners.is_empty() {
                continue;
            }
            let Some(span) = span_of(device, &listeners) else { continue };
            let live = live.unwrap_or_else(|| device.listeners.items[listeners[0].0 as usize].live.value());
            // Telnet and SSH ask for one and the same password.
            let shared = by_login.filter(|_| name == "pix");
            let ix = shared.unwrap_or(AccountIx(device.accounts.items.len() as u32));
            if shared.is_none() {
                let mut own = account(export, name, password.line.unwrap_or(span), AccountKind::Admin, live.clone());
                own.factory = password.factory.clone();
                own.renamable = export.product("factory account renamable", super::on_off);
                own.secret = password.secret.filter(|_| !password.empty);
                device.accounts.items.push(own);
            }
            by_login = by_login.or((name == "passwd").then_some(ix));
            device.admin_paths.items.push(AdminPath {
                principal: name.to_owned(),
                span,
                account: Some(ix),
                listeners,
                factors: password.factors.clone(),
                fallback: false,
                live,
            });
        }
    }

    /// Listeners on which local users log in: as the way, and as the fallback of a server.
    fn local_services(&self, device: &Device) -> (Vec<ListenerIx>, Vec<ListenerIx>) {
        let (mut first, mut fallback) = (Vec::new(), Vec::new());
        for (word, service) in [("ssh", "ssh"), ("http", "https"), ("telnet", "telnet")] {
            let listeners = of_service(device, service);
            match self.method(word) {
                Some(line) if line.word(4) == Some(LOCAL) => first.extend(listeners),
                Some(line) if has_word(line, LOCAL, 5) => fallback.extend(listeners),
                // ASDM lets local users in even where no line says so.
                None if word == "http" => first.extend(listeners),
                _ => {}
            }
        }
        (first, fallback)
    }

    fn users(&self, device: &mut Device) {
        let export = self.export;
        let (first, fallback) = self.local_services(device);
        let authorised = export.lines.last(&["aaa", "authorization", "exec"]);
        let all = export.lines.all(&["username"]);
        let mut attributes: HashMap<&str, Vec<Node<'a>>> = HashMap::new();
        for block in all.iter().filter(|n| n.word(2) == Some("attributes")) {
            attributes.entry(block.word_or_empty(1)).or_default().push(*block);
        }
        for line in all {
            let name = line.word_or_empty(1);
            if !matches!(line.word(2), Some("password" | "nopassword")) {
                continue;
            }
            let blocks = attributes.get(name).map_or(&[][..], Vec::as_slice);
            let attribute = |words: &[&str]| blocks.iter().filter_map(|b| child(*b, words)).next_back();
            let service = attribute(&["service-type"]);
            let vpn_only = service.is_some_and(|n| matches!(n.word(1), Some("remote-access")));
            let no_shell = vpn_only && authorised.is_some();
            let manages = !no_shell && (!first.is_empty() || !fallback.is_empty());
            let kind =
                if vpn_only || !manages && !super::lines::has_word(line, "15", 3) { AccountKind::VpnUser } else { AccountKind::Admin };
            let written = Fact::written(true, line.span());
            let mut own = account(export, name, line.span(), kind, written.clone());
            let ix = AccountIx(device.accounts.items.len() as u32);
            let key = blocks.iter().flat_map(|b| below(*b, &["ssh", "authentication", "publickey"])).next();
            let used_for = if kind == AccountKind::Admin { SecretUse::AdminLogin } else { SecretUse::VpnUser };
            let mut factors = Vec::new();
            if line.word(2) == Some("password") {
                let mut value = secret::secret(export, used_for, name, line.span(), secret::stored(export, line, 3, true), written.clone());
                value.account = Some(ix);
                own.secret = Some(device.add_secret(value));
                factors.push(Factor { kind: FactorKind::Password, required: written.clone() });
            } else if let Some(key) = key {
                factors.push(Factor { kind: FactorKind::DeviceKey, required: Fact::written(true, key.span()) });
            }
            device.accounts.items.push(own);
            for (listeners, fallback) in [(&first, false), (&fallback, true)] {
                if manages && !listeners.is_empty() {
                    device.admin_paths.items.push(AdminPath {
                        principal: name.to_owned(),
                        span: line.span(),
                        account: Some(ix),
                        listeners: listeners.clone(),
                        factors: factors.clone(),
                        fallback,
                        live: written.clone(),
                    });
                }
            }
        }
    }

    /// Whoever a server admits.
    fn by_server(&self, device: &mut Device) {
        let export = self.export;
        let mut seen: Vec<(&str, AccountIx)> = Vec::new();
        for (word, service) in [("ssh", "ssh"), ("http", "https"), ("telnet", "telnet"), ("enable", ""), ("serial", "")] {
            let Some(line) = self.method(word) else { continue };
            let group = line.word_or_empty(4);
            if group == LOCAL || group.is_empty() {
                continue;
            }
            export.uses("aaa_server", group);
            let listeners = if service.is_empty() { Vec::new() } else { of_service(device, service) };
            if listeners.is_empty() {
                continue;
            }
            let live = Fact::written(true, line.span());
            let factors = self.servers.factors(group, live.clone());
            let ix = match seen.iter().find(|(g, _)| *g == group) {
                Some((_, ix)) => *ix,
                None => {
                    let ix = AccountIx(device.accounts.items.len() as u32);
                    let mut own = account(export, &format!("*{group}"), line.span(), AccountKind::Wildcard, live.clone());
                    own.second = Fact::unknown(Why::at(WhyCode::ExternalDecision, group, vec![line.span()]));
                    device.accounts.items.push(own);
                    seen.push((group, ix));
                    ix
                }
            };
            device.admin_paths.items.push(AdminPath {
                principal: format!("*{group}"),
                span: line.span(),
                account: Some(ix),
                listeners,
                factors,
                fallback: false,
                live,
            });
        }
    }
}

/// Rules for administrators and for VPN users.
fn policies(export: &Export<'_>, device: &mut Device) {
    let mut idle: Option<(&str, Fact<i64>, Option<Span>)> = None;
    for (service, words, key) in [
        ("ssh", vec!["ssh", "timeout"], "ssh timeout"),
        ("https", vec!["http", "server", "idle-timeout"], "http server idle-timeout"),
        ("telnet", vec!["telnet", "timeout"], "telnet timeout"),
    ] {
        let line = export.lines.last(&words);
        let live = of_service(device, service).iter().any(|ix| !device.listeners.items[ix.0 as usize].live.value().value.is_false());
        if !live {
            continue;
        }
        let minutes = |v: &str| v.parse::<i64>().ok().map(|m| if m == 0 { NEVER } else { m.saturating_mul(60) });
        let value = match line {
            Some(line) => {
                line.word(words.len()).and_then(minutes).map_or_else(|| super::unclear(key, line.span()), |m| Fact::written(m, line.span()))
            }
            None => export.absent(key, "login_policy", minutes),
        };
        // The longest of the services that answer is what an unattended session has.
        let longer = idle.as_ref().is_none_or(|(_, old, _)| old.get() < value.get());
        if longer {
            idle = Some((service, value, line.map(|n| n.span())));
        }
    }
    let (name, idle_s, span) = match idle {
        Some((name, value, span)) => (name, value, span),
        None => ("ssh", export.absent("ssh timeout", "login_policy", |v| v.parse::<i64>().ok().map(|m| m * 60)), None),
    };
    let in_use = device.admin_paths.items.iter().filter(|p| !p.listeners.is_empty()).map(|p| p.live.clone()).reduce(|a, b| a.or(&b));
    let nobody = || match export.gaps.get(TOPIC) {
        Some(why) => Fact::unknown(why.clone()),
        None => Fact::known(false, Origin::Written(export.head)),
    };
    let common = common(export);
    let admin = LoginPolicy {
        scope: Scope::Admin,
        name: name.to_owned(),
        span: span.or(common.span),
        in_use: in_use.unwrap_or_else(nobody),
        idle_s,
        ..common.clone()
    };
    device.login_policies = export.list("login_policy", vec![admin]);
}

/// What holds for every local login: lockout and password rules.
pub fn common(export: &Export<'_>) -> LoginPolicy {
    let fail = export.lines.last(&["aaa", "local", "authentication", "attempts", "max-fail"]);
    let attempts = |v: &str| if v == "none" { Some(NEVER) } else { v.parse().ok() };
    let lockout_attempts = match fail {
        Some(line) => {
            line.word(5).and_then(attempts).map_or_else(|| super::unclear("max-fail", line.span()), |n| Fact::written(n, line.span()))
        }
        None => export.absent("aaa local authentication attempts max-fail", "login_policy", attempts),
    };
    let rule = |what: &str| {
        let line = export.lines.last(&["password-policy", what])?;
        Some((line.word(2).and_then(|w| w.parse::<i64>().ok())?, line.span()))
    };
    let minimum = rule("minimum-length");
    let classes: Vec<(i64, Span)> = ["minimum-uppercase", "minimum-lowercase", "minimum-numeric", "minimum-special"]
        .iter()
        .filter_map(|w| rule(w))
        .filter(|(n, _)| *n > 0)
        .collect();
    let none = |key: &'static str| export.absent(key, "login_policy", |v| v.parse::<i64>().ok());
    let enforced = match minimum.iter().chain(&classes).next() {
        Some((_, span)) => Fact::written(true, *span),
        None => export.absent("password-policy", "login_policy", super::on_off),
    };
    LoginPolicy {
        scope: Scope::Vpn,
        name: String::new(),
        span: fail.map(|n| n.span()),
        in_use: Fact::known(false, Origin::Written(export.head)),
        lockout_on: lockout_attempts.map(|n| *n != NEVER),
        lockout_attempts,
        idle_s: Fact::known(NEVER, Origin::Written(export.head)),
        pw_enforced: enforced,
        pw_min: minimum.map_or_else(|| none("password-policy minimum-length"), |(n, s)| Fact::written(n, s)),
        pw_classes: match classes.first() {
            Some(_) => Fact::known(classes.len() as i64, Origin::all(classes.iter().map(|(_, s)| Origin::Written(*s)))),
            None => none("password-policy classes"),
        },
        pw_max_age: match rule("lifetime") {
            Some((days, span)) => Fact::written(if days == 0 { NEVER } else { days.saturating_mul(86_400) }, span),
            None => none("password-policy lifetime").map(|d| if *d == 0 { NEVER } else { *d }),
        },
    }
}
