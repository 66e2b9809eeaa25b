//! What administers the box, accounts, secrets, logging.

use super::*;
use crate::ir::account::{AccountKind, Factory, SecretUse, Storage};
use crate::ir::fact::Rest;
use crate::ir::listener::Limit;
use crate::ir::record::NEVER;
use crate::ir::tunnel::FactorKind;

fn user(name: &str, uid: u32, more: &str) -> String {
    format!("<user>\n<name>{name}</name>\n<uid>{uid}</uid>\n{more}</user>\n")
}

const HASH: &str = "<bcrypt-hash>$2y$10$KANARIhash</bcrypt-hash>\n";
const STOCK: &str = "<bcrypt-hash>$2b$10$13u6qwCOwODv34GyCMgdWub6oQF3RX0rG7c3d3X4JvzuEmAXLYDd2</bcrypt-hash>\n";

#[test]
fn ssh_is_off_unless_one_of_its_switches_is_there() {
    let live = |system: &str| listener(&device(&export(system, "")), "ssh").live.own.value.tri();
    assert_eq!(live(""), Some(false));
    assert_eq!(live("<ssh></ssh>"), Some(false));
    assert_eq!(live("<ssh><enable>enabled</enable></ssh>"), Some(true));
    assert_eq!(live("<enablesshd></enablesshd>"), Some(true), "the old form, empty");
}

#[test]
fn the_page_is_at_its_default_port_where_the_element_is_empty() {
    let ports = |webgui: &str| {
        let d = device(&export(&format!("<webgui>{webgui}</webgui>"), ""));
        let page = d.listeners.items[0].clone();
        (page.service, page.ports.get().map(|p| p[0].dst_ports[0].0))
    };
    assert_eq!(ports("<protocol>https</protocol><port></port>"), ("https", Some(443)));
    assert_eq!(ports("<protocol>http</protocol>"), ("http", Some(80)));
    assert_eq!(ports("<protocol>https</protocol><port>8443</port>"), ("https", Some(8443)));
}

#[test]
fn the_redirect_is_a_listener_of_its_own_that_can_be_off() {
    let redirect = |webgui: &str| {
        let d = device(&export(&format!("<webgui><protocol>https</protocol>{webgui}</webgui>"), ""));
        let l = listener(&d, "http").clone();
        (l.live.own.value.tri(), l.redirect_only.value.is_true())
    };
    assert_eq!(redirect(""), (Some(true), true));
    assert_eq!(redirect("<disablehttpredirect></disablehttpredirect>"), (Some(false), true));
}

#[test]
fn a_community_without_the_switch_is_not_in_use() {
    let snmp = |more: &str| device(&export("", &format!("<snmpd><rocommunity>public</rocommunity>{more}</snmpd>")));
    assert!(snmp("").snmp.items[0].live.value.is_false());
    assert!(snmp("<enable></enable>").snmp.items[0].live.value.is_true());
}

#[test]
fn privileges_come_from_the_account_or_its_groups() {
    let groups = "<group><name>admins</name><member>0</member><member>2000</member><priv>page-all</priv></group><group><name>vpn</name><member>2001</member></group>";
    let users = [
        user("admin", 0, HASH),
        user("member", 2000, HASH),
        user("vpn", 2001, HASH),
        user("shell", 2002, &format!("{HASH}<priv>user-shell-access</priv>")),
    ];
    let d = device(&export(&format!("{groups}{}", users.concat()), ""));
    let kinds: Vec<AccountKind> = d.accounts.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [AccountKind::Admin, AccountKind::Admin, AccountKind::VpnUser, AccountKind::Admin]);
    let principals: Vec<&str> = d.admin_paths.iter().map(|p| p.principal.as_str()).collect();
    assert_eq!(principals, ["admin", "member", "shell"]);
    assert!(d.accounts.items[2].used.value.is_false());
}

#[test]
fn the_stock_password_is_told_by_its_hash() {
    let factory = |more: &str| device(&export(&user("admin", 0, more), "")).accounts.items[0].factory.get().copied();
    assert_eq!(factory(STOCK), Some(Factory::NameAndSecret));
    assert_eq!(factory(HASH), Some(Factory::Name));
}

#[test]
fn hashes_are_told_apart_and_placeholders_are_no_secrets() {
    let storage = |element: &str| {
        let d = device(&export(&user("admin", 0, element), ""));
        match &d.secrets.items[0].storage {
            Storage::Hash { weak, .. } => weak.value.tri().map_or("unknown", |w| if w { "weak" } else { "strong" }),
            Storage::Masked => "masked",
            Storage::Clear => "clear",
            _ => "other",
        }
    };
    assert_eq!(storage(HASH), "strong");
    assert_eq!(storage("<md5-hash>0cc175b9c0f1b6a831c399e269772661</md5-hash>"), "weak");
    assert_eq!(storage("<password>$1$KANARI$x</password>"), "weak");
    assert_eq!(storage("<sha512-hash>$6$KANARI$x</sha512-hash>"), "strong");
    assert_eq!(storage("<bcrypt-hash>[REDACTED]</bcrypt-hash>"), "masked");
}

