//! Which packets from outside get in: every listener seen from every interface, and every way through the box to an inside host.
//!
//! Packets run through the order of decisions the device declares: destination translation, filters, the listener's own binding,
//! its limits. What is unknown splits the answer into cells (one for each possible membership in an unknown set) or widens the
//! gap between what surely and what possibly gets in; a class is only known where both agree.

use super::engine::Engine;
use super::flow::{CELLS, Flow};
use super::limits::Admitted;
use super::resolve::{self, Resolver};
use super::trust::{self, Side};
use super::{Context, Sheet, known_word};
use crate::ir::fact::{Fact, Origin, Val, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::listener::{Binding, LimitStage, Listener, ListenerIx, Plane, Reach};
use crate::ir::nat::NatIx;
use crate::ir::record::{Record, Step, Witness};
use crate::ir::schema;
use crate::packet::{self, AddrSet, Class, Intervals, Packet, Product, service};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// A listener as seen from one interface.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// The device in its export.
    pub device: usize,
    /// The listener in its device.
    pub listener: ListenerIx,
    /// What it is for.
    pub plane: Plane,
    /// What answers.
    pub service: &'static str,
    /// The interface packets enter.
    pub ingress: InterfaceIx,
    /// The judged side of that interface.
    pub side: Arc<Side>,
    /// Whether the listener runs.
    pub live: Fact<bool>,
    /// Class of the sources that get through, the worst over both families.
    pub class: Fact<Class>,
    /// The same after limits that refuse only the login.
    pub login_class: Fact<Class>,
    /// The families that have the worst class.
    pub family: &'static str,
    /// Whether nothing gets through only because translation drops what nobody asked for.
    pub latent: bool,
    /// Whether every address of the interface's networks is admitted.
    pub admits_whole_net: Val<bool>,
    /// The proof.
    pub chain: Vec<Step>,
    /// A packet that gets through, or that is stopped.
    pub witness: Option<Witness>,
    /// The line that opens it, if one does.
    pub span: Option<crate::source::Span>,
}

/// The word of a class.
pub fn class_word(class: Class) -> &'static str {
    match class {
        Class::None => "none",
        Class::Restricted => "restricted",
        Class::Broad => "broad",
        Class::Any => "any",
    }
}

const CLASSES: [Class; 4] = [Class::None, Class::Restricted, Class::Broad, Class::Any];

pub(super) fn class_between(lo: Class, hi: Class, why: impl FnOnce() -> Why) -> Val<Class> {
    let list: Vec<Class> = CLASSES.into_iter().filter(|c| lo <= *c && *c <= hi).collect();
    match list.as_slice() {
        [one] => Val::Known(*one),
        _ => Val::Among(list, why()),
    }
}

fn bounds(class: &Fact<Class>) -> (Class, Class) {
    match &class.value {
        Val::Known(c) => (*c, *c),
        Val::Among(list, _) => (list.iter().copied().min().unwrap_or(Class::None), list.iter().copied().max().unwrap_or(Class::Any)),
        Val::Unknown(_) => (Class::None, Class::Any),
    }
}

/// The worse of two classes.
pub fn worse(a: &Fact<Class>, b: &Fact<Class>) -> Fact<Class> {
    let ((alo, ahi), (blo, bhi)) = (bounds(a), bounds(b));
    let why = || a.value.why().or(b.value.why()).cloned().unwrap_or_else(|| Why::new(WhyCode::Ambiguous, ""));
    let value = class_between(alo.max(blo), ahi.max(bhi), why);
    // The worse one decides; where they are alike, both do.
    let origin = if alo > bhi || (alo == blo && ahi == bhi && a.origin.strength() >= b.origin.strength()) {
        a.origin.clone()
    } else if blo > ahi {
        b.origin.clone()
    } else {
        a.origin.joined(&b.origin)
    };
    Fact { value, origin }
}

/// A class that only counts if a condition holds.
pub fn maybe(class: &Fact<Class>, condition: &Fact<bool>) -> Fact<Class> {
    let (lo, hi) = bounds(class);
    let why = || condition.value.why().or(class.value.why()).cloned().unwrap_or_else(|| Why::new(WhyCode::Ambiguous, ""));
    let lo = if condition.value.is_true() { lo } else { Class::None };
    let hi = if condition.value.is_false() { Class::None } else { hi };
    Fact { value: class_between(lo, hi, why), origin: Origin::all([class.origin.clone(), condition.origin.clone()]) }
}

