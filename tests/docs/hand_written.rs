//! Hand-written pages held against the program: links lead somewhere, options and rule ids exist, example files load, and output that is
//! quoted is output that is given.

use crate::common::{judge, root};
use sekisho::finding::Lang;
use sekisho::report::{Form, TextStyle, write};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Pages that people write.
const PAGES: [&str; 8] = [
    "README.md",
    "README.ja.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/add-a-rule.md",
    "docs/add-a-dialect.md",
    "docs/reach.md",
    "docs/diff.md",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The blocks of code of a page: the line before the block, its language, its text.
fn blocks(text: &str) -> Vec<(String, String, String)> {
    let mut out = Vec::new();
    let mut before = String::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => {
                let (language, body) = open.take().expect("an open block");
                out.push((before.clone(), language, body));
            }
            (Some((_, body)), None) => body.push_str(&format!("{line}\n")),
            (None, None) if !line.trim().is_empty() => before = line.to_owned(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of code is not closed");
    out
}

#[test]
fn links_lead_to_files_that_are_there() {
    let mut pages: Vec<PathBuf> = PAGES.iter().map(|p| root().join(p)).collect();
    pages.extend(crate::common::files(&root().join("docs")).into_iter().filter(|p| p.extension().is_some_and(|e| e == "md")));
    let mut dead = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("page");
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or("").split('#').next().unwrap_or("");
            let outside = target.is_empty() || target.contains("://") || target.contains(' ');
            if !outside && !page.parent().unwrap_or(Path::new("")).join(target).exists() {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

/// Every option of the program, and what people type to build and test it.
fn known_options() -> BTreeSet<String> {
    let mut command = sekisho::cli::command(Lang::En);
    command.build();
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let own = all.flat_map(|c| c.get_arguments()).filter_map(|a| a.get_long()).map(|l| format!("--{l}"));
    own.chain(["--release", "--test", "--bench", "--all-targets", "--check", "--locked", "--path", "--git"].map(str::to_owned)).collect()
}

#[test]
fn options_and_commands_in_the_pages_exist() {
    let options = known_options();
    let command = sekisho::cli::command(Lang::En);
    let commands: BTreeSet<&str> = command.get_subcommands().map(|c| c.get_name()).chain(["help"]).collect();
    for page in PAGES {
        for (_, _, body) in blocks(&read(page)) {
            for line in body.lines().filter(|l| l.contains("sekisho ") || l.contains("cargo ")) {
                for word in line.split_whitespace().filter(|w| w.starts_with("--") && w.len() > 2) {
                    let option = word.split('=').next().unwrap_or(word);
                    assert!(options.contains(option), "{page}: {line}: no option {option}");
                }
                let mut words = line.trim_start_matches("$ ").split_whitespace();
                let first = words.next().filter(|w| *w == "sekisho").and_then(|_| words.next()).unwrap_or("check");
                let is_path = first.contains(['/', '.', '-', '[']) || first.starts_with('-');
                assert!(is_path || commands.contains(first), "{page}: {line}: no command {first}");
            }
        }
    }
}

#[test]
fn rule_ids_in_the_pages_exist() {
    let ids: BTreeSet<&str> = sekisho::rule::builtin().iter().map(|r| r.id.as_str()).collect();
    let families: BTreeSet<&str> = ids.iter().map(|id| id.trim_end_matches(|c: char| c.is_ascii_digit())).collect();
    for page in PAGES {
        for word in read(page).split(|c: char| !c.is_ascii_alphanumeric()) {
            let family = word.trim_end_matches(|c: char| c.is_ascii_digit());
            let looks_like_one = word.len() == family.len() + 3 && families.contains(family);
            assert!(!looks_like_one || ids.contains(word), "{page}: there is no rule {word}");
        }
    }
}

#[test]
fn rule_files_in_the_pages_load() {
    let mut count = 0;
    for (_, _, body) in blocks(&read("docs/add-a-rule.md")).into_iter().filter(|(_, language, _)| language == "toml") {
        if body.starts_with("id = ") {
            count += 1;
            assert!(sekisho::rule::file::Rule::load(&body).is_ok(), "{body}: {:?}", sekisho::rule::file::Rule::load(&body).err());
        }
    }
    assert!(count > 0);
}

#[test]
fn grammars_in_the_pages_load() {
    let page = read("docs/add-a-dialect.md");
    let whole: Vec<String> = blocks(&page).into_iter().map(|(.., body)| body).filter(|b| b.starts_with("[identity]")).collect();
    assert!(!whole.is_empty());
    for body in whole {
        let loaded = sekisho::dialect::grammar::Grammar::load(&body);
        assert!(loaded.is_ok(), "{:?}", loaded.err());
    }
}

#[test]
fn configurations_in_the_pages_can_be_read() {
    for page in ["README.md", "README.ja.md"] {
        let mut count = 0;
        for (_, _, body) in blocks(&read(page)).into_iter().filter(|(before, ..)| before.contains("sekisho.toml")) {
            count += 1;
            let config = sekisho::fleet::config::Config::parse(Path::new("sekisho.toml"), &body);
            assert!(config.is_ok(), "{page}: {:?}", config.err());
        }
        assert!(count > 0, "{page}: no example of sekisho.toml");
    }
}

/// The parts of what the program prints that a comment names: `head` (what stands before the findings), a rule id (the first finding of it),
/// `tail` (the last lines); anything else stands for itself.
fn printed(spec: &str, lang: Lang) -> String {
    let (path, parts) = spec.split_once(": ").expect("FILE: PARTS");
    let style = TextStyle { colour: false, width: 100, ascii: false, verbose: false, quiet: false };
    let text = write(&judge(&root().join(path), lang), Form::Text, &style);
    assert!(!text.contains("steps."), "{path}: a sentence is missing, its key is printed");
    let paragraphs: Vec<&str> = text.trim_end().split("\n\n").collect();
    let part = |name: &str| match name {
        "head" => (*paragraphs.first().expect("a paragraph")).to_owned(),
        "tail" => (*paragraphs.last().expect("a paragraph")).to_owned(),
        id if sekisho::rule::builtin().iter().any(|r| r.id == id) => {
            let of_rule = |p: &&&str| p.lines().next().is_some_and(|l| l.contains(&format!("[{id} ")));
            (*paragraphs.iter().find(of_rule).unwrap_or_else(|| panic!("{path}: no finding of {id}"))).to_owned()
        }
        other => other.to_owned(),
    };
    let lines = parts.split(' ').map(part).collect::<Vec<_>>().join("\n\n");
    lines.lines().map(|l| format!("{}\n", l.trim_end())).collect()
}

/// Output that is quoted stands below a comment `<!-- output FILE: PARTS -->`, and is written by the program.
#[test]
fn quoted_output_is_what_the_program_prints() {
    for (page, lang) in [("README.md", Lang::En), ("README.ja.md", Lang::Ja)] {
        let text = read(page);
        let mut out = String::new();
        let mut wanted: Option<String> = None;
        let mut count = 0;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            out.push_str(&format!("{line}\n"));
            if let Some(spec) = line.strip_prefix("<!-- output ").and_then(|l| l.strip_suffix(" -->")) {
                wanted = Some(spec.to_owned());
            } else if line.starts_with("```")
                && let Some(spec) = wanted.take()
            {
                count += 1;
                out.push_str(&printed(&spec, lang));
                out.push_str("```\n");
                lines.find(|l| l.starts_with("```")).expect("the end of the block");
            }
        }
        assert!(count > 0, "{page}: nothing is quoted");
        crate::page::check(page, &out);
    }
}

/// A quoted part of a file stands below a comment `<!-- file FILE -->`; what was cut is a line `[...]`.
#[test]
fn quoted_files_hold_these_lines() {
    for page in ["README.md", "README.ja.md"] {
        let mut count = 0;
        for (before, _, body) in blocks(&read(page)) {
            let Some(path) = before.strip_prefix("<!-- file ").and_then(|l| l.strip_suffix(" -->")) else { continue };
            count += 1;
            let file = read(path);
            let mut rest = file.lines().map(str::trim_end);
            let mut cut = true;
            for line in body.lines().map(str::trim_end) {
                if line.trim() == "[...]" {
                    cut = true;
                    continue;
                }
                let found = if cut { rest.any(|l| l == line) } else { rest.next() == Some(line) };
                assert!(found, "{page}: {path} does not have (here): {line}");
                cut = false;
            }
        }
        assert!(count > 0, "{page}: nothing is quoted");
    }
}

/// The pages of `reach` and `diff` quote them below `<!-- reach FILE to PLACE -->` and `<!-- diff OLD NEW lines N -->`.
#[test]
fn quoted_answers_are_what_the_program_prints() {
    for page in ["docs/reach.md", "docs/diff.md"] {
        let text = read(page);
        let mut out = String::new();
        let mut lines = text.lines();
        let mut count = 0;
        while let Some(line) = lines.next() {
            out.push_str(&format!("{line}\n"));
            let Some(spec) = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->")) else { continue };
            let bytes = |path: &str| std::fs::read(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
            let words: Vec<&str> = spec.split(' ').collect();
            let quoted = match words.as_slice() {
                ["reach", path, "to", place] => {
                    let question = sekisho::analysis::reach::Question { from: None, to: Some((*place).to_owned()) };
                    sekisho::report::reach::text(&crate::common::reach(path, &bytes(path), &question, Lang::En), 100)
                }
                ["diff", old, new, "lines", most] => {
                    let text = sekisho::report::diff::text(&crate::common::diff(&bytes(old), &bytes(new), Lang::En), 100);
                    let most = most.parse().expect("a number");
                    let head: String = text.lines().take(most).map(|l| format!("{l}\n")).collect();
                    format!("{head}[...]\n").replacen("old -> new", &format!("{old} -> {new}"), 1)
                }
                _ => panic!("{page}: {spec}"),
            };
            count += 1;
            out.push_str(&format!("```text\n{quoted}```\n"));
            lines.find(|l| l.starts_with("```")).expect("a block");
            lines.find(|l| l.starts_with("```")).expect("the end of the block");
        }
        assert!(count > 0, "{page}: nothing is quoted");
        crate::page::check(page, &out);
    }
}
