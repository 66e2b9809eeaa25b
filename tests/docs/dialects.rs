//! The matrix of the dialects, and a page for each of them. What is missing is to be seen as missing.

use crate::common::{AS_OF, corpus, judge, root};
use crate::page::{GENERATED, LANGUAGES, both, cell, check, code_cell, fence, holds_only, prose, table, word};
use sekisho::analysis::Settings;
use sekisho::dialect::grammar::{Grammar, Sign, SyntaxTable};
use sekisho::finding::{Lang, OutcomeKind};
use sekisho::fleet::run;
use sekisho::ir::schema;
use sekisho::rule::vulnerability::Knowledge;
use sekisho::source::{FileId, Limits, Source, open};
use sekisho::texts::texts;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Ids of all actions.
fn actions() -> Vec<&'static str> {
    texts().keys().into_iter().filter_map(|k| k.strip_prefix("actions.")).collect()
}

fn family(grammar: &Grammar) -> &'static str {
    match grammar.file.syntax {
        SyntaxTable::Block(_) => "block",
        SyntaxTable::CommandLines(_) => "command-lines",
        SyntaxTable::Indent(_) => "indent",
        SyntaxTable::Xml(_) => "xml",
        SyntaxTable::Brace(_) => "brace",
        SyntaxTable::PathCommands(_) => "path-commands",
        SyntaxTable::Statements(_) => "statements",
    }
}

fn has(grammar: &Grammar, action: &str) -> bool {
    grammar.file.actions.iter().any(|a| a.id == action)
}

fn mark(yes: bool) -> String {
    if yes { "●".to_owned() } else { "–".to_owned() }
}

#[test]
fn the_matrix_of_dialects_is_current() {
    let grammars = sekisho::dialect::grammars();
    let names: Vec<String> = grammars.iter().map(|g| format!("[{0}](dialects/{0}.md)", g.name())).collect();
    let mut out = format!("{GENERATED}\n\n# {}\n\n", both("dialects.title"));
    let head =
        ["name", "products", "family", "signs", "defaults", "secrets", "irrelevant", "actions"].map(|k| both(&format!("dialects.{k}")));
    let rows = grammars.iter().zip(&names).map(|(g, name)| {
        let verified = g.file.defaults.iter().filter(|d| d.verified).count();
        vec![
            name.clone(),
            format!("{}<br>{}", cell(&g.file.identity.title.ja), cell(&g.file.identity.title.en)),
            family(g).to_owned(),
            g.file.detect.signs.len().to_string(),
            format!("{} / {}", verified, g.file.defaults.len() - verified),
            g.file.secrets.len().to_string(),
            g.file.irrelevant.len().to_string(),
            format!("{} / {}", actions().iter().filter(|a| has(g, a)).count(), actions().len()),
        ]
    });
    out.push_str(&table(&head, rows));

    let with_names = |first: &str| std::iter::once(first.to_owned()).chain(names.iter().cloned()).collect::<Vec<_>>();
    let heading = |out: &mut String, key: &str| {
        let [ja, en] = LANGUAGES.map(|l| word(l, &format!("dialects.{key}_legend")));
        out.push_str(&format!("\n## {}\n\n{ja}\n{en}\n\n", both(&format!("dialects.{key}_heading"))));
    };
    heading(&mut out, "actions");
    let rows = actions().into_iter().map(|a| std::iter::once(format!("`{a}`")).chain(grammars.iter().map(|g| mark(has(g, a)))).collect());
    out.push_str(&table(&with_names("Action"), rows));

    let seen = seen();
    heading(&mut out, "kinds");
    let rows = schema::KINDS.iter().map(|kind| {
        let cells = grammars.iter().map(|g| mark(seen.kinds.contains(&(g.name().to_owned(), kind.name))));
        std::iter::once(format!("[`{0}`](schema.md#{0})", kind.name)).chain(cells).collect()
    });
    out.push_str(&table(&with_names("Kind"), rows));

    heading(&mut out, "outcomes");
    let rows = sekisho::rule::builtin().iter().map(|rule| {
        let cells = grammars.iter().map(|g| {
            let letters = seen.outcomes.get(&(g.name().to_owned(), rule.id.clone()));
            letters.map_or_else(|| mark(false), |l| l.iter().collect::<String>())
        });
        std::iter::once(format!("[{0}](rules/{0}.md)", rule.id)).chain(cells).collect()
    });
    out.push_str(&table(&with_names("Rule"), rows));
    check("docs/dialects.md", &out);
}

