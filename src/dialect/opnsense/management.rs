//! What administers the box: its web page with the redirection to it, and SSH. Each can be held to some interfaces.

use super::Lowering;
use crate::dialect::config_xml::context::{names, switch};
use crate::dialect::config_xml::management::{everywhere, listener, port, web};
use crate::ir::fact::Fact;
use crate::ir::filter::{Family, TCP};
use crate::ir::listener::{Binding, Plane, Ssh};
use crate::ir::live::Live;
use crate::source::Span;
use crate::syntax::xml::Element;

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let lockout = lockout(l);
    web(l, |l, own| bound(l, l.cx.at("system/webgui/interfaces"), own), old_tls, lockout);
    ssh(l);
    // A part without the section shows nothing of how its services are set: which interfaces they keep to, whether a rule keeps them open.
    if let Some(why) = l.cx.missing("system") {
        for listener in &mut l.device.listeners.items {
            listener.live = Live::own(Fact::unknown(why.clone()));
        }
    }
}

/// Failed logins are slowed down unless somebody switched that off.
pub(super) fn lockout(l: &Lowering<'_>) -> Fact<bool> {
    match l.cx.at("system/no_sshlockout").or_else(|| l.cx.at("system/sshlockout/disabled")) {
        Some(off) => l.cx.is_set(off).negate(),
        None => l.cx.absent("system/sshlockout", switch),
    }
}

/// Where a service listens: on the interfaces its list names, everywhere when it is empty.
fn bound(l: &Lowering<'_>, list: Option<Element<'_>>, own: &Fact<bool>) -> Vec<Binding> {
    match list.filter(|e| e.has_text()) {
        Some(list) => {
            // A name that is gone is left out of the list.
            let mut bindings = l.bindings(Some(list), Family::Both, list.span());
            if bindings.iter().any(|b| b.on.is_some()) {
                bindings.retain(|b| b.on.is_some());
            }
            bindings
        }
        None => everywhere(match l.cx.missing("system") {
            Some(why) => Fact::unknown(why),
            None => Fact::known(true, own.origin.clone()),
        }),
    }
}

/// Without a list of ciphers only TLS 1.2 and newer are spoken. With one older versions are admitted, and used if a cipher of theirs is in
/// the list: those that end in `-SHA`.
fn old_tls(l: &Lowering<'_>, at: Option<Span>) -> Fact<bool> {
    match l.cx.at("system/webgui/ssl-ciphers").filter(|e| e.has_text()) {
        Some(list) => Fact::written(list.text().split(':').any(|c| c.ends_with("-SHA")), list.span()),
        None => l.cx.behaviour("webgui.tls_old", at),
    }
}

fn ssh(l: &mut Lowering<'_>) {
    let own = l.cx.presence("system/ssh/enabled");
    let number = l.cx.value("system/ssh/port", |v| v.parse().ok());
    let at = own.origin.spans().first().copied();
    let section = l.cx.at("system/ssh");
    // Algorithms that somebody chose replace those of the program.
    let chosen: Vec<Element<'_>> = ["ciphers", "macs", "kex"].into_iter().filter_map(|n| section.and_then(|s| s.filled(n))).collect();
    let weak = |word: &str| l.cx.grammar.names("weak_ssh").iter().any(|w| word.contains(w.as_str()));
    let offered = chosen.iter().find(|e| names(e.text()).any(weak));
    let only = chosen.iter().find(|e| names(e.text()).all(weak));
    let judge = |found: Option<&Element<'_>>, key: &str| match found {
        Some(e) => Fact::written(true, e.span()),
        None => l.cx.behaviour(key, at),
    };
    let algorithms =
        Ssh { v1: l.cx.behaviour("ssh.v1", at), weak_only: judge(only, "ssh.weak_only"), weak_offered: judge(offered, "ssh.weak_offered") };
    let bindings = bound(l, l.cx.at("system/ssh/interfaces"), &own);
    let mut ssh = listener(Plane::Management, "ssh", port(TCP, number), own, bindings);
    ssh.ssh = Some(algorithms);
    ssh.rate_limit = lockout(l);
    l.device.listeners.items.push(ssh);
}
