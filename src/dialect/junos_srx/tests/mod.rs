//! Small exports lowered, facts and places asserted.

mod access;
mod corpus;
mod filters;
mod gates;

use crate::dialect::{Dialect, Input, grammar::Grammar, parse, read};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::Listener;
use crate::source::FileId;

/// What makes an export whole.
const HEAD: &str = "set version 21.4R3.15\nset system host-name t\nset system root-authentication encrypted-password \"$6$a$b\"\n\
set interfaces ge-0/0/0 unit 0 family inet address 203.0.113.2/30\nset interfaces ge-0/0/1 unit 0 family inet address 192.168.1.1/24\n\
set interfaces fxp0 unit 0 family inet address 10.0.0.1/24\nset routing-options static route 0.0.0.0/0 next-hop 203.0.113.1\n";

fn grammar() -> Grammar {
    Grammar::load(super::IMPLEMENTATION.grammar_text()).expect("grammar")
}

fn devices(text: &str) -> Vec<Device> {
    let grammar = grammar();
    let tree = parse(&grammar, FileId(0), text, 0..text.len());
    read(&super::IMPLEMENTATION, &Input { tree: &tree, grammar: &grammar, range: 0..text.len() })
}

fn device(text: &str) -> Device {
    devices(text).into_iter().next().expect("a device")
}

/// A whole export with these lines, and its text.
fn whole(lines: &str) -> (String, Device) {
    let text = format!("{HEAD}{lines}");
    let device = device(&text);
    (text, device)
}

/// The whole lines an origin rests on.
fn lines<'t>(text: &'t str, origin: &Origin) -> Vec<&'t str> {
    let line = |at: usize| {
        let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
        text[start..].lines().next().unwrap_or("").trim()
    };
    origin.spans().iter().map(|s| line(s.start as usize)).collect()
}

fn listener<'d>(device: &'d Device, service: &str) -> &'d Listener {
    device.listeners.iter().find(|l| l.service == service).unwrap_or_else(|| panic!("no listener {service}"))
}

/// Names of the interfaces on which a listener surely answers.
fn bound<'d>(device: &'d Device, service: &str) -> Vec<&'d str> {
    let Some(found) = device.listeners.iter().find(|l| l.service == service) else { return Vec::new() };
    found.bindings.iter().filter(|b| b.bound.value.is_true()).filter_map(|b| b.on).map(|ix| name(device, ix)).collect()
}

fn name(device: &Device, ix: InterfaceIx) -> &str {
    device.interfaces[ix.0 as usize].name.as_str()
}

fn signs(device: &Device, interface: &str) -> Vec<&'static str> {
    device.interfaces.iter().find(|i| i.name == interface).map(|i| i.signs.iter().map(|s| s.code).collect()).unwrap_or_default()
}

fn known<T: Clone>(fact: &Fact<T>) -> Option<T> {
    fact.get().cloned()
}

const ZONES: &str =
    "set security zones security-zone untrust interfaces ge-0/0/0.0\nset security zones security-zone trust interfaces ge-0/0/1.0\n";

#[test]
fn the_release_is_read_and_a_build_string_is_none() {
    let version = |text: &str| device(&format!("set version {text}\n")).identity.version.map(|v| v.parts);
    assert_eq!(version("12.1X47-D45.4"), Some(vec![12, 1, 47, 45, 4]));
    assert_eq!(version("22.4R3-S2.11"), Some(vec![22, 4, 3, 2, 11]));
    assert_eq!(version("20190606.224121_builder.r1033375"), None);
}

#[test]
fn sides_come_from_zones_routes_and_lines() {
    let (_, d) = whole(&format!("{ZONES}set routing-instances mgmt_junos routing-options static route 0.0.0.0/0 next-hop 10.0.0.254\n"));
    assert_eq!(signs(&d, "ge-0/0/0.0"), ["sign.public_address", "sign.zone_name", "sign.default_route"]);
    assert_eq!(signs(&d, "ge-0/0/1.0"), ["sign.zone_name"]);
    assert_eq!(signs(&d, "fxp0.0"), ["sign.dedicated_management"], "the management instance leads to nobody's line");
    let (_, d) = whole(
        "set interfaces ge-0/0/2 unit 0 encapsulation ppp-over-ether\nset interfaces pp0 unit 0 pppoe-options underlying-interface ge-0/0/2.0\nset interfaces pp0 unit 0 family inet negotiate-address\n",
    );
    assert_eq!(signs(&d, "pp0.0"), ["sign.pppoe"]);
    assert_eq!(signs(&d, "ge-0/0/2.0"), ["sign.pppoe_carrier"]);
}

