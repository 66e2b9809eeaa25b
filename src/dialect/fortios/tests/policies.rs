//! Policies, objects, virtual addresses.

use super::{complete, device, is_unverified, lines};
use crate::ir::device::Device;
use crate::ir::filter::{AddrExpr, Guard, IfMatch, OpaqueKind, Rule, RuleLog, SvcExpr, Verdict};
use crate::ir::interface::{SidePointer, SignStrength};
use crate::ir::nat::NatKind;

const INTERFACES: &str = "config system interface\nedit \"wan1\"\nset vdom \"root\"\nset role wan\nset ip 203.0.113.2 255.255.255.0\nnext\n\
edit \"internal\"\nset vdom \"root\"\nset ip 192.168.1.1 255.255.255.0\nnext\nend\n";

fn with(version: &str, body: &str) -> (String, Device) {
    let text = complete(version, &format!("{INTERFACES}{body}"));
    let device = device(&text);
    (text, device)
}

fn policy(attributes: &str) -> String {
    format!(
        "config firewall policy\nedit 7\nset srcintf \"wan1\"\nset dstintf \"internal\"\nset srcaddr \"all\"\nset dstaddr \"all\"\n\
set schedule \"always\"\nset service \"ALL\"\n{attributes}next\nend\n"
    )
}

fn first(device: &Device) -> &Rule {
    &device.filters.iter().find(|f| f.name == "firewall policy").expect("policy").rules[0]
}

#[test]
fn a_row_without_action_denies_in_both_tables() {
    let (_, d) = with("7.4.4", &policy(""));
    assert_eq!(first(&d).verdict.get(), Some(&Verdict::Drop));
    assert!(!is_unverified(&first(&d).verdict.origin));
    let local = "config firewall local-in-policy\nedit 1\nset intf \"wan1\"\nset srcaddr \"all\"\nset dstaddr \"all\"\nset service \"ALL\"\nset schedule \"always\"\nnext\nend\n";
    let (_, d) = with("7.4.4", local);
    let filter = &d.filters[0];
    assert_eq!(filter.rules[0].verdict.get(), Some(&Verdict::Drop));
    assert_eq!(filter.default.get(), Some(&Verdict::Next), "the implicit permit lies beneath");
}

#[test]
fn rows_count_from_the_top_whatever_their_ids() {
    let body = "config firewall policy\nedit 9\nset srcintf \"wan1\"\nset action accept\nnext\nedit 2\nset srcintf \"wan1\"\nnext\nend\n";
    let (_, d) = with("7.4.4", body);
    let labels: Vec<&str> = d.filters[2].rules.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(labels, ["9", "2"]);
    assert_eq!(d.filters[2].default.get(), Some(&Verdict::Drop));
}

#[test]
fn the_last_of_two_lines_for_one_attribute_counts() {
    let body = "config firewall policy\nedit 1\nset srcintf \"port0\"\nset srcintf \"wan1\"\nset dstintf \"internal\"\nset service \"\"HTTPS\" \"HTTP\"\nset action accept\nnext\nedit 2\nset srcintf \"internal\"\nnext\nend\n";
    let (_, d) = with("6.2.3", body);
    assert!(matches!(&d.filters[2].rules[0].ingress, IfMatch::These(list) if list.len() == 1));
    assert_eq!(d.filters[2].rules.len(), 2, "a stray quote swallows nothing");
    assert_eq!(d.undefined.items.len(), 0);
}

#[test]
fn negated_sources_are_everything_else() {
    let body = format!(
        "config firewall address\nedit \"bad\"\nset subnet 198.51.100.0 255.255.255.0\nnext\nend\n{}",
        policy("set srcaddr \"bad\"\nset srcaddr-negate enable\nset action accept\n")
    );
    let (text, d) = with("7.4.4", &body);
    assert!(matches!(first(&d).src.get(), Some(AddrExpr::Except(any, _)) if matches!(**any, AddrExpr::AnyV4)));
    assert!(lines(&text, &first(&d).src).contains(&"set srcaddr-negate enable"));
}

#[test]
fn an_address_without_subnet_is_every_address() {
    let body = "config firewall address\nedit \"server1\"\nset comment \"x\"\nnext\nedit \"none\"\nset subnet 0.0.0.0 255.255.255.255\nnext\n\
edit \"jp\"\nset type geography\nset country \"JP\"\nnext\nedit \"fabric\"\nset type dynamic\nnext\nedit \"site\"\nset type fqdn\nset fqdn \"www.example.jp\"\nnext\nend\n\
config firewall addrgrp\nedit \"not-jp\"\nset member \"server1\"\nset exclude enable\nset exclude-member \"jp\"\nnext\nend\n";
    let (_, d) = with("7.4.4", body);
    let value = |name: &str| d.addr_objects.iter().find(|o| o.name == name).and_then(|o| o.value.get().cloned()).expect("object");
    assert!(matches!(value("server1"), AddrExpr::AnyV4));
    assert!(matches!(value("none"), AddrExpr::Range(a, b) if a == b));
    assert!(matches!(value("jp"), AddrExpr::Opaque(o) if o.kind == OpaqueKind::Country && o.text == "JP"));
    assert!(matches!(value("site"), AddrExpr::Opaque(o) if o.kind == OpaqueKind::Fqdn));
    assert!(matches!(value("not-jp"), AddrExpr::Except(..)));
}

