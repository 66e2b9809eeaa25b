//! Small exports lowered to the intermediate form: values, and the lines they rest on.

use crate::dialect::{Dialect, Input, grammar, parse};
use crate::ir::Device;
use crate::ir::account::{SecretUse, Storage};
use crate::ir::device::{DeviceRole, ExportForm, Precision};
use crate::ir::fact::{Fact, Rest};
use crate::ir::filter::{Guard, Hook, Verdict};
use crate::ir::interface::{InterfaceKind, SidePointer, SignStrength};
use crate::ir::listener::{Limit, Listener};
use crate::ir::nat::NatKind;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{FactorKind, KeeperForce, Starts, TunnelAuth, TunnelRole};
use crate::source::FileId;

const HEAD: &str = "version 15.7\nhostname sakaki\nboot-start-marker\n";
const TAIL: &str = "line con 0\n login local\nline vty 0 4\n login local\n transport input ssh\nend\n";

fn lowered(text: &str) -> Device {
    let grammar = grammar::Grammar::load(super::IMPLEMENTATION.grammar_text()).expect("grammar");
    let tree = parse(&grammar, FileId(0), text, 0..text.len());
    let input = Input { tree: &tree, grammar: &grammar, range: 0..text.len() };
    super::lower(&input).remove(0)
}

/// A whole export with these lines in it.
fn whole(lines: &str) -> (String, Device) {
    let text = format!("{HEAD}{lines}{TAIL}");
    let device = lowered(&text);
    (text, device)
}

/// The first line a fact rests on.
fn line<'t, T>(text: &'t str, fact: &Fact<T>) -> &'t str {
    let Some(span) = fact.origin.spans().first().copied() else { return "" };
    let start = text[..span.start as usize].rfind('\n').map_or(0, |n| n + 1);
    text[start..].lines().next().unwrap_or("").trim()
}

fn listener<'d>(device: &'d Device, service: &str) -> &'d Listener {
    device.listeners.iter().find(|l| l.service == service).unwrap_or_else(|| panic!("no {service}"))
}

fn points(device: &Device, name: &str, side: SidePointer) -> bool {
    let interface = device.interfaces.iter().find(|i| i.name == name).expect("interface");
    interface.signs.iter().any(|s| s.points_to == side && s.strength == SignStrength::Strong)
}

#[test]
fn a_release_is_exact_where_the_boot_image_says_it() {
    let (text, device) = whole("boot system flash:c841m-universalk9-mz.SPA.157-3.M7.bin\n");
    let version = device.identity.version.expect("version");
    assert_eq!((version.parts.as_slice(), version.precision), (&[15, 7, 3][..], Precision::Exact));
    assert!(text.contains("157-3"));
    let (_, other) = whole("boot system flash:c841m-universalk9-mz.SPA.155-3.M7.bin\n");
    assert_eq!(other.identity.version.expect("version").precision, Precision::Train, "an image of another train does not run");
    assert_eq!(lowered("! Cisco IOS XE Software, Version 17.09.04a\nversion 17.9\nend\n").identity.lifecycle_key, "cisco.ios-xe");
}

#[test]
fn without_its_end_an_export_proves_no_absence() {
    let device = lowered("interface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n");
    assert_eq!(device.completeness.form, ExportForm::Excerpt);
    assert!(matches!(device.accounts.rest, Rest::MayHoldMore(_)));
    assert!(device.clock.is_some_and(|c| matches!(c.rest, Rest::MayHoldMore(_))));
}

#[test]
fn pppoe_on_both_of_its_interfaces_is_outside() {
    let (_, device) = whole(
        "interface GigabitEthernet0/1\n no ip address\n pppoe enable group global\n pppoe-client dial-pool-number 1\ninterface Vlan1\n ip address 192.168.1.1 255.255.255.0\n ip nat inside\ninterface Dialer1\n ip address negotiated\n encapsulation ppp\n dialer pool 1\n ppp chap hostname x@isp\nip route 0.0.0.0 0.0.0.0 Dialer1\n",
    );
    assert!(points(&device, "Dialer1", SidePointer::Untrusted));
    assert!(points(&device, "GigabitEthernet0/1", SidePointer::Untrusted));
    assert!(points(&device, "Vlan1", SidePointer::Trusted));
    let dialer = device.interface("Dialer1").expect("dialer");
    assert_eq!(device.interfaces[dialer.0 as usize].carrier, device.interface("GigabitEthernet0/1"));
}

