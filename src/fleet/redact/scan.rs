//! One walk over a text: what stands at a place is replaced as a whole, what lies between is searched for what is told by its
//! look alone and for names that are known by now.
//!
//! The same walk first only notes the addresses that would be replaced, since what stands for one depends on all of them.

use super::address::Addresses;
use super::look;
use super::name::{Kind, Names, Vocabulary, in_word, lists};
use super::place::{Places, What};
use super::secret::Secrets;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

/// Digits in a text from which on it may be a telephone or customer number.
const DIGITS: usize = 6;
/// Bytes of a line before a word that are looked at, which bounds the work on long lines.
const BEFORE: usize = 160;
/// Encoded data between its first and its last line is no longer than this.
const BLOCK: usize = 64 << 10;
/// Groups of hexadecimal digits that make a line a dump.
const GROUPS: usize = 4;

/// A walk.
pub(super) struct Scan<'t, 's> {
    pub text: &'t str,
    pub vocabulary: &'s Vocabulary,
    pub names: &'s mut Names,
    pub secrets: &'s mut Secrets,
    /// What stands for addresses; empty while they are noted.
    pub addresses: &'s Addresses,
    /// Addresses met.
    pub met: BTreeSet<IpAddr>,
    /// Words replaced, by what they are.
    pub counts: BTreeMap<&'static str, BTreeSet<String>>,
    pub out: String,
}

impl Scan<'_, '_> {
    /// Walks over the whole text.
    pub(super) fn run(&mut self, places: &Places<'_>) {
        let mut done = 0;
        for (start, (end, what)) in &places.by_start {
            self.between(done..*start);
            self.place(*start..*end, *what);
            done = *end;
        }
        self.between(done..self.text.len());
    }

