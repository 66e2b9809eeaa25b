//! Rules for logging in as an administrator: lockout, idle sessions, passwords.
//!
//! Idle time is counted per login class; the predefined classes and root have no limit of their own. What is reported is the worst
//! of those that somebody uses, J-Web included.

use super::Lowering;
use crate::ir::account::{LoginPolicy, Scope};
use crate::ir::fact::{Fact, Origin, Val};
use crate::ir::record::NEVER;
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{at, child, rows, value};

/// Lowers the rules for administrators.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let login = at(l.root, &["system", "login"]);
    let mut policy = no_policy(l, Scope::Admin);
    policy.name = "administrators".to_owned();
    policy.in_use = l
        .device
        .admin_paths
        .iter()
        .map(|p| p.live.clone())
        .reduce(|a, b| a.or(&b))
        .unwrap_or_else(|| l.absent("login.in-use", "login_policy", None, super::switch));
    let (idle, at_fault) = idle(l, login);
    policy.idle_s = idle;
    policy.span = at_fault.or(login.map(|n| n.span()));
    lockout(l, login, &mut policy);
    passwords(l, login, &mut policy);
    l.device.login_policies.items.push(policy);
    l.device.login_policies.rest = l.rest("login_policy");
}

/// Rules of which nothing is known but what the product does by itself.
pub(super) fn no_policy(l: &Lowering<'_>, scope: Scope) -> LoginPolicy {
    let on = |key: &str| l.absent(key, "login_policy", None, super::switch);
    let number = |key: &str| l.absent(key, "login_policy", None, |v| if v == "never" { Some(NEVER) } else { v.parse().ok() });
    let prefix = if scope == Scope::Admin { "system login" } else { "access" };
    LoginPolicy {
        scope,
        name: String::new(),
        span: None,
        in_use: on("login.in-use"),
        lockout_on: on(&format!("{prefix} lockout")),
        lockout_attempts: number(&format!("{prefix} lockout attempts")),
        idle_s: number(&format!("{prefix} idle")),
        pw_enforced: on(&format!("{prefix} password")),
        pw_min: number(&format!("{prefix} password minimum-length")),
        pw_classes: number(&format!("{prefix} password classes")),
        pw_max_age: number(&format!("{prefix} password maximum-lifetime")),
    }
}

fn seconds(node: Node<'_>) -> Option<i64> {
    let minutes: i64 = node.word_or_empty(0).parse().ok()?;
    Some(if minutes == 0 { NEVER } else { minutes.saturating_mul(60) })
}

/// The idle limits in use, each with the line of who has it.
fn idle<'a>(l: &Lowering<'a>, login: Option<Node<'a>>) -> (Fact<i64>, Option<Span>) {
    let mut limits: Vec<(Fact<i64>, Span)> = Vec::new();
    let classes = rows(l.root, &["system", "login", "class"]);
    let common = login.and_then(|n| value(n, &["idle-timeout"])).and_then(|n| Some((seconds(n)?, n.span())));
    let none = |anchor: Span| match common {
        Some((limit, at)) => Fact::written(limit, at),
        None => l.absent("system login idle", "login_policy", Some(anchor), |v| (v == "never").then_some(NEVER)),
    };
    for user in rows(l.root, &["system", "login", "user"]) {
        let enters = l.device.admin_paths.iter().any(|p| p.principal == user.word_or_empty(0) && !p.live.value.is_false());
        if !enters {
            continue;
        }
        let name = value(user, &["class"]);
        let class = name.and_then(|n| classes.iter().find(|c| c.word(0) == n.word(0)).copied());
        let anchor = name.map_or(user.span(), |n| n.span());
        let own = class.and_then(|c| value(c, &["idle-timeout"])).and_then(|n| Some((seconds(n)?, n.span())));
        limits.push((own.map_or_else(|| none(anchor), |(limit, at)| Fact::written(limit, at)), anchor));
    }
    // Root belongs to no class.
    for path in l.device.admin_paths.iter().filter(|p| p.principal == "root" && !p.listeners.is_empty()) {
        let limit = none(path.span);
        limits.push((if path.live.value.is_true() { limit } else { maybe(&limit, &path.live) }, path.span));
    }
    if let Some(web) = at(l.root, &["system", "services", "web-management"])
        && (child(web, "https").is_some() || child(web, "http").is_some())
    {
        let own = value(web, &["session", "idle-timeout"]).and_then(|n| Some((seconds(n)?, n.span())));
        let limit = match own {
            Some((limit, at)) => Fact::written(limit, at),
            None => l.absent("system services web-management session idle-timeout", "login_policy", Some(web.span()), |v| v.parse().ok()),
        };
        limits.push((limit, web.span()));
        value(web, &["session", "session-limit"]);
    }
    worst(limits).unwrap_or_else(|| (l.absent("system login idle", "login_policy", None, |v| (v == "never").then_some(NEVER)), None))
}

