//! Address books, prefix lists, and the account of which names are defined, used, or missing.
//!
//! A name is looked for in the books of its zone first and in the global book then; a set may name sets.

use super::Lowering;
use super::value::{addresses, between, is_placeholder, union};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, AddrObject, AddrObjectIx, Opaque, OpaqueKind};
use crate::ir::system::{Definition, IfUndefined, Undefined};
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{at, below, child, rows, value};
use std::collections::HashSet;

/// A book: its key among books, and where it stands.
struct Book<'a> {
    key: &'a str,
    node: Node<'a>,
}

/// Lowers address books and prefix lists.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let books = books(l);
    // First every name, then what it stands for: sets may name what comes later.
    let mut sets = Vec::new();
    for book in &books {
        for entry in rows(book.node, &["address"]) {
            let value = plain(entry);
            define(l, book.key, entry, value);
        }
        for set in rows(book.node, &["address-set"]) {
            let why = Why::at(WhyCode::Unresolved, set.word_or_empty(0), vec![set.span()]);
            let ix = define(l, book.key, set, Fact::unknown(why));
            sets.push((book.key, set, ix));
        }
    }
    for (book, set, ix) in sets {
        let value = members(l, book, set);
        l.device.addr_objects[ix.0 as usize].value = value;
    }
    feeds(l);
    prefix_lists(l);
}

fn books<'a>(l: &mut Lowering<'a>) -> Vec<Book<'a>> {
    let mut books = Vec::new();
    for node in rows(l.own, &["security", "address-book"]) {
        let name = node.word_or_empty(0);
        if name == "global" {
            books.push(Book { key: "", node });
            continue;
        }
        books.push(Book { key: name, node });
        for zone in rows(node, &["attach", "zone"]) {
            l.names.books.entry(zone.word_or_empty(0)).or_default().push(name);
        }
    }
    for zone in rows(l.own, &["security", "zones", "security-zone"]) {
        if let Some(node) = child(zone, "address-book") {
            // The book of a zone is known by the place of its statement, which no other book has as its name.
            let key = zone.word_or_empty(0);
            books.push(Book { key, node });
            l.names.books.entry(key).or_default().push(key);
        }
    }
    books
}

fn define<'a>(l: &mut Lowering<'a>, book: &'a str, entry: Node<'a>, value: Fact<AddrExpr>) -> AddrObjectIx {
    let ix = AddrObjectIx(l.device.addr_objects.len() as u32);
    let name = entry.word_or_empty(0);
    l.device.addr_objects.push(AddrObject { name: name.to_owned(), value, span: Some(entry.span()) });
    l.names.address_uses.push(0);
    l.names.addresses.insert((book, name), ix);
    ix
}

/// `address N 192.0.2.1/32`, a DNS name, a range, or a wildcard mask.
fn plain(entry: Node<'_>) -> Fact<AddrExpr> {
    let name = entry.word_or_empty(0);
    for (word, kind) in [("dns-name", OpaqueKind::Fqdn), ("dns-address", OpaqueKind::Fqdn)] {
        if let Some(host) = value(entry, &[word]) {
            let opaque = Opaque { kind, text: host.word_or_empty(0).to_owned(), span: host.span() };
            return Fact::written(AddrExpr::Opaque(opaque), host.span());
        }
    }
    if let Some(first) = value(entry, &["range-address"]) {
        let last = value(first, &["to"]).map_or(first.word_or_empty(0), |n| n.word_or_empty(0));
        return written(between(first.word_or_empty(0), last), name, first.span());
    }
    if let Some(mask) = value(entry, &["wildcard-address"]) {
        let expr = mask.word_or_empty(0).split_once('/').and_then(|(a, m)| Some(AddrExpr::Masked(a.parse().ok()?, m.parse().ok()?)));
        return written(expr, name, mask.span());
    }
    for node in below(entry).filter(|n| n.word(0) != Some("description")) {
        node.read();
        let text = node.word_or_empty(0);
        if let Some(expr) = addresses(text) {
            return Fact::written(expr, node.span());
        }
        if is_placeholder(text) {
            return Fact::written(masked(text, node.span()), node.span());
        }
    }
    Fact::unknown(Why::at(WhyCode::Ambiguous, name, vec![entry.span()]))
}

fn written(expr: Option<AddrExpr>, name: &str, at: Span) -> Fact<AddrExpr> {
    expr.map_or_else(|| Fact::unknown(Why::at(WhyCode::Ambiguous, name, vec![at])), |e| Fact::written(e, at))
}

