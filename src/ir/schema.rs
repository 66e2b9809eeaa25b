//! The typed catalogue of what predicates may mention: kinds of subjects and their fields.
//!
//! This is an interface: rule files (ours and a user's own) are checked against it when they are loaded, `dump` prints
//! by it and the documentation is generated from it. Captions in Japanese and English stand in `texts/schema.toml`.

/// The type of a field. `Word` and `Set` name their closed enumeration; an empty one allows any word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Truth value, three-valued.
    Bool,
    /// Whole number; times in seconds, without end = never.
    Int,
    /// Word of a closed enumeration.
    Word(&'static [&'static str]),
    /// Free text, for messages.
    Text,
    /// Set of words.
    Set(&'static [&'static str]),
}

/// A field of a kind.
#[derive(Clone, Copy, Debug)]
pub struct FieldDef {
    /// Name as predicates write it.
    pub name: &'static str,
    /// Type.
    pub ty: Type,
}

/// A kind of subject.
#[derive(Debug)]
pub struct Kind {
    /// Name as rule files write it.
    pub name: &'static str,
    /// Fields, in the order `dump` prints them.
    pub fields: &'static [FieldDef],
}

impl Kind {
    /// The index of a field.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }
}

/// The kind of that name, `device` included.
pub fn kind(name: &str) -> Option<&'static Kind> {
    if name == DEVICE.name { Some(&DEVICE) } else { KINDS.iter().copied().find(|k| k.name == name) }
}

