//! Facts: a value that may be unknown, together with where it comes from.
//!
//! Every statement the program makes about a device rests on these types. A [`Fact`] never hides that
//! something is not known ([`Val::Unknown`]), and always says what it rests on ([`Origin`]): lines of the
//! export, a documented factory default, or an inference from other facts.

use crate::source::Span;
use std::sync::Arc;

/// A value as far as the export tells it.
#[derive(Clone, Debug, PartialEq)]
pub enum Val<T> {
    /// Exactly this.
    Known(T),
    /// One of these; which of them the export does not say. For numbers: the least and the greatest.
    Among(Vec<T>, Why),
    /// Nothing is known.
    Unknown(Why),
}

/// Why something is not known, and about what.
#[derive(Clone, Debug, PartialEq)]
pub struct Why(Arc<WhyData>);

#[derive(Debug, PartialEq)]
struct WhyData {
    code: WhyCode,
    about: String,
    spans: Vec<Span>,
}

/// The closed list of reasons for not knowing. Their sentences stand in `texts/reasons.toml` under [`WhyCode::key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyCode {
    /// The part of the configuration that would say it is not in this export.
    NotExported,
    /// A central manager pushes it; the device's own export does not hold it.
    Pushed,
    /// It stands in another context (VDOM, vsys, global section) that is not in this file.
    OtherContext,
    /// It stands in a companion file that was not given.
    CompanionMissing,
    /// The export masks the value.
    Masked,
    /// The export encrypts the value.
    Encrypted,
    /// The factory default changed between releases and the release cannot be read.
    DefaultByVersion,
    /// No documentation of the factory default was found.
    DefaultUndocumented,
    /// A server, an identity provider or a script decides.
    ExternalDecision,
    /// The content is filled in while the device runs (name, feed, dynamic group).
    RuntimeContent,
    /// A name is used that is defined nowhere, and its effect is not documented.
    Unresolved,
    /// The condition is one that the packet algebra does not model.
    Unmodelled,
    /// The region could not be read.
    Unrecognised,
    /// The statement has two documented readings.
    Ambiguous,
    /// Something upstream (an ISP's router, a host firewall) decides.
    Upstream,
    /// The other end of the connection decides.
    PeerDecides,
    /// Only a person at the site knows.
    Site,
    /// The data that comes with the program does not cover it.
    NoData,
    /// The data on exploited vulnerabilities does not cover the product.
    NoVulnerabilityData,
    /// Nobody checked which versions are affected.
    UncheckedRange,
    /// It depends on the model, which cannot be read.
    ModelDecides,
    /// Two exports may be of one box at different times, or of two boxes that were set up alike.
    SameBox,
    /// Two exports may be the two ends of one tunnel, or hold one key for two tunnels.
    SameTunnel,
    /// A hash was tested against a small list of words, and none matched.
    HashTested,
}

impl WhyCode {
    /// All codes, for tests and documentation.
    pub const ALL: [WhyCode; 24] = [
        WhyCode::NotExported,
        WhyCode::Pushed,
        WhyCode::OtherContext,
        WhyCode::CompanionMissing,
        WhyCode::Masked,
        WhyCode::Encrypted,
        WhyCode::DefaultByVersion,
        WhyCode::DefaultUndocumented,
        WhyCode::ExternalDecision,
        WhyCode::RuntimeContent,
        WhyCode::Unresolved,
        WhyCode::Unmodelled,
        WhyCode::Unrecognised,
        WhyCode::Ambiguous,
        WhyCode::Upstream,
        WhyCode::PeerDecides,
        WhyCode::Site,
        WhyCode::NoData,
        WhyCode::NoVulnerabilityData,
        WhyCode::UncheckedRange,
        WhyCode::ModelDecides,
        WhyCode::SameBox,
        WhyCode::SameTunnel,
        WhyCode::HashTested,
    ];

