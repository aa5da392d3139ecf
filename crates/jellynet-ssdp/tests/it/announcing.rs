//! Coming, staying and going on a quiet network.

use std::net::IpAddr;
use std::time::Duration;

use jellynet_ssdp::message::{Message, NotifyKind};
use jellynet_ssdp::{
    Advertiser, AdvertiserConfigError, AdvertiserEvent, Device, RootDevice, SkipReason, TypeName,
    Uuid,
};
use jellynet_test::wire::Network;

use crate::support::{
    BOOT, MEDIA_SERVER, SECOND, SET, USN, UUID, address, advertiser, answers, config, eth, group,
    kinds, location, media_server, said, unicast_search,
};

#[test]
fn a_device_revokes_its_past_and_announces_its_whole_set_three_times() {
    let mut network = Network::new(1);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 5);

    let said = said(&network);
    assert_eq!(kinds(&said), [NotifyKind::ByeBye, NotifyKind::Alive]);
    let (byebyes, alives): (Vec<_>, Vec<_>) =
        said.iter().partition(|s| s.kind == NotifyKind::ByeBye);
    assert_eq!(byebyes.len(), SET);
    assert_eq!(alives.len(), 3 * SET);
    let first = said.first().unwrap();
    assert!(first.at <= Duration::from_millis(100), "{:?}", first.at);
    for one in &said {
        assert_eq!(one.to, group());
        assert_eq!(one.boot, Some(BOOT));
        assert_eq!(one.from, IpAddr::from([10, 77, 1, 1]));
    }
    let set: Vec<_> = alives.iter().take(SET).map(|s| s.nt.as_str()).collect();
    assert_eq!(
        set,
        [
            "upnp:rootdevice",
            USN,
            MEDIA_SERVER,
            "urn:schemas-upnp-org:service:ContentDirectory:1",
            "urn:schemas-upnp-org:service:ConnectionManager:1",
        ]
    );
    // Copies are a few hundred milliseconds apart, and the whole takes less than two seconds.
    let last = alives.last().unwrap();
    assert!(last.at - first.at < SECOND * 2, "{:?}", last.at);
}

#[test]
fn an_alive_has_every_header_that_control_points_need() {
    let mut network = Network::new(1);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    network.seat(host, 1900, advertiser());
    network.run_for(SECOND);
    let packets = network.packets();
    let alive = packets
        .iter()
        .map(|p| std::str::from_utf8(&p.payload).unwrap())
        .find(|text| text.contains("ssdp:alive"))
        .unwrap();
    assert_eq!(
        alive,
        "NOTIFY * HTTP/1.1\r\n\
         HOST: 239.255.255.250:1900\r\n\
         CACHE-CONTROL: max-age=1800\r\n\
         LOCATION: http://10.77.1.1:8096/dlna/description.xml\r\n\
         NT: upnp:rootdevice\r\n\
         NTS: ssdp:alive\r\n\
         SERVER: Linux/6.1 UPnP/1.1 test/1.0\r\n\
         USN: uuid:2fac1234-31f8-11b4-a222-08002b34c003::upnp:rootdevice\r\n\
         BOOTID.UPNP.ORG: 1000\r\n\
         CONFIGID.UPNP.ORG: 1\r\n\r\n"
    );
    // UPnP Device Architecture 2.0 § 1.2.2: perhaps as small as 512 bytes.
    assert!(packets.iter().all(|p| p.payload.len() <= 512));
}

#[test]
fn announcements_are_refreshed_before_half_of_their_time_is_over() {
    let mut network = Network::new(1);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 3600 * 4);
    let roots: Vec<_> = said(&network)
        .into_iter()
        .filter(|s| s.kind == NotifyKind::Alive && s.nt == "upnp:rootdevice")
        .map(|s| s.at)
        .collect();
    let gaps: Vec<_> = roots.windows(2).skip(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.len() >= 15, "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap < SECOND * 900), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap > SECOND * 600), "{gaps:?}");
    let mut distinct = gaps.clone();
    distinct.dedup();
    assert_eq!(distinct.len(), gaps.len(), "random, not regular");
}

#[test]
fn stopping_says_byebye_for_the_whole_set_and_is_final() {
    let mut network = Network::new(1);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    let seat = network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 5);
    network.clear_packets();
    network.act(seat, Advertiser::stop);
    network.run_for(SECOND / 2);
    let byebyes = said(&network);
    assert_eq!(kinds(&byebyes), [NotifyKind::ByeBye]);
    assert_eq!(byebyes.len(), 2 * SET);
    assert!(byebyes.iter().all(|s| s.boot == Some(BOOT)));
    assert_eq!(network.events(seat).last(), Some(&AdvertiserEvent::Stopped));

    network.clear_packets();
    network.attach(host, lan, eth(2));
    network.run_for(SECOND * 7200);
    assert_eq!(said(&network), []);
}

