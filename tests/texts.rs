//! Rules and texts as data: every file parses, nothing is missing in either language, and what one file names, another has.
//! The meaning of predicates is checked where rules are loaded; this holds the files against the schema and against each other.

#![allow(clippy::unwrap_used)] // A file that is not as it should be fails its test.

use sekisho::ir::fact::WhyCode;
use sekisho::ir::schema::{self, Kind, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const LANGUAGES: [&str; 2] = ["ja", "en"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Table {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn texts(name: &str) -> Table {
    read(&root().join("texts").join(name))
}

/// The rule files by id.
fn rules() -> BTreeMap<String, Table> {
    let files = fs::read_dir(root().join("rules")).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|p| p.file_name().is_some_and(|n| n != "controls.toml"))
        .map(|p| (p.file_stem().unwrap().to_str().unwrap().to_owned(), read(&p)))
        .collect()
}

fn table<'a>(of: &'a Table, key: &str, place: &str) -> &'a Table {
    of.get(key).and_then(Value::as_table).unwrap_or_else(|| panic!("{place}: no table {key}"))
}

fn text<'a>(of: &'a Table, key: &str, place: &str) -> &'a str {
    let text = of.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{place}: no text {key}"));
    assert!(!text.trim().is_empty() && text.trim() == text, "{place}.{key}: empty, or blanks around it");
    text
}

/// The texts under a key of a rule: one text or several.
fn list(of: &Table, key: &str) -> Vec<String> {
    match of.get(key) {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(other) => other.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect(),
    }
}

fn tables<'a>(of: &'a Table, key: &str) -> Vec<&'a Table> {
    of.get(key).map(|v| v.as_array().unwrap().iter().map(|t| t.as_table().unwrap()).collect()).unwrap_or_default()
}

/// Names between braces.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).map(|rest| rest.split_once('}').unwrap_or_else(|| panic!("a brace is not closed: {text}")).0).collect()
}

