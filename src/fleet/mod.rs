//! Many files: finding them, judging each, putting the whole together.
//!
//! The only room besides `cli` that touches the file system, and only in [`discover`]. Results are in the order of the paths
//! whatever the number of threads; one bad file never stops a run.

mod census;
pub mod companion;
pub mod config;
pub mod diff;
pub mod discover;
pub mod reach;
mod read;
pub mod redact;
pub mod run;
mod story;
pub mod suppress;
mod things;
mod wording;
