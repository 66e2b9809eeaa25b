//! What the files of a run have in common, taken before any of them is judged: fingerprints of secrets and the signs of boxes.
//!
//! Of a run over thousands only a few files are held at a time: what is over a bound is read again. Not a judgement: a file that
//! cannot be read here is refused later, with its reason. Nothing of it depends on the order in which threads finish.

use super::companion::{self, Companions, Seen};
use super::read::{self, Read};
use super::run::{Input, Known, Options};
use crate::analysis::reuse::{self, Census, Entry, Export};
use crate::ir::schema;
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of text whose reading is kept for the judgement.
const KEPT: usize = 16 << 20;

/// What one file adds: entries of the census, and what it tells beside exports.
type Found = (Vec<Entry>, Vec<Seen>);

/// Takes the census of a run, empty where no rule asks for it; with what was read of each input, where that is kept.
pub(super) fn take(inputs: &[Input<'_>], options: &Options<'_>) -> (Known, Vec<Option<Read>>) {
    let kinds = [schema::SECRET_GROUP.name, schema::FIRMWARE.name, schema::VULNERABILITY.name];
    let asked = options.rules.iter().flat_map(|r| &r.subjects).any(|s| kinds.contains(&s.kind.name));
    if !asked {
        return (Known::default(), inputs.iter().map(|_| None).collect());
    }
    let left = AtomicUsize::new(KEPT);
    let of_input = |input| {
        let Ok(read) = read::read(input, options) else { return ((Vec::new(), Vec::new()), None) };
        let seen = (entries(&read, options), seen(&read));
        let keep = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(read.size())).is_ok();
        (seen, keep.then_some(read))
    };
    let guarded = |input| catch_unwind(AssertUnwindSafe(|| of_input(input))).unwrap_or_default();
    let (found, kept): (Vec<Found>, Vec<Option<Read>>) = inputs.par_iter().map(guarded).unzip();
    let (entries, seen): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let census = Arc::new(Census::new(entries.into_iter().flatten().collect()));
    (Known { census, companions: Companions::new(seen.into_iter().flatten()) }, kept)
}

fn seen(read: &Read) -> Vec<Seen> {
    let mut seen = Vec::new();
    for content in read.texts.iter().filter_map(|t| t.content.as_ref().ok()) {
        let source = &content.source;
        for (range, detected, _) in &content.exports {
            match detected.dialect {
                Some(dialect) => seen.push(Seen::Export { file: source.name().to_owned(), dialect }),
                None => seen.extend(companion::seen(source.name(), source.clean().get(range.clone()).unwrap_or(""))),
            }
        }
    }
    seen
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
