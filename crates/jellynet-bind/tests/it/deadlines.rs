//! Virtual time: who does nothing is closed, who is being answered is not.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jellynet_bind::{Facts, HttpServer, Protocol, ServeError, ServeOptions, Served};
use jellynet_netif::PeerAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower::service_fn;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame (RFC 9113 § 6.5).
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// A HEADERS frame on stream 1 without END_HEADERS: `:method: GET` and no more.
const HALF_HEADERS: &[u8] = b"\0\0\x01\x01\x01\0\0\0\x01\x82";

const HOUR: Duration = Duration::from_secs(3600);

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/film" {
        sleep(HOUR).await;
    }
    Ok(Response::new(Full::from("done")))
}

fn connect(protocol: Protocol) -> (DuplexStream, JoinHandle<Result<Served, ServeError>>) {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let facts = Facts::new(PeerAddr::Unix, None);
    let serving = HttpServer::new(ServeOptions::default());
    let task = tokio::spawn(async move {
        serving.serve_stream(server, facts, protocol, service_fn(answer)).await
    });
    (client, task)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_nothing_more_is_closed_in_time() {
    let preface = |more: &[&[u8]]| [&[PREFACE], more].concat().concat();
    for (sent, protocol, seconds, how, why) in [
        (b"".to_vec(), Protocol::Sniff, 10, Served::FirstByteTimeout, "nothing"),
        (b"".to_vec(), Protocol::Http1, 10, Served::FirstByteTimeout, "nothing, by ALPN"),
        (b"".to_vec(), Protocol::Http2, 15, Served::HeadersTimeout, "nothing, by ALPN"),
        (b"G".to_vec(), Protocol::Sniff, 15, Served::HeadersTimeout, "one byte"),
        (b"GET / HT".to_vec(), Protocol::Sniff, 15, Served::HeadersTimeout, "half a line"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec(),
            Protocol::Http1,
            15,
            Served::HeadersTimeout,
            "half a head",
        ),
        (b"PRI * HT".to_vec(), Protocol::Sniff, 15, Served::HeadersTimeout, "half a preface"),
        (b"PRI * HT".to_vec(), Protocol::Http2, 15, Served::HeadersTimeout, "the same, by ALPN"),
        (preface(&[]), Protocol::Sniff, 15, Served::HeadersTimeout, "only the preface"),
        (preface(&[SETTINGS]), Protocol::Sniff, 15, Served::HeadersTimeout, "no request"),
        (
            preface(&[SETTINGS, HALF_HEADERS]),
            Protocol::Sniff,
            15,
            Served::HeadersTimeout,
            "half a request",
        ),
    ] {
        let start = Instant::now();
        let (mut client, task) = connect(protocol);
        client.write_all(&sent).await.unwrap();
        let served = task.await.unwrap();
        assert_eq!(served.unwrap(), how, "{why}");
        assert_eq!(start.elapsed().as_secs(), seconds, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_closed_all_the_same() {
    let start = Instant::now();
    let (mut client, task) = connect(Protocol::Sniff);
    let drip = tokio::spawn(async move {
        for byte in b"GET / HTTP/1.1\r\nHost: example.org\r\n" {
            sleep(Duration::from_secs(2)).await;
            if client.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    });
    assert_eq!(task.await.unwrap().unwrap(), Served::HeadersTimeout);
    assert_eq!(start.elapsed().as_secs(), 17, "15 s from the first byte");
    drip.abort();
}

async fn one_request(client: &mut DuplexStream) {
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn between_requests_there_is_time_but_not_for_ever() {
    for (then, seconds, how, why) in [
        (&b""[..], 75, Served::IdleTimeout, "nothing more"),
        (b"GET / HT", 15, Served::HeadersTimeout, "half a second request"),
    ] {
        let (mut client, task) = connect(Protocol::Sniff);
        one_request(&mut client).await;
        sleep(Duration::from_secs(40)).await;
        one_request(&mut client).await;
        let start = Instant::now();
        client.write_all(then).await.unwrap();
        assert_eq!(task.await.unwrap().unwrap(), how, "{why}");
        assert_eq!(start.elapsed().as_secs(), seconds, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_second_request_after_a_rest_is_closed_in_time() {
    let (mut client, task) = connect(Protocol::Sniff);
    one_request(&mut client).await;
    sleep(Duration::from_secs(40)).await;
    let start = Instant::now();
    client.write_all(b"GET / HT").await.unwrap();
    assert_eq!(task.await.unwrap().unwrap(), Served::HeadersTimeout);
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_as_long_as_it_takes() {
    let (mut client, task) = connect(Protocol::Sniff);
    let start = Instant::now();
    client.write_all(b"GET /film HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("done") && start.elapsed() >= HOUR);
    assert_eq!(task.await.unwrap().unwrap(), Served::Finished);

    let (client, task) = connect(Protocol::Sniff);
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(client),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let start = Instant::now();
    let request = Request::get("http://x/film").body(Empty::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "done");
    assert!(start.elapsed() >= HOUR);
    let start = Instant::now();
    assert_eq!(task.await.unwrap().unwrap(), Served::Finished);
    assert!((75..=77).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_at_once_is_no_error() {
    let (client, task) = connect(Protocol::Sniff);
    drop(client);
    assert_eq!(task.await.unwrap().unwrap(), Served::Unused);
    let (mut client, task) = connect(Protocol::Sniff);
    client.write_all(b"GET / HT").await.unwrap();
    drop(client);
    assert!(task.await.unwrap().is_err(), "half a request is one");
}
