//! Interfaces, routes, and the signs of the side an interface is on.
//!
//! Every interface a command names becomes one: ports, VLANs, bridges, peers, tunnels. Tunnels of remote access do not: their users
//! arrive on the peer they are bound to. Signs are written down; which side follows from them is not decided here.

use super::commands::{Command, Peer, Scope, is_interface};
use super::routes::{Gateway, Route, numbers};
use super::{Export, address, on_off, vpn};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, IpNet, SidePointer, SignStrength, TrustSign};
use crate::source::Span;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// The interfaces by name, and the routes.
#[derive(Default)]
pub struct Interfaces {
    names: Vec<(String, Span)>,
    by_name: HashMap<String, InterfaceIx>,
    templates: BTreeMap<u32, u32>,
    /// Static routes in the order of the text.
    pub routes: Vec<Route>,
    into_tunnels: HashMap<u32, Vec<usize>>,
    nets: Vec<(InterfaceIx, IpNet)>,
}

impl Interfaces {
    /// The interface of that name.
    pub fn named(&self, name: &str) -> Option<InterfaceIx> {
        self.by_name.get(name).copied()
    }

    /// The interface of a peer.
    pub fn peer(&self, peer: Peer) -> Option<InterfaceIx> {
        self.named(&peer_name(peer))
    }

    /// The interface of a tunnel, or of the tunnel it was made from.
    pub fn tunnel(&self, number: u32) -> Option<InterfaceIx> {
        self.named(&format!("tunnel {number}")).or_else(|| self.named(&format!("tunnel {}", self.templates.get(&number)?)))
    }

    /// The tunnel a tunnel was made from by a template, or itself.
    pub fn template_of(&self, number: u32) -> u32 {
        self.templates.get(&number).copied().unwrap_or(number)
    }

    /// The interface a command with an interface among its keys speaks of.
    pub fn of(&self, command: &Command<'_>) -> Option<InterfaceIx> {
        self.word(command.keys[0], command.scope)
    }

    /// The interface a word means: `lan1`, `tunnel1`, or the selected peer or tunnel.
    pub fn word(&self, word: &str, scope: Scope) -> Option<InterfaceIx> {
        let lower = word.to_ascii_lowercase();
        match (lower.as_str(), scope) {
            ("pp", Scope::Pp(peer)) => self.peer(peer),
            ("tunnel", Scope::Tunnel(number)) => self.tunnel(number),
            (w, _) => match w.strip_prefix("tunnel").and_then(|n| n.parse().ok()) {
                Some(number) => self.tunnel(number),
                None => self.named(w),
            },
        }
    }

    /// The interface behind which an address lies directly.
    pub fn holding(&self, addr: IpAddr) -> Option<InterfaceIx> {
        self.nets.iter().filter(|(_, net)| net.contains(addr)).max_by_key(|(_, net)| net.prefix).map(|(ix, _)| *ix)
    }

    /// The routes into a tunnel, in the order of the text.
    pub fn routes_into(&self, tunnel: u32) -> impl Iterator<Item = &Route> {
        self.into_tunnels.get(&tunnel).into_iter().flatten().filter_map(|at| self.routes.get(*at))
    }

    /// The interfaces whose names begin with a word, blanks left out: `pp`, `tunnel`, `lan`.
    pub fn starting(&self, prefix: &str) -> Vec<InterfaceIx> {
        (0..)
            .map(InterfaceIx)
            .zip(&self.names)
            .filter(|(_, (name, _))| name.replace(' ', "").starts_with(prefix))
            .map(|(ix, _)| ix)
            .collect()
    }

    /// What an interface is.
    pub fn kind(&self, export: &Export<'_>, ix: InterfaceIx) -> Option<InterfaceKind> {
        self.names.get(ix.0 as usize).map(|(name, _)| kind(export, name).1)
    }

