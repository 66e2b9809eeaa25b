//! The order of the rule list, its two generations, and what the product adds.

use super::{device, export, labels, model, new, row, rule};
use crate::ir::filter::{AddrExpr, IfMatch, SvcExpr, Verdict};
use crate::ir::interface::InterfaceIx;

fn filter(rows: &str) -> String {
    format!("<filter>\n{rows}</filter>")
}

fn place(labels: &[&str], label: &str) -> usize {
    labels.iter().position(|l| *l == label).unwrap_or_else(|| panic!("no {label}"))
}

#[test]
fn rows_of_the_model_stand_before_those_of_the_section() {
    let d = device(&export("", &filter(&rule("old", "wan", "")), &model(&new("new", "wan", 1, ""))));
    let l = labels(&d);
    assert!(place(&l, "new") < place(&l, "old"), "{l:?}");
}

#[test]
fn rows_of_the_model_are_sorted_by_sequence() {
    let rows = format!("{}{}", new("second", "wan", 20, ""), new("first", "wan", 10, ""));
    let d = device(&export("", "", &model(&rows)));
    let l = labels(&d);
    assert!(place(&l, "first") < place(&l, "second"), "{l:?}");
}

#[test]
fn floating_then_groups_then_interfaces() {
    let body = format!(
        "<ifgroups><ifgroupentry><ifname>inside</ifname><members>lan</members></ifgroupentry></ifgroups>{}",
        filter(&format!("{}{}", rule("on lan", "lan", ""), rule("floats", "wan", "<floating>yes</floating><quick>1</quick>")))
    );
    let rows = format!("{}{}", new("group", "inside", 1, ""), new("two interfaces", "wan,lan", 2, ""));
    let d = device(&export("", &body, &model(&rows)));
    let l = labels(&d);
    assert!(place(&l, "two interfaces") < place(&l, "floats"), "{l:?}");
    assert!(place(&l, "floats") < place(&l, "group"), "{l:?}");
    assert!(place(&l, "group") < place(&l, "on lan"), "{l:?}");
}

#[test]
fn a_floating_row_of_the_section_is_not_final_unless_it_says_so() {
    let rows = format!("{}{}", rule("floats", "wan", "<floating>yes</floating><direction>in</direction>"), rule("final", "wan", ""));
    let d = device(&export("", &filter(&rows), ""));
    let l = labels(&d);
    assert!(place(&l, "final") < place(&l, "floats"), "{l:?}");
}

#[test]
fn a_row_of_the_model_can_leave_the_verdict_to_later_ones() {
    let rows = new("weak", "wan", 1, "").replace("<quick>1</quick>", "<quick>0</quick>") + &new("strong", "wan", 2, "");
    let d = device(&export("", "", &model(&rows)));
    let l = labels(&d);
    assert!(place(&l, "strong") < place(&l, "weak"), "{l:?}");
}

#[test]
fn disabled_zero_is_in_force_and_one_is_not() {
    let rows = format!("{}{}", rule("zero", "wan", "<disabled>0</disabled>"), rule("one", "wan", "<disabled>1</disabled>"));
    let d = device(&export("", &filter(&rows), ""));
    assert!(row(&d, "zero").live.value().value.is_true());
    assert!(row(&d, "one").live.value().value.is_false());
}

#[test]
fn an_empty_disabled_is_not_settled() {
    let d = device(&export("", &filter(&rule("empty", "wan", "<disabled/>")), ""));
    let live = row(&d, "empty").live.value().value;
    assert!(!live.is_true() && !live.is_false());
}

#[test]
fn a_row_of_the_model_that_is_not_enabled_is_not_in_force() {
    let rows = new("off", "wan", 1, "").replace("<enabled>1</enabled>", "<enabled>0</enabled>");
    assert!(row(&device(&export("", "", &model(&rows))), "off").live.value().value.is_false());
}

#[test]
fn a_row_with_an_unknown_alias_is_not_loaded() {
    let rows = new("broken", "wan", 1, "").replace("<source_net>any</source_net>", "<source_net>nobody</source_net>");
    let d = device(&export("", "", &model(&rows)));
    assert!(row(&d, "broken").live.value().value.is_false());
    assert_eq!(d.undefined.items[0].name, "nobody");
}

#[test]
fn without_a_family_the_section_means_both_and_the_model_ipv4() {
    let rows = new("new", "wan", 1, "").replace("<ipprotocol>inet</ipprotocol>", "");
    let d = device(&export("", &filter(&rule("old", "wan", "")), &model(&rows)));
    assert!(matches!(row(&d, "old").src.get(), Some(AddrExpr::Any)));
    assert!(matches!(row(&d, "new").src.get(), Some(AddrExpr::AnyV4)));
}