#[test]
fn a_switch_has_no_outside_of_its_own() {
    let (_, device) = whole(
        "interface FastEthernet0/1\n switchport access vlan 2\ninterface Vlan2\n ip address 10.0.0.2 255.255.255.0\nip default-gateway 10.0.0.1\n",
    );
    assert_eq!(device.role, DeviceRole::Switch);
    assert!(device.interfaces.iter().all(|i| i.signs.iter().all(|s| s.points_to != SidePointer::Untrusted)));
}

#[test]
fn a_default_route_towards_ones_own_routers_is_no_sign() {
    let inner = "interface GigabitEthernet0/0\n ip address 10.0.0.2 255.255.255.0\nip route 0.0.0.0 0.0.0.0 10.0.0.1\n";
    let (_, outside) = whole(inner);
    assert!(points(&outside, "GigabitEthernet0/0", SidePointer::Untrusted));
    let (_, inside) = whole(&format!("{inner}router ospf 1\n network 10.0.0.0 0.0.0.255 area 0\n"));
    assert!(!points(&inside, "GigabitEthernet0/0", SidePointer::Untrusted));
    let (_, passive) = whole(&format!("{inner}router ospf 1\n passive-interface GigabitEthernet0/0\n network 10.0.0.0 0.0.0.255 area 0\n"));
    assert!(points(&passive, "GigabitEthernet0/0", SidePointer::Untrusted), "on a passive interface no router of one's own answers");
}

#[test]
fn an_ipv6_default_route_leads_outside_as_well() {
    let text = "interface GigabitEthernet0/0\n ipv6 address 2001:db8:0:1::2/64\ninterface GigabitEthernet0/1\n ipv6 address 2001:db8:100::1/64\n\
                ipv6 route ::/0 2001:db8:0:1::1\n";
    let (_, device) = whole(text);
    assert!(points(&device, "GigabitEthernet0/0", SidePointer::Untrusted));
    assert!(!points(&device, "GigabitEthernet0/1", SidePointer::Untrusted));
}

#[test]
fn only_another_organisations_neighbour_is_outside() {
    let bgp = |own: &str, remote: &str| {
        format!(
            "interface GigabitEthernet0/0\n ip address 10.0.0.2 255.255.255.252\nrouter bgp {own}\n neighbor 10.0.0.1 remote-as {remote}\n"
        )
    };
    assert!(points(&whole(&bgp("65001", "4713")).1, "GigabitEthernet0/0", SidePointer::Untrusted));
    assert!(!points(&whole(&bgp("65001", "65001")).1, "GigabitEthernet0/0", SidePointer::Untrusted));
    assert!(!points(&whole(&bgp("65001", "65002")).1, "GigabitEthernet0/0", SidePointer::Untrusted));
}

#[test]
fn an_inbound_list_guards_the_box_and_ends_in_deny() {
    let (text, device) = whole(
        "interface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n ip access-group IN in\nip access-list extended IN\n remark text\n 10 permit tcp any any established\n 20 permit tcp host 198.51.100.1 any eq 22 log\n",
    );
    let filter = &device.filters[0];
    assert_eq!((filter.attach[0].hook, filter.rules.len()), (Hook::Inbound, 2));
    assert!(matches!(filter.rules[0].guards[0], Guard::Established(_)));
    assert_eq!(filter.rules[1].label, "20");
    assert_eq!(filter.default.get(), Some(&Verdict::Drop));
    let attached = Fact { value: crate::ir::fact::Val::Known(()), origin: filter.attach[0].origin.clone() };
    assert_eq!(line(&text, &attached), "ip access-group IN in");
}

#[test]
fn a_list_that_is_not_there_permits_everything() {
    let (_, device) = whole("interface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n ip access-group GONE in\n");
    assert_eq!(device.filters[0].default.get(), Some(&Verdict::Accept));
    assert_eq!(device.undefined.items[0].name, "GONE");
    let excerpt = lowered("interface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n ip access-group GONE in\n");
    assert!(excerpt.filters[0].incomplete.is_some() && excerpt.undefined.items.is_empty());
}

#[test]
fn every_ipv6_list_lets_neighbour_discovery_through() {
    let (_, device) = whole(
        "interface GigabitEthernet0/0\n ipv6 address 2001:db8::1/64\n ipv6 traffic-filter S in\nipv6 access-list S\n deny ipv6 any any\n",
    );
    let rules = &device.filters[0].rules;
    assert_eq!(rules.iter().filter(|r| r.generated).count(), 2);
    assert!(!rules[0].generated, "what is written comes first");
}