    fn add(&mut self, name: String, span: Span) -> InterfaceIx {
        if let Some(ix) = self.by_name.get(&name) {
            return *ix;
        }
        let ix = InterfaceIx(self.names.len() as u32);
        self.by_name.insert(name.clone(), ix);
        self.names.push((name, span));
        ix
    }
}

/// `pp 1`, `pp anonymous`.
pub fn peer_name(peer: Peer) -> String {
    match peer {
        Peer::Number(n) => format!("pp {n}"),
        Peer::Anonymous => "pp anonymous".to_owned(),
    }
}

const NAMING: &[&str] = &[
    "ip @ address",
    "ip @ secondary address",
    "ip @ nat descriptor",
    "ip @ secure filter in",
    "ip @ secure filter out",
    "ip @ secure filter name",
    "ip @ inbound filter list",
    "ip @ proxyarp",
    "ipv6 @ address $",
    "ipv6 @ prefix $",
    "ipv6 @ rtadv send",
    "ipv6 @ dhcp service",
    "ipv6 @ secure filter in",
    "ipv6 @ secure filter out",
    "ipv6 @ secure filter name",
    "ipv6 @ inbound filter list",
    "description @",
    "vlan @ 802.1q",
    "vlan port mapping @",
    "ngn type @",
    "switch control use @",
    "lan shutdown @",
    "pppoe use",
    "pp bind",
    "bridge member $",
];

/// Names the interfaces and reads the routes.
pub fn collect(export: &mut Export<'_>) {
    let commands = &export.commands;
    let mut out = Interfaces::default();
    // The address line names a port best, where there is one.
    let addresses = commands.everywhere("ip @ address").filter(|c| c.scope == Scope::Global);
    addresses.for_each(|c| {
        out.add(c.keys[0].to_ascii_lowercase(), c.span());
    });
    for (which, command) in commands.events(NAMING) {
        let mut name = |word: &str| {
            let word = word.to_ascii_lowercase();
            if is_interface(&word) && !matches!(word.as_str(), "pp" | "tunnel" | "null") {
                out.add(word, command.span());
            }
        };
        match NAMING[which] {
            "pppoe use" | "pp bind" => command.args().for_each(|(w, _)| name(w)),
            "bridge member $" => {
                name(command.keys[0]);
                command.args().for_each(|(w, _)| name(w));
            }
            "vlan port mapping @" => {
                name(command.keys[0]);
                name(command.arg_or_empty(0));
            }
            _ => name(command.keys[0]),
        }
    }
    for (scope, node) in &commands.selections {
        match scope {
            Scope::Pp(peer) if node.children().next().is_some() || export.pp_enabled.contains_key(peer) => {
                out.add(peer_name(*peer), node.span());
            }
            Scope::Tunnel(number) => {
                let template = commands.one(*scope, "tunnel template");
                let made = template.map(|c| numbers(c.args().map(|(w, _)| w))).unwrap_or_default();
                out.templates.extend(made.into_iter().filter(|n| n != number).map(|n| (n, *number)));
                if !vpn::Encapsulation::of(commands, *number).is_remote_access() {
                    out.add(format!("tunnel {number}"), node.span());
                }
            }
            _ => {}
        }
    }
    for command in commands.everywhere("ip @ address").chain(commands.everywhere("ip @ secondary address")) {
        if let (Some(ix), Some(net)) = (out.of(&command), command.arg(0).and_then(address::net)) {
            out.nets.push((ix, net));
        }
    }
    for command in commands.everywhere("ipv6 @ address $") {
        if let (Some(ix), Some(net)) = (out.of(&command), address::net(command.keys[1])) {
            out.nets.push((ix, net));
        }
    }
    out.routes.extend(commands.everywhere("ip route $ gateway").filter_map(|c| Route::read(&c, false)));
    out.routes.extend(commands.everywhere("ipv6 route $ gateway").filter_map(|c| Route::read(&c, true)));
    for (at, route) in out.routes.iter().enumerate() {
        for gateway in &route.gateways {
            if let Gateway::Tunnel(number) = gateway {
                out.into_tunnels.entry(*number).or_default().push(at);
            }
        }
    }
    export.interfaces = out;
}

