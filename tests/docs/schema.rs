//! The page of everything rules may ask about.

use crate::page::{GENERATED, LANGUAGES, both, cell, check, table, word};
use sekisho::ir::schema::{self, Kind, Type};
use sekisho::texts::texts;

#[test]
fn the_page_of_the_schema_is_current() {
    let mut out = format!("{GENERATED}\n\n# {}\n", both("schema.title"));
    for lang in LANGUAGES {
        out.push_str(&format!("\n{}\n", word(lang, "schema.intro")));
    }
    for kind in std::iter::once(&schema::DEVICE).chain(schema::KINDS.iter().copied()) {
        out.push_str(&section(kind));
    }
    check("docs/schema.md", &out);
}

fn section(kind: &Kind) -> String {
    let [ja, en] = LANGUAGES.map(|l| texts().find(l, &format!("schema.{}", kind.name)).expect("a caption of the kind"));
    let head = [
        both("schema.field"),
        both("schema.type"),
        word(LANGUAGES[0], "page.language"),
        word(LANGUAGES[1], "page.language"),
        both("schema.words"),
    ];
    let rows = kind.fields.iter().map(|field| {
        let key = format!("schema.{}.fields.{}", kind.name, field.name);
        let [ja, en] = LANGUAGES.map(|l| cell(texts().find(l, &key).expect("a caption of the field")));
        let list = |words: &[&str]| {
            if words.is_empty() { both("schema.open") } else { words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" ") }
        };
        let (ty, words) = match field.ty {
            Type::Bool => ("bool", String::new()),
            Type::Int => ("int", String::new()),
            Type::Text => ("text", String::new()),
            Type::Word(words) => ("word", list(words)),
            Type::Set(words) => ("set", list(words)),
        };
        vec![format!("`{}`", field.name), ty.to_owned(), ja, en, words]
    });
    format!("\n## {}\n\n{ja} / {en}\n\n{}", kind.name, table(&head, rows))
}
