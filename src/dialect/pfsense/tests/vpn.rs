//! Tunnels and remote access.

use super::*;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{FactorKind, KeeperForce, Starts, TunnelAuth, TunnelRole};

fn phase1(more: &str) -> String {
    format!(
        "<phase1>\n<ikeid>1</ikeid><interface>wan</interface><remote-gateway>198.51.100.7</remote-gateway><authentication_method>pre_shared_key</authentication_method>\n<pre-shared-key>KANARI</pre-shared-key>{more}</phase1>"
    )
}

fn phase2(more: &str) -> String {
    format!(
        "<phase2><ikeid>1</ikeid><remoteid><type>network</type><address>172.20.0.0</address><netbits>16</netbits></remoteid>{more}</phase2>"
    )
}

fn ipsec(first: &str, second: &str) -> Device {
    device(&export("", &format!("<ipsec>{}{}</ipsec>", phase1(first), phase2(second))))
}

#[test]
fn who_starts_a_tunnel() {
    let starts = |first: &str, second: &str| ipsec(first, second).tunnels.items[0].starts.get().copied();
    assert_eq!(starts("", "<mode>tunnel</mode>"), Some(Starts::OnTraffic));
    assert_eq!(starts("", "<mode>vti</mode>"), Some(Starts::AtBoot), "a routed tunnel cannot wait for traffic");
    assert_eq!(starts("<startaction>trap</startaction>", "<mode>vti</mode>"), Some(Starts::AtBoot));
    assert_eq!(starts("<startaction>none</startaction>", "<mode>vti</mode>"), Some(Starts::Never));
    assert_eq!(starts("<startaction>start</startaction>", "<mode>tunnel</mode>"), Some(Starts::AtBoot));
}

#[test]
fn a_ping_host_sustains_and_dead_peer_detection_only_asks() {
    let d = ipsec("<dpd_delay>10</dpd_delay><dpd_maxfail>5</dpd_maxfail>", "<pinghost>172.20.0.1</pinghost>");
    let forces: Vec<KeeperForce> = d.tunnels.items[0].keepers.iter().map(|k| k.force).collect();
    assert_eq!(forces, [KeeperForce::Sustains, KeeperForce::Probes]);
}

#[test]
fn a_tunnel_lives_by_its_switch_and_a_phase_2() {
    assert!(ipsec("", "").tunnels.items[0].live.value().value.is_true());
    assert!(ipsec("<disabled></disabled>", "").tunnels.items[0].live.value().value.is_false());
    assert!(ipsec("", "<disabled></disabled>").tunnels.items[0].live.value().value.is_false());
}

#[test]
fn aggressive_mode_counts_with_a_shared_key_and_version_1() {
    let aggressive = |more: &str| ipsec(more, "").tunnels.items[0].aggressive_psk.value.tri();
    assert_eq!(aggressive("<iketype>ikev1</iketype><mode>aggressive</mode>"), Some(true));
    assert_eq!(aggressive("<mode>aggressive</mode>"), Some(true), "no version written is version 1");
    assert_eq!(aggressive("<iketype>ikev2</iketype><mode>aggressive</mode>"), Some(false));
    assert_eq!(aggressive("<iketype>ikev1</iketype><mode>main</mode>"), Some(false));
}

#[test]
fn weak_algorithms_are_named_with_their_lines() {
    let first = "<encryption><item><encryption-algorithm>\n<name>3des</name></encryption-algorithm><hash-algorithm>md5</hash-algorithm><dhgroup>2</dhgroup></item></encryption>";
    let text = export(
        "",
        &format!(
            "<ipsec>{}{}</ipsec>",
            phase1(first),
            phase2(
                "<encryption-algorithm-option><name>aes256gcm</name></encryption-algorithm-option><hash-algorithm-option>hmac_sha1</hash-algorithm-option><pfsgroup>14</pfsgroup>"
            )
        ),
    );
    let d = device(&text);
    let crypto = d.tunnels.items[0].crypto.as_ref().expect("crypto");
    assert_eq!(crypto.offered.get(), Some(&vec!["3des", "dh2", "md5"]), "no hash beside a cipher that needs none");
    assert!(crypto.pfs.value.is_true());
    assert!(lines(&text, &crypto.offered)[0].starts_with("<name>3des"));
}

