//! What the router itself answers. No service can be bound to an interface; host lists are source tests, whatever interface they name.
//!
//! Whether a packet gets as far as a service is the filters' and translation's business. A host list that admits nobody makes a
//! service dead. That services answer over IPv6 was not seen in print for every model: the binding is unknown.

use super::commands::{Command, Scope};
use super::vpn::{self, Encapsulation, Plan};
use super::{Export, address, on_off};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, ESP, Family, GRE, ICMP, ICMPV6, SvcTerm, TCP, UDP};
use crate::ir::interface::{InterfaceIx, InterfaceKind, SidePointer};
use crate::ir::listener::{Binding, Limit, LimitStage, Listener, Plane, Reach, Ssh};
use crate::ir::live::{LinkKind, Live};
use crate::source::Span;

const TOPIC: &str = "listeners";

/// Fills the listeners.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let mut out = management(export, device);
    out.extend(snmp(export, device));
    out.extend(vpn_listeners(export, plan));
    out.extend(infrastructure(export, device));
    out.extend(discovery(export));
    device.listeners = export.list(TOPIC, out);
}

/// A service with a switch, a host list and a port.
struct Service {
    service: &'static str,
    plane: Plane,
    cleartext: bool,
    switch: &'static str,
    host: &'static str,
    /// Line that moves the port, and its default.
    listen: Option<&'static str>,
    fixed: Vec<SvcTerm>,
}

fn no() -> Fact<bool> {
    Fact::known(false, Origin::all([]))
}

fn base(export: &Export<'_>, service: &'static str, plane: Plane, ports: Fact<Vec<SvcTerm>>, live: Live, span: Option<Span>) -> Listener {
    Listener {
        plane,
        service,
        ports,
        span: span.or(export.head),
        bindings: everywhere(export),
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

fn everywhere(export: &Export<'_>) -> Vec<Binding> {
    let bound = export.product("service bound", |v| (v == "every interface").then_some(true));
    let unknown = Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "IPv6", export.head.into_iter().collect()));
    vec![
        Binding { on: None, family: Family::V4, bound, reach: Reach::Direct },
        Binding { on: None, family: Family::V6, bound: unknown, reach: Reach::Direct },
    ]
}

/// The sources a list of host words admits. Interface names mean the interface's networks.
fn admits<'w>(export: &Export<'_>, device: &Device, words: impl Iterator<Item = &'w str>) -> AddrExpr {
    let mut parts = Vec::new();
    for word in words.flat_map(|w| w.split(',')).filter(|w| !w.is_empty()) {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "any" | "*" => return AddrExpr::Any,
            "none" => {}
            "lan" => parts.extend(all_lans(device)),
            w => match address::one(w) {
                Some(expr) => parts.push(expr),
                None => parts.extend(export.interfaces.word(w, Scope::Global).map(AddrExpr::InterfaceNet)),
            },
        }
    }
    match parts.len() {
        0 => AddrExpr::Nothing,
        1 => parts.swap_remove(0),
        _ => AddrExpr::Union(parts),
    }
}

/// `lan`: the networks behind the router, and those of ports with a fixed address that face outside: their neighbours count too.
fn all_lans(device: &Device) -> Vec<AddrExpr> {
    let faces_out = |i: &crate::ir::interface::Interface| i.signs.iter().any(|s| s.points_to == SidePointer::Untrusted);
    let port =
        |i: &crate::ir::interface::Interface| matches!(i.kind, InterfaceKind::Physical | InterfaceKind::Vlan | InterfaceKind::Bridge);
    let fixed = |i: &crate::ir::interface::Interface| i.addresses.iter().any(|a| a.net.get().is_some());
    let outside = (0..).map(InterfaceIx).zip(&device.interfaces).filter(|(_, i)| port(i) && fixed(i) && faces_out(i));
    std::iter::once(AddrExpr::LanNets).chain(outside.map(|(ix, _)| AddrExpr::InterfaceNet(ix))).collect()
}