/// An address that somebody replaced by a word: equal words stand for equal addresses, whatever the length written behind.
pub(super) fn masked(text: &str, at: Span) -> AddrExpr {
    let word = text.split_once('/').map_or(text, |(w, _)| w);
    AddrExpr::Opaque(Opaque { kind: OpaqueKind::Masked, text: word.to_owned(), span: at })
}

fn members<'a>(l: &mut Lowering<'a>, book: &'a str, set: Node<'a>) -> Fact<AddrExpr> {
    let mut parts = Vec::new();
    let mut origins = Vec::new();
    for word in ["address", "address-set"] {
        for member in rows(set, &[word]) {
            parts.push(by_name(l, &[book, ""], member));
            origins.push(Origin::Written(member.span()));
        }
    }
    Fact::known(union(parts), Origin::all(if origins.is_empty() { vec![Origin::Written(set.span())] } else { origins }))
}

/// Lists that a server fills while the box runs.
fn feeds<'a>(l: &mut Lowering<'a>) {
    for node in rows(l.own, &["security", "dynamic-address", "address-name"]) {
        let country = at(node, &["profile", "category"]).is_some();
        let kind = if country { OpaqueKind::Country } else { OpaqueKind::Feed };
        let opaque = Opaque { kind, text: node.word_or_empty(0).to_owned(), span: node.span() };
        let ix = define(l, "", node, Fact::written(AddrExpr::Opaque(opaque), node.span()));
        // Nothing else says what it is for: a feed counts as used.
        l.names.address_uses[ix.0 as usize] += 1;
    }
}

/// The expression of a name that a statement uses, looked for in these books in turn.
pub(super) fn by_name<'a>(l: &mut Lowering<'a>, books: &[&'a str], name: Node<'a>) -> AddrExpr {
    let text = name.word_or_empty(0);
    match text {
        "any" => return AddrExpr::Any,
        "any-ipv4" => return AddrExpr::AnyV4,
        "any-ipv6" => return AddrExpr::AnyV6,
        _ => {}
    }
    let found = books.iter().find_map(|b| l.names.addresses.get(&(*b, text)).copied());
    if let Some(ix) = found {
        l.names.address_uses[ix.0 as usize] += 1;
        return AddrExpr::Object(ix);
    }
    if let Some(expr) = addresses(text) {
        return expr;
    }
    undefined(l, "address", "objects", text, name.span(), "undefined.address");
    AddrExpr::Opaque(Opaque { kind: OpaqueKind::Undefined, text: text.to_owned(), span: name.span() })
}

/// Books in which a policy looks up names of a zone.
pub(super) fn books_of<'a>(l: &Lowering<'a>, zone: Option<&str>) -> Vec<&'a str> {
    let mut books: Vec<&'a str> = zone.and_then(|z| l.names.books.get(z)).cloned().unwrap_or_default();
    books.push("");
    books
}

/// Notes a name that is used and defined nowhere.
pub(super) fn undefined(l: &mut Lowering<'_>, kind: &'static str, topic: &str, name: &str, span: Span, key: &str) {
    if l.completeness.gaps.contains_key(topic) || name.is_empty() {
        return;
    }
    let effect = l.grammar.default_as(key, l.version.as_ref(), Some(span), |v| match v {
        "matches_none" => Some(IfUndefined::MatchesNone),
        "rule_ignored" => Some(IfUndefined::RuleIgnored),
        "filter_absent" => Some(IfUndefined::FilterAbsent),
        "matches_all" => Some(IfUndefined::MatchesAll),
        _ => None,
    });
    l.names.undefined.push(Undefined { kind: shown(kind), name: name.to_owned(), span, effect });
}

