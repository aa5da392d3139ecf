//! What needs no network but the host's own.

use std::net::SocketAddr;
use std::time::Duration;

use jellynet_netif::{
    Driver, Interface, InterfaceTable, Interfaces, Sharing, SocketState, UdpConfig, drive,
};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::engines::Echo;

const SOON: Duration = Duration::from_secs(5);

/// The loopback interface, with IPv4 addresses only.
fn loopback() -> InterfaceTable {
    let host = jellynet_netif::interfaces().unwrap();
    let index = host.iter().find(|i| i.flags.loopback).unwrap().index;
    let mut lo = Interface::loopback(index);
    lo.addresses.retain(|a| a.ip().is_ipv4());
    InterfaceTable::new([lo.with_address("127.0.0.2/8".parse().unwrap())])
}

fn port(driver: &Driver<Echo>) -> u16 {
    driver.status().listening().next().unwrap().port()
}

#[tokio::test]
async fn a_reply_leaves_from_the_address_and_port_that_were_asked() {
    let (driver, mut events) =
        drive(Echo::default(), UdpConfig::listen(0), Interfaces::fixed(loopback()));
    let asked = SocketAddr::from(([127, 0, 0, 2], port(&driver)));
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.send_to(b"hello", asked).await.unwrap();
    let mut buffer = [0; 16];
    let (length, from) = timeout(SOON, client.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert_eq!((&buffer[..length], from), (b"hello".as_slice(), asked));
    let heard = events.next().await.unwrap();
    assert_eq!(heard.destination, asked.ip());
    assert_eq!(heard.source, client.local_addr().unwrap());
    let counters = driver.counters();
    assert_eq!((counters.received, counters.sent), (1, 1));
}

#[tokio::test]
async fn every_datagram_of_a_burst_is_heard_even_empty_ones() {
    let (driver, mut events) =
        drive(Echo::silent(), UdpConfig::listen(0), Interfaces::fixed(loopback()));
    let to = SocketAddr::from(([127, 0, 0, 1], port(&driver)));
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in 0..100 {
        client.send_to(&vec![b'x'; length], to).await.unwrap();
    }
    for length in 0..100 {
        let heard = timeout(SOON, events.next()).await.unwrap().unwrap();
        assert_eq!(heard.payload.len(), length);
    }
}

#[tokio::test]
async fn a_busy_port_is_said_and_taken_once_it_is_free() {
    let other = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let config = UdpConfig::listen(port)
        .with_sharing(Sharing::Exclusive)
        .with_retry(Duration::from_millis(20), Duration::from_millis(50));
    let (mut driver, _events) = drive(Echo::default(), config, Interfaces::fixed(loopback()));
    let status = driver.status();
    assert!(
        matches!(&status.sockets[0].state, SocketState::Failed { wanted, .. } if wanted.port() == port)
    );
    assert_eq!(status.failures().count(), 1);
    drop(other);
    let opened =
        async { while driver.status_changed().await.unwrap().listening().next().is_none() {} };
    timeout(SOON, opened).await.unwrap();
    assert_eq!(driver.status().failures().count(), 0);
}

#[tokio::test]
async fn a_shared_port_is_shared_with_every_combination_of_flags() {
    for (reuse_address, reuse_port) in [(true, true), (true, false), (false, true)] {
        let domain = socket2::Domain::IPV4;
        let other = socket2::Socket::new(domain, socket2::Type::DGRAM, None).unwrap();
        other.set_reuse_address(reuse_address).unwrap();
        other.set_reuse_port(reuse_port).unwrap();
        other.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into()).unwrap();
        let port = other.local_addr().unwrap().as_socket().unwrap().port();
        let config = UdpConfig::listen(port);
        let (driver, _events) = drive(Echo::default(), config, Interfaces::fixed(loopback()));
        assert_eq!(
            driver.status().failures().next(),
            None,
            "reuse address {reuse_address}, port {reuse_port}"
        );
    }
}

