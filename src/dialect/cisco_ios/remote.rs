//! Remote access for users: client groups of IKEv1 (EzVPN), IKEv2 with EAP, SSL VPN, L2TP and PPTP.
//!
//! Who gets in is said by a method list: the box's own accounts one by one, groups of servers as one way whose second factor only
//! they know. A group's key lets nobody in by itself where users must log in, and everybody where they need not.

use super::aaa::{self, Method};
use super::keys;
use super::tunnel::takes_users;
use super::vpn::{self, DialIn, Plan, SslGateway};
use super::{Block, Export, algorithm};
use crate::ir::Device;
use crate::ir::account::AccountIx;
use crate::ir::fact::{Fact, List, Origin, Rest, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::listener::ListenerIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess};
use crate::source::Span;
use crate::syntax::Node;

const TOPIC: &str = "remote_access";

fn factor(kind: FactorKind, required: Fact<bool>) -> Factor {
    Factor { kind, required }
}

fn listeners(device: &Device, services: &[&str]) -> Vec<ListenerIx> {
    (0..).map(ListenerIx).zip(&device.listeners.items).filter(|(_, l)| services.contains(&l.service)).map(|(ix, _)| ix).collect()
}

/// The ways in that a method list gives. `beside`: what is asked besides the login.
fn paths(device: &Device, methods: &[Method], at: Span, live: &Fact<bool>, beside: &[Factor]) -> Vec<AuthPath> {
    let mut out = Vec::new();
    let path = |principal: String, account, span, mut factors: Vec<Factor>, fallback| {
        factors.extend(beside.iter().cloned());
        AuthPath { principal, span, account, factors, fallback, live: live.clone() }
    };
    for (rank, method) in methods.iter().enumerate() {
        match method {
            Method::Local => {
                for (ix, account) in device.accounts.items.iter().enumerate().filter(|(_, a)| a.secret.is_some()) {
                    let factors = vec![factor(FactorKind::Password, Fact::written(true, account.span))];
                    out.push(path(account.name.clone(), Some(AccountIx(ix as u32)), account.span, factors, rank > 0));
                }
            }
            Method::Group(name) => {
                let asks = Fact::unknown(Why::at(WhyCode::ExternalDecision, name.clone(), vec![at]));
                let factors = vec![factor(FactorKind::Password, Fact::written(true, at)), factor(FactorKind::OneTime, asks)];
                out.push(path(format!("group {name}"), None, at, factors, rank > 0));
            }
            Method::None => out.push(path("*".to_owned(), None, at, Vec::new(), rank > 0)),
            Method::Line | Method::Enable => {
                let factors = vec![factor(FactorKind::Password, Fact::written(true, at))];
                out.push(path("*".to_owned(), None, at, factors, rank > 0));
            }
        }
    }
    out
}

/// The methods of a login list by name; unknown when it is defined nowhere.
fn list(export: &Export<'_>, name: &str) -> Option<(Vec<Method>, Span)> {
    aaa::list(export, name).map(|(methods, node)| (methods, node.span()))
}

fn path_list(export: &Export<'_>, found: Option<Vec<AuthPath>>, at: Span) -> List<AuthPath> {
    match (found, export.gaps.get(TOPIC)) {
        (Some(items), None) => List::complete(items, Origin::Written(at)),
        (Some(items), Some(why)) => List::partial(items, why.clone()),
        (None, _) => List::partial(Vec::new(), Why::at(WhyCode::Unresolved, "aaa authentication", vec![at])),
    }
}

/// A remote access with nothing special about it.
fn plain(export: &Export<'_>, name: String, kind: &'static str, span: Span, live: Live) -> RemoteAccess {
    RemoteAccess {
        name,
        kind,
        span,
        live,
        listeners: Vec::new(),
        interface: None,
        outer: vpn::outer(export, None, None),
        paths: List { items: Vec::new(), rest: Rest::MayHoldMore(Why::at(WhyCode::Unresolved, "aaa", vec![span])) },
        idle_s: export.product("remote access idle", |v| v.parse().ok().or((v == "never").then_some(NEVER))),
        session_s: export.product("remote access session", |v| v.parse().ok().or((v == "never").then_some(NEVER))),
        concurrent: export.product("remote access sessions a user", |v| v.parse().ok().or((v == "never").then_some(NEVER))),
        aggressive_psk: Fact::written(false, span),
        pool: Fact::unknown(Why::at(WhyCode::RuntimeContent, "pool", vec![span])),
        crypto: None,
        note: None,
    }
}

