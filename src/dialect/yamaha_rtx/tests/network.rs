use super::*;
use crate::ir::filter::{AddrExpr, FilterRole, Guard, Hook, IfMatch, RuleLog, SvcExpr, Verdict};
use crate::ir::interface::InterfaceKind;
use crate::ir::nat::{NatKind, UnmatchedEffect};
use crate::ir::system::IfUndefined;

fn labels(device: &Device, name: &str) -> Vec<String> {
    let filter = device.filters.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("no filter {name}"));
    filter.rules.iter().map(|r| r.label.clone()).collect()
}

#[test]
fn pppoe_is_outside_and_its_port_carries_it() {
    let d = device(&format!(
        "{HEAD}ip route default gateway pp 1\nip lan1 address 192.168.1.1/24\npp select 1\n pppoe use lan2\n ip pp nat descriptor 1\n pp enable 1\nnat descriptor type 1 masquerade\ndhcp scope 1 192.168.1.2-192.168.1.9/24\n"
    ));
    let pp = interface(&d, "pp 1");
    assert_eq!(pp.kind, InterfaceKind::Ppp);
    assert_eq!(pp.carrier, d.interface("lan2"));
    assert_eq!(signs(&d, "pp 1"), ["sign.default_route", "sign.pppoe", "sign.nat_outer"]);
    assert_eq!(signs(&d, "lan2"), ["sign.pppoe_carrier"]);
    assert_eq!(signs(&d, "lan1"), ["sign.dhcp_scope", "sign.private_address", "sign.lan1"]);
    assert!(interface(&d, "lan2").ipv6.value.is_false());
}

#[test]
fn a_gateway_address_finds_the_port_whose_network_holds_it() {
    let text = format!("{HEAD}ip route default gateway 198.51.100.1\nip lan1 address 192.168.1.1/24\nip lan3 address 198.51.100.2/28\n");
    let d = device(&text);
    assert!(signs(&d, "lan3").contains(&"sign.default_route") && signs(&d, "lan3").contains(&"sign.public_address"));
    assert!(!signs(&d, "lan1").contains(&"sign.default_route"));
}

#[test]
fn the_providers_tunnel_is_a_line_and_a_site_tunnel_is_not() {
    let base = "ip lan1 address 192.168.1.1/24\nip route default gateway tunnel 1\ntunnel select 1\n";
    let aftr = device(&format!("{HEAD}{base} tunnel encapsulation ipip\n tunnel endpoint name gw.example.net\n tunnel enable 1\n"));
    assert!(signs(&aftr, "tunnel 1").contains(&"sign.default_route"));
    let site = device(&format!("{HEAD}{base} tunnel encapsulation ipip\n tunnel endpoint address 10.1.1.1 10.1.1.2\n tunnel enable 1\n"));
    assert_eq!(signs(&site, "tunnel 1"), ["sign.site_tunnel"], "everything through the head office is still a tunnel between sites");
    let mape = device(&format!("{HEAD}{base} tunnel encapsulation map-e\n tunnel enable 1\n"));
    assert!(signs(&mape, "tunnel 1").contains(&"sign.default_route"));
}

#[test]
fn a_bridge_gives_its_side_to_its_ports() {
    let d = device(&format!(
        "{HEAD}bridge member bridge1 lan1 tunnel1\nip bridge1 address 192.168.1.1/24\ntunnel select 1\n tunnel encapsulation l2tpv3\n tunnel enable 1\n"
    ));
    let bridge = interface(&d, "bridge1");
    assert_eq!(bridge.kind, InterfaceKind::Bridge);
    assert_eq!(bridge.members, [d.interface("lan1").expect("lan1"), d.interface("tunnel 1").expect("tunnel")]);
    assert!(signs(&d, "lan1").contains(&"sign.bridge_member"));
    assert_eq!(signs(&d, "tunnel 1"), ["sign.site_tunnel"]);
}

#[test]
fn a_learnt_prefix_means_ipv6_on_the_port_it_comes_from() {
    let text = format!("{HEAD}ipv6 lan1 address ra-prefix@lan2::1/64\nip lan2 address dhcp\nip lan3 address 192.168.3.1/24\n");
    let d = device(&text);
    assert_eq!(lines(&text, &interface(&d, "lan2").ipv6.origin), ["ipv6 lan1 address ra-prefix@lan2::1/64"]);
    assert!(interface(&d, "lan3").ipv6.value.is_false());
}

