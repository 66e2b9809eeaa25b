//! Policies, firewall filters, translation.

use super::*;
use crate::ir::filter::{Filter, Guard, Hook, IfMatch, Verdict};

fn filter<'d>(d: &'d Device, name: &str) -> &'d Filter {
    d.filters.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("no filter {name}"))
}

const POLICY: &str = "set security policies from-zone untrust to-zone trust policy";

fn open(name: &str) -> String {
    format!(
        "{POLICY} {name} match source-address any\n{POLICY} {name} match destination-address any\n{POLICY} {name} match application any\n{POLICY} {name} then permit\n"
    )
}

#[test]
fn policies_end_with_the_default_policy() {
    let (_, d) = whole(&format!("{ZONES}{}", open("A")));
    let policies = filter(&d, "policies");
    assert_eq!(known(&policies.default), Some(Verdict::Drop));
    assert!(matches!(policies.default.origin, Origin::Default(_)));
    assert_eq!(policies.rules[0].ingress, IfMatch::These(vec![InterfaceIx(0)]));
    let (_, d) = whole(&format!("{ZONES}set security policies default-policy permit-all\n"));
    assert_eq!(known(&filter(&d, "policies").default), Some(Verdict::Accept));
}

#[test]
fn a_switched_off_policy_is_there_and_not_live() {
    let off = "deactivate security policies from-zone untrust to-zone trust policy B\n";
    let (text, d) = whole(&format!("{ZONES}{}{}{off}", open("A"), open("B")));
    let rules = &filter(&d, "policies").rules;
    assert_eq!(
        rules.iter().map(|r| (r.label.as_str(), r.live.own.value.tri())).collect::<Vec<_>>(),
        [("A", Some(true)), ("B", Some(false))]
    );
    assert_eq!(lines(&text, &rules[1].live.own.origin), [off.trim()]);
}

#[test]
fn conditions_become_guards() {
    let more = format!(
        "{POLICY} A scheduler-name OFFICE\n{POLICY} A match source-identity staff\nset security policies from-zone untrust to-zone trust policy B then permit tunnel ipsec-vpn V\n"
    );
    let (_, d) = whole(&format!("{ZONES}{}{more}", open("A")));
    let rules = &filter(&d, "policies").rules;
    assert!(matches!(rules[0].guards[..], [Guard::Users(_), Guard::Schedule(_)]));
    assert!(matches!(rules[1].guards[..], [Guard::Decrypted(_)]));
}

#[test]
fn names_are_looked_for_in_the_zone_first() {
    let books = "set security address-book global address web 192.0.2.1/32\nset security zones security-zone trust address-book address web 192.168.1.9/32\n";
    let (text, d) = whole(&format!(
        "{ZONES}{books}{POLICY} A match destination-address web\n{POLICY} A match source-address web\n{POLICY} A then permit\n"
    ));
    let rule = &filter(&d, "policies").rules[0];
    let place = |f: &Fact<crate::ir::filter::AddrExpr>| match f.get() {
        Some(crate::ir::filter::AddrExpr::Object(ix)) => lines(&text, &d.addr_objects[ix.0 as usize].value.origin)[0].to_owned(),
        other => panic!("{other:?}"),
    };
    assert!(place(&rule.dst).contains("192.168.1.9"));
    assert!(place(&rule.src).contains("192.0.2.1"));
    assert!(rule.svc.origin.rests_on_unverified_default(), "no application is named");
}

#[test]
fn policies_towards_the_box_stand_apart_and_do_not_restrict_key_exchange() {
    let host = "set security policies from-zone untrust to-zone junos-host policy H match source-address any\nset security policies from-zone untrust to-zone junos-host policy H then deny\n";
    let (_, d) = whole(&format!("{ZONES}{host}"));
    let gate = filter(&d, "untrust to junos-host");
    assert!(gate.attach.iter().all(|a| a.hook == Hook::Local && a.on == IfMatch::These(vec![InterfaceIx(0)])));
    assert!(gate.rules[0].generated && gate.rules[0].verdict.origin.rests_on_unverified_default());
    assert!(filter(&d, "policies").rules.is_empty());
}

