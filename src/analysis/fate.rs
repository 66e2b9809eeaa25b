//! What becomes of one packet: the declared order of decisions followed once, with its translation. This is the question a real device
//! answers too, so that the two can be compared packet by packet.
//!
//! The packet opens a connection. Where something on its way cannot be told, its fate is unknown; nothing is guessed.

use super::engine::Engine;
use super::resolve;
use crate::ir::filter::{AddrExpr, Stage, Verdict};
use crate::ir::interface::InterfaceIx;
use crate::ir::nat::NatIx;
use crate::packet::{Assignment, Decided, End, Packet, Verdict as Row, service};
use std::net::IpAddr;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It gets to the box itself, as it is after translation.
    ToBox(Packet),
    /// It leaves by an interface, as it is after translation of its destination.
    Through(Packet, InterfaceIx),
    /// It is stopped.
    Stopped,
    /// Something on its way cannot be told.
    Unknown,
}

/// A packet stopped, or one of which it cannot be told.
struct Ended(Fate);

impl Engine<'_> {
    /// The fate of a packet that enters an interface. `way` gives the interface by which an address is reached, `None` for the box's own.
    pub fn fate(&self, packet: &Packet, ingress: InterfaceIx, way: impl Fn(IpAddr) -> Option<InterfaceIx>) -> Fate {
        self.follow(packet, ingress, way).unwrap_or_else(|ended| ended.0)
    }

    fn follow(&self, packet: &Packet, ingress: InterfaceIx, way: impl Fn(IpAddr) -> Option<InterfaceIx>) -> Result<Fate, Ended> {
        let pipeline = &self.cx.device().pipeline;
        let translation = |stages: &[Stage]| stages.iter().position(|s| matches!(s, Stage::DestNat)).unwrap_or(0);
        let before = &pipeline.to_box[..translation(&pipeline.to_box)];
        self.ask(before, packet, (ingress, None), None, way(packet.dst).is_none())?;
        let (packet, by) = self.redirected(packet, ingress)?;
        match way(packet.dst) {
            None => {
                self.ask(&pipeline.to_box[before.len()..], &packet, (ingress, None), by, true)?;
                Ok(Fate::ToBox(packet))
            }
            Some(egress) => {
                self.ask(&pipeline.through[translation(&pipeline.through)..], &packet, (ingress, Some(egress)), by, false)?;
                Ok(Fate::Through(packet, egress))
            }
        }
    }

    /// Asks every filter of some stages.
    fn ask(
        &self,
        stages: &[Stage],
        packet: &Packet,
        (ingress, egress): (InterfaceIx, Option<InterfaceIx>),
        nat: Option<NatIx>,
        to_box: bool,
    ) -> Result<(), Ended> {
        for stage in stages {
            let Stage::Filter { hook, undecided } = stage else { continue };
            let on = if *hook == crate::ir::filter::Hook::Outbound { egress.unwrap_or(ingress) } else { ingress };
            let attached = self.attached(*hook, on, packet.src.is_ipv6());
            if attached.is_empty() {
                match undecided.get() {
                    Some(Verdict::Drop) => return Err(Ended(Fate::Stopped)),
                    Some(_) => {}
                    None => return Err(Ended(Fate::Unknown)),
                }
            }
            for (filter, covers, _) in attached {
                let ready = self.ready(filter, ingress, egress, nat, to_box);
                let trace = ready.filter.trace(packet, &Assignment::open());
                let decided = match trace.decided {
                    Decided::Row(_, Row::Accept) | Decided::End(_, End::Accept | End::Return) => Some(true),
                    Decided::Row(_, Row::Drop) | Decided::End(_, End::Drop) => Some(false),
                    _ => None,
                };
                match decided.filter(|_| trace.open.is_empty() && covers == Some(true)) {
                    Some(true) => {}
                    Some(false) => return Err(Ended(Fate::Stopped)),
                    None => return Err(Ended(Fate::Unknown)),
                }
            }
        }
        Ok(())
    }

    /// The packet after the first translation that acts on it.
    fn redirected(&self, packet: &Packet, ingress: InterfaceIx) -> Result<(Packet, Option<NatIx>), Ended> {
        let v6 = packet.src.is_ipv6();
        for (n, rule) in self.cx.device().nat.rules.iter().enumerate().filter(|(_, r)| r.family.includes(v6)) {
            let holds = |e: Option<&AddrExpr>, ip: IpAddr| {
                let set = self.resolver.addresses(e?);
                match (set.lo.contains(ip), set.hi.contains(ip)) {
                    (true, _) => Some(true),
                    (_, false) => Some(false),
                    _ => None,
                }
            };
            let fits = |t: &crate::ir::filter::SvcTerm| {
                let (services, sources) = resolve::block(t);
                services.contains(service::key(packet.proto, packet.detail)) && sources.contains(packet.sport)
            };
            let all = [
                rule.ingress.covers(ingress),
                holds(rule.src.get(), packet.src),
                holds(rule.orig_dst.get(), packet.dst),
                Some(rule.orig_svc.is_empty() || rule.orig_svc.iter().any(fits)),
                rule.live.value().value.tri(),
            ];
            if all.contains(&Some(false)) {
                continue;
            }
            if all.contains(&None) {
                return Err(Ended(Fate::Unknown));
            }
            let mut after = *packet;
            match rule.to.get() {
                Some(AddrExpr::Range(a, b)) if a == b => after.dst = *a,
                Some(AddrExpr::SelfAddrs) => {
                    let own = self.cx.device().interfaces.get(ingress.0 as usize).into_iter().flat_map(|i| &i.addresses);
                    let own = own.filter_map(|a| a.net.get()).find(|net| net.addr.is_ipv6() == v6);
                    after.dst = own.ok_or(Ended(Fate::Unknown))?.addr;
                }
                _ => return Err(Ended(Fate::Unknown)),
            }
            if service::has_ports(packet.proto) {
                after.detail = rule.to_port.unwrap_or(packet.detail);
            }
            return Ok((after, Some(NatIx(n as u32))));
        }
        Ok((*packet, None))
    }
}
