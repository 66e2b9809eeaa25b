//! The program as a user runs it: commands, exit statuses, configuration, own rules.

use assert_cmd::Command;
use std::path::PathBuf;

fn sekisho() -> Command {
    let mut command = Command::cargo_bin("sekisho").expect("the program");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("SEKISHO_LANG").env("LANG", "C").env("LC_ALL", "C");
    command
}

fn out(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("output");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

const BAD: &str = "corpus/incidents/handa-like-fgt60e.conf";
const FIXED: &str = "corpus/incidents/handa-like-fgt60e-fixed.conf";

#[test]
fn findings_exit_with_1_and_a_repaired_twin_with_0() {
    assert_eq!(out(sekisho().args(["check", BAD, "--as-of", "2026-11-20"])).0, 1);
    assert_eq!(out(sekisho().args([FIXED, "--as-of", "2026-11-20"])).0, 0, "without a command's name it is check");
    assert_eq!(out(sekisho().args([BAD, "--fail-on", "never"])).0, 0);
    assert_eq!(out(sekisho().args(["check", "corpus/incidents", "--as-of", "2026-11-20"])).0, 1);
}

#[test]
fn accepted_risks_count_as_such_and_only_while_they_hold() {
    let twin = "corpus/incidents/clinic-router-yamaha-fixed.txt";
    assert_eq!(out(sekisho().args([twin, "--as-of", "2026-11-20"])).0, 0);
    let (status, stdout, _) = out(sekisho().args([twin, "--as-of", "2032-01-01", "--lang", "en"]));
    assert_eq!(status, 1);
    assert!(stdout.contains("expired"), "{stdout}");
}

#[test]
fn what_cannot_be_judged_exits_with_3_and_says_what_is_needed() {
    let dir = tempfile::tempdir().expect("folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("file");
        path
    };
    for (name, bytes) in [
        ("empty.conf", &b""[..]),
        ("noise.conf", &[0u8, 159, 146, 150, 0, 1, 2, 3][..]),
        ("letter.txt", &b"Dear all,\nthe meeting is on Monday.\n"[..]),
    ] {
        let path = write(name, bytes);
        let (status, stdout, _) = out(sekisho().arg("check").arg(&path).args(["--lang", "en"]));
        assert_eq!(status, 3, "{name}");
        assert!(stdout.contains(name), "{stdout}");
    }
    assert_eq!(out(sekisho().arg("check").arg(dir.path().join("none"))).0, 2);
}

#[test]
fn json_holds_the_contract_whatever_the_container() {
    let (_, plain, _) = out(sekisho().args([BAD, "--format", "json", "--as-of", "2026-11-20", "--lang", "en"]));
    let plain: serde_json::Value = serde_json::from_str(&plain).expect("JSON");
    assert_eq!(plain["version"], 1);
    assert_eq!(plain["files"][0]["dialect"], "fortios");
    let lines = |j: &serde_json::Value| -> Vec<(String, u64)> {
        j["files"][0]["devices"][0]["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|f| (f["rule"].to_string(), f["line"].as_u64().unwrap_or(0)))
            .collect()
    };
    let bytes = std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(BAD)).expect("file");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gz, &bytes).expect("packed");
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("backup.gz");
    std::fs::write(&path, gz.finish().expect("packed")).expect("file");
    let (_, packed, _) = out(sekisho().arg("check").arg(&path).args(["--format", "json", "--as-of", "2026-11-20", "--lang", "en"]));
    let packed: serde_json::Value = serde_json::from_str(&packed).expect("JSON");
    assert_eq!(lines(&plain), lines(&packed));
    let (_, stdin, _) = out(sekisho().args(["check", "-", "--format", "json", "--as-of", "2026-11-20", "--lang", "en"]).write_stdin(bytes));
    let stdin: serde_json::Value = serde_json::from_str(&stdin).expect("JSON");
    assert_eq!(lines(&plain), lines(&stdin));
}

#[test]
fn support_that_ends_within_a_year_is_a_warning() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("a.conf");
    let text = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(FIXED)).expect("file");
    let header = text.lines().find(|l| l.starts_with("#config-version=")).expect("header");
    std::fs::write(&path, text.replace(header, "#config-version=FGT60F-7.2.11-FW-build1740-250210:opmode=0:vdom=0:user=admin"))
        .expect("file");
    let rules = |as_of: &str| {
        let (_, stdout, _) = out(sekisho().arg("check").arg(&path).args(["--only", "FW001,FW002", "--format", "github", "--as-of", as_of]));
        (stdout.contains("FW001"), stdout.contains("FW002"))
    };
    assert_eq!(rules("2025-01-10"), (false, false));
    assert_eq!(rules("2026-01-10"), (false, true));
    assert_eq!(rules("2026-11-20"), (true, false));
}

#[test]
fn mistakes_of_the_user_exit_with_2_and_help() {
    let (status, _, stderr) = out(sekisho().args(["explain", "EXP01", "--lang", "en"]));
    assert_eq!(status, 2);
    assert!(stderr.contains("EXP001"), "{stderr}");
    assert_eq!(out(sekisho().args([BAD, "--dialect", "fortos"])).0, 2);
    assert_eq!(out(sekisho().args([BAD, "--as-of", "soon"])).0, 2);
    assert_eq!(out(sekisho().args([BAD, "--no-such-flag"])).0, 2);
}

