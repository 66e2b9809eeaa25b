//! The rule list of the product. Order of its generator: translations that pass, its own blocks and passes, floating rows, rows of groups
//! and VPNs, rows of interfaces, its passes for IPsec.

use super::{Lowering, infrastructure, rule};
use crate::dialect::config_xml::filter::{Class, assemble};
use crate::dialect::config_xml::generated::{self, Row};
use crate::dialect::config_xml::management::ports_in_use;
use crate::ir::filter::{AddrExpr, IfMatch, Rule, SvcExpr, SvcTerm, TCP, Verdict};
use crate::syntax::xml::Element;

/// Lowers it.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let rows: Vec<Element<'_>> = l.cx.rows("filter", "rule").into_iter().filter(|r| !r.has("separator")).collect();
    let mut written = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let class = class(l, *row);
        written.push((class, rule::lower(l, *row, number, &rows)));
    }
    let mut before: Vec<Rule> = generated::no_ipv6(l).into_iter().collect();
    for zone in infrastructure::captive_portals(l) {
        let ports = infrastructure::portal_ports(zone);
        before.extend(generated::portal(l, zone, zone.value("interface").unwrap_or(""), ports, AddrExpr::InterfaceAddr));
    }
    before.extend(generated::no_private_networks(l));
    before.extend(anti_lockout(l));
    let after = generated::ipsec_peers(l, l.cx.at("system/disablevpnrules").is_some());
    let span = l.cx.section("filter").map(|f| f.span());
    assemble(l, written, before, after.into_iter().map(|r| (r, false)).collect(), span);
}

/// The part of the list a row stands in.
fn class(l: &Lowering<'_>, row: Element<'_>) -> Class {
    let on = row.value("interface").unwrap_or("");
    if row.has("floating") {
        Class::Floating
    } else if l.names.groups.contains_key(on) || l.cx.listed("vpn_tabs", on) {
        Class::Group
    } else {
        Class::Interface
    }
}

/// The row that keeps the administration reachable: on `lan`, or on the only interface there is.
fn anti_lockout(l: &Lowering<'_>) -> Option<Rule> {
    let webgui = l.cx.at("system/webgui")?;
    if webgui.has("noantilockout") {
        return None;
    }
    let (ix, row) = match l.names.rows.len() {
        1 => l.names.rows.iter().next()?,
        _ => l.names.rows.iter().find(|(_, row)| row.name() == "lan")?,
    };
    Some(generated::rule(Row {
        label: "Anti-Lockout Rule".to_owned(),
        span: row.span(),
        on: IfMatch::These(vec![*ix]),
        src: AddrExpr::Any,
        dst: AddrExpr::InterfaceAddr(*ix),
        svc: SvcExpr::Term(SvcTerm::ports(TCP, ports_in_use(l, &["https", "http", "ssh"]))),
        verdict: Verdict::Accept,
    }))
}
