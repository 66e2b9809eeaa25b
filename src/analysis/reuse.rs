//! One secret in several places: inside a device, across the contexts of a box, across all files of a run.
//!
//! A census holds, for each export, fingerprints keyed for this run and the signs by which boxes and the ends of tunnels are told
//! apart. It holds no value. Two exports of one box, the members of a cluster, and the two ends of one tunnel share a secret by
//! design; where the exports do not show whether they are that, the answer is not known. Orders are those of paths and lines.

use super::{Context, Sheet};
use crate::ir::account::{Direction, Secret, SecretIx, SecretUse, Storage};
use crate::ir::device::Device;
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::record::{Record, Step};
use crate::ir::schema;
use crate::ir::tunnel::Tunnel;
use crate::packet::class;
use crate::source::Span;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A fingerprint; nothing outside this run can use it.
type Print = [u8; 32];

/// Places among which backups of one box are looked for, so that a large run costs little.
const COMPARED: usize = 64;

/// Places named in one finding; more are counted.
const NAMED: usize = 12;

/// Which addresses the other end of a tunnel may have.
#[derive(Clone, Debug)]
enum Far {
    /// One of these.
    At(Vec<(IpAddr, IpAddr)>),
    /// Whoever dials in.
    Anybody,
    /// A name, or what the export does not say.
    Unknown,
}

/// Where a secret stands.
#[derive(Clone, Debug)]
struct Place {
    print: Print,
    owner: String,
    used_for: SecretUse,
    span: Span,
    line: usize,
    device: usize,
    /// Of a tunnel's shared key.
    far: Option<Far>,
}

/// What tells one box from another.
#[derive(Clone, Debug, Default)]
struct Signs {
    name: String,
    product: String,
    cluster: Option<String>,
    own: BTreeSet<IpAddr>,
    /// Those of them that the Internet can route.
    public: BTreeSet<IpAddr>,
    /// Whether it may have addresses, or be seen under addresses, that the export does not show.
    open: bool,
    /// Fingerprints of its logins at Internet providers.
    lines: BTreeSet<Print>,
}

/// One export, as the census keeps it.
#[derive(Clone, Debug)]
pub struct Entry {
    file: String,
    start: usize,
    text: Option<Print>,
    signs: Signs,
    names: Vec<String>,
    places: Vec<Place>,
}

/// Which export of a run is looked at: its file and where it starts there, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// Path as shown.
    pub file: String,
    /// First byte.
    pub start: usize,
}

/// What the exports of a run have in common.
#[derive(Debug, Default)]
pub struct Census {
    entries: Vec<Entry>,
    /// Entries and places of each fingerprint that more than one export holds.
    shared: BTreeMap<Print, Vec<(usize, usize)>>,
}

impl Census {
    /// Puts the exports of a run together; what only one of them holds is dropped.
    pub fn new(mut entries: Vec<Entry>) -> Census {
        let mut seen: BTreeMap<Print, BTreeSet<usize>> = BTreeMap::new();
        for (ix, place) in entries.iter().enumerate().flat_map(|(ix, e)| e.places.iter().map(move |p| (ix, p))) {
            seen.entry(place.print).or_default().insert(ix);
        }
        let mut shared: BTreeMap<Print, Vec<(usize, usize)>> = BTreeMap::new();
        for (ix, entry) in entries.iter_mut().enumerate() {
            entry.places.retain(|p| seen.get(&p.print).is_some_and(|of| of.len() > 1));
            for (at, place) in entry.places.iter().enumerate() {
                shared.entry(place.print).or_default().push((ix, at));
            }
        }
        Census { entries, shared }
    }
}

fn print(key: &[u8; 32], parts: &[&[u8]]) -> Option<Print> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

