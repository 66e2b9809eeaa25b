//! Terminal noise: escape sequences, carriage returns, pager marks, prompts with their echoed commands.
//!
//! Not a terminal emulator and not a parser: it knows no dialect, and a line of configuration it is unsure about stays.
//! Invariant: the cleaned text has the byte length of the input, and every character boundary of the input is one of
//! the cleaned text, so that a span taken from either means the same place in both. Noise becomes spaces; where the
//! device wrote a new line behind noise (a pager erases its mark and goes on in the same line) the last byte of the
//! noise becomes a newline, so that indentation stays true. Lines and columns are counted in the input, never here.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::pager::{TSUZUKU, pager_mark};
use super::prompt;

/// A text without noise, as long as the text it came from.
pub struct Cleaned<'a> {
    /// The input itself when nothing in it was noise.
    pub text: Cow<'a, str>,
}

impl fmt::Debug for Cleaned<'_> {
    /// Shows no content: a configuration is full of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleaned").field("bytes", &self.text.len()).field("changed", &matches!(self.text, Cow::Owned(_))).finish()
    }
}

/// Overwrites the noise of a terminal capture. Comment lines that start with `#` in the first column are never touched.
pub fn clean(text: &str) -> Cleaned<'_> {
    let mut page = Page { text, washed: None };
    wash_controls(&mut page);
    wash_marks(&mut page);
    prompt::blank_prompts(&mut page);
    let text = match page.washed {
        None => Cow::Borrowed(text),
        // Whole characters are overwritten only, so this is valid UTF-8; if it were not, uncleaned is better than lost.
        Some(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned),
    };
    Cleaned { text }
}

/// The text being cleaned; copied when the first byte is overwritten.
pub(super) struct Page<'a> {
    text: &'a str,
    washed: Option<Vec<u8>>,
}

impl Page<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        self.washed.as_deref().unwrap_or(self.text.as_bytes())
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.washed.get_or_insert_with(|| self.text.as_bytes().to_vec())
    }

    /// Overwrites a range, which must start and end on character boundaries, with spaces. Newlines stay.
    pub(super) fn blank(&mut self, start: usize, end: usize) {
        for byte in self.bytes_mut().get_mut(start..end).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }

    /// Where the line of a place starts, if that is not more than `most` bytes before it.
    fn line_start(&self, place: usize, most: usize) -> Option<usize> {
        let floor = place.saturating_sub(most);
        match memrchr(b'\n', self.bytes().get(floor..place)?) {
            Some(newline) => Some(floor + newline + 1),
            None => (floor == 0 || self.bytes().get(floor - 1) == Some(&b'\n')).then_some(floor),
        }
    }

    /// The range of the line around a place, without its newline.
    pub(super) fn line_around(&self, place: usize) -> (usize, usize) {
        let bytes = self.bytes();
        let start = bytes.get(..place).and_then(|before| memrchr(b'\n', before)).map_or(0, |newline| newline + 1);
        let end = bytes.get(place..).and_then(|behind| memchr(b'\n', behind)).map_or(bytes.len(), |newline| place + newline);
        (start, end)
    }
}

/// Bytes that only a terminal means: NUL, SOH (which is the soft newline of [`super::SOFT_NEWLINE`] from here on), BEL,
/// BS, CR, XON, XOFF, ESC. ETX is none: it delimits banners.
pub(super) fn is_control(byte: u8) -> bool {
    matches!(byte, 0x00 | 0x01 | 0x07 | 0x08 | b'\r' | 0x11 | 0x13 | ESC)
}

const ESC: u8 = 0x1B;

/// Whether there is anything below space but newlines and tabs. Written so that it runs at memory speed.
fn may_have_controls(bytes: &[u8]) -> bool {
    bytes.chunks(256).any(|chunk| chunk.iter().fold(false, |found, &byte| found | ((byte < 0x20) & (byte != b'\n') & (byte != b'\t'))))
}