#[test]
fn a_rule_of_ones_own_runs_and_its_mistakes_are_shown_in_place() {
    let dir = tempfile::tempdir().expect("folder");
    let rule = |fails: &str| {
        format!(
            "id = \"OWN001\"\nname = \"https-answers\"\nsince = \"0.1.0\"\nstatus = \"stable\"\nseverity = \"note\"\nsubject = \"listener\"\nfails = '{fails}'\nremedy = []\ncontrols = []\n\
             [ja]\ntitle = \"t\"\nmessage = \"{{service}}\"\nwhy = \"w\"\n[en]\ntitle = \"t\"\nmessage = \"{{service}}\"\nwhy = \"w\"\n"
        )
    };
    let path = dir.path().join("own.toml");
    std::fs::write(&path, rule("it.live && it.service == \"https\"")).expect("file");
    let (_, stdout, stderr) = out(sekisho().args([BAD, "--only", "OWN001", "--format", "github", "--rules"]).arg(&path));
    assert!(stdout.contains("OWN001"), "{stdout}{stderr}");
    std::fs::write(&path, rule("it.servce == \"https\"")).expect("file");
    let (status, _, stderr) = out(sekisho().args([BAD, "--lang", "en", "--rules"]).arg(&path));
    assert_eq!(status, 2);
    assert!(stderr.contains("own.toml:7:") && stderr.contains("service"), "{stderr}");
}

#[test]
fn explain_shows_the_example_of_every_dialect_and_marks_what_differs() {
    // One without a near miss, one like most, one with a date.
    for rule in sekisho::rule::builtin().iter().filter(|r| ["ACC002", "EXP001", "FW002"].contains(&r.id.as_str())) {
        let (_, page, _) = out(sekisho().args(["explain", &rule.id, "--lang", "en"]));
        for example in &rule.examples {
            for (heading, text) in [("Reported", &example.fires), ("Not reported", &example.quiet)] {
                let heading = format!("\n{heading} ({}", example.dialect);
                assert_eq!(page.contains(&heading), text.is_some(), "{} {heading}", rule.id);
            }
            for line in example.fires.iter().chain(&example.quiet).flat_map(|t| t.lines()) {
                assert!(page.contains(&format!("  | {line}\n")) || page.contains(&format!("  > {line}\n")), "{}: {line}", rule.id);
            }
        }
    }
    let (_, page, _) = out(sekisho().args(["explain", "EXP001", "--lang", "en"]));
    assert!(page.contains("  > ip filter 10 pass * 192.168.1.1 tcp * 22\n"), "{page}");
}

#[test]
fn reach_answers_by_its_exit_status() {
    let clinic = "corpus/incidents/clinic-router-yamaha.txt";
    assert_eq!(out(sekisho().args(["reach", clinic, "--to", "192.168.1.10:3389/tcp"])).0, 1);
    assert_eq!(out(sekisho().args(["reach", clinic, "--to", "192.168.1.10:22/tcp"])).0, 0);
    assert_eq!(out(sekisho().args(["reach", clinic, "--from", "lan1", "--to", "telnet", "--format", "json"])).0, 1);
    let (status, _, stderr) = out(sekisho().args(["reach", clinic, "--to", "lan9", "--lang", "en"]));
    assert_eq!(status, 2);
    assert!(stderr.contains("Did you mean lan1") && stderr.contains("pp 1"), "{stderr}");
    // Of a part of a configuration nobody can say that nothing gets through.
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("part.conf");
    std::fs::write(&path, "config system interface\n    edit \"port1\"\n        set vdom \"root\"\n        set ip 192.168.9.1 255.255.255.0\n        set allowaccess ping https\n    next\nend\n").expect("file");
    assert_eq!(out(sekisho().arg("reach").arg(&path).args(["--dialect", "fortios"])).0, 3);
    assert_eq!(out(sekisho().args(["reach", "README.md"])).0, 3);
}

#[test]
fn diff_exits_with_1_when_something_opens_and_0_when_it_closes() {
    assert_eq!(out(sekisho().args(["diff", BAD, FIXED])).0, 0);
    assert_eq!(out(sekisho().args(["diff", FIXED, BAD])).0, 1);
    assert_eq!(out(sekisho().args(["diff", FIXED, BAD, "--exit-zero"])).0, 0);
    assert_eq!(out(sekisho().args(["diff", BAD, BAD])).0, 0);
    assert_eq!(out(sekisho().args(["diff", "/dev/null", BAD])).0, 1);
    assert_eq!(out(sekisho().args(["diff", BAD, "README.md"])).0, 3);
    assert_eq!(out(sekisho().args(["diff", BAD])).0, 2);
    assert_eq!(out(sekisho().args(["diff", BAD, "none.conf"])).0, 2);
}

