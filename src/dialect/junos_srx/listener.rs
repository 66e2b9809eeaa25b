//! What administers the box: daemons of `system services`, each behind the gate of the interface it answers on.
//!
//! Three doors must be open: the daemon, the gate of the zone or interface, and the filters. Daemons belong to the whole box,
//! the gates to each context. J-Web can be tied to interfaces; without a list it answers on all.

use super::gate::admits;
use super::interface::named;
use super::value::terms;
use super::{Gatekeeping, Lowering, snmp};
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{AddrExpr, Family, SvcTerm, TCP};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::listener::{Binding, Limit, LimitStage, Listener, Plane, Reach, Ssh, Tls};
use crate::ir::live::Live;
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{at, child, rows, value};

/// A daemon: where it is switched on, what it is, under which names the gate knows it.
struct Daemon {
    path: &'static [&'static str],
    service: &'static str,
    plane: Plane,
    gate: &'static [&'static str],
    /// Key of its ports among the defaults.
    ports: &'static str,
    cleartext: bool,
}

const fn daemon(
    path: &'static [&'static str],
    service: &'static str,
    gate: &'static [&'static str],
    ports: &'static str,
    cleartext: bool,
) -> Daemon {
    Daemon { path, service, plane: Plane::Management, gate, ports, cleartext }
}

/// In the order in which listeners are recorded.
const DAEMONS: &[Daemon] = &[
    daemon(&["ssh"], "ssh", &["ssh"], "port.ssh", false),
    daemon(&["telnet"], "telnet", &["telnet"], "port.telnet", true),
    daemon(&["web-management", "https"], "https", &["https"], "port.https", false),
    daemon(&["web-management", "http"], "http", &["http"], "port.http", true),
    daemon(&["netconf", "ssh"], "netconf", &["netconf"], "port.netconf", false),
    daemon(&["netconf", "tls"], "netconf", &["netconf"], "port.netconf-tls", false),
    daemon(&["ftp"], "ftp", &["ftp"], "port.ftp", true),
    daemon(&["xnm-clear-text"], "api", &["xnm-clear-text"], "port.xnm-clear-text", true),
    daemon(&["xnm-ssl"], "api", &["xnm-ssl"], "port.xnm-ssl", false),
    daemon(&["rest", "http"], "api", &["any-service"], "port.rest-http", true),
    daemon(&["rest", "https"], "api", &["any-service"], "port.rest-https", false),
    daemon(&["webapi", "http"], "api", &["webapi-clear-text"], "port.webapi-http", true),
    daemon(&["webapi", "https"], "api", &["webapi-ssl"], "port.webapi-https", false),
    daemon(&["extension-service", "request-response", "grpc", "clear-text"], "api", &["any-service"], "port.grpc", true),
    daemon(&["extension-service", "request-response", "grpc", "ssl"], "api", &["any-service"], "port.grpc", false),
    daemon(&["reverse", "telnet"], "telnet", &["reverse-telnet"], "port.reverse-telnet", true),
    daemon(&["reverse", "ssh"], "ssh", &["reverse-ssh"], "port.reverse-ssh", false),
    daemon(&["rlogin"], "telnet", &["rlogin"], "port.rlogin", true),
    daemon(&["rsh"], "telnet", &["rsh"], "port.rsh", true),
    Daemon { plane: Plane::Infrastructure, ..daemon(&["finger"], "simple_service", &["finger"], "port.finger", true) },
    Daemon { plane: Plane::Management, ..daemon(&["tftp-server"], "tftp", &["tftp"], "port.tftp", true) },
];

/// Lowers the daemons.
pub(super) fn lower(l: &mut Lowering<'_>) {
    for daemon in DAEMONS {
        let Some(services) = at(l.root, &["system", "services"]) else { break };
        let Some(node) = at(services, daemon.path) else { continue };
        let mut listener = plain(l, daemon.plane, daemon.service, ports(l, daemon, node), node.span());
        listener.bindings = bind(l, daemon.gate, &only_on(l, node), &[node.span()]);
        listener.cleartext = Fact::written(daemon.cleartext, node.span());
        match daemon.service {
            "ssh" => listener.ssh = Some(ssh(l, node)),
            "https" => listener.tls = Some(tls(l, node)),
            _ => {}
        }
        if let Some(limit) = addresses(node) {
            listener.limits = limit;
        }
        l.device.listeners.items.push(listener);
    }
    snmp::listener(l);
    let items = std::mem::take(&mut l.device.listeners.items);
    l.device.listeners = l.list("listeners", items);
}

/// A listener with nothing special about it.
pub(super) fn plain(l: &Lowering<'_>, plane: Plane, service: &'static str, ports: Fact<Vec<SvcTerm>>, span: Span) -> Listener {
    let origin = l.grammar.default("listener.source-limit", l.version.as_ref(), Some(span)).origin;
    Listener {
        plane,
        service,
        ports,
        span: Some(span),
        bindings: Vec::new(),
        live: Live::own(Fact::written(true, span)),
        cleartext: Fact::written(false, span),
        redirect_only: Fact::written(false, span),
        limits: Limit::None(origin),
        tls: None,
        ssh: None,
        rate_limit: l.grammar.default_as("listener.rate-limit", l.version.as_ref(), Some(span), super::switch),
        peers_fixed: None,
    }
}

