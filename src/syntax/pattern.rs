//! Patterns over statements, as grammar files write them: for secrets, for what is irrelevant, for telling words.
//!
//! `config system admin > edit * > set password {...}`: levels are separated by ` > `, each matches the beginning of a
//! statement. `*` is any word, `abc*` a word with that beginning, `*abc` with that end, `*abc*` one that holds it, `<n>` a number, `$` the end of the statement; `{}` is one
//! word to hide and `{...}` hides the rest of the statement. A pattern matches a statement wherever its first level stands
//! directly below the scope it is applied to.

use super::tree::Node;
use crate::source::Span;
use std::collections::HashMap;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Literal(String),
    Prefix(String),
    Suffix(String),
    Infix(String),
    Any,
    Number,
    End,
    Hide,
    HideRest,
}

/// A compiled pattern: its levels.
#[derive(Clone, Debug)]
struct Level {
    tokens: Vec<Token>,
}

impl Level {
    fn parse(text: &str, fold: bool) -> Level {
        let tokens = text
            .split_whitespace()
            .map(|t| match t {
                "*" => Token::Any,
                "<n>" => Token::Number,
                "$" => Token::End,
                "{}" => Token::Hide,
                "{...}" => Token::HideRest,
                t => {
                    let t = if fold { t.to_ascii_lowercase() } else { t.to_owned() };
                    match (t.strip_prefix('*'), t.strip_suffix('*')) {
                        (Some(rest), Some(_)) => Token::Infix(rest.trim_end_matches('*').to_owned()),
                        (Some(rest), None) => Token::Suffix(rest.to_owned()),
                        (None, Some(rest)) => Token::Prefix(rest.to_owned()),
                        (None, None) => Token::Literal(t),
                    }
                }
            })
            .collect();
        Level { tokens }
    }

    /// Whether a statement begins like this; the places to hide are added to `hide`.
    fn matches(&self, node: Node<'_>, fold: bool, hide: &mut Vec<Span>) -> bool {
        let before = hide.len();
        for (ix, token) in self.tokens.iter().enumerate() {
            let word = node.word(ix);
            let ok = match (token, word) {
                (Token::End, w) => w.is_none(),
                (_, None) => matches!(token, Token::HideRest),
                (Token::Any, _) => true,
                (Token::Number, Some(w)) => !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit()),
                (Token::Literal(l), Some(w)) => w == l || fold && w.eq_ignore_ascii_case(l),
                (Token::Prefix(p), Some(w)) => w.get(..p.len()).is_some_and(|w| w == p || fold && w.eq_ignore_ascii_case(p)),
                (Token::Suffix(s), Some(w)) => {
                    let end = w.len().checked_sub(s.len()).and_then(|at| w.get(at..));
                    end.is_some_and(|w| w == s || fold && w.eq_ignore_ascii_case(s))
                }
                (Token::Infix(i), Some(w)) => w.contains(i.as_str()) || fold && w.to_ascii_lowercase().contains(i.as_str()),
                (Token::Hide, Some(_)) => {
                    hide.push(node.word_span(ix));
                    true
                }
                (Token::HideRest, Some(_)) => {
                    hide.extend((ix..node.len()).map(|i| node.word_span(i)));
                    true
                }
            };
            if !ok {
                hide.truncate(before);
                return false;
            }
        }
        true
    }

    /// The literal word at a position, by which levels are looked up.
    fn literal(&self, ix: usize) -> Option<&str> {
        match self.tokens.get(ix) {
            Some(Token::Literal(l)) => Some(l),
            _ => None,
        }
    }
}

/// Levels and the step each leads to.
type Rows = Vec<(Level, usize)>;

#[derive(Clone, Debug, Default)]
struct Step {
    /// By the first word, then by the second; levels whose second word is no literal stand in the second table's `any`.
    by_word: HashMap<String, Second>,
    /// Levels whose first word is no literal.
    other: Rows,
    /// A pattern ends here.
    last: bool,
}

#[derive(Clone, Debug, Default)]
struct Second {
    by_word: HashMap<String, Rows>,
    /// Levels whose second word is given by its beginning, by the first byte of it.
    by_first_byte: HashMap<u8, Rows>,
    any: Rows,
}

/// Many patterns, looked up together.
#[derive(Clone, Debug)]
pub struct PatternSet {
    steps: Vec<Step>,
    fold: bool,
}

