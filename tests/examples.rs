//! The examples in the rule files: what `fires` shows is reported, its near miss is not, and a rule that a dialect can express has one.

mod common;

use common::{AS_OF, judge_as, root};
use sekisho::finding::{Lang, OutcomeKind, Report};
use sekisho::report::{Form, TextStyle, write};
use sekisho::rule::file::{Example, Rule};
use sekisho::source::{FileId, Limits, Source, open};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Dialects whose rules need examples. The gaps of the others are printed.
const DEMANDED: [&str; 2] = ["fortios", "yamaha-rtx"];

/// Rules whose near miss a dialect cannot show, and why.
const WITHOUT_NEAR_MISS: [(&str, &str); 1] = [
    // The product has no lockout: every router with a login lacks one.
    ("ACC002", "yamaha-rtx"),
];

/// Rules that are about the value of a secret: there it cannot always hold the canary.
const ABOUT_VALUES: [&str; 6] = ["CRY005", "PWD001", "PWD002", "PWD003", "PWD005", "PWD008"];

/// Every example: its rule, itself, which of the two texts, and that text.
fn texts() -> Vec<(&'static Rule, &'static Example, &'static str, &'static str)> {
    let examples = sekisho::rule::builtin().iter().flat_map(|r| r.examples.iter().map(move |e| (r, e)));
    let texts = examples.flat_map(|(r, e)| [("fires", &e.fires), ("quiet", &e.quiet)].map(|(which, text)| (r, e, which, text)));
    texts.filter_map(|(r, e, which, text)| text.as_deref().map(|t| (r, e, which, t))).collect()
}

fn judged(rule: &Rule, example: &Example, which: &str, text: &str, lang: Lang) -> Report {
    let as_of = example.as_of.as_deref().unwrap_or(AS_OF);
    judge_as(&format!("{} {which}.txt", rule.id), text.as_bytes(), lang, as_of, Some(&example.dialect))
}

/// The findings and outcomes of one rule.
fn of_rule(report: &Report, rule: &Rule) -> (Vec<String>, Vec<OutcomeKind>) {
    let devices = || report.files.iter().flat_map(|f| &f.devices);
    let findings = devices().flat_map(|d| &d.findings).filter(|f| f.rule == rule.id);
    let outcomes = devices().flat_map(|d| &d.outcomes).filter(|o| o.rule == rule.id);
    (findings.map(|f| f.subject.clone()).collect(), outcomes.map(|o| o.kind).collect())
}

