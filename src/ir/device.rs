//! A device: everything one context of one box says about itself.

use super::account::{Account, AdminPath, AuthServer, LoginPolicy, Secret, SecretIx};
use super::fact::{Fact, List, Origin, Rest, Why};
use super::filter::{AddrObject, Filter, Pipeline, SvcObject};
use super::interface::{Interface, InterfaceIx, IpNet, Zone};
use super::listener::Listener;
use super::nat::Nat;
use super::system::{Definition, Logging, SnmpAccess, TimeSource, Undefined, UpdatePolicy};
use super::tunnel::{RemoteAccess, Tunnel};
use crate::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How much of a version the export shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// The whole version.
    Exact,
    /// The train only.
    Train,
    /// Nothing.
    None,
}

/// A version as the export shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// As printed, e.g. `7.0.14`.
    pub text: String,
    /// Its numbers, most significant first.
    pub parts: Vec<u32>,
    /// How much of it is known.
    pub precision: Precision,
    /// The line that shows it.
    pub span: Option<Span>,
}

/// Who the device is.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Vendor's name.
    pub vendor: String,
    /// Product's name.
    pub product: String,
    /// Key of the product in the lifecycle data, e.g. `fortinet.fortios`.
    pub lifecycle_key: String,
    /// Software version.
    pub version: Option<Version>,
    /// Hardware model as the vendor names it.
    pub model: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Group of a high-availability pair, so that a twin's equal secrets are no reuse.
    pub ha_group: Option<String>,
}

/// What part of a box a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextKind {
    /// The whole box.
    Whole,
    /// The part that all contexts share.
    Global,
    /// A virtual box (VDOM, vsys, ASA context, logical system).
    Virtual,
}

/// What kind of thing the device is in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRole {
    /// A router or firewall.
    Gateway,
    /// VPN software on a host.
    ServerSoftware,
    /// A switch: questions about the Internet side do not apply.
    Switch,
}

impl DeviceRole {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            DeviceRole::Gateway => "gateway",
            DeviceRole::ServerSoftware => "server_software",
            DeviceRole::Switch => "switch",
        }
    }
}

/// What form an export has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// Everything that differs from the defaults.
    Full,
    /// Everything, defaults printed.
    FullWithDefaults,
    /// One part chosen on purpose.
    Section,
    /// Cut out of something larger.
    Excerpt,
}

/// How complete the export is about each topic of [`super::schema::TOPICS`].
#[derive(Clone, Debug)]
pub struct Completeness {
    /// Form of the export.
    pub form: ExportForm,
    /// Topics that are not complete, with the reason. A topic without an entry is complete.
    pub gaps: BTreeMap<&'static str, Why>,
}

impl Completeness {
    /// The rest of a list of a topic: complete, by `evidence`, unless the topic has a gap.
    pub fn rest(&self, topic: &'static str, evidence: super::fact::Origin) -> Rest {
        match self.gaps.get(topic) {
            Some(why) => Rest::MayHoldMore(why.clone()),
            None => Rest::Complete(evidence),
        }
    }
}

/// How many statements were understood.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// All statements.
    pub statements: u32,
    /// Read by the dialect.
    pub read: u32,
    /// Known by name to be irrelevant.
    pub irrelevant: u32,
    /// Neither: first line of each such region, and the topics it could hold.
    pub unrecognised: Vec<Unread>,
    /// How many statements were not recognised.
    pub unrecognised_statements: u32,
}

/// A region that was not understood.
#[derive(Clone, Debug)]
pub struct Unread {
    /// The region.
    pub span: Span,
    /// Statements in it.
    pub statements: u32,
    /// Topics it could hold.
    pub could_hold: Vec<&'static str>,
}

