//! `Expect: 100-continue`.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{Gateway, read_head, read_to_end, soon, status_and_body, upstream};

const REQUEST: &[u8] =
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn the_body_waits_for_the_upstreams_word() {
    let address = upstream(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert!(head.contains("expect: 100-continue\r\n"), "{head}");
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        stream.write_all(go_on).await.unwrap();
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"hello");
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let gateway = Gateway::to(address).await;
    let mut client = gateway.connect().await;
    client.write_all(REQUEST).await.unwrap();
    let interim = soon(read_head(&mut client)).await.unwrap();
    assert!(interim.starts_with("HTTP/1.1 100"), "{interim}");
    client.write_all(b"hello").await.unwrap();
    let got = read_to_end(&mut client).await;
    assert_eq!(status_and_body(&got).0, 200);
}

#[tokio::test]
async fn a_refusal_spares_the_body() {
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "no byte of the body");
    })
    .await;
    let gateway = Gateway::to(address).await;
    let mut client = gateway.connect().await;
    client.write_all(REQUEST).await.unwrap();
    let got = read_to_end(&mut client).await;
    assert_eq!(status_and_body(&got).0, 413, "{got}");
    assert_eq!(gateway.quiet().await.connections, 0);
}

#[tokio::test]
async fn an_upstream_that_knows_nothing_of_it_gets_the_body_after_a_while() {
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let gateway = Gateway::to(address).await;
    let mut client = gateway.connect().await;
    client.write_all(REQUEST).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    let got = read_to_end(&mut client).await;
    assert!(got.contains("HTTP/1.1 200"), "{got}");
}
