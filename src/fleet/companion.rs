//! Model and version of a box whose export does not tell them: what a person states in `sekisho.toml`, and what the box printed about
//! itself, captured in the same text or in another file of the same folder.
//!
//! Each sign is a line that nothing but such a box prints: a `version:` of any other file in the folder must not be taken for it.
//! The export comes first: what is told beside it only fills in, and never contradicts. What could belong to two boxes belongs to none.

use crate::analysis::{Settings, Stated};
use crate::dialect::{self, grammar::Grammar};
use crate::ir::device::{Device, Precision, Version};
use crate::source::Span;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A version that a box printed about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The version.
    pub text: String,
    /// Where it stands in the text.
    pub start: usize,
}

/// The one version that a box of a product printed in a text; `None` where there is none, or two that differ. Of several kinds of lines
/// the first in the grammar counts.
pub fn printed(grammar: &Grammar, text: &str) -> Option<Printed> {
    grammar
        .file
        .tells_version
        .iter()
        .find_map(|row| {
            let versions = text.lines().filter_map(|line| {
                let line = Some(line.trim_start_matches([' ', '!', '#'])).filter(|l| l.starts_with(&row.starts))?;
                let (_, behind) = line.split_once(row.before.as_str())?;
                let word = behind.split([',', ' ', '\t']).next()?;
                (word.starts_with(|c: char| c.is_ascii_digit()) && word.len() <= 40).then_some(word)
            });
            Some(versions.collect::<Vec<&str>>()).filter(|v| !v.is_empty())
        })
        .and_then(|all| {
            let (first, rest) = all.split_first()?;
            // A slice of the text: its place follows from where both begin.
            let start = first.as_ptr() as usize - text.as_ptr() as usize;
            rest.iter().all(|v| v == first).then(|| Printed { text: (*first).to_owned(), start })
        })
}

/// What the files of a run say about versions, by folder and dialect.
#[derive(Clone, Debug, Default)]
pub struct Companions {
    rows: BTreeMap<(String, usize), Row>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    exports: usize,
    /// Version and name of the file that holds it.
    told: Vec<(String, String)>,
}

/// What one file of a folder is: an export of a dialect, or a text in which a box of it printed its version.
#[derive(Clone, Debug)]
pub enum Seen {
    /// An export.
    Export {
        /// Name of the file.
        file: String,
        /// Position of the dialect in the registry.
        dialect: usize,
    },
    /// A text that is no export.
    Version {
        /// Name of the file.
        file: String,
        /// Position of the dialect in the registry.
        dialect: usize,
        /// The version.
        text: String,
    },
}

/// What a text that is no export tells.
pub fn seen(file: &str, text: &str) -> Vec<Seen> {
    let grammars = (0..dialect::all().len()).filter_map(|ix| Some((ix, dialect::grammar(ix)?)));
    grammars.filter_map(|(dialect, g)| Some(Seen::Version { file: file.to_owned(), dialect, text: printed(g, text)?.text })).collect()
}

fn folder(file: &str) -> String {
    Path::new(file).parent().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default()
}

impl Companions {
    /// Puts together what the files of a run are.
    pub fn new(seen: impl IntoIterator<Item = Seen>) -> Companions {
        let mut companions = Companions::default();
        for one in seen {
            match one {
                Seen::Export { file, dialect } => companions.rows.entry((folder(&file), dialect)).or_default().exports += 1,
                Seen::Version { file, dialect, text } => {
                    companions.rows.entry((folder(&file), dialect)).or_default().told.push((text, file));
                }
            }
        }
        companions
    }

    /// Version and file, where the folder holds one export of the dialect and one version.
    fn beside(&self, file: &str, dialect: usize) -> Option<&(String, String)> {
        match self.rows.get(&(folder(file), dialect)) {
            Some(Row { exports: 1, told }) if told.len() == 1 => told.first(),
            _ => None,
        }
    }
}

/// What is told beside an export, best first: by a person, in the same text, in another file of the folder.
pub struct Beside<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Its text, where it holds this export alone.
    pub text: Option<(&'a str, Span)>,
    /// The other files of the run.
    pub companions: &'a Companions,
}