/// Fills the interfaces of the device.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let index = &export.interfaces;
    for (name, span) in &index.names {
        device.interfaces.push(base(export, name, *span));
    }
    carriers(export, &mut device.interfaces);
    addresses(export, &mut device.interfaces);
    super::sides::signs(export, &mut device.interfaces);
}

fn kind(export: &Export<'_>, name: &str) -> (Scope, InterfaceKind) {
    match name.split_once(' ') {
        Some(("pp", word)) => {
            let peer = Peer::parse(word).unwrap_or(Peer::Anonymous);
            let users = peer == Peer::Anonymous || vpn::bound_tunnels(export, peer).next().is_some();
            (Scope::Pp(peer), if users { InterfaceKind::RemoteAccess } else { InterfaceKind::Ppp })
        }
        Some((_, word)) => {
            let number = word.parse().unwrap_or(0);
            let carrier = vpn::is_carrier(export, number);
            (Scope::Tunnel(number), if carrier { InterfaceKind::Ppp } else { InterfaceKind::Tunnel })
        }
        None if name.starts_with("bridge") => (Scope::Global, InterfaceKind::Bridge),
        None if name.starts_with("loopback") => (Scope::Global, InterfaceKind::Loopback),
        None if name.starts_with("vlan") || name.contains(['/', '.']) => (Scope::Global, InterfaceKind::Vlan),
        None => (Scope::Global, InterfaceKind::Physical),
    }
}

fn base(export: &Export<'_>, name: &str, span: Span) -> Interface {
    let (scope, kind) = kind(export, name);
    let described = match scope {
        Scope::Global => export.commands.list(scope, "description @").find(|c| c.keys[0].eq_ignore_ascii_case(name)),
        Scope::Pp(_) => export.commands.keyed(scope, "description @", ["pp", ""]).or_else(|| export.commands.one(scope, "pp name")),
        Scope::Tunnel(_) => {
            export.commands.keyed(scope, "description @", ["tunnel", ""]).or_else(|| export.commands.one(scope, "tunnel name"))
        }
    };
    let up = match scope {
        Scope::Pp(peer) => export.pp_is_enabled(peer),
        Scope::Tunnel(number) => export.tunnel_is_enabled(number),
        Scope::Global => {
            let shut = export.commands.list(scope, "lan shutdown @").find(|c| c.keys[0].eq_ignore_ascii_case(name) && c.arg(0).is_none());
            match shut {
                Some(command) => Fact::written(false, command.span()),
                None => export.absent("lan shutdown", "interfaces", on_off).negate(),
            }
        }
    };
    Interface {
        name: name.to_owned(),
        alias: described.map(|c| c.args().map(|(w, _)| w).collect::<Vec<_>>().join(" ")),
        kind,
        span,
        up,
        carrier: None,
        addresses: Vec::new(),
        ipv6: ipv6(export, scope, name),
        zone: None,
        members: Vec::new(),
        signs: Vec::new(),
    }
}

fn ipv6(export: &Export<'_>, scope: Scope, name: &str) -> Fact<bool> {
    const LINES: &[&str] = &[
        "ipv6 @ address $",
        "ipv6 @ prefix $",
        "ipv6 @ dhcp service",
        "ipv6 @ rtadv send",
        "ipv6 @ secure filter in",
        "ipv6 @ secure filter out",
        "ipv6 @ secure filter name",
        "ipv6 @ inbound filter list",
    ];
    let own = |c: &Command<'_>| scope != Scope::Global || c.keys[0].eq_ignore_ascii_case(name);
    let line = LINES.iter().find_map(|p| export.commands.list(scope, p).find(|c| own(c) && !c.is("off")));
    // A prefix learnt on an interface means that IPv6 arrives there.
    let learnt = || {
        let from = format!("-prefix@{}::", name.replace(' ', ""));
        export
            .commands
            .everywhere("ipv6 @ address $")
            .chain(export.commands.everywhere("ipv6 @ prefix $"))
            .find(|c| c.keys[1].contains(&from))
    };
    match line.or_else(learnt) {
        Some(command) => Fact::written(true, command.span()),
        None => export.absent("ipv6 address", "interfaces", on_off),
    }
}

