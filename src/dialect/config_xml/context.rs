//! What every part of the lowering shares: sections and models of the export, what an absent one means, and facts from elements.
//!
//! Old sections write switches as elements that are there or not, models write `1` and `0`. An absent section of a whole export stands
//! for its defaults; of a part it says nothing. No caller decides that by itself.

use super::{Product, identity};
use crate::dialect::Input;
use crate::dialect::grammar::{Grammar, SyntaxTable};
use crate::ir::device::{Completeness, Version};
use crate::ir::fact::{Fact, Origin, Rest, Why, WhyCode};
use crate::source::Span;
use crate::syntax::Tree;
use crate::syntax::xml::{self, Element};

/// What the box is lowered from.
pub(in crate::dialect) struct Context<'a> {
    /// Where products differ.
    pub product: &'static Product,
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
    pub(in crate::dialect) fn new(input: &Input<'a>, product: &'static Product) -> Context<'a> {
        let tree = input.tree;
        let document = match &input.grammar.file.syntax {
            SyntaxTable::Xml(parameters) => xml::document(tree, parameters),
            _ => None,
        };
        let start = input.range.start as u32;
        let first = document.map(|d| d.node).or_else(|| tree.root().children().next());
        let evidence = first.map_or(Span { file: tree.file(), start, end: start }, |n| n.span());
        let version = (product.version)(tree, document, input.grammar);
        let completeness = identity::completeness(tree, document, input.grammar, product);
        Context { product, grammar: input.grammar, tree, document, version, completeness, evidence }
    }

    /// The sections of a name, in order.
    pub(in crate::dialect) fn sections(&self, name: &'a str) -> impl Iterator<Item = Element<'a>> + 'a {
        let above = self.document.map_or(self.tree.root(), |d| d.node);
        above.children().filter(move |n| n.word(0) == Some(name)).map(Element::of)
    }

    /// The section of a name; of several the last, which is what the product keeps.
    pub(in crate::dialect) fn section(&self, name: &'a str) -> Option<Element<'a>> {
        self.sections(name).last()
    }

    /// The element at a path that begins with a section: `system/webgui`.
    pub(in crate::dialect) fn at(&self, path: &'a str) -> Option<Element<'a>> {
        match path.split_once('/') {
            Some((section, rest)) => self.section(section)?.at(rest),
            None => self.section(path),
        }
    }

    /// Rows of a section: the elements of a name in it, and where there is no document, those that stand by themselves.
    pub(in crate::dialect) fn rows(&self, section: &'a str, name: &'a str) -> Vec<Element<'a>> {
        let mut rows: Vec<Element<'a>> = self.sections(section).flat_map(|s| s.all(name)).collect();
        if self.document.is_none() {
            rows.extend(self.sections(name));
        }
        rows
    }

    /// The configuration of a package, where it is installed and configured.
    pub(in crate::dialect) fn packages(&self, name: &'a str) -> Vec<Element<'a>> {
        let of = |e: Element<'a>| e.all("config").collect::<Vec<_>>();
        self.sections("installedpackages").flat_map(|s| s.all(name)).flat_map(of).collect()
    }

    /// The element at a path in the models.
    pub(in crate::dialect) fn model(&self, path: &str) -> Option<Element<'a>> {
        self.models(path).pop()
    }

    /// The elements at a path in the models: rows of a list, when the last name repeats.
    pub(in crate::dialect) fn models(&self, path: &str) -> Vec<Element<'a>> {
        let mut found: Vec<Element<'a>> = match self.product.models {
            "" => Vec::new(),
            name => self.sections(name).collect(),
        };
        for name in path.split('/') {
            found = found.into_iter().flat_map(|e| e.all(name).collect::<Vec<_>>()).collect();
        }
        found
    }

    /// Why an absent element of a section says nothing; `None` where absence stands for the default.
    pub(in crate::dialect) fn missing(&self, section: &'a str) -> Option<Why> {
        let there = self.section(section).is_some();
        if there || self.is_whole() { None } else { Some(Why::new(WhyCode::NotExported, section)) }
    }

    /// Whether the export is a whole one, to its end.
    pub(in crate::dialect) fn is_whole(&self) -> bool {
        self.completeness.gaps.is_empty()
    }

    /// The default of the release.
    pub(in crate::dialect) fn default<T>(&self, key: &str, anchor: Option<Span>, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.version.as_ref(), anchor, parse)
    }

    /// The documented behaviour of the release, as a switch.
    pub(in crate::dialect) fn behaviour(&self, key: &str, anchor: Option<Span>) -> Fact<bool> {
        self.default(key, anchor, switch)
    }

    /// A switch that is on where its element is there. `path` begins with the section.
    pub(in crate::dialect) fn presence(&self, path: &'a str) -> Fact<bool> {
        match self.at(path) {
            Some(element) => self.is_set(element),
            None => self.absent(path, switch),
        }
    }

    /// A switch that is there.
    pub(in crate::dialect) fn is_set(&self, element: Element<'_>) -> Fact<bool> {
        Fact::written(!self.product.zero_is_off || element.text() != "0", element.span())
    }

    /// The switch at a path, if it is there and does not say no.
    pub(in crate::dialect) fn set_at(&self, path: &'a str) -> Option<Element<'a>> {
        self.at(path).filter(|e| !self.product.zero_is_off || e.text() != "0")
    }

    /// Whether a switch inside a row is there and does not say no.
    pub(in crate::dialect) fn on(&self, row: Element<'_>, name: &str) -> bool {
        row.child(name).is_some_and(|e| !self.product.zero_is_off || e.text() != "0")
    }

    /// A row of a section is in force unless it holds a switch that takes it out: the row itself is the line that says so. Where switches
    /// have values, an empty one is read in two ways by the product's own parts.
    pub(in crate::dialect) fn enabled(&self, row: Element<'_>, switch: &str) -> Fact<bool> {
        match row.child(switch) {
            Some(off) if self.product.zero_is_off && !off.has_text() => {
                Fact::unknown(Why::at(WhyCode::Ambiguous, switch, vec![off.span()]))
            }
            Some(off) => self.is_set(off).negate(),
            None => Fact::written(true, row.span()),
        }
    }

    /// Whether a row may be in force.
    pub(in crate::dialect) fn may_be_on(&self, row: Element<'_>, switch: &str) -> bool {
        !self.enabled(row, switch).value.is_false()
    }

    /// What an element that is not there stands for: the default, unless its section is not in the export.
    pub(in crate::dialect) fn absent<T>(&self, path: &'a str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        let section = path.split('/').next().unwrap_or(path);
        match self.missing(section) {
            Some(why) => Fact::unknown(why),
            None => self.default(&path.replace('/', "."), self.anchor(path), parse),
        }
    }

    /// The value of an element, or what its absence or emptiness stands for.
    pub(in crate::dialect) fn value<T>(&self, path: &'a str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
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
    pub(in crate::dialect) fn rest(&self, topic: &'static str) -> Rest {
        self.completeness.rest(topic, Origin::Written(self.evidence))
    }

    /// Why a topic is not complete.
    pub(in crate::dialect) fn gap(&self, topic: &str) -> Option<&Why> {
        self.completeness.gaps.get(topic)
    }

    /// Whether a name is in a list of the grammar.
    pub(in crate::dialect) fn listed(&self, list: &str, name: &str) -> bool {
        self.grammar.names(list).iter().any(|n| n == name)
    }

    /// What a list of the grammar of the form `word value value` says of a word.
    pub(in crate::dialect) fn lookup(&self, list: &str, word: &str) -> Option<&'a str> {
        let rows = self.grammar.names(list).iter();
        rows.filter_map(|row| row.split_once(' ')).find(|(w, _)| w.eq_ignore_ascii_case(word)).map(|(_, v)| v)
    }
}

