//! The family of statements that end at a newline or semicolon. Statements that begin with the words of a head (`table`, `chain`, ...)
//! hold others in braces; in every other statement braces, commas and operators are words, and a brace carries it over line ends.
//!
//! Nothing is lost: a closing brace too many is noted and passed over, a missing one ends with the text. Depth of nesting is
//! bounded by the heads, since a statement inside braces that are words is never looked into.

use super::tree::{NodeId, Tree, Word};
use crate::source::FileId;
use serde::Deserialize;
use std::ops::Range;

/// What products of this family differ in; `[syntax]` of the grammar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// First words of statements that hold others, behind an optional command.
    pub heads: Vec<String>,
    /// The heads among them that hold other heads; inside of the rest, and so in rules, every brace is a word.
    pub nesting: Vec<String>,
    /// Commands that may stand before a head.
    #[serde(default)]
    pub commands: Vec<String>,
}

/// Deeper nesting is read flat.
const DEEPEST: usize = 16;

/// Operators that are words of their own where they touch others, longest first.
const OPERATORS: [&str; 11] = ["!=", "==", "<=", ">=", "&", "|", "(", ")", "=", "<", ">"];

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    end: usize,
}

enum Token<'t> {
    Word(Word<'t>),
    /// A newline or semicolon.
    Stop,
    Comment(&'t str),
    End,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..self.end).unwrap_or("")
    }

    fn slice(&mut self, length: usize) -> &'t str {
        let slice = self.rest().get(..length).unwrap_or("");
        self.at += slice.len().max(1);
        slice
    }

    fn next(&mut self) -> Token<'t> {
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { return Token::End };
            match first {
                ' ' | '\t' | '\r' => self.at += 1,
                // A backslash joins lines.
                '\\' => self.at += rest.find('\n').filter(|n| rest[1..*n].trim().is_empty()).map_or(1, |n| n + 1),
                '\n' | ';' => {
                    self.at += 1;
                    return Token::Stop;
                }
                '#' => {
                    let length = rest.find('\n').unwrap_or(rest.len());
                    return Token::Comment(self.slice(length).trim_end());
                }
                '"' => {
                    let length = rest[1..].find(['"', '\n']).map_or(rest.len(), |n| n + 1);
                    let closed = rest[length..].starts_with('"');
                    let slice = self.slice(length + usize::from(closed));
                    // A quote that is never closed is part of the word, which ends with its line.
                    let raw = if closed { &slice[1..slice.len() - 1] } else { slice };
                    return Token::Word(Word { raw, cooked: None, quoted: closed });
                }
                '{' | '}' | ',' => return Token::Word(Word { raw: self.slice(1), cooked: None, quoted: false }),
                _ => {
                    if let Some(operator) = OPERATORS.iter().find(|o| rest.starts_with(**o)) {
                        return Token::Word(Word { raw: self.slice(operator.len()), cooked: None, quoted: false });
                    }
                    let length = word_length(rest);
                    return Token::Word(Word { raw: self.slice(length), cooked: None, quoted: false });
                }
            }
        }
    }
}

/// Up to the next blank, separator or operator.
fn word_length(rest: &str) -> usize {
    let end = rest.char_indices().skip(1).find(|(at, c)| {
        matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '{' | '}' | ',' | '"' | '&' | '|' | '(' | ')' | '<' | '>' | '=')
            || *c == '!' && rest[*at..].starts_with("!=")
    });
    end.map_or(rest.len(), |(at, _)| at)
}

