//! Packet filters: static lists and sets, what applies them, and the order of decisions.
//!
//! A list is tried in the order it is written, not by number, and drops what matches nothing. A direction without a list passes
//! everything. Dynamic filters only let in what was asked for from the other side: they never let a stranger in, so they are not
//! rows. Destinations in rows are those after translation.

use super::address;
use super::commands::{Command, Scope};
use super::{Export, on_off};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterRole, Guard, Hook, ICMP, ICMPV6, IfMatch, NatMatch, Opaque, OpaqueKind, Pipeline, Rule,
    RuleLog, Stage, SvcExpr, SvcTerm, TCP, UDP, Verdict,
};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::live::Live;
use crate::ir::system::{Definition, IfUndefined, Undefined};
use crate::source::Span;
use std::collections::HashMap;

/// What all rows share.
pub struct Common {
    notice: Fact<bool>,
    after_nat: Fact<bool>,
}

impl Common {
    /// Reads what all rows share.
    pub fn new(export: &Export<'_>) -> Common {
        Common { notice: export.switch("syslog notice", "logging"), after_nat: export.product("filter after nat", on_off) }
    }

    /// What a row with this action writes to the log; nothing is written while notices are off.
    pub fn log(&self, action: &str, span: Span) -> Fact<RuleLog> {
        let (base, suffix) = split_action(action);
        if suffix == "log" || suffix.is_empty() && base == "reject" {
            self.notice.and(&Fact::written(true, span)).map(|on| if *on { RuleLog::Session } else { RuleLog::None })
        } else {
            Fact::written(RuleLog::None, span)
        }
    }

    /// How rows meet translated packets.
    pub fn nat(&self) -> NatMatch {
        NatMatch { via: Vec::new(), plain_sees_translated: self.after_nat.clone() }
    }
}

/// `pass-nolog`: the action and whether it logs.
pub fn split_action(action: &str) -> (&str, &str) {
    match action.rsplit_once('-') {
        Some((base, suffix @ ("log" | "nolog"))) => (base, suffix),
        _ => (action, ""),
    }
}

/// What an action does. `restrict` passes while the line is up, which is when an attacker is there.
pub fn verdict(action: &str, span: Span) -> Fact<Verdict> {
    match split_action(action).0 {
        "pass" | "static-pass" | "restrict" => Fact::written(Verdict::Accept, span),
        "reject" => Fact::written(Verdict::Drop, span),
        _ => Fact::unknown(Why::at(WhyCode::Ambiguous, "filter", vec![span])),
    }
}

/// Fills filters, the order of decisions, and what is defined and used.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let common = Common::new(export);
    let mut uses: HashMap<(bool, &str), u32> = HashMap::new();
    let mut undefined = Vec::new();
    for v6 in [false, true] {
        let table: HashMap<&str, Command<'_>> = export.commands.everywhere(name(v6, "filter <n>")).map(|c| (c.keys[0], c)).collect();
        for list in lists(export, v6) {
            let filter = lower_list(export, &common, &table, &list, v6, &mut uses, &mut undefined);
            device.filters.push(filter);
        }
        other_uses(export, v6, &mut uses);
        device.definitions.items.extend(definitions(export, v6, &uses));
        undefined_sets(export, v6, &mut undefined);
    }
    device.definitions = export.list("objects", std::mem::take(&mut device.definitions.items));
    device.undefined = export.list("objects", undefined);
    device.pipeline = pipeline(export);
}

fn name(v6: bool, rest: &str) -> &'static str {
    match (v6, rest) {
        (false, "filter <n>") => "ip filter <n>",
        (true, "filter <n>") => "ipv6 filter <n>",
        (false, "filter dynamic <n>") => "ip filter dynamic <n>",
        (true, "filter dynamic <n>") => "ipv6 filter dynamic <n>",
        (false, "filter set $") => "ip filter set $",
        (true, "filter set $") => "ipv6 filter set $",
        (false, "in") => "ip @ secure filter in",
        (true, "in") => "ipv6 @ secure filter in",
        (false, "out") => "ip @ secure filter out",
        (true, "out") => "ipv6 @ secure filter out",
        (false, _) => "ip @ secure filter name",
        (true, _) => "ipv6 @ secure filter name",
    }
}

/// A list of filter numbers, where it is applied, and by which line.
struct ListOf<'a> {
    label: String,
    span: Span,
    hook: Hook,
    on: Option<InterfaceIx>,
    attached_by: Span,
    numbers: Vec<(&'a str, Span)>,
}

/// The static filters of a list: everything before `dynamic`.
fn static_numbers<'a>(words: impl Iterator<Item = (&'a str, Span)>) -> Vec<(&'a str, Span)> {
    words.take_while(|(w, _)| !w.eq_ignore_ascii_case("dynamic")).filter(|(w, _)| w.bytes().all(|b| b.is_ascii_digit())).collect()
}

