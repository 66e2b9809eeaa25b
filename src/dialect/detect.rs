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

impl<'g> Compiled<'g> {
    /// With what every line that matches begins, blanks left out; empty when there is no such text.
    /// Letters stand for both cases.
    fn head(&self) -> &'g [u8] {
        match self {
            Compiled::Starts(s) => s.as_bytes(),
            Compiled::Words(p) => p.first().filter(|w| !w.starts_with(['*', '<'])).map_or(&[], |w| w.trim_end_matches('*').as_bytes()),
            Compiled::Contains(_) => &[],
        }
    }

    fn matches(&self, line: &str) -> bool {
        match self {
            Compiled::Starts(s) => line.trim_start_matches(BLANKS).starts_with(s),
            Compiled::Words(p) => words_match(p, line),
            Compiled::Contains(s) => line.contains(s),
        }
    }
}

/// A sign that a line may show: its position, and with what the line then begins, which is cheaper to ask than the sign.
#[derive(Clone, Copy)]
struct Candidate<'g> {
    sign: usize,
    head: &'g [u8],
}

impl Candidate<'_> {
    /// Whether a line, blanks before it left out, can match.
    fn may_match(&self, line: &[u8]) -> bool {
        line.get(..self.head.len()).is_some_and(|l| l.eq_ignore_ascii_case(self.head))
    }
}

/// What stands before the first word of a line.
const BLANKS: [char; 3] = ['\u{feff}', ' ', '\t'];

/// The signs of all grammars, sorted by the first byte of the lines they can match: made once, asked for every file.
pub struct Detector<'g> {
    signs: Vec<(usize, &'g Sign, Compiled<'g>)>,
    /// Signs about the beginning of a line, by the byte it begins with; for bytes that begin no sign, those that fit any.
    by_first_byte: Vec<Vec<Candidate<'g>>>,
    /// Those of them that begin an export.
    begin: Vec<Vec<Candidate<'g>>>,
    /// Signs that stand anywhere in a line.
    anywhere: Vec<(usize, memchr::memmem::Finder<'g>)>,
    /// Those of them that begin an export.
    begin_anywhere: Vec<usize>,
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
        let mut begin = vec![Vec::new(); 256];
        let mut anywhere = Vec::new();
        let mut begin_anywhere = Vec::new();
        for (ix, (_, sign, compiled)) in signs.iter().enumerate() {
            if let Compiled::Contains(s) = compiled {
                anywhere.push((ix, memchr::memmem::Finder::new(*s)));
                begin_anywhere.extend(sign.begins.then_some(ix));
                continue;
            }
            let head = compiled.head();
            for byte in 0..=u8::MAX {
                if head.first().is_none_or(|first| first.eq_ignore_ascii_case(&byte)) {
                    let candidate = Candidate { sign: ix, head };
                    by_first_byte[usize::from(byte)].push(candidate);
                    begin[usize::from(byte)].extend(sign.begins.then_some(candidate));
                }
            }
        }
        let enough = grammars.iter().map(|g| g.file.detect.enough).collect();
        Detector { signs, by_first_byte, begin, anywhere, begin_anywhere, enough }
    }

    /// Tells of each line of a text whether an export begins there, for files that hold several. Most lines are told by their first
    /// bytes.
    pub fn beginnings(&self, text: &str) -> impl Fn(&str) -> bool {
        let occurs = |ix: &usize| self.anywhere.iter().any(|(of, finder)| of == ix && finder.find(text.as_bytes()).is_some());
        let anywhere: Vec<usize> = self.begin_anywhere.iter().copied().filter(occurs).collect();
        move |line| {
            let bytes = line.trim_start_matches(BLANKS).as_bytes();
            let Some(first) = bytes.first() else { return false };
            let matches = |ix: usize| self.signs.get(ix).is_some_and(|(_, _, compiled)| compiled.matches(line));
            let begin = &self.begin[usize::from(*first)];
            begin.iter().any(|c| c.may_match(bytes) && matches(c.sign)) || anywhere.iter().any(|ix| matches(*ix))
        }
    }

    /// Scores a text for every grammar. Each sign counts once, at the first line that shows it.
    pub fn detect(&self, file: FileId, text: &str, range: std::ops::Range<usize>) -> Verdict {
        let text_in_range = text.get(range).unwrap_or("");
        let end = memchr::memchr_iter(b'\n', text_in_range.as_bytes()).nth(LINES).unwrap_or(text_in_range.len());
        let looked_at = &text_in_range[..end];
        let mut seen: Vec<Option<&str>> = vec![None; self.signs.len()];
        for line in looked_at.lines() {
            let bytes = line.trim_start_matches(BLANKS).as_bytes();
            let Some(first) = bytes.first() else { continue };
            for candidate in &self.by_first_byte[usize::from(*first)] {
                let ix = candidate.sign;
                if seen[ix].is_none() && candidate.may_match(bytes) && self.signs[ix].2.matches(line) {
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
