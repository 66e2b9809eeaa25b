//! What is read from whole, damaged and hostile texts.

use super::*;
use crate::syntax::Node;
use crate::syntax::pattern::PatternSet;
use proptest::prelude::*;

fn parsed(text: &str) -> Tree<'_> {
    parse(FileId(0), text, 0..text.len())
}

fn codes(tree: &Tree<'_>) -> Vec<&'static str> {
    tree.problems.iter().map(|p| p.code).collect()
}

fn top<'a>(tree: &'a Tree<'a>) -> Element<'a> {
    Element::of(tree.root().children().next().expect("element"))
}

#[test]
fn elements_text_and_attributes() {
    let tree = parsed(
        "<?xml version=\"1.0\"?>\n<!-- head -->\n<box>\n\t<rule uuid=\"a&amp;b\">\n\t\t<if>igb0</if>\n\t</rule>\n</box><!-- tail -->\n",
    );
    let rule = top(&tree).child("rule").expect("rule");
    assert_eq!(rule.value("if"), Some("igb0"));
    assert_eq!(rule.attribute("uuid"), Some("a&b"));
    assert!(!rule.has_text(), "blanks are no text");
    assert_eq!(tree.comments.iter().map(|s| s.slice(tree.text())).collect::<Vec<_>>(), ["<!-- head -->", "<!-- tail -->"]);
    assert!(tree.problems.is_empty());
}

#[test]
fn empty_is_not_absent() {
    let tree = parsed("<a><b/><c></c><d> \n </d></a>");
    for name in ["b", "c", "d"] {
        assert!(top(&tree).has(name));
        assert_eq!(top(&tree).value(name), None, "{name}");
    }
    assert!(!top(&tree).has("e"));
}

#[test]
fn values_are_decoded_once_and_their_span_is_the_text_itself() {
    let text = "<a><p>x&lt;&#65;&ouml;</p><q><![CDATA[B&ouml;<b>]]></q><r> pass word\n</r></a>";
    let tree = parsed(text);
    let get = |name| top(&tree).child(name).expect(name);
    assert_eq!(get("p").text(), "x<A&ouml;");
    assert_eq!(get("p").text_span().slice(text), "x&lt;&#65;&ouml;");
    assert_eq!(get("q").text(), "B&ouml;<b>");
    assert_eq!(get("q").text_span().slice(text), "B&ouml;<b>");
    assert_eq!(get("r").text_span().slice(text), "pass word");
    assert!(tree.problems.is_empty());
}

#[test]
fn text_beside_elements_is_kept() {
    let tree = parsed("<a>one<b/>two</a>");
    assert_eq!(top(&tree).text(), "one");
    let words: Vec<_> = tree.root().children().next().expect("a").children().map(|n| (n.word_or_empty(0), n.word_or_empty(1))).collect();
    assert_eq!(words, [("b", ""), ("#text", "two")]);
}

#[test]
fn patterns_hide_exactly_the_text() {
    let text = "<pf><system><user><name>x</name><hash><![CDATA[$2b$KANARI]]></hash></user></system><hash>a</hash></pf>";
    let tree = parsed(text);
    let set = PatternSet::new(["pf > system > user > hash {}"], false);
    let mut hidden = Vec::new();
    set.apply(tree.root(), &|_| false, &mut |_, spans| hidden.extend(spans.iter().map(|s| s.slice(text).to_owned())));
    assert_eq!(hidden, ["$2b$KANARI"]);
}

#[test]
fn a_file_cut_off_gives_what_is_there() {
    for (text, last) in [("<a><b>1</b><c>2", "2"), ("<a><b>1</b><c>2</c", "2"), ("<a><b>1</b><c><![CDATA[2", "2")] {
        let tree = parsed(text);
        assert_eq!(top(&tree).value("c"), Some(last), "{text}");
        assert!(codes(&tree).contains(&"xml_cut_off"), "{text}");
    }
}

#[test]
fn a_missing_end_ends_where_its_parent_does() {
    let tree = parsed("<a><b><c>1</c><d>2</b><e>3</e></a>");
    assert_eq!(top(&tree).value("b/d"), Some("2"));
    assert_eq!(top(&tree).value("e"), Some("3"));
    assert_eq!(codes(&tree), ["xml_missing_end"]);
}

#[test]
fn a_stray_end_is_passed_over() {
    let tree = parsed("</x></y><a><b>1</b></z><c>2</c></a>");
    assert_eq!(top(&tree).value("c"), Some("2"));
    assert_eq!(codes(&tree), ["xml_stray_end"; 3]);
}

#[test]
fn a_lost_bracket_costs_one_tag_at_most() {
    let tree = parsed("<a>\n<b>1</b\n<c\n<d>3</d>\n</c>\n<e>4</e>\n</a>");
    assert_eq!(top(&tree).value("b"), Some("1"));
    assert_eq!(top(&tree).value("c/d"), Some("3"));
    assert_eq!(top(&tree).value("e"), Some("4"));
}

#[test]
fn bare_brackets_and_ampersands_are_text() {
    let tree = parsed("<a><b>1 < 2 & 3</b><c>4</c></a>");
    assert_eq!(top(&tree).value("b"), Some("1 < 2 & 3"));
    assert_eq!(top(&tree).value("c"), Some("4"));
}

#[test]
fn nothing_is_expanded() {
    let tree = parsed("<!DOCTYPE a [<!ENTITY x \"<!-- -->\"> <!ENTITY y \"&x;&x;&x;\">]><a><b>&y;</b></a>");
    assert_eq!(top(&tree).value("b"), Some("&y;"));
    assert_eq!(codes(&tree), ["xml_doctype"]);
}

#[test]
fn nesting_has_a_bound_and_loses_nothing() {
    let deep = format!("{}<x>1</x>{}<y>2</y>", "<n>".repeat(5000), "</n>".repeat(5000));
    let tree = parsed(&deep);
    let depth = |mut node: Node<'_>| {
        let mut n = 0;
        while let Some(parent) = node.parent() {
            (node, n) = (parent, n + 1);
        }
        n
    };
    assert!(tree.statements().all(|n| depth(n) <= DEPTH + 2));
    assert!(tree.statements().any(|n| n.starts(&["x", "1"])));
    assert_eq!(tree.root().children().filter(|n| n.starts(&["y", "2"])).count(), 1);
    assert_eq!(codes(&tree), ["too_deep"]);
}

