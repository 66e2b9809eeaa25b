//! Follows the packets of a universe through the chains of a filter and collects what may happen to them.
//!
//! Semantically there is one remainder: each row adds what it possibly takes of it to its verdict's set, and what it surely takes
//! leaves the remainder (a packet that returns from a jump stays). The remainder is never held, since its parts multiply with the number
//! of rows: what a row takes is computed from its own match, minus the earlier rows that surely take some of it, found by
//! index. The sets collected may overlap where something is unknown.

use super::atoms::Assignment;
use super::filter::{Chain, ChainId, DEEPEST, End, Filter, Row, Verdict};
use super::index::Pool;
use super::product::Product;
use super::set::{PacketSet, subtract};
use super::{Budget, Exceeded};
use std::rc::Rc;

/// Which fates to collect; the others cost nothing.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    accepted: bool,
    others: bool,
}

impl Wanted {
    pub(super) const ALL: Wanted = Wanted { accepted: true, others: true };
    pub(super) const ACCEPTED: Wanted = Wanted { accepted: true, others: false };
    pub(super) const OTHERS: Wanted = Wanted { accepted: false, others: true };
}

/// What may happen to the packets.
pub(super) struct Fates {
    pub(super) accepted: Vec<Product>,
    pub(super) dropped: Vec<Product>,
    pub(super) passed_on: Vec<Product>,
    /// Whether every packet has one fate: then no product overlaps another.
    pub(super) certain: bool,
    /// False if the fates may be more than needed.
    pub(super) exact: bool,
}

/// Sends `universe` through the filter, of which only the relevant rows (for each chain) are looked at.
pub(super) fn evaluate(
    filter: &Filter,
    relevant: &[Vec<usize>],
    assignment: &Assignment,
    universe: &PacketSet,
    wanted: Wanted,
    budget: &mut Budget,
) -> Result<Fates, Exceeded> {
    let fates = Fates { accepted: Vec::new(), dropped: Vec::new(), passed_on: Vec::new(), certain: true, exact: true };
    let chains = filter.chains.len();
    let mut run = Run {
        filter,
        relevant,
        assignment,
        wanted,
        budget,
        fates,
        decided: vec![None; chains],
        gone: (0..chains).map(|_| None).collect(),
        deciding: vec![false; chains],
        active: vec![false; chains],
    };
    run.chain(ChainId(0), universe.products(), 0)?;
    Ok(run.fates)
}

struct Run<'a> {
    filter: &'a Filter,
    relevant: &'a [Vec<usize>],
    assignment: &'a Assignment,
    wanted: Wanted,
    budget: &'a mut Budget,
    fates: Fates,
    /// What is known of each chain, once asked.
    decided: Vec<Option<Rc<[Product]>>>,
    gone: Vec<Option<Rc<Gone>>>,
    /// The chains that [`Run::decided`] is working on, and those that packets are being sent through: to notice circles.
    deciding: Vec<bool>,
    active: Vec<bool>,
}

/// The terms of a row that take packets: surely, or possibly.
struct Takes<'a> {
    sure: Vec<&'a Product>,
    open: Vec<&'a Product>,
}

impl<'a> Takes<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Product> {
        self.sure.iter().chain(&self.open).copied()
    }
}

/// What surely does not go on behind each row of a chain.
struct Gone {
    /// In row order.
    products: Pool<'static>,
    /// For each relevant row, how many of them come from earlier rows.
    before: Vec<usize>,
}

