//! The statements of one export by their first word, read through one door.
//!
//! Asking for statements marks them as read. Where a command stands twice the later line wins, as on the box.

use crate::syntax::{Node, Tree};
use std::collections::HashMap;

/// Statements at the top, by their first word, in the order of the text.
pub struct Lines<'a> {
    by_first: HashMap<&'a str, Vec<Node<'a>>>,
}

impl<'a> Lines<'a> {
    /// Indexes the statements at the top.
    pub fn new(tree: &'a Tree<'a>) -> Lines<'a> {
        let mut by_first: HashMap<&'a str, Vec<Node<'a>>> = HashMap::new();
        for node in tree.root().children() {
            by_first.entry(node.word_or_empty(0)).or_default().push(node);
        }
        Lines { by_first }
    }

    /// Every statement with that first word, not marked.
    pub fn of(&self, first: &str) -> &[Node<'a>] {
        self.by_first.get(first).map_or(&[], Vec::as_slice)
    }

    /// Every statement that begins so.
    pub fn all(&self, words: &[&str]) -> Vec<Node<'a>> {
        let first = words.first().copied().unwrap_or("");
        self.of(first).iter().filter(|n| n.starts(words)).map(|n| n.read()).collect()
    }

    /// The last statement that begins so.
    pub fn last(&self, words: &[&str]) -> Option<Node<'a>> {
        self.all(words).pop()
    }

    /// Whether a statement begins so. Does not mark it.
    pub fn has(&self, words: &[&str]) -> bool {
        let first = words.first().copied().unwrap_or("");
        self.of(first).iter().any(|n| n.starts(words))
    }
}

/// Statements below one that begin so, marked.
pub fn below<'a>(node: Node<'a>, words: &[&str]) -> Vec<Node<'a>> {
    node.children().filter(|n| n.starts(words)).map(Node::read).collect()
}

/// The last statement below one that begins so, marked.
pub fn child<'a>(node: Node<'a>, words: &[&str]) -> Option<Node<'a>> {
    below(node, words).pop()
}

/// The word after a keyword, with its place in the statement.
pub fn after<'a>(node: Node<'a>, keyword: &str, from: usize) -> Option<(&'a str, usize)> {
    let at = (from..node.len()).find(|ix| node.word(*ix) == Some(keyword))?;
    node.word(at + 1).map(|w| (w, at + 1))
}

/// Whether a statement has a word from an index on.
pub fn has_word(node: Node<'_>, word: &str, from: usize) -> bool {
    node.words_from(from).any(|w| w == word)
}
