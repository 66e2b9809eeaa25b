//! What translation does to packets on their way: it leads them elsewhere, drops what nobody asked for, and makes a packet to a
//! published address one to a host inside. Filters that decide before it see the packet as it was.
//!
//! The published address may be one that the export hides or that the provider assigns. It is still one address, the same
//! wherever it is named: surely through are only packets that get through whichever address it is.

use super::engine::Engine;
use super::exposure::Door;
use super::flow::{Cell, Flow, melt, narrowed};
use super::resolve::{self, Bound};
use super::trust;
use crate::ir::fact::{Why, WhyCode};
use crate::ir::filter::{AddrExpr, Stage, SvcTerm};
use crate::ir::interface::InterfaceIx;
use crate::ir::nat::{NatIx, NatRule, UnmatchedEffect};
use crate::ir::record::Step;
use crate::packet::{self, AddrSet, Assignment, AtomId, Budget, Exceeded, Intervals, PacketSet, Product, Side, class, service};
use std::net::IpAddr;
use std::rc::Rc;

/// The address that packets are sent to before they are translated.
struct Published {
    /// All it may be.
    addresses: AddrSet,
    /// Whether it is one address that is not known.
    hidden: bool,
    /// The unknown set that stands for it.
    atom: Option<AtomId>,
    /// Why it is not known, where nothing at all can be said.
    doubt: Option<Why>,
}

