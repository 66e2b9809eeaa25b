//! Access lists: standard and extended, numbered and named, IPv4 and IPv6, as rows in the order of evaluation.
//!
//! What a list does depends on where it is used; that is said in `filter` (packets), [`Lists::sources`] (who may use a service) and
//! `zone` (classes). A list without rows permits everything, as one that is defined nowhere.

use super::group::{self, Groups};
use super::{Export, address};
use crate::ir::Device;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Guard, ICMP, ICMPV6, Opaque, OpaqueKind, RuleLog, SvcExpr, SvcTerm, TCP, UDP};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// A row.
pub struct Row {
    /// The line.
    pub span: Span,
    /// Sequence number or position, for people.
    pub label: String,
    /// Permit or deny; unknown for a row that could not be read.
    pub permit: Fact<bool>,
    /// Sources.
    pub src: AddrExpr,
    /// Destinations.
    pub dst: AddrExpr,
    /// Services.
    pub svc: SvcExpr,
    /// Further conditions.
    pub guards: Vec<Guard>,
    /// Whether matches are logged.
    pub log: RuleLog,
}

/// A list.
pub struct List {
    /// Name or number.
    pub name: String,
    /// IPv6.
    pub v6: bool,
    /// The line that names it first.
    pub span: Span,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// All lists by family and name.
#[derive(Default)]
pub struct Lists<'a> {
    /// In the order of the export.
    pub all: Vec<List>,
    by_name: HashMap<(bool, String), usize>,
    /// Object groups.
    pub groups: Groups<'a>,
}

impl Lists<'_> {
    /// The list of a name.
    pub fn get(&self, v6: bool, name: &str) -> Option<&List> {
        self.by_name.get(&(v6, name.to_owned())).and_then(|ix| self.all.get(*ix))
    }

    /// Sources that a list admits to one of the box's services; `None` for a list that permits everything.
    pub fn sources(&self, list: &List, protocol: u8, port: u16) -> AddrExpr {
        let any = if list.v6 { AddrExpr::AnyV6 } else { AddrExpr::AnyV4 };
        if list.rows.is_empty() {
            return any;
        }
        // From the last row to the first: what a row permits is added, what it denies is taken away.
        let mut admitted = AddrExpr::Nothing;
        let mut run: (bool, Vec<AddrExpr>) = (true, Vec::new());
        let close = |admitted: AddrExpr, (permits, sources): (bool, Vec<AddrExpr>)| match (sources.is_empty(), permits) {
            (true, _) => admitted,
            (false, true) if matches!(admitted, AddrExpr::Nothing) => AddrExpr::Union(sources),
            (false, true) => AddrExpr::Union([sources, vec![admitted]].concat()),
            (false, false) => AddrExpr::Except(Box::new(admitted), Box::new(AddrExpr::Union(sources))),
        };
        for row in list.rows.iter().rev().filter(|r| concerns(&r.svc, protocol, port)) {
            if row.guards.iter().any(|g| matches!(g, Guard::Established(_))) {
                continue;
            }
            let Some(permits) = row.permit.get().copied() else { continue };
            if permits != run.0 {
                admitted = close(admitted, std::mem::replace(&mut run, (permits, Vec::new())));
            }
            run.1.push(row.src.clone());
        }
        close(admitted, run)
    }
}

/// Whether a row's services hold a port of the box.
fn concerns(svc: &SvcExpr, protocol: u8, port: u16) -> bool {
    match svc {
        SvcExpr::Any | SvcExpr::Object(_) | SvcExpr::Opaque(_) => true,
        SvcExpr::Nothing => false,
        SvcExpr::Term(t) => {
            t.protocol.is_none_or(|p| p == protocol)
                && (t.dst_ports.is_empty() || t.dst_ports.iter().any(|(a, b)| (*a..=*b).contains(&port)))
        }
        SvcExpr::Union(parts) => parts.iter().any(|p| concerns(p, protocol, port)),
        SvcExpr::Not(inner) => !concerns(inner, protocol, port),
    }
}

