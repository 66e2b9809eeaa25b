//! The statements of one level, looked up by their first words.
//!
//! A later `no` takes back what stands before it; a later line with the same words does not, since many commands are lists.
//! Gives no meaning to any command. Asking marks what is found as read.

use crate::ir::fact::Fact;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// The statements below one or several nodes.
#[derive(Default)]
pub struct Lines<'a> {
    nodes: Vec<Node<'a>>,
    by_first: HashMap<String, Vec<usize>>,
}

/// Whether a statement has a word at a place, whatever its case.
pub fn is(node: Node<'_>, ix: usize, word: &str) -> bool {
    node.word(ix).is_some_and(|w| w.eq_ignore_ascii_case(word))
}

/// Whether a statement begins with words from a place on, whatever their case.
fn begins(node: Node<'_>, at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(ix, w)| is(node, at + ix, w))
}

/// The words of a statement from a place on, as one key.
fn key(node: Node<'_>, at: usize) -> String {
    node.words_from(at).collect::<Vec<_>>().join(" ")
}

impl<'a> Lines<'a> {
    /// The statements directly below a node.
    pub fn below(node: Node<'a>) -> Lines<'a> {
        let mut lines = Lines::default();
        lines.add(node);
        lines
    }

    /// Adds the statements below a further node: a block that is entered twice.
    pub fn add(&mut self, node: Node<'a>) {
        for child in node.children() {
            let first = if is(child, 0, "no") { child.word_or_empty(1) } else { child.word_or_empty(0) };
            self.by_first.entry(first.to_ascii_lowercase()).or_default().push(self.nodes.len());
            self.nodes.push(child);
        }
    }

    /// The statements that begin with these words and were not taken back, in the order of the text.
    pub fn all(&self, words: &[&str]) -> Vec<Node<'a>> {
        self.settle(words).0
    }

    /// The statement that counts: the last one.
    pub fn one(&self, words: &[&str]) -> Option<Node<'a>> {
        self.all(words).pop()
    }

    /// A switch: on where the line stands, off where `no` stands last, nothing where neither does.
    pub fn flag(&self, words: &[&str]) -> Option<Fact<bool>> {
        let (mut on, off) = self.settle(words);
        match (on.pop(), off) {
            (Some(node), _) => Some(Fact::written(true, node.span())),
            (None, Some(span)) => Some(Fact::written(false, span)),
            (None, None) => None,
        }
    }

    /// What stands, and the last line that took back all of it.
    fn settle(&self, words: &[&str]) -> (Vec<Node<'a>>, Option<Span>) {
        let Some(list) = words.first().and_then(|w| self.by_first.get(&w.to_ascii_lowercase())) else { return (Vec::new(), None) };
        let mut found: Vec<Option<Node<'a>>> = Vec::new();
        let mut by_name: HashMap<&'a str, Vec<usize>> = HashMap::new();
        let mut by_text: HashMap<String, usize> = HashMap::new();
        let mut off = None;
        // Most exports hold no `no` for a command; the tables are made only where one does.
        let negations = list.iter().any(|ix| is(self.nodes[*ix], 0, "no") && begins(self.nodes[*ix], 1, words));
        for node in list.iter().map(|ix| self.nodes[*ix]) {
            if is(node, 0, "no") && begins(node, 1, words) {
                node.read();
                let at = 1 + words.len();
                match node.len() - at {
                    0 => {
                        found.clear();
                        by_name.clear();
                        by_text.clear();
                        off = Some(node.span());
                    }
                    1 => {
                        for ix in by_name.remove(node.word_or_empty(at)).unwrap_or_default() {
                            found[ix] = None;
                        }
                    }
                    _ => {
                        if let Some(ix) = by_text.remove(&key(node, at)) {
                            found[ix] = None;
                        }
                    }
                }
            } else if begins(node, 0, words) {
                node.read();
                if negations {
                    by_name.entry(node.word_or_empty(words.len())).or_default().push(found.len());
                    by_text.insert(key(node, words.len()), found.len());
                }
                found.push(Some(node));
                off = None;
            }
        }
        (found.into_iter().flatten().collect(), off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;
    use crate::syntax::indent;

    fn names(text: &str, words: &[&str]) -> Vec<String> {
        let tree = indent::parse(FileId(0), text, 0..text.len(), &indent::Parameters::default());
        let lines = Lines::below(tree.root());
        lines.all(words).iter().map(|n| key(*n, words.len())).collect()
    }

    #[test]
    fn a_later_no_takes_back_all_one_name_or_one_line() {
        let text = "ip access-list a permit x\nip access-list a deny y\nip access-list b permit z\n";
        assert_eq!(names(&format!("{text}no ip access-list a\n"), &["ip", "access-list"]), ["b permit z"]);
        assert_eq!(names(&format!("{text}no ip access-list a deny y\n"), &["ip", "access-list"]), ["a permit x", "b permit z"]);
        assert!(names(&format!("{text}no ip access-list\n"), &["ip", "access-list"]).is_empty());
        assert_eq!(names(&format!("no ip access-list\n{text}"), &["ip", "access-list"]).len(), 3);
    }

    #[test]
    fn a_switch_is_on_off_or_not_there() {
        let text = "SSH-server ip enable\nno telnet-server ip enable\n";
        let tree = indent::parse(FileId(0), text, 0..text.len(), &indent::Parameters::default());
        let lines = Lines::below(tree.root());
        assert!(lines.flag(&["ssh-server", "ip", "enable"]).is_some_and(|f| f.value.is_true()));
        assert!(lines.flag(&["telnet-server", "ip", "enable"]).is_some_and(|f| f.value.is_false()));
        assert!(lines.flag(&["http-server", "ip", "enable"]).is_none());
    }
}
