use super::*;
use crate::ir::account::{AccountKind, Factory, SecretUse, Storage};
use crate::ir::filter::{AddrExpr, Family};
use crate::ir::listener::Limit;
use crate::ir::record::NEVER;
use crate::ir::system::SnmpVersion;
use crate::ir::tunnel::FactorKind;

#[test]
fn telnet_is_on_for_everybody_unless_a_line_says_otherwise() {
    let text = format!("{HEAD}ip lan1 address 192.168.1.1/24\n");
    let d = device(&text);
    let telnet = listener(&d, "telnet");
    assert!(telnet.live.value().value.is_true() && matches!(telnet.limits, Limit::None(_)) && telnet.cleartext.value.is_true());
    assert_eq!(
        telnet.bindings.iter().map(|b| (b.family, b.bound.value.tri())).collect::<Vec<_>>(),
        [(Family::V4, Some(true)), (Family::V6, None)]
    );
}

#[test]
fn an_interface_in_a_host_list_is_a_test_of_sources() {
    let text = format!(
        "{HEAD}ip lan1 address 192.168.1.1/24\nip lan2 address 198.51.100.2/29\nsshd service on\nsshd host lan2 192.168.1.5-192.168.1.9\nsshd host key generate KANARI\nhttpd host lan\n"
    );
    let d = device(&text);
    let Limit::Sources { admits, .. } = &listener(&d, "ssh").limits else { panic!("limit") };
    assert!(
        matches!(admits.get(), Some(AddrExpr::Union(v)) if matches!(v[0], AddrExpr::InterfaceNet(ix) if Some(ix) == d.interface("lan2")))
    );
    let Limit::Sources { admits, .. } = &listener(&d, "http").limits else { panic!("limit") };
    let Some(AddrExpr::Union(parts)) = admits.get() else { panic!("lan") };
    assert!(matches!(parts[0], AddrExpr::LanNets));
    assert!(
        matches!(parts[1], AddrExpr::InterfaceNet(ix) if Some(ix) == d.interface("lan2")),
        "neighbours on a LAN port that faces out are `lan` too"
    );
}

#[test]
fn sftp_needs_ssh_and_ssh_has_its_keys_whether_they_are_shown_or_not() {
    let off = device(&format!("{HEAD}sftpd host any\n"));
    assert!(listener(&off, "ssh").live.value().value.is_false());
    assert!(listener(&off, "sftp").live.value().value.is_false());
    let left_out = device(&format!("{HEAD}sshd service on\nsftpd host any\n"));
    assert!(listener(&left_out, "sftp").live.value().value.is_true());
    let with =
        device(&format!("{HEAD}sshd service on\nsftpd host any\nsshd host key generate *\nsshd encrypt algorithm aes128-cbc,3des-cbc\n"));
    assert!(listener(&with, "sftp").live.value().value.is_true());
    let ssh = listener(&with, "ssh").ssh.as_ref().expect("ssh");
    assert!(ssh.weak_only.value.is_true() && ssh.v1.value.is_false());
}

#[test]
fn models_without_a_gui_have_none_and_class_three_is_serial_only() {
    let d = device("# RTX3500 Rev.14.00.34 (x)\nip lan1 address 192.168.1.1/24\nsecurity class 3 on\n");
    assert!(!d.listeners.iter().any(|l| l.service == "http"));
    assert!(listener(&d, "telnet").live.value().value.is_false());
    let gui = device(&format!("{HEAD}ip lan1 address 192.168.1.1/24\nsecurity class 3 on\n"));
    assert!(listener(&gui, "http").live.value().value.is_true(), "the GUI is not governed by the class");
}

#[test]
fn stealth_hides_the_named_interfaces_from_ping() {
    let d = device(&format!(
        "{HEAD}ip stealth lan2 pp 1\nip lan1 address 192.168.1.1/24\nip lan2 address dhcp\npp select 1\n pppoe use lan3\n pp enable 1\n"
    ));
    let ping = listener(&d, "ping");
    let answers =
        |name: &str| ping.bindings.iter().find(|b| b.on == d.interface(name) && b.family == Family::V4).map(|b| b.bound.value.tri());
    assert_eq!((answers("lan1"), answers("lan2"), answers("pp 1")), (Some(Some(true)), Some(Some(false)), Some(Some(false))));
}

#[test]
fn snmp_lives_where_somebody_is_admitted() {
    let none = device(&format!("{HEAD}ip lan1 address 192.168.1.1/24\nsnmp community read-only KANARI\n"));
    assert!(listener(&none, "snmp").live.value().value.is_false() && none.snmp.items.is_empty());
    let text = format!(
        "{HEAD}snmp host 192.168.1.5\nsnmpv2c host any KANARIro KANARIrw\nsnmpv3 host 192.168.1.6 user 1\nsnmpv3 usm user 1 kanshi sha KANARIauth aes128-cfb KANARIpriv\n"
    );
    let d = device(&text);
    let seen: Vec<_> =
        d.snmp.iter().map(|s| (s.version, s.write.value.tri(), s.factory_word.as_ref().and_then(|w| w.get().cloned()))).collect();
    assert_eq!(
        seen,
        [
            (SnmpVersion::V1, Some(false), Some("public".to_owned())),
            (SnmpVersion::V2c, Some(false), None),
            (SnmpVersion::V2c, Some(true), None),
            (SnmpVersion::V3, Some(false), None)
        ]
    );
    assert_eq!(d.listeners.iter().filter(|l| l.service == "snmp").count(), 3);
    assert_eq!(d.secrets.iter().filter(|s| s.used_for == SecretUse::Other).count(), 2, "both keys of the v3 user");
}

