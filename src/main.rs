//! The `sekisho` command. No logic here: see [`sekisho::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sekisho::cli::run(std::env::args_os())
}
