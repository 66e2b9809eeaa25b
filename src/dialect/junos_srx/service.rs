//! Applications: the product's own by the grammar's table, and those the configuration defines.

use super::Lowering;
use super::object::undefined;
use super::value::{EVERY, icmp_type, is_placeholder, ports, protocol, terms};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{ICMP, ICMPV6, Opaque, OpaqueKind, SvcExpr, SvcObject, SvcObjectIx, SvcTerm, TCP, UDP};
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{below, find_below, rows};

/// Lowers the applications of the configuration.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let mut nodes = rows(l.own, &["applications", "application"]);
    let mut sets = rows(l.own, &["applications", "application-set"]);
    if l.own != l.root {
        nodes.extend(rows(l.root, &["applications", "application"]));
        sets.extend(rows(l.root, &["applications", "application-set"]));
    }
    for node in nodes {
        if let Some(hidden) = first(node, "destination-port").map(|n| n.word_or_empty(0)).filter(|t| is_placeholder(t)) {
            l.names.hidden_app_ports.insert(node.word_or_empty(0), hidden);
        }
        let value = application(node);
        define(l, node, value);
    }
    let mut later = Vec::new();
    for node in sets {
        let why = Why::at(WhyCode::Unresolved, node.word_or_empty(0), vec![node.span()]);
        later.push((node, define(l, node, Fact::unknown(why))));
    }
    for (node, ix) in later {
        let mut parts = Vec::new();
        for word in ["application", "application-set"] {
            for member in rows(node, &[word]) {
                parts.push(by_name(l, member));
            }
        }
        l.device.svc_objects[ix.0 as usize].value = Fact::written(union(parts), node.span());
    }
}

fn define<'a>(l: &mut Lowering<'a>, node: Node<'a>, value: Fact<SvcExpr>) -> SvcObjectIx {
    let ix = SvcObjectIx(l.device.svc_objects.len() as u32);
    let name = node.word_or_empty(0);
    l.device.svc_objects.push(SvcObject { name: name.to_owned(), value, span: Some(node.span()) });
    l.names.application_uses.push(0);
    l.names.applications.insert(name, ix);
    ix
}

/// One expression for several services.
pub(super) fn union(mut parts: Vec<SvcExpr>) -> SvcExpr {
    match parts.len() {
        0 => SvcExpr::Nothing,
        1 => parts.swap_remove(0),
        _ => SvcExpr::Union(parts),
    }
}

fn application(node: Node<'_>) -> Fact<SvcExpr> {
    let terms = rows(node, &["term"]);
    let mut parts = Vec::new();
    for part in if terms.is_empty() { vec![node] } else { terms } {
        match term(part) {
            Ok(expr) => parts.push(expr),
            Err(at) => return Fact::unknown(Why::at(WhyCode::Masked, node.word_or_empty(0), vec![at])),
        }
    }
    Fact::written(union(parts), node.span())
}

fn first<'a>(node: Node<'a>, word: &str) -> Option<Node<'a>> {
    find_below(node, word).and_then(|n| below(n).next()).map(Node::read)
}

/// Ports of a statement; `Err` when they cannot be read.
fn port_list(node: Node<'_>, word: &str) -> Result<Vec<(u16, u16)>, Span> {
    match first(node, word) {
        None => Ok(Vec::new()),
        Some(value) => ports(value.word_or_empty(0)).map(|p| vec![p]).ok_or(value.span()),
    }
}

