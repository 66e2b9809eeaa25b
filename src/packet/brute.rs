//! The algebra and the evaluator against enumeration: every packet of a small universe, every resolution of the unknowns.
//!
//! Generated sets are subsets of a few low values or everything, so that one further value of each dimension stands for all others and
//! the enumerated packets stand for all packets.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ADDRESSES: u32 = 3;
const PORTS: u16 = 2;

/// Every packet of the small universe.
fn packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    for (from, to) in (0..=ADDRESSES).flat_map(|from| (0..=ADDRESSES).map(move |to| (from, to))) {
        for (proto, detail) in (0..=PORTS).map(|port| (service::TCP, port)).chain([(service::UDP, 0)]) {
            for (sport, iface, state) in (0..2).flat_map(|a| (0..2).flat_map(move |b| (0..2).map(move |c| (a, b, c)))) {
                let of = |src: IpAddr, dst: IpAddr| Packet { src, dst, proto, sport, detail, iface, state };
                packets.push(of(Ipv4Addr::from(from).into(), Ipv4Addr::from(to).into()));
                packets.push(of(Ipv6Addr::from(u128::from(from)).into(), Ipv6Addr::from(u128::from(to)).into()));
            }
        }
    }
    packets
}

/// A subset of the values below `values` by its bits; the highest bit stands for everything.
fn subset<T: Point + TryFrom<u32>>(bits: u32, values: u32) -> Intervals<T> {
    if bits >> values & 1 == 1 {
        return Intervals::full();
    }
    let chosen = (0..values).filter(|value| bits >> value & 1 == 1).filter_map(|value| T::try_from(value).ok());
    Intervals::from_ranges(chosen.map(|value| (value, value)))
}

fn addresses() -> impl Strategy<Value = AddrSet> {
    (0..16u32, 0..16u32).prop_map(|(v4, v6)| AddrSet { v4: subset(v4, ADDRESSES), v6: subset(v6, ADDRESSES) })
}

fn product() -> impl Strategy<Value = Product> {
    (addresses(), addresses(), 0..8u32, 0..8u32).prop_map(|(src, dst, ports, others)| {
        let mut product = Product::new(src, dst, service::ports(service::TCP, &subset(ports, u32::from(PORTS))));
        // Mostly full, as in filters.
        if others == 1 {
            product.sport = Intervals::single(0);
        }
        if others == 2 {
            product.iface = Intervals::single(0);
        }
        if others == 3 {
            product.state = Intervals::single(STATE_NEW);
        }
        if others > 4 {
            product.svc = service::any();
        }
        product
    })
}

fn set() -> impl Strategy<Value = PacketSet> {
    prop::collection::vec(product(), 0..5).prop_map(|products| PacketSet::of(products, &mut Budget::default()).unwrap())
}

fn is_disjoint(set: &PacketSet) -> bool {
    let products = set.products();
    products.iter().enumerate().all(|(at, a)| !a.is_empty() && products[at + 1..].iter().all(|b| !a.overlaps(b)))
}

proptest! {
    #[test]
    fn set_operations_agree_with_membership(a in set(), b in set(), restriction in product()) {
        let budget = &mut Budget::default();
        let union = a.union(&b, budget).unwrap();
        let both = a.intersection(&b, budget).unwrap();
        let only = a.difference(&b, budget).unwrap();
        let within = a.restricted_to(&restriction, budget).unwrap();
        for set in [&a, &b, &union, &both, &only, &within] {
            prop_assert!(is_disjoint(set), "{set:?}");
            prop_assert_eq!(set.witness().is_none(), set.is_empty());
            prop_assert!(set.witness().is_none_or(|witness| set.contains(&witness)));
        }
        let mut subset = true;
        for packet in packets() {
            let (in_a, in_b) = (a.contains(&packet), b.contains(&packet));
            prop_assert_eq!(union.contains(&packet), in_a || in_b);
            prop_assert_eq!(both.contains(&packet), in_a && in_b);
            prop_assert_eq!(only.contains(&packet), in_a && !in_b);
            prop_assert_eq!(within.contains(&packet), in_a && restriction.contains(&packet));
            subset &= !in_a || in_b;
        }
        prop_assert_eq!(a.is_subset(&b, budget).unwrap(), subset);
    }

    #[test]
    fn projections_hold_what_occurs_in_packets(a in set()) {
        let inside: Vec<Packet> = packets().into_iter().filter(|packet| a.contains(packet)).collect();
        for packet in packets() {
            prop_assert_eq!(a.sources().contains(packet.src), inside.iter().any(|other| other.src == packet.src));
            prop_assert_eq!(a.destinations().contains(packet.dst), inside.iter().any(|other| other.dst == packet.dst));
            let service = service::key(packet.proto, packet.detail);
            prop_assert_eq!(a.services().contains(service), inside.iter().any(|other| service::key(other.proto, other.detail) == service));
        }
    }

    #[test]
    fn products_agree_with_membership(a in product(), b in product()) {
        let (both, pieces) = (a.intersection(&b), a.difference(&b));
        for packet in packets() {
            prop_assert_eq!(both.contains(&packet), a.contains(&packet) && b.contains(&packet));
            let holders = pieces.iter().filter(|piece| piece.contains(&packet)).count();
            prop_assert_eq!(holders, usize::from(a.contains(&packet) && !b.contains(&packet)));
        }
        prop_assert!(pieces.len() <= 6);
        prop_assert_eq!(a.overlaps(&b), !both.is_empty());
        prop_assert_eq!(a.is_subset(&b), pieces.is_empty());
        prop_assert_eq!(a.is_empty(), !packets().iter().any(|packet| a.contains(packet)));
    }
}

