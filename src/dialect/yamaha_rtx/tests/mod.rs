//! Small exports lowered, facts and places asserted.

mod corpus;
mod identity;
mod network;
mod services;
mod vpn;

use crate::dialect::{Dialect, Input, grammar::Grammar, parse, read};
use crate::ir::Device;
use crate::ir::fact::Origin;
use crate::ir::interface::Interface;
use crate::ir::listener::Listener;
use crate::source::FileId;

/// A header that makes an export whole, of a model the reference covers.
const HEAD: &str = "# RTX830 Rev.15.02.31 (Mon Jun 16 10:00:00 2025)\n";

/// Lowers a text and hands the device to the test.
fn device(text: &str) -> Device {
    let dialect = super::YamahaRtx;
    let grammar = Grammar::load(dialect.grammar_text()).expect("grammar");
    let tree = parse(&grammar, FileId(0), text, 0..text.len());
    let input = Input { tree: &tree, grammar: &grammar, range: 0..text.len() };
    let mut devices = read(&dialect, &input);
    assert_eq!(devices.len(), 1);
    devices.remove(0)
}

/// The whole lines an origin rests on.
fn lines<'t>(text: &'t str, origin: &Origin) -> Vec<&'t str> {
    let line = |at: usize| {
        let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
        let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
        text[start..end].trim()
    };
    origin.spans().iter().map(|s| line(s.start as usize)).collect()
}

fn interface<'d>(device: &'d Device, name: &str) -> &'d Interface {
    device.interfaces.iter().find(|i| i.name == name).unwrap_or_else(|| panic!("no interface {name}"))
}

fn signs(device: &Device, name: &str) -> Vec<&'static str> {
    interface(device, name).signs.iter().map(|s| s.code).collect()
}

fn listener<'d>(device: &'d Device, service: &str) -> &'d Listener {
    device.listeners.iter().find(|l| l.service == service).unwrap_or_else(|| panic!("no listener {service}"))
}
