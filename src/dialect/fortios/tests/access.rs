//! Tunnels and remote access.

use super::{complete, device, is_unverified, line, lines, listener};
use crate::ir::device::Device;
use crate::ir::fact::WhyCode;
use crate::ir::filter::AddrExpr;
use crate::ir::listener::{Limit, LimitStage};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{EnderKind, FactorKind, KeeperForce, Starts, TunnelAuth, TunnelRole};

const BASE: &str = "config system interface\nedit \"wan1\"\nset role wan\nnext\nedit \"internal\"\nnext\nedit \"site\"\nset type tunnel\nset ip 10.255.0.1 255.255.255.255\nset remote-ip 10.255.0.2 255.255.255.252\nset interface \"wan1\"\nnext\nend\n";

fn tunnel(phase1: &str, phase2: &str, more: &str) -> (String, Device) {
    let policy = "config firewall policy\nedit 1\nset srcintf \"site\"\nset dstintf \"internal\"\nset srcaddr \"all\"\nset dstaddr \"all\"\nset service \"ALL\"\nset schedule \"always\"\nset action accept\nnext\nend\n";
    let text = complete(
        "7.4.4",
        &format!(
            "{BASE}config vpn ipsec phase1-interface\nedit \"site\"\nset interface \"wan1\"\nset remote-gw 198.51.100.9\nset psksecret ENC KANARI\n{phase1}next\nend\n\
config vpn ipsec phase2-interface\nedit \"site\"\nset phase1name \"site\"\n{phase2}next\nend\n{}{more}",
            if more.contains("config firewall policy\n") { "" } else { policy }
        ),
    );
    let device = device(&text);
    (text, device)
}

#[test]
fn a_tunnel_starts_on_traffic_unless_phase_2_negotiates_by_itself() {
    let (_, d) = tunnel("set keepalive 10\nset auto-negotiate enable\n", "", "");
    let t = &d.tunnels.items[0];
    assert_eq!(t.starts.get(), Some(&Starts::OnTraffic), "phase 1 has the words for other things");
    assert!(t.live.value().value.is_true() && t.keepers.iter().all(|k| k.force == KeeperForce::Probes || k.live.value.is_false()));
    let (text, d) = tunnel("", "set auto-negotiate enable\nset keepalive enable\n", "");
    let t = &d.tunnels.items[0];
    assert_eq!(t.starts.get(), Some(&Starts::AtBoot));
    assert_eq!(lines(&text, &t.starts), ["set auto-negotiate enable"]);
    assert!(t.keepers.iter().any(|k| k.force == KeeperForce::Forces && k.live.value.is_true()));
    let (_, d) = tunnel("set passive-mode enable\n", "set auto-negotiate enable\n", "");
    assert_eq!(d.tunnels.items[0].starts.get(), Some(&Starts::Never));
}

#[test]
fn what_sends_traffic_through_it_keeps_it_up() {
    let monitor = "config system link-monitor\nedit \"1\"\nset srcintf \"site\"\nset server \"10.9.0.1\"\nnext\nend\n\
config router bgp\nconfig neighbor\nedit \"10.255.0.2\"\nset remote-as 65001\nnext\nend\nend\n\
config system sdwan\nset status enable\nconfig members\nedit 3\nset interface \"site\"\nnext\nend\nconfig health-check\nedit \"x\"\nset members 3\nnext\nend\nend\n";
    let (_, d) = tunnel("", "", monitor);
    let codes: Vec<&str> =
        d.tunnels.items[0].keepers.iter().filter(|k| k.force == KeeperForce::Sustains && k.live.value.is_true()).map(|k| k.code).collect();
    assert_eq!(codes, ["keeper.health_check", "keeper.link_monitor", "keeper.routing_neighbour"]);
    assert!(!d.interfaces[2].signs.iter().any(|s| s.code == "sign.sdwan_member"), "an overlay is no line to the Internet");
}

