//! Bytes to text: encodings, containers, terminal noise, lines and columns, and the one door through which configuration text leaves.

mod span;

pub use span::{FileId, Span};