/// A host list as a limit, and whether it admits anybody.
fn host_list(export: &Export<'_>, device: &Device, pattern: &str) -> (Limit, Fact<bool>) {
    let sources = match export.commands.one(Scope::Global, pattern) {
        Some(command) => Fact::written(admits(export, device, command.args().map(|(w, _)| w)), command.span()),
        None => {
            let anchor = export.commands.taken_back(Scope::Global, pattern, ["", ""]);
            export.absent_at(pattern, TOPIC, anchor, |v| Some(admits(export, device, std::iter::once(v))))
        }
    };
    let somebody = sources.map(|s| !matches!(s, AddrExpr::Nothing));
    let limit = match &sources.value {
        Val::Known(AddrExpr::Any) => Limit::None(sources.origin),
        Val::Unknown(why) => Limit::Unknown(why.clone()),
        _ => Limit::Sources { stage: LimitStage::Connect, admits: sources },
    };
    (limit, somebody)
}

fn listed(export: &Export<'_>, device: &Device, service: &Service) -> Listener {
    let own = match service.switch {
        // `dns service recursive`, `off`.
        "dns service" => match export.commands.one(Scope::Global, service.switch) {
            Some(command) => Fact::written(!command.is("off"), command.span()),
            None => export.absent(service.switch, TOPIC, |v| Some(v != "off")),
        },
        pattern => export.switch(pattern, TOPIC),
    };
    let ports = match service.listen {
        None => Fact::known(service.fixed.clone(), Origin::all([])),
        Some(pattern) => {
            let terms = |w: &str| w.parse().ok().map(|p: u16| vec![SvcTerm::ports(TCP, vec![(p, p)])]);
            match export.commands.one(Scope::Global, pattern) {
                Some(command) => terms(command.arg_or_empty(0)).map_or_else(
                    || Fact::unknown(Why::at(WhyCode::Ambiguous, pattern, vec![command.span()])),
                    |t| Fact::written(t, command.span()),
                ),
                None => export.absent(pattern, TOPIC, terms),
            }
        }
    };
    let (limits, somebody) = host_list(export, device, service.host);
    let line = [service.switch, service.host].iter().find_map(|p| export.commands.one(Scope::Global, p));
    let live = Live::own(own).with(LinkKind::Bound, somebody);
    let mut listener = base(export, service.service, service.plane, ports, live, line.map(|c| c.span()));
    listener.cleartext = Fact::known(service.cleartext, Origin::all([]));
    listener.limits = limits;
    listener
}

fn management(export: &Export<'_>, device: &Device) -> Vec<Listener> {
    let service = |service, cleartext, switch, host, listen| Service {
        service,
        plane: Plane::Management,
        cleartext,
        switch,
        host,
        listen,
        fixed: Vec::new(),
    };
    let serial_only = export.commands.one(Scope::Global, "security class").filter(|c| c.arg(0) == Some("3"));
    let logins = |listener: Listener| match serial_only {
        // Level 3 lets nobody in but over the serial port; the GUI is not governed by it.
        Some(command) => Listener { live: listener.live.with(LinkKind::FeatureOn, Fact::written(false, command.span())), ..listener },
        None => listener,
    };
    let mut out = vec![logins(listed(export, device, &service("telnet", true, "telnetd service", "telnetd host", Some("telnetd listen"))))];
    let keys = match export.commands.one(Scope::Global, "sshd host key generate") {
        Some(command) => Fact::written(true, command.span()),
        // The line is long and secret, so people take it out before they pass a configuration on; nobody switches a server on
        // that cannot run.
        None => match export.commands.one(Scope::Global, "sshd service").filter(|c| c.is("on") && !c.negated) {
            Some(command) => Fact::known(true, Origin::inferred("host_key_left_out", [Origin::Written(command.span())])),
            None => export.absent("sshd host key", TOPIC, on_off),
        },
    };
    let mut ssh = logins(listed(export, device, &service("ssh", false, "sshd service", "sshd host", Some("sshd listen"))));
    ssh.live = ssh.live.with(LinkKind::KeyPresent, keys);
    ssh.ssh = Some(ssh_algorithms(export));
    out.push(ssh.clone());
    let (own, somebody) = host_list(export, device, "sftpd host");
    let line = export.commands.one(Scope::Global, "sftpd host").map(|c| c.span());
    let mut sftp = Listener { service: "sftp", span: line.or(export.head), ..ssh };
    sftp.live = Live::own(somebody).with(LinkKind::ParentUp, sftp.live.value());
    sftp.limits = Limit::AllOf(vec![sftp.limits, own]);
    out.push(sftp);
    let written = ["httpd service", "httpd host", "httpd listen"].iter().any(|p| export.commands.one(Scope::Global, p).is_some());
    if written || !export.train_in("no_gui_trains") {
        out.push(listed(export, device, &service("http", true, "httpd service", "httpd host", Some("httpd listen"))));
    }
    let udp = |port| vec![SvcTerm::ports(UDP, vec![(port, port)])];
    let (limits, somebody) = host_list(export, device, "tftp host");
    let line = export.commands.one(Scope::Global, "tftp host").map(|c| c.span());
    let always = export.product("tftp service", on_off);
    let live = Live::own(somebody).with(LinkKind::FeatureOn, always);
    let mut tftp = base(export, "tftp", Plane::Management, Fact::known(udp(69), Origin::all([])), live, line);
    tftp.cleartext = Fact::known(true, Origin::all([]));
    tftp.limits = limits;
    out.push(tftp);
    out
}

