//! What the products that keep the whole box in one `config.xml` read in the same way.
//!
//! They descend from one firewall distribution and have kept its sections: interfaces, the rule list and its generator, translations,
//! aliases, users, IPsec, OpenVPN. A dialect of this ancestry lowers these topics with the functions here and what is its own (its
//! identity, its pages of administration, its newer models) in its own folder. Where the products read one element differently, a field of
//! [`Product`] says how. This folder is no dialect: it has no grammar, is not in the registry, and names none of the products.

pub(in crate::dialect) mod access;
pub(in crate::dialect) mod account;
pub(in crate::dialect) mod address;
pub(in crate::dialect) mod alias;
pub(in crate::dialect) mod context;
pub(in crate::dialect) mod crypto;
pub(in crate::dialect) mod filter;
pub(in crate::dialect) mod generated;
pub(in crate::dialect) mod identity;
pub(in crate::dialect) mod infrastructure;
pub(in crate::dialect) mod interface;
pub(in crate::dialect) mod ipsec;
pub(in crate::dialect) mod ipsec_mobile;
pub(in crate::dialect) mod management;
pub(in crate::dialect) mod nat;
pub(in crate::dialect) mod openvpn;
pub(in crate::dialect) mod plain;
pub(in crate::dialect) mod reference;
pub(in crate::dialect) mod rule;
pub(in crate::dialect) mod secret;
pub(in crate::dialect) mod sides;
pub(in crate::dialect) mod system;
pub(in crate::dialect) mod wireguard;

use crate::dialect::Input;
use crate::dialect::grammar::Grammar;
use crate::ir::device::{Device, Identity, Version};
use crate::ir::fact::{Fact, List};
use crate::source::Span;
use crate::syntax::Tree;
use crate::syntax::xml::Element;
use address::Families;
use context::Context;

/// Where the products read the same element differently.
pub(in crate::dialect) struct Product {
    /// The section that holds models, whose switches are `1` and `0`; empty where the product has none.
    pub models: &'static str,
    /// Whether `0` in a switch of a section says no; else the element alone says yes.
    pub zero_is_off: bool,
    /// Whether an end that a row does not name is no condition; else the row is not loaded.
    pub silent_ends: bool,
    /// The families of a row of a section that names none.
    pub silent_family: Families,
    /// Whether ports count without a protocol, as those of TCP; else only with one that has ports.
    pub ports_mean_tcp: bool,
    /// The release, as far as an export tells it.
    pub version: fn(&Tree<'_>, Option<Element<'_>>, &Grammar) -> Option<Version>,
    /// Whether a document that ends, with sections of these names, is the whole box.
    pub is_whole: fn(Element<'_>, &[&str]) -> bool,
    /// Whether what arrives on the device of an OpenVPN server with this number are users, by settings that are the product's own.
    pub serves_users: fn(&Lowering<'_>, &str) -> bool,
    /// Makes interfaces for VPNs that are the product's own.
    pub vpn_interfaces: for<'a> fn(&mut Lowering<'a>),
    /// Who brings a phase 1 up.
    pub ipsec_starts: for<'a> fn(&Lowering<'a>, Element<'a>, &[Element<'a>]) -> Fact<crate::ir::tunnel::Starts>,
    /// The switch of IPsec as a whole, where the product has one.
    pub ipsec_switch: fn(&Lowering<'_>) -> Option<Fact<bool>>,
    /// Whether a user's own row says which group it is in, beside the group's list of members.
    pub names_group: bool,
    /// Whether a user who may use a shell has one.
    pub has_shell: fn(Element<'_>) -> bool,
    /// Whether administrators must show a second factor, where the product has one of its own. Called with the life of an account.
    pub second_factor: fn(&Lowering<'_>, &Fact<bool>) -> Option<Fact<bool>>,
    /// What else makes use of local users without privileges: the line that says so.
    pub asks_local_users: fn(&Lowering<'_>) -> Option<Span>,
    /// Elements that name the servers which check logins.
    pub names_servers: for<'a> fn(&Lowering<'a>) -> Vec<Element<'a>>,
}

/// The box on its way to becoming a device.
pub(in crate::dialect) struct Lowering<'a> {
    pub cx: Context<'a>,
    pub device: Device,
    pub names: interface::Names<'a>,
    pub aliases: alias::Aliases<'a>,
}

impl<'a> Lowering<'a> {
    /// Looks at an export as a whole: who it is of, and what the product can do.
    pub(in crate::dialect) fn begin(input: &Input<'a>, product: &'static Product) -> Lowering<'a> {
        let cx = Context::new(input, product);
        let table = &cx.grammar.file.identity;
        let system = cx.section("system");
        let identity = Identity {
            vendor: table.vendor.clone(),
            product: table.product.clone(),
            lifecycle_key: table.lifecycle_key.clone(),
            version: cx.version.clone(),
            model: None,
            hostname: system.and_then(|s| s.value("hostname")).map(str::to_owned),
            ha_group: system.and(cx.section("hasync")).and_then(|h| h.value("pfsyncpeerip")).map(str::to_owned),
        };
        let mut device = Device::new(identity, cx.completeness.clone());
        device.span = Some(cx.evidence);
        if device.name.is_empty() {
            device.name.clone_from(&table.product);
        }
        let mut l = Lowering { cx, device, names: interface::Names::default(), aliases: alias::Aliases::default() };
        identity::capabilities(&mut l);
        l
    }

    /// Says of each list whether it is all there is.
    pub(in crate::dialect) fn finish(mut self) -> Device {
        fn close<T>(cx: &Context<'_>, list: &mut List<T>, topic: &'static str) {
            list.rest = cx.rest(topic);
        }
        let (cx, device) = (&self.cx, &mut self.device);
        close(cx, &mut device.listeners, "listeners");
        close(cx, &mut device.tunnels, "tunnels");
        close(cx, &mut device.remote_access, "remote_access");
        close(cx, &mut device.accounts, "accounts");
        close(cx, &mut device.admin_paths, "accounts");
        close(cx, &mut device.login_policies, "login_policy");
        close(cx, &mut device.secrets, "secrets");
        close(cx, &mut device.auth_servers, "auth_servers");
        close(cx, &mut device.snmp, "snmp");
        close(cx, &mut device.definitions, "objects");
        close(cx, &mut device.undefined, "objects");
        self.device
    }
}
