//! Group policies and tunnel groups, and who inherits what.
//!
//! A group policy prints only what differs from `DfltGrpPolicy`, which prints only what differs from the factory's; the default
//! groups exist whether a line speaks of them or not.

use super::Export;
use super::lines::child;
use crate::ir::fact::{Fact, Why, WhyCode};
use crate::ir::record::NEVER;
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// The policy everything inherits from.
pub const DEFAULT: &str = "DfltGrpPolicy";

/// A tunnel group.
pub struct Group<'a> {
    /// Its name: a peer's address, or a name.
    pub name: &'a str,
    /// The word after `type`, where a line says it.
    pub kind: Option<&'a str>,
    /// The first line that names it; for a default group that no line names, what brings users to it.
    pub span: Span,
    sections: HashMap<&'a str, Vec<Node<'a>>>,
}

impl<'a> Group<'a> {
    /// A group that exists without a line.
    pub fn implied(name: &'a str, span: Span) -> Group<'a> {
        Group { name, kind: None, span, sections: HashMap::new() }
    }

    /// The last line of a section that begins so.
    pub fn line(&self, section: &str, words: &[&str]) -> Option<Node<'a>> {
        self.sections.get(section).into_iter().flatten().filter_map(|n| child(*n, words)).next_back()
    }

    /// Every line of a section.
    pub fn lines(&self, section: &str) -> impl Iterator<Item = Node<'a>> {
        self.sections.get(section).into_iter().flatten().flat_map(|n| n.children())
    }

    /// Whether a section is written.
    pub fn has(&self, section: &str) -> bool {
        self.sections.contains_key(section)
    }

    /// The head of a section.
    pub fn section(&self, section: &str) -> Option<Span> {
        self.sections.get(section).and_then(|n| n.first()).map(|n| n.span())
    }

    /// Whether it is for peers that are sites.
    pub fn is_site(&self) -> bool {
        self.kind == Some("ipsec-l2l") || self.name == "DefaultL2LGroup"
    }

    /// Whether it is for users.
    pub fn is_users(&self) -> bool {
        matches!(self.kind, Some("remote-access" | "ipsec-ra" | "webvpn")) || matches!(self.name, "DefaultRAGroup" | "DefaultWEBVPNGroup")
    }

    /// The IKEv1 pre-shared key: line and place of its value.
    pub fn key(&self) -> Option<(Node<'a>, usize)> {
        let own = self.line("ipsec-attributes", &["pre-shared-key"]).map(|n| (n, 1));
        own.or_else(|| self.line("ipsec-attributes", &["ikev1", "pre-shared-key"]).map(|n| (n, 2)))
    }
}

/// All of them.
pub struct Policies<'a> {
    attributes: HashMap<&'a str, Vec<Node<'a>>>,
    external: HashMap<&'a str, Span>,
    /// Tunnel groups in the order of the export.
    pub groups: Vec<Group<'a>>,
    by_name: HashMap<&'a str, usize>,
}

impl<'a> Policies<'a> {
    /// Reads group policies and tunnel groups.
    pub fn new(export: &Export<'a>) -> Policies<'a> {
        let mut all = Policies { attributes: HashMap::new(), external: HashMap::new(), groups: Vec::new(), by_name: HashMap::new() };
        for line in export.lines.all(&["group-policy"]) {
            let name = line.word_or_empty(1);
            match line.word_or_empty(2) {
                "attributes" => all.attributes.entry(name).or_default().push(line),
                "external" => drop(all.external.insert(name, line.span())),
                _ => {}
            }
        }
        for line in export.lines.all(&["tunnel-group"]) {
            let name = line.word_or_empty(1);
            let next = all.groups.len();
            let ix = *all.by_name.entry(name).or_insert(next);
            if ix == next {
                all.groups.push(Group::implied(name, line.span()));
            }
            let group = &mut all.groups[ix];
            match line.word_or_empty(2) {
                "type" => group.kind = line.word(3),
                section => group.sections.entry(section).or_default().push(line),
            }
        }
        all
    }

    /// The group of that name, if lines speak of it.
    pub fn group(&self, name: &str) -> Option<&Group<'a>> {
        self.by_name.get(name).map(|ix| &self.groups[*ix])
    }

    /// The policy a group's peers get.
    pub fn policy_of(&self, export: &Export<'a>, group: Option<&Group<'a>>) -> &'a str {
        let line = group.and_then(|g| g.line("general-attributes", &["default-group-policy"]));
        match line.and_then(|n| n.word(1)) {
            Some(name) => {
                export.uses("group_policy", name);
                name
            }
            None => DEFAULT,
        }
    }

    /// The line that speaks of an attribute: of the policy, else of the default one.
    pub fn line(&self, policy: &str, words: &[&str]) -> Option<Node<'a>> {
        let own = |name: &str| self.attributes.get(name).into_iter().flatten().filter_map(|n| child(*n, words)).next_back();
        own(policy).or_else(|| own(DEFAULT))
    }

    /// Where the absence of an attribute is shown: the policy's block, else the default one's.
    fn anchor(&self, policy: &str) -> Option<Span> {
        self.attributes.get(policy).or_else(|| self.attributes.get(DEFAULT)).and_then(|n| n.first()).map(|n| n.span())
    }

    /// A number of a policy; `none` as given. `unit` is how many of the wanted unit one is.
    pub fn number(&self, export: &Export<'a>, policy: &str, attribute: &'static str, unit: i64, none: i64) -> Fact<i64> {
        let parse = |word: &str| match word {
            "none" => Some(none),
            word => word.parse::<i64>().ok().map(|n| n.saturating_mul(unit)),
        };
        if let Some(span) = self.external.get(policy) {
            return Fact::unknown(Why::at(WhyCode::ExternalDecision, policy, vec![*span]));
        }
        match self.line(policy, &[attribute]) {
            Some(line) => {
                parse(line.word_or_empty(1)).map_or_else(|| super::unclear(attribute, line.span()), |n| Fact::written(n, line.span()))
            }
            None => match self.anchor(policy) {
                Some(anchor) => export.default_at(attribute, anchor, parse),
                None => export.absent(attribute, "remote_access", parse),
            },
        }
    }

    /// Whether a policy lets nobody in: no session at all is allowed.
    pub fn admits(&self, export: &Export<'a>, policy: &str) -> Fact<bool> {
        self.number(export, policy, "vpn-simultaneous-logins", 1, NEVER).map(|n| *n > 0)
    }

    /// The protocols a policy allows, in words of 8.4 and later.
    pub fn protocols(&self, export: &Export<'a>, policy: &str) -> Fact<Vec<&'static str>> {
        let word = |w: &str| match w.to_ascii_lowercase().as_str() {
            "ipsec" | "ikev1" => Some("ikev1"),
            "ikev2" => Some("ikev2"),
            "l2tp-ipsec" => Some("l2tp-ipsec"),
            "svc" | "ssl-client" => Some("ssl-client"),
            "webvpn" | "ssl-clientless" => Some("ssl-clientless"),
            _ => None,
        };
        match self.line(policy, &["vpn-tunnel-protocol"]) {
            Some(line) => Fact::written(line.words_from(1).filter_map(word).collect(), line.span()),
            None => {
                let parse = |v: &str| Some(v.split(' ').filter_map(word).collect::<Vec<_>>());
                match self.anchor(policy) {
                    Some(anchor) => export.default_at("vpn-tunnel-protocol", anchor, parse),
                    None => export.absent("vpn-tunnel-protocol", "remote_access", parse),
                }
            }
        }
    }
}
