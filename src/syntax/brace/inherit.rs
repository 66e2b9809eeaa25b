//! Inheritance from groups, written out.
//!
//! What stands at a level wins over what a group brings; of several groups the first; a group that is applied nearer wins over
//! one that is applied farther out. A wildcard (`<ge-*>`) in a group reaches what is there and makes nothing.
//! The copies carry the places of the group's words. Work is bounded by the size of the text.

use super::Inherit;
use super::trie::Trie;

/// Writes out all inheritance; gives the place of a group that would have grown the tree beyond all measure.
pub fn expand<'t>(trie: &mut Trie<'t>, rules: &Inherit) -> Option<&'t str> {
    let groups = trie.find(0, &rules.groups)?;
    let mut places: Vec<(u32, Vec<u32>)> = Vec::new();
    // Every level that applies groups, with the levels that lead to it.
    let mut stack: Vec<(u32, usize)> = vec![(0, 0)];
    let mut path: Vec<u32> = Vec::new();
    while let Some((twig, depth)) = stack.pop() {
        path.truncate(depth.saturating_sub(1));
        if depth > 0 {
            path.push(twig);
        }
        if trie.find(twig, &rules.apply).is_some() {
            places.push((twig, path.clone()));
        }
        stack.extend(trie.in_force(twig).filter(|c| *c != groups).map(|c| (c, depth + 1)));
    }
    places.sort_by_key(|(twig, path)| (std::cmp::Reverse(path.len()), *twig));
    let mut work = Work { rules, left: trie.len() * 24 + 200_000, name: String::new() };
    for (twig, path) in places {
        let names: Vec<u32> = trie.find(twig, &rules.apply).map(|a| trie.in_force(a).collect()).unwrap_or_default();
        for applied in names {
            let wanted = trie.text(applied).to_owned();
            let members: Vec<String> = if wanted == rules.node { rules.nodes.clone() } else { vec![wanted] };
            for name in members {
                let Some(group) = trie.find(groups, &name) else { continue };
                work.name = name;
                let mut sources = vec![group];
                for level in &path {
                    let word = trie.raw(*level);
                    let looked: usize = sources.iter().map(|s| trie.children(*s).len()).sum();
                    let Some(left) = work.left.checked_sub(looked) else { return Some(trie.raw(applied)) };
                    work.left = left;
                    sources = sources
                        .into_iter()
                        .flat_map(|s| trie.in_force(s).collect::<Vec<_>>())
                        .filter(|s| trie.raw(*s) == word || wildcard(trie.raw(*s)).is_some_and(|w| matches(w, word)))
                        .collect();
                }
                for source in sources {
                    if work.merge(trie, source, twig).is_none() {
                        return Some(trie.raw(applied));
                    }
                }
            }
        }
    }
    None
}

struct Work<'r> {
    rules: &'r Inherit,
    /// Levels that may still be looked at.
    left: usize,
    /// The group at hand.
    name: String,
}

impl Work<'_> {
    /// Brings what stands below `source` to what stands below `target`; `None` when the work is too much.
    fn merge(&mut self, trie: &mut Trie<'_>, source: u32, target: u32) -> Option<()> {
        let mut stack = vec![(source, target)];
        while let Some((from, to)) = stack.pop() {
            if self.kept_away(trie, to) {
                continue;
            }
            let children: Vec<u32> = trie.in_force(from).collect();
            self.left = self.left.checked_sub(children.len() + 1)?;
            for child in children.iter().copied() {
                let raw = trie.raw(child);
                if wildcard(raw).is_some() || raw == self.rules.apply || raw == self.rules.except {
                    continue;
                }
                match trie.find(to, raw) {
                    Some(there) => stack.push((child, there)),
                    None if trie.is_single(to) && trie.in_force(to).next().is_some() => {}
                    None => {
                        let copy = trie.make(to, trie.copy_of(child), trie.end(child));
                        stack.push((child, copy));
                    }
                }
            }
            for child in children {
                let Some(pattern) = wildcard(trie.raw(child)) else { continue };
                let there: Vec<u32> = trie.in_force(to).filter(|t| matches(pattern, trie.raw(*t))).collect();
                self.left = self.left.checked_sub(trie.children(to).len())?;
                stack.extend(there.into_iter().map(|t| (child, t)));
            }
        }
        Some(())
    }

    fn kept_away(&self, trie: &Trie<'_>, twig: u32) -> bool {
        trie.find(twig, &self.rules.except).is_some_and(|e| trie.find(e, &self.name).is_some())
    }
}

/// The pattern of a wildcard `<…>`.
fn wildcard(word: &str) -> Option<&str> {
    word.strip_prefix('<')?.strip_suffix('>')
}

/// Whether a name fits a pattern of `*`, `?` and `[a-c]`.
fn matches(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut pi, mut ni) = (0, 0);
    // Where the last `*` stands, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while ni < n.len() {
        let step = match p.get(pi) {
            Some('*') => {
                star = Some((pi, ni));
                pi += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => set(&p[pi..], n[ni]),
            Some(c) if *c == n[ni] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(width), _) => (pi, ni) = (pi + width, ni + 1),
            (None, Some((at, taken))) => {
                (pi, ni) = (at + 1, taken + 1);
                star = Some((at, taken + 1));
            }
            (None, None) => return false,
        }
    }
    p[pi..].iter().all(|c| *c == '*')
}

/// How long a set of characters at the beginning of a pattern is, if it holds a character.
fn set(pattern: &[char], c: char) -> Option<usize> {
    let end = pattern.iter().position(|x| *x == ']')?;
    let (body, inverted) = match pattern.get(1) {
        Some('!' | '^') => (pattern.get(2..end)?, true),
        _ => (pattern.get(1..end)?, false),
    };
    let mut holds = false;
    let mut at = 0;
    while let Some(first) = body.get(at) {
        match (body.get(at + 1), body.get(at + 2)) {
            (Some('-'), Some(last)) => {
                holds |= *first <= c && c <= *last;
                at += 3;
            }
            _ => {
                holds |= *first == c;
                at += 1;
            }
        }
    }
    (holds != inverted).then_some(end + 1)
}
