//! Which packets from outside get in: every listener seen from every interface, and every way through the box to an inside host.
//!
//! Packets run through the order of decisions the device declares: destination translation, filters, the listener's own binding,
//! its limits. What is unknown splits the answer into cells (one for each possible membership in an unknown set) or widens the
//! gap between what surely and what possibly gets in; a class is only known where both agree.

use super::flow::{CELLS, Cell, Flow, melt, narrowed, sample};
use super::limits::Admitted;
use super::ready::Ready;
use super::resolve::{self, CompiledRow, Resolver};
use super::trust::{self, Side};
use super::{Context, Sheet, known_word};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Hook, Stage, Verdict};
use crate::ir::interface::{InterfaceIx, SidePointer};
use crate::ir::listener::{Binding, LimitStage, Listener, ListenerIx, Plane, Reach};
use crate::ir::nat::{NatIx, NatRule, UnmatchedEffect};
use crate::ir::record::{Record, Step, Witness};
use crate::ir::schema;
use crate::packet::{self, AddrSet, Assignment, Budget, Class, Decided, End, Intervals, Packet, PacketSet, Product, RowRef, class, service};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

/// A listener as seen from one interface.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// The device in its export.
    pub device: usize,
    /// The listener in its device.
    pub listener: ListenerIx,
    /// What it is for.
    pub plane: Plane,
    /// What answers.
    pub service: &'static str,
    /// The interface packets enter.
    pub ingress: InterfaceIx,
    /// The judged side of that interface.
    pub side: Side,
    /// Whether the listener runs.
    pub live: Fact<bool>,
    /// Class of the sources that get through, the worst over both families.
    pub class: Fact<Class>,
    /// The same after limits that refuse only the login.
    pub login_class: Fact<Class>,
    /// The families that have the worst class.
    pub family: &'static str,
    /// Whether nothing gets through only because translation drops what nobody asked for.
    pub latent: bool,
    /// Whether every address of the interface's networks is admitted.
    pub admits_whole_net: Val<bool>,
    /// The proof.
    pub chain: Vec<Step>,
    /// A packet that gets through, or that is stopped.
    pub witness: Option<Witness>,
    /// The line that opens it, if one does.
    pub span: Option<crate::source::Span>,
}

/// The word of a class.
pub fn class_word(class: Class) -> &'static str {
    match class {
        Class::None => "none",
        Class::Restricted => "restricted",
        Class::Broad => "broad",
        Class::Any => "any",
    }
}

const CLASSES: [Class; 4] = [Class::None, Class::Restricted, Class::Broad, Class::Any];

pub(super) fn class_between(lo: Class, hi: Class, why: impl FnOnce() -> Why) -> Val<Class> {
    let list: Vec<Class> = CLASSES.into_iter().filter(|c| lo <= *c && *c <= hi).collect();
    match list.as_slice() {
        [one] => Val::Known(*one),
        _ => Val::Among(list, why()),
    }
}

fn bounds(class: &Fact<Class>) -> (Class, Class) {
    match &class.value {
        Val::Known(c) => (*c, *c),
        Val::Among(list, _) => (list.iter().copied().min().unwrap_or(Class::None), list.iter().copied().max().unwrap_or(Class::Any)),
        Val::Unknown(_) => (Class::None, Class::Any),
    }
}

/// The worse of two classes.
pub fn worse(a: &Fact<Class>, b: &Fact<Class>) -> Fact<Class> {
    let ((alo, ahi), (blo, bhi)) = (bounds(a), bounds(b));
    let why = || a.value.why().or(b.value.why()).cloned().unwrap_or_else(|| Why::new(WhyCode::Ambiguous, ""));
    let value = class_between(alo.max(blo), ahi.max(bhi), why);
    // The worse one decides; where they are alike, both do.
    let origin = if alo > bhi || (alo == blo && ahi == bhi && a.origin.strength() >= b.origin.strength()) {
        a.origin.clone()
    } else if blo > ahi {
        b.origin.clone()
    } else {
        Origin::all([a.origin.clone(), b.origin.clone()])
    };
    Fact { value, origin }
}

