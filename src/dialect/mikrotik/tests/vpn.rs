//! Tunnels between sites, and users who dial in.

use super::*;
use crate::ir::tunnel::{KeeperForce, RemoteAccess};

fn tunnel<'d>(device: &'d Device, name: &str) -> &'d Tunnel {
    device.tunnels.iter().find(|t| t.name == name).expect("tunnel")
}
fn access<'d>(device: &'d Device, name: &str) -> &'d RemoteAccess {
    device.remote_access.iter().find(|r| r.name == name).expect("remote access")
}
fn weak(t: &Tunnel) -> Vec<&'static str> {
    t.crypto.as_ref().and_then(|c| c.offered.get().cloned()).unwrap_or_default()
}

const SITE: &str = "/ip ipsec peer\nadd address=198.51.100.4/32 name=hq\n/ip ipsec identity\nadd peer=hq secret=KANARI-psk\n/ip ipsec policy\nadd dst-address=10.2.0.0/16 peer=hq src-address=10.1.0.0/16 tunnel=yes\n";

#[test]
fn a_peer_with_policy_is_brought_up_at_once() {
    let text = whole(SITE);
    let d = device(&text);
    let t = tunnel(&d, "hq");
    assert_eq!(t.starts.get(), Some(&Starts::AtBoot));
    assert_eq!(t.role.get(), Some(&TunnelRole::SiteToSite));
    assert_eq!(on(&t.live.value()), Some(true));
    assert_eq!(line(&text, &t.peer.addresses.origin), "198.51.100.4/32");
    assert_eq!(line(&text, &t.remote_nets.origin), "10.2.0.0/16");
    let passive = device(&whole(&SITE.replace("name=hq\n", "name=hq passive=yes\n")));
    assert_eq!(tunnel(&passive, "hq").starts.get(), Some(&Starts::Never));
    let old = device(&whole(SITE).replace("7.20.2", "6.43.1"));
    assert_eq!(tunnel(&old, "hq").starts.get(), Some(&Starts::OnTraffic));
}

#[test]
fn without_identity_or_policy_a_peer_does_nothing() {
    let no_policy = device(&whole(&SITE.replace("add dst-address", "add disabled=yes dst-address")));
    assert_eq!(on(&tunnel(&no_policy, "hq").live.value()), Some(false));
    let no_identity = device(&whole(&SITE.replace("add peer=hq secret=KANARI-psk\n", "")));
    assert_eq!(on(&tunnel(&no_identity, "hq").live.value()), Some(false));
}

#[test]
fn without_profile_lines_the_factory_algorithms_are_offered() {
    let d = device(&whole(SITE));
    assert_eq!(weak(tunnel(&d, "hq")), ["3des", "dh2", "sha1_integ"]);
    let text = whole(&format!(
        "/ip ipsec profile\nadd dh-group=ecp256 enc-algorithm=aes-256 hash-algorithm=sha256 name=strong\n/ip ipsec proposal\nadd auth-algorithms=\"\" enc-algorithms=aes-256-gcm name=strong pfs-group=none\n{}",
        SITE.replace("name=hq\n", "name=hq profile=strong\n").replace("tunnel=yes", "proposal=strong tunnel=yes")
    ));
    let d = device(&text);
    let crypto = tunnel(&d, "hq").crypto.clone().expect("crypto");
    assert_eq!(crypto.offered.get(), Some(&vec![]));
    assert_eq!(on(&crypto.pfs), Some(false));
    assert_eq!(line(&text, &crypto.pfs.origin), "none");
    let changed = device(&whole(&format!(
        "/ip ipsec profile\nset [ find default=yes ] dh-group=modp768 enc-algorithm=des hash-algorithm=md5\n{SITE}"
    )));
    assert_eq!(weak(tunnel(&changed, "hq")), ["des", "dh1", "dh2", "md5", "sha1_integ"]);
}

