//! MikroTik RouterOS, releases 6 and 7: texts of `/export`.
//!
//! The tree's menus are indexed first (`menus`), then each topic of the intermediate form is filled by one file. Topics share an
//! [`Export`]: what the export is, and how the absence of a line is to be read. An export shows only what differs from the
//! factory's values, so an absent line is a row of the grammar file, never a value in here. Nothing here decides what is exposed.

mod access;
mod address;
mod addressing;
mod filter;
mod groups;
mod identity;
mod interface;
mod ipsec;
mod listener;
mod lists;
mod matcher;
mod menus;
mod nat;
mod proposal;
mod remote;
mod secret;
mod sides;
mod snmp;
mod system;
mod tunnel;
mod wireguard;

#[cfg(test)]
mod tests;

use crate::dialect::grammar::Grammar;
use crate::dialect::{Dialect, Input};
use crate::ir::Device;
use crate::ir::device::{Completeness, ExportForm, Identity, Version};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::source::Span;
use interface::Interfaces;
use lists::AddressLists;
use menus::{Item, Menus, Value};
use std::collections::{BTreeMap, HashMap};

/// The dialect.
pub struct Mikrotik;

/// What the registry holds.
pub static IMPLEMENTATION: Mikrotik = Mikrotik;

impl Dialect for Mikrotik {
    fn name(&self) -> &'static str {
        "mikrotik"
    }

    fn grammar_text(&self) -> &'static str {
        include_str!("../../../grammars/mikrotik.toml")
    }

    fn lower(&self, input: &Input<'_>) -> Vec<Device> {
        lower(input)
    }
}

/// What all topics read.
struct Export<'a> {
    grammar: &'a Grammar,
    menus: Menus<'a>,
    version: Option<Version>,
    model: Option<String>,
    form: ExportForm,
    gaps: BTreeMap<&'static str, Why>,
    /// Where an absence is shown: the header, or the first statement.
    head: Option<Span>,
    /// Whether the export shows secrets at all: one of them stands in it.
    shows_secrets: bool,
    protocols: HashMap<&'a str, u8>,
    /// Rows that others name: profiles, proposals, pools.
    named: HashMap<(&'static str, &'a str), Item<'a>>,
    /// Whether rows of the raw table switch connection tracking off.
    untracks: bool,
    interfaces: Interfaces,
    lists: AddressLists,
}

impl<'a> Export<'a> {
    /// The fact that no line states: the factory default, or not known where the export may lack the line.
    fn absent<T>(&self, key: &str, topic: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        if self.gaps.contains_key(topic) {
            return Fact::unknown(Why::at(WhyCode::NotExported, key, self.head.into_iter().collect()));
        }
        self.product(key, parse)
    }

    /// A default that holds whatever the export shows: what the product is, or what a row that is there leaves out.
    fn product<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.version.as_ref(), self.head, parse)
    }

    /// The default of a key that a row at hand leaves out.
    fn default_at<T>(&self, key: &str, at: Span, parse: impl Fn(&str) -> Option<T>) -> Fact<T> {
        self.grammar.default_as(key, self.version.as_ref(), Some(at), parse)
    }

    /// A switch of a menu without rows; `key` names the default as well (`ip dns.allow-remote-requests`).
    fn switch(&self, path: &str, key: &str, topic: &str) -> Fact<bool> {
        match self.menus.setting(path, key) {
            Some(value) => yes(&value),
            None => self.absent(&format!("{}.{key}", path.trim_start_matches('/')), topic, yes_no),
        }
    }

    /// A switch of a row; its default stands under `menu`.
    fn row_switch(&self, item: &Item<'a>, key: &str, menu: &str) -> Fact<bool> {
        match item.text(key) {
            Some(value) => yes(&value),
            None => self.default_at(&format!("{menu}.{key}"), item.span(), yes_no),
        }
    }

    /// Whether a row is switched on. Most rows are unless they say otherwise; menus that differ have a default of their own.
    fn enabled(&self, item: &Item<'a>, menu: &str) -> Fact<bool> {
        match item.text("disabled") {
            Some(value) => yes(&value).negate(),
            None => {
                let key = format!("{menu}.disabled");
                let own = self.default_at(&key, item.span(), yes_no);
                let fact = if own.get().is_none() && self.grammar.file.defaults.iter().all(|d| d.key != key) {
                    self.default_at("row.disabled", item.span(), yes_no)
                } else {
                    own
                };
                fact.negate()
            }
        }
    }

    /// The rest of a list of a topic: complete, shown at the head, or maybe more.
    fn list<T>(&self, topic: &'static str, items: Vec<T>) -> List<T> {
        match self.gaps.get(topic) {
            Some(why) => List::partial(items, why.clone()),
            None => List::complete(items, self.evidence()),
        }
    }

    /// The row of a menu that goes by a name.
    fn row(&self, path: &'static str, name: &'a str) -> Option<&Item<'a>> {
        self.named.get(&(path, name))
    }

    /// What the completeness of a list rests on.
    fn evidence(&self) -> Origin {
        match self.version.as_ref().and_then(|v| v.span) {
            Some(header) => Origin::Written(header),
            None => Origin::inferred("infer.complete_export", self.head.map(Origin::Written)),
        }
    }

    /// Whether the release is surely of the generation 6.
    fn is_v6(&self) -> bool {
        self.version.as_ref().is_some_and(|v| v.parts.first() == Some(&6))
    }

    fn in_names(&self, list: &str, word: &str) -> bool {
        self.grammar.names(list).iter().any(|w| w.eq_ignore_ascii_case(word))
    }
}

