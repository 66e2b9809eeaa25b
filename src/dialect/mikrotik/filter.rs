//! Packet filters: the built-in chains with the chains they jump to written out in place, for IPv4 and IPv6, and the raw table.
//!
//! The first row that ends matters; a chain that ends without one accepts, and there is no setting for that. An IPv4 filter says
//! nothing about IPv6.

use super::matcher::{self, Conditions, Purpose, Translated};
use super::menus::Item;
use super::{Export, yes};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterRole, Guard, Hook, IfMatch, NatMatch, Pipeline, Rule, RuleLog, Stage, Verdict,
};
use crate::ir::live::{LinkKind, Live};
use crate::ir::nat::NatIx;
use std::collections::{HashMap, HashSet};

/// Deeper jumps than anybody writes.
const DEPTH: usize = 12;
/// Translations that rows may name, all rows together; beyond it such a row is a condition nobody models.
const NAMED: u64 = 1_000_000;
/// Rows that jumps may multiply a filter to.
const ROWS: usize = 50_000;

/// Fills the filters and the order of decisions.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    let end = export.product("ip firewall filter.end-of-chain", verdict_word);
    for (family, v6) in [("/ip", false), ("/ipv6", true)] {
        let path = format!("{family} firewall filter");
        let chains = chains(export, &path);
        table(export, device, &path, &chains, v6, "input", (Hook::Local, FilterRole::ToBox, "local_filter"), &end);
        table(export, device, &path, &chains, v6, "forward", (Hook::Forward, FilterRole::Packet, "forward_filter"), &end);
        let raw = format!("{family} firewall raw");
        let chains = self::chains(export, &raw);
        table(export, device, &raw, &chains, v6, "prerouting", (Hook::Inbound, FilterRole::Other, "local_filter"), &end);
    }
    // Chains for what the router itself sends, and chains that nothing jumps to, bear on no stranger's packet.
    for path in ["/ip firewall filter", "/ip firewall raw", "/ipv6 firewall filter", "/ipv6 firewall raw"] {
        let rows = chains(export, path);
        let mut entered: Vec<&str> = vec!["input", "forward", "prerouting"];
        let mut reached: HashSet<&str> = HashSet::new();
        while let Some(chain) = entered.pop() {
            if reached.insert(chain) {
                let targets = rows.get(chain).into_iter().flatten().filter_map(|r| r.text("jump-target"));
                entered.extend(targets.map(|v| v.text));
            }
        }
        for item in rows.iter().filter(|(chain, _)| !reached.contains(*chain)).flat_map(|(_, rows)| rows) {
            item.attributes().for_each(|(node, _)| {
                node.read();
            });
        }
    }
    let stage = |hook, topic: &str| {
        let undecided = match export.gaps.get(topic) {
            Some(_) => Fact::unknown(Why::at(WhyCode::NotExported, "/ip firewall filter", export.head.into_iter().collect())),
            None => end.clone(),
        };
        Stage::Filter { hook, undecided }
    };
    // Only where somebody wrote rows: an empty table decides nothing.
    let raw = || device.filters.iter().any(|f| f.attach.iter().any(|a| a.hook == Hook::Inbound));
    let raw = raw().then(|| Stage::Filter { hook: Hook::Inbound, undecided: end.clone() });
    device.pipeline = Pipeline {
        to_box: [Stage::DestNat]
            .into_iter()
            .chain(raw.clone())
            .chain([stage(Hook::Local, "local_filter"), Stage::Gate, Stage::Limits])
            .collect(),
        through: [Stage::DestNat].into_iter().chain(raw).chain([stage(Hook::Forward, "forward_filter")]).collect(),
    };
}

fn verdict_word(word: &str) -> Option<Verdict> {
    match word {
        "accept" => Some(Verdict::Accept),
        "drop" | "reject" | "tarpit" => Some(Verdict::Drop),
        "log" | "passthrough" | "notrack" | "fasttrack-connection" | "add-src-to-address-list" | "add-dst-to-address-list" => {
            Some(Verdict::Continue)
        }
        _ => None,
    }
}

type Chains<'e, 'a> = HashMap<&'a str, Vec<&'e Item<'a>>>;

fn chains<'e, 'a>(export: &'e Export<'a>, path: &str) -> Chains<'e, 'a> {
    let mut chains: Chains<'e, 'a> = HashMap::new();
    for row in export.menus.rows(path) {
        chains.entry(row.text("chain").map_or("", |v| v.text)).or_default().push(row);
    }
    chains
}

#[allow(clippy::too_many_arguments)]
fn table(
    export: &Export<'_>,
    device: &mut Device,
    path: &str,
    chains: &Chains<'_, '_>,
    v6: bool,
    chain: &str,
    (hook, role, topic): (Hook, FilterRole, &str),
    end: &Fact<Verdict>,
) {
    let Some(first) = chains.get(chain).and_then(|rows| rows.first()) else { return };
    let head = export.menus.head(path).unwrap_or(first.span());
    let mut walk =
        Walk { export, chains, v6, to_box: hook == Hook::Local, translations: device.nat.rules.len() as u32, named: 0, rules: Vec::new() };
    walk.chain(chain, None, 0);
    let family = if v6 { "ipv6 " } else { "" };
    let raw = if hook == Hook::Inbound { "raw " } else { "" };
    let mut rules = walk.rules;
    if hook == Hook::Inbound {
        // The raw table sees destinations before translation; a row that names some may or may not meet a translated packet.
        for rule in
            rules.iter_mut().filter(|r| !matches!((r.dst.get(), r.svc.get()), (Some(AddrExpr::Any), Some(crate::ir::filter::SvcExpr::Any))))
        {
            rule.nat.plain_sees_translated = Fact::unknown(Why::at(WhyCode::Unmodelled, rule.label.clone(), vec![rule.span]));
        }
    }
    device.filters.push(Filter {
        name: format!("{family}{raw}{chain}"),
        span: Some(head),
        role,
        family: if v6 { Family::V6 } else { Family::V4 },
        rules,
        incomplete: export.gaps.get(topic).cloned(),
        default: end.clone(),
        attach: vec![Attach { hook, on: IfMatch::Any, origin: Origin::Written(head) }],
    });
}

