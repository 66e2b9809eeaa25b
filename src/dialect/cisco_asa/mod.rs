//! Cisco ASA, its ancestor PIX from release 7, and the engine text of Firepower Threat Defense.
//!
//! The export's statements are indexed once (`lines`), names and objects resolved (`names`, `object`), then each topic of the
//! intermediate form is filled by one file. Topics share an [`Export`]: what the export is and how the absence of a line is to
//! be read. No file here decides what is exposed.

mod access;
mod ace;
mod acl;
mod admin;
mod crypto;
mod filter;
mod header;
mod interface;
mod lines;
mod listener;
mod names;
mod nat;
mod object;
mod policy;
mod remote;
mod secret;
mod system;
mod tunnel;

#[cfg(test)]
mod tests;

use crate::dialect::grammar::Grammar;
use crate::dialect::{Dialect, Input};
use crate::ir::Device;
use crate::ir::device::{Completeness, ContextKind, Identity, Version};
use crate::ir::fact::{Fact, List, Origin, Rest, Why, WhyCode};
use crate::ir::interface::InterfaceIx;
use crate::source::Span;
use lines::Lines;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// The dialect.
pub struct CiscoAsa;

/// What the registry holds.
pub static IMPLEMENTATION: CiscoAsa = CiscoAsa;

impl Dialect for CiscoAsa {
    fn name(&self) -> &'static str {
        "cisco-asa"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/cisco-asa.toml")
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        lower(input)
    }
}

/// What all topics read.
struct Export<'a> {
    grammar: &'a Grammar,
    lines: Lines<'a>,
    /// Version of the engine, by which defaults go.
    version: Option<Version>,
    managed: bool,
    gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown: the version line, or the first line.
    head: Span,
    names: names::Names<'a>,
    interfaces: interface::Interfaces<'a>,
    /// How often each defined name is used, by kind of object.
    uses: RefCell<HashMap<(&'static str, String), u32>>,
}

impl<'a> Export<'a> {
    /// The fact that no line states: the factory default, or not known where the export may lack the line.
    fn absent<T>(&self, key: &str, topic: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        match self.gaps.get(topic) {
            Some(why) => Fact { value: crate::ir::fact::Val::Unknown(why.clone()), origin: Origin::Written(self.head) },
            None => self.product(key, parse),
        }
    }

    /// A default shown at a block that is there.
    fn default_at<T>(&self, key: &str, anchor: Span, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.version.as_ref(), Some(anchor), parse)
    }

    /// A default that holds whatever the export shows: what the product is.
    fn product<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.default_at(key, self.head, parse)
    }

    /// A list of a topic: complete, shown at the head, or maybe more.
    fn list<T>(&self, topic: &'static str, items: Vec<T>) -> List<T> {
        List { items, rest: self.rest(topic) }
    }

    fn rest(&self, topic: &'static str) -> Rest {
        match self.gaps.get(topic) {
            Some(why) => Rest::MayHoldMore(why.clone()),
            None => Rest::Complete(Origin::Written(self.head)),
        }
    }

    /// Whether the release is at least this one; `None` when the release is not known.
    fn at_least(&self, bound: &[u32]) -> Option<bool> {
        self.version.as_ref().map(|v| !crate::dialect::grammar::less(&v.parts, bound))
    }

    fn interface(&self, name: &str) -> Option<InterfaceIx> {
        self.interfaces.by_name.get(name).copied()
    }

    fn uses(&self, kind: &'static str, name: &str) {
        *self.uses.borrow_mut().entry((kind, name.to_owned())).or_default() += 1;
    }

    fn count(&self, kind: &'static str, name: &str) -> u32 {
        self.uses.borrow().get(&(kind, name.to_owned())).copied().unwrap_or(0)
    }
}

/// `on` and `off`.
fn on_off(word: &str) -> Option<bool> {
    match word {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// A word that has no meaning here.
fn unclear<T>(about: &str, span: Span) -> Fact<T> {
    Fact::unknown(Why::at(WhyCode::Ambiguous, about, vec![span]))
}

fn lower(input: &Input<'_>) -> Vec<Device> {
    let lines = Lines::new(input.tree);
    let header = header::read(input, &lines);
    let standing = header::standing(input, &lines, &header);
    let start = input.range.start as u32;
    let head = header.head.unwrap_or(Span { file: input.tree.file(), start, end: start });
    let names = names::Names::new(&lines, input.grammar);
    let mut export = Export {
        grammar: input.grammar,
        lines,
        version: header.engine.clone(),
        managed: header.managed,
        gaps: standing.gaps,
        head,
        names,
        interfaces: interface::Interfaces::default(),
        uses: RefCell::default(),
    };
    let file = &input.grammar.file.identity;
    let identity = Identity {
        vendor: file.vendor.clone(),
        product: if header.managed { "Firepower Threat Defense".to_owned() } else { file.product.clone() },
        lifecycle_key: if header.managed { "cisco.ftd".to_owned() } else { file.lifecycle_key.clone() },
        version: header.version.clone(),
        model: header.model.clone(),
        hostname: export.lines.last(&["hostname"]).and_then(|n| n.word(1)).map(str::to_owned),
        ha_group: None,
    };
    let mut device = Device::new(identity, Completeness { form: standing.form, gaps: export.gaps.clone() });
    device.span = header.head;
    if let Some(context) = &header.context {
        device.context.clone_from(context);
        device.context_kind = if context == "system" { ContextKind::Global } else { ContextKind::Virtual };
    }
    system::capabilities(&export, &mut device);
    export.interfaces = interface::fill(&export, &mut device);
    interface::routed(&export, &mut device);
    let objects = object::fill(&export, &mut device);
    let lists = acl::read(&export, &objects, &mut device);
    nat::fill(&export, &objects, &mut device);
    interface::signs(&export, &mut device);
    let policies = policy::Policies::new(&export);
    let crypto = crypto::Crypto::new(&export);
    listener::fill(&export, &crypto, &mut device);
    admin::fill(&export, &mut device);
    let exits = tunnel::fill(&export, &crypto, &policies, &lists, &mut device);
    let exits = remote::fill(&export, &crypto, &policies, exits, &mut device);
    secret::fill(&export, input, &mut device);
    filter::fill(&export, &lists, &exits, &mut device);
    system::fill(&export, &mut device);
    object::definitions(&export, &objects, &lists, &mut device);
    vec![device]
}
