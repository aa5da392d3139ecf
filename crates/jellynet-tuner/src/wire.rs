//! The HDHomeRun packet format, without I/O.
//!
//! ```text
//!  0       2        4                      4+n      8+n
//!  ┌───────┬────────┬──────────────────────┬────────┐
//!  │ type  │ length │ payload: n bytes     │ CRC-32 │
//!  │ be16  │ be16 n │ tag u8, varlen, value│ le32   │
//!  └───────┴────────┴──────────────────────┴────────┘
//! ```
//!
//! The same frame travels over UDP (discovery) and TCP (control), both on port 65001. The CRC
//! covers type, length and payload. A value's length is one byte up to 127, else two: the low
//! seven bits with bit 7 set, then the rest.

mod crc;
mod decoder;
mod discover;
mod frame;
mod getset;
mod tlv;

pub use self::decoder::FrameDecoder;
pub use self::discover::{DeviceAuth, DeviceType, DiscoverReply, DiscoverRequest, RequestForm};
pub use self::frame::{
    DecodeError, EncodeError, Frame, MAX_ACCEPTED_PAYLOAD, MAX_PAYLOAD, PacketType,
};
pub use self::getset::{GetSetReply, GetSetRequest};
pub use self::tlv::{Tlv, TlvWriter, Tlvs, tag};

/// The port of discovery (UDP) and control (TCP).
pub const PORT: u16 = 65001;

/// The port that takes keepalives, and from which devices are believed to send the stream.
pub const STREAM_PORT: u16 = 5004;
