//! What the box answers besides management: VPN, DNS, NTP, ping, discovery and small servers; and the list of all listeners.
//!
//! Services here are bound to every interface; what keeps strangers out are filters and the services' own lists.

use super::filter::generated;
use super::line::Line;
use super::management;
use super::vpn::Plan;
use super::{Block, Export};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{Attach, ESP, Family, Filter, FilterRole, GRE, Hook, ICMP, ICMPV6, IfMatch, SvcExpr, SvcTerm, TCP, UDP, Verdict};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::listener::{Binding, Limit, Listener, Plane, Reach};
use crate::ir::live::{LinkKind, Live};
use crate::source::Span;

/// A listener on every interface, without limits of its own.
pub fn base(service: &'static str, plane: Plane, ports: Vec<SvcTerm>, live: Live, span: Option<Span>) -> Listener {
    let nowhere = || Origin::all(span.map(Origin::Written));
    Listener {
        plane,
        service,
        ports: Fact::known(ports, Origin::all([])),
        span,
        bindings: vec![Binding { on: None, family: Family::Both, bound: Fact::known(true, live.own.origin.clone()), reach: Reach::Direct }],
        live,
        cleartext: Fact::known(false, nowhere()),
        redirect_only: Fact::known(false, nowhere()),
        limits: Limit::None(nowhere()),
        tls: None,
        ssh: None,
        rate_limit: Fact::known(false, nowhere()),
        peers_fixed: None,
    }
}

/// The name of the line in whose block a listener's span stands.
pub fn door_of<'l>(listener: &Listener, lines: &'l [Line<'_>]) -> Option<&'l str> {
    let span = listener.span?;
    let holds = |l: &&Line<'_>| {
        let whole = l.node.full_span();
        whole.start <= span.start && span.end <= whole.end
    };
    lines.iter().find(holds).map(|l| l.name.as_str())
}

/// Fills all listeners.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, lines: &[Line<'_>], device: &mut Device) {
    let mut undefined = Vec::new();
    let mut all = management::terminals(export, lines, &mut undefined);
    all.extend(management::web(export, &mut undefined));
    all.extend(management::snmp(export, &mut undefined));
    all.extend(management::netconf(export, &mut undefined));
    all.extend(management::files(export));
    all.extend(vpn(export, plan));
    all.extend(infrastructure(export));
    all.extend(discovery(export, device));
    device.listeners = export.list("listeners", all);
    for one in undefined {
        if !device.undefined.items.iter().any(|u| u.span == one.span) {
            device.undefined.items.push(one);
        }
    }
    controlled(export, device);
}

fn udp(port: u16) -> SvcTerm {
    SvcTerm::ports(UDP, vec![(port, port)])
}

fn vpn(export: &Export<'_>, plan: &Plan<'_>) -> Vec<Listener> {
    let mut out = Vec::new();
    let nobody = |key: &'static str| match export.may_lack("tunnels") {
        Some(why) => Fact::unknown(why.clone()),
        None => Fact::known(false, Origin::inferred(key, [export.evidence()])),
    };
    let used = plan
        .ipsec
        .iter()
        .map(|(span, live)| Fact { value: live.value.clone(), origin: Origin::all([Origin::Written(*span), live.origin.clone()]) });
    let used = used.reduce(|a, b| if a.value.is_true() { a } else { a.or(&b) }).unwrap_or_else(|| nobody("no_tunnel_uses_it"));
    let span = plan.ipsec.first().map(|(span, _)| *span);
    for (service, terms) in [("ike", vec![udp(500), udp(4500)]), ("esp", vec![SvcTerm::protocol(ESP)])] {
        let mut listener = base(service, Plane::Vpn, terms, Live::own(used.clone()), span);
        if service == "ike"
            && let Some(no) = export.no(&["crypto", "isakmp", "enable"]).filter(|_| !plan.ikev2)
        {
            listener.live = listener.live.with(LinkKind::FeatureOn, Fact::written(false, no.span()));
        }
        listener.peers_fixed = plan.peers_fixed.clone();
        out.push(listener);
    }
    for dial in &plan.dial_in {
        let (service, terms) = match dial.kind {
            "pptp" => ("pptp", vec![SvcTerm::ports(TCP, vec![(1723, 1723)]), SvcTerm::protocol(GRE)]),
            _ => ("l2tp", vec![udp(1701)]),
        };
        if !out.iter().any(|l| l.service == service) {
            out.push(base(service, Plane::Vpn, terms, dial.live.clone(), Some(dial.span)));
        }
    }
    for gateway in &plan.ssl {
        let terms = vec![SvcTerm::ports(TCP, vec![(gateway.port, gateway.port)])];
        out.push(base("ssl_vpn", Plane::Vpn, terms, gateway.live.clone(), Some(gateway.span)));
    }
    out
}

