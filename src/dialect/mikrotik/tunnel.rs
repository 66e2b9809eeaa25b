//! Tunnels that are interfaces: GRE, IPIP, EoIP, 6to4, VXLAN, and this router's own dial-out clients.
//!
//! Those without a session are there as long as their interface. Clients dial again whenever they are cut, unless they dial on
//! demand. One that a list or route makes the line to the Internet is a carrier.

use super::menus::Item;
use super::{Export, address, interface, proposal, secret, yes_no};
use crate::ir::Device;
use crate::ir::account::{Direction, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::interface::InterfaceIx;
use crate::ir::live::Live;
use crate::ir::tunnel::{Keeper, KeeperForce, Peer, Starts, Tunnel, TunnelAuth, TunnelRole};

/// Menu, kind, whether it joins Ethernet segments.
const STATELESS: [(&str, &str, bool); 8] = [
    ("gre", "gre", false),
    ("gre6", "gre", false),
    ("ipip", "ipip", false),
    ("ipipv6", "ipip", false),
    ("6to4", "ipip", false),
    ("eoip", "etherip", true),
    ("eoipv6", "etherip", true),
    ("vxlan", "etherip", true),
];
/// Menu, kind, whether the content is encrypted.
const CLIENTS: [(&str, &str, bool); 4] =
    [("l2tp-client", "l2tp_plain", false), ("pptp-client", "pptp", false), ("sstp-client", "sstp", true), ("ovpn-client", "openvpn", true)];

/// Fills the tunnels.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    for (menu, kind, layer2) in STATELESS {
        for item in export.menus.rows(&format!("/interface {menu}")) {
            let tunnel = stateless(export, item, menu, kind, layer2, device);
            device.tunnels.items.push(tunnel);
        }
    }
    for (menu, kind, encrypted) in CLIENTS {
        for item in export.menus.rows(&format!("/interface {menu}")) {
            let tunnel = client(export, item, menu, kind, encrypted, device);
            device.tunnels.items.push(tunnel);
        }
    }
}

/// Addresses that routes lead into an interface.
pub fn routed(export: &Export<'_>, ix: Option<InterfaceIx>, name: &str, item: &Item<'_>) -> Fact<AddrExpr> {
    let mut parts = Vec::new();
    let mut origins = Vec::new();
    for row in export.menus.rows("/ip route") {
        let leads = row.text("gateway").is_some_and(|g| {
            g.parts().any(|p| {
                let holds = || p.parse().ok().and_then(|a| interface::holding(&export.interfaces, a));
                p == name || p.ends_with(&format!("%{name}")) || ix.is_some() && holds() == ix
            })
        });
        if let Some(value) = row.text("dst-address").filter(|v| leads && v.text != "0.0.0.0/0") {
            parts.extend(address::set(value.text));
            origins.push(Origin::Written(value.span));
        }
    }
    if parts.is_empty() {
        return Fact::unknown(Why::at(WhyCode::RuntimeContent, "/ip route", vec![item.span()]));
    }
    Fact::known(AddrExpr::union(parts), Origin::all(origins))
}

fn far_end(item: &Item<'_>, keys: &[&str]) -> Peer {
    match keys.iter().find_map(|k| item.text(k)) {
        Some(value) => {
            let named = || AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: value.text.to_owned(), span: value.span });
            Peer { addresses: Fact::written(address::set(value.text).unwrap_or_else(named), value.span), text: value.text.to_owned() }
        }
        None => {
            Peer { addresses: Fact::unknown(Why::at(WhyCode::RuntimeContent, "remote-address", vec![item.span()])), text: String::new() }
        }
    }
}

