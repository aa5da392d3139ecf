//! MPEG transport stream packets (ISO/IEC 13818-1 § 2.4.3.2), as far as loss shows in them.

/// The length of a packet.
pub const PACKET: usize = 188;

/// The first byte of every packet.
pub const SYNC: u8 = 0x47;

/// The identifier of stuffing, which carries no counter.
pub const NULL_PID: u16 = 0x1FFF;

const PIDS: usize = 0x2000;

/// Why bytes are no transport stream packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TsError {
    /// The length is not 188 bytes.
    #[error("a packet has 188 bytes, not {length}")]
    Length {
        /// How many bytes there are.
        length: usize,
    },
    /// The first byte is not `47`.
    #[error("a packet begins with 0x47, not {first:#04x}")]
    Sync {
        /// The first byte.
        first: u8,
    },
}

/// The fields of a packet's header that tell loss from intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TsHeader {
    /// Which elementary stream, 13 bits.
    pub pid: u16,
    /// The demodulator could not correct the packet: its content is damaged.
    pub transport_error: bool,
    /// A PES packet or section begins here.
    pub unit_start: bool,
    /// Whether there is content, which moves the counter.
    pub has_payload: bool,
    /// The counter of the packets with content of this stream, 4 bits.
    pub continuity: u8,
    /// The sender announces that the counter jumps here.
    pub discontinuity: bool,
    /// The content is encrypted.
    pub scrambled: bool,
}

impl TsHeader {
    /// Reads the header of one packet.
    ///
    /// # Errors
    ///
    /// [`TsError`] when `packet` is not 188 bytes long or does not begin with `47`.
    pub fn parse(packet: &[u8]) -> Result<Self, TsError> {
        let length = packet.len();
        let (&[first, b1, b2, b3, adaptation_length, adaptation_flags], PACKET) =
            (packet.first_chunk::<6>().ok_or(TsError::Length { length })?, length)
        else {
            return Err(TsError::Length { length });
        };
        if first != SYNC {
            return Err(TsError::Sync { first });
        }
        let has_adaptation = b3 & 0x20 != 0;
        Ok(Self {
            pid: u16::from_be_bytes([b1 & 0x1F, b2]),
            transport_error: b1 & 0x80 != 0,
            unit_start: b1 & 0x40 != 0,
            has_payload: b3 & 0x10 != 0,
            continuity: b3 & 0x0F,
            discontinuity: has_adaptation && adaptation_length > 0 && adaptation_flags & 0x80 != 0,
            scrambled: b3 & 0xC0 != 0,
        })
    }
}

/// Follows the continuity counter of every stream.
///
/// | packet | verdict |
/// | --- | --- |
/// | first of its stream, or first after [`restart`](Self::restart) | right |
/// | stuffing, or the sender announces a jump | right |
/// | with content: counter one higher | right |
/// | with content: counter the same | right once (a repeat), an error from the second on |
/// | without content: counter the same | right |
/// | any other | an error |
#[derive(Debug)]
pub struct Continuity {
    streams: Vec<Stream>,
    epoch: u32,
    errors: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    errors: u32,
    /// In which epoch `last` was seen; 0 is never.
    epoch: u32,
    last: u8,
    repeated: bool,
}

impl Continuity {
    /// No stream was seen yet. Takes 96 KiB, once.
    #[must_use]
    pub fn new() -> Self {
        Self { streams: vec![Stream::default(); PIDS], epoch: 1, errors: 0 }
    }

    /// Forgets the counters but not the errors, after a loss that was counted elsewhere.
    pub const fn restart(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Judges the next packet; `false` is an error, which is also counted.
    pub fn check(&mut self, header: &TsHeader) -> bool {
        let Some(stream) = self.streams.get_mut(usize::from(header.pid)) else {
            return true;
        };
        if header.pid == NULL_PID {
            return true;
        }
        let known = stream.epoch == self.epoch && !header.discontinuity;
        let right = !known || stream.follows(header);
        stream.repeated = known && header.has_payload && stream.last == header.continuity;
        stream.last = header.continuity;
        stream.epoch = self.epoch;
        if !right {
            stream.errors = stream.errors.saturating_add(1);
            self.errors += 1;
        }
        right
    }

    /// All errors so far.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.errors
    }

    /// The streams with errors and how many each has.
    pub fn errors_by_pid(&self) -> impl Iterator<Item = (u16, u32)> {
        (0_u16..).zip(&self.streams).filter(|(_, s)| s.errors > 0).map(|(pid, s)| (pid, s.errors))
    }
}

impl Stream {
    const fn follows(&self, header: &TsHeader) -> bool {
        let same = self.last == header.continuity;
        if header.has_payload {
            (self.last + 1) & 0x0F == header.continuity || (same && !self.repeated)
        } else {
            same
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u16, control: u8) -> [u8; PACKET] {
        let mut packet = [0xFF; PACKET];
        let [high, low] = pid.to_be_bytes();
        packet[..6].copy_from_slice(&[SYNC, high, low, control, 1, 0]);
        packet
    }

    fn header(pid: u16, control: u8) -> TsHeader {
        TsHeader::parse(&packet(pid, control)).unwrap()
    }

    #[test]
    fn a_header_is_read_field_by_field() {
        let mut bytes = packet(0x1234, 0xF5);
        bytes[1] |= 0xC0;
        bytes[5] = 0x80;
        assert_eq!(
            TsHeader::parse(&bytes),
            Ok(TsHeader {
                pid: 0x1234,
                transport_error: true,
                unit_start: true,
                has_payload: true,
                continuity: 5,
                discontinuity: true,
                scrambled: true,
            })
        );
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        assert_eq!(TsHeader::parse(&[]), Err(TsError::Length { length: 0 }));
        assert_eq!(TsHeader::parse(&[SYNC; 187]), Err(TsError::Length { length: 187 }));
        assert_eq!(TsHeader::parse(&[SYNC; 189]), Err(TsError::Length { length: 189 }));
        assert_eq!(TsHeader::parse(&[0; PACKET]), Err(TsError::Sync { first: 0 }));
    }

    #[test]
    fn counters_are_judged_by_the_table() {
        for (controls, errors, why) in [
            (&[0x10, 0x11, 0x12][..], 0, "one higher each"),
            (&[0x1F, 0x10], 0, "wraps at 16"),
            (&[0x10, 0x12], 1, "one missing"),
            (&[0x10, 0x10, 0x11], 0, "one repeat"),
            (&[0x10, 0x10, 0x10], 1, "two repeats"),
            (&[0x10, 0x20, 0x11], 0, "without content the counter stands"),
            (&[0x10, 0x21], 1, "without content the counter moved"),
        ] {
            let mut continuity = Continuity::new();
            for control in controls {
                continuity.check(&header(0x100, *control));
            }
            assert_eq!(continuity.errors(), errors, "{why}");
        }
    }

    #[test]
    fn stuffing_announced_jumps_and_restarts_are_no_errors() {
        let mut continuity = Continuity::new();
        assert!(continuity.check(&header(NULL_PID, 0x10)));
        assert!(continuity.check(&header(NULL_PID, 0x15)));
        assert!(continuity.check(&header(1, 0x10)));
        let mut jump = header(1, 0x35);
        jump.discontinuity = true;
        assert!(continuity.check(&jump));
        continuity.restart();
        assert!(continuity.check(&header(1, 0x1C)));
        assert!(!continuity.check(&header(1, 0x1E)));
        assert_eq!(continuity.errors_by_pid().collect::<Vec<_>>(), [(1, 1)]);
    }
}
