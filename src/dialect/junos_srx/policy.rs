//! Security policies as filters: one list of rows for traffic through the box (zone pairs first, then global rows, then the
//! default), and one list for each zone that has policies towards the box itself.
//!
//! Rows of different pairs never meet, so they can stand one after the other in one list.

use super::object::{books_of, by_name, undefined};
use super::{Gatekeeping, Lowering, service};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterRole, Guard, Hook, IfMatch, NatMatch, Opaque, OpaqueKind, Rule, RuleLog, SvcExpr, SvcTerm,
    Verdict,
};
use crate::ir::interface::ZoneIx;
use crate::ir::live::Live;
use crate::ir::nat::NatIx;
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{at, below, child, inactive, rows, value};
use std::collections::BTreeMap;

/// The zone that stands for the box itself.
const SELF: &str = "junos-host";

/// Where a row belongs.
struct Place<'a> {
    from: Vec<Node<'a>>,
    to: Vec<Node<'a>>,
}

/// Lowers the policies.
pub(super) fn lower(l: &mut Lowering<'_>) {
    if !matches!(l.gatekeeping, Gatekeeping::Zones) {
        return;
    }
    let sees = l.grammar.default_as("policies.after-translation", l.version.as_ref(), Some(l.head), super::switch);
    let mut through = Vec::new();
    let mut to_box: BTreeMap<String, (Span, Vec<Rule>)> = BTreeMap::new();
    for from in rows(l.own, &["security", "policies", "from-zone"]) {
        for to in rows(from, &["to-zone"]) {
            let mut all: Vec<(Node<'_>, Option<Node<'_>>)> = rows(to, &["policy"]).into_iter().map(|p| (p, None)).collect();
            all.extend(inactive(to, "policy").into_iter().map(|(p, mark)| (p, Some(mark))));
            for (policy, off) in all {
                let place = Place { from: vec![from], to: vec![to] };
                let rule = row(l, policy, off, &place, &sees);
                if to.word(0) == Some(SELF) {
                    to_box.entry(from.word_or_empty(0).to_owned()).or_insert((to.span(), Vec::new())).1.push(rule);
                } else if from.word(0) != Some(SELF) {
                    note_schedule(l, &rule);
                    through.push(rule);
                }
            }
        }
    }
    let global = at(l.own, &["security", "policies", "global"]);
    for (policy, off) in global
        .map(|g| {
            let mut all: Vec<_> = rows(g, &["policy"]).into_iter().map(|p| (p, None)).collect();
            all.extend(inactive(g, "policy").into_iter().map(|(p, m)| (p, Some(m))));
            all
        })
        .unwrap_or_default()
    {
        let zones = |word: &str| child(policy, "match").map(|m| rows(m, &[word])).unwrap_or_default();
        let place = Place { from: zones("from-zone"), to: zones("to-zone") };
        let host = place.to.iter().any(|z| z.word(0) == Some(SELF));
        let rule = row(l, policy, off, &place, &sees);
        if host {
            let names: Vec<String> = place.from.iter().map(|z| z.word_or_empty(0).to_owned()).collect();
            let names = if names.is_empty() { l.device.zones.iter().map(|z| z.name.clone()).collect() } else { names };
            for name in names {
                to_box.entry(name).or_insert((policy.span(), Vec::new())).1.push(rule.clone());
            }
        }
        if !host || place.to.len() > 1 {
            note_schedule(l, &rule);
            through.push(rule);
        }
    }
    let default = end(l);
    let span = own_policies(l);
    let origin = span.map_or(Origin::Written(l.head), Origin::Written);
    l.device.filters.push(Filter {
        name: "policies".to_owned(),
        span,
        role: FilterRole::Packet,
        family: Family::Both,
        rules: through,
        incomplete: l.completeness.gaps.get("forward_filter").cloned(),
        default: default.clone(),
        attach: vec![Attach { hook: Hook::Forward, on: IfMatch::Any, origin }],
    });
    for (zone, (span, mut rules)) in to_box {
        rules.insert(0, key_exchange(l, span));
        let Some(ix) = l.names.zones.get(zone.as_str()) else { continue };
        let members = l.device.zones[ix.0 as usize].members.clone();
        l.device.filters.push(Filter {
            name: format!("{zone} to {SELF}"),
            span: Some(span),
            role: FilterRole::ToBox,
            family: Family::Both,
            rules,
            incomplete: l.completeness.gaps.get("local_filter").cloned(),
            default: default.clone(),
            attach: vec![Attach { hook: Hook::Local, on: IfMatch::These(members), origin: Origin::Written(span) }],
        });
    }
}