    /// The stable word of this code, used in JSON and as the key of its sentence.
    pub fn key(self) -> &'static str {
        match self {
            WhyCode::NotExported => "not_exported",
            WhyCode::Pushed => "pushed",
            WhyCode::OtherContext => "other_context",
            WhyCode::CompanionMissing => "companion_missing",
            WhyCode::Masked => "masked",
            WhyCode::Encrypted => "encrypted",
            WhyCode::DefaultByVersion => "default_by_version",
            WhyCode::DefaultUndocumented => "default_undocumented",
            WhyCode::ExternalDecision => "external_decision",
            WhyCode::RuntimeContent => "runtime_content",
            WhyCode::Unresolved => "unresolved",
            WhyCode::Unmodelled => "unmodelled",
            WhyCode::Unrecognised => "unrecognised",
            WhyCode::Ambiguous => "ambiguous",
            WhyCode::Upstream => "upstream",
            WhyCode::PeerDecides => "peer_decides",
            WhyCode::Site => "site",
            WhyCode::NoData => "no_data",
            WhyCode::NoVulnerabilityData => "no_vulnerability_data",
            WhyCode::UncheckedRange => "unchecked_range",
            WhyCode::ModelDecides => "model_decides",
            WhyCode::SameBox => "same_box",
            WhyCode::SameTunnel => "same_tunnel",
            WhyCode::HashTested => "hash_tested",
        }
    }
}

impl Why {
    /// A reason about something named as the export names it (an interface, a statement, a server). Never a secret.
    pub fn new(code: WhyCode, about: impl Into<String>) -> Why {
        Why(Arc::new(WhyData { code, about: about.into(), spans: Vec::new() }))
    }

    /// A reason with the lines that raise the question.
    pub fn at(code: WhyCode, about: impl Into<String>, spans: Vec<Span>) -> Why {
        Why(Arc::new(WhyData { code, about: about.into(), spans }))
    }

    /// The kind of reason.
    pub fn code(&self) -> WhyCode {
        self.0.code
    }

    /// What it is about, as the export names it.
    pub fn about(&self) -> &str {
        &self.0.about
    }

    /// The lines that raise the question.
    pub fn spans(&self) -> &[Span] {
        &self.0.spans
    }
}

impl<T> Val<T> {
    /// The value, if it is exactly known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Val::Known(v) => Some(v),
            _ => None,
        }
    }

    /// The reason, if it is not exactly known.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Val::Known(_) => None,
            Val::Among(_, w) | Val::Unknown(w) => Some(w),
        }
    }

    /// The same knowledge about a function of the value.
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> Val<U> {
        match self {
            Val::Known(v) => Val::Known(f(v)),
            Val::Among(vs, w) => Val::Among(vs.iter().map(f).collect(), w.clone()),
            Val::Unknown(w) => Val::Unknown(w.clone()),
        }
    }
}

/// Kleene's three-valued logic over `Val<bool>`; `Among` of both truth values counts as unknown.
impl Val<bool> {
    /// Surely true.
    pub fn is_true(&self) -> bool {
        self.tri() == Some(true)
    }

    /// Surely false.
    pub fn is_false(&self) -> bool {
        self.tri() == Some(false)
    }

    /// `Some` if the truth value is sure.
    pub fn tri(&self) -> Option<bool> {
        match self {
            Val::Known(b) => Some(*b),
            Val::Among(bs, _) if !bs.is_empty() && bs.iter().all(|b| *b == bs[0]) => Some(bs[0]),
            _ => None,
        }
    }

    /// Conjunction.
    pub fn and(&self, other: &Val<bool>) -> Val<bool> {
        match (self.tri(), other.tri()) {
            (Some(false), _) | (_, Some(false)) => Val::Known(false),
            (Some(true), Some(true)) => Val::Known(true),
            (None, _) => self.clone(),
            _ => other.clone(),
        }
    }

    /// Disjunction.
    pub fn or(&self, other: &Val<bool>) -> Val<bool> {
        match (self.tri(), other.tri()) {
            (Some(true), _) | (_, Some(true)) => Val::Known(true),
            (Some(false), Some(false)) => Val::Known(false),
            (None, _) => self.clone(),
            _ => other.clone(),
        }
    }

    /// Negation.
    pub fn negate(&self) -> Val<bool> {
        self.map(|b| !b)
    }
}

/// What a fact rests on.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Lines of the export say it.
    Written(Span),
    /// A documented factory default says it.
    Default(Arc<DefaultOrigin>),
    /// It follows from other facts; the reason's sentence stands in `texts/reasons.toml` under `infer.<code>`.
    Inferred {
        /// Key of the reason's sentence.
        code: &'static str,
        /// What it follows from.
        from: Arc<[Origin]>,
    },
    /// A person says so in the site file or in `sekisho.toml`.
    Stated(Arc<str>),
    /// Several origins together.
    All(Arc<[Origin]>),
}

