//! Accounts, secrets of administrators, their ways in, and rules for logging in.
//!
//! A way in is one account, one line password or one group of servers, with everything it opens. Where several methods stand in a
//! list, the later ones are asked only when the earlier ones do not answer.

use super::aaa::{self, Method, Methods};
use super::line::{Kind, Line};
use super::secret::{secret, stored, tie};
use super::{Block, Export, on_off};
use crate::ir::Device;
use crate::ir::account::{Account, AccountIx, AccountKind, AdminPath, Factory, LoginPolicy, Scope, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::listener::{Limit, ListenerIx};
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use crate::syntax::Node;

const TOPIC: &str = "accounts";

/// A place to log in: lines of the console or of the network, the web page.
struct Door<'a> {
    name: String,
    span: Span,
    methods: Methods,
    listeners: Vec<ListenerIx>,
    password: Option<Node<'a>>,
}

/// Fills accounts, secrets, ways in and rules for logging in.
pub fn fill(export: &Export<'_>, lines: &[Line<'_>], device: &mut Device) {
    let doors = doors(export, lines, device);
    users(export, &doors, device);
    privileged(export, device);
    line_passwords(export, lines, device);
    let paths = paths(export, &doors, device);
    let accounts = std::mem::take(&mut device.accounts.items);
    device.accounts = export.list(TOPIC, accounts);
    let ways = if export.may_lack("login_policy").is_some() { "login_policy" } else { TOPIC };
    device.admin_paths = export.list(ways, paths);
    let secrets = std::mem::take(&mut device.secrets.items);
    device.secrets = export.list("secrets", secrets);
    policies(export, lines, device);
}

