//! What administers the box: its web page with the redirection to it, SSH, SNMP. All answer on every address; only rules stand before them.

use super::Lowering;
use crate::dialect::config_xml::context;
use crate::dialect::config_xml::management::{everywhere, listener, port, snmp, web};
use crate::ir::fact::Fact;
use crate::ir::filter::TCP;
use crate::ir::listener::{Plane, Ssh};

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    let lockout = lockout(l);
    web(l, |_, own| everywhere(own.clone()), |l, at| l.cx.behaviour("webgui.tls_old", at), lockout);
    ssh(l);
    snmp(l);
}

fn lockout(l: &Lowering<'_>) -> Fact<bool> {
    l.cx.behaviour("login.lockout", l.cx.section("system").map(|s| s.span()))
}

/// Whether SSH runs: a switch of its own section, or in older releases one beside it.
pub(super) fn ssh_switch(l: &Lowering<'_>) -> Fact<bool> {
    match ["system/ssh/enable", "system/ssh/enabled", "system/enablesshd"].into_iter().find_map(|p| l.cx.at(p)) {
        Some(e) => Fact::written(true, e.span()),
        None => l.cx.absent("system/ssh/enable", context::switch),
    }
}

fn ssh(l: &mut Lowering<'_>) {
    let own = ssh_switch(l);
    let number = l.cx.value("system/ssh/port", |v| v.parse().ok());
    let at = own.origin.spans().first().copied();
    let behaviour = |key: &str| l.cx.behaviour(key, at);
    let algorithms = Ssh { v1: behaviour("ssh.v1"), weak_only: behaviour("ssh.weak_only"), weak_offered: behaviour("ssh.weak_offered") };
    let bound = Fact::known(true, own.origin.clone());
    let mut ssh = listener(Plane::Management, "ssh", port(TCP, number), own, everywhere(bound));
    ssh.ssh = Some(algorithms);
    ssh.rate_limit = lockout(l);
    l.device.listeners.items.push(ssh);
}
