//! Listeners, administrators, logs, clock, SNMP.

use super::{bound_on, complete, device, is_unverified, line, lines, listener};
use crate::ir::account::{AccountKind, Factory, Storage};
use crate::ir::filter::{AddrExpr, Family};
use crate::ir::interface::{InterfaceKind, SidePointer, SignStrength};
use crate::ir::listener::{Limit, LimitStage, Plane, Reach};
use crate::ir::record::NEVER;
use crate::ir::tunnel::FactorKind;

#[test]
fn each_word_of_allowaccess_is_a_listener_of_its_own() {
    let text = complete(
        "7.4.4",
        "config system interface\nedit \"wan1\"\nset allowaccess ping https\nconfig ipv6\nset ip6-address 2001:db8::1/64\nset ip6-allowaccess ssh\nend\n\
set secondary-IP enable\nconfig secondaryip\nedit 1\nset ip 192.0.2.9 255.255.255.0\nset allowaccess telnet\nnext\nend\nnext\n\
edit \"lan\"\nset status down\nset allowaccess https\nnext\nend\n",
    );
    let d = device(&text);
    let https = listener(&d, "https");
    assert_eq!(bound_on(&d, https), ["wan1"], "an interface that is down answers nothing");
    assert_eq!(https.span.map(|s| s.slice(&text)), Some("https"), "the word itself");
    assert_eq!(listener(&d, "ssh").bindings[0].family, Family::V6);
    assert_eq!(bound_on(&d, listener(&d, "telnet")), ["wan1"]);
    assert!(d.interfaces[0].ipv6.value.is_true() && d.interfaces[1].ipv6.value.is_false());
    assert!(matches!(https.limits, Limit::UnionOverAdmins { stage: LimitStage::Connect }));
}

#[test]
fn no_allowaccess_line_opens_nothing() {
    let d = device(&complete("7.4.4", "config system interface\nedit \"wan1\"\nset role wan\nnext\nend\n"));
    assert!(d.listeners.items.is_empty());
    assert!(matches!(d.listeners.rest, crate::ir::fact::Rest::Complete(_)));
}

#[test]
fn an_unknown_word_leaves_the_list_open() {
    let d = device(&complete("7.4.4", "config system interface\nedit \"wan1\"\nset allowaccess https newthing\nnext\nend\n"));
    assert!(matches!(&d.listeners.rest, crate::ir::fact::Rest::MayHoldMore(_)));
}

#[test]
fn plain_http_is_a_redirect_by_default_only_where_that_is_known() {
    let redirect = |version: &str, body: &str| {
        let text = complete(version, &format!("config system interface\nedit \"wan1\"\nset allowaccess http\nnext\nend\n{body}"));
        listener(&device(&text), "http").clone()
    };
    let current = redirect("7.4.4", "");
    assert!(current.redirect_only.value.is_true() && !is_unverified(&current.redirect_only.origin));
    let old = redirect("5.02", "");
    assert!(is_unverified(&old.redirect_only.origin));
    let off = redirect("7.4.4", "config system global\nset admin-https-redirect disable\nend\n");
    assert!(off.redirect_only.value.is_false() && off.cleartext.value.is_true());
}

#[test]
fn a_loopback_is_reached_through_policies() {
    let text = complete(
        "7.4.4",
        "config system interface\nedit \"lo\"\nset ip 10.0.0.1 255.255.255.255\nset allowaccess https\nset type loopback\nnext\nend\n",
    );
    let d = device(&text);
    assert_eq!(d.interfaces[0].kind, InterfaceKind::Loopback);
    assert_eq!(listener(&d, "https").bindings[0].reach, Reach::Forwarded);
}

#[test]
fn telnet_hangs_on_its_global_switch() {
    let text = complete(
        "7.4.4",
        "config system global\nset admin-telnet disable\nend\nconfig system interface\nedit \"wan1\"\nset allowaccess telnet\nnext\nend\n",
    );
    let d = device(&text);
    let telnet = listener(&d, "telnet");
    assert!(telnet.live.value().value.is_false());
    assert_eq!(lines(&text, &telnet.live.value()), ["set admin-telnet disable"]);
}

