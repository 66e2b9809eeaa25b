//! Where a row of the rule list stands: floating rows are asked first and need not end the search, rows of interfaces look at packets
//! that come in.

use super::Lowering;
use crate::dialect::config_xml::address;
use crate::dialect::config_xml::rule::{Direction, Form, Place, Written, row};
use crate::ir::filter::IfMatch;
use crate::syntax::xml::Element;

/// Conditions that packets do not show.
const CONDITIONS: &[&str] = &["os", "dscp", "vlanprio", "tcpflags1", "tcpflags2"];

/// Whether some row of the list sets a tag before rows of interfaces are asked.
fn sets_tag(rules: &[Element<'_>], tag: &str) -> bool {
    rules.iter().any(|r| r.has("floating") && !r.has("disabled") && r.value("tag") == Some(tag))
}

/// Lowers a row.
pub(super) fn lower<'a>(l: &mut Lowering<'a>, rule: Element<'a>, number: usize, all: &[Element<'a>]) -> Written {
    for known in ["id", "statetype", "tag", "max", "max-src-nodes", "max-src-conn", "max-src-states", "statetimeout", "associated-rule-id"]
    {
        rule.child(known);
    }
    let floating = rule.has("floating");
    let named = rule.filled("interface");
    // A floating row without an interface speaks of all; any other without a known one is left out.
    let ingress = match l.interface_match(named) {
        IfMatch::These(list) if list.is_empty() && floating => IfMatch::Any,
        on => on,
    };
    let placed = floating || named.is_some() && ingress != IfMatch::These(Vec::new());
    if !placed && let Some(e) = named.filter(|e| l.cx.is_whole() && !l.cx.listed("vpn_tabs", e.text())) {
        address::undefined(l, "interface", e.text(), e.text_span());
    }
    let direction = match rule.value("direction") {
        _ if !floating => Direction::In,
        Some("in") => Direction::In,
        Some("out") => Direction::Out,
        _ => Direction::Both,
    };
    let place = Place {
        ingress,
        placed,
        direction,
        quick: !floating || rule.has("quick"),
        tag_is_set: rule.value("tagged").is_some_and(|tag| sets_tag(all, tag)),
        label: rule.value("descr").or_else(|| rule.value("tracker")).map_or_else(|| (number + 1).to_string(), str::to_owned),
        service: address::SECTION,
        conditions: CONDITIONS,
    };
    row(l, Form::Section, rule, place)
}
