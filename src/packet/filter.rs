//! Ordered filters: rows tried in order, chains that jump to one another, and what a filter accepts.
//!
//! A filter is data that a caller lowered from some configuration; the verdict of a row, a chain's end and the guard of a row may each be
//! unknown. This module holds that data and the questions; [`super::evaluate`] follows packets through it. Answers are
//! exact for unknowns that are independent and rows that a packet meets once, else sound: never a packet missing from `hi`, never one too
//! many in `lo`.

use super::atoms::{Assignment, Bounds, Match, Term, Variable};
use super::evaluate::{Wanted, evaluate};
use super::product::Product;
use super::set::PacketSet;
use super::{Budget, Exceeded};
use std::collections::BTreeSet;

/// The deepest nesting of jumps that is followed; what lies deeper counts as unknown. Netfilter refuses more than 16.
pub(super) const DEEPEST: usize = 64;

/// Index of a chain in its filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u32);

/// What happens to the packets that a row matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// They pass the filter.
    Accept,
    /// They are refused, silently or not.
    Drop,
    /// They go on to the next row (logging, counting).
    Continue,
    /// They go through another chain and, if that does not decide, on to the next row.
    Jump(ChainId),
    /// They go through another chain and, if that does not decide, to where this chain was called from.
    Goto(ChainId),
    /// They leave this chain for where it was called from; out of the first chain, for its end.
    Return,
    /// They are accepted or refused, it is not known which. Where they may also go on, the guard is unknown besides.
    Unknown,
}

/// What happens to the packets that reach the end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// They pass the filter.
    Accept,
    /// They are refused.
    Drop,
    /// They go back to where the chain was called from; in the first chain, the filter leaves them undecided.
    Return,
    /// They are accepted or refused, it is not known which.
    Unknown,
}

/// One row of a chain.
#[derive(Clone, Debug)]
pub struct Row {
    /// The packets it is for.
    pub matches: Match,
    /// What happens to them.
    pub verdict: Verdict,
    /// Whether the conditions beside the packet (user, schedule, something unmodelled) hold: `None` if that is unknown.
    pub guard: Option<bool>,
}

impl Row {
    /// A row without conditions.
    pub fn new(matches: impl Into<Match>, verdict: Verdict) -> Self {
        Row { matches: matches.into(), verdict, guard: Some(true) }
    }

    /// Whether a term takes packets under an assignment: the guard and the term's literals, both.
    pub(super) fn takes(&self, term: &Term, assignment: &Assignment) -> Option<bool> {
        match (self.guard, term.holds(assignment)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), holds) => holds,
            (None, _) => None,
        }
    }
}

/// Rows in the order of evaluation: the first that takes a packet decides on it.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The rows.
    pub rows: Vec<Row>,
    /// What happens at the end.
    pub end: End,
}

/// An ordered filter. Packets enter its first chain.
///
/// Filters in a sequence of which the first that decides ends the evaluation are one filter: a chain each that ends in
/// [`End::Return`], and a first chain that jumps to them. (A return then has to be written as the verdict it stands for.)
#[derive(Clone, Debug)]
pub struct Filter {
    /// The chains, by [`ChainId`].
    pub chains: Vec<Chain>,
}

impl Row {
    /// Whether the row surely ends the way of every packet of a set, whatever the unknown memberships are.
    fn surely_decides(&self, universe: &PacketSet) -> bool {
        let ends = matches!(self.verdict, Verdict::Accept | Verdict::Drop) && self.guard == Some(true);
        let covers = |term: &Product| universe.products().iter().all(|p| p.is_subset(term));
        ends && self.matches.terms.iter().any(|t| t.literals.is_empty() && covers(&t.product))
    }
}

/// What may happen to the packets of a universe; every one of them is in at least one of the sets.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The packets that may be accepted.
    pub may_accept: PacketSet,
    /// The packets that may be refused.
    pub may_drop: PacketSet,
    /// The packets on which the filter possibly does not decide.
    pub may_pass_on: PacketSet,
    /// False if the sets may be larger than needed.
    pub exact: bool,
}

/// What a filter accepts under one assignment of the memberships that matter to it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The memberships; open if there are too many.
    pub assignment: Assignment,
    /// The packets accepted, if the memberships are such.
    pub accepted: Bounds,
}

impl Filter {
    /// A filter of one chain.
    pub fn of(rows: Vec<Row>, end: End) -> Self {
        Filter { chains: vec![Chain { rows, end }] }
    }

    /// The packets of `universe` that the filter accepts.
    pub fn accepts(&self, universe: &PacketSet, budget: &mut Budget) -> Result<Bounds, Exceeded> {
        let mut cases = self.cases(universe, budget)?.into_iter().map(|case| case.accepted);
        let Some(mut all) = cases.next() else { return Ok(Bounds::exactly(PacketSet::empty())) };
        for case in cases {
            all.hi = all.hi.union(&case.hi, budget)?;
            all.lo = all.lo.intersection(&case.lo, budget)?;
            all.exact &= case.exact;
        }
        Ok(all)
    }