#[test]
fn the_web_vpn_takes_the_port_of_the_administration() {
    let body = |extra: &str| {
        complete(
            "7.4.4",
            &format!(
                "config system interface\nedit \"wan1\"\nset allowaccess https\nnext\nedit \"lan\"\nset allowaccess https\nnext\nedit \"ssl.root\"\nset type tunnel\nnext\nend\n\
config vpn ssl settings\nset port 443\nset source-interface \"wan1\"\n{extra}end\n\
config firewall policy\nedit 1\nset srcintf \"ssl.root\"\nset dstintf \"lan\"\nset action accept\nnext\nend\n"
            ),
        )
    };
    let d = device(&body(""));
    assert_eq!(bound_on(&d, listener(&d, "https")), ["lan"]);
    assert!(listener(&d, "ssl_vpn").live.value().value.is_true());
    let d = device(&body("set port-precedence disable\n"));
    assert_eq!(bound_on(&d, listener(&d, "https")), ["wan1", "lan"]);
    let d = device(&body("set port 10443\n"));
    assert_eq!(bound_on(&d, listener(&d, "https")), ["wan1", "lan"]);
}

#[test]
fn services_of_the_network_answer_where_they_are_on() {
    let text = complete(
        "7.4.4",
        "config system interface\nedit \"wan1\"\nset lldp-reception enable\nset explicit-web-proxy enable\nset security-mode captive-portal\nnext\nend\n\
config system dns-server\nedit \"wan1\"\nnext\nend\nconfig system ntp\nset ntpsync enable\nset server-mode enable\nset interface \"wan1\"\nend\n\
config web-proxy explicit\nset status enable\nset http-incoming-port 8888\nend\n",
    );
    let d = device(&text);
    for service in ["dns", "ntp", "proxy", "captive_portal", "discovery"] {
        assert!(listener(&d, service).live.value().value.is_true(), "{service}");
        assert_eq!(bound_on(&d, listener(&d, service)), ["wan1"], "{service}");
    }
    assert_eq!(listener(&d, "proxy").ports.get().expect("ports")[0].dst_ports, [(8888, 8888)]);
    assert_eq!((listener(&d, "discovery").plane, listener(&d, "captive_portal").plane), (Plane::Layer2, Plane::Portal));
    let off = device(&text.replace("config web-proxy explicit\nset status enable\nset http-incoming-port 8888\nend\n", ""));
    assert!(listener(&off, "proxy").live.value().value.is_false(), "the interface alone is not enough");
}

#[test]
fn a_role_that_contradicts_the_default_route_stands_beside_it() {
    let text = complete(
        "6.2.3",
        "config system interface\nedit \"port1\"\nset role lan\nnext\nend\nconfig router static\nedit 1\nset gateway 192.0.2.1\nset device \"port1\"\nnext\nend\n",
    );
    let signs = &device(&text).interfaces[0].signs;
    let strong: Vec<SidePointer> = signs.iter().filter(|s| s.strength == SignStrength::Strong).map(|s| s.points_to).collect();
    assert_eq!(strong, [SidePointer::Trusted, SidePointer::Untrusted]);
}

#[test]
fn the_internal_link_to_switches_faces_inside() {
    let text = complete(
        "7.4.4",
        "config system interface\nedit \"fortilink\"\nset fortilink enable\nset ip 169.254.1.1 255.255.255.0\nset allowaccess ping fabric\nset type aggregate\nnext\nend\n",
    );
    assert!(device(&text).interfaces[0].signs.iter().all(|s| s.points_to == SidePointer::Trusted));
}