/// The fingerprint of a value that can be compared.
fn fingerprint(key: &[u8; 32], secret: &Secret) -> Option<Print> {
    let value = secret.value.expose();
    // Communities and private keys are compared among themselves; everything else with everything.
    let family: &[u8] = match secret.used_for {
        SecretUse::SnmpCommunity => b"community",
        SecretUse::PrivateKey => b"key",
        _ => b"",
    };
    let (form, owner): (&[u8], &str) = match &secret.storage {
        Storage::Clear | Storage::Revealed => (b"clear", ""),
        Storage::Recoverable { comparable: true } => (b"recoverable", ""),
        Storage::Hash { comparable: true, .. } => (b"hash", ""),
        // What brings its salt along is equal where salt, secret and form are.
        Storage::Hash { comparable: false, .. } if value.starts_with('$') => (b"hash", ""),
        // Else the owner's name may go into the hash, so that only those of one name compare.
        Storage::Hash { comparable: false, .. } => (b"hash of", &secret.owner),
        _ => return None,
    };
    (!value.is_empty()).then(|| print(key, &[family, form, owner.as_bytes(), value.as_bytes()])).flatten()
}

/// Whether a secret is one that nobody else should have.
fn judged(secret: &Secret) -> bool {
    let everyones = || ["public", "private"].iter().any(|w| secret.value.expose().eq_ignore_ascii_case(w));
    let kind = match secret.used_for {
        SecretUse::SnmpCommunity => !everyones(),
        SecretUse::PrivateKey => true,
        _ => secret.direction == Direction::Verifies,
    };
    kind && !secret.live.value.is_false()
}

/// The first tunnel of a device that uses a key, and the first of a name.
struct Tunnels<'a> {
    by_key: BTreeMap<u32, &'a Tunnel>,
    by_name: BTreeMap<&'a str, &'a Tunnel>,
}

