//! `sekisho explain RULE|CONTROL`: a rule in full, with its remedies in the language of every product that has them; or a
//! control with the rules that bear on it.

use super::error::Error;
use super::{print_bytes, rules};
use crate::finding::Lang;
use crate::rule::controls::{Control, controls};
use crate::rule::file::{Example, Rule};
use crate::rule::remedy;
use crate::texts::texts;
use clap::ArgMatches;
use std::ops::Range;

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
                for line in remedy::open(row.commands.trim_end()).lines() {
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
        out.push_str(&example_text(example, lang));
    }
    out
}

/// An example and its near miss; the lines in which they differ are marked.
fn example_text(example: &Example, lang: Lang) -> String {
    let (fires, quiet) = (example.fires.as_deref().unwrap_or("").trim_end(), example.quiet.as_deref().unwrap_or("").trim_end());
    let both = !fires.is_empty() && !quiet.is_empty();
    let mut out = String::new();
    for (key, text, other) in [("cli.explain.fires", fires, quiet), ("cli.explain.quiet", quiet, fires)] {
        if text.is_empty() {
            continue;
        }
        let marked = if both { differing(text, other) } else { 0..0 };
        out.push_str(&format!("\n{} ({})\n", texts().get(lang, key), example_label(example, lang)));
        for (n, line) in text.lines().enumerate() {
            out.push_str(&format!("  {} {line}\n", if marked.contains(&n) { '>' } else { '|' }));
        }
    }
    if both {
        out.push_str(&format!("  {}\n", texts().get(lang, "cli.explain.mark")));
    }
    out
}

/// The dialect of an example, and the date it is judged on where one is named.
fn example_label(example: &Example, lang: Lang) -> String {
    match &example.as_of {
        Some(date) => texts().fill(lang, "cli.explain.as_of", &[&example.dialect, date]),
        None => example.dialect.clone(),
    }
}

/// The lines of a text between what it shares with another at its beginning and at its end.
fn differing(text: &str, other: &str) -> Range<usize> {
    let (lines, others): (Vec<&str>, Vec<&str>) = (text.lines().collect(), other.lines().collect());
    let start = lines.iter().zip(&others).take_while(|(a, b)| a == b).count();
    let room = lines.len().min(others.len()) - start;
    let end = lines.iter().rev().zip(others.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    start..lines.len() - end
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

#[cfg(test)]
mod tests {
    use super::differing;

    #[test]
    fn marks_stand_between_what_two_texts_share() {
        assert_eq!((differing("a\nb\nc", "a\nx\nc"), differing("a\nx\nc", "a\nb\nc")), (1..2, 1..2));
        assert_eq!((differing("a\nc", "a\nb\nc"), differing("a\nb\nc", "a\nc")), (1..1, 1..2), "a line that is only in one");
        assert_eq!((differing("a\na", "a"), differing("a", "a\na")), (1..2, 1..1), "shared lines are counted once");
        assert_eq!((differing("a", "a"), differing("", "a"), differing("a", "")), (1..1, 0..0, 0..1));
    }
}