impl Engine<'_> {
    /// The packets a translation acts on, as they come out of it, and the stages that follow. `target` is what they become:
    /// sources, the host inside, its services.
    pub(super) fn translate<'s>(
        &self,
        stages: &'s [Stage],
        n: NatIx,
        ingress: InterfaceIx,
        target: Product,
        v6: bool,
    ) -> Option<(Flow, &'s [Stage])> {
        let rule = self.cx.device().nat.rules.get(n.0 as usize)?;
        let at = stages.iter().position(|s| matches!(s, Stage::DestNat)).unwrap_or(0);
        let (before, rest) = stages.split_at(at);
        let taken = self.taken_before(n, rule, ingress, v6);
        if taken.is_empty() && !before.iter().any(|s| matches!(s, Stage::Filter { .. })) {
            let mut flow = self.start(target, v6)?;
            self.only_from(&mut flow, rule);
            return Some((flow, rest));
        }
        let published = self.published(rule, ingress, v6);
        let svc = resolve::union_of_terms(&rule.orig_svc);
        let mut flow = self.start(Product { dst: published.addresses.clone(), svc, ..target.clone() }, v6)?;
        if let Some(why) = published.doubt {
            flow.doubt(Some(why));
        }
        flow.masked_dst = published.atom;
        // Until it is translated, a packet to a published address of the box is one to the box.
        flow.to_box = rule.orig_dst.get().is_some_and(resolve::names_own);
        let start = flow.cells.first().map(|c| c.hi.clone());
        self.run(&mut flow, before, ingress, None, None);
        flow.to_box = false;
        flow.masked_dst = None;
        let mut budget = self.budget.borrow_mut();
        for cell in &mut flow.cells {
            for earlier in &taken {
                let earlier = PacketSet::from(earlier.clone());
                if let (Ok(lo), Ok(hi)) = (cell.lo.difference(&earlier, &mut budget), cell.hi.difference(&earlier, &mut budget)) {
                    (cell.lo, cell.hi) = (lo, hi);
                }
            }
            if let Some(start) = start.as_ref().filter(|_| published.hidden) {
                cell.lo = whichever_destination(&cell.lo, start, &mut budget).unwrap_or_else(|_| PacketSet::empty());
            }
            cell.assignment = sources_of(&cell.assignment);
            let moved = |set: &PacketSet| set.products().iter().flat_map(|p| moved(p, rule, &target)).collect::<Vec<_>>();
            let (lo, hi) = (moved(&cell.lo), moved(&cell.hi));
            (cell.lo, cell.hi) = match (PacketSet::of(lo, &mut budget), PacketSet::of(hi, &mut budget)) {
                (Ok(lo), Ok(hi)) => (lo, hi),
                _ => (PacketSet::empty(), PacketSet::any()),
            };
        }
        flow.cells = joined(std::mem::take(&mut flow.cells), &mut budget);
        drop(budget);
        if published.hidden {
            flow.why.get_or_insert_with(|| Why::new(WhyCode::RuntimeContent, "own address"));
        }
        self.only_from(&mut flow, rule);
        Some((flow, rest))
    }

    /// Leaves the sources a translation names, where the export does not hold all of them: what the unknown ones are is the same
    /// question here as in a filter.
    fn only_from(&self, flow: &mut Flow, rule: &NatRule) {
        let Some(expr) = rule.src.get() else {
            return flow.doubt(rule.src.value.why().cloned());
        };
        let src = self.resolver.addresses(expr);
        if src.lo == src.hi {
            return;
        }
        let matches = packet::Match::between(&src.matches, &packet::AddrMatch::known(AddrSet::any()), &Product::any());
        let rows = vec![packet::Row::new(matches, packet::Verdict::Accept)];
        let named = packet::Filter { chains: vec![packet::Chain { rows, end: packet::End::Drop }] };
        let mut budget = self.budget.borrow_mut();
        let cells: Result<Vec<Vec<Cell>>, Exceeded> = flow.cells.iter().map(|cell| narrowed(cell, &named, &mut budget)).collect();
        match cells {
            Ok(cells) => flow.cells = melt(cells.into_iter().flatten().collect(), &mut budget),
            Err(_) => flow.doubt(None),
        }
        flow.why.get_or_insert_with(|| Why::new(WhyCode::RuntimeContent, rule.name.clone()));
    }

    /// What translations that are asked earlier take from one that may act on it too, where that is exactly known.
    fn taken_before(&self, n: NatIx, rule: &NatRule, ingress: InterfaceIx, v6: bool) -> Vec<Product> {
        let acted_on = self.acted_on(ingress, v6);
        let earlier = acted_on.iter().take_while(|(at, _)| *at < n);
        let mut products = earlier.map(|(_, product)| product).peekable();
        if rule.needs_reference || products.peek().is_none() {
            return Vec::new();
        }
        let own = self.published(rule, ingress, v6).addresses;
        let services = resolve::union_of_terms(&rule.orig_svc);
        let meets = |p: &&Product| p.dst.overlaps(&own) && !p.svc.intersection(&services).is_empty();
        products.filter(meets).cloned().collect()
    }

    /// What the translations that surely act on an interface take, in their order.
    fn acted_on(&self, ingress: InterfaceIx, v6: bool) -> Rc<Vec<(NatIx, Product)>> {
        if let Some(done) = self.acted_on.borrow().get(&(ingress, v6)) {
            return done.clone();
        }
        let acts = |r: &NatRule| {
            r.family.includes(v6) && r.ingress.covers(ingress) == Some(true) && r.live.value().value.is_true() && !r.needs_reference
        };
        let rules = (0..).map(NatIx).zip(&self.cx.device().nat.rules).filter(|(_, r)| acts(r));
        let all = Rc::new(rules.filter_map(|(n, r)| Some((n, self.before(r, ingress)?))).collect::<Vec<_>>());
        self.acted_on.borrow_mut().insert((ingress, v6), all.clone());
        all
    }

    /// Takes out what a translation leads elsewhere before the box sees it.
    pub(super) fn steal(&self, flow: &mut Flow, ingress: InterfaceIx, v6: bool) {
        let device = self.cx.device();
        if !device.pipeline.to_box.iter().any(|s| matches!(s, Stage::DestNat)) {
            return;
        }
        for rule in &device.nat.rules {
            let acts = rule.family.includes(v6) && rule.ingress.covers(ingress) == Some(true) && rule.live.value().value.is_true();
            let elsewhere = rule.to.get().is_some_and(|to| !self.holds_own(to));
            let Some(product) = self.before(rule, ingress).filter(|_| acts && elsewhere && !rule.needs_reference) else { continue };
            let mut budget = self.budget.borrow_mut();
            let Ok(taken) = PacketSet::of([product], &mut budget) else { continue };
            for cell in &mut flow.cells {
                if let (Ok(lo), Ok(hi)) = (cell.lo.difference(&taken, &mut budget), cell.hi.difference(&taken, &mut budget)) {
                    (cell.lo, cell.hi) = (lo, hi);
                }
            }
        }
    }

    /// What a translation acts on, where that is exactly known.
    fn before(&self, rule: &NatRule, ingress: InterfaceIx) -> Option<Product> {
        let src = self.resolver.addresses(rule.src.get()?);
        let dst = self.resolver.destinations(rule.orig_dst.get()?, Bound::ToBox(ingress));
        Some(Product { src: src.lo, dst: dst.lo, svc: resolve::union_of_terms(&rule.orig_svc), ..Product::any() })
    }

    /// Whether an expression may hold an address of the box itself.
    pub(super) fn holds_own(&self, to: &AddrExpr) -> bool {
        is_own(to) || self.among_own(&self.resolver.addresses(to).hi)
    }

    /// Whether an expression surely holds one: a target that the export does not show is a host inside until proven otherwise.
    pub(super) fn surely_own(&self, to: &AddrExpr) -> bool {
        is_own(to) || self.among_own(&self.resolver.addresses(to).lo)
    }

    fn among_own(&self, set: &AddrSet) -> bool {
        let loopback = |a: std::net::IpAddr| a.is_loopback();
        if set.v4.first().map(|a| IpAddr::V4(a.into())).is_some_and(loopback)
            || set.v6.first().map(|a| IpAddr::V6(a.into())).is_some_and(loopback)
        {
            return true;
        }
        self.cx.device().interfaces.iter().flat_map(|i| &i.addresses).filter_map(|a| a.net.get()).any(|n| set.contains(n.addr))
    }

    /// What source translation does to packets that match no translation.
    pub(super) fn unmatched(&self, flow: &mut Flow, ingress: InterfaceIx, v6: bool) {
        if v6 {
            return;
        }
        for unmatched in &self.cx.device().nat.unmatched {
            let covers = unmatched.ingress.covers(ingress);
            if covers == Some(false) {
                continue;
            }
            let at = unmatched.effect.origin.spans().first().copied();
            match unmatched.effect.get() {
                Some(UnmatchedEffect::Pass) => continue,
                Some(UnmatchedEffect::Forward(to)) if self.holds_own(&AddrExpr::Range(*to, *to)) => continue,
                Some(effect) if covers == Some(true) => {
                    flow.latent = *effect == UnmatchedEffect::Drop && flow.possible();
                    flow.block();
                    flow.steps.push(Step { span: at, code: "step.nat_drop", args: vec![self.name(ingress)] });
                }
                _ => flow.doubt(unmatched.effect.value.why().cloned()),
            }
            flow.origins.push(unmatched.effect.origin.clone());
        }
    }

    /// The way by one translation whose target is the box itself. `outside` are the sources that stand there.
    pub(super) fn translated_to_box(
        &self,
        n: NatIx,
        rule: &NatRule,
        svc: &Intervals<u32>,
        ingress: InterfaceIx,
        outside: &AddrSet,
    ) -> Option<Door> {
        let to = rule.to.get().filter(|to| self.holds_own(to))?;
        let live = rule.live.value();
        if live.value.is_false() || rule.ingress.covers(ingress) == Some(false) || !rule.family.includes(false) {
            return None;
        }
        let src = self.resolver.addresses(rule.src.get().unwrap_or(&AddrExpr::Any));
        // Own addresses in general: which of them it is does not matter, and the export may show none.
        let dst = if is_own(to) { AddrSet::any_v4() } else { self.resolver.addresses(to).hi };
        let product = Product { src: outside.intersection(&src.hi), dst, svc: after_ports(rule).intersection(svc), ..Product::any() };
        let unsure = !live.value.is_true() || rule.ingress.covers(ingress).is_none() || src.lo != src.hi;
        let doubts = if unsure { vec![live.value.why().cloned()] } else { Vec::new() };
        Some(Door { product, ingress, v6: false, doubts, nat: Some(n), forwarded: None, whichever: None })
    }

    fn published(&self, rule: &NatRule, ingress: InterfaceIx, v6: bool) -> Published {
        let public = if v6 { class::public_v6() } else { class::public_v4() };
        let known = |addresses| Published { addresses, hidden: false, atom: None, doubt: None };
        let hidden = |addresses| Published { addresses, hidden: true, atom: None, doubt: None };
        let own = |ix: InterfaceIx| {
            let interface = self.cx.device().interfaces.get(ix.0 as usize)?;
            let all = trust::own_addresses(interface, v6).into_iter().collect::<Option<Vec<_>>>()?;
            (!all.is_empty()).then(|| AddrSet::union_of(&all.into_iter().map(AddrSet::single).collect::<Vec<_>>()))
        };
        match rule.orig_dst.get() {
            Some(AddrExpr::SelfAddrs) => own(ingress).map_or_else(|| hidden(public), known),
            Some(AddrExpr::InterfaceAddr(ix)) => own(*ix).map_or_else(|| hidden(public), known),
            Some(expr) => {
                let set = self.resolver.addresses(expr);
                match set.matches.sole_atom() {
                    _ if set.lo == set.hi => known(set.hi),
                    Some(atom) => Published { atom: Some(atom), ..hidden(public) },
                    None => {
                        let why = Why::new(WhyCode::RuntimeContent, rule.name.clone());
                        Published { doubt: Some(why), ..known(set.hi) }
                    }
                }
            }
            None => {
                let why = rule.orig_dst.value.why().cloned().unwrap_or_else(|| Why::new(WhyCode::RuntimeContent, rule.name.clone()));
                Published { doubt: Some(why), ..known(if v6 { AddrSet::any_v6() } else { AddrSet::any_v4() }) }
            }
        }
    }
}

