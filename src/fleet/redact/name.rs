//! Names people chose, and what stands for them: `host-1`, `user-2`, `name-3`, numbered in the order of first appearance.
//!
//! A name that is made of everyday words alone (`wan1`, `SSL-VPN_users`) tells nothing about anybody and stays, as do the words
//! of the dialect itself. Words that findings go by (`wan`, `hosyu`) stay in front of the number: `wan-name-4`.
//! Upper and lower case of a name are one name; the result repeats the case.

use super::secret::is_placeholder;
use crate::dialect::grammar::Grammar;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

/// Names longer than this are replaced only where they are declared.
const LONGEST: usize = 128;
/// A part of a host or domain name of at least this many letters gives the customer away wherever it stands.
const TELLING: usize = 4;
/// A number of more digits than this is no mere count.
const DIGITS: usize = 5;

/// `data/redact.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lists {
    plain: BTreeSet<String>,
    /// Everyday words of a script that puts no blanks between them, longest first.
    words: Vec<String>,
    /// Keywords behind which a name stands.
    pub names: BTreeSet<String>,
    pub texts: TextKeys,
    pub comments: Comments,
    pub domains: Domains,
}

/// Keywords of free text.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextKeys {
    pub one: BTreeSet<String>,
    pub rest: BTreeSet<String>,
}

/// Comments that are no free text.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Comments {
    pub begins: Vec<String>,
    pub holds: Vec<String>,
    pub people: Vec<String>,
    pub serials: Vec<String>,
}

/// How domain names are told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Domains {
    pub last: BTreeSet<String>,
    pub own: BTreeSet<String>,
    pub keep: BTreeSet<String>,
}

/// The lists; a test sees that they can be read.
pub(super) fn lists() -> &'static Lists {
    static LISTS: OnceLock<Lists> = OnceLock::new();
    LISTS.get_or_init(|| toml::from_str(include_str!("../../../data/redact.toml")).unwrap_or_default())
}

fn vendors() -> &'static [String] {
    &crate::analysis::strength::vocabulary().vendor_accounts
}

/// Words that stay, and words among them that findings go by.
#[derive(Default)]
pub(super) struct Vocabulary {
    /// Words of the dialects at hand, in small letters.
    dialect: BTreeSet<String>,
    /// Signs of sides and of vendors, in small letters.
    signs: BTreeSet<String>,
    /// Beginnings of names that the product gives.
    given: Vec<String>,
}

impl Vocabulary {
    /// Adds what a grammar holds.
    pub(super) fn learn(&mut self, grammar: &Grammar) {
        let file = &grammar.file;
        for (list, words) in &file.names {
            if list.ends_with("_words") && !matches!(list.as_str(), "mask_words" | "first_words") {
                self.signs.extend(words.iter().map(|w| w.trim().to_lowercase()).filter(|w| !w.is_empty()));
            }
            self.dialect.extend(words.iter().flat_map(|w| [w.to_lowercase(), w.split('=').next().unwrap_or_default().to_lowercase()]));
        }
        self.signs.extend(vendors().iter().map(|w| w.to_lowercase()));
        self.dialect.extend(file.services.keys().map(|k| k.to_lowercase()));
        let patterns = file.secrets.iter().chain(&file.irrelevant).chain(file.telling.values().flatten());
        let defaults = file.defaults.iter().flat_map(|d| [&d.key, &d.value]);
        let written = patterns.chain(defaults).flat_map(|p| p.split([' ', '.', ',', '>'])).map(|w| w.trim_matches('*'));
        self.dialect.extend(written.filter(|w| !w.contains('{')).map(str::to_lowercase));
        for word in &file.redact.keep {
            match word.strip_suffix('*') {
                Some(beginning) => self.given.push(beginning.to_owned()),
                None => {
                    self.dialect.insert(word.to_lowercase());
                }
            }
        }
    }

