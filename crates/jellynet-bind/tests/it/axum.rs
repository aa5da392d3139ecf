use axum::Router;
use axum::extract::{ConnectInfo, Extension};
use axum::routing::get;
use jellynet_bind::{Bind, BoundAddr, Facts, FactsLayer, Listeners};
use jellynet_netif::{Interface, InterfaceTable, Interfaces, LocalAddr, PeerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn axum_serves_on_these_listeners_and_knows_the_peer() {
    let table = InterfaceTable::new([Interface::loopback(1)]);
    let bound = Bind::new().listen("http", "127.0.0.1:0".parse().unwrap()).bind(&table);
    let listeners = Listeners::new(bound, Interfaces::fixed(table));
    let Some(BoundAddr::Inet(addr)) = listeners.open_addrs().next().cloned() else {
        panic!("an address");
    };
    let who = |ConnectInfo(facts): ConnectInfo<Facts>,
               Extension(peer): Extension<PeerAddr>,
               Extension(local): Extension<LocalAddr>| async move {
        format!("{} {peer} {local} {}", facts.peer_addr(), facts.name())
    };
    let app = Router::new().route("/", get(who)).layer(FactsLayer::new());
    let service = app.into_make_service_with_connect_info::<Facts>();
    tokio::spawn(async move { axum::serve(listeners, service).await });

    let mut client = TcpStream::connect(addr).await.unwrap();
    let us = client.local_addr().unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(&format!("{us} {us} {addr} http")), "{answer}");
}
