//! Administrators, programs' accounts, local users, and the rules for logging in.
//!
//! An administrator's row without a password line is the factory's blank password in a complete export, and unknown in a fragment.
//! Trusted hosts of one administrator restrict that administrator alone.

use super::address::network;
use super::context::Fields;

use super::secret::{self, Owner, Purpose};
use super::{Lowering, login_policy};
use crate::ir::account::{Account, AccountIx, AccountKind, Factory, SecretUse};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::listener::{Limit, LimitStage};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::source::Span;
use std::collections::{HashMap, HashSet};

/// Lowers accounts of the context: administrators with the shared part, users with the virtual domain.
pub(super) fn lower(l: &mut Lowering<'_>) {
    secret::prepare(l);
    if l.cx.is_global || !l.cx.multi {
        login_policy::administrators(l);
    }
    for row in administrators(l) {
        administrator(l, &row);
    }
    if l.cx.is_global || !l.cx.multi {
        for row in l.cx.global.find("system api-user").rows() {
            program(l, &row);
        }
    }
    if !l.cx.is_global {
        users(l);
        isp_logins(l);
    }
    l.device.accounts.rest = l.cx.rest("accounts");
    l.device.login_policies.rest = l.cx.rest("login_policy");
}

/// Rows of administrators: in the shared part, or what the export of one virtual domain lists of its own.
pub(super) fn administrators<'a>(l: &Lowering<'a>) -> Vec<Fields<'a>> {
    if l.cx.is_global || !l.cx.multi { l.cx.global.find("system admin").rows() } else { l.cx.own.find("system admin").rows() }
}

fn base(row: &Fields<'_>, kind: AccountKind, live: Live, l: &Lowering<'_>) -> Account {
    let written = |b| Fact::written(b, row.span());
    Account {
        name: row.key().to_owned(),
        span: row.span(),
        kind,
        live,
        factory: Fact::written(Factory::None, row.span()),
        renamable: l.cx.behaviour("account.renamable", Some(row.span())),
        sources: Limit::None(Origin::Written(row.span())),
        expires: l.cx.behaviour("account.expires", Some(row.span())),
        expiry: None,
        used: written(true),
        concurrent: Fact::unknown(Why::at(WhyCode::DefaultUndocumented, row.key(), vec![row.span()])),
        shared_signs: written(false),
        secret: None,
        second: written(false),
    }
}

fn push(l: &mut Lowering<'_>, account: Account) -> AccountIx {
    let ix = AccountIx(l.device.accounts.items.len() as u32);
    l.device.accounts.items.push(account);
    ix
}

fn administrator<'a>(l: &mut Lowering<'a>, row: &Fields<'a>) {
    for unused in ["accprofile", "vdom", "comments", "gui-ignore-release-overview-version", "remote-group", "fortitoken", "email-to"] {
        row.get(unused);
    }
    let wildcard = row.get("wildcard").filter(|a| a.value() == "enable");
    let mut account = base(
        row,
        if wildcard.is_some() { AccountKind::Wildcard } else { AccountKind::Admin },
        Live::own(Fact::written(true, row.span())),
        l,
    );
    account.sources = sources(l, row);
    account.second = second_factor(l, row);
    account.concurrent =
        l.cx.switch(&l.cx.global.find("system global"), "admin-concurrent", "system global.admin-concurrent")
            .map(|on| if *on { NEVER } else { 1 });
    if let Some(line) = wildcard {
        account.shared_signs = Fact::written(true, line.span());
    }
    if let Some((name, span)) = row.name("schedule").filter(|(name, _)| one_time(l, name).is_some()) {
        account.expires = Fact::written(true, span);
        account.expiry = expiry(l, name, span);
    }
    let password = row.get("password");
    let remote = row.enabled("remote-auth") || wildcard.is_some();
    let factory_name = l.cx.listed("factory_admins", row.key());
    account.factory = match (factory_name, password, remote) {
        (false, ..) => Fact::written(Factory::None, row.span()),
        (true, Some(_), _) | (true, _, true) => Fact::written(Factory::Name, row.span()),
        (true, None, false) => match l.cx.gap("accounts") {
            None => l.cx.default("system admin.password", Some(row.span()), |v| v.is_empty().then_some(Factory::NameAndSecret)),
            Some(why) => {
                Fact { value: Val::Among(vec![Factory::Name, Factory::NameAndSecret], why.clone()), origin: Origin::Written(row.span()) }
            }
        },
    };
    let second = account.second.clone();
    let ix = push(l, account);
    if let Some(line) = password {
        let owner = Owner { name: row.key().to_owned(), account: Some(ix), second: second.clone(), live: Fact::written(true, row.span()) };
        let secret = secret::push(l, line, Purpose::hashed(SecretUse::AdminLogin), owner);
        l.device.accounts.items[ix.0 as usize].secret = Some(secret);
    }
    if let Some(line) = row.get("old-password") {
        // Kept for a downgrade; it opens nothing on this release but is the same password in a weaker form.
        let owner = Owner { name: row.key().to_owned(), account: Some(ix), second, live: Fact::written(true, line.span()) };
        secret::push(l, line, Purpose::hashed(SecretUse::AdminLogin), owner);
    }
}

