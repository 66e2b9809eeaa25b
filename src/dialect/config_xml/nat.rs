//! Translations: port forwards, whole addresses one to one, and on which interfaces sources are translated.
//!
//! A port forward is followed by the rule list, which sees the inside address. With `pass` as its association no rule is asked; with `rule`
//! the product adds a pass at the very end of the list.

use super::address::{self, Families};
use super::context::{model_enabled, names};
use super::rule::Form;
use super::{Lowering, rule};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, SvcExpr, SvcTerm};
use crate::ir::interface::AddressHow;
use crate::ir::live::{LinkKind, Live};
use crate::ir::nat::{NatIx, NatKind, NatRule};
use crate::source::Span;
use crate::syntax::xml::Element;

/// Lowers them.
pub(in crate::dialect) fn lower(l: &mut Lowering<'_>) {
    if l.cx.set_at("system/disablefilter").is_some() {
        return;
    }
    for (number, row) in forwards(l).into_iter().enumerate() {
        let translation = forward(l, row, number);
        l.device.nat.rules.push(translation);
    }
    for (form, row) in one_to_one_rows(l) {
        let translation = one_to_one(l, row, form);
        l.device.nat.rules.extend(translation);
    }
    sources(l);
}

/// Port forwards; those by which something is exempted translate nothing.
fn forwards<'a>(l: &Lowering<'a>) -> Vec<Element<'a>> {
    let rows = l.cx.rows("nat", "rule").into_iter();
    rows.filter(|r| r.has("target") && !l.cx.on(*r, "nordr") && !r.has("separator")).collect()
}

fn one_to_one_rows<'a>(l: &Lowering<'a>) -> Vec<(Form, Element<'a>)> {
    let models = l.cx.models("Firewall/Filter/onetoone/rule").into_iter().map(|r| (Form::Model, r));
    models.chain(l.cx.rows("nat", "onetoone").into_iter().map(|r| (Form::Section, r))).collect()
}

/// What a port forward says of the rule that goes with it, in the words of newer and of older releases.
fn association<'a>(row: Element<'a>, word: &str) -> Option<Element<'a>> {
    ["pass", "associated-rule-id"].into_iter().filter_map(|n| row.filled(n)).find(|e| e.text() == word)
}

/// Port forwards for which the product adds a rule of its own.
pub(in crate::dialect) fn registered<'a>(l: &Lowering<'a>) -> Vec<(Element<'a>, NatIx)> {
    let rows = forwards(l).into_iter().enumerate().filter(|(n, _)| *n < l.device.nat.rules.len());
    rows.filter_map(|(n, row)| Some((association(row, "rule")?, NatIx(n as u32)))).collect()
}

impl Lowering<'_> {
    /// Port forwards that pass without a rule.
    pub(in crate::dialect) fn translation_passes(&self) -> Vec<(NatIx, Span)> {
        let rows = forwards(self).into_iter().enumerate();
        rows.filter_map(|(n, row)| {
            let pass = association(row, "pass")?;
            (n < self.device.nat.rules.len()).then(|| (NatIx(n as u32), pass.span()))
        })
        .collect()
    }
}

fn family(families: Families) -> Family {
    match families {
        Families::V4 => Family::V4,
        Families::V6 => Family::V6,
        Families::Both => Family::Both,
    }
}

fn name(row: Element<'_>, number: usize) -> String {
    row.value("descr").or_else(|| row.value("description")).map_or_else(|| (number + 1).to_string(), str::to_owned)
}

