//! The index of the rules in each language, and a page for each rule.

use crate::page::{GENERATED, LANGUAGES, both, cell, check, code, code_cell, fence, holds_only, prose, table, word};
use sekisho::finding::{Lang, Severity};
use sekisho::rule::controls::controls;
use sekisho::rule::file::{Example, Rule};
use sekisho::rule::remedy::open;
use sekisho::texts::texts;
use std::collections::BTreeSet;

fn severity(lang: Lang, severity: Severity) -> &'static str {
    texts().get(
        lang,
        match severity {
            Severity::Error => "cli.severity.error",
            Severity::Warning => "cli.severity.warning",
            Severity::Note => "cli.severity.note",
        },
    )
}

/// The severity, and those that levels and groups give to some subjects.
fn severities(rule: &Rule, lang: Lang) -> String {
    let levels = rule.subjects.iter().flat_map(|s| s.levels.iter().map(|l| l.severity).chain(s.groups.iter().map(|g| g.severity)));
    let others: BTreeSet<Severity> = levels.filter(|s| *s != rule.severity).collect();
    let mut out = severity(lang, rule.severity).to_owned();
    for other in others.iter().rev() {
        out.push_str(&format!(" ({})", word(lang, "rules.raised").replace("{0}", severity(lang, *other))));
    }
    out
}

#[test]
fn the_indexes_of_rules_are_current() {
    for (lang, path, other_lang, other) in
        [(Lang::En, "docs/rules.md", Lang::Ja, "rules.ja.md"), (Lang::Ja, "docs/rules.ja.md", Lang::En, "rules.md")]
    {
        let label = word(other_lang, "page.language");
        let mut out = format!("{GENERATED}\n\n# {}\n\n[{label}]({other})\n\n", word(lang, "rules.title"));
        out.push_str(&format!("{}\n\n", word(lang, "rules.intro")));
        let head = ["id", "name", "severity", "rule_title"].map(|k| word(lang, &format!("rules.{k}")));
        let rows = sekisho::rule::builtin().iter().map(|rule| {
            let title = if lang == Lang::Ja { &rule.texts.ja.title } else { &rule.texts.en.title };
            vec![format!("[{0}](rules/{0}.md)", rule.id), code(&rule.name), severities(rule, lang), cell(title)]
        });
        out.push_str(&table(&head, rows));
        check(path, &out);
    }
}

#[test]
fn every_rule_has_its_page() {
    let mut names = BTreeSet::new();
    for rule in sekisho::rule::builtin() {
        names.insert(format!("{}.md", rule.id));
        check(&format!("docs/rules/{}.md", rule.id), &page(rule));
    }
    holds_only("docs/rules", &names);
}

fn page(rule: &Rule) -> String {
    let mut out = format!("{GENERATED}\n\n# {} {}\n\n", rule.id, code(&rule.name));
    let head = ["rules.severity", "rule.subject", "rule.since", "rule.status"].map(both);
    let subjects: Vec<String> = rule.subjects.iter().map(|s| format!("[`{0}`](../schema.md#{0})", s.kind.name)).collect();
    let status = sekisho::rule::file::Status::WORDS.iter().find(|(_, s)| *s == rule.status).map_or("", |(w, _)| w);
    let row = vec![LANGUAGES.map(|l| severities(rule, l)).join(" / "), subjects.join(", "), rule.since.clone(), status.to_owned()];
    out.push_str(&table(&head, [row]));
    for lang in LANGUAGES {
        let heading = word(lang, "page.language");
        let own = if lang == Lang::Ja { &rule.texts.ja } else { &rule.texts.en };
        out.push_str(&format!("\n## {heading}\n\n**{}**\n", prose(&own.title)));
        let t = |key: &str| texts().get(lang, key).to_owned();
        let parts = [
            (word(lang, "rule.why"), Some(&own.why)),
            (t("cli.explain.what_to_do"), own.what_to_do.as_ref()),
            (t("cli.explain.falsepositives"), own.falsepositives.as_ref()),
        ];
        for (heading, text) in parts {
            if let Some(text) = text {
                out.push_str(&format!("\n### {heading}\n\n{}\n", prose(text)));
            }
        }
    }
    out.push_str(&format!(
        "\n## {}\n\n[rules/{id}.toml](../../rules/{id}.toml)\n\n{}",
        both("rule.predicate"),
        fence("toml", &predicate(&rule.id)),
        id = rule.id
    ));
    out.push_str(&control_table(rule));
    out.push_str(&remedies(rule));
    if !rule.refs.is_empty() {
        let refs: Vec<&str> = rule.refs.iter().map(|r| r.id.as_str()).collect();
        out.push_str(&format!("\n## {}\n\n{}\n", both_texts("cli.explain.references"), refs.join(", ")));
    }
    out.push_str(&examples(rule));
    out
}

