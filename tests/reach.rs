//! `reach`: its sets, its example packets and the evaluator agree; it agrees with the exposures that rules see; what it prints is kept.

mod common;

use common::{corpus, real, root, whole};
use expect_test::expect_file;
use proptest::prelude::*;
use sekisho::analysis::reach::{Answer, Question, Reached, Target, Way, ask, trace};
use sekisho::finding::Lang;
use sekisho::fleet::run::Whole;
use sekisho::ir::fact::Val;
use sekisho::ir::record::{Record, Value};
use sekisho::ir::schema;
use sekisho::packet::AddrSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

fn question(from: Option<&str>, to: Option<&str>) -> Question {
    Question { from: from.map(str::to_owned), to: to.map(str::to_owned) }
}

/// The exports of the corpus and, where they are at hand, real ones; each with the answer to a question.
fn answered(paths: Vec<PathBuf>, asked: &Question) -> Vec<(PathBuf, Whole, Vec<Answer>)> {
    let mut all = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).expect("file");
        for whole in common::whole(&path.display().to_string(), &bytes) {
            let Some(analysed) = &whole.analysed else { continue };
            let answers = ask(&analysed.devices, &whole.settings, asked);
            all.push((path.clone(), whole, answers));
        }
    }
    all
}

fn check_packets(path: &std::path::Path, whole: &Whole, answers: &[Answer]) -> usize {
    let analysed = whole.analysed.as_ref().expect("analysed");
    let mut reached = 0;
    for (ix, answer) in answers.iter().enumerate() {
        for way in &answer.ways {
            let Some(packet) = way.packet else { continue };
            let place = format!("{}: {:?} through {:?}: {packet:?}", path.display(), way.target, way.ingress);
            let surely = way.parts.iter().any(|p| p.lo.contains(&packet));
            let maybe = way.parts.iter().any(|p| p.hi.contains(&packet));
            let (steps, through) = trace(&analysed.devices, &whole.settings, ix, way, &packet);
            match way.reached {
                Reached::Yes => {
                    reached += 1;
                    assert!(surely, "{place}: the example is not in the set");
                    let open = way.parts.iter().all(|p| !p.when.is_empty());
                    assert!(open || through == Some(true), "{place}: the evaluator stops it: {steps:?}");
                }
                Reached::Unknown => {
                    assert!(maybe, "{place}");
                    assert!(way.parts.iter().all(|p| p.lo.is_empty() || !p.when.is_empty()), "{place}: something is sure");
                }
                Reached::No => assert!(!maybe && !surely, "{place}"),
            }
            for part in &way.parts {
                let within = part.lo.is_subset(&part.hi, &mut sekisho::packet::Budget::default());
                assert!(within.unwrap_or(true), "{place}: more is sure than is possible");
            }
        }
    }
    reached
}

#[test]
fn the_example_lies_in_the_set_and_the_evaluator_lets_it_through() {
    let mut reached = 0;
    for asked in [question(None, None), question(Some("10.0.0.0/8"), None), question(Some("0.0.0.0/0"), Some("192.168.1.0/24"))] {
        for (path, whole, answers) in answered(corpus(), &asked) {
            reached += check_packets(&path, &whole, &answers);
        }
    }
    assert!(reached > 60, "{reached}");
    for (path, whole, answers) in answered(real(), &question(None, None)) {
        check_packets(&path, &whole, &answers);
    }
}

fn word(record: &Record, field: &str) -> Option<String> {
    match record.get(field).map(|f| &f.value) {
        Some(Value::Word(Val::Known(w))) => Some(w.to_string()),
        _ => None,
    }
}

/// Classes an exposure may have.
fn classes(record: &Record) -> Vec<String> {
    match record.get("class").map(|f| &f.value) {
        Some(Value::Word(Val::Known(w))) => vec![w.to_string()],
        Some(Value::Word(Val::Among(ws, _))) => ws.iter().map(|w| w.to_string()).collect(),
        _ => ["none", "any"].map(str::to_owned).to_vec(),
    }
}