#[test]
fn trusted_hosts_restrict_one_administrator_and_one_family() {
    let text = complete(
        "7.4.4",
        "config system admin\nedit \"admin\"\nset password ENC SH2KANARI\nnext\nedit \"noc\"\nset trusthost1 192.0.2.0 255.255.255.0\nset password ENC SH2KANARI\nnext\n\
edit \"open\"\nset trusthost1 192.0.2.0 255.255.255.0\nset trusthost2 0.0.0.0 0.0.0.0\nset password ENC SH2KANARI\nnext\nend\n",
    );
    let d = device(&text);
    assert!(matches!(d.accounts.items[0].sources, Limit::None(_)));
    let Limit::Sources { admits, .. } = &d.accounts.items[1].sources else { panic!("limit") };
    let Some(AddrExpr::Union(parts)) = admits.get() else { panic!("union") };
    assert!(matches!(parts[0], AddrExpr::Range(..)) && matches!(parts[1], AddrExpr::AnyV6), "IPv6 stays open");
    assert!(matches!(d.accounts.items[2].sources, Limit::None(_)), "a host of everything beside a narrow one opens everything");
}

#[test]
fn a_dump_prints_unset_trusted_hosts_and_they_count_for_nothing() {
    let text = complete(
        "7.0.3",
        "config system global\nset admin-concurrent enable\nset admin-login-max 100\nend\nconfig system admin\nedit \"noc\"\nset trusthost1 192.0.2.0 255.255.255.0\n\
set trusthost2 0.0.0.0 0.0.0.0\nset ip6-trusthost1 ::/0\nset password ENC SH2KANARI\nnext\nend\n",
    );
    assert!(matches!(device(&text).accounts.items[0].sources, Limit::Sources { .. }));
}

#[test]
fn a_factory_administrator_without_password_has_none() {
    let text = complete(
        "6.4.4",
        "config system admin\nedit \"admin\"\nset accprofile \"super_admin\"\nnext\nedit \"x\"\nset remote-auth enable\nset wildcard enable\nset remote-group \"g\"\nnext\nend\n",
    );
    let d = device(&text);
    assert_eq!(d.accounts.items[0].factory.get(), Some(&Factory::NameAndSecret));
    assert!(d.admin_paths.items[0].factors[0].required.value.is_false());
    assert_eq!(d.accounts.items[1].kind, AccountKind::Wildcard);
    assert!(d.accounts.items[1].shared_signs.value.is_true());
    assert_eq!(d.accounts.items[1].second.value.tri(), None, "the server decides");
}

#[test]
fn hashes_are_told_apart_and_other_secrets_are_recoverable() {
    let body = "config system admin\nedit \"a\"\nset password ENC AK1KANARI\nnext\nedit \"b\"\nset password ENC SH2KANARI\nnext\nedit \"c\"\nset password ENC PB2KANARI\nset two-factor fortitoken\nnext\n\
edit \"d\"\nset password KANARI-clear\nnext\nend\nconfig user local\nedit \"u\"\nset type password\nset passwd ENC KANARIblob==\nnext\nend\n";
    let d = device(&complete("7.4.9", body));
    let weak = |ix: usize| match &d.secrets.items[ix].storage {
        Storage::Hash { weak, .. } => weak.value.tri(),
        _ => None,
    };
    assert_eq!([weak(0), weak(1), weak(2)], [Some(true), Some(true), Some(false)]);
    assert!(matches!(d.secrets.items[3].storage, Storage::Clear));
    assert!(matches!(d.secrets.items[4].storage, Storage::Recoverable { comparable: false }));
    assert!(d.accounts.items[2].second.value.is_true());
    let old = device(&complete("6.4.4", body));
    assert!(matches!(&old.secrets.items[1].storage, Storage::Hash { weak, .. } if weak.value.is_false()), "the release has nothing better");
    let keyed = device(&complete("7.4.9", &format!("config system global\nset private-data-encryption enable\nend\n{body}")));
    assert!(matches!(keyed.secrets.items[4].storage, Storage::Opaque));
    let masked = device(&complete("7.4.9", &body.replace("KANARIblob==", "XXXXXXXXXXXX")));
    assert!(matches!(masked.secrets.items[4].storage, Storage::Masked));
}

