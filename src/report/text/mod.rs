//! The form for people on a terminal: worst first, each finding with its lines, its proof and its remedy, then what
//! could not be told, and a summary.
//!
//! Not for programs: its shape may change. Invariants: no secret and no control character of a configuration gets
//! through; lines are broken to the width asked for (paths and commands, which are copied, are not).

mod finding;
mod frame;
mod paint;
mod summary;

use super::plain;
use super::view::{Found, View, device_name};
use crate::finding::{FileReport, Report, Severity};
use frame::Look;
use paint::{Hue, Paint};
use rayon::prelude::*;

/// The narrowest page that is laid out; on a narrower terminal lines run over.
const NARROWEST: usize = 40;
/// Devices named at the head of a file.
const DEVICES: usize = 8;

/// How the text form looks.
#[derive(Clone, Copy, Debug)]
pub struct TextStyle {
    /// Whether to use colours of ANSI terminals.
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to draw with ASCII characters only.
    pub ascii: bool,
    /// Whether to say everything: reasons, all remedies, notes in full, every undetermined outcome.
    pub verbose: bool,
    /// Whether to say only errors and warnings, one line each.
    pub quiet: bool,
}

/// The report for people.
pub(super) fn render(report: &Report, style: &TextStyle) -> String {
    let view = View::new(report);
    let several = report.files.iter().map(|file| file.devices.len()).sum::<usize>() > 1;
    let page = || Page { view: &view, style: *style, paint: Paint { on: style.colour }, several, out: String::new() };
    let mut groups: Vec<(Vec<&FileReport>, Vec<Found<'_>>)> = Vec::new();
    for files in report.files.chunk_by(|one, next| one.path == next.path) {
        let files: Vec<&FileReport> = files.iter().collect();
        let found = view.findings(&files);
        groups.push((files, found));
    }
    groups.sort_by_key(|(_, found)| std::cmp::Reverse(found.first().map(|found| found.finding.severity)));
    // Each file begins its part with its head, whatever stands before it.
    let part = |(files, found): (Vec<&FileReport>, Vec<Found<'_>>)| {
        let mut page = page();
        page.file(&files, found);
        page.out
    };
    let parts: Vec<String> = groups.into_par_iter().map(part).collect();
    let mut page = Page { out: parts.concat(), ..page() };
    page.rest();
    page.out
}

/// The page while it is written.
struct Page<'a> {
    view: &'a View<'a>,
    style: TextStyle,
    paint: Paint,
    /// Whether there are several devices, so that findings have to name theirs.
    several: bool,
    out: String,
}

impl Page<'_> {
    /// The findings of all exports in one file.
    fn file(&mut self, files: &[&FileReport], found: Vec<Found<'_>>) {
        if self.style.quiet {
            for found in found.iter().filter(|found| found.finding.severity > Severity::Note) {
                self.one_line(*found);
            }
            return;
        }
        if found.is_empty() {
            return;
        }
        self.head(files);
        let (notes, framed): (Vec<Found<'_>>, Vec<Found<'_>>) =
            found.into_iter().partition(|found| found.finding.severity == Severity::Note && !self.style.verbose);
        for found in framed {
            self.finding(found);
            self.blank();
        }
        for found in &notes {
            self.one_line(*found);
        }
        if !notes.is_empty() {
            self.blank();
        }
    }

    /// The path, and each device with how much was found on it.
    fn head(&mut self, files: &[&FileReport]) {
        let path = files.first().map_or(String::new(), |file| plain::line(&file.path));
        let path = self.paint.bold(Hue::Plain, &path);
        self.row(&path);
        let devices: Vec<_> = files.iter().flat_map(|file| &file.devices).collect();
        for device in devices.iter().take(DEVICES) {
            let counts = Severity::ALL.into_iter().filter_map(|severity| {
                let count = device.findings.iter().filter(|f| f.severity == severity && f.suppressed.is_none()).count();
                (count > 0).then(|| format!("{} {count}", self.view.severity(severity)))
            });
            let mut product = vec![device.vendor.clone(), device.product.clone()];
            product.extend(device.os_version.clone());
            product.extend(device.model.as_ref().map(|model| format!("({model})")));
            product.retain(|part| !part.is_empty());
            let parts = [plain::line(&device_name(device)), plain::line(&product.join(" "))].into_iter().chain(counts);
            let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
            self.row(&format!("  {}", parts.join("  ")));
        }
        if devices.len() > DEVICES {
            let more = self.view.fill("report.more.devices", &[&(devices.len() - DEVICES).to_string()]);
            self.row(&format!("  {more}"));
        }
        if self.style.verbose {
            for file in files {
                self.detection(file);
            }
        }
        self.blank();
    }

    /// Why a file was taken for its dialect.
    fn detection(&mut self, file: &FileReport) {
        let (Some(dialect), Some(detection)) = (&file.dialect, &file.detection) else { return };
        let signs: Vec<String> = detection
            .signs
            .iter()
            .map(|(line, points)| self.view.fill("report.detection.sign", &[&line.to_string(), &format!("{points:+}")]))
            .collect();
        let signs = signs.join(self.view.word("report.layout.list"));
        let mut text =
            self.view.fill("report.detection.taken", &[dialect, &detection.points.to_string(), &detection.enough.to_string(), &signs]);
        if let Some((name, points, enough)) = &detection.runner_up {
            text.push(' ');
            text.push_str(&self.view.fill("report.detection.next", &[name, &points.to_string(), &enough.to_string()]));
        }
        self.paragraph(2, &text);
    }

    fn row(&mut self, row: &str) {
        self.out.push_str(row);
        self.out.push('\n');
    }

    /// An empty line, unless there is one or the page starts here.
    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A text behind a label, broken to the width, later lines under the text.
    fn labelled(&mut self, indent: usize, label: &str, text: &str) {
        let lead = format!("{}{label}", " ".repeat(indent));
        let columns = plain::width(&lead);
        for (index, line) in plain::wrap(&plain::line(text), self.width().saturating_sub(columns)).into_iter().enumerate() {
            let lead = if index == 0 { lead.clone() } else { " ".repeat(columns) };
            self.row(format!("{lead}{line}").trim_end());
        }
    }

    /// A wrapped paragraph.
    fn paragraph(&mut self, indent: usize, text: &str) {
        self.labelled(indent, "", text);
    }

    fn width(&self) -> usize {
        self.style.width.max(NARROWEST)
    }

    fn look(&self) -> Look {
        Look { colour: self.style.colour, ascii: self.style.ascii, width: self.width() }
    }

    /// The sign between a line and what is said about it.
    fn arrow(&self) -> &'static str {
        if self.style.ascii { "<-" } else { "\u{2190}" }
    }
}
