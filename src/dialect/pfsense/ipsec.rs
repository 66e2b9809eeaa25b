//! IPsec between sites: each phase 1 with its phases 2, who brings it up, what keeps it up. Phases 1 of mobile users are told apart.

use super::context::enabled;
use super::secret::{self, Owner, Purpose};
use super::{Lowering, address, crypto, ipsec_mobile};
use crate::ir::account::SecretUse;
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, OpaqueKind, SvcTerm, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Binding, ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Keeper, KeeperForce, Peer, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::source::Span;
use crate::syntax::xml::Element;

/// What a phase 1 is called.
pub(super) fn name(phase1: Element<'_>) -> String {
    let named = phase1.value("descr").or_else(|| phase1.value("remote-gateway"));
    named.map_or_else(|| format!("ikeid {}", phase1.value("ikeid").unwrap_or("?")), str::to_owned)
}

/// The addresses of the peer; every address for mobile users. `None`: the phase 1 names none and does not work.
pub(super) fn peer(phase1: Element<'_>) -> Option<AddrExpr> {
    if phase1.has("mobile") {
        return Some(AddrExpr::Any);
    }
    let gateway = phase1.filled("remote-gateway")?;
    Some(match gateway.text() {
        "0.0.0.0" | "::" | "%any" => AddrExpr::Any,
        text => address::literal(text).unwrap_or_else(|| address::opaque(OpaqueKind::Fqdn, text, gateway.text_span())),
    })
}

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let phases1 = l.cx.rows("ipsec", "phase1");
    l.cx.at("ipsec/client");
    if phases1.is_empty() {
        return;
    }
    let listener = listener(l, &phases1);
    for phase1 in phases1 {
        for known in
            ["myid_type", "myid_data", "peerid_type", "peerid_data", "lifetime", "mobike", "protocol", "rekey_enable", "reauth_enable"]
        {
            phase1.child(known);
        }
        let phases2 = phases2(l, phase1);
        if phase1.has("mobile") {
            ipsec_mobile::lower(l, phase1, &phases2, listener);
        } else {
            let tunnel = tunnel(l, phase1, &phases2);
            l.device.tunnels.items.push(tunnel);
        }
    }
}

/// The phases 2 of a phase 1 that are in force.
fn phases2<'a>(l: &Lowering<'a>, phase1: Element<'a>) -> Vec<Element<'a>> {
    let id = phase1.value("ikeid");
    let rows = l.cx.rows("ipsec", "phase2").into_iter();
    rows.filter(|p| p.value("ikeid") == id && !p.has("disabled"))
        .inspect(|p| {
            for known in ["uniqid", "reqid", "lifetime", "localid", "protocol"] {
                if let Some(e) = p.child(known) {
                    e.read_below();
                }
            }
        })
        .collect()
}

/// IKE answers wherever a phase 1 is bound.
fn listener(l: &mut Lowering<'_>, phases1: &[Element<'_>]) -> ListenerIx {
    let live: Vec<Element<'_>> = phases1.iter().copied().filter(|p| !p.has("disabled")).collect();
    let own = match live.first().or(phases1.first()) {
        Some(first) => enabled(*first, "disabled"),
        None => Fact::known(false, Origin::Written(l.cx.evidence)),
    };
    let mut bindings: Vec<Binding> = Vec::new();
    for (row, on) in live.iter().map(|p| (p, outer(l, *p))) {
        for ix in on {
            if !bindings.iter().any(|b| b.on == Some(ix)) {
                let bound = Fact::written(true, row.filled("interface").map_or(row.span(), |e| e.span()));
                bindings.push(Binding { on: Some(ix), family: Family::Both, bound, reach: crate::ir::listener::Reach::Direct });
            }
        }
    }
    let ports = l.cx.default("ipsec.ports", phases1.first().map(|p| p.span()), |v| {
        let ports: Option<Vec<(u16, u16)>> = v.split(' ').map(|p| p.parse().ok().map(|p| (p, p))).collect();
        Some(vec![SvcTerm::ports(UDP, ports?)])
    });
    let mut ike = super::management::listener(Plane::Vpn, "ike", ports, own, bindings);
    let at = live.first().map_or(l.cx.evidence, |p| p.span());
    let fixed = |p: &&Element<'_>| matches!(peer(**p), Some(AddrExpr::Range(..)));
    ike.peers_fixed = Some(Fact::written(!live.is_empty() && live.iter().filter(fixed).count() == live.len(), at));
    l.device.listeners.items.push(ike);
    ListenerIx(l.device.listeners.items.len() as u32 - 1)
}

