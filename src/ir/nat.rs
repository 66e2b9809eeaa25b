//! Destination translation, and what source translation does to packets nobody asked for.

use super::fact::{Fact, Origin};
use super::filter::{AddrExpr, Family, IfMatch, SvcTerm};
use super::live::Live;
use crate::source::Span;
use std::net::IpAddr;

/// Index of a translation in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatIx(pub u32);

/// What a destination translation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKind {
    /// Ports to an inside host.
    PortForward,
    /// A whole address to an inside host.
    OneToOne,
    /// Everything unmatched to one inside host (DMZ host).
    DefaultHost,
    /// A load balancer's virtual server.
    LoadBalancer,
}

impl NatKind {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            NatKind::PortForward => "port_forward",
            NatKind::OneToOne => "one_to_one",
            NatKind::DefaultHost => "default_host",
            NatKind::LoadBalancer => "load_balancer",
        }
    }
}

/// A destination translation.
#[derive(Clone, Debug)]
pub struct NatRule {
    /// Name or id as written.
    pub name: String,
    /// The line that names it.
    pub span: Span,
    /// What it is.
    pub kind: NatKind,
    /// Whether it is in force (own switch; applied or referenced).
    pub live: Live,
    /// Interfaces on which it acts.
    pub ingress: IfMatch,
    /// Families it translates.
    pub family: Family,
    /// Sources it acts for.
    pub src: Fact<AddrExpr>,
    /// Destination addresses before translation.
    pub orig_dst: Fact<AddrExpr>,
    /// Services before translation; empty: every service.
    pub orig_svc: Vec<SvcTerm>,
    /// Addresses after translation.
    pub to: Fact<AddrExpr>,
    /// First port after translation, where ports are shifted; `None`: ports stay.
    pub to_port: Option<u16>,
    /// Whether a filter row must name the translation for it to act.
    pub needs_reference: bool,
    /// Whether a layer-7 function (reverse proxy, portal) stands in front.
    pub layer7: bool,
}

/// What source translation on an interface does to packets that match no translation.
#[derive(Clone, Debug)]
pub struct Unmatched {
    /// The interfaces.
    pub ingress: IfMatch,
    /// What happens to them. Only IPv4 is ever meant.
    pub effect: Fact<UnmatchedEffect>,
}

/// See [`Unmatched`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnmatchedEffect {
    /// They go on untranslated.
    Pass,
    /// They are dropped: an open listener behind is latent.
    Drop,
    /// They go to one inside host.
    Forward(IpAddr),
}

/// Everything about destination translation.
#[derive(Clone, Debug, Default)]
pub struct Nat {
    /// Translations in order of evaluation.
    pub rules: Vec<NatRule>,
    /// What happens to the rest, per interface; an interface without an entry translates nothing.
    pub unmatched: Vec<Unmatched>,
    /// Interfaces on which sources are translated on the way out (their outer side), with the lines that say so.
    pub source_nat_on: Vec<(super::interface::InterfaceIx, Origin)>,
}
