//! One row of a policy table: interfaces, addresses, services, conditions, verdict, logging.

use super::context::{Fields, switch};
use super::object::{Space, address, limits_time, named_at, surely_private, undefined};
use super::service::service;
use super::{Lowering, PolicyUse, interface};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Guard, IfMatch, NatMatch, Opaque, OpaqueKind, Rule, RuleLog, SvcExpr, Verdict};
use crate::ir::live::Live;
use crate::ir::nat::NatIx;
use crate::source::Span;

/// The tables of rows, which differ in what their words mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// `firewall policy`: both families since 6.4, IPv4 before.
    Policy,
    /// `firewall policy6`.
    Policy6,
    /// `firewall local-in-policy`.
    LocalIn,
    /// `firewall local-in-policy6`.
    LocalIn6,
}

impl Table {
    pub(super) fn is_local(self) -> bool {
        matches!(self, Table::LocalIn | Table::LocalIn6)
    }

    /// Attribute names for addresses of a side with their negation, and the namespace their names are of.
    fn spaces(self, side: Side) -> &'static [(&'static str, &'static str, Space)] {
        match (self, side) {
            (Table::Policy, Side::Src) => &[
                ("srcaddr", "srcaddr-negate", Space::V4),
                ("srcaddr4", "srcaddr4-negate", Space::V4),
                ("srcaddr6", "srcaddr6-negate", Space::V6),
            ],
            (Table::Policy, Side::Dst) => &[
                ("dstaddr", "dstaddr-negate", Space::V4),
                ("dstaddr4", "dstaddr4-negate", Space::V4),
                ("dstaddr6", "dstaddr6-negate", Space::V6),
            ],
            (Table::LocalIn, Side::Src) => &[("srcaddr", "srcaddr-negate", Space::V4)],
            (Table::LocalIn, Side::Dst) => &[("dstaddr", "dstaddr-negate", Space::V4)],
            (Table::Policy6 | Table::LocalIn6, Side::Src) => &[("srcaddr", "srcaddr-negate", Space::V6)],
            (Table::Policy6 | Table::LocalIn6, Side::Dst) => &[("dstaddr", "dstaddr-negate", Space::V6)],
        }
    }
}

/// A side of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Src,
    Dst,
}

/// Lowers a row. What tunnels, groups and translation need to know about it is noted beside.
pub(super) fn rule<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, table: Table) -> Rule {
    let span = row.span();
    let mut guards = Vec::new();
    let ingress = interfaces(l, row, if table.is_local() { "intf" } else { "srcintf" });
    let egress = if table.is_local() { IfMatch::Any } else { interfaces(l, row, "dstintf") };
    let (src, _) = addresses(l, row, table, Side::Src, &mut guards);
    let (dst, via) = addresses(l, row, table, Side::Dst, &mut guards);
    let action = row.get("action").map(|a| (a.value(), a.span()));
    let verdict = verdict(l, row, table, action, &mut guards);
    let svc = services(l, row);
    let principals = conditions(l, row, &mut guards);
    let scheduled = guards.iter().any(|g| matches!(g, Guard::Schedule(_)));
    let live = Live::own(l.cx.switch(row, "status", "firewall policy.status"));
    let nat = NatMatch { plain_sees_translated: sees_translated(l, row, table, &verdict), via };
    let log = log(l, row, table, &verdict);
    if !table.is_local() {
        let accepts = verdict.map(|v| *v == Verdict::Accept);
        let list = |m: &IfMatch| match m {
            IfMatch::Any => None,
            IfMatch::These(list) => Some(list.clone()),
            IfMatch::Unknown(_) => Some(Vec::new()),
        };
        l.names.policies.push(PolicyUse {
            span,
            permits: live.value().and(&accepts),
            ingress: list(&ingress),
            egress: list(&egress),
            scheduled,
            principals,
            tunnel: row.value("vpntunnel"),
            ssl_vpn: matches!(action, Some(("ssl-vpn", _))),
            nat: row.get("nat").filter(|a| a.value() == "enable").map(|a| a.span()),
            publishes: !nat.via.is_empty(),
            private_only: dst.get().is_some_and(|e| surely_private(l, e, 4)),
        });
    }
    let label = match row.name("name") {
        Some((name, _)) => format!("{} ({name})", row.key()),
        None => row.key().to_owned(),
    };
    Rule { label, span, live, ingress, egress, src, dst, svc, guards, nat, verdict, log, generated: false }
}

