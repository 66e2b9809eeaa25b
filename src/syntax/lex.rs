//! Words of a line, shared by the families. Every function takes the rest of a line and gives a slice of it, so that
//! spans come for free; a quote that is not closed ends at the end of what it was given.

use super::tree::Word;
use crate::source::SOFT_NEWLINE;
use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{take_while, take_while1},
    character::complete::char,
    combinator::{opt, recognize},
    multi::fold_many0,
    sequence::{delimited, pair, preceded},
};

/// Result of a lexer.
pub type Lexed<'t, T> = IResult<&'t str, T, ()>;

/// Blanks between words. A wrapped line's soft newline joins what stands around it and is no blank.
fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t' || c == '\r'
}

/// `blanks = *( SP / TAB / CR )`
pub fn blanks(i: &str) -> Lexed<'_, &str> {
    take_while(is_blank)(i)
}

/// Content of a quoted word: everything to the closing quote; `escape` takes the next character as it is.
fn quoted_body<'t>(quote: char, escape: Option<char>) -> impl Fn(&'t str) -> Lexed<'t, &'t str> {
    move |i: &'t str| {
        let mut escaped = false;
        for (at, c) in i.char_indices() {
            if escaped {
                escaped = false;
            } else if Some(c) == escape {
                escaped = true;
            } else if c == quote {
                return Ok((&i[at..], &i[..at]));
            }
        }
        Ok((&i[i.len()..], i))
    }
}

/// Undoes escapes and soft newlines; `None` when there are none.
fn cook(raw: &str, escape: Option<char>) -> Option<String> {
    if !raw.contains(|c| Some(c) == escape || c == SOFT_NEWLINE) {
        return None;
    }
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            SOFT_NEWLINE => {}
            c if Some(c) == escape => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    Some(out)
}

/// `block-word = DQUOTE *( char / "\" char ) DQUOTE / "'" *char "'" / 1*non-blank`
///
/// The words of nested-block exports (`config`/`edit`/`set`): double quotes with backslash escapes, single quotes for empty
/// texts, bare words to the next blank. A doubled opening quote before text (`""HTTPS"`) is one stray quote.
pub fn block_word(i: &str) -> Lexed<'_, Word<'_>> {
    let stray = recognize(pair(char('"'), nom::combinator::peek(preceded(char('"'), take_while1(|c| !is_blank(c) && c != '"')))));
    let double = preceded(opt(stray), delimited(char('"'), quoted_body('"', Some('\\')), opt(char('"'))));
    let single = delimited(char('\''), quoted_body('\'', None), opt(char('\'')));
    alt((
        double.map(|raw| Word { raw, cooked: cook(raw, Some('\\')), quoted: true }),
        single.map(|raw| Word { raw, cooked: cook(raw, None), quoted: true }),
        take_while1(|c| !is_blank(c) && c != '\n').map(|raw| Word { raw, cooked: cook(raw, None), quoted: false }),
    ))
    .parse(i)
}

/// `block-words = *( blanks block-word )`
pub fn block_words<'t>(i: &'t str, out: &mut Vec<Word<'t>>) {
    let mut collect = fold_many0(preceded(blanks, block_word), || (), |(), word| out.push(word));
    let _: Lexed<'t, ()> = collect.parse(i);
}

/// `command-word = 1*( escaped / quoted / other )` with `escaped = "\" char`, `quoted = DQUOTE *char DQUOTE / "'" *char "'"`
///
/// The words of command-line exports: quotes and escapes may stand inside a word, `#` outside of them begins a comment.
/// Fails at the end of the line and at a comment.
pub fn command_word(i: &str) -> Lexed<'_, Word<'_>> {
    let mut special = false;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    let mut end = i.len();
    for (at, c) in i.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            (escaped, special) = (true, true);
        } else if let Some(q) = quote {
            if c == q {
                quote = None;
            }
        } else if c == '"' || c == '\'' {
            (quote, special) = (Some(c), true);
        } else if is_blank(c) || c == '#' || c == '\n' {
            end = at;
            break;
        } else if c == SOFT_NEWLINE {
            special = true;
        }
    }
    if end == 0 {
        return Err(nom::Err::Error(()));
    }
    let raw = &i[..end];
    Ok((&i[end..], Word { raw, cooked: special.then(|| cook_command(raw)), quoted: false }))
}

