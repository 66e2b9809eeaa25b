//! The indentation family: one command a line, and what belongs to a command stands below it, further to the right.
//!
//! A line belongs to the nearest line before it that is indented less. Blocks of foreign text (banners up to a delimiter,
//! certificates up to a closing word) become one word of the statement that heads them, so that nothing in them is taken for
//! a command. Where a paste lost all indentation, a table of section heads and their members takes its place.
//! Parsing never fails, looks at every byte a bounded number of times, and nests no deeper than `DEPTH`.

use super::lex::indent_words;
use super::tree::{NodeId, Tree, Word};
use crate::source::FileId;
use serde::Deserialize;
use std::ops::Range;

/// What products of this family differ in; `[syntax]` of the grammar file.
///
/// Patterns are words as in [`super::pattern`]: `*` is any word, `abc*` a beginning; letters' case does not matter, and they
/// match the beginning of a statement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Beginnings of comment lines. A line that is nothing but such a mark at the very left closes every open block.
    pub comments: Vec<String>,
    /// Patterns of statements that stand only at the top, even behind blanks.
    pub top: Vec<String>,
    /// Patterns of blocks in which the statements of `top` are ordinary ones.
    pub scopes: Vec<String>,
    /// First words of lines that only close a block (`exit-address-family`, `exit`): they are no statements.
    pub closers: Vec<String>,
    /// Patterns after which the rest of the line is one word of free text (`description`).
    pub free_text: Vec<String>,
    /// Patterns after which a delimiter follows, and a text up to that delimiter, over lines (`banner *`).
    pub delimited: Vec<String>,
    /// Blocks that are one opaque value.
    pub opaque: Vec<Opaque>,
    /// What stands below what, for exports whose indentation is lost as a whole or on single lines.
    #[serde(rename = "section")]
    pub sections: Vec<Section>,
}

/// A block that is one opaque value: the lines after a statement up to a closing line.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opaque {
    /// Pattern of the statement that heads it, with its parents before it: `crypto ca certificate chain > certificate`.
    pub head: String,
    /// The lines that close it (`quit`). They are no statements.
    pub ends: Vec<String>,
    /// Whether its lines may look like anything. Else they are encoded data, or indented further than the head.
    #[serde(default)]
    pub any_text: bool,
}

/// A section and what may stand in it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Pattern of the statement that opens it.
    pub head: String,
    /// Patterns of the statements in it; `no` before them is passed over.
    pub members: Vec<String>,
}

/// Deeper nesting than any product has; what lies below is kept at this depth so that nothing recurses without bound.
const DEPTH: usize = 16;
/// Delimiters whose partner was not found; beyond that no partner is looked for, so that the work stays linear.
const LOST_DELIMITERS: usize = 32;
/// A tab's width.
const TAB: usize = 8;

#[derive(Clone, Debug)]
enum Token {
    Any,
    Prefix(String),
    Literal(String),
}

/// A pattern: the words it begins with.
#[derive(Clone, Debug)]
struct Head(Vec<Token>);

impl Head {
    fn new(text: &str) -> Head {
        let token = |t: &str| match t.strip_suffix('*') {
            Some("") => Token::Any,
            Some(p) => Token::Prefix(p.to_owned()),
            None => Token::Literal(t.to_owned()),
        };
        Head(text.split_whitespace().map(token).collect())
    }

    fn all(texts: &[String]) -> Vec<Head> {
        texts.iter().map(|t| Head::new(t)).collect()
    }

    fn matches<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> bool {
        let mut words = words.into_iter();
        self.0.iter().all(|token| {
            words.next().is_some_and(|w| match token {
                Token::Any => true,
                Token::Prefix(p) => w.get(..p.len()).is_some_and(|w| w.eq_ignore_ascii_case(p)),
                Token::Literal(l) => w.eq_ignore_ascii_case(l),
            })
        })
    }

