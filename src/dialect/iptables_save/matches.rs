//! Matches: what an option of a match asks of a packet, by the name of the option and of the match before it.
//!
//! An option that is none of these is given back to the caller.

use super::options::Reader;
use crate::dialect::netfilter::condition::{Condition, MarkTest, Rate, Services, not_in, outside, tidy};
use crate::dialect::netfilter::names::{address, icmp_type, number, opens, port_list, ports, rate, states, tcp_flag};
use crate::dialect::netfilter::{broadcast, multicast};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::source::Span;

impl<'a> Reader<'a> {
    /// A match that says something by its name alone.
    pub(super) fn named_match(&mut self, word: &str, span: Span, negated: bool) {
        match word {
            "rpfilter" => {
                // The source of a packet that a stranger wants an answer to lies behind the interface it enters.
                let inverted = self.node.word(self.at) == Some("--invert");
                self.at += usize::from(inverted);
                if inverted != negated {
                    self.and(Condition::never());
                }
            }
            "socket" | "statistic" | "u32" | "bpf" | "string" | "time" | "owner" | "physdev" | "ttl" | "hl" | "length" | "dscp" | "tos"
            | "helper" | "connbytes" | "connmark" | "realm" | "quota" | "ecn" | "tcpmss" | "cgroup" | "osf" | "ipv4options" | "rt"
            | "frag" | "hbh" | "dst" | "ipv6header" | "mh" | "nfacct" | "devgroup" | "cpu" | "cluster" | "mac" | "unclean" | "psd"
            | "random" | "condition" | "ipp2p" | "layer7" => {
                self.unmodelled(span, word);
            }
            _ => {}
        }
    }

    pub(super) fn match_option(&mut self, option: &str, span: Span, mut negated: bool) -> bool {
        match option {
            "--dport" | "--destination-port" | "--sport" | "--source-port" => {
                let (word, at) = self.argument(&mut negated);
                let source = option.starts_with("--s");
                self.ports(source, ports(word, ':').map(|r| vec![r]), word, at, negated);
            }
            "--dports" | "--destination-ports" | "--sports" | "--source-ports" => {
                let (word, at) = self.argument(&mut negated);
                let source = option.starts_with("--s");
                self.ports(source, port_list(word.split(','), ':'), word, at, negated);
            }
            "--ports" | "--port" => {
                let (word, at) = self.argument(&mut negated);
                match port_list(word.split(','), ':') {
                    Some(list) if negated => {
                        let rest = outside(&list, u16::MAX);
                        self.services(Services { dst_ports: Some(rest.clone()), src_ports: Some(rest), ..Services::default() });
                    }
                    Some(list) => {
                        let dst = Services { dst_ports: Some(list.clone()), ..Services::default() };
                        let src = Services { src_ports: Some(list), ..Services::default() };
                        let one = |services| Condition { services, ..Condition::default() };
                        self.any_of(&[one(dst), one(src)]);
                    }
                    None => self.unmodelled(at, word),
                }
            }
            "--icmp-type" | "--icmpv6-type" => {
                let (word, at) = self.argument(&mut negated);
                if matches!(word, "any" | "255" | "255/255") && !self.v6 {
                    if negated {
                        self.and(Condition::never());
                    }
                    return true;
                }
                match icmp_type(word, self.v6) {
                    Some(range) => {
                        let ranges = if negated { outside(&[range], u16::MAX) } else { vec![range] };
                        self.services(Services { icmp: Some(ranges), ..Services::default() });
                    }
                    None => self.unmodelled(at, word),
                }
            }
            "--syn" => self.and(if negated { Condition::never() } else { Condition::default() }),
            "--tcp-flags" => {
                let (mask, at) = self.argument(&mut negated);
                let (value, _) = self.take();
                let bits = |w: &str| w.split(',').map(tcp_flag).try_fold(0, |all, one| one.map(|b| all | b));
                match (bits(mask), bits(value)) {
                    (Some(mask), Some(value)) if opens(mask, value) == negated => self.and(Condition::never()),
                    (Some(_), Some(_)) => {}
                    _ => self.unmodelled(at, mask),
                }
            }
            "--state" | "--ctstate" => {
                let (word, at) = self.argument(&mut negated);
                let words: Vec<&str> = word.split(',').collect();
                self.any_of(&states(&words, negated, at));
            }
            "--ctstatus" => {
                let (word, at) = self.argument(&mut negated);
                match word {
                    // Where connections are not told apart yet, none has a status.
                    "DNAT" => self.and(Condition {
                        translated: Some(!negated),
                        untracked: Some(false),
                        notrack: Some(false),
                        ..Condition::default()
                    }),
                    // A first packet has none of these yet.
                    "ASSURED" | "SEEN_REPLY" | "EXPECTED" | "CONFIRMED" => {
                        self.and(Condition {
                            established: (!negated).then_some(at),
                            untracked: Some(false),
                            notrack: Some(false),
                            ..Condition::default()
                        });
                    }
                    _ => self.unmodelled(at, word),
                }
            }
            "--src-range" | "--dst-range" => {
                let (word, at) = self.argument(&mut negated);
                let expr = address(word, at);
                let expr = if negated { not_in(expr, self.v6) } else { expr };
                self.side(option == "--src-range", expr);
            }
            "--dst-type" | "--src-type" => {
                let (word, at) = self.argument(&mut negated);
                self.kind(option == "--src-type", word, at, negated);
            }
            "--mark" if self.module != "connmark" => {
                let (word, at) = self.argument(&mut negated);
                let (value, mask) = word.split_once('/').unwrap_or((word, "0xffffffff"));
                match (number(value), number(mask)) {
                    (Some(value), Some(mask)) => {
                        self.and(Condition { marks: vec![MarkTest { value, mask, negated, span: at }], ..Condition::default() });
                    }
                    _ => self.unmodelled(at, word),
                }
            }
            "--limit" | "--hashlimit-upto" | "--hashlimit" | "--connlimit-upto" => {
                self.argument(&mut negated);
                self.and(rate(if negated { Rate::Over } else { Rate::Under }));
            }
            "--hashlimit-above" | "--connlimit-above" => {
                self.argument(&mut negated);
                self.and(rate(if negated { Rate::Under } else { Rate::Over }));
            }
            "--set" if self.module == "recent" => {}
            "--rcheck" | "--update" | "--remove" if self.module == "recent" => {
                self.recent |= !negated;
            }
            "--match-set" | "--set" => {
                let (name, at) = self.argument(&mut negated);
                let (sides, _) = self.take();
                let source = sides == "src";
                if source || sides == "dst" {
                    let set = AddrExpr::Opaque(Opaque { kind: OpaqueKind::Feed, text: name.to_owned(), span: at });
                    self.side(source, if negated { not_in(set, self.v6) } else { set });
                } else {
                    self.unmodelled(at, name);
                }
            }
            "--source-country" | "--src-cc" | "--dst-cc" | "--destination-country" => {
                let (word, at) = self.argument(&mut negated);
                let set = AddrExpr::Opaque(Opaque { kind: OpaqueKind::Country, text: word.to_owned(), span: at });
                self.side(option.starts_with("--s"), if negated { not_in(set, self.v6) } else { set });
            }
            "--pkt-type" => {
                let (word, at) = self.argument(&mut negated);
                let to_us = match word {
                    "unicast" | "host" => true,
                    "broadcast" | "multicast" => false,
                    _ => {
                        self.unmodelled(at, word);
                        return true;
                    }
                };
                if to_us == negated {
                    self.and(Condition::never());
                }
            }
            "--dir" | "--pol" | "--proto" | "--mode" | "--reqid" | "--spi" | "--tunnel-src" | "--tunnel-dst" | "--next"
                if self.module == "policy" =>
            {
                self.policy(option, span, negated);
            }
            _ => return false,
        }
        true
    }

