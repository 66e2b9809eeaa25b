//! Dial-in servers with users of their own (L2TP, PPTP in old releases), passwords of PPPoE, and tunnels without encryption.

use super::secret::{self, Owner, Purpose};
use super::{Lowering, access, address};
use crate::ir::account::{Account, AccountIx, AccountKind, Factory, SecretUse};
use crate::ir::fact::{Fact, List, Origin};
use crate::ir::filter::{AddrExpr, Family, TCP, UDP};
use crate::ir::listener::{Limit, ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, Peer, RemoteAccess, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::syntax::xml::Element;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    if let Some(row) = l.cx.section("l2tp").filter(|r| r.value("mode") == Some("server")) {
        // With users of IPsec on the same box the tunnel is assumed to run inside it.
        let inside = l.cx.rows("ipsec", "phase1").iter().any(|p| p.has("mobile") && !p.has("disabled"));
        server(l, row, "l2tp", if inside { "l2tp_ipsec" } else { "l2tp_plain" }, UDP);
    }
    if let Some(row) = l.cx.section("pptpd").filter(|r| r.value("mode") == Some("server")) {
        server(l, row, "pptp", "pptp", TCP);
    }
    for row in l.cx.rows("ppps", "ppp") {
        for known in ["ptpid", "type", "if", "ports", "username", "provider"] {
            row.child(known);
        }
        if let Some(e) = row.filled("password") {
            let owner = row.value("username").or_else(|| row.value("if")).unwrap_or("ppp").to_owned();
            let live = Fact::written(true, row.span());
            secret::push(l, e, Purpose::key(SecretUse::IspLogin), Owner::thing(owner, live));
        }
    }
    for (section, row_name, kind) in [("gres", "gre", "gre"), ("gifs", "gif", "ipip")] {
        for row in l.cx.rows(section, row_name) {
            let tunnel = plain(l, row, kind);
            l.device.tunnels.items.push(tunnel);
        }
    }
}

fn server<'a>(l: &mut Lowering<'a>, row: Element<'a>, group: &'static str, kind: &'static str, protocol: u8) {
    let span = row.span();
    let on = row.filled("mode").map_or(span, |e| e.span());
    let own = Fact::written(true, on);
    let service: &'static str = if kind == "pptp" { "pptp" } else { "l2tp" };
    let port = l.cx.default(if kind == "pptp" { "pptpd.port" } else { "l2tp.port" }, Some(span), |v| v.parse().ok());
    let bindings = l.bindings(row.filled("interface"), Family::V4, span);
    let outer = bindings.iter().filter_map(|b| b.on).collect();
    let listener = super::management::listener(Plane::Vpn, service, super::management::port(protocol, port), own.clone(), bindings);
    l.device.listeners.items.push(listener);
    let listener = ListenerIx(l.device.listeners.items.len() as u32 - 1);
    let live = Live::own(own);
    let mut paths = Vec::new();
    if let Some(radius) = row.at("radius/enable") {
        let server = row.at("radius/server").unwrap_or(radius);
        let mut factors = access::asked(l, server);
        factors.truncate(1);
        let why = crate::ir::fact::Why::at(crate::ir::fact::WhyCode::ExternalDecision, "RADIUS", vec![radius.span()]);
        factors.push(Factor { kind: FactorKind::OneTime, required: Fact::unknown(why) });
        paths.push(AuthPath {
            principal: "RADIUS".to_owned(),
            span: radius.span(),
            account: None,
            factors,
            fallback: false,
            live: Fact::written(true, radius.span()),
        });
    }
    for user in row.all("user") {
        paths.extend(one_user(l, user, &live));
    }
    let never = |key: &str| l.cx.default(key, Some(span), |v| if v == "never" { Some(NEVER) } else { v.parse().ok() });
    let pool = row.filled("remoteip").and_then(|e| {
        let bits = row.value("l2tp_subnet").unwrap_or("32");
        Some(Fact::written(address::literal(&format!("{}/{bits}", e.text()))?, e.span()))
    });
    let access = RemoteAccess {
        name: group.to_owned(),
        kind,
        span,
        live,
        listeners: vec![listener],
        interface: l.names.devices.get(group).copied(),
        outer,
        paths: List::complete(paths, Origin::Written(span)),
        idle_s: never("dial_in.idle"),
        session_s: never("dial_in.session"),
        concurrent: never("dial_in.concurrent"),
        aggressive_psk: Fact::written(false, span),
        pool: pool.unwrap_or_else(|| Fact::written(AddrExpr::Any, span)),
        crypto: None,
        note: None,
    };
    l.device.remote_access.items.push(access);
}

