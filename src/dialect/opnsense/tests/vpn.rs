//! VPNs of both generations.

use super::{device, export, lines, listener};
use crate::ir::tunnel::{FactorKind, Starts, TunnelAuth};

fn phase1(more: &str) -> String {
    format!(
        "<ipsec><enable>1</enable><phase1><ikeid>1</ikeid><iketype>ikev2</iketype><interface>wan</interface><remote-gateway>198.51.100.1</remote-gateway><authentication_method>pre_shared_key</authentication_method><pre-shared-key>KANARI-psk</pre-shared-key>\n{more}\n</phase1><phase2><ikeid>1</ikeid><mode>tunnel</mode></phase2></ipsec>"
    )
}

fn starts(more: &str) -> Option<Starts> {
    device(&export("", &phase1(more), "")).tunnels.items[0].starts.get().copied()
}

#[test]
fn who_starts_an_older_tunnel_is_said_by_auto() {
    assert_eq!(starts("<auto>start</auto>"), Some(Starts::AtBoot));
    assert_eq!(starts("<auto>add</auto>"), Some(Starts::Never));
    assert_eq!(starts("<auto>route</auto>"), Some(Starts::OnTraffic));
    assert_eq!(starts(""), Some(Starts::OnTraffic));
    // The word of the product's relative says nothing here.
    assert_eq!(starts("<startaction>start</startaction>"), Some(Starts::OnTraffic));
}

#[test]
fn without_routes_by_themselves_it_starts_at_once() {
    let body = phase1("").replace("<enable>1</enable>", "<enable>1</enable><auto_routes_disable>1</auto_routes_disable>");
    assert_eq!(device(&export("", &body, "")).tunnels.items[0].starts.get(), Some(&Starts::AtBoot));
}

#[test]
fn the_switch_of_ipsec_holds_for_every_phase_1() {
    let off = phase1("").replace("<enable>1</enable>", "");
    assert!(device(&export("", &off, "")).tunnels.items[0].live.value().value.is_false());
    assert!(device(&export("", &phase1(""), "")).tunnels.items[0].live.value().value.is_true());
}

#[test]
fn mobile_users_need_the_switch_of_their_own() {
    let body = |client: &str| phase1("<mobile>1</mobile>").replace("<phase1>", &format!("{client}<phase1>"));
    let live = |client: &str| device(&export("", &body(client), "")).remote_access.items[0].live.value().value;
    assert!(live("<client><enable>1</enable></client>").is_true());
    assert!(live("").is_false());
}

fn swanctl(connection: &str, remote: &str, child: &str) -> String {
    format!(
        "<IPsec><general><enabled>1</enabled></general><preSharedKeys><preSharedKey uuid=\"k\"><ident>198.51.100.1</ident><Key>KANARI-key</Key></preSharedKey></preSharedKeys></IPsec><Swanctl><Connections><Connection uuid=\"c\"><enabled>1</enabled>{connection}<description>hq</description></Connection></Connections><remotes><remote uuid=\"r\"><enabled>1</enabled><connection>c</connection>{remote}</remote></remotes><children><child uuid=\"h\"><enabled>1</enabled><connection>c</connection>\n{child}\n</child></children></Swanctl>"
    )
}

#[test]
fn a_child_starts_at_boot_unless_it_says_otherwise() {
    let of = |child: &str| {
        let text = export("", "", &swanctl("<remote_addrs>198.51.100.1</remote_addrs>", "<auth>psk</auth><id>198.51.100.1</id>", child));
        device(&text).tunnels.items[0].clone()
    };
    assert_eq!(of("").starts.get(), Some(&Starts::AtBoot));
    assert_eq!(of("<start_action>none</start_action>").starts.get(), Some(&Starts::Never));
    assert_eq!(of("<start_action>trap</start_action>").starts.get(), Some(&Starts::OnTraffic));
    let tunnel = of("");
    assert!(tunnel.psk.is_some());
    assert_eq!(tunnel.auth.get(), Some(&vec![TunnelAuth::GroupPsk]));
}

#[test]
fn a_connection_without_a_peer_only_answers() {
    let d = device(&export("", "", &swanctl("", "<auth>pubkey</auth>", "")));
    assert_eq!(d.tunnels.items[0].starts.get(), Some(&Starts::Never));
}

#[test]
fn a_connection_that_asks_users_serves_them() {
    let d = device(&export("", "", &swanctl("", "<auth>eap-mschapv2</auth>", "")));
    assert!(d.tunnels.items.is_empty());
    assert_eq!(d.remote_access.items[0].paths.items[0].factors[0].kind, FactorKind::Password);
}

