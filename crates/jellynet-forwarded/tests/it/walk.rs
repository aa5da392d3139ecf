//! The walk over `X-Forwarded-*`, row by row.

use jellynet_forwarded::{AllowedHosts, Connection, Contract, Family, HopLimit, PreambleClient};
use jellynet_netif::{ClientAddr, Provenance, ProxyOnlyReason};

use crate::request::{
    Lines, PROXY, connection, flags, origin, over_tls, peer, resolve, rules, who,
};

const KNOWN: &[&str] = &["10.0.0.0/24", "fd00::/64"];

#[test]
fn the_client_is_the_first_from_the_right_that_is_no_proxy() {
    for (lines, expected, why) in [
        (&["1.2.3.4"][..], "1.2.3.4 forwarded/1", "one hop"),
        (&["6.6.6.6, 1.2.3.4"], "1.2.3.4 forwarded/1", "the left is the client's own claim"),
        (&["1.2.3.4, 10.0.0.3"], "1.2.3.4 forwarded/2", "two proxies"),
        (&["6.6.6.6,1.2.3.4,10.0.0.4 , 10.0.0.3"], "1.2.3.4 forwarded/3", "three"),
        (&["1.2.3.4", "10.0.0.3"], "1.2.3.4 forwarded/2", "the lines are one list"),
        (
            &["6.6.6.6", "7.7.7.7", "127.0.0.5"],
            "127.0.0.5 forwarded/1",
            "HAProxy adds a last line of its own",
        ),
        (&["1.2.3.4", ""], "1.2.3.4 forwarded/1", "an empty last line"),
        (&["", "1.2.3.4"], "1.2.3.4 forwarded/1", "an empty first line, as behind HAProxy"),
        (&[", 1.2.3.4"], "1.2.3.4 forwarded/1", "an empty element, as behind nginx"),
        (&["1.2.3.4 ,, ,"], "1.2.3.4 forwarded/1", "empty elements on the right"),
        (&["6.6.6.6\t,\t1.2.3.4\t"], "1.2.3.4 forwarded/1", "tabs"),
        (&["garbage, 1.2.3.4"], "1.2.3.4 forwarded/1", "garbage left of the client"),
        (&["\"6.6.6.6, 1.2.3.4"], "1.2.3.4 forwarded/1", "an open quote left of the client"),
        (&["6.6.6.6\", 1.2.3.4"], "1.2.3.4 forwarded/1", "a closing quote left of it"),
        (&["\"1.2.3.4\""], "1.2.3.4 forwarded/1", "in quotes"),
        (&["\"[2001:db8::1]:80\""], "2001:db8::1 80 forwarded/1", "in quotes with a port"),
        (&["\"6.6.6.6, 1.2.3.4\""], "10.0.0.2 proxy-only/0", "a list in quotes is one entry"),
        (&["2001:db8::1"], "2001:db8::1 forwarded/1", "bare IPv6, as every proxy sends it"),
        (&["[2001:db8::1]:443"], "2001:db8::1 443 forwarded/1", "a port"),
        (&["1.2.3.4:5, fd00::9"], "1.2.3.4 5 forwarded/2", "an IPv6 proxy"),
        (&["fe80::1%eth0"], "fe80::1 forwarded/1", "a zone"),
        (&["::ffff:1.2.3.4"], "1.2.3.4 forwarded/1", "a mapped client"),
        (&["1.2.3.4, ::ffff:10.0.0.3"], "1.2.3.4 forwarded/2", "a mapped proxy"),
        (&["1.2.3.4, ::10.0.0.3"], "::a00:3 forwarded/1", "a compatible address is no proxy"),
        (&["127.0.0.1"], "127.0.0.1 forwarded/1", "loopback is no proxy unless listed"),
    ] {
        let headers: Vec<_> = lines.iter().map(|line| ("X-Forwarded-For", *line)).collect();
        assert_eq!(who(&resolve(&rules(KNOWN), &headers)), expected, "{why}");
    }
}

