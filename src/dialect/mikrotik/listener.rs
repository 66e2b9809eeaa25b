//! What the router itself answers: the fixed rows of `/ip service`, and the servers that have menus of their own.
//!
//! An export prints only services that somebody changed; the others are as the factory made them, which is on for most. Nothing
//! is bound to an interface: the chain `input` and the services' own address lists decide who gets in.

use super::menus::Value;
use super::{Export, address, ipsec, remote, snmp, wireguard, yes, yes_no};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, ESP, Family, GRE, ICMP, ICMPV6, SvcTerm, TCP, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Binding, Limit, LimitStage, Listener, Plane, Reach, Ssh, Tls};
use crate::ir::live::Live;
use crate::source::Span;
use std::collections::HashMap;

const TOPIC: &str = "listeners";

/// Fills the listeners.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let mut out = services(export);
    out.extend(snmp::listener(export));
    out.extend(infrastructure(export));
    out.extend(vpn(export));
    out.extend(layer2(export));
    device.listeners = export.list(TOPIC, out);
}

fn no(export: &Export<'_>) -> Fact<bool> {
    Fact::known(false, export.evidence())
}

/// A listener on every interface, for everybody.
pub fn base(
    export: &Export<'_>,
    plane: Plane,
    service: &'static str,
    ports: Fact<Vec<SvcTerm>>,
    on: Fact<bool>,
    span: Option<Span>,
) -> Listener {
    Listener {
        plane,
        service,
        ports,
        span: span.or(export.head),
        bindings: vec![Binding {
            on: None,
            family: Family::Both,
            bound: export.product("ip service.every-interface", yes_no),
            reach: Reach::Direct,
        }],
        live: Live::own(on),
        cleartext: no(export),
        redirect_only: no(export),
        limits: Limit::None(export.evidence()),
        tls: None,
        ssh: None,
        rate_limit: export.product("capability.login_lockout", yes_no),
        peers_fixed: None,
    }
}

/// Names of services, what they are here, and whether they are readable on the way.
const SERVICES: [(&str, &str, bool); 8] = [
    ("telnet", "telnet", true),
    ("ftp", "ftp", true),
    ("www", "http", true),
    ("ssh", "ssh", false),
    ("www-ssl", "https", false),
    ("api", "api", true),
    ("winbox", "vendor_management", false),
    ("api-ssl", "api_tls", false),
];

/// The last value of each attribute of each service, and what switches it.
struct Row<'a> {
    span: Span,
    values: HashMap<&'a str, Value<'a>>,
    switched: Option<Fact<bool>>,
}

fn service_rows<'a>(export: &Export<'a>) -> HashMap<&'a str, Row<'a>> {
    let mut rows: HashMap<&'a str, Row<'a>> = HashMap::new();
    for item in export.menus.items("/ip service") {
        for target in item.targets() {
            let target = target.strip_prefix("name=").unwrap_or(target);
            for name in target.split(',') {
                let Some(name) = service_name(export, name) else { continue };
                let row = rows.entry(name).or_insert(Row { span: item.span(), values: HashMap::new(), switched: None });
                row.span = item.span();
                match item.verb() {
                    "set" => {
                        for (node, value) in item.attributes() {
                            node.read();
                            if value.key == "disabled" {
                                row.switched = Some(yes(&value).negate());
                            }
                            row.values.insert(value.key, value);
                        }
                    }
                    "disable" => row.switched = Some(Fact::written(false, item.span())),
                    "enable" => row.switched = Some(Fact::written(true, item.span())),
                    _ => {}
                }
            }
        }
    }
    rows
}

