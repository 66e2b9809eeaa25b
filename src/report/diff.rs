//! The forms of `diff`: text for people, JSON for programs.
//!
//! The JSON is a contract with a version of its own (`tests/schemas/sekisho-diff-1.schema.json`): keys may be added, never renamed.
//! Invariant of the text: worse things come first, and what cannot be told is never left out.

use super::page::Page;
use super::plain;
use super::reach::{block_json, head_json, line_json, witness_json};
use crate::answer::{DeviceDiff, DiffReport, Doorway, FactChange, FindingChange, Sight, ThingChange};
use crate::texts::texts;
use serde_json::{Value, json};

/// Facts that are told of something that was added or removed; JSON has all.
const TOLD: [&str; 8] = ["kind", "mode", "peer", "auth", "weak", "second", "client_cert", "limited_source"];

/// The text for people.
pub fn text(report: &DiffReport, width: usize) -> String {
    let mut page = Page { lang: report.lang, width, out: String::new() };
    let heading = page.fill("diff.heading", &[&report.names.0, &report.names.1]);
    page.row(&heading);
    let sides = [("diff.in_old", &report.files.0), ("diff.in_new", &report.files.1)];
    for (side, heads) in sides {
        for head in heads.iter().filter(|h| !h.readable) {
            let text = page.fill("diff.unreadable", &[page.get(side), &head.errors.join(" ")]);
            page.labelled(2, "", &text);
        }
    }
    for device in &report.devices {
        self::device(&mut page, device);
    }
    page.blank();
    if report.is_empty() && !report.is_unreadable() {
        page.labelled(0, "", page.get("diff.same"));
    }
    let alike: usize = report.devices.iter().map(|d| d.alike_unknown).sum();
    if alike > 0 {
        let text = page.fill("diff.alike_unknown", &[&alike.to_string()]);
        page.labelled(0, "", &text);
    }
    let sum = |count: fn(&DeviceDiff) -> usize| report.devices.iter().map(count).sum::<usize>().to_string();
    let counts = [
        sum(|d| d.opened.len()),
        sum(|d| d.closed.len()),
        sum(|d| d.unknown.len()),
        sum(|d| d.things.len()),
        sum(|d| turns(d, "opened").len()),
        sum(|d| turns(d, "closed").len()),
    ];
    let counts: Vec<&str> = counts.iter().map(String::as_str).collect();
    let summary = page.fill("diff.summary", &counts);
    page.labelled(0, "", &summary);
    page.out
}

fn turns<'d>(device: &'d DeviceDiff, turn: &str) -> Vec<&'d FindingChange> {
    device.findings.iter().filter(|f| f.turn == turn).collect()
}

fn device(page: &mut Page, device: &DeviceDiff) {
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    let (old, new) = (named(&device.names.0), named(&device.names.1));
    let (from, to) = (named(&device.products.0), named(&device.products.1));
    let heading = match (&device.names.0, &device.names.1) {
        (Some(_), Some(_)) if device.names.0 == device.names.1 && from == to => page.fill("diff.device", &[&new, &to]),
        (Some(_), Some(_)) => page.fill("diff.device_changed", &[&old, &from, &new, &to]),
        (None, _) => page.fill("diff.device_new", &[&new, &to]),
        (_, None) => page.fill("diff.device_gone", &[&old, &from]),
    };
    page.row(&heading);
    for (key, doorways) in [
        ("diff.heading_of.opened", &device.opened),
        ("diff.heading_of.closed", &device.closed),
        ("diff.heading_of.unknown", &device.unknown),
    ] {
        if !doorways.is_empty() {
            section(page, key);
        }
        let mut told: Vec<(&Doorway, usize)> = Vec::new();
        for door in doorways {
            // What cannot be told is often so for one reason on many lines; one of them is shown.
            let alike =
                |d: &Doorway| d.versions.is_some() && (&d.target, d.outside, d.versions) == (&door.target, door.outside, door.versions);
            match told.iter_mut().find(|(d, _)| alike(d)) {
                Some((_, more)) => *more += 1,
                None => told.push((door, 0)),
            }
        }
        for (door, more) in told {
            doorway(page, door);
            if more > 0 {
                let text = page.fill("diff.alike", &[&more.to_string()]);
                page.labelled(4, "", &text);
            }
        }
    }
    let list = |page: &mut Page, key, turn: &str| {
        let list = turns(device, turn);
        if !list.is_empty() {
            section(page, key);
        }
        list.into_iter().for_each(|f| finding(page, f));
    };
    list(page, "diff.heading_of.findings_opened", "opened");
    list(page, "diff.heading_of.findings_changed", "changed");
    if !device.things.is_empty() {
        section(page, "diff.heading_of.things");
    }
    device.things.iter().for_each(|t| thing(page, t));
    list(page, "diff.heading_of.findings_closed", "closed");
    if !device.sights.is_empty() {
        section(page, "diff.heading_of.sights");
    }
    device.sights.iter().for_each(|s| sight(page, s));
}

