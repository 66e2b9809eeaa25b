//! The agent of SNMP: a section of the ancestor's form in old releases, a plugin since, which also has users of version 3.

use super::Lowering;
use crate::dialect::config_xml::context::{field, model_enabled, names, one_is_on};
use crate::dialect::config_xml::management::{self, listener, port};
use crate::dialect::config_xml::secret::{self, Owner, Purpose};
use crate::ir::account::SecretUse;
use crate::ir::fact::Fact;
use crate::ir::filter::{Family, UDP};
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Binding, ListenerIx, Plane, Reach};
use crate::ir::system::{SnmpAccess, SnmpVersion};
use crate::syntax::xml::Element;

/// The agent's listener. The section's when there is no plugin.
pub(super) fn agent(l: &mut Lowering<'_>) {
    let Some(general) = l.cx.model("netsnmp/general") else { return management::snmp(l) };
    let own = field(&l.cx, general, "enabled", "snmpd.enable", one_is_on);
    let number = l.cx.default("snmpd.pollport", Some(general.span()), |v| v.parse().ok());
    let bindings = match general.filled("listen") {
        Some(list) => of_addresses(l, list, Family::Both),
        None => l.bindings(None, Family::Both, general.span()),
    };
    let mut agent = listener(Plane::Management, "snmp", port(UDP, number), own.clone(), bindings);
    // Communities travel in clear.
    agent.cleartext = match general.filled("community") {
        Some(e) => Fact::written(true, e.span()),
        None => Fact::known(false, own.origin),
    };
    agent.span = Some(general.span());
    l.device.listeners.items.push(agent);
}

/// Interfaces that have one of the addresses of a list; an address that none of them has may be any.
pub(super) fn of_addresses(l: &Lowering<'_>, list: Element<'_>, family: Family) -> Vec<Binding> {
    let bound = |on| Binding { on, family, bound: Fact::written(true, list.span()), reach: Reach::Direct };
    let mut found = Vec::new();
    for word in names(list.text()) {
        let Ok(address) = word.parse::<std::net::IpAddr>() else { continue };
        let has = |i: &crate::ir::interface::Interface| i.addresses.iter().any(|a| a.net.get().is_some_and(|n| n.addr == address));
        match l.device.interfaces.iter().position(has) {
            Some(ix) => found.push(bound(Some(InterfaceIx(ix as u32)))),
            None if address.is_loopback() => {}
            None => return vec![bound(None)],
        }
    }
    found
}

/// Who may ask the plugin.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let Some(general) = l.cx.model("netsnmp/general") else { return };
    let live = field(&l.cx, general, "enabled", "snmpd.enable", one_is_on);
    let listener = l.device.listeners.items.iter().position(|x| x.service == "snmp").map(|ix| ListenerIx(ix as u32));
    if let Some(e) = general.filled("community") {
        let community = secret::push(l, e, Purpose::shared(SecretUse::SnmpCommunity), Owner::thing("SNMP", live.clone()));
        l.device.snmp.items.push(SnmpAccess {
            span: e.span(),
            version: SnmpVersion::V1V2c,
            live: live.clone(),
            community: Some(community),
            factory_word: None,
            write: l.cx.behaviour("snmpd.write", Some(e.span())),
            listener,
        });
    }
    for row in l.cx.models("netsnmp/user/users/user") {
        let Some(name) = row.filled("username") else { continue };
        let live = live.and(&model_enabled(row));
        for element in ["password", "enckey"] {
            if let Some(e) = row.filled(element) {
                let purpose = Purpose { needs_clear: true, ..Purpose::verifies(SecretUse::Other) };
                secret::push(l, e, purpose, Owner::thing(name.text(), live.clone()));
            }
        }
        l.device.snmp.items.push(SnmpAccess {
            span: name.span(),
            version: SnmpVersion::V3,
            live,
            community: None,
            factory_word: None,
            write: match row.filled("readwrite") {
                Some(e) => Fact::written(e.text() == "1", e.span()),
                None => l.cx.behaviour("snmpd.write", Some(name.span())),
            },
            listener,
        });
    }
}
