//! Rule sets of nftables: what `nft list ruleset` prints, and files for `nft -f`, in nested and in imperative form.
//!
//! This file replays statements (tables, chains, sets, rules); `value` holds sets and definitions, `rule` reads what a rule asks and does.
//! What follows from the rows is the shared lowering's business.

mod key;
mod matching;
mod rule;
mod value;

#[cfg(test)]
mod tests;

use crate::dialect::netfilter::{self, Base, Hook, Kind, Ruleset, Table};
use crate::dialect::{Dialect, Input};
use crate::ir::Device;
use crate::ir::device::ExportForm;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{Family, Verdict};
use crate::source::Span;
use crate::syntax::{Mark, Node};
use std::collections::HashMap;
use value::{Sets, Token, tokens};

/// The dialect.
pub struct Nftables;

/// What the registry holds.
pub static IMPLEMENTATION: Nftables = Nftables;

impl Dialect for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/nftables.toml")
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        let mut reader = Reader::new(input);
        // Sets first: a rule may stand before the elements of a set that it names.
        input.tree.root().children().for_each(|n| reader.sets(n));
        input.tree.root().children().for_each(|n| reader.statement(n));
        if !reader.rules.has_base() || reader.rules.decides_nothing() {
            reader.rules.form = ExportForm::Excerpt;
        }
        vec![netfilter::lower(&reader.rules, input)]
    }
}

/// Families that a table may name.
const FAMILIES: &[&str] = &["ip", "ip6", "inet", "arp", "bridge", "netdev"];

/// Commands before what they are about.
const COMMANDS: &[&str] = &["add", "create", "insert", "replace"];

struct Reader<'a> {
    input: &'a Input<'a>,
    rules: Ruleset,
    tables: HashMap<(&'a str, &'a str), usize>,
    sets: Sets<'a>,
}

