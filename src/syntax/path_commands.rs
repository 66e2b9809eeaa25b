//! The path-command family: a path selects a menu, and verbs with `key=value` attributes add and change its rows.
//!
//! The tree has three levels, the same whether a path stands on a line of its own or before the verb: the menu (`/ip firewall
//! filter`, one word an element, the first with its slash), the command (`add`, `set telnet`, `set [ find name=x ]`), and below
//! it one statement an attribute (its key and its value, quotes and escapes undone; a lone word for a key without a value).
//! Lines that a backslash continues are one line. Text that is neither stands at the top, as it is.
//! Parsing never fails, looks at every byte a bounded number of times, and nests no deeper than three levels.

use super::tree::{NodeId, Tree, Word};
use crate::source::FileId;
use serde::Deserialize;
use std::ops::Range;

/// What products of this family differ in; `[syntax]` of the grammar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Words that begin a command; what stands before one on its line is a path.
    pub verbs: Vec<String>,
}

/// Deeper grouping by braces than any script has; what lies below stays at this depth.
const GROUPS: usize = 16;

/// Longer than the name of any attribute.
const KEY: usize = 64;

/// Reads one export. Comment lines are kept in [`Tree::comments`].
pub fn parse<'t>(file: FileId, text: &'t str, range: Range<usize>, parameters: &Parameters) -> Tree<'t> {
    let end = range.end.min(text.len());
    let lexer = Lexer { text, at: range.start.min(end), end, unclosed: false };
    let mut parser = Parser { tree: Tree::new(file, text), verbs: &parameters.verbs, path: Vec::new(), groups: Vec::new(), section: None };
    parser.run(lexer);
    parser.tree
}

