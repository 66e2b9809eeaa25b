//! The one door through which configuration text leaves: [`Masked`] holds a copy of a file that is safe to show, and
//! [`Excerpt`] a window of it. Nothing else may carry configuration text to an output.
//!
//! Not a report: no colours, no carets, no words. Invariants: no character of a secret is in the copy, nor any value of
//! eight characters or more that is a secret elsewhere; nothing in it moves a cursor or reverses text; every line has
//! the characters it had (one for one), so that lines and columns stay those of the file; and renderers that break
//! lines at other places than LF and CRLF find no such places.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::occurrence::{find_words, search_words};
use super::{LineIndex, Span};

/// The most lines a window holds; of a longer span the head.
const MOST_LINES: usize = 12;
/// How many columns a tab takes in a window.
const TAB: &str = "    ";
/// The narrowest window that is still of use.
const NARROWEST: usize = 16;

/// A copy of a file with its secrets masked and its control characters made visible.
pub struct Masked {
    text: String,
    lines: LineIndex,
    /// Where the distance between an offset of the file and one of the copy changes: (file, copy), rising.
    shifts: Vec<(usize, usize)>,
}

impl fmt::Debug for Masked {
    /// Shows no content, though it is masked: this is a door, not a window.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masked").field("lines", &self.lines.line_count()).finish()
    }
}

impl Masked {
    /// Masks `text`: each character under a span of `secrets` becomes `*`, and so does every other occurrence of a
    /// secret value of eight characters or more. Spans that fit badly are widened to whole characters, never dropped.
    pub fn new(text: &str, secrets: &[Span]) -> Masked {
        let mut hidden: Vec<Range<usize>> = secrets.iter().map(|span| snap(text, span.start as usize..span.end as usize)).collect();
        let words = search_words(text, &hidden);
        let spans = hidden.len();
        find_words(text.as_bytes(), &words, |found| match hidden.get_mut(spans..).and_then(<[_]>::last_mut) {
            Some(last) if found.start <= last.end => last.end = last.end.max(snap(text, found).end),
            _ => hidden.push(snap(text, found)),
        });
        hidden.retain(|range| !range.is_empty());
        hidden.sort_by_key(|range| (range.start, range.end));

        let mut copy = Copy { text: String::with_capacity(text.len()), shifts: Vec::new() };
        let mut done = 0;
        for range in hidden {
            let start = range.start.max(done);
            copy.shown(text, done..start);
            copy.masked(text, start..range.end.max(start));
            done = range.end.max(start);
        }
        copy.shown(text, done..text.len());
        Masked { lines: LineIndex::new(&copy.text), text: copy.text, shifts: copy.shifts }
    }

    /// How many lines there are.
    pub fn line_count(&self) -> usize {
        self.lines.line_count()
    }

    /// A line, counted from 1, without its line break; empty when there is no such line.
    pub fn line(&self, line: usize) -> &str {
        self.lines.line_text(&self.text, line)
    }

    /// The text under a span on one line: line breaks and the blanks around them become one space, what is longer than
    /// `most` characters ends in `…`.
    pub fn snippet(&self, span: Span, most: usize) -> String {
        if most == 0 {
            return String::new();
        }
        let text = self.text.get(self.range(span)).unwrap_or("");
        let mut snippet = String::new();
        let mut length = 0;
        for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
            for character in (length > 0).then_some(' ').into_iter().chain(line.chars()) {
                if length == most {
                    snippet.pop();
                    snippet.push('…');
                    return snippet;
                }
                snippet.push(if character == '\t' { ' ' } else { character });
                length += 1;
            }
        }
        snippet
    }

    /// The whole lines around a span (at most twelve), each clipped to `max_columns` display columns around its part of
    /// the span. Tabs become four spaces.
    pub fn window(&self, span: Span, max_columns: usize) -> Excerpt {
        let range = self.range(span);
        let first_line = self.lines.line(range.start as u32);
        // A span that ends with a line break does not reach into the next line.
        let last = range.end - usize::from(range.end > range.start && self.text.as_bytes().get(range.end - 1) == Some(&b'\n'));
        let last_line = self.lines.line(last as u32);
        let mut excerpt = Excerpt {
            first_line,
            text: String::new(),
            first_columns: Vec::new(),
            marks: Vec::new(),
            is_cut: last_line >= first_line + MOST_LINES,
        };
        for number in (first_line..=last_line).take(MOST_LINES) {
            let Some(line) = self.lines.line_range(&self.text, number) else { break };
            let clamp = |place: usize| place.clamp(line.start, line.end) - line.start;
            let text = self.text.get(line.clone()).unwrap_or("");
            let clip = Clip::of(text, clamp(range.start)..clamp(last), max_columns.max(NARROWEST));
            let column = self.lines.position(&self.text, (line.start + clip.shown.start) as u32).column;
            if number > first_line {
                excerpt.text.push('\n');
            }
            excerpt.push(text, &clip, column);
        }
        excerpt
    }

    /// Where a span of the file is in the copy.
    fn range(&self, span: Span) -> Range<usize> {
        let start = self.place(span.start as usize);
        start..self.place(span.end as usize).max(start)
    }

    fn place(&self, offset: usize) -> usize {
        let index = self.shifts.partition_point(|&(file, _)| file <= offset);
        let (file, copy) = index.checked_sub(1).and_then(|index| self.shifts.get(index)).copied().unwrap_or((0, 0));
        self.text.floor_char_boundary((copy + (offset - file)).min(self.text.len()))
    }
}

