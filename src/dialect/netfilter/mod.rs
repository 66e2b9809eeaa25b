//! What the two ways of writing Linux packet filters share: tables of chains of rows, and their lowering. The readers of the two forms
//! fill a [`Ruleset`]; everything after that is here.
//!
//! It holds no syntax. A chain is lowered once for each place in a packet's way from which it is reached, since what it asks (the outbound
//! interface, the box's own addresses) means something else in each; a row that cannot be decided is kept with an unknown guard.

pub mod condition;
mod filter;
mod interface;
mod listener;
pub mod names;
mod nat;
mod numbers;
mod reference;
#[cfg(test)]
pub mod testing;
mod via;

pub use filter::{broadcast, multicast};

use crate::dialect::Input;
use crate::ir::Device;
use crate::ir::device::{Completeness, ExportForm, Identity};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, Verdict};
use crate::ir::schema::TOPICS;
use crate::source::Span;
use condition::{Condition, Services};
use std::collections::{BTreeMap, HashMap};

/// Where in a packet's way a base chain is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Before everything, on one interface.
    Ingress,
    /// On arrival.
    Prerouting,
    /// To the box.
    Input,
    /// Through the box.
    Forward,
    /// From the box.
    Output,
    /// On the way out.
    Postrouting,
}

/// What a base chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Decides.
    Filter,
    /// Translates addresses; asked for the first packet of a connection.
    Nat,
    /// Decides, and may change the route.
    Route,
}

/// What makes a chain a base chain.
#[derive(Clone, Debug)]
pub struct Base {
    /// What it is for.
    pub kind: Kind,
    /// Where it is asked.
    pub hook: Hook,
    /// Lower is asked first.
    pub priority: i32,
    /// What happens at its end.
    pub policy: Fact<Verdict>,
    /// The line that attaches it.
    pub span: Span,
}

/// A translation.
#[derive(Clone, Debug)]
pub struct Translation {
    /// New destination; `None`: the box itself.
    pub to: Option<Fact<AddrExpr>>,
    /// First port, where it changes.
    pub port: Option<u16>,
}

/// What a row does.
#[derive(Clone, Debug)]
pub enum Target {
    /// Ends the base chain in favour of the packet.
    Accept,
    /// Ends the packet.
    Drop,
    /// Calls a chain.
    Jump(String),
    /// Goes to a chain for good.
    Goto(String),
    /// Leaves the chain.
    Return,
    /// Goes on.
    Continue,
    /// Something that may accept, drop, or go on.
    Unknown(String),
    /// Translates the destination.
    Destination(Translation),
    /// Translates the source.
    Source,
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it stands.
    pub span: Span,
    /// Its number in the chain, or its handle.
    pub label: String,
    /// Any of these must hold.
    pub conditions: Vec<Condition>,
    /// What it does.
    pub target: Target,
    /// Whether it writes to the log.
    pub logs: bool,
    /// Whether it takes packets out of the tracking of connections.
    pub untracks: bool,
    /// The mark it sets: a known one, or (`Some(None)`) one that cannot be told.
    pub sets_mark: Option<Option<u32>>,
}

/// A chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// The table it belongs to.
    pub table: usize,
    /// The line that names it.
    pub span: Span,
    /// What makes it a base chain.
    pub base: Option<Base>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The family it sees; `None` for one below IP.
    pub family: Option<Family>,
    /// Its name as shown.
    pub name: String,
}

/// Everything of one export.
#[derive(Debug)]
pub struct Ruleset {
    /// Tables.
    pub tables: Vec<Table>,
    /// Chains in the order of their definition.
    pub chains: Vec<Chain>,
    /// Chain by table and name.
    pub by_name: HashMap<(usize, String), usize>,
    /// The first line.
    pub head: Span,
    /// Form of the export.
    pub form: ExportForm,
    /// What happens where no chain is attached at a hook, and why; by hook and family.
    pub unfiltered: Fact<Verdict>,
    /// A part that is named and not here.
    pub missing: Option<Span>,
    /// Whether rules speak of IPv6 addresses or protocols.
    pub speaks_v6: Option<Span>,
}

impl Ruleset {
    /// An empty one.
    pub fn new(head: Span, unfiltered: Fact<Verdict>) -> Ruleset {
        Ruleset {
            tables: Vec::new(),
            chains: Vec::new(),
            by_name: HashMap::new(),
            head,
            form: ExportForm::Full,
            missing: None,
            unfiltered,
            speaks_v6: None,
        }
    }

