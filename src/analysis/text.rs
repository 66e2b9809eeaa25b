//! Sets of addresses and services as people write them: prefixes, ranges, and all of a well-known range but a few.
//!
//! No sentences: the names of well-known ranges are keys of `texts/reach.toml`. Nothing is rounded: what comes out says exactly the set.

use super::resolve;
use crate::packet::{AddrSet, Intervals, class, service};
use std::net::IpAddr;

/// A set of addresses of one family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// A well-known range that the set is all of, but for `parts`; `None`: the set is `parts`.
    pub whole: Option<&'static str>,
    /// Prefixes, ranges and addresses.
    pub parts: Vec<String>,
}

/// The prefixes, ranges and addresses of a set, IPv4 first, ascending.
pub fn addresses(set: &AddrSet) -> Vec<String> {
    let v4 =
        set.v4.ranges().iter().map(|(a, b)| range(IpAddr::V4((*a).into()), IpAddr::V4((*b).into()), u128::from(*a), u128::from(*b), 32));
    let v6 = set.v6.ranges().iter().map(|(a, b)| range(IpAddr::V6((*a).into()), IpAddr::V6((*b).into()), *a, *b, 128));
    v4.chain(v6).collect()
}

fn range(first: IpAddr, last: IpAddr, a: u128, b: u128, bits: u32) -> String {
    if a == b {
        return first.to_string();
    }
    let size = (b - a).checked_add(1);
    let prefix = match size {
        None => Some(0),
        Some(n) if n.is_power_of_two() && a & (n - 1) == 0 => Some(bits - n.trailing_zeros()),
        Some(_) => None,
    };
    prefix.map_or_else(|| format!("{first}-{last}"), |p| format!("{first}/{p}"))
}

/// A set by family, in the shortest words that say exactly it.
pub fn describe(set: &AddrSet) -> Vec<Described> {
    let v4 = AddrSet { v6: Intervals::empty(), ..set.clone() };
    let v6 = AddrSet { v4: Intervals::empty(), ..set.clone() };
    let known4 = [("any_v4", AddrSet::any_v4()), ("unicast_v4", class::unicast_v4()), ("public_v4", class::public_v4())];
    let known6 = [("any_v6", AddrSet::any_v6()), ("unicast_v6", class::unicast_v6()), ("public_v6", class::public_v6())];
    [(v4, known4), (v6, known6)].into_iter().filter(|(set, _)| !set.is_empty()).map(|(set, known)| shortest(&set, &known)).collect()
}

fn shortest(set: &AddrSet, known: &[(&'static str, AddrSet)]) -> Described {
    let count = |s: &AddrSet| s.v4.ranges().len() + s.v6.ranges().len();
    let mut best = Described { whole: None, parts: addresses(set) };
    for (name, whole) in known.iter().filter(|(_, whole)| set.is_subset(whole)) {
        let missing = whole.difference(set);
        if count(&missing) < best.parts.len() {
            best = Described { whole: Some(name), parts: addresses(&missing) };
        }
    }
    best
}

/// Services as people write them, such as `tcp 443` or `all`; a long list is cut.
pub fn services(svc: &Intervals<u32>) -> String {
    resolve::service_text(svc)
}

/// Services, all of them: `tcp 443`, `udp 1000-2000`, `esp`, `protocol 90-99`, `icmp 8/0`.
pub fn all_services(svc: &Intervals<u32>) -> Vec<String> {
    if *svc == service::any() {
        return vec!["all".to_owned()];
    }
    let mut parts = Vec::new();
    // Protocols without a name that stand beside each other.
    let mut run: Option<(u8, u8)> = None;
    let close = |run: &mut Option<(u8, u8)>, parts: &mut Vec<String>| {
        if let Some((a, b)) = run.take() {
            parts.push(if a == b { format!("protocol {a}") } else { format!("protocol {a}-{b}") });
        }
    };
    for (first, last) in svc.ranges() {
        let ((p1, d1), (p2, d2)) = (service::split(*first), service::split(*last));
        for protocol in p1..=p2 {
            let from = if protocol == p1 { d1 } else { 0 };
            let to = if protocol == p2 { d2 } else { u16::MAX };
            let name = resolve::service_text(&service::protocol(protocol));
            let whole = (from, to) == (0, u16::MAX);
            if whole && name.starts_with("protocol ") {
                run = match run {
                    Some((a, b)) if b.checked_add(1) == Some(protocol) => Some((a, protocol)),
                    other => {
                        run = other;
                        close(&mut run, &mut parts);
                        Some((protocol, protocol))
                    }
                };
                continue;
            }
            close(&mut run, &mut parts);
            let detail = |d: u16| if service::has_ports(protocol) { d.to_string() } else { format!("{}/{}", d >> 8, d & 0xff) };
            parts.push(match (whole, from == to) {
                (true, _) => name,
                (false, true) => format!("{name} {}", detail(from)),
                (false, false) => format!("{name} {}-{}", detail(from), detail(to)),
            });
        }
    }
    close(&mut run, &mut parts);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> AddrSet {
        let (address, length) = text.split_once('/').unwrap();
        AddrSet::prefix(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    #[test]
    fn prefixes_ranges_and_addresses_are_told_apart() {
        let set = prefix("192.0.2.0/24").union(&prefix("198.51.100.7/32")).union(&prefix("2001:db8::/32"));
        assert_eq!(addresses(&set), ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]);
        let odd = AddrSet::range("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()).unwrap();
        assert_eq!(addresses(&odd), ["10.0.0.1-10.0.0.2"]);
        assert_eq!(addresses(&AddrSet::any()), ["0.0.0.0/0", "::/0"]);
    }

    #[test]
    fn every_service_of_a_set_is_named_once() {
        let but_ssh = service::not(&service::port(service::TCP, 22));
        let named = all_services(&but_ssh);
        assert!(named.contains(&"tcp 0-21".to_owned()) && named.contains(&"tcp 23-65535".to_owned()), "{named:?}");
        assert!(named.contains(&"protocol 2-5".to_owned()) && named.contains(&"udp".to_owned()), "{named:?}");
        assert_eq!(all_services(&service::any()), ["all"]);
        assert_eq!(all_services(&service::icmp(service::ICMP, 8, Some(0))), ["icmp 8/0"]);
    }

    #[test]
    fn a_well_known_range_but_a_few_is_said_so() {
        let all_but_one = class::public_v4().difference(&prefix("192.0.2.0/24"));
        assert_eq!(describe(&all_but_one), [Described { whole: Some("public_v4"), parts: vec!["192.0.2.0/24".into()] }]);
        assert_eq!(describe(&class::public_v4()), [Described { whole: Some("public_v4"), parts: vec![] }]);
        assert_eq!(describe(&prefix("192.0.2.0/24")), [Described { whole: None, parts: vec!["192.0.2.0/24".into()] }]);
        let both: Vec<_> = describe(&AddrSet::any()).into_iter().map(|d| d.whole).collect();
        assert_eq!(both, [Some("any_v4"), Some("any_v6")]);
    }
}