#[test]
fn idle_times_and_schedules_of_all_policies_end_it() {
    let (_, d) = tunnel("set idle-timeout enable\n", "", "");
    assert!(d.tunnels.items[0].enders.items.iter().any(|e| e.kind == EnderKind::Idle && e.live.value.is_true()));
    let timed = "config firewall schedule recurring\nedit \"day\"\nset day monday\nset start 09:00\nset end 17:00\nnext\nend\n\
config firewall policy\nedit 1\nset srcintf \"site\"\nset dstintf \"internal\"\nset schedule \"day\"\nset action accept\nnext\nend\n";
    let (_, d) = tunnel("", "", timed);
    assert!(d.tunnels.items[0].enders.items.iter().any(|e| e.kind == EnderKind::PolicySchedule));
    let both = timed.replace("set action accept\nnext\n", "set action accept\nnext\nedit 2\nset srcintf \"internal\"\nset dstintf \"site\"\nset schedule \"always\"\nset action accept\nnext\n");
    let (_, d) = tunnel("", "", &both);
    assert!(
        !d.tunnels.items[0].enders.items.iter().any(|e| e.kind == EnderKind::PolicySchedule),
        "one policy without schedule keeps it open"
    );
}

#[test]
fn a_tunnel_no_policy_names_may_or_may_not_live() {
    let (_, d) =
        tunnel("", "", "config firewall policy\nedit 1\nset srcintf \"internal\"\nset dstintf \"wan1\"\nset action accept\nnext\nend\n");
    let live = d.tunnels.items[0].live.value();
    assert_eq!(live.value.why().map(|w| w.code()), Some(WhyCode::Ambiguous));
    assert_eq!(listener(&d, "ike").live.value().value.tri(), None);
}

#[test]
fn aggressive_mode_counts_with_version_1_and_a_shared_key() {
    let aggressive = |phase1: &str| tunnel(phase1, "", "").1.tunnels.items[0].aggressive_psk.value.tri();
    assert_eq!(aggressive("set mode aggressive\n"), Some(true));
    assert_eq!(aggressive("set mode aggressive\nset ike-version 2\n"), Some(false));
    assert_eq!(aggressive("set mode aggressive\nset authmethod signature\n"), Some(false));
    assert_eq!(aggressive(""), Some(false));
}

#[test]
fn weak_algorithms_of_both_phases_are_collected() {
    let (_, d) = tunnel("set proposal 3des-sha1\nset dhgrp 2\n", "set proposal aes128-md5\nset pfs disable\nset dhgrp 1\n", "");
    let crypto = d.tunnels.items[0].crypto.clone().expect("crypto");
    assert_eq!(crypto.offered.get().expect("known"), &["3des", "md5", "sha1_integ", "dh2"]);
    assert!(crypto.pfs.value.is_false() && !is_unverified(&crypto.offered.origin));
    let (_, d) = tunnel("set proposal aes256-sha256\nset dhgrp 20\n", "set proposal aes256gcm\nset dhgrp 20\n", "");
    assert!(d.tunnels.items[0].crypto.clone().expect("crypto").offered.get().expect("known").is_empty());
    let (_, d) = tunnel("", "", "");
    assert!(is_unverified(&d.tunnels.items[0].crypto.clone().expect("crypto").offered.origin));
}

#[test]
fn selectors_default_to_everything() {
    let (_, d) = tunnel("", "", "");
    assert!(matches!(d.tunnels.items[0].remote_nets.get(), Some(AddrExpr::AnyV4)));
    let (_, d) = tunnel("", "set dst-subnet 10.9.0.0 255.255.255.0\n", "");
    assert!(matches!(d.tunnels.items[0].remote_nets.get(), Some(AddrExpr::Range(..))));
}

