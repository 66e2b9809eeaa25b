//! Juniper Junos: SRX firewalls with security zones, and the same configuration language without zones on routers and switches.
//!
//! A file becomes one device for the box and one for each logical system or tenant. Both printed forms give one tree and groups
//! are written out by the syntax family, so every topic asks for a path of words. Each submodule lowers one topic.

mod access;
mod account;
mod filter;
mod gate;
mod identity;
mod ike;
mod infrastructure;
mod interface;
mod listener;
mod login;
mod nat;
mod object;
mod policy;
mod secret;
mod service;
mod side;
mod snmp;
mod system;
#[cfg(test)]
mod tests;
mod tunnel;
mod value;

use crate::dialect::grammar::Grammar;
use crate::dialect::{Dialect, Input};
use crate::ir::device::{Completeness, ContextKind, Device, Version};
use crate::ir::fact::{Fact, List, Origin, Rest, Why, WhyCode};
use crate::ir::filter::{AddrObjectIx, SvcObjectIx};
use crate::ir::interface::{InterfaceIx, ZoneIx};
use crate::ir::system::Undefined;
use crate::source::Span;
use crate::syntax::brace::rows;
use crate::syntax::{Mark, Node};
use std::collections::{BTreeMap, HashMap};

/// Juniper Junos.
pub struct JunosSrx;

/// What the registry holds.
pub static IMPLEMENTATION: JunosSrx = JunosSrx;

impl Dialect for JunosSrx {
    fn name(&self) -> &'static str {
        "junos-srx"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/junos-srx.toml")
    }

    fn starts_statement(&self, line: &str) -> bool {
        let word = line.split([' ', '\t', '\r']).next().unwrap_or("");
        matches!(word, "set" | "delete" | "deactivate" | "activate" | "insert" | "}" | "")
            || line.ends_with([';', '{'])
            || line.starts_with('#')
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        let root = input.tree.root();
        let mut devices = vec![device(input, root, None)];
        for keyword in ["logical-systems", "tenants"] {
            for own in rows(root, &[keyword]) {
                let mut inner = device(input, own, Some(keyword));
                inner.parent = Some(0);
                devices.push(inner);
            }
        }
        leftovers(root);
        devices
    }
}

/// Groups were read where they are applied; what is switched off or deleted is known to be so.
fn leftovers(root: Node<'_>) {
    for keyword in ["groups", "apply-groups", "delete:"] {
        for node in root.children().filter(|n| n.word(0) == Some(keyword)) {
            node.mark_below(Mark::Read);
        }
    }
    let mut stack: Vec<Node<'_>> = root.children().collect();
    while let Some(node) = stack.pop() {
        match node.word(0) {
            Some("inactive:" | "delete:" | "apply-groups" | "apply-groups-except") => node.mark_below(Mark::Read),
            _ => stack.extend(node.children()),
        }
    }
}

/// How packets to the box are gated.
#[derive(Clone, Debug)]
enum Gatekeeping {
    /// Zones: what no `host-inbound-traffic` names is dropped.
    Zones,
    /// No zones: every service that runs answers on every interface.
    Open(Origin),
    /// The export does not say.
    Unknown(Why),
}

/// Where an interface stands among the zones.
#[derive(Clone, Copy, Debug)]
struct Membership<'a> {
    /// The zone's statement.
    zone: Node<'a>,
    /// The line that puts the interface into it.
    interface: Node<'a>,
}

/// Names of one device, and what is collected on the way.
#[derive(Default)]
struct Names<'a> {
    interfaces: HashMap<String, InterfaceIx>,
    /// The unit of each interface, in the order of the device's interfaces.
    units: Vec<Node<'a>>,
    memberships: Vec<Option<Membership<'a>>>,
    zones: HashMap<&'a str, ZoneIx>,
    /// Addresses by book (empty: the global one) and name.
    addresses: HashMap<(&'a str, &'a str), AddrObjectIx>,
    /// Books of a zone, by its name.
    books: HashMap<&'a str, Vec<&'a str>>,
    address_uses: Vec<u32>,
    applications: HashMap<&'a str, SvcObjectIx>,
    application_uses: Vec<u32>,
    prefix_lists: HashMap<&'a str, AddrObjectIx>,
    /// Words behind which ports are hidden, of translations and of applications.
    hidden_nat_ports: HashMap<u32, Vec<&'a str>>,
    hidden_app_ports: HashMap<&'a str, &'a str>,
    /// Uses of other names: kind and name.
    uses: HashMap<(&'static str, &'a str), u32>,
    definitions: Vec<(&'static str, &'a str, Span)>,
    undefined: Vec<Undefined>,
    /// Zones whose every permit is limited to certain times, with the line that says so.
    scheduled_zones: HashMap<ZoneIx, (bool, Span)>,
    /// Policy-based tunnels that a policy in force names.
    tunnels_in_policies: HashMap<&'a str, Span>,
}

