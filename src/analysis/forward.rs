//! Ways through the box to inside hosts: translations, and permits without translation where the inside can be addressed from
//! that outside (public or IPv6 addresses inside, or a closed or partner network outside).

use super::engine::Engine;
use super::exposure::{self, class_between};
use super::flow::Flow;
use super::{Context, Sheet, known_word};
use super::{resolve, translate};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Hook, Stage, Verdict};
use crate::ir::interface::InterfaceIx;
use crate::ir::nat::{NatIx, NatRule};
use crate::ir::record::{Record, Step};
use crate::ir::schema;
use crate::packet::{AddrSet, Assignment, Class, Intervals, PacketSet, Product, Side, Variable, class, service};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// TCP and UDP ports whose services must not be published (rules.md, EXP005): remote desktop, file sharing, RPC, SSH, telnet,
/// FTP, VNC, WinRM, databases, directories, hypervisor and board management consoles, memory caches, DICOM, HL7.
const RISKY: &[u16] = &[
    3389, 445, 137, 138, 139, 135, 111, 22, 23, 21, 5900, 5901, 5902, 5903, 5800, 5985, 5986, 1433, 1434, 1521, 3306, 5432, 27017, 50000,
    389, 636, 3268, 88, 902, 8006, 623, 11211, 6379, 104, 11112, 2762, 2761, 2575,
];

fn is_risky(svc: &Intervals<u32>) -> bool {
    RISKY.iter().any(|port| svc.contains(service::key(service::TCP, *port)) || svc.contains(service::key(service::UDP, *port)))
}

/// All ports of TCP, or nearly all.
fn is_all_ports(svc: &Intervals<u32>) -> bool {
    svc.intersection(&service::protocol(service::TCP)).count() > 60_000
}

/// Records of the kinds `forward`, `nat_rule` and `interface`.
pub fn records(cx: &Context<'_>, engine: &Engine<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    let outside: Vec<InterfaceIx> = ingresses(cx);
    for (n, rule) in device.nat.rules.iter().enumerate() {
        let mut record = Record::new(&schema::NAT_RULE, rule.name.clone(), Some(rule.span));
        let at = Origin::Written(rule.span);
        let to_box = rule.to.get().is_some_and(|to| engine.surely_own(to));
        record.word("kind", known_word(rule.kind.word(), at.clone()));
        record.bool("enabled", rule.live.own.clone());
        record.bool("live", rule.live.value());
        record.bool("to_box", Fact::known(to_box, at.clone()));
        record.exact_set("dormant", std::collections::BTreeSet::new(), at);
        sheet.add(record);
        if !to_box {
            for ingress in &outside {
                if rule.ingress.covers(*ingress) != Some(false) {
                    translated(cx, engine, sheet, NatIx(n as u32), rule, *ingress);
                }
            }
        }
    }
    let mut inside = Inside::default();
    for ingress in &outside {
        for v6 in [false, true] {
            untranslated(cx, engine, sheet, &mut inside, *ingress, v6);
            unfiltered(cx, engine, sheet, *ingress, v6);
        }
    }
}

/// Interfaces that are or may be on an untrusted side and can carry packets.
fn ingresses(cx: &Context<'_>) -> Vec<InterfaceIx> {
    let carries = |i: &crate::ir::interface::Interface| !i.up.value.is_false() && (!i.addresses.is_empty() || i.ipv6.value.is_true());
    let all = cx.device().interfaces.iter().zip(cx.sides).enumerate();
    all.filter(|(_, (i, s))| s.maybe_untrusted() && carries(i)).map(|(ix, _)| InterfaceIx(ix as u32)).collect()
}

/// A way found, ready to become a record.
struct Found<'s> {
    flow: &'s Flow,
    chain: Vec<Step>,
    live: &'s Fact<bool>,
    subject: String,
    span: crate::source::Span,
    inside: String,
    svc: &'s Intervals<u32>,
    /// Name of the translation, where there is one.
    translation: Option<&'s str>,
    layer7: bool,
    v6: bool,
}