#[test]
fn a_peer_for_anyone_waits_and_aggressive_mode_needs_a_shared_key() {
    let lines = "/ip ipsec peer\nadd exchange-mode=aggressive name=any passive=yes\n/ip ipsec identity\nadd generate-policy=port-strict peer=any secret=KANARI-psk";
    let d = device(&whole(lines));
    let t = tunnel(&d, "any");
    assert_eq!((t.role.get(), t.starts.get()), (Some(&TunnelRole::HubForDialin), Some(&Starts::Never)));
    assert_eq!(on(&t.aggressive_psk), Some(true));
    let cert = device(&whole(&lines.replace("secret=KANARI-psk", "auth-method=digital-signature")));
    assert_eq!(on(&tunnel(&cert, "any").aggressive_psk), Some(false));
}

#[test]
fn users_of_ikev2_come_with_what_their_identity_asks_for() {
    let lines = "/ip ipsec peer\nadd exchange-mode=ike2 name=rw passive=yes\n/ip ipsec identity\nadd auth-method=eap-radius generate-policy=port-strict mode-config=m peer=rw\n/ip ipsec proposal\nadd enc-algorithms=aes-256-gcm name=good pfs-group=ecp256\n/ip ipsec policy\nadd group=default proposal=good template=yes";
    let d = device(&whole(lines));
    let rw = access(&d, "rw");
    assert_eq!(rw.kind, "ikev2");
    assert!(matches!(rw.idle_s.value, Val::Unknown(_)), "the server may end sessions");
    let factors: Vec<FactorKind> = rw.paths.items[0].factors.iter().map(|f| f.kind).collect();
    assert_eq!(factors, [FactorKind::Password, FactorKind::OneTime]);
    assert_eq!(rw.paths.items[0].factors[1].required.value.tri(), None);
    // The template's proposal counts, the profile stays the factory's.
    assert_eq!(rw.crypto.as_ref().and_then(|c| c.offered.get().cloned()), Some(vec!["3des", "dh2", "sha1_integ"]));
    let cert = device(&whole(&lines.replace("eap-radius", "digital-signature")));
    let factors: Vec<FactorKind> = access(&cert, "rw").paths.items[0].factors.iter().map(|f| f.kind).collect();
    assert_eq!(factors, [FactorKind::ClientCert]);
}

#[test]
fn offering_ipsec_is_not_requiring_it() {
    let kind = |value: &str| {
        let text = whole(&format!(
            "/interface l2tp-server server\nset enabled=yes ipsec-secret=KANARI-x {value}\n/ppp secret\nadd name=u password=KANARI-y"
        ));
        access(&device(&text), "l2tp").kind
    };
    assert_eq!(kind("use-ipsec=yes"), "l2tp_plain");
    assert_eq!(kind("use-ipsec=required"), "l2tp_ipsec");
    assert_eq!(kind(""), "l2tp_plain");
    assert!(device(&whole("/interface l2tp-server server\nset use-ipsec=required")).remote_access.items.is_empty());
}

#[test]
fn a_user_counts_where_its_service_says() {
    let d = device(&older(
        "/interface l2tp-server server\nset enabled=yes\n/interface sstp-server server\nset enabled=yes verify-client-certificate=yes\n/ppp secret\nadd name=any password=KANARI-1\nadd name=only password=KANARI-2 service=sstp\nadd disabled=yes name=off password=KANARI-3\nadd caller-id=198.51.100.9 name=maker password=KANARI-4 service=pptp",
    ));
    let names = |server: &str| access(&d, server).paths.iter().map(|p| p.principal.clone()).collect::<Vec<_>>();
    assert_eq!(names("l2tp"), ["any"]);
    assert_eq!(names("sstp"), ["any", "only"]);
    let factors: Vec<FactorKind> = access(&d, "sstp").paths.items[0].factors.iter().map(|f| f.kind).collect();
    assert_eq!(factors, [FactorKind::Password, FactorKind::ClientCert]);
    let maker = d.accounts.iter().find(|a| a.name == "maker").expect("account");
    assert!(matches!(maker.sources, Limit::Sources { .. }));
    assert_eq!(on(&maker.used), Some(false), "no PPTP server is on");
}

