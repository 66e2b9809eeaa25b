//! One row of a policy table: interfaces, addresses, services, conditions, verdict, logging.

use super::context::{Fields, switch};
use super::object::{Space, address, limits_time, named_at, surely_private, undefined, union};
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

    /// Attribute names for addresses, and the namespace their names are of.
    fn spaces(self, side: &str) -> Vec<(String, Space)> {
        match self {
            Table::Policy => {
                vec![(format!("{side}addr"), Space::V4), (format!("{side}addr4"), Space::V4), (format!("{side}addr6"), Space::V6)]
            }
            Table::LocalIn => vec![(format!("{side}addr"), Space::V4)],
            Table::Policy6 | Table::LocalIn6 => vec![(format!("{side}addr"), Space::V6)],
        }
    }
}

/// Lowers a row. What tunnels, groups and translation need to know about it is noted beside.
pub(super) fn rule<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, table: Table) -> Rule {
    let span = row.span();
    let mut guards = Vec::new();
    let ingress = interfaces(l, row, if table.is_local() { "intf" } else { "srcintf" });
    let egress = if table.is_local() { IfMatch::Any } else { interfaces(l, row, "dstintf") };
    let (src, _) = addresses(l, row, table, "src", &mut guards);
    let (dst, via) = addresses(l, row, table, "dst", &mut guards);
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

/// Names of vendor-maintained services on one side.
fn internet_service<'a>(row: &Fields<'a>, side: &str) -> Option<Vec<(&'a str, Span)>> {
    let infix = if side == "src" { "-src" } else { "" };
    for family in ["internet-service", "internet-service6"] {
        let Some(line) = row.get(&format!("{family}{infix}")).filter(|a| a.value() == "enable") else { continue };
        let mut names = Vec::new();
        for kind in ["name", "id", "group", "custom", "custom-group", "fortiguard"] {
            names.extend(row.values(&format!("{family}{infix}-{kind}")));
        }
        if names.is_empty() {
            names.push(("", line.span()));
        }
        return Some(names);
    }
    None
}

/// Addresses of one side, and the translations among them.
fn addresses<'a>(
    l: &mut Lowering<'a>,
    row: &Fields<'a>,
    table: Table,
    side: &str,
    guards: &mut Vec<Guard>,
) -> (Fact<AddrExpr>, Vec<NatIx>) {
    if let Some(names) = internet_service(row, side) {
        let parts = names.iter().map(|(n, at)| AddrExpr::Opaque(cloud(n, *at))).collect();
        let infix = if side == "src" { "-src" } else { "" };
        let mut expr = union(parts);
        if row.enabled(&format!("internet-service{infix}-negate")) {
            expr = AddrExpr::Not(Box::new(expr));
        }
        return (Fact::known(expr, named_at(&names, row.span())), Vec::new());
    }
    let mut parts = Vec::new();
    let mut via = Vec::new();
    let mut spans = Vec::new();
    for (attribute, space) in table.spaces(side) {
        let names = row.values(&attribute);
        let mut family = Vec::new();
        for (name, at) in &names {
            match l.names.translations.get(name) {
                Some(list) if side == "dst" => via.extend_from_slice(list),
                _ => family.push(address(l, space, name, *at)),
            }
        }
        let negated = row.get(&format!("{attribute}-negate")).filter(|a| a.value() == "enable");
        match negated {
            Some(line) if !names.is_empty() => {
                let any = if space == Space::V4 { AddrExpr::AnyV4 } else { AddrExpr::AnyV6 };
                parts.push(AddrExpr::Except(Box::new(any), Box::new(union(family))));
                spans.push(("", line.span()));
            }
            _ => parts.extend(family),
        }
        spans.extend(names);
    }
    if spans.is_empty() {
        return (Fact::unknown(Why::at(WhyCode::NotExported, format!("{side}addr"), vec![row.span()])), via);
    }
    if let Some(line) = row.get("match-vip-only").filter(|a| side == "dst" && a.value() == "enable") {
        guards.push(Guard::Unmodelled(line.span(), "match-vip-only".to_owned()));
    }
    (Fact::known(union(parts), named_at(&spans, row.span())), via)
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
    if let Some(names) = internet_service(row, "dst") {
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
fn sees_translated<'a>(l: &Lowering<'a>, row: &Fields<'a>, table: Table, verdict: &Fact<Verdict>) -> Fact<bool> {
    if table.is_local() || l.names.central_nat {
        // What is translated never meets local-in rows; under central NAT policies name what comes after translation.
        return l
            .cx
            .behaviour(if table.is_local() { "firewall local-in-policy.match-vip" } else { "firewall policy.central-nat-match" }, None);
    }
    if verdict.get() == Some(&Verdict::Drop) {
        return l.cx.switch(row, "match-vip", "firewall policy.match-vip");
    }
    row.get("match-vip");
    l.cx.behaviour("firewall policy.accept-matches-vip", Some(row.span()))
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
