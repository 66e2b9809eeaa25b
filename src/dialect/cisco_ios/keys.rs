//! Shared secrets of IKE: single keys, keyrings of IKEv1 and IKEv2, keys of client groups; and how the ends of a VPN prove
//! themselves.
//!
//! Each secret is put into the intermediate form once, whoever uses it.

use super::secret::shared;
use super::{Block, Export, address};
use crate::ir::Device;
use crate::ir::account::{Direction, SecretIx, SecretUse};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::interface::IpNet;
use crate::ir::tunnel::TunnelAuth;
use crate::source::Span;
use crate::syntax::Node;
use std::net::IpAddr;

/// A key, and the peers it is for.
struct Key {
    v2: bool,
    ring: Option<String>,
    /// `None`: peers named otherwise than by address.
    peers: Option<IpNet>,
    span: Span,
    secret: SecretIx,
}

/// All keys.
pub struct Keys {
    all: Vec<Key>,
}

/// The word after which a key stands: `key [0|6] K`, with the type left out.
fn value_at(node: Node<'_>, at: usize) -> usize {
    let typed = matches!(node.word(at), Some("0" | "6")) && node.word(at + 1).is_some_and(|w| !matches!(w, "address" | "hostname"));
    if typed { at + 1 } else { at }
}

fn any() -> IpNet {
    IpNet::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0)
}

fn peers(node: Node<'_>, at: usize) -> Option<IpNet> {
    let word = node.word(at)?;
    if word == "0.0.0.0" {
        return Some(any());
    }
    let mask = node.word(at + 1).filter(|w| w.starts_with(|c: char| c.is_ascii_digit())).unwrap_or("255.255.255.255");
    address::v4_net(word, mask).or_else(|| word.parse().ok().map(|a: IpAddr| IpNet::new(a, 128)))
}

impl Keys {
    /// Reads all keys into the device.
    pub fn collect(export: &Export<'_>, device: &mut Device) -> Keys {
        let mut all = Vec::new();
        let mut add = |node: Node<'_>, at: usize, owner: String, v2, ring: Option<&str>, peers| {
            let secret = shared(export, SecretUse::IkePsk, &owner, node, at, Direction::Verifies, device);
            all.push(Key { v2, ring: ring.map(str::to_owned), peers, span: node.span(), secret });
        };
        for node in export.lines(&["crypto", "isakmp", "key"]) {
            let value = value_at(node, 3);
            let peer =
                (node.word(value + 1) == Some("address")).then(|| if node.word(value + 2) == Some("ipv6") { value + 3 } else { value + 2 });
            add(node, 3, format!("peer {}", node.word_or_empty(value + 2)), false, None, peer.and_then(|at| peers(node, at)));
        }
        for ring in export.lines(&["crypto", "keyring"]) {
            for node in Block(ring).lines(&["pre-shared-key"]) {
                let Some(at) = (1..node.len()).find(|ix| node.word(*ix) == Some("key")) else { continue };
                let peer = (node.word(1) == Some("address")).then(|| peers(node, 2)).flatten();
                add(node, at + 1, format!("peer {}", node.word_or_empty(2)), false, ring.word(2), peer);
            }
        }
        for ring in export.lines(&["crypto", "ikev2", "keyring"]) {
            for entry in Block(ring).lines(&["peer"]) {
                let peer = Block(entry).line(&["address"]).and_then(|n| peers(n, 1));
                for node in Block(entry).lines(&["pre-shared-key"]) {
                    let at = if matches!(node.word(1), Some("local" | "remote")) { 2 } else { 1 };
                    let at = if node.word(at) == Some("hex") { at + 1 } else { at };
                    add(node, at, format!("peer {}", entry.word_or_empty(1)), true, ring.word(3), peer);
                }
            }
        }
        for group in export.lines(&["crypto", "isakmp", "client", "configuration", "group"]) {
            if let Some(node) = Block(group).line(&["key"]) {
                add(node, 1, format!("group {}", group.word_or_empty(5)), false, Some("client configuration"), None);
            }
        }
        Keys { all }
    }

    /// The key for a peer: of a ring if one is named, the longest prefix first.
    fn find(&self, v2: bool, ring: Option<&str>, peer: Option<IpAddr>) -> Option<&Key> {
        let fits = |k: &&Key| {
            let ringed = ring.is_none() || k.ring.as_deref() == ring;
            let meant = match (peer, k.peers) {
                (Some(p), Some(net)) => net.contains(p),
                (Some(_), None) => false,
                // Any peer may call: the key for all of them.
                (None, Some(net)) => net.prefix == 0 || ring.is_some(),
                (None, None) => ring.is_some(),
            };
            k.v2 == v2 && ringed && meant
        };
        self.all.iter().filter(fits).max_by_key(|k| k.peers.map_or(0, |n| n.prefix))
    }
}

