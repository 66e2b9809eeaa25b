//! IPsec peers: tunnels between sites, and users who dial in with IKE. Profiles and proposals with the factory's values.
//!
//! A peer that is not passive is brought up as soon as a policy exists. A peer without policy and without generated ones does
//! nothing. Releases before 6.44 write into the peer what is an identity or a profile later.

use super::menus::Item;
use super::{Export, address, interface, proposal, secret};
use crate::ir::Device;
use crate::ir::account::{Direction, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::listener::ListenerIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{
    AuthPath, Crypto, Factor, FactorKind, Keeper, KeeperForce, Peer as FarEnd, RemoteAccess, Starts, Tunnel, TunnelAuth, TunnelRole,
};
use crate::source::Span;
use std::collections::HashMap;

/// A peer with its identities.
pub struct Peer<'a> {
    pub item: Item<'a>,
    pub name: String,
    /// Whether users dial in by it.
    pub users: bool,
    identities: Vec<Item<'a>>,
    policies: Vec<Item<'a>>,
    templates: Vec<Item<'a>>,
}

/// Rows by the peer or group they belong to.
#[derive(Default)]
struct Rows<'a> {
    identities: HashMap<&'a str, Vec<Item<'a>>>,
    policies: HashMap<&'a str, Vec<Item<'a>>>,
    /// Policies of older releases, by the address of the far end.
    by_address: HashMap<&'a str, Vec<Item<'a>>>,
    templates: HashMap<&'a str, Vec<Item<'a>>>,
}

fn rows<'a>(export: &Export<'a>) -> Rows<'a> {
    let mut rows = Rows::default();
    for item in export.menus.rows("/ip ipsec identity") {
        if let Some(peer) = item.text("peer") {
            rows.identities.entry(peer.text).or_default().push(*item);
        }
    }
    for item in export.menus.items("/ip ipsec policy") {
        let factory = item.verb() == "set" && (item.is_default_row() || item.targets().any(|t| matches!(t, "0" | "*0" | "*FFFFFF")));
        if factory || item.text("template").is_some_and(|v| v.text == "yes") {
            rows.templates.entry(item.text("group").map_or("default", |v| v.text)).or_default().push(*item);
        } else if item.verb() == "add" {
            match (item.text("peer"), item.text("sa-dst-address")) {
                (Some(peer), _) => rows.policies.entry(peer.text).or_default().push(*item),
                (None, Some(far)) => rows.by_address.entry(far.text).or_default().push(*item),
                _ => {}
            }
        }
    }
    rows
}

/// All peers.
pub fn peers<'a>(export: &Export<'a>) -> Vec<Peer<'a>> {
    let rows = rows(export);
    let mut out = Vec::new();
    for item in export.menus.rows("/ip ipsec peer") {
        let name = item.text("name").or(item.text("address")).map_or("peer", |v| v.text);
        let mut identities = rows.identities.get(name).cloned().unwrap_or_default();
        if identities.is_empty()
            && (item.text("secret").is_some() || item.text("auth-method").is_some() || item.text("generate-policy").is_some())
        {
            identities.push(*item);
        }
        let host = item.text("address").map(|v| v.text.trim_end_matches("/32"));
        let mut policies = rows.policies.get(name).cloned().unwrap_or_default();
        policies.extend(host.and_then(|h| rows.by_address.get(h)).into_iter().flatten());
        // Policies are made from the templates of a group.
        let generating = identities.iter().find(|i| i.text("generate-policy").is_some_and(|v| v.text != "no"));
        let group = generating.map(|i| i.text("policy-template-group").map_or("default", |v| v.text));
        // Nobody has more than a few in a group.
        let mut templates = group.and_then(|g| rows.templates.get(g)).cloned().unwrap_or_default();
        templates.truncate(16);
        let mut peer = Peer { item: *item, name: name.to_owned(), users: false, identities, policies, templates };
        let by_name = |i: &Item<'_>| {
            let method = i.text("auth-method").map_or("", |v| v.text);
            method.starts_with("eap") || method.contains("xauth") || method.contains("hybrid") || i.text("mode-config").is_some()
        };
        peer.users = peer.any_address() && peer.identities.iter().any(by_name);
        out.push(peer);
    }
    out
}

