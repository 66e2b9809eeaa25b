//! From a place in a TOML string's value to the place in the file: quotes, a first newline and escapes stand between the two.
//!
//! Works only when something is to be reported, so reading a rule pays nothing for it. What does not decode to the very value
//! TOML gave (or has no text to decode) is placed as a whole: a range is never a guess.

use super::raw::Placed;
use std::ops::Range;

/// The range in the file of `inner`, a range in the value.
pub(super) fn locate(text: &str, value: &Placed, inner: Range<usize>) -> Range<usize> {
    let whole = value.start..value.end;
    let Some(raw) = text.get(whole.clone()) else { return whole };
    let Some(steps) = decoded(raw, &value.text) else { return whole };
    // The step that holds an offset is the last one at or before it.
    let place = |offset: usize| match steps.binary_search_by_key(&offset, |s| s.value) {
        Ok(ix) => steps[ix].raw,
        Err(0) => 0,
        Err(ix) => steps[ix - 1].raw,
    };
    let end = if inner.end > inner.start { place(inner.end).max(place(inner.start) + 1) } else { place(inner.start) };
    let found = value.start + place(inner.start)..value.start + end;
    if text.get(found.clone()).is_some() { found } else { whole }
}

/// A character of the value: its offset there and in the raw string. The last step is the end of both.
struct Step {
    value: usize,
    raw: usize,
}

/// The characters of a raw TOML string, if they are those of `value`.
fn decoded(raw: &str, value: &str) -> Option<Vec<Step>> {
    let (quote, escapes) = match raw {
        r if r.starts_with("'''") => ("'''", false),
        r if r.starts_with("\"\"\"") => ("\"\"\"", true),
        r if r.starts_with('\'') => ("'", false),
        r if r.starts_with('"') => ("\"", true),
        _ => return None,
    };
    let body = raw.strip_prefix(quote)?.strip_suffix(quote)?;
    let first_line = if quote.len() < 3 { body } else { body.strip_prefix("\r\n").or(body.strip_prefix('\n')).unwrap_or(body) };
    let mut at = quote.len() + body.len() - first_line.len();
    let mut steps = Vec::with_capacity(value.len() + 1);
    let mut rest = first_line;
    let mut expected = value.chars();
    let mut offset = 0;
    while let Some(first) = rest.chars().next() {
        let (character, length) = if escapes && first == '\\' { escape(rest)? } else { (Some(first), first.len_utf8()) };
        if let Some(character) = character {
            if expected.next() != Some(character) {
                return None;
            }
            steps.push(Step { value: offset, raw: at });
            offset += character.len_utf8();
        }
        at += length;
        rest = rest.get(length..)?;
    }
    steps.push(Step { value: offset, raw: at });
    expected.next().is_none().then_some(steps)
}

/// The character an escape stands for (none for an escaped line end) and the escape's length.
fn escape(text: &str) -> Option<(Option<char>, usize)> {
    let after = &text[1..];
    let hex = |digits: usize| {
        let code = u32::from_str_radix(after.get(1..=digits)?, 16).ok()?;
        Some((Some(char::from_u32(code)?), digits + 2))
    };
    let simple = |c| Some((Some(c), 2));
    match after.chars().next()? {
        'b' => simple('\u{8}'),
        't' => simple('\t'),
        'n' => simple('\n'),
        'f' => simple('\u{c}'),
        'r' => simple('\r'),
        'e' => simple('\u{1b}'),
        c @ ('"' | '\\') => simple(c),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        c if c.is_ascii_whitespace() => Some((None, text.len() - after.trim_start_matches([' ', '\t', '\r', '\n']).len())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use toml::de::{DeTable, DeValue};

    /// The value of `x` in a TOML text.
    fn value(text: &str) -> Placed {
        let table = DeTable::parse(text).unwrap().into_inner();
        let found = table.get("x").unwrap();
        let DeValue::String(value) = found.get_ref() else { panic!("not a string") };
        Placed { text: value.to_string(), start: found.span().start, end: found.span().end }
    }

    /// The place of `needle`, which stands in the value, is the place of `raw` in the file.
    fn check(text: &str, needle: &str, raw: &str) {
        let value = value(text);
        let at = value.text.find(needle).unwrap();
        assert_eq!(&text[locate(text, &value, at..at + needle.len())], raw, "{text}");
    }

    #[test]
    fn every_kind_of_string_is_placed_exactly() {
        check("x = 'class == 1'", "==", "==");
        check("x = '''\nclass\n == 1'''", "==", "==");
        check("y = '\u{95a2}\u{6240}'\r\nx = \"\"\"\r\n\u{95a2} == 1\"\"\"", "==", "==");
        check("x = \"a == 1\"", "==", "==");
        check(r#"x = "plane == \"vpn\" && b""#, "\"vpn\"", r#"\"vpn\""#);
        check(r#"x = "plane == \"vpn\" && b""#, "b", "b");
        check("x = \"\"\"a && \\\n     b\"\"\"", "b", "b");
        check(r#"x = "\u95a2 == 1""#, "==", "==");
        check(r#"x = "\u95a2 == 1""#, "\u{95a2}", "\\u95a2");
        check("\u{feff}x = 'a == 1'", "==", "==");
        check("x = ''''a' == 1'''", "'a'", "'a'");
    }

    #[test]
    fn the_end_of_the_text_is_placed_before_the_closing_quote() {
        let text = "x = 'a &&'";
        let found = locate(text, &value(text), 4..4);
        assert_eq!((found.clone(), &text[found.start..]), (9..9, "'"));
    }

    #[test]
    fn without_the_text_the_whole_value_is_the_place() {
        let text = "x = 'a &&'";
        assert_eq!(locate("", &value(text), 2..4), 4..10);
        assert_eq!(locate("y = 'something else'", &value(text), 2..4), 4..10);
    }

    proptest! {
        #[test]
        fn any_string_is_placed_on_character_boundaries(content in "\\PC{0,20}", from in 0..20usize, to in 0..20usize) {
            let text = toml::to_string(&std::collections::BTreeMap::from([("x", content)])).unwrap();
            let value = value(&text);
            let ends: Vec<usize> = value.text.char_indices().map(|(ix, _)| ix).chain([value.text.len()]).collect();
            let (from, to) = (ends[from % ends.len()], ends[to % ends.len()]);
            let found = locate(&text, &value, from.min(to)..from.max(to));
            prop_assert!(text.get(found.clone()).is_some());
            prop_assert!(value.start < found.start && found.end < value.end, "inside the quotes");
        }
    }
}