/// How the ends of a VPN prove themselves, and with which secret.
pub struct Proof {
    /// Every kind that must be given.
    pub auth: Fact<Vec<TunnelAuth>>,
    /// Whether aggressive mode with a shared secret is begun or accepted.
    pub aggressive: Fact<bool>,
    /// The secret.
    pub secret: Option<SecretIx>,
}

/// The profile of IKEv2 that a block names.
pub fn profile_2<'a>(export: &Export<'a>, block: Option<Node<'a>>) -> Option<Node<'a>> {
    let line = Block(block?).line(&["set", "ikev2-profile"])?;
    export.line(&["crypto", "ikev2", "profile", line.word_or_empty(2)])
}

/// The proof of a VPN, whose block (crypto map entry or IPsec profile) is given, with a peer.
pub fn proof(export: &Export<'_>, keys: &Keys, block: Option<Node<'_>>, peer: Option<IpAddr>, at: Span) -> Proof {
    if let Some(profile) = profile_2(export, block) {
        return proof_2(export, keys, profile, peer);
    }
    let names_2 = block.and_then(|b| Block(b).line(&["set", "ikev2-profile"]));
    if let Some(line) = names_2 {
        let why = Why::at(WhyCode::Unresolved, line.word_or_empty(2), vec![line.span()]);
        return Proof { auth: Fact::unknown(why), aggressive: Fact::written(false, line.span()), secret: None };
    }
    let own = block.and_then(|b| Block(b).line(&["set", "isakmp-profile"]));
    let ring =
        own.and_then(|n| export.line(&["crypto", "isakmp", "profile", n.word_or_empty(2)])).and_then(|p| Block(p).line(&["keyring"]));
    let found = match ring {
        Some(line) => keys.find(false, line.word(1).filter(|w| *w != "default"), peer),
        None => keys.find(false, None, peer),
    };
    let certificate = export.lines(&["crypto", "isakmp", "policy"]).find(|p| {
        let line = Block(*p).line(&["authentication"]);
        line.is_none_or(|n| n.word(1) == Some("rsa-sig") || n.word(1) == Some("ecdsa-sig"))
    });
    match (found, certificate) {
        (Some(key), _) => Proof {
            auth: Fact::written(vec![TunnelAuth::GroupPsk], key.span),
            aggressive: accepts_aggressive(export, key.span),
            secret: Some(key.secret),
        },
        (None, Some(policy)) if export.lines(&["crypto", "pki", "trustpoint"]).next().is_some() => Proof {
            auth: Fact::written(vec![TunnelAuth::ClientCert], policy.span()),
            aggressive: Fact::written(false, policy.span()),
            secret: None,
        },
        _ => {
            let why = || Why::at(WhyCode::NotExported, "crypto isakmp key", vec![at]);
            Proof { auth: Fact::unknown(why()), aggressive: Fact::unknown(why()), secret: None }
        }
    }
}

/// Aggressive mode is answered unless that is switched off.
pub fn accepts_aggressive(export: &Export<'_>, key: Span) -> Fact<bool> {
    match export.line(&["crypto", "isakmp", "aggressive-mode", "disable"]) {
        Some(line) => Fact::written(false, line.span()),
        None => {
            let accepts = export.absent("crypto isakmp aggressive-mode", "tunnels", |v| Some(v == "accept"));
            Fact { value: accepts.value, origin: Origin::all([Origin::Written(key), accepts.origin]) }
        }
    }
}

fn proof_2(export: &Export<'_>, keys: &Keys, profile: Node<'_>, peer: Option<IpAddr>) -> Proof {
    let block = Block(profile);
    let remote: Vec<Node<'_>> = block.lines(&["authentication", "remote"]).collect();
    let ring = block.line(&["keyring", "local"]).or_else(|| block.line(&["keyring"]));
    let name = ring.and_then(|n| n.word(n.len().saturating_sub(1)));
    let key = keys.find(true, name, peer).or_else(|| keys.find(true, name, None));
    let kinds = |n: &Node<'_>| match n.word_or_empty(2) {
        "pre-share" => Some(TunnelAuth::GroupPsk),
        "rsa-sig" | "ecdsa-sig" => Some(TunnelAuth::ClientCert),
        "eap" | "anyconnect-eap" => Some(TunnelAuth::Password),
        _ => None,
    };
    // Any one of several methods is enough: the weakest counts.
    let weakest = remote.iter().filter_map(|n| kinds(n).map(|k| (k, n.span()))).min_by_key(|(k, _)| *k);
    let auth = match weakest {
        Some((kind, span)) => Fact::written(vec![kind], span),
        None => export.default_at("crypto ikev2 profile authentication", Some(profile.span()), |_| None),
    };
    let uses_key = weakest.is_some_and(|(k, _)| k == TunnelAuth::GroupPsk);
    Proof { auth, aggressive: Fact::written(false, profile.span()), secret: key.filter(|_| uses_key).map(|k| k.secret) }
}
