//! Records: what rules see. `analysis` turns the intermediate form into one [`Record`] per subject (an exposure,
//! a tunnel, an account ...) whose fields are those of [`super::schema`]; a predicate reads fields, nothing else.
//!
//! A record carries its proof: the primary place, the chain of steps that led to it, and a witness packet where one exists.

use super::fact::{Fact, Origin, Rest, Val, Why};
use super::schema::{self, Kind, Type};
use crate::source::Span;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A word of a closed enumeration, or a name.
pub type Word = Cow<'static, str>;

/// A duration or limit without end. Times are seconds.
pub const NEVER: i64 = i64::MAX;

/// The value of a field; its variant agrees with the field's [`Type`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Truth value.
    Bool(Val<bool>),
    /// Whole number; [`NEVER`] means without end. `Among` gives the least and the greatest.
    Int(Val<i64>),
    /// Word of a closed enumeration.
    Word(Val<Word>),
    /// Free text for messages.
    Text(Val<String>),
    /// Set of words between two bounds: surely in (`lo`), possibly in (`hi`).
    Set {
        /// Surely in.
        lo: BTreeSet<Word>,
        /// Possibly in; a superset of `lo`.
        hi: BTreeSet<Word>,
        /// Why the bounds differ, if they do.
        why: Option<Why>,
    },
}

/// A field's value and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The value.
    pub value: Value,
    /// What it rests on.
    pub origin: Origin,
}

/// One step of a proof: a place in the export and a sentence about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The lines, if the step has lines (a default has none unless a block anchors it).
    pub span: Option<Span>,
    /// Key of the sentence in `texts/steps.toml`.
    pub code: &'static str,
    /// Values for the sentence's placeholders, in order. Never a secret.
    pub args: Vec<String>,
}

/// A packet that gets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Source address of the packet as it enters the box.
    pub source: IpAddr,
    /// Destination address as it enters, where it matters.
    pub destination: Option<IpAddr>,
    /// `tcp`, `udp`, `icmp`, or the protocol number as text.
    pub protocol: Word,
    /// Destination port as it enters, for protocols that have ports.
    pub port: Option<u16>,
}

/// One subject of one kind with all its fields.
#[derive(Clone, Debug)]
pub struct Record {
    /// What kind of subject it is.
    pub kind: &'static Kind,
    /// What it is called in findings, e.g. `https on wan1`. The same in every language.
    pub subject: String,
    /// The line a finding about it points at, unless the rule names a field.
    pub span: Option<Span>,
    /// The proof, in the order the box decides.
    pub chain: Vec<Step>,
    /// A packet that proves an exposure.
    pub witness: Option<Witness>,
    /// What commands call the subject and what belongs to it, by placeholder.
    names: Vec<(&'static str, String)>,
    fields: Vec<Option<Field>>,
}

impl Record {
    /// A record of `kind` without fields; every field is to be set before rules see it.
    pub fn new(kind: &'static Kind, subject: impl Into<String>, span: Option<Span>) -> Record {
        Record {
            kind,
            subject: subject.into(),
            span,
            chain: Vec::new(),
            witness: None,
            names: Vec::new(),
            fields: kind.fields.iter().map(|_| None).collect(),
        }
    }

    /// Says what commands call a thing, for a placeholder of [`schema::NAMES`]: the name as the export writes it, without what a
    /// subject adds for people. Predicates and messages do not see it.
    pub fn named(&mut self, placeholder: &'static str, name: impl Into<String>) -> &mut Record {
        debug_assert!(schema::NAMES.contains(&placeholder) || self.kind.index(placeholder).is_some(), "{placeholder}: no placeholder");
        self.names.push((placeholder, name.into()));
        self
    }

    /// What commands call the thing that a placeholder stands for.
    pub fn called_in_commands(&self, placeholder: &str) -> Option<&str> {
        self.names.iter().find(|(p, _)| *p == placeholder).map(|(_, name)| name.as_str())
    }

