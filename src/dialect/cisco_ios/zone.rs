//! Zone-based firewall: zones, pairs of zones, and the classes that policies tell apart.
//!
//! Between interfaces of different zones nothing passes but what a pair's policy lets through; within a zone, and between
//! interfaces of no zone, everything does. What goes to the box itself is asked only where a pair leads from its zone to `self`.
//! An interface of no zone meets no such pair.

use super::filter::{generated, nat_match};
use super::{Block, Export, acl};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterRole, Guard, Hook, ICMP, ICMPV6, IfMatch, Opaque, OpaqueKind, Rule, RuleLog, SvcExpr, SvcTerm,
    TCP, UDP, Verdict,
};
use crate::ir::interface::{InterfaceIx, Zone, ZoneIx};
use crate::ir::live::Live;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// Rows of one class; beyond that its condition counts as unknown.
const ROWS: usize = 256;
/// Classes within classes.
const DEPTH: usize = 6;

/// Fills zones and the filters that pairs of zones make.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for node in export.lines(&["zone", "security"]) {
        by_name.insert(node.word_or_empty(2), device.zones.len());
        device.zones.push(Zone { name: node.word_or_empty(2).to_owned(), span: node.span(), members: Vec::new() });
    }
    for (ix, port) in export.ports.iter() {
        let Some(line) = port.zone else { continue };
        let name = line.word_or_empty(2);
        let zone = *by_name.entry(name).or_insert_with(|| {
            device.zones.push(Zone { name: name.to_owned(), span: line.span(), members: Vec::new() });
            device.zones.len() - 1
        });
        device.zones[zone].members.push(ix);
        if let Some(interface) = device.interfaces.get_mut(ix.0 as usize) {
            interface.zone = Some(ZoneIx(zone as u32));
        }
    }
    if device.zones.is_empty() {
        return;
    }
    let members = |device: &Device, name: &str| -> Vec<InterfaceIx> {
        if name == "default" {
            return export.ports.iter().filter(|(_, p)| p.zone.is_none()).map(|(ix, _)| ix).collect();
        }
        by_name.get(name).and_then(|ix| device.zones.get(*ix)).map(|z| z.members.clone()).unwrap_or_default()
    };
    let policies = Policies::read(export);
    let mut between = Vec::new();
    for pair in export.lines(&["zone-pair", "security"]) {
        let after = |what: &str| (3..pair.len()).find(|ix| pair.word(*ix) == Some(what)).and_then(|ix| pair.word(ix + 1));
        let (Some(source), Some(destination)) = (after("source"), after("destination")) else { continue };
        let policy = Block(pair).line(&["service-policy", "type", "inspect"]);
        if source == "self" {
            continue;
        }
        let from = members(device, source);
        let mut rules = policies.rules(export, policy, pair);
        if destination == "self" {
            device.filters.push(Filter {
                name: pair.word_or_empty(2).to_owned(),
                span: Some(pair.span()),
                role: FilterRole::ToBox,
                family: Family::Both,
                rules,
                incomplete: None,
                default: export.product("class class-default", |v| (v == "drop").then_some(Verdict::Drop)),
                attach: vec![Attach { hook: Hook::Local, on: IfMatch::These(from), origin: Origin::Written(pair.span()) }],
            });
            continue;
        }
        let to = members(device, destination);
        for rule in &mut rules {
            (rule.ingress, rule.egress) = (IfMatch::These(from.clone()), IfMatch::These(to.clone()));
        }
        between.extend(rules);
        // What no class takes is dropped before a later pair is asked.
        let rest = export.product("class class-default", |v| (v == "drop").then_some(Verdict::Drop));
        let mut last = generated(export, "class-default", pair.span(), SvcExpr::Any, rest);
        (last.ingress, last.egress) = (IfMatch::These(from), IfMatch::These(to));
        between.push(last);
    }
    let free: Vec<InterfaceIx> = export.ports.iter().filter(|(_, p)| p.zone.is_none()).map(|(ix, _)| ix).collect();
    let groups: Vec<(Vec<InterfaceIx>, Span)> = device.zones.iter().map(|z| (z.members.clone(), z.span)).collect();
    let head = export.head_span();
    for (group, span) in groups.into_iter().chain([(free, head)]).filter(|(g, _)| !g.is_empty()) {
        let inside = export.product("within a zone", |v| (v == "permit").then_some(Verdict::Accept));
        let mut rule = generated(export, "within a zone", span, SvcExpr::Any, inside);
        (rule.ingress, rule.egress) = (IfMatch::These(group.clone()), IfMatch::These(group));
        between.push(rule);
    }
    device.filters.push(Filter {
        name: "zone-pair".to_owned(),
        span: device.zones.first().map(|z| z.span),
        role: FilterRole::Packet,
        family: Family::Both,
        rules: between,
        incomplete: None,
        default: export.product("between zones", |v| (v == "drop").then_some(Verdict::Drop)),
        attach: vec![Attach { hook: Hook::Forward, on: IfMatch::Any, origin: export.evidence() }],
    });
}

