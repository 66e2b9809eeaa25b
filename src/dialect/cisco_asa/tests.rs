//! Small exports lowered, facts and places asserted.

use crate::dialect::{Dialect, Input, grammar::Grammar, parse, read, secret_spans};
use crate::ir::Device;
use crate::ir::account::{AccountKind, Factory, Storage};
use crate::ir::fact::Origin;
use crate::ir::filter::{AddrExpr, Filter, Guard, Hook, Stage, SvcExpr, Verdict};
use crate::ir::interface::{SidePointer, SignStrength};
use crate::ir::listener::{Limit, Listener};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{FactorKind, RemoteAccess, Starts, TunnelAuth};
use crate::source::FileId;

/// A header and an end, so that the export is whole.
fn whole(version: &str, body: &str) -> String {
    format!(
        "ASA Version {version}\nhostname fw\ninterface Ethernet0/0\n nameif outside\n security-level 0\n ip address 203.0.113.2 255.255.255.0\ninterface Ethernet0/1\n nameif inside\n security-level 100\n ip address 192.168.1.1 255.255.255.0\nmtu inside 1500\ntimeout xlate 3:00:00\ntelnet timeout 5\n{body}Cryptochecksum:0\n: end\n"
    )
}

fn lowered(text: &str) -> Device {
    let dialect = super::CiscoAsa;
    let grammar = Grammar::load(dialect.grammar_text()).expect("grammar");
    let tree = parse(&grammar, FileId(0), text, 0..text.len());
    let input = Input { tree: &tree, grammar: &grammar, range: 0..text.len() };
    let mut devices = read(&dialect, &input);
    assert_eq!(devices.len(), 1);
    devices.remove(0)
}

fn device(version: &str, body: &str) -> (String, Device) {
    let text = whole(version, body);
    let device = lowered(&text);
    (text, device)
}

fn lines<'t>(text: &'t str, origin: &Origin) -> Vec<&'t str> {
    let line = |at: usize| {
        let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
        let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
        text[start..end].trim()
    };
    origin.spans().iter().map(|s| line(s.start as usize)).collect()
}

fn listener<'d>(device: &'d Device, service: &str) -> &'d Listener {
    device.listeners.iter().find(|l| l.service == service).unwrap_or_else(|| panic!("no listener {service}"))
}

fn table(device: &Device) -> &Filter {
    device.filters.iter().find(|f| f.name == "access-group").expect("table")
}

fn group<'d>(device: &'d Device, name: &str) -> &'d RemoteAccess {
    device.remote_access.iter().find(|r| r.name == name).unwrap_or_else(|| panic!("no group {name}"))
}

const WEB: &str = "webvpn\n enable outside\n anyconnect enable\n tunnel-group-list enable\n";

#[test]
fn identity_comes_from_the_version_line_and_the_header() {
    let text = format!(": Hardware:   ASA5516, 8192 MB RAM\n{}", whole("9.12(4)67", ""));
    let device = lowered(&text);
    let version = device.identity.version.expect("version");
    assert_eq!((version.parts, device.identity.model.as_deref()), (vec![9, 12, 4, 67], Some("ASA5516")));
    assert!(device.completeness.gaps.is_empty());
}

#[test]
fn a_managed_box_keeps_its_logins_to_its_manager() {
    let text = whole("9.0(1)", "http server enable\nhttp 0.0.0.0 0.0.0.0 outside\n").replace("ASA Version 9.0(1)", "NGFW Version 7.2.5");
    let device = lowered(&text);
    assert_eq!(device.identity.lifecycle_key, "cisco.ftd");
    assert!(device.completeness.gaps.contains_key("accounts"));
    assert!(device.admin_paths.items.is_empty(), "the enable password opens nothing there");
}

#[test]
fn an_excerpt_proves_nothing_by_what_it_lacks() {
    let device = lowered("http server enable\nhttp 192.0.2.0 255.255.255.0 inside\n");
    assert!(device.completeness.gaps.contains_key("logging"));
    assert!(device.logging.expect("logging").on.get().is_none());
}

