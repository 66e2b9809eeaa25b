//! Names: which aliases nothing uses. Sections that are not read (packages, routes) may name an alias too, so the whole export is asked.

use super::{Lowering, alias};
use std::collections::HashSet;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    alias::definitions(l);
    let unused: HashSet<String> = l.device.definitions.iter().filter(|d| d.uses == 0).map(|d| d.name.clone()).collect();
    if unused.is_empty() {
        return;
    }
    let mut named: HashSet<&str> = HashSet::new();
    for node in l.cx.tree.statements().filter(|n| n.len() > 1) {
        // The name itself, and the texts beside it, are no use.
        let own = node.parent().is_some_and(|p| p.word(0) == Some("alias")) && node.word(0) != Some("address");
        if !own && !matches!(node.word(0), Some("descr" | "description" | "detail")) {
            let words = node.word_or_empty(1).split([',', ' ', ';', '\n', '|']).map(str::trim);
            named.extend(words.filter(|w| unused.contains(*w)));
        }
    }
    for definition in l.device.definitions.items.iter_mut().filter(|d| named.contains(d.name.as_str())) {
        definition.uses += 1;
    }
}
