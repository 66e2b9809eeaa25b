//! What the export is: the release behind its configuration revision, how much of the box it holds, what the product can do.
//!
//! `<version>` counts changes of the configuration's form; a table tells which release wrote which count. Backup tools write the
//! release itself into a comment.

use super::Lowering;
use crate::dialect::grammar::{Grammar, less};
use crate::ir::device::{Completeness, ExportForm, Precision, Version};
use crate::ir::fact::{Why, WhyCode};
use crate::ir::schema;
use crate::syntax::Tree;
use crate::syntax::xml::Element;
use std::collections::BTreeMap;

fn numbers(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|n| n.parse().ok()).collect()
}

/// The release.
pub(super) fn version(tree: &Tree<'_>, document: Option<Element<'_>>, grammar: &Grammar) -> Option<Version> {
    let element = document.and_then(|d| d.filled("version"));
    let product = grammar.file.identity.product.to_lowercase();
    for span in &tree.comments {
        let comment = span.slice(tree.text()).to_lowercase();
        let Some(at) = comment.find(&product) else { continue };
        let rest = comment[at + product.len()..].trim_start_matches(|c: char| !c.is_ascii_digit() && c != '\n');
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let text = rest[..end].trim_end_matches('.');
        if let Some(parts) = numbers(text).filter(|p| p.len() > 1) {
            return Some(Version { text: text.to_owned(), parts, precision: Precision::Exact, span: Some(*span) });
        }
    }
    let element = element?;
    let revision = numbers(element.text())?;
    let release = release(grammar, &revision)?;
    Some(Version {
        text: format!("{release} (config.xml {})", element.text()),
        parts: numbers(release)?,
        precision: Precision::Train,
        span: Some(element.span()),
    })
}

/// The train that wrote a configuration revision: between two revisions of one train it is that train, else nothing is known.
fn release<'g>(grammar: &'g Grammar, revision: &[u32]) -> Option<&'g str> {
    let rows = grammar.names("config_revisions").iter().filter_map(|row| row.split_once(' '));
    let rows: Vec<(Vec<u32>, &str)> = rows.filter_map(|(r, train)| Some((numbers(r)?, train))).collect();
    let before = rows.iter().rev().find(|(r, _)| !less(revision, r))?;
    let after = rows.iter().find(|(r, _)| !less(r, revision))?;
    (before.1 == after.1).then_some(before.1)
}

/// How much of the box the export holds. A document that ends is whole; a part of one is complete about the topics all of whose
/// sections it holds.
pub(super) fn completeness(tree: &Tree<'_>, document: Option<Element<'_>>, grammar: &Grammar) -> Completeness {
    let cut = tree.problems.iter().any(|p| matches!(p.code, "xml_cut_off" | "xml_given_up"));
    let form = match (document, cut) {
        (Some(_), false) => ExportForm::Full,
        (None, false) => ExportForm::Section,
        _ => ExportForm::Excerpt,
    };
    let mut gaps = BTreeMap::new();
    if form != ExportForm::Full {
        let above = document.map_or(tree.root(), |d| d.node);
        let there: Vec<&str> = above.children().map(|n| n.word_or_empty(0)).collect();
        // The last section of a file that was cut off is not all there.
        let whole = if cut { &there[..there.len().saturating_sub(1)] } else { &there[..] };
        for topic in schema::TOPICS {
            let needed = grammar.names("topic_sections").iter().filter_map(|row| row.split_once(' ')).filter(|(t, _)| t == topic);
            let absent = needed.flat_map(|(_, sections)| sections.split(' ')).find(|s| !whole.contains(s));
            if let Some(absent) = absent {
                gaps.insert(*topic, Why::new(WhyCode::NotExported, absent));
            }
        }
    }
    Completeness { form, gaps }
}

/// What the product can do.
pub(super) fn capabilities(l: &mut Lowering<'_>) {
    for name in schema::CAPABILITIES {
        l.device.capabilities.insert(*name, l.cx.behaviour(&format!("capability.{name}"), None));
    }
}
