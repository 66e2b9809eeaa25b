//! A firewall and its neighbours as two network namespaces of this process alone, made for one rule set and removed afterwards.

use super::packets;
use sekisho::packet::Packet;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::process::{Command, Stdio};

/// Which interfaces the firewall has; the first faces everything that no other does.
pub struct Network {
    firewall: String,
    peer: String,
    pub interfaces: Vec<String>,
}

/// Own addresses of the firewall, by interface.
pub const OWN: [&[&str]; 3] = [&["203.0.113.1", "2001:db8:1::1"], &["192.168.1.1", "2001:db8:2::1"], &["10.0.0.1", "fd00::1"]];

/// Networks behind the second and third interface.
const BEHIND: [&[&str]; 3] = [&[], &["192.168.0.0/16", "2001:db8:2::/48"], &["10.0.0.0/8", "172.16.0.0/12", "fd00::/8"]];

/// Where a packet came out (`None`: the firewall itself), with its destination and port or type then.
pub type Seen = (Option<usize>, IpAddr, u16);

pub fn own_addresses() -> Vec<IpAddr> {
    OWN.iter().copied().flatten().filter_map(|a| a.parse().ok()).collect()
}

/// Index of the interface by which an address is reached; `None` for the firewall's own.
pub fn way(ip: IpAddr) -> Option<usize> {
    if own_addresses().contains(&ip) {
        return None;
    }
    let inside = |net: &str| {
        let (base, length) = net.split_once('/')?;
        Some(sekisho::ir::interface::IpNet::new(base.parse().ok()?, length.parse().ok()?).contains(ip))
    };
    Some(BEHIND.iter().position(|nets| nets.iter().any(|n| inside(n) == Some(true))).unwrap_or(0))
}

fn run(program: &str, arguments: &[&str], input: Option<&str>) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{program}: {e}"))?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(text.as_bytes()).map_err(|e| format!("{program}: {e}"))?;
    }
    let out = child.wait_with_output().map_err(|e| format!("{program}: {e}"))?;
    if out.status.success() {
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    } else {
        Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&out.stderr).trim()))
    }
}

