//! Identity, completeness, interfaces, translations.

use super::*;
use crate::ir::device::{ExportForm, Precision};
use crate::ir::filter::{AddrExpr, IfMatch};
use crate::ir::interface::{InterfaceIx, InterfaceKind, SidePointer};
use crate::ir::nat::NatKind;

#[test]
fn the_release_comes_from_the_revision_or_from_a_comment() {
    let version = |text: &str| device(text).identity.version.map(|v| (v.text, v.precision));
    let text = export("", "");
    assert_eq!(version(&text), Some(("2.4 (config.xml 19.1)".into(), Precision::Train)));
    assert_eq!(version(&text.replace("19.1", "11.9")), Some(("2.2 (config.xml 11.9)".into(), Precision::Train)));
    assert_eq!(version(&text.replace("19.1", "16.0")), None, "between two trains");
    assert_eq!(version(&text.replace("19.1", "99.9")), None);
    assert_eq!(version(&format!("{}<!-- PFsense 2.7.2-RELEASE -->", text.trim_end())), Some(("2.7.2".into(), Precision::Exact)));
}

#[test]
fn a_part_and_a_file_cut_off_prove_nothing_about_the_rest() {
    let area = device(
        "<?xml version=\"1.0\"?>\n<filter>\n<rule><interface>wan</interface><source><any/></source><destination><any/></destination></rule>\n</filter>\n",
    );
    assert_eq!(area.completeness.form, ExportForm::Section);
    assert!(!area.completeness.gaps.contains_key("forward_filter"));
    assert!(area.completeness.gaps.contains_key("accounts"));
    assert_eq!(area.interfaces[0].name, "wan");
    let whole = export("<user><name>admin</name><uid>0</uid></user>", "<filter></filter><openvpn></openvpn>");
    let cut = device(&whole[..whole.find("</openvpn>").expect("openvpn")]);
    assert_eq!(cut.completeness.form, ExportForm::Excerpt);
    assert!(cut.completeness.gaps.contains_key("remote_access"), "the last section is not all there");
    assert!(!cut.completeness.gaps.contains_key("accounts"));
    assert!(device(&whole).completeness.gaps.is_empty());
}

#[test]
fn an_interface_without_enable_is_down() {
    let body = "<interfaces><wan><enable/><if>a</if><ipaddr>dhcp</ipaddr></wan><opt1>\n<if>b</if><ipaddr>10.0.0.1</ipaddr><subnet>24</subnet></opt1></interfaces>";
    let d = device(&export("", body));
    assert!(d.interfaces[0].up.value.is_true());
    assert!(d.interfaces[1].up.value.is_false());
}

#[test]
fn sides_follow_from_the_slot_the_gateway_and_the_line() {
    let body = "<interfaces>\n<wan><enable/><if>igb0</if><ipaddr>203.0.113.2</ipaddr><subnet>29</subnet></wan>\n\
        <lan><enable/><if>igb1</if><ipaddr>192.168.1.1</ipaddr><subnet>24</subnet></lan>\n\
        <opt1><enable/><if>igb2</if><ipaddr>192.0.2.2</ipaddr><subnet>29</subnet><gateway>GW2</gateway></opt1>\n\
        <opt2><enable/><if>igb3</if><ipaddr>10.9.0.1</ipaddr><subnet>24</subnet></opt2>\n\
        <opt3><enable/><if>ovpnc1</if></opt3>\n</interfaces>\
        <openvpn><openvpn-client><vpnid>1</vpnid><mode>p2p_tls</mode></openvpn-client></openvpn>\
        <nat><outbound><mode>hybrid</mode><rule><interface>opt3</interface><source><network>192.168.1.0/24</network></source></rule></outbound></nat>";
    let d = device(&export("", body));
    let points = |ix: usize, to| d.interfaces[ix].signs.iter().any(|s| s.points_to == to);
    assert!(points(0, SidePointer::Untrusted) && points(2, SidePointer::Untrusted));
    assert!(points(1, SidePointer::Trusted));
    assert!(d.interfaces[3].signs.is_empty());
    assert_eq!(d.interfaces[4].kind, InterfaceKind::Tunnel);
    assert!(points(4, SidePointer::Untrusted), "sources are translated into it");
}

#[test]
fn carp_addresses_are_the_boxs_own_and_others_are_not() {
    let vip = |mode: &str, address: &str| {
        format!("<vip><mode>{mode}</mode><interface>wan</interface><subnet>{address}</subnet><subnet_bits>32</subnet_bits></vip>")
    };
    let body = format!("<virtualip>{}{}</virtualip>", vip("carp", "203.0.113.9"), vip("proxyarp", "203.0.113.10"));
    assert_eq!(device(&export("", &body)).interfaces[0].addresses.len(), 2);
}

const FORWARD: &str = "<rule><source><any/></source><destination><network>wanip</network><port>3389</port></destination><protocol>tcp</protocol>\
    <target>192.168.1.20</target><local-port>3390</local-port><interface>wan</interface><associated-rule-id>ASSOC</associated-rule-id></rule>";

#[test]
fn a_port_forward_that_passes_stands_before_every_rule() {
    let nat = |assoc: &str| device(&export("", &format!("<nat>{}</nat>", FORWARD.replace("ASSOC", assoc))));
    let d = nat("pass");
    assert_eq!(d.nat.rules[0].to_port, Some(3390));
    assert!(matches!(d.nat.rules[0].orig_dst.get(), Some(AddrExpr::InterfaceAddr(InterfaceIx(0)))));
    assert_eq!(d.filters[0].rules[0].label, "rdr pass");
    assert_eq!(d.filters[0].rules[0].nat.via.len(), 1);
    assert!(!labels(&nat("nat_12")).contains(&"rdr pass"));
    assert!(!labels(&nat("")).contains(&"rdr pass"));
}

#[test]
fn one_to_one_covers_as_many_addresses_as_there_are_inside() {
    let body = "<nat><onetoone><external>203.0.113.64</external><interface>wan</interface><source><address>10.0.0.0/29</address></source><destination><any/></destination></onetoone></nat>";
    let d = device(&export("", body));
    let nat = &d.nat.rules[0];
    assert_eq!(nat.kind, NatKind::OneToOne);
    match nat.orig_dst.get() {
        Some(AddrExpr::Range(a, b)) => assert_eq!((a.to_string(), b.to_string()), ("203.0.113.64".into(), "203.0.113.71".into())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn exemptions_translate_nothing_and_the_old_form_is_read() {
    let body = "<nat><rule><nordr/><target>x</target></rule><rule><interface>wan</interface><protocol>tcp</protocol><external-port>80-81</external-port><target>192.168.1.8</target><local-port>8080</local-port></rule></nat>";
    let d = device(&export("", body));
    assert_eq!(d.nat.rules.len(), 1);
    assert_eq!(d.nat.rules[0].orig_svc[0].dst_ports, [(80, 81)]);
    assert_eq!(d.nat.rules[0].ingress, IfMatch::These(vec![InterfaceIx(0)]));
}
