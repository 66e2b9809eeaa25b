//! Aliases: named lists of addresses, of ports, and lists that the box fetches. One may name others.

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
pub(super) enum Ports {
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
pub(super) struct Aliases<'a> {
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
    pub(super) fn addresses(&self, name: &str) -> Option<AddrObjectIx> {
        match self.find(name)?.meaning {
            Meaning::Addresses(ix) => Some(ix),
            Meaning::Ports => None,
        }
    }

    /// The ports of an alias of ports.
    pub(super) fn ports(&self, name: &str) -> Option<Ports> {
        self.ports_at(name, 0)
    }

    fn ports_at(&self, name: &str, depth: usize) -> Option<Ports> {
        let alias = self.find(name).filter(|a| matches!(a.meaning, Meaning::Ports))?;
        if alias.fetched || depth > DEPTH {
            return Some(Ports::Unknown);
        }
        let mut all = Vec::new();
        for word in alias.content.split_whitespace() {
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
pub(super) fn lower(l: &mut Lowering<'_>) {
    let rows = l.cx.rows("aliases", "alias");
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
        let content = row.value("address").unwrap_or("");
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
    let at = row.and_then(|r| r.filled("address").or_else(|| r.filled("url")).or_else(|| r.filled("aliasurl"))).map_or(span, |e| e.span());
    if fetched {
        return Fact::written(opaque(OpaqueKind::Feed, name, at), at);
    }
    let mut parts = Vec::new();
    for word in content.split_whitespace() {
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
    Fact::written(AddrExpr::Union(parts), at)
}

/// The aliases as definitions, with how often each was asked for.
pub(super) fn definitions(l: &mut Lowering<'_>) {
    let list = l.aliases.list.iter().map(|a| Definition {
        kind: if matches!(a.meaning, Meaning::Ports) { "service" } else { "address" },
        name: a.name.to_owned(),
        span: a.span,
        builtin: false,
        uses: a.uses.get(),
    });
    l.device.definitions.items.extend(list);
}
