//! One entry of an access list: `access-list L extended permit tcp any host A eq https log`.
//!
//! Grammar, as the box prints it:
//! `verdict protocol [user] source [ports] destination [ports / message] *( log / time-range / inactive )`.
//! What cannot be read makes the entry unknown as a whole: it never matches less than it may.

use super::Export;
use super::object::Objects;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Guard, ICMP, ICMPV6, Opaque, OpaqueKind, RuleLog, SvcExpr, SvcTerm, TCP, UDP};
use crate::ir::interface::InterfaceIx;
use crate::source::Span;
use crate::syntax::Node;

/// A place in the words of a statement.
pub struct Cursor<'a> {
    /// The statement.
    pub node: Node<'a>,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// From a word on.
    pub fn new(node: Node<'a>, at: usize) -> Cursor<'a> {
        Cursor { node, at }
    }

    /// The next word, not taken.
    pub fn peek(&self) -> &'a str {
        self.node.word_or_empty(self.at)
    }

    /// Takes the next word.
    pub fn next(&mut self) -> (&'a str, Span) {
        let word = (self.node.word_or_empty(self.at), self.node.word_span(self.at));
        self.at += 1;
        word
    }

    /// Whether words are left.
    pub fn is_done(&self) -> bool {
        self.at >= self.node.len()
    }
}

/// An entry.
pub struct Ace {
    /// Place in its list, remarks counted, as the box numbers lines.
    pub line: usize,
    /// The line.
    pub span: Span,
    /// Whether it permits; `None` when the word is not known.
    pub permit: Option<bool>,
    /// Whether `inactive` switches it off, at that word.
    pub inactive: Option<Span>,
    /// Inbound interface that the entry itself names.
    pub ingress: Option<InterfaceIx>,
    /// Outbound interface that the entry itself names.
    pub egress: Option<InterfaceIx>,
    /// Sources.
    pub src: Fact<AddrExpr>,
    /// Destinations.
    pub dst: Fact<AddrExpr>,
    /// Services.
    pub svc: Fact<SvcExpr>,
    /// Further conditions.
    pub guards: Vec<Guard>,
    /// What a `log` word says.
    pub log: Option<(RuleLog, Span)>,
}

/// `eq 80`, `range 1 2`, `neq 80`, `lt 80`, `gt 80`.
pub fn ports(export: &Export<'_>, words: &mut Cursor<'_>) -> Option<Vec<(u16, u16)>> {
    let (operator, _) = words.next();
    let first = export.names.port(words.next().0)?;
    Some(match operator {
        "eq" => vec![(first, first)],
        "range" => {
            let last = export.names.port(words.next().0)?;
            vec![(first.min(last), first.max(last))]
        }
        "neq" => {
            let below = first.checked_sub(1).map(|l| (0, l));
            below.into_iter().chain(first.checked_add(1).map(|f| (f, u16::MAX))).collect()
        }
        "lt" => first.checked_sub(1).map(|l| (0, l)).into_iter().collect(),
        "gt" => first.checked_add(1).map(|f| (f, u16::MAX)).into_iter().collect(),
        _ => return None,
    })
}

fn is_port_operator(word: &str) -> bool {
    matches!(word, "eq" | "range" | "neq" | "lt" | "gt")
}

fn protocols(export: &Export<'_>, word: &str) -> Option<Vec<Option<u8>>> {
    match word {
        "tcp-udp" => Some(vec![Some(TCP), Some(UDP)]),
        word => export.names.protocol(word).map(|p| vec![p]),
    }
}

/// `tcp source eq 1 destination eq 2`, `tcp eq 3389`, `icmp echo`, `41`: members of service objects and groups.
pub fn service_terms(export: &Export<'_>, words: &mut Cursor<'_>) -> Option<Vec<SvcTerm>> {
    let list = protocols(export, words.next().0)?;
    let (mut src, mut dst, mut icmp) = (Vec::new(), Vec::new(), None);
    while !words.is_done() {
        match words.peek() {
            "source" => {
                words.next();
                src = ports(export, words)?;
            }
            "destination" => {
                words.next();
                dst = ports(export, words)?;
            }
            word if is_port_operator(word) => dst = ports(export, words)?,
            word => {
                let v6 = list.first() == Some(&Some(ICMPV6));
                icmp = Some((export.names.icmp(word, v6)?, None));
                words.next();
                if let Ok(code) = words.peek().parse() {
                    icmp = icmp.map(|(kind, _)| (kind, Some(code)));
                    words.next();
                }
            }
        }
    }
    let term = |protocol| SvcTerm { protocol, src_ports: src.clone(), dst_ports: dst.clone(), icmp };
    Some(list.into_iter().map(term).collect())
}

