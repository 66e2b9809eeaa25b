//! Access lists: static lists as ordered rows, dynamic lists with the list that triggers them.
//!
//! The same list may select packets for a filter, sources for a service, or traffic for a tunnel; what it means is decided where it
//! is used. A row that cannot be read is kept as unknown, so that no list gets shorter than it is.

use super::address;
use super::ambiguous;
use super::lines::{Lines, is};
use crate::dialect::numbers::Numbers;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Guard, ICMP, ICMPV6, Opaque, OpaqueKind, SvcExpr, SvcTerm, TCP, UDP};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// A row of a list.
#[derive(Clone)]
pub struct AclRow {
    /// The line.
    pub span: Span,
    /// Whether it permits; unknown for a word that is neither.
    pub permit: Fact<bool>,
    /// Sources.
    pub src: Fact<AddrExpr>,
    /// Destinations.
    pub dst: Fact<AddrExpr>,
    /// Services.
    pub svc: Fact<SvcExpr>,
    /// Conditions the algebra does not model.
    pub guards: Vec<Guard>,
    /// Whether nothing but the source is asked.
    pub source_only: bool,
}

/// A static list.
pub struct Acl<'a> {
    /// Name as written.
    pub name: &'a str,
    /// Its first line.
    pub span: Span,
    /// Rows in the order of evaluation.
    pub rows: Vec<AclRow>,
}

/// A dynamic list: packets that match the trigger pass and let their answers back.
pub struct Dynamic<'a> {
    /// The line.
    pub span: Span,
    /// The static list that triggers it.
    pub trigger: &'a str,
    /// Where the trigger's name stands.
    pub trigger_span: Span,
}

/// All lists, by family and name.
#[derive(Default)]
pub struct Acls<'a> {
    lists: Vec<(bool, Acl<'a>)>,
    by_name: [HashMap<&'a str, usize>; 2],
    dynamic: [HashMap<&'a str, Dynamic<'a>>; 2],
}

impl<'a> Acls<'a> {
    /// Reads all lists.
    pub fn read(lines: &Lines<'a>, names: &Numbers<'_>) -> Acls<'a> {
        let mut acls = Acls::default();
        for (family, v6) in [("ip", false), ("ipv6", true)] {
            for node in lines.all(&[family, "access-list"]) {
                let Some(name) = node.word(2) else { continue };
                if name.eq_ignore_ascii_case("dynamic") {
                    acls.dynamic(node, v6);
                } else if !is(node, 3, "option") {
                    let ix = *acls.by_name[usize::from(v6)].entry(name).or_insert_with(|| {
                        acls.lists.push((v6, Acl { name, span: node.span(), rows: Vec::new() }));
                        acls.lists.len() - 1
                    });
                    acls.lists[ix].1.rows.push(row(node, names, v6));
                }
            }
        }
        acls
    }

    fn dynamic(&mut self, node: Node<'a>, v6: bool) {
        let (Some(name), Some(trigger)) = (node.word(3), node.word(5)) else { return };
        if is(node, 4, "access") {
            self.dynamic[usize::from(v6)].insert(name, Dynamic { span: node.span(), trigger, trigger_span: node.word_span(5) });
        }
    }

    /// The static list of a name.
    pub fn get(&self, v6: bool, name: &str) -> Option<&Acl<'a>> {
        self.by_name[usize::from(v6)].get(name).and_then(|ix| self.lists.get(*ix)).map(|(_, acl)| acl)
    }

    /// The dynamic list of a name, which goes before a static one of the same name.
    pub fn dynamic_of(&self, v6: bool, name: &str) -> Option<&Dynamic<'a>> {
        self.dynamic[usize::from(v6)].get(name)
    }

    /// All static lists with their family, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (bool, &Acl<'a>)> {
        self.lists.iter().map(|(v6, acl)| (*v6, acl))
    }

    /// All dynamic lists with family and name, in the order of the text.
    pub fn dynamics(&self) -> Vec<(bool, &'a str, &Dynamic<'a>)> {
        let of = |v6: bool| self.dynamic[usize::from(v6)].iter().map(move |(name, d)| (v6, *name, d));
        let mut all: Vec<_> = of(false).chain(of(true)).collect();
        all.sort_by_key(|(.., d)| d.span.start);
        all
    }
}

