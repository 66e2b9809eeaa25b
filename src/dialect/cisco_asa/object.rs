//! Objects and object groups of every type, and what is defined and never used.
//!
//! A network object stands twice in an export: once with its address, once with its translation; both are one object. A group
//! of ports means something only together with the protocol of the entry that names it, so such groups are kept as lists.

use super::Export;
use super::ace::{self, Cursor};
use super::acl::Lists;
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, AddrObject, AddrObjectIx, Opaque, OpaqueKind, SvcExpr, SvcObject, SvcObjectIx, SvcTerm};
use crate::ir::system::{Definition, IfUndefined, Undefined};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// What names of objects stand for.
#[derive(Default)]
pub struct Objects<'a> {
    /// Network objects and groups.
    pub addresses: HashMap<&'a str, AddrObjectIx>,
    /// Service objects and groups that name their protocols.
    pub services: HashMap<&'a str, SvcObjectIx>,
    /// Service objects as one block, for translations.
    pub terms: HashMap<&'a str, SvcTerm>,
    /// Groups of ports.
    pub ports: HashMap<&'a str, Vec<(u16, u16)>>,
    /// Groups of protocols.
    pub protocols: HashMap<&'a str, Vec<Option<u8>>>,
    /// Groups of ICMP messages.
    pub icmp: HashMap<&'a str, Vec<u8>>,
    defined: Vec<(&'static str, &'a str, Span)>,
    undefined: std::cell::RefCell<Vec<(&'static str, String, Span)>>,
}

/// Deepest nesting of groups that is followed.
const DEPTH: usize = 24;

struct Raw<'a, T> {
    own: Vec<T>,
    groups: Vec<&'a str>,
}

/// The members of a group with those of its groups.
fn flatten<T: Clone>(raw: &HashMap<&str, Raw<'_, T>>, name: &str, depth: usize, out: &mut Vec<T>) {
    if let Some(group) = raw.get(name).filter(|_| depth < DEPTH && out.len() < 100_000) {
        out.extend(group.own.iter().cloned());
        group.groups.iter().for_each(|g| flatten(raw, g, depth + 1, out));
    }
}

fn flat<'a, T: Clone>(raw: &HashMap<&'a str, Raw<'a, T>>) -> HashMap<&'a str, Vec<T>> {
    let one = |name: &&'a str| {
        let mut out = Vec::new();
        flatten(raw, name, 0, &mut out);
        (*name, out)
    };
    raw.keys().map(one).collect()
}

impl<'a> Objects<'a> {
    /// The addresses of a named object, counted as used.
    pub fn address(&self, export: &Export<'a>, name: &str, span: Span) -> AddrExpr {
        export.uses("address", name);
        match self.addresses.get(name) {
            Some(ix) => AddrExpr::Object(*ix),
            None => {
                self.missing("address", name, span);
                AddrExpr::Opaque(Opaque { kind: OpaqueKind::Undefined, text: name.to_owned(), span })
            }
        }
    }

    /// The services of a named object, counted as used.
    pub fn service(&self, export: &Export<'a>, name: &str, span: Span) -> SvcExpr {
        export.uses("service", name);
        match self.services.get(name) {
            Some(ix) => SvcExpr::Object(*ix),
            None => {
                self.missing("service", name, span);
                SvcExpr::Opaque(Opaque { kind: OpaqueKind::Undefined, text: name.to_owned(), span })
            }
        }
    }

    /// A name that is used and defined nowhere.
    pub fn missing(&self, kind: &'static str, name: &str, span: Span) {
        self.undefined.borrow_mut().push((kind, name.to_owned(), span));
    }
}

