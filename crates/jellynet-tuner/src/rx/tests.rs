//! The account of loss, in virtual time.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::*;
use crate::ts::PACKET;

const TUNER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2));

/// A sender that numbers its packets, and the receiver.
struct Bench {
    now: Instant,
    rx: Assembler,
    continuity: u8,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn new() -> Self {
        Self {
            now: Instant::now(),
            rx: Assembler::new(&AssemblerConfig::from_source(TUNER)),
            continuity: 0,
        }
    }

    fn plain(&mut self) -> Vec<u8> {
        let mut datagram = Vec::new();
        for _ in 0..7 {
            let mut packet = [0xFF; PACKET];
            packet[..6].copy_from_slice(&[0x47, 0x01, 0x00, 0x10 | self.continuity, 0, 0]);
            self.continuity = (self.continuity + 1) % 16;
            datagram.extend(packet);
        }
        datagram
    }

    fn packet(&mut self, sequence: u16, ssrc: u32) -> Vec<u8> {
        let mut datagram = vec![0x80, 33];
        datagram.extend(sequence.to_be_bytes());
        datagram.extend([0; 4]);
        datagram.extend(ssrc.to_be_bytes());
        datagram.extend(self.plain());
        datagram
    }

    /// The first `count` packets of a stream that begins at `first`.
    fn stream(&mut self, first: u16, count: u16) -> Vec<Vec<u8>> {
        (0..count).map(|n| self.packet(first.wrapping_add(n), 1)).collect()
    }

    fn feed(&mut self, datagrams: &[Vec<u8>]) {
        for datagram in datagrams {
            self.now += Duration::from_micros(500);
            self.rx.handle_datagram(self.now, TUNER, datagram);
        }
    }

    fn finish(&mut self) -> (RxStats, Vec<TsBatch>) {
        self.now += Duration::from_secs(1);
        self.rx.handle_timeout(self.now);
        self.rx.flush(self.now);
        let batches: Vec<_> = std::iter::from_fn(|| self.rx.poll_batch()).collect();
        assert_eq!(self.rx.poll_timeout(), None);
        assert!(batches.iter().all(|b| !b.data.is_empty() && b.data.len() % PACKET == 0));
        (self.rx.stats(), batches)
    }
}

#[test]
fn an_undisturbed_stream_is_clean_and_complete_across_the_wrap() {
    let mut bench = Bench::new();
    let stream = bench.stream(65_000, 1_100);
    bench.feed(&stream);
    let (stats, batches) = bench.finish();
    assert!(stats.is_clean(), "{stats:?}");
    assert_eq!(stats.packets, 7 * 1_100);
    let got: Vec<u8> = batches.iter().flat_map(|b| b.data.to_vec()).collect();
    let sent: Vec<u8> = stream.iter().flat_map(|d| d[12..].to_vec()).collect();
    assert!(got == sent);
    assert!(batches.iter().all(|b| b.gap_before.is_none()));
}

#[test]
fn every_lost_datagram_is_counted_once_and_marks_a_batch() {
    let mut bench = Bench::new();
    let mut stream = bench.stream(0, 1_000);
    stream.retain(|d| !u16::from_be_bytes([d[2], d[3]]).is_multiple_of(100) || d[2..4] == [0, 0]);
    bench.feed(&stream);
    let (stats, batches) = bench.finish();
    assert_eq!((stats.rtp_lost, stats.network_lost()), (9, 9));
    assert_eq!(stats.continuity_errors, 0, "one loss is not counted twice");
    assert_eq!((stats.rtp_late, stats.rtp_reordered, stats.rtp_duplicate), (0, 0, 0));
    let gaps: Vec<_> = batches.iter().filter_map(|b| b.gap_before).collect();
    assert_eq!(gaps, [Gap::Lost { datagrams: 1 }; 9]);
    assert_eq!(stats.packets, 7 * 991);
}

#[test]
fn a_long_outage_is_counted_in_full() {
    for lost in [31_u16, 32, 33, 500, 20_000] {
        let mut bench = Bench::new();
        let mut stream = bench.stream(65_530, 20);
        let behind = bench.stream(65_530_u16.wrapping_add(20 + lost), 40);
        stream.extend(behind);
        bench.feed(&stream);
        let (stats, _) = bench.finish();
        assert_eq!((stats.rtp_lost, stats.packets), (u64::from(lost), 7 * 60), "{lost}");
    }
}

#[test]
fn packets_that_overtook_one_another_are_put_right() {
    let mut bench = Bench::new();
    let mut stream = bench.stream(65_500, 100);
    let sent: Vec<u8> = stream.iter().flat_map(|d| d[12..].to_vec()).collect();
    for n in [5, 20, 36, 60] {
        stream.swap(n, n + 3);
    }
    bench.feed(&stream);
    let (stats, batches) = bench.finish();
    assert!(stats.is_clean(), "{stats:?}");
    assert!(stats.rtp_reordered >= 4);
    let got: Vec<u8> = batches.iter().flat_map(|b| b.data.to_vec()).collect();
    assert!(got == sent);
}

