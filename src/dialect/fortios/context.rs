//! What every part of the lowering shares: where a section stands, what an absent section or line means, and facts from lines.
//!
//! A section of the whole box (`system global`, administrators, logging) may stand in another part of the file, or in another file;
//! [`Part::missing`] says which, so that no caller decides by itself whether an absence proves anything.

use super::header::Header;
use crate::dialect::grammar::Grammar;
use crate::ir::device::Completeness;
use crate::ir::fact::{Fact, Origin, Rest, Why, WhyCode};
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::block::{Attribute, Row, Scope, Section};
use std::rc::Rc;

/// A section or a row with its lines indexed: the last line that speaks of an attribute decides.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    /// The section or row.
    pub section: Section<'a>,
    lines: Vec<(&'a str, Node<'a>)>,
}

impl<'a> Fields<'a> {
    /// Indexes a section or row.
    pub(super) fn of(section: Section<'a>) -> Fields<'a> {
        let lines = section
            .statements()
            .filter(|n| matches!(n.word(0), Some("set" | "unset" | "append")))
            .map(|n| (n.word_or_empty(1), n))
            .collect();
        Fields { section, lines }
    }

    /// Key of a row.
    pub(super) fn key(&self) -> &'a str {
        self.section.key()
    }

    /// The line that opens it.
    pub(super) fn span(&self) -> Span {
        self.section.span()
    }

    /// The line that decides an attribute; marks every line that speaks of it.
    pub(super) fn get(&self, name: &str) -> Option<Attribute<'a>> {
        let mut found = None;
        for (_, node) in self.lines.iter().filter(|(n, _)| *n == name) {
            node.read();
            match node.word(0) {
                Some("set") => found = Some(Attribute { node: *node }),
                Some("unset") => found = None,
                _ => {}
            }
        }
        found
    }

    /// First value of an attribute.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.get(name).map(Attribute::value)
    }

    /// First value of an attribute that names something: an empty text is no name.
    pub(super) fn name(&self, name: &str) -> Option<(&'a str, Span)> {
        self.get(name).filter(|a| !a.value().is_empty()).map(|a| (a.value(), a.node.word_span(2)))
    }

    /// All values of a list, with their places: `append` adds to what stands before.
    pub(super) fn values(&self, name: &str) -> Vec<(&'a str, Span)> {
        let mut out = Vec::new();
        for (_, node) in self.lines.iter().filter(|(n, _)| *n == name) {
            node.read();
            if node.word(0) != Some("append") {
                out.clear();
            }
            if node.word(0) != Some("unset") {
                out.extend(Attribute { node: *node }.spanned_values().filter(|(v, _)| !v.is_empty()));
            }
        }
        out
    }

    /// Whether an attribute is written as `enable`.
    pub(super) fn enabled(&self, name: &str) -> bool {
        self.value(name) == Some("enable")
    }

    /// Rows of a table nested in this row.
    pub(super) fn rows(&self, table: &str) -> Vec<Fields<'a>> {
        self.section.section(table).map_or_else(Vec::new, |s| rows(&s))
    }

    /// A section nested in this row.
    pub(super) fn nested(&self, path: &str) -> Option<Fields<'a>> {
        self.section.section(path).map(Fields::of)
    }
}

/// The rows of a table.
pub(super) fn rows<'a>(section: &Section<'a>) -> Vec<Fields<'a>> {
    section.rows().into_iter().map(|r: Row<'a>| Fields::of(r)).collect()
}

/// A section that was looked for.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    /// Its lines, if it stands there.
    pub fields: Option<Fields<'a>>,
    /// Why its absence proves nothing; `None`: an absent section stands for its defaults.
    pub missing: Option<Why>,
}

impl<'a> Found<'a> {
    /// The rows of the table; none when it is absent.
    pub(super) fn rows(&self) -> Vec<Fields<'a>> {
        self.fields.as_ref().map_or_else(Vec::new, |f| rows(&f.section))
    }

    /// The line that opens it.
    pub(super) fn span(&self) -> Option<Span> {
        self.fields.as_ref().map(Fields::span)
    }
}

/// Something that has attributes: a row that is there, or a section that may be absent.
pub(super) trait Lookup<'a> {
    /// The line that decides an attribute.
    fn line(&self, name: &str) -> Option<Attribute<'a>>;
    /// Where the line would stand.
    fn anchor(&self) -> Option<Span>;
    /// Why an absent line proves nothing.
    fn unseen(&self) -> Option<&Why>;
}

impl<'a> Lookup<'a> for Fields<'a> {
    fn line(&self, name: &str) -> Option<Attribute<'a>> {
        self.get(name)
    }
    fn anchor(&self) -> Option<Span> {
        Some(self.span())
    }
    fn unseen(&self) -> Option<&Why> {
        None
    }
}

impl<'a> Lookup<'a> for Found<'a> {
    fn line(&self, name: &str) -> Option<Attribute<'a>> {
        self.fields.as_ref()?.get(name)
    }
    fn anchor(&self) -> Option<Span> {
        self.span()
    }
    fn unseen(&self) -> Option<&Why> {
        if self.fields.is_some() { None } else { self.missing.as_ref() }
    }
}

/// A part of the box: its own sections, or those that all contexts share.
#[derive(Clone)]
pub(super) struct Part<'a> {
    /// The sections; empty when the part is not in the file.
    pub scope: Option<Rc<Scope<'a>>>,
    /// Why an absent section proves nothing.
    pub missing: Option<Why>,
}

