//! A prefilter: which of many products may overlap a given one, without testing each.
//!
//! Every address family and side, and the services, are cut into buckets of about equally many range ends, with a bit for each product that
//! touches the bucket; a query is a few unions and intersections of bit rows. Candidates are a superset, in ascending order: the
//! caller still tests them. At 10,000 filter rows this is the difference between 50 million overlap tests and half a million.

use super::interval::{Intervals, Point};
use super::product::Product;
use super::set::subtract;
use super::{Budget, Exceeded};
use std::borrow::{Borrow, Cow};

/// The most buckets of one dimension.
const MOST_BUCKETS: usize = 1024;
/// The fewest, even where bit rows are long.
const FEWEST_BUCKETS: usize = 64;
/// The most words of bits in one dimension, unless the fewest buckets take more.
const MOST_WORDS: usize = 1 << 20;

/// The bucket index of a list of products.
pub(super) struct Index {
    words: usize,
    src_v4: Axis<u32>,
    dst_v4: Axis<u32>,
    src_v6: Axis<u128>,
    dst_v6: Axis<u128>,
    svc: Axis<u32>,
}

impl Index {
    /// The index of `products`, which queries name by their position.
    pub(super) fn new<P: Borrow<Product>>(products: &[P]) -> Self {
        Index {
            words: products.len().div_ceil(64),
            src_v4: Axis::new(products, |product| &product.src.v4),
            dst_v4: Axis::new(products, |product| &product.dst.v4),
            src_v6: Axis::new(products, |product| &product.src.v6),
            dst_v6: Axis::new(products, |product| &product.dst.v6),
            svc: Axis::new(products, |product| &product.svc),
        }
    }

