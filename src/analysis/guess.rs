//! Guessing hashed passwords: only words of the notices' classes, made from small lists and the device's own names, within a budget.
//!
//! Units of work are counted, not time, so that one input gives one output everywhere. Every word of a list is tried where the budget
//! allows, also after one has matched: the number of tries tells nothing about which one it was. No word leaves this file.

use super::hash::{self, Form};
use super::strength::{self, Listed, Strength, Vocabulary};
use crate::ir::account::{Secret, Storage};
use std::collections::{BTreeMap, BTreeSet};

/// What came out of testing one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tested {
    /// How many words were tried.
    pub tried: i64,
    /// What is to be said of the word that matched.
    pub matched: Option<Strength>,
}

/// Words are no longer than this.
const LONGEST: usize = 32;
/// What people put behind a word.
const TAILS: [&str; 6] = ["1", "12", "123", "1234", "!", "01"];
/// How many years back people put behind a word.
const YEARS: i32 = 4;

struct Task<'s> {
    ix: usize,
    form: Form,
    cost: u64,
    secret: &'s Secret,
    own: Vec<String>,
    tried: u64,
    matched: Option<Strength>,
}

/// Tests the hashes among the secrets; by their index. `names` are those of the product, the device and the facility, in this
/// order; `year` is the one of the audit.
pub fn test(secrets: &[Secret], names: &[String], year: i32, budget: u64) -> BTreeMap<usize, Tested> {
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for (ix, secret) in secrets.iter().enumerate() {
        let hashed = matches!(secret.storage, Storage::Hash { .. }) && !secret.live.value.is_false();
        let Some((form, cost)) = hashed.then(|| hash::form(secret.value.expose())).flatten() else { continue };
        tasks.push(Task { ix, form, cost, secret, own: own(names.first(), &secret.owner), tried: 0, matched: None });
    }
    if tasks.is_empty() || budget == 0 {
        return BTreeMap::new();
    }
    let shared = candidates(names, year);
    let most = tasks.iter().map(|t| t.own.len()).max().unwrap_or(0) + shared.len();
    let mut left = budget;
    // One word for every hash, then the next: what does not suffice for all is shared evenly.
    for turn in 0..most {
        for task in &mut tasks {
            let word = task.own.get(turn).or_else(|| shared.get(turn.checked_sub(task.own.len())?));
            let Some(word) = word.filter(|_| task.cost <= left) else { continue };
            left -= task.cost;
            task.tried += 1;
            if task.matched.is_none() && hash::verify(task.form, task.secret.value.expose(), word, &task.secret.owner) {
                let all: Vec<&str> = names.iter().map(String::as_str).chain([task.secret.owner.as_str()]).collect();
                task.matched = Some(strength::judge(word, &all));
            }
        }
    }
    let finished = tasks.into_iter().map(|task| (task.ix, Tested { tried: task.tried as i64, matched: task.matched }));
    finished.filter(|(_, t)| t.tried > 0).collect()
}

