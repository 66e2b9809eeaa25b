//! Secrets and how they are stored.
//!
//! After `ENC` an administrator's password is a hash; every other secret is encrypted with a key that all boxes share, so that anyone
//! with the export reads it, unless the owner set a key of his own. Equal texts mean nothing there: each encryption draws a new start value.

use super::Lowering;
use super::context::{Fields, Part};
pub(super) use crate::dialect::secret::{Owner, Purpose};
use crate::dialect::secret::{is_filler, record};
use crate::ir::account::{SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::source::Span;
use crate::syntax::block::Attribute;

/// How a value is stored, and the value.
fn stored(l: &Lowering<'_>, line: Attribute<'_>, hashed: bool) -> (Storage, SecretValue) {
    let first = line.value();
    let encoded = first == "ENC";
    let value = if encoded { line.node.word_or_empty(3) } else { first };
    let masked = l.cx.header.masked || is_masked(l, value);
    let storage = match (masked, encoded, hashed) {
        (true, ..) => Storage::Masked,
        (_, _, _) if value.is_empty() => Storage::Empty,
        (_, true, true) => Storage::Hash { weak: weak_hash(l, value, line.span()), comparable: true },
        (_, true, false) if l.names.own_key => Storage::Opaque,
        (_, true, false) => Storage::Recoverable { comparable: false },
        (_, false, _) => Storage::Clear,
    };
    (storage, SecretValue::new(value))
}

/// Placeholders of the box's own masking and of collectors.
fn is_masked(l: &Lowering<'_>, value: &str) -> bool {
    is_filler(value) || l.cx.grammar.names("mask_words").iter().any(|w| value.eq_ignore_ascii_case(w))
}

/// The forms of administrators' hashes: salted SHA-1, salted SHA-256, PBKDF2. A single round of SHA-256 counts as weak where the
/// release could do better.
fn weak_hash(l: &Lowering<'_>, value: &str, span: Span) -> Fact<bool> {
    match value.get(..3) {
        Some("AK1") => Fact::written(true, span),
        Some("PB2") => Fact::written(false, span),
        Some("SH2") => {
            let better = l.cx.behaviour("system admin.pbkdf2", Some(span));
            Fact { value: better.value, origin: Origin::all([Origin::Written(span), better.origin]) }
        }
        _ => Fact::unknown(Why::at(WhyCode::DefaultUndocumented, "password hash", vec![span])),
    }
}

/// Records a secret.
pub(super) fn push(l: &mut Lowering<'_>, line: Attribute<'_>, purpose: Purpose, owner: Owner) -> SecretIx {
    let stored = stored(l, line, purpose.hashed);
    let rotated = l.names.rotated.clone().unwrap_or_else(|| Fact::unknown(Why::new(WhyCode::NotExported, "system password-policy")));
    let rotated = if purpose.used_for == SecretUse::AdminLogin { rotated } else { l.cx.behaviour("secret.rotated", None) };
    record(&mut l.device, purpose, owner, line.span(), stored, rotated)
}

/// The pre-shared key of a phase 1.
pub(super) fn pre_shared_key<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, live: &Fact<bool>) -> Option<SecretIx> {
    if let Some(line) = row.get("authpasswd") {
        push(l, line, Purpose::presents(SecretUse::Other), Owner::thing(row.key(), live.clone()));
    }
    if let Some(line) = row.get("psksecret-remote") {
        push(l, line, Purpose::shared(SecretUse::IkePsk), Owner::thing(row.key(), live.clone()));
    }
    let line = row.get("psksecret")?;
    Some(push(l, line, Purpose::shared(SecretUse::IkePsk), Owner::thing(row.key(), live.clone())))
}

/// Where further secrets stand: section, nested table, attributes, purpose.
struct Place {
    path: &'static str,
    table: Option<&'static str>,
    attributes: &'static [&'static str],
    purpose: Purpose,
}

const fn at(path: &'static str, attributes: &'static [&'static str], purpose: Purpose) -> Place {
    Place { path, table: None, attributes, purpose }
}
const fn within(path: &'static str, table: &'static str, attributes: &'static [&'static str], purpose: Purpose) -> Place {
    Place { path, table: Some(table), attributes, purpose }
}