fn add(cx: &Context<'_>, engine: &Engine<'_>, sheet: &mut Sheet<'_>, ingress: InterfaceIx, found: Found<'_>) {
    let (flow, live) = (found.flow, found.live);
    let interface = &cx.device().interfaces[ingress.0 as usize];
    let side = &cx.sides[ingress.0 as usize];
    let universe = engine.outside(ingress, found.v6);
    // Whether a destination is in an unknown set is true or false for the host at hand: surely is what holds in either case.
    let (mut least, mut hi) = (BTreeMap::<Vec<(Variable, bool)>, Class>::new(), Class::None);
    for cell in &flow.cells {
        let (cap_lo, cap_hi) = source_cap(engine, &cell.assignment);
        let case = cell.assignment.values().iter().filter(|(v, _)| v.side == Side::Destination).copied().collect();
        let lo = least.entry(case).or_insert(Class::None);
        *lo = (*lo).max(Class::of(&cell.lo.sources(), &universe).min(cap_lo));
        hi = hi.max(Class::of(&cell.hi.sources(), &universe).min(cap_hi));
    }
    // The cells leave no membership out: sources that surely get in under each get in whichever holds.
    let always = flow.cells.iter().map(|c| c.lo.sources()).reduce(|a, b| a.intersection(&b));
    let always = always.map_or(Class::None, |sources| Class::of(&sources, &universe));
    let lo = least.into_values().min().unwrap_or(Class::None).max(always);
    let why = || {
        flow.why.clone().or_else(|| live.value.why().cloned()).unwrap_or_else(|| Why::new(WhyCode::RuntimeContent, found.subject.clone()))
    };
    let mut origins = vec![Origin::Written(found.span), live.origin.clone()];
    origins.extend(flow.origins.iter().cloned());
    let class = exposure::maybe(&Fact { value: class_between(lo.min(hi), hi, why), origin: Origin::all(origins) }, live);
    let at = class.origin.clone();
    let mut record = Record::new(&schema::FORWARD, format!("{} on {}", found.subject, interface.name), Some(found.span));
    if let Some(name) = found.translation {
        record.named("forward", name);
    }
    record.text("interface", interface.name.clone(), at.clone());
    record.word("side_kind", known_word(side.outside, side.side.origin.clone()));
    record.word("family", known_word(if found.v6 { "ipv6" } else { "ipv4" }, at.clone()));
    record.word("class", exposure::maybe(&class, &side.untrusted()).map(|c| Cow::Borrowed(exposure::class_word(*c))));
    record.bool("risky", Fact::known(is_risky(found.svc), at.clone()));
    record.bool("all_ports", Fact::known(is_all_ports(found.svc), at.clone()));
    record.text("ports", resolve::service_text(found.svc), at.clone());
    record.text("inside", found.inside, at.clone());
    record.bool("translated", Fact::known(found.translation.is_some(), at.clone()));
    record.bool("layer7", Fact::known(found.layer7, at));
    record.chain = found.chain;
    record.chain.extend(side.steps.iter().cloned());
    record.chain.extend(flow.steps.iter().cloned());
    record.witness = flow.sample().map(|(p, _)| exposure::witness(&p));
    sheet.add(record);
}

/// What unknown memberships of sources leave possible.
fn source_cap(engine: &Engine<'_>, assignment: &Assignment) -> (Class, Class) {
    engine.cap(&Assignment::of(assignment.values().iter().filter(|(v, _)| v.side == Side::Source).copied()))
}

/// Parts beyond which the services are not told apart by who reaches them.
const PARTS: usize = 200;

