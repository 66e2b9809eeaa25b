//! What lets packets in to the box itself.

use super::*;
use crate::ir::account::Storage;

const ALL: &str = "set system services ssh\nset system services telnet\nset system services web-management https\n";

#[test]
fn a_zone_without_a_list_lets_nothing_in() {
    let (_, d) = whole(&format!("{ALL}{ZONES}"));
    assert_eq!(bound(&d, "ssh"), ["fxp0.0"], "management ports know no zone");
}

#[test]
fn a_bare_interface_inherits_and_a_list_of_its_own_replaces() {
    let zone = "set security zones security-zone untrust host-inbound-traffic system-services";
    let (text, d) = whole(&format!("{ALL}{ZONES}{zone} ssh\n"));
    assert_eq!(bound(&d, "ssh"), ["ge-0/0/0.0", "fxp0.0"]);
    let opened = listener(&d, "ssh").bindings[0].bound.origin.clone();
    assert_eq!(lines(&text, &opened), [format!("{zone} ssh")]);
    let own = "set security zones security-zone untrust interfaces ge-0/0/0.0 host-inbound-traffic system-services ike\n";
    let (_, d) = whole(&format!("{ALL}{ZONES}{zone} all\n{own}"));
    assert_eq!(bound(&d, "ssh"), ["fxp0.0"], "no union of the two lists");
    let protocols = "set security zones security-zone untrust interfaces ge-0/0/0.0 host-inbound-traffic protocols ospf\n";
    let (_, d) = whole(&format!("{ALL}{ZONES}{zone} ssh\n{protocols}"));
    let unsure = listener(&d, "ssh").bindings.iter().find(|b| b.on == Some(InterfaceIx(0))).expect("binding");
    assert!(unsure.bound.value.tri().is_none());
}

#[test]
fn all_but_an_exception() {
    let zone = "set security zones security-zone untrust host-inbound-traffic system-services";
    let (_, d) = whole(&format!("{ALL}{ZONES}{zone} all\n{zone} telnet except\n"));
    assert_eq!(bound(&d, "ssh"), ["ge-0/0/0.0", "fxp0.0"]);
    assert_eq!(bound(&d, "telnet"), ["fxp0.0"]);
}

#[test]
fn a_gate_without_a_daemon_is_closed_and_a_page_may_be_tied() {
    let zone = "set security zones security-zone untrust host-inbound-traffic system-services https\n";
    let (_, d) = whole(&format!("{ZONES}{zone}"));
    assert!(!d.listeners.iter().any(|l| l.service == "https"));
    let tied = "set system services web-management https interface ge-0/0/1.0\n";
    let (_, d) = whole(&format!("{ALL}{ZONES}{zone}{tied}"));
    assert!(bound(&d, "https").is_empty());
}

#[test]
fn an_interface_in_no_zone_drops_everything() {
    let one = "set security zones security-zone untrust host-inbound-traffic system-services all\nset security zones security-zone untrust interfaces ge-0/0/0.0\n";
    let (_, d) = whole(&format!("{ALL}{one}"));
    assert_eq!(bound(&d, "ssh"), ["ge-0/0/0.0", "fxp0.0"]);
}

#[test]
fn the_management_zone_gates_its_port() {
    let zone = "set security zones functional-zone management interfaces fxp0.0\nset security zones functional-zone management host-inbound-traffic system-services ssh\n";
    let (_, d) = whole(&format!("{ALL}{ZONES}{zone}"));
    assert_eq!(bound(&d, "ssh"), ["fxp0.0"]);
    assert!(bound(&d, "telnet").is_empty());
}

#[test]
fn without_zones_every_interface_answers() {
    let (text, d) = whole(ALL);
    assert_eq!(bound(&d, "telnet"), ["ge-0/0/0.0", "ge-0/0/1.0", "fxp0.0"]);
    assert_eq!(lines(&text, &listener(&d, "telnet").bindings[0].bound.origin)[0], "set system services telnet");
    let (_, d) = whole(&format!("{ALL}{ZONES}set security forwarding-options family mpls mode packet-based\n"));
    assert_eq!(bound(&d, "telnet").len(), 3, "packet mode switches zones off");
}