#[test]
fn a_device_that_was_never_announced_stops_in_silence() {
    let mut network = Network::new(1);
    let host = network.host("server");
    let seat = network.seat(host, 1900, advertiser());
    network.act(seat, Advertiser::stop);
    assert_eq!(network.events(seat), [AdvertiserEvent::Stopped]);
    assert!(network.packets().is_empty());
}

#[test]
fn whoever_was_answered_before_the_announcement_hears_the_end_and_nothing_else() {
    for stays in [false, true] {
        let mut network = Network::new(1);
        let lan = network.lan();
        let host = network.host("server");
        network.attach(host, lan, eth(1));
        let seat = network.seat(host, 1900, advertiser());
        network.inject(
            lan,
            address("10.77.1.2:5000"),
            address("10.77.1.1:1900"),
            unicast_search(MEDIA_SERVER),
        );
        network.run_for(Duration::from_millis(1));
        assert_eq!(answers(&network, address("10.77.1.2:5000")).len(), 1);
        assert_eq!(said(&network), []);
        if stays {
            network.run_for(SECOND * 5);
            // No byebye: it would take the device away from the one who has just found it.
            assert_eq!(kinds(&said(&network)), [NotifyKind::Alive]);
        } else {
            network.act(seat, Advertiser::stop);
            network.run_for(SECOND);
            let said = said(&network);
            assert_eq!(kinds(&said), [NotifyKind::ByeBye]);
            assert_eq!(said.len(), 2 * SET);
        }
    }
}

#[test]
fn each_link_and_group_gets_its_own_location() {
    let mut network = Network::new(1);
    let (one, two) = (network.lan(), network.lan());
    let host = network.host("server");
    let v6 = eth(1)
        .with_address("fe80::1/64".parse().unwrap())
        .with_address("fd77:1::1/64".parse().unwrap())
        .with_address("10.88.0.1/16".parse().unwrap());
    network.attach(host, one, v6);
    let local = eth(2).with_address("fe80::2/64".parse().unwrap());
    network.attach(host, two, local);
    network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 3);

    let mut seen: Vec<_> = said(&network)
        .into_iter()
        .filter(|s| s.kind == NotifyKind::Alive && s.nt == USN)
        .map(|s| (s.to.ip().to_string(), s.from.to_string(), s.location.unwrap()))
        .collect();
    seen.sort();
    seen.dedup();
    let url = |host: &str| format!("http://{host}:8096/dlna/description.xml");
    let expected = [
        ("239.255.255.250", "10.77.1.1", url("10.77.1.1")),
        ("239.255.255.250", "10.77.2.1", url("10.77.2.1")),
        ("239.255.255.250", "10.88.0.1", url("10.88.0.1")),
        // Players cannot open link-local URLs, so the wider address is named where there is one.
        ("ff02::c", "fe80::1", url("[fd77:1::1]")),
        ("ff02::c", "fe80::2", url("[fe80::2]")),
        ("ff05::c", "fd77:1::1", url("[fd77:1::1]")),
    ]
    .map(|(to, from, url)| (to.to_owned(), from.to_owned(), url));
    assert_eq!(seen, expected);
}

#[test]
fn several_devices_are_announced_roots_first() {
    let mut network = Network::new(1);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    let other = Device::new(Uuid::from_bytes([9; 16]), TypeName::device("Basic", 1));
    let devices = vec![media_server(), RootDevice::new(other, location)];
    let advertiser = Advertiser::new(config(), devices).unwrap();
    network.seat(host, 1900, advertiser);
    network.run_for(SECOND * 3);
    let alives: Vec<_> =
        said(&network).into_iter().filter(|s| s.kind == NotifyKind::Alive).collect();
    assert_eq!(alives.len(), 3 * (SET + 3));
    assert!(alives.iter().take(2).all(|s| s.nt == "upnp:rootdevice"));
}

#[test]
fn what_cannot_be_seen_somewhere_is_said_and_not_announced_there() {
    for (location, bad) in [
        (None, false),
        (Some("http://[fe80::1%eth0]:8096/x"), true),
        (Some("ftp://10.77.1.1/x"), true),
        (Some("http:///x"), true),
        (Some("http://10.77.1.1/x\r\nEVIL: yes"), true),
        (Some("http://10.77.1.1/a b"), true),
    ] {
        let mut network = Network::new(1);
        let lan = network.lan();
        let host = network.host("server");
        network.attach(host, lan, eth(1));
        let device =
            RootDevice::new(Device::media_server(UUID), move |_, _| location.map(str::to_owned));
        let seat = network.seat(host, 1900, Advertiser::new(config(), vec![device]).unwrap());
        network.run_for(SECOND * 5);
        assert_eq!(said(&network), [], "{location:?}");
        let events = network.events(seat);
        let [AdvertiserEvent::Skipped { device, reason, .. }] = events.as_slice() else {
            panic!("{location:?}: {events:?}");
        };
        assert_eq!(*device, UUID);
        let is_bad = matches!(reason, SkipReason::BadLocation(_));
        assert_eq!(is_bad, bad, "{location:?}");
    }
}

