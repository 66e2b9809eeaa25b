//! Who the box is, how much of its configuration the export shows, whether it has zones, and what it is in its network.

use super::{Gatekeeping, Input, Lowering, gaps};
use crate::ir::device::{Completeness, DeviceRole, ExportForm, Identity, Precision, Version};
use crate::ir::fact::{Origin, Why, WhyCode};
use crate::ir::interface::InterfaceKind;
use crate::ir::schema::TOPICS;
use crate::source::Span;
use crate::syntax::Node;
use crate::syntax::brace::{at, below, find_below, rows, value};
use std::collections::BTreeMap;

pub(super) fn identity(input: &Input<'_>) -> Identity {
    let table = &input.grammar.file.identity;
    let root = input.tree.root();
    let hostname = value(root, &["system", "host-name"]).map(|n| n.word_or_empty(0).to_owned());
    let cluster = value(root, &["chassis", "cluster", "reth-count"]).is_some() || at(root, &["chassis", "cluster"]).is_some();
    Identity {
        vendor: table.vendor.clone(),
        product: table.product.clone(),
        lifecycle_key: table.lifecycle_key.clone(),
        version: version(root),
        model: comment(input, "Model:"),
        ha_group: cluster.then(|| hostname.clone().unwrap_or_else(|| "cluster".to_owned())),
        hostname: hostname.filter(|h| !h.is_empty()),
    }
}

/// What a collector wrote above the export: `# Model: srx300`.
fn comment(input: &Input<'_>, label: &str) -> Option<String> {
    let text = input.tree.text();
    let line = input.tree.comments.iter().take(40).map(|s| s.slice(text).trim_start_matches('#').trim()).find(|l| l.starts_with(label))?;
    let word = line[label.len()..].trim();
    (!word.is_empty() && word.len() < 40).then(|| word.to_uppercase())
}

/// `12.1X47-D45.4` or `22.4R3-S2.11`: the numbers in their order. A build string is no release.
fn version(root: Node<'_>) -> Option<Version> {
    let node = value(root, &["version"])?;
    let text = node.word_or_empty(0);
    let release = text.len() < 40 && text.split(['R', 'X', 'I', 'B', 'F']).next().is_some_and(|t| t.split('.').count() == 2);
    let mut parts: Vec<u32> = Vec::new();
    for piece in text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()) {
        parts.push(piece.parse().ok()?);
    }
    if !release || parts.len() < 2 || parts[0] > 99 {
        return None;
    }
    let precision = if parts.len() > 2 { Precision::Exact } else { Precision::Train };
    Some(Version { text: text.to_owned(), parts, precision, span: Some(node.span()) })
}

/// How complete the export is, and where an absence is shown: at the release, which the box prints above everything.
pub(super) fn completeness(input: &Input<'_>) -> (Completeness, Span) {
    let root = input.tree.root();
    let has = |path: &[&str]| {
        let mut at = Some(root);
        for word in path {
            at = at.and_then(|n| below(n).find(|c| c.word(0) == Some(word)));
        }
        at
    };
    let first = below(root).next().map_or(Span { file: input.tree.file(), start: 0, end: 0 }, |n| n.span());
    let head = has(&["version"]).map_or(first, Node::span);
    let cut = input.tree.problems.iter().any(|p| matches!(p.code, "unclosed_block" | "stray_brace" | "too_much_inherited"));
    let tops = below(root).filter(|n| !matches!(n.word(0), Some("groups" | "apply-groups"))).count();
    let body = has(&["system"]).is_some() && (has(&["interfaces"]).is_some() || has(&["security"]).is_some());
    // The box prints its release first; an export without it was put together by hand unless most chapters are there.
    let whole = body && !cut && (has(&["version"]).is_some() || tops >= 4 && has(&["system", "root-authentication"]).is_some());
    let why = |about: &str| Why::at(WhyCode::NotExported, about, vec![head]);
    if !whole {
        return (Completeness { form: ExportForm::Excerpt, gaps: gaps(TOPICS, why) }, head);
    }
    let mut missing = BTreeMap::new();
    if has(&["system", "root-authentication"]).is_none() {
        // The box takes no configuration without it, so somebody took lines out here.
        missing = gaps(&["accounts", "login_policy", "secrets", "auth_servers"], |t| why(t));
    }
    if has(&["interfaces"]).is_none() {
        missing.extend(gaps(&["interfaces"], |t| why(t)));
    }
    (Completeness { form: ExportForm::Full, gaps: missing }, head)
}

/// Whether zones decide what reaches the box.
pub(super) fn gatekeeping(input: &Input<'_>, own: Node<'_>, completeness: &Completeness, head: Span) -> Gatekeeping {
    let root = input.tree.root();
    // Packet mode switches the stateful firewall off, zones and all.
    if let Some(mode) = at(root, &["security", "forwarding-options", "family", "mpls", "mode", "packet-based"]) {
        return Gatekeeping::Open(Origin::Written(mode.span()));
    }
    let zones = |node| !rows(node, &["security", "zones", "security-zone"]).is_empty() || at(node, &["security", "policies"]).is_some();
    if zones(own) || zones(root) {
        return Gatekeeping::Zones;
    }
    if completeness.form == ExportForm::Excerpt {
        return Gatekeeping::Unknown(Why::at(WhyCode::NotExported, "security zones", vec![head]));
    }
    let rule = input.grammar.default("security.no-zones", None, Some(head));
    Gatekeeping::Open(rule.origin)
}

/// More switched than routed ports and no zones: a switch.
pub(super) fn role(l: &mut Lowering<'_>) {
    if !matches!(l.gatekeeping, Gatekeeping::Open(_)) {
        return;
    }
    let mut switched = 0usize;
    let mut routed = 0usize;
    for (interface, unit) in l.device.interfaces.iter().zip(&l.names.units) {
        if interface.kind == InterfaceKind::OutOfBand || interface.kind == InterfaceKind::Loopback {
            continue;
        }
        let family = below(*unit).find(|n| n.word(0) == Some("family"));
        if family.is_some_and(|f| below(f).any(|n| n.word(0) == Some("ethernet-switching"))) {
            switched += 1;
        } else if !interface.addresses.is_empty() {
            routed += 1;
        }
    }
    let by_chapter = at(l.root, &["ethernet-switching-options"]).is_some() || find_below(l.root, "virtual-chassis").is_some();
    if switched > routed || by_chapter && switched > 0 {
        l.device.role = DeviceRole::Switch;
    }
}