/// What an entry's protocol position says.
enum Protocol {
    /// Protocols whose ports and messages the entry goes on to name.
    List(Vec<Option<u8>>),
    /// Services as they are.
    Services(SvcExpr),
}

/// Reads entries of one export.
pub struct Reader<'e, 'a> {
    /// The export.
    pub export: &'e Export<'a>,
    /// Its objects.
    pub objects: &'e Objects<'a>,
    /// Whether `any` means both families.
    pub both_families: bool,
    /// Whether the list is an IPv6 list of the releases that kept them apart.
    pub v6: bool,
}

impl<'a> Reader<'_, 'a> {
    /// Reads the words of an entry from its verdict on.
    pub fn entry(&self, line: usize, words: &mut Cursor<'a>) -> Ace {
        let node = words.node;
        let permit = match words.next().0 {
            "permit" | "trust" => Some(true),
            "deny" => Some(false),
            _ => None,
        };
        let unread = || Fact::unknown(Why::at(WhyCode::Unrecognised, format!("line {line}"), vec![node.span()]));
        let mut ace = Ace {
            line,
            span: node.span(),
            permit,
            inactive: None,
            ingress: None,
            egress: None,
            src: unread(),
            dst: Fact::unknown(Why::at(WhyCode::Unrecognised, format!("line {line}"), vec![node.span()])),
            svc: Fact::unknown(Why::at(WhyCode::Unrecognised, format!("line {line}"), vec![node.span()])),
            guards: Vec::new(),
            log: None,
        };
        if self.matches(words, &mut ace).is_none() && ace.guards.is_empty() {
            ace.guards.push(Guard::Unmodelled(node.span(), "entry".to_owned()));
        }
        self.options(words, &mut ace);
        ace
    }

    fn matches(&self, words: &mut Cursor<'a>, ace: &mut Ace) -> Option<()> {
        let protocol = self.protocol(words)?;
        if words.peek() == "ifc" {
            words.next();
            ace.ingress = self.export.interface(words.next().0);
        }
        self.identities(words, ace);
        let from = words.node.word_span(words.at);
        let src = self.addresses(words)?;
        let src_ports = self.port_list(words, true)?;
        if words.peek() == "ifc" {
            words.next();
            ace.egress = self.export.interface(words.next().0);
        }
        self.identities(words, ace);
        let to = words.node.word_span(words.at);
        let dst = self.addresses(words)?;
        let svc = match protocol {
            Protocol::Services(svc) => svc,
            Protocol::List(list) => self.services(words, list, src_ports)?,
        };
        ace.src = Fact::written(src, from);
        ace.dst = Fact::written(dst, to);
        ace.svc = Fact::written(svc, words.node.span());
        Some(())
    }

    fn protocol(&self, words: &mut Cursor<'a>) -> Option<Protocol> {
        let (word, _) = words.next();
        if !matches!(word, "object" | "object-group") {
            return protocols(self.export, word).map(Protocol::List);
        }
        let (name, span) = words.next();
        if let Some(list) = self.objects.protocols.get(name) {
            self.export.uses("service", name);
            return Some(Protocol::List(list.clone()));
        }
        Some(Protocol::Services(self.objects.service(self.export, name, span)))
    }

    /// Users and security groups that may stand before an address.
    fn identities(&self, words: &mut Cursor<'a>, ace: &mut Ace) {
        loop {
            match words.peek() {
                "user" | "user-group" | "object-group-user" => ace.guards.push(Guard::Users(words.node.word_span(words.at))),
                "security-group" => {
                    ace.guards.push(Guard::Unmodelled(words.node.word_span(words.at), "security-group".to_owned()));
                    words.next();
                }
                "object-group-security" => {
                    ace.guards.push(Guard::Unmodelled(words.node.word_span(words.at), "security-group".to_owned()));
                }
                _ => return,
            }
            words.next();
            words.next();
        }
    }

    /// An address position.
    pub fn addresses(&self, words: &mut Cursor<'a>) -> Option<AddrExpr> {
        let (word, span) = words.next();
        let names = &self.export.names;
        Some(match word {
            "any" if self.both_families => AddrExpr::Any,
            "any" if self.v6 => AddrExpr::AnyV6,
            "any" | "any4" => AddrExpr::AnyV4,
            "any6" => AddrExpr::AnyV6,
            "host" => {
                let (host, span) = words.next();
                names.host(host, span)
            }
            "object" | "object-group" => {
                let (name, span) = words.next();
                self.objects.address(self.export, name, span)
            }
            "object-group-network-service" => {
                let (name, span) = words.next();
                AddrExpr::Opaque(Opaque { kind: OpaqueKind::CloudService, text: name.to_owned(), span })
            }
            "interface" => {
                let (name, span) = words.next();
                self.export.interfaces.address(name, span)
            }
            "" => return None,
            word => match names.prefix(word, span) {
                Some(expr) => expr,
                None => {
                    let (mask, _) = words.next();
                    names.network(word, mask, span)
                }
            },
        })
    }

    /// Ports at the source or destination: an operator, or a group of ports.
    fn port_list(&self, words: &mut Cursor<'a>, source: bool) -> Option<Vec<(u16, u16)>> {
        if is_port_operator(words.peek()) {
            return ports(self.export, words);
        }
        // After the source a group may be the destination.
        let group = words.node.word_or_empty(words.at + 1);
        let is_group = words.peek() == "object-group" && (self.objects.ports.contains_key(group) || !source);
        if !is_group {
            return Some(Vec::new());
        }
        words.next();
        let (name, span) = words.next();
        self.export.uses("service", name);
        let list = self.objects.ports.get(name).cloned();
        if list.is_none() {
            self.objects.missing("service", name, span);
        }
        // An empty list would mean every port.
        list.filter(|l| !l.is_empty())
    }

    fn services(&self, words: &mut Cursor<'a>, list: Vec<Option<u8>>, src_ports: Vec<(u16, u16)>) -> Option<SvcExpr> {
        let icmp = list.iter().all(|p| matches!(p, Some(ICMP | ICMPV6)));
        if icmp {
            return self.messages(words, &list);
        }
        let dst_ports = self.port_list(words, false)?;
        let term = |protocol: Option<u8>| {
            let has_ports = matches!(protocol, Some(TCP | UDP | 132));
            let keep = |ports: &[(u16, u16)]| if has_ports { ports.to_vec() } else { Vec::new() };
            SvcExpr::Term(SvcTerm { protocol, src_ports: keep(&src_ports), dst_ports: keep(&dst_ports), icmp: None })
        };
        let mut terms: Vec<SvcExpr> = list.into_iter().map(term).collect();
        Some(if terms.len() == 1 { terms.remove(0) } else { SvcExpr::Union(terms) })
    }

    fn messages(&self, words: &mut Cursor<'a>, list: &[Option<u8>]) -> Option<SvcExpr> {
        let kinds: Vec<(u8, Option<u8>)> = match words.peek() {
            "object-group" => {
                words.next();
                let name = words.next().0;
                self.export.uses("service", name);
                self.objects.icmp.get(name)?.iter().map(|k| (*k, None)).collect()
            }
            word if is_option(word) => Vec::new(),
            word => {
                let kind = self.export.names.icmp(word, list.first() == Some(&Some(ICMPV6)))?;
                words.next();
                let code = words.peek().parse().ok();
                if code.is_some() {
                    words.next();
                }
                vec![(kind, code)]
            }
        };
        let protocols = list.iter().flatten().copied();
        let mut terms: Vec<SvcExpr> = Vec::new();
        for protocol in protocols {
            if kinds.is_empty() {
                terms.push(SvcExpr::Term(SvcTerm::protocol(protocol)));
            }
            terms.extend(kinds.iter().map(|k| SvcExpr::Term(SvcTerm { icmp: Some(*k), ..SvcTerm::protocol(protocol) })));
        }
        Some(if terms.len() == 1 { terms.remove(0) } else { SvcExpr::Union(terms) })
    }

    fn options(&self, words: &mut Cursor<'a>, ace: &mut Ace) {
        while !words.is_done() {
            match words.next() {
                ("log", at) => {
                    let off = words.peek() == "disable";
                    ace.log = Some((if off { RuleLog::None } else { RuleLog::Session }, at));
                }
                ("event-log", at) => ace.log = Some((RuleLog::Session, at)),
                ("inactive", at) => ace.inactive = Some(at),
                ("time-range", at) => {
                    words.next();
                    ace.guards.push(Guard::Schedule(at));
                }
                _ => {}
            }
        }
    }
}

fn is_option(word: &str) -> bool {
    matches!(word, "" | "log" | "inactive" | "time-range" | "rule-id" | "event-log")
}
