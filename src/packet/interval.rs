//! Sets of integers as sorted, disjoint, non-adjacent, inclusive ranges.
//!
//! One dimension of a packet set: ports, addresses, service keys. Not a general interval map, and it knows nothing of packets.
//! Invariant: ranges ascend and at least one value lies between two of them, so that equal sets have equal representations;
//! ends are inclusive, so that the full set needs no value past the last one. The empty set and single ranges take no allocation,
//! and a clone never copies ranges: address groups are shared by thousands of filter rows.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// An unsigned integer that ranges are made of.
pub trait Point: Copy + Ord + fmt::Debug {
    /// The smallest value.
    const MIN: Self;
    /// The largest value.
    const MAX: Self;
    /// The next value; the largest stays.
    fn up(self) -> Self;
    /// The value before; the smallest stays.
    fn down(self) -> Self;
    /// As the widest integer, for counting.
    fn wide(self) -> u128;
}

macro_rules! point {
    ($($integer:ty),*) => {$(
        impl Point for $integer {
            const MIN: Self = <$integer>::MIN;
            const MAX: Self = <$integer>::MAX;
            fn up(self) -> Self {
                self.saturating_add(1)
            }
            fn down(self) -> Self {
                self.saturating_sub(1)
            }
            fn wide(self) -> u128 {
                u128::from(self)
            }
        }
    )*};
}
point!(u16, u32, u128);

/// A set of integers: sorted, disjoint, non-adjacent, inclusive ranges.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Intervals<T> {
    ranges: Ranges<T>,
}

/// `Many` holds two ranges or more: equality compares representations.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Ranges<T> {
    None,
    One([(T, T); 1]),
    Many(Arc<[(T, T)]>),
}

impl<T: Point> Intervals<T> {
    /// The empty set.
    pub const fn empty() -> Self {
        Intervals { ranges: Ranges::None }
    }

    /// Every value of `T`.
    pub const fn full() -> Self {
        Intervals { ranges: Ranges::One([(T::MIN, T::MAX)]) }
    }

    /// The set of one value.
    pub const fn single(value: T) -> Self {
        Intervals { ranges: Ranges::One([(value, value)]) }
    }

    /// The values from `first` to `last`, both included; empty if `first` is greater.
    pub fn range(first: T, last: T) -> Self {
        if first > last { Intervals::empty() } else { Intervals { ranges: Ranges::One([(first, last)]) } }
    }

    /// The union of inclusive ranges in any order, overlapping or not; a range whose first value is greater than its last holds nothing.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut ranges: Vec<(T, T)> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        ranges.sort_unstable();
        let mut merged = Merged::with_capacity(ranges.len());
        ranges.into_iter().for_each(|range| merged.push(range));
        merged.finish()
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[(T, T)] {
        match &self.ranges {
            Ranges::None => &[],
            Ranges::One(one) => one,
            Ranges::Many(many) => many,
        }
    }

    /// Whether no value is in the set.
    pub fn is_empty(&self) -> bool {
        matches!(self.ranges, Ranges::None)
    }

    /// Whether every value of `T` is in the set.
    pub fn is_full(&self) -> bool {
        matches!(self.ranges, Ranges::One([(first, last)]) if first == T::MIN && last == T::MAX)
    }

    /// The smallest value.
    pub fn first(&self) -> Option<T> {
        self.ranges().first().map(|range| range.0)
    }

    /// The largest value.
    pub fn last(&self) -> Option<T> {
        self.ranges().last().map(|range| range.1)
    }

    /// Whether `value` is in the set.
    pub fn contains(&self, value: T) -> bool {
        let ranges = self.ranges();
        let at = ranges.partition_point(|range| range.1 < value);
        ranges.get(at).is_some_and(|range| range.0 <= value)
    }

    /// How many values the set holds; `u128::MAX` also stands for one more (all IPv6 addresses).
    pub fn count(&self) -> u128 {
        self.ranges().iter().fold(0, |sum: u128, (first, last)| sum.saturating_add(last.wide() - first.wide()).saturating_add(1))
    }

