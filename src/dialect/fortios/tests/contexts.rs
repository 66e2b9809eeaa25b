//! Heads, virtual domains, fragments.

use super::{complete, device, devices};
use crate::ir::device::{ContextKind, ExportForm};
use crate::ir::fact::{Rest, WhyCode};

const DOMAINS: &str = "#config-version=FG100F-7.0.14-FW-build0601-240101:opmode=0:vdom=1:user=admin\n#global_vdom=1\n\
config vdom\nedit root\nnext\nedit clinic\nnext\nend\n\
config global\nconfig system global\nset hostname \"hospital\"\nset admin-sport 8443\nend\n\
config system interface\nedit \"wan1\"\nset vdom \"root\"\nset allowaccess ping https\nnext\nedit \"lan\"\nset vdom \"clinic\"\nset allowaccess ssh\nnext\nend\n\
config system admin\nedit \"admin\"\nset password ENC SH2KANARI\nnext\nend\nend\n\
config vdom\nedit root\nconfig firewall policy\nedit 1\nset srcintf \"wan1\"\nnext\nend\nend\n\
config vdom\nedit clinic\nconfig firewall policy\nend\nend\n";

#[test]
fn domains_become_devices_with_their_own_interfaces() {
    let all = devices(DOMAINS);
    let names: Vec<(&str, &str)> = all.iter().map(|d| (d.name.as_str(), d.context.as_str())).collect();
    assert_eq!(names, [("hospital", "global"), ("hospital", "root"), ("hospital", "clinic")]);
    assert_eq!(all[0].context_kind, ContextKind::Global);
    assert_eq!([all[0].parent, all[1].parent, all[2].parent], [None, Some(0), Some(0)]);
    assert_eq!(all[1].interfaces.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["wan1"]);
    assert_eq!(all[2].interfaces.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["lan"]);
    assert_eq!(all[1].filters.iter().map(|f| f.rules.len()).sum::<usize>(), 1);
    assert_eq!(all[0].accounts.items.len(), 1);
    assert!(all[1].accounts.items.is_empty() && all[1].logging.is_none() && all[0].logging.is_some());
    assert!(all[0].completeness.gaps.is_empty() && all[1].completeness.gaps.is_empty());
}

#[test]
fn a_domain_reads_ports_of_the_shared_part() {
    let all = devices(DOMAINS);
    let https = super::listener(&all[1], "https");
    assert_eq!(https.ports.get().expect("ports")[0].dst_ports, [(8443, 8443)]);
}

#[test]
fn an_export_of_one_domain_knows_nothing_of_the_shared_part() {
    let text = "#config-version=FGT70F-7.0.14-FW-build0601-240101:opmode=0:vdom=1:user=admin\n#global_vdom=0:vd_name=clinic/clinic\n\
config system interface\nedit \"wan1\"\nset vdom \"clinic\"\nset allowaccess https telnet\nnext\nend\nconfig firewall policy\nend\n";
    let d = device(text);
    assert_eq!((d.context.as_str(), d.context_kind), ("clinic", ContextKind::Virtual));
    assert_eq!(d.completeness.gaps.get("logging").map(|w| w.code()), Some(WhyCode::OtherContext));
    assert!(!d.completeness.gaps.contains_key("forward_filter"), "policies are all there");
    assert_eq!(super::listener(&d, "https").ports.value.why().map(|w| w.code()), Some(WhyCode::OtherContext));
    assert_eq!(super::listener(&d, "telnet").live.value().value.tri(), None);
}

#[test]
fn a_text_without_head_is_a_fragment() {
    let d = device("config system admin\nedit \"admin\"\nset accprofile \"super_admin\"\nnext\nend\n");
    assert_eq!(d.completeness.form, ExportForm::Excerpt);
    assert!(matches!(d.accounts.rest, Rest::MayHoldMore(_)));
    assert_eq!(d.accounts.items[0].factory.get(), None, "the missing password proves nothing");
}

#[test]
fn a_text_that_stops_in_the_middle_is_a_fragment() {
    let whole = complete("7.4.4", "config system ntp\nset ntpsync enable\nend\n");
    assert_eq!(device(&whole).completeness.form, ExportForm::Full);
    let cut = whole.strip_suffix("end\n").expect("end");
    assert_eq!(device(cut).completeness.form, ExportForm::Excerpt);
}

#[test]
fn a_dump_of_every_attribute_is_told_apart() {
    let text = complete("7.0.3", "config system global\nset admin-concurrent enable\nset admin-login-max 100\nend\n");
    assert_eq!(device(&text).completeness.form, ExportForm::FullWithDefaults);
}

#[test]
fn policies_of_a_fragment_make_the_interfaces_they_name() {
    let d = device("config firewall policy\nedit 1\nset srcintf \"wan1\"\nset dstintf \"internal\"\nset action accept\nnext\nend\n");
    assert_eq!(d.interfaces.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["wan1", "internal"]);
    assert_eq!(d.interfaces[0].up.value.tri(), None);
}

#[test]
fn collectors_lines_before_the_head_name_the_model() {
    let text = format!("# Version: FortiGate-91G v7.4.7,build2731,250120 (GA.M)\n# Hostname: x\n{}", complete("7.4.7", ""));
    assert_eq!(device(&text).identity.model.as_deref(), Some("FortiGate 91G"));
}