#[test]
fn a_part_is_no_document() {
    let parameters = Parameters { documents: vec!["box".to_owned()] };
    let (whole, part) = (parsed("<!-- x --><box><filter/></box>"), parsed("<filter/>"));
    assert_eq!(document(&whole, &parameters).map(Element::name), Some("box"));
    assert!(document(&part, &parameters).is_none());
}

#[test]
fn several_documents_and_a_mark_before_the_first() {
    let tree = parsed("\u{feff}<filter><rule/></filter>\n<nat/>");
    assert_eq!(tree.root().children().map(|n| n.word_or_empty(0)).collect::<Vec<_>>(), ["filter", "nat"]);
}

#[test]
fn damage_everywhere_ends_in_time() {
    for unit in ["<a ", "<a", "<![CDATA[", "<!--", "</", "<?", "&", "<a>", "</a>", "<a b=\"", "<<>"] {
        let text = unit.repeat(20_000);
        let tree = parsed(&text);
        assert!(tree.statements().count() <= 20_001, "{unit}");
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_tree_with_spans_inside_it(text in "[<>/!?&;a-c \\[\\]\"'=\n\\-CDATA#é]{0,200}") {
        let tree = parsed(&text);
        for node in tree.statements() {
            for ix in 0..node.len() {
                prop_assert!(text.get(node.word_span(ix).start as usize..node.word_span(ix).end as usize).is_some());
            }
        }
    }
}