fn section(page: &mut Page, key: &'static str) {
    page.blank();
    page.row(page.get(key));
}

fn word(page: &Page, key: &str) -> String {
    texts().get(page.lang, key).to_owned()
}

fn doorway(page: &mut Page, doorway: &Doorway) {
    let outside = word(page, &format!("words.side_kind.{}", doorway.outside));
    let heading = page.fill("diff.from_outside", &[&doorway.target, &outside]);
    page.labelled(2, "", &heading);
    if let Some((old, new)) = doorway.versions {
        let answer = |word: &str| texts().get(page.lang, &format!("reach.answer.{word}")).to_owned();
        let versions = page.fill("diff.versions", &[&answer(old), &answer(new)]);
        page.labelled(4, "", &versions);
    }
    page.blocks(4, &doorway.blocks);
    if let Some(reason) = &doorway.reason {
        page.said(4, "reach.label.reason", reason);
    }
    // What is closed is shown without its old proof: what stopped it stands in the new version, and that nothing leads there is no line.
    let shown = doorway.in_new;
    if let (Some(witness), true) = (&doorway.witness, shown) {
        page.packet(4, witness, if doorway.reason.is_some() { "reach.packet.maybe" } else { "reach.packet.through" });
    }
    if shown {
        for line in &doorway.lines {
            match line.place {
                Some(place) => {
                    let at = page.fill("diff.line_new", &[&place.line.to_string()]);
                    page.placed(4, &at, line);
                }
                None => page.labelled(4, "= ", &line.label),
            }
        }
    }
}

fn finding(page: &mut Page, finding: &FindingChange) {
    let severity = word(page, &format!("report.severity.{}", finding.severity.word()));
    let severity = match finding.before {
        Some(before) => {
            let before = word(page, &format!("report.severity.{}", before.word()));
            page.fill("diff.raised", &[&before, &severity])
        }
        None => severity,
    };
    let accepted = if finding.suppressed { page.get("diff.accepted") } else { "" };
    let message = if finding.turn == "closed" { finding.subject.clone() } else { finding.message.clone() };
    let lead = format!("{severity}[{} {}]  ", finding.rule, finding.name);
    page.row(&format!("  {lead}{}", if finding.turn == "closed" { format!("{message}{accepted}") } else { accepted.to_owned() }));
    if finding.turn != "closed" {
        page.labelled(4, "", &message);
        if let Some(line) = &finding.line {
            let at = page.fill("diff.line_new", &[&line.place.map_or(0, |p| p.line).to_string()]);
            page.placed(4, &at, line);
        }
    }
    if finding.other == "undetermined" {
        page.labelled(4, "= ", page.get("diff.other_unknown"));
    }
}

fn thing(page: &mut Page, thing: &ThingChange) {
    let name = page.fill(&format!("diff.thing.{}", thing.kind), &[&thing.name]);
    let turn = word(page, &format!("diff.turn.{}", thing.turn));
    page.row(&format!("  {turn}  {name}"));
    if thing.turn == "changed" {
        for fact in &thing.facts {
            let text = page.fill("diff.fact", &[&fact.caption, &fact.old, &fact.new]);
            page.labelled(6, "", &text);
        }
    } else {
        let told = thing.facts.iter().filter(|f| TOLD.contains(&f.field));
        let told: Vec<String> = told.map(|f| page.fill("diff.told", &[&f.caption, &f.old, &f.new])).collect();
        let text = told.join(page.get("ui.value.separator"));
        page.labelled(6, "", &text);
    }
    for (key, line) in [("diff.line_old", &thing.old), ("diff.line_new", &thing.new)] {
        if let Some((line, place)) = line.as_ref().and_then(|l| Some((l, l.place?))) {
            let at = page.fill(key, &[&place.line.to_string()]);
            page.placed(4, &at, line);
        }
    }
}

