//! Words that `reach` and `diff` share: sets, lines and reasons in one language, from packet sets, steps and masked texts.
//!
//! Computes nothing. Invariant: text of a configuration goes out through [`Masked`](crate::source::Masked) only.

use super::run::Whole;
use crate::analysis::reach::Membership;
use crate::analysis::text::{self, Described};
use crate::answer::{Block, FileHead, Line};
use crate::finding::{Lang, Place};
use crate::ir::fact::Why;
use crate::ir::record::{Step, Value};
use crate::packet::{AddrSet, Intervals, PacketSet, Product, service};
use crate::rule::engine::Engine;
use crate::source::Span;
use crate::texts::texts;

/// Columns of an excerpt.
const EXCERPT: usize = 72;

/// Words in one language.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) lang: Lang,
}

impl Words {
    pub(super) fn get(self, key: &'static str) -> &'static str {
        texts().get(self.lang, key)
    }

    pub(super) fn fill(self, key: &str, args: &[&str]) -> String {
        texts().fill(self.lang, key, args)
    }

    fn engine<T>(self, ask: impl FnOnce(&Engine<'_>) -> T) -> T {
        ask(&Engine { rules: &[], lang: self.lang, action: &|_| None })
    }

    /// The sentence of a reason for not knowing.
    pub(super) fn reason(self, why: &Why) -> String {
        self.engine(|e| e.reason(why))
    }

    /// The value of a field in words.
    pub(super) fn value(self, field: &str, value: &Value) -> String {
        self.engine(|e| e.value(field, value))
    }

    /// A word of a field.
    pub(super) fn word(self, field: &str, word: &str) -> String {
        texts().find(self.lang, &format!("words.{field}.{word}")).unwrap_or(word).to_owned()
    }

    /// The lines of a proof.
    pub(super) fn lines(self, steps: &[Step], whole: &Whole) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for step in steps {
            let line = self.line(step.span, self.engine(|e| e.step(step).text), whole);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// A line and what it means.
    pub(super) fn line(self, span: Option<Span>, label: String, whole: &Whole) -> Line {
        let place = span.zip(whole.source.as_ref()).map(|(span, source)| {
            let (start, end) = (source.position(span.start), source.position(span.end));
            Place { line: start.line, column: start.column, end_line: end.line, end_column: end.column }
        });
        let excerpt = match (place, &whole.masked) {
            (Some(place), Some(masked)) => {
                let text = masked.line(place.line).trim().replace('\t', " ");
                if text.chars().count() > EXCERPT { text.chars().take(EXCERPT).chain(['\u{2026}']).collect() } else { text }
            }
            _ => String::new(),
        };
        Line { place, excerpt, label }
    }

    fn list(self, items: &[String]) -> String {
        items.join(self.get("ui.value.separator"))
    }

    fn described(self, sets: &[Described]) -> String {
        let one = |d: &Described| match (d.whole, d.parts.is_empty()) {
            (None, _) => self.list(&d.parts),
            (Some(whole), true) => self.fill(&format!("reach.set.{whole}"), &[]),
            (Some(whole), false) => self.fill("reach.set.except", &[&self.fill(&format!("reach.set.{whole}"), &[]), &self.list(&d.parts)]),
        };
        self.list(&sets.iter().map(one).collect::<Vec<_>>())
    }

    /// A set of addresses in words.
    pub(super) fn addresses(self, set: &AddrSet) -> String {
        if *set == AddrSet::any() { self.get("reach.set.any").to_owned() } else { self.described(&text::describe(set)) }
    }

    fn condition(self, membership: &Membership) -> String {
        let key = match (membership.destination, membership.inside) {
            (false, true) => "reach.when.source_in",
            (false, false) => "reach.when.source_out",
            (true, true) => "reach.when.destination_in",
            (true, false) => "reach.when.destination_out",
        };
        self.fill(key, &[&membership.set])
    }

    /// Services, with source ports where they matter.
    fn services(self, product: &Product) -> String {
        let without = service::not(&product.svc);
        let services = if without.is_empty() {
            self.get("reach.set.all_services").to_owned()
        } else if !without.is_empty() && without.ranges().len() < product.svc.ranges().len() {
            self.fill("reach.set.services_except", &[&text::services(&without)])
        } else {
            text::services(&product.svc)
        };
        if product.sport.is_full() {
            return services;
        }
        let others = product.sport.complement();
        if others.ranges().len() < product.sport.ranges().len() {
            return self.fill("reach.set.source_ports_except", &[&services, &ports(&others).join(", ")]);
        }
        self.fill("reach.set.source_ports", &[&services, &ports(&product.sport).join(", ")])
    }

    /// A packet set as few blocks. `own`: what to call the destination where it is the box itself and its address is not known or does not
    /// matter.
    pub(super) fn blocks(self, when: &[Membership], sure: bool, set: &PacketSet, own: Option<&'static str>) -> Vec<Block> {
        let when: Vec<String> = when.iter().map(|m| self.condition(m)).collect();
        compact(set)
            .iter()
            .map(|p| Block {
                when: when.clone(),
                sure,
                sources: text::addresses(&p.src),
                sources_text: self.addresses(&p.src),
                destinations: if own.is_some() { Vec::new() } else { text::addresses(&p.dst) },
                destinations_text: own.map_or_else(|| self.addresses(&p.dst), |key| self.get(key).to_owned()),
                services: text::all_services(&p.svc),
                source_ports: if p.sport.is_full() { Vec::new() } else { ports(&p.sport) },
                services_text: self.services(p),
            })
            .collect()
    }
}

fn ports(set: &Intervals<u16>) -> Vec<String> {
    set.ranges().iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") }).collect()
}

/// The products of a set, joined where they differ in one dimension only.
fn compact(set: &PacketSet) -> Vec<Product> {
    let state = |p: &Product| Product { state: Intervals::range(0, 1), iface: Intervals::full(), ..p.clone() };
    let mut products: Vec<Product> = set.products().iter().map(state).collect();
    loop {
        let before = products.len();
        let mut joined: Vec<Product> = Vec::with_capacity(before);
        for product in products {
            match joined.iter_mut().find_map(|own| join(own, &product).map(|both| (own, both))) {
                Some((own, both)) => *own = both,
                None => joined.push(product),
            }
        }
        products = joined;
        if products.len() == before {
            return products;
        }
    }
}

/// Both products as one, if they differ in one dimension; families stay apart unless all else is alike.
fn join(a: &Product, b: &Product) -> Option<Product> {
    if a.sport != b.sport {
        return None;
    }
    let family = |p: &Product| (p.src.v4.is_empty(), p.src.v6.is_empty());
    match (a.src == b.src, a.dst == b.dst, a.svc == b.svc) {
        (true, true, _) => Some(Product { svc: a.svc.union(&b.svc), ..a.clone() }),
        (true, false, true) if family(a) == family(b) => Some(Product { dst: a.dst.union(&b.dst), ..a.clone() }),
        (false, true, true) if family(a) == family(b) => Some(Product { src: a.src.union(&b.src), ..a.clone() }),
        _ => None,
    }
}

/// A file as both commands name it.
pub(super) fn head(whole: &Whole) -> FileHead {
    let report = &whole.report;
    let errors = report.errors.iter().map(|e| {
        let place = e.line.map(|l| format!("{l}: ")).unwrap_or_default();
        let help = e.help.as_ref().map(|h| format!(" {h}")).unwrap_or_default();
        format!("{place}{}{help}", e.message)
    });
    FileHead { path: report.path.clone(), dialect: report.dialect.clone(), readable: report.readable, errors: errors.collect() }
}
