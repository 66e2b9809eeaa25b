//! How easily a password is guessed, by the classes of the annex to the MHLW notice of 2024-08-01: factory words, plain
//! sequences, simple substitutions, keyboard walks, names; zxcvbn as a second opinion. What comes out says the class and
//! numbers, never any part of the value. Copies made on the way are wiped; what zxcvbn makes for itself is out of reach.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// The notices' classes, and what a second opinion calls dictionary-like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// None of the classes.
    No,
    /// A word of factories and manuals.
    Factory,
    /// Consecutive or repeated characters.
    Sequence,
    /// A listed word or sequence with letters swapped for signs.
    Substitution,
    /// A walk over the keyboard.
    Keyboard,
    /// Holds the name of the facility, its people, the device or the account.
    Name,
    /// zxcvbn score 2 or less.
    Dictionary,
}

impl Listed {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            Listed::No => "none",
            Listed::Factory => "factory",
            Listed::Sequence => "sequence",
            Listed::Substitution => "substitution",
            Listed::Keyboard => "keyboard",
            Listed::Name => "name",
            Listed::Dictionary => "dictionary",
        }
    }
}

/// A judged password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    /// Length in characters.
    pub length: i64,
    /// How many of lower case, upper case, digits and signs it holds.
    pub classes: i64,
    /// zxcvbn's score, 0 to 4.
    pub score: i64,
    /// The class.
    pub listed: Listed,
}

/// Word lists; see `data/vocabulary.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// Words in an account's name that mark a vendor's account.
    pub vendor_accounts: Vec<String>,
    /// Passwords that factories, manuals and installers use.
    pub(super) factory: Vec<String>,
    /// Rows of keys.
    pub(super) keyboard: Vec<String>,
    substitutions: BTreeMap<char, String>,
    substitutions_to_digits: BTreeMap<char, char>,
}

impl Vocabulary {
    /// Whether people write this sign for that letter.
    pub(super) fn stands_for(&self, sign: char, letter: char) -> bool {
        self.substitutions.get(&sign).is_some_and(|letters| letters.contains(letter))
    }
}

/// The embedded word lists. A test reads them; a list that cannot be read would be empty.
pub fn vocabulary() -> &'static Vocabulary {
    static WORDS: OnceLock<Vocabulary> = OnceLock::new();
    WORDS.get_or_init(|| toml::from_str(include_str!("../../data/vocabulary.toml")).unwrap_or_default())
}

/// Judges a password. `names` are those of the facility, the device and the account.
pub fn judge(value: &str, names: &[&str]) -> Strength {
    let length = value.chars().count() as i64;
    let has = |f: fn(&char) -> bool| i64::from(value.chars().any(|c| f(&c)));
    let classes = has(|c| c.is_lowercase()) + has(|c| c.is_uppercase()) + has(char::is_ascii_digit) + has(|c| !c.is_alphanumeric());
    let head = value.char_indices().nth(72).and_then(|(end, _)| value.get(..end)).unwrap_or(value);
    let score = i64::from(u8::from(zxcvbn::zxcvbn(head, names).score()));
    let listed = match class_of(value, names) {
        Listed::No if score <= 2 => Listed::Dictionary,
        listed => listed,
    };
    Strength { length, classes, score, listed }
}

/// The notices' class alone, without the second opinion.
pub(super) fn class_of(value: &str, names: &[&str]) -> Listed {
    let words = vocabulary();
    let lower = wiped(Zeroizing::new(value.to_lowercase()).chars(), value.len());
    let core = strip_tail(&lower);
    if is_sequence(&lower) || is_sequence(core) {
        return Listed::Sequence;
    }
    let is_word = |text: &[char]| {
        let text = joined(text);
        words.factory.contains(&*text)
    };
    if is_word(&lower) || is_word(core) {
        return Listed::Factory;
    }
    if is_walk(&lower, &words.keyboard) || is_walk(core, &words.keyboard) {
        return Listed::Keyboard;
    }
    let named = |text: &[char]| {
        let text = joined(text);
        names.iter().map(|n| n.to_lowercase()).any(|n| n.chars().count() >= 3 && text.contains(&n) && n.chars().count() * 2 >= core.len())
    };
    if named(&lower) {
        return Listed::Name;
    }
    let digits = wiped(lower.iter().map(|c| *words.substitutions_to_digits.get(c).unwrap_or(c)), lower.len());
    if digits != lower && digits.iter().all(char::is_ascii_digit) && is_sequence(&digits) {
        return Listed::Substitution;
    }
    for text in [&lower[..], core] {
        for undone in undo(text, &words.substitutions) {
            if *undone != text && (is_word(&undone) || is_word(strip_tail(&undone)) || named(&undone)) {
                return Listed::Substitution;
            }
        }
    }
    Listed::No
}

