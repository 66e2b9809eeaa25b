//! Lowering of small exports: values and the lines they rest on.

use super::*;
use crate::dialect::{Dialect, grammar::Grammar, parse, read, secret_spans};
use crate::ir::account::{AccountKind, Storage};
use crate::ir::fact::Val;
use crate::ir::filter::{AddrExpr, Hook, RuleLog, Verdict};
use crate::ir::interface::{InterfaceKind, SidePointer};
use crate::ir::listener::{Limit, Listener};
use crate::ir::nat::UnmatchedEffect;
use crate::ir::tunnel::{Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::source::FileId;

const HEADER: &str = "! NEC Portable Internetwork Core Operating System Software\n! IX Series IX2215 (magellan-sec) Software, Version 10.7.18, RELEASE SOFTWARE\n!\n";
const END: &str = "interface Loopback0.0\n  no ip address\n!\ninterface Null0.0\n  no ip address\n!\n";
const WAN: &str = "ip route default GigaEthernet0.1\ninterface GigaEthernet0.1\n  encapsulation pppoe\n  ip address ipcp\n  ip napt enable\n  no shutdown\n!\n";

fn grammar() -> Grammar {
    Grammar::load(IMPLEMENTATION.grammar_text()).expect("grammar")
}
/// A whole export with these lines.
fn whole(lines: &str) -> String {
    format!("{HEADER}{lines}{END}")
}
fn device(text: &str) -> Device {
    let grammar = grammar();
    let tree = parse(&grammar, FileId(0), text, 0..text.len());
    read(&IMPLEMENTATION, &crate::dialect::Input { tree: &tree, grammar: &grammar, range: 0..text.len() }).remove(0)
}
fn line(text: &str, origin: &Origin) -> String {
    origin.spans().first().map(|s| s.slice(text).to_owned()).unwrap_or_default()
}
fn listener<'d>(device: &'d Device, service: &str) -> &'d Listener {
    device.listeners.iter().find(|l| l.service == service).expect("listener")
}

#[test]
fn the_header_names_model_and_release() {
    let d = device(&whole("hostname gw\n"));
    assert_eq!(d.identity.model.as_deref(), Some("IX2215"));
    assert_eq!(d.identity.version.as_ref().map(|v| v.parts.clone()), Some(vec![10, 7, 18]));
    assert_eq!(d.name, "gw");
    let maintenance = whole("").replace("10.7.18", "8.9.17B");
    assert_eq!(device(&maintenance).identity.version.map(|v| (v.text, v.parts)), Some(("8.9.17B".into(), vec![8, 9, 17])));
}

#[test]
fn a_printed_configuration_is_whole_and_a_part_proves_no_absence() {
    let d = device(&whole(""));
    assert_eq!(d.completeness.form, ExportForm::Full);
    assert!(listener(&d, "telnet").live.value().value.is_false());
    let cut = format!("{HEADER}telnet-server ip enable\ninterface GigaEthernet0.0\n  no shutdown\n");
    let d = device(&cut);
    assert!(d.completeness.gaps.contains_key("tunnels") && !d.completeness.gaps.contains_key("accounts"));
    let d = device("interface GigaEthernet0.0\n  ip address 192.0.2.1/24\n  no shutdown\n");
    assert!(d.completeness.gaps.contains_key("accounts"));
    assert!(listener(&d, "telnet").live.value().value.tri().is_none());
}

#[test]
fn sessions_stand_on_ports_and_a_shut_device_takes_them_down() {
    let text = whole(&format!("{WAN}device GigaEthernet0\n  shutdown\n!\ninterface GigaEthernet0.0\n  no ip address\n  no shutdown\n!\n"));
    let d = device(&text);
    let wan = &d.interfaces[0];
    assert_eq!(wan.kind, InterfaceKind::Ppp);
    assert_eq!(wan.carrier, d.interface("GigaEthernet0.0"));
    assert!(wan.up.value.is_false());
    assert_eq!(line(&text, &wan.up.origin), "shutdown");
    assert!(wan.signs.iter().any(|s| s.code == "sign.default_route" && s.points_to == SidePointer::Untrusted));
    assert!(d.interface("Null0.0").is_none());
}