/// The ports after `sport` or `dport`: `any`, `eq N`, `range A B`; and how many words they take.
fn ports(node: Node<'_>, at: usize, names: &Numbers<'_>) -> Option<(Vec<(u16, u16)>, usize)> {
    match node.word(at)?.to_ascii_lowercase().as_str() {
        "any" => Some((Vec::new(), 1)),
        "eq" => names.port(node.word(at + 1)?).map(|p| (vec![(p, p)], 2)),
        "range" => {
            let (a, b) = (names.port(node.word(at + 1)?)?, names.port(node.word(at + 2)?)?);
            (a <= b).then(|| (vec![(a, b)], 3))
        }
        _ => None,
    }
}

/// The address after `src` or `dest`, and how many words it takes.
fn operand(node: Node<'_>, at: usize) -> (Fact<AddrExpr>, usize) {
    let span = node.word_span(at);
    let word = node.word_or_empty(at);
    if word.eq_ignore_ascii_case("any") {
        return (Fact::written(AddrExpr::Any, span), 1);
    }
    match address::net(word) {
        Some(net) => (Fact::written(address::whole(net), span), 1),
        None => (Fact::unknown(Why::at(WhyCode::Unmodelled, word, vec![node.span()])), 1),
    }
}

fn row(node: Node<'_>, names: &Numbers<'_>, v6: bool) -> AclRow {
    let whole = node.span();
    let action = node.word_span(3);
    let permit = match node.word(3) {
        Some(w) if w.eq_ignore_ascii_case("permit") => Fact::written(true, action),
        Some(w) if w.eq_ignore_ascii_case("deny") => Fact::written(false, action),
        _ => ambiguous("access-list", whole),
    };
    let (mut src, mut dst) = (None, None);
    let (mut sports, mut dports) = (Some(Vec::new()), Some(Vec::new()));
    let (mut kind, mut code) = (None, None);
    let mut guards = Vec::new();
    let mut at = 5;
    while let Some(word) = node.word(at) {
        at += 1;
        match word.to_ascii_lowercase().as_str() {
            "src" | "dest" => {
                let (operand, used) = operand(node, at);
                at += used;
                if word.eq_ignore_ascii_case("src") { src = Some(operand) } else { dst = Some(operand) }
            }
            "sport" | "dport" => {
                let found = ports(node, at, names);
                at += found.as_ref().map_or(1, |(_, used)| *used);
                let list = found.map(|(list, _)| list);
                if word.eq_ignore_ascii_case("sport") { sports = list } else { dports = list }
            }
            "type" if node.word(at).is_some() => {
                kind = Some(node.word_or_empty(at).parse::<u8>().ok());
                at += 1;
            }
            "code" if node.word(at).is_some() => {
                code = Some(node.word_or_empty(at).parse::<u8>().ok());
                at += 1;
            }
            // How the list is searched, not what it matches.
            "option" => break,
            other => guards.push(Guard::Unmodelled(node.word_span(at - 1), other.to_owned())),
        }
    }
    let protocol = node.word_or_empty(4).to_ascii_lowercase();
    let svc = service(&protocol, names, v6, (sports, dports), (kind, code));
    let missing = |what: &str| ambiguous(what, whole);
    let source_only = guards.is_empty() && matches!(svc, Some(SvcExpr::Any)) && dst.as_ref().is_some_and(is_any);
    let opaque = || SvcExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: protocol.clone(), span: node.word_span(4) });
    AclRow {
        span: whole,
        permit,
        src: src.unwrap_or_else(|| missing("src")),
        dst: dst.unwrap_or_else(|| missing("dest")),
        svc: Fact::written(svc.unwrap_or_else(opaque), whole),
        guards,
        source_only,
    }
}

