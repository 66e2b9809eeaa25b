//! Firewall filters (stateless), where they are applied, and the order in which the box decides.
//!
//! A filter ends with an implicit discard; a term that names no action accepts. The filter of `lo0` guards the box itself, on
//! whatever interface a packet enters; several filters of an `input-list` are one list with one end.

use super::object::{masked, prefix_list, undefined};
use super::value::{addresses, icmp_type, ports, protocol, union};
use super::{Gatekeeping, Lowering, service};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterRole, Guard, Hook, ICMP, ICMPV6, IfMatch, NatMatch, Pipeline, Rule, RuleLog, Stage, SvcExpr,
    SvcTerm, TCP, UDP, Verdict,
};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::live::Live;
use crate::source::Span;
use crate::syntax::brace::{at, below, child, inactive, rows};
use crate::syntax::{Mark, Node};
use std::collections::{BTreeMap, HashMap};

/// Families of filters that see IP packets, and the statements that hold them.
const FAMILIES: &[(&str, &[&str], Family)] = &[
    ("inet", &["firewall", "family", "inet", "filter"], Family::V4),
    ("inet", &["firewall", "filter"], Family::V4),
    ("inet6", &["firewall", "family", "inet6", "filter"], Family::V6),
    ("any", &["firewall", "family", "any", "filter"], Family::Both),
];

type Key<'a> = (&'static str, Vec<&'a str>);

/// Lowers filters and the order of decisions.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let mut defined: HashMap<(&'static str, &str), (Node<'_>, Family)> = HashMap::new();
    let mut order: Vec<Key<'_>> = Vec::new();
    for (family, path, ip) in FAMILIES {
        let mut nodes = rows(l.own, path);
        if l.own != l.root {
            nodes.extend(rows(l.root, path));
        }
        for node in nodes {
            let name = node.word_or_empty(0);
            defined.entry((family, name)).or_insert((node, *ip));
            order.push((family, vec![name]));
            l.names.definitions.push(("filter", name, node.span()));
        }
    }
    let mut attached = attachments(l);
    for key in attached.keys() {
        if !order.contains(key) {
            order.push(key.clone());
        }
    }
    order.dedup();
    let zoned = matches!(l.gatekeeping, Gatekeeping::Zones);
    for key in order {
        let attach = attached.remove(&key).unwrap_or_default();
        // One filter of a chain alone does nothing.
        let (family, names) = &key;
        let parts: Vec<(Node<'_>, Family)> = names.iter().filter_map(|n| defined.get(&(*family, *n)).copied()).collect();
        let Some((first, ip)) = parts.first().copied() else { continue };
        let mut rules = Vec::new();
        for (node, _) in &parts {
            terms(l, *node, ip, &mut rules);
        }
        let on_box = attach.iter().any(|a| a.hook == Hook::Local);
        let span = first.span();
        let default = l.absent("firewall filter end", "local_filter", Some(span), |v| (v == "discard").then_some(Verdict::Drop));
        l.device.filters.push(Filter {
            name: names.join(" + "),
            span: Some(span),
            role: if attach.is_empty() {
                FilterRole::Other
            } else if zoned || on_box {
                FilterRole::ToBox
            } else {
                FilterRole::Packet
            },
            family: ip,
            rules,
            incomplete: l.completeness.gaps.get("local_filter").cloned().filter(|_| parts.len() < names.len()),
            default,
            attach,
        });
    }
    pipeline(l);
}

