//! Logging, clock, SNMP, listeners by themselves, names, and how much was understood.

use super::{Context, Sheet, auth, known_word};
use crate::ir::account::Storage;
use crate::ir::device::Device;
use crate::ir::fact::{Fact, Origin, Rest, Val, Why, WhyCode};
use crate::ir::listener::Listener;
use crate::ir::record::{Record, Step, Value, Word};
use crate::ir::schema;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Records of the kinds `listener`, `logging`, `clock`, `snmp_access`, `object`, `reference` and `coverage`.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    for listener in device.listeners.iter() {
        sheet.add(listener_record(listener));
    }
    logging(device, sheet);
    clock(device, sheet);
    snmp(cx, sheet);
    for definition in device.definitions.iter() {
        let at = Origin::Written(definition.span);
        let mut record = Record::new(&schema::OBJECT, definition.name.clone(), Some(definition.span));
        record.word("kind", known_word(definition.kind, at.clone()));
        record.int("uses", Fact::known(i64::from(definition.uses), at.clone()));
        record.bool("builtin", Fact::known(definition.builtin, at));
        sheet.add(record);
    }
    for undefined in device.undefined.iter() {
        let at = Origin::Written(undefined.span);
        let mut record = Record::new(&schema::REFERENCE, undefined.name.clone(), Some(undefined.span));
        record.word("kind", known_word(undefined.kind, at.clone()));
        record.bool("defined", Fact::known(false, at));
        record.word("effect", undefined.effect.map(|e| Cow::Borrowed(e.word())));
        sheet.add(record);
    }
    coverage(device, sheet);
}

fn listener_record(listener: &Listener) -> Record {
    let live = listener.live.value();
    let mut record = Record::new(&schema::LISTENER, listener.service, listener.span);
    let at = live.origin.clone();
    record.word("plane", known_word(listener.plane.word(), at.clone()));
    record.word("service", known_word(listener.service, at.clone()));
    record.text("ports", super::exposure::ports_text(listener), listener.ports.origin.clone());
    record.bool("enabled", listener.live.own.clone());
    record.bool("live", live);
    record.bool("live_if_enabled", listener.live.if_enabled());
    record.bool("cleartext", listener.cleartext.clone());
    record.bool("redirect_only", listener.redirect_only.clone());
    let none = || Fact::known(false, at.clone());
    record.bool("tls_old", listener.tls.as_ref().map_or_else(none, |t| t.old.clone()));
    record.bool("ssh_v1", listener.ssh.as_ref().map_or_else(none, |s| s.v1.clone()));
    record.bool("ssh_weak_only", listener.ssh.as_ref().map_or_else(none, |s| s.weak_only.clone()));
    record.bool("ssh_weak_offered", listener.ssh.as_ref().map_or_else(none, |s| s.weak_offered.clone()));
    record.bool("rate_limit", listener.rate_limit.clone());
    record.exact_set("dormant", BTreeSet::new(), at);
    record
}

fn logging(device: &Device, sheet: &mut Sheet<'_>) {
    let Some(logging) = &device.logging else { return };
    let remote: Vec<_> = logging.targets.iter().filter(|t| t.remote).collect();
    let sure = remote.iter().filter(|t| t.live.value.is_true()).count() as i64;
    let possible = remote.iter().filter(|t| !t.live.value.is_false()).count() as i64;
    let mut origins: Vec<Origin> = remote.iter().filter(|t| !t.live.value.is_false()).map(|t| t.live.origin.clone()).collect();
    if origins.is_empty() {
        origins.extend(remote.iter().map(|t| t.live.origin.clone()));
        if let Rest::Complete(origin) = &logging.targets.rest {
            origins.push(origin.clone());
        }
    }
    let unsure = remote.iter().find_map(|t| t.live.value.why().cloned());
    let value = match (&logging.targets.rest, sure, possible) {
        (_, s, p) if s == p && (s > 0 || matches!(logging.targets.rest, Rest::Complete(_))) => Val::Known(s),
        (Rest::MayHoldMore(why), s, _) => Val::Among(vec![s, i64::MAX], why.clone()),
        (_, s, p) => Val::Among(vec![s, p], unsure.unwrap_or_else(|| Why::new(WhyCode::Ambiguous, "log"))),
    };
    let mut record = Record::new(&schema::LOGGING, "logging", logging.span.or(device.span));
    let at = Origin::all(origins);
    record.bool("on", logging.on.clone());
    record.int("remote_targets", Fact { value, origin: at.clone() });
    record.bool("vpn_events", logging.vpn_events.clone());
    record.bool("admin_events", logging.admin_events.clone());
    let cloud: Vec<&str> = remote.iter().filter(|t| t.cloud && !t.live.value.is_false()).map(|t| t.name.as_str()).collect();
    record.text("cloud", cloud.join(", "), at);
    record.chain = logging
        .targets
        .iter()
        .filter(|t| t.live.value.is_true())
        .map(|t| Step { span: Some(t.span), code: if t.remote { "step.log_remote" } else { "step.log_local" }, args: vec![t.name.clone()] })
        .collect();
    sheet.add(record);
}

