//! Logs, clock, updates, servers that check logins.
//!
//! The factory's four rules log into memory and to the console. Only a rule whose action sends to another machine takes logs off
//! the box. The vendor's cloud may set the clock where no NTP client runs, on the vendor's own boards.

use super::menus::Item;
use super::{Export, address, yes_no};
use crate::ir::Device;
use crate::ir::account::AuthServer;
use crate::ir::fact::{Fact, List, Origin, Rest, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::live::Live;
use crate::ir::system::{LogTarget, Logging, TimeSource, UpdatePolicy};
use std::collections::HashMap;

/// Fills what belongs to the router as a whole.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    device.logging = Some(logging(export));
    let sources = clock(export);
    device.clock = Some(export.list("time", sources));
    radius(export, device);
    let scheduled = export.menus.unmarked("/system scheduler").iter().chain(export.menus.unmarked("/system script")).find_map(|i| {
        i.attributes()
            .find(|(_, v)| matches!(v.key, "on-event" | "source") && v.text.contains("package update") && v.text.contains("install"))
    });
    device.update = Some(UpdatePolicy {
        can: export.product("capability.auto_update", yes_no),
        on: match scheduled {
            Some((_, value)) => Fact::written(true, value.span),
            None => export.absent("system package update.scheduled", "firmware", yes_no),
        },
    });
}

/// An action: where it sends, if to another machine.
fn actions<'a>(export: &Export<'a>) -> HashMap<&'a str, Vec<Item<'a>>> {
    let mut out: HashMap<&'a str, Vec<Item<'a>>> = HashMap::new();
    for item in export.menus.items("/system logging action") {
        let named = item.text("name").map(|v| v.text).or_else(|| item.condition("name"));
        let target = item.targets().next().filter(|t| !t.contains('='));
        let name = match (target, named) {
            // The fourth of the factory's actions is the remote one.
            (Some("3" | "*3"), _) => "remote",
            (Some(t), _) if t.parse::<u32>().is_err() => t,
            (_, Some(n)) => n,
            _ => continue,
        };
        for key in [
            "remote-port",
            "bsd-syslog",
            "syslog-facility",
            "syslog-severity",
            "src-address",
            "memory-lines",
            "disk-file-name",
            "remember",
            "vrf",
        ] {
            let _ = item.get(key);
        }
        out.entry(name).or_default().push(*item);
    }
    out
}

fn logging(export: &Export<'_>) -> Logging {
    let actions = actions(export);
    let mut targets = Vec::new();
    for rule in export.menus.items("/system logging") {
        let Some(action) = rule.text("action") else {
            let _ = (rule.get("topics"), rule.get("prefix"), rule.get("disabled"));
            continue;
        };
        let _ = (rule.get("topics"), rule.get("prefix"), rule.get("regex"));
        let rows = actions.get(action.text).map_or(&[][..], Vec::as_slice);
        let last = |key: &str| rows.iter().filter_map(|i| i.text(key)).next_back();
        let remote = action.text == "remote" || last("target").is_some_and(|v| v.text == "remote");
        if !remote {
            continue;
        }
        let on = export.enabled(rule, "system logging");
        let (name, sends) = match last("remote") {
            Some(value) => (value.text.to_owned(), Fact::written(!matches!(value.text, "0.0.0.0" | "::"), value.span)),
            None if export.gaps.contains_key("logging") => {
                (action.text.to_owned(), Fact::unknown(Why::at(WhyCode::NotExported, "/system logging action", vec![action.span])))
            }
            None => (action.text.to_owned(), export.default_at("system logging action.remote", action.span, |w| Some(w != "0.0.0.0"))),
        };
        targets.push(LogTarget { name, span: rule.span(), remote: true, cloud: false, live: on.and(&sends) });
    }
    let first = export.menus.items("/system logging").first().map(Item::span);
    let evidence = first.map_or_else(|| export.evidence(), Origin::Written);
    let rules = rules(export);
    let any = |events: &[&str]| {
        let fits = |r: &&Rule<'_>| events.is_empty() || r.takes(events);
        rules.iter().filter(fits).map(|r| r.live.clone()).reduce(|a, b| a.or(&b))
    };
    let none = || Fact::known(false, evidence.clone());
    Logging {
        span: first.or(export.head),
        vpn_events: any(&VPN_EVENTS).unwrap_or_else(none),
        admin_events: any(&LOGIN_EVENTS).unwrap_or_else(none),
        per_rule: export.product("capability.per_rule_log", yes_no),
        on: any(&[]).unwrap_or_else(none),
        targets: List {
            items: targets,
            rest: export.gaps.get("logging").map_or_else(|| Rest::Complete(evidence), |w| Rest::MayHoldMore(w.clone())),
        },
    }
}

/// Topics of the messages about administrators' logins, and about sessions of VPN users.
const LOGIN_EVENTS: [&str; 3] = ["system", "info", "account"];
const VPN_EVENTS: [&str; 8] = ["ppp", "info", "account", "l2tp", "pptp", "sstp", "ovpn", "ipsec"];

/// A rule of `/system logging`: messages that have all its topics, and none it excludes, go to its action.
struct Rule<'a> {
    topics: Vec<&'a str>,
    live: Fact<bool>,
}

