//! IPsec for users: the phase 1 marked `mobile`, the settings all such users share, and their keys.

use super::context::enabled;
use super::secret::{self, Owner, Purpose};
use super::{Lowering, access, address, crypto, ipsec};
use crate::ir::account::{Account, AccountIx, AccountKind, Factory, SecretUse};
use crate::ir::fact::{Fact, List, Origin, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::listener::{Limit, ListenerIx};
use crate::ir::live::{LinkKind, Live};
use crate::ir::record::NEVER;
use crate::ir::tunnel::{AuthPath, Factor, FactorKind, RemoteAccess};
use crate::syntax::xml::Element;

/// Lowers a phase 1 for users.
pub(super) fn lower<'a>(l: &mut Lowering<'a>, phase1: Element<'a>, phases2: &[Element<'a>], listener: ListenerIx) {
    let span = phase1.span();
    let client = l.cx.at("ipsec/client");
    let shared = match client.and_then(|c| c.child("enable")) {
        Some(on) => Fact::written(true, on.span()),
        None => l.cx.absent("ipsec/client/enable", super::context::switch),
    };
    let live = Live::own(enabled(phase1, "disabled")).with(LinkKind::FeatureOn, shared);
    ipsec::pre_shared_key(l, phase1, &live.value());
    let kind = if phase1.value("iketype") == Some("ikev2") { "ikev2" } else { "ikev1_xauth" };
    let pool = client.and_then(|c| {
        let e = c.filled("pool_address")?;
        let net = address::literal(&format!("{}/{}", e.text(), c.value("pool_netbits").unwrap_or("32")))?;
        Some(Fact::written(net, e.span()))
    });
    let never = |key: &str| l.cx.default(key, Some(span), |v| if v == "never" { Some(NEVER) } else { v.parse().ok() });
    let path = AuthPath {
        principal: phase1.value("authentication_method").unwrap_or("").to_owned(),
        span: phase1.filled("authentication_method").map_or(span, |e| e.span()),
        account: None,
        factors: factors(l, phase1, client),
        fallback: false,
        live: Fact::written(true, span),
    };
    let access = RemoteAccess {
        name: phase1.value("descr").unwrap_or("mobile").to_owned(),
        kind,
        span,
        listeners: vec![listener],
        interface: l.names.devices.get("enc0").copied(),
        outer: ipsec::outer(l, phase1),
        paths: List::complete(vec![path], Origin::Written(span)),
        idle_s: never("ipsec.client.idle"),
        session_s: never("ipsec.client.session"),
        concurrent: never("ipsec.client.concurrent"),
        aggressive_psk: ipsec::aggressive(l, phase1),
        pool: pool.unwrap_or_else(|| Fact::written(AddrExpr::Any, span)),
        crypto: Some(crypto::ipsec(l, phase1, phases2)),
        note: None,
        live,
    };
    keys(l, &access.live.value());
    l.device.remote_access.items.push(access);
}

/// What a user must show, by the method of the phase 1.
fn factors<'a>(l: &Lowering<'a>, phase1: Element<'a>, client: Option<Element<'a>>) -> Vec<Factor> {
    let Some(method) = phase1.filled("authentication_method") else {
        let why = Why::at(WhyCode::Ambiguous, "authentication_method", vec![phase1.span()]);
        return vec![Factor { kind: FactorKind::Password, required: Fact::unknown(why) }];
    };
    let needs = |kind| Factor { kind, required: Fact::written(true, method.span()) };
    // Extended authentication asks the servers that all mobile users share.
    let password = || match client.and_then(|c| c.filled("user_source")) {
        Some(servers) => access::asked(l, servers),
        None => vec![needs(FactorKind::Password)],
    };
    match method.text() {
        "xauth_psk_server" => [vec![needs(FactorKind::GroupSecret)], password()].concat(),
        "xauth_cert_server" | "xauth_rsa_server" => [vec![needs(FactorKind::ClientCert)], password()].concat(),
        "hybrid_cert_server" | "hybrid_rsa_server" => password(),
        "eap-tls" | "cert" | "rsasig" | "pkcs11" => vec![needs(FactorKind::ClientCert)],
        "eap-mschapv2" => vec![needs(FactorKind::Password)],
        "eap-radius" => {
            let why = Why::at(WhyCode::ExternalDecision, "RADIUS", vec![method.span()]);
            vec![needs(FactorKind::Password), Factor { kind: FactorKind::OneTime, required: Fact::unknown(why) }]
        }
        "pre_shared_key" => vec![needs(FactorKind::GroupSecret)],
        other => {
            let why = Why::at(WhyCode::Ambiguous, other, vec![method.span()]);
            vec![Factor { kind: FactorKind::Password, required: Fact::unknown(why) }]
        }
    }
}

/// Keys and passwords of single users.
fn keys(l: &mut Lowering<'_>, live: &Fact<bool>) {
    for row in l.cx.rows("ipsec", "mobilekey") {
        let Some(name) = row.filled("ident") else { continue };
        let span = name.span();
        let password = row.value("type") == Some("EAP");
        let ix = AccountIx(l.device.accounts.items.len() as u32);
        let secret = row.filled("pre-shared-key").map(|e| {
            let purpose = Purpose::shared(if password { SecretUse::VpnUser } else { SecretUse::IkePsk });
            secret::push(l, e, purpose, Owner { account: Some(ix), ..Owner::thing(name.text(), live.clone()) })
        });
        let everybody = matches!(name.text(), "any" | "allusers");
        l.device.accounts.items.push(Account {
            name: name.text().to_owned(),
            span,
            kind: if everybody { AccountKind::Wildcard } else { AccountKind::VpnUser },
            live: Live::own(live.clone()),
            factory: Fact::written(Factory::None, span),
            renamable: Fact::written(true, span),
            sources: Limit::None(Origin::Written(span)),
            expires: l.cx.behaviour("user.expires", Some(span)),
            expiry: None,
            used: Fact::written(true, span),
            concurrent: Fact::known(NEVER, Origin::Written(span)),
            shared_signs: Fact::written(everybody, span),
            secret,
            second: Fact::written(false, span),
        });
    }
}