/// Reads a switch of the grammar file.
pub(in crate::dialect) fn switch(word: &str) -> Option<bool> {
    match word {
        "enable" => Some(true),
        "disable" => Some(false),
        _ => None,
    }
}

/// Reads a switch of a model, or of the grammar file.
pub(in crate::dialect) fn one_is_on(word: &str) -> Option<bool> {
    match word {
        "1" | "enable" => Some(true),
        "0" | "disable" => Some(false),
        _ => None,
    }
}

/// A row of a model is in force where `enabled` is `1`; models write it always, and mean yes when it is not there.
pub(in crate::dialect) fn model_enabled(row: Element<'_>) -> Fact<bool> {
    match row.child("enabled") {
        Some(e) => Fact::written(e.text() == "1", e.span()),
        None => Fact::written(true, row.span()),
    }
}

/// The element of a model, as a fact; a default row when it is empty or not there.
pub(in crate::dialect) fn field<T>(
    cx: &Context<'_>,
    row: Element<'_>,
    name: &str,
    key: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Fact<T> {
    match row.filled(name) {
        Some(e) => match parse(e.text()) {
            Some(value) => Fact::written(value, e.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, name, vec![e.span()])),
        },
        None => cx.default(key, Some(row.span()), parse),
    }
}

/// Names in a list separated by commas.
pub(in crate::dialect) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\n', '\t']).map(str::trim).filter(|n| !n.is_empty())
}