    /// Whether a line begins like this. Most lines are told by their first byte.
    fn begins(&self, line: &str) -> bool {
        let first = match self.0.first() {
            Some(Token::Literal(w) | Token::Prefix(w)) => w.bytes().next(),
            Some(Token::Any) | None => None,
        };
        first.is_none_or(|f| line.bytes().next().is_some_and(|b| b.eq_ignore_ascii_case(&f))) && self.matches(line_words(line))
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

fn line_words(line: &str) -> impl Iterator<Item = &str> + Clone {
    line.split([' ', '\t', '\r']).filter(|w| !w.is_empty())
}

/// The rest of a line after a number of its words.
fn after_words(line: &str, count: usize) -> &str {
    let mut rest = line;
    for _ in 0..count {
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        rest = rest[end..].trim_start_matches([' ', '\t']);
    }
    rest
}

/// Whether a line is nothing but encoded data: groups of hexadecimal digits, or one long base64 word.
fn is_encoded(line: &str) -> bool {
    let long = line.len() >= 32 && !line.contains([' ', '\t']);
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    line.bytes().all(|b| b.is_ascii_hexdigit() || b == b' ' || b == b'\t') || long && line.bytes().all(base64)
}

struct CompiledOpaque<'p> {
    above: Vec<Head>,
    head: Head,
    parameters: &'p Opaque,
    lost: bool,
}

struct CompiledSection {
    head: Head,
    members: Vec<Head>,
}

struct Compiled<'p> {
    comments: &'p [String],
    top: Vec<Head>,
    scopes: Vec<Head>,
    closers: Vec<Head>,
    free_text: Vec<Head>,
    delimited: Vec<Head>,
    opaque: Vec<CompiledOpaque<'p>>,
    sections: Vec<CompiledSection>,
}

impl<'p> Compiled<'p> {
    fn new(parameters: &'p Parameters) -> Compiled<'p> {
        let opaque = |o: &'p Opaque| {
            let mut levels: Vec<Head> = o.head.split(" > ").map(Head::new).collect();
            let head = levels.pop().unwrap_or(Head(Vec::new()));
            CompiledOpaque { above: levels, head, parameters: o, lost: false }
        };
        Compiled {
            comments: &parameters.comments,
            top: Head::all(&parameters.top),
            scopes: Head::all(&parameters.scopes),
            closers: Head::all(&parameters.closers),
            free_text: Head::all(&parameters.free_text),
            delimited: Head::all(&parameters.delimited),
            opaque: parameters.opaque.iter().map(opaque).collect(),
            sections: parameters
                .sections
                .iter()
                .map(|s| CompiledSection { head: Head::new(&s.head), members: Head::all(&s.members) })
                .collect(),
        }
    }
}

/// A line of the text.
#[derive(Clone, Copy)]
struct Line<'t> {
    /// Width of the blanks before it.
    indent: usize,
    /// Its content without blanks around it.
    text: &'t str,
    /// Where the next line begins.
    next: usize,
}

fn line_at(text: &str, at: usize, end: usize) -> Line<'_> {
    let stop = memchr::memchr(b'\n', &text.as_bytes()[at..end]).map_or(end, |n| at + n);
    let whole = text[at..stop].trim_end_matches(['\r', ' ', '\t']);
    let content = whole.trim_start_matches([' ', '\t']);
    let indent = whole[..whole.len() - content.len()].bytes().map(|b| if b == b'\t' { TAB } else { 1 }).sum();
    Line { indent, text: content, next: stop + 1 }
}

/// Reads one export. Comment lines are kept in [`Tree::comments`].
pub fn parse<'t>(file: FileId, text: &'t str, range: Range<usize>, parameters: &Parameters) -> Tree<'t> {
    let compiled = Compiled::new(parameters);
    let mut parser =
        Parser { tree: Tree::new(file, text), text, end: range.end, compiled, stack: Vec::new(), flat: false, lost: Vec::new() };
    parser.flat = parser.is_flat(range.start);
    parser.run(range.start);
    parser.tree
}

struct Open {
    indent: usize,
    id: NodeId,
    /// The row of the table of sections that it is.
    section: Option<usize>,
    /// Whether it is a head of the top that stands behind blanks: the lines below it may be no further to the right.
    moved: bool,
    /// Whether a line below it is indented further.
    deeper: bool,
    /// Whether the statements of the top are ordinary ones below it.
    scope: bool,
}