/// The product speaks SSH version 2 only.
fn ssh_algorithms(export: &Export<'_>) -> Ssh {
    let weak = |w: &str| w.ends_with("-cbc") || w.starts_with("arcfour");
    let words = |list: Vec<String>| -> (bool, bool) {
        let bad = list.iter().filter(|w| weak(w)).count();
        (bad > 0, bad > 0 && bad == list.len())
    };
    let fact = match export.commands.one(Scope::Global, "sshd encrypt algorithm") {
        Some(command) => {
            let list = command.args().flat_map(|(w, _)| w.split(',')).map(str::to_ascii_lowercase).collect();
            Fact::written(words(list), command.span())
        }
        None => export.absent("sshd encrypt algorithm", TOPIC, |v| Some(words(v.split(',').map(str::to_owned).collect()))),
    };
    Ssh { v1: no(), weak_only: fact.map(|(_, only)| *only), weak_offered: fact.map(|(some, _)| *some) }
}

/// `snmp host`, `snmpv2c host`, `snmpv3 host`: one listener for each version somebody may use; else one that is dead.
fn snmp(export: &Export<'_>, device: &Device) -> Vec<Listener> {
    let mut out = Vec::new();
    let ports = || Fact::known(vec![SvcTerm::ports(UDP, vec![(161, 161)])], Origin::all([]));
    for (pattern, cleartext) in [("snmp host $", true), ("snmpv2c host $", true), ("snmpv3 host $", false)] {
        let lines: Vec<Command<'_>> =
            export.commands.list(Scope::Global, pattern).filter(|c| !c.keys[0].eq_ignore_ascii_case("none")).collect();
        let Some(first) = lines.first() else { continue };
        let sources = Fact::written(admits(export, device, lines.iter().map(|c| c.keys[0])), first.span());
        let mut listener =
            base(export, "snmp", Plane::Management, ports(), Live::own(Fact::written(true, first.span())), Some(first.span()));
        listener.cleartext = Fact::known(cleartext, Origin::Written(first.span()));
        listener.limits = match &sources.value {
            Val::Known(AddrExpr::Any) => Limit::None(sources.origin),
            _ => Limit::Sources { stage: LimitStage::Connect, admits: sources },
        };
        out.push(listener);
    }
    if out.is_empty() {
        let nobody = export.absent("snmp host", "snmp", on_off);
        let mut listener = base(export, "snmp", Plane::Management, ports(), Live::own(nobody), None);
        listener.cleartext = Fact::known(true, Origin::all([]));
        out.push(listener);
    }
    out
}

