//! Accounts, secrets, administrators' ways in, rules for logging in, and servers that check logins.

use super::fact::Fact;
use super::filter::AddrExpr;
use super::listener::{Limit, ListenerIx};
use super::live::Live;
use super::tunnel::Factor;
use crate::source::Span;
use zeroize::Zeroizing;

/// Index of an account in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountIx(pub u32);
/// Index of a secret in its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretIx(pub u32);

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// Administers the box.
    Admin,
    /// Uses a VPN.
    VpnUser,
    /// A program's access.
    Api,
    /// An SNMPv3 user.
    SnmpUser,
    /// The box's own login elsewhere (ISP).
    OutboundClient,
    /// A peer device with a key of its own.
    DevicePeer,
    /// Any user a server or pattern admits.
    Wildcard,
}

impl AccountKind {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            AccountKind::Admin => "admin",
            AccountKind::VpnUser => "vpn_user",
            AccountKind::Api => "api",
            AccountKind::SnmpUser => "snmp_user",
            AccountKind::OutboundClient => "outbound_client",
            AccountKind::DevicePeer => "device_peer",
            AccountKind::Wildcard => "wildcard",
        }
    }
}

/// What of an account is as the factory made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factory {
    /// Nothing.
    None,
    /// The name.
    Name,
    /// The name and the password, or the factory's missing password.
    NameAndSecret,
}

impl Factory {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            Factory::None => "none",
            Factory::Name => "name",
            Factory::NameAndSecret => "name_and_secret",
        }
    }
}

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Name as written; empty for an account without a name.
    pub name: String,
    /// The line that names it.
    pub span: Span,
    /// What it is for.
    pub kind: AccountKind,
    /// Whether it can be used.
    pub live: Live,
    /// What of it is as the factory made it.
    pub factory: Fact<Factory>,
    /// Whether its name could be changed.
    pub renamable: Fact<bool>,
    /// Where it may come from.
    pub sources: Limit,
    /// Whether it ends by itself.
    pub expires: Fact<bool>,
    /// The day it ends, if written, as `YYYY-MM-DD`.
    pub expiry: Option<Fact<String>>,
    /// Whether anything uses it (a group, a service, a policy).
    pub used: Fact<bool>,
    /// How many sessions it may have at once.
    pub concurrent: Fact<i64>,
    /// Whether there are signs that several people share it.
    pub shared_signs: Fact<bool>,
    /// Its password or key.
    pub secret: Option<SecretIx>,
    /// Whether a second factor is required.
    pub second: Fact<bool>,
}

/// A secret's value. It has no `Display`, shows nothing in `Debug`, cannot be serialised, and its memory is wiped.
#[derive(Clone)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes a value over.
    pub fn new(value: impl Into<String>) -> SecretValue {
        SecretValue(Zeroizing::new(value.into()))
    }

    /// The value, for judging inside the process only. Never print, log or store what this returns.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue(***)")
    }
}

/// Who uses a secret for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretUse {
    /// An administrator's login.
    AdminLogin,
    /// A privileged mode.
    PrivilegedMode,
    /// A VPN user's login.
    VpnUser,
    /// An IKE pre-shared key.
    IkePsk,
    /// An L2TP tunnel secret.
    L2tpPsk,
    /// A WireGuard pre-shared key.
    WgPsk,
    /// A private key or its passphrase.
    PrivateKey,
    /// An SNMP community.
    SnmpCommunity,
    /// A RADIUS or TACACS+ shared secret.
    Radius,
    /// A directory bind password.
    LdapBind,
    /// The login at an Internet provider.
    IspLogin,
    /// A key of a programming interface.
    ApiKey,
    /// The seed of one-time passwords.
    TotpSeed,
    /// Anything else.
    Other,
}

impl SecretUse {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            SecretUse::AdminLogin => "admin_login",
            SecretUse::PrivilegedMode => "privileged_mode",
            SecretUse::VpnUser => "vpn_user",
            SecretUse::IkePsk => "ike_psk",
            SecretUse::L2tpPsk => "l2tp_psk",
            SecretUse::WgPsk => "wg_psk",
            SecretUse::PrivateKey => "private_key",
            SecretUse::SnmpCommunity => "snmp_community",
            SecretUse::Radius => "radius",
            SecretUse::LdapBind => "ldap_bind",
            SecretUse::IspLogin => "isp_login",
            SecretUse::ApiKey => "api_key",
            SecretUse::TotpSeed => "totp_seed",
            SecretUse::Other => "other",
        }
    }
}

