//! SNMP, logs, clock, updates, RADIUS, and secrets that belong to none of the other topics.
//!
//! Logs leave the router only with `syslog ip enable` and a host; the buffer is memory and is lost at a restart.

use super::lines::{Lines, is};
use super::secret::{secret, stored, value_at};
use super::{Export, address, on_off, undocumented};
use crate::ir::Device;
use crate::ir::account::{AuthServer, Direction, SecretUse};
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::AddrExpr;
use crate::ir::listener::ListenerIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::system::{LogTarget, Logging, SnmpAccess, SnmpVersion, TimeSource, UpdatePolicy};
use crate::source::Span;
use crate::syntax::Node;

/// Fills what belongs to the router as a whole.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    snmp(export, device);
    radius(export, device);
    device.logging = Some(logging(export));
    device.clock = Some(export.list("time", clock(export)));
    device.update =
        Some(UpdatePolicy { can: export.product("capability.auto_update", on_off), on: undocumented("software-update", export.head) });
    other_secrets(export, device);
}

/// A community with its access list.
pub struct Community<'a> {
    /// The line.
    pub node: Node<'a>,
    /// The list and where it stands.
    pub list: Option<(&'a str, Span)>,
    /// Whether it may write.
    writes: Fact<bool>,
}

/// `snmp-agent ip community NAME [LIST]`, with a word for what it may do in newer releases.
pub fn communities<'a>(export: &Export<'a>, family: &str) -> Vec<Community<'a>> {
    let mut out = Vec::new();
    for node in export.lines.all(&["snmp-agent", family, "community"]) {
        let mut writes = undocumented("snmp-agent ip community", node.span());
        let mut list = None;
        for at in 4..node.len() {
            match node.word_or_empty(at).to_ascii_lowercase().as_str() {
                "read-only" | "ro" => writes = Fact::written(false, node.word_span(at)),
                "read-write" | "rw" => writes = Fact::written(true, node.word_span(at)),
                _ => list = list.or(Some((node.word_or_empty(at), node.word_span(at)))),
            }
        }
        out.push(Community { node, list, writes });
    }
    out
}

