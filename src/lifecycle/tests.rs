use super::*;

fn version(text: &str) -> Version {
    let parts = text.split(|c: char| !c.is_ascii_digit()).filter_map(|p| p.parse().ok()).collect();
    Version { text: text.to_owned(), parts, precision: Precision::Exact, span: None }
}

fn verdict(id: &str, product: &str, text: &str, model: Option<&str>) -> Verdict {
    let data = Lifecycle::builtin();
    let found = data.vulnerabilities.iter().find(|v| v.id.as_ref() == id).unwrap_or_else(|| panic!("{id}"));
    data.verdict(found, product, Some(&version(text)), model)
}

#[track_caller]
fn all(id: &str, product: &str, wanted: Verdict, versions: &[&str]) {
    for text in versions {
        assert_eq!(verdict(id, product, text, None), wanted, "{id} {text}");
    }
}

#[test]
fn the_embedded_data_loads() {
    let data = Lifecycle::load(include_str!("../../data/lifecycle.toml")).unwrap_or_else(|e| panic!("{e:#?}"));
    assert!(data.trains.len() > 100 && data.vulnerabilities.len() > 40);
    assert_eq!(data.oldest(), "2026-08-07");
    let mut ids: Vec<&String> = data.vulnerabilities.iter().map(|v| v.id.as_ref()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), data.vulnerabilities.len(), "an id stands twice");
    // What nobody checked has no range, and what has one says what it needs in both languages.
    for v in data.vulnerabilities.iter().filter(|v| !v.affected.is_empty()) {
        assert!(v.ja.is_some() && v.en.is_some() && v.condition.is_some(), "{}", v.id.as_ref());
    }
}

#[test]
fn ranges_end_where_the_record_says() {
    let forti = "fortinet.fortios";
    all("CVE-2018-13379", forti, Verdict::Affected, &["6.0.0", "6.0.4", "5.6.3", "5.6.7", "5.4.12"]);
    all("CVE-2018-13379", forti, Verdict::NotAffected, &["6.0.5", "5.6.2", "5.6.8", "5.4.5", "6.2.0", "7.4.11"]);
    all("CVE-2022-42475", forti, Verdict::Affected, &["7.2.2", "6.4.10"]);
    all("CVE-2022-42475", forti, Verdict::NotAffected, &["7.2.10", "6.4.11"]);
    // Prose says "before 6.4.11", the data includes it; the data counts.
    all("CVE-2022-41328", forti, Verdict::Affected, &["6.4.11"]);
    all("CVE-2018-14847", "mikrotik.routeros", Verdict::Affected, &["6.42rc27", "6.42", "6.40.9"]);
    all("CVE-2018-14847", "mikrotik.routeros", Verdict::NotAffected, &["6.42.1", "6.49.19", "7.1beta6"]);
}

#[test]
fn a_record_that_names_one_train_only_has_to_be_checked_by_hand_elsewhere() {
    all("CVE-2021-44168", "fortinet.fortios", Verdict::Affected, &["7.0.2"]);
    all("CVE-2021-44168", "fortinet.fortios", Verdict::NotAffected, &["7.0.3"]);
    all("CVE-2021-44168", "fortinet.fortios", Verdict::ByHand, &["6.4.8", "6.0.4"]);
}

#[test]
fn two_service_releases_of_one_train_can_be_mended_and_a_train_can_have_no_fix() {
    let junos = "juniper.junos";
    all("CVE-2023-36845", junos, Verdict::Affected, &["22.3R2-S1.3", "22.3R3", "21.1R3-S5", "20.4R3-S8", "12.1X47-D45.4", "22.4R2"]);
    all("CVE-2023-36845", junos, Verdict::NotAffected, &["22.3R2-S2", "22.3R3-S1.4", "20.4R3-S9", "22.4R2-S1", "22.4R3-S2.11", "23.4R1"]);
    all("CVE-2020-1631", junos, Verdict::Affected, &["12.3X48-D95", "12.3R12-S15", "17.4R3-S1", "17.4R2-S10"]);
    all("CVE-2020-1631", junos, Verdict::NotAffected, &["12.3X48-D101", "12.3R12-S16", "17.4R2-S11", "18.2R2-S7"]);
}

#[test]
fn a_model_with_fixes_of_its_own_is_not_judged_by_those_of_others() {
    let on = |model| verdict("CVE-2025-21590", "juniper.junos", "21.2R3-S9", model);
    assert_eq!(on(Some("SRX345")), Verdict::ByHand);
    assert_eq!(on(Some("srx1500")), Verdict::NotAffected);
    assert_eq!(on(None), Verdict::ModelUnknown);
    assert_eq!(verdict("CVE-2025-21590", "juniper.junos", "21.2R3-S8", None), Verdict::Affected);
}

#[test]
fn interim_builds_compare_as_their_numbers() {
    all("CVE-2025-20333", "cisco.asa", Verdict::Affected, &["9.16(4)84", "9.12(4)67", "9.8(4)", "9.18(4)"]);
    all("CVE-2025-20333", "cisco.asa", Verdict::NotAffected, &["9.16(4)85", "9.12(4)72", "9.18(4)47"]);
}

