//! Weak algorithms among those that the models' VPNs offer.

use super::Lowering;
use crate::dialect::config_xml::context::names;
use crate::dialect::config_xml::crypto::{Found, cipher, group, integrity, is_aead};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::tunnel::Crypto;
use crate::syntax::xml::Element;

/// Algorithms of a connection of the newer form and its children. A proposal is a word such as `aes256-sha256-modp2048`; `default` leaves
/// the choice to the daemon.
pub(super) fn swanctl(l: &Lowering<'_>, connection: Element<'_>, children: &[Element<'_>]) -> Crypto {
    let mut found = Found::default();
    let mut left_open = None;
    let mut pfs: Option<Fact<bool>> = None;
    let lists = connection.filled("proposals").map(|e| (e, false)).into_iter();
    for (list, esp) in lists.chain(children.iter().filter_map(|c| c.filled("esp_proposals")).map(|e| (e, true))) {
        for proposal in names(list.text()) {
            if proposal == "default" {
                left_open = left_open.or(Some(list.span()));
                continue;
            }
            let mut with_group = false;
            for part in proposal.split('-') {
                let (part, is_group) = match part {
                    "modp768" => ("1", true),
                    "modp1024" => ("2", true),
                    "modp1536" => ("5", true),
                    part => (part, ["modp", "ecp", "curve", "x25519", "x448"].iter().any(|g| part.starts_with(g))),
                };
                with_group |= is_group;
                let aead = is_aead(proposal);
                found.add(list, if is_group { group(part) } else { cipher(part).or_else(|| integrity(part).filter(|_| !aead)) });
            }
            if esp && pfs.as_ref().is_none_or(|p| p.value.is_true()) {
                pfs = Some(Fact::written(with_group, list.span()));
            }
        }
    }
    let offered = match left_open {
        // What the daemon adds is not in the export; what is written stands.
        Some(at) if found.is_clean() => Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "default", vec![at])),
        _ => found.finish(connection.span()),
    };
    let pfs = pfs.unwrap_or_else(|| l.cx.behaviour("swanctl.default_pfs", left_open.or(Some(connection.span()))));
    Crypto { offered, accepted: None, pfs }
}

/// Algorithms of an OpenVPN instance of the newer form, which knows no cipher without protection of its own.
pub(super) fn instance(l: &Lowering<'_>, row: Element<'_>) -> Crypto {
    let mut found = Found::default();
    let mut only_aead = true;
    for name in ["data-ciphers", "data-ciphers-fallback"] {
        if let Some(e) = row.filled(name) {
            for word in e.text().split([',', ':']) {
                only_aead &= is_aead(word);
                found.add(e, cipher(word));
            }
        }
    }
    if let Some(e) = row.filled("auth") {
        found.add(e, if only_aead { None } else { integrity(e.text()) });
    }
    Crypto { offered: found.finish(row.span()), accepted: None, pfs: l.cx.behaviour("openvpn.instance_pfs", Some(row.span())) }
}
