//! What a row asks of a packet, as conjunctions that both ways of writing rules fill in alike. A condition is about the first packet of a
//! connection from a stranger: what holds only later, or only sometimes, is kept as such and never dropped.
//!
//! A disjunction is several conditions of one row. Ranges are sorted, do not overlap, and are empty only where nothing can match.

use crate::ir::filter::{AddrExpr, Family, ICMP, ICMPV6, SvcExpr, SvcTerm};
use crate::source::Span;

/// A name of an interface, or the beginning of such names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamePattern {
    /// The name, or its beginning.
    pub text: String,
    /// Whether any name that begins so is meant.
    pub prefix: bool,
    /// Where it stands.
    pub span: Span,
}

impl NamePattern {
    /// Reads a name with the sign that ends a beginning (`+` or `*`).
    pub fn new(word: &str, wildcard: char, span: Span) -> NamePattern {
        match word.strip_suffix(wildcard) {
            Some(text) => NamePattern { text: text.to_owned(), prefix: true, span },
            None => NamePattern { text: word.to_owned(), prefix: false, span },
        }
    }

    /// Whether every interface that the other stands for is meant.
    pub fn covers(&self, other: &NamePattern) -> bool {
        if self.prefix { other.text.starts_with(&self.text) } else { !other.prefix && other.text == self.text }
    }
}

/// Names of interfaces, one of which (or, negated, none of which) must be meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    /// Whether all others are meant.
    pub negated: bool,
    /// The names.
    pub patterns: Vec<NamePattern>,
}

/// A test of the packet mark.
#[derive(Clone, Debug)]
pub struct MarkTest {
    /// The mark.
    pub value: u32,
    /// The bits that are compared.
    pub mask: u32,
    /// Whether the test is for any other mark.
    pub negated: bool,
    /// Where it stands.
    pub span: Span,
}

/// Inclusive ranges; `None` stands for all.
pub type Ranges<T> = Option<Vec<(T, T)>>;

/// Sorts and joins ranges.
pub fn tidy<T: Copy + Ord>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.retain(|r| r.0 <= r.1);
    ranges.sort_unstable();
    let mut out: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (a, b) in ranges {
        match out.last_mut() {
            Some(last) if a <= last.1 => last.1 = last.1.max(b),
            _ => out.push((a, b)),
        }
    }
    out
}

/// What lies in both.
pub fn common<T: Copy + Ord>(a: &Ranges<T>, b: &Ranges<T>) -> Ranges<T> {
    match (a, b) {
        (None, other) | (other, None) => other.clone(),
        (Some(a), Some(b)) => {
            let (mut i, mut j) = (0, 0);
            let mut out = Vec::new();
            while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
                let (from, to) = (x.0.max(y.0), x.1.min(y.1));
                if from <= to {
                    out.push((from, to));
                }
                if x.1 < y.1 { i += 1 } else { j += 1 }
            }
            Some(out)
        }
    }
}

/// Everything outside of ranges up to a greatest value.
pub fn outside(ranges: &[(u16, u16)], greatest: u16) -> Vec<(u16, u16)> {
    let mut out = Vec::new();
    let mut next = 0u32;
    for (a, b) in ranges {
        if next < u32::from(*a) {
            out.push((next as u16, a - 1));
        }
        next = next.max(u32::from(*b) + 1);
    }
    if next <= u32::from(greatest) {
        out.push((next as u16, greatest));
    }
    out
}

/// Protocols, ports and ICMP types, all of which must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Services {
    /// IP protocols.
    pub protocols: Ranges<u16>,
    /// Destination ports.
    pub dst_ports: Ranges<u16>,
    /// Source ports.
    pub src_ports: Ranges<u16>,
    /// ICMP types and codes as `type << 8 | code`.
    pub icmp: Ranges<u16>,
}

/// Protocols that have ports.
const WITH_PORTS: [u16; 5] = [6, 17, 33, 132, 136];

impl Services {
    /// A whole protocol.
    pub fn protocol(number: u8) -> Services {
        Services { protocols: Some(vec![(u16::from(number), u16::from(number))]), ..Services::default() }
    }

    /// The protocols that have no ports.
    pub fn portless() -> Vec<(u16, u16)> {
        outside(&WITH_PORTS.map(|p| (p, p)), 255)
    }

    /// What fits both.
    pub fn and(&self, other: &Services) -> Services {
        Services {
            protocols: common(&self.protocols, &other.protocols),
            dst_ports: common(&self.dst_ports, &other.dst_ports),
            src_ports: common(&self.src_ports, &other.src_ports),
            icmp: common(&self.icmp, &other.icmp),
        }
    }

