//! Logging, clock, SNMP, updates: what belongs to the box as a whole.

use super::account::SecretIx;
use super::fact::{Fact, List};
use super::listener::ListenerIx;
use crate::source::Span;

/// A place logs go to.
#[derive(Clone, Debug)]
pub struct LogTarget {
    /// What it is called in findings: an address, `FortiCloud`, `disk` ...
    pub name: String,
    /// The line that names it.
    pub span: Span,
    /// Whether it is another machine or a vendor's cloud.
    pub remote: bool,
    /// Whether it is a vendor's cloud.
    pub cloud: bool,
    /// Whether logs really go there: every switch together.
    pub live: Fact<bool>,
}

/// Logging as a whole.
#[derive(Clone, Debug)]
pub struct Logging {
    /// The line an absence is reported at, if the export has a fitting block.
    pub span: Option<Span>,
    /// The main switch.
    pub on: Fact<bool>,
    /// Where logs go.
    pub targets: List<LogTarget>,
    /// Whether VPN logins are logged.
    pub vpn_events: Fact<bool>,
    /// Whether administrators' logins are logged.
    pub admin_events: Fact<bool>,
    /// Whether filter rows can be logged one by one.
    pub per_rule: Fact<bool>,
}

/// Something that sets the clock.
#[derive(Clone, Debug)]
pub struct TimeSource {
    /// The server or schedule as written.
    pub name: String,
    /// The line that names it.
    pub span: Span,
    /// Whether it works.
    pub live: Fact<bool>,
}

/// SNMP protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnmpVersion {
    /// Version 1.
    V1,
    /// Version 2c.
    V2c,
    /// Versions 1 and 2c with the same community.
    V1V2c,
    /// Version 3.
    V3,
}

impl SnmpVersion {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            SnmpVersion::V1 => "v1",
            SnmpVersion::V2c => "v2c",
            SnmpVersion::V1V2c => "v1_v2c",
            SnmpVersion::V3 => "v3",
        }
    }
}

/// One way to read or write the box over SNMP.
#[derive(Clone, Debug)]
pub struct SnmpAccess {
    /// The line that names it.
    pub span: Span,
    /// Protocol version.
    pub version: SnmpVersion,
    /// Whether it works: agent on, somebody admitted.
    pub live: Fact<bool>,
    /// The community.
    pub community: Option<SecretIx>,
    /// The community when the export leaves it at the factory's word.
    pub factory_word: Option<Fact<String>>,
    /// Whether it can change settings.
    pub write: Fact<bool>,
    /// The listener it is answered on.
    pub listener: Option<ListenerIx>,
}

/// Updates of the firmware by the box itself.
#[derive(Clone, Debug)]
pub struct UpdatePolicy {
    /// Whether the product can.
    pub can: Fact<bool>,
    /// Whether it does, or at least checks.
    pub on: Fact<bool>,
}

/// A defined name.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Kind of object; a key of `texts/words.toml` (`address`, `service`, `user_group`, `filter`, ...).
    pub kind: &'static str,
    /// Name as written.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// Whether the product brings it.
    pub builtin: bool,
    /// How often it is used by something else.
    pub uses: u32,
}

/// What happens when a used name is defined nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfUndefined {
    /// It matches everything.
    MatchesAll,
    /// It matches nothing.
    MatchesNone,
    /// The row is ignored.
    RuleIgnored,
    /// No filter is applied.
    FilterAbsent,
}

impl IfUndefined {
    /// The word predicates see.
    pub fn word(self) -> &'static str {
        match self {
            IfUndefined::MatchesAll => "matches_all",
            IfUndefined::MatchesNone => "matches_none",
            IfUndefined::RuleIgnored => "rule_ignored",
            IfUndefined::FilterAbsent => "filter_absent",
        }
    }
}

/// A use of a name that is defined nowhere in a complete export.
#[derive(Clone, Debug)]
pub struct Undefined {
    /// Kind of object.
    pub kind: &'static str,
    /// Name as written.
    pub name: String,
    /// Where it is used.
    pub span: Span,
    /// What happens.
    pub effect: Fact<IfUndefined>,
}
