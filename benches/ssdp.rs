//! Reads and answers a search: this crate beside cotton-ssdp's engine and a bare echo.
//!
//! cotton-ssdp's parser is not public: its engine reads a datagram and, without advertisements,
//! does nothing more. ssdp-client's parser is not public either and has no engine around it, so it
//! is not here.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cotton_ssdp::engine::{Callback, Engine as CottonEngine};
use cotton_ssdp::refresh_timer::StdTimebase;
use cotton_ssdp::udp::{Error as UdpError, TargetedSend};
use cotton_ssdp::{Advertisement, Notification};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jellynet_netif::{Engine, Interface, InterfaceTable, Received, Transmit, Via};
use jellynet_ssdp::message::Message;
use jellynet_ssdp::{Advertiser, AdvertiserConfig, Device, RootDevice, Uuid};

const SEARCH: &[u8] = b"M-SEARCH * HTTP/1.1\r\n\
    HOST: 239.255.255.250:1900\r\n\
    MAN: \"ssdp:discover\"\r\n\
    MX: 1\r\n\
    ST: urn:schemas-upnp-org:device:MediaServer:1\r\n\
    USER-AGENT: Linux/6.1 UPnP/1.1 bench/1.0\r\n\r\n";
const MEDIA_SERVER: &str = "urn:schemas-upnp-org:device:MediaServer:1";
const URL: &str = "http://10.77.1.1:8096/dlna/description.xml";

const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 1, 1));

fn client() -> SocketAddr {
    SocketAddr::from(([10, 77, 1, 2], 50_000))
}

fn search() -> Received<'static> {
    Received {
        payload: SEARCH,
        source: client(),
        // Asked alone, so that the answer does not wait.
        destination: SERVER,
        interface: 2,
    }
}

fn advertiser(now: Instant) -> Advertiser {
    let device = Device::media_server(Uuid::from_bytes([7; 16]));
    let root = RootDevice::new(device, |_, _| Some(URL.to_owned()));
    let mut config = AdvertiserConfig::new("Linux/6.1 UPnP/1.1 bench/1.0", 1, 1);
    config.limits.search_burst = u32::MAX;
    config.limits.answer_burst = u32::MAX;
    let mut advertiser = Advertiser::new(config, vec![root]).expect("a good configuration");
    let eth0 = Interface::new("eth0", 2).with_address("10.77.1.1/24".parse().expect("a net"));
    advertiser.handle_interfaces(now, &InterfaceTable::new([eth0]));
    advertiser
}

struct Deaf;

impl Callback for Deaf {
    fn on_notification(&self, _: &Notification) {}
}

/// Composes what is sent and throws it away.
struct Nowhere;

impl TargetedSend for Nowhere {
    fn send_with<F>(&self, size: usize, _: &SocketAddr, _: &IpAddr, f: F) -> Result<(), UdpError>
    where
        F: FnOnce(&mut [u8]) -> usize,
    {
        let mut buffer = [0; 1500];
        if let Some(buffer) = buffer.get_mut(..size) {
            black_box(f(buffer));
        }
        Ok(())
    }
}

fn cotton(now: Instant) -> CottonEngine<Deaf, StdTimebase> {
    CottonEngine::new(1, now)
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ssdp/parse");
    group.throughput(Throughput::Bytes(SEARCH.len() as u64));
    group.bench_function("jellynet", |b| {
        b.iter(|| Message::parse(black_box(SEARCH)).is_ok());
    });
    let now = Instant::now();
    let mut engine = cotton(now);
    group.bench_function("cotton-ssdp", |b| {
        b.iter(|| engine.on_data(black_box(SEARCH), SERVER, client(), now));
    });
    group.finish();
}

fn answer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ssdp/answer");
    group.throughput(Throughput::Elements(1));
    let now = Instant::now();
    let mut advertiser = advertiser(now);
    group.bench_function("jellynet", |b| {
        b.iter(|| {
            advertiser.handle_datagram(now, black_box(search()));
            advertiser.poll_transmit().is_some()
        });
    });
    let mut engine = cotton(now);
    let advertisement =
        Advertisement { notification_type: MEDIA_SERVER.to_owned(), location: URL.to_owned() };
    engine.advertise(format!("uuid:7::{MEDIA_SERVER}"), advertisement, &Nowhere);
    let later = now + Duration::from_secs(6);
    group.bench_function("cotton-ssdp", |b| {
        b.iter(|| {
            engine.on_data(black_box(SEARCH), SERVER, client(), now);
            engine.handle_timeout(&Nowhere, later);
        });
    });
    group.bench_function("echo", |b| b.iter(|| echo(black_box(search()))));
    group.finish();
}

/// The least that an answer costs: a copy.
fn echo(question: Received<'_>) -> Transmit {
    Transmit {
        payload: Bytes::copy_from_slice(question.payload),
        destination: question.source,
        via: Via::Reply { interface: question.interface, source: question.destination },
    }
}

/// What a flood costs: searches beyond the limit, and such from elsewhere.
fn flood(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ssdp/flood");
    group.throughput(Throughput::Elements(1));
    let now = Instant::now();
    let mut engine = advertiser(now);
    let mut off_link = search();
    off_link.source = SocketAddr::from(([192, 0, 2, 1], 50_000));
    group.bench_function("off the link", |b| {
        b.iter(|| engine.handle_datagram(now, black_box(off_link)));
    });
    group.finish();
}

criterion_group!(benches, parse, answer, flood);
criterion_main!(benches);
