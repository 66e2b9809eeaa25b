//! Questions over the intermediate form, answered once for every dialect. Each answer is a [`Record`] whose fields rest on the
//! facts they were computed from; rules judge, nothing here does.
//!
//! Exposure and wide rules are answered with the packet algebra by running packets through the order of decisions that the
//! device declares. What the export does not say stays unknown all the way.

pub mod auth;
pub mod difference;
pub mod engine;
pub mod exposure;
pub mod fate;
pub mod filters;
pub mod firmware;
mod flow;
pub mod forward;
pub mod grants;
mod guess;
mod hash;
mod limits;
pub mod reach;
mod ready;
pub mod resolve;
pub mod reuse;
pub mod secret;
pub mod story;
pub mod strength;
pub mod system;
pub mod text;
mod translate;
pub mod trust;
pub mod tunnel;
mod universe;

use crate::ir::device::{ContextKind, Device, Precision};
use crate::ir::fact::{Fact, Origin, Rest, Val, Why, WhyCode};
use crate::ir::interface::InterfaceIx;
use crate::ir::record::{FactSheet, Record, Records, Value, Word};
use crate::ir::schema::{self, Kind};
use crate::lifecycle::Lifecycle;
use crate::source::Span;
use exposure::Exposure;
use grants::Grants;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a person states about a facility and its devices; from `sekisho.toml`.
#[derive(Clone, Debug, Default)]
pub struct Stated {
    /// Interfaces that face a network the facility does not run.
    pub untrusted: Vec<String>,
    /// Interfaces that face the facility's own networks.
    pub trusted: Vec<String>,
    /// Names a password must not hold: facility, representative, town.
    pub names: Vec<String>,
    /// Words that mark a vendor's account, beside the built-in ones.
    pub vendors: Vec<String>,
    /// Hardware model, where the export does not tell it.
    pub model: Option<String>,
    /// Version of the software, where the export does not tell it.
    pub os_version: Option<String>,
    /// Tunnels that the facility needs to be always on: name, and why, with date and person.
    pub accepted_tunnels: BTreeMap<String, String>,
}

impl Stated {
    /// Why a tunnel is accepted as always on, if somebody says so.
    pub fn accepted_tunnel(&self, name: &str) -> Option<String> {
        self.accepted_tunnels.get(name).cloned()
    }
}

/// Units of work for the hashes of one device where nobody says otherwise: about a tenth of a second, so that an audit of a thousand
/// devices that all keep hashes takes less than a minute on two cores (`docs/benchmarks.md`).
pub const HASH_BUDGET: u64 = 200_000;

/// What every question of one run shares.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a person states.
    pub stated: Stated,
    /// The audit date as `YYYY-MM-DD`.
    pub as_of: String,
    /// Support dates.
    pub data: Arc<Lifecycle>,
    /// Key of this run for fingerprints of secrets.
    pub run_key: Arc<[u8; 32]>,
    /// What the exports of the run have in common; empty where one is looked at alone.
    pub census: Arc<reuse::Census>,
    /// Which of them this is.
    pub export: reuse::Export,
    /// Units of work for testing the hashes of one device; 0: none is tested.
    pub hash_budget: u64,
}

impl Default for Settings {
    /// The built-in data, one export alone, nothing stated.
    fn default() -> Settings {
        Settings {
            stated: Stated::default(),
            as_of: String::new(),
            data: Lifecycle::builtin(),
            run_key: Arc::default(),
            census: Arc::default(),
            export: reuse::Export::default(),
            hash_budget: 0,
        }
    }
}

/// One device among the devices of its export.
pub struct Context<'a> {
    /// All devices of the export.
    pub devices: &'a [Device],
    /// Which of them.
    pub ix: usize,
    /// What a person states.
    pub stated: &'a Stated,
    /// Settings of the run.
    pub settings: &'a Settings,
    /// Judged sides, by interface.
    pub sides: &'a [trust::Side],
}

