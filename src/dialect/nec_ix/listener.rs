//! What the router itself answers. A server has a switch for each family and may have an access list of sources; without one it
//! answers on every interface, and filters and NAPT decide what gets there.
//!
//! Servers may also be switched on for one interface in its block.

use super::acl;
use super::ipsec::{Keying, Plan};
use super::system::communities;
use super::{Export, ambiguous, on_off, undocumented};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, ESP, Family, ICMP, ICMPV6, SvcTerm, TCP, UDP};
use crate::ir::listener::{Binding, Limit, LimitStage, Listener, Plane, Reach, Ssh};
use crate::ir::live::{LinkKind, Live};
use crate::source::Span;

const TOPIC: &str = "listeners";

/// A server with a switch, an access list and a port.
struct Server {
    service: &'static str,
    plane: Plane,
    command: &'static str,
    protocol: u8,
}

const SERVERS: [Server; 4] = [
    Server { service: "telnet", plane: Plane::Management, command: "telnet-server", protocol: TCP },
    Server { service: "ssh", plane: Plane::Management, command: "ssh-server", protocol: TCP },
    Server { service: "http", plane: Plane::Management, command: "http-server", protocol: TCP },
    Server { service: "dns", plane: Plane::Infrastructure, command: "proxy-dns", protocol: UDP },
];

const FAMILIES: [(&str, Family); 2] = [("ip", Family::V4), ("ipv6", Family::V6)];

/// Fills the listeners.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let mut out = Vec::new();
    for server in &SERVERS {
        for (word, family) in FAMILIES {
            out.extend(switched(export, server, word, family));
        }
    }
    for (word, family) in FAMILIES {
        out.extend(snmp(export, word, family));
    }
    out.extend(vpn(export, plan, device));
    out.extend(ntp(export));
    out.push(ping(export));
    device.listeners = export.list(TOPIC, out);
}

fn no() -> Fact<bool> {
    Fact::known(false, Origin::all([]))
}

fn base(export: &Export<'_>, service: &'static str, plane: Plane, ports: Fact<Vec<SvcTerm>>, live: Live, span: Option<Span>) -> Listener {
    // The line that switches it on opens it on every interface.
    let everywhere =
        export.grammar.default_as("service bound", export.version.as_ref(), None, |v| (v == "every interface").then_some(true));
    let bound = match span {
        Some(line) => Fact { value: everywhere.value, origin: Origin::all([Origin::Written(line), everywhere.origin]) },
        None => everywhere,
    };
    Listener {
        plane,
        service,
        ports,
        span: span.or(Some(export.head)),
        bindings: vec![Binding { on: None, family: Family::V4, bound, reach: Reach::Direct }],
        live,
        cleartext: no(),
        redirect_only: no(),
        limits: Limit::None(Origin::all([])),
        tls: None,
        ssh: None,
        rate_limit: export.product("capability.login_lockout", on_off),
        peers_fixed: None,
    }
}

/// A server of one family: its switch for the whole router, and those in interface blocks.
fn switched(export: &Export<'_>, server: &Server, word: &str, family: Family) -> Vec<Listener> {
    let global = export.lines.flag(&[server.command, word, "enable"]);
    let on_ports: Vec<Binding> = export
        .ports
        .iter()
        .filter_map(|(ix, port)| {
            let flag = port.lines.flag(&[server.command, word, "enable"]).filter(|f| f.value.is_true())?;
            Some(Binding { on: Some(ix), family, bound: flag, reach: Reach::Direct })
        })
        .collect();
    let mut out = Vec::new();
    // A server nobody switched on is told of once, for IPv4.
    if global.is_some() || family == Family::V4 && on_ports.is_empty() {
        let own = global.unwrap_or_else(|| export.absent(&format!("{} ip enable", server.command), TOPIC, on_off));
        let mut listener = one(export, server, word, own);
        listener.bindings.iter_mut().for_each(|b| b.family = family);
        out.push(listener);
    }
    if let Some(first) = on_ports.first() {
        let mut listener = one(export, server, word, first.bound.clone());
        listener.bindings = on_ports;
        out.push(listener);
    }
    out
}

