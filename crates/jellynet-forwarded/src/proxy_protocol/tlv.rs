//! The extensions of version 2: type, length, value (proxy-protocol.txt § 2.2.1 to § 2.2.7).

use std::str;

use super::ParseError;
use super::crc32c::crc32c;
use crate::host::Host;

/// The types of extensions that are read.
pub mod kind {
    /// The application protocol that TLS agreed on.
    pub const ALPN: u8 = 0x01;
    /// The host name that the client asked for in TLS.
    pub const AUTHORITY: u8 = 0x02;
    /// A checksum over the whole header.
    pub const CRC32C: u8 = 0x03;
    /// Padding.
    pub const NOOP: u8 = 0x04;
    /// What the proxy calls this connection; at most 128 bytes.
    pub const UNIQUE_ID: u8 = 0x05;
    /// About the client's TLS.
    pub const SSL: u8 = 0x20;
    /// In `SSL`: the protocol version as text.
    pub const SSL_VERSION: u8 = 0x21;
    /// In `SSL`: the common name of the client's certificate.
    pub const SSL_CN: u8 = 0x22;
    /// In `SSL`: the cipher as text.
    pub const SSL_CIPHER: u8 = 0x23;
}

const CHECKSUM_LENGTH: usize = 4;
const MAX_UNIQUE_ID: usize = 128;
/// The flags and the result of the certificate check, before the nested extensions.
const SSL_FIXED: usize = 5;
const SSL_FLAG_TLS: u8 = 1;
const SSL_FLAG_CERTIFICATE: u8 = 1 << 1 | 1 << 2;

/// One extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tlv<'a> {
    /// Its type, as in [`kind`].
    pub kind: u8,
    /// Its bytes.
    pub value: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// Cuts the first extension off; the error is the type of one that does not fit.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), u8> {
        let (kind, length, rest) = match bytes {
            [kind, high, low, rest @ ..] => (*kind, u16::from_be_bytes([*high, *low]), rest),
            [kind, ..] => return Err(*kind),
            [] => return Err(kind::NOOP),
        };
        let (value, rest) = rest.split_at_checked(usize::from(length)).ok_or(kind)?;
        Ok((Self { kind, value }, rest))
    }
}

/// The extensions of a header, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlvs<'a> {
    bytes: &'a [u8],
}

impl<'a> Tlvs<'a> {
    pub(super) const NONE: Self = Self { bytes: &[] };

    /// Checks every extension; `header` is all that comes before them, for the checksum.
    pub(super) fn check(header: &[u8], bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (mut rest, mut checked) = (bytes, false);
        while !rest.is_empty() {
            let (tlv, after) = Tlv::split(rest).map_err(ParseError::Tlv)?;
            let fits = match tlv.kind {
                kind::CRC32C => {
                    if std::mem::replace(&mut checked, true) || !sums_up(header, bytes, after, tlv)
                    {
                        return Err(ParseError::Checksum);
                    }
                    true
                }
                kind::AUTHORITY if Host::parse(tlv.value).is_none() => {
                    return Err(ParseError::Authority);
                }
                kind::UNIQUE_ID => tlv.value.len() <= MAX_UNIQUE_ID,
                kind::SSL => is_ssl(tlv.value),
                _ => true,
            };
            if !fits {
                return Err(ParseError::Tlv(tlv.kind));
            }
            rest = after;
        }
        Ok(Self { bytes })
    }

    fn find(self, kind: u8) -> Option<&'a [u8]> {
        let mut tlvs = self;
        tlvs.find_map(|tlv| (tlv.kind == kind).then_some(tlv.value))
    }

    /// The application protocol that TLS agreed on, such as `h2`.
    #[must_use]
    pub fn alpn(self) -> Option<&'a [u8]> {
        self.find(kind::ALPN)
    }

    /// The host name that the client asked for in TLS.
    #[must_use]
    pub fn authority(self) -> Option<Host<'a>> {
        Host::parse(self.find(kind::AUTHORITY)?)
    }

    /// What the proxy calls this connection.
    #[must_use]
    pub fn unique_id(self) -> Option<&'a [u8]> {
        self.find(kind::UNIQUE_ID)
    }

    /// About the client's TLS; `None` where the proxy does not say.
    #[must_use]
    pub fn ssl(self) -> Option<Ssl<'a>> {
        let (flags, rest) = self.find(kind::SSL)?.split_first()?;
        let (verify, nested) = rest.split_first_chunk()?;
        let nested = Self { bytes: nested };
        let text = |kind| nested.find(kind).and_then(|text| str::from_utf8(text).ok());
        Some(Ssl {
            over_tls: flags & SSL_FLAG_TLS != 0,
            verified: flags & SSL_FLAG_CERTIFICATE != 0 && u32::from_be_bytes(*verify) == 0,
            version: text(kind::SSL_VERSION),
            common_name: text(kind::SSL_CN),
            cipher: text(kind::SSL_CIPHER),
        })
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        let (tlv, rest) = Tlv::split(self.bytes).ok()?;
        self.bytes = rest;
        Some(tlv)
    }
}

/// What the proxy says about the client's TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ssl<'a> {
    /// The client came over TLS.
    pub over_tls: bool,
    /// The client showed a certificate, and the proxy found it good.
    pub verified: bool,
    /// The protocol version, such as `TLSv1.3`.
    pub version: Option<&'a str>,
    /// The common name of the client's certificate.
    pub common_name: Option<&'a str>,
    /// The cipher.
    pub cipher: Option<&'a str>,
}

fn is_ssl(value: &[u8]) -> bool {
    let Some(mut nested) = value.get(SSL_FIXED..) else {
        return false;
    };
    while !nested.is_empty() {
        let Ok((_, rest)) = Tlv::split(nested) else {
            return false;
        };
        nested = rest;
    }
    true
}

/// Whether the checksum is that of the whole header with zeros in its own place.
fn sums_up(header: &[u8], bytes: &[u8], after: &[u8], tlv: Tlv<'_>) -> bool {
    let Ok(stated) = <[u8; CHECKSUM_LENGTH]>::try_from(tlv.value) else {
        return false;
    };
    let before = bytes.len().checked_sub(after.len() + CHECKSUM_LENGTH);
    let before = before.and_then(|end| bytes.get(..end)).unwrap_or_default();
    let pieces = [header, before, &[0; CHECKSUM_LENGTH], after];
    crc32c(pieces) == u32::from_be_bytes(stated)
}
