//! Services that administer the box: virtual terminals, the web page, SNMP, NETCONF and RESTCONF, file servers.
//!
//! Every range of virtual terminals and every SNMP community has a list of its own; a list for IPv4 says nothing about IPv6.

use super::acl::port;
use super::line::{Kind, Line};
use super::listener::base;
use super::{Block, Export, on_off};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind, SvcTerm, TCP, UDP};
use crate::ir::listener::{Limit, LimitStage, Listener, Plane, Ssh, Tls};
use crate::ir::live::{LinkKind, Live};
use crate::ir::system::{IfUndefined, Undefined};
use crate::source::Span;
use crate::syntax::Node;

/// A list that a service names, for one family.
struct Named<'a> {
    name: &'a str,
    span: Span,
}

/// Sources that a service's lists admit: one list a family; a family without one is not limited.
fn limit(
    export: &Export<'_>,
    v4: Option<Named<'_>>,
    v6: Option<Named<'_>>,
    (protocol, port): (u8, u16),
    undefined: &mut Vec<Undefined>,
    absent: Origin,
) -> Limit {
    if v4.is_none() && v6.is_none() {
        return Limit::None(absent);
    }
    let mut origins = Vec::new();
    let mut parts = Vec::new();
    for (named, six) in [(v4, false), (v6, true)] {
        let any = || if six { AddrExpr::AnyV6 } else { AddrExpr::AnyV4 };
        let Some(named) = named else {
            parts.push(any());
            continue;
        };
        origins.push(Origin::Written(named.span));
        match (export.lists.get(six, named.name), export.may_lack("local_filter")) {
            (Some(list), _) => parts.push(export.lists.sources(list, protocol, port)),
            (None, Some(why)) => return Limit::Unknown(why.clone()),
            (None, None) => {
                let effect = export.product("access-list undefined", |v| (v == "permit").then_some(IfUndefined::MatchesAll));
                origins.push(effect.origin.clone());
                undefined.push(Undefined { kind: "filter", name: named.name.to_owned(), span: named.span, effect });
                parts.push(any());
            }
        }
    }
    Limit::Sources { stage: LimitStage::Connect, admits: Fact::known(AddrExpr::Union(parts), Origin::all(origins)) }
}

fn tcp(port: u16) -> Vec<SvcTerm> {
    vec![SvcTerm::ports(TCP, vec![(port, port)])]
}

/// SSH and Telnet on the virtual terminals, one listener for each range and protocol.
pub fn terminals(export: &Export<'_>, lines: &[Line<'_>], undefined: &mut Vec<Undefined>) -> Vec<Listener> {
    let mut out = Vec::new();
    for line in lines.iter().filter(|l| l.kind == Kind::Vty && l.exec && !l.repeated) {
        let block = line.block();
        let input = block.line(&["transport", "input"]);
        let accepted: Fact<Vec<&str>> = match input {
            Some(node) => Fact::written(node.words_from(2).collect(), node.span()),
            None => {
                let words = |v: &str| {
                    Some(if v == "all" {
                        vec!["all"]
                    } else if v == "ssh" {
                        vec!["ssh"]
                    } else {
                        vec!["none"]
                    })
                };
                export.default_at("line vty transport input", Some(line.node.span()), words)
            }
        };
        // Nobody gets in where every login is refused.
        let logs_in = line.methods.map(|m| !m.is_empty());
        let by_line_password = line.methods.map(|m| m.first() != Some(&super::aaa::Method::Line));
        for (service, number) in [("ssh", 22), ("telnet", 23)] {
            let takes = accepted.map(|w| w.iter().any(|x| *x == service || *x == "all"));
            let word = input
                .and_then(|n| (2..n.len()).find(|ix| n.word(*ix).is_some_and(|w| w == service || w == "all")).map(|ix| n.word_span(ix)));
            let span = word.or(input.map(|n| n.span())).unwrap_or_else(|| line.node.span());
            let mut live = Live::own(Fact { value: takes.value, origin: word.map_or(takes.origin, Origin::Written) });
            if !logs_in.value.is_true() {
                live = live.with(LinkKind::FeatureOn, logs_in.clone());
            }
            if service == "ssh" {
                // SSH needs keys, which no configuration shows, and a user to name.
                live = live.with(LinkKind::KeyPresent, keys(export, input, line.node.span()));
                if by_line_password.value.is_false() {
                    live = live.with(LinkKind::FeatureOn, by_line_password.clone());
                }
            }
            let mut listener = base(service, Plane::Management, tcp(number), live, Some(span));
            listener.cleartext = Fact::known(service == "telnet", Origin::Written(span));
            let class = |words: &[&str], at: usize| {
                let found = block.lines(words).filter(|n| n.word(at + 1) == Some("in")).last();
                found.map(|n| Named { name: n.word_or_empty(at), span: n.span() })
            };
            let none = Origin::Written(line.node.span());
            let v4 = class(&["access-class"], 1);
            listener.limits = limit(export, v4, class(&["ipv6", "access-class"], 2), (TCP, number), undefined, none);
            listener.rate_limit = Fact::known(false, Origin::Written(line.node.span()));
            if service == "ssh" {
                listener.ssh = Some(algorithms(export));
                if let Some(moved) = export.line(&["ip", "ssh", "port"]).and_then(|n| n.word(3).and_then(|w| w.parse().ok())) {
                    listener.ports = listener.ports.map(|terms| {
                        let mut terms = terms.clone();
                        terms.extend(tcp(moved));
                        terms
                    });
                }
            }
            out.push(listener);
        }
    }
    out
}

