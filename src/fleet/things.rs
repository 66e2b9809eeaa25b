//! Tunnels, remote access and people as `diff` compares them: by the facts that matter.
//!
//! Tunnels and remote access have no name of their own here: two of them are the same if their facts are, else if their peer is, else
//! if their name is. People are their names. Invariant: no value rests on where a line stands or what an object is called.

use crate::finding::Finding;
use crate::ir::fact::Val;
use crate::ir::record::{FactSheet, Record, Value};
use crate::ir::schema::{self, Kind};
use crate::rule::file::{Rule, Subject};
use crate::rule::predicate::Root;
use crate::source::Span;
use std::collections::BTreeSet;

/// A value, or several of one kind, in a form that can be compared.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) kind: &'static str,
    pub(super) field: &'static str,
    /// Equal text means equal knowledge.
    pub(super) plain: BTreeSet<String>,
    pub(super) values: Vec<Value>,
}

/// A tunnel, a remote access, or a person.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// Whether its name is what it is.
    person: bool,
    /// The other end, where it has one.
    peer: String,
    pub(super) span: Option<Span>,
    /// Whether it is surely not in force.
    pub(super) dead: bool,
    facts: Vec<Fact>,
}

impl Thing {
    pub(super) fn fact(&self, kind: &str, field: &str) -> Option<&Fact> {
        self.facts.iter().find(|f| f.kind == kind && f.field == field)
    }

    fn add(&mut self, record: &Record, fields: &[&'static str]) {
        for &field in fields {
            let Some(value) = record.get(field).map(|f| f.value.clone()) else { continue };
            let plain = plain(&value);
            let kind = record.kind.name;
            match self.facts.iter_mut().find(|f| f.kind == kind && f.field == field) {
                Some(fact) => {
                    if fact.plain.insert(plain) {
                        fact.values.push(value);
                    }
                }
                None => self.facts.push(Fact { kind, field, plain: [plain].into(), values: vec![value] }),
            }
        }
    }

    fn signature(&self) -> Vec<(&'static str, &'static str, &BTreeSet<String>)> {
        self.facts.iter().map(|f| (f.kind, f.field, &f.plain)).collect()
    }
}

/// Facts of a tunnel that matter.
const TUNNEL: &[&str] = &[
    "kind",
    "live",
    "mode",
    "auth",
    "encrypted",
    "layer2",
    "peer",
    "peer_any",
    "accepts_aggressive_psk",
    "pfs",
    "on_untrusted",
    "grants_whole_net",
    "grants_any_service",
];
const REMOTE_ACCESS: &[&str] = &[
    "kind",
    "live",
    "accepts_aggressive_psk",
    "idle_s",
    "session_s",
    "concurrent",
    "on_untrusted",
    "grants_whole_net",
    "grants_any_service",
];
const ACCOUNT: &[&str] = &["kind", "live", "factory", "limited_source", "expires", "has_secret"];
const ADMIN_PATH: &[&str] = &["live", "remote", "second", "client_cert", "empty", "fallback"];
const ACCESS_PATH: &[&str] = &["kind", "live", "second", "client_cert", "device_key", "empty", "fallback"];

fn of<'s>(sheet: &'s FactSheet, kind: &'static Kind) -> impl Iterator<Item = &'s Record> + use<'s> {
    sheet.of(kind).into_iter().flat_map(|r| &r.items)
}

fn text<'r>(record: &'r Record, field: &str) -> &'r str {
    match record.get(field).map(|f| &f.value) {
        Some(Value::Text(Val::Known(text))) => text,
        _ => "",
    }
}

fn is_off(record: &Record) -> bool {
    matches!(record.get("live").map(|f| &f.value), Some(Value::Bool(v)) if v.is_false())
}

/// Everything of a device that is compared by facts.
pub(super) fn things(sheet: &FactSheet) -> Vec<Thing> {
    let thing = |kind, record: &Record, name: &str, person| Thing {
        kind,
        name: name.to_owned(),
        person,
        peer: text(record, "peer").to_owned(),
        span: record.span,
        dead: is_off(record),
        facts: Vec::new(),
    };
    let mut all: Vec<Thing> = Vec::new();
    for (kind, fields) in [(&schema::TUNNEL, TUNNEL), (&schema::REMOTE_ACCESS, REMOTE_ACCESS)] {
        for record in of(sheet, kind) {
            let mut one = thing(kind.name, record, &record.subject, false);
            one.add(record, fields);
            let weak = of(sheet, &schema::PROPOSAL).filter(|p| text(p, "tunnel") == record.subject);
            weak.for_each(|p| one.add(p, &["weak"]));
            all.push(one);
        }
    }
    let people: [(&'static Kind, &str, &[&'static str]); 3] = [
        (&schema::ACCOUNT, "", ACCOUNT),
        (&schema::ADMIN_PATH, "account", ADMIN_PATH),
        (&schema::REMOTE_ACCESS_PATH, "account", ACCESS_PATH),
    ];
    for (kind, named, fields) in people {
        for record in of(sheet, kind) {
            let name = if named.is_empty() { record.subject.as_str() } else { text(record, named) };
            let at = match all.iter().position(|t| t.person && t.name == name) {
                Some(at) => at,
                None => {
                    all.push(thing(kind.name, record, name, true));
                    all.len() - 1
                }
            };
            all[at].dead &= is_off(record);
            all[at].add(record, fields);
        }
    }
    all
}

