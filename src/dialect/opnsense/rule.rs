//! Where a row of the rule list stands, of the section or of the model. In the model that follows from how many interfaces it names.

use super::Lowering;
use crate::dialect::config_xml::address;
use crate::dialect::config_xml::context::names;
use crate::dialect::config_xml::rule::{Direction, Form, Place, Written, row};
use crate::ir::filter::IfMatch;
use crate::ir::interface::InterfaceIx;
use crate::syntax::xml::Element;

/// Conditions that packets do not show.
const CONDITIONS: &[&str] = &["os", "prio", "tos", "tcpflags1", "tcpflags2"];

/// Whether a row is asked before those of interfaces.
pub(super) fn is_floating(l: &Lowering<'_>, rule: Element<'_>, form: Form) -> bool {
    match form {
        Form::Section => l.cx.on(rule, "floating"),
        Form::Model => l.cx.on(rule, "interfacenot") || names(rule.value("interface").unwrap_or("")).count() != 1,
    }
}

/// Whether some row of the list sets a tag before rows of interfaces are asked.
fn sets_tag(l: &Lowering<'_>, rules: &[(Form, Element<'_>)], tag: &str) -> bool {
    rules.iter().any(|(form, r)| is_floating(l, *r, *form) && r.value("tag") == Some(tag))
}

/// Lowers a row.
pub(super) fn lower<'a>(l: &mut Lowering<'a>, (form, rule): (Form, Element<'a>), number: usize, all: &[(Form, Element<'a>)]) -> Written {
    let floating = is_floating(l, rule, form);
    let named = rule.filled("interface");
    let mut ingress = l.interface_match(named);
    if l.cx.on(rule, "interfacenot")
        && let IfMatch::These(list) = &ingress
    {
        let others = (0..l.device.interfaces.len() as u32).map(InterfaceIx).filter(|ix| !list.contains(ix));
        ingress = IfMatch::These(others.collect());
    }
    // Of several interfaces those that exist count; a row with none of them is left out.
    let missing = named.is_some_and(|e| !names(e.text()).any(|n| l.is_known_interface(n))) && l.cx.is_whole();
    if missing && let Some(e) = named {
        address::undefined(l, "interface", e.text(), e.text_span());
    }
    let direction = match rule.value("direction") {
        Some("out") => Direction::Out,
        Some("any") => Direction::Both,
        // What is not written: rows of interfaces look at packets coming in, floating rows of the section at both.
        None if floating && form == Form::Section => Direction::Both,
        _ => Direction::In,
    };
    let label = rule.value("descr").or_else(|| rule.value("description"));
    let place = Place {
        ingress,
        placed: !missing,
        direction,
        quick: match rule.filled("quick") {
            Some(e) => e.text() != "0" && e.text() != "no",
            None => form == Form::Model || !floating,
        },
        tag_is_set: rule.value("tagged").is_some_and(|tag| sets_tag(l, all, tag)),
        label: label.map_or_else(|| (number + 1).to_string(), str::to_owned),
        service: if form == Form::Model { address::MODEL } else { address::SECTION_APART },
        conditions: CONDITIONS,
    };
    row(l, form, rule, place)
}
