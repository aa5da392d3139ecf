//! What a client is told when there is no answer.

use std::time::Duration;

use jellynet_upstream::{State, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stage::{Gateway, answering, config, read_to_end, soon, status_and_body, upstream};

#[tokio::test]
async fn nobody_there_is_503_until_somebody_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gateway = Gateway::to(address).await;
    let got = gateway.get().await;
    assert_eq!(status_and_body(&got).0, 503);
    assert!(got.contains("retry-after: 5\r\n") && got.contains("cache-control: no-store"));
    assert!(!got.contains(&address.to_string()), "the address stays here: {got}");
    assert_eq!(gateway.upstream.status().current().state, State::Down);

    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback";
        stream.write_all(answer).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await
    });
    assert_eq!(status_and_body(&gateway.get().await).1, "back");
    assert_eq!(gateway.upstream.status().current().state, State::Starting);
}

#[tokio::test]
async fn silence_is_504_and_an_end_502() {
    let silent = upstream(|mut stream, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let mut settings = config(silent);
    settings.first_byte_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(Upstream::new(settings)).await;
    assert_eq!(status_and_body(&gateway.get().await).0, 504);

    let gateway = Gateway::to(answering(b"", true).await).await;
    assert_eq!(status_and_body(&gateway.get().await).0, 502);
    assert_eq!(gateway.quiet().await.connections, 0);
}

#[tokio::test]
async fn a_client_that_stops_sending_is_408_and_an_upload_that_flows_is_not_cut() {
    let slow = upstream(|mut stream, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let mut settings = config(slow);
    settings.upload_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(Upstream::new(settings)).await;
    let mut client = gateway.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe";
    client.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(status_and_body(&read_to_end(&mut client).await).0, 408);
    gateway.quiet().await;
}

#[tokio::test]
async fn a_silent_body_breaks_off_in_time() {
    let stalls = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", false).await;
    let mut settings = config(stalls);
    settings.read_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(Upstream::new(settings)).await;
    let got = gateway.get().await;
    assert_eq!(status_and_body(&got), (200, "hello"));
    assert_eq!(gateway.quiet().await.connections, 0);
}

#[tokio::test]
async fn what_cannot_be_passed_on_is_400() {
    let mut settings = config(answering(b"", true).await);
    settings.url = format!("{}/app", settings.url).parse().unwrap();
    let gateway = Gateway::with(Upstream::new(settings)).await;
    for request in [
        "GET /../x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /%2E%2e/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        let got = gateway.ask(request).await;
        assert_eq!(status_and_body(&got).0, 400, "{request}");
    }
    assert_eq!(soon(gateway.quiet()).await.connections, 0);
}
