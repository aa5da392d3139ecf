//! Who the client is, and whether it may come in.

use serde_json::{Value, json};

use super::check;

/// A request from a proxy, with this section of the configuration.
fn proxied(proxies: Value, headers: Value) -> Value {
    let mut question = json!({"peer": "10.0.0.2", "interfaces": [], "config": {}});
    question["config"]["proxies"] = proxies;
    question["headers"] = headers;
    question
}

fn forwarded(client: &str, hops: u8) -> Value {
    json!({"client": client, "provenance": "forwarded", "hops": hops})
}

/// Nobody knows who it is, so it is not from the LAN, whatever the proxy's own address.
fn nobody(flag: &str) -> Value {
    json!({"client": "10.0.0.2", "provenance": "proxy-only", "hops": 0, "audit": [flag],
        "local": false, "access": {"allowed": true, "reason": "remote"}})
}

#[test]
fn who_is_no_known_proxy_is_itself() {
    let spoofed = json!([
        ["Host", "tv.lan"],
        ["X-Forwarded-For", "127.0.0.1"],
        ["X-Forwarded-Proto", "https"],
        ["X-Forwarded-Host", "evil.example"],
        ["Forwarded", "for=127.0.0.1;proto=https;host=evil.example"]
    ]);
    let own = |peer: &str, local: bool| {
        json!({"client": peer, "provenance": "direct", "hops": 0, "scheme": "http",
            "host": "tv.lan", "local": local, "audit": ["untrusted-peer"]})
    };
    let from = |peer: &str| json!({"peer": peer, "interfaces": [], "headers": spoofed});
    check(vec![
        ("no proxies at all", from("203.0.113.9"), own("203.0.113.9", false)),
        (
            "another is the proxy",
            proxied(json!({"known": ["10.0.0.3"]}), spoofed.clone()),
            own("10.0.0.2", true),
        ),
        ("loopback is not implied", from("127.0.0.1"), own("127.0.0.1", true)),
        ("a mapped address is the IPv4 one", from("::ffff:192.168.1.5"), own("192.168.1.5", true)),
        (
            "TLS of its own",
            json!({"peer": "203.0.113.9", "tls": true}),
            json!({"scheme": "https", "audit": []}),
        ),
    ]);
}

#[test]
fn a_known_proxy_names_the_client_from_the_right() {
    let lan = || json!({"known": ["10.0.0.0/24"]});
    let xff = |value: &str| json!([["X-Forwarded-For", value]]);
    let mapped = json!({"peer": "::ffff:10.0.0.2", "interfaces": [],
        "config": {"proxies": {"known": ["10.0.0.2"]}},
        "headers": [["X-Forwarded-For", "::ffff:1.2.3.4"]]});
    let port = json!({"client": "1.2.3.4", "client_port": 99});
    let six = json!({"client": "2001:db8::1", "client_port": 4711});
    let left = json!({"client": "203.0.113.9", "hops": 1, "audit": ["entries-left-of-client"]});
    let haproxy = json!([["X-Forwarded-For", "6.6.6.6"], ["X-Forwarded-For", "203.0.113.9"]]);
    let apache = json!([
        ["X-Forwarded-For", "1.2.3.4"],
        ["X-Forwarded-Proto", "https"],
        ["X-Forwarded-Host", "evil.example, tv.example.org"]
    ]);
    let limit = json!({"known": ["10.0.0.0/24"], "limit": 1});
    check(vec![
        ("one hop", proxied(lan(), xff("1.2.3.4")), forwarded("1.2.3.4", 1)),
        (
            "a chain of proxies",
            proxied(lan(), xff("6.6.6.6, 1.2.3.4, 10.0.0.3")),
            forwarded("1.2.3.4", 2),
        ),
        (
            "what the client wrote is not read",
            proxied(lan(), xff("garbage\", 203.0.113.9")),
            left.clone(),
        ),
        ("HAProxy's own last line", proxied(lan(), haproxy), left),
        (
            "Apache appends to the host",
            proxied(lan(), apache),
            json!({"client": "1.2.3.4", "scheme": "https", "host": "tv.example.org"}),
        ),
        ("a port", proxied(lan(), xff("1.2.3.4:99")), port),
        ("IPv6 with a port", proxied(lan(), xff("[2001:db8::1]:4711")), six),
        ("mapped on both sides", mapped, forwarded("1.2.3.4", 1)),
        ("a client on the LAN", proxied(lan(), xff("192.168.1.7")), json!({"local": true})),
        (
            "within the limit",
            proxied(limit.clone(), xff("6.6.6.6, 1.2.3.4")),
            forwarded("1.2.3.4", 1),
        ),
        (
            "beyond the limit",
            proxied(limit, xff("1.2.3.4, 10.0.0.3")),
            json!({"provenance": "proxy-only", "provenance_reason": "only-proxies", "local": false}),
        ),
    ]);
}

