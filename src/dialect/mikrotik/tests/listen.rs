//! What the router answers, its logs, its clock, and who administers it.

use super::*;
use crate::ir::filter::{SvcTerm, TCP};

fn switch(device: &Device, service: &str) -> Option<bool> {
    on(&listener(device, service).live.value())
}

#[test]
fn services_without_a_line_are_as_the_factory_made_them() {
    let d = device(&whole(""));
    for service in ["telnet", "ftp", "http", "ssh", "vendor_management", "api"] {
        assert_eq!(switch(&d, service), Some(true), "{service}");
        assert!(matches!(listener(&d, service).live.own.origin, Origin::Default(_)), "{service}");
    }
    assert_eq!(switch(&d, "https"), Some(false));
}

#[test]
fn lines_of_services_decide_wherever_their_form() {
    let text = whole(
        "/ip service\nset telnet,ftp disabled=yes\nset www address=\"\" disabled=no port=8080\nset [ find name=ssh ] address=192.168.1.0/28,198.51.100.7\ndisable api\nset 6 disabled=yes",
    );
    let d = device(&text);
    assert_eq!((switch(&d, "telnet"), switch(&d, "ftp"), switch(&d, "api")), (Some(false), Some(false), Some(false)));
    assert_eq!(switch(&d, "vendor_management"), Some(false), "the seventh row of the factory");
    let www = listener(&d, "http");
    assert_eq!(www.ports.get(), Some(&vec![SvcTerm::ports(TCP, [(8080, 8080)])]));
    assert!(matches!(www.limits, Limit::None(_)), "an empty list is none");
    assert_eq!(line(&text, &www.live.own.origin), "no");
    match &listener(&d, "ssh").limits {
        Limit::Sources { admits, .. } => assert_eq!(line(&text, &admits.origin), "192.168.1.0/28,198.51.100.7"),
        other => panic!("{other:?}"),
    }
    let last = device(&whole("/ip service\nset telnet disabled=yes disabled=no"));
    assert_eq!(switch(&last, "telnet"), Some(true), "the last of two values counts");
}

#[test]
fn a_resolver_answers_only_if_told_to() {
    assert_eq!(switch(&device(&whole("")), "dns"), Some(false));
    let text = whole("/ip dns\nset allow-remote-requests=yes servers=192.0.2.53");
    let d = device(&text);
    assert_eq!(switch(&d, "dns"), Some(true));
    assert_eq!(listener(&d, "dns").span.map(|s| s.slice(&text)), Some("yes"));
}

#[test]
fn discovery_reaches_the_interfaces_of_its_list() {
    let d = device(&whole("/ip neighbor discovery-settings\nset discover-interface-list=LAN"));
    let bound: Vec<_> = listener(&d, "discovery").bindings.iter().filter_map(|b| b.on).collect();
    assert_eq!(bound, [ix(&d, "lan")]);
    let d = device(&whole("/ip neighbor discovery-settings\nset discover-interface-list=none"));
    assert_eq!(switch(&d, "discovery"), Some(false));
}

#[test]
fn an_added_community_leaves_public_in_force() {
    let d = device(&whole("/snmp community\nadd name=KANARI-x addresses=192.168.1.5/32\n/snmp\nset enabled=yes"));
    let words: Vec<Option<&str>> = d.snmp.iter().map(|s| s.factory_word.as_ref().and_then(|f| f.get()).map(String::as_str)).collect();
    assert_eq!(words, [Some("public"), None]);
    let d = device(&whole(
        "/snmp community\nset [ find default=yes ] disabled=yes\nadd name=KANARI-x security=private\n/snmp\nset enabled=yes",
    ));
    let live: Vec<Option<bool>> = d.snmp.iter().map(|s| on(&s.live)).collect();
    assert_eq!(live, [Some(false), None], "what `security` means for version 2c is not documented");
    assert!(device(&whole("")).snmp.iter().all(|s| on(&s.live) != Some(true)));
}

