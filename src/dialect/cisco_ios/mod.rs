//! Cisco IOS and IOS XE: routers, and the switches and access points that speak the same language.
//!
//! Each topic of the intermediate form is filled by one file. They share an [`Export`]: the statements by their first word, what
//! the export is, and how the absence of a line is to be read. No file here decides what is exposed, trusted or weak.

mod aaa;
mod access;
mod acl;
mod address;
mod algorithm;
mod filter;
mod group;
mod identity;
mod interface;
mod keys;
mod line;
mod listener;
mod management;
mod nat;
mod overlay;
mod remote;
mod routing;
mod secret;
mod sides;
mod system;
mod tunnel;
mod vpn;
mod zone;

#[cfg(test)]
mod tests;

use crate::dialect::grammar::Grammar;
use crate::dialect::{Dialect, Input};
use crate::ir::Device;
use crate::ir::device::{Completeness, ExportForm, Identity, Version};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::source::Span;
use crate::syntax::Node;
use acl::Lists;
use interface::Ports;
use std::collections::{BTreeMap, HashMap};

/// The dialect.
pub struct CiscoIos;

/// What the registry holds.
pub static IMPLEMENTATION: CiscoIos = CiscoIos;

impl Dialect for CiscoIos {
    fn name(&self) -> &'static str {
        "cisco-ios"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/cisco-ios.toml")
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        lower(input)
    }
}

/// The statements of a block or of the whole export, by their first words.
#[derive(Clone, Copy)]
pub struct Block<'a>(pub Node<'a>);

impl<'a> Block<'a> {
    /// The statements directly below that begin with these words, marked as read.
    pub fn lines<'w>(self, words: &'w [&'w str]) -> impl Iterator<Item = Node<'a>> + use<'a, 'w> {
        self.0.children().filter(move |n| n.starts(words)).map(Node::read)
    }

    /// The last of them: a later line takes the place of an earlier one.
    pub fn line(self, words: &[&str]) -> Option<Node<'a>> {
        self.lines(words).last()
    }

    /// The line that takes a setting back: `no`, then these words.
    pub fn no(self, words: &[&str]) -> Option<Node<'a>> {
        let taken_back = |n: &Node<'a>| n.word(0) == Some("no") && words.iter().enumerate().all(|(ix, w)| n.word(ix + 1) == Some(w));
        self.0.children().filter(taken_back).map(Node::read).last()
    }

    /// A switch: there, taken back, or not mentioned. The later line counts.
    pub fn switch(self, words: &[&str]) -> Option<Fact<bool>> {
        let (on, off) = (self.line(words), self.no(words));
        match (on, off) {
            (Some(on), Some(off)) if off.index() > on.index() => Some(Fact::written(false, off.span())),
            (Some(on), _) => Some(Fact::written(true, on.span())),
            (None, Some(off)) => Some(Fact::written(false, off.span())),
            (None, None) => None,
        }
    }
}

/// Words by which statements of the top are found: a central router has thousands that share their first two.
const DEEP: usize = 3;

/// The statements of the top that begin alike, and those of them that share the next word.
#[derive(Default)]
struct Tops<'a> {
    all: Vec<Node<'a>>,
    next: HashMap<&'a str, Tops<'a>>,
}

impl<'a> Tops<'a> {
    fn add(&mut self, node: Node<'a>, depth: usize) {
        self.all.push(node);
        if let Some(word) = node.word(depth).filter(|_| depth < DEEP) {
            self.next.entry(word).or_default().add(node, depth + 1);
        }
    }

    /// Those that begin with these words, as far as words are told apart here.
    fn find(&self, words: &[&str]) -> &[Node<'a>] {
        let mut at = self;
        for word in words.iter().take(DEEP) {
            let Some(next) = at.next.get(*word) else { return &[] };
            at = next;
        }
        &at.all
    }
}

/// What all topics read.
pub struct Export<'a> {
    grammar: &'a Grammar,
    tops: Tops<'a>,
    nos: HashMap<&'a str, Vec<Node<'a>>>,
    version: Option<Version>,
    form: ExportForm,
    gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown: the version line, or the first statement.
    head: Option<Span>,
    /// Where the text begins, for the rare export without any statement.
    start: Span,
    ports: Ports<'a>,
    lists: Lists<'a>,
}

impl<'a> Export<'a> {
    /// The statements of the top that begin with these words, marked as read.
    pub fn lines<'w>(&self, words: &'w [&'w str]) -> impl Iterator<Item = Node<'a>> + use<'_, 'a, 'w> {
        self.tops.find(words).iter().copied().filter(move |n| n.starts(words)).map(Node::read)
    }

