//! Text that is safe to print: control characters made visible, wide characters measured, lines broken where Japanese
//! and English allow it.
//!
//! Knows no finding and no colour. Invariant: what comes out of [`line`] holds no character that moves a cursor,
//! breaks a line or turns the direction of writing.

use crate::finding::Lang;
use crate::source::visible;
use crate::texts::texts;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The narrowest room text is broken into.
const NARROWEST: usize = 12;

/// A text on one line, safe to print. Line breaks and tabs become spaces.
pub(super) fn line(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().map(|character| if matches!(character, '\n' | '\t') { ' ' } else { visible(character) }).collect()
}

/// The lines of a text, each safe to print; tabs become four spaces.
pub(super) fn lines(text: &str) -> Vec<String> {
    text.trim_end().lines().map(|each| line(&each.trim_end().replace('\t', "    "))).collect()
}

/// Columns on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text, filled up with spaces to a width.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The text, or as much of it as fits, with a sign where it is cut.
pub(super) fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |character: &char| {
        used += character.width().unwrap_or(0);
        used <= columns
    };
    text.chars().take_while(fits).chain(['\u{2026}']).collect()
}

/// The text broken into lines of at most `room` columns: at spaces, and beside wide characters except where Japanese
/// typesetting forbids it. A word that is longer is broken where the line ends.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(NARROWEST);
    let never_first = texts().get(Lang::Ja, "report.layout.never_first");
    let never_last = texts().get(Lang::Ja, "report.layout.never_last");
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    // Bytes of the line before the last place where it may be broken.
    let mut fold = 0;
    let mut before = ' ';
    for character in text.trim().chars() {
        let columns = character.width().unwrap_or(0);
        let wide = columns > 1 || before.width().unwrap_or(0) > 1;
        if !line.is_empty()
            && character != ' '
            && (before == ' ' || (wide && !never_first.contains(character) && !never_last.contains(before)))
        {
            fold = line.len();
        }
        if used + columns > room && !line.is_empty() {
            let rest = if fold > 0 { line.split_off(fold) } else { String::new() };
            lines.push(line.trim_end().to_owned());
            line = rest;
            used = width(&line);
            fold = 0;
            if line.is_empty() && character == ' ' {
                before = ' ';
                continue;
            }
        }
        line.push(character);
        used += columns;
        before = character;
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Pretty JSON of a value with a line break at the end. Characters that are not safe to print are escaped, which means
/// the same in JSON.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    // Structs of strings and numbers always serialise.
    let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut text = String::with_capacity(pretty.len() + 1);
    for character in pretty.chars() {
        if visible(character) == character {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_become_signs() {
        assert_eq!(line("a\x1B[31mb\r\nc\td\u{9B}\u{202E}"), "a␛[31mb c d\u{FFFD}\u{FFFD}");
        assert_eq!(lines("config x\r\n\tset y\x07\n\n"), ["config x", "    set y␇"]);
    }

    #[test]
    fn english_breaks_at_spaces() {
        assert_eq!(wrap("The quick brown fox jumps", 12), ["The quick", "brown fox", "jumps"]);
        assert_eq!(wrap("abcdefghijklmnop x", 12), ["abcdefghijkl", "mnop x"]);
        assert_eq!(wrap("", 12), [""]);
    }

    #[test]
    fn no_line_starts_with_a_closing_sign() {
        let stop = texts().get(Lang::Ja, "report.layout.never_first").chars().next().unwrap();
        let text: String = std::iter::repeat_n('\u{95A2}', 6).chain([stop, '\u{6240}']).collect();
        let broken = wrap(&text, 12);
        assert_eq!(broken.iter().map(|line| line.chars().count()).collect::<Vec<_>>(), [5, 3]);
    }

    #[test]
    fn json_escapes_what_a_terminal_obeys() {
        let text = json(&"a\u{9B}\u{7F}\u{E0001}\n");
        assert_eq!(text, "\"a\\u009b\\u007f\\udb40\\udc01\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), "a\u{9B}\u{7F}\u{E0001}\n");
    }

    #[test]
    fn a_clipped_text_says_so() {
        assert_eq!((clip("abcdef", 6), clip("abcdef", 4)), ("abcdef".to_owned(), "abc\u{2026}".to_owned()));
        assert_eq!(clip("\u{95A2}\u{6240}\u{95A2}", 4), "\u{95A2}\u{2026}");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_wide(text in "[a-z \u{3041}-\u{3093}\u{3001}\u{3002}(\u{300C}\u{300D}]{0,80}", room in 12usize..40) {
            let broken = wrap(&text, room);
            let bare = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(bare(&broken.concat()), bare(&text));
            prop_assert!(broken.iter().all(|line| width(line) <= room));
        }

        #[test]
        fn any_text_is_made_safe(text in any::<String>()) {
            prop_assert!(line(&text).chars().all(|c| !c.is_control()));
            wrap(&line(&text), 20);
        }
    }
}
