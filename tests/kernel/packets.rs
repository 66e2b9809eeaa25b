//! Packets as bytes, each with a mark at its end by which it is known again, and the numbers from which they are drawn.

use sekisho::packet::{Packet, service};
use std::net::IpAddr;

/// Random numbers that are the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn one<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

fn sum(mut total: u32, data: &[u8]) -> u32 {
    for pair in data.chunks(2) {
        total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    total
}

fn fold(mut total: u32) -> u16 {
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

/// The Ethernet frame of a first packet (TCP with SYN alone), between two addresses of the link.
pub fn frame(packet: &Packet, number: u32, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
    let mut mark = b"SEKI".to_vec();
    mark.extend(number.to_be_bytes());
    let port = packet.detail.to_be_bytes();
    let sport = packet.sport.to_be_bytes();
    let mut body = match packet.proto {
        6 => {
            let mut b = [&sport[..], &port, &(number | 1).to_be_bytes(), &[0; 4], &[0x50, 0x02, 0x20, 0], &[0; 4]].concat();
            b.extend(&mark);
            b
        }
        17 => [&sport[..], &port, &16u16.to_be_bytes(), &[0; 2], &mark].concat(),
        1 | 58 => [&port[..], &[0; 2], &sport, &(number as u16).to_be_bytes(), &mark].concat(),
        50 => [&number.to_be_bytes()[..], &[0, 0, 0, 1], &mark].concat(),
        _ => [&[0, 0, 0x08, 0][..], &mark].concat(),
    };
    let (family, header) = match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let length = (20 + body.len()) as u16;
            let mut h = [&[0x45, 0][..], &length.to_be_bytes(), &(number as u16).to_be_bytes(), &[0, 0, 64, packet.proto, 0, 0]].concat();
            h.extend(src.octets());
            h.extend(dst.octets());
            let check = fold(sum(0, &h));
            h[10..12].copy_from_slice(&check.to_be_bytes());
            ([0x08, 0x00], h)
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let length = body.len() as u16;
            let mut h = [&[0x60, 0, 0, 0][..], &length.to_be_bytes(), &[packet.proto, 64]].concat();
            h.extend(src.octets());
            h.extend(dst.octets());
            ([0x86, 0xdd], h)
        }
        _ => unreachable!("addresses of one family"),
    };
    let addresses = if packet.src.is_ipv4() { &header[12..] } else { &header[8..] };
    let pseudo = sum(body.len() as u32 + u32::from(packet.proto), addresses);
    let place = match packet.proto {
        6 => Some((16, pseudo)),
        17 => Some((6, pseudo)),
        1 => Some((2, 0)),
        58 => Some((2, pseudo)),
        _ => None,
    };
    if let Some((at, start)) = place {
        let check = match fold(sum(start, &body)) {
            0 if packet.proto == 17 => 0xffff,
            check => check,
        };
        body[at..at + 2].copy_from_slice(&check.to_be_bytes());
    }
    [&to[..], &from, &family, &header, &body].concat()
}

/// Numbers from which packets are drawn: those that the rules name, their neighbours, and some that no rule names.
pub struct Pool {
    pub v4: Vec<IpAddr>,
    pub v6: Vec<IpAddr>,
    pub ports: Vec<u16>,
    pub protocols: Vec<u8>,
}

impl Pool {
    /// Every address and number in a text, with their neighbours.
    pub fn of(text: &str, own: &[IpAddr]) -> Pool {
        let mut pool = Pool { v4: Vec::new(), v6: Vec::new(), ports: Vec::new(), protocols: vec![6, 6, 6, 17, 17, 1, 47, 50] };
        let fixed = ["203.0.113.77", "198.51.100.9", "8.8.4.4", "192.168.1.50", "10.20.30.40", "172.16.5.5"];
        pool.v4.extend(fixed.iter().filter_map(|a| a.parse::<IpAddr>().ok()));
        pool.v6.extend(["2001:db8:9::9", "2001:db8:2::50", "fd00::77"].iter().filter_map(|a| a.parse::<IpAddr>().ok()));
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '/' | '_'))) {
            let (base, prefix) = word.split_once('/').unwrap_or((word, ""));
            let base = base.trim_matches(':');
            if let Ok(IpAddr::V4(ip)) = base.parse() {
                let size = prefix.parse::<u32>().ok().filter(|p| *p > 0).map_or(1u32, |p| 1u32.checked_shl(32 - p).unwrap_or(1));
                let ip = u32::from(ip);
                pool.v4.extend(
                    [ip.wrapping_sub(1), ip, ip.wrapping_add(1), ip.wrapping_add(size - 1), ip.wrapping_add(size)]
                        .map(|n| IpAddr::V4(n.into())),
                );
            } else if let Ok(IpAddr::V6(ip)) = word.split('/').next().unwrap_or("").parse() {
                let ip = u128::from(ip);
                pool.v6.extend([ip.wrapping_sub(1), ip, ip.wrapping_add(1)].map(|n| IpAddr::V6(n.into())));
            } else {
                for part in word.split(':').chain(word.split('-')) {
                    if let Ok(port) = part.parse::<u16>() {
                        pool.ports.extend([port.saturating_sub(1), port, port.saturating_add(1)]);
                    }
                }
            }
        }
        pool.ports.extend([22, 53, 80, 443, 3389, 40000]);
        for ip in own {
            let list = if ip.is_ipv4() { &mut pool.v4 } else { &mut pool.v6 };
            // Packets to the box itself are as frequent as packets through it.
            let times = list.len() / own.len().max(1);
            list.extend(std::iter::repeat_n(*ip, times.max(1)));
        }
        pool
    }

    /// A packet, or none where the draw cannot be sent.
    pub fn draw(&self, dice: &mut Dice, v6: bool, own: &[IpAddr], iface: u32) -> Option<Packet> {
        let list = if v6 { &self.v6 } else { &self.v4 };
        let (src, dst) = (list[dice.below(list.len())], list[dice.below(list.len())]);
        let usable = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => {
                let o = ip.octets();
                !(ip.is_loopback() || ip.is_multicast() || o[0] == 0 || o[0] >= 224 || ip.is_link_local())
            }
            IpAddr::V6(ip) => ip.segments()[0] & 0xe000 == 0x2000 || ip.segments()[0] & 0xfe00 == 0xfc00,
        };
        if own.contains(&src) || !usable(src) || !usable(dst) || src == dst {
            return None;
        }
        let mut proto = self.protocols[dice.below(self.protocols.len())];
        if v6 {
            proto = match proto {
                1 => 58,
                47 | 50 => 6,
                p => p,
            };
        }
        let port = |dice: &mut Dice| self.ports[dice.below(self.ports.len())].max(1);
        let detail = match proto {
            1 => [0x0800, 0x0800, 0x0d00, 0x1100][dice.below(4)],
            58 => 0x8000,
            p if service::has_ports(p) => port(dice),
            _ => 0,
        };
        let sport = if dice.once_in(3) && service::has_ports(proto) { port(dice) } else { 1024 + dice.below(60_000) as u16 };
        Some(Packet { src, dst, proto, sport, detail, iface, state: sekisho::packet::STATE_NEW })
    }
}
