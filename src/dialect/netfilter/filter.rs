//! Chains as filters, once for each place in a packet's way from which they are reached, and the order of decisions.
//!
//! Base chains at one hook are asked one after the other and each must let a packet through; chains they call become filters that are
//! attached nowhere. Chains are taken from a list, not by recursion, so that calls of any depth and in circles end.

use super::condition::{Condition, Rate, all_of};
use super::via::{Via, aimed, marks, translated};
use super::{Base, Hook, Kind, Lowering, Row, Target};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterIx, FilterRole, Guard, Hook as At, IfMatch, NatMatch, Pipeline, Rule, RuleLog, Stage, SvcExpr,
    Verdict,
};
use crate::ir::live::Live;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Priority of destination translation.
const DEST_NAT: i32 = -100;

/// Priority at which connections are told apart.
const CONNTRACK: i32 = -200;

/// Filters made so far, by chain and place.
struct Made {
    by_place: HashMap<(usize, Place), FilterIx>,
    open: Vec<(usize, Place)>,
}

/// A place in the order of decisions, as a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// On arrival, before connections are told apart.
    Raw,
    Arrival,
    Inbound,
    Local,
    Forward,
    Outbound,
}

impl Place {
    fn hook(self) -> At {
        match self {
            Place::Raw | Place::Arrival => At::Arrival,
            Place::Inbound => At::Inbound,
            Place::Local => At::Local,
            Place::Forward => At::Forward,
            Place::Outbound => At::Outbound,
        }
    }
}

impl Made {
    fn filter(&mut self, chain: usize, place: Place) -> FilterIx {
        let next = FilterIx(self.by_place.len() as u32);
        *self.by_place.entry((chain, place)).or_insert_with(|| {
            self.open.push((chain, place));
            next
        })
    }
}

fn place_of(base: &Base) -> Option<Place> {
    match base.hook {
        Hook::Ingress => Some(Place::Raw),
        Hook::Prerouting if base.priority < CONNTRACK => Some(Place::Raw),
        Hook::Prerouting if base.priority < DEST_NAT => Some(Place::Arrival),
        Hook::Prerouting => Some(Place::Inbound),
        Hook::Input => Some(Place::Local),
        Hook::Forward => Some(Place::Forward),
        Hook::Postrouting => Some(Place::Outbound),
        Hook::Output => None,
    }
}

/// Fills the filters and the order of decisions.
pub fn fill(l: &mut Lowering<'_>) {
    marks(l);
    let mut made = Made { by_place: HashMap::new(), open: Vec::new() };
    let mut attached: HashMap<(usize, Place), &Base> = HashMap::new();
    let rules = l.rules;
    // What is reached on the way through the box comes first: its rows are those that are judged as permits to the inside.
    for hook in [Hook::Forward, Hook::Input, Hook::Ingress, Hook::Prerouting, Hook::Postrouting] {
        for (ix, base) in rules.bases(hook, |k| k != Kind::Nat) {
            if let Some(place) = place_of(base) {
                made.filter(ix, place);
                attached.insert((ix, place), base);
            }
        }
    }
    let mut judged = vec![false; rules.chains.len()];
    let mut done = 0;
    while let Some(&(chain, place)) = made.open.get(done) {
        done += 1;
        let filter = filter(l, &mut made, chain, place, attached.get(&(chain, place)).copied(), &mut judged);
        l.device.filters.push(filter);
    }
    pipeline(l);
}

fn filter(l: &mut Lowering<'_>, made: &mut Made, chain: usize, place: Place, base: Option<&Base>, judged: &mut [bool]) -> Filter {
    let source = &l.rules.chains[chain];
    let table = &l.rules.tables[source.table];
    let mut rules = Vec::with_capacity(source.rows.len());
    for row in &source.rows {
        rows(l, made, chain, place, row, &mut rules);
    }
    let role = match place {
        _ if judged[chain] => FilterRole::Other,
        Place::Forward => FilterRole::Packet,
        Place::Local => FilterRole::ToBox,
        _ => FilterRole::Other,
    };
    judged[chain] |= matches!(place, Place::Forward | Place::Local);
    let name = if table.name == "filter" { source.name.clone() } else { format!("{} {}", table.name, source.name) };
    let attach = base.map(|base| {
        let on = match (&base.hook, &source.base) {
            (Hook::Ingress, Some(_)) => IfMatch::Unknown(Why::at(WhyCode::Unmodelled, source.name.clone(), vec![base.span])),
            _ => IfMatch::Any,
        };
        Attach { hook: place.hook(), on, origin: Origin::Written(base.span) }
    });
    let default = match base {
        Some(base) => base.policy.clone(),
        None => Fact::known(Verdict::Next, Origin::Written(source.span)),
    };
    Filter {
        name,
        span: Some(source.span),
        role,
        family: table.family.unwrap_or(Family::Both),
        rules,
        incomplete: l.device.completeness.gaps.get("local_filter").cloned(),
        default,
        attach: attach.into_iter().collect(),
    }
}

