//! Method lists: how a login is checked, in which order.
//!
//! Without `aaa new-model` a line's own words decide. With it they are void, the list a line names or else the default list
//! decides, and where there is none: the local accounts on network lines, nothing on the console.

use super::Export;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::source::Span;
use crate::syntax::Node;

/// One method of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// The accounts of the box.
    Local,
    /// The line's password.
    Line,
    /// The password of the privileged mode.
    Enable,
    /// Servers, by the name of their group.
    Group(String),
    /// Nothing is asked.
    None,
}

/// How a login is checked: the methods in order, or a refusal of everybody (empty).
pub type Methods = Fact<Vec<Method>>;

/// Whether method lists are on.
pub fn new_model(export: &Export<'_>) -> Fact<bool> {
    // Lines about methods are refused while they are off.
    match (export.written_switch(&["aaa", "new-model"]), export.lines(&["aaa", "authentication", "login"]).next()) {
        (Some(written), _) => written,
        (None, Some(line)) => Fact::written(true, line.span()),
        (None, None) => export.absent("aaa new-model", "accounts", super::on_off),
    }
}

/// The methods of a line `aaa authentication login NAME ...`.
fn methods(node: Node<'_>) -> Vec<Method> {
    let mut out = Vec::new();
    let mut at = 4;
    while let Some(word) = node.word(at) {
        at += 1;
        match word {
            "local" | "local-case" => out.push(Method::Local),
            "line" => out.push(Method::Line),
            "enable" => out.push(Method::Enable),
            "none" => out.push(Method::None),
            "group" | "cache" => {
                out.push(Method::Group(node.word_or_empty(at).to_owned()));
                at += 1;
            }
            // Old releases name the servers without `group`.
            "tacacs+" | "radius" | "krb5" | "krb5-telnet" => out.push(Method::Group(word.to_owned())),
            _ => {}
        }
    }
    out
}

/// A method list by name, with the line that holds it.
pub fn list<'a>(export: &Export<'a>, name: &str) -> Option<(Vec<Method>, Node<'a>)> {
    let line = export.line(&["aaa", "authentication", "login", name])?;
    Some((methods(line), line))
}

/// The methods that a named list, or the default, gives. `network`: whether the line is reached over the network.
pub fn named(export: &Export<'_>, name: Option<(&str, Span)>, network: bool, at: Span) -> Methods {
    let wanted = name.map_or("default", |(n, _)| n);
    let place = name.map_or(at, |(_, s)| s);
    if let Some((methods, line)) = list(export, wanted) {
        let origins = [Origin::Written(place), Origin::Written(line.span())];
        return Fact::known(methods, Origin::all(origins));
    }
    match name {
        // What a line does whose list is defined nowhere is not documented.
        Some((name, span)) if name != "default" => Fact::unknown(Why::at(WhyCode::Unresolved, name, vec![span])),
        _ => {
            let key = if network { "aaa default network login" } else { "aaa default console login" };
            let parse = |v: &str| match v {
                "local" => Some(vec![Method::Local]),
                "none" => Some(vec![Method::None]),
                _ => None,
            };
            match export.may_lack("accounts") {
                Some(_) => Fact::unknown(Why::at(WhyCode::NotExported, key, vec![place])),
                None => export.default_at(key, Some(place), parse),
            }
        }
    }
}
