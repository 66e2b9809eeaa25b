//! Mistakes in rule files: where, what, and what was probably meant.
//!
//! A mistake holds no sentence: `key` names one in `texts/rule_errors.toml`, `args` are the values of its placeholders.
//! Every key is declared here once with the number of its arguments, and a test holds the texts against this list.

use std::ops::Range;

/// Longest name or excerpt that an argument repeats, in characters.
const LONGEST_ARG: usize = 80;

/// A mistake in a rule file or in a predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Byte range in the text that was checked: the rule file, or the predicate where one is compiled alone. On character boundaries.
    pub span: Range<usize>,
    /// Key of the sentence in `texts/rule_errors.toml`.
    pub key: &'static str,
    /// Values of the sentence's placeholders `{0}`, `{1}` ...
    pub args: Vec<String>,
    /// What was probably meant, for the sentence `did_you_mean`.
    pub meant: Option<String>,
    /// All that would be valid here, for the sentence `valid_names`; empty where no list helps.
    pub help: Vec<String>,
}

/// A message key and how many arguments its sentence takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) args: usize,
}

impl RuleError {
    pub(crate) fn new<const N: usize>(key: Key, span: Range<usize>, args: [&str; N]) -> RuleError {
        debug_assert_eq!(key.args, N, "{} takes {} arguments", key.name, key.args);
        RuleError { span, key: key.name, args: args.iter().map(|a| clip(a)).collect(), meant: None, help: Vec::new() }
    }

    /// Names what was meant, for mistakes that everybody makes.
    pub(crate) fn meaning(mut self, meant: &str) -> RuleError {
        self.meant = Some(meant.to_owned());
        self
    }

    /// Lists what would be valid, and the nearest of it to `written` as what was meant.
    pub(crate) fn with_valid<'a>(mut self, written: &str, valid: impl IntoIterator<Item = &'a str>) -> RuleError {
        self.help = valid.into_iter().map(str::to_owned).collect();
        self.meant = nearest(written, self.help.iter().map(String::as_str)).map(str::to_owned);
        self
    }
}

/// The candidate with the least edit distance to `written`, if one is near enough to be a slip; of equals the first.
pub(crate) fn nearest<'a>(written: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: Vec<char> = written.chars().take(LONGEST_ARG + 1).collect();
    if written.len() > LONGEST_ARG {
        return None;
    }
    let near = |candidate: &str| {
        let candidate: Vec<char> = candidate.chars().collect();
        let longest = written.len().max(candidate.len());
        let distance = edit_distance(&written, &candidate);
        (candidate.len() <= LONGEST_ARG && distance <= (longest / 3).max(1) && distance < longest).then_some(distance)
    };
    valid.into_iter().filter_map(|c| near(c).map(|d| (d, c))).min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &cb) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(ca != cb)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && ca == b[j - 1] && a[i - 1] == cb {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST_ARG) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// All message keys.
pub(crate) mod keys {
    use super::Key;

    macro_rules! keys {
        ($($constant:ident = $name:literal, $args:literal;)*) => {
            $(pub(crate) const $constant: Key = Key { name: $name, args: $args };)*
            #[cfg(test)]
            pub(crate) const ALL: &[Key] = &[$($constant),*];
        };
    }

