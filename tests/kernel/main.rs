//! The Linux kernel as judge: rule sets are loaded with the real tools in network namespaces of this test's own, real packets are sent
//! through them, and what becomes of each is compared with what sekisho says about it. Reader and evaluator are judged together.
//!
//! Needs root, network namespaces, nft, iptables-restore and python3; says so and is skipped without. `SEKISHO_KERNEL_PACKETS` sets the
//! number of packets, `SEKISHO_KERNEL_FILES` names a folder of further rule sets, `SEKISHO_KERNEL_SEED` the first generated one.

mod generate;
mod generate_nft;
mod network;
mod packets;
mod sets;

use generate::RuleSet;
use network::{Network, OWN, own_addresses, way};
use packets::{Dice, Pool};
use sekisho::analysis::engine::Engine;
use sekisho::analysis::fate::Fate;
use sekisho::analysis::{Context, Settings, Stated, trust};
use sekisho::dialect::{self, Input};
use sekisho::ir::Device;
use sekisho::ir::fact::{Fact, Origin};
use sekisho::ir::interface::{Address, AddressHow, Interface, InterfaceIx, IpNet};
use sekisho::packet::Packet;
use sekisho::source::FileId;
use sets::Sets;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

/// The most packets sent through one rule set, and the number of rule sets that a run of few packets is spread over.
const EACH: usize = 1000;
const SPREAD: usize = 48;
/// Packets of a run where nobody says otherwise.
const FEW: usize = 12_000;

/// Disagreements printed of one rule set.
const SHOWN: usize = 4;

#[derive(Default)]
struct Tally {
    sets: usize,
    kinds: BTreeMap<&'static str, usize>,
    packets: usize,
    accepted: usize,
    undecided: usize,
    in_sets: usize,
    refused_by_tool: Vec<String>,
    disagreements: Vec<(String, String)>,
}

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

/// The device that sekisho reads, with the test network's addresses on the interfaces. Those of interfaces that no rule names are all on
/// the one that stands for them, first those of the interface `first`.
fn device(text: &str, name: &str, names: &[String], first: usize) -> Device {
    let (ix, dialect) = dialect::all().iter().enumerate().find(|(_, d)| d.name() == name).expect("dialect");
    let grammar = dialect::grammar(ix).expect("grammar");
    let tree = dialect::parse(grammar, FileId(0), text, 0..text.len());
    let mut device = dialect::read(*dialect, &Input { tree: &tree, grammar, range: 0..text.len() }).remove(0);
    device.interfaces.iter_mut().for_each(|i| i.addresses.clear());
    let order = std::iter::once(first).chain((0..names.len()).filter(|ix| *ix != first));
    for ix in order.filter(|ix| *ix < names.len()) {
        let place = index_of(&device, &names[ix]);
        device.interfaces[place.0 as usize].addresses.extend(OWN[ix].iter().map(|a| {
            let addr: IpAddr = a.parse().expect("address");
            let net = IpNet::new(addr, if addr.is_ipv6() { 128 } else { 32 });
            Address { net: Fact::known(net, Origin::all([])), how: AddressHow::Static, v6: addr.is_ipv6() }
        }));
    }
    device
}

/// Names of interfaces for the test network: those that the rules name, then others.
fn interfaces(text: &str, name: &str) -> [String; 3] {
    let device = device(text, name, &[], 0);
    let usable =
        |i: &&Interface| !i.name.contains(['*', '+', '/']) && i.name.len() < 16 && !matches!(i.name.as_str(), "any" | "others" | "lo" | "");
    let mut names: Vec<String> = device.interfaces.iter().filter(usable).map(|i| i.name.clone()).take(3).collect();
    for other in ["wan0", "lan0", "dmz0"] {
        if names.len() < 3 && !names.iter().any(|n| n == other) {
            names.push(other.to_owned());
        }
    }
    [names[0].clone(), names[1].clone(), names[2].clone()]
}

/// The index of an interface in the device: itself, the longest beginning of names that stands for it, or what stands for all that no row
/// names.
fn index_of(device: &Device, name: &str) -> InterfaceIx {
    let beginning = |i: &Interface| i.name.strip_suffix('*').filter(|p| name.starts_with(p)).map(str::len);
    let by_beginning = || device.interfaces.iter().enumerate().filter_map(|(ix, i)| Some((beginning(i)?, ix))).max().map(|(_, ix)| ix);
    let ix = device.interface(name).map(|ix| ix.0 as usize).or_else(by_beginning);
    let ix = ix
        .or_else(|| device.interfaces.iter().position(|i| matches!(i.name.as_str(), "any" | "others")))
        .expect("an interface for all others");
    InterfaceIx(ix as u32)
}