fn one(export: &Export<'_>, server: &Server, word: &str, own: Fact<bool>) -> Listener {
    let span = if matches!(own.origin, Origin::Written(_)) { own.origin.spans().first().copied() } else { None };
    let terms = |w: &str| w.parse().ok().map(|p: u16| terms(server.protocol, p));
    let ports = match export.lines.one(&[server.command, word, "port"]) {
        Some(node) => {
            node.word(3).and_then(terms).map_or_else(|| ambiguous(server.command, node.span()), |t| Fact::written(t, node.span()))
        }
        None => export.product(&format!("{} ip port", server.command), terms),
    };
    let mut listener = base(export, server.service, server.plane, ports, Live::own(own), span);
    listener.limits = match export.lines.one(&[server.command, word, "access-list"]) {
        Some(node) => named_list(export, word == "ipv6", node.word_or_empty(3), node.word_span(3)),
        None => absent_list(export),
    };
    match server.service {
        "telnet" => listener.cleartext = Fact::known(true, Origin::all([])),
        "http" => listener.cleartext = export.product("http-server transport", |v| Some(v == "http")),
        "ssh" => {
            let at = span.unwrap_or(export.head);
            let unknown = || undocumented("ssh-server", at);
            listener.ssh = Some(Ssh { v1: unknown(), weak_only: unknown(), weak_offered: unknown() });
        }
        _ => {}
    }
    listener
}

fn terms(protocol: u8, port: u16) -> Vec<SvcTerm> {
    let own = SvcTerm::ports(protocol, vec![(port, port)]);
    if protocol == UDP { vec![own, SvcTerm::ports(TCP, vec![(port, port)])] } else { vec![own] }
}

/// No access list: every source, as far as the export would show a list.
fn absent_list(export: &Export<'_>) -> Limit {
    match export.gaps.get(TOPIC) {
        Some(why) => Limit::Unknown(why.clone()),
        None => {
            let any = export.product("server access-list", |v| (v == "any").then_some(()));
            match any.value.why() {
                Some(why) => Limit::Unknown(why.clone()),
                None => Limit::None(any.origin),
            }
        }
    }
}

/// The sources of a named list. What a list does that is defined nowhere was not seen in print: it is taken for no limit, which may
/// raise a finding and clears none.
fn named_list(export: &Export<'_>, v6: bool, name: &str, at: Span) -> Limit {
    match export.acls.get(v6, name) {
        Some(list) => {
            let sources = acl::sources(list);
            match &sources.value {
                Val::Known(AddrExpr::Any) => Limit::None(Origin::all([Origin::Written(at), sources.origin])),
                Val::Unknown(why) | Val::Among(_, why) => Limit::Unknown(why.clone()),
                Val::Known(_) => {
                    let origin = Origin::all([Origin::Written(at), sources.origin]);
                    Limit::Sources { stage: LimitStage::Connect, admits: Fact { value: sources.value, origin } }
                }
            }
        }
        None if export.gaps.contains_key("objects") => Limit::Unknown(Why::at(WhyCode::NotExported, name, vec![at])),
        None => {
            let any = export.product("server access-list undefined", |v| (v == "any").then_some(()));
            match any.value.why() {
                Some(why) => Limit::Unknown(why.clone()),
                None => Limit::None(Origin::all([Origin::Written(at), any.origin])),
            }
        }
    }
}

/// SNMP: each community has a list of its own; whoever one of them admits gets in.
fn snmp(export: &Export<'_>, word: &str, family: Family) -> Option<Listener> {
    let global = export.lines.flag(&["snmp-agent", word, "enable"]);
    if global.is_none() && family == Family::V6 {
        return None;
    }
    let own = global.unwrap_or_else(|| export.absent("snmp-agent ip enable", "snmp", on_off));
    let ports = Fact::known(vec![SvcTerm::ports(UDP, vec![(161, 161)])], Origin::all([]));
    let span = if matches!(own.origin, Origin::Written(_)) { own.origin.spans().first().copied() } else { None };
    let mut listener = base(export, "snmp", Plane::Management, ports, Live::own(own), span);
    listener.bindings.iter_mut().for_each(|b| b.family = family);
    listener.cleartext = Fact::known(true, Origin::all([]));
    let limits: Vec<Limit> = communities(export, word)
        .into_iter()
        .map(|c| match c.list {
            Some((name, at)) => named_list(export, family == Family::V6, name, at),
            None => Limit::None(Origin::Written(c.node.span())),
        })
        .collect();
    listener.limits = match limits.len() {
        0 => absent_list(export),
        _ => Limit::AnyOf(limits),
    };
    Some(listener)
}

