//! Address objects and groups of both families, and schedules.
//!
//! A row without `subnet` is every address, whatever it is called: that is the attribute's default. What only the running box knows
//! (names, countries, feeds) becomes an opaque set.

use super::Lowering;
use super::address::{between, network};
use super::context::Fields;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, AddrObject, AddrObjectIx, Opaque, OpaqueKind};
use crate::ir::interface::is_public;
use crate::ir::system::{IfUndefined, Undefined};
use crate::source::Span;

/// Address family of a namespace of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    V4,
    V6,
}

/// Lowers addresses, groups and schedules.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let mut groups = Vec::new();
    for (space, table) in [
        (Space::V4, "firewall address"),
        (Space::V4, "firewall addrgrp"),
        (Space::V4, "firewall multicast-address"),
        (Space::V6, "firewall address6"),
        (Space::V6, "firewall addrgrp6"),
        (Space::V6, "firewall multicast-address6"),
    ] {
        for row in l.cx.own.find(table).rows() {
            for unused in ["uuid", "comment", "color", "visibility", "associated-interface", "allow-routing"] {
                row.get(unused);
            }
            let ix = AddrObjectIx(l.device.addr_objects.len() as u32);
            let map = if space == Space::V4 { &mut l.names.addresses } else { &mut l.names.addresses6 };
            map.entry(row.key()).or_insert(ix);
            let group = table.contains("addrgrp");
            let value = if group { Fact::written(AddrExpr::Nothing, row.span()) } else { value(l, &row, space) };
            l.device.addr_objects.push(AddrObject { name: row.key().to_owned(), value, span: Some(row.span()) });
            if group {
                groups.push((ix, space, row));
            }
        }
    }
    // Groups name each other in any order, so their members are read when every name is known.
    for (ix, space, row) in groups {
        let members = row.values("member");
        let mut expr = AddrExpr::Union(members.iter().map(|(n, at)| address(l, space, n, *at)).collect());
        if row.enabled("exclude") {
            let except = row.values("exclude-member");
            let except = AddrExpr::Union(except.iter().map(|(n, at)| address(l, space, n, *at)).collect());
            expr = AddrExpr::Except(Box::new(expr), Box::new(except));
        }
        let span = row.get("member").map_or(row.span(), |a| a.span());
        l.device.addr_objects[ix.0 as usize].value = Fact::written(expr, span);
    }
    schedules(l);
}

fn opaque(kind: OpaqueKind, text: &str, span: Span) -> AddrExpr {
    AddrExpr::Opaque(Opaque { kind, text: text.to_owned(), span })
}

/// What an address row stands for.
fn value(l: &Lowering<'_>, row: &Fields<'_>, space: Space) -> Fact<AddrExpr> {
    let kind = row.get("type");
    let at = kind.map_or(row.span(), |a| a.span());
    let text = |attribute: &str| row.name(attribute).map_or((row.key(), at), |(v, span)| (v, span));
    let unmodelled = || Fact::written(opaque(OpaqueKind::Unmodelled, row.key(), at), at);
    if l.cx.listed("runtime_addresses", row.key()) {
        return Fact::written(opaque(OpaqueKind::Feed, row.key(), at), at);
    }
    // A group of multicast addresses is a range unless it says otherwise.
    let plain = if row.get("start-ip").is_some() && row.get("subnet").is_none() { "iprange" } else { "ipmask" };
    match kind.map(|a| a.value()).unwrap_or(plain) {
        "ipmask" | "ipprefix" | "simple" => subnet(l, row, space),
        "iprange" | "multicastrange" | "broadcastmask" => match (row.name("start-ip"), row.name("end-ip")) {
            (Some((first, span)), Some((last, _))) => match between(first, last) {
                Some(expr) => Fact::written(expr, span),
                None => Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![span])),
            },
            _ => subnet(l, row, space),
        },
        "fqdn" | "wildcard-fqdn" => {
            let (name, span) = row.name("fqdn").or_else(|| row.name("wildcard-fqdn")).unwrap_or((row.key(), at));
            Fact::written(opaque(OpaqueKind::Fqdn, name, span), span)
        }
        "geography" => {
            let (name, span) = text("country");
            Fact::written(opaque(OpaqueKind::Country, name, span), span)
        }
        "wildcard" => match row.get("wildcard").map(|a| (network(&a.values().collect::<Vec<_>>()), a.span())) {
            Some((Some(expr), span)) => Fact::written(expr, span),
            _ => unmodelled(),
        },
        "interface-subnet" => match row.name("interface").and_then(|(n, span)| Some((*l.names.interfaces.get(n)?, span))) {
            Some((ix, span)) => Fact::written(AddrExpr::InterfaceNet(ix), span),
            None => subnet(l, row, space),
        },
        "dynamic" => {
            let (name, span) = text("sdn");
            row.get("sub-type");
            Fact::written(opaque(OpaqueKind::Feed, name, span), at)
        }
        _ => unmodelled(),
    }
}