fn doors<'a>(export: &Export<'a>, lines: &[Line<'a>], device: &Device) -> Vec<Door<'a>> {
    let of = |name: &str| -> Vec<ListenerIx> {
        let all = (0..).map(ListenerIx).zip(&device.listeners.items);
        all.filter(|(_, l)| l.span.is_some() && super::listener::door_of(l, lines) == Some(name)).map(|(ix, _)| ix).collect()
    };
    let mut out: Vec<Door<'a>> = Vec::new();
    for line in lines.iter().filter(|l| l.exec && l.kind != Kind::Other) {
        let local = line.kind != Kind::Vty;
        // Console and auxiliary port with the same methods are one way in for whoever stands at the box.
        if let Some(same) = out.iter_mut().find(|d| local && d.listeners.is_empty() && d.methods.value == line.methods.value) {
            same.name = format!("{}, {}", same.name, line.name);
            continue;
        }
        let listeners = if local { Vec::new() } else { of(&line.name) };
        if !local && listeners.is_empty() {
            continue;
        }
        out.push(Door {
            name: line.name.clone(),
            span: line.node.span(),
            methods: line.methods.clone(),
            listeners,
            password: line.password(),
        });
    }
    let web: Vec<ListenerIx> = (0..)
        .map(ListenerIx)
        .zip(&device.listeners.items)
        .filter(|(_, l)| matches!(l.service, "http" | "https" | "api") && !l.live.value().value.is_false())
        .map(|(ix, _)| ix)
        .collect();
    if let Some(first) = web.first().and_then(|ix| device.listeners.items.get(ix.0 as usize)) {
        let span = first.span.unwrap_or_else(|| export.head_span());
        out.push(Door { name: "ip http".to_owned(), span, methods: web_methods(export, span), listeners: web, password: None });
    }
    out
}

/// How the web page checks a login.
fn web_methods(export: &Export<'_>, at: Span) -> Methods {
    match export.line(&["ip", "http", "authentication"]) {
        Some(line) => match line.word_or_empty(3) {
            "local" => Fact::written(vec![Method::Local], line.span()),
            "enable" => Fact::written(vec![Method::Enable], line.span()),
            "tacacs" => Fact::written(vec![Method::Group("tacacs".to_owned())], line.span()),
            "aaa" => {
                let named = (line.word(4) == Some("login-authentication")).then(|| line.word(5)).flatten().map(|w| (w, line.span()));
                aaa::named(export, named, true, line.span())
            }
            _ => Fact::unknown(Why::at(WhyCode::Ambiguous, "ip http authentication", vec![line.span()])),
        },
        None => {
            let parse = |v: &str| (v == "enable").then(|| vec![Method::Enable]);
            export.default_at("ip http authentication", Some(at), parse)
        }
    }
}

fn password(span: Span) -> Factor {
    Factor { kind: FactorKind::Password, required: Fact::written(true, span) }
}

/// Whether some door asks the local accounts, first or later.
fn asks_local(doors: &[Door<'_>]) -> Fact<bool> {
    let asked = doors.iter().map(|d| d.methods.map(|m| m.contains(&Method::Local)));
    asked.reduce(|a, b| a.or(&b)).unwrap_or_else(|| Fact::known(false, Origin::all([])))
}

/// `username NAME ...`: all lines of one name together.
fn users(export: &Export<'_>, doors: &[Door<'_>], device: &mut Device) {
    let mut names: Vec<(&str, Vec<Node<'_>>)> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for node in export.lines(&["username"]) {
        let name = node.word_or_empty(1);
        let at = *index.entry(name).or_insert_with(|| {
            names.push((name, Vec::new()));
            names.len() - 1
        });
        names[at].1.push(node);
    }
    let used = match export.may_lack("login_policy") {
        // Lines that are not shown may ask them.
        Some(why) if !asks_local(doors).value.is_true() => Fact::unknown(why.clone()),
        _ => asks_local(doors),
    };
    for (name, nodes) in names {
        let Some(first) = nodes.first().copied() else { continue };
        let has = |word: &str| nodes.iter().copied().find(|n| n.words_from(2).any(|w| w == word));
        let kept = nodes.iter().filter_map(|n| {
            let at = (2..n.len()).find(|ix| matches!(n.word(*ix), Some("secret" | "password")))?;
            Some((*n, at + 1))
        });
        let kept = kept.reduce(|_, later| later);
        let anchor = kept.map_or(first, |(n, _)| n).span();
        let factory = match export.grammar.names("factory_users").iter().any(|f| f == name) {
            true => Fact::written(Factory::Name, anchor),
            false => Fact::written(Factory::None, anchor),
        };
        let live = Fact::written(true, anchor);
        let ix = AccountIx(device.accounts.items.len() as u32);
        let class = has("access-class");
        device.accounts.items.push(Account {
            name: name.to_owned(),
            span: anchor,
            kind: AccountKind::Admin,
            live: Live::own(live.clone()),
            factory,
            renamable: export.product("username renamable", on_off),
            sources: class.map_or_else(
                || Limit::None(Origin::Written(anchor)),
                |n| Limit::Unknown(Why::at(WhyCode::Unmodelled, "access-class", vec![n.span()])),
            ),
            expires: Fact::written(has("one-time").is_some(), anchor),
            expiry: None,
            used: used.clone(),
            concurrent: match has("user-maxlinks") {
                Some(_) => Fact::unknown(Why::at(WhyCode::Unmodelled, "user-maxlinks", vec![anchor])),
                None => Fact::written(NEVER, anchor),
            },
            shared_signs: Fact::written(false, anchor),
            secret: None,
            second: export.product("local second factor", on_off),
        });
        let kept_secret = match (kept, has("nopassword")) {
            (Some((node, at)), _) => Some((stored(node, at), node.span())),
            (None, Some(node)) => Some(((crate::ir::account::Storage::Empty, crate::ir::account::SecretValue::new("")), node.span())),
            (None, None) => None,
        };
        if let Some((value, span)) = kept_secret {
            let own = device.add_secret(secret(export, SecretUse::AdminLogin, name, span, value, live));
            tie(device, own, ix);
        }
    }
}

/// `enable secret`, `enable password`: with both, the hash counts.
fn privileged(export: &Export<'_>, device: &mut Device) {
    let hash = export.line(&["enable", "secret"]);
    for (node, is_hash) in [(hash, true), (export.line(&["enable", "password"]), false)] {
        let Some(node) = node else { continue };
        let level = usize::from(node.word(2) == Some("level")) * 2;
        let live = match hash.filter(|_| !is_hash) {
            Some(hash) => Fact::written(false, hash.span()),
            None => Fact::written(true, node.span()),
        };
        device.add_secret(secret(export, SecretUse::PrivilegedMode, "enable", node.span(), stored(node, 2 + level), live));
    }
}

fn line_passwords(export: &Export<'_>, lines: &[Line<'_>], device: &mut Device) {
    for line in lines {
        let Some(node) = line.password() else { continue };
        let live = line.methods.map(|m| m.contains(&Method::Line));
        // One password for several lines is one password.
        device.add_secret(secret(export, SecretUse::AdminLogin, "line", node.span(), stored(node, 1), live));
    }
}

