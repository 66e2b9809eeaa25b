//! What two versions of a device let strangers do, compared as packet sets: names, order and notation of the two configurations do not
//! matter, dialects neither.
//!
//! Services of the box are compared line by line (an interface of the old box is paired with one of the new), sources and ports
//! exactly; the box's own addresses do not count, since renumbering a line opens nothing. Ways to inside hosts are compared by the
//! host and port they end at. What only may get through is never taken for equal to what surely does or does not.

use super::reach::{Answer, Membership, Target, Way};
use crate::ir::device::Device;
use crate::ir::fact::{Why, WhyCode};
use crate::ir::interface::InterfaceIx;
use crate::packet::{AddrSet, Budget, Intervals, PacketSet, Product, STATE_NEW};
use std::collections::{BTreeMap, BTreeSet};

/// Work for one pair of devices.
const WORK: u64 = 60_000_000;
/// Memberships that are told apart; with more of them only the bounds over all are compared.
const MEMBERSHIPS: usize = 6;

/// One version of a device, asked what reaches it from outside.
#[derive(Clone, Copy)]
pub struct Version<'a> {
    /// The device.
    pub device: &'a Device,
    /// The answer to the question what reaches anything from every untrusted side.
    pub answer: &'a Answer,
}

/// What became of some packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// They were stopped and get through now.
    Opened,
    /// They got through and are stopped now.
    Closed,
    /// Whether there is a difference cannot be told.
    Unknown,
}

/// Packets under conditions that the exports leave open.
#[derive(Clone, Debug)]
pub struct Region {
    /// The conditions.
    pub when: Vec<Membership>,
    /// The packets. Those to the box itself carry any destination.
    pub set: PacketSet,
}

/// A difference.
#[derive(Clone, Debug)]
pub struct Change {
    /// What became of the packets.
    pub turn: Turn,
    /// The service of the box; `None` for inside hosts.
    pub service: Option<&'static str>,
    /// `internet` or `closed_network`.
    pub outside: &'static str,
    /// The packets; for [`Turn::Unknown`] those that may be concerned.
    pub regions: Vec<Region>,
    /// A way of the version in which they get through: index into its answer.
    pub way: Option<usize>,
    /// Whether that version is the new one.
    pub in_new: bool,
    /// All ways that may take the packets: whether of the new version, and the index into its answer.
    concerned: Vec<(bool, usize)>,
    /// Why it cannot be told.
    pub why: Option<Why>,
    /// For [`Turn::Unknown`]: whether packets surely get through in the old version, and in the new; `None` when that cannot be told.
    pub sure: (Option<bool>, Option<bool>),
    /// For [`Turn::Unknown`]: whether packets may get through that surely did not before, and the reverse.
    pub may: (bool, bool),
}

/// The differences of a pair, and how many points cannot be told in either version in the same way.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// What opened, what closed, what cannot be told; in this order.
    pub changes: Vec<Change>,
    /// Points that are undetermined in both versions alike.
    pub alike_unknown: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Box(&'static str, usize),
    Inside,
}

/// Compares two versions of a device; a version may be missing as a whole.
pub fn compare(old: Option<Version<'_>>, new: Option<Version<'_>>) -> Difference {
    let lines = lines(old, new);
    let mut budget = Budget::new(WORK);
    let mut difference = Difference::default();
    for outside in ["internet", "closed_network"] {
        let (before, after) = (gather(old, outside, &lines.0), gather(new, outside, &lines.1));
        let keys: BTreeSet<Key> = before.keys().chain(after.keys()).copied().collect();
        for key in keys {
            let none = Vec::new();
            let pair = Pair {
                key,
                outside,
                old: Sets { ways: before.get(&key).unwrap_or(&none), open: open(old, key) },
                new: Sets { ways: after.get(&key).unwrap_or(&none), open: open(new, key) },
            };
            if pair.compare(&mut difference, &mut budget).is_err() {
                let why = Some(Why::new(WhyCode::Unmodelled, ""));
                difference.changes.push(pair.change(Turn::Unknown, Vec::new(), why, Doubt { sure: (None, None), may: (true, true) }));
            }
        }
    }
    // A side that cannot be told is compared as either outside; one word about it is enough.
    let unknown = |c: &&Change, internet: bool| c.turn == Turn::Unknown && (c.outside == "internet") == internet;
    let told: BTreeSet<(bool, usize)> =
        difference.changes.iter().filter(|c| unknown(c, true)).flat_map(|c| &c.concerned).copied().collect();
    difference.changes.retain(|c| !(unknown(&c, false) && c.concerned.iter().any(|way| told.contains(way))));
    difference.changes.sort_by_key(|c| (c.turn, c.service.is_some()));
    difference
}

