//! Lowering of small rule sets: values, and the lines they rest on.

use super::*;
use crate::dialect::netfilter::testing::{self, all, svc};
use crate::ir::fact::Origin;
use crate::ir::filter::{AddrExpr, Filter, Guard, Hook as At, IfMatch, Rule, Stage};
use crate::ir::interface::SidePointer;

fn device(text: &str) -> Device {
    testing::device(&IMPLEMENTATION, text)
}

/// A table of both families with these rules in its input chain.
fn input(rules: &str) -> String {
    format!("table inet f {{\n\tchain input {{\n\t\ttype filter hook input priority filter; policy drop;\n{rules}\n\t}}\n}}\n")
}

fn filter<'d>(device: &'d Device, name: &str) -> &'d Filter {
    device.filters.iter().find(|f| f.name == name).expect("filter")
}

fn rows(text: &str) -> Vec<Rule> {
    let d = device(&input(text));
    d.filters.iter().find(|f| f.name == "f input").expect("input").rules.clone()
}

fn matching(rules: &[Rule]) -> Vec<bool> {
    rules.iter().map(|r| svc(r) != "nothing").collect()
}

/// The target of a translation: an address, or `self`.
fn target(to: Option<&AddrExpr>) -> String {
    match to {
        Some(AddrExpr::Range(a, b)) if a == b => a.to_string(),
        Some(AddrExpr::SelfAddrs) => "self".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_base_chain_keeps_its_policy_hook_and_line() {
    let text = input("ct state established,related accept\ntcp dport 22 accept");
    let d = device(&text);
    let f = filter(&d, "f input");
    assert_eq!(f.default.get(), Some(&Verdict::Drop));
    assert_eq!(f.default.origin.spans()[0].slice(&text), "drop");
    assert_eq!(f.attach.iter().map(|a| a.hook).collect::<Vec<_>>(), [At::Local]);
    assert_eq!(f.rules[1].span.slice(&text), "tcp dport 22 accept");
    assert!(matches!(f.rules[0].guards[..], [Guard::Established(_)]));
    assert_eq!(svc(&f.rules[1]), "tcp 22");
}

#[test]
fn a_policy_that_is_not_written_is_accept_by_default() {
    let d = device("table ip f {\n chain input {\n type filter hook input priority 0;\n }\n}\n");
    let f = filter(&d, "f input");
    assert_eq!(f.default.get(), Some(&Verdict::Accept));
    assert!(matches!(f.default.origin, Origin::Default(_)), "{:?}", f.default.origin);
}

#[test]
fn a_rule_that_begins_like_an_object_is_a_rule() {
    let [row] = &rows("counter ip daddr { 192.0.2.1, 192.0.2.2 } drop")[..] else { panic!("one row") };
    assert_eq!(row.verdict.get(), Some(&Verdict::Drop));
    assert!(row.guards.is_empty());
    let Some(AddrExpr::Union(list)) = row.dst.get() else { panic!("{:?}", row.dst) };
    assert_eq!(list.len(), 2);
}

#[test]
fn definitions_and_sets_stand_for_what_they_hold() {
    let text = "define web = { 80, 443 }\ndefine all = { $web, 8080-8090 }\n".to_owned()
        + &input("tcp dport $all accept\nudp dport @none accept\nudp dport != @none accept\n}\nset none {\ntype inet_service");
    let d = device(&text);
    let f = filter(&d, "f input");
    assert_eq!(svc(&f.rules[0]), "tcp 80,443,8080-8090");
    assert_eq!(svc(&f.rules[1]), "nothing", "an empty set holds nothing");
    assert_eq!(svc(&f.rules[2]), "udp", "and its negation holds everything of the protocol");
}

#[test]
fn a_set_that_fills_up_while_the_box_runs_is_one_of_unknown_content() {
    let d = device(&input("ip saddr @banned drop\n}\nset banned {\ntype ipv4_addr\nflags dynamic,timeout"));
    let row = &filter(&d, "f input").rules[0];
    assert!(format!("{:?}", row.src.get()).contains("Opaque"), "{:?}", row.src);
}

#[test]
fn a_map_of_verdicts_is_one_row_an_element_and_nothing_for_the_rest() {
    let list = rows("tcp dport vmap { 22 : drop, 80 : accept }\ntcp dport 23 accept");
    assert_eq!(all(&list), ["tcp 22", "tcp 80", "tcp 23"]);
    let verdicts: Vec<_> = list.iter().filter_map(|r| r.verdict.get().copied()).collect();
    assert_eq!(verdicts, [Verdict::Drop, Verdict::Accept, Verdict::Accept]);
}

#[test]
fn calls_name_their_filter_and_a_chain_that_is_not_there_is_unknown() {
    let d = device(&input("jump sub\ngoto sub\njump missing\n}\nchain sub {\nreturn"));
    let f = filter(&d, "f input");
    let sub = d.filters.iter().position(|f| f.name == "f sub").expect("sub");
    assert!(matches!(f.rules[0].verdict.get(), Some(Verdict::Jump(ix)) if ix.0 as usize == sub));
    assert!(matches!(f.rules[1].verdict.get(), Some(Verdict::Goto(ix)) if ix.0 as usize == sub));
    assert_eq!(f.rules[2].verdict.get(), None);
    assert_eq!(d.filters[sub].default.get(), Some(&Verdict::Next));
    assert_eq!(d.undefined.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["missing"]);
    assert_eq!(d.definitions.iter().map(|c| (c.name.as_str(), c.uses)).collect::<Vec<_>>(), [("sub", 2)]);
}

#[test]
fn a_base_chain_is_no_unused_one() {
    assert_eq!(device(&input("accept")).definitions.iter().count(), 0);
}

#[test]
fn priorities_have_names_offsets_and_an_order() {
    assert_eq!(["raw", "mangle", "dstnat", "filter", "security", "srcnat"].map(|p| priority(p, "inet")), [-300, -150, -100, 0, 50, 100]);
    assert_eq!(
        (priority("filter+10", "ip"), priority("dstnat-5", "ip"), priority("-12", "ip"), priority("dstnat", "bridge")),
        (10, -105, -12, -300)
    );
    let chain = |name: &str, to: &str| {
        format!("table ip {name} {{\nchain pre {{\ntype nat hook prerouting priority dstnat;\ntcp dport 443 dnat to {to}\n}}\n}}\n")
    };
    let d = device(&(chain("one", "192.168.1.1") + &chain("two", "192.168.1.2")));
    assert_eq!(target(d.nat.rules[0].to.get()), "192.168.1.2", "the chain attached last is asked first");
}

#[test]
fn before_connections_are_told_apart_every_packet_is_invalid() {
    let text = "table ip f {\nchain pre {\ntype filter hook prerouting priority raw;\nct state new drop\nct state invalid drop\nct state != new drop\n}\n}\n";
    let d = device(text);
    let rows = &filter(&d, "f pre").rules;
    assert_eq!(matching(rows), [false, true, true]);
    assert!(rows.iter().all(|r| r.guards.is_empty()));
    let later = device(&text.replace("raw", "mangle"));
    assert!(matches!(filter(&later, "f pre").rules[1].guards[..], [Guard::Established(_)]));
}

#[test]
fn ports_of_any_protocol_are_bytes_of_any_header() {
    let list = rows("th dport 53 accept\nmeta l4proto { tcp, udp } th dport 53 accept");
    assert_eq!(list.len(), 3, "one row more for protocols without ports, where they are not excluded");
    assert!(list[0].guards.is_empty() && list[2].guards.is_empty());
    assert!(matches!(&list[1].guards[..], [Guard::Unmodelled(_, what)] if what == "th"));
}

#[test]
fn flags_are_judged_for_the_first_packet() {
    let list = rows(
        "tcp flags syn drop\ntcp flags & (syn|ack) == syn drop\ntcp flags & (fin|syn) == fin|syn drop\ntcp flags syn / syn,ack drop\ntcp flags != syn drop",
    );
    assert_eq!(matching(&list), [true, true, false, true, false]);
}

#[test]
fn families_come_from_tables_headers_and_words() {
    let d = device("table ip6 f {\nchain c {\ntype filter hook forward priority 0;\naccept\n}\n}\n");
    assert_eq!(filter(&d, "ip6 f c").family, Family::V6);
    let list = rows(
        "ip6 saddr 2001:db8::/32 accept\nmeta nfproto ipv4 accept\nicmpv6 type echo-request accept\nip saddr 192.0.2.1 ip6 saddr ::1 accept",
    );
    assert!(format!("{:?}", list[0].src.get()).contains("AnyV6"));
    assert!(matches!(list[1].src.get(), Some(AddrExpr::AnyV4)));
    assert_eq!(svc(&list[2]), "58 type 128");
    assert_eq!(svc(&list[3]), "nothing", "no packet is of both families");
    assert_eq!(device("table arp f {\nchain c {\ntype filter hook input priority 0; policy drop;\n}\n}\n").filters.len(), 0);
}

#[test]
fn single_commands_are_replayed_in_their_order() {
    let text = "add table inet f\nadd chain inet f input { type filter hook input priority 0; policy drop; }\nadd rule inet f input tcp dport 80 accept\ninsert rule inet f input position 4 tcp dport 22 drop\nadd set inet f s { type inet_service; }\nadd rule inet f input tcp dport @s accept\nadd element inet f s { 25, 26 }\n";
    let d = device(text);
    let rules = &filter(&d, "f input").rules;
    assert_eq!(all(rules), ["tcp 22", "tcp 80", "tcp 25,26"]);
    let flushed = device(&format!("{text}flush ruleset\n"));
    assert!(flushed.filters.is_empty());
}

#[test]
fn translations_have_targets_ports_and_the_rows_that_ask_for_them() {
    let text = "table ip n {\nchain pre {\ntype nat hook prerouting priority dstnat;\niifname \"wan0\" tcp dport 8443 dnat to 192.168.1.5:443\ntcp dport 2222 redirect to :22\ndnat to tcp dport map { 80 : 192.168.1.6, 81 : 192.168.1.7 }\n}\nchain fwd {\ntype filter hook forward priority 0; policy drop;\nct status dnat accept\nip daddr 192.168.1.5 ct status dnat accept\n}\nchain post {\ntype nat hook postrouting priority srcnat;\noifname \"wan0\" masquerade\n}\n}\n";
    let d = device(text);
    let short: Vec<_> = d.nat.rules.iter().map(|r| (target(r.to.get()), r.to_port)).collect();
    let expected = [("192.168.1.5", Some(443)), ("self", Some(22)), ("192.168.1.6", None), ("192.168.1.7", None)];
    assert_eq!(short, expected.map(|(to, port)| (to.to_owned(), port)));
    let rules = &filter(&d, "n fwd").rules;
    assert_eq!(rules[0].nat.via.len(), 4);
    // What is redirected to the box may be redirected to that address, for all that the export tells.
    assert_eq!(rules[1].nat.via.iter().map(|n| n.0).collect::<Vec<_>>(), [0, 1]);
    assert!(rules[0].guards.is_empty() && matches!(rules[1].guards[..], [Guard::Unmodelled(..)]));
    assert_eq!(d.nat.source_nat_on.len(), 1);
}

#[test]
fn what_faces_outside_follows_from_the_rules() {
    let side = |text: &str, name: &str| {
        let d = device(text);
        let i = d.interfaces.iter().find(|i| i.name == name).expect("interface");
        (i.signs[0].code, i.signs[0].points_to)
    };
    let nat = "table ip n {\nchain post {\ntype nat hook postrouting priority srcnat;\noifname \"eth7\" masquerade\n}\nchain fwd {\ntype filter hook forward priority 0; policy drop;\niifname \"eth7\" oifname \"eth8\" accept\n}\n}\n";
    assert_eq!(side(nat, "eth7"), ("sign.source_translated", SidePointer::Untrusted));
    assert_eq!(side(nat, "eth8"), ("sign.beside_outside", SidePointer::Trusted), "what connections from outside leave by is no outside");
    assert_eq!(side(nat, "others"), ("sign.outside_named", SidePointer::Trusted));
    assert_eq!(side(&input("iifname lo accept"), "any"), ("sign.no_interface_named", SidePointer::Untrusted));
}

#[test]
fn a_negated_name_means_every_interface_that_no_rule_names() {
    let d = device(&input("iifname != \"wan0\" accept\niifname \"lan*\" accept\niifname \"wan0\" drop"));
    let name = |m: &IfMatch| match m {
        IfMatch::These(list) => list.iter().map(|ix| d.interfaces[ix.0 as usize].name.clone()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let rules = &filter(&d, "f input").rules;
    assert_eq!(name(&rules[0].ingress), ["lan*", "others"]);
    assert_eq!(name(&rules[1].ingress), ["lan*"]);
    assert_eq!(name(&rules[2].ingress), ["wan0"]);
}

#[test]
fn a_hook_without_a_chain_accepts_by_default_and_a_host_may_forward_nothing() {
    let undecided = |d: &Device, hook: At| {
        let of = |s: &Stage| match s {
            Stage::Filter { hook: h, undecided } if *h == hook => Some(undecided.get().copied()),
            _ => None,
        };
        d.pipeline.to_box.iter().chain(&d.pipeline.through).find_map(of).expect("stage")
    };
    let d = device("table ip n {\nchain pre {\ntype nat hook prerouting priority dstnat;\ntcp dport 80 dnat to 192.168.1.1\n}\n}\n");
    assert_eq!((undecided(&d, At::Local), undecided(&d, At::Forward)), (Some(Verdict::Accept), Some(Verdict::Accept)));
    let host = device(&input("tcp dport 22 accept"));
    assert_eq!(undecided(&host, At::Forward), None);
}

#[test]
fn a_rule_set_that_decides_nothing_is_an_excerpt() {
    let d = device("table ip f {\nchain sub {\ncounter\n}\n}\n");
    assert_eq!(d.completeness.form, ExportForm::Excerpt);
}

#[test]
fn what_an_included_file_adds_is_not_known() {
    let d = device(&format!("include \"/etc/nftables.d/*.nft\"\n{}", input("tcp dport 22 accept")));
    assert!(d.completeness.gaps.contains_key("local_filter"));
    assert!(filter(&d, "f input").incomplete.is_some());
    assert_eq!(filter(&d, "f input").rules.len(), 1, "what the rows at hand say stands");
}

#[test]
fn rates_let_in_and_never_keep_out() {
    let list = rows(
        "tcp dport 22 limit rate 3/minute burst 5 packets accept\ntcp dport 22 limit rate 3/minute drop\ntcp dport 22 limit rate over 3/minute drop\ntcp dport 22 ct count over 5 reject",
    );
    assert!(matches!(list[0].guards[..], [Guard::First(_)]));
    assert_eq!(matching(&list), [true, false, false, false]);
}

#[test]
fn words_in_quotes_are_no_verdicts() {
    let [row] = &rows("log prefix \"accept; drop \" tcp dport 22 drop comment \"accept\"")[..] else { panic!("one row") };
    assert_eq!(row.verdict.get(), Some(&Verdict::Drop));
    assert!(row.log.get().is_some());
}

#[test]
fn what_is_taken_out_of_tracking_is_of_no_state() {
    let d = device(
        "table ip f {\nchain pre {\ntype filter hook prerouting priority raw;\nudp dport 53 notrack\n}\nchain input {\ntype filter hook input priority 0; policy drop;\nudp dport 53 ct state new accept\ntcp dport 22 ct state new accept\nudp dport 53 ct state { new, untracked } accept\n}\n}\n",
    );
    let rules = &filter(&d, "f input").rules;
    assert!(matches!(rules[0].guards[..], [Guard::Unmodelled(..)]));
    assert!(matches!(rules[1].guards[..], [Guard::First(_)]));
    assert!(matches!(rules[2].guards[..], [Guard::First(_)]));
}

#[test]
fn no_text_hurts() {
    for text in [
        "table",
        "table inet f {",
        "add rule",
        "table inet f { chain c { type filter hook",
        "tcp dport {",
        "table ip f { chain c { jump c; dnat to; vmap { : }, ip saddr & ; tcp flags & ( } }",
        "define a = $a\ndefine a = { $a, $a }",
    ] {
        let d = device(text);
        assert!(d.filters.len() < 3);
    }
}
