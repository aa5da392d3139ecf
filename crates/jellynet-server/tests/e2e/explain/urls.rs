//! Where the path goes, and which URL the client is told.

use serde_json::{Value, json};

use super::check;

#[test]
fn the_path_goes_where_the_base_url_says() {
    let to = |base: &str, method: &str, target: &str| {
        json!({"peer": "192.168.1.5", "interfaces": [], "method": method, "target": target,
            "config": {"base_url": {"path": base, "previous": ["/old"]}}})
    };
    let pass = |inner: &str| json!({"base_url": {"action": "pass", "inner": inner, "status": null, "location": null}});
    let redirect = |to: &str| json!({"base_url": {"action": "redirect", "inner": null, "status": 302, "location": to}});
    let missing = || json!({"base_url": {"action": "not-found", "inner": null}});
    let mut rows = vec![
        ("no base", to("", "GET", "/"), redirect("web/")),
        ("normalised", to("jellyfin/", "GET", "/jellyfin/x"), pass("/x")),
        ("two segments", to("/a/b", "GET", "/a/b"), redirect("b/web/")),
        ("half of two", to("/a/b", "GET", "/a"), redirect("a/b/web/")),
        ("a near miss of two", to("/a/b", "GET", "/a/bc"), missing()),
    ];
    for (method, target, expected) in [
        ("GET", "/", redirect("jellyfin/web/")),
        ("HEAD", "/", redirect("jellyfin/web/")),
        ("GET", "/jellyfin", redirect("jellyfin/web/")),
        ("GET", "/jellyfin/", redirect("web/")),
        ("GET", "/jellyfin/x?q=%2F", pass("/x?q=%2F")),
        ("GET", "/JELLYFIN/x", pass("/x")),
        ("GET", "/jellyfinx", missing()),
        ("GET", "/other/path?q", redirect("../jellyfin/web/?q")),
        ("GET", "//evil.com", redirect("../jellyfin/web/")),
        ("GET", "/%2e%2e/", missing()),
        ("POST", "/Users/AuthenticateByName", missing()),
        ("POST", "/jellyfin/Users/AuthenticateByName", pass("/Users/AuthenticateByName")),
        ("GET", "/health", pass("/health")),
        ("GET", "/jellyfin/health", pass("/health")),
        ("GET", "/System/Info/Public", pass("/System/Info/Public")),
        ("GET", "/jellyfin/system/info/public", pass("/system/info/public")),
        ("GET", "/old/x?y", redirect("../jellyfin/x?y")),
        ("POST", "/old/x", pass("/x")),
    ] {
        rows.push((target, to("/jellyfin", method, target), expected));
    }
    check(rows);
}

