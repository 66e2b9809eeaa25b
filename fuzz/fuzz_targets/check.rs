//! Any bytes, as the program gets them: shells, encodings, terminal noise, detection, everything after, and every output form.
//! A fault is a panic (the program would catch and report it; the fuzzer does not) or a run that does not end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sekisho::analysis::Stated;
use sekisho::finding::Lang;
use sekisho::fleet::run::{self, Input, Options};
use sekisho::report::{Form, TextStyle, write};
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let inputs = [Input { name: "fuzzed".to_owned(), named: true, read: Box::new(move || Ok(bytes.to_vec())) }];
    let options = Options {
        lang: if bytes.len() % 2 == 0 { Lang::Ja } else { Lang::En },
        as_of: "2026-11-20".to_owned(),
        dialect: None,
        rules: sekisho::rule::builtin(),
        data: sekisho::rule::vulnerability::Knowledge::builtin(),
        run_key: Arc::new([7; 32]),
        hash_budget: 2_000,
        excerpts: true,
        stated: &|_| (Stated::default(), None),
    };
    let mut report = run::check(&inputs, &options);
    run::count(&mut report);
    assert!(report.files.iter().all(|file| file.encoding != run::INTERNAL));
    let style = TextStyle { colour: false, width: 80, ascii: bytes.len() % 3 == 0, verbose: true, quiet: false };
    for form in [Form::Text, Form::Json, Form::Sarif, Form::Github] {
        write(&report, form, &style);
    }
});
