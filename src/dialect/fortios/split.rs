//! Splits an export into contexts (the shared part and the virtual domains) and says for each how complete it is.
//!
//! A text without a head, without one of the core sections, or that ends in the middle is a fragment: there absence proves nothing.

use super::Lowering;
use super::Phase1Name;
use super::context::{Context, Fields, Part, rows};
use super::header::{self, Header};
use crate::dialect::Input;
use crate::ir::device::{Completeness, ExportForm};
use crate::ir::fact::{Why, WhyCode};
use crate::ir::schema::TOPICS;
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::block::Scope;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Topics that the part shared by all contexts holds.
const SHARED: [&str; 6] = ["accounts", "login_policy", "logging", "time", "snmp", "firmware"];

/// Sections that every complete export prints, even when they are empty.
const CORE_SHARED: [&str; 3] = ["system global", "system interface", "system admin"];
const CORE_OWN: [&str; 1] = ["firewall policy"];

/// The contexts of an export, the shared part first.
pub(super) fn contexts<'a>(input: &Input<'a>) -> Vec<Context<'a>> {
    let root = input.tree.root();
    let header = Rc::new(header::read(input));
    // The line of a terminal on which the export was asked for, and a head behind a byte order mark.
    root.children().filter(|n| matches!(n.word(1), Some("$" | "#")) || n.word(0).is_some_and(|w| w.contains("#config-version"))).for_each(
        |n| {
            n.read();
        },
    );
    let top = |word: &str| root.children().filter(|n| n.len() == 2 && n.starts(&["config", word])).collect::<Vec<Node<'a>>>();
    let (domains, globals) = (top("vdom"), top("global"));
    let complete = header.span.is_some() && ends_properly(input);
    let evidence =
        header.span.unwrap_or_else(|| root.children().next().map_or(Span { file: input.tree.file(), start: 0, end: 0 }, Node::span));
    if domains.is_empty() && globals.is_empty() {
        return vec![single(input, root, &header, complete, evidence)];
    }
    domains.iter().chain(&globals).for_each(|n| {
        n.read();
    });
    let global = shared_part(&globals, complete);
    // Where sections were taken out of the shared part, nobody knows what else was.
    let complete = complete && global.missing.as_ref().is_none_or(|w| w.code() == WhyCode::OtherContext);
    let mut order: Vec<&'a str> = Vec::new();
    let mut bodies: HashMap<&'a str, Vec<Node<'a>>> = HashMap::new();
    for row in domains.iter().flat_map(|n| n.children()).filter(|n| n.word(0) == Some("edit")) {
        let name = row.read().word_or_empty(1);
        bodies.entry(name).or_insert_with(|| {
            order.push(name);
            Vec::new()
        });
        if row.children().next().is_some()
            && let Some(parts) = bodies.get_mut(name)
        {
            parts.push(row);
        }
    }
    let mut interfaces = interfaces_by_domain(&global);
    let mut out = Vec::new();
    let base = |own: Part<'a>, global: Part<'a>, domain: &str, is_global, interfaces, completeness, evidence| Context {
        grammar: input.grammar,
        text: input.tree.text(),
        header: header.clone(),
        own,
        global,
        domain: domain.to_owned(),
        multi: true,
        is_global,
        interfaces,
        domains: Vec::new(),
        completeness,
        evidence,
    };
    if let Some(first) = globals.first() {
        let completeness = completeness(&header, global.missing.clone(), global.missing.clone());
        let evidence = header.span.unwrap_or_else(|| first.span());
        out.push(base(Part { scope: None, missing: None }, global.clone(), "global", true, Vec::new(), completeness, evidence));
    }
    for name in order {
        let parts = bodies.remove(name).unwrap_or_default();
        let own = match parts.first() {
            Some(first) => {
                let scope = Scope::over(*first, parts.iter().copied());
                let whole = complete && CORE_OWN.iter().all(|s| scope.has(s));
                Part { scope: Some(Rc::new(scope)), missing: (!whole).then(|| Why::new(WhyCode::NotExported, name)) }
            }
            None => Part { scope: None, missing: Some(Why::new(WhyCode::NotExported, name)) },
        };
        let mut rows = interfaces.remove(name).unwrap_or_default();
        rows.extend(own.find("system interface").rows());
        let evidence = parts.first().map_or(evidence, |n| n.span());
        let completeness = completeness(&header, own.missing.clone(), global.missing.clone());
        out.push(base(own, global.clone(), name, false, rows, completeness, evidence));
    }
    if out.is_empty() {
        // A wrapper without anything in it: what stands beside it is all there is.
        return vec![single(input, root, &header, false, evidence)];
    }
    let domains: Vec<Rc<Scope<'a>>> = out.iter().filter(|c| !c.is_global).filter_map(|c| c.own.scope.clone()).collect();
    if let Some(first) = out.first_mut().filter(|c| c.is_global) {
        first.domains = domains;
    }
    out
}