fn carriers(export: &Export<'_>, interfaces: &mut [Interface]) {
    let index = &export.interfaces;
    let at = |ix: InterfaceIx| ix.0 as usize;
    for pattern in ["pppoe use", "pp bind"] {
        for command in export.commands.everywhere(pattern) {
            let Scope::Pp(peer) = command.scope else { continue };
            let below = command.arg(0).and_then(|w| index.named(&w.to_ascii_lowercase()));
            if let (Some(ix), Some(below)) = (index.peer(peer), below) {
                interfaces[at(ix)].carrier = Some(below);
            }
        }
    }
    for interface in interfaces.iter_mut().filter(|i| i.kind == InterfaceKind::Vlan) {
        interface.carrier = interface.name.split_once(['/', '.']).and_then(|(below, _)| index.named(below));
    }
    for command in export.commands.everywhere("bridge member $") {
        let Some(bridge) = index.named(&command.keys[0].to_ascii_lowercase()) else { continue };
        let members = command.args().filter_map(|(w, _)| index.word(w, Scope::Global));
        interfaces[at(bridge)].members.extend(members);
    }
}

fn addresses(export: &Export<'_>, interfaces: &mut [Interface]) {
    let index = &export.interfaces;
    let later = |span: Span, about: &str| Fact::unknown(Why::at(WhyCode::RuntimeContent, about, vec![span]));
    for pattern in ["ip @ address", "ip @ secondary address"] {
        for command in export.commands.everywhere(pattern) {
            let Some(ix) = index.of(&command) else { continue };
            let word = command.arg_or_empty(0);
            let (net, how) = match address::net(word) {
                Some(net) => (Fact::written(net, command.arg_span(0)), AddressHow::Static),
                None => (later(command.span(), word), AddressHow::Dhcp),
            };
            interfaces[ix.0 as usize].addresses.push(Address { net, how, v6: false });
        }
    }
    for pattern in ["ipv6 @ address $", "ipv6 @ prefix $"] {
        for command in export.commands.everywhere(pattern).filter(|c| c.keys[1] != "change") {
            let Some(ix) = index.of(&command) else { continue };
            let (net, how) = match address::net(command.keys[1]) {
                Some(net) => (Fact::written(net, command.span()), AddressHow::Static),
                None => (later(command.span(), command.keys[1]), AddressHow::Autoconf),
            };
            interfaces[ix.0 as usize].addresses.push(Address { net, how, v6: true });
        }
    }
    for (ix, interface) in interfaces.iter_mut().enumerate() {
        let session = interface.kind == InterfaceKind::Ppp && interface.addresses.iter().all(|a| a.v6);
        if session {
            interface.addresses.push(Address { net: later(interface.span, &interface.name), how: AddressHow::Ppp, v6: false });
        }
        let client =
            export.commands.everywhere("ipv6 @ dhcp service").find(|c| c.is("client") && index.of(c) == Some(InterfaceIx(ix as u32)));
        if let Some(command) = client.filter(|_| interface.addresses.iter().all(|a| !a.v6)) {
            interface.addresses.push(Address { net: later(command.span(), &interface.name), how: AddressHow::Autoconf, v6: true });
        }
    }
}

/// A sign of an interface's side.
pub fn sign(code: &'static str, strength: SignStrength, points_to: SidePointer, origin: Origin) -> TrustSign {
    TrustSign { code, strength, points_to, origin }
}
