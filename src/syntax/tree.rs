//! The tree that every syntax family gives: statements made of words, with statements below them.
//!
//! Words are slices of the text (only words with escapes are copied), nodes are rows of a table. Reading a node through
//! the query interface marks it; what nobody marked is what the dialect did not understand, so coverage falls out of the work.

use crate::source::{FileId, Span};
use std::cell::Cell;

/// How a statement was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nobody looked at it.
    Unseen,
    /// The grammar names it as irrelevant.
    Irrelevant,
    /// A dialect read it.
    Read,
}

/// A place where the parser had to recover.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// Key of the sentence in `texts/problems.toml`.
    pub code: &'static str,
}

/// A word in the table: where its content lies (without quotes), and whether its text had to be rewritten.
#[derive(Clone, Copy, Debug)]
struct WordRow {
    start: u32,
    end: u32,
    /// Index into `cooked` plus one; zero for a plain slice.
    cooked: u32,
    quoted: bool,
}

#[derive(Clone, Copy, Debug)]
struct NodeRow {
    first_word: u32,
    words: u32,
    parent: u32,
    first_child: u32,
    next_sibling: u32,
    /// Where the statement with everything below it ends.
    end: u32,
}

const NONE: u32 = u32::MAX;

/// A word as the lexer found it.
#[derive(Clone, Debug)]
pub struct Word<'t> {
    /// Its content as it stands in the text, without quotes.
    pub raw: &'t str,
    /// Its content with escapes undone, if that differs.
    pub cooked: Option<String>,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

/// The statements of one export. See the module text.
#[derive(Debug)]
pub struct Tree<'t> {
    file: FileId,
    text: &'t str,
    words: Vec<WordRow>,
    cooked: Vec<Box<str>>,
    nodes: Vec<NodeRow>,
    last_child: Vec<u32>,
    marks: Vec<Cell<Mark>>,
    /// Further places of statements that the text repeats, by statement.
    again: Vec<(u32, Span)>,
    /// Comment lines, for headers.
    pub comments: Vec<Span>,
    /// Where the parser had to recover.
    pub problems: Vec<Problem>,
}

/// Index of a node, for builders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(u32);

impl NodeId {
    /// The root, which has no words.
    pub const ROOT: NodeId = NodeId(0);
}

