//! What `allowaccess` opens: one listener for each service, bound where an interface names it.
//!
//! Secondary addresses and IPv6 have lists of their own that owe nothing to the interface's. Who may connect is the union over all
//! administrators, because the box shows its page to whoever one of them may come from.

use super::Lowering;
use super::address::{network, terms};
use super::context::Fields;
use super::exposure::{binding, plain, push, tie};
use super::object::named_at;
use super::ssl_vpn::SslVpn;
use crate::ir::fact::{Fact, List, Rest, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, SvcTerm, TCP};
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::listener::{Limit, LimitStage, Listener, Plane, Ssh, Tls};
use crate::ir::live::LinkKind;
use crate::source::Span;
use std::collections::BTreeMap;

/// A word of `allowaccess`: the service and what it is for.
struct Access {
    word: &'static str,
    service: &'static str,
    plane: Plane,
}

const fn access(word: &'static str, service: &'static str, plane: Plane) -> Access {
    Access { word, service, plane }
}

/// In the order in which listeners are recorded.
const ACCESS: &[Access] = &[
    access("https", "https", Plane::Management),
    access("http", "http", Plane::Management),
    access("ssh", "ssh", Plane::Management),
    access("telnet", "telnet", Plane::Management),
    access("snmp", "snmp", Plane::Management),
    access("fgfm", "fgfm", Plane::Management),
    access("scim", "api", Plane::Management),
    access("ping", "ping", Plane::Infrastructure),
    access("radius-acct", "radius_accounting", Plane::Infrastructure),
    access("probe-response", "probe", Plane::Infrastructure),
    access("fabric", "fabric", Plane::Infrastructure),
    access("capwap", "fabric", Plane::Infrastructure),
    access("ftm", "push", Plane::Infrastructure),
    access("speed-test", "speed_test", Plane::Infrastructure),
];

/// Where a word stands.
struct Named {
    interface: InterfaceIx,
    family: Family,
    span: Span,
    /// Sources that the interface itself admits (dedicated management ports).
    only: Option<usize>,
}

/// Lowers the listeners that administer and serve.
pub(super) fn management<'a>(l: &mut Lowering<'a>, ssl: Option<&SslVpn<'a>>) {
    // (word, restriction of the interface) -> places
    let mut places: BTreeMap<(usize, Option<usize>), Vec<Named>> = BTreeMap::new();
    let mut restrictions: Vec<Fact<AddrExpr>> = Vec::new();
    let mut unknown: Option<Why> = None;
    for n in 0..l.names.rows.len() {
        let Some(row) = l.names.rows[n].clone() else { continue };
        let ix = InterfaceIx(n as u32);
        let only = trusted(l, &row, ix).map(|fact| {
            restrictions.push(fact);
            restrictions.len() - 1
        });
        for (word, span, family) in words(&row) {
            match ACCESS.iter().position(|a| a.word == word) {
                Some(at) => places.entry((at, only)).or_default().push(Named { interface: ix, family, span, only }),
                None => unknown = unknown.or_else(|| Some(Why::at(WhyCode::Unrecognised, word, vec![span]))),
            }
        }
    }
    let mut made: Vec<(&'static str, Option<usize>, usize)> = Vec::new();
    for ((at, only), named) in places {
        let access = &ACCESS[at];
        // Two words for one service (older and newer releases) make one listener.
        let existing = made.iter().find(|(s, o, _)| *s == access.service && *o == only).map(|(_, _, ix)| *ix);
        let bindings: Vec<_> = named.iter().map(|p| bind(l, access, p, ssl)).collect();
        if let Some(ix) = existing {
            l.device.listeners.items[ix].bindings.extend(bindings);
            continue;
        }
        let Some(first) = named.first() else { continue };
        let mut listener = plain(l, access.plane, access.service, ports(l, access.service), first.span);
        listener.bindings = bindings;
        details(l, access, &mut listener);
        let own = named.first().and_then(|p| p.only).and_then(|o| restrictions.get(o));
        listener.limits = limits(l, access, own);
        tie(l, &mut listener);
        let ix = push(l, listener);
        made.push((access.service, only, ix.0 as usize));
    }
    let rest = match (l.cx.gap("listeners"), unknown) {
        (None, Some(why)) => Rest::MayHoldMore(why),
        _ => l.cx.rest("listeners"),
    };
    let items = std::mem::take(&mut l.device.listeners.items);
    l.device.listeners = List { items, rest };
}

