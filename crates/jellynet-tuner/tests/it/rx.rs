//! What the receiver allocates.

use std::net::{IpAddr, Ipv4Addr};

use jellynet_tuner::rx::{Assembler, AssemblerConfig};

#[test]
fn nothing_is_allocated_per_packet() {
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let now = tokio::time::Instant::now().into_std();
    let mut rx = Assembler::new(&AssemblerConfig::from_source(source));
    let mut sequence = 0_u16;
    let mut datagram = vec![0; 12 + 1316];
    let mut feed = |rx: &mut Assembler, count: u32| {
        let mut batches = 0;
        for _ in 0..count {
            datagram[..2].copy_from_slice(&[0x80, 33]);
            datagram[2..4].copy_from_slice(&sequence.to_be_bytes());
            for packet in datagram[12..].chunks_exact_mut(188) {
                packet[..4].copy_from_slice(&[0x47, 0x1F, 0xFF, 0x10]);
            }
            rx.handle_datagram(now, source, &datagram);
            sequence = sequence.wrapping_add(1);
            batches += std::iter::from_fn(|| rx.poll_batch()).count();
        }
        batches as u64
    };
    feed(&mut rx, 640);
    let mut batches = 0;
    let counted = jellynet_test::allocations(|| batches = feed(&mut rx, 6_400));
    assert_eq!(batches, 100);
    // A handful of bytes per batch, to count who reads it.
    assert!(counted.count_total <= 2 * batches, "{counted:?}");
    assert!(counted.bytes_total < 10_000, "{counted:?}");
    assert!(rx.stats().is_clean());
}