#[test]
fn factory_keys_and_users_are_nobodys_secrets() {
    let body = "config vpn certificate local\nedit \"Fortinet_SSL\"\nset password ENC KANARI\nset source factory\nnext\nedit \"mine\"\nset password ENC KANARI\nnext\nend\n\
config user local\nedit \"guest\"\nset type password\nset passwd ENC KANARI\nnext\nend\nconfig user group\nedit \"Guest-group\"\nset member \"guest\"\nnext\nend\n";
    let d = device(&complete("6.4.4", body));
    let live: Vec<(&str, Option<bool>)> = d.secrets.items.iter().map(|s| (s.owner.as_str(), s.live.value.tri())).collect();
    assert_eq!(live, [("guest", Some(false)), ("Fortinet_SSL", Some(false)), ("mine", Some(true))]);
    assert!(d.accounts.items[0].live.value().value.is_false());
}

#[test]
fn lockout_and_idle_times_come_from_lines_or_defaults() {
    let d = device(&complete("7.4.4", "config system global\nset admintimeout 480\nset admin-lockout-threshold 0\nend\n"));
    let policy = &d.login_policies.items[0];
    assert_eq!((policy.idle_s.get(), policy.lockout_on.value.tri()), (Some(&28_800), Some(false)));
    let d = device(&complete("7.4.4", ""));
    let policy = &d.login_policies.items[0];
    assert_eq!((policy.idle_s.get(), policy.lockout_attempts.get(), policy.pw_enforced.value.tri()), (Some(&300), Some(&3), Some(false)));
    let rules = "config system password-policy\nset status enable\nset minimum-length 14\nset min-number 1\nset min-non-alphanumeric 1\nset expire-status enable\nset expire-day 60\nend\n";
    let d = device(&complete("7.4.4", rules));
    let policy = &d.login_policies.items[0];
    assert_eq!(
        (policy.pw_enforced.value.tri(), policy.pw_min.get(), policy.pw_classes.get(), policy.pw_max_age.get()),
        (Some(true), Some(&14), Some(&2), Some(&5_184_000))
    );
    let d = device(&complete("7.4.4", &rules.replace("set status enable\n", "set status enable\nset apply-to ipsec-preshared-key\n")));
    assert!(d.login_policies.items[0].pw_enforced.value.is_false(), "a policy for keys binds nobody");
    let d = device(&complete("7.6.5", ""));
    assert_eq!((d.login_policies.items[0].pw_enforced.value.tri(), d.login_policies.items[0].pw_min.get()), (Some(true), Some(&12)));
}

#[test]
fn a_log_server_counts_with_status_and_address() {
    let remote = |body: &str| {
        let d = device(&complete("7.4.4", body));
        d.logging.expect("logging").targets.items.iter().filter(|t| t.remote && t.live.value.is_true()).count()
    };
    assert_eq!(remote("config log syslogd setting\nset status enable\nset server \"192.0.2.50\"\nend\n"), 1);
    assert_eq!(remote("config log syslogd setting\nset server \"192.0.2.50\"\nend\n"), 0);
    assert_eq!(remote("config log syslogd setting\nset status enable\nend\n"), 0);
    assert_eq!(
        remote("config log memory setting\nset status enable\nend\nconfig switch-controller remote-log\nedit \"syslogd\"\nnext\nend\n"),
        0
    );
    assert_eq!(remote("config log fortiguard setting\nset status enable\nend\n"), 1);
    let d = device(&complete("7.4.4", "config log eventfilter\nset vpn disable\nend\n"));
    let logging = d.logging.expect("logging");
    assert!(logging.on.value.is_true() && logging.vpn_events.value.is_false() && logging.admin_events.value.is_true());
}

#[test]
fn the_clock_needs_its_switch_and_the_right_kind_of_server() {
    let live = |body: &str| device(&complete("7.4.4", body)).clock.expect("clock").items.iter().filter(|t| t.live.value.is_true()).count();
    assert_eq!(live("config system ntp\nset ntpsync enable\nend\n"), 1);
    assert_eq!(
        live(
            "config system ntp\nset ntpsync enable\nset type custom\nconfig ntpserver\nedit 1\nset server \"ntp.example.jp\"\nnext\nend\nend\n"
        ),
        1
    );
    assert_eq!(live("config system ntp\nset type custom\nconfig ntpserver\nedit 1\nset server \"ntp.example.jp\"\nnext\nend\nend\n"), 0);
    assert_eq!(live(""), 0);
}

