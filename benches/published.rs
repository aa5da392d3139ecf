//! Which URL does this peer get? The time of one answer on a host with few and with many addresses.
//!
//! Run with `cargo bench -p benches --bench published`. Discovery asks once per question, so an
//! answer has to be cheap beside a datagram in and out.

use std::hint::black_box;
use std::net::IpAddr;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jellynet_netif::{Interface, InterfaceTable};
use jellynet_published::{Ask, Listener, Published, PublishedConfig};

/// Interfaces with an IPv4 and an IPv6 address each.
fn host(interfaces: u8) -> InterfaceTable {
    let interface = |n: u8| {
        let v4 = format!("10.{n}.0.1/16").parse().expect("a subnet");
        let v6 = format!("fd00:{n}::1/64").parse().expect("a subnet");
        let interface = Interface::new(format!("eth{n}"), u32::from(n) + 2);
        interface.with_address(v4).with_address(v6)
    };
    InterfaceTable::new((0..interfaces).map(interface).chain([Interface::loopback(1)]))
}

fn answer(criterion: &mut Criterion) {
    let mut config = PublishedConfig::default();
    config.overrides = vec!["external=https://media.example".into(), "eth9=http://10.9.9.9".into()];
    let published = Published::new(config).expect("the entries are well formed");
    let listeners =
        ["0.0.0.0:8096", "[::]:8096"].map(|at| Listener::http(at.parse().expect("an address")));
    let peer: IpAddr = [10, 0, 3, 4].into();
    let mut group = criterion.benchmark_group("published");
    for count in [1, 4, 32] {
        let interfaces = host(count);
        group.bench_function(BenchmarkId::new("interfaces", count), |bencher| {
            bencher
                .iter(|| published.for_peer(&Ask::new(black_box(peer)), &interfaces, &listeners));
        });
    }
    group.finish();
}

criterion_group!(benches, answer);
criterion_main!(benches);
