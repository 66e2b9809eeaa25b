//! What `redact` gives away and what it keeps: the same findings on the same lines, no secret, no name, no public address.

mod common;

use common::{corpus, judge_bytes, real, root};
use sekisho::analysis::Stated;
use sekisho::finding::{Lang, OutcomeKind, Report};
use sekisho::fleet::redact::{Redacted, redact};
use sekisho::fleet::run::{Input, Options};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

fn redacted(name: &str, bytes: &[u8]) -> Result<Redacted, String> {
    let bytes = bytes.to_vec();
    let input = Input { name: name.to_owned(), named: true, read: Box::new(move || Ok(bytes.clone())) };
    let options = Options {
        lang: Lang::En,
        as_of: common::AS_OF.to_owned(),
        dialect: None,
        rules: &[],
        data: sekisho::rule::vulnerability::Knowledge::builtin(),
        run_key: Arc::new([7; 32]),
        hash_budget: 0,
        excerpts: false,
        stated: &|_| (Stated::default(), None),
    };
    redact(&input, &options)
}

/// Rules whose answer rests on the very value that is replaced.
const STRENGTH: [&str; 5] = [
    // A factory password is known by its value.
    "PWD001",
    // Whether a password is guessable, long enough, or its hash one of a guessable word.
    "PWD002", "PWD003", "PWD005", "PWD008",
];

/// Rule, line and level of each finding, and what cannot be told.
fn shape(report: &Report) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for file in &report.files {
        for (ix, device) in file.devices.iter().enumerate() {
            for finding in device.findings.iter().filter(|f| !STRENGTH.contains(&f.rule.as_str())) {
                let line = finding.primary.place.map_or(0, |p| p.line);
                out.insert(format!("{ix} {line:>5} {} {}", finding.rule, finding.severity.word()));
            }
            for outcome in device.outcomes.iter().filter(|o| o.kind == OutcomeKind::Undetermined && !STRENGTH.contains(&o.rule.as_str())) {
                out.insert(format!("{ix} undetermined {}", outcome.rule));
            }
        }
    }
    out
}

fn compare(path: &Path) -> Result<usize, String> {
    let bytes = std::fs::read(path).expect("file");
    let before = judge_bytes("file", &bytes, Lang::En);
    let Ok(out) = redacted("file", &bytes) else { return Ok(0) };
    let after = judge_bytes("file", out.text.as_bytes(), Lang::En);
    let (before, after) = (shape(&before), shape(&after));
    let lost: Vec<&String> = before.difference(&after).collect();
    let new: Vec<&String> = after.difference(&before).collect();
    if lost.is_empty() && new.is_empty() {
        return Ok(before.len());
    }
    Err(format!("{}\n  lost {lost:#?}\n  new {new:#?}", path.strip_prefix(root()).unwrap_or(path).display()))
}

fn compare_all(paths: &[std::path::PathBuf]) {
    let results: Vec<Result<usize, String>> = paths.iter().map(|p| compare(p)).collect();
    let wrong: Vec<&String> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    let (files, findings) = (results.iter().filter(|r| !matches!(r, Ok(0))).count(), results.iter().flatten().sum::<usize>());
    println!("{files} files, {findings} findings and open questions compared");
    let shown: String = wrong.iter().map(|w| format!("{w}\n")).collect();
    assert!(wrong.is_empty(), "{} files differ:\n{shown}", wrong.len());
}

#[test]
fn the_corpus_gives_the_same_findings() {
    compare_all(&corpus());
}

#[test]
fn real_exports_give_the_same_findings() {
    let folder = std::env::var_os("SEKISHO_REAL").map(std::path::PathBuf::from);
    compare_all(&folder.map_or_else(real, |f| common::files(&f)));
}
