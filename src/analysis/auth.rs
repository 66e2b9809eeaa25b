//! Who gets in with what: ways in for users and administrators, accounts, rules for logging in, servers that check logins.

use super::exposure::{self, Exposure};
use super::trust::word as side_word;
use super::{Context, Sheet, known_word};
use crate::ir::account::{Account, AccountKind, AdminPath, Factory, Scope};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::listener::{Limit, Plane};
use crate::ir::record::{NEVER, Record, Step, Value};
use crate::ir::schema;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess};
use crate::packet::Class;
use std::borrow::Cow;

/// Records of the kinds `remote_access`, `remote_access_path`, `admin_path`, `login_policy`, `account` and `auth_server`.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    for (ix, access) in device.remote_access.iter().enumerate() {
        let grants = sheet.remote_access_grants.get(ix).cloned().unwrap_or_else(super::grants::Grants::unknown);
        remote_access(cx, sheet, access, grants);
        let worst = worst_class(sheet.exposures.iter().filter(|e| access.listeners.contains(&e.listener)));
        for path in access.paths.iter() {
            remote_access_path(cx, sheet, access, path, worst.clone());
        }
    }
    for path in device.admin_paths.iter() {
        admin_path(cx, sheet, path);
    }
    login_policies(cx, sheet);
    for (ix, account) in (0..).map(crate::ir::account::AccountIx).zip(device.accounts.iter()) {
        let mut record = account_record(cx, account);
        name_account(cx, &mut record, Some(ix));
        sheet.add(record);
    }
    for server in device.auth_servers.iter() {
        let mut record = Record::new(&schema::AUTH_SERVER, server.name.clone(), Some(server.span));
        if server.kind == "ldap" {
            record.named("ldap_server", server.name.clone());
        }
        record.word("kind", known_word(server.kind, Origin::Written(server.span)));
        record.bool("tls", server.tls.clone());
        record.word("path_side", path_side(cx, server));
        record.bool("live", server.live.value());
        sheet.add(record);
    }
}

/// The side a server's address lies on: that of the interface whose network holds it, else public addresses lie outside.
fn path_side(cx: &Context<'_>, server: &crate::ir::account::AuthServer) -> Fact<crate::ir::record::Word> {
    let Some(expr) = server.address.get() else {
        return Fact::unknown(Why::at(WhyCode::RuntimeContent, server.name.clone(), vec![server.span]));
    };
    let set = exposure::plain_addresses(cx, expr);
    let Some(address) =
        set.v4.first().map(|a| std::net::IpAddr::V4(a.into())).or_else(|| set.v6.first().map(|a| std::net::IpAddr::V6(a.into())))
    else {
        return Fact::unknown(Why::at(WhyCode::RuntimeContent, server.name.clone(), vec![server.span]));
    };
    for (interface, side) in cx.device().interfaces.iter().zip(cx.sides) {
        if interface.addresses.iter().any(|a| a.net.get().is_some_and(|n| n.contains(address))) {
            return side.side.map(|s| Cow::Borrowed(side_word(*s)));
        }
    }
    let side = if crate::packet::class::public().contains(address) { "untrusted" } else { "trusted" };
    known_word(side, Origin::inferred("infer.server_side", [server.address.origin.clone()]))
}

/// What a set of factors amounts to.
pub struct FactorFacts {
    /// Something the user has or is, besides what the user knows.
    pub second: Fact<bool>,
    /// A certificate.
    pub client_cert: Fact<bool>,
    /// A key of the device.
    pub device_key: Fact<bool>,
    /// Nothing at all is asked.
    pub empty: Fact<bool>,
}

/// Reads a way in as the conjunction of its factors. A shared secret of a group never counts as a user's factor, but a way that
/// asks for one is not empty.
pub fn factors(factors: &[Factor], at: &Origin) -> FactorFacts {
    let of = |kinds: &[FactorKind]| {
        let found = factors.iter().filter(|f| kinds.contains(&f.kind)).map(|f| f.required.clone()).reduce(|a, b| a.or(&b));
        found.unwrap_or_else(|| Fact::known(false, at.clone()))
    };
    let possession = of(&[FactorKind::OneTime, FactorKind::ClientCert, FactorKind::DeviceKey]);
    // An identity provider may ask for a second factor; the export cannot say.
    let delegated = factors.iter().find(|f| f.kind == FactorKind::Delegated && !f.required.value.is_false());
    let second = match delegated {
        Some(f) if !possession.value.is_true() => Fact {
            value: Val::Unknown(Why::at(WhyCode::ExternalDecision, "SAML/OIDC", f.required.origin.spans())),
            origin: f.required.origin.clone(),
        },
        _ => possession,
    };
    let any = factors.iter().map(|f| f.required.clone()).reduce(|a, b| a.or(&b)).unwrap_or_else(|| Fact::known(false, at.clone()));
    FactorFacts { second, client_cert: of(&[FactorKind::ClientCert]), device_key: of(&[FactorKind::DeviceKey]), empty: any.negate() }
}