/// A class that only counts if a condition holds.
pub fn maybe(class: &Fact<Class>, condition: &Fact<bool>) -> Fact<Class> {
    let (lo, hi) = bounds(class);
    let why = || condition.value.why().or(class.value.why()).cloned().unwrap_or_else(|| Why::new(WhyCode::Ambiguous, ""));
    let lo = if condition.value.is_true() { lo } else { Class::None };
    let hi = if condition.value.is_false() { Class::None } else { hi };
    Fact { value: class_between(lo, hi, why), origin: Origin::all([class.origin.clone(), condition.origin.clone()]) }
}

/// The known addresses of an expression, for questions that need no atoms.
pub fn plain_addresses(cx: &Context<'_>, expr: &AddrExpr) -> AddrSet {
    Resolver::new(cx).addresses(expr).hi
}

/// Protocol and ports of a listener as people write them.
pub fn ports_text(listener: &Listener) -> String {
    listener.ports.get().map_or_else(String::new, |terms| resolve::service_text(&resolve::union_of_terms(terms)))
}

type ReadyKey = (usize, InterfaceIx, Option<InterfaceIx>, Option<NatIx>);

/// Answers the questions of one device.
pub struct Engine<'a> {
    pub(super) cx: &'a Context<'a>,
    /// Names of the device.
    pub resolver: Resolver<'a>,
    compiled: RefCell<HashMap<usize, Rc<Vec<CompiledRow>>>>,
    pub(super) ready: RefCell<HashMap<ReadyKey, Rc<Ready>>>,
    pub(super) budget: RefCell<Budget>,
}

/// Work for all questions about one device; far more than any real export needs.
const WORK: u64 = 60_000_000;

