//! OpenVPN: servers for users, servers and clients between sites.
//!
//! What users must show follows from the mode; free text that is handed to the daemon can overrule it.

use super::secret::{self, Owner, Purpose};
use super::{Lowering, access, address, crypto};
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
use base64::Engine;

/// Lowers it.
pub(in crate::dialect) fn lower(l: &mut Lowering<'_>) {
    for row in l.cx.rows("openvpn", "openvpn-server") {
        settings(row);
        let listener = listener(l, row);
        if row.value("mode").is_some_and(|m| m.starts_with("server_")) {
            remote_access(l, row, listener);
        } else {
            let tunnel = tunnel(l, row, true);
            l.device.tunnels.items.push(tunnel);
        }
    }
    for row in l.cx.rows("openvpn", "openvpn-client") {
        settings(row);
        let live = l.cx.enabled(row, "disable");
        for (element, used_for) in [("auth_pass", SecretUse::VpnUser), ("proxy_passwd", SecretUse::Other)] {
            if let Some(e) = row.filled(element) {
                secret::push(l, e, Purpose::presents(used_for), Owner::thing(name(row), live.clone()));
            }
        }
        let tunnel = tunnel(l, row, false);
        l.device.tunnels.items.push(tunnel);
    }
}

/// Settings that bear on no question.
fn settings(row: Element<'_>) {
    for known in ["vpnid", "caref", "certref", "crlref", "auth_user", "dev_mode", "tls_type", "tlsmode", "local_network", "gwredir"] {
        row.child(known);
    }
}

fn name(row: Element<'_>) -> String {
    let id = row.value("vpnid").unwrap_or("?");
    row.value("description").map_or_else(|| format!("OpenVPN {id}"), str::to_owned)
}

fn interface(l: &Lowering<'_>, row: Element<'_>, stem: &str) -> Option<InterfaceIx> {
    l.names.devices.get(&format!("{stem}{}", row.value("vpnid")?)).copied()
}

fn listener(l: &mut Lowering<'_>, row: Element<'_>) -> ListenerIx {
    let protocol = row.value("protocol").unwrap_or("UDP4");
    let number = if protocol.to_ascii_uppercase().starts_with("TCP") { TCP } else { UDP };
    let family = match protocol.as_bytes().last() {
        Some(b'6') => Family::V6,
        Some(b'4') => Family::V4,
        _ => Family::Both,
    };
    let port = match row.filled("local_port").map(|e| (e.text().parse::<u16>().ok(), e.span())) {
        Some((Some(port), span)) => Fact::written(port, span),
        Some((None, span)) => Fact::unknown(Why::at(WhyCode::Ambiguous, "local_port", vec![span])),
        None => l.cx.default("openvpn.local_port", Some(row.span()), |v| v.parse().ok()),
    };
    let ports = port.map(|p| vec![SvcTerm::ports(number, vec![(*p, *p)])]);
    let bindings = l.bindings(row.filled("interface"), family, row.span());
    let mut listener = super::management::listener(Plane::Vpn, "openvpn", ports, l.cx.enabled(row, "disable"), bindings);
    listener.span = Some(row.span());
    listener.peers_fixed = Some(Fact::written(false, row.span()));
    l.device.listeners.items.push(listener);
    ListenerIx(l.device.listeners.items.len() as u32 - 1)
}

/// Free text for the daemon; newer releases write it in base64.
fn custom_options(row: Element<'_>) -> Option<(String, Span)> {
    let e = row.filled("custom_options")?;
    let text = e.text();
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.as_bytes()).ok().and_then(|b| String::from_utf8(b).ok());
    Some((decoded.unwrap_or_else(|| text.to_owned()), e.span()))
}

/// Seconds without traffic after which a session ends; zero is never.
fn idle(l: &Lowering<'_>, row: Element<'_>) -> Fact<i64> {
    let seconds = |v: &str| v.trim().parse::<i64>().ok().map(|s| if s == 0 { NEVER } else { s });
    if let Some(e) = row.filled("inactive_seconds") {
        return match seconds(e.text()) {
            Some(s) => Fact::written(s, e.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, "inactive_seconds", vec![e.span()])),
        };
    }
    if let Some((options, span)) = custom_options(row) {
        for line in options.split([';', '\n']).map(str::trim) {
            let value = line.strip_prefix("inactive ").or_else(|| line.strip_prefix("push \"inactive "));
            if let Some(s) = value.and_then(|v| seconds(v.split([' ', '"']).next()?)) {
                return Fact::written(s, span);
            }
        }
    }
    l.cx.default("openvpn.inactive_seconds", Some(row.span()), |v| if v == "never" { Some(NEVER) } else { v.parse().ok() })
}

/// What a user must show.
fn factors<'a>(l: &Lowering<'a>, row: Element<'a>) -> Vec<Factor> {
    let Some(mode) = row.filled("mode") else { return Vec::new() };
    let mut factors = Vec::new();
    if mode.text().contains("tls") {
        let overruled = custom_options(row).filter(|(o, _)| {
            o.contains("verify-client-cert none") || o.contains("verify-client-cert optional") || o.contains("client-cert-not-required")
        });
        let required = match overruled {
            Some((_, span)) => Fact::written(false, span),
            None => Fact::written(true, mode.span()),
        };
        factors.push(Factor { kind: FactorKind::ClientCert, required });
    }
    if mode.text().ends_with("user") {
        match row.filled("authmode") {
            Some(servers) => factors.extend(access::asked(l, servers)),
            None => factors.push(Factor { kind: FactorKind::Password, required: Fact::written(true, mode.span()) }),
        }
    }
    factors
}

