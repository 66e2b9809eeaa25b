//! The nested-block family: `config <path>` … `end`, `edit <key>` … `next`, `set <attribute> <values>`.
//!
//! Nesting comes from the words alone, never from indentation. A damaged file loses as little as possible: an `edit` without
//! `next`, a section without `end` and a quote without its partner end where the next statement begins.
//! [`Section`] and [`Row`] are the query interface: they merge repeated sections, let later lines win, and mark what is read.

use super::lex::{block_word, block_words};
use super::tree::{Node, NodeId, Tree, Word};
use crate::source::{FileId, Span};
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::Range;

/// What products of this family differ in; `[syntax]` of the grammar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// First words of sections that stand only at the top: one of them inside another section means that an `end` is missing.
    pub top: Vec<String>,
    /// Sections that hold other sections at their top (`vdom`, `global`).
    pub wrappers: Vec<String>,
    /// Attributes whose quoted value may run over lines.
    pub multiline: Vec<String>,
}

const STATEMENTS: [&str; 12] =
    ["set", "unset", "append", "select", "unselect", "next", "end", "edit", "config", "delete", "move", "rename"];

fn first_word(line: &str) -> &str {
    line.split([' ', '\t', '\r']).next().unwrap_or("")
}

/// Reads one export.
pub fn parse<'t>(file: FileId, text: &'t str, range: Range<usize>, parameters: &Parameters) -> Tree<'t> {
    Parser { tree: Tree::new(file, text), stack: Vec::new(), parameters, words: Vec::new() }.run(range)
}

struct Open {
    id: NodeId,
    is_edit: bool,
    wrapper: bool,
}

struct Parser<'t, 'p> {
    tree: Tree<'t>,
    stack: Vec<Open>,
    parameters: &'p Parameters,
    words: Vec<Word<'t>>,
}

/// Deeper nesting than any product has; what lies below is kept flat so that nothing recurses without bound.
const DEPTH: usize = 32;

