//! From text to levels: braces, `set` lines, comments, quotes.
//!
//! A damaged text loses as little as possible: a missing semicolon ends where its line ends at the top or where a brace closes
//! the block, a quote without its partner ends with its line, and blocks that never end are noted.

use super::trie::Trie;
use super::{DELETED, INACTIVE, Parameters, Tree, Word};
use crate::syntax::lex::{brace_word, line_word};
use std::ops::Range;

/// First words of lines that say one statement each.
const VERBS: [&str; 5] = ["set", "delete", "deactivate", "activate", "insert"];

/// Reads all statements of a part of a text.
pub fn read<'t>(tree: &mut Tree<'t>, trie: &mut Trie<'t>, text: &'t str, range: Range<usize>, parameters: &Parameters) {
    let mut reader = Reader {
        tree,
        trie,
        text,
        end: range.end,
        parameters,
        stack: Vec::new(),
        words: Vec::new(),
        mark: None,
        later: Vec::new(),
        moves: MOVES,
    };
    reader.run(range.start);
    reader.finish();
}

/// How many rows all `insert` lines together may move, so that reading stays linear.
const MOVES: usize = 100_000_000;

struct Reader<'x, 't> {
    tree: &'x mut Tree<'t>,
    trie: &'x mut Trie<'t>,
    text: &'t str,
    end: usize,
    parameters: &'x Parameters,
    /// Open blocks: the level what comes hangs below, and the level the block belongs to.
    stack: Vec<(u32, u32)>,
    /// Words of the statement at hand.
    words: Vec<Word<'t>>,
    /// `inactive:` before the statement at hand.
    mark: Option<&'t str>,
    /// `deactivate` and `activate` lines, which hold whatever the order.
    later: Vec<(bool, &'t str, Vec<Word<'t>>, usize)>,
    /// Rows that may still be moved.
    moves: usize,
}

