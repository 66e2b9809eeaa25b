//! Rules for logging in: administrators' of the box as a whole, users' of each VPN.
//!
//! A policy for passwords that applies to keys only binds nobody; attempts without limit are no lockout.

use super::context::{Found, any_of};
use super::{Lowering, account};
use crate::ir::account::{LoginPolicy, Scope};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::record::NEVER;
use crate::source::Span;

/// Rules for administrators' passwords and sessions.
pub(super) fn administrators(l: &mut Lowering<'_>) {
    let global = l.cx.global.find("system global");
    let policy = l.cx.global.find("system password-policy");
    let status = l.cx.switch(&policy, "status", "system password-policy.status");
    let applies = l.cx.list(&policy, "apply-to", "system password-policy.apply-to").map(|to| to.iter().any(|w| w == "admin-password"));
    let expires = l.cx.switch(&policy, "expire-status", "system password-policy.expire-status");
    let days = l.cx.number(&policy, "expire-day", "system password-policy.expire-day");
    let max_age = match expires.value.tri() {
        Some(false) => expires.map(|_| NEVER),
        _ => days.map(|d| d.saturating_mul(86_400)),
    };
    let threshold = l.cx.number(&global, "admin-lockout-threshold", "system global.admin-lockout-threshold");
    for unused in ["admin-lockout-duration", "minimum-length", "change-4-characters", "reuse-password", "min-change-characters"] {
        global.fields.as_ref().map(|f| f.get(unused));
        policy.fields.as_ref().map(|f| f.get(unused));
    }
    let enforced = status.and(&applies);
    let fits = max_age.map(|s| *s <= 60 * 86_400);
    l.names.rotated = Some(enforced.and(&expires).and(&fits));
    let classes = classes(l, &policy);
    let rows = account::administrators(l);
    let in_use = match (rows.first(), l.cx.gap("accounts")) {
        (Some(row), _) => Fact::written(true, row.span()),
        (None, Some(why)) => Fact::unknown(why.clone()),
        (None, None) => Fact::known(false, l.cx.complete()),
    };
    l.device.login_policies.items.push(LoginPolicy {
        scope: Scope::Admin,
        name: "administrators".to_owned(),
        span: global.span(),
        in_use,
        lockout_on: threshold.map(|n| *n > 0),
        lockout_attempts: threshold.map(|n| if *n > 0 { *n } else { NEVER }),
        idle_s: l.cx.number(&global, "admintimeout", "system global.admintimeout").map(|m| m.saturating_mul(60)),
        pw_enforced: enforced,
        pw_min: l.cx.number(&policy, "minimum-length", "system password-policy.minimum-length"),
        pw_classes: classes,
        pw_max_age: max_age,
    });
}

/// How many classes of characters a password must have.
fn classes(l: &Lowering<'_>, policy: &Found<'_>) -> Fact<i64> {
    if let Some(line) = policy.fields.as_ref().and_then(|f| f.get("must-contain")) {
        return Fact::written(line.values().count() as i64, line.span());
    }
    let each = ["min-lower-case-letter", "min-upper-case-letter", "min-number", "min-non-alphanumeric"]
        .map(|a| l.cx.number(policy, a, "system password-policy.min-characters").map(|n| i64::from(*n > 0)));
    let mut sum = Fact::known(0, Origin::all(Vec::new()));
    let mut origins = Vec::new();
    for fact in each {
        match (&sum.value, &fact.value) {
            (Val::Known(a), Val::Known(b)) => sum.value = Val::Known(a + b),
            (_, Val::Unknown(why)) => sum.value = Val::Unknown(why.clone()),
            (_, Val::Among(_, why)) => sum.value = Val::Unknown(why.clone()),
            _ => {}
        }
        origins.push(fact.origin);
    }
    sum.origin = Origin::all(origins);
    sum
}

/// Rules for users' logins: those of the SSL-VPN are its own, those of IPsec are not documented.
pub(super) fn users(l: &mut Lowering<'_>) {
    let used = |kinds: &[&str]| {
        let services: Vec<Fact<bool>> =
            l.device.remote_access.items.iter().filter(|r| kinds.contains(&r.kind)).map(|r| r.live.value()).collect();
        (!services.is_empty()).then(|| any_of(services, l.cx.complete()))
    };
    let (ssl, ipsec) = (used(&["ssl_vpn", "web_portal"]), used(&["ikev1_xauth", "ikev2", "l2tp_ipsec", "l2tp_plain", "pptp"]));
    let settings = l.cx.own.find("vpn ssl settings");
    let mut out = Vec::new();
    if let Some(in_use) = ssl {
        let limit = l.cx.number(&settings, "login-attempt-limit", "vpn ssl settings.login-attempt-limit");
        settings.fields.as_ref().map(|f| f.get("login-block-time"));
        let idle = l.cx.number(&settings, "idle-timeout", "vpn ssl settings.idle-timeout").map(|s| if *s == 0 { NEVER } else { *s });
        out.push(policy(
            l,
            "SSL-VPN",
            settings.span(),
            in_use,
            limit.map(|n| *n > 0),
            limit.map(|n| if *n > 0 { *n } else { NEVER }),
            idle,
        ));
    }
    if let Some(in_use) = ipsec {
        let found = l.cx.own.find("user setting");
        let span = found.span();
        for unused in ["auth-lockout-threshold", "auth-lockout-duration"] {
            found.fields.as_ref().map(|f| f.get(unused));
        }
        let unknown = || Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "user setting auth-lockout", span.into_iter().collect()));
        let number = || Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "user setting auth-lockout", span.into_iter().collect()));
        out.push(policy(l, "IPsec", span, in_use, unknown(), number(), number()));
    }
    l.device.login_policies.items.extend(out);
}

fn policy(
    l: &Lowering<'_>,
    name: &str,
    span: Option<Span>,
    in_use: Fact<bool>,
    on: Fact<bool>,
    attempts: Fact<i64>,
    idle_s: Fact<i64>,
) -> LoginPolicy {
    // Rules for local users' passwords hold only where a user's row names a set of rules.
    let users = l.cx.own.find("user local").rows();
    let ruled = users.iter().filter(|r| !l.cx.listed("factory_users", r.key())).map(|r| r.name("passwd-policy"));
    let all: Option<Vec<(&str, Span)>> = ruled.collect();
    let enforced = match all.as_deref() {
        Some([_, ..]) => Fact::written(true, all.iter().flatten().map(|(_, s)| *s).next().unwrap_or(l.cx.evidence)),
        _ => l.cx.behaviour("user local.passwd-policy", span),
    };
    let number = |attribute: &str| -> Fact<i64> {
        let rows = l.cx.own.find("user password-policy").rows();
        match rows.first() {
            Some(row) => l.cx.number(row, attribute, &format!("user password-policy.{attribute}")),
            None => l.cx.default(&format!("user password-policy.{attribute}"), span, |v| v.parse().ok()),
        }
    };
    LoginPolicy {
        scope: Scope::Vpn,
        name: name.to_owned(),
        span,
        in_use,
        lockout_on: on,
        lockout_attempts: attempts,
        idle_s,
        pw_enforced: enforced,
        pw_min: number("minimum-length"),
        pw_classes: l.cx.default("user password-policy.classes", span, |v| v.parse().ok()),
        pw_max_age: number("expire-days").map(|d| if *d == 0 { NEVER } else { d.saturating_mul(86_400) }),
    }
}
