//! Phases 1 and 2 of IPsec, read once: who they are with, what names them, whether they are in force.
//!
//! A tunnel that no policy names is not called dead: that the box refuses to negotiate it then is said everywhere and documented nowhere.

use super::Lowering;
use super::address::{between, network, range};
use super::context::{Fields, all_of};
use super::object::{Space, address};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Peer, TunnelAuth};
use std::collections::HashMap;

/// A phase 1 with what hangs on it.
pub(super) struct Phase1<'a> {
    /// Its row.
    pub row: Fields<'a>,
    /// The interface packets come out of; policy-based tunnels have none.
    pub interface: Option<InterfaceIx>,
    /// The interface its outer packets arrive on.
    pub outer: Option<InterfaceIx>,
    /// Whether peers of unknown address dial in.
    pub dynamic: bool,
    /// Whether those who dial in prove themselves as users.
    pub users: bool,
    /// Its phases 2.
    pub phase2: Vec<Fields<'a>>,
    /// The policies that name it, by position.
    pub policies: Vec<usize>,
}

/// Reads all of them.
pub(super) fn collect<'a>(l: &mut Lowering<'a>) -> Vec<Phase1<'a>> {
    let mut by_interface: HashMap<InterfaceIx, Vec<usize>> = HashMap::new();
    let mut by_name: HashMap<&'a str, Vec<usize>> = HashMap::new();
    let mut everywhere = Vec::new();
    for (ix, policy) in l.names.policies.iter().enumerate() {
        let sides = [&policy.ingress, &policy.egress];
        if sides.iter().any(|s| s.is_none()) {
            everywhere.push(ix);
        }
        let mut named: Vec<InterfaceIx> = sides.into_iter().flatten().flatten().copied().collect();
        named.sort();
        named.dedup();
        for interface in named {
            by_interface.entry(interface).or_default().push(ix);
        }
        if let Some(tunnel) = policy.tunnel {
            by_name.entry(tunnel).or_default().push(ix);
        }
    }
    let mut out = Vec::new();
    for (first, second) in [("vpn ipsec phase1-interface", "vpn ipsec phase2-interface"), ("vpn ipsec phase1", "vpn ipsec phase2")] {
        let route_based = first.ends_with("-interface");
        let mut phase2: HashMap<&'a str, Vec<Fields<'a>>> = HashMap::new();
        for row in l.cx.own.find(second).rows() {
            if let Some((name, _)) = row.name("phase1name") {
                phase2.entry(name).or_default().push(row);
            }
        }
        for row in l.cx.own.find(first).rows() {
            for unused in ["comments", "net-device", "wizard-type", "nattraversal", "keylife", "localid", "fragmentation"] {
                row.get(unused);
            }
            let outer = row.name("interface").and_then(|(name, span)| super::interface::named(l, name, span));
            let interface = l.names.interfaces.get(row.key()).copied().filter(|_| route_based);
            let mut policies = match interface {
                Some(ix) => by_interface.get(&ix).cloned().unwrap_or_default(),
                None => by_name.get(row.key()).cloned().unwrap_or_default(),
            };
            if route_based {
                policies.extend(everywhere.iter().copied());
                policies.sort_unstable();
                policies.dedup();
            }
            let dynamic = row.value("type") == Some("dynamic");
            let users = for_users(&row);
            let phase2 = phase2.remove(row.key()).unwrap_or_default();
            out.push(Phase1 { row, interface, outer, dynamic, users, phase2, policies });
        }
    }
    out
}

/// Whether peers dial in that prove themselves as users, not as sites.
pub(super) fn for_users(row: &Fields<'_>) -> bool {
    if row.value("type") != Some("dynamic") {
        return false;
    }
    let xauth = row.value("xauthtype").is_some_and(|v| matches!(v, "auto" | "pap" | "chap"));
    xauth || row.enabled("eap") || row.name("authusrgrp").is_some() || row.name("usrgrp").is_some()
}

impl<'a> Phase1<'a> {
    /// Whether it is in force.
    pub(super) fn live(&self, l: &Lowering<'a>) -> Live {
        let span = self.row.span();
        let up = |ix: Option<InterfaceIx>| ix.map(|i| l.device.interfaces[i.0 as usize].up.clone());
        let parents = all_of([up(self.outer), up(self.interface)].into_iter().flatten(), Origin::Written(span));
        let bound = match self.phase2.first() {
            Some(row) => Fact::written(true, row.span()),
            None => l.cx.nowhere("tunnels", "infer.no_phase2", self.row.key(), span),
        };
        let mut named = None;
        for policy in self.policies.iter().map(|ix| &l.names.policies[*ix]) {
            match policy.permits.value.tri() {
                Some(true) => {
                    named = Some(Fact::written(true, policy.span));
                    break;
                }
                None => named = Some(policy.permits.clone()),
                Some(false) => {}
            }
        }
        let named = named.unwrap_or_else(|| {
            let code = l.cx.gap("forward_filter").map_or(WhyCode::Ambiguous, Why::code);
            Fact::unknown(Why::at(code, self.row.key(), vec![span]))
        });
        Live::own(Fact::written(true, span))
            .with(LinkKind::ParentUp, parents)
            .with(LinkKind::Bound, bound)
            .with(LinkKind::Referenced, named)
    }

