//! Ordered filters: rows tried in order, chains that jump to one another, and what a filter accepts.
//!
//! A filter is data that a caller lowered from some configuration; the verdict of a row, a chain's end and the guard of a row may each be
//! unknown. [`Filter::decide`] keeps one remainder of packets that may still be undecided: a row adds what it possibly takes to its
//! verdict's set and removes what it surely takes. A packet is surely accepted if nothing else can happen to it. For rows that are visited
//! once and unknowns that are independent this is exact.

use super::atoms::{Assignment, Bounds, Match, Term, Variable};
use super::product::Product;
use super::set::{PacketSet, subtract, tests, work};
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
    fn takes(&self, term: &Term, assignment: &Assignment) -> Option<bool> {
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

/// What may happen to the packets of a universe; every one of them is in at least one of the sets.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The packets that may be accepted.
    pub may_accept: PacketSet,
    /// The packets that may be refused.
    pub may_drop: PacketSet,
    /// The packets on which the filter possibly does not decide.
    pub may_pass_on: PacketSet,
    /// Whether no packet is in two of the sets.
    pub certain: bool,
    /// False if the sets may be larger than needed.
    pub exact: bool,
}

impl Decision {
    /// The packets that are accepted: surely those that nothing else can happen to.
    pub fn accepted(&self, budget: &mut Budget) -> Result<Bounds, Exceeded> {
        let hi = self.may_accept.clone();
        let lo = if self.certain { hi.clone() } else { hi.difference(&self.may_drop, budget)?.difference(&self.may_pass_on, budget)? };
        Ok(Bounds { lo, hi, exact: self.exact })
    }
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
            let mut accepted = self.run(universe, &relevant, &assignment, budget)?.accepted(budget)?;
            accepted.exact &= resolved;
            cases.push(Case { assignment, accepted });
        }
        Ok(cases)
    }

    /// What may happen to the packets of `universe` under an assignment; memberships it leaves open may be either.
    pub fn decide(&self, universe: &PacketSet, assignment: &Assignment, budget: &mut Budget) -> Result<Decision, Exceeded> {
        let relevant = self.relevant(universe, budget)?;
        self.run(universe, &relevant, assignment, budget)
    }

    fn run(
        &self,
        universe: &PacketSet,
        relevant: &[Vec<usize>],
        assignment: &Assignment,
        budget: &mut Budget,
    ) -> Result<Decision, Exceeded> {
        let mut run = Run {
            filter: self,
            relevant,
            assignment,
            budget,
            accepted: PacketSet::empty(),
            dropped: PacketSet::empty(),
            active: vec![false; self.chains.len()],
            certain: true,
            exact: true,
        };
        let left = run.chain(ChainId(0), universe.clone().into_products(), 0)?;
        Ok(Decision { may_accept: run.accepted, may_drop: run.dropped, may_pass_on: left, certain: run.certain, exact: run.exact })
    }

    /// For each chain, the rows that can do something to a packet of the universe.
    fn relevant(&self, universe: &PacketSet, budget: &mut Budget) -> Result<Vec<Vec<usize>>, Exceeded> {
        let mut relevant = vec![Vec::new(); self.chains.len()];
        let mut seen = BTreeSet::from([0]);
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let Some(chain) = self.chains.get(at) else { continue };
            budget.spend(tests(chain.rows.len() * universe.products().len()))?;
            for (index, row) in chain.rows.iter().enumerate() {
                let idle = row.guard == Some(false) || row.verdict == Verdict::Continue;
                if idle || !row.matches.terms.iter().any(|term| universe.overlaps(&term.product)) {
                    continue;
                }
                relevant[at].push(index);
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

/// One evaluation of a filter.
struct Run<'a> {
    filter: &'a Filter,
    relevant: &'a [Vec<usize>],
    assignment: &'a Assignment,
    budget: &'a mut Budget,
    accepted: PacketSet,
    dropped: PacketSet,
    /// The chains being evaluated, to find circles.
    active: Vec<bool>,
    /// Whether every packet has had one fate so far, so that the sets are disjoint without effort.
    certain: bool,
    exact: bool,
}

impl<'a> Run<'a> {
    /// Sends packets through a chain and gives back those that may return from it.
    fn chain(&mut self, id: ChainId, mut rest: Vec<Product>, depth: usize) -> Result<PacketSet, Exceeded> {
        let index = id.0 as usize;
        let filter = self.filter;
        let mut returned = PacketSet::empty();
        let chain = filter.chains.get(index).filter(|_| depth <= DEEPEST && !self.active[index]);
        let Some(chain) = chain else {
            self.exact = false;
            self.end(End::Unknown, rest, &mut returned)?;
            return Ok(returned);
        };
        self.active[index] = true;
        for row in self.relevant[index].iter().map(|row| &chain.rows[*row]) {
            if rest.is_empty() {
                break;
            }
            let (sure, open) = self.take(&mut rest, row)?;
            self.certain &= open.is_empty();
            match row.verdict {
                Verdict::Continue => {}
                Verdict::Accept | Verdict::Drop | Verdict::Return | Verdict::Unknown => {
                    let end = match row.verdict {
                        Verdict::Accept => End::Accept,
                        Verdict::Drop => End::Drop,
                        Verdict::Return => End::Return,
                        _ => End::Unknown,
                    };
                    self.end(end, sure, &mut returned)?;
                    self.end(end, open, &mut returned)?;
                }
                Verdict::Jump(target) => {
                    if !open.is_empty() {
                        // Those that return are still in the rest.
                        self.chain(target, open, depth + 1)?;
                    }
                    if !sure.is_empty() {
                        rest.extend(self.chain(target, sure, depth + 1)?.into_products());
                    }
                }
                Verdict::Goto(target) => {
                    for packets in [sure, open] {
                        if !packets.is_empty() {
                            let back = self.chain(target, packets, depth + 1)?;
                            self.end(End::Return, back.into_products(), &mut returned)?;
                        }
                    }
                }
            }
        }
        if depth == 0 {
            let mut left = PacketSet::empty();
            left.add_disjoint(rest);
            add(&mut left, std::mem::take(&mut returned).into_products(), self.certain, self.budget)?;
            rest = left.into_products();
        }
        self.end(chain.end, rest, &mut returned)?;
        self.active[index] = false;
        Ok(returned)
    }

    /// Gives packets their fate.
    fn end(&mut self, end: End, packets: Vec<Product>, returned: &mut PacketSet) -> Result<(), Exceeded> {
        if packets.is_empty() {
            return Ok(());
        }
        match end {
            End::Accept => add(&mut self.accepted, packets, self.certain, self.budget),
            End::Drop => add(&mut self.dropped, packets, self.certain, self.budget),
            End::Return => add(returned, packets, self.certain, self.budget),
            End::Unknown => {
                self.certain = false;
                add(&mut self.accepted, packets.clone(), false, self.budget)?;
                add(&mut self.dropped, packets, false, self.budget)
            }
        }
    }

    /// Takes out of `rest` what a row surely takes, and copies what it possibly takes.
    fn take(&mut self, rest: &mut Vec<Product>, row: &'a Row) -> Result<(Vec<Product>, Vec<Product>), Exceeded> {
        let (mut sure, mut open) = (Vec::new(), Vec::new());
        let mut doubtful: Vec<&Product> = Vec::new();
        for term in &row.matches.terms {
            match row.takes(term, self.assignment) {
                Some(true) => sure.extend(split(rest, &term.product, self.budget)?),
                Some(false) => {}
                None => doubtful.push(&term.product),
            }
        }
        if !doubtful.is_empty() {
            self.budget.spend(tests(rest.len() * doubtful.len()))?;
            let concerned = rest.iter().filter(|piece| doubtful.iter().any(|product| product.overlaps(piece)));
            let mut pieces: Vec<Product> = concerned.cloned().collect();
            for product in doubtful {
                open.extend(split(&mut pieces, product, self.budget)?);
            }
        }
        Ok((sure, open))
    }
}

/// Takes the packets of `product` out of the pieces and returns them.
fn split(pieces: &mut Vec<Product>, product: &Product, budget: &mut Budget) -> Result<Vec<Product>, Exceeded> {
    budget.spend(tests(pieces.len()))?;
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < pieces.len() {
        if pieces[at].overlaps(product) {
            let piece = pieces.swap_remove(at);
            budget.spend(work(&piece, product))?;
            inside.push(piece.cut(product, &mut outside));
        } else {
            at += 1;
        }
    }
    pieces.extend(outside);
    Ok(inside)
}

/// Adds packets to a set; `disjoint` says that they are not in it yet.
fn add(set: &mut PacketSet, packets: Vec<Product>, disjoint: bool, budget: &mut Budget) -> Result<(), Exceeded> {
    if disjoint {
        set.add_disjoint(packets);
        return Ok(());
    }
    for product in packets {
        let new = subtract(product, set.products(), budget)?;
        set.add_disjoint(new);
    }
    Ok(())
}
