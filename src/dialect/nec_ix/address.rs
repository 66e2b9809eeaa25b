//! Words for addresses, ports and protocols.
//!
//! Only notation. What cannot be read gives `None`; nothing here decides what a list means.

use crate::dialect::numbers::Numbers;
use crate::ir::filter::AddrExpr;
use crate::ir::interface::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// `A/length`, `A/mask`, or one address, which is a host.
pub fn net(word: &str) -> Option<IpNet> {
    let Some((addr, length)) = word.split_once('/') else {
        let addr: IpAddr = word.parse().ok()?;
        return Some(IpNet::new(addr, if addr.is_ipv4() { 32 } else { 128 }));
    };
    let addr: IpAddr = addr.parse().ok()?;
    Some(IpNet::new(addr, length.parse::<u8>().ok().filter(|l| *l <= if addr.is_ipv4() { 32 } else { 128 }).or_else(|| mask(length))?))
}

/// The length of a dotted mask.
pub fn mask(word: &str) -> Option<u8> {
    let bits = u32::from(word.parse::<Ipv4Addr>().ok()?);
    (bits.leading_ones() == bits.count_ones()).then_some(bits.leading_ones() as u8)
}

/// A network as a set of addresses.
pub fn whole(net: IpNet) -> AddrExpr {
    let (first, last) = net.range();
    AddrExpr::Range(first, last)
}

/// One address as a set.
pub fn single(addr: IpAddr) -> AddrExpr {
    AddrExpr::Range(addr, addr)
}

/// One port, or `first-last`; `any` gives the empty list, which means every port.
pub fn ports(numbers: &Numbers<'_>, word: &str) -> Option<Vec<(u16, u16)>> {
    if word.eq_ignore_ascii_case("any") {
        return Some(Vec::new());
    }
    if let Some(port) = numbers.port(word) {
        return Some(vec![(port, port)]);
    }
    let (a, b) = word.split_once('-')?;
    let (a, b) = (numbers.port(a)?, numbers.port(b)?);
    (a <= b).then(|| vec![(a, b)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hosts_and_masks() {
        assert_eq!(net("192.0.2.7/24").map(|n| n.prefix), Some(24));
        assert_eq!(net("192.0.2.7/255.255.255.0").map(|n| n.prefix), Some(24));
        assert_eq!(net("2001:db8::1").map(|n| n.prefix), Some(128));
        for bad in ["192.0.2.7/33", "192.0.2.7/255.0.255.0", "50", "GigaEthernet0.1", "any"] {
            assert!(net(bad).is_none(), "{bad}");
        }
    }
}