/// `ip local pool NAME FIRST [LAST]`.
fn pool(export: &Export<'_>, name: &str, at: Span) -> Fact<AddrExpr> {
    let line = export.line(&["ip", "local", "pool", name]);
    let range = line.and_then(|n| {
        let first = n.word(4)?.parse().ok()?;
        Some((AddrExpr::Range(first, n.word(5).and_then(|w| w.parse().ok()).unwrap_or(first)), n.span()))
    });
    range.map_or_else(|| Fact::unknown(Why::at(WhyCode::Unresolved, name, vec![at])), |(e, s)| Fact::written(e, s))
}

fn number(line: Option<Node<'_>>, at: usize) -> Option<Fact<i64>> {
    let node = line?;
    node.word(at)?.parse().ok().map(|n: i64| Fact::written(if n == 0 { NEVER } else { n }, node.span()))
}

/// Client groups of IKEv1: dynamic crypto maps that take users, profiles with a virtual template, and IKEv2 with EAP.
pub fn fill_isakmp(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let groups: Vec<Node<'_>> = export.lines(&["crypto", "isakmp", "client", "configuration", "group"]).collect();
    let map = plan.maps.iter().find(|m| m.is_dynamic && takes_users(export, m));
    let profile = export.lines(&["crypto", "isakmp", "profile"]).find(|p| Block(*p).line(&["match", "identity", "group"]).is_some());
    for group in groups {
        let block = Block(group);
        let key = block.line(&["key"]);
        let (live, login, entry) = match (map, profile) {
            (Some(map), _) => {
                let line = export.lines(&["crypto", "map", map.name, "client", "authentication", "list"]).last();
                let inner = profile.and_then(|p| Block(p).line(&["client", "authentication", "list"]));
                (map.live.clone(), line.map(|n| (n, 6)).or(inner.map(|n| (n, 3))), map.dynamic.first().copied())
            }
            (None, Some(profile)) => {
                let inner = Block(profile);
                let template = inner.line(&["virtual-template"]);
                let held = template.map_or_else(|| Fact::written(false, profile.span()), |n| Fact::written(true, n.span()));
                let own = Live::own(Fact::written(true, profile.span())).with(LinkKind::Bound, held);
                (own, inner.line(&["client", "authentication", "list"]).map(|n| (n, 3)), None)
            }
            (None, None) => {
                let unused = Fact::known(false, Origin::inferred("client_group_not_used", [Origin::Written(group.span())]));
                (Live::own(Fact::written(true, group.span())).with(LinkKind::Referenced, unused), None, None)
            }
        };
        let value = live.value();
        let mut access = plain(export, format!("client group {}", group.word_or_empty(5)), "ikev1_xauth", group.span(), live);
        access.listeners = listeners(device, &["ike", "esp"]);
        if let Some(map) = map.filter(|m| !m.on.is_empty()) {
            access.outer.clone_from(&map.on);
        }
        let secret: Vec<Factor> = key.map(|k| factor(FactorKind::GroupSecret, Fact::written(true, k.span()))).into_iter().collect();
        let found = match login {
            Some((line, at)) => list(export, line.word_or_empty(at)).map(|(m, _)| paths(device, &m, line.span(), &value, &secret)),
            // Nobody is asked: whoever knows the group's key is in.
            None => Some(paths(device, &[Method::None], group.span(), &value, &secret)),
        };
        access.paths = path_list(export, found, group.span());
        if let Some(key) = key {
            let aggressive = keys::accepts_aggressive(export, key.span());
            access.aggressive_psk = aggressive;
        }
        if let Some(name) = block.line(&["pool"]).and_then(|n| n.word(1)) {
            access.pool = pool(export, name, group.span());
        }
        let idle = entry.and_then(|e| Block(e).line(&["set", "security-association", "idle-time"]));
        let common = export.line(&["crypto", "ipsec", "security-association", "idle-time"]);
        access.idle_s = number(idle, 3).or_else(|| number(common, 4)).unwrap_or(access.idle_s);
        access.crypto = Some(algorithm::crypto(export, entry, false, group.span()));
        device.remote_access.items.push(access);
    }
    for profile in export.lines(&["crypto", "ikev2", "profile"]) {
        eap(export, profile, device);
    }
}