impl<'a> Reader<'a> {
    fn new(input: &'a Input<'a>) -> Reader<'a> {
        let tree = input.tree;
        let start = input.range.start as u32;
        let head = tree.root().children().next().map_or(Span { file: tree.file(), start, end: start }, Node::span);
        let unfiltered = input.grammar.default_as("hook without chain", None, Some(head), verdict);
        Reader { input, rules: Ruleset::new(head, unfiltered), tables: HashMap::new(), sets: Sets::default() }
    }

    fn table(&mut self, family: &'a str, name: &'a str) -> usize {
        let rules = &mut self.rules;
        *self.tables.entry((family, name)).or_insert_with(|| {
            let (family, shown) = match family {
                "ip" => (Some(Family::V4), name.to_owned()),
                "ip6" => (Some(Family::V6), format!("ip6 {name}")),
                "inet" => (Some(Family::Both), name.to_owned()),
                "netdev" => (Some(Family::Both), format!("netdev {name}")),
                other => (None, format!("{other} {name}")),
            };
            rules.tables.push(Table { family, name: shown });
            rules.tables.len() - 1
        })
    }

    /// Takes up sets, maps and definitions of a statement and what it holds.
    fn sets(&mut self, node: Node<'a>) {
        let words: Vec<&str> = node.words_from(0).collect();
        let at = usize::from(words.first().is_some_and(|w| COMMANDS.contains(w)));
        match words.get(at) {
            Some(&("define" | "redefine")) => {
                node.read();
                if let Some(name) = words.get(at + 1) {
                    let value = tokens(node, at + 2, &self.sets).into_iter().skip_while(|t| t.text == "=").collect();
                    self.sets.define(name, value);
                }
            }
            Some(&"table") => {
                let (family, name) = family_and(&words[at + 1..]);
                let table = self.table(family, name);
                for child in node.children() {
                    let first = child.word_or_empty(0);
                    if first == "set" || first == "map" {
                        self.set(table, child, child.word_or_empty(1));
                    } else if first == "define" {
                        self.sets(child);
                    }
                }
            }
            Some(&("set" | "map")) => {
                let (family, rest) = split_family(&words[at + 1..]);
                if let [table, name, ..] = rest {
                    let table = self.table(family, table);
                    self.set(table, node, name);
                }
            }
            Some(&"element") => {
                node.read();
                let (family, rest) = split_family(&words[at + 1..]);
                if let [table, name, ..] = rest {
                    let table = self.table(family, table);
                    let from = node.len() - rest.len() + 2;
                    let list = tokens(node, from, &self.sets);
                    self.sets.add_elements(table, name, list);
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, table: usize, node: Node<'a>, name: &'a str) {
        node.read();
        let mut set = value::Set::default();
        for child in node.children() {
            child.read();
            match child.word_or_empty(0) {
                "flags" => set.changes |= child.words_from(1).any(|w| w == "dynamic" || w == "timeout"),
                "timeout" => set.changes = true,
                "elements" => set.elements.extend(value::elements(&tokens(child, 1, &self.sets))),
                _ => {}
            }
        }
        self.sets.declare(table, name, set);
    }

    fn statement(&mut self, node: Node<'a>) {
        let words: Vec<&'a str> = node.words_from(0).collect();
        let command = words.first().copied().filter(|w| COMMANDS.contains(w));
        let at = usize::from(command.is_some());
        let first = words.get(at).copied().unwrap_or("");
        match first {
            "table" => {
                node.read();
                let (family, name) = family_and(&words[at + 1..]);
                let table = self.table(family, name);
                for child in node.children() {
                    self.inside(table, family, child);
                }
            }
            "chain" => {
                node.read();
                let (family, rest) = split_family(&words[at + 1..]);
                if let [table, name, ..] = rest {
                    let table = self.table(family, table);
                    self.chain(table, family, node, name);
                }
            }
            "rule" => self.imperative_rule(node, &words[at + 1..], command == Some("insert")),
            "element" | "set" | "map" | "define" | "redefine" => {
                node.read();
            }
            "flush" => {
                node.read();
                if words.get(1) == Some(&"ruleset") {
                    self.rules.chains.clear();
                    self.rules.by_name.clear();
                }
            }
            "delete" | "destroy" | "undefine" | "reset" | "list" | "counter" | "quota" | "limit" | "flowtable" | "ct" | "secmark"
            | "synproxy" => {
                node.mark_below(Mark::Irrelevant);
            }
            // What an included file holds is not here.
            "include" => {
                node.read();
                self.rules.missing.get_or_insert(node.span());
            }
            // A rule without `add rule` before it is none; words without sense stay unread.
            _ => {}
        }
    }

    /// A statement inside a table.
    fn inside(&mut self, table: usize, family: &str, node: Node<'a>) {
        match node.word_or_empty(0) {
            "chain" => {
                node.read();
                self.chain(table, family, node, node.word_or_empty(1));
            }
            "set" | "map" | "define" => {}
            "include" => {
                node.read();
                self.rules.missing.get_or_insert(node.span());
            }
            "comment" | "flags" | "counter" | "quota" | "limit" | "flowtable" | "ct" | "secmark" | "synproxy" | "tunnel" => {
                node.mark_below(Mark::Irrelevant);
            }
            _ => {}
        }
    }

    fn chain(&mut self, table: usize, family: &str, node: Node<'a>, name: &str) {
        let chain = self.rules.chain(table, name, node.span());
        for child in node.children() {
            match child.word_or_empty(0) {
                "type" if child.word(2) == Some("hook") => {
                    child.read();
                    if let Some(mut base) = base(child, family) {
                        base.policy = self.input.grammar.default_as("chain policy", None, Some(child.span()), verdict);
                        self.rules.chains[chain].base = Some(base);
                    }
                }
                "policy" => {
                    child.read();
                    let span = child.word_span(1);
                    let fact = match verdict(child.word_or_empty(1)) {
                        Some(verdict) => Fact::written(verdict, span),
                        None => Fact::unknown(Why::at(WhyCode::Ambiguous, "policy", vec![span])),
                    };
                    if let Some(base) = &mut self.rules.chains[chain].base {
                        base.policy = fact;
                    }
                }
                "comment" | "flags" | "device" | "devices" => {
                    child.read();
                }
                _ => self.rule(chain, family, child, 0, false),
            }
        }
    }

    fn imperative_rule(&mut self, node: Node<'a>, words: &[&'a str], front: bool) {
        let (family, rest) = split_family(words);
        let [table, chain, ..] = rest else { return };
        let mut at = node.len() - rest.len() + 2;
        while matches!(node.word(at), Some("position" | "handle" | "index")) {
            at += 2;
        }
        let table = self.table(family, table);
        let chain = self.rules.chain(table, chain, node.span());
        self.rule(chain, family, node, at, front);
    }

    fn rule(&mut self, chain: usize, family: &str, node: Node<'a>, at: usize, front: bool) {
        node.read();
        let list: Vec<Token<'_>> = tokens(node, at, &self.sets);
        let table = self.rules.chains[chain].table;
        let number = self.rules.chains[chain].rows.last().and_then(|r| r.label.parse::<usize>().ok()).unwrap_or(0) + 1;
        let (rows, v6) = rule::read(&list, &self.sets, table, family, node.span(), number);
        if v6 {
            self.rules.speaks_v6.get_or_insert(node.span());
        }
        let target = &mut self.rules.chains[chain].rows;
        if front {
            target.splice(0..0, rows);
        } else {
            target.extend(rows);
        }
    }
}

fn verdict(word: &str) -> Option<Verdict> {
    match word {
        "accept" => Some(Verdict::Accept),
        "drop" => Some(Verdict::Drop),
        _ => None,
    }
}

/// A family, which may be left out, and what follows it.
fn split_family<'a, 'w>(words: &'w [&'a str]) -> (&'a str, &'w [&'a str]) {
    match words.first() {
        Some(first) if FAMILIES.contains(first) => (first, &words[1..]),
        _ => ("ip", words),
    }
}

fn family_and<'a>(words: &[&'a str]) -> (&'a str, &'a str) {
    let (family, rest) = split_family(words);
    (family, rest.first().copied().unwrap_or(""))
}

