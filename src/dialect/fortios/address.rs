//! Addresses, networks and port lists as the product writes them.

use crate::ir::filter::{AddrExpr, ESP, GRE, ICMP, ICMPV6, SvcTerm, TCP, UDP};
use crate::ir::interface::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// `A/len`, `A M` or `A`: an address with the length of its prefix; `None` for masks that are no prefix.
pub(super) fn cidr(words: &[&str]) -> Option<IpNet> {
    let first = words.first()?;
    if let Some((addr, len)) = first.split_once('/') {
        return Some(IpNet::new(addr.parse().ok()?, len.parse().ok()?));
    }
    let addr: IpAddr = first.parse().ok()?;
    let prefix = match words.get(1) {
        Some(mask) => prefix(mask.parse().ok()?)?,
        None => 128,
    };
    Some(IpNet::new(addr, prefix))
}

fn prefix(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    (bits.leading_ones() + bits.trailing_zeros() == 32).then(|| bits.leading_ones() as u8)
}

/// The addresses of `A/len`, `A M` or `A`; masks may have holes.
pub(super) fn network(words: &[&str]) -> Option<AddrExpr> {
    if let Some(net) = cidr(words) {
        return Some(of_net(net));
    }
    let (addr, mask) = (words.first()?.parse().ok()?, words.get(1)?.parse().ok()?);
    Some(AddrExpr::Masked(addr, mask))
}

fn of_net(net: IpNet) -> AddrExpr {
    match (net.prefix, net.addr) {
        (0, IpAddr::V4(_)) => AddrExpr::AnyV4,
        (0, IpAddr::V6(_)) => AddrExpr::AnyV6,
        _ => {
            let (first, last) = net.range();
            AddrExpr::Range(first, last)
        }
    }
}

/// `A` or `A-B` or `A/len`.
pub(super) fn range(text: &str) -> Option<AddrExpr> {
    match text.split_once('-') {
        Some((a, b)) => between(a, b),
        None => network(&[text]),
    }
}

/// From one address to another of the same family.
pub(super) fn between(first: &str, last: &str) -> Option<AddrExpr> {
    let (a, b): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (a.is_ipv4() == b.is_ipv4()).then(|| AddrExpr::Range(a.min(b), a.max(b)))
}

/// `80`, `1000-2000`: an inclusive range; a reversed one is read as meant.
pub(super) fn ports(text: &str) -> Option<(u16, u16)> {
    match text.split_once('-') {
        Some((a, b)) => {
            let (a, b): (u16, u16) = (a.parse().ok()?, b.parse().ok()?);
            Some((a.min(b), a.max(b)))
        }
        None => text.parse().ok().map(|p| (p, p)),
    }
}

/// Terms as grammar files write them: `tcp/80 udp/5000-5010 icmp/8 icmp6/128 ip/50`.
pub(super) fn terms(text: &str) -> Option<Vec<SvcTerm>> {
    text.split_whitespace().map(term).collect()
}

fn term(text: &str) -> Option<SvcTerm> {
    let (name, rest) = text.split_once('/').map_or((text, None), |(n, r)| (n, Some(r)));
    let protocol = match name {
        "tcp" => TCP,
        "udp" => UDP,
        "sctp" => SCTP,
        "icmp" => ICMP,
        "icmp6" => ICMPV6,
        "gre" => GRE,
        "esp" => ESP,
        "ip" => {
            let number: u8 = rest?.parse().ok()?;
            return Some(if number == 0 { ANY } else { SvcTerm::protocol(number) });
        }
        _ => return None,
    };
    let mut term = SvcTerm::protocol(protocol);
    match (rest, protocol) {
        (None, _) => {}
        (Some(kind), ICMP | ICMPV6) => term.icmp = Some((kind.parse().ok()?, None)),
        (Some(list), _) => term.dst_ports = list.split(',').map(ports).collect::<Option<_>>()?,
    }
    Some(term)
}

/// IP protocol number of SCTP.
pub(super) const SCTP: u8 = 132;

/// Every protocol.
pub(super) const ANY: SvcTerm = SvcTerm { protocol: None, src_ports: Vec::new(), dst_ports: Vec::new(), icmp: None };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_become_prefixes_and_holes_stay_masks() {
        assert_eq!(cidr(&["192.0.2.9", "255.255.255.0"]).map(|n| n.prefix), Some(24));
        assert_eq!(cidr(&["192.0.2.9", "255.255.255.255"]).map(|n| n.prefix), Some(32));
        assert!(matches!(network(&["0.0.0.0", "0.0.0.0"]), Some(AddrExpr::AnyV4)));
        assert!(matches!(network(&["10.0.0.1", "255.0.0.255"]), Some(AddrExpr::Masked(..))));
        assert!(network(&["zero", "255.0.0.0"]).is_none());
    }

    #[test]
    fn terms_of_the_grammar_are_read() {
        let read = terms("tcp/80,8000-8010 udp/53 icmp/8 ip/0 ip/47").expect("terms");
        assert_eq!(read[0].dst_ports, [(80, 80), (8000, 8010)]);
        assert_eq!(read[2].icmp, Some((8, None)));
        assert_eq!(read[3], ANY);
        assert_eq!(read[4].protocol, Some(GRE));
        assert!(terms("tcp/80 what").is_none());
    }

    #[test]
    fn carrier_grade_and_private_addresses_are_not_public() {
        let public = |text: &str| crate::ir::interface::is_public(text.parse().expect("address"));
        assert!(public("203.0.113.7") && public("198.51.100.1") && public("2001:db8::1"));
        assert!(!public("100.64.1.1") && !public("172.31.0.1") && !public("169.254.1.1") && !public("fd00::1"));
    }
}
