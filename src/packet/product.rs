//! Products: the packets whose every dimension lies in a set of that dimension.
//!
//! Addresses are the one dimension pair that is not independent: a packet has one family, so a product holds the IPv4 packets of its IPv4
//! sources and destinations and the IPv6 packets of its IPv6 ones, and never a mixture. The operations keep families apart
//! and leave no side of a family that the other side lacks.

use super::address::AddrSet;
use super::interval::Intervals;
use super::{Budget, Exceeded, service};
use std::net::IpAddr;

/// State of a packet that opens a connection.
pub const STATE_NEW: u16 = 0;
/// State of a packet that belongs to a connection the box already knows, or is related to one.
pub const STATE_ESTABLISHED: u16 = 1;

/// A packet as filters see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packet {
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// IP protocol number.
    pub proto: u8,
    /// Source port; any value where the protocol has none.
    pub sport: u16,
    /// Destination port, or ICMP type and code as `type << 8 | code`; any value where the protocol has neither.
    pub detail: u16,
    /// Index of the inbound interface.
    pub iface: u32,
    /// [`STATE_NEW`] or [`STATE_ESTABLISHED`].
    pub state: u16,
}

/// The packets of one family whose source, destination and other dimensions each lie in the set given for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Product {
    /// Source addresses.
    pub src: AddrSet,
    /// Destination addresses.
    pub dst: AddrSet,
    /// Services, as keys of [`service`].
    pub svc: Intervals<u32>,
    /// Source ports. A value other than the full set should come with services that have ports.
    pub sport: Intervals<u16>,
    /// Inbound interfaces, by index.
    pub iface: Intervals<u32>,
    /// Connection states; every state is `0..=1`, not the full set of `u16`.
    pub state: Intervals<u16>,
}

impl Product {
    /// Every packet.
    pub fn any() -> Self {
        Product::new(AddrSet::any(), AddrSet::any(), service::any())
    }

    /// The packets from `src` to `dst` of `svc`, from every source port and interface, of either state.
    pub fn new(src: AddrSet, dst: AddrSet, svc: Intervals<u32>) -> Self {
        let state = Intervals::range(STATE_NEW, STATE_ESTABLISHED);
        Product { src, dst, svc, sport: Intervals::full(), iface: Intervals::full(), state }
    }

    /// Whether no packet is in the product.
    pub fn is_empty(&self) -> bool {
        let no_v4 = self.src.v4.is_empty() || self.dst.v4.is_empty();
        let no_v6 = self.src.v6.is_empty() || self.dst.v6.is_empty();
        no_v4 && no_v6 || self.svc.is_empty() || self.sport.is_empty() || self.iface.is_empty() || self.state.is_empty()
    }

    /// Whether `packet` is in the product.
    pub fn contains(&self, packet: &Packet) -> bool {
        packet.src.is_ipv4() == packet.dst.is_ipv4()
            && self.src.contains(packet.src)
            && self.dst.contains(packet.dst)
            && self.svc.contains(service::key(packet.proto, packet.detail))
            && self.sport.contains(packet.sport)
            && self.iface.contains(packet.iface)
            && self.state.contains(packet.state)
    }

    /// Whether some packet is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.svc.overlaps(&other.svc)
            && (self.dst.v4.overlaps(&other.dst.v4) && self.src.v4.overlaps(&other.src.v4)
                || self.dst.v6.overlaps(&other.dst.v6) && self.src.v6.overlaps(&other.src.v6))
            && self.sport.overlaps(&other.sport)
            && self.iface.overlaps(&other.iface)
            && self.state.overlaps(&other.state)
    }

    /// Whether every packet of this product is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        if self.is_empty() {
            return true;
        }
        // An address that no packet of this product has must not count.
        let own = self.clone().with_whole_families();
        own.svc.is_subset(&other.svc)
            && own.src.is_subset(&other.src)
            && own.dst.is_subset(&other.dst)
            && own.sport.is_subset(&other.sport)
            && own.iface.is_subset(&other.iface)
            && own.state.is_subset(&other.state)
    }

    /// The packets in both.
    pub fn intersection(&self, other: &Self) -> Self {
        Product {
            src: self.src.intersection(&other.src),
            dst: self.dst.intersection(&other.dst),
            svc: self.svc.intersection(&other.svc),
            sport: self.sport.intersection(&other.sport),
            iface: self.iface.intersection(&other.iface),
            state: self.state.intersection(&other.state),
        }
        .with_whole_families()
    }

    /// The packets of this product that are not in `other`, as at most six disjoint products.
    pub fn difference(&self, other: &Self) -> Vec<Product> {
        let mut pieces = Vec::new();
        if self.overlaps(other) {
            self.clone().cut(other, &mut pieces);
        } else if !self.is_empty() {
            pieces.push(self.clone());
        }
        pieces
    }

    /// Appends what lies outside `other` to `pieces`, dimension by dimension, and returns what lies inside.
    ///
    /// The two must overlap: each step then leaves a part that still does.
    pub(super) fn cut(self, other: &Self, pieces: &mut Vec<Product>) -> Product {
        let mut inside = self.with_whole_families();
        let outside = inside.src.difference(&other.src);
        if !outside.is_empty() {
            pieces.push(Product { src: outside, ..inside.clone() }.with_whole_families());
            inside.src = inside.src.intersection(&other.src);
            inside = inside.with_whole_families();
        }
        let outside = inside.dst.difference(&other.dst);
        if !outside.is_empty() {
            pieces.push(Product { dst: outside, ..inside.clone() }.with_whole_families());
            inside.dst = inside.dst.intersection(&other.dst);
            inside = inside.with_whole_families();
        }
        macro_rules! cut_dimension {
            ($($dimension:ident),*) => {$(
                let outside = inside.$dimension.difference(&other.$dimension);
                if !outside.is_empty() {
                    pieces.push(Product { $dimension: outside, ..inside.clone() });
                    inside.$dimension = inside.$dimension.intersection(&other.$dimension);
                }
            )*};
        }
        cut_dimension!(svc, sport, iface, state);
        inside
    }

    /// Empties the addresses of a family that only one side has: no packet has them.
    pub(super) fn with_whole_families(mut self) -> Self {
        if self.src.v4.is_empty() {
            self.dst.v4 = Intervals::empty();
        } else if self.dst.v4.is_empty() {
            self.src.v4 = Intervals::empty();
        }
        if self.src.v6.is_empty() {
            self.dst.v6 = Intervals::empty();
        } else if self.dst.v6.is_empty() {
            self.src.v6 = Intervals::empty();
        }
        self
    }

    /// Whether some packet is in both, at a cost.
    pub(super) fn meets(&self, other: &Self, budget: &mut Budget) -> Result<bool, Exceeded> {
        budget.spend(1 + (self.weight() + other.weight()) / 64)?;
        Ok(self.overlaps(other))
    }

    /// Units for cutting or intersecting with another product.
    pub(super) fn work(&self, other: &Self) -> u64 {
        4 + (self.weight() + other.weight()) / 16
    }

    /// The number of ranges, the size of the product in memory and in work.
    fn weight(&self) -> u64 {
        let addresses = [&self.src, &self.dst].map(|set| set.v4.ranges().len() + set.v6.ranges().len());
        (addresses[0] + addresses[1] + self.svc.ranges().len() + self.sport.ranges().len() + self.iface.ranges().len()) as u64
    }
}