#[test]
fn communities_work_when_the_agent_is_on() {
    let body = "config system interface\nedit \"lan\"\nset allowaccess snmp\nnext\nend\nconfig system snmp sysinfo\nset status enable\nend\n\
config system snmp community\nedit 1\nset name \"KANARI-ro\"\nconfig hosts\nedit 1\nset ip 192.168.1.5 255.255.255.255\nnext\nend\nnext\nend\n";
    let text = complete("7.4.4", body);
    let d = device(&text);
    assert!(d.snmp.items[0].live.value.is_true());
    assert!(matches!(&listener(&d, "snmp").limits, Limit::AllOf(parts) if parts.len() == 2));
    let community = d.snmp.items[0].community.expect("community");
    assert!(matches!(d.secrets.items[community.0 as usize].storage, Storage::Clear));
    let d = device(&text.replace("set status enable\n", ""));
    assert!(d.snmp.items[0].live.value.is_false() && listener(&d, "snmp").live.value().value.is_false());
}

#[test]
fn administrators_ways_in_name_every_factor() {
    let body = "config system interface\nedit \"lan\"\nset allowaccess https ssh\nnext\nend\nconfig system admin\nedit \"a\"\nset two-factor fortitoken\nset password ENC PB2KANARI\nset ssh-public-key1 \"ssh-ed25519 AAAA\"\nnext\n\
edit \"b\"\nset peer-auth enable\nset peer-group \"g\"\nnext\nend\nconfig system global\nset admin-forticloud-sso-login enable\nend\n";
    let d = device(&complete("7.4.9", body));
    let kinds: Vec<Vec<FactorKind>> =
        d.admin_paths.items.iter().map(|p| p.factors.iter().filter(|f| f.required.value.is_true()).map(|f| f.kind).collect()).collect();
    assert_eq!(
        kinds,
        [
            vec![FactorKind::Password, FactorKind::OneTime],
            vec![FactorKind::DeviceKey],
            vec![FactorKind::ClientCert],
            vec![FactorKind::Delegated]
        ]
    );
    assert_eq!(d.admin_paths.items[0].listeners.len(), 2);
    assert_eq!(d.admin_paths.items[1].listeners.len(), 1);
}

#[test]
fn spans_point_at_the_lines_that_decide() {
    let text = complete(
        "7.4.4",
        "config system interface\nedit \"wan1\"\nset mode pppoe\nset username \"u\"\nset password ENC KANARI\nset role wan\nnext\nend\n",
    );
    let d = device(&text);
    let signs: Vec<&str> = d.interfaces[0].signs.iter().map(|s| line(&text, s.origin.spans()[0])).collect();
    assert_eq!(signs, ["set role wan", "set mode pppoe", "edit \"wan1\""]);
    assert_eq!(d.accounts.items[0].kind, AccountKind::OutboundClient);
    assert_eq!(d.secrets.items[0].used_for, crate::ir::account::SecretUse::IspLogin);
    assert_eq!(NEVER, i64::MAX);
}

#[test]
fn an_account_ends_with_a_schedule_that_holds_once() {
    let body = "config firewall schedule onetime\nedit \"until-march\"\nset start 00:00 2026/01/01\nset end 18:00 2026/03/31\nnext\nend\n\
config firewall schedule recurring\nedit \"day\"\nset day monday\nset start 09:00\nset end 17:00\nnext\nend\n\
config system admin\nedit \"a\"\nset schedule \"until-march\"\nnext\nedit \"b\"\nset schedule \"day\"\nnext\nend\n";
    let d = device(&complete("7.4.9", body));
    assert!(d.accounts.items[0].expires.value.is_true());
    assert_eq!(d.accounts.items[0].expiry.as_ref().and_then(|e| e.get()).map(String::as_str), Some("2026-03-31"));
    assert!(d.accounts.items[1].expires.value.is_false(), "office hours are no end");
}