/// The known addresses of an expression, for questions that need no atoms.
pub fn plain_addresses(cx: &Context<'_>, expr: &AddrExpr) -> AddrSet {
    Resolver::new(cx).addresses(expr).hi
}

/// Protocol and ports of a listener as people write them.
pub fn ports_text(listener: &Listener) -> String {
    listener.ports.get().map_or_else(String::new, |terms| resolve::service_text(&resolve::union_of_terms(terms)))
}

/// Where packets come to a listener: what they are, and how they go on. Running it gives a [`Flow`].
#[derive(Clone, Debug)]
pub(super) struct Door {
    /// The packets, as they are behind the translation if there is one.
    pub(super) product: Product,
    /// The interface they enter.
    pub(super) ingress: InterfaceIx,
    /// Their family.
    pub(super) v6: bool,
    /// Why nothing of it is sure, once for each doubt.
    pub(super) doubts: Vec<Option<Why>>,
    /// The translation that leads them to the box.
    pub(super) nat: Option<NatIx>,
    /// The interface they reach through the filters for traffic through the box (a loopback).
    pub(super) forwarded: Option<InterfaceIx>,
    /// For an own address that the export does not show: who may stand outside.
    pub(super) whichever: Option<AddrSet>,
}

impl Engine<'_> {
    /// Every listener seen from every interface of its device.
    pub fn exposures(&self) -> Vec<Exposure> {
        let device = self.cx.device();
        let mut all = Vec::new();
        for (l, listener) in device.listeners.iter().enumerate() {
            for i in 0..device.interfaces.len() as u32 {
                let mut one = self.exposure(ListenerIx(l as u32), listener, InterfaceIx(i));
                // Whom the attached networks cannot hold may stand further inside.
                if bounds(&one.class).0 == Class::None && one.side.trusted().value.is_true() && !one.live.value.is_false() {
                    self.further_inside.set(true);
                    let further = self.exposure(ListenerIx(l as u32), listener, InterfaceIx(i));
                    self.further_inside.set(false);
                    if bounds(&further.class).0 > Class::None {
                        one = further;
                    }
                }
                all.push(one);
            }
        }
        all
    }

    fn exposure(&self, l: ListenerIx, listener: &Listener, ingress: InterfaceIx) -> Exposure {
        let device = self.cx.device();
        let interface = &device.interfaces[ingress.0 as usize];
        let side = &self.sides[ingress.0 as usize];
        let live = listener.live.value();
        let mut result = Exposure {
            device: self.cx.ix,
            listener: l,
            plane: listener.plane,
            service: listener.service,
            ingress,
            side: side.clone(),
            live: live.clone(),
            class: Fact::known(Class::None, Origin::Written(interface.span)),
            login_class: Fact::known(Class::None, Origin::Written(interface.span)),
            family: "both",
            latent: false,
            admits_whole_net: Val::Known(false),
            chain: Vec::new(),
            witness: None,
            span: None,
        };
        let bound = |b: &&Binding| b.on.is_none_or(|on| on == ingress || b.reach == Reach::Forwarded);
        let bindings: Vec<_> = listener.bindings.iter().filter(bound).filter(|b| !b.bound.value.is_false()).collect();
        // Nothing enters a box by a loopback.
        let looped = interface.kind == InterfaceKind::Loopback;
        if bindings.is_empty() || interface.up.value.is_false() || looped {
            result.chain.push(Step {
                span: Some(interface.span),
                code: "step.not_bound",
                args: vec![listener.service.to_owned(), interface.name.clone()],
            });
            return result;
        }
        // Discovery and the like have no way through filters: bound is exposed.
        if listener.plane == Plane::Layer2 {
            let fact = bindings.iter().map(|b| b.bound.clone()).reduce(|a, b| a.or(&b)).unwrap_or_else(|| live.clone());
            result.class = maybe(&Fact::known(Class::Any, fact.origin.clone()), &fact);
            result.login_class = result.class.clone();
            result.span = fact.origin.spans().first().copied().or(listener.span);
            result.chain = opening(listener, &fact.origin, &interface.name);
            return result;
        }
        // The worst way in so far: its class, its family, how it went, and the binding it reaches.
        let mut best: Option<(Fact<Class>, bool, Flow, &Binding)> = None;
        let mut merged: Option<(Fact<Class>, Fact<Class>)> = None;
        let mut latent = false;
        let mut through = (AddrSet::empty(), AddrSet::empty());
        for binding in bindings {
            for v6 in [false, true] {
                if !binding.family.includes(v6) {
                    continue;
                }
                for flow in self.ways(listener, binding, ingress, v6) {
                    latent |= flow.latent;
                    // A source is sure to pass where it does whatever sets of unknown content it belongs to; to the interface's own
                    // networks it belongs where the export does not show them, too.
                    let own =
                        self.resolver.unknown_network(&interface.name).map(|atom| packet::Variable { atom, side: packet::Side::Source });
                    let near = |c: &&super::flow::Cell| own.is_none_or(|v| c.assignment.get(v) != Some(false));
                    let sure = flow.cells.iter().filter(near).map(|c| c.lo.sources()).reduce(|a, b| a.intersection(&b));
                    let sure = sure.unwrap_or_else(AddrSet::empty);
                    through.0 = through.0.union(&sure);
                    for cell in &flow.cells {
                        through.1 = through.1.union(&cell.hi.sources());
                    }
                    let (class, login) = self.classes(listener, binding, ingress, &flow);
                    let replaces = best.as_ref().is_none_or(|(c, ..)| bounds(&class) > bounds(c));
                    merged = Some(match &merged {
                        None => (class.clone(), login.clone()),
                        Some((c, l)) => (worse(c, &class), worse(l, &login)),
                    });
                    if replaces {
                        best = Some((class, v6, flow, binding));
                    }
                }
            }
        }
        let (Some((class, v6, flow, binding)), Some((merged, login))) = (best, merged) else {
            result.chain.push(Step { span: Some(interface.span), code: "step.no_address", args: vec![interface.name.clone()] });
            return result;
        };
        let none = merged.get() == Some(&Class::None);
        result.latent = none && latent;
        result.admits_whole_net = self.admits_whole_net(listener, ingress, &through);
        result.family = if class.get() == Some(&Class::None) {
            "both"
        } else if v6 {
            "ipv6"
        } else {
            "ipv4"
        };
        // The line at fault is one that is written: what opens the listener, what switches it on, what lets the packet through.
        let opens = written(&binding.bound.origin).or_else(|| written(&live.origin));
        let lets = || flow.steps.iter().filter(|s| LETS_THROUGH.contains(&s.code)).find_map(|s| s.span);
        result.span = opens.or_else(lets).or(listener.span).or_else(|| live.origin.spans().first().copied());
        result.chain = opening(listener, &binding.bound.origin, &interface.name);
        result.chain.extend(side.steps.iter().cloned());
        result.chain.extend(flow.steps.iter().cloned());
        result.witness = flow.sample().map(|(p, _)| witness(&p));
        result.class = merged;
        result.login_class = login;
        result
    }

    /// Every way packets that enter an interface may reach a binding, in one family: untranslated, and by each translation to the box.
    fn ways(&self, listener: &Listener, binding: &Binding, ingress: InterfaceIx, v6: bool) -> Vec<Flow> {
        self.doors(listener, binding, ingress, v6, None).iter().filter_map(|door| self.enter(door, None)).collect()
    }

    /// Where packets that enter an interface may come to a binding, in one family, before any filter is asked.
    /// `outside` are the sources that stand there; `None` for all that may.
    pub(super) fn doors(
        &self,
        listener: &Listener,
        binding: &Binding,
        ingress: InterfaceIx,
        v6: bool,
        outside: Option<&AddrSet>,
    ) -> Vec<Door> {
        let device = self.cx.device();
        let interface = &device.interfaces[ingress.0 as usize];
        if v6 && interface.ipv6.value.is_false() && !interface.addresses.iter().any(|a| a.v6) {
            return Vec::new();
        }
        let svc = listener.ports.get().map_or_else(service::any, |t| resolve::union_of_terms(t));
        let forwarded = binding.on.filter(|on| *on != ingress && binding.reach == Reach::Forwarded);
        let target = forwarded.and_then(|ix| device.interfaces.get(ix.0 as usize)).unwrap_or(interface);
        let mut own = trust::own_addresses(target, v6);
        if v6 && own.is_empty() {
            // IPv6 is on or may be on; the address comes from the network.
            own.push(None);
        }
        // A port without an address: nothing to compute, and large switches have thousands of them.
        if own.is_empty() && device.nat.rules.is_empty() {
            return Vec::new();
        }
        let outside = outside.map_or_else(|| Cow::Owned(self.outside(ingress, v6)), Cow::Borrowed);
        let public =
            if v6 { AddrSet { v4: Intervals::empty(), ..AddrSet::any() } } else { AddrSet { v6: Intervals::empty(), ..AddrSet::any() } };
        own.sort();
        own.dedup();
        let mut doubts = Vec::new();
        if v6 && interface.ipv6.value.tri().is_none() && !interface.addresses.iter().any(|a| a.v6) {
            doubts.push(interface.ipv6.value.why().cloned());
        }
        if listener.ports.get().is_none() {
            doubts.push(listener.ports.value.why().cloned());
        }
        let mut doors = Vec::new();
        for address in own {
            let dst = address.map_or_else(|| public.clone(), AddrSet::single);
            let product = Product { src: outside.as_ref().clone(), dst, svc: svc.clone(), ..Product::any() };
            let whichever = address.is_none().then(|| outside.as_ref().clone());
            doors.push(Door { product, ingress, v6, doubts: doubts.clone(), nat: None, forwarded, whichever });
        }
        if !v6 && binding.on.is_none() {
            for (n, rule) in device.nat.rules.iter().enumerate() {
                doors.extend(self.translated_to_box(NatIx(n as u32), rule, &svc, ingress, &outside));
            }
        }
        doors
    }

    /// Sends the packets of a door, or those of them that are in `within`, through the decisions of the box.
    pub(super) fn enter(&self, door: &Door, within: Option<&Product>) -> Option<Flow> {
        let device = self.cx.device();
        let product = within.map_or_else(|| door.product.clone(), |w| door.product.intersection(w));
        if let Some(n) = door.nat {
            let rule = device.nat.rules.get(n.0 as usize)?;
            let (mut flow, stages) = self.translate(&device.pipeline.to_box, n, door.ingress, product, door.v6)?;
            for why in &door.doubts {
                flow.doubt(why.clone());
            }
            flow.origins.push(Origin::Written(rule.span));
            flow.steps.push(Step { span: Some(rule.span), code: "step.nat_to_box", args: vec![rule.name.clone()] });
            flow.to_box = true;
            self.run(&mut flow, stages, door.ingress, None, door.nat);
            return Some(flow);
        }
        // A packet has one destination: nothing to be quantified over.
        let several = product.dst.v4.count() + product.dst.v6.count() > 1;
        let mut flow = self.start(product, door.v6)?;
        for why in &door.doubts {
            flow.doubt(why.clone());
        }
        self.steal(&mut flow, door.ingress, door.v6);
        self.unmatched(&mut flow, door.ingress, door.v6);
        if let Some(egress) = door.forwarded {
            self.run(&mut flow, &device.pipeline.through, door.ingress, Some(egress), None);
            flow.to_box = true;
            self.run(&mut flow, &device.pipeline.to_box, egress, None, None);
        } else {
            flow.to_box = true;
            self.run(&mut flow, &device.pipeline.to_box, door.ingress, None, None);
        }
        if let Some(outside) = door.whichever.as_ref().filter(|_| several) {
            // The address is one the export does not show: surely in is only what gets in whichever it is.
            flow.quantify(outside);
        }
        Some(flow)
    }

    /// Class of the sources of a flow after the listener's limits.
    fn classes(&self, listener: &Listener, binding: &Binding, ingress: InterfaceIx, flow: &Flow) -> (Fact<Class>, Fact<Class>) {
        let outside = self.outside(ingress, flow.v6);
        let connect = self.limits(&listener.limits, LimitStage::Connect);
        let login = self.limits(&listener.limits, LimitStage::Login);
        let class = |limits: &[&Admitted]| {
            let (mut lo, mut hi) = (Class::None, Class::None);
            for cell in &flow.cells {
                let mut cells = vec![(cell.lo.sources(), cell.hi.sources(), self.cap(&cell.assignment))];
                for limit in limits {
                    cells = cells
                        .into_iter()
                        .flat_map(|(l, h, cap)| {
                            limit.parts.iter().map(move |(known, size)| {
                                let cap = size.map_or(cap, |s| (cap.0.min(s.0), cap.1.min(s.1)));
                                let lo = if limit.sure { l.intersection(known) } else { AddrSet::empty() };
                                (lo, h.intersection(known), cap)
                            })
                        })
                        .take(CELLS)
                        .collect();
                }
                for (l, h, (cap_lo, cap_hi)) in cells {
                    lo = lo.max(Class::of(&l, &outside).min(cap_lo));
                    hi = hi.max(Class::of(&h, &outside).min(cap_hi));
                }
            }
            let why = || {
                let limit_why = limits.iter().find_map(|l| l.why.clone());
                flow.why
                    .clone()
                    .or(limit_why)
                    .or_else(|| binding.bound.value.why().cloned())
                    .unwrap_or_else(|| Why::new(WhyCode::RuntimeContent, self.name(ingress)))
            };
            if !binding.bound.value.is_true() {
                lo = Class::None;
            }
            let mut origins = vec![binding.bound.origin.clone()];
            origins.extend(flow.origins.iter().cloned());
            if flow.possible() {
                origins.extend(limits.iter().map(|l| l.origin.clone()));
            }
            Fact { value: class_between(lo.min(hi), hi, why), origin: Origin::all(origins) }
        };
        (class(&[&connect]), class(&[&connect, &login]))
    }
}