/// Services that get through to the broadest class of sources: surely, or where nothing is sure, possibly.
/// What one host may reach does not count where everybody reaches something else.
fn services(engine: &Engine<'_>, flow: &Flow, outside: &AddrSet) -> Intervals<u32> {
    let sure = flow.cells.iter().any(|c| !c.lo.is_empty());
    let mut worst = Class::None;
    let mut found = Intervals::empty();
    for cell in &flow.cells {
        let (cap_lo, cap_hi) = source_cap(engine, &cell.assignment);
        let (products, cap) = if sure { (cell.lo.products(), cap_lo) } else { (cell.hi.products(), cap_hi) };
        if products.len() > PARTS {
            found = products.iter().fold(found, |acc, p| acc.union(&p.svc));
            continue;
        }
        // Between two edges every product holds all or nothing.
        let ranges = products.iter().flat_map(|p| p.svc.ranges());
        let edges: std::collections::BTreeSet<u32> = ranges.flat_map(|(a, b)| [*a, b.saturating_add(1)]).collect();
        for (from, until) in edges.iter().zip(edges.iter().skip(1)) {
            let sources = AddrSet::union_of(products.iter().filter(|p| p.svc.contains(*from)).map(|p| &p.src));
            let class = Class::of(&sources, outside).min(cap);
            if class == Class::None || class < worst {
                continue;
            }
            if class > worst {
                (worst, found) = (class, Intervals::empty());
            }
            found = found.union(&Intervals::range(*from, until - 1));
        }
    }
    found
}

/// Services of a translation that matter: messages of ICMP reach none.
fn without_messages(svc: &Intervals<u32>) -> Intervals<u32> {
    svc.difference(&service::protocol(service::ICMP).union(&service::protocol(service::ICMPV6)))
}

fn addresses_text(set: &AddrSet) -> String {
    let v4 = set.v4.ranges().iter().map(|(a, b)| (std::net::IpAddr::V4((*a).into()), std::net::IpAddr::V4((*b).into())));
    let v6 = set.v6.ranges().iter().map(|(a, b)| (std::net::IpAddr::V6((*a).into()), std::net::IpAddr::V6((*b).into())));
    let parts: Vec<String> = v4.chain(v6).take(4).map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") }).collect();
    parts.join(", ")
}

/// How the export names a target whose address it does not show.
fn hidden_text(expr: &AddrExpr) -> Option<String> {
    match expr {
        AddrExpr::Opaque(opaque) => Some(opaque.text.clone()),
        _ => None,
    }
}

fn translated(cx: &Context<'_>, engine: &Engine<'_>, sheet: &mut Sheet<'_>, n: NatIx, rule: &NatRule, ingress: InterfaceIx) {
    let live = rule.live.value();
    if live.value.is_false() {
        return;
    }
    let v6 = rule.family == crate::ir::filter::Family::V6;
    let outside = engine.outside(ingress, v6);
    let to = || rule.to.get().map(|e| addresses_text(&engine.resolver.addresses(e).hi));
    let inside = rule.to.get().and_then(hidden_text).or_else(to).unwrap_or_default();
    let within = Product { src: outside.clone(), svc: without_messages(&service::any()), ..Product::any() };
    let Some(flow) = through_translation(engine, n, rule, ingress, &within) else { return };
    let svc = services(engine, &flow, &outside);
    let chain = vec![Step { span: Some(rule.span), code: "step.nat_forward", args: vec![rule.name.clone(), inside.clone()] }];
    let found = Found {
        flow: &flow,
        chain,
        live: &live,
        subject: format!("{} to {inside}", rule.name),
        span: rule.span,
        inside,
        svc: &svc,
        translation: Some(&rule.name),
        layer7: rule.layer7,
        v6,
    };
    add(cx, engine, sheet, ingress, found);
}

/// Interfaces by which a translated packet may leave: the one that holds the target, or where no interface's network is known and rows
/// ask for it, each other one.
fn ways_on(engine: &Engine<'_>, rule: &NatRule, ingress: InterfaceIx) -> Vec<Option<InterfaceIx>> {
    let device = engine.cx.device();
    let known = device.interfaces.iter().flat_map(|i| &i.addresses).any(|a| a.net.get().is_some());
    let asked = || device.filters.iter().flat_map(|f| &f.rules).any(|r| r.egress != crate::ir::filter::IfMatch::Any);
    if known || !asked() {
        return vec![egress_of(engine.cx, engine, rule)];
    }
    let others = (0..device.interfaces.len() as u32).map(InterfaceIx).filter(|ix| *ix != ingress);
    let ways: Vec<Option<InterfaceIx>> = others.map(Some).collect();
    if ways.is_empty() { vec![None] } else { ways }
}