fn interfaces<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, attribute: &str) -> IfMatch {
    let names = row.values(attribute);
    if names.is_empty() {
        return IfMatch::Unknown(Why::at(WhyCode::NotExported, attribute, vec![row.span()]));
    }
    let (found, unknown) = interface::resolve(l, &names);
    for (name, span) in unknown {
        undefined(l, "interface", name, span);
    }
    found
}

fn cloud(text: &str, span: Span) -> Opaque {
    Opaque { kind: OpaqueKind::CloudService, text: text.to_owned(), span }
}

/// Switch of vendor-maintained services, the attributes that name them, and their negation.
type InternetService = (&'static str, [&'static str; 6], &'static str);

const INTERNET_SERVICE: [InternetService; 2] = [
    (
        "internet-service-src",
        [
            "internet-service-src-name",
            "internet-service-src-id",
            "internet-service-src-group",
            "internet-service-src-custom",
            "internet-service-src-custom-group",
            "internet-service-src-fortiguard",
        ],
        "internet-service-src-negate",
    ),
    (
        "internet-service6-src",
        [
            "internet-service6-src-name",
            "internet-service6-src-id",
            "internet-service6-src-group",
            "internet-service6-src-custom",
            "internet-service6-src-custom-group",
            "internet-service6-src-fortiguard",
        ],
        "internet-service6-src-negate",
    ),
];

const INTERNET_SERVICE_DST: [InternetService; 2] = [
    (
        "internet-service",
        [
            "internet-service-name",
            "internet-service-id",
            "internet-service-group",
            "internet-service-custom",
            "internet-service-custom-group",
            "internet-service-fortiguard",
        ],
        "internet-service-negate",
    ),
    (
        "internet-service6",
        [
            "internet-service6-name",
            "internet-service6-id",
            "internet-service6-group",
            "internet-service6-custom",
            "internet-service6-custom-group",
            "internet-service6-fortiguard",
        ],
        "internet-service6-negate",
    ),
];