/// Steps at which somebody wrote that a packet gets through.
const LETS_THROUGH: [&str; 2] = ["step.nat_to_box", "step.filter_accept"];

/// The first written line of an origin; a block that only anchors a default is none.
fn written(origin: &Origin) -> Option<crate::source::Span> {
    match origin {
        Origin::Written(span) => Some(*span),
        Origin::Inferred { from, .. } | Origin::All(from) => from.iter().find_map(written),
        Origin::Default(_) | Origin::Stated(_) => None,
    }
}

pub(super) fn opening(listener: &Listener, origin: &Origin, interface: &str) -> Vec<Step> {
    let spans = origin.spans();
    let args = vec![listener.service.to_owned(), interface.to_owned(), ports_text(listener)];
    let code = if matches!(origin, Origin::Default(_)) { "step.listens_by_default" } else { "step.listens" };
    if spans.is_empty() {
        vec![Step { span: listener.span, code, args }]
    } else {
        spans.into_iter().map(|s| Step { span: Some(s), code, args: args.clone() }).collect()
    }
}

pub(super) fn witness(packet: &Packet) -> Witness {
    let (source, destination): (IpAddr, IpAddr) = (packet.src, packet.dst);
    let protocol: Cow<'static, str> = match packet.proto {
        service::TCP => "tcp".into(),
        service::UDP => "udp".into(),
        service::ICMP | service::ICMPV6 => "icmp".into(),
        p => p.to_string().into(),
    };
    let port = service::has_ports(packet.proto).then_some(packet.detail).filter(|port| *port != 0);
    let shown = !destination.is_unspecified();
    Witness { source, destination: shown.then_some(destination), protocol, port }
}

