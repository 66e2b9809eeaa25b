//! The concrete run of one packet through a filter, for the proof of an answer: which row decided, through which jumps, and which
//! earlier rows could have decided instead because something in them is unknown.
//!
//! The run answers for one packet and one assignment of memberships; what a filter does to sets is [`Filter::decide`].

use super::atoms::Assignment;
use super::filter::{ChainId, DEEPEST, End, Filter, Verdict};
use super::product::Packet;

/// The most rows that are tried for one packet: chains that call each other twice each would go on for ever.
const MOST_ROWS: usize = 1_000_000;

/// A row of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowRef {
    /// The chain.
    pub chain: ChainId,
    /// Index of the row in the chain.
    pub row: usize,
}

/// What decided on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decided {
    /// A row that accepts, drops, or whose verdict is unknown.
    Row(RowRef, Verdict),
    /// The end of a chain: its default. For the first chain with [`End::Return`] the filter did not decide.
    End(ChainId, End),
    /// Nothing: this row leads in a circle, too deep, or to a chain that does not exist.
    Nowhere(RowRef),
}

/// The run of one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The jumps whose chains the decision lies in, outermost first.
    pub via: Vec<RowRef>,
    /// Rows before the decision that may match or not, in order. `decided` is what happens if none of them does.
    pub open: Vec<RowRef>,
    /// What decided.
    pub decided: Decided,
}

/// A chain being walked: where in it, and from which row it was entered.
struct Frame {
    chain: ChainId,
    next: usize,
    entered_by: Option<RowRef>,
    /// Entered by a goto: what falls out of it falls out of the caller too.
    no_return: bool,
}

impl Filter {
    /// Runs `packet` through the filter; memberships that the assignment leaves open make the row open.
    pub fn trace(&self, packet: &Packet, assignment: &Assignment) -> Trace {
        let mut frames = vec![Frame { chain: ChainId(0), next: 0, entered_by: None, no_return: false }];
        let mut open = Vec::new();
        let mut tried = 0;
        let decided = loop {
            let Some(frame) = frames.last_mut() else { break self.default() };
            let here = RowRef { chain: frame.chain, row: frame.next };
            let Some(chain) = self.chains.get(here.chain.0 as usize) else {
                break frame.entered_by.map_or(self.default(), Decided::Nowhere);
            };
            let Some(row) = chain.rows.get(here.row) else {
                if chain.end != End::Return {
                    break Decided::End(here.chain, chain.end);
                }
                leave(&mut frames);
                continue;
            };
            frame.next += 1;
            tried += 1;
            if row.verdict == Verdict::Continue || row.guard == Some(false) {
                continue;
            }
            match (row.matches.matches(packet, assignment), row.guard) {
                (Some(false), _) => continue,
                (Some(true), Some(true)) => {}
                _ => {
                    open.push(here);
                    continue;
                }
            }
            match row.verdict {
                Verdict::Accept | Verdict::Drop | Verdict::Unknown => break Decided::Row(here, row.verdict),
                Verdict::Continue => {}
                Verdict::Return => leave(&mut frames),
                Verdict::Jump(target) | Verdict::Goto(target) => {
                    let circle = frames.iter().any(|frame| frame.chain == target);
                    if circle || frames.len() > DEEPEST || tried > MOST_ROWS {
                        break Decided::Nowhere(here);
                    }
                    let no_return = matches!(row.verdict, Verdict::Goto(_));
                    frames.push(Frame { chain: target, next: 0, entered_by: Some(here), no_return });
                }
            }
        };
        Trace { via: frames.iter().filter_map(|frame| frame.entered_by).collect(), open, decided }
    }

    /// What happens to a packet that leaves the first chain by its end, a return, or a goto.
    fn default(&self) -> Decided {
        Decided::End(ChainId(0), self.chains.first().map_or(End::Unknown, |chain| chain.end))
    }
}

