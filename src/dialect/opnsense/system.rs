//! Where logs go by the model of destinations, and whether the box looks for updates.

use super::Lowering;
use crate::dialect::config_xml::context::{model_enabled, switch};
use crate::ir::fact::{Fact, Origin, Rest};
use crate::ir::system::{LogTarget, UpdatePolicy};

/// Adds to what the sections say.
pub(super) fn lower(l: &mut Lowering<'_>) {
    destinations(l);
    l.device.update = Some(update(l));
}

fn destinations(l: &mut Lowering<'_>) {
    let general = l.cx.model("Syslog/general").map(model_enabled);
    let mut targets = Vec::new();
    for row in l.cx.models("Syslog/destinations/destination") {
        let Some(host) = row.filled("hostname") else { continue };
        let live = match &general {
            Some(on) => model_enabled(row).and(on),
            None => model_enabled(row),
        };
        targets.push(LogTarget { name: host.text().to_owned(), span: host.span(), remote: true, cloud: false, live });
    }
    let shown = l.cx.model("Syslog/destinations").or_else(|| l.cx.model("Syslog")).map(|e| e.span());
    if let Some(logging) = &mut l.device.logging {
        logging.targets.items.extend(targets);
        if let (Rest::Complete(_), Some(at)) = (&logging.targets.rest, shown) {
            logging.span = Some(at);
            logging.targets.rest = Rest::Complete(Origin::Written(at));
        }
    }
}

/// The box looks for updates where a job says so.
fn update(l: &Lowering<'_>) -> UpdatePolicy {
    let at = l.cx.section("system").map(|s| s.span());
    let jobs = l.cx.models("cron/jobs/job").into_iter();
    let job =
        jobs.filter(|j| !model_enabled(*j).value.is_false()).find_map(|j| j.filled("command").filter(|c| c.text().starts_with("firmware")));
    UpdatePolicy {
        can: l.cx.behaviour("capability.auto_update", at),
        on: match job {
            Some(command) => Fact::written(true, command.span()),
            None => l.cx.absent("system/firmware/check", switch),
        },
    }
}