/// IKEv2 that takes users: EAP, the vendor's client, or certificates of users on a virtual template.
fn eap(export: &Export<'_>, profile: Node<'_>, device: &mut Device) {
    let block = Block(profile);
    let remote: Vec<Node<'_>> = block.lines(&["authentication", "remote"]).collect();
    let login = remote.iter().copied().find(|n| matches!(n.word(2), Some("eap" | "anyconnect-eap")));
    let Some(line) = login else { return };
    let template = block.line(&["virtual-template"]);
    let held = template.map_or_else(|| Fact::written(false, profile.span()), |n| Fact::written(true, n.span()));
    let live = Live::own(Fact::written(true, profile.span())).with(LinkKind::Bound, held);
    let value = live.value();
    let mut access = plain(export, format!("IKEv2 {}", profile.word_or_empty(3)), "ikev2", profile.span(), live);
    access.listeners = listeners(device, &["ike", "esp"]);
    let certificate =
        line.words_from(3).any(|w| w == "cert-request").then(|| factor(FactorKind::ClientCert, Fact::written(true, line.span())));
    let beside: Vec<Factor> = certificate.into_iter().collect();
    let named = block.lines(&["aaa", "authentication"]).last().and_then(|n| n.word(n.len().saturating_sub(1)).map(|w| (w, n.span())));
    let found = named.and_then(|(name, at)| list(export, name).map(|(m, _)| paths(device, &m, at, &value, &beside)));
    access.paths = path_list(export, found, profile.span());
    access.interface = template.and_then(|n| export.ports.named(&format!("Virtual-Template{}", n.word_or_empty(1))));
    let protection = access.interface.and_then(|ix| export.ports.get(ix)).and_then(vpn::protection);
    let ipsec = protection.and_then(|n| export.line(&["crypto", "ipsec", "profile", n.word_or_empty(4)]));
    access.crypto = Some(algorithm::crypto(export, ipsec, true, profile.span()));
    device.remote_access.items.push(access);
}

/// Fills what remains: SSL VPN, L2TP, PPTP.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    for gateway in &plan.ssl {
        let access = ssl(export, gateway, device);
        device.remote_access.items.push(access);
    }
    for dial in &plan.dial_in {
        let access = dial_in(export, plan, dial, device);
        device.remote_access.items.push(access);
    }
    let items = std::mem::take(&mut device.remote_access.items);
    device.remote_access = export.list(TOPIC, items);
}

fn ssl(export: &Export<'_>, gateway: &SslGateway<'_>, device: &Device) -> RemoteAccess {
    let node = gateway.node;
    let value = gateway.live.value();
    let name = node.word_or_empty(node.len().saturating_sub(1));
    let mut access = plain(export, format!("webvpn {name}"), "ssl_vpn", gateway.span, gateway.live.clone());
    let own = |l: &(ListenerIx, &crate::ir::listener::Listener)| l.1.service == "ssl_vpn" && l.1.span == Some(gateway.span);
    access.listeners = (0..).map(ListenerIx).zip(&device.listeners.items).filter(own).map(|(ix, _)| ix).collect();
    let Some(context) = gateway.context else { return access };
    let block = Block(context);
    let login = block.line(&["aaa", "authentication", "list"]).map(|n| (n, 3));
    let login = login.or_else(|| block.line(&["aaa", "authentication", "user-pass", "list"]).map(|n| (n, 4)));
    let certificate = block
        .line(&["authentication", "certificate"])
        .or_else(|| block.lines(&["authentication", "remote"]).find(|n| n.words_from(2).any(|w| w == "rsa-sig")));
    let beside: Vec<Factor> = certificate.map(|n| factor(FactorKind::ClientCert, Fact::written(true, n.span()))).into_iter().collect();
    let found = match (login, certificate) {
        (Some((line, at)), _) => list(export, line.word_or_empty(at)).map(|(m, _)| paths(device, &m, line.span(), &value, &beside)),
        (None, Some(line)) => {
            let only = AuthPath {
                principal: "*".to_owned(),
                span: line.span(),
                account: None,
                factors: beside.clone(),
                fallback: false,
                live: value.clone(),
            };
            Some(vec![only])
        }
        // Without a list the default one checks.
        (None, None) => list(export, "default").map(|(m, at)| paths(device, &m, at, &value, &beside)),
    };
    access.paths = path_list(export, found, context.span());
    let policies: Vec<Node<'_>> = block.lines(&["policy", "group"]).collect();
    let timers =
        |what: &str| policies.iter().filter_map(|p| number(Block(*p).line(&["timeout", what]), 2)).max_by_key(|f| f.get().copied());
    let parse = |v: &str| v.parse().ok();
    access.idle_s = timers("idle").unwrap_or_else(|| export.default_at("webvpn timeout idle", Some(context.span()), parse));
    access.session_s = timers("session").unwrap_or_else(|| export.default_at("webvpn timeout session", Some(context.span()), parse));
    access
}

