//! OPNsense: the whole configuration in one `config.xml`, or a part of it.
//!
//! Two generations of settings stand side by side and both are in force: sections of the product's ancestor directly below the
//! document element, and models below `<OPNsense>` whose rows carry a `uuid`. Each topic reads both. What the sections share with the
//! product's relatives stands in `config_xml`; each submodule here lowers what is the product's own. What the product adds by itself is
//! written out as rows.

mod access;
mod crypto;
mod filter;
mod identity;
mod infrastructure;
mod instance;
mod management;
mod rule;
mod snmp;
mod swanctl;
mod system;
#[cfg(test)]
mod tests;
mod wireguard;

use crate::dialect::config_xml::address::Families;
use crate::dialect::config_xml::{
    self, Lowering, Product, account, alias, context, interface, ipsec, nat, openvpn, plain, reference, secret, sides,
};
use crate::dialect::{Dialect, Input};
use crate::ir::device::Device;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::interface::InterfaceKind;
use crate::ir::tunnel::Starts;
use crate::syntax::xml::Element;

/// OPNsense.
pub struct Opnsense;

/// What the registry holds.
pub static IMPLEMENTATION: Opnsense = Opnsense;

static PRODUCT: Product = Product {
    models: "OPNsense",
    zero_is_off: true,
    silent_ends: true,
    silent_family: Families::Both,
    ports_mean_tcp: false,
    version: identity::version,
    is_whole: identity::is_whole,
    serves_users: |l, id| instance::servers(l).into_iter().any(|s| s.value("vpnid") == Some(id) && instance::serves_users(s)),
    vpn_interfaces,
    ipsec_starts,
    ipsec_switch: |l| Some(ipsec_switch(l)),
    names_group: false,
    has_shell,
    second_factor: access::second_factor,
    asks_local_users: access::asks_local_users,
    names_servers: access::names_servers,
};

impl Dialect for Opnsense {
    fn name(&self) -> &'static str {
        "opnsense"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/opnsense.toml")
    }

    fn starts_statement(&self, line: &str) -> bool {
        line.starts_with('<')
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        let mut l = Lowering::begin(input, &PRODUCT);
        interface::lower(&mut l);
        alias::lower(&mut l);
        nat::lower(&mut l);
        account::lower(&mut l);
        config_xml::access::servers(&mut l);
        management::lower(&mut l);
        filter::lower(&mut l);
        // The rules know the pages of administration; the monitor's is not among those they keep open.
        infrastructure::lower(&mut l);
        openvpn::lower(&mut l);
        instance::lower(&mut l);
        ipsec::lower(&mut l);
        swanctl::lower(&mut l);
        wireguard::lower(&mut l);
        plain::lower(&mut l);
        sides::lower(&mut l);
        access::lower(&mut l);
        config_xml::system::lower(&mut l);
        system::lower(&mut l);
        snmp::lower(&mut l);
        secret::rest(&mut l);
        reference::lower(&mut l);
        vec![l.finish()]
    }
}

/// Interfaces of VPNs that models describe.
fn vpn_interfaces(l: &mut Lowering<'_>) {
    for row in instance::rows(l) {
        let stem = if instance::is_server(row) { "ovpns" } else { "ovpnc" };
        interface::openvpn(l, row, stem, row.filled("server"), context::model_enabled(row));
    }
    if let Some(first) = l.cx.models("Swanctl/Connections/Connection").into_iter().next() {
        interface::ipsec(l, first);
    }
    for row in wireguard::instances(l) {
        let device = wireguard::device(row);
        let ix = interface::made(l, "wireguard", &device, InterfaceKind::Tunnel, row, context::model_enabled(row));
        interface::own_address(l, ix, row.filled("tunneladdress"), false);
    }
}

/// Whether IPsec is on as a whole: the switch of the section is that of the model, and that for mobile users switches it on, too.
fn ipsec_switch(l: &Lowering<'_>) -> Fact<bool> {
    if let Some(e) = l.cx.model("IPsec/general/enabled").filter(|e| e.has_text()) {
        return Fact::written(e.text() == "1", e.span());
    }
    match l.cx.at("ipsec/enable").or_else(|| l.cx.at("ipsec/client/enable")) {
        Some(e) => l.cx.is_set(e),
        None => l.cx.default("ipsec.enable", l.cx.section("ipsec").map(|s| s.span()), context::switch),
    }
}

/// Who brings a phase 1 up: `auto` says it, `add` waits, else traffic does; where routes are not to be made by themselves it starts at once.
fn ipsec_starts<'a>(l: &Lowering<'a>, phase1: Element<'a>, _: &[Element<'a>]) -> Fact<Starts> {
    if let Some(answers) = ipsec::only_answers(phase1) {
        return answers;
    }
    match phase1.filled("auto") {
        Some(e) => match e.text() {
            "add" => Fact::written(Starts::Never, e.span()),
            "start" => Fact::written(Starts::AtBoot, e.span()),
            "route" | "trap" => Fact::written(Starts::OnTraffic, e.span()),
            _ => Fact::unknown(Why::at(WhyCode::Ambiguous, "auto", vec![e.span()])),
        },
        None => match l.cx.set_at("ipsec/auto_routes_disable").filter(|e| e.has_text()) {
            Some(e) => Fact::written(Starts::AtBoot, e.span()),
            None => l.cx.default("ipsec.phase1.auto", Some(phase1.span()), |v| (v == "route").then_some(Starts::OnTraffic)),
        },
    }
}

/// Users other than the first have the shell that is written for them, and none without.
fn has_shell(user: Element<'_>) -> bool {
    user.value("uid") == Some("0") || user.value("shell").is_some_and(|s| !s.ends_with("nologin")) || grants_shell(user)
}

/// The privilege of releases before shells were chosen.
fn grants_shell(user: Element<'_>) -> bool {
    user.all("priv").any(|p| p.text() == "user-shell-access")
}
