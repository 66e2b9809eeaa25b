//! Netgate pfSense CE and Plus: the whole configuration in one `config.xml`, or the backup of one area of it.
//!
//! What the product adds by itself (anti-lockout, blocked private networks, passes for IPsec) is written out as rows, and its rule list,
//! in which a later row may overrule an earlier one, is put into first-match order. Each submodule lowers one topic; all of them ask
//! [`context::Context`] whether an absent section proves anything.

mod access;
mod account;
mod address;
mod alias;
mod context;
mod crypto;
mod dial_in;
mod filter;
mod generated;
mod identity;
mod infrastructure;
mod interface;
mod ipsec;
mod ipsec_mobile;
mod management;
mod nat;
mod openvpn;
mod package;
mod reference;
mod rule;
mod secret;
mod sides;
mod system;
#[cfg(test)]
mod tests;
mod wireguard;

use crate::dialect::{Dialect, Input};
use crate::ir::device::{Device, Identity};
use crate::ir::fact::List;
use context::Context;

/// Netgate pfSense.
pub struct Pfsense;

/// What the registry holds.
pub static IMPLEMENTATION: Pfsense = Pfsense;

impl Dialect for Pfsense {
    fn name(&self) -> &'static str {
        "pfsense"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/pfsense.toml")
    }

    fn starts_statement(&self, line: &str) -> bool {
        line.starts_with('<')
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        vec![device(Context::new(input))]
    }
}

/// The box on its way to becoming a device.
struct Lowering<'a> {
    cx: Context<'a>,
    device: Device,
    names: interface::Names<'a>,
    aliases: alias::Aliases<'a>,
}

fn device(cx: Context<'_>) -> Device {
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
    interface::lower(&mut l);
    alias::lower(&mut l);
    nat::lower(&mut l);
    account::lower(&mut l);
    access::servers(&mut l);
    management::lower(&mut l);
    infrastructure::lower(&mut l);
    filter::lower(&mut l);
    openvpn::lower(&mut l);
    ipsec::lower(&mut l);
    wireguard::lower(&mut l);
    dial_in::lower(&mut l);
    sides::lower(&mut l);
    access::lower(&mut l);
    package::lower(&mut l);
    secret::rest(&mut l);
    system::lower(&mut l);
    reference::lower(&mut l);
    l.finish()
}

impl Lowering<'_> {
    /// Says of each list whether it is all there is.
    fn finish(mut self) -> Device {
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
