//! The conditions of a row of the packet filter or of address translation, as sets and guards.
//!
//! Conditions about a connection's state, about limits and about the content of packets are no sets of packets. What they mean for
//! a stranger's first packet depends on the verdict: whoever attacks keeps below a limit and shapes packets so that a row that
//! stops odd ones does not match, while a row that lets packets through up to a limit lets his through.

use super::menus::{Item, Value};
use super::{Export, address};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Guard, IfMatch, Opaque, OpaqueKind, SvcExpr, SvcTerm, TCP, UDP};
use crate::source::Span;

/// Which translated packets a row means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Translated {
    /// All the same.
    Either,
    /// Only those whose destination was translated.
    Only,
    /// Only the others.
    Never,
}

/// What a packet must be like.
#[derive(Clone)]
pub struct Conditions {
    pub ingress: IfMatch,
    pub egress: IfMatch,
    pub src: Fact<AddrExpr>,
    pub dst: Fact<AddrExpr>,
    /// Protocols and ports; `None` for every service.
    pub services: Option<Vec<SvcTerm>>,
    pub services_at: Origin,
    pub guards: Vec<Guard>,
    pub translated: Translated,
}

/// What a row is for, as far as its conditions depend on it.
#[derive(Clone, Copy)]
pub struct Purpose {
    pub v6: bool,
    /// Whether it lets packets through.
    pub accepts: bool,
    /// Whether it stands in a chain for packets to the box.
    pub to_box: bool,
}

/// Blocks of services a jump may multiply to; beyond it the row is a condition nobody models.
const BLOCKS: usize = 512;

impl Conditions {
    /// No condition.
    pub fn none(at: Span) -> Conditions {
        Conditions {
            ingress: IfMatch::Any,
            egress: IfMatch::Any,
            src: Fact::written(AddrExpr::Any, at),
            dst: Fact::written(AddrExpr::Any, at),
            services: None,
            services_at: Origin::Written(at),
            guards: Vec::new(),
            translated: Translated::Either,
        }
    }

    /// The services as an expression.
    pub fn service(&self) -> Fact<SvcExpr> {
        let expr = match &self.services {
            None => SvcExpr::Any,
            Some(terms) if terms.is_empty() => SvcExpr::Nothing,
            Some(terms) => SvcExpr::Union(terms.iter().cloned().map(SvcExpr::Term).collect()),
        };
        Fact::known(expr, self.services_at.clone())
    }

    /// Both conditions: those of a row and those of the jump that leads to it.
    pub fn and(&self, outer: &Conditions) -> Conditions {
        let mut both = self.clone();
        both.ingress = interfaces(&self.ingress, &outer.ingress);
        both.egress = interfaces(&self.egress, &outer.egress);
        both.src = addresses(&self.src, &outer.src);
        both.dst = addresses(&self.dst, &outer.dst);
        both.guards.extend(outer.guards.iter().cloned());
        both.translated = if self.translated == Translated::Either { outer.translated } else { self.translated };
        both.services = match (&self.services, &outer.services) {
            (None, other) | (other, None) => other.clone(),
            (Some(a), Some(b)) if a.len().saturating_mul(b.len()) <= BLOCKS => {
                Some(a.iter().flat_map(|x| b.iter().filter_map(|y| term(x, y))).collect())
            }
            (Some(a), Some(_)) => {
                both.guards.extend(self.services_at.spans().first().map(|s| Guard::Unmodelled(*s, "protocol".to_owned())));
                Some(a.clone())
            }
        };
        both
    }
}

fn interfaces(a: &IfMatch, b: &IfMatch) -> IfMatch {
    match (a, b) {
        (IfMatch::Any, other) | (other, IfMatch::Any) => other.clone(),
        (IfMatch::These(a), IfMatch::These(b)) => IfMatch::These(a.iter().copied().filter(|ix| b.contains(ix)).collect()),
        (IfMatch::Unknown(why), _) | (_, IfMatch::Unknown(why)) => IfMatch::Unknown(why.clone()),
    }
}

