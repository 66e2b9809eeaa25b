//! Predicate text to tokens, each with its byte range. Blanks and `//` comments fall away.
//!
//! The first mistake ends the lexing. Tokens never overlap, follow the order of the text, and lie on character boundaries.

use crate::rule::error::{Key, RuleError, keys};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while, take_while1};
use nom::character::complete::{char, none_of, satisfy};
use nom::combinator::{cut, opt, peek, recognize, value};
use nom::error::{ErrorKind, FromExternalError, ParseError};
use nom::multi::{fold_many0, many0_count};
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};
use std::ops::Range;

/// Longest predicate, in bytes; bounds every later stage.
pub(super) const LONGEST: usize = 8192;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A name, `true`, `false` and `in` included.
    Name(&'a str),
    /// A number without sign.
    Int(i64),
    /// A text without its quotes.
    Text(String),
    /// An operator or bracket.
    Symbol(&'static str),
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<'a> {
    pub(super) token: Token<'a>,
    pub(super) span: Range<usize>,
}

/// All tokens of a predicate.
pub(super) fn tokens(source: &str) -> Result<Vec<Placed<'_>>, RuleError> {
    if source.len() > LONGEST {
        return Err(RuleError::new(keys::PREDICATE_TOO_LONG, 0..0, [&LONGEST.to_string()]));
    }
    let mut out = Vec::new();
    let mut rest = skipped(source);
    while !rest.is_empty() {
        let start = source.len() - rest.len();
        let (after, found) = token(rest).map_err(|e| mistake(source, rest, e))?;
        out.push(Placed { token: found, span: start..source.len() - after.len() });
        rest = skipped(after);
    }
    Ok(out)
}

/// What is wrong, and the text from there on.
struct Fault<'a> {
    rest: &'a str,
    key: Option<Key>,
}

type PResult<'a, T> = IResult<&'a str, T, Fault<'a>>;

impl<'a> ParseError<&'a str> for Fault<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Fault { rest, key: None }
    }
    fn append(_: &'a str, _: ErrorKind, first: Self) -> Self {
        first
    }
}

impl<'a> FromExternalError<&'a str, Key> for Fault<'a> {
    fn from_external_error(rest: &'a str, _: ErrorKind, key: Key) -> Self {
        Fault { rest, key: Some(key) }
    }
}

/// `token = name | int | text | symbol`
fn token(i: &str) -> PResult<'_, Token<'_>> {
    alt((name.map(Token::Name), int.map(Token::Int), text.map(Token::Text), symbol.map(Token::Symbol))).parse(i)
}

/// `name = (letter | "_") (letter | digit | "_")*`
fn name(i: &str) -> PResult<'_, &str> {
    recognize(pair(satisfy(|c| c.is_ascii_alphabetic() || c == '_'), take_while(is_name_part))).parse(i)
}

/// `int = digit+ | "0x" hex-digit+`
fn int(i: &str) -> PResult<'_, i64> {
    let digit = satisfy(|c| c.is_ascii_digit());
    let value = take_while1(is_name_part).map_res(|word: &str| {
        let (digits, radix) = word.strip_prefix("0x").map_or((word, 10), |hex| (hex, 16));
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return Err(keys::NUMBER_MALFORMED);
        }
        i64::from_str_radix(digits, radix).map_err(|_| keys::NUMBER_TOO_LARGE)
    });
    preceded(peek(digit), cut(value)).parse(i)
}

/// `text = '"' part* '"' | "'" part* "'"`, `part = character | "\" ("\" | '"' | "'")`; a text ends on its line
fn text(i: &str) -> PResult<'_, String> {
    fn quoted<'a>(quote: char, others: &'static str) -> impl Parser<&'a str, Output = String, Error = Fault<'a>> {
        let escape = preceded(char('\\'), cut(raised(keys::UNKNOWN_ESCAPE, satisfy(|c| matches!(c, '\\' | '"' | '\'')))));
        let part = alt((escape, none_of(others)));
        let parts = fold_many0(part, String::new, |mut text: String, c| {
            text.push(c);
            text
        });
        delimited(char(quote), parts, cut(raised(keys::TEXT_NOT_CLOSED, char(quote))))
    }
    alt((quoted('"', "\"\\\r\n"), quoted('\'', "'\\\r\n"))).parse(i)
}