/// What the exports of the corpus show, by dialect.
#[derive(Default)]
struct Seen {
    kinds: BTreeSet<(String, &'static str)>,
    outcomes: BTreeMap<(String, String), BTreeSet<char>>,
}

fn seen() -> Seen {
    let mut seen = Seen::default();
    let settings = Settings { as_of: AS_OF.to_owned(), run_key: Arc::new([7; 32]), ..Settings::default() };
    for path in corpus() {
        for file in judge(&path, Lang::En).files {
            let Some(dialect) = file.dialect else { continue };
            for outcome in file.devices.iter().flat_map(|d| &d.outcomes) {
                let letter = match outcome.kind {
                    OutcomeKind::Fail => 'F',
                    OutcomeKind::Pass => 'P',
                    OutcomeKind::Undetermined => 'U',
                    OutcomeKind::NotApplicable => 'N',
                };
                seen.outcomes.entry((dialect.clone(), outcome.rule.clone())).or_default().insert(letter);
            }
        }
        let name = path.strip_prefix(root()).expect("below the project").display().to_string();
        for member in open(&name, std::fs::read(&path).expect("file"), &Limits::STANDARD).members {
            let Ok(mut source) = Source::from_member(FileId(0), member) else { continue };
            for (range, detected) in run::exports(&mut source, None) {
                let Some(analysed) = run::analyse(&source, range, &detected, &settings, &Knowledge::builtin(), false) else {
                    continue;
                };
                let dialect = sekisho::dialect::all()[analysed.dialect].name();
                for (kind, records) in analysed.sheets.iter().flat_map(|s| schema::KINDS.iter().zip(&s.kinds)) {
                    if !records.items.is_empty() {
                        seen.kinds.insert((dialect.to_owned(), kind.name));
                    }
                }
            }
        }
    }
    seen
}

#[test]
fn every_dialect_has_its_page() {
    let mut names = BTreeSet::new();
    for grammar in sekisho::dialect::grammars() {
        names.insert(format!("{}.md", grammar.name()));
        check(&format!("docs/dialects/{}.md", grammar.name()), &page(grammar));
    }
    holds_only("docs/dialects", &names);
}

fn page(grammar: &Grammar) -> String {
    let file = &grammar.file;
    let mut out = format!("{GENERATED}\n\n# {}\n\n", grammar.name());
    out.push_str(&format!("{}  \n{}\n\n", prose(&file.identity.title.ja), prose(&file.identity.title.en)));
    out.push_str(&format!("[grammars/{0}.toml](../../grammars/{0}.toml)\n", grammar.name()));
    out.push_str(&format!(
        "\n## {}\n\n{}\n\n{}\n",
        both("dialect.export"),
        prose(&file.identity.export.ja),
        prose(&file.identity.export.en)
    ));

    out.push_str(&heading("signs", &file.detect.enough.to_string()));
    let head = [both("dialect.sign"), both("dialect.points"), both("dialect.foreign")];
    let rows = file.detect.signs.iter().map(|sign| {
        let foreign = sign.foreign.as_ref().map_or_else(String::new, |f| format!("{}<br>{}", cell(&f.ja), cell(&f.en)));
        vec![shown(sign), format!("{:+}", sign.score), foreign]
    });
    out.push_str(&table(&head, rows));

    out.push_str(&heading("defaults", ""));
    let head = ["key", "value", "versions", "verified", "source"].map(|k| both(&format!("dialect.{k}")));
    let rows = file.defaults.iter().map(|row| {
        let source = file.sources.get(&row.source).unwrap_or(&row.source);
        vec![code_cell(&row.key), code_cell(&row.value), code_cell(&row.versions), mark(row.verified), cell(source)]
    });
    out.push_str(&table(&head, rows));

    out.push_str(&heading("secrets", &file.secrets.len().to_string()));
    out.push_str(&fence("text", &file.secrets.join("\n")));

    out.push_str(&format!("\n## {}\n", both("dialect.actions")));
    for row in &file.actions {
        let [ja, en] = LANGUAGES.map(|l| texts().find(l, &format!("actions.{}", row.id)).expect("an action has a text"));
        out.push_str(&format!("\n### `{}`\n\n{}  \n{}\n\n{}", row.id, prose(ja), prose(en), fence("text", &row.commands)));
        if let Some(note) = &row.note {
            out.push_str(&format!("\n{}  \n{}\n", prose(&note.ja), prose(&note.en)));
        }
    }
    let missing: Vec<String> = actions().into_iter().filter(|a| !has(grammar, a)).map(|a| format!("`{a}`")).collect();
    if !missing.is_empty() {
        out.push_str(&format!("\n### {}\n\n{}\n", both("dialect.missing"), missing.join(", ")));
    }
    out
}

/// A heading with its sentence in both languages.
fn heading(key: &str, argument: &str) -> String {
    let [ja, en] = LANGUAGES.map(|l| prose(&word(l, &format!("dialect.{key}_intro")).replace("{0}", argument)));
    format!("\n## {}\n\n{ja}\n\n{en}\n\n", both(&format!("dialect.{key}")))
}

fn shown(sign: &Sign) -> String {
    let forms = [("^", &sign.starts), ("", &sign.words), ("…", &sign.contains)];
    let parts = forms.into_iter().filter_map(|(before, text)| text.as_ref().map(|t| format!("{before}{}", code_cell(t))));
    parts.collect::<Vec<_>>().join(" ")
}
