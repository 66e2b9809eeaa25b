//! Rows that no packet can reach because earlier rows of their chain take everything they match.
//!
//! For each row a depth-first search looks for one packet that passes all earlier rows; the first such packet ends the search, and only a
//! search that ends without one calls the row covered. Memberships in atoms are dimensions of the search like any other: a row that denies
//! a feed covers a later row that permits the same feed. Rows whose guard is unknown take nothing surely and cover nothing.

use super::atoms::{Literal, Term};
use super::filter::{Row, Verdict};
use super::index::Index;
use super::product::{Packet, Product};
use super::set::PacketSet;
use super::{Budget, Exceeded, Intervals, Point};
use std::collections::BTreeSet;

/// Ranges in one dimension from which on a piece is searched in halves: pieces stay cheap, and half of one is as likely to survive.
/// Without this the row for everything that follows 10,000 rows of one host each runs into the work bound, and with it takes 13 ms.
const MOST_RANGES: usize = 32;

/// How much the search may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Units of work for one row.
    pub per_row: u64,
    /// Units of work for all rows together.
    pub total: u64,
}

impl Default for Effort {
    /// Enough for ten thousand rows; used up within seconds.
    fn default() -> Self {
        Effort { per_row: 2_000_000, total: 20_000_000 }
    }
}

/// Whether packets reach a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A packet reaches it, or it cannot be excluded that one does.
    Live {
        /// One such packet.
        witness: Packet,
        /// The memberships that this packet has.
        given: Vec<Literal>,
    },
    /// Surely no packet reaches it.
    Covered {
        /// The earlier rows that take its packets, ascending; each takes some.
        by: Vec<usize>,
        /// Whether one of them does something else with them than this row would.
        verdicts_differ: bool,
    },
    /// It matches no packet in the first place, or its guard never holds.
    Empty,
    /// The search was too long.
    Unknown,
}

/// For each row of a chain, whether packets reach it.
pub fn shadowed(rows: &[Row], effort: Effort) -> Vec<Reach> {
    let takes =
        |row: &Row| row.guard == Some(true) && matches!(row.verdict, Verdict::Accept | Verdict::Drop | Verdict::Goto(_) | Verdict::Return);
    let taking = rows.iter().enumerate().filter(|(_, row)| takes(row));
    let takers: Vec<Taker> = taking.flat_map(|(index, row)| row.matches.terms.iter().map(move |term| Taker { row: index, term })).collect();
    let index = Index::new(&takers.iter().map(|taker| &taker.term.product).collect::<Vec<_>>());
    let mut total = Budget::new(effort.total);
    let mut search = |at: usize| {
        let mut budget = Budget::new(effort.per_row.min(total.left()));
        let before = budget.left();
        let reach = Search { rows, takers: &takers, index: &index, budget: &mut budget }.reach(at);
        // A row spends no more than is left, so that this cannot fail.
        let _ = total.spend(before - budget.left());
        reach.unwrap_or(Reach::Unknown)
    };
    (0..rows.len()).map(&mut search).collect()
}

/// A term of an earlier row: the packets it matches go no further.
struct Taker<'a> {
    row: usize,
    term: &'a Term,
}

impl Taker<'_> {
    /// Whether every packet of `term` is taken, if no earlier row takes it.
    fn takes_all_of(&self, term: &Term) -> bool {
        self.term.literals.iter().all(|literal| term.literals.contains(literal)) && term.product.is_subset(&self.term.product)
    }
}

/// The packets of a product that have these memberships and still have to pass the takers from an index on.
struct Piece {
    product: Product,
    literals: Vec<Literal>,
    next: usize,
}

/// The search for packets that reach rows.
struct Search<'a> {
    rows: &'a [Row],
    takers: &'a [Taker<'a>],
    index: &'a Index,
    budget: &'a mut Budget,
}

impl<'a> Search<'a> {
    fn reach(&mut self, at: usize) -> Result<Reach, Exceeded> {
        let row = &self.rows[at];
        let terms = row.matches.terms.iter().filter(|term| !term.product.is_empty() && !contradicts(&[], &term.literals));
        let terms: Vec<&Term> = terms.collect();
        if row.guard == Some(false) || terms.is_empty() {
            return Ok(Reach::Empty);
        }
        let end = self.takers.partition_point(|taker| taker.row < at);
        let mut by = BTreeSet::new();
        for term in terms {
            let likely = self.index.candidates(&term.product, end);
            self.budget.spend(1 + end as u64 / 64)?;
            let mut takers: Vec<&Taker> = Vec::new();
            for taker in likely.into_iter().map(|candidate| &self.takers[candidate]) {
                if taker.term.product.meets(&term.product, self.budget)? {
                    takers.push(taker);
                }
            }
            if let Some(whole) = takers.iter().position(|taker| taker.takes_all_of(term)) {
                self.takers_before(term, &takers[..=whole], &mut by)?;
                continue;
            }
            let Some(survivor) = survivor(term, &takers, &mut by, self.budget)? else { continue };
            let witness = PacketSet::from(survivor.product).witness();
            return Ok(witness.map_or(Reach::Unknown, |witness| Reach::Live { witness, given: survivor.literals }));
        }
        let by: Vec<usize> = by.into_iter().collect();
        let verdicts_differ = by.iter().any(|taker| self.rows[*taker].verdict != row.verdict);
        Ok(Reach::Covered { by, verdicts_differ })
    }