fn infrastructure(export: &Export<'_>) -> Vec<Listener> {
    let both = |port| vec![udp(port), SvcTerm::ports(TCP, vec![(port, port)])];
    let mut out = Vec::new();
    let line = export.line(&["ip", "dns", "server"]).filter(|n| n.len() == 3);
    let own = line.map_or_else(|| export.switch(&["ip", "dns", "server"], "services"), |n| Fact::written(true, n.span()));
    out.push(base("dns", Plane::Infrastructure, both(53), Live::own(own), line.map(|n| n.span())));
    let clock = ["master", "server", "peer"].iter().find_map(|w| export.line(&["ntp", w]));
    if let Some(line) = clock {
        let own = if line.word(1) == Some("master") {
            Fact::written(true, line.span())
        } else {
            // A client is said to answer others, too.
            Fact::known(true, Origin::inferred("ntp_client_answers", [Origin::Written(line.span())]))
        };
        out.push(base("ntp", Plane::Infrastructure, vec![udp(123)], Live::own(own), Some(line.span())));
    }
    let echo =
        |protocol, kind| SvcTerm { protocol: Some(protocol), src_ports: Vec::new(), dst_ports: Vec::new(), icmp: Some((kind, None)) };
    let answers = export.product("icmp echo reply", super::on_off);
    out.push(base("ping", Plane::Infrastructure, vec![echo(ICMP, 8), echo(ICMPV6, 128)], Live::own(answers), None));
    out.extend(small(export));
    out
}

/// Finger, BOOTP, identification and the small servers: each by its own switch.
fn small(export: &Export<'_>) -> Vec<Listener> {
    let tcp = |port| SvcTerm::ports(TCP, vec![(port, port)]);
    let rows: [(&[&str], Vec<SvcTerm>); 7] = [
        (&["service", "tcp-small-servers"], vec![tcp(7), tcp(9), tcp(13), tcp(19)]),
        (&["service", "udp-small-servers"], vec![udp(7), udp(9), udp(19)]),
        (&["ip", "finger"], vec![tcp(79)]),
        (&["service", "finger"], vec![tcp(79)]),
        (&["ip", "identd"], vec![tcp(113)]),
        (&["ip", "bootp", "server"], vec![udp(67)]),
        (&["service", "config"], Vec::new()),
    ];
    let mut out = Vec::new();
    for (words, terms) in rows {
        let written = export.written_switch(words);
        let line = export.line(words).or_else(|| export.no(words)).map(|n| n.span());
        // Only a switch that a line speaks of is shown; defaults of old releases are another release's matter.
        if let (Some(own), false) = (written, terms.is_empty()) {
            out.push(base("simple_service", Plane::Infrastructure, terms, Live::own(own), line));
        }
    }
    out
}

/// CDP and LLDP: on the link, per interface.
fn discovery(export: &Export<'_>, device: &Device) -> Vec<Listener> {
    let mut out = Vec::new();
    for (name, off) in [("cdp", &["cdp", "enable"][..]), ("lldp", &["lldp", "transmit"][..])] {
        let run = export.switch(&[name, "run"], "services");
        let line = export.line(&[name, "run"]).or_else(|| export.no(&[name, "run"])).map(|n| n.span());
        let mut listener = base("discovery", Plane::Layer2, Vec::new(), Live::own(run.clone()), line);
        // A switch has no outside of its own, and thousands of ports.
        if device.role == crate::ir::device::DeviceRole::Switch {
            out.push(listener);
            continue;
        }
        listener.bindings = (0..)
            .map(InterfaceIx)
            .zip(&device.interfaces)
            .zip(&export.ports.ports)
            .filter(|((_, i), _)| matches!(i.kind, InterfaceKind::Physical | InterfaceKind::Aggregate))
            .map(|((ix, _), port)| {
                let written = Block(port.node).switch(off);
                Binding { on: Some(ix), family: Family::Both, bound: written.unwrap_or_else(|| run.clone()), reach: Reach::Direct }
            })
            .collect();
        out.push(listener);
    }
    out
}

/// `allow-service`: what a WAN interface lets to the box itself where a controller runs it.
fn controlled(export: &Export<'_>, device: &mut Device) {
    for (ix, head, rows) in management::controlled(export) {
        let all = rows.iter().copied().find(|n| n.starts(&["allow-service", "all"]));
        let mut rules = Vec::new();
        for word in export.grammar.names("allow_services") {
            let (name, ports) = word.split_once(' ').unwrap_or((word, ""));
            let row = rows.iter().copied().rfind(|n| n.word(n.len().saturating_sub(1)) == Some(name));
            let on = match (all, row) {
                (Some(line), _) => Fact::written(true, line.span()),
                (None, Some(line)) => Fact::written(line.word(0) != Some("no"), line.span()),
                (None, None) => export.default_at(&format!("allow-service {name}"), Some(head.span()), super::on_off),
            };
            let verdict = on.map(|on| if *on { Verdict::Accept } else { Verdict::Drop });
            let span = row.or(all).map_or(head.span(), |n| n.span());
            let terms: Vec<SvcExpr> = ports.split(' ').filter_map(term).map(SvcExpr::Term).collect();
            let mut rule = generated(export, name, span, SvcExpr::Union(terms), verdict);
            rule.generated = row.is_none();
            rules.push(rule);
        }
        device.filters.push(Filter {
            name: "allow-service".to_owned(),
            span: Some(head.span()),
            role: FilterRole::ToBox,
            family: Family::Both,
            rules,
            incomplete: None,
            default: export.product("allow-service rest", |v| (v == "drop").then_some(Verdict::Drop)),
            attach: vec![Attach { hook: Hook::Local, on: IfMatch::These(vec![ix]), origin: Origin::Written(head.span()) }],
        });
    }
}

/// `tcp/22`, `udp/53`, `ip/1`.
fn term(text: &str) -> Option<SvcTerm> {
    let (protocol, number) = text.split_once('/')?;
    let number: u16 = number.parse().ok()?;
    Some(match protocol {
        "tcp" => SvcTerm::ports(TCP, vec![(number, number)]),
        "udp" => SvcTerm::ports(UDP, vec![(number, number)]),
        _ => SvcTerm::protocol(u8::try_from(number).ok()?),
    })
}
