//! NAT descriptors: static entries as translations, and what happens to packets that match none.
//!
//! A descriptor acts only where an interface applies it, and only for the outer address it covers: a packet to the router's own
//! address goes on untranslated when no applied descriptor covers that address. IPv6 is never translated.

use super::commands::{Command, Scope};
use super::{Export, address};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, IfMatch, SvcTerm, TCP, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::nat::{NatKind, NatRule, Unmatched, UnmatchedEffect};
use crate::ir::system::{Definition, IfUndefined, Undefined};
use crate::source::Span;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

/// A descriptor on an interface.
struct Applied<'a> {
    ix: InterfaceIx,
    number: &'a str,
    span: Span,
    word: Span,
}

/// Fills translations.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let applied = applied(export);
    let mut on: HashMap<&str, Vec<(InterfaceIx, Span)>> = HashMap::new();
    for a in &applied {
        on.entry(a.number).or_default().push((a.ix, a.span));
    }
    for command in export.commands.everywhere("nat descriptor masquerade static <n> <n>") {
        let places = on.get(command.keys[0]).map_or(&[][..], Vec::as_slice);
        let entry = masquerade_entry(export, &command, places, device);
        device.nat.rules.extend(entry);
    }
    for command in export.commands.everywhere("nat descriptor static <n> <n>") {
        let places = on.get(command.keys[0]).map_or(&[][..], Vec::as_slice);
        device.nat.rules.extend(static_entry(export, &command, places));
    }
    let mut by_interface: BTreeMap<InterfaceIx, Vec<&Applied<'_>>> = BTreeMap::new();
    for a in &applied {
        by_interface.entry(a.ix).or_default().push(a);
    }
    for (ix, list) in by_interface {
        let translating: Vec<&Applied<'_>> = list.into_iter().filter(|a| type_of(export, a.number).1 != Type::None).collect();
        if let Some(first) = translating.first() {
            device.nat.source_nat_on.push((ix, Origin::Written(first.span)));
            unmatched(export, ix, &translating, device);
        }
    }
    for command in export.commands.everywhere("nat descriptor type <n>") {
        device.definitions.items.push(Definition {
            kind: "nat_descriptor",
            name: command.keys[0].to_owned(),
            span: command.span(),
            builtin: false,
            uses: on.get(command.keys[0]).map_or(0, |p| p.len() as u32),
        });
    }
    let known: Vec<&str> = export.commands.everywhere("nat descriptor type <n>").map(|c| c.keys[0]).collect();
    for a in applied.iter().filter(|a| !known.contains(&a.number) && !export.gaps.contains_key("nat")) {
        let effect = export.product("nat descriptor type", |v| (v == "none").then_some(IfUndefined::RuleIgnored));
        device.undefined.items.push(Undefined { kind: "nat_descriptor", name: a.number.to_owned(), span: a.word, effect });
    }
}

fn applied<'a>(export: &Export<'a>) -> Vec<Applied<'a>> {
    let mut out = Vec::new();
    for command in export.commands.everywhere("ip @ nat descriptor") {
        let Some(ix) = export.interfaces.of(&command) else { continue };
        for (number, word) in command.args().take_while(|(w, _)| !w.eq_ignore_ascii_case("reverse")) {
            out.push(Applied { ix, number, span: command.span(), word });
        }
    }
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    None,
    Nat,
    Masquerade,
}

/// The type of a descriptor, with the fact that it translates at all.
fn type_of<'a>(export: &Export<'a>, number: &'a str) -> (Fact<bool>, Type) {
    match export.commands.keyed(Scope::Global, "nat descriptor type <n>", [number, ""]) {
        Some(command) => {
            let kind = match command.arg_or_empty(0).to_ascii_lowercase().as_str() {
                "nat" => Type::Nat,
                "masquerade" | "nat-masquerade" => Type::Masquerade,
                _ => Type::None,
            };
            (Fact::written(kind != Type::None, command.span()), kind)
        }
        None => {
            let fact = export.absent("nat descriptor type", "nat", |v| Some(v != "none"));
            // A part of a configuration may lack the line: a descriptor that is applied most likely masquerades.
            let kind = if fact.value.tri().is_none() { Type::Masquerade } else { Type::None };
            (fact, kind)
        }
    }
}

