//! Address lists: what rows put into them, names among it, and what only fills while the box runs.
//!
//! A list that nothing in the export fills is empty and matches nothing. One that rules, users, leases or scripts fill holds
//! what nobody can tell from an export, besides what its rows say.

use super::{Export, address};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{AddrExpr, AddrObject, AddrObjectIx, Opaque, OpaqueKind};
use crate::ir::system::{Definition, IfUndefined, Undefined};
use crate::source::Span;
use std::collections::{HashMap, HashSet};

/// Objects by family and name.
#[derive(Default)]
pub struct AddressLists {
    by_name: HashMap<(bool, String), AddrObjectIx>,
}

impl AddressLists {
    /// The object of a list that rows or running functions fill.
    pub fn get(&self, v6: bool, name: &str) -> Option<AddrObjectIx> {
        self.by_name.get(&(v6, name.to_owned())).copied()
    }
}

struct Content {
    parts: Vec<AddrExpr>,
    span: Option<Span>,
    order: usize,
}

/// Menus whose rows put addresses into lists while the box runs.
const FILLERS: [&str; 12] = [
    "/ip firewall filter",
    "/ip firewall nat",
    "/ip firewall mangle",
    "/ip firewall raw",
    "/ipv6 firewall filter",
    "/ipv6 firewall mangle",
    "/ipv6 firewall raw",
    "/ppp profile",
    "/ppp secret",
    "/ip dhcp-server lease",
    "/ip dhcp-server",
    "/ip dns static",
];

/// Fills address objects, their definitions, and the names that nothing defines.
pub fn fill(export: &mut Export<'_>, device: &mut Device) {
    let mut content: HashMap<(bool, String), Content> = HashMap::new();
    for (path, v6) in [("/ip firewall address-list", false), ("/ipv6 firewall address-list", true)] {
        for row in export.menus.rows(path) {
            let (Some(list), Some(value)) = (row.text("list"), row.text("address")) else { continue };
            let _ = (row.get("comment"), row.get("dynamic"), row.get("creation-time"), row.get("timeout"));
            let order = content.len();
            let entry = content.entry((v6, list.text.to_owned())).or_insert(Content { parts: Vec::new(), span: None, order });
            entry.span.get_or_insert(row.span());
            if row.get("disabled").is_some_and(|v| v.text == "yes") {
                continue;
            }
            entry.parts.push(
                address::set(value.text)
                    .unwrap_or_else(|| AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: value.text.to_owned(), span: value.span })),
            );
        }
    }
    let mut filled: HashMap<String, Span> = HashMap::new();
    for path in FILLERS {
        for item in export.menus.unmarked(path) {
            for (_, value) in item.attributes().filter(|(_, v)| matches!(v.key, "address-list" | "address-lists")) {
                for name in value.parts() {
                    filled.entry(name.to_owned()).or_insert(value.span);
                }
            }
        }
    }
    let (used, scripts) = (uses(export), scripts(export));
    let mut counts: HashMap<(bool, String), u32> = HashMap::new();
    for (v6, name, _) in &used {
        *counts.entry((*v6, name.clone())).or_default() += 1;
    }
    for (v6, name, span) in &used {
        if !content.contains_key(&(*v6, name.clone())) && !filled.contains_key(name) && scripts.may_name(name) {
            filled.insert(name.clone(), *span);
        }
    }
    let mut names: Vec<((bool, String), Content)> = content.into_iter().collect();
    names.sort_by_key(|(_, c)| c.order);
    let known: HashSet<(bool, String)> = names.iter().map(|(k, _)| k.clone()).collect();
    let mut runtime: Vec<&String> = filled.keys().collect();
    runtime.sort();
    for name in runtime {
        for v6 in [false, true] {
            let key = (v6, name.clone());
            if !known.contains(&key) {
                names.push((key, Content { parts: Vec::new(), span: None, order: 0 }));
            }
        }
    }
    for ((v6, name), mut one) in names {
        if let Some(span) = filled.get(&name) {
            let text = format!("{}{name}", if v6 { "ipv6 " } else { "" });
            one.parts.push(AddrExpr::Opaque(Opaque { kind: OpaqueKind::Feed, text, span: *span }));
        }
        let ix = AddrObjectIx(device.addr_objects.len() as u32);
        let origin = one.span.or_else(|| filled.get(&name).copied()).map_or_else(|| export.evidence(), Origin::Written);
        if let Some(span) = one.span {
            let count = counts.get(&(v6, name.clone())).copied().unwrap_or(0);
            let uses = count + u32::from(scripts.may_name(&name));
            device.definitions.items.push(Definition { kind: "address", name: name.clone(), span, builtin: false, uses });
        }
        device.addr_objects.push(AddrObject { name: name.clone(), value: Fact::known(AddrExpr::union(one.parts), origin), span: one.span });
        export.lists.by_name.insert((v6, name), ix);
    }
    let mut seen = HashSet::new();
    // Where lists may be missing from the export, a name without rows says nothing.
    let used = if export.gaps.contains_key("objects") { Vec::new() } else { used };
    for (v6, name, span) in used {
        if export.lists.get(v6, &name).is_none() && seen.insert((v6, name.clone())) {
            let effect = Fact::known(IfUndefined::MatchesNone, Origin::inferred("infer.empty_address_list", [Origin::Written(span)]));
            device.undefined.items.push(Undefined { kind: "address", name, span, effect });
        }
    }
    device.definitions = export.list("objects", std::mem::take(&mut device.definitions.items));
    device.undefined = export.list("objects", std::mem::take(&mut device.undefined.items));
}

/// Where rows name lists.
fn uses(export: &Export<'_>) -> Vec<(bool, String, Span)> {
    let mut out = Vec::new();
    for (family, v6) in [("/ip", false), ("/ipv6", true)] {
        for menu in ["filter", "nat", "raw", "mangle"] {
            for item in export.menus.unmarked(&format!("{family} firewall {menu}")) {
                for (_, value) in item.attributes().filter(|(_, v)| matches!(v.key, "src-address-list" | "dst-address-list")) {
                    let (value, _) = value.negated();
                    if !value.text.is_empty() {
                        out.push((v6, value.text.to_owned(), value.span));
                    }
                }
            }
        }
    }
    out
}

/// Words of the scripts that touch address lists. What the scripts do is not read, but a list they name may be filled by them.
struct Scripts<'a> {
    words: HashSet<&'a str>,
}

/// Parts of a text that may be names, or pieces of names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))).filter(|w| !w.is_empty())
}

impl Scripts<'_> {
    fn may_name(&self, list: &str) -> bool {
        words(list).next().is_some() && words(list).all(|w| self.words.contains(w))
    }
}

fn scripts<'a>(export: &Export<'a>) -> Scripts<'a> {
    let mut found = HashSet::new();
    for (path, key) in [("/system script", "source"), ("/system scheduler", "on-event")] {
        for item in export.menus.unmarked(path) {
            let texts = item.attributes().filter(|(_, v)| v.key == key && v.text.contains("address-list"));
            texts.for_each(|(_, v)| found.extend(words(v.text)));
        }
    }
    Scripts { words: found }
}
