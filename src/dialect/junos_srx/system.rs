//! What belongs to the box as a whole: logging, clock, updates, servers that check logins, what the product can do.

use super::Lowering;
use super::value::addresses;
use crate::ir::account::AuthServer;
use crate::ir::fact::{Fact, List, Origin, Rest, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::live::{LinkKind, Live};
use crate::ir::schema::CAPABILITIES;
use crate::ir::system::{LogTarget, Logging, TimeSource, UpdatePolicy};
use crate::source::Span;
use crate::syntax::brace::{at, below, child, rows, value};
use crate::syntax::{Mark, Node};

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    l.device.logging = Some(logging(l));
    l.device.clock = Some(clock(l));
    l.device.update = Some(UpdatePolicy { can: l.product("capability.auto_update"), on: l.product("update.automatic") });
    let servers = servers(l);
    l.device.auth_servers = l.list("auth_servers", servers);
    capabilities(l);
}

/// A context of the box: what the box holds is not its own.
pub(super) fn inner(l: &mut Lowering<'_>) {
    let complete = || Rest::Complete(Origin::Written(l.head));
    l.device.admin_paths.rest = complete();
    l.device.auth_servers.rest = complete();
    l.device.accounts.rest = complete();
    l.device.login_policies.rest = complete();
    l.device.secrets.rest = complete();
    capabilities(l);
}

fn capabilities(l: &mut Lowering<'_>) {
    for capability in CAPABILITIES {
        let fact = l.product(&format!("capability.{capability}"));
        l.device.capabilities.insert(capability, fact);
    }
}

/// Severities from `info` on hold logins and key exchange.
const ENOUGH: &[&str] = &["any", "info", "debug"];

fn logging(l: &mut Lowering<'_>) -> Logging {
    let syslog = at(l.root, &["system", "syslog"]);
    let mut items = Vec::new();
    let mut admin: Vec<Span> = Vec::new();
    let mut vpn: Vec<Span> = Vec::new();
    for (word, remote) in [("host", true), ("file", false), ("user", false), ("console", false)] {
        let Some(kind) = syslog.and_then(|s| child(s, word)) else { continue };
        let targets: Vec<Node<'_>> = if word == "console" { vec![kind] } else { below(kind).map(Node::read).collect() };
        for target in targets {
            let mut chosen = 0;
            for facility in below(target) {
                let severity = below(facility.read()).next().map(|n| n.read().word_or_empty(0));
                let Some(severity) = severity else { continue };
                chosen += usize::from(severity != "none");
                let enough = ENOUGH.contains(&severity);
                if enough && matches!(facility.word(0), Some("any" | "authorization" | "interactive-commands")) {
                    admin.push(facility.span());
                }
                if enough && matches!(facility.word(0), Some("any" | "daemon")) {
                    vpn.push(facility.span());
                }
            }
            target.mark_below(Mark::Read);
            let live = if chosen > 0 {
                Fact::written(true, target.span())
            } else {
                l.absent("system syslog host facilities", "logging", Some(target.span()), super::switch)
            };
            items.push(LogTarget { name: target.word_or_empty(0).to_owned(), span: target.span(), remote, cloud: false, live });
        }
    }
    for stream in rows(l.root, &["security", "log", "stream"]) {
        let host = value(stream, &["host"]).or_else(|| value(stream, &["host", "ip-address"]));
        let name = host.map_or("", |n| n.word_or_empty(0));
        let live = match host {
            Some(node) => Fact::written(true, node.span()),
            None => Fact::written(false, stream.span()),
        };
        stream.mark_below(Mark::Read);
        items.push(LogTarget { name: name.to_owned(), span: stream.span(), remote: true, cloud: false, live });
    }
    if let Some(log) = at(l.root, &["security", "log"]) {
        log.mark_below(Mark::Read);
    }
    let span = syslog.map(|s| s.span());
    let written = |list: &[Span]| list.first().map(|s| Fact::written(true, *s));
    let none = |about: &str| match span {
        // Some facility may still hold them, at a severity that the documentation does not tell apart.
        Some(at) => Fact::unknown(Why::at(WhyCode::DefaultUndocumented, about, vec![at])),
        None => l.absent("system syslog", "logging", None, super::switch),
    };
    let on = match items.first() {
        Some(first) => Fact::written(true, first.span),
        None => l.absent("system syslog", "logging", span, super::switch),
    };
    Logging {
        span,
        on,
        vpn_events: written(&vpn).unwrap_or_else(|| none("kmd")),
        admin_events: written(&admin).unwrap_or_else(|| none("authorization")),
        targets: List { items, rest: l.completeness.rest("logging", span.map_or(Origin::Written(l.head), Origin::Written)) },
        per_rule: l.product("capability.per_rule_log"),
    }
}