/// Where filters are applied, by family and names.
fn attachments<'a>(l: &mut Lowering<'a>) -> BTreeMap<Key<'a>, Vec<Attach>> {
    let mut out: BTreeMap<Key<'a>, Vec<Attach>> = BTreeMap::new();
    for n in 0..l.names.units.len() {
        let unit = l.names.units[n];
        let ix = InterfaceIx(n as u32);
        let places = [
            ("inet", at(unit, &["family", "inet", "filter"])),
            ("inet6", at(unit, &["family", "inet6", "filter"])),
            ("any", child(unit, "filter")),
        ];
        for (family, place) in places {
            let Some(place) = place else { continue };
            for (word, inward) in [("input", true), ("input-list", true), ("output", false), ("output-list", false)] {
                let Some(names) = child(place, word).map(|w| below(w).map(Node::read).collect::<Vec<_>>()).filter(|n| !n.is_empty()) else {
                    continue;
                };
                for name in &names {
                    l.used("filter", name.word_or_empty(0));
                    let missing = !is_defined(l, family, name.word_or_empty(0));
                    if missing {
                        undefined(l, "filter", "local_filter", name.word_or_empty(0), name.span(), "undefined.filter");
                    }
                }
                let (hook, on) = match (l.device.interfaces[n].kind, inward) {
                    (InterfaceKind::Loopback, true) => (Hook::Local, guarded_by(l, n)),
                    (InterfaceKind::Loopback, false) => continue,
                    (_, true) => (Hook::Inbound, IfMatch::These(vec![ix])),
                    (_, false) => (Hook::Outbound, IfMatch::These(vec![ix])),
                };
                let origin = Origin::all(names.iter().map(|n| Origin::Written(n.span())));
                let key = (family, names.iter().map(|n| n.word_or_empty(0)).collect());
                out.entry(key).or_default().push(Attach { hook, on, origin });
            }
        }
    }
    out
}

fn is_defined(l: &Lowering<'_>, family: &str, name: &str) -> bool {
    let has = |node: Node<'_>| {
        FAMILIES
            .iter()
            .filter(|(f, ..)| *f == family)
            .any(|(_, path, _)| at(node, path).is_some_and(|n| below(n).any(|c| c.word(0) == Some(name))))
    };
    has(l.own) || has(l.root)
}

/// Interfaces whose packets to the box a loopback's filter sees: those of its instance, all others for unit 0.
fn guarded_by(l: &Lowering<'_>, n: usize) -> IfMatch {
    let name = l.device.interfaces[n].name.as_str();
    let mut elsewhere = Vec::new();
    for instance in rows(l.own, &["routing-instances"]) {
        let members: Vec<&str> = rows(instance, &["interface"]).iter().map(|m| m.word_or_empty(0)).collect();
        let list: Vec<InterfaceIx> = members.iter().filter_map(|m| super::interface::named(l, m)).collect();
        if members.contains(&name) {
            return IfMatch::These(list);
        }
        // An instance without a loopback of its own falls under the common one.
        if members.iter().any(|m| m.starts_with("lo0.")) {
            elsewhere.extend(list);
        }
    }
    if elsewhere.is_empty() {
        return IfMatch::Any;
    }
    IfMatch::These((0..l.device.interfaces.len() as u32).map(InterfaceIx).filter(|i| !elsewhere.contains(i)).collect())
}

fn terms<'a>(l: &mut Lowering<'a>, filter: Node<'a>, family: Family, out: &mut Vec<Rule>) {
    for quiet in ["interface-specific", "accounting-profile", "physical-interface-filter", "enhanced-mode"] {
        child(filter, quiet);
    }
    for term in rows(filter, &["term"]) {
        out.extend(rule(l, term, family, None));
    }
    for (term, mark) in inactive(filter, "term") {
        out.extend(rule(l, term, family, Some(mark)));
    }
    // A filter without terms holds its only action itself.
    if child(filter, "then").is_some() || child(filter, "from").is_some() {
        out.extend(rule(l, filter, family, None));
    }
}