impl Peer<'_> {
    /// Name of the virtual interface on which its packets arrive.
    pub fn interface(&self) -> String {
        format!("<ipsec {}>", self.name)
    }

    /// Whether any address may be the peer's.
    pub fn any_address(&self) -> bool {
        self.item.text("address").is_none_or(|v| matches!(v.text, "0.0.0.0/0" | "::/0" | "0.0.0.0" | "::"))
    }

    /// Its switch, an identity, and a policy.
    pub fn live(&self, export: &Export<'_>) -> Live {
        let at = self.item.span();
        let mut live = Live::own(export.enabled(&self.item, "ip ipsec peer"));
        let on = |items: &[Item<'_>], menu: &str| items.iter().map(|i| export.enabled(i, menu)).reduce(|a, b| a.or(&b));
        let identity = match on(&self.identities, "ip ipsec identity") {
            Some(fact) => fact,
            None if export.gaps.contains_key("tunnels") => Fact::unknown(Why::at(WhyCode::NotExported, "/ip ipsec identity", vec![at])),
            None => Fact::known(false, Origin::inferred("infer.no_identity_for_peer", [Origin::Written(at)])),
        };
        live = live.with(LinkKind::KeyPresent, identity);
        if self.identities.iter().any(|i| i.text("generate-policy").is_some_and(|v| v.text != "no")) {
            return live;
        }
        let policy = match on(&self.policies, "ip ipsec policy") {
            Some(fact) => fact,
            None if export.gaps.contains_key("tunnels") => Fact::unknown(Why::at(WhyCode::NotExported, "/ip ipsec policy", vec![at])),
            None => Fact::known(false, Origin::inferred("infer.no_policy_for_peer", [Origin::Written(at)])),
        };
        live.with(LinkKind::Referenced, policy)
    }

    fn methods(&self, export: &Export<'_>) -> Fact<Vec<TunnelAuth>> {
        let method = |i: &Item<'_>| match i.text("auth-method") {
            Some(value) => Fact::written(value.text.to_owned(), value.span),
            None => export.default_at("ip ipsec identity.auth-method", i.span(), |w| Some(w.to_owned())),
        };
        let Some(first) = self.identities.first() else {
            return Fact::unknown(Why::at(WhyCode::NotExported, "/ip ipsec identity", vec![self.item.span()]));
        };
        method(first).map(|m| match m.as_str() {
            "pre-shared-key" => vec![TunnelAuth::GroupPsk],
            "pre-shared-key-xauth" => vec![TunnelAuth::GroupPsk, TunnelAuth::Password],
            m if m.starts_with("eap") => vec![TunnelAuth::Password],
            _ => vec![TunnelAuth::ClientCert],
        })
    }

    fn exchange(&self, export: &Export<'_>) -> Fact<String> {
        match self.item.text("exchange-mode") {
            Some(value) => Fact::written(value.text.to_owned(), value.span),
            None => export.default_at("ip ipsec peer.exchange-mode", self.item.span(), |w| Some(w.to_owned())),
        }
    }

    fn aggressive(&self, export: &Export<'_>) -> Fact<bool> {
        let psk = self.methods(export).map(|m| m.contains(&TunnelAuth::GroupPsk));
        self.exchange(export).map(|m| m == "aggressive").and(&psk)
    }

    fn crypto(&self, export: &Export<'_>) -> Crypto {
        let profile = self.item.text("profile").map_or("default", |v| v.text);
        let mut proposals: Vec<&str> =
            self.policies.iter().chain(&self.templates).map(|p| p.text("proposal").map_or("default", |v| v.text)).collect();
        proposals.sort_unstable();
        proposals.dedup();
        proposal::crypto(
            export,
            Some(&self.item),
            profile,
            if proposals.is_empty() { vec!["default"] } else { proposals },
            self.item.span(),
        )
    }
}

