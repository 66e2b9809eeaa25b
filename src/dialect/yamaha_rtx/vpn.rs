//! Which tunnels there are, what they are for, and who is bound to them: what listeners, tunnels and remote access share.
//!
//! `ipsec ike` lines belong to a gateway number, wherever they stand; an SA policy joins a tunnel to its gateway. A tunnel made
//! from a template is the tunnel it was made from.

use super::commands::{Command, Commands, Peer, Scope};
use super::ike::Ike;
use super::routes;
use super::schedule;
use super::{Export, on_off};
use crate::ir::fact::{Fact, Origin};
use crate::ir::interface::InterfaceIx;
use crate::syntax::Node;
use std::collections::HashMap;
use std::net::IpAddr;

/// What a tunnel wraps packets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encapsulation {
    /// IPsec, the default.
    Ipsec,
    /// IP in IP.
    Ipip,
    /// L2TP for users.
    L2tp,
    /// L2TPv3: Ethernet between sites.
    L2tpV3,
    /// PPTP for users.
    Pptp,
    /// IPv4 over the provider's IPv6: the Internet line itself.
    Provider,
    /// A word the dialect does not know.
    Other,
}

impl Encapsulation {
    /// The encapsulation of a tunnel.
    pub fn of(commands: &Commands<'_>, number: u32) -> Encapsulation {
        let Some(command) = commands.one(Scope::Tunnel(number), "tunnel encapsulation") else { return Encapsulation::Ipsec };
        match command.arg_or_empty(0).to_ascii_lowercase().as_str() {
            "ipsec" => Encapsulation::Ipsec,
            "ipip" | "ipudp" | "ipudp-raw" => Encapsulation::Ipip,
            "l2tp" => Encapsulation::L2tp,
            "l2tpv3" | "l2tpv3-raw" => Encapsulation::L2tpV3,
            "pptp" => Encapsulation::Pptp,
            "map-e" | "hb46pp" | "ds-lite" => Encapsulation::Provider,
            _ => Encapsulation::Other,
        }
    }

    /// Whether users come in by it.
    pub fn is_remote_access(self) -> bool {
        matches!(self, Encapsulation::L2tp | Encapsulation::Pptp)
    }
}

/// The far end as `tunnel endpoint` lines name it.
pub fn endpoint<'a>(commands: &Commands<'a>, number: u32) -> Option<(&'a str, Command<'a>)> {
    let scope = Scope::Tunnel(number);
    let address = commands.one(scope, "tunnel endpoint address").and_then(|c| c.args().last().map(|(w, _)| (w, c)));
    let remote = || commands.one(scope, "tunnel endpoint remote address").and_then(|c| c.arg(0).map(|w| (w, c)));
    let name = || commands.one(scope, "tunnel endpoint name").and_then(|c| c.arg(0).map(|w| (w, c)));
    address.or_else(remote).or_else(name)
}

/// Whether a tunnel is the Internet line: made by the provider's method, or IP in IP over IPv6 that carries the default route.
pub fn is_carrier(export: &Export<'_>, number: u32) -> bool {
    match Encapsulation::of(&export.commands, number) {
        Encapsulation::Provider => true,
        Encapsulation::Ipip => {
            let default = export.interfaces.routes_into(number).any(|r| r.to.is_none());
            let over_ipv4 = endpoint(&export.commands, number).is_some_and(|(w, _)| w.parse::<IpAddr>().is_ok_and(|a| a.is_ipv4()));
            default && !over_ipv4
        }
        _ => false,
    }
}

/// The tunnels bound to a peer.
pub fn bound_tunnels(export: &Export<'_>, peer: Peer) -> impl Iterator<Item = u32> {
    let line = export.commands.one(Scope::Pp(peer), "pp bind");
    let words: Vec<&str> =
        line.into_iter().flat_map(|c| c.args().map(|(w, _)| w)).filter(|w| w.to_ascii_lowercase().starts_with("tunnel")).collect();
    routes::numbers(words.into_iter()).into_iter()
}

/// A tunnel.
pub struct TunnelPlan<'a> {
    /// Its number.
    pub number: u32,
    /// The line that selects it.
    pub node: Node<'a>,
    /// What it wraps packets in.
    pub encapsulation: Encapsulation,
    /// Whether it is switched on.
    pub enabled: Fact<bool>,
    /// `ipsec tunnel`.
    pub policy: Option<Command<'a>>,
    /// `ipsec sa policy`.
    pub sa: Option<Command<'a>>,
    /// Its gateway.
    pub ike: Option<Ike<'a>>,
    /// Tunnels made from it.
    pub made: Vec<u32>,
    /// Whether it is the Internet line.
    pub carrier: bool,
}

impl TunnelPlan<'_> {
    /// What it is called in findings.
    pub fn name(&self) -> String {
        match (self.made.first(), self.made.last()) {
            (Some(first), Some(last)) => format!("tunnel {} ({first}-{last})", self.number),
            _ => format!("tunnel {}", self.number),
        }
    }

    /// Whether users log in over its IKE exchange.
    pub fn asks_users(&self) -> bool {
        self.ike.as_ref().is_some_and(|ike| ike.xauth().is_some() || ike.eap().is_some())
    }
}

