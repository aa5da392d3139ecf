//! Clients that take little of what they asked for.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jellynet_bind::{
    AcceptOptions, Bind, BoundAddr, Facts, HttpServer, Listeners, Protocol, ServeError,
    ServeOptions, Served,
};
use jellynet_netif::{Interface, InterfaceTable, Interfaces, PeerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower::service_fn;

/// More than an HTTP/2 client of hyper takes without being read from.
const FILM: usize = 4 << 20;
const BUFFER: usize = 64 << 10;
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

async fn film(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from(vec![7_u8; FILM])))
}

fn connect(protocol: Protocol) -> (DuplexStream, JoinHandle<Result<Served, ServeError>>) {
    let (client, server) = tokio::io::duplex(BUFFER);
    let facts = Facts::new(PeerAddr::Unix, None);
    let serving = HttpServer::new(ServeOptions::default());
    let task = tokio::spawn(async move {
        serving.serve_stream(server, facts, protocol, service_fn(film)).await
    });
    (client, task)
}

/// Takes `BUFFER` bytes after each pause, until the end; how many in all.
async fn take(mut client: DuplexStream, pause: Duration) -> usize {
    let mut all = 0;
    let mut buffer = vec![0; BUFFER];
    loop {
        sleep(pause).await;
        for _ in 0..64 {
            match client.read(&mut buffer[..BUFFER / 64]).await {
                Ok(0) | Err(_) => return all,
                Ok(count) => all += count,
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_next_to_nothing_is_cut_and_a_slow_one_is_not() {
    for (pause, cut, why) in [
        (7200, Some(3600), "nothing"),
        (600, Some(3600), "109 bytes per second"),
        (240, None, "273 bytes per second, for more than four hours"),
        (1, None, "64 KiB per second"),
    ] {
        let start = Instant::now();
        let (mut client, task) = connect(Protocol::Http1);
        client.write_all(GET).await.unwrap();
        let taking = tokio::spawn(take(client, Duration::from_secs(pause)));
        let served = task.await.unwrap().unwrap();
        let seconds = start.elapsed().as_secs();
        match cut {
            Some(cut) => {
                assert_eq!(served, Served::SendTimeout, "{why}");
                assert!((cut..cut + 600).contains(&seconds), "{why}: {seconds} s");
                taking.abort();
            }
            None => {
                assert_eq!(served, Served::Finished, "{why}");
                assert!(taking.await.unwrap() > FILM, "{why}");
            }
        }
    }
}

/// A response over HTTP/2 of whose body nothing was read.
async fn unread_on_h2() -> (Response<Incoming>, JoinHandle<Result<Served, ServeError>>) {
    let (client, task) = connect(Protocol::Http2);
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(client),
    )
    .await
    .unwrap();
    // Answers pings, and takes what the windows allow.
    tokio::spawn(connection);
    let request = Request::get("http://x/").body(Empty::new()).unwrap();
    (sender.send_request(request).await.unwrap(), task)
}

#[tokio::test(start_paused = true)]
async fn a_window_that_stays_shut_is_as_bad_as_a_socket_that_is_not_read() {
    let start = Instant::now();
    let (response, task) = unread_on_h2().await;
    assert_eq!(task.await.unwrap().unwrap(), Served::SendTimeout);
    // It took what the window allowed, and was looked at once more after that.
    assert!((3600..=3660).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn a_player_that_pauses_for_half_an_hour_gets_the_rest() {
    let pause = Duration::from_secs(1800);
    let (response, _task) = unread_on_h2().await;
    sleep(pause).await;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), FILM);

    let (mut client, task) = connect(Protocol::Http1);
    client.write_all(GET).await.unwrap();
    sleep(pause).await;
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    assert!(all.len() > FILM);
    assert_eq!(task.await.unwrap().unwrap(), Served::Finished);
}

#[tokio::test]
async fn while_connections_are_scarce_patience_is_short_and_nothing_stays_in_the_kernel() {
    let table = InterfaceTable::new([Interface::loopback(1)]);
    let bound = Bind::new().listen("http", "127.0.0.1:0".parse().unwrap()).bind(&table);
    let mut accept = AcceptOptions::default();
    accept.max_connections = 4;
    let mut listeners = Listeners::with_options(bound, Interfaces::fixed(table), accept);
    let handle = listeners.handle();
    let Some(BoundAddr::Inet(addr)) = listeners.open_addrs().next().cloned() else {
        panic!("an address");
    };
    let mut options = ServeOptions::default();
    options.send_crowded = Duration::from_millis(100);
    // The others, which say nothing, stay.
    options.first_byte = Duration::from_secs(3600);
    tokio::spawn(async move {
        let server = HttpServer::new(options);
        while let Some(connection) = listeners.accept().await {
            let big = service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(vec![7_u8; 32 << 20])))
            });
            tokio::spawn(server.serve(connection, big));
        }
    });
    let mut slow = TcpStream::connect(addr).await.unwrap();
    slow.write_all(GET).await.unwrap();
    let _others =
        [TcpStream::connect(addr).await.unwrap(), TcpStream::connect(addr).await.unwrap()];
    while handle.counts()[0].total < 3 || handle.open_connections() > 2 {
        tokio::task::yield_now().await;
    }
    let mut some = Vec::new();
    let end = slow.read_to_end(&mut some).await.unwrap_err();
    assert_eq!(end.kind(), io::ErrorKind::ConnectionReset, "after {} bytes", some.len());
}
