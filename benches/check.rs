//! How fast exports are read and judged, beside `grep -c` of one literal over the same bytes.
//!
//! `cargo bench --bench check`. The inputs are made here, in the proportions of real exports; see `docs/benchmarks.md`.

#[path = "../tests/common/mod.rs"]
mod common;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sekisho::analysis::Stated;
use sekisho::finding::Lang;
use sekisho::fleet::run::{self, Input, Options};
use sekisho::source::FileId;
use std::fmt::Write;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

/// A large nested-block export: interfaces, objects, policies, and the bulk that real exports carry (messages, signatures).
fn block_export(policies: usize, bulk: usize) -> String {
    let mut out = String::from(
        "#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=admin\n#conf_file_ver=1\n#buildno=2795\n#global_vdom=1\n",
    );
    out.push_str("config system global\n    set admintimeout 15\n    set hostname \"bench\"\nend\nconfig system interface\n");
    for n in 1..=20 {
        let _ = write!(
            out,
            "    edit \"port{n}\"\n        set vdom \"root\"\n        set ip 10.{n}.0.1 255.255.255.0\n        set allowaccess ping https\n        set role lan\n    next\n"
        );
    }
    out.push_str(
        "    edit \"wan1\"\n        set vdom \"root\"\n        set ip 203.0.113.2 255.255.255.0\n        set role wan\n    next\nend\n",
    );
    out.push_str("config system admin\n    edit \"netadm\"\n        set trusthost1 10.1.0.0 255.255.255.0\n        set accprofile \"super_admin\"\n        set vdom \"root\"\n    next\nend\n");
    out.push_str("config firewall address\n");
    for n in 0..policies {
        let _ = write!(
            out,
            "    edit \"host-{n}\"\n        set uuid 11111111-2222-51e9-aaaa-{n:012}\n        set subnet 10.{}.{}.{} 255.255.255.255\n    next\n",
            n % 20 + 1,
            n / 250 % 250,
            n % 250 + 1
        );
    }
    out.push_str("end\nconfig system replacemsg http \"page\"\n");
    for n in 0..bulk {
        let _ = write!(out, "    set header-{n} \"text of a page that a user may see, line {n}\"\n    set format html\n");
    }
    out.push_str("end\nconfig firewall policy\n");
    for n in 0..policies {
        let _ = write!(
            out,
            "    edit {}\n        set name \"rule-{n}\"\n        set uuid 22222222-3333-51e9-bbbb-{n:012}\n        set srcintf \"port{}\"\n        set dstintf \"port{}\"\n        set action accept\n        set srcaddr \"host-{n}\"\n        set dstaddr \"host-{}\" \"host-{}\"\n        set schedule \"always\"\n        set service \"HTTPS\" \"SSH\"\n        set logtraffic all\n    next\n",
            n + 1,
            n % 20 + 1,
            (n + 7) % 20 + 1,
            (n * 7 + 1) % policies,
            (n * 13 + 2) % policies
        );
    }
    out.push_str("end\n");
    out
}

/// A command-line export of a small router, `size` times its tunnels and filters.
fn command_export(size: usize) -> String {
    let mut out = String::from(
        "# RTX830 Rev.15.02.31 (Fri Sep  1 10:00:00 2023)\nip route default gateway pp 1\nip lan1 address 192.168.100.1/24\nprovider type isdn-terminal\npp select 1\n pp always-on on\n pppoe use lan2\n pp auth accept pap chap\n ip pp secure filter in 200003 200099\n ip pp nat descriptor 1000\n pp enable 1\n",
    );
    for n in 1..=size {
        let _ = write!(
            out,
            "tunnel select {n}\n ipsec tunnel {n}\n  ipsec sa policy {n} {n} esp aes256-cbc sha256-hmac\n  ipsec ike encryption {n} aes256-cbc\n  ipsec ike group {n} modp2048\n  ipsec ike hash {n} sha256\n  ipsec ike keepalive use {n} on dpd 10 3\n  ipsec ike remote address {n} 198.51.100.{}\n ip tunnel tcp mss limit auto\n tunnel enable {n}\n",
            n % 250 + 1
        );
        let _ =
            write!(out, "ip filter {} reject 192.168.{}.0/24 * * * *\nip filter dynamic {} * * www\n", 200_100 + n, n % 250, 200_100 + n);
    }
    out.push_str("ip filter 200003 reject 192.168.100.0/24 * * * *\nip filter 200099 pass * * * * *\nnat descriptor type 1000 masquerade\nsyslog notice on\n");
    out
}

