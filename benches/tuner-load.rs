//! Sixteen streams of 20 Mbit/s for half a minute: what is lost, and what it costs.
//!
//! ```sh
//! cargo bench -p benches --bench tuner-load            # 30 s
//! TUNER_LOAD_SECONDS=5 cargo bench -p benches --bench tuner-load
//! ```
//!
//! The simulated device runs on a thread of its own; only the receiver's thread is measured, by
//! the kernel's account of it. Halfway every reader stops for 500 ms, and the receiver's thread
//! with it.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "the result is for the reader")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jellynet_tuner::DeviceId;
use jellynet_tuner::discover::Device;
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::sim::{SimConfig, Simulator};
use jellynet_tuner::tune::{TuneRequest, TunerStream, Tuners, TunersConfig};

const STREAMS: u8 = 16;
const BITS_PER_SECOND: u32 = 20_000_000;
const PACKETS_PER_SECOND: u32 = BITS_PER_SECOND / (1316 * 8);

fn main() {
    let seconds = std::env::var("TUNER_LOAD_SECONDS").ok().and_then(|s| s.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(30));
    let (ready, started) = mpsc::channel();
    thread::spawn(move || runtime().block_on(send(&ready)));
    let (id, address, keepalive_port) = started.recv().unwrap();
    let mut device = Device::at(id, address);
    device.tuner_count = STREAMS;
    runtime().block_on(receive(device, keepalive_port, time));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn send(ready: &mpsc::Sender<(DeviceId, SocketAddr, u16)>) {
    let mut config = SimConfig::on_loopback(IpAddr::V4(Ipv4Addr::LOCALHOST));
    config.tuners = STREAMS;
    config.packets_per_second = PACKETS_PER_SECOND;
    let id = config.id;
    let sim = Simulator::start(config).await.unwrap();
    ready.send((id, sim.address(), sim.stream_port())).unwrap();
    std::future::pending::<()>().await;
}

async fn receive(device: Device, keepalive_port: u16, time: Duration) {
    let mut config = TunersConfig::default();
    config.keepalive_port = keepalive_port;
    let ports = TunerPorts::new(PortPolicy::default()).unwrap();
    let tuners = Tuners::new(ports, config).unwrap();
    let mut streams = Vec::new();
    for tuner in 0..STREAMS {
        let request = TuneRequest::new("8vsb:183000000".parse().unwrap()).on_tuner(tuner);
        streams.push(tuners.open(&device, &request).await.unwrap());
    }
    let (start, busy) = (Instant::now(), on_processor());
    let readers: Vec<_> =
        streams.into_iter().map(|s| tokio::spawn(read(s, start + time))).collect();
    tokio::time::sleep_until((start + time / 2).into()).await;
    // Nothing on this thread runs meanwhile: the kernel's buffers take it all, or lose it.
    thread::sleep(Duration::from_millis(500));
    let (mut datagrams, mut lost, mut dropped) = (0, 0, 0);
    for reader in readers {
        let stream = reader.await.unwrap();
        let stats = stream.stats();
        datagrams += stats.datagrams;
        lost += stats.rtp_lost;
        dropped += stats.kernel_dropped.unwrap_or_default();
    }
    let (elapsed, busy) = (start.elapsed(), on_processor() - busy);
    println!(
        "{STREAMS} streams of {} Mbit/s for {:.1} s with a stall of 500 ms: {datagrams} datagrams, \
         {lost} lost, {dropped} of them in the kernel; {:.1} % of a core, {:.0} ns a datagram",
        BITS_PER_SECOND / 1_000_000,
        elapsed.as_secs_f64(),
        100.0 * busy.as_secs_f64() / elapsed.as_secs_f64(),
        busy.as_nanos() as f64 / datagrams as f64,
    );
}

async fn read(mut stream: TunerStream, until: Instant) -> TunerStream {
    while Instant::now() < until {
        stream.next().await.unwrap().unwrap();
    }
    stream
}

/// How long this thread was on a processor (`/proc/thread-self/schedstat`).
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