/// How a secret is stored in the export.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Readable.
    Clear,
    /// Replaced by a placeholder.
    Masked,
    /// In a form that anyone with the export can turn back. `comparable`: equal text means equal secret.
    Recoverable {
        /// Whether equal text means equal secret.
        comparable: bool,
    },
    /// In a form that anyone with the export can turn back, and that was turned back here: the value is the secret itself.
    Revealed,
    /// As a hash.
    Hash {
        /// Unsalted, or MD4, MD5, SHA-1, DES-crypt, or too few rounds.
        weak: Fact<bool>,
        /// Whether equal text means equal secret.
        comparable: bool,
    },
    /// In a form whose strength is not published.
    Opaque,
    /// There is none.
    Empty,
}

/// Which way a secret works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It lets somebody in here.
    Verifies,
    /// The box shows it to somebody else.
    Presents,
}

/// A secret in the export.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What it is used for.
    pub used_for: SecretUse,
    /// Whose it is, as written.
    pub owner: String,
    /// The line it stands on.
    pub span: Span,
    /// How it is stored.
    pub storage: Storage,
    /// The value as written; for clear and revealed storage the secret itself.
    pub value: SecretValue,
    /// Which way it works.
    pub direction: Direction,
    /// Whether it is in use.
    pub live: Fact<bool>,
    /// Whether the protocol needs the box to know it in clear (CHAP, pre-shared keys).
    pub protocol_needs_clear: bool,
    /// The account it belongs to.
    pub account: Option<AccountIx>,
    /// Whether its owner gives a second factor.
    pub owner_second: Fact<bool>,
    /// Whether the box enforces a change within 60 days.
    pub rotated: Fact<bool>,
}

/// One way an administrator gets in.
#[derive(Clone, Debug)]
pub struct AdminPath {
    /// The account or group as written.
    pub principal: String,
    /// The line a finding points at.
    pub span: Span,
    /// The account, when the path is of one.
    pub account: Option<AccountIx>,
    /// The listeners it can be used on; empty: the console only.
    pub listeners: Vec<ListenerIx>,
    /// The factors.
    pub factors: Vec<Factor>,
    /// Whether it is used only when another way fails.
    pub fallback: bool,
    /// Whether it can be used.
    pub live: Fact<bool>,
}

/// For whom rules for logging in hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Administrators.
    Admin,
    /// VPN users.
    Vpn,
}

/// Rules for logging in.
#[derive(Clone, Debug)]
pub struct LoginPolicy {
    /// For whom.
    pub scope: Scope,
    /// What it is called in findings, e.g. `SSL-VPN` or `administrators`.
    pub name: String,
    /// The line that heads it, if there is one.
    pub span: Option<Span>,
    /// Whether anybody logs in under it.
    pub in_use: Fact<bool>,
    /// Whether failed logins lock or slow down.
    pub lockout_on: Fact<bool>,
    /// After how many failures; [`super::record::NEVER`] when never.
    pub lockout_attempts: Fact<i64>,
    /// Idle timeout in seconds; [`super::record::NEVER`] when there is none.
    pub idle_s: Fact<i64>,
    /// Whether password rules are enforced.
    pub pw_enforced: Fact<bool>,
    /// Least length.
    pub pw_min: Fact<i64>,
    /// How many classes of characters are required.
    pub pw_classes: Fact<i64>,
    /// After how many seconds a password must be changed; [`super::record::NEVER`] when never.
    pub pw_max_age: Fact<i64>,
}

/// A server that checks logins.
#[derive(Clone, Debug)]
pub struct AuthServer {
    /// Name as written.
    pub name: String,
    /// The line that names it.
    pub span: Span,
    /// `radius`, `ldap`, `tacacs`, `saml`, `oidc` or `other`.
    pub kind: &'static str,
    /// Its address.
    pub address: Fact<AddrExpr>,
    /// Whether the exchange is encrypted.
    pub tls: Fact<bool>,
    /// Whether anything uses it.
    pub live: Live,
}
