//! Matches of a rule: what follows a key, with sets, ranges, bits and concatenations; and maps of verdicts.
//!
//! Sets and maps become one condition for each alternative, up to a bound; beyond it the match is one that may or may not hold.

use super::key::{Key, key};
use super::rule::{MOST, Reader};
use super::value::{Element, Token, closing, elements};
use crate::dialect::netfilter::Target;
use crate::dialect::netfilter::condition::{Condition, Services, product};
use crate::dialect::netfilter::names::first_port;
use crate::source::Span;

impl<'a> Reader<'_, 'a> {
    /// What follows a key: a value, a comparison, a map, or `set`.
    pub(super) fn matching(&mut self, first: Key, at: Span) {
        self.speaks_v6 |= first.is_v6();
        let mut keys = vec![first];
        while self.peek(0) == "." {
            self.at += 1;
            match key(self.list, self.at) {
                Some((next, len)) => {
                    self.at += len;
                    self.speaks_v6 |= next.is_v6();
                    keys.push(next);
                }
                None => break,
            }
        }
        if self.peek(0) == "set" {
            self.at += 1;
            self.assignment(first);
            return;
        }
        if self.peek(0) == "vmap" {
            self.at += 1;
            let list = self.map_elements();
            self.verdict_map(&keys, list, at);
            return;
        }
        if keys.len() == 1 && self.peek(0) == "&" {
            self.at += 1;
            let mask = self.bits();
            let negated = self.peek(0) == "!=";
            if matches!(self.peek(0), "==" | "!=") {
                self.at += 1;
            }
            let value = self.bits();
            let conditions = first.masked(&mask, &value, negated, at);
            self.any_of(&conditions);
            return;
        }
        let operator = self.peek(0);
        let negated = operator == "!=";
        if matches!(operator, "!=" | "==" | "!") {
            self.at += 1;
        } else if matches!(operator, "<" | ">" | "<=" | ">=") {
            self.at += 1;
            let conditions = self.compared(first, operator, at);
            self.any_of(&conditions);
            return;
        }
        let conditions = self.compare(&keys, operator, negated, at);
        self.any_of(&conditions);
    }

    fn compared(&mut self, key: Key, operator: &str, at: Span) -> Vec<Condition> {
        let word = self.peek(0);
        self.at += 1;
        let (Key::Port { .. }, Some(n)) = (key, first_port(word)) else { return vec![key.implied().and(&Condition::unmodelled(at, word))] };
        let range = match operator {
            "<" => n.checked_sub(1).map(|to| (0, to)),
            "<=" => Some((0, n)),
            ">" => n.checked_add(1).map(|from| (from, u16::MAX)),
            _ => Some((n, u16::MAX)),
        };
        let Some((from, to)) = range else { return vec![Condition::never()] };
        let ports = Some(vec![(from, to)]);
        let services = match key {
            Key::Port { source: true, .. } => Services { src_ports: ports, ..Services::default() },
            _ => Services { dst_ports: ports, ..Services::default() },
        };
        let ported = vec![Condition { services, ..Condition::default() }];
        key.with_portless(ported, at).iter().map(|c| key.implied().and(c)).collect()
    }

    /// Bits in parentheses or alone, up to what is no bit.
    fn bits(&mut self) -> Vec<Token<'a>> {
        let mut out = Vec::new();
        if self.peek(0) == "(" {
            while self.at < self.list.len() && self.peek(0) != ")" {
                out.push(self.list[self.at]);
                self.at += 1;
            }
            self.at += 1;
            return out;
        }
        while let Some(token) = self.list.get(self.at) {
            out.push(*token);
            self.at += 1;
            if !matches!(self.peek(0), "|" | ",") {
                break;
            }
            self.at += 1;
        }
        out
    }

    fn compare(&mut self, keys: &[Key], operator: &str, negated: bool, at: Span) -> Vec<Condition> {
        let first = keys[0];
        if self.peek(0) == "{" {
            let end = closing(self.list, self.at);
            let list = elements(&self.list[self.at..end]);
            self.at = end;
            return self.one_of(keys, list, negated, at);
        }
        if let Some(name) = self.list.get(self.at).filter(|t| !t.quoted).and_then(|t| t.text.strip_prefix('@')) {
            let place = self.list[self.at];
            self.at += 1;
            let Some(set) = self.sets.get(self.table, name) else { return vec![Condition::unmodelled(place.span, name)] };
            let mut list = set.elements.clone();
            if set.changes {
                if keys.len() > 1 || !matches!(first, Key::Source { .. } | Key::Destination { .. }) {
                    return vec![first.implied().and(&Condition::unmodelled(place.span, name))];
                }
                list.push(Element { parts: vec![place], data: Vec::new() });
            }
            return self.one_of(keys, list, negated, at);
        }
        if keys.len() > 1 {
            let list = vec![Element { parts: self.concatenation(), data: Vec::new() }];
            return self.one_of(keys, list, negated, at);
        }
        let mut values: Vec<Token<'a>> = Vec::new();
        while let Some(token) = self.list.get(self.at) {
            values.push(*token);
            self.at += 1;
            if self.peek(0) != "," {
                break;
            }
            self.at += 1;
        }
        if first == Key::TcpFlags {
            return self.flags(values, operator, negated, at);
        }
        if values.is_empty() {
            return vec![first.implied().and(&Condition::unmodelled(at, "value"))];
        }
        self.join_range(&mut values);
        first.test(&values, negated, at)
    }

    /// `tcp flags syn` (one of these), `tcp flags == syn` (exactly), `tcp flags syn / syn,ack`.
    fn flags(&mut self, values: Vec<Token<'a>>, operator: &str, negated: bool, at: Span) -> Vec<Condition> {
        let mut value = values;
        while self.peek(0) == "|" {
            self.at += 1;
            value.extend(self.list.get(self.at));
            self.at += 1;
        }
        if self.peek(0) == "/" {
            self.at += 1;
            let mask = self.bits();
            return Key::TcpFlags.masked(&mask, &value, negated, at);
        }
        if matches!(operator, "==" | "!=") {
            let whole = [Token { text: "0xff", span: at, quoted: false }];
            return Key::TcpFlags.masked(&whole, &value, negated, at);
        }
        // One of the bits is set (`!`: none is).
        let none = [Token { text: "0", span: at, quoted: false }];
        Key::TcpFlags.masked(&value, &none, operator != "!", at)
    }

    /// `1024 - 2048` with blanks.
    fn join_range(&mut self, values: &mut [Token<'a>]) {
        if values.len() == 1 && self.peek(0) == "-" {
            // Both ends are in the text, with a sign between: the slice cannot be joined, so the rest is passed over as not read.
            self.at += 2;
            values[0].text = "";
        }
    }

    fn concatenation(&mut self) -> Vec<Token<'a>> {
        let mut parts = Vec::new();
        while let Some(token) = self.list.get(self.at) {
            parts.push(*token);
            self.at += 1;
            if self.peek(0) != "." {
                break;
            }
            self.at += 1;
        }
        parts
    }

    /// The key is (or, negated, is not) one of these elements.
    fn one_of(&self, keys: &[Key], list: Vec<Element<'a>>, negated: bool, at: Span) -> Vec<Condition> {
        let first = keys[0];
        if list.is_empty() {
            let implied = keys.iter().fold(Condition::default(), |all, k| all.and(&k.implied()));
            return vec![if negated { implied } else { Condition::never() }];
        }
        if keys.len() == 1 {
            let values: Vec<Token<'a>> = list.iter().filter_map(|e| e.parts.first().copied()).collect();
            return first.test(&values, negated, at);
        }
        if negated || list.len() > MOST {
            let implied = keys.iter().fold(Condition::default(), |all, k| all.and(&k.implied()));
            return vec![implied.and(&Condition::unmodelled(at, "set"))];
        }
        list.iter().flat_map(|e| tuple(keys, &e.parts, at)).collect()
    }

    /// The elements of a map, in braces or named.
    pub(super) fn map_elements(&mut self) -> Option<Vec<Element<'a>>> {
        if self.peek(0) == "{" {
            let end = closing(self.list, self.at);
            let list = elements(&self.list[self.at..end]);
            self.at = end;
            return Some(list);
        }
        let name = self.peek(0).strip_prefix('@')?;
        self.at += 1;
        self.sets.get(self.table, name).filter(|s| !s.changes).map(|s| s.elements.clone())
    }

    fn verdict_map(&mut self, keys: &[Key], list: Option<Vec<Element<'a>>>, at: Span) {
        let Some(list) = list else {
            self.any_of(&[Condition::unmodelled(at, "vmap")]);
            self.target = Some(Target::Unknown("vmap".to_owned()));
            return;
        };
        let implied = keys.iter().fold(Condition::default(), |all, k| all.and(&k.implied()));
        let mut rest = None;
        for element in list {
            let name = || element.data.get(1).map_or("", |t| t.text).to_owned();
            let target = match element.data.first().map_or("", |t| t.text) {
                "accept" => Target::Accept,
                "drop" => Target::Drop,
                "return" => Target::Return,
                "continue" => Target::Continue,
                "jump" => Target::Jump(name()),
                "goto" => Target::Goto(name()),
                other => Target::Unknown(other.to_owned()),
            };
            if matches!(element.parts[..], [one] if one.is("*")) {
                rest = Some(target);
            } else {
                self.mapped.push((tuple(keys, &element.parts, at), target));
            }
        }
        // What `continue` lets on must not meet the rest, and nothing else comes so far.
        self.mapped.extend(rest.map(|target| (vec![implied], target)));
        if self.mapped.is_empty() {
            self.mapped.push((vec![Condition::never()], Target::Continue));
        }
    }
}

/// The parts of one element, each for its key.
pub(super) fn tuple(keys: &[Key], parts: &[Token<'_>], at: Span) -> Vec<Condition> {
    if keys.len() != parts.len() {
        return vec![Condition::unmodelled(at, "set")];
    }
    keys.iter().zip(parts).fold(vec![Condition::default()], |all, (key, part)| {
        let any = part.is("*");
        let one = if any { vec![key.implied()] } else { key.test(std::slice::from_ref(part), false, at) };
        product(&all, &one)
    })
}
