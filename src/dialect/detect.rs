//! Which dialect a text is: signs from the grammar files, each counted once, with the lines that scored.
//! A verdict names its reasons and the runner-up; too little is a refusal that says what the text seems to be.

use super::grammar::{Grammar, Localized, Sign};
use crate::source::{FileId, Span};

/// A dialect's score for a text.
#[derive(Clone, Debug)]
pub struct Score {
    /// Position of the dialect in the registry.
    pub dialect: usize,
    /// Points.
    pub points: i32,
    /// Points the dialect asks for.
    pub enough: i32,
    /// The first line of each sign that was seen, with its points.
    pub reasons: Vec<(Span, i32)>,
    /// What a foreign relative is, where a sign against the dialect says so: the weight of that sign, and the text.
    pub foreign: Option<(i32, Localized)>,
}

/// Scores of all dialects, best first.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Best first; dialects without any point are left out.
    pub scores: Vec<Score>,
}

impl Verdict {
    /// The dialect, if one has enough points and more than any other.
    pub fn winner(&self) -> Option<&Score> {
        let best = self.scores.first()?;
        let tied = self.scores.get(1).is_some_and(|s| s.points == best.points && s.points >= s.enough);
        (best.points >= best.enough && !tied).then_some(best)
    }

    /// What the text is instead, by the weightiest sign that says so.
    pub fn foreign(&self) -> Option<&Localized> {
        self.scores.iter().filter_map(|s| s.foreign.as_ref()).min_by_key(|(weight, _)| *weight).map(|(_, text)| text)
    }

    /// The second best.
    pub fn runner_up(&self) -> Option<&Score> {
        self.scores.get(1)
    }
}

/// Lines looked at. Signs stand in headers and in sections that every export has; a larger file has seen them long before.
const LINES: usize = 20_000;

#[derive(Clone)]
enum Compiled<'g> {
    Starts(&'g str),
    Words(Vec<&'g str>),
    Contains(&'g str),
}

fn compile(sign: &Sign) -> Option<Compiled<'_>> {
    if let Some(starts) = &sign.starts {
        Some(Compiled::Starts(starts))
    } else if let Some(words) = &sign.words {
        Some(Compiled::Words(words.split(' ').collect()))
    } else {
        sign.contains.as_deref().map(Compiled::Contains)
    }
}

/// Whether a line's words begin as a sign says; letters' case does not matter.
fn words_match(pattern: &[&str], line: &str) -> bool {
    let mut words = line.split_whitespace();
    pattern.iter().all(|p| {
        words.next().is_some_and(|w| match *p {
            "*" => true,
            "<n>" => w.bytes().all(|b| b.is_ascii_digit()),
            p => match p.strip_suffix('*') {
                Some(prefix) => w.get(..prefix.len()).is_some_and(|w| w.eq_ignore_ascii_case(prefix)),
                None => w.eq_ignore_ascii_case(p),
            },
        })
    })
}

impl Compiled<'_> {
    /// The byte with which every line that matches begins, blanks left out; `None` when there is no such byte.
    /// Letters stand for both cases.
    fn first_byte(&self) -> Option<u8> {
        match self {
            Compiled::Starts(s) => s.bytes().next(),
            Compiled::Words(p) => p.first().filter(|w| !w.starts_with(['*', '<'])).and_then(|w| w.bytes().next()),
            Compiled::Contains(_) => None,
        }
    }

    fn matches(&self, line: &str) -> bool {
        match self {
            Compiled::Starts(s) => line.trim_start_matches(['\u{feff}', ' ', '\t']).starts_with(s),
            Compiled::Words(p) => words_match(p, line),
            Compiled::Contains(s) => line.contains(s),
        }
    }
}

/// The signs of all grammars, sorted by the first byte of the lines they can match: made once, asked for every file.
pub struct Detector<'g> {
    signs: Vec<(usize, &'g Sign, Compiled<'g>)>,
    /// Signs about the beginning of a line, by the byte it begins with; for bytes that begin no sign, those that fit any.
    by_first_byte: Vec<Vec<usize>>,
    /// Signs that stand anywhere in a line.
    anywhere: Vec<(usize, memchr::memmem::Finder<'g>)>,
    /// Whether a line with this first byte may begin an export.
    may_begin: [bool; 256],
    /// Points each grammar asks for.
    enough: Vec<i32>,
}