impl<'a> Run<'a> {
    fn takes(&self, row: &'a Row) -> Takes<'a> {
        let mut takes = Takes { sure: Vec::new(), open: Vec::new() };
        for term in &row.matches.terms {
            match row.takes(term, self.assignment) {
                Some(true) => takes.sure.push(&term.product),
                Some(false) => {}
                None => takes.open.push(&term.product),
            }
        }
        takes
    }

    fn rows(&self, index: usize, chain: &'a Chain) -> impl Iterator<Item = &'a Row> + use<'a> {
        self.relevant[index].iter().map(|row| &chain.rows[*row])
    }

    /// Sends packets (disjoint products) through a chain. Those that return from it are not followed here: the caller's remainder
    /// lacks only what [`Run::decided`] says.
    fn chain(&mut self, id: ChainId, input: &[Product], depth: usize) -> Result<(), Exceeded> {
        let index = id.0 as usize;
        let chain = self.filter.chains.get(index).filter(|_| depth <= DEEPEST && !self.active[index]);
        let Some(chain) = chain else {
            self.fates.exact = false;
            self.end(End::Unknown, input.to_vec());
            return Ok(());
        };
        self.active[index] = true;
        let gone = self.gone(index, chain)?;
        let entering = Pool::new(input, gone.before.len());
        for (row, gone_before) in self.rows(index, chain).zip(&gone.before) {
            self.budget.spend(1)?;
            let takes = self.takes(row);
            let followed = match row.verdict {
                Verdict::Accept => self.wanted.accepted,
                Verdict::Drop => self.wanted.others,
                Verdict::Jump(_) | Verdict::Goto(_) | Verdict::Unknown => true,
                Verdict::Continue | Verdict::Return => false,
            };
            if !followed {
                self.fates.certain &= takes.open.is_empty();
                continue;
            }
            let mut taken = Vec::new();
            let mut surely = 0;
            for (at, product) in takes.all().enumerate() {
                for from in entering.overlapping(product, entering.len(), self.budget)? {
                    let from = entering.get(from);
                    self.budget.spend(product.work(from))?;
                    for piece in gone.products.subtract(product.intersection(from), *gone_before, self.budget)? {
                        taken.extend(subtract(piece, takes.all().take(at), self.budget)?);
                    }
                }
                if at < takes.sure.len() {
                    surely = taken.len();
                }
            }
            self.fates.certain &= surely == taken.len();
            match row.verdict {
                Verdict::Accept => self.end(End::Accept, taken),
                Verdict::Drop => self.end(End::Drop, taken),
                Verdict::Unknown => self.end(End::Unknown, taken),
                Verdict::Jump(target) | Verdict::Goto(target) if !taken.is_empty() => self.chain(target, &taken, depth + 1)?,
                _ => {}
            }
        }
        if depth == 0 {
            // Packets meet the end of the first chain however they leave it.
            if self.is_end_wanted(chain.end) {
                let decided = Pool::new(self.decided_by_rows(index, chain, 0)?.0, input.len());
                self.rest(chain.end, input, &decided)?;
            }
        } else if chain.end != End::Return && self.is_end_wanted(chain.end) {
            self.rest(chain.end, input, &gone.products)?;
        }
        self.active[index] = false;
        Ok(())
    }

    fn is_end_wanted(&self, end: End) -> bool {
        match end {
            End::Accept => self.wanted.accepted,
            End::Drop | End::Return => self.wanted.others,
            End::Unknown => true,
        }
    }

    /// Gives the end's fate to what is left of the input.
    fn rest(&mut self, end: End, input: &[Product], gone: &Pool) -> Result<(), Exceeded> {
        for product in input {
            let left = gone.subtract(product.clone(), gone.len(), self.budget)?;
            self.end(end, left);
        }
        Ok(())
    }

    /// Gives packets their fate.
    fn end(&mut self, end: End, packets: Vec<Product>) {
        if packets.is_empty() {
            return;
        }
        self.fates.certain &= end != End::Unknown;
        if matches!(end, End::Accept | End::Unknown) && self.wanted.accepted {
            self.fates.accepted.extend(packets.iter().cloned());
        }
        if matches!(end, End::Drop | End::Unknown) && self.wanted.others {
            self.fates.dropped.extend(packets.iter().cloned());
        }
        if end == End::Return && self.wanted.others {
            self.fates.passed_on.extend(packets);
        }
    }

    /// What surely does not go on behind each row.
    fn gone(&mut self, index: usize, chain: &'a Chain) -> Result<Rc<Gone>, Exceeded> {
        if let Some(known) = &self.gone[index] {
            return Ok(known.clone());
        }
        let mut products = Vec::new();
        let mut before = Vec::new();
        for row in self.rows(index, chain) {
            before.push(products.len());
            let takes = self.takes(row);
            match row.verdict {
                Verdict::Continue => {}
                Verdict::Jump(target) => {
                    let decided = self.decided(target, 1)?;
                    self.within(&takes.sure, &decided, &mut products)?;
                }
                _ => products.extend(takes.sure.into_iter().cloned()),
            }
        }
        let gone = Rc::new(Gone { products: Pool::new(products, before.len()), before });
        self.gone[index] = Some(gone.clone());
        Ok(gone)
    }

    /// The packets that never come back from a chain: a row or its end surely decides on them.
    fn decided(&mut self, id: ChainId, depth: usize) -> Result<Rc<[Product]>, Exceeded> {
        let index = id.0 as usize;
        if let Some(Some(known)) = self.decided.get(index) {
            return Ok(known.clone());
        }
        let chain = self.filter.chains.get(index).filter(|_| depth <= DEEPEST && !self.deciding[index]);
        let Some(chain) = chain else {
            self.fates.exact = false;
            return Ok(Rc::new([]));
        };
        self.deciding[index] = true;
        let (mut decided, returning) = self.decided_by_rows(index, chain, depth)?;
        if chain.end != End::Return {
            if returning.is_empty() {
                decided.clear();
            }
            decided.extend(subtract(Product::any(), &returning, self.budget)?);
        }
        self.deciding[index] = false;
        let decided: Rc<[Product]> = decided.into();
        self.decided[index] = Some(decided.clone());
        Ok(decided)
    }

    /// The packets on which rows of a chain, or chains they lead to, surely decide; and those that possibly return before its end.
    fn decided_by_rows(&mut self, index: usize, chain: &'a Chain, depth: usize) -> Result<(Vec<Product>, Vec<Product>), Exceeded> {
        let (mut decided, mut returning) = (Vec::new(), Vec::new());
        for row in self.rows(index, chain) {
            self.budget.spend(1)?;
            let takes = self.takes(row);
            let mut here: Vec<Product> = Vec::new();
            match row.verdict {
                Verdict::Accept | Verdict::Drop | Verdict::Unknown => here.extend(takes.sure.iter().copied().cloned()),
                Verdict::Jump(target) | Verdict::Goto(target) => {
                    let inside = self.decided(target, depth + 1)?;
                    self.within(&takes.sure, &inside, &mut here)?;
                }
                Verdict::Continue | Verdict::Return => {}
            }
            for product in here {
                decided.extend(subtract(product, &returning, self.budget)?);
            }
            match row.verdict {
                Verdict::Return => returning.extend(takes.all().cloned()),
                Verdict::Goto(target) => {
                    let inside = self.decided(target, depth + 1)?;
                    for product in takes.all() {
                        returning.extend(subtract(product.clone(), &*inside, self.budget)?);
                    }
                }
                _ => {}
            }
        }
        Ok((decided, returning))
    }

    /// Appends the parts of `products` that lie in one of `inside`; they may overlap.
    fn within(&mut self, products: &[&Product], inside: &[Product], parts: &mut Vec<Product>) -> Result<(), Exceeded> {
        for (product, inside) in products.iter().flat_map(|product| inside.iter().map(move |inside| (product, inside))) {
            if product.meets(inside, self.budget)? {
                self.budget.spend(product.work(inside))?;
                parts.push(product.intersection(inside));
            }
        }
        Ok(())
    }
}
