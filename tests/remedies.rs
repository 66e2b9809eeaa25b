//! Commands of remedies: one text for both languages, and no placeholder that reaches a reader as a brace.

mod common;

use common::{corpus, judge};
use sekisho::finding::Lang;
use sekisho::ir::schema::{self, Type};
use std::collections::BTreeSet;

/// Words that stand alone in braces. Other braces are a product's own syntax.
fn placeholders(text: &str) -> BTreeSet<&str> {
    let words = text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(word, _)| word);
    words.filter(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')).collect()
}

/// Every row of commands: dialect, action, commands.
fn commands() -> Vec<(&'static str, &'static str, &'static str)> {
    let grammars = sekisho::dialect::grammars();
    let rows = grammars.into_iter().flat_map(|g| g.file.actions.iter().map(move |a| (g.name(), a.id.as_str(), a.commands.as_str())));
    rows.collect()
}

#[test]
fn commands_are_ascii() {
    for (dialect, action, commands) in commands() {
        assert!(commands.is_ascii(), "{dialect} {action}: {commands}");
    }
}

#[test]
fn placeholders_of_commands_can_have_a_value() {
    let fields = schema::KINDS.iter().flat_map(|k| k.fields).filter(|f| matches!(f.ty, Type::Text | Type::Word(_)));
    let known: BTreeSet<&str> = fields.map(|f| f.name).chain(schema::NAMES.iter().copied()).collect();
    for (dialect, action, commands) in commands() {
        for word in placeholders(commands) {
            assert!(known.contains(word), "{dialect} {action}: nothing is called {word}; write <{word}>");
        }
    }
}

#[test]
fn no_remedy_holds_an_open_placeholder() {
    let mut filled: BTreeSet<&str> = BTreeSet::new();
    for path in corpus() {
        for lang in [Lang::Ja, Lang::En] {
            for file in judge(&path, lang).files {
                let own = |action: &str| commands().into_iter().find(|(d, a, _)| Some(*d) == file.dialect.as_deref() && *a == action);
                for finding in file.devices.iter().flat_map(|d| &d.findings) {
                    for remedy in &finding.remedies {
                        let shown = remedy.commands.as_deref().unwrap_or("");
                        for text in [shown, &remedy.text, remedy.note.as_deref().unwrap_or("")] {
                            assert!(placeholders(text).is_empty(), "{}: {} {}: {text}", path.display(), finding.rule, remedy.action);
                        }
                        let raw = own(&remedy.action).map_or("", |(_, _, commands)| commands);
                        filled.extend(placeholders(raw).into_iter().filter(|w| !shown.contains(&format!("<{}>", w.replace('_', "-")))));
                    }
                }
            }
        }
    }
    let never: Vec<&&str> = schema::NAMES.iter().filter(|n| !filled.contains(*n)).collect();
    assert!(never.is_empty(), "no finding of the corpus fills in {never:?}");
}