fn own_policies(l: &Lowering<'_>) -> Option<Span> {
    at(l.own, &["security", "policies"]).map(|n| n.span())
}

/// `default-policy`: what no row names.
fn end(l: &Lowering<'_>) -> Fact<Verdict> {
    let read = |v: &str| match v {
        "permit-all" => Some(Verdict::Accept),
        "deny-all" => Some(Verdict::Drop),
        _ => None,
    };
    match value(l.own, &["security", "policies", "default-policy"]) {
        Some(node) => match read(node.word_or_empty(0)) {
            Some(verdict) => Fact::written(verdict, node.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, "default-policy", vec![node.span()])),
        },
        None => l.absent("security policies default-policy", "forward_filter", own_policies(l), read),
    }
}

/// Whether policies towards the box reach key exchange and ESP is not documented: they are not taken to restrict it.
fn key_exchange(l: &Lowering<'_>, span: Span) -> Rule {
    let passes =
        l.grammar.default_as("policies.junos-host.ike", l.version.as_ref(), Some(span), |v| (v == "passes").then_some(Verdict::Accept));
    let always = || Fact::written(AddrExpr::Any, span);
    Rule {
        label: "ike".to_owned(),
        span,
        live: Live::own(Fact::written(true, span)),
        ingress: IfMatch::Any,
        egress: IfMatch::Any,
        src: always(),
        dst: always(),
        svc: Fact::written(
            SvcExpr::Union(vec![
                SvcExpr::Term(SvcTerm::ports(crate::ir::filter::UDP, vec![(500, 500), (4500, 4500)])),
                SvcExpr::Term(SvcTerm::protocol(crate::ir::filter::ESP)),
            ]),
            span,
        ),
        guards: Vec::new(),
        nat: NatMatch { via: Vec::new(), plain_sees_translated: Fact::written(true, span) },
        verdict: passes,
        // Nobody can set a log on it, so nobody is told to.
        log: Fact::written(RuleLog::Session, span),
        generated: true,
    }
}

/// Which zones carry traffic at certain times only.
fn note_schedule(l: &mut Lowering<'_>, rule: &Rule) {
    if rule.verdict.get() != Some(&Verdict::Accept) || rule.live.value().value.is_false() {
        return;
    }
    let limited = rule.guards.iter().find_map(|g| if let Guard::Schedule(at) = g { Some(*at) } else { None });
    let mut zones: Vec<ZoneIx> = Vec::new();
    for list in [&rule.ingress, &rule.egress] {
        match list {
            IfMatch::These(list) => zones.extend(list.iter().filter_map(|ix| l.device.interfaces[ix.0 as usize].zone)),
            _ => zones.extend((0..l.device.zones.len() as u32).map(ZoneIx)),
        }
    }
    for zone in zones {
        let entry = l.names.scheduled_zones.entry(zone).or_insert((true, limited.unwrap_or(rule.span)));
        entry.0 &= limited.is_some();
    }
}

/// Interfaces of the zones a row names; none named: every zone.
fn interfaces(l: &mut Lowering<'_>, zones: &[Node<'_>]) -> IfMatch {
    if zones.is_empty() || zones.iter().any(|z| z.word(0) == Some("any")) {
        return IfMatch::Any;
    }
    let mut list = Vec::new();
    for zone in zones {
        let name = zone.word_or_empty(0);
        match l.names.zones.get(name) {
            Some(ix) => list.extend_from_slice(&l.device.zones[ix.0 as usize].members),
            None if name == SELF => return IfMatch::Any,
            None => {
                let why = Why::at(WhyCode::Unresolved, name, vec![zone.span()]);
                undefined(l, "zone", "interfaces", name, zone.span(), "undefined.zone");
                return IfMatch::Unknown(why);
            }
        }
    }
    IfMatch::These(list)
}