#[test]
fn ports_that_all_ask_for_an_address_say_nothing_about_sides() {
    let ports: String = (3..9).map(|n| format!("set interfaces xe-0/0/{n} unit 0 family inet dhcp vendor-id x\n")).collect();
    let (_, d) = whole(&ports);
    assert!(signs(&d, "xe-0/0/4.0").is_empty());
}

#[test]
fn an_excerpt_proves_nothing_by_what_it_lacks() {
    let d = device("security {\n zones {\n  security-zone untrust {\n   interfaces { ge-0/0/0.0; }\n  }\n }\n}\n");
    assert!(matches!(d.listeners.rest, crate::ir::fact::Rest::MayHoldMore(_)));
    assert!(d.completeness.gaps.contains_key("logging"));
    let (_, d) = whole("");
    assert!(d.completeness.gaps.is_empty());
    let cut = format!(
        "{}system {{ services {{ telnet;",
        "version 12.1R1.1;\nsystem { root-authentication { encrypted-password x; } }\ninterfaces { a { unit 0; } }\n"
    );
    assert!(device(&cut).completeness.gaps.contains_key("tunnels"), "a block that never ends: the rest was cut off");
}

#[test]
fn a_configuration_without_root_password_was_edited() {
    let d = device("set version 11.4R7.5\nset system services ssh\nset interfaces vlan unit 1 family inet address 192.168.1.1/24\n");
    assert!(d.completeness.gaps.contains_key("accounts") && !d.completeness.gaps.contains_key("listeners"));
}

#[test]
fn contexts_have_their_own_zones_and_the_daemons_of_the_box() {
    let text = format!(
        "{HEAD}set system services ssh\nset logical-systems A interfaces ge-0/0/5 unit 0 family inet address 198.51.100.2/30\n\
set logical-systems A security zones security-zone untrust interfaces ge-0/0/5.0 host-inbound-traffic system-services ssh\n"
    );
    let all = devices(&text);
    assert_eq!(all.len(), 2);
    assert_eq!((all[1].context.as_str(), all[1].parent), ("A", Some(0)));
    assert_eq!(bound(&all[1], "ssh"), ["ge-0/0/5.0"]);
}

#[test]
fn any_text_gives_devices_and_no_panic() {
    use proptest::prelude::*;
    let word = prop_oneof![
        Just("set security zones security-zone untrust host-inbound-traffic system-services all".to_owned()),
        Just("set security policies from-zone untrust to-zone trust policy P match source-address any".to_owned()),
        Just("set security policies from-zone untrust to-zone trust policy P then permit".to_owned()),
        Just("deactivate security policies from-zone untrust to-zone trust policy P".to_owned()),
        Just("set security ipsec vpn V ike gateway G".to_owned()),
        Just("set security ike gateway G ike-policy K".to_owned()),
        Just("set interfaces lo0 unit 0 family inet filter input F".to_owned()),
        Just("set firewall family inet filter F term T from source-address 10/8 except".to_owned()),
        Just("set apply-groups G".to_owned()),
        Just("set groups G interfaces <*> unit 0 family inet".to_owned()),
        Just("set security nat destination rule-set R rule A then destination-nat pool P".to_owned()),
        Just("set access profile A client x firewall-user password \"$9$ab\"".to_owned()),
        "[a-z]{2,9}( [a-z0-9./$\"-]{0,9}){0,9}".prop_map(|s| format!("set {s}")),
        "(security|system|interfaces|snmp|firewall) \\{ ([a-z-]{1,8} ){1,4}[;{}]",
        "\\PC{0,24}",
    ];
    proptest!(ProptestConfig::with_cases(96), |(lines in proptest::collection::vec(word, 0..30))| {
        let text = format!("{HEAD}{}", lines.join("\n"));
        prop_assert!(!devices(&text).is_empty());
    });
}
