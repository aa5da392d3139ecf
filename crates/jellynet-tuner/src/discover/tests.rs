//! The seeker in virtual time.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use jellynet_netif::{Engine, Interface, InterfaceFlags, InterfaceTable, Received};

use super::*;
use crate::device_id::DeviceId;
use crate::wire::{DiscoverReply, DiscoverRequest, Frame};

fn host() -> InterfaceTable {
    let mut vpn = InterfaceFlags::default();
    vpn.up = true;
    vpn.point_to_point = true;
    InterfaceTable::new([
        Interface::loopback(1),
        Interface::new("eth0", 2)
            .with_address("10.99.0.1/24".parse().unwrap())
            .with_address("fe80::1/64".parse().unwrap())
            .with_address("fd99::1/64".parse().unwrap()),
        Interface::new("eth1", 3).with_address("10.98.0.1/24".parse().unwrap()),
        Interface::new("wg0", 4).with_flags(vpn).with_address("10.97.0.1/24".parse().unwrap()),
    ])
}

#[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
fn start() -> Instant {
    Instant::now()
}

fn sent(seeker: &mut Seeker) -> Vec<(IpAddr, SocketAddr, String)> {
    std::iter::from_fn(|| seeker.poll_transmit())
        .map(|t| {
            let hex: String = t.payload.iter().map(|b| format!("{b:02x}")).collect();
            (t.via.source(), t.destination, hex)
        })
        .collect()
}

fn answer(seeker: &mut Seeker, now: Instant, source: &str, interface: u32, payload: &[u8]) {
    seeker.handle_datagram(
        now,
        Received {
            payload,
            source: source.parse().unwrap(),
            destination: "10.99.0.1".parse().unwrap(),
            interface,
        },
    );
}

fn events(seeker: &mut Seeker) -> Vec<SeekEvent> {
    std::iter::from_fn(|| seeker.poll_event()).collect()
}

fn id() -> DeviceId {
    DeviceId::mint(0x10A5_B1C0)
}

fn reply() -> Vec<u8> {
    DiscoverReply::tuner(id()).encode().unwrap().to_vec()
}

#[test]
fn every_address_asks_for_itself_in_both_forms() {
    let mut seeker = Seeker::new(SeekConfig::default());
    seeker.handle_interfaces(start(), &host());
    let sent = sent(&mut seeker);
    let pairs: Vec<_> = sent.iter().map(|(s, d, _)| format!("{s} {d}")).collect();
    let expected = [
        "10.99.0.1 255.255.255.255:65001",
        "fe80::1 [ff02::176%2]:65001",
        "fd99::1 [ff05::176%2]:65001",
        "10.98.0.1 255.255.255.255:65001",
    ];
    let doubled: Vec<_> = expected.iter().flat_map(|p| [*p, *p]).collect();
    assert_eq!(pairs, doubled);
    assert_eq!(sent[0].2, "0002000c0104000000010204ffffffff4e507f35");
    let new = &sent[1].2;
    assert!(new.starts_with("00020006010400000001"), "{new}");
}

#[test]
fn a_round_asks_twice_waits_and_ends() {
    let mut now = start();
    let mut seeker = Seeker::new(SeekConfig::default());
    seeker.handle_interfaces(now, &host());
    assert_eq!(sent(&mut seeker).len(), 8);
    for expected in [8, 0] {
        now += Duration::from_millis(200);
        assert_eq!(seeker.poll_timeout(), Some(now));
        seeker.handle_timeout(now);
        assert_eq!(sent(&mut seeker).len(), expected);
    }
    assert_eq!(events(&mut seeker), [SeekEvent::RoundDone]);
    assert_eq!(seeker.poll_timeout(), None);
}

#[test]
fn answers_of_one_device_are_merged_and_told_once() {
    let now = start();
    let mut seeker = Seeker::new(SeekConfig::default());
    seeker.handle_interfaces(now, &host());
    answer(&mut seeker, now, "[fe80::2%2]:65001", 2, &reply());
    answer(&mut seeker, now, "10.99.0.2:65001", 2, &reply());
    answer(&mut seeker, now, "10.99.0.2:65001", 2, &reply());
    let told = events(&mut seeker);
    assert!(matches!(told.as_slice(), [SeekEvent::Found(_), SeekEvent::Changed(d)]
        if d.address() == Some("10.99.0.2:65001".parse().unwrap()) && d.addresses.len() == 2));
}

