//! The documentation is what the program is: pages that a machine can write are written here from the library's own tables, and what a
//! person wrote is held against the program (links, options, rule ids, example files, quoted output).
//!
//! `UPDATE_EXPECT=1 cargo test --test docs` writes the pages; a plain run checks that they are current.

mod common;

#[path = "docs/dialects.rs"]
mod dialects;
#[path = "docs/hand_written.rs"]
mod hand_written;
#[path = "docs/page.rs"]
mod page;
#[path = "docs/rules.rs"]
mod rules;
#[path = "docs/schema.rs"]
mod schema;

use page::{GENERATED, LANGUAGES, check, fence, word};

#[test]
fn the_page_of_the_command_line_is_current() {
    let mut out = format!("{GENERATED}\n\n# {} / {}\n", word(LANGUAGES[1], "cli.title"), word(LANGUAGES[0], "cli.title"));
    let commands = LANGUAGES.map(|lang| {
        let mut command = sekisho::cli::command(lang).term_width(100);
        command.build();
        command
    });
    let [ja, en] = commands;
    out.push_str(&section("sekisho", en.clone(), ja.clone()));
    for sub in en.get_subcommands().filter(|c| c.get_name() != "help") {
        let japanese = ja.find_subcommand(sub.get_name()).expect("the same commands in both languages");
        out.push_str(&section(&format!("sekisho {}", sub.get_name()), sub.clone(), japanese.clone()));
    }
    check("docs/cli.md", &out);
}

fn section(name: &str, mut en: clap::Command, mut ja: clap::Command) -> String {
    let help = |command: &mut clap::Command| {
        let text = command.render_help().to_string();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    format!("\n## `{name}`\n\n{}\n{}", fence("text", &help(&mut en)), fence("text", &help(&mut ja)))
}
