//! `diff`: a version against itself is nothing, swapped versions mirror each other, names and order do not matter, and what an incident's
//! repair closes is printed as kept here.

mod common;

use common::{corpus, diff, real, root};
use expect_test::expect_file;
use sekisho::answer::{DeviceDiff, DiffReport, Doorway};
use sekisho::finding::Lang;
use sekisho::report::diff::{json, text};
use std::path::Path;
use std::process::Command;

fn read(name: &str) -> Vec<u8> {
    std::fs::read(root().join("corpus").join(name)).expect("file")
}

fn said(report: &DiffReport) -> String {
    text(report, 120)
}

#[test]
fn a_version_against_itself_is_nothing() {
    for path in corpus().into_iter().chain(real()) {
        let bytes = std::fs::read(&path).expect("file");
        if bytes.len() > 2_000_000 {
            continue;
        }
        let report = diff(&bytes, &bytes, Lang::En);
        assert!(report.is_empty(), "{}:\n{}", path.display(), said(&report));
    }
}

fn blocks(doors: &[Doorway]) -> Vec<String> {
    let mut all: Vec<String> = doors.iter().map(|d| format!("{} {} {:?}", d.target, d.outside, d.blocks)).collect();
    all.sort();
    all
}

/// Everything of a comparison that has a direction, and the same seen from the other side.
fn shape(device: &DeviceDiff, swapped: bool) -> Vec<Vec<String>> {
    let turn = |turn: &str| match (turn, swapped) {
        ("added", true) => "removed",
        ("removed", true) => "added",
        ("opened", true) => "closed",
        ("closed", true) => "opened",
        ("changed", _) => "changed",
        ("added", _) => "added",
        ("removed", _) => "removed",
        ("opened", _) => "opened",
        _ => "closed",
    };
    let (opened, closed) = if swapped { (&device.closed, &device.opened) } else { (&device.opened, &device.closed) };
    let mut things: Vec<String> = Vec::new();
    for thing in &device.things {
        let facts = thing.facts.iter().map(|f| if swapped { (&f.caption, &f.new, &f.old) } else { (&f.caption, &f.old, &f.new) });
        let mut facts: Vec<_> = facts.collect();
        facts.sort();
        let name = if thing.turn == "changed" { "" } else { &thing.name };
        things.push(format!("{} {} {name} {facts:?}", turn(thing.turn), thing.kind));
    }
    things.sort();
    // A finding whose severity changed has it in the new version; the pair is what mirrors.
    let finding = |f: &sekisho::answer::FindingChange| match f.before {
        Some(_) => format!("changed {}", f.rule),
        None => format!("{} {} {} {}", turn(f.turn), f.rule, f.subject, f.other),
    };
    let mut findings: Vec<String> = device.findings.iter().map(finding).collect();
    findings.sort();
    let mut sights: Vec<String> = device.sights.iter().map(|s| format!("{:?} {} {}", s.rule, s.title, s.in_new != swapped)).collect();
    sights.sort();
    let versions = |d: &Doorway| d.versions.map(|(a, b)| if swapped { (b, a) } else { (a, b) });
    let mut unknown: Vec<String> = device.unknown.iter().map(|d| format!("{} {:?}", d.target, versions(d))).collect();
    unknown.sort();
    vec![blocks(opened), blocks(closed), unknown, things, findings, sights]
}

#[test]
fn swapped_versions_mirror_each_other() {
    let paths = corpus();
    let pairs = paths.iter().zip(paths.iter().skip(1)).chain(paths.iter().zip(paths.iter().skip(7)));
    for (a, b) in pairs {
        let (old, new) = (std::fs::read(a).expect("file"), std::fs::read(b).expect("file"));
        let (there, back) = (diff(&old, &new, Lang::En), diff(&new, &old, Lang::En));
        if there.devices.len() != 1 || back.devices.len() != 1 {
            continue;
        }
        let place = format!("{} {}", a.display(), b.display());
        assert_eq!(shape(&there.devices[0], false), shape(&back.devices[0], true), "{place}");
    }
}

