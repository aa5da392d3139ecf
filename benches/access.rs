//! What it costs to decide about a client.

use std::hint::black_box;
use std::net::IpAddr;

use criterion::{Criterion, criterion_group, criterion_main};
use ipnet::IpNet;
use jellynet_access::{Policy, RemoteFilter};
use jellynet_netif::{ClientAddr, NamedSubnets, Provenance, SubnetSet};

fn client(ip: &str) -> Option<ClientAddr> {
    Some(ClientAddr {
        ip: ip.parse().expect("an address"),
        port: None,
        provenance: Provenance::Forwarded { hops: 1 },
    })
}

fn block_list(count: u16) -> RemoteFilter {
    let subnet = |n: u16| {
        let [high, low] = n.to_be_bytes();
        IpNet::new(IpAddr::from([203, high, low, 0]), 24).expect("a prefix")
    };
    RemoteFilter::block(SubnetSet::new((0..count).map(subnet)))
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("access");
    let lan = || SubnetSet::from(NamedSubnets::Private);
    let default = Policy::new(lan());
    let blocking = Policy::new(lan()).with_filter(block_list(10_000));
    for (name, policy, ip) in [
        ("local", &default, "192.168.1.7"),
        ("remote", &default, "2001:db8::7"),
        ("remote, 10000 blocked subnets", &blocking, "198.51.100.7"),
        ("blocked, 10000 blocked subnets", &blocking, "203.9.9.7"),
    ] {
        let client = client(ip);
        group.bench_function(name, |b| b.iter(|| policy.decide(black_box(client), None)));
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
