//! Rule files as a user writes them: read or refused with places that lie in the text, never a fault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sekisho::ir::schema;
use sekisho::rule::file::Rule;
use sekisho::rule::predicate;

fuzz_target!(|text: &str| {
    if let Err(errors) = Rule::load(text) {
        assert!(!errors.is_empty());
    }
    for kind in schema::KINDS {
        let _ = predicate::compile(text, kind, &Default::default());
    }
});
