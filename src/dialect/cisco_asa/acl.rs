//! Access lists: their entries in order, by name, whatever they are used for. Where they are attached is said elsewhere.

use super::Export;
use super::ace::{Ace, Cursor, Reader};
use super::object::Objects;
use crate::ir::Device;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, IfMatch, NatMatch, Rule, RuleLog, SvcExpr, Verdict};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::Live;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// An access list.
pub struct List<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where its name first stands.
    pub span: Span,
    /// Its entries.
    pub entries: Vec<Ace>,
    /// Whether it is an IPv6 list of the releases that kept them apart.
    pub v6: bool,
}

/// All access lists.
#[derive(Default)]
pub struct Lists<'a> {
    by_name: HashMap<(&'a str, bool), usize>,
    lists: Vec<List<'a>>,
}

impl<'a> Lists<'a> {
    /// The lists of that name: of both families, or one for each in releases that kept them apart.
    pub fn named(&self, name: &str) -> Vec<&List<'a>> {
        let at = |v6: bool| self.by_name.get(&(name, v6)).map(|ix| &self.lists[*ix]);
        [at(false), at(true)].into_iter().flatten().collect()
    }

    /// Every list in the order of the export.
    pub fn in_order(&self) -> impl Iterator<Item = &List<'a>> {
        self.lists.iter()
    }

    fn at(&mut self, name: &'a str, v6: bool, span: Span) -> &mut List<'a> {
        let next = self.lists.len();
        let ix = *self.by_name.entry((name, v6)).or_insert(next);
        if ix == next {
            self.lists.push(List { name, span, entries: Vec::new(), v6 });
        }
        &mut self.lists[ix]
    }
}

/// Reads every access list.
pub fn read<'a>(export: &Export<'a>, objects: &Objects<'a>, _device: &mut Device) -> Lists<'a> {
    let both_families = export.managed || export.at_least(&[9, 0]).unwrap_or(true);
    let mut lists = Lists::default();
    let mut counts: HashMap<(&str, bool), usize> = HashMap::new();
    let own = export.lines.of("access-list").iter().map(|n| (*n, false, 1));
    let v6 = export.lines.of("ipv6").iter().filter(|n| n.word(1) == Some("access-list")).map(|n| (*n, true, 2));
    for (node, v6, at) in own.chain(v6) {
        let reader = Reader { export, objects, both_families, v6 };
        let name = node.read().word_or_empty(at);
        if name.is_empty() || matches!(name, "alert-interval" | "deny-flow-max") {
            continue;
        }
        let count = counts.entry((name, v6)).or_default();
        *count += 1;
        entry(&reader, &mut lists, node, name, at, *count);
    }
    lists
}

fn entry<'a>(reader: &Reader<'_, 'a>, lists: &mut Lists<'a>, node: Node<'a>, name: &'a str, at: usize, mut line: usize) {
    let mut words = Cursor::new(node, at + 1);
    if words.peek() == "line" {
        words.next();
        line = words.next().0.parse().unwrap_or(line);
    }
    let list = lists.at(name, reader.v6, node.word_span(at));
    match words.peek() {
        "remark" | "ethertype" | "webtype" => {}
        "standard" => {
            words.next();
            list.entries.push(standard(reader, line, &mut words));
        }
        "extended" | "advanced" => {
            words.next();
            list.entries.push(reader.entry(line, &mut words));
        }
        _ => list.entries.push(reader.entry(line, &mut words)),
    }
}

/// `permit 192.0.2.0 255.255.255.0`: destinations only.
fn standard<'a>(reader: &Reader<'_, 'a>, line: usize, words: &mut Cursor<'a>) -> Ace {
    let node = words.node;
    let permit = words.next().0 == "permit";
    let dst = reader.addresses(words);
    Ace {
        line,
        span: node.span(),
        permit: Some(permit),
        inactive: None,
        ingress: None,
        egress: None,
        src: Fact::written(AddrExpr::Any, node.span()),
        dst: match dst {
            Some(dst) => Fact::written(dst, node.span()),
            None => Fact::unknown(Why::at(WhyCode::Unrecognised, format!("line {line}"), vec![node.span()])),
        },
        svc: Fact::written(SvcExpr::Any, node.span()),
        guards: Vec::new(),
        log: None,
    }
}

/// An entry as a row of a filter.
pub fn rule(export: &Export<'_>, list: &str, ace: &Ace, ingress: IfMatch) -> Rule {
    let these = |ix: Option<InterfaceIx>| ix.map(|ix| IfMatch::These(vec![ix]));
    let verdict = match ace.permit {
        Some(permit) => Fact::written(if permit { Verdict::Accept } else { Verdict::Drop }, ace.span),
        None => super::unclear("access-list", ace.span),
    };
    Rule {
        label: format!("{list} line {}", ace.line),
        span: ace.span,
        live: Live::own(match ace.inactive {
            Some(span) => Fact::written(false, span),
            None => Fact::written(true, ace.span),
        }),
        ingress: these(ace.ingress).unwrap_or(ingress),
        egress: these(ace.egress).unwrap_or(IfMatch::Any),
        src: ace.src.clone(),
        dst: ace.dst.clone(),
        svc: ace.svc.clone(),
        guards: ace.guards.clone(),
        nat: NatMatch { via: Vec::new(), plain_sees_translated: Fact::written(true, ace.span) },
        verdict,
        log: log(export, ace),
        generated: false,
    }
}

/// What an entry writes to the log: its own word; else the messages that the box writes for every denied packet and every
/// connection, unless somebody switched these off.
fn log(export: &Export<'_>, ace: &Ace) -> Fact<RuleLog> {
    if let Some((log, span)) = ace.log {
        return Fact::written(log, span);
    }
    let denied = ace.permit == Some(false);
    let messages: &[&str] = if denied { &["106023"] } else { &["302013", "302015"] };
    for message in messages {
        if let Some(line) = export.lines.last(&["no", "logging", "message", message]) {
            return Fact::written(RuleLog::None, line.span());
        }
    }
    let key = if denied { "access-list deny log" } else { "access-list permit log" };
    export.default_at(key, ace.span, |v| (v == "session").then_some(RuleLog::Session))
}