#[test]
fn peers_that_dial_in_are_sites_or_users() {
    let (_, d) = tunnel("set type dynamic\n", "", "");
    let t = &d.tunnels.items[0];
    assert_eq!((t.role.get(), t.starts.get()), (Some(&TunnelRole::HubForDialin), Some(&Starts::Never)));
    assert!(matches!(t.peer.addresses.get(), Some(AddrExpr::Any)));
    assert!(listener(&d, "ike").peers_fixed.as_ref().is_some_and(|f| f.value.is_false()));
    let users = "config user local\nedit \"hana\"\nset type password\nset passwd ENC KANARI\nnext\nedit \"ken\"\nset type password\nset two-factor fortitoken\nset passwd ENC KANARI\nnext\nend\n\
config user radius\nedit \"nps\"\nset server \"192.168.1.5\"\nset secret ENC KANARI\nnext\nend\nconfig user group\nedit \"vpn\"\nset member \"hana\" \"ken\" \"nps\"\nnext\nend\n";
    let (text, d) = tunnel("set type dynamic\nset mode aggressive\nset xauthtype auto\nset authusrgrp \"vpn\"\n", "", users);
    assert!(d.tunnels.items.is_empty());
    let ra = &d.remote_access.items[0];
    assert_eq!((ra.kind, ra.idle_s.get(), ra.aggressive_psk.value.tri()), ("ikev1_xauth", Some(&NEVER), Some(true)));
    assert_eq!(ra.listeners.len(), 2);
    let second: Vec<(&str, Option<bool>)> = ra
        .paths
        .items
        .iter()
        .map(|p| (p.principal.as_str(), p.factors.iter().find(|f| f.kind == FactorKind::OneTime).and_then(|f| f.required.value.tri())))
        .collect();
    assert_eq!(second, [("hana", Some(false)), ("ken", Some(true)), ("nps", None)]);
    assert!(ra.paths.items.iter().all(|p| p.factors.iter().any(|f| f.kind == FactorKind::GroupSecret)));
    assert_eq!(line(&text, ra.paths.items[0].span), "edit \"hana\"");
    assert!(ra.paths.items[0].account.is_some());
}

#[test]
fn certificates_beside_passwords_make_one_path() {
    let users = "config user local\nedit \"hana\"\nset type password\nset passwd ENC KANARI\nnext\nend\nconfig user group\nedit \"vpn\"\nset member \"hana\"\nnext\nend\n";
    let (_, d) = tunnel(
        "set type dynamic\nset ike-version 2\nset eap enable\nset authmethod signature\nset authusrgrp \"vpn\"\nset eap-cert-auth enable\n",
        "",
        users,
    );
    let ra = &d.remote_access.items[0];
    assert_eq!(ra.kind, "ikev2");
    assert!(ra.paths.items[0].factors.iter().any(|f| f.kind == FactorKind::ClientCert && f.required.value.is_true()));
    let (_, d) =
        tunnel("set type dynamic\nset ike-version 2\nset eap enable\nset authmethod signature\nset authusrgrp \"vpn\"\n", "", users);
    assert!(
        d.remote_access.items[0].paths.items[0].factors.iter().any(|f| f.kind == FactorKind::ClientCert && f.required.value.is_false()),
        "the box's own certificate is none of the user's"
    );
}

#[test]
fn a_tunnel_between_sites_proves_itself_by_key_or_certificate() {
    let auth = |phase1: &str| tunnel(phase1, "", "").1.tunnels.items[0].auth.get().cloned().expect("known");
    assert_eq!(auth(""), [TunnelAuth::GroupPsk]);
    assert_eq!(auth("set authmethod signature\n"), [TunnelAuth::ClientCert]);
}

