//! The table of the documentation, line by line.

use jellynet_netif::{InterfaceTable, SubnetSet};
use jellynet_published::{
    Ask, Because, Listener, OwnHost, Published, PublishedConfig, Rejection, Verdict,
};

use crate::host::{container, everywhere, house, interface, published, rented};

fn url(
    published: &Published,
    ask: Ask<'_>,
    interfaces: &InterfaceTable,
    listeners: &[Listener],
) -> Option<String> {
    let announced = published.for_peer(&ask, interfaces, listeners)?;
    Some(announced.url)
}

fn ask(peer: &str) -> Ask<'static> {
    Ask::new(peer.parse().unwrap())
}

type Row = (&'static str, &'static [&'static str], &'static str, &'static str);

/// No answer.
const NONE: &str = "";

fn check(interfaces: &InterfaceTable, rows: &[Row]) {
    for (peer, overrides, expected, why) in rows {
        let published = published(overrides);
        let got = url(&published, ask(peer), interfaces, &everywhere());
        let explained = published.explain(&ask(peer), interfaces, &everywhere());
        assert_eq!(got.unwrap_or_default(), *expected, "{peer}: {why}\n{explained}");
    }
}

#[test]
#[rustfmt::skip]
fn each_peer_gets_the_address_that_it_reaches() {
    check(
        &house(),
        &[
            ("127.0.0.1", &[], "http://127.0.0.1:8096", "this host"),
            ("::1", &[], "http://[::1]:8096", "this host by IPv6"),
            ("192.168.1.50", &[], "http://192.168.1.10:8096", "its subnet; the tentative one has a longer prefix"),
            ("::ffff:192.168.1.50", &[], "http://192.168.1.10:8096", "mapped"),
            ("192.168.1.10", &[], "http://192.168.1.10:8096", "this host by its own address"),
            ("10.20.99.9", &[], "http://10.20.0.10:8096", "the other LAN"),
            ("10.99.0.9", &[], "http://10.20.0.10:8096", "routed: most bits in common"),
            ("192.168.77.9", &[], "http://192.168.1.10:8096", "routed: most bits in common"),
            ("192.168.9.9", &[], "http://192.168.1.10:8096", "its own subnet's interface is down"),
            ("2001:db8:1::50", &[], "http://[2001:db8:1::10]:8096", "IPv6 subnet"),
            ("2001:db8:77::9", &[], "http://[2001:db8:1::10]:8096", "public IPv6 reaches public IPv6"),
            ("fd00:1::50", &[], "http://[fd00:1::10]:8096", "unique local"),
            ("fd00:2::50", &[], "http://[fd00:1::10]:8096", "routed unique local"),
            ("169.254.7.9", &[], "http://169.254.7.7:8096", "IPv4 link-local, on its link"),
            ("172.17.0.5", &[], "http://172.17.0.1:8096", "a container reaches the bridge"),
            ("172.18.0.5", &[], "http://192.168.1.10:8096", "another bridge's container is routed, never to docker0"),
            ("203.0.113.9", &[], NONE, "no IPv4 address can be reached from there"),
            ("100.99.9.9", &[], NONE, "a stranger behind a provider's NAT"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn a_container_announces_nothing_of_its_inside() {
    check(
        &container(),
        &[
            ("192.168.1.50", &[], NONE, "the LAN cannot reach 172.18.0.2"),
            ("203.0.113.9", &[], NONE, "nor can the world"),
            ("172.18.0.5", &[], "http://172.18.0.2:8096", "a neighbour can"),
            ("127.0.0.1", &[], "http://127.0.0.1:8096", "a health check can"),
            ("192.168.1.50", &["http://192.168.1.10:8096"], "http://192.168.1.10:8096", "published"),
            ("172.18.0.1", &["all=http://192.168.1.10:8096"], "http://192.168.1.10:8096", "published, in the subnet too"),
            ("fd00::9", &["all=http://192.168.1.10:8096"], "http://192.168.1.10:8096", "another family where there is no other"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn the_world_reaches_public_addresses_alone() {
    check(
        &rented(),
        &[
            ("198.51.100.9", &[], "http://203.0.113.10:8096", "public to public"),
            ("2001:db8:77::9", &[], "http://[2001:db8:9::10]:8096", "the same by IPv6"),
            ("10.0.0.9", &[], "http://10.0.0.10:8096", "the inner network"),
            ("10.1.0.9", &[], "http://10.0.0.10:8096", "routed within the site"),
        ],
    );
    let v6_alone = InterfaceTable::new([interface("eth0", 2, &["2001:db8:9::10/64"])]);
    check(
        &v6_alone,
        &[("198.51.100.9", &[], "http://[2001:db8:9::10]:8096", "the other family where there is no other")],
    );
    let only_inner: InterfaceTable = rented()
        .iter()
        .filter(|i| i.name != "eth0")
        .cloned()
        .collect();
    check(
        &only_inner,
        &[("198.51.100.9", &[], NONE, "a private address is wrong for the world")],
    );
}

#[test]
#[rustfmt::skip]
fn the_most_specific_published_url_wins() {
    let all: &[&str] = &[
        "http://all.example",
        "internal=http://in.example",
        "external=http://out.example",
        "192.168.0.0/16=http://site.example",
        "eth0=http://eth0.example",
        "192.168.1.7=http://seven.example",
        "tailscale=http://tail.example",
        "10.20.0.0/16=http://ten.example",
        "eth1=http://eth1.example",
    ];
    check(
        &house(),
        &[
            ("192.168.1.7", all, "http://seven.example", "one address"),
            ("192.168.1.8", all, "http://eth0.example", "the interface's /24 is longer than /16"),
            ("192.168.2.8", all, "http://site.example", "/16"),
            ("10.20.0.9", all, "http://ten.example", "a subnet goes before an interface as long"),
            ("10.99.0.9", all, "http://in.example", "internal"),
            ("fd00:1::9", all, "http://eth0.example", "the interface's IPv6 subnet"),
            ("203.0.113.9", all, "http://out.example", "external"),
            ("100.99.9.9", all, "http://tail.example", "a named set"),
            ("127.0.0.1", all, "http://in.example", "this host is internal"),
            ("203.0.113.9", &["internal=http://in.example", "all=http://all.example"], "http://all.example", "all"),
            ("192.168.1.9", &["external=http://out.example"], "http://192.168.1.10:8096", "not for it"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn a_published_address_of_the_other_family_gives_way() {
    check(
        &house(),
        &[
            ("2001:db8:1::50", &["http://192.168.1.10:8096"], "http://[2001:db8:1::10]:8096", "the peer has IPv6"),
            (
                "192.168.1.50",
                &["internal=http://[fd00:1::10]", "http://10.9.9.9"],
                "http://10.9.9.9",
                "the next that fits",
            ),
            ("192.168.1.50", &["http://media.example"], "http://media.example", "a name has no family"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn the_interface_tells_where_the_address_does_not() {
    let published = published(&["eth1=http://one.example"]);
    let interfaces = house();
    for (peer, came_by, expected, why) in [
        ("fe80::9", Some(2), "http://[2001:db8:1::10]:8096", "link-local, by eth0"),
        ("fe80::9", None, NONE, "link-local, from anywhere"),
        ("100.99.9.9", Some(5), "http://100.101.1.1:8096", "by the tunnel"),
        ("10.77.0.9", Some(2), "http://192.168.1.10:8096", "routed, by eth0"),
        ("10.77.0.9", Some(3), "http://one.example", "routed, by eth1, which has a URL"),
    ] {
        let mut ask = ask(peer);
        if let Some(index) = came_by {
            ask = ask.came_by(index);
        }
        let got = url(&published, ask, &interfaces, &everywhere());
        assert_eq!(
            got.unwrap_or_default(),
            expected,
            "{peer} {came_by:?}: {why}"
        );
    }
}

#[test]
#[rustfmt::skip]
fn a_request_names_the_server_first_or_last() {
    let uri = "https://media.example:8443/System/Info/Public?x=1"
        .parse()
        .unwrap();
    let mut config = PublishedConfig::default();
    config.base_path = "tv".into();
    config.overrides = vec!["internal=http://in.example/tv".into()];
    let last = Published::new(config.clone()).unwrap();
    config.by_request = true;
    let first = Published::new(config).unwrap();
    let by_name = "https://media.example:8443/tv";
    for (published, peer, expected, why) in [
        (&first, "192.168.1.50", by_name, "before a published URL"),
        (&first, "203.0.113.9", by_name, "for the world too"),
        (&last, "192.168.1.50", "http://in.example/tv", "behind a published URL"),
        (&last, "203.0.113.9", by_name, "where nothing else is left"),
    ] {
        let ask = ask(peer).request(&uri);
        let got = url(published, ask, &container(), &everywhere());
        assert_eq!(got.as_deref(), Some(expected), "{peer}: {why}");
    }
    for (uri, why) in [
        ("/System/Info/Public", "no authority"),
        ("http://localhost:8096/", "loopback, asked from elsewhere"),
        ("http://127.0.0.1/", "loopback, asked from elsewhere"),
        ("http://me:pw@media.example/", "a user"),
        ("ftp://media.example/", "another scheme"),
    ] {
        let uri = uri.parse().unwrap();
        let ask = ask("203.0.113.9").request(&uri);
        assert_eq!(url(&last, ask, &container(), &everywhere()), None, "{why}");
    }
}

#[test]
#[rustfmt::skip]
fn a_control_point_gets_plain_http_and_an_address() {
    let listeners = [
        Listener::https("0.0.0.0:8920".parse().unwrap()),
        Listener::http("192.168.1.10:8096".parse().unwrap()),
    ];
    for (overrides, peer, expected, why) in [
        (&[][..], "192.168.1.50", "http://192.168.1.10:8096", "the plain listener"),
        (&["https://media.example"], "192.168.1.50", "http://192.168.1.10:8096", "not the name"),
        (&["http://192.168.1.99"], "192.168.1.50", "http://192.168.1.99", "a published address"),
        (&[], "10.20.0.9", "http://192.168.1.10:8096", "where only https listens, the routed one"),
    ] {
        let ask = ask(peer).plain_address();
        let got = url(&published(overrides), ask, &house(), &listeners);
        assert_eq!(got.as_deref(), Some(expected), "{peer}: {why}");
    }
    let ask = ask("172.18.0.1").plain_address();
    let explained =
        published(&["https://media.example"]).explain(&ask, &container(), &everywhere());
    assert_eq!(explained.announced(), None, "{explained}");
}

#[test]
#[rustfmt::skip]
fn scheme_and_port_come_from_the_listeners_and_the_router() {
    let both = [
        Listener::http("0.0.0.0:80".parse().unwrap()),
        Listener::https("0.0.0.0:8920".parse().unwrap()),
    ];
    let loopback = [Listener::http("127.0.0.1:8096".parse().unwrap())];
    let mapped = [Listener::http(
        "[::ffff:203.0.113.10]:8096".parse().unwrap(),
    )];
    for (prefer_https, listeners, peer, expected, why) in [
        (false, &both[..], "10.0.0.9", "http://10.0.0.10", "plain first; 80 is not written"),
        (true, &both, "10.0.0.9", "https://10.0.0.10:8920", "https first"),
        (true, &both[..1], "10.0.0.9", "http://10.0.0.10", "but there is none"),
        (false, &both, "198.51.100.9", "http://203.0.113.10:8080", "the public port"),
        (true, &both, "198.51.100.9", "https://203.0.113.10", "443 is not written"),
        (false, &loopback, "10.0.0.9", NONE, "bound to loopback alone"),
        (false, &loopback, "127.0.0.1", "http://127.0.0.1:8096", "which this host reaches"),
        (false, &mapped, "198.51.100.9", "http://203.0.113.10:8080", "mapped is undone"),
        (false, &[], "10.0.0.9", NONE, "nothing listens"),
    ] {
        let mut config = PublishedConfig::default();
        config.prefer_https = prefer_https;
        config.public_http_port = Some(8080);
        config.public_https_port = Some(443);
        let published = Published::new(config).unwrap();
        let got = url(&published, ask(peer), &rented(), listeners);
        assert_eq!(got.unwrap_or_default(), expected, "{peer}: {why}");
    }
}

#[test]
fn an_excluded_peer_is_external_though_on_the_link() {
    let mut config = PublishedConfig::default();
    config.lan = SubnetSet::parse(["private", "!192.168.1.128/25"]).unwrap();
    config.overrides = vec!["external=http://out.example".into()];
    let published = Published::new(config).unwrap();
    let to = |peer| url(&published, ask(peer), &house(), &everywhere());
    assert_eq!(to("192.168.1.200").as_deref(), Some("http://out.example"));
    assert_eq!(to("192.168.1.20").as_deref(), Some("http://192.168.1.10:8096"));
}

#[test]
fn an_explanation_shows_what_spoke_against_each() {
    let explained = published(&["external=https://media.example"]).explain(
        &ask("192.168.1.50"),
        &house(),
        &everywhere(),
    );
    let because = explained.announced().unwrap().because;
    let subnet = "192.168.1.0/24".parse().unwrap();
    assert_eq!(because, Because::OnLink { interface: "eth0".into(), subnet });
    for (url, rejection) in [
        ("http://127.0.0.1:8096", Rejection::Loopback),
        ("http://192.168.1.11:8096", Rejection::Tentative),
        ("http://[2001:db8:1::10]:8096", Rejection::OtherFamily),
        ("http://[fe80::10]:8096", Rejection::LinkLocal),
        ("http://172.17.0.1:8096", Rejection::Virtual),
        ("http://192.168.9.10:8096", Rejection::Down),
    ] {
        let considered = explained.considered.iter().find(|c| c.url == url).unwrap();
        assert_eq!(considered.verdict, Verdict::Rejected(rejection), "{explained}");
    }
    let text = explained.to_string();
    assert!(text.starts_with("for 192.168.1.50, internal\n"), "{text}");
    assert!(text.contains("chosen: the peer is in 192.168.1.0/24 of eth0"), "{text}");
    assert_eq!(text.matches("chosen").count(), 1, "{text}");
}

#[test]
fn an_entry_for_an_interface_that_is_not_there_waits_for_it() {
    let published =
        published(&["http://a.example", "eth0=http://b.example", "eth9=http://c.example"]);
    let interfaces = house();
    let waiting: Vec<_> = published.waiting(&interfaces).collect();
    assert_eq!(waiting, [(2, "eth9")]);
}

#[test]
fn a_server_under_names_alone_is_told_by_them() {
    let of = |own_host: OwnHost, overrides: &[&str], ask: Ask<'_>| {
        let mut config = PublishedConfig::default();
        config.own_host = own_host;
        config.base_path = "/tv".to_owned();
        config.overrides = overrides.iter().map(ToString::to_string).collect();
        config.positions = vec![4];
        let published = Published::new(config).unwrap();
        let announced = published.for_peer(&ask, &house(), &everywhere())?;
        Some((announced.url, announced.because))
    };
    let url = |own_host, overrides: &[&str], ask| of(own_host, overrides, ask).map(|(url, _)| url);
    let named = || OwnHost::Named("films.lan".to_owned());
    let lan = || ask("192.168.1.50");
    let http = |host: &str| Some(format!("http://{host}/tv"));
    assert_eq!(url(named(), &[], lan()), http("films.lan:8096"));
    assert_eq!(url(named(), &[], lan().plain_address()), http("192.168.1.10:8096"));
    assert_eq!(url(named(), &[], ask("203.0.113.9")), None, "the address that it stands for");
    assert_eq!(url(OwnHost::Unknown, &[], lan()), None);
    assert_eq!(url(OwnHost::Unknown, &[], lan().plain_address()), http("192.168.1.10:8096"));
    assert_eq!(url(OwnHost::Unknown, &["http://x.example"], lan()), http("x.example"));
    let (_, because) = of(named(), &["http://x.example"], lan()).unwrap();
    assert_eq!(because, Because::Override { index: 4, key: "all".to_owned() });
    let mut config = PublishedConfig::default();
    config.own_host = OwnHost::Named("*.lan".to_owned());
    let error = Published::new(config).unwrap_err();
    assert!(error.to_string().starts_with("`*.lan` is no host"), "{error}");
}
