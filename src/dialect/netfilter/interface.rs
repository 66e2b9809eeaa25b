//! Interfaces that the rules name, and the signs of their sides that the rules give: an export of a packet filter has no other.
//!
//! Names that the rules give become interfaces; a beginning of names becomes one for all of them, and one more stands for every interface
//! that no rule names: the outside where none of the named ones faces outside, else the inside. It is what a negated name means. The
//! loopback is none of them: no stranger's packet enters it.

use super::condition::{Condition, NamePattern, Names, all_of};
use super::{Hook, Kind, Lowering, Row, Ruleset, Target};
use crate::dialect::Input;
use crate::dialect::grammar::Grammar;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, IfMatch};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign};
use crate::source::Span;
use std::collections::HashMap;
use std::net::IpAddr;

/// The name of the interface that stands for all that no rule names, where the outside is not one of them.
const OTHERS: &str = "others";

/// The same where the outside is one of them.
const ANY: &str = "any";

/// The loopback.
const LOOPBACK: &str = "lo";

/// Interfaces by their patterns.
#[derive(Debug, Default)]
pub struct Interfaces {
    patterns: Vec<NamePattern>,
    by_text: HashMap<(String, bool), usize>,
    /// Index of the one that stands for all others, once there is one.
    others: Option<usize>,
}

impl Interfaces {
    fn add(&mut self, pattern: &NamePattern) {
        let everything = pattern.prefix && pattern.text.is_empty();
        if everything || pattern.text == LOOPBACK {
            return;
        }
        self.by_text.entry((pattern.text.clone(), pattern.prefix)).or_insert_with(|| {
            self.patterns.push(pattern.clone());
            self.patterns.len() - 1
        });
    }

    /// The interfaces for which all names hold.
    pub fn matching(&self, all: &[Names]) -> IfMatch {
        let mut result: Option<Vec<usize>> = None;
        let total = self.patterns.len() + usize::from(self.others.is_some());
        for names in all {
            let named = |ix: usize| match self.patterns.get(ix) {
                Some(own) => names.patterns.iter().any(|p| p.covers(own)),
                None => names.patterns.iter().any(|p| p.prefix && p.text.is_empty()),
            };
            // The common case without a look at every interface.
            let direct: Option<Vec<usize>> = if names.negated || names.patterns.iter().any(|p| p.prefix) {
                None
            } else {
                Some(names.patterns.iter().filter_map(|p| self.by_text.get(&(p.text.clone(), false)).copied()).collect())
            };
            let list = direct.unwrap_or_else(|| (0..total).filter(|ix| named(*ix) != names.negated).collect());
            result = Some(match result {
                None => list,
                Some(before) => before.into_iter().filter(|ix| list.contains(ix)).collect(),
            });
        }
        match result {
            None => IfMatch::Any,
            Some(list) if list.len() == total => IfMatch::Any,
            Some(list) => {
                let mut list: Vec<InterfaceIx> = list.into_iter().map(|ix| InterfaceIx(ix as u32)).collect();
                list.sort();
                list.dedup();
                IfMatch::These(list)
            }
        }
    }
}

/// Every interface that a row names.
pub fn collect(rules: &Ruleset) -> Interfaces {
    let mut all = Interfaces::default();
    for chain in &rules.chains {
        for names in chain.rows.iter().flat_map(|r| &r.conditions).flat_map(|c| c.ingress.iter().chain(&c.egress)) {
            names.patterns.iter().for_each(|p| all.add(p));
        }
    }
    all
}

/// What the rules say about the side of one interface.
#[derive(Default)]
struct Evidence {
    signs: Vec<TrustSign>,
    /// New connections leave by it, and none are let in.
    leaves: Option<Span>,
    enters: bool,
}

fn sign(code: &'static str, strength: SignStrength, points_to: SidePointer, span: Span) -> TrustSign {
    TrustSign { code, strength, points_to, origin: Origin::Written(span) }
}

/// Whether a name has one of the words of a list as a part (`wan-input`, `external_pre`).
fn has_word(name: &str, words: &[String]) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.split(|c: char| !c.is_ascii_alphabetic()).any(|part| words.iter().any(|w| part == w))
}

/// Whether a name begins with one of a list, followed by digits or nothing more than a tail.
fn begins(name: &str, words: &[String]) -> bool {
    words.iter().any(|w| name.starts_with(w.as_str()))
}

fn is_private(expressions: &[AddrExpr]) -> bool {
    let private = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xfe00 == 0xfc00,
    };
    fn ends(e: &AddrExpr, test: &dyn Fn(IpAddr) -> bool) -> bool {
        match e {
            AddrExpr::Range(a, b) => test(*a) && test(*b),
            AddrExpr::Union(list) => !list.is_empty() && list.iter().all(|e| ends(e, test)),
            AddrExpr::Except(a, _) => ends(a, test),
            _ => false,
        }
    }
    !expressions.is_empty() && ends(&all_of(expressions), &private)
}

