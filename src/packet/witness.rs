//! The choice of one packet out of a packet set, for a reader: natural values first.
//!
//! Preference is by source address over all products, then by destination, service, port, interface and state inside the product chosen.
//! The packet always lies in the set, and the same products give the same packet.

use super::address::AddrSet;
use super::class::{public_v4, public_v6, unicast_v4, unicast_v6};
use super::interval::{Intervals, Point};
use super::product::{Packet, Product, STATE_NEW};
use super::service::{self, TCP, UDP};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Source addresses a reader knows to be examples.
const EXAMPLES_V4: [Ipv4Addr; 3] = [Ipv4Addr::new(203, 0, 113, 7), Ipv4Addr::new(198, 51, 100, 7), Ipv4Addr::new(192, 0, 2, 7)];
const EXAMPLE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

/// The example networks, for sets that hold a part of one.
const EXAMPLE_NETWORKS_V4: [[u8; 3]; 3] = [[203, 0, 113], [198, 51, 100], [192, 0, 2]];

/// Services a reader knows, most telling first.
const KNOWN_SERVICES: [(u8, u16); 8] = [(TCP, 443), (TCP, 22), (TCP, 80), (TCP, 3389), (TCP, 23), (UDP, 500), (UDP, 53), (UDP, 161)];

/// A source port as clients choose it.
const CLIENT_PORT: u16 = 50_000;

/// A packet of the first product whose source is as natural as any; `None` if there is no product.
pub(super) fn choose(products: &[Product]) -> Option<Packet> {
    let mut best: Option<(u8, IpAddr, &Product)> = None;
    for product in products {
        let Some((rank, source)) = natural_source(&product.src) else { continue };
        if best.as_ref().is_none_or(|(lowest, _, _)| rank < *lowest) {
            best = Some((rank, source, product));
        }
    }
    let (_, src, product) = best?;
    let dst = match src {
        IpAddr::V4(_) => natural_v4(&product.dst.v4, &unicast_v4())?,
        IpAddr::V6(_) => natural_v6(&product.dst.v6, &unicast_v6())?,
    };
    let (proto, detail) = natural_service(&product.svc)?;
    let sport = if product.sport.contains(CLIENT_PORT) { CLIENT_PORT } else { product.sport.last()? };
    let state = if product.state.contains(STATE_NEW) { STATE_NEW } else { product.state.first()? };
    Some(Packet { src, dst, proto, sport, detail, iface: product.iface.first()?, state })
}

/// The most natural source of a set, and how natural it is: 0 is best.
fn natural_source(set: &AddrSet) -> Option<(u8, IpAddr)> {
    let listed = EXAMPLES_V4.map(IpAddr::V4).into_iter().chain([IpAddr::V6(EXAMPLE_V6)]);
    if let Some((rank, address)) = (0..).zip(listed).find(|(_, address)| set.contains(*address)) {
        return Some((rank, address));
    }
    for [a, b, c] in EXAMPLE_NETWORKS_V4 {
        let network = Intervals::range(Ipv4Addr::new(a, b, c, 0).to_bits(), Ipv4Addr::new(a, b, c, 255).to_bits());
        if let Some(address) = host(&set.v4.intersection(&network)) {
            return Some((4, IpAddr::V4(address.into())));
        }
    }
    if let Some(address) = host(&set.v4.intersection(&public_v4().v4)) {
        return Some((5, IpAddr::V4(address.into())));
    }
    if let Some(address) = host(&set.v6.intersection(&public_v6().v6)) {
        return Some((6, IpAddr::V6(address.into())));
    }
    match natural_v4(&set.v4, &unicast_v4()) {
        Some(address) => Some((7, address)),
        None => natural_v6(&set.v6, &unicast_v6()).map(|address| (8, address)),
    }
}

fn natural_v4(set: &Intervals<u32>, preferred: &AddrSet) -> Option<IpAddr> {
    host(&set.intersection(&preferred.v4)).or_else(|| set.first()).map(|bits| IpAddr::V4(bits.into()))
}

fn natural_v6(set: &Intervals<u128>, preferred: &AddrSet) -> Option<IpAddr> {
    host(&set.intersection(&preferred.v6)).or_else(|| set.first()).map(|bits| IpAddr::V6(bits.into()))
}

/// The first address of a set that does not look like the address of a network, else the first.
fn host<T: Point>(set: &Intervals<T>) -> Option<T> {
    let first = set.first()?;
    let next = first.up();
    Some(if first.wide() & 0xff == 0 && set.contains(next) { next } else { first })
}

fn natural_service(set: &Intervals<u32>) -> Option<(u8, u16)> {
    if let Some(known) = KNOWN_SERVICES.into_iter().find(|(protocol, port)| set.contains(service::key(*protocol, *port))) {
        return Some(known);
    }
    let with_ports = [TCP, UDP].map(|protocol| set.intersection(&service::protocol(protocol)).first());
    let (protocol, detail) = service::split(with_ports.into_iter().flatten().next().or_else(|| set.first())?);
    // Port 0 is in every "all ports" but in no real packet.
    let usable = if detail == 0 && service::has_ports(protocol) && set.contains(service::key(protocol, 1)) { 1 } else { detail };
    Some((protocol, usable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> AddrSet {
        let (address, length) = text.split_once('/').unwrap();
        AddrSet::prefix(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    fn source_of(sets: &[AddrSet]) -> String {
        let products: Vec<Product> = sets.iter().map(|src| Product { src: src.clone(), ..Product::any() }).collect();
        let packet = choose(&products).unwrap();
        assert!(products.iter().any(|product| product.contains(&packet)));
        packet.src.to_string()
    }

    #[test]
    fn a_documentation_address_is_preferred_over_all_products() {
        assert_eq!(source_of(&[AddrSet::any()]), "203.0.113.7");
        assert_eq!(source_of(&[set("10.0.0.0/8"), set("192.0.2.0/24")]), "192.0.2.7");
        assert_eq!(source_of(&[set("10.0.0.0/8"), AddrSet::any_v6()]), "2001:db8::7");
        assert_eq!(source_of(&[set("198.51.100.128/25")]), "198.51.100.128");
    }

    #[test]
    fn without_a_public_source_the_first_usable_one_is_taken() {
        assert_eq!(source_of(&[set("192.168.1.0/24")]), "192.168.1.1");
        assert_eq!(source_of(&[set("224.0.0.0/4")]), "224.0.0.0");
        assert_eq!(source_of(&[set("fe80::/10")]), "fe80::1");
        assert_eq!(source_of(&[set("8.8.8.0/24"), set("2400::/16")]), "8.8.8.1");
    }

    #[test]
    fn the_packet_is_new_and_to_a_known_service() {
        let packet = choose(&[Product::any()]).unwrap();
        assert_eq!((packet.proto, packet.detail, packet.state), (TCP, 443, STATE_NEW));
        let high = Product { svc: service::ports(TCP, &Intervals::range(50_000, 50_010)), ..Product::any() };
        assert_eq!(choose(&[high]).unwrap().detail, 50_000);
        assert_eq!(choose(&[]), None);
    }
}