/// The memberships that generated rows use.
fn variables() -> Vec<Variable> {
    [(0, Side::Source), (0, Side::Destination), (1, Side::Source)].map(|(atom, side)| Variable { atom: AtomId(atom), side }).into()
}

fn term() -> impl Strategy<Value = Term> {
    let literals = prop::collection::vec((0..3usize, any::<bool>()), 0..3);
    (product(), prop::bool::weighted(0.4), literals).prop_map(|(product, open, literals)| {
        let literals = literals.into_iter().filter(|_| open);
        Term { product, literals: literals.map(|(at, member)| Literal { variable: variables()[at], member }).collect() }
    })
}

fn row(verdicts: impl Strategy<Value = Verdict>) -> impl Strategy<Value = Row> {
    let guard = prop_oneof![6 => Just(Some(true)), 1 => Just(Some(false)), 2 => Just(None)];
    (prop::collection::vec(term(), 1..3), verdicts, guard).prop_map(|(terms, verdict, guard)| Row {
        matches: Match { terms },
        verdict,
        guard,
    })
}

fn plain_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![4 => Just(Verdict::Accept), 4 => Just(Verdict::Drop), 1 => Just(Verdict::Continue), 1 => Just(Verdict::Unknown)]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![3 => Just(End::Accept), 3 => Just(End::Drop), 1 => Just(End::Unknown), 3 => Just(End::Return)]
}

/// A chain that jumps only to later ones.
fn chain(index: u32, chains: u32, rows: std::ops::Range<usize>) -> impl Strategy<Value = Chain> {
    let verdict = prop_oneof![
        3 => plain_verdict(),
        1 => Just(Verdict::Return),
        2 => (0..chains, any::<bool>()).prop_map(move |(target, goto)| {
            let target = ChainId(index + 1 + target % (chains - index).max(1));
            if target.0 >= chains { Verdict::Return } else if goto { Verdict::Goto(target) } else { Verdict::Jump(target) }
        }),
    ];
    (prop::collection::vec(row(verdict), rows), end()).prop_map(|(rows, end)| Chain { rows, end })
}

fn filter() -> impl Strategy<Value = Filter> {
    (chain(0, 3, 0..6), chain(1, 3, 0..3), chain(2, 3, 0..3)).prop_map(|(a, b, c)| Filter { chains: vec![a, b, c] })
}

/// What a filter does with a packet once everything is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Accepted,
    Dropped,
    PassedOn,
}

/// The fates of a packet over all resolutions of what is unknown, by plain recursion: every unknown branches where it is met.
struct Enumeration<'a> {
    filter: &'a Filter,
    packet: &'a Packet,
    assignment: &'a Assignment,
    /// Whether unknown guards may hold.
    guards_may_hold: bool,
    fates: BTreeSet<Fate>,
}