/// A way in by one method, at all doors that ask it in the same rank.
struct Way {
    listeners: Vec<ListenerIx>,
    live: Option<Fact<bool>>,
}

fn ways(doors: &[Door<'_>], method: &Method, later: bool) -> Way {
    let mut way = Way { listeners: Vec::new(), live: None };
    for door in doors {
        let ranked = door.methods.map(|m| m.iter().position(|x| x == method).is_some_and(|at| (at > 0) == later));
        if ranked.value.is_false() {
            continue;
        }
        way.listeners.extend(door.listeners.iter().copied());
        way.live = Some(way.live.map_or_else(|| ranked.clone(), |l| l.or(&ranked)));
    }
    way
}

fn paths(export: &Export<'_>, doors: &[Door<'_>], device: &Device) -> Vec<AdminPath> {
    let mut out = Vec::new();
    for later in [false, true] {
        let way = ways(doors, &Method::Local, later);
        let Some(live) = &way.live else { continue };
        for (ix, account) in device.accounts.items.iter().enumerate() {
            let own = account.secret.and_then(|s| device.secrets.items.get(s.0 as usize));
            let empty = own.is_some_and(|s| matches!(s.storage, crate::ir::account::Storage::Empty));
            // Who has neither a password nor the word that waives it cannot log in with one.
            if own.is_none() {
                continue;
            }
            out.push(AdminPath {
                principal: account.name.clone(),
                span: account.span,
                account: Some(AccountIx(ix as u32)),
                listeners: way.listeners.clone(),
                factors: if empty { Vec::new() } else { vec![password(account.span)] },
                fallback: later,
                live: account.live.value().and(live),
            });
        }
    }
    let mut groups: Vec<String> = Vec::new();
    for door in doors {
        for method in door.methods.get().into_iter().flatten() {
            if let Method::Group(name) = method
                && !groups.contains(name)
            {
                groups.push(name.clone());
            }
        }
    }
    for name in groups {
        for later in [false, true] {
            let way = ways(doors, &Method::Group(name.clone()), later);
            let Some(live) = way.live else { continue };
            let span = live.origin.spans().first().copied().unwrap_or_else(|| export.head_span());
            let asks = Fact::unknown(Why::at(WhyCode::ExternalDecision, name.clone(), live.origin.spans()));
            out.push(AdminPath {
                principal: format!("group {name}"),
                span,
                account: None,
                listeners: way.listeners,
                factors: vec![password(span), Factor { kind: FactorKind::OneTime, required: asks }],
                fallback: later,
                live,
            });
        }
    }
    for door in doors {
        let Some(methods) = door.methods.get() else { continue };
        for (at, method) in methods.iter().enumerate() {
            let (span, factors) = match method {
                Method::Line => match door.password {
                    Some(node) => (node.span(), vec![password(node.span())]),
                    // Without a password nobody gets in this way.
                    None => continue,
                },
                Method::Enable => {
                    let line = export.line(&["enable", "secret"]).or_else(|| export.line(&["enable", "password"]));
                    match line {
                        Some(line) => (door.span, vec![password(line.span())]),
                        None => {
                            let asked = Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "enable secret", vec![door.span]));
                            (door.span, vec![Factor { kind: FactorKind::Password, required: asked }])
                        }
                    }
                }
                Method::None => (door.span, Vec::new()),
                Method::Local | Method::Group(_) => continue,
            };
            out.push(AdminPath {
                principal: door.name.clone(),
                span,
                account: None,
                listeners: door.listeners.clone(),
                factors,
                fallback: at > 0,
                live: Fact::known(true, door.methods.origin.clone()),
            });
        }
    }
    out
}