#[test]
fn keys_only_takes_the_password_from_the_shell() {
    let paths = |only: &str| {
        let ssh = format!("<ssh><enable>enabled</enable>{only}</ssh>");
        let d = device(&export(&format!("{ssh}{}", user("admin", 0, HASH)), ""));
        d.admin_paths.iter().map(|p| (p.listeners.len(), p.factors.iter().map(|f| f.kind).collect::<Vec<_>>())).collect::<Vec<_>>()
    };
    assert_eq!(paths(""), [(3, vec![FactorKind::Password])]);
    let keys = [(2, vec![FactorKind::Password]), (1, vec![FactorKind::DeviceKey])];
    assert_eq!(paths("<sshdkeyonly>enabled</sshdkeyonly>"), keys);
    let both = [(2, vec![FactorKind::Password]), (1, vec![FactorKind::Password, FactorKind::DeviceKey])];
    assert_eq!(paths("<sshdkeyonly>both</sshdkeyonly>"), both);
}

#[test]
fn a_radius_server_may_ask_for_more_and_the_box_itself_is_the_way_back() {
    let system = format!(
        "<webgui><protocol>https</protocol><authmode>rad</authmode></webgui><authserver><type>radius</type><name>rad</name><host>192.168.1.8</host><radius_secret>KANARI</radius_secret></authserver>{}",
        user("admin", 0, HASH)
    );
    let d = device(&export(&system, ""));
    let path = &d.admin_paths.items[0];
    assert_eq!(path.principal, "rad");
    assert!(path.factors.iter().any(|f| f.kind == FactorKind::OneTime && f.required.value.tri().is_none()));
    assert!(d.admin_paths.iter().any(|p| p.principal == "admin" && p.fallback));
    assert!(d.auth_servers.items[0].live.value().value.is_true());
}

#[test]
fn timeouts_and_logs_rest_on_what_is_written_or_on_the_section() {
    let text = export(
        "<webgui><protocol>https</protocol>\n<session_timeout>15</session_timeout>\n</webgui>",
        "\n<syslog><filterdescriptions>1</filterdescriptions>\n</syslog>",
    );
    let d = device(&text);
    assert_eq!(d.login_policies.items[0].idle_s.get(), Some(&900));
    assert_eq!(lines(&text, &d.login_policies.items[0].idle_s), ["<session_timeout>15</session_timeout>"]);
    match &d.logging.as_ref().expect("logging").targets.rest {
        Rest::Complete(o) => assert_eq!(line(&text, o.spans()[0]), "<syslog><filterdescriptions>1</filterdescriptions>"),
        other => panic!("{other:?}"),
    }
    let never = device(&export("<webgui><protocol>https</protocol><session_timeout>0</session_timeout></webgui>", ""));
    assert_eq!(never.login_policies.items[0].idle_s.get(), Some(&NEVER));
}

#[test]
fn a_remote_server_counts_only_with_the_switch() {
    let live = |more: &str| {
        let d = device(&export("", &format!("<syslog><remoteserver>192.0.2.9</remoteserver>{more}</syslog>")));
        d.logging.expect("logging").targets.items[0].live.value.tri()
    };
    assert_eq!((live(""), live("<enable></enable>")), (Some(false), Some(true)));
}

#[test]
fn the_resolver_answers_its_own_networks_unless_the_list_is_off() {
    let dns = |more: &str| listener(&device(&export("", &format!("<unbound><enable/>{more}</unbound>"))), "dns").limits.clone();
    assert!(matches!(dns(""), Limit::Sources { .. }));
    assert!(matches!(dns("<disable_auto_added_access_control/>"), Limit::None(_)));
    let off = device(&export("", "<unbound><active_interface/></unbound>"));
    assert!(listener(&off, "dns").live.own.value.is_false());
}

#[test]
fn secrets_nobody_reads_are_found_by_their_names() {
    let body = "<installedpackages><somepackage><config><name>x</name><api_key>KANARI-api</api_key><password>on</password></config></somepackage></installedpackages>";
    let d = device(&export("", body));
    let found: Vec<(SecretUse, &str)> = d.secrets.iter().map(|s| (s.used_for, s.owner.as_str())).collect();
    assert_eq!(found, [(SecretUse::ApiKey, "x")]);
}
