//! Lines that a terminal cut at its right edge, joined again without moving a byte.
//!
//! Not part of cleaning: only a dialect knows its terminal's width and what starts a statement, so its grammar asks.
//! Invariant: as in cleaning, the byte length stays, and every character boundary of the input is one of the output.

use memchr::memchr_iter;
use unicode_width::UnicodeWidthChar;

/// Stands in the place of a newline (and of the erased noise around it) that was only a wrap. Lexers read it as
/// nothing: the word goes on. It is one byte, and cleaning has removed it from what the file itself held.
pub const SOFT_NEWLINE: char = '\u{1}';

/// An erased pager mark is at least this long; a line with fewer blanks is an empty line of the export.
const SHORTEST_ERASED: usize = 8;

/// Joins what was wrapped at `columns`: a line exactly that wide (or one less, where a wide character did not fit or the terminal
/// keeps its last column free, as captures show) followed by a line for which `starts_statement` is false. `None` when nothing was wrapped.
///
/// Takes cleaned text: of a CRLF the CR is a space there, and a pager's mark between the two halves is a line of blanks.
pub fn soften_wraps(text: &str, columns: usize, starts_statement: impl Fn(&str) -> bool) -> Option<String> {
    let returns = returns_per_line(text);
    let mut softened: Option<Vec<u8>> = None;
    let mut start = 0;
    for end in memchr_iter(b'\n', text.as_bytes()) {
        let line = text.get(start..end).unwrap_or_default();
        start = end + 1;
        // Shorter in bytes than in columns no text can be.
        if line.len() + 1 < columns || line.trim_ascii().is_empty() {
            continue;
        }
        let Some(next_start) = continuation(text, start) else { continue };
        let next = text.get(next_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let Some(edge) = edge(line, columns, returns) else { continue };
        if starts_statement(next) {
            continue;
        }
        let bytes = softened.get_or_insert_with(|| text.as_bytes().to_vec());
        let from = end - (line.len() - edge);
        for byte in bytes.get_mut(from..next_start).unwrap_or_default() {
            *byte = SOFT_NEWLINE as u8;
        }
    }
    softened.and_then(|bytes| String::from_utf8(bytes).ok())
}

/// Where the next line with text starts; `None` when an empty line or the end comes first. Erased lines are skipped.
fn continuation(text: &str, start: usize) -> Option<usize> {
    let mut start = start;
    loop {
        let rest = text.get(start..)?;
        let line = rest.split('\n').next()?;
        if !line.trim_ascii().is_empty() {
            return Some(start);
        }
        if line.len() < SHORTEST_ERASED || line.len() == rest.len() {
            return None;
        }
        start += line.len() + 1;
    }
}

/// How many spaces at the end of each line were carriage returns: the fewest of the first lines.
fn returns_per_line(text: &str) -> usize {
    let spaces = |line: &str| line.bytes().rev().take(3).take_while(|&byte| byte == b' ' || byte == b'\r').count();
    text.split_inclusive('\n').take(200).filter_map(|line| line.strip_suffix('\n')).map(spaces).min().unwrap_or(0)
}

/// The byte length of the line's text if it reaches the right edge: without the spaces that were carriage returns.
fn edge(line: &str, columns: usize, returns: usize) -> Option<usize> {
    let mut text = line;
    for _ in 0..returns {
        text = text.strip_suffix([' ', '\r']).unwrap_or(text);
    }
    for _ in returns..=3 {
        let width = display_width(text);
        if width == columns || width + 1 == columns {
            return Some(text.len());
        }
        text = text.strip_suffix([' ', '\r'])?;
    }
    None
}

/// Columns as a Japanese terminal counts them: what is two bytes in Shift_JIS takes two.
fn display_width(line: &str) -> usize {
    line.chars().fold(0, |column, character| match character {
        '\t' => (column / 8 + 1) * 8,
        _ => column + character.width_cjk().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::clean;
    use proptest::prelude::*;

    fn starts(line: &str) -> bool {
        ["ip ", "pp ", "ipsec ", "#", " "].iter().any(|head| line.starts_with(head))
    }

    /// What a lexer reads: cleaned, softened, soft newlines taken for nothing.
    fn reads(text: &str) -> Vec<String> {
        let cleaned = clean(text).text;
        let softened = soften_wraps(&cleaned, 80, starts).unwrap_or(cleaned.into_owned());
        assert_eq!(softened.len(), text.len());
        assert!(text.char_indices().all(|(place, _)| softened.is_char_boundary(place)));
        softened.replace(SOFT_NEWLINE, "").lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    /// Wraps as the terminal does: a wide character that does not fit goes to the next line.
    fn wrap(line: &str, end: &str) -> String {
        let mut out = String::new();
        let mut column = 0;
        for character in line.chars() {
            let width = character.width_cjk().unwrap_or(0);
            if column + width > 80 {
                out.push_str(end);
                column = 0;
            }
            out.push(character);
            column += width;
        }
        out + end
    }

    fn long(words: &str) -> String {
        format!("ip filter 1 pass * * tcp * {words}")
    }

    #[test]
    fn a_wrapped_word_is_whole_again() {
        let line = long(&"1000,".repeat(40));
        for end in ["\n", "\r\n", "\r\r\n"] {
            assert_eq!(reads(&format!("{}ip route default{end}", wrap(&line, end))), [line.as_str(), "ip route default"]);
        }
    }

    #[test]
    fn a_wide_character_that_did_not_fit_wraps_one_column_early() {
        let line = format!("pp name a{}", "能登支店".repeat(20));
        assert_eq!(reads(&wrap(&line, "\r\n")), [line]);
    }

    #[test]
    fn a_terminal_may_keep_its_last_column_free() {
        let (first, second) = (format!("ip filter 1 pass * * tcp * {}", "1".repeat(52)), "22,80");
        assert_eq!(first.len(), 79);
        assert_eq!(reads(&format!("{first}\n{second}\nip route default\n")), [format!("{first}{second}").as_str(), "ip route default"]);
    }

    #[test]
    fn a_full_line_before_a_statement_stays() {
        let line = format!("ip {}", "x".repeat(77));
        let text = format!("{line}\nip route default\n{line}\n\nnext\n{line}\n");
        assert!(soften_wraps(&text, 80, starts).is_none());
    }

    #[test]
    fn a_pager_mark_between_the_halves_is_passed_over() {
        let line = long(&"x".repeat(90));
        let wrapped = wrap(&line, "\r\n").replacen("\r\n", "\r\n---つづく---\r             \r", 1);
        assert_eq!(reads(&format!("{wrapped}ip route default\r\n")), [line.as_str(), "ip route default"]);
        let on_its_own = wrap(&line, "\r\n").replacen("\r\n", "\r\n--- つづく ---\r\n", 1);
        assert_eq!(reads(&on_its_own), [line]);
    }

    proptest! {
        #[test]
        fn any_text_keeps_its_length(text in "[a-z能 \n\r]{0,300}", columns in 0usize..40) {
            if let Some(softened) = soften_wraps(&text, columns, |line| line.starts_with('a')) {
                prop_assert_eq!(softened.len(), text.len());
                prop_assert!(text.char_indices().all(|(place, _)| softened.is_char_boundary(place)));
            }
        }

        #[test]
        fn wrapped_statements_come_back(words in prop::collection::vec("[b-h能登支店]{1,20}", 1..40)) {
            let line = format!("ip {}", words.join("/"));
            prop_assert_eq!(reads(&wrap(&line, "\r\n")), [line]);
        }
    }
}