/// A factory default as a row of `grammars/<dialect>.toml` documents it.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultOrigin {
    /// Key of the row, e.g. `system global.admintimeout`.
    pub key: Arc<str>,
    /// The value the row gives, as the vendor writes it.
    pub value: Arc<str>,
    /// The releases the row holds for, as the row words it.
    pub versions: Arc<str>,
    /// Where the row's author saw it.
    pub source: Arc<str>,
    /// Whether the row was confirmed in documentation. An unverified default may raise a finding, never clear one.
    pub verified: bool,
    /// Head of the block in which the line would stand, if the export has one.
    pub anchor: Option<Span>,
}

/// How much a conclusion can rely on an origin; the weakest origin read decides a finding's confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// An inference, or a default nobody confirmed.
    Inferred,
    /// A documented default.
    Default,
    /// Written in the export, or stated by a person.
    Certain,
}

impl Origin {
    /// An origin made of several.
    pub fn all(parts: impl IntoIterator<Item = Origin>) -> Origin {
        let parts: Vec<Origin> = parts.into_iter().collect();
        match <[Origin; 1]>::try_from(parts) {
            Ok([one]) => one,
            Err(parts) => Origin::All(parts.into()),
        }
    }

    /// This origin and one more. A chain of many stays flat, and from some length on takes in only what makes it weaker: nobody
    /// reads a hundred lines, and exports with tens of thousands of interfaces must not nest as deep.
    pub fn joined(&self, other: &Origin) -> Origin {
        const LONG: usize = 64;
        match self {
            Origin::All(parts) if parts.len() >= LONG => {
                let weaker = other.strength() < self.strength();
                let unsure = other.rests_on_unverified_default() && !self.rests_on_unverified_default();
                if weaker || unsure { Origin::All(parts.iter().chain([other]).cloned().collect()) } else { self.clone() }
            }
            Origin::All(parts) => Origin::All(parts.iter().chain([other]).cloned().collect()),
            _ => Origin::all([self.clone(), other.clone()]),
        }
    }

    /// An inference from other facts.
    pub fn inferred(code: &'static str, from: impl IntoIterator<Item = Origin>) -> Origin {
        Origin::Inferred { code, from: from.into_iter().collect() }
    }

    /// The weakest link.
    pub fn strength(&self) -> Strength {
        match self {
            Origin::Written(_) | Origin::Stated(_) => Strength::Certain,
            Origin::Default(d) if d.verified => Strength::Default,
            Origin::Default(_) | Origin::Inferred { .. } => Strength::Inferred,
            Origin::All(parts) => parts.iter().map(Origin::strength).min().unwrap_or(Strength::Certain),
        }
    }

    /// Every written line below this origin, in order of mention.
    pub fn spans(&self) -> Vec<Span> {
        fn walk(o: &Origin, out: &mut Vec<Span>) {
            match o {
                Origin::Written(s) => out.push(*s),
                Origin::Default(d) => out.extend(d.anchor),
                Origin::Inferred { from, .. } | Origin::All(from) => from.iter().for_each(|o| walk(o, out)),
                Origin::Stated(_) => {}
            }
        }
        let mut out = Vec::new();
        walk(self, &mut out);
        out
    }