fn ssl(version: &str, settings: &str, policy: bool) -> (String, Device) {
    let policy = if policy {
        "config firewall policy\nedit 1\nset srcintf \"ssl.root\"\nset dstintf \"internal\"\nset srcaddr \"all\"\nset dstaddr \"all\"\nset service \"ALL\"\nset schedule \"always\"\nset groups \"vpn\"\nset action accept\nnext\nend\n"
    } else {
        ""
    };
    let text = complete(
        version,
        &format!(
            "{BASE}config firewall address\nedit \"office\"\nset subnet 198.51.100.0 255.255.255.0\nnext\nend\n\
config user local\nedit \"hana\"\nset type password\nset passwd ENC KANARI\nnext\nedit \"ken\"\nset type ldap\nset ldap-server \"ad\"\nset two-factor email\nnext\nend\n\
config user ldap\nedit \"ad\"\nset server \"192.168.1.5\"\nset password ENC KANARI\nnext\nend\n\
config user group\nedit \"vpn\"\nset member \"hana\" \"ken\" \"ad\"\nnext\nend\n\
config vpn ssl web portal\nedit \"full\"\nset tunnel-mode enable\nnext\nend\nconfig vpn ssl settings\n{settings}end\n{policy}"
        ),
    );
    let device = device(&text);
    (text, device)
}

#[test]
fn the_web_vpn_of_the_factory_listens_nowhere() {
    let (_, d) = ssl("6.4.4", "set servercert \"self-sign\"\nset port 443\n", false);
    assert!(listener(&d, "ssl_vpn").live.value().value.is_false());
    assert!(!is_unverified(&listener(&d, "ssl_vpn").live.value().origin));
}

#[test]
fn without_a_policy_the_web_vpn_may_or_may_not_answer() {
    let (_, d) = ssl("7.0.12", "set source-interface \"wan1\"\n", false);
    assert_eq!(listener(&d, "ssl_vpn").live.value().value.why().map(|w| w.code()), Some(WhyCode::Ambiguous));
    let (_, d) = ssl("7.0.12", "set source-interface \"wan1\"\n", true);
    assert!(listener(&d, "ssl_vpn").live.value().value.is_true());
    let (_, d) = ssl("7.0.12", "set status disable\nset source-interface \"wan1\"\n", true);
    assert!(listener(&d, "ssl_vpn").live.value().value.is_false());
}

#[test]
fn sources_of_the_web_vpn_limit_the_connection() {
    let (_, d) = ssl("7.0.12", "set source-interface \"wan1\"\nset source-address \"office\"\n", true);
    let Limit::Sources { stage, admits } = &listener(&d, "ssl_vpn").limits else { panic!("limit") };
    assert_eq!(*stage, LimitStage::Connect);
    assert!(
        matches!(admits.get(), Some(AddrExpr::Union(parts)) if matches!(parts[0], AddrExpr::Object(_)) && matches!(parts[1], AddrExpr::AnyV6))
    );
    let (_, d) = ssl("7.0.12", "set source-interface \"wan1\"\n", true);
    assert!(matches!(listener(&d, "ssl_vpn").limits, Limit::None(_)));
}

#[test]
fn every_member_of_a_group_is_a_way_in() {
    let rule = "set source-interface \"wan1\"\nset default-portal \"full\"\nconfig authentication-rule\nedit 1\nset groups \"vpn\"\nset portal \"full\"\nnext\nend\n";
    let (_, d) = ssl("7.0.12", rule, true);
    let ra = &d.remote_access.items[0];
    let need = |kind: FactorKind| {
        ra.paths.items.iter().map(|p| p.factors.iter().find(|f| f.kind == kind).and_then(|f| f.required.value.tri())).collect::<Vec<_>>()
    };
    assert_eq!(need(FactorKind::Password), [Some(true), Some(true), Some(true)]);
    assert_eq!(need(FactorKind::OneTime), [Some(false), Some(true), Some(false)], "a directory never asks for a second factor");
    assert_eq!(need(FactorKind::ClientCert), [Some(false), Some(false), Some(false)]);
    assert_eq!((ra.idle_s.get(), ra.session_s.get(), ra.concurrent.get()), (Some(&300), Some(&28_800), Some(&NEVER)));
    assert!(d.accounts.items.iter().all(|a| a.used.value.is_true()));
    let (_, d) = ssl("7.0.12", &format!("set force-two-factor-auth enable\nset reqclientcert enable\n{rule}"), true);
    let ra = &d.remote_access.items[0];
    assert!(ra.paths.items.iter().all(|p| p.factors.iter().filter(|f| f.kind != FactorKind::Password).all(|f| f.required.value.is_true())));
}

