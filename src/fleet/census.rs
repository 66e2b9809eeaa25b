//! What the files of a run have in common, taken before any of them is judged: fingerprints of secrets and the signs of boxes.
//!
//! Every file is read twice, so that a run over thousands holds only a few at a time. Not a judgement: a file that cannot be read
//! here is refused later, with its reason. Nothing of it depends on the order in which threads finish.

use super::run::{Input, LARGEST, Options, exports, wanted};
use crate::analysis::reuse::{self, Census, Entry, Export};
use crate::dialect;
use crate::ir::schema;
use crate::source::{self, FileId, Limits, Source};
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Takes the census of a run; empty where no rule asks for it.
pub(super) fn take(inputs: &[Input<'_>], options: &Options<'_>) -> Census {
    let asked = options.rules.iter().flat_map(|r| &r.subjects).any(|s| s.kind.name == schema::SECRET_GROUP.name);
    if !asked {
        return Census::default();
    }
    let entries = inputs.par_iter().flat_map_iter(|input| catch_unwind(AssertUnwindSafe(|| of_input(input, options))).unwrap_or_default());
    Census::new(entries.collect())
}

fn of_input(input: &Input<'_>, options: &Options<'_>) -> Vec<Entry> {
    let Some(bytes) = (input.read)().ok().filter(|b| b.len() as u64 <= LARGEST) else { return Vec::new() };
    let mut entries = Vec::new();
    for member in source::open(&input.name, bytes, &Limits::STANDARD).members {
        let Ok(mut source) = Source::from_member(FileId(0), member) else { continue };
        let (_, wanted) = wanted(&source, options);
        for (range, detected) in exports(&mut source, wanted.as_deref()) {
            let read = detected.dialect.and_then(|d| Some((dialect::grammar(d)?, *dialect::all().get(d)?)));
            let Some((grammar, implementation)) = read else { continue };
            let tree = dialect::parse(grammar, source.id(), source.clean(), range.clone());
            let devices = dialect::read(implementation, &dialect::Input { tree: &tree, grammar, range: range.clone() });
            let export = Export { file: source.name().to_owned(), start: range.start };
            let text = source.clean().get(range).unwrap_or("");
            entries.push(reuse::entry(&export, text, &devices, &options.run_key, &|span| source.position(span.start).line));
        }
    }
    entries
}
