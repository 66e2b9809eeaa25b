//! What every part of the lowering shares: the sections of the export, what an absent one means, and facts from elements.
//!
//! The product writes most switches as elements that are there or not, so an element is told from an absent one everywhere. An absent
//! section of a whole export stands for its defaults; of a part it says nothing. No caller decides that by itself.

use super::identity;
use crate::dialect::Input;
use crate::dialect::grammar::{Grammar, SyntaxTable};
use crate::ir::device::{Completeness, Version};
use crate::ir::fact::{Fact, Origin, Rest, Why, WhyCode};
use crate::source::Span;
use crate::syntax::Tree;
use crate::syntax::xml::{self, Element};

/// What the box is lowered from.
pub(super) struct Context<'a> {
    /// What is data about the product.
    pub grammar: &'a Grammar,
    /// The statements.
    pub tree: &'a Tree<'a>,
    /// The document element of a whole export.
    pub document: Option<Element<'a>>,
    /// The release, as far as the export tells it.
    pub version: Option<Version>,
    /// How complete the export is.
    pub completeness: Completeness,
    /// What the completeness of lists rests on: the first line of the configuration.
    pub evidence: Span,
}

impl<'a> Context<'a> {
    /// Looks at an export as a whole.
    pub(super) fn new(input: &Input<'a>) -> Context<'a> {
        let tree = input.tree;
        let document = match &input.grammar.file.syntax {
            SyntaxTable::Xml(parameters) => xml::document(tree, parameters),
            _ => None,
        };
        let start = input.range.start as u32;
        let first = document.map(|d| d.node).or_else(|| tree.root().children().next());
        let evidence = first.map_or(Span { file: tree.file(), start, end: start }, |n| n.span());
        let version = identity::version(tree, document, input.grammar);
        let completeness = identity::completeness(tree, document, input.grammar);
        Context { grammar: input.grammar, tree, document, version, completeness, evidence }
    }

    /// The sections of a name, in order.
    pub(super) fn sections(&self, name: &'a str) -> impl Iterator<Item = Element<'a>> + 'a {
        let above = self.document.map_or(self.tree.root(), |d| d.node);
        above.children().filter(move |n| n.word(0) == Some(name)).map(Element::of)
    }

    /// The section of a name; of several the last, which is what the product keeps.
    pub(super) fn section(&self, name: &'a str) -> Option<Element<'a>> {
        self.sections(name).last()
    }

    /// The element at a path that begins with a section: `system/webgui`.
    pub(super) fn at(&self, path: &'a str) -> Option<Element<'a>> {
        match path.split_once('/') {
            Some((section, rest)) => self.section(section)?.at(rest),
            None => self.section(path),
        }
    }

    /// Rows of a section: the elements of a name in it, and where there is no document, those that stand by themselves.
    pub(super) fn rows(&self, section: &'a str, name: &'a str) -> Vec<Element<'a>> {
        let mut rows: Vec<Element<'a>> = self.sections(section).flat_map(|s| s.all(name)).collect();
        if self.document.is_none() {
            rows.extend(self.sections(name));
        }
        rows
    }

    /// The configuration of a package, where it is installed and configured.
    pub(super) fn packages(&self, name: &'a str) -> Vec<Element<'a>> {
        let of = |e: Element<'a>| e.all("config").collect::<Vec<_>>();
        self.sections("installedpackages").flat_map(|s| s.all(name)).flat_map(of).collect()
    }

    /// Why an absent element of a section says nothing; `None` where absence stands for the default.
    pub(super) fn missing(&self, section: &'a str) -> Option<Why> {
        let there = self.section(section).is_some();
        if there || self.is_whole() { None } else { Some(Why::new(WhyCode::NotExported, section)) }
    }

    /// Whether the export is a whole one, to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.completeness.gaps.is_empty()
    }

    /// The default of the release.
    pub(super) fn default<T>(&self, key: &str, anchor: Option<Span>, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.version.as_ref(), anchor, parse)
    }

    /// The documented behaviour of the release, as a switch.
    pub(super) fn behaviour(&self, key: &str, anchor: Option<Span>) -> Fact<bool> {
        self.default(key, anchor, switch)
    }

    /// A switch that is on where its element is there. `path` begins with the section.
    pub(super) fn presence(&self, path: &'a str) -> Fact<bool> {
        match self.at(path) {
            Some(element) => Fact::written(true, element.span()),
            None => self.absent(path, switch),
        }
    }

    /// What an element that is not there stands for: the default, unless its section is not in the export.
    pub(super) fn absent<T>(&self, path: &'a str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        let section = path.split('/').next().unwrap_or(path);
        match self.missing(section) {
            Some(why) => Fact::unknown(why),
            None => self.default(&path.replace('/', "."), self.anchor(path), parse),
        }
    }

    /// The value of an element, or what its absence or emptiness stands for.
    pub(super) fn value<T>(&self, path: &'a str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        match self.at(path).filter(|e| e.has_text()) {
            Some(element) => match parse(element.text()) {
                Some(value) => Fact::written(value, element.span()),
                None => Fact::unknown(Why::at(WhyCode::Ambiguous, path, vec![element.span()])),
            },
            None => self.absent(path, parse),
        }
    }

    /// The nearest element above the end of a path that is there.
    fn anchor(&self, path: &'a str) -> Option<Span> {
        let mut path = path;
        while let Some((above, _)) = path.rsplit_once('/') {
            if let Some(element) = self.at(above) {
                return Some(element.span());
            }
            path = above;
        }
        Some(self.evidence)
    }

    /// Whether a list of a topic is all there is.
    pub(super) fn rest(&self, topic: &'static str) -> Rest {
        self.completeness.rest(topic, Origin::Written(self.evidence))
    }

    /// Why a topic is not complete.
    pub(super) fn gap(&self, topic: &str) -> Option<&Why> {
        self.completeness.gaps.get(topic)
    }

    /// Whether a name is in a list of the grammar.
    pub(super) fn listed(&self, list: &str, name: &str) -> bool {
        self.grammar.names(list).iter().any(|n| n == name)
    }

    /// What a list of the grammar of the form `word value value` says of a word.
    pub(super) fn lookup(&self, list: &str, word: &str) -> Option<&'a str> {
        let rows = self.grammar.names(list).iter();
        rows.filter_map(|row| row.split_once(' ')).find(|(w, _)| w.eq_ignore_ascii_case(word)).map(|(_, v)| v)
    }
}

/// Reads a switch of the grammar file.
pub(super) fn switch(word: &str) -> Option<bool> {
    match word {
        "enable" => Some(true),
        "disable" => Some(false),
        _ => None,
    }
}

/// A row of a table is in force unless it holds `disabled`: the row itself is the line that says so.
pub(super) fn enabled(row: Element<'_>, switch: &str) -> Fact<bool> {
    match row.child(switch) {
        Some(off) => Fact::written(false, off.span()),
        None => Fact::written(true, row.span()),
    }
}

/// Names in a list separated by commas.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).map(str::trim).filter(|n| !n.is_empty())
}
