//! Public addresses of one text and what stands for them.
//!
//! Prefixes stay prefixes and order stays order among the addresses that occur: where two of them part, both keep the bit that
//! parts them, and every other bit is free and set by a fixed sequence that no address has a say in. What says nothing about a
//! customer stays: private, special and documentation addresses, masks, networks of eight bits and shorter, public resolvers.
//! Invariant: a public address stays public, and a second run over the result changes nothing.

use crate::ir::interface::is_public;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// First numbers given to addresses: networks that are assigned but not announced, so that nobody's real address is named.
const FIRST: [u8; 13] = [6, 7, 11, 21, 22, 26, 28, 29, 30, 33, 55, 214, 215];
/// First sixteen bits given to IPv6 addresses, counted upward.
const FIRST_V6: u128 = 0x2c40;
/// The last number of an IPv4 address stays, and so does a low interface identifier of an IPv6 address.
const LOW_BITS: u32 = 8;
/// An interface identifier of at most this value was chosen by hand and stays.
const LOW_IDENTIFIER: u128 = 0xffff;
/// Interface identifiers that stand for others begin here.
const IDENTIFIER: u128 = 0x0200_00ff_fe00_0000;

/// Name servers that everybody uses.
const RESOLVERS: [Ipv4Addr; 7] = [
    Ipv4Addr::new(8, 8, 8, 8),
    Ipv4Addr::new(8, 8, 4, 4),
    Ipv4Addr::new(1, 1, 1, 1),
    Ipv4Addr::new(1, 0, 0, 1),
    Ipv4Addr::new(9, 9, 9, 9),
    Ipv4Addr::new(208, 67, 222, 222),
    Ipv4Addr::new(208, 67, 220, 220),
];

/// What stands for each address; an address that is not here stays.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    v4: BTreeMap<u32, u32>,
    v6: BTreeMap<u128, u128>,
}

impl Addresses {
    /// Gives every address of a text its stand-in.
    pub(super) fn new(found: &BTreeSet<IpAddr>) -> Addresses {
        let v4: Vec<u32> = found.iter().filter_map(|a| if let IpAddr::V4(a) = a { Some(u32::from(*a)) } else { None }).collect();
        let v6: Vec<u128> = found.iter().filter_map(|a| if let IpAddr::V6(a) = a { Some(u128::from(*a)) } else { None }).collect();
        Addresses { v4: map_v4(&v4), v6: map_v6(&v6) }
    }

    /// How many of these addresses tell something about a customer and stay all the same, so that prefixes and order are kept.
    pub(super) fn left(&self, found: &BTreeSet<IpAddr>) -> usize {
        let telling = |a: &&IpAddr| match a {
            IpAddr::V4(a) => !stays_v4(u32::from(*a)),
            IpAddr::V6(a) => !stays_v6(u128::from(*a)),
        };
        found.iter().filter(telling).filter(|a| self.of(**a).is_none_or(|to| to == **a)).count()
    }

    /// What stands for an address; `None` where it stays.
    pub(super) fn of(&self, address: IpAddr) -> Option<IpAddr> {
        match address {
            IpAddr::V4(a) => self.v4.get(&u32::from(a)).map(|a| IpAddr::V4((*a).into())),
            IpAddr::V6(a) => self.v6.get(&u128::from(a)).map(|a| IpAddr::V6((*a).into())),
        }
    }
}

/// Bits at the end that are all alike, with the one that ends them: they tell where a network or a range begins or ends.
fn run(address: u128, width: u32) -> u32 {
    let value = address << (128 - width);
    let alike = if value >> (128 - width) & 1 == 1 { (address).trailing_ones() } else { address.trailing_zeros() };
    (alike.min(width) + 1).min(width)
}

/// Whether an IPv4 address says nothing about anybody.
fn stays_v4(value: u32) -> bool {
    let address = Ipv4Addr::from(value);
    let [a, b, c, _] = address.octets();
    let special = matches!((a, b, c), (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113));
    let mask = value.leading_ones() + value.trailing_zeros() >= 32 || value.leading_zeros() + value.trailing_ones() >= 32;
    !is_public(IpAddr::V4(address)) || special || mask || RESOLVERS.contains(&address)
}

/// Whether it may begin or end a network of eight bits or less, which is far more than a customer has.
fn is_wide(value: u32) -> bool {
    value.trailing_zeros() >= 24 || value.trailing_ones() >= 24
}