/// Why a version may have more ways than its export shows.
fn open(version: Option<Version<'_>>, key: Key) -> Option<Why> {
    let answer = version?.answer;
    if matches!(key, Key::Box(..)) { answer.open_box.clone() } else { answer.open_inside.clone() }
}

type Lines = BTreeMap<InterfaceIx, usize>;

/// Numbers the outside lines of both versions; lines that belong together have one number.
fn lines(old: Option<Version<'_>>, new: Option<Version<'_>>) -> (Lines, Lines) {
    let used = |version: Option<Version<'_>>| -> Vec<(InterfaceIx, String, Vec<String>, &'static str)> {
        let Some(version) = version else { return Vec::new() };
        let ingresses: BTreeSet<InterfaceIx> = version.answer.ways.iter().map(|w| w.ingress).collect();
        let described = ingresses.into_iter().filter_map(|ix| {
            let interface = version.device.interfaces.get(ix.0 as usize)?;
            let outside = version.answer.ways.iter().find(|w| w.ingress == ix).map_or("none", |w| w.outside);
            let addresses = interface.addresses.iter().filter_map(|a| a.net.get()).map(|n| n.addr.to_string()).collect();
            Some((ix, interface.name.clone(), addresses, outside))
        });
        described.collect()
    };
    let (mut a, mut b) = (used(old), used(new));
    let (mut left, mut right) = (Lines::new(), Lines::new());
    let mut number = 0;
    type Line = (InterfaceIx, String, Vec<String>, &'static str);
    let passes: [fn(&Line, &Line) -> bool; 5] = [
        |x, y| !x.2.is_empty() && x.2 == y.2,
        |x, y| x.1 == y.1 && x.3 == y.3,
        |x, y| x.2.is_empty() && y.2.is_empty() && x.3 == y.3,
        |x, y| x.3 == y.3,
        |x, y| x.3 == "none" || y.3 == "none",
    ];
    for same in passes {
        let mut at = 0;
        while at < a.len() {
            match b.iter().position(|y| same(&a[at], y)) {
                Some(found) => {
                    left.insert(a.remove(at).0, number);
                    right.insert(b.remove(found).0, number);
                    number += 1;
                }
                None => at += 1,
            }
        }
    }
    for (rest, lines) in [(a, &mut left), (b, &mut right)] {
        for (ix, ..) in rest {
            lines.insert(ix, number);
            number += 1;
        }
    }
    (left, right)
}

/// Ways by what they lead to. A way from a side that cannot be told may be one from either outside.
fn gather<'a>(version: Option<Version<'a>>, outside: &str, lines: &Lines) -> BTreeMap<Key, Vec<(usize, &'a Way)>> {
    let mut all: BTreeMap<Key, Vec<(usize, &Way)>> = BTreeMap::new();
    let Some(version) = version else { return all };
    for (index, way) in version.answer.ways.iter().enumerate() {
        let unsure_side = way.untrusted.is_none();
        if way.outside != outside && !unsure_side {
            continue;
        }
        let key = match way.target {
            Target::Listener(l) => {
                let Some(listener) = version.device.listeners.items.get(l.0 as usize) else { continue };
                Key::Box(listener.service, lines.get(&way.ingress).copied().unwrap_or(usize::MAX))
            }
            _ => Key::Inside,
        };
        all.entry(key).or_default().push((index, way));
    }
    all
}

struct Sets<'a> {
    ways: &'a [(usize, &'a Way)],
    open: Option<Why>,
}

struct Pair<'a> {
    key: Key,
    outside: &'static str,
    old: Sets<'a>,
    new: Sets<'a>,
}

/// What can be said of packets about which a difference cannot be told; see [`Change`].
#[derive(Clone, Copy)]
struct Doubt {
    sure: (Option<bool>, Option<bool>),
    may: (bool, bool),
}

/// Bounds of one version under one assignment of memberships.
struct Bounds {
    lo: PacketSet,
    hi: PacketSet,
}

