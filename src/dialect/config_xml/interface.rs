//! Interfaces: those a person assigned (`wan`, `lan`, `opt1`), those a product writes beside them (`lo0`, `enc0`), those it makes for VPNs,
//! and the groups that rules speak of. Groups may stand in the list of interfaces too, marked as such.

use super::Lowering;
use super::address::network;
use super::context::names;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{Family, IfMatch};
use crate::ir::interface::{Address, AddressHow, Interface, InterfaceIx, InterfaceKind, IpNet};
use crate::ir::listener::{Binding, Reach};
use crate::source::Span;
use crate::syntax::xml::Element;
use std::collections::{HashMap, HashSet};

/// Names by which other sections speak of interfaces.
#[derive(Default)]
pub(in crate::dialect) struct Names<'a> {
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
    /// Names of VPN groups as rules write them, in small letters, where nothing is in them.
    pub empty_groups: HashSet<&'a str>,
    /// Names of schedules.
    pub schedules: HashSet<&'a str>,
}

/// Lowers them.
pub(in crate::dialect) fn lower(l: &mut Lowering<'_>) {
    let rows: Vec<Element<'_>> = l.cx.section("interfaces").map(|s| s.children().collect()).unwrap_or_default();
    for row in rows {
        // A group is a name for others; its members come below.
        if row.value("type") == Some("group") {
            l.names.empty_groups.insert(row.read_below().name());
        } else {
            assigned(l, row);
        }
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
        Some(on) => l.cx.is_set(on),
        None if matches!(key, "wan" | "lan") => l.cx.behaviour("interfaces.fixed.enable", Some(row.span())),
        None => l.cx.behaviour("interfaces.enable", Some(row.span())),
    };
    let device = row.value("if").unwrap_or("");
    let how = row.filled("ipaddr");
    for known in ["internal_dynamic", "virtual", "type", "lock"] {
        row.child(known);
    }
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
    let sections = l.cx.rows("filter", "rule").into_iter().chain(l.cx.rows("nat", "rule"));
    let rows: Vec<Element<'_>> = sections.chain(l.cx.models("Firewall/Filter/rules/rule")).collect();
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
        Some(_) => InterfaceKind::Tunnel,
        None if (l.cx.product.serves_users)(l, id) => InterfaceKind::RemoteAccess,
        None => InterfaceKind::Tunnel,
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
        "none" => None,
        text => {
            let Ok(addr) = text.parse::<std::net::IpAddr>() else {
                // Blacked out, or a placeholder: there is an address all the same.
                let net = Fact::unknown(Why::at(WhyCode::Masked, "address", vec![how.span()]));
                return Some(Address { net, how: AddressHow::Static, v6 });
            };
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
pub(in crate::dialect) fn made<'a>(
    l: &mut Lowering<'a>,
    group: &'a str,
    device: &str,
    kind: InterfaceKind,
    row: Element<'a>,
    up: Fact<bool>,
) -> InterfaceIx {
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
            let up = l.cx.enabled(row, "disable");
            openvpn(l, row, stem, row.filled("tunnel_network"), up);
        }
    }
    if let Some(first) = l.cx.rows("ipsec", "phase1").into_iter().next() {
        ipsec(l, first);
    }
    (l.cx.product.vpn_interfaces)(l);
}

/// The interface of all that IPsec brings.
pub(in crate::dialect) fn ipsec<'a>(l: &mut Lowering<'a>, first: Element<'a>) {
    made(l, "enc0", "enc0", InterfaceKind::Tunnel, first, Fact::written(true, first.span()));
}

/// The interface of an OpenVPN server or client.
pub(in crate::dialect) fn openvpn<'a>(l: &mut Lowering<'a>, row: Element<'a>, stem: &str, net: Option<Element<'a>>, up: Fact<bool>) {
    let Some(id) = row.value("vpnid") else { return };
    let device = format!("{stem}{id}");
    let kind = if stem == "ovpns" { openvpn_kind(l, &device) } else { InterfaceKind::Tunnel };
    let ix = made(l, "openvpn", &device, kind, row, up);
    own_address(l, ix, net, true);
}

/// The address of a VPN's interface, where no one wrote another; of a network to hand out the box takes the first.
pub(in crate::dialect) fn own_address(l: &mut Lowering<'_>, ix: InterfaceIx, element: Option<Element<'_>>, first: bool) {
    let Some(interface) = l.device.interfaces.get_mut(ix.0 as usize).filter(|i| i.addresses.is_empty()) else { return };
    let Some(element) = element else { return };
    for net in names(element.text()).filter_map(network) {
        let own = match net.range().0 {
            std::net::IpAddr::V4(start) if first => IpNet::new(std::net::IpAddr::V4(u32::from(start).saturating_add(1).into()), net.prefix),
            _ => net,
        };
        let net = Fact::written(own, element.span());
        interface.addresses.push(Address { net, how: AddressHow::Static, v6: own.addr.is_ipv6() });
    }
}

fn groups(l: &mut Lowering<'_>) {
    for group in l.cx.rows("ifgroups", "ifgroupentry") {
        let Some(name) = group.value("ifname") else { continue };
        let members = names(group.value("members").unwrap_or("")).filter_map(|m| l.names.keys.get(m).copied()).collect();
        l.names.groups.insert(name, members);
    }
}

/// Rows of gateways, of the old section and of the model.
pub(in crate::dialect) fn gateway_rows<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    l.cx.rows("gateways", "gateway_item")
        .into_iter()
        .chain(l.cx.models("Gateways/gateway_item"))
        .filter(|r| !l.cx.on(*r, "disabled"))
        .collect()
}

fn gateways(l: &mut Lowering<'_>) {
    for row in gateway_rows(l) {
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
    pub(in crate::dialect) fn interfaces(&self, text: &'a str) -> (Vec<InterfaceIx>, Vec<&'a str>) {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for name in names(text) {
            if let Some(ix) = self.names.keys.get(name) {
                found.push(*ix);
            } else if let Some(members) = self.names.groups.get(name) {
                found.extend(members);
            } else if let Some(ix) = self.names.devices.get(name) {
                found.push(*ix);
            } else if let Some(members) = self.names.groups.get(name.to_ascii_lowercase().as_str()) {
                found.extend(members);
            } else if self.names.empty_groups.contains(name) {
                // A group without members: the row is loaded and meets nothing.
            } else if let Some(on) = name.strip_prefix("_vip").or(Some(name)).and_then(|id| self.names.virtual_addresses.get(id)) {
                found.extend(self.names.keys.get(on));
            } else {
                unknown.push(name);
            }
        }
        (found, unknown)
    }

    /// Whether a name is one of an interface or a group.
    pub(in crate::dialect) fn is_known_interface(&self, name: &'a str) -> bool {
        self.interfaces(name).1.is_empty()
    }

    /// The same for rows and translations.
    pub(in crate::dialect) fn interface_match(&self, element: Option<Element<'a>>) -> IfMatch {
        let Some(element) = element.filter(|e| e.has_text()) else { return IfMatch::Any };
        let (found, unknown) = self.interfaces(element.text());
        match unknown.first() {
            Some(name) if !self.cx.is_whole() => IfMatch::Unknown(Why::at(WhyCode::NotExported, *name, vec![element.text_span()])),
            _ => IfMatch::These(found),
        }
    }

    /// Where a service is bound: on the interfaces named, everywhere for `any` or none.
    pub(in crate::dialect) fn bindings(&self, element: Option<Element<'a>>, family: Family, anchor: Span) -> Vec<Binding> {
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
