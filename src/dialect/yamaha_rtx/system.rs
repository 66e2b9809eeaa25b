//! SNMP, logs, clock, updates, RADIUS servers, and the secrets that belong to none of the other topics.
//!
//! Logs stay in memory unless `syslog host` names a machine. The product has no NTP client: a scheduled `ntpdate` sets the clock.

use super::access::{secret, storage};
use super::commands::{Command, Scope};
use super::schedule::schedules;
use super::{Export, address, on_off};
use crate::ir::Device;
use crate::ir::account::{AuthServer, Direction, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::AddrExpr;
use crate::ir::listener::ListenerIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::system::{LogTarget, Logging, SnmpAccess, SnmpVersion, TimeSource, UpdatePolicy};

/// Fills what belongs to the router as a whole.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    snmp(export, device);
    radius(export, device);
    device.logging = Some(logging(export));
    device.clock = Some(export.list("time", clock(export)));
    device.update = Some(UpdatePolicy {
        can: export.product("http revision-up", on_off),
        on: match export.commands.one(Scope::Global, "http revision-up schedule") {
            Some(command) => Fact::written(true, command.span()),
            None => export.absent("http revision-up schedule", "firmware", on_off),
        },
    });
    client_logins(export, device);
    seeds(export, device);
}

fn logging(export: &Export<'_>) -> Logging {
    let info = export.switch("syslog info", "logging");
    let on = info.or(&export.switch("syslog notice", "logging")).or(&export.switch("syslog debug", "logging"));
    let mut targets = Vec::new();
    for command in export.commands.everywhere("syslog host") {
        for (word, span) in command.args() {
            targets.push(LogTarget { name: word.to_owned(), span, remote: true, cloud: false, live: on.and(&Fact::written(true, span)) });
        }
    }
    let events = |key: &str| info.and(&export.product(key, on_off));
    Logging {
        span: export.commands.one(Scope::Global, "syslog host").map(|c| c.span()).or(export.head),
        vpn_events: events("syslog vpn events"),
        admin_events: events("syslog login events"),
        per_rule: export.product("ip filter per-rule log", on_off),
        targets: export.list("logging", targets),
        on,
    }
}

fn clock(export: &Export<'_>) -> Vec<TimeSource> {
    let sets = |words: &[&str]| words.first().is_some_and(|w| w.eq_ignore_ascii_case("ntpdate") || w.eq_ignore_ascii_case("rdate"));
    schedules(export)
        .iter()
        .filter(|s| sets(&s.words))
        .map(|s| TimeSource { name: s.words.get(1).copied().unwrap_or("").to_owned(), span: s.span, live: Fact::written(true, s.span) })
        .collect()
}

fn snmp(export: &Export<'_>, device: &mut Device) {
    let mut out = Vec::new();
    let listener = |device: &Device, which: usize| {
        let mut found = (0..).map(ListenerIx).zip(&device.listeners.items).filter(|(_, l)| l.service == "snmp").map(|(ix, _)| ix);
        found.nth(which)
    };
    let mut order = 0;
    for (pattern, version, read, write) in [
        ("snmp host $", SnmpVersion::V1, "snmp community read-only", "snmp community read-write"),
        ("snmpv2c host $", SnmpVersion::V2c, "snmpv2c community read-only", "snmpv2c community read-write"),
    ] {
        let hosts: Vec<Command<'_>> =
            export.commands.list(Scope::Global, pattern).filter(|c| !c.keys[0].eq_ignore_ascii_case("none")).collect();
        let Some(first) = hosts.first() else { continue };
        let answered = listener(device, order);
        order += 1;
        let live = Fact::written(true, first.span());
        // Words on the host's line go before the common ones.
        for command in hosts.iter().filter(|c| c.arg(0).is_some()) {
            for (at, writes) in [(0, false), (1, true)].into_iter().filter(|(at, _)| command.arg(*at).is_some()) {
                let own = community(export, command, at, device);
                out.push(SnmpAccess {
                    span: command.span(),
                    version,
                    live: live.clone(),
                    community: Some(own),
                    factory_word: None,
                    write: Fact::written(writes, command.span()),
                    listener: answered,
                });
            }
        }
        if hosts.iter().all(|c| c.arg(0).is_some()) {
            continue;
        }
        match export.commands.one(Scope::Global, read) {
            Some(command) => {
                let own = community(export, &command, 0, device);
                out.push(SnmpAccess {
                    span: command.span(),
                    version,
                    live: live.clone(),
                    community: Some(own),
                    factory_word: None,
                    write: Fact::written(false, command.span()),
                    listener: answered,
                });
            }
            None => {
                let word = export.absent(read, "snmp", |v| Some(v.to_owned()));
                out.push(SnmpAccess {
                    span: first.span(),
                    version,
                    live: live.clone(),
                    community: None,
                    factory_word: Some(word),
                    write: Fact::written(false, first.span()),
                    listener: answered,
                });
            }
        }
        if let Some(command) = export.commands.one(Scope::Global, write) {
            let own = community(export, &command, 0, device);
            out.push(SnmpAccess {
                span: command.span(),
                version,
                live: live.clone(),
                community: Some(own),
                factory_word: None,
                write: Fact::written(true, command.span()),
                listener: answered,
            });
        }
    }
    // Communities nobody is admitted with are still secrets on file.
    for pattern in ["snmp community read-only", "snmp community read-write", "snmpv2c community read-only", "snmpv2c community read-write"]
    {
        if let Some(command) = export.commands.one(Scope::Global, pattern) {
            community(export, &command, 0, device);
        }
    }
    for command in export.commands.everywhere("snmpv3 host $").filter(|c| !c.keys[0].eq_ignore_ascii_case("none")) {
        let answered = listener(device, order);
        out.push(SnmpAccess {
            span: command.span(),
            version: SnmpVersion::V3,
            live: Fact::written(true, command.span()),
            community: None,
            factory_word: None,
            write: Fact::written(false, command.span()),
            listener: answered,
        });
    }
    let used = out.iter().any(|a| a.version == SnmpVersion::V3);
    for command in export.commands.everywhere("snmpv3 usm user <n>") {
        let words: Vec<&str> = command.args().map(|(w, _)| w).collect();
        for (at, word) in words.iter().enumerate().skip(1) {
            let algorithm = ["md5", "sha", "des-cbc", "aes128-cfb"].iter().any(|a| word.eq_ignore_ascii_case(a));
            if algorithm && words.get(at + 1).is_some() {
                let own = secret(
                    export,
                    SecretUse::Other,
                    words[0],
                    command.span(),
                    storage(&command, at + 1),
                    Fact::written(used, command.span()),
                );
                device.add_secret(own);
            }
        }
    }
    device.snmp = export.list("snmp", out);
}

