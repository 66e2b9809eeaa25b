//! Secrets judged inside the process: length, classes, the notices' lists, reuse within a device. Only the judgements leave;
//! values never do. Reuse is found by a fingerprint keyed for one run.

use super::strength::{self, Strength};
use super::{Context, Sheet, known_word};
use crate::ir::account::{Direction, Secret, SecretUse, Storage};
use crate::ir::device::Device;
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::record::{Record, Step};
use crate::ir::schema;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Records of the kinds `secret` and `secret_group`.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let names = names(cx);
    for secret in cx.device().secrets.iter() {
        sheet.add(record(secret, &names));
    }
    groups(cx, sheet);
}

/// Names a password must not hold: stated ones, the host name.
fn names(cx: &Context<'_>) -> Vec<String> {
    let mut names = cx.stated.names.clone();
    names.extend(cx.shared().identity.hostname.clone());
    names
}

fn strength_of(secret: &Secret, names: &[String]) -> Fact<Strength> {
    let at = Origin::Written(secret.span);
    let unknown = |code| Fact { value: Val::Unknown(Why::at(code, secret.owner.clone(), vec![secret.span])), origin: at.clone() };
    match &secret.storage {
        Storage::Clear | Storage::Revealed => {
            let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
            all.push(&secret.owner);
            Fact::known(strength::judge(secret.value.expose(), &all), at)
        }
        Storage::Masked => unknown(WhyCode::Masked),
        Storage::Recoverable { .. } | Storage::Hash { .. } | Storage::Opaque => unknown(WhyCode::Encrypted),
        Storage::Empty => Fact::known(Strength { length: 0, classes: 0, score: 0, listed: strength::Listed::No }, at),
    }
}

fn record(secret: &Secret, names: &[String]) -> Record {
    let at = Origin::Written(secret.span);
    let subject = if secret.owner.is_empty() { secret.used_for.word().to_owned() } else { secret.owner.clone() };
    let mut record = Record::new(&schema::SECRET, subject, Some(secret.span));
    let strength = strength_of(secret, names);
    // What has no value is another rule's subject (a login without password); its strength is no question.
    let empty = matches!(secret.storage, Storage::Empty);
    let live = if empty { Fact::known(false, at.clone()) } else { secret.live.clone() };
    match secret.used_for {
        SecretUse::AdminLogin => record.named("admin", secret.owner.clone()),
        SecretUse::VpnUser => record.named("user", secret.owner.clone()),
        SecretUse::IkePsk => record.named("tunnel", secret.owner.clone()),
        _ => &mut record,
    };
    record.word("use", known_word(secret.used_for.word(), at.clone()));
    record.word("direction", known_word(if secret.direction == Direction::Verifies { "verifies" } else { "presents" }, at.clone()));
    let storage = match secret.storage {
        Storage::Clear => Fact::known(Cow::Borrowed("clear"), at.clone()),
        Storage::Masked => {
            Fact { value: Val::Unknown(Why::at(WhyCode::Masked, secret.owner.clone(), vec![secret.span])), origin: at.clone() }
        }
        Storage::Recoverable { .. } | Storage::Revealed => known_word("recoverable", at.clone()),
        Storage::Hash { .. } => known_word("hash", at.clone()),
        // The vendor does not publish whether the form can be turned back.
        Storage::Opaque => {
            Fact { value: Val::Unknown(Why::at(WhyCode::Encrypted, secret.owner.clone(), vec![secret.span])), origin: at.clone() }
        }
        Storage::Empty => known_word("empty", at.clone()),
    };
    record.word("storage", storage);
    record.bool("live", live);
    record.int("length", strength.map(|s| s.length));
    record.int("classes", strength.map(|s| s.classes));
    record.int("score", strength.map(|s| s.score));
    record.word("listed", strength.map(|s| Cow::Borrowed(s.listed.word())));
    record.bool("factory", strength.map(|s| s.listed == strength::Listed::Factory));
    record.bool("owner_second", secret.owner_second.clone());
    record.bool("rotated", secret.rotated.clone());
    let weak_hash = match &secret.storage {
        Storage::Hash { weak, .. } => weak.clone(),
        Storage::Masked | Storage::Opaque => {
            Fact { value: Val::Unknown(Why::at(WhyCode::Masked, secret.owner.clone(), vec![secret.span])), origin: at.clone() }
        }
        _ => Fact::known(false, at.clone()),
    };
    record.bool("hash_weak", weak_hash);
    record.bool("protocol_needs_clear", Fact::known(secret.protocol_needs_clear, at.clone()));
    record.text("owner", secret.owner.clone(), at);
    record
}