#[test]
fn a_dslite_tunnel_is_a_carrier_without_an_address_of_its_own() {
    let d = device(&whole(
        "ip route default Tunnel0.0\ninterface Tunnel0.0\n  tunnel mode 4-over-6\n  ip unnumbered GigaEthernet1.0\n  no shutdown\n!\n",
    ));
    assert_eq!(d.interfaces[0].kind, InterfaceKind::Ppp);
    assert!(d.interfaces[0].addresses.is_empty());
    assert_eq!(d.tunnels.items[0].role.get(), Some(&TunnelRole::Carrier));
}

#[test]
fn filters_of_a_direction_are_one_stack_by_sequence_that_ends_in_a_denial() {
    let lists = "ip access-list b permit tcp src any sport any dest any dport eq 443\nip access-list a deny ip src 192.0.2.0/24 dest any\n";
    let text = whole(&format!("{lists}interface GigaEthernet0.0\n  ip filter b 20 in\n  ip filter a 10 in\n  no shutdown\n!\n"));
    let d = device(&text);
    let filter = &d.filters[0];
    assert_eq!(filter.rules.iter().map(|r| r.label.as_str()).collect::<Vec<_>>(), ["a 1", "b 1"]);
    assert_eq!(filter.default.get(), Some(&Verdict::Drop));
    assert_eq!(filter.attach[0].hook, Hook::Inbound);
    assert_eq!(line(&text, &filter.attach[0].origin), "ip filter a 10 in");
    assert!(filter.rules[1].nat.plain_sees_translated.value.is_true(), "asks for no destination");
}

#[test]
fn a_list_that_is_bound_nowhere_is_no_filter() {
    let d = device(&whole("ip access-list a permit ip src any dest any\n"));
    assert!(d.filters.is_empty());
    assert_eq!(d.definitions.items[0].uses, 0);
}

#[test]
fn a_dynamic_list_goes_before_a_static_one_of_its_name() {
    let lists = "ip access-list x deny ip src any dest any\nip access-list t permit ip src 192.168.1.0/24 dest any\nip access-list t deny ip src any dest any\nip access-list dynamic x access t\n";
    let d = device(&whole(&format!("{lists}interface GigaEthernet1.0\n  ip filter x 1 in\n  no shutdown\n!\n")));
    let rules = &d.filters[0].rules;
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].verdict.get(), Some(&Verdict::Accept));
    assert_eq!(rules[1].verdict.get(), None, "what a denial in a trigger does is not known");
}

#[test]
fn an_undefined_list_leaves_the_filter_open() {
    let d = device(&whole("interface GigaEthernet0.0\n  ip filter nowhere 1 in\n  no shutdown\n!\n"));
    assert!(d.filters[0].incomplete.is_some());
    assert_eq!(d.undefined.items[0].name, "nowhere");
    assert!(d.undefined.items[0].effect.get().is_none());
}

#[test]
fn unreadable_words_of_a_row_stay_unknown() {
    let rows = "ip access-list a permit icmp type 8\nip access-list a permit ip src any dest 50\nip access-list a permit tcp src any sport any dest any dport gt 1024\nip access-list a permit udp src any sport any dest any dport eq 53 tos 4\n";
    let d = device(&whole(&format!("{rows}interface GigaEthernet0.0\n  ip filter a 1 in\n  no shutdown\n!\n")));
    let rules = &d.filters[0].rules;
    assert!(rules[0].src.get().is_none());
    assert!(rules[1].dst.get().is_none());
    assert!(matches!(rules[2].svc.get(), Some(crate::ir::filter::SvcExpr::Opaque(_))));
    assert_eq!(rules[3].guards.len(), 2);
}

