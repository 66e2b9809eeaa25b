//! One secret across the files of a run: what is reuse, what two boxes share by design, and what cannot be told.

mod common;

use common::root;
use sekisho::finding::{Finding, Lang, OutcomeKind, Report};
use sekisho::fleet::run::{self, Input, Options};
use sekisho::report::{Form, TextStyle, write};
use std::sync::Arc;

fn judge_with(files: &[(&str, String)], key: u8, lang: Lang) -> Report {
    let inputs: Vec<Input<'_>> = files
        .iter()
        .map(|(name, text)| Input { name: (*name).to_owned(), named: true, read: Box::new(move || Ok(text.clone().into_bytes())) })
        .collect();
    let options = Options { run_key: Arc::new([key; 32]), ..common::options(lang) };
    let mut report = run::check(&inputs, &options);
    run::count(&mut report);
    report
}

fn judge(files: &[(&str, String)]) -> Report {
    judge_with(files, 7, Lang::En)
}

/// What PWD006 says about each file.
fn outcomes(report: &Report) -> Vec<OutcomeKind> {
    let of = |f: &sekisho::finding::FileReport| f.devices[0].outcomes.iter().find(|o| o.rule == "PWD006").map(|o| o.kind);
    report.files.iter().map(|f| of(f).expect("an outcome")).collect()
}

fn reused(report: &Report) -> Vec<&Finding> {
    report.files.iter().flat_map(|f| &f.devices).flat_map(|d| &d.findings).filter(|f| f.rule == "PWD006").collect()
}

fn incident(name: &str) -> String {
    std::fs::read_to_string(root().join("corpus/incidents").join(name)).expect("file")
}

/// A box with one administrator and one tunnel.
fn site(name: &str, wan: &str, password: &str, peer: &str, key: &str) -> String {
    let peer = if peer.is_empty() { "set type dynamic".to_owned() } else { format!("set remote-gw {peer}") };
    let wan = if wan.is_empty() { "set mode pppoe".to_owned() } else { format!("set ip {wan} 255.255.255.248") };
    format!(
        "#config-version=FGT60F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=netadm
config system global
    set hostname \"{name}\"
end
config system interface
    edit \"wan1\"
        {wan}
        set role wan
    next
    edit \"internal\"
        set ip 192.168.10.1 255.255.255.0
        set role lan
    next
end
config system admin
    edit \"netadm\"
        set password {password}
    next
end
config vpn ipsec phase1-interface
    edit \"link\"
        set interface \"wan1\"
        {peer}
        set psksecret {key}
    next
end
config vpn ipsec phase2-interface
    edit \"link\"
        set phase1name \"link\"
    next
end
config firewall policy
    edit 1
        set srcintf \"link\"
        set dstintf \"internal\"
        set action accept
        set srcaddr \"all\"
        set dstaddr \"all\"
        set schedule \"always\"
        set service \"HTTPS\"
    next
end
"
    )
}

const KEY: &str = "KANARI-0rT5mQx7LwZp9kVd";

#[test]
fn the_pair_of_the_osaka_case_shares_a_password_across_two_files() {
    let pair = [("a/caterer-edge.conf", incident("caterer-edge.conf")), ("b/hospital-core.conf", incident("hospital-core.conf"))];
    for lang in [Lang::Ja, Lang::En] {
        let report = judge_with(&pair, 7, lang);
        assert_eq!(outcomes(&report), [OutcomeKind::Fail, OutcomeKind::Fail]);
        let (caterer, hospital) = (reused(&report)[0], reused(&report)[1]);
        assert!(caterer.message.contains("asagao-core b/hospital-core.conf:43"), "{}", caterer.message);
        assert!(caterer.message.contains("vendor-emr (asagao-core b/hospital-core.conf:48)"), "{}", caterer.message);
        assert!(hospital.message.contains("hidamari-kitchen a/caterer-edge.conf:50"), "{}", hospital.message);
        assert_eq!(caterer.primary.place.map(|p| p.line), Some(50));
        assert_eq!(hospital.primary.place.map(|p| p.line), Some(43));
        for form in [Form::Text, Form::Json, Form::Sarif, Form::Github] {
            let style = TextStyle { colour: false, width: 400, ascii: true, verbose: true, quiet: false };
            let out = write(&report, form, &style);
            assert!(out.contains("hospital-core.conf:43") && out.contains("caterer-edge.conf:50"), "{form:?}");
            assert!(!out.contains("KANARI") && !out.contains("meal2022"), "{form:?}");
        }
    }
    let repaired = ["caterer-edge-fixed.conf", "hospital-core-fixed.conf"].map(|n| (n, incident(n)));
    assert_eq!(outcomes(&judge(&repaired)), [OutcomeKind::Pass, OutcomeKind::Pass]);
}

#[test]
fn one_file_alone_knows_nothing_of_the_other() {
    let report = judge(&[("caterer-edge.conf", incident("caterer-edge.conf"))]);
    assert!(reused(&report).is_empty());
}

#[test]
fn the_keys_of_runs_change_nothing() {
    let pair = [("caterer-edge.conf", incident("caterer-edge.conf")), ("hospital-core.conf", incident("hospital-core.conf"))];
    let shape = |key| reused(&judge_with(&pair, key, Lang::En)).into_iter().map(|f| format!("{f:?}")).collect::<Vec<_>>();
    assert_eq!(shape(7), shape(201));
    let prints = |key| reused(&judge_with(&pair, key, Lang::Ja)).into_iter().map(|f| f.fingerprint.clone()).collect::<Vec<_>>();
    assert_eq!(prints(1), prints(2));
}

