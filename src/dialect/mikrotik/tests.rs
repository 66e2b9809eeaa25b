//! Lowering of small exports: values and the lines they rest on.

use super::*;
use crate::dialect::{grammar::Grammar, parse, read, secret_spans};
use crate::ir::account::{AccountKind, Storage};
use crate::ir::fact::{Rest, Val};
use crate::ir::filter::{AddrExpr, Filter, Guard, IfMatch, SvcExpr, Verdict};
use crate::ir::interface::SidePointer;
use crate::ir::listener::{Limit, Listener};
use crate::ir::tunnel::{FactorKind, Starts, Tunnel, TunnelRole};
use crate::source::FileId;

mod listen;
mod vpn;

const HEADER: &str = "# 2026-01-13 12:51:42 by RouterOS 7.20.2\n# software id = KNR1-0000\n#\n# model = RB5009UG+S+\n";
const LINES: &str = "/interface bridge\nadd name=lan\n/interface list\nadd name=WAN\nadd name=LAN\n/interface list member\nadd interface=ether1 list=WAN\nadd interface=lan list=LAN\n/ip address\nadd address=192.168.1.1/24 interface=lan\nadd address=203.0.113.2/28 interface=ether1\n";

fn grammar() -> Grammar {
    Grammar::load(IMPLEMENTATION.grammar_text()).expect("grammar")
}
/// A whole export of 7.20 with two interfaces and these lines.
fn whole(lines: &str) -> String {
    format!("{HEADER}{LINES}{lines}\n/system identity\nset name=gw\n")
}
/// The same of a release 6, which prints secrets.
fn older(lines: &str) -> String {
    whole(lines).replace("7.20.2", "6.49.10")
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
fn filter<'d>(device: &'d Device, name: &str) -> &'d Filter {
    device.filters.iter().find(|f| f.name == name).expect("filter")
}
fn ix(device: &Device, name: &str) -> crate::ir::interface::InterfaceIx {
    crate::ir::interface::InterfaceIx(device.interfaces.iter().position(|i| i.name == name).expect("interface") as u32)
}
fn on(fact: &Fact<bool>) -> Option<bool> {
    fact.value.tri()
}

#[test]
fn the_header_names_release_and_model() {
    let d = device(&whole(""));
    assert_eq!(d.identity.version.as_ref().map(|v| v.parts.clone()), Some(vec![7, 20, 2]));
    assert_eq!(d.identity.model.as_deref(), Some("RB5009UG+S+"));
    assert_eq!(d.name, "gw");
    let collector = "# version: 7.15.2 (stable)\n# board-name: L009UiGS\n".to_owned() + LINES + "/system identity\nset name=b\n";
    let d = device(&collector);
    assert_eq!(d.identity.version.map(|v| v.text).as_deref(), Some("7.15.2"));
    assert_eq!(d.identity.model.as_deref(), Some("L009UiGS"));
    let dateless = whole("").replacen("2026-01-13 12:51:42 by RouterOS", "RouterOS", 1);
    assert_eq!(device(&dateless).identity.version.map(|v| v.text).as_deref(), Some("7.20.2"));
}

#[test]
fn a_section_and_a_paste_prove_no_absence() {
    let whole = device(&whole(""));
    assert_eq!(whole.completeness.form, ExportForm::Full);
    assert!(whole.completeness.gaps.contains_key("accounts"), "users never stand in an export");
    assert!(!whole.completeness.gaps.contains_key("listeners"));
    let section = device(&format!("{HEADER}/ip firewall filter\nadd action=drop chain=input\n"));
    assert_eq!(section.completeness.form, ExportForm::Section);
    assert!(section.completeness.gaps.contains_key("objects"), "one menu shows no other");
    assert_eq!(on(&listener(&section, "telnet").live.value()), None);
    let menus = device(&format!(
        "{HEADER}/ip firewall filter\nadd action=drop chain=input\n/ip firewall nat\nadd action=masquerade chain=srcnat\n"
    ));
    assert!(!menus.completeness.gaps.contains_key("objects"));
    let paste = device("/ip firewall filter\nadd action=drop chain=input\n");
    assert_eq!(paste.completeness.form, ExportForm::Excerpt);
}

#[test]
fn an_export_cut_within_a_line_is_an_excerpt() {
    let text = whole("");
    let cut = &text[..text.find("203.0.113.2").expect("address") + 5];
    assert_eq!(device(cut).completeness.form, ExportForm::Excerpt);
    // Pasted without its last line end, but with its last menus.
    assert_eq!(device(text.trim_end()).completeness.form, ExportForm::Full);
}