/// Adds a community as a secret, once for each place.
fn community(export: &Export<'_>, command: &Command<'_>, at: usize, device: &mut Device) -> crate::ir::account::SecretIx {
    let span = command.arg_span(at);
    if let Some(ix) = device.secrets.items.iter().position(|s| s.used_for == SecretUse::SnmpCommunity && s.span == span) {
        return crate::ir::account::SecretIx(ix as u32);
    }
    let mut own = secret(export, SecretUse::SnmpCommunity, "snmp", span, storage(command, at), Fact::written(true, command.span()));
    own.protocol_needs_clear = true;
    device.add_secret(own)
}

fn radius(export: &Export<'_>, device: &mut Device) {
    let on = export.commands.one(Scope::Global, "radius auth");
    let servers = ["radius auth server", "radius server"].iter().find_map(|p| export.commands.one(Scope::Global, p));
    let mut out = Vec::new();
    if let Some(command) = servers {
        for (word, span) in command.args().filter(|(w, _)| address::one(w).is_some()) {
            let own = match on {
                Some(switch) => super::switch_word(&switch),
                None => Fact::known(false, Origin::inferred("radius_not_used", [Origin::Written(command.span())])),
            };
            let logs_in = export.commands.one(Scope::Global, "login radius use").filter(|c| c.is("on"));
            let live = Live::own(own.or(&Fact::written(logs_in.is_some(), logs_in.map_or(span, |c| c.span()))))
                .with(LinkKind::Referenced, Fact::written(true, span));
            out.push(AuthServer {
                name: word.to_owned(),
                span,
                kind: "radius",
                address: Fact::written(address::one(word).unwrap_or(AddrExpr::Nothing), span),
                tls: export.product("radius tls", on_off),
                live,
            });
        }
    }
    for pattern in ["radius secret", "radius auth secret"] {
        if let Some(command) = export.commands.one(Scope::Global, pattern) {
            let live = Fact::written(!out.is_empty(), command.span());
            let mut own = secret(export, SecretUse::Radius, "radius", command.span(), storage(&command, 0), live);
            own.protocol_needs_clear = true;
            own.direction = Direction::Presents;
            device.add_secret(own);
        }
    }
    device.auth_servers = export.list("auth_servers", out);
}

/// What this router shows to other gateways as an IPsec client.
fn client_logins(export: &Export<'_>, device: &mut Device) {
    for pattern in ["ipsec ike xauth myname <n>", "ipsec ike eap myname <n>"] {
        for command in export.commands.everywhere(pattern) {
            let mut own = secret(
                export,
                SecretUse::Other,
                command.arg_or_empty(0),
                command.span(),
                storage(&command, 1),
                Fact::written(true, command.span()),
            );
            own.direction = Direction::Presents;
            own.protocol_needs_clear = true;
            device.add_secret(own);
        }
    }
}

/// `set PPn=user:seed`: seeds of one-time passwords, readable.
fn seeds(export: &Export<'_>, device: &mut Device) {
    for command in export.commands.everywhere("set $") {
        let Some((variable, value)) = command.keys[0].split_once('=') else { continue };
        let Some((user, seed)) = value.trim_matches('"').split_once(':') else { continue };
        if !variable.to_ascii_uppercase().starts_with("PP") {
            continue;
        }
        let stored = if seed == "*" { Storage::Masked } else { Storage::Clear };
        let mut own = secret(
            export,
            SecretUse::TotpSeed,
            user,
            command.span(),
            (stored, SecretValue::new(seed)),
            Fact::written(true, command.span()),
        );
        own.protocol_needs_clear = true;
        device.add_secret(own);
    }
}
