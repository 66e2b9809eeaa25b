//! Every output form of one hand-made report, in both languages. `UPDATE_EXPECT=1` rewrites the snapshots.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "reports/sample.rs"]
mod sample;

use expect_test::{ExpectFile, expect_file};
use sample::{sample, totals};
use sekisho::finding::{Lang, OutcomeKind, Report};
use sekisho::report::{Form, TextStyle, write};
use serde_json::Value;

const LANGS: [Lang; 2] = [Lang::Ja, Lang::En];
const PLAIN: TextStyle = TextStyle { colour: false, width: 100, ascii: true, verbose: false, quiet: false };

fn check(form: Form, lang: Lang, style: TextStyle, expect: ExpectFile) {
    expect.assert_eq(&write(&sample(lang), form, &style));
}

/// All forms and styles of a report.
fn all(report: &Report) -> Vec<(Form, TextStyle, String)> {
    let flags = [false, true];
    let mut out: Vec<_> =
        [Form::Json, Form::Sarif, Form::Github].into_iter().map(|form| (form, PLAIN, write(report, form, &PLAIN))).collect();
    for (colour, ascii) in flags.into_iter().flat_map(|colour| flags.map(|ascii| (colour, ascii))) {
        for (verbose, quiet) in [(false, false), (true, false), (false, true)] {
            for width in [0, 50, 100, 200] {
                let style = TextStyle { colour, width, ascii, verbose, quiet };
                out.push((Form::Text, style, write(report, Form::Text, &style)));
            }
        }
    }
    out
}

#[test]
fn text_plain() {
    check(Form::Text, Lang::Ja, PLAIN, expect_file!["snapshots/text.ascii.ja.txt"]);
    check(Form::Text, Lang::En, PLAIN, expect_file!["snapshots/text.ascii.en.txt"]);
}

#[test]
fn text_drawn() {
    let style = TextStyle { ascii: false, ..PLAIN };
    check(Form::Text, Lang::Ja, style, expect_file!["snapshots/text.drawn.ja.txt"]);
    check(Form::Text, Lang::En, style, expect_file!["snapshots/text.drawn.en.txt"]);
}

#[test]
fn text_in_colour() {
    let style = TextStyle { ascii: false, colour: true, ..PLAIN };
    check(Form::Text, Lang::Ja, style, expect_file!["snapshots/text.colour.ja.txt"]);
}

#[test]
fn text_verbose_and_narrow() {
    let style = TextStyle { ascii: false, verbose: true, width: 64, ..PLAIN };
    check(Form::Text, Lang::Ja, style, expect_file!["snapshots/text.verbose.ja.txt"]);
    check(Form::Text, Lang::En, style, expect_file!["snapshots/text.verbose.en.txt"]);
}

#[test]
fn text_quiet() {
    let style = TextStyle { quiet: true, ..PLAIN };
    check(Form::Text, Lang::Ja, style, expect_file!["snapshots/text.quiet.ja.txt"]);
    check(Form::Text, Lang::En, style, expect_file!["snapshots/text.quiet.en.txt"]);
}

#[test]
fn json() {
    check(Form::Json, Lang::Ja, PLAIN, expect_file!["snapshots/json.ja.json"]);
    check(Form::Json, Lang::En, PLAIN, expect_file!["snapshots/json.en.json"]);
}

#[test]
fn sarif() {
    check(Form::Sarif, Lang::Ja, PLAIN, expect_file!["snapshots/sarif.ja.sarif"]);
    check(Form::Sarif, Lang::En, PLAIN, expect_file!["snapshots/sarif.en.sarif"]);
}

#[test]
fn github() {
    check(Form::Github, Lang::Ja, PLAIN, expect_file!["snapshots/github.ja.txt"]);
    check(Form::Github, Lang::En, PLAIN, expect_file!["snapshots/github.en.txt"]);
}

#[test]
fn same_report_same_bytes() {
    for lang in LANGS {
        for ((_, _, one), (_, _, other)) in all(&sample(lang)).iter().zip(&all(&sample(lang))) {
            assert_eq!(one, other);
        }
    }
}

#[test]
fn no_secret_gets_out() {
    for lang in LANGS {
        for (form, style, text) in all(&sample(lang)) {
            assert!(!text.to_lowercase().contains("canary"), "{form:?} {style:?}");
        }
    }
}

#[test]
fn no_control_character_gets_out() {
    for lang in LANGS {
        for (form, style, text) in all(&sample(lang)) {
            assert!(text.ends_with('\n'));
            // Our own colours: escape, bracket, digits and semicolons, m.
            let mut bare = String::new();
            for (number, part) in text.split("\u{1B}[").enumerate() {
                let shown = if number == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';') };
                assert!(number == 0 || (style.colour && shown.starts_with('m') && shown.len() < part.len()));
                bare.push_str(shown);
            }
            let moves = |c: char| c != '\n' && (c.is_control() || "\u{202E}\u{2028}\u{2066}\u{200B}".contains(c));
            assert!(!bare.contains(moves), "{form:?} {style:?}");
        }
    }
}

