//! What holds for every request.

use jellynet_forwarded::{Connection, Family, KnownProxies, PreambleClient, Rules, proxy_protocol};
use jellynet_netif::{PeerAddr, Provenance};
use proptest::prelude::*;

use crate::request::{PROXY, connection};

const NAMES: [&str; 9] = [
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "Forwarded",
    "X-Real-IP",
    "Connection",
    "X_Forwarded_For",
];

/// Bytes that are likely to mean something to a parser of forwarding headers.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"10.0.0.3".to_vec()),
        Just(b"1.2.3.4".to_vec()),
        Just(b"for=10.0.0.3".to_vec()),
        Just(b"for=\"[2001:db8::1]:80\";proto=https".to_vec()),
        Just(b"host=evil.example".to_vec()),
        Just(b"https".to_vec()),
        Just(b"::ffff:10.0.0.3".to_vec()),
        prop::collection::vec(prop::sample::select(&b",;=\"\\ \t[]:%.x0_"[..]), 0..4),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let line = (prop::sample::select(&NAMES[..]), hostile());
    prop::collection::vec(line, 0..8)
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::XForwarded), Just(Family::Forwarded), Just(Family::Both)]
}

fn rules(family: Family) -> Rules {
    let known = ["10.0.0.0/24 sets for,proto,host,port,prefix", "10.0.0.7 sets for", "unix"];
    Rules::new(KnownProxies::parse(known).unwrap().to_set()).with_family(family)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_header_never_changes_the_answer_when_the_peer_is_no_known_proxy(
        headers in headers(), family in family(), ip: [u8; 4], port: u16,
    ) {
        prop_assume!(ip[..3] != [10, 0, 0]);
        let connection = Connection::from_peer(PeerAddr::inet((ip, port).into()));
        let rules = rules(family);
        let bare = rules.resolve::<[(&str, &str)]>(&connection, &[]);
        let claimed = rules.resolve(&connection, headers.as_slice());
        prop_assert_eq!(claimed.client, bare.client);
        prop_assert_eq!(claimed.scheme, bare.scheme);
        prop_assert_eq!(claimed.host, bare.host);
        prop_assert_eq!(claimed.prefix, bare.prefix);
        prop_assert_eq!(claimed.hops, 0);
    }

    #[test]
    fn nothing_left_of_the_stop_matters(left in hostile(), hops in 0usize..4, lines: bool) {
        let proxies = ["10.0.0.3", "10.0.0.4", "10.0.0.5"];
        let own: Vec<_> = ["1.2.3.4"].iter().chain(&proxies[..hops]).copied().collect();
        let own = own.join(", ");
        let forwarded = own.replace(", ", ", for=");
        let forwarded = format!("for={forwarded}");
        for (family, name, own) in [
            (Family::XForwarded, "X-Forwarded-For", own.as_str()),
            (Family::Forwarded, "Forwarded", forwarded.as_str()),
        ] {
            let rules = rules(family);
            let clean = [(name, own.as_bytes().to_vec())];
            let spoofed = if lines {
                vec![(name, left.clone()), (name, own.as_bytes().to_vec())]
            } else {
                vec![(name, [&left[..], b", ", own.as_bytes()].concat())]
            };
            let clean = rules.resolve(&connection(PROXY), clean.as_slice());
            let spoofed = rules.resolve(&connection(PROXY), spoofed.as_slice());
            prop_assert_eq!(spoofed.client, clean.client);
            prop_assert_eq!(spoofed.hops, clean.hops);
            prop_assert_eq!(spoofed.scheme, clean.scheme);
            prop_assert_eq!(spoofed.host, clean.host);
        }
    }

    #[test]
    fn the_answer_is_sound_for_any_bytes(
        headers in headers(), family in family(), unix: bool, preamble: Option<[u8; 4]>,
    ) {
        let rules = rules(family);
        let mut connection = connection(if unix { "unix" } else { PROXY });
        connection.preamble = preamble.map(|ip| PreambleClient {
            client: Some((ip, 1).into()),
            tls: None,
        });
        let resolved = rules.resolve(&connection, headers.as_slice());
        let client = resolved.client.unwrap();
        prop_assert!(resolved.hops <= 32);
        match client.provenance {
            Provenance::Forwarded { hops } => {
                prop_assert_eq!(hops, resolved.hops);
                prop_assert!(hops > 0);
                // Whoever is called the client is no proxy.
                prop_assert!(rules.proxies().contract(client.ip).is_none());
            }
            Provenance::ProxyOnly { .. } => {
                let proxy = rules.proxies().contract(client.ip).is_some();
                prop_assert!(proxy || (unix && client.ip.is_unspecified()));
            }
            _ => prop_assert!(false, "a known proxy is never the client"),
        }
        if let Some(host) = resolved.host {
            let fit = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
            prop_assert!(host.to_string().bytes().all(fit));
        }
    }

    #[test]
    fn hostile_preambles_never_panic_and_never_grow(
        bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0usize..4, cap: u16,
    ) {
        let starts: [&[u8]; 4] = [
            b"",
            b"PROXY TCP4 ",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x30\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04",
        ];
        let bytes = [starts[start], &bytes].concat();
        match proxy_protocol::parse(&bytes, cap) {
            Ok(proxy_protocol::Parsed::Complete { header, length }) => {
                prop_assert!(length <= bytes.len());
                prop_assert!(header.tlvs().count() <= length);
                // What was read is all that it takes.
                let again = proxy_protocol::parse(&bytes[..length], cap);
                let complete = proxy_protocol::Parsed::Complete { header, length };
                prop_assert_eq!(again, Ok(complete));
            }
            Ok(proxy_protocol::Parsed::Incomplete { need }) => {
                prop_assert!(need > bytes.len());
                prop_assert!(need <= 16 + usize::from(cap).max(91));
            }
            Err(_) => {}
        }
    }
}
