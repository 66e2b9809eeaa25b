//! Questions to an element: its own text, the elements below it by name. Whatever is looked at counts as read.
//!
//! An element that is there and empty is not the same as one that is absent: [`Element::child`] tells them apart, while
//! [`Element::value`] speaks of text only.

use crate::source::Span;
use crate::syntax::Node;

/// An element of the tree. Copy it freely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Element<'a> {
    /// The statement.
    pub node: Node<'a>,
}

impl<'a> Element<'a> {
    /// A view of a statement, marked as read.
    pub fn of(node: Node<'a>) -> Element<'a> {
        Element { node: node.read() }
    }

    /// Its name.
    pub fn name(self) -> &'a str {
        self.node.word_or_empty(0)
    }

    /// Its own text; empty when it has none.
    pub fn text(self) -> &'a str {
        self.node.word_or_empty(1)
    }

    /// Whether it has text of its own.
    pub fn has_text(self) -> bool {
        self.node.len() > 1
    }

    /// Name and text: the place of the element for people.
    pub fn span(self) -> Span {
        self.node.span()
    }

    /// Where the text stands; the name when there is none.
    pub fn text_span(self) -> Span {
        self.node.word_span(1)
    }

    /// The elements directly below, in order, not marked as read. Attributes are left out.
    pub fn nodes(self) -> impl Iterator<Item = Node<'a>> {
        self.node.children().filter(|n| !n.word_or_empty(0).starts_with(['@', '#']))
    }

    /// The elements directly below, in order.
    pub fn children(self) -> impl Iterator<Item = Element<'a>> {
        self.nodes().map(Element::of)
    }

    /// The elements of a name directly below, in order.
    pub fn all(self, name: &str) -> impl Iterator<Item = Element<'a>> {
        self.node.children().filter(move |n| n.word(0) == Some(name)).map(Element::of)
    }

    /// The element of a name directly below; where it stands several times, the last one, which is what programs keep.
    pub fn child(self, name: &str) -> Option<Element<'a>> {
        self.all(name).last()
    }

    /// The element at the end of a path of names: `system/webgui/port`.
    pub fn at(self, path: &str) -> Option<Element<'a>> {
        path.split('/').try_fold(self, Element::child)
    }

    /// Whether an element stands at a path, empty or not.
    pub fn has(self, path: &str) -> bool {
        self.at(path).is_some()
    }

    /// The text at a path; `None` when nothing stands there or it is empty.
    pub fn value(self, path: &str) -> Option<&'a str> {
        self.filled(path).map(Element::text)
    }

    /// The element at a path, if it has text.
    pub fn filled(self, path: &str) -> Option<Element<'a>> {
        self.at(path).filter(|e| e.has_text())
    }

    /// The value of an attribute.
    pub fn attribute(self, name: &str) -> Option<&'a str> {
        let named = |n: &Node<'a>| n.word(0).and_then(|w| w.strip_prefix('@')) == Some(name);
        self.node.children().find(named).map(|n| n.read().word_or_empty(1))
    }

    /// Marks everything below as read: for elements that are judged as a whole.
    pub fn read_below(self) -> Element<'a> {
        self.node.mark_below(crate::syntax::Mark::Read);
        self
    }
}
