//! Administrators. Users of the router never stand in an export: somebody logs in with a password, and nothing more is known.

use super::menus::Item;
use super::{Export, address, secret, yes_no};
use crate::ir::Device;
use crate::ir::account::{Account, AccountIx, AccountKind, AdminPath, Direction, Factory, LoginPolicy, Scope, SecretUse};
use crate::ir::fact::Origin;
use crate::ir::fact::{Fact, List, Rest, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::listener::{Limit, LimitStage, ListenerIx, Plane};
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Factor, FactorKind};

/// Fills administrators, their ways in, and what holds for their logins.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let listeners: Vec<ListenerIx> = (0..)
        .map(ListenerIx)
        .zip(&device.listeners.items)
        .filter(|(_, l)| l.plane == Plane::Management && l.service != "snmp")
        .map(|(ix, _)| ix)
        .collect();
    let mut paths = Vec::new();
    for item in export.menus.items("/user").iter().filter(|i| matches!(i.verb(), "add" | "set")) {
        if let Some(account) = account(export, item, device) {
            device.accounts.items.push(account);
        }
    }
    let radius = export.switch("/user aaa", "use-radius", "listeners");
    let head = export.head;
    if let Some(span) = head {
        let login = export.product("user.local-login", yes_no);
        let live = if export.gaps.contains_key("listeners") {
            Fact::unknown(Why::at(WhyCode::NotExported, "/user", vec![span]))
        } else {
            login.clone()
        };
        let asks =
            |span| Factor { kind: FactorKind::OneTime, required: Fact::unknown(Why::at(WhyCode::ExternalDecision, "RADIUS", vec![span])) };
        paths.push(AdminPath {
            principal: "/user".to_owned(),
            span,
            account: None,
            listeners: listeners.clone(),
            factors: vec![Factor { kind: FactorKind::Password, required: login }],
            fallback: false,
            live,
        });
        if radius.value.is_true() {
            let at = radius.origin.spans().first().copied().unwrap_or(span);
            paths.push(AdminPath {
                principal: "RADIUS".to_owned(),
                span: at,
                account: None,
                listeners,
                factors: vec![Factor { kind: FactorKind::Password, required: radius.clone() }, asks(at)],
                fallback: false,
                live: radius,
            });
        }
    }
    device.admin_paths = List {
        items: paths,
        rest: export.gaps.get("listeners").map_or_else(|| Rest::Complete(export.evidence()), |w| Rest::MayHoldMore(w.clone())),
    };
    policy(export, device);
}

fn account(export: &Export<'_>, item: &Item<'_>, device: &mut Device) -> Option<Account> {
    let name = item.text("name").map(|v| v.text).or_else(|| item.targets().next()).filter(|n| !n.contains('='))?;
    let at = item.span();
    for key in ["group", "comment", "expired", "last-logged-in", "inactivity-policy", "inactivity-timeout"] {
        let _ = item.get(key);
    }
    let live = export.enabled(item, "user");
    let ix = AccountIx(device.accounts.items.len() as u32);
    let own = item.text("password").map(|_| {
        let found = secret::of(export, item, "password");
        secret::add(device, found, SecretUse::AdminLogin, name, Direction::Verifies, live.clone())
    });
    if let Some(secret) = own.and_then(|s| device.secrets.items.get_mut(s.0 as usize)) {
        secret.account = Some(ix);
    }
    let sources = match item.text("address") {
        Some(value) => match value.parts().map(address::set).collect::<Option<Vec<_>>>() {
            Some(parts) => Limit::Sources { stage: LimitStage::Login, admits: Fact::written(AddrExpr::union(parts), value.span) },
            None => Limit::Unknown(Why::at(WhyCode::Ambiguous, "address", vec![value.span])),
        },
        None => Limit::None(Origin::Written(at)),
    };
    let factory = if name == "admin" { Factory::Name } else { Factory::None };
    Some(Account {
        name: name.to_owned(),
        span: at,
        kind: AccountKind::Admin,
        live: Live::own(live),
        factory: Fact::written(factory, at),
        renamable: Fact::written(true, at),
        sources,
        expires: Fact::written(false, at),
        expiry: None,
        used: Fact::written(true, at),
        concurrent: Fact::written(NEVER, at),
        shared_signs: Fact::written(false, at),
        secret: own,
        second: Fact::written(false, at),
    })
}

fn policy(export: &Export<'_>, device: &mut Device) {
    let number = |key: &str| match export.menus.setting("/user settings", key) {
        Some(value) => value
            .text
            .parse::<i64>()
            .map_or_else(|_| Fact::unknown(Why::at(WhyCode::Ambiguous, value.key, vec![value.span])), |n| Fact::written(n, value.span)),
        None => export.absent(&format!("user settings.{key}"), "login_policy", |w| w.parse::<i64>().ok()),
    };
    let (length, classes) = (number("minimum-password-length"), number("minimum-categories"));
    let lockout = export.product("capability.login_lockout", yes_no);
    let never = |key: &str| export.product(key, |w| if w == "none" { Some(NEVER) } else { w.parse().ok() });
    let mut policies = vec![LoginPolicy {
        scope: Scope::Admin,
        name: "administrators".to_owned(),
        span: export.menus.head("/user settings").or(export.head),
        in_use: export.product("user.local-login", yes_no),
        lockout_attempts: lockout.map(|_| NEVER),
        lockout_on: lockout,
        idle_s: Fact::unknown(Why::at(WhyCode::NotExported, "/user inactivity-timeout", export.head.into_iter().collect())),
        pw_enforced: length.map(|n| *n > 0).or(&classes.map(|n| *n > 0)),
        pw_min: length,
        pw_classes: classes,
        pw_max_age: never("user.password-age"),
    }];
    policies.append(&mut device.login_policies.items);
    device.login_policies = export.list("login_policy", policies);
}