#[test]
fn a_list_is_tried_as_written_and_ends_in_a_drop() {
    let text = format!(
        "{HEAD}ip lan2 address dhcp\nip lan2 secure filter in 30 10 dynamic 10 20\nip filter 10 pass * * tcp * www\nip filter 20 pass * *\nip filter 30 reject 10.0.0.0/8\n"
    );
    let d = device(&text);
    assert_eq!(labels(&d, "ip lan2 secure filter in"), ["30", "10"], "not by number, and dynamic filters are no rows");
    let filter = &d.filters[0];
    assert_eq!(filter.default.get(), Some(&Verdict::Drop));
    assert_eq!(filter.role, FilterRole::Packet);
    assert_eq!(filter.attach[0].hook, Hook::Inbound);
    assert_eq!(filter.attach[0].on, IfMatch::These(vec![d.interface("lan2").expect("lan2")]));
    assert_eq!(lines(&text, &filter.attach[0].origin), ["ip lan2 secure filter in 30 10 dynamic 10 20"]);
    let reject = &filter.rules[0];
    assert!(matches!(reject.dst.get(), Some(AddrExpr::Any)) && matches!(reject.svc.get(), Some(SvcExpr::Any)), "missing fields are *");
    assert_eq!(lines(&text, &reject.verdict.origin), ["ip filter 30 reject 10.0.0.0/8"]);
    assert_eq!(d.definitions.items.iter().filter(|x| x.uses == 0).map(|x| x.name.as_str()).collect::<Vec<_>>(), ["20"]);
}

#[test]
fn words_for_protocols_become_guards_and_services() {
    let text = format!(
        "{HEAD}ip lan2 address dhcp\nip lan2 secure filter in 1 2 3 4 5 6\nip filter 1 pass * * established\nip filter 2 restrict * * tcpfin * www\nip filter 3 pass * * icmp 8\nip filter 4 pass * * tcpflag=0x0002/0x0017 * 104\nip filter 5 pass * * tcpflag=0x0010/0x0010\nip filter 6 pass * * udp,esp * 500\n"
    );
    let d = device(&text);
    let rules = &d.filters[0].rules;
    assert!(matches!(rules[0].guards[..], [Guard::Established(_)]));
    assert!(matches!(rules[1].guards[..], [Guard::Established(_)]) && rules[1].verdict.get() == Some(&Verdict::Accept));
    assert!(matches!(rules[2].svc.get(), Some(SvcExpr::Union(v)) if v.len() == 1));
    assert!(rules[3].guards.is_empty(), "a first packet has SYN alone");
    assert!(matches!(rules[4].guards[..], [Guard::Established(_)]), "ACK set: no first packet");
    assert!(matches!(rules[5].svc.get(), Some(SvcExpr::Union(v)) if v.len() == 2), "esp has no ports, udp has");
}

#[test]
fn a_log_needs_the_notice_switch() {
    let rules = "ip lan2 address dhcp\nip lan2 secure filter in 1 2 3\nip filter 1 pass * * icmp\nip filter 2 pass-log * * esp\nip filter 3 reject * *\n";
    let off = device(&format!("{HEAD}{rules}"));
    assert!(off.filters[0].rules.iter().all(|r| r.log.get() == Some(&RuleLog::None)));
    let on = device(&format!("{HEAD}{rules}syslog notice on\n"));
    let logs: Vec<_> = on.filters[0].rules.iter().map(|r| r.log.get().copied()).collect();
    assert_eq!(logs, [Some(RuleLog::None), Some(RuleLog::Session), Some(RuleLog::Session)]);
}

#[test]
fn a_named_set_applies_by_direction_and_an_undefined_one_filters_nothing() {
    let d = device(&format!(
        "{HEAD}ip lan1 address 192.168.1.1/24\nip lan2 address dhcp\nip lan1 secure filter name oa\nip lan2 secure filter name gone\nip filter set oa in 1\nip filter set oa out 2 dynamic 9\nip filter 1 pass * *\nip filter 2 reject * *\n"
    ));
    assert_eq!(labels(&d, "ip filter set oa in"), ["1"]);
    assert_eq!(labels(&d, "ip filter set oa out"), ["2"]);
    assert_eq!(d.filters.len(), 2, "nothing stands for the undefined set");
    assert_eq!(d.undefined.items[0].effect.get(), Some(&IfUndefined::FilterAbsent));
}

#[test]
fn static_entries_map_ports_and_reach_the_router_itself() {
    let text = format!(
        "{HEAD}ip lan2 address dhcp\nip lan2 nat descriptor 1\nnat descriptor type 1 masquerade\nnat descriptor masquerade static 1 1 192.168.1.9 tcp 8443=https,8080,25=smtp\nnat descriptor masquerade static 1 2 192.168.1.1 udp 500,4500\nnat descriptor masquerade static 1 3 192.168.1.1 esp\n"
    );
    let d = device(&text);
    let maps: Vec<_> =
        d.nat.rules.iter().map(|r| (r.name.as_str(), r.orig_svc[0].protocol, r.orig_svc[0].dst_ports.clone(), r.to_port)).collect();
    assert_eq!(
        maps,
        [
            ("1/1", Some(6), vec![(8443, 8443)], Some(443)),
            ("1/1", Some(6), vec![(25, 25)], Some(25)),
            ("1/1", Some(6), vec![(8080, 8080)], None),
            ("1/2", Some(17), vec![(500, 500), (4500, 4500)], None),
            ("1/3", Some(50), vec![], None),
        ]
    );
    assert!(matches!(d.nat.rules[0].orig_dst.get(), Some(AddrExpr::SelfAddrs)));
    assert_eq!(d.nat.unmatched[0].effect.get(), Some(&UnmatchedEffect::Drop));
    assert!(!d.nat.unmatched[0].effect.origin.rests_on_unverified_default());
}

