use super::*;
use crate::source::Span;

fn parameters() -> Parameters {
    let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
    Parameters {
        wrappers: list(&["groups"]),
        single: list(&["host-name"]),
        prefixes: list(&["protect:", "replace:"]),
        beside: vec![Beside { level: "match".into(), names: list(&["from", "to"]) }],
        noise: list(&["{master"]),
        inherit: Some(Inherit {
            groups: "groups".into(),
            apply: "apply-groups".into(),
            except: "apply-groups-except".into(),
            node: "${node}".into(),
            nodes: list(&["node0", "node1"]),
        }),
    }
}

fn parsed(text: &str) -> Tree<'_> {
    parse(FileId(0), text, 0..text.len(), &parameters())
}

/// Every level that ends a path, as words.
fn leaves(tree: &Tree<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for node in tree.statements().filter(|n| n.children().next().is_none()) {
        let mut words: Vec<String> = node.words_from(0).map(str::to_owned).collect();
        let mut up = node.parent();
        while let Some(n) = up.filter(|n| !n.is_empty()) {
            words.insert(0, n.word_or_empty(0).to_owned());
            up = n.parent();
        }
        out.push(words.join(" "));
    }
    out
}

/// The leaves outside the groups.
fn live(text: &str) -> Vec<String> {
    leaves(&parsed(text)).into_iter().filter(|l| !l.starts_with("groups") && !l.contains("apply-groups")).collect()
}

#[test]
fn both_forms_give_the_same_levels() {
    let curly = "version 1;\nsystem {\n  host-name \"a b\";\n  services { ssh; web { interface [ ge-0/0/0.0 ge-0/0/1.0 ]; } }\n}\n";
    let lines = "set version 1\nset system host-name \"a b\"\nset system services ssh\nset system services web interface ge-0/0/0.0\nset system services web interface ge-0/0/1.0\n";
    assert_eq!(leaves(&parsed(curly)), leaves(&parsed(lines)));
    assert_eq!(leaves(&parsed(curly)).len(), 5);
    assert_eq!(leaves(&parsed(&format!("{curly}\n{lines}"))), leaves(&parsed(curly)), "one after the other they merge");
}

#[test]
fn a_word_stands_where_it_is_written() {
    let text = "set system services ssh\nset system services telnet\n";
    let tree = parsed(text);
    let telnet = at(tree.root(), &["system", "services", "telnet"]).expect("telnet");
    assert_eq!(telnet.span().slice(text), "telnet");
    assert_eq!(telnet.span().start as usize, text.rfind("telnet").expect("there"));
    assert_eq!(at(tree.root(), &["system"]).expect("system").span().start, 4, "the first line that names it");
}

#[test]
fn every_place_of_a_repeated_word_is_known() {
    let text = "set c x a\nset c x b\ndeactivate c x\nset c x d\n";
    let tree = parsed(text);
    let mut places = 0;
    for node in tree.statements().filter(|n| n.word(0) == Some("x")) {
        places += 1 + node.other_places().inspect(|s| assert_eq!(s.slice(text), "x")).count();
    }
    assert_eq!(places, text.matches('x').count());
}

#[test]
fn blocks_end_where_their_brace_does() {
    let text = "a {\n  b { c; }\n}\nd;\n";
    let tree = parsed(text);
    let a = at(tree.root(), &["a"]).expect("a");
    assert_eq!(a.full_span().slice(text), "a {\n  b { c; }\n}");
}

#[test]
fn what_is_switched_off_is_on_no_path() {
    let text = "p {\n  inactive: policy OLD { then; }\n  policy NEW;\n}\n";
    let tree = parsed(text);
    let p = at(tree.root(), &["p"]).expect("p");
    assert_eq!(rows(p, &["policy"]).len(), 1);
    let off = inactive(p, "policy");
    assert_eq!(off.len(), 1);
    assert_eq!((off[0].0.word(0), off[0].1.span().slice(text)), (Some("OLD"), "inactive:"));
    let text = "set p policy OLD then\nset p policy NEW\ndeactivate p policy OLD\n";
    let tree = parsed(text);
    let p = at(tree.root(), &["p"]).expect("p");
    assert_eq!(rows(p, &["policy"]).iter().map(|n| n.word_or_empty(0)).collect::<Vec<_>>(), ["NEW"]);
    let off = inactive(p, "policy");
    assert_eq!((off[0].0.word(0), off[0].1.span().slice(text)), (Some("OLD"), "deactivate"));
}

#[test]
fn an_inactive_statement_does_not_touch_others_of_its_name() {
    let text = "ntp {\n  inactive: server 192.0.2.1 prefer;\n  server 192.0.2.2;\n}\n";
    let tree = parsed(text);
    let names: Vec<&str> = rows(tree.root(), &["ntp", "server"]).iter().map(|n| n.word_or_empty(0)).collect();
    assert_eq!(names, ["192.0.2.2"]);
}