fn remote_access(cx: &Context<'_>, sheet: &mut Sheet<'_>, access: &RemoteAccess, grants: super::grants::Grants) {
    let at = Origin::Written(access.span);
    let mut record = Record::new(&schema::REMOTE_ACCESS, access.name.clone(), Some(access.span));
    if matches!(access.kind, "ikev1_xauth" | "ikev2") {
        record.named("tunnel", access.name.clone());
    }
    record.word("kind", known_word(access.kind, at.clone()));
    record.bool("live", access.live.value());
    record.word("role", known_word("hub_for_dialin", at));
    record.bool("accepts_aggressive_psk", access.aggressive_psk.clone());
    record.int("idle_s", access.idle_s.clone());
    record.int("session_s", access.session_s.clone());
    record.int("concurrent", access.concurrent.clone());
    record.bool("on_untrusted", cx.any_untrusted(&access.outer, access.span));
    record.bool("grants_whole_net", grants.whole_net);
    record.bool("grants_any_service", grants.any_service);
    record.chain = access
        .idle_s
        .origin
        .spans()
        .into_iter()
        .map(|s| Step { span: Some(s), code: "step.idle", args: vec![access.name.clone()] })
        .chain(access.session_s.origin.spans().into_iter().map(|s| Step {
            span: Some(s),
            code: "step.session",
            args: vec![access.name.clone()],
        }))
        .collect();
    sheet.add(record);
    if let Some(crypto) = &access.crypto {
        super::tunnel::proposals(sheet, &access.name, access.span, &access.live.value(), crypto);
    }
}

fn remote_access_path(
    cx: &Context<'_>,
    sheet: &mut Sheet<'_>,
    access: &RemoteAccess,
    path: &AuthPath,
    exposure_class: Fact<crate::ir::record::Word>,
) {
    let at = Origin::Written(path.span);
    let mut record = Record::new(&schema::REMOTE_ACCESS_PATH, format!("{} on {}", path.principal, access.name), Some(path.span));
    let facts = factors(&path.factors, &at);
    name_account(cx, &mut record, path.account);
    record.word("kind", known_word(access.kind, at.clone()));
    record.bool("live", path.live.and(&access.live.value()));
    record.bool("second", facts.second);
    record.bool("client_cert", facts.client_cert);
    record.bool("device_key", facts.device_key);
    record.bool("empty", without_factory(cx, path.account, facts.empty));
    record.bool("fallback", Fact::known(path.fallback, at.clone()));
    record.text("account", path.principal.clone(), at);
    record.word("exposure_class", exposure_class);
    record.chain = factor_steps(&path.factors);
    record.chain.push(Step { span: Some(access.span), code: "step.remote_access", args: vec![access.name.clone()] });
    sheet.add(record);
}

fn factor_steps(factors: &[Factor]) -> Vec<Step> {
    let mut steps = Vec::new();
    for factor in factors {
        let code = match factor.kind {
            FactorKind::Password => "factor.password",
            FactorKind::GroupSecret => "factor.group_secret",
            FactorKind::OneTime => "factor.one_time",
            FactorKind::ClientCert => "factor.client_cert",
            FactorKind::DeviceKey => "factor.device_key",
            FactorKind::Delegated => "factor.delegated",
        };
        if !factor.required.value.is_false() {
            steps.extend(factor.required.origin.spans().into_iter().map(|s| Step { span: Some(s), code, args: Vec::new() }));
        }
    }
    steps
}

/// A factory account that never got a password is one finding of its own (PWD001), not two.
fn without_factory(cx: &Context<'_>, account: Option<crate::ir::account::AccountIx>, empty: Fact<bool>) -> Fact<bool> {
    match account.and_then(|a| cx.device().accounts.items.get(a.0 as usize)) {
        Some(a) if a.factory.get() == Some(&Factory::NameAndSecret) => Fact::known(false, a.factory.origin.clone()),
        _ => empty,
    }
}

