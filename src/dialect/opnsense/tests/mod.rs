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

/// A whole export, with what each test adds to `<system>`, beside it, and to the models.
fn export(system: &str, body: &str, models: &str) -> String {
    let interfaces = if body.contains("<interfaces>") {
        ""
    } else {
        "<interfaces>\n<wan><enable>1</enable><if>igb0</if><ipaddr>dhcp</ipaddr></wan>\n<lan><enable>1</enable><if>igb1</if><ipaddr>192.168.1.1</ipaddr><subnet>24</subnet></lan>\n</interfaces>\n"
    };
    let webgui = if system.contains("<webgui>") { "" } else { "<webgui><protocol>https</protocol></webgui>\n" };
    format!(
        "<?xml version=\"1.0\"?>\n<opnsense>\n<system>\n<hostname>fw</hostname>\n{webgui}{system}\n</system>\n{interfaces}{body}\n<OPNsense>\n{models}\n</OPNsense>\n</opnsense>\n"
    )
}

fn device(text: &str) -> Device {
    let dialect = &super::Opnsense as &dyn dialect::Dialect;
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

/// A row of the section.
fn rule(label: &str, on: &str, more: &str) -> String {
    format!(
        "<rule><type>pass</type><interface>{on}</interface><source><any>1</any></source><destination><any>1</any></destination><descr>{label}</descr>{more}</rule>\n"
    )
}

/// Rows of the model.
fn model(rows: &str) -> String {
    format!("<Firewall><Filter><rules>\n{rows}</rules></Filter></Firewall>\n")
}

/// A row of the model.
fn new(label: &str, on: &str, sequence: u32, more: &str) -> String {
    format!(
        "<rule uuid=\"00000000-0000-4000-8000-{sequence:012}\"><enabled>1</enabled><sequence>{sequence}</sequence><action>pass</action><quick>1</quick><interface>{on}</interface><direction>in</direction><ipprotocol>inet</ipprotocol><protocol>any</protocol><source_net>any</source_net><destination_net>any</destination_net>{more}<description>{label}</description></rule>\n"
    )
}
