//! Packet filters of interfaces, and the order of decisions.
//!
//! `ip filter LIST SEQUENCE in` stacks lists: what a list leaves undecided falls to the next, and once any list is bound in a
//! direction the end of the stack drops; with none everything passes. A stack is written out as one filter of all its rows. A dynamic
//! list lets pass what its trigger permits; the answers it lets back never come from a stranger, so they are no rows.

use super::acl::{Acl, AclRow, is_any};
use super::ipsec::Plan;
use super::lines::is;
use super::{Export, address, undocumented};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Attach, Family, Filter, FilterRole, Hook, IfMatch, NatMatch, Pipeline, Rule, RuleLog, Stage, Verdict};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::live::Live;
use crate::ir::nat::NatIx;
use crate::ir::system::{Definition, Undefined};
use crate::source::Span;
use std::collections::{BTreeMap, HashMap};

/// A list bound to an interface.
#[derive(Clone)]
struct Bound<'a> {
    name: &'a str,
    word: Span,
    span: Span,
    sequence: u32,
    silent: bool,
}

/// A stack: family, direction, its lists, and the interfaces that have exactly this stack.
struct Stack<'a> {
    v6: bool,
    hook: Hook,
    lists: Vec<Bound<'a>>,
    on: Vec<(InterfaceIx, Vec<Span>)>,
}

/// Fills filters, definitions, undefined names and the order of decisions.
pub fn fill(export: &Export<'_>, plan: &Plan<'_>, device: &mut Device) {
    let log = Log::read(export);
    let mut undefined = Vec::new();
    let mut uses: HashMap<(bool, String), u32> = HashMap::new();
    for stack in stacks(export) {
        device.filters.push(lower(export, &log, device, &stack, &mut uses, &mut undefined));
    }
    other_uses(export, plan, &mut uses, &mut undefined);
    device.definitions = export.list("objects", definitions(export, &uses));
    device.undefined = export.list("objects", undefined);
    device.pipeline = pipeline(export);
}

/// Every stack, with equal ones of several interfaces put together, in the order of the interfaces.
fn stacks<'a>(export: &Export<'a>) -> Vec<Stack<'a>> {
    let mut out: Vec<Stack<'a>> = Vec::new();
    let mut seen: BTreeMap<(bool, bool, String), usize> = BTreeMap::new();
    for (ix, port) in export.ports.iter() {
        for (family, v6) in [("ip", false), ("ipv6", true)] {
            let lines = port.lines.all(&[family, "filter"]);
            for (direction, hook) in [("in", Hook::Inbound), ("out", Hook::Outbound)] {
                let mut lists: Vec<Bound<'a>> = lines
                    .iter()
                    .filter(|n| is(**n, 4, direction))
                    .filter_map(|n| {
                        Some(Bound {
                            name: n.word(2)?,
                            word: n.word_span(2),
                            span: n.span(),
                            sequence: n.word(3)?.parse().ok()?,
                            silent: is(*n, 5, "suppress-logging"),
                        })
                    })
                    .collect();
                if lists.is_empty() {
                    continue;
                }
                lists.sort_by_key(|b| b.sequence);
                let spans = lists.iter().map(|b| b.span).collect();
                let names: Vec<String> = lists.iter().map(|b| format!("{} {}", b.name, b.silent)).collect();
                let at = *seen.entry((v6, direction == "in", names.join("\n"))).or_insert_with(|| {
                    out.push(Stack { v6, hook, lists, on: Vec::new() });
                    out.len() - 1
                });
                out[at].on.push((ix, spans));
            }
        }
    }
    out
}

/// Which passes and drops the box logs: there is a level for filters, not a switch for rows.
struct Log {
    level: Option<(String, Span)>,
    head: Span,
}

impl Log {
    fn read(export: &Export<'_>) -> Log {
        let lines = export.lines.all(&["logging", "subsystem"]);
        let of = |name: &str| lines.iter().rev().find(|n| is(**n, 2, name)).map(|n| (n.word_or_empty(3).to_ascii_lowercase(), n.span()));
        Log { level: of("flt").or_else(|| of("all")), head: export.head }
    }

    fn of(&self, permit: &Fact<bool>, silent: bool, row: Span) -> Fact<RuleLog> {
        if silent {
            return Fact::written(RuleLog::None, row);
        }
        let Some((level, span)) = &self.level else { return undocumented("logging subsystem flt", self.head) };
        let passes = matches!(level.as_str(), "info" | "debug");
        let drops = passes || matches!(level.as_str(), "warn" | "notice");
        let origin = Origin::all([Origin::Written(*span), permit.origin.clone()]);
        let value = permit.value.map(|p| if *p && passes || !*p && drops { RuleLog::Session } else { RuleLog::None });
        Fact { value, origin }
    }
}