/// The interfaces on which the outer packets of a phase 1 arrive.
pub(super) fn outer<'a>(l: &Lowering<'a>, phase1: Element<'a>) -> Vec<InterfaceIx> {
    match phase1.filled("interface") {
        Some(e) => l.interfaces(e.text()).0,
        None => l.names.keys.get("wan").copied().into_iter().collect(),
    }
}

/// The shared secret of a phase 1.
pub(super) fn pre_shared_key<'a>(l: &mut Lowering<'a>, phase1: Element<'a>, live: &Fact<bool>) -> Option<crate::ir::account::SecretIx> {
    let element = phase1.filled("pre-shared-key")?;
    let uses = phase1.value("authentication_method").is_none_or(|m| m.contains("pre_shared_key") || m.contains("psk"));
    let live = if uses { live.clone() } else { Fact::written(false, element.span()) };
    Some(secret::push(l, element, Purpose::shared(SecretUse::IkePsk), Owner::thing(name(phase1), live)))
}

/// Whether aggressive mode with a shared secret is used or accepted.
pub(super) fn aggressive(l: &Lowering<'_>, phase1: Element<'_>) -> Fact<bool> {
    if let Some(e) = phase1.filled("iketype").filter(|e| e.text() == "ikev2") {
        return Fact::written(false, e.span());
    }
    let psk = phase1.value("authentication_method").is_none_or(|m| m.contains("psk") || m.contains("pre_shared_key"));
    match phase1.filled("mode") {
        Some(e) => Fact::written(e.text() == "aggressive" && psk, e.span()),
        None => l.cx.behaviour("ipsec.phase1.aggressive", Some(phase1.span())),
    }
}

fn starts(l: &Lowering<'_>, phase1: Element<'_>, phases2: &[Element<'_>]) -> Fact<Starts> {
    let routed = phases2.iter().find(|p| p.value("mode") == Some("vti"));
    let word = |w: &str| match w {
        "none" => Some(Starts::Never),
        "start" => Some(Starts::AtBoot),
        "trap" => Some(Starts::OnTraffic),
        _ => None,
    };
    // Whom nobody can call only answers.
    if let Some(e) = phase1.filled("remote-gateway").filter(|e| matches!(e.text(), "0.0.0.0" | "::")) {
        return Fact::written(Starts::Never, e.span());
    }
    match phase1.filled("startaction") {
        // A routed tunnel cannot start on traffic: the product starts it at once instead.
        Some(e) if !(e.text() == "trap" && routed.is_some()) => match word(e.text()) {
            Some(starts) => Fact::written(starts, e.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, "startaction", vec![e.span()])),
        },
        _ => {
            let key = if routed.is_some() { "ipsec.phase1.startaction.vti" } else { "ipsec.phase1.startaction" };
            l.cx.default(key, Some(phase1.span()), word)
        }
    }
}

fn keepers(phase1: Element<'_>, phases2: &[Element<'_>]) -> Vec<Keeper> {
    let mut keepers = Vec::new();
    let mut add = |code, force, e: Element<'_>| keepers.push(Keeper { code, force, live: Fact::written(true, e.span()) });
    for child in phases2 {
        if let Some(e) = child.filled("pinghost") {
            add("keeper.ping_host", KeeperForce::Sustains, e);
        }
        if let Some(e) = child.filled("keepalive").filter(|e| e.text() == "enabled") {
            add("keeper.phase2_keepalive", KeeperForce::Forces, e);
        }
    }
    if let Some(e) = phase1.filled("closeaction").filter(|e| e.text() == "start") {
        add("keeper.close_action", KeeperForce::Forces, e);
    }
    if let (Some(e), Some(_)) = (phase1.filled("dpd_delay"), phase1.filled("dpd_maxfail")) {
        add("keeper.dpd", KeeperForce::Probes, e);
    }
    keepers
}