#[test]
fn a_proxy_that_names_no_client_is_no_client() {
    for (headers, expected, reason, why) in [
        (&[][..], "10.0.0.2 proxy-only/0", ProxyOnlyReason::Missing, "no header at all"),
        (
            &[("X-Forwarded-For", " , ")],
            "10.0.0.2 proxy-only/0",
            ProxyOnlyReason::Missing,
            "an empty header",
        ),
        (
            &[("X-Forwarded-For", "1.2.3.4, garbage")],
            "10.0.0.2 proxy-only/0",
            ProxyOnlyReason::Malformed,
            "nothing left of a malformed entry is read",
        ),
        (
            &[("X-Forwarded-For", "1.2.3.4, 010.0.0.3")],
            "10.0.0.2 proxy-only/0",
            ProxyOnlyReason::Malformed,
            "octal",
        ),
        (
            &[("X-Forwarded-For", "1.2.3.4, localhost")],
            "10.0.0.2 proxy-only/0",
            ProxyOnlyReason::Malformed,
            "a name is not resolved",
        ),
        (
            &[("X-Forwarded-For", "garbage, 10.0.0.3")],
            "10.0.0.3 proxy-only/1",
            ProxyOnlyReason::Malformed,
            "the second proxy names none",
        ),
        (
            &[("X-Forwarded-For", "unknown")],
            "10.0.0.2 proxy-only/0",
            ProxyOnlyReason::Unknown,
            "as Squid says it",
        ),
        (
            &[("X-Forwarded-For", "_hidden:_p, 10.0.0.3")],
            "10.0.0.3 proxy-only/1",
            ProxyOnlyReason::Unknown,
            "obfuscated",
        ),
        (
            &[("X-Forwarded-For", "10.0.0.9, 10.0.0.3")],
            "10.0.0.9 proxy-only/2",
            ProxyOnlyReason::OnlyProxies,
            "all are proxies",
        ),
        (
            &[("X-Real-IP", "1.2.3.4"), ("X_Forwarded_For", "6.6.6.6")],
            "10.0.0.2 proxy-only/0",
            ProxyOnlyReason::Missing,
            "no other header stands in",
        ),
    ] {
        let resolved = resolve(&rules(KNOWN), headers);
        assert_eq!(who(&resolved), expected, "{why}");
        let provenance = resolved.client.map(|client: ClientAddr| client.provenance);
        assert_eq!(provenance, Some(Provenance::ProxyOnly { reason }), "{why}");
    }
}

