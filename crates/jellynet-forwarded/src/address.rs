//! One entry of a forwarding header: an address, strictly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str;

use jellynet_netif::unmapped;

/// The longest name of a zone that is cut off; Linux allows 15 bytes, Windows more.
const MAX_ZONE: usize = 32;

/// An address that a proxy named, with its port where the proxy gave one.
///
/// Read from an entry of `X-Forwarded-For` by [`parse`](Self::parse):
///
/// | entry | is |
/// | --- | --- |
/// | `192.0.2.1` | an address |
/// | `192.0.2.1:4711` | an address and its port |
/// | `2001:db8::1` | an address; the last group is never a port |
/// | `[2001:db8::1]`, `[2001:db8::1]:4711` | an address, and its port |
/// | `fe80::1%eth0` | `fe80::1`: a zone means nothing on another host |
/// | `::ffff:192.0.2.1` | `192.0.2.1`: the IPv4-mapped form is undone, and no other |
/// | `unknown`, `_hidden` | nobody ([`NotAnAddress::Unknown`]) |
/// | `192.0.2.01`, `0x7f.1`, `192.0.2`, `192.0.2.1:`, `192.0.2.1:+80`, a name, … | not an address ([`NotAnAddress::Malformed`]) |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The address; never IPv4-mapped.
    pub ip: IpAddr,
    /// The port; `None` also for port 0, which nobody connects from.
    pub port: Option<u16>,
}

/// Why an entry is no [`Node`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnAddress {
    /// The proxy says that it does not know, or does not tell (RFC 7239 § 6.2, § 6.3).
    #[error("the proxy does not tell the address")]
    Unknown,
    /// It is no address.
    #[error("not an address")]
    Malformed,
}

impl Node {
    /// Reads an entry of `X-Forwarded-For`, without blanks around it.
    ///
    /// # Errors
    ///
    /// [`NotAnAddress`] for everything that the table above does not call an address.
    pub fn parse(entry: &[u8]) -> Result<Self, NotAnAddress> {
        Self::read(entry, true)
    }

    /// Reads the value of `for=` in a `Forwarded` element: an IPv6 address stands in brackets
    /// (RFC 7239 § 6), and a port may be obfuscated.
    ///
    /// # Errors
    ///
    /// [`NotAnAddress`], as for [`parse`](Self::parse).
    pub fn parse_forwarded(value: &[u8]) -> Result<Self, NotAnAddress> {
        Self::read(value, false)
    }

    fn read(text: &[u8], bare_v6: bool) -> Result<Self, NotAnAddress> {
        let node = if let Some((ip, after)) = v4(text) {
            Self::with_port(IpAddr::V4(ip), after, !bare_v6)
        } else if let [b'[', bracketed @ ..] = text {
            bracketed_v6(bracketed).and_then(|(ip, after)| Self::with_port(ip, after, !bare_v6))
        } else if bare_v6 {
            zoned_v6(text).map(|ip| Self { ip, port: None })
        } else {
            None
        };
        node.ok_or_else(|| not_an_address(text))
    }

    fn with_port(ip: IpAddr, after: &[u8], obfuscated: bool) -> Option<Self> {
        let port = match after {
            [] => None,
            [b':', port @ ..] if obfuscated && is_obfuscated(port) => None,
            [b':', port @ ..] => Some(port_number(port)?).filter(|port| *port != 0),
            _ => return None,
        };
        Some(Self { ip, port })
    }
}

/// Reads a decimal port: no sign, no leading zero, at most 65535.
///
/// `u16::from_str` would take a `+`.
pub(crate) fn port_number(text: &[u8]) -> Option<u16> {
    let (first, more) = text.split_first()?;
    if text.len() > 5 || (*first == b'0' && !more.is_empty()) {
        return None;
    }
    let mut number = 0u32;
    for digit in text {
        number = number * 10 + decimal(*digit)?;
    }
    u16::try_from(number).ok()
}

fn decimal(byte: u8) -> Option<u32> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then(|| u32::from(value))
}

