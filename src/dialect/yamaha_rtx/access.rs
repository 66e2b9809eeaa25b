//! Who may administer the router: the nameless user, named users, the administrator's password, and the timers of their sessions.
//!
//! `user attribute` of a name goes before `*`, and both before the defaults. What is masked stays unknown; what is missing in a
//! whole export is missing. Secrets never reach names or reasons.

use super::commands::{Command, Scope};
use super::{Export, Input, address, on_off, seconds};
use crate::ir::Device;
use crate::ir::account::{
    Account, AccountIx, AccountKind, AdminPath, Direction, Factory, LoginPolicy, Scope as For, Secret, SecretUse, SecretValue, Storage,
};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::listener::{Limit, LimitStage, ListenerIx};
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use std::collections::HashMap;

const TOPIC: &str = "accounts";

/// Fills administrators and their secrets.
pub fn fill(export: &Export<'_>, input: &Input<'_>, device: &mut Device) {
    let attributes = Attributes::read(export);
    let mut timers: Vec<(String, Fact<i64>, Span)> = Vec::new();
    let named_only = export.train_in("named_only_trains") || export.version.is_none() && attributes.new_model;
    device.accounts = export.list(TOPIC, Vec::new());
    device.admin_paths = export.list(TOPIC, Vec::new());
    device.secrets = export.list("secrets", Vec::new());
    device.login_policies = export.list("login_policy", Vec::new());
    let may_be_elsewhere = export.gaps.contains_key(TOPIC) && export.commands.one(Scope::Global, "login password").is_none();
    if !named_only && !may_be_elsewhere {
        nameless(export, input, &attributes, device);
        timers.extend(attributes.timer(None).map(|(t, s)| (String::new(), t, s)));
    }
    for command in export.commands.everywhere("login user $") {
        named(export, &attributes, &command, device);
        timers.extend(attributes.timer(Some(command.keys[0])).map(|(t, s)| (command.keys[0].to_owned(), t, s)));
    }
    remote_logins(export, device);
    administrator(export, input, named_only, device);
    policies(export, &timers, device);
}

/// `user attribute` lines by user: `None` the nameless one, `*` everybody.
struct Attributes<'a> {
    by_user: HashMap<Option<&'a str>, Command<'a>>,
    new_model: bool,
}

impl<'a> Attributes<'a> {
    fn read(export: &Export<'a>) -> Attributes<'a> {
        let mut by_user = HashMap::new();
        let mut new_model = false;
        for (_, command) in export.commands.events(&["user attribute"]) {
            let user = command.arg(0).filter(|w| !w.contains('='));
            new_model |= command.args().any(|(w, _)| w == "administrator=2" || w == "administrator=1");
            if command.negated {
                by_user.remove(&user);
            } else {
                by_user.insert(user, command);
            }
        }
        Attributes { by_user, new_model }
    }

    /// The value of an attribute for a user, with its word and line.
    fn value(&self, user: Option<&str>, name: &str) -> Option<(&'a str, Span)> {
        let find = |command: &Command<'a>| {
            command.args().find_map(|(w, s)| w.split_once('=').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| (v, s)))
        };
        self.by_user.get(&user).and_then(find).or_else(|| self.by_user.get(&Some("*")).and_then(find))
    }

    fn timer(&self, user: Option<&str>) -> Option<(Fact<i64>, Span)> {
        let (value, span) = self.value(user, "login-timer")?;
        // Sessions over the network end after 300 seconds even then.
        let seconds = if value == "clear" { Some(300) } else { seconds(value) };
        Some((
            seconds.map_or_else(|| Fact::unknown(Why::at(WhyCode::Ambiguous, "login-timer", vec![span])), |s| Fact::written(s, span)),
            span,
        ))
    }

    /// The ways in a user has: words of `connection=`; `None` for all.
    fn connections(&self, export: &Export<'_>, user: Option<&str>) -> Fact<Vec<String>> {
        let words = |v: &str| v.split(',').map(str::to_ascii_lowercase).collect::<Vec<_>>();
        match self.value(user, "connection") {
            Some((value, span)) => Fact::written(words(value), span),
            None => export.absent("user attribute connection", TOPIC, |v| Some(words(v))),
        }
    }

    fn sources(&self, export: &Export<'_>, user: Option<&str>) -> Limit {
        let Some((value, span)) = self.value(user, "host") else {
            let any = export.absent("user attribute host", TOPIC, |v| (v == "any").then_some(()));
            return match any.value.why() {
                Some(why) => Limit::Unknown(why.clone()),
                None => Limit::None(any.origin),
            };
        };
        let mut parts = Vec::new();
        for word in value.split(',') {
            match word.to_ascii_lowercase().as_str() {
                "any" => return Limit::None(Origin::Written(span)),
                "lan" => parts.push(AddrExpr::LanNets),
                w => match address::one(w) {
                    Some(expr) => parts.push(expr),
                    None => parts.extend(export.interfaces.word(w, Scope::Global).map(AddrExpr::InterfaceNet)),
                },
            }
        }
        Limit::Sources { stage: LimitStage::Login, admits: Fact::written(AddrExpr::Union(parts), span) }
    }

    fn concurrent(&self, export: &Export<'_>, user: Option<&str>) -> Fact<i64> {
        let of = |on: bool| if on { NEVER } else { 1 };
        match self.value(user, "multi-session") {
            Some((value, span)) => Fact::written(of(!value.eq_ignore_ascii_case("off")), span),
            None => export.absent("user attribute multi-session", TOPIC, |v| on_off(v).map(of)),
        }
    }
}

