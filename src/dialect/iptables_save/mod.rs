//! Rule files of `iptables-restore`: what `iptables-save` and `ip6tables-save` print, and files written by hand in that form.
//!
//! Commands are replayed in order (`-A`, `-I`, `-P`, `-N`, `-F`); what the rows ask is read in `options`. What follows from the rows is the
//! shared lowering's business.

mod matches;
mod options;

#[cfg(test)]
mod tests;

use crate::dialect::netfilter::{self, Base, Hook, Kind, Row, Ruleset, Table};
use crate::dialect::{Dialect, Input};
use crate::ir::Device;
use crate::ir::device::ExportForm;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{Family, Verdict};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// The dialect.
pub struct IptablesSave;

/// What the registry holds.
pub static IMPLEMENTATION: IptablesSave = IptablesSave;

impl Dialect for IptablesSave {
    fn name(&self) -> &'static str {
        "iptables-save"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/iptables-save.toml")
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        vec![netfilter::lower(&read(input), input)]
    }
}

/// The table at hand.
struct Open<'a> {
    index: usize,
    name: &'a str,
    v6: bool,
}

fn read(input: &Input<'_>) -> Ruleset {
    let tree = input.tree;
    let start = input.range.start as u32;
    let head = tree.root().children().next().map_or(Span { file: tree.file(), start, end: start }, Node::span);
    let unfiltered = Fact::unknown(Why::at(WhyCode::NotExported, "filter", vec![head]));
    let mut rules = Ruleset::new(head, unfiltered);
    let families = Families::of(input);
    let mut tables: HashMap<(bool, &str), usize> = HashMap::new();
    let mut open: Option<Open<'_>> = None;
    for node in tree.root().children() {
        let first = node.word_or_empty(0);
        if let Some(name) = first.strip_prefix('*') {
            node.read();
            let v6 = families.at(node.span());
            let index = *tables.entry((v6, name)).or_insert_with(|| {
                let family = if v6 { Family::V6 } else { Family::V4 };
                rules.tables.push(Table { family: Some(family), name: name.to_owned() });
                rules.tables.len() - 1
            });
            if v6 {
                rules.speaks_v6.get_or_insert(node.span());
            }
            open = Some(Open { index, name, v6 });
            continue;
        }
        if first == "COMMIT" {
            node.read();
            open = None;
            continue;
        }
        let Some(table) = &open else { continue };
        if let Some(name) = first.strip_prefix(':') {
            node.read();
            let chain = rules.chain(table.index, name, node.span());
            rules.chains[chain].span = node.span();
            built_in(&mut rules, table, chain, policy(node, 1), node.span());
            continue;
        }
        // Counters may stand before a command.
        let at = usize::from(first.starts_with('['));
        command(&mut rules, table, node, at);
    }
    if !rules.has_base() || families.headers.is_empty() && rules.decides_nothing() {
        rules.form = ExportForm::Excerpt;
    }
    rules
}

/// `ACCEPT` or `DROP` at a word; `None` for `-`.
fn policy(node: Node<'_>, at: usize) -> Option<Fact<Verdict>> {
    let span = node.word_span(at);
    match node.word_or_empty(at) {
        "ACCEPT" => Some(Fact::written(Verdict::Accept, span)),
        "DROP" | "REJECT" => Some(Fact::written(Verdict::Drop, span)),
        "QUEUE" => Some(Fact::unknown(Why::at(WhyCode::ExternalDecision, "QUEUE", vec![span]))),
        _ => None,
    }
}