impl<'a> Tunnels<'a> {
    fn of(device: &'a Device) -> Tunnels<'a> {
        let (mut by_key, mut by_name) = (BTreeMap::new(), BTreeMap::new());
        for tunnel in device.tunnels.iter() {
            if let Some(SecretIx(key)) = tunnel.psk {
                by_key.entry(key).or_insert(tunnel);
            }
            by_name.entry(tunnel.name.as_str()).or_insert(tunnel);
        }
        Tunnels { by_key, by_name }
    }
}

fn far(tunnels: &Tunnels<'_>, ix: usize, secret: &Secret) -> Option<Far> {
    if !matches!(secret.used_for, SecretUse::IkePsk | SecretUse::L2tpPsk | SecretUse::WgPsk) {
        return None;
    }
    let tunnel = tunnels.by_key.get(&(ix as u32)).or_else(|| tunnels.by_name.get(secret.owner.as_str()));
    // A key that belongs to no tunnel between sites is the one of dial-in users.
    Some(tunnel.map_or(Far::Anybody, |t| t.peer.addresses.get().map_or(Far::Unknown, far_of)))
}

fn far_of(addresses: &AddrExpr) -> Far {
    match addresses {
        AddrExpr::Any | AddrExpr::AnyV4 | AddrExpr::AnyV6 => Far::Anybody,
        AddrExpr::Range(first, last) => Far::At(vec![(*first, *last)]),
        AddrExpr::Union(all) => {
            let parts: Vec<Far> = all.iter().map(far_of).collect();
            match parts.iter().find(|p| !matches!(p, Far::At(_))) {
                Some(open) => open.clone(),
                None => Far::At(parts.into_iter().flat_map(|p| if let Far::At(ranges) = p { ranges } else { Vec::new() }).collect()),
            }
        }
        _ => Far::Unknown,
    }
}

fn signs(devices: &[Device], key: &[u8; 32]) -> Signs {
    let mut signs = Signs::default();
    for device in devices {
        if signs.name.is_empty() {
            signs.name = device.identity.hostname.clone().unwrap_or_default();
        }
        signs.product = device.identity.product.clone();
        signs.cluster = signs.cluster.or_else(|| device.identity.ha_group.clone());
        for address in device.interfaces.iter().flat_map(|i| &i.addresses) {
            match address.net.get() {
                Some(net) if !net.addr.is_loopback() && !net.addr.is_unspecified() => {
                    signs.own.insert(net.addr);
                }
                Some(_) => {}
                None => signs.open = true,
            }
        }
        let lines = device.secrets.iter().filter(|s| s.used_for == SecretUse::IspLogin);
        signs.lines.extend(lines.filter_map(|s| fingerprint(key, s)));
    }
    let private = class::private();
    signs.public = signs.own.iter().copied().filter(|a| !private.contains(*a)).collect();
    signs.open |= signs.public.is_empty();
    signs
}

/// An export for the census. `line` counts the line of a place; `text` is the export itself, which is not kept.
pub fn entry(export: &Export, text: &str, devices: &[Device], key: &[u8; 32], line: &dyn Fn(Span) -> usize) -> Entry {
    let mut entry = Entry {
        file: export.file.clone(),
        start: export.start,
        text: print(key, &[b"text", text.as_bytes()]),
        signs: signs(devices, key),
        names: devices.iter().map(|d| d.name.clone()).collect(),
        places: Vec::new(),
    };
    // Places by what they hold.
    let mut same: BTreeMap<Print, Vec<usize>> = BTreeMap::new();
    for (device, d) in devices.iter().enumerate() {
        let tunnels = Tunnels::of(d);
        for (ix, secret) in d.secrets.iter().enumerate().filter(|(_, s)| judged(s)) {
            let Some(print) = fingerprint(key, secret) else { continue };
            let (owner, used_for, span) = (secret.owner.clone(), secret.used_for, secret.span);
            // One box may write its community or its key in many rows; and contexts show what they share.
            let once = matches!(used_for, SecretUse::SnmpCommunity | SecretUse::PrivateKey);
            let known = |p: &Place| p.span == span || once || p.device == device && p.owner == owner && p.used_for == used_for;
            let same = same.entry(print).or_default();
            if !same.iter().any(|at| entry.places.get(*at).is_some_and(known)) {
                same.push(entry.places.len());
                let far = far(&tunnels, ix, secret);
                entry.places.push(Place { print, owner, used_for, span, line: line(span), device, far });
            }
        }
    }
    entry
}

/// Whether two exports are of one box or one cluster; `None` where they do not show it.
fn same_box(one: &Entry, other: &Entry) -> Option<bool> {
    let (a, b) = (&one.signs, &other.signs);
    let common = || a.own.intersection(&b.own).next().is_some();
    let names_other = |x: &Signs, y: &Signs| x.cluster.as_ref().and_then(|c| c.parse().ok()).is_some_and(|c| y.own.contains(&c));
    let cluster = a.cluster.is_some() && a.cluster == b.cluster && common();
    if one.text.is_some() && one.text == other.text || cluster || names_other(a, b) || names_other(b, a) {
        return Some(true);
    }
    // An excerpt may lack the name.
    let named = !a.name.is_empty() && !b.name.is_empty();
    if a.product != b.product || named && a.name != b.name {
        return Some(false);
    }
    if a.public.intersection(&b.public).next().is_some() {
        return Some(true);
    }
    if !a.public.is_empty() && !b.public.is_empty() {
        return Some(false);
    }
    if !a.lines.is_empty() && !b.lines.is_empty() {
        return Some(a.lines.intersection(&b.lines).next().is_some());
    }
    // One name and one inside address: a backup of some other day, or a clone in another house.
    if common() { None } else { Some(false) }
}

/// Whether the far end that one place names can be the box of the other: surely, surely not, or not known.
fn leads_to(far: &Far, others: &Far, box_: &Signs) -> Option<bool> {
    match (far, others) {
        // Both dial a third.
        (Far::At(mine), Far::At(theirs)) if mine.iter().any(|(a, b)| theirs.iter().any(|(c, d)| a <= d && c <= b)) => Some(false),
        (Far::At(mine), _) if mine.iter().any(|(a, b)| box_.own.iter().any(|o| a <= o && o <= b)) => Some(true),
        (Far::At(_), _) if !box_.open => Some(false),
        // Two that wait for calls never call each other.
        (Far::Anybody, Far::Anybody) => Some(false),
        _ => None,
    }
}

/// Whether two places are the two ends of one tunnel.
fn one_tunnel(here: &Place, own: &Signs, there: &Place, others: &Signs) -> Option<bool> {
    let (Some(mine), Some(theirs)) = (&here.far, &there.far) else { return Some(false) };
    if here.used_for != there.used_for {
        return Some(false);
    }
    match (leads_to(mine, theirs, others), leads_to(theirs, mine, own)) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), _) | (_, Some(true)) => Some(true),
        _ => None,
    }
}

