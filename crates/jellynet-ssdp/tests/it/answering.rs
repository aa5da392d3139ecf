//! Searches of every kind, and what they are told.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jellynet_ssdp::message::Message;
use jellynet_ssdp::{Advertiser, Device, RootDevice, TypeName, Uuid};
use jellynet_test::wire::{Lan, Network};

use crate::support::{
    MEDIA_SERVER, SECOND, SET, USN, UUID, address, advertiser, answers, config, eth, group,
    location, media_server, search, unicast_search,
};

/// A server that was announced long ago, on two LANs.
fn settled(advertiser: Advertiser) -> (Network, [Lan; 2]) {
    let mut network = Network::new(5);
    let lans = [network.lan(), network.lan()];
    let host = network.host("server");
    for (at, n) in [(0, 1), (1, 2)] {
        let v6 = format!("fd77:{n}::1/64").parse().unwrap();
        let local = format!("fe80::{n}/64").parse().unwrap();
        let interface = eth(n).with_address(local).with_address(v6);
        network.attach(host, lans[at], interface);
    }
    network.seat(host, 1900, advertiser);
    network.run_for(SECOND * 10);
    network.clear_packets();
    (network, lans)
}

const CLIENT: &str = "10.77.1.2:5000";

/// The `ST`s that a search is answered with, in the order of the set.
fn asked(payload: impl AsRef<[u8]>, to: SocketAddr) -> Vec<String> {
    let (mut network, lans) = settled(advertiser());
    network.inject(lans[0], address(CLIENT), to, payload);
    network.run_for(SECOND * 10);
    answers(&network, address(CLIENT)).into_iter().map(|(_, st, ..)| st).collect()
}

#[test]
fn each_target_is_answered_by_what_it_names() {
    let cds = "urn:schemas-upnp-org:service:ContentDirectory:1";
    for (target, count, why) in [
        ("ssdp:all", SET, "everything"),
        ("upnp:rootdevice", 1, "the root device"),
        (USN, 1, "the device"),
        (&USN.to_uppercase(), 1, "the device in capitals"),
        (MEDIA_SERVER, 1, "its type"),
        (cds, 1, "a service"),
        ("urn:schemas-upnp-org:device:MediaServer:2", 0, "a later version"),
        ("urn:schemas-upnp-org:device:MediaRenderer:1", 0, "another type"),
        ("uuid:00000000-0000-0000-0000-000000000000", 0, "another device"),
        ("roku:ecp", 0, "another protocol"),
        ("pnp:rootdevice", 0, "an old Windows Explorer"),
        (".*", 0, "a pattern"),
    ] {
        let multicast = asked(search(target, 1), group());
        assert_eq!(multicast.len(), count, "{why}: {multicast:?}");
        let unicast = asked(unicast_search(target), address("10.77.1.1:1900"));
        assert_eq!(unicast.len(), count, "{why}, unicast: {unicast:?}");
    }
}

#[test]
fn an_earlier_version_is_answered_as_it_was_asked() {
    let device = Device::new(UUID, TypeName::device("MediaServer", 4))
        .with_service(TypeName::service("ContentDirectory", 3));
    let root = RootDevice::new(device, location);
    for (target, matches) in [
        (MEDIA_SERVER, true),
        ("urn:schemas-upnp-org:device:MediaServer:4", true),
        ("urn:schemas-upnp-org:service:ContentDirectory:2", true),
        ("urn:schemas-upnp-org:service:ContentDirectory:4", false),
    ] {
        let advertiser = Advertiser::new(config(), vec![root.clone()]).unwrap();
        let (mut network, lans) = settled(advertiser);
        network.inject(lans[0], address(CLIENT), group(), search(target, 1));
        network.run_for(SECOND * 2);
        let told = answers(&network, address(CLIENT));
        assert_eq!(told.len(), usize::from(matches), "{target}");
        for (_, st, usn, _) in told {
            // ST and USN both carry the version that was asked for.
            assert_eq!(st, target);
            assert_eq!(usn, format!("{USN}::{target}"));
        }
    }
}

