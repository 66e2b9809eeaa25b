//! Which side an interface is on. Signs come from dialects, statements from a person; here they are weighed.
//!
//! A person's statement wins. Else the strongest signs decide; where strong ones disagree, untrusted wins and both are shown.
//! A name alone never makes an interface trusted. A gateway on which no untrusted side can be found is an excerpt or a riddle:
//! then every side is unknown, so that exposure is undetermined and never passes on nothing.

use super::Context;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign};
use crate::ir::record::Step;
use crate::packet::class;
use std::net::IpAddr;
use std::sync::Arc;

/// The judged side of an interface.
#[derive(Clone, Debug)]
pub struct Side {
    /// The side; unknown when nothing tells.
    pub side: Fact<SidePointer>,
    /// What kind of outside: `internet` or `closed_network`; `none` for other sides.
    pub outside: &'static str,
    /// Sentences that say why.
    pub steps: Vec<Step>,
}

impl Side {
    /// Whether the side is untrusted.
    pub fn untrusted(&self) -> Fact<bool> {
        self.side.map(|s| *s == SidePointer::Untrusted)
    }

    /// Whether the side is trusted.
    pub fn trusted(&self) -> Fact<bool> {
        self.side.map(|s| *s == SidePointer::Trusted)
    }

    /// Whether it can be untrusted.
    pub fn maybe_untrusted(&self) -> bool {
        !self.untrusted().value.is_false()
    }
}

/// The word predicates see.
pub fn word(side: SidePointer) -> &'static str {
    match side {
        SidePointer::Untrusted => "untrusted",
        SidePointer::Trusted => "trusted",
        SidePointer::Tunnel => "tunnel",
        SidePointer::RemoteAccess => "remote_access",
    }
}

/// The sides of all interfaces, by index.
pub fn sides(cx: &Context<'_>) -> Vec<Side> {
    let device = cx.device();
    let mut sides: Vec<Side> = device.interfaces.iter().map(|i| judge(cx, i)).collect();
    if only_network(cx) {
        for (interface, side) in device.interfaces.iter().zip(&mut sides).filter(|(_, s)| s.untrusted().value.is_true()) {
            *side = unknown(interface);
        }
    }
    let outside = sides.iter().any(|s| s.untrusted().value.is_true());
    if outside {
        let v6 = |i: &Interface| i.addresses.iter().any(|a| a.v6);
        let outside_v6 = device.interfaces.iter().zip(&sides).any(|(i, s)| v6(i) && s.untrusted().value.is_true());
        for (interface, side) in device.interfaces.iter().zip(&mut sides).filter(|(_, s)| s.side.value.known().is_none()) {
            let (why, code) = if has_only_private(interface) {
                ("infer.private_beside_outside", "sign.private_beside_outside")
            } else if outside_v6 && has_only_fixed_v6(interface) {
                ("infer.fixed_ipv6_beside_outside", "sign.fixed_ipv6_beside_outside")
            } else {
                continue;
            };
            side.side = Fact::known(SidePointer::Trusted, Origin::inferred(why, [Origin::Written(interface.span)]));
            side.steps.push(Step { span: Some(interface.span), code, args: vec![interface.name.clone()] });
        }
    } else if !sides.iter().any(|s| s.side.value.known().is_none()) {
        // All inside, nothing outside: what faces the Internet is not in this export.
        for (interface, side) in device.interfaces.iter().zip(&mut sides) {
            if side.trusted().value.is_true() && !side.steps.iter().any(|s| s.code == "sign.stated_trusted") {
                *side = unknown(interface);
            }
        }
    }
    for (ix, side) in sides.iter_mut().enumerate() {
        if side.untrusted().value.is_true() {
            side.outside = kind_of_outside(cx, InterfaceIx(ix as u32));
        }
    }
    sides
}

/// Signs that only say where packets to elsewhere go.
const ROUTES: [&str; 5] =
    ["sign.default_route", "sign.dhcp_client", "sign.dhcp_route", "sign.dhcp_default_route", "sign.autoconf_default_route"];

/// The bridge over the ports of a box that joins no networks: an access point or a switch. It stands inside a network rather than
/// before the Internet, and a default route does not tell which.
fn only_network(cx: &Context<'_>) -> bool {
    let device = cx.device();
    let nat = &device.nat;
    let no_vpn = device.tunnels.items.is_empty() && device.remote_access.items.is_empty();
    let no_translation = nat.rules.is_empty() && nat.source_nat_on.is_empty() && nat.unmatched.is_empty();
    let carries = |i: &&Interface| i.kind != InterfaceKind::Loopback && !i.up.value.is_false() && !i.addresses.is_empty();
    let mut all = device.interfaces.iter().filter(carries);
    let one = all.next().is_some_and(|i| i.kind == InterfaceKind::Bridge) && all.next().is_none();
    let stated = !cx.stated.untrusted.is_empty() || !cx.stated.trusted.is_empty();
    let outward = |s: &&TrustSign| s.points_to == SidePointer::Untrusted;
    one && no_vpn
        && no_translation
        && !stated
        && device.interfaces.iter().flat_map(|i| &i.signs).filter(outward).all(|s| ROUTES.contains(&s.code))
}

