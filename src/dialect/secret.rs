//! What the readers of all dialects share when they record a secret: what it is for, whose it is, and the row itself.
//!
//! How a value is stored is each dialect's own matter, as are its masks and hashes.

use crate::ir::Device;
use crate::ir::account::{AccountIx, Direction, Secret, SecretIx, SecretUse, SecretValue, Storage};
use crate::ir::fact::Fact;
use crate::source::Span;

/// What a secret is for.
#[derive(Clone, Copy)]
pub struct Purpose {
    /// Its use.
    pub used_for: SecretUse,
    /// Which way it works.
    pub direction: Direction,
    /// Whether the protocol needs the box to know it in clear.
    pub needs_clear: bool,
    /// Whether the box keeps a hash of it.
    pub hashed: bool,
}

impl Purpose {
    /// What the box shows to somebody else.
    pub const fn presents(used_for: SecretUse) -> Purpose {
        Purpose { used_for, direction: Direction::Presents, needs_clear: true, hashed: false }
    }

    /// What somebody shows to the box.
    pub const fn verifies(used_for: SecretUse) -> Purpose {
        Purpose { used_for, direction: Direction::Verifies, needs_clear: false, hashed: false }
    }

    /// What somebody shows to the box, which must know it in clear.
    pub const fn shared(used_for: SecretUse) -> Purpose {
        Purpose { needs_clear: true, ..Purpose::verifies(used_for) }
    }

    /// What somebody shows to the box, which keeps a hash of it.
    pub const fn hashed(used_for: SecretUse) -> Purpose {
        Purpose { hashed: true, ..Purpose::verifies(used_for) }
    }
}

/// Whom a secret belongs to.
pub struct Owner {
    /// The name as written.
    pub name: String,
    /// The account, if it is one.
    pub account: Option<AccountIx>,
    /// Whether its owner gives a second factor.
    pub second: Fact<bool>,
    /// Whether it is in use.
    pub live: Fact<bool>,
}

impl Owner {
    /// Something that is no account.
    pub fn thing(name: impl Into<String>, live: Fact<bool>) -> Owner {
        let second = Fact::known(false, live.origin.clone());
        Owner { name: name.into(), account: None, second, live }
    }
}

/// Adds a secret to a device. `rotated`: whether the box enforces a change within 60 days.
pub fn record(
    device: &mut Device,
    purpose: Purpose,
    owner: Owner,
    span: Span,
    (storage, value): (Storage, SecretValue),
    rotated: Fact<bool>,
) -> SecretIx {
    device.add_secret(Secret {
        used_for: purpose.used_for,
        owner: owner.name,
        span,
        storage,
        value,
        direction: purpose.direction,
        live: owner.live,
        protocol_needs_clear: purpose.needs_clear,
        account: owner.account,
        owner_second: owner.second,
        rotated,
    })
}

/// Whether a value is only filling, as collectors write it over secrets.
pub fn is_filler(value: &str) -> bool {
    value.len() >= 4 && value.bytes().all(|b| matches!(b, b'*' | b'X' | b'x'))
}
