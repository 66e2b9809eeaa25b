use super::*;
use crate::ir::account::{AccountKind, Direction, SecretUse, Storage};
use crate::ir::filter::AddrExpr;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{EnderKind, FactorKind, KeeperForce, Starts, TunnelAuth, TunnelRole};

const SITE: &str = "ip route default gateway pp 1\nip route 10.1.0.0/16 gateway tunnel 1\npp select 1\n pppoe use lan2\n pp enable 1\ntunnel select 1\n ipsec tunnel 101\n  ipsec sa policy 101 1 esp aes-cbc sha-hmac\n tunnel enable 1\nipsec ike remote address 1 203.0.113.9\nipsec ike pre-shared-key 1 text KANARI\n";

fn site(more: &str) -> Device {
    device(&format!("{HEAD}{SITE}{more}"))
}

#[test]
fn refresh_and_a_fixed_peer_make_a_tunnel_start_by_itself() {
    let d = site("ipsec auto refresh on\n");
    let t = &d.tunnels.items[0];
    assert_eq!(t.starts.get(), Some(&Starts::AtBoot));
    assert_eq!(t.keepers.iter().map(|k| (k.code, k.force)).collect::<Vec<_>>(), [("keeper.auto_refresh", KeeperForce::Forces)]);
    assert!(t.enders.items.is_empty());
    assert_eq!(t.outer, [d.interface("pp 1").expect("pp")]);
    assert!(matches!(t.remote_nets.get(), Some(AddrExpr::Union(v)) if v.len() == 1));
    assert_eq!(t.auth.get(), Some(&vec![TunnelAuth::GroupPsk]));
}

#[test]
fn without_refresh_for_any_peer_or_switched_off_it_only_answers() {
    for more in [
        "",
        "ipsec auto refresh on\nipsec auto refresh 1 off\n",
        "ipsec auto refresh on\nipsec ike remote address 1 any\nipsec ike keepalive use 1 on\n",
    ] {
        let d = site(more);
        assert_eq!(d.tunnels.items[0].starts.get(), Some(&Starts::Never), "{more}");
        assert!(d.tunnels.items[0].keepers.iter().all(|k| k.force == KeeperForce::Probes), "{more}");
    }
}

#[test]
fn keepalive_makes_it_negotiate_for_ever_and_auto_does_not() {
    let keepers = |line: &str| {
        let d = site(&format!("ipsec auto refresh on\n{line}\n"));
        d.tunnels.items[0].keepers.iter().skip(1).map(|k| (k.code, k.force, k.live.value.tri())).collect::<Vec<_>>()
    };
    assert_eq!(keepers("ipsec ike keepalive use 1 on dpd 10 3"), [("keeper.ike_keepalive", KeeperForce::Forces, Some(true))]);
    assert_eq!(keepers("ipsec ike keepalive use 1 auto heartbeat 10 6"), [("keeper.ike_keepalive", KeeperForce::Forces, Some(false))]);
    assert_eq!(
        keepers("ipsec ike keepalive use 1 on icmp-echo 10.1.0.1"),
        [("keeper.ike_echo_keepalive", KeeperForce::Sustains, Some(true))]
    );
    assert_eq!(keepers("ipsec ike always-on 1 on"), [("keeper.ike_always_on", KeeperForce::Forces, Some(true))]);
}

#[test]
fn a_schedule_ends_a_tunnel_and_may_be_what_switches_it_on() {
    let text = format!(
        "{HEAD}{SITE}tunnel disable 1\nipsec auto refresh on\nschedule at 1 */mon-fri 09:00 * tunnel enable 1\nschedule at 2 */mon-fri 18:00 * tunnel disable 1\n"
    );
    let d = device(&text);
    let t = &d.tunnels.items[0];
    assert!(t.live.value().value.is_true());
    assert_eq!(lines(&text, &t.live.own.origin), ["tunnel disable 1", "schedule at 1 */mon-fri 09:00 * tunnel enable 1"]);
    assert_eq!(t.enders.items.iter().map(|e| (e.kind, e.live.value.tri())).collect::<Vec<_>>(), [(EnderKind::Schedule, Some(true))]);
}

