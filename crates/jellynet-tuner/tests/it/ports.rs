//! Leases on a real kernel.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Barrier;
use std::thread;

use jellynet_test::netns::Namespace;
use jellynet_tuner::ports::{
    BindAt, DropCounter, Holder, Order, PortError, PortPolicy, RxOptions, TunerPorts,
};
use socket2::SockRef;

const LOCAL: BindAt = BindAt::Exact(IpAddr::V4(Ipv4Addr::LOCALHOST));

fn rx() -> RxOptions {
    RxOptions::default()
}

/// A range that no other test leases from, below the ephemeral ports.
fn range(first: u16, count: u16) -> PortPolicy {
    PortPolicy::in_range(first..=first + count - 1)
}

#[test]
fn sixteen_openers_at_once_never_collide() {
    let ports = TunerPorts::new(range(20_000, 64)).unwrap();
    for round in 0..100 {
        let start = Barrier::new(16);
        let leases: Vec<_> = thread::scope(|scope| {
            // All threads have to be there before the first is waited for.
            let openers: [_; 16] = std::array::from_fn(|_| {
                scope.spawn(|| {
                    start.wait();
                    ports.lease(LOCAL, rx(), "opener").unwrap()
                })
            });
            openers.into_iter().map(|o| o.join().unwrap()).collect()
        });
        let distinct: HashSet<_> = leases.iter().map(|l| l.local_addr().port()).collect();
        assert_eq!(distinct.len(), 16, "round {round}");
    }
    assert!(ports.leased().is_empty());
}

#[test]
fn of_five_openers_for_four_ports_one_is_told_who_has_them() {
    let ports = TunerPorts::new(range(20_100, 4)).unwrap();
    let results: Vec<_> = thread::scope(|scope| {
        let openers: [_; 5] = std::array::from_fn(|n| {
            let ports = &ports;
            scope.spawn(move || ports.lease(LOCAL, rx(), &format!("channel {n}")))
        });
        openers.into_iter().map(|o| o.join().unwrap()).collect()
    });
    let errors: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    let [PortError::Exhausted { ours, others, sample, tried, .. }] = errors.as_slice() else {
        panic!("{errors:?}");
    };
    assert_eq!((*ours, *others, *tried, sample.len()), (4, 0, 4, 4));
    let text = errors[0].to_string();
    assert!(text.contains("20100-20103") && text.contains("by this program for channel"), "{text}");
}