#[test]
fn only_who_was_asked_may_answer() {
    let now = start();
    for (target, source, interface, found) in [
        (Target::All, "10.99.0.2:65001", 2, true),
        (Target::All, "10.99.0.2:1900", 2, false),
        (Target::All, "192.0.2.1:65001", 2, false),
        (Target::All, "10.98.0.2:65001", 2, false),
        (Target::Host("192.0.2.1".parse().unwrap()), "192.0.2.1:65001", 2, true),
        (Target::Host("192.0.2.1".parse().unwrap()), "10.99.0.2:65001", 2, false),
        (Target::Device(id()), "10.99.0.2:65001", 2, true),
        (Target::Device(DeviceId::mint(0)), "10.99.0.2:65001", 2, false),
    ] {
        let mut seeker = Seeker::new(SeekConfig::new(target));
        seeker.handle_interfaces(now, &host());
        answer(&mut seeker, now, source, interface, &reply());
        assert_eq!(seeker.devices().count() == 1, found, "{target:?} {source}");
    }
}

#[test]
fn one_device_found_ends_the_round_at_once() {
    let now = start();
    let mut seeker = Seeker::new(SeekConfig::new(Target::Device(id())));
    seeker.handle_interfaces(now, &host());
    assert_eq!(sent(&mut seeker).len(), 4, "one form: the id is in both");
    answer(&mut seeker, now, "10.99.0.2:65001", 2, &reply());
    assert!(events(&mut seeker).contains(&SeekEvent::RoundDone));
    assert_eq!(seeker.poll_timeout(), None);
}

#[test]
fn a_host_is_asked_from_its_subnet_or_from_wherever_it_may_be_reached() {
    for (host_ip, expected) in [
        ("10.98.0.7", vec!["10.98.0.1 10.98.0.7:65001"]),
        ("127.0.0.1", vec!["127.0.0.1 127.0.0.1:65001"]),
        ("10.97.0.2", vec!["10.97.0.1 10.97.0.2:65001"]),
        ("fe80::9", vec!["fe80::1 [fe80::9%2]:65001"]),
        (
            "192.0.2.1",
            vec![
                "10.99.0.1 192.0.2.1:65001",
                "10.98.0.1 192.0.2.1:65001",
                "10.97.0.1 192.0.2.1:65001",
            ],
        ),
    ] {
        let mut seeker = Seeker::new(SeekConfig::new(Target::Host(host_ip.parse().unwrap())));
        seeker.handle_interfaces(start(), &host());
        let mut pairs: Vec<_> =
            sent(&mut seeker).iter().map(|(s, d, _)| format!("{s} {d}")).collect();
        pairs.dedup();
        assert_eq!(pairs, expected, "{host_ip}");
    }
}

#[test]
fn a_device_that_is_silent_for_three_rounds_is_lost() {
    let mut now = start();
    let config = SeekConfig { every: Some(Duration::from_secs(60)), ..SeekConfig::default() };
    let mut seeker = Seeker::new(config);
    seeker.handle_interfaces(now, &host());
    answer(&mut seeker, now, "10.99.0.2:65001", 2, &reply());
    let mut rounds = 0;
    let lost = loop {
        now = seeker.poll_timeout().unwrap();
        seeker.handle_timeout(now);
        let told = events(&mut seeker);
        rounds += told.iter().filter(|e| **e == SeekEvent::RoundDone).count();
        if told.contains(&SeekEvent::Lost(id())) {
            break rounds;
        }
    };
    assert_eq!(lost, 4);
    assert_eq!(seeker.devices().count(), 0);
}

#[test]
fn rubbish_is_counted_and_never_answered() {
    let now = start();
    let mut seeker = Seeker::new(SeekConfig::default());
    seeker.handle_interfaces(now, &host());
    sent(&mut seeker);
    let request = DiscoverRequest::tuners().encode(crate::wire::RequestForm::Old);
    let mut damaged = reply();
    *damaged.last_mut().unwrap() ^= 1;
    for payload in [&[][..], &[0; 4], &request, &damaged] {
        answer(&mut seeker, now, "10.99.0.2:65001", 2, payload);
    }
    assert_eq!(seeker.stats().malformed, 4);
    assert!(sent(&mut seeker).is_empty());
    assert!(Frame::decode(&damaged).is_err());
}

#[test]
fn a_name_is_an_address_or_an_id() {
    let target = |text: &str| text.parse::<Target>();
    assert_eq!(target("10A5B1C0"), Ok(Target::Device(DeviceId::mint(0x10A5_B1C0))));
    assert_eq!(target("10.0.0.5"), Ok(Target::Host("10.0.0.5".parse().unwrap())));
    assert_eq!(target("[fd99::2]"), Ok(Target::Host("fd99::2".parse().unwrap())));
    assert_eq!(target("fe80::2%eth0"), Ok(Target::Host("fe80::2".parse().unwrap())));
    let error = target("tuner.lan").unwrap_err();
    assert_eq!(
        error.to_string(),
        "write an address, such as 192.168.1.5, or the eight digits of a device id: tuner.lan"
    );
    assert!(matches!(target("10A5B1C1"), Err(ParseTargetError::Id(_))));
}