fn options<'a>(stated: &'a (dyn Fn(&str) -> (Stated, Option<String>) + Sync)) -> Options<'a> {
    Options {
        lang: Lang::Ja,
        as_of: common::AS_OF.to_owned(),
        dialect: None,
        rules: sekisho::rule::builtin(),
        data: sekisho::rule::vulnerability::Knowledge::builtin(),
        run_key: Arc::new([7; 32]),
        hash_budget: 0,
        excerpts: false,
        stated,
    }
}

/// The longest export of a dialect's corpus, over and over: what a parser meets there, at a size that can be measured.
fn long_export(dialect: &str) -> String {
    let folder = common::root().join("corpus").join(dialect);
    let texts = common::corpus().into_iter().filter(|p| p.starts_with(&folder)).filter_map(|p| std::fs::read_to_string(p).ok());
    let longest = texts.max_by_key(String::len).expect("corpus");
    longest.repeat(1_000_000 / longest.len() + 1)
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    let made = [("block", "fortios", block_export(4_000, 40_000)), ("command-lines", "yamaha-rtx", command_export(6_000))];
    let corpus = sekisho::dialect::all().iter().map(|d| (d.name(), d.name(), long_export(d.name())));
    for (name, dialect, text) in made.into_iter().chain(corpus) {
        let ix = sekisho::dialect::all().iter().position(|d| d.name() == dialect).expect("dialect");
        let grammar = sekisho::dialect::grammar(ix).expect("grammar");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &text, |b, text| {
            b.iter(|| black_box(sekisho::dialect::parse(grammar, FileId(0), text, 0..text.len())).statements().count())
        });
    }
    group.finish();
}

/// The whole of `check` on one core, and `grep -c` of a literal over the same bytes.
fn whole(c: &mut Criterion) {
    let text = block_export(5_000, 60_000);
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), &text).expect("written");
    let stated = |_: &str| (Stated::default(), None);
    let options = options(&stated);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let mut group = c.benchmark_group("whole");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("check", |b| {
        b.iter(|| {
            let path = file.path().to_path_buf();
            let input = Input { name: "bench.conf".to_owned(), named: true, read: Box::new(move || std::fs::read(&path)) };
            pool.install(|| black_box(run::check(&[input], &options)).files.len())
        })
    });
    group.bench_function("grep -c", |b| {
        b.iter(|| black_box(Command::new("grep").args(["-c", "set service"]).arg(file.path()).output().expect("grep")).stdout.len())
    });
    group.finish();
}

fn thousand(c: &mut Criterion) {
    let small = command_export(4);
    let stated = |_: &str| (Stated::default(), None);
    let options = options(&stated);
    let mut group = c.benchmark_group("thousand");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1_000));
    group.bench_function(format!("1000 files of {} bytes", small.len()), |b| {
        b.iter(|| {
            let inputs: Vec<Input<'_>> = (0..1_000)
                .map(|n| {
                    let bytes = small.as_bytes().to_vec();
                    Input { name: format!("{n}.txt"), named: true, read: Box::new(move || Ok(bytes.clone())) }
                })
                .collect();
            black_box(run::check(&inputs, &options)).files.len()
        })
    });
    group.finish();
}

criterion_group!(benches, parse, whole, thousand);
criterion_main!(benches);
