//! The corpus: each export gives exactly the findings its `.expect` file lists; no secret of it appears in any output.
//!
//! `UPDATE_EXPECT=1 cargo test --test corpus` rewrites the expectations; read the difference line by line before committing it.

mod common;

use common::{corpus, diff, judge, reach, root};
use expect_test::expect_file;
use sekisho::analysis::reach::Question;
use sekisho::finding::{Lang, Report};
use sekisho::report::{Form, TextStyle, write};
use std::path::Path;

/// Header and one line a finding: `line severity rule subject`.
fn summary(report: &Report) -> String {
    let mut out = String::new();
    for file in &report.files {
        let name = file.path.split("!/").nth(1).map(|m| format!(" {m}")).unwrap_or_default();
        out.push_str(&format!("export{name}: {} {}\n", file.dialect.as_deref().unwrap_or("refused"), file.encoding));
        let c = file.coverage;
        out.push_str(&format!("coverage: {} statements, {} unrecognised\n", c.statements, c.unrecognised));
        for error in &file.errors {
            out.push_str(&format!("error: {}{}\n", error.line.map(|l| format!("line {l}: ")).unwrap_or_default(), error.message));
        }
        for device in &file.devices {
            out.push_str(&format!(
                "device: {} [{}] {}\n",
                device.name,
                device.context,
                device.os_version.as_deref().unwrap_or("no version")
            ));
            let mut lines: Vec<(usize, String)> = device
                .findings
                .iter()
                .map(|f| {
                    (
                        f.primary.place.map_or(0, |p| p.line),
                        format!("{} {} {} | {}", f.rule, f.severity.word(), f.confidence.word(), f.subject),
                    )
                })
                .collect();
            lines.sort();
            for (line, text) in lines {
                out.push_str(&format!("{line:>5} {text}\n"));
            }
            let undetermined: Vec<&str> =
                device.outcomes.iter().filter(|o| o.kind == sekisho::finding::OutcomeKind::Undetermined).map(|o| o.rule.as_str()).collect();
            out.push_str(&format!("undetermined: {}\n", undetermined.join(" ")));
        }
    }
    out
}

fn expect_path(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".expect");
    name.into()
}

#[test]
fn every_export_gives_exactly_what_is_expected() {
    assert!(corpus().len() > 20);
    for path in corpus() {
        let report = judge(&path, Lang::En);
        expect_file![expect_path(&path)].assert_eq(&summary(&report));
    }
}

#[test]
fn repaired_twins_are_clean_and_their_originals_are_not() {
    let folder = root().join("corpus/incidents");
    let config = folder.join("sekisho.toml");
    let text = std::fs::read_to_string(&config).expect("configuration");
    let configs = [sekisho::fleet::config::Config::parse(&config, &text).expect("configuration")];
    let incidents: Vec<_> = corpus().into_iter().filter(|p| p.parent() == Some(folder.as_path())).collect();
    assert!(incidents.len() >= 10);
    for path in incidents {
        let mut report = judge(&path, Lang::En);
        sekisho::fleet::suppress::apply(&mut report, &configs);
        sekisho::fleet::run::count(&mut report);
        let fixed = path.file_name().is_some_and(|n| n.to_string_lossy().contains("-fixed"));
        let findings = report.files.iter().flat_map(|f| &f.devices).flat_map(|d| &d.findings).filter(|f| f.suppressed.is_none());
        let findings: Vec<String> = findings.map(|f| format!("{} {} {}", f.severity.word(), f.rule, f.subject)).collect();
        assert_eq!(report.totals.unreadable, 0, "{}", path.display());
        assert_eq!(report.totals.error == 0, fixed, "{}: {findings:#?}", path.display());
        assert_eq!(report.totals.warning == 0, fixed, "{}: {findings:#?}", path.display());
    }
}

