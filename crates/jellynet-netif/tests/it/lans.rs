//! A server with two LANs, in network namespaces.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jellynet_netif::{Events, Interfaces, Transmit, UdpConfig, Via, drive};
use jellynet_test::netns::Namespace;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::engines::{Echo, Heard};

const SOON: Duration = Duration::from_secs(5);
const PORT: u16 = 7359;

struct Lans {
    server: Namespace,
    first: Namespace,
    second: Namespace,
}

/// Server 10.77.1.1 and 10.77.2.1, one client on each side; no routes.
fn lans() -> Option<Lans> {
    let lans = Lans {
        server: Namespace::new("jellynet-netif")?,
        first: Namespace::new("jellynet-netif")?,
        second: Namespace::new("jellynet-netif")?,
    };
    for (number, client) in [(1, &lans.first), (2, &lans.second)] {
        let interface = format!("lan{number}");
        lans.server.link(&interface, client, "eth0");
        lans.server.address(&interface, &format!("10.77.{number}.1/24"));
        lans.server.address(&interface, &format!("fd77:{number}::1/64"));
        client.address("eth0", &format!("10.77.{number}.2/24"));
        client.address("eth0", &format!("fd77:{number}::2/64"));
        for to in ["255.255.255.255", "239.0.0.0/8"] {
            client.ip(&format!("route add {to} dev eth0"));
        }
    }
    Some(lans)
}

/// Runs a future on a runtime inside the namespace.
pub(crate) fn inside<T: Send>(namespace: &Namespace, code: impl Future<Output = T> + Send) -> T {
    namespace.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(code)
    })
}

/// A client's socket, on the server's runtime.
fn socket(namespace: &Namespace, local: &str) -> UdpSocket {
    let socket = namespace.run(|| std::net::UdpSocket::bind(local)).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    UdpSocket::from_std(socket).unwrap()
}

async fn ask(socket: &UdpSocket, to: &str, port: u16) {
    let to: IpAddr = to.parse().unwrap();
    socket.send_to(b"who?", (to, port)).await.unwrap();
}

/// Where the next datagram is from.
async fn answer(socket: &UdpSocket) -> SocketAddr {
    let mut buffer = [0; 16];
    let received = timeout(SOON, socket.recv_from(&mut buffer)).await;
    received.unwrap().unwrap().1
}

async fn heard(events: &mut Events<Heard>) -> Heard {
    timeout(SOON, events.next()).await.unwrap().unwrap()
}

#[test]
fn a_broadcast_is_answered_from_the_address_of_its_lan() {
    let Some(lans) = lans() else { return };
    inside(&lans.server, async {
        let interfaces = Interfaces::watch().unwrap();
        let table = interfaces.current();
        let (driver, mut events) = drive(Echo::default(), UdpConfig::listen(PORT), interfaces);
        assert_eq!(driver.status().failures().next(), None);
        for (client, number) in [(&lans.first, 1), (&lans.second, 2)] {
            let socket = socket(client, "0.0.0.0:0");
            let directed = format!("10.77.{number}.255");
            let ours = format!("10.77.{number}.1");
            for to in ["255.255.255.255", &directed, &ours] {
                ask(&socket, to, PORT).await;
                let heard = heard(&mut events).await;
                assert_eq!(heard.destination.to_string(), to);
                let interface = table.by_name(&format!("lan{number}")).unwrap();
                assert_eq!(heard.interface, interface.index, "{to}");
                let from = answer(&socket).await;
                assert_eq!(from.to_string(), format!("{ours}:{PORT}"), "{to}");
            }
        }
    });
}

#[test]
fn a_group_is_heard_on_the_interfaces_it_was_joined_on_and_no_other() {
    let Some(lans) = lans() else { return };
    inside(&lans.server, async {
        let groups: [IpAddr; 2] = ["239.255.255.250", "ff02::c"].map(|ip| ip.parse().unwrap());
        let config = UdpConfig::listen(1900)
            .with_ipv6()
            .with_group(groups[0])
            .with_group(groups[1])
            .with_unicast_sockets();
        let both = config.clone();
        let only_first = config.with_interfaces(|i| i.name == "lan1");
        let interfaces = Interfaces::watch().unwrap();
        let table = interfaces.current();
        let first = table.by_name("lan1").unwrap().index;
        let (all, mut from_all) = drive(Echo::default(), both, interfaces.clone());
        let (one, mut from_one) = drive(Echo::silent(), only_first, interfaces);
        assert_eq!(all.status().memberships.len(), 4, "{:?}", all.status());
        assert_eq!(one.status().memberships.len(), 2, "{:?}", one.status());
        for client in [&lans.first, &lans.second] {
            let four = socket(client, "0.0.0.0:0");
            ask(&four, "239.255.255.250", 1900).await;
            let asked = heard(&mut from_all).await;
            assert_eq!(asked.destination, groups[0]);
            assert_eq!(answer(&four).await.port(), 1900);
            let six = socket(client, "[::]:0");
            let scope = client.run(|| jellynet_netif::interfaces().unwrap());
            let scope = scope.by_name("eth0").unwrap().index;
            let group = SocketAddr::new(groups[1], 1900);
            let SocketAddr::V6(mut group) = group else { unreachable!() };
            group.set_scope_id(scope);
            six.send_to(b"who?", group).await.unwrap();
            assert_eq!(heard(&mut from_all).await.destination, groups[1]);
            assert_eq!(answer(&six).await.port(), 1900);
        }
        // The other program on this host joined the second LAN too; that is not ours to hear.
        for _ in 0..2 {
            assert_eq!(heard(&mut from_one).await.interface, first);
        }
        one.shutdown(Duration::ZERO).await;
        assert_eq!(from_one.next().await, None);
        // The kernel keeps the IPv4 group away; for IPv6 it looks at the group alone.
        assert_eq!(one.counters().filtered, 1);
    });
}

