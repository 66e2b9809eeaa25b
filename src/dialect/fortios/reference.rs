//! Which defined names are used, for the question what is left over.
//!
//! A name counts as used wherever it stands as a quoted value of another row: better to miss an unused object than to call a used one
//! unused. Undefined names are noted where they are resolved.

use super::Lowering;
use crate::ir::fact::List;
use crate::ir::system::Definition;
use crate::source::Span;
use std::collections::HashMap;

/// Tables of names: path, kind, and the grammar's list of names the product brings.
const TABLES: &[(&str, &str, &str)] = &[
    ("firewall address", "address", "builtin_addresses"),
    ("firewall address6", "address", "builtin_addresses"),
    ("firewall addrgrp", "address_group", "builtin_addresses"),
    ("firewall addrgrp6", "address_group", "builtin_addresses"),
    ("firewall service custom", "service", "builtin_services"),
    ("firewall service group", "service_group", "builtin_service_groups"),
    ("firewall schedule recurring", "schedule", "builtin_schedules"),
    ("firewall schedule onetime", "schedule", "builtin_schedules"),
    ("firewall vip", "vip", ""),
    ("firewall vipgrp", "vip", ""),
    ("firewall ippool", "ip_pool", ""),
    ("user group", "user_group", "builtin_groups"),
    ("user radius", "auth_server", ""),
    ("user ldap", "auth_server", ""),
    ("user tacacs+", "auth_server", ""),
];

/// Attributes whose values are texts, not names.
const TEXTS: &[&str] = &["comment", "comments", "uuid", "name", "alias", "description", "buffer", "certificate", "private-key"];

/// Lowers definitions with their counts.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let mut undefined = std::mem::take(&mut l.names.undefined);
    undefined.sort_by(|a, b| (a.span, a.kind).cmp(&(b.span, b.kind)));
    undefined.dedup_by(|a, b| a.span == b.span && a.kind == b.kind);
    l.device.undefined = List { items: undefined, rest: l.cx.rest("objects") };
    if l.cx.is_global {
        l.device.definitions = List { items: Vec::new(), rest: l.cx.rest("objects") };
        return;
    }
    let mut items: Vec<Definition> = Vec::new();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    // The box quotes every name; where a text does so throughout, bare words are no names.
    let mut quoted = true;
    let text = l.cx.text;
    for (path, kind, list) in TABLES {
        for row in l.cx.own.find(path).rows() {
            let builtin = l.cx.listed(list, row.key()) || l.cx.grammar.file.services.contains_key(row.key()) && *kind == "service";
            quoted &= row.span().slice(text).ends_with('"');
            by_name.entry(row.key()).or_default().push(items.len());
            items.push(Definition { kind, name: row.key().to_owned(), span: row.span(), builtin, uses: 0 });
        }
    }
    let Some(scope) = l.cx.own.scope.clone() else {
        l.device.definitions = List { items, rest: l.cx.rest("objects") };
        return;
    };
    let mut stack: Vec<(crate::syntax::Node<'_>, Option<Span>)> = scope.nodes().map(|n| (n, None)).collect();
    while let Some((node, row)) = stack.pop() {
        let head = node.word(0);
        let row = if head == Some("edit") { Some(node.span()) } else { row };
        if matches!(head, Some("set" | "append")) && !TEXTS.contains(&node.word_or_empty(1)) {
            for ix in (2..node.len()).filter(|ix| !quoted || node.is_quoted(*ix)) {
                for at in by_name.get(node.word_or_empty(ix)).into_iter().flatten() {
                    // A row does not use itself.
                    if Some(items[*at].span) != row {
                        items[*at].uses += 1;
                    }
                }
            }
        }
        stack.extend(node.children().map(|n| (n, row)));
    }
    l.device.definitions = List { items, rest: l.cx.rest("objects") };
}
