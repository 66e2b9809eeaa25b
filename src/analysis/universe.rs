//! Who may stand outside an interface: the sources that an exposure and a way through the box are measured against.

use super::engine::Engine;
use crate::ir::interface::{InterfaceIx, SidePointer};
use crate::packet::{AddrSet, Intervals, class};

impl Engine<'_> {
    /// Sources that may stand outside an interface.
    pub fn outside(&self, ingress: InterfaceIx, v6: bool) -> AddrSet {
        let (public, unicast) = if v6 { (class::public_v6(), class::unicast_v6()) } else { (class::public_v4(), class::unicast_v4()) };
        let Some(side) = self.cx.side(ingress) else { return unicast };
        match side.side.get() {
            Some(SidePointer::Untrusted) if side.outside == "internet" => public,
            Some(SidePointer::Trusted) => {
                let nets = self.resolver.networks(&[ingress]).lo;
                let own = if v6 { AddrSet { v4: Intervals::empty(), ..nets } } else { AddrSet { v6: Intervals::empty(), ..nets } };
                if own.is_empty() {
                    return unicast;
                }
                let routed = self.cx.device().routed.iter().filter(|(ix, _)| *ix == ingress);
                let routed: Vec<AddrSet> = routed.filter_map(|(_, n)| AddrSet::prefix(n.addr, n.prefix)).collect();
                let own = own.union(&AddrSet::union_of(&routed)).intersection(&unicast);
                if self.further_inside.get() { own.union(&self.behind(v6)) } else { own }
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
}