#[test]
fn drops_are_logged_by_level_and_not_when_suppressed() {
    let base = "logging subsystem flt warn\nip access-list a deny ip src any dest any\nip access-list b permit ip src any dest any\n";
    let d = device(&whole(&format!("{base}interface GigaEthernet0.0\n  ip filter a 1 in\n  ip filter b 2 out\n  no shutdown\n!\n")));
    assert_eq!(d.filters[0].rules[0].log.get(), Some(&RuleLog::Session));
    assert_eq!(d.filters[1].rules[0].log.get(), Some(&RuleLog::None));
    let d = device(&whole(&format!("{base}interface GigaEthernet0.0\n  ip filter a 1 in suppress-logging\n  no shutdown\n!\n")));
    assert_eq!(d.filters[0].rules[0].log.get(), Some(&RuleLog::None));
}

#[test]
fn napt_entries_act_only_where_napt_is_enabled() {
    let text = whole(&WAN.replace("  no shutdown", "  ip napt static GigaEthernet0.1 tcp 22\n  ip napt static 192.168.1.9 tcp 3389\n  ip napt service www2 192.168.1.9 none tcp 80\n  no shutdown"));
    let d = device(&text);
    assert!(matches!(d.nat.rules[0].to.get(), Some(AddrExpr::SelfAddrs)));
    assert!(matches!(d.nat.rules[1].to.get(), Some(AddrExpr::Range(..))));
    assert!(d.nat.rules[2].live.value().value.is_true());
    assert_eq!(d.nat.unmatched[0].effect.get(), Some(&UnmatchedEffect::Drop));
    let d = device(&text.replace("  ip napt enable\n", ""));
    assert!(d.nat.rules[0].live.value().value.is_false() && d.nat.unmatched.is_empty());
}

#[test]
fn a_server_list_admits_sources_from_the_top() {
    let text = whole(
        "ip access-list m permit ip src 192.0.2.0/24 dest any\nip access-list m deny ip src any dest any\nip access-list m permit ip src any dest any\nssh-server ip enable\nssh-server ip access-list m\n",
    );
    let d = device(&text);
    let Limit::Sources { admits, .. } = &listener(&d, "ssh").limits else { panic!("no limit") };
    assert!(matches!(admits.get(), Some(AddrExpr::Range(..))), "{:?}", admits.value);
    assert_eq!(line(&text, &admits.origin), "m");
    let all = device(&whole("ip access-list m permit ip src any dest any\nssh-server ip enable\nssh-server ip access-list m\n"));
    assert!(matches!(listener(&all, "ssh").limits, Limit::None(_)), "any is no limit");
    let port = device(&whole(
        "ip access-list m permit tcp src 192.0.2.1/32 sport any dest any dport eq 22\nssh-server ip enable\nssh-server ip access-list m\n",
    ));
    assert!(matches!(listener(&port, "ssh").limits, Limit::Unknown(_)), "whether the port counts is not known");
}

#[test]
fn an_undefined_server_list_limits_nobody_as_far_as_one_knows() {
    let d = device(&whole("telnet-server ip enable\ntelnet-server ip access-list nowhere\n"));
    let Limit::None(origin) = &listener(&d, "telnet").limits else { panic!("a limit") };
    assert!(origin.rests_on_unverified_default());
}

#[test]
fn a_server_of_one_interface_is_bound_there() {
    let d = device(&whole("interface GigaEthernet2.0\n  ip address 192.168.0.1/24\n  proxy-dns ip enable\n  no shutdown\n!\n"));
    let dns = listener(&d, "dns");
    assert_eq!(dns.bindings.iter().map(|b| b.on).collect::<Vec<_>>(), [d.interface("GigaEthernet2.0")]);
}

const V1: &str = "ip access-list sec permit ip src any dest any\nike proposal p encryption aes-256 hash sha2-256 group 2048-bit\nipsec autokey-proposal q esp-aes-256 esp-sha2-256\n";
const V1_TUNNEL: &str = "interface Tunnel0.0\n  tunnel mode ipsec\n  ipsec policy tunnel m out\n  no shutdown\n!\n";

