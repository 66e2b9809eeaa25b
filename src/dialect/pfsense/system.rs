//! Logging, clock, SNMP, updates.

use super::Lowering;
use super::secret::{self, Owner, Purpose};
use crate::ir::account::SecretUse;
use crate::ir::fact::{Fact, List, Origin, Rest};
use crate::ir::listener::ListenerIx;
use crate::ir::system::{LogTarget, Logging, SnmpAccess, SnmpVersion, TimeSource, UpdatePolicy};
use crate::source::Span;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    l.device.logging = Some(logging(l));
    l.device.clock = Some(clock(l));
    let at = l.cx.section("system").map(|s| s.span());
    l.device.update = Some(UpdatePolicy {
        can: l.cx.behaviour("capability.auto_update", at),
        on: match l.cx.at("system/firmware/disablecheck") {
            Some(e) => Fact::written(false, e.span()),
            None => l.cx.absent("system/firmware/check", super::context::switch),
        },
    });
    snmp(l);
}

/// Whether a list is all there is: the section in which more would stand says so.
fn rest(l: &Lowering<'_>, topic: &'static str, section: Option<Span>) -> Rest {
    match l.cx.rest(topic) {
        Rest::Complete(whole) => Rest::Complete(section.map_or(whole, Origin::Written)),
        partial => partial,
    }
}

/// Servers that logs go to: all of them behind one switch, each with what it is sent.
fn logging(l: &Lowering<'_>) -> Logging {
    let section = l.cx.section("syslog");
    let on = l.cx.presence("syslog/enable");
    let mut items = Vec::new();
    for name in ["remoteserver", "remoteserver2", "remoteserver3"] {
        if let Some(e) = section.and_then(|s| s.filled(name)) {
            items.push(LogTarget { name: e.text().to_owned(), span: e.span(), remote: true, cloud: false, live: on.clone() });
        }
    }
    for config in l.cx.packages("syslogng") {
        config.read_below();
    }
    let anchor = section.map(|s| s.span());
    let behaviour = |key: &str| l.cx.behaviour(key, anchor);
    Logging {
        span: anchor,
        on: behaviour("syslog.on"),
        targets: List { items, rest: rest(l, "logging", anchor) },
        vpn_events: behaviour("syslog.vpn"),
        admin_events: behaviour("syslog.auth"),
        per_rule: l.cx.behaviour("capability.per_rule_log", anchor),
    }
}

fn clock(l: &Lowering<'_>) -> List<TimeSource> {
    let mut items = Vec::new();
    let off = l.cx.at("ntpd/enable").filter(|e| e.text() == "disabled");
    if let Some(e) = l.cx.at("system/timeservers").filter(|e| e.has_text()) {
        for server in e.text().split_whitespace() {
            let live = off.map_or_else(|| Fact::written(true, e.span()), |off| Fact::written(false, off.span()));
            items.push(TimeSource { name: server.to_owned(), span: e.span(), live });
        }
    }
    let anchor = l.cx.section("system").map(|s| s.span());
    List { items, rest: rest(l, "time", anchor) }
}

/// One community, read only, for versions 1 and 2c.
fn snmp(l: &mut Lowering<'_>) {
    let Some(section) = l.cx.section("snmpd") else { return };
    let live = l.cx.presence("snmpd/enable");
    let Some(community) = section.filled("rocommunity") else { return };
    let secret = secret::push(l, community, Purpose::shared(SecretUse::SnmpCommunity), Owner::thing("SNMP", live.clone()));
    if let Some(e) = section.filled("trapstring") {
        secret::push(l, e, Purpose::presents(SecretUse::SnmpCommunity), Owner::thing("SNMP trap", live.clone()));
    }
    let listener = l.device.listeners.items.iter().position(|x| x.service == "snmp").map(|ix| ListenerIx(ix as u32));
    l.device.snmp.items.push(SnmpAccess {
        span: community.span(),
        version: SnmpVersion::V1V2c,
        live,
        community: Some(secret),
        factory_word: None,
        write: l.cx.behaviour("snmpd.write", Some(section.span())),
        listener,
    });
}
