//! The firmware's support: the version against dated end-of-support data. A product or train the data does not know is of
//! unknown status, never supported.

use super::{Context, Sheet, is_whole, known_word};
use crate::ir::device::Precision;
use crate::ir::fact::{Fact, Val, Why, WhyCode};
use crate::ir::record::{Record, Word};
use crate::ir::schema;
use crate::lifecycle::date;
use jiff::civil::Date;

/// The record of kind `firmware`; one for a box, none for its virtual parts.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    if !is_whole(device) && device.parent.is_some() {
        return;
    }
    let version = device.identity.version.as_ref().filter(|v| v.precision != Precision::None);
    let span = version.and_then(|v| v.span).or(device.span);
    let at = device.version_origin();
    let unknown =
        |about: String| Fact { value: Val::Unknown(Why::at(WhyCode::NotExported, about, span.into_iter().collect())), origin: at.clone() };
    let shown = format!("{} {}", device.identity.product, version.map_or("", |v| v.text.as_str()));
    let mut record = Record::new(&schema::FIRMWARE, shown.trim().to_owned(), span);
    let precision = match version.map(|v| v.precision) {
        Some(Precision::Exact) => "exact",
        Some(Precision::Train) => "train",
        _ => "none",
    };
    let train = version.and_then(|v| cx.settings.data.train_of(&device.identity.lifecycle_key, v));
    let as_of: Option<Date> = date(&cx.settings.as_of);
    let end: Option<Date> = train.and_then(|t| t.end.as_ref()).and_then(|d| date(d.as_ref()));
    let status: Fact<Word> = match (train, end, as_of) {
        (Some(t), end, today) if t.superseded => {
            let still = end.zip(today).is_some_and(|(end, today)| today <= end);
            known_word(if still { "supported" } else { "superseded" }, at.clone())
        }
        (Some(_), Some(end), Some(today)) if end < today => known_word("past", at.clone()),
        (Some(_), Some(end), Some(today)) => {
            let near = today.checked_add(jiff::Span::new().months(12)).is_ok_and(|limit| end <= limit);
            known_word(if near { "near" } else { "supported" }, at.clone())
        }
        (Some(_), None, _) => known_word("supported", at.clone()),
        _ => {
            let shown = version.map_or(device.identity.product.clone(), |v| format!("{} {}", device.identity.product, v.text));
            let code = if version.is_some() { WhyCode::NoData } else { WhyCode::NotExported };
            Fact { value: Val::Unknown(Why::at(code, shown, span.into_iter().collect())), origin: at.clone() }
        }
    };
    record.bool("known", Fact::known(version.is_some(), at.clone()));
    record.word("precision", known_word(precision, at.clone()));
    record.text("version", version.map_or(String::new(), |v| v.text.clone()), at.clone());
    record.word("os_status", status);
    record.text("os_date", train.and_then(|t| t.end.as_ref()).map_or(String::new(), |d| d.as_ref().clone()), at.clone());
    let source = train.and_then(|t| cx.settings.data.sources.get(t.source.as_ref()));
    record.text("os_source", source.map_or(String::new(), |s| s.title.clone()), at.clone());
    record.text("os_as_of", source.map_or(String::new(), |s| s.as_of.as_ref().clone()), at.clone());
    let update = device.update.as_ref();
    record.bool("auto_update", update.map_or_else(|| unknown("update".into()).map(|_: &Word| false), |u| u.on.clone()));
    record.bool("can_update", update.map_or_else(|| unknown("update".into()).map(|_: &Word| false), |u| u.can.clone()));
    sheet.add(record);
}
