//! The command-line family with mode selection: one command a line; some commands (`pp select 1`, `tunnel select 2`) select
//! what the following ones speak of. Lines that a mode's table names hang below the selecting line, all others at the top.
//! Indentation means nothing.

use super::lex::command_words;
use super::tree::{NodeId, Tree, Word};
use crate::source::FileId;
use serde::Deserialize;
use std::ops::Range;

/// What products of this family differ in; `[syntax]` of the grammar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Modes.
    #[serde(default, rename = "mode")]
    pub modes: Vec<Mode>,
}

/// A mode and the commands that speak of what it selects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// Words of the selecting command, without its argument.
    pub select: Vec<String>,
    /// Argument that leaves the mode.
    pub leave: String,
    /// First words of the commands that belong to what is selected.
    pub members: Vec<Vec<String>>,
    /// First words of commands that `members` would catch but that are global.
    #[serde(default)]
    pub not: Vec<Vec<String>>,
}

fn starts(words: &[Word<'_>], prefix: &[String]) -> bool {
    prefix.len() <= words.len() && prefix.iter().zip(words).all(|(p, w)| p.eq_ignore_ascii_case(w.raw))
}

/// Reads one export. Comment lines are kept in [`Tree::comments`].
pub fn parse<'t>(file: FileId, text: &'t str, range: Range<usize>, parameters: &Parameters) -> Tree<'t> {
    let mut tree = Tree::new(file, text);
    let mut selected: Option<(&Mode, NodeId)> = None;
    let mut at = range.start;
    while at < range.end {
        let end = memchr::memchr(b'\n', &text.as_bytes()[at..range.end]).map_or(range.end, |n| at + n);
        let line = text[at..end].trim_start_matches([' ', '\t']).trim_end_matches(['\r', ' ', '\t']);
        at = end + 1;
        if line.starts_with('#') {
            tree.comment(line);
            continue;
        }
        let mut words = Vec::new();
        command_words(line, &mut words);
        if words.is_empty() {
            continue;
        }
        if let Some(mode) = parameters.modes.iter().find(|m| starts(&words, &m.select)) {
            let leaves = words.get(mode.select.len()).is_none_or(|w| w.raw.eq_ignore_ascii_case(&mode.leave));
            let id = tree.push(NodeId::ROOT, words);
            selected = (!leaves).then_some((mode, id));
            continue;
        }
        let parent = match selected {
            Some((mode, id)) => {
                // `no <command>` belongs where the command belongs.
                let rest = if words[0].raw.eq_ignore_ascii_case("no") { &words[1..] } else { &words[..] };
                let member = mode.members.iter().any(|m| starts(rest, m)) && !mode.not.iter().any(|m| starts(rest, m));
                if member { id } else { NodeId::ROOT }
            }
            None => NodeId::ROOT,
        };
        tree.push(parent, words);
        if parent != NodeId::ROOT {
            tree.close(parent, end);
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Node;

    fn parameters() -> Parameters {
        let words = |t: &str| t.split(' ').map(str::to_owned).collect::<Vec<_>>();
        Parameters {
            modes: vec![Mode {
                select: words("tunnel select"),
                leave: "none".into(),
                members: vec![words("tunnel"), words("ip tunnel"), words("l2tp")],
                not: vec![words("l2tp service")],
            }],
        }
    }
    fn shape(text: &str) -> Vec<String> {
        fn line(n: Node<'_>) -> String {
            n.words_from(0).collect::<Vec<_>>().join(" ")
        }
        let tree = parse(FileId(0), text, 0..text.len(), &parameters());
        let top: Vec<Node<'_>> = tree.root().children().collect();
        top.into_iter().map(|n| format!("{}[{}]", line(n), n.children().map(line).collect::<Vec<_>>().join(","))).collect()
    }

    #[test]
    fn members_hang_below_their_selection_and_others_do_not() {
        assert_eq!(
            shape(
                "tunnel select 1\n tunnel encapsulation l2tp\nipsec ike version 1 2\nno ip tunnel mtu\nl2tp service on\ntunnel select none\ntunnel enable 1\n"
            ),
            [
                "tunnel select 1[tunnel encapsulation l2tp,no ip tunnel mtu]",
                "ipsec ike version 1 2[]",
                "l2tp service on[]",
                "tunnel select none[]",
                "tunnel enable 1[]"
            ]
        );
    }

    #[test]
    fn an_indented_selection_selects() {
        assert_eq!(
            shape("tunnel select 1\n tunnel enable 1\n tunnel select 2\n tunnel enable 2\n"),
            ["tunnel select 1[tunnel enable 1]", "tunnel select 2[tunnel enable 2]"]
        );
    }
}