/// Characters in memory that is wiped; made once, at the size it may reach, so that no copy stays behind.
fn wiped(characters: impl Iterator<Item = char>, most: usize) -> Zeroizing<Vec<char>> {
    let mut all = Zeroizing::new(Vec::with_capacity(most));
    all.extend(characters);
    all
}

/// Characters as a text in memory that is wiped.
fn joined(characters: &[char]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(characters.len() * 4));
    text.extend(characters);
    text
}

/// Without the digits and signs people add at the end (`Koro2024!` is `Koro`).
fn strip_tail(text: &[char]) -> &[char] {
    let end = text.iter().rposition(|c| c.is_alphabetic()).map_or(text.len(), |ix| ix + 1);
    &text[..end]
}

/// Consecutive or repeated characters make up the whole, or all but two of it (`1111`, `abcd`, `4321`, `12345678!`).
fn is_sequence(text: &[char]) -> bool {
    if text.len() < 4 {
        return text.len() > 1 && text.windows(2).all(|w| w[0] == w[1]) || text.iter().all(char::is_ascii_digit);
    }
    let mut longest = 1;
    for step in [-1i64, 0, 1] {
        let mut run = 1;
        for pair in text.windows(2) {
            let next = i64::from(u32::from(pair[0])) + step == i64::from(u32::from(pair[1]))
                || step == 1 && pair == ['9', '0']
                || step == -1 && pair == ['0', '9'];
            run = if next { run + 1 } else { 1 };
            longest = longest.max(run);
        }
    }
    // Halves that repeat: abab, 12341234, and dates of one digit run count as sequences of their half.
    let half = text.len() / 2;
    let repeated = text.len().is_multiple_of(2) && text[..half] == text[half..] && half <= 4;
    longest + 2 >= text.len() && longest >= 4 || repeated
}

/// One or two rows or columns of keys, walked either way, make up the whole.
fn is_walk(text: &[char], rows: &[String]) -> bool {
    if text.len() < 4 {
        return false;
    }
    let on_row = |part: &[char]| {
        let there = joined(part);
        let back = joined(&wiped(part.iter().rev().copied(), part.len()));
        part.len() >= 3 && rows.iter().any(|r| r.contains(there.as_str()) || r.contains(back.as_str()))
    };
    on_row(text) || (3..=text.len().saturating_sub(3)).any(|cut| on_row(&text[..cut]) && on_row(&text[cut..]))
}

/// The texts a password may stand for; each sign at most one letter at a time, so that the work stays linear.
fn undo(text: &[char], substitutions: &BTreeMap<char, String>) -> Vec<Zeroizing<Vec<char>>> {
    let most = substitutions.values().map(|v| v.chars().count()).max().unwrap_or(1);
    (0..most)
        .map(|variant| {
            let undone = text.iter().map(|c| {
                substitutions.get(c).and_then(|letters| letters.chars().nth(variant).or_else(|| letters.chars().next())).unwrap_or(*c)
            });
            wiped(undone, text.len())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(value: &str) -> Listed {
        class_of(value, &["koro", "korohospital"])
    }

    #[test]
    fn the_word_lists_can_be_read() {
        assert!(!vocabulary().factory.is_empty());
    }

    #[test]
    fn the_examples_of_the_notice() {
        assert_eq!(listed("Administrator"), Listed::Factory);
        assert_eq!(listed("12345678"), Listed::Sequence);
        assert_eq!(listed("pa$$w0rd"), Listed::Substitution);
        assert_eq!(listed("P@ssw0rd"), Listed::Substitution);
        assert_eq!(listed("i234567&9"), Listed::Substitution);
        assert_eq!(listed("qwerty"), Listed::Keyboard);
        assert_eq!(listed("7410"), Listed::Keyboard);
        assert_eq!(listed("KoroHospital"), Listed::Name);
        assert_eq!(listed("Koro2024!"), Listed::Name);
    }

    #[test]
    fn more_of_the_same_kinds() {
        for value in ["1111", "4321", "abcd1234", "0000", "password1", "admin123"] {
            assert_ne!(judge(value, &[]).listed, Listed::No, "{value}");
        }
        assert_eq!(listed("1qaz2wsx"), Listed::Keyboard);
        assert_eq!(listed("asdfzxcv"), Listed::Keyboard);
    }

    #[test]
    fn random_values_are_in_no_class() {
        for value in ["gIvrug-pupcyv-7kogza", "8Kq3vXw29LmTz", "vN2c7QxR!pLw", "mF3sT9pQzL4wK8vB2nJ6"] {
            assert_eq!(judge(value, &["koro"]).listed, Listed::No, "{value}");
        }
    }
}
