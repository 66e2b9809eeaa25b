//! The output forms of a run: one file a form, all made from [`Report`] alone.
//!
//! Knows no rule, no dialect and no intermediate form, and never sees a configuration but through
//! [`Masked`](crate::source::Masked). Invariants: the same report gives the same bytes; no secret and no control
//! character of a configuration reaches an output as it is; every sentence comes from `texts/report.toml` or is in the
//! report already.

pub mod diff;
mod github;
mod json;
mod page;
mod plain;
pub mod reach;
mod sarif;
mod text;
mod view;

pub use text::TextStyle;

use crate::finding::Report;

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// For people, on a terminal.
    Text,
    /// The JSON contract, version 1.
    Json,
    /// SARIF 2.1.0, for code scanning services and editors.
    Sarif,
    /// Workflow commands of GitHub Actions.
    Github,
}

impl Form {
    /// All forms.
    pub const ALL: [Form; 4] = [Form::Text, Form::Json, Form::Sarif, Form::Github];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Form::Text => "text",
            Form::Json => "json",
            Form::Sarif => "sarif",
            Form::Github => "github",
        }
    }

    /// The form of that name.
    pub fn parse(name: &str) -> Option<Form> {
        Form::ALL.into_iter().find(|form| form.name() == name)
    }
}

/// The report in a form, ending in a line break. The style matters to [`Form::Text`] only.
pub fn write(report: &Report, form: Form, style: &TextStyle) -> String {
    match form {
        Form::Text => text::render(report, style),
        Form::Json => json::render(report),
        Form::Sarif => sarif::render(report),
        Form::Github => github::render(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Lang;
    use crate::texts::texts;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn a_name_leads_to_its_form() {
        assert!(Form::ALL.into_iter().all(|form| Form::parse(form.name()) == Some(form)));
        assert_eq!(Form::parse("xml"), None);
    }

    /// The keys named in the source files of a folder.
    fn keys(folder: &Path, keys: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self::keys(&path, keys);
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap();
            let named = source.split("\"report.").skip(1).filter_map(|rest| rest.split('"').next());
            keys.extend(
                named.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c))).map(|key| format!("report.{key}")),
            );
        }
    }

    #[test]
    fn every_key_has_texts_and_every_text_a_use() {
        let mut named = BTreeSet::new();
        keys(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report"), &mut named);
        named.retain(|key| key.len() > "report.".len());
        let written: BTreeSet<String> = texts().keys().into_iter().filter(|key| key.starts_with("report.")).map(str::to_owned).collect();
        assert_eq!(named, written);
        for key in &written {
            let (ja, en) = (texts().get(Lang::Ja, key), texts().get(Lang::En, key));
            let places = |text: &str| (0..9).filter(|n| text.contains(&format!("{{{n}}}"))).collect::<Vec<_>>();
            assert_eq!(places(ja), places(en), "{key}");
        }
    }
}
