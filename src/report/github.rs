//! Workflow commands of GitHub Actions: an annotation a finding, and one for each file that could not be judged.
//!
//! Not complete: a step shows ten annotations of a kind, so worst come first and accepted findings not at all.
//! Escaping and parameters as in GitHub's documentation of workflow commands and `actions/toolkit`. Invariant: nothing
//! but our own line breaks ends a command.

use super::plain;
use super::view::{Found, View, device_name};
use crate::finding::{Place, Report, Severity};

/// The report as workflow commands, one a line.
pub(super) fn render(report: &Report) -> String {
    let view = View::new(report);
    let files: Vec<_> = report.files.iter().collect();
    let mut out = String::new();
    let several = report.totals.devices > 1;
    for found in view.findings(&files) {
        let kind = match found.finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        finding(&mut out, &view, found, kind, several);
    }
    for file in files.iter().filter(|file| !file.readable) {
        let messages: Vec<&str> = match file.errors.is_empty() {
            true => vec![view.word("report.refused")],
            false => file.errors.iter().map(|error| error.message.as_str()).collect(),
        };
        let place = file.errors.iter().find_map(|error| error.line).map(|line| Place { line, column: 0, end_line: line, end_column: 0 });
        command(&mut out, "error", &file.path, place, "sekisho", &messages.join(" "));
    }
    for notice in &report.notices {
        command(&mut out, "notice", "", None, "sekisho", notice);
    }
    let totals = report.totals;
    let counts = [totals.files, totals.devices, totals.error, totals.warning, totals.note, totals.undetermined, totals.unreadable];
    let counts = counts.map(|count| count.to_string());
    let counts: Vec<&str> = counts.iter().map(String::as_str).collect();
    command(&mut out, "notice", "", None, "sekisho", &view.fill("report.github.summary", &counts));
    out
}

fn finding(out: &mut String, view: &View<'_>, found: Found<'_>, kind: &str, several: bool) {
    let finding = found.finding;
    let title = format!("{} {}", finding.rule, finding.name);
    let mut message = finding.message.clone();
    if several {
        message.push_str(&format!(" ({})", device_name(found.device)));
    }
    if let Some(remedy) = finding.remedies.first() {
        message.push_str(&format!("\n{}: {}", view.word("report.label.remedy"), remedy.text));
    }
    let (path, place) = match view.placed(found.file, &finding.primary) {
        Some((path, place)) => (path, Some(place)),
        None => (found.file.path.as_str(), None),
    };
    command(out, kind, path, place, &title, &message);
}

/// One command. A column of 0 stands for the whole line.
fn command(out: &mut String, kind: &str, path: &str, place: Option<Place>, title: &str, message: &str) {
    let mut parameters = Vec::new();
    // A member of an archive is no file of the repository; the archive is.
    let (file, member) = path.split_once("!/").map_or((path, None), |(archive, member)| (archive, Some(member)));
    if !file.is_empty() {
        parameters.push(format!("file={}", parameter(file)));
    }
    if let (Some(place), None) = (place, member) {
        parameters.push(format!("line={},endLine={}", place.line, place.end_line));
        // Columns are for annotations within one line.
        if place.column > 0 && place.line == place.end_line {
            parameters.push(format!("col={},endColumn={}", place.column, place.end_column));
        }
    }
    parameters.push(format!("title={}", parameter(title)));
    let at = match (member, place) {
        (Some(member), Some(place)) => format!("{member}:{}: ", place.line),
        (Some(member), None) => format!("{member}: "),
        (None, _) => String::new(),
    };
    out.push_str(&format!("::{kind} {}::{}\n", parameters.join(","), data(&format!("{at}{message}"))));
}

/// The message of a command. Its line breaks are kept, escaped.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| plain::line(line).replace('%', "%25")).collect();
    lines.join("%0A")
}

/// The value of a parameter.
fn parameter(text: &str) -> String {
    plain::line(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_early() {
        let mut out = String::new();
        let place = Place { line: 3, column: 2, end_line: 3, end_column: 9 };
        command(&mut out, "error", "a,b:c%.cfg", Some(place), "x\n::stop", "50%\r\n::set-env\u{1B}[2J\rz");
        assert_eq!(
            out,
            "::error file=a%2Cb%3Ac%25.cfg,line=3,endLine=3,col=2,endColumn=9,title=x %3A%3Astop::50%25%0A::set-env\u{241B}[2J\u{240D}z\n"
        );
    }

    #[test]
    fn columns_are_for_one_line_only() {
        let mut out = String::new();
        command(&mut out, "notice", "a", Some(Place { line: 1, column: 2, end_line: 4, end_column: 9 }), "t", "m");
        command(&mut out, "notice", "x/a.zip!/b:c", Some(Place { line: 1, column: 2, end_line: 1, end_column: 9 }), "t", "m");
        assert_eq!(out, "::notice file=a,line=1,endLine=4,title=t::m\n::notice file=x/a.zip,title=t::b:c:1: m\n");
    }
}