#[test]
fn levels_and_routes_are_signs_but_a_management_route_is_weak() {
    let (_, device) = device(
        "9.12(4)67",
        "interface Management0/0\n management-only\n nameif mgmt\n security-level 0\n ip address 10.0.0.1 255.255.255.0\nroute outside 0.0.0.0 0.0.0.0 203.0.113.1 1\nroute mgmt 0.0.0.0 0.0.0.0 10.0.0.254 1\nroute inside 0.0.0.0 0.0.0.0 192.168.1.9 tunneled\n",
    );
    let strong = |name: &str, to: SidePointer| {
        let interface = device.interfaces.iter().find(|i| i.name == name).expect("interface");
        interface.signs.iter().filter(|s| s.strength == SignStrength::Strong && s.points_to == to).count()
    };
    assert_eq!(strong("outside", SidePointer::Untrusted), 2);
    assert_eq!((strong("mgmt", SidePointer::Untrusted), strong("inside", SidePointer::Untrusted)), (0, 0));
}

#[test]
fn sources_of_management_are_the_lines_of_the_service() {
    let (text, device) =
        device("9.12(4)67", "http server enable 8443\nhttp 198.51.100.0 255.255.255.0 outside\nhttp 0.0.0.0 0.0.0.0 outside\n");
    let https = listener(&device, "https");
    let Limit::Sources { admits, .. } = &https.limits else { panic!("sources") };
    assert_eq!(lines(&text, &admits.origin), ["http 198.51.100.0 255.255.255.0 outside", "http 0.0.0.0 0.0.0.0 outside"]);
    assert!(matches!(admits.get(), Some(AddrExpr::Union(list)) if matches!(list[1], AddrExpr::AnyV4)));
    assert_eq!(https.ports.get().expect("ports")[0].dst_ports, [(8443, 8443)]);
    assert!(https.live.value().value.is_true());
}

#[test]
fn source_lines_without_the_server_do_not_listen() {
    let (_, device) = device("9.12(4)67", "http 0.0.0.0 0.0.0.0 outside\n");
    assert!(listener(&device, "https").live.value().value.is_false());
}

#[test]
fn telnet_is_refused_on_the_lowest_level_only() {
    let (_, device) = device("9.12(4)67", "telnet 0.0.0.0 0.0.0.0 outside\ntelnet 192.168.1.0 255.255.255.0 inside\n");
    let bound: Vec<bool> = device.listeners.iter().filter(|l| l.service == "telnet").map(|l| l.bindings[0].bound.value.is_true()).collect();
    assert_eq!(bound, [false, true]);
}

#[test]
fn names_stand_for_addresses() {
    let (_, device) = device("9.12(4)67", "name 198.51.100.9 office\nssh office 255.255.255.255 outside\n");
    let Limit::Sources { admits, .. } = &listener(&device, "ssh").limits else { panic!("sources") };
    let office: std::net::IpAddr = "198.51.100.9".parse().expect("address");
    assert!(matches!(admits.get(), Some(AddrExpr::Union(list)) if matches!(list[0], AddrExpr::Masked(a, _) if a == office)));
}

