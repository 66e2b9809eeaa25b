//! Bytes to text: encodings, containers, terminal noise, lines and columns, and the one door through which configuration text leaves.

mod container;
mod decode;
mod span;

pub use container::{ContainerError, ContainerProblem, Limits, Member, Opened, open};
pub use decode::{Decoded, Encoding, decode, looks_binary};
pub use span::{FileId, Span};