fn keys(export: &Export<'_>, input: Option<Node<'_>>, at: Span) -> Fact<bool> {
    let named = export.line(&["ip", "ssh", "rsa", "keypair-name"]).or_else(|| export.line(&["ip", "ssh", "version"]));
    match named.or(input) {
        Some(line) => Fact::known(true, Origin::inferred("ssh_keys_assumed", [Origin::Written(line.span())])),
        None => Fact::unknown(Why::at(WhyCode::NotExported, "crypto key generate rsa", vec![at])),
    }
}

fn algorithms(export: &Export<'_>) -> Ssh {
    let v1 = match export.line(&["ip", "ssh", "version"]) {
        Some(node) => Fact::written(node.word(3) != Some("2"), node.span()),
        None => export.absent("ip ssh version", "crypto", |v| Some(v != "2")),
    };
    let mut offered: Option<(bool, bool, Span)> = None;
    for kind in ["encryption", "mac", "kex"] {
        let Some(node) = export.line(&["ip", "ssh", "server", "algorithm", kind]) else { continue };
        let weak = |w: &str| w.ends_with("cbc") || w.contains("md5") || w.ends_with("group1-sha1");
        let words: Vec<&str> = node.words_from(5).collect();
        let bad = words.iter().filter(|w| weak(w)).count();
        let (some, only) = (bad > 0, bad > 0 && bad == words.len());
        let before = offered.unwrap_or((false, false, node.span()));
        offered = Some((before.0 || some, before.1 || only, if some { node.span() } else { before.2 }));
    }
    match offered {
        Some((some, only, span)) => Ssh { v1, weak_only: Fact::written(only, span), weak_offered: Fact::written(some, span) },
        None => {
            let weak = |v: &str| Some(v == "weak");
            Ssh {
                v1,
                weak_only: export.product("ip ssh weak only", on_off),
                weak_offered: export.absent("ip ssh server algorithm", "crypto", weak),
            }
        }
    }
}

/// The web page, in clear and encrypted, and the interfaces that ride on it.
pub fn web(export: &Export<'_>, undefined: &mut Vec<Undefined>) -> Vec<Listener> {
    let mut out = Vec::new();
    let class = |six: bool| {
        let family = if six { "ipv6" } else { "ipv4" };
        let modern = export.line(&["ip", "http", "access-class", family]).map(|n| Named { name: n.word_or_empty(4), span: n.span() });
        let old = export.lines(&["ip", "http", "access-class"]).filter(|n| !six && n.len() == 4).last();
        modern.or(old.map(|n| Named { name: n.word_or_empty(3), span: n.span() }))
    };
    let secure = export.switch(&["ip", "http", "secure-server"], "listeners");
    for (service, words, moved, usual, cleartext) in [
        ("http", ["ip", "http", "server"], ["ip", "http", "port"], 80, true),
        ("https", ["ip", "http", "secure-server"], ["ip", "http", "secure-port"], 443, false),
    ] {
        let own = export.switch(&words, "listeners");
        let line = export.line(&words);
        let number = export.line(&moved).and_then(|n| n.word(3).and_then(|w| port(export, w))).unwrap_or(usual);
        let modules = if cleartext { ["ip", "http", "active-session-modules"] } else { ["ip", "http", "secure-active-session-modules"] };
        let mut live = Live::own(own);
        if let Some(node) = export.line(&modules).filter(|n| n.word(3) == Some("none")) {
            // It answers, but nothing behind it does.
            live = live.with(LinkKind::FeatureOn, Fact::written(false, node.span()));
        }
        let mut listener = base(service, Plane::Management, tcp(number), live, line.map(|n| n.span()).or(export.head));
        listener.cleartext = Fact::known(cleartext, Origin::all(line.map(|n| Origin::Written(n.span()))));
        let none = Origin::Written(line.map_or_else(|| export.head_span(), |n| n.span()));
        listener.limits = limit(export, class(false), class(true), (TCP, number), undefined, none);
        if !cleartext {
            listener.tls = Some(Tls { old: tls(export) });
        }
        out.push(listener);
    }
    if let Some(node) = export.line(&["restconf"]) {
        let live = Live::own(Fact::written(true, node.span())).with(LinkKind::ParentUp, secure);
        let mut listener = base("api", Plane::Management, tcp(443), live, Some(node.span()));
        let v4 = export.line(&["restconf", "ipv4", "access-list", "name"]).map(|n| Named { name: n.word_or_empty(4), span: n.span() });
        let v6 = export.line(&["restconf", "ipv6", "access-list", "name"]).map(|n| Named { name: n.word_or_empty(4), span: n.span() });
        listener.limits = limit(export, v4.or_else(|| class(false)), v6, (TCP, 443), undefined, Origin::Written(node.span()));
        out.push(listener);
    }
    out
}

