//! The house keeps its layers: who may import whom, and what no room may do. Each law is a test.

use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).expect("folder").map(|e| e.expect("entry").path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    let start = root.join(folder);
    if start.is_file() {
        paths.push(start);
    } else {
        walk(&start, &mut paths);
    }
    paths
        .into_iter()
        .map(|p| (p.strip_prefix(&root).expect("below").display().to_string(), std::fs::read_to_string(&p).expect("text")))
        .collect()
}

/// The part of a file before its tests, comments left out.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/") || path.ends_with("properties.rs") || path.ends_with("brute.rs")
}

/// Rooms in order of layers: a room may use those before it and itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("packet", &[]),
    ("syntax", &["source"]),
    ("ir", &["source"]),
    ("finding.rs", &["ir", "source"]),
    ("answer.rs", &["finding", "ir"]),
    ("texts.rs", &["finding"]),
    ("dialect", &["ir", "source", "syntax"]),
    ("lifecycle", &["ir"]),
    ("analysis", &["ir", "lifecycle", "packet", "source"]),
    ("rule", &["dialect", "finding", "ir", "lifecycle", "source", "texts"]),
    ("fleet", &["analysis", "answer", "dialect", "finding", "ir", "lifecycle", "packet", "rule", "source", "syntax", "texts"]),
    ("report", &["answer", "finding", "ir", "source", "texts"]),
    ("cli", &["analysis", "answer", "dialect", "finding", "fleet", "ir", "lifecycle", "report", "rule", "source", "texts"]),
];

#[test]
fn rooms_import_only_what_stands_below_them() {
    let names: Vec<&str> = ROOMS.iter().map(|(n, _)| n.trim_end_matches(".rs")).collect();
    let mut broken = Vec::new();
    for (room, allowed) in ROOMS {
        let own = room.trim_end_matches(".rs");
        for (path, text) in sources(room) {
            if is_test_file(&path) {
                continue;
            }
            for line in code(&text).lines() {
                for name in &names {
                    let used = line.contains(&format!("crate::{name}::"))
                        || line.contains(&format!("crate::{name};"))
                        || line.contains(&format!("crate::{{{name}"));
                    if used && *name != own && !allowed.contains(name) {
                        broken.push(format!("{path}: {}", line.trim()));
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "imports against the layers:\n{}", broken.join("\n"));
}

#[test]
fn reports_see_no_intermediate_form() {
    for (path, text) in sources("report") {
        for line in code(&text).lines().filter(|l| l.contains("crate::ir")) {
            assert!(line.contains("record::Witness"), "{path}: {line}");
        }
    }
}

/// Folders beside the dialects that hold what several of one ancestry read in the same way. They are no dialects and name none.
const SHARED: &[&str] = &["config_xml", "netfilter"];

#[test]
fn dialects_do_not_know_each_other() {
    let folders: Vec<String> = std::fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/dialect"))
        .expect("folder")
        .map(|e| e.expect("entry"))
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().into_string().expect("name"))
        .collect();
    for folder in &folders {
        for (path, text) in sources(&format!("dialect/{folder}")) {
            for other in folders.iter().filter(|o| *o != folder && !SHARED.contains(&o.as_str())) {
                assert!(!code(&text).contains(&format!("dialect::{other}")), "{path} knows {other}");
            }
        }
    }
}

#[test]
fn only_the_outer_rooms_touch_the_world() {
    let allowed = |path: &str| path.starts_with("cli/") || path == "fleet/discover.rs" || path == "main.rs";
    let mut broken = Vec::new();
    for (room, _) in ROOMS {
        for (path, text) in sources(room) {
            if allowed(&path) || is_test_file(&path) {
                continue;
            }
            let code = code(&text);
            for word in ["std::fs", "std::env::var", "SystemTime", "Instant::now", "Zoned::now", "println!", "eprintln!", "print!("] {
                if code.contains(word) {
                    broken.push(format!("{path}: {word}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_vendor_is_named_outside_its_dialect() {
    let vendors = ["fortinet", "fortios", "fortigate", "yamaha", "netgate", "pfsense", "deciso", "opnsense"];
    for (room, _) in ROOMS {
        for (path, text) in sources(room) {
            let shared = SHARED.iter().any(|folder| path.starts_with(&format!("dialect/{folder}/")));
            let own = path.starts_with("dialect/") && path.matches('/').count() > 1 && !shared || path == "dialect/list.rs";
            if own || is_test_file(&path) {
                continue;
            }
            let code = code(&text).to_lowercase();
            for vendor in vendors {
                assert!(!code.contains(vendor), "{path} names {vendor}");
            }
        }
    }
}

#[test]
fn the_source_holds_no_japanese_sentence() {
    // Sentences a user reads are data. Japanese stands in tests, and where a terminal's own words are recognised.
    let words_of_terminals = ["source/pager.rs", "source/noise.rs", "source/prompt.rs"];
    for (room, _) in ROOMS {
        for (path, text) in sources(room) {
            if is_test_file(&path) || words_of_terminals.contains(&path.as_str()) {
                continue;
            }
            let found = code(&text).chars().find(|c| ('\u{3040}'..='\u{30ff}').contains(c));
            assert!(found.is_none(), "{path}");
        }
    }
}

#[test]
fn files_keep_one_job() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for (room, _) in ROOMS {
        for (path, text) in sources(room) {
            let lines = code(&text).lines().count();
            assert!(lines <= 800, "{path}: {lines} lines of code; does it hold two jobs?");
        }
    }
    assert!(root.join("src/main.rs").is_file());
}