/// A fingerprint of a comparable value, keyed for this run; nothing outside the process can use it.
fn fingerprint(key: &[u8; 32], secret: &Secret) -> Option<[u8; 32]> {
    let value = secret.value.expose();
    let tag: &[u8] = match &secret.storage {
        Storage::Clear | Storage::Revealed => b"clear",
        Storage::Recoverable { comparable: true } => b"recoverable",
        Storage::Hash { comparable: true, .. } => b"hash",
        _ => return None,
    };
    if value.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(tag);
    mac.update(value.as_bytes());
    Some(mac.finalize().into_bytes().into())
}

/// Secrets that stand in several places of one device.
fn groups(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let device: &Device = cx.device();
    let mut by_value: BTreeMap<[u8; 32], Vec<&Secret>> = BTreeMap::new();
    let mut comparable = 0;
    for secret in device.secrets.iter() {
        let judged =
            secret.direction == Direction::Verifies && secret.used_for != SecretUse::SnmpCommunity && !secret.live.value.is_false();
        if let Some(print) = fingerprint(&cx.settings.run_key, secret).filter(|_| judged) {
            comparable += 1;
            let places = by_value.entry(print).or_default();
            if !places.iter().any(|s| s.span == secret.span || s.owner == secret.owner && s.used_for == secret.used_for) {
                places.push(secret);
            }
        }
    }
    // Groups in the order of the export, whatever the run's key.
    let mut groups: Vec<Vec<&Secret>> = by_value.into_values().collect();
    groups.sort_by_key(|places| places.first().map(|s| s.span));
    for places in groups.iter().filter(|p| p.len() > 1) {
        let at = Origin::all(places.iter().map(|s| Origin::Written(s.span)));
        let list = places.iter().map(|s| if s.owner.is_empty() { "-" } else { s.owner.as_str() }).collect::<Vec<_>>().join(", ");
        let mut record = Record::new(&schema::SECRET_GROUP, list.clone(), places.first().map(|s| s.span));
        record.int("owners", Fact::known(places.len() as i64, at.clone()));
        record.int("devices", Fact::known(1, at.clone()));
        record.bool("same_use", Fact::known(places.iter().all(|s| s.used_for == places[0].used_for), at.clone()));
        record.bool("same_ha", Fact::known(false, at.clone()));
        record.text("places", list, at);
        record.chain = places.iter().map(|s| Step { span: Some(s.span), code: "step.same_secret", args: vec![s.owner.clone()] }).collect();
        sheet.add(record);
    }
    // Comparable secrets that are all different are the evidence of a pass.
    if groups.iter().all(|p| p.len() == 1) && comparable > 1 {
        let at = Origin::all(groups.iter().flatten().map(|s| Origin::Written(s.span)));
        let mut record = Record::new(&schema::SECRET_GROUP, "secrets", device.span);
        record.int("owners", Fact::known(1, at.clone()));
        record.int("devices", Fact::known(1, at.clone()));
        record.bool("same_use", Fact::known(false, at.clone()));
        record.bool("same_ha", Fact::known(false, at.clone()));
        record.text("places", "", at);
        sheet.add(record);
    }
}
