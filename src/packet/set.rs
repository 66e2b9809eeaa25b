//! Packet sets: lists of disjoint, non-empty products, with the set operations.
//!
//! The list is not canonical: equal sets may have different lists, so that equality is asked with [`PacketSet::is_subset`], not by `==`.
//! Operations that can multiply products take a [`Budget`] and fail when it is used up; none approximates.

use super::address::AddrSet;
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
        let mut set = PacketSet::empty();
        products.into_iter().try_for_each(|product| set.add(product, budget))?;
        Ok(set)
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

    /// Adds the packets of `product`.
    pub(super) fn add(&mut self, product: Product, budget: &mut Budget) -> Result<(), Exceeded> {
        if !product.is_empty() {
            let new = subtract(product.with_whole_families(), &self.products, budget)?;
            self.products.extend(new);
        }
        Ok(())
    }

    /// Adds products that the caller knows to be disjoint from the set and from each other, and not empty.
    pub(super) fn add_disjoint(&mut self, products: Vec<Product>) {
        self.products.extend(products);
    }

    /// The products themselves, disjoint and not empty.
    pub(super) fn into_products(self) -> Vec<Product> {
        self.products
    }

    /// The packets in either set.
    pub fn union(&self, other: &Self, budget: &mut Budget) -> Result<Self, Exceeded> {
        let (mut larger, smaller) = if self.products.len() >= other.products.len() { (self.clone(), other) } else { (other.clone(), self) };
        let held = larger.products.len();
        for product in &smaller.products {
            // The smaller set's products are disjoint among themselves.
            let new = subtract(product.clone(), &larger.products[..held], budget)?;
            larger.products.extend(new);
        }
        Ok(larger)
    }

    /// The packets in both sets.
    pub fn intersection(&self, other: &Self, budget: &mut Budget) -> Result<Self, Exceeded> {
        let mut products = Vec::new();
        for a in &self.products {
            budget.spend(tests(other.products.len()))?;
            for b in other.products.iter().filter(|b| a.overlaps(b)) {
                budget.spend(work(a, b))?;
                products.push(a.intersection(b));
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
        let mut products = Vec::new();
        for product in &self.products {
            products.extend(subtract(product.clone(), &other.products, budget)?);
        }
        Ok(PacketSet { products })
    }

    /// Whether every packet of this set is in `other`.
    pub fn is_subset(&self, other: &Self, budget: &mut Budget) -> Result<bool, Exceeded> {
        for product in &self.products {
            budget.spend(tests(other.products.len()))?;
            let cutters: Vec<&Product> = other.products.iter().filter(|cutter| cutter.overlaps(product)).collect();
            // Depth first: the first piece that passes all cutters settles it.
            let mut pieces = vec![(product.clone(), 0)];
            while let Some((piece, from)) = pieces.pop() {
                let Some(at) = (from..cutters.len()).find(|at| cutters[*at].overlaps(&piece)) else { return Ok(false) };
                budget.spend(tests(at - from) + work(&piece, cutters[at]))?;
                let mut outside = Vec::new();
                piece.cut(cutters[at], &mut outside);
                pieces.extend(outside.into_iter().map(|rest| (rest, at + 1)));
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
pub(super) fn subtract(product: Product, cutters: &[Product], budget: &mut Budget) -> Result<Vec<Product>, Exceeded> {
    budget.spend(tests(cutters.len()))?;
    let mut pieces = vec![product];
    for cutter in cutters {
        if !pieces.iter().any(|piece| piece.overlaps(cutter)) {
            continue;
        }
        budget.spend(tests(pieces.len()))?;
        let mut kept = Vec::with_capacity(pieces.len() + 2);
        for piece in pieces {
            if piece.overlaps(cutter) {
                budget.spend(work(&piece, cutter))?;
                piece.cut(cutter, &mut kept);
            } else {
                kept.push(piece);
            }
        }
        pieces = kept;
        if pieces.is_empty() {
            break;
        }
    }
    Ok(pieces)
}

/// Units for testing `count` pairs of products for overlap.
pub(super) fn tests(count: usize) -> u64 {
    1 + count as u64 / 8
}

/// Units for cutting or intersecting two products.
pub(super) fn work(a: &Product, b: &Product) -> u64 {
    1 + (a.weight() + b.weight()) / 64
}