impl<'a> Part<'a> {
    /// Looks a section up.
    pub(super) fn find(&self, path: &str) -> Found<'a> {
        let fields = self.scope.as_ref().and_then(|s| s.section(path)).map(Fields::of);
        Found { fields, missing: self.missing.clone() }
    }

    /// Whether the section stands there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.scope.as_ref().is_some_and(|s| s.has(path))
    }
}

/// What one context of the box is lowered from.
pub(super) struct Context<'a> {
    /// What is data about the product.
    pub grammar: &'a Grammar,
    /// The text of the file.
    pub text: &'a str,
    /// The head of the export.
    pub header: Rc<Header>,
    /// The context's own sections.
    pub own: Part<'a>,
    /// The sections that all contexts share; the same as `own` on a box without virtual domains.
    pub global: Part<'a>,
    /// Name of the virtual domain; `root` on a box without.
    pub domain: String,
    /// Whether the box has virtual domains.
    pub multi: bool,
    /// Whether this is the part that all contexts share, and nothing else.
    pub is_global: bool,
    /// Rows of `system interface` that belong to this context.
    pub interfaces: Vec<Fields<'a>>,
    /// For the shared part: the sections of every virtual domain.
    pub domains: Vec<Rc<Scope<'a>>>,
    /// How complete the export is.
    pub completeness: Completeness,
    /// First line of the context: what the completeness of lists rests on.
    pub evidence: Span,
}

impl<'a> Context<'a> {
    /// A fact from a line, or from the default of the release, or unknown where the line may stand elsewhere.
    pub(super) fn fact<T>(&self, at: &impl Lookup<'a>, attribute: &str, key: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        match at.line(attribute) {
            Some(line) => match parse(line.value()) {
                Some(value) => Fact::written(value, line.span()),
                None => Fact::unknown(Why::at(WhyCode::Ambiguous, key, vec![line.span()])),
            },
            None => match at.unseen() {
                Some(why) => Fact::unknown(Why::new(why.code(), key)),
                None => self.default(key, at.anchor(), parse),
            },
        }
    }

    /// A switch.
    pub(super) fn switch(&self, at: &impl Lookup<'a>, attribute: &str, key: &str) -> Fact<bool> {
        self.fact(at, attribute, key, switch)
    }

    /// A number.
    pub(super) fn number(&self, at: &impl Lookup<'a>, attribute: &str, key: &str) -> Fact<i64> {
        self.fact(at, attribute, key, |v| v.parse().ok())
    }

    /// The words of a list attribute.
    pub(super) fn list(&self, at: &impl Lookup<'a>, attribute: &str, key: &str) -> Fact<Vec<String>> {
        match at.line(attribute) {
            Some(line) => Fact::written(line.values().map(str::to_owned).collect(), line.span()),
            None => self.fact(at, attribute, key, words),
        }
    }

    /// The default of the release.
    pub(super) fn default<T>(&self, key: &str, anchor: Option<Span>, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.header.version.as_ref(), anchor, parse)
    }

    /// The documented behaviour of the release, as a switch.
    pub(super) fn behaviour(&self, key: &str, anchor: Option<Span>) -> Fact<bool> {
        self.default(key, anchor, switch)
    }

    /// Whether a list of a topic is all there is.
    pub(super) fn rest(&self, topic: &'static str) -> Rest {
        self.completeness.rest(topic, self.complete())
    }

    /// What the completeness of a list rests on.
    pub(super) fn complete(&self) -> Origin {
        Origin::Written(self.evidence)
    }

    /// Why a topic is not complete.
    pub(super) fn gap(&self, topic: &str) -> Option<&Why> {
        self.completeness.gaps.get(topic)
    }

    /// That something is not named anywhere: sure in a complete export, unknown in a fragment.
    pub(super) fn nowhere(&self, topic: &str, code: &'static str, about: &str, span: Span) -> Fact<bool> {
        match self.gap(topic) {
            Some(why) => Fact::unknown(Why::at(why.code(), about, vec![span])),
            None => Fact::known(false, Origin::inferred(code, [Origin::Written(span)])),
        }
    }

    /// Whether a name is in a list of the grammar.
    pub(super) fn listed(&self, list: &str, name: &str) -> bool {
        self.grammar.names(list).iter().any(|n| n == name)
    }
}

/// The words of a default's value.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    Some(text.split_whitespace().map(str::to_owned).collect())
}

/// Reads a switch.
pub(super) fn switch(word: &str) -> Option<bool> {
    match word {
        "enable" | "up" => Some(true),
        "disable" | "down" => Some(false),
        _ => None,
    }
}

/// Conjunction of facts; true by `origin` when there are none.
pub(super) fn all_of(facts: impl IntoIterator<Item = Fact<bool>>, origin: Origin) -> Fact<bool> {
    facts.into_iter().reduce(|a, b| a.and(&b)).unwrap_or_else(|| Fact::known(true, origin))
}

/// Disjunction of facts; false by `origin` when there are none.
pub(super) fn any_of(facts: impl IntoIterator<Item = Fact<bool>>, origin: Origin) -> Fact<bool> {
    facts.into_iter().reduce(|a, b| a.or(&b)).unwrap_or_else(|| Fact::known(false, origin))
}
