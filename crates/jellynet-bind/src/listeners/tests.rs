use std::time::Duration;

use jellynet_netif::{Interface, InterfaceTable, PeerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::Bind;

fn loopback() -> InterfaceTable {
    InterfaceTable::new([Interface::loopback(1)])
}

/// An interface whose addresses this host can bind, because all of 127/8 is local.
fn with(addresses: &[&str]) -> InterfaceTable {
    let vpn =
        addresses.iter().fold(Interface::new("vpn0", 9), |i, a| i.with_address(a.parse().unwrap()));
    InterfaceTable::new([Interface::loopback(1), vpn])
}

fn listening(outcomes: &[Outcome]) -> Vec<String> {
    outcomes.iter().map(ToString::to_string).collect()
}

fn on_loopback(options: AcceptOptions) -> (Listeners, std::net::SocketAddr) {
    let bound = Bind::new().listen("http", "127.0.0.1:0".parse().unwrap()).bind(&loopback());
    let listeners = Listeners::with_options(bound, Interfaces::fixed(loopback()), options);
    let outcomes = listeners.outcomes();
    let crate::OutcomeKind::Listening { addr: BoundAddr::Inet(addr) } = outcomes[0].kind else {
        panic!("{outcomes:?}");
    };
    (listeners, addr)
}

#[tokio::test]
async fn a_connection_knows_both_its_ends_and_its_name() {
    let (mut listeners, addr) = on_loopback(AcceptOptions::default());
    let handle = listeners.handle();
    let mut client = TcpStream::connect(addr).await.unwrap();
    let mut connection = listeners.accept().await.unwrap();
    let peer = PeerAddr::inet(client.local_addr().unwrap());
    assert_eq!(connection.peer_addr(), peer);
    assert_eq!(connection.local_addr().unwrap().get(), addr);
    assert_eq!(connection.name(), "http");
    let socket = socket2::SockRef::from(&connection);
    assert!(socket.tcp_nodelay().unwrap(), "inherited");
    assert!(socket.keepalive().unwrap(), "inherited");
    assert_eq!(handle.counts()[0].open, 1);

    client.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    connection.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"ping");
    drop(connection);
    assert_eq!((handle.counts()[0].open, handle.counts()[0].total), (0, 1));
}

#[tokio::test]
async fn the_limit_leaves_connections_in_the_queue_until_one_ends() {
    let options = AcceptOptions { max_connections: 1, ..AcceptOptions::default() };
    let (mut listeners, addr) = on_loopback(options);
    let _first = TcpStream::connect(addr).await.unwrap();
    let _second = TcpStream::connect(addr).await.unwrap();
    let first = listeners.accept().await.unwrap();
    let mut second = tokio_test_task(listeners);
    assert!(second.poll_once().await.is_pending());
    drop(first);
    assert!(second.accept().await.is_some());
}

/// Listeners with one look at a time.
struct Looked(Listeners);

fn tokio_test_task(listeners: Listeners) -> Looked {
    Looked(listeners)
}

impl Looked {
    async fn poll_once(&mut self) -> Poll<Option<Connection>> {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        poll_fn(|cx| Poll::Ready(self.0.poll_accept(cx))).await
    }

    async fn accept(&mut self) -> Option<Connection> {
        self.0.accept().await
    }
}