/// The packets within `within` (as they are behind the translation) that one translation leads inside, behind all filters;
/// `None` if there can be none.
pub(super) fn through_translation(engine: &Engine<'_>, n: NatIx, rule: &NatRule, ingress: InterfaceIx, within: &Product) -> Option<Flow> {
    let v6 = rule.family == crate::ir::filter::Family::V6;
    let target = translate::target(engine, rule).intersection(within);
    let (mut flow, stages) = engine.translate(&engine.cx.device().pipeline.through, n, ingress, target, v6)?;
    if rule.ingress.covers(ingress).is_none() {
        flow.doubt(None);
    }
    let ways = ways_on(engine, rule, ingress).into_iter().map(|egress| {
        let mut way = flow.clone();
        engine.run(&mut way, stages, ingress, egress, Some(n));
        way
    });
    ways.max_by_key(|way| (way.possible(), !way.unsure()))
}

/// The interface whose network holds a translation's target, where one does.
fn egress_of(cx: &Context<'_>, engine: &Engine<'_>, rule: &NatRule) -> Option<InterfaceIx> {
    let to = engine.resolver.addresses(rule.to.get()?).lo;
    let holds = |i: &crate::ir::interface::Interface| {
        i.addresses.iter().filter_map(|a| a.net.get()).any(|n| AddrSet::prefix(n.addr, n.prefix).is_some_and(|net| to.is_subset(&net)))
    };
    cx.device().interfaces.iter().position(holds).map(|ix| InterfaceIx(ix as u32))
}

/// The networks of interfaces that packets from a side can be addressed to: through the Internet only public addresses.
pub(super) fn addressable(engine: &Engine<'_>, side: &super::trust::Side, interfaces: &[InterfaceIx], v6: bool) -> AddrSet {
    let nets = engine.resolver.networks(interfaces).lo;
    let nets = if v6 { AddrSet { v4: Intervals::empty(), ..nets } } else { AddrSet { v6: Intervals::empty(), ..nets } };
    if side.outside == "closed_network" { nets } else { nets.intersection(&class::public()) }
}

/// The networks of trusted interfaces that can be addressed: through a closed network or not, by family. The same for all
/// interfaces, so that exports with thousands of them ask once.
type Inside = BTreeMap<(bool, bool), AddrSet>;

/// Permits without translation to inside networks that can be addressed from this outside.
fn untranslated(cx: &Context<'_>, engine: &Engine<'_>, sheet: &mut Sheet<'_>, inside: &mut Inside, ingress: InterfaceIx, v6: bool) {
    let device = cx.device();
    let side = &cx.sides[ingress.0 as usize];
    let interface = &device.interfaces[ingress.0 as usize];
    if v6 && !interface.ipv6.value.is_true() && !interface.addresses.iter().any(|a| a.v6) {
        return;
    }
    let addressable = inside.entry((side.outside == "closed_network", v6)).or_insert_with(|| {
        let sides = (0..).map(InterfaceIx).zip(cx.sides);
        let trusted: Vec<InterfaceIx> = sides.filter(|(_, s)| s.trusted().value.is_true()).map(|(ix, _)| ix).collect();
        addressable(engine, side, &trusted, v6)
    });
    if addressable.is_empty() {
        return;
    }
    let hooks: Vec<Hook> =
        device.pipeline.through.iter().filter_map(|s| if let Stage::Filter { hook, .. } = s { Some(*hook) } else { None }).collect();
    for hook in hooks {
        for (filter_ix, covers, _) in engine.attached(hook, ingress, v6) {
            if covers != Some(true) {
                continue;
            }
            let filter = &device.filters[filter_ix];
            for row in engine.compiled(filter_ix).iter() {
                let concerns = row.verdict == Some(Verdict::Accept)
                    && row.guard == Some(true)
                    && row.ingress.covers(ingress) == Some(true)
                    && row.via.is_empty()
                    && !row.decrypted_only;
                if !concerns {
                    continue;
                }
                let rule = &filter.rules[row.index];
                let outside = engine.outside(ingress, v6);
                let services_only = without_messages(&service::any());
                let within = Product { src: outside.clone(), dst: addressable.clone(), svc: services_only, ..Product::any() };
                let products: Vec<Product> = row
                    .plain
                    .terms
                    .iter()
                    .filter(|t| t.literals.is_empty())
                    .map(|t| t.product.intersection(&within))
                    .filter(|p| !p.is_empty())
                    .collect();
                let dst = AddrSet::union_of(products.iter().map(|p| &p.dst));
                let svc = products.iter().fold(Intervals::empty(), |acc, p| acc.union(&p.svc));
                // A permit of everything is one finding of its own (EXP006).
                let everything = addressable.is_subset(&dst) && is_all_ports(&svc);
                if products.is_empty() || everything {
                    continue;
                }
                let mut flow: Option<Flow> = None;
                for product in products {
                    if let Some(mut part) = engine.start(product, v6) {
                        engine.run(&mut part, &device.pipeline.through, ingress, None, None);
                        flow = Some(match flow {
                            None => part,
                            Some(mut f) => {
                                f.cells.extend(part.cells);
                                f
                            }
                        });
                    }
                }
                let Some(flow) = flow.filter(Flow::possible) else { continue };
                let inside = addresses_text(&dst);
                let svc = services(engine, &flow, &outside);
                let live = rule.live.value();
                let found = Found {
                    flow: &flow,
                    chain: Vec::new(),
                    live: &live,
                    subject: rule.label.clone(),
                    span: rule.span,
                    inside,
                    svc: &svc,
                    translation: None,
                    layer7: false,
                    v6,
                };
                add(cx, engine, sheet, ingress, found);
            }
        }
    }
}

