//! Evaluation: Kleene's three-valued logic that remembers what decided.
//!
//! Numbers are ranges, words are sets of candidates, sets lie between two bounds; a comparison is decided where it comes out
//! the same for every value in question. Evaluation cannot fail, recurses no deeper than the parser allows,
//! and what it reads suffices: the same verdict follows from the fields read alone.

use super::expr::{Number, Truth, Word, Words};
use super::{Read, Root, Verdict};
use crate::ir::fact::{Strength, Val, Why, WhyCode};
use crate::ir::record::{self, Record, Value};
use std::collections::BTreeSet;

/// The verdict of a compiled predicate.
pub(super) fn eval(truth: &Truth, it: &Record, device: &Record) -> Verdict {
    let mut scope = Scope { it, device, elements: Vec::new() };
    let seen = scope.truth(truth);
    let value = match (seen.value, seen.unknowns.first()) {
        (Some(b), _) => Val::Known(b),
        (None, Some(why)) => Val::Unknown(why.clone()),
        (None, None) => Val::Unknown(unexplained("")),
    };
    let mut read: Vec<Read> = Vec::with_capacity(seen.read.len());
    for r in seen.read {
        // As many as a record has fields at most.
        if !read.contains(&r) {
            read.push(r);
        }
    }
    Verdict { value, read, unknowns: seen.unknowns }
}

/// A value, the fields that decide it, and the distinct reasons why it is not exactly known.
struct Seen<T> {
    value: T,
    read: Vec<Read>,
    unknowns: Vec<Why>,
}

/// A truth value, if it is sure.
type SeenTruth = Seen<Option<bool>>;

impl<T> Seen<T> {
    fn sure(value: T) -> Seen<T> {
        Seen { value, read: Vec::new(), unknowns: Vec::new() }
    }

    /// A value that follows from two others.
    fn joined<A, B>(value: T, a: Seen<A>, b: Seen<B>) -> Seen<T> {
        let mut out = Seen { value, read: a.read, unknowns: a.unknowns };
        out.add(b.read, b.unknowns);
        out
    }

    fn add(&mut self, read: Vec<Read>, unknowns: Vec<Why>) {
        self.read.extend(read);
        for why in unknowns {
            if !self.unknowns.contains(&why) {
                self.unknowns.push(why);
            }
        }
    }
}

impl SeenTruth {
    /// A decided truth value has no reason to be unknown, whatever went into it.
    fn settled(mut self) -> SeenTruth {
        if self.value.is_some() {
            self.unknowns.clear();
        }
        self
    }
}

