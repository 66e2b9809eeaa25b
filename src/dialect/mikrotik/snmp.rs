//! SNMP: the agent, and the communities. The factory's row `public` stays in force until somebody changes it; an added row is a
//! second one. What `security=` of a row means for requests of versions 1 and 2c is not documented, so such a row is not told.

use super::menus::Item;
use super::{Export, address, listener, secret};
use crate::ir::Device;
use crate::ir::account::{Direction, SecretUse};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, SvcTerm, UDP};
use crate::ir::listener::{Limit, LimitStage, Listener, ListenerIx, Plane};
use crate::ir::system::{SnmpAccess, SnmpVersion};

const TOPIC: &str = "snmp";

/// A community row as it is in force.
struct Community<'a> {
    /// The row that changes the factory's, or adds one; none for the untouched factory row.
    item: Option<Item<'a>>,
    factory: bool,
}

fn communities<'a>(export: &Export<'a>) -> Vec<Community<'a>> {
    let mut out = Vec::new();
    let mut changed = None;
    for item in export.menus.items("/snmp community") {
        let factory =
            item.is_default_row() || item.targets().any(|t| matches!(t, "0" | "public" | "*0")) || item.condition("name") == Some("public");
        match item.verb() {
            "add" => out.push(Community { item: Some(*item), factory: false }),
            "set" if factory => changed = Some(*item),
            _ => {}
        }
    }
    out.insert(0, Community { item: changed, factory: true });
    out
}

impl Community<'_> {
    fn live(&self, export: &Export<'_>, agent: &Fact<bool>) -> Fact<bool> {
        let own = self.item.as_ref().map_or_else(|| agent.clone(), |i| agent.and(&export.enabled(i, "snmp community")));
        match self.item.as_ref().and_then(|i| i.text("security")).filter(|v| v.text != "none") {
            Some(value) => own.and(&Fact::unknown(Why::at(WhyCode::Ambiguous, "security", vec![value.span]))),
            None => own,
        }
    }

    fn sources(&self, export: &Export<'_>) -> Limit {
        match self.item.as_ref().and_then(|i| i.text("addresses").or(i.text("address"))) {
            // `::/0` stands for everybody, whatever the family.
            Some(value) if value.parts().any(|p| matches!(p, "::/0" | "0.0.0.0/0")) => {
                Limit::None(crate::ir::fact::Origin::Written(value.span))
            }
            Some(value) => match value.parts().map(address::set).collect::<Option<Vec<_>>>() {
                Some(parts) => Limit::Sources { stage: LimitStage::Connect, admits: Fact::written(AddrExpr::union(parts), value.span) },
                None => Limit::Unknown(Why::at(WhyCode::Ambiguous, "addresses", vec![value.span])),
            },
            None => Limit::None(self.item.as_ref().map_or_else(|| export.evidence(), |i| crate::ir::fact::Origin::Written(i.span()))),
        }
    }
}

/// The agent as a service.
pub fn listener(export: &Export<'_>) -> Option<Listener> {
    let on = export.switch("/snmp", "enabled", TOPIC);
    let span = export.menus.setting("/snmp", "enabled").map(|v| v.span);
    let ports = Fact::known(vec![SvcTerm::ports(UDP, [(161, 161)])], export.evidence());
    let mut agent = listener::base(export, Plane::Management, "snmp", ports, on.clone(), span);
    let all = communities(export);
    agent.cleartext = all.iter().map(|c| c.live(export, &on)).reduce(|a, b| a.or(&b)).unwrap_or(on.clone());
    let limits: Vec<Limit> = all.iter().filter(|c| !c.live(export, &on).value.is_false()).map(|c| c.sources(export)).collect();
    if !limits.is_empty() {
        agent.limits = Limit::AnyOf(limits);
    }
    Some(agent)
}

/// Fills the communities.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let agent = export.switch("/snmp", "enabled", TOPIC);
    let answered = device.listeners.items.iter().position(|l| l.service == "snmp").map(|ix| ListenerIx(ix as u32));
    let mut out = Vec::new();
    for community in communities(export) {
        let live = community.live(export, &agent);
        for item in community.item.iter() {
            for key in ["comment", "name", "read-access", "authentication-protocol", "encryption-protocol"] {
                let _ = item.get(key);
            }
            for key in ["authentication-password", "encryption-password"] {
                if item.text(key).is_some() {
                    let found = secret::of(export, item, key);
                    secret::add(device, found, SecretUse::Other, "SNMP", Direction::Verifies, live.clone());
                }
            }
        }
        // The factory's row says nothing about a box whose agent is off.
        let at = community.item.as_ref().map(Item::span).or_else(|| agent.origin.spans().first().copied()).or(export.head);
        let Some(at) = at.filter(|_| community.item.is_some() || !agent.value.is_false()) else { continue };
        let named = community.item.as_ref().and_then(|i| i.text("name").map(|_| secret::of(export, i, "name")));
        let word = named.map(|found| secret::add(device, found, SecretUse::SnmpCommunity, "SNMP", Direction::Verifies, live.clone()));
        let factory_word =
            (word.is_none() && community.factory).then(|| export.default_at("snmp community.name", at, |w| Some(w.to_owned())));
        let write = match &community.item {
            Some(item) => export.row_switch(item, "write-access", "snmp community"),
            None => export.default_at("snmp community.write-access", at, super::yes_no),
        };
        out.push(SnmpAccess { span: at, version: SnmpVersion::V1V2c, live, community: word, factory_word, write, listener: answered });
    }
    device.snmp = export.list(TOPIC, out);
    if let Some(item) = export.menus.items("/snmp").iter().rfind(|i| i.text("trap-community").is_some()) {
        let found = secret::of(export, item, "trap-community");
        secret::add(device, found, SecretUse::SnmpCommunity, "trap", Direction::Presents, agent);
    }
}
