//! Weak algorithms of IKE and IPsec: what policies, proposals and transform sets name, and what holds where they name nothing.
//!
//! Every policy is offered and every one is accepted, so one weak policy among good ones is enough.

use super::{Block, Export};
use crate::ir::fact::{Fact, Origin, Val};
use crate::ir::schema::WEAK;
use crate::ir::tunnel::Crypto;
use crate::source::Span;
use crate::syntax::Node;

/// The name of a weak algorithm as rules know it.
fn weak(word: &str) -> Option<&'static str> {
    match word {
        "des" | "esp-des" | "des-cbc" => Some("des"),
        "3des" | "esp-3des" => Some("3des"),
        "md5" | "esp-md5-hmac" | "ah-md5-hmac" => Some("md5"),
        "sha" | "sha1" | "esp-sha-hmac" | "ah-sha-hmac" => Some("sha1_integ"),
        "esp-null" | "null" => Some("null"),
        _ => None,
    }
}

fn weak_group(word: &str) -> Option<&'static str> {
    match word {
        "1" | "group1" => Some("dh1"),
        "2" | "group2" => Some("dh2"),
        "5" | "group5" => Some("dh5"),
        _ => None,
    }
}

/// The weak words that a default row lists.
fn words(row: &str) -> Option<Vec<&'static str>> {
    row.split(' ').filter(|w| *w != "none").map(|w| WEAK.iter().copied().find(|k| *k == w)).collect()
}

/// Several parts of one offer.
fn join(parts: Vec<Fact<Vec<&'static str>>>) -> Fact<Vec<&'static str>> {
    let unsure = parts.iter().find_map(|p| p.value.why().cloned());
    let mut list: Vec<&'static str> = parts.iter().flat_map(|p| p.get().into_iter().flatten().copied()).collect();
    list.sort_unstable();
    list.dedup();
    // What is weak for sure is the evidence; the rest only where nothing is.
    let evidence = parts.iter().filter(|p| list.is_empty() || p.get().is_some_and(|l| !l.is_empty()));
    let origin = Origin::all(evidence.map(|p| p.origin.clone()));
    let value = match unsure {
        Some(why) if list.is_empty() => Val::Unknown(why),
        _ => Val::Known(list),
    };
    Fact { value, origin }
}

/// Policies of IKEv1.
fn version_1(export: &Export<'_>) -> Fact<Vec<&'static str>> {
    let policies: Vec<Node<'_>> = export.lines(&["crypto", "isakmp", "policy"]).collect();
    if policies.is_empty() {
        return export.absent("crypto isakmp default policy", "crypto", words);
    }
    let mut parts = Vec::new();
    for node in policies {
        let block = Block(node);
        let read = |found: Option<Node<'_>>, key: &str, name: fn(&str) -> Option<&'static str>| match found {
            Some(line) => Fact::written(line.word(1).and_then(name).into_iter().collect(), line.span()),
            None => export.default_at(key, Some(node.span()), words),
        };
        let cipher = block.line(&["encr"]).or_else(|| block.line(&["encryption"]));
        parts.push(read(cipher, "crypto isakmp policy encryption", weak));
        parts.push(read(block.line(&["hash"]), "crypto isakmp policy hash", weak));
        parts.push(read(block.line(&["group"]), "crypto isakmp policy group", weak_group));
    }
    join(parts)
}

/// Proposals of IKEv2.
fn version_2(export: &Export<'_>) -> Fact<Vec<&'static str>> {
    let proposals: Vec<Node<'_>> = export.lines(&["crypto", "ikev2", "proposal"]).collect();
    if proposals.is_empty() {
        return export.absent("crypto ikev2 default proposal", "crypto", words);
    }
    let mut parts = Vec::new();
    for node in proposals {
        let block = Block(node);
        for (word, name) in
            [("encryption", weak as fn(&str) -> Option<&'static str>), ("integrity", weak), ("prf", weak), ("group", weak_group)]
        {
            if let Some(line) = block.line(&[word]) {
                parts.push(Fact::written(line.words_from(1).filter_map(name).collect(), line.span()));
            }
        }
    }
    join(parts)
}

/// Transform sets by name.
fn transforms(export: &Export<'_>, line: Option<Node<'_>>, at: Span) -> Fact<Vec<&'static str>> {
    let Some(line) = line else { return export.default_at("crypto ipsec default transform-set", Some(at), words) };
    let sets = line.words_from(2).filter_map(|name| export.line(&["crypto", "ipsec", "transform-set", name]));
    let parts: Vec<Fact<Vec<&'static str>>> =
        sets.map(|set| Fact::written(set.words_from(4).filter_map(weak).collect(), set.span())).collect();
    if parts.is_empty() {
        return Fact::unknown(crate::ir::fact::Why::at(crate::ir::fact::WhyCode::Unresolved, line.word_or_empty(2), vec![line.span()]));
    }
    join(parts)
}

/// Algorithms of one VPN, whose block (crypto map entry or IPsec profile) is given.
pub fn crypto(export: &Export<'_>, block: Option<Node<'_>>, ikev2: bool, at: Span) -> Crypto {
    let inner = block.map(Block);
    let set = inner.and_then(|b| b.line(&["set", "transform-set"]));
    let ike = if ikev2 { version_2(export) } else { version_1(export) };
    let pfs_line = inner.and_then(|b| b.line(&["set", "pfs"]));
    let group = pfs_line.map(|n| Fact::written(n.word(2).and_then(weak_group).into_iter().collect::<Vec<_>>(), n.span()));
    let pfs = match pfs_line {
        Some(line) => Fact::written(true, line.span()),
        None => export.default_at("set pfs", Some(block.map_or(at, |b| b.span())), super::on_off),
    };
    let mut parts = vec![ike, transforms(export, set, block.map_or(at, |b| b.span()))];
    parts.extend(group);
    Crypto { offered: join(parts), accepted: None, pfs }
}