/// Reads one export. Comments are kept in [`Tree::comments`].
pub fn parse<'t>(file: FileId, text: &'t str, range: Range<usize>, parameters: &Parameters) -> Tree<'t> {
    let mut tree = Tree::new(file, text);
    let mut lexer = Lexer { text, at: range.start, end: range.end.min(text.len()) };
    let mut open: Vec<NodeId> = Vec::new();
    let mut words: Vec<Word<'t>> = Vec::new();
    // Whether heads are heads in the block at hand: a block that does not nest is always the innermost.
    let mut nests = true;
    // Depth of braces that are words of the statement at hand.
    let mut inside = 0usize;
    loop {
        let at = lexer.at;
        let parent = open.last().copied().unwrap_or(NodeId::ROOT);
        match lexer.next() {
            Token::End => {
                flush(&mut tree, parent, &mut words);
                break;
            }
            Token::Comment(slice) => tree.comment(slice),
            Token::Stop if inside > 0 => {}
            Token::Stop => {
                flush(&mut tree, parent, &mut words);
            }
            Token::Word(word) if !word.quoted && word.raw == "{" => {
                if inside == 0 && open.len() < DEEPEST && nests && is_head(&words, &parameters.heads, parameters) {
                    nests = is_head(&words, &parameters.nesting, parameters);
                    let id = tree.push(parent, words.drain(..));
                    open.push(id);
                } else {
                    inside += 1;
                    words.push(word);
                }
            }
            Token::Word(word) if !word.quoted && word.raw == "}" => {
                if inside > 0 {
                    inside -= 1;
                    words.push(word);
                    continue;
                }
                flush(&mut tree, parent, &mut words);
                match open.pop() {
                    Some(id) => {
                        nests = true;
                        tree.close(id, lexer.at);
                        // What else holds this one ends at least here.
                        if let Some(outer) = open.last() {
                            tree.close(*outer, lexer.at);
                        }
                    }
                    None => tree.problem(&text[at..lexer.at.min(text.len())], "stray_brace"),
                }
            }
            Token::Word(word) => words.push(word),
        }
    }
    for id in open {
        tree.close(id, range.end);
        let span = tree.node(id).span();
        tree.problem(&text[span.start as usize..span.end as usize], "unclosed_brace");
    }
    tree
}

fn flush<'t>(tree: &mut Tree<'t>, parent: NodeId, words: &mut Vec<Word<'t>>) {
    if !words.is_empty() {
        let id = tree.push(parent, words.drain(..));
        let end = tree.node(id).span().end as usize;
        if parent != NodeId::ROOT {
            tree.close(parent, end);
        }
    }
}

