//! Type, length, payload, CRC.

use bytes::{BufMut, Bytes, BytesMut};

use super::crc::crc32;

/// The longest payload that is sent: the frame then fits an Ethernet packet.
pub const MAX_PAYLOAD: usize = 1452;

/// The longest payload that is accepted: devices are known to exceed the documented limit.
pub const MAX_ACCEPTED_PAYLOAD: usize = 4096;

const HEADER: usize = 4;
const CRC: usize = 4;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketType(pub u16);

impl PacketType {
    /// Who is there? (UDP)
    pub const DISCOVER_REQUEST: Self = Self(0x0002);
    /// I am. (UDP, unicast)
    pub const DISCOVER_REPLY: Self = Self(0x0003);
    /// Read or write a variable. (TCP)
    pub const GETSET_REQUEST: Self = Self(0x0004);
    /// Its value, or why not. (TCP)
    pub const GETSET_REPLY: Self = Self(0x0005);
}

/// Why bytes from the network are no HDHomeRun packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A datagram is shorter than the length that it states.
    #[error("{have} bytes are less than the packet states")]
    Short {
        /// How many bytes there are.
        have: usize,
    },
    /// A datagram goes on behind its packet.
    #[error("{extra} bytes follow the packet")]
    Trailing {
        /// How many bytes there are too many.
        extra: usize,
    },
    /// The stated payload is longer than any device sends.
    #[error("a payload of {length} bytes is longer than {MAX_ACCEPTED_PAYLOAD}")]
    TooLong {
        /// The stated length.
        length: usize,
    },
    /// The checksum does not match: the packet was damaged, or is none.
    #[error("checksum {stated:08x} should be {computed:08x}")]
    Crc {
        /// What the packet carries.
        stated: u32,
        /// What its bytes amount to.
        computed: u32,
    },
    /// A tagged value goes beyond the end of the payload.
    #[error("the value at byte {at} of the payload is cut off")]
    Truncated {
        /// Where the value begins.
        at: usize,
    },
    /// A value has the wrong length for its tag.
    #[error("the value of tag {tag:#04x} has {length} bytes")]
    ValueLength {
        /// The tag.
        tag: u8,
        /// The length of its value.
        length: usize,
    },
    /// A packet of another type than the one in question.
    #[error("packet type {got:#06x} instead of {expected:#06x}")]
    WrongType {
        /// What it should be.
        expected: u16,
        /// What it is.
        got: u16,
    },
    /// A packet lacks a value that it must have.
    #[error("tag {tag:#04x} is missing")]
    Missing {
        /// The tag.
        tag: u8,
    },
}

/// Why a message cannot be written as a packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A value does not fit its length field.
    #[error("a value of {length} bytes is longer than 32767")]
    ValueTooLong {
        /// Its length.
        length: usize,
    },
    /// The payload is longer than a packet may be.
    #[error("a payload of {length} bytes is longer than {MAX_PAYLOAD}")]
    PayloadTooLong {
        /// Its length.
        length: usize,
    },
}

/// One packet without its length and checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: PacketType,
    /// Tagged values.
    pub payload: Bytes,
}

impl Frame {
    /// Writes the packet.
    ///
    /// # Errors
    ///
    /// [`EncodeError::PayloadTooLong`] beyond [`MAX_PAYLOAD`].
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let length = self.payload.len();
        let too_long = EncodeError::PayloadTooLong { length };
        let stated = u16::try_from(length).map_err(|_| too_long.clone())?;
        if length > MAX_PAYLOAD {
            return Err(too_long);
        }
        let mut out = BytesMut::with_capacity(HEADER + length + CRC);
        out.put_u16(self.kind.0);
        out.put_u16(stated);
        out.put_slice(&self.payload);
        out.put_u32_le(crc32(&out));
        Ok(out.freeze())
    }

    /// Reads a datagram, which must hold exactly one packet.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it does not.
    pub fn decode(datagram: &[u8]) -> Result<Self, DecodeError> {
        let Some(taken) = take(datagram)? else {
            return Err(DecodeError::Short { have: datagram.len() });
        };
        if taken.length != datagram.len() {
            return Err(DecodeError::Trailing { extra: datagram.len() - taken.length });
        }
        Ok(Self { kind: taken.kind, payload: Bytes::copy_from_slice(taken.payload) })
    }

    /// Refuses any other type.
    ///
    /// # Errors
    ///
    /// [`DecodeError::WrongType`].
    pub const fn expect(&self, kind: PacketType) -> Result<(), DecodeError> {
        if self.kind.0 == kind.0 {
            Ok(())
        } else {
            Err(DecodeError::WrongType { expected: kind.0, got: self.kind.0 })
        }
    }
}

/// A packet at the start of a buffer.
pub(super) struct Taken<'a> {
    pub(super) kind: PacketType,
    pub(super) payload: &'a [u8],
    /// Of the whole packet.
    pub(super) length: usize,
}

/// The packet at the start of `buffer`; `None` while it is not complete.
pub(super) fn take(buffer: &[u8]) -> Result<Option<Taken<'_>>, DecodeError> {
    let Some((&[k0, k1, l0, l1], body)) = buffer.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    if length > MAX_ACCEPTED_PAYLOAD {
        return Err(DecodeError::TooLong { length });
    }
    let Some((payload, rest)) = body.split_at_checked(length) else {
        return Ok(None);
    };
    let Some((crc, _)) = rest.split_first_chunk::<CRC>() else {
        return Ok(None);
    };
    let stated = u32::from_le_bytes(*crc);
    let computed = crc32(buffer.get(..HEADER + length).unwrap_or_default());
    if stated != computed {
        return Err(DecodeError::Crc { stated, computed });
    }
    Ok(Some(Taken {
        kind: PacketType(u16::from_be_bytes([k0, k1])),
        payload,
        length: HEADER + length + CRC,
    }))
}