#[test]
fn main_mode_to_a_fixed_peer_comes_up_with_traffic() {
    let text = whole(&format!(
        "{V1}ike policy a peer 192.0.2.9 key KANARI-1 p\nipsec autokey-map m sec peer 192.0.2.9 q pfs 2048-bit\n{V1_TUNNEL}"
    ));
    let d = device(&text);
    let t = &d.tunnels.items[0];
    assert!(t.live.value().value.is_true() && t.aggressive_psk.value.is_false());
    assert_eq!(t.starts.get(), Some(&Starts::OnTraffic));
    let crypto = t.crypto.as_ref().expect("crypto");
    assert_eq!(crypto.offered.get(), Some(&vec![]));
    assert!(crypto.pfs.value.is_true());
    assert_eq!(t.auth.get(), Some(&vec![TunnelAuth::GroupPsk]));
    assert!(t.psk.is_some());
}

#[test]
fn aggressive_mode_is_read_where_it_is_written_and_not_in_names() {
    let with = |policy: &str| device(&whole(&format!("{V1}{policy}\nipsec dynamic-map m sec q ike aggressive\n{V1_TUNNEL}")));
    let d = with("ike policy aggressive peer any key KANARI-1 mode aggressive p");
    assert!(d.tunnels.items[0].aggressive_psk.value.is_true());
    assert_eq!(d.tunnels.items[0].starts.get(), Some(&Starts::Never));
    let d = with("ike policy aggressive peer any key KANARI-1 p");
    assert!(d.tunnels.items[0].aggressive_psk.value.is_false());
}

#[test]
fn what_a_proposal_leaves_out_is_unknown_and_what_it_writes_is_judged() {
    let with = |proposal: &str| {
        let text = format!(
            "{V1}ike proposal r {proposal}\nike policy a peer 192.0.2.9 key KANARI-1 p,r\nipsec autokey-map m sec peer 192.0.2.9 q\n{V1_TUNNEL}"
        );
        device(&whole(&text)).tunnels.items.remove(0).crypto.expect("crypto")
    };
    assert!(with("encryption aes-256 hash sha2-256").offered.get().is_none());
    assert_eq!(with("encryption 3des hash md5 group 1024-bit").offered.get(), Some(&vec!["3des", "dh2", "md5"]));
    assert_eq!(with("encryption 3des").offered.get(), Some(&vec!["3des"]));
    assert!(with("encryption aes").pfs.value.is_false(), "off unless written");
}

#[test]
fn the_form_word_of_a_key_is_not_the_key() {
    let key = |words: &str| {
        let d = device(&whole(&format!("{V1}ike policy a peer any key {words} p\n")));
        let s = d.secrets.iter().find(|s| s.owner == "a").expect("key");
        (s.value.expose().to_owned(), matches!(s.storage, Storage::Clear))
    };
    assert_eq!(key("KANARI-1"), ("KANARI-1".to_owned(), true));
    assert_eq!(key("char KANARI-1"), ("KANARI-1".to_owned(), true));
    assert_eq!(key("secret KANARI-1"), ("KANARI-1".to_owned(), false));
    assert_eq!(key("secret"), ("secret".to_owned(), true), "what follows is the proposal");
}

const V2: &str = "ikev2 authentication psk id ipv4 192.0.2.9 key char KANARI-1\nikev2 default-profile\n  sa-proposal enc aes-gcm-256-16\n  sa-proposal integrity sha2-256\n  sa-proposal dh 2048-bit\n  child-proposal enc aes-gcm-256-16\n  child-pfs 2048-bit\n!\n";

fn v2(lines: &str) -> Tunnel {
    let text = format!("{V2}interface Tunnel0.0\n  tunnel mode ipsec-ikev2\n{lines}  no shutdown\n!\n");
    device(&whole(&text)).tunnels.items.remove(0)
}
const V2_PEER: &str = "  ikev2 peer 192.0.2.9 authentication psk id ipv4 192.0.2.9\n";