/// Every word that opens something on an interface.
fn words<'a>(row: &Fields<'a>) -> Vec<(&'a str, Span, Family)> {
    let mut out: Vec<_> = row.values("allowaccess").into_iter().map(|(w, s)| (w, s, Family::V4)).collect();
    for second in row.rows("secondaryip") {
        out.extend(second.values("allowaccess").into_iter().map(|(w, s)| (w, s, Family::V4)));
    }
    if let Some(v6) = row.nested("ipv6") {
        out.extend(v6.values("ip6-allowaccess").into_iter().map(|(w, s)| (w, s, Family::V6)));
    }
    out
}

/// What a dedicated management port itself admits; everything when nothing is set.
fn trusted(l: &Lowering<'_>, row: &Fields<'_>, ix: InterfaceIx) -> Option<Fact<AddrExpr>> {
    if l.device.interfaces[ix.0 as usize].kind != InterfaceKind::OutOfBand {
        return None;
    }
    let mut spans = Vec::new();
    let mut families: [Vec<AddrExpr>; 2] = [Vec::new(), Vec::new()];
    for n in 1..=3 {
        for (family, attribute) in [format!("trust-ip-{n}"), format!("trust-ip6-{n}")].iter().enumerate() {
            if let Some(line) = row.get(attribute)
                && let Some(expr) = network(&line.values().collect::<Vec<_>>())
                && !matches!(expr, AddrExpr::AnyV4 | AddrExpr::AnyV6)
            {
                families[family].push(expr);
                spans.push(("", line.span()));
            }
        }
    }
    if spans.is_empty() {
        return None;
    }
    let [v4, v6] = families;
    let or_any = |list: Vec<AddrExpr>, any| if list.is_empty() { any } else { AddrExpr::union(list) };
    let expr = AddrExpr::Union(vec![or_any(v4, AddrExpr::AnyV4), or_any(v6, AddrExpr::AnyV6)]);
    Some(Fact::known(expr, named_at(&spans, row.span())))
}

/// A binding; the administration page yields its port to a live SSL-VPN on the same interface.
fn bind<'a>(l: &Lowering<'a>, access: &Access, place: &Named, ssl: Option<&SslVpn<'a>>) -> crate::ir::listener::Binding {
    let mut out = binding(l, place.interface, place.family, place.span);
    let Some(ssl) = ssl.filter(|s| access.service == "https" && s.is_on(place.interface)) else { return out };
    let admin = l.cx.number(&l.cx.global.find("system global"), "admin-sport", "system global.admin-sport");
    let same = match (admin.get(), ssl.port.get()) {
        (Some(a), Some(b)) => Fact::known(a == b, crate::ir::fact::Origin::all([admin.origin.clone(), ssl.port.origin.clone()])),
        _ => match admin.value.why().or(ssl.port.value.why()) {
            Some(why) => Fact::unknown(why.clone()),
            None => return out,
        },
    };
    let taken = same.and(&ssl.precedence).and(&ssl.live);
    if taken.value.tri() != Some(false) {
        out.bound = out.bound.and(&taken.negate());
    }
    out
}

fn ports(l: &Lowering<'_>, service: &'static str) -> Fact<Vec<SvcTerm>> {
    let moved = match service {
        "https" => Some("admin-sport"),
        "http" => Some("admin-port"),
        "ssh" => Some("admin-ssh-port"),
        "telnet" => Some("admin-telnet-port"),
        _ => None,
    };
    match moved {
        Some(attribute) => {
            let key = format!("system global.{attribute}");
            let port = l.cx.fact(&l.cx.global.find("system global"), attribute, &key, |v| v.parse::<u16>().ok());
            port.map(|p| vec![SvcTerm::ports(TCP, [(*p, *p)])])
        }
        None => l.cx.default(&format!("port.{service}"), None, terms),
    }
}

/// What is special about a service.
fn details(l: &Lowering<'_>, access: &Access, listener: &mut Listener) {
    let global = l.cx.global.find("system global");
    match access.word {
        "https" => {
            listener.tls =
                Some(Tls { old: old_tls(&l.cx.list(&global, "admin-https-ssl-versions", "system global.admin-https-ssl-versions")) })
        }
        "http" => {
            listener.redirect_only = l.cx.switch(&global, "admin-https-redirect", "system global.admin-https-redirect");
            listener.cleartext = listener.redirect_only.negate();
        }
        "ssh" => listener.ssh = Some(ssh(l, &global)),
        "telnet" => {
            listener.cleartext = Fact { value: Val::Known(true), origin: listener.live.own.origin.clone() };
            let on = l.cx.switch(&global, "admin-telnet", "system global.admin-telnet");
            listener.live = listener.live.clone().with(LinkKind::FeatureOn, on);
        }
        "snmp" => {
            let on = l.cx.switch(&l.cx.global.find("system snmp sysinfo"), "status", "system snmp sysinfo.status");
            listener.live = listener.live.clone().with(LinkKind::FeatureOn, on);
            listener.cleartext = clear_snmp(l);
        }
        _ => {}
    }
}

