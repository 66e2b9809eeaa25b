//! Secrets and how they are stored: hashes of logins, keys and passwords that stand readable or in base64.
//!
//! Topics record the secrets they know the use of; what else the grammar's patterns find is recorded at the end, as something the box
//! shows to others.

use super::Lowering;
pub(in crate::dialect) use crate::dialect::secret::{Owner, Purpose};
use crate::dialect::secret::{is_filler, record};
use crate::ir::account::{Direction, SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::source::Span;
use crate::syntax::xml::Element;

fn is_masked(l: &Lowering<'_>, value: &str) -> bool {
    is_filler(value) || l.cx.grammar.names("mask_words").iter().any(|w| value.eq_ignore_ascii_case(w))
}

/// How a login's value is stored, told by the form of the hash.
fn hash(value: &str, element: &str, hashed: bool, span: Span) -> Option<Storage> {
    let weak = |weak| Some(Storage::Hash { weak: Fact::written(weak, span), comparable: true });
    // Old releases wrote the digits of a hash as digits once more.
    let hex = matches!(value.len(), 32 | 64) && value.bytes().all(|b| b.is_ascii_hexdigit());
    match value.as_bytes() {
        [b'$', b'2', ..] | [b'$', b'6', b'$', ..] | [b'$', b'5', b'$', ..] => weak(false),
        [b'$', b'1', b'$', ..] => weak(true),
        _ if hex && (element.starts_with("md5") || element.starts_with("nt")) => weak(true),
        _ if hashed || element.ends_with("-hash") => Some(Storage::Hash {
            weak: Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "password hash", vec![span])),
            comparable: true,
        }),
        _ => None,
    }
}

/// Records a secret.
pub(in crate::dialect) fn push(l: &mut Lowering<'_>, element: Element<'_>, purpose: Purpose, owner: Owner) -> SecretIx {
    push_as(l, element, purpose, owner, Storage::Clear)
}

/// Records something that the box shows to others and that stands in base64.
pub(in crate::dialect) fn push_encoded(l: &mut Lowering<'_>, element: Element<'_>, used_for: SecretUse, owner: Owner) -> SecretIx {
    push_as(l, element, Purpose::presents(used_for), owner, Storage::Recoverable { comparable: true })
}

/// `plain`: how a value is stored that is no hash.
fn push_as(l: &mut Lowering<'_>, element: Element<'_>, purpose: Purpose, owner: Owner, plain: Storage) -> SecretIx {
    let (value, span) = (element.text(), element.text_span());
    let hash = || hash(value, element.name(), purpose.hashed, span).filter(|_| purpose.direction == Direction::Verifies);
    let storage = match value {
        "" => Storage::Empty,
        v if is_masked(l, v) => Storage::Masked,
        _ => hash().unwrap_or(plain),
    };
    let rotated = l.cx.behaviour("secret.rotated", None);
    record(&mut l.device, purpose, owner, span, (storage, SecretValue::new(value)), rotated)
}

/// What nobody has recorded: every other place that the grammar's patterns name.
pub(in crate::dialect) fn rest(l: &mut Lowering<'_>) {
    let known: std::collections::HashSet<(u32, u32)> = l.device.secrets.iter().map(|s| (s.span.start, s.span.end)).collect();
    let mut found: Vec<Element<'_>> = Vec::new();
    let tree = l.cx.tree;
    l.cx.grammar.secrets.apply(tree.root(), &|_| true, &mut |node, hide| {
        let new = hide.iter().any(|s| s.end > s.start && *s == node.word_span(1) && node.len() > 1 && !known.contains(&(s.start, s.end)));
        // A pattern of two names and one of the last alone find the same place.
        if new && found.last().is_none_or(|f| f.node != node) {
            found.push(Element { node });
        }
    });
    for element in found {
        let (name, text) = (element.name(), element.text());
        // Switches and small numbers share their names with secrets elsewhere.
        let number = text.len() < 4 && text.bytes().all(|b| b.is_ascii_digit());
        if number || l.cx.listed("words_no_secret", text) || super::account::is_locked(text) {
            continue;
        }
        let encoded = l.cx.listed("base64_elements", name);
        let used_for = match l.cx.lookup("secret_uses", name) {
            Some("private_key") => SecretUse::PrivateKey,
            Some("radius") => SecretUse::Radius,
            Some("ldap_bind") => SecretUse::LdapBind,
            Some("isp_login") => SecretUse::IspLogin,
            Some("api_key") => SecretUse::ApiKey,
            Some("totp_seed") => SecretUse::TotpSeed,
            Some("snmp_community") => SecretUse::SnmpCommunity,
            _ => SecretUse::Other,
        };
        let owner = owner_name(element);
        let live = Fact::known(true, Origin::Written(element.text_span()));
        element.node.read();
        let owner = Owner::thing(owner, live);
        if encoded {
            push_encoded(l, element, used_for, owner);
        } else {
            push(l, element, Purpose::presents(used_for), owner);
        }
    }
}

/// The row or section a secret stands in, by its name.
fn owner_name(element: Element<'_>) -> String {
    let mut at = element.node.parent();
    while let Some(node) = at.filter(|n| !n.is_empty()) {
        let above = Element { node };
        let named = node.children().find(|n| matches!(n.word(0), Some("name" | "descr" | "host" | "username")) && n.len() > 1);
        if let Some(named) = named {
            return named.word_or_empty(1).to_owned();
        }
        if !matches!(above.name(), "config" | "row" | "item" | "general") {
            return above.name().to_owned();
        }
        at = node.parent();
    }
    element.name().to_owned()
}