impl<'g> Detector<'g> {
    /// The signs of these grammars; verdicts speak of grammars by their position here.
    pub fn new(grammars: &[&'g Grammar]) -> Detector<'g> {
        let mut signs: Vec<(usize, &Sign, Compiled<'_>)> = Vec::new();
        for (ix, grammar) in grammars.iter().enumerate() {
            signs.extend(grammar.file.detect.signs.iter().filter_map(|s| compile(s).map(|c| (ix, s, c))));
        }
        let mut by_first_byte = vec![Vec::new(); 256];
        let mut anywhere = Vec::new();
        for (ix, (_, _, compiled)) in signs.iter().enumerate() {
            match (compiled, compiled.first_byte()) {
                (Compiled::Contains(s), _) => anywhere.push((ix, memchr::memmem::Finder::new(*s))),
                (_, Some(byte)) => {
                    let (lower, upper) = (byte.to_ascii_lowercase(), byte.to_ascii_uppercase());
                    by_first_byte[usize::from(lower)].push(ix);
                    if upper != lower {
                        by_first_byte[usize::from(upper)].push(ix);
                    }
                }
                (_, None) => by_first_byte.iter_mut().for_each(|b| b.push(ix)),
            }
        }
        let mut may_begin = [false; 256];
        for (byte, candidates) in by_first_byte.iter().enumerate() {
            may_begin[byte] = candidates.iter().any(|ix| signs[*ix].1.begins) || anywhere.iter().any(|(ix, _)| signs[*ix].1.begins);
        }
        let enough = grammars.iter().map(|g| g.file.detect.enough).collect();
        Detector { signs, by_first_byte, anywhere, may_begin, enough }
    }

    /// Whether a line begins an export, for files that hold several. Most lines are told by their first byte.
    pub fn begins(&self, line: &str) -> bool {
        let Some(first) = line.trim_start_matches(['\u{feff}', ' ', '\t']).bytes().next() else { return false };
        self.may_begin[usize::from(first)] && self.signs.iter().any(|(_, sign, compiled)| sign.begins && compiled.matches(line))
    }

    /// Scores a text for every grammar. Each sign counts once, at the first line that shows it.
    pub fn detect(&self, file: FileId, text: &str, range: std::ops::Range<usize>) -> Verdict {
        let text_in_range = text.get(range).unwrap_or("");
        let end = memchr::memchr_iter(b'\n', text_in_range.as_bytes()).nth(LINES).unwrap_or(text_in_range.len());
        let looked_at = &text_in_range[..end];
        let mut seen: Vec<Option<&str>> = vec![None; self.signs.len()];
        for line in looked_at.lines() {
            let Some(first) = line.trim_start_matches(['\u{feff}', ' ', '\t']).bytes().next() else { continue };
            for &ix in &self.by_first_byte[usize::from(first)] {
                if seen[ix].is_none() && self.signs[ix].2.matches(line) {
                    seen[ix] = Some(line);
                }
            }
        }
        for (ix, finder) in &self.anywhere {
            seen[*ix] = finder.find(looked_at.as_bytes()).map(|at| {
                let start = memchr::memrchr(b'\n', &looked_at.as_bytes()[..at]).map_or(0, |n| n + 1);
                looked_at[start..].lines().next().unwrap_or("")
            });
        }
        let scored = |dialect: usize, enough: i32| {
            let mut score = Score { dialect, points: 0, enough, reasons: Vec::new(), foreign: None };
            for ((_, sign, _), line) in self.signs.iter().zip(&seen).filter(|((ix, ..), _)| *ix == dialect) {
                let Some(line) = line else { continue };
                score.points += sign.score;
                score.reasons.push((Span::of(file, text, line.trim_end()), sign.score));
                let heaviest = score.foreign.as_ref().is_none_or(|(weight, _)| sign.score < *weight);
                if let Some(text) = sign.foreign.as_ref().filter(|_| heaviest) {
                    score.foreign = Some((sign.score, text.clone()));
                }
            }
            score
        };
        let mut scores: Vec<Score> = self.enough.iter().enumerate().map(|(ix, enough)| scored(ix, *enough)).collect();
        scores.retain(|s| !s.reasons.is_empty());
        scores.sort_by_key(|s| (std::cmp::Reverse(s.points - s.enough), s.dialect));
        for score in &mut scores {
            score.reasons.sort_by_key(|(span, _)| span.start);
        }
        Verdict { scores }
    }
}
