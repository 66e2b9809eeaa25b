//! Fortinet FortiOS: FortiGate and FortiWiFi exports, `show` captures, exports of single virtual domains.
//!
//! A file becomes one device per virtual domain, and one for what they share; what the other half of the box holds is unknown, never
//! default, when it is not in the file. Each submodule lowers one topic; all of them ask [`context::Context`] for facts.

mod access;
mod account;
mod address;
mod admin_path;
mod context;
mod crypto;
mod exposure;
mod filter;
mod header;
mod infrastructure;
mod interface;
mod keeper;
mod listener;
mod login_policy;
mod nat;
mod object;
mod phase1;
mod policy;
mod reference;
mod secret;
mod service;
mod split;
mod ssl_vpn;
mod system;
#[cfg(test)]
mod tests;
mod trust;
mod tunnel;

use crate::dialect::{Dialect, Input};
use crate::ir::account::AccountIx;
use crate::ir::device::{ContextKind, Device, ExportForm, Identity};
use crate::ir::fact::Fact;
use crate::ir::filter::{AddrObjectIx, SvcObjectIx};
use crate::ir::interface::{InterfaceIx, ZoneIx};
use crate::ir::nat::NatIx;
use crate::source::Span;
use context::{Context, Fields};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Fortinet FortiOS.
pub struct Fortios;

/// What the registry holds.
pub static IMPLEMENTATION: Fortios = Fortios;

impl Dialect for Fortios {
    fn name(&self) -> &'static str {
        "fortios"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/fortios.toml")
    }

    fn starts_statement(&self, line: &str) -> bool {
        let word = line.split([' ', '\t', '\r']).next().unwrap_or("");
        line.starts_with('#') || ["config", "edit", "set", "unset", "append", "next", "end"].contains(&word)
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        let contexts = split::contexts(input);
        let first_is_global = contexts.first().is_some_and(|c| c.is_global);
        let count = contexts.len();
        contexts
            .into_iter()
            .enumerate()
            .map(|(ix, cx)| {
                let mut device = device(cx);
                device.parent = (first_is_global && count > 1 && ix > 0).then_some(0);
                device
            })
            .collect()
    }
}

/// What is known of a phase 1 before anything is lowered.
#[derive(Clone, Copy, Debug)]
struct Phase1Name {
    span: Span,
    route_based: bool,
    /// Whether those who dial in are users, not sites.
    users: bool,
}

/// What a policy says about the tunnels, groups and times it names.
#[derive(Clone, Debug)]
struct PolicyUse<'a> {
    span: Span,
    /// Whether it is in force and accepts.
    permits: Fact<bool>,
    /// Inbound and outbound interfaces; `None`: any.
    ingress: Option<Vec<InterfaceIx>>,
    egress: Option<Vec<InterfaceIx>>,
    /// Whether it holds at certain times only.
    scheduled: bool,
    /// Groups and users who may use it.
    principals: Vec<(&'a str, Span)>,
    /// The policy-based tunnel it sends into.
    tunnel: Option<&'a str>,
    /// Whether it is the entry of an old-style SSL-VPN.
    ssl_vpn: bool,
    /// Whether its sources are translated.
    nat: Option<Span>,
    /// Whether it publishes an inside host.
    publishes: bool,
    /// Whether all its destinations are surely private addresses.
    private_only: bool,
}

/// Names of one context, and what is collected on the way.
#[derive(Default)]
struct Names<'a> {
    phase1: HashMap<&'a str, Phase1Name>,
    /// Interfaces that carry the Internet line inside another protocol.
    carriers: HashSet<&'a str>,
    ha_management: HashSet<&'a str>,
    /// The export has no row of an interface: names in other sections are all there is.
    bare: bool,
    interfaces: HashMap<&'a str, InterfaceIx>,
    zones: HashMap<&'a str, ZoneIx>,
    /// The row of each interface, in the order of the device's interfaces.
    rows: Vec<Option<Fields<'a>>>,
    /// Id, interface and place of SD-WAN members.
    sdwan_members: Vec<(&'a str, &'a str, Span)>,
    addresses: HashMap<&'a str, AddrObjectIx>,
    addresses6: HashMap<&'a str, AddrObjectIx>,
    services: HashMap<&'a str, SvcObjectIx>,
    /// Translations of a name; a group has several.
    translations: HashMap<&'a str, Vec<NatIx>>,
    /// Schedules, and whether they cover the whole week.
    schedules: HashMap<&'a str, bool>,
    /// Documented behaviour that was looked up already.
    behaviours: HashMap<&'static str, Fact<bool>>,
    /// Whether virtual addresses act without being named.
    central_nat: bool,
    policies: Vec<PolicyUse<'a>>,
    users: BTreeMap<&'a str, AccountIx>,
    undefined: Vec<crate::ir::system::Undefined>,
    /// Whether the owner set a key of his own for the secrets of the export.
    own_key: bool,
    /// Whether administrators must change their passwords within 60 days.
    rotated: Option<Fact<bool>>,
}

/// One context on its way to becoming a device.
struct Lowering<'a> {
    cx: Context<'a>,
    device: Device,
    names: Names<'a>,
}

impl Lowering<'_> {
    /// Whether the export prints every attribute, those at their default too.
    fn is_full_dump(&self) -> bool {
        self.cx.completeness.form == ExportForm::FullWithDefaults
    }
}

/// Lowers one context.
fn device(mut cx: Context<'_>) -> Device {
    if split::full_with_defaults(&cx) {
        cx.completeness.form = ExportForm::FullWithDefaults;
    }
    let identity = identity(&cx);
    let mut device = Device::new(identity, cx.completeness.clone());
    device.span = Some(cx.evidence);
    if device.name.is_empty() {
        device.name = if cx.multi && !cx.is_global { cx.domain.clone() } else { device.identity.model.clone().unwrap_or_default() };
    }
    if cx.multi {
        device.context = if cx.is_global { "global".to_owned() } else { cx.domain.clone() };
        device.context_kind = if cx.is_global { ContextKind::Global } else { ContextKind::Virtual };
    }
    let mut l = Lowering { cx, device, names: Names::default() };
    if !l.cx.is_global {
        split::names(&mut l);
        interface::lower(&mut l);
        object::lower(&mut l);
        service::lower(&mut l);
        nat::lower(&mut l);
        filter::lower(&mut l);
        nat::after_policies(&mut l);
    }
    account::lower(&mut l);
    if !l.cx.is_global {
        exposure::lower(&mut l);
        trust::lower(&mut l);
    }
    admin_path::lower(&mut l);
    secret::lower(&mut l);
    system::lower(&mut l);
    reference::lower(&mut l);
    l.device
}

fn identity(cx: &Context<'_>) -> Identity {
    let table = &cx.grammar.file.identity;
    let global = cx.global.find("system global");
    let hostname = global.fields.as_ref().and_then(|f| f.name("hostname")).map(|(n, _)| n.to_owned());
    let ha = cx.global.find("system ha");
    let ha_group = ha.fields.as_ref().filter(|f| f.value("mode").is_some_and(|m| m != "standalone")).map(|f| {
        let part = |name| f.value(name).unwrap_or("");
        format!("{}/{}", part("group-name"), part("group-id"))
    });
    Identity {
        vendor: table.vendor.clone(),
        product: table.product.clone(),
        lifecycle_key: table.lifecycle_key.clone(),
        version: cx.header.version.clone(),
        model: cx.header.model.clone(),
        hostname,
        ha_group,
    }
}
