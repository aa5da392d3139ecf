//! What holds for every host and every peer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;
use ipnet::IpNet;
use jellynet_netif::{Interface, InterfaceAddr, InterfaceTable};
use jellynet_published::{Ask, Listener, Published, PublishedConfig, Rejection, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn any_ip() -> impl Strategy<Value = IpAddr> {
    let v4 = (
        select(vec![[10, 0], [192, 168], [172, 17], [203, 0], [100, 64], [169, 254], [127, 0]]),
        0_u8..3,
        1_u8..9,
    )
        .prop_map(|([a, b], c, d)| IpAddr::from(Ipv4Addr::new(a, b, c, d)));
    let v6 = (select(vec![0x2001, 0xfd00, 0xfe80, 0]), 0_u16..3, 1_u16..9)
        .prop_map(|(a, b, h)| IpAddr::from(Ipv6Addr::new(a, 0, 0, b, 0, 0, 0, h)));
    prop_oneof![v4, v6]
}

fn any_address() -> impl Strategy<Value = InterfaceAddr> {
    (any_ip(), 0_u8..=16, any::<bool>(), any::<bool>()).prop_map(
        |(ip, cut, tentative, temporary)| {
            let most = if ip.is_ipv4() { 32 } else { 128 };
            InterfaceAddr::new(IpNet::new(ip, most - cut).unwrap())
                .with_tentative(tentative)
                .with_temporary(temporary)
        },
    )
}

fn any_interfaces() -> impl Strategy<Value = InterfaceTable> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let interface = (flags, vec(any_address(), 0..4));
    vec(interface, 0..4).prop_map(|interfaces| {
        let made = (2..).zip(interfaces).map(|(index, ((up, tunnel, software), addresses))| {
            let mut interface = Interface::new(format!("if{index}"), index);
            interface.flags.up = up;
            interface.flags.point_to_point = tunnel;
            interface.flags.r#virtual = software;
            interface.addresses = addresses;
            interface
        });
        InterfaceTable::new(made.chain([Interface::loopback(1)]))
    })
}

fn any_overrides() -> impl Strategy<Value = Vec<String>> {
    let all = [
        "https://media.example/tv",
        "internal=http://192.168.1.99:8096/tv",
        "external=http://[2001:db8::99]/tv",
        "10.0.0.0/8=http://10.9.9.9/tv",
        "if2=http://if2.example/tv",
        "loopback=http://localhost:8096/tv",
    ];
    subsequence(all.map(str::to_owned).to_vec(), 0..=all.len())
}

fn any_listeners() -> impl Strategy<Value = Vec<Listener>> {
    let all = ["0.0.0.0:8096", "[::]:8096", "127.0.0.1:8097", "10.0.0.1:80"]
        .map(|address| Listener::http(address.parse().unwrap()))
        .into_iter()
        .chain([Listener::https("0.0.0.0:8920".parse().unwrap())]);
    subsequence(all.collect::<Vec<_>>(), 0..=5)
}

fn publish(overrides: Vec<String>, by_request: bool) -> Published {
    let mut config = PublishedConfig::default();
    config.base_path = "/tv".into();
    config.overrides = overrides;
    config.by_request = by_request;
    Published::new(config).unwrap()
}

/// The host of a URL as an address; `None` for a name.
fn literal(uri: &Uri) -> Option<IpAddr> {
    uri.host()?.trim_matches(['[', ']']).parse().ok()
}

proptest! {
    #[test]
    fn no_answer_is_a_wrong_one(
        peer in any_ip(),
        interfaces in any_interfaces(),
        listeners in any_listeners(),
        overrides in any_overrides(),
        came_by in proptest::option::of(1_u32..6),
        plain in any::<bool>(),
        by_request in any::<bool>(),
        request in proptest::option::of(select(vec!["http://localhost/", "https://r.example/x", "http://10.0.0.7:1/"])),
    ) {
        let published = publish(overrides, by_request);
        let uri: Option<Uri> = request.map(|uri| uri.parse().unwrap());
        let mut ask = Ask::new(peer);
        if let Some(index) = came_by {
            ask = ask.came_by(index);
        }
        if let Some(uri) = &uri {
            ask = ask.request(uri);
        }
        if plain {
            ask = ask.plain_address();
        }
        let explained = published.explain(&ask, &interfaces, &listeners);
        let announced = published.for_peer(&ask, &interfaces, &listeners);
        prop_assert_eq!(&announced, &explained.announced());
        let usable = explained
            .considered
            .iter()
            .filter(|c| !matches!(c.verdict, Verdict::Rejected(_)));
        prop_assert_eq!(announced.is_some(), usable.count() > 0, "{}", explained);

        let Some(announced) = announced else { return Ok(()) };
        let url: Uri = announced.url.parse().unwrap();
        prop_assert_eq!(url.path(), "/tv");
        prop_assert!(!announced.url.ends_with('/'));
        prop_assert!(matches!(url.scheme_str(), Some("http" | "https")));
        let loopback = url.host() == Some("localhost") || literal(&url).is_some_and(|ip| ip.is_loopback());
        prop_assert!(!loopback || peer.is_loopback(), "{}", explained);
        prop_assert!(!plain || (literal(&url).is_some() && url.scheme_str() == Some("http")));
        let Some(ip) = literal(&url) else { return Ok(()) };
        prop_assert!(!matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()));
        if let Some(interface) = interfaces.holding(ip).filter(|i| i.flags.r#virtual)
            && !interfaces.iter().any(|i| !i.flags.r#virtual && i.addresses.iter().any(|a| a.ip() == ip))
            && !announced.url.contains("10.9.9.9")
            && uri.is_none()
        {
            let near = interface.addresses.iter().any(|a| a.on_link(peer));
            prop_assert!(near || came_by == Some(interface.index) || peer.is_loopback(), "{}", explained);
        }
        if ip.is_ipv4() != peer.is_ipv4() {
            let own_family = explained.considered.iter().any(|c| {
                c.verdict != Verdict::Rejected(Rejection::OtherFamily)
                    && !matches!(c.verdict, Verdict::Rejected(_))
                    && c.url.parse::<Uri>().is_ok_and(|url| {
                        literal(&url).is_none_or(|ip| ip.is_ipv4() == peer.is_ipv4())
                    })
            });
            prop_assert!(!own_family, "{}", explained);
        }
    }

    #[test]
    fn a_name_published_for_all_is_everybodys_answer(
        peer in any_ip(),
        interfaces in any_interfaces(),
        listeners in any_listeners(),
    ) {
        let published = publish(vec!["https://media.example/tv".into()], false);
        let announced = published.for_peer(&Ask::new(peer), &interfaces, &listeners);
        prop_assert_eq!(announced.unwrap().url, "https://media.example/tv");
    }

    #[test]
    fn no_entry_panics_and_every_hint_can_be_used(entry in "(all|eth0|10[.]0/8|)=?(http:/?/?)?[a-z0-9:.\\[\\]@/?#=-]{0,20}|\\PC{0,20}") {
        let config = |entry: String| {
            let mut config = PublishedConfig::default();
            config.base_path = "/tv".into();
            config.overrides = vec![entry];
            config
        };
        if let Err(jellynet_published::PublishedConfigError::Overrides(bad)) = Published::new(config(entry)) {
            prop_assert_eq!(bad.bad().len(), 1);
            if let Some(hint) = &bad.bad()[0].hint {
                prop_assert!(Published::new(config(hint.clone())).is_ok(), "{}", bad.bad()[0]);
            }
        }
    }
}