#[test]
fn a_story_is_told_only_where_its_login_is_a_finding() {
    let mut told = 0;
    for path in corpus() {
        let report = judge(&path, Lang::En);
        for device in report.files.iter().flat_map(|f| &f.devices).filter(|d| !d.stories.is_empty()) {
            told += 1;
            let finding = device.findings.iter().find(|f| f.rule == "AUTH001" && f.severity == sekisho::finding::Severity::Error);
            assert!(finding.is_some(), "{}: {:?}", path.display(), device.stories);
            assert!(device.stories.len() == 1 && device.stories[0].hops.len() >= 3, "{}", path.display());
            let proved =
                device.stories[0].hops.iter().all(|h| !h.labels.is_empty() && !h.text.contains(['{', '}']) && !h.text.contains("story."));
            assert!(proved, "{}: {:?}", path.display(), device.stories);
            assert!(!path.to_string_lossy().contains("-fixed"), "{}", path.display());
        }
    }
    assert!(told >= 5, "{told}");
}

#[test]
fn both_languages_say_the_same() {
    for path in corpus() {
        let (ja, en) = (judge(&path, Lang::Ja), judge(&path, Lang::En));
        let shape = |r: &Report| -> Vec<(String, String, String)> {
            r.files
                .iter()
                .flat_map(|f| &f.devices)
                .flat_map(|d| &d.findings)
                .map(|f| (f.rule.clone(), f.subject.clone(), f.fingerprint.clone()))
                .collect()
        };
        assert_eq!(shape(&ja), shape(&en), "{}", path.display());
    }
}

/// Values that must not appear: everything with the canary's name in it, and what comment lines declare.
fn canaries(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).expect("file");
    let text = String::from_utf8_lossy(&bytes);
    let mut found: Vec<String> = vec!["KANARI".to_owned()];
    // Short ones are everyday words (a community `public`) that stand in sentences too.
    let declared = text.lines().filter_map(|l| l.split_once("canary: ")).map(|(_, v)| v.trim().to_owned());
    found.extend(declared.filter(|v| v.len() >= 8));
    found
}

#[test]
fn no_secret_reaches_any_output() {
    let mut with_secrets = 0;
    for path in corpus() {
        let canaries = canaries(&path);
        for lang in [Lang::Ja, Lang::En] {
            let report = judge(&path, lang);
            with_secrets += usize::from(report.totals.devices > 0);
            for form in [Form::Text, Form::Json, Form::Sarif, Form::Github] {
                for verbose in [false, true] {
                    let style = TextStyle { colour: verbose, width: 120, ascii: !verbose, verbose, quiet: false };
                    let out = write(&report, form, &style);
                    for canary in &canaries {
                        // The line that declares a canary is the one place where it may be quoted; no finding points there.
                        let leak = out.lines().find(|l| l.contains(canary.as_str()) && !l.contains("canary: "));
                        assert!(leak.is_none(), "{} {form:?}: {leak:?}", path.display());
                    }
                }
            }
        }
    }
    assert!(with_secrets > 20);
}

#[test]
fn no_secret_reaches_any_output_of_reach_and_diff() {
    let paths = corpus();
    for (path, next) in paths.iter().zip(paths.iter().cycle().skip(1)) {
        let (one, other) = (std::fs::read(path).expect("file"), std::fs::read(next).expect("file"));
        let canaries: Vec<String> = canaries(path).into_iter().chain(canaries(next)).collect();
        for lang in [Lang::Ja, Lang::En] {
            let reach = reach("one", &one, &Question::default(), lang);
            let diff = diff(&one, &other, lang);
            let outputs = [
                sekisho::report::reach::text(&reach, 120),
                sekisho::report::reach::json(&reach),
                sekisho::report::diff::text(&diff, 120),
                sekisho::report::diff::json(&diff),
            ];
            for (form, out) in outputs.iter().enumerate() {
                for canary in &canaries {
                    let leak = out.lines().find(|l| l.contains(canary.as_str()) && !l.contains("canary: "));
                    assert!(leak.is_none(), "{} {form}: {leak:?}", path.display());
                }
            }
        }
    }
}