fn both_texts(key: &str) -> String {
    let [ja, en] = LANGUAGES.map(|l| texts().get(l, key));
    if ja == en { ja.to_owned() } else { format!("{ja} / {en}") }
}

/// What decides, as the rule file writes it.
fn predicate(id: &str) -> String {
    let file = sekisho::rule::builtin_files().iter().find(|(name, _)| *name == id).expect("a rule has a file").1;
    let file: toml::Table = file.parse().expect("a rule file is TOML");
    let mut out = String::new();
    let put = |out: &mut String, table: &toml::Table, keys: &[&str]| {
        for key in keys {
            if let Some(value) = table.get(*key) {
                out.push_str(&format!("{key} = {}\n", written(value)));
            }
        }
    };
    put(&mut out, &file, &["severity", "subject", "applies", "fails", "group_by", "primary"]);
    if let Some(constants) = file.get("constants").and_then(toml::Value::as_table) {
        out.push_str("\n[constants]\n");
        constants.iter().for_each(|(key, value)| out.push_str(&format!("{key} = {}\n", written(value))));
    }
    for part in ["level", "variant", "group"] {
        for step in file.get(part).and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_table) {
            out.push_str(&format!("\n[[{part}]]\n"));
            put(&mut out, step, &["when", "severity"]);
        }
    }
    out
}

/// A TOML value; texts in the quotes that leave a predicate's own quotes as they are.
fn written(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) if text.contains('\n') => format!("'''\n{}\n'''", text.trim_matches('\n')),
        toml::Value::String(text) if text.contains('"') && !text.contains('\'') => format!("'{text}'"),
        other => other.to_string(),
    }
}

fn control_table(rule: &Rule) -> String {
    if rule.controls.is_empty() {
        return String::new();
    }
    let head = ["ID".to_owned(), word(Lang::Ja, "page.language"), word(Lang::En, "page.language"), both("rule.decidable")];
    let rows = rule.controls.iter().map(|id| {
        let control = controls().iter().find(|c| c.id == *id).unwrap_or_else(|| panic!("{}: no control {id}", rule.id));
        let decidable = both_texts(&format!("cli.decidable.{}", control.decidable));
        vec![id.clone(), cell(&control.title.ja), cell(&control.title.en), decidable]
    });
    format!("\n## {}\n\n{}", both_texts("cli.explain.controls"), table(&head, rows))
}

fn remedies(rule: &Rule) -> String {
    if rule.remedy.is_empty() {
        return String::new();
    }
    let mut out = format!("\n## {}\n", both_texts("cli.explain.remedies"));
    for action in &rule.remedy {
        let [ja, en] = LANGUAGES.map(|l| texts().find(l, &format!("actions.{action}")).expect("an action has a text"));
        out.push_str(&format!("\n### `{action}`\n\n{}  \n{}\n", prose(ja), prose(en)));
        let mut without = Vec::new();
        for grammar in sekisho::dialect::grammars() {
            let rows: Vec<_> = grammar.file.actions.iter().filter(|a| a.id == *action).collect();
            if rows.is_empty() {
                without.push(format!("[`{0}`](../dialects/{0}.md)", grammar.name()));
            }
            for row in rows {
                out.push_str(&format!("\n{}:\n\n{}", prose(&title(grammar)), fence("text", &open(&row.commands))));
                if let Some(note) = &row.note {
                    out.push_str(&format!("\n{}  \n{}\n", prose(&note.ja), prose(&note.en)));
                }
            }
        }
        if !without.is_empty() {
            out.push_str(&format!("\n{}: {}\n", both("rule.no_commands"), without.join(", ")));
        }
    }
    out
}

/// Vendor and product.
fn title(grammar: &sekisho::dialect::grammar::Grammar) -> String {
    let id = &grammar.file.identity;
    format!("{} {}", id.vendor, id.product)
}

fn examples(rule: &Rule) -> String {
    if rule.examples.is_empty() {
        return String::new();
    }
    let mut out = format!("\n## {}\n", both("rule.examples"));
    for example in &rule.examples {
        for (heading, text) in [("cli.explain.fires", &example.fires), ("cli.explain.quiet", &example.quiet)] {
            if let Some(text) = text {
                out.push_str(&format!("\n### {} ({})\n\n{}", both_texts(heading), example_labels(example), fence("text", text)));
            }
        }
    }
    out
}

/// The dialect of an example, and its audit date in both languages where it has one.
fn example_labels(example: &Example) -> String {
    match &example.as_of {
        Some(date) => LANGUAGES.map(|l| texts().fill(l, "cli.explain.as_of", &[&code_cell(&example.dialect), date])).join(" / "),
        None => code_cell(&example.dialect),
    }
}