/// Leaves the innermost chain, and every chain left for good by a goto.
fn leave(frames: &mut Vec<Frame>) {
    while let Some(frame) = frames.pop() {
        if !frame.no_return {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::atoms::{AtomId, Literal, Match, Side, Term, Variable};
    use super::super::filter::{Chain, Row};
    use super::super::product::Product;
    use super::super::set::PacketSet;
    use super::*;

    fn packet() -> Packet {
        PacketSet::any().witness().unwrap()
    }

    fn row(verdict: Verdict) -> Row {
        Row::new(Product::any(), verdict)
    }

    fn at(chain: u32, row: usize) -> RowRef {
        RowRef { chain: ChainId(chain), row }
    }

    #[test]
    fn a_jump_is_named_and_a_return_comes_back() {
        let first =
            Chain { rows: vec![row(Verdict::Continue), row(Verdict::Jump(ChainId(1))), row(Verdict::Goto(ChainId(2)))], end: End::Accept };
        let second = Chain { rows: vec![row(Verdict::Return), row(Verdict::Drop)], end: End::Return };
        let third = Chain { rows: vec![row(Verdict::Drop)], end: End::Return };
        let filter = Filter { chains: vec![first, second, third] };
        let trace = filter.trace(&packet(), &Assignment::open());
        assert_eq!(trace.decided, Decided::Row(at(2, 0), Verdict::Drop));
        assert_eq!(trace.via, [at(0, 2)]);
    }

    #[test]
    fn a_chain_left_by_goto_is_not_resumed() {
        let first = Chain { rows: vec![row(Verdict::Jump(ChainId(1))), row(Verdict::Accept)], end: End::Drop };
        let second = Chain { rows: vec![row(Verdict::Goto(ChainId(2))), row(Verdict::Drop)], end: End::Return };
        let third = Chain { rows: vec![], end: End::Return };
        let filter = Filter { chains: vec![first, second, third] };
        assert_eq!(filter.trace(&packet(), &Assignment::open()).decided, Decided::Row(at(0, 1), Verdict::Accept));
    }

    #[test]
    fn an_open_row_is_reported_and_passed() {
        let variable = Variable { atom: AtomId(4), side: Side::Source };
        let term = Term { product: Product::any(), literals: vec![Literal { variable, member: true }] };
        let unmodelled = Row { guard: None, ..row(Verdict::Accept) };
        let filter = Filter::of(vec![unmodelled, Row::new(Match { terms: vec![term] }, Verdict::Drop)], End::Accept);
        let trace = filter.trace(&packet(), &Assignment::open());
        assert_eq!((trace.open, trace.decided), (vec![at(0, 0), at(0, 1)], Decided::End(ChainId(0), End::Accept)));
        let trace = filter.trace(&packet(), &Assignment::of([(variable, true)]));
        assert_eq!((trace.open, trace.decided), (vec![at(0, 0)], Decided::Row(at(0, 1), Verdict::Drop)));
    }

    #[test]
    fn circles_missing_chains_and_endless_calls_end() {
        let calls =
            |target: u32| Chain { rows: vec![row(Verdict::Jump(ChainId(target))), row(Verdict::Jump(ChainId(target)))], end: End::Return };
        let circle = Filter { chains: vec![calls(1), calls(0)] };
        assert_eq!(circle.trace(&packet(), &Assignment::open()).decided, Decided::Nowhere(at(1, 0)));
        let missing = Filter { chains: vec![calls(7)] };
        assert_eq!(missing.trace(&packet(), &Assignment::open()).decided, Decided::Nowhere(at(0, 0)));
        let mut chains: Vec<Chain> = (1..40).map(calls).collect();
        chains.push(Chain { rows: vec![], end: End::Return });
        assert!(matches!(Filter { chains }.trace(&packet(), &Assignment::open()).decided, Decided::Nowhere(_)));
        assert_eq!(Filter { chains: vec![] }.trace(&packet(), &Assignment::open()).decided, Decided::End(ChainId(0), End::Unknown));
    }

    #[test]
    fn what_leaves_the_first_chain_meets_its_end() {
        let gone = Chain { rows: vec![], end: End::Return };
        for verdict in [Verdict::Return, Verdict::Goto(ChainId(1))] {
            let filter = Filter { chains: vec![Chain { rows: vec![row(verdict), row(Verdict::Accept)], end: End::Drop }, gone.clone()] };
            assert_eq!(filter.trace(&packet(), &Assignment::open()).decided, Decided::End(ChainId(0), End::Drop));
        }
    }
}