fn sight(page: &mut Page, sight: &Sight) {
    let key = if sight.in_new { "diff.sight.in_new" } else { "diff.sight.in_old" };
    let text = page.fill(key, &[&sight.reason]);
    let lead = sight.rule.as_ref().map_or_else(|| sight.title.clone(), |rule| format!("{rule} {}", sight.title));
    page.row(&format!("  {lead}"));
    page.labelled(4, "", &text);
}

/// The JSON for programs.
pub fn json(report: &DiffReport) -> String {
    let heads = |heads: &[crate::answer::FileHead]| heads.iter().map(head_json).collect::<Vec<_>>();
    plain::json(&json!({
        "version": 1,
        "tool": { "name": "sekisho", "version": env!("CARGO_PKG_VERSION") },
        "lang": report.lang.key(),
        "old": { "name": report.names.0, "files": heads(&report.files.0) },
        "new": { "name": report.names.1, "files": heads(&report.files.1) },
        "changed": !report.is_empty(),
        "devices": report.devices.iter().map(device_json).collect::<Vec<_>>(),
    }))
}

fn device_json(device: &DeviceDiff) -> Value {
    let doors = |list: &[Doorway]| list.iter().map(doorway_json).collect::<Vec<_>>();
    json!({
        "old": device.names.0.as_ref().map(|name| json!({ "name": name, "product": device.products.0 })),
        "new": device.names.1.as_ref().map(|name| json!({ "name": name, "product": device.products.1 })),
        "opened": doors(&device.opened),
        "closed": doors(&device.closed),
        "undetermined": doors(&device.unknown),
        "things": device.things.iter().map(thing_json).collect::<Vec<_>>(),
        "findings": device.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "sights": device.sights.iter().map(|s| json!({
            "rule": s.rule, "title": s.title, "undetermined_in": version(s.in_new), "reason": s.reason,
        })).collect::<Vec<_>>(),
        "undetermined_alike": device.alike_unknown,
    })
}

fn version(in_new: bool) -> &'static str {
    if in_new { "new" } else { "old" }
}

fn doorway_json(doorway: &Doorway) -> Value {
    json!({
        "target": doorway.target,
        "service": doorway.service,
        "outside": doorway.outside,
        "packets": doorway.blocks.iter().map(block_json).collect::<Vec<_>>(),
        "witness": doorway.witness.as_ref().map(witness_json),
        "lines": doorway.lines.iter().map(line_json).collect::<Vec<_>>(),
        "lines_of": version(doorway.in_new),
        "reason": doorway.reason,
        "answers": doorway.versions.map(|(old, new)| json!({ "old": old, "new": new })),
    })
}

fn thing_json(thing: &ThingChange) -> Value {
    json!({
        "kind": thing.kind,
        "change": thing.turn,
        "name": thing.name,
        "facts": thing.facts.iter().map(fact_json).collect::<Vec<_>>(),
        "old_line": thing.old.as_ref().and_then(|l| l.place).map(|p| p.line),
        "new_line": thing.new.as_ref().and_then(|l| l.place).map(|p| p.line),
    })
}

fn fact_json(fact: &FactChange) -> Value {
    json!({ "field": fact.field, "caption": fact.caption, "old": fact.old, "new": fact.new })
}

fn finding_json(finding: &FindingChange) -> Value {
    json!({
        "change": finding.turn,
        "rule": finding.rule,
        "name": finding.name,
        "severity": finding.severity.word(),
        "severity_before": finding.before.map(|s| s.word()),
        "subject": finding.subject,
        "message": finding.message,
        "line": finding.line.as_ref().and_then(|l| l.place).map(|p| p.line),
        "other_outcome": finding.other,
        "suppressed": finding.suppressed,
    })
}