/// The outer addresses of a descriptor; `None`: the interface's own.
fn outer<'a>(export: &Export<'a>, number: &'a str) -> Option<Vec<(IpAddr, IpAddr)>> {
    let command = export.commands.keyed(Scope::Global, "nat descriptor address outer <n>", [number, ""])?;
    let ranges: Vec<(IpAddr, IpAddr)> =
        command.args().filter_map(|(w, _)| w.parse().ok().map(|a| (a, a)).or_else(|| address::range(w))).collect();
    (!ranges.is_empty()).then_some(ranges)
}

/// The outer address of a masquerade: the first one.
fn masquerade_outer<'a>(export: &Export<'a>, number: &'a str, span: Span) -> Fact<AddrExpr> {
    match outer(export, number).and_then(|r| r.first().copied()) {
        Some((first, _)) => Fact::written(AddrExpr::Range(first, first), span),
        None => Fact::written(AddrExpr::SelfAddrs, span),
    }
}

fn live<'a>(export: &Export<'a>, command: &Command<'a>, places: &[(InterfaceIx, Span)], wants: fn(Type) -> bool) -> Live {
    let bound = match places.first() {
        Some(_) => Fact::known(true, Origin::all(places.iter().map(|(_, s)| Origin::Written(*s)))),
        None => Fact::known(false, Origin::inferred("nat_not_applied", [Origin::Written(command.span())])),
    };
    let (translates, kind) = type_of(export, command.keys[0]);
    let fits = translates.and(&Fact::known(wants(kind), translates.origin.clone()));
    Live::own(Fact::written(true, command.span())).with(LinkKind::Bound, bound).with(LinkKind::FeatureOn, fits)
}

/// Ports of one entry: those that stay, and those that shift with the first inner port.
struct PortMap {
    outer: Vec<(u16, u16)>,
    shift: Option<u16>,
}

fn port_maps(export: &Export<'_>, word: &str) -> Option<Vec<PortMap>> {
    let mut same = PortMap { outer: Vec::new(), shift: None };
    let mut out = Vec::new();
    for part in word.split(',').filter(|p| !p.is_empty()) {
        match part.split_once('=') {
            Some((outside, inside)) => {
                let inside = address::ports(&export.names, inside)?.first()?.0;
                out.push(PortMap { outer: address::ports(&export.names, outside)?, shift: Some(inside) });
            }
            None => same.outer.extend(address::ports(&export.names, part)?),
        }
    }
    if !same.outer.is_empty() {
        out.push(same);
    }
    Some(out)
}

/// Whether an inner address is the outer one of its descriptor, and so the router itself: the address of the interface is that
/// one, or is not written.
fn leads_to_the_router(export: &Export<'_>, command: &Command<'_>, places: &[(InterfaceIx, Span)], device: &Device) -> Option<Origin> {
    let inner: IpAddr = command.arg(0)?.parse().ok()?;
    let outer_line = export.commands.keyed(Scope::Global, "nat descriptor address outer <n>", [command.keys[0], ""])?;
    let is_outer = outer(export, command.keys[0])?.iter().any(|(first, last)| *first == inner && *last == inner);
    let other = |ix: &InterfaceIx| {
        let own = device.interfaces.get(ix.0 as usize).map_or(&[][..], |i| i.addresses.as_slice());
        own.iter().any(|a| !a.v6 && a.net.get().is_some_and(|n| n.addr != inner))
    };
    let fits = is_outer && !places.is_empty() && !places.iter().any(|(ix, _)| other(ix));
    fits.then(|| Origin::all([Origin::Written(command.arg_span(0)), Origin::Written(outer_line.span())]))
}

