//! Service objects and groups. Releases that print no predefined services have them all the same; the grammar lists them.

use super::Lowering;
use super::address::{ANY, SCTP, ports, terms};
use super::context::Fields;
use super::object::undefined;
use crate::ir::fact::{DefaultOrigin, Fact, Origin, Why, WhyCode};
use crate::ir::filter::{ICMP, ICMPV6, Opaque, OpaqueKind, SvcExpr, SvcObject, SvcObjectIx, SvcTerm, TCP, UDP};
use crate::source::Span;
use std::sync::Arc;

/// Lowers services, then groups.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let mut groups = Vec::new();
    for table in ["firewall service custom", "firewall service group"] {
        for row in l.cx.own.find(table).rows() {
            for unused in ["uuid", "comment", "color", "category", "visibility", "proxy", "explicit-proxy"] {
                row.get(unused);
            }
            let ix = SvcObjectIx(l.device.svc_objects.len() as u32);
            l.names.services.entry(row.key()).or_insert(ix);
            let group = table.ends_with("group");
            let value = if group { Fact::written(SvcExpr::Nothing, row.span()) } else { value(&row) };
            l.device.svc_objects.push(SvcObject { name: row.key().to_owned(), value, span: Some(row.span()) });
            if group {
                groups.push((ix, row));
            }
        }
    }
    for (ix, row) in groups {
        let members = row.values("member");
        let expr = SvcExpr::Union(members.iter().map(|(n, at)| service(l, n, *at)).collect());
        let span = row.get("member").map_or(row.span(), |a| a.span());
        l.device.svc_objects[ix.0 as usize].value = Fact::written(expr, span);
    }
}

/// What a service row stands for.
fn value(row: &Fields<'_>) -> Fact<SvcExpr> {
    let at = row.get("protocol").map_or(row.span(), |a| a.span());
    let ambiguous = |span| Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![span]));
    // A service that also names addresses or applications matches less than its ports say.
    for narrower in ["fqdn", "iprange", "application", "app-category"] {
        if let Some(line) = row.get(narrower).filter(|a| !matches!(a.value(), "" | "0.0.0.0")) {
            let opaque = Opaque { kind: OpaqueKind::Unmodelled, text: row.key().to_owned(), span: line.span() };
            return Fact::written(SvcExpr::Opaque(opaque), line.span());
        }
    }
    match row.value("protocol").unwrap_or("TCP/UDP/SCTP") {
        "IP" => match row.get("protocol-number") {
            None => Fact::written(SvcExpr::Any, at),
            Some(line) => match line.value().parse::<u8>() {
                Ok(0) => Fact::written(SvcExpr::Any, line.span()),
                Ok(number) => Fact::written(SvcExpr::Term(SvcTerm::protocol(number)), line.span()),
                Err(_) => ambiguous(line.span()),
            },
        },
        "ALL" => {
            row.get("tcp-portrange");
            Fact::written(SvcExpr::Any, at)
        }
        word @ ("ICMP" | "ICMP6") => {
            let mut term = SvcTerm::protocol(if word == "ICMP" { ICMP } else { ICMPV6 });
            let code = row.value("icmpcode").and_then(|c| c.parse().ok());
            let kind = row.get("icmptype");
            match kind.map(|a| a.value().parse::<u8>()) {
                Some(Ok(kind)) => term.icmp = Some((kind, code)),
                Some(Err(_)) => return ambiguous(at),
                None => {}
            }
            Fact::written(SvcExpr::Term(term), kind.map_or(at, |a| a.span()))
        }
        "TCP/UDP/SCTP" | "TCP/UDP" | "TCP/UDP/UDP-Lite/SCTP" => ranges(row),
        _ => ambiguous(at),
    }
}

/// `tcp-portrange 80 8000-8010:1024-65535`: destination ports, then source ports after a colon.
fn ranges(row: &Fields<'_>) -> Fact<SvcExpr> {
    let mut out = Vec::new();
    let mut spans = Vec::new();
    for (attribute, protocol) in [("tcp-portrange", TCP), ("udp-portrange", UDP), ("sctp-portrange", SCTP)] {
        for (word, span) in row.values(attribute) {
            let (dst, src) = word.split_once(':').map_or((word, None), |(d, s)| (d, Some(s)));
            let (Some(dst), Some(src)) = (ports(dst), src.map_or(Some(None), |s| ports(s).map(Some))) else {
                return Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![span]));
            };
            out.push(SvcExpr::Term(SvcTerm {
                protocol: Some(protocol),
                src_ports: src.into_iter().collect(),
                dst_ports: vec![dst],
                icmp: None,
            }));
            spans.push(Origin::Written(span));
        }
    }
    if out.is_empty() {
        return Fact::unknown(Why::at(WhyCode::Ambiguous, row.key(), vec![row.span()]));
    }
    Fact::known(if out.len() == 1 { out.swap_remove(0) } else { SvcExpr::Union(out) }, Origin::all(spans))
}

/// What a predefined service rests on.
fn predefined(l: &Lowering<'_>, name: &str) -> Origin {
    let file = &l.cx.grammar.file;
    Origin::Default(Arc::new(DefaultOrigin {
        key: format!("firewall service {name}").into(),
        value: file.services.get(name).map_or("", String::as_str).into(),
        versions: "*".into(),
        source: file.sources.get("predefined_services").map_or("", String::as_str).into(),
        verified: true,
        anchor: None,
    }))
}

/// The service a name stands for.
pub(super) fn service<'a>(l: &mut Lowering<'a>, name: &'a str, span: Span) -> SvcExpr {
    if let Some(ix) = l.names.services.get(name) {
        return SvcExpr::Object(*ix);
    }
    if name.eq_ignore_ascii_case("ALL") || name.eq_ignore_ascii_case("ANY") {
        return SvcExpr::Any;
    }
    if let Some(read) = l.cx.grammar.file.services.get(name).and_then(|t| terms(t)) {
        let expr = match read.as_slice() {
            [one] if *one == ANY => SvcExpr::Any,
            _ => SvcExpr::Union(read.into_iter().map(SvcExpr::Term).collect()),
        };
        let ix = SvcObjectIx(l.device.svc_objects.len() as u32);
        let value = Fact::known(expr, predefined(l, name));
        l.device.svc_objects.push(SvcObject { name: name.to_owned(), value, span: None });
        l.names.services.insert(name, ix);
        return SvcExpr::Object(ix);
    }
    undefined(l, "service", name, span);
    SvcExpr::Opaque(Opaque { kind: OpaqueKind::Undefined, text: name.to_owned(), span })
}
