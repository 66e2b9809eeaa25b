//! Words for addresses, ports and protocols: what the product writes in filters, host lists and translations.
//!
//! Only notation. What cannot be read gives `None` or an opaque set; nothing here decides what a list means.

use crate::dialect::numbers::Numbers;
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::IpNet;
use crate::source::Span;
use std::net::{IpAddr, Ipv4Addr};

/// An address with prefix length, dotted or hexadecimal mask; without one, the classless whole host.
pub fn net(word: &str) -> Option<IpNet> {
    let Some((addr, mask)) = word.split_once('/') else {
        let addr: IpAddr = word.parse().ok()?;
        return Some(IpNet::new(addr, if addr.is_ipv4() { 32 } else { 128 }));
    };
    let addr: IpAddr = addr.parse().ok()?;
    Some(IpNet::new(addr, prefix(mask)?))
}

fn prefix(mask: &str) -> Option<u8> {
    if let Ok(length) = mask.parse::<u8>() {
        return (length <= 128).then_some(length);
    }
    let bits = match mask.strip_prefix("0x").or_else(|| mask.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => u32::from(mask.parse::<Ipv4Addr>().ok()?),
    };
    (bits.leading_ones() == bits.count_ones()).then_some(bits.leading_ones() as u8)
}

/// `a-b`, both of one family, in order.
pub fn range(word: &str) -> Option<(IpAddr, IpAddr)> {
    let (a, b) = word.split_once('-')?;
    let (a, b): (IpAddr, IpAddr) = (a.parse().ok()?, b.parse().ok()?);
    (a.is_ipv4() == b.is_ipv4() && a <= b).then_some((a, b))
}

fn whole(net: IpNet) -> AddrExpr {
    let (first, last) = net.range();
    AddrExpr::Range(first, last)
}

/// `192.168.0.*`: the octets left open stand at the end.
fn open_octets(word: &str) -> Option<AddrExpr> {
    let mut parts = [0u8; 4];
    let mut fixed = 0;
    let mut open = false;
    for (ix, part) in word.split('.').enumerate() {
        let slot = parts.get_mut(ix)?;
        if part == "*" {
            open = true;
        } else if open {
            return None;
        } else {
            *slot = part.parse().ok()?;
            fixed += 1;
        }
    }
    (open && fixed > 0).then(|| whole(IpNet::new(IpAddr::V4(parts.into()), fixed * 8)))
}

/// One address of a list: host, network, range, `192.168.0.*`.
pub fn one(word: &str) -> Option<AddrExpr> {
    net(word).map(whole).or_else(|| range(word).map(|(a, b)| AddrExpr::Range(a, b))).or_else(|| open_octets(word))
}

/// The address field of a filter: `*`, or a list with commas. Names and mnemonics are sets the export does not hold.
pub fn filter_address(word: &str, span: Span) -> AddrExpr {
    if word == "*" {
        return AddrExpr::Any;
    }
    let mut parts: Vec<AddrExpr> = Vec::new();
    for part in word.split(',').filter(|p| !p.is_empty()) {
        parts.push(match one(part) {
            Some(expr) => expr,
            None if part == "*" => AddrExpr::Any,
            None => {
                let looks_like_name = part.contains(|c: char| c.is_ascii_alphabetic()) && !part.starts_with('@') && part.contains('.');
                let kind = match part {
                    p if p.starts_with('@') => OpaqueKind::CloudService,
                    _ if looks_like_name => OpaqueKind::Fqdn,
                    _ => OpaqueKind::Unmodelled,
                };
                AddrExpr::Opaque(Opaque { kind, text: part.to_owned(), span })
            }
        });
    }
    AddrExpr::union(parts)
}

/// A list of ports with commas and ranges; `*` gives the empty list, which means every port. A name may hold a hyphen itself.
pub fn ports(numbers: &Numbers<'_>, word: &str) -> Option<Vec<(u16, u16)>> {
    if word == "*" {
        return Some(Vec::new());
    }
    let parts: Option<Vec<_>> = word.split(',').filter(|p| !p.is_empty()).map(|part| port_range(numbers, part)).collect();
    parts.filter(|p| !p.is_empty())
}

fn port_range(numbers: &Numbers<'_>, part: &str) -> Option<(u16, u16)> {
    if let Some(port) = numbers.port(part) {
        return Some((port, port));
    }
    // Open ends: `1024-`, `-1023`.
    if let Some(first) = part.strip_suffix('-') {
        return Some((numbers.port(first)?, u16::MAX));
    }
    if let Some(last) = part.strip_prefix('-') {
        return Some((0, numbers.port(last)?));
    }
    part.match_indices('-').find_map(|(at, _)| {
        let (a, b) = (numbers.port(&part[..at])?, numbers.port(&part[at + 1..])?);
        (a <= b).then_some((a, b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::grammar::Grammar;
    use crate::source::FileId;

    const SPAN: Span = Span { file: FileId(0), start: 0, end: 0 };

    #[test]
    fn masks_of_three_notations_are_one_network() {
        for word in ["192.0.2.7/24", "192.0.2.7/255.255.255.0", "192.0.2.7/0xffffff00"] {
            assert_eq!(net(word).map(|n| n.prefix), Some(24), "{word}");
        }
        assert!(net("192.0.2.7/255.0.255.0").is_none());
        assert!(net("192.0.2.7/200").is_none());
    }

    #[test]
    fn open_octets_ranges_and_names() {
        assert!(
            matches!(filter_address("192.168.0.*", SPAN), AddrExpr::Range(a, b) if a.to_string() == "192.168.0.0" && b.to_string() == "192.168.0.255")
        );
        assert!(matches!(filter_address("192.0.2.1-192.0.2.9,198.51.100.0/24", SPAN), AddrExpr::Union(v) if v.len() == 2));
        assert!(matches!(filter_address("update.example.com", SPAN), AddrExpr::Opaque(o) if o.kind == OpaqueKind::Fqdn));
        assert!(matches!(filter_address("192.168.61.7.168.63.6", SPAN), AddrExpr::Opaque(o) if o.kind == OpaqueKind::Unmodelled));
        assert!(matches!(filter_address("*", SPAN), AddrExpr::Any));
    }

    #[test]
    fn a_hyphen_in_a_port_name_is_no_range() {
        let file = include_str!("../../../grammars/yamaha-rtx.toml");
        let grammar = Grammar::load(file).expect("grammar");
        let names = Numbers::new(&grammar);
        assert_eq!(ports(&names, "netbios_ns-netbios_ssn"), Some(vec![(137, 139)]));
        assert_eq!(ports(&names, "ipsec-nat-t"), Some(vec![(4500, 4500)]));
        assert_eq!(ports(&names, "www,21,10000-10010"), Some(vec![(80, 80), (21, 21), (10000, 10010)]));
        assert_eq!(ports(&names, "1024-"), Some(vec![(1024, 65535)]));
        assert_eq!(ports(&names, "*"), Some(vec![]));
        assert_eq!(ports(&names, "nonsense"), None);
        assert_eq!(names.protocol("esp"), Some(50));
    }
}
