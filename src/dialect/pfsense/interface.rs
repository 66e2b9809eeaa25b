//! Interfaces: those a person assigned (`wan`, `lan`, `opt1`), those the product makes for VPNs, and the groups that rules speak of.

use super::Lowering;
use super::address::network;
use super::context::{enabled, names};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{Family, IfMatch};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, IpNet};
use crate::ir::listener::{Binding, Reach};
use crate::source::Span;
use crate::syntax::xml::Element;
use std::collections::{HashMap, HashSet};

/// Names by which other sections speak of interfaces.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// Assigned interfaces by key.
    pub keys: HashMap<&'a str, InterfaceIx>,
    /// Groups, those of VPNs included.
    pub groups: HashMap<&'a str, Vec<InterfaceIx>>,
    /// The element of each assigned interface, by index.
    pub rows: HashMap<InterfaceIx, Element<'a>>,
    /// Interfaces by device (`igb0`, `ovpns1`).
    pub devices: HashMap<String, InterfaceIx>,
    /// Interfaces of gateways, by the gateways' names.
    pub gateways: HashMap<&'a str, InterfaceIx>,
    /// Interfaces of virtual addresses, by their identities.
    virtual_addresses: HashMap<&'a str, &'a str>,
    /// Names of schedules.
    pub schedules: HashSet<&'a str>,
}

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let rows: Vec<Element<'_>> = l.cx.section("interfaces").map(|s| s.children().collect()).unwrap_or_default();
    for row in rows {
        assigned(l, row);
    }
    if l.cx.section("interfaces").is_none() {
        bare(l);
    }
    virtual_addresses(l);
    vpn_interfaces(l);
    groups(l);
    gateways(l);
    l.names.schedules = l.cx.rows("schedules", "schedule").iter().filter_map(|s| s.read_below().value("name")).collect();
}

fn push<'a>(l: &mut Lowering<'a>, interface: Interface, row: Option<Element<'a>>) -> InterfaceIx {
    let ix = InterfaceIx(l.device.interfaces.len() as u32);
    l.device.interfaces.push(interface);
    if let Some(row) = row {
        l.names.rows.insert(ix, row);
        l.names.keys.insert(row.name(), ix);
        if let Some(device) = row.value("if") {
            l.names.devices.insert(device.to_owned(), ix);
        }
    }
    ix
}

fn empty(name: &str, kind: InterfaceKind, span: Span, up: Fact<bool>) -> Interface {
    Interface {
        name: name.to_owned(),
        alias: None,
        kind,
        span,
        ipv6: Fact::known(false, up.origin.clone()),
        up,
        carrier: None,
        addresses: Vec::new(),
        zone: None,
        members: Vec::new(),
        signs: Vec::new(),
    }
}

fn assigned<'a>(l: &mut Lowering<'a>, row: Element<'a>) {
    let key = row.name();
    let up = match row.child("enable") {
        Some(on) => Fact::written(true, on.span()),
        None if matches!(key, "wan" | "lan") => l.cx.behaviour("interfaces.fixed.enable", Some(row.span())),
        None => l.cx.behaviour("interfaces.enable", Some(row.span())),
    };
    let device = row.value("if").unwrap_or("");
    let how = row.filled("ipaddr");
    let kind = kind(l, device, how.map_or("", Element::text));
    let mut interface = empty(key, kind, row.span(), up);
    interface.alias = row.value("descr").map(str::to_owned);
    interface.addresses.extend(how.and_then(|e| address(e, row.filled("subnet"), false)));
    let how6 = row.filled("ipaddrv6").filter(|e| e.text() != "none");
    interface.ipv6 = match (l.cx.presence("system/ipv6allow"), how6) {
        (allowed, _) if allowed.value.is_false() => allowed,
        (allowed, Some(e)) => allowed.and(&Fact::written(true, e.span())),
        (_, None) => l.cx.behaviour("interfaces.ipaddrv6", Some(row.span())),
    };
    if !interface.ipv6.value.is_false() {
        interface.addresses.extend(how6.and_then(|e| address(e, row.filled("subnetv6"), true)));
    }
    push(l, interface, Some(row));
}

/// An export of a part without interfaces: rules name them all the same.
fn bare(l: &mut Lowering<'_>) {
    let rows: Vec<Element<'_>> = l.cx.rows("filter", "rule").into_iter().chain(l.cx.rows("nat", "rule")).collect();
    for element in rows.into_iter().filter_map(|r| r.filled("interface")) {
        for name in names(element.text()) {
            let assigned = name == "wan" || name == "lan" || name.starts_with("opt");
            if assigned && !l.names.keys.contains_key(name) {
                let unknown = || Fact::unknown(Why::new(WhyCode::NotExported, "interfaces"));
                let mut interface = empty(name, InterfaceKind::Physical, element.text_span(), unknown());
                interface.ipv6 = unknown();
                let net = Fact::unknown(Why::new(WhyCode::NotExported, "interfaces"));
                interface.addresses.push(Address { net, how: AddressHow::Static, v6: false });
                let ix = push(l, interface, None);
                l.names.keys.insert(name, ix);
            }
        }
    }
}

