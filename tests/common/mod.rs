//! What the tests share: running the library over files as the program does.
#![allow(dead_code)]

use sekisho::analysis::Stated;
use sekisho::analysis::reach::Question;
use sekisho::answer::{DiffReport, ReachReport};
use sekisho::finding::{Lang, Report};
use sekisho::fleet::run::{self, Input, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The audit date of every test.
pub const AS_OF: &str = "2026-11-20";

/// The folder of the project.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return out };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            out.extend(files(&path));
        } else {
            out.push(path);
        }
    }
    out
}

/// The corpus: every export below `corpus`, expectations left out.
pub fn corpus() -> Vec<PathBuf> {
    files(&root().join("corpus"))
        .into_iter()
        .filter(|p| p.extension().is_none_or(|e| !["expect", "md", "toml"].iter().any(|o| e == *o)))
        .collect()
}

/// Real exports that nobody here wrote, where they are at hand.
pub fn real() -> Vec<PathBuf> {
    files(&root().join("../shared/real")).into_iter().filter(|p| p.extension().is_none_or(|e| e != "toml")).collect()
}

/// Judges bytes under a name.
pub fn judge_bytes(name: &str, bytes: &[u8], lang: Lang) -> Report {
    judge_as(name, bytes, lang, AS_OF, None)
}

/// Judges bytes on a date, as a dialect where one is named.
pub fn judge_as(name: &str, bytes: &[u8], lang: Lang, as_of: &str, dialect: Option<&str>) -> Report {
    let inputs = [Input { name: name.to_owned(), named: true, read: Box::new(move || Ok(bytes.to_vec())) }];
    let (as_of, dialect) = (as_of.to_owned(), dialect.map(str::to_owned));
    let options = Options { as_of, dialect, hash_budget: sekisho::analysis::HASH_BUDGET, ..options(lang) };
    let mut report = run::check(&inputs, &options);
    run::count(&mut report);
    report
}

/// Judges a file, named by its path below the project.
pub fn judge(path: &Path, lang: Lang) -> Report {
    let bytes = std::fs::read(path).expect("file");
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    judge_bytes(&name, &bytes, lang)
}

/// Judges several files in one run, with what a person states about them.
pub fn judge_together(files: &[(&str, &str)], stated: &Stated) -> Report {
    let inputs: Vec<Input<'_>> = files.iter().map(|(name, text)| Input { named: false, ..input(name, text.as_bytes()) }).collect();
    let stated = |_: &str| (stated.clone(), None);
    let mut report = run::check(&inputs, &Options { stated: &stated, ..options(Lang::En) });
    run::count(&mut report);
    report
}

/// The options of every test.
pub fn options(lang: Lang) -> Options<'static> {
    Options {
        lang,
        as_of: AS_OF.to_owned(),
        dialect: None,
        rules: sekisho::rule::builtin(),
        data: sekisho::rule::vulnerability::Knowledge::builtin(),
        run_key: Arc::new([7; 32]),
        hash_budget: 0,
        excerpts: true,
        stated: &|_| (Stated::default(), None),
    }
}

fn input<'b>(name: &str, bytes: &'b [u8]) -> Input<'b> {
    Input { name: name.to_owned(), named: true, read: Box::new(move || Ok(bytes.to_vec())) }
}

/// Everything read of a file.
pub fn whole(name: &str, bytes: &[u8]) -> Vec<run::Whole> {
    run::whole(&input(name, bytes), &options(Lang::En))
}

/// What `reach` says about a file.
pub fn reach(name: &str, bytes: &[u8], question: &Question, lang: Lang) -> ReachReport {
    sekisho::fleet::reach::answer(&input(name, bytes), question, &options(lang)).expect("a place that is there")
}

/// What `diff` says about two versions.
pub fn diff(old: &[u8], new: &[u8], lang: Lang) -> DiffReport {
    let names = ("old".to_owned(), "new".to_owned());
    sekisho::fleet::diff::compare(names, Some(&input("old", old)), Some(&input("new", new)), &[], &options(lang))
}

/// Holds a JSON text against a schema of `tests/schemas`.
pub fn assert_schema(schema: &str, text: &str) {
    let schema = std::fs::read_to_string(root().join("tests/schemas").join(schema)).expect("schema");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("a schema in JSON");
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&value).take(5).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// A small generator of its own: the same numbers on every machine.
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `below`.
    pub fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below.max(1)
    }
}

/// An export cut off, shuffled, spliced with another or with bytes changed; six kinds.
pub fn mutated(bytes: &[u8], other: &[u8], kind: usize, n: &mut Numbers) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    match kind {
        0 => bytes[..n.next(bytes.len())].to_vec(),
        1 => {
            for _ in 0..=lines.len() / 10 {
                let at = n.next(lines.len());
                lines.remove(at.min(lines.len() - 1));
                if lines.is_empty() {
                    break;
                }
            }
            lines.concat()
        }
        2 => {
            let (a, b) = (n.next(lines.len()), n.next(lines.len()));
            let copy: Vec<&[u8]> = lines[a.min(b)..a.max(b)].to_vec();
            lines.splice(a.min(b)..a.min(b), copy);
            lines.concat()
        }
        3 => {
            for _ in 0..=lines.len() / 5 {
                let (a, b) = (n.next(lines.len()), n.next(lines.len()));
                lines.swap(a, b);
            }
            lines.concat()
        }
        4 => [&bytes[..n.next(bytes.len())], &other[n.next(other.len())..]].concat(),
        _ => {
            let mut out = bytes.to_vec();
            for _ in 0..=out.len() / 50 {
                let at = n.next(out.len());
                let byte = [b'"', b'\n', b' ', b'#', b'\\', 0x81, 0xff, 0x1b, b'{', b'*', b'/'][n.next(11)];
                if let Some(b) = out.get_mut(at) {
                    *b = byte;
                }
            }
            out
        }
    }
}