/// The file with words replaced; each must be there.
fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in the file");
        text.replace(from, to)
    })
}

#[test]
fn names_order_comments_and_new_ciphertext_are_no_change() {
    let fortios = String::from_utf8(read("incidents/handa-like-fgt60e.conf")).expect("text");
    let renamed = edited(
        &fortios,
        &[
            ("\"internal-net\"", "\"clinic-lan\""),
            ("\"SSLVPN_TUNNEL_ADDR1\"", "\"pool-a\""),
            ("\"vpn-to-lan\"", "\"access\""),
            ("\"full-access\"", "\"web\""),
            ("\"vpn-maintenance\"", "\"vendors\""),
            ("5a6d0c10-0000-51e9", "77777777-1111-51e9"),
            ("AK1KANARI9b2hQkZc7WmTyUeIoPaSdFgHjKlZxCvBnM01234=", "AK1KANARIzzzzQkZc7WmTyUeIoPaSdFgHjKlZxCvBnM09999="),
            ("# Fiction,", "# Another word of fiction,"),
        ],
    );
    let yamaha = String::from_utf8(read("incidents/clinic-router-yamaha-fixed.txt")).expect("text");
    let renumbered = edited(&yamaha, &[("200100", "310100"), ("200101", "310101"), ("description", "description")]);
    for (old, new) in [(fortios, renamed), (yamaha, renumbered)] {
        let report = diff(old.as_bytes(), new.as_bytes(), Lang::En);
        assert!(report.is_empty(), "{}", said(&report));
    }
}

#[test]
fn rows_that_do_not_overlap_may_change_places() {
    let old = String::from_utf8(read("incidents/clinic-router-yamaha.txt")).expect("text");
    let rows = "200102 200103 200104";
    let new = edited(&old, &[(rows, "200104 200103 200102")]);
    let report = diff(old.as_bytes(), new.as_bytes(), Lang::En);
    assert!(report.is_empty(), "{}", said(&report));
}

#[test]
fn one_opened_port_is_found_and_nothing_else() {
    let old = String::from_utf8(read("incidents/clinic-router-yamaha-fixed.txt")).expect("text");
    let line = "nat descriptor masquerade static 1000 1 ";
    let new = edited(
        &old,
        &[
            (line, &format!("nat descriptor masquerade static 1000 9 192.168.1.30 tcp 8443=443\n{line}")),
            ("ip filter 200100 ", "ip filter 200109 pass 198.51.100.0/24 192.168.1.30 tcp * 443\nip filter 200100 "),
            ("ip pp secure filter in ", "ip pp secure filter in 200109 "),
        ],
    );
    let report = diff(old.as_bytes(), new.as_bytes(), Lang::En);
    let device = &report.devices[0];
    assert!(device.closed.is_empty() && device.unknown.is_empty(), "{}", said(&report));
    let blocks: Vec<_> = device.opened.iter().flat_map(|d| &d.blocks).collect();
    assert_eq!(blocks.len(), 1, "{}", said(&report));
    assert_eq!(
        (&blocks[0].sources[..], &blocks[0].destinations[..]),
        (&["198.51.100.0/24".to_owned()][..], &["192.168.1.30".to_owned()][..])
    );
    assert_eq!(blocks[0].services, ["tcp 443"]);
    assert_eq!(device.opened[0].witness.as_ref().and_then(|w| w.port), Some(8443));
    assert!(device.is_worse());
}

#[test]
fn a_part_of_a_configuration_is_never_taken_for_the_same() {
    let whole = String::from_utf8(read("incidents/clinic-router-yamaha.txt")).expect("text");
    let part: String = whole.lines().filter(|l| !l.starts_with("ip filter ")).map(|l| format!("{l}\n")).collect();
    let report = diff(part.as_bytes(), whole.as_bytes(), Lang::En);
    assert!(!report.is_empty(), "{}", said(&report));
}

