//! Bytes to text: encodings, containers, terminal noise, lines and columns, and the one door through which configuration text leaves.
//!
//! Knows no syntax, no dialect and nothing else of the crate. Invariants: every offset counts bytes of the *decoded*
//! text, and the cleaned text that parsers read has the same offsets; only [`LineIndex`] turns them into lines and
//! columns; only [`Masked`] carries text to an output; nothing here shows content through `Debug`.

mod container;
mod decode;
mod excerpt;
mod line_index;
mod noise;
mod occurrence;
mod pager;
mod prompt;
mod shell;
mod span;
mod wrap;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use memchr::memchr_iter;

pub use container::{ContainerError, ContainerProblem, Limits, Member, Opened, open};
pub use decode::{Decoded, Encoding, decode, looks_binary};
pub use excerpt::{Excerpt, Masked, visible};
pub use line_index::{LineIndex, Position};
pub use noise::{Cleaned, clean};
pub use occurrence::occurrences;
pub use span::{FileId, Span};
pub use wrap::{SOFT_NEWLINE, soften_wraps};

/// A file as the rest of the program sees it: decoded, cleaned, with its lines found when somebody asks.
pub struct Source {
    id: FileId,
    name: String,
    text: String,
    /// The cleaned text where it differs from `text`.
    cleaned: Option<String>,
    encoding: Encoding,
    replaced: usize,
    lines: OnceLock<LineIndex>,
}

impl fmt::Debug for Source {
    /// Shows no content: a configuration is full of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("id", &self.id).field("name", &self.name).field("bytes", &self.text.len()).finish()
    }
}

/// Why a file is not read at all. The words for it are in the user interface's table, under [`key`](Self::key).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// No text in any encoding: an encrypted backup, or a binary file.
    Binary,
    /// More than 4 GiB of text.
    TooLarge,
}

impl Refusal {
    /// The stable key of the situation.
    pub fn key(self) -> &'static str {
        match self {
            Refusal::Binary => "source.binary",
            Refusal::TooLarge => "source.too-large",
        }
    }
}

/// A file that is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file, named as members are.
    pub name: String,
    /// Why.
    pub refusal: Refusal,
}

impl Source {
    /// Decodes and cleans a member of [`open`].
    pub fn from_member(id: FileId, member: Member) -> Result<Source, Refused> {
        let Member { name, content } = member;
        if looks_binary(&content) {
            return Err(Refused { name, refusal: Refusal::Binary });
        }
        let Decoded { text, encoding, replaced } = decode(content);
        if u32::try_from(text.len()).is_err() {
            return Err(Refused { name, refusal: Refusal::TooLarge });
        }
        let cleaned = match clean(&text).text {
            Cow::Borrowed(_) => None,
            Cow::Owned(cleaned) => Some(cleaned),
        };
        Ok(Source { id, name, text, cleaned, encoding, replaced, lines: OnceLock::new() })
    }

    /// The index of the file in the run.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// The name to show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The decoded text, as it is: for lines, columns and excerpts.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text to parse: terminal noise overwritten, every offset the same as in [`text`](Self::text).
    pub fn clean(&self) -> &str {
        self.cleaned.as_deref().unwrap_or(&self.text)
    }

    /// What the bytes were read as.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How many places could not be decoded.
    pub fn replaced(&self) -> usize {
        self.replaced
    }

    /// Where the lines of the text start; found at the first call.
    pub fn lines(&self) -> &LineIndex {
        self.lines.get_or_init(|| LineIndex::new(&self.text))
    }

    /// Line and column, in characters, of a byte offset.
    pub fn position(&self, offset: u32) -> Position {
        self.lines().position(&self.text, offset)
    }

    /// The span of a slice of [`clean`](Self::clean) or [`text`](Self::text).
    pub fn span(&self, slice: &str) -> Span {
        let within = |text: &str| {
            let start = text.as_ptr() as usize;
            (start..=start + text.len()).contains(&(slice.as_ptr() as usize))
        };
        Span::of(self.id, if within(self.clean()) { self.clean() } else { &self.text }, slice)
    }

