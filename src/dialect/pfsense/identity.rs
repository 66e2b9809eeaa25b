//! The release behind the configuration revision of an export.
//!
//! `<version>` counts changes of the configuration's form; a table tells which release wrote which count. Backup tools write the
//! release itself into a comment.

use crate::dialect::config_xml::identity::{in_comments, numbers};
use crate::dialect::grammar::{Grammar, less};
use crate::ir::device::{Precision, Version};
use crate::syntax::Tree;
use crate::syntax::xml::Element;

/// The release.
pub(super) fn version(tree: &Tree<'_>, document: Option<Element<'_>>, grammar: &Grammar) -> Option<Version> {
    let element = document.and_then(|d| d.filled("version"));
    for (text, span) in in_comments(tree, grammar) {
        if let Some(parts) = numbers(&text).filter(|p| p.len() > 1) {
            return Some(Version { text, parts, precision: Precision::Exact, span: Some(span) });
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