/// Names of vendor-maintained services on one side, and whether all but them are meant.
fn internet_service<'a>(row: &Fields<'a>, side: Side) -> Option<(Vec<(&'a str, Span)>, bool)> {
    let table = if side == Side::Src { &INTERNET_SERVICE } else { &INTERNET_SERVICE_DST };
    for (switch, attributes, negate) in table {
        let Some(line) = row.get(switch).filter(|a| a.value() == "enable") else { continue };
        let mut names: Vec<(&'a str, Span)> = attributes.iter().flat_map(|a| row.values(a)).collect();
        if names.is_empty() {
            names.push(("", line.span()));
        }
        return Some((names, row.enabled(negate)));
    }
    None
}

/// Addresses of one side, and the translations among them.
fn addresses<'a>(
    l: &mut Lowering<'a>,
    row: &Fields<'a>,
    table: Table,
    side: Side,
    guards: &mut Vec<Guard>,
) -> (Fact<AddrExpr>, Vec<NatIx>) {
    if let Some((names, negated)) = internet_service(row, side) {
        let mut expr = AddrExpr::union(names.iter().map(|(n, at)| AddrExpr::Opaque(cloud(n, *at))).collect());
        if negated {
            expr = AddrExpr::Not(Box::new(expr));
        }
        return (Fact::known(expr, named_at(&names, row.span())), Vec::new());
    }
    let mut parts = Vec::new();
    let mut via = Vec::new();
    let mut spans = Vec::new();
    for (attribute, negate, space) in table.spaces(side) {
        let names = row.values(attribute);
        if names.is_empty() {
            continue;
        }
        let mut family = Vec::new();
        for (name, at) in &names {
            match l.names.translations.get(name) {
                Some(list) if side == Side::Dst => via.extend_from_slice(list),
                _ => family.push(address(l, *space, name, *at)),
            }
        }
        let negated = row.get(negate).filter(|a| a.value() == "enable");
        match negated {
            Some(line) => {
                let any = if *space == Space::V4 { AddrExpr::AnyV4 } else { AddrExpr::AnyV6 };
                parts.push(AddrExpr::Except(Box::new(any), Box::new(AddrExpr::union(family))));
                spans.push(("", line.span()));
            }
            None => parts.extend(family),
        }
        spans.extend(names);
    }
    if spans.is_empty() {
        return (
            Fact::unknown(Why::at(WhyCode::NotExported, if side == Side::Src { "srcaddr" } else { "dstaddr" }, vec![row.span()])),
            via,
        );
    }
    if let Some(line) = row.get("match-vip-only").filter(|a| side == Side::Dst && a.value() == "enable") {
        guards.push(Guard::Unmodelled(line.span(), "match-vip-only".to_owned()));
    }
    (Fact::known(AddrExpr::union(parts), named_at(&spans, row.span())), via)
}

fn verdict<'a>(
    l: &mut Lowering<'a>,
    row: &Fields<'a>,
    table: Table,
    action: Option<(&'a str, Span)>,
    guards: &mut Vec<Guard>,
) -> Fact<Verdict> {
    let Some((word, span)) = action else {
        let key = if table.is_local() { "firewall local-in-policy.action" } else { "firewall policy.action" };
        return l.cx.default(key, Some(row.span()), |v| match v {
            "deny" => Some(Verdict::Drop),
            "accept" => Some(Verdict::Accept),
            _ => None,
        });
    };
    match word {
        "accept" | "learn" => Fact::written(Verdict::Accept, span),
        "deny" => Fact::written(Verdict::Drop, span),
        "ipsec" => {
            for part in ["vpntunnel", "inbound", "outbound", "natinbound", "natoutbound"] {
                row.get(part);
            }
            guards.push(Guard::Decrypted(span));
            Fact::written(Verdict::Accept, span)
        }
        "ssl-vpn" => {
            guards.push(Guard::Users(span));
            Fact::written(Verdict::Accept, span)
        }
        _ => Fact::unknown(Why::at(WhyCode::Ambiguous, "action", vec![span])),
    }
}

fn services<'a>(l: &mut Lowering<'a>, row: &Fields<'a>) -> Fact<SvcExpr> {
    if let Some((names, _)) = internet_service(row, Side::Dst) {
        // A vendor-maintained service brings its ports along with its addresses.
        let parts = names.iter().map(|(n, at)| SvcExpr::Opaque(cloud(n, *at))).collect();
        return Fact::known(SvcExpr::Union(parts), named_at(&names, row.span()));
    }
    let mut names = row.values("service");
    for inner in row.rows("identity-based-policy") {
        names.extend(inner.values("service"));
    }
    if names.is_empty() {
        return Fact::unknown(Why::at(WhyCode::NotExported, "service", vec![row.span()]));
    }
    let mut parts: Vec<SvcExpr> = names.iter().map(|(n, at)| service(l, n, *at)).collect();
    let mut expr = if parts.len() == 1 { parts.swap_remove(0) } else { SvcExpr::Union(parts) };
    if row.enabled("service-negate") {
        expr = SvcExpr::Not(Box::new(expr));
    }
    Fact::known(expr, named_at(&names, row.span()))
}

