use super::*;
use crate::proxy_protocol::crc32c::crc32c;
use crate::proxy_protocol::{MAX_LENGTH, kind, parse};

const V4_BODY: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0x12, 0x34, 0x01, 0xbb];

/// A header with a right length.
fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([command, family]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    bytes
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    bytes
}

fn v4_with(tlvs: &[u8]) -> Vec<u8> {
    header(0x21, 0x11, &[&V4_BODY, tlvs].concat())
}

/// With a right checksum behind these extensions.
fn summed(tlvs: &[u8]) -> Vec<u8> {
    let mut bytes = v4_with(&[tlvs, &tlv(kind::CRC32C, &[0; 4])].concat());
    let sum = crc32c([bytes.as_slice()]).to_be_bytes();
    let at = bytes.len() - 4;
    bytes[at..].copy_from_slice(&sum);
    bytes
}

fn complete(bytes: &[u8]) -> Header<'_> {
    match parse(bytes, MAX_LENGTH).unwrap() {
        Parsed::Complete { header, length } => {
            assert_eq!(length, bytes.len());
            header
        }
        Parsed::Incomplete { need } => panic!("needs {need}"),
    }
}

#[test]
fn families_and_commands() {
    let v6_body = [
        &"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets()[..],
        &"::ffff:192.0.2.2".parse::<Ipv6Addr>().unwrap().octets(),
        &[0, 1, 0, 2],
    ]
    .concat();
    for (bytes, expected, why) in [
        (v4_with(&[]), "Client { source: 192.0.2.1:4660, destination: 192.0.2.2:443 }", "IPv4"),
        (
            header(0x21, 0x12, &V4_BODY),
            "Client { source: 192.0.2.1:4660, destination: 192.0.2.2:443 }",
            "a datagram",
        ),
        (
            header(0x21, 0x21, &v6_body),
            "Client { source: [2001:db8::1]:1, destination: 192.0.2.2:2 }",
            "IPv6, and mapped",
        ),
        (header(0x21, 0x31, &[b'/'; 216]), "Unix", "a Unix socket"),
        (header(0x21, 0x00, &[]), "Unknown", "no family"),
        (header(0x20, 0x00, &[]), "Local", "the proxy itself"),
        (header(0x20, 0x11, &[1, 2, 3]), "Local", "its body is skipped"),
        (header(0x20, 0xff, &[]), "Local", "and its family"),
    ] {
        assert_eq!(format!("{:?}", complete(&bytes).source), expected, "{why}");
    }
}

#[test]
fn what_is_wrong_is_said_at_once() {
    let too_long = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff][..]].concat();
    for (bytes, expected, why) in [
        (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), ParseError::NotProxyProtocol, "signature"),
        (b"\r\nGET".to_vec(), ParseError::NotProxyProtocol, "an empty line first"),
        (
            [SIGNATURE, &[0x11][..]].concat(),
            ParseError::VersionCommand(0x11),
            "version 1 in binary",
        ),
        ([SIGNATURE, &[0x22][..]].concat(), ParseError::VersionCommand(0x22), "an unknown command"),
        (header(0x21, 0x41, &[]), ParseError::Family(0x41), "family"),
        (header(0x21, 0x13, &V4_BODY), ParseError::Family(0x13), "transport"),
        (
            too_long,
            ParseError::TooLong { announced: 65535, cap: MAX_LENGTH },
            "64 KiB are not waited for",
        ),
        (
            header(0x21, 0x11, &V4_BODY[..11]),
            ParseError::TooShort { announced: 11, needed: 12 },
            "shorter than its addresses",
        ),
        (
            header(0x21, 0x21, &V4_BODY),
            ParseError::TooShort { announced: 12, needed: 36 },
            "IPv6 with IPv4's length",
        ),
        (v4_with(&[1]), ParseError::Tlv(1), "an extension of one byte"),
        (v4_with(&[1, 0, 2, 0]), ParseError::Tlv(1), "one over the end"),
        (
            v4_with(&tlv(kind::UNIQUE_ID, &[0; 129])),
            ParseError::Tlv(kind::UNIQUE_ID),
            "129 bytes of a unique id",
        ),
        (v4_with(&tlv(kind::SSL, &[1])), ParseError::Tlv(kind::SSL), "short TLS"),
        (
            v4_with(&tlv(kind::SSL, &[1, 0, 0, 0, 0, 0x21, 0, 9])),
            ParseError::Tlv(kind::SSL),
            "an extension over the end of TLS",
        ),
        (v4_with(&tlv(kind::AUTHORITY, b"evil.example/x")), ParseError::Authority, "no host"),
        (v4_with(&tlv(kind::CRC32C, &[0; 4])), ParseError::Checksum, "a wrong sum"),
        (v4_with(&tlv(kind::CRC32C, &[0; 3])), ParseError::Checksum, "a short sum"),
    ] {
        assert_eq!(parse(&bytes, MAX_LENGTH), Err(expected), "{why}");
    }
}

#[test]
fn extensions_are_read_and_summed() {
    let ssl = [
        &[0b0000_0011, 0, 0, 0, 0][..],
        &tlv(kind::SSL_VERSION, b"TLSv1.3"),
        &tlv(kind::SSL_CN, b"box"),
    ]
    .concat();
    let tlvs = [
        tlv(kind::ALPN, b"h2"),
        tlv(kind::AUTHORITY, b"tv.example"),
        tlv(kind::UNIQUE_ID, b"id"),
        tlv(kind::NOOP, &[0; 3]),
        tlv(kind::SSL, &ssl),
        tlv(0xee, b"vendor"),
    ]
    .concat();
    let bytes = summed(&tlvs);
    let header = complete(&bytes);
    let found = header.tlvs();
    assert_eq!(found.count(), 7);
    assert_eq!(found.alpn(), Some(&b"h2"[..]));
    assert_eq!(found.authority().map(|host| host.name()), Some("tv.example"));
    assert_eq!(found.unique_id(), Some(&b"id"[..]));
    let ssl = found.ssl().unwrap();
    assert!(ssl.over_tls && ssl.verified);
    assert_eq!((ssl.version, ssl.common_name), (Some("TLSv1.3"), Some("box")));
    assert_eq!(header.client().tls, Some(true));

    // Any changed byte is found, but for the length, which can end the header before the sum, and
    // for what says that there is a sum.
    let sum = bytes.len() - 7;
    for at in (12..14).chain(16..sum).chain(sum + 1..bytes.len()) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(!matches!(parse(&changed, MAX_LENGTH), Ok(Parsed::Complete { .. })), "byte {at}");
    }
    let twice = summed(&[&tlvs[..], &tlv(kind::CRC32C, &[0; 4])].concat());
    assert_eq!(parse(&twice, MAX_LENGTH), Err(ParseError::Checksum));
}

#[test]
fn every_start_of_a_header_needs_more() {
    let bytes = summed(&tlv(kind::ALPN, b"h2"));
    for end in 0..bytes.len() {
        match parse(&bytes[..end], MAX_LENGTH) {
            Ok(Parsed::Incomplete { need }) => {
                assert!(need > end && need <= bytes.len(), "{need} at {end}");
            }
            other => panic!("{other:?} at {end}"),
        }
    }
    let with_data = [&bytes[..], b"GET / HTTP/1.1"].concat();
    let parsed = parse(&with_data, MAX_LENGTH).unwrap();
    assert!(matches!(parsed, Parsed::Complete { length, .. } if length == bytes.len()));
}
