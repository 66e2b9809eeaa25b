//! The engine that answers questions about one device: packets sent through the filters of a declared order of decisions.
//!
//! What is asked stands elsewhere: listeners (`exposure`), inside hosts (`forward`), any way (`reach`), one packet (`fate`). Here a flow
//! passes one stage after another; what is unknown splits it into cells (one for each possible membership in an unknown set) or widens
//! the gap between what surely and what possibly gets through.

use super::Context;
use super::flow::{Cell, Flow, melt, narrowed, narrowed_to, sample};
use super::ready::Ready;
use super::resolve::{CompiledRow, Resolver};
use super::trust::Side;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{Guard, Hook, IfMatch, Stage, Verdict};
use crate::ir::interface::InterfaceIx;
use crate::ir::nat::NatIx;
use crate::ir::record::Step;
use crate::packet::{self, AddrSet, Assignment, Budget, Class, Decided, End, Packet, PacketSet, Product, RowRef};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Filter and number of the attachment: on any interface, and by interface.
type Attachments = (Vec<(usize, usize)>, HashMap<InterfaceIx, Vec<(usize, usize)>>);

/// What each translation takes.
pub(super) type ActedOn = Vec<(NatIx, Product)>;

type ReadyKey = (usize, InterfaceIx, Option<InterfaceIx>, Option<NatIx>, bool);

/// Answers the questions of one device.
pub struct Engine<'a> {
    pub(super) cx: &'a Context<'a>,
    /// Judged sides, by interface, for the answers of all listeners.
    pub(super) sides: Vec<Arc<Side>>,
    /// Names of the device.
    pub resolver: Resolver<'a>,
    compiled: RefCell<HashMap<usize, Rc<Vec<CompiledRow>>>>,
    pub(super) ready: RefCell<HashMap<ReadyKey, Rc<Ready>>>,
    pub(super) budget: RefCell<Budget>,
    /// Whether networks further inside, behind other routers, count among the sources of a trusted side.
    pub(super) further_inside: std::cell::Cell<bool>,
    /// IPv4 networks of interfaces that may be inside, once somebody asked.
    pub(super) inside_networks: std::cell::OnceCell<Vec<(InterfaceIx, AddrSet)>>,
    /// Where filters are attached: on any interface, and by interface; filter and number of the attachment.
    attachments: std::cell::OnceCell<Attachments>,
    /// What translations take on an interface in a family, once somebody asked.
    pub(super) acted_on: RefCell<HashMap<(InterfaceIx, bool), Rc<ActedOn>>>,
    /// Networks of trusted interfaces, once somebody asked.
    pub(super) inside: std::cell::OnceCell<AddrSet>,
    /// Whether packets from remote access are those of users who logged in, so that rows for users hold for them.
    pub(super) logged_in: bool,
}

/// Work for all questions about one device; far more than any real export needs.
const WORK: u64 = 60_000_000;

impl<'a> Engine<'a> {
    /// An engine for the device of a context.
    pub fn new(cx: &'a Context<'a>) -> Engine<'a> {
        Engine {
            cx,
            sides: cx.sides.iter().cloned().map(Arc::new).collect(),
            resolver: Resolver::new(cx),
            compiled: RefCell::default(),
            ready: RefCell::default(),
            budget: RefCell::new(Budget::new(WORK)),
            acted_on: RefCell::default(),
            further_inside: std::cell::Cell::new(false),
            inside_networks: std::cell::OnceCell::new(),
            attachments: std::cell::OnceCell::new(),
            inside: std::cell::OnceCell::new(),
            logged_in: false,
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
        let filters = &self.cx.device().filters;
        let (everywhere, by_interface) = self.attachments.get_or_init(|| {
            let (mut everywhere, mut by_interface) = (Vec::new(), HashMap::<InterfaceIx, Vec<(usize, usize)>>::new());
            for (n, filter) in filters.iter().enumerate() {
                for (at, attach) in filter.attach.iter().enumerate() {
                    match &attach.on {
                        IfMatch::These(list) => list.iter().for_each(|ix| by_interface.entry(*ix).or_default().push((n, at))),
                        IfMatch::Any | IfMatch::Unknown(_) => everywhere.push((n, at)),
                    }
                }
            }
            (everywhere, by_interface)
        });
        let mut places: Vec<(usize, usize)> = everywhere.iter().chain(by_interface.get(&ix).into_iter().flatten()).copied().collect();
        places.sort_unstable();
        places.dedup();
        let attached = places.into_iter().filter_map(|(n, at)| {
            let (filter, attach) = filters.get(n).and_then(|f| Some((f, f.attach.get(at)?)))?;
            (filter.family.includes(v6) && attach.hook == hook).then(|| (n, attach.on.covers(ix), &attach.origin))
        });
        attached.collect()
    }

    /// Sends packets through one filter.
    fn pass(&self, flow: &mut Flow, filter: usize, ready: &Ready, attached: &Origin) {
        let configured = &self.cx.device().filters[filter];
        let before = flow.cells.clone();
        let mut cells = Vec::new();
        let mut budget = self.budget.borrow_mut();
        for cell in &flow.cells {
            let left = match flow.masked_dst {
                Some(dst) => narrowed_to(cell, &ready.filter, dst, &mut budget),
                None => narrowed(cell, &ready.filter, &mut budget),
            };
            match left {
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
                    let login = rule.guards.iter().filter_map(|g| if let Guard::Users(span) = g { Some(*span) } else { None });
                    flow.steps.extend(login.map(|s| Step { span: Some(s), code: "step.logged_in", args: Vec::new() }));
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
                Some(_) => {
                    let code = if hook == Hook::Outbound { "step.no_filter_out" } else { "step.no_filter_accept" };
                    flow.steps.push(Step { span: None, code, args: vec![self.name(on.unwrap_or(ingress))] });
                }
                None => flow.doubt(undecided.value.why().cloned()),
            }
            flow.origins.push(undecided.origin.clone());
            return;
        }
        for (filter, covers, origin) in attached {
            let ready = self.ready(filter, ingress, egress, nat, flow.to_box);
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

    pub(super) fn start(&self, product: Product, v6: bool) -> Option<Flow> {
        let set = PacketSet::of([product], &mut self.budget.borrow_mut()).ok()?;
        (!set.is_empty()).then(|| Flow {
            cells: vec![Cell { assignment: Assignment::open(), lo: set.clone(), hi: set }],
            origins: Vec::new(),
            steps: Vec::new(),
            why: None,
            latent: false,
            to_box: false,
            v6,
            masked_dst: None,
        })
    }

    /// Sends packets through the filters of an order of decisions.
    pub(super) fn run(&self, flow: &mut Flow, stages: &[Stage], ingress: InterfaceIx, egress: Option<InterfaceIx>, nat: Option<NatIx>) {
        for stage in stages {
            if let Stage::Filter { hook, undecided } = stage {
                self.stage(flow, *hook, undecided, ingress, egress, nat);
                if !flow.possible() {
                    return;
                }
            }
        }
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