    /// Adds to `by` the takers that take some packet of `term`, the last of which takes all that is left.
    ///
    /// One packet is looked for behind each of them: cutting the term by all of them in turn costs ten times as much for rows that
    /// lie inside a wide one and meet hundreds of others before it.
    fn takers_before(&mut self, term: &Term, takers: &[&Taker], by: &mut BTreeSet<usize>) -> Result<(), Exceeded> {
        for (at, taker) in takers.iter().enumerate().filter(|(_, taker)| !contradicts(&term.literals, &taker.term.literals)) {
            self.budget.spend(term.product.work(&taker.term.product))?;
            let mut literals = term.literals.clone();
            literals.extend(taker.term.literals.iter().filter(|literal| !term.literals.contains(literal)));
            let taken = Term { product: term.product.intersection(&taker.term.product), literals };
            if !by.contains(&taker.row) && survivor(&taken, &takers[..at], &mut BTreeSet::new(), self.budget)?.is_some() {
                by.insert(taker.row);
            }
        }
        Ok(())
    }
}

/// A part of `term` that no taker takes, or the takers that leave nothing, each of which has taken something.
fn survivor(term: &Term, takers: &[&Taker], by: &mut BTreeSet<usize>, budget: &mut Budget) -> Result<Option<Piece>, Exceeded> {
    let mut pieces = vec![Piece { product: term.product.clone(), literals: term.literals.clone(), next: 0 }];
    while let Some(mut piece) = pieces.pop() {
        let taker = loop {
            let Some(taker) = takers.get(piece.next) else { return Ok(Some(piece)) };
            piece.next += 1;
            if piece.product.meets(&taker.term.product, budget)? && !contradicts(&piece.literals, &taker.term.literals) {
                break taker;
            }
        };
        budget.spend(piece.product.work(&taker.term.product))?;
        if let Some(half) = split_off_half(&mut piece.product) {
            piece.next -= 1;
            pieces.push(Piece { product: half, literals: piece.literals.clone(), next: piece.next });
            pieces.push(piece);
            continue;
        }
        let next = piece.next;
        by.insert(taker.row);
        let mut outside = Vec::new();
        let inside = piece.product.cut(&taker.term.product, &mut outside);
        pieces.extend(outside.into_iter().map(|product| Piece { product, literals: piece.literals.clone(), next }));
        // Inside its product the taker still leaves what lacks one of its memberships: split by the first that is lacking.
        let mut literals = piece.literals;
        for required in &taker.term.literals {
            if !literals.contains(required) {
                let mut lacking = literals.clone();
                lacking.push(Literal { member: !required.member, ..*required });
                pieces.push(Piece { product: inside.clone(), literals: lacking, next });
                literals.push(*required);
            }
        }
    }
    Ok(None)
}

/// Whether two conjunctions of memberships, or the second in itself, cannot hold together.
fn contradicts(a: &[Literal], b: &[Literal]) -> bool {
    let refutes = |x: &Literal, y: &Literal| x.variable == y.variable && x.member != y.member;
    b.iter().any(|y| a.iter().chain(b).any(|x| refutes(x, y)))
}

/// Halves a product in its first dimension of many ranges.
fn split_off_half(product: &mut Product) -> Option<Product> {
    // A half by addresses of one family is without the other family, which stays in the first half.
    macro_rules! split {
        ($($($dimension:ident).+ $(without $side:ident.$family:ident)?),*) => {$(
            if product.$($dimension).+.ranges().len() > MOST_RANGES {
                let (low, high) = halves(&product.$($dimension).+);
                let mut half = product.clone();
                half.$($dimension).+ = high;
                $(half.$side.$family = Intervals::empty();)?
                product.$($dimension).+ = low;
                return Some(half);
            }
        )*};
    }
    split!(src.v4 without src.v6, src.v6 without src.v4, dst.v4 without dst.v6, dst.v6 without dst.v4, svc, sport, iface);
    None
}

