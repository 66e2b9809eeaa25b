//! IPsec of the newer form: connections, each with the proofs both ends give and its children, which speak of networks and of who starts.
//!
//! The rows refer to a connection by its `uuid`. A connection that hands out addresses or asks for a user's proof is one for users; every
//! child of another is a tunnel.

use super::{Lowering, crypto};
use crate::dialect::config_xml::context::{field, model_enabled, names};
use crate::dialect::config_xml::secret::{self, Owner, Purpose};
use crate::dialect::config_xml::{access, address, context, ipsec, management};
use crate::ir::account::{Account, AccountIx, AccountKind, Factory, SecretIx, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, OpaqueKind};
use crate::ir::listener::{Limit, ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, Keeper, KeeperForce, Peer, RemoteAccess, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::syntax::xml::Element;
use std::collections::HashMap;

/// A connection and the rows that refer to it.
struct Connection<'a> {
    row: Element<'a>,
    locals: Vec<Element<'a>>,
    remotes: Vec<Element<'a>>,
    children: Vec<Element<'a>>,
}

/// A shared key and whom it is for.
struct Key<'a> {
    ends: [Option<&'a str>; 2],
    secret: SecretIx,
}

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let rows = l.cx.models("Swanctl/Connections/Connection");
    let switch = switch(l);
    let keys = keys(l, &switch, !rows.is_empty());
    // Rows that bear on no question; a list that is there and empty is no riddle.
    for unused in ["Swanctl/Pools", "Swanctl/VTIs", "Swanctl/SPDs", "IPsec/keyPairs", "IPsec/charon"] {
        l.cx.models(unused);
    }
    let referring = |path: &str| {
        let mut map: HashMap<&str, Vec<Element<'_>>> = HashMap::new();
        for row in l.cx.models(path).into_iter().filter(|r| !model_enabled(*r).value.is_false()) {
            map.entry(row.value("connection").unwrap_or("")).or_default().push(row);
        }
        map
    };
    let (mut locals, mut remotes, mut children) =
        (referring("Swanctl/locals/local"), referring("Swanctl/remotes/remote"), referring("Swanctl/children/child"));
    let connections: Vec<Connection<'_>> = rows
        .into_iter()
        .map(|row| {
            let id = row.attribute("uuid").unwrap_or("");
            Connection { row, locals: take(&mut locals, id), remotes: take(&mut remotes, id), children: take(&mut children, id) }
        })
        .collect();
    if connections.is_empty() {
        return;
    }
    let listener = listener(l, &connections, &switch);
    for connection in &connections {
        let live = Live::own(model_enabled(connection.row)).with(LinkKind::FeatureOn, switch.clone());
        if serves_users(connection) {
            let access = remote_access(l, connection, live, listener);
            l.device.remote_access.items.push(access);
        } else {
            for child in &connection.children {
                let tunnel = tunnel(l, connection, *child, &live, &keys);
                l.device.tunnels.items.push(tunnel);
            }
        }
    }
}

fn take<'a>(map: &mut HashMap<&'a str, Vec<Element<'a>>>, id: &str) -> Vec<Element<'a>> {
    map.remove(id).unwrap_or_default()
}

/// The switch of IPsec; where no element of either generation says anything, an enabled connection is taken to run.
fn switch(l: &Lowering<'_>) -> Fact<bool> {
    let written = l.cx.section("ipsec").is_some() || l.cx.model("IPsec/general/enabled").is_some();
    if written { super::ipsec_switch(l) } else { l.cx.behaviour("swanctl.enable", l.cx.model("Swanctl").map(|m| m.span())) }
}

fn name(row: Element<'_>) -> String {
    row.value("description").or_else(|| row.value("remote_addrs")).unwrap_or("IPsec").to_owned()
}