/// Users' way in: a peer with the tunnels of one kind bound to it.
pub struct Group<'a> {
    /// The peer.
    pub peer: Peer,
    /// The line that selects it.
    pub node: Node<'a>,
    /// What the tunnels wrap packets in.
    pub encapsulation: Encapsulation,
    /// Positions of the tunnels in the plan, without repetition.
    pub tunnels: Vec<usize>,
}

/// All tunnels and groups.
pub struct Plan<'a> {
    /// Tunnels, in the order of the text.
    pub tunnels: Vec<TunnelPlan<'a>>,
    /// Groups, in the order of the text.
    pub groups: Vec<Group<'a>>,
}

impl Plan<'_> {
    /// Whether some tunnel for which `pick` holds is switched on; `None`: there is none.
    pub fn any_enabled(&self, pick: impl Fn(&TunnelPlan<'_>) -> bool) -> Option<Fact<bool>> {
        let mut found = self.tunnels.iter().filter(|t| pick(t)).map(|t| t.enabled.clone());
        let first = found.next()?;
        Some(found.fold(first, |acc, e| if acc.value.is_true() { acc } else { acc.or(&e) }))
    }
}

/// Reads which tunnels and groups there are.
pub fn plan<'a>(export: &Export<'a>) -> Plan<'a> {
    let commands = &export.commands;
    let schedules = schedule::schedules(export);
    let mut tunnels: Vec<TunnelPlan<'a>> = Vec::new();
    let mut position: HashMap<u32, usize> = HashMap::new();
    for (scope, node) in &commands.selections {
        let Scope::Tunnel(number) = *scope else { continue };
        let speaks = node.children().next().is_some() || export.tunnel_enabled.contains_key(&number);
        if position.contains_key(&number) || !speaks || export.interfaces.template_of(number) != number {
            continue;
        }
        position.insert(number, tunnels.len());
        let policy = commands.one(*scope, "ipsec tunnel");
        let sa = policy.and_then(|p| commands.keyed(Scope::Global, "ipsec sa policy <n>", [p.arg(0)?, ""]));
        let made = commands.one(*scope, "tunnel template").map(|c| routes::numbers(c.args().map(|(w, _)| w))).unwrap_or_default();
        tunnels.push(TunnelPlan {
            number,
            node: *node,
            encapsulation: Encapsulation::of(commands, number),
            enabled: enabled(export, &schedules, number),
            policy,
            sa,
            ike: sa.and_then(|s| s.arg(0)).map(|id| Ike::new(export, id)),
            made,
            carrier: is_carrier(export, number),
        });
    }
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (scope, node) in &commands.selections {
        let Scope::Pp(peer) = *scope else { continue };
        if groups.iter().any(|g| g.peer == peer) {
            continue;
        }
        let mut bound: Vec<usize> = Vec::new();
        for number in bound_tunnels(export, peer) {
            bound.extend(position.get(&export.interfaces.template_of(number)).filter(|ix| !bound.contains(ix)));
        }
        for encapsulation in [Encapsulation::L2tp, Encapsulation::Pptp] {
            let of_kind: Vec<usize> = bound.iter().copied().filter(|ix| tunnels[*ix].encapsulation == encapsulation).collect();
            if !of_kind.is_empty() {
                groups.push(Group { peer, node: *node, encapsulation, tunnels: of_kind });
            }
        }
    }
    Plan { tunnels, groups }
}

/// Whether a tunnel is switched on, if only at the hours of a schedule.
fn enabled(export: &Export<'_>, schedules: &[schedule::Schedule<'_>], number: u32) -> Fact<bool> {
    let own = export.tunnel_is_enabled(number);
    match schedule::enables(schedules, number).filter(|_| own.value.is_false()) {
        Some(line) => Fact::known(true, Origin::inferred("schedule_enables", [own.origin, Origin::Written(line.span)])),
        None => own,
    }
}

/// Whether IPsec is switched on as a whole. The box prints this line among the services, after the tunnels.
pub fn ipsec_on(export: &Export<'_>) -> Fact<bool> {
    export.switch("ipsec use", "listeners")
}

/// Whether L2TP of a version is switched on: `l2tp service on [l2tp] [l2tpv3]`; without a version, both.
pub fn l2tp_on(export: &Export<'_>, version: &str) -> Fact<bool> {
    match export.commands.one(Scope::Global, "l2tp service") {
        Some(command) => {
            let on = command.arg(0).and_then(on_off).unwrap_or(false);
            let versions: Vec<&str> = command.args().skip(1).map(|(w, _)| w).collect();
            let named = versions.is_empty() || versions.iter().any(|v| v.eq_ignore_ascii_case(version));
            Fact::written(on && named, command.span())
        }
        None => export.absent("l2tp service", "listeners", on_off),
    }
}

/// The interfaces on which outer packets of a peer address arrive; any peer: the default routes'.
pub fn outer(export: &Export<'_>, peer: Option<IpAddr>) -> Vec<InterfaceIx> {
    match peer {
        Some(addr) => export.interfaces.egress_to(addr),
        None => export.interfaces.default_egress(),
    }
}
