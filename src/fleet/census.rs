//! What the files of a run have in common, taken before any of them is judged: fingerprints of secrets and the signs of boxes.
//!
//! Of a run over thousands only a few files are held at a time: what is over a bound is read again. Not a judgement: a file that
//! cannot be read here is refused later, with its reason. Nothing of it depends on the order in which threads finish.

use super::read::{self, Read};
use super::run::{Input, Options};
use crate::analysis::reuse::{self, Census, Entry, Export};
use crate::ir::schema;
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of text whose reading is kept for the judgement.
const KEPT: usize = 16 << 20;

/// Takes the census of a run, empty where no rule asks for it; with what was read of each input, where that is kept.
pub(super) fn take(inputs: &[Input<'_>], options: &Options<'_>) -> (Census, Vec<Option<Read>>) {
    let asked = options.rules.iter().flat_map(|r| &r.subjects).any(|s| s.kind.name == schema::SECRET_GROUP.name);
    if !asked {
        return (Census::default(), inputs.iter().map(|_| None).collect());
    }
    let left = AtomicUsize::new(KEPT);
    let of_input = |input| {
        let Ok(read) = read::read(input, options) else { return (Vec::new(), None) };
        let entries = entries(&read, options);
        let keep = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(read.size())).is_ok();
        (entries, keep.then_some(read))
    };
    let guarded = |input| catch_unwind(AssertUnwindSafe(|| of_input(input))).unwrap_or_default();
    let (entries, kept): (Vec<Vec<Entry>>, Vec<Option<Read>>) = inputs.par_iter().map(guarded).unzip();
    (Census::new(entries.into_iter().flatten().collect()), kept)
}

fn entries(read: &Read, options: &Options<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for content in read.texts.iter().filter_map(|t| t.content.as_ref().ok()) {
        let source = &content.source;
        for (range, _, lowered) in &content.exports {
            let Some(lowered) = lowered else { continue };
            let export = Export { file: source.name().to_owned(), start: range.start };
            let text = source.clean().get(range.clone()).unwrap_or("");
            entries.push(reuse::entry(&export, text, &lowered.devices, &options.run_key, &|span| source.position(span.start).line));
        }
    }
    entries
}
