//! How a tunnel lives: always on, limited, on demand, sticky, or only answering. Three-valued throughout: what the export does
//! not say gives several possible modes, never a guess.

use super::grants::Grants;
use super::{Context, Sheet, known_word, written_or};
use crate::ir::fact::{Fact, Origin, Rest, Val, Why, WhyCode};
use crate::ir::record::{Record, Step, Word};
use crate::ir::schema;
use crate::ir::tunnel::{EnderKind, KeeperForce, Starts, Tunnel, TunnelAuth};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Records of kind `tunnel` and the proposals of tunnels.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    for (ix, tunnel) in cx.device().tunnels.iter().enumerate() {
        let grants = sheet.tunnel_grants.get(ix).cloned().unwrap_or_else(Grants::unknown);
        let mut record = Record::new(&schema::TUNNEL, tunnel.name.clone(), Some(tunnel.span));
        let live = tunnel.live.value();
        // Commands for IPsec are no commands for other tunnels.
        if tunnel.crypto.is_some() {
            record.named("tunnel", tunnel.name.clone());
        }
        let (mode, steps) = mode(tunnel);
        record.chain = steps;
        record.word("kind", known_word(tunnel.kind, Origin::Written(tunnel.span)));
        record.word("role", tunnel.role.map(|r| Cow::Borrowed(r.word())));
        record.word("mode", mode);
        record.bool("live", live.clone());
        record.bool("enabled", tunnel.live.own.clone());
        let auth = |what: TunnelAuth| tunnel.auth.map(|kinds| kinds.contains(&what));
        record.bool("second", auth(TunnelAuth::ClientCert));
        record.exact_set("dormant", BTreeSet::new(), Origin::Written(tunnel.span));
        record.bool("layer2", Fact::written(tunnel.layer2, tunnel.span));
        record.bool("encrypted", tunnel.encrypted.clone());
        record.bool(
            "peer_any",
            tunnel.peer.addresses.map(|a| matches!(a, crate::ir::filter::AddrExpr::Any | crate::ir::filter::AddrExpr::AnyV4)),
        );
        match tunnel.auth.get() {
            Some(kinds) => record.exact_set("auth", kinds.iter().map(|k| Cow::Borrowed(k.word())).collect(), tunnel.auth.origin.clone()),
            None => record.set(
                "auth",
                crate::ir::record::Value::Set {
                    lo: BTreeSet::new(),
                    hi: ["group_psk", "client_cert", "password", "none"].into_iter().map(Cow::Borrowed).collect(),
                    why: tunnel.auth.value.why().cloned(),
                },
                tunnel.auth.origin.clone(),
            ),
        };
        record.bool("grants_whole_net", grants.whole_net);
        record.bool("grants_any_service", grants.any_service);
        record.bool("accepts_aggressive_psk", tunnel.aggressive_psk.clone());
        let pfs = tunnel.crypto.as_ref().map_or_else(|| Fact::written(true, tunnel.span), |c| c.pfs.clone());
        record.bool("pfs", pfs);
        record.bool("on_untrusted", cx.any_untrusted(&tunnel.outer, tunnel.span));
        record.text("peer", tunnel.peer.text.clone(), tunnel.peer.addresses.origin.clone());
        record.text("accepted_reason", cx.stated.accepted_tunnel(&tunnel.name).unwrap_or_default(), written_or(tunnel.span));
        sheet.add(record);
        if let Some(crypto) = &tunnel.crypto {
            proposals(sheet, &tunnel.name, tunnel.span, &live, crypto);
        }
    }
}