/// Fills in what the devices of an export do not tell about themselves.
pub fn complete(devices: &mut [Device], dialect: usize, settings: &Settings, beside: &Beside<'_>) {
    let Stated { model, os_version, .. } = &settings.stated;
    for device in devices {
        if let (None, Some(model)) = (&device.identity.model, model) {
            device.identity.model = Some(model.clone());
        }
        // Which of several lines of software the box runs, only the export's own version line tells.
        let several = dialect::grammar(dialect).is_some_and(|g| g.names("lifecycle_keys").len() > 1);
        match &device.identity.version {
            Some(own) if own.precision == Precision::Exact => continue,
            None if several => continue,
            _ => {}
        }
        let by_person = || {
            Some((version(os_version.as_deref()?, None, false)?, Some(format!("sekisho.toml: os_version = {}", os_version.as_deref()?))))
        };
        let in_text = || {
            let (text, whole) = beside.text?;
            let found = printed(dialect::grammar(dialect)?, text)?;
            let start = whole.start + u32::try_from(found.start).ok()?;
            let span = Span { start, end: start + u32::try_from(found.text.len()).ok()?, ..whole };
            Some((version(&found.text, Some(span), true)?, None))
        };
        let in_folder = || {
            let (text, file) = beside.companions.beside(beside.file, dialect)?;
            Some((version(text, None, true)?, Some(format!("{file}: {text}"))))
        };
        let Some((told, by)) = by_person().or_else(in_text).or_else(in_folder) else { continue };
        // A train that the export shows must be the one that is told.
        if device.identity.version.as_ref().is_some_and(|own| own.precision == Precision::Train && !told.parts.starts_with(&own.parts)) {
            continue;
        }
        device.identity.version = Some(told);
        device.version_told = by.map(Arc::from);
    }
}

/// A version as a box or a person writes it. A box prints all of it; a person may give the train alone.
fn version(text: &str, span: Option<Span>, printed: bool) -> Option<Version> {
    let text = text.trim();
    let parts: Vec<u32> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let precision = match parts.len() {
        0 | 1 => return None,
        2 if !printed => Precision::Train,
        _ => Precision::Exact,
    };
    Some(Version { text: text.to_owned(), parts, precision, span })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar(name: &str) -> (usize, &'static Grammar) {
        let ix = dialect::all().iter().position(|d| d.name() == name).expect("dialect");
        (ix, dialect::grammar(ix).expect("grammar"))
    }

    fn found(name: &str, text: &str) -> Option<String> {
        let found = printed(grammar(name).1, text)?;
        assert!(text[found.start..].starts_with(&found.text));
        Some(found.text)
    }

    #[test]
    fn what_boxes_print_about_themselves() {
        assert_eq!(
            found("cisco-asa", "fw# show version\n\nCisco Adaptive Security Appliance Software Version 9.16(4)57\n").as_deref(),
            Some("9.16(4)57")
        );
        let xe = "Cisco IOS XE Software, Version 17.09.04a\nCisco IOS Software [Cupertino], ISR Software (X), Version 17.9.4a, RELEASE SOFTWARE (fc3)\n";
        assert_eq!(found("cisco-ios", xe).as_deref(), Some("17.09.04a"));
        assert_eq!(found("fortios", "Version: FortiGate-60E v7.0.9,build0444,221121 (GA.M)\n").as_deref(), Some("7.0.9"));
        assert_eq!(found("junos-srx", "Model: srx340\nJunos: 20.2R3.9\n").as_deref(), Some("20.2R3.9"));
        assert_eq!(found("junos-srx", "Junos: unknown\n"), None);
    }

    #[test]
    fn two_versions_are_of_two_boxes() {
        assert_eq!(found("junos-srx", "Junos: 20.2R3.9\nJunos: 20.2R3.9\n").as_deref(), Some("20.2R3.9"));
        assert_eq!(found("junos-srx", "Junos: 20.2R3.9\nJunos: 21.4R3.9\n"), None);
    }

    #[test]
    fn a_folder_tells_only_where_it_holds_one_of_each() {
        let (dialect, _) = grammar("junos-srx");
        let export = |file: &str| Seen::Export { file: file.into(), dialect };
        let told = |file: &str| Seen::Version { file: file.into(), dialect, text: "20.2R3.9".into() };
        let of = |all: &[Seen]| Companions::new(all.iter().cloned()).beside("a/fw.conf", dialect).is_some();
        assert!(of(&[export("a/fw.conf"), told("a/version.txt")]));
        assert!(of(&[export("a/fw.conf"), export("b/fw.conf"), told("a/version.txt")]));
        assert!(!of(&[export("a/fw.conf"), export("a/fw2.conf"), told("a/version.txt")]));
        assert!(!of(&[export("a/fw.conf"), told("a/one.txt"), told("a/two.txt")]));
        assert!(!of(&[export("a/fw.conf"), told("b/version.txt")]));
    }
}
