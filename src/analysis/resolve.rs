//! Configured addresses, services and rows as packet sets. Names are resolved once; what the export does not hold becomes an
//! atom with an identity, so that denying and permitting the same unknown list cancels.

use super::Context;
use crate::ir::fact::Val;
use crate::ir::filter::{AddrExpr, Filter, Guard, IfMatch, Opaque, OpaqueKind, Rule, SvcExpr, SvcTerm, Verdict};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::nat::NatIx;
use crate::packet::{self, AddrMatch, AddrSet, AtomId, Class, Intervals, Match, Product, service};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Deeper nesting of groups than any product allows; beyond it a group counts as unknown, so that a cycle ends.
const DEPTH: usize = 24;

/// Where a packet is bound, for destinations that name the box's own addresses: they may not be in the export, yet it is sure of
/// each packet whether it goes to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Nothing is said: own addresses the export does not show are an unknown set.
    Anywhere,
    /// To the box, at its addresses on the interface it enters.
    ToBox(InterfaceIx),
    /// Through the box.
    Through,
}

/// A set of addresses: as a match with atoms, and by bounds.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// With the identity of what is unknown.
    pub matches: AddrMatch,
    /// Surely in.
    pub lo: AddrSet,
    /// Possibly in.
    pub hi: AddrSet,
}

impl Addresses {
    fn known(set: AddrSet) -> Addresses {
        Addresses { matches: AddrMatch::known(set.clone()), lo: set.clone(), hi: set }
    }
}

/// A set of services: blocks of service and source port, and whether it may hold more or less than they say.
#[derive(Clone, Debug)]
pub struct Services {
    /// Services and source ports.
    pub blocks: Vec<(Intervals<u32>, Intervals<u16>)>,
    /// Whether some member could not be read: then the blocks are what it could be at most.
    pub unsure: bool,
}

/// The size of an unreadable set and of everything outside it, as far as its kind tells (ir.md, section 2.4).
#[derive(Clone, Copy, Debug)]
pub struct AtomSize {
    /// Least and greatest class of the members.
    pub inside: (Class, Class),
    /// Least and greatest class of everything else.
    pub outside: (Class, Class),
}

fn size_of(kind: OpaqueKind) -> AtomSize {
    let unknown = (Class::None, Class::Any);
    match kind {
        OpaqueKind::Country => AtomSize { inside: (Class::Broad, Class::Broad), outside: (Class::Broad, Class::Broad) },
        OpaqueKind::Fqdn => AtomSize { inside: (Class::Restricted, Class::Restricted), outside: (Class::Any, Class::Any) },
        OpaqueKind::Feed | OpaqueKind::CloudService => AtomSize { inside: unknown, outside: (Class::Broad, Class::Any) },
        OpaqueKind::Masked | OpaqueKind::Undefined | OpaqueKind::Unmodelled => AtomSize { inside: unknown, outside: unknown },
    }
}

fn network_of(interface: &str) -> String {
    format!("network of {interface}")
}

/// Whether an expression speaks of the box's own addresses.
pub fn names_own(expr: &AddrExpr) -> bool {
    match expr {
        AddrExpr::SelfAddrs | AddrExpr::InterfaceAddr(_) => true,
        AddrExpr::Union(parts) => parts.iter().any(names_own),
        AddrExpr::Except(all, without) => names_own(all) || names_own(without),
        AddrExpr::Not(without) => names_own(without),
        _ => false,
    }
}

/// A row ready for the evaluator, with what must be matched outside of it.
#[derive(Clone, Debug)]
pub struct CompiledRow {
    /// Index of the row in its filter.
    pub index: usize,
    /// Inbound interfaces.
    pub ingress: IfMatch,
    /// Outbound interfaces.
    pub egress: IfMatch,
    /// What it matches when nothing was translated.
    pub plain: Match,
    /// Services alone, for rows that name a translation as their destination.
    pub by_service: Match,
    /// Translations it names.
    pub via: Vec<NatIx>,
    /// Whether its plain destinations match translated packets.
    pub plain_sees_translated: Option<bool>,
    /// Verdict; `None` when unknown.
    pub verdict: Option<Verdict>,
    /// Whether it is in force and its further conditions hold for a stranger's packet.
    pub guard: Option<bool>,
    /// The same for packets of users who logged in, where the row asks for a login.
    pub with_login: Option<Option<bool>>,
    /// Whether it only holds for packets that came out of a tunnel.
    pub decrypted_only: bool,
    /// Whether a schedule limits it.
    pub scheduled: bool,
}

