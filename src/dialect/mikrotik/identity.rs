//! What the export is: version, model, and how much of the box it shows.
//!
//! Versions stand in comments: `by RouterOS 7.15.2` of the export itself, or `version: 7.15.2 (stable)` of a collector that prints
//! the resources first. Both head exports of a single menu as well, so a header alone does not make an export whole.

use super::menus::{Menus, Value};
use super::yes_no;
use crate::dialect::Input;
use crate::ir::Device;
use crate::ir::device::{ExportForm, Precision, Version};
use crate::ir::fact::{Why, WhyCode};
use crate::ir::schema;
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What the comments say.
pub struct Header {
    /// Release.
    pub version: Option<Version>,
    /// Model, or the board's name.
    pub model: Option<String>,
}

/// Reads the header comments.
pub fn header(input: &Input<'_>) -> Header {
    let text = input.tree.text();
    let mut found = Header { version: None, model: None };
    for span in &input.tree.comments {
        let line = span.slice(text).trim_start_matches('#').trim();
        if found.version.is_none() {
            // People take the date out.
            let by_export = line.split_once("by RouterOS ").map(|(_, v)| v).or_else(|| line.strip_prefix("RouterOS "));
            let stated = || line.strip_prefix("version: ").or_else(|| line.strip_prefix("installed-version: "));
            found.version = by_export.or_else(stated).and_then(|v| version(v, *span));
        }
        if found.model.is_none() {
            let model = line.strip_prefix("model = ").or_else(|| line.strip_prefix("board-name: "));
            found.model = model.map(|m| m.trim().to_owned());
        }
    }
    found
}

fn version(text: &str, span: Span) -> Option<Version> {
    let word = text.split([' ', '(']).find(|w| !w.is_empty())?;
    let digits = word.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    let parts: Vec<u32> = digits.split('.').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    Some(Version { text: word.to_owned(), parts, precision: Precision::Exact, span: Some(span) })
}

/// Form of an export and what it lacks.
pub struct Standing {
    /// Form.
    pub form: ExportForm,
    /// Topics that are not complete.
    pub gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown.
    pub head: Option<Span>,
}

/// Menus that a whole export has something of, whatever the box does.
const COMMON: [&str; 4] = ["/interface", "/ip", "/system", "/port"];

/// Judges the form.
pub fn standing(input: &Input<'_>, menus: &Menus<'_>, header: &Header) -> Standing {
    let head = header.version.as_ref().and_then(|v| v.span).or(menus.first());
    let tops: BTreeSet<&str> = menus.paths().map(|p| p.split(' ').next().unwrap_or(p)).collect();
    let common = COMMON.iter().filter(|t| tops.contains(**t)).count();
    let addressed = ["/ip address", "/ip dhcp-client", "/interface pppoe-client"].iter().any(|p| !menus.unmarked(p).is_empty());
    let whole = if header.version.is_some() { common >= 2 && addressed } else { common >= 3 && addressed && menus.paths().count() >= 8 };
    // Menus come in the order of their names, and every box has something of the last ones.
    let last = input.range.end.checked_sub(1).and_then(|at| input.tree.text().as_bytes().get(at));
    let cut = last != Some(&b'\n') && !["/system", "/tool", "/user"].iter().any(|t| tops.contains(t));
    let form = match (whole && !cut, header.version.is_some() && tops.len() == 1) {
        (true, _) => ExportForm::Full,
        (false, true) => ExportForm::Section,
        (false, false) => ExportForm::Excerpt,
    };
    let mut gaps = BTreeMap::new();
    // Users never stand in an export.
    let missing = |topic: &'static str| Why::at(WhyCode::NotExported, topic, head.into_iter().collect());
    gaps.insert("accounts", missing("accounts"));
    if form != ExportForm::Full {
        // `/ip firewall export` shows every menu below it that is in use; an export of one of these menus shows no other.
        let firewall = form == ExportForm::Section && menus.paths().count() > 1 && menus.paths().all(|p| p.starts_with("/ip firewall"));
        let shown: &[&str] = if firewall { &["nat", "objects"] } else { &[] };
        for topic in schema::TOPICS.iter().filter(|t| !shown.contains(t)) {
            gaps.insert(topic, missing(topic));
        }
        if header.version.is_some() {
            gaps.remove("firmware");
        }
    } else if let Some(value) = undefined_interface(input, menus) {
        gaps.insert("interfaces", Why::at(WhyCode::Unresolved, value.text, vec![value.span]));
    }
    for (topic, span) in failed(input) {
        gaps.entry(topic).or_insert_with(|| Why::at(WhyCode::NotExported, topic, vec![span]));
    }
    Standing { form, gaps, head }
}

/// Topics of menus that the router could not export in time: it says so in comments and leaves them out.
fn failed(input: &Input<'_>) -> Vec<(&'static str, Span)> {
    let text = input.tree.text();
    let mut out = Vec::new();
    for span in &input.tree.comments {
        let line = span.slice(text).trim_start_matches('#').trim_start();
        let Some(path) = line.strip_prefix("error exporting ") else { continue };
        let path = path.split(" (").next().unwrap_or(path).trim().trim_matches('"');
        let path = format!("/{}", path.trim_start_matches('/').replace('/', " "));
        let idle = |pattern: &String| !pattern.contains('>') && path.starts_with(pattern.as_str());
        if input.grammar.file.irrelevant.iter().any(idle) {
            continue;
        }
        let holds = |begin: &String| path.starts_with(begin.as_str()) || begin.starts_with(&path);
        for topic in schema::TOPICS {
            if input.grammar.file.telling.get(*topic).is_some_and(|begins| begins.iter().any(holds)) {
                out.push((*topic, *span));
            }
        }
    }
    out
}

/// An interface that rows name and no menu defines, where its name is none the factory gives to ports. The product never exports
/// such a name (what was removed stands there as a number with an asterisk): lines were cut from this export.
fn undefined_interface<'a>(input: &Input<'a>, menus: &Menus<'a>) -> Option<Value<'a>> {
    let mut defined: HashSet<&str> = HashSet::new();
    for path in menus.paths().filter(|p| p.starts_with("/interface") || p.starts_with("/caps-man") || p.starts_with("/zerotier")) {
        for item in menus.unmarked(path) {
            defined.extend(item.attributes().filter(|(_, v)| matches!(v.key, "name" | "default-name")).map(|(_, v)| v.text));
            defined.extend(item.condition("default-name").or(item.condition("name")).into_iter().chain(item.targets()));
        }
    }
    let ports = input.grammar.names("factory_ports");
    let is_port = |name: &str| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        ports.iter().any(|p| p == stem)
    };
    let named =
        ["/ip firewall filter", "/ip firewall nat", "/ip address", "/interface list member", "/interface vlan", "/interface bridge port"];
    named.iter().flat_map(|path| menus.unmarked(path)).find_map(|item| {
        let values = item.attributes().map(|(_, v)| v).filter(|v| matches!(v.key, "interface" | "in-interface" | "out-interface"));
        values.map(|v| v.negated().0).find(|v| {
            let odd = v.text.is_empty() || v.text.starts_with(['*', '<']) || v.text.starts_with("all");
            !odd && !matches!(v.text, "none" | "dynamic" | "static") && !is_port(v.text) && !defined.contains(v.text)
        })
    })
}

/// What the product can do.
pub fn capabilities(export: &super::Export<'_>, device: &mut Device) {
    for capability in schema::CAPABILITIES {
        device.capabilities.insert(capability, export.product(&format!("capability.{capability}"), yes_no));
    }
}
