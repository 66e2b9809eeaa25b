//! Tunnels between sites: entries of crypto maps with their peers, and tunnel interfaces.
//!
//! An entry lives only where its map is bound and IKE answers on that interface. What comes out of a tunnel comes out of no
//! interface of the box, so each gets one of its own; which filters see it is told by the [`Exit`].

use super::Export;
use super::acl::Lists;
use super::crypto::{Crypto, Entry};
use super::lines::child;
use super::policy::{Group, Policies};
use super::secret;
use crate::ir::Device;
use crate::ir::account::SecretIx;
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::{Interface, InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{Ender, EnderKind, Keeper, KeeperForce, Peer, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// What comes out of a VPN, and what it meets.
pub struct Exit {
    /// The interface it comes out of.
    pub on: InterfaceIx,
    /// The interfaces on which it arrives encrypted.
    pub outer: Vec<InterfaceIx>,
    /// The list that selects what is encrypted; packets come back in reverse.
    pub selectors: Option<(String, Span)>,
    /// The list that filters what comes out.
    pub filter: Option<(String, Span)>,
}

/// Gives a VPN an interface of its own.
pub fn virtual_interface(device: &mut Device, name: &str, span: Span, kind: InterfaceKind) -> InterfaceIx {
    let ix = InterfaceIx(device.interfaces.len() as u32);
    let (code, points_to) = match kind {
        InterfaceKind::RemoteAccess => ("sign.remote_access", SidePointer::RemoteAccess),
        _ => ("sign.site_tunnel", SidePointer::Tunnel),
    };
    let sign = TrustSign { code, strength: SignStrength::Strong, points_to, origin: Origin::Written(span) };
    device.interfaces.push(Interface {
        name: name.to_owned(),
        alias: None,
        kind,
        span,
        up: Fact::written(true, span),
        carrier: None,
        addresses: Vec::new(),
        ipv6: Fact::written(false, span),
        zone: None,
        members: Vec::new(),
        signs: vec![sign],
    });
    ix
}

/// The list that filters what comes out of a VPN under a policy.
pub fn vpn_filter(export: &Export<'_>, policies: &Policies<'_>, policy: &str) -> Option<(String, Span)> {
    let line = policies.line(policy, &["vpn-filter"])?;
    let name = line.word(2).filter(|_| line.word(1) == Some("value"))?;
    export.uses("filter", name);
    Some((name.to_owned(), line.span()))
}

struct Builder<'e, 'a> {
    export: &'e Export<'a>,
    crypto: &'e Crypto<'a>,
    policies: &'e Policies<'a>,
    lists: &'e Lists<'a>,
    keys: HashMap<&'a str, SecretIx>,
}

/// Fills the device's tunnels and gives what comes out of them.
pub fn fill<'a>(export: &Export<'a>, crypto: &Crypto<'a>, policies: &Policies<'a>, lists: &Lists<'a>, device: &mut Device) -> Vec<Exit> {
    let first = crypto.ike1_on.iter().chain(&crypto.ike2_on).next();
    let used = match first {
        Some((_, line)) => Fact::written(true, line.span()),
        None => export.absent("crypto ike enable", "tunnels", super::on_off),
    };
    let keys = secret::keys(export, policies, &used, device);
    let builder = Builder { export, crypto, policies, lists, keys };
    let (mut tunnels, mut exits) = (Vec::new(), Vec::new());
    for entry in crypto.maps.iter().filter(|e| e.dynamic().is_none()) {
        if let Some((name, _)) = entry.line(&["match", "address"]).and_then(|n| Some((n.word(6)?, n))) {
            export.uses("filter", name);
        }
        builder.entry(entry, entry.lines.clone(), entry.line(&["set", "peer"]), device, &mut tunnels, &mut exits);
    }
    builder.dynamic(device, &mut tunnels, &mut exits);
    builder.interfaces(device, &mut tunnels);
    device.tunnels = export.list("tunnels", tunnels);
    exits
}

impl<'a> Builder<'_, 'a> {
    /// An entry with a peer, or one that any site may use.
    fn entry(
        &self,
        entry: &Entry<'a>,
        lines: Vec<Node<'a>>,
        peer: Option<Node<'a>>,
        device: &mut Device,
        tunnels: &mut Vec<Tunnel>,
        exits: &mut Vec<Exit>,
    ) {
        let (export, span) = (self.export, peer.map_or_else(|| entry.span(), |n| n.span()));
        let name = format!("{} {}", entry.map, entry.number);
        let says =
            |words: &[&str]| lines.iter().any(|n| (0..n.len()).any(|ix| words.iter().enumerate().all(|(k, w)| n.word(ix + k) == Some(w))));
        let v2 = says(&["set", "ikev2"]);
        let v1 = says(&["set", "ikev1"]) || says(&["set", "transform-set"]) || !v2;
        let (live, outer) = self.live(entry.map, span, v1, v2);
        let peers: Vec<&'a str> = peer.map(|n| n.words_from(6).collect()).unwrap_or_default();
        let group = peers.iter().find_map(|p| self.group_of(p)).or_else(|| self.policies.group("DefaultL2LGroup"));
        let group = if peer.is_none() { self.policies.groups.iter().find(|g| self.is_free_site(g)) } else { group };
        let addresses = match peer {
            Some(line) => {
                let all = line.words_from(6).enumerate().map(|(n, p)| export.names.host(p, line.word_span(6 + n)));
                Fact::written(AddrExpr::Union(all.collect()), line.span())
            }
            None => Fact::written(AddrExpr::Any, span),
        };
        let selectors = lines.iter().find_map(|n| {
            let at = (0..n.len()).find(|ix| n.word(*ix) == Some("match") && n.word(ix + 1) == Some("address"))?;
            Some((n.word(at + 2)?.to_owned(), n.span()))
        });
        let policy = self.policies.policy_of(export, group);
        let starts = match (peer, lines.iter().find(|n| n.words_from(4).any(|w| w == "connection-type"))) {
            (None, _) => Fact::written(Starts::Never, span),
            (_, Some(line)) if line.words_from(4).any(|w| w == "answer-only") => Fact::written(Starts::Never, line.span()),
            (_, Some(line)) => Fact::written(Starts::OnTraffic, line.span()),
            (Some(_), None) => {
                export.default_at("crypto map set connection-type", span, |v| (v == "bidirectional").then_some(Starts::OnTraffic))
            }
        };
        let on = virtual_interface(device, &name, span, InterfaceKind::Tunnel);
        let remote = self.remote_nets(selectors.as_ref(), span);
        exits.push(Exit { on, outer: outer.clone(), selectors, filter: vpn_filter(export, self.policies, policy) });
        let aggressive = match lines.iter().find(|n| n.words_from(4).any(|w| w == "phase1-mode")) {
            Some(line) => Fact::written(line.words_from(4).any(|w| w == "aggressive"), line.span()),
            None if peer.is_some() || !v1 => Fact::known(false, Origin::inferred("pinned_peer", [Origin::Written(span)])),
            None => self.accepts_aggressive(group),
        };
        let by_key = group.and_then(|g| self.keys.get(g.name)).copied();
        tunnels.push(Tunnel {
            name,
            span,
            kind: "ipsec",
            layer2: false,
            encrypted: Fact::written(true, span),
            role: Fact::written(TunnelRole::SiteToSite, span),
            live,
            interface: Some(on),
            outer,
            peer: Peer { addresses, text: peers.join(" ") },
            starts,
            keepers: vec![self.dead_peer_detection(group, span)],
            enders: self.enders(policy),
            auth: self.auth(group, span),
            aggressive_psk: aggressive,
            remote_nets: remote,
            crypto: Some(self.crypto.offered(export, &lines, v1, v2, span)),
            psk: by_key,
        });
    }

    /// The group of a peer: by its address, whichever way it is written.
    fn group_of(&self, peer: &str) -> Option<&Group<'a>> {
        let text = self.export.names.text(peer);
        self.policies.group(peer).or_else(|| self.policies.group(text))
    }

    /// A group of a site whose address is pinned nowhere.
    fn is_free_site(&self, group: &Group<'a>) -> bool {
        let pinned = self.crypto.maps.iter().filter_map(|e| e.line(&["set", "peer"])).flat_map(|n| n.words_from(6).collect::<Vec<_>>());
        let key = group.key().is_some() || group.line("ipsec-attributes", &["ikev2"]).is_some();
        group.is_site() && key && !pinned.into_iter().any(|p| p == group.name || self.export.names.text(p) == group.name)
    }

    /// Whether IKEv1 aggressive mode with the group's key is answered.
    fn accepts_aggressive(&self, group: Option<&Group<'a>>) -> Fact<bool> {
        let Some((key, _)) = group.and_then(Group::key) else {
            return Fact::known(false, Origin::inferred("no_group_key", [Origin::Written(self.export.head)]));
        };
        let open = match self.crypto.no_aggressive {
            Some(line) => Fact::written(false, line.span()),
            None => self.export.default_at("crypto ikev1 am-disable", key.span(), |v| super::on_off(v).map(|off| !off)),
        };
        let answers = match self.crypto.ike1_on.first() {
            Some((_, line)) => Fact::written(true, line.span()),
            None => self.export.absent("crypto ike enable", "tunnels", super::on_off),
        };
        Fact::written(true, key.span()).and(&open).and(&answers)
    }

    fn live(&self, map: &str, span: Span, v1: bool, v2: bool) -> (Live, Vec<InterfaceIx>) {
        let export = self.export;
        let bound: Vec<(&str, Node<'_>)> = self.crypto.bindings(map).collect();
        let holds = match bound.first() {
            Some((_, line)) => Fact::written(true, line.span()),
            None => Fact::known(false, Origin::inferred("map_not_bound", [Origin::Written(span)])),
        };
        let answers = |list: &[(&str, Node<'_>)]| {
            let line = list.iter().find(|(i, _)| bound.iter().any(|(b, _)| b == i)).map(|(_, n)| n.span());
            line.map(|s| Fact::written(true, s))
        };
        let ike = match (answers(&self.crypto.ike1_on).filter(|_| v1), answers(&self.crypto.ike2_on).filter(|_| v2)) {
            (Some(on), _) | (None, Some(on)) => on,
            (None, None) => Fact::known(false, Origin::inferred("ike_not_enabled", [holds.origin.clone()])),
        };
        let live = Live::own(Fact::written(true, span)).with(LinkKind::Bound, holds).with(LinkKind::FeatureOn, ike);
        (live, bound.iter().filter_map(|(i, _)| export.interface(i)).collect())
    }

    fn dead_peer_detection(&self, group: Option<&Group<'a>>, span: Span) -> Keeper {
        let live = match group.and_then(|g| g.line("ipsec-attributes", &["isakmp", "keepalive"])) {
            Some(line) => Fact::written(line.word(2) != Some("disable"), line.span()),
            None => self.export.default_at("isakmp keepalive", span, super::on_off),
        };
        Keeper { code: "keeper.dpd", force: KeeperForce::Probes, live }
    }

    /// What ends a tunnel between sites: the timers of its policy.
    fn enders(&self, policy: &str) -> List<Ender> {
        let timer = |attribute| self.policies.number(self.export, policy, attribute, 60, NEVER).map(|s| *s != NEVER);
        let mut enders = vec![
            Ender { kind: EnderKind::Idle, live: timer("vpn-idle-timeout") },
            Ender { kind: EnderKind::Session, live: timer("vpn-session-timeout") },
        ];
        if let Some(line) = self.policies.line(policy, &["vpn-access-hours", "value"]) {
            enders.push(Ender { kind: EnderKind::Schedule, live: Fact::written(true, line.span()) });
        }
        List::complete(enders, Origin::Written(self.export.head))
    }

    fn auth(&self, group: Option<&Group<'a>>, span: Span) -> Fact<Vec<TunnelAuth>> {
        let Some(group) = group else {
            return Fact::unknown(Why::at(WhyCode::Unresolved, "tunnel-group", vec![span]));
        };
        let certificate = ["trust-point", "ikev1"].iter().find_map(|w| match *w {
            "ikev1" => group.line("ipsec-attributes", &["ikev1", "trust-point"]),
            word => group.line("ipsec-attributes", &[word]),
        });
        let certificate = certificate.or_else(|| group.line("ipsec-attributes", &["ikev2", "remote-authentication", "certificate"]));
        let key =
            group.key().map(|(n, _)| n).or_else(|| group.line("ipsec-attributes", &["ikev2", "remote-authentication", "pre-shared-key"]));
        match (key, certificate) {
            (Some(line), _) => Fact::written(vec![TunnelAuth::GroupPsk], line.span()),
            (None, Some(line)) => Fact::written(vec![TunnelAuth::ClientCert], line.span()),
            _ => Fact::unknown(Why::at(WhyCode::Unresolved, group.name, vec![group.span])),
        }
    }

    /// Destinations of the list that selects what is encrypted.
    fn remote_nets(&self, selectors: Option<&(String, Span)>, span: Span) -> Fact<AddrExpr> {
        let Some((name, at)) = selectors else {
            return Fact::unknown(Why::at(WhyCode::PeerDecides, "match address", vec![span]));
        };
        let entries =
            self.lists.named(name).into_iter().flat_map(|l| &l.entries).filter(|e| e.permit == Some(true) && e.inactive.is_none());
        let parts: Vec<AddrExpr> = entries.filter_map(|e| e.dst.get().cloned()).collect();
        match parts.is_empty() {
            true => Fact::unknown(Why::at(WhyCode::Unresolved, name.clone(), vec![*at])),
            false => Fact::written(AddrExpr::Union(parts), *at),
        }
    }

    /// Dynamic maps that sites without a pinned address use.
    fn dynamic(&self, device: &mut Device, tunnels: &mut Vec<Tunnel>, exits: &mut Vec<Exit>) {
        for entry in self.crypto.dynamic.iter() {
            if let Some(name) = entry.line(&["match", "address"]).and_then(|n| n.word(6)) {
                self.export.uses("filter", name);
            }
        }
        if !self.policies.groups.iter().any(|g| self.is_free_site(g)) {
            return;
        }
        // The first entry of the first dynamic map that is bound takes them.
        let named = self.crypto.maps.iter().find_map(|e| e.dynamic().map(|d| (e, d)));
        if let Some((entry, name)) = named
            && let Some(dynamic) = self.crypto.dynamic.iter().find(|d| d.map == name)
        {
            self.entry(entry, dynamic.lines.clone(), None, device, tunnels, exits);
        }
    }

    /// Tunnel interfaces, up as long as they exist.
    fn interfaces(&self, device: &mut Device, tunnels: &mut Vec<Tunnel>) {
        let export = self.export;
        for nic in export.interfaces.list.iter().filter(|n| n.node.word_or_empty(1).to_ascii_lowercase().starts_with("tunnel")) {
            let peer = child(nic.node, &["tunnel", "destination"]);
            let source = child(nic.node, &["tunnel", "source", "interface"]);
            child(nic.node, &["tunnel", "mode"]);
            let profile = child(nic.node, &["tunnel", "protection", "ipsec", "profile"]);
            let span = nic.node.span();
            let up = device.interfaces[nic.ix.0 as usize].up.clone();
            let outer: Vec<InterfaceIx> = source.and_then(|n| export.interface(n.word_or_empty(3))).into_iter().collect();
            let ike = source.and_then(|n| self.crypto.ike_on(n.word_or_empty(3)));
            let answers = match ike {
                Some(line) => Fact::written(true, line.span()),
                None => Fact::known(false, Origin::inferred("ike_not_enabled", [Origin::Written(span)])),
            };
            let text = peer.and_then(|n| n.word(2)).unwrap_or("");
            let group = self.group_of(text).or_else(|| self.policies.group("DefaultL2LGroup"));
            let lines: Vec<Node<'_>> =
                profile.and_then(|p| self.crypto.profiles.get(p.word_or_empty(4))).into_iter().flat_map(|n| n.children()).collect();
            let v2 = lines.iter().any(|n| n.starts(&["set", "ikev2"]));
            tunnels.push(Tunnel {
                name: nic.name.to_owned(),
                span,
                kind: "ipsec",
                layer2: false,
                encrypted: Fact::written(profile.is_some(), profile.map_or(span, |n| n.span())),
                role: Fact::written(TunnelRole::SiteToSite, span),
                live: Live::own(up).with(LinkKind::FeatureOn, answers),
                interface: Some(nic.ix),
                outer,
                peer: Peer {
                    addresses: match peer {
                        Some(line) => Fact::written(export.names.host(text, line.word_span(2)), line.span()),
                        None => Fact::written(AddrExpr::Any, span),
                    },
                    text: text.to_owned(),
                },
                starts: export.default_at("tunnel interface starts", span, |v| (v == "boot").then_some(Starts::AtBoot)),
                keepers: vec![self.dead_peer_detection(group, span)],
                enders: List::complete(Vec::new(), Origin::Written(span)),
                auth: self.auth(group, span),
                aggressive_psk: Fact::known(false, Origin::inferred("pinned_peer", [Origin::Written(span)])),
                remote_nets: Fact::written(AddrExpr::Any, span),
                crypto: Some(self.crypto.offered(export, &lines, !v2, v2, span)),
                psk: group.and_then(|g| self.keys.get(g.name)).copied(),
            });
        }
    }
}
