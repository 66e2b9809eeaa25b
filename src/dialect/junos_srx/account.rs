//! Administrators: root, users and what servers let in; and the ways they get in.
//!
//! Root always enters J-Web and the console; over SSH as `root-login` says. A user without a password or key cannot log in locally.

use super::Lowering;
use super::secret::{self, Owner, Purpose};
use crate::ir::account::{Account, AccountIx, AccountKind, AdminPath, Factory, SecretUse};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::listener::{Limit, ListenerIx, Plane};
use crate::ir::live::Live;
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use crate::syntax::brace::{at, child, inactive, rows, value};
use crate::syntax::{Mark, Node};

/// Public keys of users.
const KEYS: &[&str] = &["ssh-rsa", "ssh-dsa", "ssh-ecdsa", "ssh-ed25519"];

/// Lowers administrators.
pub(super) fn lower(l: &mut Lowering<'_>) {
    root(l);
    for user in rows(l.root, &["system", "login", "user"]) {
        if matches!(user.word_or_empty(0), "remote") {
            // Settings for those whom a server lets in without an account here.
            user.mark_below(Mark::Read);
            continue;
        }
        let own = Fact::written(true, user.span());
        administrator(l, user, own);
    }
    if let Some(login) = at(l.root, &["system", "login"]) {
        for (user, mark) in inactive(login, "user") {
            administrator(l, user, Fact::written(false, mark.span()));
        }
    }
    servers(l);
    l.device.accounts.rest = l.rest("accounts");
    let items = std::mem::take(&mut l.device.admin_paths.items);
    l.device.admin_paths = l.list("accounts", items);
}

fn base(l: &Lowering<'_>, name: &str, span: Span, live: Live) -> Account {
    Account {
        name: name.to_owned(),
        span,
        kind: AccountKind::Admin,
        live,
        factory: Fact::written(Factory::None, span),
        renamable: l.product("account.renamable"),
        sources: Limit::None(Origin::Written(span)),
        expires: l.product("account.expires"),
        expiry: None,
        used: Fact::written(true, span),
        concurrent: Fact::unknown(Why::at(WhyCode::DefaultUndocumented, name, vec![span])),
        shared_signs: Fact::written(false, span),
        secret: None,
        second: Fact::written(false, span),
    }
}

fn listeners(l: &Lowering<'_>, services: &[&str]) -> Vec<ListenerIx> {
    let of = |x: &crate::ir::listener::Listener| x.plane == Plane::Management && services.contains(&x.service);
    (0..).map(ListenerIx).zip(&l.device.listeners.items).filter(|(_, x)| of(x)).map(|(ix, _)| ix).collect()
}

/// What root may do over SSH: everything, keys only, nothing.
fn root_login(l: &Lowering<'_>) -> Fact<String> {
    match at(l.root, &["system", "services", "ssh"]) {
        Some(ssh) => match value(ssh, &["root-login"]) {
            Some(node) => Fact::written(node.word_or_empty(0).to_owned(), node.span()),
            None => l.absent("system services ssh root-login", "accounts", Some(ssh.span()), |v| Some(v.to_owned())),
        },
        None => l.absent("system services ssh root-login", "accounts", None, |v| Some(v.to_owned())),
    }
}

fn root(l: &mut Lowering<'_>) {
    let Some(node) = at(l.root, &["system", "root-authentication"]) else { return };
    let span = node.span();
    let mut account = base(l, "root", span, Live::own(Fact::written(true, span)));
    account.factory = Fact::written(Factory::Name, span);
    account.renamable = l.product("account.root-renamable");
    let ix = AccountIx(l.device.accounts.items.len() as u32);
    let password = password(l, node, "root", ix, Fact::written(true, span));
    account.secret = password.map(|(s, _)| s);
    l.device.accounts.items.push(account);
    let web = listeners(l, &["https", "http"]);
    let shell = listeners(l, &["ssh", "netconf"]);
    let mode = root_login(l);
    let by_password = mode.map(|m| m == "allow");
    if let Some((_, at)) = password {
        let factors = vec![Factor { kind: FactorKind::Password, required: Fact::written(true, at) }];
        let sure = by_password.value.is_true();
        let mut open = web.clone();
        if sure {
            open.extend(shell.clone());
        }
        let live = if open.is_empty() && !shell.is_empty() && !by_password.value.is_false() {
            open.clone_from(&shell);
            by_password.clone()
        } else {
            let mut live = Fact::written(true, span);
            if sure {
                live.origin = Origin::all([live.origin, by_password.origin.clone()]);
            }
            live
        };
        let path = AdminPath { principal: "root".to_owned(), span, account: Some(ix), listeners: open, factors, fallback: false, live };
        l.device.admin_paths.items.push(path);
    }
    keys(l, node, "root", ix, shell, mode.map(|m| m != "deny"));
    node.mark_below(Mark::Read);
}