fn unknown(interface: &Interface) -> Side {
    Side { side: Fact::unknown(Why::at(WhyCode::Site, interface.name.clone(), vec![interface.span])), outside: "none", steps: Vec::new() }
}

fn judge(cx: &Context<'_>, interface: &Interface) -> Side {
    let stated = |side, code: &'static str| {
        let origin = Origin::Stated(Arc::from(format!("sekisho.toml: {}", interface.name)));
        Side {
            side: Fact::known(side, origin),
            outside: "none",
            steps: vec![Step { span: None, code, args: vec![interface.name.clone()] }],
        }
    };
    if cx.stated.untrusted.contains(&interface.name) {
        return stated(SidePointer::Untrusted, "sign.stated_untrusted");
    }
    if cx.stated.trusted.contains(&interface.name) {
        return stated(SidePointer::Trusted, "sign.stated_trusted");
    }
    let strongest = interface.signs.iter().map(|s| s.strength).max();
    let best: Vec<&TrustSign> = interface.signs.iter().filter(|s| Some(s.strength) == strongest).collect();
    let points = |to: SidePointer| best.iter().any(|s| s.points_to == to);
    let carrier = points(SidePointer::Untrusted) && strongest == Some(SignStrength::Strong);
    let by_kind = match interface.kind {
        InterfaceKind::RemoteAccess => Some(SidePointer::RemoteAccess),
        // A tunnel that carries the default route is the Internet line itself.
        InterfaceKind::Tunnel if !carrier => Some(SidePointer::Tunnel),
        _ => None,
    };
    if let Some(side) = by_kind {
        return Side { side: Fact::written(side, interface.span), outside: "none", steps: Vec::new() };
    }
    let side = if points(SidePointer::Untrusted) {
        SidePointer::Untrusted
    } else if points(SidePointer::Trusted) && strongest > Some(SignStrength::Weak) {
        SidePointer::Trusted
    } else if points(SidePointer::Trusted) {
        return unknown(interface);
    } else {
        match best.first() {
            Some(sign) => sign.points_to,
            None => return unknown(interface),
        }
    };
    // Signs of either way are shown; what decides are the strongest that point to the side chosen.
    let step = |s: &TrustSign| Step { span: s.origin.spans().first().copied(), code: s.code, args: vec![interface.name.clone()] };
    let deciding: Vec<Origin> = best.iter().filter(|s| s.points_to == side).map(|s| s.origin.clone()).collect();
    let origin = match strongest {
        Some(SignStrength::Strong) if best.iter().all(|s| s.points_to == side) => Origin::all(deciding),
        _ => Origin::inferred("infer.side", deciding),
    };
    let mut steps: Vec<Step> = best.iter().filter(|s| s.points_to == side).map(|s| step(s)).collect();
    steps.extend(interface.signs.iter().filter(|s| s.points_to != side && s.strength == SignStrength::Strong).map(step));
    Side { side: Fact::known(side, origin), outside: "none", steps }
}

fn is_private(address: &Address) -> bool {
    address.net.get().is_some_and(|net| class::private().contains(net.addr))
}

fn has_only_private(interface: &Interface) -> bool {
    let v4: Vec<&Address> = interface.addresses.iter().filter(|a| !a.v6).collect();
    !v4.is_empty() && v4.iter().all(|a| a.how == AddressHow::Static && is_private(a))
}

/// What IPv6 has in the place of private addresses: global ones written by hand, with nothing that points outside.
fn has_only_fixed_v6(interface: &Interface) -> bool {
    !interface.addresses.is_empty()
        && interface.addresses.iter().all(|a| a.v6 && a.how == AddressHow::Static && a.net.get().is_some())
        && interface.signs.iter().all(|s| s.points_to != SidePointer::Untrusted)
}

/// Private static addressing without source translation on it: a carrier's closed network rather than the Internet.
fn kind_of_outside(cx: &Context<'_>, ix: InterfaceIx) -> &'static str {
    let device = cx.device();
    let translated =
        device.nat.source_nat_on.iter().any(|(i, _)| *i == ix) || device.nat.unmatched.iter().any(|u| u.ingress.covers(ix) != Some(false));
    match device.interfaces.get(ix.0 as usize) {
        Some(i) if has_only_private(i) && !translated => "closed_network",
        _ => "internet",
    }
}

/// The box's own addresses of one family on an interface; `None` among them stands for one that the export does not show.
pub fn own_addresses(interface: &Interface, v6: bool) -> Vec<Option<IpAddr>> {
    interface.addresses.iter().filter(|a| a.v6 == v6).map(|a| a.net.get().map(|n| n.addr)).collect()
}
