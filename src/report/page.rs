//! Lines of text for people, broken to a width: what the text forms of `reach` and `diff` share.
//!
//! Invariant: everything that goes in comes out safe to print.

use super::plain;
use crate::answer::{Block, Line};
use crate::finding::Lang;
use crate::ir::record::Witness;
use crate::texts::texts;

/// Blocks shown of one set.
const BLOCKS: usize = 12;
/// Parts of a set in words that are shown; longer ones are cut.
const WORDS: usize = 240;

/// A page while it is written.
pub(super) struct Page {
    pub(super) lang: Lang,
    pub(super) width: usize,
    pub(super) out: String,
}

impl Page {
    pub(super) fn get(&self, key: &'static str) -> &'static str {
        texts().get(self.lang, key)
    }

    pub(super) fn fill(&self, key: &str, args: &[&str]) -> String {
        texts().fill(self.lang, key, args)
    }

    /// A line as it is.
    pub(super) fn row(&mut self, text: &str) {
        self.out.push_str(plain::line(text).trim_end());
        self.out.push('\n');
    }

    /// An empty line, unless there is one or the page starts here.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A text behind a label, broken to the width, later lines under the text.
    pub(super) fn labelled(&mut self, indent: usize, label: &str, text: &str) {
        let lead = format!("{}{label}", " ".repeat(indent));
        let columns = plain::width(&lead);
        for (index, line) in plain::wrap(&plain::line(text), self.width.saturating_sub(columns)).into_iter().enumerate() {
            let lead = if index == 0 { lead.clone() } else { " ".repeat(columns) };
            self.row(&format!("{lead}{line}"));
        }
    }

    /// A labelled text in the column that all labels of a block share.
    pub(super) fn said(&mut self, indent: usize, label: &'static str, text: &str) {
        let all = ["reach.label.packet", "reach.label.reason", "reach.label.when"];
        let room = all.into_iter().map(|key| plain::width(self.get(key))).max().unwrap_or(0);
        let label = plain::pad(self.get(label), room + 2);
        self.labelled(indent, &label, text);
    }

    /// Which packets.
    pub(super) fn blocks(&mut self, indent: usize, blocks: &[Block]) {
        let mut when: &[String] = &[];
        for block in blocks.iter().take(BLOCKS) {
            if block.when != when {
                when = &block.when;
                let text = block.when.join(" / ");
                self.said(indent, "reach.label.when", &text);
            }
            let cut = |text: &str| plain::clip(text, WORDS);
            let key = if block.sure { "reach.block.sure" } else { "reach.block.maybe" };
            let text = self.fill(key, &[&cut(&block.sources_text), &cut(&block.destinations_text), &cut(&block.services_text)]);
            self.labelled(indent, "", &text);
        }
        if blocks.len() > BLOCKS {
            let text = self.fill("reach.set.more", &[&(blocks.len() - BLOCKS).to_string()]);
            self.labelled(indent, "", &text);
        }
    }

    /// An example packet, and what becomes of it.
    pub(super) fn packet(&mut self, indent: usize, witness: &Witness, key: &'static str) {
        let protocol = match witness.protocol.as_ref() {
            "47" => "gre",
            "50" => "esp",
            "51" => "ah",
            other => other,
        };
        let service = witness.port.map_or_else(|| protocol.to_owned(), |port| format!("{protocol}/{port}"));
        let to = witness.destination.map_or_else(|| self.get("reach.set.own").to_owned(), |d| d.to_string());
        let text = self.fill(key, &[&witness.source.to_string(), &to, &service]);
        self.said(indent, "reach.label.packet", &text);
    }

    /// The lines of a proof.
    pub(super) fn lines(&mut self, indent: usize, lines: &[Line]) {
        for line in lines {
            self.line(indent, line);
        }
    }

    /// `= line 40  the line's text  <- what it means`, on two lines where one is too short.
    pub(super) fn line(&mut self, indent: usize, line: &Line) {
        let Some(place) = line.place else { return self.labelled(indent, "= ", &line.label) };
        let at = self.fill("report.at.line", &[&place.line.to_string()]);
        self.placed(indent, &at, line);
    }

    /// A line of an export behind the words that say which line it is.
    pub(super) fn placed(&mut self, indent: usize, at: &str, line: &Line) {
        let lead = format!("{}= {at}  ", " ".repeat(indent));
        let room = self.width.saturating_sub(plain::width(&lead));
        let excerpt = plain::clip(&plain::line(&line.excerpt), room);
        let label = plain::line(&line.label);
        if label.is_empty() {
            return self.row(&format!("{lead}{excerpt}"));
        }
        if plain::width(&excerpt) + plain::width(&label) + 4 <= room {
            return self.row(&format!("{lead}{excerpt}  \u{2190} {label}"));
        }
        self.row(&format!("{lead}{excerpt}"));
        self.labelled(indent + 4, "\u{2190} ", &label);
    }
}
