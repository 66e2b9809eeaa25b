//! What the export is: version, model, and how much of the box it shows.
//!
//! Versions stand in comments: `by RouterOS 7.15.2` of the export itself, or `version: 7.15.2 (stable)` of a collector that prints
//! the resources first. Both head exports of a single menu as well, so a header alone does not make an export whole.

use super::menus::Menus;
use super::yes_no;
use crate::dialect::Input;
use crate::ir::Device;
use crate::ir::device::{ExportForm, Precision, Version};
use crate::ir::fact::{Why, WhyCode};
use crate::ir::schema;
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

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
            let by_export = line.split_once("by RouterOS ").map(|(_, v)| v);
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
    let form = match (whole, header.version.is_some() && tops.len() == 1) {
        (true, _) => ExportForm::Full,
        (false, true) => ExportForm::Section,
        (false, false) => ExportForm::Excerpt,
    };
    let mut gaps = BTreeMap::new();
    // Users never stand in an export.
    let missing = |topic: &'static str| Why::at(WhyCode::NotExported, topic, head.into_iter().collect());
    gaps.insert("accounts", missing("accounts"));
    if form != ExportForm::Full {
        let shown: &[&str] = match (form, menus.paths().all(|p| p.starts_with("/ip firewall"))) {
            (ExportForm::Section, true) => &["nat", "objects"],
            _ => &[],
        };
        for topic in schema::TOPICS.iter().filter(|t| !shown.contains(t)) {
            gaps.insert(topic, missing(topic));
        }
        if header.version.is_some() {
            gaps.remove("firmware");
        }
    }
    let _ = input;
    Standing { form, gaps, head }
}

/// What the product can do.
pub fn capabilities(export: &super::Export<'_>, device: &mut Device) {
    for capability in schema::CAPABILITIES {
        device.capabilities.insert(capability, export.product(&format!("capability.{capability}"), yes_no));
    }
}
