//! The commands of an export as the router ends up with them: which statement is which command, of which peer or tunnel, and which
//! of several lines for one setting counts.
//!
//! What a command is stands in the grammar (`names.commands`); this file only walks that table. It gives no meaning to any
//! command. A later line replaces an earlier one with the same words; `no` takes it back; both are remembered for proofs.

use crate::dialect::grammar::Grammar;
use crate::source::Span;
use crate::syntax::{Node, Tree};
use foldhash::fast::RandomState as Quick;
use std::collections::HashMap;
use std::sync::OnceLock;

/// A peer (`pp select`): a number, or the one for unnamed callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A numbered peer.
    Number(u32),
    /// `anonymous`.
    Anonymous,
}

impl Peer {
    /// Reads what stands after `pp select`, `pp enable` and the like.
    pub fn parse(word: &str) -> Option<Peer> {
        if word.eq_ignore_ascii_case("anonymous") { Some(Peer::Anonymous) } else { word.parse().ok().map(Peer::Number) }
    }
}

/// What a command speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The router.
    Global,
    /// A peer.
    Pp(Peer),
    /// A tunnel.
    Tunnel(u32),
}

/// A command: a statement, where its arguments begin, and the words that tell it from others of its kind.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// The statement.
    pub node: Node<'a>,
    /// Whether it begins with `no`.
    pub negated: bool,
    /// What it speaks of.
    pub scope: Scope,
    /// The words at the table's placeholders; empty where there are fewer.
    pub keys: [&'a str; 2],
    first: usize,
}

impl<'a> Command<'a> {
    /// An argument: a word after those of the table.
    pub fn arg(&self, ix: usize) -> Option<&'a str> {
        self.node.word(self.first + ix)
    }

    /// An argument, or an empty text.
    pub fn arg_or_empty(&self, ix: usize) -> &'a str {
        self.arg(ix).unwrap_or("")
    }

    /// Where an argument stands; the statement where it is missing.
    pub fn arg_span(&self, ix: usize) -> Span {
        self.node.word_span(self.first + ix)
    }

    /// All arguments with their places.
    pub fn args(&self) -> impl Iterator<Item = (&'a str, Span)> + use<'a> {
        let (node, first) = (self.node, self.first);
        (first..node.len()).map(move |ix| (node.word_or_empty(ix), node.word_span(ix)))
    }

    /// Where the statement stands.
    pub fn span(&self) -> Span {
        self.node.span()
    }

    /// Whether the first argument is this word, whatever its case.
    pub fn is(&self, word: &str) -> bool {
        self.arg(0).is_some_and(|a| a.eq_ignore_ascii_case(word))
    }
}

#[derive(Default)]
struct Trie {
    literal: HashMap<String, Trie, Quick>,
    number: Option<Box<Trie>>,
    interface: Option<Box<Trie>>,
    any: Option<Box<Trie>>,
    command: Option<u32>,
}

impl Trie {
    fn insert(&mut self, words: &[&str], command: u32) {
        let Some((first, rest)) = words.split_first() else {
            self.command = Some(command);
            return;
        };
        let next = match *first {
            "<n>" => self.number.get_or_insert_default(),
            "@" => self.interface.get_or_insert_default(),
            "$" => self.any.get_or_insert_default(),
            word => self.literal.entry(word.to_owned()).or_default(),
        };
        next.insert(rest, command);
    }

    /// The longest command from word `at` on: its number, the word after it, and its keys.
    fn find<'a>(&self, node: Node<'a>, at: usize, keys: [&'a str; 2], used: usize) -> Option<(u32, usize, [&'a str; 2])> {
        let here = self.command.map(|c| (c, at, keys));
        let Some(word) = node.word(at) else { return here };
        let lower;
        let folded = if word.bytes().any(|b| b.is_ascii_uppercase()) {
            lower = word.to_ascii_lowercase();
            lower.as_str()
        } else {
            word
        };
        if let Some(found) = self.literal.get(folded).and_then(|t| t.find(node, at + 1, keys, used)) {
            return Some(found);
        }
        let mut with_key = keys;
        if let Some(slot) = with_key.get_mut(used) {
            *slot = word;
        }
        let number = self.number.as_ref().filter(|_| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()));
        let interface = self.interface.as_ref().filter(|_| is_interface(folded));
        number
            .and_then(|t| t.find(node, at + 1, with_key, used + 1))
            .or_else(|| interface.and_then(|t| t.find(node, at + 1, with_key, used + 1)))
            .or_else(|| self.any.as_ref().and_then(|t| t.find(node, at + 1, with_key, used + 1)))
            .or(here)
    }
}

/// Whether a word names an interface; `pp` and `tunnel` stand for what is selected.
pub fn is_interface(word: &str) -> bool {
    if word == "pp" || word == "tunnel" || word == "null" {
        return true;
    }
    let digits =
        |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.bytes().all(|b| b.is_ascii_digit() || b == b'/' || b == b'.');
    ["lan", "vlan", "wan", "onu", "bri", "pri", "bridge", "loopback", "usb"].iter().any(|p| word.strip_prefix(p).is_some_and(digits))
}

type Key<'a> = (u32, Scope, [&'a str; 2]);