#[test]
fn ikev2_starts_by_its_connect_type_unless_it_only_answers() {
    let of = |lines: &str| v2(&format!("{lines}{V2_PEER}"));
    assert_eq!(of("  ikev2 connect-type auto\n").starts.get(), Some(&Starts::AtBoot));
    assert_eq!(of("  ikev2 connect-type auto\n  ikev2 negotiation-direction responder\n").starts.get(), Some(&Starts::Never));
    let absent = of("").starts;
    assert_eq!(absent.get(), Some(&Starts::OnTraffic));
    assert!(absent.origin.rests_on_unverified_default());
    assert_eq!(v2("  ikev2 connect-type auto\n  ikev2 peer any authentication psk id keyid x\n").starts.get(), Some(&Starts::Never));
}

#[test]
fn ikev2_settings_of_the_interface_go_before_profiles() {
    assert_eq!(v2(V2_PEER).crypto.expect("crypto").offered.get(), Some(&vec![]), "combined modes need no integrity");
    let own = v2(&format!("{V2_PEER}  ikev2 sa-proposal dh 1024-bit\n  ikev2 child-pfs off\n")).crypto.expect("crypto");
    assert_eq!(own.offered.get(), Some(&vec!["dh2"]));
    assert!(own.pfs.value.is_false());
}

#[test]
fn an_ether_ip_tunnel_joins_ethernets_and_encrypts_by_its_mode() {
    let of = |mode: &str| {
        let text = format!("{V2}interface Tunnel0.0\n  tunnel mode ether-ip {mode}\n  bridge-group 1\n{V2_PEER}  no shutdown\n!\n");
        device(&whole(&text)).tunnels.items.remove(0)
    };
    let t = of("ipsec-ikev2");
    assert!(t.layer2 && t.encrypted.value.is_true());
    let plain = whole("interface Tunnel0.0\n  tunnel mode ether-ip ip\n  no shutdown\n!\n");
    assert!(device(&plain).tunnels.items[0].encrypted.value.is_false());
}

#[test]
fn l2tp_users_have_a_password_and_a_group_secret_and_no_second_factor() {
    let text = whole(&format!(
        "{V1}ike policy a peer any key KANARI-1 p\nipsec dynamic-map m sec q\nppp profile u\n  authentication request chap\n  authentication password hana KANARI-2\n  ipcp provide-ip-address range 192.168.1.8 192.168.1.9\n!\nppp profile isp\n  authentication myname x@isp.example\n  authentication password x@isp.example KANARI-3\n!\ninterface Tunnel0.0\n  ppp binding u\n  tunnel mode l2tp-lns ipsec\n  ipsec policy transport m\n  no shutdown\n!\n{}",
        WAN.replace("  ip napt enable", "  ppp binding isp")
    ));
    let d = device(&text);
    let ra = &d.remote_access.items[0];
    assert_eq!((ra.kind, ra.paths.items.len()), ("l2tp_ipsec", 1));
    assert!(ra.live.value().value.is_true());
    assert!(ra.idle_s.get().is_none(), "no default was found");
    assert!(matches!(ra.pool.get(), Some(AddrExpr::Range(..))));
    assert_eq!(line(&text, &ra.paths.items[0].factors[0].required.origin), "authentication request chap");
    assert!(d.tunnels.items.is_empty());
    let kinds: Vec<_> = d.accounts.items.iter().filter(|a| a.kind != AccountKind::Admin).map(|a| (a.name.as_str(), a.kind)).collect();
    assert_eq!(kinds, [("hana", AccountKind::VpnUser), ("x@isp.example", AccountKind::OutboundClient)]);
}

#[test]
fn passwords_are_readable_hashed_or_missing() {
    let of = |words: &str| {
        let d = device(&whole(&format!("username u password {words} administrator\n")));
        (d.secrets.items[0].value.expose().to_owned(), d.secrets.items[0].storage.clone())
    };
    assert!(matches!(of("plain KANARI-1"), (v, Storage::Clear) if v == "KANARI-1"));
    assert!(matches!(of("plain 1 KANARI-1"), (v, Storage::Clear) if v == "KANARI-1"));
    assert!(matches!(of("plain 1"), (v, Storage::Clear) if v == "1"));
    assert!(matches!(of("hash KANARI-1"), (_, Storage::Hash { weak, .. }) if weak.get().is_none()));
    assert!(matches!(of("secret KANARI-1"), (_, Storage::Opaque)));
}

