//! Tunnels without encryption, and the logins at Internet providers.

use super::secret::{self, Owner};
use super::{Lowering, address};
use crate::ir::account::SecretUse;
use crate::ir::fact::{Fact, List, Origin};
use crate::ir::filter::AddrExpr;
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Peer, Starts, Tunnel, TunnelAuth, TunnelRole};
use crate::syntax::xml::Element;

/// Lowers them.
pub(in crate::dialect) fn lower(l: &mut Lowering<'_>) {
    for row in l.cx.rows("ppps", "ppp") {
        for known in ["ptpid", "type", "if", "ports", "username", "provider"] {
            row.child(known);
        }
        if let Some(e) = row.filled("password") {
            let owner = row.value("username").or_else(|| row.value("if")).unwrap_or("ppp").to_owned();
            let live = Fact::written(true, row.span());
            secret::push_encoded(l, e, SecretUse::IspLogin, Owner::thing(owner, live));
        }
    }
    for (section, row_name, kind) in [("gres", "gre", "gre"), ("gifs", "gif", "ipip")] {
        for row in l.cx.rows(section, row_name) {
            let tunnel = plain(l, row, kind);
            l.device.tunnels.items.push(tunnel);
        }
    }
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
