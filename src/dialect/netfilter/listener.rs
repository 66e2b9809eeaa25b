//! What the box answers, as far as a packet filter tells: a row that lets in one named port is a sign that something answers there.
//!
//! Which sockets are open is in no such export. So the list of listeners may always hold more, and a permit of many ports at once is no
//! sign of any of them. The services that are looked for, and on which ports, are data of the grammar file.

use super::{Hook, Lowering, Target};
use crate::dialect::Input;
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{Family, ICMP, ICMPV6, SvcTerm};
use crate::ir::listener::{Binding, Limit, Listener, Plane, Reach, Ssh};
use crate::ir::live::Live;
use crate::ir::schema;
use crate::source::Span;
use std::collections::BTreeSet;

/// A longer range of ports names none of them.
const NAMED: u16 = 16;

/// Fills the listeners.
pub fn fill(l: &mut Lowering<'_>, input: &Input<'_>) {
    let mut items = Vec::new();
    let permits = permits(l);
    for (plane, list) in [(Plane::Management, "management"), (Plane::Vpn, "vpn"), (Plane::Infrastructure, "infrastructure")] {
        for entry in input.grammar.names(list) {
            let mut words = entry.split(' ');
            let Some(service) = words.next().and_then(|w| schema::SERVICES.iter().find(|s| **s == w)) else { continue };
            let wanted: Vec<SvcTerm> = words.filter_map(term).collect();
            let answers = (*service == "ping")
                .then(|| input.grammar.default_as("icmp echo", None, Some(l.rules.head), |v| (v == "answered").then_some(true)));
            items.extend(listener(plane, service, &wanted, &permits, answers));
        }
    }
    l.device.listeners = List::partial(items, Why::at(WhyCode::NotExported, "sockets", vec![l.rules.head]));
}

/// `tcp/22`, `ip/50`, `icmp/8`.
fn term(word: &str) -> Option<SvcTerm> {
    let (protocol, number) = word.split_once('/')?;
    let number: u16 = number.parse().ok()?;
    Some(match protocol {
        "tcp" => SvcTerm::ports(6, vec![(number, number)]),
        "udp" => SvcTerm::ports(17, vec![(number, number)]),
        "icmp" | "icmpv6" => {
            let own = if protocol == "icmp" { ICMP } else { ICMPV6 };
            SvcTerm { icmp: Some((u8::try_from(number).ok()?, None)), ..SvcTerm::protocol(own) }
        }
        _ => SvcTerm::protocol(u8::try_from(number).ok()?),
    })
}

/// Rows on the way to the box that let a named service in, or hand it to a chain of its own.
fn permits(l: &Lowering<'_>) -> Vec<(Span, SvcTerm)> {
    let mut reached: BTreeSet<usize> = l.rules.bases(Hook::Input, |_| true).into_iter().map(|(ix, _)| ix).collect();
    let mut open: Vec<usize> = reached.iter().copied().collect();
    let mut out = Vec::new();
    while let Some(ix) = open.pop() {
        let chain = &l.rules.chains[ix];
        for row in &chain.rows {
            match &row.target {
                Target::Jump(name) | Target::Goto(name) => {
                    open.extend(l.rules.find(chain.table, name).filter(|target| reached.insert(*target)));
                }
                Target::Accept => {}
                _ => continue,
            }
            for condition in row.conditions.iter().filter(|c| !c.never && c.established.is_none()) {
                out.extend(condition.services.terms().unwrap_or_default().into_iter().map(|t| (row.span, t)));
            }
        }
    }
    out.sort_by_key(|(span, _)| span.start);
    out
}

fn listener(
    plane: Plane,
    service: &'static str,
    wanted: &[SvcTerm],
    permits: &[(Span, SvcTerm)],
    answers: Option<Fact<bool>>,
) -> Option<Listener> {
    let names = |want: &SvcTerm, permit: &SvcTerm| {
        permit.protocol == want.protocol
            && match (want.icmp, permit.icmp) {
                (Some((kind, _)), Some((permitted, _))) => kind == permitted,
                (None, Some(_)) => false,
                _ => true,
            }
            && match want.dst_ports.first() {
                None => true,
                Some((port, _)) => permit.dst_ports.iter().any(|(a, b)| a <= port && port <= b && b - a < NAMED),
            }
    };
    let found: Vec<(Span, &SvcTerm)> =
        permits.iter().flat_map(|(span, p)| wanted.iter().filter(move |w| names(w, p)).map(move |w| (*span, w))).collect();
    let (first, _) = *found.first()?;
    let mut spans: Vec<Span> = found.iter().map(|(s, _)| *s).collect();
    spans.dedup();
    let mut ports: Vec<SvcTerm> = Vec::new();
    for (_, term) in &found {
        if !ports.contains(term) {
            ports.push((*term).clone());
        }
    }
    // With several permits, the one that lets a packet through is the line at fault, not the first of them.
    let span = (spans.len() == 1).then_some(first);
    let inferred = |from: Vec<Origin>| Origin::inferred("port_named_in_permit", from);
    let from = || span.map(Origin::Written).into_iter().collect::<Vec<_>>();
    let live = match (plane, answers) {
        (_, Some(answers)) => answers,
        // A name server that serves its own zones is no resolver.
        (Plane::Infrastructure, None) => Fact::unknown(Why::at(WhyCode::NotExported, service, vec![first])),
        _ => Fact::known(true, inferred(from())),
    };
    let no = |b| Fact::known(b, Origin::all([]));
    let cleartext = match service {
        "telnet" | "http" => no(true),
        "snmp" => Fact::unknown(Why::at(WhyCode::NotExported, service, vec![first])),
        _ => no(false),
    };
    let unknown = |what: &str| Fact::unknown(Why::at(WhyCode::NotExported, what, vec![first]));
    let ssh = (service == "ssh").then(|| Ssh { v1: unknown("ssh"), weak_only: unknown("ssh"), weak_offered: unknown("ssh") });
    Some(Listener {
        plane,
        service,
        ports: Fact::known(ports, inferred(from())),
        span,
        bindings: vec![Binding { on: None, family: Family::Both, bound: Fact::known(true, inferred(Vec::new())), reach: Reach::Direct }],
        live: Live::own(live),
        cleartext,
        redirect_only: no(false),
        limits: Limit::None(Origin::all([])),
        tls: None,
        ssh,
        rate_limit: unknown("sockets"),
        peers_fixed: None,
    })
}
