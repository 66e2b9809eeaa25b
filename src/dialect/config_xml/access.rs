//! Servers that check logins, and what each asks of a user. Ways in for administrators are the product's own; see its folder.
//!
//! A RADIUS server may ask for a second factor, and the export cannot say. A server of one-time passwords does ask.

use super::Lowering;
use crate::ir::account::{AccountIx, AdminPath, AuthServer, SecretUse};
use crate::ir::fact::{Fact, Origin, Why, WhyCode};
use crate::ir::filter::{AddrExpr, OpaqueKind};
use crate::ir::listener::{ListenerIx, Plane};
use crate::ir::live::{LinkKind, Live};
use crate::ir::tunnel::{Factor, FactorKind};
use crate::source::Span;
use crate::syntax::xml::Element;

/// Servers that check logins.
pub(in crate::dialect) fn servers(l: &mut Lowering<'_>) {
    for row in l.cx.rows("system", "authserver") {
        let name = row.value("name").unwrap_or("").to_owned();
        let kind = match row.value("type") {
            Some("radius") => "radius",
            Some(kind) if kind.starts_with("ldap") => "ldap",
            // Not a server but a way to ask the box's own users.
            Some("totp") => continue,
            _ => "other",
        };
        let address = match row.filled("host") {
            Some(e) => Fact::written(
                super::address::literal(e.text()).unwrap_or_else(|| super::address::opaque(OpaqueKind::Fqdn, e.text(), e.text_span())),
                e.span(),
            ),
            None => Fact::written(AddrExpr::Nothing, row.span()),
        };
        let tls = match row.filled("ldap_urltype") {
            Some(e) => Fact::written(e.text().contains("SSL") || e.text().contains("STARTTLS"), e.span()),
            None if kind == "ldap" => l.cx.behaviour("authserver.ldap_tls", Some(row.span())),
            None => l.cx.behaviour("authserver.radius_tls", Some(row.span())),
        };
        let used = used_by(l, &name);
        let live = Live::own(Fact::written(true, row.span())).with(
            LinkKind::Referenced,
            match used {
                Some(at) => Fact::written(true, at),
                None => Fact::known(false, Origin::inferred("unused_auth_server", [Origin::Written(row.span())])),
            },
        );
        for (element, used_for) in [("radius_secret", SecretUse::Radius), ("ldap_bindpw", SecretUse::LdapBind)] {
            if let Some(e) = row.filled(element) {
                let owner = super::secret::Owner::thing(name.clone(), live.value());
                super::secret::push(l, e, super::secret::Purpose::presents(used_for), owner);
            }
        }
        l.device.auth_servers.items.push(AuthServer { name, span: row.span(), kind, address, tls, live });
    }
}

/// The line that names a server: the web page's, an OpenVPN server's, that of mobile IPsec, or another of the product's.
fn used_by(l: &Lowering<'_>, name: &str) -> Option<Span> {
    let holds = |e: &Element<'_>| e.text().split(',').any(|m| m.trim() == name);
    let web = l.cx.at("system/webgui/authmode").filter(holds);
    let vpn = || l.cx.rows("openvpn", "openvpn-server").into_iter().filter_map(|s| s.filled("authmode")).find(holds);
    let mobile = || l.cx.at("ipsec/client/user_source").filter(holds);
    let more = || (l.cx.product.names_servers)(l).into_iter().find(|e| holds(e) || e.text().contains(name));
    web.or_else(vpn).or_else(mobile).or_else(more).map(|e| e.span())
}

/// What servers of a list ask of a user besides a password. Each of them suffices: a one-time password is asked for if all ask for one.
pub(in crate::dialect) fn asked(l: &Lowering<'_>, servers: Element<'_>) -> Vec<Factor> {
    asked_by(l, servers, &servers.text().split(',').map(str::trim).collect::<Vec<_>>())
}

/// The same of some of a list.
pub(in crate::dialect) fn asked_by(l: &Lowering<'_>, servers: Element<'_>, names: &[&str]) -> Vec<Factor> {
    let mut factors = vec![Factor { kind: FactorKind::Password, required: Fact::written(true, servers.span()) }];
    let rows = l.cx.rows("system", "authserver");
    let kind = |name: &&str| rows.iter().find(|r| r.value("name") == Some(*name)).and_then(|r| r.value("type")).unwrap_or("");
    let kinds: Vec<&str> = names.iter().map(kind).collect();
    if kinds.iter().all(|k| k.contains("totp")) {
        factors.push(Factor { kind: FactorKind::OneTime, required: Fact::written(true, servers.span()) });
    } else if kinds.iter().all(|k| *k == "radius" || k.contains("totp")) {
        let why = Why::at(WhyCode::ExternalDecision, servers.text(), vec![servers.text_span()]);
        factors.push(Factor { kind: FactorKind::OneTime, required: Fact::unknown(why) });
    }
    factors
}

/// A way in of an account.
pub(in crate::dialect) fn path(
    name: &str,
    span: Span,
    account: AccountIx,
    listeners: Vec<ListenerIx>,
    factors: Vec<Factor>,
    live: Fact<bool>,
) -> AdminPath {
    AdminPath { principal: name.to_owned(), span, account: Some(account), listeners, factors, fallback: false, live }
}

/// Listeners that administer the box, of these services.
pub(in crate::dialect) fn listeners(l: &Lowering<'_>, services: &[&str]) -> Vec<ListenerIx> {
    let all = l.device.listeners.items.iter().enumerate();
    all.filter(|(_, x)| x.plane == Plane::Management && services.contains(&x.service)).map(|(ix, _)| ListenerIx(ix as u32)).collect()
}
