//! Address translation, in the language of 8.3 and later (objects, `source static`) and in the earlier one (`static`, `nat`,
//! `global`). Only what leads packets from outside to a host matters here, and where sources are translated on the way out.
//!
//! Before 8.3 filters see addresses before the translation, later after it; the order is declared in `filter`.

use super::Export;
use super::ace::Cursor;
use super::lines::has_word;
use super::object::Objects;
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{AddrExpr, Family, IfMatch, SvcTerm, TCP, UDP};
use crate::ir::live::Live;
use crate::ir::nat::{NatKind, NatRule};
use crate::source::Span;
use crate::syntax::Node;

/// `(inside,outside)`.
fn pair(word: &str) -> Option<(&str, &str)> {
    word.strip_prefix('(')?.strip_suffix(')')?.split_once(',')
}

fn on(export: &Export<'_>, name: &str, span: Span) -> IfMatch {
    match (name, export.interface(name)) {
        ("any", _) => IfMatch::Any,
        (_, Some(ix)) => IfMatch::These(vec![ix]),
        _ => IfMatch::Unknown(crate::ir::fact::Why::at(crate::ir::fact::WhyCode::Unresolved, name, vec![span])),
    }
}

/// Fills the device's translations in order: manual ones, those of objects, and manual ones after these.
pub fn fill<'a>(export: &Export<'a>, objects: &Objects<'a>, device: &mut Device) {
    let manual: Vec<Node<'a>> = export.lines.of("nat").iter().copied().filter(|n| n.word(1).is_some_and(|w| pair(w).is_some())).collect();
    let (last, first): (Vec<_>, Vec<_>) = manual.into_iter().partition(|n| n.word(2) == Some("after-auto"));
    first.into_iter().for_each(|n| twice(export, objects, n.read(), 2, device));
    for object in export.lines.of("object").iter().filter(|n| n.word(1) == Some("network")) {
        for line in object.children().filter(|n| n.word(0) == Some("nat")) {
            of_object(export, objects, *object, line.read(), device);
        }
    }
    last.into_iter().for_each(|n| twice(export, objects, n.read(), 3, device));
    for line in export.lines.all(&["static"]) {
        earlier(export, line, device);
    }
    for line in export.lines.all(&["global"]) {
        let name = line.word_or_empty(1).trim_matches(['(', ')']);
        hides(export, name, line, device);
    }
    // `nat (inside) 1 ...` names what is translated; where to is said by `global`.
    for line in export.lines.of("nat").iter().filter(|n| n.word(1).is_some_and(|w| pair(w).is_none())) {
        if line.read().word(3) == Some("access-list") {
            export.uses("filter", line.word_or_empty(4));
        }
    }
}

/// Sources are translated on the way out of an interface.
fn hides(export: &Export<'_>, name: &str, line: Node<'_>, device: &mut Device) {
    if let Some(ix) = export.interface(name) {
        device.nat.source_nat_on.push((ix, Origin::Written(line.span())));
    }
}

struct Way {
    name: String,
    span: Span,
    ingress: IfMatch,
    src: Fact<AddrExpr>,
    orig_dst: AddrExpr,
    orig_dst_at: Span,
    orig_svc: Vec<SvcTerm>,
    to: AddrExpr,
    to_at: Span,
    to_port: Option<u16>,
    live: Fact<bool>,
}

fn add(device: &mut Device, way: Way) {
    let kind = if way.orig_svc.is_empty() { NatKind::OneToOne } else { NatKind::PortForward };
    device.nat.rules.push(NatRule {
        name: way.name,
        span: way.span,
        kind,
        live: Live::own(way.live),
        ingress: way.ingress,
        family: Family::V4,
        src: way.src,
        orig_dst: Fact::written(way.orig_dst, way.orig_dst_at),
        orig_svc: way.orig_svc,
        to: Fact::written(way.to, way.to_at),
        to_port: way.to_port,
        needs_reference: false,
        layer7: false,
    });
}

fn protocol(word: &str) -> Option<u8> {
    match word {
        "tcp" => Some(TCP),
        "udp" => Some(UDP),
        "sctp" => Some(132),
        _ => None,
    }
}

