//! Interfaces: those the export defines, those it only mentions (untouched ports are not exported), and the virtual ones on which
//! packets of VPN users and of IPsec peers arrive. Interface lists become sets of them.
//!
//! IPsec has no interface on this product: what a peer sends arrives on the outer interface. So rows that name an outside
//! interface speak of the peers' virtual interfaces as well.

use super::menus::{Item, Value};
use super::{Export, addressing, groups, ipsec, remote, sides};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::IfMatch;
use crate::ir::interface::{Interface, InterfaceIx, InterfaceKind};
use crate::source::Span;
use std::collections::{BTreeSet, HashMap};

/// Menus whose rows are interfaces.
const MENUS: [(&str, InterfaceKind); 30] = [
    ("bridge", InterfaceKind::Bridge),
    ("vlan", InterfaceKind::Vlan),
    ("bonding", InterfaceKind::Aggregate),
    ("pppoe-client", InterfaceKind::Ppp),
    ("ppp-client", InterfaceKind::Ppp),
    ("lte", InterfaceKind::Ppp),
    ("l2tp-client", InterfaceKind::Tunnel),
    ("pptp-client", InterfaceKind::Tunnel),
    ("sstp-client", InterfaceKind::Tunnel),
    ("ovpn-client", InterfaceKind::Tunnel),
    ("gre", InterfaceKind::Tunnel),
    ("gre6", InterfaceKind::Tunnel),
    ("eoip", InterfaceKind::Tunnel),
    ("eoipv6", InterfaceKind::Tunnel),
    ("ipip", InterfaceKind::Tunnel),
    ("ipipv6", InterfaceKind::Tunnel),
    ("6to4", InterfaceKind::Tunnel),
    ("vxlan", InterfaceKind::Tunnel),
    ("wireguard", InterfaceKind::Tunnel),
    ("vpls", InterfaceKind::Tunnel),
    ("l2tp-server", InterfaceKind::RemoteAccess),
    ("pptp-server", InterfaceKind::RemoteAccess),
    ("sstp-server", InterfaceKind::RemoteAccess),
    ("ovpn-server", InterfaceKind::RemoteAccess),
    ("pppoe-server", InterfaceKind::RemoteAccess),
    ("vrrp", InterfaceKind::Vlan),
    ("macvlan", InterfaceKind::Vlan),
    ("veth", InterfaceKind::Physical),
    ("wireless", InterfaceKind::Physical),
    ("wifi", InterfaceKind::Physical),
];

/// All interfaces, and the lists of them.
#[derive(Default)]
pub struct Interfaces {
    pub list: Vec<Interface>,
    by_name: HashMap<String, u32>,
    /// Members of the interface lists.
    pub lists: HashMap<String, BTreeSet<u32>>,
    /// Interfaces that only rows of other topics name.
    pub mentioned: BTreeSet<u32>,
    /// Tunnels that speak PPP.
    ppp_clients: BTreeSet<u32>,
    /// Interfaces that carry no IPv4.
    ipv6_only: BTreeSet<u32>,
    /// Virtual interfaces of IPsec peers.
    pub over_ipsec: BTreeSet<u32>,
    /// Interfaces that strong signs put outside.
    pub outer: BTreeSet<u32>,
}

impl Interfaces {
    /// The interface of that name.
    pub fn named(&self, name: &str) -> Option<InterfaceIx> {
        self.by_name.get(name).copied().map(InterfaceIx)
    }

    /// The interface of that name, made if nothing defines it. Numbers of deleted rows (`*4`) are no names.
    pub fn ensure(&mut self, name: &str, span: Span, kind: InterfaceKind) -> Option<usize> {
        if name.is_empty() || name.starts_with('*') || matches!(name, "all" | "none") || name.starts_with("all-") {
            return None;
        }
        if let Some(ix) = self.by_name.get(name) {
            return Some(*ix as usize);
        }
        let ix = self.list.len();
        self.by_name.insert(name.to_owned(), ix as u32);
        self.list.push(Interface {
            name: name.to_owned(),
            alias: None,
            kind,
            span,
            up: Fact::known(true, Origin::Written(span)),
            carrier: None,
            addresses: Vec::new(),
            ipv6: Fact::known(false, Origin::Written(span)),
            zone: None,
            members: Vec::new(),
            signs: Vec::new(),
        });
        Some(ix)
    }

    /// Every interface but those of a set.
    fn others(&self, set: &BTreeSet<u32>) -> BTreeSet<u32> {
        (0..self.list.len() as u32).filter(|ix| !set.contains(ix)).collect()
    }

    /// A set with the peers that arrive on its outside interfaces.
    fn with_peers(&self, mut set: BTreeSet<u32>) -> BTreeSet<u32> {
        if set.iter().any(|ix| self.outer.contains(ix)) {
            set.extend(&self.over_ipsec);
        }
        set
    }