struct Walk<'w, 'e, 'a> {
    export: &'w Export<'a>,
    chains: &'w Chains<'e, 'a>,
    v6: bool,
    to_box: bool,
    translations: u32,
    /// Translations that rows name by now, all rows together.
    named: u64,
    rules: Vec<Rule>,
}

/// What leads to a chain.
#[derive(Clone)]
struct Jump {
    conditions: Conditions,
    live: Fact<bool>,
}

impl Walk<'_, '_, '_> {
    fn chain(&mut self, name: &str, jump: Option<&Jump>, depth: usize) {
        let Some(rows) = self.chains.get(name) else { return };
        let mut returned: Vec<Guard> = Vec::new();
        for (n, item) in rows.iter().enumerate() {
            if self.rules.len() >= ROWS {
                return;
            }
            let default = || self.export.default_at("ip firewall filter.action", item.span(), |w| Some(w.to_owned()));
            let action = item.text("action").map_or_else(default, |v| Fact::written(v.text.to_owned(), v.span));
            let word = action.get().map_or("", String::as_str).to_owned();
            let accepts = matches!(word.as_str(), "accept" | "jump" | "return");
            let purpose = Purpose { v6: self.v6, accepts, to_box: self.to_box };
            let own = matcher::read(self.export, item, purpose);
            let enabled = self.export.enabled(item, "ip firewall filter");
            let mut conditions = match jump {
                Some(jump) => own.and(&jump.conditions),
                None => own.clone(),
            };
            conditions.guards.extend(returned.iter().cloned());
            match word.as_str() {
                "jump" => {
                    let live = jump.map_or_else(|| enabled.clone(), |j| j.live.and(&enabled));
                    let target = item.text("jump-target").map(|v| v.text);
                    if let Some(target) = target.filter(|_| depth < DEPTH && !live.value.is_false()) {
                        self.chain(target, Some(&Jump { conditions, live }), depth + 1);
                    }
                    continue;
                }
                "return" if jump.is_some() => {
                    // What returns goes on behind the jump: the rows below may or may not see it.
                    let stranger = !own.guards.iter().any(|g| matches!(g, Guard::Established(_) | Guard::Decrypted(_)));
                    if stranger && !enabled.value.is_false() {
                        returned.push(Guard::Unmodelled(item.span(), "return".to_owned()));
                        if unconditional(&own) && enabled.value.is_true() {
                            return;
                        }
                    }
                    continue;
                }
                _ => {}
            }
            let verdict = match (word.as_str(), verdict_word(&word)) {
                // At the top a return leads to the end of the chain.
                ("return", _) => Fact {
                    value: self.export.product("ip firewall filter.end-of-chain", verdict_word).value,
                    origin: action.origin.clone(),
                },
                (_, Some(verdict)) => Fact::known(verdict, action.origin.clone()),
                _ => Fact::unknown(Why::at(WhyCode::Ambiguous, "action", vec![item.span()])),
            };
            let label = match item.text("comment") {
                Some(comment) => comment.text.to_owned(),
                None => format!("{name} #{}", n + 1),
            };
            let mut live = Live::own(enabled);
            if let Some(jump) = jump {
                live = live.with(LinkKind::Referenced, jump.live.clone());
            }
            let rule = self.rule(item, label, conditions, verdict, live);
            self.rules.push(rule);
        }
    }

    fn rule(&mut self, item: &Item<'_>, label: String, mut c: Conditions, verdict: Fact<Verdict>, live: Live) -> Rule {
        let mut nat = NatMatch { via: Vec::new(), plain_sees_translated: Fact::written(c.translated != Translated::Never, item.span()) };
        if c.translated == Translated::Only {
            self.named += u64::from(self.translations);
            let all = self.named <= NAMED;
            if all {
                nat.via = (0..self.translations).map(NatIx).collect();
            }
            if !all || !matches!(c.dst.get(), Some(AddrExpr::Any)) {
                c.guards.push(Guard::Unmodelled(item.span(), "connection-nat-state".to_owned()));
            }
            c.dst = Fact { value: crate::ir::fact::Val::Known(AddrExpr::Nothing), origin: c.dst.origin.clone() };
        }
        let log = match item.text("log") {
            Some(value) => yes(&value).map(|on| if *on { RuleLog::Session } else { RuleLog::None }),
            None => self.export.default_at("ip firewall filter.log", item.span(), |w| match w {
                "no" => Some(RuleLog::None),
                "yes" => Some(RuleLog::Session),
                _ => None,
            }),
        };
        Rule {
            label,
            span: item.span(),
            live,
            ingress: c.ingress.clone(),
            egress: c.egress.clone(),
            svc: c.service(),
            src: c.src,
            dst: c.dst,
            guards: c.guards,
            nat,
            verdict,
            log,
            generated: false,
        }
    }
}

fn unconditional(c: &Conditions) -> bool {
    let all = |f: &Fact<AddrExpr>| matches!(f.get(), Some(AddrExpr::Any));
    c.ingress == IfMatch::Any
        && c.egress == IfMatch::Any
        && all(&c.src)
        && all(&c.dst)
        && c.services.is_none()
        && c.guards.is_empty()
        && c.translated == Translated::Either
}
