//! What follows the findings: what could not be told, files that could not be judged, notices, and the summary.
//!
//! Invariant: "no problem was found" is never said without how much could not be told.

use super::paint::Hue;
use super::{Page, plain};
use crate::finding::{CoverageCount, FileReport, Severity};
use crate::report::view::device_name;

/// Undetermined outcomes shown unless everything is asked for.
const UNDETERMINED: usize = 10;
/// Mended places shown of one file unless everything is asked for.
const MENDED: usize = 3;

impl Page<'_> {
    pub(super) fn rest(&mut self) {
        if !self.style.quiet {
            self.blank();
            self.stories();
            self.undetermined();
            self.mended();
        }
        self.refused();
        if !self.style.quiet {
            for notice in &self.view.report.notices {
                self.labelled(0, &format!("{}  ", self.view.word("report.label.notice")), notice);
            }
            self.blank();
        }
        self.summary();
    }

    /// How a stranger gets inside, hop by hop with the lines.
    fn stories(&mut self) {
        let devices = self.view.report.files.iter().flat_map(|file| file.devices.iter().map(move |device| (file, device)));
        for (file, device, story) in devices.flat_map(|(f, d)| d.stories.iter().map(move |s| (f, d, s))) {
            let name = if self.several { format!("  {}", plain::line(&device_name(device))) } else { String::new() };
            self.heading(&format!("{}{name}", plain::line(&story.title)));
            for (number, hop) in story.hops.iter().enumerate() {
                self.labelled(2, &format!("{}. ", number + 1), &hop.text);
                for label in &hop.labels {
                    self.hop_line(file, label);
                }
            }
            self.blank();
        }
    }

    fn undetermined(&mut self) {
        let all = self.view.undetermined();
        if all.is_empty() {
            return;
        }
        let heading = self.view.fill("report.heading.undetermined", &[&all.len().to_string()]);
        self.heading(&heading);
        let most = if self.style.verbose { usize::MAX } else { UNDETERMINED };
        let mut named = None;
        for (file, device, outcome) in all.iter().take(most) {
            if self.several && named != Some((file.file, &device.name, &device.context)) {
                named = Some((file.file, &device.name, &device.context));
                self.row(&format!("  {}  {}", plain::line(&device_name(device)), plain::line(&file.path)));
            }
            let text = self.view.fill("report.undetermined", &[&outcome.title, outcome.reason.as_deref().unwrap_or("")]);
            self.labelled(if self.several { 4 } else { 2 }, &format!("{}  ", plain::line(&outcome.rule)), &text);
        }
        if all.len() > most {
            let more = self.view.fill("report.more.undetermined", &[&(all.len() - most).to_string()]);
            self.row(&format!("  {more}"));
        }
        self.blank();
    }

    /// Places of readable files that had to be mended.
    fn mended(&mut self) {
        let files: Vec<&FileReport> = self.view.report.files.iter().filter(|file| file.readable && !file.errors.is_empty()).collect();
        if files.is_empty() {
            return;
        }
        self.heading(self.view.word("report.heading.mended"));
        for file in files {
            let most = if self.style.verbose { usize::MAX } else { MENDED };
            for error in file.errors.iter().take(most) {
                self.file_error(file, error.line, &error.message, error.help.as_deref());
            }
            if file.errors.len() > most {
                let more = self.view.fill("report.more.lines", &[&(file.errors.len() - most).to_string()]);
                self.row(&format!("  {more}"));
            }
        }
        self.blank();
    }

    fn refused(&mut self) {
        let files: Vec<&FileReport> = self.view.report.files.iter().filter(|file| !file.readable).collect();
        if files.is_empty() {
            return;
        }
        if !self.style.quiet {
            let heading = self.view.fill("report.heading.refused", &[&files.len().to_string()]);
            self.heading(&heading);
        }
        for file in files {
            if file.errors.is_empty() {
                self.file_error(file, None, self.view.word("report.refused"), None);
            }
            for error in &file.errors {
                self.file_error(file, error.line, &error.message, error.help.as_deref());
            }
        }
        if !self.style.quiet {
            self.blank();
        }
    }

    fn file_error(&mut self, file: &FileReport, line: Option<usize>, message: &str, help: Option<&str>) {
        let path = plain::line(&file.path);
        let place = line.map_or(path.clone(), |line| format!("{path}:{line}"));
        if self.style.quiet {
            return self.row(&format!("{place} {}", plain::line(message)));
        }
        self.row(&format!("  {place}"));
        self.paragraph(4, message);
        if let Some(help) = help {
            self.labelled(4, &format!("{}  ", self.view.word("report.label.remedy")), help);
        }
    }

    fn heading(&mut self, text: &str) {
        let text = self.paint.bold(Hue::Plain, text);
        self.row(&text);
    }

    fn summary(&mut self) {
        let totals = self.view.report.totals;
        let undetermined = totals.undetermined.to_string();
        if totals.error + totals.warning + totals.note == 0 {
            let said = match (totals.devices, totals.suppressed, totals.undetermined) {
                (0, ..) => self.view.word("report.verdict.nothing_judged").to_owned(),
                (_, 0, 0) => self.view.word("report.verdict.clean").to_owned(),
                (_, 0, _) => self.view.fill("report.verdict.clean_but", &[&undetermined]),
                (_, accepted, _) => self.view.fill("report.verdict.accepted", &[&accepted.to_string(), &undetermined]),
            };
            self.paragraph(0, &said);
            if totals.unreadable > 0 {
                let unreadable = self.view.fill("report.verdict.unreadable", &[&totals.unreadable.to_string()]);
                self.paragraph(0, &unreadable);
            }
        }
        let counts: Vec<String> = [(Severity::Error, totals.error), (Severity::Warning, totals.warning), (Severity::Note, totals.note)]
            .into_iter()
            .map(|(severity, count)| {
                let text = format!("{} {count}", self.view.severity(severity));
                if count > 0 && severity != Severity::Note { self.paint.bold(super::finding::hue(severity), &text) } else { text }
            })
            .collect();
        let looked_at = self.view.fill("report.summary.looked_at", &[&totals.files.to_string(), &totals.devices.to_string()]);
        let mut row = format!("{looked_at}  {}", counts.join("  "));
        row.push_str(&format!("  {}", self.view.fill("report.summary.undetermined", &[&undetermined])));
        for (key, count) in [("report.summary.suppressed", totals.suppressed), ("report.summary.unreadable", totals.unreadable)] {
            if count > 0 {
                row.push_str(&format!("  {}", self.view.fill(key, &[&count.to_string()])));
            }
        }
        self.row(&row);
        if self.style.quiet {
            return;
        }
        let coverage = self.coverage();
        self.paragraph(0, &coverage);
        let report = self.view.report;
        let dates = self.view.fill("report.summary.dates", &[&report.as_of, &report.data_as_of, report.version]);
        self.paragraph(0, &dates);
    }

    /// How much was understood of all files that could be judged.
    fn coverage(&self) -> String {
        let mut sum = CoverageCount::default();
        for file in self.view.report.files.iter().filter(|file| file.readable) {
            sum.statements = sum.statements.saturating_add(file.coverage.statements);
            sum.read = sum.read.saturating_add(file.coverage.read);
            sum.irrelevant = sum.irrelevant.saturating_add(file.coverage.irrelevant);
            sum.unrecognised = sum.unrecognised.saturating_add(file.coverage.unrecognised);
        }
        if sum.statements == 0 {
            return self.view.word("report.summary.no_statements").to_owned();
        }
        // Rounded down, so that 100 % means all of it.
        let permille = (u64::from(sum.read) + u64::from(sum.irrelevant)) * 1000 / u64::from(sum.statements);
        let share = format!("{}.{}", permille / 10, permille % 10);
        let counts = [sum.statements, sum.read, sum.irrelevant, sum.unrecognised].map(|count| count.to_string());
        self.view.fill("report.summary.coverage", &[&share, &counts[0], &counts[1], &counts[2], &counts[3]])
    }
}
