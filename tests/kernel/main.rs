//! The Linux kernel as judge: rule sets are loaded with the real tools in network namespaces of this test's own, real packets are sent
//! through them, and what becomes of each is compared with what sekisho says about it. Reader and evaluator are judged together.
//!
//! Needs root, network namespaces, nft, iptables-restore and python3; says so and is skipped without. `SEKISHO_KERNEL_PACKETS` sets the
//! number of packets, `SEKISHO_KERNEL_FILES` names a folder of further rule sets, `SEKISHO_KERNEL_SEED` the first generated one.

mod generate;
mod network;
mod packets;

use generate::RuleSet;
use network::{Network, OWN, own_addresses, way};
use packets::{Dice, Pool};
use sekisho::analysis::exposure::Engine;
use sekisho::analysis::fate::Fate;
use sekisho::analysis::{Context, Settings, Stated, trust};
use sekisho::dialect::{self, Input};
use sekisho::ir::Device;
use sekisho::ir::fact::{Fact, Origin};
use sekisho::ir::interface::{Address, AddressHow, Interface, InterfaceIx, IpNet};
use sekisho::packet::Packet;
use sekisho::source::FileId;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Packets sent through each rule set.
const EACH: usize = 1000;
/// Packets of a run where nobody says otherwise.
const FEW: usize = 12_000;

#[derive(Default)]
struct Tally {
    sets: usize,
    packets: usize,
    accepted: usize,
    undecided: usize,
    refused_by_tool: Vec<String>,
    disagreements: Vec<String>,
}

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

/// The device that sekisho reads, with the test network's interfaces in the places of those the rules name.
fn device(text: &str, name: &str, interfaces: &[String]) -> Device {
    let (ix, dialect) = dialect::all().iter().enumerate().find(|(_, d)| d.name() == name).expect("dialect");
    let grammar = dialect::grammar(ix).expect("grammar");
    let tree = dialect::parse(grammar, FileId(0), text, 0..text.len());
    let mut device = dialect::read(*dialect, &Input { tree: &tree, grammar, range: 0..text.len() }).remove(0);
    for interface in &mut device.interfaces {
        let own = interfaces.iter().position(|i| *i == interface.name).map_or(&[][..], |ix| OWN[ix]);
        interface.addresses = own
            .iter()
            .map(|a| {
                let addr: IpAddr = a.parse().expect("address");
                let net = IpNet::new(addr, if addr.is_ipv6() { 128 } else { 32 });
                Address { net: Fact::known(net, Origin::all([])), how: AddressHow::Static, v6: addr.is_ipv6() }
            })
            .collect();
    }
    device
}

/// Names of interfaces for the test network: those that the rules name, then others.
fn interfaces(text: &str, name: &str) -> [String; 3] {
    let device = device(text, name, &[]);
    let usable = |i: &&Interface| !i.name.contains(['*', '+', '/']) && i.name.len() < 16 && !matches!(i.name.as_str(), "any" | "lo" | "");
    let mut names: Vec<String> = device.interfaces.iter().filter(usable).map(|i| i.name.clone()).take(3).collect();
    for other in ["wan0", "lan0", "dmz0"] {
        if names.len() < 3 && !names.iter().any(|n| n == other) {
            names.push(other.to_owned());
        }
    }
    [names[0].clone(), names[1].clone(), names[2].clone()]
}

/// The index of an interface in the device: itself, the pattern that stands for it, or what stands for all that no row names.
fn index_of(device: &Device, name: &str) -> Option<InterfaceIx> {
    let by_pattern = |i: &Interface| i.name.strip_suffix('*').is_some_and(|p| name.starts_with(p));
    device.interface(name).or_else(|| {
        let ix = device.interfaces.iter().position(by_pattern).or_else(|| device.interfaces.iter().position(|i| i.name == "any"))?;
        Some(InterfaceIx(ix as u32))
    })
}