#[test]
fn deletes_and_later_values_take_effect_and_stay_visible() {
    let text = "set system host-name a\nset system host-name b\nset system x y\ndelete system x\nset system z 1\n";
    let tree = parsed(text);
    assert_eq!(value(tree.root(), &["system", "host-name"]).map(|n| n.word_or_empty(0)), Some("b"));
    assert!(at(tree.root(), &["system", "x"]).is_none());
    assert!(leaves(&tree).contains(&"delete: system x".to_owned()));
    assert!(leaves(&tree).contains(&"system delete: x y".to_owned()));
}

#[test]
fn rows_can_be_put_before_others() {
    let text = "set p policy A\nset p policy B\ninsert p policy B before policy A\n";
    let tree = parsed(text);
    let names: Vec<&str> = rows(tree.root(), &["p", "policy"]).iter().map(|n| n.word_or_empty(0)).collect();
    assert_eq!(names, ["B", "A"]);
}

#[test]
fn comments_prefixes_and_noise_are_no_statements() {
    let text = "## Last commit: x\n/* note; { */\nsystem {\n  protect: services { # why\n    ssh; ## SECRET-DATA\n  }\n}\n\n{master:0}\n";
    let tree = parsed(text);
    assert_eq!(leaves(&tree), ["system services ssh"]);
    assert_eq!(tree.comments.len(), 3);
    assert!(tree.problems.is_empty());
}

#[test]
fn what_is_typed_behind_a_prompt_counts_and_a_hash_begins_a_comment() {
    assert_eq!(leaves(&parsed("admin@box# set a b # why\nadmin@box> show x\nset c \"#d\"\n")), ["a b", "admin@box> show x", "c #d"]);
}

#[test]
fn brackets_inside_a_word_are_part_of_it() {
    assert_eq!(leaves(&parsed("a [ b c ];\nd [X]/32;\ne { [P]; }\nf [g h];\n")), ["a b", "a c", "d [X]/32", "e [P]", "f g", "f h"]);
}

#[test]
fn quoted_words_may_hold_anything() {
    let text = "a \"x; { \\\"y\\\" }\";\nset b \"c d\" e\nm \"-----BEGIN\nline\n-----END\";\nn;\n";
    assert_eq!(leaves(&parsed(text)), ["a x; { \"y\" }", "b c d e", "m -----BEGIN\nline\n-----END", "n"]);
}

#[test]
fn a_quote_without_its_partner_ends_with_its_line() {
    let text = "system {\n  message \"abc;\n  services { ssh; }\n  other \"d\";\n}\n";
    let tree = parsed(text);
    assert!(at(tree.root(), &["system", "services", "ssh"]).is_some());
    assert_eq!(tree.problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["unclosed_quote"]);
    let tree = parsed("set a \"b\nset c \"d\"\n");
    assert_eq!(leaves(&tree), ["a b", "c d"]);
}

#[test]
fn damage_is_noted_and_loses_little() {
    let tree = parsed("a { b;\n c { d;\n");
    assert_eq!(leaves(&tree), ["a b", "a c d"]);
    assert_eq!(tree.problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["unclosed_block"]);
    let tree = parsed("a; } b;\n");
    assert_eq!((leaves(&tree), tree.problems.len()), (vec!["a".to_owned(), "b".to_owned()], 1));
    assert_eq!(leaves(&parsed("user@box> show\nversion 1;\nsystem\n{\n x }\n")), ["user@box> show", "version 1", "system x"]);
}

#[test]
fn nesting_has_an_end() {
    let deep = format!("set {}\n", "x ".repeat(5_000));
    let tree = parsed(&deep);
    assert_eq!(tree.problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["too_deep"]);
    let braces = "a {".repeat(20_000);
    assert!(!parsed(&braces).problems.is_empty());
}

#[test]
fn groups_are_written_out_with_their_own_places() {
    let text =
        "groups { G { system { ntp { server 192.0.2.9; } services { telnet; } } } }\napply-groups G;\nsystem { services { ssh; } }\n";
    let tree = parsed(text);
    let telnet = at(tree.root(), &["system", "services", "telnet"]).expect("inherited");
    assert_eq!(telnet.span().start as usize, text.find("telnet").expect("there"));
    assert_eq!(live(text), ["system services ssh", "system services telnet", "system ntp server 192.0.2.9"]);
    assert_eq!(live("groups { G { a { b; } } }\nc;\n"), ["c"], "a group that nobody applies does nothing");
}

#[test]
fn what_stands_there_wins_and_then_the_first_group() {
    let text = "groups { A { system { host-name a; x 1; } } B { system { host-name b; x 2; } } }\napply-groups [ A B ];\nsystem { x 3; }\n";
    let tree = parsed(text);
    assert_eq!(value(tree.root(), &["system", "host-name"]).map(|n| n.word_or_empty(0)), Some("a"));
    assert_eq!(value(tree.root(), &["system", "x"]).map(|n| n.word_or_empty(0)), Some("3"));
    let near =
        "groups { A { i { e { host-name far; } } } B { i { e { host-name near; } } } }\napply-groups A;\ni { e { apply-groups B; } }\n";
    assert_eq!(value(parsed(near).root(), &["i", "e", "host-name"]).map(|n| n.word_or_empty(0)), Some("near"));
}