fn addresses(a: &Fact<AddrExpr>, b: &Fact<AddrExpr>) -> Fact<AddrExpr> {
    match (&a.value, &b.value) {
        (_, Val::Known(AddrExpr::Any)) => a.clone(),
        (Val::Known(AddrExpr::Any), _) => b.clone(),
        (Val::Known(x), Val::Known(y)) => {
            let both = AddrExpr::Except(Box::new(x.clone()), Box::new(AddrExpr::Not(Box::new(y.clone()))));
            Fact::known(both, Origin::all([a.origin.clone(), b.origin.clone()]))
        }
        (Val::Known(_), _) => b.clone(),
        _ => a.clone(),
    }
}

fn term(a: &SvcTerm, b: &SvcTerm) -> Option<SvcTerm> {
    let protocol = match (a.protocol, b.protocol) {
        (None, p) | (p, None) => p,
        (Some(x), Some(y)) => (x == y).then_some(Some(x))?,
    };
    let ports = |x: &[(u16, u16)], y: &[(u16, u16)]| -> Option<Vec<(u16, u16)>> {
        if x.is_empty() || y.is_empty() {
            return Some(if x.is_empty() { y.to_vec() } else { x.to_vec() });
        }
        let both: Vec<(u16, u16)> =
            x.iter().flat_map(|(a, b)| y.iter().map(move |(c, d)| (*a.max(c), *b.min(d)))).filter(|(a, b)| a <= b).collect();
        (!both.is_empty()).then_some(both)
    };
    let icmp = match (a.icmp, b.icmp) {
        (None, i) | (i, None) => i,
        (Some(x), Some(y)) => (x == y).then_some(Some(x))?,
    };
    Some(SvcTerm { protocol, src_ports: ports(&a.src_ports, &b.src_ports)?, dst_ports: ports(&a.dst_ports, &b.dst_ports)?, icmp })
}

/// Keys that say what a row does rather than when.
const DOINGS: [&str; 15] = [
    "chain",
    "action",
    "comment",
    "disabled",
    "log",
    "log-prefix",
    "jump-target",
    "reject-with",
    "hw-offload",
    "address-list",
    "address-list-timeout",
    "to-addresses",
    "to-ports",
    "dynamic",
    "place-before",
];

/// Conditions about rates.
const RATES: [&str; 4] = ["limit", "dst-limit", "connection-limit", "connection-rate"];
/// Conditions about the form and content of packets, which their sender chooses.
const SHAPES: [&str; 17] = [
    "psd",
    "content",
    "layer7-protocol",
    "tls-host",
    "random",
    "nth",
    "p2p",
    "connection-bytes",
    "packet-size",
    "ttl",
    "hop-limit",
    "fragment",
    "tcp-mss",
    "ipv4-options",
    "headers",
    "dscp",
    "connection-type",
];

/// Reads the conditions of a row.
pub fn read(export: &Export<'_>, item: &Item<'_>, purpose: Purpose) -> Conditions {
    let mut c = Conditions::none(item.span());
    let mut ports = Ports::default();
    for (node, value) in item.attributes() {
        let key = value.key;
        if key.starts_with('!') || DOINGS.contains(&key) || value.text.is_empty() {
            node.read();
            continue;
        }
        match key {
            "in-interface" => c.ingress = interfaces(&c.ingress, &export.interfaces.condition(value)),
            "in-interface-list" => c.ingress = interfaces(&c.ingress, &export.interfaces.list_condition(value)),
            "out-interface" => c.egress = interfaces(&c.egress, &export.interfaces.condition(value)),
            "out-interface-list" => c.egress = interfaces(&c.egress, &export.interfaces.list_condition(value)),
            "src-address" => c.src = addresses(&address_of(value), &c.src),
            "dst-address" => c.dst = addresses(&address_of(value), &c.dst),
            "src-address-list" => c.src = addresses(&list_of(export, value, purpose.v6), &c.src),
            "dst-address-list" => c.dst = addresses(&list_of(export, value, purpose.v6), &c.dst),
            "protocol" | "src-port" | "dst-port" | "port" | "any-port" | "icmp-options" => ports.take(value),
            "connection-state" => c.guards.extend(state(export, value)),
            "connection-nat-state" => nat_state(value, &mut c),
            "ipsec-policy" => c.guards.extend(policy(value)),
            "dst-address-type" => destination_type(value, purpose, &mut c),
            "src-address-type" if value.text == "!local" => {}
            "tcp-flags" => c.guards.extend(flags(value)),
            "time" => c.guards.push(Guard::Schedule(value.span)),
            key if RATES.contains(&key) => {
                if !purpose.accepts {
                    c.guards.push(Guard::Established(value.span));
                }
            }
            key if SHAPES.contains(&key) && !purpose.accepts => c.guards.push(Guard::Established(value.span)),
            key => c.guards.push(Guard::Unmodelled(value.span, key.to_owned())),
        }
        node.read();
    }
    if let Some(origin) = ports.origin() {
        c.services_at = origin;
        match ports.terms(export, purpose.v6) {
            Some(terms) => c.services = Some(terms),
            None => c.guards.push(Guard::Unmodelled(item.span(), "protocol".to_owned())),
        }
    }
    c
}

