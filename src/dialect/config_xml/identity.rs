//! What an export is: how much of the box it holds, a release that a backup tool wrote beside it, what the product can do.
//!
//! What the elements of the export say of the release is the product's own and stands in its folder.

use super::{Lowering, Product};
use crate::dialect::grammar::Grammar;
use crate::ir::device::{Completeness, ExportForm};
use crate::ir::fact::{Why, WhyCode};
use crate::ir::schema;
use crate::source::Span;
use crate::syntax::Tree;
use crate::syntax::xml::Element;
use std::collections::BTreeMap;

/// A release as numbers.
pub(in crate::dialect) fn numbers(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|n| n.parse().ok()).collect()
}

/// What a backup tool wrote into a comment after the product's name, as it stands there: digits and dots.
pub(in crate::dialect) fn in_comments(tree: &Tree<'_>, grammar: &Grammar) -> impl Iterator<Item = (String, Span)> {
    let product = grammar.file.identity.product.to_lowercase();
    tree.comments.iter().filter_map(move |span| {
        let comment = span.slice(tree.text()).to_lowercase();
        let at = comment.find(&product)?;
        let rest = comment[at + product.len()..].trim_start_matches(|c: char| !c.is_ascii_digit() && c != '\n');
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        Some((rest[..end].trim_end_matches('.').to_owned(), *span))
    })
}

/// How much of the box the export holds. A part is complete about the topics all of whose sections it holds.
pub(super) fn completeness(tree: &Tree<'_>, document: Option<Element<'_>>, grammar: &Grammar, product: &Product) -> Completeness {
    let cut = tree.problems.iter().any(|p| matches!(p.code, "xml_cut_off" | "xml_given_up"));
    let above = document.map_or(tree.root(), |d| d.node);
    let there: Vec<&str> = above.children().map(|n| n.word_or_empty(0)).collect();
    let form = match (document, cut) {
        (Some(document), false) if (product.is_whole)(document, &there) => ExportForm::Full,
        (None, false) => ExportForm::Section,
        _ => ExportForm::Excerpt,
    };
    let mut gaps = BTreeMap::new();
    if form != ExportForm::Full {
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