/// What a line is made of.
enum Token<'t> {
    Word(Word<'t>),
    Pair(Word<'t>, Word<'t>),
    /// `[` and `]`, `{` and `}`, `;`.
    Mark(&'t str),
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    /// A bracket is not closed before the end: no other one is looked for, so that the work stays linear.
    unclosed: bool,
}

impl<'t> Lexer<'t> {
    fn byte(&self, at: usize) -> Option<u8> {
        if at < self.end { self.text.as_bytes().get(at).copied() } else { None }
    }

    /// The end of a line continuation that begins here, blanks of the next line included.
    fn continuation(&self, at: usize) -> Option<usize> {
        if self.byte(at)? != b'\\' {
            return None;
        }
        let mut next = at + 1;
        if self.byte(next) == Some(b'\r') {
            next += 1;
        }
        if self.byte(next)? != b'\n' {
            return None;
        }
        next += 1;
        while matches!(self.byte(next), Some(b' ' | b'\t')) {
            next += 1;
        }
        Some(next)
    }

    /// Passes over blanks and continuations within a line.
    fn blanks(&mut self) {
        loop {
            match self.byte(self.at) {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') => match self.continuation(self.at) {
                    Some(next) => self.at = next,
                    None => return,
                },
                _ => return,
            }
        }
    }

    /// The rest of the line as it stands, line end left out.
    fn rest_of_line(&mut self) -> &'t str {
        let stop = memchr::memchr(b'\n', &self.text.as_bytes()[self.at..self.end]).map_or(self.end, |n| self.at + n);
        let line = self.text[self.at..stop].trim_end();
        self.at = stop;
        line
    }

    /// A quoted text from its opening quote on. One that is never closed ends with its line.
    fn quoted(&mut self) -> Word<'t> {
        let start = self.at + 1;
        let (mut at, mut special, mut line_end) = (start, false, None);
        loop {
            match self.byte(at) {
                None => break,
                Some(b'"') => {
                    self.at = at + 1;
                    let raw = &self.text[start..at];
                    return Word { raw, cooked: special.then(|| cook(raw)), quoted: true };
                }
                Some(b'\\') => {
                    special = true;
                    at = match self.continuation(at) {
                        Some(next) => next,
                        // The next byte belongs to the escape, whatever it is, unless a character begins there that is longer.
                        None => at + 1 + usize::from(self.byte(at + 1).is_some_and(|b| b.is_ascii())),
                    };
                }
                Some(b'\n') => {
                    // Exports never break a text without a backslash.
                    line_end = Some(at);
                    break;
                }
                Some(_) => at += 1,
            }
        }
        let stop = line_end.unwrap_or(self.end);
        let raw = self.text[start..stop].trim_end_matches('\r');
        self.at = stop;
        Word { raw, cooked: special.then(|| cook(raw)), quoted: false }
    }

    /// The end of a bracketed expression that begins here, quotes respected.
    fn bracketed(&mut self) -> Option<usize> {
        if self.unclosed {
            return None;
        }
        let (mut depth, mut at, mut quote) = (0usize, self.at, false);
        while let Some(b) = self.byte(at) {
            match b {
                b'\\' => {
                    at = self.continuation(at).unwrap_or(at + 2);
                    continue;
                }
                b'"' => quote = !quote,
                b'{' | b'[' | b'(' if !quote => depth += 1,
                b'}' | b']' | b')' if !quote => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                b'\n' if quote => break,
                _ => {}
            }
            at += 1;
        }
        self.unclosed = true;
        None
    }

    /// A bare word up to a blank; `stops` are further bytes that end it. Continuations inside are joined.
    fn bare(&mut self, stops: &[u8]) -> Word<'t> {
        let start = self.at;
        let mut special = false;
        while let Some(b) = self.byte(self.at) {
            match b {
                b' ' | b'\t' | b'\r' | b'\n' => break,
                b if stops.contains(&b) => break,
                b'\\' => match self.continuation(self.at) {
                    // A value broken over two lines goes on; an attribute of its own on the next line does not belong to it.
                    Some(next) if !stops.contains(&b'=') && self.begins_pair(next) => break,
                    Some(next) => (self.at, special) = (next, true),
                    None => {
                        special = true;
                        self.at += 1 + usize::from(self.byte(self.at + 1).is_some_and(|b| b.is_ascii_graphic()));
                    }
                },
                _ => self.at += 1,
            }
        }
        let raw = &self.text[start..self.at];
        Word { raw, cooked: special.then(|| cook(raw)), quoted: false }
    }

    /// Whether `key=` begins here.
    fn begins_pair(&self, at: usize) -> bool {
        let rest = &self.text.as_bytes()[at.min(self.end)..self.end];
        let key = rest.iter().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || **b == b'-').take(KEY).count();
        key > 0 && rest.get(key) == Some(&b'=')
    }

    fn value(&mut self, in_bracket: bool) -> Word<'t> {
        while let Some(next) = self.continuation(self.at) {
            self.at = next;
        }
        match self.byte(self.at) {
            Some(b'"') => self.quoted(),
            Some(b'{' | b'[' | b'(') => {
                let start = self.at;
                match self.bracketed() {
                    Some(stop) => {
                        self.at = stop;
                        Word { raw: &self.text[start..stop], cooked: None, quoted: false }
                    }
                    None => self.bare(&[]),
                }
            }
            _ => self.bare(if in_bracket { b"]" } else { b";" }),
        }
    }

    /// The next piece of the line; `None` at its end.
    fn token(&mut self, in_bracket: bool) -> Option<Token<'t>> {
        self.blanks();
        let at = self.at;
        match self.byte(at)? {
            b'\n' => None,
            b'"' => Some(Token::Word(self.quoted())),
            b'[' | b']' | b'{' | b'}' | b';' => {
                self.at += 1;
                Some(Token::Mark(&self.text[at..at + 1]))
            }
            _ => {
                let key = self.bare(if in_bracket { b"=]" } else { b"=;{[" });
                if self.byte(self.at) == Some(b'=') {
                    self.at += 1;
                    return Some(Token::Pair(key, self.value(in_bracket)));
                }
                if self.at == at {
                    // Nothing else can stand here; never stand still.
                    self.at += 1;
                }
                Some(Token::Word(key))
            }
        }
    }
}

/// Undoes escapes and continuations. Bytes given as `\XX` are text in UTF-8, or else in Shift_JIS.
fn cook(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut at = 0;
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).filter(|_| b.is_some_and(|b| !b.is_ascii_lowercase()));
    while let Some(&b) = bytes.get(at) {
        at += 1;
        if b != b'\\' {
            out.push(b);
            continue;
        }
        let Some(&escape) = bytes.get(at) else { break };
        let line = if escape == b'\r' && bytes.get(at + 1) == Some(&b'\n') { 2 } else { usize::from(escape == b'\n') };
        if line > 0 {
            at += line;
            while matches!(bytes.get(at), Some(b' ' | b'\t')) {
                at += 1;
            }
            continue;
        }
        if let (Some(high), Some(low)) = (hex(bytes.get(at)), hex(bytes.get(at + 1))) {
            out.push((high * 16 + low) as u8);
            at += 2;
            continue;
        }
        at += 1;
        out.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'_' => b' ',
            other => other,
        });
    }
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.into_bytes();
            let decoded = encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(&bytes);
            decoded.map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), |text| text.into_owned())
        }
    }
}

