//! Destination translation: `dst-nat`, `netmap` and `redirect` rows of the chain `dstnat` and of the chains it jumps to.
//!
//! Filters see the destination after translation, and a translated packet needs no row of its own where the end of the chain
//! accepts. Rows of other chains count with their own conditions only.

use super::matcher::{self, Purpose};
use super::menus::Item;
use super::{Export, address};
use crate::ir::Device;
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, Family, Guard};
use crate::ir::live::{LinkKind, Live};
use crate::ir::nat::{NatKind, NatRule};
use std::collections::HashSet;

/// Fills the translations.
pub fn fill(export: &Export<'_>, device: &mut Device) {
    for (path, v6) in [("/ip firewall nat", false), ("/ipv6 firewall nat", true)] {
        let jumps: HashSet<&str> = export.menus.rows(path).filter_map(|r| r.text("jump-target")).map(|v| v.text).collect();
        for (n, item) in export.menus.rows(path).enumerate() {
            let chain = item.text("chain").map_or("", |v| v.text);
            let action = item.text("action").map_or("", |v| v.text);
            let purpose = Purpose { v6, accepts: true, to_box: false };
            let conditions = matcher::read(export, item, purpose);
            if !(chain == "dstnat" || jumps.contains(chain)) || !matches!(action, "dst-nat" | "netmap" | "redirect") {
                continue;
            }
            let mut live = Live::own(export.enabled(item, "ip firewall nat"));
            for guard in &conditions.guards {
                let holds = match guard {
                    // A stranger's packet is none of these.
                    Guard::Established(span) | Guard::Users(span) | Guard::Decrypted(span) => Fact::written(false, *span),
                    Guard::Schedule(span) | Guard::First(span) => Fact::written(true, *span),
                    Guard::Unmodelled(span, what) => Fact::unknown(Why::at(WhyCode::Unmodelled, what.clone(), vec![*span])),
                };
                live = live.with(LinkKind::FeatureOn, holds);
            }
            let local = item.text("dst-address-type").is_some_and(|v| v.text == "local");
            let orig_dst = if local { Fact::written(AddrExpr::SelfAddrs, item.span()) } else { conditions.dst.clone() };
            let (to, to_port) = target(item, action, &orig_dst);
            let services = conditions.services.clone().unwrap_or_default();
            let kind = match (services.is_empty(), local || item.text("dst-address").is_some()) {
                (false, _) => NatKind::PortForward,
                (true, true) => NatKind::OneToOne,
                (true, false) => NatKind::DefaultHost,
            };
            device.nat.rules.push(NatRule {
                name: item.text("comment").map_or_else(|| format!("dstnat #{}", n + 1), |v| v.text.to_owned()),
                span: item.span(),
                kind,
                live,
                ingress: if v6 { conditions.ingress } else { export.interfaces.carrying_ipv4(conditions.ingress) },
                family: if v6 { Family::V6 } else { Family::V4 },
                src: conditions.src,
                orig_dst,
                orig_svc: services,
                to,
                to_port,
                needs_reference: false,
                layer7: false,
            });
        }
    }
}

fn target(item: &Item<'_>, action: &str, sent_to: &Fact<AddrExpr>) -> (Fact<AddrExpr>, Option<u16>) {
    let port = item.text("to-ports").and_then(|v| address::ports(v.text)).and_then(|p| p.first().map(|(first, _)| *first));
    let to = match item.text("to-addresses").or(item.text("to-address")) {
        _ if action == "redirect" => Fact::known(AddrExpr::SelfAddrs, Origin::Written(item.span())),
        Some(value) => address::set(value.text)
            .map_or_else(|| Fact::unknown(Why::at(WhyCode::Ambiguous, "to-addresses", vec![value.span])), |e| Fact::written(e, value.span)),
        // Only the port changes: the packet stays on its way to where it was sent.
        None if item.text("dst-address").is_some() => sent_to.clone(),
        None => Fact::known(AddrExpr::SelfAddrs, Origin::inferred("infer.port_only", [Origin::Written(item.span())])),
    };
    (to, port)
}