/// A window of a masked file: whole lines, or as much of them as fits, and the part of them that is meant.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt {
    first_line: usize,
    text: String,
    first_columns: Vec<usize>,
    marks: Vec<Range<usize>>,
    is_cut: bool,
}

impl fmt::Debug for Excerpt {
    /// Shows no content, though it is masked: this is for a report, not for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Excerpt").field("first_line", &self.first_line).field("lines", &self.first_columns.len()).finish()
    }
}

impl Excerpt {
    /// The number of the first line, counted from 1.
    pub fn first_line(&self) -> usize {
        self.first_line
    }

    /// The lines, separated by `\n`, without one at the end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of [`text`](Self::text) that the span covers, from its first line to its last.
    pub fn label(&self) -> Range<usize> {
        let start = self.marks.first().map_or(0, |mark| mark.start);
        start..self.marks.last().map_or(start, |mark| mark.end)
    }

    /// The bytes of [`text`](Self::text) that the span covers on each line.
    pub fn marks(&self) -> &[Range<usize>] {
        &self.marks
    }

    /// For each line the column (in characters of the file, counted from 1) of the first character shown. Where it is
    /// not 1, the line starts with `…`, which stands for what comes before.
    pub fn first_columns(&self) -> &[usize] {
        &self.first_columns
    }

    /// Whether the span goes on below the last line shown.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn push(&mut self, line: &str, clip: &Clip, column: usize) {
        if clip.shown.start > 0 {
            self.text.push('…');
        }
        let mut mark = (None, self.text.len());
        for (place, character) in line.get(clip.shown.clone()).unwrap_or("").char_indices() {
            let place = clip.shown.start + place;
            if place >= clip.mark.start {
                mark.0.get_or_insert(self.text.len());
            }
            match character {
                '\t' => self.text.push_str(TAB),
                _ => self.text.push(character),
            }
            if place < clip.mark.end {
                mark.1 = self.text.len();
            }
        }
        let start = mark.0.unwrap_or(self.text.len());
        self.marks.push(start..mark.1.max(start));
        if clip.shown.end < line.len() {
            self.text.push('…');
        }
        self.first_columns.push(column);
    }
}

/// Which bytes of a line are shown, and which of them are meant.
struct Clip {
    shown: Range<usize>,
    mark: Range<usize>,
}

impl Clip {
    fn of(line: &str, mark: Range<usize>, columns: usize) -> Clip {
        let whole = line.len() <= columns * 4 && line.chars().map(width).sum::<usize>() <= columns;
        if whole {
            return Clip { shown: 0..line.len(), mark };
        }
        // Both ends may need their sign.
        let room = columns - 2;
        let meant = forward(line, mark.start, room).min(mark.end);
        let used: usize = line.get(mark.start..meant).unwrap_or("").chars().map(width).sum();
        let start = backward(line, mark.start, (room - used.min(room)) / 2);
        let end = forward(line, start, room);
        let used: usize = line.get(start..end).unwrap_or("").chars().map(width).sum();
        let start = if end == line.len() { backward(line, start, room - used.min(room)) } else { start };
        Clip { shown: start..end, mark }
    }
}

/// The place reached from `start` within `room` columns.
fn forward(line: &str, start: usize, room: usize) -> usize {
    let mut used = 0;
    for (place, character) in line.get(start..).unwrap_or("").char_indices() {
        used += width(character);
        if used > room {
            return start + place;
        }
    }
    line.len()
}

