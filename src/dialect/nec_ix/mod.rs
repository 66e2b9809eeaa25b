//! NEC UNIVERGE IX routers (IX2000/IX3000, with IX-R and IX-V as far as they speak the same commands).
//!
//! The statements are sorted by their first words (`lines`), interface blocks become ports (`interface`), access lists become rows
//! (`acl`); then each topic of the intermediate form is filled by one file. Topics share an [`Export`]: what the export is, and how
//! the absence of a line is to be read. No file here decides what is exposed.

mod access;
mod acl;
mod address;
mod crypto;
mod filter;
mod identity;
mod interface;
mod ipsec;
mod lines;
mod listener;
mod nat;
mod remote;
mod secret;
mod sides;
mod system;
mod tunnel;

#[cfg(test)]
mod tests;

use crate::dialect::grammar::Grammar;
use crate::dialect::numbers::Numbers;
use crate::dialect::{Dialect, Input};
use crate::ir::Device;
use crate::ir::device::{Completeness, ExportForm, Identity, Version};
use crate::ir::fact::{Fact, List, Origin, Rest, Why, WhyCode};
use crate::source::Span;
use acl::Acls;
use interface::Ports;
use lines::Lines;
use std::collections::BTreeMap;

/// The dialect.
pub struct NecIx;

/// What the registry holds.
pub static IMPLEMENTATION: NecIx = NecIx;

impl Dialect for NecIx {
    fn name(&self) -> &'static str {
        "nec-ix"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/nec-ix.toml")
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        lower(input)
    }
}

/// What all topics read.
struct Export<'a> {
    grammar: &'a Grammar,
    lines: Lines<'a>,
    names: Numbers<'a>,
    ports: Ports<'a>,
    acls: Acls<'a>,
    version: Option<Version>,
    form: ExportForm,
    gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown: the header, or the first statement.
    head: Span,
}

impl Export<'_> {
    /// The fact that no line states: the factory default, or not known where the export may lack the line.
    fn absent<T>(&self, key: &str, topic: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        if self.gaps.contains_key(topic) {
            return Fact::unknown(Why::at(WhyCode::NotExported, key, vec![self.head]));
        }
        self.product(key, parse)
    }

    /// As [`Export::absent`] for a line of a block that is there: the block is the place of its absence.
    fn absent_at<T>(&self, key: &str, anchor: Span, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.version.as_ref(), Some(anchor), parse)
    }

    /// A default that holds whatever the export shows: what the product is.
    fn product<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.absent_at(key, self.head, parse)
    }

    /// A switch of the whole router, or its default.
    fn switch(&self, words: &[&str], topic: &str) -> Fact<bool> {
        self.lines.flag(words).unwrap_or_else(|| self.absent(&words.join(" "), topic, on_off))
    }

    /// The rest of a list of a topic.
    fn list<T>(&self, topic: &'static str, items: Vec<T>) -> List<T> {
        List { items, rest: self.rest(topic) }
    }

    fn rest(&self, topic: &'static str) -> Rest {
        self.gaps.get(topic).map_or_else(|| Rest::Complete(self.evidence()), |why| Rest::MayHoldMore(why.clone()))
    }

    /// What the completeness of a list rests on: the header above the whole configuration, or the shape of the whole.
    fn evidence(&self) -> Origin {
        match self.version.as_ref().and_then(|v| v.span) {
            Some(header) => Origin::Written(header),
            None => Origin::inferred("complete_export", [Origin::Written(self.head)]),
        }
    }
}

/// `on` and `off` of default rows.
fn on_off(word: &str) -> Option<bool> {
    match word {
        "on" | "yes" => Some(true),
        "off" | "no" | "none" => Some(false),
        _ => None,
    }
}

/// Something two readings of a line would answer differently.
fn ambiguous<T>(about: &str, span: Span) -> Fact<T> {
    Fact::unknown(Why::at(WhyCode::Ambiguous, about, vec![span]))
}

/// Something no documentation was found about.
fn undocumented<T>(about: &str, span: Span) -> Fact<T> {
    Fact::unknown(Why::at(WhyCode::DefaultUndocumented, about, vec![span]))
}

fn lower(input: &Input<'_>) -> Vec<Device> {
    let header = identity::header(input);
    let lines = Lines::below(input.tree.root());
    let names = Numbers::new(input.grammar);
    let ports = Ports::read(&lines);
    let acls = Acls::read(&lines, &names);
    let standing = identity::standing(input, &lines, &ports, &header);
    let export = Export {
        grammar: input.grammar,
        names,
        ports,
        acls,
        lines,
        version: header.version.clone(),
        form: standing.form,
        gaps: standing.gaps,
        head: standing.head,
    };
    let texts = &input.grammar.file.identity;
    let identity = Identity {
        vendor: texts.vendor.clone(),
        product: texts.product.clone(),
        lifecycle_key: texts.lifecycle_key.clone(),
        version: header.version,
        model: header.model,
        hostname: export.lines.one(&["hostname"]).and_then(|n| n.word(1)).map(str::to_owned),
        ha_group: None,
    };
    let mut device = Device::new(identity, Completeness { form: export.form, gaps: export.gaps.clone() });
    device.span = Some(export.head);
    identity::capabilities(&export, &mut device);
    interface::fill(&export, &mut device);
    let plan = ipsec::plan(&export);
    nat::fill(&export, &mut device);
    filter::fill(&export, &plan, &mut device);
    listener::fill(&export, &plan, &mut device);
    access::fill(&export, &mut device);
    tunnel::fill(&export, &plan, &mut device);
    remote::fill(&export, &plan, &mut device);
    system::fill(&export, &mut device);
    vec![device]
}