/// Fills the interfaces with their signs.
pub fn fill(l: &mut Lowering<'_>, input: &Input<'_>) {
    let grammar = input.grammar;
    let mut evidence: Vec<Evidence> = l.interfaces.patterns.iter().map(|_| Evidence::default()).collect();
    let rules = l.rules;
    for chain in &rules.chains {
        let (hook, kind) = chain.base.as_ref().map_or((None, None), |b| (Some(b.hook), Some(b.kind)));
        for row in &chain.rows {
            for condition in &row.conditions {
                read(l, grammar, &mut evidence, (hook, kind), row, condition);
            }
        }
    }
    // Where it is said on which side sources are translated, a destination translated elsewhere is for inside hosts that use the outer address.
    let told = |e: &Evidence| e.signs.iter().any(|s| s.code == "sign.source_translated");
    if evidence.iter().any(told) {
        for e in evidence.iter_mut().filter(|e| !told(e)) {
            e.signs.retain(|s| s.code != "sign.destination_translated");
        }
    }
    for (pattern, found) in l.interfaces.patterns.iter().zip(&mut evidence) {
        names(grammar, pattern, found);
    }
    // Where some rule tells the outside, an interface of which none tells anything is not it.
    let outside = evidence.iter().flat_map(|e| &e.signs).find(|s| s.code == "sign.source_translated").map(|s| s.origin.clone());
    let mut interfaces = Vec::new();
    for (pattern, mut found) in l.interfaces.patterns.iter().zip(evidence) {
        if found.signs.is_empty() {
            if let Some(origin) = outside.clone() {
                found.signs.push(TrustSign {
                    code: "sign.beside_outside",
                    strength: SignStrength::Medium,
                    points_to: SidePointer::Trusted,
                    origin,
                });
            } else if let Some(at) = found.leaves.filter(|_| !found.enters) {
                found.signs.push(sign("sign.only_leaves", SignStrength::Weak, SidePointer::Untrusted, at));
            }
        }
        interfaces.push(interface(l.rules, pattern, kind_of(grammar, &pattern.text, &found), found.signs));
    }
    // The outside is what no rule names, unless a rule, or a name that is usual for the first port, says more.
    if !interfaces.iter().any(judged_outside)
        && let Some(ix) = l.interfaces.patterns.iter().position(|p| begins(&p.text, grammar.names("first_ports")))
        && let Some(usual) = interfaces.get_mut(ix).filter(|i| i.signs.is_empty() && i.kind == InterfaceKind::Physical)
    {
        usual.signs.push(sign("sign.first_port", SignStrength::Weak, SidePointer::Untrusted, usual.span));
    }
    let (name, code, points_to) = if interfaces.iter().any(judged_outside) {
        (OTHERS, "sign.outside_named", SidePointer::Trusted)
    } else {
        (ANY, "sign.no_interface_named", SidePointer::Untrusted)
    };
    let pattern = NamePattern { text: name.to_owned(), prefix: false, span: l.rules.head };
    l.interfaces.others = Some(interfaces.len());
    interfaces.push(interface(l.rules, &pattern, InterfaceKind::Host, vec![sign(code, SignStrength::Medium, points_to, l.rules.head)]));
    l.device.interfaces = interfaces;
}

fn judged_outside(i: &Interface) -> bool {
    let strongest = i.signs.iter().map(|s| s.strength).max();
    i.signs.iter().any(|s| Some(s.strength) == strongest && s.points_to == SidePointer::Untrusted)
        && !matches!(i.kind, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess)
}

/// The interfaces that a conjunction names without negation.
fn named(all: &[Names]) -> impl Iterator<Item = &NamePattern> {
    all.iter().filter(|n| !n.negated).flat_map(|n| &n.patterns)
}

