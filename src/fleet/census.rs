//! What the files of a run have in common, taken before any of them is judged: fingerprints of secrets and the signs of boxes.
//!
//! Every file is read twice, so that a run over thousands holds only a few at a time. Not a judgement: a file that cannot be read
//! here is refused later, with its reason. Nothing of it depends on the order in which threads finish.

use super::companion::{self, Companions, Seen};
use super::run::{Input, Known, LARGEST, Options, exports, wanted};
use crate::analysis::reuse::{self, Census, Entry, Export};
use crate::dialect;
use crate::ir::schema;
use crate::source::{self, FileId, Limits, Source};
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Takes the census of a run; empty where no rule asks for it.
pub(super) fn take(inputs: &[Input<'_>], options: &Options<'_>) -> Known {
    let kinds = [schema::SECRET_GROUP.name, schema::FIRMWARE.name, schema::VULNERABILITY.name];
    let asked = options.rules.iter().flat_map(|r| &r.subjects).any(|s| kinds.contains(&s.kind.name));
    if !asked {
        return Known::default();
    }
    let of = |input| catch_unwind(AssertUnwindSafe(|| of_input(input, options))).unwrap_or_default();
    let found: Vec<(Vec<Entry>, Vec<Seen>)> = inputs.par_iter().map(of).collect();
    let (entries, seen): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let census = Census::new(entries.into_iter().flatten().collect());
    Known { census: Arc::new(census), companions: Companions::new(seen.into_iter().flatten()) }
}

fn of_input(input: &Input<'_>, options: &Options<'_>) -> (Vec<Entry>, Vec<Seen>) {
    let Some(bytes) = (input.read)().ok().filter(|b| b.len() as u64 <= LARGEST) else { return Default::default() };
    let mut entries = Vec::new();
    let mut seen = Vec::new();
    for member in source::open(&input.name, bytes, &Limits::STANDARD).members {
        let Ok(mut source) = Source::from_member(FileId(0), member) else { continue };
        let (_, wanted) = wanted(&source, options);
        for (range, detected) in exports(&mut source, wanted.as_deref()) {
            let read = detected.dialect.and_then(|d| Some((dialect::grammar(d)?, *dialect::all().get(d)?)));
            let Some((grammar, implementation)) = read else {
                seen.extend(companion::seen(source.name(), source.clean().get(range).unwrap_or("")));
                continue;
            };
            seen.extend(detected.dialect.map(|dialect| Seen::Export { file: source.name().to_owned(), dialect }));
            let tree = dialect::parse(grammar, source.id(), source.clean(), range.clone());
            let devices = dialect::read(implementation, &dialect::Input { tree: &tree, grammar, range: range.clone() });
            let export = Export { file: source.name().to_owned(), start: range.start };
            let text = source.clean().get(range).unwrap_or("");
            entries.push(reuse::entry(&export, text, &devices, &options.run_key, &|span| source.position(span.start).line));
        }
    }
    (entries, seen)
}