#[test]
fn an_answer_has_every_header_that_control_points_need() {
    let (mut network, lans) = settled(advertiser());
    network.inject(lans[0], address(CLIENT), group(), search(MEDIA_SERVER, 1));
    network.run_for(SECOND);
    let sent = network.sent_to(address(CLIENT));
    assert_eq!(
        std::str::from_utf8(&sent[0].payload).unwrap(),
        "HTTP/1.1 200 OK\r\n\
         CACHE-CONTROL: max-age=1800\r\n\
         EXT:\r\n\
         LOCATION: http://10.77.1.1:8096/dlna/description.xml\r\n\
         SERVER: Linux/6.1 UPnP/1.1 test/1.0\r\n\
         ST: urn:schemas-upnp-org:device:MediaServer:1\r\n\
         USN: uuid:2fac1234-31f8-11b4-a222-08002b34c003::urn:schemas-upnp-org:device:MediaServer:1\r\n\
         BOOTID.UPNP.ORG: 1000\r\n\
         CONFIGID.UPNP.ORG: 1\r\n\r\n"
    );
    assert_eq!(sent[0].source, address("10.77.1.1:1900"));
}

#[test]
fn mx_decides_whether_and_when() {
    let line = |mx: &str| search(MEDIA_SERVER, 1).replace("MX: 1\r\n", mx);
    for (mx, longest) in [
        ("MX: 1\r\n", Some(1)),
        ("MX: 3\r\n", Some(3)),
        ("MX:  3 \r\n", Some(3)),
        ("mx:3\r\n", Some(3)),
        ("MX: 5\r\n", Some(5)),
        // More than 5 counts as 5 (UPnP Device Architecture 2.0 § 1.3.3).
        ("MX: 120\r\n", Some(5)),
        ("MX: 121\r\n", Some(5)),
        ("MX: 4294967295\r\n", Some(5)),
        // cotton-ssdp 0.1.0 divides by it.
        ("MX: 0\r\n", Some(1)),
        ("", None),
        ("MX:\r\n", None),
        ("MX: -1\r\n", None),
        ("MX: +1\r\n", None),
        ("MX: 1.5\r\n", None),
        ("MX: 99999999999\r\n", None),
        ("MX: three\r\n", None),
    ] {
        let mut delays = Vec::new();
        for seed in 0..8 {
            let mut config = config();
            config.seed = seed;
            let advertiser = Advertiser::new(config, vec![media_server()]).unwrap();
            let (mut network, lans) = settled(advertiser);
            let begin = network.elapsed();
            network.inject(lans[0], address(CLIENT), group(), line(mx));
            network.run_for(SECOND * 10);
            delays.extend(answers(&network, address(CLIENT)).iter().map(|a| a.0 - begin));
        }
        match longest {
            None => assert_eq!(delays, [], "{mx:?}"),
            Some(seconds) => {
                assert_eq!(delays.len(), 8, "{mx:?}");
                let most = delays.iter().max().unwrap();
                assert!(*most < SECOND * seconds, "{mx:?}: {most:?}");
                delays.dedup();
                assert_eq!(delays.len(), 8, "{mx:?}: spread over the time: {delays:?}");
            }
        }
    }
}

#[test]
fn a_missing_mx_is_answered_when_windows_is_to_be_pleased() {
    let mut config = config();
    config.answer_without_mx = true;
    let advertiser = Advertiser::new(config, vec![media_server()]).unwrap();
    let (mut network, lans) = settled(advertiser);
    let without = search(MEDIA_SERVER, 1).replace("MX: 1\r\n", "");
    network.inject(lans[0], address(CLIENT), group(), without);
    network.run_for(SECOND);
    assert_eq!(answers(&network, address(CLIENT)).len(), 1);
}

#[test]
fn a_unicast_search_is_answered_at_once_from_the_address_it_asked() {
    let (mut network, lans) = settled(advertiser());
    network.inject(lans[0], address(CLIENT), address("10.77.1.1:1900"), unicast_search("ssdp:all"));
    network.run_for(Duration::from_millis(100));
    let sent = network.sent_to(address(CLIENT));
    assert_eq!(sent.len(), SET);
    assert!(sent.iter().all(|p| p.source == address("10.77.1.1:1900")));
}

