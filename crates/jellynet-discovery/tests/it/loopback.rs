//! The service on the host's own network.

use std::net::SocketAddr;
use std::time::Duration;

use jellynet_discovery::{
    DiscoveryEvent, DiscoveryService, Identity, Responder, ResponderConfig, SeekEvent,
    SeekerConfig, ServerId, seek,
};
use jellynet_netif::{Interfaces, UdpConfig};
use tokio::net::UdpSocket;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);
const ID: ServerId = ServerId::from_bytes([7; 16]);

/// A service on some port of this host, and its address.
fn spawn() -> (DiscoveryService, SocketAddr) {
    let identity = Identity::new(ID, "Den", |asker| Some(asker.http(8096)));
    let responder = Responder::new(ResponderConfig::default()).with_identity(identity);
    let interfaces = Interfaces::watch().unwrap();
    let service = DiscoveryService::spawn_with(responder, UdpConfig::listen(0), interfaces);
    let port = service.status().listening().next().unwrap().port();
    (service, SocketAddr::from(([127, 0, 0, 1], port)))
}

async fn asks(socket: &UdpSocket, server: SocketAddr) -> String {
    socket.send_to(b"who is JellyfinServer?", server).await.unwrap();
    let mut buffer = [0; 1024];
    let answer = timeout(SOON, socket.recv_from(&mut buffer)).await;
    let (length, from) = answer.unwrap().unwrap();
    assert_eq!(from, server);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn hostile_datagrams_change_nothing() {
    let (service, server) = spawn();
    let hostile = UdpSocket::bind("127.0.0.3:0").await.unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let long = vec![b'A'; 65_507];
    let bad: [&[u8]; 6] = [b"", b"\xff\xfe", &long, b"{\"Id\":", b"who is", &[0; 128]];
    for payload in bad {
        hostile.send_to(payload, server).await.unwrap();
    }
    for _ in 0..2000 {
        hostile.send_to(b"who is JellyfinServer?", server).await.unwrap();
        hostile.send_to(b"\xff", server).await.unwrap();
    }
    let answer = asks(&client, server).await;
    assert!(answer.contains("http://127.0.0.1:8096"), "{answer}");
    let stats = service.stats();
    assert!(stats.not_a_question >= 6 && stats.limited > 0, "{stats:?}");
    assert_eq!(stats.off_link, 0);
}

#[tokio::test]
async fn what_it_speaks_for_changes_while_it_runs() {
    let (mut service, server) = spawn();
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    asks(&client, server).await;
    let event = timeout(SOON, service.next()).await.unwrap().unwrap();
    assert!(matches!(event, DiscoveryEvent::Asked(_)));
    service.advertise(Identity::new(ID, "Attic", |_| Some("https://tv.lan/".to_owned())));
    let answer = asks(&client, server).await;
    assert!(answer.contains("\"https://tv.lan\"") && answer.contains("Attic"), "{answer}");
    assert_eq!(service.ids(), [ID]);
    service.withdraw(ID);
    assert!(service.ids().is_empty());
}

#[tokio::test]
async fn a_search_on_the_own_host_finds_it_and_is_over_in_time() {
    let (_service, server) = spawn();
    let config = SeekerConfig::default()
        .with_port(server.port())
        .with_wait(Duration::from_millis(300))
        .with_own([ID]);
    let mut search = seek(config, Interfaces::watch().unwrap());
    let event = timeout(SOON, search.next()).await.unwrap();
    let Some(SeekEvent::Found(found)) = event else {
        panic!("{event:?}");
    };
    assert_eq!((found.answer.id, found.from.port()), (ID.to_string(), server.port()));
    while let Some(event) = timeout(SOON, search.next()).await.unwrap() {
        assert!(matches!(event, SeekEvent::Also(_)), "{event:?}");
    }
}