impl<'a> Engine<'a> {
    /// An engine for the device of a context.
    pub fn new(cx: &'a Context<'a>) -> Engine<'a> {
        Engine {
            cx,
            resolver: Resolver::new(cx),
            compiled: RefCell::default(),
            ready: RefCell::default(),
            budget: RefCell::new(Budget::new(WORK)),
        }
    }

    /// The rows of a filter.
    pub fn compiled(&self, filter: usize) -> Rc<Vec<CompiledRow>> {
        if let Some(done) = self.compiled.borrow().get(&filter) {
            return done.clone();
        }
        let rows = Rc::new(self.cx.device().filters.get(filter).map(|f| self.resolver.rows(f)).unwrap_or_default());
        self.compiled.borrow_mut().insert(filter, rows.clone());
        rows
    }

    /// Filters attached at a hook of an interface, in order: surely (`true`) or possibly.
    pub(super) fn attached(&self, hook: Hook, ix: InterfaceIx, v6: bool) -> Vec<(usize, Option<bool>, &'a Origin)> {
        let filters = self.cx.device().filters.iter().enumerate().filter(|(_, f)| f.family.includes(v6));
        filters
            .flat_map(|(n, f)| f.attach.iter().filter(move |a| a.hook == hook).map(move |a| (n, a.on.covers(ix), &a.origin)))
            .filter(|(_, covers, _)| *covers != Some(false))
            .collect()
    }

    /// Sends packets through one filter.
    fn pass(&self, flow: &mut Flow, filter: usize, ready: &Ready, attached: &Origin) {
        let configured = &self.cx.device().filters[filter];
        let before = flow.cells.clone();
        let mut cells = Vec::new();
        let mut budget = self.budget.borrow_mut();
        for cell in &flow.cells {
            match narrowed(cell, &ready.filter, &mut budget) {
                Ok(parts) => cells.extend(parts),
                Err(packet::Exceeded) => {
                    flow.why.get_or_insert_with(|| Why::new(WhyCode::Unmodelled, configured.name.clone()));
                    cells.push(Cell { lo: PacketSet::empty(), ..cell.clone() });
                }
            }
        }
        flow.cells = melt(cells, &mut budget);
        drop(budget);
        if let Some(why) = configured.incomplete.as_ref().filter(|_| flow.unsure()) {
            flow.why.get_or_insert_with(|| why.clone());
        }
        // Which row decided about the packet at hand is the evidence.
        let packet = flow.sample().or_else(|| sample(&before));
        flow.origins.push(attached.clone());
        if let Some((packet, assignment)) = packet {
            self.explain(flow, ready, &packet, &assignment);
        }
    }

    fn explain(&self, flow: &mut Flow, ready: &Ready, packet: &Packet, assignment: &Assignment) {
        let trace = ready.filter.trace(packet, assignment);
        let filters = &self.cx.device().filters;
        let row_of = |at: RowRef| {
            let (filter, row) = ready.place(at)?;
            Some((filters.get(filter)?, filters.get(filter)?.rules.get(row)?))
        };
        for open in &trace.open {
            if let Some((filter, rule)) = row_of(*open) {
                flow.steps.push(Step {
                    span: Some(rule.span),
                    code: "step.filter_may",
                    args: vec![rule.label.clone(), filter.name.clone()],
                });
                flow.why.get_or_insert_with(|| {
                    let inner = [rule.src.value.why(), rule.dst.value.why(), rule.svc.value.why(), rule.verdict.value.why()]
                        .into_iter()
                        .flatten()
                        .next();
                    inner.cloned().unwrap_or_else(|| Why::at(WhyCode::Unmodelled, rule.label.clone(), vec![rule.span]))
                });
                flow.origins.push(Origin::Written(rule.span));
            }
        }
        for call in &trace.via {
            if let Some((filter, rule)) = row_of(*call) {
                let args = vec![rule.label.clone(), filter.name.clone()];
                flow.steps.push(Step { span: Some(rule.span), code: "step.filter_jump", args });
                flow.origins.push(Origin::Written(rule.span));
            }
        }
        match trace.decided {
            Decided::Row(at, verdict) => {
                if let Some((filter, rule)) = row_of(at) {
                    let code = match verdict {
                        packet::Verdict::Accept => "step.filter_accept",
                        packet::Verdict::Drop => "step.filter_drop",
                        _ => "step.filter_may",
                    };
                    flow.steps.push(Step { span: Some(rule.span), code, args: vec![rule.label.clone(), filter.name.clone()] });
                    flow.origins.push(Origin::all([Origin::Written(rule.span), rule.verdict.origin.clone()]));
                }
            }
            Decided::End(chain, end) => {
                let Some(filter) = ready.chains.get(chain.0 as usize).and_then(|(at, _)| filters.get(*at)) else { return };
                let code = match end {
                    End::Drop => "step.filter_end_drop",
                    End::Accept => "step.filter_end_accept",
                    _ => "step.filter_end_unknown",
                };
                flow.steps.push(Step { span: filter.span, code, args: vec![filter.name.clone()] });
                let origin = filter.default.origin.clone();
                flow.origins.push(if filter.incomplete.is_some() { Origin::inferred("infer.rows_not_exported", [origin]) } else { origin });
            }
            Decided::Nowhere(_) => {}
        }
    }

    /// Sends packets through all filters of a hook.
    fn stage(
        &self,
        flow: &mut Flow,
        hook: Hook,
        undecided: &Fact<Verdict>,
        ingress: InterfaceIx,
        egress: Option<InterfaceIx>,
        nat: Option<NatIx>,
    ) {
        let on = if hook == Hook::Outbound { egress } else { Some(ingress) };
        let attached = on.map(|ix| self.attached(hook, ix, flow.v6)).unwrap_or_default();
        if !attached.iter().any(|(_, covers, _)| *covers == Some(true)) {
            match undecided.get() {
                Some(Verdict::Drop) => {
                    flow.block();
                    flow.steps.push(Step { span: None, code: "step.no_filter_drop", args: Vec::new() });
                }
                // The next stage decides; nothing to say.
                Some(Verdict::Next) => {}
                Some(_) => flow.steps.push(Step { span: None, code: "step.no_filter_accept", args: vec![self.name(ingress)] }),
                None => flow.doubt(undecided.value.why().cloned()),
            }
            flow.origins.push(undecided.origin.clone());
            return;
        }
        for (filter, covers, origin) in attached {
            let ready = self.ready(filter, ingress, egress, nat);
            if covers == Some(true) {
                self.pass(flow, filter, &ready, origin);
            } else {
                // It may or may not be asked: what surely gets in gets in either way.
                let mut other = flow.clone();
                self.pass(&mut other, filter, &ready, origin);
                let why = Why::new(WhyCode::Unresolved, self.cx.device().filters[filter].name.clone());
                for (cell, narrowed) in flow.cells.iter_mut().zip(other.cells.iter()) {
                    cell.lo = narrowed.lo.clone();
                }
                flow.why.get_or_insert(why);
            }
        }
    }

    pub(super) fn name(&self, ix: InterfaceIx) -> String {
        self.cx.device().interfaces.get(ix.0 as usize).map(|i| i.name.clone()).unwrap_or_default()
    }

    /// Sources that may stand outside an interface.
    pub fn outside(&self, ingress: InterfaceIx, v6: bool) -> AddrSet {
        let (public, unicast) = if v6 { (class::public_v6(), class::unicast_v6()) } else { (class::public_v4(), class::unicast_v4()) };
        let Some(side) = self.cx.side(ingress) else { return unicast };
        match side.side.get() {
            Some(SidePointer::Untrusted) if side.outside == "internet" => public,
            Some(SidePointer::Trusted) => {
                let nets = self.resolver.networks(&[ingress]).lo;
                let nets = if v6 { AddrSet { v4: Intervals::empty(), ..nets } } else { AddrSet { v6: Intervals::empty(), ..nets } };
                if nets.is_empty() { unicast } else { nets }
            }
            _ => {
                // Anything that is not the facility's own.
                let trusted: Vec<InterfaceIx> = (0..self.cx.sides.len() as u32)
                    .map(InterfaceIx)
                    .filter(|ix| self.cx.sides[ix.0 as usize].trusted().value.is_true())
                    .collect();
                unicast.difference(&self.resolver.networks(&trusted).lo)
            }
        }
    }

    /// Every listener seen from every interface of its device.
    pub fn exposures(&self) -> Vec<Exposure> {
        let device = self.cx.device();
        let mut all = Vec::new();
        for (l, listener) in device.listeners.iter().enumerate() {
            for i in 0..device.interfaces.len() as u32 {
                all.push(self.exposure(ListenerIx(l as u32), listener, InterfaceIx(i)));
            }
        }
        all
    }

    fn exposure(&self, l: ListenerIx, listener: &Listener, ingress: InterfaceIx) -> Exposure {
        let device = self.cx.device();
        let interface = &device.interfaces[ingress.0 as usize];
        let side = self.cx.sides[ingress.0 as usize].clone();
        let live = listener.live.value();
        let mut result = Exposure {
            device: self.cx.ix,
            listener: l,
            plane: listener.plane,
            service: listener.service,
            ingress,
            side: side.clone(),
            live: live.clone(),
            class: Fact::known(Class::None, Origin::Written(interface.span)),
            login_class: Fact::known(Class::None, Origin::Written(interface.span)),
            family: "both",
            latent: false,
            admits_whole_net: Val::Known(false),
            chain: Vec::new(),
            witness: None,
            span: None,
        };
        let bound = |b: &&Binding| b.on.is_none_or(|on| on == ingress || b.reach == Reach::Forwarded);
        let bindings: Vec<_> = listener.bindings.iter().filter(bound).filter(|b| !b.bound.value.is_false()).collect();
        if bindings.is_empty() || interface.up.value.is_false() {
            result.chain.push(Step {
                span: Some(interface.span),
                code: "step.not_bound",
                args: vec![listener.service.to_owned(), interface.name.clone()],
            });
            return result;
        }
        // Discovery and the like have no way through filters: bound is exposed.
        if listener.plane == Plane::Layer2 {
            let fact = bindings.iter().map(|b| b.bound.clone()).reduce(|a, b| a.or(&b)).unwrap_or_else(|| live.clone());
            result.class = maybe(&Fact::known(Class::Any, fact.origin.clone()), &fact);
            result.login_class = result.class.clone();
            result.span = fact.origin.spans().first().copied().or(listener.span);
            result.chain = opening(listener, &fact.origin, &interface.name);
            return result;
        }
        // The worst way in so far: its class, its family, how it went, and the binding it reaches.
        let mut best: Option<(Fact<Class>, bool, Flow, &Binding)> = None;
        let mut merged: Option<(Fact<Class>, Fact<Class>)> = None;
        let mut latent = false;
        for binding in bindings {
            for v6 in [false, true] {
                if !binding.family.includes(v6) {
                    continue;
                }
                for flow in self.ways(listener, binding, ingress, v6) {
                    latent |= flow.latent;
                    let (class, login) = self.classes(listener, binding, ingress, &flow);
                    let replaces = best.as_ref().is_none_or(|(c, ..)| bounds(&class) > bounds(c));
                    merged = Some(match &merged {
                        None => (class.clone(), login.clone()),
                        Some((c, l)) => (worse(c, &class), worse(l, &login)),
                    });
                    if replaces {
                        best = Some((class, v6, flow, binding));
                    }
                }
            }
        }
        let (Some((class, v6, flow, binding)), Some((merged, login))) = (best, merged) else {
            result.chain.push(Step { span: Some(interface.span), code: "step.no_address", args: vec![interface.name.clone()] });
            return result;
        };
        let none = merged.get() == Some(&Class::None);
        result.latent = none && latent;
        // What filters leave out is not admitted, whatever the service's own lists say.
        result.admits_whole_net = match merged.get() {
            Some(class) if *class < Class::Any => Val::Known(false),
            _ => self.admits_whole_net(listener, ingress),
        };
        result.family = if class.get() == Some(&Class::None) {
            "both"
        } else if v6 {
            "ipv6"
        } else {
            "ipv4"
        };
        // The line at fault is one that is written: what opens the listener, what switches it on, what lets the packet through.
        let opens = written(&binding.bound.origin).or_else(|| written(&live.origin));
        let lets = || flow.steps.iter().filter(|s| LETS_THROUGH.contains(&s.code)).find_map(|s| s.span);
        result.span = opens.or_else(lets).or(listener.span).or_else(|| live.origin.spans().first().copied());
        result.chain = opening(listener, &binding.bound.origin, &interface.name);
        result.chain.extend(side.steps.iter().cloned());
        result.chain.extend(flow.steps.iter().cloned());
        result.witness = flow.sample().map(|(p, _)| witness(&p));
        result.class = merged;
        result.login_class = login;
        result
    }

    /// Every way packets that enter an interface may reach a binding, in one family: untranslated, and by each translation to the box.
    fn ways(&self, listener: &Listener, binding: &Binding, ingress: InterfaceIx, v6: bool) -> Vec<Flow> {
        let device = self.cx.device();
        let interface = &device.interfaces[ingress.0 as usize];
        if v6 && interface.ipv6.value.is_false() && !interface.addresses.iter().any(|a| a.v6) {
            return Vec::new();
        }
        let svc = listener.ports.get().map_or_else(service::any, |t| resolve::union_of_terms(t));
        let forwarded = binding.on.filter(|on| *on != ingress && binding.reach == Reach::Forwarded);
        let target = forwarded.and_then(|ix| device.interfaces.get(ix.0 as usize)).unwrap_or(interface);
        let mut ways = Vec::new();
        let outside = self.outside(ingress, v6);
        let public =
            if v6 { AddrSet { v4: Intervals::empty(), ..AddrSet::any() } } else { AddrSet { v6: Intervals::empty(), ..AddrSet::any() } };
        let mut own = trust::own_addresses(target, v6);
        if v6 && own.is_empty() {
            // IPv6 is on or may be on; the address comes from the network.
            own.push(None);
        }
        own.sort();
        own.dedup();
        let doubt_v6 = v6 && interface.ipv6.value.tri().is_none() && !interface.addresses.iter().any(|a| a.v6);
        for address in own {
            let dst = address.map_or_else(|| public.clone(), AddrSet::single);
            let product = Product { src: outside.clone(), dst, svc: svc.clone(), ..Product::any() };
            let Some(mut flow) = self.start(product, v6) else { continue };
            if doubt_v6 {
                flow.doubt(interface.ipv6.value.why().cloned());
            }
            if listener.ports.get().is_none() {
                flow.doubt(listener.ports.value.why().cloned());
            }
            self.steal(&mut flow, ingress, v6);
            self.unmatched(&mut flow, ingress, v6);
            if let Some(egress) = forwarded {
                self.run(&mut flow, &device.pipeline.through, ingress, Some(egress), None);
                self.run(&mut flow, &device.pipeline.to_box, egress, None, None);
            } else {
                self.run(&mut flow, &device.pipeline.to_box, ingress, None, None);
            }
            if address.is_none() {
                // The address is one the export does not show: surely in is only what gets in whichever it is.
                flow.quantify(&outside);
            }
            ways.push(flow);
        }
        if !v6 && binding.on.is_none() {
            for (n, rule) in device.nat.rules.iter().enumerate() {
                ways.extend(self.translated_to_box(NatIx(n as u32), rule, &svc, ingress));
            }
        }
        ways
    }

    pub(super) fn start(&self, product: Product, v6: bool) -> Option<Flow> {
        let set = PacketSet::of([product], &mut self.budget.borrow_mut()).ok()?;
        (!set.is_empty()).then(|| Flow {
            cells: vec![Cell { assignment: Assignment::open(), lo: set.clone(), hi: set }],
            origins: Vec::new(),
            steps: Vec::new(),
            why: None,
            latent: false,
            v6,
        })
    }

    /// Takes out what a translation leads elsewhere before the box sees it.
    fn steal(&self, flow: &mut Flow, ingress: InterfaceIx, v6: bool) {
        let device = self.cx.device();
        if !device.pipeline.to_box.iter().any(|s| matches!(s, Stage::DestNat)) {
            return;
        }
        for rule in &device.nat.rules {
            let acts = rule.family.includes(v6) && rule.ingress.covers(ingress) == Some(true) && rule.live.value().value.is_true();
            let elsewhere = rule.to.get().is_some_and(|to| !self.holds_own(to));
            let Some(product) = self.before(rule).filter(|_| acts && elsewhere && !rule.needs_reference) else { continue };
            let mut budget = self.budget.borrow_mut();
            let Ok(taken) = PacketSet::of([product], &mut budget) else { continue };
            for cell in &mut flow.cells {
                if let (Ok(lo), Ok(hi)) = (cell.lo.difference(&taken, &mut budget), cell.hi.difference(&taken, &mut budget)) {
                    (cell.lo, cell.hi) = (lo, hi);
                }
            }
        }
    }

    /// What a translation acts on, where that is exactly known.
    pub(super) fn before(&self, rule: &NatRule) -> Option<Product> {
        let (src, dst) = (self.resolver.addresses(rule.src.get()?), self.resolver.addresses(rule.orig_dst.get()?));
        let dst = if matches!(rule.orig_dst.get(), Some(AddrExpr::SelfAddrs)) { AddrSet::any() } else { dst.lo };
        Some(Product { src: src.lo, dst, svc: resolve::union_of_terms(&rule.orig_svc), ..Product::any() })
    }

    pub(super) fn holds_own(&self, to: &AddrExpr) -> bool {
        if matches!(to, AddrExpr::SelfAddrs) {
            return true;
        }
        let set = self.resolver.addresses(to).hi;
        self.cx.device().interfaces.iter().flat_map(|i| &i.addresses).filter_map(|a| a.net.get()).any(|n| set.contains(n.addr))
    }

    /// What source translation does to packets that match no translation.
    fn unmatched(&self, flow: &mut Flow, ingress: InterfaceIx, v6: bool) {
        if v6 {
            return;
        }
        for unmatched in &self.cx.device().nat.unmatched {
            let covers = unmatched.ingress.covers(ingress);
            if covers == Some(false) {
                continue;
            }
            let at = unmatched.effect.origin.spans().first().copied();
            match unmatched.effect.get() {
                Some(UnmatchedEffect::Pass) => continue,
                Some(UnmatchedEffect::Forward(to)) if self.holds_own(&AddrExpr::Range(*to, *to)) => continue,
                Some(effect) if covers == Some(true) => {
                    flow.latent = *effect == UnmatchedEffect::Drop && flow.possible();
                    flow.block();
                    flow.steps.push(Step { span: at, code: "step.nat_drop", args: vec![self.name(ingress)] });
                }
                _ => flow.doubt(unmatched.effect.value.why().cloned()),
            }
            flow.origins.push(unmatched.effect.origin.clone());
        }
    }

    /// The way by one translation whose target is the box itself.
    fn translated_to_box(&self, n: NatIx, rule: &NatRule, svc: &Intervals<u32>, ingress: InterfaceIx) -> Option<Flow> {
        let to = rule.to.get().filter(|to| self.holds_own(to))?;
        let live = rule.live.value();
        if live.value.is_false() || rule.ingress.covers(ingress) == Some(false) || !rule.family.includes(false) {
            return None;
        }
        let after = after_ports(rule).intersection(svc);
        let outside = self.outside(ingress, false);
        let src = self.resolver.addresses(rule.src.get().unwrap_or(&AddrExpr::Any));
        let dst = self.resolver.addresses(to).hi;
        let mut flow = self.start(Product { src: outside.intersection(&src.hi), dst, svc: after, ..Product::any() }, false)?;
        if !live.value.is_true() || rule.ingress.covers(ingress).is_none() || src.lo != src.hi {
            flow.doubt(live.value.why().cloned());
        }
        flow.origins.push(Origin::Written(rule.span));
        flow.steps.push(Step { span: Some(rule.span), code: "step.nat_to_box", args: vec![rule.name.clone()] });
        self.run(&mut flow, &self.cx.device().pipeline.to_box, ingress, None, Some(n));
        Some(flow)
    }

    /// Sends packets through the filters of an order of decisions.
    pub(super) fn run(&self, flow: &mut Flow, stages: &[Stage], ingress: InterfaceIx, egress: Option<InterfaceIx>, nat: Option<NatIx>) {
        // What came by a translation has passed what stands before it.
        let passed = nat.and(stages.iter().position(|s| matches!(s, Stage::DestNat))).unwrap_or(0);
        for stage in stages.iter().skip(passed) {
            if let Stage::Filter { hook, undecided } = stage {
                self.stage(flow, *hook, undecided, ingress, egress, nat);
                if !flow.possible() {
                    return;
                }
            }
        }
    }

    /// Class of the sources of a flow after the listener's limits.
    fn classes(&self, listener: &Listener, binding: &Binding, ingress: InterfaceIx, flow: &Flow) -> (Fact<Class>, Fact<Class>) {
        let outside = self.outside(ingress, flow.v6);
        let connect = self.limits(&listener.limits, LimitStage::Connect);
        let login = self.limits(&listener.limits, LimitStage::Login);
        let class = |limits: &[&Admitted]| {
            let (mut lo, mut hi) = (Class::None, Class::None);
            for cell in &flow.cells {
                let mut cells = vec![(cell.lo.sources(), cell.hi.sources(), self.cap(&cell.assignment))];
                for limit in limits {
                    cells = cells
                        .into_iter()
                        .flat_map(|(l, h, cap)| {
                            limit.parts.iter().map(move |(known, size)| {
                                let cap = size.map_or(cap, |s| (cap.0.min(s.0), cap.1.min(s.1)));
                                let lo = if limit.sure { l.intersection(known) } else { AddrSet::empty() };
                                (lo, h.intersection(known), cap)
                            })
                        })
                        .take(CELLS)
                        .collect();
                }
                for (l, h, (cap_lo, cap_hi)) in cells {
                    lo = lo.max(Class::of(&l, &outside).min(cap_lo));
                    hi = hi.max(Class::of(&h, &outside).min(cap_hi));
                }
            }
            let why = || {
                let limit_why = limits.iter().find_map(|l| l.why.clone());
                flow.why
                    .clone()
                    .or(limit_why)
                    .or_else(|| binding.bound.value.why().cloned())
                    .unwrap_or_else(|| Why::new(WhyCode::RuntimeContent, self.name(ingress)))
            };
            if !binding.bound.value.is_true() {
                lo = Class::None;
            }
            let mut origins = vec![binding.bound.origin.clone()];
            origins.extend(flow.origins.iter().cloned());
            if flow.possible() {
                origins.extend(limits.iter().map(|l| l.origin.clone()));
            }
            Fact { value: class_between(lo.min(hi), hi, why), origin: Origin::all(origins) }
        };
        (class(&[&connect]), class(&[&connect, &login]))
    }

    /// Least and greatest class that the unknown memberships of an assignment leave possible.
    pub(super) fn cap(&self, assignment: &Assignment) -> (Class, Class) {
        assignment.values().iter().fold((Class::Any, Class::Any), |(lo, hi), (variable, member)| {
            if variable.side == packet::Side::Destination {
                return (Class::None, hi);
            }
            let size = self.resolver.size(variable.atom);
            let (a, b) = if *member { size.inside } else { size.outside };
            (lo.min(a), hi.min(b))
        })
    }
}