#[test]
fn a_proxy_that_names_nobody_is_remote() {
    let lan = || json!({"known": ["10.0.0.0/24"]});
    let xff = |value: &str| json!([["X-Forwarded-For", value]]);
    let only =
        json!({"provenance": "proxy-only", "provenance_reason": "only-proxies", "local": false});
    let mut loopback = proxied(json!({"known": ["127.0.0.1"]}), json!([]));
    loopback["peer"] = json!("127.0.0.1");
    loopback["config"]["access"] = json!({"remote": false});
    let no_client =
        json!([["X-Forwarded-Proto", "https"], ["X-Forwarded-Host", "evil.example, tv.lan"]]);
    check(vec![
        ("no header", proxied(lan(), json!([])), nobody("missing-client")),
        ("unknown", proxied(lan(), xff("1.2.3.4, unknown")), nobody("unknown-client")),
        ("an obfuscated name", proxied(lan(), xff("1.2.3.4, _hidden")), nobody("unknown-client")),
        ("a leading zero", proxied(lan(), xff("1.2.3.4, 010.0.0.1")), nobody("malformed-entry")),
        ("a signed port", proxied(lan(), xff("1.2.3.4:+80")), nobody("malformed-entry")),
        ("a name", proxied(lan(), xff("localhost")), nobody("malformed-entry")),
        ("proxies alone", proxied(lan(), xff("10.0.0.4, 10.0.0.3")), only),
        (
            "only the last host counts without a client",
            proxied(lan(), no_client),
            json!({"provenance": "proxy-only", "host": "tv.lan", "scheme": "https"}),
        ),
        (
            "not even loopback comes in",
            loopback,
            json!({"provenance": "proxy-only", "access": {"allowed": false}}),
        ),
    ]);
}

#[test]
fn one_family_of_headers_counts_at_a_time() {
    let family = |name: &str| json!({"known": ["10.0.0.2"], "family": name});
    let both =
        |xff: &str, forwarded: &str| json!([["X-Forwarded-For", xff], ["Forwarded", forwarded]]);
    let quoted = "for=\"[2001:db8::1]:4711\";proto=https;host=tv.lan";
    let hosts = json!({"known": ["10.0.0.2"], "allowed_hosts": ["tv.lan", "*.example.org"]});
    let host = |name: &str| {
        json!([["Host", "inner"], ["X-Forwarded-For", "8.8.8.8"], ["X-Forwarded-Host", name]])
    };
    check(vec![
        (
            "the usual one",
            proxied(family("x-forwarded"), both("8.8.8.8", "for=6.6.6.6")),
            forwarded("8.8.8.8", 1),
        ),
        (
            "RFC 7239",
            proxied(family("forwarded"), both("6.6.6.6", quoted)),
            json!({"client": "2001:db8::1", "client_port": 4711, "scheme": "https", "host": "tv.lan"}),
        ),
        (
            "two that agree",
            proxied(family("both"), both("8.8.8.8", "for=8.8.8.8")),
            forwarded("8.8.8.8", 1),
        ),
        (
            "two that do not",
            proxied(family("both"), both("8.8.8.8", "for=9.9.9.9")),
            nobody("conflict"),
        ),
        (
            "an allowed host",
            proxied(hosts.clone(), host("a.example.org")),
            json!({"host": "a.example.org", "audit": []}),
        ),
        (
            "another host",
            proxied(hosts, host("evil.example")),
            json!({"client": "8.8.8.8", "host": "inner", "audit": ["host-not-allowed"]}),
        ),
    ]);
}

#[test]
fn access_is_decided_by_lan_and_filter() {
    let from = |peer: &str, access: Value| json!({"peer": peer, "interfaces": [], "config": {"access": access}});
    let verdict = |local: bool, allowed: bool, reason: &str| json!({"local": local, "access": {"allowed": allowed, "reason": reason}});
    let filter = |mode: &str| json!({"remote_filter": ["8.8.8.0/24"], "remote_filter_mode": mode});
    check(vec![
        ("the usual LAN", from("192.168.1.5", json!({})), verdict(true, true, "lan")),
        ("IPv6 of the LAN", from("fd00::5", json!({})), verdict(true, true, "lan")),
        (
            "this host",
            from("127.0.0.1", json!({"lan": ["10.0.0.0/8"]})),
            verdict(true, true, "loopback"),
        ),
        (
            "another LAN",
            from("192.168.1.5", json!({"lan": ["10.0.0.0/8"]})),
            verdict(false, true, "remote"),
        ),
        (
            "an exception",
            from("10.1.0.5", json!({"lan": ["10.0.0.0/8", "!10.1.0.0/16"]})),
            verdict(false, true, "remote"),
        ),
        (
            "a named set",
            from("100.64.0.9", json!({"lan": ["tailscale"]})),
            verdict(true, true, "lan"),
        ),
        (
            "no remote access",
            from("8.8.8.8", json!({"remote": false})),
            verdict(false, false, "remote-disabled"),
        ),
        (
            "the LAN without it",
            from("10.0.0.1", json!({"remote": false})),
            verdict(true, true, "lan"),
        ),
        ("allowed", from("8.8.8.8", filter("allow")), verdict(false, true, "allow-listed")),
        (
            "not allowed",
            from("9.9.9.9", filter("allow")),
            verdict(false, false, "not-allow-listed"),
        ),
        ("blocked", from("8.8.8.8", filter("block")), verdict(false, false, "block-listed")),
        ("not blocked", from("9.9.9.9", filter("block")), verdict(false, true, "remote")),
    ]);
}
