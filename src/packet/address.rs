//! Sets of IP addresses of both families, and the forms in which configurations write them.
//!
//! IPv4 and IPv6 stay apart: an IPv4-mapped IPv6 address is an IPv6 address. Names, interfaces and object groups are resolved by the
//! caller. A form that has no exact set here gives `None`, never an approximation.

use super::interval::Intervals;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most ranges that a mask with holes is expanded to.
const MOST_MASK_RANGES: u32 = 4096;

/// A set of IPv4 and IPv6 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddrSet {
    /// The IPv4 addresses.
    pub v4: Intervals<u32>,
    /// The IPv6 addresses.
    pub v6: Intervals<u128>,
}

impl AddrSet {
    /// No address.
    pub const fn empty() -> Self {
        AddrSet { v4: Intervals::empty(), v6: Intervals::empty() }
    }

    /// Every address of both families.
    pub const fn any() -> Self {
        AddrSet { v4: Intervals::full(), v6: Intervals::full() }
    }

    /// Every IPv4 address.
    pub const fn any_v4() -> Self {
        AddrSet { v4: Intervals::full(), v6: Intervals::empty() }
    }

    /// Every IPv6 address.
    pub const fn any_v6() -> Self {
        AddrSet { v4: Intervals::empty(), v6: Intervals::full() }
    }

    /// One address.
    pub fn single(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => AddrSet { v4: Intervals::single(v4.to_bits()), v6: Intervals::empty() },
            IpAddr::V6(v6) => AddrSet { v4: Intervals::empty(), v6: Intervals::single(v6.to_bits()) },
        }
    }

    /// The addresses from `first` to `last`, both included; `None` if their families differ or `first` is greater.
    pub fn range(first: IpAddr, last: IpAddr) -> Option<Self> {
        match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) if a <= b => {
                Some(AddrSet { v4: Intervals::range(a.to_bits(), b.to_bits()), v6: Intervals::empty() })
            }
            (IpAddr::V6(a), IpAddr::V6(b)) if a <= b => {
                Some(AddrSet { v4: Intervals::empty(), v6: Intervals::range(a.to_bits(), b.to_bits()) })
            }
            _ => None,
        }
    }

    /// The network of `length` bits that `address` lies in (host bits are ignored); `None` if the family has fewer bits.
    pub fn prefix(address: IpAddr, length: u8) -> Option<Self> {
        let length = u32::from(length);
        match address {
            IpAddr::V4(v4) if length <= 32 => AddrSet::masked_v4(v4, Ipv4Addr::from_bits(!host_bits_u32(length))),
            IpAddr::V6(v6) if length <= 128 => AddrSet::masked_v6(v6, Ipv6Addr::from_bits(!host_bits_u128(length))),
            _ => None,
        }
    }

    /// The IPv4 addresses that agree with `address` in the set bits of `mask` (a netmask; a Cisco wildcard is its complement).
    ///
    /// Masks with holes are expanded; `None` if that takes more than 4,096 ranges.
    pub fn masked_v4(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Self> {
        let blocks = blocks(u128::from(address.to_bits()), u128::from(mask.to_bits()), 32)?;
        Some(AddrSet { v4: Intervals::from_ranges(blocks.map(|(first, last)| (first as u32, last as u32))), v6: Intervals::empty() })
    }

    /// The IPv6 addresses that agree with `address` in the set bits of `mask`; `None` as for [`AddrSet::masked_v4`].
    pub fn masked_v6(address: Ipv6Addr, mask: Ipv6Addr) -> Option<Self> {
        let blocks = blocks(address.to_bits(), mask.to_bits(), 128)?;
        Some(AddrSet { v4: Intervals::empty(), v6: Intervals::from_ranges(blocks) })
    }

    /// [`AddrSet::masked_v4`] or [`AddrSet::masked_v6`]; `None` also if the families differ.
    pub fn masked(address: IpAddr, mask: IpAddr) -> Option<Self> {
        match (address, mask) {
            (IpAddr::V4(address), IpAddr::V4(mask)) => AddrSet::masked_v4(address, mask),
            (IpAddr::V6(address), IpAddr::V6(mask)) => AddrSet::masked_v6(address, mask),
            _ => None,
        }
    }

    /// Whether no address is in the set.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether `address` is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.contains(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.contains(v6.to_bits()),
        }
    }

    /// The addresses in either set.
    pub fn union(&self, other: &Self) -> Self {
        AddrSet { v4: self.v4.union(&other.v4), v6: self.v6.union(&other.v6) }
    }

    /// The union of any number of sets, by one sort instead of a merge each.
    pub fn union_of<'a>(sets: impl IntoIterator<Item = &'a AddrSet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for set in sets {
            v4.extend_from_slice(set.v4.ranges());
            v6.extend_from_slice(set.v6.ranges());
        }
        AddrSet { v4: Intervals::from_ranges(v4), v6: Intervals::from_ranges(v6) }
    }

    /// The addresses in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        AddrSet { v4: self.v4.intersection(&other.v4), v6: self.v6.intersection(&other.v6) }
    }

    /// The addresses of this set that are not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        AddrSet { v4: self.v4.difference(&other.v4), v6: self.v6.difference(&other.v6) }
    }

    /// The addresses of both families that are not in the set.
    pub fn complement(&self) -> Self {
        AddrSet { v4: self.v4.complement(), v6: self.v6.complement() }
    }

    /// Whether every address of this set is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.v4.is_subset(&other.v4) && self.v6.is_subset(&other.v6)
    }

    /// Whether some address is in both sets.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.v4.overlaps(&other.v4) || self.v6.overlaps(&other.v6)
    }
}