fn vpn_listeners(export: &Export<'_>, plan: &Plan<'_>) -> Vec<Listener> {
    let used = |pick: fn(&vpn::TunnelPlan<'_>) -> bool| {
        plan.any_enabled(pick)
            .unwrap_or_else(|| Fact::known(false, Origin::inferred("no_tunnel_uses_it", export.head.map(Origin::Written))))
    };
    let with_ipsec = |t: &vpn::TunnelPlan<'_>| t.sa.is_some() && !t.enabled.value.is_false();
    let first = plan.tunnels.iter().find(|t| with_ipsec(t)).and_then(|t| t.sa).map(|c| c.span());
    let mut peers = plan.tunnels.iter().filter(|t| with_ipsec(t)).filter_map(|t| t.ike.as_ref().map(|ike| (ike, t.sa)));
    let fixed = peers.clone().map(|(ike, sa)| {
        Fact::written(ike.peer_address().is_some(), sa.map_or(Span { file: crate::source::FileId(0), start: 0, end: 0 }, |s| s.span()))
    });
    let peers_fixed = fixed.reduce(|a, b| a.and(&b));
    let floats = peers.any(|(ike, sa)| ike.nat_traversal() || sa.is_some_and(|s| ike.is_v2(export, s.span()).value.is_true()));
    let ike_ports = if floats { vec![(500, 500), (4500, 4500)] } else { vec![(500, 500)] };
    let mut out = Vec::new();
    for (service, term) in [("ike", SvcTerm::ports(UDP, ike_ports)), ("esp", SvcTerm::protocol(ESP))] {
        let live = Live::own(vpn::ipsec_on(export)).with(LinkKind::Referenced, used(|t| t.sa.is_some()));
        let mut listener = base(export, service, Plane::Vpn, Fact::known(vec![term], Origin::all(first.map(Origin::Written))), live, first);
        listener.peers_fixed = peers_fixed.clone();
        out.push(listener);
    }
    let l2tp = export.commands.one(Scope::Global, "l2tp service");
    let live = Live::own(export.switch("l2tp service", TOPIC))
        .with(LinkKind::Referenced, used(|t| matches!(t.encapsulation, Encapsulation::L2tp | Encapsulation::L2tpV3)));
    let term = SvcTerm::ports(UDP, vec![(1701, 1701)]);
    out.push(base(export, "l2tp", Plane::Vpn, Fact::known(vec![term], Origin::all([])), live, l2tp.map(|c| c.span())));
    let pptp = export.commands.one(Scope::Global, "pptp service");
    let live = Live::own(export.switch("pptp service", TOPIC)).with(LinkKind::Referenced, used(|t| t.encapsulation == Encapsulation::Pptp));
    let terms = vec![SvcTerm::ports(TCP, vec![(1723, 1723)]), SvcTerm::protocol(GRE)];
    let mut listener = base(export, "pptp", Plane::Vpn, Fact::known(terms, Origin::all([])), live, pptp.map(|c| c.span()));
    listener.peers_fixed = Some(no());
    out.push(listener);
    out
}

