//! What one row asks and does: the options of `iptables(8)` and `iptables-extensions(8)`, in long, short and old spellings.
//!
//! An option that is not known, or that no packet set can express, becomes a condition that may or may not hold. Options behind a target
//! belong to the target until a match is named again.

use crate::dialect::netfilter::condition::{Condition, NamePattern, Names, Rate, Services, not_in, outside, product};
use crate::dialect::netfilter::names::{address, first_port, number, protocol, rate, target as target_of};
use crate::dialect::netfilter::{Target, Translation};
use crate::ir::fact::Fact;
use crate::ir::filter::AddrExpr;
use crate::source::Span;
use crate::syntax::Node;

/// What was read.
pub(super) struct Read {
    pub(super) conditions: Vec<Condition>,
    pub(super) target: Target,
    pub(super) logs: bool,
    pub(super) sets_mark: Option<Option<u32>>,
    pub(super) untracks: bool,
}

/// Options of matches without an effect on which first packets match, with the number of their arguments.
const QUIET: &[(&str, usize)] = &[
    ("--comment", 1),
    ("--limit-burst", 1),
    ("--hashlimit-burst", 1),
    ("--hashlimit-mode", 1),
    ("--hashlimit-name", 1),
    ("--hashlimit-srcmask", 1),
    ("--hashlimit-dstmask", 1),
    ("--hashlimit-htable-size", 1),
    ("--hashlimit-htable-max", 1),
    ("--hashlimit-htable-expire", 1),
    ("--hashlimit-htable-gcinterval", 1),
    ("--hashlimit-rate-match", 0),
    ("--hashlimit-rate-interval", 1),
    ("--connlimit-mask", 1),
    ("--connlimit-saddr", 0),
    ("--connlimit-daddr", 0),
    ("--seconds", 1),
    ("--hitcount", 1),
    ("--name", 1),
    ("--rsource", 0),
    ("--rdest", 0),
    ("--rttl", 0),
    ("--reap", 0),
    ("--mask", 1),
    ("--limit-iface-in", 0),
    ("--limit-iface-out", 0),
    ("--strict", 0),
    ("--loose", 0),
    ("--validmark", 0),
    ("--accept-local", 0),
    ("--ipv4", 0),
    ("--ipv6", 0),
    ("-4", 0),
    ("-6", 0),
];

pub(super) struct Reader<'a> {
    pub(super) node: Node<'a>,
    pub(super) at: usize,
    pub(super) v6: bool,
    all: Vec<Condition>,
    /// The protocol, for type names.
    pub(super) module: &'a str,
    in_target: bool,
    target: Option<&'a str>,
    goto: bool,
    /// Options of the target.
    to: Vec<(&'a str, Span)>,
    to_ports: Option<&'a str>,
    mark: Option<(&'a str, &'a str)>,
    pub(super) recent: bool,
    notrack: bool,
}