fn wash_controls(page: &mut Page<'_>) {
    let text = page.text.as_bytes();
    if !may_have_controls(text) {
        return;
    }
    let mut start = 0;
    for end in memchr_iter(b'\n', text).chain([text.len()]) {
        let line = text.get(start..end).unwrap_or_default();
        match line.split_last() {
            Some((b'\r', rest)) if !may_have_controls(rest) => page.blank(end - 1, end),
            _ if line.iter().any(|&byte| is_control(byte)) => wash_line(page, start, end),
            _ => {}
        }
        start = end + 1;
    }
}

/// Pager marks that no control byte stands beside, suffix marks, and byte order marks inside the text.
fn wash_marks(page: &mut Page<'_>) {
    for needle in ["More", "more", "MORE", TSUZUKU, "any key"] {
        let places: Vec<usize> = memmem::find_iter(page.bytes(), needle)
            .filter(|&place| matches!(page.bytes().get(place.wrapping_sub(1)), None | Some(b'-' | b' ' | b'(' | b'\n')))
            .collect();
        for place in places {
            // The mark is within the first bytes of its line; looking no further keeps long lines cheap.
            if page.line_start(place, 64).is_some() {
                let (start, end) = page.line_around(place);
                wash_line(page, start, end);
            }
        }
    }
    // `show | grep -f` marks the lines it found at their end.
    let places: Vec<usize> = memmem::find_iter(page.bytes(), " <---").collect();
    for place in places {
        let behind = page.bytes().get(place + 5..).unwrap_or_default();
        let at_end = behind.iter().find(|&&byte| byte != b' ' && byte != b'\t').is_none_or(|&byte| byte == b'\n');
        let before = page.line_start(place, 64).and_then(|start| page.bytes().get(start..place));
        if at_end && !before.is_some_and(|before| before.trim_ascii().is_empty()) {
            page.blank(place, place + 5);
        }
    }
    let places: Vec<usize> = memmem::find_iter(page.bytes(), MARK).collect();
    for place in places {
        match page.line_start(place, 0) {
            Some(start) => {
                let (_, end) = page.line_around(place);
                wash_line(page, start, end);
            }
            None => page.blank(place, place + MARK.len()),
        }
    }
}

/// A byte order mark, in the middle where files were joined.
const MARK: &[u8] = "\u{FEFF}".as_bytes();

/// What stands before the first real byte of a line.
struct Lead {
    length: usize,
    noisy: bool,
    /// The white space that is really there once the terminal has carried out the controls.
    indent: Vec<u8>,
}

/// No terminal is wider; more cursor movement than this is not indentation.
const WIDEST: usize = 512;

fn lead(line: &[u8]) -> Lead {
    let mut lead = Lead { length: 0, noisy: false, indent: Vec::new() };
    // After a mark without controls (a log of printable characters) the erasing spaces are still there: nine of them.
    let mut erasing = 0;
    while let Some(&byte) = line.get(lead.length) {
        let rest = line.get(lead.length..).unwrap_or_default();
        if byte == b' ' && erasing > 0 {
            erasing -= 1;
            lead.length += 1;
        } else if byte == b' ' || byte == b'\t' {
            lead.indent.push(byte);
            lead.length += 1;
        } else if is_control(byte) {
            let (length, motion) = control(rest);
            match motion {
                Motion::None => {}
                Motion::Home => lead.indent.clear(),
                Motion::Left(columns) => lead.indent.truncate(lead.indent.len().saturating_sub(columns)),
                Motion::Right(columns) => lead.indent.extend(std::iter::repeat_n(b' ', columns)),
            }
            lead.indent.truncate(WIDEST);
            lead.length += length;
            lead.noisy = true;
            erasing = 0;
        } else if let Some(length) = pager_mark(rest) {
            lead.length += length;
            lead.noisy = true;
            lead.indent.clear();
            let next = line.get(lead.length..).unwrap_or_default().iter().find(|&&byte| byte != b' ');
            erasing = if next.is_some_and(|&byte| is_control(byte)) { 0 } else { 9 };
        } else if rest.starts_with(MARK) {
            lead.length += MARK.len();
            lead.noisy = true;
        } else {
            break;
        }
    }
    lead
}

