//! No input hurts: truncated, shuffled, spliced and random versions of every export of the corpus (and of the real ones, where
//! they are at hand) are judged without a fault, and time grows no faster than the input.

mod common;

use common::{Numbers, corpus, judge_bytes, mutated, real};
use sekisho::finding::Lang;

fn judge_all(paths: &[std::path::PathBuf], rounds: usize) {
    let all: Vec<Vec<u8>> = paths.iter().map(|p| std::fs::read(p).expect("file")).collect();
    let mut numbers = Numbers(20_261_120);
    for (ix, bytes) in all.iter().enumerate().filter(|(_, b)| !b.is_empty()) {
        for round in 0..rounds {
            for kind in 0..6 {
                let other = &all[(ix + round + 1) % all.len()];
                let input = mutated(bytes, other, kind, &mut numbers);
                let report = judge_bytes("mutated", &input, Lang::En);
                let fault = report.files.iter().find(|f| f.encoding == sekisho::fleet::run::INTERNAL);
                assert!(fault.is_none(), "{} kind {kind} round {round}", paths[ix].display());
            }
        }
    }
}

#[test]
fn mutated_corpus_is_judged_without_a_fault() {
    judge_all(&corpus(), 3);
}

#[test]
fn mutated_real_exports_are_judged_without_a_fault() {
    let small: Vec<_> = real().into_iter().filter(|p| std::fs::metadata(p).is_ok_and(|m| m.len() < 40_000)).collect();
    judge_all(&small, 1);
}

#[test]
fn every_real_export_is_judged_or_refused_with_a_reason() {
    for path in real() {
        let report = judge_bytes(&path.display().to_string(), &std::fs::read(&path).expect("file"), Lang::Ja);
        for file in &report.files {
            assert_ne!(file.encoding, sekisho::fleet::run::INTERNAL, "{}", path.display());
            assert!(file.readable || !file.errors.is_empty(), "{}", path.display());
        }
    }
}
