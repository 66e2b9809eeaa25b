//! Tunnels between sites and remote access for users.

use super::account::{AccountIx, SecretIx};
use super::fact::{Fact, List, Origin};
use super::filter::AddrExpr;
use super::interface::InterfaceIx;
use super::listener::ListenerIx;
use super::live::Live;
use crate::source::Span;

/// Who brings a tunnel up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// The box itself, at once and again after each loss.
    AtBoot,
    /// The box, when there is traffic.
    OnTraffic,
    /// A person.
    Manual,
    /// Never this box: it only answers.
    Never,
}

/// How strongly something keeps a tunnel up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperForce {
    /// Makes the box renegotiate although idle.
    Forces,
    /// Sends traffic through it for ever.
    Sustains,
    /// Only asks whether the peer is alive.
    Probes,
}

/// Something that keeps a tunnel up.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Key of its name in `texts/steps.toml` (`keeper.phase2_keepalive`, ...).
    pub code: &'static str,
    /// How strongly.
    pub force: KeeperForce,
    /// Whether it is on.
    pub live: Fact<bool>,
}

/// What may end a tunnel or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnderKind {
    /// Idle timeout.
    Idle,
    /// Session limit.
    Session,
    /// A schedule that switches it off.
    Schedule,
    /// Every permit that uses it is limited to certain times.
    PolicySchedule,
    /// A script; whether it works is inferred.
    Script,
}

/// Something that ends a tunnel.
#[derive(Clone, Debug)]
pub struct Ender {
    /// What it is.
    pub kind: EnderKind,
    /// Whether it is in force.
    pub live: Fact<bool>,
}

/// What a tunnel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelRole {
    /// Between two sites.
    SiteToSite,
    /// A hub for dial-in peers.
    HubForDialin,
    /// This box dials out as a client.
    ClientOut,
    /// The Internet line itself (MAP-E, DS-Lite): never a tunnel between sites.
    Carrier,
}

impl TunnelRole {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            TunnelRole::SiteToSite => "site_to_site",
            TunnelRole::HubForDialin => "hub_for_dialin",
            TunnelRole::ClientOut => "client_out",
            TunnelRole::Carrier => "carrier",
        }
    }
}

/// The other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its addresses; [`AddrExpr::Any`] when any address may answer.
    pub addresses: Fact<AddrExpr>,
    /// As written, for messages: an address, a name, or empty.
    pub text: String,
}

/// Weak algorithms a tunnel offers and accepts; words of [`super::schema::WEAK`].
#[derive(Clone, Debug)]
pub struct Crypto {
    /// Weak algorithms among those this box offers, IKE and ESP together.
    pub offered: Fact<Vec<&'static str>>,
    /// Weak algorithms this box accepts beyond those it offers, if it accepts more than it offers.
    pub accepted: Option<Fact<Vec<&'static str>>>,
    /// Whether perfect forward secrecy is on.
    pub pfs: Fact<bool>,
}

/// How a tunnel's ends prove themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelAuth {
    /// A shared secret.
    GroupPsk,
    /// Certificates.
    ClientCert,
    /// A password of a user.
    Password,
    /// Nothing.
    None,
}

impl TunnelAuth {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            TunnelAuth::GroupPsk => "group_psk",
            TunnelAuth::ClientCert => "client_cert",
            TunnelAuth::Password => "password",
            TunnelAuth::None => "none",
        }
    }
}

/// A tunnel.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// Name as written.
    pub name: String,
    /// The line that names it.
    pub span: Span,
    /// A word of [`super::schema::VPN_KINDS`].
    pub kind: &'static str,
    /// Whether whole Ethernet segments are joined.
    pub layer2: bool,
    /// Whether the content is encrypted.
    pub encrypted: Fact<bool>,
    /// What it is for.
    pub role: Fact<TunnelRole>,
    /// Whether it is in force.
    pub live: Live,
    /// The interface packets come out of.
    pub interface: Option<InterfaceIx>,
    /// The interfaces on which its outer packets arrive.
    pub outer: Vec<InterfaceIx>,
    /// The other end.
    pub peer: Peer,
    /// Who brings it up.
    pub starts: Fact<Starts>,
    /// What keeps it up.
    pub keepers: Vec<Keeper>,
    /// What ends it; empty: nothing does, for the reason of the list.
    pub enders: List<Ender>,
    /// How its ends prove themselves: every kind must be given.
    pub auth: Fact<Vec<TunnelAuth>>,
    /// Whether it starts or accepts IKEv1 aggressive mode with a shared secret.
    pub aggressive_psk: Fact<bool>,
    /// Addresses of the far side, from which packets come out.
    pub remote_nets: Fact<AddrExpr>,
    /// Algorithms.
    pub crypto: Option<Crypto>,
    /// Its shared secret.
    pub psk: Option<SecretIx>,
}

/// Kinds of proof a user gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactorKind {
    /// A password of the user.
    Password,
    /// A secret of the whole group: never counts as a user's factor.
    GroupSecret,
    /// One-time password, token, push, mail or SMS code.
    OneTime,
    /// A certificate of the user or the device.
    ClientCert,
    /// A key of the device (WireGuard, SSH).
    DeviceKey,
    /// Decided by an identity provider (SAML, OpenID Connect).
    Delegated,
}

/// One proof a user gives.
#[derive(Clone, Debug)]
pub struct Factor {
    /// What it is.
    pub kind: FactorKind,
    /// Whether it is required; unknown when a server may or may not ask.
    pub required: Fact<bool>,
}

/// One way for users into a remote-access service: all its required factors must be given.
#[derive(Clone, Debug)]
pub struct AuthPath {
    /// User, group or rule as written.
    pub principal: String,
    /// The line a finding points at.
    pub span: Span,
    /// The account, when the path is of one.
    pub account: Option<AccountIx>,
    /// The factors.
    pub factors: Vec<Factor>,
    /// Whether it is used only when another way fails.
    pub fallback: bool,
    /// Whether it can be used.
    pub live: Fact<bool>,
}

/// A remote-access service for users.
#[derive(Clone, Debug)]
pub struct RemoteAccess {
    /// Name as written.
    pub name: String,
    /// A word of [`super::schema::VPN_KINDS`].
    pub kind: &'static str,
    /// The line that names it.
    pub span: Span,
    /// Whether it is in force.
    pub live: Live,
    /// Its listeners.
    pub listeners: Vec<ListenerIx>,
    /// The interface users arrive on.
    pub interface: Option<InterfaceIx>,
    /// Interfaces from which it can be reached.
    pub outer: Vec<InterfaceIx>,
    /// Every way in.
    pub paths: List<AuthPath>,
    /// Idle timeout in seconds; [`super::record::NEVER`] when there is none.
    pub idle_s: Fact<i64>,
    /// Session limit in seconds; [`super::record::NEVER`] when there is none.
    pub session_s: Fact<i64>,
    /// Sessions one user may have at once.
    pub concurrent: Fact<i64>,
    /// Whether IKEv1 aggressive mode with a shared secret is accepted.
    pub aggressive_psk: Fact<bool>,
    /// Addresses given to users.
    pub pool: Fact<AddrExpr>,
    /// Algorithms, where it uses IPsec.
    pub crypto: Option<Crypto>,
    /// What the answers above rest on when the whole is inferred.
    pub note: Option<Origin>,
}
