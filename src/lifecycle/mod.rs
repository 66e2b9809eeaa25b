//! What is known about releases of products: when support ends, and which vulnerabilities are known to be exploited.
//!
//! Data, not judgement: the embedded file is `data/lifecycle.toml`, and a user's own may take its place. Everything is dated and names its
//! source. A product, train or version that the data does not know is of unknown status; only ranges that somebody checked say "affected".
//! Whether the feature that a vulnerability needs is on is asked elsewhere; here stand only the questions, as text.

mod check;
pub mod version;

pub use check::DataError;

use crate::ir::device::{Precision, Version};
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use toml::Spanned;
use version::{Order, Place};

/// The data; see `data/lifecycle.toml` for the meaning of each key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// Date of the newest source of support dates, `YYYY-MM-DD`.
    pub as_of: Spanned<String>,
    /// Date of the catalogue of exploited vulnerabilities, `YYYY-MM-DD`.
    pub exploited_as_of: Spanned<String>,
    /// How versions compare, by product.
    pub order: BTreeMap<String, Order>,
    /// Where the facts come from, by name.
    #[serde(rename = "source")]
    pub sources: BTreeMap<String, Source>,
    /// What vulnerabilities need, by name.
    #[serde(default, rename = "condition")]
    pub conditions: BTreeMap<String, Condition>,
    /// Trains of software.
    #[serde(default, rename = "train")]
    pub trains: Vec<Train>,
    /// Vulnerabilities known to be exploited.
    #[serde(default, rename = "vulnerability")]
    pub vulnerabilities: Vec<Vulnerability>,
    /// Versions that a record names one by one, by name.
    #[serde(default, rename = "list")]
    pub lists: BTreeMap<String, Vec<Spanned<String>>>,
}

/// A source of facts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its title.
    pub title: String,
    /// Where it is.
    #[serde(rename = "where")]
    pub place: String,
    /// The state of it, where it has versions.
    #[serde(default)]
    pub commit: Option<String>,
    /// Its date, `YYYY-MM-DD`.
    pub as_of: Spanned<String>,
    /// Its licence.
    pub licence: String,
}

/// A train of releases and the end of its support.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Key of the product.
    pub product: Spanned<String>,
    /// Beginning of the versions meant, e.g. `7.2`.
    pub train: Spanned<String>,
    /// Last day of any support, `YYYY-MM-DD`; absent: still supported, no date announced.
    #[serde(default)]
    pub end: Option<Spanned<String>>,
    /// The vendor names no end of support, but a newer train took its place: on `end`, or some day in the past.
    #[serde(default)]
    pub superseded: bool,
    /// Name of the source.
    pub source: Spanned<String>,
}

/// What a vulnerability needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What it is, in Japanese.
    pub ja: String,
    /// What it is, in English.
    pub en: String,
    /// Whether the Internet gets at it: all of these have to hold.
    #[serde(default)]
    pub reachable: Vec<Need>,
    /// Whether it is there at all: all of these have to hold.
    #[serde(default)]
    pub on: Vec<Need>,
}

/// A question about the records of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The kind.
    pub kind: Spanned<String>,
    /// What has to hold for at least one record.
    pub some: Spanned<String>,
}

/// A vulnerability known to be exploited.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vulnerability {
    /// Its id, e.g. `CVE-2018-13379`.
    pub id: Spanned<String>,
    /// Products it is about.
    pub products: Vec<Spanned<String>>,
    /// The day the catalogue took it in, `YYYY-MM-DD`.
    pub exploited: Spanned<String>,
    /// Whether the catalogue knows of its use for ransomware.
    #[serde(default)]
    pub ransomware: bool,
    /// Names of the sources.
    pub sources: Vec<Spanned<String>>,
    /// Name of the condition; wanted where `affected` says something.
    #[serde(default)]
    pub condition: Option<Spanned<String>>,
    /// What it lets an attacker do, in Japanese.
    #[serde(default)]
    pub ja: Option<String>,
    /// What it lets an attacker do, in English.
    #[serde(default)]
    pub en: Option<String>,
    /// Versions in which it is mended, as far as the record names them.
    #[serde(default)]
    pub fixed: Vec<String>,
    /// Affected versions.
    #[serde(default)]
    pub affected: Vec<Affected>,
}

/// A range of affected versions of one product.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affected {
    /// Key of the product.
    pub product: Spanned<String>,
    /// First affected version.
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    /// Last affected version.
    #[serde(default)]
    pub to: Option<Spanned<String>>,
    /// First version that is not affected.
    #[serde(default)]
    pub before: Option<Spanned<String>>,
    /// A train that is affected as a whole.
    #[serde(default)]
    pub train: Option<Spanned<String>>,
    /// Mended within the range: a release with this service release or hotfix, or a later one of the same release.
    #[serde(default)]
    pub also_fixed: Vec<Spanned<String>>,
    /// Name of a list of versions.
    #[serde(default)]
    pub listed: Option<Spanned<String>>,
    /// The record does not go down to builds.
    #[serde(default)]
    pub by_hand: bool,
    /// Beginnings of the models it is about; empty: all.
    #[serde(default)]
    pub models: Vec<String>,
}