fn masquerade_entry<'a>(export: &Export<'a>, command: &Command<'a>, places: &[(InterfaceIx, Span)], device: &Device) -> Vec<NatRule> {
    let inner = command.arg_or_empty(0);
    let to = match address::one(inner) {
        Some(_) if let Some(origin) = leads_to_the_router(export, command, places, device) => Fact::known(AddrExpr::SelfAddrs, origin),
        Some(expr) => Fact::written(expr, command.arg_span(0)),
        None => Fact::unknown(Why::at(WhyCode::Ambiguous, "nat descriptor masquerade static", vec![command.span()])),
    };
    let protocols: Vec<u8> = command.arg_or_empty(1).split(',').filter_map(|p| export.names.protocol(p)).collect();
    let maps = match command.arg(2) {
        Some(word) => port_maps(export, word).unwrap_or_default(),
        None => Vec::new(),
    };
    let base = |svc: Vec<SvcTerm>, to_port| NatRule {
        name: format!("{}/{}", command.keys[0], command.keys[1]),
        span: command.span(),
        kind: NatKind::PortForward,
        live: live(export, command, places, |t| t == Type::Masquerade),
        ingress: IfMatch::These(places.iter().map(|(ix, _)| *ix).collect()),
        family: Family::V4,
        src: Fact::written(AddrExpr::AnyV4, command.span()),
        orig_dst: masquerade_outer(export, command.keys[0], command.span()),
        orig_svc: svc,
        to: to.clone(),
        to_port,
        needs_reference: false,
        layer7: false,
    };
    let with_ports: Vec<u8> = protocols.iter().copied().filter(|p| matches!(*p, TCP | UDP)).collect();
    let mut out = Vec::new();
    let whole: Vec<SvcTerm> = protocols.iter().filter(|p| !with_ports.contains(p)).map(|p| SvcTerm::protocol(*p)).collect();
    if !whole.is_empty() {
        out.push(base(whole, None));
    }
    for map in maps.iter().filter(|_| !with_ports.is_empty()) {
        out.push(base(with_ports.iter().map(|p| SvcTerm::ports(*p, map.outer.clone())).collect(), map.shift));
    }
    if maps.is_empty() && !with_ports.is_empty() {
        out.push(base(with_ports.iter().map(|p| SvcTerm::protocol(*p)).collect(), None));
    }
    out
}

/// `nat descriptor static D ID outer=inner [count]` or `outer=inner/mask`.
fn static_entry<'a>(export: &Export<'a>, command: &Command<'a>, places: &[(InterfaceIx, Span)]) -> Option<NatRule> {
    let (outside, inside) = command.arg(0)?.split_once('=')?;
    let count: u32 = command.arg(1).and_then(|w| w.parse().ok()).unwrap_or(1).max(1);
    let outside: Ipv4Addr = outside.parse().ok()?;
    let (orig, to) = match inside.split_once('/') {
        Some((addr, mask)) => {
            let net = |a: &str| address::net(&format!("{a}/{mask}")).map(|n| n.range());
            let (o, i) = (net(&outside.to_string())?, net(addr)?);
            (AddrExpr::Range(o.0, o.1), AddrExpr::Range(i.0, i.1))
        }
        None => {
            let inside: Ipv4Addr = inside.parse().ok()?;
            let to = |a: Ipv4Addr| AddrExpr::Range(IpAddr::V4(a), IpAddr::V4(u32::from(a).saturating_add(count - 1).into()));
            (to(outside), to(inside))
        }
    };
    Some(NatRule {
        name: format!("{}/{}", command.keys[0], command.keys[1]),
        span: command.span(),
        kind: NatKind::OneToOne,
        live: live(export, command, places, |t| t != Type::None),
        ingress: IfMatch::These(places.iter().map(|(ix, _)| *ix).collect()),
        family: Family::V4,
        src: Fact::written(AddrExpr::AnyV4, command.span()),
        orig_dst: Fact::written(orig, command.arg_span(0)),
        orig_svc: Vec::new(),
        to: Fact::written(to, command.arg_span(0)),
        to_port: None,
        needs_reference: false,
        layer7: false,
    })
}

/// What an interface does with packets that match no entry. The descriptor that covers the router's own address decides.
fn unmatched<'a>(export: &Export<'a>, ix: InterfaceIx, list: &[&Applied<'a>], device: &mut Device) {
    let own: Vec<IpAddr> = device
        .interfaces
        .get(ix.0 as usize)
        .map_or_else(Vec::new, |i| i.addresses.iter().filter(|a| !a.v6).filter_map(|a| a.net.get().map(|n| n.addr)).collect());
    let covers = |a: &&&Applied<'a>| match outer(export, a.number) {
        Some(ranges) => own.is_empty() || own.iter().any(|addr| ranges.iter().any(|(first, last)| first <= addr && addr <= last)),
        None => true,
    };
    let ingress = IfMatch::These(vec![ix]);
    let Some(decides) = list.iter().find(covers) else {
        let lines = list.iter().filter_map(|a| export.commands.keyed(Scope::Global, "nat descriptor address outer <n>", [a.number, ""]));
        let origin = Origin::inferred("nat_covers_other_addresses", lines.map(|c| Origin::Written(c.span())));
        device.nat.unmatched.push(Unmatched { ingress, effect: Fact::known(UnmatchedEffect::Pass, origin) });
        return;
    };
    let (translates, kind) = type_of(export, decides.number);
    let effect = match kind {
        Type::Masquerade => incoming(export, decides, &translates, device),
        Type::Nat | Type::None => export.product("nat descriptor type nat unmatched", |v| (v == "pass").then_some(UnmatchedEffect::Pass)),
    };
    device.nat.unmatched.push(Unmatched { ingress, effect });
}