impl PatternSet {
    /// Compiles patterns; with `fold` the case of letters does not matter.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>, fold: bool) -> PatternSet {
        let mut set = PatternSet { steps: vec![Step::default()], fold };
        for pattern in patterns {
            let mut at = 0;
            for level in pattern.split(" > ") {
                at = set.step(at, Level::parse(level, fold));
            }
            set.steps[at].last = true;
        }
        set
    }

    fn step(&mut self, at: usize, level: Level) -> usize {
        let next = self.steps.len();
        let step = &mut self.steps[at];
        let rows = match level.literal(0) {
            None => &mut step.other,
            Some(first) => {
                let second = step.by_word.entry(first.to_owned()).or_default();
                match level.tokens.get(1) {
                    Some(Token::Literal(word)) => second.by_word.entry(word.clone()).or_default(),
                    Some(Token::Prefix(p)) if !p.is_empty() => second.by_first_byte.entry(p.as_bytes()[0]).or_default(),
                    _ => &mut second.any,
                }
            }
        };
        if let Some((_, existing)) = rows.iter().find(|(l, _)| l.tokens == level.tokens) {
            return *existing;
        }
        rows.push((level, next));
        self.steps.push(Step::default());
        next
    }

    /// Calls `found` for every statement below `scope` that a pattern matches, with the places to hide. Statements that are
    /// `transparent` (wrappers of whole exports, marks of what is switched off) count as no level: patterns begin anew below them
    /// and go on where they stood.
    pub fn apply<'a>(&self, scope: Node<'a>, transparent: &dyn Fn(Node<'a>) -> bool, found: &mut dyn FnMut(Node<'a>, &[Span])) {
        self.walk(scope, &[0], transparent, found);
    }

    fn walk<'a>(&self, node: Node<'a>, states: &[usize], transparent: &dyn Fn(Node<'a>) -> bool, found: &mut dyn FnMut(Node<'a>, &[Span])) {
        let mut next: Vec<usize> = Vec::new();
        let mut hide: Vec<Span> = Vec::new();
        let mut lower = [String::new(), String::new()];
        for child in node.children() {
            next.clear();
            hide.clear();
            let mut last = false;
            let [first, second] = &mut lower;
            let (first, second) = (folded(child.word_or_empty(0), self.fold, first), folded(child.word_or_empty(1), self.fold, second));
            for &state in states {
                let step = &self.steps[state];
                let seconds = step.by_word.get(first);
                let exact = seconds.and_then(|s| s.by_word.get(second));
                let begun = seconds.and_then(|s| s.by_first_byte.get(second.as_bytes().first()?));
                let rows = [exact, begun, seconds.map(|s| &s.any), Some(&step.other)];
                for (level, to) in rows.into_iter().flatten().flatten() {
                    if level.matches(child, self.fold, &mut hide) {
                        next.push(*to);
                        last |= self.steps[*to].last;
                    }
                }
            }
            if last {
                found(child, &hide);
            }
            if transparent(child) {
                next.extend_from_slice(states);
                next.push(0);
                next.sort_unstable();
                next.dedup();
            }
            if !next.is_empty() {
                let states = next.clone();
                self.walk(child, &states, transparent, found);
            }
        }
    }
}

/// The word as tables hold it: in small letters where case does not matter.
fn folded<'w>(word: &'w str, fold: bool, buffer: &'w mut String) -> &'w str {
    if !fold || !word.bytes().any(|b| b.is_ascii_uppercase()) {
        return word;
    }
    buffer.clear();
    buffer.push_str(word);
    buffer.make_ascii_lowercase();
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;
    use crate::syntax::block;

    #[test]
    fn levels_words_and_hidden_places() {
        let text = "config system admin\nedit a\nset password ENC abc\nset color 3\nnext\nend\nconfig system x\nset password plain\nend\n";
        let tree = block::parse(FileId(0), text, 0..text.len(), &block::Parameters::default());
        let set = PatternSet::new(["config system admin > edit * > set password {...}", "config * > edit * > set color"], false);
        let mut hits = Vec::new();
        set.apply(tree.root(), &|_| false, &mut |node, hide| {
            hits.push((node.word_or_empty(1).to_owned(), hide.iter().map(|s| s.slice(text).to_owned()).collect::<Vec<_>>()));
        });
        assert_eq!(hits, [("password".to_owned(), vec!["ENC".to_owned(), "abc".to_owned()]), ("color".to_owned(), vec![])]);
    }

    #[test]
    fn words_by_their_ends_and_middles() {
        let text = "set my-password a\nset password b\nset passwords c\nset word d\n";
        let tree = block::parse(FileId(0), text, 0..text.len(), &block::Parameters::default());
        let found = |pattern: &str| {
            let mut hits = Vec::new();
            PatternSet::new([pattern], false)
                .apply(tree.root(), &|_| false, &mut |_, hide| hits.extend(hide.iter().map(|s| s.slice(text))));
            hits
        };
        assert_eq!(found("set *password {}"), ["a", "b"]);
        assert_eq!(found("set *password* {}"), ["a", "b", "c"]);
        assert_eq!(found("set pass* {}"), ["b", "c"]);
    }

    #[test]
    fn numbers_ends_and_case() {
        let text = "IPSEC IKE pre-shared-key 1 text abc\nipsec ike pre-shared-key x text abc\nlogin\nlogin user\n";
        let tree = crate::syntax::command_lines::parse(FileId(0), text, 0..text.len(), &Default::default());
        let set = PatternSet::new(["ipsec ike pre-shared-key <n> text {}", "login $"], true);
        let mut hits = Vec::new();
        set.apply(tree.root(), &|_| false, &mut |node, hide| hits.push((node.word_or_empty(0).to_owned(), hide.len())));
        assert_eq!(hits, [("IPSEC".to_owned(), 1), ("login".to_owned(), 0)]);
    }
}