/// Reads object groups and lists.
pub fn collect<'a>(export: &Export<'a>, device: &mut Device) -> Lists<'a> {
    let mut lists = Lists { groups: group::collect(export, device), ..Lists::default() };
    let mut reader = Reader { export, groups: &lists.groups, all: Vec::new(), by_name: HashMap::new() };
    for node in export.lines(&["access-list"]) {
        // Numbers of other protocols (MAC, IPX) select nothing here.
        let Some(number) = node.word(1).and_then(|w| w.parse::<u32>().ok()) else { continue };
        let standard = matches!(number, 1..=99 | 1300..=1999);
        if standard || matches!(number, 100..=199 | 2000..=2699) {
            let ix = reader.list(false, node.word_or_empty(1), node);
            reader.row(ix, node, 2, standard, false);
        }
    }
    for node in export.lines(&["ip", "access-list"]) {
        let standard = match node.word(2) {
            Some("standard") => true,
            Some("extended") => false,
            _ => continue,
        };
        reader.block(node, 3, standard, false);
    }
    for node in export.lines(&["ipv6", "access-list"]) {
        reader.block(node, 2, false, true);
    }
    let (all, by_name) = (reader.all, reader.by_name);
    (lists.all, lists.by_name) = (all, by_name);
    lists
}

struct Reader<'e, 'a> {
    export: &'e Export<'a>,
    groups: &'e Groups<'a>,
    all: Vec<List>,
    by_name: HashMap<(bool, String), usize>,
}

impl<'a> Reader<'_, 'a> {
    fn list(&mut self, v6: bool, name: &str, node: Node<'a>) -> usize {
        let next = self.all.len();
        let ix = *self.by_name.entry((v6, name.to_owned())).or_insert(next);
        if ix == next {
            self.all.push(List { name: name.to_owned(), v6, span: node.span(), rows: Vec::new() });
        }
        ix
    }

    fn block(&mut self, node: Node<'a>, at: usize, standard: bool, v6: bool) {
        let ix = self.list(v6, node.word_or_empty(at), node);
        for child in node.children() {
            self.row(ix, child, 0, standard, v6);
        }
    }

    fn row(&mut self, list: usize, node: Node<'a>, at: usize, standard: bool, v6: bool) {
        let numbered = |ix: usize| node.word(ix).is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit()));
        let (mut at, mut label) = (at, None);
        if node.word(at) == Some("sequence") && numbered(at + 1) {
            (at, label) = (at + 2, node.word(at + 1));
        } else if numbered(at) {
            (at, label) = (at + 1, node.word(at));
        }
        let mut guards = Vec::new();
        if node.word(at) == Some("dynamic") {
            guards.push(Guard::Users(node.word_span(at)));
            while node.word(at).is_some_and(|w| w != "permit" && w != "deny") {
                at += 1;
            }
        }
        let rows = &mut self.all[list].rows;
        let label = label.map_or_else(|| (rows.len() + 1).to_string(), str::to_owned);
        let span = node.span();
        let permit = match node.word(at) {
            Some("permit") => true,
            Some("deny") => false,
            Some("evaluate") => {
                // Entries that this list's twin made for connections from inside.
                node.read();
                let (src, dst, svc) = (AddrExpr::Any, AddrExpr::Any, SvcExpr::Any);
                let guards = vec![Guard::Established(span)];
                rows.push(Row { span, label, permit: Fact::written(true, span), src, dst, svc, guards, log: RuleLog::None });
                return;
            }
            Some("remark") => {
                node.read();
                return;
            }
            _ => return,
        };
        node.read();
        let mut cursor = Cursor { export: self.export, groups: self.groups, node, at: at + 1, v6 };
        let row = if standard { cursor.standard() } else { cursor.extended(&mut guards) };
        let log = if cursor.rest(&mut guards) { RuleLog::Session } else { RuleLog::None };
        let written = Fact::written(permit, node.word_span(at));
        rows.push(match row {
            Some((src, dst, svc)) => Row { span, label, permit: written, src, dst, svc, guards, log },
            None => {
                let permit = Fact::unknown(Why::at(WhyCode::Ambiguous, label.clone(), vec![span]));
                Row { span, label, permit, src: AddrExpr::Any, dst: AddrExpr::Any, svc: SvcExpr::Any, guards, log }
            }
        });
    }
}

/// The words of a row, read from left to right.
struct Cursor<'e, 'a> {
    export: &'e Export<'a>,
    groups: &'e Groups<'a>,
    node: Node<'a>,
    at: usize,
    v6: bool,
}

type Parts = (AddrExpr, AddrExpr, SvcExpr);