impl Enumeration<'_> {
    fn of(filter: &Filter, packet: &Packet, assignment: &Assignment, guards_may_hold: bool) -> BTreeSet<Fate> {
        let mut enumeration = Enumeration { filter, packet, assignment, guards_may_hold, fates: BTreeSet::new() };
        enumeration.walk(vec![(0, 0, false)]);
        enumeration.fates
    }

    /// `frames`: chain, next row, entered by goto.
    fn walk(&mut self, mut frames: Vec<(usize, usize, bool)>) {
        let Some((chain, row, no_return)) = frames.pop() else { unreachable!() };
        let Some(current) = self.filter.chains[chain].rows.get(row) else {
            return self.leave(frames, no_return, self.filter.chains[chain].end);
        };
        let matches =
            current.matches.terms.iter().any(|term| term.product.contains(self.packet) && term.holds(self.assignment) == Some(true));
        let guards: &[bool] = match current.guard {
            Some(true) => &[true],
            Some(false) => &[false],
            None if self.guards_may_hold => &[true, false],
            None => &[false],
        };
        for guard in guards {
            let mut frames = frames.clone();
            if !(matches && *guard) {
                frames.push((chain, row + 1, no_return));
                self.walk(frames);
                continue;
            }
            match current.verdict {
                Verdict::Accept => self.leave(frames, no_return, End::Accept),
                Verdict::Drop => self.leave(frames, no_return, End::Drop),
                Verdict::Unknown => self.leave(frames, no_return, End::Unknown),
                Verdict::Return => self.leave(frames, no_return, End::Return),
                Verdict::Continue => {
                    frames.push((chain, row + 1, no_return));
                    self.walk(frames);
                }
                Verdict::Jump(target) | Verdict::Goto(target) => {
                    frames.push((chain, row + 1, no_return));
                    frames.push((target.0 as usize, 0, matches!(current.verdict, Verdict::Goto(_))));
                    self.walk(frames);
                }
            }
        }
    }

    fn leave(&mut self, mut frames: Vec<(usize, usize, bool)>, mut no_return: bool, end: End) {
        match end {
            End::Accept => drop(self.fates.insert(Fate::Accepted)),
            End::Drop => drop(self.fates.insert(Fate::Dropped)),
            End::Unknown => self.fates.extend([Fate::Accepted, Fate::Dropped]),
            End::Return => {
                while no_return && let Some(left) = frames.pop() {
                    no_return = left.2;
                }
                if !frames.is_empty() {
                    return self.walk(frames);
                }
                // Out of the first chain: its end takes the packet.
                let default = self.filter.chains[0].end;
                if default == End::Return {
                    self.fates.insert(Fate::PassedOn);
                } else {
                    self.leave(frames, false, default);
                }
            }
        }
    }
}

/// Whether the evaluator is exact: no unknown but the atoms is met twice on one way.
fn unknowns_are_met_once(filter: &Filter) -> bool {
    let targets = |chain: &Chain| -> Vec<u32> {
        let jump = |row: &Row| match row.verdict {
            Verdict::Jump(target) | Verdict::Goto(target) => Some(target.0),
            _ => None,
        };
        chain.rows.iter().filter_map(jump).collect()
    };
    let all: Vec<u32> = filter.chains.iter().flat_map(targets).collect();
    all.len() == all.iter().collect::<BTreeSet<_>>().len()
}

/// A packet's fates over all assignments too.
fn all_fates(filter: &Filter, packet: &Packet) -> BTreeSet<Fate> {
    Assignment::all(variables()).0.iter().flat_map(|assignment| Enumeration::of(filter, packet, assignment, true)).collect()
}

