//! Aliases: named lists of addresses, of ports, and lists that the box fetches or fills while it runs. One may name others. They stand
//! in a section; products with models keep them there, and files of converters have both.

use super::Lowering;
use super::address::{self, opaque};
use crate::ir::fact::Fact;
use crate::ir::filter::{AddrExpr, AddrObject, AddrObjectIx, OpaqueKind};
use crate::ir::system::Definition;
use crate::source::Span;
use crate::syntax::xml::Element;
use std::cell::Cell;
use std::collections::HashMap;

/// A list of ports.
#[derive(Clone, Debug)]
pub(in crate::dialect) enum Ports {
    /// These; none means every port.
    Known(Vec<(u16, u16)>),
    /// The export does not hold them.
    Unknown,
}

#[derive(Clone, Copy)]
enum Meaning {
    Addresses(AddrObjectIx),
    Ports,
}

struct Alias<'a> {
    name: &'a str,
    span: Span,
    /// The words of the list.
    content: &'a str,
    meaning: Meaning,
    /// Whether the box fetches the content.
    fetched: bool,
    uses: Cell<u32>,
}

/// The aliases of the export.
#[derive(Default)]
pub(in crate::dialect) struct Aliases<'a> {
    by_name: HashMap<&'a str, usize>,
    list: Vec<Alias<'a>>,
}

/// Deeper nesting than the product allows.
const DEPTH: usize = 16;

impl Aliases<'_> {
    fn find(&self, name: &str) -> Option<&Alias<'_>> {
        let alias = self.list.get(*self.by_name.get(name)?)?;
        alias.uses.set(alias.uses.get() + 1);
        Some(alias)
    }

    /// The object of an alias of addresses.
    pub(in crate::dialect) fn addresses(&self, name: &str) -> Option<AddrObjectIx> {
        match self.find(name)?.meaning {
            Meaning::Addresses(ix) => Some(ix),
            Meaning::Ports => None,
        }
    }

    /// The ports of an alias of ports.
    pub(in crate::dialect) fn ports(&self, name: &str) -> Option<Ports> {
        self.ports_at(name, 0)
    }

    fn ports_at(&self, name: &str, depth: usize) -> Option<Ports> {
        let alias = self.find(name).filter(|a| matches!(a.meaning, Meaning::Ports))?;
        if alias.fetched || depth > DEPTH {
            return Some(Ports::Unknown);
        }
        let mut all = Vec::new();
        for word in alias.content.split([' ', '\n', '\t', '\r', ',']).filter(|w| !w.is_empty()) {
            match address::port_range(word) {
                Some(range) => all.push(range),
                None => match self.ports_at(word, depth + 1)? {
                    Ports::Known(more) => all.extend(more),
                    Ports::Unknown => return Some(Ports::Unknown),
                },
            }
        }
        // An empty list of ports matches nothing; no list at all would match everything.
        Some(if all.is_empty() { Ports::Unknown } else { Ports::Known(all) })
    }
}

/// Lowers them.
pub(in crate::dialect) fn lower(l: &mut Lowering<'_>) {
    let models = l.cx.models("Firewall/Alias/aliases/alias").into_iter().filter(|r| r.value("enabled") != Some("0"));
    let rows: Vec<Element<'_>> = l.cx.rows("aliases", "alias").into_iter().chain(models).collect();
    for row in &rows {
        let Some(name) = row.filled("name") else { continue };
        let kind = row.value("type").unwrap_or("");
        let fetched = l.cx.listed("fetched_aliases", kind);
        let is_port = kind.contains("port");
        let meaning = if is_port { Meaning::Ports } else { Meaning::Addresses(AddrObjectIx(l.device.addr_objects.len() as u32)) };
        if !is_port {
            // Filled in below, when every name is known.
            let value = Fact::written(AddrExpr::Nothing, row.span());
            l.device.addr_objects.push(AddrObject { name: name.text().to_owned(), value, span: Some(name.span()) });
        }
        for known in ["proto", "counters", "updatefreq", "enabled", "interface", "categories"] {
            row.child(known);
        }
        let content = row.value("content").or_else(|| row.value("address")).unwrap_or("");
        l.aliases.by_name.insert(name.text(), l.aliases.list.len());
        l.aliases.list.push(Alias { name: name.text(), span: name.span(), content, meaning, fetched, uses: Cell::new(0) });
    }
    for ix in 0..l.aliases.list.len() {
        if let Meaning::Addresses(object) = l.aliases.list[ix].meaning {
            let row = rows.iter().rfind(|r| r.value("name") == Some(l.aliases.list[ix].name)).copied();
            let value = content(l, ix, row);
            l.device.addr_objects[object.0 as usize].value = value;
        }
    }
}

fn content(l: &mut Lowering<'_>, ix: usize, row: Option<Element<'_>>) -> Fact<AddrExpr> {
    let Alias { name, span, content, fetched, .. } = l.aliases.list[ix];
    let at = row.and_then(|r| r.filled("content").or_else(|| r.filled("address")).or_else(|| r.filled("url"))).map_or(span, |e| e.span());
    if fetched {
        let country = row.and_then(|r| r.value("type")) == Some("geoip");
        return Fact::written(opaque(if country { OpaqueKind::Country } else { OpaqueKind::Feed }, name, at), at);
    }
    // A list of interfaces' networks names interfaces, one of others names groups of the box's own.
    if row.and_then(|r| r.value("type")) == Some("internal") {
        return Fact::written(opaque(OpaqueKind::Undefined, name, at), at);
    }
    let mut parts = Vec::new();
    let mut without = Vec::new();
    for word in content.split([' ', '\n', '\t', '\r', ',']).filter(|w| !w.is_empty()) {
        // An address with a mark of exclamation is taken out of the others.
        if let Some(known) = word.strip_prefix('!').and_then(address::literal) {
            without.push(known);
            continue;
        }
        let part = match address::literal(word) {
            Some(known) => Some(known),
            None if address::is_host_name(word) => Some(opaque(OpaqueKind::Fqdn, word, at)),
            None => match l.aliases.addresses(word) {
                Some(object) => Some(AddrExpr::Object(object)),
                None => {
                    if l.cx.gap("objects").is_none() {
                        address::undefined(l, "address", word, at);
                    }
                    Some(opaque(OpaqueKind::Undefined, word, at))
                }
            },
        };
        parts.extend(part);
    }
    let whole = AddrExpr::Union(parts);
    let expr = if without.is_empty() { whole } else { AddrExpr::Except(Box::new(whole), Box::new(AddrExpr::Union(without))) };
    Fact::written(expr, at)
}

/// The aliases as definitions, with how often each was asked for.
pub(in crate::dialect) fn definitions(l: &mut Lowering<'_>) {
    let list = l.aliases.list.iter().map(|a| Definition {
        kind: if matches!(a.meaning, Meaning::Ports) { "service" } else { "address" },
        name: a.name.to_owned(),
        span: a.span,
        builtin: false,
        uses: a.uses.get(),
    });
    l.device.definitions.items.extend(list);
}