/// Makes a chain a base chain where its name and table say so.
fn built_in(rules: &mut Ruleset, table: &Open<'_>, chain: usize, policy: Option<Fact<Verdict>>, span: Span) {
    let hook = match rules.chains[chain].name.as_str() {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => return,
    };
    let priority = match (table.name, hook) {
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("nat", Hook::Prerouting | Hook::Output) => -100,
        ("nat", _) => 100,
        ("security", _) => 50,
        _ => 0,
    };
    let kind = if table.name == "nat" { Kind::Nat } else { Kind::Filter };
    match (&mut rules.chains[chain].base, policy) {
        (Some(base), Some(policy)) => base.policy = policy,
        (Some(_), None) => {}
        (base, policy) => {
            // The file leaves the policy as it was.
            let policy = policy.unwrap_or_else(|| Fact::unknown(Why::at(WhyCode::NotExported, "policy", vec![span])));
            *base = Some(Base { kind, hook, priority, policy, span });
        }
    }
}

fn command(rules: &mut Ruleset, table: &Open<'_>, node: Node<'_>, at: usize) {
    let name = node.word_or_empty(at + 1);
    let chain = |rules: &mut Ruleset| {
        let chain = rules.chain(table.index, name, node.span());
        built_in(rules, table, chain, None, node.span());
        chain
    };
    match node.word_or_empty(at) {
        "-A" | "--append" => {
            let chain = chain(rules);
            let row = row(node, at + 2, table.v6, rules.chains[chain].rows.len() + 1);
            rules.chains[chain].rows.push(row);
        }
        "-I" | "--insert" => {
            let chain = chain(rules);
            let place = node.word(at + 2).and_then(|w| w.parse::<usize>().ok());
            let row = row(node, at + 2 + usize::from(place.is_some()), table.v6, rules.chains[chain].rows.len() + 1);
            let list = &mut rules.chains[chain].rows;
            list.insert(place.unwrap_or(1).saturating_sub(1).min(list.len()), row);
        }
        "-N" | "--new-chain" => {
            chain(rules);
        }
        "-F" | "--flush" if !name.is_empty() => {
            let chain = chain(rules);
            rules.chains[chain].rows.clear();
        }
        "-P" | "--policy" => {
            let chain = rules.chain(table.index, name, node.span());
            built_in(rules, table, chain, policy(node, at + 2), node.span());
        }
        _ => return,
    }
    node.read();
}

fn row(node: Node<'_>, at: usize, v6: bool, number: usize) -> Row {
    let read = options::read(node, at, v6);
    Row {
        span: node.span(),
        label: number.to_string(),
        conditions: read.conditions,
        target: read.target,
        logs: read.logs,
        sets_mark: read.sets_mark,
        untracks: read.untracks,
    }
}

/// Which tables are for IPv6: a header says so, or without one what the rows hold.
struct Families {
    /// Where a header stands, and whether it is that of the IPv6 tool.
    headers: Vec<(u32, bool)>,
    by_content: bool,
}

impl Families {
    fn of(input: &Input<'_>) -> Families {
        let text = input.tree.text();
        let headers: Vec<(u32, bool)> = input
            .tree
            .comments
            .iter()
            .filter_map(|span| {
                let line = text.get(span.start as usize..span.end as usize)?;
                let tool = line.split("Generated by ").nth(1)?;
                Some((span.start, tool.starts_with("ip6tables") || tool.starts_with("xtables-save v6")))
            })
            .collect();
        let says_v6 = |node: Node<'_>| {
            let mut before = "";
            node.words_from(0).any(|w| {
                let speaks = match before {
                    "-p" | "--protocol" => matches!(w, "ipv6-icmp" | "icmpv6"),
                    "-s" | "-d" | "--source" | "--destination" | "--src" | "--dst" => w.matches(':').count() > 1,
                    _ => w == "--icmpv6-type" || w == "icmp6",
                };
                before = w;
                speaks
            })
        };
        let by_content = headers.is_empty() && input.tree.root().children().any(says_v6);
        Families { headers, by_content }
    }

    fn at(&self, span: Span) -> bool {
        self.headers.iter().rev().find(|(start, _)| *start < span.start).map_or(self.by_content, |(_, v6)| *v6)
    }
}
