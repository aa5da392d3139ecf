//! Real kernels: addresses that come, wait, go and return.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use jellynet_bind::{Bind, Bound, Event, Events, Listeners};
use jellynet_netif::Interfaces;
use jellynet_test::netns::Namespace;
use jellynet_test::peer;
use tokio::time::{Instant, timeout};

/// How soon a change must be served (the least that the project promises).
const SOON: Duration = Duration::from_secs(2);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn bind(listens: &[&str]) -> (Bound, Interfaces) {
    let interfaces = Interfaces::watch().unwrap();
    let listens = listens.iter().map(|listen| listen.parse().unwrap());
    let bound = Bind::new().listen_all("http", listens).bind(&interfaces.current());
    (bound, interfaces)
}

fn serve((bound, interfaces): (Bound, Interfaces)) -> Events {
    let mut listeners = Listeners::new(bound, interfaces);
    let events = listeners.handle().events();
    tokio::spawn(async move { while listeners.accept().await.is_some() {} });
    events
}

/// The next event that is not about waiting, and how long it took.
async fn next(events: &mut Events) -> (Event, Duration) {
    let start = Instant::now();
    loop {
        let event = timeout(Duration::from_secs(10), events.next()).await;
        match event.expect("an event in time").unwrap() {
            Event::Waiting { .. } => {}
            event => return (event, start.elapsed()),
        }
    }
}

async fn bound_soon(events: &mut Events, addr: &str) {
    let (event, took) = next(events).await;
    assert_eq!(event.to_string(), format!("http: listening on {addr}"));
    assert!(took < SOON, "{took:?}");
}

fn connects(addr: &str) -> bool {
    TcpStream::connect_timeout(&addr.parse::<SocketAddr>().unwrap(), Duration::from_secs(1)).is_ok()
}

#[test]
fn an_address_that_comes_later_is_served_while_the_others_serve() {
    let Some(host) = Namespace::new("jellynet-bind") else {
        return;
    };
    host.run(|| {
        block_on(async {
            let (bound, interfaces) = bind(&["127.0.0.1:8096", "10.77.1.1:8096", "eth0:8097"]);
            assert!(bound.is_listening() && !bound.has_failures());
            let mut events = serve((bound, interfaces));
            assert!(connects("127.0.0.1:8096"));

            host.ip("link add eth0 type veth peer name eth0-end");
            host.ip("link set eth0-end up");
            host.ip("link set eth0 up");
            host.ip("address add 10.77.1.1/24 dev eth0");
            let mut lines = Vec::new();
            let start = Instant::now();
            while lines.len() < 2 || !lines.iter().any(|l: &String| l.contains("8097")) {
                lines.push(next(&mut events).await.0.to_string());
            }
            assert!(start.elapsed() < SOON, "{lines:?}");
            assert!(connects("10.77.1.1:8096") && connects("10.77.1.1:8097"));

            host.ip("address add 10.77.1.9/24 dev eth0");
            loop {
                let (event, took) = next(&mut events).await;
                assert!(took < SOON);
                if event.to_string() == "http: listening on 10.77.1.9:8097" {
                    break;
                }
            }
            assert!(connects("10.77.1.9:8097"));
        });
    });
}

#[test]
fn a_tentative_address_is_waited_for() {
    let Some(host) = Namespace::new("jellynet-bind") else {
        return;
    };
    let Some(other) = Namespace::new("jellynet-bind") else {
        return;
    };
    host.link("eth0", &other, "eth0");
    host.run(|| {
        block_on(async {
            host.ip("address add fd77:1::1/64 dev eth0");
            let (bound, interfaces) = bind(&["[fd77:1::1]:8096", "127.0.0.1:8096"]);
            let line = bound.outcomes()[0].to_string();
            assert!(
                line.contains("eth0 is still checking that nobody else has fd77:1::1"),
                "{line}"
            );
            assert!(bound.is_listening(), "the other one serves");
            let mut events = serve((bound, interfaces));
            // Detection takes one to two seconds (RFC 4862 § 5.4); then the socket is due.
            let (event, took) = next(&mut events).await;
            assert_eq!(event.to_string(), "http: listening on [fd77:1::1]:8096");
            assert!(took < SOON + SOON, "{took:?}");
            assert!(connects("[fd77:1::1]:8096"));
        });
    });
}

#[test]
fn an_interface_that_goes_leaves_nothing_and_is_served_again_when_it_returns() {
    let Some(host) = Namespace::new("jellynet-bind") else {
        return;
    };
    let up = || {
        host.ip("link add wg0 type veth peer name wg0-end");
        host.ip("link set wg0-end up");
        host.ip("link set wg0 addrgenmode none");
        host.ip("link set wg0 up");
        host.ip("address add 10.77.8.1/24 dev wg0");
    };
    up();
    host.run(|| {
        block_on(async {
            let mut events = serve(bind(&["wg0:8096"]));
            host.ip("link delete wg0");
            let (event, took) = next(&mut events).await;
            assert_eq!(event.to_string(), "http: the address went: 10.77.8.1:8096");
            assert!(took < SOON, "{took:?}");
            let (event, _) = next(&mut events).await;
            assert_eq!(event.to_string(), "http: closed 10.77.8.1:8096");
            let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
            assert_eq!(table.lines().count(), 1, "no zombie: {table}");
            up();
            bound_soon(&mut events, "10.77.8.1:8096").await;
            assert!(connects("10.77.8.1:8096"));
        });
    });
}

#[test]
fn link_local_addresses_are_served_on_their_own_link() {
    let Some(host) = Namespace::new("jellynet-bind") else {
        return;
    };
    host.ip("link add eth0 type veth peer name eth0-end");
    host.ip("link set eth0-end up");
    host.ip("link set eth0 addrgenmode none");
    host.ip("link set eth0 up");
    host.ip("address add fe80::77/64 dev eth0 nodad");
    host.run(|| {
        block_on(async {
            let (bound, _) = bind(&["[fe80::77%eth0]:8096", "eth0:8096"]);
            let outcomes = bound.outcomes();
            assert_eq!(outcomes.len(), 1, "bound once: {outcomes:?}");
            assert!(bound.is_listening(), "{}", outcomes[0]);
        });
    });
}

#[test]
fn a_system_with_ipv6_switched_off_serves_ipv4() {
    let Some(host) = Namespace::new("jellynet-bind") else {
        return;
    };
    host.run(|| {
        for scope in ["all", "default", "lo"] {
            let path = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
            std::fs::write(path, "1").unwrap();
        }
        block_on(async {
            let (bound, _) = bind(&["*:8096", "localhost:8097"]);
            assert!(!bound.has_failures(), "{:?}", bound.outcomes());
            assert!(connects("127.0.0.1:8096") && connects("127.0.0.1:8097"));
        });
    });
}

#[test]
fn the_holder_of_a_port_is_found_in_its_namespace() {
    let Some(host) = Namespace::new("jellynet-bind") else {
        return;
    };
    let Some(python) = peer::find("python3") else {
        return;
    };
    let mut server = Command::new(python.path());
    server.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "8096"]);
    let server = host.spawn(server);
    server.wait_for_line("Serving", Duration::from_secs(20));
    host.run(|| {
        let elsewhere = TcpListener::bind("127.0.0.1:8097").unwrap();
        let line = block_on(async { bind(&["127.0.0.1:8096"]).0.outcomes()[0].to_string() });
        assert!(line.contains("cannot listen on 127.0.0.1:8096: held by python"), "{line}");
        assert!(line.contains(&format!("(pid {}, user root", server.pid())), "{line}");
        drop(elsewhere);
    });
}