fn serves_users(connection: &Connection<'_>) -> bool {
    let user = |r: &Element<'_>| r.value("auth").is_some_and(|a| a.starts_with("eap") || a.starts_with("xauth"));
    connection.row.filled("pools").is_some() || connection.remotes.iter().any(user)
}

/// The addresses a connection may be made with; every one where none is written.
fn peer(row: Element<'_>) -> Fact<AddrExpr> {
    let Some(e) = row.filled("remote_addrs") else { return Fact::written(AddrExpr::Any, row.span()) };
    let one = |word: &str| match word {
        "%any" | "0.0.0.0" | "::" | "0.0.0.0/0" | "::/0" => AddrExpr::Any,
        word => address::literal(word).unwrap_or_else(|| address::opaque(OpaqueKind::Fqdn, word, e.text_span())),
    };
    let parts: Vec<AddrExpr> = names(e.text()).map(one).collect();
    let any = parts.iter().any(|p| matches!(p, AddrExpr::Any));
    Fact::written(if any { AddrExpr::Any } else { AddrExpr::Union(parts) }, e.span())
}

/// The daemon answers on every address; a connection may hold itself to some.
fn listener(l: &mut Lowering<'_>, connections: &[Connection<'_>], switch: &Fact<bool>) -> ListenerIx {
    let live: Vec<&Connection<'_>> = connections.iter().filter(|c| !model_enabled(c.row).value.is_false()).collect();
    let own = match live.first() {
        Some(first) => model_enabled(first.row).and(switch),
        None => Fact::known(false, Origin::Written(l.cx.evidence)),
    };
    let at = live.first().map_or(l.cx.evidence, |c| c.row.span());
    let ports = ipsec::ports(l, Some(at));
    let bindings = management::everywhere(Fact::known(true, Origin::Written(at)));
    let mut ike = management::listener(Plane::Vpn, "ike", ports, own, bindings);
    let fixed = |c: &&&Connection<'_>| c.row.value("remote_addrs").is_some_and(|t| names(t).all(|w| address::literal(w).is_some()));
    ike.peers_fixed = Some(Fact::written(!live.is_empty() && live.iter().filter(fixed).count() == live.len(), at));
    l.device.listeners.items.push(ike);
    ListenerIx(l.device.listeners.items.len() as u32 - 1)
}

/// Shared keys, and passwords of users.
fn keys<'a>(l: &mut Lowering<'a>, switch: &Fact<bool>, used: bool) -> Vec<Key<'a>> {
    let mut keys = Vec::new();
    for row in l.cx.models("IPsec/preSharedKeys/preSharedKey") {
        let Some(value) = row.filled("Key") else { continue };
        let owner = row.value("ident").unwrap_or("").to_owned();
        let span = row.filled("ident").map_or(row.span(), |e| e.span());
        let live = if used { switch.clone() } else { Fact::known(false, Origin::Written(row.span())) };
        if row.value("keyType") == Some("EAP") {
            let ix = AccountIx(l.device.accounts.items.len() as u32);
            let who = Owner { account: Some(ix), ..Owner::thing(owner.clone(), live.clone()) };
            let secret = secret::push(l, value, Purpose::shared(SecretUse::VpnUser), who);
            l.device.accounts.items.push(Account {
                name: owner,
                span,
                kind: AccountKind::VpnUser,
                live: Live::own(live),
                factory: Fact::written(Factory::None, span),
                renamable: Fact::written(true, span),
                sources: Limit::None(Origin::Written(span)),
                expires: l.cx.behaviour("user.expires", Some(span)),
                expiry: None,
                used: Fact::written(true, span),
                concurrent: Fact::known(NEVER, Origin::Written(span)),
                shared_signs: Fact::written(false, span),
                secret: Some(secret),
                second: Fact::written(false, span),
            });
        } else {
            let secret = secret::push(l, value, Purpose::shared(SecretUse::IkePsk), Owner::thing(owner, live));
            keys.push(Key { ends: [row.value("ident"), row.value("remote_ident")], secret });
        }
    }
    keys
}