impl<'t> Parser<'t, '_> {
    fn run(mut self, range: Range<usize>) -> Tree<'t> {
        let text = self.tree.text();
        let mut at = range.start;
        while at < range.end {
            let end = memchr::memchr(b'\n', &text.as_bytes()[at..range.end]).map_or(range.end, |n| at + n);
            let line = text[at..end].trim_start_matches([' ', '\t']).trim_end_matches(['\r', ' ', '\t']);
            let next = end + 1;
            at = next;
            if line.is_empty() {
                continue;
            }
            if line.starts_with('#') {
                self.tree.comment(line);
                continue;
            }
            match first_word(line) {
                "set" | "unset" | "append" | "select" | "unselect" => at = self.attribute(line, end, range.end).max(next),
                "config" => self.open(line, false),
                "edit" => self.open(line, true),
                "next" => self.close_edit(line, end),
                "end" => self.close_config(line, end),
                _ => self.leaf(line),
            }
        }
        while let Some(open) = self.stack.pop() {
            self.tree.close(open.id, range.end);
        }
        self.tree
    }

    fn here(&self) -> NodeId {
        self.stack.last().map_or(NodeId::ROOT, |o| o.id)
    }

    fn lex(&mut self, line: &'t str) {
        self.words.clear();
        block_words(line, &mut self.words);
        // A bare word that begins with `#` after the first value is a hand-written trailing comment: the box prints none.
        if let Some(cut) = self.words.iter().skip(3).position(|w| !w.quoted && w.raw.starts_with('#')) {
            self.words.truncate(cut + 3);
        } else if self.words.len() > 2 && self.words[0].raw == "edit" && self.words[2].raw.starts_with('#') {
            self.words.truncate(2);
        }
    }

    fn leaf(&mut self, line: &'t str) {
        self.lex(line);
        let words = std::mem::take(&mut self.words);
        self.tree.push(self.here(), words);
    }

    fn open(&mut self, line: &'t str, is_edit: bool) {
        self.lex(line);
        let head = self.words.get(1).map_or("", |w| w.raw);
        if is_edit {
            // Two rows without `next` between them.
            if self.stack.last().is_some_and(|o| o.is_edit) {
                self.tree.problem(line, "missing_next");
                self.stack.pop();
            }
        } else if self.words.len() > 2 && self.parameters.top.iter().any(|t| t == head) {
            let inside = self
                .stack
                .iter()
                .rposition(|o| o.wrapper)
                .map_or(0, |ix| ix + 1 + usize::from(self.stack.get(ix + 1).is_some_and(|o| o.is_edit)));
            if self.stack.len() > inside {
                self.tree.problem(line, "missing_end");
                self.stack.truncate(inside);
            }
        }
        let wrapper = !is_edit && self.words.len() == 2 && self.parameters.wrappers.iter().any(|w| w == head);
        let words = std::mem::take(&mut self.words);
        let id = self.tree.push(self.here(), words);
        if self.stack.len() < DEPTH {
            self.stack.push(Open { id, is_edit, wrapper });
        } else {
            self.tree.problem(line, "too_deep");
        }
    }

    fn close_edit(&mut self, line: &'t str, end: usize) {
        if self.stack.last().is_some_and(|o| o.is_edit) {
            if let Some(open) = self.stack.pop() {
                self.tree.close(open.id, end);
            }
        } else if self.stack.iter().any(|o| o.is_edit) {
            // A nested section without `end`: the row it stands in ends here.
            self.tree.problem(line, "missing_end");
            while let Some(open) = self.stack.pop() {
                self.tree.close(open.id, end);
                if open.is_edit {
                    break;
                }
            }
        } else {
            self.tree.problem(line, "stray_next");
        }
    }

    /// Closes the innermost section, and a row that is still open inside it: the body of a virtual domain ends that way.
    fn close_config(&mut self, line: &'t str, end: usize) {
        if self.stack.is_empty() {
            self.tree.problem(line, "stray_end");
        }
        while let Some(open) = self.stack.pop() {
            self.tree.close(open.id, end);
            if !open.is_edit {
                break;
            }
        }
    }

    /// Reads an attribute; gives the offset at which the next line begins, beyond `end` when its value runs over lines.
    fn attribute(&mut self, line: &'t str, end: usize, limit: usize) -> usize {
        self.lex(line);
        let open = self.words.last().filter(|w| w.quoted && w.raw.as_ptr() as usize + w.raw.len() == line.as_ptr() as usize + line.len());
        let unclosed =
            open.is_some_and(|w| w.raw.as_ptr() > line.as_ptr() && !line.ends_with('\'')).then(|| self.words.last().map_or("", |w| w.raw));
        let mut next = end + 1;
        if let Some(body) = unclosed {
            let text = self.tree.text();
            let from = Span::of(self.tree.file(), text, body).start as usize;
            let name = self.words.get(1).map_or("", |w| w.raw);
            let free = self.parameters.multiline.iter().any(|m| m == name);
            match closing_quote(&text[from..limit], free) {
                Some(length) => {
                    let value = &text[from.saturating_sub(1)..from + length + 1];
                    self.words.pop();
                    if let Ok((_, word)) = block_word(value) {
                        self.words.push(word);
                    }
                    let after = from + length + 1;
                    let line_end = memchr::memchr(b'\n', &text.as_bytes()[after..limit]).map_or(limit, |n| after + n);
                    block_words(&text[after..line_end], &mut self.words);
                    next = line_end + 1;
                }
                None => self.tree.problem(line, "unclosed_quote"),
            }
        }
        let words = std::mem::take(&mut self.words);
        self.tree.push(self.here(), words);
        next
    }
}

/// Length of a quoted value that was not closed on its line. `free` values run to the next quote; others only while the lines
/// do not look like statements, so that one missing quote does not swallow the file.
fn closing_quote(body: &str, free: bool) -> Option<usize> {
    let mut escaped = false;
    let mut at_line_start = false;
    for (at, c) in body.char_indices() {
        if at_line_start && !free {
            let line = body[at..].lines().next().unwrap_or("").trim_start();
            let word = first_word(line);
            if STATEMENTS.contains(&word) && (matches!(word, "next" | "end") || line.len() > word.len()) {
                return None;
            }
        }
        at_line_start = c == '\n';
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' {
            return Some(at);
        }
    }
    None
}

/// The sections of one scope (a whole export, its global part, or a virtual domain), by path.
pub struct Scope<'a> {
    sections: HashMap<String, Vec<Node<'a>>>,
    /// The node the sections stand below.
    pub node: Node<'a>,
}

impl<'a> Scope<'a> {
    /// Indexes the sections directly below a node.
    pub fn new(node: Node<'a>) -> Scope<'a> {
        Scope::over(node, [node])
    }

    /// Indexes the sections directly below several nodes as one scope (the same virtual domain opened twice).
    pub fn over(node: Node<'a>, parts: impl IntoIterator<Item = Node<'a>>) -> Scope<'a> {
        let mut sections: HashMap<String, Vec<Node<'a>>> = HashMap::new();
        for child in parts.into_iter().flat_map(Node::children) {
            if child.word(0) == Some("config") {
                let path: Vec<&str> = child.words_from(1).collect();
                sections.entry(path.join(" ")).or_default().push(child);
            }
        }
        Scope { sections, node }
    }