/// Records of kind `exposure`.
pub fn records(cx: &Context<'_>, sheet: &mut Sheet<'_>) {
    let device = cx.device();
    let mut records = Vec::new();
    let ports: Vec<String> = device.listeners.iter().map(ports_text).collect();
    for e in sheet.exposures {
        let listener = &device.listeners.items[e.listener.0 as usize];
        let interface = &device.interfaces[e.ingress.0 as usize];
        let mut record = Record::new(&schema::EXPOSURE, format!("{} on {}", e.service, interface.name), e.span.or(Some(interface.span)));
        let at = e.class.origin.clone();
        record.word("plane", known_word(e.plane.word(), at.clone()));
        record.word("service", known_word(e.service, at.clone()));
        record.text("ports", ports[e.listener.0 as usize].clone(), listener.ports.origin.clone());
        record.text("interface", interface.name.clone(), at.clone());
        record.word("side", e.side.side.map(|s| Cow::Borrowed(trust::word(*s))));
        record.word("side_kind", known_word(e.side.outside, e.side.side.origin.clone()));
        record.word("family", known_word(e.family, at.clone()));
        record.word("class", e.class.map(|c| Cow::Borrowed(class_word(*c))));
        record.word("login_class", e.login_class.map(|c| Cow::Borrowed(class_word(*c))));
        record.bool("latent", Fact::known(e.latent, at.clone()));
        record.bool("admits_whole_net", Fact { value: e.admits_whole_net.clone(), origin: at.clone() });
        record.bool("cleartext", listener.cleartext.clone());
        record.bool("redirect_only", listener.redirect_only.clone());
        record.bool("live", e.live.clone());
        record.bool("peers_fixed", listener.peers_fixed.clone().unwrap_or_else(|| Fact::known(false, at.clone())));
        record.chain = e.chain.clone();
        record.witness = e.witness.clone();
        records.push(record);
    }
    records.into_iter().for_each(|r| sheet.add(r));
}