struct Parser<'t, 'p> {
    tree: Tree<'t>,
    verbs: &'p [String],
    path: Vec<Word<'t>>,
    /// The paths outside of open braces.
    groups: Vec<Vec<Word<'t>>>,
    /// The statement of the path in force, where a line selected it.
    section: Option<NodeId>,
}

impl<'t> Parser<'t, '_> {
    fn run(&mut self, mut lexer: Lexer<'t>) {
        loop {
            while matches!(lexer.byte(lexer.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
                lexer.at += 1;
            }
            match lexer.byte(lexer.at) {
                None => return,
                Some(b'#') => {
                    let line = lexer.rest_of_line();
                    self.tree.comment(line);
                }
                // The prompt of a captured session, with the command that was typed.
                Some(b'[') if is_prompt(&lexer) => {
                    let line = lexer.rest_of_line();
                    self.tree.comment(line);
                }
                Some(_) => self.line(&mut lexer),
            }
        }
    }

    fn is_verb(&self, word: &Word<'_>) -> bool {
        !word.quoted && self.verbs.iter().any(|v| v == word.cooked.as_deref().unwrap_or(word.raw))
    }

    /// The path and the verb of `/ip/service/set`.
    fn ends_in_verb(&self, word: &Word<'t>) -> Option<(Word<'t>, Word<'t>)> {
        let cut = word.raw.rfind('/').filter(|_| word.cooked.is_none() && !word.quoted && word.raw.starts_with('/'))?;
        let part = |raw| Word { raw, cooked: None, quoted: false };
        let (path, verb) = (part(&word.raw[..cut.max(1)]), part(&word.raw[cut + 1..]));
        self.is_verb(&verb).then_some((path, verb))
    }

    /// Reads a logical line: paths, commands, braces.
    fn line(&mut self, lexer: &mut Lexer<'t>) {
        let mut words: Vec<Word<'t>> = Vec::new();
        while let Some(token) = lexer.token(false) {
            match token {
                Token::Mark("{") => {
                    let inner = self.selected(std::mem::take(&mut words));
                    if self.groups.len() < GROUPS {
                        self.groups.push(std::mem::replace(&mut self.path, inner));
                    }
                    self.section = None;
                }
                Token::Mark("}") => {
                    self.path_only(std::mem::take(&mut words));
                    if let Some(outer) = self.groups.pop() {
                        (self.path, self.section) = (outer, None);
                    }
                }
                Token::Mark(";") => self.path_only(std::mem::take(&mut words)),
                Token::Mark(mark) => words.push(Word { raw: mark, cooked: None, quoted: false }),
                Token::Word(word) if self.is_verb(&word) && !is_script(&words) => self.command(std::mem::take(&mut words), word, lexer),
                Token::Word(word) => match self.ends_in_verb(&word).filter(|_| words.is_empty()) {
                    Some((path, verb)) => self.command(vec![path], verb, lexer),
                    None => words.push(word),
                },
                Token::Pair(key, value) if is_script(&words) || words.is_empty() => words.extend([key, value]),
                Token::Pair(key, value) => {
                    // An attribute right behind a path: a command whose name the path ends with.
                    let section = self.section_for(std::mem::take(&mut words));
                    let mut attributes = vec![(key, Some(value))];
                    rest_of_command(lexer, &mut Vec::new(), &mut attributes);
                    self.attributes(section, attributes);
                }
            }
        }
        self.path_only(words);
    }

    /// The path that words before a verb give: whole with a slash, else below the path in force.
    fn selected(&self, words: Vec<Word<'t>>) -> Vec<Word<'t>> {
        let absolute = words.first().is_some_and(|w| w.raw.starts_with('/'));
        let mut path = if absolute { Vec::new() } else { self.path.clone() };
        for word in words {
            elements(word, &mut path);
        }
        path
    }

    /// Words without a verb: a path that following lines speak of, or text that is none.
    fn path_only(&mut self, words: Vec<Word<'t>>) {
        let Some(first) = words.first() else { return };
        if first.raw.starts_with('/') {
            self.path = self.selected(words);
            let path = self.path.clone();
            self.section = (!path.is_empty()).then(|| self.tree.push(NodeId::ROOT, path));
        } else {
            self.tree.push(NodeId::ROOT, words);
        }
    }

    /// The statement of the menu that words before a verb name.
    fn section_for(&mut self, words: Vec<Word<'t>>) -> NodeId {
        if let (true, Some(section)) = (words.is_empty(), self.section) {
            return section;
        }
        let path = self.selected(words);
        if path.is_empty() {
            return NodeId::ROOT;
        }
        let plain = path.len() == self.path.len() && path.iter().zip(&self.path).all(|(a, b)| std::ptr::eq(a.raw, b.raw));
        let section = self.tree.push(NodeId::ROOT, path);
        if plain {
            self.section = Some(section);
        }
        section
    }

    fn command(&mut self, path: Vec<Word<'t>>, verb: Word<'t>, lexer: &mut Lexer<'t>) {
        let section = self.section_for(path);
        let mut words = vec![verb];
        let mut attributes = Vec::new();
        rest_of_command(lexer, &mut words, &mut attributes);
        let item = self.tree.push(section, words);
        self.attributes(item, attributes);
        self.tree.close(item, lexer.at);
        if section != NodeId::ROOT {
            self.tree.close(section, lexer.at);
        }
    }

    fn attributes(&mut self, item: NodeId, attributes: Vec<(Word<'t>, Option<Word<'t>>)>) {
        for (key, value) in attributes {
            self.tree.push(item, std::iter::once(key).chain(value));
        }
    }
}

type Attributes<'t> = Vec<(Word<'t>, Option<Word<'t>>)>;

/// Reads what follows a verb up to the end of the command: targets, then attributes.
fn rest_of_command<'t>(lexer: &mut Lexer<'t>, words: &mut Vec<Word<'t>>, attributes: &mut Attributes<'t>) {
    let mut bracket = false;
    loop {
        let before = lexer.at;
        let Some(token) = lexer.token(bracket) else { return };
        match token {
            Token::Mark(";" | "{" | "}") if !bracket => {
                lexer.at = before;
                lexer.blanks();
                return;
            }
            Token::Mark(mark) => {
                bracket = match mark {
                    "[" => true,
                    "]" => false,
                    _ => bracket,
                };
                words.push(Word { raw: mark, cooked: None, quoted: false });
            }
            Token::Pair(key, value) if bracket => words.push(joined(lexer.text, &key, &value)),
            Token::Pair(key, value) => attributes.push((key, Some(value))),
            Token::Word(word) if !bracket && (!attributes.is_empty() || word.raw.starts_with('!')) => attributes.push((word, None)),
            Token::Word(word) => words.push(word),
        }
    }
}