    /// The values in either set.
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() || other.is_full() || self.is_same(other) {
            return other.clone();
        }
        if other.is_empty() || self.is_full() {
            return self.clone();
        }
        let (mut left, mut right) = (self.ranges(), other.ranges());
        let mut merged = Merged::with_capacity(left.len() + right.len());
        loop {
            match (left, right) {
                ([a, rest @ ..], [b, ..]) if a.0 <= b.0 => {
                    merged.push(*a);
                    left = rest;
                }
                (_, [b, rest @ ..]) => {
                    merged.push(*b);
                    right = rest;
                }
                ([a, rest @ ..], []) => {
                    merged.push(*a);
                    left = rest;
                }
                ([], []) => return merged.finish(),
            }
        }
    }

    /// The values in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        if self.is_empty() || other.covers_span_of(self) || self.is_same(other) {
            return self.clone();
        }
        if other.is_empty() || self.covers_span_of(other) {
            return other.clone();
        }
        let (mut left, mut right) = (self.within_span_of(other), other.within_span_of(self));
        let mut kept = Merged::with_capacity(left.len() + right.len());
        while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
            let both = (a.0.max(b.0), a.1.min(b.1));
            if both.0 <= both.1 {
                kept.push(both);
            }
            if a.1 <= b.1 {
                left = left_rest;
            } else {
                right = right_rest;
            }
        }
        kept.finish()
    }

    /// The values of this set that are not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        if self.is_empty() || other.covers_span_of(self) || self.is_same(other) {
            return Intervals::empty();
        }
        let mut cuts = other.within_span_of(self);
        if cuts.is_empty() {
            return self.clone();
        }
        let mut kept = Merged::with_capacity(self.ranges().len() + cuts.len());
        for &(mut first, last) in self.ranges() {
            while let [cut, rest @ ..] = cuts
                && cut.1 < first
            {
                cuts = rest;
            }
            // A cut may reach into the next range: it is dropped only once it lies wholly before one.
            let mut whole = true;
            for cut in cuts.iter().take_while(|cut| cut.0 <= last) {
                if cut.0 > first {
                    kept.push((first, cut.0.down()));
                }
                if cut.1 >= last {
                    whole = false;
                    break;
                }
                first = cut.1.up();
            }
            if whole {
                kept.push((first, last));
            }
        }
        kept.finish()
    }

    /// The values of `T` that are not in the set.
    pub fn complement(&self) -> Self {
        Intervals::full().difference(self)
    }

    /// Whether every value of this set is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        if self.is_same(other) {
            return true;
        }
        let mut holders = other.ranges();
        self.ranges().iter().all(|range| {
            let at = holders.partition_point(|holder| holder.1 < range.1);
            holders = &holders[at..];
            holders.first().is_some_and(|holder| holder.0 <= range.0)
        })
    }

    /// Whether some value is in both sets.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut left, mut right) = match (&self.ranges, &other.ranges) {
            (Ranges::None, _) | (_, Ranges::None) => return false,
            (Ranges::One([a]), Ranges::One([b])) => return a.0 <= b.1 && b.0 <= a.1,
            (Ranges::Many(a), Ranges::Many(b)) if a.len() + b.len() <= 64 => (&a[..], &b[..]),
            _ => (self.within_span_of(other), other.within_span_of(self)),
        };
        while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
            match (a.1.cmp(&b.0), b.1.cmp(&a.0)) {
                (Ordering::Less, _) => left = left_rest,
                (_, Ordering::Less) => right = right_rest,
                _ => return true,
            }
        }
        false
    }

    /// The ranges that touch the span from `other`'s first value to its last; binary search keeps "one host in a long list" cheap.
    fn within_span_of(&self, other: &Self) -> &[(T, T)] {
        let ranges = self.ranges();
        let (Some(first), Some(last)) = (other.first(), other.last()) else { return &[] };
        let from = ranges.partition_point(|range| range.1 < first);
        let ranges = &ranges[from..];
        &ranges[..ranges.partition_point(|range| range.0 <= last)]
    }

    /// Whether this is one range that holds all of `other`; false for an empty `other`.
    fn covers_span_of(&self, other: &Self) -> bool {
        match (&self.ranges, other.first(), other.last()) {
            (Ranges::One([(first, last)]), Some(other_first), Some(other_last)) => *first <= other_first && other_last <= *last,
            _ => false,
        }
    }

    /// Whether both are surely one set, without comparing shared ranges.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.ranges, &other.ranges) {
            (Ranges::None, Ranges::None) => true,
            (Ranges::One(a), Ranges::One(b)) => a == b,
            (Ranges::Many(a), Ranges::Many(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl<T: Point> Default for Intervals<T> {
    fn default() -> Self {
        Intervals::empty()
    }
}

impl<T: Point> fmt::Debug for Intervals<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.ranges().iter().map(|(first, last)| *first..=*last)).finish()
    }
}

