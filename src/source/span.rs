//! Places in source text. A [`Span`] is a half-open byte range of the *decoded* text of one file;
//! nothing else in the program counts bytes, and only [`super::LineIndex`] turns them into lines and columns.

/// Index of a file in the run's list of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A half-open byte range `start..end` of the decoded text of `file`.
///
/// Both ends lie on character boundaries: spans are made from `&str` slices, never from arithmetic on bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file the range lies in.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span of `slice`, which must be a slice of `text` (same allocation).
    ///
    /// A slice from elsewhere gives an empty span at the start of the file instead of a panic.
    pub fn of(file: FileId, text: &str, slice: &str) -> Span {
        let start = (slice.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        if start > text.len() || slice.len() > text.len() - start {
            return Span { file, start: 0, end: 0 };
        }
        Span { file, start: start as u32, end: (start + slice.len()) as u32 }
    }

    /// The smallest span that holds both; spans of different files give the first.
    pub fn cover(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.end.saturating_sub(self.start)) as usize
    }

    /// Whether the span holds no byte.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// The text under the span; empty when the span does not fit `text`.
    pub fn slice(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_knows_its_place() {
        let text = "abc 関所 def";
        let span = Span::of(FileId(0), text, &text[4..10]);
        assert_eq!(span.slice(text), "関所");
        assert_eq!(Span::of(FileId(0), text, "elsewhere").len(), 0);
    }
}
