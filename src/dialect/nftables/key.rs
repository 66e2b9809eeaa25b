//! What the left side of a match speaks of, and what a value on its right side asks for.
//!
//! Headers of a protocol imply it. A value that cannot be read makes a condition that may or may not hold.

use super::value::Token;
use crate::dialect::netfilter::condition::{Condition, MarkTest, NamePattern, Names, Services, not_in, outside, tidy};
use crate::dialect::netfilter::names::{address, icmp_type, number, opens, ports, protocol, states, tcp_flag};
use crate::dialect::netfilter::{broadcast, multicast};
use crate::ir::filter::{AddrExpr, Family, Opaque, OpaqueKind};
use crate::source::Span;

/// What a match is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Key {
    Source {
        v6: bool,
    },
    Destination {
        v6: bool,
    },
    /// Protocol, by the header of a family where one is named.
    Protocol {
        family: Option<Family>,
    },
    Port {
        source: bool,
        protocol: Option<u8>,
    },
    TcpFlags,
    IcmpType {
        v6: bool,
    },
    IcmpCode {
        v6: bool,
    },
    In,
    Out,
    Family,
    EtherType,
    Mark,
    State,
    Status,
    DestinationType,
    SourceType,
    ReversePath,
    PacketType,
    Ipsec,
    FragmentOffset,
    /// Nothing that is modelled, with what it implies.
    Other {
        protocol: Option<u8>,
        family: Option<Family>,
    },
}