/// Records of kind `proposal`: what a VPN offers, and what it accepts beyond that.
pub fn proposals(sheet: &mut Sheet<'_>, name: &str, span: crate::source::Span, live: &Fact<bool>, crypto: &crate::ir::tunnel::Crypto) {
    let sides = [("offered", Some(&crypto.offered)), ("accepted", crypto.accepted.as_ref())];
    for (side, weak) in sides.into_iter().filter_map(|(s, w)| w.map(|w| (s, w))) {
        let mut record = Record::new(&schema::PROPOSAL, format!("{name} ({side})"), Some(span));
        record.word("use", known_word("ike_and_esp", Origin::Written(span)));
        record.bool("live", live.clone());
        record.word("side", known_word(side, weak.origin.clone()));
        let words = |list: &[&'static str]| -> BTreeSet<Word> { list.iter().map(|w| Cow::Borrowed(*w)).collect() };
        match &weak.value {
            Val::Known(list) => record.exact_set("weak", words(list), weak.origin.clone()),
            Val::Among(lists, why) => {
                let all: Vec<BTreeSet<Word>> = lists.iter().map(|l| words(l)).collect();
                let hi = all.iter().flatten().cloned().collect();
                let lo = all.iter().skip(1).fold(all.first().cloned().unwrap_or_default(), |acc, s| acc.intersection(s).cloned().collect());
                record.set("weak", crate::ir::record::Value::Set { lo, hi, why: Some(why.clone()) }, weak.origin.clone())
            }
            Val::Unknown(why) => record.set(
                "weak",
                crate::ir::record::Value::Set { lo: BTreeSet::new(), hi: words(schema::WEAK), why: Some(why.clone()) },
                weak.origin.clone(),
            ),
        };
        record.bool("pfs", if side == "offered" { crypto.pfs.clone() } else { Fact::known(true, crypto.pfs.origin.clone()) });
        record.text("tunnel", name, Origin::Written(span));
        record.chain =
            weak.origin.spans().into_iter().map(|s| Step { span: Some(s), code: "step.proposal", args: vec![name.to_owned()] }).collect();
        sheet.add(record);
    }
}

const STARTS: [Starts; 4] = [Starts::AtBoot, Starts::OnTraffic, Starts::Manual, Starts::Never];

/// How a tunnel lives, and the sentences that prove it.
pub fn mode(tunnel: &Tunnel) -> (Fact<Word>, Vec<Step>) {
    let live = tunnel.live.value();
    let starts: Vec<Starts> = match &tunnel.starts.value {
        Val::Known(s) => vec![*s],
        Val::Among(list, _) => list.clone(),
        Val::Unknown(_) => STARTS.to_vec(),
    };
    // A keeper that only probes never keeps a tunnel up.
    let kept = tunnel
        .keepers
        .iter()
        .filter(|k| k.force != KeeperForce::Probes)
        .map(|k| &k.live)
        .fold(None::<Fact<bool>>, |acc, k| Some(acc.map_or_else(|| k.clone(), |a| a.or(k))));
    let kept_tri = kept.as_ref().map_or(Some(false), |k| k.value.tri());
    let mut modes: Vec<&'static str> = Vec::new();
    if live.value.tri() != Some(true) {
        modes.push("off");
    }
    if live.value.tri() != Some(false) {
        for start in starts {
            for keeps in possibilities(kept_tri) {
                let holds = start == Starts::AtBoot || start == Starts::OnTraffic && keeps;
                for ends in possibilities(ends(tunnel, start, keeps)) {
                    modes.push(match (start, holds, ends) {
                        (Starts::Never, _, _) => "responder",
                        (_, true, false) => "always",
                        (_, true, true) => "limited",
                        (_, false, true) => "on_demand",
                        (Starts::Manual, false, false) if !keeps => "on_demand",
                        (_, false, false) => "sticky",
                    });
                }
            }
        }
    }
    modes.sort_unstable();
    modes.dedup();
    let value = match modes.as_slice() {
        [one] => Val::Known(Cow::Borrowed(*one)),
        many => {
            let unsure = [live.value.why(), tunnel.starts.value.why(), kept.as_ref().and_then(|k| k.value.why())];
            let why = unsure.into_iter().flatten().next().cloned().unwrap_or_else(|| enders_why(tunnel));
            Val::Among(many.iter().map(|m| Cow::Borrowed(*m)).collect(), why)
        }
    };
    let mut parts = vec![live.origin.clone(), tunnel.starts.origin.clone()];
    parts.extend(kept.map(|k| k.origin));
    parts.extend(tunnel.enders.iter().filter(|e| !e.live.value.is_false()).map(|e| e.live.origin.clone()));
    if let (true, Rest::Complete(origin)) = (tunnel.enders.items.is_empty(), &tunnel.enders.rest) {
        parts.push(origin.clone());
    }
    (Fact { value, origin: Origin::all(parts) }, steps(tunnel))
}

fn possibilities(tri: Option<bool>) -> Vec<bool> {
    tri.map_or_else(|| vec![false, true], |b| vec![b])
}

fn enders_why(tunnel: &Tunnel) -> Why {
    match &tunnel.enders.rest {
        Rest::MayHoldMore(why) => why.clone(),
        Rest::Complete(_) => tunnel
            .enders
            .iter()
            .find_map(|e| e.live.value.why().cloned())
            .unwrap_or_else(|| Why::new(WhyCode::Ambiguous, tunnel.name.clone())),
    }
}

/// Whether something ends the tunnel. An idle or session end is void where a keeper works against it, or where the box brings
/// the tunnel up again at once.
fn ends(tunnel: &Tunnel, start: Starts, kept: bool) -> Option<bool> {
    let mut unsure = matches!(tunnel.enders.rest, Rest::MayHoldMore(_));
    for ender in tunnel.enders.iter() {
        let void = matches!(ender.kind, EnderKind::Idle | EnderKind::Session) && (kept || start == Starts::AtBoot);
        if !void {
            match ender.live.value.tri() {
                Some(true) => return Some(true),
                Some(false) => {}
                None => unsure = true,
            }
        }
    }
    if unsure { None } else { Some(false) }
}

fn steps(tunnel: &Tunnel) -> Vec<Step> {
    let at = |origin: &Origin, code| origin.spans().first().map(|s| Step { span: Some(*s), code, args: vec![tunnel.name.clone()] });
    let start = match tunnel.starts.get() {
        Some(Starts::AtBoot) => "step.starts_at_boot",
        Some(Starts::OnTraffic) => "step.starts_on_traffic",
        Some(Starts::Manual) => "step.starts_manually",
        Some(Starts::Never) => "step.starts_never",
        None => "step.starts_unknown",
    };
    let mut steps: Vec<Step> = at(&tunnel.starts.origin, start).into_iter().collect();
    for keeper in tunnel.keepers.iter().filter(|k| k.live.value.is_true() && k.force != KeeperForce::Probes) {
        steps.extend(at(&keeper.live.origin, keeper.code));
    }
    for ender in tunnel.enders.iter() {
        let code = match ender.kind {
            EnderKind::Idle => "step.ends_idle",
            EnderKind::Session => "step.ends_session",
            EnderKind::Schedule => "step.ends_schedule",
            EnderKind::PolicySchedule => "step.ends_policy_schedule",
            EnderKind::Script => "step.ends_script",
        };
        if ender.live.value.is_true() {
            steps.extend(at(&ender.live.origin, code));
        } else if ender.live.value.is_false() {
            steps.extend(at(&ender.live.origin, "step.ends_off"));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::fact::List;
    use crate::ir::filter::AddrExpr;
    use crate::ir::live::Live;
    use crate::ir::tunnel::{Ender, Keeper, Peer, TunnelRole};
    use crate::source::{FileId, Span};

    const AT: Span = Span { file: FileId(0), start: 0, end: 1 };

    fn tunnel(starts: Fact<Starts>, keepers: &[(KeeperForce, bool)], enders: &[(EnderKind, bool)]) -> Tunnel {
        Tunnel {
            name: "t".into(),
            span: AT,
            kind: "ipsec",
            layer2: false,
            encrypted: Fact::written(true, AT),
            role: Fact::written(TunnelRole::SiteToSite, AT),
            live: Live::own(Fact::written(true, AT)),
            interface: None,
            outer: Vec::new(),
            peer: Peer { addresses: Fact::written(AddrExpr::Any, AT), text: String::new() },
            starts,
            keepers: keepers
                .iter()
                .map(|(force, live)| Keeper { code: "keeper.x", force: *force, live: Fact::written(*live, AT) })
                .collect(),
            enders: List::complete(
                enders.iter().map(|(kind, live)| Ender { kind: *kind, live: Fact::written(*live, AT) }).collect(),
                Origin::Written(AT),
            ),
            auth: Fact::written(vec![TunnelAuth::GroupPsk], AT),
            aggressive_psk: Fact::written(false, AT),
            remote_nets: Fact::written(AddrExpr::Any, AT),
            crypto: None,
            psk: None,
        }
    }
    fn mode_of(starts: Starts, keepers: &[(KeeperForce, bool)], enders: &[(EnderKind, bool)]) -> String {
        mode(&tunnel(Fact::written(starts, AT), keepers, enders)).0.get().map(|w| w.to_string()).unwrap_or_default()
    }

    #[test]
    fn modes_follow_from_who_starts_keeps_and_ends() {
        use EnderKind::*;
        use KeeperForce::*;
        assert_eq!(mode_of(Starts::AtBoot, &[], &[]), "always");
        assert_eq!(mode_of(Starts::AtBoot, &[], &[(Idle, true)]), "always", "brought up again at once");
        assert_eq!(mode_of(Starts::AtBoot, &[], &[(Schedule, true)]), "limited");
        assert_eq!(mode_of(Starts::OnTraffic, &[(Sustains, true)], &[(Idle, true)]), "always", "a keeper works against the idle timeout");
        assert_eq!(mode_of(Starts::OnTraffic, &[(Probes, true)], &[(Idle, true)]), "on_demand", "probes keep nothing up");
        assert_eq!(mode_of(Starts::OnTraffic, &[], &[]), "sticky");
        assert_eq!(mode_of(Starts::OnTraffic, &[], &[(Idle, false)]), "sticky");
        assert_eq!(mode_of(Starts::Never, &[(Sustains, true)], &[]), "responder");
        assert_eq!(mode_of(Starts::Manual, &[], &[]), "on_demand");
    }

    #[test]
    fn an_unknown_start_with_a_schedule_is_never_always() {
        let t = tunnel(Fact::unknown(Why::new(WhyCode::NotExported, "t")), &[], &[(EnderKind::Schedule, true)]);
        match mode(&t).0.value {
            Val::Among(modes, _) => assert!(modes.iter().all(|m| m != "always" && m != "sticky")),
            other => panic!("{other:?}"),
        }
    }
}