/// The password words of a line: `PASS`, `encrypted BLOB`, `*`.
pub fn storage(command: &Command<'_>, at: usize) -> (Storage, SecretValue) {
    let first = command.arg_or_empty(at);
    let encrypted = first.eq_ignore_ascii_case("encrypted") && command.arg(at + 1).is_some();
    let value = command.arg_or_empty(if encrypted { at + 1 } else { at });
    let storage = match (value, encrypted) {
        ("*", _) => Storage::Masked,
        ("", _) => Storage::Empty,
        (_, true) => Storage::Opaque,
        _ => Storage::Clear,
    };
    (storage, SecretValue::new(value))
}

/// A secret of this dialect: nobody gives a second factor and nothing is rotated unless said so afterwards.
pub fn secret(
    export: &Export<'_>,
    used_for: SecretUse,
    owner: impl Into<String>,
    span: Span,
    stored: (Storage, SecretValue),
    live: Fact<bool>,
) -> Secret {
    Secret {
        used_for,
        owner: owner.into(),
        span,
        storage: stored.0,
        value: stored.1,
        direction: Direction::Verifies,
        live,
        protocol_needs_clear: false,
        account: None,
        owner_second: export.product("capability.admin_second_factor", on_off),
        rotated: export.product("account expiry", on_off),
    }
}

fn listeners(device: &Device, connections: &[String], nameless: bool) -> Vec<ListenerIx> {
    let all = connections.iter().any(|c| c == "all");
    let may = |word: &str| all || connections.iter().any(|c| c == word);
    let services: Vec<&str> = [("telnet", "telnet"), ("ssh", "ssh"), ("sftp", "sftp"), ("http", "http")]
        .into_iter()
        // The nameless user cannot use SSH or SFTP.
        .filter(|(word, _)| may(word) && !(nameless && matches!(*word, "ssh" | "sftp")))
        .map(|(_, service)| service)
        .collect();
    (0..).map(ListenerIx).zip(&device.listeners.items).filter(|(_, l)| services.contains(&l.service)).map(|(ix, _)| ix).collect()
}

fn factor(kind: FactorKind, required: Fact<bool>) -> Factor {
    Factor { kind, required }
}

fn account(export: &Export<'_>, name: &str, span: Span, live: Live) -> Account {
    Account {
        name: name.to_owned(),
        span,
        kind: AccountKind::Admin,
        live,
        factory: Fact::known(Factory::None, Origin::Written(span)),
        renamable: export.product("user name change", on_off),
        sources: Limit::None(Origin::Written(span)),
        expires: export.product("account expiry", on_off),
        expiry: None,
        used: Fact::known(true, Origin::Written(span)),
        concurrent: Fact::known(NEVER, Origin::Written(span)),
        shared_signs: Fact::known(false, Origin::Written(span)),
        secret: None,
        second: export.product("capability.admin_second_factor", on_off),
    }
}