fn row<'a>(l: &mut Lowering<'a>, policy: Node<'a>, off: Option<Node<'a>>, place: &Place<'a>, sees: &Fact<bool>) -> Rule {
    let span = policy.span();
    let ingress = interfaces(l, &place.from);
    let egress = interfaces(l, &place.to);
    let matches = child(policy, "match");
    let zone = |zones: &[Node<'a>]| if let [one] = zones { one.word(0) } else { None };
    let src = addresses(l, policy, matches, "source-address", zone(&place.from));
    let dst = addresses(l, policy, matches, "destination-address", zone(&place.to));
    let applications = matches.map(|m| rows(m, &["application"])).unwrap_or_default();
    let svc = if applications.is_empty() {
        l.absent("policy match application", "forward_filter", Some(span), |v| (v == "any").then_some(SvcExpr::Any))
    } else {
        service::list(l, &applications)
    };
    let mut guards = Vec::new();
    conditions(matches, &mut guards);
    if let Some(name) = value(policy, &["scheduler-name"]) {
        l.used("schedule", name.word_or_empty(0));
        guards.push(Guard::Schedule(name.span()));
    }
    let verdict = verdict(l, policy, &mut guards);
    let log = match at(policy, &["then", "log"]) {
        Some(node) => {
            below(node).for_each(|n| {
                n.read();
            });
            Fact::written(RuleLog::Session, node.span())
        }
        None => l.absent("policy then log", "forward_filter", Some(span), |v| (v == "none").then_some(RuleLog::None)),
    };
    let own = match off {
        Some(mark) => Fact::written(false, mark.span()),
        None => Fact::written(true, span),
    };
    let via = by_same_mask(l, &dst);
    let svc = same_hidden_port(l, &via, &applications).unwrap_or(svc);
    Rule {
        label: policy.word_or_empty(0).to_owned(),
        span,
        live: Live::own(own),
        ingress,
        egress,
        src,
        dst,
        svc,
        guards,
        nat: NatMatch { via, plain_sees_translated: sees.clone() },
        verdict,
        log,
        generated: false,
    }
}

/// Translations to a host that the export hides behind the same word as the row's destination: the row is about what they lead to.
fn by_same_mask(l: &Lowering<'_>, dst: &Fact<AddrExpr>) -> Vec<NatIx> {
    let mut words = Vec::new();
    collect_masks(l, dst.get(), 0, &mut words);
    if words.is_empty() {
        return Vec::new();
    }
    let hides = |expr: &AddrExpr| matches!(expr, AddrExpr::Opaque(Opaque { kind: OpaqueKind::Masked, text, .. }) if words.contains(text));
    l.device.nat.rules.iter().enumerate().filter(|(_, r)| r.to.get().is_some_and(hides)).map(|(n, _)| NatIx(n as u32)).collect()
}

/// Where the translation and the application hide their port behind the same word, they speak of the same port, whichever it is:
/// both are written as port 0 then.
fn same_hidden_port<'a>(l: &Lowering<'a>, via: &[NatIx], applications: &[Node<'a>]) -> Option<Fact<SvcExpr>> {
    let name = applications.iter().find(|n| {
        let hidden = l.names.hidden_app_ports.get(n.word_or_empty(0));
        hidden.is_some_and(|h| via.iter().any(|ix| l.names.hidden_nat_ports.get(&ix.0).is_some_and(|list| list.contains(h))))
    })?;
    let terms = [crate::ir::filter::TCP, crate::ir::filter::UDP].map(|p| SvcExpr::Term(SvcTerm::ports(p, vec![(0, 0)])));
    Some(Fact::known(SvcExpr::Union(terms.into()), Origin::inferred("infer.same_mask", [Origin::Written(name.span())])))
}