    /// Whether nothing can fit.
    pub fn is_empty(&self) -> bool {
        let none = |r: &Ranges<u16>| r.as_ref().is_some_and(Vec::is_empty);
        none(&self.protocols) || none(&self.dst_ports) || none(&self.src_ports) || none(&self.icmp)
    }

    /// Whether everything fits.
    pub fn is_any(&self) -> bool {
        *self == Services::default()
    }

    /// The terms; `None` for every service.
    pub fn terms(&self) -> Option<Vec<SvcTerm>> {
        let has = |protocol: u16| self.protocols.as_ref().is_none_or(|r| r.iter().any(|(a, b)| (*a..=*b).contains(&protocol)));
        if self.is_any() {
            return None;
        }
        if self.is_empty() {
            return Some(Vec::new());
        }
        let mut terms = Vec::new();
        if let Some(kinds) = &self.icmp {
            for protocol in [ICMP, ICMPV6].into_iter().filter(|p| has(u16::from(*p))) {
                for (first, last) in kinds {
                    for kind in (first >> 8)..=(last >> 8) {
                        let from = (*first).max(kind << 8) & 0xff;
                        let to = (*last).min(kind << 8 | 0xff) & 0xff;
                        let whole = (from, to) == (0, 0xff);
                        let codes: Vec<Option<u8>> = if whole { vec![None] } else { (from..=to).map(|c| Some(c as u8)).collect() };
                        terms.extend(
                            codes.into_iter().map(|code| SvcTerm { icmp: Some((kind as u8, code)), ..SvcTerm::protocol(protocol) }),
                        );
                    }
                }
            }
            return Some(terms);
        }
        if self.dst_ports.is_some() || self.src_ports.is_some() {
            for protocol in WITH_PORTS.into_iter().filter(|p| has(*p)) {
                terms.push(SvcTerm {
                    protocol: Some(protocol as u8),
                    src_ports: self.src_ports.clone().unwrap_or_default(),
                    dst_ports: self.dst_ports.clone().unwrap_or_default(),
                    icmp: None,
                });
            }
            return Some(terms);
        }
        for (first, last) in self.protocols.iter().flatten() {
            terms.extend((*first..=(*last).min(255)).map(|p| SvcTerm::protocol(p as u8)));
        }
        Some(terms)
    }

    /// As an expression.
    pub fn expression(&self) -> SvcExpr {
        match self.terms() {
            None => SvcExpr::Any,
            Some(terms) if terms.is_empty() => SvcExpr::Nothing,
            Some(mut terms) if terms.len() == 1 => terms.pop().map_or(SvcExpr::Nothing, SvcExpr::Term),
            Some(terms) => SvcExpr::Union(terms.into_iter().map(SvcExpr::Term).collect()),
        }
    }
}

/// How a condition depends on how often something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// Holds for the first packets, and again after a pause.
    Under,
    /// Holds only for who is on a list of the past: nobody is at first, and who knocks may be.
    Listed,
    /// Holds only for whoever comes often.
    Over,
}

/// One conjunction. See the module text.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// The one family meant.
    pub family: Option<Family>,
    /// Names of the inbound interface; all must hold.
    pub ingress: Vec<Names>,
    /// Names of the outbound interface; all must hold.
    pub egress: Vec<Names>,
    /// Sources; all must hold.
    pub src: Vec<AddrExpr>,
    /// Destinations; all must hold.
    pub dst: Vec<AddrExpr>,
    /// Services.
    pub services: Services,
    /// Whether the destination is one of the box's own addresses.
    pub local: Option<bool>,
    /// Whether the destination was translated.
    pub translated: Option<bool>,
    /// Tests of the mark.
    pub marks: Vec<MarkTest>,
    /// Whether it holds before connections are told apart, where it asks about connections.
    pub untracked: Option<bool>,
    /// Whether it holds for packets that were taken out of the tracking of connections, where it asks about connections.
    pub notrack: Option<bool>,
    /// Holds for packets of known connections only.
    pub established: Option<Span>,
    /// Holds for packets that came out of IPsec only.
    pub decrypted: Option<Span>,
    /// What the algebra does not model.
    pub unmodelled: Vec<(Span, String)>,
    /// How it depends on how often something happens.
    pub rate: Option<Rate>,
    /// Holds for the first packet of a connection and not for the others.
    pub opening: Option<Span>,
    /// Cannot hold.
    pub never: bool,
}

fn both_hold(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a && b),
        (a, b) => a.or(b),
    }
}