impl Cursor<'_, '_> {
    fn any(&self) -> AddrExpr {
        if self.v6 { AddrExpr::AnyV6 } else { AddrExpr::AnyV4 }
    }

    fn standard(&mut self) -> Option<Parts> {
        let src = self.address(true)?;
        Some((src, self.any(), SvcExpr::Any))
    }

    fn extended(&mut self, guards: &mut Vec<Guard>) -> Option<Parts> {
        let word = self.node.word(self.at)?;
        self.at += 1;
        if word == "object-group" {
            let svc = self.groups.service(self.node, self.at);
            self.at += 1;
            let (src, dst) = (self.address(false)?, self.address(false)?);
            return Some((src, dst, svc));
        }
        if matches!(word, "ip" | "ipv6") {
            let (src, dst) = (self.address(false)?, self.address(false)?);
            return Some((src, dst, SvcExpr::Any));
        }
        let Some(number) = protocol(self.export, word, self.v6) else {
            let unread = Opaque { kind: OpaqueKind::Unmodelled, text: word.to_owned(), span: self.node.word_span(self.at - 1) };
            let (src, dst) = (self.address(false)?, self.address(false)?);
            return Some((src, dst, SvcExpr::Opaque(unread)));
        };
        let with_ports = number == TCP || number == UDP;
        let src = self.address(false)?;
        let src_ports = if with_ports { self.ports()? } else { Vec::new() };
        let dst = self.address(false)?;
        let dst_ports = if with_ports { self.ports()? } else { Vec::new() };
        let icmp = if number == ICMP || number == ICMPV6 { self.icmp() } else { None };
        if icmp == Some((u8::MAX, None)) {
            guards.push(Guard::Unmodelled(self.node.span(), "icmp".to_owned()));
        }
        let icmp = icmp.filter(|(kind, _)| *kind != u8::MAX);
        Some((src, dst, SvcExpr::Term(SvcTerm { protocol: Some(number), src_ports, dst_ports, icmp })))
    }

    /// `any`, `host A`, `A W`, `object-group G`; in standard lists also a bare address.
    fn address(&mut self, standard: bool) -> Option<AddrExpr> {
        let word = self.node.word(self.at)?;
        self.at += 1;
        match word {
            "any" | "any4" | "any6" => Some(self.any()),
            "host" => {
                let name = self.node.word(self.at)?;
                self.at += 1;
                Some(match name.parse() {
                    Ok(a) => address::single(a),
                    Err(_) => address::name(name, self.node.word_span(self.at - 1)),
                })
            }
            "object-group" | "addrgroup" | "fqdn-group" => {
                self.at += 1;
                Some(self.groups.address(self.node, self.at - 1))
            }
            word if self.v6 => address::v6_net(word).map(address::network),
            word => {
                if let Some(net) = word.contains('/').then(|| address::v4_net(word, "")).flatten() {
                    return Some(address::network(net));
                }
                let Some(base) = address::v4(word) else {
                    return Some(address::name(word, self.node.word_span(self.at - 1)));
                };
                match self.node.word(self.at).and_then(address::v4) {
                    Some(mask) => {
                        self.at += 1;
                        Some(address::wildcard(base, mask))
                    }
                    None if standard => Some(address::single(base.into())),
                    None => None,
                }
            }
        }
    }

    fn ports(&mut self) -> Option<Vec<(u16, u16)>> {
        if self.node.word(self.at) == Some("object-group") || self.node.word(self.at) == Some("portgroup") {
            return None;
        }
        let (found, next) = ports(self.export, self.node, self.at);
        self.at = next;
        found
    }

    /// Type and code of ICMP, by name or number; a name that is not known is marked by the greatest number.
    fn icmp(&mut self) -> Option<(u8, Option<u8>)> {
        let word = self.node.word(self.at)?;
        if let Ok(kind) = word.parse::<u8>() {
            self.at += 1;
            let code = self.node.word(self.at).and_then(|w| w.parse().ok());
            self.at += usize::from(code.is_some());
            return Some((kind, code));
        }
        if is_option(word) {
            return None;
        }
        self.at += 1;
        let table = self.export.grammar.names(if self.v6 { "icmpv6_types" } else { "icmp_types" });
        let found = table.iter().find_map(|row| row.strip_prefix(word)?.strip_prefix(' '));
        let mut numbers = found.unwrap_or("255").split(' ').map(|n| n.parse::<u8>().ok());
        Some((numbers.next().flatten().unwrap_or(u8::MAX), numbers.next().flatten()))
    }