fn halves<T: Point>(set: &Intervals<T>) -> (Intervals<T>, Intervals<T>) {
    let (low, high) = set.ranges().split_at(set.ranges().len() / 2);
    (Intervals::from_ranges(low.iter().copied()), Intervals::from_ranges(high.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{AddrSet, service};

    fn row(first: u32, last: u32, verdict: Verdict) -> Row {
        let src = AddrSet { v4: Intervals::range(first, last), v6: Intervals::empty() };
        Row::new(Product::new(src, AddrSet::any(), service::any()), verdict)
    }

    #[test]
    fn only_rows_that_took_packets_are_named_and_compared() {
        let rows = [
            row(0, 9, Verdict::Accept),
            row(50, 60, Verdict::Drop),
            row(5, 20, Verdict::Accept),
            row(3, 12, Verdict::Accept),
            row(15, 55, Verdict::Accept),
            row(0, 60, Verdict::Accept),
        ];
        let reaches = shadowed(&rows, Effort::default());
        assert_eq!(reaches[3], Reach::Covered { by: vec![0, 2], verdicts_differ: false });
        assert!(matches!(reaches[4], Reach::Live { witness, .. } if rows[4].matches.terms[0].product.contains(&witness)));
        assert_eq!(reaches[5], Reach::Covered { by: vec![0, 1, 2, 4], verdicts_differ: true });
    }

    #[test]
    fn rows_that_may_not_match_or_come_back_cover_nothing() {
        let mut schedule = row(0, 9, Verdict::Drop);
        schedule.guard = None;
        let jump = row(0, 9, Verdict::Jump(crate::packet::ChainId(1)));
        let mut never = row(0, 9, Verdict::Accept);
        never.guard = Some(false);
        let rows = [schedule, jump, row(0, 9, Verdict::Continue), row(0, 9, Verdict::Unknown), never, row(0, 9, Verdict::Accept)];
        let reaches = shadowed(&rows, Effort::default());
        assert_eq!(reaches[4], Reach::Empty);
        assert!(matches!(reaches[5], Reach::Live { .. }));
        assert_eq!(shadowed(&[Row::new(crate::packet::Match::default(), Verdict::Accept)], Effort::default()), [Reach::Empty]);
    }

    #[test]
    fn a_search_that_is_too_long_is_unknown_and_the_rest_is_still_judged() {
        let mut rows: Vec<Row> = (0..200).map(|host| row(host * 2, host * 2, Verdict::Accept)).collect();
        rows.push(row(0, 399, Verdict::Accept));
        rows.push(row(4, 4, Verdict::Accept));
        let reaches = shadowed(&rows, Effort { per_row: 200, total: 1_000_000 });
        assert_eq!(reaches[200], Reach::Unknown);
        assert_eq!(reaches[201], Reach::Covered { by: vec![2], verdicts_differ: false });
        assert!(shadowed(&rows, Effort { per_row: 200, total: 0 }).iter().all(|reach| *reach == Reach::Unknown));
    }

    #[test]
    fn the_one_host_left_of_a_large_group_is_found() {
        let v4: Vec<u32> = (0..100).map(|at| at * 2).collect();
        let v6: Vec<u128> = (0..70).map(|at| at * 2).collect();
        let group = |without_v4: Option<u32>, without_v6: Option<u128>| AddrSet {
            v4: Intervals::from_ranges(v4.iter().filter(|host| Some(**host) != without_v4).map(|host| (*host, *host))),
            v6: Intervals::from_ranges(v6.iter().filter(|host| Some(**host) != without_v6).map(|host| (*host, *host))),
        };
        let row = |src: AddrSet| Row::new(Product::new(src, AddrSet::any(), service::any()), Verdict::Accept);
        // Two rows take the group together, so that the search has to cut.
        let low = AddrSet { v4: Intervals::range(0, 101), v6: Intervals::range(0, 51) };
        let judge = |taken: AddrSet| {
            let rows = [row(taken.intersection(&low)), row(taken.difference(&low)), row(group(None, None))];
            shadowed(&rows, Effort::default())[2].clone()
        };
        assert_eq!(judge(group(None, None)), Reach::Covered { by: vec![0, 1], verdicts_differ: false });
        let left = |reach| match reach {
            Reach::Live { witness, .. } => Some(witness.src),
            _ => None,
        };
        for host in &v4 {
            assert_eq!(left(judge(group(Some(*host), None))), Some(std::net::Ipv4Addr::from(*host).into()));
        }
        for host in &v6 {
            assert_eq!(left(judge(group(None, Some(*host)))), Some(std::net::Ipv6Addr::from(*host).into()));
        }
    }
}