    /// What the filter accepts for each assignment of the memberships that matter to packets of `universe`; one open case if they are
    /// more than six. With the size of each atom, the cases tell how many sources get through where the bounds alone do not.
    pub fn cases(&self, universe: &PacketSet, budget: &mut Budget) -> Result<Vec<Case>, Exceeded> {
        let relevant = self.relevant(universe, budget)?;
        let (assignments, resolved) = Assignment::all(self.variables(&relevant, universe));
        let mut cases = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            let mut accepted = self.bounds(universe, &relevant, &assignment, budget)?;
            accepted.exact &= resolved;
            cases.push(Case { assignment, accepted });
        }
        Ok(cases)
    }

    /// The packets of `universe` that the filter accepts under an assignment; memberships it leaves open may be either in each row, which
    /// is not exact.
    pub fn accepts_under(&self, universe: &PacketSet, assignment: &Assignment, budget: &mut Budget) -> Result<Bounds, Exceeded> {
        let relevant = self.relevant(universe, budget)?;
        let mut bounds = self.bounds(universe, &relevant, assignment, budget)?;
        bounds.exact &= self.variables(&relevant, universe).into_iter().all(|variable| assignment.get(variable).is_some());
        Ok(bounds)
    }

    /// What may happen to the packets of `universe` under an assignment; memberships it leaves open may be either in each row.
    pub fn decide(&self, universe: &PacketSet, assignment: &Assignment, budget: &mut Budget) -> Result<Decision, Exceeded> {
        let relevant = self.relevant(universe, budget)?;
        let fates = evaluate(self, &relevant, assignment, universe, Wanted::ALL, budget)?;
        Ok(Decision {
            may_accept: PacketSet::of(fates.accepted, budget)?,
            may_drop: PacketSet::of(fates.dropped, budget)?,
            may_pass_on: PacketSet::of(fates.passed_on, budget)?,
            exact: fates.exact && self.variables(&relevant, universe).into_iter().all(|variable| assignment.get(variable).is_some()),
        })
    }

    fn bounds(
        &self,
        universe: &PacketSet,
        relevant: &[Vec<usize>],
        assignment: &Assignment,
        budget: &mut Budget,
    ) -> Result<Bounds, Exceeded> {
        let fates = evaluate(self, relevant, assignment, universe, Wanted::ACCEPTED, budget)?;
        if fates.certain {
            return Ok(Bounds { exact: fates.exact, ..Bounds::exactly(PacketSet::of_disjoint(fates.accepted)) });
        }
        let hi = PacketSet::of(fates.accepted, budget)?;
        // Surely accepted is what nothing else can happen to: the other fates matter only inside of what may be accepted.
        let others = evaluate(self, relevant, assignment, &hi, Wanted::OTHERS, budget)?;
        let others: Vec<Product> = others.dropped.into_iter().chain(others.passed_on).collect();
        Ok(Bounds { lo: PacketSet::of_disjoint(hi.without(&others, budget)?), hi, exact: fates.exact })
    }

    /// For each chain, the rows that can do something to a packet of the universe.
    fn relevant(&self, universe: &PacketSet, budget: &mut Budget) -> Result<Vec<Vec<usize>>, Exceeded> {
        let mut relevant = vec![Vec::new(); self.chains.len()];
        let mut seen = BTreeSet::from([0]);
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let Some(chain) = self.chains.get(at) else { continue };
            for (index, row) in chain.rows.iter().enumerate() {
                budget.spend(1 + (row.matches.terms.len() * universe.products().len()) as u64)?;
                let idle = row.guard == Some(false) || row.verdict == Verdict::Continue;
                if idle || !row.matches.terms.iter().any(|term| universe.overlaps(&term.product)) {
                    continue;
                }
                relevant[at].push(index);
                if at == 0 && row.surely_decides(universe) {
                    // Nothing is left for the rows behind it, nor for what they ask.
                    break;
                }
                if let Verdict::Jump(target) | Verdict::Goto(target) = row.verdict
                    && seen.insert(target.0 as usize)
                {
                    open.push(target.0 as usize);
                }
            }
        }
        Ok(relevant)
    }

    /// The memberships that the relevant rows ask for.
    fn variables(&self, relevant: &[Vec<usize>], universe: &PacketSet) -> Vec<Variable> {
        let rows = self.chains.iter().zip(relevant).flat_map(|(chain, indexes)| indexes.iter().map(|index| &chain.rows[*index]));
        let terms = rows.flat_map(|row| &row.matches.terms).filter(|term| !term.literals.is_empty() && universe.overlaps(&term.product));
        let variables: BTreeSet<Variable> = terms.flat_map(|term| &term.literals).map(|literal| literal.variable).collect();
        variables.into_iter().collect()
    }
}