#[test]
fn an_announcement_leaves_by_every_lan_without_a_route() {
    let Some(lans) = lans() else { return };
    inside(&lans.server, async {
        let [first, second] = [&lans.first, &lans.second].map(|c| socket(c, "0.0.0.0:65001"));
        let interfaces = Interfaces::watch().unwrap();
        let config = UdpConfig::announce().with_broadcast();
        let (driver, mut events) = drive(Echo::silent(), config, interfaces);
        let everyone = SocketAddr::from(([255, 255, 255, 255], 65001));
        driver.with(|engine, _now| engine.announce(b"who?", everyone));
        for (socket, number) in [(first, 1), (second, 2)] {
            let from = answer(&socket).await;
            assert_eq!(from.ip().to_string(), format!("10.77.{number}.1"));
            socket.send_to(b"me", from).await.unwrap();
            let answer = heard(&mut events).await;
            assert_eq!(answer.source.ip().to_string(), format!("10.77.{number}.2"));
            assert_eq!(answer.destination, from.ip());
        }
    });
}

#[test]
fn what_comes_later_is_heard_too_and_what_goes_is_let_go() {
    let Some(lans) = lans() else { return };
    lans.server.ip("address del 10.77.1.1/24 dev lan1");
    lans.server.ip("link delete lan2");
    inside(&lans.server, async {
        let config = UdpConfig::listen(1900).with_group([239, 255, 255, 250]).with_announcing();
        let interfaces = Interfaces::watch().unwrap();
        let (mut driver, mut events) = drive(Echo::default(), config, interfaces);
        let joined = |status: &jellynet_netif::UdpStatus| status.memberships.len();
        assert_eq!(joined(&driver.status()), 0);

        lans.server.address("lan1", "10.77.1.9/24");
        timeout(SOON, driver.status_changed()).await.unwrap().unwrap();
        assert_eq!(joined(&driver.status()), 1);
        let socket = socket(&lans.first, "0.0.0.0:0");
        ask(&socket, "239.255.255.250", 1900).await;
        heard(&mut events).await;
        let from = answer(&socket).await;
        assert_eq!(from.to_string(), "10.77.1.9:1900");

        for round in 0..2 {
            lans.server.link("lan2", &lans.second, "eth0");
            lans.server.address("lan2", "10.77.2.1/24");
            lans.second.address("eth0", "10.77.2.2/24");
            lans.second.ip("route add 239.0.0.0/8 dev eth0");
            while joined(&driver.status()) < 2 {
                timeout(SOON, driver.status_changed()).await.unwrap().unwrap();
            }
            let socket = self::socket(&lans.second, "0.0.0.0:0");
            ask(&socket, "239.255.255.250", 1900).await;
            heard(&mut events).await;
            answer(&socket).await;
            lans.server.ip("link delete lan2");
            while joined(&driver.status()) > 1 {
                timeout(SOON, driver.status_changed()).await.unwrap().unwrap();
            }
            let failures: Vec<_> = driver.status().failures().collect();
            assert!(failures.is_empty(), "round {round}: {failures:?}");
        }
        assert_eq!(driver.counters().send_failed.total(), 0);
    });
}

#[test]
fn a_firewall_that_forbids_sending_is_counted_and_the_rest_goes_out() {
    let Some(lans) = lans() else { return };
    lans.server.ip("route add prohibit 10.99.0.0/16");
    inside(&lans.server, async {
        let second = socket(&lans.second, "0.0.0.0:65001");
        let interfaces = Interfaces::watch().unwrap();
        let index = interfaces.current().by_name("lan2").unwrap().index;
        let (driver, _events) = drive(Echo::silent(), UdpConfig::announce(), interfaces);
        let via = Via::Announce { interface: index, source: [10, 77, 2, 1].into() };
        driver.with(|engine, _now| {
            for to in [[10, 99, 0, 1], [192, 0, 2, 1], [10, 77, 2, 2]] {
                engine.send(Transmit {
                    payload: b"who?".as_slice().into(),
                    destination: SocketAddr::from((to, 65001)),
                    via,
                });
            }
            engine.send(Transmit {
                payload: vec![0; 3000].into(),
                destination: SocketAddr::from(([10, 77, 2, 2], 65001)),
                via,
            });
        });
        driver.shutdown(Duration::ZERO).await;
        answer(&second).await;
        let counters = driver.counters();
        let failed = counters.send_failed;
        assert_eq!((failed.denied, failed.unreachable, failed.too_long), (1, 1, 1));
        assert_eq!(counters.sent, 1);
    });
}