/// Collects ranges in ascending order of their first value and joins those that overlap or touch.
struct Merged<T> {
    ranges: Vec<(T, T)>,
}

impl<T: Point> Merged<T> {
    fn with_capacity(capacity: usize) -> Self {
        Merged { ranges: Vec::with_capacity(capacity) }
    }

    fn push(&mut self, range: (T, T)) {
        match self.ranges.last_mut() {
            Some(last) if range.0 <= last.1.up() => last.1 = last.1.max(range.1),
            _ => self.ranges.push(range),
        }
    }

    fn finish(self) -> Intervals<T> {
        let ranges = match self.ranges[..] {
            [] => Ranges::None,
            [one] => Ranges::One([one]),
            _ => Ranges::Many(Arc::from(self.ranges)),
        };
        Intervals { ranges }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SMALL: u16 = 24;

    /// Sets near both ends of the domain, so that overflow shows.
    fn set() -> impl Strategy<Value = Intervals<u16>> {
        prop::collection::vec((0..SMALL, 0..SMALL, any::<bool>()), 0..6).prop_map(|ranges| {
            Intervals::from_ranges(ranges.into_iter().map(|(a, b, high)| {
                let (first, last) = (a.min(b), a.max(b));
                if high { (u16::MAX - last, u16::MAX - first) } else { (first, last) }
            }))
        })
    }

    fn domain() -> impl Iterator<Item = u16> {
        (0..=SMALL).chain(u16::MAX - SMALL..=u16::MAX)
    }

    fn is_normal(set: &Intervals<u16>) -> bool {
        set.ranges().iter().all(|range| range.0 <= range.1)
            && set.ranges().windows(2).all(|pair| u32::from(pair[0].1) + 1 < u32::from(pair[1].0))
    }

    proptest! {
        #[test]
        fn operations_agree_with_membership(a in set(), b in set()) {
            let (union, both, only, rest) = (a.union(&b), a.intersection(&b), a.difference(&b), a.complement());
            for set in [&a, &union, &both, &only, &rest] {
                prop_assert!(is_normal(set), "{set:?}");
            }
            for value in domain() {
                let (in_a, in_b) = (a.contains(value), b.contains(value));
                prop_assert_eq!(union.contains(value), in_a || in_b);
                prop_assert_eq!(both.contains(value), in_a && in_b);
                prop_assert_eq!(only.contains(value), in_a && !in_b);
                prop_assert_eq!(rest.contains(value), !in_a);
            }
            prop_assert_eq!(a.overlaps(&b), domain().any(|value| a.contains(value) && b.contains(value)));
            prop_assert_eq!(a.is_subset(&b), domain().all(|value| !a.contains(value) || b.contains(value)));
            prop_assert_eq!(a.is_empty(), a.count() == 0);
        }

        #[test]
        fn equal_sets_have_equal_representations(a in set(), b in set()) {
            prop_assert_eq!(a.union(&b), b.union(&a));
            prop_assert_eq!(a.complement().complement(), a.clone());
            prop_assert_eq!(a.union(&b).complement(), a.complement().intersection(&b.complement()));
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a);
        }

        #[test]
        fn count_is_the_number_of_members(a in set()) {
            let listed: usize = a.ranges().iter().map(|(first, last)| (*first..=*last).count()).sum();
            prop_assert_eq!(a.count(), listed as u128);
        }
    }

    #[test]
    fn full_ranges_do_not_overflow() {
        let full = Intervals::<u128>::full();
        assert!(full.is_full() && full.complement().is_empty() && full.contains(u128::MAX));
        assert_eq!(full.count(), u128::MAX);
        assert_eq!(full.difference(&Intervals::single(0)).union(&Intervals::single(0)), full);
        assert_eq!(Intervals::<u32>::full().count(), 1 << 32);
    }

    #[test]
    fn adjacent_and_reversed_ranges_are_normalised() {
        assert_eq!(Intervals::from_ranges([(5u16, 6), (1, 4), (9, 8)]), Intervals::range(1, 6));
        assert!(Intervals::range(2u16, 1).is_empty());
    }
}