fn kind(l: &Lowering<'_>, device: &str, how: &str) -> InterfaceKind {
    if l.cx.listed("ppp_addressing", how) {
        return InterfaceKind::Ppp;
    }
    let stem = device.trim_end_matches(|c: char| c.is_ascii_digit());
    match l.cx.lookup("device_kinds", stem) {
        Some("ppp") => InterfaceKind::Ppp,
        Some("tunnel") => InterfaceKind::Tunnel,
        Some("remote_access") => openvpn_kind(l, device),
        Some("loopback") => InterfaceKind::Loopback,
        Some("bridge") => InterfaceKind::Bridge,
        Some("aggregate") => InterfaceKind::Aggregate,
        _ if device.contains('.') || device.contains("_vlan") => InterfaceKind::Vlan,
        _ => InterfaceKind::Physical,
    }
}

/// What arrives on the interface of an OpenVPN server: users, or a site.
fn openvpn_kind(l: &Lowering<'_>, device: &str) -> InterfaceKind {
    let id = device.trim_start_matches(|c: char| !c.is_ascii_digit());
    let server = l.cx.rows("openvpn", "openvpn-server").into_iter().find(|s| s.value("vpnid") == Some(id));
    match server.and_then(|s| s.value("mode")) {
        Some(mode) if mode.starts_with("server_") => InterfaceKind::RemoteAccess,
        _ => InterfaceKind::Tunnel,
    }
}

/// The address of an interface: written with its prefix, or taken from somebody.
fn address(how: Element<'_>, prefix: Option<Element<'_>>, v6: bool) -> Option<Address> {
    let given = |how| {
        let net = Fact::unknown(Why::at(WhyCode::RuntimeContent, "address", vec![]));
        Some(Address { net, how, v6 })
    };
    match how.text() {
        "dhcp" | "dhcp6" | "bigpond" => given(AddressHow::Dhcp),
        "pppoe" | "ppp" | "pptp" | "l2tp" => given(AddressHow::Ppp),
        "track6" | "slaac" | "6rd" | "6to4" => given(AddressHow::Autoconf),
        text => {
            let addr: std::net::IpAddr = text.parse().ok()?;
            let whole = if addr.is_ipv4() { 32 } else { 128 };
            let bits = prefix.and_then(|p| p.text().parse().ok()).unwrap_or(whole);
            Some(Address { net: Fact::written(IpNet::new(addr, bits), how.span()), how: AddressHow::Static, v6: addr.is_ipv6() })
        }
    }
}

/// Further addresses of the box itself: CARP and alias addresses. Others are only for translation.
fn virtual_addresses(l: &mut Lowering<'_>) {
    for vip in l.cx.rows("virtualip", "vip") {
        let Some(on) = vip.value("interface") else { continue };
        for id in ["uniqid", "vhid"] {
            if let Some(id) = vip.value(id) {
                l.names.virtual_addresses.insert(id, on);
            }
        }
        let (Some(mode), Some(subnet)) = (vip.value("mode"), vip.filled("subnet")) else { continue };
        if !l.cx.listed("own_virtual_addresses", mode) {
            continue;
        }
        let net = vip.value("subnet_bits").map_or_else(|| network(subnet.text()), |bits| network(&format!("{}/{bits}", subnet.text())));
        if let (Some(net), Some(ix)) = (net, l.names.keys.get(on)) {
            let address = Address { net: Fact::written(net, subnet.span()), how: AddressHow::Static, v6: net.addr.is_ipv6() };
            l.device.interfaces[ix.0 as usize].addresses.push(address);
        }
    }
}

/// An interface the product makes for a VPN, where no one assigned it.
fn made<'a>(l: &mut Lowering<'a>, group: &'a str, device: &str, kind: InterfaceKind, row: Element<'a>, up: Fact<bool>) -> InterfaceIx {
    let ix = match l.names.devices.get(device) {
        Some(ix) => *ix,
        None => {
            let ix = push(l, empty(device, kind, row.span(), up), None);
            l.names.devices.insert(device.to_owned(), ix);
            ix
        }
    };
    l.names.groups.entry(group).or_default().push(ix);
    ix
}