/// What a term asks of a packet.
#[derive(Default)]
struct Conditions {
    src: Vec<AddrExpr>,
    src_except: Vec<AddrExpr>,
    dst: Vec<AddrExpr>,
    dst_except: Vec<AddrExpr>,
    /// Source or destination.
    either: Vec<AddrExpr>,
    protocols: Vec<Option<u8>>,
    src_ports: Vec<(u16, u16)>,
    dst_ports: Vec<(u16, u16)>,
    any_ports: Vec<(u16, u16)>,
    icmp: Vec<u8>,
    established: Option<Span>,
    /// Conditions that whoever sends a packet can meet or avoid at will.
    chosen: Option<(Span, String)>,
    other: Option<(Span, String)>,
    spans: Vec<Span>,
}

fn conditions<'a>(l: &mut Lowering<'a>, from: Node<'a>, v6: bool) -> Conditions {
    let mut c = Conditions::default();
    for node in below(from) {
        node.read();
        let word = node.word_or_empty(0);
        let values: Vec<Node<'a>> = below(node).map(Node::read).collect();
        c.spans.push(values.first().map_or(node.span(), |v| v.span()));
        let mut unread = |at: Span| c.other = Some((at, word.to_owned()));
        match word {
            "source-address" | "destination-address" | "address" | "ip-source-address" | "ip-destination-address" => {
                for value in values {
                    let except = child(value, "except").is_some();
                    let text = value.word_or_empty(0);
                    let expr = addresses(text).unwrap_or_else(|| masked(text, value.span()));
                    side(&mut c, word, except).push(expr);
                }
            }
            "source-prefix-list" | "destination-prefix-list" | "prefix-list" => {
                for value in values {
                    let except = child(value, "except").is_some();
                    let expr = prefix_list(l, value);
                    side(&mut c, word, except).push(expr);
                }
            }
            "protocol" | "next-header" | "payload-protocol" | "ip-protocol" => {
                for value in values {
                    match protocol(value.word_or_empty(0)) {
                        Some(number) => c.protocols.push(number),
                        None => unread(value.span()),
                    }
                }
            }
            "source-port" | "destination-port" | "port" => {
                for value in values {
                    match ports(value.word_or_empty(0)) {
                        Some(range) => match word {
                            "source-port" => c.src_ports.push(range),
                            "destination-port" => c.dst_ports.push(range),
                            _ => c.any_ports.push(range),
                        },
                        None => unread(value.span()),
                    }
                }
            }
            "icmp-type" => {
                for value in values {
                    match icmp_type(value.word_or_empty(0), v6) {
                        Some(number) => c.icmp.push(number),
                        None => unread(value.span()),
                    }
                }
            }
            "icmp-code" => {}
            "tcp-established" => c.established = Some(node.span()),
            // The first packet of a connection, as a stranger sends it.
            "tcp-initial" => c.protocols.push(Some(TCP)),
            "is-fragment"
            | "first-fragment"
            | "fragment-flags"
            | "fragment-offset"
            | "ip-options"
            | "packet-length"
            | "ttl"
            | "ttl-except"
            | "hop-limit"
            | "tcp-flags"
            | "dscp"
            | "precedence"
            | "traffic-class"
            | "fragment-offset-except"
            | "extension-header" => {
                let at = values.first().map_or(node.span(), |v| v.span());
                c.chosen = Some((at, word.to_owned()));
            }
            _ => {
                unread(node.span());
                node.mark_below(Mark::Read);
            }
        }
    }
    c
}

fn side<'c>(c: &'c mut Conditions, word: &str, except: bool) -> &'c mut Vec<AddrExpr> {
    match (
        word.starts_with("source") || word.starts_with("ip-source"),
        word.starts_with("destination") || word.starts_with("ip-dest"),
        except,
    ) {
        (true, _, false) => &mut c.src,
        (true, _, true) => &mut c.src_except,
        (_, true, false) => &mut c.dst,
        (_, true, true) => &mut c.dst_except,
        _ => &mut c.either,
    }
}

fn expression(included: Vec<AddrExpr>, excepted: Vec<AddrExpr>) -> AddrExpr {
    let all = if included.is_empty() { AddrExpr::Any } else { union(included) };
    if excepted.is_empty() { all } else { AddrExpr::Except(Box::new(all), Box::new(union(excepted))) }
}

