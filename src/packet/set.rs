//! Packet sets: lists of disjoint, non-empty products, with the set operations.
//!
//! The list is not canonical: equal sets may have different lists, so that equality is asked with [`PacketSet::is_subset`], not by `==`.
//! Operations that can multiply products take a [`Budget`] and fail when it is used up; none approximates.

use super::address::AddrSet;
use super::index::Pool;
use super::interval::Intervals;
use super::product::{Packet, Product};
use super::{Budget, Exceeded, witness};

/// A set of packets.
#[derive(Clone, Debug, Default)]
pub struct PacketSet {
    products: Vec<Product>,
}

impl PacketSet {
    /// No packet.
    pub const fn empty() -> Self {
        PacketSet { products: Vec::new() }
    }

    /// Every packet.
    pub fn any() -> Self {
        PacketSet { products: vec![Product::any()] }
    }

    /// The union of any products.
    pub fn of(products: impl IntoIterator<Item = Product>, budget: &mut Budget) -> Result<Self, Exceeded> {
        let products = products.into_iter().filter(|product| !product.is_empty()).map(Product::with_whole_families);
        let cover: Vec<Product> = products.collect();
        let pool = Pool::new(&cover, cover.len());
        let mut disjoint = Vec::with_capacity(cover.len());
        for (at, product) in cover.iter().enumerate() {
            // Against what was given, not against the pieces so far: those are many more.
            disjoint.extend(pool.subtract(product.clone(), at, budget)?);
        }
        Ok(PacketSet { products: disjoint })
    }

    /// The set of products that the caller knows to be disjoint, not empty, and of whole families.
    pub(super) fn of_disjoint(products: Vec<Product>) -> Self {
        PacketSet { products }
    }

    /// The products, disjoint and not empty; none has addresses of a family on one side only.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// Whether the set holds no packet.
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    /// Whether `packet` is in the set.
    pub fn contains(&self, packet: &Packet) -> bool {
        self.products.iter().any(|product| product.contains(packet))
    }

    /// Whether some packet is in the set and in `product`.
    pub fn overlaps(&self, product: &Product) -> bool {
        self.products.iter().any(|own| own.overlaps(product))
    }

    /// The packets in either set.
    pub fn union(&self, other: &Self, budget: &mut Budget) -> Result<Self, Exceeded> {
        let (larger, smaller) = if self.products.len() >= other.products.len() { (self, other) } else { (other, self) };
        let new = smaller.without(&larger.products, budget)?;
        Ok(PacketSet { products: larger.products.iter().cloned().chain(new).collect() })
    }

    /// The packets in both sets.
    pub fn intersection(&self, other: &Self, budget: &mut Budget) -> Result<Self, Exceeded> {
        let pool = Pool::new(&other.products, self.products.len());
        let mut products = Vec::new();
        for a in &self.products {
            for b in pool.overlapping(a, pool.len(), budget)? {
                budget.spend(a.work(&other.products[b]))?;
                products.push(a.intersection(&other.products[b]));
            }
        }
        Ok(PacketSet { products })
    }

    /// The packets of this set that are in `product`.
    pub fn restricted_to(&self, product: &Product, budget: &mut Budget) -> Result<Self, Exceeded> {
        self.intersection(&PacketSet::from(product.clone()), budget)
    }

    /// The packets of this set that are not in `other`.
    pub fn difference(&self, other: &Self, budget: &mut Budget) -> Result<Self, Exceeded> {
        Ok(PacketSet { products: self.without(&other.products, budget)? })
    }

    /// The packets of this set that are in none of `cutters`, which may overlap.
    pub(super) fn without(&self, cutters: &[Product], budget: &mut Budget) -> Result<Vec<Product>, Exceeded> {
        let pool = Pool::new(cutters, self.products.len());
        let mut products = Vec::new();
        for product in &self.products {
            products.extend(pool.subtract(product.clone(), pool.len(), budget)?);
        }
        Ok(products)
    }