fn forward<'a>(l: &mut Lowering<'a>, row: Element<'a>, number: usize) -> NatRule {
    let span = row.span();
    let families = rule::families(l, row, Form::Section);
    let mut live = Live::own(l.cx.enabled(row, "disabled"));
    let src = peer_end(l, row, "source");
    let dst = match row.has("destination") {
        true => address::endpoint(l, row, "destination"),
        false => Some(old_destination(l, row)),
    };
    let svc = address::service(l, row, families, address::SECTION).map(|svc| svc.map(terms));
    let target = row.filled("target");
    let to = target.and_then(|t| address::named_place(l, t.text(), t.text_span()).map(|e| Fact::written(e, t.span())));
    if src.is_none() || dst.is_none() || svc.is_none() || to.is_none() {
        live = live.with(LinkKind::Referenced, Fact::known(false, Origin::inferred("rule_not_loaded", [Origin::Written(span)])));
    }
    let unknown = || Fact::unknown(Why::at(WhyCode::Unresolved, "alias", vec![span]));
    let (orig_svc, sure) = match svc.as_ref().and_then(Fact::get) {
        Some(terms) => (terms.clone(), true),
        None => (Vec::new(), false),
    };
    let orig_svc = match row.filled("external-port").and_then(|p| address::port_range(p.text())) {
        Some(ports) => orig_svc.into_iter().map(|t| SvcTerm { dst_ports: vec![ports], ..t }).collect(),
        None => orig_svc,
    };
    if !sure {
        live = live.with(LinkKind::Referenced, Fact::unknown(Why::at(WhyCode::RuntimeContent, "port", vec![span])));
    }
    NatRule {
        name: name(row, number),
        span,
        kind: NatKind::PortForward,
        live,
        ingress: l.interface_match(row.filled("interface")),
        family: family(families),
        src: src.unwrap_or_else(unknown),
        orig_dst: dst.unwrap_or_else(unknown),
        orig_svc,
        to: to.unwrap_or_else(unknown),
        to_port: first_port(l, row),
        needs_reference: false,
        layer7: false,
    }
}

/// An end of a translation; one that is not there is no condition.
fn peer_end(l: &mut Lowering<'_>, row: Element<'_>, name: &str) -> Option<Fact<AddrExpr>> {
    match row.has(name) {
        true => address::endpoint(l, row, name),
        false => Some(Fact::written(AddrExpr::Any, row.span())),
    }
}

/// The form of the ancestor's first releases: the address outside by itself, or that of the interface.
fn old_destination(l: &Lowering<'_>, row: Element<'_>) -> Fact<AddrExpr> {
    if let Some(e) = row.filled("external-address") {
        return match address::literal(e.text()) {
            Some(expr) => Fact::written(expr, e.span()),
            None => Fact::written(AddrExpr::Any, e.span()),
        };
    }
    let on = row.value("interface").unwrap_or("wan");
    match l.names.keys.get(on) {
        Some(ix) => Fact::written(AddrExpr::InterfaceAddr(*ix), row.span()),
        None => Fact::written(AddrExpr::SelfAddrs, row.span()),
    }
}

/// Blocks of protocol and ports of a service.
fn terms(svc: &SvcExpr) -> Vec<SvcTerm> {
    match svc {
        SvcExpr::Term(term) => vec![term.clone()],
        SvcExpr::Union(parts) => parts.iter().flat_map(terms).collect(),
        _ => Vec::new(),
    }
}

/// The first port inside, where it differs from the one outside.
fn first_port(l: &Lowering<'_>, row: Element<'_>) -> Option<u16> {
    let text = row.value("local-port")?;
    match address::port_range(text) {
        Some((first, _)) => Some(first),
        None => match l.aliases.ports(text) {
            Some(super::alias::Ports::Known(list)) if list.len() == 1 => list.first().map(|(first, _)| *first),
            // An alias of several ports leaves ports as they are.
            _ => None,
        },
    }
}