/// The nameless user, who is there on older models whether a line speaks of him or not.
fn nameless(export: &Export<'_>, input: &Input<'_>, attributes: &Attributes<'_>, device: &mut Device) {
    let line = export.commands.one(Scope::Global, "login password");
    let span = line.map_or_else(|| export.head_span(input), |c| c.span());
    let connections = attributes.connections(export, None);
    let usable = connections.map(|c| !c.iter().any(|w| w == "off"));
    let mut account = account(export, "", span, Live::own(usable.clone()));
    account.renamable = export.product("nameless user change", on_off);
    account.sources = attributes.sources(export, None);
    account.concurrent = attributes.concurrent(export, None);
    let stored = line.map_or_else(|| (Storage::Empty, SecretValue::new("")), |c| storage(&c, 0));
    let empty = matches!(stored.0, Storage::Empty);
    account.factory = match line {
        // He is the factory's own, with a password that is not.
        Some(command) => Fact::written(Factory::Name, command.span()),
        None => export.absent("login password", TOPIC, |v| (v == "none").then_some(Factory::NameAndSecret)),
    };
    let ix = AccountIx(device.accounts.items.len() as u32);
    let mut own = secret(export, SecretUse::AdminLogin, "", span, stored, usable.clone());
    own.account = Some(ix);
    account.secret = Some(device.add_secret(own));
    device.accounts.items.push(account);
    let factors = if empty { Vec::new() } else { vec![factor(FactorKind::Password, Fact::known(true, Origin::Written(span)))] };
    let listeners = listeners(device, connections.get().map_or(&[][..], Vec::as_slice), true);
    device.admin_paths.items.push(AdminPath {
        principal: String::new(),
        span,
        account: Some(ix),
        listeners,
        factors,
        fallback: false,
        live: usable,
    });
}

fn named(export: &Export<'_>, attributes: &Attributes<'_>, command: &Command<'_>, device: &mut Device) {
    let name = command.keys[0];
    let user = Some(name);
    let connections = attributes.connections(export, user);
    let usable = connections.map(|c| !c.iter().any(|w| w == "off"));
    let mut account = account(export, name, command.span(), Live::own(usable.clone()));
    account.sources = attributes.sources(export, user);
    account.concurrent = attributes.concurrent(export, user);
    let factory_name = export.train_in("named_only_trains") && export.grammar.names("factory_users").iter().any(|f| f == name);
    if factory_name {
        account.factory = Fact::written(Factory::Name, command.span());
    }
    let ix = AccountIx(device.accounts.items.len() as u32);
    let stored = storage(command, 0);
    let empty = matches!(stored.0, Storage::Empty);
    let mut own = secret(export, SecretUse::AdminLogin, name, command.span(), stored, usable.clone());
    own.account = Some(ix);
    account.secret = Some(device.add_secret(own));
    device.accounts.items.push(account);
    let words = connections.get().map_or(&[][..], Vec::as_slice).to_vec();
    let by_key = match export.commands.one(Scope::Global, "sshd auth method") {
        Some(line) => Fact::written(line.is("publickey"), line.span()),
        None => export.absent("sshd auth method", TOPIC, |v| Some(v == "publickey")),
    };
    let written = Origin::Written(command.span());
    let password = if empty { Vec::new() } else { vec![factor(FactorKind::Password, Fact::known(true, written))] };
    let (ssh, rest): (Vec<ListenerIx>, Vec<ListenerIx>) = listeners(device, &words, false)
        .into_iter()
        .partition(|ix| matches!(device.listeners.items[ix.0 as usize].service, "ssh" | "sftp"));
    let path = |listeners, factors| AdminPath {
        principal: name.to_owned(),
        span: command.span(),
        account: Some(ix),
        listeners,
        factors,
        fallback: false,
        live: usable.clone(),
    };
    // SSH that asks for keys is a way of its own; where a password does as well, it is the same way as the others.
    if by_key.value.is_true() && !ssh.is_empty() {
        device.admin_paths.items.push(path(ssh, vec![factor(FactorKind::DeviceKey, by_key)]));
        // Without another listener what is left is the console, if he may use it.
        if !rest.is_empty() || words.iter().any(|w| w == "all" || w == "serial") {
            device.admin_paths.items.push(path(rest, password));
        }
    } else {
        device.admin_paths.items.push(path(ssh.into_iter().chain(rest).collect(), password));
    }
}