/// Reads all objects; those of addresses and services go to the device.
pub fn fill<'a>(export: &Export<'a>, device: &mut Device) -> Objects<'a> {
    let mut objects = Objects::default();
    let all: Vec<Node<'a>> = export.lines.of("object").iter().chain(export.lines.of("object-group")).copied().collect();
    let mut bodies: HashMap<(&str, &'a str), Vec<Node<'a>>> = HashMap::new();
    let mut order: Vec<(&str, &'a str)> = Vec::new();
    for node in all {
        node.read();
        let kind = match (node.word_or_empty(0), node.word_or_empty(1)) {
            ("object", "network") => "network",
            ("object", "service") => "service",
            (_, "network") => "network-group",
            (_, "service") if node.len() > 3 => "ports",
            (_, "service") => "service-group",
            (_, "protocol") => "protocols",
            (_, "icmp-type") => "icmp",
            _ => "other",
        };
        let key = (kind, node.word_or_empty(2));
        let entry = bodies.entry(key).or_default();
        if entry.is_empty() {
            order.push(key);
        }
        entry.push(node);
    }
    names(&mut objects, &order, &bodies, device);
    lists(export, &mut objects, &order, &bodies);
    for (kind, name) in &order {
        let nodes = &bodies[&(*kind, *name)];
        match *kind {
            "network" | "network-group" => {
                let value = network(export, &objects, nodes);
                if let Some(ix) = objects.addresses.get(name) {
                    device.addr_objects[ix.0 as usize].value = value;
                }
            }
            "service" | "service-group" => {
                let value = services(export, &mut objects, name, nodes);
                if let Some(ix) = objects.services.get(name) {
                    device.svc_objects[ix.0 as usize].value = value;
                }
            }
            _ => {}
        }
    }
    objects
}

type Bodies<'a> = HashMap<(&'static str, &'a str), Vec<Node<'a>>>;

/// Gives every name its place, so that groups may name what is defined after them.
fn names<'a>(objects: &mut Objects<'a>, order: &[(&'static str, &'a str)], bodies: &Bodies<'a>, device: &mut Device) {
    for (kind, name) in order {
        let span = bodies[&(*kind, *name)][0].word_span(2);
        match *kind {
            "network" | "network-group" => {
                let ix = AddrObjectIx(device.addr_objects.len() as u32);
                objects.addresses.insert(name, ix);
                let value = Fact::written(AddrExpr::Nothing, span);
                device.addr_objects.push(AddrObject { name: (*name).to_owned(), value, span: Some(span) });
            }
            "service" | "service-group" => {
                let ix = SvcObjectIx(device.svc_objects.len() as u32);
                objects.services.insert(name, ix);
                let value = Fact::written(SvcExpr::Nothing, span);
                device.svc_objects.push(SvcObject { name: (*name).to_owned(), value, span: Some(span) });
            }
            _ => {}
        }
        let kind = if matches!(*kind, "network" | "network-group") { "address" } else { "service" };
        objects.defined.push((kind, name, span));
    }
}

/// Groups that are plain lists: ports, protocols, ICMP messages.
fn lists<'a>(export: &Export<'a>, objects: &mut Objects<'a>, order: &[(&'static str, &'a str)], bodies: &Bodies<'a>) {
    let (mut ports, mut protocols, mut icmp) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (kind, name) in order.iter().filter(|(k, _)| matches!(*k, "ports" | "protocols" | "icmp")) {
        let mut groups = Vec::new();
        let (mut own_ports, mut own_protocols, mut own_icmp) = (Vec::new(), Vec::new(), Vec::new());
        for member in bodies[&(*kind, *name)].iter().flat_map(|n| n.children()) {
            match member.word_or_empty(0) {
                "group-object" => {
                    export.uses("service", member.word_or_empty(1));
                    groups.extend(member.read().word(1));
                }
                "port-object" => own_ports.extend(ace::ports(export, &mut Cursor::new(member.read(), 1)).unwrap_or_default()),
                "protocol-object" => own_protocols.extend(export.names.protocol(member.read().word_or_empty(1))),
                "icmp-object" => own_icmp.extend(export.names.icmp(member.read().word_or_empty(1), false)),
                _ => {}
            }
        }
        match *kind {
            "ports" => drop(ports.insert(*name, Raw { own: own_ports, groups })),
            "protocols" => drop(protocols.insert(*name, Raw { own: own_protocols, groups })),
            _ => drop(icmp.insert(*name, Raw { own: own_icmp, groups })),
        }
    }
    objects.ports = flat(&ports);
    objects.protocols = flat(&protocols);
    objects.icmp = flat(&icmp);
}

/// The addresses of a network object or group.
fn network<'a>(export: &Export<'a>, objects: &Objects<'a>, nodes: &[Node<'a>]) -> Fact<AddrExpr> {
    let mut parts = Vec::new();
    let mut spans = Vec::new();
    for member in nodes.iter().flat_map(|n| n.children()) {
        let at = |ix: usize| (member.word_or_empty(ix), member.word_span(ix));
        let expr = match member.word_or_empty(0) {
            "host" => export.names.host(at(1).0, at(1).1),
            "subnet" => net(export, member, 1),
            "range" => range(export, member),
            "fqdn" => {
                let name = member.word(2).unwrap_or_else(|| member.word_or_empty(1));
                AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: name.to_owned(), span: member.span() })
            }
            "network-object" => match at(1).0 {
                "host" => export.names.host(at(2).0, at(2).1),
                "object" => objects.address(export, at(2).0, at(2).1),
                _ => net(export, member, 1),
            },
            "group-object" => objects.address(export, at(1).0, at(1).1),
            _ => continue,
        };
        spans.push(member.read().span());
        parts.push(expr);
    }
    let head = nodes.first().map(|n| n.word_span(2));
    match (parts.pop(), parts.is_empty()) {
        (Some(one), true) => Fact::written(one, spans[0]),
        (Some(last), false) => {
            parts.push(last);
            // A long group is shown by its head: each member would make a step of its own.
            let origin = if spans.len() > 4 { head.map(Origin::Written) } else { None };
            Fact::known(AddrExpr::Union(parts), origin.unwrap_or_else(|| Origin::all(spans.into_iter().map(Origin::Written))))
        }
        // A group that lists nothing, or what this release has beyond what is read here.
        (None, _) => Fact::unknown(Why::at(WhyCode::Unresolved, "object", head.into_iter().collect())),
    }
}

