//! Which services an interface lets in: `host-inbound-traffic`, with its precedence and its exceptions.
//!
//! With zones, what no list names is dropped. The list of an interface takes the place of its zone's, it does not add to it.
//! Management ports belong to no zone and have no such gate.

use super::{Gatekeeping, Lowering, Membership};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::syntax::Node;
use crate::syntax::brace::{below, child, rows};

/// Whether packets of a service (any of its names among `system-services`) reach the box through an interface.
pub(super) fn admits(l: &Lowering<'_>, ix: InterfaceIx, names: &[&str]) -> Fact<bool> {
    let interface = &l.device.interfaces[ix.0 as usize];
    match &l.gatekeeping {
        Gatekeeping::Open(origin) => return Fact::known(true, origin.clone()),
        Gatekeeping::Unknown(why) => return Fact::unknown(why.clone()),
        Gatekeeping::Zones => {}
    }
    match l.names.memberships.get(ix.0 as usize).copied().flatten() {
        Some(membership) => of_zone(l, membership, names),
        None if interface.kind == InterfaceKind::OutOfBand => {
            let rule = l.grammar.default("interfaces.management-port", l.version.as_ref(), Some(interface.span));
            Fact::known(true, rule.origin)
        }
        None => l.nowhere("interfaces", "infer.interface_in_no_zone", &interface.name, interface.span),
    }
}

fn of_zone(l: &Lowering<'_>, membership: Membership<'_>, names: &[&str]) -> Fact<bool> {
    let of_zone = child(membership.zone, "host-inbound-traffic");
    let Some(own) = child(membership.interface, "host-inbound-traffic") else {
        return match of_zone {
            Some(list) => listed(list, names),
            None => l.absent("security zones host-inbound-traffic", "listeners", Some(membership.zone.span()), |v| Some(v != "none")),
        };
    };
    let verdict = listed(own, names);
    let zone = of_zone.map(|z| listed(z, names));
    // A list that names protocols only: whether it also takes the place of the zone's services is not documented.
    match zone {
        Some(zone) if child(own, "system-services").is_none() && zone.value.is_true() => {
            Fact::unknown(Why::at(WhyCode::Ambiguous, "host-inbound-traffic", vec![own.span(), membership.zone.span()]))
        }
        _ => verdict,
    }
}

/// Whether a list names a service, `all` or `any-service`, and does not except it.
fn listed(list: Node<'_>, names: &[&str]) -> Fact<bool> {
    let mut wide: Option<Node<'_>> = None;
    let mut named: Option<Node<'_>> = None;
    for row in rows(list, &["system-services"]) {
        let word = row.word_or_empty(0);
        let excepted = below(row).any(|n| n.read().word(0) == Some("except"));
        if names.contains(&word) {
            if excepted {
                return Fact::written(false, row.span());
            }
            named = named.or(Some(row));
        } else if matches!(word, "all" | "any-service") {
            wide = wide.or(Some(row));
        }
    }
    match named.or(wide) {
        Some(row) => Fact::written(true, row.span()),
        None => Fact::known(false, Origin::Written(list.span())),
    }
}
