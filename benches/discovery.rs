//! Discovery replies per second: the engine alone, and the service over loopback beside a bare
//! UDP echo loop in the same run.
//!
//! The last lines compare the two: questions answered per second with 64 under way, and processor
//! time of the server's thread per answer.

#![expect(clippy::print_stdout, reason = "the comparison is for the reader")]

use std::hint::black_box;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jellynet_discovery::{DiscoveryService, Identity, Rate, Responder, ResponderConfig, ServerId};
use jellynet_netif::{Engine, Interface, InterfaceTable, Interfaces, Received, UdpConfig};

/// A question with blanks, which do not count, to the length of the answer: both servers move the
/// same number of bytes.
const QUESTION: &[u8; 125] = &{
    let mut padded = [b' '; 125];
    let (question, _) = padded.split_at_mut(22);
    question.copy_from_slice(b"who is JellyfinServer?");
    padded
};
/// How many questions are under way at once.
const WINDOW: u64 = 64;

fn responder() -> Responder {
    let mut config = ResponderConfig::default();
    config.per_source = Rate::new(u32::MAX, u32::MAX);
    config.global = Rate::new(u32::MAX, u32::MAX);
    let id = ServerId::from_bytes([7; 16]);
    let identity = Identity::new(id, "Living room", |asker| Some(asker.http(8096)));
    Responder::new(config).with_identity(identity)
}

/// A server in a thread of its own.
struct Server {
    address: SocketAddr,
    /// The thread's accounting in /proc.
    schedstat: String,
}

impl Server {
    /// Starts a server that tells where it listens and then never ends.
    fn start(run: impl FnOnce(mpsc::Sender<SocketAddr>) + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        let (id_sender, id_receiver) = mpsc::channel();
        thread::spawn(move || {
            let id = std::fs::read_link("/proc/thread-self").unwrap_or_default();
            id_sender.send(format!("/proc/{}/schedstat", id.display())).ok();
            run(sender);
        });
        Self {
            schedstat: id_receiver.recv().unwrap_or_default(),
            address: receiver.recv().expect("the server starts"),
        }
    }

    fn echo() -> Self {
        Self::start(|started| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
            started.send(socket.local_addr().expect("bound")).ok();
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                socket.send_to(buffer.get(..length).unwrap_or_default(), from).ok();
            }
        })
    }

    fn tokio_echo() -> Self {
        Self::start(|started| {
            block_on(async move {
                let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("bind");
                started.send(socket.local_addr().expect("bound")).ok();
                let mut buffer = [0; 2048];
                while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                    let echo = buffer.get(..length).unwrap_or_default();
                    socket.send_to(echo, from).await.ok();
                }
            });
        })
    }

    fn service() -> Self {
        Self::start(|started| {
            block_on(async move {
                let interfaces = Interfaces::watch().expect("interfaces");
                let service =
                    DiscoveryService::spawn_with(responder(), UdpConfig::listen(0), interfaces);
                let local = service.status().listening().next().expect("listening");
                started.send(SocketAddr::from(([127, 0, 0, 1], local.port()))).ok();
                std::future::pending::<()>().await;
            });
        })
    }

    /// Processor time of the thread so far, in nanoseconds.
    fn processor_time(&self) -> u64 {
        let text = std::fs::read_to_string(&self.schedstat).unwrap_or_default();
        let first = text.split_whitespace().next();
        first.and_then(|ns| ns.parse().ok()).unwrap_or_default()
    }
}

fn block_on(code: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("runtime").block_on(code);
}

/// Asks `count` times with a window and returns how long it took.
fn ask(server: &Server, count: u64) -> Duration {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
    socket.connect(server.address).expect("connect");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("time-out");
    let mut buffer = [0; 2048];
    let start = Instant::now();
    let mut asked = 0;
    let mut answered = 0;
    while answered < count {
        while asked < count && asked < answered + WINDOW {
            socket.send(QUESTION).expect("send");
            asked += 1;
        }
        match socket.recv(&mut buffer) {
            Ok(_) => answered += 1,
            // Lost on the way, which loopback does under pressure: asked again.
            Err(_) => asked = answered,
        }
    }
    start.elapsed()
}

fn engine(criterion: &mut Criterion) {
    let now = Instant::now();
    let eth0 = Interface::new("eth0", 2).with_address("10.77.1.1/24".parse().expect("a net"));
    let table = InterfaceTable::new([Interface::loopback(1), eth0]);
    let mut responder = responder();
    responder.handle_interfaces(now, &table);
    let question = Received {
        payload: QUESTION,
        source: SocketAddr::from(([10, 77, 1, 20], 50_000)),
        destination: [255, 255, 255, 255].into(),
        interface: 2,
    };
    let mut group = criterion.benchmark_group("discovery/engine");
    group.throughput(Throughput::Elements(1));
    group.bench_function("answer", |bencher| {
        bencher.iter(|| {
            responder.handle_datagram(now, black_box(question));
            while responder.poll_event().is_some() {}
            black_box(responder.poll_transmit())
        });
    });
    group.finish();
}

fn over_udp(criterion: &mut Criterion) {
    let servers = [
        ("bare echo loop", Server::echo()),
        ("tokio echo loop", Server::tokio_echo()),
        ("discovery service", Server::service()),
    ];
    let mut group = criterion.benchmark_group("discovery/udp");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for (name, server) in &servers {
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|count| ask(server, count));
        });
    }
    group.finish();
    compare(&servers);
}

/// Takes turns, so that a noisy machine disturbs all alike.
fn compare(servers: &[(&str, Server)]) {
    const ROUNDS: u64 = 10;
    const QUESTIONS: u64 = 20_000;
    let mut tallies = vec![(Duration::ZERO, 0); servers.len()];
    for _ in 0..ROUNDS {
        for ((_, server), (time, processor)) in servers.iter().zip(&mut tallies) {
            let before = server.processor_time();
            *time += ask(server, QUESTIONS);
            *processor += server.processor_time() - before;
        }
    }
    let bare = tallies.first().map_or(Duration::ZERO, |(time, _)| *time);
    for ((name, _), (time, processor)) in servers.iter().zip(&tallies) {
        println!(
            "{name:<18} {:>8.0} answers/s ({:>3.0} % of the bare loop), {:>5} ns processor time each",
            (ROUNDS * QUESTIONS) as f64 / time.as_secs_f64(),
            100.0 * bare.as_secs_f64() / time.as_secs_f64(),
            processor / (ROUNDS * QUESTIONS),
        );
    }
}

criterion_group!(benches, engine, over_udp);
criterion_main!(benches);