/// What a word can be.
enum Candidates<'a> {
    Only(&'a str),
    OneOf(Vec<&'a str>),
    Anything,
}

impl<'a> Candidates<'a> {
    fn listed(&self) -> Option<&[&'a str]> {
        match self {
            Candidates::Only(word) => Some(std::slice::from_ref(word)),
            Candidates::OneOf(words) => Some(words),
            Candidates::Anything => None,
        }
    }

    /// `Some` if `test` says the same of every candidate.
    fn agree(&self, mut test: impl FnMut(&'a str) -> Option<bool>) -> Option<bool> {
        match self {
            Candidates::Only(word) => test(word),
            Candidates::OneOf(words) => same(words.iter().map(|w| test(w))),
            Candidates::Anything => None,
        }
    }
}

/// What a set surely and possibly holds.
enum Bounds<'a> {
    Exact(&'a [String]),
    Between(&'a BTreeSet<record::Word>, &'a BTreeSet<record::Word>),
    Anything,
}

impl<'a> Bounds<'a> {
    fn holds(&self, word: &str) -> Option<bool> {
        match self {
            Bounds::Exact(words) => Some(words.iter().any(|w| w == word)),
            Bounds::Between(lo, _) if lo.contains(word) => Some(true),
            Bounds::Between(_, hi) => (!hi.contains(word)).then_some(false),
            Bounds::Anything => None,
        }
    }

    /// Everything the set may hold, if that can be listed, and whether it surely does.
    fn possible(&self) -> Option<Vec<(&'a str, bool)>> {
        match self {
            Bounds::Exact(words) => Some(words.iter().map(|w| (w.as_str(), true)).collect()),
            Bounds::Between(lo, hi) => Some(hi.union(lo).map(|w| (w.as_ref(), lo.contains(w))).collect()),
            Bounds::Anything => None,
        }
    }
}

/// A range of whole numbers, both ends included.
type Range = (i64, i64);

struct Scope<'a> {
    it: &'a Record,
    device: &'a Record,
    /// The elements of the enclosing quantifiers, outermost first.
    elements: Vec<&'a str>,
}

impl<'a> Scope<'a> {
    fn truth(&mut self, truth: &'a Truth) -> SeenTruth {
        match truth {
            Truth::Literal(b) => Seen::sure(Some(*b)),
            Truth::Field(read) => self.field(*read, |value| match value {
                Some(Value::Bool(b)) => (b.tri(), b.why()),
                _ => (None, None),
            }),
            Truth::Not(x) => {
                let x = self.truth(x);
                Seen { value: x.value.map(|b| !b), ..x }
            }
            Truth::And(parts) => self.junction(parts, false),
            Truth::Or(parts) => self.junction(parts, true),
            Truth::If(parts) => {
                let (c, a, b) = &**parts;
                self.conditional(c, |s| s.truth(a), |s| s.truth(b), |a, b| if a == b { *a } else { None }).settled()
            }
            Truth::Alike(sides) => {
                let (a, b) = (self.truth(&sides.0), self.truth(&sides.1));
                Seen::joined(a.value.zip(b.value).map(|(a, b)| a == b), a, b).settled()
            }
            Truth::Equal(sides) => self.compare(sides, |a, b| match () {
                () if a.0 == a.1 && a == b => Some(true),
                () if a.1 < b.0 || b.1 < a.0 => Some(false),
                () => None,
            }),
            Truth::Less(sides) => self.compare(sides, |a, b| decided(a.1 < b.0, a.0 >= b.1)),
            Truth::AtMost(sides) => self.compare(sides, |a, b| decided(a.1 <= b.0, a.0 > b.1)),
            Truth::Same(sides) => {
                let (a, b) = (self.word(&sides.0), self.word(&sides.1));
                let value = a.value.agree(|a| b.value.agree(|b| Some(a == b)));
                Seen::joined(value, a, b).settled()
            }
            Truth::In(sides) => {
                let (word, set) = (self.word(&sides.0), self.words(&sides.1));
                let nothing = matches!(set.value.possible(), Some(all) if all.is_empty());
                let value = if nothing { Some(false) } else { word.value.agree(|w| set.value.holds(w)) };
                Seen::joined(value, word, set).settled()
            }
            Truth::Exists(parts) => self.quantifier(&parts.0, &parts.1, true),
            Truth::All(parts) => self.quantifier(&parts.0, &parts.1, false),
            Truth::Surely(x) => self.knowledge(x, Some(true)),
            Truth::Possibly(x) => {
                let x = self.knowledge(x, Some(false));
                Seen { value: x.value.map(|b| !b), ..x }
            }
        }
    }

    /// Whether the operand's truth value is surely the given one.
    fn knowledge(&mut self, x: &'a Truth, wanted: Option<bool>) -> SeenTruth {
        let x = self.truth(x);
        Seen { value: Some(x.value == wanted), ..x }.settled()
    }

    /// A conjunction (`absorbing` false) or disjunction (`absorbing` true).
    fn junction(&mut self, parts: &'a [Truth], absorbing: bool) -> SeenTruth {
        let mut seen = Vec::with_capacity(parts.len());
        for part in parts {
            let part = self.truth(part);
            // Nothing that follows can decide on stronger grounds.
            if part.value == Some(absorbing) && self.strength(&part.read) == (true, Strength::Certain) {
                return part.settled();
            }
            seen.push(part);
        }
        self.combined(seen, absorbing)
    }

    /// One absorbing operand decides alone, the one with the strongest origins; without any, all operands count.
    fn combined(&self, parts: Vec<SeenTruth>, absorbing: bool) -> SeenTruth {
        let strongest = (parts.iter().enumerate().filter(|(_, p)| p.value == Some(absorbing)))
            .max_by_key(|(ix, p)| (self.strength(&p.read), std::cmp::Reverse(*ix)))
            .map(|(ix, _)| ix);
        if let Some(ix) = strongest {
            return parts.into_iter().nth(ix).map_or(Seen::sure(Some(absorbing)), Seen::settled);
        }
        let sure = parts.iter().all(|p| p.value.is_some());
        let mut out = Seen::sure(sure.then_some(!absorbing));
        for part in parts {
            out.add(part.read, part.unknowns);
        }
        out
    }

    /// How much can rest on the fields: whether none is a default that nobody confirmed, then the weakest origin.
    fn strength(&self, read: &[Read]) -> (bool, Strength) {
        let origins = read.iter().filter_map(|r| r.of(self.it, self.device)).map(|f| &f.origin);
        origins.map(|o| (!o.rests_on_unverified_default(), o.strength())).min().unwrap_or((true, Strength::Certain))
    }

    /// `exists` is a disjunction of `e in set && body(e)` over all that may be in the set, `all` a conjunction of `!(e in set) || body(e)`.
    fn quantifier(&mut self, set: &'a Words, body: &'a Truth, exists: bool) -> SeenTruth {
        let set = self.words(set);
        let Some(elements) = set.value.possible() else {
            return Seen { value: None, read: set.read, unknowns: set.unknowns };
        };
        let mut parts = Vec::with_capacity(elements.len());
        for (element, surely_in) in elements {
            self.elements.push(element);
            let inner = self.truth(body);
            self.elements.pop();
            let member = Seen {
                value: surely_in.then_some(exists),
                read: Vec::new(),
                unknowns: if surely_in { Vec::new() } else { set.unknowns.clone() },
            };
            parts.push(self.combined(vec![member, inner], !exists));
        }
        let mut out = self.combined(parts, exists);
        out.read.splice(0..0, set.read);
        out
    }

    fn compare(&mut self, sides: &'a (Number, Number), test: impl Fn(Range, Range) -> Option<bool>) -> SeenTruth {
        let (a, b) = (self.number(&sides.0), self.number(&sides.1));
        Seen::joined(test(a.value, b.value), a, b).settled()
    }

    fn number(&mut self, number: &'a Number) -> Seen<Range> {
        match number {
            Number::Literal(n) => Seen::sure((*n, *n)),
            Number::Field(read) => self.field(*read, |value| match value {
                Some(Value::Int(Val::Known(n))) => ((*n, *n), None),
                Some(Value::Int(Val::Among(ns, why))) => match (ns.iter().min(), ns.iter().max()) {
                    (Some(least), Some(greatest)) => ((*least, *greatest), (least < greatest).then_some(why)),
                    _ => ((i64::MIN, i64::MAX), Some(why)),
                },
                Some(Value::Int(Val::Unknown(why))) => ((i64::MIN, i64::MAX), Some(why)),
                _ => ((i64::MIN, i64::MAX), None),
            }),
            Number::Size(set) => {
                let set = self.words(set);
                let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
                let value = match &set.value {
                    // A list may repeat a word, as CEL's lists may.
                    Bounds::Exact(words) => (count(words.len()), count(words.len())),
                    Bounds::Between(lo, hi) => (count(lo.len()), count(hi.len().max(lo.len()))),
                    Bounds::Anything => (0, i64::MAX),
                };
                Seen { value, read: set.read, unknowns: set.unknowns }
            }
            Number::If(parts) => {
                let (c, a, b) = &**parts;
                let hull = |a: &Range, b: &Range| (a.0.min(b.0), a.1.max(b.1));
                self.conditional(c, |s| s.number(a), |s| s.number(b), hull)
            }
        }
    }

    fn word(&mut self, word: &'a Word) -> Seen<Candidates<'a>> {
        match word {
            Word::Literal(text) => Seen::sure(Candidates::Only(text)),
            Word::Variable(ix) => Seen::sure(self.elements.get(*ix).map_or(Candidates::Anything, |e| Candidates::Only(e))),
            Word::Field(read) => self.field(*read, |value| match value {
                Some(Value::Word(word)) => (candidates(word, |w| w.as_ref()), word.why()),
                Some(Value::Text(text)) => (candidates(text, String::as_str), text.why()),
                _ => (Candidates::Anything, None),
            }),
            Word::If(parts) => {
                let (c, a, b) = &**parts;
                let either = |a: &Candidates<'a>, b: &Candidates<'a>| match (a.listed(), b.listed()) {
                    (Some(a), Some(b)) => Candidates::OneOf(a.iter().chain(b).copied().collect()),
                    _ => Candidates::Anything,
                };
                self.conditional(c, |s| s.word(a), |s| s.word(b), either)
            }
        }
    }

    fn words(&mut self, words: &'a Words) -> Seen<Bounds<'a>> {
        match words {
            Words::List(list) => Seen::sure(Bounds::Exact(list)),
            Words::Field(read) => self.field(*read, |value| match value {
                Some(Value::Set { lo, hi, why }) => (Bounds::Between(lo, hi), why.as_ref()),
                _ => (Bounds::Anything, None),
            }),
        }
    }

    /// `c ? a : b`. A condition that is not known leaves both branches; where they agree, it does not matter.
    fn conditional<T: Doubt>(
        &mut self,
        c: &'a Truth,
        a: impl FnOnce(&mut Self) -> Seen<T>,
        b: impl FnOnce(&mut Self) -> Seen<T>,
        either: impl FnOnce(&T, &T) -> T,
    ) -> Seen<T> {
        let c = self.truth(c);
        let branch = match c.value {
            Some(true) => a(self),
            Some(false) => b(self),
            None => {
                let (a, b) = (a(self), b(self));
                let value = either(&a.value, &b.value);
                if value.is_exact() {
                    return Seen::joined(value, a, b);
                }
                let mut out = Seen { value, read: c.read, unknowns: c.unknowns };
                out.add(a.read, a.unknowns);
                out.add(b.read, b.unknowns);
                return out;
            }
        };
        let mut out = Seen { value: branch.value, read: c.read, unknowns: branch.unknowns };
        out.read.extend(branch.read);
        out
    }

    /// Reads a field. `view` gives the value and, where it is not exactly known, why; a value without one gets a reason that names the field.
    fn field<T: Doubt>(&self, read: Read, view: impl FnOnce(Option<&'a Value>) -> (T, Option<&'a Why>)) -> Seen<T> {
        let record: &'a Record = if read.root == Root::It { self.it } else { self.device };
        let (value, why) = view(record.at(read.field).map(|f| &f.value));
        let unknowns = match (value.is_exact(), why) {
            (true, _) => Vec::new(),
            (false, Some(why)) => vec![why.clone()],
            (false, None) => vec![unexplained(record.kind.fields.get(read.field).map_or("", |f| f.name))],
        };
        Seen { value, read: vec![read], unknowns }
    }
}

/// Whether a value leaves a question open.
trait Doubt {
    fn is_exact(&self) -> bool;
}

impl Doubt for Option<bool> {
    fn is_exact(&self) -> bool {
        self.is_some()
    }
}

impl Doubt for Range {
    fn is_exact(&self) -> bool {
        self.0 == self.1
    }
}

impl Doubt for Candidates<'_> {
    fn is_exact(&self) -> bool {
        self.listed().is_some_and(|words| words.iter().all(|w| *w == words[0]))
    }
}

impl Doubt for Bounds<'_> {
    fn is_exact(&self) -> bool {
        match self {
            Bounds::Exact(_) => true,
            Bounds::Between(lo, hi) => lo == hi,
            Bounds::Anything => false,
        }
    }
}

/// The reason for a field that nobody set, which a finished record does not have.
fn unexplained(field: &str) -> Why {
    Why::new(WhyCode::NotExported, field)
}

fn candidates<'a, T>(value: &'a Val<T>, text: impl Fn(&'a T) -> &'a str) -> Candidates<'a> {
    match value {
        Val::Known(w) => Candidates::Only(text(w)),
        Val::Among(ws, _) if !ws.is_empty() => Candidates::OneOf(ws.iter().map(text).collect()),
        Val::Among(..) | Val::Unknown(_) => Candidates::Anything,
    }
}

fn decided(yes: bool, no: bool) -> Option<bool> {
    if yes { Some(true) } else { no.then_some(false) }
}

/// The common answer, if all give the same sure one.
fn same(mut answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let first = answers.next()??;
    answers.all(|a| a == Some(first)).then_some(first)
}
