//! What keeps a tunnel up and what ends it.
//!
//! `keepalive` of a phase 1 is NAT traversal's and `auto-negotiate` of a phase 1 only starts the key exchange: neither keeps a tunnel.

use super::Lowering;
use super::context::{Fields, any_of};
use super::interface::in_network;
use super::phase1::Phase1;
use crate::ir::fact::{Fact, List, Origin, Val, Why, WhyCode};
use crate::ir::interface::InterfaceIx;
use crate::ir::tunnel::{Ender, EnderKind, Keeper, KeeperForce, Starts};
use std::collections::HashMap;

/// What sends traffic through interfaces for ever, by interface.
pub(super) type Monitors = HashMap<InterfaceIx, Vec<Keeper>>;

/// Collects health checks, link monitors and routing neighbours.
pub(super) fn monitors(l: &Lowering<'_>) -> Monitors {
    let mut out: Monitors = HashMap::new();
    let named = |name: &str| l.names.interfaces.get(name).copied();
    let mut add = |ix: Option<InterfaceIx>, code, live| {
        if let Some(ix) = ix {
            out.entry(ix).or_default().push(Keeper { code, force: KeeperForce::Sustains, live });
        }
    };
    for path in ["system sdwan", "system virtual-wan-link"] {
        let Some(section) = l.cx.own.find(path).fields else { continue };
        let on = l.cx.switch(&section, "status", "system sdwan.status");
        for row in section.rows("health-check") {
            let members = row.values("members");
            for (id, interface, _) in &l.names.sdwan_members {
                if members.iter().any(|(m, _)| *m == "0" || m == id) {
                    let check = Fact { value: on.value.clone(), origin: Origin::all([Origin::Written(row.span()), on.origin.clone()]) };
                    add(named(interface), "keeper.health_check", check);
                }
            }
        }
    }
    for row in l.cx.own.find("system link-monitor").rows() {
        let on = l.cx.switch(&row, "status", "system link-monitor.status");
        let live = Fact { value: on.value, origin: Origin::all([Origin::Written(row.span()), on.origin]) };
        add(row.name("srcintf").and_then(|(n, _)| named(n)), "keeper.link_monitor", live);
    }
    let neighbours: Vec<Fields<'_>> = l.cx.own.find("router bgp").fields.map_or_else(Vec::new, |f| f.rows("neighbor"));
    for row in neighbours {
        let live = Fact::written(row.value("shutdown") != Some("enable"), row.span());
        let by_name = row.name("interface").or_else(|| row.name("update-source")).and_then(|(n, _)| named(n));
        let by_address = row
            .key()
            .parse()
            .ok()
            .and_then(|addr| (0..l.device.interfaces.len() as u32).map(InterfaceIx).find(|ix| in_network(l, *ix, addr)));
        add(by_name.or(by_address), "keeper.routing_neighbour", live);
    }
    if let Some(ospf) = l.cx.own.find("router ospf").fields {
        for row in ospf.rows("ospf-interface") {
            let live = Fact::written(row.value("status") != Some("disable"), row.span());
            add(row.name("interface").and_then(|(n, _)| named(n)), "keeper.routing_neighbour", live);
        }
        for row in ospf.rows("network") {
            let prefix = row.get("prefix").and_then(|a| super::address::cidr(&a.values().collect::<Vec<_>>()));
            let Some(prefix) = prefix else { continue };
            for ix in 0..l.device.interfaces.len() {
                if l.device.interfaces[ix].addresses.iter().any(|a| a.net.get().is_some_and(|n| prefix.contains(n.addr))) {
                    add(Some(InterfaceIx(ix as u32)), "keeper.routing_neighbour", Fact::written(true, row.span()));
                }
            }
        }
    }
    out
}

/// Everything that keeps a tunnel up.
pub(super) fn keepers<'a>(l: &Lowering<'a>, p: &Phase1<'a>, monitors: &Monitors) -> Vec<Keeper> {
    let mut out = Vec::new();
    let facts: Vec<Fact<bool>> = p.phase2.iter().map(|row| l.cx.switch(row, "keepalive", "vpn ipsec phase2.keepalive")).collect();
    if !facts.is_empty() {
        let live = any_of(facts, Origin::Written(p.row.span()));
        out.push(Keeper { code: "keeper.phase2_keepalive", force: KeeperForce::Forces, live });
    }
    let dpd = l.cx.fact(&p.row, "dpd", "vpn ipsec phase1.dpd", |v| match v {
        "disable" => Some(false),
        "on-idle" | "on-demand" | "enable" => Some(true),
        _ => None,
    });
    out.push(Keeper { code: "keeper.dpd", force: KeeperForce::Probes, live: dpd });
    if let Some(list) = p.interface.and_then(|ix| monitors.get(&ix)) {
        out.extend(list.iter().cloned());
    }
    out
}

/// Who brings it up.
pub(super) fn starts<'a>(l: &Lowering<'a>, p: &Phase1<'a>) -> Fact<Starts> {
    if let Some(line) = p.row.get("type").filter(|_| p.dynamic) {
        return Fact::written(Starts::Never, line.span());
    }
    if let Some(line) = p.row.get("passive-mode").filter(|a| a.value() == "enable") {
        return Fact::written(Starts::Never, line.span());
    }
    let facts: Vec<Fact<bool>> = p.phase2.iter().map(|row| l.cx.switch(row, "auto-negotiate", "vpn ipsec phase2.auto-negotiate")).collect();
    if facts.is_empty() {
        return Fact::unknown(Why::at(WhyCode::NotExported, p.row.key(), vec![p.row.span()]));
    }
    let auto = any_of(facts, Origin::Written(p.row.span()));
    let value = match auto.value.tri() {
        Some(true) => Val::Known(Starts::AtBoot),
        Some(false) => Val::Known(Starts::OnTraffic),
        None => match auto.value.why() {
            Some(why) => Val::Among(vec![Starts::AtBoot, Starts::OnTraffic], why.clone()),
            None => Val::Known(Starts::OnTraffic),
        },
    };
    Fact { value, origin: auto.origin }
}

/// Everything that ends it.
pub(super) fn enders<'a>(l: &Lowering<'a>, p: &Phase1<'a>) -> List<Ender> {
    let idle = l.cx.switch(&p.row, "idle-timeout", "vpn ipsec phase1.idle-timeout");
    p.row.get("idle-timeoutinterval");
    let mut items = vec![Ender { kind: EnderKind::Idle, live: idle }];
    let permits: Vec<_> = p.policies.iter().map(|ix| &l.names.policies[*ix]).filter(|u| u.permits.value.tri() != Some(false)).collect();
    if !permits.is_empty() && permits.iter().all(|u| u.scheduled) {
        let origin = Origin::all(permits.iter().map(|u| Origin::Written(u.span)));
        items.push(Ender { kind: EnderKind::PolicySchedule, live: Fact::known(true, origin) });
    }
    List { items, rest: l.cx.rest("tunnels") }
}