const PLACES: &[Place] = &[
    at("user radius", &["secret", "secondary-secret", "tertiary-secret", "rsso-secret"], Purpose::presents(SecretUse::Radius)),
    at("user tacacs+", &["key", "secondary-key", "tertiary-key"], Purpose::presents(SecretUse::Radius)),
    at("user ldap", &["password"], Purpose::presents(SecretUse::LdapBind)),
    at("user fsso", &["password", "password2", "password3", "password4", "password5"], Purpose::presents(SecretUse::Other)),
    at("user exchange", &["password"], Purpose::presents(SecretUse::Other)),
    at("user domain-controller", &["password"], Purpose::presents(SecretUse::LdapBind)),
    at("user fortitoken", &["seed"], Purpose::shared(SecretUse::TotpSeed)),
    at("user peer", &["passwd"], Purpose::verifies(SecretUse::VpnUser)),
    within("user group", "guest", &["password"], Purpose::verifies(SecretUse::VpnUser)),
    at("vpn certificate local", &["password", "private-key"], Purpose::presents(SecretUse::PrivateKey)),
    at("certificate local", &["password", "private-key"], Purpose::presents(SecretUse::PrivateKey)),
    at("system certificate local", &["password", "private-key"], Purpose::presents(SecretUse::PrivateKey)),
    at("firewall ssh local-key", &["password", "private-key"], Purpose::presents(SecretUse::PrivateKey)),
    at("firewall ssh local-ca", &["password", "private-key"], Purpose::presents(SecretUse::PrivateKey)),
    at("vpn ipsec manualkey", &["authkey", "enckey"], Purpose::presents(SecretUse::Other)),
    at("vpn ipsec manualkey-interface", &["auth-key", "enc-key"], Purpose::presents(SecretUse::Other)),
    at("wireless-controller vap", &["passphrase", "sae-password", "captive-portal-radius-secret"], Purpose::shared(SecretUse::Other)),
    at("system snmp user", &["auth-pwd", "priv-pwd"], Purpose::shared(SecretUse::Other)),
    at("system pppoe-interface", &["password"], Purpose::presents(SecretUse::IspLogin)),
    at("system ddns", &["ddns-password", "ddns-key"], Purpose::presents(SecretUse::Other)),
    at("system sdn-connector", &["password", "secret-key", "client-secret", "key-passwd"], Purpose::presents(SecretUse::Other)),
    within("router bgp", "neighbor", &["password"], Purpose::presents(SecretUse::Other)),
    within("router key-chain", "key", &["key-string"], Purpose::presents(SecretUse::Other)),
    within("system ntp", "ntpserver", &["key"], Purpose::presents(SecretUse::Other)),
    at("system ha", &["password"], Purpose::presents(SecretUse::Other)),
    at("system email-server", &["password"], Purpose::presents(SecretUse::Other)),
    at("alertemail setting", &["password"], Purpose::presents(SecretUse::Other)),
    at("system fortiguard", &["proxy-password"], Purpose::presents(SecretUse::Other)),
    at("system autoupdate tunneling", &["password"], Purpose::presents(SecretUse::Other)),
    at("system csf", &["group-password", "fixed-key"], Purpose::presents(SecretUse::Other)),
    at("system modem", &["passwd1", "passwd2", "passwd3"], Purpose::presents(SecretUse::IspLogin)),
    at("system lte-modem", &["passwd"], Purpose::presents(SecretUse::IspLogin)),
    at("log fortianalyzer setting", &["preshared-key"], Purpose::presents(SecretUse::Other)),
];

/// Reads what decides about all secrets before the first is recorded.
pub(super) fn prepare(l: &mut Lowering<'_>) {
    l.names.own_key = l.cx.global.find("system global").fields.is_some_and(|f| f.enabled("private-data-encryption"));
}

/// Lowers the secrets that no account or tunnel brought along.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let mut parts: Vec<Part<'_>> = Vec::new();
    if l.cx.is_global || !l.cx.multi {
        parts.push(l.cx.global.clone());
    }
    if l.cx.multi && !l.cx.is_global {
        parts.push(l.cx.own.clone());
    }
    for part in parts {
        for place in PLACES {
            let found = part.find(place.path);
            let Some(section) = &found.fields else { continue };
            let mut rows = found.rows();
            if rows.is_empty() {
                rows.push(section.clone());
            }
            for row in rows {
                match place.table {
                    Some(table) => row.rows(table).iter().for_each(|inner| of_row(l, inner, place)),
                    None => of_row(l, &row, place),
                }
                // A section that is no table of rows may hold the nested table itself.
                if let Some(table) = place.table.filter(|_| row.span() != section.span()) {
                    section.rows(table).iter().for_each(|inner| of_row(l, inner, place));
                }
            }
        }
    }
    for row in l.names.rows.iter().flatten().cloned().collect::<Vec<_>>() {
        for attribute in ["password", "pptp-password"] {
            if let Some(line) = row.get(attribute) {
                let live = l.cx.switch(&row, "status", "system interface.status");
                push(l, line, Purpose::presents(SecretUse::IspLogin), Owner::thing(row.key(), live));
            }
        }
    }
    l.device.secrets.rest = l.cx.rest("secrets");
}

fn of_row<'a>(l: &mut Lowering<'a>, row: &Fields<'a>, place: &Place) {
    // Keys that came with the box are nobody's secret.
    let made = row.get("source").filter(|a| matches!(a.value(), "factory" | "built-in" | "bundle"));
    let listed = l.cx.grammar.names("factory_certificates").iter().any(|p| row.key().starts_with(p.as_str()));
    for attribute in place.attributes {
        let Some(line) = row.get(attribute) else { continue };
        // A private key in its own encryption is as safe as its passphrase, which stands beside it.
        if *attribute == "private-key" && line.value().contains("ENCRYPTED") {
            continue;
        }
        let off = row.get("status").filter(|a| a.value() == "disable");
        let live = match (made, off) {
            (Some(made), _) => Fact::written(false, made.span()),
            _ if listed => Fact::known(false, Origin::inferred("infer.factory_key", [Origin::Written(row.span())])),
            (None, Some(off)) => Fact::written(false, off.span()),
            _ => Fact::written(true, row.span()),
        };
        let name = if row.key().is_empty() { place.path } else { row.key() };
        push(l, line, place.purpose, Owner::thing(name, live));
    }
}
