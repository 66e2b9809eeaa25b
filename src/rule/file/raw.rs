//! The shape of a rule file: which keys there are and of which TOML type, nothing about their meaning.
//!
//! [`RawRule`] is plain data with serde's traits, so that built-in rules can be stored in any pre-parsed form; [`read`] fills it
//! from TOML. What [`read`] cannot use it reports and leaves out, so that checking goes on with the rest.

use crate::rule::error::{RuleError, keys};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A text of the file and the byte range of its value there, quotes included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The text.
    pub text: String,
    /// Where its value starts in the file.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// A rule file as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are those of [`super::Rule`].
pub struct RawRule {
    pub id: Option<Placed>,
    pub name: Option<Placed>,
    pub since: Option<Placed>,
    pub status: Option<Placed>,
    pub severity: Option<Placed>,
    pub subject: Vec<Placed>,
    pub applies: Option<Placed>,
    pub fails: Option<Placed>,
    pub level: Vec<RawLevel>,
    pub constants: Vec<(Placed, RawConstant)>,
    pub primary: Vec<Placed>,
    pub group_by: Option<Placed>,
    pub remedy: Vec<Placed>,
    pub controls: Vec<Placed>,
    pub refs: Vec<RawReference>,
    pub ja: Option<RawTexts>,
    pub en: Option<RawTexts>,
    pub variant: Vec<RawVariant>,
    pub group: Vec<RawGroup>,
    pub example: Vec<RawExample>,
}

/// A `[[level]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RawLevel {
    pub severity: Option<Placed>,
    pub when: Option<Placed>,
}

/// A value of `[constants]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum RawConstant {
    Int(i64),
    Text(String),
    List(Vec<String>),
}

/// An entry of `refs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RawReference {
    pub kind: Option<Placed>,
    pub id: Option<Placed>,
}

/// `[ja]` or `[en]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RawTexts {
    pub title: Option<Placed>,
    pub message: Option<Placed>,
    pub why: Option<Placed>,
    pub what_to_do: Option<Placed>,
    pub falsepositives: Option<Placed>,
    /// Where the table stands, for what is missing in it.
    pub place: Range<usize>,
}

/// A `[[variant]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RawVariant {
    pub when: Option<Placed>,
    pub ja: Option<Placed>,
    pub en: Option<Placed>,
}

/// A `[[group]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RawGroup {
    pub when: Option<Placed>,
    pub severity: Option<Placed>,
    pub ja: Option<Placed>,
    pub en: Option<Placed>,
}

/// An `[[example]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RawExample {
    pub dialect: Option<Placed>,
    pub as_of: Option<Placed>,
    pub fires: Option<Placed>,
    pub quiet: Option<Placed>,
}

/// Reads a rule file. Gives what could be read, and every mistake in its shape: syntax, unknown and missing keys, wrong types.
pub fn read(text: &str) -> (RawRule, Vec<RuleError>) {
    let (document, problems) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, errors: Vec::new(), broken: !problems.is_empty() };
    for problem in problems {
        let span = problem.span().filter(|s| text.get(s.clone()).is_some()).unwrap_or(0..0);
        let message = problem.message().lines().next().unwrap_or_default();
        reader.note(RuleError::new(keys::TOML_SYNTAX, span, [message]));
    }
    let raw = reader.rule(Section { table: document.into_inner(), span: 0..0, known: Vec::new() });
    (raw, reader.errors)
}

/// A table of which the keys read so far were taken out.
struct Section<'t> {
    table: DeTable<'t>,
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table.remove(key)
    }
}

struct Reader<'t> {
    text: &'t str,
    errors: Vec<RuleError>,
    /// After a syntax error, keys may be missing or of another type for that reason alone; that is not reported again.
    broken: bool,
}

impl<'t> Reader<'t> {
    fn rule(&mut self, mut s: Section<'t>) -> RawRule {
        let raw = RawRule {
            id: self.required(&mut s, "id"),
            name: self.required(&mut s, "name"),
            since: self.required(&mut s, "since"),
            status: self.required(&mut s, "status"),
            severity: self.required(&mut s, "severity"),
            subject: self.required_texts(&mut s, "subject"),
            applies: self.optional(&mut s, "applies"),
            fails: self.required(&mut s, "fails"),
            level: self.tables(&mut s, "level", |r, s| RawLevel { severity: r.required(s, "severity"), when: r.required(s, "when") }),
            constants: self.constants(&mut s),
            primary: self.texts(&mut s, "primary"),
            group_by: self.optional(&mut s, "group_by"),
            remedy: self.texts(&mut s, "remedy"),
            controls: self.texts(&mut s, "controls"),
            refs: self.tables(&mut s, "refs", |r, s| RawReference { kind: r.required(s, "kind"), id: r.required(s, "id") }),
            ja: self.language(&mut s, "ja"),
            en: self.language(&mut s, "en"),
            variant: self.tables(&mut s, "variant", |r, s| RawVariant {
                when: r.required(s, "when"),
                ja: r.in_language(s, "ja"),
                en: r.in_language(s, "en"),
            }),
            group: self.tables(&mut s, "group", |r, s| RawGroup {
                when: r.required(s, "when"),
                severity: r.required(s, "severity"),
                ja: r.in_language(s, "ja"),
                en: r.in_language(s, "en"),
            }),
            example: self.tables(&mut s, "example", |r, s| RawExample {
                dialect: r.required(s, "dialect"),
                as_of: r.optional(s, "as_of"),
                fires: r.optional(s, "fires"),
                quiet: r.optional(s, "quiet"),
            }),
        };
        self.finish(s);
        raw
    }

