//! Packets on their way through the box: in cells, one for each possible membership in sets whose content is unknown, each with
//! what surely and what possibly is still on the way, and with what the answer rests on so far.

use crate::ir::fact::{Origin, Why, WhyCode};
use crate::ir::record::Step;
use crate::packet::{self, AddrSet, Assignment, AtomId, Budget, Class, Packet, PacketSet, Product, Side, Variable, class};

/// Packets in flight under one assignment of unknown memberships.
#[derive(Clone)]
pub(super) struct Cell {
    pub(super) assignment: Assignment,
    pub(super) lo: PacketSet,
    pub(super) hi: PacketSet,
}

/// Cells kept apart; more are melted into bounds.
pub(super) const CELLS: usize = 64;

/// Packets in flight, what they rest on, and what they met.
#[derive(Clone)]
pub(super) struct Flow {
    pub(super) cells: Vec<Cell>,
    pub(super) origins: Vec<Origin>,
    pub(super) steps: Vec<Step>,
    pub(super) why: Option<Why>,
    pub(super) latent: bool,
    /// Whether the packets are bound for the box itself.
    pub(super) to_box: bool,
    pub(super) v6: bool,
    /// The destination is one address that the export masks but names wherever it stands.
    pub(super) masked_dst: Option<AtomId>,
}

impl Flow {
    pub(super) fn possible(&self) -> bool {
        self.cells.iter().any(|c| !c.hi.is_empty())
    }

    pub(super) fn unsure(&self) -> bool {
        self.cells.iter().any(|c| c.lo.is_empty() && !c.hi.is_empty())
    }

    pub(super) fn block(&mut self) {
        for cell in &mut self.cells {
            cell.lo = PacketSet::empty();
            cell.hi = PacketSet::empty();
        }
    }

    /// Nothing of it is sure any more.
    pub(super) fn doubt(&mut self, why: Option<Why>) {
        for cell in &mut self.cells {
            cell.lo = PacketSet::empty();
        }
        if self.why.is_none() {
            self.why = why;
        }
    }

    /// A packet that gets through: surely if possible, else one that may.
    pub(super) fn sample(&self) -> Option<(Packet, Assignment)> {
        sample(&self.cells)
    }

    /// The destination is one unknown address: surely in are only sources that get in whichever address it is.
    pub(super) fn quantify(&mut self, outside: &AddrSet) {
        for cell in &mut self.cells {
            let sources = cell.lo.sources();
            let always: Vec<Product> = cell.lo.products().iter().filter(|p| is_any_destination(p)).cloned().collect();
            let surely = AddrSet::union_of(always.iter().map(|p| &p.src));
            if !sources.is_subset(&surely) || !surely.is_subset(outside) {
                let mut budget = Budget::new(1_000_000);
                cell.lo = PacketSet::of(always, &mut budget).unwrap_or_else(|_| PacketSet::empty());
                self.why.get_or_insert_with(|| Why::new(WhyCode::RuntimeContent, "own address"));
            }
        }
    }
}

/// Whether a product leaves the destination open: nearly every public address of its family.
fn is_any_destination(p: &Product) -> bool {
    Class::of(&p.dst, &class::public()) == Class::Any
}

pub(super) fn sample(cells: &[Cell]) -> Option<(Packet, Assignment)> {
    let sure = cells.iter().find_map(|c| c.lo.witness().map(|p| (p, c.assignment.clone())));
    sure.or_else(|| cells.iter().find_map(|c| c.hi.witness().map(|p| (p, c.assignment.clone()))))
}

/// What a filter leaves of a cell, one cell for each membership it distinguishes.
pub(super) fn narrowed(cell: &Cell, filter: &packet::Filter, budget: &mut Budget) -> Result<Vec<Cell>, packet::Exceeded> {
    let mut parts = Vec::new();
    for case in filter.cases(&cell.hi, budget)? {
        let values = cell.assignment.values().iter().chain(case.assignment.values()).copied();
        let conflict = cell.assignment.values().iter().any(|(v, b)| case.assignment.get(*v).is_some_and(|other| other != *b));
        if !conflict {
            let lo = case.accepted.lo.intersection(&cell.lo, budget)?;
            parts.push(Cell { assignment: Assignment::of(values), lo, hi: case.accepted.hi });
        }
    }
    Ok(parts)
}

/// What a filter leaves of a cell whose destination is one masked address. Other masked destinations are taken to be other
/// addresses for what surely gets through, and to be anything for what possibly does.
pub(super) fn narrowed_to(cell: &Cell, filter: &packet::Filter, dst: AtomId, budget: &mut Budget) -> Result<Vec<Cell>, packet::Exceeded> {
    let known = Variable { atom: dst, side: Side::Destination };
    let rows = filter.chains.iter().flat_map(|c| &c.rows);
    let all = rows.flat_map(|r| &r.matches.terms).flat_map(|t| &t.literals).map(|l| l.variable);
    let mut others: Vec<Variable> = all.filter(|v| v.side == Side::Destination && *v != known).collect();
    others.sort_unstable();
    others.dedup();
    let sources = cell.assignment.values().iter().filter(|(v, _)| v.side == Side::Source).copied();
    let may = Assignment::of(sources.clone().chain([(known, true)]));
    let sure = Assignment::of(sources.chain([(known, true)]).chain(others.into_iter().map(|v| (v, false))));
    let lo = filter.accepts_under(&cell.lo, &sure, budget)?.lo;
    let hi = filter.accepts_under(&cell.hi, &may, budget)?.hi;
    Ok(vec![Cell { assignment: sure, lo, hi }])
}

/// Too many cells become one: surely in is what every cell is sure of, possibly in what any allows.
pub(super) fn melt(cells: Vec<Cell>, budget: &mut Budget) -> Vec<Cell> {
    if cells.len() <= CELLS {
        return cells;
    }
    let mut one = Cell { assignment: Assignment::open(), lo: PacketSet::any(), hi: PacketSet::empty() };
    for cell in &cells {
        match (one.lo.intersection(&cell.lo, budget), one.hi.union(&cell.hi, budget)) {
            (Ok(lo), Ok(hi)) => (one.lo, one.hi) = (lo, hi),
            _ => return vec![Cell { assignment: Assignment::open(), lo: PacketSet::empty(), hi: PacketSet::any() }],
        }
    }
    vec![one]
}