    /// The chain of a name in a table, made where there is none yet.
    pub fn chain(&mut self, table: usize, name: &str, span: Span) -> usize {
        *self.by_name.entry((table, name.to_owned())).or_insert_with(|| {
            self.chains.push(Chain { name: name.to_owned(), table, span, base: None, rows: Vec::new() });
            self.chains.len() - 1
        })
    }

    fn find(&self, table: usize, name: &str) -> Option<usize> {
        self.by_name.get(&(table, name.to_owned())).copied()
    }

    /// Base chains at a hook, in the order in which they are asked.
    fn bases(&self, hook: Hook, kind: impl Fn(Kind) -> bool) -> Vec<(usize, &Base)> {
        let mut list: Vec<(usize, &Base)> = self
            .chains
            .iter()
            .enumerate()
            .filter(|(_, c)| self.tables.get(c.table).is_some_and(|t| t.family.is_some()))
            .filter_map(|(ix, c)| Some((ix, c.base.as_ref()?)))
            .filter(|(_, b)| b.hook == hook && kind(b.kind))
            .collect();
        list.sort_by_key(|(ix, b)| (b.priority, *ix));
        list
    }

    /// Whether the kernel asks any chain at all; a part of a rule set may hold none that it does.
    pub fn has_base(&self) -> bool {
        self.chains.iter().any(|c| c.base.is_some())
    }

    /// Whether no row and no policy decides anything.
    pub fn decides_nothing(&self) -> bool {
        self.chains.iter().all(|c| {
            c.base.as_ref().is_none_or(|b| b.policy.get() == Some(&Verdict::Accept))
                && c.rows.iter().all(|r| matches!(r.target, Target::Return | Target::Continue | Target::Jump(_) | Target::Goto(_)))
        })
    }
}

/// A rule set on its way into a device.
struct Lowering<'a> {
    rules: &'a Ruleset,
    device: Device,
    interfaces: interface::Interfaces,
    /// Translations that set a mark, by mark.
    marked: BTreeMap<u32, Vec<crate::ir::nat::NatIx>>,
    /// What rows take out of the tracking of connections, as it arrives.
    untracked: Vec<Services>,
    /// Whether something else sets marks: a known one, or any.
    other_marks: Vec<Option<u32>>,
}

/// Topics that rule sets say something about; whatever else may be there, they do not show it.
const SAID: [&str; 5] = ["interfaces", "local_filter", "forward_filter", "nat", "objects"];

/// Turns a rule set into a device.
pub fn lower(rules: &Ruleset, input: &Input<'_>) -> Device {
    let silent = TOPICS.iter().filter(|t| !SAID.contains(*t));
    let mut gaps: BTreeMap<&'static str, Why> = silent.map(|t| (*t, Why::at(WhyCode::NotExported, *t, vec![rules.head]))).collect();
    let form = rules.form;
    if form == ExportForm::Excerpt {
        for topic in ["local_filter", "forward_filter", "nat", "interfaces"] {
            gaps.insert(topic, Why::at(WhyCode::NotExported, topic, vec![rules.head]));
        }
    }
    if let Some(at) = rules.missing {
        for topic in ["local_filter", "forward_filter", "nat"] {
            gaps.entry(topic).or_insert_with(|| Why::at(WhyCode::NotExported, "include", vec![at]));
        }
    }
    let table = &input.grammar.file.identity;
    let identity = Identity {
        vendor: table.vendor.clone(),
        product: table.product.clone(),
        lifecycle_key: table.lifecycle_key.clone(),
        ..Identity::default()
    };
    let mut device = Device::new(identity, Completeness { form, gaps });
    device.span = Some(rules.head);
    let interfaces = interface::collect(rules);
    let arriving = rules.chains.iter().filter(|c| c.base.as_ref().is_none_or(|b| b.hook != Hook::Output));
    let untracking = arriving.flat_map(|c| &c.rows).filter(|r| r.untracks).flat_map(|r| &r.conditions);
    let untracked = untracking.filter(|c| !c.never).map(|c| c.services.clone()).collect();
    let mut lowering = Lowering { rules, device, interfaces, marked: BTreeMap::new(), untracked, other_marks: Vec::new() };
    interface::fill(&mut lowering, input);
    nat::fill(&mut lowering);
    filter::fill(&mut lowering);
    listener::fill(&mut lowering, input);
    reference::fill(&mut lowering);
    lowering.device
}