#[test]
fn a_port_of_another_program_is_passed_over_and_named_when_nothing_is_left() {
    let foreign = UdpSocket::bind("127.0.0.1:20200").unwrap();
    let mut policy = range(20_200, 2);
    policy.order = Order::Sequential;
    let ports = TunerPorts::new(policy).unwrap();
    let lease = ports.lease(LOCAL, rx(), "first").unwrap();
    assert_eq!(lease.local_addr().port(), 20_201);
    let error = ports.lease(LOCAL, rx(), "second").unwrap_err();
    let PortError::Exhausted { ours, others, sample, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((*ours, *others), (1, 1));
    let holder = sample.iter().find(|h| h.port == 20_200).map(|h| &h.holder);
    // This very process, which holds the socket outside of the leases.
    let me = std::process::id();
    assert!(matches!(holder, Some(Holder::Process { pid, .. }) if *pid == me), "{sample:?}");
    drop(foreign);
}

#[test]
fn a_lease_shares_its_port_with_nobody() {
    let ports = TunerPorts::with_seed(range(20_300, 8), 1);
    let lease = ports.lease(LOCAL, rx(), "one").unwrap();
    let socket = SockRef::from(lease.socket());
    assert!(!socket.reuse_address().unwrap());
    assert!(!socket.reuse_port().unwrap());
    assert!(UdpSocket::bind(lease.local_addr()).is_err());
    // Another policy of this program meets the same kernel.
    let other = TunerPorts::with_seed(range(lease.local_addr().port(), 1), 1);
    assert!(matches!(other.lease(LOCAL, rx(), "two"), Err(PortError::Exhausted { others: 1, .. })));
}

#[test]
fn a_released_port_rests_but_is_better_than_none() {
    let ports = TunerPorts::new(range(20_400, 2)).unwrap();
    let first = ports.lease(LOCAL, rx(), "a").unwrap().local_addr();
    for _ in 0..20 {
        let next = ports.lease(LOCAL, rx(), "b").unwrap().local_addr();
        if next == first {
            // Both rest now, and the longest resting comes first: they take turns.
            continue;
        }
        let after = ports.lease(LOCAL, rx(), "c").unwrap().local_addr();
        assert_eq!(after, first);
    }
}

#[test]
fn an_address_of_another_host_is_an_error_at_once() {
    let ports = TunerPorts::new(PortPolicy::default()).unwrap();
    let elsewhere: IpAddr = "203.0.113.7".parse().unwrap();
    let error = ports.lease(BindAt::Exact(elsewhere), rx(), "x").unwrap_err();
    assert!(matches!(error, PortError::NotLocal { at, .. } if at == elsewhere), "{error:?}");
    assert_eq!(error.to_string(), "not an address of this host: 203.0.113.7");
}

#[test]
fn a_pair_is_even_and_odd_and_stays_in_its_range() {
    let ports = TunerPorts::new(range(20_501, 4)).unwrap();
    let blocker = UdpSocket::bind("127.0.0.1:20502").unwrap();
    let error = ports.lease_rtp_pair(LOCAL, rx(), "pair").unwrap_err();
    // 20504 and 20505 would fit, but 20505 is out of the range.
    assert!(matches!(error, PortError::Exhausted { .. }), "{error:?}");
    drop(blocker);
    let pair = ports.lease_rtp_pair(LOCAL, rx(), "pair").unwrap();
    let numbers = (pair.rtp.local_addr().port(), pair.rtcp.local_addr().port());
    assert_eq!(numbers, (20_502, 20_503));
}

#[test]
fn the_advertised_address_is_that_of_the_policy() {
    let mut policy = range(20_600, 8);
    policy.advertise = Some("198.51.100.9".parse().unwrap());
    let ports = TunerPorts::new(policy).unwrap();
    let lease = ports.lease(LOCAL, rx(), "nat").unwrap();
    assert_eq!(lease.advertised().ip().to_string(), "198.51.100.9");
    assert_eq!(lease.advertised().port(), lease.local_addr().port());
    let mut system = PortPolicy::default();
    system.order = Order::System;
    let ports = TunerPorts::new(system).unwrap();
    assert_ne!(ports.lease(LOCAL, rx(), "any").unwrap().local_addr().port(), 0);
}

#[test]
fn the_kernel_counts_exactly_what_did_not_fit_the_buffer() {
    let ports = TunerPorts::new(range(20_700, 8)).unwrap();
    let mut small = rx();
    small.buffer = 64 << 10;
    let lease = ports.lease(LOCAL, small, "small").unwrap();
    let Some(mut drops) = DropCounter::of(lease.socket()) else {
        jellynet_test::peer::skip("this kernel has no /proc/net/udp");
        return;
    };
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..200 {
        sender.send_to(&[0x47; 1316], lease.local_addr()).unwrap();
    }
    let mut buffer = [0; 2048];
    let received = std::iter::from_fn(|| lease.socket().recv_from(&mut buffer).ok()).count() as u64;
    assert_eq!(drops.read().unwrap(), Some(200 - received));
    let held = lease.granted().datagrams();
    assert!(received.abs_diff(held) <= 2, "{received} received, {held} promised");
}

#[test]
fn the_local_address_follows_the_routes_and_no_route_is_said() {
    let Some(host) = Namespace::new("jellynet-tuner") else {
        return;
    };
    let Some(lan) = Namespace::new("jellynet-tuner") else {
        return;
    };
    for (interface, address) in [("eth0", "10.78.1.1/24"), ("eth1", "10.78.2.1/24")] {
        host.link(interface, &lan, interface);
        host.address(interface, address);
    }
    host.ip("route add 192.0.2.0/24 via 10.78.2.9");
    host.run(|| {
        let ports = TunerPorts::new(range(20_800, 8)).unwrap();
        for (device, local) in [
            ("10.78.1.5:65001", "10.78.1.1"),
            ("10.78.2.5:65001", "10.78.2.1"),
            ("192.0.2.7:65001", "10.78.2.1"),
            ("127.0.0.1:65001", "127.0.0.1"),
        ] {
            let at = BindAt::Towards(device.parse().unwrap());
            let lease = ports.lease(at, rx(), "x").unwrap();
            assert_eq!(lease.local_addr().ip().to_string(), local, "{device}");
        }
        let at = BindAt::Towards("203.0.113.1:65001".parse().unwrap());
        let error = ports.lease(at, rx(), "x").unwrap_err();
        assert_eq!(error.to_string(), "no route to 203.0.113.1:65001");
    });
}
