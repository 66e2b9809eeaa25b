//! Interface lists: the included lists, less the excluded ones, and then the members that rows name. So a row beats `exclude`, and
//! `include=all` puts every interface into a list, the outside ones too.

use super::Export;
use super::interface::{Interfaces, export_enabled};
use crate::source::Span;
use std::collections::{BTreeSet, HashMap};

/// Deeper inclusion of lists than anybody writes.
const DEPTH: usize = 16;

/// Fills the lists.
pub fn collect(export: &Export<'_>, all: &mut Interfaces, servers: &[(String, Span, Option<String>)]) {
    let mut rows: HashMap<String, (Vec<String>, Vec<String>)> = HashMap::new();
    let mut members: HashMap<String, BTreeSet<u32>> = HashMap::new();
    for item in export.menus.items("/interface list") {
        let Some(name) = item.text("name").map(|v| v.text).or_else(|| item.condition("name")) else { continue };
        let of = |key: &str| item.text(key).map(|v| v.parts().map(str::to_owned).collect()).unwrap_or_default();
        let _ = item.get("include").or(item.get("exclude")).or(item.get("comment"));
        rows.insert(name.to_owned(), (of("include"), of("exclude")));
    }
    for row in export.menus.rows("/interface list member") {
        let (Some(list), Some(interface)) = (row.text("list"), row.text("interface")) else { continue };
        if export_enabled(export, row, "interface list member").value.is_false() {
            continue;
        }
        let Some(ix) = all.named(interface.text) else { continue };
        members.entry(list.text.to_owned()).or_default().insert(ix.0);
    }
    for (name, _, list) in servers {
        if let (Some(ix), Some(list)) = (all.named(name), list) {
            members.entry(list.clone()).or_default().insert(ix.0);
        }
    }
    for name in members.keys() {
        rows.entry(name.clone()).or_default();
    }
    let names: Vec<String> = rows.keys().cloned().collect();
    let mut budget = 100_000;
    for name in names {
        let set = list_of(all, &rows, &members, &name, 0, &mut budget);
        all.lists.insert(name, set);
    }
}

type ListRows = HashMap<String, (Vec<String>, Vec<String>)>;

fn list_of(
    all: &Interfaces,
    rows: &ListRows,
    members: &HashMap<String, BTreeSet<u32>>,
    name: &str,
    depth: usize,
    budget: &mut u32,
) -> BTreeSet<u32> {
    let mut set = BTreeSet::new();
    *budget = budget.saturating_sub(1);
    if depth < DEPTH && *budget > 0 {
        let Some((include, exclude)) = rows.get(name) else { return all.of_list(name).unwrap_or_default() };
        for part in include {
            set.extend(list_of(all, rows, members, part, depth + 1, budget));
        }
        for part in exclude {
            for ix in list_of(all, rows, members, part, depth + 1, budget) {
                set.remove(&ix);
            }
        }
    }
    set.extend(members.get(name).into_iter().flatten());
    set
}