/// Kinds of objects as people know them; names of one kind here are told apart by more.
fn shown(kind: &'static str) -> &'static str {
    match kind {
        "gateway" | "ike_policy" | "ike_proposal" | "ipsec_policy" => "key_exchange",
        "pool" => "nat",
        other => other,
    }
}

fn prefix_lists<'a>(l: &mut Lowering<'a>) {
    let mut nodes = rows(l.own, &["policy-options", "prefix-list"]);
    if l.own != l.root {
        nodes.extend(rows(l.root, &["policy-options", "prefix-list"]));
    }
    for list in nodes {
        let mut parts = Vec::new();
        let mut origins = Vec::new();
        for entry in below(list) {
            entry.read();
            origins.push(Origin::Written(entry.span()));
            if entry.word(0) == Some("apply-path") {
                let path = below(entry).next().map(Node::read).map_or("", |n| n.word_or_empty(0));
                parts.push(applied(l, path, entry));
                continue;
            }
            let text = entry.word_or_empty(0);
            parts.push(addresses(text).unwrap_or_else(|| masked(text, entry.span())));
        }
        let origin = if origins.is_empty() { Origin::Written(list.span()) } else { Origin::all(origins) };
        let ix = AddrObjectIx(l.device.addr_objects.len() as u32);
        let name = list.word_or_empty(0);
        l.device.addr_objects.push(AddrObject { name: name.to_owned(), value: Fact::known(union(parts), origin), span: Some(list.span()) });
        // Whether a prefix list is used is told apart from addresses.
        l.names.address_uses.push(1);
        l.names.prefix_lists.insert(name, ix);
        l.names.definitions.push(("address_group", name, list.span()));
    }
}

/// What a path of the configuration collects (`protocols bgp group <*> neighbor <*>`): the addresses at its end.
fn applied(l: &Lowering<'_>, path: &str, at: Node<'_>) -> AddrExpr {
    let mut level = vec![l.own];
    for word in path.split_whitespace() {
        let wanted = word.trim_matches('"');
        level = level
            .into_iter()
            .flat_map(|n| below(n).collect::<Vec<_>>())
            .filter(|n| n.word(0) == Some(wanted) || wanted.starts_with('<') && fits(wanted, n.word_or_empty(0)))
            .take(10_000)
            .collect();
    }
    let parts: Vec<AddrExpr> = level.iter().filter_map(|n| addresses(n.word_or_empty(0))).collect();
    if parts.is_empty() {
        let opaque = Opaque { kind: OpaqueKind::Unmodelled, text: path.to_owned(), span: at.span() };
        return AddrExpr::Opaque(opaque);
    }
    union(parts)
}

/// `<*>`, `<ge-*>`, `<*.*>`: only beginnings are told apart.
fn fits(pattern: &str, word: &str) -> bool {
    let inner = pattern.trim_matches(['<', '>']);
    let head = inner.split('*').next().unwrap_or("");
    // A dot between wildcards asks for an IPv4 address, a colon for an IPv6 one.
    word.starts_with(head) && (!inner.contains('.') || word.contains('.')) && (!inner.contains(':') || word.contains(':'))
}

/// The expression of a prefix list by name.
pub(super) fn prefix_list<'a>(l: &mut Lowering<'a>, name: Node<'a>) -> AddrExpr {
    let text = name.word_or_empty(0);
    l.used("address_group", text);
    match l.names.prefix_lists.get(text) {
        Some(ix) => AddrExpr::Object(*ix),
        None => {
            undefined(l, "address_group", "objects", text, name.span(), "undefined.prefix-list");
            AddrExpr::Opaque(Opaque { kind: OpaqueKind::Undefined, text: text.to_owned(), span: name.span() })
        }
    }
}

/// Brings the account of names to the device.
pub(super) fn finish(l: &mut Lowering<'_>) {
    let mut definitions: Vec<Definition> = Vec::new();
    let lists: HashSet<AddrObjectIx> = l.names.prefix_lists.values().copied().collect();
    for (n, object) in l.device.addr_objects.iter().enumerate() {
        let listed = lists.contains(&AddrObjectIx(n as u32));
        if let Some(span) = object.span.filter(|_| !listed) {
            let uses = l.names.address_uses[n];
            definitions.push(Definition { kind: "address", name: object.name.clone(), span, builtin: false, uses });
        }
    }
    for (n, object) in l.device.svc_objects.iter().enumerate() {
        if let Some(span) = object.span {
            let uses = l.names.application_uses[n];
            definitions.push(Definition { kind: "service", name: object.name.clone(), span, builtin: false, uses });
        }
    }
    for (kind, name, span) in &l.names.definitions {
        let uses = l.names.uses.get(&(*kind, *name)).copied().unwrap_or(0);
        definitions.push(Definition { kind: shown(kind), name: (*name).to_owned(), span: *span, builtin: false, uses });
    }
    l.device.definitions = l.list("objects", definitions);
    let undefined = std::mem::take(&mut l.names.undefined);
    l.device.undefined = l.list("objects", undefined);
}