struct Parser<'t, 'p> {
    tree: Tree<'t>,
    text: &'t str,
    end: usize,
    compiled: Compiled<'p>,
    stack: Vec<Open>,
    flat: bool,
    lost: Vec<&'t str>,
}

impl<'t> Parser<'t, '_> {
    fn comment_mark(&self, line: &str) -> Option<&str> {
        self.compiled.comments.iter().map(String::as_str).find(|c| line.starts_with(c))
    }

    fn section_of(&self, line: &str) -> Option<usize> {
        self.compiled.sections.iter().position(|s| s.head.begins(line))
    }

    /// Whether a paste lost the indentation: members of sections stand flush below their heads, nearly everywhere. Blocks that a
    /// person pasted in later may have kept theirs.
    fn is_flat(&self, start: usize) -> bool {
        let (mut at, mut head): (usize, Option<(usize, usize)>) = (start, None);
        let (mut flush, mut indented) = (0usize, 0usize);
        while !self.compiled.sections.is_empty() && at < self.end {
            let line = line_at(self.text, at, self.end);
            at = line.next;
            if line.text.is_empty() || self.comment_mark(line.text).is_some() {
                continue;
            }
            if let Some((indent, section)) = head {
                indented += usize::from(line.indent > indent);
                flush += usize::from(line.indent <= indent && self.is_member(section, line.text));
            }
            head = self.section_of(line.text).map(|section| (line.indent, section));
        }
        flush > 0 && flush >= 4 * indented
    }

    /// Whether a statement may stand in a section.
    fn is_member(&self, section: usize, line: &str) -> bool {
        let taken_back = line_words(line).next().is_some_and(|w| w.eq_ignore_ascii_case("no"));
        let line = if taken_back { after_words(line, 1) } else { line };
        self.compiled.sections.get(section).is_some_and(|s| s.members.iter().any(|m| m.begins(line)))
    }

    fn run(&mut self, start: usize) {
        let mut at = start;
        while at < self.end {
            let line = line_at(self.text, at, self.end);
            at = line.next;
            if line.text.is_empty() {
                continue;
            }
            if let Some(mark) = self.comment_mark(line.text) {
                if line.indent == 0 && line.text == mark {
                    self.stack.clear();
                }
                self.tree.comment(line.text);
                continue;
            }
            if self.compiled.closers.iter().any(|c| c.begins(line.text)) {
                self.close_block(line.indent);
                continue;
            }
            at = self.statement(line);
        }
    }

    fn close_block(&mut self, indent: usize) {
        if self.flat {
            self.stack.pop();
        } else {
            self.stack.retain(|open| open.indent < indent);
        }
    }

    /// Reads a statement with the foreign text it heads, and gives where the next line begins.
    fn statement(&mut self, line: Line<'t>) -> usize {
        let parent = self.place(line);
        let mut words: Vec<Word<'t>> = Vec::new();
        let mut next = line.next;
        if let Some((count, body, after)) = self.delimited(line) {
            indent_words(line.text, &mut words);
            words.truncate(count);
            words.push(Word { raw: body, cooked: None, quoted: false });
            next = after;
        } else if let Some(count) = self.compiled.free_text.iter().find(|h| h.begins(line.text)).map(Head::len) {
            let rest = after_words(line.text, count);
            indent_words(&line.text[..line.text.len() - rest.len()], &mut words);
            words.extend((!rest.is_empty()).then_some(Word { raw: rest, cooked: None, quoted: false }));
        } else {
            indent_words(line.text, &mut words);
            if let Some((body, after)) = self.opaque(line, parent) {
                words.extend((!body.is_empty()).then_some(Word { raw: body, cooked: None, quoted: false }));
                next = after;
            }
        }
        let id = self.tree.push(parent, words);
        let end = next.min(self.end + 1).saturating_sub(1);
        for open in &self.stack {
            self.tree.close(open.id, end);
        }
        let section = self.section_of(line.text);
        if self.stack.len() < DEPTH && (!self.flat || section.is_some()) {
            let scope = self.compiled.scopes.iter().any(|h| h.begins(line.text));
            // A member that lost its blank stands where its neighbours stand.
            let indent = self.stack.last().map_or(line.indent, |open| line.indent.max(open.indent + 1));
            let moved = line.indent > 0 && parent == NodeId::ROOT;
            self.stack.push(Open { indent, id, section, moved, deeper: false, scope });
        }
        next
    }

    /// The statement a line stands below.
    fn place(&mut self, line: Line<'t>) -> NodeId {
        let held = self.stack.iter().any(|open| open.scope && open.indent < line.indent);
        if !held && self.compiled.top.iter().any(|h| h.begins(line.text)) {
            self.stack.clear();
        } else if self.flat {
            while let Some(open) = self.stack.last() {
                if open.indent < line.indent || open.section.is_some_and(|section| self.is_member(section, line.text)) {
                    break;
                }
                self.stack.pop();
            }
        } else {
            // One line between indented ones that belongs to the block by its words lost its blank.
            let follows = line.next < self.end && line_at(self.text, line.next, self.end).indent > line.indent;
            let stray = follows && self.section_of(line.text).is_none();
            while let Some(open) = self.stack.last() {
                let beside = open.indent == line.indent && (stray || open.moved && !open.deeper);
                let below = open.indent < line.indent || beside && open.section.is_some_and(|section| self.is_member(section, line.text));
                if below {
                    break;
                }
                self.stack.pop();
            }
            if let Some(open) = self.stack.last_mut() {
                open.deeper |= open.indent < line.indent;
            }
        }
        self.stack.last().map_or(NodeId::ROOT, |open| open.id)
    }

    /// The text between delimiters, how many words stand before it, and where the line after it begins.
    fn delimited(&mut self, line: Line<'t>) -> Option<(usize, &'t str, usize)> {
        let count = self.compiled.delimited.iter().find(|h| h.begins(line.text))?.len();
        let rest = after_words(line.text, count);
        // `^C` is how exports print the control character.
        let length = if rest.starts_with("^C") { 2 } else { rest.chars().next()?.len_utf8() };
        let delimiter = &rest[..length];
        if self.lost.len() >= LOST_DELIMITERS || self.lost.contains(&delimiter) {
            return None;
        }
        let begin = offset(self.text, rest) + length;
        let Some(found) = memchr::memmem::find(&self.text.as_bytes()[begin..self.end], delimiter.as_bytes()) else {
            self.lost.push(delimiter);
            self.tree.problem(line.text, "unclosed_text");
            return None;
        };
        let stop = begin + found;
        Some((count, &self.text[begin..stop], line_at(self.text, stop, self.end).next))
    }

    /// The body of an opaque block, and where the line after it begins.
    fn opaque(&mut self, line: Line<'t>, parent: NodeId) -> Option<(&'t str, usize)> {
        let (tree, flat) = (&self.tree, self.flat);
        let meant = |o: &CompiledOpaque<'_>| {
            let mut at = Some(tree.node(parent));
            let mut above = o.above.iter().rev();
            let parents = above.all(|head| {
                let fits = at.is_some_and(|n| head.matches(n.words_from(0)));
                at = at.and_then(|n| n.parent());
                fits
            });
            !o.lost && o.head.begins(line.text) && (flat || parents)
        };
        let opaque = self.compiled.opaque.iter_mut().find(|o| meant(o))?;
        let begin = line.next.min(self.end);
        let mut at = begin;
        while at < self.end {
            let body = line_at(self.text, at, self.end);
            if opaque.parameters.ends.iter().any(|e| e == body.text) {
                return Some((self.text[begin..at].trim(), body.next));
            }
            if !opaque.parameters.any_text && body.indent <= line.indent && !is_encoded(body.text) {
                break;
            }
            at = body.next;
        }
        if opaque.parameters.any_text {
            // The closing line stands nowhere further down, so it need not be looked for again.
            opaque.lost = true;
            return None;
        }
        let at = at.min(self.end);
        Some((self.text[begin..at].trim(), at))
    }
}