/// Reads a dotted quad at the start, and gives what follows it: four numbers of one to three
/// digits, no leading zero, at most 255.
#[inline]
pub(crate) fn v4(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (mut bits, mut dots, mut end) = (0u32, 0, text.len());
    // `None` before the first digit of a number.
    let mut number = None;
    for (at, byte) in text.iter().enumerate() {
        if let Some(digit) = decimal(*byte) {
            let before = number.unwrap_or(0);
            if (before == 0 && number.is_some()) || before > 25 {
                return None;
            }
            number = Some(before * 10 + digit);
        } else if *byte == b'.' && dots < 3 {
            bits = bits << 8 | number.take().filter(|number| *number < 256)?;
            dots += 1;
        } else {
            end = at;
            break;
        }
    }
    let last = number.filter(|number| *number < 256 && dots == 3)?;
    Some((Ipv4Addr::from_bits(bits << 8 | last), text.get(end..)?))
}

/// Reads an IPv6 address; `None` for anything else, a zone included.
pub(crate) fn v6(text: &[u8]) -> Option<Ipv6Addr> {
    str::from_utf8(text).ok()?.parse().ok()
}

fn zoned_v6(text: &[u8]) -> Option<IpAddr> {
    let address = match text.iter().position(|byte| *byte == b'%') {
        None => text,
        Some(at) => {
            let (address, zone) = text.split_at(at);
            let is_zone = (2..=MAX_ZONE).contains(&zone.len())
                && zone.iter().skip(1).all(|byte| is_zone_byte(*byte));
            is_zone.then_some(address)?
        }
    };
    v6(address).map(|ip| unmapped(IpAddr::V6(ip)))
}

const fn is_zone_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-' | b'%')
}

/// Reads `address]` and gives what follows it.
fn bracketed_v6(text: &[u8]) -> Option<(IpAddr, &[u8])> {
    let end = text.iter().position(|byte| *byte == b']')?;
    let (inside, after) = text.split_at_checked(end)?;
    Some((zoned_v6(inside)?, after.strip_prefix(b"]")?))
}

/// Whether it is an obfuscated name or port (RFC 7239 § 6.3).
fn is_obfuscated(text: &[u8]) -> bool {
    let named = text.strip_prefix(b"_");
    named.is_some_and(|name| {
        !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    })
}

