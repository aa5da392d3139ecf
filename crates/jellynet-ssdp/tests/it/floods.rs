//! More than anyone needs to ask.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jellynet_netif::{Engine, InterfaceTable, Received, Transmit};
use jellynet_ssdp::{Advertiser, Device, MAX_DEVICES, RootDevice, Uuid};
use jellynet_test::wire::{Lan, Network};

use crate::support::{
    MEDIA_SERVER, SECOND, SET, address, advertiser, config, eth, group, location, search,
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

/// An advertiser that was announced long ago, fed by hand: a flood is too much for a network.
struct Bare {
    engine: Advertiser,
    now: Instant,
    sent: Vec<Transmit>,
}

impl Bare {
    fn new() -> Self {
        let mut bare = Self { engine: advertiser(), now: Network::new(0).now(), sent: Vec::new() };
        bare.engine.handle_interfaces(bare.now, &InterfaceTable::new([eth(1)]));
        bare.run_for(SECOND * 10);
        bare.sent.clear();
        bare
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.engine.handle_timeout(due);
            self.drain();
        }
        self.now = end;
    }

    fn hear(&mut self, source: SocketAddr, to: SocketAddr, payload: &str) {
        let datagram = Received {
            payload: payload.as_bytes(),
            source,
            destination: to.ip(),
            interface: eth(1).index,
        };
        self.engine.handle_datagram(self.now, datagram);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.engine.poll_transmit() {
            self.sent.push(transmit);
        }
    }
}

/// Sends `per_second` searches for ten seconds, each from the next source, while a real client
/// asks once per second. Returns what the sources were sent, in bytes, and how often the client
/// was answered.
fn flood(
    payload: &str,
    to: SocketAddr,
    per_second: u32,
    source: impl Fn(u32) -> SocketAddr,
) -> (usize, usize) {
    let mut bare = Bare::new();
    let client = address("10.77.1.250:5000");
    for at in 0..per_second * 10 {
        bare.hear(source(at), to, payload);
        if at % per_second == 0 {
            bare.hear(client, group(), &search(MEDIA_SERVER, 1));
        }
        bare.run_for(SECOND / per_second);
    }
    bare.run_for(SECOND * 10);
    let (answered, told): (Vec<_>, Vec<_>) =
        bare.sent.iter().partition(|t| t.destination == client);
    (told.iter().map(|t| t.payload.len()).sum(), answered.len())
}

#[test]
fn a_flood_from_one_host_is_answered_within_the_limits_and_others_still_are() {
    let one = address("10.77.1.66:4000");
    // 20 searches at once and 10 per second, each with the whole set of at most 512 bytes.
    let most = (20 + 10 * 10) * SET * 512;
    for (payload, to) in
        [(search("ssdp:all", 5), group()), (unicast_search("ssdp:all"), address("10.77.1.1:1900"))]
    {
        let (told, answered) = flood(&payload, to, 10_000, |_| one);
        assert!(told <= most, "{told} bytes");
        assert!(told > 0);
        assert_eq!(answered, 10);
    }
}

#[test]
fn a_flood_from_invented_sources_elsewhere_gets_nothing() {
    let invented = |at: u32| {
        let [a, b, c, d] = at.wrapping_mul(2_654_435_761).to_be_bytes();
        // Anywhere but on the link.
        let a = if a == 10 { 11 } else { a };
        SocketAddr::from(([a, b, c, d], 4000))
    };
    let (told, answered) = flood(&search("ssdp:all", 5), group(), 10_000, invented);
    assert_eq!(told, 0);
    assert_eq!(answered, 10);
}

#[test]
fn a_flood_from_every_address_of_the_link_stays_within_the_limit_of_all() {
    let any = |at: u32| {
        let last = u8::try_from(at % 240 + 2).unwrap();
        SocketAddr::from(([10, 77, 1, last], 4000))
    };
    let (told, _) = flood(&search("ssdp:all", 1), group(), 10_000, any);
    // 400 answers at once and 200 per second.
    assert!(told <= (400 + 200 * 11) * 512, "{told} bytes");
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
fn a_flood_leaves_no_memory_and_no_late_answers_behind() {
    let mut bare = Bare::new();
    for at in 0..100_000_u32 {
        let last = u8::try_from(at % 250 + 2).unwrap();
        let port = 1024 + u16::try_from(at % 60_000).unwrap();
        let source = SocketAddr::from(([10, 77, 1, last], port));
        bare.hear(source, group(), &search("ssdp:all", 5));
    }
    assert_eq!(bare.sent.len(), 0, "all of them wait");
    bare.run_for(SECOND * 6);
    assert!(bare.sent.len() <= 512, "{}", bare.sent.len());
    bare.sent.clear();
    bare.run_for(SECOND * 6);
    assert_eq!(bare.sent.len(), 0);
}
