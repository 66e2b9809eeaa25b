//! Who the box is and how much of its configuration the export shows.
//!
//! A running configuration prints only `version MAJOR.MINOR`; what a collector writes above it, or the name of the boot image,
//! may say the whole release. Only an export with its version and its end proves that a line is absent.

use super::{Export, Input};
use crate::ir::Device;
use crate::ir::device::{DeviceRole, ExportForm, Precision, Version};
use crate::ir::fact::{Why, WhyCode};
use crate::ir::schema::TOPICS;
use crate::source::Span;
use std::collections::BTreeMap;

/// What the first lines say.
#[derive(Default)]
pub struct Header {
    /// Release.
    pub version: Option<Version>,
    /// Model.
    pub model: Option<String>,
    /// Whether a line calls the software IOS XE.
    pub xe: bool,
}

/// How much of a configuration the export shows.
pub struct Standing {
    /// Form of the export.
    pub form: ExportForm,
    /// Topics that may lack lines.
    pub gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown.
    pub head: Option<Span>,
}

/// The numbers of a release as people and images write it: `17.09.04a`, `15.5(3)M7`, `155-3.M7`.
fn release(text: &str) -> Option<(String, Vec<u32>)> {
    let text = text.trim_matches(|c: char| c == ',' || c == '"' || c == '.');
    let mut parts: Vec<u32> = Vec::new();
    for piece in text.split(['.', '(', ')', '-']) {
        let digits: &str = &piece[..piece.bytes().take_while(u8::is_ascii_digit).count()];
        match digits.parse() {
            Ok(n) if parts.len() < 3 => parts.push(n),
            _ => break,
        }
        if digits.len() < piece.len() {
            break;
        }
    }
    // Images write 15.5 as 155.
    if let Some(first) = parts.first().copied().filter(|n| (120..200).contains(n)) {
        parts.splice(0..1, [first / 10, first % 10]);
    }
    let plausible = parts.first().is_some_and(|n| (3..40).contains(n));
    (plausible && parts.len() >= 3).then(|| (text.to_owned(), parts))
}

/// Reads the version line, the comments of a collector and the name of the boot image.
pub fn header(export: &Export<'_>, input: &Input<'_>) -> Header {
    let text = input.tree.text();
    let mut header = Header::default();
    let exact =
        |word: &str, span: Span| release(word).map(|(text, parts)| Version { text, parts, precision: Precision::Exact, span: Some(span) });
    for span in input.tree.comments.iter().take(60) {
        let line = span.slice(text).trim_start_matches(['!', ' ']);
        header.xe |= line.contains("IOS XE") || line.contains("IOS-XE");
        let mut words = line.split_whitespace();
        if line.contains("Cisco IOS") || line.starts_with("Image: Software:") {
            while let Some(word) = words.next() {
                let candidate = if word == "Version" { words.next().unwrap_or("") } else { word };
                if candidate.starts_with(|c: char| c.is_ascii_digit()) && header.version.is_none() {
                    header.version = exact(candidate, *span);
                }
            }
        } else if let Some(model) = line.strip_prefix("Chassis type:").map(str::trim).filter(|m| !m.is_empty()) {
            header.model = Some(model.to_owned());
        }
    }
    if let Some(line) = export.line(&["license", "udi", "pid"]).and_then(|n| n.word(3)) {
        header.model.get_or_insert_with(|| line.to_owned());
    }
    let line = export.line(&["version"]);
    let train = line.and_then(|n| {
        let text = n.word(1)?;
        let parts: Vec<u32> = text.split('.').map_while(|p| p.parse().ok()).collect();
        (parts.len() >= 2).then(|| Version { text: text.to_owned(), parts, precision: Precision::Train, span: Some(n.span()) })
    });
    for node in export.lines(&["boot", "system"]) {
        let image = node.word(node.len().saturating_sub(1)).unwrap_or("");
        header.xe |= image.contains("packages.conf");
        let mut pieces = image.match_indices('.').map(|(at, _)| &image[at + 1..]);
        if header.version.is_none() {
            header.version = pieces.find_map(|p| release(p.trim_end_matches(".bin"))).and_then(|(text, parts)| {
                let text = text.split(".SPA").next().unwrap_or(&text).to_owned();
                // Only an image of the train that runs says which release runs.
                let same = train.as_ref().is_some_and(|t: &Version| parts.starts_with(&t.parts));
                same.then_some(Version { text, parts, precision: Precision::Exact, span: Some(node.span()) })
            });
        }
    }
    if header.version.is_none() {
        header.version = train;
    }
    header
}