#[test]
fn a_stranger_is_never_believed() {
    const CLAIMS: Lines<'_> = &[
        ("Host", "tv.lan"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Port", "1"),
        ("Forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
        ("X-Real-IP", "127.0.0.1"),
    ];
    for (from, known, expected, why) in [
        ("10.0.1.2:7", KNOWN, "10.0.1.2 7 direct/0", "another subnet"),
        ("[::ffff:10.0.1.2]:7", KNOWN, "10.0.1.2 7 direct/0", "the same, mapped"),
        ("127.0.0.1:7", KNOWN, "127.0.0.1 7 direct/0", "loopback is not implied"),
        ("[::1]:7", KNOWN, "::1 7 direct/0", "nor in IPv6"),
        ("10.0.0.2:7", &[], "10.0.0.2 7 direct/0", "no proxy is known"),
        ("10.0.0.2:7", &["10.0.0.0/24", "!10.0.0.2"], "10.0.0.2 7 direct/0", "excluded"),
        ("10.0.0.2:7", &["proxy.lan"], "10.0.0.2 7 direct/0", "a name not yet resolved"),
        ("unix", KNOWN, "nobody unknown/0", "a Unix socket"),
    ] {
        for family in [Family::XForwarded, Family::Forwarded, Family::Both] {
            let rules = rules(known).with_family(family);
            let resolved = rules.resolve(&connection(from), CLAIMS);
            assert_eq!(who(&resolved), expected, "{why}");
            assert_eq!(origin(&resolved), "http://tv.lan", "{why}");
            assert_eq!(resolved.prefix, None, "{why}");
            assert_eq!(flags(&resolved), ["untrusted-peer"], "{why}");
        }
    }
    let nobody = rules(&["0.0.0.0/0", "unix"]).resolve(&Connection::default(), CLAIMS);
    assert_eq!((who(&nobody), flags(&nobody)), ("nobody unknown/0".into(), vec!["no-peer"]));
}

#[test]
fn a_known_peer_is_known_in_every_form() {
    for (from, known, why) in [
        ("[::ffff:10.0.0.2]:7", &["10.0.0.2"][..], "a mapped peer"),
        ("10.0.0.2:7", &["::ffff:10.0.0.2"], "a mapped entry"),
        ("10.0.0.2:7", &["::ffff:10.0.0.0/120"], "a mapped subnet"),
        ("10.0.0.2:7", &["10.0.0.77/24"], "host bits"),
        ("[fe80::1%2]:7", &["fe80::1"], "a peer with a scope"),
        ("[fe80::1%2]:7", &["fe80::1%eth0"], "an entry with a zone"),
        ("127.0.0.1:7", &["loopback"], "loopback, said"),
        ("unix", &["unix"], "a Unix socket, said"),
    ] {
        let headers: Lines<'_> = &[("x-forwarded-for", "1.2.3.4")];
        let resolved = rules(known).resolve(&connection(from), headers);
        assert_eq!(who(&resolved), "1.2.3.4 forwarded/1", "{why}");
    }
    let silent = rules(&["unix"]).resolve(&connection("unix"), [("Host", "a")].as_slice());
    assert_eq!(who(&silent), "0.0.0.0 proxy-only/0", "a proxy without address names none");
}

#[test]
fn scheme_and_host_pair_with_their_hop_from_the_right() {
    for (for_, proto, host, expected, why) in [
        ("1.2.3.4", "https", "tv.example", "https://tv.example", "one hop"),
        ("1.2.3.4", "http, https", "", "https://own.lan", "the leftmost is the client's"),
        ("6.6.6.6, 1.2.3.4", "http, https", "", "https://own.lan", "one hop, two values"),
        (
            "1.2.3.4, 10.0.0.3",
            "https, http",
            "tv.example, inner.lan",
            "https://tv.example",
            "two hops: the second value",
        ),
        (
            "1.2.3.4, 10.0.0.3",
            "ws, https, http",
            "evil, tv.example, inner",
            "https://tv.example",
            "and never the third",
        ),
        ("1.2.3.4, 10.0.0.3", "https", "tv.example", "https://tv.example", "fewer: the nearest"),
        (
            "1.2.3.4",
            "https",
            "evil.example, jellyfin.test:18449",
            "https://jellyfin.test:18449",
            "Apache appends to the host",
        ),
        ("", "http, https", "evil, tv.example", "https://tv.example", "no client: the rightmost"),
        ("garbage", "https", "tv.example", "http://own.lan", "nothing of a malformed hop"),
        (
            "garbage, 10.0.0.3",
            "https, http",
            "evil, inner.lan",
            "http://inner.lan",
            "the good hop stays",
        ),
        ("1.2.3.4", "WSS", "", "https://own.lan", "WebSocket, any case"),
        ("1.2.3.4", "gopher", "", "http://own.lan", "no such scheme"),
        (
            "1.2.3.4, 10.0.0.3",
            "gopher, https",
            "a/b, tv.example",
            "https://tv.example",
            "invalid: the nearer value",
        ),
        ("1.2.3.4", "\"https\"", "\"tv.example:81\"", "https://tv.example:81", "in quotes"),
        ("1.2.3.4", "", "user@evil", "http://own.lan", "a user"),
        ("1.2.3.4", "", "evil/..", "http://own.lan", "a path"),
        ("1.2.3.4", "", ":80", "http://own.lan", "a port alone"),
        ("1.2.3.4", "", "a:", "http://own.lan", "an empty port"),
        ("1.2.3.4", "", "a%2e", "http://own.lan", "an escape"),
        ("1.2.3.4", "", "a b", "http://own.lan", "a blank"),
        ("1.2.3.4", "", "[2001:db8::1]:81", "http://[2001:db8::1]:81", "IPv6"),
    ] {
        let headers = [
            ("Host", "own.lan"),
            ("X-Forwarded-For", for_),
            ("X-Forwarded-Proto", proto),
            ("X-Forwarded-Host", host),
        ];
        assert_eq!(origin(&resolve(&rules(KNOWN), &headers)), expected, "{why}");
    }
}

#[test]
fn the_connection_counts_where_nothing_is_said() {
    let headers: Lines<'_> = &[("Host", "own.lan"), ("X-Forwarded-For", "1.2.3.4")];
    let rules = rules(KNOWN);
    assert_eq!(origin(&rules.resolve(&over_tls(PROXY), headers)), "https://own.lan");
    let h2 = connection(PROXY).with_authority(Some("h2.lan:8920"));
    assert_eq!(origin(&rules.resolve(&h2, headers)), "http://h2.lan:8920");
    let bad = connection(PROXY).with_authority(Some("user@h2.lan"));
    let resolved = rules.resolve(&bad, headers);
    assert_eq!((origin(&resolved), flags(&resolved)), ("http://".into(), vec!["invalid-host"]));
    let twice = resolve(&rules, &[("Host", "a"), ("host", "b"), ("X-Forwarded-For", "1.2.3.4")]);
    assert_eq!((origin(&twice), flags(&twice)), ("http://".into(), vec!["invalid-host"]));
}

#[test]
fn a_contract_says_which_headers_are_a_proxys_own() {
    const HEADERS: Lines<'_> = &[
        ("Host", "own.lan:8096"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "tv.example:81"),
        ("X-Forwarded-Port", "8443"),
        ("X-Forwarded-Prefix", "/tv/"),
    ];
    for (known, expected, prefix, why) in [
        ("10.0.0.2", "https://tv.example:81", None, "port and prefix are opt-in"),
        ("10.0.0.2 sets for", "http://own.lan:8096", None, "HAProxy's documented configuration"),
        ("10.0.0.2 sets for,proto", "https://own.lan:8096", None, "no host"),
        ("10.0.0.2 sets for,proto,host,port", "https://tv.example:8443", None, "a port"),
        ("10.0.0.2 sets for,proto,port", "https://own.lan:8443", None, "a port for our host"),
        ("10.0.0.2 sets for,prefix", "http://own.lan:8096", Some("/tv"), "a prefix"),
    ] {
        let resolved = resolve(&rules(&[known]), HEADERS);
        assert_eq!(origin(&resolved), expected, "{why}");
        assert_eq!(resolved.prefix, prefix, "{why}");
        assert!(flags(&resolved).contains(&"outside-contract"), "{why}");
    }
    let whole = Contract::STANDARD.and(Contract::PORT).and(Contract::PREFIX);
    let resolved = resolve(&rules(&[&format!("10.0.0.2 sets {whole}")]), HEADERS);
    assert!(resolved.audit.is_empty());

    let implied = [("X-Forwarded-For", "1.2.3.4"), ("Host", "tv:81"), ("X-Forwarded-Port", "80")];
    let resolved = resolve(&rules(&["10.0.0.2 sets for,port"]), &implied);
    assert_eq!(origin(&resolved), "http://tv", "a port that the scheme implies");
}