/// The lists that communities use, with their family.
pub fn community_lists<'a>(export: &Export<'a>) -> Vec<(bool, (&'a str, Span))> {
    let of = |family: &str, v6: bool| communities(export, family).into_iter().filter_map(move |c| c.list.map(|l| (v6, l)));
    of("ip", false).chain(of("ipv6", true)).collect()
}

fn snmp(export: &Export<'_>, device: &mut Device) {
    let mut out = Vec::new();
    for (family, v6) in [("ip", false), ("ipv6", true)] {
        let answered = (0..)
            .map(ListenerIx)
            .zip(&device.listeners.items)
            .find(|(_, l)| l.service == "snmp" && l.bindings.first().is_some_and(|b| b.family.includes(v6)));
        let answered = answered.map(|(ix, l)| (ix, l.live.value()));
        for community in communities(export, family) {
            let span = community.node.span();
            let live = answered.as_ref().map_or_else(|| Fact::known(false, export.evidence()), |(_, l)| l.clone());
            let mut own = secret(export, SecretUse::SnmpCommunity, "snmp", span, value_at(community.node, 3, false), live.clone());
            own.protocol_needs_clear = true;
            let ix = device.add_secret(own);
            out.push(SnmpAccess {
                span,
                version: SnmpVersion::V1V2c,
                live,
                community: Some(ix),
                factory_word: None,
                write: community.writes,
                listener: answered.as_ref().map(|(ix, _)| *ix),
            });
        }
        // A trap's community is shown to the manager, not asked of it.
        for node in export.lines.all(&["snmp-agent", family, "host"]) {
            let live = Fact::written(true, node.span());
            let mut own = secret(export, SecretUse::SnmpCommunity, "snmp trap", node.span(), value_at(node, 4, false), live);
            own.protocol_needs_clear = true;
            own.direction = Direction::Presents;
            device.add_secret(own);
        }
    }
    device.snmp = export.list("snmp", out);
}

fn logging(export: &Export<'_>) -> Logging {
    let sends = export.switch(&["syslog", "ip", "enable"], "logging");
    let hosts = export.lines.all(&["syslog", "ip", "host"]).into_iter().filter(|n| n.word(3).is_some());
    let targets: Vec<LogTarget> = hosts
        .map(|n| LogTarget {
            name: n.word_or_empty(3).to_owned(),
            span: n.word_span(3),
            remote: true,
            cloud: false,
            live: sends.and(&Fact::written(true, n.word_span(3))),
        })
        .collect();
    let written = ["buffered", "subsystem"].iter().find_map(|w| export.lines.one(&["logging", w]));
    let off = export.lines.flag(&["logging", "buffered"]).filter(|f| f.value.is_false());
    let remote = targets.iter().map(|t| t.live.clone()).reduce(|a, b| a.or(&b));
    let on = match (written, remote, off) {
        (Some(node), _, _) => Fact::written(true, node.span()),
        (None, Some(remote), _) if remote.value.is_true() => remote,
        (None, _, Some(off)) => off,
        _ => undocumented("logging buffered", export.head),
    };
    let place = written.map(|n| n.span()).unwrap_or(export.head);
    Logging {
        span: Some(place),
        on,
        targets: export.list("logging", targets),
        // Which levels record a login that succeeds was not seen in print.
        vpn_events: undocumented("logging subsystem", place),
        admin_events: undocumented("logging subsystem", place),
        per_rule: export.product("capability.per_rule_log", on_off),
    }
}

fn clock(export: &Export<'_>) -> Vec<TimeSource> {
    let servers = export.lines.all(&["ntp", "server"]).into_iter().chain(export.lines.all(&["sntp", "server"]));
    let one = |n: Node<'_>| TimeSource { name: n.word_or_empty(2).to_owned(), span: n.span(), live: Fact::written(true, n.span()) };
    servers.filter(|n| n.word(2).is_some()).map(one).collect()
}

/// `radius host ip A ... key K`.
fn radius(export: &Export<'_>, device: &mut Device) {
    let mut out = Vec::new();
    for node in export.lines.all(&["radius", "host"]) {
        let at = if is(node, 2, "ip") || is(node, 2, "ipv6") { 3 } else { 2 };
        let Some(word) = node.word(at) else { continue };
        let span = node.word_span(at);
        let used: Fact<bool> = undocumented("radius", node.span());
        let address = address::net(word).map_or_else(|| undocumented("radius host", span), |n| Fact::written(address::whole(n), span));
        let address: Fact<AddrExpr> = address;
        out.push(AuthServer {
            name: word.to_owned(),
            span: node.span(),
            kind: "radius",
            address,
            tls: export.product("radius tls", on_off),
            live: Live::own(Fact::written(true, node.span())).with(LinkKind::Referenced, used.clone()),
        });
        if let Some(key) = (at..node.len()).find(|ix| is(node, *ix, "key")) {
            let place = node.len().saturating_sub(1).max(key + 1);
            let mut own = secret(export, SecretUse::Radius, word, node.span(), value_at(node, place, false), used);
            own.protocol_needs_clear = true;
            own.direction = Direction::Presents;
            device.add_secret(own);
        }
    }
    device.auth_servers = export.list("auth_servers", out);
}

/// The account at the vendor's management service, keys of routing protocols.
fn other_secrets(export: &Export<'_>, device: &mut Device) {
    let on = export.switch(&["nm", "ip", "enable"], "management_channels");
    for node in export.lines.all(&["nm", "account"]) {
        let Some(at) = (2..node.len()).find(|ix| is(node, *ix, "password")) else { continue };
        let mut own = secret(export, SecretUse::Other, node.word_or_empty(2), node.span(), stored(node, at + 1), on.clone());
        own.direction = Direction::Presents;
        own.protocol_needs_clear = true;
        device.add_secret(own);
    }
    for router in export.lines.all(&["router", "bgp"]) {
        for node in Lines::below(router).all(&["neighbor"]).into_iter().filter(|n| is(*n, 2, "password")) {
            let live = Fact::known(true, Origin::Written(node.span()));
            let mut own = secret(export, SecretUse::Other, node.word_or_empty(1), node.span(), value_at(node, node.len() - 1, false), live);
            own.direction = Direction::Presents;
            own.protocol_needs_clear = true;
            device.add_secret(own);
        }
    }
}