#[test]
fn each_side_is_told_its_own_location() {
    for (lan, client, group, url) in [
        (0, "10.77.1.2:5000", "239.255.255.250:1900", "http://10.77.1.1:8096/"),
        (1, "10.77.2.2:5000", "239.255.255.250:1900", "http://10.77.2.1:8096/"),
        (0, "[fe80::99]:5000", "[ff02::c]:1900", "http://[fd77:1::1]:8096/"),
        (0, "[fd77:1::2]:5000", "[ff05::c]:1900", "http://[fd77:1::1]:8096/"),
        (1, "[fd77:2::2]:5000", "[ff02::c]:1900", "http://[fd77:2::1]:8096/"),
    ] {
        let (mut network, lans) = settled(advertiser());
        let before = network.packets().len();
        network.inject(lans[lan], address(client), address(group), search(MEDIA_SERVER, 1));
        network.run_for(SECOND * 2);
        let after = network.packets().iter().skip(before + 1);
        let told: Vec<_> = after.filter(|p| p.destination.port() == 5000).collect();
        assert_eq!(told.len(), 1, "{client}");
        let Ok(Message::Response(answer)) = Message::parse(&told[0].payload) else {
            panic!("{told:?}");
        };
        let location = answer.details.location.unwrap();
        assert!(location.as_str().starts_with(url), "{client}: {location}");
        let scope: fn(IpAddr) -> bool = |ip| match ip {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let client = address(client);
        assert_eq!(scope(told[0].source.ip()), scope(client.ip()), "{client}");
        // UPnP 1.0 control points of IPv6 know the boot id by another name.
        assert_eq!(answer.details.nls.is_some(), client.is_ipv6());
    }
}

#[test]
fn several_devices_answer_for_themselves() {
    let other = Device::media_server(Uuid::from_bytes([9; 16]));
    let nowhere = Device::media_server(Uuid::from_bytes([8; 16]));
    let devices = vec![
        media_server(),
        RootDevice::new(other, location),
        RootDevice::new(nowhere, |_, _| None),
    ];
    let (mut network, lans) = settled(Advertiser::new(config(), devices).unwrap());
    network.inject(lans[0], address(CLIENT), group(), search(MEDIA_SERVER, 1));
    network.run_for(SECOND);
    assert_eq!(answers(&network, address(CLIENT)).len(), 2);
}

#[test]
fn strangers_are_told_nothing() {
    for (source, why) in [
        ("192.0.2.1:5000", "not on the link"),
        ("10.77.2.2:5000", "on another link"),
        ("10.77.1.2:0", "port 0"),
        ("10.77.1.255:5000", "the subnet's broadcast address"),
        ("239.255.255.250:1900", "a group"),
        ("255.255.255.255:5000", "everyone"),
        ("0.0.0.0:68", "nobody"),
        ("[2001:db8::1]:5000", "not on the link, IPv6"),
    ] {
        let (mut network, lans) = settled(advertiser());
        let source = address(source);
        let to = if source.is_ipv4() { group() } else { address("[ff02::c]:1900") };
        network.inject(lans[0], source, to, search("ssdp:all", 1));
        network.run_for(SECOND * 5);
        let after = network.packets().iter().filter(|p| p.host.is_some());
        assert_eq!(after.count(), 0, "{why}");
    }
}

#[test]
fn a_relay_that_is_named_is_answered() {
    let mut config = config();
    config.sources = vec!["192.0.2.0/24".parse().unwrap()];
    let advertiser = Advertiser::new(config, vec![media_server()]).unwrap();
    let (mut network, lans) = settled(advertiser);
    let relay = address("192.0.2.1:5000");
    network.inject(lans[0], relay, group(), search(MEDIA_SERVER, 1));
    network.run_for(SECOND);
    let told = answers(&network, relay);
    assert_eq!(told.len(), 1);
    assert!(told[0].3.contains("10.77.1.1"));
}

#[test]
fn an_impatient_client_is_answered_once() {
    let (mut network, lans) = settled(advertiser());
    for _ in 0..3 {
        network.inject(lans[0], address(CLIENT), group(), search(MEDIA_SERVER, 3));
    }
    network.run_for(SECOND * 5);
    assert_eq!(answers(&network, address(CLIENT)).len(), 1);
}
