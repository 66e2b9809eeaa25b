//! Object groups of addresses and services.
//!
//! Each becomes an object of the intermediate form under its name; groups that name one another are resolved by index, and a name
//! that is defined nowhere stays what it is: a set whose content nobody shows.

use super::acl::ports;
use super::{Export, address};
use crate::ir::Device;
use crate::ir::fact::Fact;
use crate::ir::filter::{AddrExpr, AddrObject, AddrObjectIx, Opaque, OpaqueKind, SvcExpr, SvcObject, SvcObjectIx, SvcTerm, TCP, UDP};
use crate::syntax::Node;
use std::collections::HashMap;
use std::net::IpAddr;

/// Indexes of groups by name.
#[derive(Default)]
pub struct Groups<'a> {
    /// Address groups.
    pub addresses: HashMap<&'a str, AddrObjectIx>,
    /// Service groups.
    pub services: HashMap<&'a str, SvcObjectIx>,
}

fn undefined(node: Node<'_>, at: usize) -> Opaque {
    Opaque { kind: OpaqueKind::Undefined, text: node.word_or_empty(at).to_owned(), span: node.word_span(at) }
}

impl Groups<'_> {
    /// The addresses of a group that a statement names.
    pub fn address(&self, node: Node<'_>, at: usize) -> AddrExpr {
        match self.addresses.get(node.word_or_empty(at)) {
            Some(ix) => AddrExpr::Object(*ix),
            None => AddrExpr::Opaque(undefined(node, at)),
        }
    }

    /// The services of a group that a statement names.
    pub fn service(&self, node: Node<'_>, at: usize) -> SvcExpr {
        match self.services.get(node.word_or_empty(at)) {
            Some(ix) => SvcExpr::Object(*ix),
            None => SvcExpr::Opaque(undefined(node, at)),
        }
    }
}

/// Reads all groups into the device.
pub fn collect<'a>(export: &Export<'a>, device: &mut Device) -> Groups<'a> {
    let mut groups = Groups::default();
    let all: Vec<Node<'a>> = export.lines(&["object-group"]).collect();
    for node in &all {
        let name = node.word_or_empty(2);
        match node.word(1) {
            Some("network" | "fqdn") => {
                groups.addresses.insert(name, AddrObjectIx(device.addr_objects.len() as u32));
                device.addr_objects.push(AddrObject {
                    name: name.to_owned(),
                    value: Fact::written(AddrExpr::Nothing, node.span()),
                    span: Some(node.span()),
                });
            }
            Some("service") => {
                groups.services.insert(name, SvcObjectIx(device.svc_objects.len() as u32));
                device.svc_objects.push(SvcObject {
                    name: name.to_owned(),
                    value: Fact::written(SvcExpr::Nothing, node.span()),
                    span: Some(node.span()),
                });
            }
            _ => {}
        }
    }
    for node in &all {
        let name = node.word_or_empty(2);
        let members = || node.children().filter(|n| !n.starts(&["description"])).map(Node::read);
        match node.word(1) {
            Some("network" | "fqdn") => {
                let value = AddrExpr::Union(members().map(|n| address_member(&groups, n)).collect());
                if let Some(object) = groups.addresses.get(name).and_then(|ix| device.addr_objects.get_mut(ix.0 as usize)) {
                    object.value = Fact::written(value, node.span());
                }
            }
            Some("service") => {
                let value = SvcExpr::Union(members().map(|n| service_member(export, &groups, n)).collect());
                if let Some(object) = groups.services.get(name).and_then(|ix| device.svc_objects.get_mut(ix.0 as usize)) {
                    object.value = Fact::written(value, node.span());
                }
            }
            _ => {}
        }
    }
    groups
}

fn address_member(groups: &Groups<'_>, node: Node<'_>) -> AddrExpr {
    let unread = || AddrExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: node.word_or_empty(0).to_owned(), span: node.span() });
    match node.word_or_empty(0) {
        "any" => AddrExpr::Any,
        "group-object" => groups.address(node, 1),
        "host" => match node.word_or_empty(1).parse::<IpAddr>() {
            Ok(a) => address::single(a),
            Err(_) => address::name(node.word_or_empty(1), node.word_span(1)),
        },
        "range" => match (node.word_or_empty(1).parse(), node.word_or_empty(2).parse()) {
            (Ok(a), Ok(b)) => AddrExpr::Range(a, b),
            _ => unread(),
        },
        "pattern" => address::name(node.word_or_empty(1), node.word_span(1)),
        first => {
            // `A.B.C.D M.M.M.M`, `A.B.C.D /n`, or an IPv6 prefix.
            let joined = node.word(1).filter(|w| w.starts_with('/')).map(|w| format!("{first}{w}"));
            let net = address::v4_net(joined.as_deref().unwrap_or(first), node.word_or_empty(1)).or_else(|| address::v6_net(first));
            net.map_or_else(unread, address::network)
        }
    }
}

fn service_member(export: &Export<'_>, groups: &Groups<'_>, node: Node<'_>) -> SvcExpr {
    let protocols: Vec<u8> = match node.word_or_empty(0) {
        "group-object" => return groups.service(node, 1),
        "ip" | "ipv6" => return SvcExpr::Any,
        "tcp-udp" => vec![TCP, UDP],
        word => match super::acl::protocol(export, word, false) {
            Some(p) => vec![p],
            None => return SvcExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: word.to_owned(), span: node.span() }),
        },
    };
    let (src, next) = match node.word(1) {
        Some("source") => ports(export, node, 2),
        _ => (Some(Vec::new()), 1),
    };
    let bare = node.word(next).filter(|w| w.starts_with(|c: char| c.is_ascii_digit()));
    let (dst, _) = match bare.and_then(|w| w.parse::<u16>().ok()) {
        Some(port) => (Some(vec![(port, port)]), next + 1),
        None => ports(export, node, next),
    };
    let term = |protocol: &u8| {
        let with_ports = *protocol == TCP || *protocol == UDP;
        SvcExpr::Term(SvcTerm {
            protocol: Some(*protocol),
            src_ports: src.clone().filter(|_| with_ports).unwrap_or_default(),
            dst_ports: dst.clone().filter(|_| with_ports).unwrap_or_default(),
            icmp: None,
        })
    };
    SvcExpr::Union(protocols.iter().map(term).collect())
}
