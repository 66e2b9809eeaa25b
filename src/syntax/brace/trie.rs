//! The levels of an export while it is read: find or make a level below another, switch off, delete, put in order.
//!
//! A level with few others beside it is looked for one by one, a level among many by a table, so that both the usual shallow
//! statement and a list of a hundred thousand rows cost little.

use super::{DELETED, INACTIVE, Parameters, Word};
use std::collections::HashMap;

/// Deeper nesting than any product has; further words stay together at one level.
const DEPTH: usize = 64;
/// From how many levels side by side a table is kept.
const MANY: usize = 16;

#[derive(Debug)]
struct Twig<'t> {
    word: Word<'t>,
    /// Further words, where the nesting is too deep.
    more: Vec<Word<'t>>,
    children: Vec<u32>,
    end: usize,
    depth: usize,
    indexed: bool,
}

/// See the module text. Level 0 is above all.
#[derive(Debug)]
pub struct Trie<'t> {
    twigs: Vec<Twig<'t>>,
    index: HashMap<(u32, &'t str), u32>,
    single: Vec<String>,
    /// Words that were there already, with their further places.
    again: Vec<(u32, &'t str)>,
}

impl<'t> Trie<'t> {
    /// An empty one.
    pub fn new(parameters: &Parameters) -> Trie<'t> {
        let mut trie = Trie { twigs: Vec::new(), index: HashMap::new(), single: parameters.single.clone(), again: Vec::new() };
        trie.twigs.push(Twig {
            word: Word { raw: "", cooked: None, quoted: false },
            more: Vec::new(),
            children: Vec::new(),
            end: 0,
            depth: 0,
            indexed: false,
        });
        trie
    }

    /// How many levels there are.
    pub fn len(&self) -> usize {
        self.twigs.len()
    }

    /// The levels directly below one.
    pub fn children(&self, twig: u32) -> &[u32] {
        &self.twigs[twig as usize].children
    }

    /// The words of a level: one, but where the nesting was too deep.
    pub fn words(&self, twig: u32) -> impl Iterator<Item = Word<'t>> + '_ {
        let twig = &self.twigs[twig as usize];
        std::iter::once(&twig.word).chain(&twig.more).cloned()
    }

    /// The word as it stands in the text.
    pub fn raw(&self, twig: u32) -> &'t str {
        self.twigs[twig as usize].word.raw
    }

    /// The word as it is meant: escapes undone, and marks by their name.
    pub fn text(&self, twig: u32) -> &str {
        let word = &self.twigs[twig as usize].word;
        word.cooked.as_deref().unwrap_or(word.raw)
    }

    /// Where what stands below a level ends.
    pub fn end(&self, twig: u32) -> usize {
        self.twigs[twig as usize].end
    }

    /// Notes where what stands below a level ends.
    pub fn close(&mut self, twig: u32, end: usize) {
        let twig = &mut self.twigs[twig as usize];
        twig.end = twig.end.max(end);
    }

    /// The level of a word below another, if there is one in force.
    pub fn find(&self, parent: u32, word: &str) -> Option<u32> {
        let twig = &self.twigs[parent as usize];
        if twig.indexed {
            return self.index.get(&(parent, word)).copied();
        }
        twig.children.iter().copied().find(|c| self.raw(*c) == word && !self.is_mark(*c))
    }

    /// The level at the end of a path.
    pub fn path(&self, from: u32, words: &[Word<'t>]) -> Option<u32> {
        words.iter().try_fold(from, |at, word| self.find(at, word.raw))
    }

    /// Whether a level only says that what stands below is not in force.
    pub fn is_mark(&self, twig: u32) -> bool {
        let word = &self.twigs[twig as usize].word;
        matches!(word.cooked.as_deref(), Some(INACTIVE | DELETED))
    }

    /// Makes a new level below another, whatever is there.
    pub fn make(&mut self, parent: u32, word: Word<'t>, end: usize) -> u32 {
        let depth = self.twigs[parent as usize].depth + 1;
        let id = self.twigs.len() as u32;
        let raw = word.raw;
        self.twigs.push(Twig { word, more: Vec::new(), children: Vec::new(), end, depth, indexed: false });
        let above = &mut self.twigs[parent as usize];
        above.children.push(id);
        if above.indexed {
            if !self.is_mark(id) {
                self.index.entry((parent, raw)).or_insert(id);
            }
        } else if above.children.len() > MANY {
            above.indexed = true;
            for child in self.twigs[parent as usize].children.clone() {
                if !self.is_mark(child) {
                    self.index.entry((parent, self.raw(child))).or_insert(child);
                }
            }
        }
        id
    }

    /// A level that only marks what is put below it as not in force; `place` is the word that does so.
    pub fn mark(&mut self, parent: u32, place: &'t str, kind: &'static str, end: usize) -> u32 {
        self.make(parent, Word { raw: place, cooked: Some(kind.to_owned()), quoted: false }, end)
    }

    /// Whether a level holds one value at most.
    pub fn is_single(&self, twig: u32) -> bool {
        let raw = self.raw(twig);
        self.single.iter().any(|s| s == raw)
    }

    /// The values in force directly below a level.
    pub fn in_force(&self, twig: u32) -> impl Iterator<Item = u32> + '_ {
        self.children(twig).iter().copied().filter(|c| !self.is_mark(*c))
    }

    /// Finds or makes the levels of a statement below another; gives the last.
    pub fn insert(&mut self, from: u32, words: Vec<Word<'t>>, end: usize) -> (u32, bool) {
        let mut at = from;
        let mut flat = false;
        let count = words.len();
        for (ix, word) in words.into_iter().enumerate() {
            if self.twigs[at as usize].depth >= DEPTH {
                // Too deep: the rest of the words stay with this level.
                self.twigs[at as usize].more.push(word);
                flat = true;
                continue;
            }
            at = match self.find(at, word.raw) {
                Some(found) => {
                    self.again.push((found, word.raw));
                    self.close(found, if ix + 1 == count { end } else { 0 });
                    found
                }
                None => {
                    if ix + 1 == count && self.is_single(at) {
                        self.replace(at, word.raw, end);
                    }
                    self.make(at, word, end)
                }
            };
        }
        (at, flat)
    }

    /// A statement of one value gets another: the old one, which came last, stays in the text but not in force.
    fn replace(&mut self, parent: u32, by: &'t str, end: usize) {
        let old = self.children(parent).last().copied().filter(|c| !self.is_mark(*c) && self.children(*c).is_empty());
        if let Some(value) = old {
            self.set_aside(parent, value, by, DELETED, end);
        }
    }

    /// Takes a level out of force: a mark takes its place, and it hangs below the mark from now on.
    pub fn set_aside(&mut self, parent: u32, twig: u32, place: &'t str, kind: &'static str, end: usize) {
        self.index.remove(&(parent, self.raw(twig)));
        let id = self.twigs.len() as u32;
        let old = &mut self.twigs[twig as usize];
        let mark = Twig {
            word: Word { raw: place, cooked: Some(kind.to_owned()), quoted: false },
            more: Vec::new(),
            children: vec![id],
            end,
            depth: old.depth,
            indexed: false,
        };
        let mut moved = std::mem::replace(old, mark);
        // Nothing is looked for there any more.
        moved.indexed = false;
        self.twigs.push(moved);
    }

    /// Notes that a line names the levels of a path once more.
    pub fn name_again(&mut self, words: &[Word<'t>]) {
        let mut at = 0;
        for word in words {
            let Some(found) = self.find(at, word.raw) else { return };
            self.again.push((found, word.raw));
            at = found;
        }
    }

    /// Words that stand in several places: the level, and each further place. A level that was set aside is found below its mark.
    pub fn again(&self) -> impl Iterator<Item = (u32, &'t str)> + '_ {
        self.again.iter().map(|(twig, place)| {
            let mut at = *twig;
            while self.is_mark(at)
                && let Some(below) = self.children(at).first()
            {
                at = *below;
            }
            (at, *place)
        })
    }

    /// Puts one row before or after another.
    pub fn reorder(&mut self, parent: u32, row: u32, other: u32, after: bool) {
        let children = &mut self.twigs[parent as usize].children;
        children.retain(|c| *c != row);
        if let Some(place) = children.iter().position(|c| *c == other) {
            children.insert(place + usize::from(after), row);
        } else {
            children.push(row);
        }
    }

    /// The words of a level for a copy of it elsewhere.
    pub fn copy_of(&self, twig: u32) -> Word<'t> {
        self.twigs[twig as usize].word.clone()
    }
}