#[test]
fn zones_without_a_pair_to_the_box_leave_it_open() {
    let (_, device) = whole(
        "zone security IN\nzone security OUT\nclass-map type inspect match-any W\n match protocol https\npolicy-map type inspect P\n class type inspect W\n  inspect\n class class-default\n  drop\nzone-pair security A source OUT destination IN\n service-policy type inspect P\ninterface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n zone-member security OUT\n",
    );
    assert!(!device.filters.iter().any(|f| f.attach.iter().any(|a| a.hook == Hook::Local)));
    let forward = device.filters.iter().find(|f| f.attach.iter().any(|a| a.hook == Hook::Forward)).expect("zones");
    assert_eq!(forward.default.get(), Some(&Verdict::Drop));
    assert_eq!(forward.rules[0].verdict.get(), Some(&Verdict::Accept));
}

#[test]
fn forwards_keep_the_port_outside_and_inside() {
    let (_, device) = whole(
        "interface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n ip nat outside\nip nat inside source static tcp 10.0.0.5 22 interface GigabitEthernet0/0 1415\nip nat inside source static 10.0.0.6 192.0.2.6\nip nat inside source static tcp 10.0.0.7 3389 192.0.2.7 3389 extendable\n",
    );
    let kinds: Vec<(NatKind, Option<u16>)> = device.nat.rules.iter().map(|r| (r.kind, r.to_port)).collect();
    assert_eq!(kinds, [(NatKind::PortForward, Some(22)), (NatKind::OneToOne, None), (NatKind::PortForward, None)]);
    assert_eq!(device.nat.rules[0].orig_svc[0].dst_ports, [(1415, 1415)]);
}

#[test]
fn each_range_of_terminals_stands_for_itself() {
    let text = format!(
        "{HEAD}access-list 10 permit 10.0.0.9\nline con 0\n login local\nline vty 0 4\n access-class 10 in\n login local\n transport input ssh\nline vty 5 15\n login local\n transport input all\nend\n"
    );
    let device = lowered(&text);
    let ssh: Vec<&Listener> = device.listeners.iter().filter(|l| l.service == "ssh").collect();
    assert_eq!(ssh.len(), 2);
    assert!(matches!(ssh[0].limits, Limit::Sources { .. }) && matches!(ssh[1].limits, Limit::None(_)));
    let telnet: Vec<Option<bool>> = device.listeners.iter().filter(|l| l.service == "telnet").map(|l| l.live.value().value.tri()).collect();
    assert_eq!(telnet, [Some(false), Some(true)]);
    let repeated = text
        .replace("transport input all", "transport input ssh")
        .replace(" login local\n transport input ssh\nend", " access-class 10 in\n login local\n transport input ssh\nend");
    assert_eq!(lowered(&repeated).listeners.iter().filter(|l| l.service == "ssh").count(), 1, "told once");
}

#[test]
fn terminals_without_a_word_about_input_are_not_known_to_be_closed() {
    let text = format!("{HEAD}line vty 0 4\n login local\nend\n");
    let old = lowered(&text);
    assert!(listener(&old, "telnet").live.value().value.is_true());
    assert!(listener(&old, "telnet").live.own.origin.rests_on_unverified_default());
    let new = lowered(&text.replace("15.7", "17.9"));
    assert_eq!(listener(&new, "telnet").live.value().value.tri(), None);
}

#[test]
fn a_login_without_a_password_refuses_everybody() {
    let device = lowered(&format!("{HEAD}line vty 0 4\n login\n transport input telnet\nend\n"));
    assert!(listener(&device, "telnet").live.value().value.is_false());
    assert!(device.admin_paths.items.is_empty());
}

#[test]
fn method_lists_replace_the_words_of_lines() {
    let text = |aaa: &str| {
        format!("{HEAD}{aaa}username yama secret 9 KANARI\nline con 0\nline vty 0 4\n password KANARI\n transport input ssh\nend\n")
    };
    let plain = lowered(&text("aaa new-model\n"));
    let names: Vec<&str> = plain.admin_paths.iter().map(|p| p.principal.as_str()).collect();
    assert_eq!(names, ["yama", "line con 0"], "terminals ask the accounts, the console nobody");
    assert!(plain.admin_paths.items[1].factors.is_empty());
    let radius = lowered(&text("aaa new-model\naaa authentication login default group radius local\n"));
    let yama = radius.admin_paths.iter().find(|p| p.principal == "yama").expect("path");
    assert!(yama.fallback);
    let none = lowered(&text("aaa new-model\naaa authentication login default local none\n"));
    assert!(none.admin_paths.iter().any(|p| p.fallback && p.factors.is_empty()));
    let missing = lowered(&text("aaa new-model\n").replace(" password KANARI", " login authentication GONE"));
    assert!(missing.admin_paths.iter().all(|p| !p.factors.is_empty() || p.principal == "line con 0"), "undefined is not open");
}

