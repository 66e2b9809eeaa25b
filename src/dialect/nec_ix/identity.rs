//! Who the router is, and how much of its configuration the export shows.
//!
//! A running configuration begins with a header and prints every interface, `Loopback0.0` and `Null0.0` among them; where these are
//! missing, the text was cut. Nothing is decided about security.

use super::interface::Ports;
use super::lines::Lines;
use super::{Export, Input, on_off};
use crate::ir::Device;
use crate::ir::device::{ExportForm, Precision, Version};
use crate::ir::fact::{Why, WhyCode};
use crate::ir::schema::{CAPABILITIES, TOPICS};
use crate::source::Span;
use std::collections::BTreeMap;

/// What the first comment lines say.
#[derive(Default)]
pub struct Header {
    /// Release.
    pub version: Option<Version>,
    /// Model as printed; older models print their family's name.
    pub model: Option<String>,
}

/// Comment lines looked at for the header.
const HEADER: usize = 20;

/// Reads `! IX Series IX2215 (magellan-sec) Software, Version 10.7.18, RELEASE SOFTWARE`.
pub fn header(input: &Input<'_>) -> Header {
    let text = input.tree.text();
    let inside = |s: &&Span| (s.start as usize) >= input.range.start && (s.end as usize) <= input.range.end;
    for span in input.tree.comments.iter().filter(inside).take(HEADER) {
        let words: Vec<&str> = span.slice(text).trim_start_matches('!').split_whitespace().collect();
        let Some(at) = words.iter().position(|w| *w == "Version") else { continue };
        let Some(number) = words.get(at + 1).map(|w| w.trim_end_matches(',')) else { continue };
        // A letter behind the last number marks a maintenance release.
        let digits = number.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let parts: Option<Vec<u32>> = digits.split('.').map(|p| p.parse().ok()).collect();
        let Some(parts) = parts.filter(|p| p.len() >= 2) else { continue };
        let precision = if parts.len() >= 3 { Precision::Exact } else { Precision::Train };
        let version = Version { text: number.to_owned(), parts, precision, span: Some(*span) };
        let model = words[..at].iter().rev().find(|w| w.len() > 2 && w.starts_with("IX")).map(|m| (*m).to_owned());
        return Header { version: Some(version), model };
    }
    Header::default()
}

/// How much the export shows.
pub struct Standing {
    /// Its form.
    pub form: ExportForm,
    /// Topics that are not complete.
    pub gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown.
    pub head: Span,
}

/// Topics whose lines stand in interface blocks.
const OF_INTERFACES: &[&str] = &["interfaces", "local_filter", "forward_filter", "nat", "tunnels", "remote_access"];

/// Judges how much of a configuration the export shows.
pub fn standing(input: &Input<'_>, lines: &Lines<'_>, ports: &Ports<'_>, header: &Header) -> Standing {
    let first = input.tree.root().children().next().map(|n| n.span()).into_iter().chain(input.tree.comments.first().copied()).min();
    let at = input.range.start as u32;
    let start = Span { file: input.tree.file(), start: at, end: at };
    let head = header.version.as_ref().and_then(|v| v.span).or(first).unwrap_or(start);
    let why = |about: &str| Why::at(WhyCode::NotExported, about, vec![head]);
    // The last blocks of a printed configuration, tunnels aside.
    let printed_to_the_end = ports.has_null;
    let device_blocks = !lines.all(&["device"]).is_empty();
    let missing: &[&'static str] = match (header.version.is_some(), printed_to_the_end) {
        (true, true) => &[],
        (true, false) => OF_INTERFACES,
        (false, true) if device_blocks => &[],
        (false, _) => TOPICS,
    };
    let form = if missing.is_empty() { ExportForm::Full } else { ExportForm::Excerpt };
    Standing { form, gaps: missing.iter().map(|t| (*t, why(t))).collect(), head }
}

/// What the product can do, by the grammar's rows.
pub fn capabilities(export: &Export<'_>, device: &mut Device) {
    for word in CAPABILITIES {
        device.capabilities.insert(word, export.product(&format!("capability.{word}"), on_off));
    }
    device.name = device.identity.hostname.clone().or_else(|| device.identity.model.clone()).unwrap_or_default();
}
