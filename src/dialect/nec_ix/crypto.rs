//! Algorithms a tunnel offers, as far as they are written.
//!
//! What a proposal leaves out has a default that was not seen in print: it makes a clean list unknown and a weak one no better.

use super::Export;
use super::ipsec::{Keying, Plan, Settings, TunnelPlan};
use super::{on_off, undocumented};
use crate::ir::fact::{Fact, Origin, Val, Why};
use crate::ir::tunnel::Crypto;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// Proposals by name, of IKE and of ESP.
pub struct Proposals<'a> {
    ike: HashMap<&'a str, Node<'a>>,
    esp: HashMap<&'a str, Node<'a>>,
}

impl<'a> Proposals<'a> {
    /// Finds the proposals.
    pub fn read(export: &Export<'a>) -> Proposals<'a> {
        let table = |words: &[&str]| export.lines.all(words).into_iter().filter_map(|n| Some((n.word(2)?, n))).collect();
        Proposals { ike: table(&["ike", "proposal"]), esp: table(&["ipsec", "autokey-proposal"]) }
    }
}

fn weak_cipher(word: &str) -> Option<&'static str> {
    match word {
        "des" | "des-cbc" => Some("des"),
        "3des" | "3des-cbc" => Some("3des"),
        "null" => Some("null"),
        _ => None,
    }
}

fn weak_hash(word: &str) -> Option<&'static str> {
    match word {
        "md5" => Some("md5"),
        "sha" | "sha1" => Some("sha1_integ"),
        _ => None,
    }
}

fn weak_group(word: &str) -> Option<&'static str> {
    match word {
        "768-bit" => Some("dh1"),
        "1024-bit" => Some("dh2"),
        "1536-bit" => Some("dh5"),
        _ => None,
    }
}

/// Reads an algorithm's word; a weak one has a name.
type Read = fn(&str) -> Option<&'static str>;

/// What was gathered: weak words with their lines, lines without any, and what is missing.
#[derive(Default)]
struct Found {
    weak: Vec<(&'static str, Span)>,
    clean: Vec<Span>,
    missing: Option<Why>,
}

impl Found {
    fn word(&mut self, weak: Option<&'static str>, span: Span) {
        match weak {
            Some(w) => self.weak.push((w, span)),
            None => self.clean.push(span),
        }
    }

    fn lacks(&mut self, what: &str, span: Span) {
        let fact: Fact<bool> = undocumented(what, span);
        if self.missing.is_none() {
            self.missing = fact.value.why().cloned();
        }
    }

    fn fact(mut self) -> Fact<Vec<&'static str>> {
        let lines = |spans: Vec<Span>| {
            let mut spans = spans;
            spans.sort();
            spans.dedup();
            Origin::all(spans.into_iter().map(Origin::Written))
        };
        match self.missing {
            // What is known to be weak fails by itself; only a clean list needs the rest.
            Some(why) if self.weak.is_empty() => Fact::unknown(why),
            _ => {
                let spans = if self.weak.is_empty() { self.clean } else { self.weak.iter().map(|(_, s)| *s).collect() };
                self.weak.sort_by_key(|(w, _)| *w);
                self.weak.dedup_by_key(|(w, _)| *w);
                Fact { value: Val::Known(self.weak.into_iter().map(|(w, _)| w).collect()), origin: lines(spans) }
            }
        }
    }
}

/// The algorithms of a tunnel; nothing for one that is not encrypted.
pub fn crypto<'a>(export: &Export<'a>, plan: &Plan<'a>, proposals: &Proposals<'a>, tunnel: &TunnelPlan<'a>) -> Option<Crypto> {
    match &tunnel.keying {
        Keying::V1 { line, .. } => Some(v1(export, plan, proposals, tunnel, line.span())),
        Keying::V2 { line, .. } => Some(v2(export, plan, tunnel, line.map_or(tunnel.at, |l| l.span()))),
        Keying::None => None,
    }
}

/// The word after a key word of a proposal.
fn after<'a>(node: Node<'a>, word: &str) -> Option<&'a str> {
    let at = (3..node.len()).find(|ix| super::lines::is(node, *ix, word))?;
    node.word(at + 1)
}