impl<'a> Context<'a> {
    /// The device.
    pub fn device(&self) -> &'a Device {
        &self.devices[self.ix]
    }

    /// The device that holds what all contexts share, or the device itself.
    pub fn shared(&self) -> &'a Device {
        self.device().parent.and_then(|p| self.devices.get(p)).unwrap_or_else(|| self.device())
    }

    /// The judged side of an interface.
    pub fn side(&self, ix: InterfaceIx) -> Option<&'a trust::Side> {
        self.sides.get(ix.0 as usize)
    }

    /// Whether one of the interfaces is on an untrusted side.
    pub fn any_untrusted(&self, interfaces: &[InterfaceIx], at: Span) -> Fact<bool> {
        interfaces
            .iter()
            .filter_map(|ix| self.side(*ix))
            .map(trust::Side::untrusted)
            .reduce(|a, b| a.or(&b))
            .unwrap_or_else(|| Fact::unknown(Why::at(WhyCode::Site, "interface", vec![at])))
    }
}

/// A fact that is a word of the schema.
pub fn known_word(word: &'static str, origin: Origin) -> Fact<Word> {
    Fact::known(Cow::Borrowed(word), origin)
}

/// The origin of a line.
pub fn written_or(span: Span) -> Origin {
    Origin::Written(span)
}

/// The records of a device under construction.
pub struct Sheet<'a> {
    kinds: Vec<Vec<Record>>,
    /// What comes out of each tunnel.
    pub tunnel_grants: Vec<Grants>,
    /// What users of each remote access reach.
    pub remote_access_grants: Vec<Grants>,
    /// Exposures of this device's listeners.
    pub exposures: &'a [Exposure],
    /// Exposures of every context of the box, where this device holds what they share.
    pub shared_exposures: Vec<&'a Exposure>,
}

impl Sheet<'_> {
    /// Adds a finished record.
    pub fn add(&mut self, record: Record) {
        debug_assert!(record.missing().is_empty(), "{}: fields nobody set: {:?}", record.kind.name, record.missing());
        if let Some(ix) = schema::KINDS.iter().position(|k| k.name == record.kind.name) {
            self.kinds[ix].push(record);
        }
    }
}

/// Answers every question about the devices of one export.
pub fn analyse(devices: &[Device], settings: &Settings) -> Vec<FactSheet> {
    let stated = &settings.stated;
    let sides: Vec<Vec<trust::Side>> =
        (0..devices.len()).map(|ix| trust::sides(&Context { devices, ix, stated, settings, sides: &[] })).collect();
    let contexts: Vec<Context<'_>> = sides.iter().enumerate().map(|(ix, sides)| Context { devices, ix, stated, settings, sides }).collect();
    let engines: Vec<engine::Engine<'_>> = contexts.iter().map(engine::Engine::new).collect();
    let exposures: Vec<Vec<Exposure>> = engines.iter().map(engine::Engine::exposures).collect();
    contexts.iter().zip(&engines).map(|(cx, engine)| sheet(cx, engine, &exposures)).collect()
}

fn sheet(cx: &Context<'_>, engine: &engine::Engine<'_>, exposures: &[Vec<Exposure>]) -> FactSheet {
    let device = cx.device();
    let below = |ix: &usize| *ix == cx.ix || cx.devices[*ix].parent == Some(cx.ix);
    let mut sheet = Sheet {
        kinds: vec![Vec::new(); schema::KINDS.len()],
        tunnel_grants: device.tunnels.iter().map(|t| engine.tunnel_grants(t)).collect(),
        remote_access_grants: device.remote_access.iter().map(|r| engine.remote_access_grants(r)).collect(),
        exposures: &exposures[cx.ix],
        shared_exposures: (0..cx.devices.len()).filter(below).flat_map(|ix| &exposures[ix]).collect(),
    };
    exposure::records(cx, &mut sheet);
    forward::records(cx, engine, &mut sheet);
    filters::records(cx, engine, &mut sheet);
    tunnel::records(cx, &mut sheet);
    auth::records(cx, &mut sheet);
    secret::records(cx, &mut sheet);
    reuse::records(cx, &mut sheet);
    system::records(cx, &mut sheet);
    firmware::records(cx, &mut sheet);
    let kinds = schema::KINDS.iter().zip(sheet.kinds).map(|(kind, items)| Records { items, rest: rest(device, kind) }).collect();
    FactSheet { device: device_record(cx), kinds }
}

