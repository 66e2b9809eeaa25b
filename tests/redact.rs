//! What `redact` gives away and what it keeps: the same findings on the same lines, no secret, no name, no public address.

mod common;

use common::{Numbers, corpus, judge_bytes, mutated, real, root};
use rayon::prelude::*;
use sekisho::analysis::Stated;
use sekisho::finding::{Lang, OutcomeKind, Report};
use sekisho::fleet::redact::{Redacted, redact};
use sekisho::fleet::run::{Input, Options};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
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

/// Rules whose answer rests on the very value that is replaced; `docs/redact.md` names the same.
const STRENGTH: [&str; 5] = [
    // A factory password is known by its value.
    "PWD001", // Whether a password or a pre-shared key can be guessed or is too short.
    "PWD002", "PWD003", "PWD008", // Whether a hash is one of a guessable word.
    "PWD005",
];

/// Files in which more than that differs, each with the reason.
const DIFFERENT: [(&str, &str); 2] = [
    // The options of OpenVPN are one encoded value that may hold keys, so all of it is a secret, and what it says is lost.
    ("corpus/pfsense/bad-vpn-hub-2.7.xml", "AUTH001 AUTH002"),
    // Lines that a terminal cut are put on the first of them: a finding on the second part moves there.
    ("corpus/yamaha-rtx/odd-capture-masked-rtx1210.txt", "ACC003"),
];

/// Rule, line and level of each finding, and what cannot be told.
fn shape(report: &Report, except: &str) -> Vec<String> {
    let excepted = |rule: &String| STRENGTH.contains(&rule.as_str()) || except.split(' ').any(|e| e == rule);
    let mut out = Vec::new();
    for file in &report.files {
        for (ix, device) in file.devices.iter().enumerate() {
            for finding in device.findings.iter().filter(|f| !excepted(&f.rule)) {
                let line = finding.primary.place.map_or(0, |p| p.line);
                out.push(format!("{ix} {line:>5} {} {} {}", finding.rule, finding.severity.word(), finding.confidence.word()));
            }
            for outcome in device.outcomes.iter().filter(|o| o.kind == OutcomeKind::Undetermined && !excepted(&o.rule)) {
                out.push(format!("{ix} undetermined {}", outcome.rule));
            }
        }
    }
    out.sort();
    out
}

fn read(path: &Path) -> (String, Vec<u8>) {
    (path.strip_prefix(root()).unwrap_or(path).display().to_string(), std::fs::read(path).expect("file"))
}

fn compare(path: &Path) -> Result<usize, String> {
    let (name, bytes) = read(path);
    let before = judge_bytes("file", &bytes, Lang::En);
    let out = match redacted("file", &bytes) {
        Ok(out) => out,
        Err(_) if before.files.iter().all(|f| f.devices.is_empty()) || before.files.len() > 1 => return Ok(0),
        Err(why) => return Err(format!("{name}: {why}")),
    };
    let after = judge_bytes("file", out.text.as_bytes(), Lang::En);
    let except = DIFFERENT.iter().find(|(n, _)| *n == name).map_or("", |(_, rules)| rules);
    let (before, after) = (shape(&before, except), shape(&after, except));
    if before == after {
        return Ok(before.len());
    }
    let lost: Vec<&String> = before.iter().filter(|b| !after.contains(b)).collect();
    let new: Vec<&String> = after.iter().filter(|a| !before.contains(a)).collect();
    Err(format!("{name}: {} before, {} after\n  lost {lost:#?}\n  new {new:#?}", before.len(), after.len()))
}

fn compare_all(paths: &[PathBuf]) {
    let results: Vec<Result<usize, String>> = paths.par_iter().map(|p| compare(p)).collect();
    let wrong: Vec<&String> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    let (files, findings) = (results.iter().filter(|r| !matches!(r, Ok(0))).count(), results.iter().flatten().sum::<usize>());
    println!("{files} files, {findings} findings and open questions compared");
    let shown: String = wrong.iter().map(|w| format!("{w}\n")).collect();
    assert!(wrong.is_empty(), "{} files differ:\n{shown}", wrong.len());
}

/// Real exports, where they are at hand: beside the project, or where `SEKISHO_REAL` says.
fn real_exports() -> Vec<PathBuf> {
    std::env::var_os("SEKISHO_REAL").map_or_else(real, |folder| common::files(Path::new(&folder)))
}

