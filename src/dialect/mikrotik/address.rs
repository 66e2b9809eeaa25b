//! Words for addresses, ports, protocols: what the product writes in rows. Only notation; what cannot be read gives `None`.

use crate::dialect::grammar::Grammar;
use crate::ir::filter::AddrExpr;
use crate::ir::interface::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;

/// An address with or without prefix length. Prefixes as dotted masks occur in old exports.
pub fn net(word: &str) -> Option<IpNet> {
    // An interface may stand behind an IPv6 address.
    let word = word.split('%').next().unwrap_or(word);
    let Some((address, prefix)) = word.split_once('/') else {
        let address: IpAddr = word.parse().ok()?;
        return Some(IpNet::new(address, if address.is_ipv4() { 32 } else { 128 }));
    };
    let address: IpAddr = address.parse().ok()?;
    let prefix = match prefix.parse::<u8>() {
        Ok(length) if length <= if address.is_ipv4() { 32 } else { 128 } => length,
        Ok(_) => return None,
        Err(_) => {
            let mask = u32::from(prefix.parse::<std::net::Ipv4Addr>().ok()?);
            (mask.leading_ones() == mask.count_ones()).then_some(mask.leading_ones() as u8)?
        }
    };
    Some(IpNet::new(address, prefix))
}

/// A host, a network, or a range.
pub fn set(word: &str) -> Option<AddrExpr> {
    if let Some(net) = net(word) {
        let (first, last) = net.range();
        return Some(AddrExpr::Range(first, last));
    }
    let (first, last) = word.split_once('-')?;
    let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(AddrExpr::Range(first, last))
}

/// Whether a set holds loopback addresses only.
pub fn is_loopback(set: &AddrExpr) -> bool {
    matches!(set, AddrExpr::Range(first, last) if first.is_loopback() && last.is_loopback())
}

/// Ports: `80`, `500,4500`, `1000-2000`.
pub fn ports(text: &str) -> Option<Vec<(u16, u16)>> {
    let mut out = Vec::new();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        if first > last {
            return None;
        }
        out.push((first, last));
    }
    (!out.is_empty()).then_some(out)
}

/// All other ports.
pub fn other_ports(mut ports: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ports.sort_unstable();
    let mut out = Vec::new();
    let mut next: u32 = 0;
    for (first, last) in ports {
        if u32::from(first) > next {
            out.push((next as u16, first - 1));
        }
        next = next.max(u32::from(last) + 1);
    }
    if next <= u32::from(u16::MAX) {
        out.push((next as u16, u16::MAX));
    }
    out
}

/// Names of protocols, from the grammar.
pub fn protocols(grammar: &Grammar) -> HashMap<&str, u8> {
    grammar.names("protocols").iter().filter_map(|row| row.split_once(' ')).filter_map(|(name, n)| Some((name, n.parse().ok()?))).collect()
}