/// A limit that counts only if somebody gets in that way.
fn maybe(limit: &Fact<i64>, live: &Fact<bool>) -> Fact<i64> {
    match (&limit.value, live.value.why()) {
        (Val::Known(n), Some(why)) => Fact { value: Val::Among(vec![0, *n], why.clone()), origin: limit.origin.clone() },
        _ => limit.clone(),
    }
}

fn worst(limits: Vec<(Fact<i64>, Span)>) -> Option<(Fact<i64>, Option<Span>)> {
    let known = limits.iter().filter_map(|(f, s)| f.get().map(|n| (*n, s))).max_by_key(|(n, s)| (*n, std::cmp::Reverse(**s)));
    let unsure = limits.iter().find(|(f, _)| f.get().is_none());
    // One that never ends is the worst, whatever the unknown ones are.
    let unsure = unsure.filter(|_| known.is_none_or(|(most, _)| most != NEVER));
    match (known, unsure) {
        (Some((most, _)), None) => {
            let all: Vec<&(Fact<i64>, Span)> = limits.iter().filter(|(f, _)| f.get() == Some(&most)).collect();
            let origin = Origin::all(all.iter().map(|(f, _)| f.origin.clone()));
            Some((Fact::known(most, origin), all.first().map(|(_, s)| *s)))
        }
        (Some((most, _)), Some((open, span))) => {
            let why = open.value.why().cloned()?;
            let value = match &open.value {
                Val::Among(list, _) => Val::Among(vec![most, list.iter().copied().max().unwrap_or(NEVER).max(most)], why),
                _ => Val::Among(vec![most, NEVER], why),
            };
            Some((Fact { value, origin: open.origin.clone() }, Some(*span)))
        }
        (None, Some((open, span))) => Some((open.clone(), Some(*span))),
        (None, None) => None,
    }
}

fn lockout<'a>(l: &Lowering<'a>, login: Option<Node<'a>>, policy: &mut LoginPolicy) {
    let Some(options) = login.and_then(|n| child(n, "retry-options")) else { return };
    for quiet in ["backoff-threshold", "backoff-factor", "minimum-time", "maximum-time"] {
        value(options, &[quiet]);
    }
    if let Some(period) = value(options, &["lockout-period"]) {
        policy.lockout_on = Fact::written(true, period.span());
        policy.lockout_attempts =
            match value(options, &["tries-before-disconnect"]).and_then(|n| Some((n.word_or_empty(0).parse().ok()?, n.span()))) {
                Some((tries, at)) => Fact::written(tries, at),
                None => l.absent("retry-options tries-before-disconnect", "login_policy", Some(options.span()), |v| v.parse().ok()),
            };
    } else {
        policy.lockout_on = l.absent("system login lockout", "login_policy", Some(options.span()), super::switch);
        value(options, &["tries-before-disconnect"]);
    }
}

fn passwords<'a>(_: &Lowering<'a>, login: Option<Node<'a>>, policy: &mut LoginPolicy) {
    let Some(rules) = login.and_then(|n| child(n, "password")) else { return };
    let number = |word: &str| value(rules, &[word]).and_then(|n| Some((n.word_or_empty(0).parse::<i64>().ok()?, n.span())));
    if let Some((least, at)) = number("minimum-length") {
        policy.pw_min = Fact::written(least, at);
    }
    let kinds: Vec<(i64, Span)> = ["minimum-numerics", "minimum-upper-cases", "minimum-lower-cases", "minimum-punctuations"]
        .iter()
        .filter_map(|w| number(w))
        .collect();
    let required: Vec<Span> = kinds.iter().filter(|(n, _)| *n > 0).map(|(_, at)| *at).collect();
    let by_sets = value(rules, &["change-type"]).is_none_or(|n| n.word(0) != Some("set-transitions"));
    match (number("minimum-changes").filter(|_| by_sets), required.is_empty()) {
        (_, false) => {
            let origin = Origin::all(required.iter().map(|s| Origin::Written(*s)));
            policy.pw_classes = Fact::known((required.len() as i64).max(2), origin);
        }
        // So many sets of characters besides the first.
        (Some((changes, at)), true) => policy.pw_classes = Fact::written(changes.saturating_add(1).min(5), at),
        (None, true) => {}
    }
    if let Some((days, at)) = number("maximum-lifetime") {
        policy.pw_max_age = Fact::written(days.saturating_mul(86_400), at);
    }
    for quiet in ["format", "maximum-length", "minimum-reuse", "minimum-character-changes", "minimum-lifetime"] {
        value(rules, &[quiet]);
    }
}
