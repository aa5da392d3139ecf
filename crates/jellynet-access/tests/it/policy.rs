//! Who may come in, row by row.

use std::net::IpAddr;

use jellynet_access::{FilterMode, Lan, Policy, Reason, RemoteFilter, UnixPeers};
use jellynet_netif::{ClientAddr, PeerAddr, Provenance, ProxyOnlyReason};
use proptest::prelude::*;

const DIRECT: Provenance = Provenance::Direct;
const FORWARDED: Provenance = Provenance::Forwarded { hops: 1 };
const PROXY_ONLY: Provenance = Provenance::ProxyOnly { reason: ProxyOnlyReason::Missing };

fn client(ip: &str, provenance: Provenance) -> Option<ClientAddr> {
    Some(ClientAddr { ip: ip.parse().unwrap(), port: None, provenance })
}

fn filter(mode: FilterMode, entries: &[&str]) -> Option<RemoteFilter> {
    RemoteFilter::parse(mode, entries).unwrap()
}

#[test]
fn the_default_is_jellyfins() {
    let policy = Policy::default();
    for (ip, provenance, expected, why) in [
        ("127.0.0.1", DIRECT, Reason::Loopback, "this host"),
        ("127.8.9.1", DIRECT, Reason::Loopback, "this host"),
        ("::1", DIRECT, Reason::Loopback, "this host"),
        ("192.168.1.5", DIRECT, Reason::Lan, "RFC 1918"),
        ("192.168.1.5", FORWARDED, Reason::Lan, "on the LAN, through a proxy"),
        ("fe80::1", DIRECT, Reason::Lan, "link-local"),
        ("fd12::1", FORWARDED, Reason::Lan, "unique local"),
        ("169.254.1.1", DIRECT, Reason::Remote, "not in Jellyfin's default"),
        ("100.64.0.1", DIRECT, Reason::Remote, "shared by strangers"),
        ("203.0.113.9", FORWARDED, Reason::Remote, "the world"),
        ("127.0.0.1", FORWARDED, Reason::Remote, "the proxy's host, not this one"),
        ("::1", FORWARDED, Reason::Remote, "the same in IPv6"),
        ("127.0.0.1", PROXY_ONLY, Reason::Remote, "a proxy on this host that names nobody"),
        ("192.168.1.2", PROXY_ONLY, Reason::Remote, "a proxy on the LAN that names nobody"),
        ("0.0.0.0", PROXY_ONLY, Reason::Remote, "a proxy on a Unix socket that names nobody"),
    ] {
        let decision = policy.decide(client(ip, provenance), None);
        assert_eq!(decision.reason, expected, "{why}");
        assert!(decision.allowed, "{why}");
        assert_eq!(decision.local, expected != Reason::Remote, "{why}");
    }
}

#[test]
fn remote_clients_are_filtered_and_local_ones_are_not() {
    let lan = || Lan::parse(["192.168.0.0/16", "!192.168.66.0/24"]).unwrap().subnets();
    let allow = filter(FilterMode::Allow, &["203.0.113.0/24", "!203.0.113.66", "127.0.0.0/8"]);
    let block = filter(FilterMode::Block, &["203.0.113.0/24", "192.168.1.0/24"]);
    let open = Policy::new(lan());
    let off = open.clone().with_remote_access(false);
    let allowing = open.clone().with_filter(allow.clone());
    let blocking = open.clone().with_filter(block);
    let both = off.clone().with_filter(allow);
    for (policy, ip, provenance, expected, why) in [
        (&off, "192.168.1.1", DIRECT, Reason::Lan, "on the LAN"),
        (&off, "127.0.0.1", DIRECT, Reason::Loopback, "not in the list, and yet let in"),
        (&off, "192.168.66.1", DIRECT, Reason::RemoteDisabled, "excluded from the LAN"),
        (&off, "203.0.113.1", FORWARDED, Reason::RemoteDisabled, "remote"),
        (&off, "10.0.0.1", DIRECT, Reason::RemoteDisabled, "private is not implied"),
        (&off, "192.168.1.1", PROXY_ONLY, Reason::RemoteDisabled, "a proxy on the LAN"),
        (&off, "127.0.0.1", PROXY_ONLY, Reason::RemoteDisabled, "a proxy on this host"),
        (&off, "127.0.0.1", FORWARDED, Reason::RemoteDisabled, "loopback by hearsay"),
        (&both, "203.0.113.1", DIRECT, Reason::RemoteDisabled, "off comes before the list"),
        (&allowing, "203.0.113.1", FORWARDED, Reason::AllowListed, "in the list"),
        (&allowing, "203.0.113.66", FORWARDED, Reason::NotAllowListed, "excluded from it"),
        (&allowing, "198.51.100.1", DIRECT, Reason::NotAllowListed, "not in the list"),
        (&allowing, "192.168.1.1", DIRECT, Reason::Lan, "the list is for remote clients"),
        (&allowing, "203.0.113.1", PROXY_ONLY, Reason::ClientUnknown, "no client to look up"),
        (&blocking, "203.0.113.1", FORWARDED, Reason::BlockListed, "in the list"),
        (&blocking, "198.51.100.1", DIRECT, Reason::Remote, "not in the list"),
        (&blocking, "192.168.1.1", DIRECT, Reason::Lan, "local clients are never blocked"),
        (&blocking, "198.51.100.1", PROXY_ONLY, Reason::ClientUnknown, "it may be a blocked one"),
        (&open, "203.0.113.1", DIRECT, Reason::Remote, "no list"),
    ] {
        let decision = policy.decide(client(ip, provenance), None);
        assert_eq!(decision.reason, expected, "{why}");
        assert_eq!(decision.allowed, expected.allows(), "{why}");
    }
}