    /// The other end.
    pub(super) fn peer(&self, l: &mut Lowering<'a>) -> Peer {
        let row = &self.row;
        let any = |span| Peer { addresses: Fact::written(AddrExpr::Any, span), text: String::new() };
        let kind = row.get("type").map(|a| (a.value(), a.span()));
        match kind {
            Some(("dynamic", span)) => self.dialling_peers(l).unwrap_or_else(|| any(span)),
            Some(("ddns", span)) => {
                let (name, at) = row.name("remotegw-ddns").unwrap_or(("", span));
                let opaque = Opaque { kind: OpaqueKind::Fqdn, text: name.to_owned(), span: at };
                Peer { addresses: Fact::written(AddrExpr::Opaque(opaque), at), text: name.to_owned() }
            }
            _ => match row.name("remote-gw").or_else(|| row.name("remote-gw6")) {
                Some(("0.0.0.0" | "::", span)) => any(span),
                Some((text, span)) => match range(text) {
                    Some(expr) => Peer { addresses: Fact::written(expr, span), text: text.to_owned() },
                    None => Peer { addresses: Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![span])), text: text.to_owned() },
                },
                None => {
                    let addresses =
                        l.cx.default("vpn ipsec phase1.remote-gw", Some(row.span()), |v| (v == "0.0.0.0").then_some(AddrExpr::Any));
                    Peer { addresses, text: String::new() }
                }
            },
        }
    }

    /// Newer releases can name who may dial in.
    fn dialling_peers(&self, l: &mut Lowering<'a>) -> Option<Peer> {
        let row = &self.row;
        let (word, span) = row.name("remote-gw-match")?;
        let expr = match word {
            "ipmask" => network(&row.get("remote-gw-subnet")?.values().collect::<Vec<_>>())?,
            "iprange" => between(row.value("remote-gw-start-ip")?, row.value("remote-gw-end-ip")?)?,
            "geography" => {
                let (country, at) = row.name("remote-gw-country")?;
                AddrExpr::Opaque(Opaque { kind: OpaqueKind::Country, text: country.to_owned(), span: at })
            }
            _ => return None,
        };
        let _ = l;
        Some(Peer { addresses: Fact::written(expr, span), text: word.to_owned() })
    }

    /// How its ends prove themselves.
    pub(super) fn auth(&self, l: &Lowering<'a>) -> Fact<Vec<TunnelAuth>> {
        let method = l.cx.fact(&self.row, "authmethod", "vpn ipsec phase1.authmethod", |v| match v {
            "psk" => Some(TunnelAuth::GroupPsk),
            "signature" | "rsa-signature" => Some(TunnelAuth::ClientCert),
            _ => None,
        });
        let password = self.users || self.row.value("xauthtype") == Some("client");
        method.map(|m| if password { vec![*m, TunnelAuth::Password] } else { vec![*m] })
    }

    /// Whether IKEv1 aggressive mode with a shared secret is started or accepted.
    pub(super) fn aggressive_psk(&self, l: &Lowering<'a>) -> Fact<bool> {
        let v1 = l.cx.fact(&self.row, "ike-version", "vpn ipsec phase1.ike-version", |v| match v {
            "1" => Some(true),
            "2" => Some(false),
            _ => None,
        });
        let aggressive = l.cx.fact(&self.row, "mode", "vpn ipsec phase1.mode", |v| match v {
            "aggressive" => Some(true),
            "main" => Some(false),
            _ => None,
        });
        let psk = self.auth(l).map(|kinds| kinds.contains(&TunnelAuth::GroupPsk));
        v1.and(&aggressive).and(&psk)
    }

    /// Addresses of the far side, by the selectors of all phases 2.
    pub(super) fn remote_nets(&self, l: &mut Lowering<'a>) -> Fact<AddrExpr> {
        let mut parts = Vec::new();
        let mut origins = Vec::new();
        for row in &self.phase2 {
            let fact = selector(l, row);
            match fact.value {
                crate::ir::fact::Val::Known(expr) => parts.push(expr),
                _ => return fact,
            }
            origins.push(fact.origin);
        }
        if parts.is_empty() {
            return Fact::unknown(Why::at(WhyCode::NotExported, self.row.key(), vec![self.row.span()]));
        }
        Fact::known(AddrExpr::union(parts), Origin::all(origins))
    }
}

fn selector<'a>(l: &mut Lowering<'a>, row: &Fields<'a>) -> Fact<AddrExpr> {
    let ambiguous = |span| Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![span]));
    let kind = row.value("dst-addr-type").unwrap_or("subnet");
    for (attribute, space) in [("dst-name", Space::V4), ("dst-name6", Space::V6)] {
        if let Some((name, span)) = row.name(attribute).filter(|_| kind.starts_with("name")) {
            return Fact::written(address(l, space, name, span), span);
        }
    }
    if kind.starts_with("range") || kind.starts_with("ip") {
        let start = row.name("dst-start-ip").or_else(|| row.name("dst-start-ip6"));
        let end = row.name("dst-end-ip").or_else(|| row.name("dst-end-ip6"));
        if let Some((first, span)) = start {
            return match between(first, end.map_or(first, |(e, _)| e)) {
                Some(expr) => Fact::written(expr, span),
                None => ambiguous(span),
            };
        }
    }
    match row.get("dst-subnet").or_else(|| row.get("dst-subnet6")) {
        Some(line) => match network(&line.values().collect::<Vec<_>>()) {
            Some(expr) => Fact::written(expr, line.span()),
            None => ambiguous(line.span()),
        },
        None => l.cx.default("vpn ipsec phase2.dst-subnet", Some(row.span()), |v| network(&v.split(' ').collect::<Vec<_>>())),
    }
}