    /// Whether every packet of this set is in `other`.
    pub fn is_subset(&self, other: &Self, budget: &mut Budget) -> Result<bool, Exceeded> {
        let pool = Pool::new(&other.products, self.products.len());
        for product in &self.products {
            let cutters = pool.overlapping(product, pool.len(), budget)?;
            // Depth first: the first piece that passes all cutters settles it.
            let mut pieces = vec![(product.clone(), 0)];
            'pieces: while let Some((piece, from)) = pieces.pop() {
                for (at, cutter) in cutters.iter().enumerate().skip(from) {
                    let cutter = &other.products[*cutter];
                    if piece.meets(cutter, budget)? {
                        budget.spend(piece.work(cutter))?;
                        let mut outside = Vec::new();
                        piece.cut(cutter, &mut outside);
                        pieces.extend(outside.into_iter().map(|rest| (rest, at + 1)));
                        continue 'pieces;
                    }
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The addresses that packets of the set come from.
    pub fn sources(&self) -> AddrSet {
        AddrSet::union_of(self.products.iter().map(|product| &product.src))
    }

    /// The addresses that packets of the set go to.
    pub fn destinations(&self) -> AddrSet {
        AddrSet::union_of(self.products.iter().map(|product| &product.dst))
    }

    /// The services of the set's packets, as keys of [`super::service`].
    pub fn services(&self) -> Intervals<u32> {
        Intervals::from_ranges(self.products.iter().flat_map(|product| product.svc.ranges().iter().copied()))
    }

    /// A packet of the set, the same for the same set of products: one that looks natural, from a public address (a documentation
    /// address first) to a usable address, if there is one. `None` only for the empty set.
    pub fn witness(&self) -> Option<Packet> {
        witness::choose(&self.products)
    }
}

impl From<Product> for PacketSet {
    fn from(product: Product) -> Self {
        PacketSet { products: if product.is_empty() { Vec::new() } else { vec![product.with_whole_families()] } }
    }
}

/// The packets of `product` that are in none of `cutters`, as disjoint products.
pub(super) fn subtract<'a>(
    product: Product,
    cutters: impl IntoIterator<Item = &'a Product>,
    budget: &mut Budget,
) -> Result<Vec<Product>, Exceeded> {
    let mut pieces = vec![product];
    for cutter in cutters {
        let mut at = 0;
        let mut outside = Vec::new();
        while at < pieces.len() {
            if pieces[at].meets(cutter, budget)? {
                budget.spend(pieces[at].work(cutter))?;
                pieces.swap_remove(at).cut(cutter, &mut outside);
            } else {
                at += 1;
            }
        }
        pieces.extend(outside);
        if pieces.is_empty() {
            break;
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_stop_at_the_work_bound() {
        let hosts = |first: u32| {
            let product = |host: u32| {
                let address = AddrSet { v4: Intervals::single(host), v6: Intervals::empty() };
                Product { src: address, ..Product::any() }
            };
            PacketSet::of((0..50).map(|at| product(first + at * 2)), &mut Budget::default())
        };
        let (a, b) = (hosts(0).unwrap(), hosts(20).unwrap());
        assert_eq!(a.union(&b, &mut Budget::new(100)).unwrap_err(), Exceeded);
        assert_eq!(a.intersection(&b, &mut Budget::new(100)).unwrap_err(), Exceeded);
        assert_eq!(a.difference(&b, &mut Budget::new(100)).unwrap_err(), Exceeded);
        assert_eq!(a.is_subset(&b, &mut Budget::new(10)).unwrap_err(), Exceeded);
        let mut budget = Budget::default();
        assert!(a.difference(&b, &mut budget).is_ok() && budget.left() < Budget::default().left());
    }

    #[test]
    fn a_product_of_two_families_has_no_packet_between_them() {
        let mixed = Product { src: AddrSet::any_v4(), dst: AddrSet::any_v6(), ..Product::any() };
        assert!(mixed.is_empty() && PacketSet::from(mixed).is_empty());
        let half = PacketSet::from(Product { src: AddrSet::any_v4(), ..Product::any() });
        assert_eq!(half.destinations(), AddrSet::any_v4());
    }
}
