//! Secrets as the product writes them, and adding them to a device.
//!
//! `plain`, `char` and a bare word are readable; `hash` is one; `secret` is a form whose strength was not seen in print. Values go
//! into `SecretValue` and nowhere else.

use super::{Export, on_off};
use crate::ir::account::{Direction, Secret, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::source::Span;
use crate::syntax::Node;

/// The secret from a word on: `plain [0|1] PW`, `hash H`, `secret S`, `char PW`, `hex PW`, or the value itself.
pub fn stored(node: Node<'_>, at: usize) -> (Storage, SecretValue) {
    let word = |ix: usize| node.word_or_empty(ix);
    let kind = word(at).to_ascii_lowercase();
    let (form, mut place) = match kind.as_str() {
        "plain" | "hash" | "secret" | "char" | "hex" if node.word(at + 1).is_some() => (kind.as_str(), at + 1),
        _ => ("", at),
    };
    // `plain 1 PW`: the digit tells how the password is written; a password of one digit stands alone before the level.
    let level = |w: &str| ["administrator", "operator", "monitor"].iter().any(|l| w.eq_ignore_ascii_case(l));
    if form == "plain" && matches!(word(place), "0" | "1" | "2") && node.word(place + 1).is_some_and(|w| !level(w)) {
        place += 1;
    }
    let value = word(place);
    let storage = match form {
        _ if value.is_empty() => Storage::Empty,
        _ if value.chars().all(|c| c == '*') => Storage::Masked,
        "hash" => Storage::Hash {
            weak: Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "password hash", vec![node.span()])),
            comparable: false,
        },
        "secret" => Storage::Opaque,
        _ => Storage::Clear,
    };
    (storage, SecretValue::new(value))
}

/// A readable value, or one in the form named by the word before it (`secret-password`).
pub fn value_at(node: Node<'_>, at: usize, opaque: bool) -> (Storage, SecretValue) {
    let value = node.word_or_empty(at);
    let storage = match value {
        "" => Storage::Empty,
        v if v.chars().all(|c| c == '*') => Storage::Masked,
        _ if opaque => Storage::Opaque,
        _ => Storage::Clear,
    };
    (storage, SecretValue::new(value))
}

/// A secret of this dialect; nobody gives a second factor and nothing is rotated unless said so afterwards.
pub fn secret(
    export: &Export<'_>,
    used_for: SecretUse,
    owner: &str,
    span: Span,
    stored: (Storage, SecretValue),
    live: Fact<bool>,
) -> Secret {
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
        owner_second: export.product("capability.admin_second_factor", on_off),
        rotated: export.product("password expiry", on_off),
    }
}
