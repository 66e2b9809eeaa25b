//! The meaning of the data, checked when it is loaded: dates are dates, versions fit the order of their product, names exist.
//!
//! A mistake holds no sentence: its key names one in `texts/data_errors.toml`. The questions of conditions are compiled by whoever asks them.

use super::version::Order;
use super::{Affected, Lifecycle, date};
use std::ops::Range;
use toml::Spanned;

/// A mistake in lifecycle data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataError {
    /// Byte range in the file.
    pub span: Range<usize>,
    /// Key of the sentence in `texts/data_errors.toml`.
    pub key: &'static str,
    /// Values of the sentence's placeholders.
    pub args: Vec<String>,
}

/// Longest excerpt that an argument repeats, in characters.
const LONGEST: usize = 80;

impl DataError {
    fn new(key: &'static str, at: &Spanned<String>) -> DataError {
        DataError { span: at.span(), key, args: vec![at.as_ref().chars().take(LONGEST).collect()] }
    }

    /// What the reader of the form says.
    pub(super) fn shape(error: &toml::de::Error) -> DataError {
        let said = error.message().lines().next().unwrap_or("").chars().take(2 * LONGEST).collect();
        DataError { span: error.span().unwrap_or(0..0), key: "shape", args: vec![said] }
    }
}

pub(super) fn check(data: &Lifecycle) -> Vec<DataError> {
    let mut errors = Vec::new();
    let dates = [&data.as_of, &data.exploited_as_of].into_iter().chain(data.sources.values().map(|s| &s.as_of));
    let dates = dates.chain(data.trains.iter().filter_map(|t| t.end.as_ref())).chain(data.vulnerabilities.iter().map(|v| &v.exploited));
    errors.extend(dates.filter(|d| date(d.as_ref()).is_none()).map(|d| DataError::new("date", d)));
    let sources = data.trains.iter().map(|t| &t.source).chain(data.vulnerabilities.iter().flat_map(|v| &v.sources));
    errors.extend(sources.filter(|s| !data.sources.contains_key(s.as_ref())).map(|s| DataError::new("source", s)));
    for train in &data.trains {
        let fits = |o: Order| o.train(train.train.as_ref()).is_some();
        order(data, &train.product, &train.train, fits, &mut errors);
    }
    for vulnerability in &data.vulnerabilities {
        for row in &vulnerability.affected {
            affected(data, row, &mut errors);
            if !vulnerability.products.iter().any(|p| p.as_ref() == row.product.as_ref()) {
                errors.push(DataError::new("product", &row.product));
            }
        }
        let condition = vulnerability.condition.as_ref();
        match condition {
            Some(name) if !data.conditions.contains_key(name.as_ref()) => errors.push(DataError::new("condition", name)),
            _ if vulnerability.affected.is_empty() => {}
            Some(_) if vulnerability.ja.is_some() && vulnerability.en.is_some() => {}
            _ => errors.push(DataError::new("incomplete", &vulnerability.id)),
        }
    }
    errors.sort_by_key(|e| e.span.start);
    errors.dedup();
    errors
}

fn affected(data: &Lifecycle, row: &Affected, errors: &mut Vec<DataError>) {
    let bounds = [&row.from, &row.to, &row.before].into_iter().flatten().chain(&row.also_fixed);
    for bound in bounds {
        order(data, &row.product, bound, |o| o.place(bound.as_ref()).is_some(), errors);
    }
    if let Some(train) = &row.train {
        order(data, &row.product, train, |o| o.train(train.as_ref()).is_some(), errors);
    }
    if let Some(name) = &row.listed {
        match data.lists.get(name.as_ref()) {
            None => errors.push(DataError::new("list", name)),
            Some(list) => list.iter().for_each(|v| order(data, &row.product, v, |o| o.place(v.as_ref()).is_some(), errors)),
        }
    } else if [&row.from, &row.to, &row.before, &row.train].into_iter().all(Option::is_none) {
        errors.push(DataError::new("bounds", &row.product));
    }
}

/// A version has to fit the order of its product, which has to have one.
fn order(
    data: &Lifecycle,
    product: &Spanned<String>,
    version: &Spanned<String>,
    fits: impl Fn(Order) -> bool,
    errors: &mut Vec<DataError>,
) {
    match data.order.get(product.as_ref()) {
        None => errors.push(DataError::new("order", product)),
        Some(order) if !fits(*order) => errors.push(DataError::new("version", version)),
        Some(_) => {}
    }
}
