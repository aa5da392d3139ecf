//! What goes in at one end comes out at the other.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{Gateway, answering, config, read_head, soon, status_and_body, upstream};
use jellynet_upstream::{HostPolicy, Upstream, UpstreamConfig};

/// Sends a request, gives the bytes that the upstream got.
async fn seen(
    config: impl FnOnce(std::net::SocketAddr) -> UpstreamConfig,
    request: &str,
) -> String {
    let seen = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&seen);
    let address = upstream(move |mut stream, _| {
        let shared = Arc::clone(&shared);
        async move {
            let mut head = read_head(&mut stream).await.unwrap();
            let mut rest = Vec::new();
            let length = head.split("content-length: ").nth(1);
            if let Some(length) = length.and_then(|rest| rest.split("\r\n").next()) {
                rest.resize(length.parse().unwrap(), 0);
                stream.read_exact(&mut rest).await.unwrap();
            }
            if head.contains("transfer-encoding: chunked") {
                while !rest.ends_with(b"\r\n\r\n") {
                    rest.push(stream.read_u8().await.unwrap());
                }
            }
            head.push_str(std::str::from_utf8(&rest).unwrap());
            *shared.lock().unwrap() = head;
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await;
    let gateway = Gateway::with(Upstream::new(config(address))).await;
    let response = gateway.ask(request).await;
    assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    std::mem::take(&mut seen.lock().unwrap())
}

#[tokio::test]
async fn the_upstream_gets_the_clients_words_and_who_said_them() {
    let request = "GET /a%2Fb//c?q=%20&r HTTP/1.1\r\nHost: tv.lan:81\r\nRange: bytes=1-\r\n\
                   Accept-Encoding: br\r\nCookie: a=b\r\nCookie: c\r\nTE: trailers, gzip\r\n\
                   Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-Forwarded-For: 6.6.6.6\r\n\
                   X-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /evil\r\nForwarded: for=6.6.6.6\r\n\
                   X-Real-IP: 6.6.6.6\r\nX-Original-Host: evil\r\nProxy-Connection: x\r\n\r\n";
    let expected = "GET /a%2Fb//c?q=%20&r HTTP/1.1\r\nhost: tv.lan:81\r\nrange: bytes=1-\r\n\
                    accept-encoding: br\r\ncookie: a=b; c\r\nx-forwarded-for: 127.0.0.1\r\n\
                    x-forwarded-proto: http\r\nx-forwarded-host: tv.lan:81\r\nconnection: te\r\n\
                    te: trailers\r\n\r\n";
    assert_eq!(seen(config, request).await, expected);
}

#[tokio::test]
async fn bodies_keep_their_framing_and_their_trailers() {
    let request =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let got = seen(config, request).await;
    assert!(got.contains("content-length: 5\r\n") && got.ends_with("\r\n\r\nhello"), "{got}");

    let request = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\
                   Trailer: X-Sum\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\n\r\n";
    let got = seen(config, request).await;
    assert!(got.contains("transfer-encoding: chunked\r\n") && !got.contains("content-length"));
    assert!(got.ends_with("\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 7\r\n\r\n"), "{got}");

    let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(seen(config, request).await.contains("content-length: 0\r\n"));
    let request = "DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(!seen(config, request).await.contains("content-length"));
    let request = "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(seen(config, request).await.starts_with("OPTIONS * HTTP/1.1\r\n"));
}

#[tokio::test]
async fn host_and_path_are_the_operators_to_choose() {
    let request = "GET /x HTTP/1.1\r\nHost: tv.lan\r\nConnection: close\r\n\r\n";
    let got = seen(
        |address| {
            let mut config = UpstreamConfig::new(format!("http://{address}/app/").parse().unwrap());
            config.host = HostPolicy::Upstream;
            config
        },
        request,
    )
    .await;
    assert!(got.starts_with("GET /app/x HTTP/1.1\r\nhost: 127.0.0.1:"), "{got}");
    assert!(got.contains("x-forwarded-host: tv.lan\r\n"));
    let got = seen(
        |address| {
            let mut config = config(address);
            config.host = HostPolicy::Fixed("media".parse().unwrap());
            config
        },
        request,
    )
    .await;
    assert!(got.contains("\r\nhost: media\r\n"), "{got}");
}

#[tokio::test]
async fn the_client_gets_the_upstreams_words() {
    let address = answering(
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\nContent-Range: bytes 1-3/9\r\n\
          ETag: W/\"x\"\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
          Set-Cookie: a\r\nSet-Cookie: b\r\nDate: then\r\n\r\nabc",
        false,
    )
    .await;
    let gateway = Gateway::to(address).await;
    let expected = "HTTP/1.1 206 Partial Content\r\ncontent-length: 3\r\n\
                    content-range: bytes 1-3/9\r\netag: W/\"x\"\r\nset-cookie: a\r\nset-cookie: b\r\n\
                    date: then\r\nconnection: close\r\n\r\nabc";
    let mut lines: Vec<_> = expected.lines().collect();
    lines.sort_unstable();
    let response = gateway.get().await;
    let mut got: Vec<_> = response.lines().collect();
    got.sort_unstable();
    assert_eq!(got, lines);
    let counters = gateway.quiet().await;
    assert_eq!((counters.idle, counters.requests), (1, 1));
}

#[tokio::test]
async fn every_way_to_end_a_body_is_passed_on() {
    for (response, body) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"[..], "body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", ""),
    ] {
        let gateway = Gateway::to(answering(response, true).await).await;
        let got = gateway.get().await;
        // What has no length comes in chunks.
        let got_body = status_and_body(&got).1;
        let chunk = format!("{:X}\r\n{body}\r\n0\r\n\r\n", body.len());
        assert!(got_body == body || got_body == chunk, "{got}");
        gateway.quiet().await;
    }
    let chunked = answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
          3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\n\r\n",
        false,
    )
    .await;
    let gateway = Gateway::to(chunked).await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, te\r\n\r\n";
    let got = gateway.ask(request).await;
    let body = got.split_once("\r\n\r\n").unwrap().1;
    assert!(body.contains("abc") && body.contains("de"), "{got}");
    assert!(body.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{got}");
    assert_eq!(gateway.quiet().await.idle, 1);
}

#[tokio::test]
async fn head_keeps_the_length_of_what_it_does_not_send() {
    let address = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n", false).await;
    let gateway = Gateway::to(address).await;
    let request = "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let got = gateway.ask(request).await;
    assert!(got.contains("content-length: 5000000000\r\n"), "{got}");
    assert_eq!(gateway.quiet().await.idle, 1);
}

#[tokio::test]
async fn an_answer_before_the_end_of_an_upload_arrives_while_it_goes_on() {
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        // Echoes, chunk for chunk, until the client is done.
        let mut byte = [0; 10];
        loop {
            stream.read_exact(&mut byte).await.unwrap();
            stream.write_all(b"5\r\n").await.unwrap();
            stream.write_all(&byte[3..8]).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
            if &byte[3..8] == b"last." {
                stream.write_all(b"0\r\n\r\n").await.unwrap();
                return;
            }
        }
    })
    .await;
    let gateway = Gateway::to(address).await;
    let mut client = gateway.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let head = soon(read_head(&mut client)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for word in ["first", "again", "last."] {
        let chunk = format!("5\r\n{word}\r\n");
        client.write_all(chunk.as_bytes()).await.unwrap();
        let mut echo = [0; 10];
        soon(client.read_exact(&mut echo)).await.unwrap();
        assert_eq!(&echo, chunk.as_bytes());
    }
}