#[test]
fn a_duplicate_is_dropped_and_a_late_one_too() {
    let mut bench = Bench::new();
    let mut stream = bench.stream(0, 200);
    let late = stream.remove(50);
    stream.insert(150, late);
    stream.insert(20, stream[18].clone());
    bench.feed(&stream);
    let (stats, _) = bench.finish();
    assert_eq!((stats.rtp_lost, stats.rtp_late, stats.rtp_duplicate), (1, 1, 1));
    assert_eq!(stats.packets, 7 * 199);
}

#[test]
fn a_slow_stream_does_not_wait_for_a_packet_that_never_comes() {
    let mut bench = Bench::new();
    let mut stream = bench.stream(0, 3);
    stream.remove(1);
    bench.feed(&stream);
    let due = bench.rx.poll_timeout().unwrap();
    assert!(due <= bench.now + Duration::from_millis(50));
    bench.rx.handle_timeout(bench.now + Duration::from_millis(50));
    assert_eq!(bench.rx.stats().packets, 14);
}

#[test]
fn a_reboot_is_a_new_beginning_and_no_loss() {
    let mut bench = Bench::new();
    let mut stream = bench.stream(1_000, 50);
    stream.extend((0..50).map(|n| bench.packet(40_000 + n, 2)).collect::<Vec<_>>());
    bench.feed(&stream);
    let (stats, batches) = bench.finish();
    assert_eq!((stats.restarts, stats.rtp_lost, stats.packets), (1, 0, 700));
    assert!(batches.iter().any(|b| b.gap_before == Some(Gap::Restart)));

    let mut bench = Bench::new();
    let mut stream = bench.stream(30_000, 50);
    stream.extend(bench.stream(0, 50));
    bench.feed(&stream);
    let (stats, _) = bench.finish();
    assert_eq!((stats.restarts, stats.rtp_late, stats.packets), (1, 1, 7 * 99));
}

#[test]
fn plain_stream_is_recognised_and_judged_by_its_counters() {
    let mut bench = Bench::new();
    let mut stream: Vec<_> = (0..100).map(|_| bench.plain()).collect();
    stream.remove(40);
    bench.feed(&stream);
    let (stats, _) = bench.finish();
    assert_eq!((stats.packets, stats.continuity_errors, stats.rtp_lost), (693, 1, 0));
    assert_eq!(bench.rx.continuity_by_pid().collect::<Vec<_>>(), [(0x100, 1)]);
}

#[test]
fn strangers_and_rubbish_are_counted_apart() {
    let mut bench = Bench::new();
    let good = bench.stream(0, 1);
    let stranger: IpAddr = "10.99.0.66".parse().unwrap();
    bench.rx.handle_datagram(bench.now, stranger, &good[0]);
    bench.feed(&[vec![], vec![0x80; 20], vec![0x47; 187], vec![0; 1328]]);
    let mut unsynced = good[0].clone();
    unsynced[12 + PACKET] = 0;
    let mut long = good[0].clone();
    long.extend([0x47; PACKET]);
    bench.feed(&[unsynced, long]);
    let (stats, batches) = bench.finish();
    assert_eq!((stats.foreign_source, stats.bad_size, stats.bad_sync), (1, 3, 3));
    assert!(batches.is_empty());
}

#[test]
fn a_damaged_packet_is_passed_on_and_counted_once() {
    let mut bench = Bench::new();
    let mut stream = bench.stream(0, 2);
    stream[0][12 + 1] |= 0x80;
    stream[0][12 + 3] ^= 0x05;
    bench.feed(&stream);
    let (stats, _) = bench.finish();
    assert_eq!((stats.transport_errors, stats.packets), (1, 14));
    assert!(stats.continuity_errors <= 1);
}

#[test]
fn buffers_are_used_again_while_readers_keep_up() {
    let mut bench = Bench::new();
    let mut held = std::collections::VecDeque::new();
    for round in 0..200_u16 {
        let stream = bench.stream(round * 64, 64);
        bench.feed(&stream);
        while let Some(batch) = bench.rx.poll_batch() {
            held.push_back(batch);
            if held.len() > 8 {
                held.pop_front();
            }
        }
    }
    assert!(bench.rx.buffers_allocated() <= 12, "{}", bench.rx.buffers_allocated());
}

#[test]
fn any_bytes_in_any_order_are_survived() {
    use proptest::prelude::*;
    proptest!(ProptestConfig::with_cases(64), |(
        packets in proptest::collection::vec((any::<u16>(), 0_u32..3, any::<bool>()), 0..400)
    )| {
        let mut bench = Bench::new();
        for (sequence, ssrc, wild) in packets {
            let mut packet = bench.packet(sequence % 512, ssrc);
            if wild {
                packet[2..4].copy_from_slice(&sequence.to_be_bytes());
            }
            bench.feed(&[packet]);
        }
        let (stats, batches) = bench.finish();
        let delivered: usize = batches.iter().map(|b| b.data.len()).sum();
        prop_assert_eq!(stats.bytes, delivered as u64);
        prop_assert_eq!(stats.packets * PACKET as u64, stats.bytes);
        let sum = stats.packets / 7 + stats.rtp_late + stats.rtp_duplicate;
        prop_assert_eq!(sum, stats.datagrams);
    });
}
