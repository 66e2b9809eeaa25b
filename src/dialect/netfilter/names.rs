//! Words that both ways of writing share: addresses, targets of translation, states of connections, TCP flags, rates. Names of numbers are in
//! `numbers`. A word that is none of these is given back as not known.

pub use super::numbers::{icmp_type, number, port, ports, protocol};

use super::condition::{Condition, Rate, tidy};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::IpNet;
use crate::source::Span;
use std::net::{IpAddr, Ipv4Addr};

/// An address, network, masked address or range as an expression; a name becomes a set whose content is not in the export.
pub fn address(word: &str, span: Span) -> AddrExpr {
    let named = || AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: word.to_owned(), span });
    let ip = |w: &str| w.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    if let Some(one) = ip(word) {
        return AddrExpr::Range(one, one);
    }
    if let Some((first, last)) = word.split_once('-')
        && let (Some(a), Some(b)) = (ip(first), ip(last))
    {
        return AddrExpr::Range(a, b);
    }
    let Some((base, mask)) = word.split_once('/') else { return named() };
    let Some(base) = ip(base).or_else(|| short(base)) else { return named() };
    if let Ok(prefix) = mask.parse::<u8>() {
        let (a, b) = IpNet::new(base, prefix).range();
        return AddrExpr::Range(a, b);
    }
    match (base, ip(mask)) {
        (IpAddr::V4(b), Some(IpAddr::V4(m))) if u32::from(m).leading_ones() == u32::from(m).count_ones() => {
            let (a, z) = IpNet::new(IpAddr::V4(b), u32::from(m).count_ones() as u8).range();
            AddrExpr::Range(a, z)
        }
        (_, Some(mask)) if mask.is_ipv4() == base.is_ipv4() => AddrExpr::Masked(base, mask),
        _ => named(),
    }
}

/// `10/8` and the like.
fn short(word: &str) -> Option<IpAddr> {
    let mut parts = [0u8; 4];
    let given: Vec<&str> = word.split('.').collect();
    if given.len() > 4 || word.is_empty() {
        return None;
    }
    for (slot, part) in parts.iter_mut().zip(&given) {
        *slot = part.parse().ok()?;
    }
    Some(IpAddr::V4(Ipv4Addr::from(parts)))
}

/// Addresses and first port of a translation's target: `a[-b][:p[-q]]`, `[v6][:p]`, `:p`.
pub fn target(word: &str) -> (Option<&str>, Option<u16>) {
    if let Some(rest) = word.strip_prefix('[') {
        let (addresses, behind) = rest.split_once(']').unwrap_or((rest, ""));
        return (Some(addresses), behind.strip_prefix(':').and_then(first_port));
    }
    if word.matches(':').count() > 1 {
        return (Some(word), None);
    }
    match word.split_once(':') {
        Some(("", ports)) => (None, first_port(ports)),
        Some((addresses, ports)) => (Some(addresses), first_port(ports)),
        None => (Some(word), None),
    }
}

/// The first port of a range.
pub fn first_port(word: &str) -> Option<u16> {
    port(word).or_else(|| port(word.split(['-', '/']).next()?))
}

/// Whether an expression speaks of IPv6 addresses only.
pub fn is_v6(e: &AddrExpr) -> bool {
    match e {
        AddrExpr::Range(a, _) | AddrExpr::Masked(a, _) => a.is_ipv6(),
        AddrExpr::Union(list) => !list.is_empty() && list.iter().all(is_v6),
        AddrExpr::Except(a, _) => is_v6(a),
        AddrExpr::AnyV6 => true,
        _ => false,
    }
}

