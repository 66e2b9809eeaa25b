//! Secrets as statements write them: in clear, under one of the numbered types, or masked by who exported them.
//!
//! Type 7 is an old, published obfuscation, so what it hides counts as readable and is judged as it is. Types 4, 5, 8 and 9 are
//! hashes; type 6 is encrypted with a key that only the device holds.

use super::{Export, on_off};
use crate::ir::Device;
use crate::ir::account::{AccountIx, Direction, Secret, SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::Fact;
use crate::source::Span;
use crate::syntax::Node;
use zeroize::Zeroizing;

/// The fixed key of type 7.
const TYPE_7: &[u8; 53] = b"dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87";

/// What a type 7 value hides; `None` where it is no such value.
fn reveal(text: &str) -> Option<Zeroizing<String>> {
    let digits = text.get(..2)?;
    let offset: usize = digits.parse().ok()?;
    let body = text.get(2..)?;
    if body.len() % 2 != 0 || offset > 52 || !body.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    // As long as it will ever be, so that no copy stays behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(body.len() / 2));
    for ix in 0..body.len() / 2 {
        let byte = u8::from_str_radix(body.get(ix * 2..ix * 2 + 2)?, 16).ok()?;
        plain.push(byte ^ TYPE_7[(offset + ix) % TYPE_7.len()]);
    }
    // What turns into control characters was made up by whoever cleaned the export.
    let text = std::str::from_utf8(&plain).ok().filter(|p| !p.chars().any(char::is_control))?;
    Some(Zeroizing::new(text.to_owned()))
}

/// Whether an exporter put something else in the place of a value.
fn is_masked(value: &str) -> bool {
    value.starts_with('<') || value.bytes().all(|b| b == b'*')
}

/// A secret of a numbered type.
pub fn typed(kind: &str, value: &str) -> (Storage, SecretValue) {
    let hash = |weak: bool, comparable| Storage::Hash { weak: Fact::known(weak, crate::ir::fact::Origin::all([])), comparable };
    if is_masked(value) {
        return (Storage::Masked, SecretValue::new(value));
    }
    let storage = match kind {
        "7" => match reveal(value) {
            Some(plain) => return (Storage::Revealed, SecretValue::decoded(plain)),
            None => Storage::Recoverable { comparable: false },
        },
        "4" => hash(true, true),
        "5" => hash(true, false),
        "8" | "9" => hash(false, false),
        "6" => Storage::Opaque,
        _ => Storage::Clear,
    };
    (storage, SecretValue::new(value))
}

/// The secret from a word on: `VALUE`, or `TYPE VALUE`.
pub fn stored(node: Node<'_>, at: usize) -> (Storage, SecretValue) {
    let first = node.word_or_empty(at);
    match node.word(at + 1) {
        Some(value) if matches!(first, "0" | "4" | "5" | "6" | "7" | "8" | "9") => typed(first, value),
        _ if first.is_empty() => (Storage::Empty, SecretValue::new("")),
        _ => typed("0", first),
    }
}

/// A secret of this dialect: no second factor beside it, nothing rotates it.
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
        owner_second: export.product("local second factor", on_off),
        rotated: export.product("local password ageing", on_off),
    }
}

/// What the box shows to somebody else, or what both ends of a protocol must know.
pub fn shared(
    export: &Export<'_>,
    used_for: SecretUse,
    owner: &str,
    node: Node<'_>,
    at: usize,
    direction: Direction,
    device: &mut Device,
) -> SecretIx {
    let live = Fact::written(true, node.span());
    let mut own = secret(export, used_for, owner, node.span(), stored(node, at), live);
    own.direction = direction;
    own.protocol_needs_clear = true;
    device.add_secret(own)
}

/// Ties a secret to an account.
pub fn tie(device: &mut Device, secret: SecretIx, account: AccountIx) {
    if let Some(own) = device.secrets.items.get_mut(secret.0 as usize) {
        own.account = Some(account);
    }
    if let Some(own) = device.accounts.items.get_mut(account.0 as usize) {
        own.secret = Some(secret);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_seven_is_turned_back() {
        assert_eq!(reveal("0822455D0A16").as_deref().map(String::as_str), Some("cisco"));
        assert_eq!(reveal("0822455D0A1"), None, "odd digits");
        assert_eq!(reveal("ABCDEFGH1234"), None);
        assert_eq!(reveal("日本"), None, "no slice inside a character");
    }
}