fn judge(set: &RuleSet, serial: usize, each: usize, tally: &mut Tally) {
    let names = interfaces(&set.text, set.dialect);
    let network = Network::new(serial, [&names[0], &names[1], &names[2]]).expect("network namespaces");
    if let Err(e) = network.load(set.tool, &set.text) {
        tally.refused_by_tool.push(format!("{}: {}", set.name, e.lines().take(2).collect::<Vec<_>>().join(" ")));
        return;
    }
    let settings = Settings { as_of: "2026-01-01".into(), ..Settings::default() };
    let stated = Stated::default();
    // A network of one device for each interface that packets enter.
    let devices: Vec<[Device; 1]> = (0..names.len()).map(|ix| [device(&set.text, set.dialect, &names, ix)]).collect();
    let bare = |ix: usize| Context { devices: &devices[ix], ix: 0, stated: &stated, settings: &settings, sides: &[] };
    let sides: Vec<_> = (0..names.len()).map(|ix| trust::sides(&bare(ix))).collect();
    let contexts: Vec<Context<'_>> = (0..names.len()).map(|ix| Context { sides: &sides[ix], ..bare(ix) }).collect();
    let engines: Vec<Engine<'_>> = contexts.iter().map(Engine::new).collect();
    let places: Vec<InterfaceIx> = names.iter().map(|n| index_of(&devices[0][0], n)).collect();
    let fate =
        |packet: &Packet| engines[packet.iface as usize].fate(packet, places[packet.iface as usize], |ip| way(ip).map(|ix| places[ix]));
    let packets = draw(set, each, fate);
    let sets: Vec<Sets> = (0..names.len()).map(|ix| Sets::of(&devices[ix][0], places[ix], &places, &settings)).collect();
    let seen = network.send(&packets.iter().map(|(p, _)| *p).collect::<Vec<_>>()).expect("packets");
    tally.sets += 1;
    *tally.kinds.entry(set.kind).or_default() += 1;
    let mut wrong = false;
    for (number, (packet, fate)) in packets.iter().enumerate() {
        let fate = *fate;
        let real = seen.get(&(number as u32)).copied();
        tally.packets += 1;
        let told = sets[packet.iface as usize].judge(packet, real, places[packet.iface as usize], |ip| way(ip).map(|ix| places[ix]));
        tally.in_sets += usize::from(told.is_some());
        if told == Some(false) {
            let what = format!("{packet:?} on {}: not as in the sets, kernel {real:?}", names[packet.iface as usize]);
            tally.disagreements.push((set.name.clone(), what));
            wrong = true;
        }
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
                after.dst == dst && port(&after) == detail && places[out] == egress
            }
            _ => false,
        };
        if !agrees {
            let what = format!("{packet:?} on {}: sekisho {fate:?}, kernel {real:?}", names[packet.iface as usize]);
            tally.disagreements.push((set.name.clone(), what));
            wrong = true;
        }
    }
    if wrong {
        let _ = std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(set.name.replace(' ', "-")), &set.text);
    }
}

/// Packets for a rule set, each the first of a connection of its own, and what sekisho says of each.
fn draw(set: &RuleSet, each: usize, fate: impl Fn(&Packet) -> Fate) -> Vec<(Packet, Fate)> {
    let own = own_addresses();
    let pool = Pool::of(&set.text, &own);
    // The packets of a rule set do not depend on which others are judged in the same run.
    let mut dice = Dice::new(set.name.bytes().fold(77, |n, b| (n ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)));
    let v6 = set.tool[0].starts_with("ip6");
    let both = set.dialect == "nftables";
    // sekisho takes it that who wants an answer sends from where the answer goes; rules may ask for that.
    let honest = set.text.contains("rpfilter") || set.text.contains("fib saddr");
    let mut packets = Vec::new();
    let mut hosts = BTreeSet::new();
    let mut ports = BTreeSet::new();
    while packets.len() < each {
        let draw_v6 = v6 || both && dice.once_in(3);
        let iface = dice.below(3) as u32;
        let Some(packet) = pool.draw(&mut dice, draw_v6, &own, iface) else { continue };
        // Forged sources are tried too, but most packets come from where they say.
        if way(packet.src) != Some(iface as usize) && !dice.once_in(4) {
            continue;
        }
        if honest && way(packet.src) != Some(iface as usize) {
            continue;
        }
        let fate = fate(&packet);
        let detail = match fate {
            Fate::ToBox(after) | Fate::Through(after, _) => after.detail,
            _ => packet.detail,
        };
        // An answer to an earlier packet, or the same once more, would be no first packet: no two have the same ports, either way round and
        // before or after translation. Without ports, connections are told apart by their addresses alone.
        let fresh = if matches!(packet.proto, 47 | 50) {
            hosts.insert((packet.proto, packet.src)) & hosts.insert((packet.proto, packet.dst))
        } else {
            let mut pairs = [packet.detail, detail].map(|d| (packet.proto, packet.sport.min(d), packet.sport.max(d))).to_vec();
            pairs.dedup();
            let fresh = pairs.iter().all(|p| !ports.contains(p));
            ports.extend(pairs);
            fresh
        };
        if fresh {
            packets.push((packet, fate));
        }
    }
    packets
}