fn incoming<'a>(export: &Export<'a>, applied: &Applied<'a>, translates: &Fact<bool>, device: &mut Device) -> Fact<UnmatchedEffect> {
    let Some(command) = export.commands.keyed(Scope::Global, "nat descriptor masquerade incoming <n>", [applied.number, ""]) else {
        let fact = export.absent("nat descriptor masquerade incoming", "nat", |v| (v == "reject").then_some(UnmatchedEffect::Drop));
        return match &fact.value {
            Val::Known(_) => Fact { value: fact.value, origin: Origin::all([translates.origin.clone(), fact.origin]) },
            _ => fact,
        };
    };
    match command.arg_or_empty(0).to_ascii_lowercase().as_str() {
        "reject" | "discard" => Fact::written(UnmatchedEffect::Drop, command.span()),
        "through" => {
            // Since train 14 `through` still refuses TCP below port 1024; older manuals name no such exception.
            if export.version.as_ref().is_some_and(|v| v.parts.first().is_some_and(|train| *train >= 14)) {
                device.nat.rules.push(low_ports(export, &command, applied));
            }
            Fact::written(UnmatchedEffect::Pass, command.span())
        }
        "forward" => match command.arg_or_empty(1).parse() {
            Ok(addr) => Fact::written(UnmatchedEffect::Forward(addr), command.span()),
            Err(_) => Fact::unknown(Why::at(WhyCode::Ambiguous, "nat descriptor masquerade incoming", vec![command.span()])),
        },
        _ => Fact::unknown(Why::at(WhyCode::Ambiguous, "nat descriptor masquerade incoming", vec![command.span()])),
    }
}

fn low_ports<'a>(export: &Export<'a>, command: &Command<'a>, applied: &Applied<'a>) -> NatRule {
    NatRule {
        name: format!("{} incoming", command.keys[0]),
        span: command.span(),
        kind: NatKind::PortForward,
        live: Live::own(Fact::written(true, command.span())),
        ingress: IfMatch::These(vec![applied.ix]),
        family: Family::V4,
        src: Fact::written(AddrExpr::AnyV4, command.span()),
        orig_dst: masquerade_outer(export, command.keys[0], command.span()),
        orig_svc: vec![SvcTerm::ports(TCP, vec![(0, 1023)])],
        to: Fact::written(AddrExpr::Nothing, command.span()),
        to_port: None,
        needs_reference: false,
        layer7: false,
    }
}

/// The addresses given to users of a peer: its pool, or the DHCP scopes it takes from.
pub fn pool(export: &Export<'_>, scope: Scope) -> Fact<AddrExpr> {
    let unknown =
        |span: Option<Span>| Fact::unknown(Why::at(WhyCode::RuntimeContent, "ip pp remote address pool", span.into_iter().collect()));
    let Some(command) = export.commands.keyed(scope, "ip @ remote address pool", ["pp", ""]) else { return unknown(None) };
    let words: Vec<&str> = command.args().map(|(w, _)| w).collect();
    let parts: Vec<AddrExpr> = words.iter().filter_map(|w| address::one(w)).collect();
    if !parts.is_empty() {
        return Fact::written(AddrExpr::Union(parts), command.span());
    }
    let scopes: Vec<AddrExpr> = export
        .commands
        .everywhere("dhcp scope <n>")
        .filter_map(|c| c.arg(0))
        .filter_map(|w| address::range(w.split('/').next().unwrap_or("")).map(|(a, b)| AddrExpr::Range(a, b)))
        .collect();
    if command.is("dhcp") && !scopes.is_empty() {
        let lines = export.commands.everywhere("dhcp scope <n>").map(|c| Origin::Written(c.span()));
        return Fact::known(
            AddrExpr::Union(scopes),
            Origin::inferred("pool_from_dhcp", std::iter::once(Origin::Written(command.span())).chain(lines)),
        );
    }
    unknown(Some(command.span()))
}