/// The place reached from `end` towards the start of the line within `room` columns.
fn backward(line: &str, end: usize, room: usize) -> usize {
    let mut used = 0;
    let mut start = end;
    for (place, character) in line.get(..end).unwrap_or("").char_indices().rev() {
        used += width(character);
        if used > room {
            break;
        }
        start = place;
    }
    start
}

/// Columns on a terminal; at least one, so that work is bounded by them.
fn width(character: char) -> usize {
    match character {
        '\t' => TAB.len(),
        _ => character.width().unwrap_or(1).max(1),
    }
}

/// The copy while it is made.
struct Copy {
    text: String,
    shifts: Vec<(usize, usize)>,
}

impl Copy {
    /// Copies a range that is no secret.
    fn shown(&mut self, text: &str, range: Range<usize>) {
        let part = text.get(range.clone()).unwrap_or("");
        let mut done = 0;
        while let Some(next) = part.as_bytes().get(done..).and_then(|rest| rest.iter().position(|&byte| may_be_unsafe(byte))) {
            let next = done + next;
            self.text.push_str(part.get(done..next).unwrap_or(""));
            let Some(character) = part.get(next..).and_then(|rest| rest.chars().next()) else { return };
            done = next + character.len_utf8();
            let behind = range.start + done;
            if character == '\r' && text.as_bytes().get(behind) == Some(&b'\n') {
                self.shifts.push((behind, self.text.len()));
            } else {
                self.push(visible(character), character, behind);
            }
        }
        self.text.push_str(part.get(done..).unwrap_or(""));
    }

    /// Copies a secret as stars; line breaks inside it stay.
    fn masked(&mut self, text: &str, range: Range<usize>) {
        for (place, character) in text.get(range.clone()).unwrap_or("").char_indices() {
            let behind = range.start + place + character.len_utf8();
            match character {
                '\n' => self.text.push('\n'),
                '\r' if text.as_bytes().get(behind) == Some(&b'\n') => self.shifts.push((behind, self.text.len())),
                _ => self.push('*', character, behind),
            }
        }
    }

    fn push(&mut self, shown: char, character: char, behind: usize) {
        self.text.push(shown);
        if shown.len_utf8() != character.len_utf8() {
            self.shifts.push((behind, self.text.len()));
        }
    }
}

/// The first bytes of the characters that [`visible`] replaces; a table so that clean text is passed over quickly.
fn may_be_unsafe(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\n' && byte != b'\t') || matches!(byte, 0x7F | 0xC2 | 0xD8 | 0xE1 | 0xE2 | 0xEF | 0xF3)
}

