//! Classes of source sets, from none to any, and the address ranges that the classes and the callers' universes are made of.
//!
//! The class says how many outsiders get through, not who: it measures a set inside a universe that the caller chooses.

use super::address::AddrSet;
use super::interval::Intervals;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// From how many IPv4 addresses on a set is broad.
const BROAD_V4: u128 = 65_536;
/// The size of the largest IPv6 prefix shorter than /48, a /47.
const BROAD_V6: u128 = 1 << (128 - 47);
/// From how many IPv6 addresses on a set without such a prefix is broad all the same: a /32, what a provider gets.
const BROAD_V6_SCATTERED: u128 = 1 << (128 - 32);

/// How much of the outside a set of sources is, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// No address.
    None,
    /// Some addresses, fewer than broad.
    Restricted,
    /// 65,536 IPv4 addresses or more, or an IPv6 prefix shorter than /48.
    Broad,
    /// All of a family of the universe, or all but less than a sixteenth of it.
    Any,
}

impl Class {
    /// The class of the addresses of `set` that are in `universe`.
    ///
    /// A family is *any* from 15/16 of the universe on: a few networks denied before a permit of everything restrict nobody.
    pub fn of(set: &AddrSet, universe: &AddrSet) -> Class {
        let inside = set.intersection(universe);
        if inside.is_empty() {
            return Class::None;
        }
        let (v4, v6) = (inside.v4.count(), inside.v6.count());
        if is_nearly_all(v4, universe.v4.count()) || is_nearly_all(v6, universe.v6.count()) {
            return Class::Any;
        }
        if v4 >= BROAD_V4 || v6 >= BROAD_V6_SCATTERED || inside.v6.ranges().iter().any(holds_broad_prefix) {
            return Class::Broad;
        }
        Class::Restricted
    }
}

fn is_nearly_all(part: u128, whole: u128) -> bool {
    part > 0 && whole - part <= whole / 16
}

/// Whether an IPv6 range holds a whole prefix shorter than /48.
fn holds_broad_prefix((first, last): &(u128, u128)) -> bool {
    let aligned = first.checked_next_multiple_of(BROAD_V6);
    aligned.is_some_and(|start| start <= *last && last - start >= BROAD_V6 - 1)
}

/// The IPv4 unicast addresses that packets on the Internet come from. The documentation networks count: examples use them.
pub fn public_v4() -> AddrSet {
    // IANA IPv4 Special-Purpose Address Registry: what is not globally reachable, and multicast and reserved space.
    static PUBLIC: LazyLock<AddrSet> = LazyLock::new(|| {
        let special = v4_networks(&[
            ([0, 0, 0, 0], 8),
            ([10, 0, 0, 0], 8),
            ([100, 64, 0, 0], 10),
            ([127, 0, 0, 0], 8),
            ([169, 254, 0, 0], 16),
            ([172, 16, 0, 0], 12),
            ([192, 0, 0, 0], 24),
            ([192, 168, 0, 0], 16),
            ([198, 18, 0, 0], 15),
            ([224, 0, 0, 0], 3),
        ]);
        AddrSet::any_v4().difference(&special)
    });
    PUBLIC.clone()
}

/// The IPv6 global unicast addresses, 2000::/3.
pub fn public_v6() -> AddrSet {
    v6_networks(&[(0x2000, 3)])
}

/// The public unicast addresses of both families: who is outside on the Internet.
pub fn public() -> AddrSet {
    public_v4().union(&public_v6())
}

/// The IPv4 addresses that a host on some network may have.
pub fn unicast_v4() -> AddrSet {
    static UNICAST: LazyLock<AddrSet> =
        LazyLock::new(|| AddrSet::any_v4().difference(&v4_networks(&[([0, 0, 0, 0], 8), ([127, 0, 0, 0], 8), ([224, 0, 0, 0], 3)])));
    UNICAST.clone()
}

/// The IPv6 addresses that a host on some network may have: neither multicast nor the unspecified nor the loopback address.
pub fn unicast_v6() -> AddrSet {
    let loopback_and_unspecified = AddrSet { v4: Intervals::empty(), v6: Intervals::range(0, 1) };
    AddrSet::any_v6().difference(&v6_networks(&[(0xff00, 8)])).difference(&loopback_and_unspecified)
}

