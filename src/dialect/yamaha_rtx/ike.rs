//! `ipsec ike` lines of one gateway: version, peer, secret, algorithms, exchange mode.
//!
//! Algorithm lines are what the router offers. As a responder under IKEv1 it takes every algorithm it knows unless told to
//! negotiate strictly; under IKEv2 the lines count only with `proposal-limitation on`.

use super::commands::{Command, Commands, Scope};
use super::{Export, on_off};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Opaque, OpaqueKind};
use crate::ir::tunnel::{Crypto, Peer};
use crate::source::Span;
use std::net::IpAddr;

/// The lines of one gateway.
pub struct Ike<'a> {
    /// Its number, as written.
    pub id: &'a str,
    lines: Vec<(&'static str, Command<'a>)>,
}

const LINES: &[&str] = &[
    "ipsec ike version <n>",
    "ipsec ike auth method <n>",
    "ipsec ike pre-shared-key <n>",
    "ipsec ike remote address <n>",
    "ipsec ike remote name <n>",
    "ipsec ike local name <n>",
    "ipsec ike always-on <n>",
    "ipsec ike keepalive use <n>",
    "ipsec ike encryption <n>",
    "ipsec ike hash <n>",
    "ipsec ike group <n>",
    "ipsec ike pfs <n>",
    "ipsec ike nat-traversal <n>",
    "ipsec ike negotiate-strictly <n>",
    "ipsec ike proposal-limitation <n>",
    "ipsec ike xauth request <n>",
    "ipsec ike eap request <n>",
    "ipsec ike pki file <n>",
    "ipsec auto refresh <n>",
];

fn weak_cipher(word: &str) -> Option<&'static str> {
    match word {
        "des-cbc" => Some("des"),
        "3des-cbc" => Some("3des"),
        "null" => Some("null"),
        _ => None,
    }
}

fn weak_hash(word: &str) -> Option<&'static str> {
    match word {
        "md5" | "md5-hmac" => Some("md5"),
        "sha" | "sha-hmac" => Some("sha1_integ"),
        _ => None,
    }
}

fn weak_group(word: &str) -> Option<&'static str> {
    match word {
        "modp768" => Some("dh1"),
        "modp1024" => Some("dh2"),
        "modp1536" => Some("dh5"),
        _ => None,
    }
}

/// Words of the IR's list of weak algorithms, as a default row names them.
fn weak_words(row: &str) -> Option<Vec<&'static str>> {
    row.split(' ').map(|w| crate::ir::schema::WEAK.iter().copied().find(|k| *k == w)).collect()
}

