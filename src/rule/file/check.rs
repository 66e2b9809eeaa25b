//! From the shape of a rule file to a rule: words, patterns, names, predicates and messages, checked against the schema.
//!
//! What the shape lacks was reported where it was read; here it is passed over, so that no mistake is reported twice and
//! none hides another. What depends on the kind of subject is checked once that is known.

use super::place::locate;
use super::raw::{Placed, RawConstant, RawRule, RawTexts};
use super::template::{Template, stray_placeholder};
use super::{Both, Example, Group, GroupBy, Level, Reference, Rule, Status, Subject, Texts, Variant};
use crate::finding::Severity;
use crate::ir::schema::{self, Kind};
use crate::rule::error::{Key, RuleError, keys};
use crate::rule::predicate::{self, Constant, Constants, Predicate};
use std::collections::BTreeSet;

const SEVERITIES: [(&str, Severity); 3] = [("error", Severity::Error), ("warning", Severity::Warning), ("note", Severity::Note)];

/// Checks a rule whose shape was read with these mistakes; gives it, or all mistakes in the order of the file, each once.
pub(super) fn check(raw: &RawRule, text: &str, errors: Vec<RuleError>) -> Result<Rule, Vec<RuleError>> {
    let mut checker = Checker { text, errors, constants: Constants::new() };
    let rule = checker.rule(raw);
    let mut errors = checker.errors;
    match rule {
        Some(rule) if errors.is_empty() => return Ok(rule),
        // Reading a file reports what is missing; a pre-parsed form may lack it without a word.
        None if errors.is_empty() => errors.push(RuleError::new(keys::MISSING_KEY, 0..0, [lacking(raw)])),
        _ => {}
    }
    // A rule about several kinds meets the same mistake for each of them.
    errors.sort_by(|a, b| (a.span.start, a.span.end, a.key, &a.args).cmp(&(b.span.start, b.span.end, b.key, &b.args)));
    errors.dedup();
    Err(errors)
}

/// The first required key that is absent.
fn lacking(raw: &RawRule) -> &'static str {
    let texts = [&raw.id, &raw.name, &raw.since, &raw.status, &raw.severity, &raw.fails].map(Option::is_none);
    let keys = ["id", "name", "since", "status", "severity", "fails", "ja", "en"].into_iter();
    let absent = texts.into_iter().chain([raw.ja.is_none(), raw.en.is_none()]);
    keys.zip(absent).find(|(_, absent)| *absent).map_or("level, refs, variant, example, ja, en", |(key, _)| key)
}

struct Checker<'a> {
    text: &'a str,
    errors: Vec<RuleError>,
    constants: Constants,
}