impl<'t> Tree<'t> {
    /// An empty tree over a text.
    pub fn new(file: FileId, text: &'t str) -> Tree<'t> {
        let root = NodeRow { first_word: 0, words: 0, parent: NONE, first_child: NONE, next_sibling: NONE, end: 0 };
        Tree {
            file,
            text,
            words: Vec::with_capacity(text.len() / 8),
            cooked: Vec::new(),
            nodes: vec![root],
            last_child: vec![NONE],
            marks: vec![Cell::new(Mark::Read)],
            again: Vec::new(),
            comments: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Adds a statement below `parent`.
    pub fn push(&mut self, parent: NodeId, words: impl IntoIterator<Item = Word<'t>>) -> NodeId {
        let first_word = self.words.len() as u32;
        for word in words {
            let span = Span::of(self.file, self.text, word.raw);
            let cooked = match word.cooked {
                Some(text) => {
                    self.cooked.push(text.into());
                    self.cooked.len() as u32
                }
                None => 0,
            };
            self.words.push(WordRow { start: span.start, end: span.end, cooked, quoted: word.quoted });
        }
        let id = self.nodes.len() as u32;
        let count = self.words.len() as u32 - first_word;
        let end = self.words.last().map_or(0, |w| w.end);
        self.nodes.push(NodeRow { first_word, words: count, parent: parent.0, first_child: NONE, next_sibling: NONE, end });
        self.last_child.push(NONE);
        self.marks.push(Cell::new(Mark::Unseen));
        let before = std::mem::replace(&mut self.last_child[parent.0 as usize], id);
        if before == NONE {
            self.nodes[parent.0 as usize].first_child = id;
        } else {
            self.nodes[before as usize].next_sibling = id;
        }
        NodeId(id)
    }

    /// Records where a statement with everything below it ends.
    pub fn close(&mut self, id: NodeId, end: usize) {
        let row = &mut self.nodes[id.0 as usize];
        row.end = row.end.max(end as u32);
    }

    /// Notes where else the text says the statements of a family that merges what is repeated. All at once, after the last push.
    pub fn repeats(&mut self, places: impl IntoIterator<Item = (NodeId, &'t str)>) {
        let (file, text) = (self.file, self.text);
        self.again = places.into_iter().map(|(id, slice)| (id.0, Span::of(file, text, slice))).collect();
        self.again.sort_unstable();
    }

    /// The parent of a node under construction.
    pub fn parent_of(&self, id: NodeId) -> NodeId {
        NodeId(self.nodes[id.0 as usize].parent.min(self.nodes.len() as u32))
    }

    /// Notes a place where the parser had to recover.
    pub fn problem(&mut self, slice: &'t str, code: &'static str) {
        self.problems.push(Problem { span: Span::of(self.file, self.text, slice), code });
    }

    /// Notes a comment line.
    pub fn comment(&mut self, slice: &'t str) {
        self.comments.push(Span::of(self.file, self.text, slice));
    }

    /// The text the tree was read from.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The file the tree was read from.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// The root, above all statements.
    pub fn root(&self) -> Node<'_> {
        Node { tree: self, id: 0 }
    }

    /// The node of an id.
    pub fn node(&self, id: NodeId) -> Node<'_> {
        Node { tree: self, id: id.0 }
    }

    /// Every statement in the order of the text, the root left out.
    pub fn statements(&self) -> impl Iterator<Item = Node<'_>> {
        (1..self.nodes.len() as u32).map(|id| Node { tree: self, id })
    }
}

/// A statement. Copy it freely: it is a reference into the tree.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    tree: &'a Tree<'a>,
    id: u32,
}

impl std::fmt::Debug for Node<'_> {
    /// Shows the place only: words may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({:?})", self.span())
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && std::ptr::eq(self.tree, other.tree)
    }
}

impl<'a> Node<'a> {
    fn row(self) -> NodeRow {
        self.tree.nodes[self.id as usize]
    }

    fn word_row(self, ix: usize) -> Option<WordRow> {
        let row = self.row();
        if ix >= row.words as usize { None } else { self.tree.words.get(row.first_word as usize + ix).copied() }
    }

    /// How many words the statement has.
    pub fn len(self) -> usize {
        self.row().words as usize
    }