#[test]
fn each_peer_is_told_a_url_that_it_can_reach() {
    let told = |peer: &str, urls: Value| {
        json!({"peer": peer, "config": {"published": {"urls": urls}}, "interfaces": [
            {"name": "eth0", "index": 2, "address": "192.168.1.208/24"},
            {"name": "eth1", "index": 3, "address": "10.20.0.10/16"}]})
    };
    let url = |url: &str, because: &str| json!({"published": {"url": url, "because": because}});
    let split = || json!(["internal=http://tv.lan:8096", "external=https://tv.example.org"]);
    let mut port = told("192.168.1.5", json!([]));
    port["config"]["http"] = json!({"listen": ["eth0:9000"]});
    let mut loopback = port.clone();
    loopback["config"]["http"] = json!({"listen": ["127.0.0.1:8096"]});
    check(vec![
        (
            "its own subnet",
            told("192.168.1.5", json!([])),
            url("http://192.168.1.208:8096", "the peer is in 192.168.1.0/24 of eth0"),
        ),
        (
            "the other subnet",
            told("10.20.3.4", json!([])),
            url("http://10.20.0.10:8096", "the peer is in 10.20.0.0/16 of eth1"),
        ),
        (
            "mapped",
            told("::ffff:10.20.3.4", json!([])),
            url("http://10.20.0.10:8096", "the peer is in 10.20.0.0/16 of eth1"),
        ),
        (
            "nothing that a remote peer reaches",
            told("8.8.8.8", json!([])),
            json!({"published": null}),
        ),
        (
            "this host, of whose interfaces no loopback is named",
            told("127.0.0.1", json!([])),
            url("http://192.168.1.208:8096", "the peer is this host"),
        ),
        (
            "all",
            told("8.8.8.8", json!(["all=https://tv.example.org"])),
            url("https://tv.example.org", "published for all, entry [0]"),
        ),
        (
            "bare",
            told("8.8.8.8", json!(["https://tv.example.org"])),
            url("https://tv.example.org", "published for all, entry [0]"),
        ),
        (
            "internal",
            told("10.20.3.4", split()),
            url("http://tv.lan:8096", "published for internal, entry [0]"),
        ),
        (
            "external",
            told("8.8.8.8", split()),
            url("https://tv.example.org", "published for external, entry [1]"),
        ),
        (
            "a subnet",
            told("10.20.3.4", json!(["all=http://a", "10.20.0.0/16=http://b"])),
            url("http://b", "published for 10.20.0.0/16, entry [1]"),
        ),
        (
            "an interface",
            told("192.168.1.5", json!(["eth0=http://c"])),
            url("http://c", "published for eth0, entry [0]"),
        ),
        (
            "not that interface",
            told("10.20.3.4", json!(["eth0=http://c"])),
            url("http://10.20.0.10:8096", "the peer is in 10.20.0.0/16 of eth1"),
        ),
        (
            "another port",
            port,
            url("http://192.168.1.208:9000", "the peer is in 192.168.1.0/24 of eth0"),
        ),
        ("nothing listens there", loopback, json!({"published": null})),
    ]);
}

#[test]
fn of_several_upstreams_the_one_that_is_meant_is_named() {
    let to = |host: &str, target: &str| {
        json!({"peer": "192.168.1.5", "target": target, "headers": [["Host", host]],
            "interfaces": [{"name": "eth0", "index": 2, "address": "192.168.1.208/24"}],
            "config": {"upstream": [
                {"url": "http://a", "base_url": "/films", "previous": ["/"]},
                {"url": "http://b", "base_url": "/tv", "name": "television"},
                {"url": "http://c", "hosts": ["music.lan"]}]}})
    };
    let meant = |name: &str, inner: &str, url: &str| {
        json!({"upstream": name, "published": {"url": url},
            "base_url": {"action": "pass", "inner": inner, "status": null, "location": null}})
    };
    let mut lost = to("x.lan", "/");
    lost["config"]["upstream"][0] = json!({"url": "http://a", "base_url": "/films"});
    let mut elsewhere = lost.clone();
    elsewhere["target"] = json!("/x");
    let mut nobody = to("x.lan", "/");
    nobody["config"]["upstream"] = json!([{"url": "http://c", "hosts": ["music.lan"]}]);
    let none = |action: &str, status: u16| {
        json!({"upstream": null, "published": null,
            "base_url": {"action": action, "inner": null, "status": status, "location": null}})
    };
    let here = "http://192.168.1.208:8096";
    check(vec![
        ("by path", to("x.lan", "/TV/x?y"), meant("television", "/x?y", &format!("{here}/tv"))),
        (
            "by name",
            to("music.lan:8096", "/tv"),
            meant("music.lan", "/tv", "http://music.lan:8096"),
        ),
        ("in place", to("x.lan", "/health"), meant("films", "/health", &format!("{here}/films"))),
        (
            "where it was",
            to("x.lan", "/x"),
            json!({"upstream": "films", "base_url": {"location": "films/x"}}),
        ),
        ("a list", lost, none("list", 200)),
        ("none of them", elsewhere, none("not-found", 404)),
        ("no such host", nobody, none("not-found", 421)),
    ]);
}
