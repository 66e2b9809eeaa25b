//! Filters as the evaluator takes them: the rows that concern one interface and one way of translation, with the filters they call, and
//! questions that change such a filter: what one row lets through, and what leaves by the end. Nothing here follows the order of
//! decisions; that is `engine`. A filter is made ready once for each interface and translation.

use super::engine::Engine;
use super::resolve::{self, Bound};
use crate::ir::filter::{FilterIx, IfMatch, Verdict};
use crate::ir::interface::{InterfaceIx, SidePointer};
use crate::ir::nat::NatIx;
use crate::packet::{self, Bounds, ChainId, End, PacketSet, Row, RowRef};
use std::rc::Rc;

/// A filter's rows that concern one interface and one way of translation, as the evaluator takes them, with the filters it calls.
pub(super) struct Ready {
    pub(super) filter: packet::Filter,
    /// For each chain of the evaluator, the configured filter, and for each of its rows the row there.
    pub(super) chains: Vec<(usize, Vec<usize>)>,
}

impl Ready {
    /// The configured filter and row of a row of the evaluator.
    pub(super) fn place(&self, at: RowRef) -> Option<(usize, usize)> {
        let (filter, rows) = self.chains.get(at.chain.0 as usize)?;
        Some((*filter, *rows.get(at.row)?))
    }
}

