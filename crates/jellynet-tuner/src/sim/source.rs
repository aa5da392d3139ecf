//! An endless transport stream.

use bytes::Bytes;

use crate::ts::{NULL_PID, PACKET, SYNC};

const PMT_PID: u16 = 0x30;
const DATA_PID: u16 = 0x31;

/// How many packets the synthetic stream has before it begins again.
const ROUND: usize = 100;

/// Sends packets over and over, with counters that go on where the round ends.
#[derive(Debug)]
pub(super) struct Source {
    packets: Bytes,
    position: usize,
    counters: Vec<u8>,
}

impl Source {
    pub(super) fn new(packets: Option<Bytes>) -> Self {
        let given = packets.filter(|p| p.len() >= PACKET && p.first() == Some(&SYNC));
        Self { packets: given.unwrap_or_else(synthetic), position: 0, counters: vec![0; 0x2000] }
    }

    pub(super) fn next_packet(&mut self) -> [u8; PACKET] {
        let (packets, _) = self.packets.as_chunks::<PACKET>();
        let mut packet = packets.get(self.position).copied().unwrap_or([0xFF; PACKET]);
        self.position = (self.position + 1) % packets.len().max(1);
        let [_, high, low, control, ..] = &mut packet;
        let pid = u16::from_be_bytes([*high & 0x1F, *low]);
        if let Some(counter) = self.counters.get_mut(usize::from(pid))
            && pid != NULL_PID
        {
            // The counter of the last packet with content; one without repeats it.
            if *control & 0x10 != 0 {
                *counter = (*counter + 1) & 0x0F;
            }
            *control = (*control & 0xF0) | *counter;
        }
        packet
    }
}

/// A programme with one private data stream, and stuffing.
fn synthetic() -> Bytes {
    let mut out = Vec::with_capacity(ROUND * PACKET);
    for n in 0..ROUND {
        out.extend(match n {
            0 => section(0, &pat()),
            1 => section(PMT_PID, &pmt()),
            n if n % 10 == 5 => packet(NULL_PID, false, &[]),
            2 => packet(DATA_PID, true, &[0, 0, 1, 0xBD, 0, 0, 0x80, 0, 0]),
            _ => packet(DATA_PID, false, &[]),
        });
    }
    out.into()
}

fn packet(pid: u16, start: bool, content: &[u8]) -> [u8; PACKET] {
    let mut packet = [0xFF; PACKET];
    let [high, low] = (pid | if start { 0x4000 } else { 0 }).to_be_bytes();
    let bytes = [SYNC, high, low, 0x10].into_iter().chain(content.iter().copied());
    packet.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    packet
}

/// A section (ISO/IEC 13818-1 § 2.4.4) in a packet of its own.
fn section(pid: u16, body: &[u8]) -> [u8; PACKET] {
    let mut content = vec![0];
    content.extend(body);
    content.extend(crc32_mpeg(body).to_be_bytes());
    packet(pid, true, &content)
}

fn pat() -> Vec<u8> {
    let [high, low] = (PMT_PID | 0xE000).to_be_bytes();
    vec![0x00, 0xB0, 13, 0x0B, 0x5D, 0xC1, 0, 0, 0, 3, high, low]
}

fn pmt() -> Vec<u8> {
    let [high, low] = (DATA_PID | 0xE000).to_be_bytes();
    let mut pmt = vec![0x02, 0xB0, 18, 0, 3, 0xC1, 0, 0, high, low, 0xF0, 0];
    // One stream of private PES data.
    pmt.extend([0x06, high, low, 0xF0, 0]);
    pmt
}

/// The checksum of sections: not reflected, not inverted.
fn crc32_mpeg(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << 24), |crc, _| {
            if crc & 0x8000_0000 == 0 { crc << 1 } else { (crc << 1) ^ 0x04C1_1DB7 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::{Continuity, TsHeader};

    #[test]
    fn counters_go_on_where_a_round_ends() {
        let mut source = Source::new(None);
        let mut continuity = Continuity::new();
        for _ in 0..1_000 {
            let header = TsHeader::parse(&source.next_packet()).unwrap();
            assert!(continuity.check(&header), "{header:?}");
        }
    }

    #[test]
    fn the_checksum_of_sections_meets_its_check_value() {
        assert_eq!(crc32_mpeg(b"123456789"), 0x0376_E6E7);
    }
}
