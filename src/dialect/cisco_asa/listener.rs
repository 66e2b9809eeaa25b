//! What the box itself answers: ASDM, SSH, Telnet, SNMP, ping, the VPN web server, IKE, DHCP.
//!
//! Sources of management are the address lists of the services themselves. Filters on interfaces do not see packets to the
//! box; only a control-plane filter does (`filter`).

use super::Export;
use super::crypto::Crypto;
use super::interface::Nic;
use super::lines::{after, has_word};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{AddrExpr, Family, ICMP, ICMPV6, SvcTerm, TCP, UDP};
use crate::ir::listener::{Binding, Limit, LimitStage, Listener, Plane, Reach, Ssh, Tls};
use crate::ir::live::Live;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

fn binding(nic: &Nic<'_>, family: Family, bound: Fact<bool>) -> Binding {
    Binding { on: Some(nic.ix), family, bound, reach: Reach::Direct }
}

fn listener(plane: Plane, service: &'static str, ports: Fact<Vec<SvcTerm>>, live: Fact<bool>, limits: Limit) -> Listener {
    let at = live.origin.clone();
    Listener {
        plane,
        service,
        ports,
        span: at.spans().first().copied(),
        bindings: Vec::new(),
        live: Live::own(live),
        cleartext: Fact::known(false, at.clone()),
        redirect_only: Fact::known(false, at.clone()),
        limits,
        tls: None,
        ssh: None,
        rate_limit: Fact::known(false, at),
        peers_fixed: None,
    }
}

/// Source lists of a service, by interface: `<service> <address> <mask> <interface>`.
fn sources<'a>(export: &Export<'a>, service: &str) -> Vec<(&'a str, Vec<Node<'a>>)> {
    let mut order: Vec<(&str, Vec<Node<'a>>)> = Vec::new();
    for line in export.lines.of(service).iter().copied() {
        let words = line.len();
        // `ssh timeout 5` and the like have no interface as their last word.
        let Some(interface) = line.word(words - 1).filter(|w| words >= 3 && export.interface(w).is_some()) else { continue };
        let address = line.word_or_empty(1);
        let numeric = address.starts_with(|c: char| c.is_ascii_digit()) || line.word_or_empty(2).contains('.');
        let is_source = address.contains('/') || words >= 4 && (numeric || export.names.address(address).is_some());
        if !is_source {
            continue;
        }
        line.read();
        match order.iter_mut().find(|(i, _)| *i == interface) {
            Some((_, lines)) => lines.push(line),
            None => order.push((interface, vec![line])),
        }
    }
    order
}

fn admits(export: &Export<'_>, lines: &[Node<'_>]) -> Limit {
    let one = |line: &Node<'_>| {
        let (word, span) = (line.word_or_empty(1), line.word_span(1));
        let zero = |ix| matches!(line.word_or_empty(ix), "0" | "0.0.0.0");
        if zero(1) && zero(2) {
            return AddrExpr::AnyV4;
        }
        export.names.prefix(word, span).unwrap_or_else(|| export.names.network(word, line.word_or_empty(2), span))
    };
    let origin = Origin::all(lines.iter().map(|l| Origin::Written(l.span())));
    Limit::Sources { stage: LimitStage::Connect, admits: Fact::known(AddrExpr::Union(lines.iter().map(one).collect()), origin) }
}

fn tcp(port: &Fact<u16>) -> Fact<Vec<SvcTerm>> {
    port.map(|p| vec![SvcTerm::ports(TCP, vec![(*p, *p)])])
}

