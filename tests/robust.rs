//! No input hurts: truncated, shuffled, spliced and random versions of every export of the corpus (and of the real ones, where
//! they are at hand) are judged without a fault, and time grows no faster than the input.

mod common;

use common::{corpus, judge_bytes, real};
use sekisho::finding::Lang;

/// A small generator of its own: the same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below.max(1)
    }
}

fn mutated(bytes: &[u8], other: &[u8], kind: usize, n: &mut Numbers) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    match kind {
        0 => bytes[..n.next(bytes.len())].to_vec(),
        1 => {
            for _ in 0..=lines.len() / 10 {
                let at = n.next(lines.len());
                lines.remove(at.min(lines.len() - 1));
                if lines.is_empty() {
                    break;
                }
            }
            lines.concat()
        }
        2 => {
            let (a, b) = (n.next(lines.len()), n.next(lines.len()));
            let copy: Vec<&[u8]> = lines[a.min(b)..a.max(b)].to_vec();
            lines.splice(a.min(b)..a.min(b), copy);
            lines.concat()
        }
        3 => {
            for _ in 0..=lines.len() / 5 {
                let (a, b) = (n.next(lines.len()), n.next(lines.len()));
                lines.swap(a, b);
            }
            lines.concat()
        }
        4 => [&bytes[..n.next(bytes.len())], &other[n.next(other.len())..]].concat(),
        _ => {
            let mut out = bytes.to_vec();
            for _ in 0..=out.len() / 50 {
                let at = n.next(out.len());
                let byte = [b'"', b'\n', b' ', b'#', b'\\', 0x81, 0xff, 0x1b, b'{', b'*', b'/'][n.next(11)];
                if let Some(b) = out.get_mut(at) {
                    *b = byte;
                }
            }
            out
        }
    }
}

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