impl Engine<'_> {
    /// A filter for packets that enter one interface, leave by another (`None`: any) and came by a translation (`None`: none).
    /// `to_box`: whether they are bound for the box itself.
    pub(super) fn ready(
        &self,
        filter: usize,
        ingress: InterfaceIx,
        egress: Option<InterfaceIx>,
        nat: Option<NatIx>,
        to_box: bool,
    ) -> Rc<Ready> {
        let key = (filter, ingress, egress, nat, to_box);
        if let Some(done) = self.ready.borrow().get(&key) {
            return done.clone();
        }
        // Chains in the order in which rows name them; the first is the filter that is attached.
        let mut names = vec![filter];
        let mut chains = Vec::new();
        let mut indexes = Vec::new();
        while let Some(&at) = names.get(chains.len()) {
            let (rows, index) = self.rows_for(at, (ingress, egress), nat, to_box, &mut names);
            chains.push(packet::Chain { rows, end: self.end_of(at, chains.is_empty()) });
            indexes.push((at, index));
        }
        let ready = Rc::new(Ready { filter: packet::Filter { chains }, chains: indexes });
        self.ready.borrow_mut().insert(key, ready.clone());
        ready
    }

    /// The rows of one filter for [`Engine::ready`], and their places; filters that they call are added to `names`.
    fn rows_for(
        &self,
        filter: usize,
        (ingress, egress): (InterfaceIx, Option<InterfaceIx>),
        nat: Option<NatIx>,
        to_box: bool,
        names: &mut Vec<usize>,
    ) -> (Vec<Row>, Vec<usize>) {
        let Some(configured) = self.cx.device().filters.get(filter) else { return (Vec::new(), Vec::new()) };
        let side = self.cx.side(ingress).and_then(|s| s.side.get());
        let from_tunnel = matches!(side, Some(SidePointer::Tunnel | SidePointer::RemoteAccess));
        let serves_users = || self.cx.device().remote_access.iter().any(|r| r.interface == Some(ingress));
        let login = self.logged_in && (side == Some(&SidePointer::RemoteAccess) || serves_users());
        let inside = self.logged_in && side.is_some_and(|s| *s != SidePointer::Untrusted);
        let bound = if to_box { Bound::ToBox(ingress) } else { Bound::Through };
        let mut chain_of = |target: FilterIx| {
            let target = target.0 as usize;
            let at = names.iter().position(|n| *n == target).unwrap_or_else(|| {
                names.push(target);
                names.len() - 1
            });
            ChainId(at as u32)
        };
        let mut rows = Vec::new();
        let mut index = Vec::new();
        for row in self.compiled(filter).iter() {
            let out = egress.map_or(Some(true), |e| row.egress.covers(e));
            let covered = match (row.ingress.covers(ingress), out) {
                (Some(false), _) | (_, Some(false)) => continue,
                (Some(true), Some(true)) => true,
                _ => false,
            };
            let rule = &configured.rules[row.index];
            let again = rule.dst.get().filter(|dst| resolve::names_own(dst));
            let again = again.and_then(|_| self.resolver.row_bound(configured, row.index, rule, rule.live.value().value.tri(), bound));
            let row = again.as_ref().unwrap_or(row);
            let named = nat.is_some_and(|n| row.via.contains(&n));
            let (matches, sees) = match nat {
                _ if named => (row.by_service.clone(), Some(true)),
                Some(_) => (row.plain.clone(), row.plain_sees_translated),
                None => (row.plain.clone(), Some(true)),
            };
            let mut guard = match row.with_login {
                Some(with_login) if login => with_login,
                // Whether who stands inside has logged in, nobody can say.
                Some(with_login) if inside => with_login.filter(|holds| !holds),
                _ => row.guard,
            };
            if row.decrypted_only && !from_tunnel {
                continue;
            }
            if sees == Some(false) {
                continue;
            }
            if !covered || sees.is_none() {
                guard = if guard == Some(false) { guard } else { None };
            }
            let verdict = match row.verdict {
                Some(Verdict::Accept) => packet::Verdict::Accept,
                Some(Verdict::Drop) => packet::Verdict::Drop,
                Some(Verdict::Next) => packet::Verdict::Accept,
                Some(Verdict::Continue) => packet::Verdict::Continue,
                Some(Verdict::Jump(to)) => packet::Verdict::Jump(chain_of(to)),
                Some(Verdict::Goto(to)) => packet::Verdict::Goto(chain_of(to)),
                Some(Verdict::Return) => packet::Verdict::Return,
                None => packet::Verdict::Unknown,
            };
            rows.push(Row { matches, verdict, guard });
            index.push(row.index);
        }
        (rows, index)
    }

    /// What happens at the end of a filter that is attached (`first`) or called by another.
    fn end_of(&self, filter: usize, first: bool) -> End {
        let Some(configured) = self.cx.device().filters.get(filter) else { return End::Unknown };
        // Where rows may be missing, what the rows at hand decide stands. An end that lets packets go on still raises a finding
        // (inferred, see `explain`): rows nobody shows must not hide what the lines at hand open. An end that stops proves nothing.
        match (&configured.incomplete, configured.default.get()) {
            (_, Some(Verdict::Next | Verdict::Return)) if !first => End::Return,
            (Some(_), Some(Verdict::Drop)) | (_, None) => End::Unknown,
            (None, Some(Verdict::Drop)) => End::Drop,
            (_, Some(_)) => End::Accept,
        }
    }

    /// Whether a filter calls others or is called: then a row says nothing without the way to it.
    pub(super) fn is_chained(&self, filter: usize) -> bool {
        let device = self.cx.device();
        let calls = |v: Option<&Verdict>| matches!(v, Some(Verdict::Jump(_) | Verdict::Goto(_) | Verdict::Return));
        device.filters.get(filter).is_some_and(|f| f.attach.is_empty() || f.rules.iter().any(|r| calls(r.verdict.get())))
    }

    /// The interfaces by which packets may get inside that have to be asked about one by one: each other one that may face inside, where a
    /// row of the filter, or of one that it calls, speaks of where packets leave; else none in particular.
    pub(super) fn exits(&self, filter: usize, ingress: InterfaceIx) -> Vec<Option<InterfaceIx>> {
        let device = self.cx.device();
        let ready = self.ready(filter, ingress, None, None, false);
        let called = ready.chains.iter().filter_map(|(f, _)| device.filters.get(*f));
        let inside = |ix: &InterfaceIx| *ix != ingress && self.cx.side(*ix).is_none_or(|s| !s.untrusted().value.is_true());
        let others = (0..device.interfaces.len() as u32).map(InterfaceIx).filter(inside);
        let exits: Vec<Option<InterfaceIx>> =
            if called.flat_map(|f| &f.rules).any(|r| r.egress != IfMatch::Any) { others.map(Some).collect() } else { Vec::new() };
        if exits.is_empty() { vec![None] } else { exits }
    }

    /// What one row (of the filter or of one that it calls) lets through to an interface; without a row, what leaves the filter by its end.
    pub(super) fn probe(
        &self,
        filter: usize,
        (ingress, egress): (InterfaceIx, Option<InterfaceIx>),
        only: Option<(usize, usize)>,
        universe: &PacketSet,
    ) -> Option<Bounds> {
        let ready = self.ready(filter, ingress, egress, None, false);
        let mut probe = ready.filter.clone();
        for (chain, (configured, rows)) in probe.chains.iter_mut().zip(&ready.chains) {
            for (row, at) in chain.rows.iter_mut().zip(rows) {
                if matches!(row.verdict, packet::Verdict::Accept | packet::Verdict::Unknown) && only != Some((*configured, *at)) {
                    row.verdict = packet::Verdict::Drop;
                }
            }
            if chain.end != End::Return {
                chain.end = End::Drop;
            }
        }
        if let (None, Some(first)) = (only, probe.chains.first_mut()) {
            first.end = ready.filter.chains.first()?.end;
        }
        probe.accepts(universe, &mut self.budget.borrow_mut()).ok()
    }
}
