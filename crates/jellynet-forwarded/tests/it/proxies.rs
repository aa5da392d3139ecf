//! What real proxies put upstream (nginx 1.22, HAProxy 2.6, Caddy 2.6, Apache 2.4) when a client
//! at 127.0.0.5 asks for jellyfin.test and tries to spoof.

use crate::request::{Lines, flags, origin, rules, who};

/// The headers of a client that claims to be somebody else, as far as a proxy lets them through.
const CLAIMS: Lines<'_> = &[
    ("Forwarded", "for=6.6.6.6;host=evil.com;proto=https"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-Port", "666"),
    ("X-Real-IP", "6.6.6.6"),
];

#[test]
fn spoofed_headers_change_nothing_behind_real_proxies() {
    for (proxy, known, headers, who_, origin_) in [
        (
            "nginx as documented, TLS",
            "10.0.0.2",
            &[
                ("Host", "jellyfin.test"),
                ("X-Real-IP", "127.0.0.5"),
                ("X-Forwarded-For", "6.6.6.6, 7.7.7.7, 127.0.0.5"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Protocol", "https"),
                ("X-Forwarded-Host", "jellyfin.test:18443"),
            ][..],
            "127.0.0.5 forwarded/1",
            "https://jellyfin.test:18443",
        ),
        (
            "HAProxy as documented: it sets the address alone",
            "10.0.0.2 sets for",
            &[
                ("host", "jellyfin.test"),
                ("x-forwarded-for", "6.6.6.6"),
                ("x-forwarded-for", "7.7.7.7"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.com"),
                ("connection", "X-Forwarded-For, X-Forwarded-Host"),
                ("x-forwarded-for", "127.0.0.5"),
            ],
            "127.0.0.5 forwarded/1",
            "http://jellyfin.test",
        ),
        (
            "HAProxy, and the client sends an empty header",
            "10.0.0.2 sets for",
            &[("host", "jellyfin.test"), ("x-forwarded-for", ""), ("x-forwarded-for", "127.0.0.5")],
            "127.0.0.5 forwarded/1",
            "http://jellyfin.test",
        ),
        (
            "Caddy as documented: it replaces",
            "10.0.0.2",
            &[
                ("Host", "jellyfin.test:18080"),
                ("X-Forwarded-For", "127.0.0.5"),
                ("X-Forwarded-Proto", "http"),
                ("X-Forwarded-Host", "jellyfin.test:18080"),
            ],
            "127.0.0.5 forwarded/1",
            "http://jellyfin.test:18080",
        ),
        (
            "Apache as documented: it appends to the host",
            "10.0.0.2",
            &[
                ("Host", "jellyfin.test:18449"),
                ("X-Forwarded-For", "6.6.6.6, 7.7.7.7, 127.0.0.5"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "evil.com, jellyfin.test:18449"),
                ("X-Forwarded-Server", "jellyfin.test"),
            ],
            "127.0.0.5 forwarded/1",
            "https://jellyfin.test:18449",
        ),
        (
            "Apache, and the client has the scheme dropped",
            "10.0.0.2",
            &[
                ("Host", "jellyfin.test"),
                ("X-Forwarded-For", "127.0.0.5"),
                ("X-Forwarded-Host", "jellyfin.test"),
            ],
            "127.0.0.5 forwarded/1",
            "http://jellyfin.test",
        ),
        (
            "nginx without any header set: the operator declared nothing",
            "192.0.2.1",
            &[
                ("Host", "upstream:8096"),
                ("X-Forwarded-For", "6.6.6.6, 7.7.7.7"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "evil.com"),
            ],
            "10.0.0.2 4711 direct/0",
            "http://upstream:8096",
        ),
        (
            "Traefik by its documentation",
            "10.0.0.2",
            &[
                ("Host", "jellyfin.test"),
                ("X-Forwarded-For", "127.0.0.5"),
                ("X-Forwarded-Host", "jellyfin.test"),
                ("X-Forwarded-Proto", "wss"),
                ("X-Forwarded-Server", "traefik"),
            ],
            "127.0.0.5 forwarded/1",
            "https://jellyfin.test",
        ),
    ] {
        let headers: Vec<_> = headers.iter().chain(CLAIMS).copied().collect();
        let resolved = crate::request::resolve(&rules(&[known]), &headers);
        assert_eq!(who(&resolved), who_, "{proxy}");
        assert_eq!(origin(&resolved), origin_, "{proxy}");
        assert_eq!(resolved.prefix, None, "{proxy}");
        assert!(!flags(&resolved).is_empty(), "{proxy}: the claims are seen");
    }
}