/// Protocol and ports of an application or one of its terms; `Err` names what cannot be read.
fn term(node: Node<'_>) -> Result<SvcExpr, Span> {
    for quiet in
        ["inactivity-timeout", "alg", "application-protocol", "ether-type", "description", "do-not-translate-A-query-to-AAAA-query"]
    {
        first(node, quiet);
    }
    let signature = ["uuid", "rpc-program-number", "rpc-program-name"].iter().find_map(|w| first(node, w));
    let Some(name) = first(node, "protocol") else {
        return match signature {
            Some(at) => Ok(SvcExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: "rpc".into(), span: at.span() })),
            None => Err(node.span()),
        };
    };
    let number = protocol(name.word_or_empty(0)).ok_or(name.span())?;
    let (src_ports, dst_ports) = (port_list(node, "source-port")?, port_list(node, "destination-port")?);
    let mut icmp = None;
    for (word, v6) in [("icmp-type", false), ("icmp6-type", true)] {
        if let Some(kind) = first(node, word) {
            let code = first(node, if v6 { "icmp6-code" } else { "icmp-code" }).and_then(|c| c.word_or_empty(0).parse().ok());
            icmp = Some((icmp_type(kind.word_or_empty(0), v6).ok_or(kind.span())?, code));
        }
    }
    let icmp = icmp.filter(|_| matches!(number, Some(ICMP | ICMPV6)));
    Ok(SvcExpr::Term(SvcTerm { protocol: number, src_ports, dst_ports, icmp }))
}

/// Applications whose program is told apart by more than ports: at most these packets.
fn signature(l: &Lowering<'_>, name: &str, at: Span) -> Option<SvcExpr> {
    let listed = l.grammar.names("rpc_applications").iter().any(|p| name.starts_with(p.as_str()));
    listed.then(|| SvcExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: name.to_owned(), span: at }))
}

/// The expression of an application that a statement names.
pub(super) fn by_name<'a>(l: &mut Lowering<'a>, name: Node<'a>) -> SvcExpr {
    let text = name.word_or_empty(0);
    if text == "any" {
        return SvcExpr::Any;
    }
    if let Some(ix) = l.names.applications.get(text) {
        l.names.application_uses[ix.0 as usize] += 1;
        return SvcExpr::Object(*ix);
    }
    if let Some(known) = l.grammar.file.services.get(text).and_then(|s| terms(s)) {
        return union(known.into_iter().map(SvcExpr::Term).collect());
    }
    if let Some(expr) = signature(l, text, name.span()) {
        return expr;
    }
    let opaque = |kind| SvcExpr::Opaque(Opaque { kind, text: text.to_owned(), span: name.span() });
    if text.starts_with("junos-") {
        // The product's own, of a release that the table does not know.
        return opaque(OpaqueKind::Unmodelled);
    }
    undefined(l, "service", "objects", text, name.span(), "undefined.application");
    opaque(OpaqueKind::Undefined)
}

/// Protocols and ports of a translation's `match`: protocols times ports, all TCP and UDP ports where only ports are given.
pub(super) fn of_match(protocols: &[Node<'_>], ports_of: &[Node<'_>]) -> (Vec<SvcTerm>, Option<Span>) {
    let mut numbers: Vec<u8> = protocols.iter().filter_map(|p| protocol(p.word_or_empty(0)).flatten()).collect();
    let mut unread = None;
    let mut list = Vec::new();
    for node in ports_of {
        let text = node.word_or_empty(0);
        let to = crate::syntax::brace::value(*node, &["to"]).map(|n| n.word_or_empty(0));
        match (ports(text), to.map(ports)) {
            (Some(one), None) => list.push(one),
            (Some((a, _)), Some(Some((_, b)))) => list.push((a.min(b), b.max(a))),
            _ => unread = unread.or(Some(node.span())),
        }
    }
    if numbers.is_empty() && !ports_of.is_empty() {
        numbers = vec![TCP, UDP];
    }
    let terms = numbers.into_iter().map(|n| if matches!(n, TCP | UDP) { SvcTerm::ports(n, list.clone()) } else { SvcTerm::protocol(n) });
    let terms: Vec<SvcTerm> = terms.collect();
    (if terms.is_empty() { vec![EVERY] } else { terms }, unread)
}

/// What a list of applications stands for, with its places.
pub(super) fn list<'a>(l: &mut Lowering<'a>, names: &[Node<'a>]) -> Fact<SvcExpr> {
    let parts = names.iter().map(|n| by_name(l, *n)).collect();
    Fact::known(union(parts), Origin::all(names.iter().map(|n| Origin::Written(n.span()))))
}