fn lists<'a>(export: &Export<'a>, v6: bool) -> Vec<ListOf<'a>> {
    let ip = if v6 { "ipv6" } else { "ip" };
    let mut out = Vec::new();
    let place = |c: &Command<'a>| match c.scope {
        Scope::Global => c.keys[0].to_ascii_lowercase(),
        Scope::Pp(peer) => super::interface::peer_name(peer),
        Scope::Tunnel(number) => format!("tunnel {number}"),
    };
    for (word, hook) in [("in", Hook::Inbound), ("out", Hook::Outbound)] {
        for command in export.commands.everywhere(name(v6, word)) {
            out.push(ListOf {
                label: format!("{ip} {} secure filter {word}", place(&command)),
                span: command.span(),
                hook,
                on: export.interfaces.of(&command),
                attached_by: command.span(),
                numbers: static_numbers(command.args()),
            });
        }
    }
    let sets = sets(export, v6);
    for command in export.commands.everywhere(name(v6, "name")) {
        let Some(set) = command.arg(0) else { continue };
        for (direction, hook) in [("in", Hook::Inbound), ("out", Hook::Outbound)] {
            let Some((span, numbers)) = sets.get(&(set, direction)) else { continue };
            out.push(ListOf {
                label: format!("{ip} filter set {set} {direction}"),
                span: *span,
                hook,
                on: export.interfaces.of(&command),
                attached_by: command.span(),
                numbers: numbers.clone(),
            });
        }
    }
    out
}

type Sets<'a> = HashMap<(&'a str, &'static str), (Span, Vec<(&'a str, Span)>)>;

/// Named sets: `ip filter set NAME in 1 2`, the directions on lines of their own or on one.
fn sets<'a>(export: &Export<'a>, v6: bool) -> Sets<'a> {
    let mut out: Sets<'a> = HashMap::new();
    for (_, command) in export.commands.events(&[name(v6, "filter set $")]) {
        let set = command.keys[0];
        if command.negated {
            out.retain(|(n, _), _| *n != set);
            continue;
        }
        let words: Vec<(&'a str, Span)> = command.args().collect();
        let mut direction: Option<&'static str> = None;
        let mut skipping = false;
        for (word, span) in words {
            match word.to_ascii_lowercase().as_str() {
                w @ ("in" | "out") => {
                    let d = if w == "in" { "in" } else { "out" };
                    (direction, skipping) = (Some(d), false);
                    out.insert((set, d), (command.span(), Vec::new()));
                }
                "dynamic" => skipping = true,
                _ if skipping => {}
                _ => {
                    if let Some(entry) = direction.and_then(|d| out.get_mut(&(set, d))) {
                        entry.1.push((word, span));
                    }
                }
            }
        }
    }
    out
}

fn undefined_sets(export: &Export<'_>, v6: bool, undefined: &mut Vec<Undefined>) {
    let sets = sets(export, v6);
    for command in export.commands.everywhere(name(v6, "name")) {
        let Some(set) = command.arg(0).filter(|s| !sets.keys().any(|(n, _)| n == s)) else { continue };
        if export.gaps.contains_key("local_filter") {
            continue;
        }
        let effect = export.product("secure filter undefined set", |v| (v == "pass").then_some(IfUndefined::FilterAbsent));
        undefined.push(Undefined { kind: "filter_set", name: set.to_owned(), span: command.arg_span(0), effect });
    }
}

fn lower_list<'a>(
    export: &Export<'a>,
    common: &Common,
    table: &HashMap<&str, Command<'a>>,
    list: &ListOf<'a>,
    v6: bool,
    uses: &mut HashMap<(bool, &'a str), u32>,
    undefined: &mut Vec<Undefined>,
) -> Filter {
    let mut rules = Vec::with_capacity(list.numbers.len());
    let mut incomplete = None;
    for (number, span) in &list.numbers {
        match table.get(number) {
            Some(row) => {
                *uses.entry((v6, number)).or_default() += 1;
                rules.push(rule(export, common, row, *span, v6));
            }
            // In a part of a configuration the filter may be defined elsewhere.
            None if export.gaps.contains_key("local_filter") => incomplete = export.gaps.get("local_filter").cloned(),
            None => {
                let effect = export.product("secure filter undefined number", |v| (v == "ignored").then_some(IfUndefined::RuleIgnored));
                undefined.push(Undefined { kind: "filter", name: (*number).to_owned(), span: *span, effect });
            }
        }
    }
    let users = list.on.is_some_and(|ix| is_vpn_side(export, ix));
    let attach = list.on.map(|ix| Attach { hook: list.hook, on: IfMatch::These(vec![ix]), origin: Origin::Written(list.attached_by) });
    Filter {
        name: list.label.clone(),
        span: Some(list.span),
        role: if users { FilterRole::VpnExit } else { FilterRole::Packet },
        family: if v6 { Family::V6 } else { Family::V4 },
        rules,
        incomplete,
        default: export.product("secure filter end", |v| (v == "reject").then_some(Verdict::Drop)),
        attach: attach.into_iter().collect(),
    }
}

