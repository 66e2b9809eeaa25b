//! `reach` over an input: the answers of `analysis` for every device, finished in one language.

use super::run::{self, Input, Options, Whole};
use super::wording::{Words, head};
use crate::analysis::reach::{self, Answer, Question, Reached, Target, Way};
use crate::answer::{ReachDevice, ReachReport, Row};
use crate::ir::device::Device;

/// A place that the question names and no device knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nowhere {
    /// As the user wrote it.
    pub name: String,
    /// Names that there are.
    pub names: Vec<String>,
}

/// Answers a question about every device of an input.
///
/// # Errors
/// When the question names a place that is no address and that no device knows.
pub fn answer(input: &Input<'_>, question: &Question, options: &Options<'_>) -> Result<ReachReport, Nowhere> {
    let words = Words { lang: options.lang };
    let said = |text: &Option<String>, none: &'static str| text.clone().unwrap_or_else(|| words.get(none).to_owned());
    let question_words = (
        said(&question.from.clone().filter(|f| f != "internet"), "reach.question.outside"),
        said(&question.to, "reach.question.everything"),
    );
    let mut report = ReachReport { lang: options.lang, question: question_words, refused: Vec::new(), devices: Vec::new() };
    let mut known = question.is_general();
    let mut names = Vec::new();
    for whole in run::whole(input, options) {
        let Some(analysed) = whole.analysed.as_ref().filter(|a| !a.devices.is_empty()) else {
            report.refused.push(head(&whole));
            continue;
        };
        names.extend(reach::names(&analysed.devices));
        for (device, answer) in analysed.devices.iter().zip(reach::ask(&analysed.devices, &whole.settings, question)) {
            known = (known.0 || answer.knows.0, known.1 || answer.knows.1);
            report.devices.extend(finish(words, &whole, device, &answer, question));
        }
    }
    names.sort();
    names.dedup();
    for (known, name) in [(known.0, &question.from), (known.1, &question.to)] {
        if let (false, Some(name)) = (known, name) {
            return Err(Nowhere { name: name.clone(), names });
        }
    }
    Ok(report)
}

fn finish(words: Words, whole: &Whole, device: &Device, answer: &Answer, question: &Question) -> Option<ReachDevice> {
    // A context that only holds what others share answers nothing.
    let silent = answer.ways.is_empty() && device.interfaces.is_empty() && device.context_kind == crate::ir::device::ContextKind::Global;
    if silent || answer.knows != (true, true) {
        return None;
    }
    let mut rows: Vec<(Reached, Row)> = answer
        .ways
        .iter()
        // That nothing leads from the outside to some inside network is worth a row only to who asks for it.
        .filter(|w| w.reached != Reached::No || question.to.is_some() || !matches!(w.target, Target::Network(_)))
        .map(|way| (way.reached, row(words, whole, device, way)))
        .collect();
    rows.sort_by_key(|(reached, _)| *reached);
    let reasons = [&answer.open_box, &answer.open_inside, &answer.open_sources];
    let mut open: Vec<String> = reasons.into_iter().flatten().map(|why| words.reason(why)).collect();
    open.dedup();
    if device.interfaces.is_empty() && open.is_empty() {
        open.push(words.get("reach.no_interface").to_owned());
    }
    Some(ReachDevice {
        file: head(whole),
        name: device.name.clone(),
        context: device.context.clone(),
        product: product(device),
        everything: question.to.is_none(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        open,
    })
}

/// Vendor, product and version of a device.
pub(super) fn product(device: &Device) -> String {
    let version = device.identity.version.as_ref().map(|v| v.text.as_str()).unwrap_or_default();
    let parts = [device.identity.vendor.as_str(), device.identity.product.as_str(), version];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a way leads to, in words.
pub(super) fn target(words: Words, device: &Device, way: &Way) -> (String, &'static str, Option<&'static str>) {
    match way.target {
        Target::Listener(l) => {
            let service = device.listeners.items.get(l.0 as usize).map_or("", |l| l.service);
            (words.fill("reach.target.listener", &[&words.word("service", service)]), "listener", Some(service))
        }
        Target::Translation(n) => {
            let name = device.nat.rules.get(n.0 as usize).map_or("", |r| r.name.as_str());
            (words.fill("reach.target.translation", &[name]), "translation", None)
        }
        Target::Network(ix) => {
            let name = device.interfaces.get(ix.0 as usize).map_or("", |i| i.name.as_str());
            (words.fill("reach.target.network", &[name]), "network", None)
        }
    }
}

fn row(words: Words, whole: &Whole, device: &Device, way: &Way) -> Row {
    let (target, kind, service) = target(words, device, way);
    let own = (matches!(way.target, Target::Listener(_)) && way.entry.is_none()).then_some("reach.set.own");
    let mut blocks = Vec::new();
    for part in &way.parts {
        blocks.extend(words.blocks(&part.when, true, &part.lo, own));
        let beyond = part.hi.difference(&part.lo, &mut crate::packet::Budget::default());
        blocks.extend(words.blocks(&part.when, false, &beyond.unwrap_or_else(|_| part.hi.clone()), own));
    }
    Row {
        answer: way.reached.word(),
        kind,
        target,
        service,
        interface: device.interfaces.get(way.ingress.0 as usize).map_or_else(String::new, |i| i.name.clone()),
        outside: way.outside,
        family: if way.v6 { "ipv6" } else { "ipv4" },
        blocks,
        witness: way.witness.clone(),
        lines: words.lines(&way.chain, whole),
        reason: way.why.as_ref().map(|why| words.reason(why)),
    }
}