/// The address that a word of a translation names: `interface`, an object, or a host.
fn mapped<'a>(export: &Export<'a>, objects: &Objects<'a>, node: Node<'a>, ix: usize, interface: &str) -> AddrExpr {
    let (word, span) = (node.word_or_empty(ix), node.word_span(ix));
    match word {
        "interface" => export.interfaces.address(interface, span),
        "any" => AddrExpr::Any,
        word if objects.addresses.contains_key(word) => objects.address(export, word, span),
        word => export.names.host(word, span),
    }
}

/// `nat (real,mapped) static <address> [service tcp <real port> <mapped port>]` below an object.
fn of_object<'a>(export: &Export<'a>, objects: &Objects<'a>, object: Node<'a>, line: Node<'a>, device: &mut Device) {
    let at = if line.word(1).is_some_and(|w| pair(w).is_some()) { 2 } else { 1 };
    let (_, outer) = line.word(1).and_then(pair).unwrap_or(("any", "any"));
    let name = object.word_or_empty(2);
    export.uses("address", name);
    if line.word(at) == Some("dynamic") {
        hides(export, outer, line, device);
        return;
    }
    if line.word(at) != Some("static") {
        return;
    }
    let (mut orig_svc, mut to_port) = (Vec::new(), None);
    if let Some(service) = (at + 2..line.len()).find(|ix| line.word(*ix) == Some("service")) {
        let number = |ix: usize| line.word(ix).and_then(|w| export.names.port(w));
        let (Some(protocol), Some(real), Some(outer_port)) =
            (protocol(line.word_or_empty(service + 1)), number(service + 2), number(service + 3))
        else {
            return;
        };
        orig_svc.push(SvcTerm::ports(protocol, vec![(outer_port, outer_port)]));
        to_port = (real != outer_port).then_some(real);
    }
    let to = objects.addresses.get(name).map_or(AddrExpr::Nothing, |ix| AddrExpr::Object(*ix));
    add(
        device,
        Way {
            name: name.to_owned(),
            span: line.span(),
            ingress: on(export, outer, line.word_span(1)),
            src: Fact::written(AddrExpr::Any, line.span()),
            orig_dst: mapped(export, objects, line, at + 1, outer),
            orig_dst_at: line.word_span(at + 1),
            orig_svc,
            to,
            to_at: object.word_span(2),
            to_port,
            live: Fact::written(true, line.span()),
        },
    );
}

/// `nat (a,b) source static REAL MAPPED [destination static MAPPED REAL] [service S T] [inactive]`.
fn twice<'a>(export: &Export<'a>, objects: &Objects<'a>, line: Node<'a>, from: usize, device: &mut Device) {
    let Some((inner, outer)) = line.word(1).and_then(pair) else { return };
    let live = match (from..line.len()).find(|ix| line.word(*ix) == Some("inactive")) {
        Some(ix) => Fact::written(false, line.word_span(ix)),
        None => Fact::written(true, line.span()),
    };
    let mut source = None;
    let mut target = None;
    let mut service = None;
    let mut at = from;
    while at < line.len() {
        match line.word_or_empty(at) {
            "source" => source = Some(at + 1),
            "destination" => target = Some(at + 1),
            "service" => service = Some(at + 1),
            "description" => break,
            _ => {}
        }
        at += 1;
    }
    for ix in source.into_iter().chain(target).flat_map(|ix| [ix + 1, ix + 2]) {
        if objects.addresses.contains_key(line.word_or_empty(ix)) {
            export.uses("address", line.word_or_empty(ix));
        }
    }
    let terms = service.map(|ix| [ix, ix + 1].map(|ix| objects.terms.get(line.word_or_empty(ix)).cloned()));
    for ix in service.into_iter().flat_map(|ix| [ix, ix + 1]) {
        export.uses("service", line.word_or_empty(ix));
    }
    let word = |ix: Option<usize>, n: usize| ix.map_or("", |ix| line.word_or_empty(ix + n));
    let label = |ix: usize| line.word_or_empty(ix).to_owned();
    match source.filter(|ix| line.word(*ix) == Some("static")) {
        // The inner host is published under another address, or as itself.
        Some(ix) => {
            let (real, other) = (word(source, 1), word(source, 2));
            let src = match target {
                Some(t) => Fact::written(mapped(export, objects, line, t + 2, outer), line.word_span(t + 2)),
                None => Fact::written(AddrExpr::Any, line.span()),
            };
            if real != "any" && real != other {
                let (orig_svc, to_port) = published(&terms, |t| &t.src_ports);
                let way = Way {
                    name: label(ix + 1),
                    span: line.span(),
                    ingress: on(export, outer, line.word_span(1)),
                    src,
                    orig_dst: mapped(export, objects, line, ix + 2, outer),
                    orig_dst_at: line.word_span(ix + 2),
                    orig_svc,
                    to: mapped(export, objects, line, ix + 1, inner),
                    to_at: line.word_span(ix + 1),
                    to_port,
                    live: live.clone(),
                };
                add(device, way);
            }
        }
        None => hides(export, outer, line, device),
    }
    // Packets that enter the inner interface for the mapped destination go to the real one.
    let (mapped_to, real_to) = (word(target, 1), word(target, 2));
    if let Some(ix) = target.filter(|_| mapped_to != real_to && !real_to.is_empty()) {
        let (orig_svc, to_port) = published(&terms.map(|[a, b]| [b, a]), |t| &t.dst_ports);
        let way = Way {
            name: label(ix + 2),
            span: line.span(),
            ingress: on(export, inner, line.word_span(1)),
            src: match source {
                Some(s) => Fact::written(mapped(export, objects, line, s + 1, inner), line.word_span(s + 1)),
                None => Fact::written(AddrExpr::Any, line.span()),
            },
            orig_dst: mapped(export, objects, line, ix + 1, inner),
            orig_dst_at: line.word_span(ix + 1),
            orig_svc,
            to: mapped(export, objects, line, ix + 2, outer),
            to_at: line.word_span(ix + 2),
            to_port,
            live,
        };
        add(device, way);
    }
}