/// A row, once for each of its conditions.
fn rows(l: &Lowering<'_>, made: &mut Made, chain: usize, place: Place, row: &Row, out: &mut Vec<Rule>) {
    let table = l.rules.chains[chain].table;
    let verdict = match &row.target {
        Target::Accept | Target::Destination(_) | Target::Source => Fact::written(Verdict::Accept, row.span),
        Target::Drop => Fact::written(Verdict::Drop, row.span),
        Target::Return => Fact::written(Verdict::Return, row.span),
        Target::Continue => Fact::written(Verdict::Continue, row.span),
        Target::Unknown(what) => Fact::unknown(Why::at(WhyCode::Unmodelled, what.clone(), vec![row.span])),
        Target::Jump(name) | Target::Goto(name) => match l.rules.find(table, name) {
            Some(target) => {
                let target = made.filter(target, place);
                let goto = matches!(row.target, Target::Goto(_));
                Fact::written(if goto { Verdict::Goto(target) } else { Verdict::Jump(target) }, row.span)
            }
            None => Fact::unknown(Why::at(WhyCode::Unresolved, name.clone(), vec![row.span])),
        },
    };
    let admits = if row.conditions.iter().any(|c| c.rate.is_some()) { admits(l, table, &row.target) } else { None };
    for condition in &row.conditions {
        let mut built = rule(l, place, row, (condition, admits), verdict.clone());
        if matches!(row.target, Target::Unknown(_)) || matches!(row.target, Target::Jump(_) | Target::Goto(_)) && verdict.get().is_none() {
            // It may also go on to the next row.
            built.guards.push(Guard::Unmodelled(row.span, row.label.clone()));
        }
        out.push(built);
    }
}

fn nowhere() -> NatMatch {
    NatMatch { via: Vec::new(), plain_sees_translated: Fact::known(true, Origin::all([])) }
}

/// Whether a target, or what it calls, can let a packet through; `None` for one that does not end the matter.
fn admits(l: &Lowering<'_>, table: usize, target: &Target) -> Option<bool> {
    let (Target::Jump(first) | Target::Goto(first)) = target else {
        return match target {
            Target::Drop => Some(false),
            Target::Return | Target::Continue => None,
            _ => Some(true),
        };
    };
    let Some(first) = l.rules.find(table, first) else { return Some(true) };
    let (mut seen, mut open) = (HashSet::from([first]), vec![first]);
    while let Some(at) = open.pop() {
        for row in &l.rules.chains[at].rows {
            match &row.target {
                Target::Jump(name) | Target::Goto(name) => match l.rules.find(table, name) {
                    Some(next) => open.extend(seen.insert(next).then_some(next)),
                    None => return Some(true),
                },
                Target::Drop | Target::Return | Target::Continue => {}
                _ => return Some(true),
            }
        }
    }
    Some(false)
}

/// Whether some row may take packets of a condition out of the tracking of connections.
pub(super) fn may_be_untracked(l: &Lowering<'_>, condition: &Condition) -> bool {
    l.untracked.iter().any(|services| !services.and(&condition.services).is_empty())
}

