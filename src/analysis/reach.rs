//! Who reaches what: for a question (from where, to what) every way through the box with the exact packets that take it, an example
//! packet, and the decisions about that packet.
//!
//! It asks what [`super::exposure`] and [`super::forward`] ask, of any source and any destination: the same doors, flows and limits. What a
//! way lets through stands between two bounds, split by membership in sets whose content the export does not hold. A packet
//! is only shown as a witness if it was sent through the box by itself and came out.

use super::engine::Engine;
use super::exposure::{self, Door};
use super::flow::Flow;
use super::limits::Admitted;
use super::{Context, Settings, forward, resolve, text, translate, trust};
use crate::ir::device::Device;
use crate::ir::fact::{Fact, Rest, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::{InterfaceIx, InterfaceKind};
use crate::ir::listener::{Binding, LimitStage, Listener, ListenerIx, Plane, Reach};
use crate::ir::nat::{NatIx, NatRule};
use crate::ir::record::{Step, Witness};
use crate::ir::schema;
use crate::packet::{AddrSet, Class, Intervals, Packet, PacketSet, Product, Side, service};
use std::net::IpAddr;

/// A question, as a person writes it.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// `internet` (every untrusted side, also when nothing is said), an address, a prefix, a range, or the name of a zone or an interface.
    pub from: Option<String>,
    /// A service of the box, `box`, an address, `address:port[/protocol]`, or the name of a zone or an interface; everything if nothing is said.
    pub to: Option<String>,
}

/// Where packets come from, on one device.
#[derive(Clone, Debug)]
enum Sources {
    Outside,
    Set(AddrSet),
    Interfaces(Vec<InterfaceIx>),
}

/// Where packets go, on one device.
#[derive(Clone, Debug)]
enum Aim {
    All,
    Box,
    Service(String),
    Set(AddrSet, Intervals<u32>),
    Interfaces(Vec<InterfaceIx>),
}

/// Whether packets get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Some surely do.
    Yes,
    /// It cannot be told.
    Unknown,
    /// None does.
    No,
}

impl Reached {
    /// The word of the JSON contract.
    pub fn word(self) -> &'static str {
        match self {
            Reached::Yes => "yes",
            Reached::Unknown => "unknown",
            Reached::No => "no",
        }
    }
}

/// Being in a set whose content the export does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// Whether the destination is meant; else the source.
    pub destination: bool,
    /// The set, as the export names it.
    pub set: String,
    /// Whether the address is in it.
    pub inside: bool,
}

/// Packets that get through, under conditions that the export leaves open.
#[derive(Clone, Debug)]
pub struct Part {
    /// The conditions; all hold.
    pub when: Vec<Membership>,
    /// Packets that surely get through, as filters see them.
    pub lo: PacketSet,
    /// Packets that possibly do.
    pub hi: PacketSet,
    /// Whether it is sure that there are addresses that meet the conditions.
    real: bool,
}

/// What a way leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Something the box itself answers.
    Listener(ListenerIx),
    /// An inside host behind a translation.
    Translation(NatIx),
    /// The networks behind an interface.
    Network(InterfaceIx),
}

/// One way: one target, entered by one interface, in one family.
#[derive(Clone, Debug)]
pub struct Way {
    /// What it leads to.
    pub target: Target,
    /// The interface packets enter.
    pub ingress: InterfaceIx,
    /// Whether it is about IPv6.
    pub v6: bool,
    /// What kind of outside the interface faces: `internet`, `closed_network`, or `none`.
    pub outside: &'static str,
    /// Whether the side is surely untrusted; `None` when it cannot be told.
    pub untrusted: Option<bool>,
    /// Destinations as packets carry them when they enter; `None`: the box's own address there, which the export does not show.
    pub entry: Option<AddrSet>,
    /// Services as packets carry them when they enter.
    pub entry_svc: Intervals<u32>,
    /// What gets through.
    pub parts: Vec<Part>,
    /// The answer.
    pub reached: Reached,
    /// Why it cannot be told.
    pub why: Option<Why>,
    /// A packet that gets through (surely if one surely does), or one that is stopped; as filters see it.
    pub packet: Option<Packet>,
    /// The same packet as it enters.
    pub witness: Option<Witness>,
    /// The decisions about that packet.
    pub chain: Vec<Step>,
    /// What is said before the decisions about a packet, whichever it is, and behind them.
    frame: (Vec<Step>, Vec<Step>),
    /// Whether it leads to networks that surely face inside.
    inward: bool,
    how: How,
}

