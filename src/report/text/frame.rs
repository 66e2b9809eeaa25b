//! The framed lines of a finding. The only module that names `ariadne`.
//!
//! `ariadne` draws the arrows; everything else is ours, for it would be wrong: it numbers the lines of what it is given
//! from 1, counts columns in clipped lines, prints the words "Help" and "Note" in English only, and neither clips nor
//! breaks lines. So it is given a small text made of windows of the masked file, and its margins are renumbered.
//! Invariants: the whole file is never handed over; byte offsets lie on character boundaries; work is bounded by the
//! number of marks.

use super::paint::Hue;
use crate::report::plain::width;
use crate::source::{Masked, Span};
use ariadne::{CharSet, Color, Config, IndexType, Label, Report, ReportKind, Source};
use std::collections::BTreeMap;
use std::ops::Range;

/// Stands for the name of the source in what `ariadne` writes; no masked text holds it.
const NAME: &str = "\0";
/// Room for the line number, the margin, a bracket and the end of an arrow when a line is clipped.
const MARGIN: usize = 17;
/// A frame holds no line that is further below another; for the width of line numbers.
const NUMBERS: usize = 32;

/// A part of a file and what to say about it.
pub(super) struct Mark<'a> {
    pub span: Span,
    pub text: &'a str,
    pub hue: Hue,
}

/// How frames are drawn.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub colour: bool,
    pub ascii: bool,
    pub width: usize,
}

/// Framed lines, and what could not be said in them.
pub(super) struct Frame {
    pub rows: Vec<String>,
    /// The marks whose text is not in the frame.
    pub untold: Vec<usize>,
}

/// A mark within the lines shown: from a byte of a line to a byte of a line.
struct Drawn {
    start: (usize, usize),
    end: (usize, usize),
    text: String,
    hue: Hue,
}

impl Drawn {
    fn is_long(&self) -> bool {
        self.start.0 != self.end.0
    }
}

