//! The predicates of the rule catalogue, and what verdicts rest on.

use super::*;
use crate::ir::fact::{DefaultOrigin, Fact, Origin, WhyCode};
use crate::ir::record::{NEVER, Value};
use crate::ir::schema;
use crate::source::{FileId, Span};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

fn list(words: &[&str]) -> Constant {
    Constant::List(words.iter().map(|w| (*w).to_owned()).collect())
}

fn constants() -> Constants {
    [
        ("BROAD".to_owned(), list(&["any", "broad"])),
        ("LOGINS".to_owned(), list(&["admin_login", "privileged_mode", "vpn_user"])),
        ("UNNEEDED".to_owned(), list(&["simple_service", "speed_test"])),
    ]
    .into()
}

#[test]
fn every_predicate_of_the_catalogue_compiles() {
    let catalogue: &[(&str, &str)] = &[
        ("exposure", r#"plane == "management" && side == "untrusted" && class in BROAD"#),
        ("exposure", r#"plane == "management" && side == "untrusted" && class == "restricted""#),
        ("exposure", r#"plane == "management" && cleartext && class != "none""#),
        ("exposure", r#"side == "untrusted""#),
        ("exposure", r#"plane == "vpn" && side == "untrusted" && class in BROAD"#),
        ("forward", "class in BROAD && !layer7"),
        ("forward", "risky || all_ports"),
        ("filter_rule", r#"live && role == "packet" && verdict == "accept" && wide && from_untrusted && to_trusted"#),
        ("interface", r#"side == "untrusted" && unfiltered"#),
        ("interface", "default_forwards"),
        ("exposure", r#"plane == "management" && side == "trusted" && admits_whole_net"#),
        ("exposure", r#"plane == "portal" && side == "untrusted" && class in BROAD"#),
        ("tunnel", r#"role == "site_to_site" && mode in ["always", "sticky"] && accepted_reason == """#),
        ("tunnel", r#"mode == "sticky""#),
        ("remote_access", "live && 86400 < idle_s && 86400 < session_s"),
        ("tunnel", r#"live && role != "carrier" && grants_whole_net && grants_any_service"#),
        ("tunnel", r#"live && role in ["site_to_site", "hub_for_dialin"] && peer_any && "group_psk" in auth && !second"#),
        ("remote_access_path", "live && !fallback && !second"),
        ("remote_access_path", "live && !client_cert"),
        ("admin_path", "live && remote && !fallback && !second"),
        ("admin_path", "exposure_class in BROAD"),
        ("tunnel", "live && on_untrusted && accepts_aggressive_psk"),
        ("remote_access", "live && on_untrusted && accepts_aggressive_psk"),
        ("admin_path", "live && empty"),
        ("remote_access_path", "live && empty"),
        ("account", r#"kind in ["vpn_user", "device_peer", "wildcard"] && live && shared_signs"#),
        ("auth_server", r#"live && !tls && (kind == "ldap" || path_side == "untrusted")"#),
        ("account", r#"live && factory == "name_and_secret""#),
        ("secret", r#"direction == "verifies" && use in LOGINS && (listed != "none" || score <= 2)"#),
        (
            "secret",
            r#"direction == "verifies" && use in LOGINS && length < 13
               && !(8 <= length && 3 <= classes && (owner_second || rotated))"#,
        ),
        ("secret", "length < 8"),
        ("secret", r#"direction == "verifies" && storage in ["clear", "recoverable"]"#),
        ("secret", r#"storage == "hash" && hash_weak"#),
        ("secret_group", "2 <= owners && !same_ha"),
        ("login_policy", r#"scope == "admin" && (!pw_enforced || pw_min < 8 || pw_min < 13 && pw_classes < 3)"#),
        ("login_policy", r#"device.can.contains("password_policy")"#),
        ("secret", r#"use in ["ike_psk", "l2tp_psk", "wg_psk"] && (length < 20 || listed != "none" || score <= 2)"#),
        ("account", r#"live && factory in ["name", "name_and_secret"] && renamable"#),
        ("login_policy", "in_use && !lockout_on && !rate_limit"),
        ("login_policy", r#"scope == "admin" && in_use && 1800 < idle_s"#),
        ("account", "live && vendor_like && !limited_source && !expires"),
        ("account", "!enabled || expired || !used"),
        ("logging", "remote_targets == 0"),
        ("logging", "!on"),
        ("filter_rule", r#"live && log_possible && log == "none" && (from_untrusted && verdict == "accept" || is_final_deny)"#),
        ("clock", "sources == 0 && !host_os"),
        ("logging", "!vpn_events || !admin_events"),
        ("firmware", r#"os_status == "past""#),
        ("firmware", r#"os_status == "near""#),
        ("firmware", r#"!known || precision != "exact""#),
        ("firmware", "can_update && !auto_update"),
        ("proposal", "live && 0 < weak.size()"),
        ("tunnel", "live && !pfs"),
        ("proposal", r#"weak.all(w, w == "sha1_integ")"#),
        ("listener", r#"live && plane in ["management", "vpn", "portal"] && tls_old"#),
        ("listener", r#"service == "ssh" && live && (ssh_v1 || ssh_weak_only)"#),
        ("listener", "ssh_weak_offered"),
        ("remote_access", r#"kind == "pptp" && live"#),
        ("tunnel", r#"kind == "pptp" && live"#),
        ("snmp_access", r#"live && version in ["v1", "v2c"]"#),
        ("snmp_access", r#"word != "other" || exposure_class != "none""#),
        ("listener", r#"service == "upnp" && live"#),
        ("exposure", r#"service in ["dns", "proxy"] && side == "untrusted" && class in BROAD"#),
        ("exposure", r#"plane == "l2" && service == "discovery" && side == "untrusted" && live"#),
        ("listener", "service in UNNEEDED && live"),
        ("exposure", r#"service == "ping" && side == "untrusted" && class == "any""#),
        ("filter_rule", "live && !generated && shadowed"),
        ("filter_rule", "shadow_differs"),
        ("object", "uses == 0 && !builtin"),
        ("reference", "!defined"),
        ("filter_rule", "!enabled && 0 < dormant.size()"),
        ("nat_rule", "!enabled && 0 < dormant.size()"),
        ("listener", "!enabled && 0 < dormant.size()"),
        ("tunnel", "!enabled && 0 < dormant.size()"),
        ("coverage", "0 < unrecognised"),
    ];
    for (kind, source) in catalogue {
        let found = compile(source, schema::kind(kind).unwrap(), &constants());
        assert!(found.is_ok(), "{kind}: {source}: {:?}", found.unwrap_err());
    }
}

fn written(start: u32) -> Origin {
    Origin::Written(Span { file: FileId(0), start, end: start + 1 })
}

fn default(verified: bool) -> Origin {
    let text = || Arc::from("");
    Origin::Default(Arc::new(DefaultOrigin { key: text(), value: text(), versions: text(), source: text(), verified, anchor: None }))
}

fn unknown<T>(about: &str) -> Fact<T> {
    Fact::unknown(Why::new(WhyCode::Site, about))
}

fn words(words: &[&'static str]) -> BTreeSet<Cow<'static, str>> {
    words.iter().map(|w| Cow::Borrowed(*w)).collect()
}

fn device() -> Record {
    Record::new(&schema::DEVICE, "fw1", None)
}

/// The verdict, the names of the fields that decide, and what blocks it.
fn verdict(source: &str, it: &Record) -> (Option<bool>, Vec<&'static str>, Vec<String>) {
    let predicate = compile(source, it.kind, &constants()).unwrap();
    let verdict = predicate.eval(it, &device());
    let read = verdict.read.iter().map(|r| if r.root == Root::It { it.kind } else { &schema::DEVICE }.fields[r.field].name).collect();
    assert_eq!(verdict.value.why(), verdict.unknowns.first(), "an unknown verdict carries its first reason, a known one none");
    (verdict.value.tri(), read, verdict.unknowns.iter().map(|w| w.about().to_owned()).collect())
}

fn check(source: &str, it: &Record, value: Option<bool>, read: &[&str], unknowns: &[&str]) {
    let found = verdict(source, it);
    let unknowns: Vec<String> = unknowns.iter().map(|u| (*u).to_owned()).collect();
    assert_eq!(found, (value, read.to_vec(), unknowns), "{source}");
}

fn exposure() -> Record {
    let mut it = Record::new(&schema::EXPOSURE, "https on wan1", None);
    it.word("plane", Fact::known("management".into(), written(1)))
        .word("side", unknown("wan1"))
        .word(
            "class",
            Fact { value: Val::Among(vec!["any".into(), "broad".into()], Why::new(WhyCode::Unmodelled, "geo")), origin: written(2) },
        )
        .word("service", Fact::known("https".into(), Origin::inferred("x", [])))
        .bool("cleartext", Fact::known(false, default(false)))
        .bool("live", Fact::known(true, default(true)))
        .bool("latent", Fact::known(false, written(3)));
    it
}

#[test]
fn a_true_conjunction_rests_on_all_operands() {
    check(r#"live && plane == "management" && live"#, &exposure(), Some(true), &["live", "plane"], &[]);
}

#[test]
fn a_false_conjunction_rests_on_its_strongest_false_operand() {
    let it = exposure();
    check(r#"live && cleartext && service == "ssh" && latent && side == "untrusted""#, &it, Some(false), &["latent"], &[]);
    check(r#"cleartext && service == "ssh""#, &it, Some(false), &["service"], &[]);
    check("cleartext && live", &it, Some(false), &["cleartext"], &[]);
}

#[test]
fn a_true_disjunction_rests_on_its_strongest_true_operand() {
    check(r#"side == "trusted" || live || !latent"#, &exposure(), Some(true), &["latent"], &[]);
    check(r#"cleartext || latent"#, &exposure(), Some(false), &["cleartext", "latent"], &[]);
}

#[test]
fn an_unknown_verdict_names_what_blocks_it() {
    let it = exposure();
    check(r#"live && side == "untrusted" && class == "any""#, &it, None, &["live", "side", "class"], &["wan1", "geo"]);
    check(r#"side == "untrusted" && side != "tunnel""#, &it, None, &["side"], &["wan1"]);
    check("latent || peers_fixed", &it, None, &["latent", "peers_fixed"], &["peers_fixed"]);
}

#[test]
fn candidates_that_agree_decide() {
    let it = exposure();
    check("class in BROAD", &it, Some(true), &["class"], &[]);
    check(r#"class == "none""#, &it, Some(false), &["class"], &[]);
    check(r#"class == "any""#, &it, None, &["class"], &["geo"]);
    check(r#"class == "any" || class == "broad""#, &it, None, &["class"], &["geo"]);
}

#[test]
fn ranges_decide_where_all_numbers_agree() {
    let mut it = Record::new(&schema::LOGIN_POLICY, "admin", None);
    let among = |a, b| Val::Among(vec![a, b], Why::new(WhyCode::DefaultByVersion, "idle"));
    it.int("idle_s", Fact { value: among(300, 600), origin: default(true) })
        .int("pw_min", Fact::known(NEVER, written(1)))
        .int("pw_classes", unknown("pw"));
    check("1800 < idle_s", &it, Some(false), &["idle_s"], &[]);
    check("idle_s < 400", &it, None, &["idle_s"], &["idle"]);
    check("idle_s == 700", &it, Some(false), &["idle_s"], &[]);
    check("idle_s == 450", &it, None, &["idle_s"], &["idle"]);
    check("1000000 < pw_min && pw_min == never", &it, Some(true), &["pw_min"], &[]);
    check("pw_classes < 3", &it, None, &["pw_classes"], &["pw"]);
    check("(pw_classes < 3 ? idle_s : 500) <= 600", &it, Some(true), &["pw_classes", "idle_s"], &[]);
}

#[test]
fn sets_decide_by_their_bounds() {
    let mut it = Record::new(&schema::PROPOSAL, "ike1", None);
    let set = |lo, hi| Value::Set { lo: words(lo), hi: words(hi), why: Some(Why::new(WhyCode::Masked, "set")) };
    it.set("weak", set(&["des"], &["des", "md5"]), written(1));
    check(r#""des" in weak"#, &it, Some(true), &["weak"], &[]);
    check(r#""dh1" in weak"#, &it, Some(false), &["weak"], &[]);
    check(r#"weak.contains("md5")"#, &it, None, &["weak"], &["set"]);
    check("0 < weak.size()", &it, Some(true), &["weak"], &[]);
    check("weak.size() == 1", &it, None, &["weak"], &["set"]);
    check(r#"weak.exists(w, w == "des")"#, &it, Some(true), &["weak"], &[]);
    check(r#"weak.exists(w, w == "md5")"#, &it, None, &["weak"], &["set"]);
    check(r#"weak.exists(w, w == "dh1")"#, &it, Some(false), &["weak"], &[]);
    check(r#"weak.all(w, w in ["des", "md5"])"#, &it, Some(true), &["weak"], &[]);
    check(r#"weak.all(w, w == "des")"#, &it, None, &["weak"], &["set"]);
    check(r#"weak.all(w, w == "md5")"#, &it, Some(false), &["weak"], &[]);
    it.set("weak", set(&[], &[]), written(1));
    check(r#"weak.all(w, w == "md5") && !weak.exists(w, true)"#, &it, Some(true), &["weak"], &[]);
}

#[test]
fn quantifiers_read_their_bodies_too() {
    let mut it = Record::new(&schema::PROPOSAL, "ike1", None);
    it.exact_set("weak", words(&["des", "md5"]), written(1));
    it.bool("live", Fact::known(true, written(2))).bool("pfs", unknown("pfs"));
    check(r#"weak.exists(w, w == "des" && live)"#, &it, Some(true), &["weak", "live"], &[]);
    check(r#"weak.all(w, w == "des" || pfs)"#, &it, None, &["weak", "pfs"], &["pfs"]);
    check("weak.all(a, weak.exists(b, a == b))", &it, Some(true), &["weak"], &[]);
    check("weak.exists(a, weak.all(b, a == b))", &it, Some(false), &["weak"], &[]);
}

#[test]
fn a_condition_counts_only_where_it_matters() {
    let it = exposure();
    check(r#"side == "trusted" ? live : !latent"#, &it, Some(true), &["live", "latent"], &[]);
    check(r#"side == "trusted" ? live : latent"#, &it, None, &["side", "live", "latent"], &["wan1"]);
    check(r#"plane == "vpn" ? peers_fixed : live"#, &it, Some(true), &["plane", "live"], &[]);
    check(r#"(live ? "any" : class) == "any""#, &it, Some(true), &["live"], &[]);
}

#[test]
fn surely_and_possibly_ask_about_the_knowledge() {
    let it = exposure();
    let side = r#"side == "untrusted""#;
    check(&format!("surely({side})"), &it, Some(false), &["side"], &[]);
    check(&format!("possibly({side})"), &it, Some(true), &["side"], &[]);
    check("surely(live) && possibly(live) && !possibly(latent)", &it, Some(true), &["live", "latent"], &[]);
}

#[test]
fn the_device_is_read_as_a_root_of_its_own() {
    let it = Record::new(&schema::LOGIN_POLICY, "admin", None);
    let mut device = device();
    device.exact_set("can", words(&["password_policy"]), written(1));
    let predicate = compile(r#""password_policy" in device.can"#, it.kind, &Constants::new()).unwrap();
    let verdict = predicate.eval(&it, &device);
    assert!(verdict.value.is_true());
    assert_eq!(verdict.read, [Read { root: Root::Device, field: schema::DEVICE.index("can").unwrap() }]);
    assert_eq!(verdict.read[0].of(&it, &device).unwrap().origin, written(1));
}

#[test]
fn a_record_of_another_kind_is_unknown_and_does_not_panic() {
    let predicate = compile("0 < weak.size() && live", &schema::PROPOSAL, &Constants::new()).unwrap();
    let verdict = predicate.eval(&Record::new(&schema::CLOCK, "clock", None), &device());
    assert_eq!(verdict.value.tri(), None);
}