/// Whether a brace behind these words opens a block of statements.
fn is_head(words: &[Word<'_>], heads: &[String], parameters: &Parameters) -> bool {
    let skip = usize::from(words.first().is_some_and(|w| parameters.commands.iter().any(|c| c == w.raw)));
    heads.iter().any(|head| {
        let mut at = skip;
        head.split(' ').all(|h| {
            at += 1;
            words.get(at - 1).is_some_and(|w| w.raw == h)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Node;
    use proptest::prelude::*;

    fn parameters() -> Parameters {
        let words = |t: &str| t.split(',').map(str::to_owned).collect::<Vec<_>>();
        Parameters { heads: words("table,chain,set,counter,ct helper"), nesting: words("table"), commands: words("add,create") }
    }

    fn shape(text: &str) -> Vec<String> {
        fn line(n: Node<'_>, depth: usize, out: &mut Vec<String>) {
            out.push(format!("{}{}", ".".repeat(depth), n.words_from(0).collect::<Vec<_>>().join(" ")));
            n.children().for_each(|c| line(c, depth + 1, out));
        }
        let tree = parse(FileId(0), text, 0..text.len(), &parameters());
        let mut out = Vec::new();
        tree.root().children().for_each(|n| line(n, 0, &mut out));
        out.extend(tree.problems.iter().map(|p| p.code.to_owned()));
        out
    }

    #[test]
    fn heads_hold_statements_and_other_braces_are_words() {
        let text = "table inet f { # a comment\n chain c {\n type filter hook input priority 0; policy drop;\n tcp dport { 22,\n 80-90 } accept\n }\n}\n";
        let expected =
            ["table inet f", ".chain c", "..type filter hook input priority 0", "..policy drop", "..tcp dport { 22 , 80-90 } accept"];
        assert_eq!(shape(text), expected);
    }

    #[test]
    fn commands_and_single_lines_are_read_alike() {
        assert_eq!(
            shape("add chain ip f c { policy drop; }\nadd rule ip f c tcp flags&(syn|ack)!=syn drop\ndefine x = { 1,\n2 }\n"),
            ["add chain ip f c", ".policy drop", "add rule ip f c tcp flags & ( syn | ack ) != syn drop", "define x = { 1 , 2 }"]
        );
    }

    #[test]
    fn quotes_and_joined_lines_stay_together() {
        assert_eq!(shape("log prefix \"a; {b} # c\" \\\n drop\nnext"), ["log prefix a; {b} # c drop", "next"]);
    }

    #[test]
    fn braces_too_many_or_too_few_are_noted() {
        assert_eq!(shape("table a {\n}\n}2\n"), ["table a", "2", "stray_brace"]);
        assert_eq!(shape("table a {\n chain b {\n drop\n"), ["table a", ".chain b", "..drop", "unclosed_brace", "unclosed_brace"]);
    }

    #[test]
    fn a_rule_that_begins_like_a_head_is_none() {
        let text = "table ip f {\n counter web {\n packets 0\n }\n chain c {\n counter ip daddr { 192.0.2.1 } drop\n }\n set s { }\n}\n";
        let expected = ["table ip f", ".counter web", "..packets 0", ".chain c", "..counter ip daddr { 192.0.2.1 } drop", ".set s"];
        assert_eq!(shape(text), expected);
    }

    #[test]
    fn comments_are_kept_and_quotes_end_with_their_line() {
        let text = "accept # why\nlog prefix \"open\ndrop";
        assert_eq!(shape(text), ["accept", "log prefix \"open", "drop"]);
        let tree = parse(FileId(0), text, 0..text.len(), &parameters());
        assert_eq!(tree.comments.iter().map(|c| c.slice(text)).collect::<Vec<_>>(), ["# why"]);
    }

    #[test]
    fn only_the_range_is_read_and_spans_are_of_the_whole_text() {
        let text = "table a {\n}\nadd rule ip f c drop\ntable b {\n}\n";
        let at = text.find("add").unwrap();
        let tree = parse(FileId(0), text, at..text.find("table b").unwrap(), &parameters());
        let spans: Vec<&str> = tree.root().children().map(|n| n.span().slice(text)).collect();
        assert_eq!(spans, ["add rule ip f c drop"]);
    }

    /// Every statement's span lies in the range and in that of what holds it, and holds its own words.
    fn check(node: Node<'_>, within: Range<usize>, text: &str) {
        let span = node.full_span();
        let (start, end) = (span.start as usize, span.end as usize);
        assert!(within.start <= start && start <= end && end <= within.end, "{span:?} in {within:?}");
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
        for at in 0..node.len() {
            let word = node.word_span(at);
            assert!(start <= word.start as usize && word.end as usize <= end);
            assert!(word.slice(text).contains(node.word_or_empty(at)));
        }
        node.children().for_each(|c| check(c, start..end, text));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_tree_with_spans_in_range(text in "[a-z{}#;,\"' \\\\\n=!&あ]{0,60}", cut in 0usize..8) {
            let _ = shape(&text);
            let start = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let tree = parse(FileId(0), &text, start..text.len(), &parameters());
            tree.root().children().for_each(|n| check(n, start..text.len(), &text));
            for span in tree.comments.iter().chain(tree.problems.iter().map(|p| &p.span)) {
                prop_assert!(start <= span.start as usize && span.end as usize <= text.len());
            }
        }

        #[test]
        fn heads_in_any_order_give_a_tree(words in prop::collection::vec(prop::sample::select(vec!["table", "chain", "set", "counter", "{", "}", "x", "\n", ";", ","]), 0..40)) {
            let text = words.join(" ");
            let tree = parse(FileId(0), &text, 0..text.len(), &parameters());
            tree.root().children().for_each(|n| check(n, 0..text.len(), &text));
        }

        #[test]
        fn any_bytes_give_a_tree(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let tree = parse(FileId(0), &text, 0..text.len(), &parameters());
            tree.root().children().for_each(|n| check(n, 0..text.len(), &text));
        }
    }
}