#[test]
fn secrets_are_judged_by_their_type() {
    let (_, device) = whole(
        "enable secret 8 $8$KANARI\nenable password 7 0822455D0A16\nusername a password 0 KANARI\nusername b secret 4 KANARI\nusername c secret 9 $9$KANARI\nusername d secret 5 <removed>\n",
    );
    let of = |owner: &str| device.secrets.iter().find(|s| s.owner == owner).expect("secret");
    assert!(matches!(of("a").storage, Storage::Clear));
    assert!(matches!(&of("b").storage, Storage::Hash { weak, comparable: true } if weak.value.is_true()));
    assert!(matches!(&of("c").storage, Storage::Hash { weak, .. } if weak.value.is_false()));
    assert!(matches!(of("d").storage, Storage::Masked));
    let password = device.secrets.iter().find(|s| s.used_for == SecretUse::PrivilegedMode && matches!(s.storage, Storage::Revealed));
    assert!(password.is_some_and(|p| p.value.expose() == "cisco" && p.live.value.is_false()), "the hash counts where both are there");
}

#[test]
fn idle_times_are_minutes_and_seconds() {
    let device = lowered(&format!(
        "{HEAD}line vty 0 4\n exec-timeout 5 30\n transport input ssh\nline vty 5 15\n exec-timeout 0 0\n transport input ssh\nend\n"
    ));
    let idle: Vec<Option<i64>> = device.login_policies.iter().map(|p| p.idle_s.get().copied()).collect();
    assert_eq!(idle, [Some(330), Some(NEVER)]);
}

#[test]
fn an_applied_crypto_map_starts_on_traffic_and_an_unapplied_one_is_dead() {
    let map = "crypto isakmp policy 1\n authentication pre-share\ncrypto isakmp key KANARI address 198.51.100.1\ncrypto map M 10 ipsec-isakmp\n set peer 198.51.100.1\n match address 101\naccess-list 101 permit ip any 10.9.0.0 0.0.255.255\ninterface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n";
    let (text, device) = whole(&format!("{map} crypto map M\n"));
    let tunnel = &device.tunnels.items[0];
    assert_eq!(tunnel.starts.get(), Some(&Starts::OnTraffic));
    assert!(tunnel.live.value().value.is_true() && tunnel.enders.items.is_empty());
    assert_eq!(tunnel.auth.get(), Some(&vec![TunnelAuth::GroupPsk]));
    assert_eq!(line(&text, &tunnel.auth), "crypto isakmp key KANARI address 198.51.100.1");
    assert!(tunnel.aggressive_psk.value.is_true());
    let weak = tunnel.crypto.as_ref().expect("crypto").offered.get().cloned().expect("known");
    assert_eq!(weak, ["des", "dh1", "sha1_integ"], "what a policy does not say is weak");
    let (_, unapplied) = whole(map);
    assert!(unapplied.tunnels.items[0].live.value().value.is_false());
    let (_, disabled) = whole(&format!("{map} crypto map M\ncrypto isakmp aggressive-mode disable\n"));
    assert!(disabled.tunnels.items[0].aggressive_psk.value.is_false());
}

#[test]
fn tunnel_interfaces_are_up_by_themselves_and_hubs_only_answer() {
    let (_, device) = whole(
        "interface Tunnel1\n ip address 10.1.0.1 255.255.255.252\n keepalive 10 3\n tunnel source GigabitEthernet0/0\n tunnel destination 198.51.100.9\ninterface Tunnel2\n ip address 10.2.0.1 255.255.255.0\n tunnel source GigabitEthernet0/0\n tunnel mode gre multipoint\n tunnel protection ipsec profile P\ninterface Tunnel3\n shutdown\n tunnel source GigabitEthernet0/0\n tunnel destination 198.51.100.10\ninterface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\ncrypto isakmp key KANARI address 0.0.0.0 0.0.0.0\ncrypto ipsec profile P\n set transform-set T\ncrypto ipsec transform-set T esp-aes 256 esp-sha256-hmac\n",
    );
    let [plain, hub, down] = &device.tunnels.items[..] else { panic!("three tunnels") };
    assert_eq!((plain.starts.get(), plain.kind), (Some(&Starts::AtBoot), "gre"));
    assert!(plain.encrypted.value.is_false());
    assert!(plain.keepers.iter().any(|k| k.force == KeeperForce::Sustains));
    assert_eq!((hub.role.get(), hub.starts.get()), (Some(&TunnelRole::HubForDialin), Some(&Starts::Never)));
    assert_eq!(hub.auth.get(), Some(&vec![TunnelAuth::GroupPsk]));
    assert!(down.live.value().value.is_false());
}