impl Way {
    /// Whether it leads to networks that surely face inside.
    pub fn is_inward(&self) -> bool {
        self.inward
    }
}

#[derive(Clone, Debug)]
enum How {
    Door(Box<Door>),
    Translation(NatIx),
    Network(InterfaceIx),
    Nowhere,
}

/// The answer for one device.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Every way, best known first within a target: in the order of listeners, translations and interfaces.
    pub ways: Vec<Way>,
    /// Why there may be services of the box, among those asked for, that the export does not show.
    pub open_box: Option<Why>,
    /// Why there may be ways to the inside that the export does not show.
    pub open_inside: Option<Why>,
    /// Why it cannot be told which interface the sources of the question stand behind.
    pub open_sources: Option<Why>,
    /// Whether the device knows the place the question starts from, and the place it goes to.
    pub knows: (bool, bool),
}

/// Answers a question about every device of one export.
pub fn ask(devices: &[Device], settings: &Settings, question: &Question) -> Vec<Answer> {
    with_engines(devices, settings, |engine| engine.answer(question))
}

fn with_engines<T>(devices: &[Device], settings: &Settings, each: impl Fn(&Engine<'_>) -> T) -> Vec<T> {
    let stated = &settings.stated;
    let sides: Vec<Vec<trust::Side>> =
        (0..devices.len()).map(|ix| trust::sides(&Context { devices, ix, stated, settings, sides: &[] })).collect();
    let contexts = sides.iter().enumerate().map(|(ix, sides)| Context { devices, ix, stated, settings, sides });
    // Who asks what users reach asks about users who logged in.
    let asked = |cx: Context<'_>| {
        let mut engine = Engine::new(&cx);
        engine.logged_in = true;
        each(&engine)
    };
    contexts.map(asked).collect()
}

/// Sends one packet of a way through its device: the decisions about it, and whether it gets through (`None`: it cannot be told).
pub fn trace(devices: &[Device], settings: &Settings, device: usize, way: &Way, packet: &Packet) -> (Vec<Step>, Option<bool>) {
    let traced = with_engines(devices, settings, |engine| (engine.cx.ix == device).then(|| engine.trace(way, packet)));
    traced.into_iter().flatten().next().unwrap_or((Vec::new(), None))
}

/// Everything that is said about one packet of a way, and the packet as it enters.
pub fn explain(devices: &[Device], settings: &Settings, device: usize, way: &Way, packet: &Packet) -> Option<(Vec<Step>, Witness)> {
    let said = with_engines(devices, settings, |engine| (engine.cx.ix == device).then(|| engine.explained(way, packet)));
    said.into_iter().flatten().next()
}

/// The names that a question about these devices may use beside addresses.
pub fn names(devices: &[Device]) -> Vec<String> {
    let zones = devices.iter().flat_map(|d| &d.zones).map(|z| z.name.clone());
    let interfaces = devices.iter().flat_map(|d| &d.interfaces).map(|i| i.name.clone());
    let mut all: Vec<String> = zones.chain(interfaces).collect();
    all.sort();
    all.dedup();
    all
}

/// An address, a prefix (`a/n`) or a range (`a-b`).
fn addresses(text: &str) -> Option<AddrSet> {
    if let Some((first, last)) = text.split_once('-') {
        return AddrSet::range(first.trim().parse().ok()?, last.trim().parse().ok()?);
    }
    match text.split_once('/') {
        Some((address, length)) => AddrSet::prefix(address.parse().ok()?, length.parse().ok()?),
        None => text.parse::<IpAddr>().ok().map(AddrSet::single),
    }
}

