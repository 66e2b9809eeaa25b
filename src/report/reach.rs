//! The forms of `reach`: text for people, JSON for programs.
//!
//! The JSON is a contract with a version of its own (`tests/schemas/sekisho-reach-1.schema.json`): keys may be added, never renamed.

use super::page::Page;
use super::plain;
use crate::answer::{Block, FileHead, Line, ReachDevice, ReachReport, Row};
use crate::ir::record::Witness;
use serde::Serialize;
use serde_json::{Value, json};

/// The text for people.
pub fn text(report: &ReachReport, width: usize) -> String {
    let mut page = Page { lang: report.lang, width, out: String::new() };
    let question = page.fill("reach.asked", &[&report.question.0, &report.question.1]);
    page.labelled(0, "", &question);
    for head in &report.refused {
        page.blank();
        refused(&mut page, head);
    }
    for device in &report.devices {
        page.blank();
        self::device(&mut page, device);
    }
    page.blank();
    let counts = ["yes", "unknown", "no"].map(|answer| report.count(answer).to_string());
    let summary = page.fill("reach.summary", &[&counts[0], &counts[1], &counts[2]]);
    page.labelled(0, "", &summary);
    page.out
}

fn refused(page: &mut Page, head: &FileHead) {
    page.row(&head.path);
    let text = page.fill("reach.unreadable", &[&head.errors.join(" ")]);
    page.labelled(2, "", &text);
}

fn device(page: &mut Page, device: &ReachDevice) {
    page.row(&device.file.path);
    let name = if device.context.is_empty() { device.name.clone() } else { format!("{} / {}", device.name, device.context) };
    page.row(&format!("  {name}  {}", device.product));
    if !device.file.readable {
        let text = page.fill("reach.unreadable", &[&device.file.errors.join(" ")]);
        page.labelled(2, "", &text);
    }
    if device.rows.is_empty() {
        let text = if device.open.is_empty() { page.get("reach.no_way") } else { "" };
        if !text.is_empty() {
            page.labelled(2, "", text);
        }
    }
    // Of a target that is reached one way, the ways that do not lead there are left to JSON.
    let reached = |row: &Row| {
        let same = |r: &&Row| r.answer != "no" && (&r.target, &r.interface, r.family) == (&row.target, &row.interface, row.family);
        device.rows.iter().any(|r| same(&r))
    };
    let rows: Vec<&Row> = device.rows.iter().filter(|r| r.answer != "no" || !reached(r)).collect();
    // In full what was asked for; among everything, what is stopped in one line for each thing that stops it.
    let in_full = |row: &Row| row.answer != "no" || !device.everything;
    for row in rows.iter().filter(|r| in_full(r)) {
        page.blank();
        self::row(page, row);
    }
    stopped(page, rows.into_iter().filter(|r| !in_full(r)).collect());
    if !device.open.is_empty() {
        page.blank();
    }
    for why in &device.open {
        let text = page.fill("reach.open", &[why]);
        page.labelled(2, "", &text);
    }
}

/// What is stopped: the targets, and the line that stops them.
fn stopped(page: &mut Page, mut rows: Vec<&Row>) {
    while let Some(first) = rows.first().copied() {
        let why = first.lines.last();
        let (same, rest): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|r| r.lines.last() == why && r.interface == first.interface);
        rows = rest;
        let mut targets: Vec<&str> = same.iter().map(|r| r.target.as_str()).collect();
        targets.dedup();
        let said = page.fill("reach.stopped", &[&first.interface, &targets.join(page.get("ui.value.separator"))]);
        let lead = plain::pad(page.get("reach.answer.no"), answer_columns(page));
        page.blank();
        page.labelled(0, &lead, &said);
        let indent = plain::width(&lead);
        why.into_iter().for_each(|line| page.line(indent, line));
    }
}