/// Cleans the line `start..end`. What a lone carriage return overwrites stays as a line of its own.
fn wash_line(page: &mut Page<'_>, start: usize, end: usize) {
    let mut start = start;
    while start < end {
        let line = page.bytes().get(start..end).unwrap_or_default();
        let Lead { length, noisy, indent } = lead(line);
        if noisy {
            page.blank(start, start + length);
            if start + length < end {
                let keep = indent.len().min(length - 1);
                let newline = start + length - 1 - keep;
                let bytes = page.bytes_mut();
                if let Some(byte) = bytes.get_mut(newline) {
                    *byte = b'\n';
                }
                if let (Some(place), Some(white)) = (bytes.get_mut(newline + 1..start + length), indent.get(indent.len() - keep..)) {
                    place.copy_from_slice(white);
                }
            }
        }
        start = wash_rest(page, start + length, end);
    }
}

/// Blanks controls from `start` on, up to a carriage return with more text behind it; returns where to go on.
fn wash_rest(page: &mut Page<'_>, start: usize, end: usize) -> usize {
    let mut place = start;
    while place < end {
        let rest = page.bytes().get(place..end).unwrap_or_default();
        let Some(next) = rest.iter().position(|&byte| is_control(byte)) else { break };
        let rest = rest.get(next..).unwrap_or_default();
        let is_return = rest.first() == Some(&b'\r');
        let (length, _) = control(rest);
        place += next;
        if is_return && !has_content(rest) {
            page.blank(place, end);
            return end;
        }
        if is_return {
            if let Some(byte) = page.bytes_mut().get_mut(place) {
                *byte = b'\n';
            }
            return place + 1;
        }
        page.blank(place, place + length);
        place += length;
    }
    end
}