fn map_v4(found: &[u32]) -> BTreeMap<u32, u32> {
    let mapped: Vec<u32> = found.iter().copied().filter(|a| !stays_v4(*a)).collect();
    let mut firsts: Vec<u8> = mapped.iter().map(|a| (a >> 24) as u8).collect();
    firsts.dedup();
    // Wide networks hold others by their first numbers, which then stay. Their own bits are all part of the run at the end.
    let wide = mapped.iter().any(|a| is_wide(*a));
    let given = |first: u8| match firsts.iter().position(|f| *f == first) {
        Some(ix) if !wide => targets(firsts.len()).get(ix).copied().unwrap_or(first),
        _ => first,
    };
    let mut trie = Trie { width: 32, from: 8, low: LOW_BITS, near: 16, drawn: 0, out: Vec::with_capacity(mapped.len()) };
    for same in mapped.chunk_by(|a, b| a >> 24 == b >> 24) {
        let Some(first) = same.first().map(|a| (a >> 24) as u8) else { continue };
        let wide_values: Vec<u128> = same.iter().map(|a| u128::from(*a)).collect();
        trie.assign(&wide_values, 8, u128::from(given(first)), false);
    }
    mapped.into_iter().zip(trie.out.into_iter().map(|a| a as u32)).collect()
}

/// So many first numbers, rising.
fn targets(many: usize) -> Vec<u8> {
    if many <= FIRST.len() {
        return FIRST.to_vec();
    }
    let special = |n: &u8| [1, 8, 9, 10, 100, 127, 169, 172, 192, 198, 203, 208].contains(n);
    let all: Vec<u8> = (2..=223).filter(|n| !special(n)).collect();
    if many <= all.len() { all } else { Vec::new() }
}

fn stays_v6(value: u128) -> bool {
    let [a, b, ..] = Ipv6Addr::from(value).segments();
    let resolver = matches!((a, b), (0x2001, 0x4860) | (0x2606, 0x4700) | (0x2620, 0xfe));
    let special = a == 0x2001 && (b == 0xdb8 || b < 0x200) || a == 0x2002 || a == 0x3fff;
    !is_public(IpAddr::V6(value.into())) || resolver || special || value.trailing_zeros() >= 112 || value.trailing_ones() >= 112
}

fn map_v6(found: &[u128]) -> BTreeMap<u128, u128> {
    let lower = u128::from(u64::MAX);
    let networks: BTreeSet<u128> = found.iter().filter(|a| !stays_v6(**a)).map(|a| a >> 64).collect();
    let mut firsts: Vec<u128> = networks.iter().map(|n| n >> 48).collect();
    firsts.dedup();
    let wide = found.iter().any(|a| is_public(IpAddr::V6((*a).into())) && a.trailing_zeros() >= 112);
    let networks: Vec<u128> = networks.into_iter().collect();
    let mut trie = Trie { width: 64, from: 16, low: 0, near: 40, drawn: 0, out: Vec::with_capacity(networks.len()) };
    for same in networks.chunk_by(|a, b| a >> 48 == b >> 48) {
        let Some(first) = same.first().map(|n| n >> 48) else { continue };
        let given = firsts.iter().position(|f| *f == first).filter(|_| !wide).map_or(first, |ix| FIRST_V6 + ix as u128);
        trie.assign(same, 16, given, false);
    }
    let given: BTreeMap<u128, u128> = networks.into_iter().zip(trie.out).collect();
    // An identifier made from a hardware address is one more name of the box, on every network.
    let names_hardware = |identifier: u128| identifier >> 24 & 0xffff == 0xfffe;
    let is_named = |a: u128| a & lower > LOW_IDENTIFIER && (!stays_v6(a) || names_hardware(a & lower));
    let identifiers: BTreeSet<u128> = found.iter().filter(|a| is_named(**a)).map(|a| a & lower).collect();
    let numbers: BTreeMap<u128, u128> = identifiers.into_iter().zip(1..).collect();
    let mut out = BTreeMap::new();
    for address in found.iter().copied() {
        let network = given.get(&(address >> 64)).copied().filter(|_| !stays_v6(address)).unwrap_or(address >> 64);
        let identifier = match numbers.get(&(address & lower)).filter(|_| is_named(address)) {
            Some(number) => IDENTIFIER + number,
            None => address & lower,
        };
        out.insert(address, network << 64 | identifier);
    }
    out.retain(|from, to| from != to);
    out
}

/// Bits for addresses, first the ones that all share.
struct Trie {
    /// Bits of an address.
    width: u32,
    /// The first bit that is given here.
    from: u32,
    /// Bits at the end that stay.
    low: u32,
    /// Once addresses have parted at this bit or behind it, the rest stays: what lies between them counts.
    near: u32,
    /// Free bits given so far.
    drawn: u64,
    out: Vec<u128>,
}

