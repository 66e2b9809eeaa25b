//! `sekisho list dialects|rules|controls`.

use super::error::Error;
use super::{print_bytes, rules};
use crate::finding::Lang;
use crate::rule::controls::controls;
use crate::texts::texts;
use clap::ArgMatches;

/// Runs the command; gives the exit status.
pub fn run(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let ja = lang == Lang::Ja;
    let mut out = String::new();
    match matches.get_one::<String>("what").map(String::as_str) {
        Some("dialects") => {
            for grammar in crate::dialect::grammars() {
                let id = &grammar.file.identity;
                let (title, export) = if ja { (&id.title.ja, &id.export.ja) } else { (&id.title.en, &id.export.en) };
                out.push_str(&format!("{:<14} {title}\n{:<14} {}\n", id.name, "", texts().fill(lang, "cli.list.export", &[export])));
            }
        }
        Some("rules") => {
            for rule in rules(matches, lang)? {
                let title = if ja { &rule.texts.ja.title } else { &rule.texts.en.title };
                let severity = texts().get(lang, &format!("cli.severity.{}", rule.severity.word())).to_owned();
                out.push_str(&format!("{:<8} {severity:<8} {:<40} {title}\n", rule.id, rule.name));
            }
        }
        _ => {
            for control in controls() {
                let title = if ja { &control.title.ja } else { &control.title.en };
                let decidable = texts().get(lang, &format!("cli.decidable.{}", control.decidable)).to_owned();
                out.push_str(&format!("{:<16} {decidable}  {title}\n", control.id));
            }
        }
    }
    print_bytes(out.as_bytes())
}