    /// Positions below `end` of products that may overlap `product`: all that do, in ascending order.
    pub(super) fn candidates(&self, product: &Product, end: usize) -> Vec<usize> {
        let words = self.words.min(end.div_ceil(64));
        let mut v4 = vec![u64::MAX; words];
        self.src_v4.keep(&product.src.v4, &mut v4);
        self.dst_v4.keep(&product.dst.v4, &mut v4);
        let mut v6 = vec![u64::MAX; words];
        self.src_v6.keep(&product.src.v6, &mut v6);
        self.dst_v6.keep(&product.dst.v6, &mut v6);
        v4.iter_mut().zip(&v6).for_each(|(kept, v6)| *kept |= v6);
        self.svc.keep(&product.svc, &mut v4);
        let mut candidates = Vec::new();
        for (at, word) in v4.into_iter().enumerate() {
            let mut bits = word;
            while bits != 0 {
                candidates.push(at * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        candidates.truncate(candidates.partition_point(|candidate| *candidate < end));
        candidates
    }
}

/// Products to test others against, with an index where that pays.
pub(super) struct Pool<'a> {
    products: Cow<'a, [Product]>,
    index: Option<Index>,
}

impl<'a> Pool<'a> {
    /// A pool for about so many queries.
    pub(super) fn new(products: impl Into<Cow<'a, [Product]>>, queries: usize) -> Self {
        let products = products.into();
        let pays = products.len() > 64 && queries > 8;
        Pool { index: pays.then(|| Index::new(&products)), products }
    }

    /// The product at a position.
    pub(super) fn get(&self, at: usize) -> &Product {
        &self.products[at]
    }

    /// The positions below `end` of products that overlap `product`, ascending.
    pub(super) fn overlapping(&self, product: &Product, end: usize, budget: &mut Budget) -> Result<Vec<usize>, Exceeded> {
        let likely = match &self.index {
            Some(index) => {
                budget.spend(1 + end as u64 / 64)?;
                index.candidates(product, end)
            }
            None => (0..end).collect(),
        };
        let mut meeting = Vec::new();
        for at in likely {
            if self.products[at].meets(product, budget)? {
                meeting.push(at);
            }
        }
        Ok(meeting)
    }

    /// The packets of `product` that are in none of the products below `end`, as disjoint products.
    pub(super) fn subtract(&self, product: Product, end: usize, budget: &mut Budget) -> Result<Vec<Product>, Exceeded> {
        let cutters = self.overlapping(&product, end, budget)?;
        subtract(product, cutters.into_iter().map(|at| &self.products[at]), budget)
    }

    /// The number of products.
    pub(super) fn len(&self) -> usize {
        self.products.len()
    }
}

/// One dimension of the index.
struct Axis<T> {
    words: usize,
    /// First values of all buckets but the first, ascending.
    starts: Vec<T>,
    /// A row of bits for each bucket.
    bits: Vec<u64>,
}

impl<T: Point> Axis<T> {
    fn new<P: Borrow<Product>>(products: &[P], set: impl Fn(&Product) -> &Intervals<T>) -> Self {
        let words = products.len().div_ceil(64);
        let buckets = (MOST_WORDS / words.max(1)).clamp(FEWEST_BUCKETS, MOST_BUCKETS);
        let mut starts: Vec<T> = products.iter().flat_map(|product| set(product.borrow()).ranges().iter().map(|range| range.0)).collect();
        starts.sort_unstable();
        starts.dedup();
        if starts.len() >= buckets {
            let step = starts.len().div_ceil(buckets - 1);
            starts = starts.into_iter().step_by(step).collect();
        }
        let mut axis = Axis { words, bits: vec![0; words * (starts.len() + 1)], starts };
        for (at, product) in products.iter().enumerate() {
            for buckets in axis.buckets(set(product.borrow())) {
                for bucket in buckets {
                    axis.bits[bucket * words + at / 64] |= 1 << (at % 64);
                }
            }
        }
        axis
    }

    /// The buckets that a set touches, as ranges that do not overlap.
    fn buckets(&self, set: &Intervals<T>) -> Vec<std::ops::Range<usize>> {
        let mut touched: Vec<std::ops::Range<usize>> = Vec::with_capacity(set.ranges().len());
        for (first, last) in set.ranges() {
            let bucket = |value: &T| self.starts.partition_point(|start| start <= value);
            let (from, to) = (bucket(first), bucket(last) + 1);
            match touched.last_mut() {
                Some(before) if from <= before.end => before.end = before.end.max(to),
                _ => touched.push(from..to),
            }
        }
        touched
    }

    /// Clears the bits of products that touch no bucket of `set`.
    fn keep(&self, set: &Intervals<T>, kept: &mut [u64]) {
        if set.is_full() {
            return;
        }
        let mut touching = vec![0; kept.len()];
        for bucket in self.buckets(set).into_iter().flatten() {
            let row = &self.bits[bucket * self.words..][..kept.len()];
            touching.iter_mut().zip(row).for_each(|(all, bits)| *all |= bits);
        }
        kept.iter_mut().zip(touching).for_each(|(kept, touching)| *kept &= touching);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::filter::{End, Filter, Row, Verdict};
    use crate::packet::set::PacketSet;
    use crate::packet::shadow::{Effort, Reach, shadowed};
    use crate::packet::trace::Decided;
    use crate::packet::{AddrSet, Assignment, service};
    use proptest::prelude::*;

    /// Enough products that the index is used, with more ranges than are searched in one piece, over few enough values that they meet.
    fn products() -> impl Strategy<Value = Vec<Product>> {
        let numbers = |limit: u32, most: usize| prop::collection::vec(0..limit, 1..most);
        let addresses = move || {
            let hosts = (numbers(400, 60), numbers(60, 3), 0..8u32).prop_map(|(v4, v6, kind)| AddrSet {
                v4: if kind == 0 { Intervals::empty() } else { Intervals::from_ranges(v4.into_iter().map(|host| (host, host + kind * 8))) },
                v6: if kind < 6 {
                    Intervals::empty()
                } else {
                    Intervals::from_ranges(v6.into_iter().map(|host| (host.into(), host.into())))
                },
            });
            prop_oneof![6 => hosts, 1 => Just(AddrSet::any())]
        };
        let ports = prop_oneof![
            3 => numbers(20, 3).prop_map(|ports| Intervals::from_ranges(ports.into_iter().map(|port| (port as u16, port as u16)))),
            1 => Just(Intervals::full()),
        ];
        let product = (addresses(), addresses(), ports);
        let product = product.prop_map(|(src, dst, ports)| Product::new(src, dst, service::ports(service::TCP, &ports)));
        prop::collection::vec(product, 80..140)
    }

    fn rows(products: &[Product]) -> Vec<Row> {
        let verdict = |at: usize| if at.is_multiple_of(3) { Verdict::Drop } else { Verdict::Accept };
        products.iter().enumerate().map(|(at, product)| Row::new(product.clone(), verdict(at))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn the_index_finds_every_product_that_overlaps(products in products()) {
            let pool = Pool::new(&products, products.len());
            prop_assert!(pool.index.is_some());
            for (at, product) in products.iter().enumerate() {
                let found = pool.overlapping(product, at, &mut Budget::default()).unwrap();
                let overlapping: Vec<usize> = (0..at).filter(|earlier| products[*earlier].overlaps(product)).collect();
                prop_assert_eq!(found, overlapping);
            }
        }

        #[test]
        fn long_lists_of_large_groups_are_judged_as_by_differences(products in products()) {
            let reaches = shadowed(&rows(&products), Effort::default());
            for (at, reach) in reaches.iter().enumerate() {
                let left = subtract(products[at].clone(), &products[..at], &mut Budget::default()).unwrap();
                match reach {
                    Reach::Live { witness, .. } => prop_assert!(left.iter().any(|piece| piece.contains(witness))),
                    Reach::Covered { by, .. } => {
                        prop_assert!(left.is_empty());
                        let takers: Vec<Product> = by.iter().map(|taker| products[*taker].clone()).collect();
                        prop_assert!(subtract(products[at].clone(), &takers, &mut Budget::default()).unwrap().is_empty());
                    }
                    Reach::Empty => prop_assert!(products[at].is_empty()),
                    Reach::Unknown => prop_assert!(false, "the work bound cannot be reached"),
                }
            }
        }

        #[test]
        fn long_lists_accept_what_single_packets_show(products in products(), end in any::<bool>()) {
            let filter = Filter::of(rows(&products), if end { End::Accept } else { End::Drop });
            let budget = &mut Budget::default();
            let inside = Product::new(
                AddrSet { v4: Intervals::range(0, 500), v6: Intervals::range(0, 70) },
                AddrSet { v4: Intervals::range(100, 130), v6: Intervals::range(0, 70) },
                service::ports(service::TCP, &Intervals::range(0, 30)),
            );
            let universe = PacketSet::from(inside);
            let bounds = filter.accepts(&universe, budget).unwrap();
            let refused = universe.difference(&bounds.hi, budget).unwrap();
            prop_assert!(bounds.exact && bounds.lo.is_subset(&bounds.hi, budget).unwrap() && bounds.hi.is_subset(&bounds.lo, budget).unwrap());
            for (set, accepted) in [(&bounds.hi, true), (&refused, false)] {
                for product in set.products() {
                    let packet = PacketSet::from(product.clone()).witness().unwrap();
                    let decided = filter.trace(&packet, &Assignment::open()).decided;
                    let verdict = matches!(decided, Decided::Row(_, Verdict::Accept) | Decided::End(_, End::Accept));
                    prop_assert_eq!(verdict, accepted);
                }
            }
        }
    }
}