#[test]
fn the_product_passes_ipsec_peers_unless_told_not_to() {
    let body = format!("<ipsec>{}{}</ipsec>", phase1(""), phase2(""));
    assert!(labels(&device(&export("", &body))).contains(&"IPsec: 198.51.100.7"));
    assert!(!labels(&device(&export("<disablevpnrules/>", &body))).contains(&"IPsec: 198.51.100.7"));
    assert!(!labels(&device(&export("", &body.replace("</phase1>", "<disabled/></phase1>")))).contains(&"IPsec: 198.51.100.7"));
}

fn server(mode: &str, more: &str) -> Device {
    let body = format!(
        "<openvpn><openvpn-server><vpnid>1</vpnid>\n<mode>{mode}</mode><protocol>UDP4</protocol><interface>wan</interface><local_port>1194</local_port>{more}</openvpn-server></openvpn>"
    );
    device(&export("", &body))
}

#[test]
fn what_a_user_must_show_follows_from_the_mode() {
    let factors = |mode: &str, more: &str| {
        let d = server(mode, more);
        let path = &d.remote_access.items[0].paths.items[0];
        path.factors.iter().map(|f| (f.kind, f.required.value.tri())).collect::<Vec<_>>()
    };
    assert_eq!(factors("server_tls", ""), [(FactorKind::ClientCert, Some(true))]);
    assert_eq!(factors("server_user", ""), [(FactorKind::Password, Some(true))]);
    assert_eq!(
        factors("server_tls_user", "<authmode>Local Database</authmode>"),
        [(FactorKind::ClientCert, Some(true)), (FactorKind::Password, Some(true))]
    );
    // "verify-client-cert optional" in base64
    let overruled = factors("server_tls_user", "<custom_options>dmVyaWZ5LWNsaWVudC1jZXJ0IG9wdGlvbmFs</custom_options>");
    assert_eq!(overruled[0], (FactorKind::ClientCert, Some(false)));
}

#[test]
fn sessions_end_by_the_inactive_time_only() {
    let idle = |more: &str| server("server_tls", more).remote_access.items[0].idle_s.get().copied();
    assert_eq!(idle(""), Some(NEVER));
    assert_eq!(idle("<inactive_seconds>0</inactive_seconds>"), Some(NEVER));
    assert_eq!(idle("<inactive_seconds>300</inactive_seconds>"), Some(300));
    assert_eq!(idle("<custom_options>push \"inactive 600\";verb 3</custom_options>"), Some(600));
}

#[test]
fn sites_and_customers_of_a_provider_are_told_apart() {
    let client = |more: &str| {
        let body = format!(
            "<openvpn><openvpn-client><vpnid>1</vpnid><mode>p2p_tls</mode><server_addr>vpn.example</server_addr>{more}</openvpn-client></openvpn>"
        );
        device(&export("", &body)).tunnels.items[0].role.get().copied()
    };
    assert_eq!(client(""), Some(TunnelRole::ClientOut));
    assert_eq!(client("<remote_network>172.26.0.0/16</remote_network>"), Some(TunnelRole::SiteToSite));
    let d = server("p2p_shared_key", "");
    assert_eq!(d.tunnels.items[0].auth.get(), Some(&vec![TunnelAuth::GroupPsk]));
    assert!(d.remote_access.items.is_empty());
}

#[test]
fn mobile_users_need_the_switch_they_share() {
    let mobile = |client: &str| {
        let first = "<phase1><ikeid>1</ikeid><mobile/><iketype>ikev1</iketype><interface>wan</interface><authentication_method>xauth_psk_server</authentication_method></phase1>";
        let d = device(&export("", &format!("<ipsec>{first}<client>{client}</client></ipsec>")));
        let access = &d.remote_access.items[0];
        (access.live.value().value.tri(), access.paths.items[0].factors.iter().map(|f| f.kind).collect::<Vec<_>>())
    };
    let factors = vec![FactorKind::GroupSecret, FactorKind::Password];
    assert_eq!(mobile("<enable/>"), (Some(true), factors.clone()));
    assert_eq!(mobile(""), (Some(false), factors));
}