#[tokio::test]
async fn sockets_follow_the_addresses_of_an_interface() {
    let bound = Bind::new().listen("http", "vpn0:0".parse().unwrap()).bind(&loopback());
    assert!(!bound.is_listening() && !bound.has_failures());
    let (sender, interfaces) = Interfaces::channel(loopback());
    let mut listeners = Listeners::new(bound, interfaces);
    let handle = listeners.handle();
    let mut events = handle.events();
    assert_eq!(listening(&handle.outcomes()), ["http: waiting: interface vpn0 is not there yet"]);
    let accepting = tokio::spawn(async move {
        listeners.accept().await;
        listeners
    });

    sender.set(with(&["127.9.0.1/24"]));
    let Some(Event::BoundNew { addr, .. }) = events.next().await else {
        panic!("a new socket");
    };
    let first = addr.port().unwrap();
    sender.set(with(&["127.9.0.1/24", "127.9.0.2/24"]));
    let Some(Event::BoundNew { addr, .. }) = events.next().await else {
        panic!("a second socket");
    };
    assert_eq!(addr.to_string(), format!("127.9.0.2:{first}"), "one port");

    let client = TcpStream::connect(("127.9.0.2", first)).await.unwrap();
    let mut listeners = accepting.await.unwrap();
    drop(client);
    sender.set(with(&["127.9.0.2/24"]));
    let went = events.next();
    tokio::select! {
        event = went => assert_eq!(
            event.unwrap().to_string(),
            format!("http: the address went: 127.9.0.1:{first}")
        ),
        _ = listeners.accept() => panic!("no connection"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_socket_closes_after_its_grace_unless_the_address_is_back() {
    let table = with(&["127.9.1.1/24", "127.9.1.2/24"]);
    let bound = Bind::new().listen("http", "vpn0:0".parse().unwrap()).bind(&table);
    let (sender, interfaces) = Interfaces::channel(table.clone());
    let mut listeners = Listeners::new(bound, interfaces);
    let handle = listeners.handle();
    let mut events = handle.events();
    let task = tokio::spawn(async move { while listeners.accept().await.is_some() {} });

    sender.set(with(&["127.9.1.2/24"]));
    assert!(matches!(events.next().await, Some(Event::AddrLost { .. })));
    sender.set(table.clone());
    assert!(matches!(events.next().await, Some(Event::AddrBack { .. })));
    sender.set(with(&["127.9.1.2/24"]));
    assert!(matches!(events.next().await, Some(Event::AddrLost { .. })));
    let start = Instant::now();
    assert!(matches!(events.next().await, Some(Event::Closed { .. })));
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(handle.outcomes().len(), 1);
    sender.set(table);
    assert!(matches!(events.next().await, Some(Event::BoundNew { .. })));
    handle.drain(Duration::ZERO).await;
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_busy_port_is_opened_when_it_becomes_free() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = other.local_addr().unwrap();
    let bound = Bind::new().listen("http", addr.to_string().parse().unwrap()).bind(&loopback());
    assert!(bound.has_failures());
    let line = bound.outcomes()[0].to_string();
    assert!(line.contains("this process itself") && line.contains("os error 98"), "{line}");
    let mut listeners = Listeners::new(bound, Interfaces::fixed(loopback()));
    let mut events = listeners.handle().events();
    tokio::select! {
        _ = listeners.accept() => panic!("nothing to accept"),
        () = tokio::time::sleep(Duration::from_secs(5)) => {}
    }
    drop(other);
    tokio::select! {
        _ = listeners.accept() => panic!("nothing to accept"),
        event = events.next() => {
            assert_eq!(event.unwrap().to_string(), format!("http: listening on {addr}"));
        }
    }
}

#[tokio::test]
async fn a_drain_takes_the_queue_waits_and_cuts_the_rest() {
    let (mut listeners, addr) = on_loopback(AcceptOptions::default());
    let handle = listeners.handle();
    let mut quick = TcpStream::connect(addr).await.unwrap();
    let _slow = TcpStream::connect(addr).await.unwrap();
    let _queued = TcpStream::connect(addr).await.unwrap();
    let mut served = listeners.accept().await.unwrap();
    let mut stuck = listeners.accept().await.unwrap();
    let facts = served.facts();
    let polite = tokio::spawn(async move {
        facts.draining().await;
        served.write_all(b"bye").await.unwrap();
    });
    let mut byte = [0];
    let cut = tokio::spawn(async move { stuck.read(&mut byte).await });
    let accepting = tokio::spawn(async move {
        let mut taken = 0;
        while let Some(connection) = listeners.accept().await {
            drop(connection);
            taken += 1;
        }
        taken
    });

    let report = handle.drain(Duration::from_millis(200)).await;
    assert_eq!((report.finished(), report.cut()), (2, 1), "{report}");
    assert_eq!(accepting.await.unwrap(), 1, "the queued one was taken");
    polite.await.unwrap();
    let mut bye = String::new();
    quick.read_to_string(&mut bye).await.unwrap();
    assert_eq!(bye, "bye");
    let error = cut.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    assert!(TcpStream::connect(addr).await.is_err(), "closed");
    assert_eq!(handle.open_connections(), 0);
}