/// Ports after a translation.
pub(super) fn after_ports(rule: &NatRule) -> Intervals<u32> {
    let before = resolve::union_of_terms(&rule.orig_svc);
    match rule.to_port {
        None => before,
        Some(first) => {
            // A range keeps its length; the first port decides.
            let terms = rule.orig_svc.iter().map(|t| {
                let shifted: Vec<(u16, u16)> =
                    t.dst_ports.iter().map(|(a, b)| (first, first.saturating_add(b.saturating_sub(*a)))).collect();
                resolve::block(&crate::ir::filter::SvcTerm { dst_ports: shifted, ..t.clone() }).0
            });
            terms.fold(Intervals::empty(), |acc, t| acc.union(&t))
        }
    }
}

/// Steps at which somebody wrote that a packet gets through.
const LETS_THROUGH: [&str; 2] = ["step.nat_to_box", "step.filter_accept"];

/// The first written line of an origin; a block that only anchors a default is none.
fn written(origin: &Origin) -> Option<crate::source::Span> {
    match origin {
        Origin::Written(span) => Some(*span),
        Origin::Inferred { from, .. } | Origin::All(from) => from.iter().find_map(written),
        Origin::Default(_) | Origin::Stated(_) => None,
    }
}

fn opening(listener: &Listener, origin: &Origin, interface: &str) -> Vec<Step> {
    let spans = origin.spans();
    let args = vec![listener.service.to_owned(), interface.to_owned(), ports_text(listener)];
    let code = if matches!(origin, Origin::Default(_)) { "step.listens_by_default" } else { "step.listens" };
    if spans.is_empty() {
        vec![Step { span: listener.span, code, args }]
    } else {
        spans.into_iter().map(|s| Step { span: Some(s), code, args: args.clone() }).collect()
    }
}

