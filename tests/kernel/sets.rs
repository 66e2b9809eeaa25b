//! The sets that `reach` and the rules work with, looked up packet by packet: what the kernel let through must possibly get through, and
//! what it stopped must not be said to get through surely.

use super::network::Seen;
use sekisho::analysis::Settings;
use sekisho::analysis::reach::{self, Question, Target, Way};
use sekisho::ir::Device;
use sekisho::ir::fact::{Fact, Origin};
use sekisho::ir::filter::Stage;
use sekisho::ir::interface::{InterfaceIx, IpNet};
use sekisho::packet::Packet;
use std::net::IpAddr;

/// Lengths of the networks behind the interfaces of the test network, IPv4 and IPv6.
const BEHIND: [(u8, u8); 3] = [(24, 48), (16, 48), (8, 8)];

/// The ways in by one interface, as configured, and as they would be if no filter stopped anything: what the question is about at all.
pub struct Sets {
    ways: Vec<Way>,
    unfiltered: Vec<Way>,
    translates: bool,
}

impl Sets {
    /// `places` are the interfaces of the test network. Packets enter by `from`, which faces others; behind the rest are the facility's own
    /// networks.
    pub fn of(device: &Device, from: InterfaceIx, places: &[InterfaceIx], settings: &Settings) -> Sets {
        let mut device = device.clone();
        let mut settings = settings.clone();
        for (place, lengths) in places.iter().zip(BEHIND) {
            let interface = &mut device.interfaces[place.0 as usize];
            let list = if *place == from { &mut settings.stated.untrusted } else { &mut settings.stated.trusted };
            list.push(interface.name.clone());
            for address in &mut interface.addresses {
                let own = address.net.get().expect("an address of the test network").addr;
                let length = if own.is_ipv6() { lengths.1 } else { lengths.0 };
                address.net = Fact::known(IpNet::new(own, length), Origin::all([]));
            }
        }
        let question = Question { from: Some(device.interfaces[from.0 as usize].name.clone()), to: None };
        let ask = |device: &Device| reach::ask(std::slice::from_ref(device), &settings, &question).remove(0).ways;
        let ways = ask(&device);
        device.pipeline.to_box.retain(|s| !matches!(s, Stage::Filter { .. }));
        device.pipeline.through.retain(|s| !matches!(s, Stage::Filter { .. }));
        Sets { ways, unfiltered: ask(&device), translates: !device.nat.rules.is_empty() }
    }

    /// Whether the sets agree with what the kernel did; `None`: they are about other packets.
    pub fn judge(
        &self,
        packet: &Packet,
        real: Option<Seen>,
        ingress: InterfaceIx,
        way: impl Fn(IpAddr) -> Option<InterfaceIx>,
    ) -> Option<bool> {
        let mut seen = Packet { iface: ingress.0, ..*packet };
        if let Some((_, dst, detail)) = real {
            seen.dst = dst;
            if matches!(packet.proto, 6 | 17) {
                seen.detail = detail;
            }
        } else if self.translates {
            // Where it would have gone, nobody saw.
            return None;
        }
        let egress = way(seen.dst);
        let leads = |w: &&Way| match (w.target, egress) {
            (Target::Listener(_), None) | (Target::Translation(_), Some(_)) => w.ingress == ingress,
            (Target::Network(to), Some(egress)) => w.ingress == ingress && to == egress,
            _ => false,
        };
        let possible = |ways: &[Way]| ways.iter().filter(leads).any(|w| w.parts.iter().any(|p| p.hi.contains(&seen)));
        if !possible(&self.unfiltered) {
            return None;
        }
        let sure = || self.ways.iter().filter(leads).any(|w| w.parts.iter().any(|p| p.when.is_empty() && p.lo.contains(&seen)));
        Some(if real.is_some() { possible(&self.ways) } else { !sure() })
    }
}