/// The service before a translation and the port after it, from the pair (real, mapped).
fn published(terms: &Option<[Option<SvcTerm>; 2]>, ports: fn(&SvcTerm) -> &Vec<(u16, u16)>) -> (Vec<SvcTerm>, Option<u16>) {
    let Some([Some(real), Some(outer)]) = terms else { return (Vec::new(), None) };
    let before = SvcTerm { protocol: outer.protocol, src_ports: Vec::new(), dst_ports: ports(outer).clone(), icmp: None };
    let to = ports(real).first().map(|(a, _)| *a).filter(|a| ports(outer).first().is_some_and(|(b, _)| a != b));
    (vec![before], to)
}

/// `static (real,mapped) [tcp|udp] MAPPED [port] REAL [port] [netmask M]` of releases before 8.3.
fn earlier<'a>(export: &Export<'a>, line: Node<'a>, device: &mut Device) {
    let Some((inner, outer)) = line.word(1).and_then(pair) else { return };
    let mut words = Cursor::new(line, 2);
    let protocol = protocol(words.peek());
    if protocol.is_some() {
        words.next();
    }
    let (outer_word, outer_at) = words.next();
    let outer_port = protocol.and_then(|_| export.names.port(words.next().0));
    let (real, real_at) = words.next();
    if real == "access-list" {
        export.uses("filter", words.next().0);
        return;
    }
    let real_port = protocol.and_then(|_| export.names.port(words.next().0));
    if protocol.is_some() && (outer_port.is_none() || real_port.is_none()) || real.is_empty() {
        return;
    }
    let mask = super::lines::after(line, "netmask", 2).map_or("255.255.255.255", |(m, _)| m);
    let net = |word: &str, at: Span, interface: &str| match (word, mask) {
        ("interface", _) => export.interfaces.address(interface, at),
        (word, "255.255.255.255") => export.names.host(word, at),
        (word, mask) => export.names.network(word, mask, at),
    };
    let orig_svc = protocol.zip(outer_port).map(|(p, port)| SvcTerm::ports(p, vec![(port, port)]));
    let dead = has_word(line, "inactive", 2);
    add(
        device,
        Way {
            name: outer_word.to_owned(),
            span: line.span(),
            ingress: on(export, outer, line.word_span(1)),
            src: Fact::written(AddrExpr::Any, line.span()),
            orig_dst: net(outer_word, outer_at, outer),
            orig_dst_at: outer_at,
            orig_svc: orig_svc.into_iter().collect(),
            to: net(real, real_at, inner),
            to_at: real_at,
            to_port: real_port.filter(|p| outer_port != Some(*p)),
            live: Fact::written(!dead, line.span()),
        },
    );
}