/// A condition inside brackets as one word: `default-name=ether1`.
fn joined<'t>(text: &'t str, key: &Word<'t>, value: &Word<'t>) -> Word<'t> {
    let offset = |slice: &str| (slice.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    let (start, end) = (offset(key.raw), offset(value.raw) + value.raw.len());
    let raw = text.get(start..end).unwrap_or(key.raw);
    let plain = |w: &Word<'t>| w.cooked.clone().unwrap_or_else(|| w.raw.to_owned());
    let cooked = value.quoted || value.cooked.is_some() || key.cooked.is_some();
    Word { raw, cooked: cooked.then(|| format!("{}={}", plain(key), plain(value))), quoted: false }
}

/// The elements of a path word: `/ip/firewall` is `/ip` and `firewall`; `..` goes up.
fn elements<'t>(word: Word<'t>, path: &mut Vec<Word<'t>>) {
    if word.quoted || word.cooked.is_some() {
        path.push(word);
        return;
    }
    let mut raw = word.raw;
    let lead = usize::from(raw.starts_with('/'));
    while let Some(cut) = raw.get(lead..).and_then(|r| r.find('/')).map(|n| n + lead).filter(|_| !path.is_empty() || lead == 1) {
        element(&raw[..cut], path);
        raw = &raw[cut + 1..];
        if lead == 1 {
            return raw.split('/').for_each(|part| element(part, path));
        }
    }
    element(raw, path);
}

fn element<'t>(raw: &'t str, path: &mut Vec<Word<'t>>) {
    match raw {
        "" | "/" => {}
        ".." => {
            path.pop();
        }
        raw => path.push(Word { raw, cooked: None, quoted: false }),
    }
}