/// Whether packets on an interface come out of a VPN: tunnels between sites and remote-access peers.
fn is_vpn_side(export: &Export<'_>, ix: InterfaceIx) -> bool {
    export.interfaces.kind(export, ix).is_some_and(|k| matches!(k, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess))
}

/// A row of a list.
pub fn rule(export: &Export<'_>, common: &Common, row: &Command<'_>, listed: Span, v6: bool) -> Rule {
    let action = row.arg_or_empty(0).to_ascii_lowercase();
    let span = row.arg_span(0);
    let (svc, guards) = service(export, row, 3, v6);
    Rule {
        label: row.keys[0].to_owned(),
        span: row.span(),
        live: Live::own(Fact::written(true, listed)),
        ingress: IfMatch::Any,
        egress: IfMatch::Any,
        src: address_field(row, 1),
        dst: address_field(row, 2),
        svc,
        guards,
        nat: common.nat(),
        verdict: verdict(&action, span),
        log: common.log(&action, span),
        generated: false,
    }
}

/// An address field; a missing one is `*`.
fn address_field(row: &Command<'_>, ix: usize) -> Fact<AddrExpr> {
    match row.arg(ix) {
        Some(word) => Fact::written(address::filter_address(word, row.arg_span(ix)), row.arg_span(ix)),
        None => Fact::written(AddrExpr::Any, row.span()),
    }
}

/// Protocol and ports from argument `at` on, and the conditions that protocol words make.
pub fn service(export: &Export<'_>, row: &Command<'_>, at: usize, v6: bool) -> (Fact<SvcExpr>, Vec<Guard>) {
    let word = row.arg(at).unwrap_or("*").to_ascii_lowercase();
    let span = row.arg_span(at);
    let ports = |ix: usize| row.arg(ix).map_or(Some(Vec::new()), |w| address::ports(&export.names, w));
    let opaque = |text: &str| SvcExpr::Opaque(Opaque { kind: OpaqueKind::Unmodelled, text: text.to_owned(), span });
    let whole = row.span();
    if word == "icmp" || word == "icmp6" || word == "icmpv6" {
        let number = if word == "icmp" { ICMP } else { ICMPV6 };
        return (Fact::written(icmp(number, row, at), whole), Vec::new());
    }
    let (Some(src), Some(dst)) = (ports(at + 1), ports(at + 2)) else {
        return (Fact::written(opaque(row.arg(at + 2).unwrap_or("")), whole), Vec::new());
    };
    let with_ports = |protocol: u8| SvcTerm { protocol: Some(protocol), src_ports: src.clone(), dst_ports: dst.clone(), icmp: None };
    let bare = src.is_empty() && dst.is_empty();
    let mut guards = Vec::new();
    let mut terms: Vec<SvcExpr> = Vec::new();
    for part in word.split(',').filter(|p| !p.is_empty()) {
        match part {
            "*" | "ip" if bare => return (Fact::written(SvcExpr::Any, whole), guards),
            // Ports are asked of TCP and UDP only; what has no ports matches anyway.
            "*" | "ip" => {
                let both = vec![SvcExpr::Term(SvcTerm::protocol(TCP)), SvcExpr::Term(SvcTerm::protocol(UDP))];
                terms.extend([
                    SvcExpr::Term(with_ports(TCP)),
                    SvcExpr::Term(with_ports(UDP)),
                    SvcExpr::Not(Box::new(SvcExpr::Union(both))),
                ]);
            }
            "tcp" | "tcpsyn" => terms.push(SvcExpr::Term(with_ports(TCP))),
            "udp" => terms.push(SvcExpr::Term(with_ports(UDP))),
            // A stranger's first packet carries neither ACK nor FIN nor RST.
            "established" | "tcpfin" | "tcprst" => {
                guards.push(Guard::Established(span));
                terms.push(SvcExpr::Term(with_ports(TCP)));
            }
            flag if flag.starts_with("tcpflag") => {
                guards.extend(flag_guard(flag, span));
                terms.push(SvcExpr::Term(with_ports(TCP)));
            }
            "icmp-error" => terms.extend(icmp_types(v6, &[3, 4, 5, 11, 12], &[1, 2, 3, 4])),
            "icmp-info" | "icmpinfo" => {
                terms.extend(icmp_types(v6, &[0, 8, 9, 10, 13, 14, 15, 16, 17, 18], &[128, 129, 133, 134, 135, 136, 137]))
            }
            name => match export.names.protocol(name) {
                Some(TCP) => terms.push(SvcExpr::Term(with_ports(TCP))),
                Some(UDP) => terms.push(SvcExpr::Term(with_ports(UDP))),
                Some(number) => terms.push(SvcExpr::Term(SvcTerm::protocol(number))),
                None => terms.push(opaque(name)),
            },
        }
    }
    let expr = if terms.len() == 1 { terms.swap_remove(0) } else { SvcExpr::Union(terms) };
    (Fact::written(expr, whole), guards)
}

