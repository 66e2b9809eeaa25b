//! The exact algebra of packet sets and the evaluator of ordered filters over it.
//!
//! A packet is a point: source and destination address of one family, service, source port, inbound interface, connection state. A
//! [`PacketSet`] is a list of disjoint [`Product`]s; a [`Filter`] is ordered rows whose matches may hold unmodelled conditions and sets of
//! unknown content ([`AtomId`]), and evaluates to [`Bounds`]. Nothing here knows a configuration, an appliance or the intermediate form.
//! Every answer is exact or says that it is not, and all work counts against a [`Budget`]: an input made to be slow ends in [`Exceeded`].

mod address;
mod atoms;
#[cfg(test)]
mod brute;
pub mod class;
mod evaluate;
mod filter;
mod index;
mod interval;
mod last_match;
mod product;
pub mod service;
mod set;
mod shadow;
mod trace;
mod witness;

pub use address::AddrSet;
pub use atoms::{AddrMatch, Assignment, AtomId, Bounds, Literal, MOST_VARIABLES, Match, Side, Term, Variable};
pub use class::Class;
pub use filter::{Case, Chain, ChainId, Decision, End, Filter, Row, Verdict};
pub use interval::{Intervals, Point};
pub use last_match::{LastMatchRow, NotOrderable, first_match};
pub use product::{Packet, Product, STATE_ESTABLISHED, STATE_NEW};
pub use set::PacketSet;
pub use shadow::{Effort, Reach, shadowed};
pub use trace::{Decided, RowRef, Trace};

/// The work bound of an operation was reached before its answer was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the work bound for packet sets is used up")]
pub struct Exceeded;

/// How much work operations may still do, in units of about one product operation (well under a microsecond each).
///
/// One budget may serve many operations, so that a whole question is bounded, not each of its steps.
#[derive(Clone, Debug)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// A budget of `units`.
    pub fn new(units: u64) -> Self {
        Budget { left: units }
    }

    /// The units that are left.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Takes `units` out, or all that is left and fails.
    pub(crate) fn spend(&mut self, units: u64) -> Result<(), Exceeded> {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Exceeded)
            }
        }
    }
}

impl Default for Budget {
    /// Enough for filters of tens of thousands of rows; used up within seconds.
    fn default() -> Self {
        Budget::new(10_000_000)
    }
}