#[test]
fn ports_without_a_protocol_do_not_count() {
    let rows = rule("old", "wan", "").replace("<any>1</any></destination>", "<any>1</any><port>443</port></destination>");
    let d = device(&export("", &filter(&rows), ""));
    assert!(matches!(row(&d, "old").svc.get(), Some(SvcExpr::Any)));
}

#[test]
fn a_row_for_all_interfaces_but_one_floats() {
    let d = device(&export("", "", &model(&new("others", "lan", 1, "<interfacenot>1</interfacenot>"))));
    assert_eq!(row(&d, "others").ingress, IfMatch::These(vec![InterfaceIx(0)]));
}

#[test]
fn anti_lockout_stands_on_lan() {
    let d = device(&export("", "", ""));
    assert_eq!(row(&d, "Anti-Lockout Rule").ingress, IfMatch::These(vec![InterfaceIx(1)]));
}

#[test]
fn anti_lockout_moves_to_the_first_other_and_to_wan_at_last() {
    let wan = "<wan><enable>1</enable><if>igb0</if><ipaddr>192.0.2.2</ipaddr><subnet>24</subnet></wan>";
    let opt = "<opt2><enable>1</enable><if>igb2</if><ipaddr>10.0.2.1</ipaddr><subnet>24</subnet></opt2><opt10><enable>1</enable><if>igb3</if><ipaddr>10.0.3.1</ipaddr><subnet>24</subnet></opt10>";
    let d = device(&export("", &format!("<interfaces>{wan}{opt}</interfaces>"), ""));
    assert_eq!(row(&d, "Anti-Lockout Rule").ingress, IfMatch::These(vec![InterfaceIx(1)]));
    let d = device(&export("", &format!("<interfaces>{wan}</interfaces>"), ""));
    assert_eq!(row(&d, "Anti-Lockout Rule").ingress, IfMatch::These(vec![InterfaceIx(0)]));
}

#[test]
fn no_anti_lockout_where_it_is_switched_off() {
    let system = "<webgui><protocol>https</protocol><noantilockout>1</noantilockout></webgui>";
    assert!(!labels(&device(&export(system, "", ""))).contains(&"Anti-Lockout Rule"));
}

#[test]
fn anti_lockout_does_not_open_the_monitors_page() {
    let monit = "<monit><general><enabled>1</enabled><httpdEnabled>1</httpdEnabled><httpdPort>2812</httpdPort></general></monit>";
    let d = device(&export("", "", monit));
    let SvcExpr::Term(term) = row(&d, "Anti-Lockout Rule").svc.get().expect("known") else { panic!("one term") };
    assert_eq!(term.dst_ports, [(443, 443), (80, 80)]);
}

fn forward(association: &str) -> String {
    format!(
        "<nat><rule><interface>wan</interface><ipprotocol>inet</ipprotocol><protocol>tcp</protocol><source><any>1</any></source><destination><network>wanip</network><port>3389</port></destination><target>192.168.1.9</target><local-port>3389</local-port>{association}<descr>desktop</descr></rule></nat>"
    )
}

#[test]
fn a_passing_translation_is_asked_before_everything() {
    for association in ["<pass>pass</pass>", "<associated-rule-id>pass</associated-rule-id>"] {
        let d = device(&export("<ipv6allow>1</ipv6allow>", &forward(association), ""));
        assert_eq!(labels(&d)[0], "rdr pass", "{association}");
    }
}

#[test]
fn a_registered_translation_is_asked_after_everything() {
    let body = forward("<pass>rule</pass>") + &filter(&rule("block", "wan", "").replace("pass", "block"));
    let d = device(&export("", &body, ""));
    let l = labels(&d);
    assert!(place(&l, "block") < place(&l, "desktop"), "{l:?}");
    assert_eq!(row(&d, "desktop").verdict.get(), Some(&Verdict::Accept));
}

#[test]
fn other_associations_add_no_row() {
    for association in ["", "<associated-rule-id>nat_1.2</associated-rule-id>", "<pass/>"] {
        let d = device(&export("", &forward(association), ""));
        assert!(!labels(&d).contains(&"desktop"), "{association}");
    }
}

#[test]
fn peers_of_the_older_ipsec_are_passed_and_those_of_connections_are_not() {
    let phase1 = "<ipsec><enable>1</enable><phase1><ikeid>1</ikeid><interface>wan</interface><remote-gateway>198.51.100.1</remote-gateway><descr>hq</descr></phase1></ipsec>";
    assert!(labels(&device(&export("", phase1, ""))).contains(&"IPsec: hq"));
    let off = phase1.replace("<enable>1</enable>", "");
    assert!(!labels(&device(&export("", &off, ""))).contains(&"IPsec: hq"));
    let connection = "<Swanctl><Connections><Connection uuid=\"a\"><enabled>1</enabled><remote_addrs>198.51.100.1</remote_addrs><description>hq</description></Connection></Connections></Swanctl>";
    assert!(labels(&device(&export("", "", connection))).iter().all(|l| !l.starts_with("IPsec")));
}