impl Trie {
    /// Gives rising addresses that share all bits before `depth` their stand-ins; `given` are the bits before `depth`.
    fn assign(&mut self, same: &[u128], depth: u32, given: u128, parted: bool) {
        if depth >= self.width {
            self.out.extend(same.iter().map(|_| given));
            return;
        }
        let bit = |a: &u128| a >> (self.width - 1 - depth) & 1;
        let ones = same.partition_point(|a| bit(a) == 0);
        let (zero, one) = same.split_at(ones);
        if !zero.is_empty() && !one.is_empty() {
            let parted = parted || depth >= self.near;
            self.assign(zero, depth + 1, given << 1, parted);
            self.assign(one, depth + 1, given << 1 | 1, parted);
            return;
        }
        let ends = same.iter().map(|a| run(*a, self.width)).max().unwrap_or(0).max(self.low);
        let free = !parted && depth >= self.from && depth < self.width - ends;
        let own = u128::from(zero.is_empty());
        let next = if free { self.draw() } else { own };
        self.assign(same, depth + 1, given << 1 | next, parted);
    }

    /// The next bit of a sequence that is the same for every text (SplitMix64).
    fn draw(&mut self) -> u128 {
        self.drawn += 1;
        let mut z = self.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u128::from((z ^ (z >> 31)) & 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(texts: &[&str]) -> Vec<String> {
        let all: Vec<IpAddr> = texts.iter().map(|t| t.parse().unwrap()).collect();
        let map = Addresses::new(&all.iter().copied().collect());
        all.iter().map(|a| map.of(*a).unwrap_or(*a).to_string()).collect()
    }

    fn common(a: u32, b: u32) -> u32 {
        (a ^ b).leading_zeros()
    }

    #[test]
    fn what_names_nobody_stays() {
        let kept = [
            "10.1.2.3",
            "192.168.0.1",
            "172.31.0.1",
            "100.64.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.5",
            "255.255.255.0",
            "0.0.0.255",
            "0.0.0.0",
            "203.0.113.9",
            "198.51.100.1",
            "8.8.8.8",
            "fe80::1",
            "fd00::5",
            "2001:db8::1",
            "::1",
            "::",
            "ff02::1",
        ];
        assert_eq!(of(&kept), kept);
    }

    #[test]
    fn a_public_address_is_replaced_and_its_last_number_stays() {
        let out = of(&["133.5.77.14", "133.5.77.0", "2400:4050:1:2::1", "2400:4050:1:2:21b:21ff:fe3a:1"]);
        assert!(out[0].ends_with(".14") && out[1].ends_with(".0"), "{out:?}");
        assert_eq!(out[0].rsplit_once('.').map(|p| p.0), out[1].rsplit_once('.').map(|p| p.0));
        assert!(!out.iter().any(|o| o.starts_with("133.") || o.starts_with("2400:") || o.contains("21ff")), "{out:?}");
        assert!(out[2].ends_with("::1") && out[3].ends_with(":200:ff:fe00:1"), "{out:?}");
    }

    #[test]
    fn beside_wide_networks_first_numbers_stay_and_are_counted() {
        let out = of(&["64.0.0.0", "64.0.0.9", "66.5.77.14"]);
        let all: BTreeSet<IpAddr> = ["64.0.0.0", "64.0.0.9", "66.5.77.14", "10.0.0.1"].map(|t| t.parse().unwrap()).into();
        assert_eq!(Addresses::new(&all).left(&all), 2);
        assert_eq!(out.get(..2), Some(&["64.0.0.0".to_owned(), "64.0.0.9".to_owned()][..]));
        assert!(out[2].starts_with("66.") && out[2] != "66.5.77.14");
    }

    proptest! {
        #[test]
        fn prefixes_order_and_publicness_stay(values in prop::collection::vec(any::<u32>(), 1..40)) {
            let found: Vec<u32> = values.iter().copied().filter(|v| !stays_v4(*v)).collect::<BTreeSet<_>>().into_iter().collect();
            let map = map_v4(&found);
            for (a, b) in found.iter().zip(found.iter().skip(1)) {
                prop_assert!(map[a] < map[b]);
                if a >> 24 == b >> 24 {
                    prop_assert_eq!(common(*a, *b), common(map[a], map[b]));
                } else {
                    prop_assert!(map[a] >> 24 != map[b] >> 24, "{}", a);
                }
            }
            let second = map_v4(&map.values().copied().collect::<Vec<_>>());
            for to in map.values() {
                prop_assert!(is_public(IpAddr::V4((*to).into())) && !stays_v4(*to));
                prop_assert_eq!(second.get(to), Some(to));
            }
        }

        #[test]
        fn ranges_that_are_near_keep_their_size(from in any::<u32>(), many in 0u32..60_000) {
            let (a, b) = (from, from.saturating_add(many));
            prop_assume!(!stays_v4(a) && !stays_v4(b) && common(a, b) >= 16);
            let map = map_v4(&BTreeSet::from([a, b]).into_iter().collect::<Vec<_>>());
            prop_assert_eq!(map[&b] - map[&a], b - a);
        }
    }
}
