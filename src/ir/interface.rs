//! Interfaces, zones, and the signs from which the analysis judges which side an interface is on.
//! A dialect writes signs; it never decides trust.

use super::fact::{Fact, Origin};
use crate::source::Span;
use std::net::IpAddr;

/// Index of an interface in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceIx(pub u32);

/// Index of a zone in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneIx(pub u32);

/// What an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// A port.
    Physical,
    /// A tagged or port-based VLAN.
    Vlan,
    /// A point-to-point session (PPPoE, dial-up).
    Ppp,
    /// A site-to-site tunnel.
    Tunnel,
    /// A loopback.
    Loopback,
    /// A bridge or a hardware or software switch.
    Bridge,
    /// A bundle of ports.
    Aggregate,
    /// An out-of-band management port.
    OutOfBand,
    /// The virtual interface on which remote-access users arrive.
    RemoteAccess,
    /// The whole machine, for server software.
    Host,
}

impl InterfaceKind {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            InterfaceKind::Physical => "physical",
            InterfaceKind::Vlan => "vlan",
            InterfaceKind::Ppp => "ppp",
            InterfaceKind::Tunnel => "tunnel",
            InterfaceKind::Loopback => "loopback",
            InterfaceKind::Bridge => "bridge",
            InterfaceKind::Aggregate => "aggregate",
            InterfaceKind::OutOfBand => "oob",
            InterfaceKind::RemoteAccess => "ra_virtual",
            InterfaceKind::Host => "host",
        }
    }
}

/// An address with the length of its network prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpNet {
    /// The address itself, host bits kept.
    pub addr: IpAddr,
    /// Prefix length: 0 to 32 or 0 to 128.
    pub prefix: u8,
}

impl IpNet {
    /// An address and prefix length; lengths beyond the family's are cut down.
    pub fn new(addr: IpAddr, prefix: u8) -> IpNet {
        let most = if addr.is_ipv4() { 32 } else { 128 };
        IpNet { addr, prefix: prefix.min(most) }
    }

    /// First and last address of the network.
    pub fn range(&self) -> (IpAddr, IpAddr) {
        match self.addr {
            IpAddr::V4(a) => {
                let mask = if self.prefix == 0 { 0 } else { u32::MAX << (32 - u32::from(self.prefix.min(32))) };
                let a = u32::from(a);
                (IpAddr::V4((a & mask).into()), IpAddr::V4((a | !mask).into()))
            }
            IpAddr::V6(a) => {
                let mask = if self.prefix == 0 { 0 } else { u128::MAX << (128 - u32::from(self.prefix.min(128))) };
                let a = u128::from(a);
                (IpAddr::V6((a & mask).into()), IpAddr::V6((a | !mask).into()))
            }
        }
    }

    /// Whether the network holds an address.
    pub fn contains(&self, addr: IpAddr) -> bool {
        let (first, last) = self.range();
        addr.is_ipv4() == self.addr.is_ipv4() && first <= addr && addr <= last
    }
}

/// Whether an address can be reached over the Internet. Documentation networks count: they stand for public ones in examples.
pub fn is_public(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => {
            let [x, y, ..] = a.octets();
            !(a.is_private() || a.is_loopback() || a.is_link_local() || x == 0 || x >= 224 || x == 100 && (64..128).contains(&y))
        }
        IpAddr::V6(a) => a.segments()[0] & 0xe000 == 0x2000,
    }
}

/// How an interface comes by an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressHow {
    /// Written in the configuration.
    Static,
    /// From a DHCP server.
    Dhcp,
    /// From a PPP peer.
    Ppp,
    /// From IPv6 router advertisements or a delegated prefix.
    Autoconf,
}

/// An address of an interface. The network is unknown when the address is not in the export (DHCP, PPP, delegated prefix).
#[derive(Clone, Debug)]
pub struct Address {
    /// The address and its network.
    pub net: Fact<IpNet>,
    /// How the interface comes by it.
    pub how: AddressHow,
    /// Whether it is an IPv6 address.
    pub v6: bool,
}

/// The side a sign points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SidePointer {
    /// A network the facility does not run.
    Untrusted,
    /// A network the facility runs.
    Trusted,
    /// The far side of a site-to-site tunnel.
    Tunnel,
    /// Remote-access users.
    RemoteAccess,
}

/// How much a sign weighs; `Weak` alone never makes an interface trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignStrength {
    /// Names and conventions.
    Weak,
    /// Addressing, NAT, bound VPN endpoints.
    Medium,
    /// Roles, zones, security levels, PPPoE, default route.
    Strong,
}

/// A sign of the side an interface is on.
#[derive(Clone, Debug)]
pub struct TrustSign {
    /// Key of the sentence in `texts/steps.toml` (`sign.default_route`, `sign.role`, ...).
    pub code: &'static str,
    /// How much it weighs.
    pub strength: SignStrength,
    /// Where it points.
    pub points_to: SidePointer,
    /// The lines that say it.
    pub origin: Origin,
}

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Name as written.
    pub name: String,
    /// Alias or description, as written.
    pub alias: Option<String>,
    /// What it is.
    pub kind: InterfaceKind,
    /// The line that names it.
    pub span: Span,
    /// Whether it is switched on.
    pub up: Fact<bool>,
    /// The interface that carries it (PPPoE over a port).
    pub carrier: Option<InterfaceIx>,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Whether IPv6 is on.
    pub ipv6: Fact<bool>,
    /// The zone it belongs to.
    pub zone: Option<ZoneIx>,
    /// Interfaces it bundles or bridges.
    pub members: Vec<InterfaceIx>,
    /// Signs of its side.
    pub signs: Vec<TrustSign>,
}

/// A zone: a named group of interfaces that policies speak of.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Name as written.
    pub name: String,
    /// The line that names it.
    pub span: Span,
    /// Its interfaces.
    pub members: Vec<InterfaceIx>,
}