pub(super) fn witness(packet: &Packet) -> Witness {
    let (source, destination): (IpAddr, IpAddr) = (packet.src, packet.dst);
    let protocol: Cow<'static, str> = match packet.proto {
        service::TCP => "tcp".into(),
        service::UDP => "udp".into(),
        service::ICMP | service::ICMPV6 => "icmp".into(),
        p => p.to_string().into(),
    };
    let port = service::has_ports(packet.proto).then_some(packet.detail);
    let shown = !destination.is_unspecified();
    Witness { source, destination: shown.then_some(destination), protocol, port }
}

/// Records of kind `exposure`.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    let mut records = Vec::new();
    for e in sheet.exposures {
        let listener = &device.listeners.items[e.listener.0 as usize];
        let interface = &device.interfaces[e.ingress.0 as usize];
        let mut record = Record::new(&schema::EXPOSURE, format!("{} on {}", e.service, interface.name), e.span.or(Some(interface.span)));
        let at = e.class.origin.clone();
        record.word("plane", known_word(e.plane.word(), at.clone()));
        record.word("service", known_word(e.service, at.clone()));
        record.text("ports", ports_text(listener), listener.ports.origin.clone());
        record.text("interface", interface.name.clone(), at.clone());
        record.word("side", e.side.side.map(|s| Cow::Borrowed(trust::word(*s))));
        record.word("side_kind", known_word(e.side.outside, e.side.side.origin.clone()));
        record.word("family", known_word(e.family, at.clone()));
        record.word("class", e.class.map(|c| Cow::Borrowed(class_word(*c))));
        record.word("login_class", e.login_class.map(|c| Cow::Borrowed(class_word(*c))));
        record.bool("latent", Fact::known(e.latent, at.clone()));
        record.bool("admits_whole_net", Fact { value: e.admits_whole_net.clone(), origin: at.clone() });
        record.bool("cleartext", listener.cleartext.clone());
        record.bool("redirect_only", listener.redirect_only.clone());
        record.bool("live", e.live.clone());
        record.bool("peers_fixed", listener.peers_fixed.clone().unwrap_or_else(|| Fact::known(false, at.clone())));
        record.chain = e.chain.clone();
        record.witness = e.witness.clone();
        records.push(record);
    }
    records.into_iter().for_each(|r| sheet.add(r));
}