/// Rates and lists of the past depend on what was sent before; what is judged here is one packet at a time. Rules that refuse who comes too
/// often, or the first alone, go; of those that let in under a rate, the rate goes.
fn without_memory(text: &str) -> String {
    let forgets = |line: &&str| {
        let counts = ["-m recent", "-m hashlimit", "-m connlimit", " over ", "update @", "add @"].iter().any(|w| line.contains(w));
        let refuses = ["drop", "reject", "-j DROP", "-j REJECT"].iter().any(|w| line.contains(w));
        !(counts || refuses && (line.contains("limit rate") || line.contains("--limit ")))
    };
    let mut out = String::new();
    for line in text.lines().filter(forgets) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut at = 0;
        let mut kept = Vec::new();
        while at < words.len() {
            match &words[at..] {
                ["-m", "limit", ..] => at += 2,
                ["--limit" | "--limit-burst", ..] => at += 2,
                ["limit", "rate", _, "burst", _, "packets", ..] => at += 6,
                ["limit", "rate", ..] => at += 3,
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
fn files(folder: &Path, dialect: &'static str, kind: &'static str) -> Vec<RuleSet> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    let mut sets = Vec::new();
    for path in paths.into_iter().filter(|p| p.extension().is_none_or(|e| e != "expect") && p.is_file()) {
        let (Ok(text), Some(name)) = (std::fs::read_to_string(&path), path.file_name()) else { continue };
        let name = name.to_string_lossy().into_owned();
        if dialect == "nftables" {
            sets.push(RuleSet { name, kind, tool: &["nft", "-f", "-"], dialect, text: without_memory(&text) });
            continue;
        }
        // What both tools printed into one file is loaded by each of them.
        let (v4, v6) = text.split_at(text.find("# Generated by ip6tables").unwrap_or(text.len()));
        for (part, tool) in [(v4, &["iptables-restore"][..]), (v6, &["ip6tables-restore"])] {
            if !part.is_empty() {
                sets.push(RuleSet { name: name.clone(), kind, tool, dialect, text: without_memory(part) });
            }
        }
    }
    sets
}

#[test]
fn the_kernel_agrees_about_every_packet() {
    if let Some(why) = network::missing() {
        // Past what the test harness keeps back of a test that passes.
        let _ = writeln!(std::io::stderr(), "skipped: the kernel cannot be asked here ({why})");
        return;
    }
    let wanted = number("SEKISHO_KERNEL_PACKETS", FEW);
    let first = number("SEKISHO_KERNEL_SEED", 1) as u64;
    let each = (wanted / SPREAD).clamp(1, EACH);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sets = Vec::new();
    for dialect in ["iptables-save", "nftables"] {
        sets.extend(files(&root.join("corpus").join(dialect), dialect, "corpus"));
        if let Ok(folder) = std::env::var("SEKISHO_KERNEL_FILES") {
            sets.extend(files(&Path::new(&folder).join(dialect), dialect, "other files"));
        }
    }
    let mut tally = Tally::default();
    for (serial, set) in sets.into_iter().chain((first..).map(generate::rule_set)).enumerate() {
        if tally.packets >= wanted || tally.refused_by_tool.len() > 20 + tally.sets {
            break;
        }
        judge(&set, serial, each, &mut tally);
    }
    println!(
        "{} packets ({} let through, {} undecided, {} looked up in the sets of `reach`) over {} rule sets, {} disagreements; {} rule sets not taken by the tools",
        tally.packets,
        tally.accepted,
        tally.undecided,
        tally.in_sets,
        tally.sets,
        tally.disagreements.len(),
        tally.refused_by_tool.len()
    );
    tally.kinds.iter().for_each(|(kind, sets)| println!("{sets} rule sets: {kind}"));
    tally.refused_by_tool.iter().for_each(|e| println!("not loaded: {e}"));
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for (set, what) in &tally.disagreements {
        let count = shown.entry(set).or_default();
        *count += 1;
        if *count <= SHOWN {
            println!("{set}: {what}");
        }
    }
    shown.iter().for_each(|(set, count)| println!("{count} disagreements in {set}"));
    assert!(tally.sets > 0 && tally.packets >= wanted.min(each), "the tools took hardly any rule set");
    assert!(tally.disagreements.is_empty(), "{} of {} packets", tally.disagreements.len(), tally.packets);
    assert!(tally.undecided * 5 < tally.packets, "too much is left undecided: {}", tally.undecided);
}