/// One device on its way.
struct Lowering<'a> {
    grammar: &'a Grammar,
    /// The configuration of this device: the whole file, or a logical system's part.
    own: Node<'a>,
    /// The whole file.
    root: Node<'a>,
    version: Option<Version>,
    completeness: Completeness,
    /// Where an absence is shown.
    head: Span,
    gatekeeping: Gatekeeping,
    device: Device,
    names: Names<'a>,
}

impl<'a> Lowering<'a> {
    /// The value of a line that is not there: unknown where the export may lack the part, else the documented default.
    fn absent<T>(&self, key: &str, topic: &str, anchor: Option<Span>, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        if anchor.is_none() && self.completeness.gaps.contains_key(topic) {
            return Fact::unknown(Why::at(WhyCode::NotExported, key, vec![self.head]));
        }
        self.grammar.default_as(key, self.version.as_ref(), anchor.or(Some(self.head)), parse)
    }

    /// A default that holds whatever the export shows: what the product is.
    fn product(&self, key: &str) -> Fact<bool> {
        self.grammar.default_as(key, self.version.as_ref(), Some(self.head), switch)
    }

    /// Whether a list of a topic is all there is.
    fn rest(&self, topic: &'static str) -> Rest {
        self.completeness.rest(topic, Origin::Written(self.head))
    }

    fn list<T>(&self, topic: &'static str, items: Vec<T>) -> List<T> {
        List { items, rest: self.rest(topic) }
    }

    /// That something is named nowhere: sure in a complete export, unknown in a fragment.
    fn nowhere(&self, topic: &str, code: &'static str, about: &str, span: Span) -> Fact<bool> {
        match self.completeness.gaps.get(topic) {
            Some(why) => Fact::unknown(Why::at(why.code(), about, vec![span])),
            None => Fact::known(false, Origin::inferred(code, [Origin::Written(span)])),
        }
    }

    /// Counts a use of a name.
    fn used(&mut self, kind: &'static str, name: &'a str) {
        *self.names.uses.entry((kind, name)).or_default() += 1;
    }
}

/// Words of the grammar file for truth values.
fn switch(word: &str) -> Option<bool> {
    match word {
        "enable" | "yes" => Some(true),
        "disable" | "no" => Some(false),
        _ => None,
    }
}

fn device<'a>(input: &Input<'a>, own: Node<'a>, inner: Option<&'static str>) -> Device {
    let root = input.tree.root();
    let identity = identity::identity(input);
    let (completeness, head) = identity::completeness(input);
    let gatekeeping = identity::gatekeeping(input, own, &completeness, head);
    let mut device = Device::new(identity, completeness.clone());
    device.span = Some(if inner.is_some() { own.span() } else { head });
    if let Some(keyword) = inner {
        device.context = own.word_or_empty(0).to_owned();
        device.context_kind = ContextKind::Virtual;
        own.parent().map(Node::read);
        let _ = keyword;
    }
    if device.name.is_empty() {
        device.name = device.identity.model.clone().unwrap_or_default();
    }
    let version = device.identity.version.clone();
    let mut l = Lowering { grammar: input.grammar, own, root, version, completeness, head, gatekeeping, device, names: Names::default() };
    interface::lower(&mut l);
    object::lower(&mut l);
    service::lower(&mut l);
    nat::lower(&mut l);
    policy::lower(&mut l);
    filter::lower(&mut l);
    listener::lower(&mut l);
    infrastructure::lower(&mut l);
    tunnel::lower(&mut l);
    access::lower(&mut l);
    side::lower(&mut l);
    if inner.is_none() {
        account::lower(&mut l);
        login::lower(&mut l);
        system::lower(&mut l);
        secret::lower(&mut l);
    } else {
        system::inner(&mut l);
    }
    snmp::lower(&mut l, inner.is_none());
    object::finish(&mut l);
    identity::role(&mut l);
    l.device
}

/// Topics with a gap, all for the same reason.
fn gaps(topics: &[&'static str], why: impl Fn(&str) -> Why) -> BTreeMap<&'static str, Why> {
    topics.iter().map(|t| (*t, why(t))).collect()
}
