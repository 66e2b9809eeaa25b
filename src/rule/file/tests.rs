//! Whole rule files: what loads, and what is said about what does not.

use super::raw::RawRule;
use super::*;
use crate::finding::Severity;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::schema;
use proptest::prelude::*;

const RULE: &str = include_str!("sample.toml");

fn load(text: &str) -> Rule {
    Rule::load(text).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The mistakes of [`RULE`] with one replacement: key, text at the place, what was meant.
fn check(from: &str, to: &str, expected: &[(&str, &str, Option<&str>)]) {
    assert!(RULE.contains(from), "{from}");
    fails(&RULE.replace(from, to), expected);
}

fn fails(text: &str, expected: &[(&str, &str, Option<&str>)]) {
    let errors = Rule::load(text).expect_err("the file is wrong");
    let found: Vec<_> = errors.iter().map(|e| (e.key, &text[e.span.clone()], e.meant.as_deref())).collect();
    assert_eq!(found, expected);
}

fn exposure(class: &'static str, side_kind: Option<&'static str>) -> Record {
    let written = || Origin::Stated("test".into());
    let mut it = Record::new(&schema::EXPOSURE, "https on wan1", None);
    it.word("class", Fact::known(class.into(), written())).word("side", Fact::known("untrusted".into(), written()));
    it.bool("latent", Fact::known(true, written()));
    match side_kind {
        Some(kind) => it.word("side_kind", Fact::known(kind.into(), written())),
        None => it.word("side_kind", Fact::unknown(Why::new(WhyCode::Site, "wan1"))),
    };
    it
}

fn device() -> Record {
    Record::new(&schema::DEVICE, "fw1", None)
}

#[test]
fn a_rule_file_loads_whole() {
    let rule = load(RULE);
    assert_eq!((rule.id.as_str(), rule.status, rule.severity), ("EXP001", Status::Stable, Severity::Warning));
    assert_eq!(rule.refs, [Reference { kind: "cwe".into(), id: "CWE-284".into() }]);
    assert_eq!(rule.texts.en.falsepositives.as_deref(), Some("a filter upstream that this export does not show"));
    assert!(rule.texts.ja.falsepositives.is_some() && rule.texts.ja.what_to_do.is_none());
    assert_eq!(rule.examples[0].fires.as_deref(), Some("config system interface\n"));
    let subject = rule.subject(&schema::EXPOSURE).unwrap();
    let index = |name| schema::EXPOSURE.index(name).unwrap();
    assert_eq!(subject.primary, [index("class"), index("side")]);
    assert_eq!(subject.group_by, Some(GroupBy::Field(index("service"))));
    assert!(subject.fails.eval(&exposure("any", None), &device()).value.is_true());
    assert!(subject.fails.eval(&exposure("none", None), &device()).value.is_false());
    assert!(rule.subject(&schema::TUNNEL).is_none());
}

#[test]
fn the_first_true_level_wins_and_an_unknown_one_keeps_the_default() {
    let rule = load(RULE);
    let subject = &rule.subjects[0];
    let severity = |side_kind| subject.severity(rule.severity, &exposure("any", side_kind), &device()).0;
    assert_eq!(severity(Some("internet")), Severity::Error);
    assert_eq!(severity(Some("partner")), Severity::Note);
    assert_eq!(severity(None), Severity::Warning);
}

#[test]
fn a_variant_replaces_the_message_where_it_is_surely_true() {
    let rule = load(RULE);
    let (subject, mut it) = (&rule.subjects[0], exposure("any", None));
    assert_eq!(subject.message(&it, &device()), &subject.message);
    it.bool("redirect_only", Fact::known(true, Origin::Stated("test".into())));
    assert_eq!(subject.message(&it, &device()), &subject.variants[0].message);
}

#[test]
fn one_rule_may_judge_several_kinds() {
    let text = (RULE.replace("\"exposure\"", "[\"tunnel\", \"remote_access\"]"))
        .replace("applies = 'plane == \"management\"'\n", "")
        .replace("it.side == \"untrusted\"\n  && class in BROAD", "live && kind == \"pptp\"")
        .replace("[\"class\", \"side\"]", "\"live\"")
        .replace("\"service\"", "\"device\"")
        .replace("side_kind == \"internet\"", "live")
        .replace("latent", "on_untrusted")
        .replace("{interface}", "{kind}")
        .replace("{service}", "{kind}")
        .replace("{it.interface}", "{kind}")
        .replace("{class}", "{kind}")
        .replace("redirect_only", "accepts_aggressive_psk");
    let rule = load(&text);
    assert_eq!(rule.subjects.iter().map(|s| s.kind.name).collect::<Vec<_>>(), ["tunnel", "remote_access"]);
    assert_eq!(rule.subjects[0].group_by, Some(GroupBy::Device));
    fails(
        &text.replace("kind == \"pptp\"", "kin == \"pptp\" && encrypted"),
        &[("unknown_name", "kin", Some("kind")), ("unknown_name", "kin", Some("kind")), ("unknown_name", "encrypted", None)],
    );
}

#[test]
fn mistakes_in_predicates_are_placed_in_the_file() {
    check("class in BROAD", "clas in BROD", &[("unknown_name", "clas", Some("class")), ("unknown_name", "BROD", Some("BROAD"))]);
    check("it.side ==", "it.side =", &[("unknown_character", "=", Some("=="))]);
    check("'plane == \"management\"'", "\"plane == \\\"managment\\\"\"", &[("unknown_word", "\\\"managment\\\"", Some("management"))]);
    check("when = \"latent\"", "when = \"latent &&\"", &[("unexpected_end", "", None)]);
    check("when = 'redirect_only'", "when = 'service'", &[("expected_type", "service", None)]);
    check("\"any\", \"broad\"", "\"any\", \"brod\"", &[("unknown_word", "BROAD", Some("broad"))]);
}

#[test]
fn mistakes_in_messages_are_placed_in_the_file() {
    check("{interface}", "{interfaces}", &[("unknown_placeholder", "{interfaces}", Some("interface"))]);
    check("{device.product}", "{device.produkt}", &[("unknown_placeholder", "{device.produkt}", Some("product"))]);
    check("{class} ", "{class {", &[("brace_alone", "{", None), ("brace_alone", "{", None)]);
    check("Anybody can", "Anybody on {interface} can", &[("placeholder_not_here", "{interface}", None)]);
    check("\"Anybody can try passwords and exploits.\"", "\" \"", &[("empty", "\" \"", None)]);
}

#[test]
fn keys_are_checked() {
    check("severity = \"warning\"", "severty = \"warning\"", &[("missing_key", "", None), ("unknown_key", "severty", Some("severity"))]);
    check("fires = '''", "fire = '''", &[("unknown_key", "fire", Some("fires"))]);
    check("status = \"stable\"", "status = 3", &[("wrong_type", "3", None)]);
    check("controls = [\"MHLW-2026-03\"]", "controls = [3]", &[("wrong_type", "3", None)]);
    check("refs = [{ kind = \"cwe\", id = \"CWE-284\" }]", "refs = \"CWE-284\"", &[("wrong_type", "\"CWE-284\"", None)]);
    check("LIMIT = 1_800", "LIMIT = 1.5", &[("bad_constant", "1.5", None)]);
    check("LIMIT = 1_800", "limit = 1800", &[("bad_constant_name", "limit", None)]);
    check("subject = \"exposure\"", "subject = []", &[("empty", "[]", None)]);
}

#[test]
fn both_languages_must_be_whole() {
    check("falsepositives = \"a filter upstream that this export does not show\"\n", "", &[("missing_language", "[en]", None)]);
    check("en = \"{subject} only redirects ({device.product}).\"", "", &[("missing_language", "[[variant]]", None)]);
    let start = RULE.find("[en]").unwrap();
    let text = format!("{}{}", &RULE[..start], &RULE[RULE.find("[[variant]]").unwrap()..]);
    fails(&text, &[("missing_language", "", None)]);
}

#[test]
fn words_and_patterns_are_checked() {
    check("\"EXP001\"", "\"exp1\"", &[("bad_id", "\"exp1\"", None)]);
    check("management-exposed-to-internet", "Management exposed", &[("bad_name", "\"Management exposed\"", None)]);
    check("0.1.0", "0.1", &[("bad_version", "\"0.1\"", None)]);
    check("dialect = \"fortios\"\n", "dialect = \"fortios\"\nas_of = \"2026-02-30\"\n", &[("bad_date", "\"2026-02-30\"", None)]);
    check("\"stable\"", "\"stabel\"", &[("unknown_word", "\"stabel\"", Some("stable"))]);
    check("severity = \"error\"", "severity = \"err\"", &[("unknown_word", "\"err\"", None)]);
    check("subject = \"exposure\"", "subject = \"exposures\"", &[("unknown_kind", "\"exposures\"", Some("exposure"))]);
    check("\"mgmt.restrict-source\"", "\"mgmt.restrict source\"", &[("bad_action", "\"mgmt.restrict source\"", None)]);
    check("\"mgmt.restrict-source\"", "\"mgmt.disable-on-untrusted\"", &[("repeated", "\"mgmt.disable-on-untrusted\"", None)]);
    check("[\"class\", \"side\"]", "[\"class\", \"sides\"]", &[("unknown_field", "\"sides\"", Some("side"))]);
    check("group_by = \"service\"", "group_by = \"devic\"", &[("unknown_field", "\"devic\"", Some("device"))]);
}

#[test]
fn a_syntax_error_does_not_hide_the_mistakes_beside_it() {
    let text = RULE.replace("since = \"0.1.0\"", "since = 0.1.").replace("class in BROAD", "clas in BROAD");
    let errors = Rule::load(&text).unwrap_err();
    let keys: Vec<&str> = errors.iter().map(|e| e.key).collect();
    assert!(keys.contains(&"toml_syntax") && keys.contains(&"unknown_name"), "{errors:?}");
    assert!(!keys.contains(&"missing_key") && !keys.contains(&"wrong_type"), "{errors:?}");
}

#[test]
fn an_empty_file_names_every_required_key() {
    let errors = Rule::load("").unwrap_err();
    let missing: Vec<&str> = errors.iter().map(|e| e.args[0].as_str()).collect();
    assert_eq!(missing, ["fails", "id", "name", "severity", "since", "status", "subject", "en", "ja"]);
}

#[test]
fn a_pre_parsed_rule_loads_like_its_file() {
    let (raw, errors) = raw::read(RULE);
    assert!(errors.is_empty());
    let stored: RawRule = serde_json::from_str(&serde_json::to_string(&raw).unwrap()).unwrap();
    assert_eq!(stored, raw);
    assert_eq!(format!("{:?}", Rule::from_raw(&stored).unwrap()), format!("{:?}", load(RULE)));
    let incomplete = RawRule { name: None, ..stored };
    assert_eq!(Rule::from_raw(&incomplete).unwrap_err()[0].args, ["name"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_makes_the_loader_panic(cut in 0..RULE.len(), length in 0..60usize, put in "[\\[\\]{}=\"'.#\n\\\\a-c\u{95a2}]{0,6}") {
        let boundary = |at: usize| (at.min(RULE.len())..=RULE.len()).find(|ix| RULE.is_char_boundary(*ix)).unwrap();
        let text = format!("{}{put}{}", &RULE[..boundary(cut)], &RULE[boundary(cut + length)..]);
        for error in Rule::load(&text).err().into_iter().flatten() {
            prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}");
        }
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in any::<String>()) {
        prop_assert!(Rule::load(&text).is_err());
    }
}