fn remote_access<'a>(l: &mut Lowering<'a>, row: Element<'a>, listener: ListenerIx) {
    let span = row.span();
    let mode = row.filled("mode").map_or(span, |e| e.span());
    row.child("strictusercn");
    let live = Live::own(l.cx.enabled(row, "disable"));
    if let Some(e) = row.child("duplicate_cn") {
        shared_account(l, row, e.span(), &live);
    }
    let never = |key: &str| l.cx.default(key, Some(span), |v| if v == "never" { Some(NEVER) } else { v.parse().ok() });
    let concurrent = match row.child("duplicate_cn") {
        Some(e) => Fact::written(NEVER, e.span()),
        None => never("openvpn.concurrent"),
    };
    let pool = row.filled("tunnel_network").and_then(|e| Some(Fact::written(address::literal(e.text())?, e.span())));
    let path = AuthPath {
        principal: row.value("authmode").or_else(|| row.value("mode")).unwrap_or("").to_owned(),
        span: mode,
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
        interface: interface(l, row, "ovpns"),
        outer: l.bindings(row.filled("interface"), Family::Both, span).into_iter().filter_map(|b| b.on).collect(),
        paths: List::complete(vec![path], Origin::Written(span)),
        idle_s: idle(l, row),
        session_s: never("openvpn.session"),
        concurrent,
        aggressive_psk: Fact::written(false, span),
        pool: pool.unwrap_or_else(|| Fact::written(AddrExpr::Any, span)),
        crypto: Some(crypto::openvpn(l, row)),
        note: None,
    };
    l.device.remote_access.items.push(access);
}

/// One certificate for several connections at once: who uses it cannot be told apart.
fn shared_account(l: &mut Lowering<'_>, row: Element<'_>, at: Span, live: &Live) {
    l.device.accounts.items.push(Account {
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
    });
}

/// Networks of a list separated by commas.
fn networks(e: Element<'_>) -> Fact<AddrExpr> {
    let parts = super::context::names(e.text()).filter_map(address::literal).collect();
    Fact::written(AddrExpr::Union(parts), e.span())
}

fn tunnel<'a>(l: &mut Lowering<'a>, row: Element<'a>, server: bool) -> Tunnel {
    let span = row.span();
    let shared_key = row.filled("mode").filter(|m| m.text() == "p2p_shared_key");
    let live = Live::own(l.cx.enabled(row, "disable"));
    if let Some(e) = row.filled("shared_key") {
        secret::push_encoded(l, e, SecretUse::PrivateKey, Owner::thing(name(row), live.value()));
    }
    let idle = idle(l, row);
    let ender = Ender { kind: EnderKind::Idle, live: idle.map(|s| *s != NEVER) };
    let remote = row.filled("remote_network");
    // A client that knows no network behind the server is a user of somebody's service.
    let role = if server || remote.is_some() { TunnelRole::SiteToSite } else { TunnelRole::ClientOut };
    let peer = match row.filled("server_addr") {
        Some(e) => Fact::written(
            address::literal(e.text()).unwrap_or_else(|| address::opaque(OpaqueKind::Fqdn, e.text(), e.text_span())),
            e.span(),
        ),
        None => Fact::written(AddrExpr::Any, span),
    };
    let keepalive = l.cx.behaviour("openvpn.keepalive", Some(span));
    let auth = match (shared_key, row.filled("mode")) {
        (Some(e), _) => Fact::written(vec![TunnelAuth::GroupPsk], e.span()),
        (None, Some(e)) => Fact::written(vec![TunnelAuth::ClientCert], e.span()),
        (None, None) => Fact::unknown(Why::at(WhyCode::Ambiguous, "mode", vec![span])),
    };
    Tunnel {
        name: name(row),
        span,
        kind: "openvpn",
        layer2: row.value("dev_mode") == Some("tap"),
        encrypted: Fact::written(true, span),
        role: Fact::written(role, remote.map_or(span, |e| e.span())),
        live,
        interface: interface(l, row, if server { "ovpns" } else { "ovpnc" }),
        outer: l.bindings(row.filled("interface"), Family::Both, span).into_iter().filter_map(|b| b.on).collect(),
        peer: Peer { addresses: peer, text: row.value("server_addr").unwrap_or("").to_owned() },
        starts: Fact::written(if server { Starts::Never } else { Starts::AtBoot }, span),
        keepers: vec![Keeper { code: "keeper.openvpn_ping", force: KeeperForce::Probes, live: keepalive }],
        enders: List { items: vec![ender], rest: Rest::Complete(idle.origin) },
        auth,
        aggressive_psk: Fact::written(false, span),
        remote_nets: remote.map_or_else(|| Fact::written(AddrExpr::Any, span), networks),
        crypto: Some(crypto::openvpn(l, row)),
        psk: None,
    }
}