/// Key of the product in the lifecycle data: IOS XE where the release says so.
pub fn lifecycle_key(export: &Export<'_>, xe: bool) -> String {
    let major = export.version.as_ref().and_then(|v| v.parts.first().copied()).unwrap_or(0);
    let names = export.grammar.names("lifecycle_keys");
    let key = if xe || major >= 16 { names.get(1) } else { names.first() };
    key.or(names.first()).cloned().unwrap_or_default()
}

/// Judges how much of a configuration the export shows.
pub fn standing(export: &Export<'_>, input: &Input<'_>) -> Standing {
    let first = input.tree.root().children().next().map(|n| n.span());
    let version = export.line(&["version"]);
    let head = version.map(|n| n.span()).or(export.line(&["hostname"]).map(|n| n.span())).or(first);
    let ended = export.line(&["end"]).is_some();
    let lines = export.lines(&["line"]).next().is_some();
    // The form of a box under a controller has neither a version nor an end.
    let overlay = export.line(&["system"]).is_some() && export.line(&["sdwan"]).is_some() && lines;
    let why = |about: &str| Why::at(WhyCode::NotExported, about, head.into_iter().collect());
    let mut gaps = BTreeMap::new();
    if !lines && !overlay {
        // A running configuration always prints its lines: somebody left them out.
        gaps.extend(["listeners", "login_policy"].into_iter().map(|t| (t, why(t))));
    }
    let form = if (version.is_some() || export.line(&["Current", "configuration"]).is_some()) && ended || overlay {
        ExportForm::Full
    } else if version.is_some() && lines {
        // Lines are printed near the end; what sets the clock comes after them.
        gaps.insert("time", why("time"));
        ExportForm::Full
    } else {
        gaps.extend(TOPICS.iter().map(|t| (*t, why(t))));
        ExportForm::Excerpt
    };
    Standing { form, gaps, head }
}

/// What the box calls itself.
pub fn hostname(export: &Export<'_>) -> Option<String> {
    export.line(&["hostname"]).and_then(|n| n.word(1)).map(str::to_owned)
}

/// What the product can do, and what it is in its network: a box whose ports are switched, and which neither translates nor
/// encrypts, is a switch; one with radios is an access point, which is much the same here.
pub fn role(export: &Export<'_>, device: &mut Device) {
    for word in crate::ir::schema::CAPABILITIES {
        device.capabilities.insert(word, export.product(&format!("capability.{word}"), super::on_off));
    }
    if is_switch(export) {
        device.role = DeviceRole::Switch;
    }
    device.name = device.identity.hostname.clone().or_else(|| device.identity.model.clone()).unwrap_or_default();
}

/// See [`role`].
pub fn is_switch(export: &Export<'_>) -> bool {
    let ports = &export.ports.ports;
    let switched = ports.iter().filter(|p| p.switchport).count();
    let radios = ports.iter().any(|p| p.name.starts_with("Dot11Radio"));
    let gateway = ports.iter().any(|p| p.nat_outside.is_some() || p.crypto_map.is_some() || p.ppp || p.zone.is_some());
    let crypto = export.lines(&["crypto", "map"]).next().is_some() || export.lines(&["crypto", "isakmp", "policy"]).next().is_some();
    let layer2_gateway = export.line(&["ip", "default-gateway"]).is_some();
    !gateway && !crypto && (radios || switched >= 3 || layer2_gateway)
}
