//! What stands for a secret: a word of the same form, numbered in the order of first appearance, so that nothing of the value
//! (not even a hash of it) is in the result. Equal values get equal words.
//!
//! The form stays where it tells how the secret is stored: the beginning of a hash with its method and rounds, the length of
//! encoded text, the lines of a key. A password in clear becomes `secret-1`, whatever its length.

use super::name::Names;
use std::collections::{BTreeSet, HashMap};

/// A word that is long enough, and of letters of encodings only, is taken for encoded text.
const ENCODED: usize = 24;
/// The name of a scheme in braces is no longer than this.
const SCHEME: usize = 12;
/// Hashes that are told by their first letters have this many of them.
const LETTERS: usize = 3;

/// What a dialect takes for a placeholder and we do not.
const STARS: &str = "********";

/// The stand-ins of one text.
#[derive(Default)]
pub(super) struct Secrets {
    given: HashMap<String, String>,
    /// Words of the dialect in small letters that are no secret: placeholders, and values like `none`.
    kept: BTreeSet<String>,
    clear: usize,
    encoded: usize,
}

/// What is known about the place of a secret.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'t> {
    /// The word before it in the statement.
    pub before: &'t str,
    /// Whether a well-known community may stay.
    pub community: bool,
    /// Whether the dialect takes the value for a placeholder.
    pub masked: bool,
}

impl Secrets {
    /// Adds words that stay.
    pub(super) fn keep<'w>(&mut self, words: impl IntoIterator<Item = &'w String>) {
        self.kept.extend(words.into_iter().map(|w| w.to_lowercase()));
    }

    /// The stand-in of a value; `None` where it stays: a placeholder, a word about the form, or a community everybody knows.
    pub(super) fn of(&mut self, value: &str, place: Place<'_>, names: &Names) -> Option<String> {
        let kept = is_placeholder(value)
            || place.community && matches!(value, "public" | "private")
            || is_given(value)
            || self.kept.contains(&value.to_lowercase());
        if kept {
            return None;
        }
        if let Some(known) = self.given.get(value) {
            return Some(known.clone());
        }
        let marked = place.before.len() == 1 && place.before.bytes().all(|b| (b'5'..=b'9').contains(&b));
        let told = place.before == "ENC";
        let word = if place.masked && !value.starts_with('$') {
            STARS.to_owned()
        } else if value.contains('\n') {
            self.encoded += 1;
            lines(value, self.encoded)
        } else if !place.masked && place.before != "9" && value.starts_with("$9$") && value.matches('$').count() == 2 {
            obfuscated(&self.next_clear(names))
        } else if told || marked || value.starts_with('$') || scheme(value).is_some() || is_encoded(value) {
            self.encoded += 1;
            encoded(value, self.encoded, told)
        } else {
            self.next_clear(names)
        };
        self.given.insert(value.to_owned(), word.clone());
        Some(word)
    }

    fn next_clear(&mut self, names: &Names) -> String {
        loop {
            self.clear += 1;
            if !names.is_taken("secret", self.clear) {
                return format!("secret-{}", self.clear);
            }
        }
    }
}

fn is_given(value: &str) -> bool {
    value.strip_prefix("secret-").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Stars and the like, and a word in brackets: somebody masked the value before.
pub(super) fn is_placeholder(value: &str) -> bool {
    let inside = value.strip_prefix('<').and_then(|v| v.strip_suffix('>')).or_else(|| value.strip_prefix('[')?.strip_suffix(']'));
    let label = inside.is_some_and(|v| v.len() > 3 && v.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-' | b' ')));
    let word = inside.unwrap_or(value).to_ascii_lowercase();
    value.bytes().all(|b| b == b'*')
        || value.len() >= 3 && value.bytes().all(|b| matches!(b, b'*' | b'x' | b'X' | b'.'))
        || label
        || ["removed", "redacted", "hidden", "masked", "configuration removed", "secret removed"].contains(&word.as_str())
}

/// Words that grammars hide with the value since they cannot tell them from it.
pub(super) fn is_about_form(value: &str) -> bool {
    const WORDS: [&str; 47] = [
        "enc",
        "encrypted",
        "text",
        "clear",
        "plain",
        "hex",
        "hexadecimal",
        "ascii",
        "ascii-text",
        "string",
        "hash",
        "cipher",
        "secret",
        "level",
        "encryption",
        "char",
        "128",
        "192",
        "256",
        "15",
        "version",
        "1",
        "2c",
        "3",
        "v1",
        "v2c",
        "v3",
        "auth",
        "noauth",
        "priv",
        "sha",
        "md5",
        "aes",
        "des",
        "3des",
        "address",
        "pbkdf2",
        "bit=2048",
        "vrf",
        "informs",
        "traps",
        "udp-port",
        "config",
        "bgp",
        "snmp",
        "syslog",
        "tty",
    ];
    value.len() == 1 && value.bytes().all(|b| b.is_ascii_digit()) || WORDS.contains(&value.to_ascii_lowercase().as_str())
}

/// Whether a word alone says how a value would be stored that is not there, or how all are.
pub(super) fn is_about_storage(before: &str, value: &str) -> bool {
    matches!(value, "encrypted" | "pbkdf2" | "ENC" | "encryption") || before == "encryption" && is_about_form(value)
}

fn is_encoded(value: &str) -> bool {
    value.len() >= ENCODED && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'.'))
}

/// Zeros with a number near the end; the last character stays a zero, as the padding of encodings wants it.
fn filler(length: usize, number: usize) -> String {
    let number = number.to_string();
    format!("{}{number}0", "0".repeat(length.saturating_sub(number.len() + 1)))
}

