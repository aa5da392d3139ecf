//! Is this address in that list? The time of a lookup among 10, 1,000 and 10,000 subnets.
//!
//! Run with `cargo bench -p benches --bench subnets`. The goal is that 10,000 subnets cost no more
//! than twice what ten cost, and that no lookup allocates; the second is checked here before
//! anything is measured.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jellynet_netif::SubnetSet;

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const LOOKUPS: usize = 1_024;

/// Both families, spread over the whole address space: mostly networks, some single hosts, and an
/// exclusion for every tenth entry.
fn entries(random: &mut fastrand::Rng, count: usize) -> Vec<String> {
    let entry = |n: usize| {
        let exclusion = if n % 10 == 9 { "!" } else { "" };
        if n.is_multiple_of(2) {
            let prefix = random.u8(16..=32);
            format!("{exclusion}{}/{prefix}", Ipv4Addr::from(random.u32(..)))
        } else {
            let prefix = random.u8(32..=64);
            format!("{exclusion}{}/{prefix}", Ipv6Addr::from(random.u128(..)))
        }
    };
    (0..count).map(entry).collect()
}

/// Half of them hits as far as the set allows, half of them anywhere.
fn addresses(random: &mut fastrand::Rng, set: &SubnetSet, v4: bool) -> Vec<IpAddr> {
    let family: Vec<_> = set.included().filter(|net| net.addr().is_ipv4() == v4).collect();
    let address = |n: usize| match random.choice(&family) {
        Some(net) if n.is_multiple_of(2) => net.addr(),
        _ if v4 => Ipv4Addr::from(random.u32(..)).into(),
        _ => Ipv6Addr::from(random.u128(..)).into(),
    };
    (0..LOOKUPS).map(address).collect()
}

fn lookup(criterion: &mut Criterion) {
    for (family, v4) in [("ipv4", true), ("ipv6", false)] {
        let mut group = criterion.benchmark_group(format!("subnets/{family}"));
        group.throughput(Throughput::Elements(LOOKUPS as u64));
        for size in SIZES {
            let mut random = fastrand::Rng::with_seed(7);
            let set =
                SubnetSet::parse(entries(&mut random, size)).expect("entries are well formed");
            let addresses = addresses(&mut random, &set, v4);
            refuse_allocations(&set, &addresses);
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    let hits = addresses.iter().filter(|ip| set.contains(**black_box(ip)));
                    hits.count()
                });
            });
        }
        group.finish();
    }
}

#[expect(clippy::print_stdout, reason = "the fact is what this program is run for")]
fn refuse_allocations(set: &SubnetSet, addresses: &[IpAddr]) {
    let counted = allocation_counter::measure(|| {
        for ip in addresses {
            black_box(set.contains(*ip));
            black_box(set.longest_match(*ip));
        }
    });
    println!(
        "{} allocations in {} lookups among {} subnets",
        counted.count_total,
        addresses.len() * 2,
        set.included().len() + set.excluded().len()
    );
    assert_eq!(counted.count_total, 0, "a lookup allocates");
}

criterion_group!(benches, lookup);
criterion_main!(benches);