const fn b(name: &'static str) -> FieldDef {
    FieldDef { name, ty: Type::Bool }
}
const fn n(name: &'static str) -> FieldDef {
    FieldDef { name, ty: Type::Int }
}
const fn t(name: &'static str) -> FieldDef {
    FieldDef { name, ty: Type::Text }
}
const fn w(name: &'static str, words: &'static [&'static str]) -> FieldDef {
    FieldDef { name, ty: Type::Word(words) }
}
const fn set(name: &'static str, words: &'static [&'static str]) -> FieldDef {
    FieldDef { name, ty: Type::Set(words) }
}

/// Sides of an interface. `tunnel` and `remote_access` are what comes out of a VPN.
pub const SIDES: &[&str] = &["untrusted", "trusted", "tunnel", "remote_access"];
/// What kind of network an untrusted side faces.
pub const SIDE_KINDS: &[&str] = &["internet", "closed_network", "partner", "none"];
/// Classes of source sets, least first.
pub const CLASSES: &[&str] = &["none", "restricted", "broad", "any"];
/// What a listener is for.
pub const PLANES: &[&str] = &["management", "vpn", "portal", "infrastructure", "l2"];
/// What answers on a listener.
pub const SERVICES: &[&str] = &[
    "https",
    "http",
    "ssh",
    "telnet",
    "snmp",
    "api",
    "api_tls",
    "netconf",
    "ftp",
    "tftp",
    "sftp",
    "fgfm",
    "vendor_management",
    "ike",
    "esp",
    "ssl_vpn",
    "openvpn",
    "wireguard",
    "l2tp",
    "pptp",
    "sstp",
    "user_portal",
    "captive_portal",
    "vpn_portal",
    "dns",
    "ntp",
    "dhcp",
    "proxy",
    "upnp",
    "ping",
    "discovery",
    "radius_accounting",
    "probe",
    "fabric",
    "push",
    "simple_service",
    "speed_test",
];
/// Address families a record speaks of.
pub const FAMILIES: &[&str] = &["ipv4", "ipv6", "both"];
/// Who uses a secret for what.
pub const SECRET_USES: &[&str] = &[
    "admin_login",
    "privileged_mode",
    "vpn_user",
    "ike_psk",
    "l2tp_psk",
    "wg_psk",
    "private_key",
    "snmp_community",
    "radius",
    "ldap_bind",
    "isp_login",
    "api_key",
    "totp_seed",
    "other",
];
/// How a secret is stored.
pub const STORAGES: &[&str] = &["clear", "masked", "recoverable", "hash", "external", "empty"];
/// The notices' classes of guessable passwords.
pub const LISTED: &[&str] = &["none", "factory", "sequence", "substitution", "keyboard", "name", "dictionary"];
/// How a tunnel lives.
pub const MODES: &[&str] = &["off", "responder", "always", "limited", "on_demand", "sticky"];
/// What a tunnel is for.
pub const ROLES: &[&str] = &["site_to_site", "hub_for_dialin", "client_out", "carrier"];
/// Kinds of VPN.
pub const VPN_KINDS: &[&str] = &[
    "ipsec",
    "wireguard",
    "openvpn",
    "gre",
    "ipip",
    "l2tpv3",
    "etherip",
    "ssl_vpn",
    "ikev2",
    "ikev1_xauth",
    "l2tp_ipsec",
    "l2tp_plain",
    "pptp",
    "sstp",
    "web_portal",
];
/// Names of weak algorithms, as CRY001 words them.
pub const WEAK: &[&str] = &["des", "3des", "md5", "sha1_sign", "sha1_integ", "dh1", "dh2", "dh5", "null", "bf", "static_key"];
/// Abilities a product has or lacks.
pub const CAPABILITIES: &[&str] = &[
    "login_lockout",
    "admin_second_factor",
    "password_policy",
    "per_rule_log",
    "remote_syslog",
    "ntp_client",
    "auto_update",
    "client_certificate",
];
/// Placeholders of remedies that stand for names, beside the texts and words of each kind: an administrator, a VPN user, an IPsec tunnel
/// or whoever holds its shared key, a translation to an inside host, an LDAP server. `interface` is a name for an interface's own record too.
pub const NAMES: &[&str] = &["admin", "user", "tunnel", "forward", "ldap_server", "interface"];
/// Parts of a configuration whose completeness is tracked.
pub const TOPICS: &[&str] = &[
    "interfaces",
    "listeners",
    "local_filter",
    "forward_filter",
    "nat",
    "objects",
    "tunnels",
    "remote_access",
    "accounts",
    "login_policy",
    "secrets",
    "auth_servers",
    "logging",
    "time",
    "snmp",
    "firmware",
    "crypto",
    "services",
    "management_channels",
];

/// The device itself; in scope of every predicate as `device`.
pub static DEVICE: Kind = Kind {
    name: "device",
    fields: &[
        w("role", &["gateway", "server_software", "switch", "manager", "ap"]),
        t("product"),
        set("can", CAPABILITIES),
        w("version_precision", &["exact", "train", "none"]),
        b("any_untrusted"),
        set("complete", TOPICS),
    ],
};

/// Something the box itself answers on, wherever it may be reached from.
pub static LISTENER: Kind = Kind {
    name: "listener",
    fields: &[
        w("plane", PLANES),
        w("service", SERVICES),
        t("ports"),
        b("enabled"),
        b("live"),
        b("live_if_enabled"),
        b("cleartext"),
        b("redirect_only"),
        b("tls_old"),
        b("ssh_v1"),
        b("ssh_weak_only"),
        b("ssh_weak_offered"),
        b("rate_limit"),
        set("dormant", &[]),
    ],
};

/// A listener as seen from one interface: which sources get through.
pub static EXPOSURE: Kind = Kind {
    name: "exposure",
    fields: &[
        w("plane", PLANES),
        w("service", SERVICES),
        t("ports"),
        t("interface"),
        w("side", SIDES),
        w("side_kind", SIDE_KINDS),
        w("family", FAMILIES),
        w("class", CLASSES),
        w("login_class", CLASSES),
        b("latent"),
        b("admits_whole_net"),
        b("cleartext"),
        b("redirect_only"),
        b("live"),
        b("peers_fixed"),
    ],
};

/// A way through the box to an inside host.
pub static FORWARD: Kind = Kind {
    name: "forward",
    fields: &[
        t("interface"),
        w("side_kind", SIDE_KINDS),
        w("family", FAMILIES),
        w("class", CLASSES),
        b("risky"),
        b("all_ports"),
        t("ports"),
        t("inside"),
        b("translated"),
        b("layer7"),
    ],
};

/// An interface, one record for each path and family that may be unfiltered.
pub static INTERFACE: Kind = Kind {
    name: "interface",
    fields: &[
        w("side", SIDES),
        w("kind", &[]),
        b("unfiltered"),
        w("path", &["to_box", "through"]),
        w("family", FAMILIES),
        b("default_forwards"),
    ],
};

/// A row of a traffic filter.
pub static FILTER_RULE: Kind = Kind {
    name: "filter_rule",
    fields: &[
        w("role", &["packet", "to_box_gate", "vpn_exit", "other"]),
        w("verdict", &["accept", "drop", "other"]),
        b("wide"),
        b("from_untrusted"),
        b("to_trusted"),
        b("is_final_deny"),
        w("log", &["none", "session", "security_only"]),
        b("log_possible"),
        b("enabled"),
        b("live"),
        b("shadowed"),
        b("shadow_differs"),
        b("generated"),
        set("dormant", &[]),
    ],
};

/// A destination translation.
pub static NAT_RULE: Kind = Kind { name: "nat_rule", fields: &[w("kind", &[]), b("enabled"), b("live"), b("to_box"), set("dormant", &[])] };

/// A tunnel between sites.
pub static TUNNEL: Kind = Kind {
    name: "tunnel",
    fields: &[
        w("kind", VPN_KINDS),
        w("role", ROLES),
        w("mode", MODES),
        b("live"),
        b("enabled"),
        b("second"),
        set("dormant", &[]),
        b("layer2"),
        b("encrypted"),
        b("peer_any"),
        set("auth", &["group_psk", "client_cert", "password", "none"]),
        b("grants_whole_net"),
        b("grants_any_service"),
        b("accepts_aggressive_psk"),
        b("pfs"),
        b("on_untrusted"),
        t("peer"),
        t("accepted_reason"),
    ],
};

/// A remote-access service for users.
pub static REMOTE_ACCESS: Kind = Kind {
    name: "remote_access",
    fields: &[
        w("kind", VPN_KINDS),
        b("live"),
        w("role", ROLES),
        b("accepts_aggressive_psk"),
        n("idle_s"),
        n("session_s"),
        n("concurrent"),
        b("on_untrusted"),
        b("grants_whole_net"),
        b("grants_any_service"),
    ],
};

/// One way a user gets into a remote-access service.
pub static REMOTE_ACCESS_PATH: Kind = Kind {
    name: "remote_access_path",
    fields: &[
        w("kind", VPN_KINDS),
        b("live"),
        b("second"),
        b("client_cert"),
        b("device_key"),
        b("empty"),
        b("fallback"),
        t("account"),
        w("exposure_class", CLASSES),
    ],
};

/// One way an administrator gets in.
pub static ADMIN_PATH: Kind = Kind {
    name: "admin_path",
    fields: &[
        b("live"),
        b("remote"),
        b("second"),
        b("client_cert"),
        b("empty"),
        b("fallback"),
        t("account"),
        set("services", SERVICES),
        w("exposure_class", CLASSES),
    ],
};

/// Rules for logging in: lockout, timeouts, password rules. A shared policy appears once for each scope.
pub static LOGIN_POLICY: Kind = Kind {
    name: "login_policy",
    fields: &[
        w("scope", &["admin", "vpn"]),
        b("in_use"),
        b("rate_limit"),
        b("lockout_on"),
        n("lockout_attempts"),
        n("idle_s"),
        b("pw_enforced"),
        n("pw_min"),
        n("pw_classes"),
        n("pw_max_age"),
    ],
};

/// An account.
pub static ACCOUNT: Kind = Kind {
    name: "account",
    fields: &[
        w("kind", &["admin", "vpn_user", "api", "snmp_user", "outbound_client", "device_peer", "wildcard"]),
        b("live"),
        b("enabled"),
        w("factory", &["none", "name", "name_and_secret"]),
        b("renamable"),
        b("vendor_like"),
        b("limited_source"),
        b("expires"),
        b("expired"),
        b("used"),
        n("concurrent"),
        b("shared_signs"),
        b("has_secret"),
    ],
};

/// A secret; its value is judged, never shown.
pub static SECRET: Kind = Kind {
    name: "secret",
    fields: &[
        w("use", SECRET_USES),
        w("direction", &["verifies", "presents"]),
        w("storage", STORAGES),
        b("live"),
        n("length"),
        n("classes"),
        n("score"),
        w("listed", LISTED),
        n("tried"),
        b("factory"),
        b("owner_second"),
        b("rotated"),
        b("hash_weak"),
        b("protocol_needs_clear"),
        t("owner"),
    ],
};

/// One secret found in several places.
pub static SECRET_GROUP: Kind =
    Kind { name: "secret_group", fields: &[n("owners"), n("devices"), b("same_use"), b("same_ha"), b("same_tunnel"), t("places")] };

/// A server that checks logins.
pub static AUTH_SERVER: Kind = Kind {
    name: "auth_server",
    fields: &[w("kind", &["radius", "ldap", "tacacs", "saml", "oidc", "other"]), b("tls"), w("path_side", SIDES), b("live")],
};

/// Logging as a whole.
pub static LOGGING: Kind =
    Kind { name: "logging", fields: &[b("on"), n("remote_targets"), b("vpn_events"), b("admin_events"), t("cloud")] };

/// The clock.
pub static CLOCK: Kind = Kind { name: "clock", fields: &[n("sources"), b("host_os")] };

/// One way to read the box over SNMP.
pub static SNMP_ACCESS: Kind = Kind {
    name: "snmp_access",
    fields: &[
        w("version", &["v1", "v2c", "v1_v2c", "v3"]),
        b("live"),
        w("word", &["public", "private", "other"]),
        b("write"),
        w("exposure_class", CLASSES),
    ],
};

/// The firmware and the hardware.
pub static FIRMWARE: Kind = Kind {
    name: "firmware",
    fields: &[
        b("known"),
        w("precision", &["exact", "train", "none"]),
        t("version"),
        w("os_status", &["supported", "near", "superseded", "past"]),
        t("os_date"),
        t("os_source"),
        t("os_as_of"),
        b("auto_update"),
        b("can_update"),
    ],
};

/// A vulnerability of the firmware's product that is known to be exploited.
pub static VULNERABILITY: Kind = Kind {
    name: "vulnerability",
    fields: &[
        b("affected"),
        b("by_hand"),
        w("state", &["reachable", "on", "unknown", "off"]),
        set("features", &[]),
        t("ids"),
        b("ransomware"),
        t("version"),
        t("fixed"),
        t("exploited"),
        t("as_of"),
    ],
};

/// Algorithms a VPN offers or accepts.
pub static PROPOSAL: Kind = Kind {
    name: "proposal",
    fields: &[
        w("use", &["ike", "esp", "ike_and_esp"]),
        b("live"),
        w("side", &["offered", "accepted"]),
        set("weak", WEAK),
        b("pfs"),
        t("tunnel"),
    ],
};

/// A named object that may be unused.
pub static OBJECT: Kind = Kind { name: "object", fields: &[w("kind", &[]), n("uses"), b("builtin")] };

/// A use of a name.
pub static REFERENCE: Kind = Kind {
    name: "reference",
    fields: &[w("kind", &[]), b("defined"), w("effect", &["matches_all", "matches_none", "rule_ignored", "filter_absent"])],
};

/// How much of the export was understood.
pub static COVERAGE: Kind = Kind { name: "coverage", fields: &[n("unrecognised"), t("share"), set("hides", TOPICS)] };

/// All kinds but `device`, in the order of a [`super::record::FactSheet`].
pub static KINDS: &[&Kind] = &[
    &LISTENER,
    &EXPOSURE,
    &FORWARD,
    &INTERFACE,
    &FILTER_RULE,
    &NAT_RULE,
    &TUNNEL,
    &REMOTE_ACCESS,
    &REMOTE_ACCESS_PATH,
    &ADMIN_PATH,
    &LOGIN_POLICY,
    &ACCOUNT,
    &SECRET,
    &SECRET_GROUP,
    &AUTH_SERVER,
    &LOGGING,
    &CLOCK,
    &SNMP_ACCESS,
    &FIRMWARE,
    &VULNERABILITY,
    &PROPOSAL,
    &OBJECT,
    &REFERENCE,
    &COVERAGE,
];