/// The name of a method in braces before a hash, and the hash.
fn scheme(value: &str) -> Option<(&str, &str)> {
    let (name, rest) = value.strip_prefix('{')?.split_once('}')?;
    let fits = name.len() <= SCHEME && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
    (fits && !rest.is_empty()).then_some((name, rest))
}

/// Names of methods between dollar signs: numbers and the like, and some that are words.
fn is_method(part: &str) -> bool {
    part.len() <= 2
        || ["sha1", "sha256", "sha512", "apr1", "md5", "argon2i", "argon2id", "scrypt", "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512"]
            .contains(&part)
}

/// Encoded text of the same form: what tells the method stays, and so does the length of the rest.
fn encoded(value: &str, number: usize, told: bool) -> String {
    let padding = value.len() - value.trim_end_matches('=').len();
    let body = value.get(..value.len() - padding).unwrap_or_default();
    let (head, body) = match scheme(body) {
        Some((name, rest)) => (format!("{{{name}}}"), rest),
        _ if told && body.len() > ENCODED && ["AK1", "SH2", "PB2"].iter().any(|h| body.starts_with(h)) => {
            (body.get(..LETTERS).unwrap_or_default().to_owned(), body.get(LETTERS..).unwrap_or_default())
        }
        _ => (String::new(), body),
    };
    let mut out = head;
    let mut parts = body.split('$').peekable();
    let methods = body.starts_with('$');
    let mut place = 0;
    while let Some(part) = parts.next() {
        // `$2y$10$...`, `$5$rounds=5000$...`: the method and its numbers.
        let about = methods
            && (place == 0
                || place == 1 && is_method(part)
                || part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit())
                || part.starts_with("rounds="));
        let about = about && parts.peek().is_some();
        if about || part.is_empty() {
            out.push_str(part);
        } else {
            out.push_str(&filler(part.chars().count(), number));
        }
        if parts.peek().is_some() {
            out.push('$');
        }
        place += 1;
    }
    out.push_str(&"=".repeat(padding));
    out
}

/// A key over several lines: its first and last lines stay, and every other one keeps its length.
fn lines(value: &str, number: usize) -> String {
    let line = |line: &str| {
        let text = line.trim();
        match text.is_empty() || text.starts_with("-----") {
            true => line.to_owned(),
            false => line.replacen(text, &filler(text.chars().count(), number), 1),
        }
    };
    value.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The letters of the obfuscation that begins with `$9$`, in the order its arithmetic counts them.
const LETTERS_9: &[u8; 65] = b"QzF3n6/9CAtpu0OB1IREhcSyrleKvMW8LXx7N-dVbwsY2g4oaJZGUDjiHkq.mPf5T";
/// Weights of the gaps between letters, for one character after another.
const WEIGHTS_9: [&[usize]; 7] = [&[1, 4, 32], &[1, 16, 32], &[1, 8, 32], &[1, 64], &[1, 32], &[1, 4, 16, 128], &[1, 32, 64]];

/// A text under the obfuscation that begins with `$9$`, so that it can be turned back like the one it stands for.
fn obfuscated(text: &str) -> String {
    let mut out = String::from("$9$i");
    let mut before = LETTERS_9.iter().position(|l| *l == b'i').unwrap_or_default();
    for (byte, weights) in text.bytes().zip(WEIGHTS_9.iter().cycle()) {
        let mut rest = usize::from(byte);
        let mut gaps: Vec<usize> = Vec::with_capacity(weights.len());
        for weight in weights.iter().rev() {
            gaps.push(rest / weight);
            rest %= weight;
        }
        for gap in gaps.into_iter().rev() {
            before = (before + gap + 1) % LETTERS_9.len();
            out.push(char::from(LETTERS_9.get(before).copied().unwrap_or(b'Q')));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Vec<String> {
        let mut secrets = Secrets::default();
        values.iter().map(|v| secrets.of(v, Place::default(), &Names::default()).unwrap_or_else(|| (*v).to_owned())).collect()
    }

    #[test]
    fn equal_values_get_equal_words_and_length_is_not_kept() {
        assert_eq!(of(&["hunter2", "correct horse", "hunter2"]), ["secret-1", "secret-2", "secret-1"]);
    }

    #[test]
    fn methods_of_hashes_and_lengths_stay() {
        let out = of(&["$1$abcd$0123456789abcdefghijkl", "$2y$10$YRVoF4SgskIsrXOvOQjGieB9XqHPRra9R7d80B3BZdbY/j21TwBfS", "{SSHA}abcdefg="]);
        assert_eq!(out[0], "$1$0010$0000000000000000000010");
        assert!(out[1].starts_with("$2y$10$000") && out[1].len() == 60, "{out:?}");
        assert_eq!(out[2], "{SSHA}0000030=");
    }

    #[test]
    fn what_is_masked_stays() {
        let masked = ["", "********", "<removed>", "xxxx", "[REDACTED]", "secret-4"];
        assert_eq!(of(&masked), masked);
    }

    #[test]
    fn what_only_looks_like_a_method_is_replaced() {
        let out = of(&["{himitsu}", "{HIMITSU}", "$himitsu$himitsu", "himitsu$himitsu"]);
        assert!(!out.iter().any(|o| o.to_lowercase().contains("himitsu")), "{out:?}");
    }

    #[test]
    fn keys_keep_their_lines() {
        assert_eq!(of(&["-----BEGIN X-----\nabcdef\n-----END X-----\n"]), ["-----BEGIN X-----\n000010\n-----END X-----\n"]);
    }

    #[test]
    fn short_fillers_are_still_told_apart() {
        assert!((1..200).map(|n| filler(4, n)).collect::<BTreeSet<_>>().len() > 190);
    }
}
