//! Grammar files: what is data about a dialect. Names, products, syntax parameters, detection signs, factory defaults with
//! their sources, positions of secrets, statements known to be irrelevant, and the commands that carry out each action.
//!
//! A dialect's code asks here for a default and gets a [`Fact`] whose origin names the row; it never holds a default itself.

use crate::ir::device::{Precision, Version};
use crate::ir::fact::{DefaultOrigin, Fact, Origin, Val, Why, WhyCode};
use crate::source::Span;
use crate::syntax::pattern::PatternSet;
use crate::syntax::{block, brace, command_lines, indent, path_commands, statements, xml};
use foldhash::fast::RandomState as Quick;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A text in both languages.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Localized {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// The grammar file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrammarFile {
    /// Who the product is.
    pub identity: IdentityTable,
    /// Syntax family and its parameters.
    pub syntax: SyntaxTable,
    /// Signs of the dialect.
    pub detect: DetectTable,
    /// Lines by which a box tells its version beside its configuration.
    #[serde(default)]
    pub tells_version: Vec<VersionLine>,
    /// Factory defaults.
    #[serde(default, rename = "default")]
    pub defaults: Vec<DefaultRow>,
    /// Positions of secrets, as patterns with `{}` or `{...}`.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Statements known to be irrelevant, with everything below them.
    #[serde(default)]
    pub irrelevant: Vec<String>,
    /// What an unrecognised statement could hold: the first words of statements, by topic.
    #[serde(default)]
    pub telling: BTreeMap<String, Vec<String>>,
    /// Lists that the dialect's code looks up by name (built-in object names, factory rows).
    #[serde(default)]
    pub names: BTreeMap<String, Vec<String>>,
    /// Services the product defines itself, by name; each as `tcp/80`, `udp/5000-5010`, `icmp`, `ip/50`, `tcp/1812 udp/1812`.
    #[serde(default)]
    pub services: BTreeMap<String, String>,
    /// What `redact` replaces beside secrets and addresses.
    #[serde(default)]
    pub redact: RedactTable,
    /// How actions are carried out.
    #[serde(default, rename = "action")]
    pub actions: Vec<ActionRow>,
    /// Pages the facts of this file were seen on, by the key that rows cite.
    #[serde(default)]
    pub sources: BTreeMap<String, String>,
}

/// A line of what a box prints about itself, such as `show version`: it starts with one text, and the version stands behind another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionLine {
    /// Beginning of the line, comment signs left out.
    pub starts: String,
    /// What stands right before the version.
    pub before: String,
}

/// `[identity]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityTable {
    /// Key of the dialect: the name of the grammar file and of the dialect's folder.
    pub name: String,
    /// Vendor's name.
    pub vendor: String,
    /// Product's name.
    pub product: String,
    /// Key in the lifecycle data.
    pub lifecycle_key: String,
    /// One line about the products meant.
    pub title: Localized,
    /// How to export the configuration so that it can be judged.
    pub export: Localized,
}

/// `[syntax]`.
#[derive(Debug, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum SyntaxTable {
    /// Nested `config`/`edit` blocks.
    Block(block::Parameters),
    /// Curly braces, and `set` lines that say the same.
    Brace(brace::Parameters),
    /// Command lines with modes.
    CommandLines(command_lines::Parameters),
    /// Command lines nested by indentation.
    Indent(indent::Parameters),
    /// Paths, verbs and attributes.
    PathCommands(path_commands::Parameters),
    /// Statements, some of which hold others in braces.
    Statements(statements::Parameters),
    /// Elements in elements.
    Xml(xml::Parameters),
}

/// `[redact]`: where people write what tells whose box it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedactTable {
    /// Positions of names that people choose, as patterns with `{}` or `{...}`.
    #[serde(default)]
    pub names: Vec<String>,
    /// Positions of free text, as patterns with `{}` or `{...}`.
    #[serde(default)]
    pub texts: Vec<String>,
    /// Names that the product gives; `abc*` a beginning.
    #[serde(default)]
    pub keep: Vec<String>,
}

/// `[detect]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectTable {
    /// Least score that makes a text this dialect.
    pub enough: i32,
    /// Columns at which terminals wrap the export, where pasted captures are common.
    #[serde(default)]
    pub wrap_columns: Option<usize>,
    /// Signs.
    #[serde(rename = "sign")]
    pub signs: Vec<Sign>,
}

/// A sign: lines that speak for or against the dialect. Exactly one of the first three fields is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// Beginning of a line.
    #[serde(default)]
    pub starts: Option<String>,
    /// Words of a line, blanks before it ignored: `*` any word, `abc*` a beginning, `<n>` a number.
    #[serde(default)]
    pub words: Option<String>,
    /// Text anywhere in the first lines.
    #[serde(default)]
    pub contains: Option<String>,
    /// Points for (or, negative, against) the dialect; counted once however often the sign is seen.
    pub score: i32,
    /// Whether an export begins here, for files that hold several.
    #[serde(default)]
    pub begins: bool,
    /// For a foreign relative: what it is, so that a refusal can say so.
    #[serde(default)]
    pub foreign: Option<Localized>,
}