#[test]
fn a_configuration_that_cannot_be_announced_is_refused() {
    let two = || vec![media_server(), media_server()];
    let mut bad_server = config();
    "x\r\nEVIL: yes".clone_into(&mut bad_server.server);
    let mut bad_age = config();
    bad_age.max_age = SECOND;
    let mut bad_boot = config();
    bad_boot.boot_id = u32::MAX;
    for (config, devices, expected) in [
        (bad_server, vec![], "the server line cannot be sent"),
        (bad_age, vec![], "announcements are valid for 60 seconds to 7 days, not 1 seconds"),
        (bad_boot, vec![], "the boot id has more than 31 bits: 4294967295"),
        (config(), two(), "two devices have the identifier 2fac1234-31f8-11b4-a222-08002b34c003"),
    ] {
        let error: AdvertiserConfigError = Advertiser::new(config, devices).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn replaced_devices_say_byebye_and_the_new_ones_have_a_new_boot_id() {
    let mut network = Network::new(1);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    let seat = network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 5);
    network.clear_packets();
    let other = Device::new(Uuid::from_bytes([9; 16]), TypeName::device("Basic", 1));
    network.act(seat, |advertiser, now| {
        let device = RootDevice::new(other, location);
        advertiser.replace_devices(now, vec![device]).unwrap();
    });
    network.run_for(SECOND * 5);
    let said = said(&network);
    let old: Vec<_> = said.iter().filter(|s| s.usn.starts_with(USN)).collect();
    assert_eq!(old.len(), 2 * SET);
    assert_eq!(kinds(old), [NotifyKind::ByeBye]);
    let alives: Vec<_> = said.iter().filter(|s| s.kind == NotifyKind::Alive).collect();
    assert_eq!(alives.len(), 9);
    assert!(alives.iter().all(|s| s.boot == Some(BOOT + 1)));
}

#[test]
fn a_device_that_stays_is_not_seen_to_go_when_another_comes_or_leaves() {
    let mut network = Network::new(1);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    let seat = network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 5);
    let other = || {
        let uuid = Uuid::from_bytes([9; 16]);
        RootDevice::new(Device::new(uuid, TypeName::device("Basic", 1)), location)
    };
    let steps = [
        (
            vec![other(), media_server()],
            vec![NotifyKind::Update, NotifyKind::Alive],
            vec![NotifyKind::ByeBye, NotifyKind::Alive],
        ),
        (vec![media_server()], vec![], vec![NotifyKind::ByeBye]),
        // Its description has changed.
        (
            vec![media_server().with_config_id(2)],
            vec![NotifyKind::ByeBye, NotifyKind::Alive],
            vec![],
        ),
    ];
    for (devices, ours, others) in steps {
        network.clear_packets();
        network.act(seat, |advertiser, now| advertiser.replace_devices(now, devices).unwrap());
        network.run_for(SECOND * 5);
        let said = said(&network);
        let (of_ours, of_others): (Vec<_>, Vec<_>) =
            said.iter().partition(|s| s.usn.starts_with(USN));
        assert_eq!((kinds(of_ours), kinds(of_others)), (ours, others));
    }
    let new = |e: &&AdvertiserEvent| matches!(e, AdvertiserEvent::Announced { .. });
    assert_eq!(network.events(seat).iter().filter(new).count(), 3);
}

#[test]
fn the_search_port_is_named_when_it_is_not_1900() {
    let mut network = Network::new(1);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    let seat = network.seat(host, 1900, advertiser());
    network.act(seat, |a, now| a.set_search_port(now, Some(50_000)));
    network.run_for(SECOND * 5);
    let ports = |network: &Network| -> Vec<Option<u16>> {
        let packets = network.packets().iter();
        let ports = packets.filter_map(|p| match Message::parse(&p.payload) {
            Ok(Message::Notify(n)) if n.kind == NotifyKind::Alive => Some(n.details.search_port),
            _ => None,
        });
        ports.collect()
    };
    assert!(ports(&network).iter().all(|port| *port == Some(50_000)));
    network.clear_packets();
    // 1900 is free again: the devices are announced anew, without the port.
    network.act(seat, |a, now| a.set_search_port(now, None));
    network.run_for(SECOND * 5);
    assert_eq!(ports(&network), vec![None; 3 * SET]);
    // Which ports may be named is not for the caller to say: this is no news.
    network.clear_packets();
    network.act(seat, |a, now| a.set_search_port(now, Some(49_151)));
    network.run_for(SECOND * 5);
    assert_eq!(ports(&network), []);
}