fn lower<'a>(
    export: &Export<'a>,
    log: &Log,
    device: &Device,
    stack: &Stack<'a>,
    uses: &mut HashMap<(bool, String), u32>,
    undefined: &mut Vec<Undefined>,
) -> Filter {
    let via = Via::new(device, &stack.on);
    let mut rules = Vec::new();
    let mut incomplete = None;
    for bound in &stack.lists {
        let dynamic = export.acls.dynamic_of(stack.v6, bound.name);
        let (list, named_at) = dynamic.map_or((bound.name, bound.word), |d| (d.trigger, d.trigger_span));
        *uses.entry((stack.v6, bound.name.to_owned())).or_default() += 1;
        match export.acls.get(stack.v6, list) {
            Some(acl) => rules.extend(rows(acl, log, bound, dynamic.is_some(), &via)),
            None => {
                incomplete = incomplete.or_else(|| Some(missing(export, list, named_at)));
                unresolved(export, list, named_at, undefined);
            }
        }
    }
    let family = if stack.v6 { "ipv6" } else { "ip" };
    let direction = if stack.hook == Hook::Inbound { "in" } else { "out" };
    let names: Vec<&str> = stack.lists.iter().map(|b| b.name).collect();
    let attach = stack.on.iter().map(|(ix, spans)| Attach {
        hook: stack.hook,
        on: IfMatch::These(vec![*ix]),
        origin: Origin::all(spans.iter().map(|s| Origin::Written(*s))),
    });
    let vpn = |ix: &InterfaceIx| {
        let kind = device.interfaces.get(ix.0 as usize).map(|i| i.kind);
        matches!(kind, Some(InterfaceKind::Tunnel | InterfaceKind::RemoteAccess))
    };
    Filter {
        name: format!("{family} filter {} {direction}", names.join(" ")),
        span: stack.lists.first().map(|b| b.span),
        role: if stack.on.iter().all(|(ix, _)| vpn(ix)) { FilterRole::VpnExit } else { FilterRole::Packet },
        family: if stack.v6 { Family::V6 } else { Family::V4 },
        rules,
        incomplete,
        default: export.product("ip filter end", |v| (v == "deny").then_some(Verdict::Drop)),
        attach: attach.collect(),
    }
}

fn missing(export: &Export<'_>, list: &str, span: Span) -> Why {
    let code = if export.gaps.contains_key("objects") { WhyCode::NotExported } else { WhyCode::Unresolved };
    Why::at(code, list, vec![span])
}

fn unresolved(export: &Export<'_>, list: &str, span: Span, undefined: &mut Vec<Undefined>) {
    if !export.gaps.contains_key("objects") {
        let effect = Fact::unknown(Why::at(WhyCode::DefaultUndocumented, list, vec![span]));
        undefined.push(Undefined { kind: "filter", name: list.to_owned(), span, effect });
    }
}

fn rows<'r>(acl: &'r Acl<'_>, log: &'r Log, bound: &'r Bound<'_>, dynamic: bool, via: &'r Via) -> impl Iterator<Item = Rule> + use<'r> {
    (1..).zip(&acl.rows).map(move |(n, row): (u32, &AclRow)| {
        let verdict = match (row.permit.get(), dynamic) {
            (Some(true), _) => Fact { value: row.permit.value.map(|_| Verdict::Accept), origin: row.permit.origin.clone() },
            // Whether a denial in a trigger drops or only triggers nothing was not seen in print.
            (Some(false), true) => undocumented("ip access-list dynamic", row.span),
            _ => row.permit.map(|p| if *p { Verdict::Accept } else { Verdict::Drop }),
        };
        Rule {
            label: format!("{} {n}", acl.name),
            span: row.span,
            live: Live::own(Fact::written(true, bound.span)),
            ingress: IfMatch::Any,
            egress: IfMatch::Any,
            src: row.src.clone(),
            dst: row.dst.clone(),
            svc: row.svc.clone(),
            guards: row.guards.clone(),
            nat: via.of(row),
            verdict,
            log: log.of(&row.permit, bound.silent, row.span),
            generated: false,
        }
    })
}

/// How rows meet packets whose destination was translated. Whether a row sees addresses before or after translation was not seen in
/// print: it makes no difference where the row asks for no destination, and none for what leads to the router itself.
struct Via {
    own: Vec<(NatIx, Option<std::net::IpAddr>)>,
}