/// Whether words begin a line of a script (`:foreach`, `:local`), in which verbs mean nothing.
fn is_script(words: &[Word<'_>]) -> bool {
    words.first().is_some_and(|w| w.raw.starts_with(':'))
}

/// `[user@name] >`, `[user@name] /ip address>`
fn is_prompt(lexer: &Lexer<'_>) -> bool {
    let rest = &lexer.text.as_bytes()[lexer.at..lexer.end.min(lexer.at.saturating_add(200))];
    let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    let Some(close) = memchr::memchr(b']', line) else { return false };
    line[..close].contains(&b'@') && line[close..].contains(&b'>')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Node;
    use crate::syntax::pattern::PatternSet;

    fn parsed(text: &str) -> Tree<'_> {
        let verbs = ["add", "set", "remove", "print", "disable"].map(str::to_owned).to_vec();
        parse(FileId(0), text, 0..text.len(), &Parameters { verbs })
    }

    /// Menus as `/a b: `, commands separated by ` | `, attributes in parentheses.
    fn shape(text: &str) -> String {
        let tree = parsed(text);
        let words = |n: Node<'_>| n.words_from(0).collect::<Vec<_>>().join(" ");
        let item = |n: Node<'_>| {
            let attributes: Vec<String> = n.children().map(|a| a.words_from(0).collect::<Vec<_>>().join("=")).collect();
            format!("{}({})", words(n), attributes.join(", "))
        };
        let section = |n: Node<'_>| format!("{}: {}", words(n), n.children().map(item).collect::<Vec<_>>().join(" | "));
        tree.root().children().map(section).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_path_holds_for_the_lines_below_it() {
        assert_eq!(
            shape("/ip firewall filter\nadd action=drop chain=input\nset 0 disabled=yes\n/snmp\nset enabled=yes\n"),
            "/ip firewall filter: add(action=drop, chain=input) | set 0(disabled=yes)\n/snmp: set(enabled=yes)"
        );
    }

    #[test]
    fn one_line_and_slashes_give_the_same_tree() {
        assert_eq!(shape("/ip service set telnet disabled=yes\n"), "/ip service: set telnet(disabled=yes)");
        assert_eq!(shape("/ip/service/set telnet disabled=yes\n"), "/ip service: set telnet(disabled=yes)");
        assert_eq!(shape("/ip/service set telnet disabled=yes\n"), "/ip service: set telnet(disabled=yes)");
    }

    #[test]
    fn a_condition_in_brackets_is_the_target() {
        assert_eq!(
            shape("/interface ethernet\nset [ find default-name=ether1 ] name=\"WAN 1\"\nset [find name=\"a b\"] mtu=1500\n"),
            "/interface ethernet: set [ find default-name=ether1 ](name=WAN 1) | set [ find name=a b ](mtu=1500)"
        );
    }

    #[test]
    fn a_backslash_joins_lines_without_a_blank() {
        assert_eq!(
            shape("/x\nadd list=\\\n    probe2 comment=\"a b\\\n    c\" policy=\"pa\\\r\n    ss\" dst=192.168\\\n    .150\n"),
            "/x: add(list=probe2, comment=a bc, policy=pass, dst=192.168.150)"
        );
        assert_eq!(shape("/x\nadd a=1 \\\n    b=2\n"), "/x: add(a=1, b=2)");
        assert_eq!(shape("/x\nadd a=!1\\\n    to-b=2\\\n    c=\\\n    3,\\\n    4\n"), "/x: add(a=!1, to-b=2, c=3,4)");
    }

    #[test]
    fn escapes_are_undone_and_spans_are_exact() {
        let text = "/x\nadd name=\"a\\\"b\\\\ \\$c\\r\\n\\E9\\96\\A2\" next=\"\\8A\\D6\\8F\\8A\"\n";
        let tree = parsed(text);
        let all: Vec<Node<'_>> = tree.statements().collect();
        assert_eq!(all[2].word(1), Some("a\"b\\ $c\r\n\u{95a2}"));
        assert_eq!(all[3].word(1), Some("\u{95a2}\u{6240}"));
        assert_eq!(all[3].word_span(1).slice(text), "\\8A\\D6\\8F\\8A");
    }

    #[test]
    fn comments_and_prompts_are_no_statements() {
        let tree = parsed("# 2026-01-13 12:51:42 by RouterOS 7.12.1\n[admin@R1] > /export\n/ip dns\n# note\nset servers=192.0.2.1\n");
        assert_eq!(tree.comments.len(), 3);
        assert_eq!(tree.statements().count(), 3);
    }

    #[test]
    fn unset_keys_and_negated_values() {
        assert_eq!(
            shape("/x\nset 0 !egress-rate mirror=no\nadd in-interface-list=!LAN !limit\n"),
            "/x: set 0(!egress-rate, mirror=no) | add(in-interface-list=!LAN, !limit)"
        );
    }

    #[test]
    fn braces_group_relative_paths() {
        assert_eq!(
            shape("/ip firewall {\nfilter add chain=input\nnat add chain=srcnat\n}\n/snmp set enabled=no\n"),
            "/ip firewall filter: add(chain=input)\n/ip firewall nat: add(chain=srcnat)\n/snmp: set(enabled=no)"
        );
    }

    #[test]
    fn an_unclosed_quote_costs_its_line() {
        assert_eq!(shape("/x\nadd name=\"abc\nadd name=d\n"), "/x: add(name=abc) | add(name=d)");
    }

    #[test]
    fn scripts_in_braces_are_values() {
        assert_eq!(
            shape("/system script\nadd name=x source={:put \"}\"; add y}\nadd name=z\n"),
            "/system script: add(name=x, source={:put \"}\"; add y}) | add(name=z)"
        );
        assert_eq!(shape(":foreach i in=x do=1\n").lines().count(), 1);
    }

    #[test]
    fn secrets_are_named_by_menu_command_and_key() {
        let text = "/ppp secret\nadd name=a password=one\n/ppp secret add password=\"t\\\n    wo\" name=b\n";
        let tree = parsed(text);
        let set = PatternSet::new(["/ppp secret > * > password {}"], false);
        let mut hidden = Vec::new();
        set.apply(tree.root(), &|_| false, &mut |_, hide| hidden.extend(hide.iter().map(|s| s.slice(text).to_owned())));
        assert_eq!(hidden, ["one", "t\\\n    wo"]);
    }

    #[test]
    fn any_bytes_give_a_tree() {
        for text in [
            "\\",
            "/x\nadd a=\\",
            "/x add [",
            "=",
            "]=;{{{{{{{{{{{{{{{{{{{{{}",
            "/x add a={{{{ b={ c=[",
            "\"\\",
            "/\n/ add\nadd x",
            "\\\u{3042}a=\"\\\u{3042}\"",
        ] {
            parsed(text);
        }
    }

    use proptest::prelude::*;

    /// Pieces that matter to the syntax, and some that do not.
    const PIECES: [&str; 24] = [
        "/ip firewall",
        "/ip/service/set",
        "/x",
        "..",
        "add",
        "set",
        "[",
        "]",
        "{",
        "}",
        ";",
        "=",
        "name=",
        "\"",
        "\\",
        "\\\n    ",
        "\n",
        "\r\n",
        "#",
        ":if",
        "!a",
        "a=b",
        "\\E9\\96",
        "\u{3042}",
    ];

    fn check(text: &str) -> Result<(), TestCaseError> {
        let tree = parsed(text);
        let mut last = 0;
        for node in tree.statements() {
            let span = node.span();
            prop_assert!(span.start <= span.end && span.end as usize <= text.len());
            prop_assert!(text.is_char_boundary(span.start as usize) && text.is_char_boundary(span.end as usize));
            for n in 0..node.len() {
                let word = node.word_span(n);
                prop_assert!(text.get(word.start as usize..word.end as usize).is_some());
            }
            // A menu, a command, an attribute.
            prop_assert!(std::iter::successors(node.parent(), |n| n.parent()).count() <= 3);
            last = last.max(span.start);
        }
        prop_assert!(last as usize <= text.len());
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_give_a_tree_with_spans_in_range(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            check(&String::from_utf8_lossy(&bytes))?;
        }

        #[test]
        fn pieces_in_any_order_give_a_tree(pieces in proptest::collection::vec((proptest::sample::select(&PIECES[..]), any::<bool>()), 0..60)) {
            let text: String = pieces.iter().flat_map(|(piece, blank)| [*piece, if *blank { " " } else { "" }]).collect();
            check(&text)?;
        }

        #[test]
        fn a_value_is_read_as_it_was_written(value in "[a-zA-Z0-9 .,:/!\u{3042}-\u{3050}]{0,20}", word in "[a-z0-9./!-]{1,12}") {
            let text = format!("/x\nadd a=\"{value}\" b={word}\n");
            let tree = parsed(&text);
            let words: Vec<_> = tree.statements().filter(|n| n.len() == 2).filter_map(|n| n.word(1).map(str::to_owned)).collect();
            prop_assert_eq!(words, vec![value, word]);
        }
    }
}
