//! Key exchange and IPsec objects by name, and what follows from them: peers, proofs, algorithms, pre-shared keys.

use super::Lowering;
use super::object::undefined;
use super::secret::{self, Owner, Purpose};
use super::value::addresses;
use crate::ir::account::{SecretIx, SecretUse};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::InterfaceIx;
use crate::ir::schema::WEAK;
use crate::ir::tunnel::{Crypto, Peer, TunnelAuth};
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{at, below, child, rows, value};
use std::collections::HashMap;

/// The objects of a device by name.
pub(super) struct Ike<'a> {
    gateways: HashMap<&'a str, Node<'a>>,
    policies: HashMap<&'a str, Node<'a>>,
    proposals: HashMap<&'a str, Node<'a>>,
    ipsec_policies: HashMap<&'a str, Node<'a>>,
    ipsec_proposals: HashMap<&'a str, Node<'a>>,
    secrets: HashMap<&'a str, Option<SecretIx>>,
}

fn named<'a>(l: &Lowering<'a>, path: &[&str]) -> HashMap<&'a str, Node<'a>> {
    rows(l.own, path).into_iter().map(|n| (n.word_or_empty(0), n)).collect()
}

impl<'a> Ike<'a> {
    pub(super) fn new(l: &mut Lowering<'a>) -> Ike<'a> {
        let ike = Ike {
            gateways: named(l, &["security", "ike", "gateway"]),
            policies: named(l, &["security", "ike", "policy"]),
            proposals: named(l, &["security", "ike", "proposal"]),
            ipsec_policies: named(l, &["security", "ipsec", "policy"]),
            ipsec_proposals: named(l, &["security", "ipsec", "proposal"]),
            secrets: HashMap::new(),
        };
        let kinds: [(&'static str, &HashMap<&'a str, Node<'a>>); 3] =
            [("gateway", &ike.gateways), ("ike_policy", &ike.policies), ("ike_proposal", &ike.proposals)];
        for (kind, nodes) in kinds {
            let mut list: Vec<_> = nodes.iter().map(|(name, node)| (kind, *name, node.span())).collect();
            list.sort_by_key(|(_, _, span)| *span);
            l.names.definitions.extend(list);
        }
        ike
    }

    /// Everything one VPN is made of.
    pub(super) fn setup(&self, l: &mut Lowering<'a>, vpn: Node<'a>) -> Setup<'a> {
        let name = value(vpn, &["ike", "gateway"]);
        let gateway = name.and_then(|n| self.lookup(l, &self.gateways, "gateway", n));
        let policy = gateway.and_then(|g| value(g, &["ike-policy"])).and_then(|n| self.lookup(l, &self.policies, "ike_policy", n));
        let ipsec = value(vpn, &["ike", "ipsec-policy"]).and_then(|n| self.lookup(l, &self.ipsec_policies, "ipsec_policy", n));
        let outer = gateway.and_then(|g| value(g, &["external-interface"]));
        let outer = outer.and_then(|n| super::interface::named(l, n.word_or_empty(0)));
        for quiet in
            ["local-identity", "remote-identity", "nat-keepalive", "no-nat-traversal", "general-ikeid", "local-address", "fragmentation"]
        {
            if let Some(node) = gateway.and_then(|g| child(g, quiet)) {
                node.mark_below(crate::syntax::Mark::Read);
            }
        }
        for users in ["xauth", "aaa", "tcp-encap-profile"] {
            if let Some(node) = gateway.and_then(|g| child(g, users)) {
                node.mark_below(crate::syntax::Mark::Read);
            }
        }
        Setup { vpn, gateway, policy, ipsec, outer }
    }

    /// Keys of policies that no VPN uses, and objects that nothing names: known, and not in force.
    pub(super) fn unused(&mut self, l: &mut Lowering<'a>) {
        let mut policies: Vec<Node<'a>> =
            self.policies.values().copied().filter(|p| !self.secrets.contains_key(p.word_or_empty(0))).collect();
        policies.sort_by_key(|p| p.index());
        for policy in policies {
            let off = l.nowhere("tunnels", "infer.no_vpn_uses_key", policy.word_or_empty(0), policy.span());
            self.secret(l, Some(policy), &off);
        }
        for nodes in [&self.gateways, &self.policies, &self.proposals, &self.ipsec_policies, &self.ipsec_proposals] {
            nodes.values().for_each(|n| n.mark_below(crate::syntax::Mark::Read));
        }
    }

    fn lookup(&self, l: &mut Lowering<'a>, among: &HashMap<&'a str, Node<'a>>, kind: &'static str, name: Node<'a>) -> Option<Node<'a>> {
        let text = name.word_or_empty(0);
        l.used(kind, text);
        let found = among.get(text).copied();
        if found.is_none() {
            undefined(l, kind, "tunnels", text, name.span(), "undefined.ike");
        }
        found
    }

    /// The shared secret of a policy, recorded once.
    pub(super) fn secret(&mut self, l: &mut Lowering<'a>, policy: Option<Node<'a>>, live: &Fact<bool>) -> Option<SecretIx> {
        let policy = policy?;
        let name = policy.word_or_empty(0);
        if let Some(done) = self.secrets.get(name) {
            return *done;
        }
        let mut found = None;
        for kind in ["pre-shared-key", "seeded-pre-shared-key"] {
            for form in ["ascii-text", "hexadecimal"] {
                found = found.or_else(|| value(policy, &[kind, form]));
            }
        }
        let ix = found.map(|node| secret::push(l, node, Purpose::shared(SecretUse::IkePsk), Owner::thing(name, live.clone())));
        self.secrets.insert(name, ix);
        ix
    }

    /// Algorithms of both phases.
    pub(super) fn crypto(&self, l: &mut Lowering<'a>, s: &Setup<'a>) -> Crypto {
        let mut weak = Weak::default();
        match s.policy {
            Some(policy) => self.phase_one(l, policy, &mut weak),
            None => weak.open(s.vpn.span()),
        }
        let pfs = match s.ipsec {
            Some(policy) => self.phase_two(l, policy, &mut weak),
            None => {
                weak.open(s.vpn.span());
                Fact::unknown(Why::at(WhyCode::Unresolved, "ipsec-policy", vec![s.vpn.span()]))
            }
        };
        Crypto { offered: weak.fact(s.vpn.span()), accepted: None, pfs }
    }

    fn phase_one(&self, l: &mut Lowering<'a>, policy: Node<'a>, weak: &mut Weak) {
        let names = rows(policy, &["proposals"]);
        if let Some(set) = value(policy, &["proposal-set"]) {
            weak.set(l, &format!("security ike proposal-set {}", set.word_or_empty(0)), set.span());
        } else if names.is_empty() {
            weak.open(policy.span());
        }
        for name in names {
            let Some(proposal) = self.lookup(l, &self.proposals, "ike_proposal", name) else {
                weak.open(name.span());
                continue;
            };
            weak.algorithm(value(proposal, &["encryption-algorithm"]), proposal.span());
            let gcm = value(proposal, &["encryption-algorithm"]).is_some_and(|e| e.word_or_empty(0).contains("gcm"));
            let hash = value(proposal, &["authentication-algorithm"]);
            if hash.is_some() || !gcm {
                weak.algorithm(hash, proposal.span());
            }
            weak.algorithm(value(proposal, &["dh-group"]), proposal.span());
            for quiet in ["lifetime-seconds", "authentication-method", "description"] {
                value(proposal, &[quiet]);
            }
        }
    }

    fn phase_two(&self, l: &mut Lowering<'a>, policy: Node<'a>, weak: &mut Weak) -> Fact<bool> {
        let names = rows(policy, &["proposals"]);
        let set = value(policy, &["proposal-set"]);
        if let Some(set) = set {
            weak.set(l, &format!("security ipsec proposal-set {}", set.word_or_empty(0)), set.span());
        } else if names.is_empty() {
            weak.open(policy.span());
        }
        for name in names {
            let Some(proposal) = self.ipsec_proposals.get(name.word_or_empty(0)).copied() else {
                undefined(l, "ike_proposal", "tunnels", name.word_or_empty(0), name.span(), "undefined.ike");
                weak.open(name.span());
                continue;
            };
            let protocol = value(proposal, &["protocol"]);
            if protocol.is_some_and(|p| p.word(0) == Some("ah")) {
                weak.found("null", protocol.map_or(proposal.span(), |p| p.span()));
            } else {
                weak.algorithm(value(proposal, &["encryption-algorithm"]), proposal.span());
            }
            let gcm = value(proposal, &["encryption-algorithm"]).is_some_and(|e| e.word_or_empty(0).contains("gcm"));
            let hash = value(proposal, &["authentication-algorithm"]);
            if hash.is_some() || !gcm {
                weak.algorithm(hash, proposal.span());
            }
            for quiet in ["lifetime-seconds", "lifetime-kilobytes", "description"] {
                value(proposal, &[quiet]);
            }
        }
        if let Some(keys) = value(policy, &["perfect-forward-secrecy", "keys"]) {
            weak.algorithm(Some(keys), keys.span());
            return Fact::written(true, keys.span());
        }
        let key = set.map_or_else(
            || "security ipsec policy perfect-forward-secrecy".to_owned(),
            |s| format!("security ipsec proposal-set {} pfs", s.word_or_empty(0)),
        );
        l.absent(&key, "crypto", Some(policy.span()), super::switch)
    }
}

/// Weak algorithms met so far.
#[derive(Default)]
struct Weak {
    words: Vec<&'static str>,
    spans: Vec<Origin>,
    unknown: Option<Span>,
}

fn weak_word(text: &str) -> Option<&'static str> {
    Some(match text {
        "des-cbc" => "des",
        "3des-cbc" => "3des",
        "md5" | "hmac-md5-96" => "md5",
        "sha1" | "hmac-sha1-96" => "sha1_integ",
        "group1" => "dh1",
        "group2" => "dh2",
        "group5" => "dh5",
        "null" => "null",
        _ => return None,
    })
}

impl Weak {
    fn open(&mut self, at: Span) {
        self.unknown = self.unknown.or(Some(at));
    }

    fn found(&mut self, word: &'static str, at: Span) {
        self.words.push(word);
        self.spans.push(Origin::Written(at));
    }

    fn algorithm(&mut self, value: Option<Node<'_>>, anchor: Span) {
        match value {
            Some(node) => match weak_word(node.word_or_empty(0)) {
                Some(word) => self.found(word, node.span()),
                None => self.spans.push(Origin::Written(node.span())),
            },
            None => self.open(anchor),
        }
    }

    /// A set of proposals that the product defines.
    fn set(&mut self, l: &Lowering<'_>, key: &str, at: Span) {
        let fact = l.grammar.default(key, l.version.as_ref(), Some(at));
        match fact.get() {
            Some(list) => {
                self.words.extend(WEAK.iter().copied().filter(|w| list.split(',').any(|x| x == *w)));
                self.spans.push(fact.origin.clone());
            }
            None => self.open(at),
        }
    }

    /// What is weak among all; one weak algorithm is enough to know that something is, none is only known when all are.
    fn fact(mut self, at: Span) -> Fact<Vec<&'static str>> {
        self.words.sort_unstable_by_key(|w| WEAK.iter().position(|x| x == w));
        self.words.dedup();
        let origin = if self.spans.is_empty() { Origin::Written(at) } else { Origin::all(self.spans) };
        match self.unknown.filter(|_| self.words.is_empty()) {
            Some(open) => Fact { value: Val::Unknown(Why::at(WhyCode::DefaultUndocumented, "proposal", vec![open])), origin },
            None => Fact::known(self.words, origin),
        }
    }
}

/// One VPN with the objects it names.
pub(super) struct Setup<'a> {
    pub vpn: Node<'a>,
    pub gateway: Option<Node<'a>>,
    pub policy: Option<Node<'a>>,
    pub ipsec: Option<Node<'a>>,
    pub outer: Option<InterfaceIx>,
}