impl Via {
    fn new(device: &Device, on: &[(InterfaceIx, Vec<Span>)]) -> Via {
        let own = (0..).map(NatIx).zip(&device.nat.rules).filter(|(_, r)| on.iter().any(|(ix, _)| r.ingress.covers(*ix) == Some(true)));
        let address = |expr: &AddrExpr| match expr {
            AddrExpr::Range(a, b) if a == b => Some(*a),
            _ => None,
        };
        let held =
            |a: std::net::IpAddr| device.interfaces.iter().flat_map(|i| &i.addresses).any(|n| n.net.get().is_some_and(|n| n.addr == a));
        let leads_here = own.filter_map(|(ix, r)| match r.to.get()? {
            AddrExpr::SelfAddrs => Some((ix, None)),
            expr => address(expr).filter(|a| held(*a)).map(|a| (ix, Some(a))),
        });
        Via { own: leads_here.collect() }
    }

    fn of(&self, row: &AclRow) -> NatMatch {
        if is_any(&row.dst) {
            return NatMatch {
                via: Vec::new(),
                plain_sees_translated: Fact { value: row.dst.value.map(|_| true), origin: row.dst.origin.clone() },
            };
        }
        let covers = |own: &Option<std::net::IpAddr>| match (row.dst.get(), own) {
            (Some(AddrExpr::Range(first, last)), Some(addr)) => first <= addr && addr <= last,
            // An address the export does not show is a public one.
            (Some(AddrExpr::Range(first, last)), None) => address::is_public(*first) && address::is_public(*last),
            _ => false,
        };
        let via = self.own.iter().filter(|(_, own)| covers(own)).map(|(ix, _)| *ix).collect();
        NatMatch { via, plain_sees_translated: undocumented("ip filter, ip napt", row.span) }
    }
}

/// Lists that services, tunnels, NAPT and dynamic lists use.
fn other_uses(export: &Export<'_>, plan: &Plan<'_>, uses: &mut HashMap<(bool, String), u32>, undefined: &mut Vec<Undefined>) {
    let mut mention = |v6: bool, name: &str, span: Span| {
        *uses.entry((v6, name.to_owned())).or_default() += 1;
        if export.acls.get(v6, name).is_none() && export.acls.dynamic_of(v6, name).is_none() {
            unresolved(export, name, span, undefined);
        }
    };
    for server in ["telnet-server", "ssh-server", "http-server", "proxy-dns"] {
        for (family, v6) in [("ip", false), ("ipv6", true)] {
            if let Some(node) = export.lines.one(&[server, family, "access-list"]) {
                node.word(3).into_iter().for_each(|name| mention(v6, name, node.word_span(3)));
            }
        }
    }
    for (v6, list) in super::system::community_lists(export) {
        mention(v6, list.0, list.1);
    }
    for (name, span) in plan.selectors() {
        mention(false, name, span);
    }
    for (v6, _, dynamic) in export.acls.dynamics() {
        mention(v6, dynamic.trigger, dynamic.trigger_span);
    }
    for (_, port) in export.ports.iter() {
        for node in port.lines.all(&["ip", "napt", "inside"]).into_iter().filter(|n| is(*n, 3, "list")) {
            node.word(4).into_iter().for_each(|name| mention(false, name, node.word_span(4)));
        }
    }
    // Uses in parts that are not read in detail: any word of such a line may be a list.
    for words in [&["route-map"][..], &["ip", "nat", "dynamic"], &["class-map"], &["ip", "policy"], &["web-auth"], &["ip", "dhcp"]] {
        for node in export.lines.all(words) {
            let below = node.children().flat_map(|c| c.words_from(0).collect::<Vec<_>>());
            for word in node.words_from(1).chain(below) {
                if export.acls.get(false, word).is_some() {
                    *uses.entry((false, word.to_owned())).or_default() += 1;
                }
            }
        }
    }
}

fn definitions(export: &Export<'_>, uses: &HashMap<(bool, String), u32>) -> Vec<Definition> {
    let count = |v6: bool, name: &str| uses.get(&(v6, name.to_owned())).copied().unwrap_or(0);
    let one = |v6, name: &str, span| Definition { kind: "filter", name: name.to_owned(), span, builtin: false, uses: count(v6, name) };
    let lists = export.acls.iter().map(|(v6, acl)| one(v6, acl.name, acl.span));
    let dynamics = export.acls.dynamics();
    lists.chain(dynamics.into_iter().map(|(v6, name, d)| one(v6, name, d.span))).collect()
}

/// Translation, filters on the way in, services; through the box, filters on the way out as well.
fn pipeline(export: &Export<'_>) -> Pipeline {
    let undecided = || export.product("ip filter", |v| (v == "pass").then_some(Verdict::Accept));
    let stage = |hook| Stage::Filter { hook, undecided: undecided() };
    Pipeline {
        to_box: vec![Stage::DestNat, stage(Hook::Inbound), Stage::Gate, Stage::Limits],
        through: vec![Stage::DestNat, stage(Hook::Inbound), stage(Hook::Outbound)],
    }
}
