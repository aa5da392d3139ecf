//! Both engines: any datagrams at any time, with interfaces that come and go in between.
//!
//! The first two bytes of each step say what happens; datagrams have their length before them.

#![cfg_attr(fuzzing, no_main)]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use jellynet_netif::{Engine, Interface, InterfaceTable, Received};
use jellynet_ssdp::{
    Advertiser, AdvertiserConfig, Device, RootDevice, Searcher, SearcherConfig, Target, Uuid,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let device = Device::media_server(Uuid::from_bytes([1; 16]));
    let root = RootDevice::new(device, |_, ip| Some(format!("http://{ip}/x")));
    let config = AdvertiserConfig::new("a/1 UPnP/1.1 b/1", 1, 1);
    let mut advertiser = Advertiser::new(config, vec![root]).expect("a good configuration");
    let config = SearcherConfig::new([Target::All], "a/1 UPnP/1.1 b/1", 1);
    let mut searcher = Searcher::new(config).expect("a good configuration");
    let mut now = Instant::now();
    let mut rest = bytes;
    while let [what, more, tail @ ..] = rest {
        now += Duration::from_millis(u64::from(*more));
        let length = usize::from(*more).saturating_mul(8).min(tail.len());
        let payload = if what % 4 == 3 { &tail[..0] } else { &tail[..length] };
        rest = &tail[payload.len()..];
        step(&mut advertiser, now, *what, payload);
        step(&mut searcher, now, *what, payload);
    }
});

fn step(engine: &mut impl Engine, now: Instant, what: u8, payload: &[u8]) {
    if what % 4 == 3 {
        engine.handle_interfaces(now, &interfaces(what));
        engine.handle_timeout(now);
    } else {
        let group = [[239, 255, 255, 250], [10, 0, 0, 1], [255, 255, 255, 255]];
        engine.handle_datagram(
            now,
            Received {
                payload,
                source: SocketAddr::from(([10, 0, 0, what], 1900)),
                destination: IpAddr::from(group[usize::from(what % 4)]),
                interface: 2,
            },
        );
    }
    let mut sent = 0;
    while engine.poll_transmit().is_some() {
        sent += 1;
        assert!(sent < 1000, "a storm");
    }
    while engine.poll_event().is_some() {}
    if let Some(due) = engine.poll_timeout().filter(|due| *due <= now) {
        engine.handle_timeout(now);
        assert_ne!(engine.poll_timeout(), Some(due), "no progress");
    }
}

fn interfaces(what: u8) -> InterfaceTable {
    let address = format!("10.0.0.{}/24", what / 4).parse();
    let eth0 = Interface::new("eth0", 2).with_address(address.expect("an address"));
    if what < 8 {
        return InterfaceTable::default();
    }
    InterfaceTable::new([eth0])
}
