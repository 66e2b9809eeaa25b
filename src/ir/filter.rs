//! Addresses, services, packet filters, and the declared order in which the box decides.
//!
//! Evaluators hold no vendor case: a dialect writes implicit behaviour out as ordinary rules and defaults
//! (end of list, generated permits) and declares its [`Pipeline`].

use super::fact::{Fact, Origin, Why};
use super::interface::InterfaceIx;
use super::live::Live;
use super::nat::NatIx;
use crate::source::Span;
use std::net::IpAddr;

/// Index of an address object in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddrObjectIx(pub u32);
/// Index of a service object in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SvcObjectIx(pub u32);
/// Index of a filter in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterIx(pub u32);

/// A set of addresses as configured.
#[derive(Clone, Debug)]
pub enum AddrExpr {
    /// Every address of both families.
    Any,
    /// Every IPv4 address.
    AnyV4,
    /// Every IPv6 address.
    AnyV6,
    /// No address.
    Nothing,
    /// From one address to another, both included, of one family.
    Range(IpAddr, IpAddr),
    /// Address and mask where the mask need not be a prefix; one bits must match.
    Masked(IpAddr, IpAddr),
    /// The networks of an interface.
    InterfaceNet(InterfaceIx),
    /// The networks of every trusted (LAN-side) interface.
    LanNets,
    /// The box's own addresses.
    SelfAddrs,
    /// The box's own address on an interface: its first of each family.
    InterfaceAddr(InterfaceIx),
    /// A named object.
    Object(AddrObjectIx),
    /// All of them.
    Union(Vec<AddrExpr>),
    /// The first without the second.
    Except(Box<AddrExpr>, Box<AddrExpr>),
    /// Everything else.
    Not(Box<AddrExpr>),
    /// A set whose content the export does not hold.
    Opaque(Opaque),
}

impl AddrExpr {
    /// One expression for several.
    pub fn union(mut parts: Vec<AddrExpr>) -> AddrExpr {
        match parts.len() {
            0 => AddrExpr::Nothing,
            1 => parts.swap_remove(0),
            _ => AddrExpr::Union(parts),
        }
    }
}

/// What an unreadable set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpaqueKind {
    /// A DNS name.
    Fqdn,
    /// A country or region.
    Country,
    /// An address feed or dynamic group.
    Feed,
    /// A vendor-maintained list of a cloud service.
    CloudService,
    /// Masked in the export.
    Masked,
    /// A name that is defined nowhere.
    Undefined,
    /// A matcher the algebra does not model.
    Unmodelled,
}

/// A set whose content the export does not hold; equal `identity` means the same set.
#[derive(Clone, Debug)]
pub struct Opaque {
    /// What it is.
    pub kind: OpaqueKind,
    /// As the export names it.
    pub text: String,
    /// Where it is named.
    pub span: Span,
}

/// One block of protocol and ports. Ports are inclusive ranges; empty lists mean every port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SvcTerm {
    /// IP protocol number; `None` for every protocol.
    pub protocol: Option<u8>,
    /// Source ports.
    pub src_ports: Vec<(u16, u16)>,
    /// Destination ports. Port 0, to which nothing real is sent, stands for one port that the export hides.
    pub dst_ports: Vec<(u16, u16)>,
    /// ICMP type and code, for ICMP and ICMPv6.
    pub icmp: Option<(u8, Option<u8>)>,
}

impl SvcTerm {
    /// A protocol with destination ports.
    pub fn ports(protocol: u8, dst_ports: impl Into<Vec<(u16, u16)>>) -> SvcTerm {
        SvcTerm { protocol: Some(protocol), src_ports: Vec::new(), dst_ports: dst_ports.into(), icmp: None }
    }

    /// A whole protocol.
    pub fn protocol(protocol: u8) -> SvcTerm {
        SvcTerm::ports(protocol, Vec::new())
    }
}

/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// IP protocol number of GRE.
pub const GRE: u8 = 47;
/// IP protocol number of ESP.
pub const ESP: u8 = 50;
/// IP protocol number of AH.
pub const AH: u8 = 51;
/// IP protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;

/// A set of services as configured.
#[derive(Clone, Debug)]
pub enum SvcExpr {
    /// Every service.
    Any,
    /// No service.
    Nothing,
    /// Protocol and ports.
    Term(SvcTerm),
    /// A named object.
    Object(SvcObjectIx),
    /// All of them.
    Union(Vec<SvcExpr>),
    /// Everything else.
    Not(Box<SvcExpr>),
    /// Unreadable (application signature, undefined name): may match any of the services.
    Opaque(Opaque),
}

/// A named address object or group.
#[derive(Clone, Debug)]
pub struct AddrObject {
    /// Name as written.
    pub name: String,
    /// What it stands for.
    pub value: Fact<AddrExpr>,
    /// Where it is defined; `None` for a name the product defines itself.
    pub span: Option<Span>,
}

/// A named service object or group.
#[derive(Clone, Debug)]
pub struct SvcObject {
    /// Name as written.
    pub name: String,
    /// What it stands for.
    pub value: Fact<SvcExpr>,
    /// Where it is defined; `None` for a name the product defines itself.
    pub span: Option<Span>,
}

/// A verdict of a filter row or of a filter's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let through.
    Accept,
    /// Stop, silently or with an answer.
    Drop,
    /// Leave the decision to the next filter or stage.
    Next,
    /// Neither: count, log, shape; go on with the next row.
    Continue,
    /// Go through the rows of another filter of the device and, where that does not decide (its default is [`Verdict::Next`]), on to the
    /// next row.
    Jump(FilterIx),
    /// As a jump, but where that does not decide, back to where this filter was called from.
    Goto(FilterIx),
    /// Leave this filter for where it was called from; out of the one that is attached, for its end.
    Return,
}

