//! Dialects: one folder an appliance, each turning the tree of its family into [`Device`]s.
//!
//! A dialect never sees a rule and never another dialect; what two products share is a parameter of the syntax family or a
//! helper here, and what products of one ancestry read in the same way is a folder that is no dialect (`config_xml`, `netfilter`). What is
//! data about a product stands in its grammar file.

mod config_xml;
pub mod detect;
pub mod grammar;
mod list;
mod netfilter;
mod numbers;
mod secret;

use crate::ir::device::{Coverage, Device, Unread};
use crate::ir::fact::{Rest, Why, WhyCode};
use crate::source::{FileId, Span};
use crate::syntax::{Mark, Node, Tree, block, brace, command_lines, indent, path_commands, statements, xml};
use grammar::{Grammar, SyntaxTable};
use std::ops::Range;
use std::sync::OnceLock;

/// What a dialect reads.
pub struct Input<'a> {
    /// The statements.
    pub tree: &'a Tree<'a>,
    /// What is data about the dialect.
    pub grammar: &'a Grammar,
    /// The part of the text that this export is.
    pub range: Range<usize>,
}

/// An appliance.
pub trait Dialect: Sync {
    /// Key of the dialect; the same as its grammar's.
    fn name(&self) -> &'static str;

    /// The text of its grammar file.
    fn grammar_text(&self) -> &'static str;

    /// Whether a line, blanks before it left out, begins a statement: decides where a terminal wrapped a line.
    fn starts_statement(&self, _line: &str) -> bool {
        true
    }

    /// Turns the tree into devices. Contexts that share facts come after the device that holds these.
    fn lower(&self, input: &Input<'_>) -> Vec<Device>;
}

/// All dialects, in the order of their names.
pub fn all() -> &'static [&'static dyn Dialect] {
    list::DIALECTS
}

/// The grammar of the dialect at a position of [`all`]. Read once.
///
/// An embedded grammar that cannot be read is a fault of the program that a test finds; a run then does without the dialect.
pub fn grammar(ix: usize) -> Option<&'static Grammar> {
    static GRAMMARS: OnceLock<Vec<OnceLock<Option<Grammar>>>> = OnceLock::new();
    let cells = GRAMMARS.get_or_init(|| all().iter().map(|_| OnceLock::new()).collect());
    cells.get(ix)?.get_or_init(|| Grammar::load(all().get(ix)?.grammar_text()).ok()).as_ref()
}

/// All grammars, in the order of [`all`].
pub fn grammars() -> Vec<&'static Grammar> {
    (0..all().len()).filter_map(grammar).collect()
}

/// The signs of all dialects; verdicts speak of dialects by their position in [`all`]. Made once.
pub fn detector() -> &'static detect::Detector<'static> {
    static DETECTOR: OnceLock<detect::Detector<'static>> = OnceLock::new();
    DETECTOR.get_or_init(|| detect::Detector::new(&grammars()))
}

/// Reads the statements of an export.
pub fn parse<'t>(grammar: &Grammar, file: FileId, text: &'t str, range: Range<usize>) -> Tree<'t> {
    match &grammar.file.syntax {
        SyntaxTable::Block(parameters) => block::parse(file, text, range, parameters),
        SyntaxTable::Brace(parameters) => brace::parse(file, text, range, parameters),
        SyntaxTable::CommandLines(parameters) => command_lines::parse(file, text, range, parameters),
        SyntaxTable::Indent(parameters) => indent::parse(file, text, range, parameters),
        SyntaxTable::PathCommands(parameters) => path_commands::parse(file, text, range, parameters),
        SyntaxTable::Statements(parameters) => statements::parse(file, text, range, parameters),
        SyntaxTable::Xml(_) => xml::parse(file, text, range),
    }
}

/// Turns an export into devices, with the coverage on the first of them.
pub fn read(dialect: &dyn Dialect, input: &Input<'_>) -> Vec<Device> {
    let mut devices = dialect.lower(input);
    input.grammar.irrelevant.apply(input.tree.root(), &|n| is_wrapper(input.grammar, n), &mut |node, _| node.mark_below(Mark::Irrelevant));
    if matches!(input.grammar.file.syntax, SyntaxTable::Brace(_)) {
        only_ways(input.tree);
    }
    let coverage = coverage(input);
    for region in &coverage.unrecognised {
        for topic in &region.could_hold {
            let why = Why::at(WhyCode::Unrecognised, *topic, vec![region.span]);
            for device in &mut devices {
                device.completeness.gaps.entry(topic).or_insert_with(|| why.clone());
                widen(device, topic, &why);
            }
        }
    }
    if let Some(first) = devices.first_mut() {
        first.coverage = coverage;
    }
    devices
}

/// Where every word is a level, one that says nothing itself and holds only what is understood leaves nothing open.
fn only_ways(tree: &Tree<'_>) {
    let all: Vec<Node<'_>> = tree.statements().collect();
    // What stands below a level comes after it.
    for node in all.into_iter().rev().filter(|n| n.mark() == Mark::Unseen) {
        let mut below = node.children().peekable();
        if below.peek().is_some() && below.all(|n| n.mark() != Mark::Unseen) {
            node.mark_if_unseen(Mark::Irrelevant);
        }
    }
}