fn starts(l: &Lowering<'_>, connection: &Connection<'_>, child: Element<'_>) -> Fact<Starts> {
    // Whom nobody can call only answers.
    if let Fact { value: crate::ir::fact::Val::Known(AddrExpr::Any), origin } = peer(connection.row) {
        return Fact::known(Starts::Never, origin);
    }
    field(&l.cx, child, "start_action", "swanctl.start_action", |v| match v {
        "none" => Some(Starts::Never),
        "start" | "trap|start" => Some(Starts::AtBoot),
        "trap" | "route" => Some(Starts::OnTraffic),
        _ => None,
    })
}

fn keepers(connection: &Connection<'_>, child: Element<'_>) -> Vec<Keeper> {
    let mut keepers = Vec::new();
    let mut add = |code, force, e: Element<'_>| keepers.push(Keeper { code, force, live: Fact::written(true, e.span()) });
    for name in ["close_action", "dpd_action"] {
        if let Some(e) = child.filled(name).filter(|e| matches!(e.text(), "start" | "restart")) {
            add("keeper.close_action", KeeperForce::Forces, e);
        }
    }
    if let Some(e) = connection.row.filled("dpd_delay").filter(|e| e.text() != "0") {
        add("keeper.dpd", KeeperForce::Probes, e);
    }
    keepers
}

fn aggressive(l: &Lowering<'_>, connection: &Connection<'_>) -> Fact<bool> {
    if let Some(e) = connection.row.filled("version").filter(|e| e.text() == "2") {
        return Fact::written(false, e.span());
    }
    let psk = connection.locals.iter().chain(&connection.remotes).any(|r| r.value("auth").is_none_or(|a| a == "psk"));
    field(&l.cx, connection.row, "aggressive", "swanctl.aggressive", context::one_is_on).map(|on| *on && psk)
}

fn tunnel<'a>(l: &Lowering<'a>, connection: &Connection<'a>, child: Element<'a>, live: &Live, keys: &[Key<'a>]) -> Tunnel {
    let span = child.span();
    let id = |rows: &[Element<'a>]| rows.iter().find_map(|r| r.value("id"));
    let ends = [id(&connection.locals), id(&connection.remotes)];
    let fits = |k: &&Key<'_>| k.ends.iter().flatten().any(|e| ends.iter().flatten().any(|o| o == e));
    let auth = |row: &Element<'_>| match row.value("auth") {
        None | Some("psk") => TunnelAuth::GroupPsk,
        Some("pubkey" | "eap-tls") => TunnelAuth::ClientCert,
        _ => TunnelAuth::Password,
    };
    let mut proofs: Vec<TunnelAuth> = connection.remotes.iter().map(auth).collect();
    proofs.sort();
    proofs.dedup();
    let auth = match connection.remotes.first() {
        Some(first) => Fact::written(proofs, first.filled("auth").map_or(first.span(), |e| e.span())),
        None => Fact::unknown(Why::at(WhyCode::Unresolved, "remotes", vec![connection.row.span()])),
    };
    let remote_nets = match child.filled("remote_ts") {
        Some(e) => Fact::written(AddrExpr::Union(names(e.text()).filter_map(address::literal).collect()), e.span()),
        None => Fact::written(AddrExpr::Any, span),
    };
    let routed = child.value("reqid").and_then(|id| l.names.devices.get(&format!("ipsec{id}")).copied());
    let child_name = child.value("description").map(|d| format!("{} / {d}", name(connection.row)));
    Tunnel {
        name: child_name.unwrap_or_else(|| name(connection.row)),
        span,
        kind: "ipsec",
        layer2: false,
        encrypted: Fact::written(true, span),
        role: Fact::written(TunnelRole::SiteToSite, span),
        live: live.clone().with(LinkKind::Referenced, model_enabled(child)),
        interface: routed.or_else(|| l.names.devices.get("enc0").copied()),
        outer: l.names.keys.get("wan").copied().into_iter().collect(),
        peer: Peer { addresses: peer(connection.row), text: connection.row.value("remote_addrs").unwrap_or("").to_owned() },
        starts: starts(l, connection, child),
        keepers: keepers(connection, child),
        enders: List::complete(Vec::new(), l.cx.behaviour("ipsec.idle_end", Some(span)).origin),
        auth,
        aggressive_psk: aggressive(l, connection),
        remote_nets,
        crypto: Some(crypto::swanctl(l, connection.row, &[child])),
        psk: keys.iter().find(fits).map(|k| k.secret),
    }
}