fn answer_columns(page: &Page) -> usize {
    let words = ["reach.answer.yes", "reach.answer.unknown", "reach.answer.no"].map(|key| plain::width(page.get(key)));
    words.into_iter().max().unwrap_or(0) + 2
}

fn row(page: &mut Page, row: &Row) {
    let outside = crate::texts::texts().find(page.lang, &format!("words.side_kind.{}", row.outside)).unwrap_or(row.outside).to_owned();
    let said = match row.outside {
        "none" => page.fill("reach.through_inside", &[&row.target, &row.interface]),
        _ => page.fill("reach.through", &[&row.target, &row.interface, &outside]),
    };
    let (answer, packet) = match row.answer {
        "yes" => ("reach.answer.yes", "reach.packet.through"),
        "unknown" => ("reach.answer.unknown", "reach.packet.maybe"),
        _ => ("reach.answer.no", "reach.packet.stopped"),
    };
    let lead = plain::pad(page.get(answer), answer_columns(page));
    page.labelled(0, &lead, &said);
    let indent = plain::width(&lead);
    page.blocks(indent, &row.blocks);
    if let Some(reason) = &row.reason {
        page.said(indent, "reach.label.reason", reason);
    }
    if let Some(witness) = &row.witness {
        page.packet(indent, witness, packet);
    }
    page.lines(indent, &row.lines);
}

/// The JSON for programs.
pub fn json(report: &ReachReport) -> String {
    let devices: Vec<Value> = report.devices.iter().map(device_json).collect();
    plain::json(&json!({
        "version": 1,
        "tool": { "name": "sekisho", "version": env!("CARGO_PKG_VERSION") },
        "lang": report.lang.key(),
        "question": { "from": report.question.0, "to": report.question.1 },
        "refused": report.refused.iter().map(head_json).collect::<Vec<_>>(),
        "devices": devices,
        "summary": { "yes": report.count("yes"), "unknown": report.count("unknown"), "no": report.count("no"), "open": report.is_open() },
    }))
}

/// A file as both commands print it.
pub(super) fn head_json(head: &FileHead) -> Value {
    json!({ "path": head.path, "dialect": head.dialect, "readable": head.readable, "errors": head.errors })
}

fn device_json(device: &ReachDevice) -> Value {
    json!({
        "file": head_json(&device.file),
        "name": device.name,
        "context": device.context,
        "product": device.product,
        "ways": device.rows.iter().map(row_json).collect::<Vec<_>>(),
        "open": device.open,
    })
}

fn row_json(row: &Row) -> Value {
    json!({
        "answer": row.answer,
        "kind": row.kind,
        "target": row.target,
        "service": row.service,
        "interface": row.interface,
        "outside": row.outside,
        "family": row.family,
        "packets": row.blocks.iter().map(block_json).collect::<Vec<_>>(),
        "witness": row.witness.as_ref().map(witness_json),
        "lines": row.lines.iter().map(line_json).collect::<Vec<_>>(),
        "reason": row.reason,
    })
}

/// A block of packets as both commands print it.
pub(super) fn block_json(block: &Block) -> Value {
    json!({
        "when": block.when,
        "sure": block.sure,
        "sources": block.sources,
        "destinations": block.destinations,
        "services": block.services,
        "source_ports": block.source_ports,
    })
}

/// A packet as both commands print it.
pub(super) fn witness_json(witness: &Witness) -> Value {
    json!({
        "source": witness.source.to_string(),
        "destination": witness.destination.map(|d| d.to_string()),
        "protocol": witness.protocol,
        "port": witness.port,
    })
}

#[derive(Serialize)]
struct JsonLine<'a> {
    line: Option<usize>,
    column: Option<usize>,
    label: &'a str,
}

/// A line as both commands print it; its text stays out of JSON.
pub(super) fn line_json(line: &Line) -> Value {
    let place = line.place;
    let line = JsonLine { line: place.map(|p| p.line), column: place.map(|p| p.column), label: &line.label };
    serde_json::to_value(line).unwrap_or_default()
}