/// The interfaces a daemon is tied to; empty: all.
fn only_on<'a>(l: &Lowering<'a>, node: Node<'a>) -> Vec<InterfaceIx> {
    rows(node, &["interface"]).iter().filter_map(|n| named(l, n.word_or_empty(0))).collect()
}

/// A binding for each interface whose gate may let the service in.
pub(super) fn bind(l: &Lowering<'_>, gate: &[&str], only: &[InterfaceIx], at: &[Span]) -> Vec<Binding> {
    let mut out = Vec::new();
    for n in 0..l.device.interfaces.len() as u32 {
        let ix = InterfaceIx(n);
        if !only.is_empty() && !only.contains(&ix) {
            continue;
        }
        let mut bound = admits(l, ix, gate);
        if bound.value.is_false() {
            continue;
        }
        // Where no list opens it, the line that switches the daemon on does.
        if !matches!(bound.origin, Origin::Written(_)) && bound.value.is_true() {
            bound.origin = Origin::all(at.iter().map(|s| Origin::Written(*s)).chain([bound.origin]));
        }
        let Some(reach) = reach(l, ix) else { continue };
        out.push(Binding { on: Some(ix), family: Family::Both, bound, reach });
    }
    out
}

/// How packets get to an interface. Nothing enters a loopback: with zones its address is reached through policies, without them
/// it answers as every other address does.
pub(super) fn reach(l: &Lowering<'_>, ix: InterfaceIx) -> Option<Reach> {
    match (l.device.interfaces[ix.0 as usize].kind, &l.gatekeeping) {
        (InterfaceKind::Loopback, Gatekeeping::Zones) => Some(Reach::Forwarded),
        (InterfaceKind::Loopback, _) => None,
        _ => Some(Reach::Direct),
    }
}

fn ports(l: &Lowering<'_>, daemon: &Daemon, node: Node<'_>) -> Fact<Vec<SvcTerm>> {
    if let Some(port) = value(node, &["port"])
        && let Ok(number) = port.word_or_empty(0).parse()
    {
        return Fact::written(vec![SvcTerm::ports(TCP, [(number, number)])], port.span());
    }
    l.grammar.default_as(daemon.ports, l.version.as_ref(), Some(node.span()), terms)
}

/// `allowed-sources` and `addresses`: who may come.
fn addresses(node: Node<'_>) -> Option<Limit> {
    let sources = rows(node, &["allowed-sources"]);
    if sources.is_empty() {
        return None;
    }
    let parts: Vec<AddrExpr> = sources.iter().filter_map(|n| super::value::addresses(n.word_or_empty(0))).collect();
    let origin = Origin::all(sources.iter().map(|n| Origin::Written(n.span())));
    Some(Limit::Sources { stage: LimitStage::Connect, admits: Fact::known(super::value::union(parts), origin) })
}

fn ssh(l: &Lowering<'_>, node: Node<'_>) -> Ssh {
    for quiet in ["connection-limit", "rate-limit", "client-alive-count-max", "client-alive-interval", "max-sessions-per-connection"] {
        value(node, &[quiet]);
    }
    let versions = rows(node, &["protocol-version"]);
    let v1 = match versions.first() {
        Some(first) => {
            let one = versions.iter().find(|n| n.word(0) == Some("v1"));
            Fact::written(one.is_some(), one.unwrap_or(first).span())
        }
        None => l.absent("system services ssh protocol-version", "listeners", Some(node.span()), |v| Some(v.contains("v1"))),
    };
    let list = |word: &str, weak: &dyn Fn(&str) -> bool| -> Option<(bool, bool, Span)> {
        let nodes = rows(node, &[word]);
        let first = nodes.iter().find(|n| weak(n.word_or_empty(0))).or(nodes.first())?;
        Some((nodes.iter().any(|n| weak(n.word_or_empty(0))), nodes.iter().all(|n| weak(n.word_or_empty(0))), first.span()))
    };
    let ciphers = list("ciphers", &|c| c.contains("cbc") || c.contains("arcfour") || c.contains("des"));
    let macs = list("macs", &|m| m.contains("md5"));
    let kex = list("key-exchange", &|k| k == "dh-group1-sha1" || k == "group1-sha1");
    let written: Vec<(bool, bool, Span)> = [ciphers, macs, kex].into_iter().flatten().collect();
    let offered = match (written.len(), written.iter().find(|w| w.0)) {
        (_, Some(w)) => Fact::written(true, w.2),
        (3, None) => Fact::written(false, written[0].2),
        _ => l.absent("system services ssh ciphers", "listeners", Some(node.span()), |v| Some(v == "weak")),
    };
    let only = match written.iter().find(|w| w.1) {
        Some(w) => Fact::written(true, w.2),
        None => l.absent("system services ssh weak-only", "listeners", Some(node.span()), |v| Some(v == "yes")),
    };
    Ssh { v1, weak_only: only, weak_offered: offered }
}

fn tls(l: &Lowering<'_>, node: Node<'_>) -> Tls {
    for quiet in ["system-generated-certificate", "pki-local-certificate", "local-certificate", "management-url"] {
        child(node, quiet);
    }
    let old = l.absent("system services web-management https tls", "listeners", Some(node.span()), |v| Some(v == "old"));
    Tls { old }
}
