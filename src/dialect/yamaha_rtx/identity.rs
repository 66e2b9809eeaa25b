//! Who the router is, how much of its configuration the export shows, and which peers and tunnels are switched on.
//!
//! Reads headers and counts kinds of commands; decides nothing about security. An export without a header counts as complete
//! only when it holds commands of most chapters; a header alone does not help a file that was cut off.

use super::commands::{Commands, Peer, Scope};
use super::{Export, Input};
use crate::ir::Device;
use crate::ir::device::{ExportForm, Precision, Version};
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::schema::TOPICS;
use crate::source::Span;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

/// What the first comment lines say.
#[derive(Default)]
pub struct Header {
    /// Release, from `Rev.` or the revision marker.
    pub version: Option<Version>,
    /// Model.
    pub model: Option<String>,
    /// The line.
    pub span: Option<Span>,
}

/// Whether a line begins a statement: its first word is one of a command's, a comment, or a prompt.
pub fn starts_statement(line: &str) -> bool {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    let words = WORDS.get_or_init(|| {
        let text = crate::dialect::Dialect::grammar_text(&super::YamahaRtx);
        crate::dialect::grammar::Grammar::load(text).map(|g| g.names("first_words").to_vec()).unwrap_or_default()
    });
    let first = line.split_whitespace().next().unwrap_or("");
    if first.is_empty() || first.starts_with('#') {
        return true;
    }
    let prompt = first.ends_with(['#', '>']) || first.starts_with('[') || first.starts_with('(');
    prompt || words.iter().any(|w| w.eq_ignore_ascii_case(first))
}

/// Reads `# RTX830 Rev.15.02.09 (...)` or a first line `#14 1 38 0`.
pub fn header(input: &Input<'_>) -> Header {
    let text = input.tree.text();
    let inside = |s: &&Span| (s.start as usize) >= input.range.start && (s.end as usize) <= input.range.end;
    for (ix, span) in input.tree.comments.iter().filter(inside).take(40).enumerate() {
        let line = span.slice(text).trim_start_matches('#').trim();
        let mut words = line.split_whitespace();
        let (model, rest) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if let Some(number) = rest.strip_prefix("Rev.").or_else(|| rest.strip_prefix("rev.")) {
            let number = number.trim_end_matches(|c: char| !c.is_ascii_digit());
            let parts: Option<Vec<u32>> = number.split('.').map(|p| p.parse().ok()).collect();
            if let Some(parts) = parts.filter(|p| p.len() >= 2) {
                let precision = if parts.len() >= 3 { Precision::Exact } else { Precision::Train };
                let version = Version { text: number.to_owned(), parts, precision, span: Some(*span) };
                return Header { version: Some(version), model: Some(model.to_owned()), span: Some(*span) };
            }
        }
        if ix == 0
            && let Some(version) = marker(line, *span)
        {
            return Header { version: Some(version), model: None, span: Some(*span) };
        }
    }
    Header::default()
}

fn marker(line: &str, span: Span) -> Option<Version> {
    let numbers: Vec<u32> = line.split_whitespace().map(|w| w.parse().ok()).collect::<Option<_>>()?;
    let [train, minor, patch, _] = numbers[..] else { return None };
    Some(Version {
        text: format!("{train}.{minor:02}.{patch:02}"),
        parts: vec![train, minor, patch],
        precision: Precision::Exact,
        span: Some(span),
    })
}

/// How much the export shows.
pub struct Standing {
    /// Its form.
    pub form: ExportForm,
    /// Topics that are not complete.
    pub gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown.
    pub head: Option<Span>,
}

/// The order in which the box prints its configuration, by the first words of commands; rank of the first that fits.
const ORDER: &[(&str, &[&str])] = &[
    ("login", &["login", "administrator", "user attribute", "security class", "console"]),
    ("route", &["ip route", "ipv6 route", "ip stealth", "ip icmp"]),
    ("interface", &["ip @", "ipv6 @", "bridge", "vlan", "description", "ngn", "switch"]),
    ("pp", &["pp ", "pppoe"]),
    ("tunnel", &["tunnel", "ipsec tunnel", "ipsec sa", "ipsec ike", "l2tp always", "l2tp keep", "l2tp tunnel", "pptp tunnel", "ipip"]),
    ("filter", &["ip filter", "ip inbound", "ip policy"]),
    ("nat", &["nat descriptor"]),
    ("ipsec", &["ipsec"]),
    ("ipv6filter", &["ipv6 filter", "ipv6 inbound", "ipv6 policy"]),
];

fn rank(pattern: &str) -> usize {
    ORDER.iter().position(|(_, starts)| starts.iter().any(|s| pattern.starts_with(s))).unwrap_or(ORDER.len())
}

/// Topics whose lines the box prints from a rank of [`ORDER`] on.
fn topics_from(rank: usize) -> Vec<&'static str> {
    const LAST: &[(usize, &[&str])] = &[
        (0, &["accounts", "login_policy"]),
        (2, &["interfaces"]),
        (4, &["tunnels", "crypto"]),
        (5, &["local_filter", "forward_filter", "objects"]),
        (6, &["nat"]),
        (
            usize::MAX,
            &["listeners", "remote_access", "secrets", "auth_servers", "logging", "time", "snmp", "services", "management_channels"],
        ),
    ];
    LAST.iter().filter(|(r, _)| *r >= rank).flat_map(|(_, t)| t.iter().copied()).collect()
}