/// Rows of schedules that hold once, wherever the box keeps them.
fn one_time<'a>(l: &Lowering<'a>, name: &str) -> Option<Fields<'a>> {
    let own = l.cx.own.find("firewall schedule onetime").rows();
    let shared = l.cx.domains.iter().filter_map(|d| d.section("firewall schedule onetime")).flat_map(|s| super::context::rows(&s));
    own.into_iter().chain(shared).find(|r| r.key() == name)
}

/// The day a one-time schedule ends, which it prints as `18:00 2026/03/31`.
fn expiry(l: &Lowering<'_>, name: &str, span: Span) -> Option<Fact<String>> {
    let row = one_time(l, name)?;
    let end = row.get("end")?;
    let day = end.values().find(|v| v.len() == 10 && v.as_bytes()[4] == b'/')?;
    let origin = Origin::all([Origin::Written(span), Origin::Written(end.span())]);
    Some(Fact::known(day.replace('/', "-"), origin))
}

/// Whether an administrator needs a second factor.
pub(super) fn second_factor<'a>(l: &Lowering<'a>, row: &Fields<'a>) -> Fact<bool> {
    let own = l.cx.fact(row, "two-factor", "system admin.two-factor", |v| Some(v != "disable"));
    let forced =
        l.cx.fact(&l.cx.global.find("system global"), "multi-factor-authentication", "system global.multi-factor-authentication", |v| {
            Some(v == "mandatory")
        });
    let mut second = own.or(&forced);
    if let Some(line) = row.get("peer-auth").filter(|a| a.value() == "enable") {
        second = Fact::written(true, line.span());
    }
    if let Some(line) = row.get("remote-auth").filter(|a| a.value() == "enable")
        && second.value.tri() == Some(false)
    {
        second = Fact::unknown(Why::at(WhyCode::ExternalDecision, row.value("remote-group").unwrap_or(""), vec![line.span()]));
    }
    second
}

/// Where an administrator may come from; one trusted host of everything opens everything.
fn sources(l: &Lowering<'_>, row: &Fields<'_>) -> Limit {
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    for n in 1..=10 {
        for (attribute, list) in [(format!("trusthost{n}"), &mut v4), (format!("ip6-trusthost{n}"), &mut v6)] {
            let Some(line) = row.get(&attribute) else { continue };
            match network(&line.values().collect::<Vec<_>>()) {
                Some(expr) => list.push(expr),
                None => return Limit::Unknown(Why::at(WhyCode::Ambiguous, attribute, vec![line.span()])),
            }
            spans.push(line.span());
        }
    }
    limit(l, row, "system admin.trusthost", v4, v6, &spans)
}

