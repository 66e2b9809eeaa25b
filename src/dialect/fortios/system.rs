//! What belongs to the box as a whole: logging, clock, SNMP, updates, servers that check logins, rules for VPN users' logins.

use super::address::range;
use super::context::{Fields, Found};
use super::secret::{self, Owner, Purpose};
use super::{Lowering, login_policy};
use crate::ir::account::{AuthServer, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::listener::{ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
use crate::ir::system::{LogTarget, Logging, SnmpAccess, SnmpVersion, TimeSource, UpdatePolicy};
use crate::source::Span;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    if l.cx.is_global || !l.cx.multi {
        l.device.logging = Some(logging(l));
        l.device.clock = Some(clock(l));
        l.device.update = Some(update(l));
        snmp(l);
    }
    if !l.cx.is_global {
        login_policy::users(l);
        l.device.auth_servers = List { items: servers(l), rest: l.cx.rest("auth_servers") };
    }
    l.device.snmp.rest = l.cx.rest("snmp");
    if l.cx.is_global {
        // The virtual domains hold these; the shared part itself has none.
        let complete = || crate::ir::fact::Rest::Complete(l.cx.complete());
        let device = &mut l.device;
        device.listeners.rest = complete();
        device.tunnels.rest = complete();
        device.remote_access.rest = complete();
        device.auth_servers.rest = complete();
    }
    capabilities(l);
}

fn capabilities(l: &mut Lowering<'_>) {
    for capability in crate::ir::schema::CAPABILITIES {
        let fact = l.cx.behaviour(&format!("capability.{capability}"), None);
        l.device.capabilities.insert(capability, fact);
    }
}

/// A remote target: its section, what it is called, and the switches that must all be on.
struct Target {
    path: &'static str,
    cloud: bool,
    name: Option<&'static str>,
}

const TARGETS: &[Target] = &[
    Target { path: "log syslogd setting", cloud: false, name: None },
    Target { path: "log syslogd2 setting", cloud: false, name: None },
    Target { path: "log syslogd3 setting", cloud: false, name: None },
    Target { path: "log syslogd4 setting", cloud: false, name: None },
    Target { path: "log syslogd override-setting", cloud: false, name: None },
    Target { path: "log fortianalyzer setting", cloud: false, name: None },
    Target { path: "log fortianalyzer2 setting", cloud: false, name: None },
    Target { path: "log fortianalyzer3 setting", cloud: false, name: None },
    Target { path: "log fortianalyzer override-setting", cloud: false, name: None },
    Target { path: "log fortianalyzer-cloud setting", cloud: true, name: Some("FortiAnalyzer Cloud") },
    Target { path: "log fortiguard setting", cloud: true, name: Some("FortiGate Cloud") },
];

fn logging(l: &mut Lowering<'_>) -> Logging {
    let mut items = Vec::new();
    for target in TARGETS {
        for section in everywhere(l, target.path) {
            items.push(remote(l, target, &section));
        }
    }
    for (path, name) in [("log disk setting", "disk"), ("log memory setting", "memory")] {
        for section in everywhere(l, path) {
            let on = l.cx.switch(&section, "status", &format!("{path}.status"));
            items.push(LogTarget { name: name.to_owned(), span: section.span(), remote: false, cloud: false, live: on });
        }
    }
    let filter = everywhere(l, "log eventfilter").into_iter().next();
    let found = Found { fields: filter, missing: l.cx.gap("logging").cloned() };
    let event = l.cx.switch(&found, "event", "log eventfilter.event");
    let of = |attribute: &str| event.and(&l.cx.switch(&found, attribute, &format!("log eventfilter.{attribute}")));
    Logging {
        span: items.first().map(|t| t.span).or(found.span()),
        on: event.clone(),
        targets: List { items, rest: l.cx.rest("logging") },
        vpn_events: of("vpn"),
        admin_events: of("system"),
        per_rule: l.cx.behaviour("capability.per_rule_log", None),
    }
}

/// A section of the shared part and, on a box with virtual domains, of each of them.
fn everywhere<'a>(l: &Lowering<'a>, path: &str) -> Vec<Fields<'a>> {
    let mut out: Vec<Fields<'a>> = l.cx.global.find(path).fields.into_iter().collect();
    for part in &l.cx.domains {
        out.extend(part.section(path).map(Fields::of));
    }
    out
}

