//! Tunnels and remote access.

use super::*;
use crate::ir::tunnel::{EnderKind, FactorKind, KeeperForce, Starts, TunnelRole};

fn vpn(more: &str) -> (String, Device) {
    whole(&format!(
        "{ZONES}set security zones security-zone vpn interfaces st0.0\nset interfaces st0 unit 0 family inet address 10.255.0.1/30\n\
set security ike policy P pre-shared-key ascii-text \"KANARI\"\nset security ike gateway G ike-policy P\nset security ike gateway G external-interface ge-0/0/0.0\n\
set security ipsec vpn V bind-interface st0.0\nset security ipsec vpn V ike gateway G\n{more}"
    ))
}

const FIXED: &str = "set security ike gateway G address 198.51.100.9\n";

#[test]
fn who_brings_a_tunnel_up() {
    let starts = |more: &str| {
        let (_, d) = vpn(&format!("{FIXED}{more}"));
        known(&d.tunnels.items[0].starts)
    };
    assert_eq!(starts("set security ipsec vpn V establish-tunnels immediately\n"), Some(Starts::AtBoot));
    assert_eq!(starts("set security ipsec vpn V establish-tunnels responder-only\n"), Some(Starts::Never));
    assert_eq!(starts(""), Some(Starts::OnTraffic));
    let (_, d) = vpn("set security ike gateway G dynamic hostname branch\n");
    assert_eq!(known(&d.tunnels.items[0].starts), Some(Starts::Never));
    assert_eq!(known(&d.tunnels.items[0].role), Some(TunnelRole::HubForDialin));
    assert_eq!(d.tunnels.items[0].peer.text, "branch");
}

#[test]
fn what_keeps_and_what_ends() {
    let (text, d) = vpn(&format!(
        "{FIXED}set security ipsec vpn V vpn-monitor optimized\nset security ike gateway G dead-peer-detection always-send\nset security ipsec vpn V ike idle-time 900\nset protocols ospf area 0.0.0.0 interface st0.0\n"
    ));
    let tunnel = &d.tunnels.items[0];
    let keepers: Vec<_> = tunnel.keepers.iter().map(|k| (k.code, k.force)).collect();
    assert_eq!(
        keepers,
        [
            ("keeper.vpn_monitor", KeeperForce::Sustains),
            ("keeper.dpd", KeeperForce::Probes),
            ("keeper.routing_neighbour", KeeperForce::Sustains)
        ]
    );
    assert_eq!(tunnel.enders.items[0].kind, EnderKind::Idle);
    assert_eq!(lines(&text, &tunnel.enders.items[0].live.origin), ["set security ipsec vpn V ike idle-time 900"]);
    assert_eq!(bound(&d, "ike"), [] as [&str; 0], "the zone lets no key exchange in");
}

#[test]
fn aggressive_mode_counts_for_version_one_with_a_shared_key() {
    let aggressive = |more: &str| {
        let (_, d) = vpn(&format!("{FIXED}{more}"));
        d.tunnels.items[0].aggressive_psk.value.tri()
    };
    assert_eq!(aggressive("set security ike policy P mode aggressive\n"), Some(true));
    assert_eq!(aggressive("set security ike policy P mode aggressive\nset security ike gateway G version v2-only\n"), Some(false));
    assert_eq!(aggressive(""), Some(false));
}

#[test]
fn weak_algorithms_are_found_and_their_absence_needs_all_lines() {
    let crypto = |more: &str| {
        let (_, d) = vpn(&format!("{FIXED}{more}"));
        d.tunnels.items[0].crypto.clone().expect("crypto").offered.get().cloned()
    };
    let proposal = "set security ike policy P proposals Q\nset security ike proposal Q encryption-algorithm 3des-cbc\nset security ike proposal Q dh-group group2\n";
    assert_eq!(crypto(proposal), Some(vec!["3des", "dh2"]));
    assert_eq!(crypto(""), None, "no proposal is shown");
    assert!(crypto("set security ike policy P proposal-set basic\n").is_some_and(|w| w.contains(&"des")));
}

#[test]
fn users_of_a_profile_are_ways_in_and_servers_may_ask_for_more() {
    let users = "set security ike gateway G dynamic hostname d\nset security ike gateway G aaa access-profile A\nset access profile A client sato firewall-user password \"KANARI1\"\nset access profile A authentication-order radius\n";
    let (_, d) = vpn(users);
    assert!(d.tunnels.items.is_empty());
    let access = &d.remote_access.items[0];
    let paths: Vec<_> = access.paths.iter().map(|p| (p.principal.as_str(), p.factors.iter().map(|f| f.kind).collect::<Vec<_>>())).collect();
    assert_eq!(paths[0], ("sato", vec![FactorKind::Password, FactorKind::GroupSecret]));
    assert_eq!(paths[1], ("radius", vec![FactorKind::Password, FactorKind::GroupSecret, FactorKind::OneTime]));
    assert!(access.paths.items[1].factors[2].required.value.tri().is_none());
}

#[test]
fn a_vpn_by_policy_lives_where_a_policy_names_it() {
    let by_policy = |more: &str| {
        let text = format!(
            "{HEAD}{ZONES}set security ike policy P pre-shared-key ascii-text \"KANARI\"\nset security ike gateway G ike-policy P\n{FIXED}set security ipsec vpn V ike gateway G\n{more}"
        );
        device(&text).tunnels.items[0].live.value().value.tri()
    };
    assert_eq!(by_policy(""), Some(false));
    assert_eq!(by_policy("set security policies from-zone trust to-zone untrust policy X then permit tunnel ipsec-vpn V\n"), Some(true));
}
