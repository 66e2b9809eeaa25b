//! Destination translation: the rows of NAT chains on arrival, in the order in which they are tried, with what the calls before them ask.
//!
//! Rows that let packets off (accept, return) take their packets out of the rows behind them where that can be written as addresses;
//! where it cannot, those rows are of unknown life. Only the first packet of a connection comes here.

use super::condition::{Condition, all_of, product};
use super::filter::may_be_untracked;
use super::{Hook, Kind, Lowering, Row, Target, Translation};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, IfMatch};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::{LinkKind, Live};
use crate::ir::nat::{NatIx, NatKind, NatRule};
use std::net::IpAddr;

/// Deeper calls than the kernel allows.
const DEEPEST: usize = 16;
/// More translations than any real export has; chains that call each other twice each would make them without end.
const MOST: usize = 20_000;

/// Whether an expression holds an address; `None` where that cannot be told here.
pub fn holds(e: &AddrExpr, ip: IpAddr) -> Option<bool> {
    match e {
        AddrExpr::Any => Some(true),
        AddrExpr::AnyV4 => Some(ip.is_ipv4()),
        AddrExpr::AnyV6 => Some(ip.is_ipv6()),
        AddrExpr::Nothing => Some(false),
        AddrExpr::Range(a, b) => Some(a.is_ipv4() == ip.is_ipv4() && *a <= ip && ip <= *b),
        AddrExpr::Union(list) => {
            let answers: Vec<Option<bool>> = list.iter().map(|e| holds(e, ip)).collect();
            if answers.contains(&Some(true)) { Some(true) } else { answers.iter().all(Option::is_some).then_some(false) }
        }
        AddrExpr::Except(a, b) => match (holds(a, ip), holds(b, ip)) {
            (Some(false), _) | (_, Some(true)) => Some(false),
            (Some(true), Some(false)) => Some(true),
            _ => None,
        },
        AddrExpr::Not(a) => holds(a, ip).map(|h| !h),
        _ => None,
    }
}

/// Fills the translations.
pub fn fill(l: &mut Lowering<'_>) {
    let rules = l.rules;
    // Of chains with the same priority, the kernel asks the one attached last first (`nf_hook_entries_grow`); the first to translate wins.
    let mut bases = rules.bases(Hook::Prerouting, |k| k == Kind::Nat);
    bases.sort_by_key(|(ix, base)| (base.priority, std::cmp::Reverse(*ix)));
    for (ix, _) in bases {
        let family = rules.tables[rules.chains[ix].table].family.unwrap_or(Family::Both);
        let mut walk = Walk { l: &mut *l, family, off: Vec::new(), path: Vec::new() };
        walk.chain(ix, &Condition::default());
    }
    source_translation(l);
}

/// One base chain with all that it calls.
struct Walk<'w, 'a> {
    l: &'w mut Lowering<'a>,
    family: Family,
    /// What was let off so far.
    off: Vec<Condition>,
    path: Vec<usize>,
}

impl Walk<'_, '_> {
    fn chain(&mut self, chain: usize, so_far: &Condition) {
        if self.path.len() >= DEEPEST || self.path.contains(&chain) || self.l.device.nat.rules.len() > MOST {
            return;
        }
        self.path.push(chain);
        let rules = self.l.rules;
        let table = rules.chains[chain].table;
        let before = self.off.len();
        let mut returned = Vec::new();
        for row in &rules.chains[chain].rows {
            let conditions = product(std::slice::from_ref(so_far), &row.conditions);
            let live: Vec<Condition> = conditions.into_iter().filter(|c| !c.never && c.established.is_none()).collect();
            for condition in live {
                match &row.target {
                    Target::Destination(to) => {
                        self.translation(row, &condition, to);
                    }
                    Target::Accept | Target::Drop => self.off.push(condition),
                    Target::Return => {
                        self.off.push(condition.clone());
                        returned.push(condition);
                    }
                    Target::Jump(name) | Target::Goto(name) => {
                        if let Some(target) = rules.find(table, name) {
                            self.chain(target, &condition);
                        }
                        if matches!(row.target, Target::Goto(_)) {
                            self.off.push(condition.clone());
                            returned.push(condition);
                        }
                    }
                    Target::Unknown(what) => {
                        let mut maybe = condition;
                        maybe.unmodelled.push((row.span, what.clone()));
                        self.off.push(maybe);
                    }
                    Target::Continue | Target::Source => {}
                }
            }
        }
        // A return lets packets off for the rest of this chain only.
        if !returned.is_empty() && self.path.len() > 1 {
            let kept = self.off.split_off(before);
            self.off.extend(kept.into_iter().filter(|c| !returned.iter().any(|r| same(r, c))));
        }
        self.path.pop();
    }