fn one_to_one<'a>(l: &mut Lowering<'a>, row: Element<'a>, form: Form) -> Option<NatRule> {
    let span = row.span();
    let external = row.filled("external")?;
    let inside = match (form, row.filled("internal")) {
        (Form::Model, _) => address::model_endpoint(l, row, "source_net", "source_not")?,
        (Form::Section, Some(e)) => Fact::written(address::literal(e.text())?, e.span()),
        (Form::Section, None) => address::endpoint(l, row, "source")?,
    };
    // The network outside has the size of the one inside.
    let outside = match (address::network(external.text()), inside.get()) {
        (Some(net), Some(AddrExpr::Range(first, last))) => sized(net.addr, *first, *last),
        _ => address::named_place(l, external.text(), external.text_span())?,
    };
    let src = match form {
        Form::Model => address::model_endpoint(l, row, "destination_net", "destination_not")?,
        Form::Section => peer_end(l, row, "destination")?,
    };
    let v6 = matches!(inside.get(), Some(AddrExpr::Range(first, _)) if first.is_ipv6());
    Some(NatRule {
        name: name(row, l.device.nat.rules.len()),
        span,
        kind: NatKind::OneToOne,
        live: Live::own(if form == Form::Model { model_enabled(row) } else { l.cx.enabled(row, "disabled") }),
        ingress: l.interface_match(row.filled("interface")),
        family: if v6 { Family::V6 } else { Family::V4 },
        src,
        orig_dst: Fact::written(outside, external.span()),
        orig_svc: Vec::new(),
        to: inside,
        to_port: None,
        needs_reference: false,
        layer7: false,
    })
}

/// As many addresses from `start` on as there are from `first` to `last`.
fn sized(start: std::net::IpAddr, first: std::net::IpAddr, last: std::net::IpAddr) -> AddrExpr {
    use std::net::IpAddr::{V4, V6};
    let end = match (start, first, last) {
        (V4(s), V4(a), V4(b)) => V4(u32::from(s).saturating_add(u32::from(b).saturating_sub(u32::from(a))).into()),
        (V6(s), V6(a), V6(b)) => V6(u128::from(s).saturating_add(u128::from(b).saturating_sub(u128::from(a))).into()),
        _ => start,
    };
    AddrExpr::Range(start, end)
}

/// Interfaces on which sources are translated on the way out: outside ones by themselves, others where a row says so.
fn sources(l: &mut Lowering<'_>) {
    let outbound = l.cx.at("nat/outbound");
    let mode = outbound.and_then(|o| o.value("mode")).unwrap_or("");
    let automatic = !matches!(mode, "advanced" | "disabled");
    let mut list = Vec::new();
    if automatic {
        let origin = l.cx.behaviour("nat.outbound.automatic", outbound.map(|o| o.span())).origin;
        for (ix, row) in &l.names.rows {
            let interface = &l.device.interfaces[ix.0 as usize];
            let taken = interface.addresses.iter().any(|a| !a.v6 && matches!(a.how, AddressHow::Dhcp | AddressHow::Ppp));
            if taken || row.value("gateway").is_some_and(|g| g != "none") {
                list.push((*ix, origin.clone()));
            }
        }
    }
    let by_hand = matches!(mode, "advanced" | "hybrid");
    let of_section = outbound.into_iter().flat_map(|o| o.all("rule")).filter(|r| by_hand && l.cx.may_be_on(*r, "disabled"));
    let of_model = l.cx.models("Firewall/Filter/snatrules/rule").into_iter();
    let of_model = of_model.filter(|r| mode != "disabled" && !model_enabled(*r).value.is_false());
    let rows: Vec<Element<'_>> = of_section.chain(of_model).filter(|r| !l.cx.on(*r, "nonat")).collect();
    for row in rows {
        row.read_below();
        let Some(on) = row.filled("interface") else { continue };
        let (found, _) = l.interfaces(on.text());
        let local = |t: &str| t.starts_with("127.") || t.starts_with("::1");
        // Rows for the box's own packets say nothing about networks.
        if row.value("source/network").or_else(|| row.value("source_net")).is_some_and(local) && names(on.text()).count() == 1 {
            continue;
        }
        list.extend(found.into_iter().map(|ix| (ix, Origin::Written(on.span()))));
    }
    list.sort_by_key(|(ix, origin)| (*ix, !matches!(origin, Origin::Written(_))));
    l.device.nat.source_nat_on = list;
}