/// Collects conditions besides addresses; gives the groups and users the row asks for.
fn conditions<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, guards: &mut Vec<Guard>) -> Vec<(&'a str, Span)> {
    let mut principals = Vec::new();
    let mut schedules = row.values("schedule");
    let mut users = |row: &Fields<'a>, guards: &mut Vec<Guard>| {
        for attribute in ["groups", "users", "fsso-groups"] {
            let names = row.values(attribute);
            if let Some((_, span)) = names.first() {
                guards.push(Guard::Users(*span));
            }
            principals.extend(names);
        }
    };
    users(row, guards);
    for inner in row.rows("identity-based-policy") {
        users(&inner, guards);
        schedules.extend(inner.values("schedule"));
    }
    if let Some(line) = row.get("identity-based").filter(|a| a.value() == "enable") {
        guards.push(Guard::Users(line.span()));
    }
    for (name, span) in schedules {
        if limits_time(l, name, span) {
            guards.push(Guard::Schedule(span));
        }
    }
    if let Some(line) = row.get("policy-expiry").filter(|a| a.value() == "enable") {
        guards.push(Guard::Schedule(line.span()));
    }
    for attribute in ["ztna-status", "ha-mgmt-intf-only"] {
        if let Some(line) = row.get(attribute).filter(|a| a.value() == "enable") {
            guards.push(Guard::Unmodelled(line.span(), attribute.to_owned()));
        }
    }
    for attribute in ["devices", "src-vendor-mac", "ztna-ems-tag", "ztna-geo-tag", "sgt", "vlan-filter"] {
        if let Some((_, span)) = row.values(attribute).first() {
            guards.push(Guard::Unmodelled(*span, attribute.to_owned()));
        }
    }
    if let Some(line) = row.get("reputation-minimum").filter(|a| a.value() != "0") {
        guards.push(Guard::Unmodelled(line.span(), "reputation-minimum".to_owned()));
    }
    principals
}

/// Whether the row's plain destinations match packets that a virtual address translated.
fn sees_translated<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, table: Table, verdict: &Fact<Verdict>) -> Fact<bool> {
    if table.is_local() || l.names.central_nat {
        // What is translated never meets local-in rows; under central NAT policies name what comes after translation.
        return remembered(l, if table.is_local() { "firewall local-in-policy.match-vip" } else { "firewall policy.central-nat-match" });
    }
    if verdict.get() == Some(&Verdict::Drop) {
        return l.cx.switch(row, "match-vip", "firewall policy.match-vip");
    }
    row.get("match-vip");
    remembered(l, "firewall policy.accept-matches-vip")
}

/// A behaviour that is the same for every row.
fn remembered(l: &mut Lowering<'_>, key: &'static str) -> Fact<bool> {
    if let Some(fact) = l.names.behaviours.get(key) {
        return fact.clone();
    }
    let fact = l.cx.behaviour(key, None);
    l.names.behaviours.insert(key, fact.clone());
    fact
}

fn log<'a>(l: &Lowering<'a>, row: &Fields<'a>, table: Table, verdict: &Fact<Verdict>) -> Fact<RuleLog> {
    let denies = verdict.get() == Some(&Verdict::Drop);
    row.get("logtraffic-start");
    if table.is_local() {
        if let Some(line) = row.get("logtraffic") {
            let on = switch(line.value());
            return match on {
                Some(on) => Fact::written(if on { RuleLog::Session } else { RuleLog::None }, line.span()),
                None => Fact::unknown(Why::at(WhyCode::Ambiguous, "logtraffic", vec![line.span()])),
            };
        }
        let attribute = if denies { "local-in-deny-unicast" } else { "local-in-allow" };
        let fact = l.cx.switch(&l.cx.own.find("log setting"), attribute, &format!("log setting.{attribute}"));
        return fact.map(|on| if *on { RuleLog::Session } else { RuleLog::None });
    }
    l.cx.fact(row, "logtraffic", "firewall policy.logtraffic", |v| match v {
        "all" | "enable" => Some(RuleLog::Session),
        // What a deny row drops is never seen by a security function.
        "utm" => Some(if denies { RuleLog::None } else { RuleLog::SecurityOnly }),
        "disable" => Some(RuleLog::None),
        _ => None,
    })
}