/// Undoes quotes, escapes and soft newlines inside a command word.
fn cook_command(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut quote: Option<char> = None;
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (SOFT_NEWLINE, _) => {}
            ('\\', _) => out.extend(chars.next()),
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, _) => out.push(c),
        }
    }
    out
}

/// `command-words = *( blanks command-word )`
pub fn command_words<'t>(i: &'t str, out: &mut Vec<Word<'t>>) {
    let mut collect = fold_many0(preceded(blanks, command_word), || (), |(), word| out.push(word));
    let _: Lexed<'t, ()> = collect.parse(i);
}

/// `indent-word = DQUOTE *char DQUOTE / 1*non-blank`
///
/// The words of indented exports: bare words to the next blank; a double-quoted word only where its closing quote ends a word,
/// so that a quote inside a password stays what it is. Fails at the end of the line.
pub fn indent_word(i: &str) -> Lexed<'_, Word<'_>> {
    let ends = |rest: &str| rest.chars().next().is_none_or(|c| is_blank(c) || c == '\n');
    let quoted = i.strip_prefix('"').and_then(|body| {
        let at = body.find(['"', '\n']).filter(|at| body[*at..].starts_with('"'))?;
        let rest = &body[at + 1..];
        ends(rest).then_some((rest, &body[..at]))
    });
    if let Some((rest, raw)) = quoted {
        return Ok((rest, Word { raw, cooked: cook(raw, None), quoted: true }));
    }
    take_while1(|c| !is_blank(c) && c != '\n').map(|raw| Word { raw, cooked: cook(raw, None), quoted: false }).parse(i)
}

/// `indent-words = *( blanks indent-word )`
pub fn indent_words<'t>(i: &'t str, out: &mut Vec<Word<'t>>) {
    let mut collect = fold_many0(preceded(blanks, indent_word), || (), |(), word| out.push(word));
    let _: Lexed<'t, ()> = collect.parse(i);
}

/// Where a quoted word that begins at `at` ends (after its closing quote), and whether it was closed. A quote whose text goes on
/// over lines that look like statements has lost its partner: it ends with its line.
fn quote_end(text: &str, at: usize, end: usize) -> (usize, usize, bool) {
    let body = &text[at + 1..end];
    let bytes = body.as_bytes();
    let mut from = 0;
    let mut close = None;
    while let Some(n) = memchr::memchr2(b'"', b'\\', &bytes[from..]) {
        if bytes[from + n] == b'"' {
            close = Some(from + n);
            break;
        }
        // The character after a backslash is taken as it is.
        from = (from + n + 2).min(bytes.len());
    }
    let first_line = memchr::memchr(b'\n', bytes);
    let looks_lost = |close: usize| {
        let after = bytes.get(close + 1).copied().unwrap_or(b'\n');
        let inner = body.get(first_line.unwrap_or(0)..close).unwrap_or("");
        let statement = |l: &str| {
            let l = l.trim();
            l.ends_with([';', '{', '}']) || l.starts_with("set ") || l.starts_with("deactivate ") || l.ends_with("## SECRET-DATA")
        };
        !(after.is_ascii_whitespace() || matches!(after, b';' | b'{' | b'}' | b']')) || inner.lines().any(statement)
    };
    match (close, first_line) {
        (Some(close), Some(line)) if close > line && looks_lost(close) => (at + 1 + line, at + 1 + line, false),
        (Some(close), _) => (at + 1 + close, at + 1 + close + 1, true),
        (None, Some(line)) => (at + 1 + line, at + 1 + line, false),
        (None, None) => (end, end, false),
    }
}