#[test]
fn what_is_switched_off_or_in_an_unused_group_does_not_listen() {
    let (_, d) = whole("set system services telnet\ndeactivate system services telnet\nset groups G system services ftp\n");
    assert!(!d.listeners.iter().any(|l| matches!(l.service, "telnet" | "ftp")));
    let (text, d) = whole("set groups G system services ftp\nset apply-groups G\n");
    let span = listener(&d, "ftp").span.expect("place");
    assert_eq!(lines(&text, &Origin::Written(span)), ["set groups G system services ftp"]);
}

#[test]
fn snmp_admits_its_clients_only_where_every_community_names_some() {
    let a = "set snmp community KANARIa clients 192.168.1.0/24\n";
    let (_, d) = whole(a);
    assert!(matches!(listener(&d, "snmp").limits, crate::ir::listener::Limit::Sources { .. }));
    let (_, d) = whole(&format!("{a}set snmp community KANARIb authorization read-write\n"));
    assert!(matches!(listener(&d, "snmp").limits, crate::ir::listener::Limit::None(_)));
    assert_eq!(d.snmp.items.iter().map(|s| known(&s.write)).collect::<Vec<_>>(), [Some(false), Some(true)]);
}

#[test]
fn clients_of_a_community_bind_no_user_of_version_3() {
    let a = "set snmp community KANARIa clients 192.168.1.0/24\n";
    let v3 = "set snmp v3 usm local-engine user nms authentication-sha authentication-password KANARI\n";
    let (_, d) = whole(&format!("{a}{v3}"));
    let both: Vec<_> = d.listeners.iter().filter(|l| l.service == "snmp").collect();
    let limited = |l: &crate::ir::listener::Listener| matches!(l.limits, crate::ir::listener::Limit::Sources { .. });
    assert_eq!(both.iter().map(|l| (limited(l), known(&l.cleartext))).collect::<Vec<_>>(), [(false, Some(false)), (true, Some(true))]);
    let of = |ix: usize| d.snmp.items[ix].listener.map(|l| l.0 as usize);
    let place = |ix: usize| d.listeners.iter().position(|l| std::ptr::eq(l, both[ix]));
    assert_eq!((of(0), of(1)), (place(1), place(0)));
    let (_, d) = whole(v3);
    assert!(matches!(listener(&d, "snmp").limits, crate::ir::listener::Limit::None(_)), "no community, no list");
}

#[test]
fn root_enters_over_ssh_by_release() {
    let live = |version: &str| {
        let text = format!("{HEAD}set system services ssh\n").replace("21.4R3.15", version);
        let d = device(&text);
        let path = d.admin_paths.iter().find(|p| p.principal == "root").expect("root").clone();
        (path.listeners.len(), path.live.value.tri())
    };
    assert_eq!(live("12.1X46-D10"), (1, Some(true)));
    assert_eq!(live("21.4R3.15").0, 0, "the console only");
}

#[test]
fn the_worst_idle_limit_of_those_in_use_counts() {
    let idle = |lines: &str| {
        let (_, d) = whole(lines);
        d.login_policies.iter().find(|p| p.name == "administrators").and_then(|p| known(&p.idle_s))
    };
    let user = "set system services ssh root-login deny\nset system login user u authentication encrypted-password \"$6$a$c\"\n";
    assert_eq!(idle(&format!("{user}set system login user u class super-user\n")), Some(crate::ir::record::NEVER));
    let class = "set system login user u class C\nset system login class C idle-timeout 10\n";
    assert_eq!(idle(&format!("{user}{class}")), Some(600));
    let web = "set system services web-management https\n";
    assert_eq!(idle(&format!("{user}{class}{web}set system login idle-timeout 5\n")), Some(86_400), "J-Web's own default");
}

#[test]
fn secrets_are_known_by_their_form() {
    let (_, d) = whole(
        "set system login user u authentication encrypted-password \"$1$a$b\"\nset system radius-server 192.0.2.1 secret \"$9$LbHX-wg4Z\"\n",
    );
    let of = |owner: &str| &d.secrets.iter().find(|s| s.owner == owner).expect("secret").storage;
    assert!(matches!(of("u"), Storage::Hash { weak, .. } if weak.value.is_true()));
    assert!(matches!(of("root"), Storage::Hash { weak, .. } if weak.value.is_false()));
    assert!(matches!(of("192.0.2.1"), Storage::Revealed));
}