fn address_of(value: Value<'_>) -> Fact<AddrExpr> {
    let (value, negated) = value.negated();
    let parts: Option<Vec<AddrExpr>> = value.parts().map(address::set).collect();
    // The router drops what arrives with such an address: only its own processes send to it.
    if parts.as_ref().is_some_and(|p| !p.is_empty() && p.iter().all(address::is_loopback)) {
        let origin = Origin::inferred("infer.loopback_never_arrives", [Origin::Written(value.span)]);
        return Fact::known(if negated { AddrExpr::Any } else { AddrExpr::Nothing }, origin);
    }
    match parts.map(AddrExpr::union) {
        Some(set) => Fact::written(if negated { AddrExpr::Not(Box::new(set)) } else { set }, value.span),
        None => Fact::unknown(Why::at(WhyCode::Ambiguous, value.key, vec![value.span])),
    }
}

fn list_of(export: &Export<'_>, value: Value<'_>, v6: bool) -> Fact<AddrExpr> {
    let (value, negated) = value.negated();
    let (set, origin) = match export.lists.get(v6, value.text) {
        Some(ix) => (AddrExpr::Object(ix), Origin::Written(value.span)),
        None if export.gaps.contains_key("objects") => {
            let opaque = Opaque { kind: OpaqueKind::Undefined, text: value.text.to_owned(), span: value.span };
            (AddrExpr::Opaque(opaque), Origin::Written(value.span))
        }
        None => (AddrExpr::Nothing, Origin::inferred("infer.empty_address_list", [Origin::Written(value.span)])),
    };
    Fact::known(if negated { AddrExpr::Not(Box::new(set)) } else { set }, origin)
}

/// A stranger's first packet is new; it is untracked only where rows switch tracking off.
fn state(export: &Export<'_>, value: Value<'_>) -> Option<Guard> {
    let (value, negated) = value.negated();
    let names = |state: &str| value.parts().any(|p| p == state);
    if names("new") != negated {
        return None;
    }
    Some(if export.untracks && names("untracked") != negated {
        Guard::Unmodelled(value.span, "untracked".to_owned())
    } else {
        Guard::Established(value.span)
    })
}

fn nat_state(value: Value<'_>, c: &mut Conditions) {
    match value.text {
        "dstnat" => c.translated = Translated::Only,
        "!dstnat" => c.translated = Translated::Never,
        "!srcnat" => {}
        _ => c.guards.push(Guard::Unmodelled(value.span, value.key.to_owned())),
    }
}

fn policy(value: Value<'_>) -> Option<Guard> {
    let mut parts = value.parts();
    match (parts.next(), parts.next()) {
        (Some("in"), Some("ipsec")) => Some(Guard::Decrypted(value.span)),
        // What leaves through IPsec does not go to a host inside.
        (Some("out"), Some("ipsec")) => Some(Guard::Established(value.span)),
        (_, Some("none")) => None,
        _ => Some(Guard::Unmodelled(value.span, value.key.to_owned())),
    }
}

