//! Proposals: which of the algorithms a tunnel offers are weak. The box accepts what it offers and nothing else.

use super::context::{Context, Fields, all_of};
use crate::ir::fact::{Fact, Origin, Val};
use crate::ir::schema::WEAK;
use crate::ir::tunnel::Crypto;

/// Weak words of one proposal such as `aes128-sha1` or `aes256gcm-prfsha384`.
fn weak_proposal(proposal: &str, out: &mut Vec<&'static str>) {
    for part in proposal.split('-') {
        let word = match part {
            "des" => "des",
            "3des" => "3des",
            "md5" => "md5",
            "sha1" => "sha1_integ",
            "null" => "null",
            _ => continue,
        };
        out.push(word);
    }
}

fn weak_group(group: &str) -> Option<&'static str> {
    match group {
        "1" => Some("dh1"),
        "2" => Some("dh2"),
        "5" => Some("dh5"),
        _ => None,
    }
}

fn weak_of(facts: &Fact<Vec<String>>, groups: bool) -> Fact<Vec<&'static str>> {
    facts.map(|words| {
        let mut out = Vec::new();
        for word in words {
            if groups {
                out.extend(weak_group(word));
            } else {
                weak_proposal(word, &mut out);
            }
        }
        out
    })
}

/// The union of two lists; where one of them is one of several, every combination is possible.
fn merge(a: &Fact<Vec<&'static str>>, b: &Fact<Vec<&'static str>>) -> Fact<Vec<&'static str>> {
    let join = |x: &[&'static str], y: &[&'static str]| WEAK.iter().copied().filter(|w| x.contains(w) || y.contains(w)).collect::<Vec<_>>();
    let options = |v: &Val<Vec<&'static str>>| match v {
        Val::Known(x) => vec![x.clone()],
        Val::Among(xs, _) => xs.clone(),
        Val::Unknown(_) => Vec::new(),
    };
    let origin = Origin::all([a.origin.clone(), b.origin.clone()]);
    let value = match (&a.value, &b.value) {
        (Val::Unknown(why), _) | (_, Val::Unknown(why)) => Val::Unknown(why.clone()),
        (Val::Known(x), Val::Known(y)) => Val::Known(join(x, y)),
        (Val::Among(_, why), other) | (other, Val::Among(_, why)) => {
            let mut all: Vec<Vec<&'static str>> =
                options(&a.value).iter().flat_map(|x| options(&b.value).into_iter().map(move |y| join(x, &y))).collect();
            all.sort();
            all.dedup();
            let _ = other;
            Val::Among(all, why.clone())
        }
    };
    Fact { value, origin }
}

/// Algorithms of a phase 1 and its phases 2.
pub(super) fn crypto<'a>(cx: &Context<'a>, phase1: &Fields<'a>, phase2: &[Fields<'a>]) -> Crypto {
    let list = |row: &Fields<'a>, attribute, key| cx.list(row, attribute, key);
    let mut offered = merge(
        &weak_of(&list(phase1, "proposal", "vpn ipsec phase1.proposal"), false),
        &weak_of(&list(phase1, "dhgrp", "vpn ipsec phase1.dhgrp"), true),
    );
    let mut pfs = Vec::new();
    for row in phase2 {
        offered = merge(&offered, &weak_of(&list(row, "proposal", "vpn ipsec phase2.proposal"), false));
        let on = cx.switch(row, "pfs", "vpn ipsec phase2.pfs");
        if on.value.tri() != Some(false) {
            offered = merge(&offered, &weak_of(&list(row, "dhgrp", "vpn ipsec phase2.dhgrp"), true));
        }
        pfs.push(on);
    }
    Crypto { offered, accepted: None, pfs: all_of(pfs, Origin::Written(phase1.span())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_are_read_part_by_part() {
        let mut out = Vec::new();
        for proposal in ["aes128-sha1", "3des-md5", "aes256gcm-prfsha384", "aes256gcm-prfsha1", "null-sha256", "aes256-sha256"] {
            weak_proposal(proposal, &mut out);
        }
        assert_eq!(out, ["sha1_integ", "3des", "md5", "null"]);
        assert_eq!(weak_group("5"), Some("dh5"));
        assert_eq!(weak_group("15"), None);
        assert_eq!(weak_group("20"), None);
    }
}