/// Why the kernel cannot be asked here, if it cannot.
pub fn missing() -> Option<String> {
    for (program, arguments) in [
        ("nft", &["--version"][..]),
        ("iptables-restore", &["--version"]),
        ("ip6tables-restore", &["--version"]),
        ("python3", &["--version"]),
    ] {
        if let Err(e) = run(program, arguments, None) {
            return Some(e);
        }
    }
    let probe = format!("sekisho_{}_probe", std::process::id());
    let made = run("ip", &["netns", "add", &probe], None)
        .and_then(|_| run("ip", &["netns", "exec", &probe, "nft", "add table inet probe"], None))
        .and_then(|_| run("ip", &["-n", &probe, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"], None));
    let _ = run("ip", &["netns", "del", &probe], None);
    made.err()
}

fn mac(side: u8, ix: usize) -> ([u8; 6], String) {
    let bytes = [2, 0, 0, 0, side, ix as u8];
    (bytes, bytes.map(|b| format!("{b:02x}")).join(":"))
}

impl Network {
    /// Makes both namespaces.
    pub fn new(serial: usize, interfaces: [&str; 3]) -> Result<Network, String> {
        let name = |what: &str| format!("sekisho_{}_{serial}_{what}", std::process::id());
        let network = Network { firewall: name("f"), peer: name("p"), interfaces: interfaces.iter().map(|i| (*i).to_owned()).collect() };
        run("ip", &["netns", "add", &network.firewall], None)?;
        run("ip", &["netns", "add", &network.peer], None)?;
        let mut links = String::new();
        for (ix, interface) in interfaces.iter().enumerate() {
            let (f, p) = (&network.firewall, &network.peer);
            links.push_str(&format!(
                "link add name {interface} netns {f} address {} type veth peer name p{ix} netns {p} address {}\n",
                mac(1, ix).1,
                mac(2, ix).1
            ));
        }
        run("ip", &["-batch", "-"], Some(&links))?;
        let mut inside = String::from("link set lo up\n");
        for (ix, interface) in interfaces.iter().enumerate() {
            inside.push_str(&format!("link set {interface} up\n"));
            let peer = mac(2, ix).1;
            for own in OWN[ix] {
                let v6 = own.contains(':');
                let length = if v6 { "128 nodad" } else { "32" };
                inside.push_str(&format!("addr add {own}/{length} dev {interface}\n"));
                let gateway = if v6 { format!("fe80::{}", ix + 1) } else { format!("169.254.{ix}.1") };
                inside.push_str(&format!("neigh add {gateway} lladdr {peer} nud permanent dev {interface}\n"));
                let default = if v6 { "::/0" } else { "0.0.0.0/0" };
                let nets = if ix == 0 { vec![default] } else { BEHIND[ix].iter().copied().filter(|n| n.contains(':') == v6).collect() };
                for net in nets {
                    inside.push_str(&format!("route add {net} via {gateway} dev {interface} onlink\n"));
                }
            }
        }
        // An address of the box itself would else be reached through the network around it.
        network.ip(&network.firewall, &inside)?;
        let mut outside = String::new();
        (0..interfaces.len()).for_each(|ix| outside.push_str(&format!("link set p{ix} up\n")));
        network.ip(&network.peer, &outside)?;
        let settings = [
            "net.ipv4.ip_forward=1",
            "net.ipv6.conf.all.forwarding=1",
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.default.rp_filter=0",
            "net.ipv4.conf.all.send_redirects=0",
        ];
        for setting in settings {
            network.inside(&["sysctl", "-qw", setting], None)?;
        }
        for interface in interfaces {
            let (key, value) = (format!("/proc/sys/net/ipv4/conf/{interface}/rp_filter"), "0");
            let _ = network.inside(&["sh", "-c", &format!("echo {value} > '{key}'")], None);
        }
        Ok(network)
    }

    fn ip(&self, namespace: &str, batch: &str) -> Result<String, String> {
        run("ip", &["-n", namespace, "-batch", "-"], Some(batch))
    }

    fn inside(&self, command: &[&str], input: Option<&str>) -> Result<String, String> {
        let mut arguments = vec!["netns", "exec", self.firewall.as_str()];
        arguments.extend(command);
        run("ip", &arguments, input)
    }

    /// Loads a rule set with the real tool.
    pub fn load(&self, tool: &[&str], text: &str) -> Result<(), String> {
        self.inside(tool, Some(text))?;
        // The firewall's own answers must not come back into its connection table.
        let quiet = "table inet sekisho_quiet { chain output { type filter hook output priority -2147483648; policy drop;\n}\n}\n";
        self.inside(&["nft", "-f", "-"], Some(quiet)).map(|_| ())
    }

    /// Sends packets and says where each came out, with its destination and port then.
    pub fn send(&self, packets: &[Packet]) -> Result<BTreeMap<u32, Seen>, String> {
        let mut input = String::new();
        for (number, packet) in packets.iter().enumerate() {
            let ix = packet.iface as usize;
            let bytes = packets::frame(packet, number as u32, mac(2, ix).0, mac(1, ix).0);
            input.push_str(&format!("{ix} "));
            bytes.iter().for_each(|b| input.push_str(&format!("{b:02x}")));
            input.push('\n');
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernel/judge.py");
        let mut arguments = vec![script, &self.peer, &self.firewall];
        let peers: Vec<String> = (0..self.interfaces.len()).map(|ix| format!("p{ix}")).collect();
        arguments.extend(peers.iter().map(String::as_str));
        let out = run("python3", &arguments, Some(&input))?;
        let mut seen = BTreeMap::new();
        for line in out.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [number, place, target, detail] = words[..] else { return Err(format!("judge: {line}")) };
            let parsed = (number.parse().ok(), target.parse().ok(), detail.parse().ok());
            let (Some(number), Some(target), Some(detail)) = parsed else { return Err(format!("judge: {line}")) };
            seen.insert(number, (place.parse().ok(), target, detail));
        }
        Ok(seen)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in [&self.firewall, &self.peer] {
            let _ = run("ip", &["netns", "del", name], None);
        }
    }
}
