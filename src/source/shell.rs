//! Base64 shells: a file that as a whole is base64 text, bare or between BEGIN and END lines.
//!
//! Not a decoder of values: certificates, keys and single tokens are values of a configuration and stay as they are.
//! Invariant: a shell is taken off only when what comes out is a text, a container, or known to be encrypted.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD_INDIFFERENT};

use super::container::is_container;
use super::decode::looks_binary;

/// Fewer base64 characters than this are a key or a word, not a file.
const SHORTEST: usize = 64;

/// What a shell holds.
pub(super) enum Shell {
    /// The decoded bytes.
    Content(Vec<u8>),
    /// An encrypted backup, by its cipher header or its salt mark (`Salted__`, as OpenSSL writes it).
    Encrypted,
}

/// Takes the shell off, if the file is one.
pub(super) fn open_shell(bytes: &[u8]) -> Option<Shell> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii();
    let (body, armoured) = match armour(text) {
        Some(Armour { label, .. }) if is_key_material(label) => return None,
        Some(Armour { body, .. }) => (body, true),
        // SonicOS ends its settings file with `&`.
        None => (text.strip_suffix(b"&&").or(text.strip_suffix(b"&")).unwrap_or(text), false),
    };
    let mut digits = Vec::new();
    let mut in_head = armoured;
    let mut cipher_named = false;
    for line in body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')) {
            in_head &= line.is_empty();
            digits.extend_from_slice(line);
        } else if in_head {
            cipher_named |= line.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"cipher"));
        } else {
            return None;
        }
    }
    if digits.len() < SHORTEST {
        return None;
    }
    let engine = GeneralPurpose::new(&STANDARD, PAD_INDIFFERENT.with_decode_allow_trailing_bits(true));
    let content = engine.decode(&digits).ok()?;
    if content.starts_with(b"Salted__") || cipher_named {
        return Some(Shell::Encrypted);
    }
    let ascii = content.iter().filter(|byte| byte.is_ascii()).count();
    let text = !looks_binary(&content) && (ascii * 2 > content.len() || std::str::from_utf8(&content).is_ok());
    let key = armour(content.trim_ascii()).is_some_and(|armour| is_key_material(armour.label));
    (is_container(&content) || (text && !key)).then_some(Shell::Content(content))
}

struct Armour<'a> {
    label: &'a [u8],
    body: &'a [u8],
}

/// `-----BEGIN LABEL-----`, lines, `-----END LABEL-----`, with four dashes or more and spaces allowed inside them.
fn armour(text: &[u8]) -> Option<Armour<'_>> {
    if !text.starts_with(b"----") {
        return None;
    }
    let first_end = memchr::memchr(b'\n', text)?;
    let last_start = memchr::memrchr(b'\n', text)?;
    let label = bare_label(text.get(..first_end)?)?.strip_prefix(b"BEGIN ")?;
    bare_label(text.get(last_start + 1..)?)?.strip_prefix(b"END ")?;
    Some(Armour { label, body: text.get(first_end + 1..last_start).unwrap_or_default() })
}

fn bare_label(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii().strip_prefix(b"----")?.strip_suffix(b"----")?;
    let start = line.iter().position(|&byte| byte != b'-')?;
    let end = line.iter().rposition(|&byte| byte != b'-')?;
    Some(line.get(start..=end)?.trim_ascii())
}

fn is_key_material(label: &[u8]) -> bool {
    [b"CERTIFICATE".as_slice(), b"KEY", b"CRL", b"PKCS", b"PARAMETERS", b"PGP", b"SIGNATURE", b"CMS"]
        .iter()
        .any(|word| memchr::memmem::find(label, word).is_some())
}