/// Whether a packet that no rule names is let through by a default, to the box and through it.
fn unfiltered(cx: &Context<'_>, engine: &Engine<'_>, sheet: &mut Sheet<'_>, ingress: InterfaceIx, v6: bool) {
    let device = cx.device();
    let interface = &device.interfaces[ingress.0 as usize];
    let side = &cx.sides[ingress.0 as usize];
    if v6 && interface.ipv6.value.is_false() && !interface.addresses.iter().any(|a| a.v6)
        || !v6 && !interface.addresses.iter().any(|a| !a.v6)
    {
        return;
    }
    for (path, stages) in [("to_box", &device.pipeline.to_box), ("through", &device.pipeline.through)] {
        let (value, chain) = residual(cx, engine, stages, ingress, v6);
        let forwards = stages.iter().any(|s| matches!(s, Stage::Filter { undecided, .. } if undecided.get() != Some(&Verdict::Drop) && undecided.get() != Some(&Verdict::Next)));
        let mut record = Record::new(&schema::INTERFACE, interface.name.clone(), Some(interface.span));
        let at = value.origin.clone();
        record.named("interface", interface.name.clone());
        record.word("side", side.side.map(|s| Cow::Borrowed(super::trust::word(*s))));
        record.word("kind", known_word(interface.kind.word(), Origin::Written(interface.span)));
        let known_v6 = if v6 && interface.ipv6.value.tri().is_none() { value.and(&interface.ipv6) } else { value };
        record.bool("unfiltered", known_v6);
        record.word("path", known_word(path, at.clone()));
        record.word("family", known_word(if v6 { "ipv6" } else { "ipv4" }, at.clone()));
        record.bool("default_forwards", Fact::known(forwards, at));
        record.chain = side.steps.clone();
        record.chain.extend(chain);
        sheet.add(record);
    }
}

