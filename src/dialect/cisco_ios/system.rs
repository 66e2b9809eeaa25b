//! SNMP, logs, clock, updates, servers that check logins, and the secrets that belong to none of the other topics.
//!
//! The box logs to its buffer and console by itself; a host is remote in the old form (`logging A.B.C.D`) as in the new.

use super::management::communities;
use super::secret::{secret, shared, stored};
use super::vpn::Plan;
use super::{Block, Export, address, on_off};
use crate::ir::Device;
use crate::ir::account::{Account, AccountIx, AccountKind, AuthServer, Direction, Factory, SecretUse};
use crate::ir::fact::{Fact, Origin, Rest, Why, WhyCode};
use crate::ir::listener::{Limit, ListenerIx};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::system::{LogTarget, Logging, SnmpAccess, SnmpVersion, TimeSource, UpdatePolicy};
use crate::source::Span;
use crate::syntax::Node;

/// Fills what belongs to the box as a whole.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    snmp(export, device);
    device.logging = Some(logging(export, plan));
    device.clock = Some(export.list("time", clock(export)));
    device.update = Some(UpdatePolicy { can: export.product("automatic update", on_off), on: export.product("automatic update", on_off) });
    servers(export, device);
    providers(export, device);
    others(export, device);
}

fn logging(export: &Export<'_>, plan: &Plan<'_>) -> Logging {
    let on = export.switch(&["logging", "on"], "logging");
    let mut targets = Vec::new();
    for node in export.lines(&["logging"]) {
        let at = if node.word(1) == Some("host") { 2 } else { 1 };
        let at = if at == 2 && node.word(2) == Some("ipv6") { 3 } else { at };
        let word = node.word_or_empty(at);
        let is_address = word.parse::<std::net::IpAddr>().is_ok();
        if word.contains('<') {
            // Where exporters cut out the operand, a host stood most likely.
            let why = Why::at(WhyCode::Masked, "logging", vec![node.span()]);
            targets.push(LogTarget { name: "syslog".to_owned(), span: node.span(), remote: true, cloud: false, live: Fact::unknown(why) });
            continue;
        }
        if is_address || at > 1 && !word.is_empty() {
            targets.push(LogTarget {
                name: word.to_owned(),
                span: node.span(),
                remote: true,
                cloud: false,
                live: on.and(&Fact::written(true, node.span())),
            });
        }
    }
    // `no logging trap` stops what goes to hosts.
    if let Some(no) = export.no(&["logging", "trap"]) {
        targets.iter_mut().for_each(|t| t.live = t.live.and(&Fact::written(false, no.span())));
    }
    let written = |lines: &[&[&str]]| lines.iter().find_map(|words| export.line(words)).map(|n| Fact::written(true, n.span()));
    let logins = written(&[&["login", "on-success", "log"], &["login", "on-failure", "log"], &["aaa", "accounting", "exec"]]);
    let sessions = written(&[&["crypto", "logging", "session"], &["crypto", "logging", "ezvpn"], &["vpdn", "logging"]]);
    let has_vpn = !plan.ipsec.is_empty() || !plan.dial_in.is_empty() || !plan.ssl.is_empty();
    let no_vpn = || Fact::known(true, Origin::inferred("no_tunnel_uses_it", [export.evidence()]));
    let vpn_events = if has_vpn { sessions.unwrap_or_else(|| export.absent("logging vpn events", "logging", on_off)) } else { no_vpn() };
    let admin_events = logins.unwrap_or_else(|| export.absent("logging login events", "logging", on_off));
    let mut targets = export.list("logging", targets);
    // Lines about other places of logs are where a host would stand.
    if let (Rest::Complete(origin), Some(line)) = (&targets.rest, export.line(&["logging"])) {
        targets.rest = Rest::Complete(Origin::all([Origin::Written(line.span()), origin.clone()]));
    }
    Logging {
        span: export.line(&["logging"]).map(|n| n.span()).or(export.head),
        vpn_events: on.and(&vpn_events),
        admin_events: on.and(&admin_events),
        per_rule: export.product("access-list log", on_off),
        targets,
        on,
    }
}

fn clock(export: &Export<'_>) -> Vec<TimeSource> {
    let mut out = Vec::new();
    for words in [["ntp", "server"], ["ntp", "peer"], ["sntp", "server"], ["ptp", "clock"]] {
        for node in export.lines(&words) {
            let at = match node.word(2) {
                Some("vrf") => 4,
                Some("ip" | "ipv6") => 3,
                _ => 2,
            };
            out.push(TimeSource { name: node.word_or_empty(at).to_owned(), span: node.span(), live: Fact::written(true, node.span()) });
        }
    }
    for port in &export.ports.ports {
        let block = port.block();
        if let Some(line) = block.line(&["ntp", "broadcast", "client"]).or_else(|| block.line(&["ntp", "multicast", "client"])) {
            out.push(TimeSource { name: port.name.clone(), span: line.span(), live: Fact::written(true, line.span()) });
        }
    }
    out
}