/// Judges how much of a configuration the export shows.
pub fn standing(input: &Input<'_>, commands: &Commands<'_>, header: &Header) -> Standing {
    // What a whole export lacks is reported at its first line, a comment or not.
    let first = input.tree.root().children().next().map(|n| n.span()).into_iter().chain(input.tree.comments.first().copied()).min();
    let head = header.span.or(first);
    let has = |patterns: &[&str]| !commands.events(patterns).is_empty();
    let chapters = [
        has(&["login password", "login user $", "administrator password", "user attribute", "security class", "login timer"]),
        has(&["ip route $ gateway"]),
        has(&["ip @ address", "pppoe use"]),
        has(&["ip filter <n>", "ip @ secure filter in", "nat descriptor type <n>", "ip policy filter <n>"]),
        has(&["dns host", "dns service", "dhcp service", "telnetd host", "httpd host", "sshd service", "syslog host", "schedule at <n>"]),
    ];
    let known = chapters.iter().filter(|c| **c).count();
    let whole = header.span.is_some() || has(&["clear configuration"]) || known >= 4;
    let mut gaps = BTreeMap::new();
    let mut form = ExportForm::Full;
    let why = |about: &str| Why::at(WhyCode::NotExported, about, head.into_iter().collect());
    if !whole {
        form = ExportForm::Excerpt;
        gaps.extend(TOPICS.iter().map(|t| (*t, why(t))));
    } else if header.span.is_some() && cut_off(commands) {
        form = ExportForm::Excerpt;
        let from = commands.last_pattern().map_or(0, rank);
        gaps.extend(topics_from(from).into_iter().map(|t| (t, why(t))));
    }
    Standing { form, gaps, head }
}

/// Whether a printed configuration ends before things it names: it was cut off.
fn cut_off(commands: &Commands<'_>) -> bool {
    let Some(last) = commands.last_pattern().map(rank) else { return false };
    let missing = |lists: &str, definition: &str| {
        let defined: HashSet<&str> = commands.everywhere(definition).map(|c| c.keys[0]).collect();
        let numbers = commands.everywhere(lists).flat_map(|c| c.args().collect::<Vec<_>>()).map(|(word, _)| word);
        let (there, absent) = numbers.filter(|w| w.parse::<u32>().is_ok()).fold((0usize, 0usize), |(there, absent), number| {
            if defined.contains(number) { (there + 1, absent) } else { (there, absent + 1) }
        });
        // One wrong number is a slip of the pen; most of a list missing is a missing chapter.
        absent > there
    };
    last <= rank("ip filter") && missing("ip @ secure filter in", "ip filter <n>")
        || last <= rank("nat descriptor") && missing("ip @ nat descriptor", "nat descriptor type <n>")
}

/// The final state of peers, from `pp enable`, `pp disable` and their `no` forms, in the order of the text.
pub fn enabled_peers(commands: &Commands<'_>) -> HashMap<Peer, Fact<bool>> {
    let mut out: HashMap<Peer, Fact<bool>> = HashMap::new();
    for (which, command) in commands.events(&["pp enable $", "pp disable $"]) {
        let on = (which == 0) != command.negated;
        if command.keys[0].eq_ignore_ascii_case("all") {
            out.values_mut().for_each(|fact| *fact = Fact::written(on, command.span()));
        } else if let Some(peer) = Peer::parse(command.keys[0]) {
            out.insert(peer, Fact::written(on, command.span()));
        }
    }
    out
}

/// The final state of tunnels; a template gives its switch to the tunnels made from it.
pub fn enabled_tunnels(commands: &Commands<'_>) -> HashMap<u32, Fact<bool>> {
    let mut out: HashMap<u32, Fact<bool>> = HashMap::new();
    for (which, command) in commands.events(&["tunnel enable $", "tunnel disable $"]) {
        let on = (which == 0) != command.negated;
        if command.keys[0].eq_ignore_ascii_case("all") {
            out.values_mut().for_each(|fact| *fact = Fact::written(on, command.span()));
        } else if let Ok(number) = command.keys[0].parse() {
            out.insert(number, Fact::written(on, command.span()));
        }
    }
    out
}

/// What the router calls itself: `snmp sysname`, its name on the LAN map, or its prompt.
pub fn hostname(export: &Export<'_>) -> Option<String> {
    let name = |pattern: &str| export.commands.one(Scope::Global, pattern).and_then(|c| c.arg(0));
    let name = name("snmp sysname")
        .or_else(|| name("lan-map sysname"))
        .or_else(|| name("console prompt"))?
        .trim_matches(|c: char| c.is_whitespace() || "[]():>#".contains(c));
    (!name.is_empty()).then(|| name.to_owned())
}

/// What the product can do, by the grammar's rows.
pub fn capabilities(export: &Export<'_>, device: &mut Device) {
    for word in crate::ir::schema::CAPABILITIES {
        device.capabilities.insert(word, export.product(&format!("capability.{word}"), super::on_off));
    }
    device.name = device.identity.hostname.clone().or_else(|| export.model.clone()).unwrap_or_default();
}
