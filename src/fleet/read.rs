//! An input as far as its own bytes tell it: opened, decoded, cut into exports, each read into devices. Nothing here judges.
//!
//! A run needs this twice of every file, for its census and for the judgement. What was read once is kept in between where there
//! is little of it, and read again where there is much; no result depends on which.

use super::run::{Detected, Input, LARGEST, Lowered, Options, exports, lower, wanted};
use crate::analysis::Stated;
use crate::source::{self, ContainerProblem, FileId, Limits, Refused, Source};
use std::io;
use std::ops::Range;

/// An input, read.
pub(super) struct Read {
    /// What it holds: itself, or the members of a container.
    pub texts: Vec<Text>,
    /// What of a container could not be opened.
    pub problems: Vec<ContainerProblem>,
}

/// One text of an input.
pub(super) struct Text {
    /// Whether the user named it.
    pub named: bool,
    /// The text with its exports, or why there is none.
    pub content: Result<Content, Refused>,
}

/// What a text holds.
pub(super) struct Content {
    /// The text.
    pub source: Source,
    /// What a person states about it.
    pub stated: Stated,
    /// Its exports: where, what each was taken for, and what was read of those that are of a known dialect.
    pub exports: Vec<(Range<usize>, Detected, Option<Lowered>)>,
}

/// Why an input is not read at all.
pub(super) enum Unread {
    /// It is larger than [`LARGEST`].
    TooLarge,
    /// The system does not give it.
    Failed(io::Error),
}

/// Reads an input.
pub(super) fn read(input: &Input<'_>, options: &Options<'_>) -> Result<Read, Unread> {
    let bytes = (input.read)().map_err(Unread::Failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unread::TooLarge);
    }
    let opened = source::open(&input.name, bytes, &Limits::STANDARD);
    let text = |member: source::Member| {
        // What a folder or an archive holds beside configurations is not our business.
        let named = input.named && member.name == input.name;
        Text { named, content: Source::from_member(FileId(0), member).map(|source| content(source, options)) }
    };
    Ok(Read { texts: opened.members.into_iter().map(text).collect(), problems: opened.problems })
}

fn content(mut source: Source, options: &Options<'_>) -> Content {
    let (stated, wanted) = wanted(&source, options);
    let found = exports(&mut source, wanted.as_deref());
    let read = |(range, detected): (Range<usize>, Detected)| {
        let lowered = detected.dialect.and_then(|dialect| lower(&source, range.clone(), dialect, options.excerpts));
        (range, detected, lowered)
    };
    let exports = found.into_iter().map(read).collect();
    Content { source, stated, exports }
}

impl Read {
    /// Bytes of text that are held.
    pub fn size(&self) -> usize {
        self.texts.iter().filter_map(|t| t.content.as_ref().ok()).map(|c| c.source.text().len()).sum()
    }
}
