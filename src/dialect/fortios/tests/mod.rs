//! Small exports, lowered, and what must and must not come out of them.

mod access;
mod box_itself;
mod contexts;
mod policies;

use crate::dialect::{self, Input};
use crate::ir::device::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::listener::Listener;
use crate::source::{FileId, Span};

/// The head and the core sections that make an export complete.
pub(super) fn complete(version: &str, body: &str) -> String {
    let mut text = format!("#config-version=FGT60F-{version}-FW-build1-240101:opmode=0:vdom=0:user=admin\n#conf_file_ver=1\n");
    for (section, empty) in [
        ("system global", "config system global\nend\n"),
        ("system interface", "config system interface\nend\n"),
        ("system admin", "config system admin\nend\n"),
        ("firewall policy", "config firewall policy\nend\n"),
    ] {
        if !body.contains(&format!("config {section}\n")) {
            text.push_str(empty);
        }
    }
    text.push_str(body);
    text
}

pub(super) fn devices(text: &str) -> Vec<Device> {
    let dialect = &super::Fortios as &dyn dialect::Dialect;
    let grammar = dialect::grammar::Grammar::load(dialect.grammar_text()).expect("grammar");
    let tree = dialect::parse(&grammar, FileId(0), text, 0..text.len());
    dialect::read(dialect, &Input { tree: &tree, grammar: &grammar, range: 0..text.len() })
}

pub(super) fn device(text: &str) -> Device {
    devices(text).into_iter().next().expect("a device")
}

/// The line a span stands on, blanks left out.
pub(super) fn line(text: &str, span: Span) -> &str {
    let start = text[..span.start as usize].rfind('\n').map_or(0, |n| n + 1);
    text[start..].lines().next().unwrap_or("").trim()
}

/// The lines an origin rests on.
pub(super) fn lines<'t, T>(text: &'t str, fact: &Fact<T>) -> Vec<&'t str> {
    fact.origin.spans().into_iter().map(|s| line(text, s)).collect()
}

pub(super) fn listener<'d>(device: &'d Device, service: &str) -> &'d Listener {
    device.listeners.items.iter().find(|l| l.service == service).unwrap_or_else(|| panic!("no {service}"))
}

/// Names of the interfaces on which a listener surely answers.
pub(super) fn bound_on<'d>(device: &'d Device, listener: &Listener) -> Vec<&'d str> {
    listener
        .bindings
        .iter()
        .filter(|b| b.bound.value.is_true())
        .map(|b| b.on.map_or("*", |ix| device.interfaces[ix.0 as usize].name.as_str()))
        .collect()
}

pub(super) fn is_unverified(origin: &Origin) -> bool {
    origin.rests_on_unverified_default()
}

#[test]
fn any_text_gives_devices_and_no_panic() {
    use proptest::prelude::*;
    let word = prop_oneof![
        Just("config system interface".to_owned()),
        Just("config firewall policy".to_owned()),
        Just("config vpn ssl settings".to_owned()),
        Just("config vpn ipsec phase1-interface".to_owned()),
        Just("config vdom".to_owned()),
        Just("config global".to_owned()),
        Just("edit \"a\"".to_owned()),
        Just("next".to_owned()),
        Just("end".to_owned()),
        Just("set allowaccess https ssh".to_owned()),
        Just("set srcintf \"a\" \"b".to_owned()),
        "[a-z\" #\\\\-]{0,24}".prop_map(|s| format!("set {s}")),
        "\\PC{0,24}",
    ];
    proptest!(ProptestConfig::with_cases(96), |(lines in proptest::collection::vec(word, 0..40))| {
        let text = lines.join("\n");
        prop_assert!(!devices(&text).is_empty());
    });
}

#[test]
fn every_name_of_a_default_has_a_row() {
    let dialect = &super::Fortios as &dyn dialect::Dialect;
    let grammar = dialect::grammar::Grammar::load(dialect.grammar_text()).expect("grammar");
    for row in &grammar.file.defaults {
        assert!(grammar.file.sources.contains_key(&row.source), "{}: source {} is not listed", row.key, row.source);
    }
    for service in grammar.file.services.values() {
        assert!(super::address::terms(service).is_some(), "service {service}");
    }
}

#[test]
fn no_canary_of_the_corpus_is_left_unmasked() {
    let dialect = &super::Fortios as &dyn dialect::Dialect;
    let grammar = dialect::grammar::Grammar::load(dialect.grammar_text()).expect("grammar");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut seen = 0;
    for folder in ["fortios", "incidents"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("corpus") {
            let path = entry.expect("entry").path();
            let text = String::from_utf8_lossy(&std::fs::read(&path).expect("file")).into_owned();
            if !text.contains("#config-version") {
                continue;
            }
            let tree = dialect::parse(&grammar, FileId(0), &text, 0..text.len());
            let mut masked = text.clone().into_bytes();
            for span in dialect::secret_spans(&grammar, &tree) {
                masked[span.start as usize..span.end as usize].fill(b'*');
            }
            let masked = String::from_utf8_lossy(&masked).into_owned();
            let canaries = text.lines().filter_map(|l| l.strip_prefix("# canary: ")).chain(["KANARI"]);
            for canary in canaries {
                let left = masked.lines().filter(|l| !l.starts_with('#') && l.contains(canary)).count();
                // A number or a word may stand elsewhere by chance; as a value of its own it may not.
                let as_value = masked.lines().filter(|l| !l.starts_with('#')).any(|l| l.split([' ', '"']).any(|w| w == canary));
                assert!(!as_value && (canary != "KANARI" || left == 0), "{}: a secret is left", path.display());
            }
            let shown = format!("{:?}", devices(&text));
            assert!(!shown.contains("KANARI"), "{}: a secret is shown", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen} files");
}

#[test]
fn secrets_are_masked_at_every_depth_and_in_fragments() {
    let dialect = &super::Fortios as &dyn dialect::Dialect;
    let grammar = dialect::grammar::Grammar::load(dialect.grammar_text()).expect("grammar");
    for text in [
        "config vdom\nedit root\nconfig router ospf\nconfig ospf-interface\nedit \"a\"\nset authentication-key ENC KANARI\nset md5-key 1 ENC KANARI\nnext\nend\nend\nend\n",
        "config global\nconfig system ha\nset password ENC KANARI\nend\nend\n",
        "edit \"cut out\"\nset psksecret KANARI x\nnext\n",
        "set passphrase KANARI\n",
        "config vpn certificate local\nedit \"a\"\nset private-key \"-----BEGIN KEY-----\nKANARI\n-----END KEY-----\"\nnext\nend\n",
        "config wireless-controller wtp-profile\nedit \"a\"\nset login-passwd ENC KANARI\nnext\nend\n",
        "config user group\nedit \"g\"\nconfig guest\nedit 1\nset password KANARI\nnext\nend\nnext\nend\n",
        "config system automation-action\nedit \"a\"\nconfig http-headers\nedit 1\nset value \"Bearer KANARI\"\nnext\nend\nnext\nend\n",
    ] {
        let tree = dialect::parse(&grammar, FileId(0), text, 0..text.len());
        let hidden: String = dialect::secret_spans(&grammar, &tree).iter().map(|s| s.slice(text)).collect::<Vec<_>>().join(" ");
        assert_eq!(hidden.matches("KANARI").count(), text.matches("KANARI").count(), "{text}");
    }
}
