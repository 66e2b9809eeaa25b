//! One rule: its matches from left to right, and what it does. Maps make several rows of one rule, one for each element.
//!
//! A word that is not understood makes the rule one that may or may not match; the verdict behind it still counts.

use super::key::{Key, key};
use super::value::{Element, Sets, Token, closing, elements};
use crate::dialect::netfilter::condition::{Condition, Rate, Services, product};
use crate::dialect::netfilter::names::{address, first_port, number, rate, target};
use crate::dialect::netfilter::{Row, Target, Translation};
use crate::ir::fact::Fact;
use crate::ir::filter::{AddrExpr, Family};
use crate::source::Span;

/// More alternatives of one rule are not told apart.
const MOST: usize = 4096;

struct Reader<'r, 'a> {
    list: &'r [Token<'a>],
    at: usize,
    sets: &'r Sets<'a>,
    table: usize,
    span: Span,
    all: Vec<Condition>,
    target: Option<Target>,
    /// Rows of a map, in the order in which they are tried.
    mapped: Vec<(Vec<Condition>, Target)>,
    logs: bool,
    sets_mark: Option<Option<u32>>,
    speaks_v6: bool,
}

/// The rows of a rule, and whether it speaks of IPv6.
pub(super) fn read<'a>(list: &[Token<'a>], sets: &Sets<'a>, table: usize, family: &str, span: Span, number: usize) -> (Vec<Row>, bool) {
    let mut reader = Reader {
        list,
        at: 0,
        sets,
        table,
        span,
        all: vec![Condition::default()],
        target: None,
        mapped: Vec::new(),
        logs: false,
        sets_mark: None,
        speaks_v6: family == "ip6",
    };
    while reader.at < list.len() {
        reader.statement();
    }
    let label = handle(list).map_or_else(|| number.to_string(), str::to_owned);
    let mut rows = Vec::new();
    let (logs, sets_mark) = (reader.logs, reader.sets_mark);
    let row = |conditions: Vec<Condition>, target: Target| Row { span, label: label.clone(), conditions, target, logs, sets_mark };
    for (conditions, target) in std::mem::take(&mut reader.mapped) {
        rows.push(row(product(&reader.all, &conditions), target));
    }
    if rows.is_empty() || reader.target.is_some() {
        rows.push(row(reader.all, reader.target.unwrap_or(Target::Continue)));
    }
    (rows, reader.speaks_v6)
}

/// `# handle 7` is a comment in lists; in JSON and some tools it stands as words.
fn handle<'a>(list: &[Token<'a>]) -> Option<&'a str> {
    match list {
        [.., word, number] if word.is("handle") => Some(number.text),
        _ => None,
    }
}

