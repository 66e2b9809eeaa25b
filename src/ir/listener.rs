//! What the box itself answers, where, and to whom.

use super::fact::{Fact, Origin, Why};
use super::filter::{AddrExpr, Family, SvcTerm};
use super::interface::InterfaceIx;
use super::live::Live;
use crate::source::Span;

/// Index of a listener in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerIx(pub u32);

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plane {
    /// Administers the box.
    Management,
    /// Terminates a VPN.
    Vpn,
    /// Another login page.
    Portal,
    /// Serves the network: DNS, NTP, DHCP, ping.
    Infrastructure,
    /// Speaks on the link only: discovery protocols.
    Layer2,
}

impl Plane {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            Plane::Management => "management",
            Plane::Vpn => "vpn",
            Plane::Portal => "portal",
            Plane::Infrastructure => "infrastructure",
            Plane::Layer2 => "l2",
        }
    }
}

/// Where a listener is bound.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The interface; `None`: every interface.
    pub on: Option<InterfaceIx>,
    /// Families on which it answers there.
    pub family: Family,
    /// Whether it is really bound there.
    pub bound: Fact<bool>,
    /// How packets that enter another interface get there.
    pub reach: Reach,
}

/// How a binding is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only packets that enter this very interface.
    Direct,
    /// Packets that enter another interface get there through the filters for traffic through the box (a loopback).
    Forwarded,
}

/// At which moment a limit refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitStage {
    /// No connection at all.
    Connect,
    /// The page or prompt is shown, the login refused.
    Login,
}

/// Who may come in, besides filters.
#[derive(Clone, Debug)]
pub enum Limit {
    /// Nobody is refused.
    None(Origin),
    /// These sources are admitted.
    Sources {
        /// When it refuses.
        stage: LimitStage,
        /// Who is admitted.
        admits: Fact<AddrExpr>,
    },
    /// All must admit.
    AllOf(Vec<Limit>),
    /// One must admit.
    AnyOf(Vec<Limit>),
    /// Whoever one of the administrators who may use the service is allowed to come from ([`super::account::Account::sources`]).
    UnionOverAdmins {
        /// When it refuses.
        stage: LimitStage,
    },
    /// Cannot be told.
    Unknown(Why),
}

/// TLS of a listener.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whether TLS 1.1 or older, or SSL, is allowed.
    pub old: Fact<bool>,
}

/// SSH of a listener.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// Whether version 1 is allowed.
    pub v1: Fact<bool>,
    /// Whether nothing but CBC ciphers, MD5 MACs or group 1 is left.
    pub weak_only: Fact<bool>,
    /// Whether such algorithms are offered beside better ones.
    pub weak_offered: Fact<bool>,
}

/// Something the box answers.
#[derive(Clone, Debug)]
pub struct Listener {
    /// What it is for.
    pub plane: Plane,
    /// What answers; a word of [`super::schema::SERVICES`].
    pub service: &'static str,
    /// Protocols and ports; unknown when moved in a part that is not exported.
    pub ports: Fact<Vec<SvcTerm>>,
    /// The line that switches it on, or the head of the block that would.
    pub span: Option<Span>,
    /// Where it is bound.
    pub bindings: Vec<Binding>,
    /// Whether it runs.
    pub live: Live,
    /// Whether credentials or settings cross the network readable.
    pub cleartext: Fact<bool>,
    /// Whether it only redirects to an encrypted page.
    pub redirect_only: Fact<bool>,
    /// Who may come in.
    pub limits: Limit,
    /// TLS, where it speaks TLS.
    pub tls: Option<Tls>,
    /// SSH, where it speaks SSH.
    pub ssh: Option<Ssh>,
    /// Whether failed logins are slowed down on this listener.
    pub rate_limit: Fact<bool>,
    /// For a VPN listener: whether every peer that uses it has a fixed address, so that it could be limited at once.
    pub peers_fixed: Option<Fact<bool>>,
}