/// IKE, ESP and unencrypted L2TP, as far as a tunnel that is up uses them.
fn vpn(export: &Export<'_>, plan: &Plan<'_>, device: &Device) -> Vec<Listener> {
    let up = |ix: crate::ir::interface::InterfaceIx| device.interfaces.get(ix.0 as usize).map(|i| i.up.clone());
    let any = |pick: &dyn Fn(&Keying<'_>) -> bool| {
        let used = plan.tunnels.iter().filter(|t| pick(&t.keying)).filter_map(|t| up(t.ix));
        used.reduce(|a, b| if a.value.is_true() { a } else { a.or(&b) })
    };
    let unused = || match export.gaps.get("tunnels") {
        Some(why) => Fact::unknown(why.clone()),
        None => Fact::known(false, Origin::inferred("no_tunnel_uses_it", [Origin::Written(export.head)])),
    };
    let encrypted = any(&|k| !matches!(k, Keying::None)).unwrap_or_else(unused);
    let live_peers = plan.tunnels.iter().filter(|t| !matches!(t.keying, Keying::None) && up(t.ix).is_none_or(|u| !u.value.is_false()));
    let fixed = live_peers.map(|t| {
        let peer = plan.peer(t);
        peer.addresses.map(|a| matches!(a, AddrExpr::Range(..)))
    });
    let peers_fixed = fixed.reduce(|a, b| a.and(&b));
    let first = plan.tunnels.iter().find(|t| !matches!(t.keying, Keying::None)).map(|t| t.at);
    // NAT traversal is switched on for IKEv1 and part of IKEv2.
    let v2 = plan.tunnels.iter().any(|t| matches!(t.keying, Keying::V2 { .. }));
    let floats = export.lines.one(&["ike", "nat-traversal"]).is_some() || v2;
    let ike = if floats { vec![(500, 500), (4500, 4500)] } else { vec![(500, 500)] };
    let mut out = Vec::new();
    for (service, term) in [("ike", SvcTerm::ports(UDP, ike)), ("esp", SvcTerm::protocol(ESP))] {
        let ports = Fact::known(vec![term], Origin::all(first.map(Origin::Written)));
        let mut listener = base(export, service, Plane::Vpn, ports, Live::own(encrypted.clone()), first);
        let both = Binding { family: Family::V6, ..listener.bindings[0].clone() };
        listener.bindings.push(both);
        listener.peers_fixed = peers_fixed.clone();
        out.push(listener);
    }
    let plain: Vec<_> = plan.tunnels.iter().filter(|t| t.users && matches!(t.keying, Keying::None)).collect();
    if let Some(tunnel) = plain.first() {
        let own = plain.iter().filter_map(|t| up(t.ix)).reduce(|a, b| a.or(&b)).unwrap_or_else(unused);
        let ports = Fact::known(vec![SvcTerm::ports(UDP, vec![(1701, 1701)])], Origin::all([]));
        let mut listener = base(export, "l2tp", Plane::Vpn, ports, Live::own(own), Some(tunnel.at));
        listener.peers_fixed = Some(no());
        out.push(listener);
    }
    out
}

/// `ntp ip enable` starts a server by one guide and the client by others; `ntp master` makes it one that answers.
fn ntp(export: &Export<'_>) -> Option<Listener> {
    let line = export.lines.flag(&["ntp", "ip", "enable"]).filter(|f| f.value.is_true())?;
    let span = line.origin.spans().first().copied();
    let at = span.unwrap_or(export.head);
    let master = export.lines.one(&["ntp", "master"]);
    let serves = match master {
        Some(node) => Fact::written(true, node.span()),
        None => ambiguous("ntp ip enable", at),
    };
    let ports = Fact::known(vec![SvcTerm::ports(UDP, vec![(123, 123)])], Origin::all([]));
    Some(base(export, "ntp", Plane::Infrastructure, ports, Live::own(line).with(LinkKind::FeatureOn, serves), span))
}

fn ping(export: &Export<'_>) -> Listener {
    let echo =
        |protocol, kind| SvcTerm { protocol: Some(protocol), src_ports: Vec::new(), dst_ports: Vec::new(), icmp: Some((kind, None)) };
    let ports = Fact::known(vec![echo(ICMP, 8), echo(ICMPV6, 128)], Origin::all([]));
    let own = export.product("icmp echo", on_off);
    let mut listener = base(export, "ping", Plane::Infrastructure, ports, Live::own(own), None);
    let six = Binding { family: Family::V6, ..listener.bindings[0].clone() };
    listener.bindings.push(six);
    listener
}