fn judge(set: &RuleSet, serial: usize, tally: &mut Tally) {
    let names = interfaces(&set.text, set.dialect);
    let mut device = device(&set.text, set.dialect, &names);
    // Rules may leave an interface out; packets enter it all the same.
    for name in &names {
        if index_of(&device, name).is_none()
            && let Some(first) = device.interfaces.first().cloned()
        {
            device.interfaces.push(Interface { name: name.clone(), addresses: Vec::new(), signs: Vec::new(), ..first });
        }
    }
    let network = Network::new(serial, [&names[0], &names[1], &names[2]]).expect("network namespaces");
    if let Err(e) = network.load(set.tool, &set.text) {
        tally.refused_by_tool.push(format!("{}: {}", set.name, e.lines().take(2).collect::<Vec<_>>().join(" ")));
        return;
    }
    let own = own_addresses();
    let pool = Pool::of(&set.text, &own);
    let mut dice = Dice::new(serial as u64 + 77);
    let mut packets: Vec<Packet> = Vec::new();
    let mut portless = BTreeSet::new();
    let v6 = set.tool[0].starts_with("ip6");
    let both = set.dialect == "nftables";
    while packets.len() < EACH {
        let draw_v6 = v6 || both && dice.once_in(3);
        let iface = dice.below(3) as u32;
        let Some(packet) = pool.draw(&mut dice, draw_v6, &own, iface) else { continue };
        // Without ports, connections are told apart by their addresses alone: a second one, an answer to the first, or two that translation
        // makes equal would be no first packets.
        if matches!(packet.proto, 47 | 50) && !(portless.insert((packet.proto, packet.src)) & portless.insert((packet.proto, packet.dst))) {
            continue;
        }
        packets.push(packet);
    }
    let seen = network.send(&packets).expect("packets");
    let settings = Settings { stated: Stated::default(), as_of: "2026-01-01".into(), run_key: Arc::new([0; 32]) };
    let stated = Stated::default();
    let devices = [device];
    let sides = trust::sides(&Context { devices: &devices, ix: 0, stated: &stated, settings: &settings, sides: &[] });
    let context = Context { devices: &devices, ix: 0, stated: &stated, settings: &settings, sides: &sides };
    let engine = Engine::new(&context);
    let places: Vec<Option<InterfaceIx>> = names.iter().map(|n| index_of(&devices[0], n)).collect();
    tally.sets += 1;
    for (number, packet) in packets.iter().enumerate() {
        let Some(ingress) = places[packet.iface as usize] else { continue };
        let fate = engine.fate(packet, ingress, |ip| way(ip).and_then(|ix| places[ix]));
        let real = seen.get(&(number as u32)).copied();
        tally.packets += 1;
        tally.accepted += usize::from(real.is_some());
        let port = |p: &Packet| if matches!(p.proto, 6 | 17 | 1 | 58) { p.detail } else { 0 };
        let agrees = match (fate, real) {
            (Fate::Unknown, _) => {
                tally.undecided += 1;
                continue;
            }
            (Fate::Stopped, real) => real.is_none(),
            (Fate::ToBox(after), Some((None, dst, detail))) => after.dst == dst && port(&after) == detail,
            (Fate::Through(after, egress), Some((Some(out), dst, detail))) => {
                after.dst == dst && port(&after) == detail && places[out] == Some(egress)
            }
            _ => false,
        };
        if !agrees {
            tally.disagreements.push(format!("{}: {packet:?} on {}: sekisho {fate:?}, kernel {real:?}", set.name, names[packet.iface as usize]));
        }
    }
}

/// Rates and lists of the past depend on what was sent before; what is judged here is one packet at a time.
fn without_memory(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().filter(|l| !l.contains("-m recent") && !l.contains("-m hashlimit") && !l.contains("-m connlimit")) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut at = 0;
        let mut kept = Vec::new();
        while at < words.len() {
            match &words[at..] {
                ["-m", "limit", ..] => at += 2,
                ["--limit" | "--limit-burst", ..] => at += 2,
                _ => {
                    kept.push(words[at]);
                    at += 1;
                }
            }
        }
        out.push_str(&kept.join(" "));
        out.push('\n');
    }
    out
}

/// The rule sets of a folder, as the tools can load them.
fn files(folder: &Path, dialect: &'static str) -> Vec<RuleSet> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    let usable = paths.into_iter().filter(|p| p.extension().is_none_or(|e| e != "expect") && p.is_file());
    usable
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            let v6 = text.contains("Generated by ip6tables");
            let tool: &[&str] = match (dialect, v6) {
                ("nftables", _) => &["nft", "-f", "-"],
                (_, true) => &["ip6tables-restore"],
                _ => &["iptables-restore"],
            };
            let text = if dialect == "nftables" { text } else { without_memory(&text) };
            Some(RuleSet { name: path.file_name()?.to_string_lossy().into_owned(), tool, dialect, text })
        })
        .collect()
}

#[test]
fn the_kernel_agrees_about_every_packet() {
    if let Some(why) = network::missing() {
        println!("skipped: the kernel cannot be asked here ({why})");
        return;
    }
    let wanted = number("SEKISHO_KERNEL_PACKETS", FEW);
    let first = number("SEKISHO_KERNEL_SEED", 1) as u64;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sets = Vec::new();
    for dialect in ["iptables-save", "nftables"] {
        sets.extend(files(&root.join("corpus").join(dialect), dialect));
        if let Ok(folder) = std::env::var("SEKISHO_KERNEL_FILES") {
            sets.extend(files(&Path::new(&folder).join(dialect), dialect));
        }
    }
    let mut tally = Tally::default();
    for (serial, set) in sets.into_iter().chain((first..).map(generate::rule_set)).enumerate() {
        if tally.packets >= wanted || tally.refused_by_tool.len() > 20 + tally.sets {
            break;
        }
        judge(&set, serial, &mut tally);
    }
    println!(
        "{} packets ({} let through, {} undecided) over {} rule sets, {} disagreements; {} rule sets not taken by the tools",
        tally.packets,
        tally.accepted,
        tally.undecided,
        tally.sets,
        tally.disagreements.len(),
        tally.refused_by_tool.len()
    );
    tally.refused_by_tool.iter().for_each(|e| println!("not loaded: {e}"));
    tally.disagreements.iter().take(40).for_each(|e| println!("{e}"));
    assert!(tally.sets > 0 && tally.packets >= wanted.min(EACH), "the tools took hardly any rule set");
    assert!(tally.disagreements.is_empty(), "{} of {} packets", tally.disagreements.len(), tally.packets);
    assert!(tally.undecided * 10 < tally.packets, "too much is left undecided: {}", tally.undecided);
}