#[test]
fn services_read_ports_protocols_and_source_ports() {
    let body = "config firewall service custom\nedit \"RLOGIN\"\nset tcp-portrange 513:512-1023\nnext\nedit \"any\"\nset protocol IP\nnext\n\
edit \"esp\"\nset protocol IP\nset protocol-number 50\nnext\nedit \"echo\"\nset protocol ICMP\nset icmptype 8\nunset icmpcode\nnext\nend\n";
    let (_, d) = with("7.4.4", body);
    let value = |name: &str| d.svc_objects.iter().find(|o| o.name == name).and_then(|o| o.value.get().cloned()).expect("service");
    assert!(matches!(value("RLOGIN"), SvcExpr::Term(t) if t.dst_ports == [(513, 513)] && t.src_ports == [(512, 1023)]));
    assert!(matches!(value("any"), SvcExpr::Any));
    assert!(matches!(value("esp"), SvcExpr::Term(t) if t.protocol == Some(50)));
    assert!(matches!(value("echo"), SvcExpr::Term(t) if t.icmp == Some((8, None))));
}

#[test]
fn users_schedules_and_feeds_narrow_a_row() {
    let body = format!(
        "config firewall schedule recurring\nedit \"weekday\"\nset day monday tuesday\nset start 09:00\nset end 17:00\nnext\n\
edit \"whole\"\nset day sunday monday tuesday wednesday thursday friday saturday\nnext\nend\n{}",
        policy("set schedule \"weekday\"\nset groups \"vpn\"\nset action accept\n")
    );
    let (_, d) = with("7.4.4", &body);
    let guards = &first(&d).guards;
    assert!(guards.iter().any(|g| matches!(g, Guard::Users(_))) && guards.iter().any(|g| matches!(g, Guard::Schedule(_))));
    let (_, d) = with("7.4.4", &body.replace("set schedule \"weekday\"\nset groups \"vpn\"\n", "set schedule \"whole\"\n"));
    assert!(first(&d).guards.is_empty(), "a schedule of all days limits nothing");
}

#[test]
fn internet_services_are_opaque() {
    let (_, d) =
        with("7.4.4", &policy("set internet-service-src enable\nset internet-service-src-name \"Google-Web\"\nset action accept\n"));
    assert!(matches!(first(&d).src.get(), Some(AddrExpr::Opaque(o)) if o.kind == OpaqueKind::CloudService));
}

#[test]
fn logging_of_a_denial_by_security_functions_logs_nothing() {
    let (_, d) = with("7.4.4", &policy(""));
    assert_eq!(first(&d).log.get(), Some(&RuleLog::None));
    let (_, d) = with("7.4.4", &policy("set action accept\n"));
    assert_eq!(first(&d).log.get(), Some(&RuleLog::SecurityOnly));
    let (_, d) = with("7.4.4", &policy("set action accept\nset logtraffic all\n"));
    assert_eq!(first(&d).log.get(), Some(&RuleLog::Session));
}

const VIP: &str = "config firewall vip\nedit \"rdp\"\nset extintf \"wan1\"\nset portforward enable\nset mappedip \"192.168.1.10\"\nset extport 13389\nset mappedport 3389\nnext\n\
edit \"whole\"\nset extip 203.0.113.7\nset extintf \"any\"\nset mappedip \"192.168.1.11\"\nset src-filter 198.51.100.0/24\nnext\nend\n\
config firewall vipgrp\nedit \"both\"\nset interface \"wan1\"\nset member \"rdp\" \"whole\"\nnext\nend\n";

#[test]
fn a_virtual_address_acts_where_a_policy_names_it() {
    let (_, d) = with("7.4.4", &format!("{VIP}{}", policy("set dstaddr \"rdp\"\nset action accept\n")));
    let (rdp, whole) = (&d.nat.rules[0], &d.nat.rules[1]);
    assert_eq!((rdp.kind, rdp.to_port, rdp.needs_reference), (NatKind::PortForward, Some(3389), true));
    assert_eq!(rdp.orig_svc[0].dst_ports, [(13389, 13389)]);
    assert!(matches!(rdp.orig_dst.get(), Some(AddrExpr::SelfAddrs)));
    assert!(rdp.live.value().value.is_true() && whole.live.value().value.is_false());
    assert_eq!((whole.kind, whole.orig_svc.len()), (NatKind::OneToOne, 0));
    assert!(matches!(whole.src.get(), Some(AddrExpr::Range(..))));
    assert_eq!(first(&d).nat.via.len(), 1);
    let (_, d) = with("7.4.4", &format!("{VIP}{}", policy("set dstaddr \"both\"\nset action accept\nset status disable\n")));
    assert_eq!(first(&d).nat.via.len(), 2);
    assert!(d.nat.rules[0].live.value().value.is_false(), "a disabled policy publishes nothing");
}