/// `address:port`, `[address]:port`, with `/tcp` or `/udp` behind.
fn socket(text: &str) -> Option<(AddrSet, Intervals<u32>)> {
    let (text, protocols) = match text.rsplit_once('/') {
        Some((head, "tcp")) => (head, vec![service::TCP]),
        Some((head, "udp")) => (head, vec![service::UDP]),
        Some(_) => return None,
        None => (text, vec![service::TCP, service::UDP]),
    };
    let (address, port) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    let port: u16 = port.parse().ok()?;
    let svc = protocols.into_iter().fold(Intervals::empty(), |all, p| all.union(&service::port(p, port)));
    Some((addresses(address)?, svc))
}

fn interfaces_named(device: &Device, name: &str) -> Option<Vec<InterfaceIx>> {
    if let Some(zone) = device.zones.iter().find(|z| z.name == name) {
        return Some(zone.members.clone());
    }
    let alias = |i: &crate::ir::interface::Interface| i.alias.as_deref() == Some(name);
    let found = device.interface(name).or_else(|| device.interfaces.iter().position(alias).map(|ix| InterfaceIx(ix as u32)));
    found.map(|ix| vec![ix])
}

impl Question {
    fn sources(&self, device: &Device) -> Option<Sources> {
        match self.from.as_deref() {
            None | Some("internet") => Some(Sources::Outside),
            Some(text) => match addresses(text) {
                Some(set) => Some(Sources::Set(set)),
                None => interfaces_named(device, text).map(Sources::Interfaces),
            },
        }
    }

    fn aim(&self, device: &Device) -> Option<Aim> {
        let Some(text) = self.to.as_deref() else { return Some(Aim::All) };
        if text == "box" {
            return Some(Aim::Box);
        }
        if let Some(set) = addresses(text) {
            return Some(Aim::Set(set, service::any()));
        }
        if let Some((set, svc)) = socket(text) {
            return Some(Aim::Set(set, svc));
        }
        if let Some(interfaces) = interfaces_named(device, text) {
            return Some(Aim::Interfaces(interfaces));
        }
        schema::SERVICES.contains(&text).then(|| Aim::Service(text.to_owned()))
    }

    /// Whether the question names something that is no name of a device but is well formed by itself.
    pub fn is_general(&self) -> (bool, bool) {
        let from = self.from.as_deref().is_none_or(|t| t == "internet" || addresses(t).is_some());
        let to = |t: &str| t == "box" || schema::SERVICES.contains(&t) || addresses(t).is_some() || socket(t).is_some();
        (from, self.to.as_deref().is_none_or(to))
    }
}