fn remote_access<'a>(l: &Lowering<'a>, connection: &Connection<'a>, live: Live, listener: ListenerIx) -> RemoteAccess {
    let row = connection.row;
    let span = row.span();
    let never = |key: &str| l.cx.default(key, Some(span), |v| if v == "never" { Some(NEVER) } else { v.parse().ok() });
    let mut factors = Vec::new();
    for remote in &connection.remotes {
        factors.extend(proof(l, *remote));
    }
    let path = AuthPath {
        principal: connection.remotes.iter().filter_map(|r| r.value("auth")).collect::<Vec<_>>().join(" + "),
        span: connection.remotes.first().map_or(span, |r| r.filled("auth").map_or(r.span(), |e| e.span())),
        account: None,
        factors,
        fallback: false,
        live: Fact::written(true, span),
    };
    let pools = l.cx.models("Swanctl/Pools/Pool").into_iter().filter_map(|p| p.filled("addrs"));
    let pool: Vec<AddrExpr> = pools.filter_map(|e| address::literal(e.text())).collect();
    RemoteAccess {
        name: name(row),
        kind: if row.value("version") == Some("1") { "ikev1_xauth" } else { "ikev2" },
        span,
        live,
        listeners: vec![listener],
        interface: l.names.devices.get("enc0").copied(),
        outer: l.names.keys.get("wan").copied().into_iter().collect(),
        paths: List::complete(vec![path], Origin::Written(span)),
        idle_s: never("ipsec.client.idle"),
        session_s: never("ipsec.client.session"),
        concurrent: never("ipsec.client.concurrent"),
        aggressive_psk: aggressive(l, connection),
        pool: Fact::written(if pool.is_empty() { AddrExpr::Any } else { AddrExpr::Union(pool) }, span),
        crypto: Some(crypto::swanctl(l, row, &connection.children)),
        note: None,
    }
}

/// What one round asks of a user.
fn proof(l: &Lowering<'_>, remote: Element<'_>) -> Vec<Factor> {
    let at = remote.filled("auth").map_or(remote.span(), |e| e.span());
    let needs = |kind| Factor { kind, required: Fact::written(true, at) };
    match remote.value("auth") {
        None | Some("psk") => vec![needs(FactorKind::GroupSecret)],
        Some("pubkey" | "eap-tls") => vec![needs(FactorKind::ClientCert)],
        Some("eap-mschapv2") => vec![needs(FactorKind::Password)],
        Some("xauth-pam") => match l.cx.model("IPsec/general/user_source").or_else(|| l.cx.at("ipsec/client/user_source")) {
            Some(servers) if servers.has_text() => access::asked(l, servers),
            _ => vec![needs(FactorKind::Password)],
        },
        Some("eap-radius") => {
            let why = Why::at(WhyCode::ExternalDecision, "RADIUS", vec![at]);
            vec![needs(FactorKind::Password), Factor { kind: FactorKind::OneTime, required: Fact::unknown(why) }]
        }
        Some(other) => {
            let why = Why::at(WhyCode::Ambiguous, other, vec![at]);
            vec![Factor { kind: FactorKind::Password, required: Fact::unknown(why) }]
        }
    }
}