/// Where a slice stands in the text it was cut from.
fn offset(text: &str, slice: &str) -> usize {
    (slice.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Node;

    fn parameters() -> Parameters {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<String>>();
        let section = |head: &str, members: &[&str]| Section { head: head.into(), members: list(members) };
        Parameters {
            comments: list(&["!", ":"]),
            top: list(&["hostname", "interface *"]),
            scopes: list(&["overlay"]),
            closers: list(&["exit-address-family", "exit"]),
            free_text: list(&["description", "access-list * remark"]),
            delimited: list(&["banner *"]),
            opaque: vec![
                Opaque { head: "crypto ca certificate chain > certificate".into(), ends: list(&["quit"]), any_text: false },
                Opaque { head: "macro name *".into(), ends: list(&["@"]), any_text: true },
            ],
            sections: vec![
                section("interface *", &["nameif", "ip address"]),
                section("group-policy * attributes", &["vpn-*", "webvpn"]),
                section("webvpn", &["anyconnect", "enable"]),
            ],
        }
    }
    fn parsed(text: &str) -> Tree<'_> {
        parse(FileId(0), text, 0..text.len(), &parameters())
    }
    fn shape(text: &str) -> String {
        fn write(node: Node<'_>, out: &mut String) {
            for (ix, child) in node.children().enumerate() {
                out.push_str(if ix > 0 { ", " } else { "" });
                out.push_str(&child.words_from(0).collect::<Vec<_>>().join(" "));
                if child.children().next().is_some() {
                    out.push('[');
                    write(child, out);
                    out.push(']');
                }
            }
        }
        let mut out = String::new();
        write(parsed(text).root(), &mut out);
        out
    }

    #[test]
    fn lines_belong_to_the_nearest_line_further_left() {
        assert_eq!(
            shape("policy-map P\n class C\n  inspect ftp\n  inspect dns\n class D\nservice-policy P\n"),
            "policy-map P[class C[inspect ftp, inspect dns], class D], service-policy P"
        );
        assert_eq!(shape("a\n    b\n  c\nd\n"), "a[b, c], d");
        assert_eq!(shape("   a\n   b\n     c\n"), "a, b[c]");
    }

    #[test]
    fn comments_are_kept_apart_and_a_bare_mark_closes_blocks() {
        let text = ": Saved\n: Serial Number: 1\ninterface A\n ! inner\n nameif x\n!\n nameif y\n";
        assert_eq!(shape(text), "interface A[nameif x], nameif y");
        assert_eq!(parsed(text).comments.len(), 4);
    }

    #[test]
    fn statements_of_the_top_leave_blocks_though_indented() {
        assert_eq!(
            shape("interface A\n nameif x\n hostname h\n interface B\n  nameif y\n"),
            "interface A[nameif x], hostname h, interface B[nameif y]"
        );
    }

    #[test]
    fn a_scope_keeps_statements_of_the_top() {
        assert_eq!(shape("overlay\n interface A\n  nameif x\ninterface B\n"), "overlay[interface A[nameif x]], interface B");
    }

    #[test]
    fn a_head_behind_blanks_keeps_the_lines_beside_it() {
        assert_eq!(
            shape("interface A\n nameif x\n!\n interface B\n nameif y\n ip address z\n!\n"),
            "interface A[nameif x], interface B[nameif y, ip address z]"
        );
        assert_eq!(
            shape(" interface B\n  nameif y\n ip address z\n"),
            "interface B[nameif y], ip address z",
            "deeper lines show where the block ends"
        );
    }

    #[test]
    fn closing_lines_are_no_statements() {
        assert_eq!(
            shape("router bgp 1\n address-family ipv4\n  network 1\n exit-address-family\n  neighbor x\nexit\n"),
            "router bgp 1[address-family ipv4[network 1], neighbor x]"
        );
    }

    #[test]
    fn a_delimited_text_may_hold_commands() {
        let tree = parsed("banner motd ^C\nhostname evil\n!\n ^C\nhostname real\nbanner login # hi #\nbanner exec text\n");
        let top: Vec<Node<'_>> = tree.root().children().collect();
        assert_eq!(top[0].word(2), Some("\nhostname evil\n!\n "));
        assert_eq!(top[1].word(1), Some("real"));
        assert_eq!(top[2].word(2), Some(" hi "));
        assert_eq!(top[3].word(2), Some("ex"), "the delimiter is the first character");
        assert!(tree.problems.is_empty());
    }

    #[test]
    fn a_delimiter_without_partner_costs_one_line() {
        let tree = parsed("banner motd ^C hello\nhostname a\n");
        assert_eq!(tree.root().children().count(), 2);
        assert_eq!(tree.problems.len(), 1);
    }

    #[test]
    fn certificates_are_one_word() {
        let text = "crypto ca certificate chain T\n certificate ca 01\n    308202d4 deadbeef\n    enable\n  quit\n certificate 02\n  quit\nhostname h\n";
        let tree = parsed(text);
        let top: Vec<Node<'_>> = tree.root().children().collect();
        assert_eq!(top.len(), 2);
        let certificates: Vec<Node<'_>> = top[0].children().collect();
        assert_eq!(certificates[0].word(3), Some("308202d4 deadbeef\n    enable"));
        assert_eq!((certificates.len(), certificates[1].len()), (2, 2));
        assert_eq!(top[1].word(1), Some("h"));
    }

    #[test]
    fn a_certificate_without_its_body_swallows_nothing() {
        assert_eq!(
            shape("crypto ca certificate chain T\n certificate 01 nvram:x.cer\nhostname h\n"),
            "crypto ca certificate chain T[certificate 01 nvram:x.cer], hostname h"
        );
        assert_eq!(shape("macro name M\nhostname h\n"), "macro name M, hostname h");
        assert_eq!(parsed("macro name M\nhostname h\n@\nhostname i\n").root().children().count(), 2);
    }

    #[test]
    fn free_text_and_quotes() {
        let tree = parsed("interface A\n description it's \"the\" line\naccess-list L remark a  b\nname \"a b\" c\"d \"e\n");
        let all: Vec<Node<'_>> = tree.statements().collect();
        assert_eq!(all[1].word(1), Some("it's \"the\" line"));
        assert_eq!(all[2].word(3), Some("a  b"));
        assert_eq!(all[3].words_from(1).collect::<Vec<_>>(), ["a b", "c\"d", "\"e"]);
    }

    #[test]
    fn the_table_of_sections_stands_in_for_lost_indentation() {
        let flat = "interface A\nnameif x\nno ip address\nwebvpn\nenable x\ngroup-policy G attributes\nvpn-filter value F\nwebvpn\nanyconnect ask none\nvpn-idle-timeout 5\nenable password x\n";
        assert_eq!(
            shape(flat),
            "interface A[nameif x, no ip address], webvpn[enable x], group-policy G attributes[vpn-filter value F, webvpn[anyconnect ask none], vpn-idle-timeout 5], enable password x"
        );
        assert_eq!(shape("interface A\n nameif x\nwebvpn\nenable password x\n"), "interface A[nameif x], webvpn, enable password x");
        let mixed = "interface A\nnameif x\ninterface B\nnameif y\ninterface C\nnameif z\ninterface D\nnameif v\nwebvpn\n enable z\n other\nenable password x\n";
        assert_eq!(
            shape(mixed),
            "interface A[nameif x], interface B[nameif y], interface C[nameif z], interface D[nameif v], webvpn[enable z, other, enable password x]",
            "a block pasted in later may have kept its indentation"
        );
    }

    #[test]
    fn a_single_member_without_its_blank_stays_in_its_block() {
        assert_eq!(
            shape("interface A\n shutdown\nno nameif\n speed auto\nhostname h\n"),
            "interface A[shutdown, no nameif, speed auto], hostname h"
        );
        assert_eq!(shape("interface A\n shutdown\nnameif x\nhostname h\n"), "interface A[shutdown], nameif x, hostname h");
    }

    #[test]
    fn deep_indentation_nests_to_a_bound() {
        let text: String = (0..200).map(|n| format!("{}a\n", " ".repeat(n))).collect();
        let tree = parsed(&text);
        let deepest = tree.statements().map(|n| std::iter::successors(n.parent(), |p| p.parent()).count()).max();
        assert_eq!(deepest, Some(DEPTH + 1));
    }
}