fn destination_type(value: Value<'_>, purpose: Purpose, c: &mut Conditions) {
    let (bare, negated) = value.negated();
    let local = bare.parts().any(|p| p == "local");
    if !local || bare.parts().count() > 1 {
        c.guards.push(Guard::Unmodelled(value.span, value.key.to_owned()));
    } else if local == (negated == purpose.to_box) {
        c.dst = Fact::written(AddrExpr::Nothing, value.span);
    }
}

/// The first packet of a TCP connection has the flag `syn` alone, beside those of congestion notification.
fn flags(value: Value<'_>) -> Option<Guard> {
    let congestion = |flag: &str| matches!(flag.trim_start_matches('!'), "ece" | "cwr");
    let never = |flag: &str| flag == "!syn" || !flag.starts_with('!') && flag != "syn";
    if value.parts().any(|flag| never(flag) && !congestion(flag)) {
        return Some(Guard::Established(value.span));
    }
    value.parts().any(congestion).then(|| Guard::Unmodelled(value.span, value.key.to_owned()))
}

#[derive(Default)]
struct Ports<'a> {
    protocol: Option<Value<'a>>,
    source: Option<Value<'a>>,
    destination: Option<Value<'a>>,
    either: Option<Value<'a>>,
    icmp: Option<Value<'a>>,
}

impl<'a> Ports<'a> {
    fn take(&mut self, value: Value<'a>) {
        let slot = match value.key {
            "protocol" => &mut self.protocol,
            "src-port" => &mut self.source,
            "dst-port" => &mut self.destination,
            "icmp-options" => &mut self.icmp,
            _ => &mut self.either,
        };
        *slot = Some(value);
    }

    fn origin(&self) -> Option<Origin> {
        let given = [self.protocol, self.source, self.destination, self.either, self.icmp];
        let mut spans = given.into_iter().flatten().map(|v| Origin::Written(v.span)).peekable();
        spans.peek()?;
        Some(Origin::all(spans))
    }

    /// Blocks of services; `None` when some word cannot be read.
    fn terms(&self, export: &Export<'_>, v6: bool) -> Option<Vec<SvcTerm>> {
        let protocols: Vec<u8> = match self.protocol {
            None => vec![TCP, UDP],
            Some(value) => {
                let (value, negated) = value.negated();
                let number = value.text.parse::<u8>().ok().or_else(|| export.protocols.get(value.text).copied())?;
                let number = if v6 && number == crate::ir::filter::ICMP { crate::ir::filter::ICMPV6 } else { number };
                if negated { (0..=u8::MAX).filter(|p| *p != number).collect() } else { vec![number] }
            }
        };
        let list = |value: Option<Value<'_>>| match value {
            None => Some(Vec::new()),
            Some(value) => {
                let (value, negated) = value.negated();
                let ports = address::ports(value.text)?;
                Some(if negated { address::other_ports(ports) } else { ports })
            }
        };
        let (source, destination, either) = (list(self.source)?, list(self.destination)?, list(self.either)?);
        let icmp = match self.icmp {
            None => None,
            Some(value) => {
                let (kind, code) = value.text.split_once(':').map_or((value.text, None), |(k, c)| (k, Some(c)));
                let one_code = code.and_then(|c| c.split_once('-').is_none_or(|(a, b)| a == b).then(|| c.split('-').next())).flatten();
                Some((kind.parse().ok()?, one_code.and_then(|c| c.parse().ok())))
            }
        };
        let mut out = Vec::new();
        for protocol in protocols {
            let base = SvcTerm { protocol: Some(protocol), src_ports: source.clone(), dst_ports: destination.clone(), icmp };
            if either.is_empty() {
                out.push(base);
            } else {
                out.push(SvcTerm { src_ports: either.clone(), ..base.clone() });
                out.push(SvcTerm { dst_ports: either.clone(), ..base });
            }
        }
        Some(out)
    }
}
