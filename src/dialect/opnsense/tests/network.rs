//! The form of the export, its release, interfaces, logs, SNMP, names.

use super::{device, export, listener, model, new, rule};
use crate::dialect;
use crate::ir::device::ExportForm;
use crate::ir::interface::InterfaceKind;
use crate::ir::system::SnmpVersion;
use crate::source::FileId;

#[test]
fn the_release_stands_in_a_comment_after_the_document() {
    let d = device(&(export("", "", "") + "<!-- OPNsense 24.7 -->\n"));
    assert_eq!(d.identity.version.expect("a version").text, "24.7");
}

#[test]
fn a_revision_of_the_form_is_no_release() {
    let text = |v: &str| export("", &format!("<version>{v}</version>"), "");
    assert!(device(&text("11.2")).identity.version.is_none());
    assert_eq!(device(&text("26.1.6")).identity.version.expect("a version").parts, [26, 1, 6]);
}

#[test]
fn rows_with_a_mark_of_the_models_make_a_file_without_them_an_excerpt() {
    let marked = export("", &format!("<filter>{}</filter>", rule("a", "wan", "").replace("<rule>", "<rule uuid=\"x\">")), "");
    let cut = marked.replace("<OPNsense>\n\n</OPNsense>\n", "");
    assert_eq!(device(&marked).completeness.form, ExportForm::Full);
    assert_eq!(device(&cut).completeness.form, ExportForm::Excerpt);
    let old = cut.replace(" uuid=\"x\"", "");
    assert_eq!(device(&old).completeness.form, ExportForm::Full);
}

#[test]
fn relatives_are_told_apart_by_the_document_element() {
    let ours = export("", "", &model(&new("a", "wan", 1, "")));
    let theirs =
        "<?xml version=\"1.0\"?>\n<pfsense>\n<version>23.3</version>\n<filter><rule><tracker>1</tracker></rule></filter>\n</pfsense>\n";
    let name = |text: &str| {
        let verdict = dialect::detector().detect(FileId(0), text, 0..text.len());
        verdict.winner().map_or("", |w| dialect::all()[w.dialect].name())
    };
    assert_eq!(name(&ours), "opnsense");
    assert_eq!(name(theirs), "pfsense");
}

#[test]
fn groups_in_the_list_of_interfaces_are_no_interfaces() {
    let body = "<interfaces><wan><enable>1</enable><if>igb0</if></wan><openvpn><type>group</type><if>openvpn</if><enable>1</enable></openvpn></interfaces>";
    let d = device(&export("", body, ""));
    assert!(d.interfaces.iter().all(|i| i.name != "openvpn"));
}

#[test]
fn an_instance_has_an_interface_of_its_own() {
    let instance = |more: &str| {
        format!(
            "<OpenVPN><Instances><Instance uuid=\"a\"><vpnid>3</vpnid><enabled>1</enabled><role>server</role><server>10.8.0.0/24</server>{more}</Instance></Instances></OpenVPN>"
        )
    };
    let kind = |more: &str| device(&export("", "", &instance(more))).interfaces.iter().find(|i| i.name == "ovpns3").expect("made").kind;
    assert_eq!(kind(""), InterfaceKind::RemoteAccess);
    assert_eq!(kind("<route>10.9.0.0/16</route>"), InterfaceKind::Tunnel);
}

#[test]
fn destinations_of_logs_are_read_with_their_switch() {
    let row = |on: u8| format!("<destination uuid=\"{on}\"><enabled>{on}</enabled><hostname>192.168.1.{on}</hostname></destination>");
    let d = device(&export(
        "",
        "",
        &format!("<Syslog><general><enabled>1</enabled></general><destinations>{}{}</destinations></Syslog>", row(1), row(0)),
    ));
    let targets = &d.logging.as_ref().expect("logging").targets.items;
    assert_eq!(targets.iter().filter(|t| t.live.value.is_true()).map(|t| t.name.as_str()).collect::<Vec<_>>(), ["192.168.1.1"]);
}

#[test]
fn the_plugin_of_snmp_has_a_community_and_users() {
    let plugin = "<netsnmp><general><enabled>1</enabled><community>KANARI-ro</community></general><user><users><user uuid=\"u\"><enabled>1</enabled><username>mon</username><password>KANARI-a</password></user></users></user></netsnmp>";
    let d = device(&export("", "", plugin));
    assert_eq!(d.snmp.items.iter().map(|s| s.version).collect::<Vec<_>>(), [SnmpVersion::V1V2c, SnmpVersion::V3]);
    assert!(listener(&d, "snmp").cleartext.value.is_true());
}

#[test]
fn the_resolver_is_off_unless_its_model_says_so() {
    let model = |on: &str| format!("<unboundplus><general>{on}</general></unboundplus>");
    assert!(listener(&device(&export("", "", &model(""))), "dns").live.value().value.is_false());
    assert!(listener(&device(&export("", "", &model("<enabled>1</enabled>"))), "dns").live.value().value.is_true());
}

#[test]
fn aliases_of_the_model_name_each_other() {
    let alias = |n: &str, t: &str, c: &str| {
        format!("<alias uuid=\"{n}\"><enabled>1</enabled><name>{n}</name><type>{t}</type><content>{c}</content></alias>")
    };
    let rows = new("a", "wan", 1, "")
        .replace("<source_net>any", "<source_net>all")
        .replace("<protocol>any", "<destination_port>web</destination_port><protocol>TCP");
    let models = format!(
        "<Firewall><Alias><aliases>{}{}{}</aliases></Alias><Filter><rules>{rows}</rules></Filter></Firewall>",
        alias("all", "networkgroup", "office"),
        alias("office", "network", "192.0.2.0/24\n!192.0.2.9"),
        alias("web", "port", "80\n443")
    );
    let d = device(&export("", "", &models));
    assert!(d.undefined.items.is_empty(), "{:?}", d.undefined.items.iter().map(|u| &u.name).collect::<Vec<_>>());
    assert!(d.definitions.items.iter().all(|a| a.uses > 0));
}