/// One context of one box.
#[derive(Clone, Debug)]
pub struct Device {
    /// The name used in reports: host name, or what else identifies it.
    pub name: String,
    /// Name of the context; empty for a whole box.
    pub context: String,
    /// What part of the box it is.
    pub context_kind: ContextKind,
    /// Index of the device that holds what all contexts share, in the same export.
    pub parent: Option<usize>,
    /// First line of the device's own part of the export.
    pub span: Option<Span>,
    /// Who it is.
    pub identity: Identity,
    /// Who tells the version, where it is not the export: a person, or another file.
    pub version_told: Option<Arc<str>>,
    /// What it is in its network.
    pub role: DeviceRole,
    /// What the product can do; words of [`super::schema::CAPABILITIES`].
    pub capabilities: BTreeMap<&'static str, Fact<bool>>,
    /// How complete the export is.
    pub completeness: Completeness,
    /// How much was understood.
    pub coverage: Coverage,
    /// Interfaces.
    pub interfaces: Vec<Interface>,
    /// Networks that static routes lead to, default routes left out: who may stand behind an interface beside its own networks.
    pub routed: Vec<(InterfaceIx, IpNet)>,
    /// Zones.
    pub zones: Vec<Zone>,
    /// The order of decisions.
    pub pipeline: Pipeline,
    /// Address objects.
    pub addr_objects: Vec<AddrObject>,
    /// Service objects.
    pub svc_objects: Vec<SvcObject>,
    /// Filters.
    pub filters: Vec<Filter>,
    /// Destination translation.
    pub nat: Nat,
    /// Listeners.
    pub listeners: List<Listener>,
    /// Tunnels.
    pub tunnels: List<Tunnel>,
    /// Remote access.
    pub remote_access: List<RemoteAccess>,
    /// Accounts.
    pub accounts: List<Account>,
    /// Administrators' ways in.
    pub admin_paths: List<AdminPath>,
    /// Rules for logging in.
    pub login_policies: List<LoginPolicy>,
    /// Secrets.
    pub secrets: List<Secret>,
    /// Servers that check logins.
    pub auth_servers: List<AuthServer>,
    /// Logging; `None`: another context holds it.
    pub logging: Option<Logging>,
    /// What sets the clock; `None`: another context holds it.
    pub clock: Option<List<TimeSource>>,
    /// SNMP.
    pub snmp: List<SnmpAccess>,
    /// Updates; `None`: another context holds it.
    pub update: Option<UpdatePolicy>,
    /// Defined names, for the question what is unused.
    pub definitions: List<Definition>,
    /// Names that are used and defined nowhere.
    pub undefined: List<Undefined>,
}

impl Device {
    /// What the version rests on: its line, what is told beside the export, or the export that shows none.
    pub fn version_origin(&self) -> Origin {
        match (&self.version_told, self.identity.version.as_ref().and_then(|v| v.span).or(self.span)) {
            (Some(told), _) => Origin::Stated(told.clone()),
            (None, Some(span)) => Origin::Written(span),
            (None, None) => Origin::inferred("infer.device", []),
        }
    }

    /// Adds a secret and gives its place.
    pub fn add_secret(&mut self, secret: Secret) -> SecretIx {
        let ix = SecretIx(self.secrets.items.len() as u32);
        self.secrets.items.push(secret);
        ix
    }

    /// An empty device of an identity; every list may hold more until the dialect says otherwise.
    pub fn new(identity: Identity, completeness: Completeness) -> Device {
        Device {
            name: identity.hostname.clone().unwrap_or_default(),
            context: String::new(),
            context_kind: ContextKind::Whole,
            parent: None,
            span: None,
            identity,
            version_told: None,
            role: DeviceRole::Gateway,
            capabilities: BTreeMap::new(),
            completeness,
            coverage: Coverage::default(),
            interfaces: Vec::new(),
            routed: Vec::new(),
            zones: Vec::new(),
            pipeline: Pipeline::default(),
            addr_objects: Vec::new(),
            svc_objects: Vec::new(),
            filters: Vec::new(),
            nat: Nat::default(),
            listeners: List::default(),
            tunnels: List::default(),
            remote_access: List::default(),
            accounts: List::default(),
            admin_paths: List::default(),
            login_policies: List::default(),
            secrets: List::default(),
            auth_servers: List::default(),
            logging: None,
            clock: None,
            snmp: List::default(),
            update: None,
            definitions: List::default(),
            undefined: List::default(),
        }
    }

    /// The interface of that name.
    pub fn interface(&self, name: &str) -> Option<InterfaceIx> {
        self.interfaces.iter().position(|i| i.name == name).map(|ix| InterfaceIx(ix as u32))
    }
}
