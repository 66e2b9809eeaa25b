//! Remote access: tunnel groups for users, the ways they are reached, and what each way asks of a user.
//!
//! One group may be reached by AnyConnect or the portal, by IKEv2, by IKEv1 with a group key, and by L2TP; what the group's
//! policy does not allow, and what no listener serves, is not live. `DefaultWEBVPNGroup` and `DefaultRAGroup` are used by
//! whoever names no other group, whether a line speaks of them or not.

use super::Export;
use super::access::{Servers, authentication};
use super::crypto::Crypto;
use super::listener::web_enabled;
use super::policy::{Group, Policies};
use super::tunnel::{Exit, virtual_interface, vpn_filter};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::listener::ListenerIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess};
use crate::source::Span;
use crate::syntax::Node;

/// A way to reach a group.
struct Way {
    kind: &'static str,
    live: Fact<bool>,
    factors: Vec<Factor>,
}

struct Reader<'e, 'a> {
    export: &'e Export<'a>,
    crypto: &'e Crypto<'a>,
    policies: &'e Policies<'a>,
    servers: Servers<'a>,
    web: Vec<(InterfaceIx, &'a str, Span)>,
}

/// Fills remote access and adds what comes out of it.
pub fn fill<'a>(export: &Export<'a>, crypto: &Crypto<'a>, policies: &Policies<'a>, mut exits: Vec<Exit>, device: &mut Device) -> Vec<Exit> {
    let web = web_enabled(export).into_iter().map(|(nic, line, _)| (nic.ix, nic.name, line.span())).collect();
    let reader = Reader { export, crypto, policies, servers: Servers::new(export), web };
    let mut all = Vec::new();
    let mut shared_crypto = false;
    for group in policies.groups.iter().filter(|g| g.is_users()) {
        reader.group(group, device, &mut all, &mut exits, &mut shared_crypto);
    }
    for name in ["DefaultWEBVPNGroup", "DefaultRAGroup"] {
        if policies.group(name).is_none()
            && let Some((_, _, span)) = reader.web.first()
            && name == "DefaultWEBVPNGroup"
        {
            reader.group(&Group::implied(name, *span), device, &mut all, &mut exits, &mut shared_crypto);
        }
    }
    device.remote_access = export.list("remote_access", all);
    exits
}

