//! The built-in rules as data: every file loads, names are unique, everything a rule names exists.

use sekisho::rule::file::Rule;
use std::collections::BTreeSet;

#[test]
fn every_rule_file_loads() {
    let mut mistakes = Vec::new();
    for (name, text) in sekisho::rule::builtin_files() {
        match Rule::load(text) {
            Ok(rule) => assert_eq!(rule.id, *name, "the file is named after the rule"),
            Err(errors) => {
                for e in errors {
                    let line = text[..e.span.start].matches('\n').count() + 1;
                    mistakes.push(format!("rules/{name}.toml:{line}: {} {:?} {:?}", e.key, e.args, e.meant));
                }
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn ids_and_names_are_unique() {
    let rules = sekisho::rule::builtin();
    let ids: BTreeSet<&str> = rules.iter().map(|r| r.id.as_str()).collect();
    let names: BTreeSet<&str> = rules.iter().map(|r| r.name.as_str()).collect();
    assert_eq!((ids.len(), names.len()), (rules.len(), rules.len()));
}

#[test]
fn controls_and_actions_that_rules_name_exist() {
    let controls: BTreeSet<&str> = sekisho::rule::controls::controls().iter().map(|c| c.id.as_str()).collect();
    let texts = sekisho::texts::texts();
    for rule in sekisho::rule::builtin() {
        for control in &rule.controls {
            assert!(controls.contains(control.as_str()), "{}: no control {control}", rule.id);
        }
        for action in &rule.remedy {
            assert!(texts.find(sekisho::finding::Lang::Ja, &format!("actions.{action}")).is_some(), "{}: no action {action}", rule.id);
        }
    }
}

/// What rules refer to, with the titles of the catalogues: a reference is added here by whoever looked it up.
const REFERENCES: [(&str, &str, &str); 24] = [
    ("cisa", "BOD 23-02", "Mitigating the Risk from Internet-Exposed Management Interfaces"),
    ("cisa", "BOD 26-02", "Mitigating Risk From End-of-Support Edge Devices"),
    ("cwe", "CWE-200", "Exposure of Sensitive Information to an Unauthorized Actor"),
    ("cwe", "CWE-256", "Plaintext Storage of a Password"),
    ("cwe", "CWE-257", "Storing Passwords in a Recoverable Format"),
    ("cwe", "CWE-258", "Empty Password in Configuration File"),
    ("cwe", "CWE-284", "Improper Access Control"),
    ("cwe", "CWE-307", "Improper Restriction of Excessive Authentication Attempts"),
    ("cwe", "CWE-308", "Use of Single-factor Authentication"),
    ("cwe", "CWE-319", "Cleartext Transmission of Sensitive Information"),
    ("cwe", "CWE-326", "Inadequate Encryption Strength"),
    ("cwe", "CWE-327", "Use of a Broken or Risky Cryptographic Algorithm"),
    ("cwe", "CWE-406", "Insufficient Control of Network Message Volume (Network Amplification)"),
    ("cwe", "CWE-521", "Weak Password Requirements"),
    ("cwe", "CWE-522", "Insufficiently Protected Credentials"),
    ("cwe", "CWE-613", "Insufficient Session Expiration"),
    ("cwe", "CWE-778", "Insufficient Logging"),
    ("cwe", "CWE-916", "Use of Password Hash With Insufficient Computational Effort"),
    ("cwe", "CWE-923", "Improper Restriction of Communication Channel to Intended Endpoints"),
    ("cwe", "CWE-1125", "Excessive Attack Surface"),
    ("cwe", "CWE-1188", "Initialization of a Resource with an Insecure Default"),
    ("cwe", "CWE-1220", "Insufficient Granularity of Access Control"),
    ("cwe", "CWE-1391", "Use of Weak Credentials"),
    ("cwe", "CWE-1392", "Use of Default Credentials"),
];

#[test]
fn references_are_those_that_were_looked_up() {
    let used: BTreeSet<(&str, &str)> =
        sekisho::rule::builtin().iter().flat_map(|r| &r.refs).map(|r| (r.kind.as_str(), r.id.as_str())).collect();
    let known: BTreeSet<(&str, &str)> = REFERENCES.iter().map(|(kind, id, _)| (*kind, *id)).collect();
    assert_eq!(used, known);
}

/// A warning says that an item of a notice is not met, so it names the item.
#[test]
fn a_rule_above_a_note_names_what_it_bears_on() {
    for rule in sekisho::rule::builtin() {
        assert!(rule.severity == sekisho::finding::Severity::Note || !rule.controls.is_empty(), "{}: no control", rule.id);
    }
}
