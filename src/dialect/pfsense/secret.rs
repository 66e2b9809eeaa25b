//! Secrets and how they are stored: hashes of logins, keys and passwords that stand readable or in base64.
//!
//! Topics record the secrets they know the use of; what else the grammar's patterns find is recorded at the end, as something the box
//! shows to others.

use super::Lowering;
use crate::ir::account::{AccountIx, Direction, Secret, SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::source::Span;
use crate::syntax::xml::Element;

/// What a secret is for.
#[derive(Clone, Copy)]
pub(super) struct Purpose {
    pub used_for: SecretUse,
    pub direction: Direction,
    /// Whether the protocol needs the box to know it in clear.
    pub needs_clear: bool,
    /// Whether the element holds base64.
    pub encoded: bool,
}

impl Purpose {
    pub(super) const fn presents(used_for: SecretUse) -> Purpose {
        Purpose { used_for, direction: Direction::Presents, needs_clear: true, encoded: false }
    }
    pub(super) const fn verifies(used_for: SecretUse) -> Purpose {
        Purpose { used_for, direction: Direction::Verifies, needs_clear: false, encoded: false }
    }
    pub(super) const fn shared(used_for: SecretUse) -> Purpose {
        Purpose { used_for, direction: Direction::Verifies, needs_clear: true, encoded: false }
    }
    pub(super) const fn key(used_for: SecretUse) -> Purpose {
        Purpose { used_for, direction: Direction::Presents, needs_clear: true, encoded: true }
    }
}

/// Whom a secret belongs to.
pub(super) struct Owner {
    pub name: String,
    pub account: Option<AccountIx>,
    pub second: Fact<bool>,
    pub live: Fact<bool>,
}

impl Owner {
    /// Something that is no account.
    pub(super) fn thing(name: impl Into<String>, live: Fact<bool>) -> Owner {
        let second = Fact::known(false, live.origin.clone());
        Owner { name: name.into(), account: None, second, live }
    }
}

fn is_masked(l: &Lowering<'_>, value: &str) -> bool {
    let filler = value.len() >= 4 && value.bytes().all(|b| b == b'*' || b == b'X' || b == b'x');
    filler || l.cx.grammar.names("mask_words").iter().any(|w| value.eq_ignore_ascii_case(w))
}

/// How a login's value is stored, told by the form of the hash.
fn hash(value: &str, element: &str, span: Span) -> Option<Storage> {
    let weak = |weak| Some(Storage::Hash { weak: Fact::written(weak, span), comparable: true });
    let hex = value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit());
    match value.as_bytes() {
        [b'$', b'2', ..] | [b'$', b'6', b'$', ..] | [b'$', b'5', b'$', ..] => weak(false),
        [b'$', b'1', b'$', ..] => weak(true),
        _ if hex && (element.starts_with("md5") || element.starts_with("nt")) => weak(true),
        _ if element.ends_with("-hash") => Some(Storage::Hash {
            weak: Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "password hash", vec![span])),
            comparable: true,
        }),
        _ => None,
    }
}

/// Records a secret.
pub(super) fn push(l: &mut Lowering<'_>, element: Element<'_>, purpose: Purpose, owner: Owner) -> SecretIx {
    let (value, span) = (element.text(), element.text_span());
    let storage = if value.is_empty() {
        Storage::Empty
    } else if is_masked(l, value) {
        Storage::Masked
    } else if let Some(hashed) = hash(value, element.name(), span).filter(|_| purpose.direction == Direction::Verifies) {
        hashed
    } else if purpose.encoded {
        Storage::Recoverable { comparable: true }
    } else {
        Storage::Clear
    };
    let ix = SecretIx(l.device.secrets.items.len() as u32);
    l.device.secrets.items.push(Secret {
        used_for: purpose.used_for,
        owner: owner.name,
        span,
        storage,
        value: SecretValue::new(value),
        direction: purpose.direction,
        live: owner.live,
        protocol_needs_clear: purpose.needs_clear,
        account: owner.account,
        owner_second: owner.second,
        rotated: l.cx.behaviour("secret.rotated", None),
    });
    ix
}

/// What nobody has recorded: every other place that the grammar's patterns name.
pub(super) fn rest(l: &mut Lowering<'_>) {
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
        if number || l.cx.listed("words_no_secret", text) {
            continue;
        }
        let encoded = l.cx.listed("base64_elements", name);
        let purpose = match l.cx.lookup("secret_uses", name) {
            Some("private_key") => Purpose::presents(SecretUse::PrivateKey),
            Some("radius") => Purpose::presents(SecretUse::Radius),
            Some("ldap_bind") => Purpose::presents(SecretUse::LdapBind),
            Some("isp_login") => Purpose::presents(SecretUse::IspLogin),
            Some("api_key") => Purpose::presents(SecretUse::ApiKey),
            Some("totp_seed") => Purpose::presents(SecretUse::TotpSeed),
            Some("snmp_community") => Purpose::presents(SecretUse::SnmpCommunity),
            _ => Purpose::presents(SecretUse::Other),
        };
        let owner = owner_name(element);
        let live = Fact::known(true, Origin::Written(element.text_span()));
        element.node.read();
        push(l, element, Purpose { encoded, ..purpose }, Owner::thing(owner, live));
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
        if above.name() != "config" && above.name() != "row" && above.name() != "item" {
            return above.name().to_owned();
        }
        at = node.parent();
    }
    element.name().to_owned()
}
