//! The control side against the device side, and against the wire.

use std::time::Duration;

use jellynet_netif::Interface;
use jellynet_ssdp::message::Message;
use jellynet_ssdp::{
    Advertiser, Found, Searcher, SearcherConfig, SearcherConfigError, SearcherEvent, Target,
};
use jellynet_test::wire::{Lan, Network, Seat, Weather};

use crate::support::{MEDIA_SERVER, SECOND, SET, USN, address, advertiser, eth, group};

fn searcher(targets: impl IntoIterator<Item = Target>) -> Searcher {
    Searcher::new(SearcherConfig::new(targets, "Linux/6.1 UPnP/1.1 test/1.0", 11)).unwrap()
}

/// A control point on a LAN of its own.
fn alone(searcher: Searcher) -> (Network, Lan, Seat<Searcher>) {
    let mut network = Network::new(9);
    let lan = network.lan();
    let host = network.host("client");
    network.attach(host, lan, client(1));
    let seat = network.seat(host, 1900, searcher);
    (network, lan, seat)
}

fn client(n: u8) -> Interface {
    Interface::new(format!("eth{n}"), u32::from(n) + 2)
        .with_address(format!("10.77.{n}.2/24").parse().unwrap())
}

fn alive(usn: &str, location: &str, extra: &str) -> String {
    let nt = usn.rsplit_once("::").map_or(usn, |(_, nt)| nt);
    format!(
        "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: {nt}\r\nNTS: ssdp:alive\r\n\
         USN: {usn}\r\nLOCATION: {location}\r\n{extra}\r\n"
    )
}

fn byebye(usn: &str) -> String {
    let nt = usn.rsplit_once("::").map_or(usn, |(_, nt)| nt);
    format!("NOTIFY * HTTP/1.1\r\nNT: {nt}\r\nNTS: ssdp:byebye\r\nUSN: {usn}\r\n\r\n")
}

/// What an event says, briefly.
fn brief(event: &SearcherEvent) -> String {
    let (verb, found): (&str, &Found) = match event {
        SearcherEvent::Alive(found) => ("alive", found),
        SearcherEvent::Update(found) => ("update", found),
        SearcherEvent::ByeBye(found) => ("byebye", found),
        SearcherEvent::Expired(found) => ("expired", found),
        _ => panic!("{event:?}"),
    };
    format!("{verb} {} {}", found.location, found.ways.len())
}

fn briefs(network: &mut Network, seat: Seat<Searcher>) -> Vec<String> {
    network.events(seat).iter().map(brief).collect()
}

const SERVICE: &str = "uuid:one::urn:schemas-upnp-org:device:MediaServer:1";

#[test]
fn a_search_is_sent_three_times_on_every_link_and_then_now_and_then() {
    let (mut network, ..) = alone(searcher([Target::All, Target::RootDevice]));
    network.run_for(SECOND * 10);
    let sent: Vec<_> = network.packets().iter().map(|p| (p.destination, p.source.port())).collect();
    assert_eq!(sent.len(), 2 * 3);
    assert!(sent.iter().all(|(to, from)| *to == group() && *from >= 49152));
    let Ok(Message::Search(search)) = Message::parse(&network.packets()[0].payload) else {
        panic!();
    };
    assert_eq!((search.mx, search.target.as_str()), (Some(2), "ssdp:all"));
    network.run_for(SECOND * 3600);
    let more = network.packets().len() - sent.len();
    assert!((20..=28).contains(&more), "each five minutes: {more}");
}

#[test]
fn a_device_comes_and_goes() {
    let mut network = Network::new(9);
    let lan = network.lan();
    let (server, control) = (network.host("server"), network.host("client"));
    network.attach(server, lan, eth(1));
    network.attach(control, lan, client(1));
    let seat = network.seat(control, 1900, searcher([Target::All]));
    let device = network.seat(server, 1900, advertiser());
    network.run_for(SECOND * 10);
    let events = briefs(&mut network, seat);
    let url = "http://10.77.1.1:8096/dlna/description.xml";
    assert_eq!(events, vec![format!("alive {url} 1"); SET]);
    network.act(device, Advertiser::stop);
    network.run_for(SECOND);
    let events = briefs(&mut network, seat);
    assert_eq!(events, vec![format!("byebye {url} 0"); SET]);
}