#[test]
fn the_corpus_gives_the_same_findings() {
    compare_all(&corpus());
}

#[test]
fn real_exports_give_the_same_findings() {
    compare_all(&real_exports());
}

/// What the corpus declares as secret.
fn canaries(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let declared = text.lines().filter_map(|l| l.split_once("canary: ")).map(|(_, v)| v.trim_end_matches("*/").trim().to_owned());
    std::iter::once("KANARI".to_owned()).chain(declared.filter(|v| v.len() >= 8)).collect()
}

/// Words of numbers and dots that are public addresses nobody needs to keep.
fn public(text: &str) -> BTreeSet<Ipv4Addr> {
    // Versions of packages look like addresses with something behind an underscore.
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
    let addresses = words.filter_map(|w| w.parse::<Ipv4Addr>().ok());
    let kept = |a: &Ipv4Addr| {
        let value = u32::from(*a);
        let mask = value.leading_ones() + value.trailing_zeros() >= 32 || value.leading_zeros() + value.trailing_ones() >= 32;
        let special = a.is_documentation()
            || matches!(
                a.octets(),
                [192, 0, 0, _]
                    | [192, 88, 99, _]
                    | [198, 18 | 19, ..]
                    | [8, 8, ..]
                    | [208, 67, ..]
                    | [9, 9, 9, 9]
                    | [1, 1, 1, 1]
                    | [1, 0, 0, 1]
            );
        special || mask || !sekisho::ir::interface::is_public((*a).into())
    };
    addresses.filter(|a| !kept(a)).collect()
}

#[test]
fn nothing_that_is_secret_or_public_survives() {
    let (mut replaced, mut addresses) = (0, 0);
    for path in corpus().into_iter().chain(real_exports()) {
        let (name, bytes) = read(&path);
        let Ok(out) = redacted(&name, &bytes) else { continue };
        replaced += 1;
        if name.starts_with("corpus") {
            for canary in canaries(&bytes) {
                assert!(!out.text.contains(&canary), "{name}: {canary:?} is left");
            }
        }
        let before = public(&String::from_utf8_lossy(&bytes));
        let words: BTreeSet<&str> = out.text.split(|c: char| !c.is_ascii_digit() && c != '.').collect();
        let left: Vec<&Ipv4Addr> = before.iter().filter(|a| words.contains(a.to_string().as_str())).collect();
        addresses += before.len();
        // What stays for the sake of the networks around it is told to the user.
        assert!(left.len() <= out.left, "{name}: {} told, {left:?}", out.left);
        assert!(out.left == 0 || !name.starts_with("corpus"), "{name}: {left:?}");
    }
    println!("{replaced} files, {addresses} public addresses");
    assert!(replaced > 100);
}

#[test]
fn lines_stay_where_they_are_and_a_second_run_changes_nothing() {
    for path in corpus() {
        let (name, bytes) = read(&path);
        let Ok(once) = redacted(&name, &bytes) else { continue };
        let lines = sekisho::source::decode(bytes).text.split('\n').count();
        assert_eq!(once.text.split('\n').count(), lines, "{name}");
        let twice = redacted(&name, once.text.as_bytes()).expect("a result is understood");
        let changed = once.text.lines().zip(twice.text.lines()).find(|(a, b)| a != b);
        assert!(changed.is_none(), "{name}: {changed:?}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let refused = redacted("letter", "Dear Sir,\nour password is hunter2.\n".as_bytes()).expect_err("no configuration");
    assert!(!refused.is_empty() && !refused.contains("hunter2"));
    assert!(redacted("empty", b"").is_err());
}

#[test]
fn mutated_exports_are_redacted_or_refused_without_a_fault() {
    let all: Vec<Vec<u8>> = corpus().iter().map(|p| std::fs::read(p).expect("file")).collect();
    let mut numbers = Numbers(20_261_121);
    let fault = sekisho::texts::texts().fill(Lang::En, "run.refused.internal", &[]);
    for (ix, bytes) in all.iter().enumerate().filter(|(_, b)| !b.is_empty()) {
        for kind in 0..6 {
            let input = mutated(bytes, &all[(ix + 1) % all.len()], kind, &mut numbers);
            if let Err(why) = redacted("mutated", &input) {
                assert_ne!(why, fault, "{} kind {kind}", corpus()[ix].display());
            }
        }
    }
}
