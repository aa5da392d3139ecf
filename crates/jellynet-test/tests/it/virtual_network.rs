//! The virtual network behaves as a real one.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jellynet_netif::Interface;
use jellynet_test::wire::{Host, Lan, Network, Weather};

use crate::echo::{Echo, Vice};

const SECOND: Duration = Duration::from_secs(1);

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn interface(name: &str, index: u32, net: &str) -> Interface {
    Interface::new(name, index).with_address(net.parse().unwrap())
}

/// A server on two LANs.
fn two_lans(vice: Vice) -> (Network, Host, [Lan; 2]) {
    let mut network = Network::new(7);
    let lans = [network.lan(), network.lan()];
    let server = network.host("server");
    network.attach(server, lans[0], interface("eth0", 2, "10.77.1.1/24"));
    network.attach(server, lans[1], interface("eth1", 3, "10.77.2.1/24"));
    let now = network.now();
    network.seat(server, 7, Echo::new(vice, now));
    (network, server, lans)
}

#[test]
fn an_answer_comes_from_the_side_that_asked() {
    let (mut network, _, [one, other]) = two_lans(Vice::None);
    for to in ["10.77.1.1:7", "10.77.1.255:7", "255.255.255.255:7", "239.255.255.250:7"] {
        network.clear_packets();
        network.inject(one, addr("10.77.1.9:99"), addr(to), "ping");
        network.run_for(SECOND);
        let answers = network.sent_to(addr("10.77.1.9:99"));
        assert_eq!(answers.len(), 1, "{to}");
        assert_eq!((answers[0].source, answers[0].lan), (addr("10.77.1.1:7"), Some(one)));
    }
    network.clear_packets();
    network.inject(other, addr("10.77.2.9:99"), addr("255.255.255.255:7"), "ping");
    network.run_for(SECOND);
    assert_eq!(network.sent_to(addr("10.77.2.9:99"))[0].source, addr("10.77.2.1:7"));
}

#[test]
fn what_is_for_another_port_or_host_arrives_nowhere() {
    let (mut network, server, [one, other]) = two_lans(Vice::None);
    let asker = addr("10.77.1.9:99");
    network.inject(one, asker, addr("10.77.1.1:8"), "ping");
    network.inject(one, asker, addr("10.77.1.3:7"), "ping");
    network.inject(one, asker, addr("10.77.9.255:7"), "ping");
    network.inject(other, addr("10.77.2.9:99"), addr("10.77.1.1:7"), "ping");
    network.run_for(SECOND);
    assert!(network.packets().iter().all(|packet| packet.host != Some(server)));
}

#[test]
fn routed_lans_pass_on_what_is_for_one_host() {
    let (mut network, server, [one, _]) = two_lans(Vice::AnswersStrangers);
    let far = network.lan();
    network.route(one, far);
    network.inject(far, addr("192.0.2.9:99"), addr("255.255.255.255:7"), "ping");
    network.run_for(SECOND);
    assert!(network.packets().iter().all(|packet| packet.host != Some(server)));
    network.inject(far, addr("192.0.2.9:99"), addr("10.77.1.1:7"), "ping");
    network.run_for(SECOND);
    assert_eq!(network.sent_to(addr("192.0.2.9:99")).len(), 1);
}

#[test]
fn time_jumps_to_the_next_time_out_and_announcements_use_their_own_ports() {
    let (mut network, ..) = two_lans(Vice::None);
    network.run_for(150 * SECOND);
    assert_eq!(network.elapsed(), 150 * SECOND);
    let packets = network.packets();
    let times: Vec<_> = packets.iter().map(|packet| packet.at.as_secs()).collect();
    assert_eq!(times, [60, 60, 120, 120]);
    assert!(packets.iter().all(|packet| packet.source.port() >= 49_152));
}

#[test]
fn an_interface_comes_and_goes() {
    let (mut network, server, [one, _]) = two_lans(Vice::None);
    network.detach(server, 2);
    network.inject(one, addr("10.77.1.9:99"), addr("10.77.1.1:7"), "ping");
    network.run_for(SECOND);
    assert!(network.sent_to(addr("10.77.1.9:99")).is_empty());
    network.attach(server, one, interface("eth0", 2, "10.77.1.5/24"));
    network.inject(one, addr("10.77.1.9:99"), addr("10.77.1.5:7"), "ping");
    let took = network.run_until("an answer", SECOND, |network| {
        !network.sent_to(addr("10.77.1.9:99")).is_empty()
    });
    assert_eq!(took, Duration::from_millis(1));
}

#[test]
fn a_storm_loses_doubles_and_shuffles_the_same_way_for_the_same_seed() {
    let run = |seed| {
        let mut network = Network::new(seed);
        let lan = network.lan();
        let server = network.host("server");
        network.attach(server, lan, interface("eth0", 2, "10.77.1.1/24"));
        let now = network.now();
        network.seat(server, 7, Echo::new(Vice::None, now));
        network.set_weather(Weather::storm());
        for port in 1_000..1_500 {
            let from = SocketAddr::from(([10, 77, 1, 9], port));
            network.inject(lan, from, addr("10.77.1.1:7"), "ping");
        }
        network.run_for(SECOND);
        let answers = network.packets().iter().skip(500);
        answers.map(|packet| packet.destination.port()).collect::<Vec<_>>()
    };
    let ports = run(1);
    assert_eq!(ports, run(1));
    assert_ne!(ports, run(2));
    assert!(!ports.is_sorted(), "shuffled");
    let mut distinct = ports.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() < ports.len(), "doubled");
    assert!((350..450).contains(&distinct.len()), "lost: {}", distinct.len());
}

#[test]
fn an_engine_that_stands_still_fails_instead_of_hanging() {
    let (mut network, ..) = two_lans(Vice::Stands);
    let outcome = catch_unwind(AssertUnwindSafe(|| network.run_for(100 * SECOND)));
    assert!(outcome.is_err());
}
