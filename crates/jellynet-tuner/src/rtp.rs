//! The header of an RTP packet (RFC 3550 § 5.1).

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The version is not 2.
    #[error("version {version} instead of 2")]
    Version {
        /// The two bits.
        version: u8,
    },
    /// The header, its list of contributors, its extension or its padding goes beyond the end.
    #[error("cut off at {length} bytes")]
    Short {
        /// How many bytes there are.
        length: usize,
    },
}

/// An RTP packet; its header may be longer than the usual 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// Counts packets, and wraps.
    pub sequence: u16,
    /// Names the source; another one is another stream.
    pub ssrc: u32,
    /// When it was made, in the unit of the payload.
    pub timestamp: u32,
    /// The content without padding.
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    ///
    /// [`RtpError`] when it is no RTP packet of version 2, or cut off.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let short = RtpError::Short { length: datagram.len() };
        let (&[flags, _, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3], rest) =
            datagram.split_first_chunk::<12>().ok_or(short)?;
        if flags >> 6 != 2 {
            return Err(RtpError::Version { version: flags >> 6 });
        }
        let contributors = usize::from(flags & 0x0F) * 4;
        let mut payload = rest.get(contributors..).ok_or(short)?;
        if flags & 0x10 != 0 {
            let (&[_, _, l0, l1], rest) = payload.split_first_chunk::<4>().ok_or(short)?;
            let words = usize::from(u16::from_be_bytes([l0, l1]));
            payload = rest.get(words * 4..).ok_or(short)?;
        }
        if flags & 0x20 != 0 {
            let padding = usize::from(*payload.last().ok_or(short)?);
            let kept = payload.len().checked_sub(padding).filter(|_| padding > 0);
            payload = payload.get(..kept.ok_or(short)?).ok_or(short)?;
        }
        Ok(Self {
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [u8; 14] = [0x80, 33, 0x12, 0x34, 0, 0, 0, 1, 0xA, 0xB, 0xC, 0xD, 7, 7];

    #[test]
    fn the_usual_header_is_twelve_bytes() {
        let packet = RtpPacket::parse(&PLAIN).unwrap();
        assert_eq!((packet.sequence, packet.timestamp, packet.ssrc), (0x1234, 1, 0x0A0B_0C0D));
        assert_eq!(packet.payload, [7, 7]);
    }

    #[test]
    fn contributors_extension_and_padding_are_no_content() {
        let mut long = PLAIN[..12].to_vec();
        long[0] = 0b1011_0010;
        long.extend([0; 8]);
        long.extend([0, 0, 0, 1, 9, 9, 9, 9]);
        long.extend([7, 7, 0, 2]);
        assert_eq!(RtpPacket::parse(&long).unwrap().payload, [7, 7]);
        for length in 12..long.len() - 4 {
            assert!(RtpPacket::parse(&long[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn other_versions_and_impossible_padding_are_refused() {
        let mut packet = PLAIN;
        packet[0] = 0x47;
        assert_eq!(RtpPacket::parse(&packet), Err(RtpError::Version { version: 1 }));
        packet[0] = 0xA0;
        for padding in [0, 3, 255] {
            packet[13] = padding;
            assert_eq!(RtpPacket::parse(&packet), Err(RtpError::Short { length: 14 }));
        }
        assert!(RtpPacket::parse(&[]).is_err());
    }
}