/// `symbol`: longer ones first
fn symbol(i: &str) -> PResult<'_, &'static str> {
    const SYMBOLS: &[&str] = &["||", "&&", "==", "!=", "<=", ">=", "<", ">", "!", "?", ":", "(", ")", "[", "]", ",", ".", "-"];
    match SYMBOLS.iter().copied().find(|s| i.starts_with(s)) {
        Some(found) => value(found, tag(found)).parse(i),
        None => Err(nom::Err::Error(Fault { rest: i, key: None })),
    }
}

/// The text after blanks and comments.
fn skipped(i: &str) -> &str {
    let blank = take_while1::<_, _, Fault<'_>>(|c: char| c.is_ascii_whitespace());
    let comment = preceded(tag("//"), opt(take_till(|c| c == '\n')).map(Option::unwrap_or_default));
    many0_count(alt((blank, comment))).parse(i).map_or(i, |(rest, _)| rest)
}

fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The same parser; where it does not match, the mistake is `key`.
fn raised<'a, T>(key: Key, mut parser: impl Parser<&'a str, Output = T, Error = Fault<'a>>) -> impl FnMut(&'a str) -> PResult<'a, T> {
    move |i| parser.parse(i).map_err(|_| nom::Err::Error(Fault { rest: i, key: Some(key) }))
}

/// The diagnostic for a failed token that began at `rest`.
fn mistake(source: &str, rest: &str, error: nom::Err<Fault<'_>>) -> RuleError {
    let start = source.len() - rest.len();
    let (at, key) = match error {
        nom::Err::Error(f) | nom::Err::Failure(f) => (source.len() - f.rest.len(), f.key),
        nom::Err::Incomplete(_) => (start, None),
    };
    let one = |from: usize| from..from + source[from..].chars().next().map_or(0, char::len_utf8);
    match key {
        Some(key) if key.name == keys::TEXT_NOT_CLOSED.name => RuleError::new(key, start..at, []),
        Some(key) if key.name == keys::UNKNOWN_ESCAPE.name => RuleError::new(key, at..one(at).end, [&source[one(at)]]),
        Some(key) => {
            let word = &rest[..rest.find(|c| !is_name_part(c)).unwrap_or(rest.len())];
            RuleError::new(key, start..start + word.len(), [word])
        }
        None => {
            let found = &source[one(start)];
            let error = RuleError::new(keys::UNKNOWN_CHARACTER, one(start), [found]);
            match found {
                "=" => error.meaning("=="),
                "&" => error.meaning("&&"),
                "|" => error.meaning("||"),
                _ => error,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[Token<'_>]) {
        let found: Vec<Token<'_>> = tokens(source).unwrap().into_iter().map(|p| p.token).collect();
        assert_eq!(found, expected);
    }

    fn fails(source: &str, key: &str, at: &str) {
        let error = tokens(source).unwrap_err();
        assert_eq!((error.key, &source[error.span.clone()]), (key, at));
    }

    #[test]
    fn tokens_follow_the_text() {
        use Token::{Int, Name, Symbol, Text};
        check("a.b<=10", &[Name("a"), Symbol("."), Name("b"), Symbol("<="), Int(10)]);
        check("x // y\n== 0x1F", &[Name("x"), Symbol("=="), Int(31)]);
        check(r#""a\"b" in ['c']"#, &[Text("a\"b".into()), Name("in"), Symbol("["), Text("c".into()), Symbol("]")]);
        check(" // only a comment", &[]);
    }

    #[test]
    fn mistakes_point_at_their_place() {
        fails("a = b", "unknown_character", "=");
        fails("a \u{95a2} b", "unknown_character", "\u{95a2}");
        fails("a == \"b", "text_not_closed", "\"b");
        fails("a == \"b\nc\"", "text_not_closed", "\"b");
        fails(r#"a == "b\n""#, "unknown_escape", "n");
        fails("12ab", "number_malformed", "12ab");
        fails("99999999999999999999", "number_too_large", "99999999999999999999");
        fails(&" ".repeat(LONGEST + 1), "predicate_too_long", "");
    }

    #[test]
    fn a_single_equals_sign_suggests_the_double_one() {
        assert_eq!(tokens("a = b").unwrap_err().meant.as_deref(), Some("=="));
    }
}
