//! The release, and whether an export is the whole box.
//!
//! The product does not write its release into `config.xml`. Backup tools append it as a comment, generators put it into `<version>`;
//! in old files that element is a revision of the form and far below any release.

use crate::dialect::config_xml::identity::{in_comments, numbers};
use crate::dialect::grammar::Grammar;
use crate::ir::device::{Precision, Version};
use crate::syntax::Tree;
use crate::syntax::xml::Element;

/// Year of the first release, and the months in which there are releases (business editions in April and October).
const FIRST: u32 = 15;
const MONTHS: [u32; 4] = [1, 4, 7, 10];

/// `26.1.6`, if it can be a release.
fn release(text: &str) -> Option<Vec<u32>> {
    let parts = numbers(text)?;
    match parts.as_slice() {
        [year, month, ..] if (FIRST..100).contains(year) && MONTHS.contains(month) => Some(parts),
        _ => None,
    }
}

/// The release.
pub(super) fn version(tree: &Tree<'_>, document: Option<Element<'_>>, grammar: &Grammar) -> Option<Version> {
    for (text, span) in in_comments(tree, grammar) {
        if let Some(parts) = release(&text) {
            let precision = if parts.len() > 2 { Precision::Exact } else { Precision::Train };
            return Some(Version { text, parts, precision, span: Some(span) });
        }
    }
    let element = document?.filled("version")?;
    let parts = release(element.text())?;
    Some(Version { text: element.text().to_owned(), parts, precision: Precision::Train, span: Some(element.span()) })
}

/// A document with a `system` section is whole, but for one thing: rows with a `uuid` are written by releases whose models stand below
/// `<OPNsense>`, so that a file without that part was cut.
pub(super) fn is_whole(document: Element<'_>, there: &[&str]) -> bool {
    there.contains(&"system") && (there.contains(&"OPNsense") || !written_by_models(document))
}

/// Whether rows of the old rule list carry the mark that only releases with models write.
fn written_by_models(document: Element<'_>) -> bool {
    let rules = document.node.children().filter(|n| n.word(0) == Some("filter")).flat_map(|f| f.children());
    rules.filter(|r| r.word(0) == Some("rule")).any(|r| r.children().any(|c| c.word(0) == Some("@uuid")))
}