impl<'a> Reader<'_, 'a> {
    fn group(&self, group: &Group<'a>, device: &mut Device, all: &mut Vec<RemoteAccess>, exits: &mut Vec<Exit>, shared: &mut bool) {
        let export = self.export;
        let policy = self.policies.policy_of(export, Some(group));
        let ways: Vec<Way> = self.ways(group, policy).into_iter().filter(|w| !w.live.value.is_false()).collect();
        // The factory's three sessions are no condition; a line that allows none is.
        let admits = self.policies.line(policy, &["vpn-simultaneous-logins"]).map(|_| self.policies.admits(export, policy));
        // What no way reaches is shown as not live, for the first reason.
        let reached = ways.iter().map(|w| w.live.clone()).reduce(|a, b| a.or(&b)).unwrap_or_else(|| self.unreached(group));
        let span = group.span;
        let live = admits.into_iter().fold(Live::own(reached), |live, admits| live.with(LinkKind::FeatureOn, admits));
        let has = |kinds: &[&str]| ways.iter().any(|w| kinds.contains(&w.kind));
        let services: &[&str] = match (has(&["ssl_vpn", "web_portal"]), has(&["ikev2", "ikev1_xauth", "l2tp_ipsec"])) {
            (true, true) => &["ssl_vpn", "ike"],
            (true, false) => &["ssl_vpn"],
            _ => &["ike"],
        };
        let listeners: Vec<ListenerIx> =
            (0..).map(ListenerIx).zip(&device.listeners.items).filter(|(_, l)| services.contains(&l.service)).map(|(ix, _)| ix).collect();
        let outer: Vec<InterfaceIx> =
            listeners.iter().flat_map(|ix| &device.listeners.items[ix.0 as usize].bindings).filter_map(|b| b.on).collect();
        let on = virtual_interface(device, group.name, span, InterfaceKind::RemoteAccess);
        exits.push(Exit { on, outer: outer.clone(), selectors: None, filter: vpn_filter(export, self.policies, policy) });
        // A way that hands the group key to whoever asks names the whole.
        let aggressive = self.aggressive(group, &ways);
        let by_key = ways.iter().find(|w| aggressive.value.is_true() && matches!(w.kind, "ikev1_xauth" | "l2tp_ipsec"));
        let kind = by_key.or(ways.first()).map_or("ssl_vpn", |w| w.kind);
        let timers = |attribute| self.timers(policy, &ways, attribute);
        let uses_ipsec = has(&["ikev2", "ikev1_xauth", "l2tp_ipsec"]);
        let crypto = (uses_ipsec && !*shared).then(|| {
            *shared = true;
            // All users meet the same dynamic map and the same IKE policies: shown once.
            let name = self.crypto.maps.iter().filter_map(super::crypto::Entry::dynamic).next_back();
            let entry = self.crypto.dynamic.iter().find(|d| Some(d.map) == name);
            let lines: Vec<Node<'_>> = entry.map(|e| e.lines.clone()).unwrap_or_default();
            let at = entry.and_then(|e| e.lines.first()).map_or(span, |n| n.span());
            self.crypto.offered(export, &lines, has(&["ikev1_xauth", "l2tp_ipsec"]), has(&["ikev2"]), at)
        });
        let concurrent = self.policies.number(export, policy, "vpn-simultaneous-logins", 1, NEVER);
        all.push(RemoteAccess {
            name: group.name.to_owned(),
            kind,
            span,
            live,
            listeners,
            interface: Some(on),
            outer,
            paths: export.list("remote_access", paths(group, &ways)),
            idle_s: timers("vpn-idle-timeout"),
            session_s: timers("vpn-session-timeout"),
            concurrent,
            aggressive_psk: aggressive,
            pool: self.pool(group),
            crypto,
            note: None,
        });
    }

    /// Why nothing reaches a group.
    fn unreached(&self, group: &Group<'a>) -> Fact<bool> {
        match self.export.gaps.get("listeners") {
            Some(why) => Fact::unknown(why.clone()),
            None => Fact::known(false, Origin::inferred("no_way_to_group", [Origin::Written(group.span)])),
        }
    }

    /// Every way, live or not.
    fn ways(&self, group: &Group<'a>, policy: &str) -> Vec<Way> {
        let protocols = self.policies.protocols(self.export, policy);
        let allows = |word: &str| protocols.map(|p| p.contains(&word));
        let mut ways = Vec::new();
        let login = || authentication(self.export, &self.servers, group);
        if let Some(reach) = self.web_reaches(group) {
            let (client, clientless) = self.web_modes();
            let tunnel = allows("ssl-client").and(&client);
            let portal = allows("ssl-clientless").and(&clientless);
            let kind = if tunnel.value.is_false() { "web_portal" } else { "ssl_vpn" };
            ways.push(Way { kind, live: reach.and(&tunnel.or(&portal)), factors: self.web_factors(group, login()) });
        }
        let dynamic = self.dynamic_on();
        let ike = |list: &[(&str, Node<'a>)]| list.iter().find(|(i, _)| dynamic.contains(i)).map(|(_, n)| Fact::written(true, n.span()));
        if let Some(on) = ike(&self.crypto.ike2_on).filter(|_| group.name != "DefaultRAGroup") {
            ways.push(Way { kind: "ikev2", live: on.and(&allows("ikev2")), factors: self.web_factors(group, login()) });
        }
        if let Some(on) = ike(&self.crypto.ike1_on).filter(|_| group.name != "DefaultWEBVPNGroup") {
            let key = group.key().map(|(n, _)| (n, FactorKind::GroupSecret));
            let certificate =
                group.line("ipsec-attributes", &["trust-point"]).or_else(|| group.line("ipsec-attributes", &["ikev1", "trust-point"]));
            if let Some((line, kind)) = key.or(certificate.map(|n| (n, FactorKind::ClientCert))) {
                let mut factors = vec![Factor { kind, required: Fact::written(true, line.span()) }];
                let xauth = group.line("ipsec-attributes", &["isakmp", "ikev1-user-authentication"]);
                if xauth.and_then(|n| n.word(2)) != Some("none") {
                    factors.extend(login());
                }
                ways.push(Way { kind: "ikev1_xauth", live: on.and(&allows("ikev1")), factors: factors.clone() });
                // Without a name in its identity a client gets the default group; L2TP clients have none.
                if group.name == "DefaultRAGroup" || group.has("ppp-attributes") {
                    ways.push(Way { kind: "l2tp_ipsec", live: on.and(&allows("l2tp-ipsec")), factors });
                }
            }
        }
        ways
    }

    /// Interfaces with a map that takes users.
    fn dynamic_on(&self) -> Vec<&'a str> {
        let maps: Vec<&str> = self.crypto.maps.iter().filter(|e| e.dynamic().is_some()).map(|e| e.map).collect();
        self.crypto.bound.iter().filter(|(_, m, _)| maps.contains(m)).map(|(i, _, _)| *i).collect()
    }

    /// Whether the web server leads users to a group: the default group always, another by alias, address or certificate.
    fn web_reaches(&self, group: &Group<'a>) -> Option<Fact<bool>> {
        let (_, _, enable) = self.web.first()?;
        let on = Fact::written(true, *enable);
        if group.name == "DefaultWEBVPNGroup" {
            return Some(on);
        }
        if group.name == "DefaultRAGroup" {
            return None;
        }
        let block = |words: &[&str]| self.export.lines.all(&["webvpn"]).into_iter().find_map(|b| super::lines::child(b, words));
        let by_map = self.export.lines.all(&["webvpn"]).into_iter().flat_map(|b| super::lines::below(b, &["certificate-group-map"]));
        let by_map = by_map.collect::<Vec<_>>().into_iter().rfind(|n| n.word(3) == Some(group.name));
        let enabled = |words: &[&str]| {
            group.lines("webvpn-attributes").filter(|n| n.starts(words)).map(Node::read).find(|n| n.word(2) != Some("disable"))
        };
        let alias = enabled(&["group-alias"]).filter(|_| block(&["tunnel-group-list", "enable"]).is_some());
        Some(match enabled(&["group-url"]).or(alias).or(by_map) {
            Some(line) => on.and(&Fact::written(true, line.span())),
            None => Fact::known(false, Origin::inferred("no_way_to_group", [Origin::Written(group.span)])),
        })
    }

    /// Whether the web server serves clients, and whether it serves browsers.
    fn web_modes(&self) -> (Fact<bool>, Fact<bool>) {
        let block = |words: &[&str]| self.export.lines.all(&["webvpn"]).into_iter().find_map(|b| super::lines::child(b, words));
        let anchor = self.export.lines.last(&["webvpn"]).map_or(self.export.head, |n| n.span());
        let client = match block(&["anyconnect", "enable"]).or_else(|| block(&["svc", "enable"])) {
            Some(line) => Fact::written(true, line.span()),
            None => self.export.default_at("webvpn anyconnect enable", anchor, super::on_off),
        };
        let clientless = match block(&["anyconnect-essentials"]) {
            Some(line) => Fact::written(false, line.span()),
            None => self.export.default_at("webvpn clientless", anchor, super::on_off),
        };
        (client, clientless)
    }

    /// What the web server and IKEv2 ask: by the group's `authentication` line, and certificates that an interface asks for.
    fn web_factors(&self, group: &Group<'a>, login: Vec<Factor>) -> Vec<Factor> {
        let line = group.line("webvpn-attributes", &["authentication"]);
        let words: Vec<&str> = line.map(|n| n.words_from(1).collect()).unwrap_or_default();
        let has = |w: &str| words.contains(&w);
        let span = line.map_or(group.span, |n| n.span());
        let mut factors = Vec::new();
        if words.is_empty() || has("aaa") {
            factors.extend(login);
        }
        if has("saml") {
            factors.push(Factor { kind: FactorKind::Delegated, required: Fact::written(true, span) });
        }
        if has("certificate") || has("multiple-certificate") {
            factors.push(Factor { kind: FactorKind::ClientCert, required: Fact::written(true, span) });
        } else {
            factors.extend(self.interface_certificates());
        }
        factors
    }

    /// `ssl certificate-authentication interface <if> port <p>`: a certificate on some or all interfaces.
    fn interface_certificates(&self) -> Option<Factor> {
        let lines = self.export.lines.all(&["ssl", "certificate-authentication"]);
        let asks = |name: &str| lines.iter().find(|n| n.word(3) == Some(name));
        let spans: Vec<Span> = self.web.iter().filter_map(|(_, name, _)| asks(name)).map(|n| n.span()).collect();
        if spans.is_empty() {
            return None;
        }
        let all = spans.len() == self.web.len();
        let origins = spans.iter().map(|s| Origin::Written(*s));
        let required = match all {
            true => Fact::known(true, Origin::inferred("interface_certificate", origins)),
            false => Fact::unknown(Why::at(WhyCode::Ambiguous, "ssl certificate-authentication", spans)),
        };
        Some(Factor { kind: FactorKind::ClientCert, required })
    }

    /// The longest timer of the ways: without an idle timer IPsec users stay for ever, AnyConnect users fall back to another one.
    fn timers(&self, policy: &str, ways: &[Way], attribute: &'static str) -> Fact<i64> {
        let written = self.policies.number(self.export, policy, attribute, 60, NEVER);
        let only_web = ways.iter().all(|w| matches!(w.kind, "ssl_vpn" | "web_portal"));
        if attribute != "vpn-idle-timeout" || !only_web || written.get() != Some(&NEVER) {
            return written;
        }
        let line = self.export.lines.all(&["webvpn"]).into_iter().find_map(|b| super::lines::child(b, &["default-idle-timeout"]));
        let fallback = match line {
            Some(line) => line
                .word(1)
                .and_then(|w| w.parse().ok())
                .map_or_else(|| super::unclear(attribute, line.span()), |n| Fact::written(n, line.span())),
            None => self.export.product("webvpn default-idle-timeout", |v| v.parse().ok()),
        };
        Fact { value: fallback.value, origin: Origin::all([written.origin, fallback.origin]) }
    }

    fn aggressive(&self, group: &Group<'a>, ways: &[Way]) -> Fact<bool> {
        let uses = ways.iter().find(|w| matches!(w.kind, "ikev1_xauth" | "l2tp_ipsec"));
        let (Some(way), Some((key, _))) = (uses, group.key()) else {
            return Fact::known(false, Origin::inferred("no_group_key", [Origin::Written(group.span)]));
        };
        let open = match self.crypto.no_aggressive {
            Some(line) => Fact::written(false, line.span()),
            None => self.export.default_at("crypto ikev1 am-disable", key.span(), |v| super::on_off(v).map(|off| !off)),
        };
        Fact::written(true, key.span()).and(&open).and(&way.live)
    }

    fn pool(&self, group: &Group<'a>) -> Fact<AddrExpr> {
        let export = self.export;
        let lines: Vec<Node<'a>> =
            group.lines("general-attributes").filter(|n| n.word(0) == Some("address-pool")).map(Node::read).collect();
        let names = lines.iter().flat_map(|n| n.words_from(1)).filter(|w| !w.starts_with('('));
        let mut parts = Vec::new();
        for name in names {
            for pool in export.lines.all(&["ip", "local", "pool", name]) {
                let range = pool.word_or_empty(4);
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                match (first.parse(), last.parse()) {
                    (Ok(a), Ok(b)) => parts.push(AddrExpr::Range(a, b)),
                    _ => parts.push(super::names::opaque(range, pool.span())),
                }
            }
        }
        match (lines.first(), parts.is_empty()) {
            (Some(line), false) => Fact::written(AddrExpr::Union(parts), line.span()),
            _ => Fact::unknown(Why::at(WhyCode::ExternalDecision, "address-pool", vec![group.span])),
        }
    }
}

/// A proof and whether it is required, as far as that can be told.
type Asks = (FactorKind, Option<bool>);

/// One path for ways that ask for the same, else one for each.
fn paths(group: &Group<'_>, ways: &[Way]) -> Vec<AuthPath> {
    let kinds = |w: &Way| {
        w.factors.iter().filter(|f| f.kind != FactorKind::GroupSecret).map(|f| (f.kind, f.required.value.tri())).collect::<Vec<_>>()
    };
    let mut paths: Vec<(Vec<Asks>, AuthPath)> = Vec::new();
    for way in ways {
        let asks = kinds(way);
        match paths.iter_mut().find(|(k, _)| *k == asks) {
            Some((_, path)) => path.live = path.live.or(&way.live),
            None => paths.push((
                asks,
                AuthPath {
                    principal: group.name.to_owned(),
                    span: group.span,
                    account: None,
                    factors: way.factors.clone(),
                    fallback: false,
                    live: way.live.clone(),
                },
            )),
        }
    }
    paths.into_iter().map(|(_, p)| p).collect()
}