#[test]
fn names_mean_aggressive_mode_under_version_one_only() {
    assert!(site("ipsec ike local name 1 a\n").tunnels.items[0].aggressive_psk.value.is_true());
    assert!(site("ipsec ike remote name 1 b key-id\n").tunnels.items[0].aggressive_psk.value.is_true());
    assert!(site("ipsec ike local name 1 a\nipsec ike version 1 2\n").tunnels.items[0].aggressive_psk.value.is_false());
    assert!(site("").tunnels.items[0].aggressive_psk.value.is_false());
}

#[test]
fn lines_are_wishes_unless_strict() {
    let strong = "ipsec ike encryption 1 aes256-cbc\nipsec ike hash 1 sha256\nipsec ike group 1 modp2048\nipsec ike pfs 1 on\nipsec sa policy 101 1 esp aes256-cbc sha256-hmac\n";
    let weak = |more: &str| {
        let d = site(more);
        let c = d.tunnels.items[0].crypto.clone().expect("crypto");
        (c.offered.get().cloned().unwrap_or_default(), c.accepted.and_then(|a| a.get().cloned()), c.pfs.value.tri())
    };
    assert_eq!(weak("").0, ["3des", "dh2", "sha1_integ"], "defaults of absent lines");
    let (offered, accepted, pfs) = weak(strong);
    assert_eq!((offered.len(), pfs), (0, Some(true)));
    assert!(accepted.is_some_and(|a| a.contains(&"des") && a.contains(&"dh1")), "a responder takes all it knows");
    assert_eq!(weak(&format!("{strong}ipsec ike negotiate-strictly 1 on\n")).1, None);
    assert!(weak(&format!("{strong}ipsec ike version 1 2\n")).0.contains(&"des"), "version 2 offers all");
    assert!(weak(&format!("{strong}ipsec ike version 1 2\nipsec ike proposal-limitation 1 on\n")).0.is_empty());
}

#[test]
fn ethernet_over_l2tp_is_always_on_and_its_missing_secret_is_the_model() {
    let text = format!(
        "{HEAD}ip route default gateway pp 1\npp select 1\n pppoe use lan2\n pp enable 1\ntunnel select 1\n tunnel encapsulation l2tpv3\n tunnel endpoint address 192.168.1.1 203.0.113.8\n l2tp tunnel auth on\n tunnel enable 1\nl2tp service on l2tpv3\n"
    );
    let d = device(&text);
    let t = &d.tunnels.items[0];
    assert!(t.layer2 && t.kind == "l2tpv3" && t.encrypted.value.is_false());
    assert_eq!(t.starts.get(), Some(&Starts::AtBoot), "`l2tp always-on` is on by default");
    assert_eq!(t.enders.items.iter().map(|e| (e.kind, e.live.value.tri())).collect::<Vec<_>>(), [(EnderKind::Idle, Some(true))]);
    assert_eq!(d.secrets.iter().find(|s| s.used_for == SecretUse::L2tpPsk).map(|s| s.value.expose()), Some("RTX830"));
    let off = device(&text.replace("l2tp service on l2tpv3", "l2tp service on l2tp"));
    assert!(off.tunnels.items[0].live.value().value.is_false(), "the version that runs is another");
}

#[test]
fn ip_in_ip_between_sites_proves_nothing_and_the_line_is_no_tunnel_between_sites() {
    let d = device(include_str!("../../../../corpus/yamaha-rtx/odd-closed-network-nvr510.txt"));
    let roles: Vec<_> = d.tunnels.iter().map(|t| (t.role.get().copied(), t.auth.get().cloned(), t.live.value().value.tri())).collect();
    assert_eq!(
        roles,
        [
            (Some(TunnelRole::SiteToSite), Some(vec![TunnelAuth::None]), Some(true)),
            (Some(TunnelRole::SiteToSite), Some(vec![TunnelAuth::None]), Some(false))
        ]
    );
    let line = device(include_str!("../../../../corpus/yamaha-rtx/good-dslite-rtx1220.txt"));
    assert_eq!(line.tunnels.items[0].role.get(), Some(&TunnelRole::Carrier));
}