fn one_user(l: &mut Lowering<'_>, user: Element<'_>, live: &Live) -> Option<AuthPath> {
    let name = user.filled("name")?;
    let span = name.span();
    let account = AccountIx(l.device.accounts.items.len() as u32);
    let password = user.filled("password");
    let secret = password.map(|e| {
        let owner = Owner { account: Some(account), ..Owner::thing(name.text(), live.value()) };
        // The protocol's challenge needs the password itself.
        secret::push(l, e, Purpose { needs_clear: true, ..Purpose::verifies(SecretUse::VpnUser) }, owner)
    });
    l.device.accounts.items.push(Account {
        name: name.text().to_owned(),
        span,
        kind: AccountKind::VpnUser,
        live: live.clone(),
        factory: Fact::written(Factory::None, span),
        renamable: Fact::written(true, span),
        sources: Limit::None(Origin::Written(span)),
        expires: l.cx.behaviour("user.expires", Some(span)),
        expiry: None,
        used: Fact::written(true, span),
        concurrent: Fact::known(NEVER, Origin::Written(span)),
        shared_signs: Fact::written(false, span),
        secret,
        second: Fact::written(false, span),
    });
    let required = Fact::written(password.is_some(), password.map_or(span, |e| e.span()));
    Some(AuthPath {
        principal: name.text().to_owned(),
        span,
        account: Some(account),
        factors: vec![Factor { kind: FactorKind::Password, required }],
        fallback: false,
        live: Fact::written(true, span),
    })
}

/// A tunnel of plain packets: it is there as long as its interface is.
fn plain<'a>(l: &Lowering<'a>, row: Element<'a>, kind: &'static str) -> Tunnel {
    let span = row.span();
    let device = row.value(if kind == "gre" { "greif" } else { "gifif" }).unwrap_or("");
    let interface = l.names.devices.get(device).copied();
    let up = match interface.and_then(|ix| l.device.interfaces.get(ix.0 as usize)) {
        Some(i) => i.up.clone(),
        None => Fact::known(false, Origin::inferred("interface_not_assigned", [Origin::Written(span)])),
    };
    let remote = row.filled("remote-addr");
    let addresses = remote.and_then(|e| Some(Fact::written(address::literal(e.text())?, e.span())));
    Tunnel {
        name: row.value("descr").unwrap_or(device).to_owned(),
        span,
        kind,
        layer2: false,
        encrypted: Fact::written(false, span),
        role: Fact::written(TunnelRole::SiteToSite, span),
        live: Live::own(Fact::written(true, span)).with(LinkKind::ParentUp, up),
        interface,
        outer: row.filled("if").map(|e| l.interfaces(e.text()).0).unwrap_or_default(),
        peer: Peer {
            addresses: addresses.unwrap_or_else(|| Fact::written(AddrExpr::Any, span)),
            text: remote.map_or_else(String::new, |e| e.text().to_owned()),
        },
        starts: Fact::known(Starts::AtBoot, Origin::inferred("tunnel_without_session", [Origin::Written(span)])),
        keepers: Vec::new(),
        enders: List::complete(Vec::new(), Origin::inferred("tunnel_without_session", [Origin::Written(span)])),
        auth: Fact::written(vec![TunnelAuth::None], span),
        aggressive_psk: Fact::written(false, span),
        remote_nets: Fact::written(AddrExpr::Any, span),
        crypto: None,
        psk: None,
    }
}
