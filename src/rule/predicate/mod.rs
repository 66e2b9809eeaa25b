//! The predicate language of rules: typed, total, three-valued, in a strict subset of CEL's syntax.
//!
//! A predicate speaks of one record (`it`; a bare field name means `it.field`) and of the device (`device`). [`compile`] checks
//! it against the schema and gives a [`Predicate`]; [`Predicate::eval`] gives a [`Verdict`]: true, false or unknown, with the
//! fields that decided it. Those become evidence, related lines and confidence; nobody writes them by hand.
//!
//! Unknown facts follow Kleene's logic: the more is known, the more is decided, and nothing once decided is ever turned.
//! `surely(x)`, `possibly(x)` and `set.contains(word)` are not CEL's own; all else means what it means there.
//! `surely(x)` and `possibly(x)` step out of this on purpose: they ask about the knowledge itself.
//! Absence never shows: it was settled where the records were made.

mod eval;
mod expr;
mod lex;
mod parse;
mod types;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use crate::ir::fact::{Val, Why};
use crate::ir::record::{Field, Record};
use crate::ir::schema::Kind;
use crate::rule::error::RuleError;
use std::collections::BTreeMap;

/// The named constants of a rule file.
pub type Constants = BTreeMap<String, Constant>;

/// A named constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    /// A whole number.
    Int(i64),
    /// A text or word.
    Text(String),
    /// Several texts or words.
    List(Vec<String>),
}

/// A checked predicate about subjects of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate {
    truth: expr::Truth,
}

/// Which record a field is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// The subject.
    It,
    /// The device.
    Device,
}

/// A field that decided a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Read {
    /// The record.
    pub root: Root,
    /// Index of the field in the record's kind.
    pub field: usize,
}

/// What a predicate says about a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// `Known`, or `Unknown` with the first reason of `unknowns`; never `Among`.
    pub value: Val<bool>,
    /// The fields that decide, each once, in the order of the predicate. For a false `&&` the false operand with the strongest
    /// origins, for a true one all operands; dually for `||` and the quantifiers. For an unknown verdict: all that was needed.
    /// These fields alone give the same verdict, whatever the others hold.
    pub read: Vec<Read>,
    /// For an unknown verdict: why the operands that block it are not known, each reason once. Else empty.
    pub unknowns: Vec<Why>,
}

/// Compiles a predicate about subjects of `kind`.
///
/// Errors: a mistake in the syntax alone, or all mistakes in names, types and words; their ranges count in `source`.
pub fn compile(source: &str, kind: &'static Kind, constants: &Constants) -> Result<Predicate, Vec<RuleError>> {
    let tree = lex::tokens(source).and_then(|tokens| parse::parse(source, &tokens)).map_err(|e| vec![e])?;
    types::compile(&tree, kind, constants).map(|truth| Predicate { truth })
}

impl Predicate {
    /// The verdict about a subject. Both records must be of the kinds the predicate was compiled for;
    /// a field that is missing or of another type counts as unknown.
    pub fn eval(&self, it: &Record, device: &Record) -> Verdict {
        eval::eval(&self.truth, it, device)
    }
}

impl Read {
    /// The field that was read.
    pub fn of<'a>(self, it: &'a Record, device: &'a Record) -> Option<&'a Field> {
        match self.root {
            Root::It => it.at(self.field),
            Root::Device => device.at(self.field),
        }
    }
}