impl<'a> Setup<'a> {
    /// Whether the other end may come from anywhere.
    pub(super) fn dynamic(&self) -> Option<Node<'a>> {
        child(self.gateway?, "dynamic")
    }

    /// Where users log in: `xauth access-profile` or `aaa access-profile`.
    pub(super) fn users(&self) -> Option<Node<'a>> {
        let gateway = self.gateway?;
        value(gateway, &["xauth", "access-profile"]).or_else(|| value(gateway, &["aaa", "access-profile"]))
    }

    /// Whether this box logs in as a user at the other end.
    pub(super) fn client(&self) -> Option<Node<'a>> {
        let gateway = self.gateway?;
        at(gateway, &["aaa", "client"]).or_else(|| at(gateway, &["xauth", "client"]))
    }

    pub(super) fn peer(&self) -> Peer {
        let span = self.gateway.map_or(self.vpn.span(), |g| g.span());
        if let Some(dynamic) = self.dynamic() {
            let identity = below(dynamic).find(|n| matches!(n.word(0), Some("hostname" | "user-at-hostname" | "inet" | "inet6")));
            let text = identity.and_then(|n| below(n.read()).next()).map(|n| n.read().word_or_empty(0).to_owned());
            dynamic.mark_below(crate::syntax::Mark::Read);
            return Peer { addresses: Fact::written(AddrExpr::Any, dynamic.span()), text: text.unwrap_or_default() };
        }
        let list = self.gateway.map(|g| rows(g, &["address"])).unwrap_or_default();
        let parts: Vec<AddrExpr> = list
            .iter()
            .map(|n| {
                let text = n.word_or_empty(0);
                let kind = if super::value::is_placeholder(text) { OpaqueKind::Masked } else { OpaqueKind::Fqdn };
                addresses(text).unwrap_or_else(|| AddrExpr::Opaque(Opaque { kind, text: text.to_owned(), span: n.span() }))
            })
            .collect();
        if parts.is_empty() {
            return Peer { addresses: Fact::unknown(Why::at(WhyCode::Unresolved, "gateway", vec![span])), text: String::new() };
        }
        let text = list.iter().map(|n| n.word_or_empty(0)).collect::<Vec<_>>().join(", ");
        let origin = Origin::all(list.iter().map(|n| Origin::Written(n.span())));
        Peer { addresses: Fact::known(super::value::union(parts), origin), text }
    }

    /// How the ends prove themselves.
    pub(super) fn auth(&self) -> Fact<Vec<TunnelAuth>> {
        let Some(policy) = self.policy else {
            return Fact::unknown(Why::at(WhyCode::Unresolved, "ike-policy", vec![self.vpn.span()]));
        };
        let mut kinds = Vec::new();
        let mut spans = Vec::new();
        for (word, kind) in [
            ("pre-shared-key", TunnelAuth::GroupPsk),
            ("seeded-pre-shared-key", TunnelAuth::GroupPsk),
            ("certificate", TunnelAuth::ClientCert),
        ] {
            if let Some(node) = child(policy, word) {
                node.mark_below(crate::syntax::Mark::Read);
                kinds.push(kind);
                spans.push(Origin::Written(node.span()));
            }
        }
        if kinds.is_empty() {
            return Fact::unknown(Why::at(WhyCode::NotExported, "pre-shared-key", vec![policy.span()]));
        }
        if let Some(client) = self.client() {
            kinds.push(TunnelAuth::Password);
            spans.push(Origin::Written(client.span()));
        }
        Fact::known(kinds, Origin::all(spans))
    }

    /// Whether IKEv1 aggressive mode with a shared secret is started or accepted.
    pub(super) fn aggressive(&self, l: &Lowering<'a>) -> Fact<bool> {
        let Some(policy) = self.policy else {
            return Fact::unknown(Why::at(WhyCode::Unresolved, "ike-policy", vec![self.vpn.span()]));
        };
        let mode = match value(policy, &["mode"]) {
            Some(node) => Fact::written(node.word(0) == Some("aggressive"), node.span()),
            None => l.absent("security ike policy mode", "tunnels", Some(policy.span()), |v| Some(v == "aggressive")),
        };
        mode.and(&self.version_one(l)).and(&self.auth().map(|k| k.contains(&TunnelAuth::GroupPsk)))
    }

    /// Whether IKEv1 is spoken.
    pub(super) fn version_one(&self, l: &Lowering<'a>) -> Fact<bool> {
        let Some(gateway) = self.gateway else {
            return Fact::unknown(Why::at(WhyCode::Unresolved, "gateway", vec![self.vpn.span()]));
        };
        match value(gateway, &["version"]) {
            Some(node) => Fact::written(node.word(0) != Some("v2-only"), node.span()),
            None => l.absent("security ike gateway version", "tunnels", Some(gateway.span()), |v| Some(v != "v2-only")),
        }
    }
}