/// A factory default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRow {
    /// Section and attribute, or command.
    pub key: String,
    /// Value as the vendor writes it.
    pub value: String,
    /// Releases it holds for: `*`, or conditions such as `>=7.2.4 <7.6`.
    #[serde(default = "every_version")]
    pub versions: String,
    /// Where it was seen: a key of `[sources]`, or the page itself.
    pub source: String,
    /// Whether documentation or a real export of the release confirms it.
    pub verified: bool,
}

fn every_version() -> String {
    "*".to_owned()
}

/// How a dialect carries out an action.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionRow {
    /// Id of the action, a key of `texts/actions.toml`.
    pub id: String,
    /// Commands; `{interface}` and other fields of the finding's subject are filled in where known.
    pub commands: String,
    /// What to mind.
    #[serde(default)]
    pub note: Option<Localized>,
}

/// A grammar, ready to use.
#[derive(Debug)]
pub struct Grammar {
    /// The file as written.
    pub file: GrammarFile,
    /// Positions of secrets.
    pub secrets: PatternSet,
    /// What is irrelevant.
    pub irrelevant: PatternSet,
    defaults: HashMap<String, Vec<(DefaultOrigin, VersionRange)>, Quick>,
    /// Positions of names that people choose.
    pub chosen_names: PatternSet,
    /// Positions of free text.
    pub free_texts: PatternSet,
}

/// What is wrong with a grammar file. Only developers see it.
#[derive(Debug, thiserror::Error)]
pub enum GrammarError {
    /// Not TOML, or not of the expected form.
    #[error("{0}")]
    Form(String),
    /// A version condition that cannot be read.
    #[error("default {key}: cannot read the version condition {condition:?}")]
    Versions {
        /// Key of the row.
        key: String,
        /// The condition.
        condition: String,
    },
}

impl Grammar {
    /// Reads a grammar file.
    ///
    /// # Errors
    /// When the text is not TOML of the expected form, or a version condition cannot be read.
    pub fn load(text: &str) -> Result<Grammar, GrammarError> {
        let file: GrammarFile = toml::from_str(text).map_err(|e| GrammarError::Form(e.to_string()))?;
        Grammar::from_file(file)
    }

    /// Prepares a grammar file that was read already.
    ///
    /// # Errors
    /// When a version condition cannot be read.
    pub fn from_file(file: GrammarFile) -> Result<Grammar, GrammarError> {
        let fold = matches!(file.syntax, SyntaxTable::CommandLines(_) | SyntaxTable::Indent(_));
        let mut defaults: HashMap<String, Vec<(DefaultOrigin, VersionRange)>, Quick> = HashMap::default();
        for row in &file.defaults {
            let range = VersionRange::parse(&row.versions)
                .ok_or_else(|| GrammarError::Versions { key: row.key.clone(), condition: row.versions.clone() })?;
            let origin = DefaultOrigin {
                key: row.key.as_str().into(),
                value: row.value.as_str().into(),
                versions: row.versions.as_str().into(),
                source: file.sources.get(&row.source).unwrap_or(&row.source).as_str().into(),
                verified: row.verified,
                anchor: None,
            };
            defaults.entry(row.key.clone()).or_default().push((origin, range));
        }
        // Where every word is a level, a pattern is written as the words of a line.
        let by_word = matches!(file.syntax, SyntaxTable::Brace(_));
        let levels = |patterns: &[String]| -> Vec<String> {
            patterns.iter().map(|p| if by_word { p.replace(' ', " > ") } else { p.clone() }).collect()
        };
        Ok(Grammar {
            secrets: PatternSet::new(levels(&file.secrets).iter().map(String::as_str), fold),
            irrelevant: PatternSet::new(levels(&file.irrelevant).iter().map(String::as_str), fold),
            chosen_names: PatternSet::new(levels(&file.redact.names).iter().map(String::as_str), fold),
            free_texts: PatternSet::new(levels(&file.redact.texts).iter().map(String::as_str), fold),
            defaults,
            file,
        })
    }

    /// Key of the dialect.
    pub fn name(&self) -> &str {
        &self.file.identity.name
    }

    /// A named list.
    pub fn names(&self, list: &str) -> &[String] {
        self.file.names.get(list).map_or(&[], Vec::as_slice)
    }

