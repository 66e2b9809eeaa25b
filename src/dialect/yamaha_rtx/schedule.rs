//! `schedule at`: when, for which peer or tunnel, and which command. Only the parts are told apart here; their meaning is the readers'.

use super::Export;
use super::commands::{Peer, Scope};
use crate::source::Span;

/// A scheduled command.
pub struct Schedule<'a> {
    /// The line.
    pub span: Span,
    /// What the command speaks of.
    pub scope: Scope,
    /// The command's words.
    pub words: Vec<&'a str>,
}

impl Schedule<'_> {
    /// Whether the command begins with these words, whatever their case.
    pub fn runs(&self, words: &[&str]) -> bool {
        words.len() <= self.words.len() && words.iter().zip(&self.words).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }
}

/// All scheduled commands: `schedule at ID [date] time (* | pp N | tunnel N | switch X) command ...`.
pub fn schedules<'a>(export: &Export<'a>) -> Vec<Schedule<'a>> {
    let mut out = Vec::new();
    for command in export.commands.everywhere("schedule at <n>") {
        let words: Vec<&'a str> = command.args().map(|(w, _)| w).collect();
        let is_date = |w: &str| w.contains('/');
        let is_time = |w: &str| w.contains(':') || w.starts_with('+') || ["startup", "usb-attached", "sd-attached"].contains(&w);
        let mut at = usize::from(words.first().is_some_and(|w| is_date(w)));
        if !words.get(at).is_some_and(|w| is_time(w)) {
            continue;
        }
        at += 1;
        let target = words.get(at).copied().unwrap_or("");
        let which = words.get(at + 1).copied().unwrap_or("");
        let (scope, used) = match target.to_ascii_lowercase().as_str() {
            "pp" => (Peer::parse(which).map_or(Scope::Global, Scope::Pp), 2),
            "tunnel" => (which.parse().map_or(Scope::Global, Scope::Tunnel), 2),
            "switch" => (Scope::Global, 2),
            _ => (Scope::Global, 1),
        };
        out.push(Schedule { span: command.span(), scope, words: words.get(at + used..).unwrap_or_default().to_vec() });
    }
    out
}

/// The schedule that switches a tunnel on.
pub fn enables<'s, 'a>(schedules: &'s [Schedule<'a>], number: u32) -> Option<&'s Schedule<'a>> {
    let number = number.to_string();
    schedules.iter().find(|s| s.runs(&["tunnel", "enable", &number]))
}

/// The schedules that end a tunnel: switch it off, stop its negotiation, cut it.
pub fn ends<'s, 'a>(schedules: &'s [Schedule<'a>], number: u32, gateway: Option<&str>) -> Vec<&'s Schedule<'a>> {
    let tunnel = number.to_string();
    let is_own = |s: &Schedule<'_>| s.scope == Scope::Tunnel(number);
    let ending = |s: &&Schedule<'a>| {
        s.runs(&["tunnel", "disable", &tunnel])
            || s.runs(&["tunnel", "disable", "all"])
            || s.runs(&["no", "tunnel", "enable", &tunnel])
            || s.runs(&["no", "tunnel", "enable", "all"])
            || s.runs(&["disconnect", "tunnel", &tunnel])
            || s.runs(&["ipsec", "auto", "refresh", "off"])
            || gateway.is_some_and(|g| s.runs(&["ipsec", "auto", "refresh", g, "off"]))
            || is_own(s) && (s.runs(&["tunnel", "disable"]) || s.runs(&["l2tp", "always-on", "off"]))
    };
    schedules.iter().filter(ending).collect()
}