#[test]
fn wildcards_reach_what_is_there_and_make_nothing() {
    let text = "set groups G interfaces <ge-*> unit <*> family inet6\nset apply-groups G\nset interfaces ge-0/0/0 unit 0 family inet\nset interfaces xe-0/0/0 unit 0\n";
    assert_eq!(
        live(text),
        ["interfaces ge-0/0/0 unit 0 family inet", "interfaces ge-0/0/0 unit 0 family inet6", "interfaces xe-0/0/0 unit 0"]
    );
}

#[test]
fn a_level_can_keep_a_group_away() {
    let text = "groups { G { a { x; } b { x; } } }\napply-groups G;\na { apply-groups-except G; y; }\nb { y; }\n";
    assert_eq!(live(text).iter().filter(|l| l.ends_with(" x")).collect::<Vec<_>>(), ["b x"]);
}

#[test]
fn the_group_of_the_node_is_found() {
    let text = "groups { node0 { system { host-name first; } } node1 { system { host-name second; } } }\napply-groups \"${node}\";\n";
    assert_eq!(value(parsed(text).root(), &["system", "host-name"]).map(|n| n.word_or_empty(0)), Some("first"));
    let lines = "set groups node0 system host-name first\nset apply-groups \"${node}\"\n";
    assert_eq!(value(parsed(lines).root(), &["system", "host-name"]).map(|n| n.word_or_empty(0)), Some("first"));
}

#[test]
fn a_switched_off_statement_is_inherited_anew_and_an_inactive_group_brings_nothing() {
    let text = "groups { G { system { inactive: a; b; } } }\napply-groups G;\nsystem { inactive: b; }\n";
    assert_eq!(live(text), ["system inactive: b", "system b"]);
}

#[test]
fn inheritance_cannot_grow_without_bound() {
    let mut text = String::from("groups { G { interfaces { <*> { unit { <*> {");
    text.push_str(&(0..400).map(|n| format!("s{n};")).collect::<String>());
    text.push_str("} } } } } }\napply-groups G;\ninterfaces {");
    text.push_str(
        &(0..60).map(|n| format!("i{n} {{ unit {{ {} }} }}", (0..60).map(|u| format!("{u};")).collect::<String>())).collect::<String>(),
    );
    text.push_str("}\n");
    let tree = parsed(&text);
    assert_eq!(tree.problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["too_much_inherited"]);
}

#[test]
fn split_one_line_statements_are_found_either_way() {
    let curly = parsed("pool { address-range low 192.0.2.1 high 192.0.2.9; }\n");
    let lines = parsed("set pool address-range low 192.0.2.1\nset pool address-range high 192.0.2.9\n");
    for tree in [&curly, &lines] {
        let range = at(tree.root(), &["pool", "address-range"]).expect("range");
        let high = find_below(range, "high").and_then(|n| below(n).next());
        assert_eq!(high.map(|n| n.word_or_empty(0)), Some("192.0.2.9"));
    }
}

#[test]
fn any_text_is_read_and_every_word_lies_in_it() {
    use proptest::prelude::*;
    let token = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(";".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        Just("\nset ".to_owned()),
        Just("\ndeactivate ".to_owned()),
        Just("\ndelete ".to_owned()),
        Just("\ninsert a before b\n".to_owned()),
        Just("inactive: ".to_owned()),
        Just("groups G ".to_owned()),
        Just("apply-groups G ".to_owned()),
        Just("<*> ".to_owned()),
        Just("/* ".to_owned()),
        Just("# ".to_owned()),
        Just("\\".to_owned()),
        Just("能登 ".to_owned()),
        "[a-c$]{1,3} ",
    ];
    proptest!(ProptestConfig::with_cases(256), |(tokens in proptest::collection::vec(token, 0..40))| {
        let text = tokens.concat();
        let tree = parsed(&text);
        for node in tree.statements() {
            let span: Span = node.span();
            prop_assert!(span.start <= span.end && text.get(span.start as usize..span.end as usize).is_some());
            prop_assert!(text.get(node.full_span().start as usize..node.full_span().end as usize).is_some());
        }
    });
}

#[test]
fn one_line_may_name_several_statements_of_a_level() {
    assert_eq!(live("set rule match match from a to b\n"), ["rule match match from a", "rule match match to b"]);
    assert_eq!(live("set rule r match from [ a b ] to c\n"), ["rule r match from a", "rule r match from b", "rule r match to c"]);
    assert_eq!(live("set rule r match from to\n"), ["rule r match from to"], "a name in the place of a value is a value");
    assert_eq!(live("set rule r match from a b c\n"), ["rule r match from a b c"], "what is none of these stays as it is");
}