#[test]
fn a_device_is_found_through_loss_duplication_and_reordering() {
    for seed in 0..8 {
        let mut network = Network::new(seed);
        let lan = network.lan();
        let (server, control) = (network.host("server"), network.host("client"));
        network.attach(server, lan, eth(1));
        network.attach(control, lan, client(1));
        network.set_weather(Weather::storm());
        network.seat(server, 1900, advertiser());
        let seat = network.seat(control, 1900, searcher([Target::media_servers()]));
        network.run_for(SECOND * 60);
        network.events(seat);
        let found = network.act(seat, |s, _| s.found().count());
        assert_eq!(found, 1, "seed {seed}");
        // And stays found, for announcements are repeated before they run out.
        network.run_for(SECOND * 3600 * 3);
        let lost = network.events(seat);
        assert!(
            lost.iter().all(|e| matches!(e, SearcherEvent::Update(_))),
            "seed {seed}: {lost:?}"
        );
    }
}

#[test]
fn both_links_of_a_host_are_one_device_with_two_ways() {
    let mut network = Network::new(9);
    let lans = [network.lan(), network.lan()];
    let (server, control) = (network.host("server"), network.host("client"));
    for (at, n) in [(0, 1), (1, 2)] {
        network.attach(server, lans[at], eth(n));
        network.attach(control, lans[at], client(n));
    }
    let seat = network.seat(control, 1900, searcher([Target::media_servers()]));
    network.seat(server, 1900, advertiser());
    network.run_for(SECOND * 10);
    let found: Vec<_> = network.act(seat, |s, _| s.found().collect());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].usn, format!("{USN}::{MEDIA_SERVER}"));
    let ways: Vec<_> = found[0].ways.iter().map(|w| w.location.clone()).collect();
    assert_eq!(ways.len(), 2, "{ways:?}");
    network.events(seat);

    // One interface of the client goes: one way less, and not gone.
    network.detach(control, 4);
    let events = briefs(&mut network, seat);
    assert_eq!(events, ["update http://10.77.1.1:8096/dlna/description.xml 1"]);
    network.detach(control, 3);
    let events = briefs(&mut network, seat);
    assert_eq!(events, ["expired http://10.77.1.1:8096/dlna/description.xml 0"]);
}

#[test]
fn what_is_not_repeated_expires() {
    let (mut network, lan, seat) = alone(searcher([Target::All]));
    let source = address("10.77.1.9:50000");
    for (max_age, lives) in [
        ("CACHE-CONTROL: max-age=60\r\n", 60),
        ("Cache-Control: max-age = 75, no-cache\r\n", 75),
        ("", 1800),
        ("CACHE-CONTROL: max-age=0\r\n", 1),
        ("CACHE-CONTROL: max-age=99999999999\r\n", 7 * 24 * 3600),
    ] {
        network.inject(lan, source, group(), alive(SERVICE, "http://10.77.1.9/", max_age));
        network.run_for(SECOND * lives - Duration::from_millis(500));
        assert_eq!(briefs(&mut network, seat), ["alive http://10.77.1.9/ 1"], "{max_age}");
        network.run_for(SECOND);
        assert_eq!(briefs(&mut network, seat), ["expired http://10.77.1.9/ 0"], "{max_age}");
    }
}

#[test]
fn a_new_location_replaces_the_old_one() {
    let (mut network, lan, seat) = alone(searcher([Target::All]));
    let source = address("10.77.1.9:50000");
    for (location, extra, expected) in [
        ("http://10.77.1.9/a", "", Some("alive http://10.77.1.9/a 1")),
        ("http://10.77.1.9/a", "", None),
        ("http://10.77.1.9/b", "", Some("update http://10.77.1.9/b 1")),
        ("http://10.77.1.9/b", "BOOTID.UPNP.ORG: 5\r\n", Some("update http://10.77.1.9/b 1")),
        ("http://10.77.1.9/b", "BOOTID.UPNP.ORG: 5\r\n", None),
        ("http://10.77.1.9/b", "CONFIGID.UPNP.ORG: 2\r\n", Some("update http://10.77.1.9/b 1")),
    ] {
        network.inject(lan, source, group(), alive(SERVICE, location, extra));
        network.run_for(SECOND);
        let events = briefs(&mut network, seat);
        assert_eq!(events.first().map(String::as_str), expected, "{location} {extra}");
        assert!(events.len() <= 1);
    }
    // An answer names the version that was asked for: it is the same device.
    let usn = SERVICE.replace(":1", ":2");
    network.inject(lan, source, group(), alive(&usn, "http://10.77.1.9/b", ""));
    network.inject(lan, source, group(), byebye(SERVICE));
    network.run_for(SECOND);
    assert_eq!(briefs(&mut network, seat), ["byebye http://10.77.1.9/b 0"]);
}

