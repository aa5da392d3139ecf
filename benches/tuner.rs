//! The receive path of `jellynet-tuner`: processor time per datagram against bare loops over the
//! same socket, and the parts by themselves.
//!
//! ```sh
//! cargo bench -p benches --bench tuner
//! ```
//!
//! Each round puts a burst into the kernel's buffer and measures only taking it out again, so
//! that the sender's cost, which on loopback includes the kernel's receive path, stays outside.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jellynet_tuner::DeviceId;
use jellynet_tuner::ports::{BindAt, PortLease, PortPolicy, RxOptions, TunerPorts};
use jellynet_tuner::rx::{Assembler, AssemblerConfig};
use jellynet_tuner::wire::{DiscoverReply, Frame, GetSetReply};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// As many as fit the buffer with room to spare.
const BURST: u16 = 512;

/// A datagram of the vendor's: an RTP header and seven packets.
fn datagram(sequence: u16) -> Vec<u8> {
    let mut datagram = vec![0x80, 33];
    datagram.extend(sequence.to_be_bytes());
    datagram.extend([0; 4]);
    datagram.extend([1; 4]);
    for n in 0..7 {
        let continuity = (u32::from(sequence) * 7 + n).to_le_bytes()[0] & 0x0F;
        datagram.extend([0x47, 0x01, 0x00, 0x10 | continuity]);
        datagram.extend([0xFF; 184]);
    }
    datagram
}

struct Wire {
    sender: UdpSocket,
    lease: PortLease,
    sequence: u16,
}

impl Wire {
    fn new() -> Self {
        let ports = TunerPorts::new(PortPolicy::default()).unwrap();
        let lease = ports.lease(BindAt::Exact(LOCAL), RxOptions::default(), "bench");
        let lease = lease.unwrap();
        let sender = UdpSocket::bind((LOCAL, 0)).unwrap();
        sender.connect(lease.local_addr()).unwrap();
        Self { sender, lease, sequence: 0 }
    }

    /// Time for `take` over bursts that lie ready; it returns how many it took.
    fn measure(&mut self, rounds: u64, mut take: impl FnMut(&UdpSocket) -> u16) -> Duration {
        let mut total = Duration::ZERO;
        for _ in 0..rounds {
            for _ in 0..BURST {
                self.sender.send(&datagram(self.sequence)).unwrap();
                self.sequence = self.sequence.wrapping_add(1);
            }
            let start = Instant::now();
            let taken = take(self.lease.socket());
            total += start.elapsed();
            assert_eq!(taken, BURST, "nothing is lost");
        }
        total
    }
}

fn receive(c: &mut Criterion) {
    let mut group = c.benchmark_group("receive 512 datagrams");
    group.throughput(Throughput::Elements(u64::from(BURST)));
    group.bench_function("bare recv", |b| {
        let mut wire = Wire::new();
        let mut buffer = [0; 2048];
        b.iter_custom(|rounds| {
            wire.measure(rounds, |socket| {
                let mut taken = 0;
                while let Ok(length) = socket.recv(&mut buffer) {
                    black_box(&buffer[..length]);
                    taken += 1;
                }
                taken
            })
        });
    });
    group.bench_function("recvmmsg (quinn-udp)", |b| {
        let mut wire = Wire::new();
        let state = quinn_udp::UdpSocketState::new(wire.lease.socket().into()).unwrap();
        let mut buffers = vec![0; 32 << 16];
        b.iter_custom(|rounds| {
            wire.measure(rounds, |socket| batched(&state, socket, &mut buffers))
        });
    });
    group.bench_function("jellynet: reordered, accounted, batched", |b| {
        let mut wire = Wire::new();
        let mut rx = Assembler::new(&AssemblerConfig::from_source(LOCAL));
        let mut buffer = [0; 2048];
        b.iter_custom(|rounds| {
            let time = wire.measure(rounds, |socket| {
                let now = Instant::now();
                let mut taken = 0;
                while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    rx.handle_datagram(now, from.ip(), &buffer[..length]);
                    taken += 1;
                }
                while let Some(batch) = rx.poll_batch() {
                    black_box(batch);
                }
                taken
            });
            let stats = rx.stats();
            assert_eq!((stats.rtp_lost, stats.bad_size, stats.bad_sync), (0, 0, 0));
            time
        });
    });
    group.finish();
}

fn batched(state: &quinn_udp::UdpSocketState, socket: &UdpSocket, buffers: &mut [u8]) -> u16 {
    let mut taken = 0;
    let mut metas = [quinn_udp::RecvMeta::default(); 32];
    loop {
        let mut slices = buffers.chunks_exact_mut(1 << 16);
        let mut slices: [std::io::IoSliceMut<'_>; 32] =
            std::array::from_fn(|_| std::io::IoSliceMut::new(slices.next().unwrap()));
        let Ok(filled) = state.recv(socket.into(), &mut slices, &mut metas) else {
            return taken;
        };
        for meta in &metas[..filled] {
            taken += u16::try_from(meta.len.div_ceil(meta.stride.max(1))).unwrap();
        }
    }
}

fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("one datagram");
    group.throughput(Throughput::Elements(1));
    group.bench_function("assemble", |b| {
        let burst: Vec<_> = (0..=u16::MAX).map(datagram).collect();
        let mut rx = Assembler::new(&AssemblerConfig::from_source(LOCAL));
        let mut datagrams = burst.iter().cycle();
        let now = Instant::now();
        b.iter(|| {
            rx.handle_datagram(now, LOCAL, datagrams.next().unwrap());
            rx.poll_batch()
        });
    });
    let reply = DiscoverReply::tuner(DeviceId::mint(0x1322_F2F0)).encode().unwrap();
    group.bench_function("decode a discovery reply", |b| {
        b.iter(|| DiscoverReply::decode(&Frame::decode(black_box(&reply)).unwrap()));
    });
    let status = "ch=8vsb:183000000 lock=8vsb ss=83 snq=90 seq=100 bps=19394080 pps=1842";
    let status = GetSetReply::value("/tuner0/status", status).encode().unwrap();
    group.bench_function("decode a control reply", |b| {
        b.iter(|| GetSetReply::decode(&Frame::decode(black_box(&status)).unwrap()));
    });
    group.finish();
    let ports = TunerPorts::new(PortPolicy::default()).unwrap();
    c.bench_function("lease a port", |b| {
        b.iter(|| ports.lease(BindAt::Exact(LOCAL), RxOptions::default(), "bench").unwrap());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).sample_size(20);
    targets = receive, parts
}
criterion_main!(benches);