impl Checker<'_> {
    fn rule(&mut self, raw: &RawRule) -> Option<Rule> {
        self.constants(raw);
        self.patterns(raw);
        let status = raw.status.as_ref().and_then(|p| self.chosen(p, &Status::WORDS));
        let severity = raw.severity.as_ref().and_then(|p| self.chosen(p, &SEVERITIES));
        let kinds = self.kinds(&raw.subject);
        let subjects: Vec<Option<Subject>> = kinds.iter().map(|kind| self.subject(raw, kind)).collect();
        let texts = self.texts(raw, &kinds);
        let refs: Vec<Option<Reference>> =
            raw.refs.iter().map(|r| Some(Reference { kind: text_of(&r.kind)?, id: text_of(&r.id)? })).collect();
        let examples: Vec<Option<Example>> = (raw.example.iter())
            .map(|e| {
                let (as_of, fires, quiet) = (text_of(&e.as_of), text_of(&e.fires), text_of(&e.quiet));
                Some(Example { dialect: text_of(&e.dialect)?, as_of, fires, quiet })
            })
            .collect();
        Some(Rule {
            id: text_of(&raw.id)?,
            name: text_of(&raw.name)?,
            since: text_of(&raw.since)?,
            status: status?,
            severity: severity?,
            subjects: subjects.into_iter().collect::<Option<_>>()?,
            remedy: raw.remedy.iter().map(|p| p.text.clone()).collect(),
            controls: raw.controls.iter().map(|p| p.text.clone()).collect(),
            refs: refs.into_iter().collect::<Option<_>>()?,
            texts: texts?,
            examples: examples.into_iter().collect::<Option<_>>()?,
        })
    }

    fn constants(&mut self, raw: &RawRule) {
        for (name, constant) in &raw.constants {
            if !is_constant_name(&name.text) {
                self.wrong(keys::BAD_CONSTANT_NAME, name);
            }
            let constant = match constant {
                RawConstant::Int(n) => Constant::Int(*n),
                RawConstant::Text(text) => Constant::Text(text.clone()),
                RawConstant::List(list) => Constant::List(list.clone()),
            };
            self.constants.insert(name.text.clone(), constant);
        }
    }

    fn patterns(&mut self, raw: &RawRule) {
        let mut must = |place: &Option<Placed>, holds: fn(&str) -> bool, key: Key| match place {
            Some(place) if !holds(&place.text) => self.wrong(key, place),
            _ => {}
        };
        must(&raw.id, is_id, keys::BAD_ID);
        must(&raw.name, is_kebab, keys::BAD_NAME);
        must(&raw.since, is_version, keys::BAD_VERSION);
        for example in &raw.example {
            must(&example.as_of, is_date, keys::BAD_DATE);
        }
        for action in &raw.remedy {
            if !action.text.split('.').all(is_kebab) {
                self.wrong(keys::BAD_ACTION, action);
            }
        }
        for list in [&raw.subject, &raw.primary, &raw.remedy, &raw.controls] {
            let mut seen = BTreeSet::new();
            for place in list.iter().filter(|p| !seen.insert(&p.text)) {
                self.wrong(keys::REPEATED, place);
            }
        }
        let named = [("controls", raw.controls.iter().collect::<Vec<_>>())].into_iter();
        let named = named.chain(raw.refs.iter().map(|r| ("refs", r.kind.iter().chain(&r.id).collect())));
        let named = named.chain(raw.example.iter().map(|e| ("example", e.dialect.iter().chain(&e.fires).chain(&e.quiet).collect())));
        for (key, places) in named {
            for place in places {
                self.filled(key, place);
            }
        }
    }

    /// One of some words.
    fn chosen<T: Copy>(&mut self, place: &Placed, words: &[(&'static str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == place.text).map(|(_, value)| *value);
        if found.is_none() {
            let error = RuleError::new(keys::UNKNOWN_WORD, place.start..place.end, [&place.text]);
            self.note(error.with_valid(&place.text, words.iter().map(|(word, _)| *word)));
        }
        found
    }

    fn kinds(&mut self, subject: &[Placed]) -> Vec<&'static Kind> {
        let mut kinds: Vec<&'static Kind> = Vec::new();
        for place in subject {
            match schema::KINDS.iter().find(|k| k.name == place.text) {
                Some(kind) if kinds.iter().any(|k| k.name == kind.name) => {}
                Some(kind) => kinds.push(kind),
                None => {
                    let error = RuleError::new(keys::UNKNOWN_KIND, place.start..place.end, [&place.text]);
                    self.note(error.with_valid(&place.text, schema::KINDS.iter().map(|k| k.name)));
                }
            }
        }
        kinds
    }

    /// Everything that is compiled for one kind. `None` after a mistake, here and below.
    fn subject(&mut self, raw: &RawRule, kind: &'static Kind) -> Option<Subject> {
        let applies = raw.applies.as_ref().map(|p| self.predicate(p, kind));
        let fails = raw.fails.as_ref().and_then(|p| self.predicate(p, kind));
        let levels: Vec<Option<Level>> = (raw.level.iter())
            .map(|level| {
                let when = level.when.as_ref().and_then(|p| self.predicate(p, kind));
                let severity = level.severity.as_ref().and_then(|p| self.chosen(p, &SEVERITIES));
                Some(Level { when: when?, severity: severity? })
            })
            .collect();
        let primary: Vec<Option<usize>> = raw.primary.iter().map(|p| self.field(p, kind, &[])).collect();
        let group_by = raw.group_by.as_ref().map(|p| match p.text.as_str() {
            "device" => Some(GroupBy::Device),
            _ => self.field(p, kind, &["device"]).map(GroupBy::Field),
        });
        let message = |texts: &Option<RawTexts>| texts.as_ref().and_then(|t| t.message.clone());
        let message = self.messages(&message(&raw.ja), &message(&raw.en), kind);
        let variants: Vec<Option<Variant>> = (raw.variant.iter())
            .map(|variant| {
                let when = variant.when.as_ref().and_then(|p| self.predicate(p, kind));
                let message = self.messages(&variant.ja, &variant.en, kind);
                Some(Variant { when: when?, message: message? })
            })
            .collect();
        let groups: Vec<Option<Group>> = (raw.group.iter())
            .map(|group| {
                let when = group.when.as_ref().and_then(|p| self.predicate(p, kind));
                let severity = group.severity.as_ref().and_then(|p| self.chosen(p, &SEVERITIES));
                let message = self.messages(&group.ja, &group.en, kind);
                Some(Group { when: when?, severity: severity?, message: message? })
            })
            .collect();
        Some(Subject {
            kind,
            applies: applies.map_or(Some(None), |a| a.map(Some))?,
            fails: fails?,
            levels: levels.into_iter().collect::<Option<_>>()?,
            primary: primary.into_iter().collect::<Option<_>>()?,
            group_by: group_by.map_or(Some(None), |g| g.map(Some))?,
            message: message?,
            variants: variants.into_iter().collect::<Option<_>>()?,
            groups: groups.into_iter().collect::<Option<_>>()?,
        })
    }

    fn predicate(&mut self, place: &Placed, kind: &'static Kind) -> Option<Predicate> {
        let compiled = predicate::compile(&place.text, kind, &self.constants);
        self.placed(place, compiled)
    }

    fn messages(&mut self, ja: &Option<Placed>, en: &Option<Placed>, kind: &'static Kind) -> Option<Both<Template>> {
        let ja = ja.as_ref().and_then(|p| self.template(p, kind));
        let en = en.as_ref().and_then(|p| self.template(p, kind));
        Some(Both { ja: ja?, en: en? })
    }

    fn template(&mut self, place: &Placed, kind: &'static Kind) -> Option<Template> {
        self.filled("message", place);
        self.placed(place, Template::compile(&place.text, kind))
    }

    /// The result, its mistakes moved to their place in the file.
    fn placed<T>(&mut self, place: &Placed, result: Result<T, Vec<RuleError>>) -> Option<T> {
        let errors = match result {
            Ok(value) => return Some(value),
            Err(errors) => errors,
        };
        for mut error in errors {
            error.span = locate(self.text, place, error.span);
            self.note(error);
        }
        None
    }

    fn field(&mut self, place: &Placed, kind: &'static Kind, others: &[&str]) -> Option<usize> {
        let found = kind.index(&place.text);
        if found.is_none() {
            let error = RuleError::new(keys::UNKNOWN_FIELD, place.start..place.end, [&place.text, kind.name]);
            self.note(error.with_valid(&place.text, kind.fields.iter().map(|f| f.name).chain(others.iter().copied())));
        }
        found
    }

    fn texts(&mut self, raw: &RawRule, kinds: &[&'static Kind]) -> Option<Both<Texts>> {
        let (Some(ja), Some(en)) = (&raw.ja, &raw.en) else {
            for texts in raw.ja.iter().chain(&raw.en) {
                self.language(texts, kinds);
            }
            return None;
        };
        for (has, lacks, language) in [(ja, en, "en"), (en, ja, "ja")] {
            let pairs = [(&has.what_to_do, &lacks.what_to_do), (&has.falsepositives, &lacks.falsepositives)];
            if pairs.iter().any(|(has, lacks)| has.is_some() && lacks.is_none()) {
                self.note(RuleError::new(keys::MISSING_LANGUAGE, lacks.place.clone(), [language]));
            }
        }
        let (ja, en) = (self.language(ja, kinds), self.language(en, kinds));
        Some(Both { ja: ja?, en: en? })
    }

    fn language(&mut self, raw: &RawTexts, kinds: &[&'static Kind]) -> Option<Texts> {
        for (key, place) in
            [("title", &raw.title), ("why", &raw.why), ("what_to_do", &raw.what_to_do), ("falsepositives", &raw.falsepositives)]
        {
            let Some(place) = place else { continue };
            self.filled(key, place);
            if let Some(stray) = kinds.iter().find_map(|kind| stray_placeholder(&place.text, kind)) {
                let span = locate(self.text, place, stray);
                self.note(RuleError::new(keys::PLACEHOLDER_NOT_HERE, span, [key]));
            }
        }
        Some(Texts {
            title: text_of(&raw.title)?,
            why: text_of(&raw.why)?,
            what_to_do: text_of(&raw.what_to_do),
            falsepositives: text_of(&raw.falsepositives),
        })
    }

    fn filled(&mut self, key: &str, place: &Placed) {
        if place.text.trim().is_empty() {
            self.note(RuleError::new(keys::EMPTY, place.start..place.end, [key]));
        }
    }

    fn wrong(&mut self, key: Key, place: &Placed) {
        self.note(RuleError::new(key, place.start..place.end, [&place.text]));
    }

    fn note(&mut self, error: RuleError) {
        self.errors.push(error);
    }
}

fn text_of(place: &Option<Placed>) -> Option<String> {
    place.as_ref().map(|p| p.text.clone())
}

/// `[A-Z]{2,6}[0-9]{3}`
fn is_id(text: &str) -> bool {
    let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
    (2..=6).contains(&letters.len()) && letters.chars().all(|c| c.is_ascii_uppercase()) && text.len() == letters.len() + 3
}

/// Lower-case words and numbers joined by single hyphens.
fn is_kebab(text: &str) -> bool {
    text.split('-').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
}

/// `x.y.z`
fn is_version(text: &str) -> bool {
    text.split('.').count() == 3 && text.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

/// `YYYY-MM-DD`, and a day there is.
fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok_and(|date| date.to_string() == text)
}

/// Upper-case, so that no constant hides a field.
fn is_constant_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
