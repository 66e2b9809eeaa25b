//! Yamaha RTX, NVR, FWX, SRT and vRX routers.
//!
//! The tree's commands are settled first (`commands`), then each topic of the intermediate form is filled by one file. Topics
//! share an [`Export`]: what the export is, and how the absence of a line is to be read. No file here decides what is exposed.

mod access;
mod address;
mod commands;
mod filter;
mod identity;
mod ike;
mod interface;
mod listener;
mod nat;
mod policy;
mod remote;
mod routes;
mod schedule;
mod sides;
mod system;
mod tunnel;
mod vpn;

#[cfg(test)]
mod tests;

use crate::dialect::grammar::Grammar;
use crate::dialect::numbers::Numbers;
use crate::dialect::{Dialect, Input};
use crate::ir::Device;
use crate::ir::device::{Completeness, ExportForm, Identity, Version};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::source::Span;
use commands::{Command, Commands, Peer, Scope};
use interface::Interfaces;
use std::collections::{BTreeMap, HashMap};

/// The dialect.
pub struct YamahaRtx;

/// What the registry holds.
pub static IMPLEMENTATION: YamahaRtx = YamahaRtx;

impl Dialect for YamahaRtx {
    fn name(&self) -> &'static str {
        "yamaha-rtx"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/yamaha-rtx.toml")
    }

    fn starts_statement(&self, line: &str) -> bool {
        identity::starts_statement(line)
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        lower(input)
    }
}

/// What all topics read.
struct Export<'a> {
    grammar: &'a Grammar,
    commands: Commands<'a>,
    names: Numbers<'a>,
    version: Option<Version>,
    model: Option<String>,
    form: ExportForm,
    gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown: the header, or the first statement.
    head: Option<Span>,
    interfaces: Interfaces,
    pp_enabled: HashMap<Peer, Fact<bool>>,
    tunnel_enabled: HashMap<u32, Fact<bool>>,
}

impl<'a> Export<'a> {
    /// The fact that no line states: the factory default, or not known where the export may lack the line.
    fn absent<T>(&self, key: &str, topic: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.absent_at(key, topic, None, parse)
    }

    /// As [`Export::absent`], shown at a place of its own (a block, a `no` line).
    fn absent_at<T>(&self, key: &str, topic: &str, anchor: Option<Span>, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        let at = anchor.or(self.head);
        if anchor.is_none() && self.gaps.contains_key(topic) {
            return Fact::unknown(Why::at(WhyCode::NotExported, key, at.into_iter().collect()));
        }
        self.grammar.default_as(key, self.version.as_ref(), at, parse)
    }

    /// A default that holds whatever the export shows: what the product is.
    fn product<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.version.as_ref(), self.head, parse)
    }

    /// A switch of the router: `on`, `off`, or its default.
    fn switch(&self, pattern: &str, topic: &str) -> Fact<bool> {
        self.scoped_switch(Scope::Global, pattern, pattern, topic, None)
    }

    /// A switch of a peer or tunnel, whose block is the place of its absence.
    fn scoped_switch(&self, scope: Scope, pattern: &str, default: &str, topic: &str, anchor: Option<Span>) -> Fact<bool> {
        match self.commands.one(scope, pattern) {
            Some(command) => switch_word(&command),
            None => self.absent_at(default, topic, anchor.or(self.commands.taken_back(scope, pattern, ["", ""])), on_off),
        }
    }

    /// The rest of a list of a topic: complete, shown at the head, or maybe more.
    fn list<T>(&self, topic: &'static str, items: Vec<T>) -> List<T> {
        match self.gaps.get(topic) {
            Some(why) => List::partial(items, why.clone()),
            None => List::complete(items, self.evidence()),
        }
    }

    /// What the completeness of a list rests on.
    fn evidence(&self) -> Origin {
        match self.version.as_ref().and_then(|v| v.span) {
            // The header is what the router prints above its whole configuration.
            Some(header) => Origin::Written(header),
            None => Origin::inferred("complete_export", self.head.map(Origin::Written)),
        }
    }

    /// Whether the release is one of a list of trains (`major.minor`); unknown release: no.
    fn train_in(&self, list: &str) -> bool {
        let Some(version) = &self.version else { return false };
        let [major, minor, ..] = version.parts[..] else { return false };
        self.grammar.names(list).contains(&format!("{major}.{minor}"))
    }

    fn pp_is_enabled(&self, peer: Peer) -> Fact<bool> {
        self.pp_enabled.get(&peer).cloned().unwrap_or_else(|| self.absent("pp enable", "interfaces", on_off))
    }

    fn tunnel_is_enabled(&self, number: u32) -> Fact<bool> {
        self.tunnel_enabled.get(&number).cloned().unwrap_or_else(|| self.absent("tunnel enable", "tunnels", on_off))
    }

    /// Where a fallback place is needed: the head, or the start of the text.
    fn head_span(&self, input: &Input<'_>) -> Span {
        self.head.unwrap_or(Span { file: input.tree.file(), start: input.range.start as u32, end: input.range.start as u32 })
    }
}

/// `on` and `off`.
fn on_off(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "on" => Some(true),
        "off" | "none" | "no" => Some(false),
        "yes" => Some(true),
        _ => None,
    }
}

/// The switch a line's first argument is.
fn switch_word(command: &Command<'_>) -> Fact<bool> {
    match command.arg(0).and_then(on_off) {
        Some(on) => Fact::written(on, command.arg_span(0)),
        None => Fact::unknown(Why::at(WhyCode::Ambiguous, command.node.word_or_empty(0), vec![command.span()])),
    }
}

/// Seconds; `off`, `clear` and `none` are without end.
fn seconds(word: &str) -> Option<i64> {
    match word {
        "off" | "clear" | "none" => Some(crate::ir::record::NEVER),
        word => word.parse().ok(),
    }
}

fn lower(input: &Input<'_>) -> Vec<Device> {
    let commands = Commands::read(input.tree, input.grammar);
    let header = identity::header(input);
    let standing = identity::standing(input, &commands, &header);
    let mut export = Export {
        grammar: input.grammar,
        names: Numbers::new(input.grammar),
        pp_enabled: identity::enabled_peers(&commands),
        tunnel_enabled: identity::enabled_tunnels(&commands),
        commands,
        version: header.version.clone(),
        model: header.model.clone(),
        form: standing.form,
        gaps: standing.gaps,
        head: standing.head,
        interfaces: Interfaces::default(),
    };
    interface::collect(&mut export);

    let identity = Identity {
        vendor: input.grammar.file.identity.vendor.clone(),
        product: input.grammar.file.identity.product.clone(),
        lifecycle_key: input.grammar.file.identity.lifecycle_key.clone(),
        version: header.version,
        model: header.model,
        hostname: identity::hostname(&export),
        ha_group: None,
    };
    let mut device = Device::new(identity, Completeness { form: export.form, gaps: export.gaps.clone() });
    device.span = export.head;
    identity::capabilities(&export, &mut device);
    interface::fill(&export, &mut device);
    let plan = vpn::plan(&export);
    filter::fill(&export, &mut device);
    policy::fill(&export, &mut device);
    nat::fill(&export, &mut device);
    listener::fill(&export, &plan, &mut device);
    access::fill(&export, input, &mut device);
    tunnel::fill(&export, &plan, &mut device);
    remote::fill(&export, &plan, &mut device);
    system::fill(&export, &mut device);
    vec![device]
}