#[test]
fn a_name_that_nothing_defines_shows_that_lines_were_cut() {
    let d = device(&whole("/ip firewall nat\nadd action=masquerade chain=srcnat out-interface=vlan12-servers"));
    assert!(d.completeness.gaps.contains_key("interfaces"));
    let servers = d.interfaces.iter().find(|i| i.name == "vlan12-servers").expect("interface");
    assert!(servers.signs.is_empty() && !servers.addresses.is_empty());
    // Ports without changes stand in no export; what was removed stands there by its number.
    for name in ["ether5", "sfp-sfpplus1", "qsfp28-1-1", "wlan1", "*F00081", "lo"] {
        let d = device(&whole(&format!("/ip firewall nat\nadd action=masquerade chain=srcnat out-interface={name}")));
        assert!(!d.completeness.gaps.contains_key("interfaces"), "{name}");
    }
}

#[test]
fn menus_that_failed_to_export_are_gaps() {
    for comment in ["#error exporting /ip firewall filter", "#error exporting \"/ip/firewall/filter\" (timeout)"] {
        let d = device(&whole(comment));
        assert!(d.completeness.gaps.contains_key("local_filter"), "{comment}");
    }
    assert!(!device(&whole("#error exporting /interface bridge calea")).completeness.gaps.contains_key("interfaces"));
}

#[test]
fn signs_of_the_sides() {
    let text =
        whole("/ip dhcp-client\nadd interface=ether9\nadd add-default-route=no interface=ether8\n/ip route\nadd gateway=203.0.113.1\n");
    let d = device(&text);
    let signs = |name: &str| d.interfaces[ix(&d, name).0 as usize].signs.iter().map(|s| (s.code, s.points_to)).collect::<Vec<_>>();
    assert!(signs("ether1").contains(&("sign.default_route", SidePointer::Untrusted)));
    assert!(signs("ether1").contains(&("sign.list_outside", SidePointer::Untrusted)));
    assert_eq!(signs("lan"), [("sign.list_inside", SidePointer::Trusted)]);
    let strength = |name: &str| d.interfaces[ix(&d, name).0 as usize].signs.first().map(|s| s.strength);
    assert!(strength("ether9") > strength("ether8"), "a client that takes no default route may stand on any line");
}

#[test]
fn lists_include_exclude_and_keep_their_own_members() {
    let d = device(&whole(
        "/interface list\nadd include=all name=every\nadd exclude=LAN include=all name=not-lan\nadd exclude=WAN include=all name=odd\n/interface list member\nadd interface=ether1 list=odd\n/ip firewall filter\nadd chain=input action=accept in-interface-list=every\nadd chain=input action=drop in-interface-list=not-lan\nadd chain=input action=drop in-interface-list=odd\nadd chain=input action=drop in-interface-list=!LAN\nadd chain=input action=drop in-interface-list=!every",
    ));
    let rules = &filter(&d, "input").rules;
    let covers = |n: usize, name: &str| rules[n].ingress.covers(ix(&d, name));
    assert_eq!((covers(0, "ether1"), covers(0, "lan")), (Some(true), Some(true)));
    assert_eq!((covers(1, "ether1"), covers(1, "lan")), (Some(true), Some(false)));
    assert_eq!(covers(2, "ether1"), Some(true), "a member of its own beats exclude");
    assert_eq!((covers(3, "ether1"), covers(3, "lan")), (Some(true), Some(false)));
    assert_eq!((covers(4, "ether1"), covers(4, "lan")), (Some(false), Some(false)), "drops nothing");
}

#[test]
fn words_for_all_interfaces_of_a_kind_are_no_names() {
    let d = device(&whole(
        "/interface pppoe-client\nadd disabled=no interface=ether3 name=line\n/interface l2tp-client\nadd connect-to=192.0.2.1 name=out user=x\n/ip firewall filter\nadd action=drop chain=input in-interface=all-ppp\nadd action=drop chain=input in-interface=!all-ethernet",
    ));
    assert!(d.interfaces.iter().all(|i| !i.name.starts_with("all")));
    let rules = &filter(&d, "input").rules;
    let covers = |n: usize, name: &str| rules[n].ingress.covers(ix(&d, name));
    assert_eq!((covers(0, "line"), covers(0, "out"), covers(0, "ether1")), (Some(true), Some(true), Some(false)));
    assert_eq!((covers(1, "line"), covers(1, "ether1")), (Some(true), Some(false)));
}