    /// Whether the statement has no words (the root).
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// A word, escapes undone.
    pub fn word(self, ix: usize) -> Option<&'a str> {
        let row = self.word_row(ix)?;
        match row.cooked {
            0 => self.tree.text.get(row.start as usize..row.end as usize),
            n => self.tree.cooked.get(n as usize - 1).map(AsRef::as_ref),
        }
    }

    /// A word, or an empty text when the statement is shorter.
    pub fn word_or_empty(self, ix: usize) -> &'a str {
        self.word(ix).unwrap_or("")
    }

    /// The words from an index on.
    pub fn words_from(self, ix: usize) -> impl Iterator<Item = &'a str> {
        (ix..self.len()).map(move |i| self.word_or_empty(i))
    }

    /// Where a word's content stands; the whole statement when it is shorter.
    pub fn word_span(self, ix: usize) -> Span {
        match self.word_row(ix) {
            Some(row) => Span { file: self.tree.file, start: row.start, end: row.end },
            None => self.span(),
        }
    }

    /// Whether a word stood in quotes.
    pub fn is_quoted(self, ix: usize) -> bool {
        self.word_row(ix).is_some_and(|w| w.quoted)
    }

    /// Where the statement itself stands: its first word to its last, quotes included.
    pub fn span(self) -> Span {
        let file = self.tree.file;
        match (self.word_row(0), self.word_row(self.len().saturating_sub(1))) {
            (Some(first), Some(last)) => {
                Span { file, start: first.start - u32::from(first.quoted), end: last.end + u32::from(last.quoted) }
            }
            _ => Span { file, start: 0, end: 0 },
        }
    }

    /// Where the statement and everything below it stand.
    pub fn full_span(self) -> Span {
        let span = self.span();
        Span { end: self.row().end.max(span.end), ..span }
    }

    /// Further places where the text says the statement.
    pub fn other_places(self) -> impl Iterator<Item = Span> + 'a {
        let again = &self.tree.again;
        let first = again.partition_point(|(id, _)| *id < self.id);
        again[first..].iter().take_while(move |(id, _)| *id == self.id).map(|(_, span)| *span)
    }

    /// Whether the statement begins with these words.
    pub fn starts(self, words: &[&str]) -> bool {
        words.len() <= self.len() && words.iter().enumerate().all(|(ix, w)| self.word(ix) == Some(w))
    }

    /// The statement it stands below; `None` for the root.
    pub fn parent(self) -> Option<Node<'a>> {
        let id = self.row().parent;
        (id != NONE).then_some(Node { tree: self.tree, id })
    }

    /// The statements directly below. Does not mark them.
    pub fn children(self) -> Children<'a> {
        Children { tree: self.tree, next: self.row().first_child }
    }

    /// Marks the statement as read and gives it back.
    pub fn read(self) -> Node<'a> {
        self.tree.marks[self.id as usize].set(Mark::Read);
        self
    }

    /// Marks the statement and everything below it, where nobody marked it before.
    pub fn mark_below(self, mark: Mark) {
        self.mark_if_unseen(mark);
        // Nodes below stand after their parent and end where the next node that is not below begins.
        for id in self.id + 1..self.tree.nodes.len() as u32 {
            let node = Node { tree: self.tree, id };
            if !node.is_below(self.id) {
                break;
            }
            node.mark_if_unseen(mark);
        }
    }

    /// Marks the statement where nobody marked it before.
    pub fn mark_if_unseen(self, mark: Mark) {
        let cell = &self.tree.marks[self.id as usize];
        if cell.get() == Mark::Unseen {
            cell.set(mark);
        }
    }

    fn is_below(self, ancestor: u32) -> bool {
        let mut id = self.row().parent;
        while id != NONE && id > ancestor {
            id = self.tree.nodes[id as usize].parent;
        }
        id == ancestor
    }

    /// How the statement was dealt with.
    pub fn mark(self) -> Mark {
        self.tree.marks[self.id as usize].get()
    }

    /// A number that orders the tree's nodes as in the text and tells them apart.
    pub fn index(self) -> usize {
        self.id as usize
    }
}

/// Iterator over the statements directly below one.
#[derive(Clone)]
pub struct Children<'a> {
    tree: &'a Tree<'a>,
    next: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;
    fn next(&mut self) -> Option<Node<'a>> {
        if self.next == NONE {
            return None;
        }
        let node = Node { tree: self.tree, id: self.next };
        self.next = node.row().next_sibling;
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(raw: &str) -> Word<'_> {
        Word { raw, cooked: None, quoted: false }
    }

    #[test]
    fn marks_reach_exactly_what_stands_below() {
        let text = "a b c d";
        let mut tree = Tree::new(FileId(0), text);
        let a = tree.push(NodeId::ROOT, [word(&text[0..1])]);
        tree.push(a, [word(&text[2..3])]);
        let c = tree.push(NodeId::ROOT, [word(&text[4..5])]);
        tree.push(c, [word(&text[6..7])]);
        tree.node(a).mark_below(Mark::Irrelevant);
        let marks: Vec<Mark> = tree.statements().map(Node::mark).collect();
        assert_eq!(marks, [Mark::Irrelevant, Mark::Irrelevant, Mark::Unseen, Mark::Unseen]);
        assert_eq!(tree.root().children().count(), 2);
        assert_eq!(tree.node(c).word(0), Some("c"));
    }
}