fn shown(owner: &str) -> &str {
    if owner.is_empty() { "-" } else { owner }
}

/// Records of the kind `secret_group` for one device.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let settings = cx.settings;
    let own = entry(&settings.export, "", cx.devices, &settings.run_key, &|_| 0);
    let census = &settings.census;
    // The census knows the text of this export, too.
    let known = census.entries.iter().find(|e| e.file == own.file && e.start == own.start);
    let own = Entry { text: known.and_then(|e| e.text), ..own };
    let mut by_value: BTreeMap<Print, Vec<&Place>> = BTreeMap::new();
    for place in &own.places {
        by_value.entry(place.print).or_default().push(place);
    }
    // In the order of the export, whatever the run's key.
    let mut groups: Vec<(Print, Vec<&Place>)> = by_value.into_iter().filter(|(_, of)| of.iter().any(|p| p.device == cx.ix)).collect();
    groups.sort_by_key(|(_, of)| of.iter().find(|p| p.device == cx.ix).map(|p| p.span));
    let mut alone = Vec::new();
    let mut shared = false;
    for (print, local) in &groups {
        let elsewhere: Vec<(&Entry, &Place)> = census
            .shared
            .get(print)
            .into_iter()
            .flatten()
            .filter_map(|(e, p)| census.entries.get(*e).and_then(|entry| Some((entry, entry.places.get(*p)?))))
            .filter(|(e, _)| !(e.file == own.file && e.start == own.start))
            .collect();
        match group(cx, &own, local, &elsewhere) {
            Some(record) => {
                shared = true;
                sheet.add(record);
            }
            None => alone.extend(local.iter().map(|p| Origin::Written(p.span))),
        }
    }
    // Comparable secrets that are all different are the evidence of a pass; one alone is, where others were there to compare.
    if !shared && (alone.len() > 1 || !alone.is_empty() && census.entries.len() > 1) {
        let mut record = Record::new(&schema::SECRET_GROUP, "secrets", cx.device().span);
        fill(&mut record, &Origin::all(alone), (1, 1), Val::Known(false), Val::Known(false));
        record.text("places", "", Origin::all([]));
        sheet.add(record);
    }
}

fn fill(record: &mut Record, at: &Origin, (owners, devices): (usize, usize), one_box: Val<bool>, one_tunnel: Val<bool>) {
    record.int("owners", Fact::known(owners as i64, at.clone()));
    record.int("devices", Fact::known(devices as i64, at.clone()));
    record.bool("same_use", Fact::known(false, at.clone()));
    record.bool("same_ha", Fact { value: one_box, origin: at.clone() });
    record.bool("same_tunnel", Fact { value: one_tunnel, origin: at.clone() });
}