fn validate(schema: &str, strict: bool, text: &str) {
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    if strict {
        close(&mut schema);
    }
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Forbids keys the schema does not name, so that no key is added without being described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("properties").is_some_and(Value::is_object) && object.contains_key("required") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn json_keeps_the_contract() {
    for lang in LANGS {
        let text = write(&sample(lang), Form::Json, &PLAIN);
        validate(include_str!("schemas/sekisho-1.schema.json"), true, &text);
    }
}

#[test]
fn the_contract_can_be_broken() {
    let text = write(&sample(Lang::En), Form::Json, &PLAIN).replace("\"severity\": \"error\"", "\"severity\": \"bad\"");
    assert!(std::panic::catch_unwind(|| validate(include_str!("schemas/sekisho-1.schema.json"), true, &text)).is_err());
}

#[test]
fn sarif_is_valid() {
    // The pattern of languages has a bracket too many, which strict expression engines refuse.
    let schema = include_str!("schemas/sarif-schema-2.1.0.json").replace("-[a-zA-Z]{2}]?$", "-[a-zA-Z]{2}$");
    for lang in LANGS {
        validate(&schema, false, &write(&sample(lang), Form::Sarif, &PLAIN));
    }
    let mut empty = sample(Lang::En);
    empty.files.clear();
    validate(&schema, false, &write(&empty, Form::Sarif, &PLAIN));
}

#[test]
fn sarif_indexes_agree_with_names() {
    let log: Value = serde_json::from_str(&write(&sample(Lang::En), Form::Sarif, &PLAIN)).unwrap();
    let run = &log["runs"][0];
    let index = |value: &Value| value.as_u64().unwrap() as usize;
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        assert_eq!(run["tool"]["driver"]["rules"][index(&result["ruleIndex"])]["id"], result["ruleId"]);
        let related = result["relatedLocations"].as_array().map_or(&[][..], Vec::as_slice);
        for location in result["locations"].as_array().unwrap().iter().chain(related) {
            let location = &location["physicalLocation"]["artifactLocation"];
            assert_eq!(run["artifacts"][index(&location["index"])]["location"]["uri"], location["uri"]);
        }
    }
}

#[test]
fn each_line_of_the_github_form_is_a_command() {
    let text = write(&sample(Lang::Ja), Form::Github, &PLAIN);
    assert!(text.lines().all(|line| ["::error ", "::warning ", "::notice "].iter().any(|kind| line.starts_with(kind))));
}

#[test]
fn suppressed_findings_are_counted_not_shown() {
    let report = sample(Lang::En);
    assert_eq!(report.totals.suppressed, 1);
    let hidden = "Policy 1 exposes the PACS.";
    assert!(!write(&report, Form::Text, &PLAIN).contains(hidden));
    assert!(!write(&report, Form::Github, &PLAIN).contains(hidden));
    assert!(write(&report, Form::Text, &PLAIN).contains("accepted 1"));
    assert!(write(&report, Form::Sarif, &PLAIN).contains("\"suppressions\""));
}

fn verdict(change: impl Fn(&mut Report), lang: Lang) -> String {
    let mut report = sample(lang);
    report.files.truncate(1);
    report.notices.clear();
    change(&mut report);
    report.totals = totals(&report.files);
    write(&report, Form::Text, &PLAIN)
}

#[test]
fn nothing_found_is_said_with_what_could_not_be_told() {
    let clean = |report: &mut Report| report.files[0].devices.iter_mut().for_each(|device| device.findings.clear());
    let cleaner = |report: &mut Report| {
        clean(report);
        let outcomes = report.files[0].devices.iter_mut().map(|device| &mut device.outcomes);
        outcomes.for_each(|outcomes| outcomes.retain(|outcome| outcome.kind != OutcomeKind::Undetermined));
    };
    let nothing = |report: &mut Report| report.files[0].devices.clear();
    let accepted = |report: &mut Report| {
        let devices = report.files[0].devices.iter_mut().map(|device| &mut device.findings);
        devices.for_each(|findings| findings.retain(|finding| finding.suppressed.is_some()));
    };
    let mut shown = String::new();
    for lang in LANGS {
        for text in [verdict(clean, lang), verdict(cleaner, lang), verdict(accepted, lang), verdict(nothing, lang)] {
            shown.push_str(&format!("{text}\n"));
        }
    }
    expect_file!["snapshots/text.verdicts.txt"].assert_eq(&shown);
}

#[test]
fn many_undetermined_outcomes_are_counted() {
    let many = |report: &mut Report| {
        let outcomes = &mut report.files[0].devices[0].outcomes;
        let one = outcomes.iter().find(|outcome| outcome.kind == OutcomeKind::Undetermined).unwrap().clone();
        outcomes.extend(std::iter::repeat_n(one, 14));
    };
    let text = verdict(many, Lang::En);
    assert_eq!(text.matches("AUTH003  ").count(), 10);
    assert!(text.contains("5 more (--verbose shows all)"));
}