fn collect_masks(l: &Lowering<'_>, expr: Option<&AddrExpr>, depth: usize, out: &mut Vec<String>) {
    if depth > 8 {
        return;
    }
    match expr {
        Some(AddrExpr::Opaque(Opaque { kind: OpaqueKind::Masked, text, .. })) => out.push(text.clone()),
        Some(AddrExpr::Object(ix)) => collect_masks(l, l.device.addr_objects[ix.0 as usize].value.get(), depth + 1, out),
        Some(AddrExpr::Union(parts)) => parts.iter().for_each(|p| collect_masks(l, Some(p), depth + 1, out)),
        _ => {}
    }
}

fn addresses<'a>(l: &mut Lowering<'a>, policy: Node<'a>, matches: Option<Node<'a>>, word: &str, zone: Option<&str>) -> Fact<AddrExpr> {
    let names = matches.map(|m| rows(m, &[word])).unwrap_or_default();
    if names.is_empty() {
        return l.absent("policy match address", "forward_filter", Some(policy.span()), |v| (v == "any").then_some(AddrExpr::Any));
    }
    let books = books_of(l, zone);
    let parts: Vec<AddrExpr> = names.iter().map(|n| by_name(l, &books, *n)).collect();
    let mut origins: Vec<Origin> = names.iter().map(|n| Origin::Written(n.span())).collect();
    let mut expr = super::value::union(parts);
    if let Some(excluded) = matches.and_then(|m| child(m, &format!("{word}-excluded"))) {
        origins.push(Origin::Written(excluded.span()));
        expr = AddrExpr::Not(Box::new(expr));
    }
    Fact::known(expr, Origin::all(origins))
}

/// Conditions besides addresses and applications.
fn conditions(matches: Option<Node<'_>>, guards: &mut Vec<Guard>) {
    let Some(matches) = matches else { return };
    for identity in rows(matches, &["source-identity"]).into_iter().chain(rows(matches, &["source-end-user-profile"])) {
        // Names of people; `any` and those for strangers ask for no login.
        if !matches!(identity.word_or_empty(0), "any" | "unauthenticated-user" | "unknown-user") {
            guards.push(Guard::Users(identity.span()));
        }
    }
    for (word, none) in [("dynamic-application", "any"), ("url-category", "any"), ("vrf-group", "any"), ("source-l3vpn-vrf-group", "any")] {
        for node in rows(matches, &[word]) {
            if !matches!(node.word_or_empty(0), w if w == none || w == "none") {
                guards.push(Guard::Unmodelled(node.span(), word.to_owned()));
                break;
            }
        }
    }
}

fn verdict<'a>(l: &mut Lowering<'a>, policy: Node<'a>, guards: &mut Vec<Guard>) -> Fact<Verdict> {
    let Some(then) = child(policy, "then") else {
        return Fact::unknown(Why::at(WhyCode::NotExported, "then", vec![policy.span()]));
    };
    for word in ["count", "log"] {
        child(then, word);
    }
    for node in below(then) {
        match node.word_or_empty(0) {
            "permit" => {
                node.read();
                permit(l, node, guards);
                return Fact::written(Verdict::Accept, node.span());
            }
            "deny" | "reject" => {
                node.read();
                return Fact::written(Verdict::Drop, node.span());
            }
            _ => {}
        }
    }
    Fact::unknown(Why::at(WhyCode::NotExported, "then", vec![then.span()]))
}

fn permit<'a>(l: &mut Lowering<'a>, node: Node<'a>, guards: &mut Vec<Guard>) {
    if let Some(vpn) = value(node, &["tunnel", "ipsec-vpn"]) {
        guards.push(Guard::Decrypted(vpn.span()));
        l.names.tunnels_in_policies.entry(vpn.word_or_empty(0)).or_insert(vpn.span());
        value(node, &["tunnel", "pair-policy"]);
    }
    if let Some(user) = child(node, "firewall-authentication") {
        guards.push(Guard::Users(user.span()));
        user.mark_below(crate::syntax::Mark::Read);
    }
    if let Some(address) = child(node, "destination-address") {
        // `drop-untranslated`, `drop-translated`: only packets that were translated, or only those that were not.
        guards.push(Guard::Unmodelled(address.span(), "destination-address".to_owned()));
        address.mark_below(crate::syntax::Mark::Read);
    }
}
