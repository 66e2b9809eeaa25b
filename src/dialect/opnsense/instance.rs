//! OpenVPN of the newer form: instances that are servers or clients.
//!
//! A server with routes behind its peer and nobody to ask for a password is one between sites; every other serves users.

use super::{Lowering, crypto};
use crate::dialect::config_xml::context::{field, model_enabled, names};
use crate::dialect::config_xml::secret::{self, Owner, Purpose};
use crate::dialect::config_xml::{access, address, management};
use crate::ir::account::{Account, AccountKind, Factory, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Rest, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, OpaqueKind, SvcTerm, TCP, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Limit, ListenerIx, Plane};
use crate::ir::live::Live;
use crate::ir::record::NEVER;
use crate::ir::tunnel::{
    AuthPath, Ender, EnderKind, Factor, FactorKind, Keeper, KeeperForce, Peer, RemoteAccess, Starts, Tunnel, TunnelAuth, TunnelRole,
};
use crate::source::Span;
use crate::syntax::xml::Element;

/// All instances.
pub(super) fn rows<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    l.cx.models("OpenVPN/Instances/Instance")
}

/// Those that are servers.
pub(super) fn servers<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    rows(l).into_iter().filter(|r| is_server(*r)).collect()
}

/// Whether an instance is a server, which is what it is unless it says otherwise.
pub(super) fn is_server(row: Element<'_>) -> bool {
    row.value("role") != Some("client")
}

/// Whether a server is there for users.
pub(super) fn serves_users(row: Element<'_>) -> bool {
    row.filled("authmode").is_some() || row.filled("route").is_none()
}

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    for unused in ["OpenVPN/StaticKeys", "OpenVPN/Overwrites"] {
        l.cx.models(unused);
    }
    for row in rows(l) {
        if is_server(row) {
            let listener = listener(l, row);
            if serves_users(row) {
                remote_access(l, row, listener);
            } else {
                let tunnel = tunnel(l, row, true);
                l.device.tunnels.items.push(tunnel);
            }
        } else {
            if let Some(e) = row.filled("password") {
                secret::push(l, e, Purpose::presents(SecretUse::VpnUser), Owner::thing(name(row), model_enabled(row)));
            }
            let tunnel = tunnel(l, row, false);
            l.device.tunnels.items.push(tunnel);
        }
    }
}

fn name(row: Element<'_>) -> String {
    let id = row.value("vpnid").unwrap_or("?");
    row.value("description").map_or_else(|| format!("OpenVPN {id}"), str::to_owned)
}

fn interface(l: &Lowering<'_>, row: Element<'_>) -> Option<InterfaceIx> {
    let stem = if is_server(row) { "ovpns" } else { "ovpnc" };
    l.names.devices.get(&format!("{stem}{}", row.value("vpnid")?)).copied()
}

fn outer(l: &Lowering<'_>) -> Vec<InterfaceIx> {
    l.names.keys.get("wan").copied().into_iter().collect()
}

fn listener(l: &mut Lowering<'_>, row: Element<'_>) -> ListenerIx {
    let protocol = row.value("proto").unwrap_or("udp");
    let number = if protocol.starts_with("tcp") { TCP } else { UDP };
    let family = match protocol.as_bytes().last() {
        Some(b'6') => Family::V6,
        Some(b'4') => Family::V4,
        _ => Family::Both,
    };
    let port: Fact<u16> = field(&l.cx, row, "port", "openvpn.local_port", |v| v.parse().ok());
    let ports = port.map(|p| vec![SvcTerm::ports(number, vec![(*p, *p)])]);
    let bindings = match row.filled("local") {
        Some(local) => super::snmp::of_addresses(l, local, family),
        None => l.bindings(None, family, row.span()),
    };
    let mut listener = management::listener(Plane::Vpn, "openvpn", ports, model_enabled(row), bindings);
    listener.span = Some(row.span());
    listener.peers_fixed = Some(Fact::written(false, row.span()));
    l.device.listeners.items.push(listener);
    ListenerIx(l.device.listeners.items.len() as u32 - 1)
}

fn never(l: &Lowering<'_>, key: &str, at: Span) -> Fact<i64> {
    l.cx.default(key, Some(at), |v| if v == "never" { Some(NEVER) } else { v.parse().ok() })
}

/// Seconds without traffic after which a session ends; zero is never. The server tells its clients, a client keeps its own.
fn idle(l: &Lowering<'_>, row: Element<'_>) -> Fact<i64> {
    let seconds = |v: &str| match v.parse::<i64>() {
        Ok(0) => Some(NEVER),
        Ok(s) => Some(s),
        Err(_) if v == "never" => Some(NEVER),
        Err(_) => None,
    };
    let element = ["push_inactive", "inactive"].into_iter().find(|n| row.filled(n).is_some()).unwrap_or("push_inactive");
    field(&l.cx, row, element, "openvpn.inactive_seconds", seconds)
}

/// What a user must show: a certificate unless none is asked for, and what the servers of the list ask.
fn factors<'a>(l: &Lowering<'a>, row: Element<'a>) -> Vec<Factor> {
    let word = |v: &str| match v {
        "require" => Some(true),
        "none" | "optional" => Some(false),
        _ => None,
    };
    let certificate = field(&l.cx, row, "verify_client_cert", "openvpn.verify_client_cert", word);
    let mut factors = vec![Factor { kind: FactorKind::ClientCert, required: certificate }];
    if let Some(servers) = row.filled("authmode") {
        factors.extend(access::asked(l, servers));
    }
    factors
}

