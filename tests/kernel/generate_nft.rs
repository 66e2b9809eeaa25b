//! Rule sets of nftables made by dice.

use super::packets::Dice;
use std::fmt::Write;

const NFT_LIMIT: &str = "limit rate 100000/second burst 10000 packets";

const FREE_MAPS: [&str; 7] = [
    // The family is asked for in tables of both only.
    "meta nfproto . meta l4proto vmap { ipv4 . tcp : accept, ipv6 . udp : drop }",
    "iifname . tcp dport vmap { \"wan0\" . 22 : drop, \"lan0\" . 80 : jump CC, \"wan0\" . 80 : accept }",
    "th dport vmap { 22 : drop, 80 : accept, 443 : goto CC }",
    "tcp dport vmap @byport",
    "meta l4proto vmap { tcp : accept, udp : drop, gre : return }",
    "udp dport vmap { 53 : accept, 80-90 : continue, 1024-2000 : drop }",
    "iifname vmap { \"wan0\" : jump CC, \"lan0\" : accept }",
];
/// Maps for rules that already speak of a protocol.
const MAPS: [&str; 4] = [
    "ct state vmap { established : accept, related : accept, invalid : drop }",
    "ct state vmap { new : jump CC, established : accept }",
    "iifname vmap { \"wan0\" : jump CC, \"lan0\" : accept }",
    "iifname vmap { \"dmz0\" : drop, \"lan*\" : goto CC }",
];

pub fn rule_set(dice: &mut Dice) -> String {
    let mut out = String::from("flush ruleset\n");
    if dice.once_in(2) {
        out.push_str("define inside = { 192.168.1.0/24, 10.0.0.0/9 }\ndefine web = { 80, 443 }\n");
    } else {
        out.push_str("define inside = 10.0.0.0/8\ndefine web = 80-90\n");
    }
    for n in 0..1 + dice.below(3) {
        let family = if n == 0 { "inet" } else { dice.one(&["inet", "ip", "ip6"]) };
        nft_table(dice, &mut out, n, family);
    }
    out
}

fn nft_table(dice: &mut Dice, out: &mut String, n: usize, family: &str) {
    let _ = writeln!(out, "table {family} t{n} {{");
    out.push_str("\tset hosts {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 198.51.100.0/25, 192.168.1.40-192.168.1.60,\n\t\t\t203.0.113.77 }\n\t}\n");
    out.push_str("\tset none {\n\t\ttype inet_service\n\t}\n");
    out.push_str("\tset pairs {\n\t\ttype ipv4_addr . inet_service\n\t\telements = { 192.168.1.50 . 22, 10.20.30.40 . 80, 203.0.113.1 . 443 }\n\t}\n");
    let own = 2 + dice.below(4);
    let _ = writeln!(
        out,
        "\tmap byport {{\n\t\ttype inet_service : verdict\n\t\telements = {{ 22 : drop, 80 : accept, 443 : jump c{}, 53 : return }}\n\t}}",
        own - 1
    );
    // What is called must be defined before it is named.
    for c in (0..own).rev() {
        let _ = writeln!(out, "\tchain c{c} {{");
        for _ in 0..dice.below(5) {
            let callee = (c + 1 < own).then(|| c + 1 + dice.below(own - c - 1));
            let text = nft_rule(dice, family, "", callee);
            // A map must not lead back to where it is used.
            if !(c == own - 1 && text.contains("@byport")) {
                let _ = writeln!(out, "\t\t{text}");
            }
        }
        out.push_str("\t}\n");
    }
    if dice.once_in(2) {
        nft_nat(dice, out, family);
    }
    for k in 0..1 + dice.below(3) {
        let hook = dice.one(&["input", "input", "forward", "forward", "prerouting", "postrouting"]);
        let priority = dice.one(&["filter", "mangle", "security", "-10", "filter + 10", "raw", "dstnat + 5", "10"]);
        let priority = if hook != "prerouting" && priority.starts_with("dstnat") { "0" } else { priority };
        let policy =
            if matches!(hook, "input" | "forward") && dice.once_in(2) { "policy drop;" } else { dice.one(&["policy accept;", ""]) };
        let _ = writeln!(out, "\tchain {hook}{k} {{\n\t\ttype filter hook {hook} priority {priority}; {policy}");
        for _ in 0..2 + dice.below(5) {
            let callee = dice.below(own);
            let text = nft_rule(dice, family, hook, Some(callee));
            let _ = writeln!(out, "\t\t{text}");
        }
        out.push_str("\t}\n");
    }
    out.push_str("}\n");
}