/// The name of a service; numbers count the factory's rows.
fn service_name(export: &Export<'_>, word: &str) -> Option<&'static str> {
    let known = |name: &str| SERVICES.iter().map(|(n, ..)| *n).find(|n| *n == name);
    match word.parse::<usize>() {
        Ok(n) => export.grammar.names("service_order").get(n).and_then(|name| known(name)),
        Err(_) => known(word),
    }
}

fn services(export: &Export<'_>) -> Vec<Listener> {
    let rows = service_rows(export);
    let mut out = Vec::new();
    for (name, service, cleartext) in SERVICES {
        let row = rows.get(name);
        let key = |what: &str| format!("ip service {name}.{what}");
        let on = match row.and_then(|r| r.switched.clone()) {
            Some(on) => on,
            None => export.absent(&key("disabled"), TOPIC, yes_no).negate(),
        };
        let get = |what: &str| row.and_then(|r| r.values.get(what)).copied().filter(|v| !v.text.is_empty());
        let port = match get("port") {
            Some(value) => value
                .text
                .parse::<u16>()
                .map_or_else(|_| Fact::unknown(Why::at(WhyCode::Ambiguous, "port", vec![value.span])), |p| Fact::written(p, value.span)),
            None => export.absent(&key("port"), TOPIC, |w| w.parse::<u16>().ok()),
        };
        let ports = port.map(|p| vec![SvcTerm::ports(TCP, [(*p, *p)])]);
        let mut listener = base(export, Plane::Management, service, ports, on, row.map(|r| r.span));
        listener.cleartext = Fact::known(cleartext, export.evidence());
        listener.limits = match get("address") {
            Some(value) => sources(value),
            None if row.is_none() && export.gaps.contains_key(TOPIC) => {
                Limit::Unknown(Why::at(WhyCode::NotExported, "ip service", export.head.into_iter().collect()))
            }
            None => Limit::None(row.map_or_else(|| export.evidence(), |r| Origin::Written(r.span))),
        };
        if matches!(name, "www-ssl" | "api-ssl") && get("certificate").is_some_and(|v| v.text != "none") {
            let old = |w: &str| Some(!w.contains("only-1.2") && !w.contains("only-1.3"));
            let fact = match get("tls-version") {
                Some(value) => Fact::written(old(value.text) == Some(true), value.span),
                None => export.absent("ip service.tls-version", TOPIC, old),
            };
            listener.tls = Some(Tls { old: fact });
        }
        if name == "ssh" {
            let strong = export.switch("/ip ssh", "strong-crypto", TOPIC);
            listener.ssh = Some(Ssh { v1: no(export), weak_only: no(export), weak_offered: strong.negate() });
        }
        out.push(listener);
    }
    out
}

/// The list of addresses a service admits.
pub fn sources(value: Value<'_>) -> Limit {
    let parts: Option<Vec<AddrExpr>> = value.parts().map(address::set).collect();
    let admits = match parts {
        Some(parts) => Fact::written(AddrExpr::union(parts), value.span),
        None => Fact::unknown(Why::at(WhyCode::Ambiguous, value.key, vec![value.span])),
    };
    Limit::Sources { stage: LimitStage::Connect, admits }
}

fn fixed(export: &Export<'_>, terms: Vec<SvcTerm>) -> Fact<Vec<SvcTerm>> {
    Fact::known(terms, export.evidence())
}

/// A port that a menu may move.
fn port_of(export: &Export<'_>, path: &str, key: &str, protocols: &[u8]) -> Fact<Vec<SvcTerm>> {
    let port = match export.menus.setting(path, key) {
        Some(value) => value
            .text
            .split(',')
            .next()
            .and_then(|p| p.parse::<u16>().ok())
            .map_or_else(|| Fact::unknown(Why::at(WhyCode::Ambiguous, value.key, vec![value.span])), |p| Fact::written(p, value.span)),
        None => export.absent(&format!("{}.{key}", path.trim_start_matches('/')), TOPIC, |w| w.parse::<u16>().ok()),
    };
    port.map(|p| protocols.iter().map(|protocol| SvcTerm::ports(*protocol, [(*p, *p)])).collect())
}

fn infrastructure(export: &Export<'_>) -> Vec<Listener> {
    let at = |path: &str, key: &str| export.menus.setting(path, key).map(|v| v.span).or_else(|| export.menus.head(path));
    let mut out = Vec::new();
    let dns = export.switch("/ip dns", "allow-remote-requests", TOPIC);
    let both = |p: u16| vec![SvcTerm::ports(UDP, [(p, p)]), SvcTerm::ports(TCP, [(p, p)])];
    out.push(base(export, Plane::Infrastructure, "dns", fixed(export, both(53)), dns, at("/ip dns", "allow-remote-requests")));
    for (path, key, service, port, protocols) in [
        ("/ip proxy", "enabled", "proxy", "port", &[TCP][..]),
        ("/ip socks", "enabled", "proxy", "port", &[TCP][..]),
        ("/tool bandwidth-server", "enabled", "speed_test", "port", &[TCP, UDP][..]),
        ("/ip upnp", "enabled", "upnp", "port", &[UDP, TCP][..]),
        ("/ip nat-pmp", "enabled", "upnp", "port", &[UDP][..]),
        ("/system ntp server", "enabled", "ntp", "port", &[UDP][..]),
    ] {
        let on = export.switch(path, key, TOPIC);
        out.push(base(export, Plane::Infrastructure, service, port_of(export, path, port, protocols), on, at(path, key)));
    }
    out.extend(hotspots(export));
    let echo = export.product("icmp echo.enabled", yes_no);
    let terms = vec![
        SvcTerm { icmp: Some((8, None)), ..SvcTerm::protocol(ICMP) },
        SvcTerm { icmp: Some((128, None)), ..SvcTerm::protocol(ICMPV6) },
    ];
    out.push(base(export, Plane::Infrastructure, "ping", fixed(export, terms), echo, None));
    out
}

/// Login pages for guests, each on its interface.
fn hotspots(export: &Export<'_>) -> Vec<Listener> {
    let mut out = Vec::new();
    for row in export.menus.rows("/ip hotspot") {
        let Some(ix) = row.text("interface").and_then(|v| export.interfaces.named(v.text)) else { continue };
        let terms = fixed(export, vec![SvcTerm::ports(TCP, [(80, 80), (443, 443)])]);
        let on = export.enabled(row, "ip hotspot");
        let mut page = base(export, Plane::Portal, "captive_portal", terms, on, Some(row.span()));
        let bound = Fact::written(true, row.span());
        page.bindings = vec![Binding { on: Some(ix), family: Family::V4, bound, reach: Reach::Direct }];
        out.push(page);
    }
    out
}

fn vpn(export: &Export<'_>) -> Vec<Listener> {
    let mut out = Vec::new();
    for server in remote::servers(export) {
        let (service, ports) = match server.kind {
            "l2tp" => ("l2tp", fixed(export, vec![SvcTerm::ports(UDP, [(1701, 1701)])])),
            "pptp" => ("pptp", fixed(export, vec![SvcTerm::ports(TCP, [(1723, 1723)]), SvcTerm::protocol(GRE)])),
            "sstp" => ("sstp", server.port(export).map(|p| vec![SvcTerm::ports(TCP, [(*p, *p)])])),
            _ => {
                let udp = server.get("protocol").is_some_and(|v| v.text == "udp");
                ("openvpn", server.port(export).map(|p| vec![SvcTerm::ports(if udp { UDP } else { TCP }, [(*p, *p)])]))
            }
        };
        out.push(base(export, Plane::Vpn, service, ports, server.on.clone(), Some(server.span)));
    }
    let peers = ipsec::peers(export);
    let offers = ipsec::l2tp_offers(export);
    let mut ons: Vec<(Fact<bool>, Span)> = peers.iter().map(|p| (p.live(export).value(), p.item.span())).collect();
    ons.extend(offers);
    if let Some((first, span)) = ons.first().cloned() {
        let on = ons.iter().skip(1).fold(first, |acc, (on, _)| acc.or(on));
        let at = ons.iter().find(|(on, _)| !on.value.is_false()).map_or(span, |(_, s)| *s);
        let any = ons.len() > peers.len() || peers.iter().any(|p| p.any_address() && !p.live(export).value().value.is_false());
        let mut ike =
            base(export, Plane::Vpn, "ike", fixed(export, vec![SvcTerm::ports(UDP, [(500, 500), (4500, 4500)])]), on.clone(), Some(at));
        ike.peers_fixed = Some(Fact::known(!any, Origin::Written(at)));
        let mut esp = base(export, Plane::Vpn, "esp", fixed(export, vec![SvcTerm::protocol(ESP)]), on, Some(at));
        esp.peers_fixed = ike.peers_fixed.clone();
        out.extend([ike, esp]);
    }
    for (item, on) in wireguard::interfaces(export) {
        let port = match item.text("listen-port") {
            Some(value) => value.text.parse::<u16>().map_or_else(
                |_| Fact::unknown(Why::at(WhyCode::Ambiguous, "listen-port", vec![value.span])),
                |p| Fact::written(vec![SvcTerm::ports(UDP, [(p, p)])], value.span),
            ),
            None => Fact::unknown(Why::at(WhyCode::RuntimeContent, "listen-port", vec![item.span()])),
        };
        out.push(base(export, Plane::Vpn, "wireguard", port, on, Some(item.span())));
    }
    out
}

/// Discovery and management by MAC address, on the interfaces of a list.
fn layer2(export: &Export<'_>) -> Vec<Listener> {
    let mut out = Vec::new();
    for (path, key, service) in [
        ("/ip neighbor discovery-settings", "discover-interface-list", "discovery"),
        ("/tool mac-server", "allowed-interface-list", "vendor_management"),
        ("/tool mac-server mac-winbox", "allowed-interface-list", "vendor_management"),
    ] {
        let value = export.menus.setting(path, key);
        let list = match value {
            Some(value) => Fact::written(value.text.to_owned(), value.span),
            None => export.absent(&format!("{}.{key}", path.trim_start_matches('/')), TOPIC, |w| Some(w.to_owned())),
        };
        let (name, negated) = list.get().map_or(("", false), |w| w.strip_prefix('!').map_or((w.as_str(), false), |w| (w, true)));
        let members = export.interfaces.of_list(name);
        let on = match (name, negated) {
            ("none", false) => list.map(|_| false),
            _ => list.map(|_| true),
        };
        let mut listener =
            base(export, Plane::Layer2, service, fixed(export, Vec::new()), on, value.map(|v| v.span).or_else(|| export.menus.head(path)));
        let origin = list.origin.clone();
        listener.bindings = (0..export.interfaces.list.len() as u32)
            .map(|ix| {
                let bound = match (&members, list.get()) {
                    (Some(set), Some(_)) => Fact::known(set.contains(&ix) != negated, origin.clone()),
                    _ => Fact::unknown(Why::at(WhyCode::Unresolved, name, origin.spans())),
                };
                Binding { on: Some(InterfaceIx(ix)), family: Family::Both, bound, reach: Reach::Direct }
            })
            .filter(|b| !b.bound.value.is_false())
            .collect();
        out.push(listener);
    }
    out
}