/// Resolves the names of one device.
pub struct Resolver<'a> {
    cx: &'a Context<'a>,
    addresses: RefCell<Vec<Option<Rc<Addresses>>>>,
    services: RefCell<Vec<Option<Rc<Services>>>>,
    atoms: RefCell<Atoms>,
}

#[derive(Default)]
struct Atoms {
    by_name: HashMap<(OpaqueKind, String), AtomId>,
    sizes: Vec<AtomSize>,
}

impl<'a> Resolver<'a> {
    /// A resolver for the device of a context.
    pub fn new(cx: &'a Context<'a>) -> Resolver<'a> {
        let device = cx.device();
        Resolver {
            cx,
            addresses: RefCell::new(vec![None; device.addr_objects.len()]),
            services: RefCell::new(vec![None; device.svc_objects.len()]),
            atoms: RefCell::default(),
        }
    }

    /// The size of an atom.
    pub fn size(&self, atom: AtomId) -> AtomSize {
        let unknown = (Class::None, Class::Any);
        self.atoms.borrow().sizes.get(atom.0 as usize).copied().unwrap_or(AtomSize { inside: unknown, outside: unknown })
    }

    /// What an atom stands for, as the export names it.
    pub fn name_of(&self, atom: AtomId) -> Option<(OpaqueKind, String)> {
        self.atoms.borrow().by_name.iter().find(|(_, id)| **id == atom).map(|(name, _)| name.clone())
    }

    /// The set that stands for the networks of an interface that the export does not show, where some row speaks of them.
    pub fn unknown_network(&self, interface: &str) -> Option<AtomId> {
        self.atoms.borrow().by_name.get(&(OpaqueKind::Fqdn, network_of(interface))).copied()
    }

    fn atom(&self, kind: OpaqueKind, text: &str) -> Addresses {
        let mut atoms = self.atoms.borrow_mut();
        let next = AtomId(atoms.sizes.len() as u32);
        let id = *atoms.by_name.entry((kind, text.to_owned())).or_insert(next);
        if id == next {
            atoms.sizes.push(size_of(kind));
        }
        Addresses { matches: AddrMatch::atom(id), lo: AddrSet::empty(), hi: AddrSet::any() }
    }

    /// The set of an expression.
    pub fn addresses(&self, expr: &AddrExpr) -> Addresses {
        self.addresses_at(expr, Bound::Anywhere, 0)
    }

    /// The set of an expression that destinations of packets bound for some place are compared with.
    pub fn destinations(&self, expr: &AddrExpr, bound: Bound) -> Addresses {
        self.addresses_at(expr, bound, 0)
    }

    fn addresses_at(&self, expr: &AddrExpr, bound: Bound, depth: usize) -> Addresses {
        let unmodelled = |text: &str| self.atom(OpaqueKind::Unmodelled, text);
        if depth > DEPTH {
            return unmodelled("cycle");
        }
        match expr {
            AddrExpr::Any => Addresses::known(AddrSet::any()),
            AddrExpr::AnyV4 => Addresses::known(AddrSet::any_v4()),
            AddrExpr::AnyV6 => Addresses::known(AddrSet::any_v6()),
            AddrExpr::Nothing => Addresses::known(AddrSet::empty()),
            AddrExpr::Range(first, last) => {
                AddrSet::range(*first, *last).map_or_else(|| Addresses::known(AddrSet::empty()), Addresses::known)
            }
            AddrExpr::Masked(address, mask) => {
                AddrSet::masked(*address, *mask).map_or_else(|| unmodelled(&format!("{address}/{mask}")), Addresses::known)
            }
            AddrExpr::InterfaceNet(ix) => self.networks(&[*ix]),
            AddrExpr::LanNets => {
                let lan = |k| matches!(k, InterfaceKind::Physical | InterfaceKind::Vlan | InterfaceKind::Bridge | InterfaceKind::Aggregate);
                let all: Vec<InterfaceIx> = self
                    .cx
                    .device()
                    .interfaces
                    .iter()
                    .enumerate()
                    .filter(|(_, i)| lan(i.kind))
                    .map(|(ix, _)| InterfaceIx(ix as u32))
                    .collect();
                self.networks(&all)
            }
            AddrExpr::SelfAddrs if bound != Bound::Anywhere => {
                Addresses::known(if bound == Bound::Through { AddrSet::empty() } else { AddrSet::any() })
            }
            AddrExpr::InterfaceAddr(ix) => self.own(*ix, bound),
            AddrExpr::SelfAddrs => {
                let mut set = AddrSet::empty();
                let mut unsure = false;
                for address in self.cx.device().interfaces.iter().flat_map(|i| &i.addresses) {
                    match address.net.get() {
                        Some(net) => set = set.union(&AddrSet::single(net.addr)),
                        None => unsure = true,
                    }
                }
                let known = Addresses::known(set);
                if unsure { self.union(&[known, self.atom(OpaqueKind::Unmodelled, "own addresses")]) } else { known }
            }
            AddrExpr::Object(ix) => {
                let at = ix.0 as usize;
                if let Some(Some(done)) = self.addresses.borrow().get(at) {
                    return done.as_ref().clone();
                }
                let Some(object) = self.cx.device().addr_objects.get(at) else { return unmodelled("object") };
                let resolved = match &object.value.value {
                    Val::Known(expr) => self.addresses_at(expr, Bound::Anywhere, depth + 1),
                    Val::Among(..) | Val::Unknown(_) => self.atom(OpaqueKind::Undefined, &object.name),
                };
                if let Some(slot) = self.addresses.borrow_mut().get_mut(at) {
                    *slot = Some(Rc::new(resolved.clone()));
                }
                resolved
            }
            AddrExpr::Union(parts) => {
                let parts: Vec<Addresses> = parts.iter().map(|p| self.addresses_at(p, bound, depth + 1)).collect();
                self.union(&parts)
            }
            AddrExpr::Except(all, without) => {
                let (all, without) = (self.addresses_at(all, bound, depth + 1), self.addresses_at(without, bound, depth + 1));
                let matches = without.matches.complement().and_then(|c| all.matches.intersection(&c));
                match matches {
                    Some(matches) => Addresses { matches, lo: all.lo.difference(&without.hi), hi: all.hi.difference(&without.lo) },
                    None => unmodelled("except"),
                }
            }
            AddrExpr::Not(without) => {
                let without = self.addresses_at(without, bound, depth + 1);
                match without.matches.complement() {
                    Some(matches) => Addresses { matches, lo: without.hi.complement(), hi: without.lo.complement() },
                    None => unmodelled("not"),
                }
            }
            AddrExpr::Opaque(Opaque { kind, text, .. }) => self.atom(*kind, text),
        }
    }

    /// The box's own address on an interface.
    fn own(&self, ix: InterfaceIx, bound: Bound) -> Addresses {
        let Some(interface) = self.cx.device().interfaces.get(ix.0 as usize) else { return Addresses::known(AddrSet::empty()) };
        let mut parts = Vec::new();
        for v6 in [false, true] {
            match super::trust::own_addresses(interface, v6).first() {
                Some(Some(address)) => parts.push(Addresses::known(AddrSet::single(*address))),
                Some(None) => parts.push(match bound {
                    Bound::Anywhere => self.atom(OpaqueKind::Unmodelled, &format!("address of {}", interface.name)),
                    Bound::ToBox(entered) if entered == ix => Addresses::known(if v6 { AddrSet::any_v6() } else { AddrSet::any_v4() }),
                    Bound::ToBox(_) | Bound::Through => Addresses::known(AddrSet::empty()),
                }),
                None => {}
            }
        }
        self.union(&parts)
    }

    fn union(&self, parts: &[Addresses]) -> Addresses {
        let matches = parts.iter().fold(AddrMatch::default(), |acc, p| acc.union(&p.matches));
        Addresses { matches, lo: AddrSet::union_of(parts.iter().map(|p| &p.lo)), hi: AddrSet::union_of(parts.iter().map(|p| &p.hi)) }
    }

    /// The networks of interfaces; those whose address is not in the export are an unknown set of few addresses.
    pub fn networks(&self, interfaces: &[InterfaceIx]) -> Addresses {
        let mut parts = Vec::new();
        for ix in interfaces {
            let Some(interface) = self.cx.device().interfaces.get(ix.0 as usize) else { continue };
            for address in &interface.addresses {
                match address.net.get() {
                    Some(net) => {
                        let (first, last) = net.range();
                        parts.extend(AddrSet::range(first, last).map(Addresses::known));
                    }
                    // A neighbour's network is small whatever it is: the size class of a name fits it.
                    None => parts.push(self.atom(OpaqueKind::Fqdn, &network_of(&interface.name))),
                }
            }
        }
        self.union(&parts)
    }

    /// The services of an expression.
    pub fn services(&self, expr: &SvcExpr) -> Services {
        self.services_at(expr, 0)
    }

    fn services_at(&self, expr: &SvcExpr, depth: usize) -> Services {
        let any = |unsure| Services { blocks: vec![(service::any(), Intervals::full())], unsure };
        if depth > DEPTH {
            return any(true);
        }
        match expr {
            SvcExpr::Any => any(false),
            SvcExpr::Nothing => Services { blocks: Vec::new(), unsure: false },
            SvcExpr::Term(term) => Services { blocks: vec![block(term)], unsure: false },
            SvcExpr::Object(ix) => {
                let at = ix.0 as usize;
                if let Some(Some(done)) = self.services.borrow().get(at) {
                    return done.as_ref().clone();
                }
                let Some(object) = self.cx.device().svc_objects.get(at) else { return any(true) };
                let resolved = match &object.value.value {
                    Val::Known(expr) => self.services_at(expr, depth + 1),
                    Val::Among(..) | Val::Unknown(_) => any(true),
                };
                if let Some(slot) = self.services.borrow_mut().get_mut(at) {
                    *slot = Some(Rc::new(resolved.clone()));
                }
                resolved
            }
            SvcExpr::Union(parts) => {
                let mut all = Services { blocks: Vec::new(), unsure: false };
                // Blocks with every source port melt into one, so that a long service list stays one product.
                let mut melted = Intervals::empty();
                for part in parts {
                    let part = self.services_at(part, depth + 1);
                    all.unsure |= part.unsure;
                    for (svc, sport) in part.blocks {
                        if sport.is_full() { melted = melted.union(&svc) } else { all.blocks.push((svc, sport)) }
                    }
                }
                if !melted.is_empty() {
                    all.blocks.push((melted, Intervals::full()));
                }
                all
            }
            SvcExpr::Not(without) => {
                let without = self.services_at(without, depth + 1);
                let whole = without.blocks.iter().all(|(_, sport)| sport.is_full());
                let svc = without.blocks.iter().fold(Intervals::empty(), |acc, (svc, _)| acc.union(svc));
                Services { blocks: vec![(service::not(&svc), Intervals::full())], unsure: without.unsure || !whole }
            }
            SvcExpr::Opaque(_) => any(true),
        }
    }

    /// The rows of a filter, ready for the evaluator; rows that are surely not in force are left out.
    pub fn rows(&self, filter: &Filter) -> Vec<CompiledRow> {
        filter.rules.iter().enumerate().filter_map(|(index, rule)| self.row(filter, index, rule, rule.live.value().value.tri())).collect()
    }

    /// One row as if it were in force as `live` says.
    pub fn row(&self, filter: &Filter, index: usize, rule: &Rule, live: Option<bool>) -> Option<CompiledRow> {
        self.row_bound(filter, index, rule, live, Bound::Anywhere)
    }

    /// One row as packets bound for some place meet it.
    pub fn row_bound(&self, filter: &Filter, index: usize, rule: &Rule, live: Option<bool>, bound: Bound) -> Option<CompiledRow> {
        if live == Some(false) {
            return None;
        }
        let mut guard = live;
        let (mut decrypted_only, mut scheduled, mut users) = (false, false, false);
        for condition in &rule.guards {
            match condition {
                // A stranger's first packet has no login and belongs to no connection.
                Guard::Users(_) => users = true,
                Guard::Established(_) => guard = Some(false),
                Guard::Schedule(_) => scheduled = true,
                Guard::First(_) => {}
                Guard::Decrypted(_) => decrypted_only = true,
                Guard::Unmodelled(..) => guard = if guard == Some(false) { guard } else { None },
            }
        }
        let unknown = || self.atom(OpaqueKind::Unmodelled, &format!("{} {}", filter.name, rule.label));
        let src = rule.src.get().map_or_else(unknown, |e| self.addresses(e));
        let dst = rule.dst.get().map_or_else(unknown, |e| self.destinations(e, bound));
        let svc = rule.svc.get().map_or(Services { blocks: vec![(service::any(), Intervals::full())], unsure: true }, |e| self.services(e));
        if svc.unsure && guard == Some(true) {
            guard = None;
        }
        let family = match filter.family {
            crate::ir::filter::Family::V4 => Some(AddrSet::any_v4()),
            crate::ir::filter::Family::V6 => Some(AddrSet::any_v6()),
            crate::ir::filter::Family::Both => None,
        };
        let between = |dst: &AddrMatch| {
            let mut all = Match::default();
            for (svc, sport) in &svc.blocks {
                let mut rest = Product { svc: svc.clone(), sport: sport.clone(), ..Product::any() };
                if let Some(f) = &family {
                    rest.src = f.clone();
                }
                all.terms.extend(Match::between(&src.matches, dst, &rest).terms);
            }
            all
        };
        let with_login = users.then_some(guard);
        if users {
            guard = Some(false);
        }
        Some(CompiledRow {
            index,
            ingress: rule.ingress.clone(),
            egress: rule.egress.clone(),
            plain: between(&dst.matches),
            by_service: between(&AddrMatch::known(AddrSet::any())),
            via: rule.nat.via.clone(),
            plain_sees_translated: rule.nat.plain_sees_translated.value.tri(),
            verdict: rule.verdict.get().copied(),
            guard,
            with_login,
            decrypted_only,
            scheduled,
        })
    }
}

