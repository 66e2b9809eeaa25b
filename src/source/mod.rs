//! Bytes to text: encodings, containers, terminal noise, lines and columns, and the one door through which configuration text leaves.

mod span;

/// Stands for a line break that a terminal put inside a line; lexers treat it as nothing. One byte, so that spans stay exact.
pub const SOFT_NEWLINE: char = '\u{1}';

pub use span::{FileId, Span};