fn net(export: &Export<'_>, member: Node<'_>, at: usize) -> AddrExpr {
    let (word, span) = (member.word_or_empty(at), member.word_span(at));
    export.names.prefix(word, span).unwrap_or_else(|| export.names.network(word, member.word_or_empty(at + 1), span))
}

fn range(export: &Export<'_>, member: Node<'_>) -> AddrExpr {
    match (export.names.address(member.word_or_empty(1)), export.names.address(member.word_or_empty(2))) {
        (Some(first), Some(last)) => AddrExpr::Range(first, last),
        _ => super::names::opaque(&format!("{}-{}", member.word_or_empty(1), member.word_or_empty(2)), member.span()),
    }
}

/// The services of a service object, or of a group that names its protocols.
fn services<'a>(export: &Export<'a>, objects: &mut Objects<'a>, name: &'a str, nodes: &[Node<'a>]) -> Fact<SvcExpr> {
    let mut parts = Vec::new();
    let mut unread = false;
    for member in nodes.iter().flat_map(|n| n.children()) {
        match (member.word_or_empty(0), member.word_or_empty(1)) {
            ("service-object", "object") => parts.push(objects.service(export, member.read().word_or_empty(2), member.word_span(2))),
            ("service" | "service-object", _) => {
                let terms = ace::service_terms(export, &mut Cursor::new(member.read(), 1));
                unread |= terms.is_none();
                if let Some([term]) = terms.as_deref().filter(|_| member.word(0) == Some("service")) {
                    objects.terms.insert(name, term.clone());
                }
                parts.extend(terms.unwrap_or_default().into_iter().map(SvcExpr::Term));
            }
            ("group-object", group) => {
                member.read();
                match objects.ports.get(group) {
                    // A group of ports for TCP, UDP or both inside of one that names protocols.
                    Some(_) => unread = true,
                    None => parts.push(objects.service(export, group, member.word_span(1))),
                }
            }
            _ => {}
        }
    }
    let head = nodes[0].word_span(2);
    if unread || parts.is_empty() {
        return Fact::unknown(Why::at(WhyCode::Unresolved, name, vec![head]));
    }
    Fact::written(if parts.len() == 1 { parts.remove(0) } else { SvcExpr::Union(parts) }, head)
}

/// What is defined, how often it is used, and what is used and not defined.
pub fn definitions(export: &Export<'_>, objects: &Objects<'_>, lists: &Lists<'_>, device: &mut Device) {
    let mut items: Vec<Definition> = Vec::new();
    for (kind, name, span) in &objects.defined {
        let uses = export.count(kind, name);
        items.push(Definition { kind, name: (*name).to_owned(), span: *span, builtin: false, uses });
    }
    for list in lists.in_order() {
        let uses = export.count("filter", list.name);
        items.push(Definition { kind: "filter", name: list.name.to_owned(), span: list.span, builtin: false, uses });
    }
    for node in export.lines.all(&["group-policy"]).into_iter().filter(|n| n.word(2) == Some("internal")) {
        let name = node.word_or_empty(1);
        let uses = export.count("group_policy", name);
        items.push(Definition { kind: "group_policy", name: name.to_owned(), span: node.span(), builtin: name == "DfltGrpPolicy", uses });
    }
    device.definitions = export.list("objects", items);
    let mut missing = objects.undefined.borrow().clone();
    missing.sort_by_key(|(_, _, span)| *span);
    missing.dedup();
    let undefined = missing.into_iter().map(|(kind, name, span)| {
        let effect: Fact<IfUndefined> = Fact::unknown(Why::at(WhyCode::Unresolved, name.clone(), vec![span]));
        Undefined { kind, name, span, effect }
    });
    let undefined: Vec<Undefined> = undefined.collect();
    device.undefined = export.list("objects", undefined);
}