/// The packets a translation leads on, as they are behind it, whatever decides before it.
pub(super) fn target(engine: &Engine<'_>, rule: &NatRule) -> Product {
    let of = |expr: Option<&AddrExpr>| expr.map_or_else(AddrSet::any, |e| engine.resolver.addresses(e).hi);
    Product { src: of(rule.src.get()), dst: of(rule.to.get()), svc: after_ports(rule), ..Product::any() }
}

/// Ports after a translation.
pub(super) fn after_ports(rule: &NatRule) -> Intervals<u32> {
    let before = resolve::union_of_terms(&rule.orig_svc);
    match rule.to_port {
        None => before,
        Some(first) => {
            // A range keeps its length; the first port decides.
            let terms = rule.orig_svc.iter().map(|t| {
                let shifted: Vec<(u16, u16)> =
                    t.dst_ports.iter().map(|(a, b)| (first, first.saturating_add(b.saturating_sub(*a)))).collect();
                resolve::block(&SvcTerm { dst_ports: shifted, ..t.clone() }).0
            });
            terms.fold(Intervals::empty(), |acc, t| acc.union(&t))
        }
    }
}

/// Whether an expression is the box's own addresses, by name.
fn is_own(to: &AddrExpr) -> bool {
    matches!(to, AddrExpr::SelfAddrs | AddrExpr::InterfaceAddr(_))
}

