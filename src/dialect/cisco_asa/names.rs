//! Words of the box: names it prints instead of addresses, addresses with masks, port and protocol names.
//!
//! What is no address becomes a set of unknown content that is the same wherever its text stands, never nothing and never any.

use super::lines::Lines;
use crate::dialect::grammar::Grammar;
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::IpNet;
use crate::source::Span;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

/// Names of this export and of the product.
pub struct Names<'a> {
    hosts: HashMap<&'a str, &'a str>,
    ports: HashMap<&'a str, u16>,
    protocols: HashMap<&'a str, u8>,
    icmp: HashMap<&'a str, u8>,
    icmp6: HashMap<&'a str, u8>,
}

/// `name=number` rows of the grammar file.
fn numbers<'g, T: std::str::FromStr>(grammar: &'g Grammar, list: &str) -> HashMap<&'g str, T> {
    grammar.names(list).iter().filter_map(|row| row.split_once('=')).filter_map(|(n, v)| Some((n, v.parse().ok()?))).collect()
}

impl<'a> Names<'a> {
    /// Reads `name <address> <name>` lines and the product's own words.
    pub fn new(lines: &Lines<'a>, grammar: &'a Grammar) -> Names<'a> {
        let mut hosts = HashMap::new();
        for line in lines.all(&["name"]) {
            if let (Some(address), Some(name)) = (line.word(1), line.word(2)) {
                hosts.insert(name, address);
            }
        }
        let port = |value: &str| value.split(' ').next().and_then(|v| v.split_once('/')).and_then(|(_, p)| p.parse().ok());
        let ports = grammar.file.services.iter().filter_map(|(n, v)| Some((n.as_str(), port(v)?))).collect();
        Names {
            hosts,
            ports,
            protocols: numbers(grammar, "protocols"),
            icmp: numbers(grammar, "icmp_types"),
            icmp6: numbers(grammar, "icmp6_types"),
        }
    }

    /// The text a name stands for, or the text itself.
    pub fn text<'t>(&self, word: &'t str) -> &'t str
    where
        'a: 't,
    {
        self.hosts.get(word).copied().unwrap_or(word)
    }

    /// An address or a name of one.
    pub fn address(&self, word: &str) -> Option<IpAddr> {
        self.text(word).parse().ok()
    }

    /// A host.
    pub fn host(&self, word: &str, span: Span) -> AddrExpr {
        match self.address(word) {
            Some(ip) => AddrExpr::Range(ip, ip),
            // A host is one address, whatever it is.
            None => few(self.text(word), span),
        }
    }

    /// An address and a mask, or an address with prefix length.
    pub fn network(&self, word: &str, mask: &str, span: Span) -> AddrExpr {
        match (self.address(word), mask.parse::<IpAddr>()) {
            (Some(ip), Ok(mask)) if ip.is_unspecified() && mask.is_unspecified() => AddrExpr::AnyV4,
            (Some(ip), Ok(mask)) => AddrExpr::Masked(ip, mask),
            (None, Ok(IpAddr::V4(mask))) if u32::from(mask).leading_ones() > 16 => few(&format!("{} {mask}", self.text(word)), span),
            _ => opaque(&format!("{} {mask}", self.text(word)), span),
        }
    }

    /// `address/length`, as IPv6 networks are written.
    pub fn prefix(&self, word: &str, span: Span) -> Option<AddrExpr> {
        let (address, length) = word.split_once('/')?;
        let Some(ip) = self.address(address) else { return Some(opaque(word, span)) };
        let length: u8 = length.parse().ok()?;
        if length == 0 {
            return Some(if ip.is_ipv4() { AddrExpr::AnyV4 } else { AddrExpr::AnyV6 });
        }
        let (first, last) = IpNet::new(ip, length).range();
        Some(AddrExpr::Range(first, last))
    }

    /// A port by number or name.
    pub fn port(&self, word: &str) -> Option<u16> {
        word.parse().ok().or_else(|| self.ports.get(word).copied())
    }

    /// An IP protocol by number or name; `ip` is every protocol.
    pub fn protocol(&self, word: &str) -> Option<Option<u8>> {
        if word == "ip" {
            return Some(None);
        }
        word.parse().ok().or_else(|| self.protocols.get(word).copied()).map(Some)
    }

    /// An ICMP message by number or name.
    pub fn icmp(&self, word: &str, v6: bool) -> Option<u8> {
        let table = if v6 { &self.icmp6 } else { &self.icmp };
        word.parse().ok().or_else(|| table.get(word).copied())
    }
}

/// A set of few addresses that the export does not show: its size is that of a name.
fn few(text: &str, span: Span) -> AddrExpr {
    AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: text.to_owned(), span })
}

/// A set whose content the export hides or does not define.
pub fn opaque(text: &str, span: Span) -> AddrExpr {
    let hidden = text.contains(['x', 'X', '*', '<']) && text.contains(['.', '<', '*']);
    let kind = if hidden { OpaqueKind::Masked } else { OpaqueKind::Undefined };
    AddrExpr::Opaque(Opaque { kind, text: text.to_owned(), span })
}

/// An address and dotted mask as an interface has them.
pub fn interface_net(address: Option<IpAddr>, mask: &str) -> Option<IpNet> {
    let mask: Ipv4Addr = mask.parse().ok()?;
    Some(IpNet::new(address?, u32::from(mask).leading_ones() as u8))
}