/// Reads the options from a word on.
pub(super) fn read(node: Node<'_>, at: usize, v6: bool) -> Read {
    let mut reader = Reader {
        node,
        at,
        v6,
        all: vec![Condition::default()],
        module: "",
        in_target: false,
        target: None,
        goto: false,
        to: Vec::new(),
        to_ports: None,
        mark: None,
        recent: false,
        notrack: false,
    };
    while reader.at < node.len() {
        reader.option();
    }
    reader.finish()
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self) -> (&'a str, Span) {
        let at = self.at;
        self.at += 1;
        (self.node.word_or_empty(at), self.node.word_span(at))
    }

    /// An argument, with a negation of the old place before it.
    pub(super) fn argument(&mut self, negated: &mut bool) -> (&'a str, Span) {
        if self.node.word(self.at) == Some("!") {
            *negated = !*negated;
            self.at += 1;
        }
        self.take()
    }

    pub(super) fn and(&mut self, condition: Condition) {
        for one in &mut self.all {
            *one = one.and(&condition);
        }
    }

    pub(super) fn any_of(&mut self, conditions: &[Condition]) {
        self.all = product(&self.all, conditions);
    }

    pub(super) fn unmodelled(&mut self, span: Span, what: &str) {
        self.and(Condition::unmodelled(span, what));
    }

    fn option(&mut self) {
        let mut negated = false;
        while self.node.word(self.at) == Some("!") {
            negated = !negated;
            self.at += 1;
        }
        let (option, span) = self.take();
        if let Some((_, count)) = QUIET.iter().find(|(name, _)| *name == option) {
            self.at += count;
            return;
        }
        match option {
            "-s" | "--source" | "--src" | "-d" | "--destination" | "--dst" => {
                let (word, at) = self.argument(&mut negated);
                self.addresses(option.trim_start_matches('-').starts_with('s'), word, at, negated);
            }
            "-i" | "--in-interface" | "-o" | "--out-interface" => {
                let (word, at) = self.argument(&mut negated);
                let names = vec![Names { negated, patterns: vec![NamePattern::new(word, '+', at)] }];
                let inbound = option == "-i" || option == "--in-interface";
                self.and(if inbound {
                    Condition { ingress: names, ..Condition::default() }
                } else {
                    Condition { egress: names, ..Condition::default() }
                });
            }
            "-p" | "--protocol" | "--proto" if !(self.module == "policy" && option == "--proto") => {
                let (word, at) = self.argument(&mut negated);
                self.protocol(word, at, negated);
            }
            "-f" | "--fragment" => self.and(if negated { Condition::default() } else { Condition::never() }),
            "-m" | "--match" => {
                let (word, _) = self.take();
                self.in_target = false;
                self.module = word;
                self.named_match(word, span, negated);
            }
            "-j" | "--jump" | "-g" | "--goto" => {
                let (word, _) = self.take();
                self.target = Some(word);
                self.goto = option == "-g" || option == "--goto";
                self.in_target = true;
            }
            "-c" | "--set-counters" => self.at += 2,
            _ if self.in_target && self.target_option(option) => {}
            _ if self.match_option(option, span, negated) => {}
            // Arguments go with the option that nobody knows.
            _ => {
                if option.starts_with('-') && !self.in_target {
                    self.unmodelled(span, option);
                }
                while self.node.word(self.at).is_some_and(|w| !w.starts_with('-') && w != "!") {
                    self.at += 1;
                }
            }
        }
    }

    fn addresses(&mut self, source: bool, word: &str, span: Span, negated: bool) {
        if matches!(word, "0.0.0.0/0" | "::/0" | "anywhere" | "0/0" | "0.0.0.0/0.0.0.0") {
            if negated {
                self.and(Condition::never());
            }
            return;
        }
        let mut list: Vec<AddrExpr> = word.split(',').map(|w| address(w, span)).collect();
        let expr = if list.len() > 1 { AddrExpr::Union(list) } else { list.pop().unwrap_or(AddrExpr::Any) };
        let expr = if negated { not_in(expr, self.v6) } else { expr };
        self.side(source, expr);
    }

    pub(super) fn side(&mut self, source: bool, expr: AddrExpr) {
        self.and(if source {
            Condition { src: vec![expr], ..Condition::default() }
        } else {
            Condition { dst: vec![expr], ..Condition::default() }
        });
    }

    fn protocol(&mut self, word: &str, span: Span, negated: bool) {
        if word == "all" || word == "0" {
            return;
        }
        match protocol(word) {
            Some(n) => {
                let n = u16::from(n);
                let ranges = if negated { outside(&[(n, n)], 255) } else { vec![(n, n)] };
                self.services(Services { protocols: Some(ranges), ..Services::default() });
            }
            None => self.unmodelled(span, word),
        }
    }

    pub(super) fn services(&mut self, services: Services) {
        self.and(Condition { services, ..Condition::default() });
    }

    /// Options of targets that matter here; others are passed over by the caller.
    fn target_option(&mut self, option: &'a str) -> bool {
        match option {
            "--to-destination" | "--to" => {
                let word = self.take();
                self.to.push(word);
            }
            "--to-ports" | "--to-port" => self.to_ports = Some(self.take().0),
            "--set-mark" | "--set-xmark" | "--or-mark" | "--and-mark" | "--xor-mark" => self.mark = Some((option, self.take().0)),
            "--notrack" => self.notrack = true,
            "--restore-mark" => self.mark = Some((option, "")),
            _ => return false,
        }
        true
    }

    fn finish(mut self) -> Read {
        let name = self.target.unwrap_or("");
        let logs = matches!(name, "LOG" | "NFLOG" | "ULOG");
        let target = match name {
            "ACCEPT" => Target::Accept,
            "DROP" | "REJECT" | "TARPIT" | "CHAOS" | "DELUDE" | "STEAL" => Target::Drop,
            "RETURN" => Target::Return,
            "QUEUE" | "NFQUEUE" | "TPROXY" | "MIRROR" | "SYNPROXY" => Target::Unknown(name.to_owned()),
            "" | "LOG" | "NFLOG" | "ULOG" | "MARK" | "CONNMARK" | "CT" | "NOTRACK" | "TCPMSS" | "DSCP" | "TOS" | "CLASSIFY" | "SET"
            | "TRACE" | "CHECKSUM" | "TTL" | "HL" | "AUDIT" | "CONNSECMARK" | "SECMARK" | "ECN" | "IDLETIMER" | "LED" | "RATEEST"
            | "TEE" | "TCPOPTSTRIP" | "HMARK" | "IMQ" | "FLOWOFFLOAD" => Target::Continue,
            "SNAT" | "MASQUERADE" | "SAME" | "FULLCONENAT" => Target::Source,
            "DNAT" | "NETMAP" => self.destination(),
            "REDIRECT" => Target::Destination(Translation { to: None, port: self.to_ports.and_then(first_port) }),
            chain if self.goto => Target::Goto(chain.to_owned()),
            chain => Target::Jump(chain.to_owned()),
        };
        if self.recent {
            self.and(rate(Rate::Listed));
        }
        let sets_mark = match (name, self.mark) {
            ("MARK", Some((option, word))) => Some(mark_of(option, word)),
            ("CONNMARK", Some(("--restore-mark", _))) => Some(None),
            _ => None,
        };
        Read { conditions: self.all, target, logs, sets_mark, untracks: self.notrack || name == "NOTRACK" }
    }

    fn destination(&self) -> Target {
        let mut list = Vec::new();
        let mut port = None;
        for (word, span) in &self.to {
            let (addresses, first) = target_of(word);
            port = port.or(first);
            list.extend(addresses.map(|a| address(a, *span)));
        }
        let span = self.to.first().map_or(self.node.span(), |t| t.1);
        // Where only the port changes, the packet stays on its way to the address it came for, which is the box's own.
        let to = match list.len() {
            0 => None,
            1 => list.pop(),
            _ => Some(AddrExpr::Union(list)),
        };
        Target::Destination(Translation { to: to.map(|to| Fact::written(to, span)), port })
    }
}

/// The mark a row sets, where its whole value is known.
fn mark_of(option: &str, word: &str) -> Option<u32> {
    let (value, mask) = word.split_once('/').unwrap_or((word, "0xffffffff"));
    let whole = number(mask) == Some(u32::MAX);
    number(value).filter(|_| whole && matches!(option, "--set-mark" | "--set-xmark"))
}
