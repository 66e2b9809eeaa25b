//! Small exports, lowered, and what must and must not come out of them.

mod access;
mod network;
mod rules;
mod vpn;

use crate::dialect::{self, Input};
use crate::ir::device::Device;
use crate::ir::fact::Fact;
use crate::ir::filter::Rule;
use crate::ir::listener::Listener;
use crate::source::{FileId, Span};

/// A whole export of a release, with what each test adds to `<system>` and beside it.
fn export(system: &str, body: &str) -> String {
    let interfaces = if body.contains("<interfaces>") {
        ""
    } else {
        "<interfaces>\n<wan><enable/><if>igb0</if><ipaddr>dhcp</ipaddr></wan>\n<lan><enable/><if>igb1</if><ipaddr>192.168.1.1</ipaddr><subnet>24</subnet></lan>\n</interfaces>\n"
    };
    let webgui = if system.contains("<webgui>") { "" } else { "<webgui><protocol>https</protocol></webgui>\n" };
    format!(
        "<?xml version=\"1.0\"?>\n<pfsense>\n<version>19.1</version>\n<system>\n<hostname>fw</hostname>\n{webgui}{system}\n</system>\n{interfaces}{body}\n</pfsense>\n"
    )
}

fn device(text: &str) -> Device {
    let dialect = &super::Pfsense as &dyn dialect::Dialect;
    let grammar = dialect::grammar::Grammar::load(dialect.grammar_text()).expect("grammar");
    let tree = dialect::parse(&grammar, FileId(0), text, 0..text.len());
    dialect::read(dialect, &Input { tree: &tree, grammar: &grammar, range: 0..text.len() }).into_iter().next().expect("a device")
}

/// The line a span stands on.
fn line(text: &str, span: Span) -> &str {
    let start = text[..span.start as usize].rfind('\n').map_or(0, |n| n + 1);
    text[start..].lines().next().unwrap_or("").trim()
}

/// The lines an origin rests on.
fn lines<'t, T>(text: &'t str, fact: &Fact<T>) -> Vec<&'t str> {
    fact.origin.spans().into_iter().map(|s| line(text, s)).collect()
}

fn listener<'d>(device: &'d Device, service: &str) -> &'d Listener {
    device.listeners.items.iter().find(|l| l.service == service).unwrap_or_else(|| panic!("no {service}"))
}

/// Labels of the rows of the first filter in order of evaluation.
fn labels(device: &Device) -> Vec<&str> {
    device.filters[0].rules.iter().map(|r| r.label.as_str()).collect()
}

fn row<'d>(device: &'d Device, label: &str) -> &'d Rule {
    device.filters[0].rules.iter().find(|r| r.label == label).unwrap_or_else(|| panic!("no row {label}"))
}

/// A row of the list.
fn rule(label: &str, on: &str, more: &str) -> String {
    format!(
        "<rule><type>pass</type><interface>{on}</interface><source><any/></source><destination><any/></destination><descr>{label}</descr>{more}</rule>\n"
    )
}
