//! Weak algorithms among those that IPsec and OpenVPN offer. The box accepts what it offers.

use super::Lowering;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::tunnel::Crypto;
use crate::source::Span;
use crate::syntax::xml::Element;

/// Weak algorithms found, each with the line that names it.
#[derive(Default)]
struct Found {
    weak: Vec<&'static str>,
    lines: Vec<Span>,
    /// Every line that names an algorithm.
    all: Vec<Span>,
}

impl Found {
    fn add(&mut self, element: Element<'_>, weak: Option<&'static str>) {
        self.all.push(element.span());
        if let Some(weak) = weak {
            self.lines.push(element.span());
            if !self.weak.contains(&weak) {
                self.weak.push(weak);
            }
        }
    }

    fn finish(mut self, anchor: Span) -> Fact<Vec<&'static str>> {
        self.weak.sort_unstable();
        let lines = if self.lines.is_empty() { self.all } else { self.lines };
        let origin = if lines.is_empty() { Origin::Written(anchor) } else { Origin::all(lines.into_iter().map(Origin::Written)) };
        Fact::known(self.weak, origin)
    }
}

fn cipher(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    if name.contains("3des") || name.contains("des-ede3") {
        Some("3des")
    } else if name.starts_with("bf") || name.contains("blowfish") {
        Some("bf")
    } else if name.starts_with("des") {
        Some("des")
    } else if name == "none" || name == "null" {
        Some("null")
    } else {
        None
    }
}

fn integrity(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().trim_start_matches("hmac_") {
        "md5" | "rsa-md5" => Some("md5"),
        "sha1" | "rsa-sha1" | "sha" => Some("sha1_integ"),
        "none" => Some("null"),
        _ => None,
    }
}

fn group(name: &str) -> Option<&'static str> {
    match name {
        "1" => Some("dh1"),
        "2" => Some("dh2"),
        "5" => Some("dh5"),
        _ => None,
    }
}

fn is_aead(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("gcm") || name.contains("chacha20")
}

/// Algorithms of a phase 1 and of its phases 2 that are in force.
pub(super) fn ipsec(l: &Lowering<'_>, phase1: Element<'_>, phase2: &[Element<'_>]) -> Crypto {
    let mut found = Found::default();
    // Releases before 2.4.4 had one proposal, written in the phase 1 itself.
    let items: Vec<Element<'_>> = match phase1.child("encryption") {
        Some(list) => list.all("item").collect(),
        None => vec![phase1],
    };
    for item in items {
        if let Some(e) = item.at("encryption-algorithm/name").or_else(|| item.child("encryption-algorithm")).filter(|e| e.has_text()) {
            item.at("encryption-algorithm/keylen");
            found.add(e, cipher(e.text()));
        }
        for (name, judge) in
            [("hash-algorithm", integrity as fn(&str) -> Option<&'static str>), ("prf-algorithm", integrity), ("dhgroup", group)]
        {
            if let Some(e) = item.filled(name) {
                found.add(e, judge(e.text()));
            }
        }
    }
    let mut without = None;
    let mut with = None;
    for child in phase2 {
        let mut only_aead = true;
        for option in child.all("encryption-algorithm-option") {
            option.child("keylen");
            if let Some(e) = option.child("name").or(Some(option)).filter(|e| e.has_text()) {
                only_aead &= is_aead(e.text());
                found.add(e, cipher(e.text()));
            }
        }
        for e in child.all("hash-algorithm-option").filter(|e| e.has_text()) {
            // Ciphers that protect integrity themselves use no hash.
            found.add(e, if only_aead { None } else { integrity(e.text()) });
        }
        match child.filled("pfsgroup") {
            Some(e) if e.text() == "0" => without = without.or(Some(e.span())),
            Some(e) => {
                with = with.or(Some(e.span()));
                found.add(e, group(e.text()));
            }
            None => without = without.or(Some(child.span())),
        }
    }
    let pfs = match (without, with) {
        (Some(at), _) => Fact::written(false, at),
        (None, Some(at)) => Fact::written(true, at),
        (None, None) => l.cx.behaviour("ipsec.pfs", Some(phase1.span())),
    };
    Crypto { offered: found.finish(phase1.span()), accepted: None, pfs }
}

/// Algorithms of an OpenVPN instance.
pub(super) fn openvpn(l: &Lowering<'_>, row: Element<'_>) -> Crypto {
    let mut found = Found::default();
    let mut only_aead = true;
    let lists = ["data_ciphers", "ncp-ciphers"].into_iter().find_map(|n| row.filled(n));
    let negotiates = row.value("ncp_enable") != Some("disabled") && lists.is_some();
    if let Some(e) = lists.filter(|_| negotiates) {
        for name in e.text().split([',', ':']) {
            only_aead &= is_aead(name);
            found.add(e, cipher(name));
        }
    }
    // A peer that cannot negotiate gets the fallback.
    if let Some(e) = ["data_ciphers_fallback", "crypto"].into_iter().find_map(|n| row.filled(n)) {
        only_aead &= is_aead(e.text());
        found.add(e, cipher(e.text()));
    }
    let shared_key = row.filled("mode").filter(|m| m.text() == "p2p_shared_key");
    if let Some(mode) = shared_key {
        found.add(mode, Some("static_key"));
        only_aead = false;
    }
    match row.filled("digest") {
        Some(e) => found.add(e, if only_aead { None } else { integrity(e.text()) }),
        None if !only_aead || found.all.is_empty() => {
            let default = l.cx.default("openvpn.digest", Some(row.span()), |v| Some(v.to_owned()));
            let weak = default.get().and_then(|d| integrity(d));
            if let Some(weak) = weak {
                let mut fact = found.finish(row.span());
                fact = fact.map(|list| list.iter().copied().chain([weak]).collect());
                return Crypto {
                    offered: Fact { origin: Origin::all([fact.origin, default.origin]), ..fact },
                    accepted: None,
                    pfs: pfs(row),
                };
            }
        }
        None => {}
    }
    if let Some(e) = row.filled("dh_length").filter(|e| e.text() == "1024") {
        found.add(e, Some("dh2"));
    }
    Crypto { offered: found.finish(row.span()), accepted: None, pfs: pfs(row) }
}

fn pfs(row: Element<'_>) -> Fact<bool> {
    match row.filled("mode") {
        Some(mode) => Fact::written(mode.text() != "p2p_shared_key", mode.span()),
        None => Fact::unknown(Why::at(WhyCode::Ambiguous, "mode", vec![row.span()])),
    }
}
