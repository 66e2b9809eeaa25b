use super::*;
use crate::dialect::{self, grammar::Grammar};
use crate::source::FileId;
use crate::ir::filter::Filter;

fn grammar() -> Grammar {
    Grammar::load(IMPLEMENTATION.grammar_text()).unwrap()
}

fn device(text: &str) -> Device {
    let grammar = grammar();
    let tree = dialect::parse(&grammar, FileId(0), text, 0..text.len());
    dialect::read(&IMPLEMENTATION, &Input { tree: &tree, grammar: &grammar, range: 0..text.len() }).remove(0)
}

#[test]
fn x() {
    let d = device(&std::fs::read_to_string("/tmp/k/nftables/a.nft").unwrap());
    for f in &d.filters {
        println!("{} {:?} {:?}", f.name, f.attach, f.default.get());
        for r in &f.rules {
            println!("{:?} {:?} {:?} {:?} {:?}", r.src.get(), r.dst.get(), r.svc.get(), r.guards, r.verdict.get());
        }
    }
}
