//! Pages of administration, users, and what they must show.

use super::{device, export, line, lines, listener};
use crate::ir::account::{AccountKind, Factory};
use crate::ir::device::Device;
use crate::ir::record::NEVER;
use crate::ir::tunnel::FactorKind;

const ROOT: &str = "<group><name>admins</name><gid>1999</gid><member>0,2000</member><priv>page-all</priv></group>
<user><name>root</name><uid>0</uid><password>$2y$11$KANARIKANARI</password></user>
";

fn gui(more: &str) -> String {
    format!(
        "{ROOT}<webgui><protocol>https</protocol>{more}</webgui>\n<authserver><type>totp</type><name>OTP</name></authserver>\n<authserver><type>radius</type><name>R</name><host>192.168.1.8</host></authserver>\n"
    )
}

/// Services and factors of the ways in of an account.
fn ways(d: &Device, name: &str) -> Vec<(Vec<&'static str>, Vec<FactorKind>)> {
    let paths = d.admin_paths.items.iter().filter(|p| p.principal == name);
    let of = |p: &crate::ir::account::AdminPath| {
        let services = p.listeners.iter().map(|ix| d.listeners.items[ix.0 as usize].service).collect();
        (services, p.factors.iter().filter(|f| !f.required.value.is_false()).map(|f| f.kind).collect())
    };
    paths.map(of).collect()
}

#[test]
fn without_a_list_the_password_is_enough() {
    let d = device(&export(&gui(""), "", ""));
    assert_eq!(ways(&d, "root"), [(vec!["https", "http"], vec![FactorKind::Password])]);
}

#[test]
fn a_list_of_one_time_passwords_asks_for_one() {
    let d = device(&export(&gui("<authmode>OTP</authmode>"), "", ""));
    assert_eq!(ways(&d, "root"), [(vec!["https", "http"], vec![FactorKind::Password, FactorKind::OneTime])]);
    assert!(d.accounts.items[0].second.value.is_true());
}

#[test]
fn local_database_in_the_list_is_a_way_round() {
    let d = device(&export(&gui("<authmode>OTP,Local Database</authmode>"), "", ""));
    assert_eq!(ways(&d, "root"), [(vec!["https", "http"], vec![FactorKind::Password])]);
    assert!(d.accounts.items[0].second.value.is_false());
}

#[test]
fn a_server_elsewhere_leaves_no_way_for_local_users() {
    let d = device(&export(&gui("<authmode>R</authmode>"), "", ""));
    assert!(ways(&d, "root").is_empty());
    let path = d.admin_paths.items.iter().find(|p| p.principal == "R").expect("the server's users");
    assert!(path.factors.iter().any(|f| f.kind == FactorKind::OneTime && f.required.get().is_none()));
}

#[test]
fn the_fallback_of_older_releases_is_one() {
    let d = device(&export(&gui("<authmode>R</authmode><authmode_fallback>Local Database</authmode_fallback>"), "", ""));
    assert!(d.admin_paths.items.iter().any(|p| p.principal == "root" && p.fallback));
}

#[test]
fn ssh_takes_keys_alone_unless_told_otherwise() {
    let key = ROOT.replace("</password>", "</password><authorizedkeys>QQ==</authorizedkeys>");
    let ssh = |more: &str| format!("{key}<ssh><enabled>enabled</enabled>{more}</ssh>");
    let d = device(&export(&ssh(""), "", ""));
    assert!(ways(&d, "root").iter().all(|(s, _)| !s.contains(&"ssh")), "root may not log in");
    let d = device(&export(&ssh("<permitrootlogin>1</permitrootlogin>"), "", ""));
    assert!(ways(&d, "root").contains(&(vec!["ssh"], vec![FactorKind::DeviceKey])));
    assert!(!ways(&d, "root").iter().any(|(s, f)| s.contains(&"ssh") && f.contains(&FactorKind::Password)));
    let d = device(&export(&ssh("<permitrootlogin>1</permitrootlogin><passwordauth>1</passwordauth>"), "", ""));
    assert!(ways(&d, "root").iter().any(|(s, f)| s.contains(&"ssh") && f.contains(&FactorKind::Password)));
}

#[test]
fn an_administrator_without_a_shell_does_not_open_ssh() {
    let user = |shell: &str| {
        format!(
            "{ROOT}<user><name>abe</name><uid>2000</uid><password>$2y$11$KANARI</password>{shell}</user><ssh><enabled>enabled</enabled><passwordauth>1</passwordauth></ssh>"
        )
    };
    let d = device(&export(&user(""), "", ""));
    assert_eq!(ways(&d, "abe"), [(vec!["https", "http"], vec![FactorKind::Password])]);
    let d = device(&export(&user("<shell>/bin/sh</shell>"), "", ""));
    assert_eq!(ways(&d, "abe")[0].0, ["https", "http", "ssh"]);
    let d = device(&export(&user("<shell>/sbin/nologin</shell>"), "", ""));
    assert_eq!(ways(&d, "abe")[0].0, ["https", "http"]);
}