/// The packet that no rule names: is every stage open to it by a default?
fn residual(cx: &Context<'_>, engine: &Engine<'_>, stages: &[Stage], ingress: InterfaceIx, v6: bool) -> (Fact<bool>, Vec<Step>) {
    let device = cx.device();
    let interface = &device.interfaces[ingress.0 as usize];
    let mut open: Option<Fact<bool>> = None;
    let mut chain = Vec::new();
    let mut and = |fact: Fact<bool>| open = Some(open.as_ref().map_or_else(|| fact.clone(), |o| o.and(&fact)));
    for stage in stages {
        match stage {
            Stage::DestNat if !v6 => {
                for unmatched in device.nat.unmatched.iter().filter(|u| u.ingress.covers(ingress) != Some(false)) {
                    let passes = unmatched.effect.map(|e| *e == crate::ir::nat::UnmatchedEffect::Pass);
                    if !passes.value.is_true() {
                        chain.extend(passes.origin.spans().first().map(|s| Step {
                            span: Some(*s),
                            code: "step.nat_drop",
                            args: vec![interface.name.clone()],
                        }));
                    }
                    and(passes);
                }
            }
            // Only packets that leave count there, and nothing is known of where they go.
            Stage::Filter { hook: Hook::Outbound, .. } => {}
            Stage::Filter { hook, undecided } => {
                let attached = engine.attached(*hook, ingress, v6);
                if attached.is_empty() {
                    chain.push(Step { span: Some(interface.span), code: "step.no_filter_accept", args: vec![interface.name.clone()] });
                    // Where the next stage decides, a service must listen: that is no open door.
                    and(Fact { value: undecided.value.map(|v| *v == Verdict::Accept), origin: undecided.origin.clone() });
                }
                for (filter_ix, _, origin) in attached {
                    let filter = &device.filters[filter_ix];
                    let ends_open = match &filter.incomplete {
                        Some(why) => Fact { value: Val::Unknown(why.clone()), origin: origin.clone() },
                        None => Fact {
                            value: filter.default.value.map(|v| *v == Verdict::Accept),
                            origin: Origin::all([origin.clone(), filter.default.origin.clone()]),
                        },
                    };
                    if !ends_open.value.is_false() {
                        chain.extend(origin.spans().first().map(|s| Step {
                            span: Some(*s),
                            code: "step.filter_end_accept",
                            args: vec![filter.name.clone()],
                        }));
                    }
                    // A written row that takes the rest (pass or reject everything) decides before the end.
                    let written = engine.compiled(filter_ix).iter().any(|r| {
                        r.guard == Some(true)
                            && decides(r)
                            && takes_all(r, v6)
                            && r.ingress.covers(ingress) == Some(true)
                            && r.egress == crate::ir::filter::IfMatch::Any
                    });
                    let by_end = left_to_end(engine, filter_ix, ingress, v6);
                    and(match by_end {
                        _ if written => Fact::known(false, origin.clone()),
                        Some(left) => ends_open.and(&Fact { value: left, origin: origin.clone() }),
                        None => ends_open,
                    });
                }
            }
            _ => {}
        }
    }
    (open.unwrap_or_else(|| Fact::known(false, Origin::Written(interface.span))), chain)
}

/// Whether a row ends the matter for what it matches: one that only counts, logs or calls another filter does not.
fn decides(row: &resolve::CompiledRow) -> bool {
    !matches!(row.verdict, Some(Verdict::Continue | Verdict::Jump(_) | Verdict::Goto(_) | Verdict::Return))
}

/// Whether nearly every port, on the way to some interface, is left to the end of a filter that calls others. What no row decides is left in most cases.
fn left_to_end(engine: &Engine<'_>, filter: usize, ingress: InterfaceIx, v6: bool) -> Option<Val<bool>> {
    let outside = engine.outside(ingress, v6);
    let universe = PacketSet::from(Product { src: outside.clone(), ..Product::any() });
    let open = |set: &PacketSet| {
        let many = |p: u8| set.services().intersection(&service::protocol(p)).count() > 60_000;
        Class::of(&set.sources(), &outside) >= Class::Broad && (many(service::TCP) || many(service::UDP))
    };
    let (mut lo, mut hi) = (false, false);
    for egress in engine.exits(filter, ingress) {
        let bounds = engine.probe(filter, (ingress, egress), None, &universe)?;
        lo |= open(&bounds.lo);
        hi |= open(&bounds.hi);
    }
    Some(super::between(lo, hi, || Why::new(WhyCode::Unmodelled, "filter")))
}

/// Whether a row matches every packet of a family.
pub fn takes_all(row: &resolve::CompiledRow, v6: bool) -> bool {
    let all = if v6 { AddrSet::any_v6() } else { AddrSet::any_v4() };
    row.plain.terms.iter().any(|t| {
        t.literals.is_empty()
            && all.is_subset(&t.product.src)
            && all.is_subset(&t.product.dst)
            && t.product.svc == service::any()
            && t.product.sport.is_full()
    })
}