/// Whether a statement only wraps what would else stand at the top: the global part, the virtual domains and their rows, and
/// the marks of what is switched off; of an XML file every element, so that a pattern holds wherever its first element stands,
/// in an excerpt of any part too.
fn is_wrapper(grammar: &Grammar, node: Node<'_>) -> bool {
    let parameters = match &grammar.file.syntax {
        SyntaxTable::Block(parameters) => parameters,
        SyntaxTable::Brace(parameters) => {
            let holds_rows = |n: Node<'_>| n.len() == 1 && parameters.wrappers.iter().any(|w| n.word(0) == Some(w));
            return brace::is_mark(node) || holds_rows(node) || node.parent().is_some_and(holds_rows);
        }
        SyntaxTable::CommandLines(_) | SyntaxTable::Indent(_) | SyntaxTable::PathCommands(_) | SyntaxTable::Statements(_) => return false,
        SyntaxTable::Xml(_) => return true,
    };
    let wraps = |n: Node<'_>| n.len() == 2 && n.word(0) == Some("config") && parameters.wrappers.iter().any(|w| n.word(1) == Some(w));
    wraps(node) || node.word(0) == Some("edit") && node.parent().is_some_and(wraps)
}

/// A list of a topic that an unrecognised region could add to is not complete.
fn widen(device: &mut Device, topic: &str, why: &Why) {
    let rests: Vec<&mut Rest> = match topic {
        "listeners" => vec![&mut device.listeners.rest],
        "tunnels" => vec![&mut device.tunnels.rest],
        "remote_access" => vec![&mut device.remote_access.rest],
        "accounts" => vec![&mut device.accounts.rest, &mut device.admin_paths.rest],
        "login_policy" => vec![&mut device.login_policies.rest],
        "secrets" => vec![&mut device.secrets.rest],
        "auth_servers" => vec![&mut device.auth_servers.rest],
        "snmp" => vec![&mut device.snmp.rest],
        "logging" => device.logging.iter_mut().map(|l| &mut l.targets.rest).collect(),
        "time" => device.clock.iter_mut().map(|c| &mut c.rest).collect(),
        "local_filter" | "forward_filter" => {
            for filter in &mut device.filters {
                filter.incomplete.get_or_insert_with(|| why.clone());
            }
            Vec::new()
        }
        _ => Vec::new(),
    };
    for rest in rests {
        if matches!(rest, Rest::Complete(_)) {
            *rest = Rest::MayHoldMore(why.clone());
        }
    }
}

/// Regions reported one by one; beyond that only the counts go on.
const REGIONS: usize = 200;

/// Counts what was read, what is irrelevant, and what is left.
fn coverage(input: &Input<'_>) -> Coverage {
    let mut coverage = Coverage::default();
    let mut region: Option<Unread> = None;
    for node in input.tree.statements() {
        coverage.statements += 1;
        match node.mark() {
            Mark::Read => coverage.read += 1,
            Mark::Irrelevant => coverage.irrelevant += 1,
            Mark::Unseen => {
                coverage.unrecognised_statements += 1;
                let at = node.span().start;
                let inside = region.as_ref().is_some_and(|r| r.span.start <= at && at < r.span.end);
                if inside {
                    region.iter_mut().for_each(|r| r.statements += 1);
                } else {
                    if let Some(done) = region.take().filter(|_| coverage.unrecognised.len() < REGIONS) {
                        coverage.unrecognised.push(done);
                    }
                    region = Some(Unread { span: node.full_span(), statements: 1, could_hold: could_hold(input.grammar, node) });
                }
            }
        }
    }
    coverage.unrecognised.extend(region.filter(|_| coverage.unrecognised.len() < REGIONS));
    coverage
}

/// Topics that an unrecognised statement could hold: those whose telling words it begins with, at its own level or the nearest
/// level above. A new harmless line must not make a whole file undetermined, so a statement without a telling word hides nothing.
fn could_hold(grammar: &Grammar, node: Node<'_>) -> Vec<&'static str> {
    let mut at = Some(node);
    while let Some(node) = at.filter(|n| !n.is_empty()) {
        let mut topics: Vec<&'static str> = Vec::new();
        for topic in crate::ir::schema::TOPICS {
            let words = grammar.file.telling.get(*topic).map_or(&[][..], Vec::as_slice);
            if words.iter().any(|w| node.starts(&w.split(' ').collect::<Vec<_>>())) {
                topics.push(topic);
            }
        }
        if !topics.is_empty() {
            return topics;
        }
        at = node.parent();
    }
    Vec::new()
}

/// Places that a table of the grammar names, such as [`Grammar::chosen_names`]; each with its statement.
pub fn places<'a>(grammar: &Grammar, table: &crate::syntax::pattern::PatternSet, tree: &'a Tree<'a>) -> Vec<(Node<'a>, Span)> {
    let mut places = Vec::new();
    table.apply(tree.root(), &|n| is_wrapper(grammar, n), &mut |node, hide| places.extend(hide.iter().map(|s| (node, *s))));
    places
}

/// Places of all secrets of an export, by the grammar's table. Masking rests on this alone, never on what the dialect read.
pub fn secret_spans(grammar: &Grammar, tree: &Tree<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    grammar.secrets.apply(tree.root(), &|n| is_wrapper(grammar, n), &mut |node, hide| {
        spans.extend_from_slice(hide);
        if !hide.is_empty() {
            spans.extend(node.other_places());
        }
    });
    spans.sort();
    spans.dedup();
    spans
}