/// A sign for a character that is not safe to print: one that controls a terminal, breaks a line elsewhere than we do,
/// turns the direction of writing, or takes no place at all. Others, line feeds and tabs stay as they are.
pub fn visible(character: char) -> char {
    match character {
        '\n' | '\t' => character,
        '\0'..='\u{1F}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7F}' => '\u{2421}',
        '\u{80}'..='\u{9F}' | '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' => {
            char::REPLACEMENT_CHARACTER
        }
        '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}' => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

/// Whole characters within the text: the start moved down, the end up.
fn snap(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start.min(text.len()));
    let end = text.ceil_char_boundary(range.end.min(text.len()));
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;
    use proptest::prelude::*;

    fn span(text: &str, part: &str) -> Span {
        let start = text.find(part).unwrap();
        Span { file: FileId(0), start: start as u32, end: (start + part.len()) as u32 }
    }

    fn masked(text: &str, secrets: &[&str]) -> Masked {
        Masked::new(text, &secrets.iter().map(|secret| span(text, secret)).collect::<Vec<_>>())
    }

    /// The one part of the window that is marked, and the window.
    fn window(text: &str, part: &str, columns: usize) -> (String, String, Vec<usize>) {
        let excerpt = masked(text, &[]).window(span(text, part), columns);
        (excerpt.text()[excerpt.label()].to_owned(), excerpt.text().to_owned(), excerpt.first_columns().to_vec())
    }

    #[test]
    fn secrets_become_stars_one_for_one() {
        let text = "set name x\r\nset psk ひみつabc # x\r\nend\r\n";
        let masked = masked(text, &["ひみつabc"]);
        assert_eq!(masked.line(2), "set psk ****** # x");
        assert_eq!((masked.line(1), masked.line(3), masked.line(4), masked.line_count()), ("set name x", "end", "", 4));
        let excerpt = masked.window(span(text, "# x"), 80);
        assert_eq!((excerpt.first_line(), &excerpt.text()[excerpt.label()]), (2, "# x"));
    }

    #[test]
    fn a_long_secret_is_masked_wherever_it_stands() {
        let text = "psk Hospital-2024\n# old: Hospital-2024!\nset note xHospital-2024x\nkey short\nshort\n";
        let masked = masked(text, &["Hospital-2024", "short"]);
        let lines: Vec<&str> = (1..=5).map(|line| masked.line(line)).collect();
        assert_eq!(lines, ["psk *************", "# old: *************!", "set note x*************x", "key *****", "short"]);
    }

    #[test]
    fn a_key_over_several_lines_keeps_its_lines() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ";
        let text = format!("key \"{line}\r\nQQ==\"\nnext {line} {line}QQ==\n");
        let masked = masked(&text, &[&format!("{line}\r\nQQ==")]);
        let stars = "*".repeat(line.len());
        let lines: Vec<&str> = (1..=3).map(|line| masked.line(line)).collect();
        assert_eq!(lines, [format!("key \"{stars}"), "****\"".to_owned(), format!("next {stars} {stars}****")]);
    }

    #[test]
    fn a_very_long_secret_is_found_in_pieces() {
        let secret: String = (0..100).map(|n| format!("{:04}", n * 97 % 9973)).collect();
        let text = format!("a {secret}\nb {secret} c\n");
        assert_eq!(masked(&text, &[&secret]).line(2), format!("b {} c", "*".repeat(400)));
    }

    #[test]
    fn spans_that_fit_badly_mask_whole_characters() {
        let text = "pw 関所";
        let bad = |start, end| Span { file: FileId(0), start, end };
        assert_eq!(Masked::new(text, &[bad(4, 7)]).line(1), "pw **");
        assert_eq!(Masked::new(text, &[bad(6, 400), bad(9, 2), bad(90, 95), bad(6, 7)]).line(1), "pw 関*");
    }

    #[test]
    fn nothing_can_move_the_cursor_or_break_a_line() {
        let text = "a\x1B[2Jb\x00\x7F\u{85}\u{9B}\u{202E}\u{2066}\u{200F}\u{2028}\u{0B}\u{0C}c\rd\te\n2";
        let masked = masked(text, &[]);
        assert_eq!(masked.line(1), "a␛[2Jb␀␡\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}␋␌c␍d\te");
        assert_eq!((masked.line(1).chars().count(), masked.line(2)), (text.chars().count() - 2, "2"));
    }

    #[test]
    fn a_window_holds_the_whole_lines_of_a_span() {
        let text = "1\n  two 2\n  three 3\n4\n";
        let excerpt = masked(text, &[]).window(span(text, "two 2\n  three"), 80);
        assert_eq!((excerpt.first_line(), excerpt.text(), excerpt.first_columns()), (2, "  two 2\n  three 3", [1, 1].as_slice()));
        assert_eq!(&excerpt.text()[excerpt.label()], "two 2\n  three");
        assert_eq!(excerpt.marks().iter().map(|mark| &excerpt.text()[mark.clone()]).collect::<Vec<_>>(), ["two 2", "  three"]);
        assert_eq!(window(text, "two 2\n", 80).1, "  two 2");
    }

    #[test]
    fn a_long_span_is_cut() {
        let text = "line\n".repeat(40);
        let excerpt = masked(&text, &[]).window(Span { file: FileId(0), start: 0, end: 200 }, 80);
        assert!(excerpt.is_cut());
        assert_eq!(excerpt.text().lines().count(), MOST_LINES);
    }

    #[test]
    fn a_long_line_is_clipped_around_the_span() {
        let text = format!("{}TARGET{}", "a".repeat(5000), "b".repeat(5000));
        let (mark, shown, columns) = window(&text, "TARGET", 40);
        assert_eq!(mark, "TARGET");
        assert_eq!(shown, format!("…{}TARGET{}…", "a".repeat(16), "b".repeat(16)));
        assert_eq!(columns, [5000 - 16 + 1]);
        let (mark, shown, columns) = window(&format!("TARGET{}", "b".repeat(100)), "TARGET", 40);
        assert_eq!((mark.as_str(), shown.chars().count(), columns), ("TARGET", 39, vec![1]));
        let (mark, shown, columns) = window(&format!("{}TARGET", "関".repeat(100)), "TARGET", 40);
        assert_eq!((mark.as_str(), shown, columns), ("TARGET", format!("…{}TARGET", "関".repeat(16)), vec![85]));
        let (mark, shown, _) = window(&format!("x {}", "T".repeat(100)), &"T".repeat(100), 40);
        assert_eq!((mark.chars().count(), shown.chars().count()), (38, 40));
    }

    #[test]
    fn tabs_are_spaces_in_a_window() {
        assert_eq!(window("\t\t<a>b</a>", "b", 80), ("b".to_owned(), "        <a>b</a>".to_owned(), vec![1]));
    }

    #[test]
    fn a_snippet_is_one_short_line() {
        let text = "config a\n    set psk hunter2\n\n  end";
        let masked = masked(text, &["hunter2"]);
        assert_eq!(masked.snippet(span(text, text), 80), "config a set psk ******* end");
        assert_eq!(masked.snippet(span(text, text), 12), "config a se…");
        assert_eq!(masked.snippet(span(text, "config"), 6), "config");
        assert_eq!(masked.snippet(span(text, "config"), 0), "");
    }

    #[test]
    fn debug_shows_no_content() {
        let masked = masked("set name clinic", &[]);
        let excerpt = masked.window(span("set name clinic", "name"), 80);
        assert!(!format!("{masked:?} {excerpt:?}").contains("clinic"));
    }

    #[test]
    fn many_like_secrets_stay_linear() {
        let line = |n: usize| format!("psk {}{n}\n", "A".repeat(n % 100 + 8));
        let text: String = (0..3000).map(line).chain(["A".repeat(300_000)]).collect();
        let secrets: Vec<Span> = text.lines().take(3000).map(|line| Span::of(FileId(0), &text, &line[4..])).collect();
        assert_eq!(Masked::new(&text, &secrets).line_count(), 3001);
    }

    proptest! {
        #[test]
        fn no_secret_is_left(
            lines in prop::collection::vec(("[a-z 関\t\u{1B}\u{202E}\r]{0,12}", "[A-Z所0-9]{1,30}", "[a-z 関]{0,5}"), 1..12),
            again in prop::collection::vec(0usize..12, 0..6),
            newline in prop_oneof![Just("\n"), Just("\r\n")],
            columns in 0usize..60,
        ) {
            let mut text = String::new();
            let mut secrets = Vec::new();
            for (before, secret, behind) in &lines {
                text.push_str(before);
                secrets.push(Span { file: FileId(0), start: text.len() as u32, end: (text.len() + secret.len()) as u32 });
                text.push_str(secret);
                text.push_str(behind);
                text.push_str(newline);
            }
            for place in again {
                text.push_str(&lines[place % lines.len()].1);
                text.push_str(newline);
            }
            let masked = Masked::new(&text, &secrets);
            let copy: Vec<&str> = (1..=masked.line_count()).map(|line| masked.line(line)).collect();
            for (number, ((before, secret, behind), shown)) in lines.iter().zip(&copy).enumerate() {
                prop_assert!(secret.chars().count() < 8 || copy.iter().all(|line| !line.contains(secret.as_str())));
                let shown: Vec<char> = shown.chars().collect();
                let (start, end) = (before.chars().count(), before.chars().count() + secret.chars().count());
                prop_assert!(shown[start..end].iter().all(|&character| character == '*'));
                prop_assert_eq!(shown.len(), end + behind.chars().count());
                let excerpt = masked.window(secrets[number], columns);
                prop_assert_eq!(excerpt.first_line(), number + 1);
                prop_assert!(excerpt.text()[excerpt.label()].chars().all(|character| character == '*'));
                prop_assert!(excerpt.text().chars().map(width).sum::<usize>() <= columns.max(NARROWEST));
                prop_assert!(masked.snippet(secrets[number], 10).chars().all(|character| character == '*' || character == '…'));
            }
        }

        #[test]
        fn any_spans_give_windows(text in any::<String>(), spans in prop::collection::vec((0u32..400, 0u32..400), 0..6), columns in 0usize..50) {
            let spans: Vec<Span> = spans.into_iter().map(|(start, end)| Span { file: FileId(0), start, end }).collect();
            let masked = Masked::new(&text, &spans);
            prop_assert_eq!(masked.line_count(), LineIndex::new(&text).line_count());
            for span in spans {
                let excerpt = masked.window(span, columns);
                prop_assert!(excerpt.text().get(excerpt.label()).is_some());
                masked.snippet(span, columns);
            }
        }
    }
}