#[test]
fn whoever_a_policy_admits_comes_in_by_the_default_portal() {
    let (_, d) = ssl("7.0.12", "set source-interface \"wan1\"\nset default-portal \"full\"\n", true);
    assert_eq!(d.remote_access.items[0].paths.items.len(), 3);
}

#[test]
fn never_ending_times_and_attempts_are_read_as_such() {
    let (_, d) = ssl("7.0.12", "set source-interface \"wan1\"\nset idle-timeout 0\nset auth-timeout 0\nset login-attempt-limit 0\n", true);
    let ra = &d.remote_access.items[0];
    assert_eq!((ra.idle_s.get(), ra.session_s.get()), (Some(&NEVER), Some(&NEVER)));
    let policy = d.login_policies.items.iter().find(|p| p.name == "SSL-VPN").expect("policy");
    assert_eq!((policy.lockout_on.value.tri(), policy.lockout_attempts.get()), (Some(false), Some(&NEVER)));
}

#[test]
fn tunnels_of_the_web_vpn_are_gone_in_late_releases() {
    let (_, d) = ssl("7.6.3", "set source-interface \"wan1\"\n", true);
    assert!(listener(&d, "ssl_vpn").live.value().value.is_false());
    let (text, _) = ssl("7.6.3", "set source-interface \"wan1\"\n", true);
    let web = device(&text.replace("config system global\nend\n", "config system global\nset sslvpn-web-mode enable\nend\n"));
    assert!(listener(&web, "ssl_vpn").live.value().value.is_true());
    assert_eq!(web.remote_access.items[0].kind, "web_portal");
}

#[test]
fn old_protocols_for_dialling_in_are_services() {
    let body = format!(
        "{BASE}config user group\nedit \"g\"\nset member \"x\"\nnext\nend\nconfig vpn pptp\nset status enable\nset usrgrp \"g\"\nset sip 10.1.1.1\nset eip 10.1.1.9\nend\nconfig vpn l2tp\nend\n"
    );
    let d = device(&complete("5.06", &body));
    assert_eq!(d.remote_access.items.iter().map(|r| (r.kind, r.live.value().value.tri())).collect::<Vec<_>>(), [("pptp", Some(true))]);
    assert!(listener(&d, "pptp").bindings[0].on.is_none());
}

#[test]
fn users_and_sites_that_dial_in_arrive_on_interfaces_of_their_own_kind() {
    use crate::ir::interface::InterfaceKind;
    let kind = |phase1: &str| tunnel(phase1, "", "").1.interfaces[2].kind;
    assert_eq!(kind("set type dynamic\nset xauthtype auto\n"), InterfaceKind::RemoteAccess);
    assert_eq!(kind("set type dynamic\n"), InterfaceKind::Tunnel);
    assert_eq!(kind(""), InterfaceKind::Tunnel);
}

#[test]
fn a_certificate_of_a_site_is_no_user() {
    use crate::ir::account::{AccountKind, Factory};
    let users = "config user peer\nedit \"lab\"\nset cn \"vpn.example.jp\"\nnext\nedit \"hana\"\nset cn \"hana\"\nnext\nend\n\
config user local\nedit \"guest\"\nset type password\nset passwd ENC KANARI\nnext\nend\n";
    let (_, d) = tunnel("set authmethod signature\nset peertype peer\nset peer \"lab\"\n", "", users);
    let kinds: Vec<(&str, AccountKind)> = d.accounts.items.iter().map(|a| (a.name.as_str(), a.kind)).collect();
    assert_eq!(kinds, [("guest", AccountKind::VpnUser), ("lab", AccountKind::DevicePeer), ("hana", AccountKind::VpnUser)]);
    assert_eq!(d.accounts.items[0].factory.get(), Some(&Factory::Name));
}