/// Whether versions below TLS 1.2 are in a list.
pub(super) fn old_tls(versions: &Fact<Vec<String>>) -> Fact<bool> {
    versions.map(|list| {
        list.iter().any(|v| matches!(v.to_ascii_lowercase().as_str(), "tlsv1-0" | "tlsv1-1" | "sslv3" | "tls1-0" | "tls1-1" | "ssl3"))
    })
}

fn ssh(l: &Lowering<'_>, global: &super::context::Found<'_>) -> Ssh {
    let config = l.cx.global.find("system ssh-config");
    // Newer releases keep the lists in a section of their own.
    let list = |attribute: &str| {
        let key = format!("system global.{attribute}");
        if config.fields.as_ref().is_some_and(|f| f.get(attribute).is_some()) {
            l.cx.list(&config, attribute, &key)
        } else {
            l.cx.list(global, attribute, &key)
        }
    };
    let (enc, kex, mac) = (list("ssh-enc-algo"), list("ssh-kex-algo"), list("ssh-mac-algo"));
    let weak_enc = |w: &String| w.contains("cbc") || w.contains("arcfour") || w.contains("3des");
    let weak_kex = |w: &String| w == "diffie-hellman-group1-sha1";
    let weak_mac = |w: &String| w.contains("md5");
    let any = enc.map(|x| x.iter().any(weak_enc)).or(&kex.map(|x| x.iter().any(weak_kex))).or(&mac.map(|x| x.iter().any(weak_mac)));
    let all = |fact: &Fact<Vec<String>>, weak: &dyn Fn(&String) -> bool| fact.map(|x| !x.is_empty() && x.iter().all(weak));
    let only = all(&enc, &weak_enc).or(&all(&kex, &weak_kex)).or(&all(&mac, &weak_mac));
    let mut offered = any;
    for switch in ["ssh-cbc-cipher", "ssh-hmac-md5"] {
        if let Some(line) = global.fields.as_ref().and_then(|f| f.get(switch)) {
            offered = offered.or(&Fact::written(line.value() == "enable", line.span()));
        }
    }
    Ssh { v1: l.cx.switch(global, "admin-ssh-v1", "system global.admin-ssh-v1"), weak_only: only, weak_offered: offered }
}

/// Whether a community lets anybody read without encryption.
fn clear_snmp(l: &Lowering<'_>) -> Fact<bool> {
    let found = l.cx.global.find("system snmp community");
    match found.rows().into_iter().find(|r| r.value("status") != Some("disable")) {
        Some(row) => Fact::written(true, row.span()),
        None => l.cx.nowhere("snmp", "infer.no_community", "system snmp community", found.span().unwrap_or(l.cx.evidence)),
    }
}

fn limits(l: &Lowering<'_>, access: &Access, own: Option<&Fact<AddrExpr>>) -> Limit {
    let mut all = Vec::new();
    // Trusted hosts cover the pages, the shells, ping and SNMP; the central manager's protocol knows no such list.
    if matches!(access.service, "https" | "http" | "ssh" | "telnet" | "snmp" | "ping" | "api") {
        all.push(Limit::UnionOverAdmins { stage: LimitStage::Connect });
    }
    if access.service == "snmp" {
        all.extend(snmp_hosts(l));
    }
    if let Some(admits) = own {
        all.push(Limit::Sources { stage: LimitStage::Connect, admits: admits.clone() });
    }
    match all.len() {
        0 => Limit::None(l.cx.behaviour("listener.source-limit", None).origin),
        1 => all.swap_remove(0),
        _ => Limit::AllOf(all),
    }
}

/// The stations that communities admit, where every way in has such a list.
fn snmp_hosts(l: &Lowering<'_>) -> Option<Limit> {
    if !l.cx.global.find("system snmp user").rows().is_empty() || l.cx.gap("snmp").is_some() {
        return None;
    }
    let mut parts = Vec::new();
    let mut spans = Vec::new();
    for community in l.cx.global.find("system snmp community").rows() {
        if community.value("status") == Some("disable") {
            continue;
        }
        let hosts: Vec<_> = community.rows("hosts").into_iter().chain(community.rows("hosts6")).collect();
        if hosts.is_empty() {
            return None;
        }
        for host in hosts {
            let line = host.get("ip").or_else(|| host.get("ipv6"))?;
            parts.push(network(&line.values().collect::<Vec<_>>())?);
            spans.push(("", line.span()));
        }
    }
    let (_, first) = *spans.first()?;
    Some(Limit::Sources { stage: LimitStage::Connect, admits: Fact::known(AddrExpr::union(parts), named_at(&spans, first)) })
}