/// L2TP servers that offer IPsec, and tunnels with a secret of their own: the router answers IKE for them.
pub fn l2tp_offers(export: &Export<'_>) -> Vec<(Fact<bool>, Span)> {
    let mut out = Vec::new();
    for server in super::remote::servers(export) {
        if let Some(value) = server.get("use-ipsec").filter(|v| v.text != "no") {
            out.push((server.on.and(&Fact::written(true, value.span)), value.span));
        }
    }
    for menu in ["gre", "gre6", "eoip", "eoipv6", "ipip", "ipipv6"] {
        for row in export.menus.rows(&format!("/interface {menu}")) {
            if let Some(value) = row.text("ipsec-secret") {
                out.push((export.enabled(row, &format!("interface {menu}")), value.span));
            }
        }
    }
    out
}

/// Fills tunnels and remote access over IKE.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    for item in export
        .menus
        .items("/ip ipsec policy")
        .iter()
        .chain(export.menus.items("/ip ipsec identity"))
        .chain(export.menus.items("/ip ipsec peer"))
        .chain(export.menus.items("/ip ipsec profile"))
        .chain(export.menus.items("/ip ipsec proposal"))
    {
        for key in [
            "comment",
            "template",
            "group",
            "level",
            "action",
            "protocol",
            "src-port",
            "dst-port",
            "tunnel",
            "sa-src-address",
            "src-address",
            "policy-template-group",
            "my-id",
            "remote-id",
            "match-by",
            "port",
            "send-initial-contact",
            "notrack-chain",
        ] {
            let _ = item.get(key);
        }
    }
    for peer in peers(export) {
        let live = peer.live(export);
        let mut psk = None;
        for identity in &peer.identities {
            let wants = identity.text("auth-method").is_none_or(|v| v.text.starts_with("pre-shared-key"));
            if wants {
                let found = secret::of(export, identity, "secret");
                psk = Some(secret::add(device, found, SecretUse::IkePsk, &peer.name, Direction::Verifies, live.value()));
            }
        }
        if peer.users {
            let access = users(export, &peer, live, device);
            device.remote_access.items.push(access);
        } else {
            let tunnel = tunnel(export, &peer, live, psk);
            device.tunnels.items.push(tunnel);
        }
    }
}

fn tunnel(export: &Export<'_>, peer: &Peer<'_>, live: Live, psk: Option<crate::ir::account::SecretIx>) -> Tunnel {
    let at = peer.item.span();
    let any = peer.any_address();
    let address = peer.item.text("address");
    let far = match address {
        _ if any => Fact::known(AddrExpr::Any, address.map_or(Origin::Written(at), |v| Origin::Written(v.span))),
        Some(value) => {
            let named = || AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: value.text.to_owned(), span: value.span });
            Fact::written(address::set(value.text).unwrap_or_else(named), value.span)
        }
        None => Fact::written(AddrExpr::Any, at),
    };
    let passive = export.row_switch(&peer.item, "passive", "ip ipsec peer");
    let starts = if any {
        Fact::known(Starts::Never, far.origin.clone())
    } else if passive.value.is_true() {
        passive.map(|_| Starts::Never)
    } else {
        let starts = export.default_at("ip ipsec peer.initiates", at, |w| match w {
            "at once" => Some(Starts::AtBoot),
            "on traffic" => Some(Starts::OnTraffic),
            _ => None,
        });
        Fact { value: starts.value, origin: Origin::all([Origin::Written(at), starts.origin]) }
    };
    let mut remote = Vec::new();
    let mut origins = Vec::new();
    for policy in peer.policies.iter().filter(|p| !export.enabled(p, "ip ipsec policy").value.is_false()) {
        if let Some(value) = policy.text("dst-address") {
            remote.extend(address::set(value.text));
            origins.push(Origin::Written(value.span));
        }
    }
    let remote_nets = if remote.is_empty() {
        Fact::unknown(Why::at(WhyCode::RuntimeContent, "/ip ipsec policy", vec![at]))
    } else {
        Fact::known(AddrExpr::union(remote), Origin::all(origins))
    };
    let outer = peer
        .item
        .text("local-address")
        .and_then(|v| v.text.parse().ok())
        .and_then(|a| interface::holding(&export.interfaces, a))
        .map_or_else(|| interface::outer(export), |ix| vec![ix]);
    Tunnel {
        name: peer.name.clone(),
        span: at,
        kind: "ipsec",
        layer2: false,
        encrypted: Fact::written(true, at),
        role: Fact::written(if any { TunnelRole::HubForDialin } else { TunnelRole::SiteToSite }, address.map_or(at, |v| v.span)),
        live,
        interface: export.interfaces.named(&peer.interface()),
        outer,
        peer: FarEnd { addresses: far, text: address.map_or_else(String::new, |v| v.text.to_owned()) },
        starts,
        keepers: vec![Keeper { code: "keeper.dpd", force: KeeperForce::Probes, live: Fact::written(true, at) }],
        enders: List::complete(Vec::new(), Origin::Written(at)),
        auth: peer.methods(export),
        aggressive_psk: peer.aggressive(export),
        remote_nets,
        crypto: Some(peer.crypto(export)),
        psk,
    }
}