    keys! {
        // Characters and shape of a predicate.
        PREDICATE_TOO_LONG = "predicate_too_long", 1;
        UNKNOWN_CHARACTER = "unknown_character", 1;
        TEXT_NOT_CLOSED = "text_not_closed", 0;
        UNKNOWN_ESCAPE = "unknown_escape", 1;
        NUMBER_TOO_LARGE = "number_too_large", 1;
        NUMBER_MALFORMED = "number_malformed", 1;
        EXPECTED_VALUE = "expected_value", 1;
        EXPECTED_SYMBOL = "expected_symbol", 2;
        UNEXPECTED_END = "unexpected_end", 0;
        LEFT_OVER = "left_over", 1;
        CHAINED_COMPARISON = "chained_comparison", 0;
        TOO_DEEP = "too_deep", 1;
        // Names and types in a predicate.
        UNKNOWN_NAME = "unknown_name", 2;
        UNKNOWN_FIELD = "unknown_field", 2;
        UNKNOWN_WORD = "unknown_word", 1;
        UNKNOWN_FUNCTION = "unknown_function", 1;
        UNKNOWN_METHOD = "unknown_method", 1;
        RECORD_IS_NO_VALUE = "record_is_no_value", 1;
        VALUE_HAS_NO_FIELDS = "value_has_no_fields", 1;
        EXPECTED_TYPE = "expected_type", 2;
        TYPES_DIFFER = "types_differ", 2;
        NEVER_EQUAL = "never_equal", 0;
        ARGUMENT_COUNT = "argument_count", 3;
        VARIABLE_EXPECTED = "variable_expected", 1;
        VARIABLE_RESERVED = "variable_reserved", 1;
        LIST_OF_LITERALS = "list_of_literals", 0;
        QUANTIFIERS_NESTED = "quantifiers_nested", 1;
        // The rule file.
        TOML_SYNTAX = "toml_syntax", 1;
        MISSING_KEY = "missing_key", 1;
        MISSING_LANGUAGE = "missing_language", 1;
        UNKNOWN_KEY = "unknown_key", 1;
        WRONG_TYPE = "wrong_type", 2;
        BAD_ID = "bad_id", 1;
        BAD_NAME = "bad_name", 1;
        BAD_VERSION = "bad_version", 1;
        BAD_DATE = "bad_date", 1;
        BAD_ACTION = "bad_action", 1;
        BAD_CONSTANT_NAME = "bad_constant_name", 1;
        BAD_CONSTANT = "bad_constant", 1;
        EMPTY = "empty", 1;
        REPEATED = "repeated", 1;
        UNKNOWN_KIND = "unknown_kind", 1;
        UNKNOWN_PLACEHOLDER = "unknown_placeholder", 2;
        PLACEHOLDER_NOT_HERE = "placeholder_not_here", 1;
        BRACE_ALONE = "brace_alone", 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_slip_finds_its_word() {
        let words = ["management", "vpn", "portal", "infrastructure"];
        assert_eq!(nearest("managment", words), Some("management"));
        assert_eq!(nearest("vnp", words), Some("vpn"));
        assert_eq!(nearest("firewall", words), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest(&"v".repeat(10_000), words), None);
    }

    #[test]
    fn every_key_has_a_sentence_in_both_languages_and_nothing_else_has_one() {
        let texts: toml::Table = include_str!("../../texts/rule_errors.toml").parse().unwrap();
        let mut known: BTreeSet<&str> = ["did_you_mean", "valid_names"].into();
        let mut expected: Vec<(&str, usize)> = vec![("did_you_mean", 1), ("valid_names", 1)];
        expected.extend(keys::ALL.iter().map(|k| (k.name, k.args)));
        for (name, args) in expected {
            known.insert(name);
            for language in ["ja", "en"] {
                let sentence = texts.get(name).and_then(|t| t.get(language)).and_then(|s| s.as_str());
                let sentence = sentence.unwrap_or_else(|| panic!("{name}.{language} is missing"));
                for n in 0..10 {
                    assert_eq!(sentence.contains(&format!("{{{n}}}")), n < args, "{name}.{language}: placeholder {n}");
                }
            }
        }
        let unused: Vec<&String> = texts.keys().filter(|k| !known.contains(k.as_str())).collect();
        assert!(unused.is_empty(), "sentences without a key: {unused:?}");
    }

    #[test]
    fn a_long_excerpt_is_clipped_on_a_character_boundary() {
        let error = RuleError::new(keys::UNKNOWN_WORD, 0..1, [&"\u{95a2}".repeat(500)]);
        assert_eq!(error.args[0].chars().count(), LONGEST_ARG + 1);
    }
}