/// `yes` and `no`.
fn yes_no(word: &str) -> Option<bool> {
    match word {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

/// The switch a value is.
fn yes(value: &Value<'_>) -> Fact<bool> {
    match yes_no(value.text) {
        Some(on) => Fact::written(on, value.span),
        None => Fact::unknown(Why::at(WhyCode::Ambiguous, value.key, vec![value.span])),
    }
}

/// Seconds of `1d2h3m4s`, `00:10:00`, `300`; `none` and `0s` are without end.
fn seconds(word: &str) -> Option<i64> {
    use crate::ir::record::NEVER;
    if matches!(word, "none" | "0s" | "0" | "00:00:00" | "") {
        return Some(NEVER);
    }
    let mut total: i64 = 0;
    let (days, rest) = match word.split_once('d') {
        Some((d, rest)) if !rest.is_empty() && rest.contains(':') => (d.parse::<i64>().ok()?, rest),
        _ => (0, word),
    };
    if rest.contains(':') {
        for part in rest.split(':') {
            total = total.checked_mul(60)?.checked_add(part.parse().ok()?)?;
        }
        return total.checked_add(days.checked_mul(86_400)?);
    }
    let mut number: Option<i64> = None;
    for c in word.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(digit))?);
            continue;
        }
        let unit = match c {
            'w' => 604_800,
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    total.checked_add(number.unwrap_or(0))
}

fn lower(input: &Input<'_>) -> Vec<Device> {
    let menus = Menus::read(input.grammar, input.tree);
    let header = identity::header(input);
    let standing = identity::standing(input, &menus, &header);
    let untracks = ["/ip firewall raw", "/ipv6 firewall raw"]
        .iter()
        .flat_map(|path| menus.unmarked(path))
        .any(|i| i.attributes().any(|(_, v)| v.key == "action" && v.text == "notrack"));
    let named = menus.named(&["/ip ipsec profile", "/ip ipsec peer profile", "/ip ipsec proposal", "/ppp profile", "/ip pool"]);
    let mut export = Export {
        named,
        grammar: input.grammar,
        shows_secrets: secret::any_shown(&menus),
        menus,
        version: header.version.clone(),
        model: header.model.clone(),
        form: standing.form,
        gaps: standing.gaps,
        head: standing.head,
        protocols: address::protocols(input.grammar),
        untracks,
        interfaces: Interfaces::default(),
        lists: AddressLists::default(),
    };
    interface::collect(&mut export);

    let identity = Identity {
        vendor: input.grammar.file.identity.vendor.clone(),
        product: input.grammar.file.identity.product.clone(),
        lifecycle_key: input.grammar.file.identity.lifecycle_key.clone(),
        version: header.version,
        model: header.model,
        hostname: export.menus.setting("/system identity", "name").map(|v| v.text.to_owned()),
        ha_group: None,
    };
    let mut device = Device::new(identity, Completeness { form: export.form, gaps: export.gaps.clone() });
    device.span = export.head;
    identity::capabilities(&export, &mut device);
    device.accounts = export.list("accounts", Vec::new());
    device.secrets = export.list("secrets", Vec::new());
    device.tunnels = export.list("tunnels", Vec::new());
    device.remote_access = export.list("remote_access", Vec::new());
    device.listeners = export.list("listeners", Vec::new());
    interface::fill(&export, &mut device);
    lists::fill(&mut export, &mut device);
    nat::fill(&export, &mut device);
    filter::fill(&export, &mut device);
    listener::fill(&export, &mut device);
    access::fill(&export, &mut device);
    ipsec::fill(&export, &mut device);
    remote::fill(&export, &mut device);
    tunnel::fill(&export, &mut device);
    wireguard::fill(&export, &mut device);
    snmp::fill(&export, &mut device);
    system::fill(&export, &mut device);
    secret::fill(&export, &mut device);
    vec![device]
}
