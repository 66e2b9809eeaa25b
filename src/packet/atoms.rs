//! Address sets whose content is not known (a name, a country, a feed) but which stay themselves wherever they are used.
//!
//! A match is a union of terms; a term is a product and the memberships it requires: "and the source is in this atom". Since a packet's
//! source either is in the atom or is not, a question is answered once under each [`Assignment`] of the memberships that matter, which is
//! exact; only the source and the destination of a packet that sends to itself are treated as if they could differ. What is in an atom,
//! how large it is and why it is unknown is the caller's business.

use super::address::AddrSet;
use super::product::{Packet, Product};
use super::set::PacketSet;
use super::{Budget, Exceeded};

/// The most memberships that are resolved case by case: 64 cases.
pub const MOST_VARIABLES: usize = 6;

/// The most terms of an address match; complements multiply them.
const MOST_TERMS: usize = 256;

/// An address set of unknown content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AtomId(pub u32);

/// Which address of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The source address.
    Source,
    /// The destination address.
    Destination,
}

/// A membership: whether this address of a packet is in the atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variable {
    /// The atom.
    pub atom: AtomId,
    /// The address.
    pub side: Side,
}

/// A required membership, or with `member` false a required absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Literal {
    /// What is required.
    pub variable: Variable,
    /// In the atom, or not in it.
    pub member: bool,
}

/// The packets of a product that satisfy every literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The known part.
    pub product: Product,
    /// The memberships; usually none.
    pub literals: Vec<Literal>,
}

impl From<Product> for Term {
    fn from(product: Product) -> Self {
        Term { product, literals: Vec::new() }
    }
}

impl Term {
    /// Whether the literals hold: `None` if the assignment leaves one open and refutes none.
    pub fn holds(&self, assignment: &Assignment) -> Option<bool> {
        let mut all = Some(true);
        for literal in &self.literals {
            match assignment.get(literal.variable) {
                Some(member) if member != literal.member => return Some(false),
                Some(_) => {}
                None => all = None,
            }
        }
        all
    }
}

/// What a filter row matches: the union of its terms, which may overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// The terms; none matches nothing.
    pub terms: Vec<Term>,
}

impl Match {
    /// Every packet.
    pub fn any() -> Self {
        Match::from(Product::any())
    }

    /// From any source and destination of the two matches, restricted to the other dimensions of `rest` (whose addresses count too).
    pub fn between(src: &AddrMatch, dst: &AddrMatch, rest: &Product) -> Self {
        let mut terms = Vec::with_capacity(src.terms.len() * dst.terms.len());
        for from in &src.terms {
            for to in &dst.terms {
                let addresses = Product { src: from.addresses.clone(), dst: to.addresses.clone(), ..Product::any() };
                let product = rest.intersection(&addresses);
                if !product.is_empty() {
                    let sources = from.members.iter().map(|(atom, member)| (*atom, Side::Source, *member));
                    let targets = to.members.iter().map(|(atom, member)| (*atom, Side::Destination, *member));
                    let literals = sources.chain(targets);
                    let literals = literals.map(|(atom, side, member)| Literal { variable: Variable { atom, side }, member }).collect();
                    terms.push(Term { product, literals });
                }
            }
        }
        Match { terms }
    }

    /// Whether `packet` matches: `None` if that hangs on a membership the assignment leaves open.
    pub fn matches(&self, packet: &Packet, assignment: &Assignment) -> Option<bool> {
        let mut some = Some(false);
        for term in self.terms.iter().filter(|term| term.product.contains(packet)) {
            match term.holds(assignment) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => some = None,
            }
        }
        some
    }
}

impl From<Product> for Match {
    fn from(product: Product) -> Self {
        Match { terms: vec![Term::from(product)] }
    }
}

/// Addresses of one side of a packet, by known sets and atoms: the form from which a [`Match`] is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddrMatch {
    terms: Vec<AddrTerm>,
}

/// The addresses of a set that are in (or, with false, not in) each atom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AddrTerm {
    addresses: AddrSet,
    members: Vec<(AtomId, bool)>,
}