fn limit(l: &Lowering<'_>, row: &Fields<'_>, key: &str, v4: Vec<AddrExpr>, v6: Vec<AddrExpr>, spans: &[Span]) -> Limit {
    // The unset places beside a written trusted host count for nothing; a family without any is open. A dump prints the unset ones too.
    let narrow = |list: Vec<AddrExpr>, any: AddrExpr, unset: fn(&AddrExpr) -> bool| {
        let (open, narrow): (Vec<_>, Vec<_>) = list.into_iter().partition(unset);
        if narrow.is_empty() || !open.is_empty() && !l.is_full_dump() { any } else { AddrExpr::union(narrow) }
    };
    let v4 = narrow(v4, AddrExpr::AnyV4, |e| matches!(e, AddrExpr::AnyV4));
    let v6 = narrow(v6, AddrExpr::AnyV6, |e| matches!(e, AddrExpr::AnyV6));
    let origin = Origin::all(spans.iter().map(|s| Origin::Written(*s)));
    match (&v4, &v6) {
        (AddrExpr::AnyV4, AddrExpr::AnyV6) if spans.is_empty() => {
            Limit::None(l.cx.default(key, Some(row.span()), |v| Some(v.to_owned())).origin)
        }
        (AddrExpr::AnyV4, AddrExpr::AnyV6) => Limit::None(origin),
        _ => Limit::Sources { stage: LimitStage::Connect, admits: Fact::known(AddrExpr::Union(vec![v4, v6]), origin) },
    }
}

/// A program's account: a key instead of a password, and trusted hosts of its own.
fn program<'a>(l: &mut Lowering<'a>, row: &Fields<'a>) {
    for unused in ["accprofile", "vdom", "comments", "cors-allow-origin", "peer-group", "schedule"] {
        row.get(unused);
    }
    let mut account = base(row, AccountKind::Api, Live::own(Fact::written(true, row.span())), l);
    let (mut v4, mut v6, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    for host in row.rows("trusthost") {
        host.get("type");
        for (attribute, list) in [("ipv4-trusthost", &mut v4), ("ipv6-trusthost", &mut v6)] {
            if let Some(line) = host.get(attribute) {
                list.extend(network(&line.values().collect::<Vec<_>>()));
                spans.push(line.span());
            }
        }
    }
    account.sources = limit(l, row, "system api-user.trusthost", v4, v6, &spans);
    if let Some(line) = row.get("peer-auth").filter(|a| a.value() == "enable") {
        account.second = Fact::written(true, line.span());
    }
    let second = account.second.clone();
    let ix = push(l, account);
    if let Some(line) = row.get("api-key") {
        let owner = Owner { name: row.key().to_owned(), account: Some(ix), second, live: Fact::written(true, row.span()) };
        let secret = secret::push(l, line, Purpose::hashed(SecretUse::ApiKey), owner);
        l.device.accounts.items[ix.0 as usize].secret = Some(secret);
    }
}

/// Local users, and users with certificates.
fn users(l: &mut Lowering<'_>) {
    let used = used_names(l);
    let devices = peer_devices(l);
    let sharing = super::ssl_vpn::several_sessions(l);
    for (path, certificate) in [("user local", false), ("user peer", true)] {
        for row in l.cx.own.find(path).rows() {
            for unused in
                ["id", "type", "passwd-time", "email-to", "sms-phone", "fortitoken", "passwd-policy", "username-sensitivity", "comments"]
            {
                row.get(unused);
            }
            let used = match used.get(row.key()) {
                Some(fact) => fact.clone(),
                None => l.cx.nowhere("objects", "infer.user_in_no_group", row.key(), row.span()),
            };
            let own = if certificate { Fact::written(true, row.span()) } else { l.cx.switch(&row, "status", "user local.status") };
            let device = certificate && devices.contains(row.key());
            let kind = if device { AccountKind::DevicePeer } else { AccountKind::VpnUser };
            let mut account = base(&row, kind, Live::own(own).with(LinkKind::Referenced, used.clone()), l);
            account.used = used;
            if !certificate && l.cx.listed("factory_users", row.key()) {
                account.factory = Fact::written(Factory::Name, row.span());
            }
            if let Some(fact) = sharing.as_ref().filter(|_| !device) {
                account.concurrent = fact.map(|several| if *several { NEVER } else { 1 });
                account.shared_signs = fact.clone();
            }
            account.second = if certificate { Fact::written(true, row.span()) } else { user_second(l, &row) };
            let (live, second) = (account.live.value(), account.second.clone());
            let ix = push(l, account);
            l.names.users.insert(row.key(), ix);
            if let Some(line) = row.get("passwd") {
                let owner = Owner { name: row.key().to_owned(), account: Some(ix), second, live };
                let secret = secret::push(l, line, Purpose::verifies(SecretUse::VpnUser), owner);
                l.device.accounts.items[ix.0 as usize].secret = Some(secret);
            }
        }
    }
}

