//! Pager marks: what a terminal prints when a screen is full, and erases when it goes on.
//!
//! Not a search: a mark is looked for at the start of a line only, where no statement starts so.

use memchr::{memchr, memmem};

use super::noise::{has_content, is_control};

/// "To be continued" in hiragana (tsuzuku): the mark of Japanese routers.
pub(super) const TSUZUKU: &str = "\u{3064}\u{3065}\u{304F}";

/// The length of a pager's mark at the head of `rest`: `--More--`, `-- More --`, `---- More ----`, `--More--(12%)`,
/// `---(more 12%)---`, `<--- More --->`, the same with [`TSUZUKU`], and the whole-line forms of others.
pub(super) fn pager_mark(rest: &[u8]) -> Option<usize> {
    let dashes = |from: usize| rest.iter().skip(from).take_while(|&&byte| byte == b'-').count();
    let spaces = |from: usize| rest.iter().skip(from).take_while(|&&byte| byte == b' ').take(2).count();
    let starts = |from: usize, word: &str| {
        rest.get(from..from + word.len()).is_some_and(|here| here.eq_ignore_ascii_case(word.as_bytes())).then_some(from + word.len())
    };
    match rest.first()? {
        b'-' => {
            let first = dashes(0);
            if first < 2 {
                return None;
            }
            if rest.get(first) == Some(&b'(') {
                let close = first + rest.iter().skip(first).take(40).position(|&byte| byte == b')')?;
                let inside = rest.get(first..close)?.to_ascii_lowercase();
                let last = dashes(close + 1);
                return (memmem::find(&inside, b"more").is_some() && last >= 2).then_some(close + 1 + last);
            }
            let word = first + spaces(first);
            let behind = starts(word, "more").or_else(|| starts(word, TSUZUKU))?;
            let last = behind + spaces(behind);
            let end = last + dashes(last);
            if end < last + 2 {
                return None;
            }
            Some(percentage(rest, end).or_else(|| HINTS.iter().find_map(|hint| starts(end, hint))).unwrap_or(end))
        }
        b'<' => {
            let first = 1 + dashes(1);
            let behind = starts(first + spaces(first), "more")?;
            let last = behind + spaces(behind);
            let end = last + dashes(last);
            (first >= 2 && end > last && rest.get(end) == Some(&b'>')).then_some(end + 1)
        }
        b'P' | b'M' => {
            let end = WHOLE_LINES.iter().find_map(|whole| starts(0, whole))?;
            (!has_content(rest.get(end..)?)).then_some(end)
        }
        b'l' => less_status(rest),
        _ => None,
    }
}

/// What some pagers add behind their mark.
const HINTS: [&str; 2] = [", next page: Space, next line: Enter, quit: Control-C", " or (q)uit"];

/// Pager lines that are no marks in dashes; the longer first.
const WHOLE_LINES: [&str; 4] = [
    "Press any key to continue (Q to quit)",
    "Press any key to continue...",
    "Press any key to continue",
    "More: <space>,  Quit: q or CTRL+Z, One line: <return>",
];

/// `(12%)` behind a mark.
fn percentage(rest: &[u8], from: usize) -> Option<usize> {
    let open = from + rest.iter().skip(from).take_while(|&&byte| byte == b' ').take(1).count();
    let inside = rest.get(open..)?.strip_prefix(b"(")?;
    let digits = inside.iter().take_while(|byte| byte.is_ascii_digit()).count();
    inside.get(digits..)?.starts_with(b"%)").then_some(open + digits + 3)
}

/// `lines 1-23/180 12%` of a full-screen pager: sure only when the terminal erases it, that is before a control.
fn less_status(rest: &[u8]) -> Option<usize> {
    let range = rest.strip_prefix(b"lines ")?;
    let length = range.iter().take(32).take_while(|&&byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'/' | b' ' | b'%')).count();
    let has_range = range.first().is_some_and(u8::is_ascii_digit) && memchr(b'-', range.get(..length)?).is_some();
    (has_range && range.get(length).is_some_and(|&byte| is_control(byte))).then_some(6 + length)
}