    /// Sets a field. A name the schema does not have, or a value of another type, is a fault of the program: it panics in tests and is ignored in release.
    pub fn set(&mut self, name: &str, value: Value, origin: Origin) -> &mut Record {
        match self.kind.index(name) {
            Some(ix) if value.fits(&self.kind.fields[ix].ty) => self.fields[ix] = Some(Field { value, origin }),
            _ => debug_assert!(false, "{}.{name}: not in the schema, or of another type: {value:?}", self.kind.name),
        }
        self
    }

    /// Sets a truth value.
    pub fn bool(&mut self, name: &str, fact: Fact<bool>) -> &mut Record {
        self.set(name, Value::Bool(fact.value), fact.origin)
    }

    /// Sets a number.
    pub fn int(&mut self, name: &str, fact: Fact<i64>) -> &mut Record {
        self.set(name, Value::Int(fact.value), fact.origin)
    }

    /// Sets a word.
    pub fn word(&mut self, name: &str, fact: Fact<Word>) -> &mut Record {
        self.set(name, Value::Word(fact.value), fact.origin)
    }

    /// Sets a text that is exactly known.
    pub fn text(&mut self, name: &str, text: impl Into<String>, origin: Origin) -> &mut Record {
        self.set(name, Value::Text(Val::Known(text.into())), origin)
    }

    /// Sets a set that is exactly known.
    pub fn exact_set(&mut self, name: &str, words: BTreeSet<Word>, origin: Origin) -> &mut Record {
        self.set(name, Value::Set { lo: words.clone(), hi: words, why: None }, origin)
    }

    /// The field at an index of the kind's schema.
    pub fn at(&self, ix: usize) -> Option<&Field> {
        self.fields.get(ix).and_then(Option::as_ref)
    }

    /// The field of that name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.kind.index(name).and_then(|ix| self.at(ix))
    }

    /// Names of fields nobody set; empty for a finished record.
    pub fn missing(&self) -> Vec<&'static str> {
        self.kind.fields.iter().zip(&self.fields).filter(|(_, f)| f.is_none()).map(|(d, _)| d.name).collect()
    }
}

impl Value {
    /// Whether the value's variant is the one the type asks for, and its words are of the enumeration.
    pub fn fits(&self, ty: &Type) -> bool {
        match (self, ty) {
            (Value::Bool(_), Type::Bool) | (Value::Int(_), Type::Int) | (Value::Text(_), Type::Text) => true,
            (Value::Word(_), Type::Word([])) => true,
            (Value::Word(v), Type::Word(words)) => match v {
                Val::Known(w) => words.contains(&w.as_ref()),
                Val::Among(ws, _) => ws.iter().all(|w| words.contains(&w.as_ref())),
                Val::Unknown(_) => true,
            },
            (Value::Set { hi, .. }, Type::Set(words)) => words.is_empty() || hi.iter().all(|w| words.contains(&w.as_ref())),
            _ => false,
        }
    }
}

/// All records of one kind, and whether there may be subjects the export does not show.
#[derive(Clone, Debug)]
pub struct Records {
    /// The subjects.
    pub items: Vec<Record>,
    /// Whether they are all; for an empty complete list the origin is the evidence of "not applicable".
    pub rest: Rest,
}

/// Everything rules may ask about one device: its own record, and the subjects of every other kind.
#[derive(Clone, Debug)]
pub struct FactSheet {
    /// The record of kind `device`.
    pub device: Record,
    /// Subjects, in the order of [`schema::KINDS`].
    pub kinds: Vec<Records>,
}

impl FactSheet {
    /// The subjects of a kind.
    pub fn of(&self, kind: &'static Kind) -> Option<&Records> {
        schema::KINDS.iter().position(|k| k.name == kind.name).and_then(|ix| self.kinds.get(ix))
    }
}