impl Engine<'_> {
    fn answer(&self, question: &Question) -> Answer {
        let device = self.cx.device();
        let (sources, aim) = (question.sources(device), question.aim(device));
        let knows = (sources.is_some(), aim.is_some());
        let mut answer = Answer { ways: Vec::new(), open_box: None, open_inside: None, open_sources: None, knows };
        let (Some(sources), Some(aim)) = (sources, aim) else { return answer };
        if matches!(aim, Aim::All | Aim::Box | Aim::Service(_) | Aim::Set(..)) {
            for (l, listener) in device.listeners.iter().enumerate() {
                self.to_listener(ListenerIx(l as u32), listener, &sources, &aim, &mut answer.ways);
            }
            answer.open_box = open(&super::rest(device, &schema::EXPOSURE));
        }
        if matches!(aim, Aim::All | Aim::Set(..) | Aim::Interfaces(_)) {
            for (n, rule) in device.nat.rules.iter().enumerate() {
                self.to_translation(NatIx(n as u32), rule, &sources, &aim, &mut answer.ways);
            }
            for egress in 0..device.interfaces.len() as u32 {
                self.to_network(InterfaceIx(egress), &sources, &aim, &mut answer.ways);
            }
            answer.open_inside = open(&super::rest(device, &schema::FORWARD));
        }
        if matches!(sources, Sources::Outside) && !self.cx.sides.iter().any(|s| s.untrusted().value.is_true()) {
            // Nothing shows which interface faces outside: that nothing gets there must not be read out of that.
            answer.open_sources = self.cx.sides.iter().find_map(|s| s.side.value.why().cloned());
        }
        if let Sources::Set(set) = &sources {
            let stands = (0..device.interfaces.len() as u32).any(|ix| {
                [false, true].iter().any(|v6| self.sources_at(&sources, InterfaceIx(ix), *v6).is_some_and(|(s, _)| !s.is_empty()))
            });
            if !stands && !device.interfaces.is_empty() {
                answer.open_sources = Some(Why::new(WhyCode::Site, resolve_text(set)));
            }
        }
        answer
    }

    /// Sources of the question that may stand outside an interface, and why that is not sure.
    fn sources_at(&self, sources: &Sources, ix: InterfaceIx, v6: bool) -> Option<(AddrSet, Option<Why>)> {
        let side = self.cx.side(ix)?;
        let family = if v6 { AddrSet::any_v6() } else { AddrSet::any_v4() };
        let universe = || self.universe(ix, v6).intersection(&family);
        match sources {
            Sources::Outside if side.maybe_untrusted() => {
                let doubt = (!side.untrusted().value.is_true()).then(|| side.side.value.why().cloned());
                Some((self.outside(ix, v6), doubt.map(|w| w.unwrap_or_else(|| Why::new(WhyCode::Site, self.name(ix))))))
            }
            Sources::Outside => None,
            Sources::Set(set) => Some((universe().intersection(set), None)).filter(|(s, _)| !s.is_empty()),
            Sources::Interfaces(list) => list.contains(&ix).then(|| (universe(), None)),
        }
    }

    /// Who may send packets that enter an interface: for a tunnel the far side, for remote access the users' addresses.
    fn universe(&self, ix: InterfaceIx, v6: bool) -> AddrSet {
        let device = self.cx.device();
        let mut nets = Vec::new();
        for tunnel in device.tunnels.iter().filter(|t| t.interface == Some(ix) && !t.live.value().value.is_false()) {
            nets.push(&tunnel.remote_nets);
        }
        for access in device.remote_access.iter().filter(|r| r.interface == Some(ix) && !r.live.value().value.is_false()) {
            nets.push(&access.pool);
        }
        let sets: Option<Vec<AddrSet>> =
            nets.into_iter().map(|n: &Fact<AddrExpr>| n.get().map(|e| self.resolver.addresses(e).hi)).collect();
        match sets {
            Some(sets) if !sets.is_empty() => AddrSet::union_of(&sets),
            _ => self.outside(ix, v6),
        }
    }

    fn to_listener(&self, l: ListenerIx, listener: &Listener, sources: &Sources, aim: &Aim, ways: &mut Vec<Way>) {
        let device = self.cx.device();
        let live = listener.live.value();
        let named = matches!(aim, Aim::Service(s) if s == listener.service);
        if matches!(aim, Aim::Service(_)) && !named || listener.plane == Plane::Layer2 {
            return;
        }
        let within = match aim {
            Aim::Set(dst, svc) => Product { dst: dst.clone(), svc: svc.clone(), ..Product::any() },
            _ => Product::any(),
        };
        for ix in (0..device.interfaces.len() as u32).map(InterfaceIx) {
            let interface = &device.interfaces[ix.0 as usize];
            let asked = [false, true].into_iter().filter_map(|v6| Some((v6, self.sources_at(sources, ix, v6)?)));
            let asked: Vec<_> = asked.filter(|(_, (src, _))| !src.is_empty()).collect();
            let bound = |b: &&Binding| b.on.is_none_or(|on| on == ix || b.reach == Reach::Forwarded) && !b.bound.value.is_false();
            let bindings: Vec<&Binding> = listener.bindings.iter().filter(bound).collect();
            if live.value.is_false() || bindings.is_empty() || interface.up.value.is_false() {
                // Only who asks for a service by its name wants to know why it is not there.
                if named && !asked.is_empty() {
                    let spans = if live.value.is_false() { live.origin.spans() } else { vec![interface.span] };
                    let args = vec![listener.service.to_owned(), interface.name.clone()];
                    let chain = spans.into_iter().take(1).map(|s| Step { span: Some(s), code: "step.not_bound", args: args.clone() });
                    ways.push(self.nowhere(Target::Listener(l), ix, chain.collect()));
                }
                continue;
            }
            for (v6, (src, doubt)) in &asked {
                for binding in bindings.iter().filter(|b| b.family.includes(*v6)) {
                    for door in self.doors(listener, binding, ix, *v6, Some(src)) {
                        let entry = door.whichever.is_none().then(|| door.product.dst.clone());
                        let mut doubt = doubt.clone();
                        if door.whichever.is_some() && matches!(aim, Aim::Set(..)) {
                            // Whether the address asked for is the box's own, the export does not say.
                            doubt = doubt.or_else(|| Some(Why::new(WhyCode::RuntimeContent, interface.name.clone())));
                        }
                        let opening = exposure::opening(listener, &binding.bound.origin, &interface.name);
                        let how = How::Door(Box::new(door));
                        let Some(mut way) = self.way(Target::Listener(l), ix, *v6, how, &within) else { continue };
                        way.entry = entry;
                        let facts = [&live, &binding.bound];
                        self.finish(way, &within, &facts, doubt, Some(listener), opening, ways);
                    }
                }
            }
        }
    }

    fn to_translation(&self, n: NatIx, rule: &NatRule, sources: &Sources, aim: &Aim, ways: &mut Vec<Way>) {
        let device = self.cx.device();
        let live = rule.live.value();
        if live.value.is_false() || rule.to.get().is_some_and(|to| self.holds_own(to)) {
            return;
        }
        let v6 = rule.family == crate::ir::filter::Family::V6;
        let to = rule.to.get().map_or_else(AddrSet::any, |e| self.resolver.addresses(e).hi);
        let before = rule.orig_dst.get().filter(|e| !matches!(e, AddrExpr::SelfAddrs)).map(|e| self.resolver.addresses(e).hi);
        for ix in (0..device.interfaces.len() as u32).map(InterfaceIx) {
            let Some((src, doubt)) = self.sources_at(sources, ix, v6).filter(|(s, _)| !s.is_empty()) else { continue };
            if rule.ingress.covers(ix) == Some(false) || device.interfaces[ix.0 as usize].up.value.is_false() {
                continue;
            }
            // An address the question names may be the one in front of the translation or the one behind it.
            let within = match aim {
                Aim::Set(dst, svc) if dst.overlaps(&to) => Some((dst.clone(), svc.clone())),
                Aim::Set(dst, svc) => {
                    let own = || self.resolver.networks(&[ix]).hi;
                    let front = before.clone().unwrap_or_else(own);
                    let svc = resolve::union_of_terms(&rule.orig_svc).intersection(svc);
                    (dst.overlaps(&front) && !svc.is_empty()).then(|| (AddrSet::any(), behind(rule, &svc)))
                }
                Aim::Interfaces(list) => Some((self.resolver.networks(list).hi, service::any())),
                _ => Some((AddrSet::any(), service::any())),
            };
            let Some((dst, svc)) = within else { continue };
            let within = Product { src, dst, svc, ..Product::any() };
            let Some(mut way) = self.way(Target::Translation(n), ix, v6, How::Translation(n), &within) else { continue };
            way.entry = before.clone();
            way.entry_svc = resolve::union_of_terms(&rule.orig_svc);
            let inside = resolve_text(&to);
            let opening = vec![Step { span: Some(rule.span), code: "step.nat_forward", args: vec![rule.name.clone(), inside] }];
            self.finish(way, &within, &[&live], doubt, None, opening, ways);
        }
    }

    fn to_network(&self, egress: InterfaceIx, sources: &Sources, aim: &Aim, ways: &mut Vec<Way>) {
        let device = self.cx.device();
        let out = &device.interfaces[egress.0 as usize];
        let meant = match aim {
            Aim::Interfaces(list) => list.contains(&egress),
            _ => true,
        };
        if !meant || out.kind == InterfaceKind::Loopback || out.up.value.is_false() {
            return;
        }
        let beyond = self.cx.sides[egress.0 as usize].maybe_untrusted();
        for ix in (0..device.interfaces.len() as u32).map(InterfaceIx).filter(|ix| *ix != egress) {
            let interface = &device.interfaces[ix.0 as usize];
            let side = &self.cx.sides[ix.0 as usize];
            if interface.up.value.is_false() || beyond && matches!(sources, Sources::Outside) {
                continue;
            }
            for v6 in [false, true] {
                if v6 && !interface.ipv6.value.is_true() && !interface.addresses.iter().any(|a| a.v6) {
                    continue;
                }
                let Some((src, doubt)) = self.sources_at(sources, ix, v6).filter(|(s, _)| !s.is_empty()) else { continue };
                let family = if v6 { AddrSet::any_v6() } else { AddrSet::any_v4() };
                let nets = if side.maybe_untrusted() {
                    forward::addressable(self, side, &[egress], v6)
                } else if beyond {
                    self.outside(egress, v6)
                } else {
                    let attached = self.resolver.networks(&[egress]).lo;
                    if attached.is_empty() { self.universe(egress, v6).intersection(&family) } else { attached.intersection(&family) }
                };
                let (dst, svc) = match aim {
                    Aim::Set(dst, svc) => (nets.intersection(dst), svc.clone()),
                    _ => (nets, service::any()),
                };
                let within = Product { src, dst, svc, ..Product::any() };
                let Some(mut way) = self.way(Target::Network(egress), ix, v6, How::Network(egress), &within) else { continue };
                way.entry = Some(within.dst.clone());
                way.inward = self.cx.sides[egress.0 as usize].trusted().value.is_true();
                way.entry_svc = within.svc.clone();
                self.finish(way, &within, &[], doubt, None, Vec::new(), ways);
            }
        }
    }

    fn side_of(&self, ix: InterfaceIx) -> (&'static str, Option<bool>) {
        self.cx.side(ix).map_or(("none", None), |s| (s.outside, s.untrusted().value.tri()))
    }

    fn nowhere(&self, target: Target, ingress: InterfaceIx, chain: Vec<Step>) -> Way {
        let (outside, untrusted) = self.side_of(ingress);
        Way {
            target,
            ingress,
            v6: false,
            outside,
            untrusted,
            entry: Some(AddrSet::empty()),
            entry_svc: Intervals::empty(),
            parts: Vec::new(),
            reached: Reached::No,
            why: None,
            packet: None,
            witness: None,
            chain,
            frame: (Vec::new(), Vec::new()),
            inward: false,
            how: How::Nowhere,
        }
    }

    /// A way whose packets have still to be sent; `None` when there are none.
    fn way(&self, target: Target, ingress: InterfaceIx, v6: bool, how: How, within: &Product) -> Option<Way> {
        let entry_svc = match &how {
            How::Door(door) => door.product.svc.intersection(&within.svc),
            _ => Intervals::empty(),
        };
        let way = Way { v6, entry_svc, how, ..self.nowhere(target, ingress, Vec::new()) };
        self.send(&way, within).is_some().then_some(way)
    }

    /// Sends packets of a way through the box.
    fn send(&self, way: &Way, within: &Product) -> Option<Flow> {
        let device = self.cx.device();
        match &way.how {
            How::Nowhere => None,
            How::Door(door) => self.enter(door, Some(within)),
            How::Translation(n) => forward::through_translation(self, *n, device.nat.rules.get(n.0 as usize)?, way.ingress, within),
            How::Network(egress) => {
                let mut flow = self.start(within.clone(), way.v6)?;
                self.run(&mut flow, &device.pipeline.through, way.ingress, Some(*egress), None);
                Some(flow)
            }
        }
    }

    /// Completes a way: what gets through, the answer, an example, and the decisions about it.
    #[allow(clippy::too_many_arguments)]
    fn finish(
        &self,
        mut way: Way,
        within: &Product,
        facts: &[&Fact<bool>],
        doubt: Option<Why>,
        listener: Option<&Listener>,
        opening: Vec<Step>,
        ways: &mut Vec<Way>,
    ) {
        let Some(mut flow) = self.send(&way, within) else { return };
        for fact in facts.iter().filter(|f| !f.value.is_true()) {
            flow.doubt(fact.value.why().cloned());
        }
        if let Some(why) = doubt {
            flow.doubt(Some(why));
        }
        let admitted = listener.map(|l| self.limits(&l.limits, LimitStage::Connect));
        way.parts = self.parts(&flow, admitted.as_ref());
        let surely = way.parts.iter().any(|p| p.real && !p.lo.is_empty());
        way.reached = match (surely, way.parts.iter().all(|p| p.hi.is_empty())) {
            (true, _) => Reached::Yes,
            (false, false) => Reached::Unknown,
            (false, true) => Reached::No,
        };
        let limit_why = admitted.as_ref().and_then(|a| a.why.clone());
        if way.reached == Reached::Unknown {
            way.why = flow.why.clone().or(limit_why).or_else(|| Some(Why::new(WhyCode::RuntimeContent, self.name(way.ingress))));
        }
        let sure = || way.parts.iter().find_map(|p| if p.real { p.lo.witness() } else { None });
        let stopped = || {
            let product = match &way.how {
                How::Door(door) => door.product.intersection(within),
                How::Translation(n) => self.front(*n, within),
                _ => within.clone(),
            };
            PacketSet::from(product).witness()
        };
        way.packet = sure().or_else(|| way.parts.iter().find_map(|p| p.hi.witness())).or_else(stopped);
        way.frame.0 = opening;
        if let Some(side) = self.cx.side(way.ingress) {
            way.frame.0.extend(side.steps.iter().cloned());
        }
        if let Some(limits) = admitted.filter(|a| flow.possible() && a.parts.iter().all(|(set, _)| *set != AddrSet::any())) {
            way.frame.1.extend(limits.origin.spans().into_iter().map(|s| Step { span: Some(s), code: "step.limited", args: Vec::new() }));
        }
        if let Some(packet) = way.packet {
            let shown = self.explained(&way, &packet);
            (way.chain, way.witness) = (shown.0, Some(shown.1));
        }
        ways.push(way);
    }

    /// Everything that is said about one packet of a way, and the packet as it enters.
    fn explained(&self, way: &Way, packet: &Packet) -> (Vec<Step>, Witness) {
        let mut chain = way.frame.0.clone();
        chain.extend(self.trace(way, packet).0);
        chain.extend(way.frame.1.iter().cloned());
        chain.dedup();
        (chain, self.entering(way, packet))
    }

    /// What a translation's packets are before any filter.
    fn front(&self, n: NatIx, within: &Product) -> Product {
        let Some(rule) = self.cx.device().nat.rules.get(n.0 as usize) else { return within.clone() };
        within.intersection(&translate::target(self, rule))
    }

    /// The decisions about one packet of a way, and whether it gets through.
    fn trace(&self, way: &Way, packet: &Packet) -> (Vec<Step>, Option<bool>) {
        let Some(flow) = self.send(way, &only(packet)) else { return (Vec::new(), Some(false)) };
        let sure = flow.cells.iter().all(|c| !c.lo.is_empty());
        (flow.steps.clone(), if sure { Some(true) } else { flow.possible().then_some(true).map_or(Some(false), |_| None) })
    }

    /// A packet behind a translation as it was before.
    fn entering(&self, way: &Way, packet: &Packet) -> Witness {
        let mut before = *packet;
        let nat = match &way.how {
            How::Translation(n) => Some(*n),
            How::Door(door) => door.nat,
            _ => None,
        };
        let mut hidden = matches!(&way.how, How::Door(d) if d.whichever.is_some());
        if let Some(rule) = nat.and_then(|n| self.cx.device().nat.rules.get(n.0 as usize)) {
            before.detail = port_before(rule, packet);
            let front = match rule.orig_dst.get() {
                Some(AddrExpr::SelfAddrs) | None => {
                    let interface = self.cx.device().interfaces.get(way.ingress.0 as usize);
                    interface.and_then(|i| trust::own_addresses(i, way.v6).into_iter().flatten().next())
                }
                Some(expr) => {
                    let set = self.resolver.addresses(expr).lo;
                    let first = Product { src: AddrSet::single(packet.src), dst: set, ..Product::any() };
                    PacketSet::from(first).witness().map(|p| p.dst)
                }
            };
            match front {
                Some(address) => before.dst = address,
                None => hidden = true,
            }
        }
        let mut witness = exposure::witness(&before);
        if hidden {
            witness.destination = None;
        }
        witness
    }

    /// What is left of a flow after the listener's own limits, by the memberships that are open.
    fn parts(&self, flow: &Flow, admitted: Option<&Admitted>) -> Vec<Part> {
        let mut parts = Vec::new();
        let everyone = [(AddrSet::any(), None)];
        let limits = admitted.map_or(&everyone[..], |a| &a.parts);
        let sure = admitted.is_none_or(|a| a.sure);
        let mut budget = self.budget.borrow_mut();
        for cell in flow.cells.iter().filter(|c| !c.hi.is_empty()) {
            let when: Vec<Membership> = (cell.assignment.values().iter())
                .map(|(variable, inside)| Membership {
                    destination: variable.side == Side::Destination,
                    set: self.resolver.name_of(variable.atom).map_or_else(String::new, |(_, text)| text),
                    inside: *inside,
                })
                .collect();
            let real = self.cap(&cell.assignment).0 > Class::None;
            for (set, size) in limits {
                let only = Product { src: set.clone(), ..Product::any() };
                let (Ok(mut lo), Ok(hi)) = (cell.lo.restricted_to(&only, &mut budget), cell.hi.restricted_to(&only, &mut budget)) else {
                    parts.push(Part { when: when.clone(), lo: PacketSet::empty(), hi: cell.hi.clone(), real });
                    continue;
                };
                if !sure {
                    lo = PacketSet::empty();
                }
                if hi.is_empty() {
                    continue;
                }
                let mut when = when.clone();
                if size.is_some() {
                    let set = admitted.and_then(|a| a.why.as_ref()).map_or_else(String::new, |w| w.about().to_owned());
                    when.push(Membership { destination: false, set, inside: true });
                }
                when.sort();
                when.dedup();
                parts.push(Part { when, lo, hi, real: real && size.is_none_or(|s| s.0 > Class::None) });
            }
        }
        parts
    }
}