    fn of_kind(&self, kinds: &[InterfaceKind]) -> BTreeSet<u32> {
        (0..).zip(&self.list).filter(|(_, i)| kinds.contains(&i.kind)).map(|(ix, _)| ix).collect()
    }

    /// The interfaces a list holds.
    pub fn of_list(&self, name: &str) -> Option<BTreeSet<u32>> {
        let virtual_one = |i: &Interface| i.kind == InterfaceKind::RemoteAccess;
        let kind = |dynamic: bool| (0..).zip(&self.list).filter(|(_, i)| virtual_one(i) == dynamic).map(|(ix, _)| ix).collect();
        match name {
            "all" => Some(self.others(&BTreeSet::new())),
            "none" => Some(BTreeSet::new()),
            "dynamic" => Some(kind(true)),
            "static" => Some(kind(false)),
            name => self.lists.get(name).cloned(),
        }
    }

    fn matched(&self, set: BTreeSet<u32>, negated: bool) -> IfMatch {
        let set = self.with_peers(set);
        let set = if negated { self.others(&set) } else { set };
        IfMatch::These(set.into_iter().map(InterfaceIx).collect())
    }

    /// The interfaces of a condition on which IPv4 packets can arrive: a 6to4 tunnel carries IPv6 only.
    pub fn carrying_ipv4(&self, condition: IfMatch) -> IfMatch {
        match condition {
            _ if self.ipv6_only.is_empty() => condition,
            IfMatch::Any => IfMatch::These(self.others(&self.ipv6_only).into_iter().map(InterfaceIx).collect()),
            IfMatch::These(list) => IfMatch::These(list.into_iter().filter(|ix| !self.ipv6_only.contains(&ix.0)).collect()),
            unknown => unknown,
        }
    }

    /// The condition `in-interface=`.
    pub fn condition(&self, value: Value<'_>) -> IfMatch {
        let (value, negated) = value.negated();
        match value.text {
            "all" if !negated => IfMatch::Any,
            "all-ethernet" => self.matched(self.of_kind(&[InterfaceKind::Physical]), negated),
            "all-vlan" => self.matched(self.of_kind(&[InterfaceKind::Vlan]), negated),
            "all-ppp" => {
                let mut set = self.of_kind(&[InterfaceKind::Ppp, InterfaceKind::RemoteAccess]);
                set.extend(&self.ppp_clients);
                self.matched(set, negated)
            }
            name => match self.named(name) {
                Some(ix) => self.matched(BTreeSet::from([ix.0]), negated),
                None => IfMatch::Unknown(Why::at(WhyCode::Unresolved, name, vec![value.span])),
            },
        }
    }

    /// The condition `in-interface-list=`.
    pub fn list_condition(&self, value: Value<'_>) -> IfMatch {
        let (value, negated) = value.negated();
        match self.of_list(value.text) {
            Some(set) => self.matched(set, negated),
            None => IfMatch::Unknown(Why::at(WhyCode::Unresolved, value.text, vec![value.span])),
        }
    }
}

/// Collects the interfaces of an export, their signs, and the lists.
pub fn collect(export: &mut Export<'_>) {
    let mut all = Interfaces::default();
    defined(export, &mut all);
    for row in export.menus.rows("/interface list member") {
        if let Some(value) = row.text("interface") {
            all.ensure(value.text, value.span, InterfaceKind::Physical);
        }
    }
    bridge_ports(export, &mut all);
    mentioned(export, &mut all);
    addressing::fill(export, &mut all);
    let servers = remote::server_interfaces(export);
    for (name, span, _) in &servers {
        all.ensure(name, *span, InterfaceKind::RemoteAccess);
    }
    for peer in ipsec::peers(export) {
        let kind = if peer.users { InterfaceKind::RemoteAccess } else { InterfaceKind::Tunnel };
        if let Some(ix) = all.ensure(&peer.interface(), peer.item.span(), kind) {
            all.over_ipsec.insert(ix as u32);
        }
    }
    groups::collect(export, &mut all, &servers);
    sides::sign(export, &mut all);
    pass_signs_to_ports(&mut all);
    export.interfaces = all;
}

