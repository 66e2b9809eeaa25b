//! The only line and column arithmetic of the program: byte offsets of the decoded text to lines and columns.
//!
//! Holds no text. Line breaks are LF and CRLF and nothing else: not a lone CR, not a form feed, not U+2028, whatever a
//! renderer thinks. Invariant: lines and columns count from 1; columns are in characters, or in UTF-16 code units for
//! editors. Built in one pass, answered in time that does not grow with the length of a line.

use std::ops::Range;

use memchr::memchr_iter;

/// Bytes between two remembered counts; what remains is counted when asked.
const STEP: usize = 4096;

/// A place for people: both numbers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column: characters, or UTF-16 code units where the method says so.
    pub column: usize,
}

/// Where the lines of one text start.
#[derive(Clone, Debug)]
pub struct LineIndex {
    /// The first byte of each line; the first is 0.
    starts: Vec<u32>,
    /// Characters and UTF-16 units before each multiple of [`STEP`]; empty when the text is ASCII.
    counts: Vec<(u32, u32)>,
    length: u32,
}

impl LineIndex {
    /// Indexes a text of at most 4 GiB; of a longer one only that much.
    pub fn new(text: &str) -> LineIndex {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let bytes = text.as_bytes().get(..length as usize).unwrap_or_default();
        let mut starts = vec![0];
        starts.extend(memchr_iter(b'\n', bytes).map(|newline| newline as u32 + 1));
        let mut counts = Vec::new();
        if !bytes.is_ascii() {
            let mut before = (0, 0);
            for chunk in bytes.chunks(STEP) {
                counts.push(before);
                let (characters, units) = count(chunk);
                before = (before.0 + characters, before.1 + units);
            }
        }
        LineIndex { starts, counts, length }
    }

    /// How many lines there are; a newline at the very end starts a last, empty one.
    pub fn line_count(&self) -> usize {
        self.starts.len()
    }

    /// The line of a byte offset. An offset behind the end is on the last line.
    pub fn line(&self, offset: u32) -> usize {
        self.starts.partition_point(|&start| start <= offset)
    }

    /// Line and column in characters. `text` must be the text the index was made from.
    pub fn position(&self, text: &str, offset: u32) -> Position {
        self.place(text, offset, |(characters, _)| characters)
    }

    /// Line and column in UTF-16 code units. `text` must be the text the index was made from.
    pub fn position_utf16(&self, text: &str, offset: u32) -> Position {
        self.place(text, offset, |(_, units)| units)
    }

    /// The bytes of a line, counted from 1, without its line break. `None` when there is no such line.
    pub fn line_range(&self, text: &str, line: usize) -> Option<Range<usize>> {
        let index = line.checked_sub(1)?;
        let start = *self.starts.get(index)? as usize;
        let end = match self.starts.get(line) {
            None => self.length as usize,
            Some(&next) => {
                let newline = next as usize - 1;
                let returns = newline > start && text.as_bytes().get(newline - 1) == Some(&b'\r');
                newline - usize::from(returns)
            }
        };
        Some(start..end)
    }

    /// The text of a line, counted from 1, without its line break; empty when there is no such line.
    pub fn line_text<'a>(&self, text: &'a str, line: usize) -> &'a str {
        self.line_range(text, line).and_then(|range| text.get(range)).unwrap_or("")
    }

    fn place(&self, text: &str, offset: u32, which: impl Fn((u32, u32)) -> u32) -> Position {
        let offset = offset.min(self.length);
        let line = self.line(offset);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or(0);
        let column = which(self.before(text, offset)).saturating_sub(which(self.before(text, start)));
        Position { line, column: column as usize + 1 }
    }

    /// Characters and UTF-16 units before a byte.
    fn before(&self, text: &str, offset: u32) -> (u32, u32) {
        let step = offset as usize / STEP;
        let Some(&(characters, units)) = self.counts.get(step.min(self.counts.len().saturating_sub(1))) else {
            return (offset, offset);
        };
        let from = step.min(self.counts.len().saturating_sub(1)) * STEP;
        let (more, more_units) = count(text.as_bytes().get(from..offset as usize).unwrap_or_default());
        (characters + more, units + more_units)
    }
}

/// Characters that begin in the bytes, and their UTF-16 units: two for what takes four bytes.
fn count(bytes: &[u8]) -> (u32, u32) {
    let characters = bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u32;
    let astral = bytes.iter().filter(|&&byte| byte >= 0xF0).count() as u32;
    (characters, characters + astral)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, part: &str, line: usize, column: usize, utf16: usize) {
        let offset = text.find(part).unwrap() as u32;
        let index = LineIndex::new(text);
        assert_eq!(index.position(text, offset), Position { line, column });
        assert_eq!(index.position_utf16(text, offset), Position { line, column: utf16 });
    }

    #[test]
    fn columns_count_characters_and_utf16_units() {
        check("set a\nset 本社 x", "x", 2, 8, 8);
        check("a\n\u{1F512}\u{1F512} x", "x", 2, 4, 6);
        check("x", "x", 1, 1, 1);
    }

    #[test]
    fn only_lf_and_crlf_break_lines() {
        check("a\r\nb\rc\u{0B}d\u{0C}e\u{85}f\u{2028}g\nx", "g", 2, 11, 11);
        let text = "a\r\n\nb\r\n";
        let index = LineIndex::new(text);
        let lines: Vec<&str> = (1..=index.line_count()).map(|line| index.line_text(text, line)).collect();
        assert_eq!(lines, ["a", "", "b", ""]);
        assert_eq!((index.line_range(text, 0), index.line_range(text, 5)), (None, None));
        assert_eq!(LineIndex::new("\r\n").line_range("\r\n", 1), Some(0..0));
    }

    #[test]
    fn an_offset_behind_the_end_is_at_the_end() {
        let text = "a\nbc";
        assert_eq!(LineIndex::new(text).position(text, 99), Position { line: 2, column: 3 });
    }

    #[test]
    fn a_long_line_is_counted_from_the_nearest_step() {
        let text = "関".repeat(50_000);
        assert_eq!(LineIndex::new(&text).position(&text, 3 * 40_000), Position { line: 1, column: 40_001 });
    }

    proptest! {
        #[test]
        fn positions_agree_with_counting(text in "[a関\u{1F512}\r\n]{0,200}", repeat in 1usize..60) {
            let text = text.repeat(repeat);
            let index = LineIndex::new(&text);
            let (mut line, mut column, mut units) = (1, 1, 1);
            for (number, (offset, character)) in text.char_indices().enumerate() {
                if number % 41 == 0 || text.len() < 300 {
                    prop_assert_eq!(index.position(&text, offset as u32), Position { line, column });
                    prop_assert_eq!(index.position_utf16(&text, offset as u32), Position { line, column: units });
                }
                if character == '\n' {
                    (line, column, units) = (line + 1, 1, 1);
                } else {
                    (column, units) = (column + 1, units + character.len_utf16());
                }
            }
            prop_assert_eq!(index.line_count(), line);
        }
    }
}
