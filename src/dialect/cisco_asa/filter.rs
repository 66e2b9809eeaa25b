//! Which access list decides about which packets, and in what order.
//!
//! One table per family holds the lists of all interfaces, each row bound to its interfaces, then the global list; its end
//! denies. An interface without any list is ruled by security levels, written out as generated rows. What comes out of a VPN
//! meets its own lists; packets to the box meet the control-plane list alone, after the permits of management services.

use super::Export;
use super::acl::{self, Lists};
use super::tunnel::Exit;
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::{
    AddrExpr, Attach, Family, Filter, FilterRole, Hook, IfMatch, NatMatch, Pipeline, Rule, RuleLog, Stage, SvcExpr, Verdict,
};
use crate::ir::interface::{InterfaceIx, SidePointer, SignStrength};
use crate::ir::listener::{Limit, Plane};
use crate::ir::live::Live;
use crate::ir::system::{IfUndefined, Undefined};
use crate::source::Span;
use crate::syntax::Node;

/// `access-group L in interface I`.
struct Group<'a> {
    list: &'a str,
    node: Node<'a>,
    on: Option<InterfaceIx>,
    inbound: bool,
    control_plane: bool,
}

struct Builder<'e, 'a> {
    export: &'e Export<'a>,
    lists: &'e Lists<'a>,
    groups: Vec<Group<'a>>,
    real: Vec<InterfaceIx>,
    /// Whether decrypted packets pass by the lists of interfaces.
    bypass: Fact<bool>,
}

/// Fills filters and the order of decisions.
pub fn fill(export: &Export<'_>, lists: &Lists<'_>, exits: &[Exit], device: &mut Device) {
    let mut groups = Vec::new();
    for node in export.lines.all(&["access-group"]) {
        let list = node.word_or_empty(1);
        export.uses("filter", list);
        let global = node.word(2) == Some("global");
        let on = node.word(4).and_then(|name| export.interface(name));
        if !global && on.is_none() {
            continue;
        }
        let control_plane = node.words_from(5).any(|w| w == "control-plane");
        groups.push(Group { list, node, on, inbound: global || node.word(2) == Some("in"), control_plane });
        if lists.named(list).is_empty() {
            let effect: Fact<IfUndefined> =
                export.default_at("access-group undefined", node.span(), |v| (v == "absent").then_some(IfUndefined::FilterAbsent));
            device.undefined.items.push(Undefined { kind: "filter", name: list.to_owned(), span: node.word_span(1), effect });
        }
    }
    let bypass = match export.lines.last(&["no", "sysopt", "connection", "permit-vpn"]) {
        Some(line) => Fact::written(false, line.span()),
        None => export.product("sysopt connection permit-vpn", super::on_off),
    };
    uses(export);
    let builder = Builder { export, lists, groups, real: export.interfaces.list.iter().map(|n| n.ix).collect(), bypass };
    let split = !export.managed && export.at_least(&[9, 0]) == Some(false);
    let families: &[Family] = if split { &[Family::V4, Family::V6] } else { &[Family::Both] };
    for family in families {
        builder.through(*family, exits, device);
    }
    builder.outbound(device);
    builder.vpn(exits, device);
    builder.to_box(device);
    let undecided = || export.product("access-list end", |v| (v == "deny").then_some(Verdict::Drop));
    let local = export.product("access-group control-plane", |v| (v == "none").then_some(Verdict::Next));
    let forward = Stage::Filter { hook: Hook::Forward, undecided: undecided() };
    // Where nobody filters what leaves, that stage decides nothing.
    let leaves = || export.product("access-group out", |v| (v == "next").then_some(Verdict::Next));
    let filtered = builder.groups.iter().any(|g| !g.inbound);
    let outbound = filtered.then(|| Stage::Filter { hook: Hook::Outbound, undecided: leaves() });
    // Filters see addresses after the translation since 8.3, before it until then.
    let early = export.at_least(&[8, 3]) == Some(false) || export.lines.has(&["static"]) && export.version.is_none();
    device.pipeline = Pipeline {
        to_box: vec![Stage::Filter { hook: Hook::Local, undecided: local }, Stage::Gate, Stage::Limits],
        through: if early { [forward, Stage::DestNat] } else { [Stage::DestNat, forward] }.into_iter().chain(outbound).collect(),
    };
}

