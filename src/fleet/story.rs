//! Stories of `analysis`, finished in one language.

use super::run::Analysed;
use crate::analysis::{Settings, story};
use crate::finding::{Label, Lang, Story, StoryHop};
use crate::rule::engine::Engine;
use crate::texts::texts;

/// At most one story for each device of an export.
pub(super) fn stories(analysed: &Analysed, settings: &Settings, lang: Lang) -> Vec<Option<Story>> {
    let engine = Engine { rules: &[], lang, action: &|_| None };
    let word = |field: &str, word: &str| texts().find(lang, &format!("words.{field}.{word}")).unwrap_or(word).to_owned();
    let hop = |hop: &story::Hop| {
        let args: Vec<String> = match (hop.code, hop.args.as_slice()) {
            ("story.entry", [service, class, ports]) => vec![word("service", service), word("class", class), ports.clone()],
            ("story.inside" | "story.inside_sought", [hosts, services, sought]) => {
                let services = if services == "all" { texts().get(lang, "reach.set.all_services") } else { services };
                vec![hosts.clone(), services.to_owned(), sought.clone()]
            }
            (_, args) => args.to_vec(),
        };
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut labels: Vec<Label> = Vec::new();
        if hop.steps.is_empty() {
            labels.extend(hop.span.map(|s| Label::new(Some(s), String::new())));
        }
        for step in &hop.steps {
            let label = engine.step(step);
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        StoryHop { text: texts().fill(lang, hop.code, &args), labels, witness: hop.witness.clone() }
    };
    let finish = |s: story::Story| Story {
        title: texts().fill(lang, "story.title", &[&word("kind", s.kind)]),
        hops: s.hops.iter().map(hop).collect(),
    };
    story::stories(&analysed.devices, &analysed.sheets, settings).into_iter().map(|s| s.map(finish)).collect()
}
