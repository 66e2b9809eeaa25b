//! Accounts: users of the box, what their groups let them do, and whether they are as the factory made them.

use super::Lowering;
use super::context::enabled;
use super::secret::{self, Owner, Purpose};
use crate::ir::account::{Account, AccountIx, AccountKind, Factory, SecretUse};
use crate::ir::fact::{Fact, Origin};
use crate::ir::listener::Limit;
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::source::Span;
use crate::syntax::xml::Element;

/// Elements that hold a user's password, best first.
const PASSWORDS: [&str; 5] = ["sha512-hash", "bcrypt-hash", "md5-hash", "nt-hash", "password"];

/// A user as others look it up.
#[derive(Clone)]
pub(super) struct User<'a> {
    pub row: Element<'a>,
    pub ix: AccountIx,
    /// What gives access to the web page.
    pub web: Option<Span>,
    /// What gives access to a shell.
    pub shell: Option<Span>,
}

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    for user in users(l) {
        one(l, &user);
    }
    old_administrator(l);
}

/// Users of the box with what they may do, in the order of their accounts.
pub(super) fn users<'a>(l: &Lowering<'a>) -> Vec<User<'a>> {
    let groups = l.cx.rows("system", "group");
    let rows = l.cx.rows("system", "user").into_iter().filter(|r| r.has("name"));
    let may = |row: Element<'a>, list: &str| {
        let uid = row.value("uid");
        let group_name = row.value("groupname");
        let own = row.all("priv").find(|p| granted(l, list, p.text())).map(|p| p.span());
        let by_group = || {
            let member =
                |g: &&Element<'a>| g.all("member").any(|m| Some(m.text()) == uid) || group_name.is_some() && g.value("name") == group_name;
            groups.iter().filter(member).flat_map(|g| g.all("priv")).find(|p| granted(l, list, p.text())).map(|p| p.span())
        };
        // The first account may do everything, whatever its groups.
        let first = || (uid == Some("0")).then(|| row.span());
        own.or_else(by_group).or_else(first)
    };
    rows.enumerate()
        .map(|(n, row)| User { row, ix: AccountIx(n as u32), web: may(row, "web_privileges"), shell: may(row, "shell_privileges") })
        .collect()
}

fn granted(l: &Lowering<'_>, list: &str, privilege: &str) -> bool {
    l.cx.grammar.names(list).iter().any(|p| match p.strip_suffix('*') {
        Some(beginning) => privilege.starts_with(beginning),
        None => privilege == p,
    })
}

fn one<'a>(l: &mut Lowering<'a>, user: &User<'a>) {
    let row = user.row;
    let name = row.filled("name");
    let span = name.map_or(row.span(), |n| n.span());
    for known in ["uid", "scope", "authorizedkeys", "cert"] {
        row.child(known);
    }
    let live = enabled(row, "disabled");
    let administrates = user.web.or(user.shell);
    let kind = if administrates.is_some() { AccountKind::Admin } else { AccountKind::VpnUser };
    let used_for = if administrates.is_some() { SecretUse::AdminLogin } else { SecretUse::VpnUser };
    let owner = row.value("name").unwrap_or("").to_owned();
    let held: Vec<Element<'_>> = PASSWORDS.iter().filter_map(|p| row.filled(p)).collect();
    let mut secret = None;
    for element in &held {
        let owner =
            Owner { name: owner.clone(), account: Some(user.ix), second: Fact::known(false, live.origin.clone()), live: live.clone() };
        let ix = secret::push(l, *element, Purpose::verifies(used_for), owner);
        secret = secret.or(Some(ix));
    }
    if let Some(psk) = row.filled("ipsecpsk") {
        secret::push(l, psk, Purpose::shared(SecretUse::IkePsk), Owner::thing(owner.clone(), live.clone()));
    }
    let factory_name = row.value("uid") == Some("0");
    let stock = held.iter().find(|e| l.cx.grammar.names("factory_hashes").iter().any(|h| e.text().starts_with(h.as_str())));
    let factory = match (factory_name, stock) {
        (true, Some(hash)) => Fact::written(Factory::NameAndSecret, hash.span()),
        (true, None) => Fact::written(Factory::Name, span),
        (false, _) => Fact::written(Factory::None, span),
    };
    let expiry = row.filled("expires").and_then(|e| Some(Fact::written(date(e.text())?, e.span())));
    let expires = match row.filled("expires") {
        Some(e) => Fact::written(true, e.span()),
        None => l.cx.behaviour("user.expires", Some(span)),
    };
    let account = Account {
        name: owner,
        span,
        kind,
        live: Live::own(live),
        factory,
        renamable: if factory_name { l.cx.behaviour("user.factory_renamable", Some(span)) } else { Fact::written(true, span) },
        sources: Limit::None(Origin::Written(span)),
        expires,
        expiry,
        used: used(l, user, span),
        concurrent: Fact::known(NEVER, Origin::Written(span)),
        shared_signs: Fact::written(false, span),
        secret,
        second: Fact::known(false, Origin::Written(span)),
    };
    l.device.accounts.items.push(account);
}