fn check_bounds(filter: &Filter, universe: &PacketSet) -> Result<(), TestCaseError> {
    let bounds = filter.accepts(universe, &mut Budget::default()).unwrap();
    prop_assert!(bounds.exact && is_disjoint(&bounds.lo) && is_disjoint(&bounds.hi));
    let exact = unknowns_are_met_once(filter);
    for packet in packets() {
        let fates = if universe.contains(&packet) { all_fates(filter, &packet) } else { BTreeSet::from([Fate::Dropped]) };
        let (may, must) = (fates.contains(&Fate::Accepted), fates == BTreeSet::from([Fate::Accepted]));
        let (in_lo, in_hi) = (bounds.lo.contains(&packet), bounds.hi.contains(&packet));
        prop_assert!(in_hi || !may, "{packet:?} may be accepted");
        prop_assert!(must || !in_lo, "{packet:?} may be refused");
        prop_assert!(!exact || in_hi == may && in_lo == must, "{packet:?} {fates:?} {in_lo} {in_hi}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn bounds_are_those_of_every_resolution(filter in filter(), universe in set()) {
        check_bounds(&filter, &PacketSet::any())?;
        check_bounds(&filter, &universe)?;
    }

    #[test]
    fn a_decision_holds_every_fate_and_no_other(filter in filter()) {
        for assignment in Assignment::all(variables()).0 {
            let decision = filter.decide(&PacketSet::any(), &assignment, &mut Budget::default()).unwrap();
            let sets = [
                (Fate::Accepted, &decision.may_accept),
                (Fate::Dropped, &decision.may_drop),
                (Fate::PassedOn, &decision.may_pass_on),
            ];
            for packet in packets() {
                let fates = Enumeration::of(&filter, &packet, &assignment, true);
                for (fate, set) in sets {
                    let may = set.contains(&packet);
                    prop_assert!(may || !fates.contains(&fate));
                    prop_assert!(may == fates.contains(&fate) || !unknowns_are_met_once(&filter));
                }
            }
        }
    }

    #[test]
    fn bounds_without_resolved_atoms_are_sound(filter in filter()) {
        let bounds = filter.accepts_under(&PacketSet::any(), &Assignment::open(), &mut Budget::default()).unwrap();
        for packet in packets() {
            let fates = all_fates(&filter, &packet);
            prop_assert!(bounds.hi.contains(&packet) || !fates.contains(&Fate::Accepted));
            prop_assert!(!bounds.lo.contains(&packet) || fates == BTreeSet::from([Fate::Accepted]));
        }
    }

    #[test]
    fn the_trace_is_the_run_in_which_no_unknown_guard_holds(filter in filter()) {
        for assignment in Assignment::all(variables()).0 {
            let accepted = filter.accepts_under(&PacketSet::any(), &assignment, &mut Budget::default()).unwrap();
            for packet in packets() {
                let trace = filter.trace(&packet, &assignment);
                let fates: Vec<Fate> = Enumeration::of(&filter, &packet, &assignment, false).into_iter().collect();
                let decided = match trace.decided {
                    Decided::Row(_, Verdict::Accept) | Decided::End(_, End::Accept) => vec![Fate::Accepted],
                    Decided::Row(_, Verdict::Drop) | Decided::End(_, End::Drop) => vec![Fate::Dropped],
                    Decided::End(_, End::Return) => vec![Fate::PassedOn],
                    _ => vec![Fate::Accepted, Fate::Dropped],
                };
                prop_assert_eq!(&decided, &fates);
                if trace.open.is_empty() && decided.len() == 1 {
                    prop_assert_eq!(accepted.lo.contains(&packet), decided[0] == Fate::Accepted);
                    prop_assert_eq!(accepted.hi.contains(&packet), decided[0] == Fate::Accepted);
                }
            }
        }
    }

    #[test]
    fn last_match_lists_keep_their_meaning(list in prop::collection::vec((row(plain_verdict()), any::<bool>()), 0..6), end in end()) {
        let list: Vec<LastMatchRow> = list.into_iter().map(|(row, quick)| LastMatchRow { row, quick }).collect();
        let (rows, order) = first_match(list.clone()).unwrap();
        let filter = Filter::of(rows, end);
        for packet in packets() {
            let matches = |listed: &LastMatchRow| listed.row.guard == Some(true) && listed.row.verdict != Verdict::Continue
                && listed.row.matches.matches(&packet, &Assignment::of(variables().into_iter().map(|variable| (variable, true)))) == Some(true);
            let mut decided = None;
            for (at, listed) in list.iter().enumerate().filter(|(_, listed)| matches(listed)) {
                decided = Some(at);
                if listed.quick {
                    break;
                }
            }
            let trace = filter.trace(&packet, &Assignment::of(variables().into_iter().map(|variable| (variable, true))));
            let traced = match trace.decided {
                Decided::Row(row, _) => Some(order[row.row]),
                _ => None,
            };
            prop_assert_eq!(traced, decided);
        }
    }

    #[test]
    fn shadows_are_those_of_every_packet(rows in prop::collection::vec(row(plain_verdict()), 0..7)) {
        let assignments = Assignment::all(variables()).0;
        for (index, reach) in shadowed(&rows, Effort::default()).into_iter().enumerate() {
            let row = &rows[index];
            let matches = |row: &Row, packet: &Packet, assignment: &Assignment| row.matches.matches(packet, assignment) == Some(true);
            let taker = |packet: &Packet, assignment: &Assignment| rows[..index].iter().position(|earlier| {
                earlier.guard == Some(true) && matches!(earlier.verdict, Verdict::Accept | Verdict::Drop) && matches(earlier, packet, assignment)
            });
            let mut takers = BTreeSet::new();
            let (mut some, mut reached) = (false, false);
            for packet in packets() {
                for assignment in assignments.iter().filter(|assignment| row.guard != Some(false) && matches(row, &packet, assignment)) {
                    some = true;
                    match taker(&packet, assignment) {
                        Some(taker) => drop(takers.insert(taker)),
                        None => reached = true,
                    }
                }
            }
            match reach {
                Reach::Empty => prop_assert!(!some),
                Reach::Covered { by, verdicts_differ } => {
                    prop_assert!(some && !reached);
                    prop_assert_eq!(&by, &takers.into_iter().collect::<Vec<_>>());
                    prop_assert_eq!(verdicts_differ, by.iter().any(|taker| rows[*taker].verdict != row.verdict));
                }
                Reach::Live { witness, given } => {
                    prop_assert!(reached);
                    let given_holds = |assignment: &Assignment| given.iter().all(|literal| assignment.get(literal.variable) == Some(literal.member));
                    for assignment in assignments.iter().filter(|assignment| given_holds(assignment)) {
                        prop_assert!(matches(row, &witness, assignment) && taker(&witness, assignment).is_none());
                    }
                }
                Reach::Unknown => prop_assert!(false, "the work bound cannot be reached"),
            }
        }
    }
}

#[test]
fn the_same_feed_denied_and_then_permitted_cancels() {
    let feed = Match::between(&AddrMatch::atom(AtomId(9)), &AddrMatch::known(AddrSet::any()), &Product::any());
    let rows = vec![Row::new(feed.clone(), Verdict::Drop), Row::new(feed, Verdict::Accept)];
    assert_eq!(shadowed(&rows, Effort::default())[1], Reach::Covered { by: vec![0], verdicts_differ: true });
    let bounds = Filter::of(rows, End::Drop).accepts(&PacketSet::any(), &mut Budget::default()).unwrap();
    assert!(bounds.hi.is_empty() && bounds.exact);
}

#[test]
fn more_than_six_atoms_give_plain_bounds_and_say_so() {
    let permit = |atom| {
        Row::new(Match::between(&AddrMatch::atom(AtomId(atom)), &AddrMatch::known(AddrSet::any()), &Product::any()), Verdict::Accept)
    };
    for atoms in [6, 7] {
        let rows: Vec<Row> = (0..atoms).map(permit).collect();
        let bounds = Filter::of(rows, End::Drop).accepts(&PacketSet::any(), &mut Budget::default()).unwrap();
        assert_eq!(bounds.exact, atoms <= 6);
        assert!(bounds.lo.is_empty());
        assert!(PacketSet::any().is_subset(&bounds.hi, &mut Budget::default()).unwrap());
    }
}

#[test]
fn atoms_of_rows_outside_the_universe_do_not_count() {
    let host = AddrMatch::known(AddrSet { v4: Intervals::single(1), v6: Intervals::empty() });
    let mut rows: Vec<Row> =
        (0..9).map(|atom| Row::new(Match::between(&AddrMatch::atom(AtomId(atom)), &host, &Product::any()), Verdict::Accept)).collect();
    rows.push(Row::new(Product::any(), Verdict::Drop));
    let elsewhere = PacketSet::from(Product { dst: AddrSet { v4: Intervals::single(2), v6: Intervals::empty() }, ..Product::any() });
    let cases = Filter::of(rows, End::Drop).cases(&elsewhere, &mut Budget::default()).unwrap();
    assert_eq!(cases.len(), 1);
    assert!(cases[0].accepted.exact && cases[0].accepted.hi.is_empty());
}

#[test]
fn a_circle_of_jumps_is_unknown() {
    let to = |target| Chain { rows: vec![Row::new(Product::any(), Verdict::Jump(ChainId(target)))], end: End::Drop };
    for filter in [Filter { chains: vec![to(1), to(0)] }, Filter { chains: vec![to(5)] }, Filter { chains: vec![] }] {
        let bounds = filter.accepts(&PacketSet::any(), &mut Budget::default()).unwrap();
        assert!(!bounds.exact && bounds.lo.is_empty() && !bounds.hi.is_empty());
    }
}

#[test]
fn chains_that_call_each_other_twice_end_within_the_budget() {
    let chains = (1..60).map(|target| {
        let jump = || Row::new(Product::any(), Verdict::Jump(ChainId(target)));
        Chain { rows: vec![jump(), jump()], end: End::Return }
    });
    let filter = Filter { chains: chains.chain([Chain { rows: vec![], end: End::Return }]).collect() };
    assert_eq!(filter.accepts(&PacketSet::any(), &mut Budget::new(100_000)).unwrap_err(), Exceeded);
}