fn vpn_interfaces(l: &mut Lowering<'_>) {
    for (row_name, stem) in [("openvpn-server", "ovpns"), ("openvpn-client", "ovpnc")] {
        for row in l.cx.rows("openvpn", row_name) {
            let Some(id) = row.value("vpnid") else { continue };
            let device = format!("{stem}{id}");
            let kind = if stem == "ovpns" { openvpn_kind(l, &device) } else { InterfaceKind::Tunnel };
            let ix = made(l, "openvpn", &device, kind, row, enabled(row, "disable"));
            // The box takes the first address of the network it hands out.
            let net = row.filled("tunnel_network").and_then(|e| network(e.text()).map(|n| (n, e.span())));
            let interface = &mut l.device.interfaces[ix.0 as usize];
            if let Some((net, span)) = net.filter(|_| interface.addresses.is_empty())
                && let std::net::IpAddr::V4(first) = net.range().0
            {
                let own = std::net::IpAddr::V4(u32::from(first).saturating_add(1).into());
                let net = Fact::written(IpNet::new(own, net.prefix), span);
                interface.addresses.push(Address { net, how: AddressHow::Static, v6: false });
            }
        }
    }
    if let Some(first) = l.cx.rows("ipsec", "phase1").into_iter().next() {
        made(l, "enc0", "enc0", InterfaceKind::Tunnel, first, Fact::written(true, first.span()));
    }
    for row in super::wireguard::tunnels(l) {
        if let Some(name) = row.value("name") {
            made(l, "WireGuard", name, InterfaceKind::Tunnel, row, super::wireguard::is_on(row));
        }
    }
    for (section, group) in [("l2tp", "l2tp"), ("pptpd", "pptp")] {
        if let Some(row) = l.cx.section(section).filter(|r| r.value("mode") == Some("server")) {
            made(l, group, group, InterfaceKind::RemoteAccess, row, Fact::written(true, row.span()));
        }
    }
    for row in l.cx.rows("pppoes", "pppoe").into_iter().filter(|r| r.value("mode") == Some("server")) {
        let name = format!("poes{}", row.value("pppoeid").unwrap_or(""));
        made(l, "pppoe", &name, InterfaceKind::RemoteAccess, row, Fact::written(true, row.span()));
    }
}

fn groups(l: &mut Lowering<'_>) {
    for group in l.cx.rows("ifgroups", "ifgroupentry") {
        let Some(name) = group.value("ifname") else { continue };
        let members = names(group.value("members").unwrap_or("")).filter_map(|m| l.names.keys.get(m).copied()).collect();
        l.names.groups.insert(name, members);
    }
}

fn gateways(l: &mut Lowering<'_>) {
    for row in l.cx.rows("gateways", "gateway_item") {
        if let (Some(name), Some(on)) = (row.value("name"), row.value("interface").and_then(|i| l.names.keys.get(i))) {
            l.names.gateways.insert(name, *on);
        }
    }
    for row in l.cx.rows("gateways", "gateway_group") {
        let members = row.all("item").filter_map(|i| l.names.gateways.get(i.text().split('|').next()?).copied()).collect();
        if let Some(name) = row.value("name") {
            l.names.groups.entry(name).or_insert(members);
        }
    }
}

impl<'a> Lowering<'a> {
    /// The interfaces a list of names stands for, and the names that stand for none.
    pub(super) fn interfaces(&self, text: &'a str) -> (Vec<InterfaceIx>, Vec<&'a str>) {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for name in names(text) {
            if let Some(ix) = self.names.keys.get(name) {
                found.push(*ix);
            } else if let Some(members) = self.names.groups.get(name) {
                found.extend(members);
            } else if let Some(ix) = self.names.devices.get(name) {
                found.push(*ix);
            } else if let Some(on) = name.strip_prefix("_vip").or(Some(name)).and_then(|id| self.names.virtual_addresses.get(id)) {
                found.extend(self.names.keys.get(on));
            } else {
                unknown.push(name);
            }
        }
        (found, unknown)
    }

    /// The same for rows and translations.
    pub(super) fn interface_match(&self, element: Option<Element<'a>>) -> IfMatch {
        let Some(element) = element.filter(|e| e.has_text()) else { return IfMatch::Any };
        let (found, unknown) = self.interfaces(element.text());
        match unknown.first() {
            Some(name) if !self.cx.is_whole() => IfMatch::Unknown(Why::at(WhyCode::NotExported, *name, vec![element.text_span()])),
            _ => IfMatch::These(found),
        }
    }

    /// Where a service is bound: on the interfaces named, everywhere for `any` or none.
    pub(super) fn bindings(&self, element: Option<Element<'a>>, family: Family, anchor: Span) -> Vec<Binding> {
        let everywhere = |span| vec![Binding { on: None, family, bound: Fact::written(true, span), reach: Reach::Direct }];
        let Some(element) = element.filter(|e| e.has_text()) else { return everywhere(anchor) };
        if names(element.text()).any(|n| n == "any" || n == "all") {
            return everywhere(element.span());
        }
        let (found, unknown) = self.interfaces(element.text());
        let mut list: Vec<Binding> = found
            .into_iter()
            .map(|ix| Binding { on: Some(ix), family, bound: Fact::written(true, element.span()), reach: Reach::Direct })
            .collect();
        // Loopback and addresses by themselves are no interface of ours; another name may be any.
        if let Some(name) = unknown.iter().find(|n| !self.cx.listed("loopbacks", n)) {
            let bound = Fact::unknown(Why::at(WhyCode::Unresolved, *name, vec![element.text_span()]));
            list.push(Binding { on: None, family, bound, reach: Reach::Direct });
        }
        list
    }
}
