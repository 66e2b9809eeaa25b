//! Addresses, ports, protocols and numbers as the product writes them.

use crate::ir::filter::{AddrExpr, ESP, GRE, ICMP, ICMPV6, SvcTerm, TCP, UDP};
use crate::ir::interface::IpNet;
use std::net::IpAddr;

/// `A/len` or `A`.
pub(super) fn net(text: &str) -> Option<IpNet> {
    match text.split_once('/') {
        Some((addr, len)) => Some(IpNet::new(addr.parse().ok()?, len.parse().ok()?)),
        None => Some(IpNet::new(text.parse().ok()?, 128)),
    }
}

/// The addresses of `A/len` or `A`; some older statements print a short IPv4 prefix (`10/8`).
pub(super) fn addresses(text: &str) -> Option<AddrExpr> {
    let net = net(text).or_else(|| short(text))?;
    Some(match (net.prefix, net.addr) {
        (0, IpAddr::V4(_)) => AddrExpr::AnyV4,
        (0, IpAddr::V6(_)) => AddrExpr::AnyV6,
        _ => {
            let (first, last) = net.range();
            AddrExpr::Range(first, last)
        }
    })
}

fn short(text: &str) -> Option<IpNet> {
    let (addr, len) = text.split_once('/')?;
    let dots = addr.matches('.').count();
    let padded = format!("{addr}{}", ".0".repeat(3usize.checked_sub(dots)?));
    Some(IpNet::new(padded.parse().ok()?, len.parse().ok()?))
}

/// From one address to another of the same family.
pub(super) fn between(first: &str, last: &str) -> Option<AddrExpr> {
    let (a, b): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
    (a.is_ipv4() == b.is_ipv4()).then(|| AddrExpr::Range(a.min(b), a.max(b)))
}

/// Whether somebody put another word in the place of a value before handing the file on.
pub(super) fn is_placeholder(text: &str) -> bool {
    let bracketed = text.starts_with(['[', '<']) && text.contains([']', '>']);
    let filler = text.len() >= 3 && text.bytes().all(|b| matches!(b, b'*' | b'X' | b'x' | b'#' | b'.'));
    bracketed || filler || ["removed", "redacted", "sanitized", "masked", "hidden"].iter().any(|w| text.to_ascii_lowercase().contains(w))
}

/// Port names that filters and applications use instead of numbers.
const PORT_NAMES: &[(&str, u16)] = &[
    ("afs", 1483),
    ("bgp", 179),
    ("biff", 512),
    ("bootpc", 68),
    ("bootps", 67),
    ("cmd", 514),
    ("cvspserver", 2401),
    ("dhcp", 67),
    ("domain", 53),
    ("eklogin", 2105),
    ("ekshell", 2106),
    ("exec", 512),
    ("finger", 79),
    ("ftp", 21),
    ("ftp-data", 20),
    ("http", 80),
    ("https", 443),
    ("ident", 113),
    ("imap", 143),
    ("kerberos-sec", 88),
    ("klogin", 543),
    ("kpasswd", 761),
    ("krb-prop", 754),
    ("krbupdate", 760),
    ("kshell", 544),
    ("ldap", 389),
    ("ldp", 646),
    ("login", 513),
    ("mobileip-agent", 434),
    ("mobilip-mn", 435),
    ("msdp", 639),
    ("netbios-dgm", 138),
    ("netbios-ns", 137),
    ("netbios-ssn", 139),
    ("nfsd", 2049),
    ("nntp", 119),
    ("ntalk", 518),
    ("ntp", 123),
    ("pop3", 110),
    ("pptp", 1723),
    ("printer", 515),
    ("radacct", 1813),
    ("radius", 1812),
    ("rip", 520),
    ("rkinit", 2108),
    ("smtp", 25),
    ("snmp", 161),
    ("snmptrap", 162),
    ("snpp", 444),
    ("socks", 1080),
    ("ssh", 22),
    ("sunrpc", 111),
    ("syslog", 514),
    ("tacacs", 49),
    ("tacacs-ds", 65),
    ("talk", 517),
    ("telnet", 23),
    ("tftp", 69),
    ("timed", 525),
    ("who", 513),
    ("xdmcp", 177),
    ("zephyr-clt", 2103),
    ("zephyr-hm", 2104),
];

fn port(text: &str) -> Option<u16> {
    text.parse().ok().or_else(|| PORT_NAMES.iter().find(|(n, _)| *n == text).map(|(_, p)| *p))
}

/// `80`, `1000-2000`, `ssh`: an inclusive range.
pub(super) fn ports(text: &str) -> Option<(u16, u16)> {
    if let Some(one) = port(text) {
        return Some((one, one));
    }
    let (a, b) = text.split_once('-')?;
    let (a, b) = (port(a)?, port(b)?);
    Some((a.min(b), a.max(b)))
}

