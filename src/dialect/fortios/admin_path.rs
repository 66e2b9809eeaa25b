//! Ways in for administrators.
//!
//! The part shared by all virtual domains holds the administrators, the virtual domains hold the listeners: there a path names no
//! listener of its own device, and means those of the contexts that belong to it.

use super::Lowering;
use super::account::{administrators, second_factor};
use super::context::Fields;
use crate::ir::account::{AccountIx, AccountKind, AdminPath};
use crate::ir::fact::{Fact, Origin, Why};
use crate::ir::listener::{ListenerIx, Plane};
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use std::collections::HashMap;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let pages = listeners(l, &["https", "http", "ssh", "telnet"]);
    let web = listeners(l, &["https", "http"]);
    let shell = listeners(l, &["ssh"]);
    let accounts: HashMap<String, AccountIx> = l
        .device
        .accounts
        .items
        .iter()
        .enumerate()
        .filter(|(_, a)| matches!(a.kind, AccountKind::Admin | AccountKind::Wildcard | AccountKind::Api))
        .map(|(ix, a)| (a.name.clone(), AccountIx(ix as u32)))
        .collect();
    let mut out = Vec::new();
    for row in administrators(l) {
        let account = accounts.get(row.key()).copied();
        paths_of(l, &row, account, &pages, &web, &shell, &mut out);
    }
    if l.cx.is_global || !l.cx.multi {
        for row in l.cx.global.find("system api-user").rows() {
            let mut factors = vec![factor(FactorKind::DeviceKey, Fact::written(true, row.span()))];
            if let Some(line) = row.get("peer-auth").filter(|a| a.value() == "enable") {
                factors.push(factor(FactorKind::ClientCert, Fact::written(true, line.span())));
            }
            out.push(path(row.key(), row.span(), accounts.get(row.key()).copied(), &web, factors));
        }
        single_sign_on(l, &web, &mut out);
    }
    l.device.admin_paths.items = out;
    l.device.admin_paths.rest = l.cx.rest("accounts");
}

fn listeners(l: &Lowering<'_>, services: &[&str]) -> Vec<ListenerIx> {
    let all = l.device.listeners.items.iter().enumerate();
    all.filter(|(_, x)| x.plane == Plane::Management && services.contains(&x.service)).map(|(ix, _)| ListenerIx(ix as u32)).collect()
}

fn factor(kind: FactorKind, required: Fact<bool>) -> Factor {
    Factor { kind, required }
}

fn path(name: &str, span: Span, account: Option<AccountIx>, listeners: &[ListenerIx], factors: Vec<Factor>) -> AdminPath {
    AdminPath {
        principal: name.to_owned(),
        span,
        account,
        listeners: listeners.to_vec(),
        factors,
        fallback: false,
        live: Fact::written(true, span),
    }
}

fn paths_of<'a>(
    l: &Lowering<'a>,
    row: &Fields<'a>,
    account: Option<AccountIx>,
    pages: &[ListenerIx],
    web: &[ListenerIx],
    shell: &[ListenerIx],
    out: &mut Vec<AdminPath>,
) {
    let span = row.span();
    let password = row.get("password").map(|a| Fact::written(true, a.span()));
    if let Some(line) = row.get("peer-auth").filter(|a| a.value() == "enable") {
        row.get("peer-group");
        out.push(path(row.key(), span, account, web, vec![factor(FactorKind::ClientCert, Fact::written(true, line.span()))]));
        return;
    }
    let second = second_factor(l, row);
    if let Some(line) = row.get("remote-auth").filter(|a| a.value() == "enable") {
        let factors = vec![factor(FactorKind::Password, Fact::written(true, line.span())), factor(FactorKind::OneTime, second)];
        out.push(path(row.key(), span, account, pages, factors));
        // The box's own password counts when the server does not answer.
        if let Some(password) = password {
            let mut own = path(row.key(), span, account, pages, vec![factor(FactorKind::Password, password)]);
            own.fallback = true;
            out.push(own);
        }
        return;
    }
    let password = password.unwrap_or_else(|| match l.cx.gap("accounts") {
        Some(why) => Fact::unknown(Why::at(why.code(), row.key(), vec![span])),
        None => l.cx.default("system admin.password", Some(span), |v| Some(!v.is_empty())),
    });
    let by_key = ["ssh-public-key1", "ssh-public-key2", "ssh-public-key3", "ssh-certificate"].into_iter().find_map(|a| row.name(a));
    let allowed = l.cx.switch(&l.cx.global.find("system global"), "admin-ssh-password", "system global.admin-ssh-password");
    let listeners: Vec<ListenerIx> =
        if allowed.value.tri() == Some(false) { pages.iter().copied().filter(|ix| !shell.contains(ix)).collect() } else { pages.to_vec() };
    out.push(path(row.key(), span, account, &listeners, vec![factor(FactorKind::Password, password), factor(FactorKind::OneTime, second)]));
    if let Some((_, at)) = by_key {
        out.push(path(row.key(), at, account, shell, vec![factor(FactorKind::DeviceKey, Fact::written(true, at))]));
    }
}

/// Logins that another service vouches for.
fn single_sign_on(l: &Lowering<'_>, web: &[ListenerIx], out: &mut Vec<AdminPath>) {
    let global = l.cx.global.find("system global");
    if let Some(line) = global.fields.as_ref().and_then(|f| f.get("admin-forticloud-sso-login")).filter(|a| a.value() == "enable") {
        out.push(path("FortiCloud SSO", line.span(), None, web, vec![factor(FactorKind::Delegated, Fact::written(true, line.span()))]));
    }
    let saml = l.cx.global.find("system saml");
    if let Some(section) = saml.fields.filter(|f| f.enabled("status")) {
        let at = section.get("status").map_or(section.span(), |a| a.span());
        out.push(path("SAML SSO", at, None, web, vec![factor(FactorKind::Delegated, Fact::known(true, Origin::Written(at)))]));
    }
}