#[test]
fn a_pppoe_server_is_a_use_of_its_users_but_no_remote_access() {
    let d = device(&older(
        "/interface pppoe-server server\nadd disabled=no interface=lan\n/ppp secret\nadd name=flat-12 password=KANARI-1 service=pppoe",
    ));
    assert_eq!(on(&d.accounts.items[0].used), Some(true));
    assert!(d.remote_access.items.is_empty());
}

#[test]
fn a_secret_that_is_missing_is_empty_only_where_others_are_shown() {
    let hidden = device(&whole("/ppp secret\nadd name=a service=l2tp"));
    assert!(matches!(hidden.secrets.items[0].storage, Storage::Masked));
    let shown = device(&whole("/ppp secret\nadd name=a service=l2tp\nadd name=b password=KANARI-1"));
    assert!(matches!(shown.secrets.items[0].storage, Storage::Empty));
    let stars = device(&whole("/ppp secret\nadd name=a password=*****"));
    assert!(matches!(stars.secrets.items[0].storage, Storage::Masked));
}

#[test]
fn the_openvpn_row_of_every_box_is_off() {
    let d = device(&whole("/interface ovpn-server server\nadd mac-address=02:00:5E:00:53:01 name=ovpn-server1"));
    assert!(d.remote_access.items.is_empty());
    let d = device(&whole("/interface ovpn-server server\nadd disabled=no name=ovpn-server1 require-client-certificate=yes"));
    assert_eq!(access(&d, "ovpn-server1").kind, "openvpn");
}

#[test]
fn profiles_end_sessions() {
    let d = device(&whole(
        "/ppp profile\nset *FFFFFFFE idle-timeout=30m\nadd idle-timeout=1h name=staff session-timeout=12h\n/interface l2tp-server server\nset enabled=yes\n/ppp secret\nadd name=a profile=staff",
    ));
    assert_eq!(access(&d, "l2tp").idle_s.get(), Some(&3600), "the longest that somebody may use");
}

#[test]
fn a_gre_tunnel_without_a_key_is_readable_unless_the_key_is_hidden() {
    let lines = "/interface gre\nadd name=g remote-address=198.51.100.8\n";
    assert_eq!(on(&tunnel(&device(&older(lines)), "g").encrypted), Some(false));
    assert_eq!(on(&tunnel(&device(&whole(lines)), "g").encrypted), None, "release 7 hides the key");
    let keyed = device(&older("/interface eoip\nadd ipsec-secret=KANARI-e name=e remote-address=198.51.100.8"));
    assert_eq!(on(&tunnel(&keyed, "e").encrypted), Some(true));
    assert!(tunnel(&keyed, "e").layer2);
}

#[test]
fn wireguard_peers_are_devices_of_users_or_sites() {
    let d = device(&whole(
        "/interface wireguard\nadd listen-port=13231 name=wg\n/interface wireguard peers\nadd allowed-address=10.9.0.2/32 comment=laptop interface=wg\nadd allowed-address=10.40.0.0/16 endpoint-address=198.51.100.3 endpoint-port=13231 interface=wg name=annex persistent-keepalive=25s\nadd allowed-address=10.50.0.0/16 disabled=yes interface=wg name=off",
    ));
    assert_eq!(access(&d, "wg").paths.items[0].principal, "laptop");
    let annex = tunnel(&d, "annex");
    assert!(annex.keepers.iter().any(|k| k.force == KeeperForce::Sustains));
    assert_eq!(on(&tunnel(&d, "off").live.value()), Some(false));
}

#[test]
fn a_client_dials_for_ever_unless_on_demand() {
    let starts = |extra: &str| {
        let d = device(&whole(&format!("/interface l2tp-client\nadd connect-to=vpn.example.jp disabled=no name=out user=x {extra}")));
        tunnel(&d, "out").starts.get().copied()
    };
    assert_eq!(starts(""), Some(Starts::AtBoot));
    assert_eq!(starts("dial-on-demand=yes"), Some(Starts::OnTraffic));
    let idle = device(&whole("/interface l2tp-client\nadd connect-to=vpn.example.jp name=out user=x"));
    assert_eq!(on(&tunnel(&idle, "out").live.value()), Some(false), "clients are off until switched on");
}