fn services(c: &Conditions, v6: bool) -> SvcExpr {
    let with_ports = !c.src_ports.is_empty() || !c.dst_ports.is_empty() || !c.any_ports.is_empty();
    let mut protocols = c.protocols.clone();
    if protocols.is_empty() {
        if with_ports {
            protocols = vec![Some(TCP), Some(UDP)];
        } else if !c.icmp.is_empty() {
            protocols = vec![Some(if v6 { ICMPV6 } else { ICMP })];
        } else {
            return SvcExpr::Any;
        }
    }
    let mut parts = Vec::new();
    for number in protocols {
        let Some(number) = number else { return SvcExpr::Any };
        let base = SvcTerm::protocol(number);
        match number {
            TCP | UDP | 132 => {
                let term = SvcTerm { src_ports: c.src_ports.clone(), dst_ports: c.dst_ports.clone(), ..base };
                if c.any_ports.is_empty() {
                    parts.push(SvcExpr::Term(term));
                } else {
                    parts.push(SvcExpr::Term(SvcTerm { dst_ports: c.any_ports.clone(), ..term.clone() }));
                    parts.push(SvcExpr::Term(SvcTerm { src_ports: c.any_ports.clone(), ..term }));
                }
            }
            ICMP | ICMPV6 if !c.icmp.is_empty() => {
                parts.extend(c.icmp.iter().map(|kind| SvcExpr::Term(SvcTerm { icmp: Some((*kind, None)), ..base.clone() })));
            }
            _ => parts.push(SvcExpr::Term(base)),
        }
    }
    service::union(parts)
}

fn action<'a>(l: &Lowering<'a>, term: Node<'a>) -> (Fact<Verdict>, Fact<RuleLog>) {
    let then = child(term, "then");
    let mut log = None;
    let mut verdict = None;
    for node in then.into_iter().flat_map(below) {
        node.mark_below(Mark::Read);
        let found = match node.word_or_empty(0) {
            "accept" | "routing-instance" | "topology" | "next-interface" | "next-ip" => Verdict::Accept,
            "discard" | "reject" => Verdict::Drop,
            "next" => Verdict::Continue,
            "log" | "syslog" => {
                log = Some(node.span());
                continue;
            }
            _ => continue,
        };
        verdict = verdict.or(Some(Fact::written(found, node.span())));
    }
    then.map(Node::read);
    let anchor = Some(then.map_or(term.span(), Node::span));
    let verdict = verdict.unwrap_or_else(|| {
        l.absent("firewall term without action", "local_filter", anchor, |v| (v == "accept").then_some(Verdict::Accept))
    });
    let log = match log {
        Some(at) => Fact::written(RuleLog::Session, at),
        None => l.absent("firewall then log", "local_filter", anchor, |v| (v == "none").then_some(RuleLog::None)),
    };
    (verdict, log)
}