/// Lists that are used for something else than filtering.
fn uses(export: &Export<'_>) {
    for block in export.lines.of("class-map").iter().chain(export.lines.of("route-map")) {
        for line in block.children().filter(|n| n.word(0) == Some("match")) {
            line.read().words_from(1).for_each(|w| export.uses("filter", w));
        }
    }
    for block in export.lines.of("group-policy").iter().chain(export.lines.of("username")) {
        for line in block.children().filter(|n| n.word_or_empty(0).starts_with("split-tunnel") || n.word(0) == Some("vpn-filter")) {
            line.words_from(1).for_each(|w| export.uses("filter", w));
        }
    }
    for first in ["capture", "aaa", "wccp", "nat", "flow-export", "dynamic-filter", "threat-detection", "router", "webvpn"] {
        for line in export.lines.of(first) {
            line.words_from(1).for_each(|w| export.uses("filter", w));
            line.children().for_each(|c| c.words_from(1).for_each(|w| export.uses("filter", w)));
        }
    }
}

/// A row that the product makes itself.
fn generated(label: &str, span: Span, verdict: Verdict, origin: Origin) -> Rule {
    Rule {
        label: label.to_owned(),
        span,
        live: Live::own(Fact::known(true, origin.clone())),
        ingress: IfMatch::Any,
        egress: IfMatch::Any,
        src: Fact::known(AddrExpr::Any, origin.clone()),
        dst: Fact::known(AddrExpr::Any, origin.clone()),
        svc: Fact::known(SvcExpr::Any, origin.clone()),
        guards: Vec::new(),
        nat: NatMatch { via: Vec::new(), plain_sees_translated: Fact::known(true, origin.clone()) },
        verdict: Fact::known(verdict, origin.clone()),
        log: Fact::known(RuleLog::None, origin),
        generated: true,
    }
}