    /// Joins lines that the terminal wrapped, in the text to parse; see [`soften_wraps`].
    pub fn soften(&mut self, columns: usize, starts_statement: impl Fn(&str) -> bool) {
        if let Some(softened) = soften_wraps(self.clean(), columns, starts_statement) {
            self.cleaned = Some(softened);
        }
    }

    /// The door to any output.
    pub fn masked(&self, secrets: &[Span]) -> Masked {
        Masked::new(&self.text, secrets)
    }
}

/// Cuts a text that holds several exports, at each line for which `starts` is true. What stands before the first such
/// line belongs to the first export; a text without one is one export. The ranges touch and cover the whole text.
pub fn split_exports(clean: &str, starts: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut exports = Vec::new();
    let mut begin = 0;
    let mut started = false;
    let mut line_start = 0;
    for line_end in memchr_iter(b'\n', clean.as_bytes()).chain([clean.len()]) {
        if starts(clean.get(line_start..line_end).unwrap_or("")) {
            if started {
                exports.push(begin..line_start);
                begin = line_start;
            }
            started = true;
        }
        line_start = line_end + 1;
    }
    exports.push(begin..clean.len());
    exports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(bytes: &[u8]) -> Result<Source, Refused> {
        Source::from_member(FileId(3), Member { name: "a.conf".to_owned(), content: bytes.to_vec() })
    }

    #[test]
    fn spans_mean_the_same_line_before_and_after_cleaning() {
        let (bytes, _, _) = encoding_rs::SHIFT_JIS
            .encode("RTX1210# show config\r\nip lan1 address 192.0.2.1/24\r\n---つづく---\r           \rpp name \"能登\"\r\nRTX1210# ");
        let source = source(&bytes).unwrap();
        assert_eq!((source.encoding(), source.replaced()), (Encoding::ShiftJis, 0));
        let slice = source.clean().lines().find(|line| line.starts_with("pp name")).unwrap();
        let span = source.span(slice.trim_end());
        assert_eq!((span.file, span.slice(source.text()), span.slice(source.clean())), (FileId(3), "pp name \"能登\"", "pp name \"能登\""));
        assert_eq!(source.position(span.start), Position { line: 3, column: 23 });
        assert_eq!(source.span(&source.text()[..3]).slice(source.text()), "RTX");
        assert_eq!(source.clean().split_whitespace().next(), Some("ip"));
    }

    #[test]
    fn wraps_are_joined_only_when_asked_for() {
        let text = format!("ip filter 1 pass {}\r\n{}\r\n", "x".repeat(63), "x".repeat(10));
        let mut source = source(text.as_bytes()).unwrap();
        assert!(!source.clean().contains(SOFT_NEWLINE));
        source.soften(80, |line| line.starts_with("ip "));
        assert_eq!(source.clean().replace(SOFT_NEWLINE, "").trim_end(), format!("ip filter 1 pass {}", "x".repeat(73)));
        assert_eq!((source.clean().len(), source.lines().line_count()), (text.len(), 3));
    }

    #[test]
    fn encrypted_files_are_refused() {
        let bytes: Vec<u8> = (0..2000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 15) as u8).collect();
        assert_eq!(source(&bytes).unwrap_err(), Refused { name: "a.conf".to_owned(), refusal: Refusal::Binary });
        assert_eq!(source(b"").unwrap().text(), "");
    }

    #[test]
    fn debug_shows_no_content() {
        assert!(!format!("{:?}", source(b"password hunter2").unwrap()).contains("hunter2"));
    }

    #[test]
    fn exports_are_cut_at_their_first_lines() {
        let starts = |line: &str| line.starts_with("#config-version");
        let text = "x # show\n#config-version=1\na\n#config-version=2\nb\n#config-version=3";
        let parts: Vec<&str> = split_exports(text, starts).into_iter().map(|range| &text[range]).collect();
        assert_eq!(parts, ["x # show\n#config-version=1\na\n", "#config-version=2\nb\n", "#config-version=3"]);
        assert_eq!(split_exports("a\nb", starts).as_slice(), std::slice::from_ref(&(0..3)));
        assert_eq!(split_exports("", starts).as_slice(), std::slice::from_ref(&(0..0)));
    }
}
