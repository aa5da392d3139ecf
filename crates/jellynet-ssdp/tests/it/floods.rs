//! More than anyone needs to ask.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jellynet_ssdp::{Advertiser, Device, MAX_DEVICES, RootDevice, Uuid};
use jellynet_test::wire::{Lan, Network};

use crate::support::{
    MEDIA_SERVER, SECOND, SET, address, advertiser, answers, config, eth, group, location, search,
    unicast_search,
};

fn settled(advertiser: Advertiser) -> (Network, Lan) {
    let mut network = Network::new(5);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    network.seat(host, 1900, advertiser);
    network.run_for(SECOND * 10);
    network.clear_packets();
    (network, lan)
}

/// Sends `per_second` searches for some seconds, each from the next source, while a real client
/// asks once per second. Returns what the sources were sent, in bytes, and how often the client
/// was answered.
fn flood(
    payload: &str,
    to: SocketAddr,
    per_second: u32,
    seconds: u32,
    source: impl Fn(u32) -> SocketAddr,
) -> (usize, usize) {
    let (mut network, lan) = settled(advertiser());
    let client = address("10.77.1.250:5000");
    for at in 0..per_second * seconds {
        network.inject(lan, source(at), to, payload);
        if at % per_second == 0 {
            network.inject(lan, client, group(), search(MEDIA_SERVER, 1));
        }
        network.run_for(SECOND / per_second);
    }
    network.run_for(SECOND * 10);
    let told: usize = network
        .packets()
        .iter()
        .filter(|p| p.host.is_some() && p.destination != client)
        .map(|p| p.payload.len())
        .sum();
    (told, answers(&network, client).len())
}

#[test]
fn a_flood_from_one_host_is_answered_within_the_limits_and_others_still_are() {
    let one = address("10.77.1.66:4000");
    let (told, answered) = flood(&search("ssdp:all", 5), group(), 10_000, 3, |_| one);
    // 20 searches at once and 10 per second, each with the whole set of at most 512 bytes.
    assert!(told <= (20 + 10 * 14) * SET * 512, "{told} bytes");
    assert_eq!(answered, 3);

    let unicast = unicast_search("ssdp:all");
    let (told, answered) = flood(&unicast, address("10.77.1.1:1900"), 10_000, 3, |_| one);
    assert!(told <= (20 + 10 * 4) * SET * 512, "{told} bytes");
    assert_eq!(answered, 3);
}

#[test]
fn a_flood_from_invented_sources_elsewhere_gets_nothing() {
    let spoofed = |at: u32| {
        SocketAddr::new(
            IpAddr::from(at.wrapping_mul(2_654_435_761).to_be_bytes()),
            4000,
        )
    };
    let outside = move |at| {
        let source: SocketAddr = spoofed(at);
        match source.ip() {
            IpAddr::V4(v4) if v4.octets()[0] == 10 => address("192.0.2.1:4000"),
            _ => source,
        }
    };
    let (told, answered) = flood(&search("ssdp:all", 5), group(), 10_000, 3, outside);
    assert_eq!(told, 0);
    assert_eq!(answered, 3);
}

#[test]
fn a_flood_from_every_address_of_the_link_stays_within_the_limit_of_all() {
    let any = |at: u32| {
        let last = u8::try_from(at % 240 + 2).unwrap();
        SocketAddr::new(IpAddr::from([10, 77, 1, last]), 4000)
    };
    let (told, _) = flood(&search("ssdp:all", 1), group(), 5_000, 4, any);
    // 400 answers at once and 200 per second.
    assert!(told <= (400 + 200 * 15) * 512, "{told} bytes");
}

/// The amplification budget of docs/protocols/ssdp.md: an answer is at most eight times as long
/// as the shortest search that gets it, and there is one per part of a device.
#[test]
fn one_search_is_answered_within_its_budget() {
    let devices: Vec<_> = (0..u8::try_from(MAX_DEVICES).unwrap())
        .map(|n| RootDevice::new(Device::media_server(Uuid::from_bytes([n; 16])), location))
        .collect();
    for (count, devices) in [(1, devices[..1].to_vec()), (MAX_DEVICES, devices)] {
        let (mut network, lan) = settled(Advertiser::new(config(), devices).unwrap());
        let client = address("10.77.1.2:5000");
        let shortest = "M-SEARCH * HTTP/1.1\nMAN:ssdp:discover\nMX:1\nST:ssdp:all\n";
        network.inject(lan, client, group(), shortest);
        network.run_for(SECOND * 6);
        let sent = network.sent_to(client);
        assert_eq!(sent.len(), SET * count);
        assert!(sent.iter().all(|p| p.payload.len() <= shortest.len() * 8));
    }
}

#[test]
fn a_flood_leaves_no_memory_behind() {
    let (mut network, lan) = settled(advertiser());
    let mut most = 0;
    for at in 0..20_000_u32 {
        let last = u8::try_from(at % 250 + 2).unwrap();
        let source = SocketAddr::new(
            IpAddr::from([10, 77, 1, last]),
            1024 + u16::try_from(at % 60_000).unwrap(),
        );
        network.inject(lan, source, group(), search("ssdp:all", 5));
        if at % 100 == 0 {
            network.clear_packets();
            network.run_for(Duration::from_millis(1));
            most = most.max(network.packets().len());
        }
    }
    network.run_for(SECOND * 6);
    network.clear_packets();
    network.run_for(SECOND * 6);
    // After the flood the queue is empty: nothing is answered late.
    assert_eq!(network.packets().len(), 0);
    assert!(most <= 512, "{most}");
}