impl Sets<'_> {
    fn memberships(&self) -> impl Iterator<Item = (bool, String)> {
        self.ways.iter().flat_map(|(_, w)| &w.parts).flat_map(|p| &p.when).map(|m| (m.destination, m.set.clone()))
    }

    /// What surely and what possibly gets through, where memberships are as `when` says. Without `when`, whatever they are.
    fn bounds(&self, when: Option<&[Membership]>, to_box: bool, budget: &mut Budget) -> Result<Bounds, crate::packet::Exceeded> {
        let (mut lo, mut hi) = (Vec::new(), Vec::new());
        for part in self.ways.iter().flat_map(|(_, w)| &w.parts) {
            let holds = |m: &Membership| when.is_some_and(|all| all.contains(m));
            if when.is_some() && !part.when.iter().all(holds) {
                continue;
            }
            if when.is_some() || part.when.is_empty() {
                lo.extend(part.lo.products().iter().map(|p| plain(p, to_box)));
            }
            hi.extend(part.hi.products().iter().map(|p| plain(p, to_box)));
        }
        Ok(Bounds { lo: PacketSet::of(lo, budget)?, hi: PacketSet::of(hi, budget)? })
    }
}

/// What matters of packets: no interface, no state; to the box itself no destination.
fn plain(product: &Product, to_box: bool) -> Product {
    let mut p = Product { iface: Intervals::full(), state: Intervals::single(STATE_NEW), ..product.clone() };
    if to_box {
        let whole = |empty: bool| if empty { Intervals::empty() } else { Intervals::full() };
        let whole6 = |empty: bool| if empty { Intervals::empty() } else { Intervals::full() };
        p.dst = AddrSet { v4: whole(p.src.v4.is_empty() || p.dst.v4.is_empty()), v6: whole6(p.src.v6.is_empty() || p.dst.v6.is_empty()) };
    }
    p
}

fn same(a: &PacketSet, b: &PacketSet, budget: &mut Budget) -> Result<bool, crate::packet::Exceeded> {
    Ok(a.is_subset(b, budget)? && b.is_subset(a, budget)?)
}