    /// Adds the keywords of a text: what its statements begin with.
    pub(super) fn learn_keywords<'w>(&mut self, words: impl Iterator<Item = &'w str>) {
        let keyword = |w: &&str| w.len() > 1 && w.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        self.dialect.extend(words.filter(keyword).map(str::to_lowercase));
    }

    /// Whether a word is one of the dialect.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.dialect.contains(&word.to_lowercase())
    }

    /// Whether a word is one of the dialect or an everyday one as a whole.
    fn is_known(&self, word: &str) -> bool {
        self.is_word(word) || lists().plain.contains(&word.to_lowercase())
    }

    /// Whether a word tells nothing about anybody.
    pub(super) fn is_plain(&self, name: &str) -> bool {
        let lower = name.to_lowercase();
        let count = name.bytes().all(|b| b.is_ascii_digit());
        count
            || self.is_known(&lower)
            || self.given.iter().any(|g| name.starts_with(g.as_str()))
            || self.telling_parts(name).next().is_none()
    }

    /// The parts of a name that are not everyday words, in small letters.
    pub(super) fn telling_parts(&self, name: &str) -> impl Iterator<Item = String> {
        let runs = name.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() || c.is_whitespace());
        let whole = |run: &&str| !run.is_empty() && !self.is_everyday(&run.to_lowercase());
        runs.filter(whole).flat_map(parts).map(str::to_lowercase).filter(|part| !self.is_everyday(part))
    }

    /// Whether a part of a name, in small letters, is an everyday word, two of them in one, or a small number.
    fn is_everyday(&self, part: &str) -> bool {
        let plain = &lists().plain;
        if part.bytes().all(|b| b.is_ascii_digit()) {
            return part.len() <= DIGITS;
        }
        if !part.is_ascii() {
            let words = lists().words.iter().map(String::as_str).chain(self.signs.iter().map(String::as_str).filter(|s| !s.is_ascii()));
            let mut rest = part.to_owned();
            for word in words.filter(|w| part.contains(*w)) {
                rest = rest.replace(word, " ");
            }
            return !rest.chars().any(char::is_alphabetic);
        }
        let hex = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let joined = || {
            let cuts = if part.len() <= LONGEST { 2..part.len().saturating_sub(1) } else { 0..0 };
            cuts.filter_map(|at| part.split_at_checked(at)).any(|(a, b)| plain.contains(a) && plain.contains(b))
        };
        plain.contains(part) || self.signs.contains(part) || part.len() <= 1 || hex || joined()
    }

    /// The words in a text that findings go by: Latin ones between other signs, others anywhere; a vendor's also inside of words.
    pub(super) fn signs_in(&self, text: &str) -> Vec<&str> {
        let lower = text.to_lowercase();
        let words: BTreeSet<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let bare: BTreeSet<&str> = words.iter().map(|w| w.trim_matches(|c: char| c.is_ascii_digit())).collect();
        let vendors = vendors();
        let stands = |sign: &str| {
            let inside = !sign.is_ascii() || vendors.iter().any(|v| v == sign);
            if inside { lower.contains(sign) } else { words.contains(sign) || bare.contains(sign) }
        };
        self.signs.iter().map(String::as_str).filter(|s| stands(s)).collect()
    }
}

/// A name cut where letters, digits, case and other signs change: `GuestWifi-2F` is `Guest`, `Wifi`, `2`, `F`.
fn parts(name: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    let kind = |c: char| match c {
        'a'..='z' => 1,
        'A'..='Z' => 2,
        '0'..='9' => 3,
        c if c.is_ascii() || c.is_whitespace() => 0,
        _ => 4,
    };
    for (at, c) in name.char_indices() {
        let parted = before.is_some_and(|b| kind(b) != kind(c) && !(kind(b) == 2 && kind(c) == 1));
        if parted {
            out.push(name.get(start..at).unwrap_or_default());
            start = at;
        }
        before = Some(c);
    }
    out.push(name.get(start..).unwrap_or_default());
    out.retain(|p| p.chars().any(|c| c.is_ascii_alphanumeric() || !c.is_ascii() && !c.is_whitespace()));
    out
}

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Host,
    User,
    Name,
    Domain,
    Text,
    Serial,
    Hardware,
    Identifier,
    Key,
}

impl Kind {
    /// The word before the number.
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Host => "host",
            Kind::User => "user",
            Kind::Name => "name",
            Kind::Domain => "domain",
            Kind::Text => "text",
            Kind::Serial => "serial",
            Kind::Hardware | Kind::Identifier | Kind::Key => "",
        }
    }
}

/// Every name of a text and what stands for it.
#[derive(Default)]
pub(super) struct Names {
    /// Numbers that the text holds already behind the word, and which would then mean two things.
    taken: BTreeSet<(&'static str, usize)>,
    given: HashMap<(Kind, String), String>,
    /// Declared names in small letters.
    declared: HashMap<String, String>,
    /// Lengths of declared names by what they begin with.
    lengths: HashMap<String, Vec<usize>>,
    /// Parts of host and domain names that give the customer away.
    telling: BTreeSet<String>,
    next: HashMap<Kind, usize>,
}

impl Names {
    /// No names yet, of this text.
    pub(super) fn new(text: &str) -> Names {
        let mut taken = BTreeSet::new();
        for word in ["host", "user", "name", "domain", "text", "serial", "secret"] {
            for (at, _) in text.match_indices(word) {
                let rest = text.get(at + word.len()..).and_then(|r| r.strip_prefix('-')).unwrap_or_default();
                let digits = rest.bytes().take(7).take_while(u8::is_ascii_digit).count();
                taken.extend(rest.get(..digits).and_then(|n| n.parse().ok()).map(|n| (word, n)));
            }
        }
        Names { taken, ..Names::default() }
    }

    /// The number of something, by what it is and its value.
    pub(super) fn number(&mut self, kind: Kind, value: &str) -> String {
        let value = value.to_lowercase();
        if let Some(known) = self.given.get(&(kind, value.clone())) {
            return known.clone();
        }
        let next = self.next.entry(kind).or_default();
        *next += 1;
        while self.taken.contains(&(kind.word(), *next)) {
            *next += 1;
        }
        let number = next.to_string();
        self.given.insert((kind, value), number.clone());
        number
    }

    /// Whether the text holds this word with this number already.
    pub(super) fn is_taken(&self, word: &'static str, number: usize) -> bool {
        self.taken.contains(&(word, number))
    }