#[test]
fn what_does_not_count_is_silently_ignored() {
    let (mut network, lan, seat) = alone(searcher([Target::media_servers()]));
    let near = address("10.77.1.9:50000");
    let good = alive(SERVICE, "http://10.77.1.9/", "");
    for (source, payload, why) in [
        (address("192.0.2.1:50000"), good.clone(), "off the link"),
        (near, alive("uuid:one::upnp:rootdevice", "http://10.77.1.9/", ""), "not wanted"),
        (near, good.replace("MediaServer", "MediaRenderer"), "another type"),
        // async_upnp_client#154
        (near, alive(SERVICE, "", ""), "an empty location"),
        (near, alive(SERVICE, "javascript:alert(1)", ""), "no HTTP"),
        (near, alive(SERVICE, "http://", ""), "no host"),
        (near, byebye(SERVICE), "a byebye of nobody known"),
        (near, good.replace("ssdp:alive", "upnp:propchange"), "an event"),
        (near, "NOTIFY * HTTP/1.1".to_owned(), "a start line alone"),
    ] {
        network.inject(lan, source, group(), &payload);
        network.run_for(SECOND);
        assert_eq!(briefs(&mut network, seat), Vec::<String>::new(), "{why}");
    }
    network.inject(lan, near, group(), &good);
    network.run_for(SECOND);
    assert_eq!(briefs(&mut network, seat).len(), 1);
}

#[test]
fn what_one_host_invents_stays_in_bounds() {
    let (mut network, lan, seat) = alone(searcher([Target::All]));
    let liar = address("10.77.1.66:50000");
    for n in 0..5000 {
        let usn = format!("uuid:{n}::upnp:rootdevice");
        network.inject(lan, liar, group(), alive(&usn, "http://10.77.1.66/", ""));
    }
    network.run_for(SECOND);
    let found: Vec<_> = network.act(seat, |s, _| s.found().collect());
    assert_eq!(found.len(), 256);
    let honest = address("10.77.1.9:50000");
    network.events(seat);
    network.inject(lan, honest, group(), alive(SERVICE, "http://10.77.1.9/", ""));
    network.run_for(SECOND);
    assert_eq!(briefs(&mut network, seat), ["alive http://10.77.1.9/ 1"]);
}

#[test]
fn a_search_that_cannot_be_sent_is_refused() {
    let config = |targets: &[Target], agent: &str| SearcherConfig::new(targets.to_vec(), agent, 1);
    let good = [Target::All];
    let mut mx = config(&good, "x");
    mx.mx = 0;
    let mut often = config(&good, "x");
    often.interval = Some(SECOND);
    for (config, expected) in [
        (config(&[], "x"), "0 search targets, 1 to 16 are allowed"),
        (config(&good, "a\r\nb"), "the user agent cannot be sent"),
        (mx, "devices answer within 1 to 5 seconds, not 0"),
        (often, "a search each 1000 ms, 5 seconds or more are allowed"),
    ] {
        let error: SearcherConfigError = Searcher::new(config).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn the_location_is_the_one_that_most_can_open() {
    let (mut network, lan, seat) = alone(searcher([Target::All]));
    for (source, location, expected) in [
        ("[fe80::9]:50000", "http://[fe80::9]/", "http://[fe80::9]/"),
        ("10.77.1.9:50000", "http://10.77.1.9/", "http://10.77.1.9/"),
        ("[fe80::9]:50000", "http://[fe80::9]/new", "http://10.77.1.9/"),
    ] {
        network.inject(lan, address(source), group(), alive(SERVICE, location, ""));
        network.run_for(SECOND);
        let events = briefs(&mut network, seat);
        assert!(events[0].contains(expected), "{events:?}");
    }
}
