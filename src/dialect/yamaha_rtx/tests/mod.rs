//! Small exports lowered, facts and places asserted.



use crate::dialect::{Dialect, Input, Stated, grammar::Grammar, parse, read};
use crate::ir::Device;
use crate::source::FileId;

/// Lowers a text and hands the device to the test.
pub fn device(text: &str) -> Device {
    let dialect = super::YamahaRtx;
    let grammar = Grammar::load(dialect.grammar_text()).expect("grammar");
    let tree = parse(&grammar, FileId(0), text, 0..text.len());
    let stated = Stated::default();
    let input = Input { tree: &tree, grammar: &grammar, range: 0..text.len(), stated: &stated };
    let mut devices = read(&dialect, &input);
    assert_eq!(devices.len(), 1);
    devices.remove(0)
}