/// A box without virtual domains, or the export of one of them.
fn single<'a>(input: &Input<'a>, root: Node<'a>, header: &Rc<Header>, complete: bool, evidence: Span) -> Context<'a> {
    let scope = Rc::new(Scope::new(root));
    let has = |list: &[&str]| list.iter().all(|s| scope.has(s));
    let only = header.only.as_ref();
    let whole = complete && has(&CORE_OWN) && (only.is_some() || has(&CORE_SHARED));
    let missing = (!whole).then(|| Why::new(WhyCode::NotExported, ""));
    let own = Part { scope: Some(scope.clone()), missing: missing.clone() };
    let global = match only {
        // The file holds one virtual domain: what all share is in a file we do not have.
        Some((name, span)) => Part { scope: None, missing: Some(Why::at(WhyCode::OtherContext, name.as_str(), vec![*span])) },
        None => own.clone(),
    };
    let interfaces = own.find("system interface").rows();
    let completeness = completeness(header, missing, global.missing.clone());
    Context {
        grammar: input.grammar,
        text: input.tree.text(),
        header: header.clone(),
        own,
        global,
        domain: only.map_or_else(|| "root".to_owned(), |(name, _)| name.clone()),
        multi: only.is_some(),
        is_global: false,
        interfaces,
        domains: Vec::new(),
        completeness,
        evidence,
    }
}

fn shared_part<'a>(globals: &[Node<'a>], complete: bool) -> Part<'a> {
    let Some(first) = globals.first() else {
        return Part { scope: None, missing: Some(Why::new(WhyCode::OtherContext, "global")) };
    };
    let scope = Scope::over(*first, globals.iter().copied());
    let whole = complete && CORE_SHARED.iter().all(|s| scope.has(s));
    Part { scope: Some(Rc::new(scope)), missing: (!whole).then(|| Why::new(WhyCode::NotExported, "global")) }
}

/// Rows of the shared interface table by the virtual domain they belong to.
fn interfaces_by_domain<'a>(global: &Part<'a>) -> HashMap<String, Vec<Fields<'a>>> {
    let mut out: HashMap<String, Vec<Fields<'a>>> = HashMap::new();
    if let Some(section) = global.scope.as_ref().and_then(|s| s.section("system interface")) {
        for row in rows(&section) {
            let domain = row.value("vdom").unwrap_or("root").to_owned();
            out.entry(domain).or_default().push(row);
        }
    }
    out
}

/// Whether the text ends as an export does: with the `end` of a section, or a prompt after it.
fn ends_properly(input: &Input<'_>) -> bool {
    let text = input.tree.text().get(input.range.clone()).unwrap_or("");
    let mut lines = text.lines().rev().map(str::trim).filter(|l| !l.is_empty());
    let last = lines.next().unwrap_or("");
    let prompt = |l: &str| l.ends_with(['#', '$']) || l.starts_with('#');
    last == "end" || prompt(last) && lines.next() == Some("end")
}

fn completeness(header: &Header, own: Option<Why>, shared: Option<Why>) -> Completeness {
    let mut gaps: BTreeMap<&'static str, Why> = BTreeMap::new();
    for topic in TOPICS {
        let why = if SHARED.contains(topic) { shared.as_ref().or(own.as_ref()) } else { own.as_ref() };
        if let Some(why) = why {
            gaps.insert(topic, why.clone());
        }
    }
    // Listeners hang on ports and switches of the shared part, but which there are is told by the interfaces.
    let form = if header.span.is_none() || own.is_some() { ExportForm::Excerpt } else { ExportForm::Full };
    Completeness { form, gaps }
}

/// Collects the names that decide what an interface is.
pub(super) fn names(l: &mut Lowering<'_>) {
    for (path, route_based) in [("vpn ipsec phase1-interface", true), ("vpn ipsec phase1", false)] {
        for row in l.cx.own.find(path).rows() {
            l.names.phase1.insert(row.key(), Phase1Name { span: row.span(), route_based, users: super::phase1::for_users(&row) });
        }
    }
    let ha = l.cx.global.find("system ha");
    if let Some(ha) = ha.fields.filter(|f| f.enabled("ha-mgmt-status")) {
        l.names.ha_management.extend(ha.values("ha-mgmt-interface").into_iter().map(|(n, _)| n));
        l.names.ha_management.extend(ha.rows("ha-mgmt-interfaces").iter().filter_map(|r| r.value("interface")));
    }
    // IPv4 over the provider's IPv6 network: the interface is the Internet line, not a tunnel to another site.
    if l.cx.own.find("system vne-tunnel").fields.is_some_and(|f| f.enabled("status")) {
        l.names.carriers.extend(l.cx.interfaces.iter().map(Fields::key).filter(|n| n.starts_with("vne.")));
    }
    let routed: Vec<&str> = super::trust::default_routes(&l.cx).into_iter().filter_map(|r| r.device).collect();
    for path in ["system ipip-tunnel", "system ipv6-tunnel", "system sit-tunnel"] {
        let rows = l.cx.own.find(path).rows();
        l.names.carriers.extend(rows.iter().map(Fields::key).filter(|n| routed.contains(n)));
    }
    // Sections of which only some lines matter, and tables that are not modelled: these hide nothing while they are empty.
    for path in [
        "user setting",
        "log setting",
        "log disk setting",
        "log memory setting",
        "log eventfilter",
        "system settings",
        "web-proxy explicit",
    ] {
        l.cx.own.find(path);
        l.cx.global.find(path);
    }
    for path in ["firewall policy46", "firewall policy64", "firewall vip46", "firewall vip64", "vpn ocvpn", "system vxlan", "system geneve"]
    {
        l.cx.own.find(path);
    }
    l.names.bare = l.cx.interfaces.is_empty() && l.cx.gap("interfaces").is_some();
}

/// A dump of every attribute shows what a plain export never does: switches at their default.
pub(super) fn full_with_defaults(cx: &Context<'_>) -> bool {
    cx.completeness.form == ExportForm::Full
        && cx.global.find("system global").fields.is_some_and(|f| f.get("admin-concurrent").is_some() && f.get("admin-login-max").is_some())
}
