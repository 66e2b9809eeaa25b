//! Services as one dimension: the protocol, and the destination port or the ICMP type and code, in one number.
//!
//! A key is `protocol << 16 | detail`: the destination port of TCP, UDP, DCCP, SCTP and UDP-Lite; `type << 8 | code` of ICMP and ICMPv6.
//! Other protocols have no detail: a set holds all 65,536 keys of such a protocol or none of them, which every constructor here keeps.
//! Source ports are a dimension of their own (`Product::sport`). The domain ends at [`LAST_KEY`]: use [`not`] instead of
//! [`Intervals::complement`].

use super::interval::Intervals;

/// Protocol number of ICMP.
pub const ICMP: u8 = 1;
/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;
/// Protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;
/// The last key of the domain.
pub const LAST_KEY: u32 = 0xff_ffff;

/// Whether packets of `protocol` have ports (TCP, UDP, DCCP, SCTP, UDP-Lite).
pub fn has_ports(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP | 33 | 132 | 136)
}

/// The key of a packet.
pub fn key(protocol: u8, detail: u16) -> u32 {
    u32::from(protocol) << 16 | u32::from(detail)
}

/// The protocol and the detail of a key.
pub fn split(key: u32) -> (u8, u16) {
    ((key >> 16) as u8, key as u16)
}

/// Every protocol and port.
pub fn any() -> Intervals<u32> {
    Intervals::range(0, LAST_KEY)
}

/// Everything of one protocol.
pub fn protocol(protocol: u8) -> Intervals<u32> {
    Intervals::range(key(protocol, 0), key(protocol, u16::MAX))
}

/// Destination ports of one protocol. Packets of a protocol without ports satisfy only the condition that all ports satisfy.
pub fn ports(protocol: u8, destination: &Intervals<u16>) -> Intervals<u32> {
    if !has_ports(protocol) {
        return if destination.is_full() { self::protocol(protocol) } else { Intervals::empty() };
    }
    Intervals::from_ranges(destination.ranges().iter().map(|(first, last)| (key(protocol, *first), key(protocol, *last))))
}

/// One destination port of one protocol.
pub fn port(protocol: u8, destination: u16) -> Intervals<u32> {
    ports(protocol, &Intervals::single(destination))
}

/// One type of ICMP or ICMPv6, with one code or all.
pub fn icmp(protocol: u8, kind: u8, code: Option<u8>) -> Intervals<u32> {
    let base = u16::from(kind) << 8;
    match code {
        Some(code) => Intervals::single(key(protocol, base | u16::from(code))),
        None => Intervals::range(key(protocol, base), key(protocol, base | 0xff)),
    }
}

/// The services that are not in `services`.
pub fn not(services: &Intervals<u32>) -> Intervals<u32> {
    any().difference(services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_port_does_not_touch_the_next_protocol() {
        let tcp = ports(TCP, &Intervals::full());
        assert_eq!(tcp, protocol(TCP));
        assert!(!tcp.contains(key(TCP + 1, 0)) && !tcp.contains(key(TCP - 1, u16::MAX)));
        assert_eq!(split(key(UDP, 500)), (UDP, 500));
    }

    #[test]
    fn a_packet_without_ports_satisfies_no_port_condition() {
        assert!(port(50, 443).is_empty());
        assert_eq!(ports(50, &Intervals::full()), protocol(50));
    }

    #[test]
    fn icmp_keys_hold_type_and_code() {
        assert_eq!(icmp(ICMP, 8, None).count(), 256);
        assert!(icmp(ICMP, 3, Some(4)).contains(key(ICMP, 0x0304)));
    }

    #[test]
    fn the_complement_stays_in_the_domain() {
        assert!(not(&any()).is_empty());
        assert_eq!(not(&protocol(0)).last(), Some(LAST_KEY));
    }
}