fn quoted_word(text: &str, at: usize, end: usize) -> (usize, Word<'_>, bool) {
    let (stop, next, closed) = quote_end(text, at, end);
    let raw = if closed { &text[at + 1..stop] } else { text[at + 1..stop].trim_end_matches(['\r', ';', ' ']) };
    // What ends the statement after a lost quote is left to be read.
    let next = if closed { next } else { at + 1 + raw.len() };
    (next, Word { raw, cooked: cook(raw, Some('\\')), quoted: closed }, !closed)
}

/// `brace-word = DQUOTE *( char / "\" char ) DQUOTE / 1*( char except blank, ";", "{" and "}" )`
///
/// The words of curly-brace exports, from an offset; gives the offset after it and whether a quote was left open. `${name}` is one word.
pub fn brace_word(text: &str, at: usize, end: usize) -> (usize, Word<'_>, bool) {
    let bytes = text.as_bytes();
    if bytes[at] == b'"' {
        return quoted_word(text, at, end);
    }
    let mut stop = at;
    let mut variable = false;
    while stop < end {
        match bytes[stop] {
            b'{' if stop > at && bytes[stop - 1] == b'$' => variable = true,
            b'}' if variable => variable = false,
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b'}' => break,
            _ => {}
        }
        stop += 1;
    }
    // A byte that begins no word is taken alone, so that reading goes on.
    let stop = stop.max(at + 1);
    let raw = &text[at..stop];
    (stop, Word { raw, cooked: cook(raw, None), quoted: false }, false)
}

/// `line-word = DQUOTE *( char / "\" char ) DQUOTE / 1*non-blank`
///
/// The words of `set` lines, from an offset; gives the offset after it and whether a quote was left open.
pub fn line_word(text: &str, at: usize, end: usize) -> (usize, Word<'_>, bool) {
    if text.as_bytes()[at] == b'"' {
        let (next, word, unclosed) = quoted_word(text, at, end);
        let line = || memchr::memchr(b'\n', &text.as_bytes()[next..end]).map_or(end, |n| next + n);
        return (if unclosed { line() } else { next }, word, unclosed);
    }
    let stop = memchr::memchr3(b' ', b'\n', b'\t', &text.as_bytes()[at..end]).map_or(end, |n| at + n);
    let raw = text[at..stop].trim_end_matches('\r');
    (stop, Word { raw, cooked: cook(raw, None), quoted: false }, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(i: &str) -> Vec<String> {
        let mut out = Vec::new();
        block_words(i, &mut out);
        out.into_iter().map(|w| w.cooked.unwrap_or_else(|| w.raw.to_owned())).collect()
    }
    fn command(i: &str) -> Vec<String> {
        let mut out = Vec::new();
        command_words(i, &mut out);
        out.into_iter().map(|w| w.cooked.unwrap_or_else(|| w.raw.to_owned())).collect()
    }

    #[test]
    fn quotes_and_escapes_of_blocks() {
        assert_eq!(block(r#"set member "a b" "c\"d\\" e '' ""#), ["set", "member", "a b", "c\"d\\", "e", "", ""]);
    }

    #[test]
    fn one_stray_quote_costs_nothing() {
        assert_eq!(block(r#"set service ""HTTPS" "HTTP""#), ["set", "service", "HTTPS", "HTTP"]);
        assert_eq!(block(r#"set name "" x"#), ["set", "name", "", "x"]);
    }

    #[test]
    fn a_hash_starts_a_comment_unless_escaped_or_quoted() {
        assert_eq!(command("pp auth username u p\\#w # note"), ["pp", "auth", "username", "u", "p#w"]);
        assert_eq!(command("login password 'a #b'c"), ["login", "password", "a #bc"]);
        assert_eq!(command("ip filter 1 pass *#x"), ["ip", "filter", "1", "pass", "*"]);
    }

    #[test]
    fn a_wrapped_word_is_one_word() {
        assert_eq!(command("description 1 ab\u{1}cd"), ["description", "1", "abcd"]);
    }
}