#[test]
fn what_a_repair_closes_is_kept() {
    let folder = root().join("corpus/incidents");
    let mut names: Vec<String> = corpus()
        .into_iter()
        .filter(|p| p.parent() == Some(folder.as_path()))
        .map(|p| p.file_name().expect("name").to_string_lossy().into_owned())
        .filter(|n| n.contains("-fixed"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 5);
    for fixed in names {
        let bad = fixed.replace("-fixed", "");
        let (old, new) = (read(&format!("incidents/{bad}")), read(&format!("incidents/{fixed}")));
        let stem = bad.split('.').next().expect("stem").to_owned();
        for (lang, key) in [(Lang::Ja, "ja"), (Lang::En, "en")] {
            let report = diff(&old, &new, lang);
            expect_file![root().join(format!("tests/snapshots/diff.{stem}.{key}.txt"))].assert_eq(&text(&report, 100));
            common::assert_schema("sekisho-diff-1.schema.json", &json(&report));
            if stem.starts_with("hospital") {
                expect_file![root().join(format!("tests/snapshots/diff.{stem}.{key}.json"))]
                    .assert_eq(&json(&report).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
            }
            let worse = report.devices.iter().any(DeviceDiff::is_worse);
            // That box moved from SSL-VPN to IKEv2: its own new door.
            assert_eq!(worse, stem == "dc-maintenance-sslvpn", "{bad}:\n{}", said(&report));
        }
    }
}

#[test]
fn a_migration_is_compared_by_what_it_does() {
    let (old, new) = (read("incidents/handa-like-fgt60e-fixed.conf"), read("incidents/clinic-router-yamaha-fixed.txt"));
    for (lang, key) in [(Lang::Ja, "ja"), (Lang::En, "en")] {
        let report = diff(&old, &new, lang);
        expect_file![root().join(format!("tests/snapshots/diff.migration.{key}.txt"))].assert_eq(&text(&report, 100));
        common::assert_schema("sekisho-diff-1.schema.json", &json(&report));
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<(bool, String)> {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .env("SEKISHO_LANG", "en")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .ok()?;
    Some((output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))))
}

#[test]
fn git_shows_it_for_changed_new_and_removed_files() {
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path();
    if git(dir, &["init", "-q"]).is_none() {
        return; // No git on this machine.
    }
    let driver = format!("{} diff", assert_cmd::cargo::cargo_bin("sekisho").display());
    git(dir, &["config", "diff.sekisho.command", &driver]);
    std::fs::write(dir.join(".gitattributes"), "*.conf diff=sekisho\n").expect("file");
    std::fs::write(dir.join("fw.conf"), read("incidents/handa-like-fgt60e-fixed.conf")).expect("file");
    git(dir, &["add", "."]);
    git(dir, &["commit", "-qm", "first"]);
    std::fs::write(dir.join("fw.conf"), read("incidents/handa-like-fgt60e.conf")).expect("file");
    std::fs::write(dir.join("new.conf"), read("incidents/hospital-core.conf")).expect("file");
    git(dir, &["add", "."]);
    let (done, changed) = git(dir, &["diff", "--cached", "--ext-diff"]).expect("git");
    assert!(done, "{changed}");
    assert!(changed.contains("fw.conf -> fw.conf") && changed.contains("/dev/null -> new.conf"), "{changed}");
    assert!(changed.contains("Reachable from outside now") && changed.contains("web management (HTTPS)"), "{changed}");
    git(dir, &["commit", "-qm", "second"]);
    std::fs::remove_file(dir.join("new.conf")).expect("removed");
    let (done, removed) = git(dir, &["diff"]).expect("git");
    assert!(done && removed.contains("new.conf -> /dev/null") && removed.contains("No longer reachable"), "{removed}");
    let (done, shown) = git(dir, &["show", "--ext-diff", "HEAD"]).expect("git");
    assert!(done && shown.contains("fw.conf -> fw.conf"), "{shown}");
}