/// `admits`: whether the target can let a packet through.
fn rule(l: &Lowering<'_>, place: Place, row: &Row, (condition, admits): (&Condition, Option<bool>), verdict: Fact<Verdict>) -> Rule {
    let mut guards: Vec<Guard> = condition.unmodelled.iter().map(|(span, what)| Guard::Unmodelled(*span, what.clone())).collect();
    guards.extend(condition.decrypted.map(Guard::Decrypted));
    let mut never = condition.never;
    if place == Place::Raw {
        never |= condition.untracked == Some(false);
    } else if condition.notrack.is_some_and(|holds| holds != condition.established.is_none()) && may_be_untracked(l, condition) {
        guards.push(Guard::Unmodelled(row.span, "notrack".to_owned()));
    } else {
        guards.extend(condition.established.map(Guard::Established));
        guards.extend(condition.opening.map(Guard::First));
    }
    // What holds for the first packets lets a stranger in and never keeps one out for long.
    match (condition.rate, &row.target) {
        (Some(Rate::Over), _) => never = true,
        (Some(Rate::Under | Rate::Listed), _) if admits == Some(false) => never = true,
        (Some(Rate::Listed), _) => guards.push(Guard::Unmodelled(row.span, "recent".to_owned())),
        (Some(Rate::Under), Target::Jump(_) | Target::Goto(_)) => guards.push(Guard::Unmodelled(row.span, "limit".to_owned())),
        (Some(Rate::Under), _) => guards.push(Guard::First(row.span)),
        _ => {}
    }
    let on_the_way_out = matches!(place, Place::Forward | Place::Outbound);
    let egress = if on_the_way_out {
        l.interfaces.matching(&condition.egress)
    } else {
        // No outbound interface is known yet: a name never fits, its negation always does.
        never |= condition.egress.iter().any(|n| !n.negated);
        IfMatch::Any
    };
    let mut dst = condition.dst.clone();
    match (condition.local, place) {
        (None, _) | (Some(false), Place::Forward | Place::Outbound) => {}
        // What comes to the box is for one of its addresses, or for many boxes at once.
        (Some(true), Place::Local) => {
            dst.push(AddrExpr::Not(Box::new(AddrExpr::Union(vec![multicast(), broadcast()]))));
            // The broadcast addresses of its networks are not in the export: such a row takes nothing from those behind it for sure.
            guards.push(Guard::First(row.span));
        }
        (Some(false), Place::Local) => dst.push(AddrExpr::Union(vec![multicast(), broadcast()])),
        (Some(true), Place::Forward | Place::Outbound) => never = true,
        (Some(true), _) => dst.push(AddrExpr::SelfAddrs),
        (Some(false), _) => dst.push(AddrExpr::Not(Box::new(AddrExpr::SelfAddrs))),
    }
    let mut nat = nowhere();
    let via = translated(l, place, condition, &mut guards, &mut never);
    let mut dst = all_of(&dst);
    match via {
        Via::Anything => {}
        Via::None => nat.plain_sees_translated = Fact::written(false, row.span),
        Via::Only(list) => {
            let (list, sure) = aimed(l, list, &condition.dst);
            if !sure {
                guards.push(Guard::Unmodelled(row.span, "ct status dnat".to_owned()));
            }
            nat = NatMatch { via: list, plain_sees_translated: Fact::written(false, row.span) };
            dst = AddrExpr::Nothing;
        }
    }
    let svc = if never { SvcExpr::Nothing } else { condition.services.expression() };
    let src = match condition.family {
        Some(Family::V4) => both(AddrExpr::AnyV4, &condition.src),
        Some(Family::V6) => both(AddrExpr::AnyV6, &condition.src),
        _ => all_of(&condition.src),
    };
    let at = row.span;
    Rule {
        label: row.label.clone(),
        span: at,
        live: Live::own(Fact::written(true, at)),
        ingress: l.interfaces.matching(&condition.ingress),
        egress,
        src: Fact::written(src, at),
        dst: Fact::written(dst, at),
        svc: Fact::written(svc, at),
        guards,
        nat,
        verdict,
        log: if row.logs {
            Fact::written(RuleLog::Session, at)
        } else {
            // Logging is a row of its own before or after this one, or nowhere.
            Fact::unknown(Why::at(WhyCode::Unmodelled, "log", vec![at]))
        },
        generated: false,
    }
}

fn both(family: AddrExpr, rest: &[AddrExpr]) -> AddrExpr {
    let mut all = vec![family];
    all.extend(rest.iter().cloned());
    all_of(&all)
}

fn pipeline(l: &mut Lowering<'_>) {
    let hooks: Vec<At> = l.device.filters.iter().flat_map(|f| f.attach.iter().map(|a| a.hook)).collect();
    let accept = || Fact::known(Verdict::Accept, l.rules.unfiltered.origin.clone());
    let optional = |hook: At| hooks.contains(&hook).then(|| Stage::Filter { hook, undecided: accept() });
    let undecided = match l.device.completeness.gaps.get("local_filter") {
        Some(why) => Fact::unknown(why.clone()),
        None => l.rules.unfiltered.clone(),
    };
    let whole = |hook: At| Some(Stage::Filter { hook, undecided: undecided.clone() });
    // A rule set that says nothing at all about what goes through the box may be one of a host that forwards nothing.
    let silent = !l
        .rules
        .chains
        .iter()
        .any(|c| c.base.as_ref().is_some_and(|b| b.hook == Hook::Forward || b.kind == Kind::Nat && !c.rows.is_empty()));
    let forwards = if silent {
        let why = Why::at(WhyCode::NotExported, "net.ipv4.ip_forward", vec![l.rules.head]);
        Some(Stage::Filter { hook: At::Forward, undecided: Fact::unknown(why) })
    } else {
        whole(At::Forward)
    };
    let to_box = [optional(At::Arrival), Some(Stage::DestNat), optional(At::Inbound), whole(At::Local), Some(Stage::Gate)];
    let through = [optional(At::Arrival), Some(Stage::DestNat), optional(At::Inbound), forwards, optional(At::Outbound)];
    let pipeline = Pipeline { to_box: to_box.into_iter().flatten().collect(), through: through.into_iter().flatten().collect() };
    l.device.pipeline = pipeline;
}

/// Multicast addresses of both families.
pub fn multicast() -> AddrExpr {
    AddrExpr::Union(vec![
        AddrExpr::Range(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), IpAddr::V4(Ipv4Addr::new(239, 255, 255, 255))),
        AddrExpr::Range(IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), IpAddr::V6(Ipv6Addr::from(u128::MAX))),
    ])
}

/// The broadcast address of every link.
pub fn broadcast() -> AddrExpr {
    AddrExpr::Range(IpAddr::V4(Ipv4Addr::BROADCAST), IpAddr::V4(Ipv4Addr::BROADCAST))
}