fn remote_access<'a>(l: &mut Lowering<'a>, row: Element<'a>, listener: ListenerIx) {
    let span = row.span();
    let live = Live::own(model_enabled(row));
    let shared = row.filled("various_flags").filter(|e| names(e.text()).any(|f| f == "duplicate-cn"));
    if let Some(e) = shared {
        shared_account(l, row, e.span(), &live);
    }
    let pool = row.filled("server").and_then(|e| Some(Fact::written(address::literal(e.text())?, e.span())));
    let shown = ["authmode", "verify_client_cert"].into_iter().find_map(|n| row.filled(n));
    let path = AuthPath {
        principal: row.value("authmode").or_else(|| row.value("verify_client_cert")).unwrap_or("").to_owned(),
        span: shown.map_or(span, |e| e.span()),
        account: None,
        factors: factors(l, row),
        fallback: false,
        live: Fact::written(true, span),
    };
    let access = RemoteAccess {
        name: name(row),
        kind: "openvpn",
        span,
        live,
        listeners: vec![listener],
        interface: interface(l, row),
        outer: outer(l),
        paths: List::complete(vec![path], Origin::Written(span)),
        idle_s: idle(l, row),
        session_s: never(l, "openvpn.session", span),
        concurrent: shared.map_or_else(|| never(l, "openvpn.concurrent", span), |e| Fact::written(NEVER, e.span())),
        aggressive_psk: Fact::written(false, span),
        pool: pool.unwrap_or_else(|| Fact::written(AddrExpr::Any, span)),
        crypto: Some(crypto::instance(l, row)),
        note: None,
    };
    l.device.remote_access.items.push(access);
}

/// One certificate for several connections at once: who uses it cannot be told apart.
fn shared_account(l: &mut Lowering<'_>, row: Element<'_>, at: Span, live: &Live) {
    let account = Account {
        name: name(row),
        span: at,
        kind: AccountKind::Wildcard,
        live: live.clone(),
        factory: Fact::written(Factory::None, at),
        renamable: Fact::written(true, at),
        sources: Limit::None(Origin::Written(at)),
        expires: l.cx.behaviour("user.expires", Some(at)),
        expiry: None,
        used: Fact::written(true, at),
        concurrent: Fact::written(NEVER, at),
        shared_signs: Fact::written(true, at),
        secret: None,
        second: Fact::written(false, at),
    };
    l.device.accounts.items.push(account);
}

fn tunnel(l: &Lowering<'_>, row: Element<'_>, server: bool) -> Tunnel {
    let span = row.span();
    let idle = idle(l, row);
    let ender = Ender { kind: EnderKind::Idle, live: idle.map(|s| *s != NEVER) };
    let route = row.filled("route");
    // A client that knows no network behind the server is a user of somebody's service.
    let role = if server || route.is_some() { TunnelRole::SiteToSite } else { TunnelRole::ClientOut };
    let peer = match row.filled("remote") {
        Some(e) => {
            let one = |w: &str| {
                let host = w.rsplit_once(':').filter(|(h, p)| !h.contains(':') && p.parse::<u16>().is_ok()).map_or(w, |(h, _)| h);
                address::literal(host).unwrap_or_else(|| address::opaque(OpaqueKind::Fqdn, host, e.text_span()))
            };
            Fact::written(AddrExpr::Union(names(e.text()).map(one).collect()), e.span())
        }
        None => Fact::written(AddrExpr::Any, span),
    };
    let auth = match (row.filled("cert"), row.filled("username")) {
        (Some(e), _) => Fact::written(vec![TunnelAuth::ClientCert], e.span()),
        (None, Some(e)) => Fact::written(vec![TunnelAuth::Password], e.span()),
        (None, None) if server => Fact::written(vec![TunnelAuth::ClientCert], span),
        (None, None) => Fact::unknown(Why::at(WhyCode::Ambiguous, "cert", vec![span])),
    };
    let keepalive = match row.filled("keepalive_interval") {
        Some(e) => Fact::written(e.text() != "0", e.span()),
        None => l.cx.behaviour("openvpn.instance_keepalive", Some(span)),
    };
    let nets = |e: Element<'_>| Fact::written(AddrExpr::Union(names(e.text()).filter_map(address::literal).collect()), e.span());
    Tunnel {
        name: name(row),
        span,
        kind: "openvpn",
        layer2: row.value("dev_type") == Some("tap"),
        encrypted: Fact::written(true, span),
        role: Fact::written(role, route.map_or(span, |e| e.span())),
        live: Live::own(model_enabled(row)),
        interface: interface(l, row),
        outer: outer(l),
        peer: Peer { addresses: peer, text: row.value("remote").unwrap_or("").to_owned() },
        starts: Fact::written(if server { Starts::Never } else { Starts::AtBoot }, span),
        keepers: vec![Keeper { code: "keeper.openvpn_ping", force: KeeperForce::Probes, live: keepalive }],
        enders: List { items: vec![ender], rest: Rest::Complete(idle.origin) },
        auth,
        aggressive_psk: Fact::written(false, span),
        remote_nets: route.map_or_else(|| Fact::written(AddrExpr::Any, span), nets),
        crypto: Some(crypto::instance(l, row)),
        psk: None,
    }
}