/// The word a slow hash is tried against where the budget allows only one, the product's name, which some factories use; then words of
/// the account's own name.
fn own(product: Option<&String>, owner: &str) -> Vec<String> {
    let factory = &strength::vocabulary().factory;
    let mut words: Vec<String> = product.map(|p| p.to_lowercase()).filter(|p| factory.contains(p)).into_iter().collect();
    if (3..=LONGEST).contains(&owner.len()) {
        words.push(owner.to_owned());
        words.extend(["123", "1234", "1", "!"].map(|tail| format!("{owner}{tail}")));
        words.push(capital(owner));
    }
    words
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Each sign for the letters it may stand for: all at once, and only the two everybody knows.
fn signs(word: &str, vocabulary: &Vocabulary) -> Vec<String> {
    let swap = |only: &[char]| -> String {
        let sign = |c: char| only.iter().find(|s| vocabulary.stands_for(**s, c)).copied().unwrap_or(c);
        word.chars().map(sign).collect()
    };
    [&['@', '0'][..], &['$', '0'], &['@', '$', '0'], &['@'], &['0'], &['@', '0', '1', '3', '5']].map(swap).to_vec()
}

/// The words to try, likeliest first: names and factory words, sequences and keyboard walks, then the same with signs and tails.
fn candidates(names: &[String], year: i32) -> Vec<String> {
    let vocabulary = strength::vocabulary();
    let mut base: Vec<String> = Vec::new();
    for name in names {
        base.extend([name.clone(), name.to_lowercase()]);
    }
    base.extend(vocabulary.factory.iter().cloned());
    let mut words: Vec<String> = base.clone();
    words.extend(["1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890", "4321", "87654321"].map(str::to_owned));
    words.extend(["abcd", "abcd1234", "abcdefg", "abcdefgh", "12341234"].map(str::to_owned));
    // Signs for digits, as in the notice's example.
    words.extend(["12345678", "123456789", "1234567890"].map(|w| w.replacen('1', "i", 1).replace('8', "&")));
    for digit in '0'..='9' {
        words.extend([4, 6, 8].map(|n| std::iter::repeat_n(digit, n).collect::<String>()));
    }
    for row in &vocabulary.keyboard {
        for length in [row.len(), 4, 6, 8, 10] {
            words.extend(row.get(..length).map(str::to_owned));
        }
    }
    for word in &base {
        words.push(capital(word));
        for swapped in signs(word, vocabulary) {
            words.push(capital(&swapped));
            words.push(swapped);
        }
    }
    let tails = TAILS.iter().map(|t| (*t).to_owned()).chain((0..=YEARS).map(|n| (year - n).to_string()));
    for tail in tails {
        for word in &base {
            words.extend([format!("{word}{tail}"), format!("{}{tail}", capital(word))]);
        }
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut seen = BTreeSet::new();
    words.retain(|w| !w.is_empty() && w.len() <= LONGEST && seen.insert(w.clone()) && strength::class_of(w, &all) != Listed::No);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::account::{Direction, SecretUse, SecretValue};
    use crate::ir::fact::{Fact, Origin};
    use crate::source::{FileId, Span};

    fn hashed(owner: &str, value: &str) -> Secret {
        let origin = || Origin::Written(Span { file: FileId(0), start: 0, end: 1 });
        Secret {
            used_for: SecretUse::AdminLogin,
            owner: owner.to_owned(),
            span: Span { file: FileId(0), start: 0, end: 1 },
            storage: Storage::Hash { weak: Fact::known(true, origin()), comparable: true },
            value: SecretValue::new(value),
            direction: Direction::Verifies,
            live: Fact::known(true, origin()),
            protocol_needs_clear: false,
            account: None,
            owner_second: Fact::known(false, origin()),
            rotated: Fact::known(false, origin()),
        }
    }

    fn md5(word: &str) -> String {
        use md5::{Digest, Md5};
        Md5::digest(word.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
    }

    fn class(owner: &str, word: &str) -> Option<Listed> {
        let names = ["KoroHospital".to_owned(), "koro-fw".to_owned()];
        test(&[hashed(owner, &md5(word))], &names, 2026, 1_000_000).remove(&0).and_then(|t| t.matched).map(|s| s.listed)
    }

    #[test]
    fn words_of_the_notices_classes_are_found() {
        assert_eq!(class("netadm", "Administrator"), Some(Listed::Factory));
        assert_eq!(class("netadm", "12345678"), Some(Listed::Sequence));
        assert_eq!(class("netadm", "pa$$w0rd"), Some(Listed::Substitution));
        assert_eq!(class("netadm", "i234567&9"), Some(Listed::Substitution));
        assert_eq!(class("netadm", "p@$$w0rd"), Some(Listed::Substitution));
        assert_eq!(class("netadm", "P@ssw0rd"), Some(Listed::Substitution));
        assert_eq!(class("netadm", "qwerty"), Some(Listed::Keyboard));
        assert_eq!(class("netadm", "7410"), Some(Listed::Keyboard));
        assert_eq!(class("netadm", "KoroHospital"), Some(Listed::Name));
        assert_eq!(class("netadm", "netadm123"), Some(Listed::Name));
        assert_eq!(class("netadm", "KoroHospital2024"), Some(Listed::Name));
        assert_eq!(class("netadm", "gIvrug-pupcyv-7kogza"), None);
    }

    #[test]
    fn the_number_of_tries_does_not_tell_which_word_matched() {
        let tries = |word: &str| test(&[hashed("netadm", &md5(word))], &[], 2026, 1_000_000)[&0].tried;
        assert_eq!(tries("admin"), tries("gIvrug-pupcyv-7kogza"));
        assert_eq!(tries("admin"), tries("netadm"));
        assert!((200..3000).contains(&tries("admin")), "{}", tries("admin"));
    }

    #[test]
    fn a_budget_is_kept_and_shared() {
        let hard = "$2y$10$rBb8wO7NDfMJLzQjG1o6e.5vN3V1bX3rZ6p5y7G5o9oBzV1XKJ0nW";
        let secrets = [hashed("a", hard), hashed("b", hard), hashed("c", &md5("admin"))];
        // A try of the hard form costs 51200, of the easy one 2.
        let tested = test(&secrets, &[], 2026, 51_200 * 4 + 10);
        assert_eq!((tested[&0].tried, tested[&1].tried), (2, 2));
        assert!(tested[&2].tried >= 3);
        assert!(test(&secrets, &[], 2026, 0).is_empty());
        assert_eq!(tested, test(&secrets, &[], 2026, 51_200 * 4 + 10));
    }

    #[test]
    fn nothing_shows_a_word() {
        let tested = test(&[hashed("netadm", &md5("P@ssw0rd"))], &[], 2026, 1_000_000);
        assert!(!format!("{tested:?}").contains("P@ssw0rd"));
    }
}