    fn translation(&mut self, row: &Row, condition: &Condition, translation: &Translation) {
        let mut src = condition.src.clone();
        let mut dst = condition.dst.clone();
        let mut unsure: Vec<Why> =
            condition.unmodelled.iter().map(|(s, what)| Why::at(WhyCode::Unmodelled, what.clone(), vec![*s])).collect();
        unsure.extend(condition.marks.first().map(|m| Why::at(WhyCode::Unmodelled, "mark", vec![m.span])));
        // Packets that are not tracked are not translated.
        if may_be_untracked(self.l, condition) {
            unsure.push(Why::at(WhyCode::Unmodelled, "notrack", vec![row.span]));
        }
        for off in &self.off {
            match self.overlap(off, condition) {
                Overlap::None => {}
                Overlap::All => return,
                Overlap::Sources => src.push(AddrExpr::Not(Box::new(all_of(&off.src)))),
                Overlap::Destinations => dst.push(AddrExpr::Not(Box::new(all_of(&off.dst)))),
                Overlap::Some => unsure.push(Why::at(WhyCode::Unmodelled, row.label.clone(), vec![row.span])),
            }
        }
        // One address that is asked for together with being the box's own is one of them, shown elsewhere or not.
        let single = |e: &AddrExpr| matches!(e, AddrExpr::Range(a, b) if a == b);
        match condition.local {
            Some(true) if !dst.iter().any(single) => dst.push(AddrExpr::SelfAddrs),
            Some(false) => dst.push(AddrExpr::Not(Box::new(AddrExpr::SelfAddrs))),
            _ => {}
        }
        let at = row.span;
        let mut live = Live::own(Fact::written(true, at));
        if let Some(why) = unsure.into_iter().next() {
            live = live.with(LinkKind::FeatureOn, Fact::unknown(why));
        }
        let wanted = condition.family.unwrap_or(self.family);
        let to = match &translation.to {
            None => Fact::written(AddrExpr::SelfAddrs, at),
            Some(to) => to.clone(),
        };
        let only = |v6: bool| match &to.value {
            Val::Known(AddrExpr::Range(ip, _)) => ip.is_ipv6() == v6,
            _ => true,
        };
        for family in [Family::V4, Family::V6] {
            let v6 = family == Family::V6;
            if !wanted.includes(v6) || !only(v6) {
                continue;
            }
            let index = NatIx(self.l.device.nat.rules.len() as u32);
            if let Some(Some(mark)) = row.sets_mark {
                self.l.marked.entry(mark).or_default().push(index);
            }
            let terms = condition.services.terms();
            let name = name_of(terms.as_deref(), &row.label);
            self.l.device.nat.rules.push(NatRule {
                name,
                span: at,
                kind: NatKind::PortForward,
                live: live.clone(),
                ingress: self.l.interfaces.matching(&condition.ingress),
                family,
                src: Fact::written(all_of(&src), at),
                orig_dst: Fact::written(all_of(&dst), at),
                orig_svc: terms.unwrap_or_default(),
                to: to.clone(),
                to_port: translation.port,
                needs_reference: false,
                layer7: false,
            });
        }
        // Later rows never see these packets: the rows before are taken out by whoever follows packets through this list.
    }

    fn overlap(&self, off: &Condition, of: &Condition) -> Overlap {
        let services = off.services.and(&of.services);
        let families = matches!((off.family, of.family), (Some(a), Some(b)) if a != b);
        let interfaces = match (self.l.interfaces.matching(&off.ingress), self.l.interfaces.matching(&of.ingress)) {
            (IfMatch::These(a), IfMatch::These(b)) => !a.iter().any(|ix| b.contains(ix)),
            _ => false,
        };
        if services.is_empty() || families || interfaces {
            return Overlap::None;
        }
        let sure =
            off.unmodelled.is_empty() && off.marks.is_empty() && off.local.is_none() && off.translated.is_none() && off.rate.is_none();
        let whole = sure
            && services == of.services
            && (off.family.is_none() || off.family == of.family)
            && match self.l.interfaces.matching(&off.ingress) {
                IfMatch::Any => true,
                IfMatch::These(a) => {
                    matches!(self.l.interfaces.matching(&of.ingress), IfMatch::These(b) if b.iter().all(|ix| a.contains(ix)))
                }
                IfMatch::Unknown(_) => false,
            };
        match (whole, off.src.is_empty(), off.dst.is_empty()) {
            (true, true, true) => Overlap::All,
            (true, false, true) => Overlap::Sources,
            (true, true, false) => Overlap::Destinations,
            _ => Overlap::Some,
        }
    }
}

/// How packets that were let off meet a row behind.
enum Overlap {
    None,
    All,
    Sources,
    Destinations,
    Some,
}

fn same(a: &Condition, b: &Condition) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

/// Protocol and ports as the row has them; the row's number where it has none.
fn name_of(terms: Option<&[crate::ir::filter::SvcTerm]>, label: &str) -> String {
    let Some([term, ..]) = terms else { return label.to_owned() };
    let protocol = match term.protocol {
        Some(6) => "tcp".to_owned(),
        Some(17) => "udp".to_owned(),
        Some(p) => format!("protocol {p}"),
        None => return label.to_owned(),
    };
    match term.dst_ports.first() {
        Some((a, b)) if a == b => format!("{protocol} {a}"),
        Some((a, b)) => format!("{protocol} {a}-{b}"),
        None => protocol,
    }
}

/// The interfaces on whose outer side sources are translated.
fn source_translation(l: &mut Lowering<'_>) {
    let mut seen = std::collections::BTreeSet::new();
    for chain in &l.rules.chains {
        for row in chain.rows.iter().filter(|r| matches!(r.target, Target::Source)) {
            for condition in &row.conditions {
                let list = match l.interfaces.matching(&condition.egress) {
                    IfMatch::These(list) => list,
                    _ => (0..l.device.interfaces.len() as u32).map(InterfaceIx).collect(),
                };
                for ix in list.into_iter().filter(|ix| seen.insert(*ix)) {
                    l.device.nat.source_nat_on.push((ix, Origin::Written(row.span)));
                }
            }
        }
    }
}