/// Minutes and seconds of a line's timeout; nought is never.
fn timeout(node: Node<'_>) -> Option<i64> {
    let minutes: i64 = node.word(1)?.parse().ok()?;
    let seconds: i64 = node.word(2).map_or(Some(0), |w| w.parse().ok())?;
    let all = minutes.checked_mul(60)?.checked_add(seconds)?;
    Some(if all == 0 { NEVER } else { all })
}

/// Refusals after failed logins: for all, for local accounts, or a pause after a number of failures.
fn lockout(export: &Export<'_>) -> (Fact<bool>, Fact<i64>) {
    let number = |node: Node<'_>, at: usize| node.word(at).and_then(|w| w.parse::<i64>().ok());
    let found = [
        export.line(&["login", "block-for"]).map(|n| (n, number(n, 4))),
        export.line(&["aaa", "local", "authentication", "attempts", "max-fail"]).map(|n| (n, number(n, 5))),
        export.line(&["security", "authentication", "failure", "rate"]).map(|n| (n, number(n, 4))),
    ];
    match found.into_iter().flatten().next() {
        Some((node, attempts)) => (Fact::written(true, node.span()), Fact::written(attempts.unwrap_or(0), node.span())),
        None => {
            let on = export.absent("login block-for", "login_policy", on_off);
            (on.clone(), on.map(|_| NEVER))
        }
    }
}

fn policies(export: &Export<'_>, lines: &[Line<'_>], device: &mut Device) {
    let (lockout_on, lockout_attempts) = lockout(export);
    let length = export.line(&["security", "passwords", "min-length"]);
    let common = export.lines(&["aaa", "common-criteria", "policy"]).last();
    let block = common.map(Block);
    let minimum = |node: Node<'_>, at: usize| node.word(at).and_then(|w| w.parse::<i64>().ok()).map(|n| Fact::written(n, node.span()));
    let policy_minimum = block.and_then(|b| b.line(&["min-length"])).and_then(|n| minimum(n, 1));
    let own_minimum = length.and_then(|n| minimum(n, 3));
    let kinds =
        block.map(|b| ["upper-case", "lower-case", "numeric-count", "special-case"].iter().filter(|w| b.line(&[w]).is_some()).count());
    let enforced = match (length, common) {
        (Some(n), _) | (None, Some(n)) => Fact::written(true, n.span()),
        (None, None) => export.absent("security passwords min-length", "login_policy", |v| Some(v != "none")),
    };
    let none = |value: i64| Fact { value: enforced.value.map(|_| value), origin: enforced.origin.clone() };
    let mut list = Vec::new();
    for line in lines.iter().filter(|l| l.kind == Kind::Vty && !l.repeated) {
        let listeners = device.listeners.items.iter().filter(|l| super::listener::door_of(l, lines) == Some(line.name.as_str()));
        let in_use = listeners.map(|l| l.live.value()).reduce(|a, b| a.or(&b)).unwrap_or_else(|| Fact::written(false, line.node.span()));
        let written = line.block().line(&["exec-timeout"]);
        let no = line.block().no(&["exec-timeout"]);
        let idle_s = match (written, no) {
            (Some(node), _) => timeout(node).map_or_else(
                || Fact::unknown(Why::at(WhyCode::Ambiguous, "exec-timeout", vec![node.span()])),
                |s| Fact::written(s, node.span()),
            ),
            (None, Some(node)) => Fact::written(NEVER, node.span()),
            (None, None) => export.default_at("line exec-timeout", Some(line.node.span()), |v| v.parse().ok()),
        };
        list.push(LoginPolicy {
            scope: Scope::Admin,
            name: line.name.clone(),
            span: Some(line.node.span()),
            in_use,
            lockout_on: lockout_on.clone(),
            lockout_attempts: lockout_attempts.clone(),
            idle_s,
            pw_enforced: enforced.clone(),
            pw_min: own_minimum.clone().or(policy_minimum.clone()).unwrap_or_else(|| none(0)),
            pw_classes: match (kinds, common) {
                (Some(kinds), Some(node)) => Fact::written(kinds as i64, node.span()),
                _ => none(1),
            },
            pw_max_age: none(NEVER),
        });
    }
    device.login_policies = match export.may_lack("login_policy") {
        Some(why) => List::partial(list, why.clone()),
        None => List::complete(list, export.evidence()),
    };
}