#[test]
fn a_chain_ends_in_accept_by_a_documented_default() {
    let text = whole("/ip firewall filter\nadd action=drop chain=input in-interface=ether1 protocol=tcp dst-port=23");
    let d = device(&text);
    let input = filter(&d, "input");
    assert_eq!(input.default.get(), Some(&Verdict::Accept));
    assert!(matches!(input.default.origin, Origin::Default(_)));
    assert!(d.filters.iter().all(|f| f.name != "forward"), "no rows, no filter");
    assert!(matches!(&input.rules[0].svc.get(), Some(SvcExpr::Union(_))));
    assert_eq!(line(&text, &input.rules[0].verdict.origin), "drop");
}

#[test]
fn jumps_are_written_out_in_place() {
    let d = device(&whole(
        "/ip firewall filter\nadd action=jump chain=input in-interface=ether1 jump-target=wan\nadd action=drop chain=input\nadd action=accept chain=wan protocol=tcp dst-port=22 comment=ssh\nadd action=return chain=wan protocol=icmp\nadd action=drop chain=wan\nadd action=jump chain=loop jump-target=loop",
    ));
    let input = filter(&d, "input");
    let labels: Vec<&str> = input.rules.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(labels, ["ssh", "wan #3", "input #2"]);
    assert_eq!(input.rules[0].ingress, IfMatch::These(vec![ix(&d, "ether1")]));
    assert!(matches!(input.rules[1].guards[..], [Guard::Unmodelled(..)]), "what returned does not meet it");
}

#[test]
fn conditions_a_stranger_cannot_meet_are_guards() {
    let d = device(&whole(
        "/ip firewall filter\nadd action=accept chain=input connection-state=established,related,untracked\nadd action=accept chain=input connection-state=!invalid\nadd action=accept chain=input ipsec-policy=in,ipsec\nadd action=accept chain=input dst-address=127.0.0.1\nadd action=drop chain=input limit=10,5:packet\nadd action=accept chain=input limit=10,5:packet\nadd action=accept chain=input routing-mark=x",
    ));
    let rules = &filter(&d, "input").rules;
    assert!(matches!(rules[0].guards[..], [Guard::Established(_)]));
    assert!(rules[1].guards.is_empty(), "a new connection is not invalid");
    assert!(matches!(rules[2].guards[..], [Guard::Decrypted(_)]));
    assert!(matches!(rules[3].dst.get(), Some(AddrExpr::Nothing)), "no packet from outside has that address");
    assert!(matches!(rules[4].guards[..], [Guard::Established(_)]), "an attacker stays below the limit");
    assert!(rules[5].guards.is_empty());
    assert!(matches!(&rules[6].guards[..], [Guard::Unmodelled(_, what)] if what == "routing-mark"));
}

#[test]
fn an_address_list_without_members_matches_nothing_unless_something_fills_it() {
    let text = whole(
        "/ip firewall address-list\nadd address=198.51.100.4 list=maker\nadd address=support.example.jp list=names\nadd address=192.0.2.1 disabled=yes list=off\n/ip firewall filter\nadd action=add-src-to-address-list address-list=knock chain=input dst-port=7000 protocol=tcp\nadd action=accept chain=input src-address-list=maker\nadd action=accept chain=input src-address-list=names\nadd action=accept chain=input src-address-list=knock\nadd action=accept chain=input src-address-list=nobody\nadd action=accept chain=input src-address-list=off",
    );
    let d = device(&text);
    let value = |name: &str| d.addr_objects.iter().find(|o| o.name == name).and_then(|o| o.value.get());
    assert!(matches!(value("maker"), Some(AddrExpr::Range(..))));
    assert!(matches!(value("names"), Some(AddrExpr::Opaque(_))));
    assert!(matches!(value("knock"), Some(AddrExpr::Opaque(_))));
    assert!(matches!(value("off"), Some(AddrExpr::Nothing)));
    assert!(matches!(filter(&d, "input").rules[4].src.get(), Some(AddrExpr::Nothing)));
    let missing: Vec<&str> = d.undefined.iter().map(|u| u.name.as_str()).collect();
    assert_eq!(missing, ["nobody"]);
}

