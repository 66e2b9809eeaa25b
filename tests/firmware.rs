//! Releases: end of support, and vulnerabilities known to be exploited, judged with what the same export shows.

mod common;

use common::{AS_OF, judge, judge_as, judge_together, real, root};
use sekisho::analysis::Stated;
use sekisho::finding::{DeviceReport, Finding, Lang, OutcomeKind, Report, Severity};
use std::collections::BTreeMap;

fn devices(report: &Report) -> impl Iterator<Item = &DeviceReport> {
    report.files.iter().flat_map(|f| &f.devices)
}

fn findings<'r>(report: &'r Report, rule: &str) -> Vec<&'r Finding> {
    devices(report).flat_map(|d| &d.findings).filter(|f| f.rule == rule).collect()
}

fn outcome(report: &Report, rule: &str) -> OutcomeKind {
    devices(report).flat_map(|d| &d.outcomes).find(|o| o.rule == rule).expect("an outcome").kind
}

/// A small FortiGate export with these lines of SSL-VPN settings.
fn export(version: &str, ssl_vpn: &str) -> String {
    format!(
        "#config-version=FGT60E-{version}-FW-build0231-190107:opmode=0:vdom=0:user=netadm\nconfig system global\nend\n\
         config system interface\n    edit \"wan1\"\n        set ip 198.51.100.2 255.255.255.252\n        set role wan\n    next\nend\n\
         config system admin\nend\nconfig firewall address\n    edit \"maintainer\"\n        set subnet 203.0.113.8 255.255.255.252\n    next\nend\n\
         config vpn ssl settings\n{ssl_vpn}end\nconfig firewall policy\n    edit 1\n        set srcintf \"ssl.root\"\n        set dstintf \"wan1\"\n        set srcaddr \"all\"\n\
         set dstaddr \"all\"\n        set action accept\n        set schedule \"always\"\n        set service \"HTTPS\"\n    next\nend\n"
    )
}

/// Severity and message of the finding that names a vulnerability.
fn about(text: &str, id: &str) -> (Severity, String) {
    let report = judge_as("a.conf", text.as_bytes(), Lang::En, AS_OF, None);
    let found = findings(&report, "FW003");
    let one = found.iter().find(|f| f.subject.contains(id)).unwrap_or_else(|| panic!("{id} is not reported: {found:#?}"));
    (one.severity, one.message.clone())
}

const OPEN: &str = "    set port 10443\n    set source-interface \"wan1\"\n    set source-address \"all\"\n    set default-portal \"p\"\n";

#[test]
fn the_re_enacted_hospital_fails_with_the_lines_of_its_ssl_vpn() {
    let report = judge(&root().join("corpus/incidents/handa-like-fgt60e.conf"), Lang::En);
    assert_eq!(findings(&report, "FW001").iter().map(|f| f.severity).collect::<Vec<_>>(), [Severity::Error]);
    let found = findings(&report, "FW003");
    let worst = found.iter().find(|f| f.severity == Severity::Error).expect("an error");
    assert!(worst.subject.contains("CVE-2018-13379") && worst.message.contains("SSL-VPN"), "{worst:#?}");
    let text = std::fs::read_to_string(root().join("corpus/incidents/handa-like-fgt60e.conf")).expect("file");
    let line = text.lines().position(|l| l.contains("set source-interface \"wan1\"")).expect("the listener") + 1;
    assert!(worst.related.iter().any(|l| l.place.is_some_and(|p| p.line == line)), "{:#?}", worst.related);
    assert!(worst.witness.is_some());
    let fixed = judge(&root().join("corpus/incidents/handa-like-fgt60e-fixed.conf"), Lang::En);
    for rule in ["FW001", "FW003"] {
        assert_eq!((findings(&fixed, rule).len(), outcome(&fixed, rule)), (0, OutcomeKind::Pass), "{rule}");
    }
}

#[test]
fn what_a_vulnerability_needs_decides_the_severity_and_never_removes_it() {
    let (severity, message) = about(&export("6.0.4", OPEN), "CVE-2018-13379");
    assert_eq!(severity, Severity::Error, "{message}");
    let limited = OPEN.replace("\"all\"", "\"maintainer\"");
    let (severity, message) = about(&export("6.0.4", &limited), "CVE-2018-13379");
    assert!(severity == Severity::Warning && message.contains("is on"), "{message}");
    let (severity, message) = about(&export("6.2.15", &format!("    set status disable\n{OPEN}")), "CVE-2024-21762");
    assert!(severity == Severity::Note && message.contains("is off"), "{message}");
    let excerpt =
        "#config-version=FGT60E-6.0.4-FW-build0231-190107:opmode=0:vdom=0:user=netadm\nconfig system global\n    set hostname \"a\"\nend\n";
    let report = judge_as("a.conf", excerpt.as_bytes(), Lang::En, AS_OF, Some("fortios"));
    let found = findings(&report, "FW003");
    let ssl = found.iter().find(|f| f.subject.contains("CVE-2018-13379")).expect("reported");
    assert!(ssl.severity == Severity::Warning && ssl.message.contains("does not tell"), "{}", ssl.message);
}

#[test]
fn a_record_without_builds_asks_for_a_person() {
    let (severity, message) = about(&export("6.4.8", OPEN), "CVE-2021-44168");
    assert!(severity == Severity::Warning && message.contains("by hand"), "{message}");
}

#[test]
fn a_product_outside_the_data_is_unknown_and_never_supported() {
    for path in ["corpus/yamaha-rtx/good-clinic-rtx840.txt", "corpus/nec-ix/good-clinic-ix2235.txt", "corpus/pfsense/good-clinic-2.7.xml"] {
        let report = judge(&root().join(path), Lang::En);
        for rule in ["FW001", "FW002", "FW003"] {
            assert_eq!(outcome(&report, rule), OutcomeKind::Undetermined, "{path} {rule}");
        }
    }
}