#[test]
fn in_a_chain_each_proxy_takes_its_own_values() {
    // The proxy in front sets the address alone, the one behind it all three.
    let rules = rules(&["10.0.0.2 sets for", "10.0.0.3"]);
    let headers: Lines<'_> = &[
        ("X-Forwarded-For", "1.2.3.4, 10.0.0.3"),
        ("X-Forwarded-Proto", "http, https"),
        ("X-Forwarded-Host", "evil.example, tv.example"),
    ];
    assert_eq!(origin(&resolve(&rules, headers)), "https://tv.example");
    let stranger: Lines<'_> = &[
        ("Host", "own.lan"),
        ("X-Forwarded-For", "10.0.0.3, 1.2.3.4"),
        ("X-Forwarded-Host", "evil.example"),
    ];
    assert_eq!(origin(&resolve(&rules, stranger)), "http://own.lan");
}

#[test]
fn prefixes_are_paths_or_nothing() {
    let rules = rules(&["10.0.0.2 sets for,prefix"]);
    for (text, expected, why) in [
        ("/a/b", Some("/a/b"), "a path"),
        ("/a%20b/", Some("/a%20b"), "an escape, and a slash at the end"),
        ("/", None, "nothing was cut off"),
        ("a", None, "no slash"),
        ("//evil.example", None, "a host"),
        ("/a//b", None, "an empty segment"),
        ("/a/../b", None, "a dot segment"),
        ("/a?b", None, "a query"),
        ("/a\\b", None, "a backslash"),
        ("/evil, /a", Some("/a"), "the right end"),
    ] {
        let headers = [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Prefix", text)];
        assert_eq!(resolve(&rules, &headers).prefix, expected, "{why}");
    }
}

#[test]
fn the_limit_ends_the_walk() {
    let headers: Lines<'_> = &[("X-Forwarded-For", "6.6.6.6, 10.0.0.5, 10.0.0.4, 10.0.0.3")];
    for (limit, expected, expected_flags) in [
        (1, "10.0.0.3 proxy-only/1", &["only-proxies", "hop-limit"][..]),
        (2, "10.0.0.4 proxy-only/2", &["only-proxies", "hop-limit"]),
        (3, "10.0.0.5 proxy-only/3", &["only-proxies", "hop-limit"]),
        (4, "6.6.6.6 forwarded/4", &[]),
        (32, "6.6.6.6 forwarded/4", &[]),
    ] {
        let rules = rules(KNOWN).with_limit(HopLimit::new(limit).unwrap());
        let resolved = resolve(&rules, headers);
        assert_eq!(who(&resolved), expected, "{limit}");
        assert_eq!(flags(&resolved), expected_flags, "{limit}");
    }
    let one = rules(KNOWN).with_limit(HopLimit::new(1).unwrap());
    let client = resolve(&one, &[("X-Forwarded-For", "6.6.6.6, 1.2.3.4")]);
    assert_eq!(who(&client), "1.2.3.4 forwarded/1", "the last hop allowed may be the client");
    let long = vec!["10.0.0.3"; 500].join(", ");
    let hostile = [("X-Forwarded-For", long.as_str())];
    assert_eq!(who(&resolve(&rules(KNOWN), &hostile)), "10.0.0.3 proxy-only/32");
}

#[test]
fn only_allowed_hosts_are_taken() {
    let allowed = AllowedHosts::parse(["tv.example", "*.home.example"]).unwrap();
    let rules = rules(KNOWN).with_allowed_hosts(allowed);
    for (host, expected, flag) in [
        ("tv.example:8443", "http://tv.example:8443", None),
        ("a.home.example", "http://a.home.example", None),
        ("home.example", "http://own.lan", Some("host-not-allowed")),
        ("evil.example", "http://own.lan", Some("host-not-allowed")),
    ] {
        let headers =
            [("Host", "own.lan"), ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Host", host)];
        let resolved = resolve(&rules, &headers);
        assert_eq!(origin(&resolved), expected, "{host}");
        assert_eq!(flags(&resolved).first().copied(), flag, "{host}");
    }
}

#[test]
fn oddities_are_flagged_and_change_nothing() {
    for (header, value, expected) in [
        ("Forwarded", "for=6.6.6.6", "foreign-family"),
        ("X-Real-IP", "6.6.6.6", "alias-mismatch"),
        ("CF-Connecting-IP", "nonsense", "alias-mismatch"),
        ("X_Forwarded_For", "6.6.6.6", "underscore-header"),
        ("Connection", "keep-alive, X-Forwarded-For", "connection-nominates"),
        ("X-Forwarded-Port", "1", "outside-contract"),
        ("X-Forwarded-Proto", "gopher", "invalid-scheme"),
        ("X-Forwarded-Host", "a b", "invalid-host"),
    ] {
        let headers = [("Host", "a"), ("X-Forwarded-For", "1.2.3.4"), (header, value)];
        let resolved = resolve(&rules(KNOWN), &headers);
        assert_eq!(who(&resolved), "1.2.3.4 forwarded/1", "{header}");
        assert_eq!(origin(&resolved), "http://a", "{header}");
        assert_eq!(flags(&resolved), [expected], "{header}");
    }
    for (header, value) in [
        ("X-Real-IP", "1.2.3.4"),
        ("Connection", "keep-alive, Upgrade"),
        ("X-Forwarded-Server", "proxy"),
    ] {
        let headers = [("X-Forwarded-For", "1.2.3.4"), (header, value)];
        assert_eq!(flags(&resolve(&rules(KNOWN), &headers)), [""; 0], "{header}");
    }
}

#[test]
fn two_families_must_agree() {
    let rules = rules(KNOWN).with_family(Family::Both);
    for (headers, who_, origin_, why) in [
        (
            &[("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https")][..],
            "1.2.3.4 forwarded/1",
            "https://own.lan",
            "one alone",
        ),
        (
            &[("Forwarded", "for=1.2.3.4;proto=https")],
            "1.2.3.4 forwarded/1",
            "https://own.lan",
            "the other alone",
        ),
        (
            &[("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "for=1.2.3.4")],
            "1.2.3.4 forwarded/1",
            "http://own.lan",
            "the same client",
        ),
        (
            &[("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "for=\"1.2.3.4:80\"")],
            "1.2.3.4 forwarded/1",
            "http://own.lan",
            "a port is no other client",
        ),
        (
            &[("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "for=6.6.6.6")],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "another client",
        ),
        (
            &[("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "for=1.2.3.4;host=evil.example")],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "another host",
        ),
        (
            &[("X-Forwarded-Proto", "https"), ("Forwarded", "for=1.2.3.4")],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "a family without a client",
        ),
        (
            &[("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "")],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "an empty line is a line",
        ),
    ] {
        let headers: Vec<_> = [("Host", "own.lan")].iter().chain(headers).copied().collect();
        let resolved = resolve(&rules, &headers);
        assert_eq!(who(&resolved), who_, "{why}");
        assert_eq!(origin(&resolved), origin_, "{why}");
        let conflicts = flags(&resolved).contains(&"conflict");
        assert_eq!(conflicts, who_.contains("proxy-only"), "{why}");
    }
}

#[test]
fn the_proxy_protocol_is_the_first_hop() {
    let rules = rules(&["10.0.0.2", "10.0.0.3"]);
    let from = |client: Option<&str>, tls| PreambleClient {
        client: client.map(|client| client.parse().unwrap()),
        tls,
    };
    let headers: Lines<'_> =
        &[("Host", "tv.lan"), ("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-Proto", "https")];
    for (peer_, preamble, who_, origin_, why) in [
        (
            PROXY,
            from(Some("1.2.3.4:5"), None),
            "1.2.3.4 5 forwarded/1",
            "http://tv.lan",
            "the client's own headers are not read",
        ),
        (
            PROXY,
            from(Some("1.2.3.4:5"), Some(true)),
            "1.2.3.4 5 forwarded/1",
            "https://tv.lan",
            "TLS ended at the proxy",
        ),
        (
            PROXY,
            from(Some("[::ffff:10.0.0.3]:5"), None),
            "9.9.9.9 forwarded/2",
            "https://tv.lan",
            "an HTTP proxy behind a TCP one: its headers count",
        ),
        (
            PROXY,
            from(None, None),
            "10.0.0.2 proxy-only/0",
            "http://tv.lan",
            "the proxy does not know",
        ),
        (
            "10.0.0.9:1",
            from(Some("127.0.0.1:5"), Some(true)),
            "10.0.0.9 1 direct/0",
            "http://tv.lan",
            "a stranger's preamble is a claim like any other",
        ),
    ] {
        let connection = Connection::from_peer(peer(peer_)).with_preamble(Some(preamble));
        let resolved = rules.resolve(&connection, headers);
        assert_eq!(who(&resolved), who_, "{why}");
        assert_eq!(origin(&resolved), origin_, "{why}");
    }
}