impl<'r, 'a> Reader<'r, 'a> {
    fn peek(&self, ahead: usize) -> &'a str {
        self.list.get(self.at + ahead).filter(|t| !t.quoted).map_or("", |t| t.text)
    }

    fn here(&self) -> Span {
        self.list.get(self.at).map_or(self.span, |t| t.span)
    }

    fn any_of(&mut self, conditions: &[Condition]) {
        if self.all.len().saturating_mul(conditions.len()) > MOST {
            let at = self.span;
            self.any_of(&[Condition::unmodelled(at, "set")]);
        } else {
            self.all = product(&self.all, conditions);
        }
    }

    fn skip_to(&mut self, words: &[&str]) {
        while self.at < self.list.len() && !words.contains(&self.peek(0)) {
            self.at += 1;
        }
    }

    fn statement(&mut self) {
        let word = self.peek(0);
        let at = self.here();
        match word {
            "accept" => self.end(Target::Accept, 1),
            "drop" => self.end(Target::Drop, 1),
            "return" => self.end(Target::Return, 1),
            "continue" => self.end(Target::Continue, 1),
            "jump" | "goto" => {
                let name = self.list.get(self.at + 1).map_or("", |t| t.text).to_owned();
                self.end(if word == "goto" { Target::Goto(name) } else { Target::Jump(name) }, 2);
            }
            "reject" => {
                self.end(Target::Drop, 1);
                if self.peek(0) == "with" {
                    self.at += 1;
                    self.skip_to(&["comment", "handle"]);
                }
            }
            "queue" | "tproxy" | "synproxy" | "fwd" => {
                self.end(Target::Unknown(word.to_owned()), 1);
                self.skip_to(&["comment", "handle", "accept", "drop"]);
                if matches!(self.peek(0), "accept" | "drop") {
                    self.at += 1;
                }
            }
            "masquerade" | "snat" => {
                self.end(Target::Source, 1);
                self.skip_to(&["comment", "handle"]);
            }
            "dnat" | "redirect" => self.translation(word == "redirect"),
            "notrack" => self.at += 1,
            "counter" => {
                self.at += 1;
                match self.peek(0) {
                    "packets" => self.at += 4,
                    "name" => self.at += 2,
                    _ if self.list.get(self.at).is_some_and(|t| t.quoted) => self.at += 1,
                    _ => {}
                }
            }
            "comment" | "handle" => self.at += 2,
            "log" => self.log(),
            "limit" | "quota" => self.limit(),
            "last" => {
                self.at += 1;
                if self.peek(0) == "used" {
                    self.at += 2;
                }
            }
            "flow" | "dup" => self.skip_to(&["accept", "drop", "comment", "handle", "counter", "return"]),
            "add" | "update" | "delete" | "set" => {
                self.at += 1;
                self.inner();
            }
            "meter" => {
                self.at += 1;
                self.skip_to(&["{"]);
                self.inner();
            }
            "ct" if self.peek(1) == "count" => {
                let over = self.peek(2) == "over";
                self.at += if over { 4 } else { 3 };
                self.any_of(&[rate(if over { Rate::Over } else { Rate::Under })]);
            }
            _ => match key(self.list, self.at) {
                Some((key, len)) => {
                    self.at += len;
                    self.matching(key, at);
                }
                None => {
                    self.any_of(&[Condition::unmodelled(at, word)]);
                    self.at = if word == "{" { closing(self.list, self.at) } else { self.at + 1 };
                }
            },
        }
    }

    fn end(&mut self, target: Target, words: usize) {
        self.at += words;
        self.target.get_or_insert(target);
    }

    fn log(&mut self) {
        self.logs = true;
        self.at += 1;
        loop {
            match self.peek(0) {
                "prefix" | "level" | "group" | "snaplen" | "queue-threshold" => self.at += 2,
                "flags" => {
                    self.at += 1;
                    while matches!(self.peek(0), "all" | "tcp" | "ip" | "skuid" | "ether" | "sequence" | "options" | ",")
                        && !matches!((self.peek(0), self.peek(1)), ("tcp", "dport" | "sport" | "flags") | ("ip", "saddr" | "daddr" | "protocol"))
                    {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// `limit rate [over] 3/minute [burst 5 packets]`, `quota over 25 mbytes`.
    fn limit(&mut self) {
        let quota = self.peek(0) == "quota";
        self.at += 1;
        if self.peek(0) == "name" || self.list.get(self.at).is_some_and(|t| t.quoted) {
            self.at += if self.peek(0) == "name" { 2 } else { 1 };
            self.any_of(&[rate(Rate::Under)]);
            return;
        }
        if self.peek(0) == "rate" {
            self.at += 1;
        }
        let over = self.peek(0) == "over";
        self.at += usize::from(over || self.peek(0) == "until");
        self.at += 1;
        let unit = |w: &str| w.contains("bytes") || matches!(w, "packets" | "/") || w.starts_with('/');
        while unit(self.peek(0)) || matches!(self.peek(0), "second" | "minute" | "hour" | "day" | "week") {
            self.at += 1;
        }
        if self.peek(0) == "burst" {
            self.at += 3;
        }
        if quota && self.peek(0) == "used" {
            self.at += 3;
        }
        self.any_of(&[rate(if over { Rate::Over } else { Rate::Under })]);
    }

    /// `@set { ip saddr timeout 1h limit rate over 3/minute }`: goes on, unless a rate inside says otherwise.
    fn inner(&mut self) {
        self.skip_to(&["{"]);
        let end = closing(self.list, self.at);
        let inside = &self.list[self.at.min(end)..end];
        let has = |w: &str| inside.iter().any(|t| t.is(w));
        if has("limit") || has("count") || has("quota") {
            self.any_of(&[rate(if has("over") { Rate::Over } else { Rate::Under })]);
        }
        self.at = end;
    }

    /// What follows a key: a value, a comparison, a map, or `set`.
    fn matching(&mut self, first: Key, at: Span) {
        self.speaks_v6 |= first.is_v6();
        let mut keys = vec![first];
        while self.peek(0) == "." {
            self.at += 1;
            match key(self.list, self.at) {
                Some((next, len)) => {
                    self.at += len;
                    self.speaks_v6 |= next.is_v6();
                    keys.push(next);
                }
                None => break,
            }
        }
        if self.peek(0) == "set" {
            self.at += 1;
            self.assignment(first);
            return;
        }
        if self.peek(0) == "vmap" {
            self.at += 1;
            let list = self.map_elements();
            self.verdict_map(&keys, list, at);
            return;
        }
        if keys.len() == 1 && self.peek(0) == "&" {
            self.at += 1;
            let mask = self.bits();
            let negated = self.peek(0) == "!=";
            if matches!(self.peek(0), "==" | "!=") {
                self.at += 1;
            }
            let value = self.bits();
            let conditions = first.masked(&mask, &value, negated, at);
            self.any_of(&conditions);
            return;
        }
        let operator = self.peek(0);
        let negated = operator == "!=";
        if matches!(operator, "!=" | "==" | "!") {
            self.at += 1;
        } else if matches!(operator, "<" | ">" | "<=" | ">=") {
            self.at += 1;
            let conditions = self.compared(first, operator, at);
            self.any_of(&conditions);
            return;
        }
        let conditions = self.compare(&keys, operator, negated, at);
        self.any_of(&conditions);
    }

    fn compared(&mut self, key: Key, operator: &str, at: Span) -> Vec<Condition> {
        let word = self.peek(0);
        self.at += 1;
        let (Key::Port { .. }, Some(n)) = (key, first_port(word)) else { return vec![key.implied().and(&Condition::unmodelled(at, word))] };
        let range = match operator {
            "<" => n.checked_sub(1).map(|to| (0, to)),
            "<=" => Some((0, n)),
            ">" => n.checked_add(1).map(|from| (from, u16::MAX)),
            _ => Some((n, u16::MAX)),
        };
        let Some((from, to)) = range else { return vec![Condition::never()] };
        let ports = Some(vec![(from, to)]);
        let services = match key {
            Key::Port { source: true, .. } => Services { src_ports: ports, ..Services::default() },
            _ => Services { dst_ports: ports, ..Services::default() },
        };
        let ported = vec![Condition { services, ..Condition::default() }];
        key.with_portless(ported, at).iter().map(|c| key.implied().and(c)).collect()
    }

    /// Bits in parentheses or alone, up to what is no bit.
    fn bits(&mut self) -> Vec<Token<'a>> {
        let mut out = Vec::new();
        if self.peek(0) == "(" {
            while self.at < self.list.len() && self.peek(0) != ")" {
                out.push(self.list[self.at]);
                self.at += 1;
            }
            self.at += 1;
            return out;
        }
        while let Some(token) = self.list.get(self.at) {
            out.push(*token);
            self.at += 1;
            if !matches!(self.peek(0), "|" | ",") {
                break;
            }
            self.at += 1;
        }
        out
    }

    fn compare(&mut self, keys: &[Key], operator: &str, negated: bool, at: Span) -> Vec<Condition> {
        let first = keys[0];
        if self.peek(0) == "{" {
            let end = closing(self.list, self.at);
            let list = elements(&self.list[self.at..end]);
            self.at = end;
            return self.one_of(keys, list, negated, at);
        }
        if let Some(name) = self.list.get(self.at).filter(|t| !t.quoted).and_then(|t| t.text.strip_prefix('@')) {
            let place = self.list[self.at];
            self.at += 1;
            let Some(set) = self.sets.get(self.table, name) else { return vec![Condition::unmodelled(place.span, name)] };
            let mut list = set.elements.clone();
            if set.changes {
                if keys.len() > 1 || !matches!(first, Key::Source { .. } | Key::Destination { .. }) {
                    return vec![first.implied().and(&Condition::unmodelled(place.span, name))];
                }
                list.push(Element { parts: vec![place], data: Vec::new() });
            }
            return self.one_of(keys, list, negated, at);
        }
        if keys.len() > 1 {
            let list = vec![Element { parts: self.concatenation(), data: Vec::new() }];
            return self.one_of(keys, list, negated, at);
        }
        let mut values: Vec<Token<'a>> = Vec::new();
        while let Some(token) = self.list.get(self.at) {
            values.push(*token);
            self.at += 1;
            if self.peek(0) != "," {
                break;
            }
            self.at += 1;
        }
        if first == Key::TcpFlags {
            return self.flags(values, operator, negated, at);
        }
        if values.is_empty() {
            return vec![first.implied().and(&Condition::unmodelled(at, "value"))];
        }
        self.join_range(&mut values);
        first.test(&values, negated, at)
    }

    /// `tcp flags syn` (one of these), `tcp flags == syn` (exactly), `tcp flags syn / syn,ack`.
    fn flags(&mut self, values: Vec<Token<'a>>, operator: &str, negated: bool, at: Span) -> Vec<Condition> {
        let mut value = values;
        while self.peek(0) == "|" {
            self.at += 1;
            value.extend(self.list.get(self.at));
            self.at += 1;
        }
        if self.peek(0) == "/" {
            self.at += 1;
            let mask = self.bits();
            return Key::TcpFlags.masked(&mask, &value, negated, at);
        }
        if matches!(operator, "==" | "!=") {
            let whole = [Token { text: "0xff", span: at, quoted: false }];
            return Key::TcpFlags.masked(&whole, &value, negated, at);
        }
        // One of the bits is set (`!`: none is).
        let none = [Token { text: "0", span: at, quoted: false }];
        Key::TcpFlags.masked(&value, &none, operator != "!", at)
    }

    /// `1024 - 2048` with blanks.
    fn join_range(&mut self, values: &mut [Token<'a>]) {
        if values.len() == 1 && self.peek(0) == "-" {
            // Both ends are in the text, with a sign between: the slice cannot be joined, so the rest is passed over as not read.
            self.at += 2;
            values[0].text = "";
        }
    }

    fn concatenation(&mut self) -> Vec<Token<'a>> {
        let mut parts = Vec::new();
        while let Some(token) = self.list.get(self.at) {
            parts.push(*token);
            self.at += 1;
            if self.peek(0) != "." {
                break;
            }
            self.at += 1;
        }
        parts
    }

    /// The key is (or, negated, is not) one of these elements.
    fn one_of(&self, keys: &[Key], list: Vec<Element<'a>>, negated: bool, at: Span) -> Vec<Condition> {
        let first = keys[0];
        if list.is_empty() {
            let implied = keys.iter().fold(Condition::default(), |all, k| all.and(&k.implied()));
            return vec![if negated { implied } else { Condition::never() }];
        }
        if keys.len() == 1 {
            let values: Vec<Token<'a>> = list.iter().filter_map(|e| e.parts.first().copied()).collect();
            return first.test(&values, negated, at);
        }
        if negated || list.len() > MOST {
            let implied = keys.iter().fold(Condition::default(), |all, k| all.and(&k.implied()));
            return vec![implied.and(&Condition::unmodelled(at, "set"))];
        }
        list.iter().flat_map(|e| tuple(keys, &e.parts, at)).collect()
    }

    /// The elements of a map, in braces or named.
    fn map_elements(&mut self) -> Option<Vec<Element<'a>>> {
        if self.peek(0) == "{" {
            let end = closing(self.list, self.at);
            let list = elements(&self.list[self.at..end]);
            self.at = end;
            return Some(list);
        }
        let name = self.peek(0).strip_prefix('@')?;
        self.at += 1;
        self.sets.get(self.table, name).filter(|s| !s.changes).map(|s| s.elements.clone())
    }

    fn verdict_map(&mut self, keys: &[Key], list: Option<Vec<Element<'a>>>, at: Span) {
        let Some(list) = list else {
            self.any_of(&[Condition::unmodelled(at, "vmap")]);
            self.target = Some(Target::Unknown("vmap".to_owned()));
            return;
        };
        let implied = keys.iter().fold(Condition::default(), |all, k| all.and(&k.implied()));
        let mut rest = None;
        for element in list {
            let name = || element.data.get(1).map_or("", |t| t.text).to_owned();
            let target = match element.data.first().map_or("", |t| t.text) {
                "accept" => Target::Accept,
                "drop" => Target::Drop,
                "return" => Target::Return,
                "continue" => Target::Continue,
                "jump" => Target::Jump(name()),
                "goto" => Target::Goto(name()),
                other => Target::Unknown(other.to_owned()),
            };
            if matches!(element.parts[..], [one] if one.is("*")) {
                rest = Some(target);
            } else {
                self.mapped.push((tuple(keys, &element.parts, at), target));
            }
        }
        // What `continue` lets on must not meet the rest, and nothing else comes so far.
        self.mapped.extend(rest.map(|target| (vec![implied], target)));
        if self.mapped.is_empty() {
            self.mapped.push((vec![Condition::never()], Target::Continue));
        }
    }

    /// `meta mark set 1` and the like.
    fn assignment(&mut self, key: Key) {
        let value = self.list.get(self.at).map_or("", |t| t.text);
        let known = number(value);
        if key == Key::Mark {
            let alone = !matches!(self.peek(1), "|" | "&" | "^" | "map");
            self.sets_mark = Some(known.filter(|_| alone));
        }
        self.at += 1;
        // A value that is itself a key, a map or a computation.
        let ends = ["accept", "drop", "return", "jump", "goto", "dnat", "snat", "masquerade", "redirect", "counter", "log", "comment", "ct", "meta", "queue"];
        if known.is_none() && value != "rt" || matches!(self.peek(0), "|" | "&" | "^" | "map" | "offset") {
            while self.at < self.list.len() && !ends.contains(&self.peek(0)) {
                self.at = if self.peek(0) == "{" { closing(self.list, self.at) } else { self.at + 1 };
            }
        } else if value == "rt" {
            self.at += 1;
        }
    }

    /// `dnat [ip|ip6] [addr . port] to ...`, `redirect [to :port]`.
    fn translation(&mut self, redirect: bool) {
        self.at += 1;
        let mut family = None;
        while matches!(self.peek(0), "ip" | "ip6" | "addr" | "." | "port" | "to" | "prefix" | "interval") {
            match self.peek(0) {
                "ip" if matches!(self.peek(1), "to" | "addr" | "prefix") => family = Some(Family::V4),
                "ip6" if matches!(self.peek(1), "to" | "addr" | "prefix") => family = Some(Family::V6),
                "ip" | "ip6" => break,
                _ => {}
            }
            self.at += 1;
        }
        if family == Some(Family::V6) {
            self.speaks_v6 = true;
        }
        if let Some(family) = family {
            self.any_of(&[Condition { family: Some(family), ..Condition::default() }]);
        }
        let at = self.here();
        if let Some((first, len)) = key(self.list, self.at).filter(|_| !redirect) {
            self.at += len;
            self.mapped_translation(first, at);
        } else {
            let word = self.list.get(self.at).filter(|t| !matches!(t.text, "comment" | "handle" | "random" | "persistent" | "fully-random"));
            let mut text = word.map_or(String::new(), |t| t.text.to_owned());
            self.at += usize::from(word.is_some());
            // `address : port` may stand apart.
            if self.peek(0) == ":" || self.peek(0).starts_with(':') && !text.is_empty() {
                text.push_str(self.peek(0));
                self.at += 1;
                if text.ends_with(':') {
                    text.push_str(self.peek(0));
                    self.at += 1;
                }
            }
            let (to, port) = target(&text);
            let to = to.filter(|t| !redirect && !t.is_empty());
            let port = if redirect && port.is_none() { first_port(&text) } else { port };
            let to = to.map(|t| Fact::written(address(t, at), at));
            self.speaks_v6 |= to.as_ref().and_then(Fact::get).is_some_and(crate::dialect::netfilter::names::is_v6);
            self.target = Some(Target::Destination(Translation { to, port }));
        }
        self.skip_to(&["comment", "handle"]);
    }

    /// `dnat to tcp dport map { 80 : 10.0.0.1 . 8080 }`.
    fn mapped_translation(&mut self, first: Key, at: Span) {
        let mut keys = vec![first];
        while self.peek(0) == "." {
            self.at += 1;
            let Some((next, len)) = key(self.list, self.at) else { break };
            self.at += len;
            keys.push(next);
        }
        let list = if self.peek(0) == "map" {
            self.at += 1;
            self.map_elements()
        } else {
            None
        };
        let Some(list) = list else {
            self.target = Some(Target::Destination(Translation {
                to: Some(Fact::unknown(crate::ir::fact::Why::at(crate::ir::fact::WhyCode::RuntimeContent, "map", vec![at]))),
                port: None,
            }));
            return;
        };
        for element in list {
            let data: Vec<&Token<'a>> = element.data.iter().filter(|t| t.text != ".").collect();
            let (to, port) = data.first().map_or((None, None), |t| target(t.text));
            let port = port.or_else(|| data.get(1).and_then(|t| first_port(t.text)));
            let to = to.map(|t| Fact::written(address(t, at), at)).unwrap_or_else(|| Fact::written(AddrExpr::SelfAddrs, at));
            self.mapped.push((tuple(&keys, &element.parts, at), Target::Destination(Translation { to: Some(to), port })));
        }
    }
}

/// The parts of one element, each for its key.
fn tuple(keys: &[Key], parts: &[Token<'_>], at: Span) -> Vec<Condition> {
    if keys.len() != parts.len() {
        return vec![Condition::unmodelled(at, "set")];
    }
    keys.iter().zip(parts).fold(vec![Condition::default()], |all, (key, part)| {
        let any = part.is("*");
        let one = if any { vec![key.implied()] } else { key.test(std::slice::from_ref(part), false, at) };
        product(&all, &one)
    })
}