impl<'a> Ike<'a> {
    /// Collects the lines of a gateway.
    pub fn new(export: &Export<'a>, id: &'a str) -> Ike<'a> {
        let commands: &Commands<'a> = &export.commands;
        let lines = LINES.iter().filter_map(|p| commands.keyed(Scope::Global, p, [id, ""]).map(|c| (*p, c))).collect();
        Ike { id, lines }
    }

    fn line(&self, pattern: &str) -> Option<Command<'a>> {
        self.lines.iter().find(|(p, _)| *p == pattern).map(|(_, c)| *c)
    }

    /// A switch of the gateway, or its default; the SA policy's line is where it would stand.
    fn switch(&self, export: &Export<'_>, pattern: &str, default: &str, anchor: Span) -> Fact<bool> {
        match self.line(pattern) {
            Some(command) => super::switch_word(&command),
            None => export.absent_at(default, "crypto", Some(anchor), on_off),
        }
    }

    /// Whether IKEv2 is used.
    pub fn is_v2(&self, export: &Export<'_>, anchor: Span) -> Fact<bool> {
        match self.line("ipsec ike version <n>") {
            Some(command) => Fact::written(command.arg_or_empty(0) == "2", command.span()),
            None => export.absent_at("ipsec ike version", "crypto", Some(anchor), |v| Some(v == "2")),
        }
    }

    /// `ipsec ike xauth request N on`.
    pub fn xauth(&self) -> Option<Command<'a>> {
        self.line("ipsec ike xauth request <n>").filter(|c| c.is("on"))
    }

    /// `ipsec ike eap request N on`.
    pub fn eap(&self) -> Option<Command<'a>> {
        self.line("ipsec ike eap request <n>").filter(|c| c.is("on"))
    }

    /// The line with the shared secret.
    pub fn secret(&self) -> Option<Command<'a>> {
        self.line("ipsec ike pre-shared-key <n>")
    }

    /// `ipsec ike always-on N`.
    pub fn always_on(&self) -> Option<Command<'a>> {
        self.line("ipsec ike always-on <n>")
    }

    /// `ipsec ike keepalive use N`.
    pub fn keepalive(&self) -> Option<Command<'a>> {
        self.line("ipsec ike keepalive use <n>")
    }

    /// `ipsec auto refresh N`.
    pub fn auto_refresh(&self) -> Option<Command<'a>> {
        self.line("ipsec auto refresh <n>")
    }

    /// Whether NAT traversal is on: then IKE answers on port 4500 too.
    pub fn nat_traversal(&self) -> bool {
        self.line("ipsec ike nat-traversal <n>").is_some_and(|c| c.is("on"))
    }

    /// Whether certificates prove the ends: IKEv2 with that method, or without a shared secret and with a certificate.
    pub fn uses_certificate(&self, export: &Export<'_>, anchor: Span) -> Fact<bool> {
        let v2 = self.is_v2(export, anchor);
        let chosen = match (self.line("ipsec ike auth method <n>"), self.line("ipsec ike pki file <n>"), self.secret()) {
            (Some(method), _, _) if !method.is("auto") => Fact::written(method.is("certificate"), method.span()),
            (_, Some(file), None) => Fact::written(true, file.span()),
            (_, _, Some(secret)) => Fact::written(false, secret.span()),
            _ => Fact::known(false, v2.origin.clone()),
        };
        v2.and(&chosen)
    }

    /// Where the peer is.
    pub fn peer(&self, anchor: Span) -> Peer {
        if let Some(command) = self.line("ipsec ike remote address <n>") {
            let word = command.arg_or_empty(0);
            let span = command.arg_span(0);
            let addresses = match word.parse::<IpAddr>() {
                Ok(addr) => AddrExpr::Range(addr, addr),
                Err(_) if word.eq_ignore_ascii_case("any") => AddrExpr::Any,
                Err(_) => AddrExpr::Opaque(Opaque { kind: OpaqueKind::Fqdn, text: word.to_owned(), span }),
            };
            return Peer { addresses: Fact::written(addresses, span), text: word.to_owned() };
        }
        match self.line("ipsec ike remote name <n>") {
            // Known by name only: it may answer from anywhere.
            Some(command) => Peer { addresses: Fact::written(AddrExpr::Any, command.span()), text: command.arg_or_empty(0).to_owned() },
            None => Peer {
                addresses: Fact::unknown(Why::at(WhyCode::Ambiguous, "ipsec ike remote address", vec![anchor])),
                text: String::new(),
            },
        }
    }

    /// The peer's address, where it is one.
    pub fn peer_address(&self) -> Option<IpAddr> {
        self.line("ipsec ike remote address <n>").and_then(|c| c.arg_or_empty(0).parse().ok())
    }

    /// The line that lets this router begin: a peer address or host name; under IKEv2 also a name that is no mere key.
    pub fn can_start(&self, export: &Export<'_>, anchor: Span) -> Option<Command<'a>> {
        if let Some(command) = self.line("ipsec ike remote address <n>") {
            return Some(command).filter(|c| !c.is("any"));
        }
        let name = self.line("ipsec ike remote name <n>")?;
        let by_key = name.arg(1).is_some_and(|t| t.eq_ignore_ascii_case("key-id"));
        (self.is_v2(export, anchor).value.is_true() && !by_key).then_some(name)
    }

    /// Whether aggressive mode with a shared secret is used: IKEv1 with a name for either end.
    pub fn aggressive(&self, export: &Export<'_>, anchor: Span) -> Fact<bool> {
        let name = self.line("ipsec ike local name <n>").or_else(|| self.line("ipsec ike remote name <n>"));
        let v1 = self.is_v2(export, anchor).negate();
        match (name, self.secret()) {
            (Some(name), Some(secret)) => {
                v1.and(&Fact::known(true, Origin::all([Origin::Written(name.span()), Origin::Written(secret.span())])))
            }
            (Some(name), None) => Fact::written(false, name.span()),
            (None, _) => Fact::known(false, Origin::inferred("main_mode", [Origin::Written(anchor)])),
        }
    }

    /// A weak word among an algorithm line's words, or of its default.
    fn weak(
        &self,
        export: &Export<'_>,
        pattern: &str,
        default: &str,
        anchor: Span,
        read: fn(&str) -> Option<&'static str>,
    ) -> Fact<Vec<&'static str>> {
        match self.line(pattern) {
            Some(command) => {
                let words = command.args().filter_map(|(w, _)| read(&w.to_ascii_lowercase())).collect();
                Fact::written(words, command.span())
            }
            None => export.absent_at(default, "crypto", Some(anchor), |v| Some(read(v).into_iter().collect())),
        }
    }

    /// Weak algorithms, offered and accepted.
    pub fn crypto(&self, export: &Export<'_>, sa: &Command<'_>) -> Crypto {
        let anchor = sa.span();
        let esp: Vec<&'static str> =
            sa.args().skip(1).map(|(w, _)| w.to_ascii_lowercase()).filter_map(|w| weak_cipher(&w).or_else(|| weak_hash(&w))).collect();
        let parts = [
            Fact::written(esp, anchor),
            self.weak(export, "ipsec ike encryption <n>", "ipsec ike encryption", anchor, weak_cipher),
            self.weak(export, "ipsec ike hash <n>", "ipsec ike hash", anchor, weak_hash),
            self.weak(export, "ipsec ike group <n>", "ipsec ike group", anchor, weak_group),
        ];
        let lines = join(&parts);
        let all = export.product("ipsec ike supported", weak_words);
        let v2 = self.is_v2(export, anchor);
        let limited = self.switch(export, "ipsec ike proposal-limitation <n>", "ipsec ike proposal-limitation", anchor);
        let strict = self.switch(export, "ipsec ike negotiate-strictly <n>", "ipsec ike negotiate-strictly", anchor);
        let pfs = self.switch(export, "ipsec ike pfs <n>", "ipsec ike pfs", anchor);
        let everything =
            |switch: &Fact<bool>| Fact { value: all.value.clone(), origin: Origin::all([switch.origin.clone(), all.origin.clone()]) };
        match v2.value.tri() {
            Some(true) => {
                let free = limited.negate();
                let offered = choose(&free, join(&[parts[0].clone(), everything(&limited)]), lines);
                Crypto { offered, accepted: None, pfs }
            }
            Some(false) => {
                let offered = lines.get().cloned().unwrap_or_default();
                let beyond = everything(&strict).map(|all| all.iter().copied().filter(|w| !offered.contains(w)).collect());
                let accepted = choose(&strict.negate(), beyond, lines.clone());
                let same = strict.value.is_true();
                Crypto { offered: lines, accepted: (!same).then_some(accepted), pfs }
            }
            None => Crypto {
                offered: lines,
                accepted: Some(Fact {
                    value: Val::Unknown(Why::at(WhyCode::NotExported, "ipsec ike version", vec![anchor])),
                    origin: v2.origin,
                }),
                pfs,
            },
        }
    }
}

