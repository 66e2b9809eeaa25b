//! Hashes tested against guessable words: what a match and the lack of one mean in a report.

mod common;

use common::root;
use sekisho::analysis::{HASH_BUDGET, Stated};
use sekisho::finding::{Lang, OutcomeKind, Report};
use sekisho::fleet::run::{self, Input, Options};
use sekisho::report::{Form, TextStyle, write};

fn judge(text: &str, budget: u64, lang: Lang) -> Report {
    let inputs = [Input { name: "fw.conf".to_owned(), named: true, read: Box::new(move || Ok(text.as_bytes().to_vec())) }];
    let stated = |_: &str| (Stated { names: vec!["KoroHospital".to_owned()], ..Stated::default() }, None);
    let options = Options { hash_budget: budget, stated: &stated, ..common::options(lang) };
    let mut report = run::check(&inputs, &options);
    run::count(&mut report);
    report
}

/// A box whose administrator's hash is this.
fn device(hash: &str) -> String {
    format!(
        "#config-version=FGT60F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=netadm
config system global
    set hostname \"koro-fw\"
end
config system interface
end
config system admin
    edit \"netadm\"
        set password ENC {hash}
    next
end
config firewall policy
end
"
    )
}

/// SHA-256 of salt, word and the maker's appendix, as the product writes it.
fn stored(word: &str) -> String {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    let appendix = b"\xa3\x88\xba\x2e\x42\x4c\xb0\x4a\x53\x79\x30\xc1\x31\x07\xcc\x3f\xa1\x32\x90\x29\xa9\x81\x5b\x70";
    let salt = b"kanari-salt1";
    let digest = Sha256::digest([&salt[..], word.as_bytes(), &appendix[..]].concat());
    format!("SH2{}", base64::engine::general_purpose::STANDARD.encode([&salt[..], &digest].concat()))
}

fn outcome<'r>(report: &'r Report, rule: &str) -> &'r sekisho::finding::Outcome {
    report.files[0].devices[0].outcomes.iter().find(|o| o.rule == rule).expect("an outcome")
}

#[test]
fn a_hash_of_a_guessable_word_is_a_weak_password() {
    for word in ["P@ssw0rd", "zxcvbn", "KoroHospital2024", "netadm123", "koro-fw"] {
        let hash = stored(word);
        for lang in [Lang::Ja, Lang::En] {
            let report = judge(&device(&hash), HASH_BUDGET, lang);
            let finding = report.files[0].devices[0].findings.iter().find(|f| f.rule == "PWD002").expect(word);
            assert_eq!(finding.subject, "netadm");
            for form in [Form::Text, Form::Json, Form::Sarif, Form::Github] {
                let style = TextStyle { colour: false, width: 200, ascii: true, verbose: true, quiet: false };
                let out = write(&report, form, &style);
                // The host's own name stands in every report.
                assert!(word == "koro-fw" || !out.contains(word), "{form:?}");
                assert!(!out.contains(&hash[3..20]), "{form:?}");
            }
        }
    }
}

#[test]
fn a_hash_that_matches_nothing_is_not_called_strong() {
    let report = judge(&device(&stored("KANARI-gIvrug-pupcyv")), HASH_BUDGET, Lang::En);
    let weak = outcome(&report, "PWD002");
    assert_eq!(weak.kind, OutcomeKind::Undetermined);
    let reason = weak.reason.clone().expect("a reason");
    let tried: u64 = reason.split(|c: char| !c.is_ascii_digit()).find_map(|w| w.parse().ok()).expect("a number");
    assert!((200..3000).contains(&tried), "{reason}");
    // The number is the same for a word that matched.
    let matched = judge(&device(&stored("admin")), HASH_BUDGET, Lang::En);
    let finding = matched.files[0].devices[0].findings.iter().find(|f| f.rule == "PWD002").expect("a finding");
    assert!(finding.related.iter().chain([&finding.primary]).any(|l| l.text.contains(&format!(" {tried} "))), "{:?}", finding.related);
}

#[test]
fn no_budget_means_no_test() {
    let report = judge(&device(&stored("admin")), 0, Lang::En);
    assert_eq!(outcome(&report, "PWD002").kind, OutcomeKind::Undetermined);
    let reason = outcome(&report, "PWD002").reason.clone().unwrap_or_default();
    assert!(!reason.contains("guessable"), "{reason}");
    // A small budget tries less and says so.
    let few = judge(&device(&stored("KANARI-gIvrug-pupcyv")), 5, Lang::En);
    assert!(outcome(&few, "PWD002").reason.as_deref().is_some_and(|r| r.contains("against 5 guessable")));
}

#[test]
fn the_option_reaches_the_test() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("fw.conf");
    std::fs::write(&file, device(&stored("admin"))).expect("written");
    let run = |budget: &str| {
        let mut command = assert_cmd::Command::cargo_bin("sekisho").expect("the program");
        command.current_dir(root()).args(["check", "--lang", "en", "--only", "PWD002", "--hash-budget", budget]).arg(&file);
        String::from_utf8(command.output().expect("run").stdout).expect("text")
    };
    assert!(run("1000").contains("PWD002 weak-password"));
    assert!(!run("0").contains("PWD002 weak-password"));
}
