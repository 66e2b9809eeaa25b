//! Servers that check logins, and what a login through them asks of a user.

use super::Export;
use super::lines::child;
use super::policy::Group;
use crate::ir::Device;
use crate::ir::account::AuthServer;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use crate::syntax::Node;
use std::collections::HashMap;

/// The name of the box's own users.
pub const LOCAL: &str = "LOCAL";

/// Groups of servers and their protocols.
pub struct Servers<'a> {
    protocols: HashMap<&'a str, (&'a str, Span)>,
}

impl<'a> Servers<'a> {
    /// Reads `aaa-server <group> protocol <p>`.
    pub fn new(export: &Export<'a>) -> Servers<'a> {
        let mut protocols = HashMap::new();
        for line in export.lines.all(&["aaa-server"]) {
            if line.word(2) == Some("protocol") {
                protocols.insert(line.word_or_empty(1), (line.word_or_empty(3), line.span()));
            }
        }
        Servers { protocols }
    }

    fn protocol(&self, group: &str) -> &str {
        self.protocols.get(group).map_or("", |(p, _)| p)
    }

    /// What a login checked by a group of servers asks for. `required` says which line demands it.
    pub fn factors(&self, group: &str, required: Fact<bool>) -> Vec<Factor> {
        let password = Factor { kind: FactorKind::Password, required: required.clone() };
        let external = || Fact::unknown(Why::at(WhyCode::ExternalDecision, group, required.origin.spans()));
        let second = match self.protocol(group) {
            _ if group == LOCAL => None,
            "sdi" => Some(required.clone()),
            // A directory or Kerberos answers for a password; the name may say that something else stands behind.
            "ldap" | "kerberos" | "nt" | "http-form" if !hints(group) => None,
            _ => Some(external()),
        };
        let second = second.map(|required| Factor { kind: FactorKind::OneTime, required });
        std::iter::once(password).chain(second).collect()
    }
}

/// Whether a group's name speaks of a second factor.
fn hints(group: &str) -> bool {
    let lower = group.to_ascii_lowercase();
    ["duo", "rsa", "otp", "mfa", "2fa", "token", "okta", "ise"].iter().any(|w| lower.contains(w))
}

/// The server group of a line that may name an interface first: `(outside) GROUP`.
fn named<'a>(line: Node<'a>) -> (&'a str, bool) {
    let first = line.word_or_empty(1);
    if first.starts_with('(') { (line.word_or_empty(2), true) } else { (first, false) }
}

/// What the login of a tunnel group asks of its users.
pub fn authentication(export: &Export<'_>, servers: &Servers<'_>, group: &Group<'_>) -> Vec<Factor> {
    let lines = |attribute: &'static str| group.lines("general-attributes").filter(move |n| n.word(0) == Some(attribute)).map(Node::read);
    let all: Vec<Node<'_>> = lines("authentication-server-group").collect();
    let chosen = all.iter().find(|n| !named(**n).1).or_else(|| all.first());
    let mut factors = match chosen {
        Some(line) => {
            export.uses("aaa_server", named(*line).0);
            servers.factors(named(*line).0, Fact::written(true, line.span()))
        }
        None => {
            let anchor = group.section("general-attributes").unwrap_or(group.span);
            let local = export.default_at("authentication-server-group", anchor, |v| Some(v == LOCAL));
            vec![Factor { kind: FactorKind::Password, required: local }]
        }
    };
    for line in lines("secondary-authentication-server-group") {
        let (name, _) = named(line);
        export.uses("aaa_server", name);
        // A second password is no second factor; a server of its own is asked for one.
        let password = name == LOCAL || name == "none" || servers.protocol(name) == "ldap" && !hints(name);
        if !password {
            factors.push(Factor { kind: FactorKind::OneTime, required: Fact::written(true, line.span()) });
        }
    }
    factors
}

/// Fills the servers.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let servers = Servers::new(export);
    let mut items = Vec::new();
    for line in export.lines.all(&["aaa-server"]) {
        let group = line.word_or_empty(1);
        let Some(at) = (2..line.len()).find(|ix| line.word(*ix) == Some("host")) else { continue };
        let kind = match servers.protocol(group) {
            "radius" => "radius",
            "ldap" => "ldap",
            "tacacs+" => "tacacs",
            _ => "other",
        };
        let tls = match child(line, &["ldap-over-ssl", "enable"]) {
            Some(own) => Fact::written(true, own.span()),
            None => export.default_at("aaa-server tls", line.span(), super::on_off),
        };
        let used = match export.count("aaa_server", group) {
            0 => Fact::known(false, Origin::inferred("unused_aaa_server", [Origin::Written(line.span())])),
            _ => Fact::written(true, line.span()),
        };
        let word = line.word_or_empty(at + 1);
        let address: AddrExpr = export.names.host(word, line.word_span(at + 1));
        items.push(AuthServer {
            name: format!("{group} {word}"),
            span: line.span(),
            kind,
            address: Fact::written(address, line.word_span(at + 1)),
            tls,
            live: Live::own(Fact::written(true, line.span())).with(LinkKind::Referenced, used),
        });
    }
    device.auth_servers = export.list("auth_servers", items);
}