fn family(lines: &[Node<'_>]) -> Family {
    let v6 = |l: &Node<'_>| l.word_or_empty(1).contains(':');
    match (lines.iter().any(v6), lines.iter().all(v6)) {
        (false, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Both,
    }
}

/// Fills the device's listeners.
pub fn fill(export: &Export<'_>, crypto: &Crypto<'_>, device: &mut Device) {
    let mut all = Vec::new();
    web(export, &mut all);
    shells(export, &mut all);
    snmp(export, &mut all);
    ping(export, &mut all);
    vpn_web(export, crypto, &mut all);
    ike(export, crypto, &mut all);
    others(export, &mut all);
    device.listeners = export.list("listeners", all);
}

/// Whether old TLS is accepted, by `ssl server-version`.
fn tls(export: &Export<'_>) -> Tls {
    let old = |v: &str| Some(!matches!(v, "tlsv1.2" | "tlsv1.3"));
    let line = export.lines.last(&["ssl", "server-version"]);
    let old = match line {
        Some(line) => old(line.word_or_empty(2)).map_or_else(|| super::unclear("ssl", line.span()), |o| Fact::written(o, line.span())),
        None => export.absent("ssl server-version", "crypto", old),
    };
    Tls { old }
}

fn nic<'e, 'a>(export: &'e Export<'a>, name: &str) -> Option<&'e Nic<'a>> {
    export.interfaces.list.iter().find(|n| n.name == name)
}

/// The port and the switch of ASDM's web server.
pub fn http_server(export: &Export<'_>) -> (Fact<bool>, Fact<u16>) {
    let line = export.lines.last(&["http", "server", "enable"]);
    let on = match line {
        Some(line) => Fact::written(true, line.span()),
        None => export.absent("http server enable", "listeners", super::on_off),
    };
    let port = match line.filter(|l| l.len() > 3) {
        Some(line) => line
            .word(3)
            .and_then(|w| w.parse().ok())
            .map_or_else(|| super::unclear("http", line.span()), |p| Fact::written(p, line.word_span(3))),
        None => export.product("http server port", |v| v.parse().ok()),
    };
    (on, port)
}

fn web(export: &Export<'_>, all: &mut Vec<Listener>) {
    let (on, port) = http_server(export);
    for (interface, lines) in sources(export, "http") {
        let Some(nic) = nic(export, interface) else { continue };
        let mut one = listener(Plane::Management, "https", tcp(&port), on.clone(), admits(export, &lines));
        one.span = lines.first().map(|l| l.span());
        one.tls = Some(tls(export));
        one.bindings.push(binding(nic, family(&lines), Fact::written(true, lines[0].span())));
        all.push(one);
    }
    for line in export.lines.all(&["http", "redirect"]) {
        let Some(nic) = nic(export, line.word_or_empty(2)) else { continue };
        let ports = match line.word(3).and_then(|w| w.parse::<u16>().ok()) {
            Some(port) => Fact::written(port, line.word_span(3)),
            None => export.default_at("http redirect port", line.span(), |v| v.parse().ok()),
        };
        let on = Fact::written(true, line.span());
        let mut one = listener(Plane::Management, "http", tcp(&ports), on.clone(), Limit::None(Origin::Written(line.span())));
        one.cleartext = on.clone();
        one.redirect_only = on.clone();
        one.bindings.push(binding(nic, Family::V4, on));
        all.push(one);
    }
}

fn shells(export: &Export<'_>, all: &mut Vec<Listener>) {
    for (interface, lines) in sources(export, "ssh") {
        let Some(nic) = nic(export, interface) else { continue };
        let port = export.product("ssh port", |v| v.parse().ok());
        let on = Fact::written(true, lines[0].span());
        let mut one = listener(Plane::Management, "ssh", tcp(&port), on.clone(), admits(export, &lines));
        one.ssh = Some(ssh(export));
        one.bindings.push(binding(nic, family(&lines), on));
        all.push(one);
    }
    for (interface, lines) in sources(export, "telnet") {
        let Some(nic) = nic(export, interface) else { continue };
        let port = export.product("telnet port", |v| v.parse().ok());
        let at = lines[0].span();
        let on = Fact::written(true, at);
        let mut one = listener(Plane::Management, "telnet", tcp(&port), on.clone(), admits(export, &lines));
        one.cleartext = on.clone();
        // The box refuses Telnet on the interface with the lowest security level, except out of a tunnel.
        let bound = match export.interfaces.is_lowest(nic) {
            Some(true) => Fact::known(false, Origin::inferred("telnet_on_lowest_level", [Origin::Written(at), nic.level.origin.clone()])),
            _ => on,
        };
        one.bindings.push(binding(nic, family(&lines), bound));
        all.push(one);
    }
}

fn ssh(export: &Export<'_>) -> Ssh {
    let v1 = |v: &str| Some(v != "2");
    let v1 = match export.lines.last(&["ssh", "version"]) {
        Some(line) => Fact::written(v1(line.word_or_empty(2)).unwrap_or(true) && !has_word(line, "2", 2), line.span()),
        None => export.absent("ssh version", "crypto", v1),
    };
    let weak = |v: &str| Some(matches!(v, "dh-group1-sha1" | "dh-group1"));
    let words = ["ssh", "key-exchange", "group"];
    let exchange = match export.lines.last(&words) {
        Some(line) => Fact::written(weak(line.word_or_empty(3)).unwrap_or(false), line.span()),
        None => export.absent("ssh key-exchange group", "crypto", weak),
    };
    let never = exchange.map(|_| false);
    let (weak_only, weak_offered) = (exchange, never);
    Ssh { v1, weak_only, weak_offered }
}

fn snmp(export: &Export<'_>, all: &mut Vec<Listener>) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let on = match export.lines.last(&["no", "snmp-server", "enable"]) {
        Some(line) if line.len() == 3 => Fact::written(false, line.span()),
        _ => export.absent("snmp-server enable", "snmp", super::on_off),
    };
    for line in export.lines.all(&["snmp-server", "host"]).into_iter().chain(export.lines.all(&["snmp-server", "host-group"])) {
        let Some(nic) = nic(export, line.word_or_empty(2)) else { continue };
        if has_word(line, "trap", 4) {
            continue;
        }
        let secure = after(line, "version", 4).is_some_and(|(v, _)| v == "3");
        let host = if line.word(1) == Some("host") { export.names.host(line.word_or_empty(3), line.word_span(3)) } else { AddrExpr::Any };
        let source = Limit::Sources { stage: LimitStage::Connect, admits: Fact::written(host, line.span()) };
        let next = all.len();
        let ix = *seen.entry(nic.name).or_insert(next);
        if ix == next {
            let port = export.product("snmp-server listen-port", |v| v.parse::<u16>().ok());
            let live = Fact::written(true, line.span()).and(&on);
            let mut one = listener(
                Plane::Management,
                "snmp",
                port.map(|p| vec![SvcTerm::ports(UDP, vec![(*p, *p)])]),
                live,
                Limit::AnyOf(Vec::new()),
            );
            one.span = Some(line.span());
            one.cleartext = Fact::written(!secure, line.span());
            one.bindings.push(binding(nic, Family::Both, Fact::written(true, line.span())));
            all.push(one);
        }
        if !secure {
            all[ix].cleartext = Fact::written(true, line.span());
        }
        if let Limit::AnyOf(list) = &mut all[ix].limits {
            list.push(source);
        }
    }
}

/// Answers to echo requests: everybody's, or what the interface's own list admits.
fn ping(export: &Export<'_>, all: &mut Vec<Listener>) {
    for nic in &export.interfaces.list {
        let mut rows: Vec<(bool, AddrExpr, Span)> = Vec::new();
        for line in export.lines.of("icmp").iter().filter(|n| n.word(n.len() - 1) == Some(nic.name)) {
            let permit = match line.word_or_empty(1) {
                "permit" => true,
                "deny" => false,
                _ => continue,
            };
            line.read();
            let (expr, next) = match line.word_or_empty(2) {
                "any" | "any4" => (AddrExpr::AnyV4, 3),
                "host" => (export.names.host(line.word_or_empty(3), line.word_span(3)), 4),
                word => (export.names.network(word, line.word_or_empty(3), line.word_span(2)), 4),
            };
            // Rows about other messages do not decide about echo requests.
            let kind = if next + 1 < line.len() { export.names.icmp(line.word_or_empty(next), false) } else { None };
            if kind.is_none_or(|k| k == 8) {
                rows.push((permit, expr, line.span()));
            } else {
                rows.push((false, AddrExpr::Nothing, line.span()));
            }
        }
        let on = export.product("icmp echo", super::on_off);
        let limits = if rows.is_empty() {
            Limit::None(on.origin.clone())
        } else {
            let origin = Origin::all(rows.iter().map(|(_, _, s)| Origin::Written(*s)));
            let fold = |rest: AddrExpr, (permit, expr, _): (bool, AddrExpr, Span)| match permit {
                true => AddrExpr::Union(vec![expr, rest]),
                false => AddrExpr::Except(Box::new(rest), Box::new(expr)),
            };
            let set = rows.into_iter().rev().take(500).fold(AddrExpr::Nothing, fold);
            Limit::Sources { stage: LimitStage::Connect, admits: Fact::known(flatten(set), origin) }
        };
        let echo = SvcTerm { icmp: Some((8, None)), ..SvcTerm::protocol(ICMP) };
        let mut one = listener(Plane::Infrastructure, "ping", Fact::known(vec![echo], on.origin.clone()), on.clone(), limits);
        one.span = Some(nic.node.span());
        one.bindings.push(binding(nic, Family::V4, on.clone()));
        all.push(one);
        if nic_has_v6(nic) && !export.lines.has(&["ipv6", "icmp"]) {
            let echo = SvcTerm { icmp: Some((128, None)), ..SvcTerm::protocol(ICMPV6) };
            let ports = Fact::known(vec![echo], on.origin.clone());
            let mut one = listener(Plane::Infrastructure, "ping", ports, on.clone(), Limit::None(on.origin.clone()));
            one.span = Some(nic.node.span());
            one.bindings.push(binding(nic, Family::V6, on));
            all.push(one);
        }
    }
}

fn nic_has_v6(nic: &Nic<'_>) -> bool {
    nic.node.children().any(|n| n.starts(&["ipv6", "address"]) || n.starts(&["ipv6", "enable"]))
}

/// A fold nests as deep as it has rows; unions of unions become one.
fn flatten(expr: AddrExpr) -> AddrExpr {
    let mut parts = Vec::new();
    let mut rest = expr;
    loop {
        match rest {
            AddrExpr::Union(mut list) if list.len() == 2 => match (list.pop(), list.pop()) {
                (Some(next), Some(first)) => {
                    parts.push(first);
                    rest = next;
                }
                _ => break,
            },
            AddrExpr::Nothing => break,
            other => {
                parts.push(other);
                break;
            }
        }
    }
    AddrExpr::Union(parts)
}

/// The web server of the VPN, on each interface it is enabled on.
fn vpn_web(export: &Export<'_>, crypto: &Crypto<'_>, all: &mut Vec<Listener>) {
    let slowed = match export.lines.last(&["threat-detection", "service", "remote-access-authentication"]) {
        Some(line) => Fact::written(true, line.span()),
        None => export.absent("threat-detection service", "listeners", super::on_off),
    };
    for (nic, line, port) in web_enabled(export) {
        let on = Fact::written(true, line.span());
        // One server for every interface it is enabled on.
        if let Some(one) = all.iter_mut().find(|l| l.service == "ssl_vpn") {
            one.bindings.push(binding(nic, Family::Both, on));
            continue;
        }
        let ports = port.map(|p| vec![SvcTerm::ports(TCP, vec![(*p, *p)]), SvcTerm::ports(UDP, vec![(*p, *p)])]);
        let mut one = listener(Plane::Vpn, "ssl_vpn", ports, on.clone(), Limit::None(Origin::Written(line.span())));
        one.tls = Some(tls(export));
        one.rate_limit = slowed.clone();
        one.peers_fixed = Some(Fact::written(false, line.span()));
        one.bindings.push(binding(nic, Family::Both, on));
        all.push(one);
    }
    for nic in &export.interfaces.list {
        if let Some((line, word, ix)) = crypto.client_services(nic.name)
            && let Ok(port) = word.parse::<u16>()
            && !all.iter().any(|l| l.service == "ssl_vpn" && l.bindings.iter().any(|b| b.on == Some(nic.ix)))
        {
            let on = Fact::written(true, line.span());
            let ports = tcp(&Fact::written(port, line.word_span(ix)));
            let mut one = listener(Plane::Vpn, "vpn_portal", ports, on.clone(), Limit::None(Origin::Written(line.span())));
            one.tls = Some(tls(export));
            one.rate_limit = slowed.clone();
            one.peers_fixed = Some(Fact::written(false, line.span()));
            one.bindings.push(binding(nic, Family::Both, on));
            all.push(one);
        }
    }
}

/// Interfaces on which the VPN's web server answers: the `enable` line and the port.
pub fn web_enabled<'e, 'a>(export: &'e Export<'a>) -> Vec<(&'e Nic<'a>, Node<'a>, Fact<u16>)> {
    let mut found = Vec::new();
    for block in export.lines.all(&["webvpn"]) {
        let port = block.children().filter(|n| n.starts(&["port"])).map(|n| n.read()).last();
        let port = match port {
            Some(line) => line
                .word(1)
                .and_then(|w| w.parse().ok())
                .map_or_else(|| super::unclear("port", line.span()), |p| Fact::written(p, line.span())),
            None => export.default_at("webvpn port", block.span(), |v| v.parse().ok()),
        };
        for line in block.children().filter(|n| n.word(0) == Some("enable")) {
            if let Some(nic) = nic(export, line.read().word_or_empty(1)) {
                found.push((nic, line, port.clone()));
            }
        }
    }
    found.sort_by_key(|(nic, ..)| nic.level.get().copied().unwrap_or(100));
    found
}

fn ike(export: &Export<'_>, crypto: &Crypto<'_>, all: &mut Vec<Listener>) {
    for nic in &export.interfaces.list {
        let Some(line) = crypto.ike_on(nic.name) else { continue };
        let on = Fact::written(true, line.span());
        let ports = export.default_at("crypto ike ports", line.span(), |v| {
            v.split(' ').map(|p| p.parse().ok().map(|p| SvcTerm::ports(UDP, vec![(p, p)]))).collect::<Option<Vec<_>>>()
        });
        let mut one = listener(Plane::Vpn, "ike", ports, on.clone(), Limit::None(Origin::Written(line.span())));
        // Only static entries with peers: those addresses are all that need reach it.
        let maps: Vec<&str> = crypto.bound.iter().filter(|(i, _, _)| *i == nic.name).map(|(_, m, _)| *m).collect();
        let entries = || crypto.maps.iter().filter(|e| maps.contains(&e.map));
        let fixed = entries().next().is_some() && entries().all(|e| e.dynamic().is_none() && e.line(&["set", "peer"]).is_some());
        one.peers_fixed = Some(Fact::written(fixed, line.span()));
        one.bindings.push(binding(nic, Family::Both, on));
        all.push(one);
    }
}

fn others(export: &Export<'_>, all: &mut Vec<Listener>) {
    for line in export.lines.all(&["dhcpd", "enable"]) {
        let Some(nic) = nic(export, line.word_or_empty(2)) else { continue };
        let on = Fact::written(true, line.span());
        let ports = Fact::written(vec![SvcTerm::ports(UDP, vec![(67, 67)])], line.span());
        let mut one = listener(Plane::Infrastructure, "dhcp", ports, on.clone(), Limit::None(Origin::Written(line.span())));
        one.bindings.push(binding(nic, Family::V4, on));
        all.push(one);
    }
    for line in export.lines.all(&["aaa", "authentication", "listener"]) {
        let (service, default) = match line.word_or_empty(3) {
            "http" => ("http", "aaa authentication listener http"),
            _ => ("https", "aaa authentication listener https"),
        };
        let Some(nic) = nic(export, line.word_or_empty(4)) else { continue };
        let on = Fact::written(true, line.span());
        let port = match after(line, "port", 5).and_then(|(p, ix)| Some((export.names.port(p)?, ix))) {
            Some((port, ix)) => Fact::written(port, line.word_span(ix)),
            None => export.default_at(default, line.span(), |v| v.parse().ok()),
        };
        let mut one = listener(Plane::Portal, "captive_portal", tcp(&port), on.clone(), Limit::None(Origin::Written(line.span())));
        one.cleartext = Fact::written(service == "http", line.span());
        one.bindings.push(binding(nic, Family::V4, on));
        all.push(one);
    }
}
