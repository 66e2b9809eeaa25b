//! No export is taken for one of another product: the confusion table over the corpus and, where they are at hand, real exports.

mod common;

use sekisho::dialect;
use sekisho::finding::Lang;
use std::collections::BTreeMap;
use std::path::Path;

/// Folders of real exports and the dialect their files are written in. Files of any other folder belong to no dialect.
const REAL: &[(&str, &str)] = &[
    ("cisco-asa", "cisco-asa"),
    ("cisco-ios", "cisco-ios"),
    ("fortios", "fortios"),
    ("iptables-save", "iptables-save"),
    ("junos", "junos-srx"),
    ("mikrotik", "mikrotik"),
    ("nftables", "nftables"),
    ("opnsense", "opnsense"),
    ("pfsense", "pfsense"),
    ("yamaha", "yamaha-rtx"),
];

/// Real files that are rightly taken for something else than their folder says, and why.
const MISFILED: &[(&str, &str)] = &[];

/// What a file is taken for; `-` for nothing.
fn taken_for(path: &Path) -> String {
    let report = common::judge_bytes("export", &std::fs::read(path).expect("file"), Lang::En);
    report.files.into_iter().find_map(|f| f.dialect).unwrap_or_else(|| "-".to_owned())
}

type Table = BTreeMap<(String, String), usize>;

fn check(table: &Table, wrong: &[String]) {
    for ((expected, taken), count) in table {
        println!("{expected:14} taken for {taken:14} {count}");
    }
    assert!(wrong.is_empty(), "taken for another product:\n{}", wrong.join("\n"));
}

#[test]
fn every_export_of_the_corpus_is_taken_for_what_it_is() {
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for dialect in dialect::all() {
        let folder = common::root().join("corpus").join(dialect.name());
        for path in common::corpus().into_iter().filter(|p| p.starts_with(&folder)) {
            let taken = taken_for(&path);
            *table.entry((dialect.name().to_owned(), taken.clone())).or_default() += 1;
            if taken != dialect.name() && taken != "-" {
                wrong.push(format!("{}: {taken}", path.display()));
            }
        }
    }
    assert!(!table.is_empty(), "no corpus");
    check(&table, &wrong);
}

#[test]
fn no_real_export_is_taken_for_another_product() {
    let known: Vec<&str> = dialect::all().iter().map(|d| d.name()).collect();
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for path in common::real() {
        let folder = path.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let own = REAL.iter().find(|(f, d)| *f == folder && known.contains(d)).map_or("-", |(_, d)| *d);
        let taken = taken_for(&path);
        *table.entry((folder, taken.clone())).or_default() += 1;
        let known = MISFILED.iter().any(|(file, as_what)| path.ends_with(file) && *as_what == taken);
        if taken != own && taken != "-" && !known {
            wrong.push(format!("{}: {taken}", path.display()));
        }
    }
    check(&table, &wrong);
}