    fn slice(&self, range: Range<usize>) -> &'_ str {
        self.text.get(range).unwrap_or_default()
    }

    fn count(&mut self, what: &'static str, value: &str) {
        self.counts.entry(what).or_default().insert(value.to_lowercase());
    }

    fn place(&mut self, range: Range<usize>, what: What<'_>) {
        let text = self.text;
        let raw = text.get(range.clone()).unwrap_or_default();
        let value = joined(raw);
        let word = match what {
            What::Secret(place) => self.secrets.of(&value, place, self.names),
            What::Text => self.free_text(&value),
            What::Name => self.names.of(&value).filter(|_| !self.is_told(&value)),
        };
        let Some(word) = word else {
            if matches!(what, What::Secret(_)) {
                self.out.push_str(raw);
            } else {
                self.between(range);
            }
            return;
        };
        let what = match what {
            What::Secret(_) => "secrets",
            What::Text => "texts",
            What::Name => "names",
        };
        self.count(what, &value);
        let lead = raw.len() - raw.trim_start().len();
        if word.contains('\n') {
            self.out.push_str(&word);
            return;
        }
        self.out.push_str(raw.get(..lead).unwrap_or_default());
        self.out.push_str(&word);
        self.out.push_str(&breaks(raw.get(lead..).unwrap_or_default()));
    }

    /// What stands for a free text; `None` where it is of everyday words alone.
    fn free_text(&mut self, value: &str) -> Option<String> {
        let value = value.trim();
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        if value.is_empty() || digits <= DIGITS && self.vocabulary.telling_parts(value).next().is_none() {
            return None;
        }
        let number = self.names.number(Kind::Text, value);
        let mut words: Vec<&str> = self.vocabulary.signs_in(value);
        let word = format!("text-{number}");
        words.push(&word);
        Some(words.join(" "))
    }

    /// Whether a name is told by its look, so that it is replaced in the same way everywhere.
    fn is_told(&self, name: &str) -> bool {
        let mail =
            name.split_once('@').is_some_and(|(n, d)| !n.is_empty() && !d.is_empty() && name.chars().all(|c| in_word(c) || c == '@'));
        mail || look::is_domain(name) || look::address(name, 0).is_some_and(|(_, length, _)| length == name.len())
    }

    fn between(&mut self, range: Range<usize>) {
        let mut at = range.start;
        let mut before = self.slice(0..at).chars().next_back().filter(|c| *c != '\n');
        while at < range.end {
            let rest = self.slice(at..range.end);
            let Some(c) = rest.chars().next() else { return };
            let starts = !before.is_some_and(in_word);
            let step = match starts && !c.is_whitespace() {
                true => self
                    .block(at, &range)
                    .or_else(|| self.dump(at, &range))
                    .or_else(|| self.known(at, &range))
                    .or_else(|| self.looks(at, &range)),
                false => None,
            };
            let step = step.unwrap_or_else(|| {
                self.out.push(c);
                c.len_utf8()
            });
            at += step.max(1);
            before = self.slice(0..at).chars().next_back();
        }
    }

    /// A name that is declared somewhere.
    fn known(&mut self, at: usize, range: &Range<usize>) -> Option<usize> {
        let text = self.text;
        let rest = text.get(at..range.end)?;
        let ends = |length: usize| {
            let mut after = text.get(at + length..).unwrap_or_default().chars();
            match after.next() {
                // A dot may end a sentence, or name a part of an interface.
                Some('.') => !after.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == '-'),
                Some(c) => !in_word(c),
                None => true,
            }
        };
        let length = self.names.at(rest, ends)?;
        let name = rest.get(..length)?;
        let word = self.names.of(name).filter(|_| !self.is_told(name))?;
        self.count("names", name);
        self.out.push_str(&word);
        Some(length)
    }

    /// Encoded data between its first and its last line, which stay.
    fn block(&mut self, at: usize, range: &Range<usize>) -> Option<usize> {
        let rest = self.text.get(at..range.end).filter(|r| r.starts_with("-----BEGIN "))?;
        let rest = rest.get(..rest.floor_char_boundary(BLOCK))?;
        let head = rest.find('\n')? + 1;
        let body = rest.get(head..head + rest.get(head..)?.find("-----END")?)?;
        self.count("keys", body);
        self.out.push_str(rest.get(..head)?);
        self.out.extend(body.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '+' | '/') { '0' } else { c }));
        Some(head + body.len())
    }

    /// A line of nothing but groups of hexadecimal digits: a certificate as some boxes print it.
    fn dump(&mut self, at: usize, range: &Range<usize>) -> Option<usize> {
        if !line_before(self.text, at).trim().is_empty() {
            return None;
        }
        let line = self.text.get(at..range.end)?.lines().next()?;
        let mut groups = line.split_whitespace();
        let count = line.split_whitespace().take(GROUPS).count();
        let hex = |g: &str| g.len() <= 8 && g.len().is_multiple_of(2) && g.bytes().all(|b| b.is_ascii_hexdigit());
        if count < GROUPS || !groups.clone().take(GROUPS).all(|g| g.len() == 8) || !groups.all(hex) {
            return None;
        }
        self.count("keys", line);
        self.out.extend(line.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c }));
        Some(line.len())
    }

    fn looks(&mut self, at: usize, range: &Range<usize>) -> Option<usize> {
        let text = self.text;
        let rest = text.get(at..range.end)?;
        let before = line_before(self.text, at);
        if let Some(length) = look::hardware(rest, 0) {
            return self.hardware(rest.get(..length)?);
        }
        if let Some((address, length)) = look::ipv6(rest, 0) {
            self.address(IpAddr::V6(address), rest.get(..length)?, 0);
            return Some(length);
        }
        let run = rest.find(|c: char| !in_word(c) && !matches!(c, '@' | '+' | '=' | '/')).unwrap_or(rest.len());
        let word = rest.get(..run)?;
        if look::is_encoded(word) {
            return self.encoded(word);
        }
        let run = rest.find(|c: char| !in_word(c) && c != '@').unwrap_or(rest.len());
        let word = rest.get(..run).filter(|w| !w.is_empty())?;
        self.word(word, before)
    }

    /// A word without blanks, by its look.
    fn word(&mut self, word: &str, before: &str) -> Option<usize> {
        if let Some((name, domain)) = word.split_once('@').filter(|(n, d)| !n.is_empty() && !d.is_empty()) {
            return self.mail(word, name, domain);
        }
        if look::is_uuid(word) && word.bytes().any(|b| b != b'0' && b != b'-') {
            let number: usize = self.names.number(Kind::Identifier, word).parse().ok()?;
            self.out.push_str(&format!("00000000-0000-0000-0000-{number:012}"));
            self.count("identifiers", word);
            return Some(word.len());
        }
        if let Some(kind) = self.header(word, before) {
            let number = self.names.number(kind, word);
            self.out.push_str(&format!("{}-{number}", kind.word()));
            self.count(if kind == Kind::Serial { "identifiers" } else { "names" }, word);
            return Some(word.len());
        }
        if look::is_domain(word) && !self.vocabulary.is_word(word) {
            return self.domain(word);
        }
        if word.bytes().any(|b| b == b'.') && self.addresses_in(word, before) {
            return Some(word.len());
        }
        let foreign = word.chars().any(|c| !c.is_ascii() && c.is_alphabetic());
        if (foreign || self.names.tells(word)) && !self.vocabulary.is_plain(word) {
            self.names.declare(Kind::Name, word, self.vocabulary);
            let given = self.names.of(word)?;
            self.count("names", word);
            self.out.push_str(&given);
            return Some(word.len());
        }
        self.out.push_str(word);
        Some(word.len())
    }

    /// A serial number or a person's name in a line that says so.
    fn header(&self, word: &str, before: &str) -> Option<Kind> {
        let lists = &lists().comments;
        let line = before.trim_end_matches([' ', '\t', ':', '=']).to_lowercase();
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let serial = word.len() >= 6 && digits >= 2 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if serial && !word.starts_with("serial-") && lists.serials.iter().any(|s| line.ends_with(s.trim_end_matches([' ', ':', '=']))) {
            return Some(Kind::Serial);
        }
        let comment = before.trim_start().starts_with(['#', '!', ':']);
        let person = comment && lists.people.iter().any(|p| before.ends_with(p.as_str()));
        (person && !self.vocabulary.is_plain(word)).then_some(Kind::User)
    }

    fn mail(&mut self, word: &str, name: &str, domain: &str) -> Option<usize> {
        let box_word = !domain.contains('.') && self.vocabulary.is_plain(domain) && self.names.of(name).is_none();
        if box_word || look::is_known_domain(domain) || self.vocabulary.is_word(word) {
            self.out.push_str(word);
            return Some(word.len());
        }
        let person = self.names.of(name).or_else(|| {
            let plain = self.vocabulary.is_plain(name);
            (!plain).then(|| format!("user-{}", self.names.number(Kind::User, name)))
        });
        self.out.push_str(person.as_deref().unwrap_or(name));
        self.out.push('@');
        self.count("names", word);
        match look::ipv4(domain, 0).is_some() {
            true => {
                self.addresses_in(domain, "");
            }
            false => {
                self.domain(domain)?;
            }
        }
        Some(word.len())
    }

    fn domain(&mut self, word: &str) -> Option<usize> {
        if look::is_known_domain(word) {
            self.out.push_str(word);
            return Some(word.len());
        }
        let number = self.names.number(Kind::Domain, word.trim_end_matches('.'));
        self.out.push_str(&format!("domain-{number}.example"));
        if word.ends_with('.') {
            self.out.push('.');
        }
        self.count("domains", word);
        Some(word.len())
    }

    fn hardware(&mut self, word: &str) -> Option<usize> {
        // A client identifier begins with the kind of hardware.
        let address = if word.len() > 17 { word.get(3..).unwrap_or(word) } else { word };
        if look::is_shared_hardware(address) {
            self.out.push_str(word);
            return Some(word.len());
        }
        let digits: String = word.chars().filter(char::is_ascii_hexdigit).collect();
        let number: u64 = self.names.number(Kind::Hardware, &digits).parse().ok()?;
        let given = format!("{}0200{number:08x}", if digits.len() > 12 { "01" } else { "" });
        let mut given = given.chars();
        let replaced: String = word.chars().map(|c| if c.is_ascii_hexdigit() { given.next().unwrap_or('0') } else { c }).collect();
        self.out.push_str(&replaced);
        self.count("identifiers", &digits);
        Some(word.len())
    }

    /// Public keys and certificates: their beginning tells the kind, the rest is replaced.
    fn encoded(&mut self, word: &str) -> Option<usize> {
        let head = if word.starts_with("AAAA") { 20 } else { 0 };
        let padding = word.len() - word.trim_end_matches('=').len();
        let number = self.names.number(Kind::Key, word);
        let zeros = (word.len() - head - padding).saturating_sub(number.len() + 1);
        self.out.push_str(word.get(..head).unwrap_or_default());
        self.out.push_str(&"0".repeat(zeros));
        self.out.push_str(&number);
        self.out.push('0');
        self.out.push_str(&"=".repeat(padding));
        self.count("keys", word);
        Some(word.len())
    }

    /// Writes a word with its IPv4 addresses replaced; false where it holds none.
    fn addresses_in(&mut self, word: &str, before: &str) -> bool {
        let start = self.out.len();
        let (mut at, mut found) = (0, false);
        let bytes = word.as_bytes();
        let line_rest = self.text;
        let offset = word.as_ptr() as usize - line_rest.as_ptr() as usize;
        while at < word.len() {
            let digit = bytes.get(at).is_some_and(u8::is_ascii_digit);
            let inside = at > 0
                && bytes
                    .get(at - 1)
                    .is_some_and(|b| b.is_ascii_digit() || *b == b'.' && at > 1 && bytes.get(at - 2).is_some_and(u8::is_ascii_digit));
            let here = (digit && !inside && !look::speaks_of_version(before)).then(|| look::ipv4(line_rest, offset + at)).flatten();
            match here {
                Some((address, length, stars)) => {
                    let length = length.min(word.len() - at);
                    self.address(IpAddr::V4(address), word.get(at..at + length).unwrap_or_default(), stars);
                    found = true;
                    at += length;
                }
                None => {
                    let length = word.get(at..).and_then(|w| w.chars().next()).map_or(1, char::len_utf8);
                    self.out.push_str(word.get(at..at + length).unwrap_or_default());
                    at += length;
                }
            }
        }
        if !found {
            self.out.truncate(start);
        }
        found
    }

    fn address(&mut self, address: IpAddr, written: &str, stars: usize) {
        self.met.insert(address);
        let Some(given) = self.addresses.of(address) else {
            self.out.push_str(written);
            return;
        };
        if given != address {
            self.count("addresses", &address.to_string());
        }
        let given = given.to_string();
        let numbers: Vec<&str> = given.split('.').collect();
        match stars {
            // The stars themselves lie behind the word and are copied with the rest.
            1..=3 => {
                self.out.push_str(&numbers.get(..4 - stars).unwrap_or_default().join("."));
                self.out.push('.');
            }
            _ => self.out.push_str(&given),
        }
    }
}

/// What stands before a place on its line, as far as it matters.
fn line_before(text: &str, at: usize) -> &str {
    let from = text.floor_char_boundary(at.saturating_sub(BEFORE));
    text.get(from..at).unwrap_or_default().rsplit('\n').next().unwrap_or_default()
}

/// A value without the line breaks that a backslash hides.
fn joined(raw: &str) -> String {
    if !raw.contains("\\\n") && !raw.contains("\\\r\n") && !raw.contains("\\ \n") {
        return raw.to_owned();
    }
    let mut lines = raw.split('\n');
    let mut out = String::new();
    if let Some(first) = lines.next() {
        out.push_str(first.trim_end().trim_end_matches('\\'));
    }
    for line in lines {
        out.push_str(line.trim().trim_end_matches('\\'));
    }
    out
}

/// The line breaks of a text, with the backslashes that hide them, so that lines keep their numbers.
fn breaks(raw: &str) -> String {
    let mut out = String::new();
    let mut lines = raw.split('\n').peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_some() {
            if line.trim_end().ends_with('\\') {
                out.push('\\');
            }
            out.push('\n');
        }
    }
    out
}