/// The worst class among exposures on untrusted interfaces.
pub fn worst_class<'e>(exposures: impl Iterator<Item = &'e Exposure>) -> Fact<crate::ir::record::Word> {
    let mut worst: Option<Fact<Class>> = None;
    for e in exposures.filter(|e| e.side.maybe_untrusted() && !e.live.value.is_false()) {
        let sure = e.side.untrusted().and(&e.live).value.is_true();
        let class = if sure { e.class.clone() } else { exposure::maybe(&e.class, &e.side.untrusted().and(&e.live)) };
        worst = Some(worst.map_or_else(|| class.clone(), |w| exposure::worse(&w, &class)));
    }
    worst.map_or_else(
        || known_word("none", Origin::inferred("infer.no_untrusted_exposure", [])),
        |w| w.map(|c| Cow::Borrowed(exposure::class_word(*c))),
    )
}

fn admin_path(cx: &Context<'_>, sheet: &mut Sheet<'_>, path: &AdminPath) {
    let at = Origin::Written(path.span);
    let device = cx.device();
    let mut record = Record::new(&schema::ADMIN_PATH, path.principal.clone(), Some(path.span));
    let facts = factors(&path.factors, &at);
    name_account(cx, &mut record, path.account);
    // Where the contexts of a box share its administrators, every management listener of every context is theirs.
    let own = |e: &&Exposure| e.device == cx.ix && path.listeners.contains(&e.listener);
    let theirs = |e: &&Exposure| e.plane == Plane::Management && (e.device != cx.ix || own(e));
    let exposures: Vec<&Exposure> = sheet.shared_exposures.iter().copied().filter(theirs).collect();
    let live_listener = exposures.iter().map(|e| e.live.clone()).reduce(|a, b| a.or(&b));
    let remote = live_listener.unwrap_or_else(|| match &device.listeners.rest {
        crate::ir::fact::Rest::Complete(o) => Fact::known(!path.listeners.is_empty(), o.clone()),
        crate::ir::fact::Rest::MayHoldMore(why) => Fact::unknown(why.clone()),
    });
    let services = exposures.iter().filter(|e| !e.live.value.is_false()).map(|e| Cow::Borrowed(e.service)).collect();
    record.bool("live", path.live.clone());
    record.bool("remote", remote);
    record.bool("second", facts.second);
    record.bool("client_cert", facts.client_cert);
    record.bool("empty", without_factory(cx, path.account, facts.empty));
    record.bool("fallback", Fact::known(path.fallback, at.clone()));
    record.text("account", path.principal.clone(), at.clone());
    record.exact_set("services", services, at);
    record.word("exposure_class", worst_class(exposures.iter().copied()));
    record.chain = factor_steps(&path.factors);
    sheet.add(record);
}

fn login_policies(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    for policy in device.login_policies.iter() {
        let mut record = Record::new(&schema::LOGIN_POLICY, policy.name.clone(), policy.span.or(device.span));
        let planes: &[Plane] = match policy.scope {
            Scope::Admin => &[Plane::Management],
            Scope::Vpn => &[Plane::Vpn, Plane::Portal],
        };
        let slowed = device.listeners.iter().filter(|l| planes.contains(&l.plane)).map(|l| l.rate_limit.clone()).reduce(|a, b| a.or(&b));
        record.word("scope", known_word(if policy.scope == Scope::Admin { "admin" } else { "vpn" }, policy.in_use.origin.clone()));
        record.bool("in_use", policy.in_use.clone());
        record.bool("rate_limit", slowed.unwrap_or_else(|| Fact::known(false, policy.lockout_on.origin.clone())));
        record.bool("lockout_on", policy.lockout_on.clone());
        record.int("lockout_attempts", policy.lockout_attempts.clone());
        record.int("idle_s", policy.idle_s.clone());
        record.bool("pw_enforced", policy.pw_enforced.clone());
        record.int("pw_min", policy.pw_min.clone());
        record.int("pw_classes", policy.pw_classes.clone());
        record.int("pw_max_age", policy.pw_max_age.clone());
        sheet.add(record);
    }
}

