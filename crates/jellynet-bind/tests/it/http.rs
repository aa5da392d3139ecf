use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jellynet_bind::{
    Bind, BoundAddr, Connection, Handle, HttpServer, Listeners, ServeOptions, Serving,
};
use jellynet_netif::{Interface, InterfaceTable, Interfaces, LocalAddr, PeerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower::service_fn;

/// Answers with who asked, where and for what; `/slow` waits until it is allowed to.
async fn answer(
    request: Request<Incoming>,
    go: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/slow" {
        go.notified().await;
    }
    if request.uri().path() == "/upgrade" {
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(request).await.unwrap();
            let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
        let switching = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("Upgrade", "echo")
            .header("Connection", "upgrade");
        return Ok(switching.body(Full::default()).unwrap());
    }
    let peer = request.extensions().get::<PeerAddr>().unwrap();
    let local = request.extensions().get::<LocalAddr>().unwrap();
    let text = format!("{} {peer} {local}", request.uri().path());
    Ok(Response::new(Full::from(text)))
}

/// A server on a free port; `go` lets slow requests end.
fn serve(options: ServeOptions) -> (SocketAddr, Handle, Arc<Notify>) {
    let table = InterfaceTable::new([Interface::loopback(1)]);
    let bound = Bind::new().listen("http", "127.0.0.1:0".parse().unwrap()).bind(&table);
    let mut listeners = Listeners::new(bound, Interfaces::fixed(table));
    let handle = listeners.handle();
    let Some(BoundAddr::Inet(addr)) = listeners.open_addrs().next().cloned() else {
        panic!("an address");
    };
    let go = Arc::new(Notify::new());
    let gate = go.clone();
    tokio::spawn(async move {
        let server = HttpServer::new(options);
        while let Some(connection) = listeners.accept().await {
            let (server, go) = (server.clone(), gate.clone());
            let service = service_fn(move |request| answer(request, go.clone()));
            tokio::spawn(server.serve(connection, service));
        }
    });
    (addr, handle, go)
}

async fn ask(client: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until `end` has come.
async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut bytes = [0; 1024];
        let n = client.read(&mut bytes).await.unwrap();
        assert_ne!(n, 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
    }
    text
}

#[tokio::test]
async fn requests_carry_both_addresses_on_either_version() {
    let (addr, _, _) = serve(ServeOptions::default());
    let mut client = TcpStream::connect(addr).await.unwrap();
    let us = client.local_addr().unwrap();
    ask(&mut client, "/one").await;
    read_until(&mut client, &format!("/one {us} {addr}")).await;
    // Two at once: the second is in the buffer when the first is answered.
    client
        .write_all(b"GET /two HTTP/1.1\r\nHost: x\r\n\r\nGET /three HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut client, &format!("/three {us} {addr}")).await;

    let stream = TcpStream::connect(addr).await.unwrap();
    let us = stream.local_addr().unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://x/h2").body(Empty::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, format!("/h2 {us} {addr}"));
}

#[tokio::test]
async fn upgrades_pass_what_came_early_and_count_as_open() {
    let (addr, handle, _) = serve(ServeOptions::default());
    let mut client = TcpStream::connect(addr).await.unwrap();
    client
        .write_all(b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly")
        .await
        .unwrap();
    read_until(&mut client, "early").await;
    client.write_all(b"later").await.unwrap();
    read_until(&mut client, "later").await;
    assert_eq!(handle.open_connections(), 1);
    let report = handle.drain(Duration::from_millis(50)).await;
    assert_eq!((report.finished(), report.cut()), (0, 1));
    let mut rest = Vec::new();
    drop(client.read_to_end(&mut rest).await);
    assert_eq!(handle.open_connections(), 0, "the tunnel was cut too");
}

#[tokio::test]
async fn a_drain_ends_idle_connections_at_once_and_busy_ones_after_their_answer() {
    let (addr, handle, go) = serve(ServeOptions::default());
    let mut idle = TcpStream::connect(addr).await.unwrap();
    ask(&mut idle, "/").await;
    read_until(&mut idle, "/ ").await;
    let mut silent = TcpStream::connect(addr).await.unwrap();
    let mut busy = TcpStream::connect(addr).await.unwrap();
    ask(&mut busy, "/slow").await;
    while handle.open_connections() < 3 {
        tokio::task::yield_now().await;
    }
    let draining = handle.clone();
    let drain = tokio::spawn(async move { draining.drain(Duration::from_secs(20)).await });
    let mut nothing = Vec::new();
    idle.read_to_end(&mut nothing).await.unwrap();
    silent.read_to_end(&mut nothing).await.unwrap();
    assert!(nothing.is_empty());
    go.notify_one();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("connection: close") && answer.contains("/slow "), "{answer}");
    let report = drain.await.unwrap();
    assert_eq!((report.finished(), report.cut()), (3, 0));
    assert!(report.took < Duration::from_secs(10), "{report}");
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let mut options = ServeOptions::default();
    options.max_head = 8 * 1024;
    let (addr, _, _) = serve(options);
    let mut client = TcpStream::connect(addr).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Big: {}\r\n\r\n", "x".repeat(9000));
    client.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut client, "HTTP/1.1 431").await;
}

#[tokio::test]
async fn many_connections_rest_at_once_and_all_go_on() {
    let (addr, handle, _) = serve(ServeOptions::default());
    let mut clients = Vec::new();
    for _ in 0..300 {
        clients.push(TcpStream::connect(addr).await.unwrap());
    }
    for round in 0..3 {
        for client in &mut clients {
            ask(client, &format!("/{round}")).await;
            read_until(client, &format!("/{round} 127.0.0.1:")).await;
        }
    }
    assert_eq!(handle.counts()[0].total, 300, "no connection was closed");
}

#[test]
fn a_waiting_connection_is_small() {
    type Never = tower::util::BoxCloneSyncService<(), (), ()>;
    let size = size_of::<Serving<Connection, Never>>();
    assert!(size <= 256, "{size} bytes");
}