/// The rows of a term: one, or two where an address may be the source or the destination.
fn rule<'a>(l: &mut Lowering<'a>, term: Node<'a>, family: Family, off: Option<Node<'a>>) -> Vec<Rule> {
    let span = term.span();
    let v6 = family == Family::V6;
    let from = child(term, "from");
    let mut c = from.map(|f| conditions(l, f, v6)).unwrap_or_default();
    let (verdict, log) = action(l, term);
    let mut guards = Vec::new();
    if let Some(at) = c.established {
        guards.push(Guard::Established(at));
    }
    if let Some((at, word)) = c.chosen.take() {
        // Whoever wants in sends a packet that such a discard does not match; an accept may be met.
        let refuses = verdict.get() == Some(&Verdict::Drop);
        guards.push(if refuses { Guard::Established(at) } else { Guard::Unmodelled(at, word) });
    }
    if let Some((at, word)) = c.other.take() {
        guards.push(Guard::Unmodelled(at, word));
    }
    let svc = services(&c, v6);
    let origin = if c.spans.is_empty() { Origin::Written(span) } else { Origin::all(c.spans.iter().map(|s| Origin::Written(*s))) };
    // A filter sees packets before translation: a row that names destinations or ports may miss what was translated.
    let specific = !c.dst.is_empty() || !c.dst_except.is_empty() || !c.dst_ports.is_empty() || !c.any_ports.is_empty();
    let sees = if specific { Fact::unknown(Why::at(WhyCode::Unmodelled, "nat", vec![span])) } else { Fact::written(true, span) };
    let own = match off {
        Some(mark) => Fact::written(false, mark.span()),
        None => Fact::written(true, span),
    };
    let either = std::mem::take(&mut c.either);
    let src = expression(std::mem::take(&mut c.src), std::mem::take(&mut c.src_except));
    let dst = expression(std::mem::take(&mut c.dst), std::mem::take(&mut c.dst_except));
    let row = |src: AddrExpr, dst: AddrExpr| Rule {
        label: term.word_or_empty(0).to_owned(),
        span,
        live: Live::own(own.clone()),
        ingress: IfMatch::Any,
        egress: IfMatch::Any,
        src: Fact::known(src, origin.clone()),
        dst: Fact::known(dst, origin.clone()),
        svc: Fact::known(svc.clone(), origin.clone()),
        guards: guards.clone(),
        nat: NatMatch { via: Vec::new(), plain_sees_translated: sees.clone() },
        verdict: verdict.clone(),
        log: log.clone(),
        generated: false,
    };
    if either.is_empty() {
        return vec![row(src, dst)];
    }
    vec![row(union(either.clone()), dst), row(src, union(either))]
}

fn pipeline(l: &mut Lowering<'_>) {
    let has = |hook: Hook| l.device.filters.iter().any(|f| f.attach.iter().any(|a| a.hook == hook));
    let next = |origin: &Origin| Fact::known(Verdict::Next, origin.clone());
    let (local, unfiltered, forward) = match &l.gatekeeping {
        Gatekeeping::Zones => {
            let origin = l.grammar.default("security zones", l.version.as_ref(), Some(l.head)).origin;
            let drop = l
                .absent("security policies default-policy", "forward_filter", Some(l.head), |v| (v == "deny-all").then_some(Verdict::Drop));
            (next(&origin), next(&origin), Some(drop))
        }
        Gatekeeping::Open(origin) => (Fact::known(Verdict::Accept, origin.clone()), Fact::known(Verdict::Accept, origin.clone()), None),
        Gatekeeping::Unknown(why) => (Fact::unknown(why.clone()), Fact::unknown(why.clone()), None),
    };
    let zoned = forward.is_some();
    let mut to_box = vec![Stage::DestNat];
    let mut through = vec![Stage::DestNat];
    if has(Hook::Inbound) || !zoned {
        // Where zones decide afterwards, no filter means that packets go on to them.
        let through_undecided = if zoned {
            Fact { value: unfiltered.value.map(|_| Verdict::Accept), origin: unfiltered.origin.clone() }
        } else {
            unfiltered.clone()
        };
        if has(Hook::Inbound) {
            to_box.push(Stage::Filter { hook: Hook::Inbound, undecided: unfiltered.clone() });
        }
        through.push(Stage::Filter { hook: Hook::Inbound, undecided: through_undecided });
    }
    to_box.extend([Stage::Filter { hook: Hook::Local, undecided: local }, Stage::Gate, Stage::Limits]);
    if let Some(undecided) = forward {
        through.push(Stage::Filter { hook: Hook::Forward, undecided });
    }
    if has(Hook::Outbound) {
        through.push(Stage::Filter { hook: Hook::Outbound, undecided: next(&unfiltered.origin) });
    }
    l.device.pipeline = Pipeline { to_box, through };
}
