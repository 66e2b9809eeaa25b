//! Who may stand outside an interface, and what translation makes of a packet on its way: the two things that an exposure and a
//! way through the box have in common before any service is asked.

use super::exposure::Engine;
use super::flow::Flow;
use super::resolve;
use crate::ir::filter::{AddrExpr, Stage};
use crate::ir::interface::{InterfaceIx, SidePointer};
use crate::ir::nat::NatRule;
use crate::packet::{AddrSet, Intervals, PacketSet, Product, class, service};

impl Engine<'_> {
    /// Sources that may stand outside an interface.
    pub fn outside(&self, ingress: InterfaceIx, v6: bool) -> AddrSet {
        let (public, unicast) = if v6 { (class::public_v6(), class::unicast_v6()) } else { (class::public_v4(), class::unicast_v4()) };
        let Some(side) = self.cx.side(ingress) else { return unicast };
        match side.side.get() {
            Some(SidePointer::Untrusted) if side.outside == "internet" => public,
            Some(SidePointer::Trusted) => {
                let nets = self.resolver.networks(&[ingress]).lo;
                let nets = if v6 { AddrSet { v4: Intervals::empty(), ..nets } } else { AddrSet { v6: Intervals::empty(), ..nets } };
                if nets.is_empty() {
                    unicast
                } else if self.routed.get() {
                    nets.union(&self.behind(v6))
                } else {
                    nets
                }
            }
            _ => {
                // Anything that is not the facility's own.
                unicast.difference(self.inside())
            }
        }
    }

    /// The networks of trusted interfaces.
    fn inside(&self) -> &AddrSet {
        self.inside.get_or_init(|| {
            let trusted: Vec<InterfaceIx> =
                (0..).map(InterfaceIx).zip(self.cx.sides).filter(|(_, s)| s.trusted().value.is_true()).map(|(ix, _)| ix).collect();
            self.resolver.networks(&trusted).lo
        })
    }

    /// Private addresses that are on no interface: routers further inside may lead to them.
    fn behind(&self, v6: bool) -> AddrSet {
        if v6 {
            return AddrSet::empty();
        }
        let all: Vec<InterfaceIx> = (0..self.cx.device().interfaces.len() as u32).map(InterfaceIx).collect();
        let private = AddrSet { v6: Intervals::empty(), ..class::private() };
        private.difference(&self.resolver.networks(&all).lo)
    }

    /// What a translation acts on, as it comes out of it, and the stages that follow. Filters that stand before the translation
    /// in the order of decisions see the packet as it was; `target` is what it becomes.
    pub(super) fn translate<'s>(
        &self,
        stages: &'s [Stage],
        rule: &NatRule,
        ingress: InterfaceIx,
        target: Product,
        v6: bool,
    ) -> Option<(Flow, &'s [Stage])> {
        let at = stages.iter().position(|s| matches!(s, Stage::DestNat)).unwrap_or(0);
        let (before, rest) = stages.split_at(at);
        if !before.iter().any(|s| matches!(s, Stage::Filter { .. })) {
            return self.start(target, v6).map(|flow| (flow, rest));
        }
        // The published address may be one the export does not show.
        let shown = rule.orig_dst.get().filter(|e| !matches!(e, AddrExpr::SelfAddrs));
        let dst = shown.map_or_else(class::public, |e| self.resolver.addresses(e).hi);
        let product = Product { src: target.src.clone(), dst, svc: resolve::union_of_terms(&rule.orig_svc), ..Product::any() };
        let mut flow = self.start(product, v6)?;
        self.run(&mut flow, before, ingress, None, None);
        if shown.is_none() {
            flow.quantify(&target.src);
        }
        let first = rule.orig_svc.iter().flat_map(|t| &t.dst_ports).map(|(a, _)| *a).min();
        let shift = rule.to_port.zip(first).map_or(0, |(to, from)| i64::from(to) - i64::from(from));
        let mut budget = self.budget.borrow_mut();
        for cell in &mut flow.cells {
            for set in [&mut cell.lo, &mut cell.hi] {
                let moved = set.products().iter().map(|p| {
                    let ranges = p.svc.ranges().iter().map(|(a, b)| (service::shifted(*a, shift), service::shifted(*b, shift)));
                    let svc = Intervals::from_ranges(ranges).intersection(&target.svc);
                    Product { dst: target.dst.clone(), svc, ..p.clone() }
                });
                *set = PacketSet::of(moved.collect::<Vec<_>>(), &mut budget).unwrap_or_else(|_| PacketSet::empty());
            }
        }
        drop(budget);
        Some((flow, rest))
    }
}