impl AddrMatch {
    /// A known set.
    pub fn known(addresses: AddrSet) -> Self {
        let terms = if addresses.is_empty() { Vec::new() } else { vec![AddrTerm { addresses, members: Vec::new() }] };
        AddrMatch { terms }
    }

    /// What is in the atom.
    pub fn atom(atom: AtomId) -> Self {
        AddrMatch { terms: vec![AddrTerm { addresses: AddrSet::any(), members: vec![(atom, true)] }] }
    }

    /// The atom, where the match is exactly what is in one atom.
    pub fn sole_atom(&self) -> Option<AtomId> {
        match self.terms.as_slice() {
            [AddrTerm { addresses, members }] if *addresses == AddrSet::any() => match members.as_slice() {
                [(atom, true)] => Some(*atom),
                _ => None,
            },
            _ => None,
        }
    }

    /// The addresses that either matches.
    pub fn union(&self, other: &Self) -> Self {
        // One term for all known addresses, so that long lists of hosts stay one product.
        let (known, mut terms): (Vec<_>, Vec<_>) = self.terms.iter().chain(&other.terms).cloned().partition(|term| term.members.is_empty());
        let known = AddrMatch::known(AddrSet::union_of(known.iter().map(|term| &term.addresses)));
        terms.sort_by(|a, b| a.members.cmp(&b.members));
        terms.dedup();
        AddrMatch { terms: known.terms.into_iter().chain(terms).collect() }
    }

    /// The addresses that both match; `None` if the atoms in it make too many terms.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let mut all = AddrMatch::default();
        for a in &self.terms {
            for b in &other.terms {
                let addresses = a.addresses.intersection(&b.addresses);
                let mut members = a.members.clone();
                members.extend(&b.members);
                members.sort_unstable();
                members.dedup();
                let contradicts = members.windows(2).any(|pair| pair[0].0 == pair[1].0);
                if !addresses.is_empty() && !contradicts {
                    all.terms.push(AddrTerm { addresses, members });
                }
            }
            if all.terms.len() > MOST_TERMS {
                return None;
            }
        }
        Some(all)
    }

    /// The addresses that do not match; `None` if the atoms in it make too many terms.
    pub fn complement(&self) -> Option<Self> {
        self.terms.iter().try_fold(AddrMatch::known(AddrSet::any()), |rest, term| {
            let mut outside = AddrMatch::known(term.addresses.complement());
            for (atom, member) in &term.members {
                outside.terms.push(AddrTerm { addresses: AddrSet::any(), members: vec![(*atom, !member)] });
            }
            rest.intersection(&outside)
        })
    }
}

/// Truth values of memberships. What is not assigned is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Ascending by variable.
    values: Vec<(Variable, bool)>,
}

impl Assignment {
    /// The assignment that leaves everything open.
    pub const fn open() -> Self {
        Assignment { values: Vec::new() }
    }

    /// The assignment of these values.
    pub fn of(values: impl IntoIterator<Item = (Variable, bool)>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_unstable();
        values.dedup_by_key(|value| value.0);
        Assignment { values }
    }

    /// The value of `variable`, `None` if it is open.
    pub fn get(&self, variable: Variable) -> Option<bool> {
        self.values.binary_search_by_key(&variable, |value| value.0).ok().map(|at| self.values[at].1)
    }

    /// The values, ascending by variable.
    pub fn values(&self) -> &[(Variable, bool)] {
        &self.values
    }

    /// Every assignment of the variables, or the open one alone and `false` if they are more than [`MOST_VARIABLES`].
    pub fn all(mut variables: Vec<Variable>) -> (Vec<Assignment>, bool) {
        variables.sort_unstable();
        variables.dedup();
        if variables.len() > MOST_VARIABLES {
            return (vec![Assignment::open()], false);
        }
        let cases = (0..1u32 << variables.len()).map(|bits| Assignment {
            values: variables.iter().enumerate().map(|(at, variable)| (*variable, bits >> at & 1 == 1)).collect(),
        });
        (cases.collect(), true)
    }
}

