//! Filters of the size of a large firewall, and the worst ones for lists of products.
//!
//! `shadow` and `accepts` use generated rules: groups of 1 to 20 address ranges and 1 to 6 port ranges, a third of the rows with IPv6, about
//! one row in twenty covered by earlier ones, a last row that drops everything. `worst` uses rows whose differences multiply
//! products; those runs may end at their work bound, and the figure is how long that takes.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sekisho::packet::{AddrSet, Budget, Effort, End, Filter, Intervals, PacketSet, Product, Reach, Row, Verdict, class, service, shadowed};
use std::hint::black_box;
use std::time::Instant;

/// A small generator of numbers, the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// Hosts, networks and ranges; mostly of private space, as in a firewall between networks.
fn group(numbers: &mut Numbers, outside: bool) -> AddrSet {
    let with_v6 = numbers.one_in(3);
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for _ in 0..1 + numbers.below(20) {
        let size = [1, 1, 1, 4, 16, 256, 256, 65_536][numbers.below(8) as usize];
        let base = if outside { (1 + numbers.below(200)) << 24 } else { 10 << 24 } | numbers.below(1 << 24);
        let first = (base / size * size) as u32;
        v4.push((first, first + (size as u32 - 1)));
        if with_v6 {
            let first = 0x2001_0db8_u128 << 96 | u128::from(numbers.below(1 << 24)) << 72;
            v6.push((first, first + (1 << if size == 1 { 0 } else { 64 }) - 1));
        }
    }
    AddrSet { v4: Intervals::from_ranges(v4), v6: Intervals::from_ranges(v6) }
}

fn services(numbers: &mut Numbers) -> Intervals<u32> {
    if numbers.one_in(20) {
        return service::any();
    }
    let protocol = if numbers.one_in(4) { service::UDP } else { service::TCP };
    let ports = (0..1 + numbers.below(6)).map(|_| {
        let known = [22, 25, 53, 80, 123, 389, 443, 445, 1433, 3306, 3389, 8080];
        let first = if numbers.one_in(2) { known[numbers.below(12) as usize] } else { 1024 + numbers.below(60_000) as u16 };
        (first, first + if numbers.one_in(4) { 20 } else { 0 })
    });
    service::ports(protocol, &Intervals::from_ranges(ports))
}

/// The larger half of a set's ranges: a set inside it.
fn part(set: &AddrSet) -> AddrSet {
    let v4 = set.v4.ranges();
    AddrSet { v4: Intervals::from_ranges(v4[v4.len() / 2..].iter().copied()), v6: set.v6.clone() }
}

/// Rows of which about one in twenty lies inside one or two earlier rows; the last drops everything.
fn rules(count: usize) -> Vec<Row> {
    let mut numbers = Numbers(count as u64);
    let groups: Vec<AddrSet> = (0..count / 5).map(|_| group(&mut numbers, false)).collect();
    let mut products: Vec<Product> = Vec::new();
    let mut rows = Vec::with_capacity(count);
    while rows.len() + 1 < count {
        let address = |numbers: &mut Numbers| match numbers.below(40) {
            0 => AddrSet::any(),
            1..8 => groups[numbers.below(groups.len() as u64) as usize].clone(),
            8..12 => group(numbers, true),
            _ => group(numbers, false),
        };
        let product = if numbers.one_in(20) && !products.is_empty() {
            let inside = &products[numbers.below(products.len() as u64) as usize];
            Product { src: part(&inside.src), ..inside.clone() }
        } else {
            Product::new(address(&mut numbers), address(&mut numbers), services(&mut numbers))
        };
        products.push(product.clone());
        rows.push(Row::new(product, if numbers.one_in(3) { Verdict::Drop } else { Verdict::Accept }));
    }
    rows.push(Row::new(Product::any(), Verdict::Drop));
    rows
}

/// Rows that each cover half of every dimension, at random: the remainder of n such rows has of the order of n squared parts and more.
fn halves(count: usize) -> Vec<Row> {
    let mut numbers = Numbers(7);
    let mut half = |limit: u64| {
        let first = numbers.below(limit / 2);
        (first as u32, (first + limit / 2) as u32)
    };
    let mut address = |high: u32| {
        let (first, last) = half(1 << 32);
        AddrSet { v4: Intervals::range(first & !high, last), v6: Intervals::empty() }
    };
    let addresses: Vec<(AddrSet, AddrSet)> = (0..count).map(|_| (address(0), address(0))).collect();
    let mut numbers = Numbers(8);
    let rows = addresses.into_iter().map(|(src, dst)| {
        let first = numbers.below(32_000) as u16;
        let svc = service::ports(service::TCP, &Intervals::range(first, first + 32_000));
        let first = numbers.below(32_000) as u16;
        let product = Product { sport: Intervals::range(first, first + 32_000), ..Product::new(src, dst, svc) };
        Row::new(product, Verdict::Accept)
    });
    rows.collect()
}

