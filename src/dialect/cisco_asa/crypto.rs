//! IKE and IPsec as configured: policies, transform sets and proposals, crypto maps and where they are bound, where IKE answers.
//!
//! Releases before 8.4 write `crypto isakmp` and leave `ikev1` out elsewhere; all of that is IKEv1. Offered is not negotiated:
//! the lists say what this box would agree to.

use super::Export;
use super::lines::{after, has_word};
use crate::ir::fact::{Fact, Origin};
use crate::ir::schema::WEAK;
use crate::ir::tunnel;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// A weak algorithm and the line that names it.
type Weak = (&'static str, Span);

/// An entry of a crypto map.
pub struct Entry<'a> {
    /// Name of the map.
    pub map: &'a str,
    /// Its number.
    pub number: &'a str,
    /// Its lines.
    pub lines: Vec<Node<'a>>,
}

impl<'a> Entry<'a> {
    /// The line `... set <words>` or `... match <words>`.
    pub fn line(&self, words: &[&str]) -> Option<Node<'a>> {
        self.lines.iter().rev().find(|n| words.iter().enumerate().all(|(ix, w)| n.word(4 + ix) == Some(w))).copied()
    }

    /// The first line, by which the entry is named in findings: that of its peer, where it has one.
    pub fn span(&self) -> Span {
        self.line(&["set", "peer"])
            .or_else(|| self.lines.first().copied())
            .map_or(Span { file: crate::source::FileId(0), start: 0, end: 0 }, |n| n.span())
    }

    /// The dynamic map it refers to.
    pub fn dynamic(&self) -> Option<&'a str> {
        self.line(&["ipsec-isakmp", "dynamic"]).and_then(|n| n.word(6))
    }
}

/// Everything about IKE and IPsec that is not of one peer.
pub struct Crypto<'a> {
    ike1: Vec<Weak>,
    ike2: Vec<Weak>,
    sets: HashMap<&'a str, Vec<Weak>>,
    proposals: HashMap<&'a str, Vec<Weak>>,
    /// Entries of static maps.
    pub maps: Vec<Entry<'a>>,
    /// Entries of dynamic maps.
    pub dynamic: Vec<Entry<'a>>,
    /// Where maps are bound: interface, map, line.
    pub bound: Vec<(&'a str, &'a str, Node<'a>)>,
    /// Interfaces on which IKEv1 answers, with the lines.
    pub ike1_on: Vec<(&'a str, Node<'a>)>,
    /// Interfaces on which IKEv2 answers, with the lines.
    pub ike2_on: Vec<(&'a str, Node<'a>)>,
    /// The line that switches inbound aggressive mode off.
    pub no_aggressive: Option<Node<'a>>,
    /// IPsec profiles of tunnel interfaces.
    pub profiles: HashMap<&'a str, Node<'a>>,
}

fn cipher(word: &str) -> Option<&'static str> {
    match word.strip_prefix("esp-").unwrap_or(word) {
        "des" => Some("des"),
        "3des" => Some("3des"),
        "md5" | "md5-hmac" => Some("md5"),
        "sha" | "sha-1" | "sha-hmac" => Some("sha1_integ"),
        _ => None,
    }
}

fn group(word: &str) -> Option<&'static str> {
    match word.strip_prefix("group").unwrap_or(word) {
        "1" => Some("dh1"),
        "2" => Some("dh2"),
        "5" => Some("dh5"),
        _ => None,
    }
}

/// Weak algorithms of an IKE policy's lines.
fn policy(node: Node<'_>, out: &mut Vec<Weak>) {
    for line in node.children() {
        let weak: fn(&str) -> Option<&'static str> = match line.word_or_empty(0) {
            "encryption" | "hash" | "integrity" => cipher,
            "group" => group,
            "authentication" | "lifetime" | "prf" => {
                line.read();
                continue;
            }
            _ => continue,
        };
        // The policy as a whole is one proposal.
        out.extend(line.read().words_from(1).filter_map(weak).map(|w| (w, node.span())));
    }
}

fn add<'a>(list: &mut Vec<Entry<'a>>, index: &mut HashMap<(&'a str, &'a str), usize>, line: Node<'a>) {
    let (map, number) = (line.word_or_empty(2), line.word_or_empty(3));
    let next = list.len();
    let ix = *index.entry((map, number)).or_insert(next);
    if ix == next {
        list.push(Entry { map, number, lines: Vec::new() });
    }
    list[ix].lines.push(line.read());
}