/// What commands call an account that has a row of its own on the box. A group or a server's users have none.
fn name_account(cx: &Context<'_>, record: &mut Record, account: Option<crate::ir::account::AccountIx>) {
    if let Some(account) = account.and_then(|a| cx.device().accounts.items.get(a.0 as usize)) {
        match account.kind {
            AccountKind::Admin => record.named("admin", account.name.clone()),
            AccountKind::VpnUser => record.named("user", account.name.clone()),
            _ => record,
        };
    }
}

fn account_record(cx: &Context<'_>, account: &Account) -> Record {
    let at = Origin::Written(account.span);
    let shown = if account.name.is_empty() { "(no name)" } else { account.name.as_str() };
    let mut record = Record::new(&schema::ACCOUNT, shown.to_owned(), Some(account.span));
    let lower = account.name.to_lowercase();
    let vendor_like = super::strength::vocabulary().vendor_accounts.iter().any(|w| lower.contains(w.as_str()))
        || cx.stated.vendors.iter().any(|w| !w.is_empty() && lower.contains(&w.to_lowercase()));
    let expired = match account.expiry.as_ref().and_then(|e| e.get().map(|d| (d.as_str() < cx.settings.as_of.as_str(), e.origin.clone()))) {
        Some((past, origin)) => Fact::known(past, origin),
        None => account.expires.and(&Fact::known(false, account.expires.origin.clone())),
    };
    record.word("kind", known_word(account.kind.word(), at.clone()));
    record.bool("live", account.live.value());
    record.bool("enabled", account.live.own.clone());
    record.word("factory", account.factory.map(|f| Cow::Borrowed(f.word())));
    record.bool("renamable", account.renamable.clone());
    record.bool("vendor_like", Fact::known(vendor_like, at.clone()));
    record.bool("limited_source", limited_source(cx, account));
    record.bool("expires", account.expires.clone());
    record.bool("expired", expired);
    record.bool("used", account.used.clone());
    record.int("concurrent", account.concurrent.clone());
    record.bool("shared_signs", account.shared_signs.clone());
    record.bool("has_secret", Fact::known(account.secret.is_some(), at));
    record
}

/// Whether an account is limited by source: by its own list, or because every listener it can use has one that refuses the connection.
fn limited_source(cx: &Context<'_>, account: &Account) -> Fact<bool> {
    let own = limit_is_narrow(cx, &account.sources, &Origin::Written(account.span));
    if own.value.is_true() || account.kind != AccountKind::Admin {
        return own;
    }
    let listeners = cx.device().listeners.iter().filter(|l| l.plane == Plane::Management && !l.live.value().value.is_false());
    let all = listeners
        .filter(|l| !matches!(l.limits, Limit::UnionOverAdmins { .. }))
        .map(|l| limit_is_narrow(cx, &l.limits, &l.live.own.origin))
        .reduce(|a, b| a.and(&b));
    match all {
        Some(all) if !cx.device().listeners.iter().any(|l| matches!(l.limits, Limit::UnionOverAdmins { .. })) => own.or(&all),
        _ => own,
    }
}

fn limit_is_narrow(cx: &Context<'_>, limit: &Limit, at: &Origin) -> Fact<bool> {
    match limit {
        Limit::None(origin) => Fact::known(false, origin.clone()),
        Limit::Sources { admits, .. } => match admits.get() {
            Some(expr) => {
                let set = exposure::plain_addresses(cx, expr);
                let class = Class::of(&set, &crate::packet::class::public());
                Fact::known(class <= Class::Restricted, admits.origin.clone())
            }
            None => Fact {
                value: Val::Unknown(admits.value.why().cloned().unwrap_or_else(|| Why::new(WhyCode::Unmodelled, ""))),
                origin: admits.origin.clone(),
            },
        },
        Limit::AllOf(list) => {
            list.iter().map(|l| limit_is_narrow(cx, l, at)).reduce(|a, b| a.or(&b)).unwrap_or_else(|| Fact::known(false, at.clone()))
        }
        Limit::AnyOf(list) => {
            list.iter().map(|l| limit_is_narrow(cx, l, at)).reduce(|a, b| a.and(&b)).unwrap_or_else(|| Fact::known(false, at.clone()))
        }
        Limit::UnionOverAdmins { .. } => Fact::known(false, at.clone()),
        Limit::Unknown(why) => Fact::unknown(why.clone()),
    }
}

/// A number that means "without end" for messages.
pub fn is_never(value: &Value) -> bool {
    matches!(value, Value::Int(Val::Known(n)) if *n == NEVER)
}
