//! The corpus of the dialect and its grammar.

use super::*;
use crate::dialect::detect::Detector;
use crate::dialect::secret_spans;

fn exports() -> Vec<(String, String)> {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus/junos-srx");
    let mut out: Vec<(String, String)> = std::fs::read_dir(root)
        .expect("corpus")
        .map(|e| e.expect("entry").path())
        .filter(|p| p.extension().is_none_or(|e| e != "expect"))
        .map(|p| (p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), std::fs::read_to_string(p).expect("text")))
        .collect();
    out.sort();
    assert!(out.len() >= 11);
    out
}

#[test]
fn every_export_is_recognised_and_its_secrets_are_found() {
    let grammar = grammar();
    for (name, text) in exports() {
        let verdict = Detector::new(&[&grammar]).detect(FileId(0), &text, 0..text.len());
        assert!(verdict.winner().is_some(), "{name}: {:?}", verdict.scores);
        let tree = parse(&grammar, FileId(0), &text, 0..text.len());
        let hidden = secret_spans(&grammar, &tree);
        for (at, _) in text.match_indices("KANARI") {
            let inside = hidden.iter().any(|s| s.start as usize <= at && at < s.end as usize);
            assert!(inside, "{name}: a secret at byte {at} is not found: {}", text[..at].lines().last().unwrap_or(""));
        }
        assert!(!format!("{:?}", devices(&text)).contains("KANARI"), "{name}: a secret is shown");
    }
}

#[test]
fn secrets_are_found_at_every_depth() {
    let grammar = grammar();
    for text in [
        "set groups G system login user <*> authentication encrypted-password \"KANARI\"\n",
        "set logical-systems A security ike policy P pre-shared-key ascii-text \"KANARI\"\n",
        "set snmp community KANARI authorization read-only\ndelete snmp community KANARI\n",
        "set snmp community KANARI\ndeactivate snmp community KANARI\n",
        "snmp { inactive: community KANARI { authorization read-only; } }\n",
        "security { ike { inactive: policy P { pre-shared-key ascii-text \"KANARI\"; } } }\n",
        "system { root-authentication { encrypted-password \"KANARI\n}\n}\n",
        "set routing-instances R protocols bgp group G neighbor 192.0.2.1 authentication-key KANARI\n",
        "access { profile A { client b { firewall-user { password \"KANARI\"; } } } }\n",
        "set system root-authentication encrypted-password \"KANARI1\"\nset system root-authentication encrypted-password \"KANARI2\"\n",
    ] {
        let tree = parse(&grammar, FileId(0), text, 0..text.len());
        let hidden: String = secret_spans(&grammar, &tree).iter().map(|s| s.slice(text)).collect::<Vec<_>>().join(" ");
        assert_eq!(hidden.matches("KANARI").count(), text.matches("KANARI").count(), "{text}");
    }
}

#[test]
fn both_forms_of_a_configuration_give_the_same_device() {
    let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/junos-srx/odd-both-forms.conf"))
        .expect("file");
    let (curly, lines) = text.split_once("{primary:node0}").expect("two parts");
    let (a, b) = (device(curly), device(lines));
    let shape = |d: &Device| {
        let l = d.listeners.iter().map(|l| (l.service, l.bindings.len())).collect::<Vec<_>>();
        (d.name.clone(), l, d.interfaces.iter().map(|i| i.name.clone()).collect::<Vec<_>>())
    };
    assert_eq!(shape(&a), shape(&b));
    assert_eq!(shape(&device(&text)), shape(&a));
}

#[test]
fn every_row_of_the_grammar_can_be_read() {
    let grammar = grammar();
    for row in &grammar.file.defaults {
        assert!(grammar.file.sources.contains_key(&row.source), "{}: source {} is not listed", row.key, row.source);
        if row.key.starts_with("port.") {
            assert!(super::super::value::terms(&row.value).is_some(), "{}", row.key);
        }
    }
    for (name, service) in &grammar.file.services {
        assert!(super::super::value::terms(service).is_some(), "service {name}");
    }
}