/// Frames the lines of the first mark, and of as many others as can be told beside it. `place` is the name of the first
/// mark's place; `here` stands where the first mark's text is too long.
pub(super) fn frame(masked: &Masked, place: &str, marks: &[Mark<'_>], here: &str, look: Look) -> Frame {
    let mut lines: BTreeMap<usize, String> = BTreeMap::new();
    let mut drawn: Vec<Drawn> = Vec::new();
    let mut untold = Vec::new();
    for (index, mark) in marks.iter().enumerate() {
        let mut shown = Shown::of(masked, mark, look.width.saturating_sub(MARGIN), index == 0);
        if index == 0 && !fits(&shown, &[], look) {
            untold.push(0);
            shown.drawn.text = here.to_owned();
            if !fits(&shown, &[], look) {
                shown.drawn.text.clear();
            }
        }
        let agrees = shown.lines.iter().all(|(number, line)| lines.get(number).is_none_or(|known| known == line));
        if index > 0 && !(agrees && fits(&shown, &drawn, look)) {
            untold.push(index);
            continue;
        }
        lines.extend(shown.lines);
        drawn.push(shown.drawn);
    }
    Frame { rows: draw(&lines, drawn, place, look), untold }
}

/// One mark, with the lines it is on.
struct Shown {
    lines: BTreeMap<usize, String>,
    drawn: Drawn,
}

impl Shown {
    fn of(masked: &Masked, mark: &Mark<'_>, columns: usize, may_be_long: bool) -> Shown {
        let window = masked.window(mark.span, columns);
        let texts: Vec<&str> = window.text().split('\n').collect();
        // A span that is cut has no end to point at, and a chain of long blocks would fill the screen.
        let last = if may_be_long && !window.is_cut() { texts.len() - 1 } else { 0 };
        let mut offset = 0;
        let mut lines = BTreeMap::new();
        let (mut start, mut end) = ((window.first_line(), 0), (window.first_line(), 0));
        for (index, text) in texts.iter().enumerate() {
            if index == 0 || index == last {
                let number = window.first_line() + index;
                let part = window.marks().get(index).map_or(0..0, |part| part.start - offset..part.end - offset);
                // An empty mark, or a line without text, would be drawn on the line before as well.
                let (text, part) = visible_part(text, part);
                start = if index == 0 { (number, part.start) } else { start };
                end = (number, part.end);
                lines.insert(number, text);
            }
            offset += text.len() + 1;
        }
        Shown { lines, drawn: Drawn { start, end, text: mark.text.to_owned(), hue: mark.hue } }
    }
}

/// The line with something under the mark.
fn visible_part(text: &str, part: Range<usize>) -> (String, Range<usize>) {
    if !part.is_empty() {
        return (text.to_owned(), part);
    }
    if text.is_empty() {
        return (" ".to_owned(), 0..1);
    }
    let next = text.get(part.start..).and_then(|rest| rest.chars().next()).map(|c| part.start..part.start + c.len_utf8());
    let last = text.char_indices().next_back().map(|(start, _)| start..text.len());
    (text.to_owned(), next.or(last).unwrap_or(part))
}

/// Whether a mark's text has room behind its line, and the mark touches none of those drawn already.
fn fits(shown: &Shown, drawn: &[Drawn], look: Look) -> bool {
    let line = shown.drawn.end.0;
    let beside: Vec<&Drawn> = drawn.iter().filter(|other| other.start.0 <= line && shown.drawn.start.0 <= other.end.0).collect();
    let apart = |other: &&Drawn| !other.is_long() && (other.end <= shown.drawn.start || shown.drawn.end <= other.start);
    let text = shown.lines.get(&line).map_or("", String::as_str);
    let is_long = |mark: &Drawn| mark.is_long();
    // The arrow of a mark of several lines starts behind the line, and its bracket moves all lines.
    let (end, bracket) = match (shown.drawn.is_long(), drawn.iter().any(is_long)) {
        (true, _) => (width(text) + 3, 4),
        (false, any) => {
            (beside.iter().map(|other| columns(text, other)).fold(columns(text, &shown.drawn), usize::max), if any { 4 } else { 0 })
        }
    };
    let longest = beside.iter().map(|other| width(&other.text)).fold(width(&shown.drawn.text), usize::max);
    beside.iter().all(apart) && number_columns(line + NUMBERS) + 4 + bracket + end + 1 + longest <= look.width
}

/// The columns of a line up to the end of a mark's arrow, which goes on for two characters, wide or not.
fn columns(line: &str, mark: &Drawn) -> usize {
    let (before, behind) = line.split_at_checked(mark.end.1).unwrap_or((line, ""));
    let mut behind = behind.chars();
    let arrow = [behind.next(), behind.next()].map(|next| next.map_or(1, |next| width(next.encode_utf8(&mut [0; 4])).max(1)));
    width(before) + arrow[0] + arrow[1]
}

/// Columns of a line number.
fn number_columns(number: usize) -> usize {
    number.to_string().len()
}

fn draw(lines: &BTreeMap<usize, String>, mut drawn: Vec<Drawn>, place: &str, look: Look) -> Vec<String> {
    let mut text = String::new();
    // The real number of each line of the text; none for the gap between lines that are apart.
    let mut numbers: Vec<Option<usize>> = Vec::new();
    let mut offsets: BTreeMap<usize, usize> = BTreeMap::new();
    for (&number, line) in lines {
        if numbers.last().is_some_and(|last| *last != Some(number - 1)) {
            numbers.push(None);
            text.push('\n');
        }
        numbers.push(Some(number));
        offsets.insert(number, text.len());
        text.push_str(line);
        text.push('\n');
    }
    let at = |(line, byte): (usize, usize)| offsets.get(&line).map_or(0, |offset| offset + byte);
    // Lines that do not rise would start a second frame.
    drawn.sort_by_key(|mark| (mark.end.0, mark.start));
    let config = Config::new()
        .with_color(look.colour)
        .with_char_set(if look.ascii { CharSet::Ascii } else { CharSet::Unicode })
        .with_index_type(IndexType::Byte);
    let first = drawn.first().map_or(0..0, |mark| at(mark.start)..at(mark.end));
    let mut report = Report::build(ReportKind::Custom("", Color::Primary), (NAME, first)).with_config(config);
    for mark in &drawn {
        let label = Label::new((NAME, at(mark.start)..at(mark.end).max(at(mark.start))));
        report.add_label(label.with_message(&mark.text).with_color(colour(mark.hue)));
    }
    let mut written = Vec::new();
    // Writing to memory cannot fail.
    let _ = report.finish().write((NAME, Source::from(text)), &mut written);
    let written = String::from_utf8_lossy(&written);
    let old = numbers.len().to_string().len();
    let new = lines.keys().next_back().map_or(1, |number| number_columns(*number));
    // The first row is a heading, which is ours, the third is empty.
    let rows = written.lines().enumerate().filter(|(number, _)| !matches!(number, 0 | 2)).map(|(_, row)| row);
    rows.map(|row| joined(&renumber(&gap(&named(row, place), look), old, new, &numbers))).collect()
}

/// A row that is nothing but margin stands for lines left out; it gets the sign for that.
fn gap(row: &str, look: Look) -> String {
    let (bar, gap) = if look.ascii { ("|", ":") } else { ("\u{2502}", "\u{2506}") };
    // Escapes end with their first `m`.
    let mut parts = row.split('\u{1B}');
    let first = parts.next().unwrap_or("");
    let shown = parts.fold(first.to_owned(), |shown, part| shown + part.split_once('m').map_or("", |(_, text)| text));
    if shown.trim() == bar { row.replace(bar, gap) } else { row.to_owned() }
}

/// The row without escapes that change nothing: `ariadne` closes and opens a colour for each character.
fn joined(row: &str) -> String {
    const CLOSE: &str = "\u{1B}[0m";
    let mut out = String::with_capacity(row.len());
    let mut open = "";
    let mut rest = row;
    while let Some(start) = rest.find('\u{1B}') {
        let (text, escape) = rest.split_at(start);
        out.push_str(text);
        let (escape, behind) = escape.split_at(escape.find('m').map_or(escape.len(), |end| end + 1));
        rest = behind;
        match (escape, !open.is_empty() && rest.starts_with(open)) {
            (CLOSE, true) => rest = &rest[open.len()..],
            (CLOSE, false) => (open, _) = ("", out.push_str(CLOSE)),
            _ => (open, _) = (escape, out.push_str(escape)),
        }
    }
    out + rest
}

/// A row in which the name of the source, with line and column, is the place.
fn named(row: &str, place: &str) -> String {
    match row.split_once(NAME) {
        Some((before, after)) => {
            format!("{before}{place}{}", after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':' || c == '?'))
        }
        None => row.to_owned(),
    }
}