    /// The conditions at the end of a row; whether it logs.
    fn rest(&mut self, guards: &mut Vec<Guard>) -> bool {
        let mut log = false;
        while let Some(word) = self.node.word(self.at) {
            let span = self.node.word_span(self.at);
            self.at += 1;
            match word {
                "log" | "log-input" => log = true,
                // A stranger's first packet carries none of these flags, and is no later fragment.
                "established" | "ack" | "rst" | "fin" | "psh" | "urg" | "fragments" => guards.push(Guard::Established(span)),
                "syn" => {}
                "match-all" | "match-any" => {
                    let flags: Vec<&str> = self.node.words_from(self.at).take_while(|w| w.starts_with(['+', '-'])).collect();
                    self.at += flags.len();
                    let first = |f: &&str| f.starts_with('-') || *f == "+syn";
                    let matches =
                        if word == "match-all" { flags.iter().all(first) && !flags.contains(&"-syn") } else { flags.iter().any(first) };
                    if !matches {
                        guards.push(Guard::Established(span));
                    }
                }
                "time-range" => {
                    guards.push(Guard::Schedule(span));
                    self.at += 1;
                }
                "dscp" | "precedence" | "tos" | "ttl" | "option" | "flow-label" | "routing" | "mobility" | "dest-option" | "auth" => {
                    guards.push(Guard::Unmodelled(span, word.to_owned()));
                    self.at += 1;
                }
                // What a permit remembers for the way back does not change what it lets in.
                "reflect" | "timeout" | "sequence" | "tracked" => self.at += 1,
                _ => {}
            }
        }
        log
    }
}

fn is_option(word: &str) -> bool {
    const WORDS: [&str; 12] =
        ["log", "log-input", "fragments", "time-range", "dscp", "precedence", "tos", "ttl", "option", "reflect", "sequence", "established"];
    WORDS.contains(&word)
}

/// The number of a protocol by name or number.
pub fn protocol(export: &Export<'_>, word: &str, v6: bool) -> Option<u8> {
    if let Ok(number) = word.parse() {
        return Some(number);
    }
    if word == "icmp" {
        return Some(if v6 { ICMPV6 } else { ICMP });
    }
    export.grammar.names("protocols").iter().find_map(|row| row.strip_prefix(word)?.strip_prefix(' ')?.parse().ok())
}

/// A port by name or number.
pub fn port(export: &Export<'_>, word: &str) -> Option<u16> {
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.parse().ok();
    }
    export.grammar.names("ports").iter().find_map(|row| row.strip_prefix(word)?.strip_prefix(' ')?.parse().ok())
}

/// `eq P ...`, `range A B`, `gt P`, `lt P`, `neq P` from a word on: the ports and the word after them. No ports: every port.
/// `None` for a name that is not known.
pub fn ports(export: &Export<'_>, node: Node<'_>, at: usize) -> (Option<Vec<(u16, u16)>>, usize) {
    let one = |ix: usize| node.word(ix).and_then(|w| port(export, w));
    match node.word(at) {
        Some("eq") => {
            let Some(first) = one(at + 1) else { return (None, at + 2) };
            let more: Vec<u16> = (at + 2..node.len()).map_while(one).collect();
            let next = at + 2 + more.len();
            (Some(std::iter::once(first).chain(more).map(|p| (p, p)).collect()), next)
        }
        Some("range") => (one(at + 1).zip(one(at + 2)).map(|(a, b)| vec![(a.min(b), a.max(b))]), at + 3),
        Some("gt") => (one(at + 1).map(|p| vec![(p.saturating_add(1), u16::MAX)]), at + 2),
        Some("lt") => (one(at + 1).map(|p| vec![(0, p.saturating_sub(1))]), at + 2),
        Some("neq") => {
            let around = |p: u16| {
                let below = p.checked_sub(1).map(|b| (0, b));
                let above = p.checked_add(1).map(|a| (a, u16::MAX));
                below.into_iter().chain(above).collect()
            };
            (one(at + 1).map(around), at + 2)
        }
        _ => (Some(Vec::new()), at),
    }
}