/// Whether anything but white space and controls follows.
pub(super) fn has_content(mut rest: &[u8]) -> bool {
    while let Some(&byte) = rest.first() {
        let length = match byte {
            b' ' | b'\t' => 1,
            _ if is_control(byte) => control(rest).0,
            _ => return true,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

enum Motion {
    None,
    Home,
    Left(usize),
    Right(usize),
}

/// The length of the control or escape sequence at the head of `rest`, and where it moves the cursor in its line.
/// ECMA-48: CSI is ESC `[`, parameters 0x30-0x3F, intermediates 0x20-0x2F, a final byte 0x40-0x7E.
fn control(rest: &[u8]) -> (usize, Motion) {
    let at = |place: usize| rest.get(place).copied().unwrap_or(b'\n');
    match at(0) {
        b'\r' => return (1, Motion::Home),
        0x08 => return (1, Motion::Left(1)),
        ESC => {}
        _ => return (1, Motion::None),
    }
    match at(1) {
        b'[' => {
            let mut length = 2;
            while length < 64 && matches!(at(length), 0x20..=0x3F) {
                length += 1;
            }
            let columns = || -> usize {
                let digits = rest.get(2..length).and_then(|digits| std::str::from_utf8(digits).ok());
                digits.and_then(|digits| digits.parse().ok()).unwrap_or(1).min(200)
            };
            match at(length) {
                b'D' => (length + 1, Motion::Left(columns())),
                b'C' => (length + 1, Motion::Right(columns())),
                b'E' | b'F' | b'G' | b'H' | b'f' | b'`' => (length + 1, Motion::Home),
                0x40..=0x7E => (length + 1, Motion::None),
                _ => (length, Motion::None),
            }
        }
        // An operating system command (a window title) ends with BEL or ESC `\`, and never at a newline.
        b']' => {
            let end = rest.iter().take(512).position(|&byte| byte == 0x07 || byte == b'\n').unwrap_or(2);
            let end = if rest.get(end) == Some(&0x07) { end + 1 } else { 2 };
            match memmem::find(rest.get(..512.min(rest.len())).unwrap_or_default(), b"\x1B\\") {
                Some(stop) if end == 2 && memchr(b'\n', rest.get(..stop).unwrap_or_default()).is_none() => (stop + 2, Motion::None),
                _ => (end, Motion::None),
            }
        }
        b'(' | b')' | b'#' if at(2).is_ascii_alphanumeric() => (3, Motion::None),
        b'7' | b'8' | b'=' | b'>' | b'c' | b'D' | b'E' | b'H' | b'M' | b'N' | b'O' | b'Z' => (2, Motion::None),
        _ => (1, Motion::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The lines of the cleaned text that are not blank, without trailing spaces; the invariant is checked on the way.
    fn reads(text: &str) -> Vec<String> {
        let cleaned = clean(text).text;
        assert_eq!(cleaned.len(), text.len());
        assert!(text.char_indices().all(|(place, _)| cleaned.is_char_boundary(place)));
        cleaned.lines().map(|line| line.trim_ascii_end().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    fn untouched(text: &str) {
        assert!(matches!(clean(text).text, Cow::Borrowed(_)), "{:?} became {:?}", text, clean(text).text);
    }

    #[test]
    fn clean_text_is_borrowed() {
        untouched("#config-version=FGT60F-7.4.4-FW-build2573-240101:opmode=0\nconfig system global\n    set hostname \"本社\"\nend\n");
        untouched("");
    }

    #[test]
    fn carriage_returns_become_spaces() {
        assert_eq!(clean("set a\r\nset b\r\r\n").text, "set a \nset b  \n");
        assert_eq!(clean("set a\r\0\nset b\r").text, "set a  \nset b ");
    }

    #[test]
    fn a_lone_carriage_return_starts_a_line() {
        assert_eq!(reads("set a\rset b\rset c"), ["set a", "set b", "set c"]);
    }

    #[test]
    fn a_pager_mark_that_was_erased_leaves_the_indentation() {
        for erased in [
            " --More-- \x08\x08\x08\x08\x08\x08\x08\x08\x08        \x08\x08\x08\x08\x08\x08\x08\x08\x08",
            "--More--\r         \r",
            "<--- More --->\r              \r",
            "---(more 12%)---\r                                        \r",
            "---つづく---\r             \r",
            "  ---- More ----\x1B[42D                                          \x1B[42D",
            "--More--\x1B[2K\r",
            "\x1B[7m--More--\x1B[27m\x08\x08\x08\x08\x08\x08\x08\x08        \x08\x08\x08\x08\x08\x08\x08\x08",
            "lines 1-23\r\x1B[K",
            "lines 24-46/180 12%\x1B[1G\x1B[K",
            " --More-- (45%) \r                 \r",
            " --More--         ",
        ] {
            let text = format!("interface Vlan1\r\n{erased} ip address 192.0.2.1\r\n{erased}interface Vlan2\r\n");
            assert_eq!(reads(&text), ["interface Vlan1", " ip address 192.0.2.1", "interface Vlan2"], "{erased:?}");
        }
    }

    #[test]
    fn a_pager_mark_on_its_own_line_is_blanked() {
        for mark in [
            "--More--",
            " -- More -- ",
            "---- More ----",
            "---(more 12%)---",
            "---(more)---",
            "--- つづく ---",
            "<--- More --->",
            "--More--(10%)",
            "-- MORE --, next page: Space, next line: Enter, quit: Control-C",
            "--More-- or (q)uit",
            "Press any key to continue (Q to quit)",
            "More: <space>,  Quit: q or CTRL+Z, One line: <return> ",
        ] {
            assert_eq!(reads(&format!("set a\n{mark}\nset b\n")), ["set a", "set b"], "{mark}");
        }
    }

    #[test]
    fn words_about_more_stay() {
        untouched("description two or more hosts -- more --\n");
        untouched("# --More--\n");
        untouched("set comment \"--- more than one ---\"\n- more -\n--more\n<-- more\n");
        untouched(" Press any key to continue, or call us\nlines 1-23\n");
    }

    #[test]
    fn escape_sequences_go() {
        assert_eq!(reads("\x1B[0m\x1B[01;31minterface\x1B[0m wan1\n  \x1B[32mip address\x1B[m\n"), ["interface     wan1", "  ip address"]);
        assert_eq!(reads("\x1B]0;fw1 title\x07set a\n\x1B]0;本社\x1B\\set b\n\x1B(B\x1B[?25lset c\n"), ["set a", "set b", "set c"]);
        assert_eq!(reads("\x1B[24;1H\x1B[2K\x1B[24;1Hvlan 1\n\x1B[3C name\n\x1B"), ["vlan 1", "    name"]);
    }

    #[test]
    fn an_unfinished_escape_takes_no_text() {
        assert_eq!(reads("\x1B]0;title\nset a\n\x1B[12\nset b"), ["0;title", "set a", "set b"]);
    }

    #[test]
    fn the_character_that_delimits_banners_stays() {
        untouched("banner motd \x03\nauthorised only\n\x03\nend\n");
    }

    #[test]
    fn soft_newlines_of_the_file_itself_go() {
        assert_eq!(clean("set\u{1}a\n").text, "set a\n");
    }

    #[test]
    fn byte_order_marks_inside_go() {
        assert_eq!(reads("end\n\u{FEFF}config system global\n    set a \u{FEFF}b\n"), ["end", "config system global", "    set a    b"]);
    }

    #[test]
    fn marks_of_a_search_go_and_arrows_stay() {
        assert_eq!(reads("edit 1 <---\n    set name \"x\" <---\r\n"), ["edit 1", "    set name \"x\""]);
        untouched("set comment \"in <--- out\"\n<!-- a -->\n <---\n");
    }

    #[test]
    fn debug_shows_no_content() {
        assert!(!format!("{:?}", clean("password hunter2")).contains("hunter2"));
    }

    #[test]
    fn long_runs_of_noise_stay_linear() {
        for part in ["\r", "a\r", "\x08", "\x1B[200C", "--More--", " more", " <---", "\u{FEFF}", "\x1B]", "x# show", "[", "\x1B[1;1;1;1"] {
            clean(&part.repeat(200_000));
        }
    }

    proptest! {
        #[test]
        fn cleaning_keeps_length_and_boundaries(parts in prop::collection::vec(prop_oneof![
            "[ -~あ-ん]{0,12}", Just("\r".to_owned()), Just("\n".to_owned()), Just("\x08".to_owned()), Just("\x1B[".to_owned()), Just("12D".to_owned()),
            Just("--More--".to_owned()), Just("--- つづく ---".to_owned()), Just("\nfw1 # show\n".to_owned()), Just("\nuser@fw1> ".to_owned()), Just(" <---\n".to_owned()),
            Just("\u{FEFF}".to_owned()), Just("\x1B]0;関所".to_owned()), Just("\x07".to_owned()), any::<char>().prop_map(String::from),
        ], 0..40)) {
            let text = parts.concat();
            let cleaned = clean(&text).text.into_owned();
            prop_assert_eq!(cleaned.len(), text.len());
            for (place, character) in text.char_indices() {
                prop_assert!(cleaned.is_char_boundary(place));
                // A byte is what it was, or blank, or an added line start; line starts of the input stay.
                let now = cleaned[place..].chars().next();
                prop_assert!(now == Some(character) || matches!(now, Some(' ' | '\n' | '\t')));
                prop_assert!(character != '\n' || now == Some('\n'));
            }
            prop_assert_eq!(clean(&cleaned).text.into_owned().len(), cleaned.len());
        }

        #[test]
        fn a_statement_keeps_its_place(name in "[a-zあ-ん]{1,10}", before in "[a-z \r\x08あ-ん]{0,30}") {
            let statement = format!("set hostname \"{name}\"");
            let text = format!("{before}\r\n--More--\r        \r    {statement}\r\nend\r\n");
            let cleaned = clean(&text).text;
            let place = text.find(&statement).unwrap();
            prop_assert_eq!(&cleaned[place..place + statement.len()], statement.as_str());
            let line = cleaned.lines().find(|line| line.contains(&statement)).unwrap();
            prop_assert_eq!(line.trim_end(), format!("    {statement}"));
        }
    }
}