#[test]
fn the_loopback_filter_guards_the_box_and_a_list_is_one_filter() {
    let term = "set firewall family inet filter";
    let (_, d) = whole(&format!(
        "{term} A term t from source-address 192.0.2.0/24\n{term} A term t then accept\n{term} B term u then count c\nset interfaces lo0 unit 0 family inet filter input-list A\nset interfaces lo0 unit 0 family inet filter input-list B\n"
    ));
    let both = filter(&d, "A + B");
    assert_eq!(both.attach.iter().map(|a| a.hook).collect::<Vec<_>>(), [Hook::Local]);
    assert_eq!(both.attach[0].on, IfMatch::Any);
    assert_eq!(both.rules.iter().map(|r| known(&r.verdict)).collect::<Vec<_>>(), [Some(Verdict::Accept), Some(Verdict::Accept)]);
    assert_eq!(known(&both.default), Some(Verdict::Drop));
    assert!(filter(&d, "A").attach.is_empty(), "alone it is applied nowhere");
}

#[test]
fn a_discard_that_a_sender_can_avoid_stops_nobody() {
    let term = "set firewall family inet filter F term";
    let (_, d) = whole(&format!(
        "{term} a from is-fragment\n{term} a then discard\n{term} b from tcp-flags syn\n{term} b then accept\n{term} c from tcp-established\n{term} c then accept\n{term} d then next term\ndeactivate firewall family inet filter F term d\n"
    ));
    let rules = &filter(&d, "F").rules;
    assert!(matches!(rules[0].guards[..], [Guard::Established(_)]));
    assert!(matches!(rules[1].guards[..], [Guard::Unmodelled(..)]));
    assert!(matches!(rules[2].guards[..], [Guard::Established(_)]));
    assert!(rules[3].live.own.value.is_false());
}

#[test]
fn exemptions_publish_nothing_and_pools_lead_inside() {
    let nat = "set security nat destination";
    let (text, d) = whole(&format!(
        "{ZONES}{nat} pool P address 192.168.1.10/32\n{nat} pool P address port 3389\n{nat} rule-set R from zone untrust\n{nat} rule-set R rule A match destination-address 203.0.113.2/32\n{nat} rule-set R rule A match destination-port 33890\n{nat} rule-set R rule A then destination-nat pool P\n{nat} rule-set R rule B then destination-nat off\n"
    ));
    assert_eq!(d.nat.rules.len(), 1);
    let rule = &d.nat.rules[0];
    assert_eq!((rule.to_port, rule.orig_svc[0].dst_ports.clone()), (Some(3389), vec![(33890, 33890)]));
    assert_eq!(rule.ingress, IfMatch::These(vec![InterfaceIx(0)]));
    assert!(lines(&text, &rule.to.origin)[0].contains("192.168.1.10"));
    let curly = format!("{HEAD}{ZONES}").replace("set version 21.4R3.15\n", "")
        + "\nsecurity { nat { destination { pool P { address 192.168.1.10/32 port 3389; } rule-set R { from zone untrust; rule A { match { destination-address 203.0.113.2/32; destination-port { 80 to 90; } } then { destination-nat pool { P; } } } } } } }\nversion 21.4R3.15;\n";
    let d = device(&curly);
    assert_eq!((d.nat.rules[0].to_port, d.nat.rules[0].orig_svc[0].dst_ports.clone()), (Some(3389), vec![(80, 90)]));
}

#[test]
fn static_translation_publishes_every_port_unless_mapped() {
    let nat = "set security nat static rule-set R";
    let (_, d) = whole(&format!(
        "{ZONES}{nat} from zone untrust\n{nat} rule A match destination-address 203.0.113.2/32\n{nat} rule A then static-nat prefix 192.168.1.5/32\n"
    ));
    assert_eq!(d.nat.rules[0].kind, crate::ir::nat::NatKind::OneToOne);
}

#[test]
fn names_that_are_defined_nowhere_are_noted() {
    let (_, d) = whole(&format!(
        "{ZONES}{POLICY} A match source-address nobody\n{POLICY} A match application nothing\n{POLICY} A then permit\nset interfaces ge-0/0/0 unit 0 family inet filter input GONE\n"
    ));
    assert_eq!(d.undefined.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["nobody", "nothing", "GONE"]);
}