/// States of connections, as conditions of which one must hold for a first packet; `negated`: none of the states may hold.
pub fn states(words: &[&str], negated: bool, span: Span) -> Vec<Condition> {
    let lower: Vec<String> = words.iter().map(|w| w.to_ascii_lowercase()).collect();
    let has = |w: &str| lower.iter().any(|l| l == w);
    let mut all = Vec::new();
    // Where connections are not told apart yet, every packet is invalid.
    let untracked = Some(has("invalid") != negated);
    let notrack = Some(has("untracked") != negated);
    // Of the states proper a first packet has one: new.
    if has("new") != negated {
        let whole = has("established") != negated;
        let mut condition = Condition { opening: (!whole).then_some(span), ..Condition::default() };
        if negated && has("dnat") {
            condition.translated = Some(false);
        }
        all.push(condition);
    } else if !negated {
        all.push(Condition { established: Some(span), ..Condition::default() });
        if has("dnat") {
            all.push(Condition { translated: Some(true), ..Condition::default() });
        }
    } else {
        all.push(Condition { established: Some(span), ..Condition::default() });
    }
    if let Some(first) = all.first_mut() {
        (first.untracked, first.notrack) = (untracked, notrack);
    }
    all.iter_mut().skip(1).for_each(|c| (c.untracked, c.notrack) = (Some(false), Some(false)));
    all
}

/// Whether TCP flags match on the first packet of a connection, which has SYN alone.
pub fn opens(mask: u16, value: u16) -> bool {
    SYN & mask == value
}

/// Bit of SYN.
pub const SYN: u16 = 0x02;

/// Bits of TCP flags.
pub fn tcp_flag(word: &str) -> Option<u16> {
    Some(match word.to_ascii_lowercase().as_str() {
        "fin" => 0x01,
        "syn" => SYN,
        "rst" => 0x04,
        "psh" => 0x08,
        "ack" => 0x10,
        "urg" => 0x20,
        "ecn" | "ece" => 0x40,
        "cwr" => 0x80,
        "all" => 0x3f,
        "none" => 0,
        other => return number(other).and_then(|n| u16::try_from(n).ok()),
    })
}

/// A condition on how often something happens.
pub fn rate(rate: Rate) -> Condition {
    Condition { rate: Some(rate), ..Condition::default() }
}

/// A list of ports as ranges.
pub fn port_list<'w>(words: impl Iterator<Item = &'w str>, between: char) -> Option<Vec<(u16, u16)>> {
    Some(tidy(words.filter(|w| !w.is_empty()).map(|w| ports(w, between)).collect::<Option<Vec<_>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    const AT: Span = Span { file: FileId(0), start: 0, end: 0 };

    #[test]
    fn addresses_are_read_in_all_spellings() {
        let range = |a: &str, b: &str| format!("{:?}", AddrExpr::Range(a.parse().unwrap(), b.parse().unwrap()));
        let read = |w: &str| format!("{:?}", address(w, AT));
        assert_eq!(read("10.0.0.0/255.0.0.0"), range("10.0.0.0", "10.255.255.255"));
        assert_eq!(read("192.0.2.9"), range("192.0.2.9", "192.0.2.9"));
        assert_eq!(read("192.0.2.1-192.0.2.7"), range("192.0.2.1", "192.0.2.7"));
        assert_eq!(read("2001:db8::/32"), range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert!(read("10.0.0.1/255.0.0.255").starts_with("Masked"));
        assert!(read("gate.example.jp").starts_with("Opaque"));
    }

    #[test]
    fn the_first_packet_of_a_connection_is_new_and_has_syn_alone() {
        assert!(opens(0x17, 0x02) && !opens(0x3f, 0x3f) && !opens(0x3f, 0) && opens(0x01, 0));
        assert!(states(&["RELATED", "ESTABLISHED"], false, AT)[0].established.is_some());
        assert!(states(&["NEW", "ESTABLISHED"], false, AT)[0].is_any());
        assert!(states(&["NEW"], false, AT)[0].opening.is_some());
        assert!(states(&["INVALID"], true, AT)[0].is_any());
        assert_eq!(states(&["established", "dnat"], false, AT).len(), 2);
    }

    #[test]
    fn icmp_types_are_ranges_of_type_and_code() {
        assert_eq!(icmp_type("echo-request", false), Some((0x0800, 0x08ff)));
        assert_eq!(icmp_type("3/4", false), Some((0x0304, 0x0304)));
        assert_eq!(icmp_type("echo-request", true), Some((0x8000, 0x80ff)));
        assert_eq!(icmp_type("nonsense", true), None);
    }
}