fn remote<'a>(l: &Lowering<'a>, target: &Target, section: &Fields<'a>) -> LogTarget {
    for unused in [
        "mode",
        "port",
        "facility",
        "format",
        "reliable",
        "enc-algorithm",
        "certificate-verification",
        "upload-option",
        "priority",
        "source-ip",
    ] {
        section.get(unused);
    }
    let on = l.cx.switch(section, "status", "log target.status");
    let server = section.name("server");
    let live = match (target.name, server) {
        (Some(_), _) => on,
        (None, Some((_, span))) => on.and(&Fact::written(true, span)),
        (None, None) => on.and(&l.cx.default("log target.server", Some(section.span()), |v| Some(!v.is_empty()))),
    };
    let name = target.name.map(str::to_owned).or_else(|| server.map(|(s, _)| s.to_owned()));
    LogTarget { name: name.unwrap_or_else(|| target.path.to_owned()), span: section.span(), remote: true, cloud: target.cloud, live }
}

fn clock(l: &Lowering<'_>) -> List<TimeSource> {
    let found = l.cx.global.find("system ntp");
    let mut items = Vec::new();
    if let Some(section) = &found.fields {
        let on = l.cx.switch(section, "ntpsync", "system ntp.ntpsync");
        let custom = l.cx.fact(section, "type", "system ntp.type", |v| Some(v == "custom"));
        let vendor = custom.negate();
        section.get("syncinterval");
        if vendor.value.tri() != Some(false) {
            let span = section.get("ntpsync").map_or(section.span(), |a| a.span());
            items.push(TimeSource { name: "FortiGuard".to_owned(), span, live: on.and(&vendor) });
        }
        for server in section.rows("ntpserver") {
            let (name, span) = server.name("server").unwrap_or(("", server.span()));
            items.push(TimeSource { name: name.to_owned(), span, live: on.and(&custom) });
        }
    } else if l.cx.gap("time").is_none() {
        // Without a section the attribute's default holds.
        let on = l.cx.switch(&found, "ntpsync", "system ntp.ntpsync");
        items.push(TimeSource { name: "FortiGuard".to_owned(), span: l.cx.evidence, live: on });
    }
    List { items, rest: l.cx.rest("time") }
}

fn update(l: &Lowering<'_>) -> UpdatePolicy {
    let found = l.cx.global.find("system fortiguard");
    for unused in
        ["update-server-location", "auto-firmware-upgrade-day", "auto-firmware-upgrade-start-hour", "auto-firmware-upgrade-end-hour"]
    {
        found.fields.as_ref().map(|f| f.get(unused));
    }
    UpdatePolicy {
        can: l.cx.behaviour("capability.auto_update", None),
        on: l.cx.switch(&found, "auto-firmware-upgrade", "system fortiguard.auto-firmware-upgrade"),
    }
}