#[tokio::test]
async fn an_announcement_leaves_from_each_address_and_hears_its_answer() {
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = peer.local_addr().unwrap();
    let (driver, mut events) =
        drive(Echo::silent(), UdpConfig::announce(), Interfaces::fixed(loopback()));
    driver.with(|engine, _now| engine.announce(b"who?", to));
    let mut sources = Vec::new();
    let mut buffer = [0; 16];
    for _ in 0..2 {
        let received = timeout(SOON, peer.recv_from(&mut buffer)).await;
        let (length, from) = received.unwrap().unwrap();
        assert_eq!(&buffer[..length], b"who?");
        peer.send_to(b"me", from).await.unwrap();
        sources.push(from);
    }
    sources.sort();
    assert_eq!(sources[0].ip().to_string(), "127.0.0.1");
    assert_eq!(sources[1].ip().to_string(), "127.0.0.2");
    for _ in 0..2 {
        let heard = timeout(SOON, events.next()).await.unwrap().unwrap();
        assert_eq!((heard.payload.as_slice(), heard.source), (b"me".as_slice(), to));
        assert!(sources.iter().any(|from| from.ip() == heard.destination));
    }
}

#[tokio::test]
async fn sockets_follow_the_interfaces() {
    let (sender, interfaces) = Interfaces::channel(InterfaceTable::default());
    let (mut driver, _events) = drive(Echo::silent(), UdpConfig::announce(), interfaces);
    assert!(driver.status().sockets.is_empty());
    sender.set(loopback());
    let status = timeout(SOON, driver.status_changed()).await.unwrap().unwrap();
    assert_eq!(status.sockets.len(), 2);
    sender.set(InterfaceTable::default());
    let status = timeout(SOON, driver.status_changed()).await.unwrap().unwrap();
    assert!(status.sockets.is_empty());
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    driver.with(|engine, _now| engine.announce(b"who?", nowhere));
}

#[tokio::test]
async fn an_address_that_cannot_be_bound_is_counted_and_nothing_else_stops() {
    let mut table = loopback();
    let foreign = Interface::new("ghost0", 4242).with_address("192.0.2.1/24".parse().unwrap());
    table = table.iter().cloned().chain([foreign]).collect();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = peer.local_addr().unwrap();
    let (driver, _events) = drive(Echo::silent(), UdpConfig::announce(), Interfaces::fixed(table));
    assert_eq!(driver.status().failures().count(), 1);
    driver.with(|engine, _now| engine.announce(b"who?", to));
    let mut buffer = [0; 16];
    for _ in 0..2 {
        timeout(SOON, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
    }
    driver.shutdown(Duration::ZERO).await;
    assert_eq!(driver.counters().send_failed.no_socket, 1);
}

#[tokio::test]
async fn a_shutdown_sends_what_is_due_in_time_and_frees_the_port() {
    let (driver, _events) = drive(
        Echo::silent(),
        UdpConfig::listen(0).with_announcing(),
        Interfaces::fixed(loopback()),
    );
    let port = port(&driver);
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = peer.local_addr().unwrap();
    driver.with(|engine, now| {
        engine.announce(b"bye", to);
        engine.due_in(now, Duration::from_millis(30));
    });
    timeout(SOON, driver.shutdown(Duration::from_secs(1))).await.unwrap();
    assert_eq!(driver.counters().sent, 4, "two at once, two that were due");
    // A program that another test starts holds all sockets of this process until it runs.
    let free = async {
        while UdpSocket::bind(("0.0.0.0", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, free).await.unwrap();
}

#[tokio::test]
async fn dropping_everything_closes_the_sockets() {
    let (driver, events) =
        drive(Echo::silent(), UdpConfig::listen(0), Interfaces::fixed(loopback()));
    let port = port(&driver);
    drop((driver, events));
    let bound = async {
        while UdpSocket::bind(("0.0.0.0", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, bound).await.unwrap();
}
