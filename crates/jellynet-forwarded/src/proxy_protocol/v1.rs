//! Version 1: one line of text, at most 107 bytes with its end (proxy-protocol.txt § 2.1).

use std::net::{IpAddr, SocketAddr};

use jellynet_netif::unmapped;

use super::tlv::Tlvs;
use super::{Header, ParseError, Parsed, Source};
use crate::address::{port_number, v4, v6};

const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line: `UNKNOWN` with two full IPv6 addresses.
pub(super) const MAX_LINE: usize = 107;

/// Reads a line that starts with `P`.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, ParseError> {
    let common = bytes.len().min(SIGNATURE.len());
    if bytes.get(..common) != SIGNATURE.get(..common) {
        return Err(ParseError::NotProxyProtocol);
    }
    let window = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        if window.len() == MAX_LINE {
            return Err(ParseError::LineTooLong);
        }
        // Lines differ in length and the end is two bytes: any byte more may be the last.
        return Ok(Parsed::Incomplete { need: bytes.len() + 1 });
    };
    let line = window.get(SIGNATURE.len()..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").ok_or(ParseError::Line)?;
    let source = source(line).ok_or(ParseError::Line)?;
    let header = Header { version: 1, source, tlvs: Tlvs::NONE };
    Ok(Parsed::Complete { header, length: end + 1 })
}

fn source(line: &[u8]) -> Option<Source> {
    let mut words = line.split(|byte| *byte == b' ');
    let address: fn(&[u8]) -> Option<IpAddr> = match words.next()? {
        b"TCP4" => |text| match v4(text)? {
            (ip, []) => Some(IpAddr::V4(ip)),
            _ => None,
        },
        b"TCP6" => |text| v6(text).map(IpAddr::V6),
        // Whatever follows up to the end of the line is to be ignored, a stray `\r` is not.
        b"UNKNOWN" => return (!line.contains(&b'\r')).then_some(Source::Unknown),
        _ => return None,
    };
    let (source, destination) = (address(words.next()?)?, address(words.next()?)?);
    let (from, to) = (port_number(words.next()?)?, port_number(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    Some(Source::Client {
        source: SocketAddr::new(unmapped(source), from),
        destination: SocketAddr::new(unmapped(destination), to),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<String, ParseError> {
        Ok(match super::super::parse(bytes, 0)? {
            Parsed::Incomplete { need } => format!("need {need}"),
            Parsed::Complete { header, length } => match header.source {
                Source::Client { source, destination } => {
                    format!("{source} to {destination}, {length}")
                }
                other => format!("{other:?}, {length}"),
            },
        })
    }

    #[test]
    fn a_line_is_strict() {
        const LONG: &[u8] = b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
            ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
        assert_eq!(LONG.len(), MAX_LINE);
        let line = Err(ParseError::Line);
        let foreign = Err(ParseError::NotProxyProtocol);
        for (bytes, expected, why) in [
            (
                &b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /"[..],
                Ok("192.0.2.1:56324 to 192.0.2.2:443, 42"),
                "IPv4, and data after it",
            ),
            (b"PROXY TCP6 2001:db8::1 ::1 1 0\r\n", Ok("[2001:db8::1]:1 to [::1]:0, 32"), "IPv6"),
            (
                b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n",
                Ok("192.0.2.1:1 to [::1]:2, 37"),
                "mapped, as HAProxy sends it for mixed families",
            ),
            (b"PROXY UNKNOWN\r\n", Ok("Unknown, 15"), "unknown"),
            (b"PROXY UNKNOWN what ever\r\n", Ok("Unknown, 25"), "with more"),
            (LONG, Ok("Unknown, 107"), "the longest line"),
            (b"PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n", Ok("Unknown, 15"), "a second header is data"),
            (b"P", Ok("need 2"), "a start"),
            (b"PROXY TCP4 1.2.3.4", Ok("need 19"), "half a line"),
            (b"PROXY UNKNOWN\r", Ok("need 15"), "half an end"),
            (b"PUT / HTTP/1.1\r\n", foreign, "HTTP"),
            (b"PROXY\t", foreign, "a tab in the signature"),
            (b"PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n", line, "two blanks"),
            (b"PROXY TCP4 1.2.3.4  1.2.3.4 1 1\r\n", line, "two blanks"),
            (b"PROXY TCP4\t1.2.3.4\t1.2.3.4\t1\t1\r\n", line, "tabs"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n", line, "a blank at the end"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n", line, "too many words"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", line, "too few words"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 +5632 1\r\n", line, "a signed port"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n", line, "a negative port"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n", line, "a leading zero"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", line, "out of range"),
            (b"PROXY TCP4 1.2.3.04 1.2.3.4 1 1\r\n", line, "a leading zero"),
            (b"PROXY TCP4 1.2.3.4:5 1.2.3.4 1 1\r\n", line, "address and port"),
            (b"PROXY TCP4 ::1 ::1 1 1\r\n", line, "IPv6 as TCP4"),
            (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n", line, "IPv4 as TCP6"),
            (b"PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n", line, "a zone"),
            (b"PROXY TCP6 [::1] ::1 1 1\r\n", line, "brackets"),
            (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n", line, "no such family"),
            (b"PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n", line, "lower case"),
            (b"PROXY \r\n", line, "no family"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n", line, "no carriage return"),
            (b"PROXY UNKNOWN \r \r\n", line, "a stray carriage return"),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(parsed(bytes), expected, "{why}");
        }
        let mut over = LONG.to_vec();
        over.insert(20, b'f');
        assert_eq!(parsed(&over), Err(ParseError::LineTooLong));
        assert_eq!(parsed(&over[..106]), Ok("need 107".to_owned()));
    }
}