/// What is surely and what is possibly in a packet set that hangs on something unknown.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The packets that are in it whatever the unknown is.
    pub lo: PacketSet,
    /// The packets that are in it for some value of the unknown.
    pub hi: PacketSet,
    /// False if the bounds may be wider than that: too many atoms met, or a row leads in a circle.
    pub exact: bool,
}

impl Bounds {
    /// A set without unknowns.
    pub fn exactly(set: PacketSet) -> Self {
        Bounds { lo: set.clone(), hi: set, exact: true }
    }

    /// The packets in both. Unknowns that the two share are taken as independent.
    pub fn intersection(&self, other: &Self, budget: &mut Budget) -> Result<Self, Exceeded> {
        Ok(Bounds {
            lo: self.lo.intersection(&other.lo, budget)?,
            hi: self.hi.intersection(&other.hi, budget)?,
            exact: self.exact && other.exact,
        })
    }

    /// The packets in either. Unknowns that the two share are taken as independent.
    pub fn union(&self, other: &Self, budget: &mut Budget) -> Result<Self, Exceeded> {
        Ok(Bounds { lo: self.lo.union(&other.lo, budget)?, hi: self.hi.union(&other.hi, budget)?, exact: self.exact && other.exact })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Intervals;

    fn hosts(first: u32, last: u32) -> AddrMatch {
        AddrMatch::known(AddrSet { v4: Intervals::range(first, last), v6: Intervals::empty() })
    }

    /// Whether address `value` matches if it is in the first atom (`a`) and in the second (`b`) as said.
    fn holds(set: &AddrMatch, value: u32, a: bool, b: bool) -> bool {
        set.terms
            .iter()
            .any(|term| term.addresses.v4.contains(value) && term.members.iter().all(|(atom, member)| [a, b][atom.0 as usize] == *member))
    }

    #[test]
    fn address_matches_follow_boolean_algebra() {
        let (a, b) = (AddrMatch::atom(AtomId(0)), AddrMatch::atom(AtomId(1)));
        let union = hosts(1, 3).union(&a).union(&hosts(3, 5));
        assert_eq!(union.terms.len(), 2);
        let not = union.complement().unwrap();
        assert_eq!(not.terms.len(), 1);
        let mixed = union.intersection(&b.union(&hosts(2, 2))).unwrap();
        let not_mixed = mixed.complement().unwrap();
        for value in 0..8 {
            for (in_a, in_b) in [(false, false), (false, true), (true, false), (true, true)] {
                let in_union = (1..=5).contains(&value) || in_a;
                let in_mixed = in_union && (in_b || value == 2);
                assert_eq!(holds(&union, value, in_a, in_b), in_union);
                assert_eq!(holds(&not, value, in_a, in_b), !in_union);
                assert_eq!(holds(&mixed, value, in_a, in_b), in_mixed);
                assert_eq!(holds(&not_mixed, value, in_a, in_b), !in_mixed);
            }
        }
        assert!(a.intersection(&a.complement().unwrap()).unwrap().terms.is_empty());
    }

    #[test]
    fn too_many_terms_are_given_up() {
        let clauses = (0..20).map(|at| AddrMatch::atom(AtomId(at * 2)).union(&AddrMatch::atom(AtomId(at * 2 + 1))));
        let all = clauses.into_iter().try_fold(AddrMatch::known(AddrSet::any()), |all, clause| all.intersection(&clause));
        assert_eq!(all, None);
    }

    #[test]
    fn assignments_are_enumerated_up_to_the_limit() {
        let variable = |atom| Variable { atom: AtomId(atom), side: Side::Source };
        let (cases, exact) = Assignment::all(vec![variable(3), variable(1), variable(3)]);
        assert!(exact);
        assert_eq!(cases.len(), 4);
        assert_eq!(cases[1].get(variable(1)), Some(true));
        assert_eq!(cases[1].get(variable(3)), Some(false));
        assert_eq!(cases[1].get(variable(2)), None);
        let (cases, exact) = Assignment::all((0..7).map(variable).collect());
        assert_eq!((cases.as_slice(), exact), (&[Assignment::open()][..], false));
    }
}