fn snmp(export: &Export<'_>, device: &mut Device) {
    let listener = |device: &Device, span: Span| {
        (0..).map(ListenerIx).zip(&device.listeners.items).find(|(_, l)| l.service == "snmp" && l.span == Some(span)).map(|(ix, _)| ix)
    };
    let off = export.no(&["snmp-server"]).filter(|n| n.len() == 2);
    let live = |span: Span| off.map_or_else(|| Fact::written(true, span), |n| Fact::written(false, n.span()));
    let mut out = Vec::new();
    for community in communities(export) {
        let node = community.node;
        let value = if node.word(4).is_some() { stored(node, 2) } else { super::secret::typed("0", node.word_or_empty(2)) };
        let mut own = secret(export, SecretUse::SnmpCommunity, "snmp", node.span(), value, live(node.span()));
        own.protocol_needs_clear = true;
        let secret = device.add_secret(own);
        out.push(SnmpAccess {
            span: node.span(),
            version: SnmpVersion::V1V2c,
            live: live(node.span()),
            community: Some(secret),
            factory_word: None,
            write: Fact::written(community.write, node.span()),
            listener: listener(device, node.span()),
        });
    }
    for node in export.lines(&["snmp-server", "group"]).filter(|n| n.word(3) == Some("v3")) {
        out.push(SnmpAccess {
            span: node.span(),
            version: SnmpVersion::V3,
            live: live(node.span()),
            community: None,
            factory_word: None,
            write: Fact::written(node.words_from(4).any(|w| w == "write"), node.span()),
            listener: listener(device, node.span()),
        });
    }
    device.snmp = export.list("snmp", out);
    for node in export.lines(&["snmp-server", "host"]) {
        // Whom traps go to: `host A [vrf V] [traps|informs] [version V [auth]] WORD`.
        let mut at = 3;
        while let Some(word) = node.word(at) {
            at += match word {
                "vrf" | "version" => 2,
                "traps" | "informs" | "auth" | "noauth" | "priv" => 1,
                _ => break,
            };
        }
        if node.word(at).is_some() && !node.words_from(3).any(|w| w == "3") {
            shared(export, SecretUse::SnmpCommunity, "snmp", node, at, Direction::Presents, device);
        }
    }
}

/// RADIUS and TACACS+ servers, in the old and the new form.
fn servers(export: &Export<'_>, device: &mut Device) {
    let mut out = Vec::new();
    let used = export.lines(&["aaa", "authentication"]).find(|n| n.words_from(4).any(|w| matches!(w, "group" | "radius" | "tacacs+")));
    let used = match used {
        Some(line) => Fact::written(true, line.span()),
        None => match export.may_lack("auth_servers") {
            Some(why) => Fact::unknown(why.clone()),
            None => Fact::known(false, Origin::inferred("unused_server", [export.evidence()])),
        },
    };
    let server = |kind: &'static str, name: &str, node: Node<'_>, at: usize| {
        let word = node.word_or_empty(at);
        let address = match word.parse() {
            Ok(a) => Fact::written(address::single(a), node.word_span(at)),
            Err(_) => Fact::written(address::name(word, node.word_span(at)), node.word_span(at)),
        };
        AuthServer {
            name: if name.is_empty() { word.to_owned() } else { name.to_owned() },
            span: node.span(),
            kind,
            address,
            tls: export.product("radius tls", on_off),
            live: Live::own(Fact::written(true, node.span())).with(LinkKind::Referenced, used.clone()),
        }
    };
    for (first, kind) in [("radius-server", "radius"), ("tacacs-server", "tacacs")] {
        for node in export.lines(&[first, "host"]) {
            out.push(server(kind, "", node, 2));
            if let Some(at) = (3..node.len()).find(|ix| node.word(*ix) == Some("key")) {
                shared(export, SecretUse::Radius, node.word_or_empty(2), node, at + 1, Direction::Presents, device);
            }
        }
        for node in export.lines(&[first, "key"]) {
            shared(export, SecretUse::Radius, kind, node, 2, Direction::Presents, device);
        }
    }
    for kind in ["radius", "tacacs"] {
        for node in export.lines(&[kind, "server"]) {
            let block = Block(node);
            let line = block.line(&["address", "ipv4"]).or_else(|| block.line(&["address", "ipv6"]));
            out.extend(line.map(|n| server(kind, node.word_or_empty(2), n, 2)));
            if let Some(key) = block.line(&["key"]).or_else(|| block.line(&["pac", "key"])) {
                let at = if key.word(0) == Some("pac") { 2 } else { 1 };
                shared(export, SecretUse::Radius, node.word_or_empty(2), key, at, Direction::Presents, device);
            }
        }
    }
    for group in export.lines(&["aaa", "group", "server"]) {
        let kind = if group.word(3) == Some("radius") { "radius" } else { "tacacs" };
        for node in Block(group).lines(&["server-private"]) {
            out.push(server(kind, "", node, 1));
            if let Some(at) = (2..node.len()).find(|ix| node.word(*ix) == Some("key")) {
                shared(export, SecretUse::Radius, node.word_or_empty(1), node, at + 1, Direction::Presents, device);
            }
        }
    }
    for node in export.lines(&["ldap", "server"]) {
        let block = Block(node);
        if let Some(line) = block.line(&["ipv4"]) {
            let mut one = server("ldap", node.word_or_empty(2), line, 1);
            one.tls = block.line(&["mode", "secure"]).map_or_else(|| Fact::written(false, node.span()), |n| Fact::written(true, n.span()));
            out.push(one);
        }
        let bind = block.line(&["bind", "authenticate", "root-dn"]).and_then(|n| {
            let at = (3..n.len()).find(|ix| n.word(*ix) == Some("password"))?;
            Some((n, at + 1))
        });
        if let Some((line, at)) = bind {
            shared(export, SecretUse::LdapBind, node.word_or_empty(2), line, at, Direction::Presents, device);
        }
    }
    device.auth_servers = export.list("auth_servers", out);
}

