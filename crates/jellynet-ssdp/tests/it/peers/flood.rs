//! Ten thousand searches per second on a real wire, from one host and from invented ones.
//!
//! Each flood lasts for 2 seconds, or for as many as `JELLYNET_FLOOD_SECONDS` says.

#![expect(clippy::disallowed_methods, reason = "a real network has the real time")]

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jellynet_test::netns::Namespace;
use socket2::{Domain, Protocol, Socket, Type};

use super::stage::{PATIENCE, Server, Stage};
use crate::support::{MEDIA_SERVER, SET, search, unicast_search};

const PER_SECOND: u32 = 10_000;
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), 1900);

fn seconds() -> u64 {
    std::env::var("JELLYNET_FLOOD_SECONDS").map_or(2, |text| text.parse().unwrap())
}

/// Calls `send` as often as a flood does, in a thread of its own, and tells how often that was.
fn flood(send: impl Fn(u32) + Send + 'static) -> thread::JoinHandle<u32> {
    let time = Duration::from_secs(seconds());
    thread::spawn(move || {
        let begin = Instant::now();
        let mut sent = 0;
        while begin.elapsed() < time {
            let due = begin.elapsed().as_secs_f64() * f64::from(PER_SECOND);
            while f64::from(sent) < due {
                send(sent);
                sent += 1;
            }
            thread::park_timeout(Duration::from_millis(1));
        }
        sent
    })
}

/// Asks once for each second of the flood, and how often that was answered.
fn ask(client: &Namespace, from: &str, server: &str) -> usize {
    let server: SocketAddr = server.parse().unwrap();
    client.run(|| {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE / 2)).unwrap();
        (0..seconds())
            .filter(|_| {
                socket.send_to(unicast_search(MEDIA_SERVER).as_bytes(), server).unwrap();
                let answered = socket.recv(&mut [0; 2048]).is_ok();
                thread::park_timeout(Duration::from_millis(500));
                answered
            })
            .count()
    })
}

#[test]
fn one_host_that_floods_gets_no_more_than_its_share_and_the_others_are_answered() {
    let Some(stage) = Stage::set() else { return };
    let _server = Server::start(&stage.server);
    stage.clients[0].address("eth0", "10.77.1.3/24");
    let socket = stage.clients[0].run(|| {
        let socket = UdpSocket::bind("10.77.1.2:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    });
    let told = Arc::new(AtomicUsize::new(0));
    let (count, payload) = (Arc::clone(&told), search("ssdp:all", 1));
    let (receiver, begin) = (socket.try_clone().unwrap(), Instant::now());
    let flooding = flood(move |_| {
        let _ = socket.send_to(payload.as_bytes(), GROUP);
        while receiver.recv(&mut [0; 2048]).is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let near = ask(&stage.clients[0], "10.77.1.3", "10.77.1.1:1900");
    let far = ask(&stage.clients[1], "10.77.2.2", "10.77.2.1:1900");
    let (sent, took) = (flooding.join().unwrap(), begin.elapsed());
    let told = told.load(Ordering::Relaxed);
    println!("{sent} searches in {took:.1?}: {told} answers; {near} and {far} others answered");
    assert_eq!((near as u64, far as u64), (seconds(), seconds()));
    assert!(told > 0);
    assert!(told <= (20 + 10 * (usize::try_from(took.as_secs()).unwrap() + 1)) * SET, "{told}");
}

/// An IPv4 packet with a source of its own.
fn packet(source: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let length = |more: usize| u16::try_from(payload.len() + more).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0];
    packet.extend(length(28));
    // No identification, no fragments, two hops, UDP; the kernel adds the checksum.
    packet.extend([0, 0, 0, 0, 2, 17, 0, 0]);
    packet.extend(source.octets());
    packet.extend(GROUP.ip().octets());
    packet.extend(4000_u16.to_be_bytes());
    packet.extend(GROUP.port().to_be_bytes());
    packet.extend(length(8));
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// Counts the UDP packets from the server that leave for 203.0.113.0/24.
fn count_reflected(on: &Namespace, until: Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    let mut socket = on.run(|| {
        let everything = Protocol::from(i32::from(0x0003_u16.to_be()));
        Socket::new(Domain::PACKET, Type::RAW, Some(everything)).unwrap()
    });
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    thread::spawn(move || {
        let mut frame = [0; 2048];
        let mut count = 0;
        while !until.load(Ordering::Relaxed) {
            let Ok(length) = socket.read(&mut frame) else { continue };
            let frame = &frame[..length];
            let reflected = frame.get(26..30) == Some(&[10, 77, 1, 1])
                && frame.get(30..33) == Some(&[203, 0, 113]);
            count += usize::from(reflected);
        }
        count
    })
}

#[test]
fn invented_sources_elsewhere_get_nothing_and_the_others_are_answered() {
    let Some(stage) = Stage::set() else { return };
    // Whatever would be sent there would pass the first client.
    stage.server.default_route("10.77.1.2".parse().unwrap());
    stage.server.run(|| {
        for interface in ["all", "eth1"] {
            let path = format!("/proc/sys/net/ipv4/conf/{interface}/rp_filter");
            std::fs::write(path, "0").unwrap();
        }
    });
    let _server = Server::start(&stage.server);
    let raw = stage.clients[0].run(|| {
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).unwrap();
        raw.set_multicast_if_v4(&Ipv4Addr::new(10, 77, 1, 2)).unwrap();
        raw
    });
    let over = Arc::new(AtomicBool::new(false));
    let reflected = count_reflected(&stage.clients[0], Arc::clone(&over));
    let payload = search("ssdp:all", 1);
    let flooding = flood(move |at| {
        let source = Ipv4Addr::new(203, 0, 113, u8::try_from(at % 250).unwrap());
        let _ = raw.send_to(&packet(source, payload.as_bytes()), &SocketAddr::V4(GROUP).into());
    });
    let near = ask(&stage.clients[0], "10.77.1.2", "10.77.1.1:1900");
    let far = ask(&stage.clients[1], "10.77.2.2", "10.77.2.1:1900");
    let sent = flooding.join().unwrap();
    // Answers wait for up to a second.
    thread::park_timeout(Duration::from_secs(1));
    over.store(true, Ordering::Relaxed);
    let reflected = reflected.join().unwrap();
    println!("{sent} searches: {reflected} answers; {near} and {far} others answered");
    assert_eq!((near as u64, far as u64), (seconds(), seconds()));
    assert_eq!(reflected, 0);
}