/// Whether a version is affected by a vulnerability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in a range that somebody checked.
    Affected,
    /// It is in a range that is not exact.
    ByHand,
    /// It is in no range.
    NotAffected,
    /// The version is not known exactly, or does not fit the order of the product.
    VersionUnknown,
    /// It depends on the model, which is not known.
    ModelUnknown,
    /// Builds of its train are listed, it is not among them, and later ones are.
    NotListed,
}

impl Lifecycle {
    /// Reads and checks data. Errors: every mistake with its place.
    pub fn load(text: &str) -> Result<Lifecycle, Vec<DataError>> {
        let data: Lifecycle = toml::from_str(text).map_err(|e| vec![DataError::shape(&e)])?;
        let errors = check::check(&data);
        if errors.is_empty() { Ok(data) } else { Err(errors) }
    }

    /// The embedded data. A test checks that it can be read.
    pub fn builtin() -> Arc<Lifecycle> {
        static DATA: OnceLock<Arc<Lifecycle>> = OnceLock::new();
        DATA.get_or_init(|| Arc::new(Lifecycle::load(include_str!("../../data/lifecycle.toml")).unwrap_or_else(|_| Lifecycle::empty())))
            .clone()
    }

    fn empty() -> Lifecycle {
        let never = || Spanned::new(0..0, "1970-01-01".to_owned());
        Lifecycle {
            as_of: never(),
            exploited_as_of: never(),
            order: BTreeMap::new(),
            sources: BTreeMap::new(),
            conditions: BTreeMap::new(),
            trains: Vec::new(),
            vulnerabilities: Vec::new(),
            lists: BTreeMap::new(),
        }
    }

    /// The older of the two dates: how old the data is.
    pub fn oldest(&self) -> &str {
        let (a, b) = (self.as_of.as_ref().as_str(), self.exploited_as_of.as_ref().as_str());
        if a < b { a } else { b }
    }

    /// The train of a version: the one that shares most numbers with it.
    pub fn train_of(&self, product: &str, version: &Version) -> Option<&Train> {
        let parts = |t: &str| t.split('.').map(|p| p.parse().ok()).collect::<Option<Vec<u32>>>();
        let fits = |t: &&Train| t.product.as_ref() == product && parts(t.train.as_ref()).is_some_and(|p| version.parts.starts_with(&p));
        self.trains.iter().filter(fits).max_by_key(|t| t.train.as_ref().len())
    }

    /// Vulnerabilities of a product with ranges that somebody checked, and those without.
    pub fn vulnerabilities_of(&self, product: &str) -> (Vec<&Vulnerability>, Vec<&Vulnerability>) {
        let of = self.vulnerabilities.iter().filter(|v| v.products.iter().any(|p| p.as_ref() == product));
        of.partition(|v| v.affected.iter().any(|a| a.product.as_ref() == product))
    }

    /// Whether a version of a product, on a model, is affected.
    pub fn verdict(&self, vulnerability: &Vulnerability, product: &str, version: Option<&Version>, model: Option<&str>) -> Verdict {
        let exact = version.filter(|v| v.precision == Precision::Exact);
        let order = self.order.get(product).copied();
        let Some((order, place)) = order.zip(exact).and_then(|(o, v)| Some((o, o.place(&v.text)?))) else {
            return Verdict::VersionUnknown;
        };
        let rows = vulnerability.affected.iter().filter(|a| a.product.as_ref() == product);
        let verdicts: Vec<Verdict> = rows.map(|a| self.row(a, order, &place, model)).collect();
        let first = [Verdict::Affected, Verdict::ByHand, Verdict::ModelUnknown, Verdict::NotListed, Verdict::VersionUnknown];
        first.into_iter().find(|v| verdicts.contains(v)).unwrap_or(Verdict::NotAffected)
    }

    fn row(&self, row: &Affected, order: Order, version: &Place, model: Option<&str>) -> Verdict {
        if let Some(listed) = row.listed.as_ref().and_then(|name| self.lists.get(name.as_ref())) {
            let listed: Vec<Place> = listed.iter().filter_map(|v| order.place(v.as_ref())).collect();
            return if listed.contains(version) {
                Verdict::Affected
            } else if listed.iter().any(|l| l.train() == version.train() && l > version) {
                Verdict::NotListed
            } else {
                Verdict::NotAffected
            };
        }
        let place = |bound: &Option<Spanned<String>>| bound.as_ref().and_then(|b| order.place(b.as_ref()));
        let train = row.train.as_ref().and_then(|t| order.train(t.as_ref()));
        let within = train.is_none_or(|t| version.within(&t))
            && place(&row.from).is_none_or(|from| *version >= from)
            && place(&row.to).is_none_or(|to| *version <= to)
            && place(&row.before).is_none_or(|before| *version < before)
            && !row.also_fixed.iter().filter_map(|f| order.place(f.as_ref())).any(|fix| version.has_fix(&fix));
        if !within {
            return Verdict::NotAffected;
        }
        match model {
            None if !row.models.is_empty() => Verdict::ModelUnknown,
            Some(model) if !row.models.is_empty() && !row.models.iter().any(|m| model.to_uppercase().starts_with(m)) => {
                Verdict::NotAffected
            }
            _ if row.by_hand => Verdict::ByHand,
            _ => Verdict::Affected,
        }
    }
}

/// A date of the data; they were checked when it was loaded.
pub fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}

#[cfg(test)]
mod tests;