/// What an assignment says of sources.
fn sources_of(assignment: &Assignment) -> Assignment {
    Assignment::of(assignment.values().iter().filter(|(v, _)| v.side == Side::Source).copied().collect::<Vec<_>>())
}

/// Cells that only differed in where the published address belongs become one: surely on are packets that are so wherever it does.
fn joined(cells: Vec<Cell>, budget: &mut Budget) -> Vec<Cell> {
    let mut out: Vec<Cell> = Vec::new();
    for cell in cells {
        let Some(same) = out.iter_mut().find(|c| c.assignment.values() == cell.assignment.values()) else {
            out.push(cell);
            continue;
        };
        (same.lo, same.hi) = match (same.lo.intersection(&cell.lo, budget), same.hi.union(&cell.hi, budget)) {
            (Ok(lo), Ok(hi)) => (lo, hi),
            _ => (PacketSet::empty(), PacketSet::any()),
        };
    }
    out
}

/// The packets of a set that are in it whichever of the start's destinations they have.
fn whichever_destination(set: &PacketSet, start: &PacketSet, budget: &mut Budget) -> Result<PacketSet, Exceeded> {
    let anywhere = |set: &PacketSet, budget: &mut Budget| {
        PacketSet::of(set.products().iter().map(|p| Product { dst: start.destinations(), ..p.clone() }).collect::<Vec<_>>(), budget)
    };
    let stopped_somewhere = anywhere(&start.difference(set, budget)?, budget)?;
    start.difference(&stopped_somewhere, budget)
}

