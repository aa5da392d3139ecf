//! A request costs no allocation.

use jellynet_forwarded::{Family, KnownProxies, Rules, proxy_protocol};

use crate::request::{Lines, PROXY, connection};

#[test]
fn nothing_is_allocated_to_resolve_a_request() {
    let many: Vec<_> = (0..1000u16).map(|n| format!("10.{}.{}.0/24", n >> 8, n & 255)).collect();
    let known = KnownProxies::parse(&many).unwrap();
    let long = vec!["10.0.0.3"; 500].join(", ");
    let requests: [Lines<'_>; 5] = [
        &[],
        &[
            ("Host", "a"),
            ("X-Forwarded-For", "6.6.6.6, 2001:db8::1, 10.0.0.4, 10.0.0.3"),
            ("X-Forwarded-Proto", "https, http"),
            ("X-Forwarded-Host", "tv.example, inner.lan"),
            ("X-Real-IP", "1.2.3.4"),
            ("Connection", "keep-alive, x-forwarded-for"),
        ],
        &[("X-Forwarded-For", "1.2.3.4"), ("x-forwarded-for", "10.0.0.3")],
        &[("Forwarded", "for=\"\\1.2.3.4\";proto=https;host=\"a:81\", for=10.0.0.3;by=_x")],
        &[("X-Forwarded-For", &long), ("Forwarded", &long)],
    ];
    for family in [Family::XForwarded, Family::Forwarded, Family::Both] {
        let rules = Rules::new(known.to_set()).with_family(family);
        for headers in requests {
            for peer in [PROXY, "192.0.2.1:1", "unix"] {
                let connection = connection(peer);
                let counted = jellynet_test::allocations(|| {
                    std::hint::black_box(rules.resolve(&connection, headers));
                });
                assert_eq!(counted.count_total, 0, "{family:?} {headers:?} {peer}");
            }
        }
    }
}

#[cfg(feature = "http")]
#[test]
fn nor_with_the_headers_of_the_http_crate() {
    let mut headers = http::HeaderMap::new();
    for (name, value) in [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "10.0.0.3")] {
        headers.append(name, value.parse().unwrap());
    }
    let rules = Rules::new(KnownProxies::parse(["10.0.0.0/8"]).unwrap().to_set());
    let connection = connection(PROXY);
    let counted = jellynet_test::allocations(|| {
        std::hint::black_box(rules.resolve(&connection, &headers));
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn nor_to_read_a_preamble() {
    let counted = jellynet_test::allocations(|| {
        for bytes in [
            &b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n"[..],
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04",
        ] {
            let parsed = proxy_protocol::parse(bytes, proxy_protocol::MAX_LENGTH);
            assert!(std::hint::black_box(parsed).is_ok());
        }
    });
    assert_eq!(counted.count_total, 0);
}