/// `subnet A M` or `ip6 A/len`; without the line every address.
fn subnet(l: &Lowering<'_>, row: &Fields<'_>, space: Space) -> Fact<AddrExpr> {
    let (attribute, key) = match space {
        Space::V4 => ("subnet", "firewall address.subnet"),
        Space::V6 => ("ip6", "firewall address6.ip6"),
    };
    match row.get(attribute) {
        Some(line) => match network(&line.values().collect::<Vec<_>>()) {
            Some(expr) => Fact::written(expr, line.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![line.span()])),
        },
        None => l.cx.default(key, Some(row.span()), |v| network(&v.split_whitespace().collect::<Vec<_>>())),
    }
}

/// The address a name stands for. A name that is defined nowhere is noted; what it matches is not known.
pub(super) fn address<'a>(l: &mut Lowering<'a>, space: Space, name: &'a str, span: Span) -> AddrExpr {
    let (map, any) = match space {
        Space::V4 => (&l.names.addresses, AddrExpr::AnyV4),
        Space::V6 => (&l.names.addresses6, AddrExpr::AnyV6),
    };
    if let Some(ix) = map.get(name) {
        return AddrExpr::Object(*ix);
    }
    // The product's own names need no definition.
    match name {
        "all" | "any" => return any,
        "none" => return AddrExpr::Nothing,
        _ => {}
    }
    if l.cx.listed("builtin_addresses", name) {
        return opaque(OpaqueKind::Feed, name, span);
    }
    undefined(l, "address", name, span);
    opaque(OpaqueKind::Undefined, name, span)
}

/// Notes a name that is used and defined nowhere. In a fragment the definition may simply be left out.
pub(super) fn undefined(l: &mut Lowering<'_>, kind: &'static str, name: &str, span: Span) {
    if l.cx.gap("objects").is_some() {
        return;
    }
    let effect: Fact<IfUndefined> = Fact::unknown(Why::at(WhyCode::Unresolved, name, vec![span]));
    l.names.undefined.push(Undefined { kind, name: name.to_owned(), span, effect });
}

/// Which schedules hold the whole week.
fn schedules(l: &mut Lowering<'_>) {
    for row in l.cx.own.find("firewall schedule recurring").rows() {
        row.get("color");
        let days = row.values("day").len();
        let (start, end) = (row.value("start"), row.value("end"));
        l.names.schedules.insert(row.key(), days == 7 && start == end);
    }
    for table in ["firewall schedule onetime", "firewall schedule group"] {
        for row in l.cx.own.find(table).rows() {
            for unused in ["start", "end", "member", "color", "expiration-days"] {
                row.get(unused);
            }
            l.names.schedules.insert(row.key(), false);
        }
    }
}

/// Whether a schedule leaves times out. `always` does not, even where a fragment does not define it.
pub(super) fn limits_time<'a>(l: &mut Lowering<'a>, name: &'a str, span: Span) -> bool {
    if name == "always" {
        return false;
    }
    match l.names.schedules.get(name) {
        Some(whole_week) => !whole_week,
        None => {
            if !l.cx.listed("builtin_schedules", name) {
                undefined(l, "schedule", name, span);
            }
            true
        }
    }
}

/// Whether an expression surely holds no public address: for what is translated towards inside networks only.
pub(super) fn surely_private(l: &Lowering<'_>, expr: &AddrExpr, depth: u8) -> bool {
    match expr {
        AddrExpr::Range(a, b) => !is_public(*a) && !is_public(*b),
        AddrExpr::Union(parts) => !parts.is_empty() && parts.iter().all(|p| surely_private(l, p, depth)),
        AddrExpr::Object(ix) if depth > 0 => {
            l.device.addr_objects.get(ix.0 as usize).and_then(|o| o.value.get()).is_some_and(|e| surely_private(l, e, depth - 1))
        }
        AddrExpr::Nothing | AddrExpr::InterfaceNet(_) => true,
        _ => false,
    }
}

/// A fact about several named things: the lines that name them.
pub(super) fn named_at(spans: &[(&str, Span)], fallback: Span) -> Origin {
    if spans.is_empty() { Origin::Written(fallback) } else { Origin::all(spans.iter().map(|(_, s)| Origin::Written(*s))) }
}