/// The host bits below a prefix of `length` bits.
fn host_bits_u32(length: u32) -> u32 {
    u32::MAX.checked_shr(length).unwrap_or(0)
}

fn host_bits_u128(length: u32) -> u128 {
    u128::MAX.checked_shr(length).unwrap_or(0)
}

/// The ranges of the numbers of `bits` bits that agree with `address` in the set bits of `mask`, ascending.
fn blocks(address: u128, mask: u128, bits: u32) -> Option<impl Iterator<Item = (u128, u128)>> {
    // Free bits at the low end make each block one range; each free bit above them doubles the number of blocks.
    let low = mask.trailing_zeros().min(bits);
    let within = host_bits_u128(128 - low);
    let holes = !mask & host_bits_u128(128 - bits) & !within;
    if holes.count_ones() > MOST_MASK_RANGES.ilog2() {
        return None;
    }
    let fixed = address & mask;
    let mut next = Some(0u128);
    Some(std::iter::from_fn(move || {
        let hole = next?;
        // The next subset of `holes` in ascending order; after the last one it wraps to zero.
        next = Some(hole.wrapping_sub(holes) & holes).filter(|following| *following != 0);
        Some((fixed | hole, fixed | hole | within))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    fn range(first: &str, last: &str) -> AddrSet {
        AddrSet::range(first.parse().unwrap(), last.parse().unwrap()).unwrap()
    }

    #[test]
    fn prefixes_ignore_host_bits_and_reach_both_ends() {
        assert_eq!(AddrSet::prefix(v4("192.0.2.77").into(), 24), Some(range("192.0.2.0", "192.0.2.255")));
        assert_eq!(AddrSet::prefix(v4("1.2.3.4").into(), 0), Some(AddrSet::any_v4()));
        assert_eq!(AddrSet::prefix(v4("255.255.255.255").into(), 32), Some(range("255.255.255.255", "255.255.255.255")));
        assert_eq!(
            AddrSet::prefix("2001:db8::1".parse().unwrap(), 32),
            Some(range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"))
        );
        assert_eq!(AddrSet::prefix("::".parse().unwrap(), 0), Some(AddrSet::any_v6()));
        assert_eq!(AddrSet::prefix("::1".parse().unwrap(), 128), Some(AddrSet::single("::1".parse().unwrap())));
        assert_eq!(AddrSet::prefix(v4("10.0.0.0").into(), 33), None);
    }

    #[test]
    fn mixed_or_reversed_ranges_have_no_set() {
        assert_eq!(AddrSet::range(v4("10.0.0.2").into(), v4("10.0.0.1").into()), None);
        assert_eq!(AddrSet::range(v4("10.0.0.2").into(), "::1".parse().unwrap()), None);
        assert_eq!(AddrSet::masked(v4("10.0.0.2").into(), "::1".parse().unwrap()), None);
    }

    #[test]
    fn a_mask_with_holes_is_expanded_up_to_the_limit() {
        let odd_networks = AddrSet::masked_v4(v4("10.0.1.0"), v4("255.240.1.0")).unwrap();
        assert_eq!(odd_networks.v4.ranges().len(), 16 * 128);
        assert_eq!(odd_networks.v4.count(), 16 * 128 * 256);
        assert_eq!(AddrSet::masked_v4(v4("10.0.1.0"), v4("255.0.1.0")), None);
    }

    proptest! {
        #[test]
        fn a_masked_set_is_what_agrees_in_the_mask_bits(address: u32, mask: u32, probe: u32) {
            if let Some(set) = AddrSet::masked_v4(address.into(), mask.into()) {
                prop_assert_eq!(set.v4.contains(probe), probe & mask == address & mask);
                prop_assert!(set.v4.contains(probe & !mask | address & mask));
                prop_assert_eq!(set.v4.count(), 1 << (!mask).count_ones());
                let wide = AddrSet::masked_v6(u128::from(address).into(), (!u128::from(!mask)).into()).unwrap();
                prop_assert_eq!(wide.v6.count(), set.v4.count());
            } else {
                prop_assert!((!mask).count_ones() > 12);
            }
        }

        #[test]
        fn a_mask_with_few_holes_is_expanded_exactly(address: u32, holes in prop::collection::vec(0u32..32, 0..8)) {
            let mask = !holes.iter().fold(0u32, |bits, bit| bits | 1 << bit);
            let set = AddrSet::masked_v4(address.into(), mask.into()).unwrap();
            prop_assert_eq!(set.v4.count(), 1 << (!mask).count_ones());
            for range in set.v4.ranges() {
                prop_assert_eq!(range.0 & mask, address & mask);
                prop_assert_eq!(range.1 & mask, address & mask);
            }
        }
    }
}