#[cold]
fn not_an_address(text: &[u8]) -> NotAnAddress {
    let name = match text.iter().position(|byte| *byte == b':') {
        None => text,
        Some(at) => {
            let (name, port) = text.split_at(at);
            let port = port.strip_prefix(b":").unwrap_or_default();
            if !is_obfuscated(port) && port_number(port).is_none() {
                return NotAnAddress::Malformed;
            }
            name
        }
    };
    if name.eq_ignore_ascii_case(b"unknown") || is_obfuscated(name) {
        NotAnAddress::Unknown
    } else {
        NotAnAddress::Malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NotAnAddress::{Malformed, Unknown};

    fn shown(node: Result<Node, NotAnAddress>) -> Result<String, NotAnAddress> {
        node.map(|node| match node.port {
            None => node.ip.to_string(),
            Some(port) => format!("{} {port}", node.ip),
        })
    }

    #[test]
    fn an_entry_is_an_address_or_nothing() {
        for (entry, expected, why) in [
            ("192.0.2.1", Ok("192.0.2.1"), "a dotted quad"),
            ("192.0.2.1:4711", Ok("192.0.2.1 4711"), "with its port"),
            ("192.0.2.1:0", Ok("192.0.2.1"), "port 0 is no port"),
            ("0.0.0.0", Ok("0.0.0.0"), "zero is no leading zero"),
            ("2001:db8::1", Ok("2001:db8::1"), "bare, as proxies send it"),
            ("2001:db8::1:80", Ok("2001:db8::1:80"), "a group, no port"),
            ("[2001:db8::1]", Ok("2001:db8::1"), "in brackets"),
            ("[2001:db8::1]:80", Ok("2001:db8::1 80"), "in brackets with a port"),
            ("fe80::1%eth0", Ok("fe80::1"), "the zone is dropped"),
            ("[fe80::1%25eth0]:80", Ok("fe80::1 80"), "an escaped zone too"),
            ("::ffff:192.0.2.1", Ok("192.0.2.1"), "mapped"),
            ("::ffff:c000:201", Ok("192.0.2.1"), "mapped, in hex"),
            ("[::ffff:192.0.2.1]:80", Ok("192.0.2.1 80"), "mapped"),
            ("::192.0.2.1", Ok("::c000:201"), "compatible is not mapped"),
            ("64:ff9b::c000:201", Ok("64:ff9b::c000:201"), "nor NAT64"),
            ("unknown", Err(Unknown), "RFC 7239 § 6.2"),
            ("UNKNOWN:80", Err(Unknown), "with a port, any case"),
            ("_hidden", Err(Unknown), "RFC 7239 § 6.3"),
            ("_a.b-c:_p", Err(Unknown), "with an obfuscated port"),
            ("", Err(Malformed), "empty"),
            ("_", Err(Malformed), "no name"),
            ("192.0.2.01", Err(Malformed), "a leading zero"),
            ("00.0.0.0", Err(Malformed), "a leading zero"),
            ("192.0.2.256", Err(Malformed), "too large"),
            ("192.0.2.1111111111", Err(Malformed), "far too large"),
            ("0x7f.0.0.1", Err(Malformed), "hexadecimal"),
            ("127.1", Err(Malformed), "a short form"),
            ("2130706433", Err(Malformed), "one number"),
            ("+1.2.3.4", Err(Malformed), "a sign"),
            ("1.2.3.4.5", Err(Malformed), "five numbers"),
            ("1.2.3.4 ", Err(Malformed), "a blank"),
            ("1.2.3.4:", Err(Malformed), "an empty port"),
            ("1.2.3.4:+80", Err(Malformed), "a signed port"),
            ("1.2.3.4:080", Err(Malformed), "a port with a leading zero"),
            ("1.2.3.4:65536", Err(Malformed), "a port out of range"),
            ("1.2.3.4:8 0", Err(Malformed), "a blank in the port"),
            ("[1.2.3.4]", Err(Malformed), "brackets are for IPv6"),
            ("[2001:db8::1", Err(Malformed), "no closing bracket"),
            ("[2001:db8::1]80", Err(Malformed), "no colon"),
            ("[2001:db8::1]:", Err(Malformed), "an empty port"),
            ("2001:db8::1]", Err(Malformed), "no opening bracket"),
            ("2001:db8::00001", Err(Malformed), "five digits"),
            ("::ffff:192.0.2.01", Err(Malformed), "a leading zero in a mapped address"),
            ("fe80::1%", Err(Malformed), "an empty zone"),
            ("fe80::1%a b", Err(Malformed), "a blank in the zone"),
            ("localhost", Err(Malformed), "names are not resolved"),
            ("proxy:80", Err(Malformed), "nor with a port"),
            ("1.2.3.4\u{660}", Err(Malformed), "another script's digit"),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(shown(Node::parse(entry.as_bytes())), expected, "{why}");
        }
    }

    #[test]
    fn forwarded_puts_ipv6_in_brackets() {
        for (value, expected, why) in [
            ("192.0.2.1", Ok("192.0.2.1"), "IPv4"),
            ("192.0.2.1:80", Ok("192.0.2.1 80"), "with a port"),
            ("192.0.2.1:_p", Ok("192.0.2.1"), "with an obfuscated port"),
            ("[2001:db8::1]:_p", Ok("2001:db8::1"), "the same in IPv6"),
            ("[2001:db8::1]", Ok("2001:db8::1"), "in brackets"),
            ("2001:db8::1", Err(Malformed), "bare: RFC 7239 § 6"),
            ("unknown", Err(Unknown), "not told"),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(shown(Node::parse_forwarded(value.as_bytes())), expected, "{why}");
        }
    }
}