fn nft_rule(dice: &mut Dice, family: &str, hook: &str, callee: Option<usize>) -> String {
    let v4 = family != "ip6";
    let v6 = family != "ip";
    let mut parts: Vec<String> = Vec::new();
    let op = |dice: &mut Dice| if dice.once_in(4) { "!= " } else { "" };
    for _ in 0..dice.below(3) {
        let text = match dice.below(19) {
            0 | 1 if v4 => format!(
                "ip {} {}{}",
                dice.one(&["saddr", "daddr"]),
                op(dice),
                dice.one(&[
                    "10.0.0.0/8",
                    "192.168.1.0/24",
                    "@hosts",
                    "$inside",
                    "{ 203.0.113.1, 192.168.1.1 }",
                    "203.0.113.70-203.0.113.80"
                ])
            ),
            0..=2 if v6 => format!(
                "ip6 {} {}{}",
                dice.one(&["saddr", "daddr"]),
                op(dice),
                dice.one(&["2001:db8:9::/48", "{ 2001:db8:1::1, fd00::/16 }", "2001:db8:2::50"])
            ),
            3 | 4 => format!(
                "{} {} {}{}",
                dice.one(&["tcp", "udp", "th"]),
                dice.one(&["dport", "dport", "sport"]),
                op(dice),
                dice.one(&["22", "{ 22, 80-90, 443 }", "1024-65535", "$web", "https"])
            ),
            5 => format!("meta l4proto {}{}", op(dice), dice.one(&["tcp", "udp", "{ tcp, udp }", "gre", "{ icmp, ipv6-icmp }"])),
            6 => format!("iifname {}{}", op(dice), dice.one(&["\"wan0\"", "\"lan*\"", "{ \"lan0\", \"dmz0\" }", "dmz0"])),
            7 => format!(
                "{} {}{}",
                if hook == "forward" || hook == "postrouting" || dice.once_in(3) { "oifname" } else { "iif" },
                op(dice),
                dice.one(&["\"wan0\"", "\"dmz0\"", "lan0"])
            ),
            8 if hook != "prerouting" => format!(
                "ct state {}",
                dice.one(&["new", "established,related", "invalid", "{ new, established }", "!= new", "new,untracked"])
            ),
            9 if v4 => format!("icmp type {}{}", op(dice), dice.one(&["echo-request", "{ echo-request, timestamp-request }", "13"])),
            9 => "icmpv6 type echo-request".to_owned(),
            10 => dice
                .one(&[
                    "tcp flags syn",
                    "tcp flags & (fin|syn) == fin|syn",
                    "tcp flags syn / syn,ack",
                    "tcp flags & (syn|ack) != syn",
                    "tcp flags == syn",
                ])
                .to_owned(),
            11 if v4 => dice
                .one(&[
                    "ip protocol tcp",
                    "ip protocol != { tcp, udp }",
                    "ip daddr . tcp dport @pairs",
                    "ip daddr . tcp dport { 203.0.113.1 . 22, 192.168.1.1 . 80 }",
                    "meta nfproto ipv4",
                ])
                .to_owned(),
            11 => "ip6 nexthdr tcp".to_owned(),
            12 if hook == "input" || hook == "forward" => "ct status dnat".to_owned(),
            13 if matches!(hook, "input" | "prerouting") && v4 => format!("fib daddr type {}local", op(dice)),
            15 => dice
                .one(&[
                    NFT_LIMIT,
                    "log prefix \"accept drop\" level warn",
                    "log group 2",
                    "meta pkttype host",
                    "meta pkttype != broadcast",
                    "iif != lo",
                    "iifname != { \"lo\", \"wan0\" }",
                ])
                .to_owned(),
            16 if v4 => dice
                .one(&[
                    "ip saddr & 255.0.0.255 == 10.0.0.40",
                    "ip saddr . ip daddr { 203.0.113.77 . 192.168.1.1, 8.8.4.4 . 203.0.113.1 }",
                    "ip daddr != { 192.168.1.0/24, 10.0.0.0/9 }",
                    "icmp code 0",
                    "ip saddr . meta l4proto { 203.0.113.77 . tcp, 10.20.30.40 . udp }",
                ])
                .to_owned(),
            16 => "ip6 daddr & ffff:ffff:: == 2001:db8::".to_owned(),
            17 => dice
                .one(&[
                    "iifname . tcp dport { \"wan0\" . 22, \"lan0\" . 80 }",
                    "meta l4proto . th dport { tcp . 22, udp . 53 }",
                    "meta l4proto { tcp, udp } th dport { 22, 53, 443 }",
                    "meta l4proto != { tcp, udp }",
                    "tcp dport { 22, 80 } tcp sport 1024-65535",
                ])
                .to_owned(),
            14 => dice.one(&["tcp dport @none", "tcp dport != @none", "tcp dport >= 1024", "udp sport < 1024"]).to_owned(),
            _ => dice.one(&["counter", "counter comment \"drop this\"", "meta nfproto ipv6", "meta nfproto { ipv4, ipv6 }"]).to_owned(),
        };
        // Two headers of one layer contradict each other, and the tool refuses that.
        let layer = |t: &str| {
            let t = t.replace("log prefix \"accept drop\" level warn", "");
            let transport = ["tcp", "udp", "th ", "icmp", "l4proto", "nexthdr", "protocol"].iter().any(|w| t.contains(w));
            let network = t.contains("ip saddr")
                || t.contains("ip daddr")
                || t.contains("ip6 ")
                || t.contains("ip protocol")
                || t.contains("nfproto")
                || t.contains("icmp");
            (transport, network)
        };
        let (transport, network) = layer(&text);
        let clash = parts.iter().map(|p| layer(p)).any(|(t, n)| t && transport || n && network);
        if !(clash || text.contains("nfproto") && family != "inet") {
            parts.push(text);
        }
    }
    let free = !parts.iter().any(|p| ["tcp", "udp", "th ", "icmp", "l4proto", "nexthdr", "protocol"].iter().any(|w| p.contains(w)));
    let has_comment = parts.iter().any(|p| p.contains("comment"));
    let verdict = match (dice.below(10), callee) {
        (0 | 1, Some(c)) => format!("jump c{c}"),
        (2, Some(c)) => format!("goto c{c}"),
        (3, _) => "return".to_owned(),
        (4, _) if matches!(hook, "input" | "forward") => {
            dice.one(if family == "inet" { &["reject", "reject with icmpx type admin-prohibited"] } else { &["reject"] }).to_owned()
        }
        (4 | 5, _) => "drop".to_owned(),
        (6, Some(c)) => dice
            .one(match (free, family) {
                (true, "inet") => &FREE_MAPS,
                (true, _) => &FREE_MAPS[1..],
                _ => &MAPS,
            })
            .replace("CC", &format!("c{c}")),
        (7, _) => String::new(),
        _ => "accept".to_owned(),
    };
    if verdict != "accept" {
        parts.retain(|p| p != NFT_LIMIT);
    }
    // A comment ends a rule.
    parts.sort_by_key(|p| p.contains("comment"));
    match (has_comment, verdict.is_empty()) {
        (true, false) => {
            let comments: Vec<String> =
                parts.iter().filter(|p| p.contains("comment")).take(1).map(|_| "comment \"drop this\"".to_owned()).collect();
            parts.retain(|p| !p.contains("comment"));
            parts.push(verdict);
            parts.extend(comments);
        }
        (_, false) => parts.push(verdict),
        (_, true) => {
            let mut seen = false;
            parts.retain(|p| !p.contains("comment") || !std::mem::replace(&mut seen, true));
            if parts.is_empty() {
                parts.push("counter".to_owned());
            }
        }
    }
    parts.join(" ")
}