const USERS: &str = "ip route default gateway pp 1\nip lan1 address 192.168.1.1/24\npp select 1\n pppoe use lan2\n pp auth myname u@isp.example KANARI-isp\n pp enable 1\npp select anonymous\n pp bind tunnel1\n pp auth request mschap-v2\n pp auth username hana KANARI-h\n ip pp remote address pool 192.168.1.200-192.168.1.209\n pp enable anonymous\ntunnel select 1\n tunnel encapsulation l2tp\n ipsec tunnel 1\n  ipsec sa policy 1 1 esp aes-cbc sha-hmac\n  ipsec ike pre-shared-key 1 text KANARI-g\n  ipsec ike remote address 1 any\n tunnel enable 1\nl2tp service on\n";

#[test]
fn users_of_l2tp_give_a_password_and_the_groups_secret() {
    let text = format!("{HEAD}{USERS}");
    let d = device(&text);
    let ra = &d.remote_access.items[0];
    assert_eq!(
        (ra.kind, ra.live.value().value.tri(), ra.idle_s.get().copied(), ra.session_s.get().copied()),
        ("l2tp_ipsec", Some(true), Some(60), Some(NEVER))
    );
    assert_eq!(ra.interface, d.interface("pp anonymous"));
    assert_eq!(ra.outer, [d.interface("pp 1").expect("pp")]);
    assert!(d.interface("tunnel 1").is_none(), "users arrive on the peer, not on the tunnel");
    let path = &ra.paths.items[0];
    assert_eq!(
        (path.principal.as_str(), path.factors.iter().map(|f| f.kind).collect::<Vec<_>>()),
        ("hana", vec![FactorKind::Password, FactorKind::GroupSecret])
    );
    assert_eq!(ra.listeners.len(), 3);
    let shared = |d: &Device| d.accounts.iter().find(|a| a.name == "hana").and_then(|a| a.shared_signs.value.tri());
    assert_eq!(shared(&d), Some(true), "several sessions of one name are allowed by default");
    let alone = device(&text.replace(" pp auth request", " pp auth multi connect prohibit on\n pp auth request"));
    assert_eq!(shared(&alone), Some(false));
    let outbound = d.secrets.iter().find(|s| s.used_for == SecretUse::IspLogin).expect("isp");
    assert_eq!(outbound.direction, Direction::Presents);
}

#[test]
fn an_idle_timeout_switched_off_is_never_and_the_longest_counts() {
    let off = device(&format!("{HEAD}{}", USERS.replace(" tunnel enable 1", " l2tp tunnel disconnect time off\n tunnel enable 1")));
    assert_eq!(off.remote_access.items[0].idle_s.get(), Some(&NEVER));
    let two = USERS.replace("pp bind tunnel1", "pp bind tunnel1-tunnel2")
        + "tunnel select 2\n tunnel encapsulation l2tp\n ipsec tunnel 2\n  ipsec sa policy 2 2 esp aes-cbc\n l2tp tunnel disconnect time 1800\n tunnel enable 2\n";
    assert_eq!(device(&format!("{HEAD}{two}")).remote_access.items[0].idle_s.get(), Some(&1800));
}

#[test]
fn a_switch_or_a_service_that_is_off_makes_remote_access_dead() {
    for (line, without) in [
        ("pp enable anonymous", ""),
        ("l2tp service on", ""),
        (" tunnel enable 1", " tunnel disable 1"),
        ("l2tp service on", "l2tp service on l2tpv3"),
    ] {
        let d = device(&format!("{HEAD}{}", USERS.replace(line, without)));
        assert!(d.remote_access.items[0].live.value().value.is_false(), "{line} -> {without}");
    }
}