fn stateless(export: &Export<'_>, item: &Item<'_>, menu: &str, kind: &'static str, layer2: bool, device: &mut Device) -> Tunnel {
    let at = item.span();
    let name = item.text("name").map_or(menu, |v| v.text).to_owned();
    let ix = export.interfaces.named(&name);
    for key in [
        "comment",
        "mtu",
        "local-address",
        "keepalive",
        "tunnel-id",
        "allow-fast-path",
        "clamp-tcp-mss",
        "mac-address",
        "dscp",
        "dont-fragment",
        "vni",
        "port",
    ] {
        let _ = item.get(key);
    }
    let live = Live::own(export.enabled(item, &format!("interface {menu}")));
    let key = item.text("ipsec-secret");
    let psk = key.map(|_| {
        let found = secret::of(export, item, "ipsec-secret");
        secret::add(device, found, SecretUse::IkePsk, &name, Direction::Verifies, live.value())
    });
    let (encrypted, auth, crypto) = match key {
        Some(value) => (
            Fact::written(true, value.span),
            Fact::written(vec![TunnelAuth::GroupPsk], value.span),
            Some(proposal::default_crypto(export, at)),
        ),
        // A policy may still encrypt what the tunnel carries; a hidden secret would not show either.
        None if export.shows_secrets || export.is_v6() => {
            (encrypted_by_policy(export, item), Fact::written(vec![TunnelAuth::None], at), None)
        }
        None => {
            let hidden = || Why::at(WhyCode::Masked, "ipsec-secret", vec![at]);
            (Fact::unknown(hidden()), Fact::unknown(hidden()), None)
        }
    };
    let carrier = ix.is_some_and(|ix| export.interfaces.outer.contains(&ix.0));
    Tunnel {
        span: at,
        kind,
        layer2,
        encrypted,
        role: Fact::written(if carrier { TunnelRole::Carrier } else { TunnelRole::SiteToSite }, at),
        live,
        interface: ix,
        outer: interface::outer(export),
        peer: far_end(item, &["remote-address"]),
        starts: Fact::known(Starts::AtBoot, Origin::inferred("infer.tunnel_without_session", [Origin::Written(at)])),
        keepers: Vec::new(),
        enders: List::complete(Vec::new(), Origin::Written(at)),
        auth,
        aggressive_psk: Fact::written(false, at),
        remote_nets: routed(export, ix, &name, item),
        crypto,
        psk,
        name,
    }
}

/// Whether an IPsec policy covers the outer addresses: then it is not told here whether the tunnel's content is readable.
fn encrypted_by_policy(export: &Export<'_>, item: &Item<'_>) -> Fact<bool> {
    let remote = item.text("remote-address").map(|v| v.text);
    let covering = export.menus.rows("/ip ipsec policy").find(|p| {
        let to = p.text("dst-address").map(|v| v.text.trim_end_matches("/32"));
        to.is_some() && to == remote || p.text("protocol").is_some_and(|v| matches!(v.text, "gre" | "ipencap"))
    });
    match covering {
        Some(policy) => export.enabled(policy, "ip ipsec policy"),
        None => Fact::written(false, item.span()),
    }
}

fn client(export: &Export<'_>, item: &Item<'_>, menu: &str, kind: &'static str, encrypted: bool, device: &mut Device) -> Tunnel {
    let at = item.span();
    let name = item.text("name").map_or(menu, |v| v.text).to_owned();
    let ix = export.interfaces.named(&name);
    for key in [
        "comment",
        "user",
        "profile",
        "mac-address",
        "max-mtu",
        "max-mru",
        "keepalive-timeout",
        "allow",
        "add-default-route",
        "port",
        "mode",
        "cipher",
        "auth",
        "certificate",
        "verify-server-certificate",
        "http-proxy",
        "tls-version",
    ] {
        let _ = item.get(key);
    }
    let live = Live::own(export.enabled(item, &format!("interface {menu}")));
    let on_demand =
        item.text("dial-on-demand").map_or_else(|| export.default_at("ppp client.dial-on-demand", at, yes_no), |v| super::yes(&v));
    let ipsec = item.text("use-ipsec").filter(|v| v.text == "yes");
    let psk = ipsec.filter(|_| item.text("ipsec-secret").is_some()).map(|_| {
        let found = secret::of(export, item, "ipsec-secret");
        secret::add(device, found, SecretUse::IkePsk, &name, Direction::Presents, live.value())
    });
    let remote_nets = routed(export, ix, &name, item);
    let carrier = ix.is_some_and(|ix| export.interfaces.outer.contains(&ix.0));
    // With routes into networks behind it a client joins sites; without, it takes this router somewhere.
    let role = match (&remote_nets.value, carrier) {
        (_, true) => TunnelRole::Carrier,
        (crate::ir::fact::Val::Known(_), false) => TunnelRole::SiteToSite,
        _ => TunnelRole::ClientOut,
    };
    Tunnel {
        span: at,
        kind: if ipsec.is_some() { "l2tp_ipsec" } else { kind },
        layer2: false,
        encrypted: ipsec.map_or_else(|| Fact::written(encrypted, at), |v| Fact::written(true, v.span)),
        role: Fact::known(role, Origin::all([Origin::Written(at), remote_nets.origin.clone()])),
        live,
        interface: ix,
        outer: interface::outer(export),
        peer: far_end(item, &["connect-to"]),
        starts: on_demand.map(|d| if *d { Starts::OnTraffic } else { Starts::AtBoot }),
        keepers: vec![Keeper { code: "keeper.dpd", force: KeeperForce::Probes, live: Fact::written(true, at) }],
        enders: List::complete(Vec::new(), Origin::Written(at)),
        auth: Fact::written(vec![TunnelAuth::Password], at),
        aggressive_psk: Fact::written(false, at),
        remote_nets,
        crypto: ipsec.map(|_| proposal::default_crypto(export, at)),
        psk,
        name,
    }
}
