//! One finding for people: tag, sentence, framed lines, the rest of the proof, remedies and grounds.
//!
//! Decides what is shown in the frame and what is listed below it. Invariant: a label is in the frame or in the list,
//! or counted.

use super::frame::{Mark, frame};
use super::paint::Hue;
use super::{Page, plain};
use crate::finding::{Confidence, FileReport, Finding, Label, Place, Severity};
use crate::report::view::{Found, device_name, same_span};
use crate::source::Span;

/// Lines from the first mark within which a related line stands in the frame.
const NEAR: usize = 8;
/// Related lines in a frame.
const FRAMED: usize = 3;

impl Page<'_> {
    /// `path:line:column severity[ID name] message`, on one line whatever the width.
    pub(super) fn one_line(&mut self, found: Found<'_>) {
        let finding = found.finding;
        let place = self.place(found).unwrap_or_else(|| plain::line(&found.file.path));
        let device = if self.several { format!(" ({})", plain::line(&device_name(found.device))) } else { String::new() };
        let tag = self.tag(finding);
        self.row(&format!("{place} {tag} {}{device}", plain::line(&finding.message)));
    }

    /// A finding in full, or compact where it is no error.
    pub(super) fn finding(&mut self, found: Found<'_>) {
        let finding = found.finding;
        let full = finding.severity == Severity::Error || self.style.verbose;
        let device = if self.several { format!("  {}", plain::line(&device_name(found.device))) } else { String::new() };
        let tag = self.tag(finding);
        self.row(&format!("{tag}{device}"));
        for line in plain::wrap(&plain::line(&finding.message), self.width().saturating_sub(2)) {
            let line = if full { self.paint.bold(Hue::Plain, &line) } else { line };
            self.row(&format!("  {line}"));
        }
        let told = self.framed(found);
        let most = match (self.style.verbose, full) {
            (true, _) => usize::MAX,
            (false, true) => 6,
            (false, false) => 3,
        };
        self.listed(found, &told, most.saturating_sub(told.iter().filter(|told| **told).count()));
        self.grounds(finding, full);
    }

    fn tag(&self, finding: &Finding) -> String {
        let word = self.view.severity(finding.severity);
        format!("{}[{} {}]", self.paint.bold(hue(finding.severity), word), plain::line(&finding.rule), plain::line(&finding.name))
    }

    /// Path, line and column of a finding.
    fn place(&self, found: Found<'_>) -> Option<String> {
        let (path, place) = self.view.placed(found.file, &found.finding.primary)?;
        Some(format!("{}:{}:{}", plain::line(path), place.line, place.column))
    }

    /// The frame around the first line and what is near it. Says which related labels it tells.
    fn framed(&mut self, found: Found<'_>) -> Vec<bool> {
        let finding = found.finding;
        let mut told = vec![false; finding.related.len()];
        let Some(place) = self.place(found) else { return told };
        let primary = finding.primary.span.and_then(|span| Some((span, self.view.masked(span.file)?)));
        let Some((span, masked)) = primary else {
            self.row(&format!("  --> {place}"));
            return told;
        };
        let line = masked.window(span, 0).first_line();
        let text = plain::line(&finding.primary.text);
        let near: Vec<(usize, Mark<'_>, String)> = finding
            .related
            .iter()
            .enumerate()
            .filter_map(|(index, label)| Some((index, label.span?, label)))
            .filter(|(_, other, label)| other.file == span.file && *other != span && !label.text.is_empty())
            .filter(|(_, other, _)| masked.window(*other, 0).first_line().abs_diff(line) <= NEAR)
            .take(FRAMED)
            .map(|(index, span, label)| (index, Mark { span, text: "", hue: Hue::Cyan }, plain::line(&label.text)))
            .collect();
        let mut marks = vec![Mark { span, text: &text, hue: hue(finding.severity) }];
        marks.extend(near.iter().map(|(_, mark, text)| Mark { span: mark.span, text, hue: mark.hue }));
        let frame = frame(masked, &place, &marks, self.view.word("report.here"), self.look());
        for (number, (index, ..)) in near.iter().enumerate() {
            told[*index] = !frame.untold.contains(&(number + 1));
        }
        for row in frame.rows {
            self.row(row.trim_end());
        }
        if frame.untold.contains(&0) && finding.primary.text != finding.title {
            self.paragraph(4, &finding.primary.text);
        }
        told
    }

    /// The related labels that are not in the frame, at most so many.
    fn listed(&mut self, found: Found<'_>, told: &[bool], most: usize) {
        let finding = found.finding;
        let repeats = |label: &Label| same_span(label.span, finding.primary.span) && label.text == finding.primary.text;
        let rest: Vec<&Label> =
            finding.related.iter().zip(told).filter(|(label, told)| !**told && !repeats(label)).map(|(label, _)| label).collect();
        for label in rest.iter().take(most) {
            self.listed_label(found, label);
        }
        if rest.len() > most {
            let more = self.view.fill("report.more.lines", &[&(rest.len() - most).to_string()]);
            self.row(&format!("  = {more}"));
        }
    }

    /// A line of a story.
    pub(super) fn hop_line(&mut self, file: &FileReport, label: &Label) {
        self.line_of(file, label, None);
    }

    fn listed_label(&mut self, found: Found<'_>, label: &Label) {
        self.line_of(found.file, label, found.finding.primary.span);
    }

    /// `= line 40  the line's text  <- what it means`, on two lines where one is too short. The line that stands in a frame is not repeated.
    fn line_of(&mut self, file: &FileReport, label: &Label, framed: Option<Span>) {
        let Some((path, place)) = self.view.placed(file, label) else {
            return self.labelled(2, "= ", &label.text);
        };
        let line = place.line.to_string();
        let at = if path == file.path { self.view.fill("report.at.line", &[&line]) } else { format!("{}:{line}", plain::line(path)) };
        let room = self.width().saturating_sub(plain::width(&at) + 6);
        let same = same_span(label.span, framed);
        let snippet = label.span.filter(|_| !same).map_or(String::new(), |span| self.snippet(span, place, room));
        let text = plain::line(&label.text);
        let lead = format!("  = {}", self.paint.bold(Hue::Cyan, &at));
        if snippet.is_empty() {
            let mut lines = plain::wrap(&text, room).into_iter();
            self.row(format!("{lead}  {}", lines.next().unwrap_or_default()).trim_end());
            for line in lines {
                self.row(&format!("{}{line}", " ".repeat(plain::width(&at) + 6)));
            }
            return;
        }
        let arrow = self.arrow();
        if plain::width(&snippet) + plain::width(&text) + 6 <= room {
            let told = if text.is_empty() { String::new() } else { format!("  {arrow} {text}") };
            return self.row(&format!("{lead}  {snippet}{told}"));
        }
        self.row(&format!("{lead}  {snippet}"));
        self.labelled(6, &format!("{arrow} "), &text);
    }

    /// The line of a place where it is short enough to leave room for a sentence, else the part that is meant.
    fn snippet(&self, span: Span, place: Place, room: usize) -> String {
        let Some(masked) = self.view.masked(span.file) else { return String::new() };
        let line = plain::line(masked.line(place.line).trim());
        if place.line == place.end_line && plain::width(&line) <= room * 2 / 3 {
            return line;
        }
        plain::clip(&masked.snippet(span, room), room)
    }

    /// What to do, and what the finding rests on.
    fn grounds(&mut self, finding: &Finding, full: bool) {
        if self.style.verbose && !finding.why.is_empty() {
            self.said("report.label.why", &finding.why);
        }
        for (index, remedy) in finding.remedies.iter().enumerate() {
            if index > 0 && !full {
                break;
            }
            self.said("report.label.remedy", &remedy.text);
            if !(full && (index == 0 || self.style.verbose)) {
                continue;
            }
            let indent = " ".repeat(self.label_columns() + 4);
            for command in plain::lines(remedy.commands.as_deref().unwrap_or("")) {
                let command = self.paint.command(&command);
                self.row(format!("{indent}{command}").trim_end());
            }
            if let Some(note) = &remedy.note {
                self.said("report.label.caution", note);
            }
        }
        if let (Some(witness), true) = (&finding.witness, full) {
            let service = witness.port.map_or(witness.protocol.to_string(), |port| format!("{}/{port}", witness.protocol));
            let source = witness.source.to_string();
            let said = match witness.destination {
                Some(destination) => self.view.fill("report.witness.to", &[&source, &destination.to_string(), &service]),
                None => self.view.fill("report.witness.any", &[&source, &service]),
            };
            self.said("report.label.witness", &said);
        }
        match finding.confidence {
            Confidence::Certain => {}
            Confidence::Default => self.said("report.label.basis", self.view.word("report.confidence.default")),
            Confidence::Inferred => self.said("report.label.basis", self.view.word("report.confidence.inferred")),
        }
        if full && !finding.controls.is_empty() {
            self.said("report.label.controls", &finding.controls.join(", "));
        }
        if self.style.verbose {
            self.said("report.label.fingerprint", &finding.fingerprint);
        }
    }

    fn said(&mut self, label: &'static str, text: &str) {
        let label = plain::pad(self.view.word(label), self.label_columns() + 2);
        let bare = plain::line(text);
        // Painting is done behind the measuring: escapes have no width.
        let columns = plain::width(&label) + 2;
        for (index, line) in plain::wrap(&bare, self.width().saturating_sub(columns)).into_iter().enumerate() {
            let lead = if index == 0 { format!("  {}", self.paint.dim(&label)) } else { " ".repeat(columns) };
            self.row(format!("{lead}{line}").trim_end());
        }
    }

    fn label_columns(&self) -> usize {
        let labels = ["report.label.remedy", "report.label.witness", "report.label.controls", "report.label.basis"];
        labels.into_iter().map(|label| plain::width(self.view.word(label))).max().unwrap_or(0)
    }
}

pub(super) fn hue(severity: Severity) -> Hue {
    match severity {
        Severity::Error => Hue::Red,
        Severity::Warning => Hue::Yellow,
        Severity::Note => Hue::Cyan,
    }
}