fn tls(export: &Export<'_>) -> Fact<bool> {
    match export.line(&["ip", "http", "tls-version"]) {
        Some(node) => Fact::written(node.words_from(3).any(|w| w == "TLSv1.0" || w == "TLSv1.1"), node.span()),
        None => export.absent("ip http tls-version", "crypto", |v| Some(v == "old")),
    }
}

/// NETCONF over SSH, old and new.
pub fn netconf(export: &Export<'_>, undefined: &mut Vec<Undefined>) -> Vec<Listener> {
    let mut out = Vec::new();
    for (words, number) in [(&["netconf-yang"][..], 830u16), (&["netconf", "ssh"][..], 22)] {
        let Some(node) = export.lines(words).find(|n| n.len() == words.len() || words.len() == 2) else { continue };
        let live = Live::own(Fact::written(true, node.span()));
        let mut listener = base("netconf", Plane::Management, tcp(number), live, Some(node.span()));
        let list = |family| {
            let modern = export.line(&["netconf-yang", "ssh", family, "access-list", "name"]);
            modern.map(|n| Named { name: n.word_or_empty(5), span: n.span() })
        };
        let old = (words.len() == 2 && node.word(2) == Some("acl")).then(|| Named { name: node.word_or_empty(3), span: node.span() });
        listener.limits = limit(export, list("ipv4").or(old), list("ipv6"), (TCP, number), undefined, Origin::Written(node.span()));
        out.push(listener);
    }
    out
}

/// File servers, and the protocol that configures switches.
pub fn files(export: &Export<'_>) -> Vec<Listener> {
    let mut out = Vec::new();
    for (words, service, protocol, number) in [
        (&["ftp-server", "enable"][..], "ftp", TCP, 21),
        (&["tftp-server"][..], "tftp", UDP, 69),
        (&["vstack"][..], "vendor_management", TCP, 4786),
    ] {
        let Some(node) = export.line(words) else { continue };
        let live = Live::own(Fact::written(true, node.span()));
        let mut listener =
            base(service, Plane::Management, vec![SvcTerm::ports(protocol, vec![(number, number)])], live, Some(node.span()));
        listener.cleartext = Fact::written(service != "vendor_management", node.span());
        out.push(listener);
    }
    if let Some(no) = export.no(&["vstack"]) {
        out.push(base("vendor_management", Plane::Management, tcp(4786), Live::own(Fact::written(false, no.span())), Some(no.span())));
    }
    out
}

/// A community as its line gives it.
pub struct Community<'a> {
    /// The line.
    pub node: Node<'a>,
    /// Whether it can change settings.
    pub write: bool,
    list: Option<usize>,
    list_v6: Option<usize>,
}