#[test]
fn ssh_is_off_without_its_switch() {
    assert!(listener(&device(&export("<ssh><group>admins</group></ssh>", "", "")), "ssh").live.value().value.is_false());
    let text = export("<ssh>\n<enabled>enabled</enabled>\n</ssh>", "", "");
    let d = device(&text);
    assert!(listener(&d, "ssh").live.value().value.is_true());
    assert_eq!(lines(&text, &listener(&d, "ssh").live.own), ["<enabled>enabled</enabled>"]);
}

#[test]
fn pages_can_be_held_to_interfaces() {
    let d = device(&export("<webgui><protocol>https</protocol><interfaces>lan</interfaces></webgui>", "", ""));
    let bound: Vec<_> = listener(&d, "https").bindings.iter().map(|b| b.on.map(|ix| ix.0)).collect();
    assert_eq!(bound, [Some(1)]);
    let d = device(&export("<webgui><protocol>https</protocol><interfaces/></webgui>", "", ""));
    assert_eq!(listener(&d, "https").bindings[0].on, None);
}

#[test]
fn a_part_without_system_does_not_say_where_the_page_listens() {
    let d = device("<opnsense>\n<OPNsense><Firewall><Filter><rules/></Filter></Firewall></OPNsense>\n</opnsense>\n");
    assert!(listener(&d, "https").bindings.iter().all(|b| b.bound.get().is_none()));
}

#[test]
fn the_first_account_has_a_factory_name_and_perhaps_a_factory_password() {
    let stock = ROOT.replace("$2y$11$KANARIKANARI", "$2y$10$YRVoF4SgskIsrXOvOQjGieB9XqHPRra9R7d80B3BZdbY/j21TwBfS");
    assert_eq!(device(&export(&stock, "", "")).accounts.items[0].factory.get(), Some(&Factory::NameAndSecret));
    assert_eq!(device(&export(ROOT, "", "")).accounts.items[0].factory.get(), Some(&Factory::Name));
}

#[test]
fn the_groupname_of_a_user_gives_no_rights() {
    let d = device(&export(&format!("{ROOT}<user><name>x</name><uid>2001</uid><groupname>admins</groupname></user>"), "", ""));
    assert_eq!(d.accounts.items[1].kind, AccountKind::VpnUser);
}

#[test]
fn what_stands_for_a_password_hash_is_never_a_password_in_clear() {
    let d = device(&export(&ROOT.replace("$2y$11$KANARIKANARI", "KANARI-template"), "", ""));
    assert!(matches!(d.secrets.items[0].storage, crate::ir::account::Storage::Hash { .. }));
}

#[test]
fn a_scrambled_password_opens_nothing() {
    let d = device(&export(&ROOT.replace("$2y$11$KANARIKANARI", "*"), "", ""));
    assert!(ways(&d, "root").is_empty());
    assert!(d.secrets.items.is_empty());
}

#[test]
fn the_lockout_can_be_switched_off() {
    let text = export("<no_sshlockout>1</no_sshlockout>", "", "");
    let d = device(&text);
    assert!(d.login_policies.items[0].lockout_on.value.is_false());
    assert_eq!(line(&text, d.login_policies.items[0].lockout_on.origin.spans()[0]), "<no_sshlockout>1</no_sshlockout>");
    assert!(device(&export("", "", "")).login_policies.items[0].lockout_on.value.is_true());
}

#[test]
fn password_rules_and_idle_time_are_read() {
    let rules = "<webgui><session_timeout>0</session_timeout><enable_password_policy_constraints>1</enable_password_policy_constraints><password_policy_length>13</password_policy_length><password_policy_complexity>1</password_policy_complexity><password_policy_duration>90</password_policy_duration></webgui>";
    let p = &device(&export(rules, "", "")).login_policies.items[0];
    assert_eq!((p.idle_s.get(), p.pw_min.get(), p.pw_classes.get()), (Some(&NEVER), Some(&13), Some(&3)));
    assert_eq!(p.pw_max_age.get(), Some(&(90 * 86_400)));
    let p = &device(&export("", "", "")).login_policies.items[0];
    assert_eq!(p.idle_s.get(), Some(&(240 * 60)));
    assert!(p.pw_enforced.value.is_false());
}