#[test]
fn a_descriptor_nobody_applies_is_dormant() {
    let d = device(&format!(
        "{HEAD}ip lan2 address dhcp\nnat descriptor type 7 masquerade\nnat descriptor masquerade static 7 1 192.168.1.9 tcp 3389\n"
    ));
    assert!(d.nat.rules[0].live.value().value.is_false() && d.nat.rules[0].live.own.value.is_true());
    assert!(d.nat.unmatched.is_empty());
}

#[test]
fn nat_that_covers_other_addresses_leaves_the_router_open() {
    let base = "ip lan2 address 198.51.100.2/28\nip lan2 nat descriptor 1\nnat descriptor type 1 masquerade\n";
    let other = format!("{HEAD}{base}nat descriptor address outer 1 198.51.100.3\n");
    let d = device(&other);
    assert_eq!(d.nat.unmatched[0].effect.get(), Some(&UnmatchedEffect::Pass));
    assert_eq!(lines(&other, &d.nat.unmatched[0].effect.origin), ["nat descriptor address outer 1 198.51.100.3"]);
    let own = device(&format!("{HEAD}{base}nat descriptor address outer 1 198.51.100.2\n"));
    assert_eq!(own.nat.unmatched[0].effect.get(), Some(&UnmatchedEffect::Drop));
}

#[test]
fn incoming_modes_decide_about_the_rest() {
    let effect = |head: &str, mode: &str| {
        let d = device(&format!(
            "{head}ip lan2 address dhcp\nip lan2 nat descriptor 1\nnat descriptor type 1 masquerade\nnat descriptor masquerade incoming 1 {mode}\n"
        ));
        (d.nat.unmatched[0].effect.get().copied(), d.nat.rules.len())
    };
    assert_eq!(effect(HEAD, "discard"), (Some(UnmatchedEffect::Drop), 0));
    assert_eq!(effect(HEAD, "forward 192.168.1.5"), (Some(UnmatchedEffect::Forward("192.168.1.5".parse().expect("address"))), 0));
    assert_eq!(effect(HEAD, "through"), (Some(UnmatchedEffect::Pass), 1), "low TCP ports are refused even then");
    assert_eq!(effect("# NVR500 Rev.11.00.41 (x)\n", "through"), (Some(UnmatchedEffect::Pass), 0), "not on older trains");
}

#[test]
fn one_to_one_entries_count_addresses() {
    let d = device(&format!(
        "{HEAD}ip lan2 address 198.51.100.2/28\nip lan2 nat descriptor 2\nnat descriptor type 2 nat\nnat descriptor static 2 1 198.51.100.4=192.168.1.30 2\n"
    ));
    let rule = &d.nat.rules[0];
    assert_eq!(rule.kind, NatKind::OneToOne);
    assert!(matches!(rule.to.get(), Some(AddrExpr::Range(a, b)) if a.to_string() == "192.168.1.30" && b.to_string() == "192.168.1.31"));
}

#[test]
fn bracketed_policies_come_before_their_parent_and_within_it() {
    let text = include_str!("../../../../corpus/yamaha-rtx/odd-fwx120-policy.txt");
    let d = device(text);
    let forward = d.filters.iter().find(|f| f.role == FilterRole::Packet && f.attach[0].hook == Hook::Forward).expect("forward");
    let local = d.filters.iter().find(|f| f.role == FilterRole::ToBox).expect("local");
    let order = |rules: &[crate::ir::filter::Rule]| rules.iter().map(|r| r.label.clone()).collect::<Vec<_>>();
    assert_eq!(order(&forward.rules), ["1110", "1122", "1150", "1100", "1520", "1500", "1700", "2000"]);
    assert_eq!(order(&local.rules), ["1110", "1123", "1100", "1500", "1700", "2000"], "1520 leads to lan1 only");
    let open = &forward.rules[4];
    assert_eq!(open.ingress, IfMatch::These(vec![d.interface("pp 1").expect("pp 1")]), "narrowed to its parent's pp*");
    assert!(d.filters.iter().any(|f| f.name == "pp inbound filter list" && f.rules.len() == 4));
    assert_eq!((d.pipeline.to_box.len(), d.pipeline.through.len()), (5, 4));
}
