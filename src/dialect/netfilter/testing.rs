//! What the tests of both forms of rule sets share.

use crate::dialect::{self, Dialect, Input, grammar::Grammar};
use crate::ir::device::Device;
use crate::ir::filter::{Rule, SvcExpr, SvcTerm};
use crate::source::FileId;

/// The device of a text.
pub fn device(dialect: &dyn Dialect, text: &str) -> Device {
    let grammar = Grammar::load(dialect.grammar_text()).expect("grammar");
    let tree = dialect::parse(&grammar, FileId(0), text, 0..text.len());
    dialect::read(dialect, &Input { tree: &tree, grammar: &grammar, range: 0..text.len() }).remove(0)
}

/// A service in words: `tcp 22,80-90`, `58 type 128`, `any`, `nothing`.
pub fn svc(rule: &Rule) -> String {
    let port = |(a, b): &(u16, u16)| if a == b { a.to_string() } else { format!("{a}-{b}") };
    let term = |t: &SvcTerm| {
        let protocol = t.protocol.map_or("any".to_owned(), |p| match p {
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            other => other.to_string(),
        });
        match (&t.icmp, &t.dst_ports[..]) {
            (Some((kind, _)), _) => format!("{protocol} type {kind}"),
            (None, []) => protocol,
            (None, ports) => format!("{protocol} {}", ports.iter().map(port).collect::<Vec<_>>().join(",")),
        }
    };
    match rule.svc.get() {
        Some(SvcExpr::Any) => "any".to_owned(),
        Some(SvcExpr::Nothing) => "nothing".to_owned(),
        Some(SvcExpr::Term(t)) => term(t),
        Some(SvcExpr::Union(list)) => {
            list.iter().map(|e| if let SvcExpr::Term(t) = e { term(t) } else { format!("{e:?}") }).collect::<Vec<_>>().join(" | ")
        }
        other => format!("{other:?}"),
    }
}

/// Services of rows in words.
pub fn all(rules: &[Rule]) -> Vec<String> {
    rules.iter().map(svc).collect()
}