    /// The section of that path, marked as read; `None` when the export has none.
    pub fn section(&self, path: &str) -> Option<Section<'a>> {
        self.sections.get(path).map(|nodes| {
            nodes.iter().for_each(|n| {
                n.read();
            });
            Section { nodes: nodes.clone() }
        })
    }

    /// Every section, in no particular order. Does not mark them.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'a>> {
        self.sections.values().flatten().copied()
    }

    /// Whether the export has a section of that path. Does not mark it.
    pub fn has(&self, path: &str) -> bool {
        self.sections.contains_key(path)
    }
}

/// A section or a row: every place where it stands, read as one.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    nodes: Vec<Node<'a>>,
}

/// A row of a table; the same queries as a section.
pub type Row<'a> = Section<'a>;

/// An attribute line.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// The line.
    pub node: Node<'a>,
}

impl<'a> Section<'a> {
    /// A view of one node.
    pub fn of(node: Node<'a>) -> Section<'a> {
        Section { nodes: vec![node.read()] }
    }

    /// The line that opens it (the first, if it stands several times).
    pub fn span(&self) -> Span {
        self.nodes.first().map_or(Span { file: FileId(0), start: 0, end: 0 }, |n| n.span())
    }

    /// The key of a row (`edit <key>`), without quotes.
    pub fn key(&self) -> &'a str {
        self.nodes.first().and_then(|n| n.word(1)).unwrap_or("")
    }

    /// The attribute of that name as the last line that speaks of it leaves it; `None` when there is none or an `unset` is last.
    pub fn get(&self, name: &str) -> Option<Attribute<'a>> {
        let mut found = None;
        for node in self.nodes.iter().flat_map(|n| n.children()) {
            if node.word(1) == Some(name) {
                match node.word(0) {
                    Some("set") => found = Some(Attribute { node: node.read() }),
                    Some("unset") => {
                        node.read();
                        found = None;
                    }
                    _ => {}
                }
            }
        }
        found
    }

    /// First value of an attribute.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(|a| a.node.word(2))
    }

    /// Every statement directly below in order, not marked: for lowerings that index a row once.
    pub fn statements(&self) -> impl Iterator<Item = Node<'a>> {
        self.nodes.iter().flat_map(|n| n.children())
    }

    /// Every attribute line in order, `set` only, not marked: for lowerings that walk a row once.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> {
        self.nodes.iter().flat_map(|n| n.children()).filter(|n| n.word(0) == Some("set")).map(|node| Attribute { node })
    }

    /// The rows of a table in order of first mention; rows with the same key are one. Marks their `edit` lines as read.
    pub fn rows(&self) -> Vec<Row<'a>> {
        let mut order: Vec<Row<'a>> = Vec::new();
        let mut by_key: HashMap<&'a str, usize> = HashMap::new();
        for node in self.nodes.iter().flat_map(|n| n.children()).filter(|n| n.word(0) == Some("edit")) {
            node.read();
            match by_key.entry(node.word_or_empty(1)) {
                std::collections::hash_map::Entry::Occupied(e) => order[*e.get()].nodes.push(node),
                std::collections::hash_map::Entry::Vacant(e) => {
                    e.insert(order.len());
                    order.push(Section { nodes: vec![node] });
                }
            }
        }
        order
    }

    /// A section nested in this one.
    pub fn section(&self, path: &str) -> Option<Section<'a>> {
        let nodes: Vec<Node<'a>> = self
            .nodes
            .iter()
            .flat_map(|n| n.children())
            .filter(|n| n.word(0) == Some("config") && n.words_from(1).eq(path.split(' ')))
            .map(Node::read)
            .collect();
        (!nodes.is_empty()).then_some(Section { nodes })
    }
}

