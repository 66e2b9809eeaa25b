//! Packages with logins of their own. What else a package keeps secret is found by the grammar's patterns.

use super::Lowering;
use super::secret::{self, Owner, Purpose};
use crate::ir::account::SecretUse;
use crate::ir::fact::Fact;

/// Package, element of the password, and the switch that says whether it runs.
const LOGINS: [(&str, &str, &str); 3] =
    [("frr", "password", "enable"), ("ntopng", "redis_password", "enable"), ("quaggaospfd", "password", "enable")];

/// Lowers them.
pub(super) fn lower(l: &mut Lowering<'_>) {
    for (package, element, switch) in LOGINS {
        for config in l.cx.packages(package) {
            let Some(password) = config.filled(element) else { continue };
            let live = match config.child(switch) {
                Some(e) => Fact::written(e.text() != "off" && e.has_text(), e.span()),
                None => Fact::written(false, config.span()),
            };
            secret::push(l, password, Purpose::verifies(SecretUse::AdminLogin), Owner::thing(package, live));
        }
    }
    for user in l.cx.packages("freeradius") {
        let Some(name) = user.filled("varusersusername") else { continue };
        let live = Fact::written(true, name.span());
        if let Some(e) = user.filled("varuserspassword") {
            secret::push(
                l,
                e,
                Purpose { needs_clear: true, ..Purpose::verifies(SecretUse::VpnUser) },
                Owner::thing(name.text(), live.clone()),
            );
        }
        if let Some(e) = user.filled("varusersmotpinitsecret") {
            secret::push(l, e, Purpose::presents(SecretUse::TotpSeed), Owner::thing(name.text(), live));
        }
    }
}