fn choose<T>(when: &Fact<bool>, yes: Fact<T>, no: Fact<T>) -> Fact<T> {
    match when.value.tri() {
        Some(true) => yes,
        Some(false) => no,
        None => {
            let why = when.value.why().cloned().unwrap_or_else(|| Why::new(WhyCode::Ambiguous, ""));
            Fact { value: Val::Unknown(why), origin: when.origin.clone() }
        }
    }
}

/// All weak words of several facts; unknown where one is.
fn join(parts: &[Fact<Vec<&'static str>>]) -> Fact<Vec<&'static str>> {
    let mut words: Vec<&'static str> = Vec::new();
    let mut origins = Vec::new();
    let mut unknown = None;
    for part in parts {
        match &part.value {
            Val::Known(list) => {
                if !list.is_empty() {
                    origins.push(part.origin.clone());
                }
                words.extend(list.iter().copied());
            }
            Val::Among(_, why) | Val::Unknown(why) => unknown = unknown.or(Some(why.clone())),
        }
    }
    words.sort_unstable();
    words.dedup();
    if origins.is_empty() {
        origins.extend(parts.iter().map(|p| p.origin.clone()));
    }
    let value = match unknown {
        // What is known to be weak fails by itself; only a clean list needs the rest.
        Some(why) if words.is_empty() => Val::Unknown(why),
        _ => Val::Known(words),
    };
    Fact { value, origin: Origin::all(origins) }
}
