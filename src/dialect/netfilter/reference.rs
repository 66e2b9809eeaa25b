//! Chains that nothing calls, and calls of chains that are not there.
//!
//! Base chains are called by the kernel. A part of a rule set proves neither, and neither does a table without any of them, as templates
//! have: what calls its chains, or is called by them, may stand elsewhere.

use super::{Lowering, Target};
use crate::ir::device::ExportForm;
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::system::{Definition, Undefined};
use std::collections::BTreeSet;

/// Fills what is defined and what is not.
pub fn fill(l: &mut Lowering<'_>) {
    let rules = l.rules;
    if rules.form == ExportForm::Excerpt {
        let why = || Why::at(WhyCode::NotExported, "chain", vec![rules.head]);
        l.device.definitions = List::partial(Vec::new(), why());
        l.device.undefined = List::partial(Vec::new(), why());
        return;
    }
    let mut uses = vec![0u32; rules.chains.len()];
    let mut undefined = Vec::new();
    let whole: BTreeSet<usize> = rules.chains.iter().filter(|c| c.base.is_some()).map(|c| c.table).collect();
    let chains = || rules.chains.iter().filter(|c| whole.contains(&c.table));
    for (table, row) in chains().flat_map(|c| c.rows.iter().map(|r| (c.table, r))) {
        let (Target::Jump(name) | Target::Goto(name)) = &row.target else { continue };
        match rules.find(table, name) {
            Some(ix) => uses[ix] += 1,
            // A name in capitals may be a target of an extension.
            None if name.chars().any(|c| c.is_ascii_lowercase()) => {
                let effect = Fact::unknown(Why::at(WhyCode::Unresolved, name.clone(), vec![row.span]));
                undefined.push(Undefined { kind: "filter", name: name.clone(), span: row.span, effect });
            }
            None => {}
        }
    }
    let own = rules
        .chains
        .iter()
        .zip(uses)
        .filter(|(c, _)| c.base.is_none() && whole.contains(&c.table) && rules.tables[c.table].family.is_some());
    let definitions =
        own.map(|(c, uses)| Definition { kind: "filter", name: c.name.clone(), span: c.span, builtin: false, uses }).collect();
    let evidence = Origin::Written(rules.head);
    l.device.definitions = List::complete(definitions, evidence.clone());
    l.device.undefined = List::complete(undefined, evidence);
}
