//! What belongs to the box as a whole: abilities, logging, clock, SNMP, updates, and VPN users' login rules.

use super::Export;
use super::lines::{after, has_word};
use super::secret;
use super::{access, admin};
use crate::ir::Device;
use crate::ir::account::{LoginPolicy, Scope, SecretUse};
use crate::ir::fact::{Fact, Origin};
use crate::ir::listener::ListenerIx;
use crate::ir::schema::CAPABILITIES;
use crate::ir::system::{LogTarget, Logging, SnmpAccess, SnmpVersion, TimeSource, UpdatePolicy};
use crate::syntax::Node;

/// What the product can do.
pub fn capabilities(export: &Export<'_>, device: &mut Device) {
    for capability in CAPABILITIES {
        device.capabilities.insert(capability, export.product(&format!("capability.{capability}"), super::on_off));
    }
}

/// Fills the rest.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    access::fill(export, device);
    vpn_policy(export, device);
    snmp(export, device);
    logging(export, device);
    let virtual_part = device.context_kind != crate::ir::device::ContextKind::Whole;
    device.clock = (!virtual_part).then(|| {
        let servers = export.lines.all(&["ntp", "server"]).into_iter().map(|line| TimeSource {
            name: line.word_or_empty(2).to_owned(),
            span: line.span(),
            live: Fact::written(true, line.span()),
        });
        export.list("time", servers.collect())
    });
    let on = match export.lines.last(&["auto-update", "server"]) {
        Some(line) => Fact::written(true, line.span()),
        None => export.absent("auto-update server", "firmware", super::on_off),
    };
    device.update = Some(UpdatePolicy { can: export.product("capability.auto_update", super::on_off), on });
}

/// Rules for VPN users: the lockout of local users is theirs, too.
fn vpn_policy(export: &Export<'_>, device: &mut Device) {
    let Some(access) = device.remote_access.items.iter().find(|r| !r.live.value().value.is_false()) else { return };
    let common = admin::common(export);
    let span = common.span.or(Some(access.span));
    let policy = LoginPolicy {
        scope: Scope::Vpn,
        name: "VPN".to_owned(),
        span,
        in_use: access.live.value(),
        idle_s: access.idle_s.clone(),
        ..common
    };
    device.login_policies.items.push(policy);
}

fn snmp(export: &Export<'_>, device: &mut Device) {
    let shared = export.lines.last(&["snmp-server", "community"]);
    let mut items = Vec::new();
    let users = export.lines.all(&["snmp-server", "user"]);
    for line in export.lines.all(&["snmp-server", "host"]) {
        let polled = !has_word(line, "trap", 4);
        let version = match after(line, "version", 4) {
            Some(("3", _)) => SnmpVersion::V3,
            Some(("2c", _)) => SnmpVersion::V2c,
            _ => SnmpVersion::V1,
        };
        let on = export.interface(line.word_or_empty(2));
        let listener = device.listeners.items.iter().position(|l| l.service == "snmp" && l.bindings.iter().any(|b| b.on == on));
        let own = after(line, "community", 4).map(|(_, at)| (line, at));
        let community = own.or(shared.map(|n| (n, 2))).filter(|_| version != SnmpVersion::V3);
        let live = Fact::written(polled, line.span());
        let community = community.map(|(node, at)| {
            let mut one = secret::secret(
                export,
                SecretUse::SnmpCommunity,
                "snmp",
                node.span(),
                secret::stored(export, node, at, false),
                live.clone(),
            );
            one.protocol_needs_clear = true;
            device.add_secret(one)
        });
        items.push(SnmpAccess {
            span: line.span(),
            version,
            live,
            community,
            factory_word: None,
            write: export.product("snmp write", super::on_off),
            listener: listener.map(|ix| ListenerIx(ix as u32)),
        });
    }
    for user in users {
        for keyword in ["auth", "priv"] {
            let Some(at) = (4..user.len()).find(|ix| user.word(*ix) == Some(keyword)) else { continue };
            // `priv aes 128 <key>` has a key length.
            let value = if user.word(at + 1) == Some("aes") { at + 3 } else { at + 2 };
            let mut stored = secret::stored(export, user, value, true);
            if has_word(user, "encrypted", 4) {
                stored.0 = crate::ir::account::Storage::Opaque;
            }
            let live = Fact::written(true, user.span());
            let mut one = secret::secret(export, SecretUse::Other, user.word_or_empty(2), user.span(), stored, live);
            one.protocol_needs_clear = true;
            device.add_secret(one);
        }
    }
    device.snmp = export.list("snmp", items);
}

/// Severities by name, as a number.
fn severity(word: &str) -> Option<i64> {
    const WORDS: [&str; 8] = ["emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging"];
    word.parse().ok().or_else(|| WORDS.iter().position(|w| *w == word).map(|p| p as i64))
}

fn logging(export: &Export<'_>, device: &mut Device) {
    let line = export.lines.last(&["logging", "enable"]).or_else(|| export.lines.last(&["logging", "on"]));
    let off = export.lines.last(&["no", "logging", "enable"]);
    let on = match (line, off) {
        (Some(line), _) => Fact::written(true, line.span()),
        (None, Some(line)) => Fact::written(false, line.span()),
        (None, None) => export.absent("logging enable", "logging", super::on_off),
    };
    let trap = export.lines.last(&["logging", "trap"]);
    let sends = match trap {
        Some(line) => Fact::written(true, line.span()),
        None => export.absent("logging trap", "logging", super::on_off),
    };
    let mut targets: Vec<LogTarget> = Vec::new();
    for line in export.lines.all(&["logging", "host"]) {
        let live = Fact::written(true, line.span()).and(&on).and(&sends);
        targets.push(LogTarget { name: line.word_or_empty(3).to_owned(), span: line.span(), remote: true, cloud: false, live });
    }
    for kind in ["buffered", "asdm"] {
        if let Some(line) = export.lines.last(&["logging", kind]) {
            let live = Fact::written(true, line.span()).and(&on);
            targets.push(LogTarget { name: kind.to_owned(), span: line.span(), remote: false, cloud: false, live });
        }
    }
    let events = logins_logged(export, &on, trap);
    device.logging = Some(Logging {
        span: line.or(off).or_else(|| export.lines.of("logging").first().copied()).map(|n| n.span()),
        on,
        targets: export.list("logging", targets),
        vpn_events: events.clone(),
        admin_events: events,
        per_rule: export.product("capability.per_rule_log", super::on_off),
    });
}

/// Logins of administrators and VPN users are messages of level 6: some destination must take that level.
fn logins_logged(export: &Export<'_>, on: &Fact<bool>, trap: Option<Node<'_>>) -> Fact<bool> {
    let remote = trap.filter(|_| export.lines.has(&["logging", "host"]));
    let lines: Vec<Node<'_>> =
        remote.into_iter().chain(["buffered", "asdm"].iter().filter_map(|k| export.lines.last(&["logging", k]))).collect();
    let needed = export.product("logging login level", |v| v.parse::<i64>().ok());
    let level = |n: &Node<'_>| severity(n.word_or_empty(2));
    let takes = match lines.iter().map(|n| level(n).map(|l| (l, n.span()))).collect::<Option<Vec<_>>>() {
        // A list of messages by name: which of them are in it is said elsewhere.
        None => super::unclear("logging list", lines[0].span()),
        Some(levels) => match levels.iter().max_by_key(|(l, _)| *l) {
            Some((level, span)) => Fact { value: needed.value.map(|n| level >= n), origin: Origin::Written(*span) },
            None => export.absent("logging destination", "logging", super::on_off),
        },
    };
    on.and(&takes)
}