/// Whether a local user needs a second factor; a server that checks the password may ask for one too.
fn user_second<'a>(l: &Lowering<'a>, row: &Fields<'a>) -> Fact<bool> {
    let own = l.cx.fact(row, "two-factor", "user local.two-factor", |v| Some(v != "disable"));
    match row.get("type").filter(|a| matches!(a.value(), "radius" | "tacacs+" | "saml") && own.value.tri() == Some(false)) {
        Some(line) => Fact::unknown(Why::at(WhyCode::ExternalDecision, row.key(), vec![line.span()])),
        None => own,
    }
}

/// Certificates by which sites, not users, prove themselves.
fn peer_devices<'a>(l: &Lowering<'a>) -> HashSet<&'a str> {
    let mut out = HashSet::new();
    let mut groups = HashSet::new();
    for path in ["vpn ipsec phase1-interface", "vpn ipsec phase1"] {
        for row in l.cx.own.find(path).rows().iter().filter(|r| !super::phase1::for_users(r)) {
            out.extend(row.value("peer"));
            groups.extend(row.value("peergrp"));
        }
    }
    for group in l.cx.own.find("user peergrp").rows().iter().filter(|r| groups.contains(r.key())) {
        out.extend(group.values("member").into_iter().map(|(n, _)| n));
    }
    out
}

/// The logins with which interfaces dial in at a provider.
fn isp_logins(l: &mut Lowering<'_>) {
    for row in l.names.rows.iter().flatten().cloned().collect::<Vec<_>>() {
        if let Some((name, span)) = row.name("username").filter(|_| row.value("mode") == Some("pppoe")) {
            let own = l.cx.switch(&row, "status", "system interface.status");
            let mut account = base(&row, AccountKind::OutboundClient, Live::own(own), l);
            account.name = name.to_owned();
            account.span = span;
            push(l, account);
        }
    }
}

/// Users and groups that something lets in, with the line that does.
fn used_names<'a>(l: &Lowering<'a>) -> HashMap<&'a str, Fact<bool>> {
    let mut direct: HashMap<&'a str, Vec<Fact<bool>>> = HashMap::new();
    let mut add = |names: Vec<(&'a str, Span)>| {
        for (name, span) in names {
            direct.entry(name).or_default().push(Fact::written(true, span));
        }
    };
    for policy in &l.names.policies {
        add(policy.principals.clone());
    }
    if let Some(ssl) = l.cx.own.find("vpn ssl settings").fields {
        for row in ssl.rows("authentication-rule") {
            for attribute in ["users", "groups", "user-peer"] {
                add(row.values(attribute));
            }
        }
    }
    for (path, attributes) in [
        ("vpn ipsec phase1-interface", ["authusrgrp", "usrgrp", "peer", "peergrp"]),
        ("vpn ipsec phase1", ["authusrgrp", "usrgrp", "peer", "peergrp"]),
        ("firewall proxy-policy", ["groups", "users", "", ""]),
        ("system admin", ["remote-group", "peer-group", "", ""]),
        ("user peergrp", ["member", "", "", ""]),
    ] {
        for row in l.cx.own.find(path).rows() {
            attributes.iter().for_each(|a| add(row.values(a)));
        }
    }
    for path in ["vpn l2tp", "vpn pptp"] {
        if let Some(section) = l.cx.own.find(path).fields.filter(|f| f.enabled("status")) {
            add(section.values("usrgrp"));
        }
    }
    for row in l.names.rows.iter().flatten() {
        add(row.values("security-groups"));
    }
    let mut out: HashMap<&'a str, Fact<bool>> =
        direct.into_iter().filter_map(|(name, facts)| Some((name, facts.into_iter().reduce(|a, _| a)?))).collect();
    for group in l.cx.own.find("user group").rows() {
        let Some(fact) = out.get(group.key()).cloned() else { continue };
        for (member, span) in group.values("member") {
            let via = Fact { value: fact.value.clone(), origin: Origin::all([Origin::Written(span), fact.origin.clone()]) };
            out.entry(member).or_insert(via);
        }
    }
    out
}