/// `type T hook H [device D] priority P`.
fn base(node: Node<'_>, family: &str) -> Option<Base> {
    let kind = match node.word_or_empty(1) {
        "nat" => Kind::Nat,
        "route" => Kind::Route,
        _ => Kind::Filter,
    };
    let hook = match node.word_or_empty(3) {
        "prerouting" => Hook::Prerouting,
        "input" => Hook::Input,
        "forward" => Hook::Forward,
        "output" => Hook::Output,
        "postrouting" => Hook::Postrouting,
        "ingress" => Hook::Ingress,
        _ => return None,
    };
    let words: Vec<&str> = node.words_from(4).collect();
    let at = words.iter().position(|w| *w == "priority")?;
    let priority = priority(&words[at + 1..].concat(), family);
    let policy = Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "policy", vec![node.span()]));
    Some(Base { kind, hook, priority, policy, span: node.span() })
}

/// `filter`, `-150`, `filter+10`, `dstnat-5`.
fn priority(text: &str, family: &str) -> i32 {
    if let Ok(number) = text.trim_start_matches('+').parse() {
        return number;
    }
    let end = text.find(['+', '-']).unwrap_or(text.len());
    let named = match (&text[..end], family) {
        ("dstnat", "bridge") => -300,
        ("filter", "bridge") => -200,
        ("out", "bridge") => 100,
        ("srcnat", "bridge") => 300,
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("dstnat", _) => -100,
        ("security", _) => 50,
        ("srcnat", _) => 100,
        _ => 0,
    };
    named + text[end..].trim_start_matches('+').parse::<i32>().unwrap_or(0).clamp(-1_000_000, 1_000_000)
}
