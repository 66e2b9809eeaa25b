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
                    self.at += 1;
                    let body = self.rest();
                    let length = body.find(|c| c == first || c == '\n').unwrap_or(body.len());
                    let raw = &body[..length];
                    self.at += length + usize::from(body[length..].starts_with(first));
                    return Token::Word(Word { raw, cooked: None, quoted: true });
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
                if inside == 0 && open.len() < DEEPEST && is_head(&words, parameters) {
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
fn is_head(words: &[Word<'_>], parameters: &Parameters) -> bool {
    let skip = usize::from(words.first().is_some_and(|w| parameters.commands.iter().any(|c| c == w.raw)));
    parameters.heads.iter().any(|head| {
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
        Parameters { heads: words("table,chain,set,ct helper"), commands: words("add,create") }
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
        let expected = [
            "table inet f",
            ".chain c",
            "..type filter hook input priority 0",
            "..policy drop",
            "..tcp dport { 22 , 80-90 } accept",
        ];
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

    proptest! {
        #[test]
        fn any_text_gives_a_tree(text in "[a-z{}#;,\"' \\\\\n=!&あ]{0,60}") {
            let _ = shape(&text);
        }
    }
}
