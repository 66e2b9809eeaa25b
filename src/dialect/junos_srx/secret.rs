//! Secrets and how they are stored.
//!
//! `$1$`, `$5$`, `$6$` are hashes; `$9$` is an obfuscation whose method is public, so the secret itself is read from it and judged;
//! `$8$` is encrypted with the owner's master password. A word that has none of these forms where a hash belongs was put there
//! by somebody who hid the value.

use super::Lowering;
use super::value::is_placeholder;
use crate::dialect::secret::record;
pub(super) use crate::dialect::secret::{Owner, Purpose};
use crate::ir::account::{SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, Origin};
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{below, is_mark};
use zeroize::Zeroizing;

/// The letters of the obfuscation, in their four families; a letter of an earlier family is followed by more filling.
const FAMILIES: [&str; 4] = ["QzF3n6/9CAtpu0O", "B1IREhcSyrleKvMW8LXx", "7N-dVbwsY2g4oaJZGUDj", "iHkq.mPf5T"];
/// Weights of the gaps between letters, for one character after another.
const WEIGHTS: [&[u32]; 7] = [&[1, 4, 32], &[1, 16, 32], &[1, 8, 32], &[1, 64], &[1, 32], &[1, 4, 16, 128], &[1, 32, 64]];

/// Turns `$9$…` back; `None` when it is not a value the box made.
pub(super) fn reveal(text: &str) -> Option<Zeroizing<String>> {
    let letters = || FAMILIES.iter().flat_map(|f| f.chars());
    let place = |c: char| letters().position(|l| l == c).map(|p| p as u32);
    let count = letters().count() as u32;
    let mut chars = text.strip_prefix("$9$")?.chars();
    let first = chars.next()?;
    let family = FAMILIES.iter().position(|f| f.contains(first))?;
    for _ in 0..3 - family {
        place(chars.next()?)?;
    }
    let mut before = place(first)?;
    // Two letters or more for a character of at most two bytes: it never grows, so no copy stays behind.
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut weights = WEIGHTS.iter().cycle();
    loop {
        let mut code = 0;
        for (n, weight) in weights.next()?.iter().enumerate() {
            let Some(c) = chars.next() else { return (n == 0 && !out.is_empty()).then_some(out) };
            let at = place(c)?;
            code += weight * ((at + count - before) % count).checked_sub(1)?;
            before = at;
        }
        out.push(char::from_u32(code % 256)?);
    }
}

/// How a value is stored, and the value.
fn stored(text: &str, hashed: bool, at: Span) -> (Storage, SecretValue) {
    let weak = |weak| Storage::Hash { weak: Fact::written(weak, at), comparable: true };
    let storage = if text.is_empty() {
        Storage::Empty
    } else if is_placeholder(text) {
        Storage::Masked
    } else if text.starts_with("$8$") {
        Storage::Opaque
    } else if text.starts_with("$9$") {
        return match reveal(text) {
            Some(clear) => (Storage::Revealed, SecretValue::decoded(clear)),
            None => (Storage::Masked, SecretValue::new(text)),
        };
    } else if text.starts_with("$1$") || text.starts_with("$sha1$") {
        weak(true)
    } else if text.starts_with("$5$") || text.starts_with("$6$") {
        weak(false)
    } else if !hashed {
        Storage::Clear
    } else if text.len() == 13 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/') {
        // The oldest form: DES crypt.
        weak(true)
    } else {
        Storage::Masked
    };
    (storage, SecretValue::new(text))
}

/// Records a secret that stands in a word.
pub(super) fn push(l: &mut Lowering<'_>, node: Node<'_>, purpose: Purpose, owner: Owner) -> SecretIx {
    let stored = stored(node.word_or_empty(0), purpose.hashed, node.span());
    let rotated = l.product("secret.rotated");
    record(&mut l.device, purpose, owner, node.span(), stored, rotated)
}