#[test]
fn a_version_that_the_export_does_not_give_leaves_all_undetermined() {
    let text = export("6.0.4", OPEN);
    let text: String = text.split_inclusive('\n').skip(1).collect();
    let report = judge_as("a.conf", text.as_bytes(), Lang::En, AS_OF, Some("fortios"));
    for rule in ["FW001", "FW002", "FW003"] {
        assert_eq!(outcome(&report, rule), OutcomeKind::Undetermined, "{rule}");
    }
}

#[test]
fn the_end_of_support_names_its_source_and_the_date_of_the_data() {
    for (lang, date) in [(Lang::En, "2026-08-22"), (Lang::Ja, "2026-08-22")] {
        let report = judge_as("a.conf", export("7.0.17", OPEN).as_bytes(), lang, AS_OF, None);
        let found = findings(&report, "FW001");
        let message = &found.first().expect("past its end").message;
        assert!(["2025-09-30", "endoflife.date", date].iter().all(|part| message.contains(part)), "{message}");
    }
}

/// No assertion: what real exports give, for whoever changes the data or a comparison.
#[test]
fn real_exports_are_measured() {
    let mut counts: BTreeMap<(String, String, &'static str), usize> = BTreeMap::new();
    let (mut all, mut versions) = (0, 0);
    for path in real() {
        let bytes = std::fs::read(&path).expect("file");
        let report = judge_as(&path.display().to_string(), &bytes, Lang::En, AS_OF, None);
        for file in report.files.iter().filter(|f| f.readable) {
            for device in &file.devices {
                all += 1;
                versions += usize::from(device.os_version.is_some());
                for rule in ["FW001", "FW002", "FW003", "FW004"] {
                    let Some(found) = device.outcomes.iter().find(|o| o.rule == rule) else { continue };
                    let worst = device.findings.iter().filter(|f| f.rule == rule).map(|f| f.severity).max();
                    let word = match (found.kind, worst) {
                        (OutcomeKind::Fail, Some(severity)) => severity.word(),
                        (OutcomeKind::Pass, _) => "pass",
                        (OutcomeKind::NotApplicable, _) => "not applicable",
                        _ => "undetermined",
                    };
                    *counts.entry((file.dialect.clone().unwrap_or_default(), rule.to_owned(), word)).or_default() += 1;
                }
            }
        }
    }
    eprintln!("devices {all}, with a version {versions}");
    for ((dialect, rule, word), count) in counts {
        eprintln!("{dialect:<12} {rule} {word:<14} {count}");
    }
}

/// An export that tells no version, as `show running-config | begin interface` leaves it.
fn without_version() -> String {
    let text = std::fs::read_to_string(root().join("corpus/cisco-asa/odd-excerpt-vpn.txt")).expect("file");
    assert!(judge_as("fw.txt", text.as_bytes(), Lang::En, AS_OF, None).files[0].devices[0].os_version.is_none());
    text
}

const PRINTED: &str = "fw# show version\n\nCisco Adaptive Security Appliance Software Version 9.8(2)\nDevice Manager Version 7.8(2)\n";

#[test]
fn a_version_captured_in_the_same_text_or_folder_or_stated_by_a_person_is_judged() {
    let text = without_version();
    let of = |files: &[(&str, &str)], stated: &Stated| {
        let report = judge_together(files, stated);
        let device = report.files.iter().flat_map(|f| &f.devices).next().expect("a device").clone();
        (device.os_version.clone(), outcome(&report, "FW003"), findings(&report, "FW003").into_iter().cloned().collect::<Vec<_>>())
    };
    let nothing = Stated::default();
    assert_eq!(of(&[("a/fw.txt", &text)], &nothing).1, OutcomeKind::Undetermined);
    let captured = format!("{PRINTED}\nfw# show running-config\n{text}");
    let (version, kind, found) = of(&[("a/fw.txt", &captured)], &nothing);
    assert_eq!((version.as_deref(), kind), (Some("9.8(2)"), OutcomeKind::Fail));
    assert_eq!(found[0].primary.place.map(|p| p.line), Some(3), "{found:#?}");
    let (version, kind, found) = of(&[("a/fw.txt", &text), ("a/version.txt", PRINTED)], &nothing);
    assert_eq!((version.as_deref(), kind), (Some("9.8(2)"), OutcomeKind::Fail));
    let labels: Vec<&str> = found[0].related.iter().chain([&found[0].primary]).map(|l| l.text.as_str()).collect();
    assert!(labels.iter().any(|l| l.contains("a/version.txt")), "{labels:?}");
    let stated = Stated { os_version: Some("9.8(2)".into()), ..Stated::default() };
    let (version, kind, _) = of(&[("a/fw.txt", &text)], &stated);
    assert_eq!((version.as_deref(), kind), (Some("9.8(2)"), OutcomeKind::Fail));
    // Whose version it is cannot be told where the folder holds two boxes.
    assert_eq!(of(&[("a/fw.txt", &text), ("a/fw2.txt", &text), ("a/version.txt", PRINTED)], &nothing).0, None);
}

#[test]
fn what_the_export_tells_is_not_overruled() {
    let text = format!(": Saved\n:\nASA Version 9.16(4)\n!\n{}", without_version());
    let stated = Stated { os_version: Some("9.8(2)".into()), ..Stated::default() };
    let report = judge_together(&[("a/fw.txt", &text), ("a/version.txt", PRINTED)], &stated);
    assert_eq!(devices(&report).next().and_then(|d| d.os_version.as_deref()), Some("9.16(4)"));
}
