//! The export's menus by path, each with its commands in order, and the attributes of a command by key.
//!
//! Asking for a menu marks its statements as read, asking for an attribute marks the attribute: what nobody asks for stays
//! unrecognised. A key given twice counts as its last value.

use crate::dialect::grammar::{Grammar, SyntaxTable};
use crate::source::Span;
use crate::syntax::{Node, Tree};
use std::collections::HashMap;

/// A value, its key, and where it stands.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// The attribute's name.
    pub key: &'a str,
    /// The value, quotes and escapes undone.
    pub text: &'a str,
    /// The value's place.
    pub span: Span,
}

impl<'a> Value<'a> {
    /// The value without a leading `!`, and whether it had one.
    pub fn negated(self) -> (Value<'a>, bool) {
        match self.text.strip_prefix('!') {
            Some(text) => (Value { text, ..self }, true),
            None => (self, false),
        }
    }

    /// The parts of a list.
    pub fn parts(self) -> impl Iterator<Item = &'a str> {
        self.text.split(',').map(str::trim).filter(|p| !p.is_empty())
    }
}

/// A command of a menu.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    node: Node<'a>,
}

impl<'a> Item<'a> {
    /// The line that begins the command.
    pub fn span(&self) -> Span {
        self.node.span()
    }

    /// `add`, `set` ...
    pub fn verb(&self) -> &'a str {
        self.node.word_or_empty(0)
    }

    /// The attribute of a key, an empty value included.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let mut last = None;
        for node in self.node.children().filter(|n| n.word(0) == Some(key)) {
            last = Some(node.read());
        }
        let node = last?;
        Some(Value { key: node.word_or_empty(0), text: node.word_or_empty(1), span: node.word_span(1) })
    }

    /// The attribute of a key; an empty value is none.
    pub fn text(&self, key: &str) -> Option<Value<'a>> {
        self.get(key).filter(|v| !v.text.is_empty())
    }

    /// All attributes, marked as read one by one by whoever understands them.
    pub fn attributes(&self) -> impl Iterator<Item = (Node<'a>, Value<'a>)> + use<'a> {
        self.node.children().map(|n| (n, Value { key: n.word_or_empty(0), text: n.word_or_empty(1), span: n.word_span(1) }))
    }

    /// The words that say what `set` speaks of, brackets and `find` left out.
    pub fn targets(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.node.words_from(1).filter(|w| !matches!(*w, "[" | "]" | "find" | "where"))
    }

    /// What `[ find key=value ]` asks for.
    pub fn condition(&self, key: &str) -> Option<&'a str> {
        self.targets().find_map(|w| w.split_once('=').filter(|(k, _)| *k == key).map(|(_, v)| v))
    }

    /// Whether `set` speaks of the factory's row.
    pub fn is_default_row(&self) -> bool {
        self.condition("default") == Some("yes")
    }
}

/// A menu's statements.
#[derive(Default)]
struct Menu<'a> {
    sections: Vec<Node<'a>>,
    items: Vec<Item<'a>>,
}

/// All menus.
#[derive(Default)]
pub struct Menus<'a> {
    by_path: HashMap<String, Menu<'a>>,
    order: Vec<String>,
    first: Option<Span>,
}

impl<'a> Menus<'a> {
    /// Indexes the statements of an export.
    pub fn read(grammar: &Grammar, tree: &'a Tree<'a>) -> Menus<'a> {
        let verbs: &[String] = match &grammar.file.syntax {
            SyntaxTable::PathCommands(parameters) => &parameters.verbs,
            _ => &[],
        };
        let mut menus = Menus::default();
        let mut path = String::new();
        for section in tree.root().children().filter(|n| n.word_or_empty(0).starts_with('/')) {
            path.clear();
            for (ix, word) in section.words_from(0).enumerate() {
                path.push_str(if ix > 0 { " " } else { "" });
                path.push_str(word);
            }
            menus.first.get_or_insert_with(|| section.span());
            if !menus.by_path.contains_key(&path) {
                menus.order.push(path.clone());
                menus.by_path.insert(path.clone(), Menu::default());
            }
            if let Some(menu) = menus.by_path.get_mut(&path) {
                menu.sections.push(section);
                // Attributes without a verb stand directly below; they are no commands.
                let commands = section.children().filter(|n| verbs.iter().any(|v| v == n.word_or_empty(0)));
                menu.items.extend(commands.map(|node| Item { node }));
            }
        }
        menus
    }

    /// The first statement.
    pub fn first(&self) -> Option<Span> {
        self.first
    }

    /// The paths in the order of the text. Marks nothing.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    /// The commands of a menu without marking them.
    pub fn unmarked(&self, path: &str) -> &[Item<'a>] {
        self.by_path.get(path).map_or(&[], |m| m.items.as_slice())
    }

    /// The commands of a menu.
    pub fn items(&self, path: &str) -> &[Item<'a>] {
        let Some(menu) = self.by_path.get(path) else { return &[] };
        menu.sections.iter().for_each(|n| {
            n.read();
        });
        menu.items.iter().for_each(|i| {
            i.node.read();
        });
        &menu.items
    }

    /// The last command about each named row of some menus. The factory's rows go by number, by condition or by name.
    pub fn named(&self, paths: &[&'static str]) -> HashMap<(&'static str, &'a str), Item<'a>> {
        let mut out = HashMap::new();
        for path in paths {
            for item in self.items(path) {
                let factory = |t: &str| match t {
                    "0" | "*0" | "*1" => Some("default"),
                    "*FFFFFFFE" => Some("default-encryption"),
                    _ => None,
                };
                let mut names: Vec<&'a str> = item.text("name").map(|v| v.text).into_iter().chain(item.condition("name")).collect();
                if item.verb() == "set" {
                    names.extend(item.targets().filter(|t| !t.contains('=')).map(|t| factory(t).unwrap_or(t)));
                    names.extend(item.is_default_row().then_some("default"));
                }
                out.extend(names.into_iter().map(|name| ((*path, name), *item)));
            }
        }
        out
    }

    /// The rows a menu adds.
    pub fn rows(&self, path: &str) -> impl Iterator<Item = &Item<'a>> {
        self.items(path).iter().filter(|i| i.verb() == "add")
    }

    /// The head of a menu.
    pub fn head(&self, path: &str) -> Option<Span> {
        self.by_path.get(path)?.sections.first().map(|n| n.span())
    }

    /// A value of a menu without rows: the last `set` that gives it. An empty value is none.
    pub fn setting(&self, path: &str, key: &str) -> Option<Value<'a>> {
        let mut last = None;
        // Every line is read: one that a later line overrides is understood as well.
        for item in self.items(path).iter().filter(|i| i.verb() == "set" && i.targets().next().is_none()) {
            last = item.get(key).or(last);
        }
        last.filter(|v| !v.text.is_empty())
    }
}