/// The commands of an export.
pub struct Commands<'a> {
    table: &'static HashMap<String, u32, Quick>,
    all: Vec<(u32, Command<'a>)>,
    latest: HashMap<Key<'a>, usize, Quick>,
    by_scope: HashMap<(u32, Scope), Vec<usize>, Quick>,
    by_command: HashMap<u32, Vec<usize>, Quick>,
    deleted: HashMap<Key<'a>, Span, Quick>,
    /// The selections of peers and tunnels, in the order of the text.
    pub selections: Vec<(Scope, Node<'a>)>,
}

/// The grammar's table of commands, looked up by words and by pattern. Made once: a run over a thousand small exports would
/// otherwise spend most of its time here.
struct Table {
    trie: Trie,
    numbers: HashMap<String, u32, Quick>,
}

impl Table {
    fn of(grammar: &Grammar) -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| {
            let mut table = Table { trie: Trie::default(), numbers: HashMap::default() };
            for (ix, pattern) in grammar.names("commands").iter().enumerate() {
                table.trie.insert(&pattern.split(' ').collect::<Vec<_>>(), ix as u32);
                table.numbers.insert(pattern.clone(), ix as u32);
            }
            table
        })
    }
}

impl<'a> Commands<'a> {
    /// Finds the commands of a tree and settles which of them count. Marks them as read.
    pub fn read(tree: &'a Tree<'a>, grammar: &Grammar) -> Commands<'a> {
        let table = Table::of(grammar);
        let trie = &table.trie;
        let mut commands = Commands {
            table: &table.numbers,
            all: Vec::new(),
            latest: HashMap::default(),
            by_scope: HashMap::default(),
            by_command: HashMap::default(),
            deleted: HashMap::default(),
            selections: Vec::new(),
        };
        for node in tree.root().children() {
            match selection(node) {
                Some(scope) => {
                    node.read();
                    commands.selections.push((scope, node));
                    node.children().for_each(|child| commands.add(trie, child, scope));
                }
                None if is_selecting(node) => {
                    node.read();
                }
                None => commands.add(trie, node, Scope::Global),
            }
        }
        for (key, ix) in &commands.latest {
            commands.by_scope.entry((key.0, key.1)).or_default().push(*ix);
            commands.by_command.entry(key.0).or_default().push(*ix);
        }
        commands.by_scope.values_mut().chain(commands.by_command.values_mut()).for_each(|list| list.sort_unstable());
        commands
    }

    fn add(&mut self, trie: &Trie, node: Node<'a>, scope: Scope) {
        let negated = node.word(0).is_some_and(|w| w.eq_ignore_ascii_case("no"));
        let Some((number, first, keys)) = trie.find(node, usize::from(negated), ["", ""], 0) else { return };
        node.read();
        let key = (number, scope, keys);
        let ix = self.all.len();
        self.all.push((number, Command { node, negated, scope, keys, first }));
        if negated {
            self.latest.remove(&key);
            self.deleted.insert(key, node.span());
        } else {
            self.latest.insert(key, ix);
            self.deleted.remove(&key);
        }
    }

    fn number(&self, pattern: &str) -> u32 {
        self.table.get(pattern).copied().unwrap_or(u32::MAX)
    }

    /// The line that counts for a command without keys.
    pub fn one(&self, scope: Scope, pattern: &str) -> Option<Command<'a>> {
        self.keyed(scope, pattern, ["", ""])
    }

    /// The line that counts for a command with these keys.
    pub fn keyed(&self, scope: Scope, pattern: &str, keys: [&'a str; 2]) -> Option<Command<'a>> {
        self.latest.get(&(self.number(pattern), scope, keys)).map(|ix| self.all[*ix].1)
    }

    /// The `no` line that took a setting back, for absences.
    pub fn taken_back(&self, scope: Scope, pattern: &str, keys: [&'a str; 2]) -> Option<Span> {
        self.deleted.get(&(self.number(pattern), scope, keys)).copied()
    }

    /// The lines that count for a command in a scope, in the order of the text.
    pub fn list(&self, scope: Scope, pattern: &str) -> impl Iterator<Item = Command<'a>> {
        self.by_scope.get(&(self.number(pattern), scope)).into_iter().flatten().map(|ix| self.all[*ix].1)
    }

    /// The lines that count for a command in every scope, in the order of the text.
    pub fn everywhere(&self, pattern: &str) -> impl Iterator<Item = Command<'a>> {
        self.by_command.get(&self.number(pattern)).into_iter().flatten().map(|ix| self.all[*ix].1)
    }

    /// Every line of some commands, replaced and negated ones included, in the order of the text, with the position of its pattern.
    pub fn events(&self, patterns: &[&str]) -> Vec<(usize, Command<'a>)> {
        let numbers: Vec<u32> = patterns.iter().map(|p| self.number(p)).collect();
        self.all.iter().filter_map(|(n, c)| numbers.iter().position(|x| x == n).map(|ix| (ix, *c))).collect()
    }

    /// The pattern of the last command, for the question where a text was cut off.
    pub fn last_pattern(&self) -> Option<&str> {
        let last = self.all.last()?.0;
        self.table.iter().find(|(_, n)| **n == last).map(|(p, _)| p.as_str())
    }
}

fn is_selecting(node: Node<'_>) -> bool {
    let is = |ix: usize, w: &str| node.word(ix).is_some_and(|x| x.eq_ignore_ascii_case(w));
    (is(0, "pp") || is(0, "tunnel")) && is(1, "select")
}

fn selection(node: Node<'_>) -> Option<Scope> {
    if !is_selecting(node) {
        return None;
    }
    let argument = node.word_or_empty(2);
    if node.word(0).is_some_and(|w| w.eq_ignore_ascii_case("pp")) {
        Peer::parse(argument).map(Scope::Pp)
    } else {
        argument.parse().ok().map(Scope::Tunnel)
    }
}
