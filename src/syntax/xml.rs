//! The XML family: every element is a statement, its name the first word, its own text the second; elements inside stand below.
//!
//! The tokens come from quick-xml, a pull parser whose events are slices of the text, so that spans are exact; a tree builder
//! such as roxmltree refuses a damaged file as a whole. Ends of elements are matched here: a missing or stray end, a lost `>` and
//! a file cut off anywhere cost as little as possible. Nothing is expanded: a DOCTYPE is passed over, an unknown entity stays as it
//! stands. A value is what the program behind the file sees, with entities and character references replaced (once: not inside
//! CDATA) and blanks around it left out; its span is that very text. An attribute is a statement below its element whose name
//! begins with `@`, text after a nested element is one named `#text`. `<x/>` and `<x></x>` are alike: a statement of one word.

mod element;

pub use element::Element;

use super::tree::{NodeId, Tree, Word};
use crate::source::FileId;
use quick_xml::Reader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::Range;

/// What products of this family differ in; `[syntax]` of the grammar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Names of the document element of a whole export; what begins with another element is one part of it.
    pub documents: Vec<String>,
}

/// The document element of a whole export; `None` when the text holds parts of one only.
pub fn document<'a>(tree: &'a Tree<'a>, parameters: &Parameters) -> Option<Element<'a>> {
    tree.root().children().find(|n| parameters.documents.iter().any(|d| n.word(0) == Some(d))).map(Element::of)
}

/// Deeper nesting than any product has; what lies below is kept flat so that nothing recurses without bound.
const DEPTH: usize = 40;

/// Places at which tokens are taken up anew after one that does not end. A file with more is not worth the time.
const RESTARTS: usize = 200;

/// Reads one export.
pub fn parse<'t>(file: FileId, text: &'t str, range: Range<usize>) -> Tree<'t> {
    let range = range.start.min(text.len())..range.end.min(text.len());
    let mut parser = Parser { tree: Tree::new(file, text), text, stack: Vec::new(), open: HashMap::new(), pending: None, deep: false };
    parser.run(range);
    parser.tree
}

/// Where a piece of text comes from.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Cdata,
    Reference,
}

#[derive(Clone, Copy)]
struct Piece {
    kind: Kind,
    start: usize,
    end: usize,
}

/// An element whose start was read and whose own text is still being collected.
struct Pending<'t> {
    name: &'t str,
    attributes: Vec<(&'t str, &'t str)>,
    pieces: Vec<Piece>,
}

struct Open<'t> {
    name: &'t str,
    id: NodeId,
}

struct Parser<'t> {
    tree: Tree<'t>,
    text: &'t str,
    stack: Vec<Open<'t>>,
    /// How many open elements have a name.
    open: HashMap<&'t str, usize>,
    pending: Option<Pending<'t>>,
    deep: bool,
}

/// What a tag turned out to be.
enum Tag<'t> {
    /// A whole tag.
    Whole,
    /// The next tag begins before it ends.
    Cut { name: &'t str, resume: usize },
    /// No tag at all: a bare `<`.
    Text,
}

impl<'t> Parser<'t> {
    fn run(&mut self, range: Range<usize>) {
        let mut base = range.start;
        for _ in 0..RESTARTS {
            match self.tokens(base, range.end) {
                Some(resume) if resume > base && resume < range.end => base = resume,
                _ => {
                    self.end(range.end);
                    return;
                }
            }
        }
        self.tree.problem(self.slice(base, base), "xml_given_up");
        self.end(range.end);
    }

    fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or("")
    }

    /// Takes tokens from `base` on; gives the place to take them up anew after one that does not end, `None` at the end.
    fn tokens(&mut self, base: usize, limit: usize) -> Option<usize> {
        let bom = if self.slice(base, limit).starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let base = base + bom;
        let mut reader = Reader::from_str(self.slice(base, limit));
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        loop {
            let start = base + reader.buffer_position() as usize;
            let event = reader.read_event();
            let end = base + reader.buffer_position() as usize;
            match event {
                Ok(Event::Start(tag)) => match self.tag(start + 1, end - 1) {
                    Tag::Whole => self.begin(&tag),
                    Tag::Cut { name, resume } => {
                        self.tree.problem(self.slice(start, resume), "xml_open_tag");
                        self.flush();
                        self.pending = Some(Pending { name, attributes: Vec::new(), pieces: Vec::new() });
                        return Some(resume);
                    }
                    Tag::Text => return Some(self.bare(start)),
                },
                Ok(Event::Empty(tag)) => match self.tag(start + 1, end - 2) {
                    Tag::Whole => {
                        self.begin(&tag);
                        self.close(self.slice(start + 1, start + 1 + tag.name().as_ref().len()), start, end);
                    }
                    Tag::Cut { name, resume } => {
                        self.tree.problem(self.slice(start, resume), "xml_open_tag");
                        self.flush();
                        self.pending = Some(Pending { name, attributes: Vec::new(), pieces: Vec::new() });
                        return Some(resume);
                    }
                    Tag::Text => return Some(self.bare(start)),
                },
                Ok(Event::End(_)) => match self.tag(start + 2, end - 1) {
                    Tag::Whole => self.close(self.slice(start + 2, end - 1).trim_ascii_end(), start, end),
                    Tag::Cut { name, resume } => {
                        self.tree.problem(self.slice(start, resume), "xml_open_tag");
                        self.close(name, start, resume);
                        return Some(resume);
                    }
                    Tag::Text => return Some(self.bare(start)),
                },
                Ok(Event::Text(_)) => self.piece(Kind::Plain, start, end),
                Ok(Event::CData(_)) => self.piece(Kind::Cdata, start + "<![CDATA[".len(), end - "]]>".len()),
                Ok(Event::GeneralRef(_)) => self.piece(Kind::Reference, start, end),
                Ok(Event::Comment(_)) => self.tree.comment(self.slice(start, end)),
                Ok(Event::DocType(_)) => self.tree.problem(self.slice(start, end), "xml_doctype"),
                Ok(Event::Decl(_) | Event::PI(_)) => {}
                Ok(Event::Eof) => return None,
                Err(_) => return self.unended(base + reader.error_position() as usize, limit),
            }
        }
    }

    /// Judges what stands between the brackets of a tag.
    fn tag(&self, start: usize, end: usize) -> Tag<'t> {
        let content = self.slice(start, end);
        let length = content.find(|c: char| c.is_ascii_whitespace() || matches!(c, '<' | '/' | '=' | '"' | '\'')).unwrap_or(content.len());
        let name = &content[..length];
        if !is_name(name) {
            return Tag::Text;
        }
        match memchr::memchr(b'<', content.as_bytes()) {
            // A bracket inside a quoted value of an attribute is part of it.
            Some(at) if content[..at].matches(['"', '\'']).count().is_multiple_of(2) || content[at..].contains('\n') => {
                Tag::Cut { name, resume: start + at }
            }
            _ => Tag::Whole,
        }
    }

    /// A `<` that begins nothing is text.
    fn bare(&mut self, at: usize) -> usize {
        self.piece(Kind::Plain, at, at + 1);
        self.tree.problem(self.slice(at, at + 1), "xml_bare_bracket");
        at + 1
    }

    /// Something that does not end before the text does: at a comment nothing can follow, else the next line goes on.
    fn unended(&mut self, at: usize, limit: usize) -> Option<usize> {
        let rest = self.slice(at, limit);
        if rest.is_empty() || rest.starts_with("<!--") {
            return None;
        }
        if let Some(body) = rest.strip_prefix("<![CDATA[") {
            let start = limit - body.len();
            let end = memchr::memchr(b'\n', body.as_bytes()).map_or(limit, |n| start + n);
            self.tree.problem(self.slice(at, end), "xml_open_tag");
            self.piece(Kind::Cdata, start, end);
            return Some(end);
        }
        let after = at + rest.chars().next().map_or(1, char::len_utf8);
        let next = memchr::memchr(b'<', self.slice(after, limit).as_bytes()).map_or(limit, |n| after + n);
        // The last thing in a text that was cut off says nothing; `end` reports the cut.
        if next < limit {
            self.tree.problem(self.slice(at, next), "xml_open_tag");
            let (name, ends) = match rest.strip_prefix("</") {
                Some(name) => (name, true),
                None => (rest.strip_prefix('<').unwrap_or(rest), false),
            };
            let length = name.find(|c: char| !is_name_char(c)).unwrap_or(name.len());
            let name = &name[..length];
            if ends {
                self.close(name, at, next);
            } else if is_name(name) {
                self.flush();
                self.pending = Some(Pending { name, attributes: Vec::new(), pieces: Vec::new() });
            }
        }
        Some(next)
    }

    fn begin(&mut self, tag: &BytesStart<'_>) {
        self.flush();
        let own = |part: &str| -> Option<&'t str> {
            let start = (part.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
            self.text.get(start..start + part.len())
        };
        let qualified = tag.name();
        let Some(name) = own(qualified.as_ref()) else { return };
        let mut attributes = Vec::new();
        for attribute in tag.html_attributes().flatten() {
            let (key, value) = (own(attribute.key.as_ref()), own(&attribute.value));
            attributes.extend(key.zip(value));
        }
        self.pending = Some(Pending { name, attributes, pieces: Vec::new() });
    }

    fn piece(&mut self, kind: Kind, start: usize, end: usize) {
        let piece = Piece { kind, start, end };
        if let Some(pending) = &mut self.pending {
            pending.pieces.push(piece);
        } else if !self.stack.is_empty()
            && let Some(word) = self.value(&[piece])
        {
            let at = self.slice(start, start);
            let parent = self.parent();
            self.tree.push(parent, [Word { raw: at, cooked: Some("#text".to_owned()), quoted: false }, word]);
        }
    }

    /// The node below which the next element stands.
    fn parent(&self) -> NodeId {
        self.stack.get(self.stack.len().min(DEPTH).wrapping_sub(1)).map_or(NodeId::ROOT, |o| o.id)
    }

    /// The text of several pieces, blanks around it left out; `None` when nothing is left.
    fn value(&self, pieces: &[Piece]) -> Option<Word<'t>> {
        let blank = |p: &Piece| p.kind == Kind::Plain && self.slice(p.start, p.end).trim_ascii().is_empty();
        let first = pieces.iter().position(|p| !blank(p))?;
        let last = pieces.iter().rposition(|p| !blank(p))?;
        let pieces = &pieces[first..=last];
        if let [one] = pieces
            && one.kind != Kind::Reference
        {
            let raw = self.slice(one.start, one.end).trim_ascii();
            return (!raw.is_empty()).then_some(Word { raw, cooked: None, quoted: false });
        }
        let (start, end) = (pieces.first()?.start, pieces.last()?.end);
        let raw = self.slice(start, end).trim_ascii();
        let mut cooked = String::new();
        for piece in pieces {
            let text = self.slice(piece.start, piece.end);
            match piece.kind {
                Kind::Reference => cooked.push_str(&reference(text)),
                _ => cooked.push_str(text),
            }
        }
        let cooked = cooked.trim_ascii().to_owned();
        (!cooked.is_empty()).then_some(Word { raw, cooked: Some(cooked), quoted: false })
    }

    /// Puts the element at hand into the tree; what follows stands below it.
    fn flush(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        let text = self.value(&pending.pieces);
        let name = Word { raw: pending.name, cooked: None, quoted: false };
        let parent = self.parent();
        if self.stack.len() >= DEPTH && !self.deep {
            self.deep = true;
            self.tree.problem(pending.name, "too_deep");
        }
        let id = self.tree.push(parent, [Some(name), text].into_iter().flatten());
        for (key, value) in pending.attributes {
            let cooked = memchr::memchr(b'&', value.as_bytes()).and_then(|_| unescape(value).ok()).map(std::borrow::Cow::into_owned);
            let words = [Word { raw: key, cooked: Some(format!("@{key}")), quoted: false }, Word { raw: value, cooked, quoted: false }];
            self.tree.push(id, words);
        }
        *self.open.entry(pending.name).or_default() += 1;
        self.stack.push(Open { name: pending.name, id });
    }

    /// Ends the innermost element of a name, and what was left open inside it.
    fn close(&mut self, name: &str, start: usize, end: usize) {
        self.flush();
        if self.open.get(name).is_none_or(|n| *n == 0) {
            self.tree.problem(self.slice(start, end), "xml_stray_end");
            return;
        }
        while let Some(open) = self.stack.pop() {
            self.open.entry(open.name).and_modify(|n| *n -= 1);
            let same = open.name == name;
            self.tree.close(open.id, if same { end } else { start });
            if same {
                return;
            }
            self.tree.problem(open.name, "xml_missing_end");
        }
    }

    fn end(&mut self, end: usize) {
        self.flush();
        if let Some(open) = self.stack.last() {
            self.tree.problem(open.name, "xml_cut_off");
        }
        while let Some(open) = self.stack.pop() {
            self.tree.close(open.id, end);
        }
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') && name.chars().all(is_name_char)
}

/// The text of `&...;`; one that is not known stays as it stands.
fn reference(text: &str) -> std::borrow::Cow<'_, str> {
    let name = text.trim_start_matches('&').trim_end_matches(';');
    match resolve_predefined_entity(name) {
        Some(known) => known.into(),
        None if name.starts_with('#') => unescape(text).unwrap_or(text.into()),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests;