impl<'a> Attribute<'a> {
    /// Name.
    pub fn name(self) -> &'a str {
        self.node.word_or_empty(1)
    }

    /// First value.
    pub fn value(self) -> &'a str {
        self.node.word_or_empty(2)
    }

    /// All values.
    pub fn values(self) -> impl Iterator<Item = &'a str> {
        self.node.words_from(2)
    }

    /// All values with their places.
    pub fn spanned_values(self) -> impl Iterator<Item = (&'a str, Span)> {
        let node = self.node;
        (2..node.len()).map(move |ix| (node.word_or_empty(ix), node.word_span(ix)))
    }

    /// The line.
    pub fn span(self) -> Span {
        self.node.span()
    }

    /// Marks the line as read.
    pub fn read(self) -> Attribute<'a> {
        self.node.read();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        Parameters { top: list(&["system", "firewall"]), wrappers: list(&["vdom", "global"]), multiline: list(&["buffer"]) }
    }
    fn parsed(text: &str) -> Tree<'_> {
        parse(FileId(0), text, 0..text.len(), &parameters())
    }

    #[test]
    fn sections_rows_and_attributes() {
        let tree = parsed("config system interface\n    edit \"wan1\"\n        set ip 192.0.2.1 255.255.255.0\n    next\nend\n");
        let scope = Scope::new(tree.root());
        let rows = scope.section("system interface").expect("section").rows();
        assert_eq!(rows[0].key(), "wan1");
        assert_eq!(rows[0].get("ip").expect("ip").values().collect::<Vec<_>>(), ["192.0.2.1", "255.255.255.0"]);
        assert!(tree.problems.is_empty());
    }

    #[test]
    fn the_body_of_a_virtual_domain_ends_with_one_end() {
        let tree = parsed(
            "config vdom\nedit root\nconfig system settings\nend\nconfig firewall policy\nedit 1\nnext\nend\nend\nconfig global\nconfig system global\nset hostname x\nend\nend\n",
        );
        let top: Vec<String> = tree.root().children().map(|n| n.words_from(0).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(top, ["config vdom", "config global"]);
        assert!(tree.problems.is_empty());
    }

    #[test]
    fn a_missing_end_loses_nothing_that_follows() {
        let tree = parsed("config system interface\nedit a\nset x 1\nconfig firewall policy\nedit 1\nset y 2\nnext\nend\n");
        let scope = Scope::new(tree.root());
        assert_eq!(scope.section("firewall policy").expect("policy").rows()[0].value("y"), Some("2"));
        assert_eq!(tree.problems.len(), 1);
    }

    #[test]
    fn a_missing_end_inside_a_virtual_domain_stays_inside_it() {
        let tree = parsed("config vdom\nedit root\nconfig system settings\nset a 1\nconfig firewall policy\nedit 1\nnext\nend\nend\n");
        let vdom = tree.root().children().next().expect("vdom").children().next().expect("root");
        assert!(Scope::new(vdom).has("firewall policy"));
    }

    #[test]
    fn values_may_run_over_lines_and_hide_statements() {
        let text = "config system x\nset buffer \"<html>\nend\nnext\n\\\" more\"\nset y 1\nend\nconfig system y\nend\n";
        let tree = parsed(text);
        let scope = Scope::new(tree.root());
        let section = scope.section("system x").expect("x");
        assert_eq!(section.value("buffer"), Some("<html>\nend\nnext\n\" more"));
        assert_eq!(section.value("y"), Some("1"));
        assert!(scope.has("system y"));
    }

    #[test]
    fn a_quote_without_partner_ends_at_the_newline() {
        let tree = parsed("config system x\nset name \"abc\nset y 1\nend\nconfig system y\nset z \"1\"\nend\n");
        let scope = Scope::new(tree.root());
        assert_eq!(scope.section("system x").expect("x").value("name"), Some("abc"));
        assert_eq!(scope.section("system x").expect("x").value("y"), Some("1"));
        assert_eq!(scope.section("system y").expect("y").value("z"), Some("1"));
        assert_eq!(tree.problems.len(), 1);
    }

    #[test]
    fn a_comment_text_may_run_over_lines_when_it_looks_like_text() {
        let tree = parsed("config system x\nset description \"first\nsecond line\"\nset y 1\nend\n");
        let section = Scope::new(tree.root()).section("system x").expect("x");
        assert_eq!(section.value("description"), Some("first\nsecond line"));
        assert_eq!(section.value("y"), Some("1"));
    }

    #[test]
    fn later_lines_win_and_repeated_sections_merge() {
        let tree = parsed("config system x\nset a 1\nset a 2\nend\nconfig system x\nset b 3\nunset a\nend\n");
        let section = Scope::new(tree.root()).section("system x").expect("x");
        assert_eq!(section.value("a"), None);
        assert_eq!(section.value("b"), Some("3"));
    }

    #[test]
    fn trailing_comments_are_no_values() {
        let tree = parsed("config system x\nset allowaccess ping http # FLAW: open\nset alias #1\nend\n");
        let section = Scope::new(tree.root()).section("system x").expect("x");
        assert_eq!(section.get("allowaccess").expect("line").values().collect::<Vec<_>>(), ["ping", "http"]);
        assert_eq!(section.value("alias"), Some("#1"));
    }
}