#[test]
fn a_denial_of_all_meets_virtual_addresses_by_release() {
    let sees = |version: &str| first(&with(version, &policy("")).1).nat.plain_sees_translated.clone();
    assert_eq!(sees("7.2.2").value.tri(), Some(false));
    assert_eq!(sees("7.4.4").value.tri(), Some(true));
    assert_eq!(sees("7.2.3").value.tri(), None, "documentation names two releases");
    let (_, d) = with("7.2.2", &policy("set match-vip enable\n"));
    assert!(first(&d).nat.plain_sees_translated.value.is_true());
    let (_, d) = with("7.4.4", &policy("set action accept\n"));
    assert!(first(&d).nat.plain_sees_translated.value.is_false(), "a permit of all publishes nothing");
}

#[test]
fn central_translation_needs_no_policy_to_name_it() {
    let (_, d) = with("7.4.4", &format!("config system settings\nset central-nat enable\nend\n{VIP}{}", policy("set action accept\n")));
    assert!(!d.nat.rules[0].needs_reference && d.nat.rules[0].live.value().value.is_true());
    assert!(first(&d).nat.plain_sees_translated.value.is_true());
}

#[test]
fn zones_and_bundles_stand_for_their_interfaces() {
    let body = "config system sdwan\nset status enable\nconfig zone\nedit \"virtual-wan-link\"\nnext\nedit \"out\"\nnext\nend\n\
config members\nedit 1\nset interface \"wan1\"\nset zone \"out\"\nnext\nend\nend\n\
config firewall policy\nedit 1\nset srcintf \"out\"\nset dstintf \"any\"\nset action accept\nnext\nend\n";
    let (_, d) = with("7.4.4", body);
    let rule = &d.filters[2].rules[0];
    assert!(matches!(&rule.ingress, IfMatch::These(list) if d.interfaces[list[0].0 as usize].name == "wan1"));
    assert_eq!(rule.egress, IfMatch::Any);
    assert!(d.interfaces[0].signs.iter().any(|s| s.code == "sign.sdwan_member" && s.strength == SignStrength::Strong));
}

#[test]
fn translation_of_vpn_users_does_not_make_the_inside_the_outside() {
    let body = "config firewall policy\nedit 1\nset srcintf \"ssl.root\"\nset dstintf \"internal\"\nset srcaddr \"all\"\nset dstaddr \"all\"\nset action accept\nset nat enable\nnext\n\
edit 2\nset srcintf \"internal\"\nset dstintf \"wan1\"\nset srcaddr \"all\"\nset dstaddr \"all\"\nset action accept\nset nat enable\nnext\nend\n";
    let (_, d) = with("7.4.4", body);
    let points =
        |name: &str, to: SidePointer| d.interfaces[d.interface(name).expect(name).0 as usize].signs.iter().any(|s| s.points_to == to);
    assert!(!points("internal", SidePointer::Untrusted));
    assert!(points("wan1", SidePointer::Untrusted) && points("ssl.root", SidePointer::RemoteAccess));
    assert_eq!(d.nat.source_nat_on.len(), 2);
}

#[test]
fn undefined_names_are_noted_in_complete_exports_only() {
    let body = policy("set dstaddr \"ghost\"\nset action accept\n");
    let (text, d) = with("7.4.4", &body);
    assert_eq!(d.undefined.items.iter().map(|u| (u.kind, u.name.as_str())).collect::<Vec<_>>(), [("address", "ghost")]);
    assert_eq!(super::line(&text, d.undefined.items[0].span), "set dstaddr \"ghost\"");
    assert!(device(&body).undefined.items.is_empty());
}

#[test]
fn an_object_used_in_a_group_or_policy_is_used() {
    let body = format!(
        "config firewall address\nedit \"used\"\nset subnet 10.0.0.1 255.255.255.255\nnext\nedit \"left\"\nset subnet 10.0.0.2 255.255.255.255\nnext\nend\n{}",
        policy("set srcaddr \"used\"\n")
    );
    let (_, d) = with("7.4.4", &body);
    let uses: Vec<(&str, u32)> = d.definitions.items.iter().map(|x| (x.name.as_str(), x.uses)).collect();
    assert_eq!(uses, [("used", 1), ("left", 0)]);
}