fn clock(l: &Lowering<'_>) -> List<TimeSource> {
    let mut items = Vec::new();
    for word in ["server", "peer", "pool", "broadcast-client", "multicast-client"] {
        let Some(kind) = at(l.root, &["system", "ntp", word]) else { continue };
        let servers: Vec<Node<'_>> = below(kind).map(Node::read).collect();
        if servers.is_empty() {
            items.push(TimeSource { name: word.to_owned(), span: kind.span(), live: Fact::written(true, kind.span()) });
        }
        for server in servers {
            let (name, span) = (server.word_or_empty(0).to_owned(), server.span());
            items.push(TimeSource { name, span, live: Fact::written(true, span) });
        }
    }
    if let Some(ntp) = at(l.root, &["system", "ntp"]) {
        ntp.mark_below(Mark::Read);
    }
    l.list("time", items)
}

fn servers<'a>(l: &mut Lowering<'a>) -> Vec<AuthServer> {
    let mut out = Vec::new();
    let order: Vec<Node<'a>> = rows(l.root, &["system", "authentication-order"]);
    let named = |word: &str| order.iter().find(|n| n.word(0) == Some(word)).map(|n| n.span());
    let accounting = at(l.root, &["system", "accounting", "destination"]).map(|n| n.span());
    for (path, kind, method) in [
        (["system", "radius-server"], "radius", "radius"),
        (["system", "tacplus-server"], "tacacs", "tacplus"),
        (["system", "ldap-server"], "ldap", "ldap"),
    ] {
        for node in rows(l.root, &path) {
            let used = match named(method).or(accounting) {
                Some(at) => Fact::written(true, at),
                None => l.nowhere("auth_servers", "infer.unused_auth_server", node.word_or_empty(0), node.span()),
            };
            push(l, &mut out, node, kind, used);
        }
    }
    let mut places: Vec<(Node<'a>, &'static str)> = Vec::new();
    for profile in rows(l.root, &["access", "profile"]) {
        places.extend(rows(profile, &["radius-server"]).into_iter().map(|n| (n, "radius")));
        places.extend(rows(profile, &["ldap-server"]).into_iter().map(|n| (n, "ldap")));
    }
    for (word, kind) in [("radius-server", "radius"), ("ldap-server", "ldap")] {
        places.extend(rows(l.root, &["access", word]).into_iter().map(|n| (n, kind)));
    }
    for (node, kind) in places {
        let used = Fact::written(true, node.span());
        push(l, &mut out, node, kind, used);
    }
    out
}

fn push<'a>(l: &Lowering<'a>, out: &mut Vec<AuthServer>, node: Node<'a>, kind: &'static str, used: Fact<bool>) {
    let text = node.word_or_empty(0);
    let span = node.span();
    let named = || AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: text.to_owned(), span });
    let tls = match child(node, "tls-type").or_else(|| child(node, "tls-enable")).or_else(|| child(node, "radsec")) {
        Some(line) => Fact::written(true, line.span()),
        None => l.absent(&format!("{kind}-server tls"), "auth_servers", Some(span), super::switch),
    };
    node.mark_below(Mark::Read);
    out.push(AuthServer {
        name: text.to_owned(),
        span,
        kind,
        address: Fact::written(addresses(text).unwrap_or_else(named), span),
        tls,
        live: Live::own(Fact::written(true, span)).with(LinkKind::Referenced, used),
    });
}