#[test]
fn a_tunnel_that_carries_the_line_is_no_tunnel_between_sites() {
    let (_, device) = whole(
        "interface Tunnel0\n ip unnumbered Loopback0\n tunnel source GigabitEthernet0/0\n tunnel mode ipv6\n tunnel destination 2001:db8::1\ninterface Loopback0\n ip address 192.0.2.1 255.255.255.255\nip route 0.0.0.0 0.0.0.0 Tunnel0\n",
    );
    assert_eq!(device.tunnels.items[0].role.get(), Some(&TunnelRole::Carrier));
    assert!(points(&device, "Tunnel0", SidePointer::Untrusted));
    assert_eq!(device.interfaces[0].kind, InterfaceKind::Tunnel);
}

#[test]
fn user_vpns_ask_what_their_lists_say() {
    let (_, device) = whole(
        "aaa new-model\naaa authentication login USERS local\nusername mori secret 9 KANARI\ncrypto ikev2 profile RA\n authentication local rsa-sig\n authentication remote anyconnect-eap aggregate cert-request\n aaa authentication anyconnect-eap USERS\n virtual-template 1\ninterface Virtual-Template1 type tunnel\n tunnel mode ipsec ipv4\n",
    );
    let access = &device.remote_access.items[0];
    assert!(access.live.value().value.is_true());
    let kinds: Vec<FactorKind> = access.paths.items[0].factors.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [FactorKind::Password, FactorKind::ClientCert]);
}

#[test]
fn an_ssl_gateway_out_of_service_is_dead() {
    let text = "aaa new-model\naaa authentication login default local\nusername mori secret 9 KANARI\nwebvpn gateway G\n ip address 192.0.2.1 port 8443\n inservice\nwebvpn context C\n gateway G\n";
    let (_, off) = whole(text);
    assert!(off.remote_access.items[0].live.value().value.is_false());
    let (_, on) = whole(&format!("{text} inservice\n"));
    assert!(on.remote_access.items[0].live.value().value.is_true());
    assert_eq!(listener(&on, "ssl_vpn").ports.get().expect("ports")[0].dst_ports, [(8443, 8443)]);
}

#[test]
fn a_call_to_a_provider_is_no_service() {
    let (_, device) = whole("vpdn enable\nvpdn-group 1\n request-dialin\n  protocol pppoe\ninterface Virtual-Template1\n no ip address\n");
    assert!(device.remote_access.items.is_empty());
    assert!(!device.listeners.iter().any(|l| l.service == "l2tp" && !l.live.value().value.is_false()));
}

#[test]
fn communities_keep_their_lists() {
    let (_, device) =
        whole("snmp-server community KANARI RW 99\nsnmp-server community KANARI2 view V ro\naccess-list 99 permit 10.0.0.0 0.0.0.255\n");
    let snmp: Vec<&Listener> = device.listeners.iter().filter(|l| l.service == "snmp").collect();
    assert!(matches!(snmp[0].limits, Limit::Sources { .. }) && matches!(snmp[1].limits, Limit::None(_)));
    let write: Vec<Option<bool>> = device.snmp.iter().map(|s| s.write.value.tri()).collect();
    assert_eq!(write, [Some(true), Some(false)]);
}

#[test]
fn both_forms_of_a_log_host_are_remote() {
    let (_, device) = whole("logging buffered 4096\nlogging 10.0.0.9\nlogging host 10.0.0.8\nlogging trap debugging\n");
    let names: Vec<String> = device.logging.expect("logging").targets.items.into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["10.0.0.9", "10.0.0.8"]);
}

#[test]
fn no_text_hurts() {
    for text in [
        "",
        "\n",
        "interface",
        "line vty",
        "username",
        "access-list 1 permit",
        "crypto map M 10 ipsec-isakmp dynamic",
        "ip nat inside source static tcp",
        "snmp-server community",
        "logging",
        "banner motd",
        "enable secret 7 0",
        "ip route 0.0.0.0 0.0.0.0",
    ] {
        lowered(text);
    }
}