    /// Whether a default below this origin was never confirmed in documentation.
    pub fn rests_on_unverified_default(&self) -> bool {
        match self {
            Origin::Default(d) => !d.verified,
            Origin::Inferred { from, .. } | Origin::All(from) => from.iter().any(Origin::rests_on_unverified_default),
            Origin::Written(_) | Origin::Stated(_) => false,
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact<T> {
    /// The value, as far as it is known.
    pub value: Val<T>,
    /// What it rests on. For an unknown value: what was looked at.
    pub origin: Origin,
}

impl<T> Fact<T> {
    /// A value that lines of the export state.
    pub fn written(value: T, span: Span) -> Fact<T> {
        Fact { value: Val::Known(value), origin: Origin::Written(span) }
    }

    /// A known value with any origin.
    pub fn known(value: T, origin: Origin) -> Fact<T> {
        Fact { value: Val::Known(value), origin }
    }

    /// An unknown value; its origin is the lines that raise the question.
    pub fn unknown(why: Why) -> Fact<T> {
        let origin = Origin::all(why.spans().iter().map(|s| Origin::Written(*s)));
        Fact { value: Val::Unknown(why), origin }
    }

    /// A function of the value, with the same origin.
    pub fn map<U>(&self, f: impl FnMut(&T) -> U) -> Fact<U> {
        Fact { value: self.value.map(f), origin: self.origin.clone() }
    }

    /// The value, if it is exactly known.
    pub fn get(&self) -> Option<&T> {
        self.value.known()
    }
}

impl Fact<bool> {
    /// Conjunction; the origin is that of the deciding operands.
    pub fn and(&self, other: &Fact<bool>) -> Fact<bool> {
        Fact { value: self.value.and(&other.value), origin: self.deciding(other, false) }
    }

    /// Disjunction; the origin is that of the deciding operands.
    pub fn or(&self, other: &Fact<bool>) -> Fact<bool> {
        Fact { value: self.value.or(&other.value), origin: self.deciding(other, true) }
    }

    /// Negation.
    pub fn negate(&self) -> Fact<bool> {
        Fact { value: self.value.negate(), origin: self.origin.clone() }
    }

    /// The operand that absorbs (`false` for a conjunction) decides alone, the stronger one first; else both count.
    fn deciding(&self, other: &Fact<bool>, absorbing: bool) -> Origin {
        match (self.value.tri() == Some(absorbing), other.value.tri() == Some(absorbing)) {
            (true, true) if other.origin.strength() > self.origin.strength() => other.origin.clone(),
            (true, _) => self.origin.clone(),
            (_, true) => other.origin.clone(),
            _ => self.origin.joined(&other.origin),
        }
    }
}

/// A collection that knows whether it is all there is.
#[derive(Clone, Debug)]
pub struct List<T> {
    /// What the export shows.
    pub items: Vec<T>,
    /// Whether there may be more.
    pub rest: Rest,
}

/// Whether a collection may hold more than the export shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Rest {
    /// This is all, for this reason.
    Complete(Origin),
    /// There may be more.
    MayHoldMore(Why),
}

impl<T> List<T> {
    /// A collection that is all there is.
    pub fn complete(items: Vec<T>, origin: Origin) -> List<T> {
        List { items, rest: Rest::Complete(origin) }
    }

    /// A collection of which the export may show only a part.
    pub fn partial(items: Vec<T>, why: Why) -> List<T> {
        List { items, rest: Rest::MayHoldMore(why) }
    }

    /// Iterates over what is shown.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }
}

impl<T> Default for List<T> {
    /// An empty collection about which nothing was said: it may hold more.
    fn default() -> Self {
        List { items: Vec::new(), rest: Rest::MayHoldMore(Why::new(WhyCode::NotExported, "")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    fn written(b: bool) -> Fact<bool> {
        Fact::written(b, Span { file: FileId(0), start: 0, end: 1 })
    }
    fn unknown() -> Fact<bool> {
        Fact::unknown(Why::new(WhyCode::Site, "x"))
    }

    #[test]
    fn a_fact_of_very_many_stays_flat_and_as_weak_as_its_weakest_part() {
        let guess = Fact::known(false, Origin::inferred("x", []));
        let facts = std::iter::repeat_n(written(false), 100_000).chain([guess]).chain(std::iter::repeat_n(written(false), 100));
        let one = facts.reduce(|a, b| a.or(&b)).expect("facts");
        assert_eq!(one.origin.strength(), Strength::Inferred);
        assert!(one.origin.spans().len() <= 64);
    }

    #[test]
    fn kleene_logic_holds() {
        assert!(unknown().and(&written(false)).value.is_false());
        assert!(unknown().or(&written(true)).value.is_true());
        assert_eq!(unknown().and(&written(true)).value.tri(), None);
        assert_eq!(unknown().negate().value.tri(), None);
    }

    #[test]
    fn a_false_conjunction_rests_on_its_false_operand_alone() {
        let weak = Fact::known(true, Origin::inferred("x", []));
        assert_eq!(weak.and(&written(false)).origin.strength(), Strength::Certain);
        assert_eq!(weak.and(&written(true)).origin.strength(), Strength::Inferred);
    }
}