/// Which interfaces a row or translation speaks of.
#[derive(Clone, Debug, PartialEq)]
pub enum IfMatch {
    /// Every interface.
    Any,
    /// These.
    These(Vec<InterfaceIx>),
    /// Cannot be told (an undefined name).
    Unknown(Why),
}

impl IfMatch {
    /// Whether the interface is surely (`Some(true)`), surely not (`Some(false)`) or possibly (`None`) meant.
    pub fn covers(&self, ix: InterfaceIx) -> Option<bool> {
        match self {
            IfMatch::Any => Some(true),
            IfMatch::These(list) => Some(list.contains(&ix)),
            IfMatch::Unknown(_) => None,
        }
    }
}

/// A further condition of a row.
#[derive(Clone, Debug)]
pub enum Guard {
    /// Only for users who logged in: an attacker without login does not match.
    Users(Span),
    /// Only at certain times: matches for the attacker, but the row is not "always".
    Schedule(Span),
    /// Only for packets of connections that were opened from inside.
    Established(Span),
    /// Only for packets that came out of a tunnel.
    Decrypted(Span),
    /// Only for some packets, of which a stranger's first is one (the first of a connection, not more than a rate): matches for the
    /// attacker, but the row is not "always".
    First(Span),
    /// A condition the algebra does not model: may or may not match.
    Unmodelled(Span, String),
}

/// How a row meets packets whose destination was translated.
#[derive(Clone, Debug)]
pub struct NatMatch {
    /// Translations the row names as its destination.
    pub via: Vec<NatIx>,
    /// Whether the row's plain destinations match translated packets too.
    pub plain_sees_translated: Fact<bool>,
}

/// What a row writes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleLog {
    /// Nothing.
    None,
    /// Each session or packet.
    Session,
    /// Only what a security function found.
    SecurityOnly,
}

/// A row of a filter. Rows stand in the order of evaluation.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Id or name as written.
    pub label: String,
    /// The line that names the row.
    pub span: Span,
    /// Whether it is in force.
    pub live: Live,
    /// Inbound interfaces.
    pub ingress: IfMatch,
    /// Outbound interfaces.
    pub egress: IfMatch,
    /// Sources.
    pub src: Fact<AddrExpr>,
    /// Destinations, as the row sees them.
    pub dst: Fact<AddrExpr>,
    /// Services.
    pub svc: Fact<SvcExpr>,
    /// Further conditions; all must hold.
    pub guards: Vec<Guard>,
    /// How it meets translated packets.
    pub nat: NatMatch,
    /// What happens to a packet that matches.
    pub verdict: Fact<Verdict>,
    /// What is logged.
    pub log: Fact<RuleLog>,
    /// Whether the product made the row itself.
    pub generated: bool,
}

/// What a filter is used as. Only the first two decide about traffic of strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterRole {
    /// Filters traffic through the box or to it.
    Packet,
    /// Filters traffic to the box only.
    ToBox,
    /// Filters what comes out of a VPN.
    VpnExit,
    /// Selects traffic for something else (encryption, NAT, routing).
    Other,
}

impl FilterRole {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            FilterRole::Packet => "packet",
            FilterRole::ToBox => "to_box_gate",
            FilterRole::VpnExit => "vpn_exit",
            FilterRole::Other => "other",
        }
    }
}

/// Address family a filter or listener speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Both.
    Both,
}

impl Family {
    /// Whether it includes a single family.
    pub fn includes(self, v6: bool) -> bool {
        match self {
            Family::V4 => !v6,
            Family::V6 => v6,
            Family::Both => true,
        }
    }
}

/// Where in the order of decisions a filter is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// On every packet that enters an interface, before its destination is translated.
    Arrival,
    /// On packets to the box itself.
    Local,
    /// On every packet that enters an interface, to the box or through it.
    Inbound,
    /// On every packet that leaves an interface.
    Outbound,
    /// On packets through the box.
    Forward,
}

/// Where a filter is attached.
#[derive(Clone, Debug)]
pub struct Attach {
    /// Where in the order it is asked.
    pub hook: Hook,
    /// On which interfaces.
    pub on: IfMatch,
    /// The line that attaches it.
    pub origin: Origin,
}

/// An ordered list of rows with first-match semantics.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Name as written, or the product's name of the table.
    pub name: String,
    /// The line that names it, if there is one.
    pub span: Option<Span>,
    /// What it is used as.
    pub role: FilterRole,
    /// Families it sees.
    pub family: Family,
    /// Rows in order of evaluation.
    pub rules: Vec<Rule>,
    /// Why rows may be missing (pushed from elsewhere, part of the export).
    pub incomplete: Option<Why>,
    /// What happens at the end of the list.
    pub default: Fact<Verdict>,
    /// Where it is attached; empty: nowhere, it does nothing.
    pub attach: Vec<Attach>,
}

/// One step in the order of decisions.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Destination translation.
    DestNat,
    /// Filters attached at this hook. `undecided` is what happens when none is attached or none decides.
    Filter {
        /// The hook.
        hook: Hook,
        /// What happens when no attached filter decides.
        undecided: Fact<Verdict>,
    },
    /// Does a service listen there: switch, binding.
    Gate,
    /// Source lists of the service and of its users.
    Limits,
}

/// The order in which the box decides about a packet that enters.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// For packets to the box itself.
    pub to_box: Vec<Stage>,
    /// For packets through the box.
    pub through: Vec<Stage>,
}
