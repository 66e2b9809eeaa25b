//! The compiled form of a predicate: typed by construction, fields as indexes, constants filled in.
//!
//! No name is looked up after this point. What holds the form together is Rust's type system: a truth value
//! can only be built of truth values, comparisons of equal types, and so on; evaluation therefore cannot fail.

use super::Read;

/// A truth value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Truth {
    Literal(bool),
    Field(Read),
    Not(Box<Truth>),
    And(Vec<Truth>),
    Or(Vec<Truth>),
    If(Box<(Truth, Truth, Truth)>),
    /// Both true or both false.
    Alike(Box<(Truth, Truth)>),
    Equal(Box<(Number, Number)>),
    Less(Box<(Number, Number)>),
    AtMost(Box<(Number, Number)>),
    Same(Box<(Word, Word)>),
    In(Box<(Word, Words)>),
    /// Some element satisfies the body, in which [`Word::Variable`] stands for it.
    Exists(Box<(Words, Truth)>),
    /// Every element does.
    All(Box<(Words, Truth)>),
    Surely(Box<Truth>),
    Possibly(Box<Truth>),
}

/// A whole number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Literal(i64),
    Field(Read),
    Size(Words),
    If(Box<(Truth, Number, Number)>),
}

/// A word or a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Literal(String),
    Field(Read),
    /// The element of the n-th enclosing quantifier, counted from the outermost.
    Variable(usize),
    If(Box<(Truth, Word, Word)>),
}

/// A set of words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Words {
    List(Vec<String>),
    Field(Read),
}
