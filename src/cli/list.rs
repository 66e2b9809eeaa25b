//! `sekisho list dialects|rules|controls|data`.

use super::error::Error;
use super::{OLD, print_bytes, rules};
use crate::finding::Lang;
use crate::lifecycle::{Lifecycle, date};
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
        Some("data") => data_lines(&super::data(matches, lang)?.data, &super::as_of(matches)?, lang, &mut out),
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

/// Dates, products and sources of the lifecycle data.
fn data_lines(data: &Lifecycle, today: &str, lang: Lang, out: &mut String) {
    let say = |key: &str, args: &[&str]| texts().fill(lang, &format!("cli.data.{key}"), args);
    let age = |as_of: &str| match date(as_of).zip(date(today)).map(|(a, b)| (b - a).get_days()) {
        Some(days) => say(if days > OLD { "old" } else { "age" }, &[as_of, &days.to_string()]),
        None => as_of.to_owned(),
    };
    out.push_str(&say("support", &[&age(data.as_of.as_ref()), &data.trains.len().to_string()]));
    let (exploited, count) = (age(data.exploited_as_of.as_ref()), data.vulnerabilities.len().to_string());
    out.push_str(&format!("\n{}\n\n", say("exploited", &[&exploited, &count])));
    for product in data.order.keys() {
        let trains = data.trains.iter().filter(|t| t.product.as_ref() == product).count().to_string();
        let (checked, unchecked) = data.vulnerabilities_of(product);
        let counts = [trains.as_str(), &checked.len().to_string(), &unchecked.len().to_string()];
        out.push_str(&format!("{product:<22} {}\n", say("product", &counts)));
    }
    out.push_str(&format!("\n{}\n", say("sources", &[])));
    for source in data.sources.values() {
        let state = source.commit.as_deref().map_or(String::new(), |c| format!(", {c}"));
        out.push_str(&format!("  {} ({})\n    {}{state}\n    {}\n", source.title, source.as_of.as_ref(), source.place, source.licence));
    }
    out.push_str(&format!("\n{}\n", say("caution", &[])));
}
