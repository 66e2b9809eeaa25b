//! How rows meet translated packets: by the state of the connection, or by a mark that a translation set.
//!
//! A mark that comes from elsewhere makes the row one that may or may not match.

use super::condition::{Condition, MarkTest, all_of};
use super::filter::Place;
use super::nat::holds;
use super::{Lowering, Target};
use crate::ir::filter::{AddrExpr, Guard};
use crate::ir::nat::NatIx;

/// How a row meets translated packets.
pub(super) enum Via {
    /// It does not ask.
    Anything,
    /// Only packets that were not translated.
    None,
    /// Only what these translations gave.
    Only(Vec<NatIx>),
}

pub(super) fn translated(l: &Lowering<'_>, place: Place, condition: &Condition, guards: &mut Vec<Guard>, never: &mut bool) -> Via {
    let early = matches!(place, Place::Raw | Place::Arrival);
    let mut via = match condition.translated {
        None => Via::Anything,
        Some(_) if place == Place::Raw && condition.untracked.is_some() => Via::Anything,
        Some(true) if early => {
            *never = true;
            Via::Anything
        }
        Some(true) => Via::Only((0..l.device.nat.rules.len() as u32).map(NatIx).collect()),
        Some(false) => Via::None,
    };
    for test in &condition.marks {
        match by_mark(l, test).filter(|_| !early) {
            Some(list) => {
                via = match via {
                    Via::Only(before) => Via::Only(before.into_iter().filter(|n| list.contains(n)).collect()),
                    _ => Via::Only(list),
                };
            }
            None => guards.push(Guard::Unmodelled(test.span, "mark".to_owned())),
        }
    }
    via
}

/// The translations that alone set the mark a test asks for; `None` where marks come from elsewhere.
fn by_mark(l: &Lowering<'_>, test: &MarkTest) -> Option<Vec<NatIx>> {
    let fits = |mark: u32| mark & test.mask == test.value & test.mask;
    let elsewhere = l.other_marks.iter().any(|m| m.is_none_or(fits));
    if test.negated || elsewhere || fits(0) {
        return None;
    }
    let list: Vec<NatIx> = l.marked.iter().filter(|(mark, _)| fits(**mark)).flat_map(|(_, list)| list.iter().copied()).collect();
    (!list.is_empty()).then_some(list)
}

/// Of translations, those whose target the destinations of a row hold, and whether that is sure.
pub(super) fn aimed(l: &Lowering<'_>, list: Vec<NatIx>, dst: &[AddrExpr]) -> (Vec<NatIx>, bool) {
    if dst.is_empty() {
        return (list, true);
    }
    let wanted = all_of(dst);
    let mut sure = true;
    let kept = list.into_iter().filter(|n| {
        let target = l.device.nat.rules.get(n.0 as usize).and_then(|r| r.to.get());
        let answer = match target {
            Some(AddrExpr::Range(a, b)) => match (holds(&wanted, *a), holds(&wanted, *b)) {
                (Some(x), Some(y)) if a == b || x == y => Some(x && y),
                _ => None,
            },
            _ => None,
        };
        sure &= answer.is_some();
        answer != Some(false)
    });
    (kept.collect(), sure)
}

/// Where marks are set other than by a translation.
pub(super) fn marks(l: &mut Lowering<'_>) {
    for chain in &l.rules.chains {
        for row in &chain.rows {
            if let Some(mark) = row.sets_mark
                && !matches!(row.target, Target::Destination(_))
            {
                l.other_marks.push(mark);
            }
        }
    }
}