impl<'t> Reader<'_, 't> {
    fn here(&self) -> u32 {
        self.stack.last().map_or(0, |s| s.0)
    }

    fn run(&mut self, start: usize) {
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut line_start = true;
        while at < self.end {
            if line_start && !bytes[at].is_ascii_whitespace() && self.stack.is_empty() && self.words.is_empty() {
                let end = self.line_end(at);
                if self.parameters.noise.iter().any(|n| self.text[at..end].starts_with(n.as_str())) {
                    at = end;
                    continue;
                }
                if let Some(next) = self.command(at, end) {
                    at = next;
                    continue;
                }
            }
            match bytes[at] {
                b'\n' => {
                    at += 1;
                    line_start = true;
                    if self.stack.is_empty() && !self.words.is_empty() && !self.opens_below(at) {
                        self.statement(at - 1);
                    }
                }
                b' ' | b'\t' | b'\r' => at += 1,
                b'#' => at = self.comment(at),
                b'/' if bytes.get(at + 1) == Some(&b'*') => at = self.annotation(at),
                b'{' => {
                    self.open(at);
                    at += 1;
                }
                b'}' => {
                    self.close(at);
                    at += 1;
                }
                b';' => {
                    self.statement(at);
                    at += 1;
                }
                b'[' if self.is_list(at) => at = self.list(at + 1),
                _ => {
                    at = self.word(at);
                }
            }
            line_start &= bytes[at - 1].is_ascii_whitespace();
        }
    }

    fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.text.as_bytes()[at..self.end]).map_or(self.end, |n| at + n)
    }

    /// Whether a block opens on the next line that is not empty.
    fn opens_below(&self, at: usize) -> bool {
        self.text[at..self.end].trim_start().starts_with('{')
    }

    fn comment(&mut self, at: usize) -> usize {
        let end = self.line_end(at);
        self.tree.comment(self.text[at..end].trim_end());
        end
    }

    fn annotation(&mut self, at: usize) -> usize {
        let body = &self.text[at + 2..self.end];
        match memchr::memmem::find(body.as_bytes(), b"*/") {
            Some(length) => at + 2 + length + 2,
            None => {
                let end = self.line_end(at);
                self.tree.problem(&self.text[at..end], "unclosed_comment");
                end
            }
        }
    }

    /// A bracket opens a list unless it is part of a word (`[NAME]/32`).
    fn is_list(&self, at: usize) -> bool {
        let rest = &self.text[at + 1..self.end];
        let word = rest.split([' ', '\t', '\n', '\r', ';']).next().unwrap_or("");
        word.is_empty() || !word.contains(']')
    }

    fn word(&mut self, at: usize) -> usize {
        let (next, word, unclosed) = brace_word(self.text, at, self.end);
        if unclosed {
            self.tree.problem(word.raw, "unclosed_quote");
        }
        if !word.quoted && self.words.is_empty() {
            if word.raw == INACTIVE {
                self.mark = Some(word.raw);
                return next;
            }
            if self.parameters.prefixes.iter().any(|p| p == word.raw) {
                return next;
            }
        }
        self.words.push(word);
        next
    }

    /// Reads the members of a list; each becomes a statement of its own with the words before it.
    fn list(&mut self, mut at: usize) -> usize {
        let bytes = self.text.as_bytes();
        let head = std::mem::take(&mut self.words);
        let mark = self.mark.take();
        let mut any = false;
        while at < self.end {
            match bytes[at] {
                b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                b']' => {
                    at += 1;
                    break;
                }
                // A list without its end.
                b';' | b'{' | b'}' => break,
                _ => {
                    let (next, word, _) = brace_word(self.text, at, self.end);
                    let (word, last) = match word.raw.strip_suffix(']').filter(|r| !word.quoted && !r.is_empty()) {
                        Some(raw) => (Word { raw, ..word }, true),
                        None => (word, false),
                    };
                    at = next;
                    self.words.extend(head.iter().cloned());
                    self.words.push(word);
                    self.mark = mark;
                    self.statement(at);
                    any = true;
                    if last {
                        break;
                    }
                }
            }
        }
        if !any {
            self.words = head;
            self.mark = mark;
        }
        at
    }

    /// Ends the statement at hand.
    fn statement(&mut self, end: usize) {
        let words = std::mem::take(&mut self.words);
        let mark = self.mark.take();
        if words.is_empty() {
            return;
        }
        self.insert(words, mark, end);
    }

    fn insert(&mut self, words: Vec<Word<'t>>, mark: Option<&'t str>, end: usize) -> u32 {
        let mut from = self.here();
        if let Some(place) = mark {
            from = self.trie.mark(from, place, INACTIVE, end);
        }
        let last = words.last().map(|w| w.raw);
        let (id, flat) = self.trie.insert(from, words, end);
        if flat {
            self.tree.problem(last.unwrap_or(""), "too_deep");
        }
        id
    }

    fn open(&mut self, at: usize) {
        let words = std::mem::take(&mut self.words);
        let mark = self.mark.take();
        let id = if words.is_empty() { self.here() } else { self.insert(words, mark, at) };
        self.stack.push((id, id));
    }

    fn close(&mut self, at: usize) {
        self.statement(at);
        match self.stack.pop() {
            Some((_, block)) if block != 0 => self.trie.close(block, at + 1),
            Some(_) => {}
            None => self.tree.problem(&self.text[at..at + 1], "stray_brace"),
        }
    }

    /// A line that says one statement (`set a b c`); `None` when the line is none.
    fn command(&mut self, start: usize, line_end: usize) -> Option<usize> {
        let line = &self.text[start..line_end];
        let mut start = start;
        let mut verb = line.split([' ', '\t', '\r']).next()?;
        if verb.contains('@') && verb.ends_with(['#', '>']) {
            // Typed behind a prompt: what was typed counts.
            let typed = line[verb.len()..].trim_start();
            start += line.len() - typed.len();
            verb = typed.split([' ', '\t', '\r']).next()?;
        }
        if !VERBS.contains(&verb) {
            return None;
        }
        let mut at = start + verb.len();
        let mut lists: Vec<Vec<Word<'t>>> = vec![Vec::new()];
        let mut members: Option<Vec<Word<'t>>> = None;
        let bytes = self.text.as_bytes();
        let mut end = at;
        while at < self.end && bytes[at] != b'\n' {
            if matches!(bytes[at], b' ' | b'\t' | b'\r') {
                at += 1;
                continue;
            }
            if bytes[at] == b'#' {
                at = self.comment(at);
                break;
            }
            let (next, word, unclosed) = line_word(self.text, at, self.end);
            if unclosed {
                self.tree.problem(word.raw, "unclosed_quote");
            }
            at = next;
            end = next;
            match (&mut members, word.raw) {
                (None, "[") if !word.quoted => members = Some(Vec::new()),
                (Some(list), "]") if !word.quoted => {
                    let list = std::mem::take(list);
                    members = None;
                    let head = lists.pop().unwrap_or_default();
                    lists.extend(list.into_iter().map(|w| head.iter().cloned().chain([w]).collect()));
                }
                (Some(list), _) => list.push(word),
                (None, _) => lists.iter_mut().for_each(|l| l.push(word.clone())),
            }
        }
        let verb = &self.text[start..start + verb.len()];
        for words in lists.into_iter().filter(|w| !w.is_empty()) {
            match verb {
                "set" => {
                    for words in self.apart(words) {
                        self.insert(words, None, end);
                    }
                }
                "delete" => self.delete(verb, words, end),
                "insert" => self.reorder(verb, words, end),
                "deactivate" => self.later.push((true, verb, words, end)),
                _ => self.later.push((false, verb, words, end)),
            }
        }
        Some(at)
    }

    /// Several statements of one level on one line, each with the words before the first.
    fn apart(&self, words: Vec<Word<'t>>) -> Vec<Vec<Word<'t>>> {
        let named = |beside: &super::Beside, word: &Word<'t>| !word.quoted && beside.names.iter().any(|n| n == word.raw);
        let place = words.windows(2).enumerate().find_map(|(at, pair)| {
            let beside = self.parameters.beside.iter().find(|b| b.level == pair[0].raw && named(b, &pair[1]))?;
            Some((at + 1, beside))
        });
        let Some((first, beside)) = place else { return vec![words] };
        // A name that stands where a value must is a value.
        let pairs = words[first..].chunks(2);
        if pairs.len() < 2 || !words[first..].len().is_multiple_of(2) || !pairs.clone().all(|pair| named(beside, &pair[0])) {
            return vec![words];
        }
        pairs.map(|pair| words[..first].iter().chain(pair).cloned().collect()).collect()
    }

    /// `delete a b c`: the statement goes; the line itself stays visible, with what it names.
    fn delete(&mut self, verb: &'t str, words: Vec<Word<'t>>, end: usize) {
        if let (Some(parent), Some(twig)) = (self.trie.path(0, &words[..words.len() - 1]), self.trie.path(0, &words)) {
            self.trie.set_aside(parent, twig, verb, DELETED, end);
        }
        let mark = self.trie.mark(0, verb, DELETED, end);
        self.trie.insert(mark, words, end);
    }

    /// `insert … row A before row B`.
    fn reorder(&mut self, verb: &'t str, words: Vec<Word<'t>>, end: usize) {
        if let Some(at) = words.iter().rposition(|w| matches!(w.raw, "before" | "after")).filter(|at| *at > 0) {
            let parent = self.trie.path(0, &words[..at - 1]);
            let row = self.trie.path(0, &words[..at]);
            let other = parent.and_then(|p| self.trie.find(p, words.last().map_or("", |w| w.raw)));
            if let (Some(parent), Some(row), Some(other)) = (parent, row, other)
                && row != other
                && let Some(left) = self.moves.checked_sub(self.trie.children(parent).len())
            {
                self.moves = left;
                self.trie.reorder(parent, row, other, words[at].raw == "after");
            }
        }
        let mark = self.trie.mark(0, verb, DELETED, end);
        self.trie.insert(mark, words, end);
    }

    fn finish(&mut self) {
        self.statement(self.end);
        if let Some((_, block)) = self.stack.first().copied() {
            let place = if block == 0 { &self.text[self.end..self.end] } else { self.trie.raw(block) };
            self.tree.problem(place, "unclosed_block");
        }
        while let Some((_, block)) = self.stack.pop() {
            if block != 0 {
                self.trie.close(block, self.end);
            }
        }
        // A line may be taken back by a later one.
        let mut off: Vec<(&'t str, Vec<Word<'t>>, usize)> = Vec::new();
        for (deactivates, verb, words, end) in std::mem::take(&mut self.later) {
            if deactivates {
                off.push((verb, words, end));
            } else {
                off.retain(|(_, w, _)| !(w.len() == words.len() && w.iter().zip(&words).all(|(a, b)| a.raw == b.raw)));
                let mark = self.trie.mark(0, verb, DELETED, end);
                self.trie.insert(mark, words, end);
            }
        }
        for (verb, words, end) in off {
            self.trie.name_again(&words);
            match (self.trie.path(0, &words[..words.len() - 1]), self.trie.path(0, &words)) {
                (Some(parent), Some(twig)) => self.trie.set_aside(parent, twig, verb, INACTIVE, end),
                _ => {
                    let mark = self.trie.mark(0, verb, INACTIVE, end);
                    self.trie.insert(mark, words, end);
                }
            }
        }
    }
}
