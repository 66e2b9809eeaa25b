//! SNMP: the agent as a listener, who may ask, and each community or user as a way to read or write.

use super::Lowering;
use super::listener::{bind, plain};
use super::object::prefix_list;
use super::secret::{self, Owner, Purpose};
use super::value::{addresses, terms};
use crate::ir::account::SecretUse;
use crate::ir::fact::{Fact, Origin};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Limit, LimitStage, ListenerIx, Plane};
use crate::ir::system::{SnmpAccess, SnmpVersion};
use crate::source::Span;
use crate::syntax::brace::{at, child, rows, value};
use crate::syntax::{Mark, Node};

/// Whether anybody can ask: the agent runs only for communities or users.
fn users<'a>(l: &Lowering<'a>) -> (Vec<Node<'a>>, Vec<Node<'a>>) {
    (rows(l.root, &["snmp", "community"]), rows(l.root, &["snmp", "v3", "usm", "local-engine", "user"]))
}

/// Adds the listener.
pub(super) fn listener(l: &mut Lowering<'_>) {
    let (communities, v3) = users(l);
    let Some(first) = communities.first().or(v3.first()).copied() else { return };
    let span = first.span();
    let ports = l.grammar.default_as("port.snmp", l.version.as_ref(), Some(span), terms);
    let mut listener = plain(l, Plane::Management, "snmp", ports, span);
    let only: Vec<InterfaceIx> =
        rows(l.root, &["snmp", "interface"]).iter().filter_map(|n| super::interface::named(l, n.word_or_empty(0))).collect();
    let limit = if communities.is_empty() { None } else { clients(l, &communities) };
    // Lists of stations belong to communities: users of version 3 are asked for their keys wherever they come from.
    let apart = limit.is_some() && !v3.is_empty();
    let asked: Vec<Span> = communities.iter().chain(v3.iter().filter(|_| !apart)).map(|n| n.span()).collect();
    if let Some(user) = v3.first().filter(|_| apart) {
        let ports = l.grammar.default_as("port.snmp", l.version.as_ref(), Some(user.span()), terms);
        let mut keyed = plain(l, Plane::Management, "snmp", ports, user.span());
        keyed.bindings = bind(l, &["snmp"], &only, &v3.iter().map(|n| n.span()).collect::<Vec<_>>());
        keyed.cleartext = Fact::written(false, user.span());
        l.device.listeners.items.push(keyed);
    }
    listener.bindings = bind(l, &["snmp"], &only, &asked);
    listener.cleartext = if communities.is_empty() {
        Fact::written(false, span)
    } else {
        Fact::known(true, Origin::all(communities.iter().map(|c| Origin::Written(c.span()))))
    };
    if let Some(limit) = limit {
        listener.limits = limit;
    }
    l.device.listeners.items.push(listener);
}

/// The stations that communities admit, where every community has such a list.
fn clients<'a>(l: &mut Lowering<'a>, communities: &[Node<'a>]) -> Option<Limit> {
    let mut parts = Vec::new();
    let mut origins = Vec::new();
    for community in communities {
        let mut admitted = Vec::new();
        let mut refused = Vec::new();
        for client in rows(*community, &["clients"]) {
            origins.push(Origin::Written(client.span()));
            // `default restrict` says what the list says anyway.
            if client.word(0) == Some("default") {
                child(client, "restrict");
                continue;
            }
            let expr = addresses(client.word_or_empty(0))?;
            if child(client, "restrict").is_some() { refused.push(expr) } else { admitted.push(expr) }
        }
        for name in rows(*community, &["client-list-name"]) {
            origins.push(Origin::Written(name.span()));
            admitted.push(client_list(l, name));
        }
        if admitted.is_empty() && refused.is_empty() {
            return None;
        }
        // The longest entry decides: what is refused as a whole only closes what nothing narrower admits.
        let narrow: Vec<AddrExpr> = refused.into_iter().filter(|e| !matches!(e, AddrExpr::AnyV4 | AddrExpr::AnyV6)).collect();
        let all = AddrExpr::union(admitted);
        parts.push(if narrow.is_empty() { all } else { AddrExpr::Except(Box::new(all), Box::new(AddrExpr::union(narrow))) });
    }
    Some(Limit::Sources { stage: LimitStage::Connect, admits: Fact::known(AddrExpr::union(parts), Origin::all(origins)) })
}

fn client_list<'a>(l: &mut Lowering<'a>, name: Node<'a>) -> AddrExpr {
    let own = rows(l.root, &["snmp", "client-list"]).into_iter().find(|n| n.word(0) == name.word(0));
    match own {
        Some(list) => AddrExpr::union(rows(list, &[]).iter().filter_map(|n| addresses(n.word_or_empty(0))).collect()),
        None => prefix_list(l, name),
    }
}

/// Lowers communities and users; a context of a box has none of its own.
pub(super) fn lower(l: &mut Lowering<'_>, whole: bool) {
    l.device.snmp.rest = l.rest("snmp");
    if !whole {
        l.device.snmp.rest = crate::ir::fact::Rest::Complete(Origin::Written(l.head));
        return;
    }
    let (communities, v3) = users(l);
    let mut listeners =
        l.device.listeners.items.iter().enumerate().filter(|(_, x)| x.service == "snmp").map(|(ix, _)| ListenerIx(ix as u32));
    let (first, last) = (listeners.next(), listeners.next_back());
    // Where there are two, the one of the users stands first.
    let (keyed, listener) = (first, last.or(first));
    for node in communities {
        let span = node.span();
        let live = Fact::written(true, span);
        let secret = secret::push(l, node, Purpose::shared(SecretUse::SnmpCommunity), Owner::thing("", live.clone()));
        let write = match value(node, &["authorization"]) {
            Some(word) => Fact::written(word.word(0) == Some("read-write"), word.span()),
            None => l.absent("snmp community authorization", "snmp", Some(span), |v| Some(v == "read-write")),
        };
        for quiet in ["view", "routing-instance", "logical-system"] {
            child(node, quiet).into_iter().for_each(|n| n.mark_below(Mark::Read));
        }
        l.device.snmp.items.push(SnmpAccess {
            span,
            version: SnmpVersion::V1V2c,
            live,
            community: Some(secret),
            factory_word: None,
            write,
            listener,
        });
    }
    for node in v3 {
        l.device.snmp.items.push(SnmpAccess {
            span: node.span(),
            version: SnmpVersion::V3,
            live: Fact::written(true, node.span()),
            community: None,
            factory_word: None,
            write: Fact::written(false, node.span()),
            listener: keyed,
        });
        node.mark_below(Mark::Read);
    }
    at(l.root, &["snmp"]);
}