#[test]
fn who_is_unknown_stays_out() {
    let policy = Policy::default();
    let peer = |text: &str| Some(PeerAddr::inet(text.parse().unwrap()));
    assert_eq!(policy.decide(None, None).reason, Reason::NoAddress);
    assert_eq!(policy.decide(None, peer("192.168.1.1:1")).reason, Reason::Lan);
    assert_eq!(policy.decide(None, peer("[::ffff:127.0.0.1]:1")).reason, Reason::Loopback);
    let remote = policy.decide(client("203.0.113.9", FORWARDED), peer("127.0.0.1:1"));
    assert_eq!(remote.reason, Reason::Remote, "the client counts, not the peer");

    let blocking = policy.clone().with_filter(filter(FilterMode::Block, &["203.0.113.0/24"]));
    for (policy, unix, expected, why) in [
        (&policy, UnixPeers::Refuse, Reason::UnixPeerRefused, "the default"),
        (&policy, UnixPeers::Local, Reason::UnixPeer, "chosen"),
        (&policy, UnixPeers::Remote, Reason::Remote, "chosen"),
        (&blocking, UnixPeers::Remote, Reason::ClientUnknown, "no address to look up"),
    ] {
        let policy = policy.clone().with_unix_peers(unix);
        let decision = policy.decide(None, Some(PeerAddr::Unix));
        assert_eq!(decision.reason, expected, "{why}");
        assert_eq!(decision.local, unix == UnixPeers::Local, "{why}");
    }
}

#[test]
fn a_cleared_filter_is_gone_and_an_empty_set_is_not() {
    let allowing = Policy::default().with_filter(filter(FilterMode::Allow, &["203.0.113.0/24"]));
    let stranger = client("198.51.100.1", DIRECT);
    assert!(!allowing.decide(stranger, None).allowed);
    let cleared = allowing.with_filter(filter(FilterMode::Allow, &[]));
    assert!(cleared.decide(stranger, None).allowed, "as in Jellyfin, but at once");
    let nobody = cleared.with_filter(RemoteFilter::allow(Default::default()));
    assert!(!nobody.decide(stranger, None).allowed, "an empty allow list lets nobody in");
}

#[test]
fn a_decision_allocates_nothing() {
    let policy = Policy::default().with_filter(filter(FilterMode::Block, &["203.0.113.0/24"]));
    let counted = jellynet_test::allocations(|| {
        for ip in ["203.0.113.9", "192.168.1.1", "2001:db8::1"] {
            let decision = policy.decide(client(ip, FORWARDED), None);
            std::hint::black_box(decision);
        }
    });
    assert_eq!(counted.count_total, 0);
}

#[cfg(feature = "serde")]
#[test]
fn a_decision_is_written_as_explain_prints_it() {
    let decision = Policy::default().decide(client("192.168.1.1", DIRECT), None);
    let json = serde_json::to_string(&decision).unwrap();
    assert_eq!(json, r#"{"allowed":true,"local":true,"reason":"lan"}"#);
}

fn provenance() -> impl Strategy<Value = Provenance> {
    prop_oneof![Just(DIRECT), Just(FORWARDED), Just(PROXY_ONLY)]
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        Just("127.0.0.1".parse().unwrap()),
        Just("192.168.1.1".parse().unwrap()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn local_is_only_who_is_on_the_list_or_this_host(
        ip in address(), provenance in provenance(), remote: bool,
    ) {
        let policy = Policy::default().with_remote_access(remote);
        let decision = policy.decide(Some(ClientAddr { ip, port: None, provenance }), None);
        if decision.local {
            prop_assert!(decision.allowed);
            prop_assert!(policy.lan().contains(ip));
            prop_assert_ne!(provenance, PROXY_ONLY);
        } else {
            prop_assert_eq!(decision.allowed, remote);
        }
    }

    #[test]
    fn an_allow_list_lets_no_stranger_in(ip in address(), provenance in provenance()) {
        let policy = Policy::default()
            .with_filter(filter(FilterMode::Allow, &["203.0.113.0/24"]));
        let decision = policy.decide(Some(ClientAddr { ip, port: None, provenance }), None);
        if decision.allowed && !decision.local {
            prop_assert!("203.0.113.0/24".parse::<ipnet::IpNet>().unwrap().contains(&ip));
        }
    }
}
