//! The `sekisho` command. No logic here: see `sekisho::cli`.
fn main() {}
