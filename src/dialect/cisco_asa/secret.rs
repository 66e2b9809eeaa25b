//! Secrets and the forms they are stored in. Values go into [`SecretValue`] and nowhere else.
//!
//! Any run of asterisks, and a word in angle brackets, is a mask: a secret is there and nothing is known of it.

use super::Export;
use super::lines::after;
use super::policy::Policies;
use crate::dialect::Input;
use crate::ir::Device;
use crate::ir::account::{Direction, Secret, SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, Origin};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// A stored value.
pub type Stored = (Storage, SecretValue);

/// The value at a word, with the words around it that say how it is stored.
pub fn stored(export: &Export<'_>, node: Node<'_>, at: usize, own_salt: bool) -> Stored {
    let typed = matches!(node.word_or_empty(at), "0" | "8") && node.word(at + 1).is_some_and(|w| !is_form(w));
    let value = node.word_or_empty(if typed { at + 1 } else { at });
    let form = node.words_from(at + 1).find(|w| is_form(w));
    let masked = !value.is_empty() && (value.bytes().all(|b| b == b'*') || value.starts_with('<') && value.ends_with('>'));
    let hash = |weak: &str, comparable: bool| Storage::Hash { weak: export.default_at(weak, node.span(), super::on_off), comparable };
    let storage = match form {
        // The form stands where the value should be: somebody cut it out.
        _ if masked || is_form(value) => Storage::Masked,
        _ if value.is_empty() => Storage::Masked,
        Some("pbkdf2") => hash("hash pbkdf2 weak", false),
        Some("encrypted") if value.starts_with("$sha512$") => hash("hash pbkdf2 weak", false),
        // The name of the user is the salt; what has no user has none.
        Some("encrypted") => hash("hash encrypted weak", !own_salt),
        Some("nt-encrypted") => hash("hash nt-encrypted weak", true),
        Some(_) => Storage::Opaque,
        None if typed && node.word(at) == Some("8") => Storage::Recoverable { comparable: false },
        None => Storage::Clear,
    };
    (storage, SecretValue::new(value))
}

fn is_form(word: &str) -> bool {
    matches!(word, "encrypted" | "pbkdf2" | "nt-encrypted" | "hashed")
}

/// A secret of this dialect.
pub fn secret(export: &Export<'_>, used_for: SecretUse, owner: &str, span: Span, stored: Stored, live: Fact<bool>) -> Secret {
    Secret {
        used_for,
        owner: owner.to_owned(),
        span,
        storage: stored.0,
        value: stored.1,
        direction: Direction::Verifies,
        live,
        protocol_needs_clear: false,
        account: None,
        owner_second: Fact::known(false, Origin::Written(span)),
        rotated: rotated(export),
    }
}

/// Whether the box makes people change their passwords within 60 days.
fn rotated(export: &Export<'_>) -> Fact<bool> {
    match export.lines.last(&["password-policy", "lifetime"]) {
        Some(line) => {
            let days: Option<i64> = line.word(2).and_then(|w| w.parse().ok());
            Fact::written(days.is_some_and(|d| d > 0 && d <= 60), line.span())
        }
        None => export.absent("password-policy lifetime", "login_policy", |v| Some(v != "0")),
    }
}

/// Pre-shared keys of tunnel groups, by group.
pub fn keys<'a>(export: &Export<'a>, policies: &Policies<'a>, used: &Fact<bool>, device: &mut Device) -> HashMap<&'a str, SecretIx> {
    let mut found = HashMap::new();
    for group in &policies.groups {
        let mut lines: Vec<(Node<'a>, usize)> = group.key().into_iter().collect();
        for words in [["ikev2", "remote-authentication", "pre-shared-key"], ["ikev2", "local-authentication", "pre-shared-key"]] {
            lines.extend(group.line("ipsec-attributes", &words).map(|n| (n, 3)));
        }
        for (line, at) in lines {
            let mut key = secret(export, SecretUse::IkePsk, group.name, line.span(), stored(export, line, at, false), used.clone());
            key.protocol_needs_clear = true;
            if line.word(1) == Some("local-authentication") {
                key.direction = Direction::Presents;
            }
            let ix = device.add_secret(key);
            found.entry(group.name).or_insert(ix);
        }
    }
    found
}

/// Keys of servers, logins at providers and what else is written; accounts and pre-shared keys are added where they are read.
pub fn fill(export: &Export<'_>, _input: &Input<'_>, device: &mut Device) {
    let mut presents = |used_for, owner: &str, line: Node<'_>, at: usize| {
        let live = Fact::written(true, line.span());
        let mut one = secret(export, used_for, owner, line.span(), stored(export, line, at, false), live);
        one.direction = Direction::Presents;
        one.protocol_needs_clear = true;
        device.add_secret(one);
    };
    for server in export.lines.all(&["aaa-server"]) {
        let group = server.word_or_empty(1);
        for line in server.children() {
            match line.word_or_empty(0) {
                "key" => presents(SecretUse::Radius, group, line.read(), 1),
                "ldap-login-password" => presents(SecretUse::LdapBind, group, line.read(), 1),
                _ => {}
            }
        }
        if let Some((_, at)) = after(server, "key", 3) {
            presents(SecretUse::Radius, group, server, at);
        }
    }
    for line in export.lines.all(&["vpdn", "username"]) {
        if let Some((_, at)) = after(line, "password", 3) {
            presents(SecretUse::IspLogin, line.word_or_empty(2), line, at);
        }
    }
    for words in [["failover", "key"], ["failover", "ipsec"]] {
        if let Some(line) = export.lines.last(&words) {
            presents(SecretUse::Other, "failover", line, line.len().saturating_sub(1));
        }
    }
    device.secrets.rest = export.rest("secrets");
}