fn users(export: &Export<'_>, peer: &Peer<'_>, live: Live, device: &mut Device) -> RemoteAccess {
    let at = peer.item.span();
    let value = live.value();
    let mut paths = Vec::new();
    for identity in &peer.identities {
        let span = identity.span();
        let method = identity.text("auth-method");
        let here = method.map_or(span, |v| v.span);
        let one = |kind| Factor { kind, required: Fact::written(true, here) };
        let asks =
            || Factor { kind: FactorKind::OneTime, required: Fact::unknown(Why::at(WhyCode::ExternalDecision, "RADIUS", vec![here])) };
        let factors = match method.map_or("pre-shared-key", |v| v.text) {
            "eap-radius" => vec![one(FactorKind::Password), asks()],
            m if m.starts_with("eap") => vec![one(FactorKind::Password)],
            "pre-shared-key" => vec![one(FactorKind::GroupSecret)],
            "pre-shared-key-xauth" => vec![one(FactorKind::GroupSecret), one(FactorKind::Password)],
            m if m.contains("hybrid") => vec![one(FactorKind::Password)],
            _ => vec![one(FactorKind::ClientCert)],
        };
        let principal = identity.text("remote-id").or(identity.text("comment")).map_or("*", |v| v.text).to_owned();
        let on = value.and(&export.enabled(identity, "ip ipsec identity"));
        paths.push(AuthPath { principal, span, account: None, factors, fallback: false, live: on });
    }
    let ikev2 = peer.exchange(export).get().is_some_and(|m| m == "ike2");
    // A server that checks the users may end their sessions too.
    let asks = peer.identities.iter().find_map(|i| i.text("auth-method").filter(|v| v.text == "eap-radius"));
    let none = |key: &str| match asks {
        Some(value) => Fact::unknown(Why::at(WhyCode::ExternalDecision, "RADIUS", vec![value.span])),
        None => export.default_at(key, at, |w| if w == "none" { Some(NEVER) } else { w.parse().ok() }),
    };
    RemoteAccess {
        name: peer.name.clone(),
        kind: if ikev2 { "ikev2" } else { "ikev1_xauth" },
        span: at,
        listeners: (0..)
            .map(ListenerIx)
            .zip(&device.listeners.items)
            .filter(|(_, l)| matches!(l.service, "ike" | "esp"))
            .map(|(ix, _)| ix)
            .collect(),
        interface: export.interfaces.named(&peer.interface()),
        outer: interface::outer(export),
        paths: super::remote::ways(export, paths),
        idle_s: none("ip ipsec.idle-timeout"),
        session_s: none("ip ipsec.session-timeout"),
        concurrent: Fact::written(NEVER, at),
        aggressive_psk: peer.aggressive(export),
        pool: Fact::unknown(Why::at(WhyCode::RuntimeContent, "mode-config", vec![at])),
        crypto: Some(peer.crypto(export)),
        live,
        note: None,
    }
}
