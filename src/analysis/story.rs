//! The way of a stranger to the inside, told in hops: a VPN that answers the Internet, a login without a second factor, and what the users
//! of that VPN reach.
//!
//! Joins records and answers that are there; computes nothing new and guesses nothing. Invariant: a story is told only where every hop
//! is known.

use super::reach::{self, Question, Reached, Target, Way};
use super::{Settings, text};
use crate::ir::device::Device;
use crate::ir::fact::Val;
use crate::ir::record::{FactSheet, Record, Step, Value, Witness};
use crate::ir::schema;
use crate::ir::tunnel::RemoteAccess;
use crate::packet::{AddrSet, Intervals, service};
use crate::source::Span;

/// Ports of remote desktop and file sharing: what intruders look for first.
const SOUGHT: [u16; 2] = [3389, 445];

/// One step on the way.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Key of its sentence in `texts/story.toml`.
    pub code: &'static str,
    /// Values for the sentence's placeholders, in order. Never a secret.
    pub args: Vec<String>,
    /// The line that is meant first.
    pub span: Option<Span>,
    /// The proof.
    pub steps: Vec<Step>,
    /// A packet that takes it.
    pub witness: Option<Witness>,
}

/// A way from the Internet to the inside.
#[derive(Clone, Debug)]
pub struct Story {
    /// What kind of VPN it leads through; a word of [`schema::VPN_KINDS`].
    pub kind: &'static str,
    /// The hops, from outside to inside.
    pub hops: Vec<Hop>,
}

/// At most one story for each device of an export.
pub fn stories(devices: &[Device], sheets: &[FactSheet], settings: &Settings) -> Vec<Option<Story>> {
    let each = devices.iter().zip(sheets).enumerate();
    each.map(|(ix, (device, sheet))| device.remote_access.iter().find_map(|access| tell(devices, ix, device, sheet, settings, access)))
        .collect()
}

fn known(record: &Record, field: &str, wanted: bool) -> bool {
    matches!(record.get(field).map(|f| &f.value), Some(Value::Bool(v)) if v.tri() == Some(wanted))
}

fn is_open(record: &Record) -> bool {
    matches!(record.get("exposure_class").map(|f| &f.value), Some(Value::Word(Val::Known(w))) if w == "any" || w == "broad")
}

fn tell(devices: &[Device], ix: usize, device: &Device, sheet: &FactSheet, settings: &Settings, access: &RemoteAccess) -> Option<Story> {
    let paths = sheet.of(&schema::REMOTE_ACCESS_PATH).map(|r| &r.items[..]).unwrap_or_default();
    let here = access.paths.iter().map(|p| format!("{} on {}", p.principal, access.name)).collect::<Vec<_>>();
    let weak = |r: &&Record| {
        here.contains(&r.subject) && known(r, "live", true) && known(r, "second", false) && known(r, "fallback", false) && is_open(r)
    };
    let logins: Vec<&Record> = paths.iter().filter(weak).collect();
    let login = *logins.first()?;
    let ingress = device.interfaces.get(access.interface?.0 as usize)?;
    let outside = entry(devices, ix, device, settings, access)?;
    let inside = inside(devices, ix, settings, &ingress.name);
    if inside.is_empty() {
        return None;
    }
    let listener = match outside.target {
        Target::Listener(l) => device.listeners.items.get(l.0 as usize)?,
        _ => return None,
    };
    let sources = AddrSet::union_of(outside.parts.iter().map(|p| p.lo.sources()).collect::<Vec<_>>().iter());
    let from =
        if crate::packet::Class::of(&sources, &crate::packet::class::public()) == crate::packet::Class::Any { "any" } else { "broad" };
    let mut hops = vec![Hop {
        code: "story.entry",
        args: vec![listener.service.to_owned(), from.to_owned(), super::exposure::ports_text(listener)],
        span: outside.chain.iter().find_map(|s| s.span),
        steps: outside.chain.clone(),
        witness: outside.witness.clone(),
    }];
    let name = |r: &Record| match r.get("account").map(|f| &f.value) {
        Some(Value::Text(Val::Known(name))) => name.clone(),
        _ => r.subject.clone(),
    };
    let names: Vec<String> = logins.iter().map(|r| name(r)).collect();
    hops.push(Hop { code: "story.login", args: vec![names.join(", ")], span: login.span, steps: login.chain.clone(), witness: None });
    hops.extend(inside.iter().map(hop_inside));
    Some(Story { kind: access.kind, hops })
}

/// The way from the Internet to the VPN that surely stands open to most of it.
fn entry(devices: &[Device], ix: usize, device: &Device, settings: &Settings, access: &RemoteAccess) -> Option<Way> {
    let answer = reach::ask(devices, settings, &Question { from: None, to: Some("box".to_owned()) }).into_iter().nth(ix)?;
    let leads = |w: &Way| matches!(w.target, Target::Listener(l) if access.listeners.contains(&l));
    let sure = |w: &Way| w.reached == Reached::Yes && w.untrusted == Some(true) && w.outside == "internet";
    let plane = |w: &Way| match w.target {
        Target::Listener(l) => device.listeners.items.get(l.0 as usize).is_some_and(|l| l.live.value().value.is_true()),
        _ => false,
    };
    answer.ways.into_iter().find(|w| leads(w) && sure(w) && plane(w))
}

/// What users of the VPN surely reach, network by network.
fn inside(devices: &[Device], ix: usize, settings: &Settings, ingress: &str) -> Vec<Way> {
    let question = Question { from: Some(ingress.to_owned()), to: None };
    let answer = reach::ask(devices, settings, &question).into_iter().nth(ix);
    let ways = answer.into_iter().flat_map(|a| a.ways);
    // Networks that face outside are no inside.
    ways.filter(|w| matches!(w.target, Target::Network(_)) && w.reached == Reached::Yes && w.is_inward()).collect()
}

fn hop_inside(way: &Way) -> Hop {
    let sure = || way.parts.iter().map(|p| &p.lo);
    let hosts = AddrSet::union_of(sure().map(|s| s.destinations()).collect::<Vec<_>>().iter());
    let svc = sure().fold(Intervals::empty(), |all, s| all.union(&s.services()));
    let sought: Vec<String> = SOUGHT.iter().filter(|p| svc.contains(service::key(service::TCP, **p))).map(|p| format!("tcp {p}")).collect();
    let hosts: Vec<String> = text::addresses(&hosts).into_iter().take(4).collect();
    let code = if sought.is_empty() { "story.inside" } else { "story.inside_sought" };
    Hop {
        code,
        args: vec![hosts.join(", "), text::services(&svc), sought.join(", ")],
        span: way.chain.iter().find_map(|s| s.span),
        steps: way.chain.clone(),
        witness: way.witness.clone(),
    }
}