#[test]
fn entries_are_read_with_ports_groups_and_options() {
    let (text, device) = device(
        "9.12(4)67",
        "object network A\n host 192.168.1.9\nobject-group service P tcp\n port-object eq www\n port-object range 8000 8001\naccess-list L remark x\naccess-list L extended permit tcp any object A object-group P time-range T\naccess-list L extended deny udp host 192.0.2.1 eq domain any4 neq 53 log disable\naccess-list L extended permit ip any any inactive\naccess-list L extended permit frob any any\naccess-group L in interface outside\n",
    );
    let rules = &table(&device).rules;
    let term = |ix: usize| match rules[ix].svc.get() {
        Some(SvcExpr::Term(t)) => t.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(term(0).dst_ports, [(80, 80), (8000, 8001)]);
    assert!(matches!(rules[0].guards[0], Guard::Schedule(_)));
    assert_eq!(rules[0].label, "L line 2", "remarks count");
    assert_eq!((term(1).src_ports, term(1).dst_ports), (vec![(53, 53)], vec![(0, 52), (54, 65535)]));
    assert!(rules[2].live.value().value.is_false());
    assert_eq!(lines(&text, &rules[2].live.own.origin), ["access-list L extended permit ip any any inactive"]);
    assert!(rules[3].src.get().is_none() && !rules[3].guards.is_empty(), "an entry nobody can read may match or not");
}

#[test]
fn a_global_list_follows_the_lists_of_interfaces() {
    let (_, device) = device(
        "9.12(4)67",
        "access-list IN extended deny tcp any any eq telnet\naccess-list ALL extended permit ip any any\naccess-group IN in interface outside\naccess-group ALL global\n",
    );
    let labels: Vec<&str> = table(&device).rules.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(labels, ["IN line 1", "ALL line 1"]);
    assert_eq!(table(&device).default.get(), Some(&Verdict::Drop));
    assert!(!device.filters.iter().any(|f| f.name.starts_with("security-level")), "no level rules beside a global list");
}

#[test]
fn filters_see_addresses_before_the_translation_until_8_3() {
    let order = |version: &str| {
        let (_, device) = device(version, "");
        matches!(device.pipeline.through[0], Stage::Filter { hook: Hook::Forward, .. })
    };
    assert!(order("8.2(5)") && !order("8.3(1)"));
}

#[test]
fn translations_of_both_languages() {
    let (_, old) = device("8.0(4)", "static (inside,outside) tcp interface 3391 192.168.1.9 3389 netmask 255.255.255.255\n");
    let rule = &old.nat.rules[0];
    assert_eq!((rule.orig_svc[0].dst_ports[0], rule.to_port), ((3391, 3391), Some(3389)));
    let (_, new) = device(
        "9.12(4)67",
        "object network A\n host 192.168.1.9\nobject network A\n nat (inside,outside) static interface service tcp 3389 3391\nobject network B\n subnet 192.168.1.0 255.255.255.0\nobject network B\n nat (inside,outside) dynamic interface\nnat (inside,outside) source static B B destination static A A\n",
    );
    assert_eq!(new.nat.rules.len(), 1, "neither plain source translation nor identity publishes anything");
    assert_eq!((new.nat.rules[0].orig_svc[0].dst_ports[0], new.nat.rules[0].to_port), ((3391, 3391), Some(3389)));
    assert_eq!(new.nat.source_nat_on.len(), 1);
}

#[test]
fn a_control_plane_list_decides_after_the_permits_of_management() {
    let (_, device) = device(
        "9.12(4)67",
        "ssh 198.51.100.9 255.255.255.255 outside\naccess-list CP extended deny ip any any\naccess-group CP in interface outside control-plane\n",
    );
    let list = device.filters.iter().find(|f| f.name == "CP").expect("list");
    assert!(list.rules[0].generated && list.rules[0].label == "ssh");
    assert_eq!(list.attach[0].hook, Hook::Local);
    assert_eq!(list.default.get(), Some(&Verdict::Next));
}

#[test]
fn a_crypto_map_lives_where_it_is_bound_and_ike_answers() {
    let map = "access-list S extended permit ip any host 10.1.1.1\ncrypto map M 10 match address S\ncrypto map M 10 set peer 198.51.100.50\ncrypto map M 10 set ikev1 transform-set T\ncrypto ipsec ikev1 transform-set T esp-3des esp-md5-hmac\ntunnel-group 198.51.100.50 type ipsec-l2l\ntunnel-group 198.51.100.50 ipsec-attributes\n ikev1 pre-shared-key KANARI-key\n";
    let (_, dead) = device("9.12(4)67", map);
    assert!(dead.tunnels.items[0].live.value().value.is_false());
    let (_, deaf) = device("9.12(4)67", &format!("{map}crypto map M interface outside\n"));
    assert!(deaf.tunnels.items[0].live.value().value.is_false());
    let (text, device) = device("9.12(4)67", &format!("{map}crypto map M interface outside\ncrypto ikev1 enable outside\n"));
    let tunnel = &device.tunnels.items[0];
    assert!(tunnel.live.value().value.is_true());
    assert_eq!(tunnel.starts.get(), Some(&Starts::OnTraffic));
    assert_eq!(tunnel.auth.get(), Some(&vec![TunnelAuth::GroupPsk]));
    let crypto = tunnel.crypto.as_ref().expect("crypto");
    assert_eq!(crypto.offered.get(), Some(&vec!["3des", "md5"]));
    assert_eq!(lines(&text, &crypto.offered.origin), ["crypto ipsec ikev1 transform-set T esp-3des esp-md5-hmac"]);
    assert!(tunnel.enders.iter().any(|e| e.live.value.is_true()), "thirty idle minutes by default");
}

#[test]
fn policies_inherit_from_the_default_policy() {
    let body = format!(
        "{WEB}group-policy DfltGrpPolicy attributes\n vpn-idle-timeout none\ngroup-policy P internal\ngroup-policy P attributes\n vpn-tunnel-protocol ssl-client\ntunnel-group G type remote-access\ntunnel-group G general-attributes\n default-group-policy P\ntunnel-group G webvpn-attributes\n group-alias g enable\n"
    );
    let (text, device) = device("9.12(4)67", &body);
    let access = group(&device, "G");
    assert_eq!(access.idle_s.get(), Some(&1800), "none is not never for AnyConnect");
    assert!(lines(&text, &access.idle_s.origin).contains(&"vpn-idle-timeout none"));
    assert_eq!(access.session_s.get(), Some(&NEVER));
    assert!(access.live.value().value.is_true());
}

#[test]
fn what_a_group_asks_of_its_users() {
    let body = |attributes: &str, general: &str| {
        format!(
            "aaa-server R protocol radius\naaa-server S protocol sdi\n{WEB}group-policy DfltGrpPolicy attributes\n vpn-tunnel-protocol ssl-client\ntunnel-group G type remote-access\ntunnel-group G general-attributes\n address-pool P\n{general}tunnel-group G webvpn-attributes\n group-alias g enable\n{attributes}"
        )
    };
    let kinds = |attributes: &str, general: &str| {
        let (_, device) = device("9.12(4)67", &body(attributes, general));
        let path = &group(&device, "G").paths.items[0];
        path.factors.iter().map(|f| (f.kind, f.required.value.tri())).collect::<Vec<_>>()
    };
    assert_eq!(kinds("", ""), [(FactorKind::Password, Some(true))]);
    assert_eq!(kinds(" authentication certificate\n", ""), [(FactorKind::ClientCert, Some(true))]);
    assert_eq!(kinds(" authentication saml\n", ""), [(FactorKind::Delegated, Some(true))]);
    let radius = kinds("", " authentication-server-group R\n");
    assert_eq!(radius[1], (FactorKind::OneTime, None), "whether the server asks for more cannot be told");
    assert_eq!(kinds("", " authentication-server-group S LOCAL\n")[1], (FactorKind::OneTime, Some(true)));
    assert_eq!(kinds("", " secondary-authentication-server-group LOCAL\n").len(), 1, "a second password is no second factor");
}

#[test]
fn the_default_group_takes_whoever_names_none_unless_its_policy_admits_nobody() {
    let (_, open) = device("9.12(4)67", &format!("{WEB}group-policy DfltGrpPolicy attributes\n vpn-tunnel-protocol ssl-client\n"));
    assert!(group(&open, "DefaultWEBVPNGroup").live.value().value.is_true());
    let (_, shut) = device(
        "9.12(4)67",
        &format!("{WEB}group-policy DfltGrpPolicy attributes\n vpn-simultaneous-logins 0\n vpn-tunnel-protocol ssl-client\n"),
    );
    assert!(group(&shut, "DefaultWEBVPNGroup").live.value().value.is_false());
}

#[test]
fn a_group_without_alias_address_or_key_is_not_reached() {
    let (_, device) =
        device("9.12(4)67", &format!("{WEB}tunnel-group G type remote-access\ntunnel-group G general-attributes\n address-pool P\n"));
    assert!(group(&device, "G").live.value().value.is_false());
}

#[test]
fn aggressive_mode_is_open_until_a_line_closes_it() {
    let body = "crypto dynamic-map D 1 set transform-set T\ncrypto map M 65535 ipsec-isakmp dynamic D\ncrypto map M interface outside\ncrypto ikev1 enable outside\ntunnel-group G type remote-access\ntunnel-group G ipsec-attributes\n ikev1 pre-shared-key *****\n";
    let (_, open) = device("9.12(4)67", body);
    assert!(group(&open, "G").aggressive_psk.value.is_true());
    let (text, shut) = device("9.12(4)67", &format!("{body}crypto ikev1 am-disable\n"));
    assert!(group(&shut, "G").aggressive_psk.value.is_false());
    assert_eq!(lines(&text, &group(&shut, "G").aggressive_psk.origin), ["crypto ikev1 am-disable"]);
}

#[test]
fn passwords_by_the_form_they_are_stored_in() {
    let (_, device) = device(
        "9.12(4)67",
        "enable password 8Ry2YjIyt7RRXU24 encrypted\naaa authentication ssh console LOCAL\nssh 192.168.1.0 255.255.255.0 inside\nhttp server enable\nhttp 192.168.1.0 255.255.255.0 inside\nusername a password KANARI0000000001 encrypted privilege 15\nusername b password $sha512$5000$KANARI== pbkdf2\nusername c password KANARI-clear\nusername d password ***** pbkdf2\nusername e nopassword\nusername v password KANARI-v nt-encrypted\nusername v attributes\n service-type remote-access\n",
    );
    let storage = |owner: &str| &device.secrets.iter().find(|s| s.owner == owner).expect("secret").storage;
    assert!(matches!(storage("a"), Storage::Hash { weak, comparable: false } if weak.value.is_true()));
    assert!(matches!(storage("b"), Storage::Hash { weak, .. } if weak.value.is_false()));
    assert!(matches!(storage("c"), Storage::Clear));
    assert!(matches!(storage("d"), Storage::Masked));
    assert!(matches!(storage("v"), Storage::Hash { comparable: true, .. }));
    assert!(matches!(storage("enable"), Storage::Empty));
    let account = |name: &str| device.accounts.iter().find(|a| a.name == name).expect("account");
    assert_eq!(account("enable_15").factory.get(), Some(&Factory::NameAndSecret));
    assert_eq!(account("v").kind, AccountKind::VpnUser);
    let path = device.admin_paths.iter().find(|p| p.principal == "e").expect("path");
    assert!(path.factors.is_empty());
}

#[test]
fn old_ssh_has_a_fixed_user_and_new_ssh_has_none() {
    let body = "passwd KANARI0000000002 encrypted\nssh 0.0.0.0 0.0.0.0 outside\n";
    let has = |version: &str| device(version, body).1.admin_paths.iter().any(|p| p.principal == "pix");
    assert!(has("8.0(4)") && !has("9.12(4)67"));
}

#[test]
fn a_host_without_trap_level_gets_no_log() {
    let (_, silent) = device("9.12(4)67", "logging enable\nlogging host inside 192.168.1.9\n");
    assert!(silent.logging.expect("logging").targets.items[0].live.value.is_false());
    let (_, sends) = device("9.12(4)67", "logging enable\nlogging trap warnings\nlogging host inside 192.168.1.9\n");
    let logging = sends.logging.expect("logging");
    assert!(logging.targets.items[0].live.value.is_true());
    assert!(logging.vpn_events.value.is_false(), "logins are of level 6");
}

#[test]
fn every_secret_of_a_text_is_hidden() {
    let text = "enable password KANARI1 encrypted\nusername u password KANARI2 encrypted privilege 15\naaa-server G (inside) host 192.0.2.1\n key KANARI3\nsnmp-server host inside 192.0.2.2 poll community KANARI4 version 2c\nsnmp-server user u g v3 encrypted auth sha KANARI5 priv aes 128 KANARI6\ntunnel-group T ipsec-attributes\n ikev1 pre-shared-key KANARI7\n ikev2 local-authentication pre-shared-key KANARI8\nvpdn username u password KANARI9\nfailover key KANARI10\nkey KANARI11\nntp authentication-key 1 md5 KANARI12\n";
    let grammar = Grammar::load(super::CiscoAsa.grammar_text()).expect("grammar");
    let tree = parse(&grammar, FileId(0), text, 0..text.len());
    let hidden: Vec<&str> = secret_spans(&grammar, &tree).into_iter().map(|s| s.slice(text)).collect();
    for n in 1..=12 {
        assert!(hidden.iter().any(|h| *h == format!("KANARI{n}")), "KANARI{n} of {hidden:?}");
    }
}
