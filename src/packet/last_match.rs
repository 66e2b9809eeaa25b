//! Lists in which the last matching row decides unless an earlier one says "quick" (pf), as lists in which the first decides.
//!
//! A packet's fate is that of its first quick row, else of its last row: so the quick rows in order, then the others reversed, are the
//! same filter. Rows that jump have no place in such a list.

use super::filter::{Row, Verdict};

/// A row of a list that is evaluated to its end.
#[derive(Clone, Debug)]
pub struct LastMatchRow {
    /// The row.
    pub row: Row,
    /// Whether a match ends the evaluation.
    pub quick: bool,
}

/// A row that sends packets elsewhere (its index), whose effect in a last-match list has no first-match order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {0} of a last-match list leaves the list")]
pub struct NotOrderable(pub usize);

/// The rows in first-match order, and for each its index in the list given.
pub fn first_match(rows: Vec<LastMatchRow>) -> Result<(Vec<Row>, Vec<usize>), NotOrderable> {
    let leaves = |verdict| matches!(verdict, Verdict::Jump(_) | Verdict::Goto(_) | Verdict::Return);
    if let Some(at) = rows.iter().position(|listed| leaves(listed.row.verdict)) {
        return Err(NotOrderable(at));
    }
    let (quick, mut others): (Vec<_>, Vec<_>) = rows.into_iter().enumerate().partition(|(_, listed)| listed.quick);
    others.reverse();
    Ok(quick.into_iter().chain(others).map(|(index, listed)| (listed.row, index)).unzip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Match, filter::ChainId};

    fn rows(list: &[(Verdict, bool)]) -> Vec<LastMatchRow> {
        list.iter().map(|(verdict, quick)| LastMatchRow { row: Row::new(Match::any(), *verdict), quick: *quick }).collect()
    }

    #[test]
    fn quick_rows_come_first_and_the_others_reversed() {
        let list = rows(&[(Verdict::Drop, false), (Verdict::Accept, true), (Verdict::Accept, false), (Verdict::Drop, true)]);
        let (_, order) = first_match(list).unwrap();
        assert_eq!(order, [1, 3, 2, 0]);
    }

    #[test]
    fn a_row_that_jumps_is_refused() {
        let list = rows(&[(Verdict::Drop, false), (Verdict::Jump(ChainId(1)), false)]);
        assert_eq!(first_match(list).unwrap_err(), NotOrderable(1));
    }
}