/// Where further secrets stand; the last word is the value's statement, `*` is any name.
const PLACES: &[(&str, Purpose)] = &[
    ("system radius-server * secret", Purpose::presents(SecretUse::Radius)),
    ("system tacplus-server * secret", Purpose::presents(SecretUse::Radius)),
    ("system accounting destination radius server * secret", Purpose::presents(SecretUse::Radius)),
    ("system accounting destination tacplus server * secret", Purpose::presents(SecretUse::Radius)),
    ("system ntp authentication-key * value", Purpose::presents(SecretUse::Other)),
    ("system archival configuration archive-sites * password", Purpose::presents(SecretUse::Other)),
    ("system proxy password", Purpose::presents(SecretUse::Other)),
    ("system services outbound-ssh client * secret", Purpose::presents(SecretUse::Other)),
    ("access radius-server * secret", Purpose::presents(SecretUse::Radius)),
    ("access profile * radius-server * secret", Purpose::presents(SecretUse::Radius)),
    ("access profile * ldap-options search admin-search password", Purpose::presents(SecretUse::LdapBind)),
    ("access ldap-options search admin-search password", Purpose::presents(SecretUse::LdapBind)),
    ("access ldap-server * admin-search password", Purpose::presents(SecretUse::LdapBind)),
    ("interfaces * unit * ppp-options chap default-chap-secret", Purpose::presents(SecretUse::IspLogin)),
    ("interfaces * unit * ppp-options pap default-password", Purpose::presents(SecretUse::IspLogin)),
    ("interfaces * unit * ppp-options pap local-password", Purpose::presents(SecretUse::IspLogin)),
    ("interfaces * unit * family inet address * vrrp-group * authentication-key", Purpose::presents(SecretUse::Other)),
    ("protocols bgp authentication-key", Purpose::presents(SecretUse::Other)),
    ("protocols bgp group * authentication-key", Purpose::presents(SecretUse::Other)),
    ("protocols bgp group * neighbor * authentication-key", Purpose::presents(SecretUse::Other)),
    ("protocols ospf area * interface * authentication simple-password", Purpose::presents(SecretUse::Other)),
    ("protocols ospf area * interface * authentication md5 * key", Purpose::presents(SecretUse::Other)),
    ("protocols isis level * authentication-key", Purpose::presents(SecretUse::Other)),
    ("security authentication-key-chains key-chain * key * secret", Purpose::presents(SecretUse::Other)),
    ("snmp v3 usm local-engine user * authentication-md5 authentication-key", Purpose::verifies(SecretUse::Other)),
    ("snmp v3 usm local-engine user * authentication-sha authentication-key", Purpose::verifies(SecretUse::Other)),
    ("snmp v3 usm local-engine user * privacy-aes128 privacy-key", Purpose::verifies(SecretUse::Other)),
    ("snmp v3 usm local-engine user * privacy-des privacy-key", Purpose::verifies(SecretUse::Other)),
    ("services user-identification active-directory-access domain * user password", Purpose::presents(SecretUse::LdapBind)),
    ("services ip-monitoring policy * password", Purpose::presents(SecretUse::Other)),
    ("security pki ca-profile * enrollment password", Purpose::presents(SecretUse::Other)),
];

/// Lowers the secrets that no account or tunnel brought along.
pub(super) fn lower(l: &mut Lowering<'_>) {
    for (path, purpose) in PLACES {
        let words: Vec<&str> = path.split(' ').collect();
        let mut found: Vec<(Node<'_>, Option<Node<'_>>)> = vec![(l.root, None)];
        for word in &words {
            found = found
                .into_iter()
                .flat_map(|(node, name)| below(node).map(move |n| (n, name)))
                .filter(|(n, _)| *word == "*" || n.word(0) == Some(word))
                .map(|(n, name)| (n, if *word == "*" { name.or(Some(n)) } else { name }))
                .collect();
        }
        for (node, name) in found {
            let Some(value) = below(node).find(|n| !is_mark(*n)) else { continue };
            let mut up = Some(value.read());
            while let Some(n) = up {
                up = n.read().parent();
            }
            let owner = name.map_or(words[words.len() - 1], |n| n.word_or_empty(0));
            push(l, value, *purpose, Owner::thing(owner, Fact::known(true, Origin::Written(value.span()))));
        }
    }
    for site in super::rows(l.root, &["system", "archival", "configuration", "archive-sites"]) {
        url(l, site);
    }
    l.device.secrets.rest = l.rest("secrets");
}

/// A password inside the address of a server: `ftp://user:password@host/`.
fn url(l: &mut Lowering<'_>, node: Node<'_>) {
    let text = node.word_or_empty(0);
    let login = text.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(login, _)| login);
    let Some((user, password)) = login.and_then(|l| l.split_once(':')).filter(|(_, p)| !p.is_empty()) else { return };
    let live = Fact::written(true, node.span());
    let ix = push(l, node, Purpose::presents(SecretUse::Other), Owner::thing(user, live));
    if let Some(secret) = l.device.secrets.items.get_mut(ix.0 as usize) {
        (secret.storage, secret.value) = stored(password, false, node.span());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn the_obfuscation_is_turned_back() {
        // Made with the public description of the method; the letters behind the first are filling.
        assert_eq!(reveal("$9$LbHX-wg4Z").as_deref().map(String::as_str), Some("lc"));
        assert!(reveal("$9$").is_none());
        assert!(reveal("$9$FAKEHASHDATAXXXXXXXXXXXXXXXXXXXX").is_none());
        assert!(reveal("$9$Lb").is_none());
    }

    #[test]
    fn forms_are_told_apart() {
        let at = Span { file: FileId(0), start: 0, end: 1 };
        let of = |text: &str, hashed| stored(text, hashed, at).0;
        assert!(matches!(of("$6$abc$def", true), Storage::Hash { weak, .. } if weak.value.is_false()));
        assert!(matches!(of("$1$abc$def", true), Storage::Hash { weak, .. } if weak.value.is_true()));
        assert!(matches!(of("ab./0123456zZ", true), Storage::Hash { weak, .. } if weak.value.is_true()));
        assert!(matches!(of("very-secret-encrypted-password", true), Storage::Masked));
        assert!(matches!(of("[PASSWORD]", false), Storage::Masked));
        assert!(matches!(of("plain words", false), Storage::Clear));
        assert!(matches!(of("$8$aes256-gcm$x", false), Storage::Opaque));
    }
}
