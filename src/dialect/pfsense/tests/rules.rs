//! The rule list: its order, what is left out, what the product adds.

use super::*;
use crate::ir::filter::{AddrExpr, Guard, Hook, SvcExpr, Verdict};

#[test]
fn floating_rows_come_first_then_groups_then_interfaces_and_rows_without_quick_last() {
    let rows = [
        rule("tab", "wan", ""),
        rule("vpn", "openvpn", ""),
        rule("late", "wan", "<floating>yes</floating><direction>in</direction>"),
        rule("later", "wan", "<floating>yes</floating><direction>in</direction>"),
        rule("first", "wan", "<floating>yes</floating><quick>yes</quick><direction>in</direction>"),
        rule("group", "OUTSIDE", ""),
    ];
    let groups = "<ifgroups><ifgroupentry><ifname>OUTSIDE</ifname><members>wan lan</members></ifgroupentry></ifgroups>";
    let vpn = "<openvpn><openvpn-server><vpnid>1</vpnid><mode>server_tls</mode></openvpn-server></openvpn>";
    let d = device(&export("<ipv6allow/>", &format!("<filter>{}</filter>{groups}{vpn}", rows.concat())));
    assert_eq!(labels(&d), ["Anti-Lockout Rule", "first", "vpn", "group", "tab", "later", "late"]);
    assert_eq!(d.filters[0].default.get(), Some(&Verdict::Drop));
}

#[test]
fn a_floating_row_without_direction_stands_in_both_lists() {
    let d = device(&export("", &format!("<filter>{}</filter>", rule("both", "wan", "<floating>yes</floating>"))));
    assert!(labels(&d).contains(&"both"));
    assert_eq!(d.filters[1].attach[0].hook, Hook::Outbound);
    assert_eq!(d.filters[1].rules[0].label, "both");
}

#[test]
fn the_type_that_is_not_written_is_pass_and_the_family_ipv4() {
    let body = "<filter><rule>\n<interface>wan</interface><source><any/></source><destination><any/></destination><descr>linked</descr></rule></filter>";
    let d = device(&export("", body));
    let r = row(&d, "linked");
    assert_eq!(r.verdict.get(), Some(&Verdict::Accept));
    assert!(matches!(r.src.get(), Some(AddrExpr::AnyV4)));
}

#[test]
fn a_row_that_names_nothing_known_is_not_in_force_and_reported() {
    let unknown = rule("x", "wan", "").replace("<source><any/></source>", "<source>\n<address>gone</address></source>");
    let text = export("", &format!("<filter>{unknown}{}</filter>", rule("y", "opt9", "")));
    let d = device(&text);
    assert!(row(&d, "x").live.value().value.is_false());
    assert!(row(&d, "y").live.value().value.is_false());
    assert!(row(&d, "x").live.own.value.is_true(), "its own switch is on");
    let names: Vec<&str> = d.undefined.iter().map(|u| u.name.as_str()).collect();
    assert_eq!(names, ["gone", "opt9"]);
}

#[test]
fn a_switched_off_row_rests_on_its_switch_even_when_empty() {
    let text = export("", &format!("<filter>{}</filter>", rule("off", "wan", "\n<disabled></disabled>")));
    let d = device(&text);
    assert_eq!(lines(&text, &row(&d, "off").live.own), ["<disabled></disabled></rule>"]);
    assert!(row(&d, "off").live.own.value.is_false());
}

