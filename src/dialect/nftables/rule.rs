//! One rule: its matches from left to right, and what it does. Maps make several rows of one rule, one for each element.
//!
//! A word that is not understood makes the rule one that may or may not match; the verdict behind it still counts.

use super::key::{Key, key};
use super::matching::tuple;
use super::value::{Sets, Token, closing};
use crate::dialect::netfilter::condition::{Condition, Rate, product};
use crate::dialect::netfilter::names::{address, first_port, number, rate, target};
use crate::dialect::netfilter::{Row, Target, Translation};
use crate::ir::fact::Fact;
use crate::ir::filter::{AddrExpr, Family};
use crate::source::Span;

/// More alternatives of one rule are not told apart.
pub(super) const MOST: usize = 4096;

pub(super) struct Reader<'r, 'a> {
    pub(super) list: &'r [Token<'a>],
    pub(super) at: usize,
    pub(super) sets: &'r Sets<'a>,
    pub(super) table: usize,
    span: Span,
    all: Vec<Condition>,
    pub(super) target: Option<Target>,
    /// Rows of a map, in the order in which they are tried.
    pub(super) mapped: Vec<(Vec<Condition>, Target)>,
    logs: bool,
    sets_mark: Option<Option<u32>>,
    untracks: bool,
    pub(super) speaks_v6: bool,
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
        untracks: false,
        speaks_v6: family == "ip6",
    };
    while reader.at < list.len() {
        reader.statement();
    }
    let label = handle(list).map_or_else(|| number.to_string(), str::to_owned);
    let mut rows = Vec::new();
    let (logs, sets_mark, untracks) = (reader.logs, reader.sets_mark, reader.untracks);
    let row =
        |conditions: Vec<Condition>, target: Target| Row { span, label: label.clone(), conditions, target, logs, sets_mark, untracks };
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
    pub(super) fn peek(&self, ahead: usize) -> &'a str {
        self.list.get(self.at + ahead).filter(|t| !t.quoted).map_or("", |t| t.text)
    }

    fn here(&self) -> Span {
        self.list.get(self.at).map_or(self.span, |t| t.span)
    }

    pub(super) fn any_of(&mut self, conditions: &[Condition]) {
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
            "notrack" => {
                self.at += 1;
                self.untracks = true;
            }
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
                        && !matches!(
                            (self.peek(0), self.peek(1)),
                            ("tcp", "dport" | "sport" | "flags") | ("ip", "saddr" | "daddr" | "protocol")
                        )
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

    /// `meta mark set 1` and the like.
    pub(super) fn assignment(&mut self, key: Key) {
        let value = self.list.get(self.at).map_or("", |t| t.text);
        let known = number(value);
        if key == Key::Mark {
            let alone = !matches!(self.peek(1), "|" | "&" | "^" | "map");
            self.sets_mark = Some(known.filter(|_| alone));
        }
        self.at += 1;
        // A value that is itself a key, a map or a computation.
        let ends = [
            "accept",
            "drop",
            "return",
            "jump",
            "goto",
            "dnat",
            "snat",
            "masquerade",
            "redirect",
            "counter",
            "log",
            "comment",
            "ct",
            "meta",
            "queue",
        ];
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
            let word =
                self.list.get(self.at).filter(|t| !matches!(t.text, "comment" | "handle" | "random" | "persistent" | "fully-random"));
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
