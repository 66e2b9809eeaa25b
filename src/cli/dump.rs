//! `sekisho dump`: what was read of an export, as JSON: devices, and every record rules see, with values, reasons for not knowing
//! and the lines they rest on. For scripts, and for whoever writes a rule or a dialect. Secrets have no field here.

use super::error::Error;
use super::{as_of, data, dialect, hash_budget, print_bytes, run_key};
use crate::analysis::{Settings, Stated};
use crate::finding::Lang;
use crate::fleet::discover::{self, Found};
use crate::fleet::run;
use crate::ir::fact::{Origin, Rest, Val};
use crate::ir::record::{FactSheet, NEVER, Record, Records, Value};
use crate::ir::schema;
use crate::source::{self, FileId, Limits, Source};
use crate::texts::texts;
use clap::ArgMatches;
use serde_json::{Map, Value as Json, json};
use std::path::PathBuf;

/// Runs the command; gives the exit status.
pub fn run(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let path = matches.get_one::<PathBuf>("path").cloned().unwrap_or_default();
    let found = if path.as_os_str() == "-" { Found::Stdin } else { Found::File { path: path.clone(), named: true } };
    let bytes = discover::read(&found, run::LARGEST).map_err(|e| Error::Read { path: path.display().to_string(), why: e.to_string() })?;
    let data = data(matches, lang)?;
    let settings = Settings {
        stated: Stated::default(),
        as_of: as_of(matches)?,
        data: data.data.clone(),
        run_key: run_key()?,
        hash_budget: hash_budget(matches),
        ..Settings::default()
    };
    let wanted = dialect(matches)?;
    let mut exports = Vec::new();
    for member in source::open(&path.display().to_string(), bytes, &Limits::STANDARD).members {
        let Ok(mut source) = Source::from_member(FileId(0), member) else { continue };
        for (range, detected) in run::exports(&mut source, wanted.as_deref()) {
            let Some(analysed) = run::analyse(&source, range, &detected, &settings, &data, false) else { continue };
            let name = crate::dialect::all().get(analysed.dialect).map_or("", |d| d.name());
            let devices: Vec<Json> = analysed
                .devices
                .iter()
                .zip(&analysed.sheets)
                .map(|(device, sheet)| {
                    json!({
                        "name": device.name,
                        "context": device.context,
                        "vendor": device.identity.vendor,
                        "product": device.identity.product,
                        "model": device.identity.model,
                        "os_version": device.identity.version.as_ref().map(|v| v.text.clone()),
                        "facts": sheet_json(sheet, &source),
                    })
                })
                .collect();
            exports.push(json!({ "path": source.name(), "dialect": name, "encoding": source.encoding().label(), "devices": devices }));
        }
    }
    if exports.is_empty() {
        let names = crate::dialect::all().iter().map(|d| d.name()).collect::<Vec<_>>().join(", ");
        return Err(Error::NotAConfiguration(format!(
            "{} {}",
            texts().get(lang, "run.refused.unknown"),
            texts().fill(lang, "run.refused.unknown_help", &[&names])
        )));
    }
    let text = serde_json::to_string_pretty(&json!({ "version": 1, "exports": exports })).unwrap_or_default();
    print_bytes(format!("{text}\n").as_bytes())
}

fn sheet_json(sheet: &FactSheet, source: &Source) -> Json {
    let mut out = Map::new();
    out.insert("device".into(), record_json(&sheet.device, source));
    for (kind, records) in schema::KINDS.iter().zip(&sheet.kinds) {
        out.insert(kind.name.into(), records_json(records, source));
    }
    Json::Object(out)
}

fn records_json(records: &Records, source: &Source) -> Json {
    let complete = match &records.rest {
        Rest::Complete(_) => json!(true),
        Rest::MayHoldMore(why) => json!({ "may_hold_more": why.code().key(), "about": why.about() }),
    };
    json!({ "complete": complete, "items": records.items.iter().map(|r| record_json(r, source)).collect::<Vec<_>>() })
}

fn record_json(record: &Record, source: &Source) -> Json {
    let mut out = Map::new();
    out.insert("subject".into(), json!(record.subject));
    out.insert("line".into(), json!(record.span.map(|s| source.position(s.start).line)));
    for (ix, def) in record.kind.fields.iter().enumerate() {
        if let Some(field) = record.at(ix) {
            let lines: Vec<usize> = lines(&field.origin, source);
            out.insert(def.name.into(), json!({ "value": value_json(&field.value), "from": strength(&field.origin), "lines": lines }));
        }
    }
    Json::Object(out)
}

fn lines(origin: &Origin, source: &Source) -> Vec<usize> {
    let mut lines: Vec<usize> = origin.spans().iter().map(|s| source.position(s.start).line).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

fn strength(origin: &Origin) -> &'static str {
    match origin.strength() {
        crate::ir::fact::Strength::Certain => "written",
        crate::ir::fact::Strength::Default => "default",
        crate::ir::fact::Strength::Inferred => "inferred",
    }
}

fn value_json(value: &Value) -> Json {
    fn val<T>(v: &Val<T>, show: impl Fn(&T) -> Json) -> Json {
        match v {
            Val::Known(v) => show(v),
            Val::Among(vs, why) => {
                json!({ "among": vs.iter().map(show).collect::<Vec<_>>(), "why": why.code().key(), "about": why.about() })
            }
            Val::Unknown(why) => json!({ "unknown": why.code().key(), "about": why.about() }),
        }
    }
    match value {
        Value::Bool(v) => val(v, |b| json!(b)),
        Value::Int(v) => val(v, |n| if *n == NEVER { json!("never") } else { json!(n) }),
        Value::Word(v) => val(v, |w| json!(w)),
        Value::Text(v) => val(v, |t| json!(t)),
        Value::Set { lo, hi, .. } if lo == hi => json!(lo),
        Value::Set { lo, hi, .. } => json!({ "surely": lo, "possibly": hi }),
    }
}