#[test]
fn logs_leave_the_box_by_an_action_with_an_address() {
    let remote = |lines: &str| {
        let d = device(&whole(lines));
        d.logging.expect("logging").targets.iter().map(|t| on(&t.live)).collect::<Vec<_>>()
    };
    assert_eq!(remote(""), []);
    assert_eq!(remote("/system logging\nadd action=remote topics=info"), [Some(false)], "the factory's action sends nowhere");
    assert_eq!(remote("/system logging action\nset 3 remote=192.0.2.5\n/system logging\nadd action=remote topics=info"), [Some(true)]);
    assert_eq!(
        remote("/system logging action\nset remote remote=192.0.2.5\n/system logging\nadd action=remote disabled=yes"),
        [Some(false)]
    );
    assert_eq!(
        remote("/system logging action\nadd name=host remote=192.0.2.5 target=remote\n/system logging\nset 0 action=host"),
        [Some(true)]
    );
    assert_eq!(remote("/system logging action\nadd name=d target=disk\n/system logging\nadd action=d topics=info"), []);
}

#[test]
fn what_is_logged_depends_on_the_topics_of_live_rules() {
    let logged = |lines: &str| {
        let logging = device(&whole(lines)).logging.expect("logging");
        (on(&logging.on), on(&logging.admin_events), on(&logging.vpn_events))
    };
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(logged(""), (yes, yes, yes));
    assert_eq!(logged("/system logging\nset 0 topics=info,!account"), (yes, no, no));
    assert_eq!(logged("/system logging\nset 0 topics=info,!ppp"), (yes, yes, no));
    assert_eq!(logged("/system logging\nset 0 disabled=yes\nadd topics=l2tp,info"), (yes, no, yes));
    assert_eq!(logged("/system logging\ndisable 0,1,2,3"), (no, no, no));
}

#[test]
fn the_clock_has_a_source_where_a_client_has_servers() {
    let sources = |text: &str| device(text).clock.expect("clock").iter().map(|s| (s.name.clone(), on(&s.live))).collect::<Vec<_>>();
    assert_eq!(
        sources(&whole("/system ntp client\nset enabled=yes\n/system ntp client servers\nadd address=ntp.example.jp")),
        [("ntp.example.jp".to_owned(), Some(true))]
    );
    assert_eq!(
        sources(&older("/system ntp client\nset enabled=yes primary-ntp=192.0.2.1 secondary-ntp=0.0.0.0")),
        [("192.0.2.1".to_owned(), Some(true))]
    );
    assert_eq!(sources(&whole("")), [("/ip cloud".to_owned(), None)], "the vendor's cloud may set it");
    assert_eq!(sources(&whole("/ip cloud\nset update-time=no")), [("/ip cloud".to_owned(), Some(false))]);
}

#[test]
fn users_of_a_script_are_read_and_never_thought_complete() {
    let text =
        "/user add name=hoshu group=full password=KANARI-1\n/user set admin address=192.168.1.0/24\n/ip service set telnet disabled=yes\n";
    let d = device(text);
    let names: Vec<(&str, AccountKind)> = d.accounts.iter().map(|a| (a.name.as_str(), a.kind)).collect();
    assert_eq!(names, [("hoshu", AccountKind::Admin), ("admin", AccountKind::Admin)]);
    assert!(matches!(d.accounts.rest, Rest::MayHoldMore(_)));
    assert!(matches!(d.accounts.items[1].sources, Limit::Sources { .. }));
}

#[test]
fn durations_in_all_their_forms() {
    assert_eq!(seconds("30m"), Some(1800));
    assert_eq!(seconds("1d2h3m4s"), Some(93_784));
    assert_eq!(seconds("00:10:00"), Some(600));
    assert_eq!(seconds("1d00:00:10"), Some(86_410));
    assert_eq!(seconds("300"), Some(300));
    assert_eq!(seconds("none"), Some(crate::ir::record::NEVER));
    assert_eq!(seconds("soon"), None);
    assert_eq!(seconds("99999999999999999999"), None);
}