#[test]
fn rows_that_are_not_dstnat_spare_translated_packets() {
    let text = whole(
        "/ip firewall nat\nadd action=dst-nat chain=dstnat comment=web dst-port=8443 in-interface-list=WAN protocol=tcp to-addresses=192.168.1.9 to-ports=443\nadd action=redirect chain=dstnat dst-port=53 in-interface=lan protocol=udp\nadd action=dst-nat chain=dstnat disabled=yes to-addresses=192.168.1.8\n/ip firewall filter\nadd action=drop chain=forward connection-nat-state=!dstnat connection-state=new in-interface-list=WAN\nadd action=accept chain=forward connection-nat-state=dstnat",
    );
    let d = device(&text);
    let rules = &filter(&d, "forward").rules;
    assert_eq!(on(&rules[0].nat.plain_sees_translated), Some(false));
    assert_eq!(rules[1].nat.via.len(), 3);
    let web = &d.nat.rules[0];
    assert_eq!((web.name.as_str(), web.to_port), ("web", Some(443)));
    assert_eq!(line(&text, &web.to.origin), "192.168.1.9");
    assert!(matches!(d.nat.rules[1].to.get(), Some(AddrExpr::SelfAddrs)));
    assert_eq!(on(&d.nat.rules[2].live.value()), Some(false));
}

#[test]
fn a_port_alone_is_translated_on_the_way_to_the_same_address() {
    let to = |row: &str| {
        let d = device(&whole(&format!("/ip firewall nat\nadd action=dst-nat chain=dstnat dst-port=80 protocol=tcp to-ports=3052 {row}")));
        d.nat.rules[0].to.get().cloned()
    };
    assert!(matches!(to("dst-address=192.168.1.40"), Some(AddrExpr::Range(..))));
    assert!(matches!(to(""), Some(AddrExpr::SelfAddrs)));
}

#[test]
fn a_6to4_tunnel_brings_no_ipv4() {
    let d = device(&whole(
        "/interface 6to4\nadd name=he remote-address=198.51.100.1\n/ip firewall nat\nadd action=dst-nat chain=dstnat dst-port=80 protocol=tcp to-addresses=192.168.1.9",
    ));
    assert_eq!(d.nat.rules[0].ingress.covers(ix(&d, "he")), Some(false));
    assert_eq!(d.nat.rules[0].ingress.covers(ix(&d, "ether1")), Some(true));
}

#[test]
fn ipv6_is_a_plane_of_its_own() {
    let d = device(&whole("/ipv6 address\nadd address=2001:db8::1 interface=ether1\n/ip firewall filter\nadd action=drop chain=input"));
    assert_eq!(d.interfaces[ix(&d, "ether1").0 as usize].ipv6.get(), Some(&true));
    let net = d.interfaces[ix(&d, "ether1").0 as usize].addresses.iter().find(|a| a.v6).and_then(|a| a.net.get().copied());
    assert_eq!(net.map(|n| n.prefix), Some(64));
    assert!(d.filters.iter().all(|f| !f.name.starts_with("ipv6")));
    let off = device(&whole("/ipv6 settings\nset disable-ipv6=yes\n/ipv6 address\nadd address=2001:db8::1/64 interface=ether1"));
    assert_eq!(on(&off.interfaces[ix(&off, "ether1").0 as usize].ipv6), Some(false));
}

#[test]
fn static_routes_say_who_stands_behind_an_interface() {
    let d = device(&whole(
        "/ip route\nadd dst-address=10.9.0.0/16 gateway=192.168.1.254\nadd dst-address=10.8.0.0/16 gateway=ether4\nadd disabled=yes dst-address=10.7.0.0/16 gateway=192.168.1.254\nadd gateway=203.0.113.1\n/ip address\nadd address=192.0.2.1/30 interface=ether4",
    ));
    let routed: Vec<(u32, String)> = d.routed.iter().map(|(i, n)| (i.0, n.addr.to_string())).collect();
    assert_eq!(routed, [(ix(&d, "lan").0, "10.9.0.0".to_owned()), (ix(&d, "ether4").0, "10.8.0.0".to_owned())]);
}

#[test]
fn every_secret_is_masked() {
    let text = whole(
        "/ppp secret\nadd name=a password=KANARI1\n/ip ipsec identity\nadd peer=p secret=\"KANARI\\\n    2\"\n/interface wireguard\nadd name=w private-key=\"KANARI3\"\n/snmp community\nset [ find default=yes ] name=KANARI4\n/system script\nadd name=s source=\":put KANARI5\"\n/user add name=x password=KANARI6",
    );
    let grammar = grammar();
    let tree = parse(&grammar, FileId(0), &text, 0..text.len());
    let hidden: Vec<&str> = secret_spans(&grammar, &tree).iter().map(|s| s.slice(&text)).collect();
    assert_eq!(hidden.iter().filter(|h| h.contains("KANARI")).count(), 6, "{hidden:?}");
}
