//! Addresses of interfaces, whether IPv6 is on, and the networks that routes lead to.
//!
//! An address that the router only learns while it runs (DHCP, PPP, a delegated prefix) is unknown, never absent.

use super::interface::{Interfaces, export_enabled, holding};
use super::{Export, address};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::interface::{Address, AddressHow, InterfaceIx, InterfaceKind, IpNet};
use crate::source::Span;
use std::collections::{BTreeSet, HashMap};

/// Fills addresses, and whether interfaces speak IPv6.
pub fn fill(export: &Export<'_>, all: &mut Interfaces) {
    let mut with_v6: HashMap<usize, Span> = HashMap::new();
    for (path, v6) in [("/ip address", false), ("/ipv6 address", true)] {
        for row in export.menus.rows(path) {
            let Some(ix) = row.text("interface").and_then(|v| all.ensure(v.text, row.span(), InterfaceKind::Physical)) else { continue };
            if export_enabled(export, row, path.trim_start_matches('/')).value.is_false() {
                continue;
            }
            let net = match (row.text("address"), row.text("from-pool")) {
                // An IPv6 address without a length has the factory's.
                (Some(value), None) if v6 && !value.text.contains('/') => {
                    let length = export.default_at("ipv6 address.prefix-length", value.span, |w| w.parse::<u8>().ok());
                    match address::net(value.text) {
                        Some(net) => Fact {
                            value: length.map(|l| IpNet::new(net.addr, *l)).value,
                            origin: Origin::all([Origin::Written(value.span), length.origin.clone()]),
                        },
                        None => Fact::unknown(Why::at(WhyCode::Ambiguous, "address", vec![value.span])),
                    }
                }
                (Some(value), None) => address::net(value.text).map_or_else(
                    || Fact::unknown(Why::at(WhyCode::Ambiguous, "address", vec![value.span])),
                    |n| Fact::written(n, value.span),
                ),
                (_, pool) => {
                    let at = pool.map_or(row.span(), |v| v.span);
                    Fact::unknown(Why::at(WhyCode::RuntimeContent, "from-pool", vec![at]))
                }
            };
            all.list[ix].addresses.push(Address { net, how: AddressHow::Static, v6 });
            if v6 {
                with_v6.entry(ix).or_insert(row.span());
            }
        }
    }
    for (path, v6) in [("/ip dhcp-client", false), ("/ipv6 dhcp-client", true)] {
        for row in export.menus.rows(path) {
            let Some(ix) = row.text("interface").and_then(|v| all.ensure(v.text, row.span(), InterfaceKind::Physical)) else { continue };
            if export_enabled(export, row, path.trim_start_matches('/')).value.is_false() {
                continue;
            }
            let why = Why::at(WhyCode::RuntimeContent, "DHCP", vec![row.span()]);
            all.list[ix].addresses.push(Address { net: Fact::unknown(why), how: AddressHow::Dhcp, v6 });
            if v6 {
                with_v6.entry(ix).or_insert(row.span());
            }
        }
    }
    for interface in all.list.iter_mut().filter(|i| i.kind == InterfaceKind::Ppp) {
        let why = Why::at(WhyCode::RuntimeContent, "PPP", vec![interface.span]);
        interface.addresses.push(Address { net: Fact::unknown(why), how: AddressHow::Ppp, v6: false });
    }
    if export.gaps.contains_key("interfaces") {
        // Without the lines about addresses an interface may have any.
        let members: BTreeSet<u32> = all.list.iter().flat_map(|i| i.members.iter().map(|m| m.0)).collect();
        for (ix, interface) in (0..).zip(&mut all.list) {
            let link = !matches!(interface.kind, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess);
            if link && interface.addresses.is_empty() && !members.contains(&ix) {
                let why = Why::at(WhyCode::NotExported, "/ip address", vec![interface.span]);
                interface.addresses.push(Address { net: Fact::unknown(why), how: AddressHow::Static, v6: false });
            }
        }
    }
    let off = export.switch("/ipv6 settings", "disable-ipv6", "interfaces");
    let hears = export.switch("/ipv6 settings", "accept-router-advertisements", "interfaces");
    for (ix, interface) in all.list.iter_mut().enumerate() {
        interface.ipv6 = match with_v6.get(&ix) {
            Some(span) if export.menus.setting("/ipv6 settings", "disable-ipv6").is_none() => Fact::written(true, *span),
            Some(span) => off.negate().and(&Fact::written(true, *span)),
            None if export.gaps.contains_key("interfaces") => Fact::unknown(Why::at(WhyCode::NotExported, "IPv6", vec![interface.span])),
            // A link-local address is all it has: nothing from beyond the link gets there.
            None if hears.value.is_true() => off.negate().and(&hears),
            None => Fact::known(false, Origin::inferred("infer.no_global_ipv6", [Origin::Written(interface.span)])),
        };
    }
}

/// Networks that static routes lead to, default routes left out.
pub fn routed(export: &Export<'_>) -> Vec<(InterfaceIx, IpNet)> {
    let mut out = Vec::new();
    for path in ["/ip route", "/ipv6 route"] {
        for row in export.menus.rows(path) {
            let net = row.text("dst-address").and_then(|v| address::net(v.text)).filter(|n| n.prefix > 0);
            let (Some(net), Some(gateway)) = (net, row.text("gateway")) else { continue };
            if row.get("disabled").is_some_and(|v| v.text == "yes") {
                continue;
            }
            for part in gateway.parts() {
                let (address, interface) = part.split_once('%').map_or((part, part), |(a, i)| (a, i));
                let by_address = || address.parse().ok().and_then(|a| holding(&export.interfaces, a));
                if let Some(ix) = export.interfaces.named(interface).or_else(by_address) {
                    out.push((ix, net));
                }
            }
        }
    }
    out
}