/// Whether a set is everything.
pub fn is_any(expr: &Fact<AddrExpr>) -> bool {
    matches!(expr.get(), Some(AddrExpr::Any))
}

type PortLists = (Option<Vec<(u16, u16)>>, Option<Vec<(u16, u16)>>);

/// The services of a row; `None` where a word cannot be read.
fn service(
    protocol: &str,
    names: &Numbers<'_>,
    v6: bool,
    (sports, dports): PortLists,
    (kind, code): (Option<Option<u8>>, Option<Option<u8>>),
) -> Option<SvcExpr> {
    let (src_ports, dst_ports) = (sports?, dports?);
    match protocol {
        "ip" if src_ports.is_empty() && dst_ports.is_empty() => Some(SvcExpr::Any),
        "icmp" => {
            let icmp = match (kind, code) {
                (None, None) => None,
                (Some(kind), code) => Some((
                    kind?,
                    match code {
                        None => None,
                        Some(code) => Some(code?),
                    },
                )),
                (None, Some(_)) => return None,
            };
            let number = if v6 { ICMPV6 } else { ICMP };
            Some(SvcExpr::Term(SvcTerm { protocol: Some(number), src_ports: Vec::new(), dst_ports: Vec::new(), icmp }))
        }
        name => {
            let number = names.protocol(name)?;
            let has_ports = matches!(number, TCP | UDP);
            (has_ports || src_ports.is_empty() && dst_ports.is_empty()).then_some(SvcExpr::Term(SvcTerm {
                protocol: Some(number),
                src_ports,
                dst_ports,
                icmp: None,
            }))
        }
    }
}

/// Turns between permits and denials in one list; beyond that the list is not modelled, so that the work stays linear.
const TURNS: usize = 64;

/// The sources a list admits, tried from the top; unknown where a row asks for more than the source.
pub fn sources(acl: &Acl<'_>) -> Fact<AddrExpr> {
    let mut admitted: Vec<AddrExpr> = Vec::new();
    let mut run: Vec<AddrExpr> = Vec::new();
    let mut refused: Vec<AddrExpr> = Vec::new();
    let mut turns = 0;
    for row in &acl.rows {
        let (Some(permit), Some(src), true) = (row.permit.get(), row.src.get(), row.source_only) else {
            return ambiguous(acl.name, row.span);
        };
        if *permit {
            run.push(src.clone());
            if matches!(src, AddrExpr::Any) {
                break;
            }
        } else {
            turns += usize::from(!run.is_empty());
            admitted.extend(without(&mut run, &refused));
            if matches!(src, AddrExpr::Any) {
                break;
            }
            refused.push(src.clone());
        }
        if turns > TURNS {
            return Fact::unknown(Why::at(WhyCode::Unmodelled, acl.name, vec![acl.span]));
        }
    }
    admitted.extend(without(&mut run, &refused));
    let expr = if admitted.len() > 1 { AddrExpr::Union(admitted) } else { admitted.pop().unwrap_or(AddrExpr::Nothing) };
    // The list's first line stands for all of it; a proof needs no thousand lines.
    Fact::written(expr, acl.span)
}

/// A run of permits without what was refused before it.
fn without(run: &mut Vec<AddrExpr>, refused: &[AddrExpr]) -> Option<AddrExpr> {
    let mut permits = std::mem::take(run);
    let all = permits.iter().any(|p| matches!(p, AddrExpr::Any));
    let one = match permits.len() {
        _ if all => AddrExpr::Any,
        0 | 1 => permits.pop()?,
        _ => AddrExpr::Union(permits),
    };
    Some(if refused.is_empty() { one } else { AddrExpr::Except(Box::new(one), Box::new(AddrExpr::Union(refused.to_vec()))) })
}