/// Things of two versions that belong together.
pub(super) fn matched(mut old: Vec<Thing>, mut new: Vec<Thing>) -> Vec<(Option<Thing>, Option<Thing>)> {
    let passes: [fn(&Thing, &Thing) -> bool; 5] = [
        |a, b| a.name == b.name && a.signature() == b.signature(),
        |a, b| !a.person && a.signature() == b.signature(),
        |a, b| !a.person && !a.peer.is_empty() && a.peer == b.peer,
        |a, b| a.name == b.name,
        |a, b| {
            a.kind == "remote_access"
                && a.fact("remote_access", "kind").map(|f| &f.plain) == b.fact("remote_access", "kind").map(|f| &f.plain)
        },
    ];
    let mut pairs = Vec::new();
    for same in passes {
        let mut left = Vec::new();
        for a in old {
            match new.iter().position(|b| a.person == b.person && (a.person || a.kind == b.kind) && same(&a, b)) {
                Some(at) => pairs.push((Some(a), Some(new.remove(at)))),
                None => left.push(a),
            }
        }
        old = left;
    }
    pairs.extend(old.into_iter().map(|a| (Some(a), None)));
    pairs.extend(new.into_iter().map(|b| (None, Some(b))));
    pairs
}

/// The facts that either has, in the order of the first.
pub(super) fn fields(old: Option<&Thing>, new: Option<&Thing>) -> Vec<(&'static str, &'static str)> {
    let mut fields: Vec<(&'static str, &'static str)> = Vec::new();
    for fact in old.into_iter().chain(new).flat_map(|t| &t.facts) {
        if !fields.contains(&(fact.kind, fact.field)) {
            fields.push((fact.kind, fact.field));
        }
    }
    fields
}

/// A value as far as it is known; reasons and lines left out.
fn plain(value: &Value) -> String {
    fn val<T>(val: &Val<T>, show: impl Fn(&T) -> String) -> String {
        match val {
            Val::Known(v) => format!("={}", show(v)),
            Val::Among(vs, _) => {
                let set: BTreeSet<String> = vs.iter().map(show).collect();
                format!("~{}", set.into_iter().collect::<Vec<_>>().join("|"))
            }
            Val::Unknown(_) => "?".to_owned(),
        }
    }
    match value {
        Value::Bool(v) => v.tri().map_or_else(|| "?".to_owned(), |b| format!("={b}")),
        Value::Int(v) => val(v, i64::to_string),
        Value::Word(v) => val(v, |w| w.to_string()),
        Value::Text(v) => val(v, String::clone),
        Value::Set { lo, hi, .. } => {
            let join = |set: &BTreeSet<crate::ir::record::Word>| set.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("|");
            format!("{}..{}", join(lo), join(hi))
        }
    }
}

/// Fields that tell subjects apart beside those that a rule reads, and are no names somebody gave.
const IDENTITY: [&str; 12] =
    ["service", "ports", "inside", "peer", "kind", "use", "owner", "family", "scope", "path", "side_kind", "version"];
/// Secrets that belong to a tunnel, whose name is no fact.
const TUNNEL_SECRETS: [&str; 3] = ["=ike_psk", "=l2tp_psk", "=wg_psk"];
/// Subjects that are told apart by their name.
const PEOPLE: [&str; 5] = ["account", "admin_path", "remote_access_path", "auth_server", "snmp_access"];

/// What a finding rests on, without the names of objects: two findings of a rule with one signature say the same.
pub(super) fn signature(rules: &[Rule], sheet: &FactSheet, finding: &Finding) -> Vec<String> {
    let subjects: Vec<&Subject> = rules.iter().filter(|r| r.id == finding.rule).flat_map(|r| &r.subjects).collect();
    let find = |name: &str| subjects.iter().find_map(|s| of(sheet, s.kind).find(|r| r.subject == name).map(|r| (*s, r)));
    let one = |name: &str| find(name).map_or_else(|| name.to_owned(), |(s, r)| record_signature(s, r, &sheet.device));
    let whole = find(&finding.subject).is_some();
    let mut all: Vec<String> = if whole { vec![one(&finding.subject)] } else { finding.subject.split(", ").map(one).collect() };
    all.sort();
    all
}

fn record_signature(subject: &Subject, record: &Record, device: &Record) -> String {
    let mut out = record.kind.name.to_owned();
    if PEOPLE.contains(&record.kind.name) {
        out.push_str(&format!(" {}", record.subject));
    }
    let read = subject.fails.eval(record, device).read;
    let is_read = |ix: usize| read.iter().any(|r| r.root == Root::It && r.field == ix);
    let used_for = record.get("use").map(|f| plain(&f.value)).unwrap_or_default();
    for (ix, field) in record.kind.fields.iter().enumerate() {
        let of_tunnel = field.name == "owner" && TUNNEL_SECRETS.contains(&used_for.as_str());
        if of_tunnel || !(is_read(ix) || IDENTITY.contains(&field.name)) {
            continue;
        }
        if let Some(value) = record.at(ix) {
            out.push_str(&format!(" {}{}", field.name, plain(&value.value)));
        }
    }
    out
}
