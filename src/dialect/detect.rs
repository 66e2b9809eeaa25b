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
    /// What a foreign relative is, where a sign against the dialect says so.
    pub foreign: Option<Localized>,
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

/// Scores a text for every grammar.
pub fn detect(file: FileId, text: &str, range: std::ops::Range<usize>, grammars: &[&Grammar]) -> Verdict {
    let mut signs: Vec<(usize, &Sign, Compiled<'_>)> = Vec::new();
    for (ix, grammar) in grammars.iter().enumerate() {
        signs.extend(grammar.file.detect.signs.iter().filter_map(|s| compile(s).map(|c| (ix, s, c))));
    }
    let mut scores: Vec<Score> = grammars
        .iter()
        .enumerate()
        .map(|(dialect, g)| Score { dialect, points: 0, enough: g.file.detect.enough, reasons: Vec::new(), foreign: None })
        .collect();
    for line in text.get(range).unwrap_or("").lines().take(LINES) {
        if line.is_empty() || signs.is_empty() {
            continue;
        }
        // Each sign counts once: what was seen is not asked again.
        signs.retain(|(ix, sign, compiled)| {
            let seen = compiled.matches(line);
            if seen {
                let score = &mut scores[*ix];
                score.points += sign.score;
                score.reasons.push((Span::of(file, text, line.trim_end()), sign.score));
                if score.foreign.is_none() {
                    score.foreign.clone_from(&sign.foreign);
                }
            }
            !seen
        });
    }
    scores.retain(|s| !s.reasons.is_empty());
    scores.sort_by_key(|s| (std::cmp::Reverse(s.points - s.enough), s.dialect));
    Verdict { scores }
}

/// Which lines begin an export of one of the grammars, for files that hold several.
pub struct Beginnings<'g> {
    compiled: Vec<Compiled<'g>>,
    first_bytes: [bool; 256],
}

impl<'g> Beginnings<'g> {
    /// The signs that begin an export.
    pub fn new(grammars: &[&'g Grammar]) -> Beginnings<'g> {
        let compiled: Vec<Compiled<'g>> =
            grammars.iter().flat_map(|g| &g.file.detect.signs).filter(|s| s.begins).filter_map(compile).collect();
        let mut first_bytes = [false; 256];
        for sign in &compiled {
            match sign.first_byte() {
                Some(byte) => {
                    first_bytes[usize::from(byte.to_ascii_lowercase())] = true;
                    first_bytes[usize::from(byte.to_ascii_uppercase())] = true;
                }
                None => first_bytes = [true; 256],
            }
        }
        Beginnings { compiled, first_bytes }
    }

    /// Whether a line begins an export. Most lines are told by their first byte.
    pub fn begins(&self, line: &str) -> bool {
        let first = line.bytes().find(|b| !b.is_ascii_whitespace());
        first.is_some_and(|b| self.first_bytes[usize::from(b)] || !b.is_ascii()) && self.compiled.iter().any(|c| c.matches(line))
    }
}
