//! Words of rules with definitions put in their places, and the sets and maps that rules name.
//!
//! Definitions hold words that were replaced already when they were made, so that nothing is replaced twice and nothing grows without
//! end; what one statement may grow to is bounded.

use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// A word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) span: Span,
    pub(super) quoted: bool,
}

impl Token<'_> {
    /// Whether it is this word, and not a text in quotes.
    pub(super) fn is(&self, word: &str) -> bool {
        !self.quoted && self.text == word
    }
}

/// The most words of one statement, definitions put in.
const MOST: usize = 200_000;

/// An element of a set: the parts of its key, and in a map what it maps to.
#[derive(Clone, Debug, Default)]
pub(super) struct Element<'a> {
    pub(super) parts: Vec<Token<'a>>,
    pub(super) data: Vec<Token<'a>>,
}

/// A named set or map.
#[derive(Clone, Debug, Default)]
pub(super) struct Set<'a> {
    pub(super) elements: Vec<Element<'a>>,
    /// Whether its content changes while the box runs.
    pub(super) changes: bool,
}

/// Named sets, maps and definitions.
#[derive(Default)]
pub(super) struct Sets<'a> {
    sets: HashMap<(usize, &'a str), Set<'a>>,
    definitions: HashMap<&'a str, Vec<Token<'a>>>,
}

impl<'a> Sets<'a> {
    pub(super) fn define(&mut self, name: &'a str, value: Vec<Token<'a>>) {
        self.definitions.insert(name, value);
    }

    pub(super) fn declare(&mut self, table: usize, name: &'a str, set: Set<'a>) {
        match self.sets.get_mut(&(table, name)) {
            Some(known) => {
                known.changes |= set.changes;
                known.elements.extend(set.elements);
            }
            None => {
                self.sets.insert((table, name), set);
            }
        }
    }

    pub(super) fn add_elements(&mut self, table: usize, name: &'a str, list: Vec<Token<'a>>) {
        let set = self.sets.entry((table, name)).or_default();
        set.elements.extend(elements(&list));
    }

    pub(super) fn get(&self, table: usize, name: &'a str) -> Option<&Set<'a>> {
        self.sets.get(&(table, name))
    }
}

/// The words of a statement from one on.
pub(super) fn tokens<'a>(node: Node<'a>, from: usize, sets: &Sets<'a>) -> Vec<Token<'a>> {
    let mut out = Vec::with_capacity(node.len());
    for at in from..node.len() {
        let token = Token { text: node.word_or_empty(at), span: node.word_span(at), quoted: node.is_quoted(at) };
        match token.text.strip_prefix('$').filter(|_| !token.quoted).and_then(|name| sets.definitions.get(name)) {
            Some(value) if out.len() + value.len() < MOST => out.extend(value.iter().map(|t| Token { span: token.span, ..*t })),
            _ => out.push(token),
        }
    }
    out
}

/// The end of braces that open at a place: the index behind the closing one.
pub(super) fn closing(list: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in list.iter().enumerate().skip(open) {
        if token.is("{") {
            depth += 1;
        } else if token.is("}") {
            depth -= 1;
            if depth == 0 {
                return at + 1;
            }
        }
    }
    list.len()
}

/// Words that belong to an element and say nothing about what it holds.
const EXTRAS: &[&str] = &["timeout", "expires", "comment", "counter", "limit", "quota", "last"];

/// The elements of a set in braces, with or without an equals sign before them. Braces inside (of definitions) are passed over.
pub(super) fn elements<'a>(list: &[Token<'a>]) -> Vec<Element<'a>> {
    let mut out = Vec::new();
    let mut element = Element::default();
    let (mut data, mut extra) = (false, false);
    let mut finish = |element: &mut Element<'a>, data: &mut bool, extra: &mut bool| {
        let done = std::mem::take(element);
        (*data, *extra) = (false, false);
        if !done.parts.is_empty() {
            out.push(done);
        }
    };
    for token in list {
        match token.text {
            "{" | "}" | "=" if !token.quoted => {}
            "," if !token.quoted => finish(&mut element, &mut data, &mut extra),
            "." if !token.quoted && !data => extra = false,
            ":" if !token.quoted && !data => (data, extra) = (true, false),
            word if !token.quoted && EXTRAS.contains(&word) => extra = true,
            _ if data => element.data.push(*token),
            _ if extra => {}
            word => {
                // `key:` and `:value` may touch.
                let (key, value) = if token.quoted { (word, None) } else { split_data(word) };
                if !key.is_empty() {
                    element.parts.push(Token { text: key, ..*token });
                }
                if let Some(value) = value {
                    data = true;
                    if !value.is_empty() {
                        element.data.push(Token { text: value, ..*token });
                    }
                }
            }
        }
    }
    finish(&mut element, &mut data, &mut extra);
    out
}

/// A key and what it maps to, where the word holds both: a colon that is none of an address's.
fn split_data(word: &str) -> (&str, Option<&str>) {
    if let Some(key) = word.strip_suffix(':').filter(|k| !k.ends_with(':')) {
        return (key, Some(""));
    }
    if let Some(value) = word.strip_prefix(':').filter(|v| !v.starts_with(':')) {
        return ("", Some(value));
    }
    match word.split_once(':') {
        Some((key, value))
            if value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') && !value.contains(':') && !is_mac_or_v6(word) =>
        {
            (key, Some(value))
        }
        _ => (word, None),
    }
}

fn is_mac_or_v6(word: &str) -> bool {
    word.matches(':').count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    fn read(text: &str) -> Vec<(String, String)> {
        let at = Span { file: FileId(0), start: 0, end: 0 };
        let list: Vec<Token<'_>> = text.split(' ').map(|t| Token { text: t, span: at, quoted: false }).collect();
        let join = |list: &[Token<'_>]| list.iter().map(|t| t.text).collect::<Vec<_>>().join(" ");
        elements(&list).iter().map(|e| (join(&e.parts), join(&e.data))).collect()
    }

    #[test]
    fn elements_have_parts_and_data_and_lose_their_timeouts() {
        assert_eq!(read("= { 192.0.2.1 timeout 1h expires 3m , 2001:db8::1 }").len(), 2);
        assert_eq!(
            read("{ established : accept , 22:jump x , lo : goto y }"),
            [("established".into(), "accept".into()), ("22".into(), "jump x".into()), ("lo".into(), "goto y".into())]
        );
        assert_eq!(read("{ 10.0.0.1 . 22 : 10.1.1.1 . 80 }"), [("10.0.0.1 22".into(), "10.1.1.1 . 80".into())]);
    }
}
