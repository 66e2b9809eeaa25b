//! Items of the notices, the checklist and the guideline, from `rules/controls.toml`; rules name them by id.

use crate::dialect::grammar::Localized;
use serde::Deserialize;
use std::sync::OnceLock;

/// An item.
#[derive(Debug)]
pub struct Control {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: Localized,
    /// What an export alone can say about it: `full`, `part` or `none`.
    pub decidable: String,
    /// What else is to be known.
    pub note: Option<Localized>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "control")]
    controls: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    ja: String,
    en: String,
    decidable: String,
    #[serde(default)]
    note: Option<Localized>,
}

/// All items, in the order of the file. A test checks that the file can be read.
pub fn controls() -> &'static [Control] {
    static CONTROLS: OnceLock<Vec<Control>> = OnceLock::new();
    CONTROLS.get_or_init(|| {
        let file = toml::from_str::<File>(include_str!("../../rules/controls.toml"));
        let rows = file.map(|f| f.controls).unwrap_or_default();
        rows.into_iter()
            .map(|r| Control { id: r.id, title: Localized { ja: r.ja, en: r.en }, decidable: r.decidable, note: r.note })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_items_can_be_read_and_are_unique() {
        let mut ids: Vec<&str> = controls().iter().map(|c| c.id.as_str()).collect();
        assert!(ids.len() > 30);
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(controls().iter().all(|c| ["full", "part", "none"].contains(&c.decidable.as_str())));
    }
}
