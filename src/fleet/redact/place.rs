//! Where a text holds what is to be replaced as a whole: secrets, free text, names. Addresses and what is told by its look
//! alone are found later, in what lies between.
//!
//! A secret wins over a text, a text over a name. Invariant: places do not overlap, and rise.

use super::look;
use super::name::{Kind, Names, Vocabulary, lists};
use super::secret;
use crate::dialect::{
    self,
    grammar::{Grammar, SyntaxTable},
};
use crate::ir::account::{Secret, SecretUse, Storage};
use crate::ir::device::Device;
use crate::source::Span;
use crate::syntax::{Node, Tree};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// The last word of a statement that can be a keyword of free text.
const KEYWORDS: usize = 5;
/// A comment that names the product and a release is a header, unless it is longer than this.
const HEADER: usize = 160;

/// What stands at a place.
#[derive(Clone, Copy)]
pub(super) enum What<'t> {
    Secret(secret::Place<'t>),
    Text,
    Name,
}

/// The places of one text.
#[derive(Default)]
pub(super) struct Places<'t> {
    pub by_start: BTreeMap<usize, (usize, What<'t>)>,
}

impl<'t> Places<'t> {
    /// Whether any of a range is taken.
    pub(super) fn is_taken(&self, range: &Range<usize>) -> bool {
        self.by_start.range(..range.end).next_back().is_some_and(|(_, (end, _))| *end > range.start)
    }

    fn add(&mut self, range: Range<usize>, what: What<'t>) {
        if !range.is_empty() && !self.is_taken(&range) {
            self.by_start.insert(range.start, (range.end, what));
        }
    }

    /// What of a text is not taken yet.
    fn add_text(&mut self, range: Range<usize>) {
        let inside: Vec<(usize, usize)> = self.by_start.range(range.clone()).map(|(s, (e, _))| (*s, *e)).collect();
        let before = self.by_start.range(..range.start).next_back().map_or(0, |(_, (end, _))| *end);
        let mut at = range.start.max(before);
        for (start, end) in inside {
            self.add(at..start.max(at), What::Text);
            at = at.max(end);
        }
        self.add(at..range.end.max(at), What::Text);
    }

    /// Adds a secret that stands outside of the positions of secrets.
    pub(super) fn add_secret(&mut self, range: Range<usize>) {
        self.add(range, What::Secret(secret::Place::default()));
    }
}

fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// Adds the places of one export.
pub(super) fn collect<'t>(grammar: &Grammar, tree: &'t Tree<'t>, devices: &[Device], places: &mut Places<'t>) {
    secrets(grammar, tree, devices, places);
    for (_, span) in dialect::places(grammar, &grammar.free_texts, tree) {
        places.add_text(range(span));
    }
    for node in tree.statements() {
        match &grammar.file.syntax {
            SyntaxTable::Brace(_) => below_keyword(node, places),
            SyntaxTable::CommandLines(_) => behind_keyword(node, true, places),
            _ => behind_keyword(node, false, places),
        }
    }
    for span in &tree.comments {
        comment(grammar, tree.text(), range(*span), places);
    }
    for node in tree.statements() {
        named(node, places);
        let line = tree.text().get(node.span().end as usize..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let blanks = line.len() - line.trim_start().len();
        if blanks > 0 && line.trim_start().starts_with('#') {
            let start = node.span().end as usize + blanks;
            comment(grammar, tree.text(), start..start + line.trim().len(), places);
        }
    }
    for (node, span) in dialect::places(grammar, &grammar.chosen_names, tree) {
        places.add(range(span), What::Name);
        for again in node.other_places() {
            places.add(unquoted(tree.text(), range(again)), What::Name);
        }
    }
}

fn secrets<'t>(grammar: &Grammar, tree: &'t Tree<'t>, devices: &[Device], places: &mut Places<'t>) {
    let all: Vec<&Secret> = devices.iter().flat_map(|d| d.secrets.iter()).collect();
    let mut found: Vec<(Node<'t>, usize, Span)> = dialect::places(grammar, &grammar.secrets, tree)
        .into_iter()
        .map(|(node, span)| (node, (0..node.len()).find(|i| node.word_span(*i) == span).unwrap_or(0), span))
        .collect();
    found.sort_by_key(|(node, at, _)| (node.index(), *at));
    found.dedup_by_key(|(node, at, _)| (node.index(), *at));
    // Words that stand together: a pattern that hides the rest of a statement hides more than the value.
    for group in found.chunk_by(|a, b| a.0 == b.0 && a.1 + 1 == b.1) {
        let about = |(node, at, _): &(Node<'t>, usize, Span)| {
            let word = node.word_or_empty(*at);
            secret::is_about_form(word) || look::address(word, 0).is_some_and(|(_, length, _)| length == word.len())
        };
        for (node, at, span) in group {
            let word = node.word_or_empty(*at);
            if group.len() > 1 && about(&(*node, *at, *span)) {
                continue;
            }
            let here = |s: &&&Secret| s.span.start <= span.start && span.end <= s.span.end;
            let place = secret::Place {
                before: at.checked_sub(1).map_or("", |i| node.word_or_empty(i)),
                community: all.iter().any(|s| here(&s) && s.used_for == SecretUse::SnmpCommunity),
                masked: all.iter().any(|s| here(&s) && matches!(s.storage, Storage::Masked)),
            };
            if tells_a_limit(place.before, word) || secret::is_about_storage(place.before, word) {
                continue;
            }
            let all = range(*span);
            if let Some((user, password)) = in_address(tree.text().get(all.clone()).unwrap_or_default()) {
                places.add(all.start + user.start..all.start + user.end, What::Name);
                places.add(all.start + password.start..all.start + password.end, What::Secret(place));
                continue;
            }
            let from = if at + 1 == node.len() && place.before == "set" { behind_variable(word) } else { 0 };
            places.add(all.start + from..all.end, What::Secret(place));
            for again in node.other_places() {
                places.add(unquoted(tree.text(), range(again)), What::Secret(place));
            }
        }
    }
}

/// Whether what a pattern for secrets caught is a number about them, such as their least length.
fn tells_a_limit(before: &str, word: &str) -> bool {
    let about = ["policy", "length", "lifetime", "timeout", "age"].iter().any(|w| before.contains(w));
    about && word.len() <= 5 && word.bytes().all(|b| b.is_ascii_digit())
}

/// User and password in `ftp://user:password@host/`.
fn in_address(word: &str) -> Option<(Range<usize>, Range<usize>)> {
    let start = word.find("://")? + 3;
    let rest = word.get(start..)?;
    let end = start + rest.get(..rest.find('/').unwrap_or(rest.len()))?.rfind('@')?;
    let colon = start + word.get(start..end)?.find(':')?;
    Some((start..colon, colon + 1..end))
}

/// Where the secret begins in a word that sets a variable (`PP1=user:seed`).
fn behind_variable(word: &str) -> usize {
    let variable =
        word.find('=').filter(|at| *at > 0 && word.bytes().take(*at).all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
    let Some(equals) = variable else { return 0 };
    word.get(equals..).and_then(|rest| rest.find(':')).map_or(equals + 1, |colon| equals + colon + 1)
}

/// A place without the quotes around it.
fn unquoted(text: &str, range: Range<usize>) -> Range<usize> {
    let quoted = text.get(range.clone()).is_some_and(|t| t.len() >= 2 && t.starts_with('"') && t.ends_with('"'));
    if quoted { range.start + 1..range.end - 1 } else { range }
}

fn is_key(word: &str, rest: bool) -> bool {
    let keys = &lists().texts;
    let known = if rest { &keys.rest } else { &keys.one };
    known.contains(word) || word.bytes().any(|b| b.is_ascii_uppercase()) && known.contains(&word.to_ascii_lowercase())
}

/// Text behind a keyword in the same statement; where commands name what they speak of, behind that.
fn behind_keyword<'t>(node: Node<'t>, selects: bool, places: &mut Places<'t>) {
    let keyword = (0..node.len().saturating_sub(1)).take(node.len()).find(|i| {
        let word = node.word_or_empty(*i);
        !node.is_quoted(*i) && (*i < KEYWORDS && is_key(word, true) || is_key(word, false)) && !node.word_or_empty(i + 1).starts_with('-')
    });
    let Some(at) = keyword else { return };
    let rest = is_key(node.word_or_empty(at), true);
    let text = if selects && rest && at + 2 < node.len() { at + 2 } else { at + 1 };
    let (first, last) = (node.word_span(text), node.word_span(node.len() - 1));
    let rest = rest && !node.is_quoted(text);
    places.add_text(if rest { first.start as usize..last.end as usize } else { range(first) });
}

/// A name behind a keyword that means a name in every product.
fn named<'t>(node: Node<'t>, places: &mut Places<'t>) {
    let keys = &lists().names;
    if let Some(at) = (0..node.len().saturating_sub(1)).take(KEYWORDS).find(|ix| keys.contains(&node.word_or_empty(*ix).to_lowercase())) {
        places.add(range(node.word_span(at + 1)), What::Name);
    }
}