    /// The factory default of a key for a version. `anchor` is the block where the line would stand.
    ///
    /// Unknown when no row speaks of it, or when rows of several possible releases disagree; then the values are given as `Among`.
    pub fn default(&self, key: &str, version: Option<&Version>, anchor: Option<Span>) -> Fact<String> {
        let rows: Vec<&DefaultOrigin> =
            self.defaults.get(key).into_iter().flatten().filter(|(_, range)| range.may_hold(version)).map(|(row, _)| row).collect();
        let at = |code| Why::at(code, key, anchor.into_iter().collect());
        let Some(first) = rows.first() else {
            return Fact::unknown(at(WhyCode::DefaultUndocumented));
        };
        let origin = Origin::all(rows.iter().map(|row| Origin::Default(Arc::new(DefaultOrigin { anchor, ..(*row).clone() }))));
        let value = if rows.iter().all(|r| r.value == first.value) {
            Val::Known(first.value.as_ref().to_owned())
        } else {
            Val::Among(rows.iter().map(|r| r.value.as_ref().to_owned()).collect(), at(WhyCode::DefaultByVersion))
        };
        Fact { value, origin }
    }

    /// As [`Grammar::default`], with the value read by `parse`; a value it does not read is a fault of the grammar file and counts as undocumented.
    pub fn default_as<T>(&self, key: &str, version: Option<&Version>, anchor: Option<Span>, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        let fact = self.default(key, version, anchor);
        let undocumented = || Val::Unknown(Why::at(WhyCode::DefaultUndocumented, key, anchor.into_iter().collect()));
        let value = match &fact.value {
            Val::Known(v) => parse(v).map_or_else(undocumented, Val::Known),
            Val::Among(vs, why) => {
                vs.iter().map(|v| parse(v)).collect::<Option<Vec<T>>>().map_or_else(undocumented, |vs| Val::Among(vs, why.clone()))
            }
            Val::Unknown(why) => Val::Unknown(why.clone()),
        };
        Fact { value, origin: fact.origin }
    }
}

/// Conditions on a version, all of which must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionRange(Vec<(Compare, Vec<u32>)>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Compare {
    Less,
    LessOrEqual,
    GreaterOrEqual,
    Greater,
    Train,
}

impl VersionRange {
    /// Reads `*`, or conditions separated by blanks: `>=7.2`, `<7.6.5`, `=7.4` (every release of the train).
    pub fn parse(text: &str) -> Option<VersionRange> {
        let mut conditions = Vec::new();
        for part in text.split_whitespace().filter(|p| *p != "*") {
            let (compare, number) = if let Some(n) = part.strip_prefix(">=") {
                (Compare::GreaterOrEqual, n)
            } else if let Some(n) = part.strip_prefix("<=") {
                (Compare::LessOrEqual, n)
            } else if let Some(n) = part.strip_prefix('<') {
                (Compare::Less, n)
            } else if let Some(n) = part.strip_prefix('>') {
                (Compare::Greater, n)
            } else {
                (Compare::Train, part.strip_prefix('=')?)
            };
            conditions.push((compare, number.split('.').map(|n| n.parse().ok()).collect::<Option<Vec<u32>>>()?));
        }
        Some(VersionRange(conditions))
    }

    /// Whether a version, as far as it is known, may lie in the range.
    pub fn may_hold(&self, version: Option<&Version>) -> bool {
        let Some(version) = version.filter(|v| v.precision != Precision::None) else { return true };
        let low = version.parts.as_slice();
        let high: Cow<'_, [u32]> = match version.precision {
            Precision::Train => low.iter().copied().chain([u32::MAX]).collect(),
            _ => low.into(),
        };
        self.0.iter().all(|(compare, bound)| match compare {
            Compare::Less => less(low, bound),
            Compare::LessOrEqual => !less(bound, low),
            Compare::GreaterOrEqual => !less(&high, bound),
            Compare::Greater => less(bound, &high),
            Compare::Train => {
                low.iter().zip(bound).all(|(a, b)| a == b) && (low.len() >= bound.len() || version.precision == Precision::Train)
            }
        })
    }
}

/// Compares dotted numbers; missing ones count as zero.
pub fn less(a: &[u32], b: &[u32]) -> bool {
    for ix in 0..a.len().max(b.len()) {
        let (x, y) = (a.get(ix).copied().unwrap_or(0), b.get(ix).copied().unwrap_or(0));
        if x != y {
            return x < y;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str, precision: Precision) -> Version {
        Version { text: text.into(), parts: text.split('.').map(|p| p.parse().expect("number")).collect(), precision, span: None }
    }

    #[test]
    fn ranges_hold_for_releases_and_trains() {
        let range = VersionRange::parse(">=7.2.4 <7.6").expect("range");
        assert!(range.may_hold(Some(&version("7.2.4", Precision::Exact))));
        assert!(!range.may_hold(Some(&version("7.2.3", Precision::Exact))));
        assert!(!range.may_hold(Some(&version("7.6.0", Precision::Exact))));
        assert!(range.may_hold(Some(&version("7.2", Precision::Train))), "some release of the train is in");
        assert!(!range.may_hold(Some(&version("7.0", Precision::Train))));
        assert!(range.may_hold(None));
        assert!(VersionRange::parse("=7.4").expect("train").may_hold(Some(&version("7.4.9", Precision::Exact))));
        assert!(VersionRange::parse("about 7").is_none());
    }
}