fn has_japanese(text: &str) -> bool {
    text.chars().any(|c| ('\u{3040}'..='\u{30ff}').contains(&c) || ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// A pair of texts; both use the same placeholders, and English is not left in Japanese.
fn pair(of: &Table, place: &str) {
    let [ja, en] = LANGUAGES.map(|l| of.get(l).and_then(Value::as_str).unwrap_or_else(|| panic!("{place}: no {l}")));
    assert_eq!(placeholders(ja), placeholders(en), "{place}: placeholders differ");
    assert!(!has_japanese(en), "{place}: Japanese in the English text");
    assert_eq!(ja.trim(), ja, "{place}: blanks around the Japanese text");
}

/// The fields of a kind; `device` among them as rules know it.
fn fields(kind: &Kind) -> BTreeSet<&str> {
    kind.fields.iter().map(|f| f.name).collect()
}

#[test]
fn the_catalogue_is_complete() {
    let families = [("EXP", 9), ("TUN", 4), ("AUTH", 7), ("PWD", 8), ("ACC", 5), ("LOG", 5), ("FW", 5), ("CRY", 5), ("SVC", 5), ("HYG", 5)];
    let wanted: BTreeSet<String> = families.iter().flat_map(|(f, n)| (1..=*n).map(move |i| format!("{f}{i:03}"))).collect();
    let rules = rules();
    let missing: Vec<&String> = wanted.iter().filter(|id| !rules.contains_key(*id) && *id != "FW003").collect();
    let strange: Vec<&String> = rules.keys().filter(|id| !wanted.contains(*id)).collect();
    assert!(missing.is_empty() && strange.is_empty(), "missing {missing:?}, strange {strange:?}");
    let names: BTreeSet<&str> = rules.values().map(|r| text(r, "name", "rule")).collect();
    assert_eq!(names.len(), rules.len(), "two rules have one name");
}

#[test]
fn rules_have_their_shape() {
    let keys = "id name since status severity subject applies fails primary group_by remedy controls refs constants level variant group ja en example";
    let keys: BTreeSet<&str> = keys.split(' ').collect();
    for (id, rule) in rules() {
        for key in rule.keys() {
            assert!(keys.contains(key.as_str()), "{id}: unknown key {key}");
        }
        assert_eq!(text(&rule, "id", &id), id, "the file is named after its rule");
        assert!(matches!(text(&rule, "status", &id), "stable" | "preview"), "{id}: status");
        text(&rule, "since", &id);
        text(&rule, "fails", &id);
        let steps = tables(&rule, "level").into_iter().chain(tables(&rule, "group"));
        for step in steps.chain([&rule]) {
            assert!(matches!(text(step, "severity", &id), "error" | "warning" | "note"), "{id}: severity");
        }
        assert!(tables(&rule, "group").len() <= 1, "{id}: more than one group");
        for part in ["level", "variant", "group"] {
            tables(&rule, part).into_iter().for_each(|t| assert!(!text(t, "when", &id).is_empty()));
        }
    }
}

#[test]
fn rules_speak_both_languages() {
    for (id, rule) in rules() {
        let [ja, en] = LANGUAGES.map(|l| table(&rule, l, &id));
        assert_eq!(ja.keys().collect::<BTreeSet<_>>(), en.keys().collect::<BTreeSet<_>>(), "{id}: the languages differ in keys");
        for key in ja.keys() {
            assert!(matches!(key.as_str(), "title" | "message" | "why" | "what_to_do" | "falsepositives"), "{id}: unknown text {key}");
            let (ja, en) = (text(ja, key, &id), text(en, key, &id));
            assert!(has_japanese(ja) && !has_japanese(&en.replace("2-⑬", "")), "{id}.{key}: languages mixed up");
            assert_eq!(placeholders(ja), placeholders(en), "{id}.{key}: placeholders differ");
            assert!(key == "message" || placeholders(ja).is_empty(), "{id}.{key}: takes no placeholders");
            let ends = ja.ends_with('。') && en.ends_with(['.', ')']);
            assert!(key == "title" || ends, "{id}.{key}: not a whole sentence");
            assert!(key != "title" || !ja.ends_with('。') && !en.ends_with('.') && ja.chars().count() <= 40, "{id}: the title is no title");
        }
        for key in ["title", "message", "why", "what_to_do"] {
            assert!(ja.contains_key(key), "{id}: no {key}");
        }
        for part in ["variant", "group"] {
            tables(&rule, part).into_iter().for_each(|t| pair(t, &format!("{id}.{part}")));
        }
    }
}

#[test]
fn placeholders_and_fields_are_of_the_schema() {
    for (id, rule) in rules() {
        // A finding of the whole device names none of its subjects; one of a field speaks of its worst.
        let grouped = rule.get("group_by").and_then(|g| g.as_str()) == Some("device");
        for kind in list(&rule, "subject") {
            let kind = schema::kind(&kind).unwrap_or_else(|| panic!("{id}: no kind {kind}"));
            let known = fields(kind);
            let messages = LANGUAGES.iter().map(|l| text(table(&rule, l, &id), "message", &id));
            let others = tables(&rule, "variant").into_iter().flat_map(|t| LANGUAGES.map(|l| text(t, l, &id)));
            for message in messages.chain(others) {
                for name in placeholders(message) {
                    assert!(name == "subject" || known.contains(name), "{id}: {{{name}}} is no field of {}", kind.name);
                }
                assert!(!grouped || placeholders(message).is_empty(), "{id}: a finding about many subjects cannot name one");
            }
            for group in tables(&rule, "group") {
                assert!(LANGUAGES.iter().all(|l| placeholders(text(group, l, &id)).is_empty()), "{id}: a group cannot name one subject");
            }
            for field in list(&rule, "primary") {
                assert!(known.contains(field.as_str()), "{id}: primary {field} is no field of {}", kind.name);
            }
        }
    }
}

#[test]
fn messages_name_the_subject_unless_the_device_has_only_one() {
    for (id, rule) in rules() {
        let single = list(&rule, "subject").iter().all(|k| matches!(k.as_str(), "logging" | "clock" | "firmware" | "coverage"));
        if single || rule.contains_key("group_by") {
            continue;
        }
        let message = text(table(&rule, "en", &id), "message", &id);
        let names = ["subject", "interface", "account", "owner", "tunnel", "places", "service", "version", "ports"];
        assert!(placeholders(message).iter().any(|p| names.contains(p)), "{id}: the message does not say which one");
    }
}

#[test]
fn remedies_and_controls_exist() {
    let actions = texts("actions.toml");
    let controls = read(&root().join("rules/controls.toml"));
    let controls: BTreeSet<&str> = tables(&controls, "control").into_iter().map(|c| text(c, "id", "controls")).collect();
    let mut used = BTreeSet::new();
    for (id, rule) in rules() {
        for action in list(&rule, "remedy") {
            assert!(actions.contains_key(&action), "{id}: no action {action}");
            used.insert(action);
        }
        for control in list(&rule, "controls") {
            assert!(controls.contains(control.as_str()), "{id}: no control {control}");
        }
        assert!(rule.contains_key("remedy") || matches!(id.as_str(), "FW004" | "HYG005"), "{id}: nothing remedies it");
    }
    let idle: Vec<&String> = actions.keys().filter(|a| !used.contains(*a)).collect();
    assert!(idle.is_empty(), "actions that no rule names: {idle:?}");
    for (name, action) in &actions {
        pair(action.as_table().unwrap(), name);
    }
}

#[test]
fn controls_have_a_source_and_both_languages() {
    let file = read(&root().join("rules/controls.toml"));
    let sources = table(&file, "source", "controls");
    let mut seen = BTreeSet::new();
    for control in tables(&file, "control") {
        let id = text(control, "id", "controls");
        assert!(seen.insert(id), "{id} twice");
        assert!(sources.contains_key(text(control, "source", id)), "{id}: no such source");
        assert!(matches!(text(control, "decidable", id), "full" | "part" | "none"), "{id}: decidable");
        pair(control, id);
        pair(table(control, "note", id), id);
    }
    for (name, source) in sources {
        pair(source.as_table().unwrap(), name);
        text(source.as_table().unwrap(), "date", name);
    }
}

#[test]
fn every_kind_and_field_has_a_caption() {
    let captions = texts("schema.toml");
    let kinds: Vec<&Kind> = schema::KINDS.iter().copied().chain([&schema::DEVICE]).collect();
    assert_eq!(captions.len(), kinds.len(), "captions of kinds that are not there");
    for kind in kinds {
        let caption = table(&captions, kind.name, "schema");
        pair(caption, kind.name);
        let captions = table(caption, "fields", kind.name);
        assert_eq!(captions.keys().map(String::as_str).collect::<BTreeSet<_>>(), fields(kind), "{}", kind.name);
        for (field, caption) in captions {
            pair(caption.as_table().unwrap(), &format!("{}.{field}", kind.name));
        }
    }
}

#[test]
fn every_word_of_every_enumeration_is_worded() {
    let words = texts("words.toml");
    let same_as = table(&words, "same_as", "words");
    let mut fields: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for kind in schema::KINDS.iter().copied().chain([&schema::DEVICE]) {
        for field in kind.fields {
            let (Type::Word(list) | Type::Set(list)) = field.ty else { continue };
            let name = same_as.get(field.name).map_or(field.name, |v| v.as_str().unwrap());
            fields.entry(name).or_default().extend(list);
        }
    }
    for (field, list) in &fields {
        if *field == "dormant" {
            continue; // Rule ids.
        }
        let worded = table(&words, field, "words");
        for word in list {
            assert!(worded.contains_key(*word), "{field}: no wording of {word}");
        }
        // `kind` is open in several kinds of subjects.
        let extra: Vec<&String> = worded.keys().filter(|w| !list.contains(w.as_str())).collect();
        assert!(*field == "kind" || extra.is_empty(), "{field}: wordings of words that are not there: {extra:?}");
    }
    for (field, worded) in words.iter().filter(|(f, _)| *f != "same_as" && *f != "value") {
        let worded = worded.as_table().unwrap();
        let numbers = worded.keys().eq(["never"].iter());
        assert!(fields.contains_key(field.as_str()) || numbers, "{field} is no field with words");
        worded.iter().for_each(|(word, t)| pair(t.as_table().unwrap(), &format!("{field}.{word}")));
    }
}

#[test]
fn every_reason_has_its_sentences() {
    let reasons = texts("reasons.toml");
    let codes: BTreeSet<&str> = WhyCode::ALL.iter().map(|c| c.key()).collect();
    assert_eq!(reasons.keys().map(String::as_str).collect::<BTreeSet<_>>(), codes);
    for (code, reason) in &reasons {
        let reason = reason.as_table().unwrap();
        pair(reason, code);
        assert_eq!(placeholders(text(reason, "ja", code)), ["about"].into(), "{code}");
        for part in ["bare", "settle"] {
            let part = table(reason, part, code);
            pair(part, code);
            assert!(placeholders(text(part, "ja", code)).is_empty(), "{code}");
        }
    }
}

#[test]
fn words_of_the_interface_come_in_pairs() {
    for (group, entries) in &texts("ui.toml") {
        for (key, entry) in entries.as_table().unwrap() {
            let place = format!("{group}.{key}");
            let entry = entry.as_table().unwrap_or_else(|| panic!("{place}: not a pair"));
            pair(entry, &place);
            let numbers = placeholders(entry["ja"].as_str().unwrap());
            let expected: BTreeSet<String> = (0..numbers.len()).map(|n| n.to_string()).collect();
            assert!(numbers.iter().all(|n| expected.contains(*n)), "{place}: placeholders are numbered from 0");
        }
    }
}

/// Keys of a file of texts that the source names in full.
fn named(folder: &Path, head: &str, keys: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            named(&path, head, keys);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let start = format!("\"{head}.");
            let found = source.split(&start).skip(1).filter_map(|rest| rest.split('"').next());
            keys.extend(found.filter(|k| k.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c))).map(|k| format!("{head}.{k}")));
        }
    }
}

#[test]
fn every_key_of_reach_and_diff_has_its_text_and_every_text_its_use() {
    fn leaves(prefix: &str, table: &Table, out: &mut BTreeSet<String>) {
        for (key, value) in table {
            let value = value.as_table().unwrap();
            let key = format!("{prefix}.{key}");
            if value.contains_key("ja") {
                pair(value, &key);
                out.insert(key);
            } else {
                leaves(&key, value, out);
            }
        }
    }
    // Keys whose last part is a value.
    let built = ["reach.set.", "reach.answer.", "diff.thing.", "diff.turn."];
    for head in ["reach", "diff"] {
        let (mut used, mut written) = (BTreeSet::new(), BTreeSet::new());
        named(&root().join("src"), head, &mut used);
        leaves(head, &texts(&format!("{head}.toml")), &mut written);
        let missing: Vec<&String> = used.difference(&written).filter(|k| !k.ends_with('.')).collect();
        let idle: Vec<&String> = written.difference(&used).filter(|k| !built.iter().any(|b| k.starts_with(b))).collect();
        assert!(missing.is_empty() && idle.is_empty(), "missing {missing:?}, idle {idle:?}");
    }
}