#[test]
fn reach_agrees_with_the_exposures_that_rules_see() {
    let mut compared = 0;
    for (path, whole, answers) in answered(corpus().into_iter().chain(real()).collect(), &question(None, Some("box"))) {
        let analysed = whole.analysed.as_ref().expect("analysed");
        for ((device, sheet), answer) in analysed.devices.iter().zip(&analysed.sheets).zip(&answers) {
            let records = &sheet.of(&schema::EXPOSURE).expect("exposures").items;
            for record in records {
                let live = matches!(record.get("live").map(|f| &f.value), Some(Value::Bool(v)) if v.is_true());
                let twins = records.iter().filter(|r| r.subject == record.subject).count();
                let wanted = word(record, "side").as_deref() == Some("untrusted") && word(record, "plane").as_deref() != Some("l2");
                if !(live && wanted && twins == 1) {
                    continue;
                }
                let of = |w: &&Way| match w.target {
                    Target::Listener(l) => {
                        let listener = &device.listeners.items[l.0 as usize];
                        format!("{} on {}", listener.service, device.interfaces[w.ingress.0 as usize].name) == record.subject
                    }
                    _ => false,
                };
                let ways: Vec<&Way> = answer.ways.iter().filter(of).collect();
                let classes = classes(record);
                let yes = ways.iter().any(|w| w.reached == Reached::Yes);
                let no = ways.iter().all(|w| w.reached == Reached::No);
                let none = |c: &String| c == "none";
                assert_eq!(yes, !classes.iter().any(none), "{}: {} {classes:?}", path.display(), record.subject);
                assert_eq!(no, classes.iter().all(none), "{}: {} {classes:?}", path.display(), record.subject);
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn one_address_is_answered_as_the_whole_set_says() {
    let paths: Vec<PathBuf> =
        ["handa-like-fgt60e-fixed.conf", "clinic-router-yamaha.txt"].map(|n| root().join("corpus/incidents").join(n)).into();
    let everybody = answered(paths.clone(), &question(None, None));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() });
    let near = prop::sample::select(vec![0xc633_6428u32, 0xc633_642b, 0xc633_642c, 0xc633_6427, 0xcb00_7107]);
    let address = prop_oneof![any::<u32>(), near];
    let outcome = runner.run(&address, |bits| {
        let source = IpAddr::V4(Ipv4Addr::from_bits(bits));
        let one = answered(paths.clone(), &question(Some(&source.to_string()), None));
        for ((_, whole, all), (_, _, few)) in everybody.iter().zip(&one) {
            let devices = &whole.analysed.as_ref().expect("analysed").devices;
            for (ix, (all, few)) in all.iter().zip(few).enumerate() {
                for way in &all.ways {
                    let twin =
                        few.ways.iter().find(|w| (w.target, w.ingress, w.v6, &w.entry) == (way.target, way.ingress, way.v6, &way.entry));
                    let has = |w: &Way| w.parts.iter().any(|p| p.lo.sources().contains(source));
                    prop_assert_eq!(has(way), twin.is_some_and(has), "{} {:?} {}", devices[ix].name, way.target, source);
                    prop_assert_eq!(has(way), twin.is_some_and(|w| w.reached == Reached::Yes));
                }
            }
        }
        Ok(())
    });
    outcome.expect("the same answer");
}

#[test]
fn a_port_in_front_of_a_translation_and_the_host_behind_it_are_one_way() {
    let text = "# RTX1210 Rev.14.01.42\nip route default gateway pp 1\nip lan1 address 192.168.1.1/24\npp select 1\n pppoe use lan2\n ip pp nat descriptor 1\n pp enable 1\n\
                nat descriptor type 1 masquerade\nnat descriptor address outer 1 203.0.113.20\nnat descriptor masquerade static 1 1 192.168.1.10 tcp 13389=3389\n";
    let whole = &whole("rt.txt", text.as_bytes())[0];
    let analysed = whole.analysed.as_ref().expect("analysed");
    for to in ["203.0.113.20:13389/tcp", "192.168.1.10:3389/tcp"] {
        let answers = ask(&analysed.devices, &whole.settings, &question(None, Some(to)));
        let way =
            answers[0].ways.iter().find(|w| matches!(w.target, Target::Translation(_))).unwrap_or_else(|| panic!("{to}: {answers:?}"));
        assert_eq!(way.reached, Reached::Yes, "{to}");
        let witness = way.witness.as_ref().expect("a packet");
        assert_eq!((witness.port, way.packet.map(|p| p.detail)), (Some(13389), Some(3389)), "{to}");
        assert_eq!(way.parts[0].lo.destinations(), AddrSet::single("192.168.1.10".parse().expect("address")));
    }
    let answers = ask(&analysed.devices, &whole.settings, &question(None, Some("192.168.1.10:22/tcp")));
    assert!(answers[0].ways.iter().all(|w| w.reached == Reached::No));
}

#[test]
fn a_row_for_users_holds_for_who_logged_in_and_for_no_stranger() {
    let text = std::fs::read_to_string(root().join("corpus/incidents/handa-like-fgt60e.conf")).expect("file");
    // The row to the Internet asks for a login too.
    let text = text.replace(
        "        set name \"lan-to-internet\"\n",
        "        set name \"lan-to-internet\"\n        set groups \"vpn-maintenance\"\n",
    );
    let whole = &whole("fw.conf", text.as_bytes())[0];
    let devices = &whole.analysed.as_ref().expect("analysed").devices;
    let reached = |from: &str, to: &str| {
        let ways = ask(devices, &whole.settings, &question(Some(from), Some(to))).remove(0).ways;
        ways.iter().map(|w| w.reached).min()
    };
    assert_eq!(reached("ssl.root", "internal"), Some(Reached::Yes));
    assert_eq!(reached("internal", "wan1"), Some(Reached::Unknown));
    assert_ne!(reached("internet", "internal"), Some(Reached::Yes));
}

#[test]
fn what_is_printed_is_kept() {
    let cases: [(&str, &str, Option<&str>, Option<&str>); 5] = [
        ("reach.handa", "handa-like-fgt60e.conf", None, None),
        ("reach.clinic", "clinic-router-yamaha.txt", None, None),
        ("reach.rdp", "clinic-router-yamaha.txt", None, Some("192.168.1.10:3389/tcp")),
        ("reach.vpn", "handa-like-fgt60e.conf", Some("ssl.root"), Some("internal")),
        ("reach.telnet", "clinic-router-yamaha-fixed.txt", None, Some("telnet")),
    ];
    for (name, file, from, to) in cases {
        let bytes = std::fs::read(root().join("corpus/incidents").join(file)).expect("file");
        for (lang, key) in [(Lang::Ja, "ja"), (Lang::En, "en")] {
            let report = common::reach(file, &bytes, &question(from, to), lang);
            expect_file![root().join(format!("tests/snapshots/{name}.{key}.txt"))].assert_eq(&sekisho::report::reach::text(&report, 100));
            let json = sekisho::report::reach::json(&report);
            common::assert_schema("sekisho-reach-1.schema.json", &json);
            if name == "reach.rdp" {
                expect_file![root().join(format!("tests/snapshots/{name}.{key}.json"))]
                    .assert_eq(&json.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
            }
        }
    }
}