/// Rows of thousands of scattered hosts in every dimension.
fn scattered(count: usize) -> Vec<Row> {
    let mut numbers = Numbers(9);
    let mut hosts = || {
        let hosts = (0..4096).map(|_| numbers.below(1 << 32) as u32 & !1);
        AddrSet { v4: Intervals::from_ranges(hosts.map(|host| (host, host))), v6: Intervals::empty() }
    };
    let mut rows: Vec<Row> = (0..count).map(|_| Row::new(Product::new(hosts(), hosts(), service::any()), Verdict::Accept)).collect();
    rows.push(Row::new(Product::any(), Verdict::Drop));
    rows
}

/// Rows of one source host each, all to everywhere, before a row for everything: the longest list of ranges in one piece.
fn hosts(count: u32) -> Vec<Row> {
    let host = |at: u32| AddrSet { v4: Intervals::single(at * 2), v6: Intervals::empty() };
    let mut rows: Vec<Row> =
        (0..count).map(|at| Row::new(Product::new(host(at), AddrSet::any(), service::any()), Verdict::Accept)).collect();
    rows.push(Row::new(Product::any(), Verdict::Drop));
    rows
}

fn summary(name: &str, rows: &[Row]) {
    let start = Instant::now();
    let reaches = shadowed(rows, Effort::default());
    let time = start.elapsed();
    let count = |is: fn(&Reach) -> bool| reaches.iter().filter(|reach| is(reach)).count();
    let covered = count(|reach| matches!(reach, Reach::Covered { .. }));
    let unknown = count(|reach| matches!(reach, Reach::Unknown));
    println!("{name}: {} rows, {covered} covered, {unknown} unknown, {time:.1?}", rows.len());
}

fn shadow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shadow");
    group.sample_size(10);
    for count in [1_000, 10_000] {
        let rows = rules(count);
        summary("generated", &rows);
        group.bench_function(format!("{count}"), |bencher| bencher.iter(|| shadowed(black_box(&rows), Effort::default())));
    }
    for (name, rows) in [("halves", halves(1_000)), ("scattered", scattered(300)), ("hosts", hosts(10_000))] {
        summary(name, &rows);
        group.bench_function(format!("worst/{name}"), |bencher| bencher.iter(|| shadowed(black_box(&rows), Effort::default())));
    }
    group.finish();
}

fn accepts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("accepts");
    group.sample_size(10);
    let address = AddrSet { v4: Intervals::single(10 << 24 | 1), v6: Intervals::empty() };
    let to_box = PacketSet::from(Product::new(class::public(), address, service::port(service::TCP, 443)));
    let through = PacketSet::from(Product::new(class::public(), AddrSet::any(), service::any()));
    let mut run = |name: String, filter: &Filter, universe: &PacketSet| {
        let mut budget = Budget::default();
        let start = Instant::now();
        let result = filter.accepts(universe, &mut budget).map(|bounds| bounds.hi.products().len());
        let time = start.elapsed();
        println!("{name}: {result:?} products, {} of {} units left, {time:.1?}", budget.left(), Budget::default().left());
        group.bench_function(name, |bencher| {
            bencher.iter_batched(Budget::default, |mut budget| filter.accepts(black_box(universe), &mut budget), BatchSize::PerIteration);
        });
    };
    for count in [1_000, 10_000] {
        let filter = Filter::of(rules(count), End::Drop);
        run(format!("to_box/{count}"), &filter, &to_box);
        run(format!("through/{count}"), &filter, &through);
        run(format!("everything/{count}"), &filter, &PacketSet::any());
    }
    run("worst/halves".into(), &Filter::of(halves(1_000), End::Drop), &PacketSet::any());
    run("worst/scattered".into(), &Filter::of(scattered(300), End::Drop), &PacketSet::any());
    group.finish();
}

criterion_group!(benches, shadow, accepts);
criterion_main!(benches);
