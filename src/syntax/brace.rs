//! The family of curly-brace hierarchies (`name argument { statement value; }`) and of the `set` lines that say the same.
//!
//! Every word is a level of the tree: `unit 0 { family inet; }` and `set … unit 0 family inet` both give `unit`, below it `0`,
//! below it `family`, below it `inet`; members of a `[ list ]` are siblings. So both forms, mixed in one file too, give one tree,
//! a lowering has one way to ask, and a word is a statement with its own place in the text. Words that repeat merge.
//! Inheritance from groups is written out before anybody asks, with the places of the group's lines.
//! What is switched off stays in the tree below a level [`INACTIVE`], where no path of live statements leads.

mod inherit;
mod lexer;
mod trie;

use super::tree::{Mark, Node, NodeId, Tree, Word};
use crate::source::FileId;
use serde::Deserialize;
use std::ops::Range;
use trie::Trie;

/// The level above a statement that is switched off (`inactive:` or a `deactivate` line).
pub const INACTIVE: &str = "inactive:";
/// The level above a statement that a later line deleted or replaced.
pub const DELETED: &str = "delete:";

/// What products of this family differ in; `[syntax]` of the grammar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Statements whose rows each hold a configuration of their own (`groups`, `logical-systems`).
    #[serde(default)]
    pub wrappers: Vec<String>,
    /// Statements that hold one value: a later line takes the place of the value, and an inherited one gives way to it.
    #[serde(default)]
    pub single: Vec<String>,
    /// Words before a statement that say nothing about its meaning (`protect:`).
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// Statements that stand side by side at one level and may follow one another on one `set` line.
    #[serde(default)]
    pub beside: Vec<Beside>,
    /// Beginnings of lines at the top that belong to the terminal.
    #[serde(default)]
    pub noise: Vec<String>,
    /// Inheritance from groups, where the product has it.
    #[serde(default)]
    pub inherit: Option<Inherit>,
}

/// Statements of one level that a `set` line may name one after the other (`match source-address A application B`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// The level they stand at.
    pub level: String,
    /// Their names; each is followed by one value.
    pub names: Vec<String>,
}

/// Inheritance: `groups { name { … } }` and `apply-groups [ name ]` at any level.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inherit {
    /// The statement at the top that holds the groups.
    pub groups: String,
    /// The statement that applies them to the level it stands at, first group first.
    pub apply: String,
    /// The statement that keeps groups away from the level it stands at.
    pub except: String,
    /// The name that stands for the group of the node at hand.
    pub node: String,
    /// The groups that name may mean, in the order they are taken.
    pub nodes: Vec<String>,
}

/// Reads one export.
pub fn parse<'t>(file: FileId, text: &'t str, range: Range<usize>, parameters: &Parameters) -> Tree<'t> {
    let mut tree = Tree::new(file, text);
    let mut trie = Trie::new(parameters);
    lexer::read(&mut tree, &mut trie, text, range, parameters);
    if let Some(rules) = &parameters.inherit
        && let Some(place) = inherit::expand(&mut trie, rules)
    {
        tree.problem(place, "too_much_inherited");
    }
    emit(&trie, &mut tree);
    tree
}

/// Writes the levels down in such an order that what stands below a level follows it at once.
fn emit<'t>(trie: &Trie<'t>, tree: &mut Tree<'t>) {
    let mut ids: Vec<NodeId> = vec![NodeId::ROOT; trie.len()];
    let mut stack: Vec<(u32, NodeId)> = trie.children(0).iter().rev().map(|c| (*c, NodeId::ROOT)).collect();
    while let Some((twig, parent)) = stack.pop() {
        let words = trie.words(twig);
        let id = tree.push(parent, words);
        tree.close(id, trie.end(twig));
        ids[twig as usize] = id;
        stack.extend(trie.children(twig).iter().rev().map(|c| (*c, id)));
    }
    tree.repeats(trie.again().map(|(twig, place)| (ids[twig as usize], place)));
}

/// Whether a level is one of those that only say that what stands below is not in force.
pub fn is_mark(node: Node<'_>) -> bool {
    matches!(node.word(0), Some(INACTIVE | DELETED))
}

/// The levels in force directly below one; does not mark them.
pub fn below<'a>(node: Node<'a>) -> impl Iterator<Item = Node<'a>> {
    node.children().filter(|n| !is_mark(*n))
}

/// The level of that name directly below one, marked as read.
pub fn child<'a>(node: Node<'a>, name: &str) -> Option<Node<'a>> {
    node.children().find(|n| n.word(0) == Some(name)).map(Node::read)
}

/// The level at the end of a path below one, everything on the way marked as read.
pub fn at<'a>(node: Node<'a>, path: &[&str]) -> Option<Node<'a>> {
    path.iter().try_fold(node, |n, name| child(n, name))
}

/// The rows at the end of a path (`interfaces` → each interface; `name-server` → each server), marked as read.
pub fn rows<'a>(node: Node<'a>, path: &[&str]) -> Vec<Node<'a>> {
    at(node, path).map(|n| below(n).map(Node::read).collect()).unwrap_or_default()
}

/// The value of a statement (`mode main;` → `main`): the first level below it, marked as read.
pub fn value<'a>(node: Node<'a>, path: &[&str]) -> Option<Node<'a>> {
    at(node, path).and_then(|n| below(n).next()).map(Node::read)
}

/// The rows of a name that are switched off, each with the word that switches it off: `inactive: policy A` as well as a line
/// `deactivate … policy A`. Everything below them is marked as read.
pub fn inactive<'a>(node: Node<'a>, name: &str) -> Vec<(Node<'a>, Node<'a>)> {
    let mut out = Vec::new();
    let marks = |n: Node<'a>| n.children().filter(|c| c.word(0) == Some(INACTIVE));
    for mark in marks(node) {
        for keyword in mark.children().filter(|n| n.word(0) == Some(name)) {
            out.extend(below(keyword).map(|row| (row, mark)));
        }
    }
    for keyword in node.children().filter(|n| n.word(0) == Some(name)) {
        for mark in marks(keyword) {
            out.extend(below(mark).map(|row| (row, mark)));
        }
    }
    for (row, mark) in &out {
        mark.read();
        row.mark_below(Mark::Read);
        row.parent().map(Node::read);
    }
    out
}

/// The first level of that name anywhere below, for statements that one form writes on one line and another splits
/// (`address-range low A high B`). Marks what leads there as read.
pub fn find_below<'a>(node: Node<'a>, name: &str) -> Option<Node<'a>> {
    let mut stack: Vec<Node<'a>> = below(node).collect();
    stack.reverse();
    while let Some(at) = stack.pop() {
        if at.word(0) == Some(name) {
            let mut up = Some(at.read());
            while let Some(n) = up.filter(|n| *n != node) {
                up = n.read().parent();
            }
            return Some(at);
        }
        let mut inner: Vec<Node<'a>> = below(at).collect();
        inner.reverse();
        stack.extend(inner);
    }
    None
}

#[cfg(test)]
mod tests;