/// The record of a value that stands in several places; `None` where it stands in one.
fn group(cx: &Context<'_>, own: &Entry, local: &[&Place], elsewhere: &[(&Entry, &Place)]) -> Option<Record> {
    // The device's own places come first: a finding points at its own file.
    let mut local = local.to_vec();
    local.sort_by_key(|p| (p.device != cx.ix, p.span));
    let mut sure: Vec<(&Entry, &Place)> = Vec::new();
    let mut maybe: Vec<(&Entry, &Place)> = Vec::new();
    let mut same = 0;
    for (entry, place) in elsewhere {
        let list = match same_box(own, entry) {
            Some(true) => {
                same += 1;
                continue;
            }
            Some(false) => &mut sure,
            None => &mut maybe,
        };
        // Two backups of another box are one place.
        let again = |(e, p): &(&Entry, &Place)| e.file != entry.file && p.owner == place.owner && same_box(e, entry) != Some(false);
        if !list.iter().take(COMPARED).any(again) {
            list.push((entry, place));
        }
    }
    if local.len() + sure.len() + maybe.len() + same < 2 {
        return None;
    }
    let at = Origin::all(local.iter().map(|p| Origin::Written(p.span)));
    let spans: Vec<Span> = local.iter().map(|p| p.span).collect();
    let why = |code, about: &str| Val::Unknown(Why::at(code, about, spans.clone()));
    let inside = local.len() > 1;
    let (one_box, foreign): (Val<bool>, &[(&Entry, &Place)]) = match (inside, sure.is_empty(), maybe.is_empty()) {
        (_, false, _) | (true, _, true) => (Val::Known(false), &sure),
        (true, true, false) => (Val::Known(false), &[]),
        (false, true, false) => (why(WhyCode::SameBox, maybe.first().map_or("", |(e, _)| e.file.as_str())), &maybe),
        (false, true, true) => (Val::Known(true), &[]),
    };
    let one_tunnel = match (inside, foreign) {
        (false, [(entry, place)]) => match one_tunnel(local[0], &own.signs, place, &entry.signs) {
            Some(known) => Val::Known(known),
            None => why(WhyCode::SameTunnel, &entry.file),
        },
        _ => Val::Known(false),
    };
    let name = |e: &Entry, p: &Place| e.names.get(p.device).filter(|n| !n.is_empty()).cloned().unwrap_or_else(|| e.file.clone());
    let whose: Vec<&str> = local.iter().map(|p| shown(&p.owner)).collect();
    let mut subject = whose.join(", ");
    let mut names: Vec<String> = foreign.iter().map(|(e, p)| name(e, p)).collect();
    names.sort();
    names.dedup();
    if !names.is_empty() {
        // Who accepts a reuse accepts it between these devices: others make it another finding.
        subject = format!("{subject} = {}", names.join(", "));
    }
    let mut places: Vec<String> = whose.iter().map(|o| (*o).to_owned()).collect();
    places.extend(foreign.iter().map(|(e, p)| format!("{} ({} {}:{})", shown(&p.owner), name(e, p), e.file, p.line)));
    let more = places.len().saturating_sub(NAMED);
    places.truncate(NAMED);
    if more > 0 {
        places.push(format!("+{more}"));
    }
    let mut record = Record::new(&schema::SECRET_GROUP, subject, local.first().map(|p| p.span));
    let boxes: BTreeSet<(&str, usize)> = foreign.iter().map(|(e, _)| (e.file.as_str(), e.start)).collect();
    // The same place in another export of this box is the second one, where there is no other.
    let owners = (local.len() + foreign.len()).max(2);
    fill(&mut record, &at, (owners, 1 + boxes.len()), one_box, one_tunnel);
    let same_use = local.iter().copied().chain(foreign.iter().map(|(_, p)| *p)).all(|p| p.used_for == local[0].used_for);
    record.bool("same_use", Fact::known(same_use, at.clone()));
    record.text("places", places.join(", "), at);
    record.chain = local.iter().map(|p| Step { span: Some(p.span), code: "step.same_secret", args: vec![p.owner.clone()] }).collect();
    record.chain.extend(foreign.iter().take(NAMED).map(|(e, p)| Step {
        span: None,
        code: "step.same_secret_elsewhere",
        args: vec![shown(&p.owner).to_owned(), name(e, p), e.file.clone(), p.line.to_string()],
    }));
    Some(record)
}