impl Rule<'_> {
    fn takes(&self, events: &[&str]) -> bool {
        self.topics.iter().all(|t| match t.strip_prefix('!') {
            Some(excluded) => !events.contains(&excluded),
            None => events.contains(t),
        })
    }
}

/// The factory's rules as later lines changed them, and the added ones.
fn rules<'a>(export: &'a Export<'_>) -> Vec<Rule<'a>> {
    let live = || export.absent("system logging.enabled", "logging", yes_no);
    let mut rules: Vec<Rule<'a>> =
        export.grammar.names("log_topics").iter().map(|t| Rule { topics: vec![t.as_str()], live: live() }).collect();
    for item in export.menus.items("/system logging") {
        let topics = item.text("topics").map(|v| v.parts().collect::<Vec<_>>());
        if item.verb() == "add" {
            rules.push(Rule { topics: topics.unwrap_or_default(), live: export.enabled(item, "system logging") });
            continue;
        }
        let all = item.targets().next().is_none();
        let numbers: Vec<usize> =
            item.targets().flat_map(|t| t.split(',')).filter_map(|t| t.trim_start_matches('*').parse().ok()).collect();
        for (_, rule) in rules.iter_mut().enumerate().filter(|(n, _)| all || numbers.contains(n)) {
            match (item.verb(), item.text("disabled")) {
                ("disable" | "remove", _) => rule.live = Fact::written(false, item.span()),
                ("enable", _) => rule.live = Fact::written(true, item.span()),
                ("set", Some(value)) => rule.live = super::yes(&value).negate(),
                _ => {}
            }
            if let Some(topics) = &topics {
                rule.topics = topics.clone();
            }
        }
    }
    rules
}

fn clock(export: &Export<'_>) -> Vec<TimeSource> {
    let mut out = Vec::new();
    let on = export.switch("/system ntp client", "enabled", "time");
    for key in ["mode", "vrf"] {
        let _ = export.menus.setting("/system ntp client", key);
    }
    for key in ["servers", "primary-ntp", "secondary-ntp", "server-dns-names"] {
        if let Some(value) = export.menus.setting("/system ntp client", key) {
            for part in value.parts().filter(|p| *p != "0.0.0.0") {
                out.push(TimeSource { name: part.to_owned(), span: value.span, live: on.clone() });
            }
        }
    }
    for row in export.menus.rows("/system ntp client servers") {
        if let Some(value) = row.text("address") {
            out.push(TimeSource {
                name: value.text.to_owned(),
                span: row.span(),
                live: on.and(&export.enabled(row, "system ntp client servers")),
            });
        }
    }
    for item in export.menus.items("/ip cloud") {
        // Switched on, it lets users in through the vendor's relay; nothing here reads that.
        for (node, _) in item.attributes().filter(|(_, v)| v.key == "back-to-home-vpn" && v.text.ends_with("disabled")) {
            node.read();
        }
    }
    // A client without servers may take them from DHCP.
    if let Some(value) = export.menus.setting("/system ntp client", "enabled").filter(|_| out.is_empty() && on.value.is_true()) {
        let why = Why::at(WhyCode::RuntimeContent, "NTP", vec![value.span]);
        out.push(TimeSource { name: "NTP".to_owned(), span: value.span, live: Fact::unknown(why) });
    }
    if let Some(head) = export.head.filter(|_| out.is_empty() || on.value.is_false()) {
        let board = export.model.as_deref().is_some_and(|m| !m.starts_with("CHR") && !m.starts_with("x86"));
        let cloud = match export.menus.setting("/ip cloud", "update-time") {
            Some(value) => super::yes(&value),
            None if board => export.absent("ip cloud.update-time", "time", yes_no),
            None => export.absent("ip cloud.update-time-without-board", "time", yes_no),
        };
        // Whether it does so is only documented, and nobody sees it in an export.
        let live = if cloud.value.is_true() {
            Fact {
                value: crate::ir::fact::Val::Unknown(Why::at(WhyCode::RuntimeContent, "/ip cloud update-time", cloud.origin.spans())),
                origin: cloud.origin.clone(),
            }
        } else {
            cloud
        };
        let span = export.menus.setting("/ip cloud", "update-time").map_or(head, |v| v.span);
        out.push(TimeSource { name: "/ip cloud".to_owned(), span, live });
    }
    out
}

fn radius(export: &Export<'_>, device: &mut Device) {
    let mut servers = Vec::new();
    for item in export.menus.rows("/radius") {
        let Some(value) = item.text("address") else { continue };
        for key in [
            "service",
            "comment",
            "timeout",
            "src-address",
            "authentication-port",
            "accounting-port",
            "realm",
            "called-id",
            "domain",
            "require-message-auth",
        ] {
            let _ = item.get(key);
        }
        let tls = match item.text("protocol") {
            Some(protocol) => Fact::written(protocol.text == "radsec", protocol.span),
            None => Fact::written(false, item.span()),
        };
        let named = || AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: value.text.to_owned(), span: value.span });
        servers.push(AuthServer {
            name: value.text.to_owned(),
            span: item.span(),
            kind: "radius",
            address: Fact::written(address::set(value.text).unwrap_or_else(named), value.span),
            tls,
            live: Live::own(export.enabled(item, "radius")),
        });
    }
    device.auth_servers = export.list("auth_servers", servers);
}