fn snmp(l: &mut Lowering<'_>) {
    let agent = l.cx.switch(&l.cx.global.find("system snmp sysinfo"), "status", "system snmp sysinfo.status");
    let listener =
        l.device.listeners.items.iter().position(|x| x.plane == Plane::Management && x.service == "snmp").map(|ix| ListenerIx(ix as u32));
    for row in l.cx.global.find("system snmp community").rows() {
        for unused in ["events", "trap-v1-status", "trap-v2c-status", "query-v1-port", "query-v2c-port", "mib-view", "vdoms"] {
            row.get(unused);
        }
        for host in row.rows("hosts").into_iter().chain(row.rows("hosts6")) {
            for unused in ["ip", "ipv6", "interface", "source-ip", "ha-direct", "host-type"] {
                host.get(unused);
            }
        }
        let on = l.cx.switch(&row, "status", "system snmp community.status");
        let v1 = l.cx.switch(&row, "query-v1-status", "system snmp community.query-v1-status");
        let v2 = l.cx.switch(&row, "query-v2c-status", "system snmp community.query-v2c-status");
        let version = match (v1.value.tri(), v2.value.tri()) {
            (Some(false), _) => SnmpVersion::V2c,
            (_, Some(false)) => SnmpVersion::V1,
            _ => SnmpVersion::V1V2c,
        };
        let live = agent.and(&on).and(&v1.or(&v2));
        let community = row.get("name").map(|line| {
            let owner = Owner::thing(row.key(), live.clone());
            secret::push(l, line, Purpose::shared(SecretUse::SnmpCommunity), owner)
        });
        l.device.snmp.items.push(SnmpAccess {
            span: row.span(),
            version,
            live,
            community,
            factory_word: None,
            write: Fact::written(false, row.span()),
            listener,
        });
    }
    for row in l.cx.global.find("system snmp user").rows() {
        for unused in
            ["security-level", "auth-proto", "priv-proto", "notify-hosts", "events", "queries", "trap-status", "query-port", "source-ip"]
        {
            row.get(unused);
        }
        let on = l.cx.switch(&row, "status", "system snmp community.status");
        let live = agent.and(&on);
        l.device.snmp.items.push(SnmpAccess {
            span: row.span(),
            version: SnmpVersion::V3,
            live,
            community: None,
            factory_word: None,
            write: Fact::written(false, row.span()),
            listener,
        });
    }
}

fn servers(l: &Lowering<'_>) -> Vec<AuthServer> {
    let mut used: Vec<(&str, Span)> = Vec::new();
    for path in ["user group", "user local"] {
        for row in l.cx.own.find(path).rows() {
            for attribute in ["member", "radius-server", "ldap-server", "tacacs+-server", "saml-server"] {
                used.extend(row.values(attribute));
            }
        }
    }
    let used: std::collections::HashMap<&str, Span> = used.into_iter().rev().collect();
    let mut out = Vec::new();
    for (path, kind) in [("user radius", "radius"), ("user ldap", "ldap"), ("user tacacs+", "tacacs"), ("user saml", "saml")] {
        for row in l.cx.own.find(path).rows() {
            for unused in [
                "secondary-server",
                "tertiary-server",
                "cnid",
                "dn",
                "username",
                "ca-cert",
                "port",
                "auth-type",
                "authorization",
                "source-ip",
                "timeout",
            ] {
                row.get(unused);
            }
            let tls = match kind {
                "ldap" => l.cx.fact(&row, "secure", "user ldap.secure", |v| Some(v != "disable")),
                "radius" => l.cx.fact(&row, "transport-protocol", "user radius.transport-protocol", |v| Some(v == "tls")),
                "saml" => Fact::written(true, row.span()),
                _ => l.cx.behaviour("user tacacs+.tls", Some(row.span())),
            };
            if kind == "ldap" {
                row.get("type");
            }
            let named = match used.get(row.key()) {
                Some(span) => Fact::written(true, *span),
                None => l.cx.nowhere("auth_servers", "infer.unused_server", row.key(), row.span()),
            };
            let live = Live::own(Fact::written(true, row.span())).with(LinkKind::Referenced, named);
            out.push(AuthServer { name: row.key().to_owned(), span: row.span(), kind, address: server_address(&row), tls, live });
        }
    }
    out
}

fn server_address(row: &Fields<'_>) -> Fact<AddrExpr> {
    match row.name("server") {
        Some((text, span)) => {
            let named = || AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: text.to_owned(), span });
            Fact { value: Val::Known(range(text).unwrap_or_else(named)), origin: Origin::Written(span) }
        }
        None => Fact::unknown(Why::at(WhyCode::NotExported, row.key(), vec![row.span()])),
    }
}