#[test]
fn the_two_ends_of_one_tunnel_share_a_key_by_design() {
    let hub = site("hub", "198.51.100.66", "KANARI-aaaaaaaaaaaa1", "", KEY);
    let spoke = site("spoke", "", "KANARI-bbbbbbbbbbbb2", "198.51.100.66", KEY);
    assert_eq!(outcomes(&judge(&[("hub", hub.clone()), ("spoke", spoke.clone())])), [OutcomeKind::Pass, OutcomeKind::Pass]);
    // A third box with the same key makes it a key of two tunnels.
    let other = site("other", "", "KANARI-cccccccccccc3", "198.51.100.66", KEY);
    let report = judge(&[("hub", hub), ("other", other.clone()), ("spoke", spoke.clone())]);
    assert_eq!(outcomes(&report), [OutcomeKind::Fail; 3]);
    // Two that call the same third box are not the ends of one tunnel, though the third is not there.
    assert_eq!(outcomes(&judge(&[("other", other), ("spoke", spoke)])), [OutcomeKind::Fail; 2]);
}

#[test]
fn ends_that_the_exports_do_not_show_are_not_judged() {
    let one = site("one", "", "KANARI-aaaaaaaaaaaa1", "203.0.113.9", KEY);
    let two = site("two", "", "KANARI-bbbbbbbbbbbb2", "203.0.113.77", KEY);
    let report = judge(&[("one", one), ("two", two)]);
    assert_eq!(outcomes(&report), [OutcomeKind::Undetermined; 2]);
    let reason = report.files[0].devices[0].outcomes.iter().find(|o| o.rule == "PWD006").and_then(|o| o.reason.clone());
    assert!(reason.is_some_and(|r| r.contains("two") && r.contains("tunnel")));
}

#[test]
fn a_key_that_is_also_a_password_is_reused() {
    let one = site("one", "198.51.100.66", KEY, "203.0.113.9", "KANARI-zzzzzzzzzzzzzzzz1");
    let two = site("two", "203.0.113.9", "KANARI-bbbbbbbbbbbb2", "198.51.100.66", KEY);
    assert_eq!(outcomes(&judge(&[("one", one), ("two", two)])), [OutcomeKind::Fail; 2]);
}

#[test]
fn backups_of_one_box_are_one_box() {
    let spring = site("fw", "198.51.100.66", "KANARI-aaaaaaaaaaaa1", "203.0.113.9", KEY);
    let autumn = spring.replace("255.255.255.0\n", "255.255.254.0\n");
    assert_eq!(outcomes(&judge(&[("spring", spring.clone()), ("autumn", autumn)])), [OutcomeKind::Pass; 2]);
    assert_eq!(outcomes(&judge(&[("a", spring.clone()), ("b", spring.clone())])), [OutcomeKind::Pass; 2], "the same file twice");
    // The same name and inside network with another public address is another house.
    let clone = spring.replace("198.51.100.66", "192.0.2.10");
    assert_eq!(outcomes(&judge(&[("a", spring.clone()), ("b", clone)])), [OutcomeKind::Fail; 2]);
    // Without any public address nobody can tell.
    let dial = |password: &str| site("fw", "", password, "203.0.113.9", KEY);
    let report = judge(&[("a", dial("KANARI-aaaaaaaaaaaa1")), ("b", dial("KANARI-bbbbbbbbbbbb2"))]);
    assert_eq!(outcomes(&report), [OutcomeKind::Undetermined; 2]);
}

#[test]
fn the_two_boxes_of_a_cluster_share_everything() {
    let cluster = "config system ha\n    set group-name \"kumo\"\n    set mode a-p\nend\nconfig system admin\n";
    let one = site("fw-1", "198.51.100.66", "KANARI-aaaaaaaaaaaa1", "203.0.113.9", KEY).replace("config system admin\n", cluster);
    let two = one.replace("fw-1", "fw-2");
    assert_eq!(outcomes(&judge(&[("one", one.clone()), ("two", two.clone())])), [OutcomeKind::Pass; 2]);
    // The name of a group alone makes no cluster.
    let foreign = two.replace("198.51.100.66", "192.0.2.10").replace("192.168.10.1", "192.168.77.1");
    assert_eq!(outcomes(&judge(&[("one", one), ("two", foreign)])), [OutcomeKind::Fail; 2]);
}

#[test]
fn communities_count_across_boxes_and_everyones_words_do_not() {
    let router = |name: &str, community: &str, address: &str| {
        format!(
            "# RTX1220 Rev.15.04.07 (Mon Jun 16 16:36:19 2025)\nip lan1 address {address}/24\nsnmp host 192.168.1.5 {community}\nsnmp community read-only {community}\nsnmp sysname {name}\n"
        )
    };
    let pair = |word: &str| [("one", router("a", word, "192.168.1.1")), ("two", router("b", word, "192.168.2.1"))];
    assert_eq!(outcomes(&judge(&pair("KANARI-mimamori"))), [OutcomeKind::Fail; 2]);
    assert!(reused(&judge(&pair("public"))).is_empty());
}
