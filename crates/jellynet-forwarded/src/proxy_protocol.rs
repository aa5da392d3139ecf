//! The PROXY protocol: a proxy tells the client's address before the first byte of the client.
//!
//! Version 1 is a line of text, version 2 is binary with extensions (TLVs). By the specification
//! of HAProxy, with these decisions:
//!
//! | input | is |
//! | --- | --- |
//! | a first byte that starts neither version | [`ParseError::NotProxyProtocol`], at once |
//! | a header that is not there yet | [`Parsed::Incomplete`], with how many bytes it needs |
//! | a version 1 line without its end after 107 bytes, or with tabs, two blanks, a sign, leading zeros, or addresses of another family | an error |
//! | `UNKNOWN` in version 1, `AF_UNSPEC` and `AF_UNIX` in version 2 | valid; the client is unknown |
//! | `LOCAL` in version 2 | valid, and its body is skipped: the proxy speaks for itself |
//! | a version 2 length that is shorter than its addresses, or longer than the cap | an error |
//! | a TLV that runs over the end, a wrong or repeated CRC32C, a host that is none | an error |
//! | a second header | data: it is the client's |
//!
//! Whether a connection *must* start with a header is never guessed from its bytes: [`Preamble
//! policies`](PreamblePolicy) say it by listener and peer.

use std::net::SocketAddr;

use crate::resolve::PreambleClient;

mod crc32c;
mod policy;
#[cfg(feature = "tokio")]
mod read;
mod tlv;
mod v1;
mod v2;

pub use self::policy::{Expect, PreamblePolicy};
#[cfg(feature = "tokio")]
pub use self::read::{AcceptError, Preamble, Rewound, accept};
pub use self::tlv::{Ssl, Tlv, Tlvs, kind};

/// The most bytes that version 2 may announce after its 16 fixed ones, by default: room for every
/// extension that HAProxy sends, certificate names included.
pub const MAX_LENGTH: u16 = 4096;

/// What bytes at the start of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a header is there or not yet there")]
pub enum Parsed<'a> {
    /// A whole header.
    Complete {
        /// What it says.
        header: Header<'a>,
        /// How many bytes it has; what follows is the client's.
        length: usize,
    },
    /// The start of a header.
    Incomplete {
        /// How many bytes there must be before it is worth to ask again.
        need: usize,
    },
}

/// One header of either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header<'a> {
    /// The version, 1 or 2.
    pub version: u8,
    /// Who connected to the proxy.
    pub source: Source,
    tlvs: Tlvs<'a>,
}

/// Who connected to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A client with an address. IPv4-mapped addresses are undone.
    Client {
        /// The client.
        source: SocketAddr,
        /// Where the client connected to.
        destination: SocketAddr,
    },
    /// A process on the proxy's host, over a Unix socket.
    Unix,
    /// The proxy itself, for example to see whether this server is healthy.
    Local,
    /// The proxy does not say.
    Unknown,
}

impl<'a> Header<'a> {
    /// The extensions of version 2.
    #[must_use]
    pub const fn tlvs(&self) -> Tlvs<'a> {
        self.tlvs
    }

    /// What the walk needs to know of it.
    #[must_use]
    pub fn client(&self) -> PreambleClient {
        PreambleClient {
            client: match self.source {
                Source::Client { source, .. } => Some(source),
                Source::Unix | Source::Local | Source::Unknown => None,
            },
            tls: self.tlvs.ssl().map(|ssl| ssl.over_tls),
        }
    }
}

/// Bytes that cannot become a PROXY protocol header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// They start like neither version.
    #[error("the connection does not start with a PROXY protocol header")]
    NotProxyProtocol,
    /// Version 1 without its end after 107 bytes.
    #[error("the line has no end after 107 bytes")]
    LineTooLong,
    /// Version 1 that is not `TCP4`, `TCP6` or `UNKNOWN` with two addresses and two ports.
    #[error("the line is not `PROXY`, a family, two addresses and two ports")]
    Line,
    /// A version or command of the binary form that does not exist.
    #[error("no such version or command: {0:#04x}")]
    VersionCommand(u8),
    /// A family or transport of the binary form that does not exist.
    #[error("no such family or transport: {0:#04x}")]
    Family(u8),
    /// Version 2 that announces more than the cap.
    #[error("{announced} bytes are announced, the cap is {cap}")]
    TooLong {
        /// What it announces.
        announced: u16,
        /// What is allowed.
        cap: u16,
    },
    /// Version 2 that announces less than its addresses need.
    #[error("{announced} bytes are announced, the addresses need {needed}")]
    TooShort {
        /// What it announces.
        announced: u16,
        /// What the family needs.
        needed: u16,
    },
    /// An extension that runs over the end or has the wrong length.
    #[error("extension {0:#04x} does not fit")]
    Tlv(u8),
    /// A checksum that is wrong or there twice.
    #[error("the CRC32C is wrong")]
    Checksum,
    /// An authority that is no host name.
    #[error("the authority is no host")]
    Authority,
}

/// Reads a header from the first bytes of a connection; `max_length` is the most that version 2
/// may announce ([`MAX_LENGTH`]).
///
/// # Errors
///
/// [`ParseError`] as soon as the bytes can not become a valid header.
pub fn parse(bytes: &[u8], max_length: u16) -> Result<Parsed<'_>, ParseError> {
    match bytes.first() {
        None => Ok(Parsed::Incomplete { need: 1 }),
        Some(b'P') => v1::parse(bytes),
        Some(b'\r') => v2::parse(bytes, max_length),
        Some(_) => Err(ParseError::NotProxyProtocol),
    }
}
