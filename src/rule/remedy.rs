//! Commands of a remedy: what a grammar writes as `{tunnel}` becomes the name of the thing a finding is about.
//!
//! It fills in names and nothing else; which commands a product has is the grammar's business. What has no value, or a name that could
//! be read as more than a name, is left to a person as `<tunnel>`: no brace of a placeholder reaches a reader.

use crate::ir::fact::Val;
use crate::ir::record::{Record, Value};
use std::borrow::Cow;

/// Fills the placeholders of commands with what a record calls its subject, else with the record's own texts and words.
pub fn fill(commands: &str, record: &Record) -> String {
    replace(commands, |word| value(record, word))
}

/// The commands as they read while nothing is known: every placeholder is left to a person.
pub fn open(commands: &str) -> String {
    replace(commands, |_| None)
}

fn value<'r>(record: &'r Record, word: &str) -> Option<Cow<'r, str>> {
    let text = match (record.called_in_commands(word), record.get(word).map(|f| &f.value)) {
        (Some(name), _) => Cow::Borrowed(name),
        (None, Some(Value::Text(Val::Known(text)))) => Cow::Borrowed(text.as_str()),
        (None, Some(Value::Word(Val::Known(word)))) => Cow::Borrowed(word.as_ref()),
        _ => return None,
    };
    // The export chose the name, the reader pastes the command: nothing may end the line or the quotes early.
    let plain = !text.is_empty() && !text.chars().any(|c| c.is_control() || matches!(c, '"' | '\'' | '`' | '\\'));
    plain.then_some(text)
}

fn replace<'v>(commands: &str, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> String {
    let mut out = String::with_capacity(commands.len());
    let mut rest = commands;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let word = after.split_once('}').map(|(word, _)| word).filter(|w| is_placeholder(w));
        let Some(word) = word else {
            out.push('{');
            rest = after;
            continue;
        };
        match value(word) {
            Some(text) => out.push_str(&text),
            None => out.push_str(&format!("<{}>", word.replace('_', "-"))),
        }
        rest = &after[word.len() + 1..];
    }
    out + rest
}

/// Other braces are the product's own syntax.
fn is_placeholder(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::fact::{Fact, Origin, Why, WhyCode};
    use crate::ir::schema;

    fn record(name: &str) -> Record {
        let mut record = Record::new(&schema::EXPOSURE, "https on wan1", None);
        let at = || Origin::Stated("test".into());
        record.text("interface", "wan1", at()).word("service", Fact::known("https".into(), at()));
        record.word("side_kind", Fact::unknown(Why::new(WhyCode::Site, "wan1")));
        record.named("tunnel", name);
        record
    }

    #[test]
    fn names_come_first_and_fields_after_them() {
        let mut it = record("to-branch");
        assert_eq!(fill("edit \"{tunnel}\" {interface} {service}", &it), "edit \"to-branch\" wan1 https");
        it.named("interface", "port1");
        assert_eq!(fill("{interface}", &it), "port1");
    }

    #[test]
    fn what_has_no_value_is_left_to_a_person() {
        assert_eq!(fill("{side_kind} {user} {ldap_server}", &record("x")), "<side-kind> <user> <ldap-server>");
        assert_eq!(fill("{tunnel}", &record("")), "<tunnel>");
        assert_eq!(open("edit \"{tunnel}\""), "edit \"<tunnel>\"");
    }

    #[test]
    fn a_name_cannot_add_commands() {
        for name in ["a\"\nend", "a\rb", "a\u{1b}[2J", "it's", "a\\", "`id`"] {
            assert_eq!(fill("edit \"{tunnel}\"", &record(name)), "edit \"<tunnel>\"", "{name:?}");
        }
        assert_eq!(fill("{tunnel}", &record("{interface}")), "{interface}", "a value is not filled in again");
    }

    #[test]
    fn other_braces_are_syntax() {
        for text in ["{ 192.0.2.1 }", "{}", "a { b", "}{", "{A}", "interfaces {\n    ge-0/0/0;\n}"] {
            assert_eq!(open(text), text);
        }
        assert_eq!(open("{ {x} }"), "{ <x> }");
    }
}
