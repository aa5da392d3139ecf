//! An upstream that speaks HTTP/2 without TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jellynet_upstream::{Upstream, UpstreamConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::stage::{Gateway, answering, read_to_end, soon, status_and_body};

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Tells when a request is over, in whatever way.
struct Over(Arc<Notify>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn text(text: String) -> Answer {
    Response::new(Full::from(text).boxed())
}

/// Repeats what it was asked, switches protocols, or waits for ever.
async fn answer(
    mut request: Request<Incoming>,
    over: Over,
    connection: usize,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    match request.uri().path() {
        "/wait" => {
            std::future::pending::<()>().await;
            drop(over);
        }
        "/reset" => return Err("of no use".into()),
        "/refuse" => {
            let mut refusal = text("no".to_owned());
            *refusal.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return Ok(refusal);
        }
        "/socket" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let (mut from, mut to) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
            let mut switch = text(String::new());
            *switch.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = switch.headers_mut();
            headers.insert("connection", "upgrade".parse().unwrap());
            headers.insert("upgrade", "echo".parse().unwrap());
            return Ok(switch);
        }
        _ => {}
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned();
    let mut told = format!("{} {:?}\nby connection {connection}\n", parts.method, parts.version);
    for (name, value) in &parts.headers {
        told.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    told.push_str(&format!("{} {}\n", parts.uri, body.to_bytes().len()));
    let Some(trailers) = trailers else {
        return Ok(text(told));
    };
    // Of unknown length, as a body with trailers has to be for HTTP/1.1.
    let (mut sender, body) = Channel::new(2);
    sender.send_data(Bytes::from(told)).await.unwrap();
    sender.send_trailers(trailers).await.unwrap();
    let mut response = Response::new(body.boxed());
    response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
    Ok(response)
}

/// An upstream, and what tells of each request's end; each connection ends after `requests`.
async fn upstream(requests: usize) -> (SocketAddr, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let over = Arc::new(Notify::new());
    let shared = Arc::clone(&over);
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let over = Arc::clone(&shared);
            let left = AtomicUsize::new(requests);
            let last = Arc::new(Notify::new());
            let told = Arc::clone(&last);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                        told.notify_one();
                    }
                    answer(request, Over(Arc::clone(&over)), connection)
                });
                let builder = auto::Builder::new(TokioExecutor::new());
                let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                let mut serving = std::pin::pin!(serving);
                tokio::select! {
                    _ = &mut serving => return,
                    () = last.notified() => {}
                }
                serving.as_mut().graceful_shutdown();
                let _ = serving.await;
            });
        }
    });
    (address, over)
}

async fn gateway(address: SocketAddr) -> Gateway {
    let config = UpstreamConfig::new(format!("h2c://{address}").parse().unwrap());
    Gateway::with(Upstream::new(config)).await
}

#[tokio::test]
async fn the_upstream_gets_the_clients_words_and_trailers_pass_both_ways() {
    let (address, _) = upstream(100).await;
    let gateway = gateway(address).await;
    let request = "POST /a%2Fb?q HTTP/1.1\r\nHost: tv.lan:81\r\nCookie: a=b\r\nCookie: c\r\n\
                   TE: trailers\r\nConnection: close, TE, X-Hop\r\nX-Hop: 1\r\n\
                   X-Forwarded-For: 6.6.6.6\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\nx-sum: 5\r\ncontent-length: 9\r\n\r\n";
    for _ in 0..5 {
        let response = gateway.ask(request).await;
        for expected in [
            "POST HTTP/2.0\n",
            "by connection 0\n",
            "http://tv.lan:81/a%2Fb?q 5\n",
            "cookie: a=b; c\n",
            "te: trailers\n",
            "x-forwarded-for: 127.0.0.1\n",
            "x-forwarded-host: tv.lan:81\n",
            "\r\nx-sum: 5\r\n",
        ] {
            assert!(response.contains(expected), "{expected:?} is not in\n{response}");
        }
        for hidden in ["x-hop", "6.6.6.6", "transfer-encoding: chunked\n", "content-length: 9"] {
            assert!(!response.contains(hidden), "{hidden:?} is in\n{response}");
        }
    }
    let quiet = gateway.quiet().await;
    assert_eq!((quiet.connections, quiet.idle), (1, 1));
    assert_eq!((quiet.requests, quiet.retries, quiet.failures), (5, 0, 0));
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_with_it() {
    // As much as is read before the upstream is asked, and more to come.
    let begun = "hello ".repeat(11_000);
    for request in [
        "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n",
        &format!("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{begun}"),
        &format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{begun}"),
    ] {
        let (address, over) = upstream(100).await;
        let gateway = gateway(address).await;
        let mut client = gateway.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        while gateway.upstream.counters().connections == 0 {
            tokio::task::yield_now().await;
        }
        drop(client);
        soon(over.notified()).await;
        gateway.quiet().await;
    }
}

#[tokio::test]
async fn an_upload_that_is_refused_gets_its_answer() {
    let (address, _) = upstream(100).await;
    let gateway = gateway(address).await;
    let request =
        "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let response = gateway.ask(request).await;
    assert_eq!(status_and_body(&response), (413, "no"));
    gateway.quiet().await;
}

#[tokio::test]
async fn an_upgrade_goes_by_http_1() {
    let (address, _) = upstream(100).await;
    let gateway = gateway(address).await;
    let mut client = gateway.connect().await;
    let request = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let head = soon(crate::stage::read_head(&mut client)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    client.write_all(b"hello").await.unwrap();
    let mut echo = [0; 5];
    soon(client.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo, b"hello");
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    gateway.quiet().await;
}

#[tokio::test]
async fn a_connection_that_ends_costs_no_request() {
    let (address, _) = upstream(3).await;
    let gateway = gateway(address).await;
    for round in 0..50 {
        let response = gateway.get().await;
        assert!(response.starts_with("HTTP/1.1 200"), "{round}: {response}");
    }
    assert_eq!(gateway.upstream.counters().failures, 0);
}

#[tokio::test]
async fn an_upstream_without_http_2_is_told_of() {
    let address = answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", true).await;
    let gateway = gateway(address).await;
    assert_eq!(status_and_body(&gateway.get().await).0, 502);
    assert_eq!(gateway.quiet().await.connections, 0);
}

#[tokio::test]
async fn an_upstream_that_resets_every_stream_is_not_asked_for_ever() {
    let (address, _) = upstream(100).await;
    let gateway = gateway(address).await;
    let request = "GET /reset HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for asked in 1..=3 {
        assert_eq!(status_and_body(&gateway.ask(request).await).0, 502);
        assert_eq!(gateway.quiet().await.retries, 2 * asked);
    }
}

#[tokio::test]
async fn a_request_in_the_queue_of_a_server_that_ends_is_told_that_nobody_is_there() {
    for (method, length, status) in
        [("GET", "", 503), ("POST", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", 502)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = gateway(listener.local_addr().unwrap()).await;
        let request =
            format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{length}\r\n");
        let asked = gateway.ask(&request);
        let ended = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The preface, and what goes with it.
            stream.read_exact(&mut [0; 24]).await.unwrap();
            drop(listener);
        };
        let (got, ()) = tokio::join!(asked, ended);
        assert_eq!(status_and_body(&got).0, status, "{method}: {got}");
        assert_eq!(gateway.quiet().await.connections, 0);
    }
}