fn clock(device: &Device, sheet: &mut Sheet<'_>) {
    let Some(sources) = &device.clock else { return };
    let sure = sources.iter().filter(|s| s.live.value.is_true()).count() as i64;
    let possible = sources.iter().filter(|s| !s.live.value.is_false()).count() as i64;
    let mut origins: Vec<Origin> = sources.iter().filter(|s| !s.live.value.is_false()).map(|s| s.live.origin.clone()).collect();
    if origins.is_empty() {
        origins.extend(sources.iter().map(|s| s.live.origin.clone()));
        if let Rest::Complete(origin) = &sources.rest {
            origins.push(origin.clone());
        }
    }
    let value = match (&sources.rest, sure == possible) {
        (Rest::MayHoldMore(why), _) if sure == 0 => Val::Among(vec![0, i64::MAX], why.clone()),
        (_, true) => Val::Known(sure),
        _ => Val::Among(
            vec![sure, possible],
            sources.iter().find_map(|s| s.live.value.why().cloned()).unwrap_or_else(|| Why::new(WhyCode::Ambiguous, "ntp")),
        ),
    };
    let span = sources.items.first().map(|s| s.span).or_else(|| origins.iter().flat_map(Origin::spans).next()).or(device.span);
    let at = Origin::all(origins);
    let mut record = Record::new(&schema::CLOCK, "clock", span);
    record.int("sources", Fact { value, origin: at.clone() });
    record.bool("host_os", Fact::known(device.role == crate::ir::device::DeviceRole::ServerSoftware, at));
    sheet.add(record);
}

fn snmp(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    for access in device.snmp.iter() {
        let at = Origin::Written(access.span);
        let mut record = Record::new(&schema::SNMP_ACCESS, format!("SNMP {}", access.version.word()), Some(access.span));
        record.word("version", known_word(access.version.word(), at.clone()));
        record.bool("live", access.live.clone());
        record.word("word", community_word(device, access));
        record.bool("write", access.write.clone());
        let exposures = sheet
            .shared_exposures
            .iter()
            .copied()
            .filter(|e| e.service == "snmp" && (e.device != cx.ix || access.listener.is_none_or(|l| l == e.listener)));
        record.word("exposure_class", auth::worst_class(exposures));
        sheet.add(record);
    }
}

/// Whether a community is one of the two words everybody tries first.
fn community_word(device: &Device, access: &crate::ir::system::SnmpAccess) -> Fact<Word> {
    let at = Origin::Written(access.span);
    let class = |value: &str| match value.to_lowercase().as_str() {
        "public" => Cow::Borrowed("public"),
        "private" => Cow::Borrowed("private"),
        _ => Cow::Borrowed("other"),
    };
    if access.version == crate::ir::system::SnmpVersion::V3 {
        return known_word("other", at);
    }
    match access.community.and_then(|ix| device.secrets.items.get(ix.0 as usize)) {
        Some(secret) => match secret.storage {
            Storage::Clear | Storage::Revealed => Fact::known(class(secret.value.expose()), Origin::Written(secret.span)),
            _ => Fact {
                value: Val::Unknown(Why::at(WhyCode::Masked, "SNMP community", vec![secret.span])),
                origin: Origin::Written(secret.span),
            },
        },
        None => match &access.factory_word {
            Some(word) => word.map(|w| class(w)),
            None => Fact::unknown(Why::at(WhyCode::NotExported, "SNMP community", vec![access.span])),
        },
    }
}

fn coverage(device: &Device, sheet: &mut Sheet<'_>) {
    let coverage = &device.coverage;
    if coverage.statements == 0 {
        return;
    }
    let at = coverage.unrecognised.first().map_or_else(|| Origin::inferred("infer.coverage", []), |u| Origin::Written(u.span));
    let span = coverage.unrecognised.first().map(|u| u.span).or(device.span);
    let mut record = Record::new(&schema::COVERAGE, "coverage", span);
    let known = f64::from(coverage.statements - coverage.unrecognised_statements) / f64::from(coverage.statements) * 100.0;
    record.int("unrecognised", Fact::known(i64::from(coverage.unrecognised_statements), at.clone()));
    record.text("share", format!("{:.1}", (known * 10.0).floor() / 10.0), at.clone());
    let hides: BTreeSet<Word> = coverage.unrecognised.iter().flat_map(|u| &u.could_hold).map(|t| Cow::Borrowed(*t)).collect();
    record.set("hides", Value::Set { lo: hides.clone(), hi: hides, why: None }, at);
    record.chain =
        coverage.unrecognised.iter().take(20).map(|u| Step { span: Some(u.span), code: "step.unrecognised", args: Vec::new() }).collect();
    sheet.add(record);
}