/// The one packet.
fn only(packet: &Packet) -> Product {
    Product {
        src: AddrSet::single(packet.src),
        dst: AddrSet::single(packet.dst),
        svc: Intervals::single(service::key(packet.proto, packet.detail)),
        sport: Intervals::single(packet.sport),
        iface: Intervals::single(packet.iface),
        state: Intervals::single(packet.state),
    }
}

/// Services in front of a translation as they are behind it.
fn behind(rule: &NatRule, svc: &Intervals<u32>) -> Intervals<u32> {
    let Some(first) = rule.to_port else { return svc.clone() };
    let mut out = Intervals::empty();
    for term in &rule.orig_svc {
        let Some(protocol) = term.protocol else { continue };
        for (a, b) in &term.dst_ports {
            let within = svc.intersection(&service::ports(protocol, &Intervals::range(*a, *b)));
            let shift = |key: u32| service::split(key).1.saturating_sub(*a).saturating_add(first);
            let ranges = within.ranges().iter().map(|(x, y)| (shift(*x), shift(*y)));
            out = out.union(&service::ports(protocol, &Intervals::from_ranges(ranges)));
        }
    }
    out
}

/// The port of a packet before a translation that shifts ports.
fn port_before(rule: &NatRule, packet: &Packet) -> u16 {
    let Some(first) = rule.to_port else { return packet.detail };
    let offset = packet.detail.saturating_sub(first);
    let terms = rule.orig_svc.iter().filter(|t| t.protocol.is_none_or(|p| p == packet.proto));
    let ranges = terms.flat_map(|t| &t.dst_ports);
    ranges.filter(|(a, b)| b.saturating_sub(*a) >= offset).map(|(a, _)| a.saturating_add(offset)).next().unwrap_or(packet.detail)
}

fn open(rest: &Rest) -> Option<Why> {
    match rest {
        Rest::Complete(_) => None,
        Rest::MayHoldMore(why) => Some(why.clone()),
    }
}

fn resolve_text(set: &AddrSet) -> String {
    text::addresses(set).into_iter().take(4).collect::<Vec<_>>().join(", ")
}