    fn language(&mut self, s: &mut Section<'t>, key: &'static str) -> Option<RawTexts> {
        let Some(value) = s.take(key) else {
            self.missing(RuleError::new(keys::MISSING_LANGUAGE, s.span.clone(), [key]));
            return None;
        };
        let mut s = self.section(value)?;
        let texts = RawTexts {
            title: self.required(&mut s, "title"),
            message: self.required(&mut s, "message"),
            why: self.required(&mut s, "why"),
            what_to_do: self.optional(&mut s, "what_to_do"),
            falsepositives: self.optional(&mut s, "falsepositives"),
            place: s.span.clone(),
        };
        self.finish(s);
        Some(texts)
    }

    fn constants(&mut self, s: &mut Section<'t>) -> Vec<(Placed, RawConstant)> {
        let Some(section) = s.take("constants").and_then(|value| self.section(value)) else { return Vec::new() };
        let mut out = Vec::new();
        for (name, value) in section.table {
            let (span, place) = (value.span(), name.span());
            let constant = match value.into_inner() {
                DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(RawConstant::Int),
                DeValue::String(text) => Some(RawConstant::Text(text.into_owned())),
                DeValue::Array(items) => {
                    let texts = items.into_iter().map(|item| match item.into_inner() {
                        DeValue::String(text) => Some(text.into_owned()),
                        _ => None,
                    });
                    texts.collect::<Option<Vec<String>>>().map(RawConstant::List)
                }
                _ => None,
            };
            let name = placed(name.into_inner().into_owned(), place);
            match constant {
                Some(constant) => out.push((name, constant)),
                None => self.note(RuleError::new(keys::BAD_CONSTANT, span, [&name.text])),
            }
        }
        out
    }

    fn required(&mut self, s: &mut Section<'t>, key: &'static str) -> Option<Placed> {
        match s.take(key) {
            Some(value) => self.text(value),
            None => {
                self.missing(RuleError::new(keys::MISSING_KEY, s.span.clone(), [key]));
                None
            }
        }
    }

    fn in_language(&mut self, s: &mut Section<'t>, key: &'static str) -> Option<Placed> {
        match s.take(key) {
            Some(value) => self.text(value),
            None => {
                self.missing(RuleError::new(keys::MISSING_LANGUAGE, s.span.clone(), [key]));
                None
            }
        }
    }

    fn optional(&mut self, s: &mut Section<'t>, key: &'static str) -> Option<Placed> {
        s.take(key).and_then(|value| self.text(value))
    }

    fn required_texts(&mut self, s: &mut Section<'t>, key: &'static str) -> Vec<Placed> {
        match s.table.get(key) {
            None => self.missing(RuleError::new(keys::MISSING_KEY, s.span.clone(), [key])),
            Some(value) if matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()) => {
                self.note(RuleError::new(keys::EMPTY, value.span(), [key]));
            }
            Some(_) => {}
        }
        self.texts(s, key)
    }

    /// A text or an array of texts.
    fn texts(&mut self, s: &mut Section<'t>, key: &'static str) -> Vec<Placed> {
        let Some(value) = s.take(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().filter_map(|item| self.text(item)).collect(),
            other => self.text(Spanned::new(span, other)).into_iter().collect(),
        }
    }

    /// An array of tables.
    fn tables<T>(&mut self, s: &mut Section<'t>, key: &'static str, mut entry: impl FnMut(&mut Self, &mut Section<'t>) -> T) -> Vec<T> {
        let Some(value) = s.take(key) else { return Vec::new() };
        let span = value.span();
        let items = match value.into_inner() {
            DeValue::Array(items) => items,
            other => {
                self.wrong_type(span, "array of tables", &other);
                return Vec::new();
            }
        };
        let mut out = Vec::new();
        for item in items {
            if let Some(mut section) = self.section(item) {
                out.push(entry(self, &mut section));
                self.finish(section);
            }
        }
        out
    }

    fn text(&mut self, value: Spanned<DeValue<'t>>) -> Option<Placed> {
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => Some(placed(text.into_owned(), span)),
            other => {
                self.wrong_type(span, "string", &other);
                None
            }
        }
    }

    fn section(&mut self, value: Spanned<DeValue<'t>>) -> Option<Section<'t>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Section { table, span, known: Vec::new() }),
            other => {
                self.wrong_type(span, "table", &other);
                None
            }
        }
    }

    /// Reports the keys nobody asked for.
    fn finish(&mut self, s: Section<'t>) {
        for name in s.table.keys() {
            let error = RuleError::new(keys::UNKNOWN_KEY, name.span(), [name.get_ref()]);
            self.note(error.with_valid(name.get_ref(), s.known.iter().copied()));
        }
    }

    fn wrong_type(&mut self, span: Range<usize>, wanted: &str, found: &DeValue<'_>) {
        if !self.broken {
            self.note(RuleError::new(keys::WRONG_TYPE, span, [wanted, found.type_str()]));
        }
    }

    fn missing(&mut self, error: RuleError) {
        if !self.broken {
            self.note(error);
        }
    }

    fn note(&mut self, mut error: RuleError) {
        if self.text.get(error.span.clone()).is_none() {
            error.span = 0..0;
        }
        self.errors.push(error);
    }
}

fn placed(text: String, span: Range<usize>) -> Placed {
    Placed { text, start: span.start, end: span.end }
}