/// A user without privileges logs in to a VPN or to nothing: local users of OpenVPN, keys of IPsec, certificates.
fn used(l: &Lowering<'_>, user: &User<'_>, span: Span) -> Fact<bool> {
    if let Some(at) = user.web.or(user.shell) {
        return Fact::written(true, at);
    }
    if let Some(e) = ["ipsecpsk", "cert"].into_iter().find_map(|n| user.row.filled(n)) {
        return Fact::written(true, e.span());
    }
    let local = |s: &Element<'_>| !s.has("disable") && s.value("authmode").is_some_and(|m| m.split(',').any(|m| m == "Local Database"));
    let servers = l.cx.rows("openvpn", "openvpn-server");
    if let Some(server) = servers.iter().find(|s| local(s) && s.value("mode").is_some_and(|m| m.ends_with("user"))) {
        return Fact::written(true, server.span());
    }
    if let Some(client) = l.cx.at("ipsec/client").filter(|c| c.has("enable")) {
        return Fact::written(true, client.span());
    }
    match super::infrastructure::captive_portals(l).first() {
        Some(portal) => Fact::written(true, portal.span()),
        None if !l.cx.is_whole() => Fact::unknown(crate::ir::fact::Why::new(crate::ir::fact::WhyCode::NotExported, "openvpn")),
        None => Fact::known(false, Origin::inferred("no_service_uses_account", [Origin::Written(span)])),
    }
}

/// `mm/dd/yyyy` as `yyyy-mm-dd`.
fn date(text: &str) -> Option<String> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |t: &str| t.trim().parse::<u32>().ok();
    Some(format!("{:04}-{:02}-{:02}", number(year)?, number(month)?, number(day)?))
}

/// Releases before 2.0 had one administrator, written in the section itself.
fn old_administrator(l: &mut Lowering<'_>) {
    let Some(system) = l.cx.section("system") else { return };
    let (Some(name), true) = (system.filled("username"), l.device.accounts.items.is_empty()) else { return };
    let ix = AccountIx(0);
    let live = Fact::written(true, name.span());
    let secret = system.filled("password").map(|password| {
        let owner = Owner { account: Some(ix), ..Owner::thing(name.text(), live.clone()) };
        (password, secret::push(l, password, Purpose::verifies(SecretUse::AdminLogin), owner))
    });
    let stock = secret.filter(|(p, _)| l.cx.grammar.names("factory_hashes").iter().any(|h| p.text().starts_with(h.as_str())));
    let span = name.span();
    l.device.accounts.items.push(Account {
        name: name.text().to_owned(),
        span,
        kind: AccountKind::Admin,
        live: Live::own(live),
        factory: match stock {
            Some((hash, _)) => Fact::written(Factory::NameAndSecret, hash.span()),
            None if name.text() == "admin" => Fact::written(Factory::Name, span),
            None => Fact::written(Factory::None, span),
        },
        renamable: l.cx.behaviour("user.factory_renamable", Some(span)),
        sources: Limit::None(Origin::Written(span)),
        expires: l.cx.behaviour("user.expires", Some(span)),
        expiry: None,
        used: Fact::written(true, span),
        concurrent: Fact::known(NEVER, Origin::Written(span)),
        shared_signs: Fact::written(false, span),
        secret: secret.map(|(_, ix)| ix),
        second: Fact::known(false, Origin::Written(span)),
    });
}
