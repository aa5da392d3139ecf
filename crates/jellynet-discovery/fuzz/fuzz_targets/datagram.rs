//! Any datagram to both sides: no panic, answers that are answers and short, no answer to an
//! answer.

#![cfg_attr(fuzzing, no_main)]

use std::net::SocketAddr;
use std::time::Instant;

use jellynet_discovery::{
    Answer, Identity, Responder, ResponderConfig, Seeker, SeekerConfig, ServerId,
};
use jellynet_netif::{Engine, Interface, InterfaceTable, Received};
use libfuzzer_sys::fuzz_target;

fn datagram(payload: &[u8]) -> Received<'_> {
    Received {
        payload,
        source: SocketAddr::from(([10, 77, 1, 20], 7359)),
        destination: [255, 255, 255, 255].into(),
        interface: 2,
    }
}

fuzz_target!(|payload: &[u8]| {
    let now = Instant::now();
    let eth0 = Interface::new("eth0", 2).with_address("10.77.1.1/24".parse().unwrap());
    let table = InterfaceTable::new([Interface::loopback(1), eth0]);

    let name = String::from_utf8_lossy(payload).into_owned();
    let identity =
        Identity::new(ServerId::from_bytes([7; 16]), name, |asker| Some(asker.http(8096)));
    let mut responder = Responder::new(ResponderConfig::default()).with_identity(identity);
    responder.handle_interfaces(now, &table);
    for question in [payload, b"who is JellyfinServer?"] {
        responder.handle_datagram(now, datagram(question));
        while let Some(answer) = responder.poll_transmit() {
            assert!(answer.payload.len() < 1024);
            Answer::decode(&answer.payload).unwrap();
            responder.handle_datagram(now, datagram(&answer.payload));
            assert_eq!(responder.poll_transmit(), None);
        }
    }

    let mut seeker = Seeker::new(SeekerConfig::default());
    seeker.handle_interfaces(now, &table);
    while seeker.poll_transmit().is_some() {}
    seeker.handle_datagram(now, datagram(payload));
    assert_eq!(seeker.poll_transmit(), None);
    assert_eq!(seeker.poll_event().is_some(), Answer::decode(payload).is_ok());
});