    /// The last of them.
    pub fn line(&self, words: &[&str]) -> Option<Node<'a>> {
        self.lines(words).last()
    }

    /// The line that takes a setting back.
    pub fn no(&self, words: &[&str]) -> Option<Node<'a>> {
        let first = words.first().copied().unwrap_or("");
        let taken_back = |n: &&Node<'a>| words.iter().enumerate().all(|(ix, w)| n.word(ix + 1) == Some(w));
        self.nos.get(first).into_iter().flatten().filter(taken_back).copied().map(Node::read).reduce(|_, later| later)
    }

    /// A switch of the box, if a line speaks of it.
    pub fn written_switch(&self, words: &[&str]) -> Option<Fact<bool>> {
        match (self.line(words), self.no(words)) {
            (Some(on), Some(off)) if off.index() > on.index() => Some(Fact::written(false, off.span())),
            (Some(on), _) => Some(Fact::written(true, on.span())),
            (None, Some(off)) => Some(Fact::written(false, off.span())),
            (None, None) => None,
        }
    }

    /// A switch of the box, or its default.
    pub fn switch(&self, words: &[&str], topic: &str) -> Fact<bool> {
        self.written_switch(words).unwrap_or_else(|| self.absent(&words.join(" "), topic, on_off))
    }

    /// The fact that no line states: the factory default, or not known where the export may lack the line.
    pub fn absent<T>(&self, key: &str, topic: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        match self.gaps.get(topic) {
            Some(_) => Fact::unknown(Why::at(WhyCode::NotExported, key, self.head.into_iter().collect())),
            None => self.default_at(key, self.head, parse),
        }
    }

    /// The default of a line that would stand in a block, which the export shows whole.
    pub fn default_at<T>(&self, key: &str, anchor: Option<Span>, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.version.as_ref(), anchor.or(self.head), parse)
    }

    /// A default that holds whatever the export shows: what the product is.
    pub fn product<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.default_at(key, None, parse)
    }

    /// A list of a topic: complete, shown at the head, or maybe more.
    pub fn list<T>(&self, topic: &'static str, items: Vec<T>) -> List<T> {
        match self.gaps.get(topic) {
            Some(why) => List::partial(items, why.clone()),
            None => List::complete(items, self.evidence()),
        }
    }

    /// What the completeness of a list rests on.
    pub fn evidence(&self) -> Origin {
        match self.head {
            Some(head) => Origin::Written(head),
            None => Origin::inferred("complete_export", []),
        }
    }

    /// Whether a name that is defined nowhere here may be defined in a part that is not shown.
    pub fn may_lack(&self, topic: &str) -> Option<&Why> {
        self.gaps.get(topic)
    }

    /// A place to show what no line says.
    pub fn head_span(&self) -> Span {
        self.head.unwrap_or(self.start)
    }
}

/// `on` and `off` of default rows.
fn on_off(word: &str) -> Option<bool> {
    match word {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn lower(input: &Input<'_>) -> Vec<Device> {
    let mut tops = Tops::default();
    let mut nos: HashMap<&str, Vec<Node<'_>>> = HashMap::new();
    for node in input.tree.root().children() {
        match node.word_or_empty(0) {
            "no" => nos.entry(node.word_or_empty(1)).or_default().push(node),
            _ => tops.add(node, 0),
        }
    }
    let start = input.range.start as u32;
    let mut export = Export {
        grammar: input.grammar,
        tops,
        nos,
        version: None,
        form: ExportForm::Full,
        gaps: BTreeMap::new(),
        head: None,
        start: Span { file: input.tree.file(), start, end: start },
        ports: Ports::default(),
        lists: Lists::default(),
    };
    let header = identity::header(&export, input);
    let standing = identity::standing(&export, input);
    (export.version, export.form, export.gaps, export.head) = (header.version.clone(), standing.form, standing.gaps, standing.head);
    export.ports = interface::collect(&export);

    let identity = Identity {
        vendor: input.grammar.file.identity.vendor.clone(),
        product: input.grammar.file.identity.product.clone(),
        lifecycle_key: identity::lifecycle_key(&export, header.xe),
        version: header.version,
        model: header.model,
        hostname: identity::hostname(&export),
        ha_group: None,
    };
    let mut device = Device::new(identity, Completeness { form: export.form, gaps: export.gaps.clone() });
    device.span = export.head;
    export.lists = acl::collect(&export, &mut device);
    identity::role(&export, &mut device);
    interface::fill(&export, &mut device);
    zone::fill(&export, &mut device);
    nat::fill(&export, &mut device);
    sides::fill(&export, &mut device);
    let plan = vpn::plan(&export);
    filter::fill(&export, &mut device);
    let lines = line::read(&export);
    listener::fill(&export, &plan, &lines, &mut device);
    access::fill(&export, &lines, &mut device);
    tunnel::fill(&export, &plan, &mut device);
    remote::fill(&export, &plan, &mut device);
    system::fill(&export, &plan, &mut device);
    filter::names(&export, input, &mut device);
    vec![device]
}
