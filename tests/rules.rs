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
