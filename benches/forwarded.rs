//! What it costs to find the client, beside other crates on the same requests.
//!
//! `client-ip` (which is also what `axum-client-ip` runs) takes the rightmost entry and asks
//! nobody whether the peer may say so; it stands here as the least that reading the header costs.
//! `real-ip` reads one line and prefers `Forwarded`. `trusted-proxies` and `parse-net` walk from
//! the right over CIDRs, as jellynet does; jellynet also validates scheme and host, pairs them
//! with their hop, and looks for every header that should not be there.

use std::hint::black_box;
use std::net::IpAddr;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use ipnet::IpNet;
use jellynet_forwarded::{Connection, Family, KnownProxies, Rules};
use jellynet_netif::PeerAddr;

const PEER: &str = "10.0.1.1:4711";

/// A request as a browser's comes through a proxy.
fn request(chain: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::get("/web/").body(()).expect("a request");
    let usual = [
        ("host", "tv.example"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"),
        ("accept", "text/html,application/xhtml+xml"),
        ("accept-language", "en-GB,en;q=0.7"),
        ("accept-encoding", "gzip, deflate, br"),
        ("connection", "keep-alive"),
    ];
    for (name, value) in usual.iter().chain(chain) {
        let value = HeaderValue::from_str(value).expect("a value");
        let name = HeaderName::from_static(name);
        request.headers_mut().append(name, value);
    }
    request
}

fn subnets(count: u16) -> Vec<IpNet> {
    let subnet = |n: u16| {
        let [high, low] = n.to_be_bytes();
        IpNet::new(IpAddr::from([10, high, low, 0]), 24).expect("a prefix")
    };
    (0..count).map(subnet).collect()
}

fn jellynet(group: &mut BenchmarkGroup<'_, WallTime>, nets: &[IpNet], request: &Request<()>) {
    let known = KnownProxies::parse(nets.iter().map(IpNet::to_string)).expect("subnets");
    let rules = Rules::new(known.to_set()).with_family(Family::XForwarded);
    let peer = PeerAddr::inet(PEER.parse().expect("an address"));
    let connection = Connection::from_peer(peer);
    group.bench_function("jellynet", |b| {
        b.iter(|| {
            let resolved = rules.resolve(&connection, black_box(request.headers()));
            black_box(resolved).client
        });
    });
}

fn others(group: &mut BenchmarkGroup<'_, WallTime>, nets: &[IpNet], request: &Request<()>) {
    let peer: IpAddr = PEER.parse::<std::net::SocketAddr>().expect("an address").ip();
    let is_known = |ip: IpAddr| nets.iter().any(|net| net.contains(&ip));
    group.bench_function("parse-net", |b| {
        b.iter(|| parse_net(black_box(request.headers()), peer, &is_known));
    });
    let mut config = trusted_proxies::Config::new();
    for net in nets {
        config.add_trusted_ip(&net.to_string()).expect("a subnet");
    }
    config.trust_x_forwarded_for();
    config.trust_x_forwarded_proto();
    config.trust_x_forwarded_host();
    group.bench_function("trusted-proxies", |b| {
        b.iter(|| trusted_proxies::Trusted::from(peer, black_box(request), &config).ip());
    });
    group.bench_function("real-ip", |b| {
        b.iter(|| real_ip::real_ip(black_box(request.headers()), peer, nets));
    });
    group.bench_function("client-ip", |b| {
        b.iter(|| client_ip::rightmost_x_forwarded_for(black_box(request.headers())).ok());
    });
}

fn parse_net(
    headers: &HeaderMap,
    peer: IpAddr,
    is_known: &impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut lines: [&[u8]; 4] = [&[]; 4];
    let mut count = 0;
    for (slot, line) in lines.iter_mut().zip(headers.get_all("x-forwarded-for")) {
        *slot = line.as_bytes();
        count += 1;
    }
    let source = parse_net::ForwardedSource::XForwardedFor(lines.get(..count)?);
    match parse_net::client_address(peer, source, is_known, 32).ok()? {
        parse_net::ClientAddress::Peer(ip) => Some(ip),
        parse_net::ClientAddress::Forwarded { addr, .. } => Some(addr),
        _ => None,
    }
}

fn chains(c: &mut Criterion) {
    let three = [
        ("x-forwarded-for", "203.0.113.9, 10.0.3.3, 10.0.2.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "tv.example"),
    ];
    let spoofed = format!("{}, 203.0.113.9", vec!["6.6.6.6"; 500].join(", "));
    let endless = vec!["10.0.3.3"; 500].join(", ");
    for (name, chain, count) in [
        ("3 hops, 16 subnets", &three[..], 16),
        ("3 hops, 10000 subnets", &three, 10_000),
        ("no header, 16 subnets", &[], 16),
        ("500 entries left of the client", &[("x-forwarded-for", spoofed.as_str())], 16),
        ("500 entries that are proxies", &[("x-forwarded-for", endless.as_str())], 16),
    ] {
        let (nets, request) = (subnets(count), request(chain));
        let mut group = c.benchmark_group(format!("forwarded/{name}"));
        jellynet(&mut group, &nets, &request);
        others(&mut group, &nets, &request);
        group.finish();
    }
}

fn families(c: &mut Criterion) {
    let nets = subnets(16);
    let known = KnownProxies::parse(nets.iter().map(IpNet::to_string)).expect("subnets");
    let peer = PeerAddr::inet(PEER.parse().expect("an address"));
    let request = request(&[
        ("x-forwarded-for", "203.0.113.9, 10.0.3.3, 10.0.2.2"),
        (
            "forwarded",
            "for=203.0.113.9;proto=https;host=tv.example, for=10.0.3.3, for=10.0.2.2;by=10.0.1.1",
        ),
    ]);
    let mut group = c.benchmark_group("forwarded/families");
    for (name, family) in [
        ("x-forwarded", Family::XForwarded),
        ("forwarded", Family::Forwarded),
        ("both", Family::Both),
    ] {
        let rules = Rules::new(known.to_set()).with_family(family);
        let connection = Connection::from_peer(peer);
        group.bench_function(name, |b| {
            b.iter(|| black_box(rules.resolve(&connection, black_box(request.headers()))).client);
        });
    }
    let rules = Rules::new(known.to_set());
    let stranger = PeerAddr::inet("192.0.2.1:4711".parse().expect("an address"));
    let connection = Connection::from_peer(stranger);
    group.bench_function("a stranger's", |b| {
        b.iter(|| black_box(rules.resolve(&connection, black_box(request.headers()))).client);
    });
    group.finish();
}

criterion_group!(benches, chains, families);
criterion_main!(benches);