fn read(
    l: &Lowering<'_>,
    grammar: &Grammar,
    evidence: &mut [Evidence],
    (hook, kind): (Option<Hook>, Option<Kind>),
    row: &Row,
    condition: &Condition,
) {
    use SidePointer::{Trusted, Untrusted};
    use SignStrength::Medium;
    let index = |p: &NamePattern| l.interfaces.by_text.get(&(p.text.clone(), p.prefix)).copied();
    let inside: Vec<usize> = named(&condition.ingress).filter_map(index).collect();
    let out: Vec<usize> = named(&condition.egress).filter_map(index).collect();
    let mut add = |ix: &usize, code, side, span| evidence[*ix].signs.push(sign(code, Medium, side, span));
    let outside_words = grammar.names("outside_words");
    let inside_words = grammar.names("inside_words");
    match &row.target {
        // Translation between inside networks (for a host that answers from inside) says nothing about the outside.
        Target::Source if !is_private(&condition.dst) => {
            for ix in &out {
                add(ix, "sign.source_translated", Untrusted, row.span);
            }
        }
        // A redirection to the box itself is as a rule a proxy for the inside.
        Target::Destination(to) if to.to.is_some() && !is_private(&condition.src) => {
            for ix in &inside {
                add(ix, "sign.destination_translated", Untrusted, row.span);
            }
        }
        Target::Jump(to) | Target::Goto(to) => {
            let out = if hook == Some(Hook::Forward) { &out[..] } else { &[] };
            for ix in inside.iter().chain(out).filter(|_| inside.len() + out.len() == 1) {
                if has_word(to, outside_words) {
                    add(ix, "sign.chain_name", Untrusted, row.span);
                } else if has_word(to, inside_words) {
                    add(ix, "sign.chain_name", Trusted, row.span);
                }
            }
        }
        Target::Accept => {
            let new = condition.established.is_none() && condition.translated.is_none() && condition.decrypted.is_none();
            let forward = hook == Some(Hook::Forward) || !out.is_empty();
            if new && forward && kind != Some(Kind::Nat) {
                for ix in &inside {
                    evidence[*ix].enters = true;
                }
                if let ([_], [to]) = (&inside[..], &out[..]) {
                    evidence[*to].leaves.get_or_insert(row.span);
                }
            }
            if new && hook == Some(Hook::Input) && is_vpn(condition) && condition.src.is_empty() {
                for ix in &inside {
                    evidence[*ix].signs.push(sign("sign.vpn_permitted", Medium, Untrusted, row.span));
                }
            }
            if new && hook == Some(Hook::Input) && is_private(&condition.src) {
                for ix in &inside {
                    evidence[*ix].signs.push(sign("sign.private_sources", Medium, Trusted, row.span));
                }
            }
        }
        _ => {}
    }
}

/// IKE, ESP or AH.
fn is_vpn(condition: &Condition) -> bool {
    let list = condition.services.terms().unwrap_or_default();
    !list.is_empty()
        && list.iter().all(|t| {
            matches!(t.protocol, Some(50 | 51))
                || t.protocol == Some(17) && t.dst_ports.iter().all(|p| matches!(p, (500, 500) | (4500, 4500))) && !t.dst_ports.is_empty()
        })
}

/// What the name itself says.
fn names(grammar: &Grammar, pattern: &NamePattern, found: &mut Evidence) {
    let span = pattern.span;
    let name = pattern.text.to_ascii_lowercase();
    if begins(&name, grammar.names("container_interfaces")) {
        found.signs.push(sign("sign.container_bridge", SignStrength::Medium, SidePointer::Trusted, span));
    } else if begins(&name, grammar.names("outside_interfaces")) {
        found.signs.push(sign("sign.line_name", SignStrength::Medium, SidePointer::Untrusted, span));
    } else if has_word(&name, grammar.names("outside_words")) {
        found.signs.push(sign("sign.outside_name", SignStrength::Weak, SidePointer::Untrusted, span));
    } else if begins(&name, grammar.names("inside_interfaces")) || has_word(&name, grammar.names("inside_words")) {
        found.signs.push(sign("sign.inside_name", SignStrength::Weak, SidePointer::Trusted, span));
    }
    found.signs.dedup_by(|a, b| a.code == b.code && a.points_to == b.points_to);
}

fn kind_of(grammar: &Grammar, name: &str, found: &Evidence) -> InterfaceKind {
    let translated = found.signs.iter().any(|s| s.code == "sign.source_translated" || s.code == "sign.line_name");
    if begins(name, grammar.names("tunnel_interfaces")) && !translated {
        InterfaceKind::Tunnel
    } else if name.starts_with("ppp") {
        InterfaceKind::Ppp
    } else if begins(name, grammar.names("container_interfaces")) || name.starts_with("br") {
        InterfaceKind::Bridge
    } else if name.contains('.') {
        InterfaceKind::Vlan
    } else {
        InterfaceKind::Physical
    }
}

fn interface(rules: &Ruleset, pattern: &NamePattern, kind: InterfaceKind, signs: Vec<TrustSign>) -> Interface {
    let name = if pattern.prefix { format!("{}*", pattern.text) } else { pattern.text.clone() };
    let unknown = || Why::at(WhyCode::NotExported, name.clone(), vec![pattern.span]);
    let address = |v6| Address { net: Fact::unknown(unknown()), how: AddressHow::Dhcp, v6 };
    let v4 = rules.tables.iter().any(|t| t.family.is_some_and(|f| f.includes(false)));
    let mut addresses = Vec::new();
    if v4 {
        addresses.push(address(false));
    }
    let ipv6 = match rules.speaks_v6 {
        Some(span) => {
            addresses.push(address(true));
            Fact::known(true, Origin::inferred("rules_for_ipv6", [Origin::Written(span)]))
        }
        None => Fact::unknown(unknown()),
    };
    Interface {
        alias: None,
        kind,
        span: pattern.span,
        up: Fact::known(true, Origin::inferred("interface_in_rules", [Origin::Written(pattern.span)])),
        carrier: None,
        addresses,
        ipv6,
        zone: None,
        members: Vec::new(),
        signs,
        name,
    }
}