#[test]
fn every_other_command_speaks_both_languages() {
    for lang in ["ja", "en"] {
        for args in [
            &["explain", "EXP001"][..],
            &["explain", "MHLW-2026-03"],
            &["list", "rules"],
            &["list", "dialects"],
            &["list", "controls"],
            &["reach", FIXED, "--to", "telnet"],
            &["diff", BAD, FIXED, "--format", "json"],
            &["completions", "bash"],
            &["man"],
        ] {
            let (status, stdout, stderr) = out(sekisho().args(args).args(["--lang", lang]));
            assert_eq!(status, 0, "{args:?}: {stderr}");
            assert!(stdout.len() > 100, "{args:?}");
        }
    }
    let dir = tempfile::tempdir().expect("folder");
    let mut init = sekisho();
    assert_eq!(out(init.current_dir(dir.path()).arg("init")).0, 0);
    assert!(dir.path().join("sekisho.toml").is_file());
    let (status, stdout, _) = out(sekisho().args(["dump", BAD]));
    assert_eq!(status, 0);
    assert!(serde_json::from_str::<serde_json::Value>(&stdout).is_ok());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let run = |threads: &str| {
        out(sekisho().env("RAYON_NUM_THREADS", threads).args(["check", "corpus", "--format", "json", "--as-of", "2026-11-20"])).1
    };
    assert_eq!(run("1"), run("2"));
}

#[test]
fn data_of_ones_own_takes_the_place_of_the_built_in_and_its_mistakes_are_shown_in_place() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("own.toml");
    let small = "as_of = \"2026-11-01\"\nexploited_as_of = \"2026-11-10\"\n[order]\n\"fortinet.fortios\" = \"numbers\"\n\
                 [source.s]\ntitle = \"own list\"\nwhere = \"w\"\nas_of = \"2026-11-01\"\nlicence = \"l\"\n\
                 [[train]]\nproduct = \"fortinet.fortios\"\ntrain = \"6.0\"\nend = \"2031-01-01\"\nsource = \"s\"\n";
    let check = |text: &str| {
        std::fs::write(&path, text).expect("file");
        out(sekisho().arg("check").arg(BAD).args(["--only", "FW001,FW003", "--as-of", "2026-11-20", "--lang", "en", "--data"]).arg(&path))
    };
    let (status, stdout, _) = check(small);
    assert!(status == 0 && stdout.contains("product data as of 2026-11-01"), "{stdout}");
    let (status, stdout, _) = check(&small.replace("2031", "2020"));
    assert!(status == 1 && stdout.contains("FW001") && stdout.contains("own list"), "{stdout}");
    let (status, _, stderr) = check(&small.replace("2031-01-01", "soon"));
    assert!(status == 2 && stderr.contains("own.toml:13:7: soon is no date") && stderr.contains("^^^^"), "{stderr}");
    let asks = "[condition.c]\nja = \"x\"\nen = \"x\"\non = [{ kind = \"listener\", some = 'it.servise == \"https\"' }]\n";
    let (status, _, stderr) = check(&format!("{small}{asks}"));
    assert!(status == 2 && stderr.contains("servise") && stderr.contains("service"), "{stderr}");
    let list = |as_of: &str| out(sekisho().args(["list", "data", "--lang", "en", "--as-of", as_of, "--data"]).arg(&path)).1;
    std::fs::write(&path, small).expect("file");
    assert!(list("2026-11-20").contains("as of 2026-11-10 (10 days before"), "{}", list("2026-11-20"));
    assert!(list("2027-06-01").contains("more than 90"));
}

#[test]
fn redact_writes_a_new_file_and_never_its_input() {
    let folder = tempfile::tempdir().expect("folder");
    let (input, output) = (folder.path().join("a.txt"), folder.path().join("b.txt"));
    std::fs::copy(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus/incidents/clinic-router-yamaha.txt"), &input).expect("copy");
    let before = std::fs::read(&input).expect("input");
    let run = |to: &PathBuf| out(sekisho().arg("redact").arg(&input).arg("--output").arg(to));
    let (status, printed, said) = run(&output);
    assert!(status == 0 && printed.is_empty() && said.contains("secrets 5"), "{said}");
    let after = std::fs::read_to_string(&output).expect("output");
    assert!(after.contains("secret-1") && !after.contains("clinic2023"));
    assert!(!said.contains("not understood"), "{said}");
    let strange = format!("{}frobnicate key 4711\n", String::from_utf8_lossy(&before));
    let (status, _, warned) = out(sekisho().args(["redact", "-", "--lang", "en"]).write_stdin(strange.clone()));
    let line = strange.lines().count();
    assert!(
        status == 0 && warned.contains(&format!("not understood. Look there first for a password or a name that is left: {line}")),
        "{warned}"
    );
    assert_eq!(run(&output).0, 2, "it is there already");
    assert_eq!(run(&input).0, 2, "the input is never written to");
    assert_eq!(std::fs::read(&input).expect("input"), before);
    let (status, printed, said) = out(sekisho().args(["redact", "-"]).write_stdin("password hunter2\n"));
    assert!(status == 3 && printed.is_empty() && !said.contains("hunter2"), "{said}");
}