#[test]
fn listed_builds_are_affected_and_a_build_between_them_is_not_known() {
    let xe = "cisco.ios-xe";
    all("CVE-2023-20198", xe, Verdict::Affected, &["17.09.04", "17.9.3a", "16.12.10"]);
    all("CVE-2023-20198", xe, Verdict::NotAffected, &["17.9.4a", "17.09.05", "17.15.03a"]);
    all("CVE-2023-20198", xe, Verdict::NotListed, &["17.6.5a"]);
    all("CVE-2023-20269", "cisco.asa", Verdict::Affected, &["9.16(4)38", "9.18(3)"]);
    all("CVE-2023-20269", "cisco.asa", Verdict::NotListed, &["9.16(4)30"]);
    all("CVE-2023-20269", "cisco.asa", Verdict::NotAffected, &["9.18(4)", "9.20(2)"]);
}

#[test]
fn a_version_that_is_not_exact_or_cannot_be_read_is_not_judged() {
    let data = Lifecycle::builtin();
    let found = &data.vulnerabilities_of("fortinet.fortios").0[0];
    let train = Version { precision: Precision::Train, ..version("5.2") };
    assert_eq!(data.verdict(found, "fortinet.fortios", Some(&train), None), Verdict::VersionUnknown);
    assert_eq!(data.verdict(found, "fortinet.fortios", None, None), Verdict::VersionUnknown);
    all("CVE-2023-36845", "juniper.junos", Verdict::VersionUnknown, &["18.2-20190101.0"]);
}

#[test]
fn a_product_outside_the_data_has_neither_train_nor_vulnerability() {
    let data = Lifecycle::builtin();
    for product in ["yamaha.rtx", "nec.ix", "netgate.pfsense"] {
        let (checked, unchecked) = data.vulnerabilities_of(product);
        assert!(checked.is_empty() && unchecked.is_empty() && data.train_of(product, &version("1.0")).is_none(), "{product}");
    }
    let (checked, unchecked) = data.vulnerabilities_of("cisco.ios");
    assert!(checked.is_empty() && !unchecked.is_empty(), "known, but without checked ranges");
}

#[test]
fn a_train_is_compared_by_its_numbers() {
    let data = Lifecycle::builtin();
    let train = |text: &str| data.train_of("mikrotik.routeros", &version(text)).map(|t| t.train.as_ref().clone());
    assert_eq!(train("6.40.9").as_deref(), Some("6.40"));
    assert_eq!(train("6.4.1").as_deref(), Some("6.4"));
    assert_eq!(train("6.39.3"), None);
}

const SMALL: &str = r#"as_of = "2026-01-01"
exploited_as_of = "2026-01-02"
[order]
"a.b" = "numbers"
[source.s]
title = "t"
where = "w"
as_of = "2026-01-01"
licence = "l"
[[train]]
product = "a.b"
train = "1.2"
end = "2027-01-01"
source = "s"
"#;

#[track_caller]
fn mistake(from: &str, to: &str, key: &str, at: &str) {
    let text = SMALL.replace(from, to);
    assert_ne!(text, SMALL);
    let errors = Lifecycle::load(&text).expect_err("a mistake");
    assert_eq!(errors.iter().map(|e| e.key).collect::<Vec<_>>(), [key], "{errors:?}");
    assert!(text[errors[0].span.clone()].contains(at), "{:?}", &text[errors[0].span.clone()]);
}

#[test]
fn every_mistake_is_placed() {
    assert!(Lifecycle::load(SMALL).is_ok());
    mistake("2027-01-01", "soon", "date", "soon");
    mistake("source = \"s\"", "source = \"x\"", "source", "x");
    mistake("product = \"a.b\"", "product = \"a.c\"", "order", "a.c");
    mistake("train = \"1.2\"", "train = \"one\"", "version", "one");
    mistake("end =", "ends =", "shape", "ends");
    mistake("\"numbers\"", "\"words\"", "shape", "words");
    let more = |rows: &str| {
        format!("{SMALL}[[vulnerability]]\nid = \"X-1\"\nproducts = [\"a.b\"]\nexploited = \"2026-01-01\"\nsources = [\"s\"]\n{rows}")
    };
    let keys = |rows: &str| Lifecycle::load(&more(rows)).map_or_else(|e| e.iter().map(|e| e.key).collect::<Vec<_>>(), |_| Vec::new());
    assert!(keys("").is_empty());
    assert_eq!(keys("affected = [{ product = \"a.b\", to = \"1.0\" }]"), ["incomplete"]);
    assert_eq!(keys("condition = \"c\"\nja = \"x\"\nen = \"x\"\naffected = [{ product = \"a.b\", to = \"1.0\" }]"), ["condition"]);
    let whole =
        |row: &str| format!("condition = \"c\"\nja = \"x\"\nen = \"x\"\naffected = [{row}]\n[condition.c]\nja = \"x\"\nen = \"x\"\n");
    assert!(keys(&whole("{ product = \"a.b\", to = \"1.0\" }")).is_empty());
    assert_eq!(keys(&whole("{ product = \"a.b\" }")), ["bounds"]);
    assert_eq!(keys(&whole("{ product = \"a.b\", listed = \"l\" }")), ["list"]);
    assert_eq!(keys(&whole("{ product = \"a.b\", before = \"x1\" }")), ["version"]);
    assert_eq!(keys(&whole("{ product = \"a.d\", to = \"1.0\" }")), ["order", "product"]);
}

#[test]
fn every_mistake_has_its_sentence() {
    let texts: toml::Table = include_str!("../../texts/data_errors.toml").parse().expect("texts");
    for key in ["shape", "date", "source", "order", "version", "product", "condition", "list", "bounds", "incomplete"] {
        assert!(texts.contains_key(key), "{key}");
    }
    assert_eq!(texts.len(), 10);
}