impl Pair<'_> {
    fn compare(&self, difference: &mut Difference, budget: &mut Budget) -> Result<(), crate::packet::Exceeded> {
        let names: BTreeSet<(bool, String)> = self.old.memberships().chain(self.new.memberships()).collect();
        let names: Vec<(bool, String)> = names.into_iter().collect();
        let cases: Vec<Option<Vec<Membership>>> = if names.len() > MEMBERSHIPS {
            vec![None]
        } else {
            let all = 0..1usize << names.len();
            let case = |bits: usize| {
                let member = |(n, (destination, set)): (usize, &(bool, String))| Membership {
                    destination: *destination,
                    set: set.clone(),
                    inside: bits >> n & 1 == 1,
                };
                Some(names.iter().enumerate().map(member).collect())
            };
            all.map(case).collect()
        };
        let to_box = matches!(self.key, Key::Box(..));
        let (mut opened, mut closed, mut unsure) = (Vec::new(), Vec::new(), Vec::new());
        let (mut alike_unknown, mut doubt) = (false, Doubt { sure: (None, None), may: (false, false) });
        for case in &cases {
            let when = case.as_deref();
            let (old, new) = (self.old.bounds(when, to_box, budget)?, self.new.bounds(when, to_box, budget)?);
            if same(&old.lo, &new.lo, budget)? && same(&old.hi, &new.hi, budget)? {
                alike_unknown |= !same(&old.lo, &old.hi, budget)?;
                continue;
            }
            // Ways that an export does not show may let anything through.
            let possible = |b: &Bounds, open: &Option<Why>| if open.is_some() { PacketSet::any() } else { b.hi.clone() };
            let (old_hi, new_hi) = (possible(&old, &self.old.open), possible(&new, &self.new.open));
            let (up, down) = (new.lo.difference(&old_hi, budget)?, old.lo.difference(&new_hi, budget)?);
            // What may differ beyond that: surely through in one version only, and possibly so in the other.
            let maybe_up = new.hi.difference(&old.lo, budget)?.difference(&up, budget)?;
            let maybe_down = old.hi.difference(&new.lo, budget)?.difference(&down, budget)?;
            // Packets that may get through in both alike say nothing about a difference.
            let alike = old.hi.difference(&old.lo, budget)?.intersection(&new.hi.difference(&new.lo, budget)?, budget)?;
            let (maybe_up, maybe_down) = (maybe_up.difference(&alike, budget)?, maybe_down.difference(&alike, budget)?);
            let rest = maybe_up.union(&maybe_down, budget)?;
            let answer = |b: &Bounds| {
                let through = rest.products().iter().any(|p| b.lo.overlaps(p));
                let may = rest.products().iter().any(|p| b.hi.overlaps(p));
                if through { Some(true) } else { (!may).then_some(false) }
            };
            if !rest.is_empty() {
                doubt.sure = (answer(&old), answer(&new));
                doubt.may = (doubt.may.0 || !maybe_up.is_empty(), doubt.may.1 || !maybe_down.is_empty());
            }
            let when = case.clone().unwrap_or_default();
            for (set, list) in [(up, &mut opened), (down, &mut closed), (rest, &mut unsure)] {
                if !set.is_empty() {
                    list.push(Region { when: when.clone(), set });
                }
            }
        }
        difference.alike_unknown += usize::from(alike_unknown);
        for (turn, regions) in [(Turn::Opened, opened), (Turn::Closed, closed), (Turn::Unknown, unsure)] {
            if regions.is_empty() {
                continue;
            }
            let regions = merged(regions, cases.len(), budget)?;
            let why = (turn == Turn::Unknown).then(|| self.why());
            difference.changes.push(self.change(turn, regions, why, doubt));
        }
        Ok(())
    }

    fn why(&self) -> Why {
        let ways = || self.new.ways.iter().chain(self.old.ways);
        let of_ways = ways().find_map(|(_, w)| w.why.clone());
        of_ways.or_else(|| self.new.open.clone()).or_else(|| self.old.open.clone()).unwrap_or_else(|| Why::new(WhyCode::RuntimeContent, ""))
    }

    fn change(&self, turn: Turn, regions: Vec<Region>, why: Option<Why>, doubt: Doubt) -> Change {
        let in_new = match turn {
            Turn::Opened => true,
            Turn::Closed => false,
            Turn::Unknown => !self.new.ways.iter().all(|(_, w)| w.parts.iter().all(|p| p.hi.is_empty())),
        };
        let ways = if in_new { self.new.ways } else { self.old.ways };
        let to_box = matches!(self.key, Key::Box(..));
        let meets = |way: &Way| {
            let products = way.parts.iter().flat_map(|p| p.hi.products()).map(|p| plain(p, to_box));
            products.into_iter().any(|p| regions.iter().any(|r| r.set.overlaps(&p)))
        };
        let way = ways.iter().find(|(_, w)| meets(w)).map(|(ix, _)| *ix);
        let both = self.old.ways.iter().map(|w| (false, w)).chain(self.new.ways.iter().map(|w| (true, w)));
        let concerned = both.filter(|(_, (_, w))| meets(w)).map(|(new, (ix, _))| (new, *ix)).collect();
        let service = if let Key::Box(service, _) = self.key { Some(service) } else { None };
        Change { turn, service, outside: self.outside, regions, way, in_new, concerned, why, sure: doubt.sure, may: doubt.may }
    }
}

/// Regions that are the same whatever one membership is become one.
fn merged(mut regions: Vec<Region>, cases: usize, budget: &mut Budget) -> Result<Vec<Region>, crate::packet::Exceeded> {
    if cases == 1 {
        return Ok(regions);
    }
    let mut at = 0;
    while at < regions.len() {
        let mut other = at + 1;
        let mut joined = false;
        while other < regions.len() {
            let (a, b) = (&regions[at], &regions[other]);
            let differ: Vec<usize> = (0..a.when.len().min(b.when.len())).filter(|n| a.when[*n] != b.when[*n]).collect();
            let one = a.when.len() == b.when.len()
                && differ.len() == 1
                && a.when[differ[0]].set == b.when[differ[0]].set
                && a.when[differ[0]].destination == b.when[differ[0]].destination;
            if one && same(&a.set, &b.set, budget)? {
                regions[at].when.remove(differ[0]);
                regions.remove(other);
                joined = true;
            } else {
                other += 1;
            }
        }
        at = if joined { 0 } else { at + 1 };
    }
    Ok(regions)
}
