//! Netgate pfSense CE and Plus: the whole configuration in one `config.xml`, or the backup of one area of it.
//!
//! What the product adds by itself (anti-lockout, blocked private networks, passes for IPsec) is written out as rows, and its rule list,
//! in which a later row may overrule an earlier one, is put into first-match order. What it reads as the products of its ancestry do
//! stands in `config_xml`; each submodule here lowers what is its own.

mod access;
mod dial_in;
mod filter;
mod identity;
mod infrastructure;
mod management;
mod package;
mod rule;
#[cfg(test)]
mod tests;
mod wireguard;

use crate::dialect::config_xml::address::Families;
use crate::dialect::config_xml::{
    self, Lowering, Product, account, alias, interface, ipsec, nat, openvpn, reference, secret, sides, system,
};
use crate::dialect::{Dialect, Input};
use crate::ir::device::Device;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::interface::InterfaceKind;
use crate::ir::tunnel::Starts;
use crate::syntax::xml::Element;

/// Netgate pfSense.
pub struct Pfsense;

/// What the registry holds.
pub static IMPLEMENTATION: Pfsense = Pfsense;

static PRODUCT: Product = Product {
    models: "",
    zero_is_off: false,
    silent_ends: false,
    silent_family: Families::V4,
    ports_mean_tcp: true,
    version: identity::version,
    is_whole: |_, _| true,
    serves_users: |_, _| false,
    vpn_interfaces,
    ipsec_starts,
    ipsec_switch: |_| None,
    names_group: true,
    has_shell: |_| true,
    second_factor: |_, _| None,
    asks_local_users: |l| infrastructure::captive_portals(l).first().map(|portal| portal.span()),
    names_servers: |l| {
        let zones = l.cx.section("captiveportal").into_iter().flat_map(|s| s.children());
        zones.filter_map(|z| z.filled("auth_server")).collect()
    },
};

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
        let mut l = Lowering::begin(input, &PRODUCT);
        interface::lower(&mut l);
        alias::lower(&mut l);
        nat::lower(&mut l);
        account::lower(&mut l);
        config_xml::access::servers(&mut l);
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
        vec![l.finish()]
    }
}

/// Interfaces of WireGuard and of the dial-in servers.
fn vpn_interfaces(l: &mut Lowering<'_>) {
    for row in wireguard::tunnels(l) {
        if let Some(name) = row.value("name") {
            interface::made(l, "WireGuard", name, InterfaceKind::Tunnel, row, wireguard::is_on(row));
        }
    }
    for (section, group) in [("l2tp", "l2tp"), ("pptpd", "pptp")] {
        if let Some(row) = l.cx.section(section).filter(|r| r.value("mode") == Some("server")) {
            interface::made(l, group, group, InterfaceKind::RemoteAccess, row, Fact::written(true, row.span()));
        }
    }
    for row in l.cx.rows("pppoes", "pppoe").into_iter().filter(|r| r.value("mode") == Some("server")) {
        let name = format!("poes{}", row.value("pppoeid").unwrap_or(""));
        interface::made(l, "pppoe", &name, InterfaceKind::RemoteAccess, row, Fact::written(true, row.span()));
    }
}

/// Who brings a phase 1 up: what it says, else traffic; a routed tunnel cannot start on traffic, the product starts it at once instead.
fn ipsec_starts<'a>(l: &Lowering<'a>, phase1: Element<'a>, phases2: &[Element<'a>]) -> Fact<Starts> {
    let routed = phases2.iter().find(|p| p.value("mode") == Some("vti"));
    let word = |w: &str| match w {
        "none" => Some(Starts::Never),
        "start" => Some(Starts::AtBoot),
        "trap" => Some(Starts::OnTraffic),
        _ => None,
    };
    if let Some(answers) = ipsec::only_answers(phase1) {
        return answers;
    }
    match phase1.filled("startaction") {
        Some(e) if !(e.text() == "trap" && routed.is_some()) => match word(e.text()) {
            Some(starts) => Fact::written(starts, e.span()),
            None => Fact::unknown(Why::at(WhyCode::Ambiguous, "startaction", vec![e.span()])),
        },
        _ => {
            let key = if routed.is_some() { "ipsec.phase1.startaction.vti" } else { "ipsec.phase1.startaction" };
            l.cx.default(key, Some(phase1.span()), word)
        }
    }
}