/// The password of an account: its hash, or the line that has none.
fn password<'a>(
    l: &mut Lowering<'a>,
    node: Node<'a>,
    owner: &str,
    ix: AccountIx,
    live: Fact<bool>,
) -> Option<(crate::ir::account::SecretIx, Span)> {
    for (word, hashed) in [("encrypted-password", true), ("plain-text-password", false), ("plain-text-password-value", false)] {
        if let Some(line) = value(node, &[word]) {
            let purpose = if hashed { Purpose::hashed(SecretUse::AdminLogin) } else { Purpose::verifies(SecretUse::AdminLogin) };
            let second = Fact::written(false, node.span());
            let secret = secret::push(l, line, purpose, Owner { name: owner.to_owned(), account: Some(ix), second, live });
            return Some((secret, line.span()));
        }
    }
    None
}

fn keys<'a>(l: &mut Lowering<'a>, node: Node<'a>, name: &str, ix: AccountIx, listeners: Vec<ListenerIx>, live: Fact<bool>) {
    let Some(key) = KEYS.iter().find_map(|k| child(node, k)) else { return };
    if at(l.root, &["system", "services", "ssh", "no-public-keys"]).is_some() || child(node, "no-public-keys").is_some() {
        return;
    }
    let factors = vec![Factor { kind: FactorKind::DeviceKey, required: Fact::written(true, key.span()) }];
    l.device.admin_paths.items.push(AdminPath {
        principal: name.to_owned(),
        span: key.span(),
        account: Some(ix),
        listeners,
        factors,
        fallback: false,
        live,
    });
}

fn administrator<'a>(l: &mut Lowering<'a>, user: Node<'a>, own: Fact<bool>) {
    let name = user.word_or_empty(0);
    let span = user.span();
    let mut account = base(l, name, span, Live::own(own.clone()));
    let ix = AccountIx(l.device.accounts.items.len() as u32);
    let proof = child(user, "authentication");
    let found = proof.and_then(|p| password(l, p, name, ix, own.clone()));
    account.secret = found.map(|(s, _)| s);
    l.device.accounts.items.push(account);
    let all = listeners(l, &["ssh", "telnet", "https", "http", "netconf", "ftp", "api"]);
    // A class without permissions lets nobody in.
    let refused = value(user, &["class"]).filter(|c| c.word(0) == Some("unauthorized"));
    let live = match refused {
        Some(class) => Fact::written(false, class.span()),
        None => own.clone(),
    };
    match (found, proof) {
        (Some((_, at)), _) => {
            let ssh = at_ssh(l);
            let closed = ["no-passwords", "no-password-authentication"].iter().any(|w| ssh.is_some_and(|s| child(s, w).is_some()));
            let shell = listeners(l, &["ssh", "netconf"]);
            let open = all.iter().copied().filter(|ix| !closed || !shell.contains(ix)).collect();
            let factors = vec![Factor { kind: FactorKind::Password, required: Fact::written(true, at) }];
            let fallback = local_is_fallback(l);
            let path =
                AdminPath { principal: name.to_owned(), span, account: Some(ix), listeners: open, factors, fallback, live: live.clone() };
            l.device.admin_paths.items.push(path);
        }
        // Nobody can enter here without a server that knows the name.
        (None, None) => {}
        (None, Some(_)) => {}
    }
    if let Some(proof) = proof {
        let shell = listeners(l, &["ssh", "netconf"]);
        keys(l, proof, name, ix, shell, live);
    }
    for quiet in
        ["full-name", "uid", "class", "authentication", "allow-commands", "deny-commands", "allow-configuration", "deny-configuration"]
    {
        if let Some(node) = child(user, quiet) {
            node.mark_below(Mark::Read);
        }
    }
}

fn at_ssh<'a>(l: &Lowering<'a>) -> Option<Node<'a>> {
    at(l.root, &["system", "services", "ssh"])
}

/// `authentication-order` without `password`: local passwords count only while no server answers.
fn local_is_fallback(l: &Lowering<'_>) -> bool {
    let order = rows(l.root, &["system", "authentication-order"]);
    !order.is_empty() && order.iter().all(|n| n.word(0) != Some("password"))
}

/// Administrators whom a RADIUS or TACACS+ server lets in.
fn servers(l: &mut Lowering<'_>) {
    for method in rows(l.root, &["system", "authentication-order"]) {
        let word = method.word_or_empty(0);
        if !matches!(word, "radius" | "tacplus" | "ldap") {
            continue;
        }
        let factors = vec![
            Factor { kind: FactorKind::Password, required: Fact::written(true, method.span()) },
            Factor { kind: FactorKind::OneTime, required: Fact::unknown(Why::at(WhyCode::ExternalDecision, word, vec![method.span()])) },
        ];
        let open = listeners(l, &["ssh", "telnet", "https", "http", "netconf", "api"]);
        l.device.admin_paths.items.push(AdminPath {
            principal: word.to_owned(),
            span: method.span(),
            account: None,
            listeners: open,
            factors,
            fallback: false,
            live: Fact::written(true, method.span()),
        });
    }
}