/// A protocol by name or number; `None` inside: every protocol.
pub(super) fn protocol(text: &str) -> Option<Option<u8>> {
    Some(Some(match text {
        "tcp" => TCP,
        "udp" => UDP,
        "icmp" => ICMP,
        "icmp6" | "icmpv6" => ICMPV6,
        "esp" => ESP,
        "gre" => GRE,
        "ah" => 51,
        "igmp" => 2,
        "ipip" => 4,
        "egp" => 8,
        "ipv6" => 41,
        "rsvp" => 46,
        "ospf" => 89,
        "pim" => 103,
        "vrrp" => 112,
        "sctp" => 132,
        "dstopts" => 60,
        "fragment" => 44,
        "hop-by-hop" => 0,
        "no-next-header" => 59,
        "routing" => 43,
        "ip" | "any" => return Some(None),
        number => number.parse().ok()?,
    }))
}

/// Terms as grammar files write them: `tcp/80 udp/5000-5010 icmp/8 icmp6/128 ip/50`.
pub(super) fn terms(text: &str) -> Option<Vec<SvcTerm>> {
    text.split_whitespace().map(term).collect()
}

fn term(text: &str) -> Option<SvcTerm> {
    let (name, rest) = text.split_once('/').map_or((text, None), |(n, r)| (n, Some(r)));
    if name == "ip" {
        let number: u8 = rest?.parse().ok()?;
        return Some(if number == 0 { EVERY } else { SvcTerm::protocol(number) });
    }
    let number = protocol(name)??;
    let mut term = SvcTerm::protocol(number);
    match (rest, number) {
        (None, _) => {}
        (Some(kind), ICMP | ICMPV6) => term.icmp = Some((kind.parse().ok()?, None)),
        (Some(list), _) => term.dst_ports = list.split(',').map(ports).collect::<Option<_>>()?,
    }
    Some(term)
}

/// Every protocol.
pub(super) const EVERY: SvcTerm = SvcTerm { protocol: None, src_ports: Vec::new(), dst_ports: Vec::new(), icmp: None };

/// ICMP types by name, for version 4 and 6.
pub(super) fn icmp_type(text: &str, v6: bool) -> Option<u8> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    Some(match (text, v6) {
        ("echo-reply", false) => 0,
        ("unreachable", false) => 3,
        ("source-quench", false) => 4,
        ("redirect", false) => 5,
        ("echo-request", false) => 8,
        ("router-advertisement", false) => 9,
        ("router-solicit", false) => 10,
        ("time-exceeded", false) => 11,
        ("parameter-problem", false) => 12,
        ("timestamp", false) => 13,
        ("timestamp-reply", false) => 14,
        ("info-request", false) => 15,
        ("info-reply", false) => 16,
        ("mask-request", false) => 17,
        ("mask-reply", false) => 18,
        ("destination-unreachable", true) => 1,
        ("packet-too-big", true) => 2,
        ("time-exceeded", true) => 3,
        ("parameter-problem", true) => 4,
        ("echo-request", true) => 128,
        ("echo-reply", true) => 129,
        ("membership-query", true) => 130,
        ("membership-report", true) => 131,
        ("membership-termination", true) => 132,
        ("router-solicit", true) => 133,
        ("router-advertisement", true) => 134,
        ("neighbor-solicit", true) => 135,
        ("neighbor-advertisement", true) => 136,
        ("redirect", true) => 137,
        _ => return None,
    })
}

/// Whether an address can be reached over the Internet. Documentation networks count: they stand for public ones in examples.
pub(super) fn is_public(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => {
            let [x, y, ..] = a.octets();
            !(a.is_private() || a.is_loopback() || a.is_link_local() || x == 0 || x >= 224 || x == 100 && (64..128).contains(&y))
        }
        IpAddr::V6(a) => a.segments()[0] & 0xe000 == 0x2000,
    }
}

/// One expression for several.
pub(super) fn union(mut parts: Vec<AddrExpr>) -> AddrExpr {
    match parts.len() {
        0 => AddrExpr::Nothing,
        1 => parts.swap_remove(0),
        _ => AddrExpr::Union(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_ports_are_read() {
        assert_eq!(net("192.0.2.9/24").map(|n| n.prefix), Some(24));
        assert!(matches!(addresses("0.0.0.0/0"), Some(AddrExpr::AnyV4)));
        assert!(matches!(addresses("::/0"), Some(AddrExpr::AnyV6)));
        assert!(matches!(addresses("10/8"), Some(AddrExpr::Range(..))));
        assert!(addresses("[INSIDE]/32").is_none() && is_placeholder("[INSIDE]/32"));
        assert_eq!(ports("ssh"), Some((22, 22)));
        assert_eq!(ports("5000-5010"), Some((5000, 5010)));
        assert_eq!(ports("ftp-data"), Some((20, 20)));
        assert_eq!(terms("tcp/80,8000-8010 ip/0 icmp/8").map(|t| t.len()), Some(3));
    }
}
