//! Hostile streams: nothing panics, batches are whole packets, and the account adds up.

#![cfg_attr(fuzzing, no_main)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use jellynet_tuner::rtp::RtpPacket;
use jellynet_tuner::rx::{Assembler, AssemblerConfig};
use jellynet_tuner::ts::{Continuity, TsHeader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = RtpPacket::parse(bytes);
    let mut continuity = Continuity::new();
    for packet in bytes.chunks(188) {
        if let Ok(header) = TsHeader::parse(packet) {
            continuity.check(&header);
        }
    }
    // Each datagram is a length and its bytes; of four bytes or more only the sequence number is
    // taken, for an RTP packet that is otherwise right, so that orders are tried and not headers.
    let tuner = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut rx = Assembler::new(&AssemblerConfig::from_source(tuner));
    let mut now = Instant::now();
    let mut rest = bytes;
    let mut delivered = 0;
    while let Some((length, tail)) = rest.split_first() {
        let (content, tail) = tail.split_at(tail.len().min(usize::from(*length)));
        let mut datagram = content.to_vec();
        if let Some([_, _, high, low]) = content.first_chunk::<4>() {
            datagram = vec![0x80, 33, *high, *low, 0, 0, 0, 0, 0, 0, 0, content[0] & 1];
            datagram.extend([0x47; 188]);
        }
        now += Duration::from_millis(u64::from(*length));
        rx.handle_datagram(now, tuner, &datagram);
        while let Some(batch) = rx.poll_batch() {
            assert!(!batch.data.is_empty() && batch.data.len() % 188 == 0);
            delivered += batch.data.len() as u64;
        }
        rest = tail;
    }
    rx.flush(now);
    while let Some(batch) = rx.poll_batch() {
        delivered += batch.data.len() as u64;
    }
    assert_eq!(rx.stats().bytes, delivered);
    assert_eq!(rx.stats().packets * 188, delivered);
});
