//! `sekisho explain RULE|CONTROL`: a rule in full, with its remedies in the language of every product that has them; or a
//! control with the rules that bear on it.

use super::error::Error;
use super::{print_bytes, rules};
use crate::finding::Lang;
use crate::rule::controls::{Control, controls};
use crate::rule::file::Rule;
use crate::texts::texts;
use clap::ArgMatches;

/// Runs the command; gives the exit status.
pub fn run(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let what = matches.get_one::<String>("what").cloned().unwrap_or_default();
    let rules = rules(matches, lang)?;
    let same = |a: &str| a.eq_ignore_ascii_case(&what);
    if let Some(rule) = rules.iter().find(|r| same(&r.id) || same(&r.name)) {
        return print_bytes(rule_page(rule, lang).as_bytes());
    }
    if let Some(control) = controls().iter().find(|c| same(&c.id)) {
        return print_bytes(control_page(control, &rules, lang).as_bytes());
    }
    let valid: Vec<&str> = rules.iter().map(|r| r.id.as_str()).chain(controls().iter().map(|c| c.id.as_str())).collect();
    Err(Error::unknown("cli.error.unknown_rule", &what, &valid))
}

/// The page of a rule; the documentation uses it too.
pub fn rule_page(rule: &Rule, lang: Lang) -> String {
    let ja = lang == Lang::Ja;
    let t = |key: &str| texts().get(lang, key).to_owned();
    let own = if ja { &rule.texts.ja } else { &rule.texts.en };
    let severity = t(&format!("cli.severity.{}", rule.severity.word()));
    let mut out = format!("{} {} [{severity}]\n{}\n\n{}\n", rule.id, rule.name, own.title, own.why);
    let mut section = |heading: &str, body: &str| out.push_str(&format!("\n{}\n{body}\n", t(heading)));
    if let Some(todo) = &own.what_to_do {
        section("cli.explain.what_to_do", todo);
    }
    if let Some(fine) = &own.falsepositives {
        section("cli.explain.falsepositives", fine);
    }
    let mut remedies = String::new();
    for action in &rule.remedy {
        remedies.push_str(&format!("- {}\n", t(&format!("actions.{action}"))));
        for grammar in crate::dialect::grammars() {
            for row in grammar.file.actions.iter().filter(|a| a.id == *action) {
                remedies.push_str(&format!("    {}\n", grammar.file.identity.product));
                for line in row.commands.trim_end().lines() {
                    remedies.push_str(&format!("        {line}\n"));
                }
                if let Some(note) = &row.note {
                    remedies.push_str(&format!("      {}\n", if ja { &note.ja } else { &note.en }));
                }
            }
        }
    }
    if !remedies.is_empty() {
        section("cli.explain.remedies", remedies.trim_end());
    }
    let bears_on: Vec<String> = rule
        .controls
        .iter()
        .map(|id| match controls().iter().find(|c| c.id == *id) {
            Some(c) => format!("- {id} {}", if ja { &c.title.ja } else { &c.title.en }),
            None => format!("- {id}"),
        })
        .collect();
    if !bears_on.is_empty() {
        section("cli.explain.controls", &bears_on.join("\n"));
    }
    let refs: Vec<String> = rule.refs.iter().map(|r| r.id.clone()).collect();
    if !refs.is_empty() {
        section("cli.explain.references", &refs.join(", "));
    }
    for example in &rule.examples {
        for (heading, text) in [("cli.explain.fires", &example.fires), ("cli.explain.quiet", &example.quiet)] {
            if let Some(text) = text {
                let body: Vec<String> = text.trim().lines().map(|l| format!("    {l}")).collect();
                section(heading, &format!("  ({})\n{}", example.dialect, body.join("\n")));
            }
        }
    }
    out
}

fn control_page(control: &Control, rules: &[Rule], lang: Lang) -> String {
    let ja = lang == Lang::Ja;
    let t = |key: &str| texts().get(lang, key).to_owned();
    let title = if ja { &control.title.ja } else { &control.title.en };
    let mut out =
        format!("{}\n{title}\n{}: {}\n", control.id, t("cli.explain.decidable"), t(&format!("cli.decidable.{}", control.decidable)));
    if let Some(note) = &control.note {
        out.push_str(&format!("{}\n", if ja { &note.ja } else { &note.en }));
    }
    let bearing: Vec<&Rule> = rules.iter().filter(|r| r.controls.contains(&control.id)).collect();
    out.push_str(&format!("\n{}\n", t(if bearing.is_empty() { "cli.explain.no_rules" } else { "cli.explain.rules_of_control" })));
    for rule in bearing {
        out.push_str(&format!("- {} {}\n", rule.id, if ja { &rule.texts.ja.title } else { &rule.texts.en.title }));
    }
    out
}
