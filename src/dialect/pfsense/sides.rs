//! Signs of the side an interface is on. The key `wan` is the product's own name for the outside; a gateway of its own makes any
//! interface an outside one to the product (its replies leave there, sources are translated there).

use super::Lowering;
use crate::ir::fact::Origin;
use crate::ir::interface::{AddressHow, InterfaceIx, InterfaceKind, SidePointer, SignStrength, TrustSign};

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    for ix in 0..l.device.interfaces.len() as u32 {
        let signs = signs(l, InterfaceIx(ix));
        l.device.interfaces[ix as usize].signs = signs;
    }
}

fn signs(l: &Lowering<'_>, ix: InterfaceIx) -> Vec<TrustSign> {
    let interface = &l.device.interfaces[ix.0 as usize];
    let mut signs = Vec::new();
    let mut add = |code, strength, points_to, origin: Origin| signs.push(TrustSign { code, strength, points_to, origin });
    let here = Origin::Written(interface.span);
    let row = l.names.rows.get(&ix);
    match interface.name.as_str() {
        "wan" => add("sign.wan_slot", SignStrength::Strong, SidePointer::Untrusted, here.clone()),
        "lan" => add("sign.lan_slot", SignStrength::Medium, SidePointer::Trusted, here.clone()),
        _ => {}
    }
    let tunnel = matches!(interface.kind, InterfaceKind::Tunnel | InterfaceKind::RemoteAccess);
    if let Some(row) = row {
        for gateway in ["gateway", "gatewayv6"] {
            if let Some(e) = row.filled(gateway).filter(|e| e.text() != "none" && !tunnel) {
                add("sign.gateway", SignStrength::Strong, SidePointer::Untrusted, Origin::Written(e.span()));
            }
        }
    }
    if let Some(first) = default_gateway(l, ix).filter(|_| !tunnel) {
        add("sign.default_route", SignStrength::Strong, SidePointer::Untrusted, first);
    }
    for address in &interface.addresses {
        match (address.how, address.net.get()) {
            (AddressHow::Ppp, _) => add("sign.pppoe", SignStrength::Strong, SidePointer::Untrusted, here.clone()),
            (AddressHow::Dhcp, _) => add("sign.dhcp_client", SignStrength::Medium, SidePointer::Untrusted, here.clone()),
            (_, Some(net)) if !address.v6 && !tunnel && is_public(net.addr) => {
                add("sign.public_address", SignStrength::Medium, SidePointer::Untrusted, address.net.origin.clone());
            }
            _ => {}
        }
    }
    // Only written rows: the automatic ones follow from the gateway above. What is translated into a tunnel leaves the facility.
    let written = |o: &&(InterfaceIx, Origin)| o.0 == ix && matches!(o.1, Origin::Written(_));
    if let Some((_, origin)) = l.device.nat.source_nat_on.iter().find(written) {
        let strength = if tunnel { SignStrength::Strong } else { SignStrength::Medium };
        add("sign.nat_outside", strength, SidePointer::Untrusted, origin.clone());
    }
    let server = row.and_then(|r| l.cx.section("dhcpd")?.child(r.name())).and_then(|s| s.child("enable"));
    if let Some(on) = server {
        add("sign.dhcp_server", SignStrength::Medium, SidePointer::Trusted, Origin::Written(on.span()));
    }
    if interface.kind == InterfaceKind::Loopback {
        add("sign.loopback", SignStrength::Strong, SidePointer::Trusted, here);
    }
    signs
}

/// The row that makes an interface's gateway the default one.
fn default_gateway(l: &Lowering<'_>, ix: InterfaceIx) -> Option<Origin> {
    let gateways = l.cx.section("gateways")?;
    let rows = l.cx.rows("gateways", "gateway_item");
    if let Some(row) = rows.iter().find(|r| r.has("defaultgw") && r.value("name").and_then(|n| l.names.gateways.get(n)) == Some(&ix)) {
        return row.child("defaultgw").map(|e| Origin::Written(e.span()));
    }
    ["defaultgw4", "defaultgw6"].into_iter().filter_map(|n| gateways.filled(n)).find_map(|e| {
        let group = l.names.groups.get(e.text()).is_some_and(|g| g.contains(&ix));
        (group || l.names.gateways.get(e.text()) == Some(&ix)).then(|| Origin::Written(e.span()))
    })
}

fn is_public(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(a) => {
            let shared = a.octets()[0] == 100 && (64..128).contains(&a.octets()[1]);
            !(a.is_private() || a.is_loopback() || a.is_link_local() || a.is_unspecified() || a.is_multicast() || shared)
        }
        std::net::IpAddr::V6(_) => false,
    }
}
