//! Algorithms of IKE and IPsec: profiles and proposals with the factory's values where lines are silent.
//!
//! Releases before 6.44 write into the peer what is a profile later.

use super::Export;
use super::menus::Item;
use crate::ir::fact::{Fact, Origin, Val};
use crate::ir::tunnel::Crypto;
use crate::source::Span;

/// Algorithms of the factory's profile and proposal, which functions with an IPsec secret of their own use.
pub fn default_crypto(export: &Export<'_>, at: Span) -> Crypto {
    crypto(export, None, "default", vec!["default"], at)
}

/// What a peer's profile and its proposals offer.
pub fn crypto(export: &Export<'_>, peer: Option<&Item<'_>>, profile: &str, proposals: Vec<&str>, at: Span) -> Crypto {
    let profile_row = export.row("/ip ipsec profile", profile).or_else(|| export.row("/ip ipsec peer profile", profile));
    let value = |holders: &[Option<&Item<'_>>], keys: &[&str], default: &str| -> Fact<String> {
        let found = holders.iter().flatten().find_map(|i| keys.iter().find_map(|k| i.text(k)));
        match found {
            Some(v) => Fact::written(v.text.to_owned(), v.span),
            None => export.default_at(default, holders.iter().flatten().next_back().map_or(at, |i| i.span()), |w| Some(w.to_owned())),
        }
    };
    let ike = [peer, profile_row];
    let mut facts = vec![
        value(&ike, &["enc-algorithm"], "ip ipsec profile.enc-algorithm").map(|v| weak_ciphers(v)),
        value(&ike, &["hash-algorithm"], "ip ipsec profile.hash-algorithm").map(|v| weak_hashes(v)),
        value(&ike, &["dh-group"], "ip ipsec profile.dh-group").map(|v| weak_groups(v)),
    ];
    let mut pfs: Option<Fact<bool>> = None;
    for name in proposals {
        let rows = [export.row("/ip ipsec proposal", name)];
        let ciphers = value(&rows, &["enc-algorithms"], "ip ipsec proposal.enc-algorithms");
        // Combined modes do without a hash.
        let combined = ciphers.get().is_some_and(|c| c.split(',').all(|c| c.contains("gcm") || c.contains("chacha")));
        if !combined {
            facts.push(value(&rows, &["auth-algorithms"], "ip ipsec proposal.auth-algorithms").map(|v| weak_hashes(v)));
        }
        facts.push(ciphers.map(|v| weak_ciphers(v)));
        let group = value(&rows, &["pfs-group"], "ip ipsec proposal.pfs-group");
        facts.push(group.map(|v| weak_groups(v)));
        let on = group.map(|g| g != "none");
        pfs = Some(pfs.map_or_else(|| on.clone(), |p| p.and(&on)));
    }
    let unknown = facts.iter().find_map(|f| f.value.why().cloned());
    // What rests on a weak algorithm rests on the lines that offer one.
    let deciding: Vec<Origin> = facts.iter().filter(|f| f.get().is_none_or(|w| !w.is_empty())).map(|f| f.origin.clone()).collect();
    let origin = Origin::all(if deciding.is_empty() { facts.iter().map(|f| f.origin.clone()).collect() } else { deciding });
    let mut words: Vec<&'static str> = facts.iter().filter_map(|f| f.get()).flatten().copied().collect();
    words.sort_unstable();
    words.dedup();
    let value = match unknown {
        Some(why) => Val::Unknown(why),
        None => Val::Known(words),
    };
    Crypto { offered: Fact { value, origin }, accepted: None, pfs: pfs.unwrap_or_else(|| Fact::written(true, at)) }
}

fn weak_ciphers(list: &str) -> Vec<&'static str> {
    list.split(',')
        .filter_map(|c| match c {
            "des" => Some("des"),
            "3des" => Some("3des"),
            "blowfish" => Some("bf"),
            "null" => Some("null"),
            _ => None,
        })
        .collect()
}

fn weak_hashes(list: &str) -> Vec<&'static str> {
    list.split(',')
        .filter_map(|c| match c {
            "md5" => Some("md5"),
            "sha1" => Some("sha1_integ"),
            "null" => Some("null"),
            _ => None,
        })
        .collect()
}

fn weak_groups(list: &str) -> Vec<&'static str> {
    list.split(',')
        .filter_map(|c| match c {
            "modp768" => Some("dh1"),
            "modp1024" => Some("dh2"),
            "modp1536" => Some("dh5"),
            _ => None,
        })
        .collect()
}
