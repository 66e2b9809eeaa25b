//! Accepted findings: applied while they hold, reported when they have expired or match nothing.

use super::config::{Config, SuppressTable};
use crate::finding::{Finding, Lang, Report, Suppression};
use crate::texts::texts;

/// Marks accepted findings and notes entries that expired or met nothing.
pub fn apply(report: &mut Report, configs: &[Config]) {
    let lang = report.lang;
    for config in configs {
        for entry in &config.file.suppress {
            let line = config.line_of(entry.span().start);
            let entry = entry.as_ref();
            // Dates of one form compare as text.
            let expired = entry.until < report.as_of;
            let mut met = false;
            let mut looked = false;
            for file in &mut report.files {
                if entry.path.as_ref().is_some_and(|p| !config.covers(p, &file.path)) {
                    continue;
                }
                looked = true;
                for device in file.devices.iter_mut().filter(|d| entry.device.as_ref().is_none_or(|n| *n == d.name)) {
                    for finding in device.findings.iter_mut().filter(|f| matches(entry, f)) {
                        met = true;
                        if !expired && finding.suppressed.is_none() {
                            finding.suppressed = Some(Suppression {
                                reason: entry.reason.clone(),
                                who: entry.who.clone(),
                                until: entry.until.clone(),
                                line,
                            });
                        }
                    }
                }
            }
            let place = format!("{}:{line}", config.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default());
            if expired && met {
                report.notices.push(notice(lang, "run.suppress.expired", &place, entry));
            } else if looked && !met {
                report.notices.push(notice(lang, "run.suppress.stale", &place, entry));
            }
        }
    }
}

fn matches(entry: &SuppressTable, finding: &Finding) -> bool {
    (entry.rule == finding.rule || entry.rule == finding.name) && entry.subject.as_ref().is_none_or(|s| *s == finding.subject)
}

fn notice(lang: Lang, key: &str, place: &str, entry: &SuppressTable) -> String {
    texts().fill(lang, key, &[place, &entry.rule, &entry.until])
}