/// A row whose margin, `old` columns for the number, is `new` columns wide and has the real number.
fn renumber(row: &str, old: usize, new: usize, numbers: &[Option<usize>]) -> String {
    let lead = row.len() - row.trim_start_matches(' ').len();
    let escape = match row.get(lead.min(1)..) {
        Some(rest) if rest.starts_with('\u{1B}') => rest.find('m').map_or(0, |end| end + 1),
        _ => 0,
    };
    let (before, rest) = row.split_at(lead.min(1) + escape);
    let end = rest.char_indices().nth(old).map_or(rest.len(), |(end, _)| end);
    let (field, rest) = rest.split_at(end);
    let number = field.trim().parse::<usize>().ok().and_then(|index| *numbers.get(index.checked_sub(1)?)?);
    match (number, field.chars().next()) {
        (Some(number), _) => format!("{before}{number:>new$}{rest}"),
        (None, Some(filler)) => format!("{before}{}{rest}", filler.to_string().repeat(new)),
        (None, None) => row.to_owned(),
    }
}

fn colour(hue: Hue) -> Color {
    match hue {
        Hue::Red => Color::Red,
        Hue::Yellow => Color::Yellow,
        Hue::Cyan => Color::Cyan,
        Hue::Plain => Color::Primary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;
    use proptest::prelude::*;

    const LOOK: Look = Look { colour: false, ascii: false, width: 80 };

    fn check(text: &str, parts: &[(&str, &str)], look: Look) -> Frame {
        let span = |part: &str| {
            let start = text.find(part).unwrap() as u32;
            Span { file: FileId(0), start, end: start + part.len() as u32 }
        };
        let marks: Vec<Mark<'_>> = parts.iter().map(|(part, text)| Mark { span: span(part), text, hue: Hue::Red }).collect();
        frame(&Masked::new(text, &[]), "x:1", &marks, "here", look)
    }

    #[test]
    fn numbers_are_those_of_the_file() {
        let text = format!("{}first\n\n\nsecond\n", "\n".repeat(1233));
        let frame = check(&text, &[("second", "b"), ("first", "a")], LOOK);
        let expect = [
            "      \u{256D}\u{2500}[ x:1 ]",
            " 1234 \u{2502} first",
            "      \u{2502} \u{2500}\u{2500}\u{252C}\u{2500}\u{2500}",
            "      \u{2502}   \u{2570}\u{2500}\u{2500}\u{2500}\u{2500} a",
            "      \u{2506}",
            " 1237 \u{2502} second",
            "      \u{2502} \u{2500}\u{2500}\u{2500}\u{252C}\u{2500}\u{2500}",
            "      \u{2502}    \u{2570}\u{2500}\u{2500}\u{2500}\u{2500} b",
            "\u{2500}\u{2500}\u{2500}\u{2500}\u{2500}\u{2500}\u{256F}",
        ];
        assert_eq!(frame.rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>(), expect);
        assert!(frame.untold.is_empty());
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let text = format!("{}a\tb\nc d e\n", "\n".repeat(98));
        let parts = [("c d e", "two"), ("b", "one")];
        let plain = check(&text, &parts, LOOK).rows;
        let bare = |row: &String| {
            row.split('\u{1B}')
                .enumerate()
                .map(|(n, part)| if n == 0 { part } else { &part[part.find('m').unwrap() + 1..] })
                .collect::<String>()
        };
        let coloured = check(&text, &parts, Look { colour: true, ..LOOK }).rows;
        assert_eq!(coloured.iter().map(bare).collect::<Vec<_>>(), plain);
        assert!(coloured.iter().any(|row| row.contains("\u{1B}[31mc d e\u{1B}[0m")));
    }

    #[test]
    fn what_has_no_room_is_told_elsewhere() {
        let long = "x".repeat(60);
        let frame = check(&format!("{long}\n{long} y\n"), &[(&long, &long), ("y", &long), (&long[1..3], "inside")], LOOK);
        assert_eq!(frame.untold, [0, 1, 2]);
        assert!(frame.rows.iter().any(|row| row.ends_with(" here")));
    }

    #[test]
    fn an_empty_place_is_drawn_once() {
        let spot = |start| Mark { span: Span { file: FileId(0), start, end: start }, text: "spot", hue: Hue::Red };
        for (text, start) in [("a\n\nb\n", 2), ("a\nbcd\n", 2), ("a\nbcd", 5), ("", 0)] {
            let rows = frame(&Masked::new(text, &[]), "x:1", &[spot(start)], "here", LOOK).rows;
            assert_eq!(rows.iter().filter(|row| row.contains("spot")).count(), 1, "{rows:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_framed_within_the_width(
            lines in prop::collection::vec("[ -~\u{3041}-\u{3093}\t\u{1B}\u{0C}\u{301}\u{3000}]{0,120}", 1..20),
            spans in prop::collection::vec((0u32..1500, 0u32..60, "[a-z\u{95A2}]{0,30}"), 1..5),
            columns in 40usize..100,
            ascii in any::<bool>(),
            colour in any::<bool>(),
        ) {
            let text = lines.join("\n");
            let mark = |(start, length, text): &(u32, u32, String)| (Span { file: FileId(0), start: *start, end: start + length }, text.clone());
            let spans: Vec<(Span, String)> = spans.iter().map(mark).collect();
            let marks: Vec<Mark<'_>> = spans.iter().map(|(span, text)| Mark { span: *span, text, hue: Hue::Plain }).collect();
            let masked = Masked::new(&text, &[]);
            let frame = frame(&masked, "x:1", &marks, "here", Look { colour, ascii, width: columns });
            prop_assert!(frame.rows.len() > 3);
            let told: Vec<usize> = marks.iter().map(|mark| masked.window(mark.span, 20).first_line()).collect();
            for row in &frame.rows {
                prop_assert!(colour || !row.contains(char::is_control), "{row:?}");
                prop_assert!(colour || width(row.trim_end()) <= columns, "{row:?}");
                if let Some(number) = row.split_whitespace().next().and_then(|word| word.parse::<usize>().ok()).filter(|_| !colour) {
                    prop_assert!(told.iter().any(|first| (*first..first + 12).contains(&number)), "{row:?}");
                }
            }
        }
    }
}