impl<'a> Builder<'_, 'a> {
    fn of_family(&self, name: &str, family: Family) -> Vec<&acl::List<'a>> {
        let fits = |l: &&acl::List<'a>| family == Family::Both || l.v6 == (family == Family::V6);
        self.lists.named(name).into_iter().filter(fits).collect()
    }

    fn end(&self, at: Span) -> Fact<Verdict> {
        self.export.default_at("access-list end", at, |v| (v == "deny").then_some(Verdict::Drop))
    }

    /// The table of inbound lists, and levels where there is none.
    fn through(&self, family: Family, exits: &[Exit], device: &mut Device) {
        let inbound: Vec<&Group<'_>> =
            self.groups.iter().filter(|g| g.inbound && !g.control_plane && !self.of_family(g.list, family).is_empty()).collect();
        let global = inbound.iter().find(|g| g.on.is_none());
        let bound: Vec<InterfaceIx> = inbound.iter().filter_map(|g| g.on).collect();
        let mut rules = Vec::new();
        let mut done: Vec<&str> = Vec::new();
        for group in inbound.iter().filter(|g| g.on.is_some()) {
            if done.contains(&group.list) {
                continue;
            }
            done.push(group.list);
            let mut on: Vec<InterfaceIx> = inbound.iter().filter(|g| g.list == group.list).filter_map(|g| g.on).collect();
            if !self.bypass.value.is_true() {
                let decrypted: Vec<InterfaceIx> = exits.iter().filter(|e| e.outer.iter().any(|o| on.contains(o))).map(|e| e.on).collect();
                on.extend(decrypted);
            }
            self.rows(group.list, family, IfMatch::These(on), &mut rules);
        }
        if let Some(group) = global {
            self.rows(group.list, family, IfMatch::These(self.real.clone()), &mut rules);
        }
        let mut attach: Vec<Attach> = Vec::new();
        for group in &inbound {
            let on = match group.on {
                Some(ix) => vec![ix],
                None => self.real.iter().copied().filter(|ix| !bound.contains(ix)).collect(),
            };
            let origin = Origin::Written(group.node.span());
            attach.push(Attach { hook: Hook::Forward, on: IfMatch::These(on), origin });
        }
        let at = inbound.first().map_or(self.export.head, |g| g.node.span());
        if !inbound.is_empty() {
            device.filters.push(Filter {
                name: "access-group".to_owned(),
                span: Some(at),
                role: FilterRole::Packet,
                family,
                rules,
                incomplete: self.export.gaps.get("forward_filter").cloned(),
                default: self.end(at),
                attach,
            });
        }
        if global.is_none() {
            for ix in self.real.iter().filter(|ix| !bound.contains(ix)) {
                self.levels(*ix, family, device);
            }
        }
    }

    fn rows(&self, list: &str, family: Family, ingress: IfMatch, rules: &mut Vec<Rule>) {
        for list in self.of_family(list, family) {
            rules.extend(list.entries.iter().map(|e| acl::rule(self.export, list.name, e, ingress.clone())));
        }
    }

    /// What security levels let through from an interface without a list.
    fn levels(&self, ix: InterfaceIx, family: Family, device: &mut Device) {
        let list = &self.export.interfaces.list;
        let Some(own) = list.iter().find(|n| n.ix == ix) else { return };
        let same = self.export.lines.last(&["same-security-traffic", "permit", "inter-interface"]);
        let (mut lower, mut origins) = (Vec::new(), vec![own.level.origin.clone()]);
        let mut inside = false;
        for other in list.iter().filter(|n| n.ix != ix && !n.management_only) {
            let (Some(a), Some(b)) = (own.level.get(), other.level.get()) else { continue };
            let open = a > b || a == b && same.is_some();
            if !open {
                continue;
            }
            lower.push(other.ix);
            origins.push(other.level.origin.clone());
            let signs = &device.interfaces[other.ix.0 as usize].signs;
            inside |= !signs.iter().any(|s| s.strength == SignStrength::Strong && s.points_to == SidePointer::Untrusted);
        }
        origins.extend(same.filter(|_| !lower.is_empty()).map(|n| Origin::Written(n.span())));
        let origin = Origin::inferred("security_levels", origins);
        let mut rule = generated("security-level", own.node.span(), Verdict::Accept, origin.clone());
        rule.egress = IfMatch::These(lower.clone());
        // Where a lower level may be inside, a packet that no line names gets there.
        let end = if inside && !own.management_only { Verdict::Accept } else { Verdict::Drop };
        let unknown = own.level.get().is_none();
        device.filters.push(Filter {
            name: format!("security-level {}", own.name),
            span: Some(own.node.span()),
            role: FilterRole::Packet,
            family,
            rules: if lower.is_empty() || end == Verdict::Accept { Vec::new() } else { vec![rule] },
            incomplete: self.export.gaps.get("forward_filter").cloned(),
            default: match unknown {
                true => super::unclear("security-level", own.node.span()),
                false => Fact::known(end, origin.clone()),
            },
            attach: vec![Attach { hook: Hook::Forward, on: IfMatch::These(vec![ix]), origin }],
        });
    }

    fn outbound(&self, device: &mut Device) {
        for group in self.groups.iter().filter(|g| !g.inbound) {
            let Some(on) = group.on else { continue };
            for list in self.lists.named(group.list) {
                let ingress = IfMatch::These(self.real.clone());
                let mut rules: Vec<Rule> = list.entries.iter().map(|e| acl::rule(self.export, list.name, e, ingress.clone())).collect();
                if self.bypass.value.is_true() {
                    let mut pass =
                        generated("sysopt connection permit-vpn", group.node.span(), Verdict::Accept, self.bypass.origin.clone());
                    let virtuals = (self.real.len() as u32..device.interfaces.len() as u32).map(InterfaceIx);
                    pass.ingress = IfMatch::These(virtuals.collect());
                    rules.push(pass);
                }
                device.filters.push(Filter {
                    name: list.name.to_owned(),
                    span: Some(list.span),
                    // It opens nothing: what it lets out was let in before.
                    role: FilterRole::Other,
                    family: if list.v6 { Family::V6 } else { Family::Both },
                    rules,
                    incomplete: self.export.gaps.get("forward_filter").cloned(),
                    default: self.end(group.node.span()),
                    attach: vec![Attach { hook: Hook::Outbound, on: IfMatch::These(vec![on]), origin: Origin::Written(group.node.span()) }],
                });
            }
        }
    }

    /// Lists that what comes out of a VPN meets: the selectors in reverse, and the filter of its policy.
    fn vpn(&self, exits: &[Exit], device: &mut Device) {
        for exit in exits {
            let attach =
                |span: Span| vec![Attach { hook: Hook::Forward, on: IfMatch::These(vec![exit.on]), origin: Origin::Written(span) }];
            let mut met = false;
            for (named, reverse) in [(&exit.selectors, true), (&exit.filter, false)] {
                let Some((name, span)) = named else { continue };
                for list in self.lists.named(name) {
                    met = true;
                    let mut rules: Vec<Rule> = list.entries.iter().map(|e| acl::rule(self.export, list.name, e, IfMatch::Any)).collect();
                    if reverse {
                        rules.iter_mut().for_each(|r| {
                            std::mem::swap(&mut r.src, &mut r.dst);
                            r.generated = true;
                        });
                    }
                    let role = if reverse { FilterRole::Other } else { FilterRole::VpnExit };
                    device.filters.push(Filter {
                        name: list.name.to_owned(),
                        span: Some(list.span),
                        role,
                        family: if list.v6 { Family::V6 } else { Family::Both },
                        rules,
                        incomplete: self.export.gaps.get("forward_filter").cloned(),
                        default: self.end(*span),
                        attach: attach(*span),
                    });
                }
            }
            let bypass = self.bypass.map(|b| if *b { Verdict::Accept } else { Verdict::Next });
            if !met || !self.bypass.value.is_true() {
                self.decrypted(exit, bypass, met, device);
            }
        }
    }

    /// Without a list of its own, what comes out passes, or meets the lists of the interface it arrived on.
    fn decrypted(&self, exit: &Exit, bypass: Fact<Verdict>, met: bool, device: &mut Device) {
        if bypass.get() == Some(&Verdict::Next) {
            if let Some(table) = device.filters.iter_mut().find(|f| f.name == "access-group") {
                table.attach.push(Attach { hook: Hook::Forward, on: IfMatch::These(vec![exit.on]), origin: self.bypass.origin.clone() });
            }
        } else if !met {
            device.filters.push(Filter {
                name: "sysopt connection permit-vpn".to_owned(),
                span: None,
                role: FilterRole::Other,
                family: Family::Both,
                rules: Vec::new(),
                incomplete: None,
                default: bypass,
                attach: vec![Attach { hook: Hook::Forward, on: IfMatch::These(vec![exit.on]), origin: self.bypass.origin.clone() }],
            });
        }
    }

    /// Control-plane lists. What a management service admits is admitted before them.
    fn to_box(&self, device: &mut Device) {
        for group in self.groups.iter().filter(|g| g.control_plane) {
            let Some(on) = group.on else { continue };
            let mut rules = Vec::new();
            for listener in device.listeners.items.iter().filter(|l| l.plane == Plane::Management && l.service != "snmp") {
                let here = listener.bindings.iter().any(|b| b.on == Some(on));
                let (Limit::Sources { admits, .. }, Some(ports)) = (&listener.limits, listener.ports.get()) else { continue };
                if here && !listener.live.value().value.is_false() {
                    let span = listener.span.unwrap_or(group.node.span());
                    let mut permit = generated(listener.service, span, Verdict::Accept, admits.origin.clone());
                    permit.src = admits.clone();
                    permit.svc = Fact::known(SvcExpr::Union(ports.iter().cloned().map(SvcExpr::Term).collect()), admits.origin.clone());
                    rules.push(permit);
                }
            }
            for list in self.lists.named(group.list) {
                rules.extend(list.entries.iter().map(|e| acl::rule(self.export, list.name, e, IfMatch::Any)));
            }
            device.filters.push(Filter {
                name: group.list.to_owned(),
                span: Some(group.node.span()),
                role: FilterRole::ToBox,
                family: Family::Both,
                rules,
                incomplete: self.export.gaps.get("local_filter").cloned(),
                default: self.export.default_at("control-plane end", group.node.span(), |v| (v == "next").then_some(Verdict::Next)),
                attach: vec![Attach { hook: Hook::Local, on: IfMatch::These(vec![on]), origin: Origin::Written(group.node.span()) }],
            });
        }
    }
}