/// For ICMP alone the port fields are type and code.
fn icmp(number: u8, row: &Command<'_>, at: usize) -> SvcExpr {
    let list = |ix: usize| -> Vec<u8> { row.arg(ix).map(|w| w.split(',').filter_map(|p| p.parse().ok()).collect()).unwrap_or_default() };
    let (types, codes) = (list(at + 1), list(at + 2));
    let term = |icmp| SvcExpr::Term(SvcTerm { protocol: Some(number), src_ports: Vec::new(), dst_ports: Vec::new(), icmp });
    if types.is_empty() {
        return term(None);
    }
    let mut out = Vec::new();
    for kind in types {
        match codes.as_slice() {
            [] => out.push(term(Some((kind, None)))),
            codes => out.extend(codes.iter().map(|code| term(Some((kind, Some(*code)))))),
        }
    }
    SvcExpr::Union(out)
}

fn icmp_types(v6: bool, four: &[u8], six: &[u8]) -> Vec<SvcExpr> {
    let (number, types) = if v6 { (ICMPV6, six) } else { (ICMP, four) };
    let term =
        |t: &u8| SvcExpr::Term(SvcTerm { protocol: Some(number), src_ports: Vec::new(), dst_ports: Vec::new(), icmp: Some((*t, None)) });
    types.iter().map(term).collect()
}

/// `tcpflag=0x0002/0x0017`: value and mask. A first packet has SYN and nothing else of the mask.
fn flag_guard(word: &str, span: Span) -> Option<Guard> {
    const SYN: u32 = 0x02;
    let unmodelled = || Some(Guard::Unmodelled(span, word.to_owned()));
    let Some((_, pair)) = word.split_once('=').filter(|(name, _)| *name == "tcpflag") else { return unmodelled() };
    let hex = |w: &str| u32::from_str_radix(w.trim_start_matches("0x"), 16).ok();
    let Some((value, mask)) = pair.split_once('/').and_then(|(v, m)| Some((hex(v)?, hex(m)?))) else { return unmodelled() };
    if value == SYN & mask { None } else { Some(Guard::Established(span)) }
}

/// Numbers that routes and other lists use.
fn other_uses<'a>(export: &Export<'a>, v6: bool, uses: &mut HashMap<(bool, &'a str), u32>) {
    let routes = if v6 { "ipv6 route $ gateway" } else { "ip route $ gateway" };
    for command in export.commands.everywhere(routes).chain(export.commands.everywhere(name(v6, "filter dynamic <n>"))) {
        let mut counting = false;
        for (word, _) in command.args() {
            match word.to_ascii_lowercase().as_str() {
                "filter" | "in" | "out" => counting = true,
                w if w.bytes().all(|b| b.is_ascii_digit()) && counting => *uses.entry((v6, word)).or_default() += 1,
                _ => counting = false,
            }
        }
    }
    for (_, numbers) in sets(export, v6).into_values() {
        numbers.into_iter().for_each(|(n, _)| *uses.entry((v6, n)).or_default() += 1);
    }
}

fn definitions(export: &Export<'_>, v6: bool, uses: &HashMap<(bool, &str), u32>) -> Vec<Definition> {
    let factory = export.grammar.names("factory_filters");
    let statics = export.commands.everywhere(name(v6, "filter <n>")).map(|c| Definition {
        kind: "filter",
        name: c.keys[0].to_owned(),
        span: c.span(),
        builtin: factory.iter().any(|f| f == c.keys[0]),
        uses: uses.get(&(v6, c.keys[0])).copied().unwrap_or(0),
    });
    statics.collect()
}

/// Translation, filters on the way in, services; through the box, filters on the way out as well.
fn pipeline(export: &Export<'_>) -> Pipeline {
    let undecided = || export.product("secure filter", |v| (v == "pass").then_some(Verdict::Accept));
    let stage = |hook| Stage::Filter { hook, undecided: undecided() };
    Pipeline {
        to_box: vec![Stage::DestNat, stage(Hook::Inbound), Stage::Gate, Stage::Limits],
        through: vec![Stage::DestNat, stage(Hook::Inbound), stage(Hook::Outbound)],
    }
}