/// The packets of a product after the translation, as far as they are what it leads to.
fn moved(product: &Product, rule: &NatRule, target: &Product) -> Vec<Product> {
    let parts: Vec<Intervals<u32>> = match rule.to_port {
        None => vec![product.svc.clone()],
        // Ports shift with their range, as far as the filter let them through.
        Some(first) => rule
            .orig_svc
            .iter()
            .flat_map(|term| term.dst_ports.iter().map(move |r| (term, *r)))
            .map(|(term, (from, last))| {
                let whole = resolve::block(&SvcTerm { dst_ports: vec![(from, last)], ..term.clone() }).0;
                let ranges = product.svc.intersection(&whole).ranges().to_vec();
                Intervals::from_ranges(ranges.into_iter().map(|(a, b)| {
                    let shift = |key: u32| {
                        let (protocol, port) = service::split(key);
                        service::key(protocol, port.saturating_sub(from).saturating_add(first))
                    };
                    (shift(a), shift(b))
                }))
            })
            .collect(),
    };
    let parts = parts.into_iter().map(|svc| svc.intersection(&target.svc)).filter(|svc| !svc.is_empty());
    parts.map(|svc| Product { dst: target.dst.clone(), svc, ..product.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;
    use std::net::Ipv4Addr;

    fn net(text: [u8; 4], length: u8) -> AddrSet {
        AddrSet::prefix(Ipv4Addr::from(text).into(), length).expect("prefix")
    }

    #[test]
    fn sure_is_what_gets_through_to_every_address() {
        let budget = &mut Budget::default();
        let of = |src: AddrSet, dst: AddrSet| Product { src, dst, svc: service::port(service::TCP, 443), ..Product::any() };
        let start = PacketSet::of([of(AddrSet::any_v4(), net([203, 0, 113, 0], 24))], budget).expect("set");
        let partner = net([198, 51, 100, 0], 24);
        let rows = [of(partner.clone(), net([203, 0, 113, 0], 24)), of(AddrSet::any_v4(), net([203, 0, 113, 64], 26))];
        let set = PacketSet::of(rows, budget).expect("set");
        let sure = whichever_destination(&set, &start, budget).expect("within the budget");
        let packet = |src: [u8; 4]| Packet {
            src: Ipv4Addr::from(src).into(),
            dst: Ipv4Addr::new(203, 0, 113, 70).into(),
            proto: service::TCP,
            sport: 40_000,
            detail: 443,
            iface: 0,
            state: 0,
        };
        assert!(sure.contains(&packet([198, 51, 100, 9])), "the partner reaches every address");
        assert!(set.contains(&packet([192, 0, 2, 9])) && !sure.contains(&packet([192, 0, 2, 9])), "others reach only some");
    }
}
