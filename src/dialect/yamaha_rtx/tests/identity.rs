use super::*;
use crate::dialect::Dialect;
use crate::ir::device::{ExportForm, Precision};
use crate::ir::fact::Strength;

#[test]
fn the_header_names_model_and_release() {
    let d = device("# N1200 Rev.10.01.78 (Mon Mar  2 12:00:00 2020)\nip lan1 address 192.0.2.1/24\n");
    let version = d.identity.version.expect("version");
    assert_eq!((version.text.as_str(), version.parts.as_slice(), version.precision), ("10.01.78", &[10, 1, 78][..], Precision::Exact));
    assert_eq!(d.identity.model.as_deref(), Some("N1200"));
    assert_eq!(d.completeness.form, ExportForm::Full);
}

#[test]
fn a_revision_marker_gives_the_release_but_no_model() {
    let d = device("#14 1 38 0\nip lan1 address 192.0.2.1/24\n");
    assert_eq!(d.identity.version.map(|v| v.text).as_deref(), Some("14.01.38"));
    assert_eq!(d.identity.model, None);
}

#[test]
fn a_later_line_wins_and_no_takes_back() {
    let text = format!("{HEAD}telnetd host any\ntelnetd host none\nsshd service on\nno sshd service\nTELNETD LISTEN 2323\n");
    let d = device(&text);
    let telnet = listener(&d, "telnet");
    assert!(telnet.live.value().value.is_false());
    assert_eq!(lines(&text, &telnet.live.value().origin), ["telnetd host none"]);
    assert_eq!(telnet.ports.get().map(|p| p[0].dst_ports.clone()), Some(vec![(2323, 2323)]), "keywords have no case");
    let ssh = listener(&d, "ssh");
    assert!(ssh.live.own.value.is_false());
    assert_eq!(lines(&text, &ssh.live.own.origin), ["no sshd service"], "the absence is shown where it was made");
}

#[test]
fn resets_at_the_top_are_not_the_final_state() {
    let text = format!(
        "{HEAD}pp disable all\npp select 1\n pppoe use lan2\n pp enable 1\nno tunnel enable all\ntunnel select 1\n ipsec tunnel 1\n tunnel enable 1\ntunnel select 2\n ipsec tunnel 2\n tunnel enable 2\ntunnel disable 2\n"
    );
    let d = device(&text);
    assert!(interface(&d, "pp 1").up.value.is_true());
    assert!(interface(&d, "tunnel 1").up.value.is_true());
    assert_eq!(lines(&text, &interface(&d, "tunnel 2").up.origin), ["tunnel disable 2"]);
}

#[test]
fn on_a_fragment_absence_proves_nothing() {
    let d = device("pp select 1\n ip pp secure filter in 1001 1002\nip filter 1001 pass * * tcp * 443\n");
    assert_eq!(d.completeness.form, ExportForm::Excerpt);
    assert_eq!(listener(&d, "telnet").live.own.value.tri(), None);
    assert!(d.undefined.items.is_empty(), "1002 may be defined in the part that is not here");
    assert!(d.filters[0].incomplete.is_some());
    assert!(d.accounts.items.is_empty());
}

#[test]
fn a_printed_configuration_that_breaks_off_is_an_excerpt_from_there_on() {
    let whole = format!(
        "{HEAD}login password encrypted X\nip route default gateway pp 1\npp select 1\n pppoe use lan2\n ip pp secure filter in 1 2 3\n pp enable 1\nip filter 1 pass * *\n"
    );
    let d = device(&whole);
    assert_eq!(d.completeness.form, ExportForm::Excerpt);
    assert!(d.completeness.gaps.contains_key("listeners") && d.completeness.gaps.contains_key("local_filter"));
    assert!(!d.completeness.gaps.contains_key("accounts"), "what stands before the break is whole");
    let tunnel = "tunnel select 1\n ipsec tunnel 1\n  ipsec sa policy 1 1 esp aes-cbc sha-hmac\n  ipsec ike remote address 1 203.0.113.9\n tunnel enable 1\nip filter 1 pass";
    let cut = device(&whole.replace("ip filter 1 pass", tunnel));
    assert_eq!(cut.tunnels.items[0].starts.get(), None, "`ipsec auto refresh` would stand behind the break");
    let slip = whole.replace("in 1 2 3", "in 1 2").replace("ip filter 1 pass * *\n", "ip filter 1 pass * *\ntelnetd host lan1\n");
    let d = device(&slip);
    assert_eq!(d.completeness.form, ExportForm::Full, "a wrong number in a list is a slip, not a break");
    assert_eq!(d.undefined.items.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["2"]);
}

#[test]
fn unverified_defaults_of_old_trains_are_marked() {
    let new = device(&format!("{HEAD}ip lan1 address 192.168.0.1/24\n"));
    assert_eq!(listener(&new, "telnet").live.own.origin.strength(), Strength::Default);
    let old = device("# RTX1200 Rev.10.01.78 (Mon Mar  2 12:00:00 2020)\nip lan1 address 192.168.0.1/24\n");
    let telnet = &listener(&old, "telnet").live.own;
    assert!(telnet.value.is_true() && telnet.origin.rests_on_unverified_default());
}

#[test]
fn wrapped_lines_are_told_from_statements() {
    let dialect = crate::dialect::list::yamaha_rtx::YamahaRtx;
    for line in ["ip filter 1 pass * *", "no telnetd host", "# RTX830 Rev.15", "PP select 1", "RTX830# show config", "[RTX1210] show"] {
        assert!(dialect.starts_statement(line), "{line}");
    }
    for line in ["6 201027 201099 dynamic 201080", "201032", "ess=00:a0:de:00:00:01", "st=lan1 login-timer=3600"] {
        assert!(!dialect.starts_statement(line), "{line}");
    }
}

#[test]
fn a_hash_ends_a_value_unless_quoted() {
    let text = format!("{HEAD}login password abc#def\nadministrator password \"abc#def\"\n");
    let d = device(&text);
    let values: Vec<&str> = d.secrets.items.iter().map(|s| s.value.expose()).collect();
    assert_eq!(values, ["abc", "abc#def"]);
}