impl<'a> Crypto<'a> {
    /// Reads every `crypto` line.
    pub fn new(export: &Export<'a>) -> Crypto<'a> {
        let mut crypto = Crypto {
            ike1: Vec::new(),
            ike2: Vec::new(),
            sets: HashMap::new(),
            proposals: HashMap::new(),
            maps: Vec::new(),
            dynamic: Vec::new(),
            bound: Vec::new(),
            ike1_on: Vec::new(),
            ike2_on: Vec::new(),
            no_aggressive: None,
            profiles: HashMap::new(),
        };
        let (mut maps, mut dynamic) = (HashMap::new(), HashMap::new());
        for line in export.lines.of("crypto").iter().copied() {
            let word = |ix| line.word_or_empty(ix);
            match (word(1), word(2)) {
                ("map", _) if word(3) == "interface" => crypto.bound.push((word(4), word(2), line.read())),
                ("map", _) => add(&mut crypto.maps, &mut maps, line),
                ("dynamic-map", _) => add(&mut crypto.dynamic, &mut dynamic, line),
                ("isakmp" | "ikev1", "policy") => policy(line.read(), &mut crypto.ike1),
                ("ikev2", "policy") => policy(line.read(), &mut crypto.ike2),
                ("isakmp" | "ikev1", "enable") => crypto.ike1_on.push((word(3), line.read())),
                ("ikev2", "enable") => crypto.ike2_on.push((word(3), line.read())),
                ("isakmp" | "ikev1", "am-disable") => crypto.no_aggressive = Some(line.read()),
                ("ipsec", _) => crypto.ipsec(line),
                _ => {}
            }
        }
        // Release 7.0 left `crypto` out.
        for line in export.lines.all(&["isakmp"]) {
            match line.word_or_empty(1) {
                "enable" => crypto.ike1_on.push((line.word_or_empty(2), line)),
                "am-disable" => crypto.no_aggressive = Some(line),
                "policy" => {
                    let weak = if line.word(3) == Some("group") { group } else { cipher };
                    crypto.ike1.extend(line.words_from(4).filter_map(weak).map(|w| (w, line.span())));
                    policy(line, &mut crypto.ike1);
                }
                _ => {}
            }
        }
        // The interface that faces outside first: it is the one that findings are about.
        let level = |name: &str| export.interfaces.list.iter().find(|n| n.name == name).and_then(|n| n.level.get().copied()).unwrap_or(100);
        crypto.ike1_on.sort_by_key(|(name, _)| level(name));
        crypto.ike2_on.sort_by_key(|(name, _)| level(name));
        crypto
    }

    fn ipsec(&mut self, line: Node<'a>) {
        let at = if matches!(line.word(2), Some("ikev1" | "ikev2")) { 3 } else { 2 };
        let name = line.word_or_empty(at + 1);
        match line.word_or_empty(at) {
            "transform-set" if line.word(at + 2) == Some("mode") => {
                line.read();
            }
            "transform-set" => {
                let weak = line.read().words_from(at + 2).filter_map(|w| if w == "esp-null" { Some("null") } else { cipher(w) });
                self.sets.insert(name, weak.map(|w| (w, line.span())).collect());
            }
            "ipsec-proposal" => {
                let mut weak = Vec::new();
                for child in line.read().children().filter(|c| c.word(0) == Some("protocol")) {
                    weak.extend(child.read().words_from(3).filter_map(cipher).map(|w| (w, child.span())));
                }
                self.proposals.insert(name, weak);
            }
            "profile" => {
                line.read().children().for_each(|c| {
                    c.read();
                });
                self.profiles.insert(name, line);
            }
            _ => {}
        }
    }

    /// Interfaces on which a map is bound, with the lines.
    pub fn bindings(&self, map: &str) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        self.bound.iter().filter(move |(_, m, _)| *m == map).map(|(i, _, n)| (*i, *n))
    }

    /// What a peer of these lines is offered. `set` lines carry the transform sets, proposals and the group of new keys.
    pub fn offered(&self, export: &Export<'_>, lines: &[Node<'a>], v1: bool, v2: bool, at: Span) -> tunnel::Crypto {
        let mut weak: Vec<Weak> = Vec::new();
        if v1 {
            weak.extend(&self.ike1);
        }
        if v2 {
            weak.extend(&self.ike2);
        }
        let mut pfs = None;
        for line in lines {
            let from = (0..line.len()).find(|ix| line.word(*ix) == Some("set")).map_or(line.len(), |ix| ix + 1);
            match line.word_or_empty(from) {
                "ikev1" if v1 => self.named(&self.sets, *line, from + 2, &mut weak),
                "transform-set" if v1 => self.named(&self.sets, *line, from + 1, &mut weak),
                "ikev2" if v2 => self.named(&self.proposals, *line, from + 2, &mut weak),
                "pfs" => {
                    pfs = Some(Fact::written(true, line.span()));
                    let word = line.word(from + 1);
                    let default = || export.default_at("crypto map set pfs group", line.span(), |v| Some(v.to_owned())).get().cloned();
                    let chosen = word.map(str::to_owned).or_else(default);
                    weak.extend(chosen.as_deref().and_then(group).map(|w| (w, line.span())));
                }
                _ => {}
            }
        }
        let words: Vec<&'static str> = WEAK.iter().copied().filter(|w| weak.iter().any(|(x, _)| x == w)).collect();
        let mut spans: Vec<Span> = weak.iter().map(|(_, s)| *s).collect();
        spans.sort();
        spans.dedup();
        let origin = if spans.is_empty() { Origin::Written(at) } else { Origin::all(spans.into_iter().map(Origin::Written)) };
        let pfs = pfs.unwrap_or_else(|| export.default_at("crypto map set pfs", at, super::on_off));
        tunnel::Crypto { offered: Fact::known(words, origin), accepted: None, pfs }
    }

    fn named(&self, sets: &HashMap<&'a str, Vec<Weak>>, line: Node<'a>, from: usize, out: &mut Vec<Weak>) {
        line.words_from(from).filter_map(|name| sets.get(name)).for_each(|weak| out.extend(weak));
    }

    /// The port of IKEv2 client services on an interface, with the word.
    pub fn client_services(&self, interface: &str) -> Option<(Node<'a>, &'a str, usize)> {
        let (_, line) = self.ike2_on.iter().find(|(i, n)| *i == interface && has_word(*n, "client-services", 4))?;
        after(*line, "port", 4).map(|(port, ix)| (*line, port, ix))
    }

    /// The line that lets IKE answer on an interface, either version.
    pub fn ike_on(&self, interface: &str) -> Option<Node<'a>> {
        self.ike1_on.iter().chain(&self.ike2_on).find(|(i, _)| *i == interface).map(|(_, n)| *n)
    }
}