/// A condition that packets of a class meet.
#[derive(Clone)]
struct Term {
    src: AddrExpr,
    dst: AddrExpr,
    svc: SvcExpr,
    guards: Vec<Guard>,
}

struct Policies<'a> {
    classes: HashMap<&'a str, (Node<'a>, bool)>,
    maps: HashMap<&'a str, Node<'a>>,
}

impl<'a> Policies<'a> {
    fn read(export: &Export<'a>) -> Policies<'a> {
        let mut classes = HashMap::new();
        for node in export.lines(&["class-map", "type", "inspect"]) {
            let (any, at) = match node.word(3) {
                Some("match-any") => (true, 4),
                Some("match-all") => (false, 4),
                // Deep inspection of one application decides nothing by itself.
                _ if node.len() > 4 => continue,
                _ => (false, 3),
            };
            classes.insert(node.word_or_empty(at), (node, any));
        }
        let maps = export.lines(&["policy-map", "type", "inspect"]).filter(|n| n.len() == 4).map(|n| (n.word_or_empty(3), n)).collect();
        Policies { classes, maps }
    }

    /// The rows of a pair's policy. Without a policy nothing passes.
    fn rules(&self, export: &Export<'_>, policy: Option<Node<'a>>, pair: Node<'a>) -> Vec<Rule> {
        let Some(line) = policy else { return Vec::new() };
        let Some(map) = self.maps.get(line.word_or_empty(3)) else {
            let why = Why::at(WhyCode::Unresolved, line.word_or_empty(3), vec![line.span()]);
            return vec![generated(export, pair.word_or_empty(2), line.span(), SvcExpr::Any, Fact::unknown(why))];
        };
        let mut out = Vec::new();
        for class in map.children().filter(|n| n.word(0) == Some("class")) {
            class.read();
            let block = Block(class);
            let accept = ["inspect", "pass"].iter().find_map(|w| block.line(&[w]));
            let drop = block.line(&["drop"]);
            let (verdict, action) = match (accept, drop) {
                (Some(line), _) => (Verdict::Accept, line),
                (None, Some(line)) => (Verdict::Drop, line),
                (None, None) => (Verdict::Drop, class),
            };
            let log = if action.words_from(1).any(|w| w == "log") { RuleLog::Session } else { RuleLog::None };
            let name = class.word_or_empty(class.len().saturating_sub(1));
            let terms = if name == "class-default" {
                vec![Term { src: AddrExpr::Any, dst: AddrExpr::Any, svc: SvcExpr::Any, guards: Vec::new() }]
            } else {
                self.terms(export, name, class.span(), 0)
            };
            out.extend(terms.into_iter().map(|term| Rule {
                label: name.to_owned(),
                span: action.span(),
                live: Live::own(Fact::written(true, action.span())),
                ingress: IfMatch::Any,
                egress: IfMatch::Any,
                src: Fact::written(term.src, class.span()),
                dst: Fact::written(term.dst, class.span()),
                svc: Fact::written(term.svc, class.span()),
                guards: term.guards,
                nat: nat_match(export),
                verdict: Fact::written(verdict, action.span()),
                log: Fact::written(log, action.span()),
                generated: false,
            }));
        }
        out
    }

    fn terms(&self, export: &Export<'_>, name: &str, at: Span, depth: usize) -> Vec<Term> {
        let unread = |text: &str, span| {
            let guards = vec![Guard::Unmodelled(span, text.to_owned())];
            vec![Term { src: AddrExpr::Any, dst: AddrExpr::Any, svc: SvcExpr::Any, guards }]
        };
        let Some((node, any)) = self.classes.get(name).filter(|_| depth < DEPTH) else { return unread(name, at) };
        let mut all: Option<Vec<Term>> = None;
        for line in node.children().filter(|n| n.word(0) == Some("match")).map(Node::read) {
            let found = match (line.word(1), line.word(2)) {
                (Some("protocol"), Some(protocol)) => protocol_terms(export, protocol, line),
                (Some("access-group"), Some("name")) => list_terms(export, line, 3),
                (Some("access-group"), Some(_)) => list_terms(export, line, 2),
                (Some("class-map"), Some(inner)) => self.terms(export, inner, line.span(), depth + 1),
                _ => unread("match", line.span()),
            };
            all = Some(match all {
                None => found,
                Some(before) if *any => before.into_iter().chain(found).collect(),
                Some(before) => before.iter().flat_map(|a| found.iter().map(|b| both(a, b))).take(ROWS + 1).collect(),
            });
        }
        match all {
            Some(terms) if terms.len() <= ROWS => terms,
            _ => unread(name, node.span()),
        }
    }
}

fn both(a: &Term, b: &Term) -> Term {
    let not = |e: &AddrExpr| AddrExpr::Not(Box::new(e.clone()));
    let address = |x: &AddrExpr, y: &AddrExpr| match (x, y) {
        (AddrExpr::Any, other) | (other, AddrExpr::Any) => other.clone(),
        _ => AddrExpr::Not(Box::new(AddrExpr::Union(vec![not(x), not(y)]))),
    };
    let svc = match (&a.svc, &b.svc) {
        (SvcExpr::Any, other) | (other, SvcExpr::Any) => other.clone(),
        (x, y) => SvcExpr::Not(Box::new(SvcExpr::Union(vec![SvcExpr::Not(Box::new(x.clone())), SvcExpr::Not(Box::new(y.clone()))]))),
    };
    let guards = a.guards.iter().chain(&b.guards).cloned().collect();
    Term { src: address(&a.src, &b.src), dst: address(&a.dst, &b.dst), svc, guards }
}

/// The permits of a list. A denial before a permit takes away what this class would match: not modelled, so such permits may
/// or may not match.
fn list_terms(export: &Export<'_>, line: Node<'_>, at: usize) -> Vec<Term> {
    let name = line.word_or_empty(at);
    let any = |guards| vec![Term { src: AddrExpr::Any, dst: AddrExpr::Any, svc: SvcExpr::Any, guards }];
    let list = match (export.lists.get(false, name).or_else(|| export.lists.get(true, name)), export.may_lack("objects")) {
        (Some(list), _) if !list.rows.is_empty() => list,
        (None, Some(_)) => return any(vec![Guard::Unmodelled(line.span(), name.to_owned())]),
        _ => return any(Vec::new()),
    };
    let mut denied = false;
    let mut out = Vec::new();
    for row in list.rows.iter().take(ROWS) {
        match row.permit.get() {
            Some(true) => {
                let mut guards = row.guards.clone();
                guards.extend(denied.then(|| Guard::Unmodelled(row.span, name.to_owned())));
                out.push(Term { src: row.src.clone(), dst: row.dst.clone(), svc: row.svc.clone(), guards });
            }
            _ => denied = true,
        }
    }
    out
}

/// The ports of an application by its name: built in, or the box's own (`ip port-map`).
fn protocol_terms(export: &Export<'_>, name: &str, line: Node<'_>) -> Vec<Term> {
    let whole = |p: u8| SvcExpr::Term(SvcTerm::protocol(p));
    let svc = match name {
        "tcp" => whole(TCP),
        "udp" => whole(UDP),
        "icmp" => SvcExpr::Union(vec![whole(ICMP), whole(ICMPV6)]),
        name => {
            let own: Vec<SvcExpr> = export.lines(&["ip", "port-map", name, "port"]).filter_map(|n| port_map(export, n)).collect();
            let built_in = export.grammar.file.services.get(name).map(|text| named_service(text));
            match (own.is_empty(), built_in) {
                (false, _) => SvcExpr::Union(own),
                (true, Some(svc)) => svc,
                (true, None) => SvcExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: name.to_owned(), span: line.word_span(2) }),
            }
        }
    };
    vec![Term { src: AddrExpr::Any, dst: AddrExpr::Any, svc, guards: Vec::new() }]
}

/// `ip port-map NAME port tcp 8080`, `... port tcp from 9001 to 9005`.
fn port_map(export: &Export<'_>, node: Node<'_>) -> Option<SvcExpr> {
    let protocol = acl::protocol(export, node.word(4)?, false)?;
    let range = match node.word(5) {
        Some("from") => (node.word(6)?.parse().ok()?, node.word(8)?.parse().ok()?),
        word => {
            let port = word?.parse().ok()?;
            (port, port)
        }
    };
    Some(SvcExpr::Term(SvcTerm::ports(protocol, vec![range])))
}

/// `tcp/80`, `udp/500`, several with blanks between them.
fn named_service(text: &str) -> SvcExpr {
    let term = |part: &str| {
        let (protocol, ports) = part.split_once('/')?;
        let number = match protocol {
            "tcp" => TCP,
            "udp" => UDP,
            "ip" => return Some(SvcExpr::Term(SvcTerm::protocol(ports.parse().ok()?))),
            _ => return None,
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        Some(SvcExpr::Term(SvcTerm::ports(number, vec![(first.parse().ok()?, last.parse().ok()?)])))
    };
    SvcExpr::Union(text.split(' ').filter_map(term).collect())
}