#[test]
fn a_whole_export_without_passwords_has_none() {
    let d = device(&format!("{HEAD}ip lan1 address 192.168.1.1/24\n"));
    let nameless = &d.accounts.items[0];
    assert_eq!((nameless.name.as_str(), nameless.factory.get()), ("", Some(&Factory::NameAndSecret)));
    assert!(nameless.live.value().value.is_true() && nameless.renamable.value.is_false());
    assert!(d.admin_paths.items[0].factors.is_empty());
    let empty: Vec<_> = d.secrets.iter().filter(|s| matches!(s.storage, Storage::Empty)).map(|s| s.used_for).collect();
    assert_eq!(empty, [SecretUse::AdminLogin, SecretUse::PrivilegedMode]);
}

#[test]
fn newer_models_know_no_nameless_user() {
    let d = device("# RTX1300 Rev.23.00.17 (x)\nlogin user admin *\nuser attribute admin administrator=2\nlogin timer clear\n");
    assert_eq!(
        d.accounts.iter().map(|a| (a.name.as_str(), a.factory.get().copied())).collect::<Vec<_>>(),
        [("admin", Some(Factory::Name))]
    );
    assert!(matches!(d.secrets.items[0].storage, Storage::Masked));
    assert!(!d.secrets.iter().any(|s| s.used_for == SecretUse::PrivilegedMode));
    assert_eq!(d.login_policies.items[0].idle_s.get(), Some(&300), "`clear` does not hold for network sessions");
}

#[test]
fn attributes_limit_ways_sources_and_timers() {
    let text = format!(
        "{HEAD}login password encrypted KANARI0\nadministrator password KANARI1\nlogin user kanri encrypted KANARI2\nlogin user hoshu KANARI3\nuser attribute administrator=off connection=off\nuser attribute kanri connection=ssh,http host=192.168.1.9 login-timer=3600\nuser attribute * multi-session=off\nsshd auth method publickey\n"
    );
    let d = device(&text);
    assert!(d.accounts.items[0].live.value().value.is_false(), "the nameless user is switched off");
    let kanri = &d.accounts.items[1];
    assert!(matches!(&kanri.sources, Limit::Sources { admits, .. } if matches!(admits.get(), Some(AddrExpr::Union(v)) if v.len() == 1)));
    assert_eq!(kanri.concurrent.get(), Some(&1), "`*` holds where the name's own line is silent");
    let paths: Vec<_> = d.admin_paths.iter().filter(|p| p.principal == "kanri").map(|p| (p.listeners.len(), p.factors[0].kind)).collect();
    assert_eq!(
        paths,
        [(1, FactorKind::DeviceKey), (1, FactorKind::Password)],
        "SSH by key is a way of its own; the GUI asks for the password"
    );
    let policies: Vec<_> = d.login_policies.iter().map(|p| (p.name.as_str(), p.in_use.value.tri(), p.idle_s.get().copied())).collect();
    assert_eq!(policies, [("", Some(true), Some(300)), ("kanri", Some(true), Some(3600))], "hoshu has no timer of his own");
    assert_eq!(
        lines(&text, &d.login_policies.items[1].idle_s.origin),
        ["user attribute kanri connection=ssh,http host=192.168.1.9 login-timer=3600"]
    );
    let stored: Vec<_> = d.secrets.iter().map(|s| std::mem::discriminant(&s.storage)).collect();
    let expected = [Storage::Opaque, Storage::Opaque, Storage::Clear, Storage::Clear].map(|s| std::mem::discriminant(&s));
    assert_eq!(stored, expected, "encrypted, encrypted, clear, clear");
}

#[test]
fn logs_clock_and_updates() {
    let text = format!(
        "{HEAD}syslog host 192.168.1.5 192.168.1.6\nschedule at 1 */* 03:00 * ntpdate ntp.example.jp\nschedule at 2 */mon 09:00:00 tunnel 1 tunnel enable 1\nhttp revision-up schedule weekly sun 03:00 04:00\n"
    );
    let d = device(&text);
    let logging = d.logging.expect("logging");
    assert_eq!(
        logging.targets.iter().map(|t| (t.name.as_str(), t.live.value.tri())).collect::<Vec<_>>(),
        [("192.168.1.5", Some(true)), ("192.168.1.6", Some(true))]
    );
    assert_eq!(d.clock.expect("clock").items.iter().map(|t| t.name.clone()).collect::<Vec<_>>(), ["ntp.example.jp"]);
    assert!(d.update.expect("update").on.value.is_true());
    let silent = device(&format!("{HEAD}syslog host 192.168.1.5\nsyslog info off\n"));
    assert!(silent.logging.expect("logging").targets.items[0].live.value.is_false());
}

#[test]
fn a_wildcard_and_a_server_are_accounts_nobody_listed() {
    let d = device(&format!("{HEAD}login radius use on\nradius auth server 192.168.1.5\nradius secret KANARI\n"));
    assert!(d.accounts.iter().any(|a| a.kind == AccountKind::Wildcard && a.second.value.tri().is_none()));
    assert!(d.auth_servers.items[0].live.value().value.is_true());
    assert!(d.accounts.items[0].concurrent.get() == Some(&NEVER));
}
