//! Secrets judged inside the process: length, classes, the notices' lists. Only the judgements leave; values never do. Not here:
//! one secret in several places, which is `reuse.rs`.

use super::guess::{self, Tested};
use super::strength::{self, Strength};
use super::{Context, Sheet, known_word};
use crate::ir::account::{Direction, Secret, SecretUse, Storage};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::record::{Record, Step};
use crate::ir::schema;
use std::borrow::Cow;

/// Records of the kind `secret`.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let names = names(cx);
    let year = cx.settings.as_of.get(..4).and_then(|y| y.parse().ok()).unwrap_or(0);
    let guessed: Vec<String> = std::iter::once(cx.device().identity.product.clone()).chain(names.iter().cloned()).collect();
    let tested = guess::test(&cx.device().secrets.items, &guessed, year, cx.settings.hash_budget);
    for (ix, secret) in cx.device().secrets.iter().enumerate() {
        sheet.add(record(secret, &names, tested.get(&ix)));
    }
}

/// Names a password must not hold: stated ones, the host name.
fn names(cx: &Context<'_>) -> Vec<String> {
    let mut names = cx.stated.names.clone();
    names.extend(cx.shared().identity.hostname.clone());
    names
}

fn strength_of(secret: &Secret, names: &[String], tested: Option<&Tested>) -> Fact<Strength> {
    let at = Origin::Written(secret.span);
    let unknown = |code| Fact { value: Val::Unknown(Why::at(code, secret.owner.clone(), vec![secret.span])), origin: at.clone() };
    match &secret.storage {
        Storage::Clear | Storage::Revealed => {
            let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
            all.push(&secret.owner);
            Fact::known(strength::judge(secret.value.expose(), &all), at)
        }
        Storage::Masked => unknown(WhyCode::Masked),
        Storage::Hash { .. } => match tested.and_then(|t| t.matched) {
            Some(strength) => Fact::known(strength, at),
            None => unknown(WhyCode::Encrypted),
        },
        Storage::Recoverable { .. } | Storage::Opaque => unknown(WhyCode::Encrypted),
        Storage::Empty => Fact::known(Strength { length: 0, classes: 0, score: 0, listed: strength::Listed::No }, at),
    }
}

fn record(secret: &Secret, names: &[String], tested: Option<&Tested>) -> Record {
    let at = Origin::Written(secret.span);
    let subject = if secret.owner.is_empty() { secret.used_for.word().to_owned() } else { secret.owner.clone() };
    let mut record = Record::new(&schema::SECRET, subject, Some(secret.span));
    let strength = strength_of(secret, names, tested);
    let tried = tested.map_or(0, |t| t.tried);
    // That no word matched is no strength, so it stays unknown, with what was done.
    let guessed = match tested {
        Some(t) if t.matched.is_none() => {
            Fact { value: Val::Unknown(Why::at(WhyCode::HashTested, t.tried.to_string(), vec![secret.span])), origin: at.clone() }
        }
        _ => strength.clone(),
    };
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
    record.int("score", guessed.map(|s| s.score));
    record.word("listed", guessed.map(|s| Cow::Borrowed(s.listed.word())));
    record.int("tried", Fact::known(tried, at.clone()));
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
    if tested.is_some_and(|t| t.matched.is_some()) {
        record.chain.push(Step { span: Some(secret.span), code: "step.hash_matched", args: vec![tried.to_string()] });
    }
    record
}