/// A block of services and source ports.
pub fn block(term: &SvcTerm) -> (Intervals<u32>, Intervals<u16>) {
    let ports = |list: &[(u16, u16)]| if list.is_empty() { Intervals::full() } else { Intervals::from_ranges(list.iter().copied()) };
    let svc = match (term.protocol, term.icmp) {
        (None, _) => service::any(),
        (Some(protocol), Some((kind, code))) => service::icmp(protocol, kind, code),
        (Some(protocol), None) if service::has_ports(protocol) => service::ports(protocol, &ports(&term.dst_ports)),
        (Some(protocol), None) => service::protocol(protocol),
    };
    (svc, ports(&term.src_ports))
}

/// Services of several blocks; source ports are left out.
pub fn union_of_terms(terms: &[SvcTerm]) -> Intervals<u32> {
    if terms.is_empty() {
        return service::any();
    }
    terms.iter().fold(Intervals::empty(), |acc, t| acc.union(&block(t).0))
}

/// Protocol and ports as people write them: `tcp 443`, `udp 500, udp 4500`, `esp`.
pub fn service_text(svc: &Intervals<u32>) -> String {
    if *svc == service::any() {
        return "all".to_owned();
    }
    let name = |protocol: u8| match protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        47 => "gre".to_owned(),
        50 => "esp".to_owned(),
        51 => "ah".to_owned(),
        58 => "icmpv6".to_owned(),
        p => format!("protocol {p}"),
    };
    let mut parts: Vec<String> = Vec::new();
    for (first, last) in svc.ranges() {
        let ((p1, d1), (p2, d2)) = (service::split(*first), service::split(*last));
        for protocol in p1..=p2 {
            let from = if protocol == p1 { d1 } else { 0 };
            let to = if protocol == p2 { d2 } else { u16::MAX };
            parts.push(if !service::has_ports(protocol) || (from, to) == (0, u16::MAX) {
                name(protocol)
            } else if (from, to) == (0, 0) {
                // One port, hidden by who gave the export away.
                format!("{} ?", name(protocol))
            } else if from == to {
                format!("{} {from}", name(protocol))
            } else {
                format!("{} {from}-{to}", name(protocol))
            });
            if parts.len() > 12 {
                parts.push("...".to_owned());
                return parts.join(", ");
            }
        }
    }
    parts.dedup();
    parts.join(", ")
}

/// Re-exported so that callers need not name the algebra for the commonest question.
pub type Budget = packet::Budget;