#[test]
fn weak_proposals_are_found_and_the_daemons_own_are_not_judged() {
    let offered = |list: &str| {
        let connection = format!("<remote_addrs>198.51.100.1</remote_addrs><version>2</version>\n<proposals>{list}</proposals>\n");
        let text = export("", "", &swanctl(&connection, "<auth>psk</auth>", ""));
        let offered = device(&text).tunnels.items[0].crypto.clone().expect("read").offered;
        (offered.get().cloned(), lines(&text, &offered).join(" "))
    };
    let (weak, at) = offered("aes128-sha1-modp1024");
    assert_eq!(weak, Some(vec!["dh2", "sha1_integ"]));
    assert!(at.contains("<proposals>"), "{at}");
    assert_eq!(offered("aes256gcm16-sha256-modp2048").0, Some(vec![]));
    assert_eq!(offered("default").0, None);
}

fn instance(more: &str) -> String {
    format!(
        "<OpenVPN><Instances><Instance uuid=\"i\"><vpnid>1</vpnid><enabled>1</enabled><role>server</role><server>10.8.0.0/24</server>\n{more}\n</Instance></Instances></OpenVPN>"
    )
}

fn required(more: &str) -> Vec<(FactorKind, bool)> {
    let system = "<authserver><type>totp</type><name>OTP</name></authserver>";
    let d = device(&export(system, "", &instance(more)));
    let factors = &d.remote_access.items[0].paths.items[0].factors;
    factors.iter().map(|f| (f.kind, f.required.value.is_true())).collect()
}

#[test]
fn an_instance_asks_for_a_certificate_unless_told_not_to() {
    assert_eq!(required(""), [(FactorKind::ClientCert, true)]);
    assert_eq!(
        required("<verify_client_cert>none</verify_client_cert><authmode>Local Database</authmode>"),
        [(FactorKind::ClientCert, false), (FactorKind::Password, true)]
    );
    assert_eq!(
        required("<verify_client_cert>require</verify_client_cert><authmode>OTP</authmode>"),
        [(FactorKind::ClientCert, true), (FactorKind::Password, true), (FactorKind::OneTime, true)]
    );
}

#[test]
fn an_instance_can_listen_on_one_address() {
    let body = "<interfaces><wan><enable>1</enable><if>igb0</if><ipaddr>203.0.113.2</ipaddr><subnet>29</subnet></wan></interfaces>";
    let on = |more: &str| {
        listener(&device(&export("", body, &instance(more))), "openvpn").bindings.iter().map(|b| b.on.map(|i| i.0)).collect::<Vec<_>>()
    };
    assert_eq!(on("<local>203.0.113.2</local>"), [Some(0)]);
    assert_eq!(on(""), [None]);
    assert_eq!(on("<local>127.0.0.1</local>"), []);
}

#[test]
fn sessions_of_an_instance_end_where_clients_are_told_so() {
    let idle = |more: &str| device(&export("", "", &instance(more))).remote_access.items[0].idle_s.get().copied();
    assert_eq!(idle("<push_inactive>900</push_inactive>"), Some(900));
    assert_eq!(idle(""), Some(crate::ir::record::NEVER));
}

#[test]
fn peers_with_an_address_are_sites_and_others_dial_in() {
    let peer = |id: &str, more: &str| {
        format!("<client uuid=\"{id}\"><enabled>1</enabled><name>{id}</name><tunneladdress>10.7.0.2/32</tunneladdress>{more}</client>")
    };
    let models = format!(
        "<wireguard><general><enabled>1</enabled></general><server><servers><server uuid=\"s\"><enabled>1</enabled><name>wg</name><instance>1</instance><privkey>KANARI</privkey><port>51820</port><peers>phone,branch</peers></server></servers></server><client><clients>{}{}{}</clients></client></wireguard>",
        peer("phone", ""),
        peer("branch", "<serveraddress>198.51.100.9</serveraddress><keepalive>25</keepalive>"),
        peer("stranger", "<serveraddress>198.51.100.10</serveraddress>")
    );
    let d = device(&export("", "", &models));
    assert_eq!(d.tunnels.items.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["branch"]);
    assert_eq!(d.tunnels.items[0].starts.get(), Some(&Starts::AtBoot));
    assert_eq!(d.remote_access.items[0].paths.items.iter().map(|p| p.principal.as_str()).collect::<Vec<_>>(), ["phone"]);
    let off = models.replace("<general><enabled>1", "<general><enabled>0");
    assert!(device(&export("", "", &off)).tunnels.items[0].live.value().value.is_false());
}