    /// Makes a name known wherever it stands.
    pub(super) fn declare(&mut self, kind: Kind, name: &str, vocabulary: &Vocabulary) {
        let name = name.trim();
        let lower = name.to_ascii_lowercase();
        // A host name is one even where it is made of everyday words.
        let plain = if kind == Kind::Host { vocabulary.is_known(name) } else { vocabulary.is_plain(name) };
        if self.declared.contains_key(&lower) || name.is_empty() || is_placeholder(name) || is_given(&lower) || plain {
            return;
        }
        let number = self.number(kind, &lower);
        let mut signs = vocabulary.signs_in(name);
        signs.push(kind.word());
        let word = format!("{}-{number}", signs.join("-"));
        if name.len() > 1 && name.len() <= LONGEST {
            let known = self.lengths.entry(head(&lower).to_owned()).or_default();
            if let Err(at) = known.binary_search_by(|l| lower.len().cmp(l)) {
                known.insert(at, lower.len());
            }
        }
        self.declared.insert(lower, word);
    }

    /// Words of this name give the customer away, unless they are also those of the product (`known`, in small letters).
    pub(super) fn tell(&mut self, name: &str, known: &[String], vocabulary: &Vocabulary) {
        let last = &lists().domains.last;
        let begins = |word: &str, other: &String| word.chars().zip(other.chars()).take_while(|(a, b)| a == b).count() >= TELLING;
        let words = name.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
        let tells = |w: &String| {
            w.chars().count() >= TELLING
                && !w.bytes().all(|b| b.is_ascii_digit())
                && !last.contains(w)
                && !known.iter().any(|k| begins(w, k))
                && !vocabulary.is_plain(w)
        };
        self.telling.extend(words.filter(tells));
    }

    /// Whether a word has a part that gives the customer away.
    pub(super) fn tells(&self, word: &str) -> bool {
        !self.telling.is_empty() && {
            let lower = word.to_lowercase();
            lower.split(|c: char| !c.is_alphanumeric()).any(|p| self.telling.contains(p))
        }
    }

    /// What stands for a declared name, in its case.
    pub(super) fn of(&self, name: &str) -> Option<String> {
        let word = self.declared.get(&name.trim().to_ascii_lowercase())?;
        let (upper, lower) = (name.bytes().any(|b| b.is_ascii_uppercase()), name.bytes().any(|b| b.is_ascii_lowercase()));
        Some(match (upper, lower) {
            (true, false) => word.to_uppercase(),
            (true, true) => word.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(word.chars().skip(1)).collect(),
            _ => word.clone(),
        })
    }

    /// The longest declared name at the beginning of a text that ends at a boundary, and how long it is.
    pub(super) fn at(&self, text: &str, ends: impl Fn(usize) -> bool) -> Option<usize> {
        let start = head(text).to_ascii_lowercase();
        let fits = |length: usize| {
            let name = text.get(..length)?;
            (ends(length) && self.declared.contains_key(&name.to_ascii_lowercase())).then_some(length)
        };
        self.lengths.get(&start)?.iter().find_map(|length| fits(*length))
    }
}

/// Whether a name stands for another one already.
fn is_given(lower: &str) -> bool {
    let number = lower.rsplit_once('-').map(|(before, number)| (before.rsplit('-').next().unwrap_or_default(), number));
    number.is_some_and(|(word, n)| ["host", "user", "name"].contains(&word) && !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Signs that names are made of.
pub(super) fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// What a text begins with, by which names are looked up: its first run of such signs, or else its first sign.
fn head(text: &str) -> &str {
    let run = text.find(|c| !in_word(c)).unwrap_or(text.len());
    let first = text.chars().next().map_or(0, char::len_utf8);
    text.get(..run.max(first)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_can_be_read() {
        assert!(lists().plain.len() > 300 && !lists().texts.rest.is_empty() && !lists().domains.last.is_empty());
    }

    #[test]
    fn everyday_words_tell_nothing() {
        let vocabulary = Vocabulary::default();
        for plain in ["wan1", "SSL-VPN_users", "GigabitEthernet0/0", "outside_access_in", "guestwifi", "10", "port1.100"] {
            assert!(vocabulary.is_plain(plain), "{plain}");
        }
        for telling in ["honin", "SV-KARTE", "wan-honin", "病院", "admin9012345"] {
            assert!(!vocabulary.is_plain(telling), "{telling}");
        }
    }

    #[test]
    fn names_keep_their_case_and_are_found_whole() {
        let mut names = Names::new("name-1");
        let vocabulary = Vocabulary::default();
        names.declare(Kind::Name, "Honin LAN", &vocabulary);
        names.declare(Kind::Name, "honin", &vocabulary);
        assert_eq!(names.of("HONIN").as_deref(), Some("NAME-3"), "name-1 stands in the text");
        assert_eq!(names.of("Honin Lan").as_deref(), Some("Name-2"));
        assert_eq!(names.at("honin lan x", |_| true), Some(9));
        assert_eq!(names.at("honin-x", |length| length == 7), None);
    }
}