/// The networks behind the peer.
fn remote_nets(phases2: &[Element<'_>], at: Span) -> Fact<AddrExpr> {
    let mut parts = Vec::new();
    let mut lines = Vec::new();
    for child in phases2 {
        if child.value("mode") == Some("vti") {
            return Fact::written(AddrExpr::Any, child.span());
        }
        let Some(remote) = child.child("remoteid") else { continue };
        let bits = remote.value("netbits").map(|b| format!("/{b}")).unwrap_or_default();
        remote.child("type");
        if let Some(e) = remote.filled("address")
            && let Some(net) = address::literal(&format!("{}{bits}", e.text()))
        {
            parts.push(net);
            lines.push(Origin::Written(e.span()));
        }
    }
    match parts.is_empty() {
        true => Fact::written(AddrExpr::Any, at),
        false => Fact::known(AddrExpr::Union(parts), Origin::all(lines)),
    }
}

fn tunnel<'a>(l: &mut Lowering<'a>, phase1: Element<'a>, phases2: &[Element<'a>]) -> Tunnel {
    let span = phase1.span();
    let own = enabled(phase1, "disabled");
    let link = match phases2.first() {
        Some(child) => Fact::written(true, child.span()),
        None if l.cx.gap("tunnels").is_some() => Fact::unknown(Why::new(WhyCode::NotExported, "phase2")),
        None => Fact::known(false, Origin::inferred("no_phase2", [Origin::Written(span)])),
    };
    let live = Live::own(own).with(LinkKind::Referenced, link);
    let psk = pre_shared_key(l, phase1, &live.value());
    let auth = match phase1.filled("authentication_method") {
        Some(e) => match e.text() {
            "pre_shared_key" => Fact::written(vec![TunnelAuth::GroupPsk], e.span()),
            "cert" | "rsasig" | "pkcs11" | "eap-tls" => Fact::written(vec![TunnelAuth::ClientCert], e.span()),
            "eap-radius" | "eap-mschapv2" => Fact::written(vec![TunnelAuth::Password], e.span()),
            _ => Fact::unknown(Why::at(WhyCode::Ambiguous, "authentication_method", vec![e.span()])),
        },
        None => {
            l.cx.default("ipsec.phase1.authentication_method", Some(span), |v| (v == "pre_shared_key").then(|| vec![TunnelAuth::GroupPsk]))
        }
    };
    let peer_fact = match (peer(phase1), phase1.filled("remote-gateway")) {
        (Some(expr), Some(e)) => Fact::written(expr, e.span()),
        _ => Fact::unknown(Why::at(WhyCode::Unresolved, "remote-gateway", vec![span])),
    };
    let no_end = l.cx.behaviour("ipsec.idle_end", Some(span)).origin;
    // A routed tunnel has an interface of its own, named after the phase 1.
    let id = phase1.value("ikeid").unwrap_or("");
    let routed =
        [format!("ipsec{id}"), format!("ipsec{id}000"), format!("ipsec{id}00")].into_iter().find_map(|d| l.names.devices.get(&d).copied());
    Tunnel {
        name: name(phase1),
        span,
        kind: "ipsec",
        layer2: false,
        encrypted: Fact::written(true, span),
        role: Fact::written(TunnelRole::SiteToSite, span),
        live,
        interface: routed.or_else(|| l.names.devices.get("enc0").copied()),
        outer: outer(l, phase1),
        peer: Peer { addresses: peer_fact, text: phase1.value("remote-gateway").unwrap_or("").to_owned() },
        starts: starts(l, phase1, phases2),
        keepers: keepers(phase1, phases2),
        enders: List { items: Vec::new(), rest: crate::ir::fact::Rest::Complete(no_end) },
        auth,
        aggressive_psk: aggressive(l, phase1),
        remote_nets: remote_nets(phases2, span),
        crypto: Some(crypto::ipsec(l, phase1, phases2)),
        psk,
    }
}
