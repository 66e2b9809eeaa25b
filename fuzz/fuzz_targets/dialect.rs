//! Text that is taken for an export of one dialect, chosen by the first byte: its parser, its lowering, the analysis and the places
//! of secrets, without the luck of detection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sekisho::analysis::Settings;
use sekisho::dialect::{self, detect};
use sekisho::fleet::run;
use sekisho::rule::vulnerability::Knowledge;
use sekisho::source::{self, FileId, Limits, Source};
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Some(member) = source::open("fuzzed", rest.to_vec(), &Limits::STANDARD).members.pop() else { return };
    let Ok(source) = Source::from_member(FileId(0), member) else { return };
    let data = Knowledge::builtin();
    let settings =
        Settings { as_of: "2026-11-20".to_owned(), data: data.data.clone(), run_key: Arc::new([7; 32]), ..Settings::default() };
    let whole = 0..source.clean().len();
    let dialect = usize::from(*first) % dialect::all().len();
    let detected = run::Detected { dialect: Some(dialect), verdict: detect::Verdict { scores: Vec::new() }, alone: true };
    let Some(analysed) = run::analyse(&source, whole, &detected, &settings, &data, true) else { return };
    // What points into the text lies in the text.
    for span in &analysed.secrets {
        assert!(source.clean().get(span.start as usize..span.end as usize).is_some());
    }
    for device in &analysed.devices {
        assert!(device.coverage.read + device.coverage.irrelevant <= device.coverage.statements);
    }
});
