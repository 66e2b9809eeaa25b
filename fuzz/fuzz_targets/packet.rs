//! Ordered filters of generated rows: what the algebra says of a set is what the rows, asked one after the other, say of packets
//! out of it, and a witness lies where it was taken from.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sekisho::packet::{AddrSet, Budget, End, Filter, Intervals, Packet, PacketSet, Product, Row, Verdict, service};
use std::net::Ipv4Addr;

#[derive(Arbitrary, Debug)]
struct Generated {
    rows: Vec<(Range, Range, Range, bool)>,
    accepts_rest: bool,
    probes: Vec<(u16, u16, u8)>,
}

/// Two ends in any order.
type Range = (u16, u16);

fn addresses((a, b): Range) -> AddrSet {
    let of = |n: u16| Ipv4Addr::from(0xc633_0000 | u32::from(n)).into();
    AddrSet::range(of(a.min(b)), of(a.max(b))).unwrap_or_default()
}

fn product((src, dst, ports, _): &(Range, Range, Range, bool)) -> Product {
    let ports = Intervals::range(ports.0.min(ports.1), ports.0.max(ports.1));
    Product::new(addresses(*src), addresses(*dst), service::ports(service::TCP, &ports))
}

fuzz_target!(|generated: Generated| {
    let rows = generated.rows.iter().take(40);
    let verdict = |accepts: bool| if accepts { Verdict::Accept } else { Verdict::Drop };
    let filter = Filter::of(
        rows.clone().map(|row| Row::new(product(row), verdict(row.3))).collect(),
        if generated.accepts_rest { End::Accept } else { End::Drop },
    );
    let mut budget = Budget::default();
    let Ok(bounds) = filter.accepts(&PacketSet::any(), &mut budget) else { return };
    let first_match = |packet: &Packet| {
        rows.clone().find(|row| product(row).contains(packet)).map_or(generated.accepts_rest, |row| row.3)
    };
    for (src, dst, port) in generated.probes.iter().take(200) {
        let of = |n: u16| Ipv4Addr::from(0xc633_0000 | u32::from(n)).into();
        let packet =
            Packet { src: of(*src), dst: of(*dst), proto: service::TCP, sport: 40_000, detail: u16::from(*port), iface: 0, state: 0 };
        assert_eq!(bounds.lo.contains(&packet), first_match(&packet));
        assert_eq!(bounds.hi.contains(&packet), first_match(&packet));
    }
    if let Some(witness) = bounds.lo.witness() {
        assert!(first_match(&witness));
    }
    let Ok(rest) = PacketSet::any().difference(&bounds.lo, &mut budget) else { return };
    assert!(rest.intersection(&bounds.lo, &mut budget).is_ok_and(|both| both.is_empty()));
    if let Some(witness) = rest.witness() {
        assert!(!first_match(&witness));
    }
});