/// The addresses for use inside: RFC 1918, the shared space of RFC 6598, and IPv6 unique local addresses.
pub fn private() -> AddrSet {
    v4_networks(&[([10, 0, 0, 0], 8), ([100, 64, 0, 0], 10), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)])
        .union(&v6_networks(&[(0xfc00, 7)]))
}

fn v4_networks(networks: &[([u8; 4], u8)]) -> AddrSet {
    union(networks.iter().map(|(address, length)| (IpAddr::V4(Ipv4Addr::from(*address)), *length)))
}

/// Networks by their first sixteen bits.
fn v6_networks(networks: &[(u16, u8)]) -> AddrSet {
    union(networks.iter().map(|(start, length)| (IpAddr::V6(Ipv6Addr::new(*start, 0, 0, 0, 0, 0, 0, 0)), *length)))
}

fn union(networks: impl Iterator<Item = (IpAddr, u8)>) -> AddrSet {
    let sets: Vec<AddrSet> = networks.filter_map(|(address, length)| AddrSet::prefix(address, length)).collect();
    AddrSet::union_of(&sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(networks: &[&str]) -> AddrSet {
        union(networks.iter().map(|text| {
            let (address, length) = text.split_once('/').unwrap();
            (address.parse().unwrap(), length.parse().unwrap())
        }))
    }

    fn class(networks: &[&str]) -> Class {
        Class::of(&set(networks), &public())
    }

    #[test]
    fn sizes_give_classes() {
        assert_eq!(class(&[]), Class::None);
        assert_eq!(class(&["8.8.8.8/32"]), Class::Restricted);
        assert_eq!(class(&["8.8.0.0/17", "9.9.0.0/18"]), Class::Restricted);
        assert_eq!(class(&["8.8.0.0/17", "9.9.0.0/17"]), Class::Broad);
        assert_eq!(class(&["0.0.0.0/0"]), Class::Any);
        assert_eq!(class(&["128.0.0.0/1"]), Class::Broad);
        assert!(Class::None < Class::Restricted && Class::Restricted < Class::Broad && Class::Broad < Class::Any);
    }

    #[test]
    fn ipv6_counts_by_prefix() {
        assert_eq!(class(&["2001:db8:1::/48"]), Class::Restricted);
        assert_eq!(class(&["2001:db8:1::/48", "2001:db8:2::/48"]), Class::Restricted);
        assert_eq!(class(&["2001:db8:2::/47"]), Class::Broad);
        assert_eq!(class(&["2001:db8:2::/48", "2001:db8:3::/48"]), Class::Broad);
        assert_eq!(class(&["::/0"]), Class::Any);
        assert_eq!(class(&["8.8.8.8/32", "2000::/3"]), Class::Any);
    }

    #[test]
    fn addresses_outside_the_universe_do_not_count() {
        assert_eq!(class(&["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"]), Class::None);
        let site = set(&["192.168.1.0/24"]);
        assert_eq!(Class::of(&AddrSet::any(), &site), Class::Any);
        assert_eq!(Class::of(&set(&["192.168.1.0/25"]), &site), Class::Restricted);
        assert_eq!(Class::of(&AddrSet::any(), &AddrSet::empty()), Class::None);
    }

    #[test]
    fn a_few_denied_networks_leave_any() {
        let all_but = |networks: &[&str]| Class::of(&AddrSet::any_v4().difference(&set(networks)), &public_v4());
        assert_eq!(all_but(&["1.0.0.0/8", "2.0.0.0/7"]), Class::Any);
        assert_eq!(all_but(&["16.0.0.0/4"]), Class::Broad);
    }

    #[test]
    fn public_space_leaves_out_special_networks_and_keeps_examples() {
        for special in
            ["0.1.2.3", "10.1.1.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.31.0.1", "192.168.0.1", "224.0.0.1", "255.255.255.255"]
        {
            assert!(!public().contains(special.parse().unwrap()), "{special}");
        }
        for public_address in ["1.1.1.1", "192.0.2.7", "198.51.100.7", "203.0.113.7", "2001:db8::7", "172.32.0.1"] {
            assert!(public().contains(public_address.parse().unwrap()), "{public_address}");
        }
        assert!(!public().overlaps(&private()));
        assert!(public().is_subset(&unicast_v4().union(&unicast_v6())));
    }
}