fn v1<'a>(export: &Export<'a>, plan: &Plan<'a>, proposals: &Proposals<'a>, tunnel: &TunnelPlan<'a>, at: Span) -> Crypto {
    let mut found = Found::default();
    let policy = plan.policy(tunnel);
    let named = policy.map(|p| p.proposals.as_slice()).unwrap_or_default();
    if named.is_empty() {
        found.lacks("ike proposal", policy.map_or(at, |p| p.node.span()));
    }
    for name in named {
        let Some(node) = proposals.ike.get(name) else {
            found.lacks("ike proposal", at);
            continue;
        };
        let rows: [(&str, Read); 3] = [("encryption", weak_cipher), ("hash", weak_hash), ("group", weak_group)];
        for (key, read) in rows {
            match after(*node, key) {
                Some(word) => found.word(read(&word.to_ascii_lowercase()), node.span()),
                None => found.lacks(&format!("ike proposal {key}"), node.span()),
            }
        }
    }
    let map = match &tunnel.keying {
        Keying::V1 { map, .. } => *map,
        _ => None,
    };
    let esp = map.map(|m| m.proposals()).unwrap_or_default();
    if esp.is_empty() {
        found.lacks("ipsec autokey-proposal", map.map_or(at, |m| m.node.span()));
    }
    for name in esp {
        match proposals.esp.get(name) {
            Some(node) => {
                for word in node.words_from(3) {
                    let lower = word.to_ascii_lowercase();
                    let Some(algorithm) = lower.strip_prefix("esp-").or_else(|| lower.strip_prefix("ah-")) else { continue };
                    found.word(weak_cipher(algorithm).or_else(|| weak_hash(algorithm)), node.span());
                }
            }
            None => found.lacks("ipsec autokey-proposal", map.map_or(at, |m| m.node.span())),
        }
    }
    let pfs = match map.and_then(|m| m.pfs()) {
        Some((group, span)) => {
            found.word(weak_group(&group.to_ascii_lowercase()), span);
            Fact::written(!group.eq_ignore_ascii_case("off"), span)
        }
        None => export.absent_at("ipsec autokey-map pfs", map.map_or(at, |m| m.node.span()), on_off),
    };
    Crypto { offered: found.fact(), accepted: None, pfs }
}

fn v2<'a>(export: &Export<'a>, plan: &Plan<'a>, tunnel: &TunnelPlan<'a>, at: Span) -> Crypto {
    let mut found = Found::default();
    let Some(port) = export.ports.port(tunnel.ix) else {
        found.lacks("ikev2", at);
        return Crypto { offered: found.fact(), accepted: None, pfs: undocumented("ikev2 child-pfs", at) };
    };
    let settings = Settings::of(plan, port);
    for proposal in ["sa-proposal", "child-proposal"] {
        let ciphers = settings.values(&[proposal, "enc"]);
        // Combined modes bring their own integrity.
        let combined = ciphers.as_ref().is_some_and(|(words, _)| !words.is_empty() && words.iter().all(|w| w.contains("gcm")));
        let mut list = |key: &str, values: Option<(Vec<String>, Vec<Span>)>, read: Read| match values {
            Some((words, spans)) => {
                let span = spans.first().copied().unwrap_or(at);
                words.iter().for_each(|w| found.word(read(w), span));
            }
            None => found.lacks(&format!("ikev2 {proposal} {key}"), at),
        };
        list("enc", ciphers, weak_cipher);
        let integrity = settings.values(&[proposal, "integrity"]);
        if integrity.is_some() || !combined {
            list("integrity", integrity, weak_hash);
        }
        if proposal == "sa-proposal" {
            list("dh", settings.values(&[proposal, "dh"]), weak_group);
        }
    }
    let pfs = match settings.values(&["child-pfs"]) {
        Some((words, spans)) => {
            let span = spans.first().copied().unwrap_or(at);
            words.iter().for_each(|w| found.word(weak_group(w), span));
            Fact::written(!words.iter().any(|w| w == "off"), span)
        }
        None => undocumented("ikev2 child-pfs", at),
    };
    Crypto { offered: found.fact(), accepted: None, pfs }
}