    /// The match `policy`: whether a packet came out of IPsec, or will go into it.
    fn policy(&mut self, option: &str, span: Span, negated: bool) {
        let (word, at) = if option == "--next" { ("", span) } else { self.take() };
        match (option, word) {
            ("--dir", "in") | ("--pol", "none") | ("--mode" | "--proto", _) => {}
            ("--pol", "ipsec") if !negated => self.and(Condition { decrypted: Some(at), ..Condition::default() }),
            ("--pol", "ipsec") => {}
            // Where it will go is not known on arrival; what it is for may still be what was asked before.
            ("--dir", _) => self.unmodelled(at, "policy"),
            _ => self.unmodelled(at, option),
        }
    }

    fn kind(&mut self, source: bool, word: &str, span: Span, negated: bool) {
        let either: Vec<&str> = word.split(',').collect();
        let condition = match either[..] {
            ["LOCAL"] if !source => Some(Condition { local: Some(!negated), ..Condition::default() }),
            ["MULTICAST"] | ["BROADCAST"] | ["ANYCAST"] | ["BLACKHOLE" | "UNREACHABLE" | "PROHIBIT" | "THROW" | "NAT" | "XRESOLVE"] => {
                let set = match either[..] {
                    ["MULTICAST"] => multicast(),
                    ["BROADCAST"] => broadcast(),
                    _ => AddrExpr::Nothing,
                };
                let set = if negated { not_in(set, self.v6) } else { set };
                Some(if source {
                    Condition { src: vec![set], ..Condition::default() }
                } else {
                    Condition { dst: vec![set], ..Condition::default() }
                })
            }
            // A stranger's packet comes from no address of the box.
            ["LOCAL"] => Some(if negated { Condition::default() } else { Condition::never() }),
            _ => None,
        };
        match condition {
            Some(condition) => self.and(condition),
            None => self.unmodelled(span, word),
        }
    }

    fn ports(&mut self, source: bool, list: Option<Vec<(u16, u16)>>, word: &str, span: Span, negated: bool) {
        let Some(list) = list else {
            self.unmodelled(span, word);
            return;
        };
        let list = Some(if negated { outside(&tidy(list), u16::MAX) } else { tidy(list) });
        self.services(if source {
            Services { src_ports: list, ..Services::default() }
        } else {
            Services { dst_ports: list, ..Services::default() }
        });
    }
}
