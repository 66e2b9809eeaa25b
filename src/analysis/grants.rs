//! What comes out of a VPN: which inside networks packets from a tunnel or from users' addresses reach.

use super::between;
use super::engine::Engine;
use super::flow::{Cell, Flow};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::tunnel::{RemoteAccess, Tunnel};
use crate::packet::{AddrSet, Budget, Intervals, PacketSet, Product, service};

/// What comes out of a tunnel or reaches the inside from a pool.
#[derive(Clone, Debug)]
pub struct Grants {
    /// Whether some trusted network is reached whole.
    pub whole_net: Fact<bool>,
    /// Whether it is reached on every TCP port.
    pub any_service: Fact<bool>,
}

impl Grants {
    /// Nothing can be told.
    pub fn unknown() -> Grants {
        let fact = || Fact::unknown(Why::new(WhyCode::NotExported, "policy"));
        Grants { whole_net: fact(), any_service: fact() }
    }
}

impl Engine<'_> {
    /// What packets that come out of an interface reach inside.
    fn grants(&self, ingress: Option<InterfaceIx>, sources: &Fact<AddrExpr>, layer2: bool, at: crate::source::Span) -> Grants {
        if layer2 {
            let fact = Fact::known(true, Origin::Written(at));
            return Grants { whole_net: fact.clone(), any_service: fact };
        }
        let device = self.cx.device();
        let Some(ingress) = ingress else {
            let fact = || Fact::unknown(Why::at(WhyCode::Unmodelled, "tunnel interface", vec![at]));
            return Grants { whole_net: fact(), any_service: fact() };
        };
        let src = sources.get().map_or_else(AddrSet::any, |e| self.resolver.addresses(e).hi);
        let src = AddrSet { v6: Intervals::empty(), ..src };
        let tcp = service::protocol(service::TCP);
        let mut best: Option<Grants> = None;
        for (egress, nets) in self.inside_networks() {
            let (egress, interface) = (*egress, &device.interfaces[egress.0 as usize]);
            let trusted = self.cx.sides[egress.0 as usize].trusted();
            let whole = Product { src: src.clone(), dst: nets.clone(), svc: service::any(), ..Product::any() };
            let Some(mut flow) = self.start(whole, false) else { continue };
            self.run(&mut flow, &device.pipeline.through, ingress, Some(egress), None);
            let mut origins = flow.origins.clone();
            origins.push(trusted.origin.clone());
            let origin = Origin::all(origins);
            let why = || {
                flow.why
                    .clone()
                    .or_else(|| trusted.value.why().cloned())
                    .unwrap_or_else(|| Why::new(WhyCode::RuntimeContent, interface.name.clone()))
            };
            let mut budget = self.budget.borrow_mut();
            let mut reach =
                |svc: &Intervals<u32>, side: fn(&Cell) -> &PacketSet| flow.cells.iter().any(|c| covers(side(c), nets, svc, &mut budget));
            let whole = (reach(&tcp_somewhere(&flow), |c| &c.lo), flow.cells.iter().any(|c| nets.is_subset(&c.hi.destinations())));
            let any = (reach(&tcp, |c| &c.lo), reach(&tcp, |c| &c.hi));
            drop(budget);
            let sure = trusted.value.is_true();
            let fact = |(lo, hi): (bool, bool)| Fact { value: between(lo && sure, hi, why), origin: origin.clone() };
            let grants = Grants { whole_net: fact((any.0 || whole.0, whole.1)), any_service: fact(any) };
            best = Some(match best {
                None => grants,
                Some(b) => Grants { whole_net: b.whole_net.or(&grants.whole_net), any_service: b.any_service.or(&grants.any_service) },
            });
        }
        best.unwrap_or_else(|| {
            let fact = Fact::unknown(Why::at(WhyCode::Site, "inside networks", vec![at]));
            Grants { whole_net: fact.clone(), any_service: fact }
        })
    }

    /// IPv4 networks of interfaces that are or may be trusted, and up.
    fn inside_networks(&self) -> &[(InterfaceIx, AddrSet)] {
        self.inside_networks.get_or_init(|| {
            let inside =
                (0..).map(InterfaceIx).zip(self.cx.device().interfaces.iter().zip(self.cx.sides)).filter(|(_, (interface, side))| {
                    !side.trusted().value.is_false() && interface.kind != InterfaceKind::Loopback && !interface.up.value.is_false()
                });
            let networks = inside.map(|(ix, _)| (ix, AddrSet { v6: Intervals::empty(), ..self.resolver.networks(&[ix]).lo }));
            networks.filter(|(_, nets)| !nets.is_empty()).collect()
        })
    }

    /// What comes out of a tunnel.
    pub fn tunnel_grants(&self, tunnel: &Tunnel) -> Grants {
        self.grants(tunnel.interface, &tunnel.remote_nets, tunnel.layer2, tunnel.span)
    }

    /// What users of a remote access reach.
    pub fn remote_access_grants(&self, access: &RemoteAccess) -> Grants {
        self.grants(access.interface, &access.pool, false, access.span)
    }
}

/// Services on which a flow reaches anything at all, to ask for a whole network on one of them.
fn tcp_somewhere(flow: &Flow) -> Intervals<u32> {
    let first = flow.cells.iter().flat_map(|c| c.lo.products()).find_map(|p| p.svc.first());
    first.map_or_else(Intervals::empty, Intervals::single)
}

/// Whether packets reach every address of `nets` on every service of `svc`, whatever their source.
fn covers(set: &PacketSet, nets: &AddrSet, svc: &Intervals<u32>, budget: &mut Budget) -> bool {
    if svc.is_empty() {
        return false;
    }
    let want = Product { dst: nets.clone(), svc: svc.clone(), ..Product::any() };
    let have = set.products().iter().map(|p| Product { src: AddrSet::any(), ..p.clone() });
    match (PacketSet::of([want], budget), PacketSet::of(have, budget)) {
        (Ok(want), Ok(have)) => want.is_subset(&have, budget).unwrap_or(false),
        _ => false,
    }
}