/// Reads a key at a place; gives it with the number of words it takes.
pub(super) fn key(list: &[Token<'_>], at: usize) -> Option<(Key, usize)> {
    let word = |n: usize| list.get(at + n).filter(|t| !t.quoted).map_or("", |t| t.text);
    let other = |protocol, family, len| Some((Key::Other { protocol, family }, len));
    Some(match (word(0), word(1)) {
        ("ip", "saddr") => (Key::Source { v6: false }, 2),
        ("ip", "daddr") => (Key::Destination { v6: false }, 2),
        ("ip6", "saddr") => (Key::Source { v6: true }, 2),
        ("ip6", "daddr") => (Key::Destination { v6: true }, 2),
        ("ip", "protocol") => (Key::Protocol { family: Some(Family::V4) }, 2),
        ("ip6", "nexthdr") => (Key::Protocol { family: Some(Family::V6) }, 2),
        ("ip", "frag-off") => (Key::FragmentOffset, 2),
        ("ip", field) if !field.is_empty() => return other(None, Some(Family::V4), 2),
        ("ip6", field) if !field.is_empty() => return other(None, Some(Family::V6), 2),
        (proto @ ("tcp" | "udp" | "sctp" | "dccp" | "udplite" | "th"), field) => {
            let number = protocol(proto).filter(|_| proto != "th");
            match field {
                "dport" => (Key::Port { source: false, protocol: number }, 2),
                "sport" => (Key::Port { source: true, protocol: number }, 2),
                "flags" if proto == "tcp" => (Key::TcpFlags, 2),
                "option" => return other(number, None, 4),
                "" => return None,
                _ => return other(number, None, 2),
            }
        }
        ("icmp", "type") => (Key::IcmpType { v6: false }, 2),
        ("icmpv6", "type") => (Key::IcmpType { v6: true }, 2),
        ("icmp", "code") => (Key::IcmpCode { v6: false }, 2),
        ("icmpv6", "code") => (Key::IcmpCode { v6: true }, 2),
        (proto @ ("icmp" | "icmpv6" | "esp" | "ah" | "gre" | "comp" | "igmp"), field) if !field.is_empty() => {
            return other(protocol(proto), None, 2);
        }
        ("meta", field) => return meta(field).map(|k| (k, 2)).or_else(|| if field.is_empty() { None } else { other(None, None, 2) }),
        ("ct", "state") => (Key::State, 2),
        ("ct", "status") => (Key::Status, 2),
        ("ct", "original" | "reply") if matches!(word(2), "ip" | "ip6") => return other(None, None, 4),
        ("ct", "original" | "reply") => return other(None, None, 3),
        ("ct", "count") => return None,
        ("ct", field) if !field.is_empty() => return other(None, None, 2),
        ("fib", _) => return fib(list, at),
        (
            "socket" | "rt" | "ether" | "vlan" | "arp" | "exthdr" | "hbh" | "frag" | "dst" | "mh" | "osf" | "cgroup" | "vxlan" | "geneve",
            field,
        ) => {
            return other(None, None, if field.is_empty() { 1 } else { 2 });
        }
        ("ipsec", _) => return other(None, None, 3),
        (first, _) => return meta(first).map(|k| (k, 1)),
    })
}

fn meta(word: &str) -> Option<Key> {
    Some(match word {
        "iif" | "iifname" => Key::In,
        "oif" | "oifname" => Key::Out,
        "l4proto" => Key::Protocol { family: None },
        "nfproto" => Key::Family,
        "protocol" => Key::EtherType,
        "mark" => Key::Mark,
        "pkttype" => Key::PacketType,
        "secpath" | "ipsec" => Key::Ipsec,
        "length" | "skuid" | "skgid" | "iifgroup" | "oifgroup" | "iiftype" | "oiftype" | "ibrname" | "obrname" | "ibridgename"
        | "obridgename" | "rtclassid" | "cpu" | "priority" | "cgroup" | "day" | "hour" | "time" | "random" | "sdif" | "sdifname"
        | "iifkind" | "oifkind" | "broute" | "nftrace" => Key::Other { protocol: None, family: None },
        _ => return None,
    })
}

/// `fib daddr type`, `fib saddr . iif oif`.
fn fib(list: &[Token<'_>], at: usize) -> Option<(Key, usize)> {
    let mut flags = Vec::new();
    let mut end = at + 1;
    while let Some(token) = list.get(end) {
        match token.text {
            "saddr" | "daddr" | "mark" | "iif" => flags.push(token.text),
            "." => {}
            _ => break,
        }
        end += 1;
        // `iif` and `oif` are also what is asked for.
        if list.get(end).is_none_or(|t| t.text != ".") {
            break;
        }
    }
    let asked = list.get(end).map_or("", |t| t.text);
    let key = match (flags.first().copied(), asked) {
        (Some("daddr"), "type") => Key::DestinationType,
        (Some("saddr"), "type") => Key::SourceType,
        (Some("saddr"), "oif" | "oifname") => Key::ReversePath,
        _ => Key::Other { protocol: None, family: None },
    };
    Some((key, end + 1 - at))
}

impl Key {
    /// What a packet must be for the key to be there at all.
    pub(super) fn implied(self) -> Condition {
        let mut condition = Condition::default();
        let proto = |n: Option<u8>| n.map(Services::protocol).unwrap_or_default();
        match self {
            Key::Source { v6 } | Key::Destination { v6 } => condition.family = Some(if v6 { Family::V6 } else { Family::V4 }),
            Key::Protocol { family } => condition.family = family,
            Key::Port { protocol, .. } => condition.services = proto(protocol),
            Key::TcpFlags => condition.services = proto(Some(6)),
            Key::IcmpType { v6 } | Key::IcmpCode { v6 } => condition.services = proto(Some(if v6 { 58 } else { 1 })),
            Key::FragmentOffset => condition.family = Some(Family::V4),
            Key::Other { protocol, family } => {
                condition.services = proto(protocol);
                condition.family = family;
            }
            _ => {}
        }
        condition
    }

    /// Whether the key is of IPv6 alone.
    pub(super) fn is_v6(self) -> bool {
        matches!(
            self,
            Key::Source { v6: true }
                | Key::Destination { v6: true }
                | Key::IcmpType { v6: true }
                | Key::Protocol { family: Some(Family::V6) }
        )
    }

    /// The conditions, one of which holds where the key has one of the values (or, negated, none of them).
    pub(super) fn test(self, values: &[Token<'_>], negated: bool, at: Span) -> Vec<Condition> {
        let implied = self.implied();
        self.values(values, negated, at).into_iter().map(|c| implied.and(&c)).collect()
    }

    fn values(self, values: &[Token<'_>], negated: bool, at: Span) -> Vec<Condition> {
        let span = values.first().map_or(at, |t| t.span);
        let words: Vec<&str> = values.iter().map(|t| t.text).collect();
        let unmodelled = || vec![Condition::unmodelled(span, words.first().copied().unwrap_or(""))];
        let services = |services: Services| vec![Condition { services, ..Condition::default() }];
        let truth = |holds: bool| vec![if holds != negated { Condition::default() } else { Condition::never() }];
        let invert = |list: Vec<(u16, u16)>, greatest: u16| if negated { outside(&tidy(list), greatest) } else { tidy(list) };
        match self {
            Key::Source { v6 } | Key::Destination { v6 } => {
                let mut list: Vec<AddrExpr> = values.iter().map(|t| value(t)).collect();
                let set = if list.len() == 1 { list.swap_remove(0) } else { AddrExpr::Union(list) };
                let set = if negated { not_in(set, v6) } else { set };
                vec![if matches!(self, Key::Source { .. }) {
                    Condition { src: vec![set], ..Condition::default() }
                } else {
                    Condition { dst: vec![set], ..Condition::default() }
                }]
            }
            Key::Protocol { .. } => {
                let read = |w: &&str| match w.split_once('-') {
                    Some((a, b)) if protocol(w).is_none() => Some((protocol(a)?, protocol(b)?)),
                    _ => protocol(w).map(|p| (p, p)),
                };
                match words.iter().map(read).collect::<Option<Vec<_>>>() {
                    Some(list) => {
                        let ranges = list.into_iter().map(|(a, b)| (u16::from(a), u16::from(b))).collect();
                        services(Services { protocols: Some(invert(ranges, 255)), ..Services::default() })
                    }
                    None => unmodelled(),
                }
            }
            Key::Port { source, .. } => match words.iter().map(|w| ports(w, '-')).collect::<Option<Vec<_>>>() {
                Some(list) => {
                    let ranges = Some(invert(list, u16::MAX));
                    let ported = services(if source {
                        Services { src_ports: ranges, ..Services::default() }
                    } else {
                        Services { dst_ports: ranges, ..Services::default() }
                    });
                    self.with_portless(ported, span)
                }
                None => unmodelled(),
            },
            Key::IcmpType { v6 } => match words.iter().map(|w| icmp_range(w, v6)).collect::<Option<Vec<_>>>() {
                Some(list) => services(Services { icmp: Some(invert(list, u16::MAX)), ..Services::default() }),
                None => unmodelled(),
            },
            Key::In | Key::Out => {
                let patterns = values.iter().map(|t| NamePattern::new(t.text, '*', t.span)).collect();
                let names = vec![Names { negated, patterns }];
                vec![if self == Key::In {
                    Condition { ingress: names, ..Condition::default() }
                } else {
                    Condition { egress: names, ..Condition::default() }
                }]
            }
            Key::Family | Key::EtherType => {
                let has = |list: [&str; 2]| words.iter().any(|w| list.contains(w));
                let (v4, v6) = if self == Key::Family {
                    (has(["ipv4", "2"]), has(["ipv6", "10"]))
                } else {
                    (has(["ip", "0x0800"]), has(["ip6", "0x86dd"]))
                };
                match (v4 != negated, v6 != negated) {
                    (true, true) => vec![Condition::default()],
                    (true, false) => vec![Condition { family: Some(Family::V4), ..Condition::default() }],
                    (false, true) => vec![Condition { family: Some(Family::V6), ..Condition::default() }],
                    (false, false) => vec![Condition::never()],
                }
            }
            Key::Mark => match words[..] {
                [one] => match number(one) {
                    Some(value) => {
                        vec![Condition { marks: vec![MarkTest { value, mask: u32::MAX, negated, span }], ..Condition::default() }]
                    }
                    None => unmodelled(),
                },
                _ => unmodelled(),
            },
            Key::State => states(&words, negated, span),
            Key::Status => match words[..] {
                // Where connections are not told apart yet, the comparison fails either way.
                ["dnat"] => {
                    vec![Condition { translated: Some(!negated), untracked: Some(false), notrack: Some(false), ..Condition::default() }]
                }
                _ if words.iter().all(|w| matches!(*w, "assured" | "seen-reply" | "expected" | "confirmed")) => {
                    vec![Condition {
                        established: (!negated).then_some(span),
                        untracked: Some(false),
                        notrack: Some(false),
                        ..Condition::default()
                    }]
                }
                _ => unmodelled(),
            },
            Key::DestinationType => destination_type(&words, negated).unwrap_or_else(unmodelled),
            // A stranger's packet comes from an ordinary address.
            Key::SourceType => match words[..] {
                ["unicast"] => truth(true),
                ["local" | "broadcast" | "multicast" | "anycast"] => truth(false),
                _ => unmodelled(),
            },
            // The source of a packet that wants an answer lies behind the interface it enters.
            Key::ReversePath => match words[..] {
                ["missing"] | ["0"] => truth(false),
                ["exists"] => truth(true),
                _ => unmodelled(),
            },
            Key::PacketType => truth(words.iter().any(|w| matches!(*w, "host" | "unicast"))),
            Key::Ipsec => match words[..] {
                ["exists" | "1"] if !negated => vec![Condition { decrypted: Some(span), ..Condition::default() }],
                ["missing" | "0"] => vec![Condition::default()],
                _ => unmodelled(),
            },
            Key::TcpFlags => {
                let exact = words.iter().map(|w| tcp_flag(w)).collect::<Option<Vec<_>>>();
                exact.map_or_else(unmodelled, |list| truth(list.iter().any(|flags| opens(0xff, *flags))))
            }
            Key::IcmpCode { .. } | Key::FragmentOffset | Key::Other { .. } => unmodelled(),
        }
    }

    /// `th dport` without a protocol looks at the same bytes of any header: what they hold where there are no ports, nobody can say.
    pub(super) fn with_portless(self, mut conditions: Vec<Condition>, at: Span) -> Vec<Condition> {
        if let Key::Port { protocol: None, .. } = self {
            let services = Services { protocols: Some(Services::portless()), ..Services::default() };
            conditions.push(Condition { services, ..Condition::unmodelled(at, "th") });
        }
        conditions
    }

    /// A bitwise test: the bits under a mask are (or, negated, are not) a value.
    pub(super) fn masked(self, mask: &[Token<'_>], value: &[Token<'_>], negated: bool, at: Span) -> Vec<Condition> {
        let implied = self.implied();
        let bits = |list: &[Token<'_>]| {
            let flags = list.iter().filter(|t| !matches!(t.text, "(" | ")" | "|" | ","));
            flags.map(|t| tcp_flag(t.text)).try_fold(0, |all, one| one.map(|b| all | b))
        };
        let conditions = match (self, bits(mask), bits(value)) {
            (Key::TcpFlags, Some(mask), Some(value)) => {
                vec![if opens(mask, value) == negated { Condition::never() } else { Condition::default() }]
            }
            // A first packet is no later fragment.
            (Key::FragmentOffset, Some(0x1fff), Some(0)) => vec![if negated { Condition::never() } else { Condition::default() }],
            (Key::Mark, ..) => match (one_number(mask), one_number(value)) {
                (Some(mask), Some(value)) => {
                    vec![Condition { marks: vec![MarkTest { value, mask, negated, span: at }], ..Condition::default() }]
                }
                _ => vec![Condition::unmodelled(at, "mark")],
            },
            (Key::Source { v6 } | Key::Destination { v6 }, ..) => match (mask, value) {
                ([mask], [value]) => match (mask.text.parse(), value.text.parse()) {
                    (Ok(mask), Ok(value)) => {
                        let set = AddrExpr::Masked(value, mask);
                        let set = if negated { not_in(set, v6) } else { set };
                        vec![if matches!(self, Key::Source { .. }) {
                            Condition { src: vec![set], ..Condition::default() }
                        } else {
                            Condition { dst: vec![set], ..Condition::default() }
                        }]
                    }
                    _ => vec![Condition::unmodelled(at, "mask")],
                },
                _ => vec![Condition::unmodelled(at, "mask")],
            },
            _ => vec![Condition::unmodelled(at, "mask")],
        };
        conditions.into_iter().map(|c| implied.and(&c)).collect()
    }
}

fn one_number(list: &[Token<'_>]) -> Option<u32> {
    match list {
        [one] => number(one.text),
        _ => None,
    }
}

fn icmp_range(word: &str, v6: bool) -> Option<(u16, u16)> {
    icmp_type(word, v6).or_else(|| {
        let (a, b) = word.split_once('-')?;
        Some((icmp_type(a, v6)?.0, icmp_type(b, v6)?.1))
    })
}

/// One value of an address match; a set that fills up while the box runs is one of unknown content.
fn value(token: &Token<'_>) -> AddrExpr {
    match token.text.strip_prefix('@') {
        Some(name) => AddrExpr::Opaque(Opaque { kind: OpaqueKind::Feed, text: name.to_owned(), span: token.span }),
        None => address(token.text, token.span),
    }
}

fn destination_type(words: &[&str], negated: bool) -> Option<Vec<Condition>> {
    let mut list = Vec::new();
    let mut local = false;
    for word in words {
        match *word {
            "local" => local = true,
            "multicast" => list.push(multicast()),
            "broadcast" => list.push(broadcast()),
            "anycast" | "blackhole" | "unreachable" | "prohibit" => {}
            _ => return None,
        }
    }
    let here = Condition { local: Some(!negated), ..Condition::default() };
    let there = |list: Vec<AddrExpr>| {
        let set = AddrExpr::Union(list);
        let set = if negated { AddrExpr::Not(Box::new(set)) } else { set };
        Condition { dst: vec![set], ..Condition::default() }
    };
    Some(match (local, negated) {
        (true, _) if list.is_empty() => vec![here],
        (false, _) => vec![there(list)],
        (true, false) => vec![here, there(list)],
        (true, true) => vec![here.and(&there(list))],
    })
}
