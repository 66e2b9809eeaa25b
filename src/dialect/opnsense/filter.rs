//! The rule list of the product. Order of its generator: translations that pass, its own blocks and passes, floating rows, rows of groups,
//! rows of interfaces, and at the end its passes for translations and IPsec. Within a class rows of the model come before those of the
//! section.

use super::{Lowering, infrastructure, rule};
use crate::dialect::config_xml::filter::{Class, assemble};
use crate::dialect::config_xml::generated::{self, Row};
use crate::dialect::config_xml::management::ports_in_use;
use crate::dialect::config_xml::rule::Form;
use crate::ir::filter::{AddrExpr, IfMatch, Rule, SvcExpr, SvcTerm, TCP, Verdict};
use crate::syntax::xml::Element;

/// Lowers it.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let rows = rows(l);
    let mut written = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let class = class(l, *row);
        written.push((class, rule::lower(l, *row, number, &rows)));
    }
    let mut before: Vec<Rule> = generated::no_ipv6(l).into_iter().collect();
    for zone in infrastructure::captive_portals(l) {
        let ports = infrastructure::portal_ports(zone);
        before.extend(generated::portal(l, zone, zone.value("interfaces").unwrap_or(""), ports, |_| AddrExpr::SelfAddrs));
    }
    before.extend(generated::no_private_networks(l));
    before.extend(anti_lockout(l));
    let off = l.cx.set_at("system/disablevpnrules").or_else(|| l.cx.model("IPsec/general/disablevpnrules").filter(|e| e.text() == "1"));
    // Passes of translations end the search, those for peers do not.
    let after = generated::registered(l).into_iter().map(|r| (r, true));
    let after = after.chain(generated::ipsec_peers(l, off.is_some()).into_iter().map(|r| (r, false))).collect();
    let span = l.cx.section("filter").or_else(|| l.cx.model("Firewall/Filter")).map(|f| f.span());
    assemble(l, written, before, after, span);
}

/// Rows of both generations: those of the model by their sequence, then those of the section.
fn rows<'a>(l: &Lowering<'a>) -> Vec<(Form, Element<'a>)> {
    let mut models = l.cx.models("Firewall/Filter/rules/rule");
    models.sort_by_key(|r| r.value("sequence").and_then(|s| s.parse::<u32>().ok()).unwrap_or(u32::MAX));
    let old = l.cx.rows("filter", "rule").into_iter().filter(|r| !r.has("separator"));
    models.into_iter().map(|r| (Form::Model, r)).chain(old.map(|r| (Form::Section, r))).collect()
}

/// The part of the list a row stands in.
fn class(l: &Lowering<'_>, (form, row): (Form, Element<'_>)) -> Class {
    let on = row.value("interface").unwrap_or("");
    let group = || l.names.groups.contains_key(on) && !l.names.keys.contains_key(on) || l.names.empty_groups.contains(on);
    if rule::is_floating(l, row, form) {
        Class::Floating
    } else if group() {
        Class::Group
    } else {
        Class::Interface
    }
}

/// The row that keeps the administration reachable: on `lan`, else on the first of the others, else on `wan`.
fn anti_lockout(l: &Lowering<'_>) -> Option<Rule> {
    let webgui = l.cx.at("system/webgui")?;
    if l.cx.on(webgui, "noantilockout") {
        return None;
    }
    let place = |key: &str| match key {
        "lan" => Some((0, 0)),
        "wan" => Some((2, 0)),
        key => Some((1, key.strip_prefix("opt")?.parse::<u32>().ok()?)),
    };
    let rows = l.names.rows.iter().filter(|(ix, _)| !l.device.interfaces[ix.0 as usize].up.value.is_false());
    let (_, ix, row) = rows.filter_map(|(ix, row)| Some((place(row.name())?, ix, row))).min_by_key(|(place, ix, _)| (*place, **ix))?;
    Some(generated::rule(Row {
        label: "Anti-Lockout Rule".to_owned(),
        span: row.span(),
        on: IfMatch::These(vec![*ix]),
        src: AddrExpr::Any,
        dst: AddrExpr::SelfAddrs,
        svc: SvcExpr::Term(SvcTerm::ports(TCP, ports_in_use(l, &["https", "http", "ssh"]))),
        verdict: Verdict::Accept,
    }))
}