fn device_record(cx: &Context<'_>) -> Record {
    let device = cx.device();
    let at = device.span.map_or_else(|| Origin::inferred("infer.device", []), Origin::Written);
    let mut record = Record::new(&schema::DEVICE, device.name.clone(), device.span);
    record.word("role", known_word(device.role.word(), at.clone()));
    record.text("product", device.identity.product.clone(), at.clone());
    let shared = cx.shared();
    let can = |sure: bool| {
        let holds = move |f: &Fact<bool>| if sure { f.value.is_true() } else { !f.value.is_false() };
        shared
            .capabilities
            .iter()
            .filter(move |(_, f)| holds(f))
            .map(|(name, _)| Cow::Borrowed(*name))
            .collect::<std::collections::BTreeSet<Word>>()
    };
    let why = shared.capabilities.values().find_map(|f| f.value.why().cloned());
    let origin = Origin::all(shared.capabilities.values().map(|f| f.origin.clone()).chain([at.clone()]));
    // A capability the dialect says nothing about may or may not be there.
    let silent = schema::CAPABILITIES.iter().filter(|c| !shared.capabilities.contains_key(**c)).map(|c| Cow::Borrowed(*c));
    let mut hi = can(false);
    hi.extend(silent);
    record.set(
        "can",
        Value::Set {
            lo: can(true),
            hi,
            why: why.or_else(|| Some(Why::new(WhyCode::DefaultUndocumented, device.identity.product.clone()))),
        },
        origin,
    );
    let precision = match device.identity.version.as_ref().map(|v| v.precision) {
        Some(Precision::Exact) => "exact",
        Some(Precision::Train) => "train",
        _ => "none",
    };
    record.word("version_precision", known_word(precision, at.clone()));
    let untrusted = cx.sides.iter().map(trust::Side::untrusted).reduce(|a, b| a.or(&b));
    record.bool("any_untrusted", untrusted.unwrap_or_else(|| Fact::known(false, at.clone())));
    let complete = schema::TOPICS.iter().filter(|t| !device.completeness.gaps.contains_key(**t)).map(|t| Cow::Borrowed(*t)).collect();
    record.exact_set("complete", complete, at);
    record
}

/// Whether there may be subjects of a kind that the export does not show.
fn rest(device: &Device, kind: &Kind) -> Rest {
    let evidence = || device.span.map_or_else(|| Origin::inferred("infer.device", []), Origin::Written);
    let topic = |topic: &'static str| device.completeness.rest(topic, evidence());
    match kind.name {
        "listener" => device.listeners.rest.clone(),
        "exposure" => match (&device.listeners.rest, topic("interfaces")) {
            (Rest::Complete(_), other) => other,
            (listeners, _) => listeners.clone(),
        },
        "forward" | "nat_rule" => match (topic("nat"), topic("forward_filter")) {
            (Rest::Complete(_), other) => other,
            (nat, _) => nat,
        },
        "interface" => topic("interfaces"),
        "filter_rule" => topic("forward_filter"),
        "tunnel" => device.tunnels.rest.clone(),
        "remote_access" | "remote_access_path" => device.remote_access.rest.clone(),
        "admin_path" => device.admin_paths.rest.clone(),
        "login_policy" => device.login_policies.rest.clone(),
        "account" => device.accounts.rest.clone(),
        "secret" | "secret_group" => device.secrets.rest.clone(),
        "auth_server" => device.auth_servers.rest.clone(),
        "snmp_access" => device.snmp.rest.clone(),
        "proposal" => match (&device.tunnels.rest, &device.remote_access.rest) {
            (Rest::Complete(_), other) => other.clone(),
            (tunnels, _) => tunnels.clone(),
        },
        "object" => device.definitions.rest.clone(),
        "reference" => device.undefined.rest.clone(),
        _ => Rest::Complete(evidence()),
    }
}

/// Whether the device holds what belongs to the box as a whole (and not only a virtual part of it).
pub fn is_whole(device: &Device) -> bool {
    device.context_kind != ContextKind::Virtual
}

/// The truth value that both of two bounds agree on.
pub fn between(lo: bool, hi: bool, why: impl FnOnce() -> Why) -> Val<bool> {
    match (lo, hi) {
        (true, _) => Val::Known(true),
        (false, false) => Val::Known(false),
        (false, true) => Val::Unknown(why()),
    }
}