/// The lines `snmp-server community WORD [view V] [ro|rw] [ipv6 N] [list]`.
pub fn communities<'a>(export: &Export<'a>) -> Vec<Community<'a>> {
    let read = |node: Node<'a>| {
        let mut community = Community { node, write: false, list: None, list_v6: None };
        // The word itself may stand behind the type of its encryption.
        let mut at = if matches!(node.word(2), Some("0" | "7")) && node.word(4).is_some() { 4 } else { 3 };
        while let Some(word) = node.word(at) {
            match word.to_ascii_lowercase().as_str() {
                "view" => at += 1,
                "rw" => community.write = true,
                "ro" => {}
                "ipv6" => {
                    at += 1;
                    community.list_v6 = Some(at);
                }
                _ => community.list = Some(at),
            }
            at += 1;
        }
        community
    };
    export.lines(&["snmp-server", "community"]).filter(|n| n.word(2).is_some()).map(read).collect()
}

/// SNMP, one listener for each community since each has its own list, and one for version 3.
pub fn snmp(export: &Export<'_>, undefined: &mut Vec<Undefined>) -> Vec<Listener> {
    let term = || vec![SvcTerm::ports(UDP, vec![(161, 161)])];
    let mut out = Vec::new();
    let off = export.no(&["snmp-server"]).filter(|n| n.len() == 2);
    for community in communities(export) {
        let node = community.node;
        let own = off.map_or_else(|| Fact::written(true, node.span()), |n| Fact::written(false, n.span()));
        let mut listener = base("snmp", Plane::Management, term(), Live::own(own), Some(node.span()));
        listener.cleartext = Fact::written(true, node.span());
        let named = |at: usize| Named { name: node.word_or_empty(at), span: node.span() };
        listener.limits = match (community.list, community.list_v6) {
            (Some(v4), None) => only_v4(limit(export, Some(named(v4)), None, (UDP, 161), undefined, Origin::Written(node.span())), node),
            (v4, v6) => limit(export, v4.map(named), v6.map(named), (UDP, 161), undefined, Origin::Written(node.span())),
        };
        out.push(listener);
    }
    if let Some(node) = export.lines(&["snmp-server", "group"]).find(|n| n.word(3) == Some("v3")) {
        let own = off.map_or_else(|| Fact::written(true, node.span()), |n| Fact::written(false, n.span()));
        let mut listener = base("snmp", Plane::Management, term(), Live::own(own), Some(node.span()));
        let at = (4..node.len()).find(|ix| node.word(*ix) == Some("access")).map(|ix| ix + 1).filter(|ix| node.word(*ix) != Some("ipv6"));
        let list = at.map(|ix| Named { name: node.word_or_empty(ix), span: node.span() });
        listener.limits = limit(export, list, None, (UDP, 161), undefined, Origin::Written(node.span()));
        out.push(listener);
    }
    if out.is_empty() {
        let nobody = match export.may_lack("snmp") {
            Some(why) => Fact::unknown(why.clone()),
            None => Fact::known(false, Origin::inferred("no_community", [export.evidence()])),
        };
        let mut listener = base("snmp", Plane::Management, term(), Live::own(nobody), None);
        listener.cleartext = Fact::known(true, Origin::all([]));
        out.push(listener);
    }
    out
}

/// Whether a community's IPv4 list also refuses IPv6 requests is not settled by documentation.
fn only_v4(limit: Limit, node: Node<'_>) -> Limit {
    match limit {
        Limit::Sources { stage, admits } => {
            let unsure = AddrExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: "snmp over IPv6".to_owned(), span: node.span() });
            let admits = admits.map(|expr| {
                let first = match expr {
                    AddrExpr::Union(parts) => parts.first().cloned().unwrap_or(AddrExpr::Nothing),
                    other => other.clone(),
                };
                AddrExpr::Union(vec![first, AddrExpr::Except(Box::new(unsure.clone()), Box::new(AddrExpr::AnyV4))])
            });
            Limit::Sources { stage, admits }
        }
        other => other,
    }
}

/// What a WAN interface of a box under a controller lets in, as rows of a filter for the box itself.
pub fn controlled<'a>(export: &Export<'a>) -> Vec<(crate::ir::interface::InterfaceIx, Node<'a>, Vec<Node<'a>>)> {
    let mut out = Vec::new();
    for node in export.lines(&["sdwan"]) {
        for interface in Block(node).lines(&["interface"]) {
            let named = super::address::interface_name(interface, 1).and_then(|(n, _)| export.ports.named(&n));
            let (Some(ix), Some(tunnel)) = (named, Block(interface).line(&["tunnel-interface"])) else { continue };
            let rows =
                tunnel.children().filter(|n| n.starts(&["allow-service"]) || n.starts(&["no", "allow-service"])).map(Node::read).collect();
            out.push((ix, tunnel, rows));
        }
    }
    out
}