#[test]
fn anti_lockout_is_on_lan_or_on_the_only_interface_or_nowhere() {
    let one = "<interfaces><wan><enable/><if>vtnet0</if><ipaddr>dhcp</ipaddr></wan></interfaces>";
    let two = "<interfaces><wan><enable/><if>a</if><ipaddr>dhcp</ipaddr></wan><opt1><enable/><if>b</if><ipaddr>10.0.0.1</ipaddr></opt1></interfaces>";
    assert!(labels(&device(&export("", ""))).contains(&"Anti-Lockout Rule"));
    assert!(labels(&device(&export("", one))).contains(&"Anti-Lockout Rule"));
    assert!(!labels(&device(&export("", two))).contains(&"Anti-Lockout Rule"));
    let off = "<webgui><protocol>https</protocol><noantilockout></noantilockout></webgui>";
    assert!(!labels(&device(&export(off, ""))).contains(&"Anti-Lockout Rule"));
    let d = device(&export("<ssh><enable>enabled</enable><port>2222</port></ssh>", ""));
    match row(&d, "Anti-Lockout Rule").svc.get() {
        Some(SvcExpr::Term(t)) => assert_eq!(t.dst_ports, [(443, 443), (80, 80), (2222, 2222)]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn aliases_nest_and_fetched_ones_are_of_unknown_content() {
    let body = "<aliases><alias><name>outer</name><type>network</type><address>192.0.2.0/24 inner</address></alias>\
        <alias><name>inner</name><type>host</type><address>198.51.100.1 host.example</address></alias>\
        <alias><name>feed</name><type>urltable</type><url>https://x.example/</url><address></address></alias>\
        <alias><name>web</name><type>port</type><address>80 more</address></alias>\
        <alias><name>more</name><type>port</type><address>8000:8080</address></alias></aliases>";
    let filter = rule("r", "wan", "<protocol>tcp</protocol>")
        .replace("<destination><any/>", "<destination><address>outer</address><port>web</port>");
    let d = device(&export("", &format!("{body}<filter>{filter}</filter>")));
    match row(&d, "r").svc.get() {
        Some(SvcExpr::Union(terms)) => match &terms[..] {
            [SvcExpr::Term(t)] => assert_eq!(t.dst_ports, [(80, 80), (8000, 8080)]),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    let value = |name: &str| d.addr_objects.iter().find(|o| o.name == name).and_then(|o| o.value.get()).cloned();
    assert!(matches!(value("feed"), Some(AddrExpr::Opaque(_))));
    assert!(matches!(value("outer"), Some(AddrExpr::Union(parts)) if matches!(parts[1], AddrExpr::Object(_))));
    let uses: Vec<(&str, bool)> = d.definitions.iter().map(|x| (x.name.as_str(), x.uses > 0)).collect();
    assert_eq!(uses, [("outer", true), ("inner", true), ("feed", false), ("web", true), ("more", true)]);
}

#[test]
fn an_alias_that_names_itself_ends() {
    let body = "<aliases><alias><name>p</name><type>port</type><address>p</address></alias><alias><name>a</name><type>host</type><address>a</address></alias></aliases>";
    let filter =
        rule("r", "wan", "<protocol>tcp</protocol>").replace("<destination><any/>", "<destination><address>a</address><port>p</port>");
    let d = device(&export("", &format!("{body}<filter>{filter}</filter>")));
    assert!(row(&d, "r").svc.get().is_none());
}

#[test]
fn a_tag_that_nothing_sets_keeps_a_row_out_of_what_comes_in() {
    let tagged = rule("t", "wan", "<floating>yes</floating><tagged>X</tagged>");
    let d = device(&export("", &format!("<filter>{tagged}</filter>")));
    assert!(!labels(&d).contains(&"t"));
    let setter = rule("s", "wan", "<floating>yes</floating><tag>X</tag>");
    let d = device(&export("", &format!("<filter>{setter}{tagged}</filter>")));
    assert!(matches!(row(&d, "t").guards[..], [Guard::Unmodelled(..)]));
}

#[test]
fn only_a_schedule_that_exists_limits_a_row() {
    let rows = [rule("kept", "wan", "<sched>office</sched>"), rule("always", "wan", "<sched>gone</sched>")].concat();
    let d = device(&export("", &format!("<schedules><schedule><name>office</name></schedule></schedules><filter>{rows}</filter>")));
    assert!(matches!(row(&d, "kept").guards[..], [Guard::Schedule(_)]));
    assert!(row(&d, "always").guards.is_empty());
}

#[test]
fn without_packet_filter_everything_passes() {
    let text = export("<disablefilter></disablefilter>", &format!("<filter>{}</filter>", rule("x", "wan", "")));
    let d = device(&text);
    assert!(d.filters.iter().all(|f| f.attach.is_empty()));
    let open = d
        .pipeline
        .to_box
        .iter()
        .any(|s| matches!(s, crate::ir::filter::Stage::Filter { undecided, .. } if undecided.get() == Some(&Verdict::Accept)));
    assert!(open);
}
