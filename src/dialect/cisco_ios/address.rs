//! Addresses, masks and interface names as statements write them.
//!
//! Pure reading of words; what an address means is the caller's.

use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::IpNet;
use crate::source::Span;
use crate::syntax::Node;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A dotted IPv4 address.
pub fn v4(word: &str) -> Option<Ipv4Addr> {
    word.parse().ok()
}

/// The length of a network mask; `None` for one that is no prefix.
pub fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    (bits.leading_ones() + bits.trailing_zeros() == 32 || bits == 0).then_some(bits.leading_ones() as u8)
}

/// Address and mask, or `A.B.C.D/n`.
pub fn v4_net(address: &str, mask: &str) -> Option<IpNet> {
    if let Some((a, length)) = address.split_once('/') {
        return Some(IpNet::new(IpAddr::V4(v4(a)?), length.parse().ok()?));
    }
    Some(IpNet::new(IpAddr::V4(v4(address)?), prefix_of(v4(mask)?)?))
}

/// `X:X::X/n`.
pub fn v6_net(word: &str) -> Option<IpNet> {
    let (a, length) = word.split_once('/')?;
    Some(IpNet::new(IpAddr::V6(a.parse::<Ipv6Addr>().ok()?), length.parse().ok()?))
}

/// A single address.
pub fn single(address: IpAddr) -> AddrExpr {
    AddrExpr::Range(address, address)
}

/// A network.
pub fn network(net: IpNet) -> AddrExpr {
    let (first, last) = net.range();
    AddrExpr::Range(first, last)
}

/// Address and wildcard mask: bits that are one in the mask do not matter.
pub fn wildcard(address: Ipv4Addr, mask: Ipv4Addr) -> AddrExpr {
    match u32::from(mask) {
        0 => single(IpAddr::V4(address)),
        u32::MAX => AddrExpr::AnyV4,
        free => AddrExpr::Masked(IpAddr::V4((u32::from(address) & !free).into()), IpAddr::V4((!free).into())),
    }
}

/// A name in place of an address, or what an exporter left of it.
pub fn name(text: &str, span: Span) -> AddrExpr {
    let kind = if text.contains('<') { OpaqueKind::Masked } else { OpaqueKind::Fqdn };
    AddrExpr::Opaque(Opaque { kind, text: text.to_owned(), span })
}

/// Whether an IPv4 address is of a private range.
pub fn is_private(address: Ipv4Addr) -> bool {
    address.is_private()
        || address.is_link_local()
        || address.is_loopback()
        || address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64
}

/// The interface that a statement names from word `at` on, and the word after it. Type and number may be apart.
pub fn interface_name(node: Node<'_>, at: usize) -> Option<(String, usize)> {
    let first = node.word(at)?;
    if !first.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let apart = !first.contains(|c: char| c.is_ascii_digit());
    match node.word(at + 1).filter(|w| apart && w.starts_with(|c: char| c.is_ascii_digit())) {
        Some(number) => Some((format!("{first}{number}"), at + 2)),
        None => Some((first.to_owned(), at + 1)),
    }
}