/// `login radius use on`: whoever the server admits.
fn remote_logins(export: &Export<'_>, device: &mut Device) {
    let Some(line) = export.commands.one(Scope::Global, "login radius use").filter(|c| c.is("on")) else { return };
    let live = Fact::written(true, line.span());
    let mut account = account(export, "*radius", line.span(), Live::own(live.clone()));
    account.kind = AccountKind::Wildcard;
    account.second = Fact::unknown(Why::at(WhyCode::ExternalDecision, "radius", vec![line.span()]));
    let ix = AccountIx(device.accounts.items.len() as u32);
    let factors = vec![factor(FactorKind::Password, live.clone()), factor(FactorKind::OneTime, account.second.clone())];
    device.accounts.items.push(account);
    let listeners = listeners(device, &["all".to_owned()], false);
    device.admin_paths.items.push(AdminPath {
        principal: "*radius".to_owned(),
        span: line.span(),
        account: Some(ix),
        listeners,
        factors,
        fallback: false,
        live,
    });
}

/// The administrator's password, a privileged mode; without one, Enter is enough.
fn administrator(export: &Export<'_>, input: &Input<'_>, named_only: bool, device: &mut Device) {
    match export.commands.one(Scope::Global, "administrator password") {
        Some(command) => {
            let own = secret(
                export,
                SecretUse::PrivilegedMode,
                "administrator",
                command.span(),
                storage(&command, 0),
                Fact::written(true, command.span()),
            );
            device.add_secret(own);
        }
        // On models with named users only, `administrator=2` takes its place.
        None if named_only || export.gaps.contains_key(TOPIC) => {}
        None => {
            let live = export.absent("administrator password", TOPIC, |v| (v == "none").then_some(true));
            let stored = (Storage::Empty, SecretValue::new(""));
            device.add_secret(secret(export, SecretUse::PrivilegedMode, "administrator", export.head_span(input), stored, live));
        }
    }
}

/// A policy for everybody without a timer of his own, and one for each who has one.
fn policies(export: &Export<'_>, timers: &[(String, Fact<i64>, Span)], device: &mut Device) {
    let line = export.commands.one(Scope::Global, "login timer");
    let common = match line {
        Some(command) if command.is("clear") => export.product("login timer clear", seconds).map(|s| *s),
        Some(command) => match command.arg(0).and_then(seconds) {
            Some(s) => Fact::written(s, command.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, "login timer", vec![command.span()])),
        },
        None => export.absent("login timer", "login_policy", seconds),
    };
    let common = match line.filter(|c| c.is("clear")) {
        Some(command) => Fact { value: common.value, origin: Origin::all([Origin::Written(command.span()), common.origin]) },
        None => common,
    };
    let users = device.accounts.items.iter().filter(|a| a.kind == AccountKind::Admin || a.kind == AccountKind::Wildcard);
    let without = users.filter(|a| !timers.iter().any(|(n, ..)| *n == a.name)).map(|a| a.live.value());
    let nobody = || match export.gaps.get(TOPIC) {
        Some(why) => Fact::unknown(why.clone()),
        None => Fact::known(false, export.evidence()),
    };
    let in_use = without.reduce(|a, b| a.or(&b)).unwrap_or_else(nobody);
    let mut list = vec![policy(export, "", line.map(|c| c.span()).or(export.head), in_use, common)];
    for (name, timer, span) in timers {
        let live = device
            .accounts
            .items
            .iter()
            .find(|a| a.name == *name)
            .map_or_else(|| Fact::known(false, export.evidence()), |a| a.live.value());
        list.push(policy(export, name, Some(*span), live, timer.clone()));
    }
    device.login_policies = List { items: list, rest: device.login_policies.rest.clone() };
}

fn policy(export: &Export<'_>, name: &str, span: Option<Span>, in_use: Fact<bool>, idle_s: Fact<i64>) -> LoginPolicy {
    LoginPolicy { scope: For::Admin, name: name.to_owned(), span, in_use, idle_s, ..no_policy(export, For::Admin) }
}

/// What the product cannot do: lock, enforce passwords, age them.
pub fn no_policy(export: &Export<'_>, scope: For) -> LoginPolicy {
    let lockout = export.product("capability.login_lockout", on_off);
    let enforced = export.product("capability.password_policy", on_off);
    LoginPolicy {
        scope,
        name: String::new(),
        span: None,
        in_use: Fact::known(false, export.evidence()),
        lockout_attempts: lockout.map(|_| NEVER),
        lockout_on: lockout,
        idle_s: Fact::known(NEVER, export.evidence()),
        pw_min: export.product("login password length", |v| v.parse().ok()),
        pw_classes: enforced.map(|_| 1),
        pw_max_age: enforced.map(|_| NEVER),
        pw_enforced: enforced,
    }
}