fn dial_in(export: &Export<'_>, plan: &Plan<'_>, dial: &DialIn<'_>, device: &Device) -> RemoteAccess {
    let ipsec = plan.maps.iter().find(|m| m.is_dynamic && !m.live.value().value.is_false());
    let kind = match (dial.kind, ipsec) {
        ("pptp", _) => "pptp",
        (_, Some(_)) => "l2tp_ipsec",
        _ => "l2tp_plain",
    };
    let value = dial.live.value();
    let mut access = plain(export, dial.node.words_from(0).collect::<Vec<_>>().join(" "), kind, dial.node.span(), dial.live.clone());
    access.listeners = listeners(device, if kind == "l2tp_ipsec" { &["l2tp", "ike", "esp"] } else { &["l2tp", "pptp"] });
    access.listeners.retain(|ix| device.listeners.items[ix.0 as usize].service != if dial.kind == "pptp" { "l2tp" } else { "pptp" });
    access.interface = dial.template.and_then(|t| export.ports.named(&format!("Virtual-Template{t}")));
    let port = access.interface.and_then(|ix| export.ports.get(ix));
    let asks = port.and_then(|p| p.block().line(&["ppp", "authentication"]));
    let found = match asks {
        Some(line) => {
            let kinds = ["pap", "chap", "ms-chap", "ms-chap-v2", "eap", "callin", "optional", "one-time", "if-needed", "callback"];
            let named = line.words_from(2).find(|w| !kinds.contains(w)).unwrap_or("default");
            let methods = match export.line(&["aaa", "authentication", "ppp", named]) {
                Some(list) => ppp_methods(list),
                None => vec![Method::Local],
            };
            Some(paths(device, &methods, line.span(), &value, &[]))
        }
        None => port.map(|p| paths(device, &[Method::None], p.node.span(), &value, &[])),
    };
    access.paths = path_list(export, found, dial.node.span());
    if let Some(port) = port {
        let block = port.block();
        access.idle_s = number(block.line(&["ppp", "timeout", "idle"]), 3).unwrap_or(access.idle_s);
        access.session_s =
            number(block.line(&["timeout", "absolute"]), 2).map(|f| f.map(|m| m.saturating_mul(60))).unwrap_or(access.session_s);
        if let Some(line) = block.line(&["peer", "default", "ip", "address", "pool"]) {
            access.pool = pool(export, line.word_or_empty(5), line.span());
        }
    }
    if kind == "l2tp_ipsec"
        && let Some(map) = ipsec
    {
        if !map.on.is_empty() {
            access.outer.clone_from(&map.on);
        }
        access.crypto = Some(algorithm::crypto(export, map.dynamic.first().copied(), false, map.node.span()));
        let key = export.lines(&["crypto", "isakmp", "key"]).next();
        if let Some(key) = key {
            access.aggressive_psk = keys::accepts_aggressive(export, key.span());
            for path in &mut access.paths.items {
                path.factors.push(factor(FactorKind::GroupSecret, Fact::written(true, key.span())));
            }
        }
    }
    access
}

fn ppp_methods(node: Node<'_>) -> Vec<Method> {
    let mut out = Vec::new();
    let mut at = 4;
    while let Some(word) = node.word(at) {
        at += 1;
        match word {
            "local" | "local-case" => out.push(Method::Local),
            "none" => out.push(Method::None),
            "group" => {
                out.push(Method::Group(node.word_or_empty(at).to_owned()));
                at += 1;
            }
            "radius" | "tacacs+" => out.push(Method::Group(word.to_owned())),
            // `if-needed` and the like are conditions, no methods.
            _ => {}
        }
    }
    out
}