fn infrastructure(export: &Export<'_>, device: &Device) -> Vec<Listener> {
    let both = |port| vec![SvcTerm::ports(UDP, vec![(port, port)]), SvcTerm::ports(TCP, vec![(port, port)])];
    let service = |service, switch, host, fixed| Service {
        service,
        plane: Plane::Infrastructure,
        cleartext: false,
        switch,
        host,
        listen: None,
        fixed,
    };
    let mut out = vec![
        listed(export, device, &service("dns", "dns service", "dns host", both(53))),
        listed(export, device, &service("ntp", "sntpd service", "sntpd host", vec![SvcTerm::ports(UDP, vec![(123, 123)])])),
    ];
    let plain = |service, pattern: &'static str, ports: Vec<SvcTerm>| {
        let line = export.commands.one(Scope::Global, pattern).map(|c| c.span());
        base(
            export,
            service,
            Plane::Infrastructure,
            Fact::known(ports, Origin::all([])),
            Live::own(export.switch(pattern, "services")),
            line,
        )
    };
    let mut upnp = plain("upnp", "upnp use", vec![SvcTerm::ports(UDP, vec![(1900, 1900)])]);
    // UPnP serves the inside: peers and the port named as the outer one are left out.
    let outer = export.commands.one(Scope::Global, "upnp external address refer").and_then(|c| c.arg(0)).unwrap_or("");
    let inside = |i: &crate::ir::interface::Interface| {
        matches!(i.kind, InterfaceKind::Physical | InterfaceKind::Vlan | InterfaceKind::Bridge) && !i.name.eq_ignore_ascii_case(outer)
    };
    let bound = || export.product("service bound", |v| (v == "every interface").then_some(true));
    upnp.bindings = (0..)
        .map(InterfaceIx)
        .zip(&device.interfaces)
        .filter(|(_, i)| inside(i))
        .map(|(ix, _)| Binding { on: Some(ix), family: Family::V4, bound: bound(), reach: Reach::Direct })
        .collect();
    out.push(upnp);
    let small = [7, 9, 37].iter().flat_map(|p| both(*p)).collect();
    out.push(plain("simple_service", "ip simple-service", small));
    out.push(ping(export, device));
    out
}

fn ping(export: &Export<'_>, device: &Device) -> Listener {
    let echo =
        |protocol, kind| SvcTerm { protocol: Some(protocol), src_ports: Vec::new(), dst_ports: Vec::new(), icmp: Some((kind, None)) };
    let four = export.switch("ip icmp echo-reply send", TOPIC);
    let six = export.switch("ipv6 icmp echo-reply send", TOPIC);
    let ports = Fact::known(vec![echo(ICMP, 8), echo(ICMPV6, 128)], Origin::all([]));
    let line = export.commands.one(Scope::Global, "ip icmp echo-reply send").map(|c| c.span());
    let mut listener = base(export, "ping", Plane::Infrastructure, ports, Live::own(four.or(&six)), line);
    listener.bindings = Vec::new();
    for (family, answers, pattern) in [(Family::V4, four, "ip stealth"), (Family::V6, six, "ipv6 stealth")] {
        let hidden = export.commands.one(Scope::Global, pattern);
        let binding = |on, bound| Binding { on, family, bound, reach: Reach::Direct };
        match hidden {
            None => listener.bindings.push(binding(None, answers)),
            Some(command) if command.is("all") => listener.bindings.push(binding(None, Fact::written(false, command.span()))),
            Some(command) => {
                let names = stealth_names(&command);
                for (ix, interface) in (0..).map(InterfaceIx).zip(&device.interfaces) {
                    let silent = names.contains(&interface.name);
                    let bound = if silent { Fact::written(false, command.span()) } else { answers.clone() };
                    listener.bindings.push(binding(Some(ix), bound));
                }
            }
        }
    }
    listener
}

/// `lan2`, `pp 1`, `tunnel 3`: the names as interfaces have them.
fn stealth_names(command: &Command<'_>) -> Vec<String> {
    let words: Vec<String> = command.args().map(|(w, _)| w.to_ascii_lowercase()).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match words[at].as_str() {
            kind @ ("pp" | "tunnel") => {
                out.push(format!("{kind} {}", words.get(at + 1).map_or("", String::as_str)));
                at += 1;
            }
            word => out.push(word.to_owned()),
        }
        at += 1;
    }
    out
}

/// `switch control use lan1 on`: layer-2 management of switches speaks on the interface.
fn discovery(export: &Export<'_>) -> Vec<Listener> {
    let mut out = Vec::new();
    for command in export.commands.everywhere("switch control use @") {
        let Some(ix) = export.interfaces.of(&command) else { continue };
        let on = super::switch_word(&command);
        let mut listener =
            base(export, "discovery", Plane::Layer2, Fact::known(Vec::new(), Origin::all([])), Live::own(on.clone()), Some(command.span()));
        listener.bindings = vec![Binding { on: Some(ix), family: Family::Both, bound: on, reach: Reach::Direct }];
        out.push(listener);
    }
    out
}