#[test]
fn without_accounts_the_console_is_open_and_the_network_unknown() {
    let d = device(&whole("telnet-server ip enable\n"));
    let paths = &d.admin_paths.items;
    assert!(paths[0].live.value.is_true() && paths[0].listeners.is_empty() && paths[0].factors.is_empty());
    assert!(paths[1].live.value.tri().is_none() && !paths[1].listeners.is_empty());
    let part = device("telnet-server ip enable\n");
    assert!(part.admin_paths.items.is_empty());
}

#[test]
fn logs_leave_the_router_only_with_switch_and_host() {
    let live = |lines: &str| device(&whole(lines)).logging.expect("logging").targets.items.first().map(|t| t.live.value.tri());
    assert_eq!(live("syslog ip enable\nsyslog ip host 192.0.2.5\n"), Some(Some(true)));
    assert_eq!(live("syslog ip host 192.0.2.5\n"), Some(Some(false)));
    assert_eq!(live("syslog ip enable\n"), None);
    assert!(device(&whole("")).logging.expect("logging").on.get().is_none(), "no default was found");
}

#[test]
fn a_watch_group_keeps_a_tunnel_up_only_where_it_is_monitored() {
    let of = |monitor: &str| {
        let text = format!(
            "watch-group g 10\n  event 10 ip unreach-host 10.0.0.1 Tunnel0.0\n!\n{monitor}{V2}interface Tunnel0.0\n  tunnel mode ipsec-ikev2\n{V2_PEER}  no shutdown\n!\n"
        );
        device(&whole(&text)).tunnels.items.remove(0).keepers.iter().any(|k| k.code == "keeper.watch_group")
    };
    assert!(of("network-monitor g enable\n"));
    assert!(!of(""));
}

#[test]
fn every_position_of_a_secret_is_masked() {
    let lines = [
        "username u password plain 1 KANARI administrator",
        "username u password hash KANARI administrator",
        "http-server username u secret-password KANARI",
        "ike policy p peer any key KANARI mode aggressive x",
        "ike policy p peer any key secret KANARI x",
        "ike policy p peer any mode aggressive key KANARI x",
        "ike policy p key-type char peer any key KANARI",
        "ikev2 authentication psk id keyid x key char KANARI",
        "snmp-agent ip community KANARI mgmt",
        "snmp-agent ip host 192.0.2.1 KANARI version 2",
        "snmpv3 user u group g auth sha plain KANARI",
        "radius host ip 192.0.2.1 auth-port 1812 key 0 KANARI",
        "nm account g password secret KANARI",
        "ppp profile p\n  authentication password u KANARI",
        "ppp profile p\n  authentication secret-password 1 u KANARI",
        "router bgp 65000\n  neighbor 192.0.2.1 password KANARI",
        "router ospf 1\n  area 0 virtual-link 192.0.2.1 message-digest-key 2 KANARI",
        "interface GigaEthernet0.0\n  ip ospf authentication-key KANARI",
        "no ike policy p peer any key KANARI",
        "no username u password plain KANARI",
    ];
    let grammar = grammar();
    for text in lines {
        let tree = parse(&grammar, FileId(0), text, 0..text.len());
        let hidden = secret_spans(&grammar, &tree).iter().any(|s| s.slice(text).contains("KANARI"));
        assert!(hidden, "{text}");
    }
}

#[test]
fn nothing_of_a_value_reaches_names_or_debug() {
    let d =
        device(&whole(&format!("{V1}username KANARIuser password plain ZZ-secret administrator\nike policy a peer any key ZZ-secret p\n")));
    assert!(!format!("{d:?}").contains("ZZ-secret"));
    assert!(matches!(d.accounts.items[0].live.value().value, Val::Known(true)));
}