#[test]
fn the_vendors_script_is_a_second_factor_for_those_with_a_seed() {
    let d = device(include_str!("../../../../corpus/yamaha-rtx/odd-otp-lua-rtx1220.txt"));
    let paths = &d.remote_access.items[0].paths.items;
    let second = |name: &str| {
        paths
            .iter()
            .find(|p| p.principal == name)
            .map(|p| p.factors.iter().any(|f| f.kind == FactorKind::OneTime && f.required.value.is_true()))
    };
    assert_eq!((second("taro"), second("jiro")), (Some(true), Some(false)));
    assert!(d.secrets.iter().any(|s| s.used_for == SecretUse::TotpSeed && matches!(s.storage, Storage::Clear)));
    let site = d.tunnels.items.iter().find(|t| t.name == "tunnel 3").expect("tunnel 3");
    assert!(site.live.value().value.is_true(), "a schedule switches it on");
}

#[test]
fn a_template_makes_tunnels_of_one_group_and_quotes_guard_a_secret() {
    let d = device(include_str!("../../../../corpus/yamaha-rtx/odd-tftp-no-header.txt"));
    assert_eq!(d.remote_access.items.len(), 1);
    let ra = &d.remote_access.items[0];
    assert_eq!((ra.idle_s.get(), ra.concurrent.get()), (Some(&900), Some(&1)));
    assert_eq!(ra.paths.iter().map(|p| p.principal.as_str()).collect::<Vec<_>>(), ["ishi", "jimu"], "the third was taken back");
    let psk: Vec<_> = d.secrets.iter().filter(|s| s.used_for == SecretUse::IkePsk).map(|s| s.value.expose()).collect();
    assert_eq!(psk, ["KANARI 2 # 9wq"], "one secret for the whole template; the later line counts");
    assert!(d.nat.rules.iter().all(|r| r.name != "200/3"));
}

#[test]
fn clients_that_log_in_over_ike_are_remote_access() {
    let d = device(include_str!("../../../../corpus/yamaha-rtx/odd-xauth-rtx1500.txt"));
    assert!(d.tunnels.items.is_empty());
    let ra = &d.remote_access.items[0];
    assert_eq!((ra.kind, ra.aggressive_psk.value.tri()), ("ikev1_xauth", Some(true)));
    assert_eq!(ra.paths.iter().map(|p| p.principal.as_str()).collect::<Vec<_>>(), ["hanako"], "only the group's members");
    assert_eq!(d.accounts.iter().filter(|a| a.kind == AccountKind::OutboundClient).count(), 2);
}

#[test]
fn an_unasked_caller_is_let_in_by_the_group_secret_alone() {
    let d = device(&format!("{HEAD}{}", USERS.replace(" pp auth request mschap-v2\n", "")));
    let open = d.remote_access.items[0].paths.iter().find(|p| p.principal == "*").expect("path");
    assert_eq!(open.factors.iter().map(|f| f.kind).collect::<Vec<_>>(), [FactorKind::GroupSecret]);
    assert!(open.live.origin.rests_on_unverified_default());
}

#[test]
fn ike_answers_only_for_tunnels_that_use_it() {
    let none = device(&format!("{HEAD}ip lan1 address 192.168.1.1/24\n"));
    assert!(listener(&none, "ike").live.value().value.is_false());
    let d = site("");
    assert!(listener(&d, "esp").live.value().value.is_true());
    assert_eq!(listener(&d, "ike").peers_fixed.as_ref().and_then(|f| f.value.tri()), Some(true));
    assert_eq!(listener(&d, "ike").ports.get().map(|p| p[0].dst_ports.clone()), Some(vec![(500, 500)]));
    let floating = site("ipsec ike nat-traversal 1 on\n");
    assert_eq!(listener(&floating, "ike").ports.get().map(|p| p[0].dst_ports.len()), Some(2));
}