/// Logins that the box shows to a provider.
fn providers(export: &Export<'_>, device: &mut Device) {
    let mut found: Vec<(Node<'_>, String, usize)> = Vec::new();
    for port in &export.ports.ports {
        let block = port.block();
        let caller = block.line(&["ppp", "chap", "hostname"]).and_then(|n| n.word(3)).unwrap_or("");
        for line in block.lines(&["ppp", "chap", "password"]) {
            found.push((line, caller.to_owned(), 3));
        }
        for line in block.lines(&["ppp", "pap", "sent-username"]) {
            if let Some(at) = (4..line.len()).find(|ix| line.word(*ix) == Some("password")) {
                found.push((line, line.word_or_empty(3).to_owned(), at + 1));
            }
        }
    }
    for (line, owner, at) in found {
        let secret = shared(export, SecretUse::IspLogin, &owner, line, at, Direction::Presents, device);
        let span = line.span();
        if owner.is_empty() || device.accounts.items.iter().any(|a| a.kind == AccountKind::OutboundClient && a.name == owner) {
            continue;
        }
        let ix = AccountIx(device.accounts.items.len() as u32);
        device.accounts.items.push(Account {
            name: owner,
            span,
            kind: AccountKind::OutboundClient,
            live: Live::own(Fact::written(true, span)),
            factory: Fact::written(Factory::None, span),
            renamable: Fact::written(true, span),
            sources: Limit::None(Origin::Written(span)),
            expires: Fact::written(false, span),
            expiry: None,
            used: Fact::written(true, span),
            concurrent: Fact::written(NEVER, span),
            shared_signs: Fact::written(false, span),
            secret: None,
            second: Fact::written(false, span),
        });
        super::secret::tie(device, secret, ix);
    }
}

/// Keys of protocols, and what the box shows to file servers.
fn others(export: &Export<'_>, device: &mut Device) {
    for (words, at, owner) in [
        (&["ip", "ftp", "password"][..], 3, "ftp"),
        (&["ip", "http", "client", "password"][..], 4, "http"),
        (&["ntp", "authentication-key"][..], 4, "ntp"),
    ] {
        let lines: Vec<Node<'_>> = export.lines(words).filter(|n| n.word(at).is_some()).collect();
        for node in lines {
            // The type stands behind an NTP key, not before it.
            if owner == "ntp" {
                let value = super::secret::typed(node.word(5).unwrap_or("0"), node.word_or_empty(4));
                let mut own = secret(export, SecretUse::Other, owner, node.span(), value, Fact::written(true, node.span()));
                (own.direction, own.protocol_needs_clear) = (Direction::Presents, true);
                device.add_secret(own);
            } else {
                shared(export, SecretUse::Other, owner, node, at, Direction::Presents, device);
            }
        }
    }
    let mut tunnel_keys: Vec<(Node<'_>, usize, SecretUse, &str)> = Vec::new();
    for port in &export.ports.ports {
        if let Some(line) = port.block().line(&["ip", "nhrp", "authentication"]) {
            tunnel_keys.push((line, 3, SecretUse::Other, "nhrp"));
        }
    }
    for group in export.lines(&["vpdn-group"]) {
        if let Some(line) = Block(group).line(&["l2tp", "tunnel", "password"]) {
            tunnel_keys.push((line, 3, SecretUse::L2tpPsk, "l2tp"));
        }
    }
    for (line, at, used_for, owner) in tunnel_keys {
        shared(export, used_for, owner, line, at, Direction::Presents, device);
    }
}