#[test]
fn examples_give_what_they_promise() {
    let mut wrong = Vec::new();
    let mut unproven = Vec::new();
    for (rule, example, which, text) in texts() {
        let report = judged(rule, example, which, text, Lang::En);
        let (findings, outcomes) = of_rule(&report, rule);
        let place = format!("{} {} {which}: outcome {outcomes:?}, findings {findings:?}", rule.id, example.dialect);
        let errors: Vec<&str> = report.files.iter().flat_map(|f| &f.errors).map(|e| e.message.as_str()).collect();
        let fails = outcomes.contains(&OutcomeKind::Fail);
        if outcomes.is_empty() || report.totals.unreadable > 0 || !errors.is_empty() {
            wrong.push(format!("{place}: cannot be judged: {errors:?}"));
        } else if which == "fires" && findings.is_empty() {
            wrong.push(format!("{place}: has to be reported"));
        } else if which == "quiet" && (fails || !findings.is_empty()) {
            wrong.push(format!("{place}: must not be reported"));
        } else if which == "quiet" && !outcomes.contains(&OutcomeKind::Pass) {
            unproven.push(place);
        }
    }
    eprintln!("near misses that are quiet without proof:\n{}", unproven.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Dialects by rule for which `docs/dialects.md` shows that the rule has failed: those can express what it is about.
fn expressible() -> BTreeMap<String, BTreeSet<String>> {
    let page = std::fs::read_to_string(root().join("docs/dialects.md")).expect("docs/dialects.md");
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    let linked = |cell: &str| cell.strip_prefix('[').and_then(|c| c.split(']').next()).unwrap_or(cell).to_owned();
    let mut dialects: Vec<String> = Vec::new();
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in page.lines() {
        if line.starts_with("| Rule |") {
            dialects = cells(line).iter().skip(1).map(|c| linked(c)).collect();
        } else if line.contains("](rules/") {
            let row = cells(line);
            let failed = dialects.iter().zip(&row[1..]).filter(|(_, letters)| letters.starts_with('F'));
            out.insert(linked(&row[0]), failed.map(|(d, _)| d.clone()).collect());
        }
    }
    out
}

#[test]
fn a_rule_has_an_example_in_every_dialect_that_can_express_it() {
    let expressible = expressible();
    let dialects: BTreeSet<&str> = sekisho::dialect::all().iter().map(|d| d.name()).collect();
    let (mut missing, mut later) = (Vec::new(), Vec::new());
    for rule in sekisho::rule::builtin() {
        if !rule.examples.iter().any(|e| e.fires.is_some() && e.quiet.is_some()) {
            missing.push(format!("{}: no example with its near miss in any dialect", rule.id));
        }
        for dialect in expressible.get(&rule.id).unwrap_or_else(|| panic!("{}: not in docs/dialects.md", rule.id)) {
            let demanded = DEMANDED.contains(&dialect.as_str());
            match rule.examples.iter().find(|e| e.dialect == *dialect) {
                None if demanded => missing.push(format!("{} {dialect}: no example", rule.id)),
                None => later.push(format!("{} {dialect}", rule.id)),
                Some(e) => {
                    let excused = WITHOUT_NEAR_MISS.contains(&(rule.id.as_str(), dialect.as_str()));
                    let whole = e.fires.is_some() && e.quiet.is_some() != excused;
                    if demanded && !whole {
                        missing.push(format!("{} {dialect}: fires and quiet are both needed, or the excuse is not", rule.id));
                    }
                }
            }
        }
        let mut seen = BTreeSet::new();
        for example in &rule.examples {
            assert!(dialects.contains(example.dialect.as_str()), "{}: there is no dialect {}", rule.id, example.dialect);
            assert!(seen.insert(&example.dialect), "{} {}: two examples", rule.id, example.dialect);
        }
    }
    eprintln!("without an example yet: {}", later.join(", "));
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn examples_name_no_real_address() {
    let documentation = ["192.0.2.", "198.51.100.", "203.0.113."];
    for (rule, example, which, text) in texts() {
        for word in text.split(|c: char| !c.is_ascii_digit() && c != '.') {
            let Ok(address) = word.parse::<Ipv4Addr>() else { continue };
            // Masks, wildcards and unset addresses.
            let bits = u32::from(address);
            let mask = bits.leading_ones() + bits.trailing_zeros() >= 32 || bits.leading_zeros() + bits.trailing_ones() >= 32;
            let fine = mask || address.is_private() || documentation.iter().any(|d| word.starts_with(d));
            assert!(fine, "{} {} {which}: {word}", rule.id, example.dialect);
        }
    }
}

#[test]
fn secrets_of_examples_are_canaries_and_reach_no_output() {
    for (rule, example, which, text) in texts() {
        let place = format!("{} {} {which}", rule.id, example.dialect);
        let at = sekisho::dialect::all().iter().position(|d| d.name() == example.dialect).expect("a dialect");
        let grammar = sekisho::dialect::grammar(at).expect("a grammar");
        let member = open("example", text.as_bytes().to_vec(), &Limits::STANDARD).members.pop().expect("a text");
        let source = Source::from_member(FileId(0), member).expect("a text");
        let tree = sekisho::dialect::parse(grammar, source.id(), source.clean(), 0..source.clean().len());
        for span in sekisho::dialect::secret_spans(grammar, &tree) {
            // The word that says how a value is stored counts as a part of it, so the whole line is looked at.
            let (before, after) = source.clean().split_at(span.start as usize);
            let start = before.rfind('\n').map_or(0, |n| n + 1);
            let line = &source.clean()[start..span.start as usize + after.find('\n').unwrap_or(after.len())];
            let fine = line.contains("KANARI") || line.ends_with('*') || ABOUT_VALUES.contains(&rule.id.as_str());
            assert!(fine, "{place}: a secret without KANARI: {line}");
        }
        for lang in [Lang::Ja, Lang::En] {
            let report = judged(rule, example, which, text, lang);
            for form in [Form::Text, Form::Json, Form::Sarif, Form::Github] {
                let style = TextStyle { colour: false, width: 120, ascii: true, verbose: true, quiet: false };
                let out = write(&report, form, &style);
                assert!(!out.contains("KANARI"), "{place} {form:?}");
            }
        }
    }
}
