//! Version 2: binary (proxy-protocol.txt § 2.2).
//!
//! ```text
//!  0                  12        13        14        16
//! +-------------------+---------+---------+---------+--------------+------
//! | 0d0a0d0a000d0a51  | version | family  | length  | addresses    | TLVs
//! | 5549540a          | command | transp. |         | 12, 36 or 216|
//! +-------------------+---------+---------+---------+--------------+------
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use jellynet_netif::unmapped;

use super::tlv::Tlvs;
use super::{Header, ParseError, Parsed, Source};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const FIXED: usize = 16;

const VERSION_2_LOCAL: u8 = 0x20;
const VERSION_2_PROXY: u8 = 0x21;

const IPV4_LENGTH: u16 = 12;
const IPV6_LENGTH: u16 = 36;
const UNIX_LENGTH: u16 = 216;

#[derive(Clone, Copy)]
enum Family {
    Unspecified,
    Ipv4,
    Ipv6,
    Unix,
}

impl Family {
    /// The upper half is the family, the lower the transport: none, stream or datagram. What a
    /// datagram's proxy says about the client is as true.
    const fn read(byte: u8) -> Option<Self> {
        match byte {
            0x00..=0x02 => Some(Self::Unspecified),
            0x10..=0x12 => Some(Self::Ipv4),
            0x20..=0x22 => Some(Self::Ipv6),
            0x30..=0x32 => Some(Self::Unix),
            _ => None,
        }
    }

    const fn length(self) -> u16 {
        match self {
            Self::Unspecified => 0,
            Self::Ipv4 => IPV4_LENGTH,
            Self::Ipv6 => IPV6_LENGTH,
            Self::Unix => UNIX_LENGTH,
        }
    }
}

/// Reads a header that starts with `\r`.
pub(super) fn parse(bytes: &[u8], cap: u16) -> Result<Parsed<'_>, ParseError> {
    let common = bytes.len().min(SIGNATURE.len());
    if bytes.get(..common) != SIGNATURE.get(..common) {
        return Err(ParseError::NotProxyProtocol);
    }
    // Say no as early as can be, not after 16 bytes.
    let (command, family) = (bytes.get(12).copied(), bytes.get(13).copied());
    if let Some(command) = command
        && !matches!(command, VERSION_2_LOCAL | VERSION_2_PROXY)
    {
        return Err(ParseError::VersionCommand(command));
    }
    let Some((fixed, body)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(Parsed::Incomplete { need: FIXED });
    };
    let [.., high, low] = *fixed;
    let announced = u16::from_be_bytes([high, low]);
    if announced > cap {
        return Err(ParseError::TooLong { announced, cap });
    }
    let length = FIXED + usize::from(announced);
    let (source, addresses) = if command == Some(VERSION_2_LOCAL) {
        // The family and the body are to be discarded.
        (Some(Source::Local), 0)
    } else {
        let family = family.unwrap_or_default();
        let family = Family::read(family).ok_or(ParseError::Family(family))?;
        let needed = family.length();
        if announced < needed {
            return Err(ParseError::TooShort { announced, needed });
        }
        (source(family, body), usize::from(needed))
    };
    let Some(body) = body.get(..usize::from(announced)) else {
        return Ok(Parsed::Incomplete { need: length });
    };
    let source = source.unwrap_or(Source::Unknown);
    let tlvs = match source {
        Source::Local => Tlvs::NONE,
        _ => {
            let (before, tlvs) = bytes.split_at(FIXED + addresses);
            let tlvs = tlvs.get(..body.len() - addresses).unwrap_or_default();
            Tlvs::check(before, tlvs)?
        }
    };
    let header = Header { version: 2, source, tlvs };
    Ok(Parsed::Complete { header, length })
}

/// The addresses, if they are all there.
fn source(family: Family, body: &[u8]) -> Option<Source> {
    let (source, rest, destination) = match family {
        Family::Unspecified => return Some(Source::Unknown),
        Family::Unix => return Some(Source::Unix),
        Family::Ipv4 => {
            let (source, rest) = body.split_first_chunk::<4>()?;
            let (destination, rest) = rest.split_first_chunk::<4>()?;
            let (source, destination) = (Ipv4Addr::from(*source), Ipv4Addr::from(*destination));
            (IpAddr::V4(source), rest, IpAddr::V4(destination))
        }
        Family::Ipv6 => {
            let (source, rest) = body.split_first_chunk::<16>()?;
            let (destination, rest) = rest.split_first_chunk::<16>()?;
            let (source, destination) = (Ipv6Addr::from(*source), Ipv6Addr::from(*destination));
            (IpAddr::V6(source), rest, IpAddr::V6(destination))
        }
    };
    let (from, rest) = rest.split_first_chunk()?;
    let (to, _) = rest.split_first_chunk()?;
    Some(Source::Client {
        source: SocketAddr::new(unmapped(source), u16::from_be_bytes(*from)),
        destination: SocketAddr::new(unmapped(destination), u16::from_be_bytes(*to)),
    })
}

#[cfg(test)]
mod tests;
