//! Secrets: how they stand in an export, and those that belong to none of the other topics.
//!
//! Release 7 leaves secrets out unless asked, release 6 prints them unless asked not to. One that is missing is therefore empty
//! only where the export shows another one.

use super::Export;
use super::menus::{Item, Menus};
use crate::ir::Device;
use crate::ir::account::{Direction, Secret, SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::{Fact, Origin};
use crate::source::Span;

/// Menus with a secret, its key, its use, and which way it works. The other topics read the menus with users and peers.
const OTHERS: [(&str, &str, SecretUse, Direction); 16] = [
    ("/interface pppoe-client", "password", SecretUse::IspLogin, Direction::Presents),
    ("/interface ppp-client", "password", SecretUse::IspLogin, Direction::Presents),
    ("/interface lte apn", "password", SecretUse::IspLogin, Direction::Presents),
    ("/interface l2tp-client", "password", SecretUse::Other, Direction::Presents),
    ("/interface pptp-client", "password", SecretUse::Other, Direction::Presents),
    ("/interface sstp-client", "password", SecretUse::Other, Direction::Presents),
    ("/interface ovpn-client", "password", SecretUse::Other, Direction::Presents),
    ("/interface wireless security-profiles", "wpa-pre-shared-key", SecretUse::Other, Direction::Verifies),
    ("/interface wireless security-profiles", "wpa2-pre-shared-key", SecretUse::Other, Direction::Verifies),
    ("/interface wifi security", "passphrase", SecretUse::Other, Direction::Verifies),
    ("/interface wifi", "security.passphrase", SecretUse::Other, Direction::Verifies),
    ("/caps-man security", "passphrase", SecretUse::Other, Direction::Verifies),
    ("/radius", "secret", SecretUse::Radius, Direction::Presents),
    ("/ip hotspot user", "password", SecretUse::Other, Direction::Verifies),
    ("/tool e-mail", "password", SecretUse::Other, Direction::Presents),
    ("/ip smb users", "password", SecretUse::Other, Direction::Verifies),
];

/// Menus of the other topics that show secrets when the export shows any.
const SHOWN: [(&str, &str); 6] = [
    ("/ppp secret", "password"),
    ("/ip ipsec identity", "secret"),
    ("/ip ipsec peer", "secret"),
    ("/interface l2tp-server server", "ipsec-secret"),
    ("/interface wireguard", "private-key"),
    ("/interface wireguard peers", "preshared-key"),
];

/// Whether a value is a placeholder: asterisks, `<...>`.
pub fn is_masked(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b == b'*') || text.starts_with('<') && text.ends_with('>')
}

/// Whether the export shows any secret.
pub fn any_shown(menus: &Menus<'_>) -> bool {
    let shows = |path: &str, key: &str| {
        menus.unmarked(path).iter().any(|i| i.attributes().any(|(_, v)| v.key == key && !v.text.is_empty() && !is_masked(v.text)))
    };
    OTHERS.iter().any(|(path, key, ..)| shows(path, key)) || SHOWN.iter().any(|(path, key)| shows(path, key))
}

/// A secret of a row, as it is stored.
pub struct Found {
    pub storage: Storage,
    pub value: SecretValue,
    pub span: Span,
}

/// The secret of a row; missing ones are empty or masked, as the module text says.
pub fn of(export: &Export<'_>, item: &Item<'_>, key: &str) -> Found {
    match item.get(key) {
        Some(value) => {
            let storage = match value.text {
                "" if export.shows_secrets => Storage::Empty,
                "" => Storage::Masked,
                text if is_masked(text) => Storage::Masked,
                _ => Storage::Clear,
            };
            Found { storage, value: SecretValue::new(value.text), span: value.span }
        }
        None => {
            let storage = if export.shows_secrets { Storage::Empty } else { Storage::Masked };
            Found { storage, value: SecretValue::new(""), span: item.span() }
        }
    }
}

/// Adds a secret to the device.
pub fn add(device: &mut Device, found: Found, used_for: SecretUse, owner: &str, direction: Direction, live: Fact<bool>) -> SecretIx {
    let at = found.span;
    device.add_secret(Secret {
        used_for,
        owner: owner.to_owned(),
        span: at,
        storage: found.storage,
        value: found.value,
        direction,
        live,
        // Shared keys, and logins checked by CHAP or shown to somebody else, are needed as they are.
        protocol_needs_clear: true,
        account: None,
        owner_second: Fact::written(false, at),
        rotated: Fact::known(false, Origin::Written(at)),
    })
}

/// Fills the secrets of the remaining menus.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    for (path, key, used_for, direction) in OTHERS {
        for item in export.menus.items(path) {
            if item.text(key).is_none() {
                continue;
            }
            let owner = ["name", "user", "address"].iter().find_map(|k| item.text(k)).map_or(path, |v| v.text);
            let live = export.enabled(item, path.trim_start_matches('/'));
            let found = of(export, item, key);
            add(device, found, used_for, owner, direction, live);
        }
    }
}
