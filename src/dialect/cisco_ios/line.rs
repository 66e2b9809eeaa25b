//! Lines: the console, the auxiliary port, and the virtual terminals on which SSH and Telnet arrive.
//!
//! Each range of virtual terminals stands for itself: one that is closed says nothing about the next.

use super::aaa::{self, Method, Methods};
use super::{Block, Export};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashSet;

/// What kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The console.
    Console,
    /// The auxiliary port, for a modem.
    Aux,
    /// Virtual terminals.
    Vty,
    /// Serial lines to other equipment.
    Other,
}

/// A line or a range of lines.
pub struct Line<'a> {
    /// The block.
    pub node: Node<'a>,
    /// What kind.
    pub kind: Kind,
    /// As written: `line vty 0 4`.
    pub name: String,
    /// How a login is checked; no methods: everybody is refused.
    pub methods: Methods,
    /// Whether a session can be opened on it.
    pub exec: bool,
    /// Whether an earlier range of virtual terminals says the same in every word: then it is told once.
    pub repeated: bool,
}

impl<'a> Line<'a> {
    /// The statements of the block.
    pub fn block(&self) -> Block<'a> {
        Block(self.node)
    }

    /// The line's own password.
    pub fn password(&self) -> Option<Node<'a>> {
        self.block().line(&["password"])
    }
}

/// Reads all lines.
pub fn read<'a>(export: &Export<'a>) -> Vec<Line<'a>> {
    let model = aaa::new_model(export);
    let mut seen: HashSet<Vec<String>> = HashSet::new();
    export
        .lines(&["line"])
        .map(|node| {
            let kind = match node.word_or_empty(1) {
                "con" | "console" => Kind::Console,
                "aux" => Kind::Aux,
                "vty" => Kind::Vty,
                _ => Kind::Other,
            };
            let block = Block(node);
            let exec = block.no(&["exec"]).is_none();
            let name = node.words_from(0).collect::<Vec<_>>().join(" ");
            let repeated = kind == Kind::Vty && !seen.insert(words(node));
            Line { node, kind, name, methods: methods(export, &model, block, kind), exec, repeated }
        })
        .collect()
}

/// What a block says, its own password left out.
fn words(node: Node<'_>) -> Vec<String> {
    let password = |n: &Node<'_>| n.word(0) == Some("password");
    let mut all: Vec<String> =
        node.children().map(|n| if password(&n) { "password".to_owned() } else { n.words_from(0).collect::<Vec<_>>().join(" ") }).collect();
    all.sort();
    all
}

fn methods(export: &Export<'_>, model: &Fact<bool>, block: Block<'_>, kind: Kind) -> Methods {
    let at = block.0.span();
    match model.value.tri() {
        Some(true) => {
            let named = block.line(&["login", "authentication"]).and_then(|n| n.word(2).map(|w| (w, n.span())));
            let found = aaa::named(export, named, kind != Kind::Console, at);
            Fact { value: found.value, origin: Origin::all([found.origin, model.origin.clone()]) }
        }
        Some(false) => own_words(export, block, kind),
        None => Fact { value: Val::Unknown(unread(model, at)), origin: model.origin.clone() },
    }
}

fn unread(model: &Fact<bool>, at: Span) -> Why {
    model.value.why().cloned().unwrap_or_else(|| Why::at(WhyCode::NotExported, "aaa new-model", vec![at]))
}

/// Without method lists: `login local`, `login`, `no login`, or no word about it.
fn own_words(export: &Export<'_>, block: Block<'_>, kind: Kind) -> Methods {
    let login = block.lines(&["login"]).filter(|n| n.len() <= 2).last();
    let refused = block.no(&["login"]);
    match (login, refused) {
        (_, Some(no)) if login.is_none_or(|l| l.index() < no.index()) => Fact::written(vec![Method::None], no.span()),
        (Some(line), _) => match line.word(1) {
            Some("local") => Fact::written(vec![Method::Local], line.span()),
            Some("tacacs") => Fact::written(vec![Method::Group("tacacs".to_owned())], line.span()),
            Some(_) => Fact::unknown(Why::at(WhyCode::Ambiguous, "login", vec![line.span()])),
            // A password must be there, or nobody gets in.
            None => match block.line(&["password"]) {
                Some(password) => {
                    Fact::known(vec![Method::Line], Origin::all([Origin::Written(line.span()), Origin::Written(password.span())]))
                }
                None => Fact::written(Vec::new(), line.span()),
            },
        },
        (None, _) => {
            let key = if kind == Kind::Vty { "line vty login" } else { "line console login" };
            let parse = |v: &str| (v == "none").then(|| vec![Method::None]);
            export.default_at(key, Some(block.0.span()), parse)
        }
    }
}