fn defined(export: &Export<'_>, all: &mut Interfaces) {
    for item in export.menus.items("/interface ethernet") {
        let default = item.condition("default-name").or_else(|| item.targets().next());
        let name = item.text("name").map(|v| v.text).or(default);
        if let Some(ix) = name.and_then(|n| all.ensure(n, item.span(), InterfaceKind::Physical)) {
            describe(export, all, ix, item, "interface ethernet");
        }
    }
    for (menu, kind) in MENUS {
        for item in export.menus.items(&format!("/interface {menu}")) {
            let name = item.text("name").map(|v| v.text).or_else(|| item.condition("default-name")).or_else(|| item.targets().next());
            let Some(name) = name.filter(|n| !(n.contains('=') || item.verb() == "set" && n.bytes().all(|b| b.is_ascii_digit()))) else {
                continue;
            };
            let Some(ix) = all.ensure(name, item.span(), kind) else { continue };
            if menu.ends_with("-client") && kind == InterfaceKind::Tunnel {
                all.ppp_clients.insert(ix as u32);
            }
            if menu == "6to4" {
                all.ipv6_only.insert(ix as u32);
            }
            describe(export, all, ix, item, &format!("interface {menu}"));
        }
    }
    // What carries a session or a VLAN is known by name only after all are defined.
    for menu in ["vlan", "pppoe-client", "vrrp", "macvlan"] {
        for item in export.menus.rows(&format!("/interface {menu}")) {
            let (Some(name), Some(carrier)) = (item.text("name"), item.text("interface")) else { continue };
            let carrier = all.ensure(carrier.text, carrier.span, InterfaceKind::Physical);
            if let (Some(ix), Some(carrier)) = (all.named(name.text), carrier) {
                all.list[ix.0 as usize].carrier = Some(InterfaceIx(carrier as u32));
            }
        }
    }
}

fn describe(export: &Export<'_>, all: &mut Interfaces, ix: usize, item: &Item<'_>, menu: &str) {
    let interface = &mut all.list[ix];
    interface.alias = item.text("comment").map(|v| v.text.to_owned());
    interface.up = export_enabled(export, item, menu);
}

/// Whether a row is switched on, by its menu's own default or that of all rows.
pub fn export_enabled(export: &Export<'_>, item: &Item<'_>, menu: &str) -> Fact<bool> {
    match item.text("disabled") {
        Some(value) => super::yes(&value).negate(),
        None => {
            let key = format!("{menu}.disabled");
            let known = export.grammar.file.defaults.iter().any(|d| d.key == key);
            export.default_at(if known { &key } else { "row.disabled" }, item.span(), super::yes_no).negate()
        }
    }
}

fn bridge_ports(export: &Export<'_>, all: &mut Interfaces) {
    for row in export.menus.rows("/interface bridge port") {
        let (Some(bridge), Some(port)) = (row.text("bridge"), row.text("interface")) else { continue };
        let bridge = all.ensure(bridge.text, bridge.span, InterfaceKind::Bridge);
        let port = all.ensure(port.text, row.span(), InterfaceKind::Physical);
        if let (Some(bridge), Some(port)) = (bridge, port)
            && bridge != port
            && !export_enabled(export, row, "interface bridge port").value.is_false()
        {
            all.list[bridge].members.push(InterfaceIx(port as u32));
        }
    }
    for row in export.menus.rows("/interface bonding") {
        let (Some(name), Some(slaves)) = (row.text("name"), row.text("slaves")) else { continue };
        let Some(bond) = all.named(name.text) else { continue };
        for slave in slaves.parts() {
            if let Some(port) = all.ensure(slave, slaves.span, InterfaceKind::Physical) {
                all.list[bond.0 as usize].members.push(InterfaceIx(port as u32));
            }
        }
    }
}

/// Interfaces that only other statements name.
fn mentioned(export: &Export<'_>, all: &mut Interfaces) {
    for path in
        ["/ip dhcp-server", "/ip firewall filter", "/ip firewall nat", "/ip firewall raw", "/ipv6 firewall filter", "/ipv6 firewall nat"]
    {
        for item in export.menus.unmarked(path) {
            for (_, value) in item.attributes().filter(|(_, v)| matches!(v.key, "interface" | "in-interface" | "out-interface")) {
                let (value, _) = value.negated();
                let known = all.list.len();
                if let Some(ix) = all.ensure(value.text, value.span, InterfaceKind::Physical).filter(|ix| *ix >= known) {
                    all.mentioned.insert(ix as u32);
                }
            }
        }
    }
}

/// A port of a bridge or bundle lies where the whole lies.
fn pass_signs_to_ports(all: &mut Interfaces) {
    for ix in 0..all.list.len() {
        let (signs, members) = (all.list[ix].signs.clone(), all.list[ix].members.clone());
        for member in members {
            if let Some(port) = all.list.get_mut(member.0 as usize).filter(|p| p.signs.is_empty() && p.addresses.is_empty()) {
                port.signs = signs.clone();
            }
        }
    }
}

/// Fills the interfaces.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    device.interfaces = export.interfaces.list.clone();
    for (ix, origin) in sides::translated_out(export) {
        device.nat.source_nat_on.push((ix, origin));
    }
    device.routed = addressing::routed(export);
}

/// Outside interfaces.
pub fn outer(export: &Export<'_>) -> Vec<InterfaceIx> {
    export.interfaces.outer.iter().copied().map(InterfaceIx).collect()
}

/// The interface whose network holds an address.
pub fn holding(all: &Interfaces, addr: std::net::IpAddr) -> Option<InterfaceIx> {
    let holds = |i: &Interface| i.addresses.iter().any(|a| matches!(&a.net.value, Val::Known(n) if n.contains(addr)));
    all.list.iter().position(holds).map(|ix| InterfaceIx(ix as u32))
}