fn nft_nat(dice: &mut Dice, out: &mut String, family: &str) {
    out.push_str("\tchain pre {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n");
    let ip = |v6: bool| match (family, v6) {
        ("inet", false) => "ip ",
        ("inet", true) => "ip6 ",
        _ => "",
    };
    for _ in 0..1 + dice.below(4) {
        let text = match (dice.below(6), family) {
            (0, "ip6") | (1, "ip6" | "inet") => {
                format!("tcp dport {} dnat {}to [2001:db8:2::50]:{}", dice.one(&["22", "443"]), ip(true), dice.one(&["22", "3389"]))
            }
            (0..=2, "ip" | "inet") => format!(
                "iifname \"wan0\" tcp dport {} dnat {}to 192.168.1.50:{}",
                dice.one(&["22", "80", "3389"]),
                ip(false),
                dice.one(&["22", "8080"])
            ),
            (3, "ip" | "inet") => format!("dnat {}to tcp dport map {{ 80 : 192.168.1.50, 443 : 10.20.30.40 }}", ip(false)),
            (4, _) => format!("tcp dport {} redirect to :{}", dice.one(&["53", "8080"]), dice.one(&["22", "80"])),
            (_, "ip" | "inet") => format!("ip saddr {} {}", dice.one(&["10.0.0.0/8", "@hosts"]), dice.one(&["accept", "return"])),
            _ => "udp dport 53 dnat to fd00::77".to_owned(),
        };
        let _ = writeln!(out, "\t\t{text}");
    }
    out.push_str("\t}\n");
}