/// Text below a keyword, where every word is a statement.
fn below_keyword<'t>(node: Node<'t>, places: &mut Places<'t>) {
    let word = node.word_or_empty(0);
    if !is_key(word, true) && !is_key(word, false) {
        return;
    }
    for child in node.children().filter(|c| c.children().next().is_none()) {
        places.add_text(range(child.word_span(0)));
        for again in child.other_places() {
            places.add_text(range(again));
        }
    }
}

/// What a person wrote as a comment; what a box or a collector wrote as one stays.
fn comment(grammar: &Grammar, text: &str, place: Range<usize>, places: &mut Places<'_>) {
    let Some(whole) = text.get(place.clone()) else { return };
    let identity = &grammar.file.identity;
    let lower = whole.to_lowercase();
    let names = |word: &String| lower.contains(&word.to_lowercase());
    let release = || whole.as_bytes().windows(3).any(|w| matches!(w, [a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit()));
    let product = whole.len() <= HEADER && names(&identity.product) | names(&identity.vendor) && release();
    let signs = |c: char| c.is_ascii_punctuation() || c.is_whitespace();
    let body = whole.trim_start_matches(signs);
    let words = &lists().comments;
    let begins = |word: &String| body.strip_prefix(word.as_str()).is_some_and(|rest| word.len() > 3 || rest.trim().is_empty());
    if product || words.begins.iter().any(begins) || words.holds.iter().any(|h| whole.contains(h.as_str())) {
        return;
    }
    let start = place.start + (whole.len() - body.len());
    let end = start + body.trim_end_matches(signs).len();
    places.add_text(start..end);
}

/// Words of the host name and of the box's own domain give the customer away wherever they stand.
pub(super) fn tell_owner(grammar: &Grammar, tree: &Tree<'_>, devices: &[Device], names: &mut Names, vocabulary: &Vocabulary) {
    let identity = &grammar.file.identity;
    let models = devices.iter().filter_map(|d| d.identity.model.as_ref());
    let known: Vec<String> = models.chain([&identity.vendor, &identity.product, &identity.name]).map(|w| w.to_lowercase()).collect();
    for host in devices.iter().filter_map(|d| d.identity.hostname.as_deref()) {
        names.tell(host, &known, vocabulary);
    }
    let own = |word: &str| lists().domains.own.contains(&word.to_lowercase());
    for node in tree.statements() {
        let key = (0..node.len()).take(KEYWORDS).find(|ix| own(node.word_or_empty(*ix)));
        let below = node.children().map(|c| c.word_or_empty(0));
        let behind = key.map_or(0, |k| k + 1)..node.len();
        match key {
            Some(_) if behind.is_empty() => below.filter(|w| w.contains('.')).for_each(|w| names.tell(w, &known, vocabulary)),
            Some(_) => behind.map(|ix| node.word_or_empty(ix)).filter(|w| w.contains('.')).for_each(|w| names.tell(w, &known, vocabulary)),
            None => {}
        }
    }
}

/// Makes the names of devices known that the intermediate form holds and the text says as one word, wherever they stand.
pub(super) fn declare(tree: &Tree<'_>, devices: &[Device], names: &mut Names, vocabulary: &Vocabulary) {
    let words: HashSet<&str> = tree.statements().flat_map(|n| n.words_from(0)).collect();
    let mut add = |kind: Kind, name: &str| {
        if words.contains(name) {
            names.declare(kind, name, vocabulary);
        }
    };
    for device in devices {
        for host in device.identity.hostname.iter().chain(&device.identity.ha_group) {
            add(Kind::Host, host);
        }
        for account in device.accounts.iter() {
            add(Kind::User, &account.name);
        }
        let interfaces = device.interfaces.iter().flat_map(|i| std::iter::once(&i.name).chain(&i.alias));
        let objects = device.addr_objects.iter().map(|o| &o.name).chain(device.svc_objects.iter().map(|o| &o.name));
        let filters = device.filters.iter().map(|f| &f.name).chain(device.nat.rules.iter().map(|r| &r.name));
        let tunnels = device.tunnels.iter().map(|t| &t.name).chain(device.remote_access.iter().map(|r| &r.name));
        let people = device.admin_paths.iter().map(|p| &p.principal).chain(device.auth_servers.iter().map(|s| &s.name));
        let defined = device.definitions.iter().filter(|d| !d.builtin).map(|d| &d.name).chain(device.undefined.iter().map(|u| &u.name));
        let zones = device.zones.iter().map(|z| &z.name).chain(std::iter::once(&device.context));
        for name in interfaces.chain(zones).chain(objects).chain(filters).chain(tunnels).chain(people).chain(defined) {
            add(Kind::Name, name);
        }
    }
}
