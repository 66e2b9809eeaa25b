//! Who the box is and how much of its configuration the export shows.
//!
//! Reads version lines, comment headers and the order of sections; decides nothing about security. A header alone does not
//! make an export whole: it must also reach its end, or the last sections a box prints.

use super::lines::Lines;
use crate::dialect::Input;
use crate::ir::device::{ExportForm, Precision, Version};
use crate::ir::fact::{Why, WhyCode};
use crate::ir::schema::TOPICS;
use crate::source::Span;
use std::collections::BTreeMap;

/// What the first lines say.
pub struct Header {
    /// Version of the software as sold.
    pub version: Option<Version>,
    /// Version of the engine, by which defaults go.
    pub engine: Option<Version>,
    /// Whether another manager owns the configuration and this text is generated from it.
    pub managed: bool,
    /// Hardware model.
    pub model: Option<String>,
    /// Name of the security context, or of the system space.
    pub context: Option<String>,
    /// The version line, or the first line.
    pub head: Option<Span>,
    /// Whether a version line is there.
    pub found: bool,
}

/// Reads `9.12(4)67`.
pub fn version(text: &str, span: Span) -> Option<Version> {
    let parts: Vec<u32> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let precision = match parts.len() {
        0 | 1 => return None,
        2 => Precision::Train,
        _ => Precision::Exact,
    };
    Some(Version { text: text.to_owned(), parts, precision, span: Some(span) })
}

/// Reads headers and version lines.
pub fn read(input: &Input<'_>, lines: &Lines<'_>) -> Header {
    let text = input.tree.text();
    let first = input.tree.root().children().next().map(|n| n.span()).into_iter().chain(input.tree.comments.first().copied()).min();
    let mut header = Header { version: None, engine: None, managed: false, model: None, context: None, head: first, found: false };
    for product in ["ASA", "PIX", "NGFW"] {
        let Some(line) = lines.last(&[product, "Version"]) else { continue };
        header.version = version(line.word_or_empty(2), line.span());
        header.managed = product == "NGFW";
        header.head = Some(line.span());
        header.found = true;
        let context = line.word(3).and_then(|w| w.strip_prefix('<')).and_then(|w| w.strip_suffix('>'));
        header.context = context.map(str::to_owned);
        if !header.managed {
            header.engine.clone_from(&header.version);
        }
    }
    for span in input.tree.comments.iter().take(200) {
        let line = span.slice(text).trim_start_matches(['!', ':']).trim();
        if let Some(rest) = line.strip_prefix("Hardware:") {
            let model = rest.trim().split([',', ' ']).next().unwrap_or("");
            if !model.is_empty() && header.model.is_none() {
                header.model = Some(model.to_owned());
            }
        } else if let Some(rest) = line.strip_prefix("Cisco Adaptive Security Appliance Software Version ")
            && header.engine.is_none()
        {
            header.engine = version(rest.trim(), *span);
        }
    }
    header
}

/// How much the export shows.
pub struct Standing {
    /// Its form.
    pub form: ExportForm,
    /// Topics that are not complete.
    pub gaps: BTreeMap<&'static str, Why>,
}

/// The order in which the box prints, by first words.
const ORDER: &[&[&str]] = &[
    &["interface"],
    &["object", "object-group"],
    &["access-list"],
    &["logging", "mtu", "ip", "icmp", "failover"],
    &["nat", "static", "global"],
    &["access-group", "route"],
    &["timeout"],
    &["aaa-server", "aaa", "http", "snmp-server"],
    &["crypto"],
    &["telnet", "ssh", "console"],
    &["ntp", "ssl", "webvpn", "threat-detection"],
    &["group-policy", "username", "tunnel-group"],
    &["class-map", "policy-map", "service-policy", "prompt"],
];

/// The place in [`ORDER`] up to which a topic's lines stand.
const UNTIL: &[(&str, usize)] = &[
    ("interfaces", 5),
    ("objects", 1),
    ("local_filter", 5),
    ("forward_filter", 5),
    ("nat", 4),
    ("logging", 3),
    ("auth_servers", 7),
    ("snmp", 7),
    ("crypto", 8),
    ("listeners", 10),
    ("login_policy", 10),
    ("time", 10),
    ("services", 10),
    ("management_channels", 10),
    ("tunnels", 11),
    ("remote_access", 11),
    ("accounts", 11),
    ("secrets", 11),
];

/// Topics that the manager of a managed box keeps to itself: its text shows only what its engine needs.
const MANAGED: &[&str] = &["listeners", "accounts", "login_policy", "time", "management_channels", "logging", "snmp"];

/// Judges how much of a configuration the export shows.
pub fn standing(input: &Input<'_>, lines: &Lines<'_>, header: &Header) -> Standing {
    let text = input.tree.text();
    let at = || header.head.into_iter().collect::<Vec<Span>>();
    let seen = |words: &&[&str]| words.iter().any(|w| !lines.of(w).is_empty());
    let sections = ORDER.iter().filter(|w| seen(w)).count();
    let ended = input.tree.root().children().any(|n| n.word_or_empty(0).starts_with("Cryptochecksum"))
        || input.tree.comments.iter().any(|c| c.slice(text).trim_start_matches(':').trim() == "end");
    let last = ORDER.iter().rposition(seen).unwrap_or(0);
    let mut gaps = BTreeMap::new();
    let mut form = ExportForm::Full;
    // Timers are always printed: a text without them was cut down for reading.
    let timers = lines.has(&["timeout"]);
    let whole = header.found && sections >= 3 && (ended || timers) || sections >= 9 && timers;
    if !whole {
        form = ExportForm::Excerpt;
        gaps.extend(TOPICS.iter().map(|t| (*t, Why::at(WhyCode::NotExported, *t, at()))));
    } else if !ended && last + 1 < ORDER.len() {
        form = ExportForm::Excerpt;
        gaps.extend(UNTIL.iter().filter(|(_, n)| *n >= last).map(|(t, _)| (*t, Why::at(WhyCode::NotExported, *t, at()))));
    }
    if header.managed {
        gaps.extend(MANAGED.iter().map(|t| (*t, Why::at(WhyCode::Pushed, *t, at()))));
    }
    match header.context.as_deref() {
        // The system space holds what the contexts are made of, and nothing of their traffic.
        Some("system") => gaps.extend(TOPICS.iter().map(|t| (*t, Why::at(WhyCode::OtherContext, *t, at())))),
        Some(_) => gaps.extend(["time", "firmware"].map(|t| (t, Why::at(WhyCode::OtherContext, t, at())))),
        None => {}
    }
    Standing { form, gaps }
}
