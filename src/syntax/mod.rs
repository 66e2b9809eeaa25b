//! Text to tree. One file a syntax family, all giving the same [`Tree`]; what two products of a family differ in is
//! parameters from their grammar files. Parsing never fails: it returns a tree and the places where it had to recover.

pub mod block;
pub mod brace;
pub mod command_lines;
pub mod indent;
pub mod lex;
pub mod path_commands;
pub mod pattern;
pub mod statements;
pub mod tree;
pub mod xml;

pub use tree::{Mark, Node, Tree};