impl Condition {
    /// Both at once.
    pub fn and(&self, other: &Condition) -> Condition {
        let either = |a: &Option<bool>, b: &Option<bool>| a.or(*b);
        let opposed = |a: &Option<bool>, b: &Option<bool>| matches!((a, b), (Some(x), Some(y)) if x != y);
        let families = matches!((self.family, other.family), (Some(a), Some(b)) if a != b);
        let join = |a: &[Names], b: &[Names]| a.iter().chain(b).cloned().collect();
        let both = |a: &[AddrExpr], b: &[AddrExpr]| a.iter().chain(b).cloned().collect();
        let services = self.services.and(&other.services);
        Condition {
            family: self.family.or(other.family),
            ingress: join(&self.ingress, &other.ingress),
            egress: join(&self.egress, &other.egress),
            src: both(&self.src, &other.src),
            dst: both(&self.dst, &other.dst),
            local: either(&self.local, &other.local),
            translated: either(&self.translated, &other.translated),
            untracked: both_hold(self.untracked, other.untracked),
            notrack: both_hold(self.notrack, other.notrack),
            marks: self.marks.iter().chain(&other.marks).cloned().collect(),
            established: self.established.or(other.established),
            decrypted: self.decrypted.or(other.decrypted),
            opening: self.opening.or(other.opening),
            unmodelled: self.unmodelled.iter().chain(&other.unmodelled).cloned().collect(),
            rate: self.rate.max(other.rate),
            never: self.never
                || other.never
                || families
                || services.is_empty()
                || opposed(&self.local, &other.local)
                || opposed(&self.translated, &other.translated),
            services,
        }
    }

    /// A condition that cannot be decided here.
    pub fn unmodelled(span: Span, what: impl Into<String>) -> Condition {
        Condition { unmodelled: vec![(span, what.into())], ..Condition::default() }
    }

    /// A condition that cannot hold.
    pub fn never() -> Condition {
        Condition { never: true, ..Condition::default() }
    }

    /// Whether every packet fits.
    #[cfg(test)]
    pub fn is_any(&self) -> bool {
        !self.never
            && self.family.is_none()
            && self.ingress.is_empty()
            && self.egress.is_empty()
            && self.src.is_empty()
            && self.dst.is_empty()
            && self.services.is_any()
            && self.local.is_none()
            && self.translated.is_none()
            && self.marks.is_empty()
            && self.established.is_none()
            && self.decrypted.is_none()
            && self.unmodelled.is_empty()
            && self.rate.is_none_or(|r| r == Rate::Under)
    }
}

/// Every pair of two disjunctions at once, without those that cannot hold; one of them stays where none can.
pub fn product(a: &[Condition], b: &[Condition]) -> Vec<Condition> {
    let (never, mut all): (Vec<_>, Vec<_>) = a.iter().flat_map(|x| b.iter().map(move |y| x.and(y))).partition(|c| c.never);
    if all.is_empty() {
        all.extend(never.into_iter().next());
    }
    all
}

/// The addresses that all expressions hold.
pub fn all_of(expressions: &[AddrExpr]) -> AddrExpr {
    let mut list = expressions.iter().cloned();
    let Some(first) = list.next() else { return AddrExpr::Any };
    list.fold(first, |all, one| AddrExpr::Except(Box::new(all), Box::new(AddrExpr::Not(Box::new(one)))))
}

/// Everything else of a family.
pub fn not_in(what: AddrExpr, v6: bool) -> AddrExpr {
    let all = if v6 { AddrExpr::AnyV6 } else { AddrExpr::AnyV4 };
    AddrExpr::Except(Box::new(all), Box::new(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_meet_and_leave_their_outside() {
        let a = Some(vec![(1u16, 10), (20, 30)]);
        assert_eq!(common(&a, &Some(vec![(5, 25)])), Some(vec![(5, 10), (20, 25)]));
        assert_eq!(common(&a, &None), a);
        assert_eq!(outside(&[(0, 4), (10, 65535)], 65535), [(5, 9)]);
        assert_eq!(outside(&[], 255), [(0, 255)]);
        assert_eq!(tidy(vec![(5u16, 9), (1, 6), (12, 3)]), [(1, 9)]);
    }

    #[test]
    fn ports_without_a_protocol_hold_for_every_protocol_that_has_them() {
        let services = Services { dst_ports: Some(vec![(53, 53)]), ..Services::default() };
        assert_eq!(services.terms().map(|t| t.len()), Some(5));
        let tcp = services.and(&Services::protocol(6));
        assert_eq!(tcp.terms(), Some(vec![SvcTerm::ports(6, vec![(53, 53)])]));
        assert!(tcp.and(&Services::protocol(17)).is_empty());
        assert_eq!(services.and(&Services::protocol(1)).terms(), Some(vec![]), "ICMP has no ports");
    }

    #[test]
    fn part_of_an_icmp_type_keeps_its_codes() {
        let services = Services { icmp: Some(vec![(0x0304, 0x0305)]), ..Services::protocol(1) };
        let codes: Vec<_> = services.terms().into_iter().flatten().map(|t| t.icmp).collect();
        assert_eq!(codes, [Some((3, Some(4))), Some((3, Some(5)))]);
    }
}
